package httpapi

import (
	"context"
	"fmt"

	"mulu"
	api "mulu/internal/httpapi/gen/quality"
	"mulu/quality"
	"mulu/quality/desk"
)

// qualityRoom shows what the rules found and what is done about rules.
type qualityRoom struct{ *house }

func (h qualityRoom) GetResults(ctx context.Context, req api.GetResultsRequestObject) (api.GetResultsResponseObject, error) {
	ds, err := h.Catalog.Dataset(ctx, mulu.DatasetCode(req.Code), 0)
	if err != nil {
		return nil, err
	}
	run, err := h.Quality.LatestRun(ctx, ds.Code)
	if err != nil {
		return nil, err
	}
	if run == nil {
		return nil, fmt.Errorf("数据集 %s 的规则尚未运行过: %w", ds.Code, mulu.ErrNotFound)
	}
	return api.GetResults200JSONResponse(ruleRunOf(ds, run)), nil
}

func ruleRunOf(ds *mulu.Dataset, r *desk.Run) api.RuleRun {
	out := api.RuleRun{Dataset: string(r.Dataset), Ruleset: int(r.Ruleset), Data: r.Data, Digest: r.Digest, At: r.At, Results: []api.RuleResult{}}
	titles := map[mulu.RuleID]string{}
	for _, t := range ds.Rules {
		titles[t.ID] = t.Title
	}
	for _, t := range ds.SetRules {
		titles[t.ID] = t.Title
	}
	for i := range r.Results {
		out.Results = append(out.Results, ruleResultOf(&r.Results[i], titles[r.Results[i].Rule]))
	}
	return out
}

func ruleResultOf(x *quality.Result, title string) api.RuleResult {
	return api.RuleResult{Rule: string(x.Rule), Title: title, Kind: x.Kind, Indicator: x.Indicator, Set: x.Set, Blocking: x.Blocking,
		Status: api.RuleResultStatus(x.Status), Evaluated: x.Evaluated, Failed: x.Failed, Observed: x.Observed, Expected: x.Expected, Message: x.Message}
}
