package quality_test

import (
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/internal/declare"
	"mulu/quality"
)

// byHand is one case for each indicator, worked out on paper in its comment.
var byHand = []struct {
	code  string
	ds    *mulu.Dataset
	rows  heldRows
	facts quality.Facts
	a, b  int64
	x     float64 // to six digits
	raw   float64
}{
	// 8 records read, 1 refused for a type: 7 ÷ 8.
	{"010101", aTable(nil), oneColumn("a", "1", "2", "3", "4", "5", "6"), quality.Facts{Received: received(quality.Counts{Good: 6, Rejected: 2, ByClass: map[string]int64{"type": 1, "decode": 1}})}, 7, 8, 0.875, 0.125},
	// 3 values, 1 of a wrong form; the empty cell is not judged: 2 ÷ 3.
	{"010102", aTable(withRule("pattern", "010102", "a")), oneColumn("a", "x", "y", "?", nil).flag(0, 0, 1), quality.Facts{}, 2, 3, 0.666667, 0.333333},
	// 3 values, 1 too long, and 1 more that a strong rule refused: 2 ÷ 4.
	{"010103", aTable(withRule("length", "010103", "a")), oneColumn("a", "x", "y", "zzz").flag(0, 0, 1), quality.Facts{Received: received(quality.Counts{Good: 3, Rejected: 1, ByRule: map[mulu.RuleID]int64{"r0": 1}})}, 2, 4, 0.5, 0.5},
	// 3 items declared, "c" never has a value: 2 ÷ 3.
	{"010200", aTable(withItems("b", "c")), heldRows{{cells: map[string]any{"a": 1}}, {cells: map[string]any{"a": 1, "b": 1}}}, quality.Facts{}, 2, 3, 0.666667, 0.333333},
	// 3 items, "c" has no Chinese name; of 8 things the entry must say, the mode is missing: (2+7) ÷ (3+8).
	{"010300", aTable(func(ds *mulu.Dataset) { withItems("b", "c")(ds); ds.Columns[2].Title = "" }), oneColumn("a", 1), quality.Facts{Entry: &declare.Entry{Format: "数据库", Cycle: "每日", ShareType: "无条件共享", Class: "基础"}}, 9, 11, 0.818182, 0.181818},
	// 4 rows a business rule looked at, 1 broke it: 3 ÷ 4.
	{"010400", aTable(withRule("pattern", "010400", "a")), oneColumn("a", 1, 2, 3, 4).flag(1), quality.Facts{}, 3, 4, 0.75, 0.25},
	// 5 codes, 2 not in the table: 3 ÷ 5.
	{"010500", aTable(withRule("code", "010500", "a")), oneColumn("a", 1, 2, 3, 4, 5).flag(1, 0, 0, 1), quality.Facts{}, 3, 5, 0.6, 0.4},
	// 2 items, "b" has no level; the scenario offers "a" (L3) once masked, once in clear: (1+1) ÷ (2+2).
	{"010600", aTable(func(ds *mulu.Dataset) { withItems("b")(ds); ds.Columns[0].Level, ds.Columns[1].Level = mulu.L3, 0 }), oneColumn("a", 1),
		quality.Facts{Offered: []quality.Offered{{Column: "a", Masked: true}, {Column: "a"}}}, 2, 4, 0.5, 0.5},

	// "a" is to be filled: 3 of 4 are: 3 ÷ 4.
	{"020100", aTable(withRule("not_null", "020100", "a")), oneColumn("a", 1, nil, 3, 4).flag(0, 1), quality.Facts{}, 3, 4, 0.75, 0.25},
	// "a" and "b" are to be filled: row 2 lacks one, row 3 both; 1 row more was refused for it: 2 ÷ 5.
	{"020200", aTable(func(ds *mulu.Dataset) {
		withItems("b")(ds)
		withRule("not_null", "020100", "a")(ds)
		withRule("not_null", "020100", "b")(ds)
	}), oneColumn("a", 1, 2, nil, 4).flag(0, 2, 3, 0), quality.Facts{Received: received(quality.Counts{Good: 4, Rejected: 1, ByRule: map[mulu.RuleID]int64{"r1": 1}})}, 2, 5, 0.4, 0.6},

	// 3 numbers, 1 with a wrong check digit: 2 ÷ 3.
	{"030100", aTable(withRule("gb11643", "030100", "a")), oneColumn("a", 1, 2, 3).flag(1), quality.Facts{}, 2, 3, 0.666667, 0.333333},
	// 4 values, 3 out of range: 1 ÷ 4.
	{"030200", aTable(withRule("range", "030200", "a")), oneColumn("a", 1, 2, 3, 4).flag(1, 1, 1), quality.Facts{}, 1, 4, 0.25, 0.75},
	// 8 rows, 3 of them repeat another: raw rate 3 ÷ 8, X = 1 - 3 ÷ 8.
	{"030300", aTable(withSetRule("unique", "030300", "a")), oneColumn("a", 1, 2, 3, 4, 5, 5, 5, 5), quality.Facts{}, 5, 8, 0.625, 0.375},
	// 5 rows with a key, 4 different keys; a row without one repeats nothing: 4 ÷ 5.
	{"030400", aTable(withSetRule("unique", "030400", "a")), oneColumn("a", 1, 2, 3, 4, 4, nil), quality.Facts{}, 4, 5, 0.8, 0.2},
	// 16 records read, 1 of them dirty: raw rate 1 ÷ 16, X = 1 - 1 ÷ 16.
	{"030500", aTable(nil), nil, quality.Facts{Received: received(quality.Counts{Good: 15, Rejected: 1})}, 15, 16, 0.9375, 0.0625},
	// 40 rows held against the authority, 4 differ: 36 ÷ 40.
	{"030600", aTable(withSetRule("equal", "030600", "a")), nil, afterRun(40, 4), 36, 40, 0.9, 0.1},

	// 3 persons in two datasets, 1 disagrees: 2 ÷ 3.
	{"040100", aTable(withSetRule("equal", "040100", "a")), nil, afterRun(3, 1), 2, 3, 0.666667, 0.333333},
	// 2 of 3 rows have both values, 1 of them disagrees: 1 ÷ 2.
	{"040201", aTable(func(ds *mulu.Dataset) { withItems("b")(ds); withRule("birth_matches_id", "040201", "a", "b")(ds) }),
		heldRows{{cells: map[string]any{"a": 1, "b": 1}, flags: 1}, {cells: map[string]any{"a": 1, "b": 2}}, {cells: map[string]any{"a": 1}}}, quality.Facts{}, 1, 2, 0.5, 0.5},
	// 3 rows have both days, 1 is out of order: 2 ÷ 3.
	{"040202", aTable(func(ds *mulu.Dataset) { withItems("b")(ds); withRule("order", "040202", "a", "b")(ds) }),
		heldRows{{cells: map[string]any{"a": 1, "b": 1}, flags: 1}, {cells: map[string]any{"a": 1, "b": 2}}, {cells: map[string]any{"a": 1, "b": 3}}, {cells: map[string]any{"b": 1}}}, quality.Facts{}, 2, 3, 0.666667, 0.333333},
	// 200 rows have a partner in the other table, 3 differ: 197 ÷ 200.
	{"040203", aTable(withSetRule("equal", "040203", "a")), nil, afterRun(200, 3), 197, 200, 0.985, 0.015},
	// 7 of the dead are in the other table, 1 still receives: 6 ÷ 7.
	{"040204", aTable(withSetRule("references", "040204", "a")), nil, afterRun(7, 1), 6, 7, 0.857143, 0.142857},
	// 4 rows, 1 with a field that nobody declared: 3 ÷ 4.
	{"040300", aTable(nil), heldRows{{extra: true}, {}, {}, {}}, quality.Facts{}, 3, 4, 0.75, 0.25},

	// Daily, 12 hours of grace; first batch on the 17th at noon. Whole days since then up to yesterday: 18th to 22nd. The
	// 18th and 19th have batches, the 20th's came at 09:00 of the 21st and counts for both, the 22nd had none until
	// noon of the 23rd: 4 ÷ 5.
	{"050100", aTable(everyDay), nil, quality.Facts{First: onDay(17, 12), Arrivals: []time.Time{onDay(17, 12), onDay(18, 3), onDay(19, 23), onDay(21, 9)}}, 4, 5, 0.8, 0.2},
	// The day's update came an hour ago (1 of 1); of 4 licences 1 has expired (3 of 4): (1+3) ÷ (1+4).
	{"050200", aTable(func(ds *mulu.Dataset) {
		everyDay(ds)
		withRule("date_range", "050200", "a")(ds)
		withSetRule("fresh", "050200")(ds)
	}), oneColumn("a", 1, 2, 3, 4).flag(0, 0, 0, 1), quality.Facts{Last: onDay(23, 14)}, 4, 5, 0.8, 0.2},
	// 2 rows have both moments, both in order: 2 ÷ 2.
	{"050300", aTable(func(ds *mulu.Dataset) { withItems("b")(ds); withRule("order", "050300", "a", "b")(ds) }),
		heldRows{{cells: map[string]any{"a": 1, "b": 1}}, {cells: map[string]any{"a": 1, "b": 2}}, {}}, quality.Facts{}, 2, 2, 1, 0},
	// 10 reads were asked for in the period, 1 without a valid grant: 9 ÷ 10.
	{"050400", aTable(nil), nil, quality.Facts{Calls: quality.Calls{Asked: 10, Denied: 1, Delivered: 8}}, 9, 10, 0.9, 0.1},

	// 100 probes, 99 answered; 8 reads delivered, 2 failed: (99+8) ÷ (100+10).
	{"060100", aTable(nil), nil, quality.Facts{Calls: quality.Calls{Asked: 10, Delivered: 8, Failed: 2}, Probes: quality.Tally{A: 99, B: 100}}, 107, 110, 0.972727, 0.027273},
	// Grants deliver "a" (twice) and "b"; "b" has no value; "c" is offered and in nobody's use: 1 ÷ 2.
	{"060200", aTable(withItems("b", "c")), oneColumn("a", 1), quality.Facts{Offered: []quality.Offered{{Column: "a", InUse: true}, {Column: "a", InUse: true}, {Column: "b", InUse: true}, {Column: "c"}}}, 1, 2, 0.5, 0.5},
}

