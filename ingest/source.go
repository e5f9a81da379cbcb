package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
)

// ErrStopped says that the partition is no longer this process's to read, or that
// it was stopped for a reason that Status tells.
var ErrStopped = errors.New("partition stopped")

// Options configure a Source. Zero values take the defaults written here.
type Options struct {
	Seeds    []string        // broker addresses
	Group    string          // consumer group, default "mulu"
	Instance string          // static member id: a restart takes its partitions back at once; "" is a dynamic member
	Datasets []*mulu.Dataset // what to read, one per topic; more by Add
	Journal  *Journal

	BatchRows   int64         // a batch ends before each multiple of this offset, default 100 000
	BatchBytes  int64         // or once it holds this many bytes, default 36 MB: 100 000 rows of 330 bytes
	Linger      time.Duration // or at most this long after its first record came, default 1 s
	LingerMost  time.Duration // the same where small batches follow each other, default five times Linger
	BufferBytes int64         // the budget of memory over all partitions, default 288 MiB; see room
	Review      Review        // when a partition waits for a person; never by default
	DrainWait   time.Duration // how long a step under way may take to finish on revoke or stop, default 10 s

	Now    func() time.Time // default time.Now
	Log    *slog.Logger
	Client []kgo.Opt // TLS, SASL
}

