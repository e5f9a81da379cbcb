package ingest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mulu"
	"mulu/ingest"
)

// nested has columns at three depths, two of them in one object.
func nested() *mulu.Dataset {
	return &mulu.Dataset{Code: "n", Topic: "n", Format: "json", Key: []string{"id"}, Columns: []mulu.Column{
		{Name: "id", Type: mulu.String}, {Name: "name", Path: "person.name", Type: mulu.String},
		{Name: "street", Path: "person.home.street", Type: mulu.String}, {Name: "n", Path: "n", Type: mulu.Int},
	}}
}

func TestDecodeNested(t *testing.T) {
	dec := decoder(t, nested())
	for in, want := range map[string]string{
		`{"id":"1","person":{"name":"张三","home":{"street":"曹杨路"}},"n":5}`: "1|张三|曹杨路|5|",
		`{"n":5,"person":{"home":{"street":"曹杨路"},"name":"张三"},"id":"1"}`: "1|张三|曹杨路|5|",
		`{"id":"1","person":null}`:                      "1|∅|∅|∅|",
		`{"id":"1","person":{}}`:                        "1|∅|∅|∅|",
		`{"id":"1"}`:                                    "1|∅|∅|∅|",
		`{"id":"1","person":{"home":null,"name":null}}`: "1|∅|∅|∅|",
		`{"id":"1","name":"李","person.name":"王"}`:       `1|∅|∅|∅|{"name":"李","person.name":"王"}`,
		`{"x":1,"id":"1","person":{"age":3,"home":{"no":[1,{}]},"name":"张三","y":{}},"z":null}`: `1|张三|∅|∅|{"x":1,"person":{"age":3,"home":{"no":[1,{}]},"y":{}},"z":null}`,
		`{"id":"1","person":{"home":{"no":7}}}`:                                                `1|∅|∅|∅|{"person":{"home":{"no":7}}}`,
		`{"id":"1","p\u0065rson":{"name":"\u5f20"}}`:                                           "1|张|∅|∅|",
	} {
		d := decode(t, dec, in)
		if len(d.Rejects) > 0 {
			t.Errorf("%s: rejected: %s", in, d.Rejects[0].Reason)
		} else if got := rows(t, d.Record)[0]; got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
	for in, class := range map[string]string{
		`{"id":"1","person":"张三"}`:                               ingest.ClassType,
		`{"id":"1","person":[{"name":"张三"}]}`:                    ingest.ClassType,
		`{"id":"1","person":{"home":5}}`:                         ingest.ClassType,
		`{"id":"1","person":{"name":"a"},"person":{"name":"b"}}`: ingest.ClassDecode,
		`{"id":"1","person":{"name":"a","name":"b"}}`:            ingest.ClassDecode,
		`{"id":"1","person":{"x":1,"x":2}}`:                      ingest.ClassDecode,
		`{"id":"1","person":{"name":"a"`:                         ingest.ClassDecode,
		`{"id":"1","person":{"name":"a"}`:                        ingest.ClassDecode,
		`{"id":"1","person":nul}`:                                ingest.ClassDecode,
		`{"person":{"name":"a"}}`:                                ingest.ClassKey,
	} {
		d := decode(t, dec, in)
		if len(d.Rejects) != 1 || d.Rejects[0].Class != class {
			t.Errorf("%s: rejects %+v, want class %s", in, d.Rejects, class)
		}
	}
	// An unknown name may be there again in another object.
	if d := decode(t, dec, `{"id":"1","x":1,"person":{"x":2,"home":{"x":3}}}`); len(d.Rejects) > 0 {
		t.Errorf("the same unknown name at three depths: %s", d.Rejects[0].Reason)
	}
}

func TestDecoderRefusesPaths(t *testing.T) {
	for why, change := range map[string]func(*mulu.Dataset){
		"a column and an object":   func(d *mulu.Dataset) { d.Columns[3].Path = "person" },
		"an object and a column":   func(d *mulu.Dataset) { d.Columns[0].Path = "person.home" },
		"two columns in one place": func(d *mulu.Dataset) { d.Columns[3].Path = "person.name" },
		"an empty name":            func(d *mulu.Dataset) { d.Columns[3].Path = "a..b" },
		"a quote":                  func(d *mulu.Dataset) { d.Columns[3].Path = `a."b` },
		"too deep":                 func(d *mulu.Dataset) { d.Columns[3].Path = strings.Repeat("a.", 8) + "a" },
		"CSV":                      func(d *mulu.Dataset) { d.Format = "csv" },
	} {
		d := nested()
		change(d)
		if _, err := ingest.NewDecoder(d); !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("%s: %v, want mulu.ErrInvalid", why, err)
		}
	}
}

// at is the value at a path of an object read by encoding/json, and what is wrong
// with it: "" when nothing is.
func at(v map[string]any, path ...string) (value any, fault bool) {
	for i, name := range path {
		inner, ok := v[name]
		if !ok || inner == nil {
			return nil, false
		}
		if i == len(path)-1 {
			return inner, false
		}
		if v, ok = inner.(map[string]any); !ok {
			return nil, true
		}
	}
	return nil, false
}

