package app

import (
	"context"
	"time"

	"mulu"
	"mulu/pipeline"
	"mulu/quality/codes"
)

// openProfiler readies profiles of datasets. What runs in the background ends with the
// workers, and needs what they need.
func (a *App) openProfiler() {
	a.profiles = &pipeline.Profiler{Library: a.lib, Desk: a.quality, Tables: a.rules.tablesOf, Now: time.Now, Log: a.log, Life: a.workCtx}
	a.onClose("profiles", func(context.Context) error { a.profiles.Wait(); return nil })
}

// tablesOf are the code tables that a dataset's values are held against.
func (v *versions) tablesOf(ds *mulu.Dataset) *codes.Tables {
	if ds.Sample {
		return v.synthetic
	}
	return v.plain
}
