package httpapi

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mulu"
	"mulu/internal/clock"
	api "mulu/internal/httpapi/gen/quality"
	"mulu/quality"
)

func (h qualityRoom) ExplainScore(ctx context.Context, req api.ExplainScoreRequestObject) (api.ExplainScoreResponseObject, error) {
	s, err := h.scoreIn(ctx, mulu.DatasetCode(req.Code), value(req.Params.Period))
	if err != nil {
		return nil, err
	}
	e, err := quality.Explain(&s.Score, string(value(req.Params.Part)))
	if err != nil {
		return nil, err
	}
	content, err := quality.ScoreContent(s.Score)
	if err != nil {
		return nil, err
	}
	out := api.ScoreExplanation{
		Dataset: string(s.Dataset), At: s.At.UTC(), Through: s.Through.UTC(), Ruleset: int(s.Ruleset), Weights: s.Weights,
		Part: e.Part, Rows: e.Rows, Formula: e.Formula, Sum: e.Sum, Of: e.Of, Total: e.Total, Grade: e.Grade,
		Floors: []api.GradeFloor{}, Caps: s.Caps, Nodes: nodesOf(e.Nodes), Gains: []api.ScoreGain{}, Digest: s.Digest, Content: string(content),
	}
	if ds, err := h.Catalog.Dataset(ctx, s.Dataset, 0); err == nil {
		out.Title = ds.Title
	}
	if out.Caps == nil || e.Part != "total" {
		out.Caps = []string{}
	}
	for _, f := range s.Floors {
		out.Floors = append(out.Floors, api.GradeFloor{Grade: f.Grade, From: f.From})
	}
	titles := h.ruleTitles(ctx, s.Dataset)
	for _, g := range e.Gains {
		title := titles[g.Rule]
		if g.Rule == "" {
			title = quality.IndicatorTitle(g.Indicator)
		}
		out.Gains = append(out.Gains, api.ScoreGain{Rule: string(g.Rule), Title: title, Indicator: g.Indicator, Mend: g.Mend, Total: g.Total, Gain: g.Gain, Grade: g.Grade})
	}
	return api.ExplainScore200JSONResponse(out), nil
}

func nodesOf(list []quality.Node) []api.ScoreNode {
	out := []api.ScoreNode{}
	for i := range list {
		n := &list[i]
		node := api.ScoreNode{Code: n.Code, Title: n.Title, Weight: n.Weight, Effective: n.Effective, Share: n.Share, Product: n.Product, A: n.A, B: n.B,
			Sum: n.Sum, Of: n.Of, Applicable: n.Applicable, Formula: n.Formula, Below: nodesOf(n.Below), StructuredOnly: &n.Structured, GbWeak: &n.GBWeak}
		if n.Applicable {
			node.X = &n.X
			if n.Below == nil {
				node.Raw = &n.Raw
			}
		}
		for text, to := range map[string]**string{n.GB: &node.Gb, n.Element: &node.Element, n.Note: &node.Note} {
			if text != "" {
				*to = &text
			}
		}
		out = append(out, node)
	}
	return out
}

// departments are everybody's scores of a period, and how the scheme makes them.
func (h *house) departments(ctx context.Context, period mulu.Period) (quality.Weights, []quality.Department, error) {
	w := h.Scoring.Weights()
	list, err := h.Scoring.Standings(ctx, period)
	return w, quality.Departments(w, list), err
}

// before is the period of the same kind before a month.
func before(p mulu.Period) mulu.Period {
	return mulu.Period{From: p.From.In(clock.Shanghai).AddDate(0, -1, 0).UTC(), To: p.From}
}

// report is what both lists and single reports start from.
type report struct {
	period  mulu.Period
	weights quality.Weights
	now     []quality.Department
	then    map[mulu.OrgCode]quality.Department
	ranks   map[mulu.OrgCode]int
	orgs    map[mulu.OrgCode]mulu.Org
}

func (h *house) report(ctx context.Context, month string) (*report, error) {
	r := &report{then: map[mulu.OrgCode]quality.Department{}}
	var err error
	if r.period, err = quality.PeriodOf(month, h.Now()); err != nil {
		return nil, err
	}
	if r.weights, r.now, err = h.departments(ctx, r.period); err != nil {
		return nil, err
	}
	_, last, err := h.departments(ctx, before(r.period))
	if err != nil {
		return nil, err
	}
	for _, d := range last {
		r.then[d.Org] = d
	}
	r.ranks = quality.Ranks(r.weights, r.now)
	r.orgs, err = h.orgs.get(ctx)
	return r, err
}

func (r *report) month() string { return r.period.From.In(clock.Shanghai).Format("2006-01") }

func (r *report) score(d *quality.Department) api.DepartmentScore {
	out := api.DepartmentScore{Org: string(d.Org), Name: orgName(r.orgs, d.Org), Datasets: len(d.Datasets), Sum: d.Sum, Of: d.Of, Total: d.Total, Deductions: []api.Deduction{},
		Final: d.Final, Grade: d.Grade, Formula: d.Formula}
	for _, x := range d.Deductions {
		out.Deductions = append(out.Deductions, api.Deduction{Reason: x.Reason, Points: x.Points})
	}
	if then, ok := r.then[d.Org]; ok {
		change := quality.Round(d.Final - then.Final)
		out.Previous, out.Change = &then.Final, &change
	}
	if rank, ok := r.ranks[d.Org]; ok {
		out.Rank = &rank
	}
	return out
}

