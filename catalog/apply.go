package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"mulu"
	"mulu/internal/declare"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

// Action says what Apply does to an object.
type Action string

// The actions of a Change.
const (
	Add    Action = "add"
	Amend  Action = "amend"
	Same   Action = "same"
	Linked Action = "link" // a dataset version is tied to its published entry
)

// Change is one line of a Diff.
type Change struct {
	Kind   string // "Organisation", "System", "Duty", "Weights", "Dataset", "Entry"
	ID     string
	Name   string
	Action Action
	Note   string // Chinese, what happens
}

// Diff is what Apply did or, for a dry run, would do; unchanged objects are in it
// too, as Same.
type Diff []Change

// Changed counts the changes that are not Same.
func (d Diff) Changed() int {
	n := 0
	for _, c := range d {
		if c.Action != Same {
			n++
		}
	}
	return n
}

// errDryRun rolls a dry run back.
var errDryRun = errors.New("dry run")

// Diff says what Apply would do, by doing it and rolling back.
func (c *Catalog) Diff(ctx context.Context, actor mulu.Actor, set *declare.Set) (Diff, error) {
	var d Diff
	err := c.db.Tx(ctx, func(tx *sql.Tx) error {
		var err error
		if d, err = c.apply(ctx, tx, actor, set); err != nil {
			return err
		}
		return errDryRun
	})
	if !errors.Is(err, errDryRun) {
		return nil, fmt.Errorf("compare declarations: %w", err)
	}
	return d, nil
}

