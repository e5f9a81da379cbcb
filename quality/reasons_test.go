package quality_test

import (
	"strings"
	"testing"

	"mulu"
	"mulu/plan/expr/exprtest"
	"mulu/quality"
)

// A row keeps its own reason among rows that fail otherwise, and behind rows that delete
// their key and are not judged.
func TestReasonsStayWithTheirRows(t *testing.T) {
	ds := &mulu.Dataset{Columns: exprtest.Columns, Rules: []mulu.Rule{
		{ID: "id", Kind: "gb11643", Columns: []string{"s"}, Blocking: true},
		{ID: "tel", Kind: "mobile", Columns: []string{"t"}},
		{ID: "n", Kind: "range", Columns: []string{"n"}, Params: map[string]string{"min": "0"}},
	}}
	rs, err := quality.Compile(ds, tables(t))
	if err != nil {
		t.Fatal(err)
	}
	rows := []exprtest.Row{
		{"s": "gone"},
		{"s": idBad, "t": "13800138000", "n": int64(-1)},
		{"s": idGood, "t": "1"},
		{"s": "gone"},
		{"s": "110105491231002", "t": "19900001234"},
	}
	rec := recordOf(t, exprtest.Columns, rows)
	defer rec.Release()
	got, err := rs.CheckChanges(rec, []int64{0, 1, 2, 3, 4}, []uint64{0b01001}, exprtest.AsOf)
	if err != nil {
		t.Fatal(err)
	}
	reason := func(row int, blocking bool, rule mulu.RuleID) string {
		for _, f := range got.Broken(row, blocking) {
			if f.Rule == rule {
				return f.Reason
			}
		}
		return ""
	}
	for _, c := range []struct {
		row      int
		blocking bool
		rule     mulu.RuleID
		want     string
	}{{1, true, "id", "校验码不正确"}, {1, false, "tel", "占位号码"}, {1, false, "n", "0 至 不限"}, {2, false, "tel", "11 位"}, {4, true, "id", "15 位旧号码"}} {
		if r := reason(c.row, c.blocking, c.rule); !strings.Contains(r, c.want) {
			t.Errorf("row %d, rule %s: %q, want %q", c.row, c.rule, r, c.want)
		}
	}
	if len(got.Rejected) != 2 || got.Rejected[0].Row != 1 || got.Rejected[1].Row != 4 || !strings.Contains(got.Rejected[1].Reason, "15 位旧号码") {
		t.Errorf("rejected %+v", got.Rejected)
	}
	if r := reason(4, false, "tel"); r != "" {
		t.Errorf("a row in order has the reason %q", r)
	}
}

// mostly changes what a rule comes out as, and never what it counts.
func TestMostly(t *testing.T) {
	rec := recordOf(t, exprtest.Columns, []exprtest.Row{{"n": int64(1)}, {"n": int64(2)}, {"n": int64(-3)}, {"n": int64(4)}, {}})
	defer rec.Release()
	for _, c := range []struct {
		mostly   float64
		blocking bool
		want     quality.Status
	}{{0, false, quality.Warn}, {0, true, quality.Fail}, {0.75, true, quality.Pass}, {0.76, false, quality.Warn}, {1, true, quality.Fail}} {
		rule := mulu.Rule{ID: "n", Kind: "range", Columns: []string{"n"}, Params: map[string]string{"min": "0"}, Mostly: c.mostly, Blocking: c.blocking}
		rs, err := quality.Compile(&mulu.Dataset{Columns: exprtest.Columns, Rules: []mulu.Rule{rule}}, tables(t))
		if err != nil {
			t.Fatal(err)
		}
		f := rs.Check(rec, make([]int64, 5), exprtest.AsOf).Findings(mulu.Plan{})[0]
		if f.Evaluated != 4 || f.Failed != 1 {
			t.Errorf("mostly %v: %d of %d failed", c.mostly, f.Failed, f.Evaluated)
		}
		r := quality.Result{Blocking: c.blocking, Evaluated: f.Evaluated, Failed: f.Failed}
		if r.Judge(c.mostly); r.Status != c.want {
			t.Errorf("mostly %v, blocking %v: %s, want %s", c.mostly, c.blocking, r.Status, c.want)
		}
	}
}
