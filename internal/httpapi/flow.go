package httpapi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mulu"
	"mulu/ingest"
	api "mulu/internal/httpapi/gen/ingest"
	"mulu/library"
)

// ingestRoom shows the way in.
type ingestRoom struct{ *house }

func (h ingestRoom) GetFlow(ctx context.Context, _ api.GetFlowRequestObject) (api.GetFlowResponseObject, error) {
	datasets, err := h.datasets.get(ctx)
	if err != nil {
		return nil, err
	}
	totals, err := h.totals.get(ctx)
	if err != nil {
		return nil, err
	}
	mended, err := h.mended.get(ctx)
	if err != nil {
		return nil, err
	}
	batches, err := h.batches.get(ctx)
	if err != nil {
		return nil, err
	}
	orgs, err := h.orgs.get(ctx)
	if err != nil {
		return nil, err
	}
	classes, err := h.classes.get(ctx)
	if err != nil {
		return nil, err
	}
	pauses, err := h.pauses(ctx)
	if err != nil {
		return nil, err
	}
	now := h.Now()
	series := seriesOf(batches, now)
	status := h.status()
	seen := h.accounts()
	flow := api.Flow{At: now.UTC(), Sample: h.Sample(), Datasets: []api.FlowDataset{}}
	if h.Source != nil {
		flow.HeldBytes, flow.BudgetBytes = h.Source.Memory()
	}
	for _, ds := range datasets {
		f := api.FlowDataset{
			Code: string(ds.Code), Title: ds.Title, OwnerName: orgName(orgs, ds.Owner), Library: ds.Library, Topic: ds.Topic, Format: strings.TrimSpace(ds.Format + " " + ds.Encoding),
			Series: series[ds.Code], Balanced: true, Partitions: []api.FlowPartition{},
			State: api.FlowState(ingest.StateOf(status[ds.Code])), Rejects: classes[ds.Code], Pause: pauses[ds.Code],
		}
		if f.Series == nil {
			f.Series = make([]float64, flowPoints)
		}
		if f.Rejects == nil {
			f.Rejects = []api.FlowRejects{}
		}
		addTotals(&f, ds, totals)
		addSeen(&f, seen[ds.Code])
		c := mended[ds.Code]
		f.Replayed, f.Withdrawn = c.Replayed, c.WithdrawnGood+c.WithdrawnRejected
		if h.Source != nil {
			addStatus(&f, status[ds.Code])
		} else {
			f.Rate = f.Series[flowPoints-1]
		}
		flow.Datasets = append(flow.Datasets, f)
	}
	return api.GetFlow200JSONResponse(flow), nil
}

// addTotals sums what the manifests say. Until the source says better, the position
// is where the last manifest ends.
func addTotals(f *api.FlowDataset, ds *mulu.Dataset, totals []library.Total) {
	var last time.Time
	for i := range totals {
		t := &totals[i]
		if t.Dataset != ds.Code {
			continue
		}
		f.Offsets += t.Offsets
		f.Good += t.Good
		f.Rejected += t.Rejected
		f.Control += t.Control
		f.Position += t.Through + 1
		f.Balanced = f.Balanced && t.Balanced()
		if t.Last.After(last) {
			last = t.Last
		}
	}
	f.LastAt = timeOf(last)
}

func addStatus(f *api.FlowDataset, list []ingest.Status) {
	if len(list) > 0 {
		f.Position = 0
	}
	for _, s := range list {
		f.Position += max(s.Position, 0)
		f.Lag += max(s.Lag, 0)
		f.Rate += s.Rate
		f.Partitions = append(f.Partitions, partitionOf(&s))
	}
}

func partitionOf(s *ingest.Status) api.FlowPartition {
	p := api.FlowPartition{
		Partition: s.Partition, Position: s.Position, HighWatermark: s.End, Lag: s.Lag, Rate: s.Rate, Stopped: s.Stopped, Error: s.Error,
		State: api.FlowState(s.State()), Remedy: api.FlowPartitionRemedy(s.Remedy), SkipTo: s.SkipTo, Version: int64(s.Version), Since: s.Since,
	}
	if s.Next != nil {
		version := int64(s.Next.Version)
		p.NextVersion, p.NextFrom = &version, &s.Next.From
	}
	return p
}

// pauses is who has stopped which dataset and why.
func (h ingestRoom) pauses(ctx context.Context) (map[mulu.DatasetCode]*api.FlowPause, error) {
	list, err := h.Journal.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	m := map[mulu.DatasetCode]*api.FlowPause{}
	for _, p := range list {
		m[p.Dataset] = &api.FlowPause{Reason: p.Reason, By: p.By, At: p.At.UTC()}
	}
	return m, nil
}

// addSeen adds waits, batch sizes and their past. a is nil if nothing was seen.
func addSeen(f *api.FlowDataset, a *ingest.Account) {
	if a == nil {
		a = &ingest.Account{Points: slices.Repeat([]ingest.Point{noPoint}, flowPoints)}
	}
	f.P50Ms, f.P99Ms = quantiles(a.Recent)
	f.P50AllMs, f.P99AllMs = quantiles(a.All)
	f.BatchRowsP50, f.BatchRowsLast = a.SizeP50, a.Last.Rows
	f.LagSeries, f.LatencySeries = make([]*int64, flowPoints), make([]*float64, flowPoints)
	for i, p := range a.Points {
		f.LagSeries[i], f.LatencySeries[i] = indexOf(p.Lag), millis(p.P99)
	}
}

// noPoint is a point of time in which nothing was seen.
var noPoint = ingest.Point{Lag: -1, P50: -1, P99: -1}