// Apply takes declarations over in one transaction: organisations at once, systems,
// duties and entries as commands for the chain. Applying the same set again does
// nothing. An applied dataset version never changes: other content under the same
// version is mulu.ErrConflict. mulu.ErrBusy says that an object still waits for
// the chain's answer to an earlier command.
//
// A crash before the commit leaves nothing; after it, the outbox has every command.
func (c *Catalog) Apply(ctx context.Context, actor mulu.Actor, set *declare.Set) (Diff, error) {
	var d Diff
	err := c.db.Tx(ctx, func(tx *sql.Tx) error {
		var err error
		d, err = c.apply(ctx, tx, actor, set)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("apply declarations: %w", err)
	}
	c.log.InfoContext(ctx, "declarations applied", "actor", actor.ID, "objects", len(d), "changed", d.Changed())
	c.wake()
	return d, nil
}

func (c *Catalog) apply(ctx context.Context, tx *sql.Tx, actor mulu.Actor, set *declare.Set) (Diff, error) {
	var diff Diff
	for _, o := range set.Orgs {
		ch, err := c.applyOrg(ctx, tx, o)
		if err != nil {
			return nil, err
		}
		diff = append(diff, ch)
	}
	// Systems and duties first: a publication needs them alive on the chain, and the
	// outbox keeps this order.
	for _, s := range set.Systems {
		ch, err := c.applyDeclared(ctx, tx, actor, declared{"System", "system", s.ID, s.Name, s.Owner, s.Meta, s})
		if err != nil {
			return nil, err
		}
		diff = append(diff, ch)
	}
	for _, s := range set.Duties {
		ch, err := c.applyDeclared(ctx, tx, actor, declared{"Duty", "duty", s.ID, s.Name, s.Owner, s.Meta, s})
		if err != nil {
			return nil, err
		}
		diff = append(diff, ch)
	}
	for _, w := range set.Weights {
		ch, err := c.applyDeclared(ctx, tx, actor, declared{"Weights", "weights", w.Version, w.Title, "", w.Meta, w})
		if err != nil {
			return nil, err
		}
		diff = append(diff, ch)
	}
	for _, d := range set.Datasets {
		chs, err := c.applyDataset(ctx, tx, actor, d, set.Dataset(d.Code) == d)
		if err != nil {
			return nil, err
		}
		diff = append(diff, chs...)
	}
	return diff, nil
}

func (c *Catalog) applyOrg(ctx context.Context, tx *sql.Tx, o *declare.Org) (Change, error) {
	ch := Change{Kind: "Organisation", ID: string(o.Code), Name: o.Name, Action: Add}
	var before string
	switch err := tx.QueryRowContext(ctx, `SELECT digest FROM catalog_org WHERE code = $1`, string(o.Code)).Scan(&before); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return ch, fmt.Errorf("read organisation %s: %w", o.Code, err)
	case before == o.Digest:
		ch.Action = Same
		return ch, nil
	default:
		ch.Action = Amend
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO catalog_org (code, name, short, kind, division, sample, digest, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (code) DO UPDATE SET name = excluded.name, short = excluded.short, kind = excluded.kind,
			division = excluded.division, sample = excluded.sample, digest = excluded.digest, at = excluded.at`,
		string(o.Code), o.Name, o.Short, o.Kind, string(o.Division), truth(o.Sample), o.Digest, store.Micros(c.now()))
	if err != nil {
		return ch, fmt.Errorf("write organisation %s: %w", o.Code, err)
	}
	return ch, nil
}

// declared is an object of the table catalog_declared.
type declared struct {
	kind, object, id, name string
	owner                  mulu.OrgCode
	meta                   declare.Meta
	body                   any
}

// applyDeclared writes a system, a duty or a weight scheme and, for the first two,
// puts the command that registers its digest.
func (c *Catalog) applyDeclared(ctx context.Context, tx *sql.Tx, actor mulu.Actor, o declared) (Change, error) {
	ch := Change{Kind: o.kind, ID: o.id, Name: o.name, Action: Add}
	fail := func(err error) (Change, error) { return ch, fmt.Errorf("apply %s %s: %w", o.object, o.id, err) }
	var digest, state, confirmed, pending string
	var commands int64
	err := tx.QueryRowContext(ctx, `SELECT digest, state, confirmed, pending, commands FROM catalog_declared WHERE object = $1 AND id = $2`, o.object, o.id).
		Scan(&digest, &state, &confirmed, &pending, &commands)
	known := err == nil
	chained := o.object != "weights"
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return fail(err)
	case known && digest == o.meta.Digest && (!chained || confirmed == digest || pending != ""):
		ch.Action = Same
		return ch, nil
	case known && !chained:
		return fail(fmt.Errorf("权重方案已生效，不能修改；请另立版本: %w", mulu.ErrConflict))
	case pending != "":
		return fail(fmt.Errorf("上一次变更尚待上链，请稍后再试: %w", mulu.ErrBusy))
	case known:
		ch.Action = Amend
	}
	body, err := json.Marshal(o.body)
	if err != nil {
		return fail(err)
	}
	if chained {
		id, put, err := declareCommand(o, contract.State(state), commands+1)
		if err != nil {
			return fail(err)
		}
		if err := c.put(ctx, tx, actor, id, put); err != nil {
			return fail(err)
		}
		pending = id
		ch.Note = "待上链"
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO catalog_declared (object, id, name, owner, body, digest, source, at, pending, commands)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (object, id) DO UPDATE SET name = excluded.name, owner = excluded.owner, body = excluded.body, digest = excluded.digest,
			source = excluded.source, at = excluded.at, pending = excluded.pending, commands = excluded.commands, refusal = ''`,
		o.object, o.id, o.name, string(o.owner), string(body), o.meta.Digest, o.meta.Source, store.Micros(c.now()), pending, commands+1)
	if err != nil {
		return fail(err)
	}
	return ch, nil
}

func declareCommand(o declared, state contract.State, n int64) (string, contract.Body, error) {
	var body contract.Body = contract.SystemBody{System: o.id, Org: o.owner, Digest: o.meta.Digest}
	if o.object == "duty" {
		body = contract.DutyBody{Duty: o.id, Org: o.owner, Digest: o.meta.Digest}
	}
	object, _ := body.On()
	if _, err := contract.Next(object, state, body.Step()); err != nil {
		return "", nil, err
	}
	return contract.CommandID(body.Kind(), o.id, fmt.Sprint(n)), body, nil
}

// schemaDigest is the digest the chain holds of a dataset version: columns with
// their levels, key and rules.
func schemaDigest(d *mulu.Dataset) (string, error) {
	return contract.DigestJSON(struct {
		Columns  []mulu.Column
		Key      []string
		Rules    []mulu.Rule
		SetRules []mulu.SetRule
	}{d.Columns, d.Key, d.Rules, d.SetRules})
}

// applyDataset writes a dataset version once and for the newest version proposes
// its entry when it changed.
func (c *Catalog) applyDataset(ctx context.Context, tx *sql.Tx, actor mulu.Actor, d *declare.Dataset, newest bool) (Diff, error) {
	ch := Change{Kind: "Dataset", ID: fmt.Sprintf("%s@%d", d.Code, d.Version), Name: d.Title, Action: Add}
	fail := func(err error) (Diff, error) { return nil, fmt.Errorf("apply dataset %s: %w", ch.ID, err) }
	body, err := json.Marshal(d.Dataset)
	if err != nil {
		return fail(err)
	}
	digest, err := contract.DigestJSON(d.Dataset)
	if err != nil {
		return fail(err)
	}
	schema, err := schemaDigest(d.Dataset)
	if err != nil {
		return fail(err)
	}
	var before, catalog string
	var latest int64
	err = tx.QueryRowContext(ctx, `SELECT digest FROM catalog_dataset WHERE code = $1 AND version = $2`, string(d.Code), int64(d.Version)).Scan(&before)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fail(err)
	}
	err = tx.QueryRowContext(ctx, `SELECT version, catalog FROM catalog_dataset WHERE code = $1 ORDER BY version DESC LIMIT 1`, string(d.Code)).Scan(&latest, &catalog)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fail(err)
	}
	switch {
	case before == digest:
		ch.Action = Same
	case before != "":
		return fail(fmt.Errorf("已生效的版本不能修改；请把 version 提高到 %d: %w", latest+1, mulu.ErrConflict))
	case int64(d.Version) < latest:
		return fail(fmt.Errorf("版本号应大于已有的最高版本 %d: %w", latest, mulu.ErrConflict))
	case catalog != "" && catalog != string(d.Catalog):
		return fail(fmt.Errorf("目录代码不可变更，应为 %s: %w", catalog, mulu.ErrConflict))
	default:
		_, err = tx.ExecContext(ctx, `INSERT INTO catalog_dataset (code, version, catalog, owner, body, digest, schema, source, applied_by, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			string(d.Code), int64(d.Version), string(d.Catalog), string(d.Owner), string(body), digest, schema, d.Source, actor.ID, store.Micros(c.now()))
		if err != nil {
			return fail(err)
		}
		if latest > 0 {
			ch.Action = Amend
		}
	}
	diff := Diff{ch}
	if !newest || int64(d.Version) < latest {
		return diff, nil
	}
	entry, err := c.applyEntry(ctx, tx, actor, d)
	if err != nil {
		return fail(err)
	}
	diff = append(diff, entry)
	if entry.Action != Same {
		return diff, nil // linked when it is published
	}
	linked, err := c.linkLatest(ctx, tx, d.Catalog)
	if err != nil {
		return fail(err)
	}
	if linked {
		diff = append(diff, Change{Kind: "Dataset", ID: ch.ID, Name: d.Title, Action: Linked, Note: "挂接已发布目录，待上链"})
	}
	return diff, nil
}
