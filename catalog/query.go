package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mulu"
	"mulu/internal/declare"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

// Query narrows Entries. Zero fields do not narrow.
type Query struct {
	Text     string // words, all of which must occur in the entry or its items
	Provider mulu.OrgCode
	State    contract.State
	Waiting  bool // only those with a version that waits for publication
	Limit    int  // 0 is 50, at most 500
	Offset   int
}

const entryColumns = `e.state, e.version, e.waiting_version, e.proposer, e.pending, e.pending_kind, e.refusal, e.idx, e.published_at, v.body, v.digest`

const entryFrom = ` FROM catalog_entry e JOIN catalog_entry_version v
	ON v.code = e.code AND v.version = CASE WHEN e.version > 0 THEN e.version WHEN e.waiting_version > 0 THEN e.waiting_version ELSE 1 END`

func scanEntry(rows interface{ Scan(...any) error }) (EntryView, error) {
	var v EntryView
	var body string
	var published int64
	err := rows.Scan(&v.State, &v.Published, &v.WaitingVersion, &v.Proposer, &v.Pending, &v.PendingKind, &v.Refusal, &v.Index, &published, &body, &v.Digest)
	if err != nil {
		return v, err
	}
	v.PublishedAt = store.FromMicros(published)
	return v, decodeJSON(body, &v.Entry)
}

// Entries lists entries by code, and how many there are without Limit.
func (c *Catalog) Entries(ctx context.Context, q Query) ([]EntryView, int, error) {
	where, args := []string{"1 = 1"}, []any{}
	add := func(cond string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(cond, "?", fmt.Sprintf("$%d", len(args))))
	}
	for _, w := range strings.Fields(strings.ToLower(q.Text)) {
		add(`v.search LIKE ? ESCAPE '\'`, "%"+strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(w)+"%")
	}
	if q.Provider != "" {
		add(`e.provider = ?`, string(q.Provider))
	}
	if q.State != "" {
		add(`e.state = ?`, string(q.State))
	}
	if q.Waiting {
		where = append(where, `e.waiting_version > 0`)
	}
	cond := ` WHERE ` + strings.Join(where, " AND ")
	var total int
	if err := c.db.Read.QueryRowContext(ctx, `SELECT COUNT(*)`+entryFrom+cond, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count entries: %w", err)
	}
	limit := min(q.Limit, 500)
	if limit <= 0 {
		limit = 50
	}
	args = append(args, limit, max(q.Offset, 0))
	list, err := store.All(ctx, c.db.Read, func(r store.Row) (EntryView, error) { return scanEntry(r) },
		`SELECT `+entryColumns+entryFrom+cond+fmt.Sprintf(` ORDER BY e.code LIMIT $%d OFFSET $%d`, len(args)-1, len(args)), args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list entries: %w", err)
	}
	return list, total, nil
}

// Entry returns one entry in its published version, or the proposed one while none is.
func (c *Catalog) Entry(ctx context.Context, code mulu.CatalogCode) (EntryView, error) {
	v, err := scanEntry(c.db.Read.QueryRowContext(ctx, `SELECT `+entryColumns+entryFrom+` WHERE e.code = $1`, string(code)))
	if errors.Is(err, sql.ErrNoRows) {
		return v, fmt.Errorf("find entry %s: %w", code, mulu.ErrNotFound)
	}
	if err != nil {
		return v, fmt.Errorf("find entry %s: %w", code, err)
	}
	return v, nil
}

// EntryBody returns the canonical JSON of one version and its digest, as the chain
// holds it: what a proof of the entry is checked against.
func (c *Catalog) EntryBody(ctx context.Context, code mulu.CatalogCode, version int64) (body []byte, digest string, err error) {
	var raw string
	err = c.db.Read.QueryRowContext(ctx, `SELECT body, digest FROM catalog_entry_version WHERE code = $1 AND version = $2`, string(code), version).Scan(&raw, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", fmt.Errorf("find entry %s version %d: %w", code, version, mulu.ErrNotFound)
	}
	if err != nil {
		return nil, "", fmt.Errorf("find entry %s version %d: %w", code, version, err)
	}
	return []byte(raw), digest, nil
}

// Datasets returns the newest applied version of every dataset, by code.
func (c *Catalog) Datasets(ctx context.Context) ([]*mulu.Dataset, error) {
	list, err := store.All(ctx, c.db.Read, scanDataset, `SELECT body FROM catalog_dataset d
		WHERE version = (SELECT MAX(version) FROM catalog_dataset x WHERE x.code = d.code) ORDER BY code`)
	if err != nil {
		return nil, fmt.Errorf("list datasets: %w", err)
	}
	return list, nil
}

// DatasetVersions returns every applied version of one dataset, oldest first.
func (c *Catalog) DatasetVersions(ctx context.Context, code mulu.DatasetCode) ([]*mulu.Dataset, error) {
	list, err := store.All(ctx, c.db.Read, scanDataset, `SELECT body FROM catalog_dataset WHERE code = $1 ORDER BY version`, string(code))
	if err != nil {
		return nil, fmt.Errorf("list versions of dataset %s: %w", code, err)
	}
	return list, nil
}

// Dataset returns one version of a dataset; version 0 is the newest.
func (c *Catalog) Dataset(ctx context.Context, code mulu.DatasetCode, version uint32) (*mulu.Dataset, error) {
	list, err := c.DatasetVersions(ctx, code)
	if err != nil {
		return nil, err
	}
	for i := len(list) - 1; i >= 0; i-- {
		if version == 0 || list[i].Version == version {
			return list[i], nil
		}
	}
	return nil, fmt.Errorf("find dataset %s version %d: %w", code, version, mulu.ErrNotFound)
}

