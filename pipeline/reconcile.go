package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/library"
)

// Reconciler compares what the topics hold with what the library holds (对账): it
// reads each window again outside of the group, decodes and judges it as Step did,
// and lets the engine digest both sides alike. It changes nothing on either side.
type Reconciler struct {
	Source   *ingest.Rereader
	Journal  *ingest.Journal
	Library  *library.Library
	Version  func(mulu.DatasetCode, uint32) (*Version, error)
	Datasets func(context.Context) ([]*mulu.Dataset, error)
	Now      func() time.Time
	// Rest is how long it pauses, as a multiple of the time it worked, so that it
	// stays out of the way; 0 does not.
	Rest float64
	// Progress is told how many offsets are compared, of how many. Nil is fine.
	Progress func(done, total int64)
}

const (
	// A stretch is compared in one go: small batches together, a large one alone.
	stretchOffsets = 100_000
	stretchBytes   = 32 << 20
	// visibleOffsets is how many offsets are looked up in the current table at a time:
	// each time costs a pass over the keys of that table.
	visibleOffsets = 2_000_000
	// keepFaults bounds how many differences of a batch are listed.
	keepFaults = 50
	// manifestPage is how many manifests are read at a time.
	manifestPage = 1000
)

// Compare fills a new statement by its scope, closes it and does not save it. It
// fails only if nothing could be said; a partition that can not be read is a line that
// says so.
func (r *Reconciler) Compare(ctx context.Context, st *ingest.Statement) error {
	scope := st.Scope
	if err := r.Library.SweepExpected(ctx); err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	windows, err := r.windows(ctx, scope)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	p := &progress{report: r.Progress}
	for _, w := range windows {
		p.total += max(0, w.to-w.from+1)
	}
	left := scope.MostBytes
	for i, w := range windows {
		w.progress = p
		if scope.MostBytes > 0 {
			// An even share of what is left: a busy partition must not keep the others
			// from ever being compared.
			w.most = max(left/int64(len(windows)-i), 1)
		}
		if err := r.compareWindow(ctx, w); err != nil {
			return fmt.Errorf("reconcile: %w", err)
		}
		left -= w.read
		st.Rest = st.Rest || w.cut
		st.Lines = append(st.Lines, w.line)
	}
	if scope.All {
		if st.Lines, err = r.unknown(ctx, st.Lines, windows); err != nil {
			return fmt.Errorf("reconcile: %w", err)
		}
	}
	return st.Close(r.Now().UTC().Truncate(time.Microsecond))
}

type progress struct {
	done, total int64
	report      func(done, total int64)
}

func (p *progress) add(n int64) {
	if p.done += n; p.report != nil {
		p.report(p.done, p.total)
	}
}

// window is a run of offsets of one partition that is compared.
type window struct {
	line     ingest.Line
	dataset  *mulu.Dataset // newest version
	topicID  mulu.TopicID
	position ingest.Position
	from, to int64
	source   ingest.Extent
	state    sourceState
	whole    bool // from the partition's first offset: sums can be compared with the journal's
	lost     int64
	// partitions the topic has now.
	partitions int
	unsettled  bool  // a withdrawal is under way
	keptFrom   int64 // the history holds the offsets from here on
	most       int64 // bytes to read, 0 for any
	read       int64
	cut        bool
	reader     *ingest.Window
	progress   *progress
	good       int64 // sums of manifests
	rejected   int64
	control    int64
}

// sourceState says whether a window's source can be read at all.
type sourceState int

const (
	sourceThere   sourceState = iota
	sourceRebuilt             // the topic is another one now
	sourceGone                // there is no such topic
)

