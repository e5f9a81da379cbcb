// Package catalog keeps the directory (目录): organisations, systems, duties,
// datasets in all their versions, catalogue entries and their way to the chain,
// the history of scores, and the anchors of batches. SQL holds the confirmed state
// and at most one pending command per object, both by the contract's transition
// table; the chain decides (design invariant 7).
package catalog

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"mulu"
	"mulu/internal/outbox"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Signer signs a command as the named actor. It is called inside a transaction of
// the control store, so it must not open another one for writing.
type Signer interface {
	Sign(ctx context.Context, actorID string, c *contract.Command) error
}

// Options are what a Catalog needs.
type Options struct {
	DB      *store.DB
	Signer  Signer
	Machine mulu.Actor // the data centre's own system: links, scores and batch anchors are signed by it
	Now     func() time.Time
	Log     *slog.Logger
	Wake    func() // called after a commit that put commands; nil for none
}

// Catalog is the directory. It is safe for use by several goroutines.
type Catalog struct {
	db      *store.DB
	signer  Signer
	machine mulu.Actor
	now     func() time.Time
	log     *slog.Logger
	wake    func()
}

// Open brings the tables up to date and returns the directory.
func Open(ctx context.Context, o Options) (*Catalog, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	if err := o.DB.Migrate(ctx, "catalog", sub); err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	c := &Catalog{db: o.DB, signer: o.Signer, machine: o.Machine, now: o.Now, log: o.Log, wake: o.Wake}
	if c.wake == nil {
		c.wake = func() {}
	}
	return c, nil
}

// querier is the part of *sql.DB and *sql.Tx that reading needs.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// put signs a command and hands it to the outbox in tx.
func (c *Catalog) put(ctx context.Context, tx *sql.Tx, actor mulu.Actor, id string, body contract.Body) error {
	cmd, err := contract.New(id, actor, c.now(), body)
	if err != nil {
		return err
	}
	if err := c.signer.Sign(ctx, actor.ID, &cmd); err != nil {
		return fmt.Errorf("sign command %s: %w", id, err)
	}
	return outbox.Put(ctx, tx, cmd)
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
