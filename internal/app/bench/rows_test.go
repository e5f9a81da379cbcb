package bench

import (
	"testing"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/internal/sample"
	"mulu/quality"
	"mulu/quality/codes"
)

func TestRows(t *testing.T) {
	ds := dataset(code, "bench", false)
	dec, err := ingest.NewDecoder(ds)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := codes.Load(codes.WithSynthetic(sample.NoDivision))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := quality.Compile(ds, tables)
	if err != nil {
		t.Fatal(err)
	}
	const n = 20_000
	b, size, want := &ingest.Batch{}, 0, 0
	b.Plan = mulu.Plan{BatchID: mulu.BatchID{Topic: "bench", Last: n - 1}, Dataset: code, Version: 1}
	keys := map[int64]bool{}
	for i := range int64(n) {
		v := new(rows).append(i)
		size += len(v)
		b.Records = append(b.Records, mulu.Record{Offset: i, Value: v})
		keys[key(i)] = true
		if faulty(i) {
			want++
		}
	}
	d, err := dec.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	checked := rules.Check(d.Record, d.Offsets, time.Now())
	t.Run("are about 330 bytes", func(t *testing.T) {
		if per := size / n; per < 300 || per > 360 {
			t.Errorf("%d bytes", per)
		}
	})
	t.Run("have keys of their own", func(t *testing.T) {
		if len(keys) != n {
			t.Errorf("%d keys for %d rows", len(keys), n)
		}
	})
	t.Run("are rejected only where they are faulty", func(t *testing.T) {
		if got := len(d.Rejects) + len(checked.Rejected); got != want || len(d.Rejects) == 0 || len(checked.Rejected) == 0 {
			t.Errorf("%d rejects of type and %d of rules, want %d: first %+v", len(d.Rejects), len(checked.Rejected), want, d.Rejects[:1])
		}
	})
	t.Run("break soft rules in a few rows of a hundred", func(t *testing.T) {
		for _, f := range checked.Findings(b.Plan) {
			if f.Evaluated < n*85/100 || f.Failed > f.Evaluated/20 {
				t.Errorf("%s: %d failed of %d", f.Rule, f.Failed, f.Evaluated)
			}
		}
	})
}
