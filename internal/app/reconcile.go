package app

import (
	"context"
	"time"

	"mulu/ingest"
	"mulu/pipeline"
)

// openDesk readies reconciliation. What runs in the background ends with the workers,
// and needs what they need.
func (a *App) openDesk() {
	a.desk = &pipeline.Desk{
		Statements: a.journal.Statements(), Log: a.log, Life: a.workCtx,
		Reconciler: pipeline.Reconciler{
			Source: ingest.NewRereader(a.cfg.Seeds()), Journal: a.journal, Library: a.lib, Version: a.rules.of, Datasets: a.catalog.Datasets, Now: time.Now,
		},
	}
	a.onClose("reconciliation", func(context.Context) error { a.desk.Wait(); return nil })
}

// reconcile is the hourly turn: it compares what is new, and drops statements that
// have been kept for long enough.
func (a *App) reconcile(ctx context.Context) error {
	if _, err := a.desk.Hourly(ctx, a.cfg.Ingest.ReconcileMB<<20); err != nil {
		return err
	}
	return a.journal.Statements().Prune(ctx, time.Now().AddDate(0, 0, -int(a.cfg.Ingest.StatementDays)))
}
