package librarytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
	"mulu/library"
	"mulu/plan"
)

// testScan: what comes out is what went in, column by column, in Arrow types and values;
// every key once however the range is cut.
func testScan(t *testing.T, l *library.Library) {
	ds := residents("scan")
	apply(t, l, ds)
	odd := "a\n\nb\t'\"\\`\x00终"
	b := batch(t, ds, 0, []row{
		{id: "1", name: &odd, seq: p(int64(-1 << 62)), pension: p(int64(-123456789012345678)), birth: p("1912-02-29"), moved: p(int64(1767225599999)), alone: p(true), extra: `{"x":1}`},
		{id: "2"},
		{id: "3", name: p(""), seq: p(int64(0)), pension: p(int64(5)), birth: p("2026-01-01"), moved: p(int64(0)), alone: p(false)},
	})
	b.Flags = []uint64{5, 0, 1 << 63}
	store(t, l, b)
	var got arrow.RecordBatch
	err := l.Scan(t.Context(), "scan", library.ScanOptions{OrderByKey: true}, func(rec arrow.RecordBatch) error {
		rec.Retain()
		got = rec
		return nil
	})
	if err != nil || got == nil {
		t.Fatal(got, err)
	}
	defer got.Release()
	for i := range ds.Columns {
		if want, have := b.Record.Column(i), got.Column(i); !arrow.TypeEqual(want.DataType(), have.DataType()) || !array.Equal(want, have) {
			t.Errorf("column %s is %s %v, went in as %s %v", ds.Columns[i].Name, have.DataType(), have, want.DataType(), want)
		}
	}
	at := got.Schema().FieldIndices(mulu.ColFlags)[0]
	equal(t, "flags", got.Column(at).(*array.Uint64).Uint64Values(), b.Flags)
	equal(t, "first provenance column", got.Schema().Field(len(ds.Columns)).Name, mulu.ColExtra)

	many := residents("scan_many")
	apply(t, l, many)
	const n = 50_000
	store(t, l, batch(t, many, 0, numbered(n)))
	store(t, l, batch(t, many, n, numbered(n/2))) // again, in a part of its own
	gone := batch(t, many, 2*n, numbered(10))
	gone.Deleted = []uint64{1<<10 - 1}
	store(t, l, gone)
	ids := func(opt library.ScanOptions) (out []string, chunks int) {
		opt.Columns, opt.Provenance = []string{"id_no"}, []string{mulu.ColOffset}
		err := l.Scan(t.Context(), "scan_many", opt, func(rec arrow.RecordBatch) error {
			chunks++
			col := rec.Column(0).(*array.String)
			for i := range col.Len() {
				out = append(out, col.Value(i))
			}
			if rec.Column(2).NullN() != int(rec.NumRows()) {
				return errors.New("a column that was not asked for has values")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out, chunks
	}
	var want []string
	for i := 10; i < n; i++ {
		want = append(want, fmt.Sprintf("id%07d", i))
	}
	whole, chunks := ids(library.ScanOptions{Chunk: 8192, OrderByKey: true})
	if !slices.Equal(whole, want) || chunks < 5 {
		t.Errorf("%d rows in %d chunks, want %d in several", len(whole), chunks, len(want))
	}
	loose, _ := ids(library.ScanOptions{Chunk: 20_000})
	slices.Sort(loose)
	if !slices.Equal(loose, want) {
		t.Errorf("%d rows, want %d", len(loose), len(want))
	}
	one, _ := ids(library.ScanOptions{Share: 0.1, Seed: 7, OrderByKey: true})
	same, _ := ids(library.ScanOptions{Share: 0.1, Seed: 7, OrderByKey: true, Chunk: 8192})
	other, _ := ids(library.ScanOptions{Share: 0.1, Seed: 8, OrderByKey: true})
	if !slices.Equal(one, same) || slices.Equal(one, other) || len(one) < n/12 || len(one) > n/8 {
		t.Errorf("samples of %d, %d and %d rows", len(one), len(same), len(other))
	}
	first, _ := ids(library.ScanOptions{Limit: 3, OrderByKey: true, Where: plan.Predicate{Field: "seq", Op: plan.Ge, Value: int64(20_000)}})
	equal(t, "first rows of a condition", first, []string{"id0020000", "id0020001", "id0020002"})
	stop := errors.New("stop")
	is(t, l.Scan(t.Context(), "scan_many", library.ScanOptions{}, func(arrow.RecordBatch) error { return stop }), stop)
	is(t, l.Scan(t.Context(), "scan_many", library.ScanOptions{Columns: []string{"no"}}, nil), mulu.ErrInvalid)
	is(t, l.Scan(t.Context(), "none", library.ScanOptions{}, nil), mulu.ErrNotFound)
	ctx, cancel := context.WithCancel(t.Context())
	is(t, l.Scan(ctx, "scan_many", library.ScanOptions{Chunk: 8192}, func(arrow.RecordBatch) error { cancel(); return nil }), context.Canceled)
}

// testScanKeys: a key of several columns of other types is cut as well.
func testScanKeys(t *testing.T, l *library.Library) {
	ds := residents("scan_keys")
	ds.Columns[2].Required, ds.Columns[4].Required = true, true
	ds.Key = []string{"birth", "seq", "id_no"}
	apply(t, l, ds)
	const n = 40_000
	rows := numbered(n)
	for i := range rows {
		rows[i].birth = p(fmt.Sprintf("19%02d-01-02", 10+i%3)) // few values: the cut lies in the second column
		rows[i].seq = p(int64(i - n/2))
	}
	store(t, l, batch(t, ds, 0, rows))
	seen, chunks := map[int64]bool{}, 0
	last := [2]int64{-1 << 62, -1 << 62}
	err := l.Scan(t.Context(), "scan_keys", library.ScanOptions{Chunk: 8192, OrderByKey: true}, func(rec arrow.RecordBatch) error {
		chunks++
		seq, birth := rec.Column(2).(*array.Int64), rec.Column(4).(*array.Date32)
		for i := range seq.Len() {
			seen[seq.Value(i)] = true
			now := [2]int64{int64(birth.Value(i)), seq.Value(i)}
			if now[0] < last[0] || now[0] == last[0] && now[1] <= last[1] {
				return fmt.Errorf("%v comes after %v", now, last)
			}
			last = now
		}
		return nil
	})
	if err != nil || len(seen) != n || chunks < 4 {
		t.Errorf("%d rows in %d chunks: %v", len(seen), chunks, err)
	}
	apply(t, l, residents("scan_empty"))
	if err := l.Scan(t.Context(), "scan_empty", library.ScanOptions{}, func(rec arrow.RecordBatch) error {
		return fmt.Errorf("a batch of %d rows of an empty dataset", rec.NumRows())
	}); err != nil {
		t.Error(err)
	}
}
