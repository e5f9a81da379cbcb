package ingest

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
)

// Position is what one partition has given so far, summed from its manifests.
type Position struct {
	Dataset   mulu.DatasetCode
	TopicID   mulu.TopicID
	Topic     string
	Partition int32
	Next      int64 // first offset not yet done
	Batches   int64
	Good      int64
	Rejected  int64
	Control   int64
	Lost      int64 // offsets a person agreed to skip, see Skip
	Bytes     int64
	Touched   time.Time // last plan or close
	Retired   bool      // the topic was created again since
}

// Positions lists every partition ever read, by topic and partition.
func (j *Journal) Positions(ctx context.Context) ([]Position, error) {
	rows, err := j.db.Read.QueryContext(ctx, `SELECT dataset, topic_id, topic, part, next_offset, batches, good, rejected, control, lost,
		bytes, touched_at, retired_at FROM ingest_position ORDER BY topic, retired_at, part`)
	if err != nil {
		return nil, fmt.Errorf("list positions: %w", err)
	}
	defer rows.Close()
	var out []Position
	for rows.Next() {
		var p Position
		var id string
		var touched, retired int64
		if err := rows.Scan((*string)(&p.Dataset), &id, &p.Topic, &p.Partition, &p.Next, &p.Batches, &p.Good, &p.Rejected,
			&p.Control, &p.Lost, &p.Bytes, &touched, &retired); err != nil {
			return nil, fmt.Errorf("list positions: %w", err)
		}
		if p.TopicID, err = parseTopicID(id); err != nil {
			return nil, fmt.Errorf("list positions: %w", err)
		}
		p.Touched, p.Retired = store.FromMicros(touched), retired != 0
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list positions: %w", err)
	}
	return out, nil
}

// KnownAs returns the identity under which the named topic was last read; ok is
// false if it never was.
func (j *Journal) KnownAs(ctx context.Context, topic string) (id mulu.TopicID, ok bool, err error) {
	rows, err := j.db.Read.QueryContext(ctx, `SELECT topic_id FROM ingest_position
		WHERE topic = $1 AND retired_at = 0 ORDER BY touched_at DESC LIMIT 1`, topic)
	if err != nil {
		return id, false, fmt.Errorf("look up topic %q: %w", topic, err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return id, false, fmt.Errorf("look up topic %q: %w", topic, err)
		}
		if id, err = parseTopicID(s); err != nil {
			return id, false, fmt.Errorf("look up topic %q: %w", topic, err)
		}
		ok = true
	}
	if err := rows.Err(); err != nil {
		return id, false, fmt.Errorf("look up topic %q: %w", topic, err)
	}
	return id, ok, nil
}

// Retire is a person's word that the named topic was created again on purpose: its
// old positions no longer hold the new topic back, and every process that reads
// judges its stopped partitions anew. Its old counts stay. An open plan of the old
// topic can never be rebuilt and is given up; the library may hold part of it, under
// the old topic's offsets. mulu.ErrNotFound: the topic was never read.
func (j *Journal) Retire(ctx context.Context, topic, by, reason string) error {
	now := store.Micros(j.now())
	err := j.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM ingest_plan WHERE topic = $1 AND done_at = 0`, topic); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE ingest_position SET retired_at = $1 WHERE topic = $2 AND retired_at = 0`, now, topic)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("主题 %s 没有读取过的位点 / nothing was read of it: %w", topic, mulu.ErrNotFound)
		}
		return j.reopen(ctx, tx, topic, "accept", "", reason, by)
	})
	if err != nil {
		return fmt.Errorf("retire topic %q: %w", topic, err)
	}
	return nil
}

// Skip is a person's word that the offsets up to (not including) next are gone from
// the broker and will not be read. They are counted as lost. An open plan is given
// up. Every process that reads judges the topic's stopped partitions anew.
func (j *Journal) Skip(ctx context.Context, topic mulu.TopicID, partition int32, next int64, by, reason string) error {
	err := j.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM ingest_plan WHERE topic_id = $1 AND part = $2 AND done_at = 0`,
			topic.String(), partition); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE ingest_position SET lost = lost + $1 - next_offset, next_offset = $1, touched_at = $2
			WHERE topic_id = $3 AND part = $4 AND next_offset < $1`, next, store.Micros(j.now()), topic.String(), partition)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("nothing to skip before offset %d: %w", next, mulu.ErrConflict)
		}
		var name string
		if err := tx.QueryRowContext(ctx, `SELECT topic FROM ingest_position WHERE topic_id = $1 AND part = $2`, topic.String(), partition).Scan(&name); err != nil {
			return err
		}
		return j.reopen(ctx, tx, name, "skip", fmt.Sprintf("分区 %d 跳到 %d", partition, next), reason, by)
	})
	if err != nil {
		return fmt.Errorf("skip to offset %d of partition %s/%d: %w", next, topic, partition, err)
	}
	return nil
}

func parseTopicID(s string) (id mulu.TopicID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("topic identity %q: %w", s, mulu.ErrInvalid)
	}
	copy(id[:], b)
	return id, nil
}
