package app

import (
	"time"

	"mulu/internal/spool"
	"mulu/pipeline"
	"mulu/quality/rows"
)

// failingPurpose names the key of row tokens; no scenario's code begins like it.
const failingPurpose = "\x00quality rows"

// openFailing readies what hands out rows that break a rule. What a crash left of an
// export is swept away.
func (a *App) openFailing(r *reader) error {
	a.failing = &pipeline.FailingRows{Library: a.lib, Looks: a.quality, Orgs: a.catalog.Orgs, Signer: a.auth, Actor: machineID,
		House: rows.House{Origin: a.cfg.Ledger.Origin, Name: a.cfg.House.Center.Name}, Key: r.key(failingPurpose), Dir: a.cfg.Path("spool"), Now: time.Now}
	return spool.Sweep(a.failing.Dir, "excelize-*") // rows that a workbook had put on disk
}
