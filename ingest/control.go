package ingest

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
)

// Pause is a dataset that a person has stopped for a while (暂停). What is on its way
// into the library is finished; nothing more is read until Unpause.
type Pause struct {
	Dataset mulu.DatasetCode
	Reason  string
	By      string
	At      time.Time
}

// Pause stops reading a dataset, in every process within a second or two. Pausing a
// paused dataset keeps the first word.
func (j *Journal) Pause(ctx context.Context, p Pause) error {
	err := j.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO ingest_pause (dataset, reason, decided_by, decided_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (dataset) DO NOTHING`, string(p.Dataset), p.Reason, p.By, store.Micros(j.now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("pause dataset %s: %w", p.Dataset, err)
	}
	return nil
}

// Unpause reads a dataset again from where it stands. mulu.ErrNotFound: it was not paused.
func (j *Journal) Unpause(ctx context.Context, code mulu.DatasetCode) error {
	err := j.db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM ingest_pause WHERE dataset = $1`, string(code))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("数据集 %s 没有暂停 / it is not paused: %w", code, mulu.ErrNotFound)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("resume dataset %s: %w", code, err)
	}
	return nil
}

// Pauses lists the paused datasets.
func (j *Journal) Pauses(ctx context.Context) ([]Pause, error) {
	rows, err := j.db.Read.QueryContext(ctx, `SELECT dataset, reason, decided_by, decided_at FROM ingest_pause ORDER BY dataset`)
	if err != nil {
		return nil, fmt.Errorf("list pauses: %w", err)
	}
	defer rows.Close()
	var out []Pause
	for rows.Next() {
		var p Pause
		var at int64
		if err := rows.Scan((*string)(&p.Dataset), &p.Reason, &p.By, &at); err != nil {
			return nil, fmt.Errorf("list pauses: %w", err)
		}
		p.At = store.FromMicros(at)
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list pauses: %w", err)
	}
	return out, nil
}

// reopen tells every process to judge the topic's stopped partitions anew.
func (j *Journal) reopen(ctx context.Context, tx *sql.Tx, topic, kind, detail, reason, by string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO ingest_reopen (topic, decided_at, kind, detail, reason, decided_by) VALUES ($1, $2, $3, $4, $5, $6)`,
		topic, store.Micros(j.now()), kind, detail, reason, by)
	return err
}

// reopened gives, for each topic put right after since, when that was.
func (j *Journal) reopened(ctx context.Context, since time.Time) (map[string]time.Time, error) {
	rows, err := j.db.Read.QueryContext(ctx, `SELECT topic, max(decided_at) FROM ingest_reopen WHERE decided_at > $1 GROUP BY topic`, store.Micros(since))
	if err != nil {
		return nil, fmt.Errorf("list reopened topics: %w", err)
	}
	defer rows.Close()
	out := map[string]time.Time{}
	for rows.Next() {
		var topic string
		var at int64
		if err := rows.Scan(&topic, &at); err != nil {
			return nil, fmt.Errorf("list reopened topics: %w", err)
		}
		out[topic] = store.FromMicros(at)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list reopened topics: %w", err)
	}
	return out, nil
}

// Kinds of notice.
const (
	NoticeUnknownField = "unknown_field" // subject is the field
	NoticeHeld         = "held"          // subject is topic/partition
	NoticeStopped      = "stopped"       // subject is topic/partition
)

// Notice tells the owner of a dataset what is odd about what it sends (告知). The same
// kind and subject again only moves Last.
type Notice struct {
	Dataset mulu.DatasetCode
	Kind    string
	Subject string
	Detail  string // Chinese, without personal values
	First   time.Time
	Last    time.Time
	Seen    time.Time // zero: nobody has since Last
	SeenBy  string
}

// Notice keeps a notice.
func (j *Journal) Notice(ctx context.Context, code mulu.DatasetCode, kind, subject, detail string) error {
	now := store.Micros(j.now())
	err := j.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO ingest_notice (dataset, kind, subject, detail, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $5)
			ON CONFLICT (dataset, kind, subject) DO UPDATE SET detail = excluded.detail, last_at = excluded.last_at`, string(code), kind, subject, detail, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep notice for dataset %s: %w", code, err)
	}
	return nil
}

// Notices lists the notices of a dataset, of all for "", the newest first, at most 500.
func (j *Journal) Notices(ctx context.Context, code mulu.DatasetCode) ([]Notice, error) {
	rows, err := j.db.Read.QueryContext(ctx, `SELECT dataset, kind, subject, detail, first_at, last_at, seen_at, seen_by FROM ingest_notice
		WHERE $1 = '' OR dataset = $1 ORDER BY last_at DESC, dataset, kind, subject LIMIT 500`, string(code))
	if err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	defer rows.Close()
	var out []Notice
	for rows.Next() {
		var n Notice
		var first, last, seen int64
		if err := rows.Scan((*string)(&n.Dataset), &n.Kind, &n.Subject, &n.Detail, &first, &last, &seen, &n.SeenBy); err != nil {
			return nil, fmt.Errorf("list notices: %w", err)
		}
		n.First, n.Last = store.FromMicros(first), store.FromMicros(last)
		if seen >= last {
			n.Seen = store.FromMicros(seen)
		} else {
			n.SeenBy = ""
		}
		out = append(out, n)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	return out, nil
}

// SeeNotice says that a person has read a notice. mulu.ErrNotFound: there is none.
func (j *Journal) SeeNotice(ctx context.Context, code mulu.DatasetCode, kind, subject, by string) error {
	err := j.db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE ingest_notice SET seen_at = $1, seen_by = $2 WHERE dataset = $3 AND kind = $4 AND subject = $5`,
			store.Micros(j.now()), by, string(code), kind, subject)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return mulu.ErrNotFound
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark notice %s %s of dataset %s: %w", kind, subject, code, err)
	}
	return nil
}
