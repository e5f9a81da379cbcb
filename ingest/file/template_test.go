package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/xuri/excelize/v2"

	"mulu"
	"mulu/ingest/file"
)

func codes(table string) []file.Code {
	if table != "nation" {
		return nil
	}
	out := []file.Code{{Code: "01", Title: "汉族"}, {Code: "02", Title: "蒙古族"}}
	for i := 3; i < 200; i++ { // longer than a drop-down may be by itself
		out = append(out, file.Code{Code: fmt.Sprintf("%02d", i), Title: "某族"})
	}
	return out
}

func TestTemplate(t *testing.T) {
	var b bytes.Buffer
	must(t, file.Template(people(), codes, &b))
	path := write(t, "template.xlsx", b.Bytes())
	t.Run("empty", func(t *testing.T) {
		l, rows, _ := read(t, path, people(), file.Options{})
		want(t, []any{l.Sheet, l.Refusal, len(rows), l.Header}, []any{"人员", "", 0, 1})
		for i, c := range l.Columns {
			if c.Column != people().Columns[i].Name || c.By != file.ByTitle {
				t.Errorf("column %+v", c)
			}
		}
	})
	t.Run("filled as people do", func(t *testing.T) {
		x, err := excelize.OpenFile(path)
		must(t, err)
		defer x.Close()
		values := []any{"11010519491231002X", "张三", "01", "02152564588", 46027, 2, 88.5, "是", 46027.354166666664, "1-2"}
		for i, v := range values {
			cell, _ := excelize.CoordinatesToCellName(i+1, 3)
			style, err := x.GetColStyle("人员", strings.TrimRight(cell, "0123456789"))
			must(t, err)
			must(t, x.SetCellStyle("人员", cell, cell, style)) // Excel gives a new cell its column's style
			must(t, x.SetCellValue("人员", cell, v))
		}
		filled := strings.Replace(path, "template", "filled", 1)
		must(t, x.SaveAs(filled))
		l, rows, _ := read(t, filled, people(), file.Options{})
		want(t, []any{l.Refusal, len(rows), rows[0].Number, classes(rows[0])}, []any{"", 1, 3, []string{}})
		want(t, string(rows[0].Value), `{"id_no":"11010519491231002X","name":"张三","nation":"01","phone":"02152564588","birth":"2026-01-05","n":2,"area":88.5,"alone":true,"upd":"2026-01-05 08:30:00","room":"1-2"}`)
	})
	t.Run("what stands in it", func(t *testing.T) {
		x, err := excelize.OpenFile(path)
		must(t, err)
		defer x.Close()
		want(t, x.GetSheetList(), []string{"人员", "代码表", "填表说明"})
		if v, _ := x.GetSheetVisible("代码表"); v {
			t.Error("the code tables are seen")
		}
		if v, _ := x.GetRowVisible("人员", 2); v {
			t.Error("the names are seen")
		}
		style, err := x.GetColStyle("人员", "A")
		must(t, err)
		if s, err := x.GetStyle(style); err != nil || s.NumFmt != 49 {
			t.Errorf("identity numbers are no texts: %+v %v", s, err)
		}
		lists, err := x.GetDataValidations("人员")
		must(t, err)
		found := map[string]string{}
		for _, v := range lists {
			found[v.Sqref] = v.Formula1
		}
		want(t, []any{found["C3:C1048576"], found["H3:H1048576"]}, []any{"codes_nation", `"是,否"`})
		if names := x.GetDefinedName(); len(names) != 1 || names[0].RefersTo != "'代码表'!$A$2:$A$200" {
			t.Errorf("names %+v", names)
		}
		comments, err := x.GetComments("人员")
		if err != nil || len(comments) != len(people().Columns) {
			t.Errorf("%d comments (%v)", len(comments), err)
		}
		rows, err := x.GetRows("填表说明")
		must(t, err)
		if text := fmt.Sprint(rows); !strings.Contains(text, "身份证号") || !strings.Contains(text, "文本，至多 18 个字符") || !strings.Contains(text, "01 汉族") {
			t.Error(text)
		}
	})
	t.Run("without code tables", func(t *testing.T) {
		var b bytes.Buffer
		must(t, file.Template(people(), nil, &b))
	})
}

