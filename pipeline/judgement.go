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

// judge compares one stretch. Of a stretch of several batches that is not even it
// says only that.
func (r *Reconciler) judge(ctx context.Context, w *window, s stretch) (b ingest.BatchLine, even bool, err error) {
	m := sum(s.manifests)
	kept := r.kept(w, m)
	if w.dataset.History && !kept {
		w.line.Note("历史已过保留期的批次，行内容只核对清单")
	} else if !kept {
		w.line.Note("本数据集不保留历史，行内容只核对清单")
	}
	landed, err := r.Library.Landed(ctx, m.Plan)
	if err != nil {
		return b, false, err
	}
	b = ingest.BatchLine{First: m.First, Last: m.Last, Version: m.Version, Verdict: ingest.Even, Differences: []ingest.Difference{},
		Landed: ingest.Side{Offsets: m.Last - m.First + 1, Records: m.Good + m.Rejected, Control: m.Control, Bytes: m.Bytes, Good: m.Good, Rejected: landed.Rejected, Rows: m.Rows}}
	if kept {
		b.Landed.Rows, b.Landed.Content = landed.Rows, landed.Content
	}
	if len(s.manifests) == 1 {
		b.Landed.Digest = m.Digest
	}
	j := &judgement{r: r, plan: m.Plan, manifest: m, landed: landed, kept: kept, single: len(s.manifests) == 1, line: &b, partitions: w.partitions}
	if s.state == batchThere {
		err = j.withSource(ctx, s)
	} else {
		err = j.withoutSource(ctx, s.state)
	}
	return b, j.even, err
}

// sum is the manifest of a whole stretch.
func sum(list []mulu.Manifest) mulu.Manifest {
	m := list[0]
	for i := range list[1:] {
		o := &list[i+1]
		m.Last, m.Good, m.Rejected, m.Rows, m.Control, m.Bytes = o.Last, m.Good+o.Good, m.Rejected+o.Rejected, m.Rows+o.Rows, m.Control+o.Control, m.Bytes+o.Bytes
		if o.At.Before(m.At) {
			m.At = o.At
		}
	}
	return m
}

// kept says whether the history still holds the rows of a batch, or of a stretch by
// its oldest batch.
func (r *Reconciler) kept(w *window, m mulu.Manifest) bool {
	v, err := r.Version(w.dataset.Code, m.Version)
	return err == nil && v.Dataset.History && m.At.After(r.Library.HistoryKept().Add(24*time.Hour))
}

// judgement compares one stretch's two sides.
type judgement struct {
	r        *Reconciler
	plan     mulu.Plan
	manifest mulu.Manifest
	landed   library.Landed
	kept     bool // rows can be compared
	single   bool
	line     *ingest.BatchLine
	even     bool
	// partitions the topic has now.
	partitions int
}

// again is a stretch decoded and judged once more.
type again struct {
	rejects []mulu.Reject
	marks   uint64
	silent  int64             // records of a change feed that leave no row and no reject: tombstones, truncates
	rows    *library.Expected // nil without history
}

// withSource compares the source, decoded again, with the manifest and the rows.
func (j *judgement) withSource(ctx context.Context, s stretch) error {
	a, err := j.decode(ctx, s)
	if err != nil {
		return err
	}
	if a.rows != nil {
		defer a.rows.Close()
		j.line.Source.Content = a.rows.Content
	}
	src, m := &j.line.Source, &j.manifest
	unchanged := src.Records == m.Good+m.Rejected && src.Bytes == m.Bytes && src.Control == m.Control
	for i := range s.manifests {
		digest := ingest.Digest(s.records[i])
		if j.single {
			src.Digest = digest
		}
		unchanged = unchanged && digest == s.manifests[i].Digest
	}
	j.account(a.silent)
	counted := src.Good == m.Good && src.Rejected == m.Rejected && src.Rows == m.Rows
	rejects := j.landed.Rejected == src.Rejected && j.landed.RejectContent == a.marks
	rows := !j.kept || j.landed.Rows == a.rows.Rows && j.landed.Content == a.rows.Content
	mended, err := j.mended(ctx)
	if err != nil {
		return err
	}
	if j.even = unchanged && counted && rejects && rows && len(mended) == 0 && (!j.kept || j.landed.Records+a.silent == src.Records); j.even || !j.single {
		return nil
	}
	if !unchanged {
		j.differ(ingest.Difference{Kind: ingest.SourceChanged, Offset: m.First, Last: m.Last,
			Note: fmt.Sprintf("归集时 %d 条 %d 字节，现为 %d 条 %d 字节，摘要%s", m.Good+m.Rejected, m.Bytes, src.Records, src.Bytes, sameOr(src.Digest == m.Digest))})
	} else if !counted {
		j.differ(ingest.Difference{Kind: ingest.ManifestDiffers, Offset: m.First, Last: m.Last,
			Note: fmt.Sprintf("清单记入库 %d 条 %d 行、问题数据 %d 条，按源端重算为 %d 条 %d 行、%d 条", m.Good, m.Rows, m.Rejected, src.Good, src.Rows, src.Rejected)})
	}
	if !rejects {
		if err := j.rejects(ctx, a.rejects); err != nil {
			return err
		}
	}
	if !rows {
		if err := j.rows(ctx, a.rows); err != nil {
			return err
		}
	}
	j.faults(mended)
	j.conclude(ingest.Even)
	return nil
}

