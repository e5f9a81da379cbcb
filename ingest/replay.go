package ingest

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
)

// Replay is one reject on its way into the library after it was mended.
type Replay struct {
	Row     mulu.RowID
	Dataset mulu.DatasetCode
	First   int64  // first offset of the batch it was rejected from
	Last    int64  // and last; known to PlanReplays alone
	Version uint32 // dataset version that decodes and judges it
	Edited  bool   // Value takes the place of the original bytes
	Value   []byte
	Actor   string
	Why     string
	At      time.Time // when it was planned
}

// PlanReplays records that the given rows are about to be stored. One that may not
// be is left out and refused with a reason in Chinese: it was replayed before,
// somebody is at it, its batch is still being stored or was withdrawn.
//
// A crash after it leaves open replays, which OpenReplays returns.
func (j *Journal) PlanReplays(ctx context.Context, list []Replay) (refused map[mulu.RowID]string, err error) {
	err = j.db.Tx(ctx, func(tx *sql.Tx) error {
		refused = map[mulu.RowID]string{}
		for i := range list {
			why, err := planReplay(ctx, tx, &list[i])
			if err != nil {
				return err
			}
			if why != "" {
				refused[list[i].Row] = why
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("plan replays: %w", err)
	}
	return refused, nil
}

func planReplay(ctx context.Context, tx *sql.Tx, r *Replay) (refused string, err error) {
	id := r.Row.TopicID.String()
	if why, err := unfinished(ctx, tx, r.Row.TopicID, r.Row.Partition, r.Last); why != "" || err != nil {
		return why, err
	}
	var one int
	err = tx.QueryRowContext(ctx, `SELECT 1 FROM ingest_withdrawal WHERE topic_id = $1 AND part = $2 AND first_offset = $3`, id, r.Row.Partition, r.First).Scan(&one)
	if err == nil {
		return "所在批次已撤回，无需重放", nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	edited := 0
	if r.Edited {
		edited = 1
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO ingest_replay (topic_id, part, record_offset, row_no, dataset, batch_first, version, edited, value, actor, why, planned_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (topic_id, part, record_offset, row_no) DO NOTHING`,
		id, r.Row.Partition, r.Row.Offset, r.Row.Row, string(r.Dataset), r.First, int64(r.Version), edited, base64.StdEncoding.EncodeToString(r.Value), r.Actor, r.Why, store.Micros(r.At))
	if err != nil {
		return "", err
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return "", err
	}
	var actor string
	var done int64
	err = tx.QueryRowContext(ctx, `SELECT actor, done_at FROM ingest_replay WHERE topic_id = $1 AND part = $2 AND record_offset = $3 AND row_no = $4`,
		id, r.Row.Partition, r.Row.Offset, r.Row.Row).Scan(&actor, &done)
	if done == 0 {
		return fmt.Sprintf("%s 正在重放这条数据", actor), err
	}
	return fmt.Sprintf("已由 %s 重放入库", actor), err
}

// unfinished says why what was planned up to an offset may not be corrected yet; ""
// if all of it is done.
func unfinished(ctx context.Context, tx *sql.Tx, topic mulu.TopicID, partition int32, last int64) (string, error) {
	var next int64
	// An update that changes nothing: a replay and a withdrawal of one partition, each
	// of which looks for the other, queue here.
	err := tx.QueryRowContext(ctx, `UPDATE ingest_position SET next_offset = next_offset WHERE topic_id = $1 AND part = $2 RETURNING next_offset`, topic.String(), partition).Scan(&next)
	if errors.Is(err, sql.ErrNoRows) || err == nil && next <= last {
		return "所在批次尚未入库完毕，请稍后再试", nil
	}
	return "", err
}

// OpenReplays gives the replays that were planned and not done, oldest first.
func (j *Journal) OpenReplays(ctx context.Context, limit int) ([]Replay, error) {
	rows, err := j.db.Read.QueryContext(ctx, `SELECT topic_id, part, record_offset, row_no, dataset, batch_first, version, edited, value, actor, why, planned_at
		FROM ingest_replay WHERE done_at = 0 ORDER BY planned_at, topic_id, part, record_offset, row_no LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("list open replays: %w", err)
	}
	defer rows.Close()
	var out []Replay
	for rows.Next() {
		var r Replay
		var id, value string
		var edited, version, planned int64
		err := rows.Scan(&id, &r.Row.Partition, &r.Row.Offset, &r.Row.Row, (*string)(&r.Dataset), &r.First, &version, &edited, &value, &r.Actor, &r.Why, &planned)
		if err == nil {
			r.Row.TopicID, err = parseTopicID(id)
		}
		if err == nil {
			r.Value, err = base64.StdEncoding.DecodeString(value)
		}
		if err != nil {
			return nil, fmt.Errorf("list open replays: %w", err)
		}
		r.Version, r.Edited, r.At = uint32(version), edited == 1, store.FromMicros(planned)
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list open replays: %w", err)
	}
	return out, nil
}

// DoneReplays closes replays after the library holds their rows and has closed their
// rejects. Done again is nil.
func (j *Journal) DoneReplays(ctx context.Context, list []mulu.RowID) error {
	return j.eachReplay(ctx, "close replays", list, `UPDATE ingest_replay SET done_at = $5, value = '' WHERE topic_id = $1 AND part = $2 AND record_offset = $3 AND row_no = $4 AND done_at = 0`,
		store.Micros(j.now()))
}

// DropReplays gives up open replays of which nothing was stored: they may be planned
// again.
func (j *Journal) DropReplays(ctx context.Context, list []mulu.RowID) error {
	return j.eachReplay(ctx, "drop replays", list, `DELETE FROM ingest_replay WHERE topic_id = $1 AND part = $2 AND record_offset = $3 AND row_no = $4 AND done_at = 0`)
}

func (j *Journal) eachReplay(ctx context.Context, what string, list []mulu.RowID, statement string, more ...any) error {
	if len(list) == 0 {
		return nil
	}
	err := j.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, r := range list {
			if _, err := tx.ExecContext(ctx, statement, append([]any{r.TopicID.String(), r.Partition, r.Offset, r.Row}, more...)...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