// mark reads a file, marks its faults and gives the marked workbook.
func mark(t *testing.T, path string, ds *mulu.Dataset) (string, []file.Row) {
	t.Helper()
	_, rows, _ := read(t, path, ds, file.Options{})
	var faults []file.Fault
	for _, row := range rows {
		faults = append(faults, row.Faults...)
	}
	var b bytes.Buffer
	must(t, file.Mark(path, "a", file.Options{}, ds, faults, &b))
	return write(t, "marked.xlsx", b.Bytes()), rows
}

// fills are the cells that are coloured red.
func fills(t *testing.T, x *excelize.File, sheet string, cells ...string) (out []string) {
	t.Helper()
	for _, c := range cells {
		id, err := x.GetCellStyle(sheet, c)
		must(t, err)
		s, err := x.GetStyle(id)
		must(t, err)
		if len(s.Fill.Color) == 1 && s.Fill.Color[0] == "FFC7CE" {
			out = append(out, c)
		}
	}
	return out
}

func TestMark(t *testing.T) {
	t.Run("XLSX", func(t *testing.T) {
		path := excel(t, func(x *excelize.File) {
			must(t, x.SetSheetRow("Sheet1", "A1", &[]any{"登记表"}))
			must(t, x.SetSheetRow("Sheet1", "A2", &[]any{"id_no", "birth", "name", "nation", "备注"}))
			must(t, x.SetSheetRow("Sheet1", "A3", &[]any{"1", "2026-01-05", "好", "01", "x"}))
			must(t, x.SetSheetRow("Sheet1", "A5", &[]any{310107199001011000, "2026-02-30", "坏", 1}))
			must(t, x.SetSheetRow("Sheet1", "A6", &[]any{nil, "2026-01-05", "空", "01", nil, "旁注"}))
		})
		marked, _ := mark(t, path, people())
		x, err := excelize.OpenFile(marked)
		must(t, err)
		defer x.Close()
		rows, err := x.GetRows("Sheet1", excelize.Options{RawCellValue: true})
		must(t, err)
		want(t, rows[0], []string{"登记表"})
		want(t, rows[1], []string{"id_no", "birth", "name", "nation", "备注", "问题说明"})
		want(t, rows[2], []string{"1", "2026-01-05", "好", "01", "x"})
		want(t, rows[4][0], "310107199001011000")
		if !strings.Contains(rows[4][5], "舍入") {
			t.Error(rows[4])
		}
		want(t, rows[5][6], "旁注")
		want(t, fills(t, x, "Sheet1", "A3", "A5", "B5", "C5", "D5", "A6", "B6"), []string{"A5", "B5", "D5", "A6"})
		comments, err := x.GetComments("Sheet1")
		must(t, err)
		want(t, len(comments), 4)
		// What was forgotten is found again, at the same places.
		l, again, _ := read(t, marked, people(), file.Options{})
		want(t, l.Refusal, "")
		want(t, [][]string{classes(again[0]), classes(again[1]), classes(again[2])},
			[][]string{{}, {"excel.rounded id_no", "excel.zeros nation", "file.value birth"}, {"file.empty id_no"}})
		want(t, []int{again[0].Number, again[1].Number, again[2].Number}, []int{3, 5, 6})
		// Marking a marked file again does not add a column.
		twice, _ := mark(t, marked, people())
		l, _, _ = read(t, twice, people(), file.Options{})
		want(t, len(l.Columns), 6)
	})
	t.Run("what Excel did is found again", func(t *testing.T) {
		head := cellsXML(1, "id_no", "birth", "name", "nation", "room")
		book := hand(t, head+cellsXML(2, "1", "2026-01-05", `<c t="e"><v>#N/A</v></c>`, `<c><v>1</v></c>`, `<c s="1"><v>46024</v></c>`)+
			cellsXML(3, "3.10107E+17", `<c><v>46027</v></c>`, `<c><f>A1</f></c>`, "01", "a"), `<mergeCells><mergeCell ref="D3:E3"/></mergeCells>`)
		path := write(t, "a.xlsx", book)
		marked, before := mark(t, path, people())
		_, after, _ := read(t, marked, people(), file.Options{})
		for i := range before {
			got := strings.ReplaceAll(fmt.Sprint(classes(after[i])), "excel.error name", "excel.formula name") // a formula without a value is shown as #N/A
			if i == 0 {
				got = fmt.Sprint(classes(after[i]))
			}
			want(t, got, classes(before[i]))
		}
	})
	t.Run("CSV", func(t *testing.T) {
		marked, _ := mark(t, write(t, "a.csv", []byte(gb18030(t, "公民身份号码;出生日期;姓名\n1;2026-01-05;𬭊\n2;2026-01-05;b;c\n3;x;\"a\nb\"\n4;2026-01-05;c\n"))), people())
		x, err := excelize.OpenFile(marked)
		must(t, err)
		defer x.Close()
		rows, err := x.GetRows("Sheet1")
		must(t, err)
		want(t, rows[1], []string{"1", "2026-01-05", "𬭊"})
		if want(t, rows[3][2], "a\nb"); !strings.HasSuffix(rows[2][3], "原行：2;2026-01-05;b;c") {
			t.Error(rows[2])
		}
		want(t, rows[5], []string{"4", "2026-01-05", "c"})
		want(t, fills(t, x, "Sheet1", "A2", "A3", "B4", "A6"), []string{"A3", "B4"})
		_, again, _ := read(t, marked, people(), file.Options{})
		for i, n := range []int{0, 1, 1, 0} {
			if len(again[i].Faults) < n || n == 0 && len(again[i].Faults) > 0 {
				t.Errorf("row %d: %v", again[i].Number, classes(again[i]))
			}
		}
	})
	t.Run("Parquet", func(t *testing.T) {
		marked, _ := mark(t, write(t, "a.parquet", parquetBytes(t)), people())
		x, err := excelize.OpenFile(marked)
		must(t, err)
		defer x.Close()
		rows, err := x.GetRows("Sheet1")
		must(t, err)
		want(t, []string{rows[0][0], rows[1][0], rows[2][0]}, []string{"id_no", "1", "2"})
		want(t, fills(t, x, "Sheet1", "C2", "C3"), []string{"C3"})
	})
}

