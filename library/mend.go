package library

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// States of a reject. A draft is open: it was edited and is still at fault.
const (
	RejectOpen      = "open"
	RejectDraft     = "draft"
	RejectClosed    = "closed"    // mended and replayed
	RejectWithdrawn = "withdrawn" // its batch was taken back
)

// tried is a mend that changed nothing: the original was replayed and is still at
// fault, for a reason that may be another one.
const tried = "tried"

// Mend is what was last done about one reject.
type Mend struct {
	Row     mulu.RowID
	Dataset mulu.DatasetCode
	Closed  bool
	Edited  bool
	Value   []byte // the mended bytes, if edited
	Version uint32 // dataset version that judged it
	// Why it is still at fault, as in mulu.Reject; empty once closed.
	Class, Field, Reason string
	Rule                 mulu.RuleID
	Actor                string
	Why                  string // the actor's words
	At                   time.Time
}

func (m *Mend) state() string {
	switch {
	case m.Closed:
		return RejectClosed
	case m.Edited:
		return RejectDraft
	}
	return tried
}

// rank lets the newest mend of a reject win, and a closing one for good.
func (m *Mend) rank() uint64 {
	rank := uint64(m.At.UnixMicro())
	if m.Closed {
		rank |= 1 << 62
	}
	return rank
}

const rejectPosition = "(dataset, _topic_id, _partition, _offset, _row)"

func mendsIn(state string) string {
	return rejectPosition + " IN (SELECT dataset, _topic_id, _partition, _offset, _row FROM mulu.mends FINAL WHERE state = '" + state + "')"
}

// closedReject is a condition on mulu.rejects, rejectState an expression over it.
var (
	closedReject = mendsIn(RejectClosed)
	rejectState  = "multiIf(NOT " + standing("_batch") + ", '" + RejectWithdrawn + "', " + closedReject + ", '" + RejectClosed + "', " + mendsIn(RejectDraft) + ", '" + RejectDraft + "', '" + RejectOpen + "')"
)

// stands is a condition for the given positions, whatever the dataset. It holds
// digits alone.
func stands(at []mulu.RowID) string {
	list := make([]string, len(at))
	for i, r := range at {
		list[i] = fmt.Sprintf("('%s',%d,%d,%d)", r.TopicID, r.Partition, r.Offset, r.Row)
	}
	return "(_topic_id, _partition, _offset, _row) IN (" + strings.Join(list, ",") + ")"
}

// StoreMends keeps what was done about rejects. Storing the same again changes
// nothing, and nothing follows a mend that closed its reject.
func (l *Library) StoreMends(ctx context.Context, mends []Mend) error {
	if len(mends) == 0 {
		return nil
	}
	return l.insert(ctx, mendsTable, len(mends), func(i int) []any {
		m := &mends[i]
		return []any{string(m.Dataset), m.Row.TopicID.String(), uint32(m.Row.Partition), uint64(m.Row.Offset), uint16(m.Row.Row),
			m.state(), flag(m.Edited), string(m.Value), m.Version, m.Class, string(m.Rule), m.Field, m.Reason, m.Actor, m.Why, m.At.UTC(), m.rank()}
	})
}

// addMends fills in Mend.
func (l *Library) addMends(ctx context.Context, list []StoredReject) error {
	if len(list) == 0 {
		return nil
	}
	at := make([]mulu.RowID, len(list))
	place := make(map[mulu.RowID]int, len(list))
	for i := range list {
		at[i] = list[i].ID()
		place[at[i]] = i
	}
	return l.each(ctx, "mends", `SELECT dataset, _topic_id, _partition, _offset, _row, state, edited, value, version, class, rule, field, reason, actor, why, at
		FROM mulu.mends FINAL WHERE `+stands(at), nil, func(rows driver.Rows) error {
		m, err := scanMend(rows)
		if err != nil {
			return err
		}
		if i, ok := place[m.Row]; ok && list[i].Dataset == m.Dataset {
			list[i].Mend = &m
		}
		return nil
	})
}

