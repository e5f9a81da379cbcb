package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"mulu"
	"mulu/internal/declare"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

// entryRow is where an entry stands.
type entryRow struct {
	code     mulu.CatalogCode
	provider mulu.OrgCode
	state    contract.State
	version  int64
	waiting  int64
	proposer string
	pending  string
	kind     contract.Kind
	commands int64
	digest   string // of the waiting version, or else of the published one
}

func readEntry(ctx context.Context, q querier, code mulu.CatalogCode) (entryRow, error) {
	r := entryRow{code: code}
	err := q.QueryRowContext(ctx, `SELECT e.provider, e.state, e.version, e.waiting_version, e.proposer, e.pending, e.pending_kind, e.commands, COALESCE(v.digest, '')
		FROM catalog_entry e LEFT JOIN catalog_entry_version v ON v.code = e.code AND v.version = CASE WHEN e.waiting_version > 0 THEN e.waiting_version ELSE e.version END
		WHERE e.code = $1`, string(code)).Scan(&r.provider, &r.state, &r.version, &r.waiting, &r.proposer, &r.pending, &r.kind, &r.commands, &r.digest)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("没有目录 %s: %w", code, mulu.ErrNotFound)
	}
	if err != nil {
		return r, fmt.Errorf("read entry %s: %w", code, err)
	}
	return r, nil
}

// applyEntry proposes the entry of a declared dataset when it differs from the
// version that is published or waits.
func (c *Catalog) applyEntry(ctx context.Context, tx *sql.Tx, actor mulu.Actor, d *declare.Dataset) (Change, error) {
	ch := Change{Kind: "Entry", ID: string(d.Catalog), Name: d.Title, Action: Add}
	row, err := readEntry(ctx, tx, d.Catalog)
	known := !errors.Is(err, mulu.ErrNotFound)
	if err != nil && known {
		return ch, err
	}
	if known {
		ch.Action = Amend
	}
	var provider string
	err = tx.QueryRowContext(ctx, `SELECT name FROM catalog_org WHERE code = $1`, string(d.Owner)).Scan(&provider)
	if errors.Is(err, sql.ErrNoRows) {
		return ch, fmt.Errorf("提供单位 %s 尚未登记；请先声明 Organisation: %w", d.Owner, mulu.ErrInvalid)
	}
	if err != nil {
		return ch, fmt.Errorf("read provider %s of entry %s: %w", d.Owner, d.Catalog, err)
	}
	e := newEntry(d, provider)
	e.Version = max(row.waiting, row.version, 1)
	_, digest, err := e.canonical()
	if err != nil {
		return ch, err
	}
	if known && digest == row.digest {
		ch.Action = Same
		return ch, nil
	}
	if row.pending != "" {
		return ch, fmt.Errorf("目录 %s 的上一次变更尚待上链，请稍后再试: %w", d.Catalog, mulu.ErrBusy)
	}
	if _, err := contract.Next(contract.Entry, row.state, contract.EntryPropose); err != nil {
		return ch, err
	}
	e.Version = row.version + 1
	body, digest, err := e.canonical()
	if err != nil {
		return ch, err
	}
	put, err := e.propose(digest)
	if err != nil {
		return ch, err
	}
	id := contract.CommandID(contract.EntryPropose, string(e.Code), fmt.Sprint(row.commands+1))
	if err := c.put(ctx, tx, actor, id, put); err != nil {
		return ch, err
	}
	now := store.Micros(c.now())
	_, err = tx.ExecContext(ctx, `INSERT INTO catalog_entry (code, provider, dataset, waiting_version, proposer, pending, pending_kind, commands, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (code) DO UPDATE SET waiting_version = excluded.waiting_version, proposer = excluded.proposer, pending = excluded.pending,
			pending_kind = excluded.pending_kind, commands = excluded.commands, refusal = '', at = excluded.at`,
		string(e.Code), string(e.Provider), string(e.Dataset), e.Version, actor.ID, id, string(contract.EntryPropose), row.commands+1, now)
	if err != nil {
		return ch, fmt.Errorf("write entry %s: %w", e.Code, err)
	}
	// A version that is not published may be mended; a published one never reaches here.
	_, err = tx.ExecContext(ctx, `INSERT INTO catalog_entry_version (code, version, body, digest, search, proposer, proposed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (code, version) DO UPDATE SET body = excluded.body, digest = excluded.digest, search = excluded.search,
			proposer = excluded.proposer, proposed_at = excluded.proposed_at`,
		string(e.Code), e.Version, string(body), digest, e.search(), actor.ID, now)
	if err != nil {
		return ch, fmt.Errorf("write entry %s: %w", e.Code, err)
	}
	ch.Note = fmt.Sprintf("提交第 %d 版，待上链后由主管部门审核发布", e.Version)
	return ch, nil
}

