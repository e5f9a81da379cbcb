package file

import (
	"archive/zip"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/flate"

	"mulu"
)

// Bounds of what a workbook may unpack to: a sheet of 1 048 576 rows and forty columns
// fits, a bomb does not.
const (
	maxPart  = 8 << 30  // a sheet, the shared strings
	maxSmall = 64 << 20 // styles, the list of sheets
)

// workbook is an open .xlsx.
type workbook struct {
	zip       *zip.ReadCloser
	parts     map[string]*zip.File // by name in lower case
	sheets    []sheetPart
	since1904 bool
	formats   []*format // by style
	strings   *sharedStrings
	stringsAt string // part of the shared strings, "" for none
}

type sheetPart struct {
	Sheet
	part string
}

// openWorkbook reads what stands around the sheets.
func openWorkbook(file string) (*workbook, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, fmt.Errorf("文件不完整，不能作为 .xlsx 打开；请用 Excel 或 WPS 打开后另存为 .xlsx / the workbook is cut off: %w: %w", mulu.ErrInvalid, err)
	}
	z.RegisterDecompressor(zip.Deflate, func(r io.Reader) io.ReadCloser { return flate.NewReader(r) })
	w := &workbook{zip: z, parts: map[string]*zip.File{}}
	for _, f := range z.File {
		w.parts[partName(f.Name)] = f
	}
	if err := w.read(); err != nil {
		w.close()
		return nil, fmt.Errorf("文件已损坏，不能作为 .xlsx 读取；请用 Excel 或 WPS 打开后另存为 .xlsx / the workbook is damaged: %w: %w", mulu.ErrInvalid, err)
	}
	return w, nil
}

func (w *workbook) close() error {
	if w.strings != nil {
		w.strings.close()
	}
	return w.zip.Close()
}

func partName(s string) string {
	return strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(s, "\\", "/"), "/"))
}

// open opens a part; what it unpacks to is bounded.
func (w *workbook) open(name string, most int64) (io.ReadCloser, error) {
	f := w.parts[partName(name)]
	if f == nil {
		return nil, fmt.Errorf("part %s is missing", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("open part %s: %w", name, err)
	}
	return &bounded{ReadCloser: r, left: most, name: name}, nil
}

type bounded struct {
	io.ReadCloser
	left int64
	name string
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("part %s unpacks to more than is allowed", b.name)
	}
	return n, err
}

// load reads a small part as XML.
func (w *workbook) load(name string, into any) error {
	r, err := w.open(name, maxSmall)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := xml.NewDecoder(r).Decode(into); err != nil {
		return fmt.Errorf("read part %s: %w", name, err)
	}
	return nil
}

type relations struct {
	All []struct {
		ID     string `xml:"Id,attr"`
		Type   string `xml:"Type,attr"`
		Target string `xml:"Target,attr"`
		Mode   string `xml:"TargetMode,attr"`
	} `xml:"Relationship"`
}

// leads is where a relation of a part leads.
func leads(from, to string) string {
	if strings.HasPrefix(to, "/") {
		return to[1:]
	}
	return path.Join(path.Dir(from), strings.ReplaceAll(to, "\\", "/"))
}

// main is the part of the workbook itself.
func (w *workbook) main() string {
	var rels relations
	if err := w.load("_rels/.rels", &rels); err == nil {
		for _, r := range rels.All {
			if strings.HasSuffix(r.Type, "/officeDocument") {
				return leads("", r.Target)
			}
		}
	}
	return "xl/workbook.xml"
}

func (w *workbook) read() error {
	at := w.main()
	var book struct {
		Properties struct {
			Since1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name  string     `xml:"name,attr"`
			State string     `xml:"state,attr"`
			Attrs []xml.Attr `xml:",any,attr"`
		} `xml:"sheets>sheet"`
	}
	if err := w.load(at, &book); err != nil {
		return err
	}
	w.since1904 = book.Properties.Since1904 == "1" || book.Properties.Since1904 == "true"
	var rels relations
	if err := w.load(path.Join(path.Dir(at), "_rels", path.Base(at)+".rels"), &rels); err != nil {
		return err
	}
	parts := map[string]string{}
	styles := ""
	for _, r := range rels.All {
		switch kind := path.Base(r.Type); {
		case r.Mode == "External":
		case kind == "worksheet":
			parts[r.ID] = leads(at, r.Target)
		case kind == "styles":
			styles = leads(at, r.Target)
		case kind == "sharedStrings":
			w.stringsAt = leads(at, r.Target)
		}
	}
	for _, s := range book.Sheets[:min(len(book.Sheets), maxListed)] {
		for _, a := range s.Attrs {
			if part := parts[a.Value]; a.Name.Local == "id" && part != "" { // a chart is no worksheet
				w.sheets = append(w.sheets, sheetPart{Sheet{Name: s.Name, Rows: w.says(part), Hidden: s.State == "hidden" || s.State == "veryHidden"}, part})
			}
		}
	}
	if styles != "" && w.parts[partName(styles)] != nil {
		return w.readStyles(styles)
	}
	return nil
}

func (w *workbook) readStyles(part string) error {
	var s struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Styles []struct {
			Format int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := w.load(part, &s); err != nil {
		return err
	}
	own := map[int]*format{}
	for _, f := range s.Formats {
		own[f.ID] = readFormat(f.Code)
	}
	w.formats = make([]*format, len(s.Styles))
	for i, x := range s.Styles {
		f, ok := own[x.Format]
		if !ok {
			f = builtin(x.Format)
		}
		w.formats[i] = f
	}
	return nil
}

// says is how many rows a sheet says that it has, 0 if it does not.
func (w *workbook) says(part string) int64 {
	r, err := w.open(part, maxPart)
	if err != nil {
		return 0
	}
	defer r.Close()
	x := newScanner(io.LimitReader(r, 64<<10))
	for x.next() == nil {
		if x.kind != tokenStart {
			continue
		}
		switch string(x.name) {
		case "dimension":
			_, last, ok := strings.Cut(string(x.attr("ref")), ":")
			if !ok {
				return 0 // one cell, as writers put that do not know yet
			}
			_, row, _ := cellRef([]byte(last))
			return int64(row)
		case "sheetData":
			return 0
		}
	}
	return 0
}

// cellRef reads "C5" as column and row, from 1; 0 for what is missing.
func cellRef(b []byte) (col, row int, ok bool) {
	i := 0
	for ; i < len(b) && (b[i]|0x20) >= 'a' && (b[i]|0x20) <= 'z'; i++ {
		if col = col*26 + int(b[i]|0x20) - 'a' + 1; col > maxColumns {
			return 0, 0, false
		}
	}
	for ; i < len(b); i++ {
		c := b[i] - '0'
		if c > 9 {
			return 0, 0, false
		}
		if row = row*10 + int(c); row > maxRows {
			return 0, 0, false
		}
	}
	return col, row, col > 0
}

// What a workbook and a sheet may have.
const (
	maxListed  = 255
	maxColumns = 16384
	maxRows    = 1048576
)
