package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/internal/store"
)

// ScoresBefore returns every dataset's last score before a moment, by dataset.
func (c *Catalog) ScoresBefore(ctx context.Context, at time.Time) ([]ScoreView, error) {
	list, err := store.All(ctx, c.db.Read, scanScore, scoreColumns+`WHERE at = (SELECT MAX(at) FROM catalog_score x WHERE x.dataset = s.dataset AND x.at < $1) ORDER BY dataset`, store.Micros(at))
	if err != nil {
		return nil, fmt.Errorf("list scores before %s: %w", at, err)
	}
	return list, nil
}

// DayScore is a dataset's last total of one Shanghai day.
type DayScore struct {
	Dataset mulu.DatasetCode
	Day     string // 2006-01-02
	Total   float64
	Grade   string
}

// DayScores returns the last score of every day in [from, to) that has one, by dataset and
// day. dataset "" is all. A day without a score is as the day before: nothing had changed.
func (c *Catalog) DayScores(ctx context.Context, dataset mulu.DatasetCode, from, to time.Time) ([]DayScore, error) {
	var out []DayScore
	list, err := store.All(ctx, c.db.Read, func(r store.Row) (d DayScore, err error) {
		var at, points int64
		err = r.Scan(&d.Dataset, &at, &points, &d.Grade)
		d.Day, d.Total = store.FromMicros(at).In(clock.Shanghai).Format(time.DateOnly), float64(points)/10_000
		return d, err
	}, `SELECT dataset, at, total, grade FROM catalog_score WHERE at >= $1 AND at < $2 AND ($3 = '' OR dataset = $3) ORDER BY dataset, at`, store.Micros(from), store.Micros(to), string(dataset))
	if err != nil {
		return nil, fmt.Errorf("list daily scores: %w", err)
	}
	for _, d := range list {
		if last := len(out) - 1; last >= 0 && out[last].Dataset == d.Dataset && out[last].Day == d.Day {
			out[last] = d
		} else {
			out = append(out, d)
		}
	}
	return out, nil
}

// Probes is how often a dataset was asked whether it answers, and did.
type Probes struct{ Asked, Answered int64 }

// NoteProbes counts one probe of each dataset on the day of at. A crash loses the turn.
func (c *Catalog) NoteProbes(ctx context.Context, answered map[mulu.DatasetCode]bool, at time.Time) error {
	day := at.In(clock.Shanghai).Format(time.DateOnly)
	err := c.db.Tx(ctx, func(tx *sql.Tx) error {
		for code, ok := range answered {
			if _, err := tx.ExecContext(ctx, `INSERT INTO catalog_probe (dataset, day, asked, answered) VALUES ($1, $2, 1, $3)
				ON CONFLICT (dataset, day) DO UPDATE SET asked = catalog_probe.asked + 1, answered = catalog_probe.answered + excluded.answered`, string(code), day, truth(ok)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note probes: %w", err)
	}
	return nil
}

// ProbesIn adds up the probes of the days of a period.
func (c *Catalog) ProbesIn(ctx context.Context, p mulu.Period) (map[mulu.DatasetCode]Probes, error) {
	out := map[mulu.DatasetCode]Probes{}
	day := func(t time.Time) string { return t.In(clock.Shanghai).Format(time.DateOnly) }
	_, err := store.All(ctx, c.db.Read, func(r store.Row) (struct{}, error) {
		var code mulu.DatasetCode
		var p Probes
		err := r.Scan(&code, &p.Asked, &p.Answered)
		out[code] = p
		return struct{}{}, err
	}, `SELECT dataset, CAST(SUM(asked) AS BIGINT), CAST(SUM(answered) AS BIGINT) FROM catalog_probe WHERE day >= $1 AND day < $2 GROUP BY dataset`, day(p.From), day(p.To))
	if err != nil {
		return nil, fmt.Errorf("read probes: %w", err)
	}
	return out, nil
}
