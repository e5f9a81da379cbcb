package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
)

// Partition is one assigned partition. Next and Commit are for one goroutine.
type Partition struct {
	s   *Source
	key tp

	mu      sync.Mutex
	wake    chan struct{} // capacity 1: something changed
	topicID mulu.TopicID
	of      int             // partitions of the topic
	next    int64           // position: first offset not yet committed here
	seen    int64           // offsets before it are fetched: each carries a held record, a marker, or nothing
	fetched int64           // what the client gave last, + 1; behind seen only after a resync
	buf     []mulu.Record   // held records, all >= next
	bytes   int64           // of buf
	since   time.Time       // when the oldest held offset came
	stored  time.Time       // when the last batch was committed here
	open    *mulu.Plan      // range that must be rebuilt exactly
	effects []Effect        // versions by the offset they take effect at
	held    *Hold           // waits for a person
	let     time.Time       // records sent until then were let in by a person
	halted  bool            // the dataset is paused
	current *Batch          // cut, not committed
	spent   [][]mulu.Record // what buf was before; the step under way may look at it
	end     int64           // broker's end offset, as last heard
	begun   bool
	stopped error
	lastErr string
	rows    meter

	// For the partition's goroutine alone.
	taken  int64 // bytes of room the step under way has
	streak streak

	paused bool // guarded by Source.mu

	quit   chan struct{}      // closed when stopped
	cancel context.CancelFunc // guarded by Source.mu; nil before its goroutine runs
	gone   chan struct{}      // closed when its goroutine has ended
}

func newPartition(s *Source, key tp) *Partition {
	return &Partition{s: s, key: key, wake: make(chan struct{}, 1), streak: streak{}, quit: make(chan struct{}), gone: make(chan struct{})}
}

// Topic is the topic's name.
func (p *Partition) Topic() string { return p.key.topic }

// Number is the partition's number in its topic.
func (p *Partition) Number() int32 { return p.key.partition }

// Dataset is the version that batches cut now are planned with.
func (p *Partition) Dataset() *mulu.Dataset { return p.s.dataset(p.key.topic) }

func size(r *mulu.Record) int64 { return int64(len(r.Key) + len(r.Value)) }

// begin places the reader; until then Next waits.
func (p *Partition) begin(s standing, end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop()
	p.topicID, p.next, p.seen, p.fetched, p.end, p.open = s.id, s.next, s.next, s.next, end, s.open
	p.effects, p.held, p.let = s.effects, s.held, s.let
	p.begun = true
	p.signal()
}

// drop lets go of everything held.
func (p *Partition) drop() {
	p.s.held.Add(-p.bytes)
	p.buf, p.bytes, p.current = nil, 0, nil
}

// push takes fetched records and notes the markers among them.
func (p *Partition) push(rs []*kgo.Record, end int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = max(p.end, end)
	if p.stopped != nil || len(rs) == 0 {
		return nil
	}
	if rs[0].Offset < p.fetched {
		return fmt.Errorf("读取位点从 %d 退回到 %d，已停止读取 / offsets went backwards", p.fetched, rs[0].Offset)
	}
	p.fetched = rs[len(rs)-1].Offset + 1
	if p.seen == p.next && len(p.buf) == 0 {
		p.since = p.s.o.Now()
	}
	added := int64(0)
	if n := len(p.buf) + len(rs); n > cap(p.buf) {
		p.move(p.buf, max(n, 2*cap(p.buf)))
	}
	for _, r := range rs {
		if r.Offset < p.seen {
			continue // done by another owner
		}
		p.seen = r.Offset + 1
		if r.Attrs.IsControl() {
			continue
		}
		rec := mulu.Record{Offset: r.Offset, Key: r.Key, Value: r.Value, Note: noteOf(r), Time: r.Timestamp}
		p.buf = append(p.buf, rec)
		added += size(&rec)
	}
	p.bytes += added
	p.s.held.Add(added)
	p.signal()
	return nil
}

