// Package desk keeps what people and runs leave about quality in the control store:
// results of runs, drafts of rules, profiles. Scores stay with the catalogue, rows and
// flags with the library.
package desk

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"mulu/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Desk reads and writes them. It is safe for concurrent use.
type Desk struct{ db *store.DB }

// Open brings the desk's tables up to date.
func Open(ctx context.Context, db *store.DB) (*Desk, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err == nil {
		err = db.Migrate(ctx, "quality", sub)
	}
	if err != nil {
		return nil, fmt.Errorf("open quality desk: %w", err)
	}
	return &Desk{db: db}, nil
}
