package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"mulu/internal/store"
	"mulu/ledger/contract"
)

// Ledger is the chain as the relay needs it: answers come in the order of the
// commands, and commands take effect in that order. An error of the call itself
// leaves every outcome unknown.
type Ledger interface {
	SubmitAll(ctx context.Context, cs []contract.Command) ([]contract.Answer, error)
}

// Confirm is a room's reaction to the chain's answer, inside the transaction that
// marks the command answered: r.Refusal is set, or r.State is the object's
// confirmed state and r.Index its position. It must use tx alone. An error rolls
// the mark back: the command is submitted again later and gets the same answer.
type Confirm func(ctx context.Context, tx *sql.Tx, c contract.Command, r contract.Result) error

// Outcome is the name some callers know a Confirm's result by.
type Outcome = contract.Result

const (
	roundSize  = 512         // the embedded ledger's largest group
	idlePoll   = time.Second // how late a Put without Wake is noticed
	minBackoff = 100 * time.Millisecond
	maxBackoff = 15 * time.Second
	flushPoll  = 10 * time.Millisecond
)

// Relay moves commands from the outbox to the chain. One relay per control store
// is enough; several do no harm, since answers are by id and a mark is taken once.
type Relay struct {
	db       *store.DB
	ledger   Ledger
	handlers map[string]Confirm
	log      *slog.Logger
	now      func() time.Time
	wake     chan struct{}
}

// NewRelay makes a relay. handlers is keyed by a whole kind ("grant.decide") or by
// its part before the dot ("grant"); the whole kind wins. A kind without a handler
// is only marked.
func NewRelay(db *store.DB, ledger Ledger, handlers map[string]Confirm, log *slog.Logger, now func() time.Time) *Relay {
	return &Relay{db: db, ledger: ledger, handlers: handlers, log: log, now: now, wake: make(chan struct{}, 1)}
}

// Wake tells the relay that something was put. Call it after the commit; a lost
// call costs at most a second.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// errLedger marks an error of the chain's side, after which hurrying is no use.
var errLedger = errors.New("chain unavailable")

