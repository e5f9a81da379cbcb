package httpapi

import (
	"context"
	"slices"
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
	now := h.Now()
	series := seriesOf(batches, now)
	status := h.status()
	flow := api.Flow{At: now.UTC(), Sample: h.Sample(), Datasets: []api.FlowDataset{}}
	for _, ds := range datasets {
		f := api.FlowDataset{
			Code: string(ds.Code), Title: ds.Title, OwnerName: orgName(orgs, ds.Owner), Library: ds.Library, Topic: ds.Topic,
			Series: series[ds.Code], Balanced: true, Partitions: []api.FlowPartition{},
		}
		if f.Series == nil {
			f.Series = make([]float64, flowPoints)
		}
		addTotals(&f, ds, totals)
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
		f.Partitions = append(f.Partitions, api.FlowPartition{
			Partition: s.Partition, Position: s.Position, HighWatermark: s.End, Lag: s.Lag, Rate: s.Rate, Stopped: s.Stopped, Error: s.Error,
		})
	}
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
