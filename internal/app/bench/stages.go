package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/internal/store"
	"mulu/library"
	"mulu/pipeline"
)

// stage is what one stretch of the way in cost.
type stage struct{ wall, cpu, broker time.Duration }

// held are batches of the topic kept in memory: what decoding alone is measured on.
type held struct {
	batches []*ingest.Batch
	rows    int64
	bytes   int64
}

// take keeps a copy of a batch, on values of its own.
func (h *held) take(b *ingest.Batch) {
	arena := make([]byte, 0, b.Bytes)
	out := *b
	out.Records = slices.Clone(b.Records)
	for i := range out.Records {
		r := &out.Records[i]
		at := len(arena)
		arena = append(arena, r.Value...)
		r.Key, r.Value = nil, arena[at:len(arena):len(arena)]
	}
	h.batches = append(h.batches, &out)
	h.rows, h.bytes = h.rows+int64(len(out.Records)), h.bytes+b.Bytes
}

// memcpy copies every value once, in pieces of one batch: the least anything that
// looks at all bytes can cost.
func (h *held) memcpy() (time.Duration, int64) {
	return h.repeat(func(b *ingest.Batch) error {
		buf, at := make([]byte, b.Bytes), 0
		for i := range b.Records {
			at += copy(buf[at:], b.Records[i].Value)
		}
		return nil
	})
}

// stageFor is how long a stage in memory is repeated.
const stageFor = time.Second

// repeat calls f for every batch until stageFor has gone by, and gives the CPU and
// the rows of that.
func (h *held) repeat(f func(*ingest.Batch) error) (used time.Duration, rows int64) {
	one := func() error {
		for _, b := range h.batches {
			if err := f(b); err != nil {
				return err
			}
		}
		return nil
	}
	if one() != nil { // warm
		return 0, 0
	}
	watch := startWatch()
	for watch.wall() < stageFor {
		if one() != nil {
			return 0, 0
		}
		rows += h.rows
	}
	return watch.cpu(), rows
}

// goStages are the figures of everything before the engine. Two stages run through
// the real source, which also commits each batch to the group; the others on
// batches held in memory.
func goStages(ctx context.Context, o *Options, f *feed, lib *library.Library, ds *mulu.Dataset, dir string) ([]Figure, error) {
	v, err := ready(ds)
	if err != nil {
		return nil, err
	}
	o.Progress("只取数 / consume only", 0, 0)
	var mu sync.Mutex
	var h held
	consume, err := drain(ctx, o, f, ds, dir, "consume", func(*ingest.Batch) error { return nil })
	if err != nil {
		return nil, err
	}
	o.Progress("取数、解码、检查、摘要、编码 / the Go side", 0, 0)
	side, err := drain(ctx, o, f, ds, dir, "goside", func(b *ingest.Batch) error {
		mu.Lock()
		if len(h.batches) < partitions {
			h.take(b) // a third of a percent of the run
		}
		mu.Unlock()
		return prepare(v, lib, b)
	})
	if err != nil {
		return nil, err
	}
	o.Progress("在内存中：复制、解码、检查 / in memory: copy, decode, check", 0, 0)
	copied, copiedRows := h.memcpy()
	decode, decodeRows := h.repeat(func(b *ingest.Batch) error {
		d, err := v.Decoder.Decode(b)
		if err == nil {
			d.Release()
		}
		return err
	})
	check, checkRows := h.repeat(func(b *ingest.Batch) error {
		d, err := v.Decoder.Decode(b)
		if err != nil {
			return err
		}
		defer d.Release()
		v.Rules.Check(d.Record, d.Offsets, b.Records[0].Time)
		return nil
	})
	memcpy := perMillion(copied, copiedRows)
	return []Figure{
		figure("ingest.memcpy_cpu_s_per_million", memcpy, "CPU-s/M rows", "", 0),
		figure("ingest.consume_cpu_s_per_million", perMillion(consume.cpu, f.rows), "CPU-s/M rows", "", 0),
		figure("ingest.consume_broker_cpu_s_per_million", perMillion(consume.broker, f.rows), "CPU-s/M rows", "bar", barBroker),
		figure("ingest.decode_cpu_s_per_million", perMillion(decode, decodeRows), "CPU-s/M rows", "memcpy of the same values", memcpy),
		figure("ingest.decode_check_cpu_s_per_million", perMillion(check, checkRows), "CPU-s/M rows", "decode only", perMillion(decode, decodeRows)),
		figure("ingest.go_cpu_s_per_million", perMillion(side.cpu, f.rows), "CPU-s/M rows", "bar", barGoCPU),
	}, nil
}

// prepare is everything that Step does with a batch before the engine.
func prepare(v *pipeline.Version, lib *library.Library, b *ingest.Batch) error {
	d, err := v.Decoder.Decode(b)
	if err != nil {
		return fmt.Errorf("decode batch %s: %w", b.Plan.BatchID, err)
	}
	defer d.Release()
	c := v.Rules.Check(d.Record, d.Offsets, b.Records[len(b.Records)-1].Time)
	ingest.Digest(b.Records)
	_, err = lib.Frame(library.Batch{Plan: b.Plan, Record: d.Record, Offsets: d.Offsets, Flags: c.Flags, Drop: c.Drop})
	return err
}

// drain reads the whole topic through a source of its own and calls f with every
// batch. Nothing is planned or stored.
func drain(ctx context.Context, o *Options, f *feed, ds *mulu.Dataset, dir, name string, each func(*ingest.Batch) error) (s stage, err error) {
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, name+".db"))
	if err != nil {
		return s, err
	}
	defer db.Close()
	journal, err := ingest.NewJournal(ctx, db, time.Now)
	if err != nil {
		return s, err
	}
	src, err := ingest.NewSource(ingest.Options{Seeds: []string{f.addr}, Group: "bench-" + name, Datasets: []*mulu.Dataset{ds}, Journal: journal, BatchRows: batchRows, Log: o.Log})
	if err != nil {
		return s, err
	}
	defer src.Close()
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var left atomic.Int64
	left.Store(f.rows)
	var first sync.Once
	began := make(chan stopwatch, 1)
	broker := cpuOf(f.pid())
	err = src.Run(run, func(ctx context.Context, p *ingest.Partition) error {
		first.Do(func() { began <- startWatch() })
		b, err := p.Next(ctx)
		if err != nil {
			return err
		}
		if err := each(b); err != nil {
			stop(err)
			return err
		}
		if err := p.Commit(ctx, b.Plan.BatchID); err != nil {
			return err
		}
		if left.Add(-int64(len(b.Records))) == 0 {
			stop(nil)
		}
		return nil
	})
	if cause := context.Cause(run); cause != nil && !errors.Is(cause, context.Canceled) {
		return s, fmt.Errorf("%s: %w", name, cause)
	}
	if err != nil || ctx.Err() != nil {
		return s, errors.Join(err, ctx.Err())
	}
	watch := <-began
	return stage{watch.wall(), watch.cpu(), cpuOf(f.pid()) - broker}, nil
}