// parquetBytes is a Parquet of three rows in two row groups; the second has a nation
// without its zero, the third no key.
func parquetBytes(t testing.TB) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id_no", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "birth", Type: arrow.FixedWidthTypes.Date32},
		{Name: "nation", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "n", Type: arrow.PrimitiveTypes.Int32},
		{Name: "area", Type: &arrow.Decimal128Type{Precision: 18, Scale: 2}}, {Name: "alone", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "upd", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}}, {Name: "name", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}},
		{Name: "其他", Type: arrow.PrimitiveTypes.Float64},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i, row := range []string{
		`{"id_no":"1","birth":"2026-01-05","nation":11,"n":2,"area":"88.50","alone":true,"upd":"2026-01-05T00:30:00Z","name":"张𬭊","其他":1.5}`,
		`{"id_no":"2","birth":"2026-01-05","nation":1,"n":-3,"area":"0.07","alone":false,"upd":"2026-01-05T00:30:00.5Z","name":"b","其他":0.1}`,
		`{"id_no":null,"birth":"2026-01-05","nation":null,"n":0,"area":"1.00","alone":true,"upd":"2026-01-05T00:30:00Z","name":"张𬭊","其他":1e300}`,
	} {
		if err := b.UnmarshalJSON([]byte(row)); err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	must(t, err)
	must(t, w.Write(rec.NewSlice(0, 2)))
	must(t, w.Write(rec.NewSlice(2, 3)))
	must(t, w.Close())
	return out.Bytes()
}

func TestParquet(t *testing.T) {
	b := parquetBytes(t)
	l, rows, _ := read(t, write(t, "a.parquet", b), people(), file.Options{})
	want(t, []any{l.Format, l.Total, l.Exact, l.Refusal, len(rows)}, []any{"parquet", 3, true, "", 3})
	want(t, string(rows[0].Value), `{"id_no":"1","birth":"2026-01-05","nation":"11","n":2,"area":88.5,"alone":true,"upd":"2026-01-05 08:30:00+08:00","name":"张𬭊"}`)
	want(t, []any{rows[1].Number, classes(rows[1]), classes(rows[2])}, []any{2, []string{"excel.zeros nation"}, []string{"file.empty id_no"}})
	t.Run("damaged", func(t *testing.T) {
		for _, n := range []int{len(b) / 4, len(b) / 2, len(b) - 20} {
			d := bytes.Clone(b)
			for i := n; i < n+12; i++ {
				d[i] ^= 0xA5
			}
			r, err := file.Open(write(t, "a.parquet", d), "a.parquet", people(), file.Options{})
			for err == nil {
				_, err = r.Next()
			}
			if r != nil {
				r.Close()
			}
			if err != io.EOF && !errors.Is(err, mulu.ErrInvalid) {
				t.Errorf("cut at %d: %v", n, err)
			}
		}
	})
}
