package httpapi

import (
	"context"
	"fmt"
	"math"

	"mulu"
	api "mulu/internal/httpapi/gen/quality"
	"mulu/pipeline"
	"mulu/quality"
	"mulu/quality/desk"
	failingrows "mulu/quality/rows"
)

// draftRows is how many drafts a list has at most.
const draftRows = 100

func (h qualityRoom) ListRuleDrafts(ctx context.Context, req api.ListRuleDraftsRequestObject) (api.ListRuleDraftsResponseObject, error) {
	limit, err := limitOf(req.Params.Limit, draftRows, 500)
	if err != nil {
		return nil, err
	}
	list, err := h.Quality.Drafts(ctx, mulu.DatasetCode(value(req.Params.Dataset)), 500)
	if err != nil {
		return nil, err
	}
	out := api.ListRuleDrafts200JSONResponse{}
	for i := range list {
		d := &list[i]
		if len(out) == limit {
			break
		}
		if _, err := h.ownDataset(ctx, d.Dataset); err != nil {
			continue
		}
		out = append(out, api.RuleDraftRow{Id: d.ID, Dataset: string(d.Dataset), Base: int(d.Base), Rev: d.Rev, State: api.RuleDraftRowState(d.State), Title: d.Title,
			Author: d.Author, Created: d.Created, Changed: d.Changed, Version: int(d.Version)})
	}
	return out, nil
}

// ownDataset gives the newest version of a dataset that the caller may draft rules of: an
// officer only of its own organisation's, and is not told that there are others.
func (h qualityRoom) ownDataset(ctx context.Context, code mulu.DatasetCode) (*mulu.Dataset, error) {
	ds, err := h.Catalog.Dataset(ctx, code, 0)
	if err != nil {
		return nil, fmt.Errorf("没有数据集 %s / no such dataset: %w", code, err)
	}
	if scope := passOf(ctx).scope; scope != "" && ds.Owner != scope {
		return nil, fmt.Errorf("本单位没有数据集 %s；规则由其提供单位的数据专员或数据治理员起草 / not your organisation's dataset: %w", code, mulu.ErrNotFound)
	}
	return ds, nil
}

// ownDraft is a draft that the caller may see.
func (h qualityRoom) ownDraft(ctx context.Context, id string) (desk.Draft, error) {
	d, err := h.Quality.Draft(ctx, id)
	if err == nil {
		_, err = h.ownDataset(ctx, d.Dataset)
	}
	return d, err
}

func (h qualityRoom) AddRuleDraft(ctx context.Context, req api.AddRuleDraftRequestObject) (api.AddRuleDraftResponseObject, error) {
	ds, err := h.ownDataset(ctx, mulu.DatasetCode(req.Body.Dataset))
	if err != nil {
		return nil, err
	}
	who := passOf(ctx).actor
	d := desk.Draft{Dataset: ds.Code, Base: ds.Version, Title: value(req.Body.Title), Notes: value(req.Body.Notes), Author: who.ID, Org: who.Org.Code, Rules: ds.Rules, SetRules: ds.SetRules}
	if err := putRules(&d, req.Body.Rules, req.Body.SetRules, req.Body.Yaml); err != nil {
		return nil, err
	}
	if d, err = h.Quality.AddDraft(ctx, d, h.Now()); err != nil {
		return nil, err
	}
	out, err := h.draftOf(ctx, &d)
	return api.AddRuleDraft200JSONResponse(out), err
}

// putRules takes rules over from a request; what is not said stays.
func putRules(d *desk.Draft, rules, sets *[]api.RuleSpec, text *string) (err error) {
	if text != nil {
		if rules != nil || sets != nil {
			return invalid("规则或写在 rules 和 set_rules 中，或写在 yaml 中，不能都写 / either lists or yaml")
		}
		d.Rules, d.SetRules, err = pipeline.ParseRules(*text)
		return err
	}
	if rules != nil {
		d.Rules = make([]mulu.Rule, len(*rules))
		for i := range *rules {
			d.Rules[i] = ruleOf(&(*rules)[i])
		}
	}
	if sets != nil {
		d.SetRules = make([]mulu.SetRule, len(*sets))
		for i := range *sets {
			r := ruleOf(&(*sets)[i])
			d.SetRules[i] = mulu.SetRule{ID: r.ID, Title: r.Title, Kind: r.Kind, Columns: r.Columns, Params: r.Params, Blocking: r.Blocking, Indicator: r.Indicator, When: r.When, Mostly: r.Mostly, Responsible: r.Responsible}
		}
	}
	return nil
}

