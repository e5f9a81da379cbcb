// Package librarytest is the conformance suite of package library: every engine
// that stands under it, embedded or over the network, passes Run.
package librarytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
	"mulu/library"
	"mulu/plan"
)

// Now is the time the library under test must be opened with.
func Now() time.Time { return time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC) }

// Run runs the suite. open gives a library on an engine that may be shared; its
// clock must be Now.
func Run(t *testing.T, open func(t *testing.T) *library.Library) {
	l := open(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *library.Library)
	}{
		{"every type comes back as it went in", testTypes},
		{"a newer row replaces, a deleted row is gone", testReplace},
		{"a batch in doubt is settled per table", testSettle},
		{"dropped rows are not stored", testCompaction},
		{"a topic made anew replaces the old one", testNewTopic},
		{"a later version widens, a changed one is refused", testEvolution},
		{"wrong batches are refused", testRefuse},
		{"masks show what the convention says", testMasks},
		{"conditions select exactly", testPredicates},
		{"values are never read as SQL", testInjection},
		{"lookups answer latest, exists and count", testLookups},
		{"exports are counted exactly", testExport},
		{"failing rows are paged by key", testFailing},
		{"rows that are alike are found together", testTogether},
		{"refused rows are read from their record", testRefused},
		{"a list knows what became of its rows", testBecame},
		{"a scan gives what went in, whatever the cuts", testScan},
		{"a scan cuts keys of several columns", testScanKeys},
		{"a summary is one row per group", testSummary},
		{"measures are what they are by hand", testMeasures},
		{"a summary joins its lookups", testJoinedSummary},
		{"expressions have three answers", testExpressions},
		{"a free statement reads the libraries and nothing else", testFreeSQL},
		{"facts stored twice are there once", testFacts},
		{"a reject is closed once", testMends},
		{"a replayed row keeps its place", testReplay},
		{"a withdrawn batch is as if it had not come", testWithdraw},
		{"a key is never missing during a withdrawal", testWithdrawUnderMerges},
		{"a cancelled export ends", testCancel},
		{"positions order rows, at equal ones the last stands", testPositions},
		{"a snapshot hides nothing that comes after it", testSnapshot},
		{"a truncate hides what is below it", testFloor},
		{"cuts part rows, records and rejects by when they landed", testCuts},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, l) })
	}
	t.Run("the state of the rows has a name", func(t *testing.T) { testDataVersion(t, open) })
	t.Run("positions that do not compare are held", func(t *testing.T) { testSchemes(t, open) })
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %#v\nwant %#v", what, got, want)
	}
}

