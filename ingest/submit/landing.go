package submit

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"mulu"
	"mulu/internal/store"
)

// Rejects counts the records among offsets of one partition that have a reject.
type Rejects interface {
	RejectedIn(ctx context.Context, topic mulu.TopicID, partition int32, first, last int64) (int64, error)
}

// span is offsets of one partition over several submissions.
type span struct {
	topic     mulu.TopicID
	partition int32
}

// readIn is a submission that has been read into the library.
type readIn struct {
	Submission
	topic mulu.TopicID
	runs  []Run
}

// Land looks which sent submissions have all been read into the library and notes how
// many of their records were rejected. It gives those that have just landed. Where many
// small ones land together the library is asked once per partition, and for each of them
// only where that partition has rejects.
func (d *Desk) Land(ctx context.Context, lib Rejects) ([]Submission, error) {
	read, err := d.allRead(ctx)
	if err != nil {
		return nil, err
	}
	spans := map[span]Run{}
	for _, s := range read {
		for _, r := range s.runs {
			at := span{s.topic, r.Partition}
			if all, ok := spans[at]; ok {
				r.First, r.Last = min(r.First, all.First), max(r.Last, all.Last)
			}
			spans[at] = r
		}
	}
	clean := map[span]bool{}
	for at, r := range spans {
		n, err := lib.RejectedIn(ctx, at.topic, r.Partition, r.First, r.Last)
		if err != nil {
			return nil, fmt.Errorf("land submissions: %w", err)
		}
		clean[at] = n == 0
	}
	var out []Submission
	var faults []error
	for _, s := range read {
		err := d.landOne(ctx, lib, s, clean)
		if err == nil {
			s.Submission, err = d.Get(ctx, s.ID)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("land submission %s: %w", s.ID, err))
			continue
		}
		out = append(out, s.Submission)
	}
	return out, errors.Join(faults...)
}

// allRead are the sent submissions whose every record is behind its partition's position.
func (d *Desk) allRead(ctx context.Context) (out []readIn, err error) {
	sent, err := d.List(ctx, Filter{State: Sent}, 1000)
	if err != nil {
		return nil, err
	}
	known := map[mulu.TopicID]map[int32]int64{}
	for _, s := range sent {
		topic, runs, err := d.Runs(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		at := known[topic]
		if at == nil {
			if at, err = d.positions(ctx, topic); err != nil {
				return nil, err
			}
			known[topic] = at
		}
		if !slices.ContainsFunc(runs, func(r Run) bool { return at[r.Partition] <= r.Last }) {
			out = append(out, readIn{s, topic, runs})
		}
	}
	return out, nil
}

func (d *Desk) landOne(ctx context.Context, lib Rejects, s readIn, clean map[span]bool) error {
	var rejected, records int64
	for _, r := range s.runs {
		records += r.Last - r.First + 1
		if clean[span{s.topic, r.Partition}] {
			continue
		}
		n, err := lib.RejectedIn(ctx, s.topic, r.Partition, r.First, r.Last)
		if err != nil {
			return err
		}
		rejected += n
	}
	return d.land(ctx, s.ID, records-rejected, rejected)
}

func (d *Desk) land(ctx context.Context, id string, good, rejected int64) error {
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE ingest_submission SET state = 'landed', good = $1, rejected = $2, landed_at = $3 WHERE id = $4 AND state = 'sent'`,
			good, rejected, store.Micros(d.now()), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("land submission %s: %w", id, err)
	}
	return nil
}

// Runs gives where a submission lies in its topic.
func (d *Desk) Runs(ctx context.Context, id string) (topic mulu.TopicID, out []Run, err error) {
	var name string
	if err := d.db.Read.QueryRowContext(ctx, `SELECT topic_id FROM ingest_submission WHERE id = $1`, id).Scan(&name); err != nil {
		return topic, nil, fmt.Errorf("find submission %s: %w", id, err)
	}
	hex.Decode(topic[:], []byte(name)) //nolint:errcheck // written by plan; empty is no topic
	texts, err := store.All(ctx, d.db.Read, store.One[string], `SELECT runs FROM ingest_chunk WHERE submission = $1 ORDER BY n`, id)
	if err != nil {
		return topic, nil, fmt.Errorf("find submission %s: %w", id, err)
	}
	for _, text := range texts {
		var runs []Run
		if err := json.Unmarshal([]byte(text), &runs); err != nil {
			return topic, nil, fmt.Errorf("find submission %s: %w", id, err)
		}
		out = append(out, runs...)
	}
	return topic, out, nil
}

// positions are the first offsets not yet done of a topic's partitions.
func (d *Desk) positions(ctx context.Context, topic mulu.TopicID) (map[int32]int64, error) {
	rows, err := d.db.Read.QueryContext(ctx, `SELECT part, next_offset FROM ingest_position WHERE topic_id = $1`, topic.String())
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	defer rows.Close()
	out := map[int32]int64{}
	for rows.Next() {
		var p int32
		var next int64
		if err := rows.Scan(&p, &next); err != nil {
			return nil, fmt.Errorf("read positions: %w", err)
		}
		out[p] = next
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	return out, nil
}
