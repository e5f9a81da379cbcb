package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Level is which earlier versions a new one must get on with, and in which direction.
type Level string

// The levels, as Confluent's registry names them.
const (
	None               Level = "NONE"
	Backward           Level = "BACKWARD"
	BackwardTransitive Level = "BACKWARD_TRANSITIVE"
	Forward            Level = "FORWARD"
	ForwardTransitive  Level = "FORWARD_TRANSITIVE"
	Full               Level = "FULL"
	FullTransitive     Level = "FULL_TRANSITIVE"
)

var levels = []Level{None, Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive}

// ParseLevel reads a level, in either case.
func ParseLevel(s string) (Level, error) {
	l := Level(strings.ToUpper(s))
	if !slices.Contains(levels, l) {
		return "", refuse(codeBadLevel, "Invalid compatibility level '%s'. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive / 兼容性应为其中之一", s)
	}
	return l, nil
}

// backward says whether new must read what old wrote, forward the other way round.
func (l Level) backward() bool { return strings.HasPrefix(string(l), "BACKWARD") || l.full() }
func (l Level) forward() bool  { return strings.HasPrefix(string(l), "FORWARD") || l.full() }
func (l Level) full() bool     { return strings.HasPrefix(string(l), "FULL") }
func (l Level) all() bool      { return strings.HasSuffix(string(l), "_TRANSITIVE") }

// own gives a subject's own level, "" for none.
func own(ctx context.Context, q queryer, subject string) (l Level, err error) {
	err = q.QueryRowContext(ctx, `SELECT level FROM ingest_compatibility WHERE subject = $1`, subject).Scan((*string)(&l))
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read compatibility of %q: %w", subject, err)
	}
	return l, nil
}

// levelOf is the level that holds for a subject: its own, or everybody's.
func levelOf(ctx context.Context, q queryer, subject string) (Level, error) {
	for _, s := range []string{subject, ""} {
		if l, err := own(ctx, q, s); l != "" || err != nil {
			return l, err
		}
	}
	return Backward, nil
}

// Level gives the level that holds for a subject, "" for everybody's. With own it is
// the subject's own, and there may be none (40408).
func (d *Desk) Level(ctx context.Context, subject string, owned bool) (Level, error) {
	if !owned || subject == "" {
		return levelOf(ctx, d.db.Read, subject)
	}
	l, err := own(ctx, d.db.Read, subject)
	if err == nil && l == "" {
		return "", refuse(codeNoLevel, "Subject '%s' does not have subject-level compatibility configured / 该模式名没有单独设定兼容性", subject)
	}
	return l, err
}

// SetLevel sets the level of a subject, "" for everybody's.
func (d *Desk) SetLevel(ctx context.Context, subject string, l Level) error {
	return d.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO ingest_compatibility (subject, level) VALUES ($1, $2) ON CONFLICT (subject) DO UPDATE SET level = excluded.level`, subject, string(l))
		return err
	})
}

// DropLevel lets a subject have everybody's level again and returns the one it had.
func (d *Desk) DropLevel(ctx context.Context, subject string) (Level, error) {
	l, err := d.Level(ctx, subject, true)
	if err != nil {
		return "", err
	}
	return l, d.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM ingest_compatibility WHERE subject = $1`, subject)
		return err
	})
}
