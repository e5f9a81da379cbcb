package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/library"
	"mulu/plan"
)

// HistoryDesk has histories judged when it is due: after a version with other rules, once
// a day where rules name today, and when somebody asks. One walk at a time: what is left
// of the machine belongs to the way in. Nothing of it is kept but what Judge stores; a
// restart finds what is due by looking.
type HistoryDesk struct {
	Judge    Judge
	Datasets func(ctx context.Context) ([]*mulu.Dataset, error)
	Log      *slog.Logger
	// Judged is told each dataset whose effective flags may have changed. Nil is fine.
	Judged func(code mulu.DatasetCode)

	mu     sync.Mutex
	asked  map[mulu.DatasetCode]bool
	states map[mulu.DatasetCode]*HistoryState
	woken  chan struct{}
	once   sync.Once
}

// HistoryState is how far the judging of one dataset's history has come.
type HistoryState struct {
	State       string // "idle", "waiting", "running" or "failed"
	Why         string // Chinese: why it is judged
	Rows, Total int64  // judged so far, and about how many there are
	Error       string // of the last walk, if it failed
	Since       time.Time
	Last        *library.Judged // under the rules in force; nil if never
}

// States of a HistoryState.
const (
	HistoryIdle    = "idle"
	HistoryWaiting = "waiting"
	HistoryRunning = "running"
	HistoryFailed  = "failed"
)

// wake gives the channel that ends the wait for the next turn.
func (d *HistoryDesk) wake() chan struct{} {
	d.once.Do(func() {
		d.woken = make(chan struct{}, 1)
		d.asked, d.states = map[mulu.DatasetCode]bool{}, map[mulu.DatasetCode]*HistoryState{}
	})
	return d.woken
}

// Ask has the whole history of a dataset judged anew, soon.
func (d *HistoryDesk) Ask(code mulu.DatasetCode) {
	woken := d.wake()
	d.mu.Lock()
	d.asked[code] = true
	if s := d.states[code]; s == nil || s.State != HistoryRunning {
		d.states[code] = &HistoryState{State: HistoryWaiting, Why: "按要求重新判断全部历史", Since: d.Judge.Now()}
	}
	d.mu.Unlock()
	select {
	case woken <- struct{}{}:
	default:
	}
}

// Wake looks for what is due now and not at the next turn.
func (d *HistoryDesk) Wake() {
	select {
	case d.wake() <- struct{}{}:
	default:
	}
}

// State tells how far a dataset is.
func (d *HistoryDesk) State(ctx context.Context, code mulu.DatasetCode) (HistoryState, error) {
	d.wake()
	ds := d.Judge.Library.Dataset(code)
	if ds == nil {
		return HistoryState{}, fmt.Errorf("数据集 %q 没有入库的版本 / no applied version: %w", code, mulu.ErrNotFound)
	}
	s := HistoryState{State: HistoryIdle}
	d.mu.Lock()
	if now := d.states[code]; now != nil {
		s = *now
	}
	d.mu.Unlock()
	var err error
	if s.Last, err = d.Judge.Library.Judged(ctx, code, ds.RulesDigest()); err != nil {
		return s, err
	}
	if s.State == HistoryIdle {
		s.Why, err = d.Judge.Library.JudgingDue(ctx, code)
	}
	return s, err
}

// Run judges what is due until ctx ends, looking at least every so often.
func (d *HistoryDesk) Run(ctx context.Context, every time.Duration) error {
	woken := d.wake()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := d.Turn(ctx); err != nil && ctx.Err() == nil {
			d.Log.Warn("worker", "work", "judge history", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-woken:
		}
	}
}

// Turn judges every dataset that is due. One that fails does not keep the others.
func (d *HistoryDesk) Turn(ctx context.Context) error {
	d.wake()
	datasets, err := d.Datasets(ctx)
	if err != nil {
		return err
	}
	var faults []error
	for _, ds := range datasets {
		if err := d.turn(ctx, ds.Code); err != nil {
			faults = append(faults, fmt.Errorf("judge history of %s: %w", ds.Code, err))
		}
	}
	return errors.Join(faults...)
}

