package librarytest

import (
	"slices"
	"testing"
	"time"

	"mulu"
	"mulu/library"
	"mulu/plan"
)

// testCuts: rows are parted by when their batch landed, from one scan; distinct values
// that stand on both sides of a cut are one value in the whole. Records and rejects are
// parted alike.
func testCuts(t *testing.T, l *library.Library) {
	ds := residents("cuts")
	apply(t, l, ds)
	day := func(n int) time.Time { return time.Date(2026, 11, n, 4, 0, 0, 0, time.UTC) }
	put := func(first int64, at time.Time, flags []uint64, rows ...row) {
		t.Helper()
		b := batch(t, ds, first, rows)
		b.Flags, b.Plan.TopicID = flags, mulu.TopicID{77}
		store(t, l, b)
		good(t, l.StoreManifest(t.Context(), done(b, 0, at)))
	}
	put(0, day(1), []uint64{0b011, 0}, row{id: "a", name: p("x"), seq: p(int64(1))}, row{id: "b", name: p("y")})
	put(2, day(10), []uint64{0b010, 0b100}, row{id: "c", name: p("x"), extra: `{"new":1}`}, row{id: "d", seq: p(int64(2)), name: p("z")})
	put(4, day(20), []uint64{0b110}, row{id: "e", name: p("x"), seq: p(int64(3))})
	put(5, day(21), []uint64{0}, row{id: "a", name: p("w"), seq: p(int64(4))}) // replaces the first
	late := batch(t, ds, 6, []row{{id: "f"}, {id: "g"}})
	late.Plan.TopicID = mulu.TopicID{77}
	good(t, l.StoreRejects(t.Context(), []mulu.Reject{
		{Batch: late.Plan.BatchID, Dataset: "cuts", Offset: 6, Class: "rule", Rule: "r", Field: "id_no"},
		{Batch: late.Plan.BatchID, Dataset: "cuts", Offset: 7, Class: "type", Field: "seq"}}), l.StoreManifest(t.Context(), done(late, 2, day(22))))

	in := func(from, to time.Time) []plan.Range {
		t.Helper()
		r, err := l.LandedIn(t.Context(), "cuts", from, to)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	cuts := []plan.Cut{{As: "period", In: in(day(15), time.Time{})}, {As: "old", In: in(time.Time{}, day(5))}}
	if r := in(day(9), day(20)); len(r) != 1 || r[0].From != 2 || r[0].To != 4 {
		t.Errorf("landed from the 9th to before the 20th: %+v, want [2, 4)", r)
	}
	if r := in(day(25), time.Time{}); len(r) != 0 {
		t.Errorf("nothing landed after the 25th: %+v", r)
	}
	got, err := l.Summary(t.Context(), plan.Summary{Dataset: "cuts", Cuts: cuts, Measures: []plan.Measure{
		{As: "rows", Kind: plan.Rows}, {As: "names", Kind: plan.Distinct, Columns: []string{"name"}}, {As: "both", Kind: plan.NonNull, Columns: []string{"name", "seq"}},
		{As: "f1", Kind: plan.Flag, Bit: 1}, {As: "once", Kind: plan.Flag, Bit: 1, Unless: 0b100}, {As: "any", Kind: plan.AnyFlag, Any: 0b101}, {As: "extra", Kind: plan.Extra}}})
	if err != nil {
		t.Fatal(err)
	}
	find := func(period, old int64) map[string]any {
		i := slices.IndexFunc(got, func(m map[string]any) bool { return m["period"] == period && m["old"] == old })
		if i < 0 {
			return nil
		}
		return got[i]
	}
	want := func(period, old int64, rows, names, both, f1, once, some, extra float64) {
		t.Helper()
		equal(t, "part", find(period, old), map[string]any{"period": period, "old": old, "rows": rows, "names": names, "both": both, "f1": f1, "once": once, "any": some, "extra": extra})
	}
	// Current rows: b of the 1st (y), c and d of the 10th (x, z), e of the 20th (x), a of the 21st (w).
	want(plan.Whole, plan.Whole, 5, 4, 3, 2, 1, 2, 1)
	want(plan.Inside, plan.Whole, 2, 2, 2, 1, 0, 1, 0)
	want(plan.Outside, plan.Whole, 3, 3, 1, 1, 1, 1, 1)
	want(plan.Whole, plan.Inside, 1, 1, 0, 0, 0, 0, 0)
	want(plan.Whole, plan.Outside, 4, 3, 3, 2, 1, 2, 1)
	want(plan.Outside, plan.Outside, 2, 2, 1, 1, 1, 1, 1)
	if find(plan.Inside, plan.Inside) != nil {
		t.Error("a part without rows has a line")
	}

	empty := []plan.Cut{{As: "period"}, {As: "old"}} // nothing landed in either
	got, err = l.Summary(t.Context(), plan.Summary{Dataset: "cuts", Cuts: empty, Measures: []plan.Measure{{As: "rows", Kind: plan.Rows}}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the whole beside empty parts", find(plan.Whole, plan.Whole), map[string]any{"period": plan.Whole, "old": plan.Whole, "rows": 5.0})
	equal(t, "what is outside of empty parts", find(plan.Outside, plan.Outside), map[string]any{"period": plan.Outside, "old": plan.Outside, "rows": 5.0})

	parts, err := l.Received(t.Context(), "cuts", cuts)
	if err != nil {
		t.Fatal(err)
	}
	read, refused, classes := map[[2]bool]int64{}, int64(0), 0
	for _, r := range parts {
		read[[2]bool{r.In[0], r.In[1]}] = r.Good
		refused, classes = refused+r.Rejected, classes+len(r.Classes)
		if r.Rejected > 0 && !r.In[0] {
			t.Error("the rejects of the 22nd are not in the period")
		}
	}
	equal(t, "good records", read, map[[2]bool]int64{{false, true}: 2, {false, false}: 2, {true, false}: 2})
	if refused != 2 || classes != 2 {
		t.Errorf("%d records refused in %d classes, want 2 in 2", refused, classes)
	}
	hours, first, err := l.Arrivals(t.Context(), "cuts", day(10))
	if err != nil || len(hours) != 3 || !first.Equal(day(1)) { // the 22nd stored no row
		t.Errorf("arrivals %v, first %v, %v", hours, first, err)
	}
	_, err = l.Summary(t.Context(), plan.Summary{Dataset: "cuts", Cuts: cuts, GroupBy: []string{"alone"}, Measures: []plan.Measure{{As: "n", Kind: plan.Rows}}})
	is(t, err, mulu.ErrInvalid, "cuts")
}
