package library

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
	"mulu/plan"
)

// LandedIn gives the batches of a dataset that landed in [from, to), as ranges of first
// offsets: a partition's batches land in the order of its offsets. A zero time is no
// bound. Rows that were replayed belong to the batch their record came in.
func (l *Library) LandedIn(ctx context.Context, code mulu.DatasetCode, from, to time.Time) ([]plan.Range, error) {
	last := int64(math.MaxInt64)
	if !to.IsZero() {
		last = to.UnixMicro()
	}
	first := int64(math.MinInt64)
	if !from.IsZero() {
		first = from.UnixMicro()
	}
	var out []plan.Range
	// Not FINAL: a manifest stored twice names the same batch, and its earlier time stands.
	err := l.each(ctx, "landed batches", `SELECT _topic_id, _partition, minIf(first, at >= {a:Int64}), countIf(at >= {b:Int64}), minIf(first, at >= {b:Int64})
		FROM (SELECT _topic_id, _partition, first, toUnixTimestamp64Micro(min(at)) AS at FROM mulu.manifest WHERE dataset = {ds:String} GROUP BY _topic_id, _partition, first)
		GROUP BY _topic_id, _partition HAVING countIf(at >= {a:Int64}) > 0 ORDER BY _topic_id, _partition`,
		[]any{named("ds", string(code)), named("a", first), named("b", last)}, func(rows driver.Rows) error {
			var r plan.Range
			var id string
			var part uint32
			var later uint64
			if err := rows.Scan(&id, &part, &r.From, &later, &r.To); err != nil {
				return err
			}
			if later == 0 {
				r.To = math.MaxUint64
			}
			var err error
			r.Partition = int32(part)
			r.TopicID, err = parseTopicID(id)
			if r.From < r.To {
				out = append(out, r)
			}
			return err
		})
	return out, err
}

// within is the condition that a row or a fact is of a batch in one of the ranges, given
// the columns of topic, partition and first offset. It holds digits alone.
func within(in []plan.Range, topic, partition, first string) string {
	if len(in) == 0 {
		return "materialize(0)" // a constant would be no key to group by
	}
	conds := make([]string, len(in))
	for i, r := range in {
		conds[i] = fmt.Sprintf("(%s = '%s' AND %s = %d AND %s >= %d AND %s < %d)", topic, r.TopicID, partition, r.Partition, first, r.From, first, r.To)
	}
	return "(" + strings.Join(conds, " OR ") + ")"
}

// cuts are a summary's cuts as columns, and the grouping that gives every combination
// from one scan, states of uniqExact included.
func (c *compiler) cuts(cuts []plan.Cut) (cols []string, cube string) {
	var names []string
	for i, cut := range cuts {
		name := "_c" + strconv.Itoa(i)
		cols = append(cols, "toInt64(if("+within(cut.In, c.baseColumn(ColTopicID), c.baseColumn(mulu.ColPartition), c.baseColumn(mulu.ColBatch))+", 2, 1)) AS "+name)
		names = append(names, name)
	}
	if names == nil {
		return nil, ""
	}
	return cols, " GROUP BY CUBE(" + strings.Join(names, ", ") + ")"
}

// someOf holds for rows that failed one of the rules any_flag names, unless for those that
// failed none of the rules that would take them out.
func someOf(flags string, m *plan.Measure) string {
	if m.Any == 0 {
		return flags + " != 0"
	}
	return "bitAnd(" + flags + ", " + strconv.FormatUint(m.Any, 10) + ") != 0"
}

func unless(flags string, m *plan.Measure) string {
	if m.Unless == 0 {
		return ""
	}
	return " AND bitAnd(" + flags + ", " + strconv.FormatUint(m.Unless, 10) + ") = 0"
}

// Received is what came in by the batches of one part of a dataset: what manifests and
// problem rows say, with what people corrected since.
type Received struct {
	In             []bool // by cut, whether its batches are inside
	Good, Rejected int64  // records; one all of whose rejects were closed is good
	Classes        []RejectClass
}

