package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"mulu"
	api "mulu/internal/httpapi/gen/quality"
	"mulu/pipeline"
	"mulu/quality/desk"
	"mulu/quality/suggest"
)

// profiled is a dataset whose profile somebody asks for: officers see and start those of
// their own organisation's datasets alone.
func (h qualityRoom) profiled(ctx context.Context, code string) (*mulu.Dataset, error) {
	ds, err := h.Catalog.Dataset(ctx, mulu.DatasetCode(code), 0)
	if errors.Is(err, mulu.ErrNotFound) {
		return nil, fmt.Errorf("没有数据集 %s: %w", code, mulu.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if scope := passOf(ctx).scope; scope != "" && scope != ds.Owner {
		return nil, fmt.Errorf("本单位没有数据集 %s: %w", code, mulu.ErrNotFound)
	}
	return ds, nil
}

func (h qualityRoom) GetProfile(ctx context.Context, req api.GetProfileRequestObject) (api.GetProfileResponseObject, error) {
	ds, err := h.profiled(ctx, req.Code)
	if err != nil {
		return nil, err
	}
	out := api.GetProfile200JSONResponse{}
	if r := h.Profiles.State(ds.Code); r != nil {
		run := profileRunOf(*r)
		out.Run = &run
	}
	p, err := h.Profiles.Profiled(ctx, ds)
	if errors.Is(err, mulu.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out.Profile = &api.Profile{}
	return out, renamed(p.Profile, out.Profile)
}

func (h qualityRoom) StartProfile(ctx context.Context, req api.StartProfileRequestObject) (api.StartProfileResponseObject, error) {
	ds, err := h.profiled(ctx, req.Code)
	if err != nil {
		return nil, err
	}
	if h.Library.Dataset(ds.Code) == nil {
		return nil, fmt.Errorf("数据集 %s 还没有入库的版本: %w", ds.Code, mulu.ErrNotFound)
	}
	run, err := h.Profiles.Start(h.Library.Dataset(ds.Code), passOf(ctx).actor.ID)
	if err != nil {
		return nil, err
	}
	return api.StartProfile202JSONResponse(profileRunOf(run)), nil
}

func profileRunOf(r pipeline.Profiling) api.ProfileRun {
	out := api.ProfileRun{Dataset: string(r.Dataset), State: "running", Actor: r.Actor, Started: r.Started, Done: r.Done, Total: r.Total}
	if r.Err != nil {
		out.State = "failed"
		if out.Error = sentence(r.Err); out.Error == "" {
			out.Error = "探查中断，请运维人员查看服务日志"
		}
	}
	return out
}

func (h qualityRoom) GetSuggestions(ctx context.Context, req api.GetSuggestionsRequestObject) (api.GetSuggestionsResponseObject, error) {
	ds, err := h.profiled(ctx, req.Code)
	if err != nil {
		return nil, err
	}
	p, err := h.Profiles.Profiled(ctx, ds)
	if err != nil {
		return nil, err
	}
	out := api.GetSuggestions200JSONResponse{Dataset: string(ds.Code), Ruleset: int(p.Ruleset), At: p.At, Items: []api.Suggestion{}}
	return out, renamed(p.Suggestions, &out.Items)
}

func (h qualityRoom) AdoptSuggestion(ctx context.Context, req api.AdoptSuggestionRequestObject) (api.AdoptSuggestionResponseObject, error) {
	ds, err := h.profiled(ctx, req.Code)
	if err != nil {
		return nil, err
	}
	p, err := h.Profiles.Profiled(ctx, ds)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(p.Suggestions, func(s suggest.Suggestion) bool { return s.N == req.N })
	if at < 0 {
		return nil, fmt.Errorf("数据集 %s 没有第 %d 条建议，或已声明: %w", ds.Code, req.N, mulu.ErrNotFound)
	}
	d, err := h.draftFor(ctx, ds, value(req.Body.Draft))
	if err != nil {
		return nil, err
	}
	adopt(&d, p.Suggestions[at])
	if d.ID == "" {
		d, err = h.Quality.AddDraft(ctx, d, h.Now())
	} else {
		d, err = h.Quality.SaveDraft(ctx, d, h.Now())
	}
	if err != nil {
		return nil, err
	}
	out, err := h.draftOf(ctx, &d)
	return api.AdoptSuggestion200JSONResponse(out), err
}

// draftFor is the draft that a suggestion goes into: the one named, or a new one, not
// yet kept, that begins with the rules in force.
func (h qualityRoom) draftFor(ctx context.Context, ds *mulu.Dataset, id string) (desk.Draft, error) {
	who := passOf(ctx).actor
	if id == "" {
		return desk.Draft{Dataset: ds.Code, Base: ds.Version, Title: "采用规则建议", Author: who.ID, Org: who.Org.Code, Rules: ds.Rules, SetRules: ds.SetRules}, nil
	}
	d, err := h.ownDraft(ctx, id)
	if err == nil && d.Dataset != ds.Code {
		err = invalid("草稿 %s 是数据集 %s 的", id, d.Dataset)
	}
	return d, err
}

// adopt adds a suggested rule under an id that no rule of the draft has.
func adopt(d *desk.Draft, s suggest.Suggestion) {
	taken := map[mulu.RuleID]bool{}
	for _, r := range d.Rules {
		taken[r.ID] = true
	}
	for _, r := range d.SetRules {
		taken[r.ID] = true
	}
	for n, id := 2, s.ID; taken[mulu.RuleID(s.ID)]; n++ {
		s.ID = fmt.Sprintf("%s_%d", id, n)
	}
	if s.Set {
		d.SetRules = append(slices.Clone(d.SetRules), s.SetRule())
	} else {
		d.Rules = append(slices.Clone(d.Rules), s.Rule())
	}
}

// renamed puts a value into the types of the document, whose names are those of the
// value's own JSON.
func renamed(from, to any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return nil
}
