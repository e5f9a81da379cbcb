package httpapi

import (
	"context"
	"errors"
	"fmt"

	"mulu"
	"mulu/catalog"
	api "mulu/internal/httpapi/gen/dataset"
	"mulu/quality"
)

// Scoring makes scores that are not kept, and knows the scheme in force.
type Scoring interface {
	// ScoreOf scores a dataset as it stands, its increment being of the period.
	ScoreOf(ctx context.Context, code mulu.DatasetCode, period mulu.Period) (mulu.Score, error)
	// Standings tells how every dataset stood at the end of a period.
	Standings(ctx context.Context, period mulu.Period) ([]quality.Standing, error)
	Weights() quality.Weights
}

// scoreIn is the kept score, or with a month one whose increment is that month's, worked
// out now over the rows as they stand.
func (h *house) scoreIn(ctx context.Context, code mulu.DatasetCode, month string) (*catalog.ScoreView, error) {
	if month != "" {
		return h.scoreOfMonth(ctx, code, month)
	}
	s, err := h.Catalog.LatestScore(ctx, code)
	if errors.Is(err, mulu.ErrNotFound) {
		return nil, fmt.Errorf("没有数据集 %s，或尚未评分: %w", code, mulu.ErrNotFound)
	}
	return &s, err
}

func (h *house) scoreOfMonth(ctx context.Context, code mulu.DatasetCode, month string) (*catalog.ScoreView, error) {
	period, err := quality.PeriodOf(month, h.Now())
	if err != nil {
		return nil, err
	}
	s, err := h.Scoring.ScoreOf(ctx, code, period)
	if errors.Is(err, mulu.ErrNotFound) {
		return nil, fmt.Errorf("没有数据集 %s: %w", code, mulu.ErrNotFound)
	}
	return &catalog.ScoreView{Score: s, State: "unkept", Index: -1}, err
}

func scoreOf(s *catalog.ScoreView) api.Score {
	out := api.Score{
		Dataset: string(s.Dataset), Total: s.Total, Grade: s.Grade, Rows: s.Rows, Through: s.Through.UTC(), At: s.At.UTC(), Ruleset: int(s.Ruleset),
		Weights: s.Weights, Digest: s.Digest, State: s.State, Index: indexOf(s.Index), Command: s.Command, Dimensions: []api.Dimension{},
		Increment: scorePart(s.Increment), Stock: scorePart(s.Stock), District: scorePart(s.District), Otherwise: scorePart(s.Otherwise),
		Overdue: &s.Overdue, OneFaultOnce: &s.OneFaultOnce,
	}
	if s.Caps != nil {
		out.Caps = &s.Caps
	}
	if s.Period != nil {
		out.Period = &api.ScorePeriod{From: s.Period.From.UTC(), To: s.Period.To.UTC()}
	}
	for i := range s.Dimensions {
		out.Dimensions = append(out.Dimensions, dimensionOf(&s.Dimensions[i]))
	}
	return out
}

func dimensionOf(d *mulu.Dimension) api.Dimension {
	dim := api.Dimension{Code: d.Code, Title: d.Title, Weight: d.Weight, Applicable: d.Applicable, Effective: &d.Effective, Indicators: []api.Indicator{}}
	if d.Applicable {
		dim.X = &d.X
	}
	for _, i := range d.Indicators {
		ind := api.Indicator{Code: i.Code, Title: i.Title, A: i.A, B: i.B, Applicable: i.B > 0}
		if i.Note != "" {
			ind.Note = &i.Note
		}
		if i.B > 0 {
			ind.X, ind.Raw = &i.X, &i.Raw
		}
		if i.Parent != "" {
			ind.Parent, ind.Weight, ind.Effective = &i.Parent, &i.Weight, &i.Effective
		}
		dim.Indicators = append(dim.Indicators, ind)
	}
	return dim
}

func scorePart(p *mulu.Part) *api.ScorePart {
	if p == nil {
		return nil
	}
	return &api.ScorePart{Rows: p.Rows, Total: p.Total, Grade: p.Grade, X: p.X}
}

// withRules is a score with what each rule counted and who answers for it.
func (h *house) withRules(ctx context.Context, s *catalog.ScoreView) api.Score {
	out, titles := scoreOf(s), h.ruleTitles(ctx, s.Dataset)
	rules := []api.ScoreRule{}
	for _, r := range s.Rules {
		rules = append(rules, api.ScoreRule{Rule: string(r.Rule), Title: titles[r.Rule], Indicator: r.Indicator, Set: r.Set, Evaluated: r.Evaluated, Failed: r.Failed,
			Historic: r.Historic, City: r.City, District: r.Failed - r.Historic - r.City})
	}
	out.Rules = &rules
	return out
}

// ruleTitles names a dataset's rules; one that is gone has no title.
func (h *house) ruleTitles(ctx context.Context, code mulu.DatasetCode) map[mulu.RuleID]string {
	titles := map[mulu.RuleID]string{}
	ds, err := h.Catalog.Dataset(ctx, code, 0)
	if err != nil {
		return titles
	}
	for _, r := range ds.Rules {
		titles[r.ID] = r.Title
	}
	for _, r := range ds.SetRules {
		titles[r.ID] = r.Title
	}
	return titles
}
