package torture

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// count compares what the library holds of one dataset with what its topics hold,
// row by row, and adds to the outcome. truths are the identities that its topic has
// had, oldest first; acked is what the broker acknowledged of the newest.
func (r *rig) count(ctx context.Context, ds *mulu.Dataset, acked map[int32]*offsets, truths ...*truth) error {
	for i, t := range truths {
		if i == len(truths)-1 {
			r.countAcked(acked, t)
		}
		if err := r.countTopic(ctx, ds, t); err != nil {
			return err
		}
	}
	if err := r.countCurrent(ctx, ds, current(truths)); err != nil {
		return err
	}
	a, err := r.lib.Audit(ctx, ds.Code)
	if err != nil {
		return err
	}
	r.out.RawDuplicates += a.History - a.HistoryPositions + a.Raw - a.RawPositions
	r.out.VisibleDuplicates += a.Visible - a.VisibleKeys
	return nil
}

// countAcked counts what the broker acknowledged and does not hold any more.
func (r *rig) countAcked(acked map[int32]*offsets, t *truth) {
	held := map[int32]*offsets{}
	for p := range t.records {
		if held[p.partition] == nil {
			held[p.partition] = &offsets{}
		}
		held[p.partition].add(p.offset)
	}
	for partition, s := range acked {
		r.out.Acked += s.n
		h := held[partition]
		if h == nil {
			h = &offsets{}
		}
		if n := s.missing(h); n > 0 {
			r.out.Lost += n
			r.out.Figures["lost_by_broker"] += n
		}
	}
}

// tally is what the library holds of one partition.
type tally struct{ good, rejected int64 }

// countTopic looks for every record of one topic in the history and among the
// rejects, and for the equation in the manifests.
func (r *rig) countTopic(ctx context.Context, ds *mulu.Dataset, t *truth) error {
	found := make(map[position]bool, len(t.records))
	sums := map[int32]*tally{}
	for p := range t.ends {
		sums[p] = &tally{}
	}
	see := func(p position) (sent, bool) {
		s, ok := t.records[p]
		switch {
		case !ok:
			r.out.Alien++
		case found[p]:
			r.out.VisibleDuplicates++
		default:
			found[p] = true
		}
		return s, ok
	}
	err := each(ctx, r.sql, "SELECT _partition, _offset, id, n FROM "+ds.Library+"."+string(ds.Code)+"_history FINAL WHERE _topic_id = '"+t.id.String()+"'", func(scan func(...any) error) error {
		var p position
		var id string
		var n *int64
		if err := scanPosition(scan, &p, &id, &n); err != nil {
			return err
		}
		if s, ok := see(p); ok {
			sums[p.partition].good++
			if s.fate != "" || s.id != id || n == nil || *n != s.n {
				r.wrong("%s/%d/%d is stored as (%s, %v), sent as %q (%s)", ds.Topic, p.partition, p.offset, id, n, s.value, s.fate)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = each(ctx, r.sql, "SELECT _partition, _offset, class, key, value FROM mulu.rejects FINAL WHERE dataset = '"+string(ds.Code)+"' AND _topic_id = '"+t.id.String()+"'", func(scan func(...any) error) error {
		var p position
		var class, key, value string
		if err := scanPosition(scan, &p, &class, &key, &value); err != nil {
			return err
		}
		if s, ok := see(p); ok {
			sums[p.partition].rejected++
			if s.fate != class || s.key != key || s.value != value {
				r.wrong("%s/%d/%d is rejected as %q, must be %q with its bytes", ds.Topic, p.partition, p.offset, class, s.fate)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.out.Lost += int64(len(t.records) - len(found))
	return r.countManifests(ctx, t, sums)
}

// countManifests checks the equation of every partition against the rows.
func (r *rig) countManifests(ctx context.Context, t *truth, sums map[int32]*tally) error {
	totals, err := r.lib.Totals(ctx)
	if err != nil {
		return err
	}
	seen := map[int32]bool{}
	for _, m := range totals {
		if m.TopicID != t.id {
			continue
		}
		seen[m.Partition] = true
		r.out.Good += m.Good
		r.out.Rejected += m.Rejected
		r.out.Control += m.Control
		r.out.Batches += m.Batches
		s := sums[m.Partition]
		if s == nil || !m.Balanced() || m.From != 0 || m.Through != t.ends[m.Partition]-1 || m.Good != s.good || m.Rejected != s.rejected {
			r.out.Unbalanced++
		}
	}
	for p, end := range t.ends {
		if end > 0 && !seen[p] {
			r.out.Unbalanced++
		}
	}
	return nil
}

// countCurrent compares what readers see with the last good record of every key.
func (r *rig) countCurrent(ctx context.Context, ds *mulu.Dataset, want map[string]int64) error {
	seen := map[string]bool{}
	err := each(ctx, r.sql, "SELECT id, n FROM "+ds.Library+"."+string(ds.Code)+" FINAL WHERE _deleted = 0", func(scan func(...any) error) error {
		var id string
		var n *int64
		if err := scan(&id, &n); err != nil {
			return err
		}
		seen[id] = true // twice is counted by Audit
		switch last, ok := want[id]; {
		case !ok:
			r.out.Alien++
		case n == nil || *n != last:
			r.wrong("key %s shows %v, must be %d", id, n, last)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id := range want {
		if !seen[id] {
			r.wrong("key %s is not visible", id)
		}
	}
	r.out.Figures["keys"] += int64(len(want))
	return nil
}

// wrong counts a row that is not what was sent, and keeps the first ones in words.
func (r *rig) wrong(format string, args ...any) {
	if r.out.Wrong++; r.out.Wrong <= 3 {
		r.out.fail(format, args...)
	}
}

func scanPosition(scan func(...any) error, p *position, rest ...any) error {
	var partition uint32
	var offset uint64
	err := scan(append([]any{&partition, &offset}, rest...)...)
	p.partition, p.offset = int32(partition), int64(offset)
	return err
}

// each runs a statement and hands every row on.
func each(ctx context.Context, conn driver.Conn, sql string, row func(scan func(...any) error) error) error {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return fmt.Errorf("count rows: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return fmt.Errorf("count rows: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("count rows: %w", err)
	}
	return nil
}

// settle stops the producer, waits until all is stored, counts, and judges.
func (r *rig) settle(ctx context.Context, f *feed, ds *mulu.Dataset) error {
	if _, err := f.stop(); err != nil {
		return err
	}
	if err := r.drained(ctx, ds.Topic); err != nil {
		return err
	}
	t, err := r.readTopic(ctx, ds.Topic)
	if err != nil {
		return err
	}
	if err := r.count(ctx, ds, f.acked, t); err != nil {
		return err
	}
	r.out.judge()
	return nil
}
