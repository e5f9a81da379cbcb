package submit

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"mulu"
	"mulu/internal/store"
)

// Bounds of a line.
const (
	// groupTime is how long one transaction with all about it may take.
	groupTime = 20 * time.Second
	// lookEvery is how old what a line knows of its topic may be: which one it is, and
	// its ends, which a chunk that was cut off is looked for after.
	lookEvery = 10 * time.Second
	// idleTime is after how long a line lets its producer go.
	idleTime = 5 * time.Minute
)

// Line sends the small submissions of one dataset that wait at the same moment in one
// transaction: what a transaction costs is paid once for all of them. Each is a chunk
// of its own, written down before it is sent, and settled like any other. There is one
// line per dataset in a process; a line of another process is fenced off.
type Line struct {
	d       *Desk
	dataset mulu.DatasetCode
	topic   string

	mu      sync.Mutex
	waiting []*waiting

	turn chan struct{} // has a token while somebody sends, who alone touches what is below
	w    *wire         // nil before the first group, and after an error
	name string        // transactional id
	ends []int64       // no later than the topic's ends
	seen time.Time     // when they were looked up
	used time.Time
}

// waiting is a submission that waits for its group.
type waiting struct {
	s     Submission
	rows  []Row
	bytes int
	done  chan struct{}
	c     *chunk // of one that is new
	got   Receipt
	err   error
}

// Receipt is what Put answers.
type Receipt struct {
	Submission
	Runs  []Run // where its rows lie
	Fresh bool  // it was not there before
}

// Fits says whether rows are few enough for a line.
func Fits(rows int, bytes int64) bool { return rows <= chunkRows && bytes <= chunkBytes }

// Line is the line of a dataset.
func (d *Desk) Line(dataset mulu.DatasetCode, topic string) *Line {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lines[dataset]
	if l == nil {
		l = &Line{d: d, dataset: dataset, topic: topic, turn: make(chan struct{}, 1)}
		d.lines[dataset] = l
	}
	return l
}

// Put registers a submission and sends it, all of its rows, or finds the one that its
// key names. When it returns nil the broker has the rows. mulu.ErrConflict: the key was
// used for other content. mulu.ErrBusy: it is not known whether they are on the broker;
// the same again with the same key settles it. Rows must fit (Fits).
func (l *Line) Put(ctx context.Context, s Submission, rows []Row) (Receipt, error) {
	w := &waiting{s: s, rows: rows, done: make(chan struct{})}
	for i := range rows {
		w.bytes += len(rows[i].Key) + len(rows[i].Value)
	}
	if len(rows) == 0 || !Fits(len(rows), int64(w.bytes)) {
		return Receipt{}, fmt.Errorf("a line takes 1 to %d rows of %d bytes: %w", chunkRows, chunkBytes, mulu.ErrInvalid)
	}
	l.mu.Lock()
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	for {
		select {
		case <-w.done:
			return w.got, w.err
		case l.turn <- struct{}{}:
			select {
			case <-w.done: // both were ready: somebody else is to have the turn
				<-l.turn
				return w.got, w.err
			default:
				l.group(ctx) // w may be in it, or still stand behind others
			}
		case <-ctx.Done():
			l.leave(w)
			return Receipt{}, fmt.Errorf("等待发送时请求已结束，请以相同的键重试 / the request ended while it waited: %w: %w", mulu.ErrBusy, ctx.Err())
		}
	}
}

// leave forgets one that nobody waits for any more, unless it is on its way.
func (l *Line) leave(w *waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.waiting {
		if other == w {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return
		}
	}
}

// take is the next group: who waits, oldest first, as far as fits.
func (l *Line) take() (group []*waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows, bytes := 0, 0
	for len(l.waiting) > 0 {
		w := l.waiting[0]
		rows, bytes = rows+len(w.rows), bytes+w.bytes
		if len(group) > 0 && !Fits(rows, int64(bytes)) {
			break
		}
		group, l.waiting = append(group, w), l.waiting[1:]
	}
	return group
}

