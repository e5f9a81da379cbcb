package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
	"mulu/internal/clock"
	"mulu/library"
	"mulu/quality"
	"mulu/quality/desk"
)

// Trial says over which rows a draft is tried.
type Trial struct {
	Share float64 // in (0,1); 0 is every row
	Seed  uint64
}

// Backtest begins to try a draft over the rows that are stored, beside the rules in force,
// and returns at once. What comes out is kept with the draft as it is now.
func (e *Editor) Backtest(ctx context.Context, who mulu.Actor, id string, t Trial) (desk.Backtest, error) {
	if t.Share < 0 || t.Share >= 1 {
		return desk.Backtest{}, fmt.Errorf("抽样比例应大于 0 且小于 1，不抽样则不填 / share must lie between 0 and 1: %w", mulu.ErrInvalid)
	}
	d, err := e.Desk.Draft(ctx, id)
	if err != nil {
		return desk.Backtest{}, err
	}
	now, draft, err := e.compiled(ctx, &d)
	if err != nil {
		return desk.Backtest{}, err
	}
	b, err := e.Desk.BeginBacktest(ctx, desk.Backtest{Draft: id, Digest: d.Digest, AskedBy: who.ID, Began: e.Now(), Share: t.Share, Seed: t.Seed})
	if err != nil {
		return b, err
	}
	e.Go(func(ctx context.Context) {
		r := &trial{e: e, id: b.ID, d: &d, now: now, draft: draft, trial: t, asOf: b.Began}
		found, err := r.run(ctx)
		fault := ""
		if err != nil {
			e.Log.Error("backtest", "draft", id, "backtest", b.ID, "error", err)
			fault = "试跑没有完成；请重试，仍不成功时请运维人员查看服务日志"
		}
		// Also when the house stops: the next start would say the same, later.
		if err := e.Desk.EndBacktest(context.WithoutCancel(ctx), b.ID, found, fault, e.Now()); err != nil {
			e.Log.Error("keep backtest", "backtest", b.ID, "error", err)
		}
		e.progress.Delete(b.ID)
	})
	return b, nil
}

// Progress is how many rows a running backtest has looked at, and about how many there are.
func (e *Editor) Progress(backtest string) (rows, total int64) {
	if p, ok := e.progress.Load(backtest); ok {
		at := p.([2]int64)
		return at[0], at[1]
	}
	return 0, 0
}

// judgedBy is a dataset version made ready.
type judgedBy struct {
	ds    *mulu.Dataset
	rules *quality.Ruleset
}

// compiled readies the version a draft changes and the draft; the draft's faults are
// mulu.ErrInvalid.
func (e *Editor) compiled(ctx context.Context, d *desk.Draft) (now, draft judgedBy, err error) {
	newest, err := e.Dataset(ctx, d.Dataset, 0)
	if err != nil {
		return now, draft, err
	}
	if newest.Version != d.Base {
		return now, draft, fmt.Errorf("草稿 %s 改的是版本 %d，现在生效的已是版本 %d；请先变基到新版本（rebase） / the version has moved on, rebase first: %w", d.ID, d.Base, newest.Version, mulu.ErrConflict)
	}
	_, faults, err := e.declared(ctx, newest, d.Rules, d.SetRules)
	if err != nil {
		return now, draft, err
	}
	if len(faults) > 0 {
		return now, draft, fmt.Errorf("草稿 %s 有 %d 处错误，第一处：%s / the draft has faults: %w", d.ID, len(faults), faults[0].Message, mulu.ErrInvalid)
	}
	now.ds, draft.ds = newest, ruled(newest, d.Rules, d.SetRules)
	if now.rules, err = e.Compile(now.ds); err == nil {
		draft.rules, err = e.Compile(draft.ds)
	}
	return now, draft, err
}

// trial is one backtest under way.
type trial struct {
	e          *Editor
	id         string
	d          *desk.Draft
	now, draft judgedBy
	trial      Trial
	asOf       time.Time
	total      int64

	found  desk.Tried
	rules  []int              // per row rule in force, its place in found.Rules
	ofNow  []int              // per row rule of the draft, the bit of the rule of the same id in force; -1
	ofNew  []int              // per row rule in force, its bit in the draft; -1
	flags  [2]quality.Flagged // of the rows, under the rules in force and under the draft
	days   map[batchKey]*desk.TriedDay
	byDay  map[string]*desk.TriedDay
	places library.Batches
}

