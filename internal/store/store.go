// Package store opens the control store, SQLite or PostgreSQL, and runs each
// room's migrations. It knows no table: rooms own theirs. SQL that rooms write
// stays inside the subset both engines run the same: $1 parameters, ON CONFLICT,
// RETURNING, partial indexes, times as BIGINT Unix microseconds UTC, JSON as TEXT
// decoded in Go. Not: SKIP LOCKED, json_extract, ->>, CURRENT_TIMESTAMP.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// DB is the control store. Reads go through Read; every change through Tx.
type DB struct {
	Read    *sql.DB // reading pool
	write   *sql.DB // SQLite: exactly one connection, so that writers queue in Go and never see SQLITE_BUSY
	dialect database.Dialect
}

// Open opens "sqlite:PATH" (created if absent, WAL, synchronous FULL: a committed
// transaction survives power loss as far as the disk keeps its word) or a
// "postgres://" URL (15 or newer).
func Open(ctx context.Context, dsn string) (*DB, error) {
	switch {
	case strings.HasPrefix(dsn, "sqlite:"):
		return openSQLite(ctx, strings.TrimPrefix(dsn, "sqlite:"))
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		return openPostgres(ctx, dsn)
	}
	return nil, fmt.Errorf("open control store %q: want sqlite:PATH or postgres://…", dsn)
}

// idleInTx is how long a transaction may stand still before PostgreSQL ends it and
// lets its locks go. No callback of Tx waits for anything but the store, so only a
// process that is frozen or cut off stands still, and others must be able to take
// over from it.
const idleInTx = "10s"

func openPostgres(ctx context.Context, dsn string) (*DB, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("open control store: %w", err)
	}
	const limit = "idle_in_transaction_session_timeout"
	if cfg.RuntimeParams[limit] == "" { // the address may say otherwise
		cfg.RuntimeParams[limit] = idleInTx
	}
	db := stdlib.OpenDB(*cfg)
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("reach control store: %w", err)
	}
	return &DB{Read: db, write: db, dialect: database.DialectPostgres}, nil
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open control store: %w", err)
	}
	q := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "foreign_keys(1)"}, "_txlock": {"immediate"}}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
	write, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open control store: %w", err)
	}
	write.SetMaxOpenConns(1)
	if err := write.PingContext(ctx); err != nil {
		write.Close()
		return nil, fmt.Errorf("open control store %s: %w", path, err)
	}
	read, err := sql.Open("sqlite", dsn+"&_pragma=query_only(1)")
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("open control store: %w", err)
	}
	read.SetMaxOpenConns(8)
	return &DB{Read: read, write: write, dialect: database.DialectSQLite3}, nil
}

// Close closes both pools.
func (db *DB) Close() error {
	if db.Read == db.write {
		return db.write.Close()
	}
	return errors.Join(db.Read.Close(), db.write.Close())
}

// Tx runs f in one write transaction. f must use tx alone: asking Read for rows
// that f has just written would not see them, and asking for another Tx deadlocks.
// f's error rolls back and is returned as it is.
func (db *DB) Tx(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it says ErrTxDone
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Migrate brings one room's tables up to date. fsys holds goose files
// (00001_name.sql) at its root; each room counts its own versions.
func (db *DB) Migrate(ctx context.Context, room string, fsys fs.FS) error {
	s, err := database.NewStore(db.dialect, "migrated_"+room)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", room, err)
	}
	p, err := goose.NewProvider("", db.write, fsys, goose.WithStore(s), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate %s: %w", room, err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", room, err)
	}
	return nil
}

// IsUnique says whether err is a violated unique constraint, on either engine.
func IsUnique(err error) bool {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code() == sqlitelib.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlitelib.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505"
}

// Micros is how a time is stored; the zero time is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros is the inverse of Micros, in UTC.
func FromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// Row is a row that is read: *sql.Row and *sql.Rows.
type Row interface{ Scan(...any) error }

// Querier asks for rows: *sql.DB, for what is committed, and *sql.Tx.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// All runs a query and collects what scan reads from each row.
func All[T any](ctx context.Context, q Querier, scan func(Row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err below says what matters
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// One reads a row of one column.
func One[T any](r Row) (v T, err error) {
	err = r.Scan(&v)
	return v, err
}
