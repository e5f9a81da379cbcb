package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"mulu"
	"mulu/pipeline"
	"mulu/quality/rows"
)

// failingPurpose names the key of row tokens; no scenario's code begins like it.
const failingPurpose = "\x00quality rows"

// openFailing readies what hands out rows that break a rule. What a crash left of an
// export is swept away.
func (a *App) openFailing(r *reader) error {
	a.failing = &pipeline.FailingRows{Library: a.lib, Looks: a.quality, Orgs: a.catalog.Orgs, Data: a.dataState, Signer: a.auth, Actor: machineID,
		House: rows.House{Origin: a.cfg.Ledger.Origin, Name: a.cfg.House.Center.Name}, Key: r.key(failingPurpose), Dir: a.cfg.Path("spool"), Now: time.Now}
	return rows.Sweep(a.failing.Dir)
}

// dataState names the state of a dataset's rows: equal names, equal rows.
func (a *App) dataState(ctx context.Context, code mulu.DatasetCode) (string, error) {
	totals, err := a.lib.Totals(ctx)
	if err != nil {
		return "", err
	}
	corrections, err := a.lib.Corrections(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, t := range totals {
		if t.Dataset == code {
			fmt.Fprintf(sum, "%s/%d %d-%d %d %d\n", t.TopicID, t.Partition, t.From, t.Through, t.Batches, t.Rows)
		}
	}
	for _, c := range corrections {
		if c.Dataset == code {
			fmt.Fprintf(sum, "%s/%d %s\n", c.TopicID, c.Partition, c.Mark)
		}
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}
