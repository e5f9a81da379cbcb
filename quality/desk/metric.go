package desk

import (
	"context"
	"database/sql"
	"fmt"

	"mulu"
	"mulu/internal/store"
	"mulu/quality"
	"mulu/quality/band"
)

// SaveMetrics keeps what a run measured; a day's last measure is what stays. A crash
// before it loses nothing: the day is measured again by the next run.
func (d *Desk) SaveMetrics(ctx context.Context, code mulu.DatasetCode, list []quality.Metric) error {
	if len(list) == 0 {
		return nil
	}
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, m := range list {
			_, err := tx.ExecContext(ctx, `INSERT INTO quality_metric (dataset, metric, day, value) VALUES ($1, $2, $3, $4)
				ON CONFLICT (dataset, metric, day) DO UPDATE SET value = excluded.value`, string(code), m.Name, m.Day, m.Value)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save metrics of %s: %w", code, err)
	}
	return nil
}

// Metrics are what runs of a dataset measured since a day, by metric, oldest day first.
func (d *Desk) Metrics(ctx context.Context, code mulu.DatasetCode, since string) (map[string][]band.Value, error) {
	list, err := store.All(ctx, d.db.Read, func(row store.Row) (m quality.Metric, err error) {
		return m, row.Scan(&m.Name, &m.Day, &m.Value)
	}, `SELECT metric, day, value FROM quality_metric WHERE dataset = $1 AND day >= $2 ORDER BY metric, day`, string(code), since)
	if err != nil {
		return nil, fmt.Errorf("list metrics of %s: %w", code, err)
	}
	out := map[string][]band.Value{}
	for _, m := range list {
		out[m.Name] = append(out[m.Name], band.Value{Day: m.Day, Value: m.Value})
	}
	return out, nil
}
