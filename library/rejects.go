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

// position orders facts: by time, then by where they stand in their source.
type position struct {
	at        int64 // Unix microseconds
	topicID   string
	partition uint32
	offset    uint64
	row       uint16 // 0 but for rejects
}

func (p position) String() string {
	return fmt.Sprintf("%d.%s.%d.%d.%d", p.at, p.topicID, p.partition, p.offset, p.row)
}

func (p position) args() []any {
	return []any{named("at", p.at), named("id", p.topicID), named("p", p.partition), named("o", p.offset), named("row", p.row)}
}

// newest is the position after everything, where lists from new to old begin.
var newest = position{at: 1 << 62}

// parseCursor reads a cursor; "" is the position before everything.
func parseCursor(s string) (p position, err error) {
	if s == "" {
		return position{at: -1 << 62}, nil
	}
	f := strings.Split(s, ".")
	if len(f) != 5 {
		return p, fmt.Errorf("cursor %q: %w", s, mulu.ErrInvalid)
	}
	at, err1 := strconv.ParseInt(f[0], 10, 64)
	_, err2 := parseTopicID(f[1])
	part, err3 := strconv.ParseUint(f[2], 10, 32)
	off, err4 := strconv.ParseUint(f[3], 10, 64)
	row, err5 := strconv.ParseUint(f[4], 10, 16)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			return p, fmt.Errorf("cursor %q: %w", s, mulu.ErrInvalid)
		}
	}
	return position{at, f[1], uint32(part), off, uint16(row)}, nil
}

// StoredReject is a reject as it is kept.
type StoredReject struct {
	mulu.Reject
	At    time.Time // when it was stored
	State string    // RejectOpen, RejectDraft, RejectClosed or RejectWithdrawn
	Mend  *Mend     // what was last tried, or what closed it; nil if nothing was
}

// RejectFilter narrows Rejects; an empty field does not.
type RejectFilter struct {
	Dataset mulu.DatasetCode
	State   string // RejectOpen holds drafts too
	Class   string
	Rule    mulu.RuleID
	Field   string
	Text    string    // in the original bytes, the key or the reason
	From    time.Time // stored in [From, To); zero is no bound
	To      time.Time
	// Where it stands in its source; nil is anywhere.
	Partition *int32
	Offset    *int64
}

// where is the conditions that narrow, with their arguments: what is not asked for
// is not read.
func (f RejectFilter) where() (string, []any) {
	conds, args := []string{"1"}, []any{}
	add := func(on bool, cond, name string, v any) {
		if on {
			conds, args = append(conds, cond), append(args, named(name, v))
		}
	}
	add(f.Dataset != "", "dataset = {ds:String}", "ds", string(f.Dataset))
	add(f.Class != "", "class = {class:String}", "class", f.Class)
	add(f.Rule != "", "rule = {rule:String}", "rule", string(f.Rule))
	add(f.Field != "", "field = {field:String}", "field", f.Field)
	add(f.Text != "", "(position(value, {text:String}) > 0 OR position(key, {text:String}) > 0 OR position(reason, {text:String}) > 0)", "text", f.Text)
	add(!f.From.IsZero(), "toUnixTimestamp64Micro(at) >= {from:Int64}", "from", f.From.UnixMicro())
	add(!f.To.IsZero(), "toUnixTimestamp64Micro(at) < {to:Int64}", "to", f.To.UnixMicro())
	if f.Partition != nil {
		add(true, "_partition = {part:UInt32}", "part", uint32(*f.Partition))
	}
	if f.Offset != nil {
		add(true, "_offset = {off:UInt64}", "off", uint64(*f.Offset))
	}
	add(f.State != "", "("+rejectState+" = {state:String} OR {state:String} = 'open' AND "+rejectState+" = 'draft')", "state", f.State)
	return strings.Join(conds, " AND "), args
}

var rejectColumns = `dataset, _topic, _topic_id, _partition, _offset, _row, _batch, _last, class, rule, field, reason, key, value, time, at, rest, ` + rejectState + ` AS state`

