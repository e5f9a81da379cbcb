package submit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
)

// wire is a transactional producer on one topic, of one goroutine at a time.
type wire struct {
	d     *Desk
	topic string
	cl    *kgo.Client
	adm   *kadm.Client
	id    mulu.TopicID
	parts int
	part  kgo.TopicPartitioner
}

// reachTime is how long a broker may take to answer at first: whoever waits for a post is
// told soon that it is away.
const reachTime = 8 * time.Second

// connect opens a producer under a transactional id, which fences off whoever had it
// before: a transaction of theirs that is open is aborted, one that they still send is
// refused.
func (d *Desk) connect(ctx context.Context, topic, as string) (*wire, error) {
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(d.seeds...), kgo.ClientID("mulu-submit"), kgo.TransactionalID(as), kgo.TransactionTimeout(time.Minute),
		kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(2 * chunkRows),
	}, d.opts...)...)
	if err != nil {
		return nil, fmt.Errorf("open producer %s: %w", as, err)
	}
	w := &wire{d: d, topic: topic, cl: cl, adm: kadm.NewClient(cl), part: kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	if _, _, err = cl.ProducerID(ctx); err != nil {
		err = fmt.Errorf("消息系统没有接受事务 / begin at the broker: %w: %w", mulu.ErrBusy, err)
	} else {
		err = w.look(ctx)
	}
	if err != nil {
		cl.Close()
		return nil, err
	}
	return w, nil
}

// look asks which topic it is, and how many partitions it has.
func (w *wire) look(ctx context.Context) error {
	details, err := w.adm.ListTopics(ctx, w.topic)
	if err != nil {
		return fmt.Errorf("look up topic %s: %w: %w", w.topic, mulu.ErrBusy, err)
	}
	t := details[w.topic]
	if t.Err != nil {
		return fmt.Errorf("look up topic %s: %w: %w", w.topic, mulu.ErrBusy, t.Err)
	}
	w.id, w.parts = mulu.TopicID(t.ID), len(t.Partitions)
	return nil
}

// ends are the topic's ends, by partition, what is not committed included: a chunk may
// stand committed behind a transaction of somebody else that is still open.
func (w *wire) ends(ctx context.Context) ([]int64, error) {
	list, err := w.adm.ListEndOffsets(ctx, w.topic)
	if err == nil {
		err = list.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list ends of topic %s: %w: %w", w.topic, mulu.ErrBusy, err)
	}
	out := make([]int64, w.parts)
	list.Each(func(o kadm.ListedOffset) {
		if int(o.Partition) < w.parts {
			out[o.Partition] = o.Offset
		}
	})
	return out, nil
}

// produce sends the rows of chunks in one transaction and notes where they lie.
func (w *wire) produce(ctx context.Context, chunks ...*chunk) error {
	var records []*kgo.Record
	var of []*chunk
	for _, c := range chunks {
		from := c.from()
		for i := range c.send {
			rec, err := w.record(&c.send[i], from, len(c.starts))
			if err != nil {
				return err
			}
			records, of = append(records, rec), append(of, c)
		}
	}
	if len(records) == 0 {
		return nil
	}
	if err := w.cl.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	if err := w.deliver(ctx, records); err != nil {
		if ctx.Err() == nil { // else the next fence aborts
			w.abort()
		}
		return fmt.Errorf("produce: %w: %w", mulu.ErrBusy, err)
	}
	w.d.passed("uncommitted")
	if err := w.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit at the broker: %w: %w", mulu.ErrBusy, err)
	}
	for i, r := range records {
		of[i].add(r.Partition, r.Offset)
	}
	return nil
}

// deliver waits until the broker has all of them, or ctx ends: the client by itself would
// wait for the broker as long as it takes.
func (w *wire) deliver(ctx context.Context, records []*kgo.Record) error {
	told := make(chan error, len(records))
	for _, r := range records {
		w.cl.Produce(ctx, r, func(_ *kgo.Record, err error) { told <- err })
	}
	var fault error
	for range records {
		select {
		case err := <-told:
			if fault == nil {
				fault = err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fault
}

func (w *wire) record(r *Row, from []byte, partitions int) (*kgo.Record, error) {
	rec := &kgo.Record{Key: r.Key, Value: r.Value, Partition: w.partition(r, partitions), Headers: []kgo.RecordHeader{{Key: headerFrom, Value: from}}}
	if r.Note != nil {
		note, err := json.Marshal(r.Note)
		if err != nil {
			return nil, err
		}
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: mulu.HeaderNote, Value: note})
	}
	return rec, nil
}

// partition is where a row goes: always the same, also when it is sent again after the
// topic has got more partitions. A row without key is a reject wherever it is.
func (w *wire) partition(r *Row, n int) int32 {
	key := r.Key
	if key == nil {
		key = r.Value
	}
	return int32(w.part.Partition(&kgo.Record{Key: key}, n)) //nolint:gosec // below n
}

func (w *wire) abort() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	// If it fails, the next fence aborts.
	_ = w.cl.AbortBufferedRecords(ctx)
	_ = w.cl.EndTransaction(ctx, kgo.TryAbort)
}

// settle finds out what of chunks that were cut off is on the broker, partition by
// partition, since a broker that dies may commit one and not the other, and sends the
// rest.
func (w *wire) settle(ctx context.Context, chunks ...*chunk) (err error) {
	there := map[string]*chunk{}
	for _, c := range chunks {
		if c.send, err = unpack(c.body); err != nil {
			return err
		}
		if c.topic == w.id { // of a topic that was made again nothing is there
			there[string(c.from())] = c
		}
	}
	if err := w.find(ctx, there); err != nil {
		return err
	}
	for _, c := range chunks {
		c.send = slices.DeleteFunc(c.send, func(r Row) bool { return c.holds(w.partition(&r, len(c.starts))) })
	}
	return w.produce(ctx, chunks...)
}

// find reads the topic from where the chunks began to its committed end and notes
// their records. Chunks are by what their records say they are from.
func (w *wire) find(ctx context.Context, chunks map[string]*chunk) error {
	ends, err := w.ends(ctx)
	if err != nil {
		return err
	}
	at := map[int32]kgo.Offset{}
	left := map[int32]int64{}
	for p, end := range ends {
		start := end
		for _, c := range chunks {
			if p < len(c.starts) {
				start = min(start, c.starts[p])
			}
		}
		if start < end {
			at[int32(p)], left[int32(p)] = kgo.NewOffset().At(start), end //nolint:gosec // a partition
		}
	}
	if len(at) == 0 {
		return nil
	}
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(w.d.seeds...), kgo.ClientID("mulu-submit"), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{w.topic: at}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(500 * time.Millisecond), kgo.FetchMaxBytes(8 << 20),
	}, w.d.opts...)...)
	if err != nil {
		return fmt.Errorf("look for a chunk on the broker: %w", err)
	}
	defer cl.Close()
	for len(left) > 0 {
		fctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		fetches := cl.PollRecords(fctx, 0)
		cancel()
		if err := fetches.Err(); err != nil {
			if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				return fmt.Errorf("消息系统没有给出主题 %s 的记录，请检查其是否正常 / the broker gives nothing of the topic: %w", w.topic, mulu.ErrBusy)
			}
			return fmt.Errorf("look for a chunk on the broker: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if c := chunks[string(fromOf(r))]; c != nil {
				c.add(r.Partition, r.Offset)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return nil
}

// fromOf is what a record says it is from, nil for nothing.
func fromOf(r *kgo.Record) []byte {
	for _, h := range r.Headers {
		if h.Key == headerFrom {
			return h.Value
		}
	}
	return nil
}
