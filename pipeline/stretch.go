package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/internal/clock"
	"mulu/library"
)

// compareWindow fills the window's line. An error means that the run is over; what
// only keeps this partition's source from being read becomes a line that says so.
func (r *Reconciler) compareWindow(ctx context.Context, w *window) error {
	defer func() {
		if w.reader != nil {
			w.reader.Close()
		}
	}()
	if w.to < w.from {
		w.line.Verdict = ingest.InFlight
		return nil
	}
	switch w.state {
	case sourceRebuilt:
		w.line.Note("主题 %s 已重建，原主题的数据只能以清单核对", w.line.Topic)
	case sourceGone:
		w.line.Note("消息系统中已没有主题 %s，只能以清单核对", w.line.Topic)
	}
	batches, err := r.walk(ctx, w)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		var unread *unreadError
		if !errors.As(err, &unread) {
			return err
		}
		w.line.Verdict = ingest.Graver(w.line.Verdict, ingest.Unread)
		w.line.Note("偏移量 %d 起未能从源端读取：%s", w.line.To+1, unread)
	}
	return r.visible(ctx, w, batches)
}

// walk compares a window's batches in order and gives their ranges.
func (r *Reconciler) walk(ctx context.Context, w *window) ([]ingest.Range, error) {
	var batches []ingest.Range
	var s stretch
	next := w.from
	for more := true; more; {
		page, err := r.Library.ManifestsIn(ctx, w.topicID, w.position.Partition, next, w.to, manifestPage)
		if err != nil {
			return batches, err
		}
		if len(batches) == 0 && len(page) > 0 && page[0].First < next && !w.whole {
			next = page[0].First // a range that was asked for begins inside a batch
			w.from, w.line.From = next, next
		}
		more = len(page) == manifestPage
		for _, m := range page {
			if w.most > 0 && w.read >= w.most {
				w.cut, more = true, false
				w.line.Note("本轮读取量已到上限，偏移量 %d 起下一轮核对", m.First)
				return batches, r.flush(ctx, w, &s)
			}
			if m.First > next {
				if err := r.flush(ctx, w, &s); err != nil {
					return batches, err
				}
				if err := r.gap(ctx, w, next, m.First-1); err != nil {
					return batches, err
				}
			}
			if m.First < next {
				w.line.Differ(ingest.BatchLine{First: m.First, Last: min(m.Last, next-1), Version: m.Version, Verdict: ingest.Uneven, Differences: []ingest.Difference{
					{Kind: ingest.BatchOverlaps, Offset: m.First, Last: min(m.Last, next-1), Note: "这些偏移量出现在两份清单中"}}})
			}
			if err := r.take(ctx, w, &s, m); err != nil {
				return batches, err
			}
			batches = append(batches, ingest.Range{First: m.First, Last: m.Last})
			if !r.kept(w, m) {
				w.keptFrom = m.Last + 1
			}
			next = max(next, m.Last+1)
		}
	}
	if err := r.flush(ctx, w, &s); err != nil {
		return batches, err
	}
	if next <= w.to {
		if err := r.gap(ctx, w, next, w.to); err != nil {
			return batches, err
		}
	}
	if p := w.position; w.whole && (w.good != p.Good || w.rejected != p.Rejected || w.control != p.Control) {
		w.line.Verdict = ingest.Uneven
		w.line.Note("控制库累计（入库 %d、问题数据 %d、控制记录 %d）与清单累计（%d、%d、%d）不符", p.Good, p.Rejected, p.Control, w.good, w.rejected, w.control)
	}
	return batches, nil
}

// stretch is a run of adjacent batches that are compared in one go: of one dataset
// version, judged by the same day, and alike in what the source still holds of them.
type stretch struct {
	manifests []mulu.Manifest
	records   [][]mulu.Record // of each manifest
	state     batchState
	day       string
	bytes     int64
}

// batchState is what the source holds of a batch.
type batchState int

const (
	batchThere batchState = iota
	batchPurged
	batchRebuilt
	batchShort // the topic ends before the batch does
)

func (w *window) stateOf(first, last int64) batchState {
	switch {
	case w.state == sourceRebuilt:
		return batchRebuilt
	case w.state == sourceGone || first < w.source.Start:
		return batchPurged
	case last >= w.source.End:
		return batchShort
	}
	return batchThere
}

