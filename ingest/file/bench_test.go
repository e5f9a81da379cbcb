package file_test

import (
	"archive/zip"
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/xuri/excelize/v2"

	"mulu/ingest/file"
)

// person is row i of a file of many rows, as a department exports it.
func person(i int) []string {
	return []string{fmt.Sprintf("310107%08d%04d", 19500101+i%500_000, i%10_000), "居民" + strconv.Itoa(i), fmt.Sprintf("%02d", i%56+1), fmt.Sprintf("139%08d", i),
		fmt.Sprintf("%04d-%02d-%02d", 1950+i%70, i%12+1, i%28+1), strconv.Itoa(i % 4), fmt.Sprintf("%d.%02d", i%200, i%100), []string{"是", "否"}[i%2],
		fmt.Sprintf("2026-01-%02d 08:30:%02d", i%28+1, i%60), fmt.Sprintf("曹杨路 %d 弄 %d 号", i%900, i%70)}
}

// bigCSV writes n rows.
func bigCSV(t testing.TB, n int) string {
	path := filepath.Join(t.TempDir(), "big.csv")
	f, err := os.Create(path)
	must(t, err)
	w := bufio.NewWriter(f)
	w.WriteString(headings) //nolint:errcheck // Flush tells
	for i := range n {
		w.WriteString(strings.Join(person(i), ",") + "\n") //nolint:errcheck // Flush tells
	}
	must(t, w.Flush())
	must(t, f.Close())
	return path
}

