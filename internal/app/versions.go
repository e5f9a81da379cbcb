package app

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"mulu"
	"mulu/catalog"
	"mulu/ingest"
	"mulu/internal/broker"
	"mulu/internal/declare"
	"mulu/internal/sample"
	"mulu/pipeline"
	"mulu/plan"
	"mulu/quality"
	"mulu/quality/codes"
	"mulu/share"
)

// versions makes dataset versions ready once and keeps them: a restart may have to
// finish a batch of an older version.
type versions struct {
	mu    sync.Mutex
	ready map[versionKey]*pipeline.Version
	// plain and synthetic differ in reserved divisions that only demonstration data
	// may use.
	plain, synthetic *codes.Tables
	catalog          *catalog.Catalog
}

type versionKey struct {
	code    mulu.DatasetCode
	version uint32
}

func newVersions(c *catalog.Catalog) (*versions, error) {
	v := &versions{ready: map[versionKey]*pipeline.Version{}, catalog: c}
	var err error
	if v.plain, err = codes.Load(); err != nil {
		return nil, err
	}
	v.synthetic, err = codes.Load(codes.WithSynthetic(sample.NoDivision))
	return v, err
}

// of returns a dataset version's decoder and rules.
func (v *versions) of(code mulu.DatasetCode, version uint32) (*pipeline.Version, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := versionKey{code, version}
	if p := v.ready[key]; p != nil {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ds, err := v.catalog.Dataset(ctx, code, version)
	if err != nil {
		return nil, err
	}
	tables := v.plain
	if ds.Sample {
		tables = v.synthetic
	}
	p := &pipeline.Version{Dataset: ds}
	if p.Decoder, err = ingest.NewDecoder(ds); err != nil {
		return nil, err
	}
	if p.Rules, err = quality.Compile(ds, tables); err != nil {
		return nil, err
	}
	v.ready[key] = p
	return p, nil
}

// declare makes the rule tables ready and applies the declarations of the start.
func (a *App) declare(ctx context.Context) (err error) {
	if a.rules, err = newVersions(a.catalog); err != nil {
		return err
	}
	if declared, err := a.catalog.Weights(ctx); err == nil && len(declared) > 0 {
		if w, err := quality.FromDeclared(declared[len(declared)-1]); err == nil {
			a.weights.Store(&w)
		}
	}
	if a.opt.Declare == nil {
		return nil
	}
	_, err = a.Apply(ctx, a.machine, a.opt.Declare)
	return err
}

// Load reads declarations and checks them against what this house knows. Its error
// lists every fault with file and line.
func (a *App) Load(ctx context.Context, fsys fs.FS) (*declare.Set, error) {
	base, err := a.catalog.Applied(ctx)
	if err != nil {
		return nil, err
	}
	return Check(fsys, a.rules.synthetic, base)
}

// Check reads declarations without a running house; base may be nil.
func Check(fsys fs.FS, tables *codes.Tables, base *declare.Set) (*declare.Set, error) {
	return declare.Load(fsys, declare.Known{
		CodeTables: tables.Names(), RuleKinds: quality.RuleKinds(), SetKinds: quality.SetKinds(),
		CheckRules: quality.CheckRules(tables), Base: base,
	})
}

// Apply takes declarations over: into the catalogue, the library's tables, the
// broker's topics and the readers. Running it again mends what a crash left undone.
func (a *App) Apply(ctx context.Context, who mulu.Actor, fsys fs.FS) (catalog.Diff, error) {
	set, err := a.Load(ctx, fsys)
	if err != nil {
		return nil, err
	}
	diff, err := a.catalog.Apply(ctx, who, set)
	if err != nil {
		return nil, err
	}
	for _, d := range set.Datasets {
		if err := a.adopt(ctx, d.Dataset); err != nil {
			return nil, err
		}
		if a.source != nil {
			if err := a.source.Add(d.Dataset); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range set.Scenarios {
		if err := a.share.PutScenario(ctx, who, scenarioOf(s)); err != nil {
			return nil, fmt.Errorf("file scenario %s: %w", s.Code, err)
		}
	}
	for _, w := range set.Weights {
		weights, err := quality.FromDeclared(w)
		if err != nil {
			return nil, err
		}
		a.weights.Store(&weights)
	}
	a.wakeRelay()
	return diff, nil
}

// adopt makes a dataset's tables and topic.
func (a *App) adopt(ctx context.Context, ds *mulu.Dataset) error {
	if ds.Sample {
		a.sample.Store(true)
	}
	if err := a.lib.Apply(ctx, ds); err != nil {
		return err
	}
	return broker.EnsureTopics(ctx, a.cfg.Seeds(), []broker.TopicSpec{{Name: ds.Topic}})
}

// scenarioOf turns a declared scenario into what the sharing desk keeps.
func scenarioOf(d *declare.Scenario) share.Scenario {
	s := share.Scenario{
		Code: d.Code, Title: d.Title, Owner: d.Owner, Purpose: d.Purpose, View: d.View, Where: d.Fixed,
		Division: d.Scope, RowsPerDay: d.RowsDay, RetainDays: int64(d.Retain), Assessment: d.Impact, Requesters: d.Requester,
	}
	for _, l := range d.Legal {
		s.LegalBasis = append(s.LegalBasis, l.Law+l.Article)
	}
	for _, i := range d.Items {
		item := share.Item{Name: i.Name, Title: i.Title, Level: i.Level, Masks: map[mulu.Role]plan.Mask{"": i.Mask}}
		for role, m := range i.Masks {
			item.Masks[role] = m
		}
		s.Items = append(s.Items, item)
	}
	return s
}

// TopicOf is the topic of a dataset of the sample district.
func TopicOf(code mulu.DatasetCode) string { return "mulu." + string(code) }
