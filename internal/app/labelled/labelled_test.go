package labelled_test

import (
	"slices"
	"testing"
	"time"

	"mulu/internal/app/labelled"
)

// unseen are the kinds of dirt that no suggestion can find from the rows of one dataset
// (docs/quality.md says why): business limits, and facts between datasets. One that is
// found after all must leave this list.
var unseen = []string{"death_late", "stale", "reported_late", "death_unpropagated", "paid_after_death", "firm_cancelled", "addr_differs"}

// crossed are those of them that declared rules over two datasets must find.
var crossed = []string{"death_unpropagated", "paid_after_death", "firm_cancelled", "addr_differs"}

// floors are the least recall of the other kinds; what is not named must be found whole.
// The last two need arithmetic on an identity number and the meaning of one digit.
var floors = map[string]float64{"alias": 0.75, "band_wrong": 0, "category_items": 0}

// TestSuggestionsFindDirt holds what the suggestions find in the labelled district, of
// which they know nothing but the raw records, against floors. The seed is none that
// anything was tried on.
func TestSuggestionsFindDirt(t *testing.T) {
	r, err := labelled.Measure(t.Context(), labelled.Options{Seed: 20261128, Scale: 0.008, AsOf: time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, d := range r.Datasets {
		if d.Rows == 0 || len(d.Kinds) == 0 || d.Suggested.Rules < 10 {
			t.Errorf("%s: %d rows, %d kinds of dirt, %d suggested rules", d.Dataset, d.Rows, len(d.Kinds), d.Suggested.Rules)
		}
		if d.Suggested.Precision < 0.98 {
			t.Errorf("%s: of the rows that suggested rules point at, %.3f have a label, want 0.98", d.Dataset, d.Suggested.Precision)
			for _, e := range d.Suggested.Each {
				if e.Right < e.Flagged {
					t.Logf("  %s: %d of %d", e.Rule, e.Right, e.Flagged)
				}
			}
		}
		for _, k := range d.Kinds {
			found[k.Kind] = true
			want, named := floors[k.Kind]
			if !named {
				want = 0.99
			}
			blind := slices.Contains(unseen, k.Kind)
			if slices.Contains(crossed, k.Kind) && k.Declared.Recall < 0.85 {
				t.Errorf("%s %s: rules between datasets find %.2f of %d", d.Dataset, k.Kind, k.Declared.Recall, k.Labels)
			}
			if !blind && k.Suggested.Recall < want {
				t.Errorf("%s %s: %d of %d found by %v, want %.2f of them", d.Dataset, k.Kind, k.Suggested.Rows, k.Labels, k.Suggested.By, want)
			}
			if blind && k.Suggested.Recall > 0.5 {
				t.Errorf("%s %s: %.2f of it is found: it is not unseen any more", d.Dataset, k.Kind, k.Suggested.Recall)
			}
		}
	}
	for _, kind := range []string{"id_checksum", "birth_mismatch", "div12_wrong", "room_form", "alias", "visit_future", "text_only", "capital_unit", "rep_masked", "acct_check", "lic_length", "firm_cancelled", "death_unpropagated"} {
		if !found[kind] {
			t.Errorf("the district has no %s: the floors prove nothing for it", kind)
		}
	}
}

// TestMeasureIsReproducible: the same seed gives the same report.
func TestMeasureIsReproducible(t *testing.T) {
	measure := func() *labelled.Report {
		r, err := labelled.Measure(t.Context(), labelled.Options{Seed: 5, Scale: 0.001, AsOf: time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b := measure(), measure()
	for i := range a.Datasets {
		x, y := a.Datasets[i], b.Datasets[i]
		if !slices.Equal(x.Suggested.Each, y.Suggested.Each) || !slices.Equal(x.Declared.Each, y.Declared.Each) {
			t.Errorf("%s: %+v, then %+v", x.Dataset, x.Suggested, y.Suggested)
		}
	}
}
