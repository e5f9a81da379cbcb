//go:build linux && amd64

package app

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
	"mulu/internal/clock"
	"mulu/library"
	"mulu/library/embedded"
	"mulu/quality"
	"mulu/quality/band"
)

// counting counts the statements that read a library's tables.
type counting struct {
	http.RoundTripper
	scans atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(strings.NewReader(string(b)))
		if s := string(b); strings.HasPrefix(s, "SELECT") && strings.Contains(s, "lib_run") {
			c.scans.Add(1)
		}
	}
	return c.RoundTripper.RoundTrip(r)
}

var runNow = time.Date(2026, 3, 1, 9, 0, 0, 0, clock.Shanghai)

func engineLib() string {
	if lib := os.Getenv(embedded.EnvLib); lib != "" {
		return lib
	}
	return "../../engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
}

// openRun starts an engine on a directory; stop ends it.
func openRun(t *testing.T, dir string) (lib *library.Library, c *counting, stop func()) {
	t.Helper()
	e, err := embedded.Start(t.Context(), embedded.Options{Dir: dir, Lib: engineLib()})
	if err != nil {
		t.Fatalf("these tests need the engine: %v", err)
	}
	c = &counting{RoundTripper: e.Transport()}
	lib, err = library.Open(t.Context(), library.Options{Transport: c, Now: func() time.Time { return runNow }})
	if err != nil {
		t.Fatal(err)
	}
	return lib, c, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := lib.Close(); err != nil {
			t.Error(err)
		}
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
}

func runDataset(code mulu.DatasetCode, cols ...mulu.Column) *mulu.Dataset {
	cols[0].Required = true
	return &mulu.Dataset{Code: code, Version: 1, Library: "lib_run_" + string(code), Topic: "t_" + string(code), Format: "json", Key: []string{cols[0].Name}, Columns: cols}
}

