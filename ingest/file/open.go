package file

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"mulu"
	"mulu/ingest/text"
)

// How many rows and columns are looked at to find the headings and samples.
const (
	lookAhead   = headRows + 20
	maxHeadings = 2000
)

// Open opens a file for one version of a dataset and reads it as far as the headings.
// name is the file's name as people know it, for its extension and for what is said.
// mulu.ErrInvalid: it can not be read at all; the error says in Chinese what to do. A
// file that can be read and not sent has a Layout.Refusal.
func Open(path string, name string, ds *mulu.Dataset, o Options) (*Reader, error) {
	r := &Reader{o: o, ds: ds, tally: Tally{Normalised: map[string]int64{}, ByClass: map[string]int64{}}}
	if err := r.open(path, name); err != nil {
		r.Close() //nolint:errcheck // the first error counts
		return nil, fmt.Errorf("%s：%w", name, err)
	}
	return r, nil
}

func (r *Reader) open(file, name string) error {
	format, err := sniff(file, name)
	if err != nil {
		return err
	}
	r.layout.Format = format
	m := newMatcher(r.ds, r.o.Map)
	var h *head
	switch format {
	case XLSX:
		h, err = r.openXLSX(file, m)
	case Parquet:
		h, err = r.openParquet(file, m)
	default:
		h, err = r.openCSV(file, m)
	}
	if err != nil {
		return err
	}
	r.refuse(m, h)
	return nil
}

// sniff tells by its first bytes what a file is, whatever its name says.
func sniff(file, name string) (Format, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("open file: %w", err)
	}
	defer f.Close()
	b := make([]byte, 4096)
	n, err := io.ReadFull(f, b)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", fmt.Errorf("read file: %w", err)
	}
	b = b[:n]
	start := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\ufeff")), " \t\r\n"))
	switch {
	case n == 0:
		return "", invalid("文件是空的", "the file is empty")
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return XLSX, nil
	case bytes.HasPrefix(b, []byte("PAR1")):
		return Parquet, nil
	case bytes.HasPrefix(b, []byte("\xD0\xCF\x11\xE0")):
		if encrypted(f) {
			return "", invalid("工作簿设有打开密码，不能读取；请去掉密码后另存为 .xlsx", "the workbook is encrypted")
		}
		return "", invalid("是旧格式（.xls 或 .et），不能读取；请用 Excel 或 WPS 打开，另存为 .xlsx 后重传（只改扩展名没有用）", "an old binary workbook, save it as .xlsx")
	case bytes.HasPrefix(start, []byte("<!doctype html")), bytes.HasPrefix(start, []byte("<html")), bytes.HasPrefix(start, []byte("<table")), bytes.HasPrefix(start, []byte("<?xml")), bytes.HasPrefix(start, []byte("<meta")):
		return "", invalid("是网页或 XML，不是工作簿（有的系统这样导出“.xls”）；请用 Excel 或 WPS 打开，另存为 .xlsx 后重传", "HTML or XML, save it as .xlsx")
	case bytes.HasPrefix(b, []byte("\x1f\x8b")), bytes.HasPrefix(b, []byte("Rar!")), bytes.HasPrefix(b, []byte("7z\xbc\xaf")):
		return "", invalid("是压缩包；请解压后逐个上传", "an archive, unpack it first")
	case bytes.HasPrefix(b, []byte("%PDF")):
		return "", invalid("是 PDF；请提供 .xlsx、.csv 或 .parquet", "a PDF")
	}
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".xlsx", ".xlsm", ".parquet", ".xls", ".et":
		if !strings.ContainsAny(string(b), ",\t;|\n") {
			return "", invalid(fmt.Sprintf("内容不是 %s，可能没有传完；请重传", ext), "the content is not what the name says")
		}
	}
	return CSV, nil
}

func invalid(zh, en string) error { return fmt.Errorf("%s / %s: %w", zh, en, mulu.ErrInvalid) }

// encrypted says whether an old container holds an encrypted workbook: a stream of
// that name is in its directory, in UTF-16.
func encrypted(f *os.File) bool {
	var name []byte
	for _, c := range "EncryptedPackage" {
		name = append(name, byte(c), 0)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false
	}
	b, err := io.ReadAll(io.LimitReader(f, 64<<20))
	return err == nil && bytes.Contains(b, name)
}

// peek reads the first rows of a source.
func peek(src source) ([]line, error) {
	var out []line
	for len(out) < lookAhead {
		l, err := src.next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if l.blank() {
			continue
		}
		c := *l
		c.cells = slices.Clone(l.cells[:min(len(l.cells), maxHeadings)])
		out = append(out, c)
	}
	return out, nil
}

func (r *Reader) openCSV(file string, m *matcher) (*head, error) {
	found, err := r.encoding(file)
	if err != nil {
		return nil, err
	}
	h, rows, src, err := r.separate(file, m)
	if err != nil {
		return nil, err
	}
	r.src = src
	r.layout.Total = found.Lines
	if h == nil {
		return nil, nil
	}
	src.want = len(h.headings)
	r.describe(m, h, rows)
	r.layout.Total = max(found.Lines-int64(h.row), 0)
	for i := range r.ahead { // read before it was known how many fields they must have
		if r.ahead[i].fault == nil {
			src.out = r.ahead[i]
			src.ragged()
			r.ahead[i] = src.out
		}
	}
	src.out = line{}
	return h, nil
}

