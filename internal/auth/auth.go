// Package auth knows who is who: accounts with passwords, sessions, API keys of
// systems, and the key each of them signs chain commands with. It decides nothing
// about what they may do: the policy table of httpapi and the rooms do.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"mulu"
	"mulu/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// How long a session lives: an office day's pause ends it, and so does a long day.
const (
	SessionIdle = 8 * time.Hour
	SessionMost = 12 * time.Hour
	seenEvery   = time.Minute // how exactly the pause is measured: not every click is a write
)

// Failures before an account is locked, and for how long: the lock doubles with each
// further failure, up to an hour, so that guessing is hopeless and nobody is shut
// out for a day by somebody else's guesses.
const (
	freeFailures = 5
	firstLock    = 30 * time.Second
	longestLock  = time.Hour
)

// Service is the house's register of people and systems.
type Service struct {
	db   *store.DB
	seal *sealer
	now  func() time.Time

	mu   sync.Mutex
	keys map[string]signer // opened chain keys, by actor id
}

// Open brings the tables up to date. keyFile seals private keys at rest; it is made
// at the first start (0600) and must be kept with the backups of the control store:
// without it no chain command can be signed.
func Open(ctx context.Context, db *store.DB, keyFile string, now func() time.Time) (*Service, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open auth: %w", err)
	}
	if err := db.Migrate(ctx, "auth", sub); err != nil {
		return nil, fmt.Errorf("open auth: %w", err)
	}
	var actors int
	if err := db.Read.QueryRowContext(ctx, `SELECT COUNT(*) FROM auth_actor`).Scan(&actors); err != nil {
		return nil, fmt.Errorf("open auth: %w", err)
	}
	seal, err := openSealer(keyFile, actors == 0)
	if err != nil {
		return nil, err
	}
	return &Service{db: db, seal: seal, now: now, keys: map[string]signer{}}, nil
}

// kinds of actor.
const (
	person = "person"
	system = "system"
	house  = "house"
)

// CreateAccount adds a person. The account's name is its id on the chain, so it must
// not be a personal identity number or a phone number. The error wraps
// mulu.ErrConflict if the name is taken and mulu.ErrInvalid if name or password will
// not do.
func (s *Service) CreateAccount(ctx context.Context, a mulu.Actor, password string) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	hash, err := hashPassword(password)
	if err != nil {
		return err
	}
	return s.create(ctx, a, person, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO auth_password (account, hash) VALUES ($1, $2)`, a.ID, hash)
		return err
	})
}

// EnsureActor adds one of the house's own actors (the chain's root, the anchoring
// system), which nobody signs in as, unless it is there.
func (s *Service) EnsureActor(ctx context.Context, a mulu.Actor) error {
	err := s.create(ctx, a, house, func(*sql.Tx) error { return nil })
	if errors.Is(err, mulu.ErrConflict) {
		return nil
	}
	return err
}

// CreateKey adds a system of an organisation and gives its first API key, which is
// shown this once: only its digest is kept. A zero expires is never.
func (s *Service) CreateKey(ctx context.Context, a mulu.Actor, expires time.Time) (secret string, err error) {
	a.Role = mulu.RoleSystem
	k := s.newKey(expires)
	err = s.create(ctx, a, system, func(tx *sql.Tx) error { return k.put(ctx, tx, a.ID) })
	return k.secret, err
}

// IssueKey gives a system that exists another API key, to change keys without a gap:
// the old one works until it is revoked.
func (s *Service) IssueKey(ctx context.Context, actorID string, expires time.Time) (secret string, err error) {
	a, err := s.Actor(ctx, actorID)
	if err == nil && a.Role != mulu.RoleSystem {
		err = fmt.Errorf("%s 不是信息系统: %w", actorID, mulu.ErrInvalid)
	}
	if err != nil {
		return "", fmt.Errorf("issue key: %w", err)
	}
	k := s.newKey(expires)
	if err := s.db.Tx(ctx, func(tx *sql.Tx) error { return k.put(ctx, tx, actorID) }); err != nil {
		return "", fmt.Errorf("issue key: %w", err)
	}
	return k.secret, nil
}

// apiKey is a key about to be stored; only its digest will be.
type apiKey struct {
	id, hash, secret string
	created, expires int64
}

func (s *Service) newKey(expires time.Time) apiKey {
	id, plain := token()[:12], token()
	return apiKey{id: id, hash: digest(plain), secret: "mulu_" + id + "_" + plain, created: store.Micros(s.now()), expires: store.Micros(expires)}
}

func (k apiKey) put(ctx context.Context, tx *sql.Tx, actor string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO auth_key (id, actor, secret_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		k.id, actor, k.hash, k.created, k.expires)
	return err
}

func (s *Service) create(ctx context.Context, a mulu.Actor, kind string, more func(*sql.Tx) error) error {
	if a.ID == "" || len(a.ID) > 64 || strings.ContainsAny(a.ID, " \t\n") || a.Role == "" || a.Org.Code == "" {
		return fmt.Errorf("账号 %q 不完整：需要不含空格的名称、单位和角色: %w", a.ID, mulu.ErrInvalid)
	}
	public, sealed, err := s.seal.newKey(a.ID)
	if err != nil {
		return err
	}
	org, err := json.Marshal(a.Org)
	if err != nil {
		return fmt.Errorf("create actor %s: %w", a.ID, err)
	}
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO auth_actor (id, kind, title, org, org_json, role, public_key, sealed_key, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			a.ID, kind, a.Name, string(a.Org.Code), string(org), string(a.Role), public, sealed, store.Micros(s.now()))
		if err != nil {
			return err
		}
		return more(tx)
	})
	if store.IsUnique(err) {
		return fmt.Errorf("账号 %q 已存在: %w", a.ID, mulu.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("create actor %s: %w", a.ID, err)
	}
	return nil
}

// Actor returns one actor, or mulu.ErrNotFound.
func (s *Service) Actor(ctx context.Context, id string) (mulu.Actor, error) {
	return scanActor(s.db.Read.QueryRowContext(ctx, `SELECT id, title, org_json, role FROM auth_actor WHERE id = $1`, id))
}

// Actors lists everybody, in the order they were added.
func (s *Service) Actors(ctx context.Context) ([]mulu.Actor, error) {
	rows, err := s.db.Read.QueryContext(ctx, `SELECT id, title, org_json, role FROM auth_actor ORDER BY created_at, id`)
	if err != nil {
		return nil, fmt.Errorf("list actors: %w", err)
	}
	defer rows.Close()
	var list []mulu.Actor
	for rows.Next() {
		a, err := scanActor(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

func scanActor(row interface{ Scan(...any) error }) (mulu.Actor, error) {
	var a mulu.Actor
	var org string
	err := row.Scan(&a.ID, &a.Name, &org, (*string)(&a.Role))
	if errors.Is(err, sql.ErrNoRows) {
		return a, fmt.Errorf("actor: %w", mulu.ErrNotFound)
	}
	if err == nil {
		err = json.Unmarshal([]byte(org), &a.Org)
	}
	if err != nil {
		return a, fmt.Errorf("read actor: %w", err)
	}
	return a, nil
}

// token is 256 random bits in hex.
func token() string {
	var b [32]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return hex.EncodeToString(b[:])
}

// digest of a random token: it has 256 bits, so a fast hash is enough.
func digest(token string) string {
	h := sha256.Sum256([]byte(token))
	return base64.RawStdEncoding.EncodeToString(h[:])
}
