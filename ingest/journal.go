package ingest

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"mulu"
	"mulu/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// keepPlans is how many done plans a partition keeps for people to look at; the
// manifests in the library are the full history.
const keepPlans = 1000

// Journal holds what was planned and what is done, per partition, in the control
// store. Every batch is planned here before anything is inserted, so that a crash
// at any later line gives the same batch again.
type Journal struct {
	db  *store.DB
	now func() time.Time
}

// NewJournal brings the journal's tables up to date.
func NewJournal(ctx context.Context, db *store.DB, now func() time.Time) (*Journal, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := db.Migrate(ctx, "ingest", sub); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &Journal{db: db, now: now}, nil
}

// Plan records that the range p is about to be stored. The same open plan again
// is a replay and returns nil. It returns mulu.ErrConflict, and the caller must
// store nothing, if the partition's position is not p.First (the range is done, or
// another owner has moved on), if another range is open, or if another version is
// in force there.
//
// A crash after Plan leaves an open plan: Resume returns it, and the next owner
// rebuilds exactly this range.
func (j *Journal) Plan(ctx context.Context, p mulu.Plan) error {
	if p.Last < p.First || p.First < 0 {
		return fmt.Errorf("plan batch %s: empty range: %w", p.BatchID, mulu.ErrInvalid)
	}
	err := j.db.Tx(ctx, func(tx *sql.Tx) error { return j.plan(ctx, tx, p) })
	if store.IsUnique(err) {
		err = fmt.Errorf("another owner planned first: %w", mulu.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("plan batch %s: %w", p.BatchID, err)
	}
	return nil
}

func (j *Journal) plan(ctx context.Context, tx *sql.Tx, p mulu.Plan) error {
	id, now := p.TopicID.String(), store.Micros(j.now())
	_, err := tx.ExecContext(ctx, `INSERT INTO ingest_position (topic_id, part, topic, dataset, next_offset, touched_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (topic_id, part) DO NOTHING`,
		id, p.Partition, p.Topic, string(p.Dataset), p.First, now)
	if err != nil {
		return err
	}
	// The update also locks the position, so that two owners queue here.
	res, err := tx.ExecContext(ctx, `UPDATE ingest_position SET touched_at = $1, dataset = $2
		WHERE topic_id = $3 AND part = $4 AND next_offset = $5 AND retired_at = 0`, now, string(p.Dataset), id, p.Partition, p.First)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return fmt.Errorf("the partition does not stand at offset %d: %w", p.First, mulu.ErrConflict)
	}
	open, err := openPlan(ctx, tx, p.TopicID, p.Partition)
	if err != nil {
		return err
	}
	if open != nil {
		if *open == p {
			return nil
		}
		return fmt.Errorf("range %d-%d of version %d is open: %w", open.First, open.Last, open.Version, mulu.ErrConflict)
	}
	if err := j.agree(ctx, tx, p); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO ingest_plan (topic_id, part, first_offset, last_offset, topic, dataset, version, planned_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, id, p.Partition, p.First, p.Last, p.Topic, string(p.Dataset), int64(p.Version), now)
	return err
}

// Done closes the plan of m and moves the partition to m.Last+1. It is called
// after the manifest is stored; a crash before it leaves the plan open and the
// batch is stored once more with the same effect. Done again is nil.
// mulu.ErrInvalid says that m does not balance, mulu.ErrConflict that no such
// plan is open.
func (j *Journal) Done(ctx context.Context, m mulu.Manifest) error {
	if !m.Balanced() {
		return fmt.Errorf("close batch %s: %d offsets but %d good, %d rejected, %d control: %w",
			m.BatchID, m.Last-m.First+1, m.Good, m.Rejected, m.Control, mulu.ErrInvalid)
	}
	if err := j.db.Tx(ctx, func(tx *sql.Tx) error { return j.done(ctx, tx, m) }); err != nil {
		return fmt.Errorf("close batch %s: %w", m.BatchID, err)
	}
	return nil
}

