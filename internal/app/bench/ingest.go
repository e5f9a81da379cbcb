package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/internal/sample"
	"mulu/internal/store"
	"mulu/library"
	"mulu/pipeline"
	"mulu/quality"
	"mulu/quality/codes"
)

// The bars of two cores.
const (
	barCPU      = 2.5 // s per million rows, this process, merges included
	barGoCPU    = 0.9
	barBroker   = 0.4
	barRSS      = 1434 // MiB
	wholeBatch  = partitions * batchRows
	joinTimeout = 30 * time.Second
)

// walk is one run of the way in.
type walk struct {
	wall, cpu, broker time.Duration
	rss               float64
	good, rejected    int64
}

// ingestFigures loads a broker, walks everything through the pipeline into the
// embedded engine, and lets the engine insert the same rows by itself.
func ingestFigures(ctx context.Context, o *Options) (figures []Figure, err error) {
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
	// Whole batches only: the last, part-filled one of each partition would wait for more.
	n := (o.Rows + wholeBatch - 1) / wholeBatch * wholeBatch
	f, err := startFeed(ctx, o, dir, n)
	if err != nil {
		return nil, err
	}
	defer f.close()
	ds := dataset(code, topic, false)
	if err := lib.Apply(ctx, ds); err != nil {
		return nil, err
	}
	stages, err := goStages(ctx, o, f, lib, ds, dir)
	if err != nil {
		return nil, err
	}
	forgetPeak()
	w, err := walkIn(ctx, o, f, lib, ds, dir)
	if err != nil {
		return nil, err
	}
	own, err := engineInsert(ctx, o, lib, w.good)
	if err != nil {
		return nil, err
	}
	forgetPeak()
	kept, err := walkKept(ctx, o, f, lib, dir)
	if err != nil {
		return nil, err
	}
	syncing, err := library.Open(ctx, library.Options{Transport: engine.Transport(), Log: o.Log, Fsync: true})
	if err != nil {
		return nil, fmt.Errorf("open library with fsync: %w", err)
	}
	fsds := dataset("bench_fsync", topic, false)
	if err := syncing.Apply(ctx, fsds); err != nil {
		return nil, err
	}
	synced, err := walkIn(ctx, o, f, syncing, fsds, dir)
	if err != nil {
		return nil, err
	}
	small, err := smallFigures(ctx, o, f, lib, dir)
	if err != nil {
		return nil, err
	}
	peer, err := peerFigures(ctx, o, f, lib, engine, dir, w)
	if err != nil && ctx.Err() == nil { // its trouble takes nobody else's figures away
		o.Progress(fmt.Sprintf("对手未测成 / the peer was not measured: %v", err), 0, 0)
	} else if err != nil {
		return nil, err
	}
	stages = append(append(stages, small...), peer...)
	rate := perSecond(n, w.wall)
	return append([]Figure{
		figure("ingest.end_to_end", rate, "rows/s", "engine INSERT SELECT, same rows and settings, merges running on both sides; no decoding, rules, broker, rejects, findings, manifest", own.rate),
		figure("ingest.engine_insert", own.rate, "rows/s", "", 0),
		figure("ingest.cpu_s_per_million", perMillion(w.cpu, n), "CPU-s/M rows", "bar", barCPU),
		figure("ingest.engine_insert_cpu_s_per_million", own.cpu, "CPU-s/M rows", "", 0),
		figure("ingest.broker_cpu_s_per_million", perMillion(w.broker, n), "CPU-s/M rows", "bar", barBroker),
		figure("ingest.rss_mb", w.rss, "MiB", "bar", barRSS),
		figure("ingest.end_to_end_history", perSecond(n, kept.wall), "rows/s", "without history", rate),
		figure("ingest.history_rss_mb", kept.rss, "MiB", "bar", barRSS),
		figure("ingest.history_cost", perMillion(kept.cpu, n), "CPU-s/M rows with history", "without history", perMillion(w.cpu, n)),
		figure("ingest.fsync_cost", perSecond(n, synced.wall), "rows/s with fsync", "without fsync", rate),
	}, stages...), nil
}

// walkKept is the same walk into a dataset that keeps its history.
func walkKept(ctx context.Context, o *Options, f *feed, lib *library.Library, dir string) (walk, error) {
	ds := dataset("bench_kept", topic, true)
	if err := lib.Apply(ctx, ds); err != nil {
		return walk{}, err
	}
	return walkIn(ctx, o, f, lib, ds, dir)
}

// ready makes the decoder and the rules of a dataset.
func ready(ds *mulu.Dataset) (*pipeline.Version, error) {
	tables, err := codes.Load(codes.WithSynthetic(sample.NoDivision))
	if err != nil {
		return nil, fmt.Errorf("load code tables: %w", err)
	}
	v := &pipeline.Version{Dataset: ds}
	if v.Decoder, err = ingest.NewDecoder(ds); err != nil {
		return nil, err
	}
	if v.Rules, err = quality.Compile(ds, tables); err != nil {
		return nil, err
	}
	return v, nil
}

