package librarytest

import (
	"testing"
	"time"

	"mulu"
	"mulu/library"
	"mulu/plan"
)

// changes is a dataset of a change feed.
func changes(code mulu.DatasetCode) *mulu.Dataset {
	ds := residents(code)
	ds.Format = mulu.FormatDebezium
	return ds
}

// change is a batch of one offset a row, at positions of their own.
func change(t *testing.T, ds *mulu.Dataset, first int64, scheme string, positions []uint64, rows []row) library.Batch {
	t.Helper()
	b := batch(t, ds, first, rows)
	b.Versions, b.Feed.Schemes, b.Feed.Partitions = positions, []string{scheme}, 4
	return b
}

func seqs(t *testing.T, l *library.Library, code mulu.DatasetCode) [][]any {
	t.Helper()
	return read(t, l, plan.Plan{View: plan.View{Base: code}, Items: items("id_no", "seq"), OrderByKey: true}, library.ReadOptions{})
}

// testPositions: the source's position orders rows, not their arrival; at equal
// positions the row that came last stands, in one batch and over batches.
func testPositions(t *testing.T, l *library.Library) {
	ds := changes("positions")
	apply(t, l, ds)
	store(t, l, change(t, ds, 0, "lsn", []uint64{50, 60, 60, 60}, []row{{id: "a", seq: p(int64(1))}, {id: "b", seq: p(int64(1))}, {id: "b", seq: p(int64(2))}, {id: "c", seq: p(int64(1))}}))
	store(t, l, change(t, ds, 4, "lsn", []uint64{40, 60, 60}, []row{{id: "a", seq: p(int64(9))}, {id: "c", seq: p(int64(2))}, {id: "c", seq: p(int64(3))}}))
	want := [][]any{{"a", int64(1)}, {"b", int64(2)}, {"c", int64(3)}}
	equal(t, "rows", seqs(t, l, "positions"), want)
	for range 3 { // merges must not decide otherwise
		if err := l.MergeAll(t.Context(), "positions"); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "rows after a merge", seqs(t, l, "positions"), want)
	late := change(t, ds, 7, "lsn", []uint64{60}, []row{{id: "c"}})
	late.Deleted = []uint64{1}
	store(t, l, late)
	equal(t, "rows after a delete at the same position", seqs(t, l, "positions"), want[:2])
}

// testSnapshot: what a snapshot read never hides a change that comes after it, though
// that stands before it in the log. Each partition has its own snapshot.
func testSnapshot(t *testing.T, l *library.Library) {
	ds := changes("snapshot")
	apply(t, l, ds)
	b := change(t, ds, 0, "lsn", []uint64{100, 100}, []row{{id: "a", seq: p(int64(1))}, {id: "b", seq: p(int64(1))}})
	b.Feed.Snapshot = 100
	store(t, l, b)
	later := change(t, ds, 2, "lsn", []uint64{90}, []row{{id: "a", seq: p(int64(2))}})
	store(t, l, later)
	later.InDoubt = true
	store(t, l, later)
	equal(t, "rows", seqs(t, l, "snapshot"), [][]any{{"a", int64(2)}, {"b", int64(1)}})
	other := change(t, ds, 0, "lsn", []uint64{90}, []row{{id: "b", seq: p(int64(3))}})
	other.Plan.Partition = 1
	store(t, l, other)
	again := change(t, ds, 3, "lsn", []uint64{200}, []row{{id: "a", seq: p(int64(4))}})
	again.Feed.Snapshot = 200
	is(t, l.StoreData(t.Context(), again), mulu.ErrConflict, "second snapshot")
	equal(t, "rows with another partition's", seqs(t, l, "snapshot"), [][]any{{"a", int64(2)}, {"b", int64(1)}})
	again.Feed.Partitions = 1
	store(t, l, again)
	equal(t, "rows after a second snapshot of one partition", seqs(t, l, "snapshot"), [][]any{{"a", int64(4)}, {"b", int64(1)}})
}

