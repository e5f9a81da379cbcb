package submit

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
)

// Bounds of a chunk, which is held in memory and in one row of the control store.
const (
	chunkRows  = 10_000
	chunkBytes = 4 << 20
)

// MaxRow is the longest row, key and value, in bytes: a broker takes batches of 1 MiB.
const MaxRow = 900 << 10

// headerFrom names a record's chunk: "<submission>/<chunk>".
const headerFrom = "mulu-from"

// Row is one record to be sent.
type Row struct {
	Key   []byte // see Key; nil if it has none, which ingest rejects
	Value []byte
	Note  *mulu.Note
}

// Sender sends one open submission. It is for one goroutine.
type Sender struct {
	d     *Desk
	s     Submission
	topic string
	cl    *kgo.Client
	adm   *kadm.Client
	id    mulu.TopicID
	parts int
	part  kgo.TopicPartitioner

	n      int64 // the chunk that is next
	rows   []Row // added and not sent
	bytes  int
	added  string // cursor of the last of them
	cursor string // of what is on the broker
}

// Send opens the submission for sending, or for going on with it: a chunk that was cut
// off is settled first. Another Sender of the same submission is fenced off: what it
// still sends is refused by the broker. Close it in any case.
func (d *Desk) Send(ctx context.Context, id, topic string) (*Sender, error) {
	s, err := d.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.State != Open {
		return nil, fmt.Errorf("报送 %s 已是 %s，不能再发送 / the submission is not open: %w", id, s.State, mulu.ErrConflict)
	}
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(d.seeds...), kgo.ClientID("mulu-submit"), kgo.TransactionalID("mulu-submit-" + id), kgo.TransactionTimeout(time.Minute),
		kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(2 * chunkRows),
	}, d.opts...)...)
	if err != nil {
		return nil, fmt.Errorf("open producer of submission %s: %w", id, err)
	}
	out := &Sender{d: d, s: s, topic: topic, cl: cl, adm: kadm.NewClient(cl), cursor: s.Cursor, part: kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
	if err := out.start(ctx); err != nil {
		cl.Close()
		return nil, fmt.Errorf("send submission %s: %w", id, err)
	}
	return out, nil
}

// start fences other senders and settles what is open.
func (s *Sender) start(ctx context.Context) error {
	if _, _, err := s.cl.ProducerID(ctx); err != nil {
		return fmt.Errorf("消息系统没有接受事务 / begin at the broker: %w: %w", mulu.ErrBusy, err)
	}
	details, err := s.adm.ListTopics(ctx, s.topic)
	if err != nil {
		return fmt.Errorf("look up topic %s: %w: %w", s.topic, mulu.ErrBusy, err)
	}
	t := details[s.topic]
	if t.Err != nil {
		return fmt.Errorf("look up topic %s: %w: %w", s.topic, mulu.ErrBusy, t.Err)
	}
	s.id, s.parts = mulu.TopicID(t.ID), len(t.Partitions)
	c, err := s.d.openChunk(ctx, s.s.ID)
	if err != nil || c == nil {
		if err == nil {
			err = s.d.db.Read.QueryRowContext(ctx, `SELECT chunks FROM ingest_submission WHERE id = $1`, s.s.ID).Scan(&s.n)
		}
		return err
	}
	s.n = c.n
	return s.settle(ctx, c)
}

// Close lets go of the client. What was added and not flushed is forgotten.
func (s *Sender) Close() { s.cl.Close() }

// Cursor says where the source is to be read on: the cursor of the last row that is on
// the broker, "" at the beginning.
func (s *Sender) Cursor() string { return s.cursor }

// Rows counts what is on the broker.
func (s *Sender) Rows() int64 { return s.s.Rows }

// Submission is what is being sent.
func (s *Sender) Submission() Submission { return s.s }

// Add gives one more row; cursor is where the source stands after it. It sends when a
// chunk is full.
func (s *Sender) Add(ctx context.Context, r Row, cursor string) error {
	n := len(r.Key) + len(r.Value)
	if n > MaxRow {
		return fmt.Errorf("一行长 %d 字节，超过上限 %d 字节；请去掉大字段 / the row is too long: %w", n, MaxRow, mulu.ErrInvalid)
	}
	s.rows, s.added = append(s.rows, r), cursor
	s.bytes += n
	if len(s.rows) < chunkRows && s.bytes < chunkBytes {
		return nil
	}
	return s.Flush(ctx)
}

