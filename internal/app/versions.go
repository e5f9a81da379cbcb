package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"mulu"
	"mulu/catalog"
	"mulu/ingest"
	"mulu/internal/broker"
	"mulu/internal/clock"
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
	schemas          ingest.Schemas
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
	p := &pipeline.Version{Dataset: ds}
	if p.Decoder, err = ingest.NewDecoder(ds); err != nil {
		return nil, err
	}
	p.Decoder.With(v.schemas)
	if p.Rules, err = quality.Compile(ds, v.tablesOf(ds)); err != nil {
		return nil, err
	}
	v.ready[key] = p
	return p, nil
}

// declare makes the rule tables and everything applied before ready, and applies
// the declarations of the start.
func (a *App) declare(ctx context.Context) (err error) {
	if a.rules, err = newVersions(a.catalog); err != nil {
		return err
	}
	a.rules.schemas = a.schemas
	if err := a.weigh(ctx); err != nil {
		return err
	}
	if err := a.restore(ctx); err != nil {
		return err
	}
	if a.opt.Declare == nil {
		return nil
	}
	_, err = a.Apply(ctx, a.machine, a.opt.Declare)
	return err
}

// weigh takes the newest weight scheme that is in force.
func (a *App) weigh(ctx context.Context) error {
	schemes, err := a.catalog.Weights(ctx)
	if err != nil {
		return err
	}
	today := time.Now().In(clock.Shanghai).Format(time.DateOnly)
	for _, w := range schemes { // newest day first
		if w.From > today {
			continue
		}
		weights, err := quality.FromDeclared(w)
		if err != nil {
			return err
		}
		a.weights.Store(&weights)
		return nil
	}
	return nil
}

// restore makes the tables of every version ever applied and the topics of the
// newest, oldest version first: a crash between the catalogue's commit and the
// tables is mended here, and a batch that was planned for an older version before a
// crash finds that version known. A version the tables contradict is left out and
// said; it must not keep the others from being read.
func (a *App) restore(ctx context.Context) error {
	datasets, err := a.catalog.Datasets(ctx)
	if err != nil {
		return err
	}
	topics := make([]broker.TopicSpec, 0, len(datasets))
	for _, newest := range datasets {
		all, err := a.catalog.DatasetVersions(ctx, newest.Code)
		if err != nil {
			return err
		}
		for _, ds := range all {
			err := a.table(ctx, ds)
			if errors.Is(err, mulu.ErrConflict) || errors.Is(err, mulu.ErrInvalid) {
				a.log.Error("dataset version is not usable and left out", "dataset", ds.Code, "version", ds.Version, "error", err)
			} else if err != nil {
				return err
			}
		}
		if ds := a.lib.Dataset(newest.Code); ds != nil {
			topics = append(topics, topicOf(ds))
		}
	}
	if len(topics) == 0 {
		return nil
	}
	return broker.EnsureTopics(ctx, a.cfg.Seeds(), topics)
}

// Load reads declarations and checks them against what this house knows. Its error
// lists every fault with file and line.
func (a *App) Load(ctx context.Context, fsys fs.FS) (*declare.Set, error) {
	base, err := a.catalog.Applied(ctx)
	if err != nil {
		return nil, err
	}
	ways, err := a.submit.Ways(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, w := range ways {
		if ds := base.Dataset(w.Dataset); ds != nil {
			ds.Ways = append(ds.Ways, w.Way)
		}
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
	if err := a.fits(ctx, set); err != nil {
		return nil, err
	}
	// After this line the catalogue holds the set for good. A crash before the tables
	// and topics below are made is mended by restore at the next start.
	diff, err := a.catalog.Apply(ctx, who, set)
	if err != nil {
		return nil, err
	}
	ways, err := a.wayDiff(ctx, set)
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
		if set.Dataset(d.Code) == d {
			if err := a.submit.Declare(ctx, d.Code, d.Ways); err != nil {
				return nil, err
			}
		}
	}
	scenarios, err := a.scenarioDiff(ctx, set)
	if err != nil {
		return nil, err
	}
	for _, s := range set.Scenarios {
		if err := a.share.PutScenario(ctx, who, scenarioOf(s)); err != nil {
			return nil, fmt.Errorf("file scenario %s: %w", s.Code, err)
		}
	}
	if err := a.weigh(ctx); err != nil {
		return nil, err
	}
	a.wakeRelay()
	return append(append(diff, ways...), scenarios...), nil
}

// fits refuses declarations that the catalogue would take and that could not be
// read afterwards: a version its tables contradict, another topic for a dataset
// whose old topic may hold unread records, a topic that two datasets share.
func (a *App) fits(ctx context.Context, set *declare.Set) error {
	known, err := a.catalog.Datasets(ctx)
	if err != nil {
		return err
	}
	faults := []error{a.fitsRules(ctx, set, known)}
	for _, d := range set.Datasets {
		for _, k := range known {
			switch {
			case k.Code == d.Code && k.Topic != d.Topic:
				faults = append(faults, fmt.Errorf("数据集 %s 的主题为 %s，不可改为 %s：原主题中未入库的数据会丢失，请另建数据集 (topic changed): %w", d.Code, k.Topic, d.Topic, mulu.ErrConflict))
			case k.Code != d.Code && k.Topic == d.Topic:
				faults = append(faults, fmt.Errorf("主题 %s 已属于数据集 %s，数据集 %s 请用另一个主题 (topic taken): %w", d.Topic, k.Code, d.Code, mulu.ErrConflict))
			}
		}
		if a.lib == nil {
			continue // a preview of a stopped house has no engine to ask
		}
		if err := a.lib.Check(ctx, d.Dataset); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// adopt makes a dataset's tables and topic.
func (a *App) adopt(ctx context.Context, ds *mulu.Dataset) error {
	if err := a.table(ctx, ds); err != nil {
		return err
	}
	return broker.EnsureTopics(ctx, a.cfg.Seeds(), []broker.TopicSpec{topicOf(ds)})
}

// topicOf is the topic that is made for a dataset that has none. Changes get one
// partition: what a snapshot or a truncate says of earlier rows holds in one alone.
func topicOf(ds *mulu.Dataset) broker.TopicSpec {
	if ds.Changes() {
		return broker.TopicSpec{Name: ds.Topic, Partitions: 1}
	}
	return broker.TopicSpec{Name: ds.Topic}
}

// table makes a dataset version's tables and makes it known to the library.
func (a *App) table(ctx context.Context, ds *mulu.Dataset) error {
	if ds.Sample {
		a.sample.Store(true)
	}
	return a.lib.Apply(ctx, ds)
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