// bigXLSX writes n rows as Excel does: texts are shared strings, every row with six of
// its own, numbers are numbers.
func bigXLSX(t testing.TB, n int) string {
	path := filepath.Join(t.TempDir(), "big.xlsx")
	f, err := os.Create(path)
	must(t, err)
	z := zip.NewWriter(f)
	part := func(name string) *bufio.Writer {
		w, err := z.Create(name)
		must(t, err)
		return bufio.NewWriterSize(w, 64<<10)
	}
	put := func(name, s string) {
		w := part(name)
		w.WriteString(s) //nolint:errcheck // Flush tells
		must(t, w.Flush())
	}
	put("[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>`)
	const o = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	put("_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="`+o+`/officeDocument" Target="xl/workbook.xml"/></Relationships>`)
	put("xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="`+o+`"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>`)
	put("xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="`+o+`/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="`+o+`/sharedStrings" Target="sharedStrings.xml"/></Relationships>`)
	sheet := part("xl/worksheets/sheet1.xml")
	fmt.Fprintf(sheet, `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:J%d"/><sheetData>`, n+1)
	strs := []string{}
	next := 0
	row := func(at int, cells []string) {
		fmt.Fprintf(sheet, `<row r="%d" spans="1:10">`, at)
		for i, v := range cells {
			if at > 1 && (i == 5 || i == 6) {
				fmt.Fprintf(sheet, `<c r="%c%d"><v>%s</v></c>`, 'A'+i, at, v)
				continue
			}
			fmt.Fprintf(sheet, `<c r="%c%d" t="s"><v>%d</v></c>`, 'A'+i, at, next)
			next++
		}
		sheet.WriteString(`</row>`) //nolint:errcheck // Flush tells
	}
	heads := strings.Split(strings.TrimSpace(headings), ",")
	strs = append(strs, heads...)
	row(1, heads)
	for i := range n {
		row(i+2, person(i))
	}
	sheet.WriteString(`</sheetData></worksheet>`) //nolint:errcheck // Flush tells
	must(t, sheet.Flush())
	shared := part("xl/sharedStrings.xml")
	shared.WriteString(`<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`) //nolint:errcheck // Flush tells
	for _, s := range strs {
		fmt.Fprintf(shared, `<si><t>%s</t></si>`, s)
	}
	for i := range n {
		for j, v := range person(i) {
			if j != 5 && j != 6 {
				fmt.Fprintf(shared, `<si><t>%s</t></si>`, v)
			}
		}
	}
	shared.WriteString(`</sst>`) //nolint:errcheck // Flush tells
	must(t, shared.Flush())
	must(t, z.Close())
	must(t, f.Close())
	return path
}

// bigParquet writes n rows, of texts and a few numbers, in row groups of 250 000.
func bigParquet(t testing.TB, n int) string {
	path := filepath.Join(t.TempDir(), "big.parquet")
	f, err := os.Create(path)
	must(t, err)
	var fields []arrow.Field
	for i, h := range strings.Split(strings.TrimSpace(headings), ",") {
		kind := arrow.DataType(arrow.BinaryTypes.String)
		if i == 5 {
			kind = arrow.PrimitiveTypes.Int64
		}
		fields = append(fields, arrow.Field{Name: h, Type: kind})
	}
	schema := arrow.NewSchema(fields, nil)
	w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(parquet.WithMaxRowGroupLength(250_000), parquet.WithCompression(compress.Codecs.Snappy)), pqarrow.DefaultWriterProps())
	must(t, err)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range n {
		for c, v := range person(i) {
			if c == 5 {
				b.Field(c).(*array.Int64Builder).Append(int64(i % 4))
			} else {
				b.Field(c).(*array.StringBuilder).Append(v)
			}
		}
		if i%10_000 == 9999 || i == n-1 {
			rec := b.NewRecordBatch()
			must(t, w.WriteBuffered(rec))
			rec.Release()
		}
	}
	must(t, w.Close())
	return path
}

// count reads all rows, which must be without fault.
func count(b testing.TB, path string) (rows int) {
	r, err := file.Open(path, "big", people(), file.Options{})
	must(b, err)
	defer r.Close()
	for {
		row, err := r.Next()
		if err == io.EOF {
			return rows
		}
		must(b, err)
		if len(row.Faults) > 0 {
			b.Fatal(row.Faults)
		}
		rows++
	}
}

// BenchmarkRead reads a file into rows of a dataset, and beside it plainly with the
// libraries that are usual for it: the ratio is what mapping, judging and JSON cost.
func BenchmarkRead(b *testing.B) {
	const n = 30_000
	text, book := bigCSV(b, n), bigXLSX(b, n)
	rate := func(b *testing.B, read func() int) {
		for b.Loop() {
			if got := read(); got != n {
				b.Fatalf("%d rows", got)
			}
		}
		b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("csv/ours", func(b *testing.B) { rate(b, func() int { return count(b, text) }) })
	b.Run("csv/encoding-csv", func(b *testing.B) {
		rate(b, func() (rows int) {
			f, err := os.Open(text)
			must(b, err)
			defer f.Close()
			r := csv.NewReader(bufio.NewReaderSize(f, 128<<10))
			for {
				if _, err := r.Read(); err == io.EOF {
					return rows - 1
				} else if err != nil {
					b.Fatal(err)
				}
				rows++
			}
		})
	})
	b.Run("xlsx/ours", func(b *testing.B) { rate(b, func() int { return count(b, book) }) })
	b.Run("xlsx/excelize", func(b *testing.B) {
		rate(b, func() (rows int) {
			x, err := excelize.OpenFile(book)
			must(b, err)
			defer x.Close()
			it, err := x.Rows("Sheet1")
			must(b, err)
			for it.Next() {
				if _, err := it.Columns(); err != nil {
					b.Fatal(err)
				}
				rows++
			}
			return rows - 1
		})
	})
}

// BenchmarkMillion reads and marks a million rows and says the most memory that the
// process held meanwhile: go test ./ingest/file -run '^$' -bench Million -benchtime 1x
func BenchmarkMillion(b *testing.B) {
	const n = 1_000_000
	for name, make := range map[string]func(testing.TB, int) string{"csv": bigCSV, "xlsx": bigXLSX, "parquet": bigParquet} {
		b.Run(name, func(b *testing.B) {
			path := make(b, n)
			b.Run("read", func(b *testing.B) {
				held := peak(b)
				for b.Loop() {
					if got := count(b, path); got != n {
						b.Fatalf("%d rows", got)
					}
				}
				b.ReportMetric(held(), "MiB")
			})
			b.Run("mark", func(b *testing.B) {
				faults := []file.Fault{}
				for i := range 10_000 {
					faults = append(faults, file.Fault{Row: i*100 + 2, Column: 3, Class: file.ClassValue, Reason: "演示"})
				}
				held := peak(b)
				for b.Loop() {
					must(b, file.Mark(path, "big", file.Options{}, people(), faults, io.Discard))
				}
				b.ReportMetric(held(), "MiB")
			})
		})
	}
}

// peak begins to watch the process's memory; what it gives tells the most since then.
func peak(b *testing.B) func() float64 {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200); err != nil {
		b.Skip("memory is watched by Linux only: ", err)
	}
	return func() float64 {
		s, err := os.ReadFile("/proc/self/status")
		must(b, err)
		for line := range strings.Lines(string(s)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
				must(b, err)
				return float64(kb) / 1024
			}
		}
		b.Fatal("no VmHWM")
		return 0
	}
}
