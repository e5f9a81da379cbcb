package librarytest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/library"
	"mulu/plan"
)

var rowKey = []byte("0123456789abcdef0123456789abcdef")

// judged is residents with rules and a division in address.
func judged(code mulu.DatasetCode) *mulu.Dataset {
	ds := residents(code)
	ds.Columns[2].Required = true
	ds.Key = []string{"seq", "id_no"}
	ds.Rules = []mulu.Rule{{ID: "a"}, {ID: "b"}, {ID: "id", Blocking: true}}
	return ds
}

func failingOf(ds *mulu.Dataset, rule mulu.RuleID, items ...plan.Item) plan.Failing {
	return plan.Failing{View: plan.View{Base: ds.Code}, Rule: rule, Fault: plan.Fault{Flag: true}, Items: items, Unit: plan.Unit{Else: "OWNER"}}
}

// allFailing walks the pages of a plan.
func allFailing(t *testing.T, l *library.Library, f plan.Failing, page int) (out []library.FailingRow) {
	t.Helper()
	after := ""
	for {
		rows, next, err := l.Failing(t.Context(), f, library.FailingOptions{Key: rowKey, After: after, Limit: page})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rows...)
		if next == "" {
			return out
		}
		if len(rows) != page {
			t.Fatalf("a page of %d rows before another one, want %d", len(rows), page)
		}
		after = next
	}
}

func testFailing(t *testing.T, l *library.Library) {
	ds := judged("failing")
	apply(t, l, ds)
	const n = 250
	rows := numbered(n)
	for i := range rows {
		rows[i].seq, rows[i].phone, rows[i].address = p(int64(i%3)), p("13800001234"), p([]string{"310107005001", "310107006001", "nowhere"}[i%3])
	}
	b := batch(t, ds, 0, rows)
	want := map[string]bool{}
	for i := range rows {
		b.Flags[i] = uint64(i % 4) // a: 1, 3; b: 2, 3
		if i%4&1 == 1 {
			want[rows[i].id] = true
		}
	}
	store(t, l, b)
	f := failingOf(ds, "a", plan.Item{Name: "id_no"}, plan.Item{Name: "phone", Mask: plan.MaskPhone}, plan.Item{Name: "seq", Mask: plan.MaskHide})
	seen := map[string]string{}
	for _, page := range []int{1, 7, 124, 125, 1000} {
		got := allFailing(t, l, f, page)
		if len(got) != len(want) {
			t.Fatalf("pages of %d: %d rows, want %d", page, len(got), len(want))
		}
		for _, r := range got {
			id := r.Values[0].(string)
			if !want[id] || r.Values[1] != "138****1234" || r.Values[2] != nil {
				t.Fatalf("row %+v", r)
			}
			if seen[id] != "" && seen[id] != r.Token || len(r.Token) != 32 {
				t.Fatalf("token of %s is %s and was %s", id, r.Token, seen[id])
			}
			seen[id] = r.Token
			i := int(r.ID.Offset)
			if rows[i].id != id || r.Breaks[0] != "a" || (len(r.Breaks) == 2) != (i%4 == 3) || r.Unit != "OWNER" {
				t.Fatalf("row %d: %+v", i, r)
			}
		}
	}
	_, next, err := l.Failing(t.Context(), f, library.FailingOptions{Key: rowKey, Limit: 3})
	if err != nil || strings.Contains(next, "6964303030") || strings.Contains(next, "id0") {
		t.Errorf("cursor %q tells a key: %v", next, err)
	}
	for _, bad := range []string{"zz", "00", strings.Map(func(r rune) rune { // every digit another one
		return rune("123456789abcdef0"[strings.IndexRune("0123456789abcdef", r)])
	}, next)} {
		_, _, err = l.Failing(t.Context(), f, library.FailingOptions{Key: rowKey, After: bad, Limit: 3})
		is(t, err, mulu.ErrInvalid)
	}

	f.Unit = plan.Unit{Column: "address", Prefix: 9, Names: map[string]mulu.OrgCode{"310107005": "FIVE", "310107006": "SIX"}, Else: "OWNER"}
	counts, unjudged, err := l.CountFailing(t.Context(), f, rowKey)
	if err != nil || unjudged != 0 || len(counts) != 3 || counts[0].Rows+counts[1].Rows+counts[2].Rows != int64(len(want)) {
		t.Fatalf("counts %v, %d not judged: %v", counts, unjudged, err)
	}
	f.Unit.Only = "SIX"
	f.Where = plan.Predicate{Field: "address", Op: plan.Prefix, Value: "310107006"}
	if got := allFailing(t, l, f, 10); int64(len(got)) != counts[1].Rows && int64(len(got)) != counts[2].Rows || got[0].Unit != "SIX" {
		t.Errorf("%d rows of SIX, counts %v", len(got), counts)
	}
	var units []string
	f.Unit.Only, f.Where = "", plan.Predicate{}
	err = l.EachFailing(t.Context(), f, rowKey, func(c []string) error {
		if seen[c[library.ExportColumns]] != c[0] || c[library.ExportColumns+1] != "138****1234" || c[library.ExportColumns+2] != "" || !strings.HasPrefix(c[8], "a") {
			return fmt.Errorf("exported %q", c)
		}
		units = append(units, c[2])
		return nil
	})
	if err != nil || len(units) != len(want) || units[0] != "FIVE" || units[len(units)-1] != "SIX" {
		t.Errorf("exported %d rows: %v", len(units), err)
	}

	newer := judged("failing")
	newer.Version = 2
	apply(t, l, newer)
	if _, unjudged, err = l.CountFailing(t.Context(), f, rowKey); err != nil || unjudged != 0 {
		t.Errorf("%d rows not judged under the same rules: %v", unjudged, err)
	}
	newer = judged("failing")
	newer.Version, newer.Rules[0].Kind = 3, "other"
	apply(t, l, newer)
	_, unjudged, err = l.CountFailing(t.Context(), f, rowKey)
	if err != nil || unjudged != n {
		t.Errorf("%d rows not judged under version 3, want %d: %v", unjudged, n, err)
	}
}