func is(t *testing.T, err, want error, words ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func testTypes(t *testing.T, l *library.Library) {
	ds := residents("types")
	apply(t, l, ds)
	apply(t, l, ds)
	odd := "a\n\nb\t'\"\\`\x00终"
	rows := []row{
		{id: "1", name: &odd, seq: p(int64(-1 << 62)), pension: p(int64(-123456789012345678)), birth: p("1912-02-29"), moved: p(int64(1767225599999)), alone: p(true), extra: `{"x":1}`},
		{id: "2"},
		{id: "3", name: p(""), seq: p(int64(0)), pension: p(int64(5)), birth: p("2026-01-01"), moved: p(int64(0)), alone: p(false)},
	}
	store(t, l, batch(t, ds, 0, rows))
	got := read(t, l, plan.Plan{View: plan.View{Base: "types"}, Items: items("id_no", "name", "seq", "pension", "birth", "moved", "alone"), OrderByKey: true}, library.ReadOptions{})
	equal(t, "rows", got, [][]any{
		{"1", odd, int64(-1 << 62), "-1234567890123456.78", "1912-02-29", "2026-01-01T07:59:59.999+08:00", true},
		{"2", nil, nil, nil, nil, nil, nil},
		{"3", "", int64(0), "0.05", "2026-01-01", "1970-01-01T08:00:00.000+08:00", false},
	})
}

func testReplace(t *testing.T, l *library.Library) {
	ds := residents("replace")
	apply(t, l, ds)
	store(t, l, batch(t, ds, 0, []row{{id: "a", seq: p(int64(1))}, {id: "b", seq: p(int64(1))}, {id: "a", seq: p(int64(2))}}))
	b := batch(t, ds, 3, []row{{id: "b"}})
	b.Deleted = []uint64{1}
	store(t, l, b)
	all := plan.Plan{View: plan.View{Base: "replace"}, Items: items("id_no", "seq"), OrderByKey: true}
	equal(t, "rows", read(t, l, all, library.ReadOptions{}), [][]any{{"a", int64(2)}})
}

func testSettle(t *testing.T, l *library.Library) {
	ds := residents("settle")
	ds.History = false
	apply(t, l, ds)
	b := batch(t, ds, 0, numbered(100))
	store(t, l, b) // without history: as if the crash came between the tables
	ds.History = true
	apply(t, l, ds)
	b.InDoubt = true
	store(t, l, b)
	store(t, l, b)
	raw := func(table string) int64 {
		n, err := library.RawRows(t.Context(), l, ds.Library, table)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	equal(t, "current", raw("settle"), int64(100))
	equal(t, "history", raw("settle_history"), int64(100))
	next := batch(t, ds, 100, numbered(50))
	next.InDoubt = true
	store(t, l, next)
	equal(t, "history after the next batch", raw("settle_history"), int64(150))
}

func testCompaction(t *testing.T, l *library.Library) {
	ds := residents("compaction")
	apply(t, l, ds)
	const n = 1000
	b := batch(t, ds, 0, numbered(n+10))
	b.Record = b.Record.NewSlice(10, n+10) // an Arrow slice has an offset into its buffers
	b.Offsets, b.Flags = b.Offsets[10:], b.Flags[10:]
	b.Drop = make([]uint64, (n+63)/64)
	var want [][]any
	rows := numbered(n + 10)
	for i := range n {
		if i%7 == 3 || i > 900 && i < 990 {
			b.Drop[i/64] |= 1 << (i % 64)
			continue
		}
		r := rows[i+10]
		v := []any{r.id, nil, *r.seq, nil, nil}
		if r.name != nil {
			v[1] = *r.name
		}
		if r.alone != nil {
			v[3], v[4] = *r.alone, fmt.Sprintf("%d", *r.pension/100)
			if c := *r.pension % 100; c%10 != 0 {
				v[4] = fmt.Sprintf("%d.%02d", *r.pension/100, c)
			} else if c != 0 {
				v[4] = fmt.Sprintf("%d.%d", *r.pension/100, c/10)
			}
		}
		want = append(want, v)
	}
	store(t, l, b)
	got := read(t, l, plan.Plan{View: plan.View{Base: "compaction"}, Items: items("id_no", "name", "seq", "alone", "pension"), OrderByKey: true, Limit: 5000}, library.ReadOptions{})
	equal(t, "rows", got, want)
	all := batch(t, ds, 5000, numbered(64))
	all.Drop = []uint64{^uint64(0)}
	store(t, l, all)
	equal(t, "rows after a batch of rejects", count(t, l, "compaction"), float64(len(want)))
}

func testNewTopic(t *testing.T, l *library.Library) {
	ds := residents("anew")
	apply(t, l, ds)
	store(t, l, batch(t, ds, 500, []row{{id: "a", seq: p(int64(1))}}))
	b := batch(t, ds, 0, []row{{id: "a", seq: p(int64(2))}})
	b.Plan.TopicID, b.InDoubt = mulu.TopicID{2}, true
	store(t, l, b)
	got := read(t, l, plan.Plan{View: plan.View{Base: "anew"}, Items: items("seq")}, library.ReadOptions{})
	equal(t, "row of the new topic", got, [][]any{{int64(2)}})
}

func testEvolution(t *testing.T, l *library.Library) {
	ds := residents("evolve")
	wide := ds.Columns
	ds.Columns = append([]mulu.Column{}, wide[:8]...)
	apply(t, l, ds)
	next := residents("evolve")
	next.Version = 2
	apply(t, l, next)
	store(t, l, batch(t, next, 0, []row{{id: "a", address: p("曹杨路")}}))
	// Planned before the new version, walked again after it.
	old := batch(t, next, 1, []row{{id: "b", address: p("lost: version 1 does not have it")}})
	old.Plan.Version = 1
	cols := append(append([]arrow.Array{}, old.Record.Columns()[:8]...), old.Record.Column(9))
	fields := append(append([]arrow.Field{}, old.Record.Schema().Fields()[:8]...), old.Record.Schema().Field(9))
	old.Record = array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, 1)
	store(t, l, old)
	got := read(t, l, plan.Plan{View: plan.View{Base: "evolve"}, Items: items("id_no", "address"), OrderByKey: true}, library.ReadOptions{})
	equal(t, "new column", got, [][]any{{"a", "曹杨路"}, {"b", nil}})
	old.Plan.Version = 3
	is(t, l.StoreData(t.Context(), old), mulu.ErrConflict, "version 3")
	apply(t, l, ds) // an old version applied again is not what is read
	if v := l.Dataset("evolve").Version; v != 2 {
		t.Errorf("version %d is read", v)
	}

	bad := residents("evolve")
	bad.Columns[2].Type = mulu.String
	is(t, l.Apply(t.Context(), bad), mulu.ErrConflict, "seq", "Int64")
	bad = residents("evolve")
	bad.Key = []string{"id_no", "name"}
	bad.Columns[1].Required = true
	if err := l.Apply(t.Context(), bad); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("a changed key is accepted: %v", err)
	}
	bad = residents("evolve")
	bad.Columns[1].Name = "_offset"
	is(t, l.Apply(t.Context(), bad), mulu.ErrInvalid, "_offset")
	bad = residents("evolve")
	bad.Library = "default"
	is(t, l.Apply(t.Context(), bad), mulu.ErrInvalid, "default")
}

