package app

import (
	"context"
	"errors"
	"time"

	"mulu"
	"mulu/library"
	"mulu/pipeline"
)

// correctEvery is how soon a correction that an error cut off is taken up again.
const correctEvery = time.Minute

// openCorrections readies replays and withdrawals, and finishes those that a crash
// left open: before the API is there, since keys of a half-withdrawn batch may lack
// their rows. What can not be finished now is tried again by a worker.
func (a *App) openCorrections(ctx context.Context) error {
	a.mender = &pipeline.Mender{Library: a.lib, Journal: a.journal, Version: a.rules.of, Now: time.Now, Passed: a.opt.Passed}
	a.withdrawer = &pipeline.Withdrawer{Library: a.lib, Journal: a.journal, Holders: a.share, Now: time.Now, Passed: a.opt.Passed}
	a.history = a.newHistory()
	if err := a.finishCorrections(ctx); err != nil {
		a.log.Error("corrections under way at the last stop are not finished yet", "error", err)
	}
	return nil
}

func (a *App) finishCorrections(ctx context.Context) error {
	return errors.Join(a.withdrawer.Resume(ctx), a.mender.Resume(ctx))
}

// marksOf says, per dataset, how far its corrections go.
func marksOf(list []library.Correction) map[mulu.DatasetCode]string {
	marks := map[mulu.DatasetCode]string{}
	for _, c := range list {
		marks[c.Dataset] += c.Mark + ";"
	}
	return marks
}
