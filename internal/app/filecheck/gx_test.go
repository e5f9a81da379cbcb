package filecheck_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mulu/internal/app/filecheck"
	"mulu/quality"
)

// gxFile is a file of Great Expectations' own test definitions.
type gxFile struct {
	Type     string `json:"expectation_type"`
	Datasets []struct {
		Data     json.RawMessage `json:"data"`
		Schemas  map[string]map[string]string
		OnlyFor  any      `json:"only_for"`
		Suppress any      `json:"suppress_test_for"`
		Tests    []gxCase `json:"tests"`
	} `json:"datasets"`
}

type gxCase struct {
	Title    string          `json:"title"`
	In       json.RawMessage `json:"in"`
	Input    json.RawMessage `json:"input"`
	Out      map[string]any  `json:"out"`
	Output   map[string]any  `json:"output"`
	Error    any             `json:"error"`
	OnlyFor  any             `json:"only_for"`
	Suppress any             `json:"suppress_test_for"`
}

// forPandas says whether a case is meant for data in memory: not for one database alone.
func forPandas(only, suppress any) bool {
	has := func(v any) bool {
		text := fmt.Sprint(v)
		return strings.Contains(text, "pandas")
	}
	return (only == nil || has(only)) && (suppress == nil || !has(suppress))
}

// TestGreatExpectationsCases runs every case of GX's own files through what the command
// runs: data on disk, a suite on disk, and the report. MULU_GX_CASES names a folder with
// more of them.
func TestGreatExpectationsCases(t *testing.T) {
	files, err := filepath.Glob("testdata/gx/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	if more := os.Getenv("MULU_GX_CASES"); more != "" {
		files = nil
		err = filepath.WalkDir(more, func(p string, d os.DirEntry, err error) error {
			if strings.HasSuffix(p, ".json") {
				files = append(files, p)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	total := map[string]int{}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".json"), func(t *testing.T) { gxCases(t, f, total) })
	}
	t.Logf("%v", total)
	if os.Getenv("MULU_GX_CASES") == "" && total["agree"] < 79 {
		t.Errorf("only %d cases were run", total["agree"])
	}
}

func gxCases(t *testing.T, file string, total map[string]int) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var f gxFile
	b = regexp.MustCompile(`([\[,:]\s*)(-?Infinity)`).ReplaceAll(b, []byte(`$1"$2"`)) // as Python writes it
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		t.Skip(err)
	}
	for _, ds := range f.Datasets {
		data := filepath.Join(t.TempDir(), "data.json")
		if err := os.WriteFile(data, ds.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, c := range ds.Tests {
			if c.Out == nil {
				c.Out = c.Output
			}
			if c.In == nil {
				c.In = c.Input
			}
			if os.Getenv("MULU_GX_ALL") == "" && (!forPandas(ds.OnlyFor, ds.Suppress) || !forPandas(c.OnlyFor, c.Suppress)) {
				total["not for pandas"]++
				continue
			}
			t.Run(c.Title, func(t *testing.T) {
				total["run"]++
				before := t.Failed()
				gxOne(t, f.Type, data, c, total)
				if !t.Failed() && !before && !t.Skipped() {
					total["agree"]++
				}
			})
		}
	}
}

func gxOne(t *testing.T, kind, data string, c gxCase, total map[string]int) {
	suite := filepath.Join(t.TempDir(), "suite.json")
	text := fmt.Sprintf(`{"expectation_suite_name": "case", "expectations": [{"expectation_type": %q, "kwargs": %s}]}`, kind, c.In)
	if err := os.WriteFile(suite, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := filecheck.Check(t.Context(), filecheck.Request{Rules: suite, Data: data, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	want, judged := c.Out["success"].(bool)
	if len(r.Unmapped) == 1 {
		if judged && want || judged && c.Error == nil {
			total["unmapped"]++
			t.Skipf("unmapped: %s", r.Unmapped[0].Reason)
		}
		return // an expectation that must be in error is not run
	}
	x := r.Rules[0]
	if !judged {
		if c.Error != nil || c.Out["traceback_substring"] != nil {
			if x.Success || x.Status != quality.Errored {
				t.Errorf("must be in error (%v), is %s", c.Error, x.Status)
			}
		}
		return
	}
	if x.Success != want {
		t.Errorf("success %v, want %v: %+v", x.Success, want, x)
	}
	if list, ok := c.Out["unexpected_index_list"].([]any); ok && x.Status != quality.Errored {
		gxRows(t, list, &x)
	}
	if list, ok := c.Out["unexpected_list"].([]any); ok && int(x.Failed) != len(list) && x.FailedRows != nil {
		t.Errorf("%d failed, want %d: %+v", x.Failed, len(list), x)
	}
	if result, ok := c.Out["result"].(map[string]any); ok {
		for name, got := range map[string]int64{"unexpected_count": x.Failed} {
			if n, ok := result[name].(json.Number); ok && n.String() != fmt.Sprint(got) {
				t.Errorf("%s %d, want %s", name, got, n)
			}
		}
	}
}

func gxRows(t *testing.T, list []any, x *filecheck.RuleReport) {
	t.Helper()
	var want []int
	for _, e := range list {
		switch e := e.(type) {
		case map[string]any:
			n, err := e["pk_index"].(json.Number).Int64()
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, int(n))
		case json.Number:
			n, err := e.Int64()
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, int(n))
		}
	}
	slices.Sort(want)
	if x.FailedRows == nil {
		if len(want) > 0 {
			t.Errorf("rows are not named, want %v: %+v", want, x)
		}
		return
	}
	if got := x.FailedRows.List(); !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}
