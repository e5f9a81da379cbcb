package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/ingest"
	"mulu/internal/broker"
	"mulu/internal/store"
	"mulu/library"
	"mulu/pipeline"
)

// Many small datasets: how many, for how long, and the share of one core they may take.
const (
	smallCount = 18
	smallIdle  = 10 * time.Second
	smallRun   = 20 * time.Second
	barSmall   = 5.0 // per cent
)

// smallFigures is what eighteen datasets of one partition cost that get nothing, and
// then one record a second each: the real source, a lane per partition, history kept,
// stored in the embedded engine, merges included. The producer of the eighteen
// records a second runs in this process as well.
func smallFigures(ctx context.Context, o *Options, f *feed, lib *library.Library, dir string) (figures []Figure, err error) {
	versions := map[mulu.DatasetCode]*pipeline.Version{}
	var datasets []*mulu.Dataset
	var topics []broker.TopicSpec
	for i := range smallCount {
		name := fmt.Sprintf("bench_small_%02d", i)
		ds := dataset(mulu.DatasetCode(name), name, true)
		if err := lib.Apply(ctx, ds); err != nil {
			return nil, err
		}
		if versions[ds.Code], err = ready(ds); err != nil {
			return nil, err
		}
		datasets, topics = append(datasets, ds), append(topics, broker.TopicSpec{Name: name, Partitions: 1})
	}
	if err := broker.EnsureTopics(ctx, []string{f.addr}, topics); err != nil {
		return nil, fmt.Errorf("make small topics: %w", err)
	}
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "small.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	journal, err := ingest.NewJournal(ctx, db, time.Now)
	if err != nil {
		return nil, err
	}
	src, err := ingest.NewSource(ingest.Options{Seeds: []string{f.addr}, Group: "bench-small", Datasets: datasets, Journal: journal, Log: o.Log})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	run, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- src.Run(run, func(ctx context.Context, p *ingest.Partition) error {
			lane := pipeline.Lane{Source: p, Journal: journal, Library: lib, Now: time.Now,
				Version: func(code mulu.DatasetCode, _ uint32) (*pipeline.Version, error) { return versions[code], nil }}
			return lane.Step(ctx)
		})
	}()
	for start := time.Now(); len(src.Status()) < smallCount; time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > joinTimeout || ctx.Err() != nil {
			return nil, fmt.Errorf("%d of %d small topics were assigned within %s: %w", len(src.Status()), smallCount, joinTimeout, errors.Join(ctx.Err(), mulu.ErrBusy))
		}
	}
	time.Sleep(2 * time.Second) // joining, and merges of what went before
	o.Progress("十八个小数据集，空闲 / eighteen small datasets, idle", 0, 0)
	idle := share(ctx, f.pid(), smallIdle, nil)
	o.Progress("十八个小数据集，每秒一条 / one record a second each", 0, 0)
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.addr))
	if err != nil {
		return nil, fmt.Errorf("open producer: %w", err)
	}
	defer cl.Close()
	var gen rows
	sent := int64(0)
	trickle := share(ctx, f.pid(), smallRun, func() error {
		// Spread over the second, as sources that know nothing of each other would.
		for _, ds := range datasets {
			cl.Produce(ctx, &kgo.Record{Topic: ds.Topic, Value: append([]byte(nil), gen.append(sent)...)}, nil)
			time.Sleep(time.Second / smallCount)
			sent++
		}
		return cl.Flush(ctx)
	})
	if err := errors.Join(idle.err, trickle.err, ctx.Err()); err != nil {
		return nil, err
	}
	if err := smallStored(ctx, lib, sent); err != nil {
		return nil, err
	}
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("read small topics: %w", err)
	}
	return []Figure{
		figure("ingest.small_datasets", trickle.own, "% of one core", "bar", barSmall),
		figure("ingest.small_datasets_idle", idle.own, "% of one core", "bar", barSmall),
		figure("ingest.small_datasets_broker", trickle.broker, "% of one core", "", 0),
	}, nil
}

// used is the share of one core taken, in per cent.
type used struct {
	own, broker float64
	err         error
}

// share measures this process and the broker for d; each, if given, is called over
// and over.
func share(ctx context.Context, pid int, d time.Duration, each func() error) (u used) {
	watch, other := startWatch(), cpuOf(pid)
	for watch.wall() < d && u.err == nil && ctx.Err() == nil {
		if each == nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		u.err = each()
	}
	wall := watch.wall().Seconds()
	u.own, u.broker = 100*watch.cpu().Seconds()/wall, 100*(cpuOf(pid)-other).Seconds()/wall
	return u
}

// smallStored waits until the manifests of the small datasets say that all is stored.
func smallStored(ctx context.Context, lib *library.Library, sent int64) error {
	var stored int64
	for range 100 {
		totals, err := lib.Totals(ctx)
		if err != nil {
			return err
		}
		stored = 0
		for _, t := range totals {
			if len(t.Dataset) > len("bench_small") && t.Dataset[:len("bench_small")] == "bench_small" {
				stored += t.Offsets
			}
		}
		if stored == sent {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("sent %d records to small datasets, %d are stored: %w", sent, stored, mulu.ErrInvalid)
}