func (d *HistoryDesk) turn(ctx context.Context, code mulu.DatasetCode) error {
	ds := d.Judge.Library.Dataset(code)
	if ds == nil {
		return nil
	}
	whole, why, err := d.due(ctx, ds)
	if err != nil || why == "" {
		return err
	}
	s := &HistoryState{State: HistoryRunning, Why: why, Since: d.Judge.Now()}
	d.put(code, func() *HistoryState { return s })
	if s.Total, err = d.total(ctx, code, whole); err == nil {
		err = d.judge(ctx, code, whole, s)
	}
	d.put(code, func() *HistoryState {
		if err == nil {
			return nil
		}
		return &HistoryState{State: HistoryFailed, Why: why, Error: "重新判断没有完成，稍后自动再试", Since: d.Judge.Now()}
	})
	return err
}

func (d *HistoryDesk) put(code mulu.DatasetCode, s func() *HistoryState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.states[code] = s(); d.states[code] == nil {
		delete(d.states, code)
	}
}

// due says whether and why a history is to be judged, and whether every row of it.
func (d *HistoryDesk) due(ctx context.Context, ds *mulu.Dataset) (whole bool, why string, err error) {
	d.mu.Lock()
	asked := d.asked[ds.Code]
	d.mu.Unlock()
	if asked {
		return true, "按要求重新判断全部历史", nil
	}
	if why, err = d.Judge.Library.JudgingDue(ctx, ds.Code); err != nil || why != "" {
		return false, why, err
	}
	v, err := d.Judge.Version(ds.Code, ds.Version)
	if err != nil || !v.Rules.Ages() {
		return false, "", err
	}
	last, err := d.Judge.Library.Judged(ctx, ds.Code, ds.RulesDigest())
	today := dayBegins(d.Judge.Now())
	if err != nil || last != nil && !last.AsOf.Before(today) {
		return false, "", err
	}
	// What came today was judged by today.
	old, err := d.Judge.Library.StoredBefore(ctx, ds.Code, today)
	if err != nil || !old {
		return false, "", err
	}
	return true, "规则与当天日期有关，每日重新判断", nil
}

func dayBegins(t time.Time) time.Time {
	y, m, day := t.In(clock.Shanghai).Date()
	return time.Date(y, m, day, 0, 0, 0, 0, clock.Shanghai)
}

// total is how many rows a walk will look at, about.
func (d *HistoryDesk) total(ctx context.Context, code mulu.DatasetCode, whole bool) (int64, error) {
	m, err := d.Judge.Library.Summary(ctx, plan.Summary{Dataset: code, Measures: []plan.Measure{{As: "rows", Kind: plan.Rows}, {As: "judged", Kind: plan.Rows, Judged: true}}})
	if err != nil {
		return 0, err
	}
	rows, _ := m[0]["rows"].(float64)
	if judged, _ := m[0]["judged"].(float64); !whole {
		rows -= judged
	}
	return int64(rows), nil
}

func (d *HistoryDesk) judge(ctx context.Context, code mulu.DatasetCode, whole bool, s *HistoryState) error {
	j := d.Judge
	j.Progress = func(rows int64) {
		d.mu.Lock()
		s.Rows = rows
		d.mu.Unlock()
	}
	began := d.Judge.Now()
	d.mu.Lock()
	delete(d.asked, code) // what is asked from here on is another walk
	d.mu.Unlock()
	done, err := j.History(ctx, code, whole)
	if err != nil {
		return err
	}
	d.Log.Info("history judged", "dataset", code, "version", done.Version, "rows", s.Rows, "differ", done.Differ, "took", d.Judge.Now().Sub(began).Round(time.Millisecond))
	if d.Judged != nil {
		d.Judged(code)
	}
	return nil
}
