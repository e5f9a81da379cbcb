package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"mulu"
	"mulu/library"
	"mulu/plan"
)

const (
	shareRows   = 1_000_000
	shareParts  = 30
	bulkRows    = 300_000
	lookups     = 500
	lookupEvery = 10 * time.Millisecond // open loop: the next comes whether or not the last is done
	lookupSlots = 32                    // asked at once; more wait here, as they would at the API
	barParts    = 25                    // ms, thirty unmerged parts
	barMerged   = 10
)

// shareFigures fills a library, looks single people up while it lies in many
// unmerged parts and again when it is merged, and exports all of it beside the
// engine's own stream.
func shareFigures(ctx context.Context, o *Options) (figures []Figure, err error) {
	dir, remove, err := tempDir(o)
	if err != nil {
		return nil, err
	}
	defer remove()
	lib, engine, err := openLibrary(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stopEngine(engine)) }()
	ds := dataset(code, topic, false)
	if err := lib.Apply(ctx, ds); err != nil {
		return nil, err
	}
	if err := lib.HoldMerges(ctx, code, true); err != nil {
		return nil, err
	}
	if err := fillLibrary(ctx, o, lib, ds); err != nil {
		return nil, err
	}
	parts, err := lib.Parts(ctx, code)
	if err != nil {
		return nil, err
	}
	apart, err := lookUp(ctx, o, lib, "核验（未合并）/ verification among parts")
	if err != nil {
		return nil, err
	}
	o.Progress("合并 / merging", 0, 0)
	if err := errors.Join(lib.HoldMerges(ctx, code, false), lib.MergeAll(ctx, code)); err != nil {
		return nil, err
	}
	merged, err := lookUp(ctx, o, lib, "核验（已合并）/ verification, merged")
	if err != nil {
		return nil, err
	}
	figures = []Figure{
		figure("share.verify_p99", millis(apart.p99), "ms", fmt.Sprintf("bar, 100/s open loop, %d parts", parts), barParts),
		figure("share.verify_p50", millis(apart.p50), "ms", "", 0),
		figure("share.verify_cpu_ms", millis(apart.cpu), "CPU-ms/lookup", "", 0),
		figure("share.verify_merged_p99", millis(merged.p99), "ms", "bar, 100/s open loop, merged", barMerged),
		figure("share.verify_merged_p50", millis(merged.p50), "ms", "", 0),
		figure("share.verify_merged_cpu_ms", millis(merged.cpu), "CPU-ms/lookup", "", 0),
	}
	for _, f := range []library.Format{library.NDJSON, library.CSV, library.Arrow} {
		own, err := bulk(ctx, o, lib, ds, f)
		if err != nil {
			return nil, err
		}
		name := "share.bulk"
		if f != library.NDJSON {
			name += "_" + string(f)
		}
		figures = append(figures, figure(name, own.ours, "rows/s", "engine's own stream of the same columns", own.engine))
	}
	return figures, nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// fillLibrary stores generated rows in shareParts batches, each of which is a part.
func fillLibrary(ctx context.Context, o *Options, lib *library.Library, ds *mulu.Dataset) error {
	v, err := ready(ds)
	if err != nil {
		return err
	}
	const each = shareRows / shareParts
	for n := range int64(shareParts) {
		o.Progress("装入测速数据 / filling the library", n, shareParts)
		b, d, err := decoded(v, n*each, each)
		if err != nil {
			return err
		}
		c := v.Rules.Check(d.Record, d.Offsets, time.Now())
		err = lib.StoreData(ctx, library.Batch{Plan: b.Plan, Record: d.Record, Offsets: d.Offsets, Flags: c.Flags, Drop: c.Drop})
		d.Release()
		if err != nil {
			return err
		}
	}
	o.Progress("装入测速数据 / filling the library", shareParts, shareParts)
	return nil
}

// looked is how long verifications took, and what one cost.
type looked struct{ p50, p99, cpu time.Duration }

// lookUp verifies people one by one at a fixed pace. A late answer counts from when
// it was due, not from when it was asked for: on a machine that can not keep the
// pace the queue is what is measured, and only the CPU says what a lookup costs.
func lookUp(ctx context.Context, o *Options, lib *library.Library, stage string) (looked, error) {
	var mu sync.Mutex
	var waits []time.Duration
	var faults []error
	var asked sync.WaitGroup
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // which rows are looked up is no secret
	slots := make(chan struct{}, lookupSlots)
	watch := startWatch()
	for n := range lookups {
		due := watch.at.Add(time.Duration(n) * lookupEvery)
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(due)):
		}
		if ctx.Err() != nil {
			break
		}
		i := r.Int64N(shareRows / shareParts * shareParts)
		for faulty(i) {
			i++
		}
		asked.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			err := verify(ctx, lib, i)
			mu.Lock()
			defer mu.Unlock()
			waits, faults = append(waits, time.Since(due)), append(faults, err)
		})
		if n%100 == 0 {
			o.Progress(stage, int64(n), lookups)
		}
	}
	asked.Wait()
	o.Progress(stage, lookups, lookups)
	used := watch.cpu()
	if err := errors.Join(append(faults, ctx.Err())...); err != nil {
		return looked{}, err
	}
	slices.Sort(waits)
	return looked{quantile(waits, 0.5), quantile(waits, 0.99), used / lookups}, nil
}

func verify(ctx context.Context, lib *library.Library, i int64) error {
	got, err := lib.Read(ctx, plan.Plan{View: plan.View{Base: code}, Where: plan.Predicate{Field: "id", Op: plan.Eq, Value: key(i)},
		Items: []plan.Item{{Name: "id"}, {Name: "name", Mask: plan.MaskName}, {Name: "citizen_id", Mask: plan.MaskID}, {Name: "status"}, {Name: "updated_at"}}}, library.ReadOptions{})
	if err != nil {
		return err
	}
	if len(got.Values) != 1 || got.Values[0][0] != key(i) {
		return fmt.Errorf("row %d was not found: %w", key(i), mulu.ErrNotFound)
	}
	return nil
}

// streams are rows a second of an export and of the engine's own.
type streams struct{ ours, engine float64 }

// bulk exports bulkRows rows in turn with the engine's own stream, three times each.
// Ours counts the rows and makes the digest of the bytes on the way.
func bulk(ctx context.Context, o *Options, lib *library.Library, ds *mulu.Dataset, f library.Format) (streams, error) {
	var cols []string
	p := plan.Plan{View: plan.View{Base: code}}
	for _, c := range ds.Columns {
		cols, p.Items = append(cols, c.Name), append(p.Items, plan.Item{Name: c.Name})
	}
	var ours, engine []float64
	const rounds = 3
	for n := range int64(rounds) {
		o.Progress("批量共享 / bulk share, "+string(f), n, rounds)
		watch := startWatch()
		out := sha256.New()
		count, err := lib.Export(ctx, p, f, library.ReadOptions{Limit: bulkRows}, out)
		if err != nil {
			return streams{}, err
		}
		ours = append(ours, perSecond(count, watch.wall()))
		watch = startWatch()
		var size counter
		if _, err := lib.Stream(ctx, code, cols, bulkRows, f, &size); err != nil {
			return streams{}, err
		}
		engine = append(engine, perSecond(count, watch.wall()))
	}
	o.Progress("批量共享 / bulk share, "+string(f), rounds, rounds)
	return streams{median(ours), median(engine)}, nil
}

// counter counts bytes; unlike io.Discard it does not take them in smaller pieces.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
