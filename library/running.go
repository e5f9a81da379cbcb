package library

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// running are totals as they were when somebody last asked for them.
type running struct {
	mu   sync.Mutex
	sums []Total
	full time.Time // when every manifest was read last
}

// rereadTotals is how long running totals are only added to. What changes of
// manifests that were counted (a batch withdrawn, say) shows after that.
const rereadTotals = 10 * time.Minute

// mostRunning partitions are asked for one by one; for more, all is read.
const mostRunning = 1000

// RunningTotals is Totals for those who ask every few seconds: it reads only the
// manifests that came after those it has counted. A partition's manifests come in
// the order of its offsets.
func (l *Library) RunningTotals(ctx context.Context) ([]Total, error) {
	r := &l.running
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := l.now(); r.full.IsZero() || now.Sub(r.full) > rereadTotals || len(r.sums) > mostRunning {
		sums, err := l.Totals(ctx)
		if err != nil {
			return nil, err
		}
		r.sums, r.full = sums, now
		return slices.Clone(sums), nil
	}
	more, err := l.totals(ctx, r.after())
	if err != nil {
		return nil, err
	}
	for i := range more {
		r.add(&more[i])
	}
	return slices.Clone(r.sums), nil
}

// after is the condition for manifests that are not counted.
func (r *running) after() string {
	if len(r.sums) == 0 {
		return "1"
	}
	var known, later []string
	for i := range r.sums {
		t := &r.sums[i] // an id is hex digits
		place := fmt.Sprintf("('%s', %d)", t.TopicID, t.Partition)
		known = append(known, place)
		later = append(later, fmt.Sprintf("(_topic_id = '%s' AND _partition = %d AND first > %d)", t.TopicID, t.Partition, t.Through))
	}
	return "(" + strings.Join(later, " OR ") + " OR (_topic_id, _partition) NOT IN (" + strings.Join(known, ", ") + "))"
}

func (r *running) add(t *Total) {
	for i := range r.sums {
		s := &r.sums[i]
		if s.Dataset != t.Dataset || s.TopicID != t.TopicID || s.Partition != t.Partition {
			continue
		}
		s.Through, s.Last = max(s.Through, t.Through), later(s.Last, t.Last)
		s.Offsets, s.Good, s.Rejected, s.Rows = s.Offsets+t.Offsets, s.Good+t.Good, s.Rejected+t.Rejected, s.Rows+t.Rows
		s.Control, s.Bytes, s.Batches = s.Control+t.Control, s.Bytes+t.Bytes, s.Batches+t.Batches
		return
	}
	r.sums = append(r.sums, *t)
	slices.SortFunc(r.sums, func(a, b Total) int {
		return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.TopicID.String(), b.TopicID.String()), cmp.Compare(a.Partition, b.Partition))
	})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