// Flush sends what was added. When it returns nil the broker has it. After an error
// the Sender is of no more use: Send again goes on where it must.
func (s *Sender) Flush(ctx context.Context) error {
	if len(s.rows) == 0 {
		return nil
	}
	c, err := s.plan(ctx)
	if err == nil {
		s.d.passed("planned")
		err = s.produce(ctx, c, s.rows)
	}
	if err == nil {
		s.d.passed("produced")
		err = s.done(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("send chunk %d of submission %s: %w", s.n, s.s.ID, err)
	}
	s.rows, s.bytes = s.rows[:0], 0
	return nil
}

// End flushes and says that this was all.
func (s *Sender) End(ctx context.Context, report json.RawMessage) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	if s.n == 0 {
		return s.d.endEmpty(ctx, s.s.ID, report)
	}
	return s.d.end(ctx, s.s.ID, Sent, "", report)
}

// chunk is one transaction's worth.
type chunk struct {
	n      int64
	rows   int64
	cursor string
	topic  mulu.TopicID
	starts []int64 // of each partition, before it is sent
	body   []byte
	runs   []Run
}

// Run is offsets [First, Last] of one partition, all of one submission.
type Run struct {
	Partition   int32
	First, Last int64
}

// plan writes the chunk down, body and all. A crash after it leaves an open chunk.
func (s *Sender) plan(ctx context.Context) (*chunk, error) {
	ends, err := s.ends(ctx)
	if err != nil {
		return nil, err
	}
	c := &chunk{n: s.n, rows: int64(len(s.rows)), cursor: s.added, topic: s.id, starts: ends}
	if c.body, err = pack(s.rows); err != nil {
		return nil, err
	}
	return c, s.d.planChunk(ctx, s.s.ID, c)
}

// ends are the ends of what is committed, by partition.
func (s *Sender) ends(ctx context.Context) ([]int64, error) {
	list, err := s.adm.ListCommittedOffsets(ctx, s.topic)
	if err == nil {
		err = list.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list ends of topic %s: %w: %w", s.topic, mulu.ErrBusy, err)
	}
	out := make([]int64, s.parts)
	list.Each(func(o kadm.ListedOffset) {
		if int(o.Partition) < s.parts {
			out[o.Partition] = o.Offset
		}
	})
	return out, nil
}

// produce sends rows in one transaction and notes where they lie.
func (s *Sender) produce(ctx context.Context, c *chunk, rows []Row) error {
	if err := s.cl.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	from := []byte(fmt.Sprintf("%s/%d", s.s.ID, c.n))
	records := make([]*kgo.Record, len(rows))
	for i, r := range rows {
		rec := &kgo.Record{Key: r.Key, Value: r.Value, Headers: []kgo.RecordHeader{{Key: headerFrom, Value: from}}}
		if r.Note != nil {
			note, err := json.Marshal(r.Note)
			if err != nil {
				return err
			}
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: mulu.HeaderNote, Value: note})
		}
		rec.Partition = s.partition(&r, len(c.starts))
		records[i] = rec
	}
	results := s.cl.ProduceSync(ctx, records...)
	if err := results.FirstErr(); err != nil {
		s.abort()
		return fmt.Errorf("produce: %w: %w", mulu.ErrBusy, err)
	}
	s.d.passed("uncommitted")
	if err := s.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit at the broker: %w: %w", mulu.ErrBusy, err)
	}
	for _, r := range records {
		c.add(r.Partition, r.Offset)
	}
	return nil
}

// partition is where a row goes: always the same, also when it is sent again after the
// topic has got more partitions. A row without key is a reject wherever it is.
func (s *Sender) partition(r *Row, n int) int32 {
	key := r.Key
	if key == nil {
		key = r.Value
	}
	return int32(s.part.Partition(&kgo.Record{Key: key}, n)) //nolint:gosec // below n
}

func (s *Sender) abort() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	// If it fails, the next Send's fence aborts.
	_ = s.cl.AbortBufferedRecords(ctx)
	_ = s.cl.EndTransaction(ctx, kgo.TryAbort)
}

