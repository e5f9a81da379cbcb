package ingest_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
	"mulu/ingest"
)

func typed(format string) *mulu.Dataset {
	return &mulu.Dataset{Code: "t", Version: 1, Topic: "t", Format: format, Key: []string{"id"}, Columns: []mulu.Column{
		{Name: "id", Title: "编号", Type: mulu.String, Required: true},
		{Name: "n", Type: mulu.Int},
		{Name: "amount", Type: mulu.Decimal, Scale: 2},
		{Name: "born", Type: mulu.Date},
		{Name: "at", Type: mulu.DateTime},
		{Name: "ok", Type: mulu.Bool},
		{Name: "name", Title: "姓名", Type: mulu.String, Required: true},
	}}
}

func decoder(t testing.TB, d *mulu.Dataset) *ingest.Decoder {
	t.Helper()
	dec, err := ingest.NewDecoder(d)
	if err != nil {
		t.Fatal(err)
	}
	return dec
}

func batchOf(values ...string) *ingest.Batch {
	b := &ingest.Batch{Plan: mulu.Plan{BatchID: mulu.BatchID{Topic: "t", First: 100, Last: 100 + int64(len(values)) - 1}}}
	for i, v := range values {
		b.Records = append(b.Records, mulu.Record{Offset: 100 + int64(i), Key: []byte("k"), Value: []byte(v)})
	}
	return b
}

