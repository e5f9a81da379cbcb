package library

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// Total sums one partition's manifests: the equation offsets = good + rejected +
// control, as it is shown.
type Total struct {
	Dataset   mulu.DatasetCode
	Topic     string
	TopicID   mulu.TopicID
	Partition int32
	From      int64 // first offset of the first batch
	Through   int64 // last offset of the last batch
	Offsets   int64 // sum of Last-First+1; less than Through-From+1 if a batch is missing
	Good      int64 // records
	Rejected  int64
	Rows      int64 // rows stored
	Control   int64
	Bytes     int64
	Batches   int64
	Last      time.Time // newest manifest
}

// Balanced says whether the equation holds and no batch between is missing.
func (t *Total) Balanced() bool {
	return t.Offsets == t.Good+t.Rejected+t.Control && t.Offsets == t.Through-t.From+1
}

// Totals gives every partition that has a manifest, by dataset, topic and partition.
func (l *Library) Totals(ctx context.Context) ([]Total, error) {
	var out []Total
	err := l.each(ctx, "totals", `SELECT dataset, any(_topic), _topic_id, _partition, toInt64(min(first)), toInt64(max(last)), toInt64(sum(last - first + 1)),
		sum(good), sum(rejected), sum(rows), sum(control), sum(bytes), toInt64(count()), max(at)
		FROM mulu.manifest FINAL GROUP BY dataset, _topic_id, _partition ORDER BY dataset, any(_topic), _topic_id, _partition`, nil, func(rows driver.Rows) error {
		var t Total
		var dataset, id string
		var p uint32
		if err := rows.Scan(&dataset, &t.Topic, &id, &p, &t.From, &t.Through, &t.Offsets, &t.Good, &t.Rejected, &t.Rows, &t.Control, &t.Bytes, &t.Batches, &t.Last); err != nil {
			return err
		}
		var err error
		t.Dataset, t.Partition = mulu.DatasetCode(dataset), int32(p)
		if t.TopicID, err = parseTopicID(id); err != nil {
			return err
		}
		out = append(out, t)
		return nil
	})
	return out, err
}

// each runs a statement of this package and hands every row on.
func (l *Library) each(ctx context.Context, what, sql string, args []any, row func(driver.Rows) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := l.db.Query(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

const manifestColumns = `dataset, version, _topic, _topic_id, _partition, first, last, good, rejected, rows, control, bytes, digest, at, oldest, newest`

func scanManifest(rows driver.Rows) (m mulu.Manifest, err error) {
	var dataset, id string
	var partition uint32
	var first, last uint64
	if err = rows.Scan(&dataset, &m.Version, &m.Topic, &id, &partition, &first, &last, &m.Good, &m.Rejected, &m.Rows, &m.Control, &m.Bytes, &m.Digest, &m.At, &m.Oldest, &m.Newest); err != nil {
		return m, err
	}
	m.Dataset, m.Partition, m.First, m.Last = mulu.DatasetCode(dataset), int32(partition), int64(first), int64(last)
	m.Oldest, m.Newest = timeOf(m.Oldest), timeOf(m.Newest)
	m.TopicID, err = parseTopicID(id)
	return m, err
}

// Manifests gives at most limit manifests after the cursor, oldest first, and the
// cursor of the last; "" starts at the beginning. The order is (At, topic id,
// partition, first offset). A manifest may be stored a little after its At: to miss
// none, read only up to a few seconds ago (until), a zero until is no bound.
func (l *Library) Manifests(ctx context.Context, cursor string, until time.Time, limit int) ([]mulu.Manifest, string, error) {
	pos, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	before := int64(1) << 62
	if !until.IsZero() {
		before = until.UnixMicro()
	}
	var out []mulu.Manifest
	err = l.each(ctx, "manifests", `SELECT `+manifestColumns+` FROM mulu.manifest FINAL
		WHERE (toUnixTimestamp64Micro(at), _topic_id, _partition, first) > ({at:Int64}, {id:String}, {p:UInt32}, {o:UInt64}) AND toUnixTimestamp64Micro(at) <= {until:Int64}
		ORDER BY at, _topic_id, _partition, first LIMIT {n:UInt32}`, append(pos.args(), named("until", before), named("n", uint32(limit))), func(rows driver.Rows) error {
		m, err := scanManifest(rows)
		out = append(out, m)
		return err
	})
	if err != nil || len(out) == 0 {
		return nil, cursor, err
	}
	m := out[len(out)-1]
	return out, position{m.At.UnixMicro(), m.TopicID.String(), uint32(m.Partition), uint64(m.First)}.String(), nil
}

// RecentBatches gives the newest manifests since a time, newest first, for rates.
// An empty dataset is all.
func (l *Library) RecentBatches(ctx context.Context, dataset mulu.DatasetCode, since time.Time, limit int) ([]mulu.Manifest, error) {
	var out []mulu.Manifest
	err := l.each(ctx, "recent batches", `SELECT `+manifestColumns+` FROM mulu.manifest FINAL
		WHERE toUnixTimestamp64Micro(at) >= {since:Int64} AND ({ds:String} = '' OR dataset = {ds:String}) ORDER BY at DESC, _topic_id DESC, _partition DESC, first DESC LIMIT {n:UInt32}`,
		[]any{named("since", since.UnixMicro()), named("ds", string(dataset)), named("n", uint32(limit))}, func(rows driver.Rows) error {
			m, err := scanManifest(rows)
			out = append(out, m)
			return err
		})
	return out, err
}

// FindingTotal sums one rule's findings.
type FindingTotal struct {
	Indicator string
	Evaluated int64
	Failed    int64
}

// FindingTotals sums the findings of one rule-set version of a dataset, by rule.
func (l *Library) FindingTotals(ctx context.Context, dataset mulu.DatasetCode, ruleset uint32) (map[mulu.RuleID]FindingTotal, error) {
	out := map[mulu.RuleID]FindingTotal{}
	err := l.each(ctx, "findings", `SELECT rule, any(indicator), sum(evaluated), sum(failed) FROM mulu.findings FINAL
		WHERE dataset = {ds:String} AND ruleset = {v:UInt32} GROUP BY rule`, []any{named("ds", string(dataset)), named("v", ruleset)}, func(rows driver.Rows) error {
		var rule string
		var t FindingTotal
		if err := rows.Scan(&rule, &t.Indicator, &t.Evaluated, &t.Failed); err != nil {
			return err
		}
		out[mulu.RuleID(rule)] = t
		return nil
	})
	return out, err
}