// Received counts a dataset's records and open rejects, parted by cuts as a summary's
// rows are. Withdrawn batches count nowhere.
func (l *Library) Received(ctx context.Context, code mulu.DatasetCode, cuts []plan.Cut) ([]Received, error) {
	parts := map[string]*Received{}
	var order []string
	part := func(key string) *Received {
		if parts[key] == nil {
			r := &Received{}
			for i := range cuts {
				r.In = append(r.In, key[i] == '2')
			}
			parts[key], order = r, append(order, key)
		}
		return parts[key]
	}
	err := l.each(ctx, "records received", `SELECT `+cutKey(cuts, "first")+` AS k, sum(good), sum(rejected) FROM mulu.manifest FINAL
		WHERE dataset = {ds:String} AND `+standing("first")+` GROUP BY k ORDER BY k`, []any{named("ds", string(code))}, func(rows driver.Rows) error {
		var key string
		var good, rejected int64
		err := rows.Scan(&key, &good, &rejected)
		p := part(key)
		p.Good += good + rejected // less what is still open, below
		return err
	})
	if err != nil {
		return nil, err
	}
	err = l.each(ctx, "open rejects", `SELECT `+cutKey(cuts, "_batch")+` AS k, class, rule, field, toInt64(count()) FROM mulu.rejects FINAL
		WHERE dataset = {ds:String} AND `+rejectState+` IN ('open', 'draft') GROUP BY k, class, rule, field ORDER BY k, class, rule, field`, []any{named("ds", string(code))}, func(rows driver.Rows) error {
		var key, rule string
		c := RejectClass{Dataset: code}
		err := rows.Scan(&key, &c.Class, &rule, &c.Field, &c.Rows)
		c.Rule = mulu.RuleID(rule)
		p := part(key)
		p.Classes = append(p.Classes, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	// A record may have rejects of several classes and counts once.
	err = l.each(ctx, "records rejected", `SELECT `+cutKey(cuts, "_batch")+` AS k, toInt64(uniqExact(_topic_id, _partition, _offset)) FROM mulu.rejects FINAL
		WHERE dataset = {ds:String} AND `+rejectState+` IN ('open', 'draft') GROUP BY k`, []any{named("ds", string(code))}, func(rows driver.Rows) error {
		var key string
		var n int64
		err := rows.Scan(&key, &n)
		p := part(key)
		p.Good, p.Rejected = max(p.Good-n, 0), n
		return err
	})
	out := make([]Received, len(order))
	for i, key := range order {
		out[i] = *parts[key]
	}
	return out, err
}

// cutKey is a text of one digit per cut, as cutColumns counts them.
func cutKey(cuts []plan.Cut, first string) string {
	if len(cuts) == 0 {
		return "''"
	}
	var cols []string
	for _, c := range cuts {
		cols = append(cols, "if("+within(c.In, ColTopicID, mulu.ColPartition, first)+", '2', '1')")
	}
	return "concat(" + strings.Join(cols, ", ") + ", '')"
}

// Arrivals gives the hours in which rows of a dataset landed since a moment, and when the
// first batch ever did (zero: never). Withdrawn batches do not count.
func (l *Library) Arrivals(ctx context.Context, code mulu.DatasetCode, since time.Time) (hours []time.Time, first time.Time, err error) {
	err = l.each(ctx, "arrivals", `SELECT toStartOfHour(at) AS h, min(at) FROM mulu.manifest FINAL WHERE dataset = {ds:String} AND rows > 0 AND `+standing("first")+` GROUP BY h ORDER BY h`,
		[]any{named("ds", string(code))}, func(rows driver.Rows) error {
			var h, at time.Time
			if err := rows.Scan(&h, &at); err != nil {
				return err
			}
			if first.IsZero() {
				first = at
			}
			if !at.Before(since) {
				hours = append(hours, at)
			}
			return nil
		})
	return hours, first, err
}
