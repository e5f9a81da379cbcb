package file_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"mulu"
	"mulu/ingest/file"
)

// everything reads a file to its end or to its error and sees that what comes out is
// what the service may rely on.
func everything(t *testing.T, path string, ds *mulu.Dataset, o file.Options) []file.Row {
	r, err := file.Open(path, "f", ds, o)
	if err != nil {
		return nil
	}
	defer r.Close()
	var rows []file.Row
	last := 0
	for {
		row, err := r.Next()
		if err != nil {
			return rows
		}
		if row.Number <= last {
			t.Fatalf("row %d after %d", row.Number, last)
		}
		last = row.Number
		if !json.Valid(row.Value) || !utf8.Valid(row.Value) {
			t.Fatalf("row %d is no JSON: %q", row.Number, row.Value)
		}
		if len(row.Cells) != len(r.Layout().Columns) {
			t.Fatalf("row %d has %d cells of %d", row.Number, len(row.Cells), len(r.Layout().Columns))
		}
		if row.Note != nil && (len(row.Faults) == 0 || row.Note.Class != row.Faults[0].Class) {
			t.Fatalf("row %d: note %+v of faults %+v", row.Number, row.Note, row.Faults)
		}
		for _, f := range row.Faults {
			if file.Title(f.Class) == "" || !utf8.ValidString(f.Reason) || f.Row != row.Number {
				t.Fatalf("row %d: fault %+v", row.Number, f)
			}
		}
		rows = append(rows, row)
	}
}

// FuzzCSV: nothing panics, and of a text that encoding/csv reads the same records come.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{good, "1,2026-01-05,\"a\n2,2026-01-05,b\n", "1,\"a\"\"b\",c\r\n", "1,\"a\"b,c\n", "\"\n", ",,\n", "1,2,3\r4,5,6\r", "\xd6\xd0,1,2\n"} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	ds := people()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, fmt.Sprint("f", os.Getpid()))
		const head = "id_no,room,name\n"
		must(t, os.WriteFile(path, append([]byte(head), b...), 0o600))
		rows := everything(t, path, ds, file.Options{Delimiter: ',', Encoding: "utf-8", Header: 1})
		if bytes.ContainsAny(b, "\r\x00") || !utf8.Valid(b) || bytes.Contains(b, []byte("\uFFFD")) || bytes.Contains(b, []byte("\ufeff")) {
			return
		}
		std := csv.NewReader(bytes.NewReader(b))
		std.FieldsPerRecord = 3
		all, err := std.ReadAll()
		if err != nil {
			return
		}
		i := 0
		for _, rec := range all {
			if strings.TrimSpace(strings.Join(rec, "")) == "" {
				continue
			}
			if i == 0 && rec[0] == "id_no" { // looks like names below the headings
				return
			}
			if i >= len(rows) {
				t.Fatalf("%d rows, encoding/csv has %q, too", len(rows), rec)
			}
			if got := rows[i].Cells; got[0] != rec[0] || got[1] != rec[1] || got[2] != rec[2] {
				t.Fatalf("%q, encoding/csv has %q", got, rec)
			}
			i++
		}
	})
}

// FuzzCell: whatever a cell's element says, the row is JSON and the next row is read.
func FuzzCell(f *testing.F) {
	for _, c := range []struct {
		kind  string
		style uint8
		value string
	}{{"", 0, "310107199001011000"}, {"", 1, "46027.5"}, {"n", 3, "12"}, {"str", 2, "3.1E+17"}, {"e", 0, "#N/A"}, {"b", 0, "1"}, {"d", 0, "2026-01-05"}, {"s", 0, "1"}, {"", 5, "1E-400"}, {"", 1, "-1"}, {"", 0, "1e308"}, {"", 0, "NaN"}, {"", 0, "0x1p-2"}} {
		for column := range uint8(10) {
			f.Add(c.kind, c.style, c.value, column)
		}
	}
	dir := f.TempDir()
	ds := people()
	f.Fuzz(func(t *testing.T, kind string, style uint8, value string, column uint8) {
		var k, v bytes.Buffer
		must(t, xml.EscapeText(&k, []byte(kind)))
		must(t, xml.EscapeText(&v, []byte(value)))
		heads := make([]string, len(ds.Columns))
		cells := make([]string, len(ds.Columns))
		for i, c := range ds.Columns {
			heads[i] = c.Name
		}
		cells[0] = "1"
		cells[int(column)%len(cells)] = fmt.Sprintf(`<c t="%s" s="%d"><v>%s</v></c>`, k.String(), style, v.String())
		path := filepath.Join(dir, fmt.Sprint("f", os.Getpid()))
		must(t, os.WriteFile(path, hand(t, cellsXML(1, heads...)+cellsXML(2, cells...)+cellsXML(3, "last"), ""), 0o600))
		rows := everything(t, path, ds, file.Options{Header: 1})
		if kind != "s" && (len(rows) == 0 || rows[len(rows)-1].Number != 3) {
			t.Fatalf("row 3 was not read after %q %d %q", kind, style, value)
		}
	})
}

// FuzzXML: of XML that encoding/xml reads, the same tokens come.
func FuzzXML(f *testing.F) {
	for _, s := range []string{`<a r="1"/>`, `<x:a><!-- > --><b r='&lt;"'>t&amp;<![CDATA[<&]]></b></x:a>`, "<a>1\r\n2\r3</a>", `<?xml version="1.0"?><a  r = "x>y" ></a>`, `<a s="r=" r="2">&#x4E2D;&#65;</a>`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := file.Tokens(bytes.NewReader(b))
		want, ok := standard(b)
		if !ok {
			return
		}
		if err != nil {
			t.Fatalf("%v, encoding/xml has %q", err, want)
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}

// standard are the tokens that encoding/xml finds; ok is false for what is no XML and for
// what no workbook has.
func standard(b []byte) (out []string, ok bool) {
	d := xml.NewDecoder(bytes.NewReader(b))
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			out = append(out, "text "+text.String())
			text.Reset()
		}
	}
	local := func(n xml.Name) string { return n.Local }
	for {
		tok, err := d.Token()
		if err == io.EOF {
			flush()
			return out, true
		}
		if err != nil {
			return nil, false
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			flush()
			r := ""
			for i := len(tok.Attr) - 1; i >= 0; i-- { // of two the first is meant
				if local(tok.Attr[i].Name) == "r" {
					r = tok.Attr[i].Value
				}
			}
			if strings.ContainsAny(r, "\r\n\t") || bytes.ContainsAny(b, "\x00") || strings.ContainsAny(tok.Name.Local, ":") {
				return nil, false
			}
			out = append(out, "start "+tok.Name.Local+" "+r)
		case xml.EndElement:
			flush()
			out = append(out, "end "+tok.Name.Local)
		case xml.CharData:
			text.Write(tok)
		case xml.Directive:
			return nil, false
		}
	}
}
