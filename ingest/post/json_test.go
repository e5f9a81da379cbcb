package post

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"mulu"
	"mulu/ingest/submit"
)

func cutAll(f func(io.Reader, func([]byte) error) error, r io.Reader) (rows []string, err error) {
	err = f(r, func(v []byte) error {
		rows = append(rows, string(v))
		return nil
	})
	return rows, err
}

func TestList(t *testing.T) {
	want := func(body string, rows ...string) {
		t.Helper()
		for _, r := range []io.Reader{strings.NewReader(body), iotest.OneByteReader(strings.NewReader(body))} {
			if got, err := cutAll(list, r); err != nil || strings.Join(got, "~") != strings.Join(rows, "~") {
				t.Errorf("%q: %q, %v", body, got, err)
			}
		}
	}
	want(`[{"a":1},{"a":[2,{"b":"]}"}]}]`, `{"a":1}`, `{"a":[2,{"b":"]}"}]}`)
	want(" \n[ {\"a\" : 1.50 }\t, {} ]\n ", `{"a" : 1.50 }`, `{}`)
	want(`{"a":"\u4e2d\"文"}`, `{"a":"\u4e2d\"文"}`)
	want("\ufeff[{\"a\":1}]", `{"a":1}`)
	want(`[]`)
	want(``)
	// An element that is no object is a row, which ingest rejects.
	want(`[1,"x",null,{"a":1},[2]]`, "1", `"x"`, "null", `{"a":1}`, "[2]")
	long := `{"a":"` + strings.Repeat("长", 200_000) + `"}`
	want("["+long+","+long+"]", long, long)
}

func TestListBroken(t *testing.T) {
	want := func(text string, line, column int, row int64) {
		t.Helper()
		err := cutter{kind: TypeJSON, keys: keysOf(t)}.each(&body{mem: []byte(text)}, func(submit.Row) error { return nil })
		var b *Broken
		if !errors.As(err, &b) || !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("%q: %v, want it broken", text, err)
		} else if b.Line != line || b.Column != column || b.Row != row {
			t.Errorf("%q: line %d, column %d, row %d, want %d, %d, %d (%v)", text, b.Line, b.Column, b.Row, line, column, row, err)
		}
	}
	want("[{\"a\":1},\n {\"名\":\"张\", x}]", 2, 12, 1)
	want(`[{"a":1}`, 1, 9, 0)
	want(`[{"a":1},`, 1, 10, 1)
	want(`[{"a":1},]`, 1, 10, 1)
	want(`[{"a":1} {"a":2}]`, 1, 10, 0)
	want("{\"a\":1}\n{\"a\":2}", 2, 1, -1)
	want(`{"a":tru`, 1, 6, 0)
	want(`{"a":"x`, 1, 8, 0)
	want(`"a"`, 1, 1, -1)
	want(`[{"a":1}]]`, 1, 10, -1)
	want("[{\"a\":\"\n\"}]", 1, 8, 0)
	want("["+strings.Repeat("[", 70)+strings.Repeat("]", 70)+"]", 1, 67, 0)
}

func TestListTooLong(t *testing.T) {
	body := `[{"a":1},{"a":"` + strings.Repeat("x", submit.MaxRow+100_000) + `"}]`
	_, err := cutAll(list, strings.NewReader(body))
	if !errors.Is(err, mulu.ErrInvalid) || !strings.Contains(err.Error(), "下标 1") {
		t.Errorf("a row over the limit: %v, want it named", err)
	}
}

func TestLines(t *testing.T) {
	rows, err := cutAll(lines, iotest.HalfReader(strings.NewReader("{\"a\":1}\r\n\n  {\"a\":2} \n{\"a\":\nnot json\n{\"a\":3}")))
	if want := `{"a":1}~{"a":2}~{"a":~not json~{"a":3}`; err != nil || strings.Join(rows, "~") != want {
		t.Errorf("%q, %v, want %q", rows, err, want)
	}
	if _, err := cutAll(lines, strings.NewReader("{}\n"+strings.Repeat("x", 2<<20))); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("a line over the limit: %v", err)
	}
}

// FuzzList takes what encoding/json takes, and gives the elements as they are written.
func FuzzList(f *testing.F) {
	for _, s := range []string{`[{"a":1}]`, `[1,2]`, `[`, `{"a":{"b":[]}}`, `[{"a":"\ud83d\ude00"}]`, "[\n]", `[-0.1e+5]`, `[{"a":1}] x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		rows, err := cutAll(list, bytes.NewReader(body))
		trimmed := bytes.TrimLeft(body, " \t\r\n")
		if bytes.HasPrefix(body, bom) || len(trimmed) == 0 {
			return
		}
		valid := json.Valid(body) && (trimmed[0] == '[' || trimmed[0] == '{')
		if !valid && err == nil {
			t.Fatalf("%q is no list of JSON and was taken", body)
		}
		if err != nil {
			if valid && !strings.Contains(err.Error(), "嵌套") {
				t.Fatalf("%q was refused: %v", body, err)
			}
			return
		}
		var want []json.RawMessage
		if trimmed[0] == '{' {
			want = []json.RawMessage{bytes.TrimRight(trimmed, " \t\r\n")}
		} else if err := json.Unmarshal(body, &want); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%s", want) != fmt.Sprintf("%s", rows) && len(rows)+len(want) > 0 {
			t.Fatalf("%q gave %q, want %q", body, rows, want)
		}
	})
}