func quantiles(w ingest.Waits) (p50, p99 *float64) {
	if w.Records == 0 {
		return nil, nil
	}
	return millis(w.P50), millis(w.P99)
}

// millis is a duration in milliseconds, null for one below 0.
func millis(d time.Duration) *float64 {
	if d < 0 {
		return nil
	}
	ms := float64(d.Microseconds()) / 1000
	return &ms
}

// detailBatches is how many batches a detail lists.
const detailBatches = 20

func (h ingestRoom) GetFlowDetail(ctx context.Context, r api.GetFlowDetailRequestObject) (api.GetFlowDetailResponseObject, error) {
	code := mulu.DatasetCode(r.Code)
	if h.Library.Dataset(code) == nil {
		return nil, fmt.Errorf("没有数据集 %s: %w", code, mulu.ErrNotFound)
	}
	now := h.Now()
	batches, err := h.Library.RecentBatches(ctx, code, now.Add(-ingest.SeenPoints*ingest.SeenStep), detailBatches)
	if err != nil {
		return nil, err
	}
	a := &ingest.Account{Points: slices.Repeat([]ingest.Point{noPoint}, ingest.SeenPoints)}
	if h.Seen != nil {
		if got, ok := h.Seen.Account(code, ingest.SeenPoints); ok {
			a = &got
		}
	}
	d := api.FlowDetail{
		At: now.UTC(), Code: r.Code, StepS: int64(ingest.SeenStep / time.Second), Ahead: a.Ahead, Undated: a.Undated, Batches: []api.FlowBatch{},
		Rate: make([]float64, len(a.Points)), Rejected: make([]float64, len(a.Points)),
		Lag: make([]*int64, len(a.Points)), P50Ms: make([]*float64, len(a.Points)), P99Ms: make([]*float64, len(a.Points)),
	}
	for i, p := range a.Points {
		d.Rate[i], d.Rejected[i] = float64(p.Records)/ingest.SeenStep.Seconds(), float64(p.Rejected)/ingest.SeenStep.Seconds()
		d.Lag[i], d.P50Ms[i], d.P99Ms[i] = indexOf(p.Lag), millis(p.P50), millis(p.P99)
	}
	for i := range batches {
		d.Batches = append(d.Batches, batchOf(&batches[i]))
	}
	return api.GetFlowDetail200JSONResponse(d), nil
}

func batchOf(m *mulu.Manifest) api.FlowBatch {
	b := api.FlowBatch{
		Partition: m.Partition, First: m.First, Last: m.Last, Good: m.Good, Rejected: m.Rejected, Control: m.Control,
		Rows: m.Rows, Bytes: m.Bytes, Version: int64(m.Version), At: m.At.UTC(),
	}
	if !m.Oldest.IsZero() {
		b.WaitMs = millis(max(m.At.Sub(m.Oldest), 0)) // a producer's clock may be ahead
	}
	return b
}

// status is how this process's partitions stand, by dataset.
func (h *house) status() map[mulu.DatasetCode][]ingest.Status {
	m := map[mulu.DatasetCode][]ingest.Status{}
	if h.Source == nil {
		return m
	}
	for _, s := range h.Source.Status() {
		m[s.Dataset] = append(m[s.Dataset], s)
	}
	return m
}

// accounts is what was seen of each dataset, with the points of a flow.
func (h *house) accounts() map[mulu.DatasetCode]*ingest.Account {
	m := map[mulu.DatasetCode]*ingest.Account{}
	if h.Seen == nil {
		return m
	}
	list := h.Seen.Accounts(flowPoints)
	for i := range list {
		m[list[i].Dataset] = &list[i]
	}
	return m
}

// byClass sums counted rejects over rules and fields, most first.
func byClass(list []library.RejectClass) map[mulu.DatasetCode][]api.FlowRejects {
	m := map[mulu.DatasetCode][]api.FlowRejects{}
	for _, c := range list {
		have := m[c.Dataset]
		i := slices.IndexFunc(have, func(r api.FlowRejects) bool { return r.Class == c.Class })
		if i < 0 {
			m[c.Dataset] = append(have, api.FlowRejects{Class: c.Class, Rows: c.Rows})
		} else {
			have[i].Rows += c.Rows
		}
	}
	for _, list := range m {
		slices.SortFunc(list, func(a, b api.FlowRejects) int {
			if a.Rows != b.Rows {
				return int(b.Rows - a.Rows)
			}
			return strings.Compare(a.Class, b.Class)
		})
	}
	return m
}

// seriesOf turns recent batches into records a second, a point per flowStep, oldest
// first, the last one ending now.
func seriesOf(batches []mulu.Manifest, now time.Time) map[mulu.DatasetCode][]float64 {
	m := map[mulu.DatasetCode][]float64{}
	for _, b := range batches {
		ago := int(now.Sub(b.At) / flowStep)
		if ago < 0 || ago >= flowPoints {
			continue
		}
		if m[b.Dataset] == nil {
			m[b.Dataset] = make([]float64, flowPoints)
		}
		m[b.Dataset][flowPoints-1-ago] += float64(b.Good+b.Rejected) / flowStep.Seconds()
	}
	return m
}

// rowsOf sums the good rows and finds the newest manifest of each dataset.
func rowsOf(totals []library.Total) map[mulu.DatasetCode]library.Total {
	m := map[mulu.DatasetCode]library.Total{}
	for _, t := range totals {
		s := m[t.Dataset]
		s.Good += t.Good
		s.Last = slices.MaxFunc([]time.Time{s.Last, t.Last}, time.Time.Compare)
		m[t.Dataset] = s
	}
	return m
}
