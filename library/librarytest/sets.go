package librarytest

import (
	"math"
	"testing"

	"mulu"
	"mulu/library"
	"mulu/plan"
	"mulu/plan/expr"
)

// moments are eight people whose numbers are easily worked out by hand: seq is
// 2 4 4 4 5 5 7 9, with mean 5 and standard deviation 2.
func moments() []row {
	names := []*string{p("甲"), p("甲"), p("甲"), p("甲"), p("乙乙"), p("乙乙"), p("丙丙丙"), p("丙丙丙")}
	births := []string{"2000-01-01", "2000-01-02", "2000-01-04", "2000-01-03", "2000-01-05", "2000-01-06", "2000-01-08", "2000-01-07"}
	out := make([]row, 8)
	for i, seq := range []int64{2, 4, 4, 4, 5, 5, 7, 9} {
		out[i] = row{id: string(rune('a' + i)), name: names[i], seq: p(seq), pension: p(-150 * seq), birth: p(births[i]), alone: p(i%2 == 0)}
	}
	return append(out, row{id: "z"}) // nothing known of this one
}

func testMeasures(t *testing.T, l *library.Library) {
	ds := residents("measures")
	apply(t, l, ds)
	all := moments()
	store(t, l, batch(t, ds, 0, all[:4])) // two parts: the answer must not depend on them
	store(t, l, batch(t, ds, 4, all[4:]))
	isA := plan.Predicate{Field: "name", Op: plan.Eq, Value: "甲"}
	one := func(m plan.Measure) any {
		t.Helper()
		m.As = "x"
		got, err := l.Summary(t.Context(), plan.Summary{Dataset: "measures", Measures: []plan.Measure{m}})
		if err != nil {
			t.Fatal(err)
		}
		return got[0]["x"]
	}
	want := func(what string, m plan.Measure, x any) {
		t.Helper()
		got := one(m)
		if a, ok := got.(float64); ok {
			if b, ok := x.(float64); ok && math.Abs(a-b) < 1e-9 {
				return
			}
		}
		equal(t, what, got, x)
	}
	seq, pension, name := []string{"seq"}, []string{"pension"}, []string{"name"}
	want("rows of a condition", plan.Measure{Kind: plan.Rows, Where: isA}, 4.0)
	want("sum", plan.Measure{Kind: plan.Sum, Columns: seq}, 40.0)
	want("sum of decimals", plan.Measure{Kind: plan.Sum, Columns: pension}, -60.0)
	want("sum of nothing", plan.Measure{Kind: plan.Sum, Columns: seq, Where: plan.Predicate{Field: "seq", Op: plan.Gt, Value: int64(100)}}, nil)
	want("mean", plan.Measure{Kind: plan.Mean, Columns: seq}, 5.0)
	want("mean of a condition", plan.Measure{Kind: plan.Mean, Columns: seq, Where: isA}, 3.5)
	want("mean of nothing", plan.Measure{Kind: plan.Mean, Columns: seq, Where: plan.Predicate{Field: "id_no", Op: plan.Eq, Value: "z"}}, nil)
	want("stddev", plan.Measure{Kind: plan.StdDev, Columns: seq}, math.Sqrt(32.0/7))
	want("stddev_pop", plan.Measure{Kind: plan.StdDevPop, Columns: seq}, 2.0)
	want("stddev_pop of decimals", plan.Measure{Kind: plan.StdDevPop, Columns: pension}, 3.0)
	want("stddev of one value", plan.Measure{Kind: plan.StdDev, Columns: seq, Where: plan.Predicate{Field: "id_no", Op: plan.Eq, Value: "a"}}, nil)
	want("median", plan.Measure{Kind: plan.Quantile, P: 0.5, Columns: seq}, 4.5)
	want("quantile between values", plan.Measure{Kind: plan.Quantile, P: 0.9, Columns: seq}, 7.6)
	want("quantile of decimals", plan.Measure{Kind: plan.Quantile, P: 0, Columns: pension}, -13.5)
	want("correlation", plan.Measure{Kind: plan.Correlation, Columns: []string{"seq", "pension"}}, -1.0)
	want("correlation with a constant", plan.Measure{Kind: plan.Correlation, Columns: []string{"seq", "pension"}, Where: plan.Predicate{Field: "seq", Op: plan.Eq, Value: int64(4)}}, nil)
	want("outliers", plan.Measure{Kind: plan.Outliers, P: 1.9, Columns: seq}, 1.0)
	want("no outliers", plan.Measure{Kind: plan.Outliers, P: 2, Columns: seq}, 0.0)
	want("outliers of nothing", plan.Measure{Kind: plan.Outliers, P: 2, Columns: seq, Where: plan.Predicate{Field: "id_no", Op: plan.Eq, Value: "z"}}, 0.0)
	want("entropy", plan.Measure{Kind: plan.Entropy, Columns: name}, 1.5)
	want("length_min", plan.Measure{Kind: plan.LengthMin, Columns: name}, 1.0)
	want("length_max", plan.Measure{Kind: plan.LengthMax, Columns: name}, 3.0)
	want("length_mean", plan.Measure{Kind: plan.LengthMean, Columns: name}, 1.75)
	want("distinct of a condition", plan.Measure{Kind: plan.Distinct, Columns: seq, Where: isA}, 2.0)
	// By birth: 2 4 4 4 5 5 9 7.
	want("rises", plan.Measure{Kind: plan.Rises, Columns: []string{"birth", "seq"}}, 1.0)
	want("rises strictly", plan.Measure{Kind: plan.Rises, Columns: []string{"birth", "seq"}, Strict: true}, 4.0)
	want("falls", plan.Measure{Kind: plan.Falls, Columns: []string{"birth", "seq"}}, 3.0)
	want("falls, decimals", plan.Measure{Kind: plan.Falls, Columns: []string{"birth", "pension"}}, 1.0)
	want("of equal places the one that breaks nothing", plan.Measure{Kind: plan.Rises, Columns: []string{"seq", "birth"}}, 1.0)
	want("bins", plan.Measure{Kind: plan.Bins, Columns: seq, Edges: []float64{4, 5}}, []float64{1, 3, 4})
	want("bins of decimals", plan.Measure{Kind: plan.Bins, Columns: pension, Edges: []float64{-7.5}}, []float64{2, 6})
	want("shares", plan.Measure{Kind: plan.Shares, Columns: name, Values: []string{"甲", "丁"}}, []float64{4, 0, 4})
	want("mode", plan.Measure{Kind: plan.Mode, Columns: name, Values: []string{"甲"}}, []float64{4, 1, 1})
	want("modes", plan.Measure{Kind: plan.Mode, Columns: name, Values: []string{"丙丙丙", "甲"}, Where: plan.Predicate{Not: &isA}}, []float64{2, 2, 1})
	want("mode of nothing", plan.Measure{Kind: plan.Mode, Columns: name, Values: []string{"甲"}, Where: plan.Predicate{Field: "id_no", Op: plan.Eq, Value: "z"}}, []float64{0, 0, 0})
	// 2 4 4 4 against 5 5 7 9: no value of one lies among the other's.
	ks := one(plan.Measure{Kind: plan.KS, Columns: seq, Where: isA, Than: plan.Predicate{Not: &isA}}).([]float64)
	equal(t, "Kolmogorov–Smirnov's statistic", ks[0], 1.0)
	if math.Abs(ks[1]-2.0/70) > 1e-9 { // 2 of the 8!/4!/4! orders are as far apart
		t.Errorf("its p is %v, want 1/35", ks[1])
	}
	want("ks against nothing", plan.Measure{Kind: plan.KS, Columns: seq, Where: isA, Than: plan.Predicate{Field: "name", Op: plan.Eq, Value: "丁"}}, []float64{})
	twice := []plan.Measure{}
	for i, m := range []plan.Measure{{Kind: plan.Mode, Columns: name, Values: []string{"甲"}}, {Kind: plan.KS, Columns: seq, Where: isA, Than: plan.Predicate{Not: &isA}}, {Kind: plan.Outliers, P: 1.9, Columns: seq}, {Kind: plan.StdDev, Columns: seq}, {Kind: plan.Rises, Columns: []string{"birth", "seq"}}} {
		for _, as := range []string{"a", "b"} {
			m.As = as + string(rune('0'+i))
			twice = append(twice, m)
		}
	}
	got, err := l.Summary(t.Context(), plan.Summary{Dataset: "measures", Measures: twice})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		equal(t, "the same measure twice", got[0]["a"+string(rune('0'+i))], got[0]["b"+string(rune('0'+i))])
	}
	for kind, cols := range map[plan.MeasureKind][]string{plan.Mean: name, plan.Correlation: seq, plan.LengthMax: seq, plan.Quantile: {"birth"}, plan.Bins: seq, "harmonic": seq} {
		_, err := l.Summary(t.Context(), plan.Summary{Dataset: "measures", Measures: []plan.Measure{{As: "x", Kind: kind, Columns: cols}}})
		is(t, err, mulu.ErrInvalid, "measure")
	}
}