// encoding finds the encoding of a text, or takes the declared one.
func (r *Reader) encoding(file string) (text.Found, error) {
	f, err := os.Open(file)
	if err != nil {
		return text.Found{}, fmt.Errorf("open file: %w", err)
	}
	defer f.Close()
	found, err := text.Detect(f)
	if err != nil {
		return found, err
	}
	if found.Zeros {
		return found, invalid("不是文本，也不是 .xlsx 或 .parquet；请核对文件", "neither text nor a workbook")
	}
	if r.o.Encoding != "" && !strings.HasPrefix(found.Encoding, "utf-16") {
		if found.Encoding, err = text.Name(r.o.Encoding); err != nil {
			return found, err
		}
	}
	r.layout.Encoding = found.Encoding
	return found, nil
}

// separate finds the delimiter: the one with which the headings name most columns, or
// else the one that gives most.
func (r *Reader) separate(file string, m *matcher) (*head, []line, *csvSource, error) {
	candidates := delimiters
	if r.o.Delimiter != 0 {
		if r.o.Delimiter > 0x7F || r.o.Delimiter == '"' || r.o.Delimiter == '\n' || r.o.Delimiter == '\r' {
			return nil, nil, nil, invalid(fmt.Sprintf("分隔符“%c”不能用", r.o.Delimiter), "not a delimiter")
		}
		candidates = []byte{byte(r.o.Delimiter)}
	}
	var best *head
	var bestRows []line
	var bestSrc *csvSource
	for _, delim := range candidates {
		src, err := openCSV(file, r.layout.Encoding, delim)
		if err != nil {
			return nil, nil, nil, err
		}
		rows, err := peek(src)
		if err != nil {
			src.close()
			return nil, nil, nil, err
		}
		if len(rows) > 0 && len(rows[0].cells) <= 2 && strings.HasPrefix(rows[0].at(0).text, "sep=") {
			rows = rows[1:] // a hint to Excel
		}
		h := m.find(rows, nil, r.o.Header)
		if bestSrc == nil || better(h, best) {
			if bestSrc != nil {
				bestSrc.close()
			}
			best, bestRows, bestSrc = h, rows, src
			r.layout.Delimiter = rune(delim)
		} else {
			src.close()
		}
	}
	return best, bestRows, bestSrc, nil
}

// better says whether headings a name more columns than b, or are more.
func better(a, b *head) bool {
	switch {
	case a == nil || b == nil:
		return a != nil
	case a.matched != b.matched:
		return a.matched > b.matched
	}
	return a.matched == 0 && len(a.headings) > len(b.headings)
}

// maxSheets is how many sheets are looked into for headings.
const maxSheets = 20

func (r *Reader) openXLSX(file string, m *matcher) (*head, error) {
	w, err := openWorkbook(file)
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, closer(w.close))
	r.since1904 = w.since1904
	hidden := []string{}
	for _, s := range w.sheets {
		r.layout.Sheets = append(r.layout.Sheets, s.Sheet)
		if s.Hidden {
			hidden = append(hidden, s.Name)
		}
	}
	if len(hidden) > 0 {
		r.layout.Notes = append(r.layout.Notes, "有隐藏的工作表："+strings.Join(hidden, "、")+"，只有指明时才读取")
	}
	at, err := r.chooseSheet(w, m)
	if err != nil {
		return nil, err
	}
	part := w.sheets[at].part
	r.layout.Sheet = w.sheets[at].Name
	rows, merges, err := w.survey(part)
	if err != nil {
		return nil, fmt.Errorf("工作表“%s”已损坏或不完整；请用 Excel 或 WPS 打开后另存为 .xlsx / the sheet is damaged: %w: %w", r.layout.Sheet, mulu.ErrInvalid, err)
	}
	src, err := w.openSheet(part, merges)
	if err != nil {
		return nil, err
	}
	r.src = src
	first, err := peek(src)
	if err != nil {
		return nil, err
	}
	h := m.find(first, merges, r.o.Header)
	if h == nil {
		return nil, nil
	}
	src.width = len(h.headings)
	r.describe(m, h, first)
	if rows == 0 {
		rows = w.sheets[at].Rows
	}
	r.layout.Sheets[at].Rows = max(rows, r.layout.Sheets[at].Rows)
	r.layout.Total = max(rows-int64(h.row+r.layout.Levels-1), 0)
	return h, nil
}

type closer func() error

func (c closer) Close() error { return c() }

// chooseSheet finds the sheet that is to be read: the one that is asked for, or else the
// visible one whose headings name most columns.
func (r *Reader) chooseSheet(w *workbook, m *matcher) (int, error) {
	if r.o.Sheet != "" {
		for i, s := range w.sheets {
			if s.Name == r.o.Sheet {
				return i, nil
			}
		}
		var names []string
		for _, s := range w.sheets {
			names = append(names, "“"+s.Name+"”")
		}
		return 0, invalid(fmt.Sprintf("没有名为“%s”的工作表，有：%s", r.o.Sheet, strings.Join(names, "、")), "no such sheet")
	}
	best, most := -1, -1
	for i, s := range w.sheets {
		if s.Hidden || i >= maxSheets {
			continue
		}
		src, err := w.openSheet(s.part, nil)
		if err != nil {
			return 0, err
		}
		rows, err := peek(src)
		src.close()
		if err != nil {
			return 0, err
		}
		n := -1
		if h := m.find(rows, nil, r.o.Header); h != nil {
			n = h.matched
		}
		if n > most {
			best, most = i, n
		}
	}
	if best < 0 {
		return 0, invalid("工作簿里没有可见且有内容的工作表", "no visible sheet has anything in it")
	}
	return best, nil
}
