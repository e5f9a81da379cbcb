// Package outbox carries commands from the control store to the chain. A room
// puts a command in the same SQL transaction as its own pending state; the relay
// submits in the order of Put and, in the SQL transaction that marks the command
// answered, calls the room back with the chain's answer. Whatever crashes between,
// the command is still pending and is submitted again under the same id, which the
// chain answers with the first result (design invariant 7).
package outbox

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
	"mulu/ledger/contract"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the outbox's tables up to date.
func Migrate(ctx context.Context, db *store.DB) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrate outbox: %w", err)
	}
	return db.Migrate(ctx, "outbox", sub)
}

// Put records a signed command for the relay, in the caller's transaction. The
// same command again changes nothing; another command under the same id is
// mulu.ErrConflict. A command the chain would refuse by its form is refused here,
// before the room's state is committed.
func Put(ctx context.Context, tx *sql.Tx, c contract.Command) error {
	body, err := c.Check()
	if err != nil {
		return fmt.Errorf("put command %s: %w", c.ID, err)
	}
	if len(c.Sig) == 0 {
		return fmt.Errorf("put command %s: not signed: %w", c.ID, mulu.ErrInvalid)
	}
	raw, err := c.Canonical()
	if err != nil {
		return fmt.Errorf("put command %s: %w", c.ID, err)
	}
	var before string
	err = tx.QueryRowContext(ctx, `SELECT command FROM outbox WHERE id = $1`, c.ID).Scan(&before)
	switch {
	case err == nil && before == string(raw):
		return nil
	case err == nil:
		return fmt.Errorf("put command %s: the id carries another command: %w", c.ID, mulu.ErrConflict)
	case !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("put command %s: %w", c.ID, err)
	}
	// The counter's row lock makes the order of numbers the order of commits, so
	// the relay never sees 8 before 7.
	var seq int64
	if err := tx.QueryRowContext(ctx, `UPDATE outbox_counter SET n = n + 1 WHERE name = 'seq' RETURNING n`).Scan(&seq); err != nil {
		return fmt.Errorf("put command %s: %w", c.ID, err)
	}
	object, id := body.On()
	_, err = tx.ExecContext(ctx, `INSERT INTO outbox (seq, id, kind, subject, actor, command, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		seq, c.ID, string(c.Kind), contract.Key(object, id), c.Actor, string(raw), c.At)
	if store.IsUnique(err) {
		return fmt.Errorf("put command %s: %w", c.ID, mulu.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("put command %s: %w", c.ID, err)
	}
	return nil
}

// States of a row.
const (
	StatePending = "pending" // 待上链
	StateDone    = "done"    // 已确认
	StateRefused = "refused" // 链上拒绝
)

// Item is one command of the outbox, for pages.
type Item struct {
	Seq       int64
	ID        string
	Kind      contract.Kind
	Subject   string // "<object>/<id>"
	Actor     string
	At        time.Time
	State     string
	Answered  time.Time     // zero while pending
	Age       time.Duration // pending: how long it has waited
	Index     int64         // position on the chain, -1 if not accepted
	Code      contract.Code // refusal
	Message   string
	Attempts  int64
	LastError string // why it still waits
}

const columns = `seq, id, kind, subject, actor, at, state, answered_at, idx, code, message, attempts, last_error`

// Pending lists what waits for the chain, oldest first, at most limit.
func (r *Relay) Pending(ctx context.Context, limit int) ([]Item, error) {
	return r.list(ctx, `SELECT `+columns+` FROM outbox WHERE state = 'pending' ORDER BY seq LIMIT $1`, limit)
}

// RefusedLast lists the newest refusals, at most limit.
func (r *Relay) RefusedLast(ctx context.Context, limit int) ([]Item, error) {
	return r.list(ctx, `SELECT `+columns+` FROM outbox WHERE state = 'refused' ORDER BY seq DESC LIMIT $1`, limit)
}

// Accepted lists commands the chain accepted, in the order they were put, after a
// sequence number (0 from the beginning): to compare both sides.
func (r *Relay) Accepted(ctx context.Context, after int64, limit int) ([]Item, error) {
	return r.list(ctx, `SELECT `+columns+` FROM outbox WHERE state = 'done' AND seq > $1 ORDER BY seq LIMIT $2`, after, limit)
}

// Of lists the commands about one object ("<object>/<id>"), oldest first.
func (r *Relay) Of(ctx context.Context, subject string) ([]Item, error) {
	return r.list(ctx, `SELECT `+columns+` FROM outbox WHERE subject = $1 ORDER BY seq`, subject)
}

func (r *Relay) list(ctx context.Context, query string, args ...any) ([]Item, error) {
	rows, err := r.db.Read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list outbox: %w", err)
	}
	defer rows.Close()
	var items []Item
	for rows.Next() {
		var i Item
		var at, answered int64
		if err := rows.Scan(&i.Seq, &i.ID, &i.Kind, &i.Subject, &i.Actor, &at, &i.State, &answered, &i.Index, &i.Code, &i.Message, &i.Attempts, &i.LastError); err != nil {
			return nil, fmt.Errorf("list outbox: %w", err)
		}
		i.At, i.Answered = store.FromMicros(at), store.FromMicros(answered)
		if i.State == StatePending {
			i.Age = max(0, r.now().Sub(i.At))
		}
		items = append(items, i)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list outbox: %w", err)
	}
	return items, nil
}