func ruleOf(s *api.RuleSpec) mulu.Rule {
	return mulu.Rule{ID: mulu.RuleID(s.Id), Title: value(s.Title), Kind: s.Kind, Columns: value(s.Columns), Params: value(s.Params), Blocking: value(s.Blocking),
		Indicator: value(s.Indicator), When: value(s.When), Mostly: value(s.Mostly), Responsible: value(s.Responsible)}
}

func specOf(r mulu.Rule) api.RuleSpec {
	columns, params := r.Columns, r.Params
	if columns == nil {
		columns = []string{}
	}
	if params == nil {
		params = map[string]string{}
	}
	return api.RuleSpec{Id: string(r.ID), Title: &r.Title, Kind: r.Kind, Columns: &columns, Params: &params, Blocking: &r.Blocking, Indicator: &r.Indicator, When: &r.When, Mostly: &r.Mostly, Responsible: &r.Responsible}
}

// draftOf is a draft with its faults and what it changes.
func (h qualityRoom) draftOf(ctx context.Context, d *desk.Draft) (api.RuleDraft, error) {
	newest, err := h.Catalog.Dataset(ctx, d.Dataset, 0)
	if err != nil {
		return api.RuleDraft{}, err
	}
	out := api.RuleDraft{Id: d.ID, Dataset: string(d.Dataset), Base: int(d.Base), Newest: int(newest.Version), Rev: d.Rev, State: api.RuleDraftState(d.State), Title: d.Title, Notes: d.Notes,
		Author: d.Author, Created: d.Created, Changed: d.Changed, Digest: d.Digest, Rules: []api.RuleSpec{}, SetRules: []api.RuleSpec{}, Faults: []api.RuleFault{}, Diff: []api.RuleChange{},
		ActivatedBy: d.ActivatedBy, Reason: d.Reason, Version: int(d.Version)}
	for _, r := range d.Rules {
		out.Rules = append(out.Rules, specOf(r))
	}
	for _, r := range d.SetRules {
		out.SetRules = append(out.SetRules, specOf(mulu.Rule{ID: r.ID, Title: r.Title, Kind: r.Kind, Columns: r.Columns, Params: r.Params, Blocking: r.Blocking, Indicator: r.Indicator, When: r.When, Mostly: r.Mostly, Responsible: r.Responsible}))
	}
	if d.State == desk.DraftOpen {
		faults, err := h.Editor.Check(ctx, d.Dataset, d.Rules, d.SetRules)
		if err != nil {
			return out, err
		}
		out.Faults = faultsOf(faults)
	}
	base, err := h.Catalog.Dataset(ctx, d.Dataset, d.Base)
	if err != nil {
		return out, err
	}
	for _, c := range pipeline.Diff(base, d.Rules, d.SetRules) {
		fields := c.Fields
		if fields == nil {
			fields = []string{}
		}
		out.Diff = append(out.Diff, api.RuleChange{Rule: string(c.Rule), Title: c.Title, Set: c.Set, Change: api.RuleChangeChange(c.Change), Fields: fields})
	}
	tried, err := h.Quality.BacktestOf(ctx, d.ID, d.Digest)
	if tried != nil {
		out.Backtest = &tried.ID
	}
	return out, err
}

func faultsOf(list []pipeline.DraftFault) []api.RuleFault {
	out := []api.RuleFault{}
	for _, f := range list {
		out = append(out, api.RuleFault{Rule: string(f.Rule), Set: f.Set, At: f.At, Field: f.Field, Message: f.Message})
	}
	return out
}

func (h qualityRoom) GetRuleDraft(ctx context.Context, req api.GetRuleDraftRequestObject) (api.GetRuleDraftResponseObject, error) {
	d, err := h.ownDraft(ctx, req.Id)
	if err != nil {
		return nil, err
	}
	out, err := h.draftOf(ctx, &d)
	return api.GetRuleDraft200JSONResponse(out), err
}

func (h qualityRoom) SaveRuleDraft(ctx context.Context, req api.SaveRuleDraftRequestObject) (api.SaveRuleDraftResponseObject, error) {
	d, err := h.ownDraft(ctx, req.Id)
	if err != nil {
		return nil, err
	}
	d.Rev = req.Body.Rev
	if req.Body.Title != nil {
		d.Title = *req.Body.Title
	}
	if req.Body.Notes != nil {
		d.Notes = *req.Body.Notes
	}
	if err := putRules(&d, req.Body.Rules, req.Body.SetRules, req.Body.Yaml); err != nil {
		return nil, err
	}
	if d, err = h.Quality.SaveDraft(ctx, d, h.Now()); err != nil {
		return nil, err
	}
	out, err := h.draftOf(ctx, &d)
	return api.SaveRuleDraft200JSONResponse(out), err
}

