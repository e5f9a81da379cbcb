package table

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
)

// State is what is known of one way beside its submissions.
type State struct {
	Slot    time.Time // the last time of the schedule that was done
	Tried   time.Time // when a run last began
	Failure string    // why the last run did not do all it should
	Asked   time.Time // a person wants it now
	AskedBy string
	Agreed  bool // and agrees that many rows are deleted
	Running bool // in some process
}

// State reads what is known of a way; the zero State if nothing is.
func (p *Puller) State(ctx context.Context, code mulu.DatasetCode, name string) (s State, err error) {
	var slot, tried, asked, agreed, lease int64
	err = p.db.Read.QueryRowContext(ctx, `SELECT slot, tried_at, failure, asked_at, asked_by, agreed, lease FROM ingest_table_state WHERE dataset = $1 AND name = $2`, string(code), name).
		Scan(&slot, &tried, &s.Failure, &asked, &s.AskedBy, &agreed, &lease)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read state of way %s/%s: %w", code, name, err)
	}
	s.Slot, s.Tried, s.Asked, s.Agreed = store.FromMicros(slot), store.FromMicros(tried), store.FromMicros(asked), agreed == 1
	s.Running = lease > store.Micros(p.now())
	return s, nil
}

// set changes a way's state, which is there after the first call.
func (p *Puller) set(ctx context.Context, code mulu.DatasetCode, name, what string, args ...any) (changed bool, err error) {
	err = p.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO ingest_table_state (dataset, name, slot, tried_at, failure, asked_at, asked_by, agreed, submission, progress, owner, lease)
			VALUES ($1, $2, 0, 0, '', 0, '', 0, '', '', '', 0) ON CONFLICT (dataset, name) DO NOTHING`, string(code), name); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE ingest_table_state SET `+what, append([]any{string(code), name}, args...)...)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		changed = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("keep state of way %s/%s: %w", code, name, err)
	}
	return changed, nil
}

// Ask notes that a person wants a table pulled now. agree says that they agree to the
// deletions that were withheld.
func (p *Puller) Ask(ctx context.Context, code mulu.DatasetCode, name, by string, agree bool) error {
	yes := 0
	if agree {
		yes = 1
	}
	_, err := p.set(ctx, code, name, `asked_at = $3, asked_by = $4, agreed = $5 WHERE dataset = $1 AND name = $2`, store.Micros(p.now()), by, yes)
	return err
}

// A lease keeps other processes on the same control store away while one pulls. It is a
// courtesy: were it broken, the broker would fence the older sender.
const (
	leaseTime  = 15 * time.Second
	leaseRenew = 4 * time.Second
)

func (p *Puller) lease(ctx context.Context, code mulu.DatasetCode, name string) (bool, error) {
	now := p.now()
	return p.set(ctx, code, name, `owner = $3, lease = $4 WHERE dataset = $1 AND name = $2 AND (owner = $3 OR lease < $5)`, p.owner, store.Micros(now.Add(leaseTime)), store.Micros(now))
}