// account puts what landed on the line: records that left a row or a reject, and those
// that leave none.
func (j *judgement) account(silent int64) {
	if j.kept {
		j.line.Landed.Records = j.landed.Records + silent
		j.line.Landed.Good = j.line.Landed.Records - j.landed.Rejected
	}
}

// mended gives the rows of mended rejects that are not in the history as their mends
// say. The source does not tell them: it holds what was mended.
func (j *judgement) mended(ctx context.Context) (out []library.RowFault, err error) {
	if !j.kept {
		return nil, nil
	}
	replayed, err := j.r.Library.Replayed(ctx, j.plan)
	if err != nil {
		return nil, err
	}
	versions := map[uint32][]*item{}
	for _, r := range replayed {
		if m := r.Mend; m != nil {
			versions[m.Version] = append(versions[m.Version], &item{reject: r, version: m.Version, edited: m.Edited, value: m.Value})
		}
	}
	for _, n := range slices.Sorted(maps.Keys(versions)) {
		v, err := j.r.Version(j.plan.Dataset, n)
		if err != nil {
			return nil, fmt.Errorf("find version of mended rows of %s: %w", j.plan.BatchID, err)
		}
		for _, l := range divide(v.Dataset, versions[n]) {
			faults, err := j.load(ctx, v, l)
			if err != nil {
				return nil, err
			}
			out = append(out, faults...)
		}
	}
	return out, nil
}

// load compares the rows of one load of mended rejects.
func (j *judgement) load(ctx context.Context, v *Version, l *load) ([]library.RowFault, error) {
	if err := l.decode(v); err != nil {
		return nil, err
	}
	defer l.decoded.Release()
	l.blame()
	b := l.stored()
	e, err := j.r.Library.Expect(ctx, b)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	faults, _, err := e.Faults(ctx, b.Plan.BatchID, keepFaults)
	return faults, err
}

// faults names rows that differ.
func (j *judgement) faults(list []library.RowFault) {
	for _, f := range list {
		j.differ(ingest.Difference{Kind: f.Kind, Offset: f.Offset, Last: f.Offset, Row: f.Row, Fields: f.Fields})
	}
}

func sameOr(same bool) string {
	if same {
		return "相同"
	}
	return "不同"
}

// decode decodes and judges a stretch as Step did. Decoding does not depend on how
// records are batched, and rules on nothing but the day.
func (j *judgement) decode(ctx context.Context, s stretch) (a again, err error) {
	version, err := j.r.Version(j.plan.Dataset, j.plan.Version)
	if err != nil {
		return a, fmt.Errorf("find version of %s: %w", j.plan.BatchID, err)
	}
	batch := &ingest.Batch{Plan: j.plan, Records: slices.Concat(s.records...), Partitions: j.partitions}
	if version.Dataset.Changes() && j.partitions != 1 {
		// A topic that has several partitions by now had one when a batch emptied the table.
		emptied, err := j.r.Library.Emptied(ctx, j.plan)
		if err != nil {
			return a, err
		}
		if emptied {
			batch.Partitions = 1
		}
	}
	decoded, err := version.Decoder.Decode(batch)
	if err != nil {
		return a, fmt.Errorf("decode %s again: %w", j.plan.BatchID, err)
	}
	defer decoded.Release()
	checked, err := version.Rules.CheckChanges(decoded.Record, decoded.Offsets, decoded.Deleted, today(batch))
	if err != nil {
		return a, fmt.Errorf("check %s again: %w", j.plan.BatchID, err)
	}
	a.rejects = append(decoded.Rejects, ruleRejects(batch, decoded, checked)...)
	for i := range a.rejects {
		a.marks ^= library.RejectMark(&a.rejects[i])
	}
	rejected := ingest.Records(a.rejects)
	n := int64(len(batch.Records))
	j.line.Source = ingest.Side{Offsets: n + batch.Control(), Records: n, Control: batch.Control(), Bytes: ingest.RecordBytes(batch.Records),
		Good: n - rejected, Rejected: rejected, Rows: decoded.Record.NumRows() - int64(len(checked.Rejected))}
	a.silent = n - leave(decoded, a.rejects)
	if !j.kept {
		return a, nil
	}
	a.rows, err = j.r.Library.Expect(ctx, library.Batch{Plan: j.plan, Record: decoded.Record, Offsets: decoded.Offsets, Firsts: s.firsts(decoded.Offsets),
		Rows: decoded.Rows, Versions: decoded.Versions, Deleted: decoded.Deleted, Flags: checked.Flags, Drop: checked.Drop})
	return a, err
}

