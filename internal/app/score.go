package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/ingest/submit"
	"mulu/internal/clock"
	"mulu/internal/declare"
	"mulu/ledger/contract"
	"mulu/library"
	"mulu/plan"
	"mulu/quality"
	"mulu/share"
)

const (
	probeEvery  = time.Minute
	probeWithin = 10 * time.Second
)

// around is what many datasets' scores of one moment share.
type around struct {
	period    mulu.Period
	now       time.Time
	totals    []library.Total
	unchanged map[mulu.DatasetCode]submit.Unchanged
	calls     map[mulu.DatasetCode]quality.Calls
	offered   map[mulu.DatasetCode][]quality.Offered
	probes    map[mulu.DatasetCode]quality.Tally
}

// lookAround reads it.
func (a *App) lookAround(ctx context.Context, period mulu.Period) (*around, error) {
	r := &around{period: period, now: time.Now(), probes: map[mulu.DatasetCode]quality.Tally{}}
	var err error
	if r.totals, err = a.lib.RunningTotals(ctx); err != nil {
		return nil, err
	}
	if r.unchanged, err = a.submit.Unchanged(ctx); err != nil {
		return nil, err
	}
	probes, err := a.catalog.ProbesIn(ctx, period)
	if err != nil {
		return nil, err
	}
	for code, p := range probes {
		r.probes[code] = quality.Tally{A: p.Answered, B: p.Asked}
	}
	return r, a.lookAtShares(ctx, r)
}

// lookAtShares counts the reads of the period and says what scenarios offer, per dataset.
func (a *App) lookAtShares(ctx context.Context, r *around) error {
	r.calls, r.offered = map[mulu.DatasetCode]quality.Calls{}, map[mulu.DatasetCode][]quality.Offered{}
	scenarios, err := a.share.Scenarios(ctx)
	if err != nil {
		return err
	}
	calls, err := a.share.Calls(ctx, r.period.From, r.period.To)
	if err != nil {
		return err
	}
	grants, err := a.share.Grants(ctx, share.GrantFilter{State: contract.Active})
	if err != nil {
		return err
	}
	inUse := map[mulu.ScenarioCode]map[string]bool{}
	for i := range grants {
		t := &grants[i].Terms
		if now := r.now.UnixMicro(); now < t.From || now >= t.To {
			continue
		}
		if inUse[t.Scenario] == nil {
			inUse[t.Scenario] = map[string]bool{}
		}
		for _, it := range t.Items {
			inUse[t.Scenario][it.Name] = true
		}
	}
	for i := range scenarios {
		sc := &scenarios[i].Scenario
		for _, code := range sc.Datasets() {
			r.calls[code] = addCalls(r.calls[code], calls, sc.Code)
		}
		for _, it := range sc.Items {
			code, column := a.columnOf(&sc.View, it.Name)
			r.offered[code] = append(r.offered[code], quality.Offered{Column: column, Masked: it.MaskFor("") != plan.Clear, InUse: inUse[sc.Code][it.Name]})
		}
	}
	return nil
}

func addCalls(to quality.Calls, list []share.CallCount, scenario mulu.ScenarioCode) quality.Calls {
	for _, c := range list {
		if c.Scenario != scenario {
			continue
		}
		to.Asked += c.Calls
		switch c.Outcome {
		case share.Denied:
			to.Denied += c.Calls
		case share.Delivered:
			to.Delivered += c.Calls
		case share.Failed, share.Interrupted:
			to.Failed += c.Calls
		}
	}
	return to
}

// columnOf is the column that an item of a view comes from, "" for one that is computed:
// an age shows no birth date.
func (a *App) columnOf(v *plan.View, item string) (mulu.DatasetCode, string) {
	f, err := v.Field(item, a.lib.Dataset)
	switch {
	case err != nil || f.Derived != nil:
		return v.Base, ""
	case f.Lookup != nil:
		return f.Lookup.Dataset, f.Column
	}
	return v.Base, f.Column
}