// group sends the next group and gives up the turn. It does not end with the request
// of whoever does it for the others.
func (l *Line) group(ctx context.Context) {
	group := l.take()
	err := errors.New("the sender of this group panicked")
	defer func() {
		if err != nil {
			l.drop()
		}
		for _, w := range group {
			if err != nil && w.err == nil && w.got.ID == "" {
				w.err = err
			}
			close(w.done)
		}
		<-l.turn
	}()
	if len(group) == 0 {
		err = nil
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.d.patience)
	defer cancel()
	if err = l.ready(ctx); err == nil {
		err = l.send(ctx, group)
	}
}

// drop lets the producer go; the next group begins with another, which settles.
func (l *Line) drop() {
	if l.w != nil {
		l.w.cl.Close()
		l.w = nil
	}
}

// ready has a producer that nobody shares, and nothing left behind by the one before.
func (l *Line) ready(ctx context.Context) (err error) {
	now := l.d.now()
	l.used = now
	if l.w == nil {
		if err := l.open(ctx); err != nil {
			return fmt.Errorf("open the line of dataset %s: %w", l.dataset, err)
		}
	} else if now.Sub(l.seen) < lookEvery && now.After(l.seen) {
		return nil
	} else if err := l.w.look(ctx); err != nil {
		return err
	}
	l.ends, err = l.w.ends(ctx)
	l.seen = now
	return err
}

// open fences off whoever had the line and settles what they left.
func (l *Line) open(ctx context.Context) (err error) {
	if l.name == "" {
		if l.name, err = l.d.lineName(ctx, l.dataset); err != nil {
			return err
		}
	}
	if l.w, err = l.d.connect(ctx, l.topic, l.name); err != nil {
		return err
	}
	left, err := l.d.openChunks(ctx, l.name)
	if err == nil && len(left) > 0 {
		if err = l.w.settle(ctx, left...); err == nil {
			err = l.d.doneGroup(ctx, left)
		}
	}
	if err != nil {
		l.drop()
	}
	return err
}

// send plans the group, sends it and says so. What fails after it is planned is
// settled at once if the broker answers.
func (l *Line) send(ctx context.Context, group []*waiting) error {
	chunks, err := l.plan(ctx, group)
	if err != nil {
		return fmt.Errorf("plan a group of dataset %s: %w", l.dataset, err)
	}
	if len(chunks) > 0 {
		l.d.passed("planned")
		if err = l.w.produce(ctx, chunks...); err == nil {
			l.d.passed("produced")
			err = l.d.doneGroup(ctx, chunks)
		}
		if err != nil {
			l.drop()
			if again := l.open(ctx); again != nil {
				return fmt.Errorf("send a group of dataset %s: %w", l.dataset, errors.Join(err, again))
			}
			l.seen = time.Time{}
			for _, w := range group {
				w.c = nil // it was settled from what was written down
			}
		}
	}
	for _, w := range group {
		if w.err == nil {
			w.err = l.answer(ctx, w)
		}
	}
	l.d.passed("answered")
	return nil
}

// plan registers who is new and writes their chunks down, all at once. A crash after
// it leaves open chunks of this line.
func (l *Line) plan(ctx context.Context, group []*waiting) (chunks []*chunk, err error) {
	bodies := make([][]byte, len(group))
	for i, w := range group {
		if bodies[i], err = pack(w.rows); err != nil {
			return nil, err
		}
	}
	err = l.d.db.Tx(ctx, func(tx *sql.Tx) error {
		chunks = nil
		for i, w := range group {
			asked := w.s
			if w.s, w.got.Fresh, err = l.d.open(ctx, tx, asked, l.w.id.String()); err != nil {
				return err
			}
			if w.err = w.s.is(&asked, w.got.Fresh); w.err != nil || !w.got.Fresh {
				continue
			}
			c := &chunk{of: w.s.ID, rows: int64(len(w.rows)), topic: l.w.id, starts: l.ends, body: bodies[i], send: w.rows}
			if err := c.insert(ctx, tx, l.name); err != nil {
				return err
			}
			w.c, chunks = c, append(chunks, c)
		}
		return nil
	})
	return chunks, err
}