// store brings rows in as one batch; a value that is nil is null.
func storeRun(t *testing.T, l *library.Library, ds *mulu.Dataset, first int64, rows [][]any, flags []uint64) {
	t.Helper()
	var fields []arrow.Field
	for _, c := range ds.Columns {
		typ := map[mulu.Type]arrow.DataType{mulu.String: arrow.BinaryTypes.String, mulu.Int: arrow.PrimitiveTypes.Int64, mulu.Date: arrow.FixedWidthTypes.Date32, mulu.Decimal: &arrow.Decimal128Type{Precision: 18, Scale: int32(c.Scale)}}[c.Type]
		fields = append(fields, arrow.Field{Name: c.Name, Type: typ, Nullable: true})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(append(fields, arrow.Field{Name: mulu.ColExtra, Type: arrow.BinaryTypes.String}), nil))
	defer b.Release()
	batch := library.Batch{Flags: flags, Plan: mulu.Plan{BatchID: mulu.BatchID{TopicID: mulu.TopicID{7}, Topic: ds.Topic, First: first, Last: first + int64(len(rows)) - 1}, Dataset: ds.Code, Version: 1}}
	for i, r := range rows {
		for j, v := range r {
			switch f := b.Field(j).(type) {
			case *array.StringBuilder:
				if v == nil {
					f.AppendNull()
				} else {
					f.Append(v.(string))
				}
			case *array.Int64Builder:
				if v == nil {
					f.AppendNull()
				} else {
					f.Append(int64(v.(int)))
				}
			case *array.Decimal128Builder:
				if v == nil {
					f.AppendNull()
				} else {
					f.Append(decimal128.FromI64(int64(v.(int))))
				}
			case *array.Date32Builder:
				if v == nil {
					f.AppendNull()
				} else {
					d, _ := time.Parse(time.DateOnly, v.(string))
					f.Append(arrow.Date32FromTime(d))
				}
			}
		}
		b.Field(len(fields)).(*array.StringBuilder).Append("")
		batch.Offsets = append(batch.Offsets, first+int64(i))
	}
	if flags == nil {
		batch.Flags = make([]uint64, len(rows))
	}
	batch.Record = b.NewRecordBatch()
	if err := l.StoreData(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	n := int64(len(rows))
	if err := l.StoreManifest(t.Context(), mulu.Manifest{Plan: batch.Plan, Good: n, Rows: n, At: runNow.UTC()}); err != nil {
		t.Fatal(err)
	}
}

func text(name string) mulu.Column { return mulu.Column{Name: name, Type: mulu.String} }

var residentRows = [][]any{
	{"a", 2, 300, "甲", "2026-01-05", "F1", "正常"},
	{"b", 4, 600, "甲", "2026-01-06", "F1", "正常"},
	{"c", 4, 600, "甲", "2026-01-07", "F2", "死亡"},
	{"d", 4, 600, "甲", "2026-01-08", "F9", "死亡"},
	{"e", 5, 750, "乙乙", "2026-02-02", "F2", "正常"},
	{"f", 5, 750, "乙乙", "2026-02-03", nil, "正常"},
	{"g", 7, 1050, "丙丙丙", "2026-02-05", "F1", "注销"},
	{"h", 9, 1350, "丙丙丙", "2026-02-04", "F2", "正常"},
	{"i", nil, nil, nil, nil, nil, "正常"},
}

// expectation is a set rule and what it comes out as, worked out by hand.
type expectation struct {
	rule              mulu.SetRule
	evaluated, failed int64
	observed          any // nil: not looked at
	status            quality.Status
}

func set(kind string, columns string, params ...string) mulu.SetRule {
	r := mulu.SetRule{Kind: kind, Params: map[string]string{}, Indicator: "010400"}
	if columns != "" {
		r.Columns = strings.Split(columns, ",")
	}
	for i := 0; i+1 < len(params); i += 2 {
		switch params[i] {
		case "when":
			r.When = params[i+1]
		default:
			r.Params[params[i]] = params[i+1]
		}
	}
	return r
}

func expectations() []expectation {
	mostly := set("unique", "seq")
	mostly.Mostly = 0.6
	strong := set("expression", "", "expression", "seq > 2 && pay < 13")
	strong.Blocking = true
	psi := 2 * 0.9999 * math.Log(10_000)
	return []expectation{
		{set("unique", "seq"), 8, 3, nil, quality.Warn},
		{mostly, 8, 3, nil, quality.Pass},
		{set("unique", "name,firm"), 9, 1, nil, quality.Warn},
		{set("unique", "seq", "when", "status == '正常'"), 5, 1, nil, quality.Warn},
		{set("unique", "id"), 9, 0, nil, quality.Pass},
		{set("duplicate_rows", "seq,pay,name"), 9, 3, nil, quality.Warn},
		{set("duplicate_rows", ""), 9, 0, nil, quality.Pass},
		{set("row_count", "", "min", "9", "max", "9"), 1, 0, 9.0, quality.Pass},
		{set("row_count", "", "min", "10"), 1, 1, 9.0, quality.Warn},
		{set("row_count", "", "max", "2", "when", "status == '死亡'"), 1, 0, 2.0, quality.Pass},
		{set("row_count_equals", "", "dataset", "deaths"), 1, 1, 9.0, quality.Warn},
		{set("row_count_equals", "", "dataset", "deaths", "tolerance", "2"), 1, 0, 9.0, quality.Pass},
		{set("volume", "", "min", "50"), 3, 1, 90.0, quality.Warn}, // 100, nothing, 90
		{set("volume", "", "min", "50", "days", "workday"), 3, 1, nil, quality.Warn},
		{set("volume", "", "min", "50", "last", "1"), 1, 0, nil, quality.Pass},
		{set("columns", "", "columns", "id,seq,salary", "types", "string,decimal,int"), 3, 2, int64(7), quality.Warn},
		{set("columns", "", "columns", "id,seq,pay,name,day,firm,status", "match", "order", "count", "7"), 8, 0, nil, quality.Pass},
		{set("columns", "", "columns", "seq,id", "match", "order"), 7, 7, nil, quality.Warn},
		{set("columns", "", "columns", "id,seq,pay,name,day,firm", "match", "set"), 7, 1, nil, quality.Warn},
		{set("fresh", ""), 1, 1, nil, quality.Warn}, // 40 hours ago, 36 are allowed
		{set("fresh", "", "within", "2天"), 1, 0, nil, quality.Pass},
		{set("fresh", "", "within", "30天", "column", "day"), 1, 0, "2026-02-05 00:00:00", quality.Pass},
		{set("null_share", "seq", "max", "0.1"), 9, 1, 1.0 / 9, quality.Warn},
		{set("null_share", "firm", "max", "0.25"), 9, 2, 2.0 / 9, quality.Pass},
		{set("distinct_count", "name", "max", "2"), 1, 1, 3.0, quality.Warn},
		{set("distinct_share", "seq", "min", "0.6", "max", "0.65"), 1, 0, 0.625, quality.Pass},
		{set("values_in_set", "status", "values", "正常,死亡"), 3, 1, nil, quality.Warn},
		{set("values_in_set", "seq", "values", "2,4,5,7,9"), 5, 0, nil, quality.Pass},
		{set("values_contain_set", "status", "values", "正常,迁出"), 2, 1, nil, quality.Warn},
		{set("values_equal_set", "status", "values", "正常,死亡,迁出"), 4, 2, nil, quality.Warn},
		{set("most_common_in_set", "name", "values", "甲"), 1, 0, 4.0, quality.Pass},
		{set("most_common_in_set", "name", "values", "丙丙丙", "when", "name != '甲'"), 2, 1, 2.0, quality.Warn},
		{set("text_length", "name", "measure", "max", "max", "2"), 1, 1, 3.0, quality.Warn},
		{set("text_length", "name", "min", "1.75", "max", "1.75"), 1, 0, 1.75, quality.Pass},
		{set("min", "seq", "min", "2"), 1, 0, 2.0, quality.Pass},
		{set("max", "day", "max", "2026-02-05"), 1, 0, "2026-02-05", quality.Pass},
		{set("max", "day", "max", "2026-02-04"), 1, 1, "2026-02-05", quality.Warn},
		{set("mean", "seq", "min", "5", "max", "5"), 1, 0, 5.0, quality.Pass},
		{set("median", "seq", "max", "4.4"), 1, 1, 4.5, quality.Warn},
		{set("sum", "pay", "min", "60", "max", "60"), 1, 0, 60.0, quality.Pass},
		{set("stdev", "seq", "of", "population", "max", "2"), 1, 0, 2.0, quality.Pass},
		{set("stdev", "seq", "max", "2"), 1, 1, math.Sqrt(32.0 / 7), quality.Warn},
		{set("quantile", "seq", "p", "0.9", "max", "7.7"), 1, 0, 7.6, quality.Pass},
		{set("mean", "seq", "max", "5", "when", "status == '迁出'"), 0, 0, nil, quality.Skipped},
		{set("entropy", "name", "min", "1.4", "max", "1.5"), 1, 0, 1.5, quality.Pass},
		{set("correlation", "seq,pay", "min", "0.99"), 1, 0, 1.0, quality.Pass},
		{set("outliers", "seq", "z", "1.9"), 8, 1, nil, quality.Warn},
		{set("drift", "seq", "edges", "4,5", "reference", "1,3,4"), 1, 0, 0.0, quality.Pass},
		{set("drift", "seq", "edges", "4,5", "reference", "1,1,2"), 1, 0, 0.125 * (math.Ln2 + math.Log(1.5)), quality.Pass},
		{set("drift", "seq", "edges", "4,5", "reference", "1,1,2", "method", "chi2"), 1, 0, 1.0, quality.Pass},
		{set("drift", "seq", "edges", "4,5", "reference", "1,1,2", "method", "ks"), 1, 0, 0.125, quality.Pass},
		{set("drift", "name", "values", "甲", "reference", "1,0", "method", "js"), 1, 1, 0.311278124, quality.Warn},
		{set("drift", "seq", "method", "ks", "by", "day"), 1, 1, 1.0, quality.Warn},
		{set("drift", "seq", "edges", "4.5", "by", "day"), 1, 1, psi, quality.Warn},
		{set("drift", "name", "values", "甲", "by", "day", "method", "chi2"), 1, 1, 8.0, quality.Warn},
		{set("drift", "seq", "edges", "4.5", "by", "day", "period", "day"), 0, 0, nil, quality.Skipped},
		{set("increasing", "day,seq"), 7, 1, nil, quality.Warn},
		{set("increasing", "day,seq", "strict", "true"), 7, 4, nil, quality.Warn},
		{set("decreasing", "day,seq"), 7, 3, nil, quality.Warn},
		{set("references", "firm", "dataset", "firms", "to", "code"), 7, 1, nil, quality.Warn},
		{set("references", "firm", "dataset", "firms", "to", "code", "when", "status != '死亡'"), 5, 0, nil, quality.Pass},
		{set("equal_to", "pay", "dataset", "deaths", "on", "id", "to", "id_no"), 2, 1, nil, quality.Warn},
		{set("equal_to", "pay", "dataset", "deaths", "on", "id", "to", "id_no", "tolerance", "1"), 2, 0, nil, quality.Pass},
		{set("cross", "", "dataset", "deaths", "on", "id", "to", "id_no", "name", "dead", "expression", "status == '正常' || dead.died == null || day <= dead.died"), 9, 1, nil, quality.Warn},
		{set("cross", "", "dataset", "deaths", "on", "id", "to", "id_no", "name", "dead", "lookup", "exists", "expression", "!dead || status == '死亡'"), 9, 0, nil, quality.Pass},
		{set("compare", "pay", "dataset", "deaths", "measure", "sum", "op", "ge"), 1, 0, 60.0, quality.Pass},
		{set("compare", "pay", "dataset", "deaths", "measure", "mean", "tolerance", "0.1"), 1, 1, 7.5, quality.Warn},
		{strong, 8, 2, nil, quality.Fail},
		{set("band", ""), 0, 0, nil, quality.Skipped},
		{set("band", "seq", "measure", "mean"), 1, 1, 5.0, quality.Warn}, // twenty Sundays saw 8
		{set("sql", "", "sql", "SELECT countIf(seq = 4), count() FROM lib_run_people.people"), 9, 3, nil, quality.Warn},
		{set("sql", "", "sql", "SELECT count() FROM mulu.rejects"), 0, 0, nil, quality.Errored},
		{set("references", "firm", "dataset", "nowhere"), 0, 0, nil, quality.Errored},
	}
}

// input is a run's, with twenty Sundays of history and three days of arrivals.
func runInputOf(ds *mulu.Dataset, l *library.Library) quality.RunInput {
	calendar, _ := clock.National()
	in := quality.RunInput{Dataset: ds, Datasets: l.Dataset, Calendar: calendar, Now: runNow, Arrivals: []band.Value{{Day: "2026-02-26", Value: 100}, {Day: "2026-02-28", Value: 90}}, History: map[string][]band.Value{},
		Facts: quality.Facts{Last: runNow.Add(-40 * time.Hour), Received: map[quality.Stratum]quality.Counts{{}: {ByRule: map[mulu.RuleID]int64{"name.filled": 2}}}}}
	for i := 1; i <= 20; i++ {
		in.History["mean(seq)"] = append(in.History["mean(seq)"], band.Value{Day: runNow.AddDate(0, 0, -7*i).Format(time.DateOnly), Value: 8})
	}
	return in
}

func peopleDataset() (*mulu.Dataset, []expectation) {
	ds := runDataset("people", text("id"), mulu.Column{Name: "seq", Type: mulu.Int}, mulu.Column{Name: "pay", Type: mulu.Decimal, Scale: 2}, text("name"), mulu.Column{Name: "day", Type: mulu.Date}, text("firm"), text("status"))
	ds.Cycle, ds.Grace = 24*time.Hour, 12*time.Hour
	ds.Rules = []mulu.Rule{{ID: "name.filled", Kind: "not_null", Columns: []string{"name"}, Blocking: true, Indicator: "020100"}, {ID: "name.length", Kind: "length", Columns: []string{"name"}, Params: map[string]string{"max": "2"}, When: "seq > 4", Indicator: "010103"}}
	list := expectations()
	for i := range list {
		list[i].rule.ID = mulu.RuleID(fmt.Sprintf("%02d.%s", i, list[i].rule.Kind))
		ds.SetRules = append(ds.SetRules, list[i].rule)
	}
	return ds, list
}

func fill(t *testing.T, l *library.Library, cut ...int) *mulu.Dataset {
	t.Helper()
	ds, _ := peopleDataset()
	deaths := runDataset("deaths", text("id_no"), mulu.Column{Name: "died", Type: mulu.Date}, mulu.Column{Name: "pay", Type: mulu.Decimal, Scale: 2})
	firms := runDataset("firms", text("code"))
	for _, d := range []*mulu.Dataset{ds, deaths, firms} {
		if err := l.Apply(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	storeRun(t, l, deaths, 0, [][]any{{"c", "2026-01-01", 600}, {"d", "2026-02-01", 500}, {"x", nil, 100}}, nil)
	storeRun(t, l, firms, 0, [][]any{{"F1"}, {"F2"}, {"F3"}}, nil)
	flags := []uint64{0, 0, 0, 0, 0, 0, 2, 2, 1}
	for from := 0; from < len(residentRows); {
		to := len(residentRows)
		if len(cut) > 0 {
			to, cut = cut[0], cut[1:]
		}
		storeRun(t, l, ds, int64(from), residentRows[from:to], flags[from:to])
		from = to
	}
	return ds
}

// TestRunByHand: every kind of set rule on a table whose answers were worked out by
// hand; all of them in one scan, plus one for each join and each other dataset; and the
// same digest however the rows lie, and after a restart.
func TestRunByHand(t *testing.T) {
	dir := t.TempDir()
	l, c, stop := openRun(t, dir)
	ds := fill(t, l, 3, 5)
	_, list := peopleDataset()
	c.scans.Store(0)
	began := time.Now()
	out, err := quality.Run(t.Context(), l, runInputOf(ds, l))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(began))
	// Its own rows, deaths, firms by firm, deaths' rows, deaths that exist, and one SQL.
	if n := c.scans.Load(); n != 6 || quality.Scans(ds, l.Dataset)-1 != 6 { // the second SQL is refused before it is run
		t.Errorf("%d statements for %d rules, want 6; foretold %d", n, len(out.Results), quality.Scans(ds, l.Dataset))
	}
	for i, want := range []quality.Result{{Evaluated: 11, Failed: 3, Status: quality.Fail}, {Evaluated: 4, Failed: 2, Status: quality.Warn}} {
		if got := out.Results[i]; got.Evaluated != want.Evaluated || got.Failed != want.Failed || got.Status != want.Status || got.Set {
			t.Errorf("row rule %s: %+v, want %+v", ds.Rules[i].ID, got, want)
		}
	}
	covered := map[string]bool{}
	for i, want := range list {
		got := out.Results[len(ds.Rules)+i]
		covered[want.rule.Kind] = true
		if got.Rule != want.rule.ID || !got.Set || got.Evaluated != want.evaluated || got.Failed != want.failed || got.Status != want.status {
			t.Errorf("%s %v %v: %d of %d %s, want %d of %d %s: %s", got.Rule, want.rule.Columns, want.rule.Params, got.Failed, got.Evaluated, got.Status, want.failed, want.evaluated, want.status, got.Message)
		}
		if !sameNumber(got.Observed, want.observed) {
			t.Errorf("%s observed %v, want %v", got.Rule, got.Observed, want.observed)
		}
		if got.Status != quality.Pass && got.Message == "" && got.Evaluated > 0 {
			t.Errorf("%s says nothing", got.Rule)
		}
	}
	for _, k := range quality.SetKinds() {
		if !covered[k] {
			t.Errorf("no case of kind %s", k)
		}
	}
	if len(out.Metrics) != 1 || out.Metrics[0] != (quality.Metric{Name: "mean(seq)", Day: "2026-03-01", Value: 5}) {
		t.Errorf("metrics %v", out.Metrics)
	}
	first := digestOf(t, l, ds)
	if err := l.MergeAll(t.Context(), ds.Code); err != nil {
		t.Fatal(err)
	}
	if again := digestOf(t, l, ds); again != first {
		t.Errorf("after a merge the digest is %s, was %s", again, first)
	}
	stop()
	l, _, stop = openRun(t, dir)
	for _, d := range []*mulu.Dataset{ds, runDataset("deaths", text("id_no"), mulu.Column{Name: "died", Type: mulu.Date}, mulu.Column{Name: "pay", Type: mulu.Decimal, Scale: 2}), runDataset("firms", text("code"))} {
		if err := l.Apply(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if again := digestOf(t, l, ds); again != first {
		t.Errorf("after a restart the digest is %s, was %s", again, first)
	}
	stop()
	l, _, stop = openRun(t, t.TempDir())
	defer stop()
	ds = fill(t, l) // one batch
	if again := digestOf(t, l, ds); again != first {
		t.Errorf("of other parts the digest is %s, was %s", again, first)
	}
	storeRun(t, l, ds, int64(len(residentRows)), [][]any{{"j", 1, 1, "丁", nil, nil, "正常"}}, nil)
	if again := digestOf(t, l, ds); again == first {
		t.Error("of other rows the digest is the same")
	}
}

func digestOf(t *testing.T, l *library.Library, ds *mulu.Dataset) string {
	t.Helper()
	out, err := quality.Run(t.Context(), l, runInputOf(ds, l))
	if err != nil {
		t.Fatal(err)
	}
	data, err := l.DataVersion(t.Context(), ds.Code)
	if err != nil {
		t.Fatal(err)
	}
	d, err := quality.Digest(data, ds.Version, rulesSeed, out.Results)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sameNumber(got, want any) bool {
	a, isA := got.(float64)
	b, isB := want.(float64)
	return want == nil || isA && isB && math.Abs(a-b) < 1e-8 || got == want
}