// Run relays until ctx ends, and returns nil then.
func (r *Relay) Run(ctx context.Context) error {
	backoff := time.Duration(0)
	for ctx.Err() == nil {
		n, err := r.round(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			backoff = min(max(2*backoff, minBackoff), maxBackoff)
			r.log.WarnContext(ctx, "relay commands to the chain", "err", err, "retry_in", backoff)
			if errors.Is(err, errLedger) {
				sleep(ctx, backoff, nil)
			} else { // one room's Confirm fails: others must not wait for it
				sleep(ctx, backoff, r.wake)
			}
		default:
			backoff = 0
			if n == 0 {
				sleep(ctx, idlePoll, r.wake)
			}
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// Flush waits until nothing waits any more: what was put before the call, and
// what rooms put in turn while confirming it. Run must be running.
func (r *Relay) Flush(ctx context.Context) error {
	for {
		r.Wake()
		var left int64
		var why sql.NullString
		err := r.db.Read.QueryRowContext(ctx, `SELECT COUNT(*), MAX(last_error) FROM outbox WHERE state = 'pending'`).Scan(&left, &why)
		if err != nil {
			return fmt.Errorf("flush outbox: %w", err)
		}
		if left == 0 {
			return nil
		}
		sleep(ctx, flushPoll, nil)
		if ctx.Err() != nil {
			return fmt.Errorf("flush outbox: %d commands wait for the chain (%s): %w", left, why.String, ctx.Err())
		}
	}
}

// answered is a command with the chain's answer.
type answered struct {
	seq     int64
	subject string
	c       contract.Command
	result  contract.Result
}

// round submits what waits and confirms the answers. It returns how many were
// confirmed; an error says that some still wait.
func (r *Relay) round(ctx context.Context) (int, error) {
	waiting, err := r.take(ctx)
	if err != nil || len(waiting) == 0 {
		return 0, err
	}
	cs := make([]contract.Command, len(waiting))
	for i := range waiting {
		cs[i] = waiting[i].c
	}
	// A crash from here to the commit below leaves the commands pending though the
	// chain may hold them: they are submitted again and answered with the same index.
	answers, err := r.ledger.SubmitAll(ctx, cs)
	if err == nil && len(answers) != len(cs) {
		err = fmt.Errorf("%d answers to %d commands", len(answers), len(cs))
	}
	if err != nil {
		err = fmt.Errorf("submit %d commands: %w: %w", len(cs), errLedger, err)
		return 0, errors.Join(err, r.note(ctx, waiting, err))
	}
	var ready []answered
	var failed error
	stuck := map[string]bool{} // subjects whose earlier command is not settled
	for i, a := range answers {
		w := waiting[i]
		refusal := contract.AsRefusal(a.Err)
		switch {
		case a.Err != nil && refusal == nil:
			stuck[w.subject] = true
			err := fmt.Errorf("submit command %s: %w: %w", w.c.ID, errLedger, a.Err)
			failed = errors.Join(failed, err, r.note(ctx, waiting[i:i+1], err))
			continue
		case stuck[w.subject]:
			continue
		case refusal != nil && failed != nil:
			// It may be refused only because a command before it is not there yet.
			stuck[w.subject] = true
			continue
		case refusal != nil:
			w.result = contract.Result{Refusal: refusal}
			r.log.WarnContext(ctx, "chain refused command", "id", w.c.ID, "code", refusal.Code, "detail", refusal.Detail)
		default:
			w.result = a.Receipt.Result
			w.result.Index = a.Receipt.Index
		}
		ready = append(ready, w)
	}
	n, err := r.confirm(ctx, ready)
	return n, errors.Join(failed, err)
}

// take reads the oldest pending commands.
func (r *Relay) take(ctx context.Context) ([]answered, error) {
	rows, err := r.db.Read.QueryContext(ctx, `SELECT seq, subject, command FROM outbox WHERE state = 'pending' ORDER BY seq LIMIT $1`, roundSize)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	defer rows.Close()
	var list []answered
	for rows.Next() {
		var w answered
		var raw string
		if err := rows.Scan(&w.seq, &w.subject, &raw); err != nil {
			return nil, fmt.Errorf("read outbox: %w", err)
		}
		if w.c, err = contract.Parse([]byte(raw)); err != nil {
			return nil, fmt.Errorf("read outbox row %d: %w", w.seq, err)
		}
		list = append(list, w)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return list, nil
}

// confirm marks the answers in one transaction. If a room's Confirm fails it goes
// one by one, so that only that object's commands wait.
func (r *Relay) confirm(ctx context.Context, ready []answered) (int, error) {
	if len(ready) == 0 {
		return 0, nil
	}
	err := r.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, w := range ready {
			if err := r.settle(ctx, tx, w); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return len(ready), nil
	}
	if len(ready) == 1 {
		return 0, errors.Join(err, r.note(ctx, ready, err))
	}
	n := 0
	var failed error
	stuck := map[string]bool{}
	for i, w := range ready {
		if stuck[w.subject] {
			continue
		}
		if err := r.db.Tx(ctx, func(tx *sql.Tx) error { return r.settle(ctx, tx, w) }); err != nil {
			stuck[w.subject] = true
			failed = errors.Join(failed, err, r.note(ctx, ready[i:i+1], err))
			continue
		}
		n++
	}
	return n, failed
}

// settle marks one command and calls its room. A command that another relay has
// marked in the meantime is left alone.
func (r *Relay) settle(ctx context.Context, tx *sql.Tx, w answered) error {
	state, idx, refusal := StateDone, int64(w.result.Index), contract.Refusal{} //nolint:gosec // an index never reaches 2^63
	if w.result.Refusal != nil {
		state, idx, refusal = StateRefused, -1, *w.result.Refusal
	}
	res, err := tx.ExecContext(ctx, `UPDATE outbox SET state = $1, answered_at = $2, idx = $3, code = $4, message = $5, attempts = attempts + 1, last_error = ''
		WHERE seq = $6 AND state = 'pending'`, state, store.Micros(r.now()), idx, string(refusal.Code), refusal.Message, w.seq)
	if err != nil {
		return fmt.Errorf("mark command %s: %w", w.c.ID, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	room, _, _ := strings.Cut(string(w.c.Kind), ".")
	h := r.handlers[string(w.c.Kind)]
	if h == nil {
		h = r.handlers[room]
	}
	if h == nil {
		return nil
	}
	if err := h(ctx, tx, w.c, w.result); err != nil {
		return fmt.Errorf("confirm command %s: %w", w.c.ID, err)
	}
	return nil
}

// note remembers why commands still wait, for the pages.
func (r *Relay) note(ctx context.Context, list []answered, why error) error {
	text := why.Error()
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "")
	}
	return r.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, w := range list {
			if _, err := tx.ExecContext(ctx, `UPDATE outbox SET attempts = attempts + 1, last_error = $1 WHERE seq = $2 AND state = 'pending'`, text, w.seq); err != nil {
				return fmt.Errorf("note command %s: %w", w.c.ID, err)
			}
		}
		return nil
	})
}