func withItems(names ...string) func(*mulu.Dataset) {
	return func(ds *mulu.Dataset) {
		for _, n := range names {
			ds.Columns = append(ds.Columns, mulu.Column{Name: n, Title: n, Type: mulu.String, Level: mulu.L1})
		}
	}
}

func everyDay(ds *mulu.Dataset) { ds.Cycle, ds.Grace = 24*time.Hour, 12*time.Hour }

// onDay is an hour of a day of November 2026 in Shanghai; scores of the cases are made on the
// 23rd at 16:00.
func onDay(d, hour int) time.Time { return time.Date(2026, 11, d, hour, 0, 0, 0, clock.Shanghai) }

// afterRun is a run in which the set rule failed for some of its elements.
func afterRun(evaluated, failed int64) quality.Facts {
	return quality.Facts{Results: []quality.Result{{Rule: "s", Set: true, Status: quality.Warn, Evaluated: evaluated, Failed: failed}}}
}

func TestEveryIndicatorByHand(t *testing.T) {
	done := map[string]bool{}
	for _, c := range byHand {
		done[c.code] = true
		s := scoreOf(t, c.ds, c.rows, c.facts, quality.DefaultWeights(), now)
		if i := indicator(s, c.code); i.A != c.a || i.B != c.b || i.X != c.x || i.Raw != c.raw {
			t.Errorf("%s: %d ÷ %d = %v (raw %v), by hand %d ÷ %d = %v (raw %v)", c.code, i.A, i.B, i.X, i.Raw, c.a, c.b, c.x, c.raw)
		}
	}
	for _, i := range quality.Indicators() {
		if i.Element == "" { // a mean: below
			continue
		}
		if !done[i.Code] {
			t.Errorf("%s %s has no case", i.Code, i.Title)
		}
	}
	if len(done) != 28 {
		t.Errorf("%d cases, the standard has 28 indicators with elements and two with others below", len(done))
	}
}

