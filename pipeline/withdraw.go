package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/internal/clock"
	"mulu/library"
)

// Notifier tells those who have read a dataset that a batch of it was taken back, and
// says how many it told in all. Telling again tells nobody twice.
type Notifier interface {
	Notify(ctx context.Context, w mulu.Withdrawal) (int64, error)
}

// Withdrawer takes wrong batches back: plan → mark → take back → tell the holders →
// done. Every step may be repeated.
type Withdrawer struct {
	Library *library.Library
	Journal *ingest.Journal
	Holders Notifier
	Now     func() time.Time
	Passed  func(stage string) // as Mender's

	mu sync.Mutex // one at a time: each waits for the engine
}

// Stages of a withdrawal that a crash can fall between, in order.
const (
	WithdrawPlanned = "withdrawal planned"
	WithdrawMarked  = "withdrawal marked"
	WithdrawTaken   = "withdrawal data"
	WithdrawTold    = "withdrawal notices"
	WithdrawDone    = "withdrawal done"
)

// Taking names the batch to take back, as its manifest does. Topic is its name, or
// its identity as 32 hex digits if the topic was made anew.
type Taking struct {
	Dataset     mulu.DatasetCode
	Topic       string
	Partition   int32
	First, Last int64
	Actor       string
	Reason      string
	Restore     bool // bring earlier versions back; refused without history
	DryRun      bool // say what would happen
}

// landedBefore is how long before its manifest a batch may have been visible, when
// the journal no longer knows when it was planned: telling a holder too many costs
// nothing.
const landedBefore = 24 * time.Hour

// Withdraw takes one done batch back and says what that did; with DryRun, what it
// would do. mulu.ErrConflict says that it cannot be taken back now, and why. An error
// after the plan leaves an open withdrawal that Resume finishes.
func (w *Withdrawer) Withdraw(ctx context.Context, t Taking) (ingest.Withdrawal, error) {
	out, err := w.prepare(ctx, t)
	if err != nil {
		return out, fmt.Errorf("withdraw: %w", err)
	}
	if t.DryRun {
		return out, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// After this line the batch is on its way out: its rejects cannot be replayed, and
	// a restart goes on from here.
	if err := w.Journal.PlanWithdrawal(ctx, out); err != nil {
		return out, fmt.Errorf("withdraw: %w", err)
	}
	w.passed(WithdrawPlanned)
	if err := w.finish(ctx, out.Withdrawal); err != nil {
		return out, fmt.Errorf("withdraw %s: %w", out.Batch, err)
	}
	return w.Journal.Withdrawal(ctx, out.ID)
}

// prepare finds the batch and says what taking it back would do.
func (w *Withdrawer) prepare(ctx context.Context, t Taking) (out ingest.Withdrawal, err error) {
	b, err := w.Library.FindBatch(ctx, t.Dataset, t.Topic, t.Partition, t.First, t.Last)
	if err != nil {
		return out, err
	}
	if b.WithdrawnID != "" {
		return out, fmt.Errorf("批次 %s 已于 %s 撤回 (withdrawn before): %w", b.BatchID, b.WithdrawnAt.In(clock.Shanghai).Format("2006-01-02 15:04"), mulu.ErrConflict)
	}
	effect, err := w.Library.WithdrawEffect(ctx, t.Dataset, b.BatchID, t.Restore)
	if err != nil {
		return out, err
	}
	landed, known, err := w.Journal.PlannedAt(ctx, b.BatchID)
	if err != nil {
		return out, err
	}
	if !known {
		landed = b.At.Add(-landedBefore)
	}
	out = ingest.Withdrawal{Rows: effect.Rows, Keys: effect.Keys, Restored: effect.Restored, Withdrawal: mulu.Withdrawal{
		ID: ingest.WithdrawalID(b.BatchID), Dataset: t.Dataset, Batch: b.BatchID, Actor: t.Actor, Reason: t.Reason, Restore: t.Restore, Landed: landed, At: w.Now()}}
	return out, nil
}

// finish walks a planned withdrawal to its end, from wherever it stands.
func (w *Withdrawer) finish(ctx context.Context, wd mulu.Withdrawal) error {
	// First, so that what is brought back below is chosen without the batch.
	if err := w.Library.MarkWithdrawn(ctx, wd); err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	w.passed(WithdrawMarked)
	if err := w.Library.TakeBack(ctx, wd); err != nil {
		return err
	}
	w.passed(WithdrawTaken)
	// After the rows are gone: whoever read before is among those told.
	told, err := w.Holders.Notify(ctx, wd)
	if err != nil {
		return fmt.Errorf("tell holders: %w", err)
	}
	w.passed(WithdrawTold)
	if err := w.Journal.DoneWithdrawal(ctx, wd.ID, told); err != nil {
		return err
	}
	w.passed(WithdrawDone)
	return nil
}

func (w *Withdrawer) passed(stage string) {
	if w.Passed != nil {
		w.Passed(stage)
	}
}

// Resume finishes the withdrawals that a crash left open: at a start, before anything
// is read, since keys may lack their rows. One that fails does not keep the others.
func (w *Withdrawer) Resume(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	open, err := w.Journal.OpenWithdrawals(ctx)
	if err != nil {
		return fmt.Errorf("resume withdrawals: %w", err)
	}
	var faults []error
	for i := range open {
		if err := w.finish(ctx, open[i].Withdrawal); err != nil {
			faults = append(faults, fmt.Errorf("resume withdrawal %s: %w", open[i].ID, err))
		}
	}
	return errors.Join(faults...)
}
