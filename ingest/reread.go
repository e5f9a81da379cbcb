package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
)

// Rereader reads ranges of partitions once more, for reconciliation: committed
// records only, as a Source does, but with clients of its own outside of any group
// and with a fetch memory of a few MB. It moves no position.
type Rereader struct {
	seeds []string
	opts  []kgo.Opt     // TLS, SASL
	quiet time.Duration // how long a broker may give nothing before a window is given up
}

// quietFor is longer than a broker takes to elect a leader.
const quietFor = 15 * time.Second

// NewRereader prepares one; the broker need not be up yet. opts carry TLS and SASL.
func NewRereader(seeds []string, opts ...kgo.Opt) *Rereader {
	return &Rereader{seeds: seeds, opts: opts, quiet: quietFor}
}

// Extent is what the broker holds of one partition: offsets [Start, End), End being
// the end of what is committed.
type Extent struct {
	TopicID    mulu.TopicID
	Start, End int64
}

// Extents gives what the broker holds of the named topics, by partition. A topic that
// does not exist is absent.
func (r *Rereader) Extents(ctx context.Context, topics []string) (map[string]map[int32]Extent, error) {
	out := map[string]map[int32]Extent{}
	if len(topics) == 0 {
		return out, nil
	}
	// A client of its own: one that lives longer answers from what it remembers, and
	// takes a topic that was made again for the one that is gone.
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(r.seeds...), kgo.ClientID("mulu-reconcile")}, r.opts...)...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	details, err := adm.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("连不上 Kafka，请检查其是否在运行 / list topics: %w: %w", mulu.ErrBusy, err)
	}
	var have []string
	for _, d := range details {
		switch {
		case d.Err == nil:
			have = append(have, d.Topic)
		case !errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			return nil, fmt.Errorf("list topic %s: %w: %w", d.Topic, mulu.ErrBusy, d.Err)
		}
	}
	if len(have) == 0 {
		return out, nil
	}
	starts, err := adm.ListStartOffsets(ctx, have...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, have...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		start, _ := starts.Lookup(o.Topic, o.Partition)
		if out[o.Topic] == nil {
			out[o.Topic] = map[int32]Extent{}
		}
		out[o.Topic][o.Partition] = Extent{TopicID: mulu.TopicID(details[o.Topic].ID), Start: start.Offset, End: o.Offset}
	})
	return out, nil
}

// Window is one partition being read again, from its first offset on.
type Window struct {
	r         *Rereader
	cl        *kgo.Client
	topic     string
	partition int32
	end       int64         // End of its Extent: nothing stands at or after it
	buf       []mulu.Record // fetched and not yet given
	seen      int64         // every offset before it is fetched
}

// Open starts reading a partition at an offset that the broker still holds.
func (r *Rereader) Open(topic string, partition int32, from, end int64) (*Window, error) {
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(r.seeds...),
		kgo.ClientID("mulu-reconcile"),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // a range may end in a marker
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxBytes(4 << 20),
		kgo.FetchMaxPartitionBytes(4 << 20),
		kgo.MaxConcurrentFetches(1),
		kgo.FetchMaxWait(500 * time.Millisecond),
	}, r.opts...)...)
	if err != nil {
		return nil, fmt.Errorf("open window %s/%d: %w", topic, partition, err)
	}
	return &Window{r: r, cl: cl, topic: topic, partition: partition, end: end, seen: from}, nil
}

// Close ends the reading.
func (w *Window) Close() { w.cl.Close() }

// Read gives the data records of [first, last] in order; what stands between the
// last call's range and first is passed over. Ranges must ascend. The records are
// the caller's to keep.
func (w *Window) Read(ctx context.Context, first, last int64) ([]mulu.Record, error) {
	for w.seen <= last && w.seen < w.end {
		if err := w.fetch(ctx); err != nil {
			return nil, fmt.Errorf("read %s/%d/%d-%d again: %w", w.topic, w.partition, first, last, err)
		}
	}
	var out []mulu.Record
	n := 0
	for ; n < len(w.buf) && w.buf[n].Offset <= last; n++ {
		if w.buf[n].Offset >= first {
			out = append(out, w.buf[n])
		}
	}
	w.buf = append([]mulu.Record(nil), w.buf[n:]...) // lets go of what was given
	return out, nil
}

// fetch takes what the broker gives next. A broker that holds the offsets and gives
// nothing is an error and never an empty range: rows must not be called missing
// because a broker was slow.
func (w *Window) fetch(ctx context.Context) error {
	fctx, cancel := context.WithTimeout(ctx, w.r.quiet)
	defer cancel()
	fetches := w.cl.PollRecords(fctx, 0)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := fetches.Err(); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("消息系统 %s 内没有给出位点 %d 之后的记录，请检查其是否正常后重试: %w", w.r.quiet, w.seen, mulu.ErrBusy)
		}
		return explainFetch(err)
	}
	fetches.EachRecord(func(r *kgo.Record) {
		w.seen = max(w.seen, r.Offset+1)
		if !r.Attrs.IsControl() {
			w.buf = append(w.buf, mulu.Record{Offset: r.Offset, Key: r.Key, Value: r.Value, Note: noteOf(r), Time: r.Timestamp})
		}
	})
	return nil
}

// RecordBytes is how many bytes records hold, keys and values, as a manifest counts.
func RecordBytes(records []mulu.Record) (n int64) {
	for i := range records {
		n += size(&records[i])
	}
	return n
}
