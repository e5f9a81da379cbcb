package quality_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"mulu"
	"mulu/internal/declare"
	"mulu/quality"
)

// parted is ten rows with a value in "a": two from before the baseline, five since, three
// of the period. Rule r0 fails in the first, the third and the last.
func parted(add func(*mulu.Dataset)) (*mulu.Dataset, heldRows, quality.Facts) {
	ds := aTable(func(ds *mulu.Dataset) {
		withRule("pattern", "030100", "a")(ds)
		withSetRule("unique", "030400", "a")(ds)
		ds.Baseline = "2026-06-01"
		if add != nil {
			add(ds)
		}
	})
	rows := oneColumn("a", 1, 2, 3, 4, 5, 6, 7, 7, 8, 1).flag(1, 0, 1, 0, 0, 0, 0, 0, 0, 1)
	for i := range rows {
		rows[i].historic, rows[i].period = i < 2, i >= 7
	}
	return ds, rows, quality.Facts{
		Cuts: quality.Cuts(ds, nil, nil), Period: &mulu.Period{From: onDay(1, 0), To: onDay(30, 0)}, Entry: &declare.Entry{CatalogLevel: "区级补充", SourceMode: "履职收集"},
		Received: map[quality.Stratum]quality.Counts{
			{Historic: true}: {Good: 2}, {}: {Good: 5}, {Period: true}: {Good: 3, Rejected: 1, ByRule: map[mulu.RuleID]int64{"r0": 1}}},
	}
}

func TestStockAndIncrement(t *testing.T) {
	ds, rows, f := parted(nil)
	s := scoreOf(t, ds, rows, f, quality.DefaultWeights(), now)
	for _, c := range []struct {
		part *mulu.Part
		code string
		want [2]int64
	}{
		{s.Increment, "030100", [2]int64{2, 4}}, // rows 8 to 10, the last at fault, and one refused
		{s.Stock, "030100", [2]int64{5, 7}},
		{s.Increment, "030400", [2]int64{3, 3}}, // 7, 8, 1: what repeats stands in the stock
		{s.Stock, "030400", [2]int64{7, 7}},
		{s.Increment, "030500", [2]int64{3, 4}},
		{s.Stock, "030500", [2]int64{7, 7}},
	} {
		if got := c.part.Counts[c.code]; got != c.want {
			t.Errorf("%s: %v, want %v", c.code, got, c.want)
		}
	}
	// The whole sees both: 7 and 1 are there twice.
	if i := indicator(s, "030400"); i.A != 8 || i.B != 10 || s.Increment.Rows != 3 || s.Stock.Rows != 7 || s.Rows != 10 {
		t.Errorf("of the whole %d of %d differ, rows %d = %d + %d", i.A, i.B, s.Rows, s.Stock.Rows, s.Increment.Rows)
	}
	if s.Stock.Total <= s.Increment.Total || s.Total >= s.Stock.Total {
		t.Errorf("stock %v, increment %v, total %v: the increment is the worse", s.Stock.Total, s.Increment.Total, s.Total)
	}
	f.Received = map[quality.Stratum]quality.Counts{{}: {Good: 7}}
	if s := scoreOf(t, ds, rows[:7], f, quality.DefaultWeights(), now); s.Increment != nil || s.Stock == nil {
		t.Errorf("nothing landed in the period, yet it has a score: %+v", s.Increment)
	}
}

func TestResponsibility(t *testing.T) {
	count := func(s mulu.Score, rule mulu.RuleID) mulu.RuleCount {
		i := slices.IndexFunc(s.Rules, func(r mulu.RuleCount) bool { return r.Rule == rule })
		return s.Rules[i]
	}
	ds, rows, f := parted(nil)
	s := scoreOf(t, ds, rows, f, quality.DefaultWeights(), now)
	// Three rows and one refused fail; the first row is from before the baseline.
	if r := count(s, "r0"); r.Evaluated != 11 || r.Failed != 4 || r.Historic != 1 || r.City != 0 {
		t.Errorf("the district's dataset: %+v", r)
	}
	// The district's own: 8 rows and a refused one, of which 3 fail.
	if got := s.District.Counts["030100"]; got != [2]int64{6, 9} || s.District.Rows != 8 {
		t.Errorf("the district's part: %v of %d rows", got, s.District.Rows)
	}
	f.Entry.SourceMode = "上级回流"
	s = scoreOf(t, ds, rows, f, quality.DefaultWeights(), now)
	if r := count(s, "r0"); r.Historic != 1 || r.City != 3 || s.District != nil {
		t.Errorf("what came back from above: %+v, district %+v", r, s.District)
	}
	ds, rows, f = parted(func(ds *mulu.Dataset) { ds.Rules[0].Responsible = mulu.ResponsibleCity })
	s = scoreOf(t, ds, rows, f, quality.DefaultWeights(), now)
	if r := count(s, "r0"); r.Historic != 1 || r.City != 3 {
		t.Errorf("a rule of the city's: %+v", r)
	}
	if _, judged := s.District.Counts["030100"]; judged || s.District.Total <= s.Total {
		t.Errorf("the district answers for the city's rule: %+v", s.District)
	}
}