// testJoinedSummary: measures over lookups under other names, and expressions in
// conditions; null is unknown in them, not false.
func testJoinedSummary(t *testing.T, l *library.Library) {
	base, deaths := residents("joined"), residents("deaths")
	apply(t, l, base)
	apply(t, l, deaths)
	store(t, l, batch(t, base, 0, []row{{id: "1", phone: p("a"), seq: p(int64(5))}, {id: "2", phone: p("b")}, {id: "3", phone: p("c"), seq: p(int64(7))}, {id: "4"}}))
	store(t, l, batch(t, deaths, 0, []row{{id: "a", seq: p(int64(5)), birth: p("2020-01-01")}, {id: "b", seq: p(int64(1))}, {id: "x"}}))
	field := func(name string, typ mulu.Type) expr.Node { return expr.Node{Op: expr.OpField, Type: typ, Field: name} }
	op := func(op expr.Op, args ...expr.Node) expr.Node { return expr.Node{Op: op, Type: mulu.Bool, Args: args} }
	where := func(n expr.Node) plan.Predicate { return plan.Predicate{Expr: &n} }
	same := op(expr.OpEq, field("seq", mulu.Int), field("d.seq", mulu.Int))
	s := plan.Summary{Dataset: "joined", Lookups: []plan.Lookup{
		{Name: "d", Dataset: "deaths", Kind: plan.Latest, On: []string{"phone"}, To: []string{"id_no"}, ByVersion: true}, {Name: "known", Dataset: "deaths", Kind: plan.Exists, On: []string{"phone"}, To: []string{"id_no"}}},
		Measures: []plan.Measure{{As: "rows", Kind: plan.Rows}, {As: "same", Kind: plan.Rows, Where: where(same)}, {As: "other", Kind: plan.Rows, Where: where(op(expr.OpNot, same))},
			{As: "unknown", Kind: plan.Rows, Where: where(op(expr.OpIsNull, same))}, {As: "there", Kind: plan.NonNull, Columns: []string{"d.birth"}},
			{As: "known", Kind: plan.Rows, Where: where(field("known", mulu.Bool))}, {As: "max", Kind: plan.Max, Columns: []string{"d.seq"}}}}
	got, err := l.Summary(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "joined summary", got, []map[string]any{{"rows": 4.0, "same": 1.0, "other": 0.0, "unknown": 3.0, "there": 1.0, "known": 2.0, "max": 5.0}})
	for _, bad := range []plan.Lookup{{Name: "d", Dataset: "deaths", Kind: plan.Latest, On: []string{"phone"}, To: []string{"seq"}, OrderBy: "seq"},
		{Name: "d", Dataset: "deaths", Kind: plan.Exists, On: []string{"phone"}, To: []string{"id_no", "name"}}, {Name: "d", Dataset: "deaths", Kind: plan.Latest, On: []string{"phone"}, To: []string{"id_no"}}} {
		s.Lookups[0] = bad
		_, err := l.Summary(t.Context(), s)
		is(t, err, mulu.ErrInvalid, `lookup "d"`)
	}
	for _, bad := range []expr.Node{op(expr.OpEq, field("seq", mulu.Int)), field("seq", mulu.Bool), op("exec", field("seq", mulu.Int)), op(expr.OpEq, field("seq", mulu.Int), expr.Node{Op: expr.OpLiteral, Type: mulu.Int, Value: "1 OR 1=1"})} {
		_, err := l.Summary(t.Context(), plan.Summary{Dataset: "joined", Where: where(bad), Measures: s.Measures[:1]})
		is(t, err, mulu.ErrInvalid, "")
	}
}
