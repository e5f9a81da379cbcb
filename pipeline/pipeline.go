// Package pipeline is the way in: Step walks one batch of one partition from its
// topic into the library. It holds no rule, no SQL and no format of its own; each
// verb below leads to one room. Reconciler reads the same batches again and compares
// source and library. Scoring, cataloguing and anchoring follow from the
// manifests on their own clocks.
package pipeline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/library"
	"mulu/quality"
)

// Source gives the batches of one partition, one at a time, and takes note of
// those that are stored.
type Source interface {
	// Next waits for the next batch. After a crash the first one is the range that
	// was planned and not finished, marked InDoubt.
	Next(ctx context.Context) (*ingest.Batch, error)
	// Commit tells the broker, for lag monitoring only: the journal decides where
	// reading resumes.
	Commit(ctx context.Context, id mulu.BatchID) error
	// Review returns ingest.ErrHeld, and keeps the partition where it stands until a
	// person has answered, if too many records do not fit the version.
	Review(ctx context.Context, b *ingest.Batch, d *ingest.Decoded) error
}

// Version is a dataset version made ready: what decodes its records and judges them.
type Version struct {
	Dataset *mulu.Dataset
	Decoder *ingest.Decoder
	Rules   *quality.Ruleset
}

// Lane walks the batches of one assigned partition. One goroutine owns it.
type Lane struct {
	Source  Source
	Version func(mulu.DatasetCode, uint32) (*Version, error)
	Journal *ingest.Journal
	Library *library.Library
	Now     func() time.Time
	// Strange is told the fields of a stored batch that its version does not know. Nil
	// is fine.
	Strange func(plan mulu.Plan, fields map[string]int64)
	// Seen takes note of each batch that is done. Nil is fine.
	Seen *ingest.Seen
	// Passed is told each stage that has just been made durable; torture kills the
	// process there. Nil is fine.
	Passed func(stage string)

	took map[string]time.Duration // how long the stages of this batch took
	lap  time.Time                // when the last of them ended
}

// Stages of the walk, in order. A crash can fall between any two.
const (
	Decoded   = "decode" // nothing is durable yet
	Checked   = "check"  // nothing is durable yet
	Planned   = "planned"
	Rejected  = "rejects"
	Found     = "findings"
	Stored    = "data"
	Manifest  = "manifest"
	Done      = "done"
	Committed = "commit"
)

