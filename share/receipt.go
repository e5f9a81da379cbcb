package share

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gowebpki/jcs"

	"mulu"
	"mulu/internal/spool"
	"mulu/internal/store"
	"mulu/ledger/contract"
	"mulu/plan"
)

// Outcome says how a read ended.
type Outcome string

// The outcomes of a read.
const (
	Open        Outcome = "open"
	Delivered   Outcome = "delivered"
	Denied      Outcome = "denied"      // not admitted: no engine was asked
	Refused     Outcome = "refused"     // admitted, but nothing was handed out (quota, size, revoked meanwhile)
	Failed      Outcome = "failed"      // the house failed before the first byte
	Aborted     Outcome = "aborted"     // the client went away while the result was on its way
	Interrupted Outcome = "interrupted" // the process ended; Rows is the most that may have left
)

// Receipt (共享日志) is the record of one read. The canonical JSON (RFC 8785) of a
// closed receipt is what the chain's Merkle root stands for, so closed ones never
// change. It holds no row and no personal value.
type Receipt struct {
	V            int               `json:"v"`
	ID           mulu.ReceiptID    `json:"id"`
	Grant        mulu.GrantID      `json:"grant"`
	GrantVersion int64             `json:"grant_version,omitempty"`
	Scenario     mulu.ScenarioCode `json:"scenario,omitempty"`
	Receiver     mulu.Division     `json:"receiver,omitempty"`
	Purpose      string            `json:"purpose,omitempty"`
	Actor        string            `json:"actor"`
	Org          mulu.OrgCode      `json:"org"`
	Role         mulu.Role         `json:"role"`
	RequestID    string            `json:"request_id,omitempty"`
	Format       string            `json:"format,omitempty"`
	Items        []string          `json:"items,omitempty"`
	Plan         string            `json:"plan,omitempty"`   // digest of what was asked of the library
	Scores       map[string]int64  `json:"scores,omitempty"` // dataset → basis points at the time
	OpenedAt     int64             `json:"opened_at"`        // Unix microseconds
	ClosedAt     int64             `json:"closed_at,omitempty"`
	Outcome      Outcome           `json:"outcome"`
	Reason       string            `json:"reason,omitempty"` // Chinese
	Rows         int64             `json:"rows"`
	Bytes        int64             `json:"bytes"`
	Digest       string            `json:"digest,omitempty"` // of the bytes delivered

	Anchor  string    `json:"-"` // id of the anchor it is under, "" before
	quality []Quality // of the walk
}

const receiptVersion = 1

func canonical(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("canonical JSON: %w", err)
	}
	if b, err = jcs.Transform(b); err != nil {
		return "", fmt.Errorf("canonical JSON: %w", err)
	}
	return string(b), nil
}

func (s *Service) newReceipt(ask Ask, a *admission) (*Receipt, error) {
	tail, err := randomID()
	if err != nil {
		return nil, fmt.Errorf("name receipt: %w", err)
	}
	us := store.Micros(a.now)
	r := &Receipt{
		V: receiptVersion, ID: mulu.ReceiptID(fmt.Sprintf("R%016x-%s", us, tail)), Grant: mulu.GrantID(clip(string(ask.Grant), 64)),
		Actor: ask.Actor.ID, Org: ask.Actor.Org.Code, Role: ask.Actor.Role, RequestID: clip(ask.RequestID, 100),
		Format: clip(a.format, 20), OpenedAt: us, Outcome: Open,
	}
	if a.grant.ID != "" {
		t := &a.grant.Terms
		r.GrantVersion, r.Scenario, r.Receiver, r.Purpose = t.Version, t.Scenario, t.Receiver, t.Purpose
		for _, it := range t.Items {
			r.Items = append(r.Items, it.Name)
		}
	}
	return r, nil
}