// windows finds what is to be compared, in the order of dataset and partition.
func (r *Reconciler) windows(ctx context.Context, scope ingest.Scope) ([]*window, error) {
	datasets, err := r.Datasets(ctx)
	if err != nil {
		return nil, err
	}
	byCode := map[mulu.DatasetCode]*mulu.Dataset{}
	topics := map[string]bool{}
	for _, ds := range datasets {
		if len(scope.Datasets) == 0 || slices.Contains(scope.Datasets, ds.Code) {
			byCode[ds.Code] = ds
			topics[ds.Topic] = true
		}
	}
	for _, code := range scope.Datasets {
		if byCode[code] == nil {
			return nil, fmt.Errorf("没有数据集 %s: %w", code, mulu.ErrNotFound)
		}
	}
	positions, err := r.Journal.Positions(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range positions {
		if byCode[p.Dataset] != nil {
			topics[p.Topic] = true
		}
	}
	names := make([]string, 0, len(topics))
	for t := range topics {
		names = append(names, t)
	}
	slices.Sort(names)
	extents, err := r.Source.Extents(ctx, names)
	if err != nil {
		return nil, err
	}
	open, err := r.Journal.Statements().Open(ctx, "")
	if err != nil {
		return nil, err
	}
	var out []*window
	for _, p := range positions {
		if ds := byCode[p.Dataset]; ds != nil {
			list, err := r.windowsOf(ctx, ds, p, extents[p.Topic], open, scope)
			if err != nil {
				return nil, err
			}
			out = append(out, list...)
		}
	}
	return append(out, neverRead(byCode, positions, extents)...), nil
}

// windowsOf gives the windows of one partition that was read: what is new since it
// was last compared and, each on its own, what did not agree then.
func (r *Reconciler) windowsOf(ctx context.Context, ds *mulu.Dataset, p ingest.Position, extents map[int32]ingest.Extent, open []ingest.OpenDifference, scope ingest.Scope) ([]*window, error) {
	first, last := p.Next-p.Good-p.Rejected-p.Control-p.Lost, p.Next-1
	base := window{partitions: len(extents), dataset: ds, topicID: p.TopicID, position: p, lost: p.Lost, line: newLine(ds, p.Topic, p.TopicID, p.Partition)}
	extent, ok := extents[p.Partition]
	switch {
	case ok && extent.TopicID == p.TopicID:
		base.source = extent
	case len(extents) > 0:
		base.state = sourceRebuilt
	default:
		base.state = sourceGone
	}
	at := func(from, to int64) *window {
		w := base
		w.from, w.to = from, to
		w.line.From, w.line.To = from, from-1
		return &w
	}
	newest := at(first, last)
	var out []*window
	switch {
	case scope.All:
		newest.whole = true
	case scope.To > 0:
		newest = at(max(first, scope.From), min(last, scope.To))
	default:
		next, ok, err := r.Journal.Statements().Compared(ctx, p.TopicID, p.Partition)
		if err != nil {
			return nil, err
		}
		if ok {
			newest = at(next, last)
		}
		for _, o := range open {
			if o.TopicID == p.TopicID.String() && o.Partition == p.Partition && o.Last < newest.from {
				out = append(out, at(o.First, o.Last))
			}
		}
	}
	if base.state == sourceThere && !p.Retired && scope.To == 0 {
		newest.line.Waiting = max(0, extent.End-p.Next)
	}
	if newest.from <= newest.to || newest.line.Waiting > 0 {
		out = append(out, newest)
	}
	return out, nil
}

// neverRead gives the partitions that hold records and of which none was ever stored.
func neverRead(datasets map[mulu.DatasetCode]*mulu.Dataset, positions []ingest.Position, extents map[string]map[int32]ingest.Extent) (out []*window) {
	type partition struct {
		id mulu.TopicID
		n  int32
	}
	known := map[partition]bool{}
	for _, p := range positions {
		known[partition{p.TopicID, p.Partition}] = true
	}
	for _, ds := range datasets {
		for n, e := range extents[ds.Topic] {
			if e.End <= e.Start || known[partition{e.TopicID, n}] {
				continue
			}
			w := &window{dataset: ds, topicID: e.TopicID, source: e, from: e.Start, to: e.Start - 1, line: newLine(ds, ds.Topic, e.TopicID, n)}
			w.line.From, w.line.To, w.line.Waiting = w.from, w.to, e.End-e.Start
			w.line.Note("本分区尚未归集过")
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b *window) int {
		return cmp.Or(cmp.Compare(a.dataset.Code, b.dataset.Code), cmp.Compare(a.line.Partition, b.line.Partition))
	})
	return out
}

// unknown adds a line for each partition that rows say they came from and that nobody
// ever read.
func (r *Reconciler) unknown(ctx context.Context, lines []ingest.Line, windows []*window) ([]ingest.Line, error) {
	type partition struct {
		id string
		n  int32
	}
	known, datasets := map[partition]bool{}, map[mulu.DatasetCode]*mulu.Dataset{}
	for _, w := range windows {
		datasets[w.dataset.Code] = w.dataset
		if w.position.Topic != "" {
			known[partition{w.line.TopicID, w.line.Partition}] = true
		}
	}
	for _, code := range slices.Sorted(maps.Keys(datasets)) {
		held, err := r.Library.Held(ctx, code)
		if err != nil {
			return nil, err
		}
		for _, h := range held {
			if known[partition{h.TopicID.String(), h.Partition}] {
				continue
			}
			line := newLine(datasets[code], datasets[code].Topic, h.TopicID, h.Partition)
			line.From, line.To, line.Verdict = h.First, h.First-1, ingest.Uneven
			line.Note("库中有 %d 行自称来自本分区，而本分区从未归集过", h.Rows)
			lines = append(lines, line)
		}
	}
	return lines, nil
}

func newLine(ds *mulu.Dataset, topic string, id mulu.TopicID, partition int32) ingest.Line {
	return ingest.Line{Dataset: ds.Code, Title: ds.Title, Owner: ds.Owner, Topic: topic, TopicID: id.String(), Partition: partition,
		Verdict: ingest.Even, Notes: []string{}, Differing: []ingest.BatchLine{}}
}