// TestOneFaultOnce: of four values two fail the form, one of which fails the check digit,
// too, and one the check digit alone.
func TestOneFaultOnce(t *testing.T) {
	ds := aTable(func(ds *mulu.Dataset) { withRule("pattern", "010102", "a")(ds); withRule("gb11643", "030100", "a")(ds) })
	rows := oneColumn("a", 1, 2, 3, 4).flag(0b01, 0b11, 0b10)
	w := quality.DefaultWeights()
	every := scoreOf(t, ds, rows, quality.Facts{}, w, now)
	w.OneFaultOnce = true
	once := scoreOf(t, ds, rows, quality.Facts{}, w, now)
	// Each time: 2 of 4 have their form, 2 of 4 their check digit. Once: of the 2 that have
	// their form 1 has its check digit.
	if i := indicator(every, "030100"); i.A != 2 || i.B != 4 {
		t.Errorf("each fault each time: %d of %d", i.A, i.B)
	}
	if i := indicator(once, "030100"); i.A != 1 || i.B != 2 {
		t.Errorf("one fault once: %d of %d", i.A, i.B)
	}
	if i := indicator(once, "010102"); i.A != 2 || i.B != 4 {
		t.Errorf("the first tier loses nothing: %d of %d", i.A, i.B)
	}
	if every.Otherwise.Total != once.Total || once.Otherwise.Total != every.Total || every.OneFaultOnce || !once.OneFaultOnce {
		t.Errorf("side by side: %v beside %v, %v beside %v", every.Total, every.Otherwise.Total, once.Total, once.Otherwise.Total)
	}
	if got := every.Otherwise.Counts["030100"]; got != [2]int64{1, 2} {
		t.Errorf("the other way of counting: %v", got)
	}
}

// recomputed is a total worked out from a kept score's JSON alone, by none of the code
// that made it: exact fractions, rounded where the page rounds.
func recomputed(t *testing.T, content string) string {
	t.Helper()
	var s struct {
		Dimensions []struct {
			Code   string
			Weight json.Number
			Groups []struct {
				Code   string
				Weight json.Number
			}
			Indicators []struct {
				Code, Parent string
				Weight       json.Number
				A, B         int64
			}
		}
	}
	if err := json.Unmarshal([]byte(content), &s); err != nil {
		t.Fatal(err)
	}
	round := func(r *big.Rat, digits int) *big.Rat {
		x, _ := new(big.Rat).SetString(r.FloatString(digits)) // half away from zero
		return x
	}
	number := func(n json.Number) *big.Rat {
		if n == "" {
			return new(big.Rat)
		}
		x, ok := new(big.Rat).SetString(n.String())
		if !ok {
			t.Fatalf("%q is no number", n)
		}
		return x
	}
	type sums struct{ sum, of *big.Rat }
	at := map[string]*sums{}
	put := func(parent string, weight, x *big.Rat) {
		if at[parent] == nil {
			at[parent] = &sums{new(big.Rat), new(big.Rat)}
		}
		at[parent].sum.Add(at[parent].sum, round(new(big.Rat).Mul(weight, x), 9))
		at[parent].of.Add(at[parent].of, weight)
	}
	mean := func(code string) *big.Rat {
		if at[code] == nil || at[code].of.Sign() == 0 {
			return nil
		}
		return round(new(big.Rat).Quo(at[code].sum, at[code].of), 6)
	}
	for _, d := range s.Dimensions {
		for _, i := range d.Indicators {
			if i.B > 0 {
				put(i.Parent, number(i.Weight), round(big.NewRat(i.A, i.B), 6))
			}
		}
		for _, g := range d.Groups {
			if x := mean(g.Code); x != nil {
				put(d.Code, number(g.Weight), x)
			}
		}
		if x := mean(d.Code); x != nil {
			put("", number(d.Weight), x)
		}
	}
	return mean("").FloatString(6)
}

