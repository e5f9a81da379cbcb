package labelled_test

import (
	"testing"
	"time"

	"mulu/internal/app/labelled"
)

func TestMeasure(t *testing.T) {
	r, err := labelled.Measure(t.Context(), labelled.Options{Seed: 7, Scale: 0.01, AsOf: time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Datasets {
		t.Logf("%s rows %d dirty %d | suggested rules %d P %.3f R %.3f | declared P %.3f R %.3f", d.Dataset, d.Rows, d.Dirty, d.Suggested.Rules, d.Suggested.Precision, d.Suggested.Recall, d.Declared.Precision, d.Declared.Recall)
		for _, k := range d.Kinds {
			t.Logf("   %-18s %5d  S %5d %.3f P %v by %v | D %5d %.3f P %v", k.Kind, k.Labels, k.Suggested.Rows, k.Suggested.Recall, val(k.Suggested.Precision), k.Suggested.By, k.Declared.Rows, k.Declared.Recall, val(k.Declared.Precision))
		}
		for _, s := range d.Suggestions {
			t.Logf("      %2d %-24s %-16s %v %v fail %d/%d conf %.2f strong %v", s.N, s.ID, s.Kind, s.Params, s.When, s.Failing, s.Judged, s.Confidence, s.Blocking)
		}
		for _, e := range d.Suggested.Each {
			if e.Flagged != e.Right {
				t.Logf("      FP %s %d of %d right", e.Rule, e.Right, e.Flagged)
			}
		}
	}
}

func val(p *float64) any {
	if p == nil {
		return "-"
	}
	return *p
}