func (j *Journal) done(ctx context.Context, tx *sql.Tx, m mulu.Manifest) error {
	id, now := m.TopicID.String(), store.Micros(j.now())
	res, err := tx.ExecContext(ctx, `UPDATE ingest_plan SET done_at = $1, good = $2, rejected = $3, control = $4, bytes = $5, digest = $6
		WHERE topic_id = $7 AND part = $8 AND first_offset = $9 AND last_offset = $10 AND version = $11 AND done_at = 0`,
		now, m.Good, m.Rejected, m.Control, m.Bytes, m.Digest, id, m.Partition, m.First, m.Last, int64(m.Version))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return alreadyDone(ctx, tx, m)
	}
	var batches int64
	err = tx.QueryRowContext(ctx, `UPDATE ingest_position SET next_offset = $1, batches = batches + 1, good = good + $2,
		rejected = rejected + $3, control = control + $4, bytes = bytes + $5, touched_at = $6
		WHERE topic_id = $7 AND part = $8 AND next_offset = $9 RETURNING batches`,
		m.Last+1, m.Good, m.Rejected, m.Control, m.Bytes, now, id, m.Partition, m.First).Scan(&batches)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("the partition does not stand at offset %d: %w", m.First, mulu.ErrConflict)
	}
	if err != nil {
		return err
	}
	if batches%256 != 0 {
		return nil
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM ingest_plan WHERE topic_id = $1 AND part = $2 AND done_at > 0 AND first_offset <
		(SELECT first_offset FROM ingest_plan WHERE topic_id = $1 AND part = $2 ORDER BY first_offset DESC LIMIT 1 OFFSET $3)`,
		id, m.Partition, keepPlans)
	return err
}

// alreadyDone is nil if m was closed before with the same content.
func alreadyDone(ctx context.Context, tx *sql.Tx, m mulu.Manifest) error {
	var digest string
	err := tx.QueryRowContext(ctx, `SELECT digest FROM ingest_plan
		WHERE topic_id = $1 AND part = $2 AND first_offset = $3 AND last_offset = $4 AND done_at > 0`,
		m.TopicID.String(), m.Partition, m.First, m.Last).Scan(&digest)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("no such plan is open: %w", mulu.ErrConflict)
	case err != nil:
		return err
	case digest != m.Digest:
		return fmt.Errorf("closed before over other bytes (%s): %w", digest, mulu.ErrConflict)
	}
	return nil
}

// Resume says where a partition stands: the next offset to plan, -1 if it was
// never read, and the open plan if a batch is in doubt (then next is open.First).
func (j *Journal) Resume(ctx context.Context, topic mulu.TopicID, partition int32) (next int64, open *mulu.Plan, err error) {
	err = j.db.Tx(ctx, func(tx *sql.Tx) error {
		next, open, err = resume(ctx, tx, topic, partition)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("resume partition %s/%d: %w", topic, partition, err)
	}
	return next, open, nil
}

func resume(ctx context.Context, tx *sql.Tx, topic mulu.TopicID, partition int32) (next int64, open *mulu.Plan, err error) {
	err = tx.QueryRowContext(ctx, `SELECT next_offset FROM ingest_position WHERE topic_id = $1 AND part = $2 AND retired_at = 0`,
		topic.String(), partition).Scan(&next)
	if errors.Is(err, sql.ErrNoRows) {
		return -1, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	open, err = openPlan(ctx, tx, topic, partition)
	return next, open, err
}

func openPlan(ctx context.Context, tx *sql.Tx, topic mulu.TopicID, partition int32) (*mulu.Plan, error) {
	p := mulu.Plan{BatchID: mulu.BatchID{TopicID: topic, Partition: partition}}
	var version int64
	err := tx.QueryRowContext(ctx, `SELECT topic, first_offset, last_offset, dataset, version FROM ingest_plan
		WHERE topic_id = $1 AND part = $2 AND done_at = 0`, topic.String(), partition).
		Scan(&p.Topic, &p.First, &p.Last, (*string)(&p.Dataset), &version)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.Version = uint32(version)
	return &p, nil
}
