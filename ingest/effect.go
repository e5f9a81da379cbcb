package ingest

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"mulu"
	"mulu/internal/store"
)

// Effect says from which offset of a partition a dataset version is in force (生效位点).
type Effect struct {
	Version uint32
	From    int64
}

// inForce gives the version in force at an offset and the offset where the next one
// takes over. effects are by From; without any, version is 0.
func inForce(effects []Effect, offset int64) (version uint32, until int64) {
	until = math.MaxInt64
	for i, e := range effects {
		if i > 0 && e.From > offset {
			return version, e.From
		}
		version = e.Version
	}
	return version, until
}

// Effects lists the versions of one partition by the offset they take effect at.
func (j *Journal) Effects(ctx context.Context, topic mulu.TopicID, partition int32) (effects []Effect, err error) {
	err = j.db.Tx(ctx, func(tx *sql.Tx) error {
		effects, err = effectsOf(ctx, tx, topic, partition)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list versions of partition %s/%d: %w", topic, partition, err)
	}
	return effects, nil
}

func effectsOf(ctx context.Context, tx *sql.Tx, topic mulu.TopicID, partition int32) (out []Effect, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT version, from_offset FROM ingest_effect WHERE topic_id = $1 AND part = $2 ORDER BY from_offset, version`,
		topic.String(), partition)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e Effect
		if err := rows.Scan(&e.Version, &e.From); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// Schedule lets version of p's dataset take effect at p.First of p's partition: from
// there on batches are planned with it, before there none is. What was scheduled
// before stays, so that a second call, after a crash or by another process, changes
// nothing. It returns what holds now.
func (j *Journal) Schedule(ctx context.Context, p mulu.Plan) (effects []Effect, err error) {
	err = j.db.Tx(ctx, func(tx *sql.Tx) error {
		if effects, err = effectsOf(ctx, tx, p.TopicID, p.Partition); err != nil {
			return err
		}
		for _, e := range effects {
			if e.Version >= p.Version {
				return nil
			}
		}
		if err := j.effect(ctx, tx, p); err != nil {
			return err
		}
		effects, err = effectsOf(ctx, tx, p.TopicID, p.Partition)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("schedule version %d of %s: %w", p.Version, p.BatchID, err)
	}
	return effects, nil
}

// effect notes that p.Version is in force from p.First on.
func (j *Journal) effect(ctx context.Context, tx *sql.Tx, p mulu.Plan) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO ingest_effect (topic_id, part, version, topic, dataset, from_offset, decided_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (topic_id, part, version) DO UPDATE SET from_offset = excluded.from_offset, decided_at = excluded.decided_at`,
		p.TopicID.String(), p.Partition, int64(p.Version), p.Topic, string(p.Dataset), p.First, store.Micros(j.now()))
	return err
}

// agree checks a new plan against the versions in force. The first plan of a
// partition brings its version into force.
func (j *Journal) agree(ctx context.Context, tx *sql.Tx, p mulu.Plan) error {
	effects, err := effectsOf(ctx, tx, p.TopicID, p.Partition)
	if err != nil {
		return err
	}
	version, until := inForce(effects, p.First)
	switch {
	case version == 0:
		return j.effect(ctx, tx, p)
	case version != p.Version || p.Last >= until:
		return fmt.Errorf("version %d is in force from offset %d to %d, the plan is of version %d: %w", version, p.First, until-1, p.Version, mulu.ErrConflict)
	}
	return nil
}
