package quality_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/plan"
	"mulu/quality"
)

// oneRow is a library with a row in which every column has a value.
type oneRow struct{}

func (oneRow) Summary(_ context.Context, s plan.Summary) ([]map[string]any, error) {
	row := map[string]any{}
	for _, m := range s.Measures {
		row[m.As] = 1.0
		if m.Kind == plan.Flag || m.Kind == plan.Extra {
			row[m.As] = 0.0
		}
	}
	return []map[string]any{row}, nil
}

// A nil report counts as an update of its moment, and the score says that it was one.
func TestNilReportIsOnTime(t *testing.T) {
	const day = 24 * time.Hour
	ds := &mulu.Dataset{Code: "rescue", Version: 1, Cycle: 31 * day, Columns: []mulu.Column{{Name: "id", Type: mulu.String, Title: "编号", Level: 1, Required: true}}, Key: []string{"id"},
		SetRules: []mulu.SetRule{{ID: "fresh", Kind: "fresh", Indicator: "050200"}}}
	now := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	fresh := func(n quality.Facts) (mulu.Indicator, mulu.Score) {
		t.Helper()
		s, err := quality.Evaluate(t.Context(), ds, oneRow{}, n, quality.DefaultWeights(), now)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range s.Dimensions {
			for _, i := range d.Indicators {
				if i.Code == "050200" {
					return i, s
				}
			}
		}
		t.Fatal("no indicator 050200")
		return mulu.Indicator{}, s
	}
	old := quality.Facts{Received: received(quality.Counts{Good: 1}), Last: now.Add(-70 * day)}
	if i, _ := fresh(old); i.A != 0 || i.B != 1 || i.Note != "" {
		t.Errorf("without a report: %+v, want it overdue", i)
	}
	reported := old
	reported.Unchanged, reported.Report = now.Add(-2*day), "2026-11"
	i, s := fresh(reported)
	if i.A != 1 || !strings.Contains(i.Note, "零报告 2026-11") || !s.Through.Equal(reported.Unchanged) {
		t.Errorf("with a report: %+v through %s, want on time, and said so", i, s.Through)
	}
	late := old
	late.Unchanged, late.Report = now.Add(-40*day), "2026-09"
	if i, _ := fresh(late); i.A != 0 || i.B != 1 {
		t.Errorf("a report of an earlier period: %+v, want it overdue", i)
	}
	newer := reported
	newer.Last = now.Add(-day)
	if i, s := fresh(newer); i.A != 1 || i.Note != "" || !s.Through.Equal(newer.Last) {
		t.Errorf("rows after the report: %+v through %s, want the rows to count", i, s.Through)
	}
	never := reported
	never.Last = time.Time{}
	if i, _ := fresh(never); i.A != 0 {
		t.Errorf("a dataset that never had rows: %+v, want it not on time", i)
	}
}