// leave counts the records that leave a row or a reject.
func leave(d *ingest.Decoded, rejects []mulu.Reject) int64 {
	if d.Rows == nil {
		return int64(len(d.Offsets)) + int64(len(d.Rejects))
	}
	offsets := map[int64]struct{}{}
	for _, o := range d.Offsets {
		offsets[o] = struct{}{}
	}
	for i := range rejects {
		offsets[rejects[i].Offset] = struct{}{}
	}
	return int64(len(offsets))
}

// firsts gives the first offset of the batch that each offset came in.
func (s *stretch) firsts(offsets []int64) []int64 {
	out := make([]int64, len(offsets))
	at := 0
	for i, o := range offsets {
		for s.manifests[at].Last < o {
			at++
		}
		out[i] = s.manifests[at].First
	}
	return out
}

// withoutSource compares the manifests with the rows alone.
func (j *judgement) withoutSource(ctx context.Context, state batchState) error {
	m := &j.manifest
	all := m.Good + m.Rejected
	silent := int64(0)
	if v, err := j.r.Version(j.plan.Dataset, j.plan.Version); err == nil && v.Dataset.Changes() {
		silent = max(0, all-j.landed.Records) // nobody knows how many of them left no row
	}
	j.account(silent)
	j.even = state != batchShort && j.landed.Rejected == m.Rejected && (!j.kept || j.landed.Rows == m.Rows && j.landed.Records+silent == all)
	verdict := map[batchState]ingest.Verdict{batchPurged: ingest.Purged, batchRebuilt: ingest.Rebuilt, batchShort: ingest.Uneven}[state]
	if j.even {
		j.line.Verdict = verdict
	}
	if j.even || !j.single {
		return nil
	}
	if state == batchShort {
		j.differ(ingest.Difference{Kind: ingest.SourceShort, Offset: m.First, Last: m.Last, Note: "消息系统的末尾早于本批，源端可能丢失了数据"})
	}
	if j.kept && j.landed.Rows != m.Rows {
		j.differ(ingest.Difference{Kind: ingest.ManifestDiffers, Offset: m.First, Last: m.Last, Note: fmt.Sprintf("清单记 %d 行，历史中有 %d 行", m.Rows, j.landed.Rows)})
	}
	if j.landed.Rejected != m.Rejected {
		marks, mended, err := j.r.Library.RejectMarks(ctx, j.plan)
		if err != nil {
			return err
		}
		if n := j.closed(marks, mended); n != m.Rejected {
			j.differ(ingest.Difference{Kind: ingest.ManifestDiffers, Offset: m.First, Last: m.Last, Note: fmt.Sprintf("清单记问题数据 %d 条，库中有 %d 条", m.Rejected, n)})
		}
	}
	j.conclude(verdict)
	return nil
}

// conclude says what one batch's differences amount to.
func (j *judgement) conclude(otherwise ingest.Verdict) {
	if j.even = len(j.line.Differences) == 0; j.even {
		j.line.Verdict = otherwise
	} else {
		j.line.Verdict = ingest.Uneven
	}
}

func (j *judgement) differ(d ingest.Difference) {
	if len(j.line.Differences) == keepFaults {
		j.line.More++
		return
	}
	j.line.Differences = append(j.line.Differences, d)
}

// closed counts the records with a reject, mended ones included, and puts the number
// on the line.
func (j *judgement) closed(marks map[library.Place]uint64, mended map[library.Place]bool) int64 {
	offsets := map[int64]bool{}
	for at := range marks {
		offsets[at.Offset] = true
	}
	for at := range mended {
		offsets[at.Offset] = true
	}
	n := int64(len(offsets))
	j.line.Landed.Rejected = n
	if j.kept {
		j.line.Landed.Good = j.line.Landed.Records - n
	}
	return n
}

// rejects names the rejects that are not the same on both sides.
func (j *judgement) rejects(ctx context.Context, expected []mulu.Reject) error {
	marks, mended, err := j.r.Library.RejectMarks(ctx, j.plan)
	if err != nil {
		return err
	}
	j.closed(marks, mended)
	var out []ingest.Difference
	name := func(kind string, at library.Place) {
		out = append(out, ingest.Difference{Kind: kind, Offset: at.Offset, Last: at.Offset, Row: at.Row})
	}
	for i := range expected {
		e := &expected[i]
		at := library.Place{Offset: e.Offset, Row: e.Row}
		mark, ok := marks[at]
		switch {
		case mended[at]: // whatever has become of the reject, a person dealt with it
		case !ok:
			name(ingest.RejectMissing, at)
		case mark != library.RejectMark(e):
			name(ingest.RejectAltered, at)
		}
		delete(marks, at)
	}
	for at := range marks {
		name(ingest.RejectExtra, at)
	}
	slices.SortFunc(out, func(a, b ingest.Difference) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Row, b.Row))
	})
	for _, d := range out {
		j.differ(d)
	}
	return nil
}

// rows names the rows that are not the same on both sides.
func (j *judgement) rows(ctx context.Context, expected *library.Expected) error {
	faults, total, err := expected.Faults(ctx, j.plan.BatchID, keepFaults)
	if err != nil {
		return err
	}
	j.faults(faults)
	j.line.More += total - int64(len(faults))
	return nil
}
