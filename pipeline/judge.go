package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
	"mulu/library"
)

// Judge judges the history of datasets: the rows that are stored, with the rules that
// are in force now and the same code that judged them when they came in. The rows stay
// as they are; what differs from what they say is kept beside them.
type Judge struct {
	Library *library.Library
	Version func(mulu.DatasetCode, uint32) (*Version, error)
	Now     func() time.Time
	// Progress is told how many rows were judged so far. Nil is fine.
	Progress func(rows int64)
	// Passed is told each stage that has just been made durable; tests stop there. Nil
	// is fine.
	Passed func(stage string)
}

// Stages of a walk over history.
const (
	JudgementsStored = "judgements" // some of them; no reader sees them
	HistoryJudged    = "history"
)

// judgementsAtOnce bounds one insert of judgements.
const judgementsAtOnce = 200_000

// History judges the rows of a dataset that nobody knows under the version in force, or
// with whole every row anew by today. Killed anywhere, it leaves what no reader sees; the
// next walk begins at the beginning and ends in the same state. Rows that are stored
// meanwhile are not its business: they were judged when they came, and if other rules
// judged them they are left for the next walk.
func (j *Judge) History(ctx context.Context, code mulu.DatasetCode, whole bool) (library.Judged, error) {
	ds := j.Library.Dataset(code)
	if ds == nil {
		return library.Judged{}, fmt.Errorf("数据集 %q 没有入库的版本 / no applied version: %w", code, mulu.ErrNotFound)
	}
	version, err := j.Version(code, ds.Version)
	if err != nil {
		return library.Judged{}, fmt.Errorf("find version of %s: %w", code, err)
	}
	asOf := j.Now()
	// The positions are noted before a row is read: what is stored up to there is seen.
	walk, err := j.Library.BeginJudging(ctx, ds, asOf, whole)
	if err != nil {
		return library.Judged{}, err
	}
	w := &historyWalk{Judge: j, walk: walk, version: version, asOf: asOf}
	opt := library.ScanOptions{Version: ds.Version, Columns: version.Rules.Uses(), Provenance: w.provenance(), Unjudged: !whole}
	if err := j.Library.Scan(ctx, code, opt, func(rec arrow.RecordBatch) error { return w.judge(ctx, rec) }); err != nil {
		return library.Judged{}, fmt.Errorf("judge history of %s: %w", code, err)
	}
	if err := w.flush(ctx); err != nil {
		return library.Judged{}, err
	}
	// Only now do readers go by it.
	done, err := walk.EndJudging(ctx, w.rows)
	if err != nil {
		return library.Judged{}, err
	}
	w.passed(HistoryJudged)
	return done, nil
}

// historyWalk is one History under way.
type historyWalk struct {
	*Judge
	walk    *library.Judging
	version *Version
	asOf    time.Time
	rows    int64
	found   library.Judgements
}

// provenance are the columns beside the business columns, in the order of places.
func (w *historyWalk) provenance() []string {
	return []string{library.ColTopicID, mulu.ColPartition, mulu.ColOffset, mulu.ColRow, mulu.ColFlags, mulu.ColOrigin}
}

// judge keeps the rows of one batch whose flags differ from their own. A replayed row is
// always kept: it has an old position and may come after the walk.
func (w *historyWalk) judge(ctx context.Context, rec arrow.RecordBatch) error {
	n := len(w.version.Dataset.Columns)
	topics, partitions := rec.Column(n).(*array.String), rec.Column(n+1).(*array.Uint32).Uint32Values()
	offsets, rows := rec.Column(n+2).(*array.Uint64).Uint64Values(), rec.Column(n+3).(*array.Uint16).Uint16Values()
	own, origin := rec.Column(n+4).(*array.Uint64).Uint64Values(), rec.Column(n+5).(*array.Uint8).Uint8Values()
	checked := w.version.Rules.Check(rec, arrow.GetData[int64](arrow.GetBytes(offsets)), w.asOf)
	for i, flags := range checked.Flags {
		if flags == own[i] && origin[i] != mulu.OriginReplay {
			continue
		}
		f := &w.found
		f.Topics, f.Partitions, f.Offsets = append(f.Topics, w.topic(topics, i)), append(f.Partitions, partitions[i]), append(f.Offsets, offsets[i])
		f.Rows, f.Flags = append(f.Rows, rows[i]), append(f.Flags, flags)
	}
	if w.rows += rec.NumRows(); w.Progress != nil {
		w.Progress(w.rows)
	}
	if w.found.Len() >= judgementsAtOnce {
		return w.flush(ctx)
	}
	return nil
}

// topic is the identity of row i's topic, not lying in the batch, which goes away.
func (w *historyWalk) topic(topics *array.String, i int) string {
	if n := len(w.found.Topics); n > 0 && w.found.Topics[n-1] == topics.Value(i) {
		return w.found.Topics[n-1]
	}
	return string([]byte(topics.Value(i)))
}

func (w *historyWalk) flush(ctx context.Context) error {
	if err := w.walk.Store(ctx, &w.found); err != nil {
		return err
	}
	w.found.Reset()
	w.passed(JudgementsStored)
	return nil
}

func (w *historyWalk) passed(stage string) {
	if w.Passed != nil {
		w.Passed(stage)
	}
}
