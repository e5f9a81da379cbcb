package app

import (
	"context"
	"io/fs"
	"time"

	"mulu"
	"mulu/internal/declare"
	"mulu/pipeline"
	"mulu/quality"
	"mulu/quality/codes"
)

// openEditor readies the drafts of rules, and settles what a crash left of them: after
// everything that was applied is known, before the API is there.
func (a *App) openEditor(ctx context.Context) error {
	a.editor = &pipeline.Editor{
		Desk: a.quality, Library: a.lib, Dataset: a.catalog.Dataset, Source: a.declarationOf, Load: a.Load,
		// In the data centre's own name, as every declaration; the draft keeps who it was.
		Apply: func(ctx context.Context, files fs.FS) error {
			_, err := a.ApplyLive(ctx, files, false)
			return err
		},
		Compile:    func(ds *mulu.Dataset) (*quality.Ruleset, error) { return quality.Compile(ds, a.rules.tablesOf(ds)) },
		CheckRules: func(ds *mulu.Dataset) []declare.RuleFault { return quality.CheckRules(a.rules.tablesOf(ds))(ds) },
		Known:      a.runInput,
		Facts:      a.scoreFacts,
		Weights:    a.Weights,
		Go:         func(f func(context.Context)) { a.work.Go(func() error { f(a.workCtx); return nil }) },
		Activated:  func(mulu.DatasetCode) { a.history.Wake() },
		Now:        time.Now, Log: a.log,
	}
	return a.editor.Open(ctx)
}

// scoreFacts is what a score of a dataset follows from now, besides its rows and the
// results of its rules.
func (a *App) scoreFacts(ctx context.Context, ds *mulu.Dataset, now time.Time) (quality.Facts, error) {
	period, err := quality.PeriodOf("", now)
	if err != nil {
		return quality.Facts{}, err
	}
	r, err := a.lookAround(ctx, period)
	if err != nil {
		return quality.Facts{}, err
	}
	r.now = now
	return a.facts(ctx, ds, r)
}

// declarationOf is the declaration of a dataset's newest version as it was applied.
func (a *App) declarationOf(ctx context.Context, code mulu.DatasetCode) (string, error) {
	l, err := a.catalog.LinkOf(ctx, code)
	return l.Source, err
}

// tablesOf are the code tables that a dataset's rules ask.
func (v *versions) tablesOf(ds *mulu.Dataset) *codes.Tables {
	if ds.Sample {
		return v.synthetic
	}
	return v.plain
}
