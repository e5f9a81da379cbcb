package auth

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"mulu"
	"mulu/internal/store"
)

// errSignIn says no more than it must: an unknown account and a wrong password look
// and take alike.
var errSignIn = fmt.Errorf("账号或口令不对: %w", mulu.ErrDenied)

// SignIn checks a password and opens a session. from is the caller's address, for
// the trail. A locked account gets mulu.ErrBusy and says until when.
func (s *Service) SignIn(ctx context.Context, account, password, from string) (session string, a mulu.Actor, err error) {
	var hash string
	var failures, lockedTo int64
	err = s.db.Read.QueryRowContext(ctx, `SELECT hash, failures, locked_to FROM auth_password WHERE account = $1`, account).Scan(&hash, &failures, &lockedTo)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", a, fmt.Errorf("sign in: %w", err)
	}
	now := s.now()
	if until := store.FromMicros(lockedTo); known && now.Before(until) {
		return "", a, fmt.Errorf("口令连续输错，账号已锁定至 %s，请稍后再试: %w", until.Local().Format(time.DateTime), mulu.ErrBusy)
	}
	if !known {
		hash = nobody()
	}
	if !samePassword(hash, password) || !known {
		if known {
			err = s.failed(ctx, account, failures+1)
		}
		return "", a, errors.Join(errSignIn, err, s.note(ctx, "signin.failed", account, from, ""))
	}
	if a, err = s.Actor(ctx, account); err != nil {
		return "", a, err
	}
	session = token()
	err = s.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE auth_password SET failures = 0, locked_to = 0 WHERE account = $1`, account); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM auth_session WHERE created_at < $1`, store.Micros(now.Add(-SessionMost))); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO auth_session (token_hash, account, created_at, seen_at) VALUES ($1, $2, $3, $3)`,
			digest(session), account, store.Micros(now)); err != nil {
			return err
		}
		return noteIn(ctx, tx, now, "signin", account, from, "")
	})
	if err != nil {
		return "", a, fmt.Errorf("sign in: %w", err)
	}
	return session, a, nil
}

// failed counts a wrong password and locks the account when there were too many.
func (s *Service) failed(ctx context.Context, account string, failures int64) error {
	var until time.Time
	if over := failures - freeFailures; over >= 0 {
		until = s.now().Add(min(firstLock<<min(over, 10), longestLock))
	}
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE auth_password SET failures = $1, locked_to = $2 WHERE account = $3`, failures, store.Micros(until), account)
		return err
	})
}

// Session returns who a session belongs to, or mulu.ErrDenied if it has ended.
func (s *Service) Session(ctx context.Context, session string) (mulu.Actor, error) {
	var account string
	var created, seen int64
	err := s.db.Read.QueryRowContext(ctx, `SELECT account, created_at, seen_at FROM auth_session WHERE token_hash = $1`, digest(session)).Scan(&account, &created, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return mulu.Actor{}, fmt.Errorf("会话已结束，请重新登录: %w", mulu.ErrDenied)
	}
	if err != nil {
		return mulu.Actor{}, fmt.Errorf("read session: %w", err)
	}
	now := s.now()
	if now.Sub(store.FromMicros(created)) > SessionMost || now.Sub(store.FromMicros(seen)) > SessionIdle {
		return mulu.Actor{}, fmt.Errorf("会话已过期，请重新登录: %w", mulu.ErrDenied)
	}
	if now.Sub(store.FromMicros(seen)) > seenEvery {
		err := s.db.Tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE auth_session SET seen_at = $1 WHERE token_hash = $2`, store.Micros(now), digest(session))
			return err
		})
		if err != nil {
			return mulu.Actor{}, fmt.Errorf("extend session: %w", err)
		}
	}
	return s.Actor(ctx, account)
}

// SignOut ends a session; one that does not exist has ended already.
func (s *Service) SignOut(ctx context.Context, session, from string) error {
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		var account string
		err := tx.QueryRowContext(ctx, `DELETE FROM auth_session WHERE token_hash = $1 RETURNING account`, digest(session)).Scan(&account)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return noteIn(ctx, tx, s.now(), "signout", account, from, "")
	})
	if err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

// Key returns whose API key this is, or mulu.ErrDenied: unknown, revoked, expired.
func (s *Service) Key(ctx context.Context, key string) (mulu.Actor, error) {
	rest, ok := strings.CutPrefix(key, "mulu_")
	id, plain, ok2 := strings.Cut(rest, "_")
	denied := fmt.Errorf("系统密钥无效、已吊销或已过期: %w", mulu.ErrDenied)
	if !ok || !ok2 {
		return mulu.Actor{}, denied
	}
	var actor, hash string
	var expires, revoked int64
	err := s.db.Read.QueryRowContext(ctx, `SELECT actor, secret_hash, expires_at, revoked_at FROM auth_key WHERE id = $1`, id).Scan(&actor, &hash, &expires, &revoked)
	if errors.Is(err, sql.ErrNoRows) {
		return mulu.Actor{}, denied
	}
	if err != nil {
		return mulu.Actor{}, fmt.Errorf("read key: %w", err)
	}
	same := subtle.ConstantTimeCompare([]byte(hash), []byte(digest(plain))) == 1
	if !same || revoked != 0 || (expires != 0 && s.now().After(store.FromMicros(expires))) {
		return mulu.Actor{}, denied
	}
	return s.Actor(ctx, actor)
}

// RevokeKey ends an API key at once. keyID is the part between the underscores.
func (s *Service) RevokeKey(ctx context.Context, keyID, by string) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE auth_key SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0`, store.Micros(s.now()), keyID)
		if err != nil {
			return fmt.Errorf("revoke key: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(fmt.Errorf("revoke key %s: %w", keyID, mulu.ErrNotFound), err)
		}
		return noteIn(ctx, tx, s.now(), "key.revoked", by, "", keyID)
	})
}

// Event is one line of the trail, which is only ever added to.
type Event struct {
	At                       time.Time
	Event, Who, From, Detail string
}

// Trail gives the newest events first.
func (s *Service) Trail(ctx context.Context, limit int) ([]Event, error) {
	rows, err := s.db.Read.QueryContext(ctx, `SELECT at, event, who, source, detail FROM auth_trail ORDER BY at DESC LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("read trail: %w", err)
	}
	defer rows.Close()
	var list []Event
	for rows.Next() {
		var e Event
		var at int64
		if err := rows.Scan(&at, &e.Event, &e.Who, &e.From, &e.Detail); err != nil {
			return nil, fmt.Errorf("read trail: %w", err)
		}
		e.At = store.FromMicros(at)
		list = append(list, e)
	}
	return list, rows.Err()
}

// Note adds an event to the trail: what was refused, to whom, from where.
func (s *Service) Note(ctx context.Context, event, who, from, detail string) error {
	return s.note(ctx, event, who, from, detail)
}

func (s *Service) note(ctx context.Context, event, who, from, detail string) error {
	return s.db.Tx(ctx, func(tx *sql.Tx) error { return noteIn(ctx, tx, s.now(), event, who, from, detail) })
}

func noteIn(ctx context.Context, tx *sql.Tx, at time.Time, event, who, from, detail string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO auth_trail (at, event, who, source, detail) VALUES ($1, $2, $3, $4, $5)`, store.Micros(at), event, who, from, detail)
	if err != nil {
		return fmt.Errorf("write trail: %w", err)
	}
	return nil
}
