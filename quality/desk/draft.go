package desk

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"mulu"
	"mulu/internal/store"
)

// Draft is an edit of a dataset's rules that is not in force.
type Draft struct {
	ID       string
	Dataset  mulu.DatasetCode
	Base     uint32 // dataset version it changes
	Rev      int64  // counts its edits
	State    DraftState
	Title    string
	Notes    string
	Author   string
	Org      mulu.OrgCode // the author's
	Rules    []mulu.Rule
	SetRules []mulu.SetRule
	Digest   string // of what would be in force: dataset, base and rules
	Created  time.Time
	Changed  time.Time
	// Of one that is becoming a version, or became it.
	ActivatedBy string
	Reason      string
	Version     uint32
}

// DraftState says what a draft is.
type DraftState string

// The states of a draft. One that is activating was left by a crash, and is open or
// active as soon as somebody looks whether its version is there.
const (
	DraftOpen       DraftState = "open"
	DraftActivating DraftState = "activating"
	DraftActive     DraftState = "active"
)

// digest names what would be in force. Titles count: they are part of the version.
func (d *Draft) digest() string {
	body, err := json.Marshal(struct {
		Dataset  mulu.DatasetCode
		Base     uint32
		Rules    []mulu.Rule
		SetRules []mulu.SetRule
	}{d.Dataset, d.Base, d.Rules, d.SetRules})
	if err != nil {
		panic(err) // strings, numbers and booleans
	}
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// newID is an id that sorts by time.
func newID(prefix string, at time.Time) string {
	return fmt.Sprintf("%s%011x-%s", prefix, at.UnixMilli(), strings.ToLower(rand.Text()[:6]))
}

const draftColumns = `id, dataset, base, rev, state, title, notes, author, org, rules, set_rules, digest, created, changed, activated_by, reason, version`

func scanDraft(row store.Row) (d Draft, err error) {
	var rules, sets string
	var created, changed int64
	if err := row.Scan(&d.ID, &d.Dataset, &d.Base, &d.Rev, &d.State, &d.Title, &d.Notes, &d.Author, &d.Org, &rules, &sets, &d.Digest, &created, &changed, &d.ActivatedBy, &d.Reason, &d.Version); err != nil {
		return d, err
	}
	d.Created, d.Changed = store.FromMicros(created), store.FromMicros(changed)
	return d, errors.Join(json.Unmarshal([]byte(rules), &d.Rules), json.Unmarshal([]byte(sets), &d.SetRules))
}

// body is a draft's rules as they are stored.
func (d *Draft) body() (rules, sets string, err error) {
	r, err := json.Marshal(d.Rules)
	s, err2 := json.Marshal(d.SetRules)
	return string(r), string(s), errors.Join(err, err2)
}

// AddDraft keeps a new draft and names it.
func (d *Desk) AddDraft(ctx context.Context, n Draft, at time.Time) (Draft, error) {
	n.ID, n.Rev, n.State, n.Created, n.Changed = newID("RD", at), 1, DraftOpen, at.UTC(), at.UTC()
	n.Digest = n.digest()
	rules, sets, err := n.body()
	if err != nil {
		return n, fmt.Errorf("add draft of %s: %w", n.Dataset, err)
	}
	err = d.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO quality_draft (id, dataset, base, rev, state, title, notes, author, org, rules, set_rules, digest, created, changed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			n.ID, string(n.Dataset), int64(n.Base), n.Rev, string(n.State), n.Title, n.Notes, n.Author, string(n.Org), rules, sets, n.Digest, store.Micros(at), store.Micros(at))
		return err
	})
	if err != nil {
		return n, fmt.Errorf("add draft of %s: %w", n.Dataset, err)
	}
	return n, nil
}

