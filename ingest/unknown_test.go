package ingest_test

import (
	"maps"
	"slices"
	"testing"

	"mulu"
	"mulu/ingest"
)

// TestDecodeCountsUnknownFields: a field that the version does not know counts once a
// row, whatever the row is wrapped in; so does a required one that is absent.
func TestDecodeCountsUnknownFields(t *testing.T) {
	flat := nested()
	flat.Columns = []mulu.Column{{Name: "id", Type: mulu.String}, {Name: "name", Type: mulu.String, Required: true}}
	feed := *flat
	feed.Format = mulu.FormatDebezium
	change := func(op, before, after string) string {
		return `{"before":` + before + `,"after":` + after + `,"source":{"connector":"postgresql","lsn":9},"op":"` + op + `"}`
	}
	for _, c := range []struct {
		name   string
		ds     *mulu.Dataset
		in     []string
		want   map[string]int64
		absent int64
		first  int // the row that lacks it first
	}{
		{"plain", flat, []string{`{"id":"1","name":"a","x":1}`, `{"x":{"y":1},"id":"2","z":0}`, `{"id":"3"}`}, map[string]int64{"x": 2, "z": 1}, 2, 1},
		{"nested", nested(), []string{`{"id":"1","x":1,"person":{"x":2,"home":{"x":3,"street":"a"}}}`, `{"id":"2","person":{"x":2}}`}, map[string]int64{"x": 1, "person.x": 2, "person.home.x": 1}, 0, 0},
		{"an update has its fields twice", &feed, []string{change("u", `{"id":"1","name":"a","x":1}`, `{"id":"1","name":"b","x":2}`)}, map[string]int64{"x": 1}, 0, 0},
		{"a moved key is two rows, one of them whole", &feed, []string{change("u", `{"id":"1","x":1}`, `{"id":"2","x":2}`)}, map[string]int64{"x": 1}, 1, 0},
		{"a deletion holds the key alone", &feed, []string{change("d", `{"id":"1","x":1}`, "null")}, nil, 0, 0},
	} {
		d := decode(t, decoder(t, c.ds), c.in...)
		if len(d.Rejects) > 0 {
			t.Errorf("%s: rejected: %s", c.name, d.Rejects[0].Reason)
		}
		if !maps.Equal(d.Unknown, c.want) {
			t.Errorf("%s: unknown fields %v, want %v", c.name, d.Unknown, c.want)
		}
		var want []ingest.Absent
		if c.absent > 0 {
			want = []ingest.Absent{{Field: "name", Records: c.absent, First: d.Offsets[c.first]}}
		}
		if !slices.Equal(d.Absent, want) {
			t.Errorf("%s: absent fields %+v, want %+v", c.name, d.Absent, want)
		}
	}
}
