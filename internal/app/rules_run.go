package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/internal/declare"
	"mulu/library"
	"mulu/plan"
	"mulu/quality"
	"mulu/quality/band"
	"mulu/quality/desk"
)

const (
	rulesEvery = 10 * time.Second
	// rulesShare bounds what runs cost: a dataset rests for this many times the duration of
	// its last run, and no longer than scoreAtMost.
	rulesShare = 20
	// rulesBack is how far back arrivals and metrics are read: bands look at month ends.
	rulesBack = 400 * 24 * time.Hour
	// rulesSeed is what a rule that samples would begin from; none does.
	rulesSeed = 0
)

// ruleRuns is what the house remembers of the runs of this process. Only one runs at a
// time: each reads a whole dataset.
type ruleRuns struct {
	one  sync.Mutex
	last map[mulu.DatasetCode]lastRun // under one
}

// lastRun is what a dataset's last run looked at, and what it cost.
type lastRun struct {
	state string
	at    time.Time
	took  time.Duration
}

// RunRules runs all rules of a dataset now and keeps the run.
func (a *App) RunRules(ctx context.Context, code mulu.DatasetCode) (*desk.Run, error) {
	ds, err := a.catalog.Dataset(ctx, code, 0)
	if err != nil {
		return nil, err
	}
	a.runs.one.Lock()
	defer a.runs.one.Unlock()
	versions, err := a.lib.DataVersions(ctx)
	if err != nil {
		return nil, err
	}
	run, err := a.runRules(ctx, ds, versions)
	if err == nil {
		a.rerun.Store(ds.Code, true)
	}
	return run, err
}

// RunChanged runs the rules of every dataset whose rows, rules, or rows of datasets
// that its rules look at have changed since its last run, and once a day all of them.
func (a *App) RunChanged(ctx context.Context) error { return a.runChanged(ctx, false) }

