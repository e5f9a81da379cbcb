package library

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// A row's own _flags are what the rules of its _ruleset said on the day it came. What
// counts are its effective flags: those of the rules of the version in force, and of
// the day that history was judged last. This file is the only place that says what
// they are:
//
//   - the judgement of the row, if judged has one (judgements.go);
//   - else its own flags, if the rules of its version equal those in force, or if
//     history was judged through its position: judged holds only what differs;
//   - else nobody knows yet: the row is not evaluated, never in order.
//
// A judgement names the row's position in its source. A newer version of the row has
// another position, and so leaves the judgement behind by itself.

// ruling is how a dataset's rows are to be read under the version in force.
type ruling struct {
	same []uint32 // versions whose row rules equal those in force
	all  bool     // there are no other versions: every row's own flags are known
	fact *Judged  // nil if history was never judged under these rules
	at   time.Time
}

// rulingFor is how long a ruling is believed: another process may judge, too.
const rulingFor = 5 * time.Second

// rulingOf tells how the rows of a dataset are to be read now.
func (l *Library) rulingOf(ctx context.Context, ds *mulu.Dataset) (*ruling, error) {
	digest := ds.RulesDigest()
	key := string(ds.Code) + "\x00" + digest
	now := l.now()
	same, all := l.equalRules(ds.Code, digest)
	if s, ok := l.rulings.Load(key); ok && now.Sub(s.(*ruling).at) < rulingFor && all == s.(*ruling).all && slices.Equal(same, s.(*ruling).same) {
		return s.(*ruling), nil
	}
	s := &ruling{same: same, all: all, at: now}
	fact, err := l.Judged(ctx, ds.Code, digest)
	if err != nil {
		return nil, err
	}
	s.fact = fact
	l.rulings.Store(key, s)
	return s, nil
}

// equalRules are the applied versions whose row rules have a digest, and whether those
// are all.
func (l *Library) equalRules(code mulu.DatasetCode, digest string) (same []uint32, all bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for v, ds := range l.versions[code] {
		if ds.RulesDigest() == digest {
			same = append(same, v)
		}
	}
	slices.Sort(same)
	return same, len(same) == len(l.versions[code])
}

// know makes the compiler able to say flags and judged of a dataset.
func (l *Library) know(ctx context.Context, c *compiler, ds *mulu.Dataset) error {
	s, err := l.rulingOf(ctx, ds)
	if err != nil {
		return fmt.Errorf("how rows of %s were judged: %w", ds.Code, err)
	}
	c.ruling = s
	return nil
}

// base is the dataset that the view reads.
func (c *compiler) base() *mulu.Dataset { return c.datasets(c.view.Base) }

// flags is the effective flags of a row of the base: a UInt64 expression whose bit i is
// row rule i of the version in force. A row that is not judged has none: ask judged.
func (c *compiler) flags(ds *mulu.Dataset) string {
	own := c.baseColumn(mulu.ColFlags)
	if c.joinJudged(ds) {
		own = "ifNull(if(" + hit + ", _judged._jf, " + own + "), " + own + ")"
	}
	if known := c.judged(ds); known != "1" {
		return "if(" + known + ", " + own + ", toUInt64(0))"
	}
	return own
}

// judged holds for a row of the base whose effective flags are known; "1" is every row.
func (c *compiler) judged(ds *mulu.Dataset) string {
	s := c.ruling
	if s == nil {
		c.err = fmt.Errorf("flags of %s are asked for and nobody loaded how its rows were judged (know): %w", ds.Code, mulu.ErrInvalid)
		return "0"
	}
	if s.all {
		return "1"
	}
	known := c.settled(ds)
	if c.joinJudged(ds) {
		known += " OR " + hit
	}
	return "(" + known + ")"
}

// settled holds for rows that are known without a judgement of their own.
func (c *compiler) settled(ds *mulu.Dataset) string {
	versions := make([]string, len(c.ruling.same))
	for i, v := range c.ruling.same {
		versions[i] = strconv.FormatUint(uint64(v), 10)
	}
	known := c.baseColumn(mulu.ColRuleset) + " IN (" + strings.Join(versions, ", ") + ")"
	if through := c.through(c.ruling.fact); through != "" {
		known += " OR " + through
	}
	return known
}