// evaluate scores one dataset as it stands, its increment being what landed in the period.
func (a *App) evaluate(ctx context.Context, ds *mulu.Dataset, r *around) (mulu.Score, error) {
	f, err := a.facts(ctx, ds, r)
	if err != nil {
		return mulu.Score{}, err
	}
	return quality.Evaluate(ctx, ds, a.lib, f, *a.weights.Load(), r.now)
}

func (a *App) facts(ctx context.Context, ds *mulu.Dataset, r *around) (f quality.Facts, err error) {
	nothing := r.unchanged[ds.Code]
	f = quality.Facts{Period: &r.period, Unchanged: nothing.Until, Report: nothing.Period, Calls: r.calls[ds.Code], Offered: r.offered[ds.Code], Probes: r.probes[ds.Code]}
	for _, t := range r.totals {
		if t.Dataset == ds.Code && t.Last.After(f.Last) {
			f.Last = t.Last
		}
	}
	if f.Entry, err = a.entryOf(ctx, ds); err != nil {
		return f, err
	}
	run, err := a.quality.LatestRun(ctx, ds.Code)
	if err != nil {
		return f, err
	}
	if run != nil && run.Ruleset == ds.Version {
		f.Results, f.Run = run.Results, run.Digest
	}
	period, err := a.lib.LandedIn(ctx, ds.Code, r.period.From, r.period.To)
	if err != nil {
		return f, err
	}
	var historic []plan.Range
	if ds.Baseline != "" {
		day, err := time.ParseInLocation(time.DateOnly, ds.Baseline, clock.Shanghai)
		if err != nil {
			return f, fmt.Errorf("baseline of %s: %w", ds.Code, err)
		}
		if historic, err = a.lib.LandedIn(ctx, ds.Code, time.Time{}, day); err != nil {
			return f, err
		}
	}
	f.Cuts = quality.Cuts(ds, period, historic)
	if f.Received, err = a.received(ctx, ds, f.Cuts); err != nil {
		return f, err
	}
	f.Arrivals, f.First, err = a.lib.Arrivals(ctx, ds.Code, quality.ArrivalsSince(ds, r.now))
	return f, err
}

func (a *App) received(ctx context.Context, ds *mulu.Dataset, cuts []plan.Cut) (map[quality.Stratum]quality.Counts, error) {
	parts, err := a.lib.Received(ctx, ds.Code, cuts)
	if err != nil {
		return nil, err
	}
	out := map[quality.Stratum]quality.Counts{}
	for _, p := range parts {
		n := quality.Counts{Good: p.Good, Rejected: p.Rejected, ByRule: map[mulu.RuleID]int64{}, ByClass: map[string]int64{}}
		for _, c := range p.Classes {
			n.ByClass[c.Class] += c.Rows
			if c.Rule != "" {
				n.ByRule[c.Rule] += c.Rows
			}
		}
		out[quality.Stratum{Period: len(p.In) > 0 && p.In[0], Historic: len(p.In) > 1 && p.In[1]}] = n
	}
	return out, nil
}

