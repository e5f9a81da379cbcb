package desk

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
	"mulu/quality/rows"
)

// Outcome is how a look at rows ended.
type Outcome string

// The outcomes. An open look whose process ended is told from one under way by its age:
// see Interrupted.
const (
	LookOpen      Outcome = "open"      // the engine is at it, nothing has left
	LookReady     Outcome = "ready"     // all rows are known, they may be leaving
	LookDelivered Outcome = "delivered" // all of them left
	LookAborted   Outcome = "aborted"   // the client went away: at most these left
	LookFailed    Outcome = "failed"    // nothing left
	LookDenied    Outcome = "denied"    // not admitted, no engine was asked
)

// Look is the trace of one look at the rows that break a rule: a page, or an export. It
// holds no row and no value of a person.
type Look struct {
	ID       string           `json:"id"`
	At       time.Time        `json:"at"`
	Actor    string           `json:"actor"`
	Org      mulu.OrgCode     `json:"org"`
	Role     mulu.Role        `json:"role"`
	Dataset  mulu.DatasetCode `json:"dataset"`
	Rule     mulu.RuleID      `json:"rule"`
	Ruleset  uint32           `json:"ruleset"`
	Form     string           `json:"form"` // "page", "csv", "xlsx", "rejects", "preview"
	Shown    rows.Shown       `json:"shown"`
	Reveal   bool             `json:"reveal"`
	Purpose  string           `json:"purpose"`
	Filter   json.RawMessage  `json:"filter"` // values of items of L3 and above are keyed digests
	Request  string           `json:"request"`
	Outcome  Outcome          `json:"outcome"`
	Rows     int64            `json:"rows"`
	Refused  int64            `json:"refused"`
	Bytes    int64            `json:"bytes"`
	Digest   string           `json:"digest"` // of an export
	Data     string           `json:"data"`   // state of the rows
	Reason   string           `json:"reason"` // of one that was denied or failed, Chinese
	ClosedAt time.Time        `json:"closed_at"`
}

// interruptedAfter is longer than any look may take.
const interruptedAfter = time.Hour

// Interrupted says that the process ended before the look did: at most Rows left.
func (l *Look) Interrupted(now time.Time) bool {
	return (l.Outcome == LookOpen || l.Outcome == LookReady) && now.Sub(l.At) > interruptedAfter
}

// OpenLook writes a look down and names it. When it returns, the look is durable: rows
// may leave only after it.
func (d *Desk) OpenLook(ctx context.Context, l *Look) error {
	var tail [6]byte
	rand.Read(tail[:]) //nolint:errcheck // never fails
	l.ID = fmt.Sprintf("L%016x-%s", store.Micros(l.At), hex.EncodeToString(tail[:]))
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("open look at %s of %s: %w", l.Rule, l.Dataset, err)
	}
	err = d.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO quality_look (id, at, actor, org, role, dataset, rule, form, shown, outcome, rows_out, closed, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			l.ID, store.Micros(l.At), l.Actor, string(l.Org), string(l.Role), string(l.Dataset), string(l.Rule), l.Form, string(l.Shown), string(l.Outcome), l.Rows+l.Refused, store.Micros(l.ClosedAt), string(body))
		return err
	})
	if err != nil {
		return fmt.Errorf("open look at %s of %s: %w", l.Rule, l.Dataset, err)
	}
	return nil
}

// SaveLook writes down how far a look has come. One that is closed is never changed.
func (d *Desk) SaveLook(ctx context.Context, l *Look) error {
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("save look %s: %w", l.ID, err)
	}
	err = d.db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE quality_look SET outcome = $1, rows_out = $2, closed = $3, body = $4 WHERE id = $5 AND closed = 0`,
			string(l.Outcome), l.Rows+l.Refused, store.Micros(l.ClosedAt), string(body), l.ID)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, fmt.Errorf("it is closed: %w", mulu.ErrConflict))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save look %s: %w", l.ID, err)
	}
	return nil
}

// Look is one look, or mulu.ErrNotFound.
func (d *Desk) Look(ctx context.Context, id string) (Look, error) {
	list, err := store.All(ctx, d.db.Read, scanLook, `SELECT body FROM quality_look WHERE id = $1`, id)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("没有查看记录 %q / no such look: %w", id, mulu.ErrNotFound)
	}
	if err != nil {
		return Look{}, err
	}
	return list[0], nil
}

// LookFilter narrows Looks; zero fields do not.
type LookFilter struct {
	Dataset mulu.DatasetCode
	Rule    mulu.RuleID
	Actor   string
	Org     mulu.OrgCode
	Before  string // id: looks older than it
}

// Looks are the newest looks, newest first.
func (d *Desk) Looks(ctx context.Context, f LookFilter, limit int) ([]Look, error) {
	list, err := store.All(ctx, d.db.Read, scanLook, `SELECT body FROM quality_look WHERE ($1 = '' OR dataset = $1) AND ($2 = '' OR rule = $2) AND ($3 = '' OR actor = $3) AND ($4 = '' OR org = $4)
		AND ($5 = '' OR id < $5) ORDER BY id DESC LIMIT $6`, string(f.Dataset), string(f.Rule), f.Actor, string(f.Org), f.Before, limit)
	if err != nil {
		return nil, fmt.Errorf("list looks: %w", err)
	}
	return list, nil
}

func scanLook(r store.Row) (l Look, err error) {
	var body string
	if err := r.Scan(&body); err != nil {
		return l, err
	}
	return l, json.Unmarshal([]byte(body), &l)
}
