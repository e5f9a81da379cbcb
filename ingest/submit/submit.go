// Package submit puts on the broker what departments deliver by other ways than Kafka
// (报送): files, tables of an exchange database, calls, packages. Whatever the way, rows
// go to the dataset's topic and enter from there, so that rejects, manifests,
// reconciliation and proofs are those of every row.
//
// A submission is sent in chunks. Each is written to the control store before it is
// sent and goes to the broker in one transaction; one that was cut off is looked for
// on the broker, partition by partition, and what is not there is sent again as it
// was. So a kill at any line neither loses a row nor sends one twice.
package submit

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/internal/clock"
	"mulu/internal/store"
)

// States of a submission.
const (
	Open    = "open"    // being sent, or cut off and to be gone on with
	Sent    = "sent"    // all of it is on the broker
	Landed  = "landed"  // all of it is in the library or among the rejects
	Refused = "refused" // nothing of it was taken
)

// Submission is one delivery (报送).
type Submission struct {
	ID      string // "S20261127-4F7Q2K9D"
	Dataset mulu.DatasetCode
	Way     mulu.WayKind
	Name    string // of the declared way, "" for none
	Key     string // the same key of one dataset and way is the same submission
	Source  string // a file's name, a table: as people know it
	Digest  string // "sha256:…" of what was handed in, "" where there is no such thing
	Period  string // of a nil report
	By      string // who handed it in; "" is the schedule
	State   string
	Reason  string // why it was refused, Chinese
	Report  json.RawMessage
	Cursor  string // how far the source was read
	Total   int64  // rows that are expected, 0 if nobody knows
	Rows    int64  // rows on the broker
	// Good and Rejected are known once it has landed; records that are neither were
	// removed from the topic before they were read.
	Good, Rejected             int64
	OpenedAt, SentAt, LandedAt time.Time
}

// Desk keeps submissions and sends them.
type Desk struct {
	db    *store.DB
	seeds []string
	opts  []kgo.Opt // TLS, SASL
	now   func() time.Time
	// passed is told each durable stage; tests cut there.
	passed   func(stage string)
	patience time.Duration // groupTime

	mu    sync.Mutex
	lines map[mulu.DatasetCode]*Line
}

// NewDesk makes one on a store whose ingest tables are up to date (ingest.NewJournal).
// The broker need not be up yet.
func NewDesk(db *store.DB, seeds []string, now func() time.Time, opts ...kgo.Opt) *Desk {
	return &Desk{db: db, seeds: seeds, now: now, opts: opts, passed: func(string) {}, patience: groupTime, lines: map[mulu.DatasetCode]*Line{}}
}

// OnPassed makes f be told each stage of a chunk that has just been made durable:
// "planned", "uncommitted", "produced". Call it before anything is sent.
func (d *Desk) OnPassed(f func(stage string)) { d.passed = f }

const columns = `id, dataset, way, name, unique_key, source, digest, period, actor, state, reason, report, cursor, total, sent_rows, good, rejected, opened_at, sent_at, landed_at`

// Open registers a submission, or finds the one that its key names; fresh says which.
// The same key with another digest is mulu.ErrConflict. Without a key it is new.
func (d *Desk) Open(ctx context.Context, s Submission) (out Submission, fresh bool, err error) {
	err = d.db.Tx(ctx, func(tx *sql.Tx) error {
		out, fresh, err = d.open(ctx, tx, s, "")
		return err
	})
	if err != nil {
		return out, false, fmt.Errorf("open submission to dataset %s: %w", s.Dataset, err)
	}
	return out, fresh, out.is(&s, fresh)
}

