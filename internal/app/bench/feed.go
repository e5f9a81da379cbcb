package bench

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu/internal/broker"
)

const (
	topic      = "bench"
	partitions = 4
	batchRows  = 100_000 // as installed
)

// feed is a broker in a process of its own with the records of one run in it.
type feed struct {
	child *broker.Supervisor
	addr  string
	rows  int64
	stop  context.CancelFunc
}

// startFeed starts a broker and sends rows records, partition by partition in turn.
func startFeed(ctx context.Context, o *Options, dir string, n int64) (_ *feed, err error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	bctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	f := &feed{addr: addr, rows: n, stop: stop}
	f.child, err = broker.Supervise(bctx, broker.Child{
		Exe: o.Exe, Addr: addr, Log: o.Log,
		// Half as much again as the records need: nothing may be thrown away before it is read.
		Args: []string{"broker", "--data", filepath.Join(dir, "broker"), "--listen", addr, "--retain-mb", strconv.FormatInt(1024+n/2000, 10)},
	})
	if err != nil {
		stop()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if err := broker.EnsureTopics(ctx, []string{addr}, []broker.TopicSpec{{Name: topic, Partitions: partitions}}); err != nil {
		return nil, fmt.Errorf("make topic: %w", err)
	}
	return f, f.fill(ctx, o.Progress)
}

// fill sends the records and waits until the broker has acknowledged all of them.
func (f *feed) fill(ctx context.Context, progress Progress) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(f.addr), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(100_000), kgo.ProducerBatchMaxBytes(1<<20))
	if err != nil {
		return fmt.Errorf("open producer: %w", err)
	}
	defer cl.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	const stage = "写入测速记录 / sending records"
	var acked atomic.Int64
	var gen rows
	for i := range f.rows {
		v := append([]byte(nil), gen.append(i)...)
		cl.Produce(ctx, &kgo.Record{Partition: int32(i % partitions), Value: v}, func(_ *kgo.Record, err error) {
			if err != nil {
				cancel(err)
			}
			acked.Add(1)
		})
		if i%10_000 == 0 {
			progress(stage, acked.Load(), f.rows)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("send records: %w", context.Cause(ctx))
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return fmt.Errorf("send records: %w", context.Cause(ctx))
	}
	if ctx.Err() != nil {
		return fmt.Errorf("send records: %w", context.Cause(ctx))
	}
	progress(stage, f.rows, f.rows)
	return nil
}

// pid is the broker's process.
func (f *feed) pid() int { pid, _, _, _ := f.child.State(); return pid }

func (f *feed) close() { f.stop(); f.child.Wait() }

// freeAddr is an address of this machine nobody listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