// answer reads how a submission of the group ended.
func (l *Line) answer(ctx context.Context, w *waiting) (err error) {
	fresh := w.got.Fresh
	if w.c != nil {
		w.got.Submission, w.got.Runs = w.s, w.c.runs
		w.got.State, w.got.Rows, w.got.SentAt = Sent, w.c.rows, w.c.sent
		return nil
	}
	if w.got.Submission, err = l.d.Get(ctx, w.s.ID); err != nil {
		return err
	}
	w.got.Fresh = fresh
	if w.got.State == Open {
		return fmt.Errorf("报送 %s 正在发送，请稍候以相同的键重试 / it is being sent: %w", w.s.ID, mulu.ErrBusy)
	}
	_, w.got.Runs, err = l.d.Runs(ctx, w.s.ID)
	return err
}

// doneGroup ends submissions whose only chunk is on the broker.
func (d *Desk) doneGroup(ctx context.Context, chunks []*chunk) error {
	now := d.now()
	return d.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, c := range chunks {
			c.sort()
			c.sent = now
			res, err := tx.ExecContext(ctx, `UPDATE ingest_submission SET chunks = 1, sent_rows = $1, state = 'sent', sent_at = $2 WHERE id = $3 AND state = 'open' AND chunks = 0`,
				c.rows, store.Micros(now), c.of)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil {
				return err
			} else if n == 0 {
				return fmt.Errorf("another sender is ahead of submission %s: %w", c.of, mulu.ErrConflict)
			}
			if err := c.letGo(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// lineName is the transactional id of a dataset's line, drawn once.
func (d *Desk) lineName(ctx context.Context, dataset mulu.DatasetCode) (name string, err error) {
	err = d.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO ingest_line (dataset, producer) VALUES ($1, $2) ON CONFLICT (dataset) DO NOTHING`, string(dataset), "mulu-line-"+rand.Text()); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT producer FROM ingest_line WHERE dataset = $1`, string(dataset)).Scan(&name)
	})
	if err != nil {
		return "", fmt.Errorf("name the line of dataset %s: %w", dataset, err)
	}
	return name, nil
}

// openChunks are the chunks of a line that were planned and not done.
func (d *Desk) openChunks(ctx context.Context, line string) ([]*chunk, error) {
	list, err := store.All(ctx, d.db.Read, scanChunk, `SELECT `+chunkColumns+` FROM ingest_chunk WHERE line = $1 AND body IS NOT NULL`, line)
	if err != nil {
		return nil, fmt.Errorf("read open chunks: %w", err)
	}
	return list, nil
}

// Tend settles what lines of an earlier process, or of one whose broker went away, left
// open, so that it does not wait for somebody to post to the same dataset, and lets
// producers go that nobody used for a while. topic names a dataset's topic.
func (d *Desk) Tend(ctx context.Context, topic func(mulu.DatasetCode) (string, bool)) error {
	left, err := store.All(ctx, d.db.Read, store.One[mulu.DatasetCode], `SELECT DISTINCT l.dataset FROM ingest_line l JOIN ingest_chunk c ON c.line = l.producer WHERE c.body IS NOT NULL`)
	if err != nil {
		return fmt.Errorf("find lines to settle: %w", err)
	}
	var faults []error
	for _, code := range left {
		if name, ok := topic(code); ok {
			faults = append(faults, d.Line(code, name).tend(ctx))
		}
	}
	d.rest(idleTime)
	return errors.Join(faults...)
}

// tend settles if nobody sends: whoever sends has settled.
func (l *Line) tend(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	default:
		return nil
	}
	if l.w != nil { // its groups are done, or it would have been dropped
		return nil
	}
	l.seen = time.Time{}
	return l.ready(ctx)
}

// rest lets the producers go of lines that were not used for so long.
func (d *Desk) rest(after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lines {
		select {
		case l.turn <- struct{}{}:
			if d.now().Sub(l.used) >= after {
				l.drop()
			}
			<-l.turn
		default: // in use
		}
	}
}

// Close lets go of the lines' producers. Nobody may be sending.
func (d *Desk) Close() { d.rest(0) }