// open registers a submission, or reads the one that has its key. topic is the topic
// that it goes to, if that is known yet.
func (d *Desk) open(ctx context.Context, tx *sql.Tx, s Submission, topic string) (out Submission, fresh bool, err error) {
	now := d.now().UTC().Truncate(time.Microsecond)
	s.ID = "S" + now.In(clock.Shanghai).Format("20060102") + "-" + rand.Text()[:8]
	if s.Key == "" {
		s.Key = s.ID
	}
	if s.State == "" {
		s.State = Open
	}
	if s.Report == nil {
		s.Report = json.RawMessage("{}")
	}
	s.OpenedAt, s.Rows, s.Good, s.Rejected, s.SentAt, s.LandedAt = now, 0, 0, 0, time.Time{}, time.Time{}
	if s.State != Open {
		s.SentAt, s.LandedAt = now, now
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO ingest_submission (id, dataset, way, name, unique_key, source, digest, period, actor, state, reason, report,
			topic_id, cursor, chunks, total, sent_rows, good, rejected, opened_at, sent_at, landed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $17, $13, 0, $14, 0, 0, 0, $15, $16, $16)
		ON CONFLICT (dataset, way, unique_key) DO NOTHING`,
		s.ID, string(s.Dataset), string(s.Way), s.Name, s.Key, s.Source, s.Digest, s.Period, s.By, s.State, s.Reason, string(s.Report),
		s.Cursor, s.Total, store.Micros(now), store.Micros(s.SentAt), topic)
	if err != nil {
		return out, false, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 1 {
		return s, true, err
	}
	out, err = scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM ingest_submission WHERE dataset = $1 AND way = $2 AND unique_key = $3`,
		string(s.Dataset), string(s.Way), s.Key))
	return out, false, err
}

// is refuses another content under the key of one that is there.
func (s *Submission) is(asked *Submission, fresh bool) error {
	if fresh || s.Digest == asked.Digest {
		return nil
	}
	return fmt.Errorf("这个键已用于另一份内容（%s，%s）；内容变了请换一个键 / this key was used for other content: %w",
		s.ID, s.OpenedAt.In(clock.Shanghai).Format(time.DateTime), mulu.ErrConflict)
}

func scan(r store.Row) (s Submission, err error) {
	var report string
	var opened, sent, landed int64
	err = r.Scan(&s.ID, (*string)(&s.Dataset), (*string)(&s.Way), &s.Name, &s.Key, &s.Source, &s.Digest, &s.Period, &s.By, &s.State, &s.Reason, &report,
		&s.Cursor, &s.Total, &s.Rows, &s.Good, &s.Rejected, &opened, &sent, &landed)
	if errors.Is(err, sql.ErrNoRows) {
		err = mulu.ErrNotFound
	}
	s.Report = json.RawMessage(report)
	s.OpenedAt, s.SentAt, s.LandedAt = store.FromMicros(opened), store.FromMicros(sent), store.FromMicros(landed)
	return s, err
}

// Get reads one submission. mulu.ErrNotFound: there is none.
func (d *Desk) Get(ctx context.Context, id string) (Submission, error) {
	s, err := scan(d.db.Read.QueryRowContext(ctx, `SELECT `+columns+` FROM ingest_submission WHERE id = $1`, id))
	if err != nil {
		return s, fmt.Errorf("报送 %s / submission: %w", id, err)
	}
	return s, nil
}

// Filter narrows List; an empty field does not.
type Filter struct {
	Dataset mulu.DatasetCode
	Way     mulu.WayKind
	Name    string
	State   string
	Before  time.Time // opened before
	// Owned narrows to the datasets Of, which may be none.
	Owned bool
	Of    []mulu.DatasetCode
}