// Draft gives one draft.
func (d *Desk) Draft(ctx context.Context, id string) (Draft, error) {
	n, err := scanDraft(d.db.Read.QueryRowContext(ctx, `SELECT `+draftColumns+` FROM quality_draft WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return n, fmt.Errorf("没有规则草稿 %s / no such draft: %w", id, mulu.ErrNotFound)
	}
	if err != nil {
		return n, fmt.Errorf("read draft %s: %w", id, err)
	}
	return n, nil
}

// Drafts lists drafts of a dataset ("" is all), last changed first, at most limit.
func (d *Desk) Drafts(ctx context.Context, code mulu.DatasetCode, limit int) ([]Draft, error) {
	list, err := store.All(ctx, d.db.Read, scanDraft, `SELECT `+draftColumns+` FROM quality_draft WHERE $1 = '' OR dataset = $1 ORDER BY changed DESC, id DESC LIMIT $2`, string(code), limit)
	if err != nil {
		return nil, fmt.Errorf("list drafts: %w", err)
	}
	return list, nil
}

// SaveDraft keeps an edit of the draft that the editor saw at n.Rev. One that was edited
// since, or is not open, is mulu.ErrConflict.
func (d *Desk) SaveDraft(ctx context.Context, n Draft, at time.Time) (Draft, error) {
	n.Digest = n.digest()
	rules, sets, err := n.body()
	if err != nil {
		return n, fmt.Errorf("save draft %s: %w", n.ID, err)
	}
	err = d.change(ctx, n.ID, n.Rev, DraftOpen, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE quality_draft SET base = $1, rev = rev + 1, title = $2, notes = $3, rules = $4, set_rules = $5, digest = $6, changed = $7 WHERE id = $8`,
			int64(n.Base), n.Title, n.Notes, rules, sets, n.Digest, store.Micros(at), n.ID)
		return err
	})
	if err != nil {
		return n, fmt.Errorf("save draft %s: %w", n.ID, err)
	}
	return d.Draft(ctx, n.ID)
}

// DropDraft removes an open draft with its backtests.
func (d *Desk) DropDraft(ctx context.Context, id string, rev int64) error {
	err := d.change(ctx, id, rev, DraftOpen, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM quality_backtest WHERE draft = $1`, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM quality_draft WHERE id = $1`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("drop draft %s: %w", id, err)
	}
	return nil
}

// ClaimDraft says that a draft is becoming a version. Only one caller gets it.
func (d *Desk) ClaimDraft(ctx context.Context, id string, rev int64, version uint32, who, reason string) error {
	err := d.change(ctx, id, rev, DraftOpen, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE quality_draft SET state = $1, version = $2, activated_by = $3, reason = $4, rev = rev + 1 WHERE id = $5`, string(DraftActivating), int64(version), who, reason, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("activate draft %s: %w", id, err)
	}
	return nil
}

// SettleDraft says whether a claimed draft became the version. Saying it again changes
// nothing.
func (d *Desk) SettleDraft(ctx context.Context, id string, active bool) error {
	set := `UPDATE quality_draft SET state = 'open', version = 0, activated_by = '', reason = '' WHERE id = $1 AND state = 'activating'`
	if active {
		set = `UPDATE quality_draft SET state = 'active' WHERE id = $1 AND state = 'activating'`
	}
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, set, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("settle draft %s: %w", id, err)
	}
	return nil
}

// ClaimedDrafts are those that a crash may have left while they were activated.
func (d *Desk) ClaimedDrafts(ctx context.Context) ([]Draft, error) {
	list, err := store.All(ctx, d.db.Read, scanDraft, `SELECT `+draftColumns+` FROM quality_draft WHERE state = 'activating'`)
	if err != nil {
		return nil, fmt.Errorf("list claimed drafts: %w", err)
	}
	return list, nil
}

// change runs f if the draft is in a state at an edit.
func (d *Desk) change(ctx context.Context, id string, rev int64, state DraftState, f func(*sql.Tx) error) error {
	return d.db.Tx(ctx, func(tx *sql.Tx) error {
		var at int64
		var now DraftState
		switch err := tx.QueryRowContext(ctx, `SELECT rev, state FROM quality_draft WHERE id = $1`, id).Scan(&at, &now); {
		case errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("没有规则草稿 %s / no such draft: %w", id, mulu.ErrNotFound)
		case err != nil:
			return err
		case now != state:
			return fmt.Errorf("规则草稿 %s 已启用或正在启用，不能再修改；请另建草稿 / the draft is not open: %w", id, mulu.ErrConflict)
		case at != rev:
			return fmt.Errorf("规则草稿 %s 已被改过（现为第 %d 次修改，您看到的是第 %d 次）；请重新打开后再改 / edited by somebody else: %w", id, at, rev, mulu.ErrConflict)
		}
		return f(tx)
	})
}