// add notes one offset.
func (c *chunk) add(partition int32, offset int64) {
	for i := range c.runs {
		if r := &c.runs[i]; r.Partition == partition && r.Last+1 == offset {
			r.Last = offset
			return
		}
	}
	c.runs = append(c.runs, Run{partition, offset, offset})
}

// done moves the submission past the chunk.
func (s *Sender) done(ctx context.Context, c *chunk) error {
	slices.SortFunc(c.runs, func(a, b Run) int {
		if a.Partition != b.Partition {
			return int(a.Partition - b.Partition)
		}
		return int(a.First - b.First) //nolint:gosec // a sign
	})
	if err := s.d.doneChunk(ctx, s.s.ID, c); err != nil {
		return err
	}
	s.n, s.cursor, s.s.Rows = c.n+1, c.cursor, s.s.Rows+c.rows
	return nil
}

// settle finds out what of a chunk that was cut off is on the broker, partition by
// partition, since a broker that dies may commit one and not the other, and sends the
// rest.
func (s *Sender) settle(ctx context.Context, c *chunk) error {
	rows, err := unpack(c.body)
	if err != nil {
		return err
	}
	found := map[int32]bool{}
	if c.topic == s.id { // of a topic that was made again nothing is there
		if found, err = s.find(ctx, c); err != nil {
			return err
		}
	}
	rest := slices.DeleteFunc(rows, func(r Row) bool { return found[s.partition(&r, len(c.starts))] })
	if len(rest) > 0 {
		if err := s.produce(ctx, c, rest); err != nil {
			return err
		}
	}
	return s.done(ctx, c)
}

// find reads the topic from where the chunk began to its committed end and notes the
// chunk's records.
func (s *Sender) find(ctx context.Context, c *chunk) (map[int32]bool, error) {
	ends, err := s.ends(ctx)
	if err != nil {
		return nil, err
	}
	at := map[int32]kgo.Offset{}
	left := map[int32]int64{}
	for p, start := range c.starts {
		if p < len(ends) && ends[p] > start {
			at[int32(p)] = kgo.NewOffset().At(start) //nolint:gosec // a partition
			left[int32(p)] = ends[p]                 //nolint:gosec // a partition
		}
	}
	found := map[int32]bool{}
	if len(at) == 0 {
		return found, nil
	}
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.d.seeds...), kgo.ClientID("mulu-submit"), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.topic: at}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(500 * time.Millisecond), kgo.FetchMaxBytes(8 << 20),
	}, s.d.opts...)...)
	if err != nil {
		return nil, fmt.Errorf("look for a chunk on the broker: %w", err)
	}
	defer cl.Close()
	want := []byte(fmt.Sprintf("%s/%d", s.s.ID, c.n))
	for len(left) > 0 {
		fctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		fetches := cl.PollRecords(fctx, 0)
		cancel()
		if err := fetches.Err(); err != nil {
			if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				return nil, fmt.Errorf("消息系统没有给出主题 %s 的记录，请检查其是否正常 / the broker gives nothing of the topic: %w", s.topic, mulu.ErrBusy)
			}
			return nil, fmt.Errorf("look for a chunk on the broker: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if from(r, want) {
				found[r.Partition] = true
				c.add(r.Partition, r.Offset)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return found, nil
}

func from(r *kgo.Record, want []byte) bool {
	return slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == headerFrom && bytes.Equal(h.Value, want) })
}

// openChunk is the chunk that was planned and not done, nil for none.
func (d *Desk) openChunk(ctx context.Context, id string) (*chunk, error) {
	c := &chunk{}
	var starts string
	err := d.db.Read.QueryRowContext(ctx, `SELECT n, sent_rows, cursor, starts, body FROM ingest_chunk WHERE submission = $1 AND body IS NOT NULL`, id).
		Scan(&c.n, &c.rows, &c.cursor, &starts, &c.body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		var at startsJSON
		err = json.Unmarshal([]byte(starts), &at)
		c.starts, c.topic = at.Offsets, at.topic()
	}
	if err != nil {
		return nil, fmt.Errorf("read open chunk: %w", err)
	}
	return c, nil
}
