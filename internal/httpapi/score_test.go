package httpapi_test

import (
	"context"
	"fmt"
	"testing"

	"mulu"
	"mulu/catalog"
	"mulu/quality"
)

// scoring is over the kept scores alone: what the engine adds is app's (score_test.go there).
type scoring struct{ *catalog.Catalog }

func (s scoring) ScoreOf(context.Context, mulu.DatasetCode, mulu.Period) (mulu.Score, error) {
	return mulu.Score{}, fmt.Errorf("no engine: %w", mulu.ErrBusy)
}

func (s scoring) Standings(ctx context.Context, p mulu.Period) ([]quality.Standing, error) {
	scores, err := s.ScoresBefore(ctx, p.To)
	if err != nil {
		return nil, err
	}
	var out []quality.Standing
	for i := range scores {
		ds, err := s.Dataset(ctx, scores[i].Dataset, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, quality.Standing{Dataset: ds.Code, Title: ds.Title, Owner: ds.Owner, Score: &scores[i].Score})
	}
	return out, nil
}

func (scoring) Weights() quality.Weights { return quality.DefaultWeights() }

// testScores: with ranking off no rank leaves the house, and a month that is not one is
// refused in words.
func testScores(t *testing.T, h *house) {
	var list struct {
		Departments []map[string]any
		Formula     string
	}
	h.get("officer", "/v1/quality/departments", &list)
	if len(list.Departments) != 1 || list.Departments[0]["org"] != "11310107MBQ0000599" || list.Departments[0]["final"] != 0.93 || list.Formula == "" {
		t.Fatalf("departments: %+v", list)
	}
	if _, ranked := list.Departments[0]["rank"]; ranked {
		t.Error("a rank left the house while ranking is off")
	}
	var report struct {
		Datasets []struct{ Code string }
		Score    struct{ Trend []struct{ Total float64 } }
		X        map[string]float64
	}
	h.get("auditor", "/v1/quality/departments/11310107MBQ0000599", &report)
	if len(report.Datasets) != 1 || report.Datasets[0].Code != "resident" || len(report.Score.Trend) != 1 || report.Score.Trend[0].Total != 0.93 || report.X["010000"] != 0.93 {
		t.Errorf("report: %+v", report)
	}
	var explained struct {
		Total   float64
		Content string
		Nodes   []struct {
			Code  string
			Below []struct{ Formula, Element string }
		}
	}
	h.get("steward", "/v1/datasets/resident/score/explain", &explained)
	if explained.Total != 0.93 || len(explained.Nodes) != 6 || explained.Content == "" {
		t.Errorf("explained: %+v", explained)
	}
	for path, want := range map[string]int{
		"/v1/quality/departments?period=2026-13": 400, "/v1/quality/departments?period=2999-01": 400, "/v1/quality/departments/11310107MBQ000032E": 404,
		"/v1/datasets/resident/score/explain?part=stock": 404, "/v1/datasets/nothing/score/explain": 404, "/v1/datasets/resident/score/explain?part=x": 400,
	} {
		if w := h.call("steward", "GET", path, nil); w.Code != want {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
	var weights struct {
		Schemes []struct {
			Version string
			InForce bool `json:"in_force"`
		}
		Indicators []struct{ Code, Element string }
	}
	h.get("steward", "/v1/quality/weights", &weights)
	if len(weights.Schemes) != 1 || !weights.Schemes[0].InForce || len(weights.Indicators) != 36 {
		t.Errorf("weights: %+v", weights)
	}
}