func scanMend(rows driver.Rows) (m Mend, err error) {
	var dataset, id, state, value, rule string
	var partition uint32
	var offset uint64
	var row uint16
	var edited uint8
	if err = rows.Scan(&dataset, &id, &partition, &offset, &row, &state, &edited, &value, &m.Version, &m.Class, &rule, &m.Field, &m.Reason, &m.Actor, &m.Why, &m.At); err != nil {
		return m, err
	}
	m.Dataset, m.Rule, m.Closed, m.Edited = mulu.DatasetCode(dataset), mulu.RuleID(rule), state == RejectClosed, edited == 1
	if m.Edited {
		m.Value = []byte(value)
	}
	m.Row.Partition, m.Row.Offset, m.Row.Row = int32(partition), int64(offset), int32(row)
	m.Row.TopicID, err = parseTopicID(id)
	return m, err
}

// StoreReplay stores mended rows under the positions and versions they had in their
// source: history first, then current, one INSERT of one block each. A crash between
// the two leaves the history's; walked again with InDoubt, each table is asked for
// every row and takes those it lacks. A row that a newer one of its key has replaced
// may be taken for missing: stored again, it is replaced again.
func (l *Library) StoreReplay(ctx context.Context, b Batch) error {
	if b.Origin != mulu.OriginReplay || b.Firsts == nil {
		return fmt.Errorf("store replay: not a replay: %w", mulu.ErrInvalid)
	}
	ds, err := l.planned(b.Plan)
	if err != nil {
		return fmt.Errorf("store replay of %s: %w", b.Plan.Dataset, err)
	}
	if err := checkBatch(ds, b); err != nil {
		return fmt.Errorf("store replay of %s: %w", ds.Code, err)
	}
	b.Feed = mulu.Feed{Schemes: b.Feed.Schemes} // a snapshot or a truncate was taken note of by its own batch
	if _, err := l.place(ctx, b); err != nil {
		return fmt.Errorf("store replay of %s: %w", ds.Code, err)
	}
	epoch, err := l.epoch(ctx, ds.Code, b.Plan.TopicID)
	if err != nil {
		return fmt.Errorf("store replay of %s: %w", ds.Code, err)
	}
	if err := l.raiseEach(ctx, &b, b.Offsets); err != nil {
		return fmt.Errorf("store replay of %s: %w", ds.Code, err)
	}
	for i, t := range tablesOf(ds) {
		if i > 0 && ds.Changes() && len(b.Offsets) > 0 {
			if err := l.bringReplayed(ctx, ds, b); err != nil {
				return fmt.Errorf("store replay in %s: %w", t, err)
			}
			continue
		}
		missing := b
		if b.InDoubt {
			if missing.Drop, err = l.dropStored(ctx, ds, t, b); err != nil {
				return fmt.Errorf("settle replay in %s: %w", t, err)
			}
		}
		data, err := frame(ds, missing, epoch)
		if err != nil {
			return fmt.Errorf("frame replay of %s: %w", ds.Code, err)
		}
		err = l.insertFrame(ctx, ident(ds.Library)+"."+ident(t), ds, data)
		data.release()
		if err != nil {
			return fmt.Errorf("store replay in %s: %w", t, err)
		}
	}
	return nil
}

// bringReplayed brings the newest versions of the keys of replayed rows from the history
// into the current table. Rows that a snapshot raised share a position, and the last one
// inserted stands: inserted as it is, an old one would replace a newer one.
func (l *Library) bringReplayed(ctx context.Context, ds *mulu.Dataset, b Batch) error {
	cond, args := ofRecords(b)
	return l.bringNewest(ctx, ds, cond+" AND _origin != 0", args)
}

// ofRecords is the condition that a row is of one of a batch's records, which are few.
func ofRecords(b Batch) (string, []any) {
	var list []string
	for i, o := range b.Offsets {
		if i == 0 || o != b.Offsets[i-1] {
			list = append(list, strconv.FormatInt(o, 10))
		}
	}
	return "_topic_id = {id:String} AND _partition = {p:UInt32} AND _offset IN (" + strings.Join(list, ",") + ")",
		[]any{named("id", b.Plan.TopicID.String()), named("p", uint32(b.Plan.Partition))}
}

