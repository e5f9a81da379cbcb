package filecheck_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"mulu/internal/app/filecheck"
)

// recorded reads a file's rows, each as its values with bars between; "–" is none.
func recorded(t *testing.T, path string) (names, rows []string, faults int) {
	t.Helper()
	f, err := filecheck.Open(path, filecheck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read from
	err = f.Records(t.Context(), func(n []string) { names, rows = n, nil }, func(rec arrow.RecordBatch) error {
		for i := range int(rec.NumRows()) {
			cells := make([]string, rec.NumCols())
			for c := range cells {
				if cells[c] = "–"; rec.Column(c).IsValid(i) {
					cells[c] = rec.Column(c).ValueStr(i)
				}
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, faults = f.Faults()
	return names, rows, faults
}

// TestRecords: rows are handed over as they are written and in their order, without
// those of which nothing could be read; a name that comes late begins them anew.
func TestRecords(t *testing.T) {
	want := []string{"007|张三", "1.50|–", "x|王小五"}
	for name, text := range map[string]string{
		"rows.csv":   "n,姓名\n007,张三\n1.50,\nx,王小五\n",
		"rows.jsonl": `{"n":"007","姓名":"张三"}` + "\n" + `{"n":1.50,"姓名":null}` + "\nnonsense\n" + `{"姓名":"\u738b小五","n":"x"}` + "\n",
	} {
		names, rows, faults := recorded(t, write(t, name, text))
		same(t, names, "n", "姓名")
		same(t, rows, want...)
		if lost := strings.Count(text, "nonsense"); faults != lost {
			t.Errorf("%s: %d faults, want %d", name, faults, lost)
		}
	}
	_, rows, _ := recorded(t, parquetFile(t))
	same(t, rows, "9|1|张三", "9|2|–", "9|3|王小五")

	var lines strings.Builder
	const many = 300_000 // several pieces, read side by side
	for i := range many {
		if fmt.Fprintf(&lines, `{"n":%d`, i); i == many-3 {
			lines.WriteString(`,"late":"v"`)
		}
		lines.WriteString("}\n")
	}
	names, rows, _ := recorded(t, write(t, "late.jsonl", lines.String()))
	same(t, names, "n", "late")
	for i, r := range rows {
		if want := fmt.Sprintf("%d|%s", i, map[bool]string{true: "v", false: "–"}[i == many-3]); r != want {
			t.Fatalf("row %d is %q, want %q", i, r, want)
		}
	}
	if len(rows) != many {
		t.Errorf("%d rows, want %d", len(rows), many)
	}
}