// twiceIn says whether an object on a way to a column has a member twice.
func twiceIn(in []byte, ways []string) bool {
	names, values, err := members(in)
	if errors.Is(err, errTwice) {
		return true
	}
	for i, name := range names {
		if slices.Contains(ways, name) && len(values[i]) > 0 && values[i][0] == '{' && twiceIn(values[i], []string{"home"}) {
			return true
		}
	}
	return false
}

func FuzzDecodeNested(f *testing.F) {
	for _, s := range []string{
		`{"id":"1","person":{"name":"张三","home":{"street":"曹杨路"}},"n":5}`, `{"id":"1","person":null}`, `{"id":"1","person":{"name":null,"home":{}}}`,
		`{"person":{"home":{"x":[{"person":1}],"street":"\ud83d\ude00"}},"id":"a"}`, `{"id":"","person":{}}`, `{"id":"1","person":1}`, `{"id":"1","person":{"x":1,"x":1}}`,
		`{"id":"1","n":"9223372036854775807","person":{"home":[]}}`, `{"id":"1","person":{"name":"a"},"person":{}}`, `{"id":"1","person":{"home":{"street":"a","street":"a"}}}`,
	} {
		f.Add([]byte(s))
	}
	dec := decoder(f, nested())
	f.Fuzz(func(t *testing.T, in []byte) {
		if !utf8.Valid(in) || depth(in) > 60 || loneSurrogate(in) {
			return // refused here, repaired or accepted there: tested by hand
		}
		d, err := dec.Decode(batchOf(string(in)))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Release()
		var v map[string]any
		j := json.NewDecoder(bytes.NewReader(in))
		j.UseNumber()
		bad := !json.Valid(in) || j.Decode(&v) != nil || v == nil || twiceIn(in, []string{"person"})
		want := make([]string, 4)
		for i, path := range [][]string{{"id"}, {"person", "name"}, {"person", "home", "street"}, {"n"}} {
			x, fault := at(v, path...)
			if i == 0 && x == nil || fault {
				bad = true
				continue
			}
			if x == nil {
				want[i] = "∅"
				continue
			}
			raw, _ := json.Marshal(x)
			s, null, ok := expected([]string{"s", "s", "s", "i"}[i], raw)
			bad = bad || !ok || i == 0 && strings.TrimSpace(s) == ""
			if want[i] = s; null {
				want[i] = "∅"
			}
		}
		if bad != (len(d.Rejects) == 1) {
			t.Fatalf("%q: reference refuses %v, rejects %+v", in, bad, d.Rejects)
		}
		if bad {
			return
		}
		row := rows(t, d.Record)[0]
		if extra := row[strings.LastIndex(row, "|")+1:]; !strings.Contains(row, `"`) && extra != "" {
			t.Fatalf("%q: _extra %q", in, extra)
		}
		for i, w := range want {
			got, null := cell(d.Record.Column(i))
			if null {
				got = "∅"
			}
			if got != w {
				t.Fatalf("%q: column %d is %q, want %q", in, i, got, w)
			}
		}
		if extra, _ := cell(d.Record.Column(4)); extra != "" && !json.Valid([]byte(extra)) {
			t.Fatalf("%q: _extra %q is no JSON", in, extra)
		}
	})
}

// TestDecodeAllocatesNothingPerRow decodes batches of which one is ten times the
// other: both may allocate for the batch, neither for its rows.
func TestDecodeAllocatesNothingPerRow(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the column sets stay
	for name, row := range map[string]func(i int) string{
		"json": func(i int) string {
			return fmt.Sprintf(`{"id":"%d","n":%d,"amount":"12.5%d","born":"2024-01-31","at":"2024-01-31 08:00:00","ok":true,"name":"\u5f20%d"}`, i, i, i%10, i)
		},
		"csv": func(i int) string {
			return fmt.Sprintf(`%d,%d,12.5%d,2024-01-31,2024-01-31 08:00:00,true,"张""%d"`, i, i, i%10, i)
		},
		"nested": func(i int) string {
			return fmt.Sprintf(`{"id":"%d","person":{"name":"张%d","home":{"street":"曹杨路%d","no":%d}},"n":%d,"more":[%d]}`, i, i, i, i, i, i)
		},
	} {
		ds := typed(name)
		if name == "nested" {
			ds = nested()
		}
		dec := decoder(t, ds)
		allocs := func(n int) float64 {
			values := make([]string, n)
			for i := range values {
				values[i] = row(i)
			}
			b := batchOf(values...)
			return testing.AllocsPerRun(5, func() {
				d, err := dec.Decode(b)
				if err != nil || len(d.Rejects) > 0 {
					t.Fatal(err, d.Rejects)
				}
				d.Release()
			})
		}
		large, small := allocs(10_000), allocs(1_000)
		if large > small+10 {
			t.Errorf("%s: %v allocations for 10 000 rows, %v for 1 000", name, large, small)
		}
	}
}