func (h qualityRoom) DropRuleDraft(ctx context.Context, req api.DropRuleDraftRequestObject) (api.DropRuleDraftResponseObject, error) {
	if _, err := h.ownDraft(ctx, req.Id); err != nil {
		return nil, err
	}
	if err := h.note(ctx, "rules.drop", req.Id); err != nil {
		return nil, err
	}
	return api.DropRuleDraft204Response{}, h.Quality.DropDraft(ctx, req.Id, req.Params.Rev)
}

// note leaves a trace of who does something about rules.
func (h qualityRoom) note(ctx context.Context, what, object string) error {
	p := passOf(ctx)
	return h.Auth.Note(ctx, what, p.actor.ID, p.from, object)
}

func (h qualityRoom) PreviewRuleDraft(ctx context.Context, req api.PreviewRuleDraftRequestObject) (api.PreviewRuleDraftResponseObject, error) {
	if _, err := h.ownDraft(ctx, req.Id); err != nil {
		return nil, err
	}
	ask := pipeline.PreviewAsk{Draft: req.Id, Only: mulu.RuleID(value(req.Body.Only)), Rows: value(req.Body.Rows), Seed: uint64(max(0, value(req.Body.Seed))), Request: traceOf(ctx).id,
		Look: failingrows.Look{Who: passOf(ctx).actor, Reveal: value(req.Body.Reveal), Purpose: value(req.Body.Purpose)}}
	if req.Body.Rule != nil {
		r := ruleOf(req.Body.Rule)
		ask.Rule = &r
	}
	p, err := h.Editor.Preview(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := api.PreviewRuleDraft200JSONResponse{Faults: faultsOf(p.Faults), Rows: p.Rows, Shown: api.RulePreviewShown(p.Shown), Rules: []api.RuleCount{}, Columns: []api.PreviewColumn{}, Items: []api.PreviewRow{}}
	for _, r := range p.Rules {
		out.Rules = append(out.Rules, api.RuleCount{Rule: string(r.Rule), Evaluated: r.Evaluated, Failed: r.Failed})
	}
	for _, c := range p.Columns {
		out.Columns = append(out.Columns, api.PreviewColumn{Name: c.Name, Title: c.Title})
	}
	for _, r := range p.Items {
		row := api.PreviewRow{Values: r.Values, Breaks: []api.PreviewBreak{}}
		for _, f := range r.Breaks {
			row.Breaks = append(row.Breaks, api.PreviewBreak{Rule: string(f.Rule), Field: f.Field, Reason: f.Reason})
		}
		out.Items = append(out.Items, row)
	}
	return out, nil
}

func (h qualityRoom) RebaseRuleDraft(ctx context.Context, req api.RebaseRuleDraftRequestObject) (api.RebaseRuleDraftResponseObject, error) {
	if _, err := h.ownDraft(ctx, req.Id); err != nil {
		return nil, err
	}
	d, both, err := h.Editor.Rebase(ctx, req.Id, req.Body.Rev)
	if err != nil {
		return nil, err
	}
	out := api.RebaseRuleDraft200JSONResponse{Both: []string{}}
	for _, id := range both {
		out.Both = append(out.Both, string(id))
	}
	out.Draft, err = h.draftOf(ctx, &d)
	return out, err
}

func (h qualityRoom) ActivateRuleDraft(ctx context.Context, req api.ActivateRuleDraftRequestObject) (api.ActivateRuleDraftResponseObject, error) {
	if err := h.note(ctx, "rules.activate", req.Id+": "+req.Body.Reason); err != nil {
		return nil, err
	}
	a, err := h.Editor.Activate(ctx, passOf(ctx).actor, req.Id, req.Body.Rev, req.Body.Reason)
	if err != nil {
		return nil, err
	}
	out := api.ActivateRuleDraft200JSONResponse{Version: int(a.Version), Declaration: a.Declaration}
	out.Draft, err = h.draftOf(ctx, &a.Draft)
	return out, err
}

func (h qualityRoom) StartBacktest(ctx context.Context, req api.StartBacktestRequestObject) (api.StartBacktestResponseObject, error) {
	d, err := h.ownDraft(ctx, req.Id)
	if err != nil {
		return nil, err
	}
	share := value(req.Body.Share)
	if math.IsNaN(share) {
		return nil, invalid("抽样比例不是数 / share is no number")
	}
	b, err := h.Editor.Backtest(ctx, passOf(ctx).actor, req.Id, pipeline.Trial{Share: share, Seed: uint64(max(0, value(req.Body.Seed)))})
	if err != nil {
		return nil, err
	}
	return api.StartBacktest202JSONResponse(h.backtestOf(&b, d.Digest)), nil
}

// keptBacktests is how many backtests of a draft are shown.
const keptBacktests = 20

func (h qualityRoom) ListBacktests(ctx context.Context, req api.ListBacktestsRequestObject) (api.ListBacktestsResponseObject, error) {
	d, err := h.ownDraft(ctx, req.Id)
	if err != nil {
		return nil, err
	}
	list, err := h.Quality.Backtests(ctx, req.Id, keptBacktests)
	if err != nil {
		return nil, err
	}
	out := api.ListBacktests200JSONResponse{}
	for i := range list {
		out = append(out, h.backtestOf(&list[i], d.Digest))
	}
	return out, nil
}

func (h qualityRoom) backtestOf(b *desk.Backtest, digest string) api.Backtest {
	out := api.Backtest{Id: b.ID, Draft: b.Draft, Digest: b.Digest, Current: b.Digest == digest, State: api.BacktestState(b.State), AskedBy: b.AskedBy, Began: b.Began.UTC(), Ended: timeOf(b.Ended),
		Share: b.Share, Seed: int64(b.Seed), Error: b.Error} //nolint:gosec // it came as an int64
	if b.State == desk.BacktestRunning {
		out.Rows, out.Total = h.Editor.Progress(b.ID)
	}
	r := b.Result
	if r == nil {
		return out
	}
	out.Rows, out.Total = r.Rows, r.Rows
	found := api.BacktestResult{Base: int(r.Base), AsOf: r.AsOf, Data: r.Data, Rows: r.Rows, Rejected: r.Rejected, NewRejected: r.NewRejected, Digest: r.Digest,
		Rules: []api.BacktestRule{}, Sets: []string{}, Days: []api.BacktestDay{}, SetRules: []api.BacktestSet{}, Score: backtestScoreOf(r.Score)}
	for _, t := range r.Rules {
		found.Rules = append(found.Rules, api.BacktestRule{Rule: string(t.Rule), Title: t.Title, Kind: t.Kind, Blocking: t.Blocking, Change: api.BacktestRuleChange(t.Change),
			Evaluated: t.Evaluated, Failed: t.Failed, EvaluatedNow: t.EvaluatedNow, FailedNow: t.FailedNow, New: t.New, Mended: t.Mended, Same: t.Same, Rejected: t.Rejected})
	}
	for _, s := range r.Sets {
		found.Sets = append(found.Sets, string(s))
	}
	for _, t := range r.SetRules {
		found.SetRules = append(found.SetRules, api.BacktestSet{Rule: string(t.Rule), Title: t.Title, Kind: t.Kind, Blocking: t.Blocking, Change: api.BacktestSetChange(t.Change), Same: t.Same,
			Now: triedResultOf(t.Now, t.Title), Draft: triedResultOf(t.Draft, t.Title)})
	}
	for _, d := range r.Days {
		found.Days = append(found.Days, api.BacktestDay{Day: d.Day, Rows: d.Rows, Failed: byRule(d.Failed), FailedNow: byRule(d.FailedNow), Rejected: d.Rejected})
	}
	out.Result = &found
	return out
}

func triedResultOf(r *quality.Result, title string) *api.RuleResult {
	if r == nil {
		return nil
	}
	out := ruleResultOf(r, title)
	return &out
}

func backtestScoreOf(s *desk.TriedScore) *api.BacktestScore {
	if s == nil {
		return nil
	}
	total := func(t desk.TriedTotal) api.BacktestTotal {
		return api.BacktestTotal{Total: t.Total, Grade: t.Grade, Caps: t.Caps}
	}
	out := api.BacktestScore{Now: total(s.Now), Draft: total(s.Draft), Dimensions: []api.BacktestDimension{}, Unforeseen: s.Unforeseen}
	for _, d := range s.Dimensions {
		out.Dimensions = append(out.Dimensions, api.BacktestDimension{Code: d.Code, Title: d.Title, Now: d.Now, Draft: d.Draft})
	}
	return &out
}

func byRule(counts map[mulu.RuleID]int64) map[string]int64 {
	out := map[string]int64{}
	for id, n := range counts {
		out[string(id)] = n
	}
	return out
}