// rows shows a record batch as one line per row, columns by "|", null as "∅".
func rows(t testing.TB, rec arrow.RecordBatch) []string {
	t.Helper()
	var out []string
	for i := range int(rec.NumRows()) {
		var cells []string
		for _, c := range rec.Columns() {
			if c.IsNull(i) {
				cells = append(cells, "∅")
			} else {
				cells = append(cells, c.ValueStr(i))
			}
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

func decode(t testing.TB, dec *ingest.Decoder, values ...string) *ingest.Decoded {
	t.Helper()
	d, err := dec.Decode(batchOf(values...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Release)
	return d
}

func TestDecodeJSON(t *testing.T) {
	dec := decoder(t, typed("json"))
	accept := func(in, want string) {
		t.Helper()
		d := decode(t, dec, in)
		if len(d.Rejects) > 0 {
			t.Errorf("%s: rejected: %s", in, d.Rejects[0].Reason)
		} else if got := rows(t, d.Record)[0]; got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
	reject := func(in, class, field string) {
		t.Helper()
		d := decode(t, dec, in)
		if len(d.Rejects) != 1 || d.Rejects[0].Class != class || d.Rejects[0].Field != field || d.Rejects[0].Reason == "" || string(d.Rejects[0].Value) != in {
			t.Errorf("%q: rejects %+v, want class %s field %q", in, d.Rejects, class, field)
		}
	}
	accept(`{"id":"a","n":-7,"amount":1.5,"born":"2024-02-29","at":"2024-01-31T08:00:00Z","ok":true,"name":"张三"}`,
		"a|-7|1.5|2024-02-29|2024-01-31T08:00:00Z|true|张三|")
	accept(` { "name" : "b" , "id" : "a" } `, "a|∅|∅|∅|∅|∅|b|")
	accept(`{"id":"a","name":null,"n":null}`, "a|∅|∅|∅|∅|∅|∅|")
	accept(`{"id":"a","x":{"y":[1,"é\n"]},"name":"\u00e9\ud83d\ude00\"\\\/","z":1e5}`, `a|∅|∅|∅|∅|∅|é😀"\/|{"x":{"y":[1,"é\n"]},"z":1e5}`)
	accept(`{"\u0069d":"a"}`, "a|∅|∅|∅|∅|∅|∅|")
	accept(`{"id":"a","n":"12","amount":"-0.05","ok":"是","born":"20240131","at":""}`, "a|12|-0.05|2024-01-31|∅|true|∅|")
	accept(`{"id":"a","n":9223372036854775807,"amount":9999999999999999.99,"ok":0}`, "a|9223372036854775807|9999999999999999.99|∅|∅|false|∅|")
	accept(`{"id":"a","n":-9223372036854775808,"amount":1.2e3}`, "a|-9223372036854775808|1200|∅|∅|∅|∅|")
	accept(`{"id":"a","amount":1.5000}`, "a|∅|1.5|∅|∅|∅|∅|")
	accept(`{"id":"a","at":"2024-01-31 08:00:00"}`, "a|∅|∅|∅|2024-01-31T00:00:00Z|∅|∅|")
	accept(`{"id":"a","at":"2024-01-31T08:00:00.25+08:00"}`, "a|∅|∅|∅|2024-01-31T00:00:00.25Z|∅|∅|")
	accept(`{"id":"a","at":"1988-07-01 09:00:00"}`, "a|∅|∅|∅|1988-07-01T00:00:00Z|∅|∅|") // summer time

	reject(`{"id":"a","n":9223372036854775808}`, "type", "n")
	reject(`{"id":"a","n":1.0}`, "type", "n")
	reject(`{"id":"a","n":"0x1"}`, "type", "n")
	reject(`{"id":"a","n":{"a":1}}`, "type", "n")
	reject(`{"id":"a","amount":0.001}`, "type", "amount")
	reject(`{"id":"a","amount":10000000000000000}`, "type", "amount")
	reject(`{"id":"a","born":"2023-02-29"}`, "type", "born")
	reject(`{"id":"a","born":"1899-12-31"}`, "type", "born")
	reject(`{"id":"a","born":20240131}`, "type", "born")
	reject(`{"id":"a","born":"2024-1-31"}`, "type", "born")
	reject(`{"id":"a","at":"2024-01-31T24:00:00Z"}`, "type", "at")
	reject(`{"id":"a","name":5}`, "type", "name")
	reject(`{"id":"a","name":true}`, "type", "name")
	reject(`{"id":"a","ok":2}`, "type", "ok")
	reject(`{"id":null}`, "key", "id")
	reject(`{"id":"  "}`, "key", "id")
	reject(`{"name":"b"}`, "key", "id")
	reject(`{}`, "key", "id")
	reject(`{"id":"a","id":"b"}`, "decode", "id")
	reject(`{"id":"a","x":1,"\u0078":2}`, "decode", "x")
	reject(`{"id":"a","name":"\ud800"}`, "encoding", "name")
	reject("{\"id\":\"\xff\"}", "encoding", "")
	for _, in := range []string{"", "null", "[]", `{"id":"a"`, `{"id":"a",}`, `{"id":"a"}x`, `{"id" "a"}`, `{"id":"a","n":01}`, `{"id":"a","n":+1}`,
		`{"id":"a","n":1.}`, `{"id":"a","n":tru}`, "{\"id\":\"a\tb\"}", `{"id":"\x"}`, `{"id":"a","x":[1,]}`, `{"id":"a","x":{"y"}}`, `{"id":"a\`} {
		reject(in, "decode", "")
	}
	reject(`{"id":"a","x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`, "decode", "")
	reject(`{"id":"`+strings.Repeat("a", ingest.MaxRecord)+`"}`, "oversize", "")
}

func TestDecodeCSV(t *testing.T) {
	dec := decoder(t, typed("csv"))
	d := decode(t, dec,
		"a,1,2.5,2024-01-31,2024-01-31 08:00:00,true,张三\r\n",
		`"a,""1""",,,,,,""`,
		"a,1,2",
		"a,1,2.5,20240131,,1,b,c",
		`a,,,,,,b"c`,
		"a,,,,,,b\nd,,,,,,e",
		`a,,,,,,"b`,
		",,,,,,b",
		"",
	)
	want := []string{"a|1|2.5|2024-01-31|2024-01-31T00:00:00Z|true|张三|", `a,"1"|∅|∅|∅|∅|∅||`}
	got := rows(t, d.Record)
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("rows %q, want %q", got, want)
	}
	var classes []string
	for _, r := range d.Rejects {
		classes = append(classes, r.Class)
	}
	if got := strings.Join(classes, " "); got != "decode decode decode decode decode key decode" {
		t.Errorf("rejects: %s", got)
	}
	if !strings.Contains(d.Rejects[1].Reason, "应有 7 个字段，实有 8 个") {
		t.Errorf("reason %q", d.Rejects[1].Reason)
	}
}

func TestDecodeRollsBackRejectedRows(t *testing.T) {
	dec := decoder(t, typed("json"))
	d := decode(t, dec,
		`{"id":"a","n":1,"name":"x"}`,
		`{"id":"b","n":2,"amount":null,"born":"2024-01-01","name":"y","ok":1,"u":1,"at":"bad"}`,
		`{"id":"c"}`,
		`{"id":"d","n":4,"ok":false,"name":"z"}`)
	got := strings.Join(rows(t, d.Record), "\n")
	want := "a|1|∅|∅|∅|∅|x|\nc|∅|∅|∅|∅|∅|∅|\nd|4|∅|∅|∅|false|z|"
	if got != want {
		t.Errorf("rows\n%s\nwant\n%s", got, want)
	}
	if len(d.Offsets) != 3 || d.Offsets[1] != 102 || d.Index[2] != 3 || d.Rejects[0].Offset != 101 || string(d.Rejects[0].Key) != "k" {
		t.Errorf("offsets %v, index %v, rejects %+v", d.Offsets, d.Index, d.Rejects)
	}
	if len(d.Normalised) != 0 {
		t.Errorf("normalised %v: the rejected row must not count", d.Normalised)
	}
}

func TestDecodeCountsNormalisations(t *testing.T) {
	d := decode(t, decoder(t, typed("json")),
		`{"id":"a","n":"1","ok":1,"at":"2024-01-31T08:00:00.123456Z"}`, `{"id":"b","n":"","ok":"否","at":"2024-01-31T08:00:00.1230Z"}`)
	if d.Normalised["n"] != 2 || d.Normalised["ok"] != 2 || d.Normalised["at"] != 1 || len(d.Normalised) != 3 {
		t.Errorf("normalised %v", d.Normalised)
	}
}

func TestDecodeKeepsMemoryUntilRelease(t *testing.T) {
	dec := decoder(t, typed("json"))
	one, err := dec.Decode(batchOf(`{"id":"first"}`))
	if err != nil {
		t.Fatal(err)
	}
	kept := one.Record.Column(0).(*array.String)
	kept.Retain()
	one.Release()
	for range 5 { // would overwrite "first" if the set were given out again
		decode(t, dec, `{"id":"other"}`)
	}
	if got := kept.Value(0); got != "first" {
		t.Errorf("a retained column now holds %q", got)
	}
	kept.Release()
}

func TestDecodeTombstone(t *testing.T) {
	b := batchOf("x")
	b.Records[0].Value = nil
	d, err := decoder(t, typed("json")).Decode(b)
	if err != nil || len(d.Rejects) != 1 || d.Rejects[0].Class != ingest.ClassTombstone {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestDigestTellsBoundaries(t *testing.T) {
	seen := map[string]bool{}
	for _, values := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}} {
		seen[ingest.Digest(batchOf(values...).Records)] = true
	}
	seen[ingest.Digest([]mulu.Record{{Value: []byte("abc")}, {}})] = true
	if len(seen) != 5 {
		t.Errorf("%d distinct digests, want 5", len(seen))
	}
}

func TestNewDecoderErr(t *testing.T) {
	bad := func(name string, change func(*mulu.Dataset)) {
		t.Helper()
		d := typed("json")
		change(d)
		if _, err := ingest.NewDecoder(d); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	bad("an unknown format", func(d *mulu.Dataset) { d.Format = "xml" })
	bad("an unknown type", func(d *mulu.Dataset) { d.Columns[1].Type = "blob" })
	bad("a scale of 19", func(d *mulu.Dataset) { d.Columns[2].Scale = 19 })
	bad("a column given twice", func(d *mulu.Dataset) { d.Columns[1].Name = "id" })
	bad("a key that is no column", func(d *mulu.Dataset) { d.Key = []string{"nope"} })
}
