package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"mulu"
	"mulu/ingest"
)

// Desk runs reconciliations one at a time, in the background when somebody asked for
// one, and keeps their statements.
type Desk struct {
	Reconciler Reconciler // Rest and Progress are the desk's to set
	Statements *ingest.Statements
	Log        *slog.Logger
	// Life ends what runs in the background.
	Life context.Context

	mu      sync.Mutex
	running *Running
	failed  *Running // the last that failed, until one succeeds
	last    time.Time
	wg      sync.WaitGroup
}

// Running is a reconciliation that is under way, or that failed.
type Running struct {
	ID      string
	Actor   string // "" is the hourly run
	Started time.Time
	Done    int64 // offsets compared
	Total   int64
	Err     error // why it failed
}

// hourlyRest keeps the hourly run to half of one core at most.
const hourlyRest = 1.0

// Start begins a reconciliation that somebody asked for and returns the id that its
// statement will have. mulu.ErrConflict says that one is under way. A crash loses it:
// nothing is stored before its end.
func (d *Desk) Start(actor string, scope ingest.Scope) (string, error) {
	run, st, err := d.begin(actor, scope)
	if err != nil {
		return "", err
	}
	d.wg.Go(func() {
		if _, err := d.run(d.Life, run, st, 0); err != nil && d.Life.Err() == nil {
			d.Log.Warn("reconciliation failed", "statement", run.ID, "error", err)
		}
	})
	return run.ID, nil
}

// Hourly compares what is new since the last turn and what differed then. It returns
// nil if there was nothing to compare, or if another run is under way.
func (d *Desk) Hourly(ctx context.Context, mostBytes int64) (*ingest.Statement, error) {
	run, st, err := d.begin("", ingest.Scope{MostBytes: mostBytes})
	if err != nil {
		return nil, nil //nolint:nilerr // what is under way compares as much
	}
	return d.run(ctx, run, st, hourlyRest)
}

// Wait returns when nothing runs in the background.
func (d *Desk) Wait() { d.wg.Wait() }

// State gives the run under way, or the last one if it failed, and when the last one
// that did not fail ended.
func (d *Desk) State() (now *Running, last time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.running
	if r == nil {
		r = d.failed
	}
	if r == nil {
		return nil, d.last
	}
	c := *r
	return &c, d.last
}

func (d *Desk) begin(actor string, scope ingest.Scope) (*Running, *ingest.Statement, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running != nil {
		return nil, nil, fmt.Errorf("对账 %s 正在进行，请待其完成: %w", d.running.ID, mulu.ErrConflict)
	}
	st := ingest.NewStatement(actor, scope, d.Reconciler.Now())
	d.running = &Running{ID: st.ID, Actor: actor, Started: st.Started}
	return d.running, st, nil
}

func (d *Desk) run(ctx context.Context, run *Running, st *ingest.Statement, rest float64) (_ *ingest.Statement, err error) {
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.running = nil
		if run.Err = err; err != nil {
			d.failed = run
			return
		}
		d.failed, d.last = nil, d.Reconciler.Now()
	}()
	r := d.Reconciler
	r.Rest = rest
	r.Progress = func(done, total int64) {
		d.mu.Lock()
		defer d.mu.Unlock()
		run.Done, run.Total = done, total
	}
	if err = r.Compare(ctx, st); err != nil {
		return nil, err
	}
	if len(st.Lines) == 0 && run.Actor == "" {
		return nil, nil // nobody asked, and there is nothing to say
	}
	mended, err := d.Statements.Save(ctx, st)
	if err != nil {
		return nil, err
	}
	d.tell(st, mended)
	return st, nil
}

// tell puts what does not agree into the log, a line for each partition.
func (d *Desk) tell(st *ingest.Statement, mended []ingest.OpenDifference) {
	for i := range st.Lines {
		if l := &st.Lines[i]; !l.Verdict.Agrees() {
			d.Log.Error("source and library do not agree", "statement", st.ID, "dataset", l.Dataset, "topic", l.Topic, "partition", l.Partition,
				"from", l.From, "to", l.To, "verdict", string(l.Verdict), "batches", int64(len(l.Differing))+l.More, "notes", l.Notes)
		}
	}
	for _, m := range mended {
		d.Log.Info("a difference is gone", "statement", st.ID, "dataset", m.Dataset, "partition", m.Partition, "first", m.First, "last", m.Last, "since", m.Since)
	}
	d.Log.Info("reconciled", "statement", st.ID, "verdict", string(st.Verdict), "lines", len(st.Lines), "took", st.Finished.Sub(st.Started))
}