// TestRecomputedFromJSON: whoever has the JSON of a score reaches its total and digest.
func TestRecomputedFromJSON(t *testing.T) {
	ds, rows, f := parted(nil)
	odd := quality.DefaultWeights()
	odd.Dimensions = map[string]float64{"010000": 0.17, "020000": 0.13, "030000": 0.31, "040000": 0.19, "050000": 0.11, "060000": 0.09}
	odd.Indicators = map[string]float64{"030100": 0.37, "010101": 0.123456}
	for _, w := range []quality.Weights{quality.DefaultWeights(), odd} {
		scores := []mulu.Score{scoreOf(t, ds, rows, f, w, now)}
		for _, c := range byHand {
			scores = append(scores, scoreOf(t, c.ds, c.rows, c.facts, w, now))
		}
		for _, s := range scores {
			content, err := quality.ScoreContent(s)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(content)
			if got := "sha256:" + hex.EncodeToString(sum[:]); got != s.Digest {
				t.Errorf("digest of the content %s, of the score %s", got, s.Digest)
			}
			total, _ := new(big.Rat).SetString(recomputed(t, string(content)))
			if f, _ := total.Float64(); f != s.Total {
				t.Errorf("recomputed %v, kept %v: %s", f, s.Total, content)
			}
		}
	}
}

// A score that was kept before weights were kept with it is still read, and says why it
// can not be explained.
func TestOldScore(t *testing.T) {
	const old = `{"Dataset":"t","Ruleset":1,"Weights":"default-1","Rows":3,"Through":"2026-11-20T00:00:00Z","Total":0.9,"Grade":"良","Dimensions":[{"Code":"010000","Title":"公共数据规范性","Weight":0.2,"X":0.9,"Applicable":true,
		"Indicators":[{"Code":"010101","Title":"数据类型约束规范性","A":9,"B":10,"X":0.9,"Raw":0.1}]}],"Digest":"sha256:x","At":"2026-11-20T00:00:00Z"}`
	var s mulu.Score
	if err := json.Unmarshal([]byte(old), &s); err != nil {
		t.Fatal(err)
	}
	if s.Total != 0.9 || s.Dimensions[0].Indicators[0].B != 10 || quality.Complete(&s) {
		t.Errorf("%+v", s)
	}
	if _, err := quality.Explain(&s, ""); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("explained: %v", err)
	}
	// Nothing new is in what its digest was made of.
	content, err := quality.ScoreContent(s)
	if err != nil || string(content) != `{"Dataset":"t","Dimensions":[{"Applicable":true,"Code":"010000","Indicators":[{"A":9,"B":10,"Code":"010101","Raw":0.1,"Title":"数据类型约束规范性","X":0.9}],"Title":"公共数据规范性","Weight":0.2,"X":0.9}],"Grade":"良","Rows":3,"Ruleset":1,"Through":"2026-11-20T00:00:00Z","Total":0.9,"Weights":"default-1"}` {
		t.Errorf("content of an old score: %s %v", content, err)
	}
}

func TestExplainAndGains(t *testing.T) {
	ds, rows, f := parted(func(ds *mulu.Dataset) { withRule("length", "010103", "a")(ds) })
	rows[4].flags |= 2
	s := scoreOf(t, ds, rows, f, quality.DefaultWeights(), now)
	e, err := quality.Explain(&s, "")
	if err != nil || e.Total != s.Total || len(e.Nodes) != 6 {
		t.Fatalf("%+v %v", e, err)
	}
	share := 0.0
	var visit func([]quality.Node)
	visit = func(list []quality.Node) {
		for _, n := range list {
			if n.Below == nil {
				share += n.Share
			}
			if n.Formula == "" || n.Title == "" {
				t.Errorf("%s has no formula or title", n.Code)
			}
			visit(n.Below)
		}
	}
	visit(e.Nodes)
	if share < 0.9999 || share > 1.0001 {
		t.Errorf("the shares of the total add up to %v", share)
	}
	if p, err := quality.Explain(&s, "stock"); err != nil || p.Total != s.Stock.Total || p.Rows != 7 || p.Gains != nil {
		t.Errorf("the stock explained: %+v %v", p, err)
	}
	if _, err := quality.Explain(&s, "half"); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("a part there is not: %v", err)
	}

	// A gain is what the total really becomes once its elements are mended.
	g := e.Gains[slices.IndexFunc(e.Gains, func(g quality.Gain) bool { return g.Rule == "r1" })]
	rows[4].flags &^= 2
	then := scoreOf(t, ds, rows, f, quality.DefaultWeights(), now)
	if g.Mend != 1 || g.Total != then.Total || g.Gain != quality.Round(then.Total-s.Total) || g.Gain <= 0 {
		t.Errorf("gain of mending one value %+v, total before %v and after %v", g, s.Total, then.Total)
	}
	for i := 1; i < len(e.Gains); i++ {
		if e.Gains[i].Gain > e.Gains[i-1].Gain {
			t.Errorf("gains are not sorted: %+v", e.Gains)
		}
	}
}