// runChanged with paced lets datasets rest that change all the time.
func (a *App) runChanged(ctx context.Context, paced bool) error {
	a.runs.one.Lock()
	defer a.runs.one.Unlock()
	versions, err := a.lib.DataVersions(ctx)
	if err != nil {
		return err
	}
	datasets, err := a.catalog.Datasets(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, ds := range datasets {
		if versions[ds.Code] == "" {
			continue
		}
		due, err := a.rulesDue(ctx, ds, versions, paced)
		if err != nil {
			return err
		}
		if !due {
			continue
		}
		if _, err := a.runRules(ctx, ds, versions); err != nil {
			faults = append(faults, fmt.Errorf("run rules of %s: %w", ds.Code, err))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.Join(faults...)
}

// rulesDue says whether a dataset's last run was of another state. After a restart the
// newest run that was kept is asked.
func (a *App) rulesDue(ctx context.Context, ds *mulu.Dataset, versions map[mulu.DatasetCode]string, paced bool) (bool, error) {
	now := time.Now()
	state := runState(ds, stateOf(ds, versions), now)
	last, known := a.runs.last[ds.Code]
	if !known {
		kept, err := a.quality.LatestRun(ctx, ds.Code)
		if err != nil || kept == nil {
			return err == nil, err
		}
		last = lastRun{state: runState(&mulu.Dataset{Code: ds.Code, Version: kept.Ruleset}, kept.Data, kept.At)}
	}
	if last.state == state {
		return false, nil
	}
	return !paced || now.Sub(last.at) >= min(rulesShare*last.took, scoreAtMost), nil
}

// runState is all that decides what a run finds.
func runState(ds *mulu.Dataset, data string, at time.Time) string {
	return fmt.Sprintf("%d %s %s", ds.Version, data, at.In(clock.Shanghai).Format(time.DateOnly))
}

// stateOf names the rows that a dataset's rules see: its own, and those of the datasets
// they look at.
func stateOf(ds *mulu.Dataset, versions map[mulu.DatasetCode]string) string {
	own := versions[ds.Code]
	if own == "" {
		own = "empty"
	}
	others := quality.References(ds)
	if len(others) == 0 {
		return own
	}
	h := sha256.New()
	for _, code := range others {
		fmt.Fprintf(h, "%s %s\n", code, versions[code])
	}
	return own + "+" + hex.EncodeToString(h.Sum(nil)[:4])
}

// runRules runs and keeps one. A crash before the run is kept leaves nothing; one after
// the metrics leaves numbers that the next run measures again.
func (a *App) runRules(ctx context.Context, ds *mulu.Dataset, versions map[mulu.DatasetCode]string) (*desk.Run, error) {
	began := time.Now()
	in, err := a.runInput(ctx, ds, began)
	if err != nil {
		return nil, err
	}
	data := stateOf(ds, versions)
	out, err := quality.Run(ctx, a.lib, in)
	if err != nil {
		return nil, err
	}
	for _, f := range out.Faults {
		a.log.Warn("rule could not be judged", "dataset", ds.Code, "error", f)
	}
	after, err := a.lib.DataVersions(ctx)
	if err != nil {
		return nil, err
	}
	if now := stateOf(ds, after); now != data { // rows came meanwhile: it is of neither state
		data += ".." + now
	}
	digest, err := quality.Digest(data, ds.Version, rulesSeed, out.Results)
	if err != nil {
		return nil, err
	}
	run := &desk.Run{Dataset: ds.Code, Ruleset: ds.Version, Data: data, Digest: digest, Results: out.Results, At: began}
	if err := a.quality.SaveMetrics(ctx, ds.Code, out.Metrics); err != nil {
		return nil, err
	}
	if err := a.quality.SaveRun(ctx, *run); err != nil {
		return nil, err
	}
	if a.runs.last == nil {
		a.runs.last = map[mulu.DatasetCode]lastRun{}
	}
	a.runs.last[ds.Code] = lastRun{runState(ds, data, began), time.Now(), time.Since(began)}
	return run, nil
}

// runInput gathers what a run knows besides the rows.
func (a *App) runInput(ctx context.Context, ds *mulu.Dataset, now time.Time) (quality.RunInput, error) {
	in := quality.RunInput{Dataset: ds, Datasets: a.lib.Dataset, Now: now}
	var err error
	if in.Facts, err = a.runFacts(ctx, ds); err != nil {
		return in, err
	}
	arrived, err := a.lib.ArrivalsByDay(ctx, ds.Code, now.Add(-rulesBack))
	if err != nil {
		return in, err
	}
	for _, d := range arrived {
		in.Arrivals = append(in.Arrivals, band.Value{Day: d.Day, Value: float64(d.Rows)})
	}
	if in.History, err = a.quality.Metrics(ctx, ds.Code, now.Add(-rulesBack).In(clock.Shanghai).Format(time.DateOnly)); err != nil {
		return in, err
	}
	in.Calendar, err = clock.National()
	return in, err
}

// runFacts is what manifests, rejects and nil reports say of a dataset.
func (a *App) runFacts(ctx context.Context, ds *mulu.Dataset) (f quality.Facts, err error) {
	totals, err := a.lib.RunningTotals(ctx)
	if err != nil {
		return f, err
	}
	for _, t := range totals {
		if t.Dataset == ds.Code && t.Last.After(f.Last) {
			f.Last = t.Last
		}
	}
	if f.Received, err = a.received(ctx, ds, nil); err != nil {
		return f, err
	}
	nothing, err := a.submit.Unchanged(ctx)
	f.Unchanged, f.Report = nothing[ds.Code].Until, nothing[ds.Code].Period
	return f, err
}

// fitsRules refuses set rules that look at what is not there, and free statements that
// read what they may not. Declarations are an operator's: nobody else brings any.
func (a *App) fitsRules(ctx context.Context, set *declare.Set, known []*mulu.Dataset) error {
	all := map[mulu.DatasetCode]*mulu.Dataset{}
	for _, ds := range known {
		all[ds.Code] = ds
	}
	for _, d := range set.Datasets {
		if now := all[d.Code]; now == nil || now.Version <= d.Version {
			all[d.Code] = d.Dataset
		}
	}
	var faults []error
	for _, d := range set.Datasets {
		faults = append(faults, quality.CheckSet(d.Dataset, plan.Datasets(func(code mulu.DatasetCode) *mulu.Dataset { return all[code] })))
		if a.lib == nil {
			continue // a preview of a stopped house has no engine to ask
		}
		for _, sql := range quality.SQL(d.Dataset) {
			if err := a.lib.CheckSQL(ctx, sql); err != nil {
				faults = append(faults, fmt.Errorf("数据集 %s 的 SQL 规则（所读的表须先有）/ sql rule: %w", d.Code, err))
			}
		}
	}
	return errors.Join(faults...)
}

var _ quality.Asker = (*library.Library)(nil)
