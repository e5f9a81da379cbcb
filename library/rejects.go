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
}

func (p position) String() string {
	return fmt.Sprintf("%d.%s.%d.%d", p.at, p.topicID, p.partition, p.offset)
}

func (p position) args() []any {
	return []any{named("at", p.at), named("id", p.topicID), named("p", p.partition), named("o", p.offset)}
}

// parseCursor reads a cursor; "" is the position before everything.
func parseCursor(s string) (p position, err error) {
	if s == "" {
		return position{at: -1 << 62}, nil
	}
	f := strings.Split(s, ".")
	if len(f) != 4 {
		return p, fmt.Errorf("cursor %q: %w", s, mulu.ErrInvalid)
	}
	at, err1 := strconv.ParseInt(f[0], 10, 64)
	_, err2 := parseTopicID(f[1])
	part, err3 := strconv.ParseUint(f[2], 10, 32)
	off, err4 := strconv.ParseUint(f[3], 10, 64)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return p, fmt.Errorf("cursor %q: %w", s, mulu.ErrInvalid)
		}
	}
	return position{at, f[1], uint32(part), off}, nil
}

// StoredReject is a reject as it is kept.
type StoredReject struct {
	mulu.Reject
	At time.Time // when it was stored
}

// RejectFilter narrows Rejects; an empty field does not.
type RejectFilter struct {
	Dataset mulu.DatasetCode
	Class   string
	Rule    mulu.RuleID
	Field   string
}

func (f RejectFilter) args() []any {
	return []any{named("ds", string(f.Dataset)), named("class", f.Class), named("rule", string(f.Rule)), named("field", f.Field)}
}

const rejectColumns = `dataset, _topic, _topic_id, _partition, _offset, _row, _batch, _last, class, rule, field, reason, key, value, at`

const rejectFilter = `({ds:String} = '' OR dataset = {ds:String}) AND ({class:String} = '' OR class = {class:String})
	AND ({rule:String} = '' OR rule = {rule:String}) AND ({field:String} = '' OR field = {field:String})`

// Rejects gives at most limit rejects, newest first, after the cursor ("" starts at
// the newest), and the cursor of the next page, "" if there is none.
func (l *Library) Rejects(ctx context.Context, f RejectFilter, cursor string, limit int) ([]StoredReject, string, error) {
	pos, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	if cursor == "" {
		pos.at = 1 << 62
	}
	var out []StoredReject
	err = l.each(ctx, "rejects", `SELECT `+rejectColumns+` FROM mulu.rejects FINAL WHERE `+rejectFilter+`
		AND (toUnixTimestamp64Micro(at), _topic_id, _partition, _offset) < ({at:Int64}, {id:String}, {p:UInt32}, {o:UInt64})
		ORDER BY at DESC, _topic_id DESC, _partition DESC, _offset DESC LIMIT {n:UInt32}`, append(append(f.args(), pos.args()...), named("n", uint32(limit+1))), func(rows driver.Rows) error {
		r, err := scanReject(rows)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(out) <= limit {
		return out, "", nil
	}
	out = out[:limit]
	r := out[limit-1]
	return out, position{r.At.UnixMicro(), r.Batch.TopicID.String(), uint32(r.Batch.Partition), uint64(r.Offset)}.String(), nil
}

// Reject gives one reject by its source position, or mulu.ErrNotFound.
func (l *Library) Reject(ctx context.Context, dataset mulu.DatasetCode, topic mulu.TopicID, partition int32, offset int64) (StoredReject, error) {
	var out []StoredReject
	err := l.each(ctx, "reject", `SELECT `+rejectColumns+` FROM mulu.rejects FINAL
		PREWHERE dataset = {ds:String} AND _topic_id = {id:String} AND _partition = {p:UInt32} AND _offset = {o:UInt64}`,
		[]any{named("ds", string(dataset)), named("id", topic.String()), named("p", uint32(partition)), named("o", uint64(offset))}, func(rows driver.Rows) error {
			r, err := scanReject(rows)
			out = append(out, r)
			return err
		})
	if err != nil {
		return StoredReject{}, err
	}
	if len(out) == 0 {
		return StoredReject{}, fmt.Errorf("reject %s/%d/%d of %s: %w", topic, partition, offset, dataset, mulu.ErrNotFound)
	}
	return out[0], nil
}

func scanReject(rows driver.Rows) (r StoredReject, err error) {
	var dataset, id, rule, key, value string
	var partition uint32
	var row uint16
	var offset, first, last uint64
	if err = rows.Scan(&dataset, &r.Batch.Topic, &id, &partition, &offset, &row, &first, &last, &r.Class, &rule, &r.Field, &r.Reason, &key, &value, &r.At); err != nil {
		return r, err
	}
	r.Dataset, r.Rule, r.Key, r.Value = mulu.DatasetCode(dataset), mulu.RuleID(rule), []byte(key), []byte(value)
	r.Row = int32(row)
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
	err := l.each(ctx, "reject classes", `SELECT dataset, class, rule, field, toInt64(count()), max(at) FROM mulu.rejects FINAL WHERE `+rejectFilter+`
		GROUP BY dataset, class, rule, field ORDER BY count() DESC, dataset, class, rule, field`, f.args(), func(rows driver.Rows) error {
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