func testRefuse(t *testing.T, l *library.Library) {
	ds := residents("refuse")
	apply(t, l, ds)
	ctx := t.Context()
	b := batch(t, ds, 0, numbered(3))
	b.Offsets[2] = 99
	is(t, l.StoreData(ctx, b), mulu.ErrInvalid, "offset 99")
	b = batch(t, ds, 0, numbered(3))
	b.Flags = b.Flags[:2]
	is(t, l.StoreData(ctx, b), mulu.ErrInvalid)
	store(t, l, library.Batch{Plan: b.Plan}) // nothing but control records
	b.Record = nil
	is(t, l.StoreData(ctx, b), mulu.ErrInvalid, "no record")
	b = batch(t, ds, 0, numbered(3))
	b.Plan.Dataset = "nobody"
	is(t, l.StoreData(ctx, b), mulu.ErrNotFound, "nobody")
	if n := count(t, l, "refuse"); n != 0 {
		t.Errorf("%v rows of refused batches are stored", n)
	}
	is(t, l.StoreManifest(ctx, mulu.Manifest{Plan: b.Plan, Good: 1}), mulu.ErrInvalid, "control")
}

func testFacts(t *testing.T, l *library.Library) {
	ds := residents("facts")
	apply(t, l, ds)
	ctx := t.Context()
	id := mulu.BatchID{TopicID: mulu.TopicID{9}, Topic: ds.Topic, Partition: 3, First: 100, Last: 109}
	rejects := []mulu.Reject{
		{Batch: id, Offset: 101, Class: "decode", Reason: "不是 JSON", Key: []byte("k"), Value: []byte{0xff, 0, '\n', '\n', '{'}},
		{Batch: id, Offset: 105, Class: "rule", Rule: "id_no.gb11643", Field: "id_no", Reason: "校验位错误", Value: []byte(`{"id_no":"1"}`)},
		{Batch: id, Offset: 107, Class: "rule", Rule: "id_no.gb11643", Field: "id_no", Reason: "校验位错误", Value: []byte(`{"id_no":"2"}`)}}
	findings := []mulu.Finding{{Batch: id, Dataset: ds.Code, Ruleset: 1, Rule: "id_no.gb11643", Indicator: "030100", Evaluated: 9, Failed: 2, Sample: []int64{105, 107}}}
	m := mulu.Manifest{Plan: mulu.Plan{BatchID: id, Dataset: ds.Code, Version: 1}, Good: 6, Rejected: 3, Control: 1, Bytes: 1234, Digest: "sha256:ab", At: Now(), Oldest: Now().Add(-2 * time.Second), Newest: Now().Add(-time.Second)}
	m2 := m
	m2.First, m2.Last, m2.Good, m2.Rejected, m2.Control, m2.At = 110, 111, 2, 0, 0, Now().Add(time.Second)
	m2.Oldest, m2.Newest = time.Time{}, time.Time{} // none of its records has a time
	running := func() []library.Total {
		sums, err := l.RunningTotals(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return sums
	}
	for range 2 { // the second time nothing may be counted again
		for _, err := range []error{l.StoreRejects(ctx, rejects), l.StoreFindings(ctx, findings), l.StoreManifest(ctx, m)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		running()
		if err := l.StoreManifest(ctx, m2); err != nil {
			t.Fatal(err)
		}
	}
	page, next, err := l.Rejects(ctx, library.RejectFilter{Dataset: ds.Code}, "", 2)
	if err != nil || len(page) != 2 || next == "" {
		t.Fatalf("first page: %d rejects, next %q: %v", len(page), next, err)
	}
	rest, next, err := l.Rejects(ctx, library.RejectFilter{Dataset: ds.Code}, next, 2)
	if err != nil || len(rest) != 1 || next != "" {
		t.Fatalf("second page: %d rejects, next %q: %v", len(rest), next, err)
	}
	want := rejects[0]
	want.Dataset = ds.Code
	equal(t, "oldest reject", rest[0], library.StoredReject{Reject: want, At: Now(), State: library.RejectOpen})
	at, err := l.RejectsAt(ctx, ds.Code, []mulu.RowID{want.ID(), {TopicID: id.TopicID, Partition: 3, Offset: 102}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "reject by position", at, rest)
	classes, err := l.RejectClasses(ctx, library.RejectFilter{Dataset: ds.Code})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "classes", classes, []library.RejectClass{{Dataset: ds.Code, Class: "rule", Rule: "id_no.gb11643", Field: "id_no", Rows: 2, Last: Now()}, {Dataset: ds.Code, Class: "decode", Rows: 1, Last: Now()}})
	ft, err := l.FindingTotals(ctx, ds.Code, 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "finding totals", ft, map[mulu.RuleID]library.FindingTotal{"id_no.gb11643": {Indicator: "030100", Evaluated: 9, Failed: 2}})
	totals, err := l.Totals(ctx)
	if err != nil || len(totals) != 1 {
		t.Fatalf("%d totals: %v", len(totals), err)
	}
	equal(t, "running totals", running(), totals)
	equal(t, "total", totals[0], library.Total{Dataset: ds.Code, Topic: ds.Topic, TopicID: id.TopicID, Partition: 3, From: 100, Through: 111, Offsets: 12, Good: 8, Rejected: 3, Control: 1, Bytes: 2468, Batches: 2, Last: m2.At})
	if !totals[0].Balanced() {
		t.Error("the equation does not hold")
	}
	ms, cursor, err := l.Manifests(ctx, "", time.Time{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "first manifest", ms, []mulu.Manifest{m})
	ms, cursor, err = l.Manifests(ctx, cursor, time.Time{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "second manifest", ms, []mulu.Manifest{m2})
	if ms, again, err := l.Manifests(ctx, cursor, time.Time{}, 10); err != nil || len(ms) != 0 || again != cursor {
		t.Errorf("after the last: %d manifests, cursor %q: %v", len(ms), again, err)
	}
	if ms, _, err := l.Manifests(ctx, "", Now(), 10); err != nil || len(ms) != 1 {
		t.Errorf("until the first: %d manifests: %v", len(ms), err)
	}
	recent, err := l.RecentBatches(ctx, ds.Code, Now(), 10)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "recent", recent, []mulu.Manifest{m2, m})
	_, _, err = l.Manifests(ctx, "1.2.3", time.Time{}, 1)
	is(t, err, mulu.ErrInvalid)
}

// slow ends the context once the first bytes have come, and takes its time: a fast
// engine would else be done before it hears of the end.
type slow struct{ cancel context.CancelFunc }

func (s slow) Write(p []byte) (int, error) {
	s.cancel()
	time.Sleep(20 * time.Millisecond)
	return len(p), nil
}

func testCancel(t *testing.T, l *library.Library) {
	ds := residents("cancel")
	apply(t, l, ds)
	for i := range int64(4) {
		store(t, l, batch(t, ds, i*100_000, numbered(100_000)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := l.Export(ctx, plan.Plan{View: plan.View{Base: "cancel"}, Items: items("id_no", "name", "seq")}, library.NDJSON, library.ReadOptions{}, slow{cancel})
	is(t, err, context.Canceled)
	if n := count(t, l, "cancel"); n != 100_000 {
		t.Errorf("after a cancel %v rows are visible", n)
	}
}

// LargestBatch stores one batch of as many rows as are accepted into lib_largest.largest.
func LargestBatch(t *testing.T, l *library.Library) {
	t.Helper()
	ds := residents("largest")
	ds.History = false
	apply(t, l, ds)
	store(t, l, batch(t, ds, 0, numbered(library.MaxBatchRows)))
	over := batch(t, ds, library.MaxBatchRows, numbered(1))
	over.Record = batch(t, ds, 0, numbered(library.MaxBatchRows+1)).Record
	is(t, l.StoreData(t.Context(), over), mulu.ErrInvalid, "one block")
}