type batchKey struct {
	topic     string
	partition uint32
	first     uint64
}

func (r *trial) run(ctx context.Context) (*desk.Tried, error) {
	before, err := r.state(ctx)
	if err != nil {
		return nil, err
	}
	if r.total, err = r.e.Library.Rows(ctx, r.d.Dataset); err != nil {
		return nil, err
	}
	if r.trial.Share > 0 {
		r.total = int64(float64(r.total) * r.trial.Share)
	}
	if r.places, err = r.e.Library.BatchTimes(ctx, r.d.Dataset); err != nil {
		return nil, err
	}
	r.prepare()
	opt := library.ScanOptions{Columns: union(r.now.rules.Uses(), r.draft.rules.Uses()), Share: r.trial.Share, Seed: r.trial.Seed, Version: r.d.Base,
		Provenance: []string{library.ColTopicID, mulu.ColPartition, mulu.ColBatch}}
	if err := r.e.Library.Scan(ctx, r.d.Dataset, opt, r.judge); err != nil {
		return nil, err
	}
	now, draft, err := r.sets(ctx)
	if err != nil {
		return nil, err
	}
	score, err := r.score(ctx, now, draft)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil { // the rest is worth having
		r.e.Log.Error("score of a backtest", "backtest", r.id, "dataset", r.d.Dataset, "error", err)
	}
	after, err := r.state(ctx)
	if err != nil {
		return nil, err
	}
	if r.found.Data = before[0]; !slices.Equal(after, before) {
		r.found.Data = "" // rows came meanwhile: nobody can say which of them were seen
	}
	found, err := r.conclude()
	if err == nil {
		found.Score = score
	}
	return found, err
}

// state names the rows that a backtest sees: the dataset's own first, then those of the
// datasets that set rules look at.
func (r *trial) state(ctx context.Context) ([]string, error) {
	all, err := r.e.Library.DataVersions(ctx)
	if err != nil {
		return nil, err
	}
	out := []string{all[r.d.Dataset]}
	for _, ds := range []*mulu.Dataset{r.now.ds, r.draft.ds} {
		for _, code := range quality.References(ds) {
			out = append(out, all[code])
		}
	}
	return out, nil
}

