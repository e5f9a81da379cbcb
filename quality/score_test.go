package quality_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/plan"
	"mulu/quality"
)

var scored = &mulu.Dataset{
	Code: "t", Version: 3, Cycle: 24 * time.Hour, Grace: time.Hour,
	Columns:  []mulu.Column{{Name: "id", Title: "标识", Type: mulu.String, Required: true, Level: mulu.L3}, {Name: "phone", Title: "电话", Type: mulu.String, Level: mulu.L3}, {Name: "note", Type: mulu.String}},
	Rules:    []mulu.Rule{{ID: "id", Kind: "gb11643", Columns: []string{"id"}, Blocking: true, Indicator: "030100"}, {ID: "nn", Kind: "not_null", Columns: []string{"phone"}, Indicator: "020100"}, {ID: "mob", Kind: "mobile", Columns: []string{"phone"}, Indicator: "010102"}},
	SetRules: []mulu.SetRule{{ID: "u", Kind: "unique", Columns: []string{"id"}, Indicator: "030400"}, {ID: "f", Kind: "fresh", Indicator: "050200"}},
}

var now = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// fixedRows answers the one summary a score may ask for, and fails on another.
type fixedRows struct {
	t      *testing.T
	values map[string]float64
	asked  int
}

func (f *fixedRows) Summary(_ context.Context, s plan.Summary) ([]map[string]any, error) {
	if f.asked++; f.asked > 1 {
		f.t.Error("a second scan was asked for")
	}
	out := map[string]any{}
	for _, m := range s.Measures {
		v, ok := f.values[m.As]
		if !ok {
			f.t.Errorf("unexpected measure %q", m.As)
		}
		out[m.As] = v
	}
	if len(out) != len(f.values) {
		f.t.Errorf("%d measures asked for, want %d", len(out), len(f.values))
	}
	return []map[string]any{out}, nil
}

func values() map[string]float64 {
	return map[string]float64{"rows": 100, "extra": 0, "unfilled": 20, "c0": 100, "c1": 80, "c2": 0, "j0": 100, "j1": 100, "j2": 80, "f0": 0, "f1": 20, "f2": 8, "u0": 100}
}

func evaluate(t *testing.T, v map[string]float64, f quality.Facts) mulu.Score {
	t.Helper()
	s, err := quality.Evaluate(t.Context(), scored, &fixedRows{t: t, values: v}, f, quality.DefaultWeights(), now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func indicator(s mulu.Score, code string) mulu.Indicator {
	for _, d := range s.Dimensions {
		for _, i := range d.Indicators {
			if i.Code == code {
				return i
			}
		}
	}
	return mulu.Indicator{}
}

func facts() quality.Facts {
	return quality.Facts{Received: received(quality.Counts{Good: 100, Rejected: 4, ByRule: map[mulu.RuleID]int64{"id": 2}, ByClass: map[string]int64{"type": 1, "decode": 1}}), Last: now.Add(-time.Hour)}
}

func received(n quality.Counts) map[quality.Stratum]quality.Counts {
	return map[quality.Stratum]quality.Counts{{}: n}
}

func TestEvaluateByHand(t *testing.T) {
	s := evaluate(t, values(), facts())
	want := func(code string, a, b int64) {
		t.Helper()
		if i := indicator(s, code); i.A != a || i.B != b || math.Abs(i.X-float64(a)/float64(b)) > 1e-6 {
			t.Errorf("%s: %d of %d (X %.4f), want %d of %d", code, i.A, i.B, i.X, a, b)
		}
	}
	want("030100", 100, 102) // 100 good ids and the two that were refused
	want("020100", 180, 200) // phone filled in 80 of 100, id required in 100 of 100
	want("010102", 72, 80)
	want("010101", 103, 104)
	want("030400", 100, 100)
	want("030500", 100, 104)
	want("050200", 1, 1)
	want("020200", 80, 100) // rows without a phone are not whole
	want("040300", 100, 100)
	want("010200", 2, 3) // the note was never filled
	want("010300", 2, 3) // and has no Chinese name
	want("010600", 2, 3) // nor a level
	if i := indicator(s, "030500"); math.Abs(i.Raw-4.0/104) > 1e-6 {
		t.Errorf("dirty rate is %.6f, want the share of dirty records, 4/104", i.Raw)
	}
	if i := indicator(s, "060100"); i.B != 0 {
		t.Errorf("060100 has B %d: nothing was probed", i.B)
	}
	// By hand: 规范 = mean of (mean(103/104, 0.9), 2/3, 2/3, 2/3); 完整 = mean(0.9, 0.8);
	// 准确 = mean(100/102, 1, 100/104); 一致 1; 时效 1; 可访问 not applicable.
	norm := ((103.0/104+0.9)/2 + 3*2.0/3) / 4
	exact := (100.0/102 + 1 + 100.0/104) / 3
	total := (0.20*norm + 0.20*0.85 + 0.25*exact + 0.15*1 + 0.15*1) / (0.20 + 0.20 + 0.25 + 0.15 + 0.15)
	if math.Abs(s.Total-total) > 1e-5 {
		t.Errorf("total %.6f, by hand %.6f", s.Total, total)
	}
	if s.Grade != "良" {
		t.Errorf("grade %s for %.4f", s.Grade, s.Total)
	}
}

func TestSameInputSameDigest(t *testing.T) {
	a, b := evaluate(t, values(), facts()), evaluate(t, values(), facts())
	if a.Digest != b.Digest || a.Digest == "" {
		t.Errorf("digests %q and %q", a.Digest, b.Digest)
	}
	v := values()
	v["f2"]++
	if c := evaluate(t, v, facts()); c.Digest == a.Digest {
		t.Error("another count gave the same digest")
	}
}

func TestNothingJudgedIsNotApplicable(t *testing.T) {
	v := values()
	for k := range v {
		v[k] = 0
	}
	s := evaluate(t, v, quality.Facts{})
	for _, d := range s.Dimensions {
		// Its metadata can be judged without a row, and that nothing has come is late.
		if d.Code != "010000" && d.Code != "050000" && d.Applicable {
			t.Errorf("%s is applicable without an element", d.Title)
		}
	}
	if i := indicator(s, "050200"); i.A != 0 || i.B != 1 {
		t.Errorf("a daily dataset of which nothing came: %d of %d in time, want 0 of 1", i.A, i.B)
	}
}

func TestGradeCaps(t *testing.T) {
	n := facts()
	n.Received = received(quality.Counts{Good: 100, Rejected: 7, ByRule: map[mulu.RuleID]int64{"id": 7}})
	if s := evaluate(t, values(), n); len(s.Caps) != 1 || !strings.Contains(s.Caps[0], "6.54%") || s.Grade != "中" || s.Total < 0.85 {
		t.Errorf("7 of 107 records broke a blocking rule: grade %s at %.3f, want 中", s.Grade, s.Total)
	}
	n = facts()
	n.Last = now.Add(-80 * time.Hour)
	if s := evaluate(t, values(), n); s.Grade == "优" || s.Grade == "良" || indicator(s, "050200").A != 0 {
		t.Errorf("three cycles late: grade %s", s.Grade)
	}
}

func TestWeightsValidate(t *testing.T) {
	w := quality.DefaultWeights()
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	w.Dimensions = map[string]float64{"010000": 0.5, "990000": 0.5}
	w.Indicators = map[string]float64{"020100": 0.7, "020200": 0.7}
	err := w.Validate()
	if err == nil {
		t.Fatal("weights that do not sum to 1 were taken")
	}
}