// take reads one batch again and adds it to the stretch; what does not fit it is
// compared first.
func (r *Reconciler) take(ctx context.Context, w *window, s *stretch, m mulu.Manifest) error {
	state := w.stateOf(m.First, m.Last)
	var records []mulu.Record
	var day string
	if state == batchThere {
		var err error
		if records, err = r.readAgain(ctx, w, m.First, m.Last); err != nil {
			if flushErr := r.flush(ctx, w, s); flushErr != nil {
				return flushErr
			}
			return err
		}
		day = dayOf(records)
	}
	bytes := ingest.RecordBytes(records)
	if n := len(s.manifests); n > 0 {
		last := &s.manifests[n-1]
		if last.Version != m.Version || last.Last+1 != m.First || s.state != state || s.day != day ||
			m.Last-s.manifests[0].First >= stretchOffsets || s.bytes+bytes > stretchBytes {
			if err := r.flush(ctx, w, s); err != nil {
				return err
			}
		}
	}
	s.manifests, s.records = append(s.manifests, m), append(s.records, records)
	s.state, s.day, s.bytes = state, day, s.bytes+bytes
	w.good, w.rejected, w.control = w.good+m.Good, w.rejected+m.Rejected, w.control+m.Control
	w.read += bytes
	return nil
}

// dayOf is the day that rules judge these records by.
func dayOf(records []mulu.Record) string {
	return today(&ingest.Batch{Records: records}).In(clock.Shanghai).Format(time.DateOnly)
}

// readAgain gives the records of a range that the source holds.
func (r *Reconciler) readAgain(ctx context.Context, w *window, first, last int64) ([]mulu.Record, error) {
	if w.reader == nil {
		var err error
		if w.reader, err = r.Source.Open(w.line.Topic, w.line.Partition, max(first, w.source.Start), w.source.End); err != nil {
			return nil, &unreadError{err}
		}
	}
	records, err := w.reader.Read(ctx, first, last)
	if err != nil {
		return nil, &unreadError{err}
	}
	return records, nil
}

// flush compares the stretch and empties it. After it the line stands at the
// stretch's end.
func (r *Reconciler) flush(ctx context.Context, w *window, s *stretch) error {
	if len(s.manifests) == 0 {
		return nil
	}
	began := time.Now()
	if err := r.compare(ctx, w, *s); err != nil {
		return err
	}
	last := s.manifests[len(s.manifests)-1].Last
	w.progress.add(max(0, last-w.line.To))
	w.line.To = max(w.line.To, last)
	*s = stretch{}
	if r.Rest > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(float64(time.Since(began)) * r.Rest)):
		}
	}
	return nil
}

// compare adds a stretch to the line. If anything in it differs, it is halved until
// the batches that differ stand alone.
func (r *Reconciler) compare(ctx context.Context, w *window, s stretch) error {
	b, even, err := r.judge(ctx, w, s)
	if err != nil {
		return err
	}
	if n := len(s.manifests); !even && n > 1 {
		front, back := s, s
		front.manifests, front.records = s.manifests[:n/2], s.records[:n/2]
		back.manifests, back.records = s.manifests[n/2:], s.records[n/2:]
		if err := r.compare(ctx, w, front); err != nil {
			return err
		}
		return r.compare(ctx, w, back)
	}
	w.line.Batches += int64(len(s.manifests))
	w.line.Source.Add(b.Source)
	w.line.Landed.Add(b.Landed)
	w.line.Verdict = ingest.Graver(w.line.Verdict, b.Verdict)
	if !even {
		w.line.Differ(b)
	}
	return nil
}

// gap judges offsets that the journal has passed and no manifest holds.
func (r *Reconciler) gap(ctx context.Context, w *window, first, last int64) error {
	plan := mulu.Plan{BatchID: mulu.BatchID{TopicID: w.topicID, Topic: w.line.Topic, Partition: w.line.Partition, First: first, Last: last}, Dataset: w.dataset.Code, Version: w.dataset.Version}
	landed, err := r.Library.Landed(ctx, plan)
	if err != nil {
		return err
	}
	n := last - first + 1
	defer func() {
		w.progress.add(n)
		w.line.To = max(w.line.To, last)
	}()
	if landed.Records == 0 && w.lost >= n {
		w.lost -= n
		w.line.Verdict = ingest.Graver(w.line.Verdict, ingest.Purged)
		w.line.Note("偏移量 %d 至 %d 已由人工确认跳过，未归集", first, last)
		return nil
	}
	b := ingest.BatchLine{First: first, Last: last, Verdict: ingest.Uneven, Landed: ingest.Side{Records: landed.Records, Rejected: landed.Rejected, Good: landed.Records - landed.Rejected, Rows: landed.Rows, Content: landed.Content}}
	note := "没有这些偏移量的清单"
	if w.stateOf(first, last) == batchThere {
		records, err := r.readAgain(ctx, w, first, last)
		if err != nil {
			return err
		}
		k := int64(len(records))
		w.read += ingest.RecordBytes(records)
		b.Source = ingest.Side{Offsets: n, Records: k, Control: n - k, Bytes: ingest.RecordBytes(records), Digest: ingest.Digest(records)}
		note = fmt.Sprintf("没有这些偏移量的清单；源端有 %d 条", k)
	}
	b.Differences = []ingest.Difference{{Kind: ingest.BatchMissing, Offset: first, Last: last, Note: note + fmt.Sprintf("，库中有 %d 条", landed.Records)}}
	w.line.Source.Add(b.Source)
	w.line.Landed.Add(b.Landed)
	w.line.Differ(b)
	return nil
}

