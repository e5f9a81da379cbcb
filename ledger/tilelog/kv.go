package tilelog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // driver "sqlite"

	"mulu/internal/store"
	"mulu/ledger"
	"mulu/ledger/contract"
)

const schema = `
CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS applied (
    idx INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    object TEXT NOT NULL, object_id TEXT NOT NULL, actor TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS registered (actor TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (actor, idx)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (k TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;`

// kv is the contract's state and the index of commands. The log is the authority
// and is on disk first; WAL with synchronous NORMAL may lose the newest commits
// with the power, never tear them, and Open replays what is missing.
type kv struct {
	write, read *sql.DB
	get, find   *sql.Stmt
	hot         sync.Map // committed values of the chain and of actors: every command asks for them
}

func isHot(key string) bool {
	return strings.HasPrefix(key, string(contract.Actors)+"/") || strings.HasPrefix(key, string(contract.Chain)+"/")
}

func openKV(ctx context.Context, path string) (*kv, error) {
	q := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(10000)"}, "_txlock": {"immediate"}}
	dsn := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + q.Encode()
	write, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open ledger state: %w", err)
	}
	write.SetMaxOpenConns(1)
	s := &kv{write: write}
	if _, err = write.ExecContext(ctx, schema); err == nil {
		if s.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err == nil {
			s.read.SetMaxOpenConns(4)
			s.read.SetMaxIdleConns(4)
			if s.get, err = s.read.PrepareContext(ctx, `SELECT v FROM kv WHERE k = $1`); err == nil {
				s.find, err = s.read.PrepareContext(ctx, `SELECT idx FROM applied WHERE id = $1`)
			}
		}
	}
	if err != nil {
		s.close() //nolint:errcheck // the opening error is the one to tell
		return nil, fmt.Errorf("open ledger state: %w", err)
	}
	return s, nil
}

func (s *kv) close() error {
	err := s.write.Close()
	if s.read != nil {
		err = errors.Join(err, s.read.Close())
	}
	return err
}

// value returns the committed value of a key, nil if absent.
func (s *kv) value(ctx context.Context, key string) ([]byte, error) {
	if v, ok := s.hot.Load(key); ok {
		return v.([]byte), nil
	}
	var b []byte
	err := s.get.QueryRowContext(ctx, key).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ledger state %s: %w", key, err)
	}
	if isHot(key) {
		// An older value read beside a commit does not win: commit stores after it,
		// or has stored already and LoadOrStore leaves that.
		v, _ := s.hot.LoadOrStore(key, b)
		return v.([]byte), nil
	}
	return b, nil
}

// index returns where a command stands in the log.
func (s *kv) index(ctx context.Context, id string) (idx uint64, found bool, err error) {
	err = s.find.QueryRowContext(ctx, id).Scan(&idx)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("find command %s: %w", id, err)
	}
	return idx, true, nil
}

// size is how many log entries the state contains.
func (s *kv) size(ctx context.Context) (uint64, error) {
	var n uint64
	err := s.read.QueryRowContext(ctx, `SELECT n FROM meta WHERE k = 'size'`).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read ledger state size: %w", err)
	}
	return n, nil
}

// registration returns the newest registration of an actor below an index.
func (s *kv) registration(ctx context.Context, actor string, below uint64) (idx uint64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT idx FROM registered WHERE actor = $1 AND idx < $2 ORDER BY idx DESC LIMIT 1`, actor, below).Scan(&idx)
	if err != nil {
		return 0, fmt.Errorf("find registration of %s: %w", actor, err)
	}
	return idx, nil
}

func (s *kv) recent(ctx context.Context, n int) ([]ledger.Record, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT idx, id, kind, object, object_id, actor, at FROM applied ORDER BY idx DESC LIMIT $1`, n)
	if err != nil {
		return nil, fmt.Errorf("list commands: %w", err)
	}
	defer rows.Close()
	var list []ledger.Record
	for rows.Next() {
		var r ledger.Record
		var at int64
		if err := rows.Scan(&r.Index, &r.ID, &r.Kind, &r.Object, &r.Key, &r.Actor, &at); err != nil {
			return nil, fmt.Errorf("list commands: %w", err)
		}
		r.At = store.FromMicros(at)
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list commands: %w", err)
	}
	return list, nil
}

// entry is a command that stands at an index of the log.
type entry struct {
	idx    uint64
	c      contract.Command
	raw    []byte
	result contract.Result
}

// commit writes what a run of entries did, and how far the state now reaches, in
// one transaction. A crash before it leaves the log ahead; Open replays.
func (s *kv) commit(ctx context.Context, o *overlay, entries []entry, size uint64) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("commit ledger state: %w", err)
		}
	}()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it says ErrTxDone
	put, err := tx.PrepareContext(ctx, `INSERT INTO kv (k, v) VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v`)
	if err != nil {
		return err
	}
	defer put.Close()
	for _, k := range o.order {
		if _, err := put.ExecContext(ctx, k, o.group[k]); err != nil {
			return err
		}
	}
	app, err := tx.PrepareContext(ctx, `INSERT INTO applied (idx, id, kind, object, object_id, actor, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`)
	if err != nil {
		return err
	}
	defer app.Close()
	for _, e := range entries {
		if _, err := app.ExecContext(ctx, int64(e.idx), e.c.ID, string(e.c.Kind), string(e.result.Object), e.result.ID, e.c.Actor, e.c.At); err != nil { //nolint:gosec // an index never reaches 2^63
			return err
		}
		if e.c.Kind == contract.ActorRegister {
			if _, err := tx.ExecContext(ctx, `INSERT INTO registered (actor, idx) VALUES ($1, $2)`, e.result.ID, int64(e.idx)); err != nil { //nolint:gosec // as above
				return err
			}
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO meta (k, n) VALUES ('size', $1) ON CONFLICT (k) DO UPDATE SET n = excluded.n`, int64(size)); err != nil { //nolint:gosec // as above
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, k := range o.order {
		if isHot(k) {
			s.hot.Store(k, o.group[k])
		}
	}
	return nil
}

// overlay is the committed state with the puts of the group under way on top.
// A refused command's puts never reach the group.
type overlay struct {
	ctx   context.Context
	base  *kv
	group map[string][]byte
	order []string // keys of group, in the order first put
	puts  []string // of the command being applied
	vals  map[string][]byte
}

func newOverlay(ctx context.Context, base *kv) *overlay {
	return &overlay{ctx: ctx, base: base, group: map[string][]byte{}, vals: map[string][]byte{}}
}

func (o *overlay) Get(key string) ([]byte, error) {
	if v, ok := o.group[key]; ok {
		return v, nil
	}
	return o.base.value(o.ctx, key)
}

func (o *overlay) Put(key string, value []byte) error {
	if _, ok := o.vals[key]; !ok {
		o.puts = append(o.puts, key)
	}
	o.vals[key] = value
	return nil
}

// try runs the contract. It says whether the command is new: an accepted one that
// puts nothing was accepted before.
func (o *overlay) try(p *contract.Prepared) (r contract.Result, isNew bool, err error) {
	o.puts = o.puts[:0]
	clear(o.vals)
	r, err = p.Apply(o, contract.Tx{Time: p.Command.At})
	return r, len(o.puts) > 0, err
}

// keep takes the puts of the last try into the group.
func (o *overlay) keep() {
	for _, k := range o.puts {
		if _, ok := o.group[k]; !ok {
			o.order = append(o.order, k)
		}
		o.group[k] = o.vals[k]
	}
}