func (o *Options) defaults() {
	o.Group = cmpOr(o.Group, "mulu")
	o.BatchRows = cmpOr(o.BatchRows, 100_000)
	o.BatchBytes = cmpOr(o.BatchBytes, 36_000_000)
	o.Linger = cmpOr(o.Linger, time.Second)
	o.LingerMost = max(o.Linger, cmpOr(o.LingerMost, 5*o.Linger))
	o.BufferBytes = cmpOr(o.BufferBytes, 288<<20)
	o.DrainWait = cmpOr(o.DrainWait, 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func cmpOr[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Source reads the datasets' topics as one member of a consumer group, committed
// records only. The group decides who reads a partition, the journal from where.
type Source struct {
	o     Options
	cl    *kgo.Client
	adm   *kadm.Client
	held  atomic.Int64 // bytes over all partitions
	nudge chan struct{}
	room  *room
	spare spare
	began time.Time
	wired chan struct{} // closed when cl and adm are set: the client joins its group before it is returned

	dataMu   sync.RWMutex             // a leaf lock: taken with any other held
	datasets map[string]*mulu.Dataset // by topic

	mu      sync.Mutex        // taken before a Partition's
	parts   map[tp]*Partition // assigned
	stopped map[tp]error      // partitions that must not be read, and why
	paused  bool              // the byte budget is used up
	run     *runner           // set while Run runs
}

type tp struct {
	topic     string
	partition int32
}

// NewSource prepares a source; nothing is read before Run. The broker need not be
// up yet.
func NewSource(o Options) (*Source, error) {
	o.defaults()
	s := &Source{o: o, datasets: map[string]*mulu.Dataset{}, parts: map[tp]*Partition{}, stopped: map[tp]error{},
		nudge: make(chan struct{}, 1), room: newRoom(max(1, o.BufferBytes/2)), wired: make(chan struct{}), began: o.Now()}
	if o.Journal == nil || len(o.Seeds) == 0 {
		return nil, fmt.Errorf("open source: a journal and a broker address are needed: %w", mulu.ErrInvalid)
	}
	for _, d := range o.Datasets {
		if other := s.datasets[d.Topic]; other != nil || d.Topic == "" {
			return nil, fmt.Errorf("open source: dataset %s: topic %q is empty or belongs to another dataset: %w", d.Code, d.Topic, mulu.ErrInvalid)
		}
		s.datasets[d.Topic] = d
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(o.Seeds...),
		kgo.ClientID("mulu-ingest"),
		kgo.ConsumerGroup(o.Group),
		kgo.ConsumeTopics(slices.Collect(maps.Keys(s.datasets))...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.WithPools(new(recordPool)),
		// Transaction markers are kept to know that their offsets were passed: without
		// them a topic that ends in one would show a lag for ever.
		kgo.KeepControlRecords(),
		// A position outside the log stops the partition: reading on from anywhere
		// else would lose rows silently.
		kgo.ConsumeResetOffset(kgo.NoResetOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.AdjustFetchOffsetsFn(s.startOffsets),
		kgo.OnPartitionsAssigned(s.assigned),
		kgo.OnPartitionsRevoked(s.revoked),
		kgo.OnPartitionsLost(s.lost),
		// Small enough that an answer is still in the processor's cache when it is taken
		// apart, and that what is held keeps little else alive.
		kgo.FetchMaxBytes(4 << 20),
		kgo.FetchMaxPartitionBytes(1 << 20),
		kgo.MaxConcurrentFetches(4),
		kgo.FetchMaxWait(500 * time.Millisecond),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.RetryBackoffFn(func(n int) time.Duration { return min(100*time.Millisecond<<min(n, 6), 5*time.Second) }),
	}
	if o.Instance != "" {
		opts = append(opts, kgo.InstanceID(o.Instance))
	}
	cl, err := kgo.NewClient(append(opts, o.Client...)...)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	s.cl, s.adm = cl, kadm.NewClient(cl)
	close(s.wired)
	return s, nil
}

// Close leaves the broker. A static member keeps its place in the group until its
// session times out.
func (s *Source) Close() { s.cl.CloseAllowingRebalance() }

// Add reads one more dataset, or puts a new version in place of the one that had
// its topic: batches planned from now on are of the new version. An older version
// than the one in place changes nothing: declarations may be applied again.
func (s *Source) Add(d *mulu.Dataset) error {
	s.dataMu.Lock()
	other := s.datasets[d.Topic]
	if d.Topic == "" || other != nil && other.Code != d.Code {
		s.dataMu.Unlock()
		return fmt.Errorf("add dataset %s: topic %q is empty or belongs to another dataset: %w", d.Code, d.Topic, mulu.ErrInvalid)
	}
	if other == nil || other.Version <= d.Version {
		s.datasets[d.Topic] = d
	}
	s.dataMu.Unlock()
	if other == nil {
		s.cl.AddConsumeTopics(d.Topic)
	}
	return nil
}

func (s *Source) dataset(topic string) *mulu.Dataset {
	s.dataMu.RLock()
	defer s.dataMu.RUnlock()
	return s.datasets[topic]
}

// poll moves fetched records to their partitions until ctx ends.
func (s *Source) poll(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := s.cl.PollFetches(ctx)
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if f.Topic != "" {
				s.accept(f)
			}
		})
		s.balance()
		s.cl.AllowRebalance()
	}
}

// accept hands one partition's fetch to its reader.
func (s *Source) accept(f kgo.FetchTopicPartition) {
	key := tp{f.Topic, f.Partition}
	s.mu.Lock()
	p, why := s.parts[key], s.stopped[key]
	s.mu.Unlock()
	defer recycle(f.Records)
	if p == nil || why != nil {
		return
	}
	if f.Err != nil && !errors.Is(f.Err, context.Canceled) {
		s.fail(p, explainFetch(f.Err))
		return
	}
	if err := p.push(f.Records, f.HighWatermark); err != nil {
		s.fail(p, err)
	}
}

// fail stops one partition for good; the others go on.
func (s *Source) fail(p *Partition, err error) {
	s.o.Log.Error("partition stopped", "topic", p.key.topic, "partition", p.key.partition, "error", err)
	s.mu.Lock()
	s.stopped[p.key] = err
	s.mu.Unlock()
	p.stop(err)
	s.cl.PauseFetchPartitions(map[string][]int32{p.key.topic: {p.key.partition}})
	go s.noteStopped(p, err) // the caller may hold the client's locks
}

// balance pauses fetching of partitions that hold enough while the half of the byte
// budget that is for what waits is used up, and resumes them when a quarter is free again. A partition that holds
// less than a batch needs no more to make progress: Linger cuts what it has. One
// that rebuilds a planned batch is never paused.
func (s *Source) balance() {
	held := s.held.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.o.BufferBytes / 2
	if s.paused = held > waiting || s.paused && held > waiting*3/4; s.run == nil {
		return
	}
	pause, resume := map[string][]int32{}, map[string][]int32{}
	for key, p := range s.parts {
		if s.stopped[key] != nil {
			continue
		}
		want := p.enough(s.paused)
		if want == p.paused {
			continue
		}
		p.paused = want
		if want {
			pause[key.topic] = append(pause[key.topic], key.partition)
		} else {
			resume[key.topic] = append(resume[key.topic], key.partition)
		}
	}
	if len(pause) > 0 {
		s.cl.PauseFetchPartitions(pause)
	}
	if len(resume) > 0 {
		s.cl.ResumeFetchPartitions(resume)
	}
}
