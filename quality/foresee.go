package quality

import (
	"context"
	"math"
	"time"

	"mulu"
	"mulu/plan"
)

// Flagged counts rows by the rules they break, bit i being row rule i: what a walk over
// the current rows found under rules that need not be in force. Rows that break none need
// not be in it.
type Flagged map[uint64]int64

// Foresee scores a dataset as Evaluate will once its rules are in force and history is
// judged by them: the flags are those of a walk, all else is read as it is. Walked is how
// many rows the walk looked at; fewer than there are is a sample, which is scaled up. The
// results of f are those of its set rules. The score is of the whole alone: it has no
// increment, and its parts mean nothing.
func Foresee(ctx context.Context, ds *mulu.Dataset, lib Summarizer, flagged Flagged, walked int64, f Facts, w Weights, now time.Time) (mulu.Score, error) {
	f.Period, f.Cuts = nil, nil
	return Evaluate(ctx, ds, &foreseen{lib, flagged, walked}, f, w, now)
}

// foreseen answers of flags what a walk found, and asks the library the rest.
type foreseen struct {
	lib     Summarizer
	flagged Flagged
	walked  int64
}

// Summary gives one row: there is no score by group.
func (s *foreseen) Summary(ctx context.Context, sum plan.Summary) ([]map[string]any, error) {
	asked, flags := sum, []plan.Measure(nil)
	asked.Measures = nil
	for _, m := range sum.Measures {
		if m.Kind == plan.Flag || m.Kind == plan.AnyFlag {
			flags = append(flags, m)
			continue
		}
		m.Judged = false // every row would be
		asked.Measures = append(asked.Measures, m)
	}
	rows, err := s.lib.Summary(ctx, asked)
	if err != nil || len(rows) != 1 {
		return rows, err
	}
	scale := 1.0
	if total, ok := rows[0]["rows"].(float64); ok && s.walked > 0 {
		scale = total / float64(s.walked)
	}
	for i := range flags {
		rows[0][flags[i].As] = math.Round(float64(s.flagged.count(&flags[i])) * scale)
	}
	return rows, nil
}

// count is how many rows a measure of flags counts.
func (f Flagged) count(m *plan.Measure) (n int64) {
	some := m.Any
	switch {
	case m.Kind == plan.Flag:
		some = 1 << m.Bit
	case some == 0:
		some = math.MaxUint64
	}
	for flags, rows := range f {
		if flags&some != 0 && flags&m.Unless == 0 {
			n += rows
		}
	}
	return n
}