// dropStored is b.Drop with the rows that a table has already.
func (l *Library) dropStored(ctx context.Context, ds *mulu.Dataset, table string, b Batch) ([]uint64, error) {
	n := len(b.Offsets)
	drop := make([]uint64, (n+63)/64)
	copy(drop, b.Drop)
	if n == 0 {
		return drop, nil
	}
	place := make(map[Place]int, n)
	for i, o := range b.Offsets {
		at := Place{Offset: o}
		if b.Rows != nil {
			at.Row = int32(b.Rows[i])
		}
		place[at] = i
	}
	cond, args := ofRecords(b)
	err := l.each(ctx, "replayed rows", "SELECT toInt64(_offset), toInt32(_row) FROM "+ident(ds.Library)+"."+ident(table)+" WHERE "+cond, args, func(rows driver.Rows) error {
		var at Place
		if err := rows.Scan(&at.Offset, &at.Row); err != nil {
			return err
		}
		if i, ok := place[at]; ok {
			drop[i>>6] |= 1 << (i & 63)
		}
		return nil
	})
	return drop, err
}

// Correction is what people have changed since the batches of one partition were
// stored. Replayed counts records all of whose rejects are closed; records of
// withdrawn batches count under Withdrawn alone.
type Correction struct {
	Dataset   mulu.DatasetCode
	TopicID   mulu.TopicID
	Partition int32
	Replayed  int64
	// Of withdrawn batches, as in their manifests.
	WithdrawnBatches  int64
	WithdrawnGood     int64
	WithdrawnRejected int64
	// Marks how far the facts above go: it differs after every correction.
	Mark string
}

// Corrections gives every partition that was corrected.
func (l *Library) Corrections(ctx context.Context) ([]Correction, error) {
	var out []Correction
	// Only records that somebody mended are looked at, by the key of mulu.rejects.
	err := l.each(ctx, "corrections", `
		SELECT dataset, _topic_id, _partition, sum(replayed), sum(batches), sum(good), sum(rejected), concat(toString(max(mark)), '.', toString(sum(batches)), '.', toString(sum(closed)))
		FROM (
			SELECT dataset, _topic_id, _partition, toInt64(countIf(open = 0)) AS replayed, toInt64(0) AS batches, toInt64(0) AS good, toInt64(0) AS rejected, toInt64(0) AS mark, toInt64(0) AS closed
			FROM (SELECT dataset, _topic_id, _partition, _offset, countIf(NOT `+closedReject+`) AS open FROM mulu.rejects FINAL
				WHERE (dataset, _topic_id, _partition, _offset) IN (SELECT dataset, _topic_id, _partition, _offset FROM mulu.mends FINAL WHERE state = 'closed') AND `+standing("_batch")+`
				GROUP BY dataset, _topic_id, _partition, _offset)
			GROUP BY dataset, _topic_id, _partition
			UNION ALL
			SELECT dataset, _topic_id, _partition, 0, 0, 0, 0, max(toUnixTimestamp64Micro(at)), toInt64(count()) FROM mulu.mends FINAL WHERE state = 'closed' GROUP BY dataset, _topic_id, _partition
			UNION ALL
			SELECT dataset, _topic_id, _partition, 0, toInt64(count()), sum(good), sum(rejected), 0, 0 FROM mulu.manifest FINAL
			WHERE (dataset, _topic_id, _partition, first) IN (SELECT dataset, _topic_id, _partition, first FROM mulu.withdrawn) GROUP BY dataset, _topic_id, _partition
		) GROUP BY dataset, _topic_id, _partition ORDER BY dataset, _topic_id, _partition`, nil, func(rows driver.Rows) error {
		var c Correction
		var dataset, id string
		var partition uint32
		if err := rows.Scan(&dataset, &id, &partition, &c.Replayed, &c.WithdrawnBatches, &c.WithdrawnGood, &c.WithdrawnRejected, &c.Mark); err != nil {
			return err
		}
		var err error
		c.Dataset, c.Partition = mulu.DatasetCode(dataset), int32(partition)
		c.TopicID, err = parseTopicID(id)
		out = append(out, c)
		return err
	})
	return out, err
}