// Publish publishes the proposed version of an entry. Only an approver of the
// bureau may, and never whoever proposed it. mulu.ErrConflict says that nothing
// waits for publication, mulu.ErrBusy that the proposal is not yet on the chain.
//
// A crash before the commit leaves the entry proposed; after it, the outbox has
// the command and Confirm finishes.
func (c *Catalog) Publish(ctx context.Context, actor mulu.Actor, code mulu.CatalogCode) error {
	err := c.decide(ctx, actor, code, func(r entryRow) (contract.Body, error) {
		if r.waiting == 0 {
			return nil, fmt.Errorf("没有待发布的版本: %w", mulu.ErrConflict)
		}
		if r.proposer == actor.ID {
			return nil, fmt.Errorf("提交人不能发布自己提交的目录: %w", mulu.ErrDenied)
		}
		return contract.PublishBody{Catalog: code, Version: r.waiting, Digest: r.digest}, nil
	})
	if err != nil {
		return fmt.Errorf("publish entry %s: %w", code, err)
	}
	return nil
}

// Retire retires a published entry for good. reason is a code, e.g. "duty-moved".
// The chain refuses while a grant in force uses the entry.
func (c *Catalog) Retire(ctx context.Context, actor mulu.Actor, code mulu.CatalogCode, reason string) error {
	err := c.decide(ctx, actor, code, func(entryRow) (contract.Body, error) {
		return contract.RetireBody{Catalog: code, Reason: reason}, nil
	})
	if err != nil {
		return fmt.Errorf("retire entry %s: %w", code, err)
	}
	return nil
}

// decide puts an approver's command about one entry and marks it pending.
func (c *Catalog) decide(ctx context.Context, actor mulu.Actor, code mulu.CatalogCode, body func(entryRow) (contract.Body, error)) error {
	if actor.Role != mulu.RoleApprover {
		return fmt.Errorf("只有主管部门审批人可以进行该操作: %w", mulu.ErrDenied)
	}
	err := c.db.Tx(ctx, func(tx *sql.Tx) error {
		r, err := readEntry(ctx, tx, code)
		if err != nil {
			return err
		}
		if r.pending != "" {
			return fmt.Errorf("上一次变更尚待上链，请稍后再试: %w", mulu.ErrBusy)
		}
		b, err := body(r)
		if err != nil {
			return err
		}
		if _, err := contract.Next(contract.Entry, r.state, b.Step()); err != nil {
			return err
		}
		id := contract.CommandID(b.Kind(), string(code), fmt.Sprint(r.commands+1))
		if err := c.put(ctx, tx, actor, id, b); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE catalog_entry SET pending = $1, pending_kind = $2, commands = $3, refusal = '', at = $4 WHERE code = $5`,
			id, string(b.Kind()), r.commands+1, store.Micros(c.now()), string(code))
		return err
	})
	if err != nil {
		return err
	}
	c.wake()
	return nil
}

// linkLatest ties the newest dataset version of a published entry to it (资源挂接),
// signed by the house's machine, unless that is done or under way.
func (c *Catalog) linkLatest(ctx context.Context, tx *sql.Tx, catalog mulu.CatalogCode) (bool, error) {
	row, err := readEntry(ctx, tx, catalog)
	if err != nil {
		return false, err
	}
	if row.state != contract.Published && row.state != contract.Changing {
		return false, nil
	}
	var code, link, schema string
	var version, commands int64
	err = tx.QueryRowContext(ctx, `SELECT code, version, link, schema, commands FROM catalog_dataset WHERE catalog = $1 ORDER BY version DESC LIMIT 1`, string(catalog)).
		Scan(&code, &version, &link, &schema, &commands)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read dataset of entry %s: %w", catalog, err)
	}
	if link == "pending" || link == "linked" {
		return false, nil
	}
	id := contract.CommandID(contract.DatasetLink, code, fmt.Sprint(version), fmt.Sprint(commands+1))
	body := contract.LinkBody{Dataset: mulu.DatasetCode(code), Version: version, Catalog: catalog, Schema: schema}
	if err := c.put(ctx, tx, c.machine, id, body); err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE catalog_dataset SET link = 'pending', refusal = '', commands = $1 WHERE code = $2 AND version = $3`, commands+1, code, version)
	if err != nil {
		return false, fmt.Errorf("link dataset %s: %w", code, err)
	}
	return true, nil
}