// TestMeansByHand: 010100 is the mean of the three below it, 040200 of the four, a
// dimension of its second level; what does not apply is left out.
func TestMeansByHand(t *testing.T) {
	tallies := map[string]quality.Tally{
		// 010100 = (0.9 + 0.8)/2 = 0.85: nothing was judged by length. 010000 = (0.85 + 0.5)/2 = 0.675.
		"010101": {A: 9, B: 10}, "010102": {A: 4, B: 5}, "010200": {A: 1, B: 2},
		// 040200 = (0.6 + 0.7 + 0.8 + 0.9)/4 = 0.75. 040000 = (0.25 + 0.75)/2 = 0.5.
		"040201": {A: 6, B: 10}, "040202": {A: 7, B: 10}, "040203": {A: 8, B: 10}, "040204": {A: 9, B: 10}, "040100": {A: 1, B: 4},
		// 060000 = 1.
		"060100": {A: 3, B: 3},
	}
	s, err := quality.Score(quality.Input{Dataset: aTable(nil), Weights: quality.DefaultWeights(), Tallies: tallies})
	if err != nil {
		t.Fatal(err)
	}
	// P = (0.20×0.675 + 0.15×0.5 + 0.05×1) ÷ 0.40 = (0.135 + 0.075 + 0.05) ÷ 0.40 = 0.26 ÷ 0.40 = 0.65.
	if s.Total != 0.65 || s.Grade != "及格" {
		t.Errorf("total %v %s, by hand 0.65 及格", s.Total, s.Grade)
	}
	x := map[string]float64{}
	for _, d := range s.Dimensions {
		x[d.Code] = d.X
		for _, g := range d.Groups {
			x[g.Code] = g.X
		}
	}
	for code, want := range map[string]float64{"010000": 0.675, "010100": 0.85, "020000": 0, "040000": 0.5, "040200": 0.75, "060000": 1} {
		if x[code] != want {
			t.Errorf("%s is %v, by hand %v", code, x[code], want)
		}
	}
	// Of 0.40 that applies, 0.20 is half; of 1 among two that apply, half; of two thirds, half.
	if d := s.Dimensions[0]; d.Effective != 0.5 || d.Groups[0].Effective != 0.5 || indicator(s, "010101").Effective != 0.5 || indicator(s, "010103").Effective != 0 {
		t.Errorf("effective weights: %+v", d)
	}
	if i := indicator(s, "010103"); i.B != 0 || !strings.Contains(i.Note, "没有以 010103 计分的规则") {
		t.Errorf("what does not apply says why: %q", i.Note)
	}
}

// TestDoesNotApply: every indicator of a dataset of which the house knows nothing says why
// it has no number.
func TestDoesNotApply(t *testing.T) {
	s := scoreOf(t, aTable(nil), nil, quality.Facts{}, quality.DefaultWeights(), now)
	for _, d := range s.Dimensions {
		for _, i := range d.Indicators {
			if i.B == 0 && i.Note == "" {
				t.Errorf("%s %s does not say why it does not apply", i.Code, i.Title)
			}
		}
	}
	f := quality.Facts{Entry: &declare.Entry{Format: "图像"}}
	s = scoreOf(t, aTable(withRule("length", "010103", "a")), oneColumn("a", 1), f, quality.DefaultWeights(), now)
	if i := indicator(s, "010103"); i.B != 0 || !strings.Contains(i.Note, "结构化") {
		t.Errorf("an indicator for structured data was counted of images: %+v", i)
	}
}