// visible compares what readers see with the history, over what the walk has passed.
func (r *Reconciler) visible(ctx context.Context, w *window, batches []ingest.Range) error {
	if err := r.withdrawn(ctx, w); err != nil || w.unsettled {
		return err
	}
	for first := w.from; first <= w.line.To; first += visibleOffsets {
		id := mulu.BatchID{TopicID: w.topicID, Partition: w.line.Partition, First: first, Last: min(first+visibleOffsets-1, w.line.To)}
		stale, more, err := r.Library.Stale(ctx, w.dataset.Code, id, keepFaults)
		if err != nil {
			return err
		}
		w.see(batches, stale, more, ingest.RowStale, "现势表中没有这一行，或是旧的")
		if id.First = max(id.First, w.keptFrom); id.First > id.Last {
			continue // the history of these has gone by its age
		}
		strays, more, err := r.Library.Strays(ctx, w.dataset.Code, id, keepFaults)
		if err != nil {
			return err
		}
		w.see(batches, strays, more, ingest.RowStray, "现势表中的这一行，历史中没有或内容不同")
	}
	slices.SortStableFunc(w.line.Differing, func(a, b ingest.BatchLine) int { return cmp.Compare(a.First, b.First) })
	return nil
}

// withdrawn notes the batches of the window that were taken back. Their rows stay in the
// history, where they are compared as others; readers must not see them.
func (r *Reconciler) withdrawn(ctx context.Context, w *window) error {
	open, err := r.Journal.OpenWithdrawals(ctx)
	if err != nil {
		return err
	}
	for i := range open {
		if open[i].Dataset == w.dataset.Code {
			w.unsettled = true
			w.line.Note("批次 %d 至 %d 正在撤回，本次不核对现势表", open[i].Batch.First, open[i].Batch.Last)
		}
	}
	list, err := r.Library.WithdrawnIn(ctx, w.dataset.Code, mulu.BatchID{TopicID: w.topicID, Partition: w.line.Partition, First: w.from, Last: w.line.To})
	if err != nil {
		return err
	}
	for i, b := range list {
		if i == keepFaults {
			w.line.Note("另有 %d 批已撤回", len(list)-i)
			break
		}
		w.line.Note("批次 %d 至 %d 已撤回，行留在历史中备查，现势表中不再有", b.First, b.Last)
	}
	return nil
}

// see puts places of the current table on the line, by the batch they belong to.
func (w *window) see(batches []ingest.Range, places []library.Place, total int64, kind, note string) {
	byBatch := map[ingest.Range][]ingest.Difference{}
	for _, p := range places {
		of := ingest.Range{First: p.Offset, Last: p.Offset}
		at, ok := slices.BinarySearchFunc(batches, p.Offset, func(b ingest.Range, offset int64) int {
			switch {
			case b.Last < offset:
				return -1
			case b.First > offset:
				return 1
			}
			return 0
		})
		if ok {
			of = batches[at]
		}
		byBatch[of] = append(byBatch[of], ingest.Difference{Kind: kind, Offset: p.Offset, Last: p.Offset, Row: p.Row, Note: note})
	}
	for _, of := range slices.SortedFunc(maps.Keys(byBatch), func(a, b ingest.Range) int { return cmp.Compare(a.First, b.First) }) {
		w.line.Differ(ingest.BatchLine{First: of.First, Last: of.Last, Verdict: ingest.Uneven, Differences: byBatch[of], Note: "历史与现势表不一致"})
	}
	if more := total - int64(len(places)); more > 0 {
		w.line.Note("现势表中另有 %d 行与历史不一致，未列出", more)
	}
}

// unreadError says that the source could not be read; the library can.
type unreadError struct{ err error }

func (e *unreadError) Error() string { return e.err.Error() }
func (e *unreadError) Unwrap() error { return e.err }