func testTogether(t *testing.T, l *library.Library) {
	ds := residents("together")
	apply(t, l, ds)
	store(t, l, batch(t, ds, 0, []row{
		{id: "a", name: p("甲"), seq: p(int64(1))}, {id: "b", name: p("甲"), seq: p(int64(1))}, {id: "c", name: p("甲"), seq: p(int64(2))},
		{id: "d", seq: p(int64(3))}, {id: "e", seq: p(int64(3))}, {id: "f"}, {id: "g", name: p("乙")},
	}))
	ids := func(same []string, when *plan.Predicate) (ids string, groups int) {
		t.Helper()
		f := failingOf(ds, "u", plan.Item{Name: "id_no"})
		f.Fault = plan.Fault{Same: same, When: when}
		g := map[string]bool{}
		for _, r := range allFailing(t, l, f, 2) {
			ids += r.Values[0].(string)
			g[r.Group] = true
		}
		return ids, len(g)
	}
	for _, c := range []struct {
		same   []string
		when   *plan.Predicate
		want   string
		groups int
	}{
		{[]string{"name"}, nil, "abc", 1}, // nulls are not values of one column
		{[]string{"name", "seq"}, nil, "abde", 2},
		{[]string{"name"}, &plan.Predicate{Field: "seq", Op: plan.Eq, Value: int64(1)}, "ab", 1},
		{[]string{"id_no"}, nil, "", 0},
	} {
		if got, groups := ids(c.same, c.when); got != c.want || groups != c.groups {
			t.Errorf("together by %v: %q in %d groups, want %q in %d", c.same, got, groups, c.want, c.groups)
		}
	}
}

