package ingest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
)

// Withdrawal is a batch that was taken back, or is about to be, as the journal
// keeps it.
type Withdrawal struct {
	mulu.Withdrawal
	Rows     int64 // rows of the batch
	Keys     int64 // keys it was seen by
	Restored int64 // of those, keys that an earlier version came back for
	Notices  int64 // holders told
	Done     time.Time
}

// WithdrawalID names the withdrawal of a batch.
func WithdrawalID(id mulu.BatchID) string {
	return fmt.Sprintf("W-%s-%d-%d", id.TopicID.String()[:8], id.Partition, id.First)
}

// PlanWithdrawal records that a batch is about to be taken back. mulu.ErrConflict
// says that it is still being stored, was withdrawn before, or that a reject of it is
// being replayed. After it no reject of the batch can be replayed.
func (j *Journal) PlanWithdrawal(ctx context.Context, w Withdrawal) error {
	err := j.db.Tx(ctx, func(tx *sql.Tx) error { return planWithdrawal(ctx, tx, &w) })
	if store.IsUnique(err) {
		err = fmt.Errorf("批次 %s 已撤回过 (withdrawn before): %w", w.Batch, mulu.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("plan withdrawal of %s: %w", w.Batch, err)
	}
	return nil
}

func planWithdrawal(ctx context.Context, tx *sql.Tx, w *Withdrawal) error {
	id := w.Batch.TopicID.String()
	if why, err := unfinished(ctx, tx, w.Batch.TopicID, w.Batch.Partition, w.Batch.Last); err != nil {
		return err
	} else if why != "" {
		return fmt.Errorf("%s: %w", why, mulu.ErrConflict)
	}
	var replays int64
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM ingest_replay WHERE topic_id = $1 AND part = $2 AND batch_first = $3 AND done_at = 0`,
		id, w.Batch.Partition, w.Batch.First).Scan(&replays); err != nil {
		return err
	}
	if replays > 0 {
		return fmt.Errorf("该批次有 %d 条问题数据正在重放，请稍后再撤回 (replays under way): %w", replays, mulu.ErrConflict)
	}
	restore := 0
	if w.Restore {
		restore = 1
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO ingest_withdrawal (id, topic_id, part, first_offset, last_offset, topic, dataset, actor, reason, restore, landed_at, row_count, key_count, restored, planned_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		w.ID, id, w.Batch.Partition, w.Batch.First, w.Batch.Last, w.Batch.Topic, string(w.Dataset), w.Actor, w.Reason, restore, store.Micros(w.Landed), w.Rows, w.Keys, w.Restored, store.Micros(w.At))
	return err
}

// DoneWithdrawal closes a withdrawal after its rows are gone and its holders told.
// Done again is nil.
func (j *Journal) DoneWithdrawal(ctx context.Context, id string, notices int64) error {
	err := j.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE ingest_withdrawal SET done_at = $1, notices = $2 WHERE id = $3 AND done_at = 0`, store.Micros(j.now()), notices, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("close withdrawal %s: %w", id, err)
	}
	return nil
}

// OpenWithdrawals gives those that were planned and not done, oldest first.
func (j *Journal) OpenWithdrawals(ctx context.Context) ([]Withdrawal, error) {
	return j.withdrawals(ctx, `done_at = 0 ORDER BY planned_at, id`)
}

// Withdrawals gives at most limit withdrawals of a dataset, newest first; "" is all.
func (j *Journal) Withdrawals(ctx context.Context, dataset mulu.DatasetCode, limit int) ([]Withdrawal, error) {
	return j.withdrawals(ctx, `($1 = '' OR dataset = $1) ORDER BY planned_at DESC, id LIMIT $2`, string(dataset), limit)
}

// Withdrawal gives one by its id, or mulu.ErrNotFound.
func (j *Journal) Withdrawal(ctx context.Context, id string) (Withdrawal, error) {
	list, err := j.withdrawals(ctx, `id = $1`, id)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("withdrawal %s: %w", id, mulu.ErrNotFound)
	}
	if err != nil {
		return Withdrawal{}, err
	}
	return list[0], nil
}

// withdrawals reads withdrawals; cond is one of this package's own constants.
func (j *Journal) withdrawals(ctx context.Context, cond string, args ...any) ([]Withdrawal, error) {
	rows, err := j.db.Read.QueryContext(ctx, `SELECT id, topic_id, part, first_offset, last_offset, topic, dataset, actor, reason, restore, landed_at, row_count, key_count, restored, notices, planned_at, done_at
		FROM ingest_withdrawal WHERE `+cond, args...)
	if err != nil {
		return nil, fmt.Errorf("list withdrawals: %w", err)
	}
	defer rows.Close()
	var out []Withdrawal
	for rows.Next() {
		var w Withdrawal
		var topic string
		var restore, landed, planned, done int64
		err := rows.Scan(&w.ID, &topic, &w.Batch.Partition, &w.Batch.First, &w.Batch.Last, &w.Batch.Topic, (*string)(&w.Dataset), &w.Actor, &w.Reason, &restore, &landed,
			&w.Rows, &w.Keys, &w.Restored, &w.Notices, &planned, &done)
		if err == nil {
			w.Batch.TopicID, err = parseTopicID(topic)
		}
		if err != nil {
			return nil, fmt.Errorf("list withdrawals: %w", err)
		}
		w.Restore, w.Landed, w.At, w.Done = restore == 1, store.FromMicros(landed), store.FromMicros(planned), store.FromMicros(done)
		out = append(out, w)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list withdrawals: %w", err)
	}
	return out, nil
}

// PlannedAt says when a batch was planned; false if the journal no longer knows.
func (j *Journal) PlannedAt(ctx context.Context, id mulu.BatchID) (time.Time, bool, error) {
	var at int64
	err := j.db.Read.QueryRowContext(ctx, `SELECT planned_at FROM ingest_plan WHERE topic_id = $1 AND part = $2 AND first_offset = $3`, id.TopicID.String(), id.Partition, id.First).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("look up plan of %s: %w", id, err)
	}
	return store.FromMicros(at), true, nil
}