// entryOf is what the catalogue says of a dataset, nil if it has no entry.
func (a *App) entryOf(ctx context.Context, ds *mulu.Dataset) (*declare.Entry, error) {
	v, err := a.catalog.Entry(ctx, ds.Catalog)
	if errors.Is(err, mulu.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &declare.Entry{Summary: v.Summary, CatalogLevel: v.CatalogLevel, Class: v.Class, SourceMode: v.SourceMode, Format: v.Format, ShareType: v.ShareType,
		ShareCondition: v.ShareCondition, ShareModes: v.ShareModes, OpenType: v.OpenType, Cycle: v.Cycle}, nil
}

// ScoreOf works out a dataset's score now, with another period for its increment than the
// one that is kept, and keeps nothing.
func (a *App) ScoreOf(ctx context.Context, code mulu.DatasetCode, period mulu.Period) (mulu.Score, error) {
	ds, err := a.catalog.Dataset(ctx, code, 0)
	if err != nil {
		return mulu.Score{}, err
	}
	r, err := a.lookAround(ctx, period)
	if err != nil {
		return mulu.Score{}, err
	}
	return a.evaluate(ctx, ds, r)
}

// Standings tells how every dataset stood at the end of a period, the current one included.
func (a *App) Standings(ctx context.Context, period mulu.Period) ([]quality.Standing, error) {
	datasets, err := a.catalog.Datasets(ctx)
	if err != nil {
		return nil, err
	}
	scores, err := a.catalog.ScoresBefore(ctx, period.To)
	if err != nil {
		return nil, err
	}
	r := &around{period: period, now: time.Now()}
	if err := a.lookAtShares(ctx, r); err != nil {
		return nil, err
	}
	out := make([]quality.Standing, 0, len(datasets))
	for _, ds := range datasets {
		s := quality.Standing{Dataset: ds.Code, Title: ds.Title, Owner: ds.Owner, Reads: r.calls[ds.Code].Delivered}
		entry, err := a.entryOf(ctx, ds)
		if err != nil {
			return nil, err
		}
		if entry != nil {
			s.Class = entry.Class
		}
		for i := range scores {
			if scores[i].Dataset == ds.Code {
				s.Score = &scores[i].Score
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// Weights is the scheme in force.
func (a *App) Weights() quality.Weights { return *a.weights.Load() }

// probe asks every dataset for one row by its key, the way a shared read would, and notes
// whether it answered.
func (a *App) probe(ctx context.Context) error {
	datasets, err := a.catalog.Datasets(ctx)
	if err != nil {
		return err
	}
	answered := map[mulu.DatasetCode]bool{}
	for _, newest := range datasets {
		ds := a.lib.Dataset(newest.Code)
		if ds == nil {
			continue
		}
		within, cancel := context.WithTimeout(ctx, probeWithin)
		_, err := a.lib.Read(within, probeOf(ds), library.ReadOptions{Limit: 1})
		cancel()
		if ctx.Err() != nil {
			return nil // the house stops: nobody's fault
		}
		if answered[ds.Code] = err == nil; err != nil {
			a.log.Warn("dataset does not answer", "dataset", ds.Code, "error", err)
		}
	}
	if len(answered) == 0 {
		return nil
	}
	return a.catalog.NoteProbes(ctx, answered, time.Now())
}

// probeOf reads the row of a key that hardly exists, and none of its values.
func probeOf(ds *mulu.Dataset) plan.Plan {
	key := ds.Columns[ds.Column(ds.Key[0])]
	value := map[mulu.Type]any{mulu.String: "-", mulu.Int: int64(0), mulu.Decimal: "0", mulu.Date: "2000-01-01", mulu.DateTime: "2000-01-01 00:00:00", mulu.Bool: false}[key.Type]
	return plan.Plan{View: plan.View{Base: ds.Code}, Items: []plan.Item{{Name: key.Name, Mask: plan.MaskHide}}, Where: plan.Predicate{Field: key.Name, Op: plan.Eq, Value: value}}
}

// occasion names what a score is to be made anew for though nothing came in: another day,
// scheme or version. A day changes how late a dataset is, and is a point in its trend.
func (a *App) occasion(ds *mulu.Dataset, at time.Time) string {
	return fmt.Sprint(at.In(clock.Shanghai).Format(time.DateOnly), " ", a.weights.Load().Version, " ", ds.Version)
}

// stale says whether a kept score is of another occasion. One that came out equal was not
// kept again: this process remembers that it looked.
func (a *App) stale(s *mulu.Score, ds *mulu.Dataset, now time.Time) bool {
	if looked, ok := a.looked[ds.Code]; ok {
		return looked != a.occasion(ds, now)
	}
	kept := fmt.Sprint(s.At.In(clock.Shanghai).Format(time.DateOnly), " ", s.Weights, " ", s.Ruleset)
	return kept != a.occasion(ds, now) || !quality.Complete(s)
}
