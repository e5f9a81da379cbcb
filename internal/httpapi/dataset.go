package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mulu"
	"mulu/catalog"
	api "mulu/internal/httpapi/gen/dataset"
	"mulu/library"
)

// datasetRoom shows datasets, their scores and what could not enter.
type datasetRoom struct{ *house }

func (h datasetRoom) ListDatasets(ctx context.Context, _ api.ListDatasetsRequestObject) (api.ListDatasetsResponseObject, error) {
	list, err := h.datasets.get(ctx)
	if err != nil {
		return nil, err
	}
	out := api.ListDatasets200JSONResponse{}
	for _, ds := range list {
		row, err := h.row(ctx, ds)
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

func (h datasetRoom) row(ctx context.Context, ds *mulu.Dataset) (api.DatasetRow, error) {
	totals, err := h.totals.get(ctx)
	if err != nil {
		return api.DatasetRow{}, err
	}
	orgs, err := h.orgs.get(ctx)
	if err != nil {
		return api.DatasetRow{}, err
	}
	scores, err := h.scores.get(ctx)
	if err != nil {
		return api.DatasetRow{}, err
	}
	stored := rowsOf(totals)[ds.Code]
	row := api.DatasetRow{
		Code: string(ds.Code), Title: ds.Title, Owner: string(ds.Owner), OwnerName: orgName(orgs, ds.Owner), Library: ds.Library,
		Level: int(ds.Level()), Rows: stored.Good, LastAt: timeOf(stored.Last), Version: int(ds.Version), Sample: ds.Sample, Format: strings.TrimSpace(ds.Format + " " + ds.Encoding),
	}
	if s, ok := scores[ds.Code]; ok {
		row.Total, row.Grade = &s.Total, &s.Grade
	}
	return row, nil
}

// trendPoints is how many scores a dataset's page shows the course of.
const trendPoints = 60

func (h datasetRoom) GetDataset(ctx context.Context, req api.GetDatasetRequestObject) (api.GetDatasetResponseObject, error) {
	ds, err := h.Catalog.Dataset(ctx, mulu.DatasetCode(req.Code), 0)
	if errors.Is(err, mulu.ErrNotFound) {
		return nil, fmt.Errorf("没有数据集 %s: %w", req.Code, mulu.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	row, err := h.row(ctx, ds)
	if err != nil {
		return nil, err
	}
	scores, err := h.Catalog.Scores(ctx, ds.Code, trendPoints)
	if err != nil {
		return nil, err
	}
	findings, err := h.Library.FindingTotals(ctx, ds.Code, ds.Version)
	if err != nil {
		return nil, err
	}
	d := api.DatasetDetail{
		Code: row.Code, Title: row.Title, Owner: row.Owner, OwnerName: row.OwnerName, Library: row.Library, Level: row.Level, Rows: row.Rows,
		Total: row.Total, Grade: row.Grade, LastAt: row.LastAt, Version: row.Version, Sample: row.Sample,
		System: ds.System, Topic: ds.Topic, Catalog: string(ds.Catalog), Format: ds.Format,
		Columns: columnsOf(ds), Rules: []api.Rule{}, Trend: []api.TrendPoint{},
	}
	for _, r := range ds.Rules {
		f := findings[r.ID]
		d.Rules = append(d.Rules, api.Rule{Id: string(r.ID), Title: r.Title, Blocking: r.Blocking, Indicator: r.Indicator, Evaluated: f.Evaluated, Failed: f.Failed})
	}
	d.Rules = append(d.Rules, setRules(ds, scores)...)
	for _, s := range slices.Backward(scores) {
		d.Trend = append(d.Trend, api.TrendPoint{At: s.At.UTC(), Total: s.Total})
	}
	if len(scores) > 0 {
		s := scoreOf(&scores[0])
		d.Score = &s
	}
	return api.GetDataset200JSONResponse(d), nil
}

func columnsOf(ds *mulu.Dataset) []api.Column {
	out := []api.Column{}
	for _, c := range ds.Columns {
		key := slices.Contains(ds.Key, c.Name)
		out = append(out, api.Column{Name: c.Name, Title: c.Title, Type: string(c.Type), Length: c.Length, Scale: c.Scale,
			Required: c.Required || key, Key: key, Codes: c.Codes, Level: int(c.Level), Pi: c.PI})
	}
	return out
}

// setRules are judged when a score is made. Their counts are the indicator's, which
// are theirs alone where no other rule speaks to it.
func setRules(ds *mulu.Dataset, scores []catalog.ScoreView) []api.Rule {
	speakers := map[string]int{}
	for _, r := range ds.Rules {
		speakers[r.Indicator]++
	}
	for _, r := range ds.SetRules {
		speakers[r.Indicator]++
	}
	counts := map[string]mulu.Indicator{}
	if len(scores) > 0 {
		for _, d := range scores[0].Dimensions {
			for _, i := range d.Indicators {
				counts[i.Code] = i
			}
		}
	}
	var out []api.Rule
	for _, r := range ds.SetRules {
		rule := api.Rule{Id: string(r.ID), Title: r.Title, Indicator: r.Indicator}
		if c := counts[r.Indicator]; speakers[r.Indicator] == 1 {
			rule.Evaluated, rule.Failed = c.B, c.B-c.A
		}
		out = append(out, rule)
	}
	return out
}

func (h datasetRoom) GetScore(ctx context.Context, req api.GetScoreRequestObject) (api.GetScoreResponseObject, error) {
	s, err := h.scoreIn(ctx, mulu.DatasetCode(req.Code), value(req.Params.Period))
	if err != nil {
		return nil, err
	}
	return api.GetScore200JSONResponse(h.withRules(ctx, s)), nil
}

func (h datasetRoom) ListScores(ctx context.Context, req api.ListScoresRequestObject) (api.ListScoresResponseObject, error) {
	limit, err := limitOf(req.Params.Limit, trendPoints, 500)
	if err != nil {
		return nil, err
	}
	code := mulu.DatasetCode(req.Code)
	list, err := h.Catalog.Scores(ctx, code, limit)
	if err == nil && len(list) == 0 {
		_, err = h.Catalog.Dataset(ctx, code, 0) // nothing scored, or nothing there
	}
	if err != nil {
		return nil, err
	}
	out := api.ListScores200JSONResponse{}
	for i := range list {
		out = append(out, scoreOf(&list[i]))
	}
	return out, nil
}

func (h datasetRoom) ListRejects(ctx context.Context, req api.ListRejectsRequestObject) (api.ListRejectsResponseObject, error) {
	q := req.Params
	limit, err := limitOf(q.Limit, 50, 200)
	if err != nil {
		return nil, err
	}
	raw := seesRejects(passOf(ctx).actor.Role)
	f, err := filterOf(q, raw)
	if err != nil {
		return nil, err
	}
	list, next, err := h.Library.Rejects(ctx, f, value(q.Cursor), limit)
	if err != nil {
		return nil, err
	}
	classes, err := h.Library.RejectClasses(ctx, f)
	if err != nil {
		return nil, err
	}
	if raw && len(list) > 0 {
		if err := h.Failing.RejectsSeen(ctx, passOf(ctx).actor, f, len(list), traceOf(ctx).id); err != nil {
			return nil, err
		}
	}
	page := api.RejectPage{Items: []api.Reject{}, Next: next}
	for _, c := range classes {
		page.Total += c.Rows
	}
	for i := range list {
		item := rejectOf(&list[i], raw)
		if raw {
			item.Readable = h.readable(ctx, &list[i])
		}
		page.Items = append(page.Items, item)
	}
	return api.ListRejects200JSONResponse(page), nil
}

// hideValue takes out of a reason the value it quotes (ingest: …的值“约90平”不是…). The
// value may hold quotes itself, so all between the first and the last is taken.
func hideValue(reason string) string {
	const open, end = "的值“", "”"
	from, to := strings.Index(reason, open), strings.LastIndex(reason, end)
	if from < 0 || to < from {
		return reason
	}
	return reason[:from+len(open)] + "…" + reason[to:]
}

func (h datasetRoom) SummariseRejects(ctx context.Context, req api.SummariseRejectsRequestObject) (api.SummariseRejectsResponseObject, error) {
	classes, err := h.Library.RejectClasses(ctx, library.RejectFilter{Dataset: mulu.DatasetCode(value(req.Params.Dataset)), State: cmp.Or(string(value(req.Params.State)), library.RejectOpen)})
	if err != nil {
		return nil, err
	}
	list, err := h.datasets.get(ctx)
	if err != nil && !errors.Is(err, mulu.ErrNotFound) {
		return nil, err
	}
	type ruleOf struct {
		dataset mulu.DatasetCode
		rule    mulu.RuleID
	}
	titles := map[ruleOf]string{}
	for _, ds := range list {
		for _, r := range ds.Rules {
			titles[ruleOf{ds.Code, r.ID}] = r.Title
		}
	}
	out := api.SummariseRejects200JSONResponse{}
	for _, c := range classes {
		out = append(out, api.RejectSummary{Dataset: string(c.Dataset), Class: c.Class, Rule: string(c.Rule), RuleTitle: titles[ruleOf{c.Dataset, c.Rule}],
			Field: c.Field, Count: c.Rows, LastAt: timeOf(c.Last)})
	}
	return out, nil
}
