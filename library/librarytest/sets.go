package librarytest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
	"mulu/library"
	"mulu/plan"
	"mulu/plan/expr"
	"mulu/plan/expr/exprtest"
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

// conditions is a dataset whose columns are exprtest's, and a key.
func conditions() (*mulu.Dataset, arrow.RecordBatch) {
	ds := &mulu.Dataset{Code: "conditions", Title: "条件", Version: 1, Library: "lib_conditions", Topic: "t_conditions", Format: "json", Key: []string{"k"},
		Columns: append([]mulu.Column{{Name: "k", Type: mulu.Int, Required: true}}, exprtest.Columns...)}
	types := map[mulu.Type]arrow.DataType{mulu.String: arrow.BinaryTypes.String, mulu.Int: arrow.PrimitiveTypes.Int64, mulu.Date: arrow.FixedWidthTypes.Date32,
		mulu.DateTime: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, mulu.Bool: arrow.FixedWidthTypes.Boolean}
	var fields []arrow.Field
	for _, c := range ds.Columns {
		typ := types[c.Type]
		if c.Type == mulu.Decimal {
			typ = &arrow.Decimal128Type{Precision: 18, Scale: int32(c.Scale)}
		}
		fields = append(fields, arrow.Field{Name: c.Name, Type: typ, Nullable: true})
	}
	fields = append(fields, arrow.Field{Name: mulu.ColExtra, Type: arrow.BinaryTypes.String})
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	shanghai, _ := time.LoadLocation("Asia/Shanghai")
	for k, row := range exprtest.Rows {
		b.Field(0).(*array.Int64Builder).Append(int64(k))
		b.Field(len(fields) - 1).(*array.StringBuilder).Append("")
		for i, c := range exprtest.Columns {
			f, v := b.Field(i+1), row[c.Name]
			if v == nil {
				f.AppendNull()
				continue
			}
			switch c.Type {
			case mulu.String:
				f.(*array.StringBuilder).Append(v.(string))
			case mulu.Int:
				f.(*array.Int64Builder).Append(v.(int64))
			case mulu.Bool:
				f.(*array.BooleanBuilder).Append(v.(bool))
			case mulu.Decimal:
				n, err := decimal128.FromString(v.(string), 18, int32(c.Scale))
				if err != nil {
					panic(err)
				}
				f.(*array.Decimal128Builder).Append(n)
			case mulu.Date:
				d, _ := time.Parse(time.DateOnly, v.(string))
				f.(*array.Date32Builder).Append(arrow.Date32FromTime(d))
			case mulu.DateTime:
				at, _ := time.ParseInLocation("2006-01-02 15:04:05.000", v.(string), shanghai)
				f.(*array.TimestampBuilder).Append(arrow.Timestamp(at.UnixMilli()))
			}
		}
	}
	return ds, b.NewRecordBatch()
}

// testExpressions: the engine answers the table of conditions as Arrow does: true, false
// and unknown are three things.
func testExpressions(t *testing.T, l *library.Library) {
	ds, rec := conditions()
	apply(t, l, ds)
	b := batch(t, ds, 0, nil)
	b.Record = rec
	for i := range rec.NumRows() {
		b.Offsets = append(b.Offsets, i)
		b.Flags = append(b.Flags, 0)
	}
	b.Plan.Last = b.Plan.First + rec.NumRows() - 1
	store(t, l, b)
	var measures []plan.Measure
	for i, c := range exprtest.Cases {
		n, err := expr.Parse(c.Expr, expr.Columns(ds))
		if err != nil {
			t.Fatalf("%s: %v", c.Expr, err)
		}
		not := &expr.Node{Op: expr.OpNot, Type: mulu.Bool, Args: []expr.Node{*n}}
		measures = append(measures, plan.Measure{As: fmt.Sprintf("t%d", i), Kind: plan.Rows, Where: plan.Predicate{Expr: n}}, plan.Measure{As: fmt.Sprintf("f%d", i), Kind: plan.Rows, Where: plan.Predicate{Expr: not}})
	}
	got, err := l.Summary(t.Context(), plan.Summary{Dataset: ds.Code, GroupBy: []string{"k"}, Measures: append([]plan.Measure{{As: "n", Kind: plan.Rows}}, measures...), Day: exprtest.AsOf.Format(time.DateOnly)})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(exprtest.Rows) {
		t.Fatalf("%d rows, want %d", len(got), len(exprtest.Rows))
	}
	for i, c := range exprtest.Cases {
		answer := []byte(strings.Repeat("u", len(got)))
		for _, row := range got {
			switch {
			case row[fmt.Sprintf("t%d", i)] == 1.0:
				answer[row["k"].(int64)] = 't'
			case row[fmt.Sprintf("f%d", i)] == 1.0:
				answer[row["k"].(int64)] = 'f'
			}
		}
		if string(answer) != c.Want {
			t.Errorf("%s: %s, want %s", c.Expr, answer, c.Want)
		}
	}
}