// testSchemes: positions that do not compare stay out, also after a restart.
func testSchemes(t *testing.T, open func(t *testing.T) *library.Library) {
	l := open(t)
	ds, plain := changes("schemes"), residents("plain")
	apply(t, l, ds)
	apply(t, l, plain)
	one := []row{{id: "a", seq: p(int64(1))}}
	store(t, l, change(t, ds, 0, "binlog mysql-bin", []uint64{5}, one)) // a snapshot names no server
	store(t, l, change(t, ds, 1, "binlog mysql-bin@7", []uint64{6}, one))
	store(t, l, change(t, ds, 2, "binlog mysql-bin", []uint64{7}, one))
	store(t, l, batch(t, plain, 0, one))
	refused := func(l *library.Library) {
		t.Helper()
		for _, scheme := range []string{"lsn", "binlog mysql-bin@8", "binlog other@7", mulu.SchemeOffset} {
			is(t, l.StoreData(t.Context(), change(t, ds, 3, scheme, []uint64{9}, []row{{id: "z"}})), mulu.ErrConflict, scheme, "binlog mysql-bin@7")
		}
		mixed := change(t, ds, 3, "binlog mysql-bin@7", []uint64{9}, []row{{id: "z"}})
		mixed.Feed.Schemes = append(mixed.Feed.Schemes, "lsn")
		is(t, l.StoreData(t.Context(), mixed), mulu.ErrConflict)
		is(t, l.StoreData(t.Context(), batch(t, ds, 3, []row{{id: "z"}})), mulu.ErrConflict)
		is(t, l.StoreData(t.Context(), change(t, plain, 3, "lsn", []uint64{9}, []row{{id: "z"}})), mulu.ErrConflict, mulu.SchemeOffset)
		equal(t, "rows", seqs(t, l, "schemes"), [][]any{{"a", int64(1)}})
	}
	refused(l)
	again := open(t)
	apply(t, again, ds)
	apply(t, again, plain)
	refused(again)
	anew := change(t, ds, 0, "lsn", []uint64{1}, []row{{id: "a", seq: p(int64(2))}})
	anew.Plan.TopicID = mulu.TopicID{9}
	store(t, again, anew)
	equal(t, "rows of a new topic with another order", seqs(t, again, "schemes"), [][]any{{"a", int64(2)}})
}

// testFloor: a truncate hides every row below it, wherever it is read, also rows that
// come later; and their bytes go.
func testFloor(t *testing.T, l *library.Library) {
	ds := changes("floor")
	apply(t, l, ds)
	rows := func(n int64) []row { return []row{{id: "a", seq: p(n)}, {id: "b", seq: p(n)}} }
	store(t, l, change(t, ds, 0, "lsn", []uint64{10, 20}, rows(1)))
	cut := change(t, ds, 2, "lsn", []uint64{25, 40}, []row{{id: "c", seq: p(int64(2))}, {id: "b", seq: p(int64(2))}})
	cut.Feed.Floor = 30
	store(t, l, cut)
	cut.InDoubt = true
	store(t, l, cut) // as after a crash
	late := change(t, ds, 0, "lsn", []uint64{29}, []row{{id: "d", seq: p(int64(3))}})
	late.Plan.Partition = 1 // one that lags behind
	store(t, l, late)
	equal(t, "rows", seqs(t, l, "floor"), [][]any{{"b", int64(2)}})
	equal(t, "rows of a summary", count(t, l, "floor"), float64(1))
	audit, err := l.Audit(t.Context(), "floor")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "rows of an audit", [2]int64{audit.Visible, audit.VisibleKeys}, [2]int64{1, 1})
	base := residents("overfloor")
	apply(t, l, base)
	store(t, l, batch(t, base, 0, rows(0)))
	got := read(t, l, plan.Plan{View: plan.View{Base: "overfloor", Lookups: []plan.Lookup{{Name: "f", Dataset: "floor", Kind: plan.Exists, On: []string{"id_no"}}}}, Items: items("id_no", "f"), OrderByKey: true}, library.ReadOptions{})
	equal(t, "rows of a lookup", got, [][]any{{"a", false}, {"b", true}})
	point := plan.Plan{View: plan.View{Base: "floor"}, Items: items("seq"), Where: plan.Predicate{Field: "id_no", Op: plan.Eq, Value: "a"}}
	equal(t, "a point read of a hidden key", len(read(t, l, point, library.ReadOptions{})), 0)

	only := change(t, ds, 4, "lsn", nil, nil) // a batch of nothing but a truncate
	only.Feed.Floor = 50
	store(t, l, only)
	equal(t, "rows after the second truncate", len(seqs(t, l, "floor")), 0)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		n, err := library.RawRows(t.Context(), l, ds.Library, "floor")
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d rows below the floor still lie in the table after 20 s", n)
		}
	}
}
