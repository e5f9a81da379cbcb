package ingest

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"mulu"
	"mulu/internal/store"
)

// ErrHeld says that the partition waits for a person: nothing of the batch was
// planned or stored.
var ErrHeld = errors.New("partition held for review")

// Hold is a partition that waits for review (待审): its records no longer fit the
// dataset version. Nothing of the batch was planned; the partition stands before it.
type Hold struct {
	Plan    mulu.Plan // the batch that would have been planned
	Records int64     // in that batch
	Failed  int64     // of them for this reason
	Class   string    // of reject, or ClassAbsent
	Field   string
	Reason  string // Chinese; of the first record at fault
	Offset  int64  // of the first record at fault
	At      time.Time

	Decision  Decision // "" while it is open
	Version   uint32   // DecideVersion: in force from Plan.First on
	Note      string
	DecidedBy string
	DecidedAt time.Time
}

// ClassAbsent is the class of a hold over a required field that is no longer sent.
const ClassAbsent = "absent"

// Decision is what a person says to a hold.
type Decision string

// The decisions.
const (
	// DecideProceed lets the records in as they are: those at fault become problem
	// rows. It covers what was sent until then.
	DecideProceed Decision = "proceed"
	// DecideVersion reads on under another, newer version of the dataset.
	DecideVersion Decision = "version"
)

// Review is when a partition is held: its records do not fit the version for one and
// the same reason. The zero value never holds.
type Review struct {
	Share float64 // of the records, above 0 to 1
	Least int64   // records at fault, so that three odd ones among four hold nothing
}

// misfit is why records do not fit.
type misfit struct{ class, field string }

// tally is what one misfit has amounted to.
type tally struct {
	records, failed int64
	reason          string // of the first
	offset          int64
}

// streak carries tallies over batches too small to tell: a topic that trickles would
// else never be held.
type streak map[misfit]tally

