package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/library"
	"mulu/pipeline"
	"mulu/quality"
)

// Clocks of the workers. Scores and anchors follow from what Step stored; none of
// them is in a batch's way.
const (
	scoreEvery  = 5 * time.Second
	scoreAtMost = 5 * time.Minute // a score waits no longer for a hundredth of new records
	expireEvery = time.Minute
	sweepEvery  = 10 * time.Minute
	landEvery   = time.Second
	// lateManifests is how far back anchoring looks: partitions finish out of order.
	lateManifests = 5 * time.Minute
	// settleManifests is how old a manifest must be to be anchored: it may become
	// readable a little after its time.
	settleManifests = 2 * time.Second
)

func (a *App) startWorkers() {
	a.work.Go(func() error { return a.source.Run(a.workCtx, a.step) })
	a.every(ingest.SeenStep, "note the lag", func(context.Context) error {
		a.seen.Lag(a.source.Status())
		return nil
	})
	pace := scorePace{}
	a.every(scoreEvery, "score datasets", func(ctx context.Context) error { return a.scoreDatasets(ctx, pace) })
	a.every(rulesEvery, "run rules", func(ctx context.Context) error { return a.runChanged(ctx, true) })
	a.every(a.cfg.Ledger.AnchorEvery, "anchor batches", a.AnchorBatches)
	a.every(a.cfg.Ledger.AnchorEvery, "anchor receipts", func(ctx context.Context) error {
		n, err := a.share.AnchorReceipts(ctx)
		if n > 0 {
			a.wakeRelay()
		}
		return err
	})
	a.every(probeEvery, "probe datasets", a.probe)
	a.every(sweepEvery, "sweep batches", a.sweepBatches)
	a.every(a.cfg.Ingest.ReconcileEvery, "reconcile", a.reconcile)
	a.every(landEvery, "land submissions", func(ctx context.Context) error {
		_, err := a.submit.Land(ctx, a.lib)
		return err
	})
	a.work.Go(func() error { return a.history.Run(a.workCtx, judgeEvery) })
	a.startTables()
	a.startIntake()
	a.startFiles()
	a.every(correctEvery, "finish corrections", a.finishCorrections)
	a.every(expireEvery, "expire grants", func(ctx context.Context) error {
		_, err := a.share.Expire(ctx)
		return err
	})
}

// every runs f until the house stops. An error is logged and tried again at the
// next turn: nothing a worker does is lost by being late.
func (a *App) every(d time.Duration, what string, f func(context.Context) error) {
	a.work.Go(func() error {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-a.workCtx.Done():
				return nil
			case <-tick.C:
				if err := f(a.workCtx); err != nil && a.workCtx.Err() == nil {
					a.log.Warn("worker", "work", what, "error", err)
				}
			}
		}
	})
}

// step is one call of the walk in for one partition.
func (a *App) step(ctx context.Context, p *ingest.Partition) error {
	lane := pipeline.Lane{Source: p, Version: a.rules.of, Journal: a.journal, Library: a.lib, Now: time.Now, Seen: a.seen, Passed: a.opt.Passed, Strange: a.strange}
	return lane.Step(ctx)
}

// strangeEvery is how often the same unknown field is told again.
const strangeEvery = 10 * time.Minute

// strange tells the owner of a dataset which fields it sends that the version does
// not know. They are in _extra; a lost notice comes again with the next batch.
func (a *App) strange(plan mulu.Plan, fields map[string]int64) {
	now := time.Now()
	for field, rows := range fields {
		key := string(plan.Dataset) + "\x00" + field
		if told, ok := a.told.Load(key); ok && now.Sub(told.(time.Time)) < strangeEvery {
			continue
		}
		detail := fmt.Sprintf("版本 %d 没有登记字段“%s”，位置 %d 至 %d 的 %d 行带有它；原样保存在 _extra 中，登记新版本后即成为数据项", plan.Version, field, plan.First, plan.Last, rows)
		if err := a.journal.Notice(a.workCtx, plan.Dataset, ingest.NoticeUnknownField, field, detail); err != nil {
			a.log.Warn("keep notice", "error", err)
			return
		}
		a.told.Store(key, now)
	}
}

// scorePace keeps a dataset that trickles from being scored, all rows of it, every few
// seconds: a score is due when the dataset has grown by a hundredth, or is old.
type scorePace map[mulu.DatasetCode]scored

type scored struct {
	offsets int64
	at      time.Time
}

// due says whether a dataset of so many offsets should be scored at now.
func (p scorePace) due(code mulu.DatasetCode, offsets int64, now time.Time) bool {
	last, ok := p[code]
	return !ok || offsets-last.offsets >= max(1, last.offsets/100) || now.Sub(last.at) >= scoreAtMost
}

// ScoreAll scores every dataset that has new batches, or was corrected, since its
// last score.
func (a *App) ScoreAll(ctx context.Context) error {
	return a.scoreDatasets(ctx, nil)
}