// open writes the receipt before the engine is asked, and the time it was opened
// at as the mark that time may not fall behind.
func (s *Service) open(ctx context.Context, ask Ask, a *admission, p plan.Plan) (*Receipt, error) {
	r, err := s.newReceipt(ask, a)
	if err != nil {
		return nil, err
	}
	if r.Plan, err = contract.DigestJSON(p); err != nil {
		return nil, fmt.Errorf("open receipt: %w", err)
	}
	r.quality = s.quality(ctx, a)
	for _, q := range r.quality {
		if q.Known {
			if r.Scores == nil {
				r.Scores = make(map[string]int64)
			}
			r.Scores[string(q.Dataset)] = basisPoints(q.Total)
		}
	}
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO share_clock (id, at) VALUES (1, $1)
			ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE excluded.at > share_clock.at`, r.OpenedAt); err != nil {
			return err
		}
		return s.insert(ctx, tx, r)
	})
	if err != nil {
		return nil, fmt.Errorf("open receipt: %w", err)
	}
	return r, nil
}

// refuse leaves the closed receipt of a read that was not admitted.
func (s *Service) refuse(ctx context.Context, ask Ask, a *admission) (mulu.ReceiptID, error) {
	r, err := s.newReceipt(ask, a)
	if err != nil {
		return "", err
	}
	r.Outcome, r.ClosedAt, r.Reason = Denied, r.OpenedAt, clip(failedOf(a.checks), 1000)
	return r.ID, s.DB.Tx(ctx, func(tx *sql.Tx) error { return s.insert(ctx, tx, r) })
}

func (s *Service) insert(ctx context.Context, tx *sql.Tx, r *Receipt) error {
	body, err := canonical(r)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO share_receipt (id, grant_id, scenario, org, actor, outcome, opened_at, closed_at, rows_out, body, process)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		r.ID, r.Grant, r.Scenario, r.Org, r.Actor, r.Outcome, r.OpenedAt, r.ClosedAt, r.Rows, body, s.process)
	return err
}

// save writes an open receipt's new content; a closed one is never touched.
func save(ctx context.Context, tx *sql.Tx, r *Receipt) error {
	body, err := canonical(r)
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, `UPDATE share_receipt SET outcome = $1, closed_at = $2, rows_out = $3, body = $4 WHERE id = $5 AND outcome = 'open'`,
		r.Outcome, r.ClosedAt, r.Rows, body, r.ID)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, fmt.Errorf("receipt %s is not open: %w", r.ID, mulu.ErrConflict))
	}
	return nil
}

// close ends the receipt even if the client is gone and its context with it.
func (s *Service) close(ctx context.Context, r *Receipt, out Outcome, reason string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	// A clock that stepped back during the read must not close before it opened.
	r.Outcome, r.Reason, r.ClosedAt = out, clip(reason, 1000), max(r.OpenedAt, store.Micros(s.Now()))
	if err := s.DB.Tx(ctx, func(tx *sql.Tx) error { return save(ctx, tx, r) }); err != nil {
		return fmt.Errorf("close receipt %s: %w", r.ID, err)
	}
	return nil
}

// giveUp closes the receipt of a read that went wrong, by what went wrong.
func (s *Service) giveUp(ctx context.Context, r *Receipt, why error) error {
	out, reason := Failed, "数据读取失败"
	var no refusal
	var denial *Denial
	switch {
	case errors.Is(why, errAborted), errors.Is(why, context.Canceled):
		out, reason = Aborted, "接收方中断，最多已送出所列行数"
	case errors.As(why, &no):
		out, reason = Refused, no.Error()
		why = denied("%w", why)
	case errors.As(why, &denial):
		out, reason = Refused, denial.Reason()
	}
	if out == Failed {
		r.Rows, r.Bytes, r.Digest = 0, 0, ""
		s.Log.ErrorContext(ctx, "shared read failed", "receipt", r.ID, "grant", r.Grant, "err", why)
	}
	return errors.Join(why, s.close(ctx, r, out, reason))
}

// Recover closes what a former process left open, as interrupted, and sweeps the
// spool. Call it once before the first Serve; one process serves a control store.
// It returns how many receipts it closed.
func (s *Service) Recover(ctx context.Context) (int, error) {
	if err := spool.Sweep(s.Spool); err != nil {
		return 0, fmt.Errorf("recover shares: %w", err)
	}
	left, err := receipts(ctx, s.DB.Read, `outcome = 'open' AND process <> $1 ORDER BY id`, s.process)
	if err != nil {
		return 0, fmt.Errorf("recover shares: %w", err)
	}
	for i := range left {
		if err := s.close(ctx, &left[i], Interrupted, "进程中断，最多已送出所列行数"); err != nil {
			return i, fmt.Errorf("recover shares: %w", err)
		}
	}
	return len(left), nil
}

// ReceiptFilter narrows Receipts; zero fields do not.
type ReceiptFilter struct {
	Grant    mulu.GrantID
	Scenario mulu.ScenarioCode
	Org      mulu.OrgCode
	Actor    string
	Outcome  Outcome
	From, To time.Time      // of opening, [From, To)
	Before   mulu.ReceiptID // the last id of the page before: lists go from new to old
	Limit    int            // 0 is 100, at most 1000
}

// Receipts lists receipts, newest first.
func (s *Service) Receipts(ctx context.Context, f ReceiptFilter) ([]Receipt, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	cond, args := []string{"1 = 1"}, []any{}
	add := func(on bool, c string, v any) {
		if on {
			args = append(args, v)
			cond = append(cond, fmt.Sprintf(c, len(args)))
		}
	}
	add(f.Grant != "", "grant_id = $%d", f.Grant)
	add(f.Scenario != "", "scenario = $%d", f.Scenario)
	add(f.Org != "", "org = $%d", f.Org)
	add(f.Actor != "", "actor = $%d", f.Actor)
	add(f.Outcome != "", "outcome = $%d", f.Outcome)
	add(!f.From.IsZero(), "opened_at >= $%d", store.Micros(f.From))
	add(!f.To.IsZero(), "opened_at < $%d", store.Micros(f.To))
	add(f.Before != "", "id < $%d", f.Before)
	args = append(args, min(f.Limit, 1000))
	all, err := receipts(ctx, s.DB.Read, strings.Join(cond, " AND ")+fmt.Sprintf(" ORDER BY id DESC LIMIT $%d", len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("list receipts: %w", err)
	}
	return all, nil
}

// Receipt returns one receipt.
func (s *Service) Receipt(ctx context.Context, id mulu.ReceiptID) (Receipt, error) {
	all, err := receipts(ctx, s.DB.Read, `id = $1`, id)
	if err == nil && len(all) == 0 {
		err = mulu.ErrNotFound
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("read receipt %s: %w", id, err)
	}
	return all[0], nil
}

// receipts reads receipts; cond is one of this package's own texts.
func receipts(ctx context.Context, q querier, cond string, args ...any) ([]Receipt, error) {
	rows, err := q.QueryContext(ctx, `SELECT body, anchor FROM share_receipt WHERE `+cond, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Receipt
	for rows.Next() {
		var r Receipt
		var body string
		if err := rows.Scan(&body, &r.Anchor); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			return nil, fmt.Errorf("decode receipt: %w", err)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}
