package library

import (
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/plan"
)

func compileFor(t *testing.T, p plan.Plan) *compiled {
	t.Helper()
	sets := map[mulu.DatasetCode]*mulu.Dataset{}
	for _, code := range []mulu.DatasetCode{"resident", "visit"} {
		sets[code] = &mulu.Dataset{Code: code, Library: "lib_x", Key: []string{"id_no", "seq"}, Columns: []mulu.Column{
			{Name: "id_no", Type: mulu.String}, {Name: "seq", Type: mulu.Int}, {Name: "name", Type: mulu.String}, {Name: "secret", Type: mulu.String}, {Name: "birth", Type: mulu.Date}}}
	}
	now := time.Date(2026, 2, 28, 17, 0, 0, 0, time.UTC) // already March in Shanghai
	c, err := compile(p, func(code mulu.DatasetCode) *mulu.Dataset { return sets[code] }, now, []byte("key"), p.Limit)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompile(t *testing.T) {
	t.Run("a point lookup reads its key by PREWHERE", func(t *testing.T) {
		c := compileFor(t, plan.Plan{View: plan.View{Base: "resident"}, Items: []plan.Item{{Name: "name"}}, Limit: 5, OrderByKey: true, Where: plan.Predicate{All: []plan.Predicate{
			{Field: "id_no", Op: plan.Eq, Value: "31"}, {Field: "seq", Op: plan.Eq, Value: int64(1)}, {Field: "name", Op: plan.Eq, Value: "x"}}}})
		want := "SELECT _base.`name` AS `name` FROM `lib_x`.`resident` AS _base FINAL PREWHERE _base.`id_no` = {p0:String} AND _base.`seq` = {p1:Int64}" +
			" WHERE (_base.`id_no` = {p3:String} AND _base.`seq` = {p4:Int64} AND _base.`name` = {p5:String}) ORDER BY _base.`id_no`, _base.`seq` LIMIT 5"
		if c.sql != want {
			t.Errorf("got  %s\nwant %s", c.sql, want)
		}
		if c.params["p0"] != "31" || c.params["p4"] != "1" {
			t.Errorf("params %v", c.params)
		}
	})
	t.Run("a condition under any or not pins nothing", func(t *testing.T) {
		for _, w := range []plan.Predicate{
			{Any: []plan.Predicate{{Field: "id_no", Op: plan.Eq, Value: "a"}, {Field: "seq", Op: plan.Eq, Value: int64(1)}}},
			{Not: &plan.Predicate{Field: "id_no", Op: plan.Eq, Value: "a"}}} {
			if c := compileFor(t, plan.Plan{View: plan.View{Base: "resident"}, Items: []plan.Item{{Name: "name"}}, Where: w}); strings.Contains(c.sql, "PREWHERE") {
				t.Error(c.sql)
			}
		}
	})
	t.Run("only named columns are read, also of lookups", func(t *testing.T) {
		c := compileFor(t, plan.Plan{View: plan.View{Base: "resident", Lookups: []plan.Lookup{
			{Name: "v", Dataset: "visit", Kind: plan.Latest, On: []string{"id_no"}, OrderBy: "birth"}, {Name: "idle", Dataset: "visit", Kind: plan.Exists, On: []string{"id_no"}}},
			Derived: []plan.Derived{{Name: "age", Kind: "age", From: "birth", AsOf: "today"}}}, Items: []plan.Item{{Name: "v.name"}, {Name: "age"}}})
		for _, word := range []string{"secret", "_l1", "*"} {
			if strings.Contains(c.sql, word) {
				t.Errorf("%q in %s", word, c.sql)
			}
		}
		if c.params["p0"] != "2026-03-01" {
			t.Errorf("today is %q", c.params["p0"])
		}
	})
	t.Run("values and keys are never in the text", func(t *testing.T) {
		c := compileFor(t, plan.Plan{View: plan.View{Base: "resident"}, Items: []plan.Item{{Name: "id_no", Mask: plan.MaskToken}}, Where: plan.Predicate{All: []plan.Predicate{
			{Field: "name", Op: plan.Eq, Value: "val-one"}, {Field: "name", Op: plan.In, Value: []string{"val-two"}}, {Field: "name", Op: plan.Prefix, Value: "val-three"}}}})
		if strings.Contains(c.sql, "val-") || strings.Contains(c.sql, "6b6579") {
			t.Error(c.sql)
		}
	})
}

func TestRuns(t *testing.T) {
	of := func(n int, want string, dropped ...int) {
		t.Helper()
		drop := make([]uint64, (n+63)/64)
		for _, i := range dropped {
			drop[i/64] |= 1 << (i % 64)
		}
		keep, kept := runs(drop, n)
		got := strings.Repeat("x", n)
		for _, r := range keep {
			got = got[:r.from] + strings.Repeat(".", r.to-r.from) + got[r.to:]
		}
		if got != want || kept != strings.Count(want, ".") {
			t.Errorf("got %s, kept %d, want %s", got, kept, want)
		}
	}
	of(4, "....")
	of(4, "x..x", 0, 3)
	of(3, "xxx", 0, 1, 2)
	of(66, strings.Repeat(".", 63)+"xx.", 63, 64)
	of(0, "")
}
