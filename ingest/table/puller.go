package table

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mulu"
	"mulu/ingest/submit"
	"mulu/internal/clock"
	"mulu/internal/store"
)

// Puller pulls tables of exchange databases.
type Puller struct {
	db    *store.DB
	desk  *submit.Desk
	now   func() time.Time
	sleep func(ctx context.Context, d time.Duration) error
	owner string // of leases: this process
	// passed is told each durable stage beside the desk's own; tests cut there.
	passed func(stage string)
}

// New makes one on a store whose ingest tables are up to date.
func New(db *store.DB, desk *submit.Desk, now func() time.Time) *Puller {
	return &Puller{db: db, desk: desk, now: now, sleep: sleep, owner: rand.Text(), passed: func(string) {}}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Order is one pull of one table.
type Order struct {
	Dataset    *mulu.Dataset
	Way        mulu.Way
	Connection Connection
	Slot       time.Time // of the schedule
	// Of a person who wants it now, whatever the hours; zero is the schedule.
	Asked  time.Time
	By     string
	Agreed bool // to the deletions that were withheld
}

// key is the submission's: the same order of the same table is the same submission.
func (o *Order) key() string {
	name := o.Way.Name + "/" + digest([]byte(o.of()))[:6]
	if !o.Asked.IsZero() {
		return name + "/asked/" + o.Asked.UTC().Format(time.RFC3339Nano)
	}
	return name + "/" + o.Slot.In(clock.Shanghai).Format(time.RFC3339)
}

// source is a table as people know it.
func (o *Order) source() string { return o.Way.Connection + ":" + o.Way.Table }

// of says what a watermark is of: it is worth nothing for another table or column.
func (o *Order) of() string {
	w := &o.Way
	if w.Mode == modeCompare { // what is known is by the dataset's key, wherever it is read
		return strings.Join(append([]string{w.Mode}, o.Dataset.Key...), "|")
	}
	return strings.Join(append([]string{w.Mode, w.Connection, w.Table, w.Column}, o.Dataset.Key...), "|")
}

// The modes.
const (
	modeIncrement = "increment"
	modeRange     = "range"
	modeCompare   = "compare"
)

// errPaused says that the hours are over; the next ones go on where this run stands.
var errPaused = errors.New("paused")

// Run pulls a table once: it goes on with what a killed or paused run left, or begins.
// What went wrong is kept as the way's failure and returned, too. mulu.ErrBusy: another
// process is at it.
func (p *Puller) Run(ctx context.Context, o Order) error {
	code, name := o.Dataset.Code, o.Way.Name
	if ok, err := p.lease(ctx, code, name); err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("库表 %s/%s 正由另一进程抽取 / another process pulls it: %w", code, name, mulu.ErrBusy)
	}
	defer p.hold(code, name)()
	if _, err := p.set(ctx, code, name, `tried_at = $3 WHERE dataset = $1 AND name = $2`, store.Micros(p.now())); err != nil {
		return err
	}
	failure, err := p.pull(ctx, &o)
	if ctx.Err() != nil {
		return ctx.Err() // the process stops: the next one goes on, asked or not
	}
	what, args := `failure = $3`, []any{failure}
	switch {
	case errors.Is(err, errPaused):
		what = `failure = ''`
		args = nil
		err = nil
	case err != nil:
		args[0] = sentence(err)
	default:
		what += `, slot = $4`
		args = append(args, store.Micros(o.Slot))
	}
	if !o.Asked.IsZero() {
		args = append(args, store.Micros(o.Asked))
		what += fmt.Sprintf(`, asked_at = CASE WHEN asked_at = $%d THEN 0 ELSE asked_at END`, len(args)+2)
	}
	_, kept := p.set(ctx, code, name, what+` WHERE dataset = $1 AND name = $2`, args...)
	return errors.Join(err, kept)
}

// Fail keeps why a way can not even be begun.
func (p *Puller) Fail(ctx context.Context, code mulu.DatasetCode, name string, asked time.Time, err error) error {
	_, kept := p.set(ctx, code, name, `tried_at = $3, failure = $4, asked_at = CASE WHEN asked_at = $5 THEN 0 ELSE asked_at END WHERE dataset = $1 AND name = $2`,
		store.Micros(p.now()), sentence(err), store.Micros(asked))
	return kept
}

// sentence is an error without the name of its kind.
func sentence(err error) string {
	s := err.Error()
	for _, e := range []error{mulu.ErrInvalid, mulu.ErrConflict, mulu.ErrBusy, mulu.ErrNotFound} {
		s = strings.TrimSuffix(s, ": "+e.Error())
	}
	return s
}

// pull reaches the database and takes what there is. failure is what a person has to see
// of a run that ended well.
func (p *Puller) pull(ctx context.Context, o *Order) (failure string, err error) {
	src, err := open(ctx, o.Connection)
	if err != nil {
		return "", err
	}
	defer src.close()
	if o.Way.Control != "" {
		return p.batches(ctx, o, src)
	}
	s, err := p.opened(ctx, o, nil)
	if err != nil || s.State != submit.Open {
		return "", err
	}
	return p.take(ctx, o, src, s, nil)
}

