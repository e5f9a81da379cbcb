package ingest_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/tools/txtar"

	"mulu/ingest"
)

var envelopeParts = map[string]bool{"schema": true, "payload": true, "op": true, "before": true, "after": true, "type": true, "data": true,
	"old": true, "isDdl": true, "position": true, "mysqlType": true, "sqlType": true}

var sourceParts = map[string]bool{"connector": true, "snapshot": true, "lsn": true, "file": true, "pos": true, "scn": true, "server_id": true}

// envelopeOf is the reference: encoding/json, level by level. A part given twice is an
// error; members that are no part may repeat.
func envelopeOf(in string) (map[string]string, error) {
	found := map[string]string{}
	return found, collect(in, 0, found)
}

func collect(in string, level int, found map[string]string) error {
	prefix, parts := "", envelopeParts
	if level == 2 {
		prefix, parts = "source.", sourceParts
	}
	names, values, err := membersWith([]byte(in), func(string) error { return nil })
	if err != nil {
		return err
	}
	sources := false
	for i, name := range names {
		v := string(values[i])
		if name == "source" && level < 2 && v[0] == '{' {
			if sources {
				return errTwice
			}
			sources = true
			if err := collect(v, 2, found); err != nil {
				return err
			}
			continue
		}
		if !parts[name] {
			continue
		}
		if _, again := found[prefix+name]; again {
			return errTwice
		}
		if name == "payload" && level == 0 && v[0] == '{' {
			if err := collect(v, 1, found); err != nil {
				return err
			}
			if _, again := found[name]; again {
				return errTwice
			}
		}
		if v != "null" {
			found[prefix+name] = v
		}
	}
	return nil
}

// FuzzEnvelope compares the envelope scanner with encoding/json, with and without a
// schema block that is known.
func FuzzEnvelope(f *testing.F) {
	files, err := filepath.Glob("testdata/feeds/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(ar.Files[0].Data)) {
			if i := strings.IndexByte(line, '{'); i >= 0 && line[0] != '#' {
				f.Add(strings.TrimSuffix(line[i:], "\n"))
			}
		}
	}
	for _, s := range []string{`{"op":"c","op":null,"\u006fp":"d"}`, `{"payload":{"payload":1}}`, `{"source":{"lsn":1},"source":{"lsn":2}}`, `{"payload":null,"payload":{"op":"c"}}`,
		`{"payload":{"source":{"lsn":1}},"source":{"lsn":2}}`, ` { "data" : [ { } ] } `, `{"schema":{},"schema":1}`, `{"after":{"op":"x"},"op":"c"}`, `{"op":"c"}x`, `{"":0}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if !utf8.ValidString(in) || depth([]byte(in)) > 60 || loneSurrogate([]byte(in)) {
			return
		}
		want, wantErr := envelopeOf(in)
		got, gotErr := ingest.Envelope([]byte(in), nil)
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("%q: reference says %v, the scanner %v", in, wantErr, gotErr)
		}
		if wantErr != nil {
			return
		}
		if !maps.Equal(got, want) {
			t.Fatalf("%q:\n got %q\nwant %q", in, got, want)
		}
		if block, ok := want["schema"]; ok && block[0] == '{' {
			known, err := ingest.Envelope([]byte(in), []byte(block))
			if err != nil || !maps.Equal(known, want) {
				t.Fatalf("%q: with a known schema block %q, %v", in, known, err)
			}
		}
		// Whatever the parts hold, the decoder takes a record or rejects it, and never both.
		for _, format := range []string{"debezium", "canal", "maxwell", "changes"} {
			d, err := decoder(t, person(format, "us")).Decode(batchOf(in))
			if err != nil {
				t.Fatal(err)
			}
			if n := int(d.Record.NumRows()); len(d.Offsets) != n || len(d.Rows) != n || len(d.Versions) != n || d.Deleted != nil && len(d.Deleted)*64 < n {
				t.Fatalf("%q as %s: %d rows, %d offsets, %d row numbers, %d versions", in, format, n, len(d.Offsets), len(d.Rows), len(d.Versions))
			}
			at := map[int32]bool{}
			for i := range d.Offsets {
				at[d.Row(i)] = true
			}
			for _, r := range d.Rejects {
				if at[r.Row] {
					t.Fatalf("%q as %s: row %d is stored and rejected", in, format, r.Row)
				}
			}
			d.Release()
		}
	})
}