// walkIn runs the real pipeline until the whole topic is stored, and counts what
// came out. Time runs from the first batch asked for: joining the group is not ours.
func walkIn(ctx context.Context, o *Options, f *feed, lib *library.Library, ds *mulu.Dataset, dir string) (w walk, err error) {
	v, err := ready(ds)
	if err != nil {
		return w, err
	}
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, string(ds.Code)+".db"))
	if err != nil {
		return w, err
	}
	defer db.Close()
	journal, err := ingest.NewJournal(ctx, db, time.Now)
	if err != nil {
		return w, err
	}
	src, err := ingest.NewSource(ingest.Options{Seeds: []string{f.addr}, Group: string(ds.Code), Datasets: []*mulu.Dataset{ds}, Journal: journal, BatchRows: batchRows, Log: o.Log})
	if err != nil {
		return w, err
	}
	defer src.Close()
	var first sync.Once
	began := make(chan stopwatch, 1)
	version := func(mulu.DatasetCode, uint32) (*pipeline.Version, error) { return v, nil }
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	broker := cpuOf(f.pid())
	go func() {
		ended <- src.Run(run, func(ctx context.Context, p *ingest.Partition) error {
			first.Do(func() { began <- startWatch() })
			lane := pipeline.Lane{Source: p, Version: version, Journal: journal, Library: lib, Now: time.Now}
			return lane.Step(ctx)
		})
	}()
	watch, err := untilStored(ctx, o, src, f.rows, began, ended)
	w.wall, w.cpu, w.broker, w.rss = watch.wall(), watch.cpu(), cpuOf(f.pid())-broker, peakMB()
	stop()
	if err != nil {
		return w, err
	}
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		return w, fmt.Errorf("read topic: %w", err)
	}
	w.good, w.rejected, err = stored(ctx, lib, ds.Code, f.rows)
	return w, err
}

// untilStored waits until every record of the topic is committed.
func untilStored(ctx context.Context, o *Options, src *ingest.Source, rows int64, began <-chan stopwatch, ended chan error) (watch stopwatch, err error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(joinTimeout)
	for {
		select {
		case <-ctx.Done():
			return watch, ctx.Err()
		case err := <-ended:
			ended <- err
			return watch, fmt.Errorf("source ended early: %w", err)
		case watch = <-began:
			late = nil
		case <-late:
			return watch, fmt.Errorf("no partition was assigned within %s: %w", joinTimeout, mulu.ErrBusy)
		case <-tick.C:
		}
		var done int64
		for _, s := range src.Status() {
			if s.Stopped || s.Error != "" {
				return watch, fmt.Errorf("partition %d: %s: %w", s.Partition, s.Error, mulu.ErrInvalid)
			}
			done += max(0, s.Position)
		}
		o.Progress("走完入库全程 / walking in", done, rows)
		if done >= rows {
			return watch, nil
		}
	}
}

// stored counts what is in the library and holds it against what was sent: a fast
// run that lost a row is no figure.
func stored(ctx context.Context, lib *library.Library, code mulu.DatasetCode, sent int64) (good, rejected int64, err error) {
	var want int64
	for i := range sent {
		if faulty(i) {
			want++
		}
	}
	totals, err := lib.Totals(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, t := range totals {
		if t.Dataset == code {
			good, rejected = good+t.Good, rejected+t.Rejected
		}
	}
	a, err := lib.Audit(ctx, code)
	if err != nil {
		return 0, 0, err
	}
	if topicReader := code == topic; !topicReader {
		a.Rejects = rejected // a problem row belongs to the one dataset that reads the topic
	}
	if good+rejected != sent || rejected != want || a.Visible != good || a.Rejects != rejected {
		return 0, 0, fmt.Errorf("sent %d (%d faulty): manifests say %d good and %d rejected, tables hold %d and %d: %w", sent, want, good, rejected, a.Visible, a.Rejects, mulu.ErrInvalid)
	}
	return good, rejected, nil
}

// ownInsert is the engine alone.
type ownInsert struct{ rate, cpu float64 }

// engineInsert lets the engine insert the rows that are there, three times.
func engineInsert(ctx context.Context, o *Options, lib *library.Library, want int64) (own ownInsert, err error) {
	c, err := lib.NewCeiling(ctx, code)
	if err != nil {
		return own, err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	var rates, used []float64
	for i := range int64(3) {
		o.Progress("引擎自身的 INSERT SELECT / the engine's own", i, 3)
		watch := startWatch()
		n, err := c.Insert(ctx, batchRows, min(runtime.NumCPU(), partitions))
		wall, cpu := watch.wall(), watch.cpu()
		if err != nil {
			return own, err
		}
		if n != want {
			return own, fmt.Errorf("the engine's copy has %d rows, want %d: %w", n, want, mulu.ErrInvalid)
		}
		rates, used = append(rates, perSecond(n, wall)), append(used, perMillion(cpu, n))
	}
	o.Progress("引擎自身的 INSERT SELECT / the engine's own", 3, 3)
	return ownInsert{median(rates), median(used)}, nil
}
