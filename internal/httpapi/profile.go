package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"mulu"
	api "mulu/internal/httpapi/gen/quality"
	"mulu/pipeline"
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