// List gives the newest submissions, at most limit.
func (d *Desk) List(ctx context.Context, f Filter, limit int) ([]Submission, error) {
	before := int64(1 << 62)
	if !f.Before.IsZero() {
		before = store.Micros(f.Before)
	}
	args := []any{string(f.Dataset), string(f.Way), f.Name, f.State, before, limit}
	of := ""
	if f.Owned {
		of = " AND dataset IN (''"
		for _, code := range f.Of {
			args = append(args, string(code))
			of += fmt.Sprintf(", $%d", len(args))
		}
		of += ")"
	}
	list, err := store.All(ctx, d.db.Read, scan, `SELECT `+columns+` FROM ingest_submission
		WHERE ($1 = '' OR dataset = $1) AND ($2 = '' OR way = $2) AND ($3 = '' OR name = $3) AND ($4 = '' OR state = $4) AND opened_at < $5`+of+`
		ORDER BY opened_at DESC, id LIMIT $6`, args...)
	if err != nil {
		return nil, fmt.Errorf("list submissions: %w", err)
	}
	return list, nil
}

// Refuse ends an open submission of which nothing was sent. report is the way's own,
// nil keeps what there is.
func (d *Desk) Refuse(ctx context.Context, id, reason string, report json.RawMessage) error {
	return d.end(ctx, id, Refused, reason, report)
}

// Report keeps what a way wants to say of a submission.
func (d *Desk) Report(ctx context.Context, id string, report json.RawMessage) error {
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE ingest_submission SET report = $1 WHERE id = $2`, string(report), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep report of submission %s: %w", id, err)
	}
	return nil
}

// Expect keeps how many rows are to come.
func (d *Desk) Expect(ctx context.Context, id string, rows int64) error {
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE ingest_submission SET total = $1 WHERE id = $2`, rows, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep size of submission %s: %w", id, err)
	}
	return nil
}

func (d *Desk) end(ctx context.Context, id, state, reason string, report json.RawMessage) error {
	now := store.Micros(d.now())
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		landed := int64(0)
		guard := ""
		if state == Refused {
			landed, guard = now, ` AND chunks = 0 AND NOT EXISTS (SELECT 1 FROM ingest_chunk WHERE submission = $6)`
		}
		res, err := tx.ExecContext(ctx, `UPDATE ingest_submission SET state = $1, reason = $2, sent_at = $3, landed_at = $4,
			report = CASE WHEN $5 = '' THEN report ELSE $5 END WHERE id = $6 AND state = 'open'`+guard, state, reason, now, landed, string(report), id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("it is not open, or a part of it was sent: %w", mulu.ErrConflict)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("end submission %s as %s: %w", id, state, err)
	}
	return nil
}

// Declare replaces the ways that a dataset declares.
func (d *Desk) Declare(ctx context.Context, code mulu.DatasetCode, ways []mulu.Way) error {
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM ingest_way WHERE dataset = $1`, string(code)); err != nil {
			return err
		}
		for _, w := range ways {
			body, err := json.Marshal(w)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO ingest_way (dataset, kind, name, body) VALUES ($1, $2, $3, $4)`, string(code), string(w.Kind), w.Name, string(body)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("declare ways of dataset %s: %w", code, err)
	}
	return nil
}

// Declared is a way of a dataset.
type Declared struct {
	Dataset mulu.DatasetCode
	mulu.Way
}

// Ways lists the declared ways of a dataset, of all for "".
func (d *Desk) Ways(ctx context.Context, code mulu.DatasetCode) ([]Declared, error) {
	list, err := store.All(ctx, d.db.Read, func(r store.Row) (w Declared, err error) {
		var body string
		if err := r.Scan((*string)(&w.Dataset), &body); err != nil {
			return w, err
		}
		err = json.Unmarshal([]byte(body), &w.Way)
		return w, err
	}, `SELECT dataset, body FROM ingest_way WHERE $1 = '' OR dataset = $1 ORDER BY dataset, kind, name`, string(code))
	if err != nil {
		return nil, fmt.Errorf("list ways: %w", err)
	}
	return list, nil
}

// Key is a record's key as every producer of a dataset must write it, so that a
// business key stays on one partition: its values in the order of the dataset's key,
// with "|" between.
func Key(values ...string) []byte { return []byte(strings.Join(values, "|")) }