// scoreDatasets scores those with new batches that are due, and those that
// were corrected; nil paces nothing.
func (a *App) scoreDatasets(ctx context.Context, pace scorePace) error {
	a.scoring.Lock()
	defer a.scoring.Unlock()
	totals, err := a.lib.RunningTotals(ctx)
	if err != nil {
		return err
	}
	corrections, err := a.lib.Corrections(ctx)
	if err != nil {
		return err
	}
	marks := marksOf(corrections)
	arrived := map[mulu.DatasetCode]arrival{}
	for _, t := range totals {
		in := arrived[t.Dataset]
		arrived[t.Dataset] = arrival{offsets: in.offsets + t.Offsets, last: later(in.last, t.Last), mark: marks[t.Dataset]}
	}
	unchanged, err := a.submit.Unchanged(ctx)
	if err != nil {
		return err
	}
	datasets, err := a.catalog.Datasets(ctx)
	if err != nil {
		return err
	}
	if err := a.weigh(ctx); err != nil { // a scheme may have come into force at midnight
		return err
	}
	period, err := quality.PeriodOf("", time.Now())
	if err != nil {
		return err
	}
	var seen *around // by the first dataset that is due
	var faults []error
	for _, ds := range datasets {
		in := arrived[ds.Code]
		if in.last.IsZero() {
			continue
		}
		if nothing := unchanged[ds.Code]; nothing.Until.After(in.last) {
			in.last, in.reported = nothing.Until, true
		}
		now := time.Now()
		if due, err := a.scoreDue(ctx, ds, in, pace, now); err != nil {
			return err
		} else if !due {
			continue
		}
		if seen == nil {
			if seen, err = a.lookAround(ctx, period); err != nil {
				return err
			}
		}
		s, err := a.evaluate(ctx, ds, seen)
		if err == nil {
			_, err = a.catalog.SaveScore(ctx, s)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("score %s: %w", ds.Code, err))
			continue
		}
		if pace != nil {
			pace[ds.Code] = scored{in.offsets, now}
		}
		a.scored[ds.Code], a.looked[ds.Code] = in.mark, a.occasion(ds, now)
	}
	a.wakeRelay()
	return errors.Join(faults...)
}

// arrival is what has come in of a dataset when it is asked whether a score is due.
type arrival struct {
	offsets  int64
	last     time.Time // newest manifest or nil report
	reported bool      // the newest is a nil report
	mark     string    // names the corrections, see marksOf
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// scoreDue says whether a dataset is to be scored: at once on another occasion, after
// corrections and nil reports, when the first run of its rules brings the set rules in
// and when a person ran them; at the pace of what comes in when rows or a run are newer.
func (a *App) scoreDue(ctx context.Context, ds *mulu.Dataset, in arrival, pace scorePace, now time.Time) (bool, error) {
	known, err := a.catalog.LatestScore(ctx, ds.Code)
	scored := err == nil
	if err != nil && !errors.Is(err, mulu.ErrNotFound) {
		return false, err
	}
	run, err := a.quality.RunDigest(ctx, ds.Code, ds.Version)
	if err != nil {
		return false, err
	}
	_, asked := a.rerun.LoadAndDelete(ds.Code)
	corrected, rerun := a.scored[ds.Code] != in.mark, run != known.Run
	if scored && a.stale(&known.Score, ds, now) || corrected || rerun && (asked || known.Run == "") {
		return true, nil
	}
	if scored && !rerun && !in.last.After(known.Through) {
		return false, nil
	}
	return in.reported || pace.due(ds.Code, in.offsets, now), nil
}

// AnchorBatches puts the manifests that are not yet under a root on their way to
// the chain.
func (a *App) AnchorBatches(ctx context.Context) error {
	through, err := a.catalog.AnchoredThrough(ctx)
	if err != nil {
		return err
	}
	cursor := ""
	if !through.IsZero() {
		cursor = library.CursorAt(through.Add(-lateManifests))
	}
	return a.anchorFrom(ctx, cursor)
}

// sweepBatches anchors what AnchorBatches may have passed by: a manifest that was
// dated before the newest one seen, after the clock had stepped back, say.
func (a *App) sweepBatches(ctx context.Context) error {
	totals, err := a.lib.Totals(ctx)
	if err != nil {
		return err
	}
	var stored int64
	for _, t := range totals {
		stored += t.Batches
	}
	anchored, err := a.catalog.Anchored(ctx)
	if err != nil || anchored >= stored {
		return err
	}
	return a.anchorFrom(ctx, "")
}

// anchorFrom anchors every manifest after a cursor that is not anchored yet.
func (a *App) anchorFrom(ctx context.Context, cursor string) error {
	const page = 5000
	for {
		list, next, err := a.lib.Manifests(ctx, cursor, time.Now().Add(-settleManifests), page)
		if err != nil || len(list) == 0 {
			return err
		}
		n, err := a.catalog.AnchorBatches(ctx, list)
		if n > 0 {
			a.wakeRelay()
		}
		if err != nil {
			return err
		}
		if cursor = next; len(list) < page {
			return nil
		}
	}
}

// Drained waits until everything that the broker holds now is stored.
func (a *App) Drained(ctx context.Context) error {
	return a.drained(ctx, "等待入库 / storing")
}

func (a *App) drained(ctx context.Context, stage string) error {
	datasets, err := a.catalog.Datasets(ctx)
	if err != nil {
		return err
	}
	topics := make([]string, len(datasets))
	for i, ds := range datasets {
		topics[i] = ds.Topic
	}
	ends, err := a.admin.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return fmt.Errorf("ask the broker for end offsets: %w", err)
	}
	for {
		var done, total int64
		at := map[string]map[int32]int64{}
		for _, s := range a.source.Status() {
			if at[s.Topic] == nil {
				at[s.Topic] = map[int32]int64{}
			}
			at[s.Topic][s.Partition] = s.Position
			if s.Stopped {
				return fmt.Errorf("partition %s/%d is stopped: %s", s.Topic, s.Partition, s.Error)
			}
		}
		for topic, ps := range ends {
			for p, end := range ps {
				total += end.Offset
				done += max(0, min(at[topic][p], end.Offset))
			}
		}
		a.opt.Progress(stage, done, total)
		if done >= total {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
