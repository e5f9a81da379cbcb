package file_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"

	"mulu"
	"mulu/ingest/file"
)

// people is a dataset with a column of every type.
func people() *mulu.Dataset {
	return &mulu.Dataset{
		Code: "people", Title: "人员", Version: 1, Format: mulu.FormatJSON, Key: []string{"id_no"},
		Columns: []mulu.Column{
			{Name: "id_no", Title: "公民身份号码", Type: mulu.String, Length: 18, Required: true, PI: "id_no"},
			{Name: "name", Title: "姓名", Type: mulu.String, Length: 50},
			{Name: "nation", Title: "民族", Type: mulu.String, Length: 2, Codes: "nation"},
			{Name: "phone", Title: "联系电话", Type: mulu.String, Length: 20, PI: "phone"},
			{Name: "birth", Title: "出生日期", Type: mulu.Date, Required: true},
			{Name: "n", Title: "子女数", Type: mulu.Int},
			{Name: "area", Title: "面积", Type: mulu.Decimal, Scale: 2},
			{Name: "alone", Title: "是否独居", Type: mulu.Bool},
			{Name: "upd", Title: "更新时间", Type: mulu.DateTime},
			{Name: "room", Title: "门牌", Type: mulu.String, Length: 30},
		},
	}
}

// write puts a file into a folder of the test's.
func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// read opens a file and reads all of it.
func read(t testing.TB, path string, ds *mulu.Dataset, o file.Options) (file.Layout, []file.Row, file.Tally) {
	t.Helper()
	r, err := file.Open(path, filepath.Base(path), ds, o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rows []file.Row
	for {
		row, err := r.Next()
		if err == io.EOF {
			return r.Layout(), rows, r.Tally()
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

// object is a row's value.
func object(t testing.TB, row file.Row) map[string]any {
	t.Helper()
	var out map[string]any
	d := json.NewDecoder(bytes.NewReader(row.Value))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		t.Fatalf("row %d is no JSON object: %v\n%s", row.Number, err, row.Value)
	}
	return out
}

// classes are the faults of a row: "class column".
func classes(row file.Row) []string {
	out := []string{}
	for _, f := range row.Faults {
		out = append(out, strings.TrimSpace(f.Class+" "+f.Field))
	}
	return out
}

func want(t *testing.T, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func gb18030(t testing.TB, s string) string {
	t.Helper()
	out, _, err := transform.String(simplifiedchinese.GB18030.NewEncoder(), s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	headings = "公民身份号码,姓名,民族,联系电话,出生日期,子女数,面积,是否独居,更新时间,门牌\n"
	good     = "11010519491231002X,张𬭊㑇𰻞,01,021-52564588,2026-1-5,2,88.5,是,2026/1/5 8:30,1-2\n"
	goodJSON = `{"id_no":"11010519491231002X","name":"张𬭊㑇𰻞","nation":"01","phone":"021-52564588","birth":"2026-01-05","n":2,"area":88.5,"alone":true,"upd":"2026-01-05 08:30:00","room":"1-2"}`
)

func TestCSV(t *testing.T) {
	for name, in := range map[string]string{
		"UTF-8":            headings + good,
		"mark":             "\ufeff" + headings + good,
		"CRLF":             strings.ReplaceAll(headings+good, "\n", "\r\n"),
		"CR":               strings.ReplaceAll(headings+good, "\n", "\r"),
		"no last line end": headings + strings.TrimSpace(good),
		"GB 18030":         gb18030(t, headings+good),
		"tabs":             strings.ReplaceAll(headings+good, ",", "\t"),
		"semicolons":       strings.ReplaceAll(headings+good, ",", ";"),
		"bars":             strings.ReplaceAll(headings+good, ",", "|"),
		"title above":      "实有人口登记表,,,\n制表：2026年,,,\n\n" + headings + good,
		"names":            "id_no,name,nation,phone,birth,n,area,alone,upd,room\n" + good,
		"marks":            strings.ReplaceAll(headings, "姓名", " 姓　名* (必填)：") + good,
		"blank lines":      headings + ",,,,,,,,,\n\n" + good + "\n,,,\n",
		"quotes":           headings + `"` + strings.ReplaceAll(strings.TrimSpace(good), ",", `","`) + "\"\n",
		"names below":      headings + "id_no,name,nation,phone,birth,n,area,alone,upd,room\n" + good,
		"hint to Excel":    "sep=;\n" + strings.ReplaceAll(headings+good, ",", ";"),
		"as formula":       headings + strings.Replace(good, ",01,", `,"=""01""",`, 1),
		"trailing tab":     headings + strings.Replace(good, "002X,", "002X\t,", 1),
		"empty fields":     strings.ReplaceAll(headings+good, "\n", ",,\n"),
	} {
		t.Run(name, func(t *testing.T) {
			l, rows, _ := read(t, write(t, "a.csv", []byte(in)), people(), file.Options{})
			want(t, l.Refusal, "")
			if len(rows) != 1 {
				t.Fatalf("%d rows: %+v", len(rows), rows)
			}
			want(t, classes(rows[0]), []string{})
			want(t, string(rows[0].Value), goodJSON)
			want(t, string(rows[0].Key), "11010519491231002X")
		})
	}
	t.Run("UTF-16", func(t *testing.T) {
		b := []byte{0xff, 0xfe}
		for _, c := range "id_no\tbirth\n11010519491231002X\t20260105\n" {
			b = append(b, byte(c), byte(c>>8))
		}
		l, rows, _ := read(t, write(t, "a.txt", b), people(), file.Options{})
		want(t, l.Encoding+" "+string(rows[0].Value), `utf-16le {"id_no":"11010519491231002X","birth":"2026-01-05"}`)
	})
	t.Run("line breaks and quotes in a field", func(t *testing.T) {
		in := "id_no,birth,name\n1,2026-01-05,\"a\"\"b,\r\nc\"\n2,2026-01-05,d\n"
		_, rows, _ := read(t, write(t, "a.csv", []byte(in)), people(), file.Options{})
		want(t, object(t, rows[0])["name"], "a\"b,\r\nc")
		want(t, []int{rows[0].Number, rows[1].Number}, []int{2, 4})
	})
}

func TestCSVDamaged(t *testing.T) {
	head := "id_no,birth,name\n"
	for name, c := range map[string]struct {
		in   string
		want []string // row: class column
	}{
		"too few fields":    {"1,2026-01-05\n2,2026-01-05,b\n", []string{"2 file.ragged", "3"}},
		"too many":          {"1,2026-01-05,a,b\n2,2026-01-05,b\n", []string{"2 file.ragged", "3"}},
		"open quote":        {"1,2026-01-05,\"a\n2,2026-01-05,b\n3,2026-01-05,c\n", []string{"2 file.quote", "3", "4"}},
		"open quote, later": {"1,2026-01-05,\"a\n2,2026-01-05,\"b\"\n3,2026-01-05,c\n", []string{"2 file.quote", "3", "4"}},
		"after a long one":  {"1,2026-01-05,\"a\nb\"\n2,\"2026-01-05,c\n3,2026-01-05,d\n", []string{"2", "4 file.quote", "5"}},
		"behind the quote":  {"1,2026-01-05,\"a\"b\n2,2026-01-05,b\n", []string{"2 file.quote", "3"}},
		"quote inside":      {"1,2026-01-05,a\"b\n", []string{"2"}},
		"broken character":  {"1,2026-01-05,\xe5\xbc\n2,2026-01-05,张三李四\n", []string{"2 file.encoding name", "3"}},
		"no key":            {",2026-01-05,a\n", []string{"2 file.empty id_no"}},
		"no date":           {"1,2026-02-30,a\n2,05/01/26,a\n3,46027,a\n", []string{"2 file.value birth", "3 file.value birth", "4 file.value birth"}},
		"full width":        {"１２,２０２６-01-05,ＡＢ\n", []string{"2 file.fullwidth id_no", "2 file.fullwidth birth"}},
		"scientific":        {"3.10107E+17,2026-01-05,a\n", []string{"2 excel.scientific id_no"}},
		"error value":       {"#N/A,2026-01-05,#REF!\n", []string{"2 excel.error id_no", "2 excel.error name"}},
		"became a day":      {"1月2日,2026-01-05,1月2日\n", []string{"2 excel.date id_no"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, rows, tally := read(t, write(t, "a.csv", []byte(head+c.in)), people(), file.Options{})
			got := []string{}
			bad := 0
			for _, row := range rows {
				if len(row.Faults) == 0 {
					got = append(got, fmt.Sprint(row.Number))
					continue
				}
				bad++
				for i, s := range classes(row) {
					got = append(got, fmt.Sprint(row.Number, " ", s))
					if f := row.Faults[i]; f.Row != row.Number || f.Reason == "" || file.Title(f.Class) == "" || (f.Cell == "") != (f.Column == 0) {
						t.Errorf("fault %+v", f)
					}
				}
				// What decoding finds for itself needs no note.
				told := row.Faults[0].Class == file.ClassValue || row.Faults[0].Class == file.ClassEmpty
				if (row.Note == nil) != told || row.Note != nil && row.Note.Reason != row.Faults[0].Reason {
					t.Errorf("note %+v of %+v", row.Note, row.Faults)
				}
				object(t, row)
			}
			want(t, got, c.want)
			want(t, tally.Damaged, bad)
		})
	}
	t.Run("a quote that never ends takes no memory", func(t *testing.T) {
		in := "id_no,birth,name\n1,2026-01-05,\"a\n" + strings.Repeat("2,2026-01-05,b\n", 200_000)
		_, rows, _ := read(t, write(t, "a.csv", []byte(in)), people(), file.Options{})
		want(t, []any{len(rows), classes(rows[0]), len(rows[200_000].Faults)}, []any{200_001, []string{file.ClassQuote}, 0})
	})
	t.Run("a line that never ends", func(t *testing.T) {
		in := "id_no,birth,name\n1,2026-01-05," + strings.Repeat("长", 2_000_000) + "\n2,2026-01-05,b\n"
		_, rows, _ := read(t, write(t, "a.csv", []byte(in)), people(), file.Options{})
		want(t, []any{len(rows), classes(rows[0]), classes(rows[1])}, []any{2, []string{file.ClassLong}, []string{}})
	})
	t.Run("a row that no broker takes", func(t *testing.T) {
		in := "id_no,birth,name\n1,2026-01-05," + strings.Repeat("长", 300_000) + "\n"
		_, rows, _ := read(t, write(t, "a.csv", []byte(in)), people(), file.Options{})
		want(t, classes(rows[0]), []string{file.ClassLong})
		if len(rows[0].Value) > 10_000 || rows[0].Note == nil {
			t.Errorf("%d bytes, note %v", len(rows[0].Value), rows[0].Note)
		}
	})
	t.Run("with checksums", func(t *testing.T) {
		check := func(c mulu.Column, v string) (bool, bool) { return v == "310107199001010000", c.Name == "id_no" }
		in := "id_no,birth\n310107199001010000,2026-01-05\n310107199001011000,2026-01-05\n"
		_, rows, _ := read(t, write(t, "a.csv", []byte(in)), people(), file.Options{Check: check})
		want(t, [][]string{classes(rows[0]), classes(rows[1])}, [][]string{{}, {"excel.rounded id_no"}})
	})
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ name, in, want string }{
		"nothing":     {"a.csv", "", "空"},
		"old":         {"a.xls", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + strings.Repeat("\x00", 600), "另存为 .xlsx"},
		"old renamed": {"a.xlsx", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + strings.Repeat("\x00", 600), "另存为 .xlsx"},
		"encrypted":   {"a.xlsx", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + strings.Repeat("\x00", 600) + "E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00", "密码"},
		"web page":    {"a.xls", "<html><table><tr><td>1</td></tr></table>", "网页"},
		"cut off":     {"a.xlsx", "PK\x03\x04\x14\x00\x00\x00", "不完整"},
		"no workbook": {"a.xlsx", string(zipped(t, map[string]string{"a.txt": "1"})), "已损坏"},
		"Parquet":     {"a.parquet", "PAR1abc", "Parquet"},
		"PDF":         {"a.pdf", "%PDF-1.7", "PDF"},
		"bytes":       {"a.csv", "a,b\x00\x01\x02\n1,2\n", "不是文本"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := file.Open(write(t, c.name, []byte(c.in)), c.name, people(), file.Options{})
			if err == nil {
				r.Close()
				t.Fatal("it is read")
			}
			if !errors.Is(err, mulu.ErrInvalid) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), c.name) {
				t.Error(err)
			}
		})
	}
}

func TestLayout(t *testing.T) {
	for name, c := range map[string]struct {
		in      string
		o       file.Options
		columns string // heading>column:by
		missing []string
		refusal string
	}{
		"found by all means": {in: "号码,姓 名,BIRTH,备注\n1,a,2026-01-05,x\n", o: file.Options{Map: map[string]string{"号码": "id_no"}},
			columns: "号码>id_no:map 姓 名>name:title BIRTH>birth:name 备注>:none"},
		"ignored by the map": {in: "id_no,birth,姓名\n1,2026-01-05,a\n", o: file.Options{Map: map[string]string{"姓名": ""}},
			columns: "id_no>id_no:name birth>birth:name 姓名>:map"},
		"the map wins": {in: "id_no,birth,姓名,曾用名\n1,2026-01-05,a,b\n", o: file.Options{Map: map[string]string{"曾用名": "name"}},
			columns: "id_no>id_no:name birth>birth:name 姓名>:none 曾用名>name:map"},
		"two for one": {in: "id_no,birth,姓名,name\n1,2026-01-05,a,b\n",
			columns: "id_no>id_no:name birth>birth:name 姓名>name:title name>name:name", refusal: "“姓名”（C 列）与“name”（D 列）"},
		"missing":     {in: "姓名,民族\na,01\n", columns: "姓名>name:title 民族>nation:title", missing: []string{"id_no", "birth"}, refusal: "公民身份号码（id_no）、出生日期（birth）"},
		"no headings": {in: "1,a,2026-01-05\n2,b,2026-01-05\n", columns: "1>:none a>:none 2026-01-05>:none", missing: []string{"id_no", "birth"}, refusal: "没有找到表头行"},
		"a map to nowhere": {in: "id_no,birth,x\n1,2026-01-05,a\n", o: file.Options{Map: map[string]string{"x": "nope"}},
			columns: "id_no>id_no:name birth>birth:name x>:map", refusal: "没有这个字段"},
		"the row is given": {in: "id_no,birth\n号码,生日\n1,2026-01-05\n", o: file.Options{Header: 2, Map: map[string]string{"号码": "id_no", "生日": "birth"}},
			columns: "号码>id_no:map 生日>birth:map"},
	} {
		t.Run(name, func(t *testing.T) {
			l, _, _ := read(t, write(t, "a.csv", []byte(c.in)), people(), c.o)
			var columns []string
			for _, col := range l.Columns {
				columns = append(columns, col.Heading+">"+col.Column+":"+col.By)
			}
			want(t, strings.Join(columns, " "), c.columns)
			want(t, l.Missing, c.missing)
			if (c.refusal == "") != (l.Refusal == "") || !strings.Contains(l.Refusal, c.refusal) {
				t.Errorf("refusal %q, want %q", l.Refusal, c.refusal)
			}
		})
	}
	t.Run("samples and total", func(t *testing.T) {
		l, _, _ := read(t, write(t, "a.csv", []byte("id_no,birth\n1,2026-01-05\n2,2026-01-05\n3,2026-01-05\n4,2026-01-05\n")), people(), file.Options{})
		want(t, []any{l.Columns[0].Samples, l.Columns[1].Samples, l.Total, l.Header}, []any{[]string{"1", "2", "3"}, []string{"2026-01-05"}, 4, 1})
	})
	t.Run("changes", func(t *testing.T) {
		ds := people()
		ds.Format = mulu.FormatDebezium
		l, _, _ := read(t, write(t, "a.csv", []byte(headings+good)), ds, file.Options{})
		if !strings.Contains(l.Refusal, "变更日志") {
			t.Error(l.Refusal)
		}
	})
}

// zipped makes a workbook of hand-written parts.
func zipped(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range parts {
			if !yield(n) {
				return
			}
		}
	}) {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, parts[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A heading that the map names and the file does not have is told, not just passed over.
func TestMapOfNoHeading(t *testing.T) {
	l, _, _ := read(t, write(t, "a.csv", []byte("id_no,birth,姓 名\n1,2026-01-05,a\n")), people(),
		file.Options{Map: map[string]string{"姓名": "name", "曾用名": "name", "备注": ""}})
	want(t, l.Notes, []string{"映射中的表头“备注”在文件里没有", "映射中的表头“曾用名”在文件里没有"})
}

// hand makes a workbook of one sheet: rows is the XML inside sheetData, rest what is
// behind it. Styles: 1 a date, 2 text, 3 six digits, 4 WPS's date, 5 a percentage.
func hand(t testing.TB, rows, rest string, more ...string) []byte {
	t.Helper()
	parts := map[string]string{
		"[Content_Types].xml": `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`,
		"_rels/.rels":         `<Relationships><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml": `<?xml version="1.0"?><workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><workbookPr/>
			<sheets><sheet name="表一" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="http://x/worksheet" Target="worksheets/sheet1.xml"/>
			<Relationship Id="rId2" Type="http://x/styles" Target="styles.xml"/><Relationship Id="rId3" Type="http://x/sharedStrings" Target="/xl/sharedStrings.xml"/></Relationships>`,
		"xl/styles.xml": `<styleSheet><numFmts><numFmt numFmtId="176" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;;@"/><numFmt numFmtId="177" formatCode="000000"/></numFmts>
			<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="49"/><xf numFmtId="177"/><xf numFmtId="176"/><xf numFmtId="9"/></cellXfs></styleSheet>`,
		"xl/sharedStrings.xml":     `<sst><si><t>id_no</t></si><si><r><t>出生</t></r><r><rPr/><t xml:space="preserve">日期</t></r><rPh><t>chu</t></rPh></si><si><t>a&amp;b_x000D_&#x4E2D;</t></si></sst>`,
		"xl/worksheets/sheet1.xml": `<?xml version="1.0"?><worksheet><sheetData>` + rows + `</sheetData>` + rest + `</worksheet>`,
	}
	for i := 0; i+1 < len(more); i += 2 {
		parts[more[i]] = more[i+1]
	}
	return zipped(t, parts)
}

func cellsXML(n int, values ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<row r="%d">`, n)
	for i, v := range values {
		ref := fmt.Sprintf(`r="%c%d"`, 'A'+i, n)
		switch {
		case v == "":
		case strings.HasPrefix(v, "<"):
			b.WriteString(strings.Replace(v, "<c", "<c "+ref, 1))
		default:
			fmt.Fprintf(&b, `<c %s t="inlineStr"><is><t>%s</t></is></c>`, ref, v)
		}
	}
	return b.String() + "</row>"
}

func TestXLSXByHand(t *testing.T) {
	head := cellsXML(1, "公民身份号码", "出生日期", "姓名", "民族", "子女数", "面积", "是否独居", "更新时间", "联系电话", "门牌")
	row := func(id, birth, name, nation, n, area, alone, upd, phone, room string) string {
		return head + cellsXML(2, id, birth, name, nation, n, area, alone, upd, phone, room)
	}
	num := func(style int, v string) string { return fmt.Sprintf(`<c s="%d"><v>%s</v></c>`, style, v) }
	const id, birth = "11010519491231002X", "2026-01-05"
	for name, c := range map[string]struct {
		rows, rest string
		want       string // JSON without the columns that are null, or faults
	}{
		"texts":                {rows: row(id, birth, "张三", "01", "2", "1.5", "是", "2026-01-05 08:30", "02152564588", "1-2"), want: `{"alone":true,"area":1.5,"birth":"2026-01-05","id_no":"11010519491231002X","n":2,"name":"张三","nation":"01","phone":"02152564588","room":"1-2","upd":"2026-01-05 08:30:00"}`},
		"numbers":              {rows: row(id, num(1, "46027"), "a", num(3, "1"), num(0, "2"), num(0, "0.30000000000000004"), num(0, "1"), num(1, "46027.354166666664"), num(0, "13900000000"), num(0, "1201")), want: `{"alone":true,"area":0.3,"birth":"2026-01-05","id_no":"11010519491231002X","n":2,"name":"a","nation":"000001","phone":"13900000000","room":"1201","upd":"2026-01-05 08:30:00"}`},
		"WPS date":             {rows: row(id, num(4, "46027"), "", "", "", "", "", "", "", ""), want: `{"birth":"2026-01-05","id_no":"11010519491231002X"}`},
		"digits of a date":     {rows: row(id, num(0, "20260105"), "", "", "", "", "", "", "", ""), want: `{"birth":"2026-01-05","id_no":"11010519491231002X"}`},
		"ISO date cell":        {rows: row(id, `<c t="d"><v>2026-01-05T00:00:00</v></c>`, "", "", "", "", "", "", "", ""), want: `{"birth":"2026-01-05","id_no":"11010519491231002X"}`},
		"truth":                {rows: row(id, birth, "", "", "", "", `<c t="b"><v>0</v></c>`, "", "", ""), want: `{"alone":false,"birth":"2026-01-05","id_no":"11010519491231002X"}`},
		"cached formula":       {rows: row(id, birth, `<c t="str"><f>"a"&amp;"b"</f><v>ab</v></c>`, "", `<c><f>1+1</f><v>2</v></c>`, "", "", "", "", ""), want: `{"birth":"2026-01-05","id_no":"11010519491231002X","n":2,"name":"ab"}`},
		"shared strings":       {rows: `<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="inlineStr"><is><t>name</t></is></c></row><row><c t="inlineStr"><is><t>x</t></is></c><c t="inlineStr"><is><t>20260105</t></is></c><c t="s"><v>2</v></c></row>`, want: `{"birth":"2026-01-05","id_no":"x","name":"a&b\r中"}`},
		"comments, CDATA":      {rows: `<!-- x > y -->` + head + `<row r="2" spans='1:2 > 3'><c r="A2" t="inlineStr"><is><t><![CDATA[<1>]]></t></is></c><c r="B2" t="inlineStr"><is><t>2026年1月5日</t></is></c></row>`, want: `{"birth":"2026-01-05","id_no":"<1>"}`},
		"blank rows":           {rows: row(id, birth, "", "", "", "", "", "", "", "") + `<row r="3" spans="1:2"/><row r="1048576"><c r="A1048576" s="2"/></row>`, want: `{"birth":"2026-01-05","id_no":"11010519491231002X"}`},
		"rounded":              {rows: row(num(0, "310107199001011000"), birth, "", "", "", "", "", "", "", ""), want: "excel.rounded id_no"},
		"rounded, as Excel":    {rows: row(num(2, "3.10107199001011E+17"), birth, "", "", "", "", "", "", "", ""), want: "excel.rounded id_no"},
		"scientific":           {rows: row(num(0, "3.10107E+17"), birth, "", "", "", "", "", "", "", ""), want: "excel.scientific id_no"},
		"scientific text":      {rows: row("3.10107E+17", birth, "", "", "", "", "", "", "", ""), want: "excel.scientific id_no"},
		"zeros":                {rows: row(id, birth, "", num(0, "1"), "", "", "", "", num(0, "2152564588"), ""), want: "excel.zeros nation, excel.zeros phone"},
		"date for text":        {rows: row(id, birth, "", "", "", "", "", "", "", num(1, "46024")), want: "excel.date room"},
		"text for date":        {rows: row(id, num(0, "46027"), "", "", "", "", "", "", "", ""), want: "excel.date birth"},
		"date for number":      {rows: row(id, birth, "", "", num(1, "46027"), "", "", "", "", ""), want: "excel.date n"},
		"fraction for text":    {rows: row(id, birth, "", "", "", "", "", "", "", num(0, "1.1")), want: "excel.number room"},
		"percentage":           {rows: row(id, birth, "", "", "", num(5, "0.15"), "", "", "", ""), want: "excel.number area"},
		"error":                {rows: row(id, birth, `<c t="e"><v>#N/A</v></c>`, "", "", "", "", "", "", ""), want: "excel.error name"},
		"formula, no value":    {rows: row(id, birth, `<c><f>A1</f></c>`, "", "", "", "", "", "", ""), want: "excel.formula name"},
		"merged":               {rows: row(id, birth, "a", "", "", "", "", "", "", ""), rest: `<mergeCells count="1"><mergeCell ref="C2:D2"/></mergeCells>`, want: "excel.merged nation"},
		"merged below":         {rows: row(id, birth, "a", "", "", "", "", "", "", "") + cellsXML(3, "2", birth), rest: `<mergeCells count="1"><mergeCell ref="C2:C3"/></mergeCells>`, want: "row 3: excel.merged name"},
		"date with time":       {rows: row(id, num(1, "46027.5"), "", "", "", "", "", "", "", ""), want: "file.value birth"},
		"too many decimals":    {rows: row(id, birth, "", "", "", num(0, "1.234"), "", "", "", ""), want: "file.value area"},
		"fraction for a count": {rows: row(id, birth, "", "", num(0, "1.5"), "", "", "", "", ""), want: "file.value n"},
		"29 February 1900":     {rows: row(id, num(1, "60"), "", "", "", "", "", "", "", ""), want: "file.value birth"},
		"1 March 1900":         {rows: row(id, num(1, "61"), "", "", "", "", "", "", "", ""), want: `{"birth":"1900-03-01","id_no":"11010519491231002X"}`},
		"1 January 1900":       {rows: row(id, num(1, "1"), "", "", "", "", "", "", "", ""), want: `{"birth":"1900-01-01","id_no":"11010519491231002X"}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, rows, _ := read(t, write(t, "a.xlsx", hand(t, c.rows, c.rest)), people(), file.Options{})
			var got []string
			for i, row := range rows {
				if len(row.Faults) == 0 {
					continue
				}
				s := strings.Join(classes(row), ", ")
				if i > 0 {
					s = fmt.Sprintf("row %d: %s", row.Number, s)
				}
				got = append(got, s)
				if row.Note == nil && row.Faults[0].Class != file.ClassValue {
					t.Error("no note")
				}
			}
			if got == nil {
				o := object(t, rows[0])
				for k, v := range o {
					if v == nil {
						delete(o, k)
					}
				}
				var b bytes.Buffer
				e := json.NewEncoder(&b)
				e.SetEscapeHTML(false)
				if err := e.Encode(o); err != nil {
					t.Fatal(err)
				}
				got = []string{strings.TrimSpace(b.String())}
			}
			want(t, strings.Join(got, "\n"), c.want)
		})
	}
	t.Run("prefixed elements", func(t *testing.T) {
		sheet := strings.NewReplacer("<row", "<x:row", "</row", "</x:row", "<c ", "<x:c ", "</c>", "</x:c>", "<is>", "<x:is>", "</is>", "</x:is>", "<t>", "<x:t>", "</t>", "</x:t>").Replace(row(id, birth, "a", "", "", "", "", "", "", ""))
		b := hand(t, "", "", "xl/worksheets/sheet1.xml", `<x:worksheet xmlns:x="u"><x:sheetData>`+sheet+`</x:sheetData><x:mergeCells><x:mergeCell ref="C2:D2"/></x:mergeCells></x:worksheet>`)
		l, rows, _ := read(t, write(t, "a.xlsx", b), people(), file.Options{})
		want(t, []any{classes(rows[0]), l.Total}, []any{[]string{"excel.merged nation"}, 1})
	})
	t.Run("since 1904", func(t *testing.T) {
		b := hand(t, row(id, num(1, "44565"), "", "", "", "", "", "", "", ""), "", "xl/workbook.xml",
			`<workbook xmlns:r="u"><workbookPr date1904="1"/><sheets><sheet name="s" r:id="rId1"/></sheets></workbook>`)
		_, rows, _ := read(t, write(t, "a.xlsx", b), people(), file.Options{})
		want(t, object(t, rows[0])["birth"], "2026-01-05")
	})
	t.Run("hidden rows and formulas are counted", func(t *testing.T) {
		b := hand(t, head+`<row r="2" hidden="1"><c r="A2" t="inlineStr"><is><t>1</t></is></c><c r="B2"><f>A1</f><v>20260105</v></c></row>`, "")
		_, rows, tally := read(t, write(t, "a.xlsx", b), people(), file.Options{})
		want(t, []any{len(rows), tally.Hidden, tally.Formulas, tally.Normalised["birth"]}, []any{1, 1, 1, 1})
	})
	t.Run("cut off", func(t *testing.T) {
		for _, sheet := range []string{
			`<worksheet><sheetData>` + head, `<worksheet><sheetData>` + head + `<row r="2"><c r="A2"><v>1`, `<!DOCTYPE x><worksheet><sheetData></sheetData></worksheet>`,
			`<worksheet><sheetData>` + head + `<row r="2"><c r="ZZZZ2"><v>1</v></c></row></sheetData></worksheet>`,
			`<worksheet><sheetData>` + head + `<row r="2"><c r="A2" t="s"><v>99</v></c></row></sheetData></worksheet>`,
		} {
			r, err := file.Open(write(t, "a.xlsx", hand(t, "", "", "xl/worksheets/sheet1.xml", sheet)), "a.xlsx", people(), file.Options{})
			if err == nil {
				_, err = r.Next()
				r.Close()
			}
			if !errors.Is(err, mulu.ErrInvalid) || !strings.Contains(err.Error(), "已损坏") {
				t.Errorf("%s: %v", sheet, err)
			}
		}
	})
}

// excel writes a workbook with excelize.
func excel(t testing.TB, fill func(x *excelize.File)) string {
	t.Helper()
	x := excelize.NewFile()
	defer x.Close()
	fill(x)
	var b bytes.Buffer
	if _, err := x.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return write(t, "book.xlsx", b.Bytes())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestXLSXSheetsAndHeadings(t *testing.T) {
	t.Run("two levels", func(t *testing.T) {
		ds := people()
		path := excel(t, func(x *excelize.File) {
			must(t, x.SetSheetRow("Sheet1", "A1", &[]any{"人员登记表"}))
			must(t, x.MergeCell("Sheet1", "A1", "E1"))
			must(t, x.SetSheetRow("Sheet1", "A2", &[]any{"公民身份号码", "本人", nil, "联系人", nil}))
			must(t, x.SetSheetRow("Sheet1", "A3", &[]any{nil, "姓名", "出生\n日期", "姓名", "电话"}))
			must(t, x.MergeCell("Sheet1", "A2", "A3"))
			must(t, x.MergeCell("Sheet1", "B2", "C2"))
			must(t, x.MergeCell("Sheet1", "D2", "E2"))
			must(t, x.SetSheetRow("Sheet1", "A4", &[]any{"1", "张三", "2026-01-05", "李四", "13900000000"}))
		})
		l, rows, _ := read(t, path, ds, file.Options{Map: map[string]string{"本人_姓名": "name"}})
		var got []string
		for _, c := range l.Columns {
			got = append(got, c.Heading+">"+c.Column)
		}
		want(t, strings.Join(got, " "), "公民身份号码>id_no 本人_姓名>name 本人_出生\n日期>birth 联系人_姓名> 联系人_电话>")
		want(t, []any{l.Header, l.Levels, l.Refusal, len(rows), rows[0].Number}, []any{2, 2, "", 1, 4})
		want(t, string(rows[0].Value), `{"id_no":"1","name":"张三","birth":"2026-01-05"}`)
	})
	t.Run("the sheet that has the headings", func(t *testing.T) {
		path := excel(t, func(x *excelize.File) {
			must(t, x.SetSheetRow("Sheet1", "A1", &[]any{"请看第二张表"}))
			_, err := x.NewSheet("数据")
			must(t, err)
			must(t, x.SetSheetRow("数据", "A1", &[]any{"id_no", "birth"}))
			must(t, x.SetSheetRow("数据", "A2", &[]any{"1", "20260105"}))
			_, err = x.NewSheet("藏")
			must(t, err)
			must(t, x.SetSheetRow("藏", "A1", &[]any{"id_no", "birth", "name"}))
			must(t, x.SetSheetVisible("藏", false))
		})
		l, rows, _ := read(t, path, people(), file.Options{})
		want(t, []any{l.Sheet, len(l.Sheets), l.Sheets[2].Hidden, len(rows)}, []any{"数据", 3, true, 1})
		if len(l.Notes) != 1 || !strings.Contains(l.Notes[0], "藏") {
			t.Error(l.Notes)
		}
		if l, _, _ := read(t, path, people(), file.Options{Sheet: "藏"}); l.Sheet != "藏" || len(l.Columns) != 3 {
			t.Error(l)
		}
		if _, err := file.Open(path, "a.xlsx", people(), file.Options{Sheet: "无"}); !errors.Is(err, mulu.ErrInvalid) || !strings.Contains(err.Error(), "数据") {
			t.Error(err)
		}
	})
	t.Run("as excelize streams", func(t *testing.T) {
		path := excel(t, func(x *excelize.File) {
			sw, err := x.NewStreamWriter("Sheet1")
			must(t, err)
			must(t, sw.SetRow("A1", []any{"id_no", "birth", "n", "alone", "name"}))
			must(t, sw.SetRow("A2", []any{"1", "2026-01-05", 3, true, nil}))
			must(t, sw.Flush())
		})
		_, rows, _ := read(t, path, people(), file.Options{})
		want(t, string(rows[0].Value), `{"id_no":"1","birth":"2026-01-05","n":3,"alone":true,"name":null}`)
	})
}

func TestNestedAndCSVRecords(t *testing.T) {
	ds := people()
	ds.Columns[0].Path, ds.Columns[1].Path = "who.id", "who.name"
	_, rows, _ := read(t, write(t, "a.csv", []byte("id_no,birth,name\n1,20260105,\"a\nb\"\n")), ds, file.Options{})
	want(t, string(rows[0].Value), `{"who":{"id":"1","name":"a\nb"},"birth":"2026-01-05"}`)
	ds = people()
	ds.Format = mulu.FormatCSV
	_, rows, _ = read(t, write(t, "a.csv", []byte("birth,id_no,name\n20260105,1,\"a,\"\"b\"\n")), ds, file.Options{})
	want(t, string(rows[0].Value), `1,"a,""b",,,2026-01-05,,,,,`)
}

func TestFormats(t *testing.T) {
	for code, want := range map[string]string{
		"General": "", "G/通用格式": "", "@": "", "0.00": "", "#,##0": "", "0.00E+00": "", `"年度"0`: "", `0_ ;[Red]\-0\ `: "", "[>100]0;0.0": "", "¥#,##0.00": "",
		"0%": "%", "0.00%": "%", "000000": "6", "0": "",
		"yyyy-mm-dd": "d", "m/d/yy": "d", `yyyy"年"m"月"d"日";@`: "d", `[$-804]yyyy\-mm\-dd`: "d", "[$-F800]dddd\\, mmmm dd": "d", "aaaa": "d", `[$-404]e"年"m"月"`: "d", "m月": "d", "yyyy/m/d h:mm": "dc",
		"h:mm:ss": "c", "mm:ss.0": "c", "[h]:mm": "c", "h:mm AM/PM": "c", `上午/下午h"时"mm"分"`: "c", "[$-F400]h:mm:ss": "c",
	} {
		got, zeros := file.FormatOf(code)
		if zeros > 0 {
			got += fmt.Sprint(zeros)
		}
		if got != want {
			t.Errorf("%s is read as %q, want %q", code, got, want)
		}
	}
}

// TestManyStrings reads more shared strings than are kept in memory, from the last to
// the first and again.
func TestManyStrings(t *testing.T) {
	const size = 32_000
	n := file.MemoryBlocks/size + 100
	var shared, rows strings.Builder
	shared.WriteString("<sst>")
	for i := range n {
		fmt.Fprintf(&shared, "<si><t>%06d%s</t></si>", i, strings.Repeat("x", size))
	}
	shared.WriteString("</sst>")
	rows.WriteString(cellsXML(1, "id_no", "birth", "name"))
	for i := range 2 * n {
		rows.WriteString(cellsXML(i+2, fmt.Sprint(i), "20260105", fmt.Sprintf(`<c t="s"><v>%d</v></c>`, n-1-i%n)))
	}
	path := write(t, "a.xlsx", hand(t, rows.String(), "", "xl/sharedStrings.xml", shared.String()))
	r, err := file.Open(path, "a", people(), file.Options{})
	must(t, err)
	defer r.Close()
	for i := range 2 * n {
		row, err := r.Next()
		must(t, err)
		if want := fmt.Sprintf("%06d", n-1-i%n); row.Cells[2][:6] != want || len(row.Cells[2]) != size+6 {
			t.Fatalf("row %d has string %.8s, want %s", row.Number, row.Cells[2], want)
		}
	}
}
