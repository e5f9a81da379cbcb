package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"mulu"
	"mulu/library"
	"mulu/plan"
	"mulu/quality"
	"mulu/quality/codes"
	"mulu/quality/desk"
	"mulu/quality/profile"
	"mulu/quality/suggest"
)

// Profiler looks over the current rows of a dataset when somebody asks (数据探查), in the
// background, one dataset at a time, and keeps the profile and what it suggests. A crash
// loses what is under way: nothing is stored before its end.
type Profiler struct {
	Library *library.Library
	Desk    *desk.Desk
	// Tables are the code tables that a dataset's values are held against.
	Tables func(*mulu.Dataset) *codes.Tables
	// Data names the state of a dataset's rows. Nil names none.
	Data func(context.Context, mulu.DatasetCode) (string, error)
	Seed uint64
	Now  func() time.Time
	Log  *slog.Logger
	Life context.Context // ends what runs in the background

	mu      sync.Mutex
	running *Profiling
	ended   map[mulu.DatasetCode]*Profiling // the last of each that failed
	known   map[mulu.DatasetCode]suggest.Other
	wg      sync.WaitGroup
}

// Profiling is a profile that is under way, or that failed.
type Profiling struct {
	Dataset     mulu.DatasetCode
	Actor       string
	Started     time.Time
	Done, Total int64 // rows
	Err         error
}

// Start begins a profile. mulu.ErrConflict says that another one is under way.
func (p *Profiler) Start(ds *mulu.Dataset, actor string) (Profiling, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		return Profiling{}, fmt.Errorf("正在探查数据集 %s，请稍后再试: %w", p.running.Dataset, mulu.ErrConflict)
	}
	p.running = &Profiling{Dataset: ds.Code, Actor: actor, Started: p.Now()}
	started := *p.running
	p.wg.Go(func() {
		err := p.run(p.Life, ds, actor)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.ended == nil {
			p.ended = map[mulu.DatasetCode]*Profiling{}
		}
		delete(p.ended, ds.Code)
		if err != nil {
			p.running.Err = err
			p.ended[ds.Code] = p.running
			if p.Life.Err() == nil {
				p.Log.Warn("profile failed", "dataset", string(ds.Code), "error", err)
			}
		}
		p.running = nil
	})
	return started, nil
}

// State is the profile of a dataset that is under way, or the last one if it failed;
// nil if there is neither.
func (p *Profiler) State(code mulu.DatasetCode) *Profiling {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.ended[code]
	if p.running != nil && p.running.Dataset == code {
		r = p.running
	}
	if r == nil {
		return nil
	}
	c := *r
	return &c
}

// Wait returns when nothing runs in the background.
func (p *Profiler) Wait() { p.wg.Wait() }

// run is the walk: count → scan and profile → suggest → keep.
func (p *Profiler) run(ctx context.Context, ds *mulu.Dataset, actor string) error {
	total, err := p.Library.Summary(ctx, plan.Summary{Dataset: ds.Code, Measures: []plan.Measure{{As: "rows", Kind: plan.Rows}}})
	if err != nil {
		return err
	}
	if n, ok := total[0]["rows"].(float64); ok {
		p.progress(0, int64(n))
	}
	data := ""
	if p.Data != nil {
		if data, err = p.Data(ctx, ds.Code); err != nil {
			return err
		}
	}
	b := profile.NewBuilder(profile.FieldsOf(ds), profile.Options{Seed: p.Seed, AsOf: p.Now(), Tables: p.Tables(ds)})
	// By key, so that the same rows stand in the same places whenever they are read.
	err = p.Library.Scan(ctx, ds.Code, library.ScanOptions{Version: ds.Version, Provenance: []string{}, OrderByKey: true}, func(rec arrow.RecordBatch) error {
		defer p.progress(rec.NumRows(), 0)
		return b.Add(rec)
	})
	if err != nil {
		return err
	}
	out := b.Profile()
	out.Dataset, out.Version, out.Data, out.At = string(ds.Code), ds.Version, data, p.Now()
	list := suggest.Rules(out, suggest.Options{Dataset: ds, RowKinds: quality.RuleKinds(), SetKinds: quality.SetKinds(), Self: b.Sketch(), Others: p.others(ds)})
	p.remember(ds, b.Sketch())
	return p.Desk.SaveProfile(ctx, desk.Profiled{Dataset: ds.Code, Ruleset: ds.Version, Data: data, Actor: actor, Profile: out, Suggestions: list, At: out.At})
}

func (p *Profiler) progress(rows, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		p.running.Done += rows
		p.running.Total = max(p.running.Total, total, p.running.Done)
	}
}

// others are the datasets that this process has profiled, which references are looked
// for in. What is known of their values is digests of personal data: it is never stored,
// and a restart begins anew.
func (p *Profiler) others(ds *mulu.Dataset) []suggest.Other {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []suggest.Other
	for code, o := range p.known {
		if code != ds.Code {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b suggest.Other) int { return cmp.Compare(a.Dataset, b.Dataset) })
	return out
}

func (p *Profiler) remember(ds *mulu.Dataset, s *profile.Sketch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[mulu.DatasetCode]suggest.Other{}
	}
	p.known[ds.Code] = suggest.Other{Dataset: string(ds.Code), Title: ds.Title, Key: ds.Key, Sketch: s}
}

// Profiled is a dataset's newest profile with the suggestions that are not declared
// since. mulu.ErrNotFound says that there is none.
func (p *Profiler) Profiled(ctx context.Context, ds *mulu.Dataset) (*desk.Profiled, error) {
	out, err := p.Desk.Profile(ctx, ds.Code)
	if err == nil && out == nil {
		err = fmt.Errorf("数据集 %s 尚未探查: %w", ds.Code, mulu.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	out.Suggestions = suggest.Undeclared(out.Suggestions, ds)
	return out, nil
}
