package httpapi_test

import (
	"context"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/quality"
	"mulu/quality/desk"
)

// runRules runs a dataset's rules as the running house does.
func (h *house) runRules(kept *desk.Desk) func(context.Context, mulu.DatasetCode) (*desk.Run, error) {
	return func(ctx context.Context, code mulu.DatasetCode) (*desk.Run, error) {
		ds, err := h.catalog.Dataset(ctx, code, 0)
		if err != nil {
			return nil, err
		}
		calendar, err := clock.National()
		if err != nil {
			return nil, err
		}
		data, err := h.lib.DataVersion(ctx, code)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		out, err := quality.Run(ctx, h.lib, quality.RunInput{Dataset: ds, Datasets: h.lib.Dataset, Calendar: calendar, Now: now})
		if err != nil {
			return nil, err
		}
		digest, err := quality.Digest(data, ds.Version, 0, out.Results)
		if err != nil {
			return nil, err
		}
		run := &desk.Run{Dataset: code, Ruleset: ds.Version, Data: data, Digest: digest, Results: out.Results, At: now}
		return run, kept.SaveRun(ctx, *run)
	}
}