// union of columns, nil being all.
func union(a, b []string) []string {
	if a == nil || b == nil {
		return nil
	}
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// prepare lines the rules of the draft up, then those it drops, and maps bits.
func (r *trial) prepare() {
	r.flags = [2]quality.Flagged{{}, {}}
	r.days, r.byDay = map[batchKey]*desk.TriedDay{}, map[string]*desk.TriedDay{}
	r.found = desk.Tried{Dataset: r.d.Dataset, Base: r.d.Base, AsOf: r.asOf.In(clock.Shanghai).Format(time.DateOnly), Rules: []desk.TriedRule{}, Sets: []mulu.RuleID{}}
	change := map[mulu.RuleID]string{}
	for _, c := range Diff(r.now.ds, r.draft.ds.Rules, nil) {
		if !c.Set {
			change[c.Rule] = c.Change
		}
	}
	for _, rule := range r.draft.ds.Rules {
		t := desk.TriedRule{Rule: rule.ID, Title: rule.Title, Kind: rule.Kind, Blocking: rule.Blocking, Change: change[rule.ID]}
		if t.Change == "" {
			t.Change = RuleSame
		}
		r.found.Rules = append(r.found.Rules, t)
		r.ofNow = append(r.ofNow, bitOf(r.now.ds, rule.ID))
	}
	for _, rule := range r.now.ds.Rules {
		at := bitOf(r.draft.ds, rule.ID)
		r.ofNew = append(r.ofNew, at)
		if at < 0 {
			at = len(r.found.Rules)
			r.found.Rules = append(r.found.Rules, desk.TriedRule{Rule: rule.ID, Title: rule.Title, Kind: rule.Kind, Blocking: rule.Blocking, Change: RuleDropped})
		}
		r.rules = append(r.rules, at)
	}
	for _, s := range r.draft.ds.SetRules {
		r.found.Sets = append(r.found.Sets, s.ID)
	}
}

func bitOf(ds *mulu.Dataset, id mulu.RuleID) int {
	return slices.IndexFunc(ds.Rules, func(r mulu.Rule) bool { return r.ID == id })
}

// judge tries both sets of rules on one batch of rows.
func (r *trial) judge(rec arrow.RecordBatch) error {
	offsets := make([]int64, rec.NumRows())
	now, draft := r.now.rules.Check(rec, offsets, r.asOf), r.draft.rules.Check(rec, offsets, r.asOf)
	for i, f := range draft.Findings(mulu.Plan{}) {
		r.found.Rules[i].Evaluated += f.Evaluated
		r.found.Rules[i].Failed += f.Failed
	}
	for i, f := range now.Findings(mulu.Plan{}) {
		t := &r.found.Rules[r.rules[i]]
		t.EvaluatedNow += f.Evaluated
		t.FailedNow += f.Failed
	}
	n := len(r.now.ds.Columns)
	topics, partitions, batches := rec.Column(n).(*array.String), rec.Column(n+1).(*array.Uint32).Uint32Values(), rec.Column(n+2).(*array.Uint64).Uint64Values()
	for i := range draft.Flags {
		day := r.day(topics.Value(i), partitions[i], batches[i])
		day.Rows++
		if draft.Flags[i]|now.Flags[i] != 0 {
			r.compare(day, draft.Flags[i], now.Flags[i])
			r.flags[0][now.Flags[i]]++
			r.flags[1][draft.Flags[i]]++
		}
	}
	for _, f := range draft.Rejected {
		r.found.Rules[bitOf(r.draft.ds, f.Rule)].Rejected++
		r.day(topics.Value(f.Row), partitions[f.Row], batches[f.Row]).Rejected++
		r.found.Rejected++
		if now.Drop[f.Row>>6]>>(f.Row&63)&1 == 0 {
			r.found.NewRejected++
		}
	}
	r.found.Rows += rec.NumRows()
	r.e.progress.Store(r.id, [2]int64{r.found.Rows, max(r.total, r.found.Rows)})
	return nil
}

// compare counts one row that some rule finds at fault.
func (r *trial) compare(day *desk.TriedDay, draft, now uint64) {
	for rest := draft; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		t := &r.found.Rules[i]
		day.Failed[t.Rule]++
		if b := r.ofNow[i]; b >= 0 && now>>b&1 == 1 {
			t.Same++
		} else {
			t.New++
		}
	}
	for rest := now; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		t := &r.found.Rules[r.rules[i]]
		day.FailedNow[t.Rule]++
		if b := r.ofNew[i]; b < 0 || draft>>b&1 == 0 {
			t.Mended++
		}
	}
}

// day is where a row of a batch is counted: the day it was stored.
func (r *trial) day(topic string, partition uint32, first uint64) *desk.TriedDay {
	k := batchKey{topic, partition, first}
	if d := r.days[k]; d != nil {
		return d
	}
	k.topic = strings.Clone(topic) // it lies in a batch that goes away
	name := ""
	if at, ok := r.places[library.BatchPlace{Topic: k.topic, Partition: partition, First: first}]; ok {
		name = at.In(clock.Shanghai).Format(time.DateOnly)
	}
	d := r.byDay[name]
	if d == nil {
		d = &desk.TriedDay{Day: name, Failed: map[mulu.RuleID]int64{}, FailedNow: map[mulu.RuleID]int64{}}
		r.byDay[name] = d
	}
	r.days[k] = d
	return d
}

// conclude puts the days in order and names the whole.
func (r *trial) conclude() (*desk.Tried, error) {
	t := &r.found
	t.Days = []desk.TriedDay{}
	for _, d := range r.byDay {
		t.Days = append(t.Days, *d)
	}
	slices.SortFunc(t.Days, func(a, b desk.TriedDay) int { return strings.Compare(a.Day, b.Day) })
	body, err := json.Marshal(struct {
		Draft string
		Trial Trial
		Found *desk.Tried
	}{r.d.Digest, r.trial, t})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	t.Digest = "sha256:" + hex.EncodeToString(sum[:])
	return t, nil
}
