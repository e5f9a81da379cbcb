package desk

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
	"mulu/quality"
)

// Run is one run of a dataset's rules over one state of its rows.
type Run struct {
	Dataset mulu.DatasetCode
	Ruleset uint32
	// Data names the state of the rows (library.DataVersion): equal names, equal rows.
	Data    string
	Digest  string // sha256: over data, rule set, seed and results
	Results []quality.Result
	At      time.Time
}

// SaveRun keeps a run. One whose digest equals the dataset's last is not kept again.
func (d *Desk) SaveRun(ctx context.Context, r Run) error {
	last, err := d.LatestRun(ctx, r.Dataset)
	if err != nil {
		return err
	}
	if last != nil && last.Digest == r.Digest {
		return nil
	}
	body, err := json.Marshal(r.Results)
	if err != nil {
		return fmt.Errorf("save run of %s: %w", r.Dataset, err)
	}
	err = d.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO quality_run (dataset, at, ruleset, data_version, digest, results) VALUES ($1, $2, $3, $4, $5, $6)`,
			string(r.Dataset), store.Micros(r.At), int64(r.Ruleset), r.Data, r.Digest, string(body))
		return err
	})
	if err != nil {
		return fmt.Errorf("save run of %s: %w", r.Dataset, err)
	}
	return nil
}

// LatestRun is a dataset's newest run, nil if its rules were never run.
func (d *Desk) LatestRun(ctx context.Context, code mulu.DatasetCode) (*Run, error) {
	list, err := d.Runs(ctx, code, 1)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// RunDigest is the digest of the newest run of a dataset's rules under one version, "" if
// there is none.
func (d *Desk) RunDigest(ctx context.Context, code mulu.DatasetCode, ruleset uint32) (string, error) {
	list, err := store.All(ctx, d.db.Read, store.One[string], `SELECT digest FROM quality_run WHERE dataset = $1 AND ruleset = $2 ORDER BY at DESC LIMIT 1`, string(code), int64(ruleset))
	if err != nil {
		return "", fmt.Errorf("find run of %s: %w", code, err)
	}
	if len(list) == 0 {
		return "", nil
	}
	return list[0], nil
}

// Runs are a dataset's runs, newest first, at most limit.
func (d *Desk) Runs(ctx context.Context, code mulu.DatasetCode, limit int) ([]Run, error) {
	list, err := store.All(ctx, d.db.Read, scanRun, `SELECT dataset, at, ruleset, data_version, digest, results FROM quality_run WHERE dataset = $1 ORDER BY at DESC LIMIT $2`, string(code), limit)
	if err != nil {
		return nil, fmt.Errorf("list runs of %s: %w", code, err)
	}
	return list, nil
}

func scanRun(row store.Row) (r Run, err error) {
	var code, body string
	var at, ruleset int64
	if err := row.Scan(&code, &at, &ruleset, &r.Data, &r.Digest, &body); err != nil {
		return r, err
	}
	r.Dataset, r.Ruleset, r.At = mulu.DatasetCode(code), uint32(ruleset), store.FromMicros(at)
	return r, json.Unmarshal([]byte(body), &r.Results)
}