// opened finds the submission that is to be gone on with, or opens one.
func (p *Puller) opened(ctx context.Context, o *Order, b *batch) (s submit.Submission, err error) {
	key := o.key()
	if b != nil {
		key = b.key
	} else {
		open, err := p.desk.List(ctx, submit.Filter{Dataset: o.Dataset.Code, Way: mulu.WayTable, Name: o.Way.Name, State: submit.Open}, 100)
		if err != nil {
			return s, err
		}
		for _, s := range slices.Backward(open) {
			if c, err := cursorOf(s.Cursor); err == nil && c.Of == o.of() {
				return s, nil
			}
			if err := p.leave(ctx, o.Dataset.Topic, s, "报送方式已改变，从头取起"); err != nil {
				return s, err
			}
		}
	}
	c, err := p.beginning(ctx, o)
	if err != nil {
		return s, err
	}
	in := submit.Submission{Dataset: o.Dataset.Code, Way: mulu.WayTable, Name: o.Way.Name, Key: key, Source: o.source(), By: o.By, Cursor: written(c)}
	if b != nil {
		in.Source, in.Total = o.source()+" 批次 "+b.no.Text, b.rows
		in.Report = json.RawMessage(written(Report{Table: o.Way.Table, Mode: o.Way.Mode, Batch: b.no.Text, Listed: b.rows, Receipt: receiptDue}))
	}
	if s, _, err = p.desk.Open(ctx, in); err != nil || s.State != submit.Open || b == nil {
		return s, err
	}
	if c, err := cursorOf(s.Cursor); err == nil && c.Of == o.of() {
		return s, nil
	}
	if err := p.leave(ctx, o.Dataset.Topic, s, "报送方式已改变，这一批次没有取完"); err != nil {
		return s, err
	}
	return p.desk.Get(ctx, s.ID)
}

// beginning is the cursor of a run that begins: after the last one that ended.
func (p *Puller) beginning(ctx context.Context, o *Order) (cursor, error) {
	c := cursor{Of: o.of(), Phase: phaseStart}
	if o.Way.Mode == modeRange {
		return c, nil
	}
	var last submit.Submission
	for _, state := range []string{submit.Sent, submit.Landed} {
		list, err := p.desk.List(ctx, submit.Filter{Dataset: o.Dataset.Code, Way: mulu.WayTable, Name: o.Way.Name, State: state}, 20)
		if err != nil {
			return c, err
		}
		for _, s := range list { // newest first
			if r, err := reportOf(&s); err == nil && r.Of != "" && s.OpenedAt.After(last.OpenedAt) {
				last = s
			}
		}
	}
	if last.ID != "" {
		if r, _ := reportOf(&last); r.Of == c.Of { //nolint:errcheck // read above
			c.High = r.High
			return c, nil
		}
	}
	// Nothing is known of this table, or it is another one than before.
	return c, p.memory(o).forget(ctx, math.MaxInt64)
}

func (p *Puller) memory(o *Order) *memory {
	return &memory{db: p.db, dataset: string(o.Dataset.Code), name: o.Way.Name}
}

// leave ends a submission that nobody goes on with: what it sent, stands.
func (p *Puller) leave(ctx context.Context, topic string, s submit.Submission, why string) error {
	send, err := p.desk.Send(ctx, s.ID, topic)
	if err != nil {
		return err
	}
	defer send.Close()
	r, err := reportOf(&s)
	if err != nil {
		r = Report{}
	}
	r.Left = why
	return send.End(ctx, json.RawMessage(written(r)))
}

// Leave ends the open submissions of tables that are no longer declared. topic gives a
// dataset's, "" for none.
func (p *Puller) Leave(ctx context.Context, declared []submit.Declared, topic func(mulu.DatasetCode) string) error {
	open, err := p.desk.List(ctx, submit.Filter{Way: mulu.WayTable, State: submit.Open}, 1000)
	if err != nil {
		return err
	}
	var faults []error
	for _, s := range open {
		known := slices.ContainsFunc(declared, func(d submit.Declared) bool {
			return d.Dataset == s.Dataset && d.Kind == mulu.WayTable && d.Name == s.Name
		})
		if t := topic(s.Dataset); !known && t != "" {
			faults = append(faults, p.leave(ctx, t, s, "报送方式已撤销"))
		}
	}
	return errors.Join(faults...)
}

// Report is what a submission of a table says of itself.
type Report struct {
	Table      string            `json:"table"`
	Mode       string            `json:"mode"`
	Read       int64             `json:"read"`                 // rows of the table
	Same       int64             `json:"same,omitempty"`       // of them, as they were sent before
	Keyless    int64             `json:"keyless,omitempty"`    // without a value in the key
	Duplicates int64             `json:"duplicates,omitempty"` // that share their key with another
	Unordered  int64             `json:"unordered,omitempty"`  // without a value in the increment's column, never read
	Deleted    int64             `json:"deleted,omitempty"`
	Withheld   int64             `json:"withheld,omitempty"` // deletions that wait for a person's agreement
	Known      int64             `json:"known,omitempty"`    // rows that were compared with
	Columns    map[string]string `json:"columns,omitempty"`  // of the table → of the dataset
	Ignored    []string          `json:"ignored,omitempty"`  // columns that were not taken
	Batch      string            `json:"batch,omitempty"`
	Listed     int64             `json:"row_count,omitempty"` // rows of the batch as the control table says
	Receipt    string            `json:"receipt,omitempty"`   // receiptDue, or what was written
	Left       string            `json:"left,omitempty"`      // why it was ended before its time
	Faults     []string          `json:"faults,omitempty"`
	// Where the next run of the same begins; set when all was read.
	Of   string `json:"of,omitempty"`
	High *Value `json:"high,omitempty"`
}

func reportOf(s *submit.Submission) (r Report, err error) {
	if err := json.Unmarshal(s.Report, &r); err != nil {
		return r, fmt.Errorf("read report of submission %s: %w", s.ID, err)
	}
	return r, nil
}