func TestStrongSetRuleCaps(t *testing.T) {
	ds, rows, f := parted(func(ds *mulu.Dataset) { ds.SetRules[0].Blocking = true; ds.SetRules[0].Mostly = 0.75 })
	w := quality.DefaultWeights()
	w.Grades = declare.Grades{Best: 0.4, Good: 0.3, Middle: 0.2, Pass: 0.1}
	w.Caps = w.Caps[2:] // strong_set_rules alone
	if s := scoreOf(t, ds, rows, f, w, now); s.Grade != "优" || s.Caps != nil {
		t.Errorf("8 of 10 differ, 0.75 is enough: %s %v", s.Grade, s.Caps)
	}
	ds.SetRules[0].Mostly = 0.9
	if s := scoreOf(t, ds, rows, f, w, now); s.Grade != "中" || len(s.Caps) != 1 {
		t.Errorf("8 of 10 differ, 0.9 is asked for: %s %v", s.Grade, s.Caps)
	}
	w.Caps = nil
	if s := scoreOf(t, ds, rows, f, w, now); s.Grade != "优" {
		t.Errorf("a scheme without caps: %s", s.Grade)
	}
}

func TestDepartmentsByHand(t *testing.T) {
	w := quality.DefaultWeights()
	kept := func(total float64, overdue int64) *mulu.Score {
		return &mulu.Score{Total: total, Overdue: overdue, Dimensions: []mulu.Dimension{{Code: "010000", X: total, Applicable: true}}}
	}
	list := quality.Departments(w, []quality.Standing{
		{Dataset: "b", Title: "乙", Owner: "o1", Class: "部门", Score: kept(0.8, 0)},
		{Dataset: "a", Title: "甲", Owner: "o1", Class: "基础", Score: kept(0.9, 2), Reads: 99},
		{Dataset: "c", Title: "丙", Owner: "o2", Class: "主题", Score: kept(0.7, 9)},
		{Dataset: "d", Title: "丁", Owner: "o3", Class: "主题"},
	})
	if len(list) != 2 {
		t.Fatalf("%d departments, o3 has no score", len(list))
	}
	// a: 1.5 × (1 + 0.5×lg 100) = 3; b: 1 × (1 + 0) = 1. (0.9×3 + 0.8×1) ÷ 4 = 0.875; two cycles late: 0.02 off.
	d := list[0]
	if d.Org != "o1" || d.Datasets[0].Weight != 3 || d.Datasets[1].Weight != 1 || d.Total != 0.875 || d.Final != 0.855 || d.Grade != "良" || len(d.Deductions) != 1 || d.Deductions[0].Points != 0.02 || d.X["010000"] != 0.875 {
		t.Errorf("o1: %+v", d)
	}
	// Nine cycles late would be 0.09; 0.05 is the most.
	if d := list[1]; d.Total != 0.7 || d.Final != 0.65 {
		t.Errorf("o2: %+v", d)
	}
	if quality.Ranks(w, list) != nil {
		t.Error("ranks while ranking is off")
	}
	w.Ranking = true
	if r := quality.Ranks(w, list); r["o1"] != 1 || r["o2"] != 2 {
		t.Errorf("ranks %v", r)
	}
	// a was kept on the 21st, b on the 22nd at 0.4: (0.9×3 + 0.8) ÷ 4, then (0.9×3 + 0.4) ÷ 4.
	trend := d.Trend(map[mulu.DatasetCode]float64{"b": 0.8}, []quality.DayTotal{{Dataset: "a", Day: "2026-11-21", Total: 0.9}, {Dataset: "b", Day: "2026-11-22", Total: 0.4}}, onDay(20, 9), onDay(23, 9))
	want := []quality.DayTotal{{Day: "2026-11-20", Total: 0.8}, {Day: "2026-11-21", Total: 0.875}, {Day: "2026-11-22", Total: 0.775}, {Day: "2026-11-23", Total: 0.775}}
	if !slices.Equal(trend, want) {
		t.Errorf("trend %v, by hand %v", trend, want)
	}
}

func TestPeriodOf(t *testing.T) {
	at := time.Date(2026, 11, 30, 17, 0, 0, 0, time.UTC) // 01:00 of 1 December in Shanghai
	if p, err := quality.PeriodOf("", at); err != nil || !p.From.Equal(time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC)) {
		t.Errorf("%v %v", p, err)
	}
	if p, err := quality.PeriodOf("2026-02", at); err != nil || p.To.Sub(p.From) != 28*24*time.Hour {
		t.Errorf("%v %v", p, err)
	}
	for _, text := range []string{"2027-01", "2026", "11", "2026-13"} {
		if _, err := quality.PeriodOf(text, at); !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