func (h qualityRoom) ListDepartmentScores(ctx context.Context, req api.ListDepartmentScoresRequestObject) (api.ListDepartmentScoresResponseObject, error) {
	r, err := h.report(ctx, value(req.Params.Period))
	if err != nil {
		return nil, err
	}
	out := api.DepartmentScores{Period: r.month(), From: r.period.From, To: r.period.To, Weights: r.weights.Version, Formula: r.weights.DepartmentFormula(), Departments: []api.DepartmentScore{}}
	course, err := h.courses(ctx, r.period)
	if err != nil {
		return nil, err
	}
	for i := range r.now {
		d := r.score(&r.now[i])
		d.Trend = course(&r.now[i])
		out.Departments = append(out.Departments, d)
	}
	return api.ListDepartmentScores200JSONResponse(out), nil
}

func (h qualityRoom) GetDepartmentScore(ctx context.Context, req api.GetDepartmentScoreRequestObject) (api.GetDepartmentScoreResponseObject, error) {
	r, err := h.report(ctx, value(req.Params.Period))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(r.now, func(d quality.Department) bool { return d.Org == mulu.OrgCode(req.Org) })
	if i < 0 {
		return nil, fmt.Errorf("单位 %s 在 %s 没有已评分的数据集: %w", req.Org, r.month(), mulu.ErrNotFound)
	}
	d := &r.now[i]
	out := api.DepartmentReport{Period: r.month(), From: r.period.From, To: r.period.To, Weights: r.weights.Version, Formula: r.weights.DepartmentFormula(),
		Score: r.score(d), X: d.X, Datasets: []api.DepartmentDataset{}}
	for _, x := range d.Datasets {
		out.Datasets = append(out.Datasets, api.DepartmentDataset{Code: string(x.Dataset), Title: x.Title, Class: x.Class, Total: x.Score.Total, Grade: x.Score.Grade, Overdue: x.Score.Overdue,
			Reads: x.Reads, Importance: x.Importance, Weight: x.Weight, Product: x.Product, Formula: x.Formula, At: x.Score.At.UTC()})
	}
	course, err := h.courses(ctx, r.period)
	if err != nil {
		return nil, err
	}
	out.Score.Trend = course(d)
	return api.GetDepartmentScore200JSONResponse(out), nil
}

// trendDays is how many daily points a department's course has.
const trendDays = 31

// courses reads what all departments' trends of a period are made from, once, and says
// each of them.
func (h *house) courses(ctx context.Context, p mulu.Period) (func(*quality.Department) []api.TrendPoint, error) {
	to := p.To
	if now := h.Now(); now.Before(to) {
		to = now
	}
	from := to.AddDate(0, 0, 1-trendDays)
	scores, err := h.Catalog.ScoresBefore(ctx, from)
	if err != nil {
		return nil, err
	}
	kept, err := h.Catalog.DayScores(ctx, "", from, to)
	if err != nil {
		return nil, err
	}
	then := map[mulu.DatasetCode]float64{}
	for i := range scores {
		then[scores[i].Dataset] = scores[i].Total
	}
	days := make([]quality.DayTotal, len(kept))
	for i, k := range kept {
		days[i] = quality.DayTotal{Dataset: k.Dataset, Day: k.Day, Total: k.Total}
	}
	return func(d *quality.Department) []api.TrendPoint {
		out := []api.TrendPoint{}
		for _, t := range d.Trend(then, days, from, to) {
			// The day is one that time formatted: it parses.
			at, _ := time.ParseInLocation(time.DateOnly, t.Day, clock.Shanghai)
			out = append(out, api.TrendPoint{At: at.UTC(), Total: t.Total})
		}
		return out
	}, nil
}

func (h qualityRoom) ListWeights(ctx context.Context, _ api.ListWeightsRequestObject) (api.ListWeightsResponseObject, error) {
	declared, err := h.Catalog.Weights(ctx)
	if err != nil {
		return nil, err
	}
	out := api.WeightSchemes{Schemes: []api.WeightScheme{}, Indicators: []api.StandardIndicator{}}
	today, found := h.Now().In(clock.Shanghai).Format(time.DateOnly), false
	for _, d := range declared { // newest day first
		w, err := quality.FromDeclared(d)
		if err != nil {
			return nil, err
		}
		inForce := !found && w.From <= today
		found = found || inForce
		out.Schemes = append(out.Schemes, schemeOf(&w, inForce))
	}
	if !found {
		w := quality.DefaultWeights()
		out.Schemes = append(out.Schemes, schemeOf(&w, true))
	}
	for _, i := range quality.Indicators() {
		out.Indicators = append(out.Indicators, api.StandardIndicator{Code: i.Code, Parent: i.Parent, Title: i.Title, Gb: i.GB, GbWeak: i.GBWeak, StructuredOnly: i.Structured, Inverted: i.Inverted, Element: i.Element})
	}
	return api.ListWeights200JSONResponse(out), nil
}

func schemeOf(w *quality.Weights, inForce bool) api.WeightScheme {
	out := api.WeightScheme{Version: w.Version, Title: w.Title, EffectiveFrom: w.From, Basis: w.Basis, InForce: inForce, Dimensions: w.Dimensions, Indicators: map[string]float64{},
		Grades: []api.GradeFloor{}, Caps: []api.WeightCap{}, OneFaultOnce: w.OneFaultOnce, Departments: w.DepartmentFormula(), Ranking: w.Ranking}
	for _, i := range quality.Indicators() {
		if i.Parent != "" {
			out.Indicators[i.Code] = w.Of(i.Code)
		}
	}
	for _, f := range w.Floors() {
		out.Grades = append(out.Grades, api.GradeFloor{Grade: f.Grade, From: f.From})
	}
	for _, c := range w.Caps {
		out.Caps = append(out.Caps, api.WeightCap{When: c.When, Limit: c.Limit, AtMost: c.AtMost})
	}
	return out
}
