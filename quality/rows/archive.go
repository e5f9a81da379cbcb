package rows

import (
	"archive/zip"
	"compress/flate"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"

	"mulu"
	"mulu/internal/clock"
	"mulu/ledger/contract"
)

// FileRows is how many rows a file holds before the next one begins: a worksheet ends at
// 1 048 576 rows, and the heads need room.
const FileRows = 1_000_000

// Archive writes failing rows into a ZIP: a file per organisation that answers for them,
// cut at Limit rows, and a signed manifest. It holds one file open and no row.
// Rows come by list and unit; it is not safe for concurrent use.
type Archive struct {
	Manifest Manifest // what is known of it before the first row
	Columns  []mulu.Column
	Shown    Sight
	Group    bool   // rows are at fault together: their group is a column
	XLSX     bool   // else CSV
	Dir      string // for what a worksheet spills to disk
	Limit    int64  // rows of a file; 0 is FileRows
	Names    func(mulu.OrgCode) string

	zip   *zip.Writer
	file  *File
	sheet sheet
	out   *digested
}

// sheet is one file being written.
type sheet interface {
	row(cells []cell) error
	close() (cut int64, err error)
}

// cell is one value: a number is written as one where the form has numbers.
type cell struct {
	text   string
	number bool
}

// Begin starts an archive on a spool.
func (a *Archive) Begin(w io.Writer) {
	a.zip = fastZip(w)
	if a.Limit == 0 {
		a.Limit = FileRows
	}
	a.Manifest.Format, a.Manifest.Escape, a.Manifest.Files = Format, escapeSaid, []File{}
}

// fastZip packs as it is written; rows pack well enough at the best speed.
func fastZip(w io.Writer) *zip.Writer {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	return z
}

// Row is one row as the library hands it out: ten cells of its own, then the items.
type Row struct {
	Token, Group string
	Unit         mulu.OrgCode
	Place        []string // topic, partition, offset, row, batch
	Breaks       string   // ids of row rules, with spaces between
	Ruleset      string
	Items        []string
	Refused      bool
}

// Add writes one row. All rows of a list and unit must follow each other.
func (a *Archive) Add(r *Row) error {
	if f := a.file; f == nil || f.Unit != r.Unit || f.Refused != r.Refused || f.Rows == a.Limit {
		if err := a.next(r); err != nil {
			return err
		}
	}
	cells := make([]cell, 0, len(r.Items)+10)
	for i, v := range r.Items {
		t := a.Columns[i].Type
		number := (t == mulu.Int || t == mulu.Decimal) && a.Shown.Mask(a.Columns[i].Name) == "" && numeric(v)
		cells = append(cells, cell{v, number})
	}
	cells = append(cells, cell{text: r.Token})
	if a.Group {
		cells = append(cells, cell{text: r.Group})
	}
	cells = append(cells, cell{text: a.Names(r.Unit)}, cell{text: r.Breaks}, cell{text: r.Place[0]})
	for _, n := range r.Place[1:] {
		cells = append(cells, cell{n, true})
	}
	cells = append(cells, cell{r.Ruleset, numeric(r.Ruleset)})
	a.file.Rows++
	if r.Refused {
		a.Manifest.Refused++
	} else {
		a.Manifest.Rows++
	}
	return a.sheet.row(cells)
}

// heads are the names of the columns.
func (a *Archive) heads() []string {
	var out []string
	for _, c := range a.Columns {
		head := c.Title + "（" + c.Name + "）"
		switch a.Shown.Mask(c.Name) {
		case "", "stray":
		case "hide":
			head += "〔不显示〕"
		default:
			head += "〔脱敏〕"
		}
		out = append(out, head)
	}
	out = append(out, "行标识")
	if a.Group {
		out = append(out, "同组标识")
	}
	return append(out, "责任单位", "不符合的行规则", "主题", "分区", "偏移量", "记录内行号", "批次", "入库时规则版本")
}

