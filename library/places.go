package library

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
	"mulu/plan"
)

// Rows counts a dataset's current rows.
func (l *Library) Rows(ctx context.Context, code mulu.DatasetCode) (int64, error) {
	m, err := l.Summary(ctx, plan.Summary{Dataset: code, Measures: []plan.Measure{{As: "rows", Kind: plan.Rows}}})
	if err != nil {
		return 0, err
	}
	n, _ := m[0]["rows"].(float64)
	return int64(n), nil
}

// BatchPlace is where a batch begins, its topic as 32 hex digits.
type BatchPlace struct {
	Topic     string
	Partition uint32
	First     uint64
}

// Batches says when each batch of a dataset could be queried.
type Batches map[BatchPlace]time.Time

// BatchTimes reads when each batch of a dataset could be queried.
func (l *Library) BatchTimes(ctx context.Context, code mulu.DatasetCode) (Batches, error) {
	out := Batches{}
	err := l.each(ctx, "times of batches", "SELECT toString(_topic_id), _partition, first, at FROM mulu.manifest FINAL WHERE dataset = {ds:String}", []any{named("ds", string(code))}, func(r driver.Rows) error {
		var p BatchPlace
		var at time.Time
		err := r.Scan(&p.Topic, &p.Partition, &p.First, &at)
		out[p] = at
		return err
	})
	return out, err
}