func scanDataset(r store.Row) (*mulu.Dataset, error) {
	var body string
	if err := r.Scan(&body); err != nil {
		return nil, err
	}
	d := new(mulu.Dataset)
	return d, decodeJSON(body, d)
}

// Link says whether a dataset's newest version is tied to its entry on the chain.
type Link struct {
	Dataset mulu.DatasetCode
	Version int64
	Catalog mulu.CatalogCode
	Schema  string // digest the chain holds
	Source  string // YAML as applied
	State   string // "", "pending", "linked", "refused"
	Refusal string
	Index   int64 // position on the chain, -1 for none
}

// LinkOf returns the link of a dataset's newest version.
func (c *Catalog) LinkOf(ctx context.Context, code mulu.DatasetCode) (Link, error) {
	l := Link{Dataset: code}
	err := c.db.Read.QueryRowContext(ctx, `SELECT version, catalog, schema, source, link, refusal, idx FROM catalog_dataset WHERE code = $1 ORDER BY version DESC LIMIT 1`, string(code)).
		Scan(&l.Version, &l.Catalog, &l.Schema, &l.Source, &l.State, &l.Refusal, &l.Index)
	if errors.Is(err, sql.ErrNoRows) {
		return l, fmt.Errorf("find dataset %s: %w", code, mulu.ErrNotFound)
	}
	if err != nil {
		return l, fmt.Errorf("find dataset %s: %w", code, err)
	}
	return l, nil
}

// Orgs returns every organisation, by code.
func (c *Catalog) Orgs(ctx context.Context) ([]mulu.Org, error) {
	list, err := store.All(ctx, c.db.Read, func(r store.Row) (o mulu.Org, err error) {
		err = r.Scan(&o.Code, &o.Name, &o.Short, &o.Kind, &o.Division)
		return o, err
	}, `SELECT code, name, short, kind, division FROM catalog_org ORDER BY code`)
	if err != nil {
		return nil, fmt.Errorf("list organisations: %w", err)
	}
	return list, nil
}

// Org returns one organisation.
func (c *Catalog) Org(ctx context.Context, code mulu.OrgCode) (mulu.Org, error) {
	o := mulu.Org{Code: code}
	err := c.db.Read.QueryRowContext(ctx, `SELECT name, short, kind, division FROM catalog_org WHERE code = $1`, string(code)).Scan(&o.Name, &o.Short, &o.Kind, &o.Division)
	if errors.Is(err, sql.ErrNoRows) {
		return o, fmt.Errorf("find organisation %s: %w", code, mulu.ErrNotFound)
	}
	if err != nil {
		return o, fmt.Errorf("find organisation %s: %w", code, err)
	}
	return o, nil
}

// Declared is a system or a duty with where it stands on the chain.
type Declared struct {
	ID      string
	Name    string
	Owner   mulu.OrgCode
	Digest  string
	State   contract.State // confirmed
	Pending string         // command that waits for the chain
	Refusal string
	Index   int64 // position on the chain, -1 for none
}

// Systems returns every information system, by id.
func (c *Catalog) Systems(ctx context.Context) ([]Declared, error) { return c.declared(ctx, "system") }

// Duties returns every duty, by id.
func (c *Catalog) Duties(ctx context.Context) ([]Declared, error) { return c.declared(ctx, "duty") }

func (c *Catalog) declared(ctx context.Context, object string) ([]Declared, error) {
	list, err := store.All(ctx, c.db.Read, func(r store.Row) (d Declared, err error) {
		err = r.Scan(&d.ID, &d.Name, &d.Owner, &d.Digest, &d.State, &d.Pending, &d.Refusal, &d.Index)
		return d, err
	}, `SELECT id, name, owner, digest, state, pending, refusal, idx FROM catalog_declared WHERE object = $1 ORDER BY id`, object)
	if err != nil {
		return nil, fmt.Errorf("list %s declarations: %w", object, err)
	}
	return list, nil
}

// Weights returns every applied weight scheme, newest day in force first.
func (c *Catalog) Weights(ctx context.Context) ([]*declare.Weights, error) {
	list, err := bodies[declare.Weights](ctx, c.db.Read, "weights")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b *declare.Weights) int {
		return cmp.Or(strings.Compare(b.From, a.From), strings.Compare(b.Version, a.Version))
	})
	return list, nil
}

// Applied gives what has been applied, for declare.Known.Base: a directory may
// name objects of an earlier one. Datasets come in their newest version and
// without their entry's own fields.
func (c *Catalog) Applied(ctx context.Context) (*declare.Set, error) {
	set := &declare.Set{}
	orgs, err := c.Orgs(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range orgs {
		set.Orgs = append(set.Orgs, &declare.Org{Org: o})
	}
	if set.Systems, err = bodies[declare.System](ctx, c.db.Read, "system"); err != nil {
		return nil, err
	}
	if set.Duties, err = bodies[declare.Duty](ctx, c.db.Read, "duty"); err != nil {
		return nil, err
	}
	datasets, err := c.Datasets(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range datasets {
		set.Datasets = append(set.Datasets, &declare.Dataset{Dataset: d})
	}
	return set, nil
}

// bodies reads the declared objects of one sort, by id.
func bodies[T any](ctx context.Context, q querier, object string) ([]*T, error) {
	list, err := store.All(ctx, q, func(r store.Row) (*T, error) {
		var body string
		if err := r.Scan(&body); err != nil {
			return nil, err
		}
		v := new(T)
		return v, decodeJSON(body, v)
	}, `SELECT body FROM catalog_declared WHERE object = $1 ORDER BY id`, object)
	if err != nil {
		return nil, fmt.Errorf("list %s declarations: %w", object, err)
	}
	return list, nil
}