// next closes the file at hand and begins the one a row belongs into.
func (a *Archive) next(r *Row) error {
	part := 1
	if f := a.file; f != nil && f.Unit == r.Unit && f.Refused == r.Refused {
		part = f.Part + 1
	}
	if err := a.finish(); err != nil {
		return err
	}
	f := File{Unit: r.Unit, UnitName: a.Names(r.Unit), Refused: r.Refused, Part: part}
	f.Name = a.nameOf(&f)
	method := zip.Deflate
	if a.XLSX {
		method = zip.Store // it is a ZIP itself
	}
	w, err := a.zip.CreateHeader(&zip.FileHeader{Name: f.Name, Method: method, Modified: a.Manifest.Created})
	if err != nil {
		return fmt.Errorf("begin %s: %w", f.Name, err)
	}
	a.out = &digested{w: w, sum: sha256.New()}
	about := a.about(&f)
	if a.XLSX {
		a.sheet, err = newWorkbook(a.out, a.Dir, about, a.heads())
	} else {
		f.Head = len(about) + 1
		a.sheet, err = newText(a.out, about, a.heads())
	}
	a.file = &f
	return err
}

// plainName keeps out of a file's name what some system does not take.
var plainName = strings.NewReplacer("/", "-", `\`, "-", ":", "-", "*", "-", "?", "-", `"`, "-", "<", "-", ">", "-", "|", "-", " ", "")

func (a *Archive) nameOf(f *File) string {
	what, ext := "不合格行", "csv"
	if f.Refused {
		what = "已拒收"
	}
	if a.XLSX {
		ext = "xlsx"
	}
	return fmt.Sprintf("%s-%s-%s-%d.%s", what, plainName.Replace(f.UnitName), f.Unit, f.Part, ext)
}

// about are the lines that say what a file is.
func (a *Archive) about(f *File) [][2]string {
	m := &a.Manifest
	list := "不合格行：已入库，不符合本规则"
	if f.Refused {
		list = "已拒收：未入库，待更正的问题数据"
	}
	shown := "按查看人权限脱敏；标注〔脱敏〕〔不显示〕的数据项不是原值"
	if m.Shown == Clear {
		shown = "原值。含个人信息，请按用途使用、妥善保管、用后删除"
	}
	lines := [][2]string{
		{"不合格行清单", m.List}, {"数据集", string(m.Dataset) + " " + m.Title}, {"规则", string(m.Rule) + " " + m.RuleTitle}, {"规则版本", fmt.Sprint(m.Ruleset)},
		{"内容", list}, {"责任单位", f.UnitName}, {"数据版本", m.Data}, {"显示", shown}, {"用途", m.Purpose},
		{"导出", fmt.Sprintf("%s（%s），%s", m.Viewer.Account, m.Viewer.OrgName, m.Created.In(clock.Shanghai).Format("2006-01-02 15:04:05"))},
		{"防公式", "以 = + - @ 等开头的文本前加了一个单引号 '"}, {"核验", "mulu quality verify 导出的ZIP文件"},
	}
	if m.Sample {
		lines = append(lines, [2]string{"演示数据", "人员全部为合成"})
	}
	return lines
}

func (a *Archive) finish() error {
	if a.file == nil {
		return nil
	}
	cut, err := a.sheet.close()
	if err != nil {
		return fmt.Errorf("finish %s: %w", a.file.Name, err)
	}
	a.Manifest.Cut += cut
	a.file.Bytes, a.file.SHA256 = a.out.bytes, hex.EncodeToString(a.out.sum.Sum(nil))
	a.Manifest.Files = append(a.Manifest.Files, *a.file)
	a.file = nil
	return nil
}

// End closes the last file, and the archive with its signed manifest.
func (a *Archive) End(key ed25519.PublicKey, sign func(text []byte) ([]byte, error)) error {
	if err := a.finish(); err != nil {
		return err
	}
	a.Manifest.House.Key = contract.KeyText(key)
	text, err := a.Manifest.Text()
	if err != nil {
		return err
	}
	sig, err := sign(text)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		body []byte
	}{{ManifestFile, text}, {SignatureFile, SignatureText(key, sig)}} {
		w, err := a.zip.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: a.Manifest.Created})
		if err == nil {
			_, err = w.Write(f.body)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	if err := a.zip.Close(); err != nil {
		return fmt.Errorf("end archive: %w", err)
	}
	return nil
}

// Abandon lets go of what a file that can not be finished holds.
func (a *Archive) Abandon() {
	if a.file != nil && a.sheet != nil {
		a.sheet.close() //nolint:errcheck // nothing of it is used
		a.file = nil
	}
}

// digested counts and digests what is written.
type digested struct {
	w     io.Writer
	sum   hash.Hash
	bytes int64
}

func (d *digested) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	d.bytes += int64(n)
	d.sum.Write(p[:n])
	return n, err
}
