package httpapi

import (
	"context"
	"sync"
	"time"

	"mulu"
	"mulu/catalog"
	ingestapi "mulu/internal/httpapi/gen/ingest"
	"mulu/library"
	"mulu/share"
)

// recent keeps an answer for a moment, so that a page that many people have open
// asks the engine once. Those who ask while it is being loaded wait for it.
type recent[V any] struct {
	keep time.Duration
	load func(context.Context) (V, error)

	mu sync.Mutex
	at time.Time
	v  V
}

func (r *recent[V]) get(ctx context.Context) (V, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.at.IsZero() && time.Since(r.at) < r.keep {
		return r.v, nil
	}
	v, err := r.load(ctx)
	if err != nil {
		var none V
		return none, err
	}
	r.v, r.at = v, time.Now()
	return v, nil
}

func remember[V any](keep time.Duration, load func(context.Context) (V, error)) *recent[V] {
	return &recent[V]{keep: keep, load: load}
}

// How far back the rates of a flow reach, and in which steps.
const (
	flowStep   = 10 * time.Second
	flowPoints = 30
	maxBatches = 5000
	// slowKept is long, since counting every reject is no small thing.
	slowKept = 15 * time.Second
)

// remember sets up the answers that may be a moment old.
func (h *house) remember() {
	h.totals = remember(time.Second, func(ctx context.Context) ([]library.Total, error) { return h.Library.Totals(ctx) })
	h.mended = remember(time.Second, func(ctx context.Context) (map[mulu.DatasetCode]library.Correction, error) {
		list, err := h.Library.Corrections(ctx)
		return correctionsOf(list), err
	})
	h.batches = remember(time.Second, func(ctx context.Context) ([]mulu.Manifest, error) {
		return h.Library.RecentBatches(ctx, "", h.Now().Add(-flowPoints*flowStep), maxBatches)
	})
	h.classes = remember(slowKept, func(ctx context.Context) (map[mulu.DatasetCode][]ingestapi.FlowRejects, error) {
		list, err := h.Library.RejectClasses(ctx, library.RejectFilter{})
		return byClass(list), err
	})
	h.parts = remember(slowKept, func(ctx context.Context) ([]library.PartCount, error) { return h.Library.PartCounts(ctx) })
	h.orgs = remember(5*time.Second, func(ctx context.Context) (map[mulu.OrgCode]mulu.Org, error) {
		list, err := h.Catalog.Orgs(ctx)
		return index(list, func(o mulu.Org) mulu.OrgCode { return o.Code }), err
	})
	h.actors = remember(5*time.Second, func(ctx context.Context) (map[string]mulu.Actor, error) {
		list, err := h.Auth.Actors(ctx)
		return index(list, func(a mulu.Actor) string { return a.ID }), err
	})
	h.datasets = remember(2*time.Second, func(ctx context.Context) ([]*mulu.Dataset, error) { return h.Catalog.Datasets(ctx) })
	h.posted = remember(2*time.Second, func(ctx context.Context) (map[mulu.DatasetCode]mulu.Way, error) {
		list, err := h.Submit.Ways(ctx, "")
		out := map[mulu.DatasetCode]mulu.Way{}
		for _, w := range list {
			if _, some := out[w.Dataset]; !some && w.Kind == mulu.WayHTTP {
				out[w.Dataset] = w.Way
			}
		}
		return out, err
	})
	h.scores = remember(time.Second, func(ctx context.Context) (map[mulu.DatasetCode]catalog.ScoreView, error) {
		list, err := h.Catalog.LatestScores(ctx)
		return index(list, func(s catalog.ScoreView) mulu.DatasetCode { return s.Dataset }), err
	})
	h.reads = remember(2*time.Second, func(ctx context.Context) (map[mulu.GrantID]int64, error) {
		list, err := h.Share.Receipts(ctx, share.ReceiptFilter{Limit: 1000})
		n := map[mulu.GrantID]int64{}
		for _, r := range list {
			if r.Outcome == share.Delivered {
				n[r.Grant]++
			}
		}
		return n, err
	})
}

func index[K comparable, V any](list []V, key func(V) K) map[K]V {
	m := make(map[K]V, len(list))
	for _, v := range list {
		m[key(v)] = v
	}
	return m
}

// orgName names an organisation, by its code if it is not known.
func orgName(orgs map[mulu.OrgCode]mulu.Org, code mulu.OrgCode) string {
	if o, ok := orgs[code]; ok {
		return o.Name
	}
	return string(code)
}

// placeName names where a grant's data goes: a street by its name, a community by
// its street's and its code.
func placeName(orgs map[mulu.OrgCode]mulu.Org, d mulu.Division) string {
	for _, o := range orgs {
		if o.Kind != "street" || o.Division == "" {
			continue
		}
		if o.Division == d {
			return o.Name
		}
		if len(d) == 12 && string(d[:9]) == string(o.Division) {
			return o.Name + " " + string(d)
		}
	}
	return string(d)
}

// Small helpers of the wire form: null for none, [] for an empty list.

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func microTime(us int64) *time.Time {
	if us == 0 {
		return nil
	}
	return timeOf(time.UnixMicro(us))
}

func indexOf(i int64) *int64 {
	if i < 0 {
		return nil
	}
	return &i
}

func value[V any](p *V) V {
	if p == nil {
		var none V
		return none
	}
	return *p
}

// limitOf reads a limit parameter: absent is usual, too many is most.
func limitOf(p *int, usual, most int) (int, error) {
	if p == nil {
		return usual, nil
	}
	if *p < 1 {
		return 0, invalid("limit 应为 1 至 %d", most)
	}
	return min(*p, most), nil
}

func texts[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