// Rejects gives at most limit rejects, newest first, after the cursor ("" starts at
// the newest), and the cursor of the next page, "" if there is none.
func (l *Library) Rejects(ctx context.Context, f RejectFilter, cursor string, limit int) ([]StoredReject, string, error) {
	pos, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	if cursor == "" {
		pos = newest
	}
	where, args := f.where()
	var out []StoredReject
	err = l.each(ctx, "rejects", `SELECT `+rejectColumns+` FROM mulu.rejects FINAL WHERE `+where+`
		AND (toUnixTimestamp64Micro(at), _topic_id, _partition, _offset, _row) < ({at:Int64}, {id:String}, {p:UInt32}, {o:UInt64}, {row:UInt16})
		ORDER BY at DESC, _topic_id DESC, _partition DESC, _offset DESC, _row DESC LIMIT {n:UInt32}`, append(append(args, pos.args()...), named("n", uint32(limit+1))), func(rows driver.Rows) error {
		r, err := scanReject(rows)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(out) > limit {
		out = out[:limit]
		r := out[limit-1]
		next = position{r.At.UnixMicro(), r.Batch.TopicID.String(), uint32(r.Batch.Partition), uint64(r.Offset), uint16(r.Row)}.String()
	}
	return out, next, l.addMends(ctx, out)
}

// RejectsAt gives the rejects of a dataset that stand at the given positions, in no
// order; a position without one is left out.
func (l *Library) RejectsAt(ctx context.Context, dataset mulu.DatasetCode, at []mulu.RowID) ([]StoredReject, error) {
	if len(at) == 0 {
		return nil, nil
	}
	var out []StoredReject
	err := l.each(ctx, "rejects", `SELECT `+rejectColumns+` FROM mulu.rejects FINAL PREWHERE dataset = {ds:String} AND `+stands(at),
		[]any{named("ds", string(dataset))}, func(rows driver.Rows) error {
			r, err := scanReject(rows)
			out = append(out, r)
			return err
		})
	if err != nil {
		return nil, err
	}
	return out, l.addMends(ctx, out)
}

func scanReject(rows driver.Rows) (r StoredReject, err error) {
	var dataset, id, rule, key, value string
	var partition uint32
	var row uint16
	var rest uint8
	var offset, first, last uint64
	if err = rows.Scan(&dataset, &r.Batch.Topic, &id, &partition, &offset, &row, &first, &last, &r.Class, &rule, &r.Field, &r.Reason, &key, &value, &r.Time, &r.At, &rest, &r.State); err != nil {
		return r, err
	}
	r.Dataset, r.Rule, r.Key, r.Value = mulu.DatasetCode(dataset), mulu.RuleID(rule), []byte(key), []byte(value)
	r.Row, r.Rest = int32(row), rest == 1
	if r.Time.Unix() == 0 {
		r.Time = time.Time{}
	}
	r.Batch.Partition, r.Offset, r.Batch.First, r.Batch.Last = int32(partition), int64(offset), int64(first), int64(last)
	r.Batch.TopicID, err = parseTopicID(id)
	return r, err
}

// RejectClass counts the rejects that share dataset, class, rule and field.
type RejectClass struct {
	Dataset mulu.DatasetCode
	Class   string
	Rule    mulu.RuleID
	Field   string
	Rows    int64
	Last    time.Time
}

// RejectClasses counts rejects by class, most first.
func (l *Library) RejectClasses(ctx context.Context, f RejectFilter) ([]RejectClass, error) {
	var out []RejectClass
	where, args := f.where()
	err := l.each(ctx, "reject classes", `SELECT dataset, class, rule, field, toInt64(count()), max(at) FROM mulu.rejects FINAL WHERE `+where+`
		GROUP BY dataset, class, rule, field ORDER BY count() DESC, dataset, class, rule, field`, args, func(rows driver.Rows) error {
		var c RejectClass
		var dataset, rule string
		err := rows.Scan(&dataset, &c.Class, &rule, &c.Field, &c.Rows, &c.Last)
		c.Dataset, c.Rule = mulu.DatasetCode(dataset), mulu.RuleID(rule)
		out = append(out, c)
		return err
	})
	return out, err
}

// CursorAt is a cursor for Manifests that starts at a moment.
func CursorAt(t time.Time) string {
	return position{at: t.UnixMicro(), topicID: mulu.TopicID{}.String()}.String()
}

// RejectedIn counts the records among offsets [first, last] of a partition that have a
// reject, mended or not.
func (l *Library) RejectedIn(ctx context.Context, topic mulu.TopicID, partition int32, first, last int64) (n int64, err error) {
	err = l.each(ctx, "rejects", `SELECT toInt64(uniqExact(_offset)) FROM mulu.rejects
		WHERE _topic_id = {id:String} AND _partition = {p:UInt32} AND _offset BETWEEN {a:UInt64} AND {b:UInt64}`,
		[]any{named("id", topic.String()), named("p", uint32(partition)), named("a", uint64(first)), named("b", uint64(last))}, func(rows driver.Rows) error {
			return rows.Scan(&n)
		})
	return n, err
}
