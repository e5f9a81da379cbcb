package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu/internal/app"
	"mulu/internal/broker"
	"mulu/internal/sample"
)

// fate is the header that says what must become of a record: "" it is stored, else
// the class of the problem row. Nothing but the check reads it.
const fate = "fate"

// feed sends records to one topic until it is stopped, and remembers what the broker
// acknowledged.
type feed struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   sync.WaitGroup
	may    atomic.Int64 // records that it may send in all; startDistrict only

	mu      sync.Mutex
	acked   map[int32]*offsets
	dropped int64 // records of aborted transactions
	failed  error
}

// offsets is a set of offsets of one partition, a bit each.
type offsets struct {
	words []uint64
	n     int64
}

func (s *offsets) add(o int64) {
	for int(o>>6) >= len(s.words) {
		s.words = append(s.words, make([]uint64, len(s.words)+64)...)
	}
	if !s.has(o) {
		s.words[o>>6] |= 1 << (o & 63)
		s.n++
	}
}

func (s *offsets) has(o int64) bool {
	return o >= 0 && int(o>>6) < len(s.words) && s.words[o>>6]>>(o&63)&1 == 1
}

// missing counts those of s that t has not.
func (s *offsets) missing(t *offsets) (n int64) {
	for i := range int64(len(s.words)) * 64 {
		if s.has(i) && !t.has(i) {
			n++
		}
	}
	return n
}

// rate of the synthetic district, records a second, and how many it sends for each
// life of a mulu at most: enough for many batches between two kills, and never so
// many that a slow machine falls behind for good.
const rate, perLife = 4000, 4000

func newFeed(ctx context.Context, seeds []string, topic string, opts ...kgo.Opt) (context.Context, *feed, error) {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(seeds...), kgo.DefaultProduceTopic(topic), kgo.ClientID("torture-feed"),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerLinger(20 * time.Millisecond), kgo.RequiredAcks(kgo.AllISRAcks())}, opts...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("open producer: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	return ctx, &feed{client: cl, cancel: cancel, acked: map[int32]*offsets{}}, nil
}

// send produces one record; the acknowledgement comes later.
func (f *feed) send(ctx context.Context, r *kgo.Record) {
	f.client.Produce(context.WithoutCancel(ctx), r, func(r *kgo.Record, err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if err != nil {
			f.failed = errors.Join(f.failed, err)
			return
		}
		f.take(r)
	})
}

// take notes an acknowledged record; mu is held.
func (f *feed) take(r *kgo.Record) {
	if f.acked[r.Partition] == nil {
		f.acked[r.Partition] = &offsets{}
	}
	f.acked[r.Partition].add(r.Offset)
}

// stop ends the producer and says how many records the broker acknowledged.
func (f *feed) stop() (int64, error) {
	f.cancel()
	f.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := f.client.Flush(ctx)
	f.client.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		return 0, fmt.Errorf("flush producer: %w", err)
	}
	if f.failed != nil {
		return 0, fmt.Errorf("produce: %w", f.failed)
	}
	var n int64
	for _, s := range f.acked {
		n += s.n
	}
	return n, nil
}

// abandon ends a producer whose scenario failed; after stop it does nothing.
func (f *feed) abandon() {
	f.cancel()
	f.client.Close()
}

// startDistrict sends synthetic residents at a steady pace: one district after
// another, the later ones with the same keys and other content, so that replacement
// is tested too.
func startDistrict(ctx context.Context, o Options) (*feed, error) {
	topic := app.TopicOf(Dataset)
	if err := broker.EnsureTopics(ctx, o.seeds(), []broker.TopicSpec{{Name: topic, Partitions: partitions}}); err != nil {
		return nil, fmt.Errorf("make topic: %w", err)
	}
	ctx, f, err := newFeed(ctx, o.seeds(), topic)
	if err != nil {
		return nil, err
	}
	f.done.Go(func() { f.district(ctx, o.Seed) })
	return f, nil
}

func (f *feed) district(ctx context.Context, seed uint64) {
	begin, sent := time.Now(), 0
	stop := errors.New("stop")
	for n := uint64(0); ctx.Err() == nil; n++ {
		_, err := sample.Generate(sample.Options{Seed: seed + n%2, Scale: 0.01, AsOf: begin}, func(dataset string, key, value []byte) error {
			if dataset != string(Dataset) {
				return nil
			}
			if sent++; sent%pace == 0 && f.wait(ctx, int64(sent)) != nil {
				return stop
			}
			f.send(ctx, &kgo.Record{Key: clone(key), Value: clone(value)})
			return nil
		})
		if err != nil && !errors.Is(err, stop) {
			f.mu.Lock()
			f.failed = errors.Join(f.failed, err)
			f.mu.Unlock()
			return
		}
	}
}

// pace is how many records go out at once.
const pace = 100

// wait keeps to the rate and to what may be sent.
func (f *feed) wait(ctx context.Context, sent int64) error {
	if err := pause(ctx, pace*time.Second/rate); err != nil {
		return err
	}
	for f.may.Load() < sent {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

// feed sends generated records to a topic at rigRate.
func (r *rig) feed(ctx context.Context, topic string, next func(rng *rand.Rand, n int) *kgo.Record, opts ...kgo.Opt) (*feed, error) {
	ctx, f, err := newFeed(ctx, r.o.seeds(), topic, opts...)
	if err != nil {
		return nil, err
	}
	r.onClose(f.abandon)
	rng := rand.New(rand.NewPCG(r.o.Seed, 3))
	begin := time.Now()
	f.done.Go(func() {
		for n := 0; ; n++ {
			if n%50 == 0 && pause(ctx, time.Until(begin.Add(time.Duration(n)*time.Second/rigRate))) != nil {
				return
			}
			f.send(ctx, next(rng, n))
		}
	})
	return f, nil
}

// mixed makes records of so many keys, most of them good: one in fifty can not be
// read, one in fifty breaks the blocking rule.
func mixed(keys int) func(*rand.Rand, int) *kgo.Record {
	return func(rng *rand.Rand, n int) *kgo.Record {
		key := fmt.Sprintf("k%06d", rng.IntN(keys))
		switch rng.IntN(50) {
		case 0:
			return record(key, fmt.Sprintf(`{"id":"%s","name":"断%d`, key, n), "decode")
		case 1:
			return record(key, fmt.Sprintf(`{"id":"%s","name":"","n":%d}`, key, n), "rule")
		}
		return record(key, fmt.Sprintf(`{"id":"%s","name":"名%d","n":%d}`, key, n, n), "")
	}
}

func record(key, value, becomes string) *kgo.Record {
	return &kgo.Record{Key: []byte(key), Value: []byte(value), Headers: []kgo.RecordHeader{{Key: fate, Value: []byte(becomes)}}}
}