// through holds for rows that a judgement of history went over. One that was mended and
// replayed has an old position and came later: it counts only if it is named.
func (c *compiler) through(f *Judged) string {
	if f == nil || f.Void || len(f.Through) == 0 {
		return ""
	}
	topics := map[mulu.TopicID][2][]string{}
	for _, t := range f.Through {
		lists := topics[t.TopicID]
		lists[0] = append(lists[0], strconv.Itoa(int(t.Partition)))
		lists[1] = append(lists[1], strconv.FormatInt(t.Offset, 10))
		topics[t.TopicID] = lists
	}
	var any []string
	for id, lists := range topics { // hex digits and numbers
		any = append(any, c.baseColumn(ColTopicID)+" = '"+id.String()+"' AND "+c.baseColumn(mulu.ColOffset)+" <= transform("+c.baseColumn(mulu.ColPartition)+
			", CAST(["+strings.Join(lists[0], ", ")+"] AS Array(UInt32)), CAST(["+strings.Join(lists[1], ", ")+"] AS Array(Int64)), toInt64(-1))")
	}
	slices.Sort(any)
	return c.baseColumn(mulu.ColOrigin) + " != " + strconv.Itoa(int(mulu.OriginReplay)) + " AND (" + strings.Join(any, " OR ") + ")"
}

// hit says that the joined row is there, whether or not joins fill with null.
const hit = "ifNull(_judged._jh, 0) = 1"

// joinJudged puts the judgements beside the base if there is any, and says whether it
// did. A dataset of which no row differs pays for no join.
func (c *compiler) joinJudged(ds *mulu.Dataset) bool {
	if c.ruling == nil || c.ruling.fact == nil || c.ruling.fact.Differ == 0 {
		return false
	}
	on := make([]string, len(judgedKey))
	sel := make([]string, len(judgedKey))
	for i, k := range judgedKey {
		sel[i] = ident(k) + " AS _jk" + strconv.Itoa(i)
		on[i] = c.baseColumn(k) + " = _judged._jk" + strconv.Itoa(i)
	}
	c.beside = " LEFT ANY JOIN (SELECT " + strings.Join(sel, ", ") + ", flags AS _jf, 1 AS _jh FROM mulu.judged FINAL WHERE dataset = '" + string(ds.Code) +
		"' AND walk = " + strconv.FormatUint(c.ruling.fact.Walk, 10) + ") AS _judged ON " + strings.Join(on, " AND ")
	return true
}

// judgedKey is where a row stands in its source.
var judgedKey = []string{ColTopicID, mulu.ColPartition, mulu.ColOffset, mulu.ColRow}

// Judged says how far a dataset's history was judged under one set of rules.
type Judged struct {
	Dataset mulu.DatasetCode
	Rules   string // mulu.Dataset.RulesDigest
	Version uint32 // whose rules they were
	Walk    uint64 // names the judgements
	Started time.Time
	AsOf    time.Time // the day that "today" meant
	At      time.Time // when it ended
	Rows    int64     // it looked at
	Differ  int64     // judgements it has
	Through []Through
	// Void says that rows came back since (a withdrawal): what is not named in a
	// judgement has to be judged again.
	Void bool
}

// Through is the last position of one partition that was judged.
type Through struct {
	TopicID   mulu.TopicID
	Partition int32
	Offset    int64
}

// Judged gives how far a dataset was judged under rules with a digest, nil if never.
func (l *Library) Judged(ctx context.Context, code mulu.DatasetCode, digest string) (fact *Judged, err error) {
	var void time.Time
	err = l.each(ctx, "how far "+string(code)+" was judged", `SELECT rules, version, walk, started, as_of, at, rows, differ, topics, partitions, through FROM mulu.judgements FINAL
		WHERE dataset = {ds:String} AND rules IN ('', {r:String})`, []any{named("ds", string(code)), named("r", digest)}, func(r driver.Rows) error {
		f := Judged{Dataset: code}
		var topics []string
		var partitions []uint32
		var through []int64
		if err := r.Scan(&f.Rules, &f.Version, &f.Walk, &f.Started, &f.AsOf, &f.At, &f.Rows, &f.Differ, &topics, &partitions, &through); err != nil {
			return err
		}
		if f.Rules == "" {
			void = f.At
			return nil
		}
		if f.Walk == 0 {
			return nil // forgotten
		}
		for i := range topics {
			id, err := parseTopicID(topics[i])
			if err != nil {
				return err
			}
			f.Through = append(f.Through, Through{id, int32(partitions[i]), through[i]})
		}
		fact = &f
		return nil
	})
	if fact != nil {
		fact.Void = !void.IsZero() && !fact.Started.After(void)
	}
	return fact, err
}
