package share

import (
	"context"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
)

// CallCount counts the reads of one scenario that ended alike.
type CallCount struct {
	Scenario mulu.ScenarioCode // "": asked under a grant that there is not
	Outcome  Outcome
	Calls    int64
}

// Calls counts the receipts that were opened in [from, to), by scenario and outcome.
func (s *Service) Calls(ctx context.Context, from, to time.Time) ([]CallCount, error) {
	list, err := store.All(ctx, s.DB.Read, func(r store.Row) (c CallCount, err error) {
		err = r.Scan(&c.Scenario, &c.Outcome, &c.Calls)
		return c, err
	}, `SELECT scenario, outcome, COUNT(*) FROM share_receipt WHERE id >= $1 AND id < $2 AND opened_at >= $3 AND opened_at < $4 GROUP BY scenario, outcome ORDER BY scenario, outcome`,
		idAt(from), idAt(to), store.Micros(from), store.Micros(to))
	if err != nil {
		return nil, fmt.Errorf("count reads: %w", err)
	}
	return list, nil
}

// idAt is before the id of every receipt opened at or after a moment: ids sort by time.
func idAt(t time.Time) string { return fmt.Sprintf("R%016x", store.Micros(t)) }
