package torture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	declared "mulu/deploy/sample"
	"mulu/internal/app"
	"mulu/internal/broker"
	"mulu/internal/sample"
)

// Declarations are the sample district's, so that the rows under torture have real
// rules to pass.
func Declarations() fs.FS { return declared.FS }

// feed sends synthetic residents at a steady pace until it is stopped.
type feed struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   sync.WaitGroup
	acked  atomic.Int64
	failed atomic.Pointer[error]
}

// rate is records a second: enough for several batches between two kills.
const rate = 4000

func startFeed(ctx context.Context, o Options) (*feed, error) {
	topic := app.TopicOf(Dataset)
	if err := broker.EnsureTopics(ctx, []string{o.Kafka}, []broker.TopicSpec{{Name: topic, Partitions: 4}}); err != nil {
		return nil, fmt.Errorf("make topic: %w", err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(o.Kafka), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerLinger(20*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("open producer: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &feed{client: cl, cancel: cancel}
	f.done.Go(func() { f.run(ctx, o.Seed) })
	return f, nil
}

// run goes through one synthetic district after another: later ones send the same
// keys again with other content, so that replacement is tested too.
func (f *feed) run(ctx context.Context, seed uint64) {
	begin, sent := time.Now(), 0
	stop := errors.New("stop")
	for n := uint64(0); ctx.Err() == nil; n++ {
		_, err := sample.Generate(sample.Options{Seed: seed + n%2, Scale: 0.01, AsOf: begin}, func(dataset string, key, value []byte) error {
			if dataset != string(Dataset) {
				return nil
			}
			if sent++; sent%100 == 0 {
				wait := time.Until(begin.Add(time.Duration(sent) * time.Second / rate))
				select {
				case <-ctx.Done():
					return stop
				case <-time.After(wait):
				}
			}
			f.client.Produce(context.WithoutCancel(ctx), &kgo.Record{Key: clone(key), Value: clone(value)}, func(_ *kgo.Record, err error) {
				if err != nil {
					f.failed.Store(&err)
					return
				}
				f.acked.Add(1)
			})
			return nil
		})
		if err != nil && !errors.Is(err, stop) {
			f.failed.Store(&err)
			return
		}
	}
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

// stop ends the producer and says how many records the broker acknowledged.
func (f *feed) stop() (int64, error) {
	f.cancel()
	f.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := f.client.Flush(ctx); err != nil {
		return 0, fmt.Errorf("flush producer: %w", err)
	}
	f.client.Close()
	if err := f.failed.Load(); err != nil {
		return 0, fmt.Errorf("produce: %w", *err)
	}
	return f.acked.Load(), nil
}
