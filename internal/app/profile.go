package app

import (
	"context"
	"time"

	"mulu/pipeline"
)

// openProfiler readies profiles of datasets. What runs in the background ends with the
// workers, and needs what they need.
func (a *App) openProfiler() {
	a.profiles = &pipeline.Profiler{Library: a.lib, Desk: a.quality, Tables: a.rules.tablesOf, Data: a.lib.DataVersion, Now: time.Now, Log: a.log, Life: a.workCtx}
	a.onClose("profiles", func(context.Context) error { a.profiles.Wait(); return nil })
}
