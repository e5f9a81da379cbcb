package library

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// Audit is what the tables of one dataset hold, counted from the rows themselves
// and not from manifests. A position is (topic identity, partition, offset, row of the record).
type Audit struct {
	History          int64 // rows of the history
	HistoryPositions int64 // distinct positions among them
	Raw              int64 // rows of the current table, before replacement
	RawPositions     int64
	Visible          int64 // rows of the current table that readers see
	VisibleKeys      int64 // distinct business keys among them
	Rejects          int64 // rejected positions, mended ones included
	Closed           int64 // of those, mended and replayed
	Both             int64 // positions that are rejected, not closed and in the history: must be 0
	Withdrawn        int64 // rows of withdrawn batches in the current table: must be 0
}

// Audit counts one dataset's rows. It scans its tables whole.
func (l *Library) Audit(ctx context.Context, code mulu.DatasetCode) (Audit, error) {
	ds, err := l.applied(code)
	if err != nil {
		return Audit{}, err
	}
	const position = "(_topic_id, _partition, _offset, _row)"
	table := ident(ds.Library) + "." + ident(string(ds.Code))
	history := ident(ds.Library) + "." + ident(string(ds.Code)+"_history")
	visible := ""
	if cond := above(ds, ""); cond != "" {
		visible = " AND " + cond
	}
	var a Audit
	for _, q := range []struct {
		sql  string
		args []any
		into []any
	}{
		{"SELECT toInt64(count()), toInt64(uniqExact" + position + ") FROM " + history, nil, []any{&a.History, &a.HistoryPositions}},
		{"SELECT toInt64(count()), toInt64(uniqExact" + position + ") FROM " + table, nil, []any{&a.Raw, &a.RawPositions}},
		{"SELECT toInt64(count()), toInt64(uniqExact(" + idents(ds.Key) + ")) FROM " + table + " FINAL WHERE _deleted = 0" + visible, nil, []any{&a.Visible, &a.VisibleKeys}},
		{"SELECT toInt64(uniqExact" + position + ") FROM mulu.rejects WHERE dataset = {d:String}", []any{named("d", string(code))}, []any{&a.Rejects}},
		{"SELECT toInt64(uniqExact" + position + ") FROM mulu.rejects WHERE dataset = {d:String} AND " + position + " IN (SELECT " + position + " FROM " + history + ") AND NOT " + closedReject, []any{named("d", string(code))}, []any{&a.Both}},
		{"SELECT toInt64(uniqExact" + position + ") FROM mulu.rejects WHERE dataset = {d:String} AND " + closedReject, []any{named("d", string(code))}, []any{&a.Closed}},
		{"SELECT toInt64(count()) FROM " + table + " WHERE NOT " + standingRow(code), nil, []any{&a.Withdrawn}},
	} {
		if !ds.History && (q.into[0] == &a.History || q.into[0] == &a.Both) {
			continue
		}
		if err := l.each(ctx, "audit of "+string(code), q.sql, q.args, func(r driver.Rows) error { return r.Scan(q.into...) }); err != nil {
			return Audit{}, fmt.Errorf("audit dataset %q: %w", code, err)
		}
	}
	return a, nil
}