// judge says whether a batch is to be held, nil if not, and carries on what is short
// of Least. One that is in doubt is never held, since some of it may be stored; nor is
// one a person has let in.
func (v Review) judge(s streak, b *Batch, d *Decoded) *Hold {
	if v.Share <= 0 || b.InDoubt || b.Reviewed || len(b.Records) == 0 {
		return nil
	}
	n := int64(len(b.Records))
	now := misfits(d)
	for k := range s {
		if _, still := now[k]; !still {
			delete(s, k)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(now), func(a, b misfit) int {
		return cmp.Or(cmp.Compare(now[b].failed, now[a].failed), cmp.Compare(a.class, b.class), cmp.Compare(a.field, b.field))
	}) {
		t := now[k]
		if float64(t.failed) < v.Share*float64(n) {
			delete(s, k)
			continue
		}
		was := s[k]
		all := was.failed + t.failed
		if all < v.Least {
			s[k] = tally{records: was.records + n, failed: all}
			continue
		}
		return &Hold{Plan: b.Plan, Records: was.records + n, Failed: all, Class: k.class, Field: k.field, Reason: t.reason, Offset: t.offset}
	}
	return nil
}

// misfits counts the records of a batch by why they do not fit.
func misfits(d *Decoded) map[misfit]tally {
	out := map[misfit]tally{}
	for i := range d.Rejects {
		r := &d.Rejects[i]
		if r.Row > 0 { // a record is counted once
			continue
		}
		k := misfit{r.Class, r.Field}
		t := out[k]
		if t.failed++; t.failed == 1 {
			t.reason, t.offset = r.Reason, r.Offset
		}
		out[k] = t
	}
	for _, a := range d.Absent {
		out[misfit{ClassAbsent, a.Field}] = tally{failed: a.Records, offset: a.First,
			reason: fmt.Sprintf("必填字段“%s”不再出现在记录中，可能已改名或停用", a.Field)}
	}
	return out
}

// classes are the words for what a record may be held for.
var classes = map[string]string{ClassAbsent: "不再出现", ClassType: "类型不符", ClassKey: "主键缺失", ClassDecode: "无法解析", ClassEncoding: "编码不是 UTF-8",
	ClassOversize: "超长", ClassTombstone: "消息没有内容", ClassChange: "变更消息不完整"}

// summary names no value, unlike Reason.
func (h *Hold) summary() string {
	class := classes[h.Class]
	if class == "" {
		class = h.Class
	}
	where := "整条记录"
	if h.Field != "" {
		where = "字段“" + h.Field + "”"
	}
	return fmt.Sprintf("位置 %d 起的 %d 条中有 %d 条不符合版本 %d：%s，%s；已停在这里等待处理", h.Plan.First, h.Records, h.Failed, h.Plan.Version, where, class)
}

// Hold keeps that a partition waits. While it does, holding it again changes nothing.
// A crash before leaves nothing: the same records are held again by whoever reads
// them next.
func (j *Journal) Hold(ctx context.Context, h *Hold) error {
	p := &h.Plan
	err := j.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO ingest_hold (topic_id, part, first_offset, last_offset, topic, dataset, version, records, failed,
			class, field, reason, at_offset, held_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
			ON CONFLICT (topic_id, part) WHERE decision = '' DO NOTHING`,
			p.TopicID.String(), p.Partition, p.First, p.Last, p.Topic, string(p.Dataset), int64(p.Version), h.Records, h.Failed,
			h.Class, h.Field, h.Reason, h.Offset, store.Micros(j.now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("hold batch %s: %w", p.BatchID, err)
	}
	return j.Notice(ctx, p.Dataset, NoticeHeld, fmt.Sprintf("%s/%d", p.Topic, p.Partition), h.summary())
}

// Release is a person's answer to an open hold. With DecideVersion, version (newer
// than the one held) takes effect where the partition stands; with DecideProceed,
// records sent until now are not held again. mulu.ErrNotFound: no hold is open.
func (j *Journal) Release(ctx context.Context, topic mulu.TopicID, partition int32, d Decision, version uint32, by, note string) error {
	err := j.db.Tx(ctx, func(tx *sql.Tx) error {
		h, err := openHold(ctx, tx, topic, partition)
		if err != nil {
			return err
		}
		if h == nil {
			return fmt.Errorf("没有待审的分区 / no hold is open: %w", mulu.ErrNotFound)
		}
		switch d {
		case DecideProceed:
			version = 0
		case DecideVersion:
			if version <= h.Plan.Version {
				return fmt.Errorf("应改用比 %d 新的版本，给的是 %d / want a version newer than %d: %w", h.Plan.Version, version, h.Plan.Version, mulu.ErrInvalid)
			}
			p := h.Plan
			p.Version = version
			if err := j.effect(ctx, tx, p); err != nil {
				return err
			}
			// A version between the two was to take effect later on: it is passed over.
			if _, err := tx.ExecContext(ctx, `DELETE FROM ingest_effect WHERE topic_id = $1 AND part = $2 AND version < $3 AND from_offset >= $4`,
				topic.String(), partition, int64(version), p.First); err != nil {
				return err
			}
		default:
			return fmt.Errorf("decision %q: want %s or %s: %w", d, DecideProceed, DecideVersion, mulu.ErrInvalid)
		}
		_, err = tx.ExecContext(ctx, `UPDATE ingest_hold SET decision = $1, to_version = $2, note = $3, decided_by = $4, decided_at = $5
			WHERE topic_id = $6 AND part = $7 AND decision = ''`, string(d), int64(version), note, by, store.Micros(j.now()), topic.String(), partition)
		return err
	})
	if err != nil {
		return fmt.Errorf("release partition %s/%d: %w", topic, partition, err)
	}
	return nil
}

const holdColumns = `topic_id, part, first_offset, last_offset, topic, dataset, version, records, failed, class, field, reason, at_offset, held_at,
	decision, to_version, note, decided_by, decided_at`

func scanHold(scan func(...any) error) (h Hold, err error) {
	var id string
	var held, decided int64
	p := &h.Plan
	if err = scan(&id, &p.Partition, &p.First, &p.Last, &p.Topic, (*string)(&p.Dataset), &p.Version, &h.Records, &h.Failed, &h.Class, &h.Field, &h.Reason,
		&h.Offset, &held, (*string)(&h.Decision), &h.Version, &h.Note, &h.DecidedBy, &decided); err != nil {
		return h, err
	}
	h.At, h.DecidedAt = store.FromMicros(held), store.FromMicros(decided)
	p.TopicID, err = parseTopicID(id)
	return h, err
}

// openHold is nil if the partition does not wait.
func openHold(ctx context.Context, tx *sql.Tx, topic mulu.TopicID, partition int32) (*Hold, error) {
	h, err := scanHold(tx.QueryRowContext(ctx, `SELECT `+holdColumns+` FROM ingest_hold WHERE topic_id = $1 AND part = $2 AND decision = ''`,
		topic.String(), partition).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &h, nil
}

// Holds lists holds, the newest first: the open ones, or with all also the newest 200
// that were decided.
func (j *Journal) Holds(ctx context.Context, all bool) ([]Hold, error) {
	where := `WHERE decision = '' `
	if all {
		where = ``
	}
	rows, err := j.db.Read.QueryContext(ctx, `SELECT `+holdColumns+` FROM ingest_hold `+where+`ORDER BY (CASE WHEN decision = '' THEN 0 ELSE 1 END), held_at DESC LIMIT 200`)
	if err != nil {
		return nil, fmt.Errorf("list holds: %w", err)
	}
	defer rows.Close()
	var out []Hold
	for rows.Next() {
		h, err := scanHold(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("list holds: %w", err)
		}
		out = append(out, h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list holds: %w", err)
	}
	return out, nil
}

// standing is how a partition stands in the journal.
type standing struct {
	id      mulu.TopicID
	next    int64      // first offset to plan, -1 if it was never read
	open    *mulu.Plan // a batch in doubt
	effects []Effect
	held    *Hold
	let     time.Time // records sent until then were let in by a person
}

// standing asks for all of it at one moment.
func (j *Journal) standing(ctx context.Context, topic mulu.TopicID, partition int32) (s standing, err error) {
	s.id = topic
	err = j.db.Tx(ctx, func(tx *sql.Tx) error {
		if s.next, s.open, err = resume(ctx, tx, topic, partition); err != nil {
			return err
		}
		if s.effects, err = effectsOf(ctx, tx, topic, partition); err != nil {
			return err
		}
		if s.held, err = openHold(ctx, tx, topic, partition); err != nil {
			return err
		}
		var let int64
		err := tx.QueryRowContext(ctx, `SELECT coalesce(max(decided_at), 0) FROM ingest_hold WHERE topic_id = $1 AND part = $2 AND decision = 'proceed'`,
			topic.String(), partition).Scan(&let)
		s.let = store.FromMicros(let)
		return err
	})
	if err != nil {
		return s, fmt.Errorf("resume partition %s/%d: %w", topic, partition, err)
	}
	return s, nil
}
