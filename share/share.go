// Package share is the way out: scenarios (应用场景), requests (共享申请), grants
// (场景授权), the walk that serves them, and the receipts (共享日志) every read
// leaves. It holds policy and never data: a grant and its scenario compile to a
// typed plan, and whoever implements Reader runs it.
//
// The chain decides. Tables here hold the state the chain confirmed and at most one
// pending command per object; both come from the contract's one transition table.
// What stops a share (suspend, terminate) works from the moment it is written.
package share

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/internal/store"
	"mulu/ledger/contract"
	"mulu/plan"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Reader runs a plan and writes its rows in a format; rows is how many it wrote.
// The scenario picks the key of token masks. Any error means that what was written
// is worth nothing. It must not keep an engine slot after it returns.
type Reader interface {
	Export(ctx context.Context, scenario mulu.ScenarioCode, p plan.Plan, format string, w io.Writer) (rows int64, err error)
}

// Scorer gives a dataset's latest quality score; false if it has none yet.
type Scorer interface {
	Score(ctx context.Context, dataset mulu.DatasetCode) (mulu.Score, bool, error)
}

// Signer puts the actor's signature on a command. It is called inside a write
// transaction and must not open another.
type Signer interface {
	Sign(ctx context.Context, actorID string, c *contract.Command) error
}

// Put hands a signed command to the relay inside the transaction of the change it
// tells of (outbox.Put).
type Put func(ctx context.Context, tx *sql.Tx, c contract.Command) error

// Options are what a Service stands on. All but those marked optional are needed.
type Options struct {
	DB       *store.DB
	Put      Put
	Signer   Signer
	Reader   Reader
	Scorer   Scorer // optional: without it deliveries say that quality is unknown
	Calendar *clock.Calendar
	System   mulu.Actor    // the data centre's own system: activates agreed grants and anchors receipts
	Division mulu.Division // of the district, six digits: part of every grant id
	Spool    string        // directory for results on their way out; made if absent, 0700
	MaxBytes int64         // most bytes of one result; 0 is 1 GiB
	Now      func() time.Time
	Log      *slog.Logger
}

// Service is the sharing desk. It is safe for concurrent use.
type Service struct {
	Options
	process string // names this process in the receipts it holds open
}

// clockSlack is how far the clock may step back without stopping shares: what a
// time daemon corrects.
const clockSlack = time.Second

// New brings the tables up to date and returns the desk. Call Recover before the
// first Serve.
func New(ctx context.Context, o Options) (*Service, error) {
	switch {
	case o.DB == nil, o.Put == nil, o.Signer == nil, o.Reader == nil, o.Calendar == nil, o.Now == nil, o.Log == nil:
		return nil, errors.New("open sharing desk: an option is missing")
	case o.System.ID == "" || o.System.Org.Kind != "center":
		return nil, errors.New("open sharing desk: the house's own system must belong to the data centre")
	case o.Spool == "":
		return nil, errors.New("open sharing desk: no spool directory")
	case len(o.Division) != 6:
		return nil, fmt.Errorf("open sharing desk: district %q is not six digits", o.Division)
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 1 << 30
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open sharing desk: %w", err)
	}
	if err := o.DB.Migrate(ctx, "share", sub); err != nil {
		return nil, err
	}
	id, err := randomID()
	if err != nil {
		return nil, fmt.Errorf("open sharing desk: %w", err)
	}
	return &Service{Options: o, process: id}, nil
}

func randomID() (string, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// next counts up a named counter; the number belongs to the transaction.
func next(ctx context.Context, tx *sql.Tx, name string) (int64, error) {
	var n int64
	err := tx.QueryRowContext(ctx, `INSERT INTO share_counter (name, n) VALUES ($1, 1)
		ON CONFLICT (name) DO UPDATE SET n = share_counter.n + 1 RETURNING n`, name).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", name, err)
	}
	return n, nil
}

// send signs a command of body and hands it to the relay in tx.
func (s *Service) send(ctx context.Context, tx *sql.Tx, id string, actor mulu.Actor, body contract.Body) error {
	c, err := contract.New(id, actor, s.Now(), body)
	if err != nil {
		return err
	}
	if err := s.Signer.Sign(ctx, actor.ID, &c); err != nil {
		return fmt.Errorf("sign command %s: %w", id, err)
	}
	if err := s.Put(ctx, tx, c); err != nil {
		return fmt.Errorf("queue command %s: %w", id, err)
	}
	return nil
}

// querier is what reading needs; both *sql.DB and *sql.Tx have it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// invalid wraps a Chinese reason a person can act on.
func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, mulu.ErrInvalid)...)
}

func denied(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, mulu.ErrDenied)...)
}

func busy(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, mulu.ErrBusy)...)
}