func (p *Partition) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// stop makes Next return err, wrapped in ErrStopped.
func (p *Partition) stop(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped == nil {
		p.stopped = err
		close(p.quit)
		p.signal()
	}
}

func (p *Partition) isStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped != nil
}

// note keeps the error of a failed step for Status.
func (p *Partition) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastErr = err.Error()
}

// enough says whether the partition should not be fetched: it holds two batches,
// or the common budget is used up and it holds anything to go on with.
func (p *Partition) enough(budgetUsed bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open != nil && p.seen <= p.open.Last {
		return false
	}
	if p.halted || p.held != nil {
		return true
	}
	if budgetUsed {
		return len(p.buf) > 0
	}
	two := p.bytes >= 2*p.s.o.BatchBytes || int64(len(p.buf)) >= 2*p.s.o.BatchRows
	if p.paused { // hysteresis: go on at one batch
		return p.bytes >= p.s.o.BatchBytes || int64(len(p.buf)) >= p.s.o.BatchRows
	}
	return two
}

// Next waits for the next batch. A batch that was not committed is handed out
// again, unchanged and in doubt. ErrStopped says that there will be no more.
func (p *Partition) Next(ctx context.Context) (*Batch, error) {
	for {
		p.mu.Lock()
		if p.stopped != nil {
			defer p.mu.Unlock()
			return nil, fmt.Errorf("read %s/%d: %w: %w", p.key.topic, p.key.partition, ErrStopped, p.stopped)
		}
		b, wait := p.cut()
		p.mu.Unlock()
		if b != nil {
			if err := p.take(ctx, b.Bytes); err != nil {
				return nil, err
			}
			p.s.balanceSoon()
			return b, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-p.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// idle is how long a partition with nothing to cut sleeps unless woken.
const idle = time.Minute

// cut returns the next batch, or how long to wait for it.
func (p *Partition) cut() (*Batch, time.Duration) {
	if !p.begun {
		return nil, idle
	}
	if p.current != nil { // handed out before: something of it may be stored
		b := *p.current
		b.InDoubt = true
		return &b, 0
	}
	d := p.s.dataset(p.key.topic)
	if d == nil {
		return nil, idle
	}
	// A planned batch is finished whatever a person has said since.
	if p.open == nil && (p.halted || p.held != nil) {
		return nil, idle
	}
	plan := mulu.Plan{
		BatchID: mulu.BatchID{TopicID: p.topicID, Topic: p.key.topic, Partition: p.key.partition, First: p.next},
		Dataset: d.Code, Version: d.Version,
	}
	doubt := p.open != nil
	if doubt {
		if plan = *p.open; p.seen <= plan.Last {
			return nil, idle
		}
	} else {
		version, until := inForce(p.effects, p.next)
		if version != 0 {
			plan.Version = version
		}
		last, wait := p.cutEnd(until)
		if wait > 0 {
			return nil, wait
		}
		plan.Last = last
	}
	b := &Batch{Plan: plan, InDoubt: doubt, Partitions: p.of}
	n := 0
	for n < len(p.buf) && p.buf[n].Offset <= plan.Last {
		b.Bytes += size(&p.buf[n])
		n++
	}
	b.Records = p.buf[:n:n]
	b.Reviewed = n > 0 && !p.buf[0].Time.After(p.let)
	p.current = b
	out := *b
	return &out, 0
}

// trickle is below how many held records a batch costs more than its records do.
const trickle = 1000

// cutEnd decides the last offset of a new batch: before until, where another version
// takes effect, before the next multiple of BatchRows, at the record that fills
// BatchBytes, or all there is after Linger. The last two depend on time and memory,
// which is why a plan is kept. Linger ends
// at a multiple of itself, so that partitions that trickle cut at the same moments:
// what they store then goes in few inserts. One that goes on trickling is cut every
// LingerMost: a record that comes alone is not kept waiting by that.
func (p *Partition) cutEnd(until int64) (last int64, wait time.Duration) {
	o := &p.s.o
	if p.seen <= p.next {
		return 0, idle
	}
	boundary := min((p.next/o.BatchRows+1)*o.BatchRows, until)
	if p.bytes >= o.BatchBytes {
		var sum int64
		for i := range p.buf {
			if p.buf[i].Offset >= boundary {
				break
			}
			if sum += size(&p.buf[i]); sum >= o.BatchBytes {
				return p.buf[i].Offset, 0
			}
		}
	}
	if p.seen >= boundary {
		return boundary - 1, 0
	}
	linger := o.Linger
	if len(p.buf) < trickle && p.since.Sub(p.stored) < o.LingerMost {
		linger = o.LingerMost
	}
	if wait := p.since.Truncate(linger).Add(linger).Sub(o.Now()); wait > 0 {
		return 0, wait
	}
	return p.seen - 1, 0
}

// Commit says that the batch is stored and done in the journal: it is let go, and
// the position is committed to the group so that lag can be watched. A failed
// commit to the group costs nothing but that, so it is only logged. An error means
// that id is not the batch that was handed out.
func (p *Partition) Commit(ctx context.Context, id mulu.BatchID) error {
	p.mu.Lock()
	b := p.current
	if b == nil || b.Plan.BatchID != id {
		p.mu.Unlock()
		return fmt.Errorf("commit batch %s: it is not the one handed out: %w", id, mulu.ErrConflict)
	}
	if len(p.effects) == 0 { // the first plan brought its version into force
		p.effects = []Effect{{Version: b.Plan.Version, From: b.Plan.First}}
	}
	p.advance(id.Last + 1)
	p.stored = p.s.o.Now()
	p.rows.add(p.s.o.Now(), int64(len(b.Records)))
	p.lastErr = ""
	stopped := p.stopped != nil
	p.mu.Unlock()
	p.s.balanceSoon()
	if stopped {
		return nil // no longer ours to commit
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := p.s.commitGroup(ctx, p.key, id.Last+1); err != nil {
		p.s.o.Log.Warn("commit to the group failed; only the shown lag is behind", "batch", id.String(), "error", err)
	}
	return nil
}

// advance moves the position and lets go of the records before it.
func (p *Partition) advance(next int64) {
	n, bytes := 0, int64(0)
	for n < len(p.buf) && p.buf[n].Offset < next {
		bytes += size(&p.buf[n])
		n++
	}
	// Into other memory: the batch's records may still be looked at, and keep their
	// fetches alive no longer than that. It has room for as much as was held.
	p.move(p.buf[n:], len(p.buf))
	p.bytes -= bytes
	p.s.held.Add(-bytes)
	p.next, p.seen = next, max(p.seen, next)
	p.current, p.open = nil, nil
	p.since = p.s.o.Now()
	p.signal()
}

// move goes on with the records of keep in memory that has room for n.
func (p *Partition) move(keep []mulu.Record, n int) {
	was := p.buf
	p.buf = append(p.s.spare.get(n), keep...)
	p.spent = append(p.spent, was)
}

// tidy gives the memory of records back that nobody looks at any more. A batch that was
// not committed is handed out again: it keeps what it lies in.
func (p *Partition) tidy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		return
	}
	for _, b := range p.spent {
		p.s.spare.put(b)
	}
	p.spent = p.spent[:0]
}

// resync asks the journal where the partition stands after a conflict: another
// owner was quicker, and what it finished is dropped here.
func (p *Partition) resync(ctx context.Context) error {
	p.mu.Lock()
	id := p.topicID
	p.mu.Unlock()
	st, err := p.s.o.Journal.standing(ctx, id, p.key.partition)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if st.next < p.next && st.next >= 0 {
		return fmt.Errorf("resume partition %s/%d: the journal went back from %d to %d: %w", p.key.topic, p.key.partition, p.next, st.next, mulu.ErrInvalid)
	}
	if st.next > p.next {
		p.advance(st.next)
	}
	p.current, p.open = nil, st.open
	p.effects, p.held, p.let = st.effects, st.held, st.let
	return nil
}