// testFreeSQL: one SELECT over the libraries' tables and nothing else.
func testFreeSQL(t *testing.T, l *library.Library) {
	ds := changes("freesql")
	apply(t, l, ds)
	store(t, l, change(t, ds, 0, "lsn", []uint64{5, 10, 20}, []row{{id: "x", seq: p(int64(9))}, {id: "a", seq: p(int64(1))}, {id: "b", seq: p(int64(2))}}))
	cut := change(t, ds, 3, "lsn", []uint64{30}, []row{{id: "a", seq: p(int64(5))}}) // replaces a; x is below the floor
	cut.Feed.Floor = 10
	store(t, l, cut)
	table := "lib_freesql.freesql"
	for sql, want := range map[string][2]int64{
		"SELECT count() FROM " + table + " WHERE seq > 1":                                                                                               {2, -1},
		"SELECT countIf(seq = 5), count() FROM " + table:                                                                                                {1, 2},
		"SELECT sum(n) FROM (SELECT id_no, count() AS n FROM " + table + " AS t GROUP BY id_no HAVING n > 1)":                                           {0, -1},
		"SELECT count() FROM " + table + " AS a JOIN " + table + " AS b ON a.id_no = b.id_no WHERE a.id_no IN (SELECT id_no FROM " + table + ") -- all": {2, -1},
		"SELECT toDecimal64(1, 2) FROM " + table + " LIMIT 1":                                                                                           {1, -1},
		"SELECT countIf(match(id_no, '^[ab]$')) OVER () FROM " + table + " LIMIT 1":                                                                     {2, -1},
	} {
		failed, evaluated, err := l.Counted(t.Context(), sql)
		if err != nil || failed != want[0] || evaluated != want[1] {
			t.Errorf("%s: %d of %d, want %v: %v", sql, failed, evaluated, want, err)
		}
	}
	for _, sql := range []string{
		"", "DROP TABLE " + table, "SELECT 1; SELECT 2", "INSERT INTO " + table + " SELECT 1", "SELECT count() FROM " + table + " FORMAT CSV", "SELECT count() FROM " + table + " INTO OUTFILE '/tmp/x'",
		"SELECT count() FROM " + table + " SETTINGS readonly = 0", "SELECT count() FROM (SELECT 1 SETTINGS max_threads = 1)", "SELECT count() FROM mulu.rejects", "SELECT count() FROM system.tables", "SELECT count() FROM freesql", "SELECT count() FROM default.passwd",
		"SELECT count() FROM file('/etc/passwd', 'LineAsString')", "SELECT count() FROM url('http://127.0.0.1/', 'CSV')", "SELECT count() FROM numbers(3)", "SELECT count() FROM merge('mulu', '.*')", "SELECT count() FROM remote('127.0.0.1', mulu.rejects)",
		"SELECT length(file('/etc/passwd'))", "SELECT getSetting('readonly')", "SELECT sleep(3)", "SELECT dictGetOrNull('x', 'y', 1)", "SELECT joinGet('a.b', 'x', 1)", "SELECT length(hostName())", "SELECT rand()",
		"SELECT countIf(id_no IN mulu.rejects) FROM " + table, "SELECT countIf(in(id_no, passwd)) FROM " + table, "SELECT 1 WHERE 1 IN (SELECT 1 FROM system.one)", "SELECT (SELECT count() FROM mulu.manifest)",
		"WITH x AS (SELECT 1) SELECT count() FROM x", "SELECT 1) UNION ALL (SELECT 2", "SELECT 1 /*", "SHOW TABLES", "SELECT {x:UInt8}", "SELECT count() FROM `lib_freesql`.`freesql_history`", "SELECT nothing FROM " + table,
		"SELECT id_no FROM " + table + " LIMIT 1", "SELECT seq FROM " + table, "SELECT 0.5", "SELECT count() FROM " + table + " WHERE 0 HAVING 0", "SELECT 1, 2, 3", "SELECT NULL", "EXPLAIN SELECT 1", "SELECT count() FROM view(SELECT 1)", "SELECT count() FROM VALUES('a Int8', 1)",
	} {
		failed, _, err := l.Counted(t.Context(), sql)
		if !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("%s: is run and gives %d: %v", sql, failed, err)
		}
	}
}

// testDataVersion: the name changes with the rows, and with nothing else.
func testDataVersion(t *testing.T, open func(t *testing.T) *library.Library) {
	l := open(t)
	ds := residents("stated")
	apply(t, l, ds)
	name := func(l *library.Library) string {
		t.Helper()
		v, err := l.DataVersion(t.Context(), "stated")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	equal(t, "version of nothing", name(l), "")
	one, two := batch(t, ds, 0, numbered(3)), batch(t, ds, 3, numbered(2))
	one.Plan.TopicID, two.Plan.TopicID = mulu.TopicID{42}, mulu.TopicID{42} // manifests are by topic, whatever the dataset
	store(t, l, one)
	good(t, l.StoreManifest(t.Context(), done(one, 0, Now())))
	first := name(l)
	if first == "" || first != name(l) || first != name(open(t)) {
		t.Error("the same rows have two names")
	}
	good(t, l.MergeAll(t.Context(), "stated"))
	equal(t, "version after a merge", name(l), first)
	store(t, l, two)
	good(t, l.StoreManifest(t.Context(), done(two, 0, Now().Add(-26*time.Hour))))
	second := name(l)
	if second == first {
		t.Error("more rows have the same name")
	}
	equal(t, "version after a restart", name(open(t)), second)
	days, err := l.ArrivalsByDay(t.Context(), "stated", Now().AddDate(0, 0, -10))
	good(t, err)
	equal(t, "arrivals", days, []library.Arrived{{Day: "2026-02-28", Rows: 2}, {Day: "2026-03-01", Rows: 3}})
	good(t, l.MarkWithdrawn(t.Context(), mulu.Withdrawal{ID: "W-9", Dataset: ds.Code, Batch: two.Plan.BatchID, Reason: "发错了", At: Now()}))
	if name(l) == second {
		t.Error("a withdrawal does not change the name")
	}
	days, err = l.ArrivalsByDay(t.Context(), "stated", Now().AddDate(0, 0, -10))
	good(t, err)
	equal(t, "arrivals without what was withdrawn", days, []library.Arrived{{Day: "2026-03-01", Rows: 3}})
}