func testRefused(t *testing.T, l *library.Library) {
	ds := residents("refused")
	ds.Rules = []mulu.Rule{{ID: "phone", Blocking: true}}
	apply(t, l, ds)
	b := batch(t, ds, 100, []row{{id: "later"}, {id: "before"}})
	store(t, l, b)
	reject := func(offset int64, value string) mulu.Reject {
		r := mulu.Reject{Batch: mulu.BatchID{TopicID: mulu.TopicID{1}, Topic: ds.Topic, First: offset, Last: offset}, Dataset: ds.Code, Offset: offset, Class: "rule", Rule: "phone", Value: []byte(value)}
		if err := l.StoreRejects(t.Context(), []mulu.Reject{r}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	reject(50, `{"id_no":"later","phone":"13800001234"}`) // corrected by offset 100
	stands := reject(200, `{"id_no":"before","phone":"13800005678","birth":"1950-02-03","seq":7,"address":"310107006001"}`)
	reject(201, `{"id_no":`)
	f := failingOf(ds, "phone", plan.Item{Name: "id_no"}, plan.Item{Name: "phone", Mask: plan.MaskPhone}, plan.Item{Name: "birth", Mask: plan.MaskYear}, plan.Item{Name: "seq"}, plan.Item{Name: "alone", Mask: plan.MaskHide})
	f.Unit = plan.Unit{Column: "address", Prefix: 9, Names: map[string]mulu.OrgCode{"310107006": "SIX"}, Else: "OWNER"}
	got, next, err := l.Refused(t.Context(), f, library.FailingOptions{Key: rowKey, Limit: 1})
	if err != nil || len(got) != 1 || got[0].ID.Offset != 201 || next == "" || got[0].Values[0] != nil {
		t.Fatalf("first page %+v, next %q: %v", got, next, err)
	}
	got, next, err = l.Refused(t.Context(), f, library.FailingOptions{Key: rowKey, Limit: 1, After: next})
	if err != nil || len(got) != 1 || next != "" || got[0].Unit != "SIX" || got[0].State != library.RejectOpen {
		t.Fatalf("second page %+v, next %q: %v", got, next, err)
	}
	equal(t, "refused values", got[0].Values, []any{"before", "138****5678", "1950-**-**", "7", nil})
	counts, err := l.CountRefused(t.Context(), f, rowKey)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "counts", counts, []library.FailingCount{{Unit: "OWNER", Rows: 1}, {Unit: "SIX", Rows: 1}})
	f.Where = plan.Predicate{Field: "birth", Op: plan.Lt, Value: "1960-01-01"}
	if got, _, err := l.Refused(t.Context(), f, library.FailingOptions{Key: rowKey}); err != nil || len(got) != 1 {
		t.Errorf("narrowed: %+v %v", got, err)
	}

	list := []library.Listed{{Refused: true, Token: got[0].Token}}
	if err := l.KeepListed(t.Context(), "L1", list); err != nil {
		t.Fatal(err)
	}
	became := func(want library.Became) {
		t.Helper()
		b, err := l.BecameOf(t.Context(), "L1", f, rowKey)
		b.At = time.Time{}
		if err != nil || b != want {
			t.Errorf("became %+v, want %+v: %v", b, want, err)
		}
	}
	became(library.Became{Rows: 1, Failing: 1})
	store(t, l, batch(t, ds, 300, []row{{id: "before"}}))
	became(library.Became{Rows: 1, Mended: 1})
	if err := l.StoreMends(t.Context(), []library.Mend{{Row: stands.ID(), Dataset: ds.Code, Closed: true, At: Now()}}); err != nil {
		t.Fatal(err)
	}
	became(library.Became{Rows: 1, Mended: 1})
}

func testBecame(t *testing.T, l *library.Library) {
	ds := residents("became")
	ds.Rules = []mulu.Rule{{ID: "a"}}
	apply(t, l, ds)
	b := batch(t, ds, 0, []row{{id: "still"}, {id: "mended"}, {id: "deleted"}, {id: "never"}})
	b.Flags = []uint64{1, 1, 1, 0}
	store(t, l, b)
	f := failingOf(ds, "a", plan.Item{Name: "id_no"})
	var list []library.Listed
	for _, r := range allFailing(t, l, f, 10) {
		list = append(list, library.Listed{Token: r.Token})
	}
	for range 2 { // kept twice, there once
		if err := l.KeepListed(t.Context(), "L2", list); err != nil {
			t.Fatal(err)
		}
	}
	next := batch(t, ds, 4, []row{{id: "mended"}, {id: "deleted"}})
	next.Deleted = []uint64{2}
	store(t, l, next)
	got, err := l.BecameOf(t.Context(), "L2", f, rowKey)
	got.At = time.Time{}
	if want := (library.Became{Rows: 3, Failing: 1, Mended: 1, Gone: 1}); err != nil || got != want {
		t.Errorf("became %+v, want %+v: %v", got, want, err)
	}
}
