package submit

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

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
	d *Desk
	s Submission
	w *wire

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
	w, err := d.connect(ctx, topic, "mulu-submit-"+id)
	if err != nil {
		return nil, fmt.Errorf("send submission %s: %w", id, err)
	}
	out := &Sender{d: d, s: s, w: w, cursor: s.Cursor}
	if err := out.start(ctx); err != nil {
		out.Close()
		return nil, fmt.Errorf("send submission %s: %w", id, err)
	}
	return out, nil
}

// start settles what is open.
func (s *Sender) start(ctx context.Context) error {
	c, err := s.d.openChunk(ctx, s.s.ID)
	if err != nil || c == nil {
		if err == nil {
			err = s.d.db.Read.QueryRowContext(ctx, `SELECT chunks FROM ingest_submission WHERE id = $1`, s.s.ID).Scan(&s.n)
		}
		return err
	}
	s.n = c.n
	if err := s.w.settle(ctx, c); err != nil {
		return err
	}
	return s.done(ctx, c)
}

// Close lets go of the client. What was added and not flushed is forgotten.
func (s *Sender) Close() { s.w.cl.Close() }

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
		err = s.w.produce(ctx, c)
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

// chunk is what one submission has in one transaction.
type chunk struct {
	of     string // its submission
	n      int64
	rows   int64
	cursor string
	topic  mulu.TopicID
	starts []int64 // of each partition, before it is sent or earlier
	body   []byte
	send   []Row // what is to be sent: all, or what is not on the broker yet
	runs   []Run
	sent   time.Time // when its submission ended, on a line
}

// from is what its records say they are from.
func (c *chunk) from() []byte { return fmt.Appendf(nil, "%s/%d", c.of, c.n) }

// holds says whether a record of it was found on a partition.
func (c *chunk) holds(partition int32) bool {
	return slices.ContainsFunc(c.runs, func(r Run) bool { return r.Partition == partition })
}

// Run is offsets [First, Last] of one partition, all of one submission.
type Run struct {
	Partition   int32
	First, Last int64
}

// plan writes the chunk down, body and all. A crash after it leaves an open chunk.
func (s *Sender) plan(ctx context.Context) (*chunk, error) {
	ends, err := s.w.ends(ctx)
	if err != nil {
		return nil, err
	}
	c := &chunk{of: s.s.ID, n: s.n, rows: int64(len(s.rows)), cursor: s.added, topic: s.w.id, starts: ends, send: s.rows}
	if c.body, err = pack(s.rows); err != nil {
		return nil, err
	}
	return c, s.d.planChunk(ctx, c)
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

// sort puts the runs in order.
func (c *chunk) sort() {
	slices.SortFunc(c.runs, func(a, b Run) int {
		if a.Partition != b.Partition {
			return int(a.Partition - b.Partition)
		}
		return int(a.First - b.First) //nolint:gosec // a sign
	})
}

// done moves the submission past the chunk.
func (s *Sender) done(ctx context.Context, c *chunk) error {
	c.sort()
	if err := s.d.doneChunk(ctx, c); err != nil {
		return err
	}
	s.n, s.cursor, s.s.Rows = c.n+1, c.cursor, s.s.Rows+c.rows
	return nil
}

// openChunk is the chunk that was planned and not done, nil for none.
func (d *Desk) openChunk(ctx context.Context, id string) (*chunk, error) {
	c, err := scanChunk(d.db.Read.QueryRowContext(ctx, `SELECT `+chunkColumns+` FROM ingest_chunk WHERE submission = $1 AND body IS NOT NULL`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read open chunk: %w", err)
	}
	return c, nil
}