// Step walks one batch from its partition into the library. Whatever it returns,
// and wherever the process dies, calling Step again leads to the same state.
func (l *Lane) Step(ctx context.Context) error {
	batch, err := l.Source.Next(ctx)
	if err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	plan := batch.Plan
	l.begin()
	version, err := l.Version(plan.Dataset, plan.Version)
	if err != nil {
		return fmt.Errorf("find version of batch %s: %w", plan.BatchID, err)
	}
	decoded, err := version.Decoder.Decode(batch) // bad rows become rejects
	if err != nil {
		return fmt.Errorf("decode batch %s: %w", plan.BatchID, err)
	}
	defer decoded.Release()
	// Nothing is planned yet: whoever reads on finds the same records and holds them too.
	if err := l.Source.Review(ctx, batch, decoded); err != nil {
		return fmt.Errorf("review batch %s: %w", plan.BatchID, err)
	}
	l.ended(Decoded)
	checked, err := version.Rules.CheckChanges(decoded.Record, decoded.Offsets, decoded.Deleted, today(batch))
	if err != nil {
		return fmt.Errorf("check batch %s: %w", plan.BatchID, err)
	}
	rejects := append(decoded.Rejects, ruleRejects(batch, decoded, checked)...)
	l.ended(Checked)

	// Before this line nothing is durable. After it the range and the version are
	// fixed: a second owner is refused, and a restart builds this very batch again.
	if err := l.Journal.Plan(ctx, plan); err != nil {
		return fmt.Errorf("plan batch %s: %w", plan.BatchID, err)
	}
	l.passed(Planned)
	// What a schema registry did not know stays so for this range.
	if err := version.Decoder.Note(batch, decoded); err != nil {
		return fmt.Errorf("note schemas of batch %s: %w", plan.BatchID, err)
	}
	// Keyed by position, replacing themselves: stored again without harm. They go
	// before the data, so that no row can be missing from both.
	if err := l.Library.StoreRejects(ctx, rejects); err != nil {
		return fmt.Errorf("store rejects of batch %s: %w", plan.BatchID, err)
	}
	l.passed(Rejected)
	if err := l.Library.StoreFindings(ctx, checked.Findings(plan)); err != nil {
		return fmt.Errorf("store findings of batch %s: %w", plan.BatchID, err)
	}
	l.passed(Found)
	// One block per table, all of it or none; in doubt, each table is asked first.
	err = l.Library.StoreData(ctx, library.Batch{
		Plan: plan, Record: decoded.Record, Offsets: decoded.Offsets,
		Rows: decoded.Rows, Versions: decoded.Versions, Deleted: decoded.Deleted, Feed: decoded.Feed,
		Flags: checked.Flags, Drop: checked.Drop, InDoubt: batch.InDoubt,
	})
	if err != nil {
		return fmt.Errorf("store data of batch %s: %w", plan.BatchID, err)
	}
	l.passed(Stored)
	rejected := ingest.Records(rejects)
	manifest := mulu.Manifest{
		Plan: plan,
		Good: int64(len(batch.Records)) - rejected, Rejected: rejected, Control: batch.Control(),
		Rows:  decoded.Record.NumRows() - int64(len(checked.Rejected)),
		Bytes: batch.Bytes, Digest: ingest.Digest(batch.Records), At: l.lap, // when the data was in
	}
	manifest.Oldest, manifest.Newest = ingest.Span(batch.Records)
	// The manifest says that all above is durable. Without it the batch is done again.
	if err := l.Library.StoreManifest(ctx, manifest); err != nil {
		return fmt.Errorf("store manifest of batch %s: %w", plan.BatchID, err)
	}
	l.passed(Manifest)
	if err := l.Journal.Done(ctx, manifest); err != nil {
		return fmt.Errorf("close batch %s: %w", plan.BatchID, err)
	}
	l.passed(Done)
	// Not before: a batch that is not closed comes again and would count twice.
	if l.Seen != nil {
		l.Seen.Batch(ingest.Walk{Manifest: manifest, Records: batch.Records, Rejects: rejects, Stages: l.took})
	}
	// Last and least: if it is lost, only the lag shown by the broker is behind.
	if err := l.Source.Commit(ctx, plan.BatchID); err != nil {
		return fmt.Errorf("commit batch %s: %w", plan.BatchID, err)
	}
	l.passed(Committed)
	if l.Strange != nil && len(decoded.Unknown) > 0 {
		l.Strange(plan, decoded.Unknown)
	}
	return nil
}

// begin starts the clock of a batch that is in hand.
func (l *Lane) begin() { l.took, l.lap = map[string]time.Duration{}, l.Now() }

// ended takes the time of a stage.
func (l *Lane) ended(stage string) {
	now := l.Now()
	l.took[stage] = now.Sub(l.lap)
	l.lap = now
}

// passed is ended for a stage that is durable.
func (l *Lane) passed(stage string) {
	l.ended(stage)
	if l.Passed != nil {
		l.Passed(stage)
	}
}

// today is the day a batch is judged by: that of its newest record, so that a
// replay years later judges as the first run did.
func today(b *ingest.Batch) time.Time {
	var t time.Time
	for i := range b.Records {
		if b.Records[i].Time.After(t) {
			t = b.Records[i].Time
		}
	}
	return t
}

// ruleRejects keeps the rows that broke a blocking rule, whole. Values are copied:
// the batch's own alias fetch buffers.
func ruleRejects(b *ingest.Batch, d *ingest.Decoded, c *quality.Checked) []mulu.Reject {
	rejects := make([]mulu.Reject, 0, len(c.Rejected))
	for _, f := range c.Rejected {
		r := &b.Records[d.Index[f.Row]]
		rejects = append(rejects, mulu.Reject{
			Dataset: b.Plan.Dataset, Batch: b.Plan.BatchID, Offset: r.Offset, Row: d.Row(f.Row),
			Class: "rule", Rule: f.Rule, Field: f.Field, Reason: f.Reason,
			Key: slices.Clone(r.Key), Value: slices.Clone(r.Value), Time: r.Time,
		})
	}
	return rejects
}