// Alone says that no other process is on the control store: what a killed one held is free.
func (p *Puller) Alone(ctx context.Context) error {
	err := p.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE ingest_table_state SET lease = 0`)
		return err
	})
	if err != nil {
		return fmt.Errorf("free tables: %w", err)
	}
	return nil
}

// hold renews the lease until stop is called, which lets it go.
func (p *Puller) hold(code mulu.DatasetCode, name string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(leaseRenew)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_, _ = p.lease(ctx, code, name) // a lost lease is fenced, not prevented
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _ = p.set(ctx, code, name, `lease = 0 WHERE dataset = $1 AND name = $2 AND owner = $3`, p.owner) // it runs out by itself
	}
}

// known is what is remembered of one row.
type known struct {
	ID     string `json:"i"`
	Digest string `json:"d,omitempty"` // "" forgets it
	Mark   int64  `json:"m,omitempty"`
}

// memory is what is remembered of the rows of one way.
type memory struct {
	db      *store.DB
	dataset string
	name    string
}

const atOnce = 400 // values in one statement

// digests gives what is known of some rows.
func (m *memory) digests(ctx context.Context, ids []string) (map[string]string, error) {
	out := make(map[string]string, len(ids))
	for ; len(ids) > 0; ids = ids[min(atOnce, len(ids)):] {
		list, args := m.in(ids[:min(atOnce, len(ids))])
		rows, err := m.db.Read.QueryContext(ctx, `SELECT row_key, digest FROM ingest_table_row WHERE dataset = $1 AND name = $2 AND row_key IN (`+list+`)`, args...)
		if err != nil {
			return nil, fmt.Errorf("look up known rows: %w", err)
		}
		for rows.Next() {
			var id, d string
			if err := rows.Scan(&id, &d); err != nil {
				rows.Close() //nolint:errcheck // the error counts
				return nil, fmt.Errorf("look up known rows: %w", err)
			}
			out[id] = d
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("look up known rows: %w", err)
		}
	}
	return out, nil
}

func (m *memory) in(ids []string) (list string, args []any) {
	args = []any{m.dataset, m.name}
	b := make([]byte, 0, 6*len(ids))
	for i, id := range ids {
		args = append(args, id)
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "$%d", i+3)
	}
	return string(b), args
}

// saw notes that a run read rows which are as they were.
func (m *memory) saw(ctx context.Context, ids []string, run int64) error {
	err := m.db.Tx(ctx, func(tx *sql.Tx) error {
		for ; len(ids) > 0; ids = ids[min(atOnce, len(ids)):] {
			list, args := m.in(ids[:min(atOnce, len(ids))])
			if _, err := tx.ExecContext(ctx, fmt.Sprintf(`UPDATE ingest_table_row SET seen = $%d WHERE dataset = $1 AND name = $2 AND row_key IN (%s)`, len(args)+1, list), append(args, run)...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note rows that were read: %w", err)
	}
	return nil
}

// missing lists rows that the run did not read, in one order, after a key.
func (m *memory) missing(ctx context.Context, run int64, n int) ([]string, error) {
	ids, err := store.All(ctx, m.db.Read, store.One[string], `SELECT row_key FROM ingest_table_row WHERE dataset = $1 AND name = $2 AND seen < $3 ORDER BY seen, row_key LIMIT $4`, m.dataset, m.name, run, n)
	if err != nil {
		return nil, fmt.Errorf("list rows that are gone: %w", err)
	}
	return ids, nil
}

// count gives how many rows are known and how many of them the run did not read. Rows
// without a key are not counted: nothing of them is in the library.
func (m *memory) count(ctx context.Context, run int64) (all, gone int64, err error) {
	err = m.db.Read.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN seen < $3 THEN 1 ELSE 0 END), 0) FROM ingest_table_row
		WHERE dataset = $1 AND name = $2 AND row_key NOT LIKE 'none:%'`, m.dataset, m.name, run).Scan(&all, &gone)
	if err != nil {
		return 0, 0, fmt.Errorf("count known rows: %w", err)
	}
	return all, gone, nil
}

// forget removes what lies below a mark; all of it for the greatest number.
func (m *memory) forget(ctx context.Context, below int64) error {
	err := m.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM ingest_table_row WHERE dataset = $1 AND name = $2 AND mark < $3`, m.dataset, m.name, below)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget rows: %w", err)
	}
	return nil
}

// pend writes down what will be known once the chunk that ends at a cursor is sent.
func (m *memory) pend(ctx context.Context, submission, cursor string, rows []known) error {
	body, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	err = m.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO ingest_table_pending (submission, cursor, body) VALUES ($1, $2, $3)
			ON CONFLICT (submission) DO UPDATE SET cursor = $2, body = $3`, submission, cursor, string(body))
		return err
	})
	if err != nil {
		return fmt.Errorf("write down what is sent: %w", err)
	}
	return nil
}

// settle makes known what waits, if its chunk is on the broker: if sent is its cursor.
// What waits for a chunk that was never planned is dropped; its rows are read again.
func (m *memory) settle(ctx context.Context, submission, sent string, run int64) error {
	err := m.db.Tx(ctx, func(tx *sql.Tx) error {
		var cursor, body string
		err := tx.QueryRowContext(ctx, `SELECT cursor, body FROM ingest_table_pending WHERE submission = $1`, submission).Scan(&cursor, &body)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if cursor == sent {
			var rows []known
			if err := json.Unmarshal([]byte(body), &rows); err != nil {
				return err
			}
			if err := m.learn(ctx, tx, rows, run); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM ingest_table_pending WHERE submission = $1`, submission)
		return err
	})
	if err != nil {
		return fmt.Errorf("note what was sent: %w", err)
	}
	return nil
}

func (m *memory) learn(ctx context.Context, tx *sql.Tx, rows []known, run int64) error {
	put, err := tx.PrepareContext(ctx, `INSERT INTO ingest_table_row (dataset, name, row_key, digest, mark, seen) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (dataset, name, row_key) DO UPDATE SET digest = $4, mark = $5, seen = $6`)
	if err != nil {
		return err
	}
	defer put.Close()
	for _, k := range rows {
		if k.Digest == "" {
			_, err = tx.ExecContext(ctx, `DELETE FROM ingest_table_row WHERE dataset = $1 AND name = $2 AND row_key = $3`, m.dataset, m.name, k.ID)
		} else {
			_, err = put.ExecContext(ctx, m.dataset, m.name, k.ID, k.Digest, k.Mark, run)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
