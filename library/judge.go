package library

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
)

// judgedTable holds the rows of judged histories whose flags differ from what the row
// itself says. A walk is one judgement of a dataset's history under one set of rules; it
// is a partition of its own, so that an old one goes at once.
var judgedTable = houseTable{"judged", []column{{"dataset", lc}, {"walk", "UInt64"}, {"_topic_id", lc}, {"_partition", "UInt32"}, {"_offset", "UInt64"}, {"_row", "UInt16"}, {"flags", "UInt64"}},
	"ReplacingMergeTree PARTITION BY (dataset, walk) ORDER BY (dataset, walk, _topic_id, _partition, _offset, _row)"}

// judgementsTable says, per dataset and set of rules, which walk counts and how far it went.
// The row without rules says when rows last came back.
var judgementsTable = houseTable{"judgements", []column{{"dataset", lc}, {"rules", "String"}, {"version", "UInt32"}, {"walk", "UInt64"}, {"started", instant}, {"as_of", instant}, {"at", instant},
	{"rows", "Int64"}, {"differ", "Int64"}, {"topics", "Array(String)"}, {"partitions", "Array(UInt32)"}, {"through", "Array(Int64)"}},
	"ReplacingMergeTree(at) ORDER BY (dataset, rules)"}

// Judging is one judgement of a history under way.
type Judging struct {
	Judged
	// Whole says that every row is judged; else only those that are not known.
	Whole  bool
	l      *Library
	ds     *mulu.Dataset
	stored uint64
}

// BeginJudging notes what is stored now, and begins to judge the rows up to there under
// the rules of a version. Whole judges every row anew; else what an earlier walk judged
// stands, and only rows that nobody knows are left. Nothing of it counts before EndJudging:
// a walk that a crash cuts off leaves judgements that no reader sees and the next begin
// removes.
func (l *Library) BeginJudging(ctx context.Context, ds *mulu.Dataset, asOf time.Time, whole bool) (*Judging, error) {
	digest := ds.RulesDigest()
	fact, err := l.Judged(ctx, ds.Code, digest)
	if err != nil {
		return nil, fmt.Errorf("begin judging %s: %w", ds.Code, err)
	}
	if err := l.sweepJudged(ctx, ds.Code); err != nil {
		return nil, fmt.Errorf("begin judging %s: %w", ds.Code, err)
	}
	now := l.now().UTC()
	j := &Judging{l: l, ds: ds, Whole: whole, Judged: Judged{Dataset: ds.Code, Rules: digest, Version: ds.Version, Walk: uint64(now.UnixMicro()), Started: now, AsOf: asOf}}
	if fact != nil && !whole {
		j.Walk, j.AsOf, j.Rows, j.Differ = fact.Walk, fact.AsOf, fact.Rows, fact.Differ
	} else if fact != nil && j.Walk <= fact.Walk {
		j.Walk = fact.Walk + 1 // the clock stood still
	}
	err = l.each(ctx, "positions to judge", "SELECT toString(_topic_id), _partition, toInt64(max(last)) FROM mulu.manifest WHERE dataset = {ds:String} GROUP BY 1, 2 ORDER BY 1, 2",
		[]any{named("ds", string(ds.Code))}, func(r driver.Rows) error {
			var id string
			var p uint32
			var t Through
			if err := r.Scan(&id, &p, &t.Offset); err != nil {
				return err
			}
			var err error
			t.Partition = int32(p)
			t.TopicID, err = parseTopicID(id)
			j.Through = append(j.Through, t)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("begin judging %s: %w", ds.Code, err)
	}
	return j, nil
}

// Judgements are rows and their flags.
type Judgements struct {
	Topics     []string
	Partitions []uint32
	Offsets    []uint64
	Rows       []uint16
	Flags      []uint64
}

// Len is how many there are.
func (j *Judgements) Len() int { return len(j.Flags) }

// Reset empties it and keeps its memory.
func (j *Judgements) Reset() {
	j.Topics, j.Partitions, j.Offsets, j.Rows, j.Flags = j.Topics[:0], j.Partitions[:0], j.Offsets[:0], j.Rows[:0], j.Flags[:0]
}

// Store keeps judgements of the walk, at most MaxBatchRows. The same ones again replace
// themselves.
func (j *Judging) Store(ctx context.Context, list *Judgements) error {
	n := list.Len()
	if n == 0 {
		return nil
	}
	topics := array.NewDictionaryBuilder(memory.DefaultAllocator, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint8, ValueType: arrow.BinaryTypes.String}).(*array.BinaryDictionaryBuilder)
	defer topics.Release()
	for _, t := range list.Topics {
		if err := topics.AppendString(t); err != nil { // 256 identities, as many as there are epochs
			return fmt.Errorf("store judgements of %s: %w", j.Dataset, err)
		}
	}
	walks := make([]uint64, n)
	for i := range walks {
		walks[i] = j.Walk
	}
	cols := []arrow.Array{constant(string(j.Dataset), n), fixed(arrow.PrimitiveTypes.Uint64, walks), topics.NewArray(), fixed(arrow.PrimitiveTypes.Uint32, list.Partitions),
		fixed(arrow.PrimitiveTypes.Uint64, list.Offsets), fixed(arrow.PrimitiveTypes.Uint16, list.Rows), fixed(arrow.PrimitiveTypes.Uint64, list.Flags)}
	fields, names := make([]arrow.Field, len(cols)), make([]string, len(cols))
	for i, c := range judgedTable.columns {
		fields[i], names[i] = arrow.Field{Name: c.name, Type: cols[i].DataType()}, c.name
	}
	schema := arrow.NewSchema(fields, nil)
	rec := array.NewRecordBatch(schema, cols, int64(n))
	defer rec.Release()
	for _, c := range cols {
		c.Release()
	}
	f := &framed{scratch: scratches.Get().(*scratch)}
	defer f.release()
	w := ipc.NewWriter(f, ipc.WithSchema(schema))
	if err := w.Write(rec); err != nil {
		return fmt.Errorf("store judgements of %s: %w", j.Dataset, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("store judgements of %s: %w", j.Dataset, err)
	}
	body := f.reader()
	defer body.end()
	if err := j.l.db.InsertFormat(clickhouse.Context(ctx, clickhouse.WithSettings(oneBlock())), "ArrowStream", "INSERT INTO mulu.judged ("+idents(names)+")", body); err != nil {
		return fmt.Errorf("store judgements of %s: %w", j.Dataset, err)
	}
	j.stored += uint64(n)
	return nil
}

// EndJudging makes the walk count: from here on readers go by it. rows is how many it
// looked at. A walk of the same dataset under other rules no longer counts.
func (j *Judging) EndJudging(ctx context.Context, rows int64) (Judged, error) {
	f := j.Judged
	var n uint64
	err := j.l.each(ctx, "judgements", "SELECT count() FROM mulu.judged FINAL WHERE dataset = {ds:String} AND walk = {w:UInt64}", []any{named("ds", string(f.Dataset)), named("w", f.Walk)},
		func(r driver.Rows) error { return r.Scan(&n) })
	if err != nil {
		return f, fmt.Errorf("end judging %s: %w", f.Dataset, err)
	}
	if n < j.stored {
		return f, fmt.Errorf("end judging %s: %d judgements of %d are left, another process began as well: %w", f.Dataset, n, j.stored, mulu.ErrConflict)
	}
	f.Differ, f.Rows, f.At = int64(n), f.Rows+rows, j.l.now().UTC()
	facts := []Judged{f}
	others, err := j.l.otherRules(ctx, f.Dataset, f.Rules)
	if err != nil {
		return f, fmt.Errorf("end judging %s: %w", f.Dataset, err)
	}
	for _, rules := range others {
		facts = append(facts, Judged{Dataset: f.Dataset, Rules: rules, At: f.At})
	}
	if err := j.l.insertJudged(ctx, facts); err != nil {
		return f, fmt.Errorf("end judging %s: %w", f.Dataset, err)
	}
	return f, nil
}

// otherRules are the rules that a dataset has facts of beside the given ones.
func (l *Library) otherRules(ctx context.Context, code mulu.DatasetCode, rules string) (out []string, err error) {
	err = l.each(ctx, "rules that were judged by", "SELECT rules FROM mulu.judgements FINAL WHERE dataset = {ds:String} AND rules NOT IN ('', {r:String}) AND walk != 0", []any{named("ds", string(code)), named("r", rules)},
		func(r driver.Rows) error {
			var s string
			err := r.Scan(&s)
			out = append(out, s)
			return err
		})
	return out, err
}

func (l *Library) insertJudged(ctx context.Context, facts []Judged) error {
	err := l.insert(ctx, judgementsTable, len(facts), func(i int) []any {
		f := &facts[i]
		topics, partitions, through := []string{}, []uint32{}, []int64{}
		for _, t := range f.Through {
			topics, partitions, through = append(topics, t.TopicID.String()), append(partitions, uint32(t.Partition)), append(through, t.Offset)
		}
		return []any{string(f.Dataset), f.Rules, f.Version, f.Walk, instantOf(f.Started), instantOf(f.AsOf), f.At.UTC(), f.Rows, f.Differ, topics, partitions, through}
	})
	l.rulings.Clear()
	return err
}

// rowsCameBack notes that rows are seen again that no walk may have seen.
func (l *Library) rowsCameBack(ctx context.Context, code mulu.DatasetCode) error {
	return l.insertJudged(ctx, []Judged{{Dataset: code, At: l.now()}})
}

// sweepJudged removes the judgements of walks that do not count.
func (l *Library) sweepJudged(ctx context.Context, code mulu.DatasetCode) error {
	counts := map[string]bool{}
	partition := func(walk uint64) string { return "('" + string(code) + "'," + strconv.FormatUint(walk, 10) + ")" }
	err := l.each(ctx, "walks that count", "SELECT walk FROM mulu.judgements FINAL WHERE dataset = {ds:String}", []any{named("ds", string(code))}, func(r driver.Rows) error {
		var walk uint64
		err := r.Scan(&walk)
		counts[partition(walk)] = true
		return err
	})
	if err != nil {
		return err
	}
	var old []string
	err = l.each(ctx, "walks", "SELECT DISTINCT partition FROM system.parts WHERE database = 'mulu' AND table = 'judged' AND active AND startsWith(partition, {p:String})",
		[]any{named("p", "('"+string(code)+"',")}, func(r driver.Rows) error {
			var p string
			err := r.Scan(&p)
			if !counts[p] {
				old = append(old, p)
			}
			return err
		})
	for _, p := range old {
		if err == nil {
			err = l.db.Exec(ctx, "ALTER TABLE mulu.judged DROP PARTITION "+p)
		}
	}
	return err
}

// JudgingDue says why the history of a dataset is to be judged under the version in
// force: "" if all its rows are known, or will be with the next turn.
func (l *Library) JudgingDue(ctx context.Context, code mulu.DatasetCode) (why string, err error) {
	ds, err := l.applied(code)
	if err != nil {
		return "", err
	}
	s, err := l.rulingOf(ctx, ds)
	if err != nil || s.all {
		return "", err
	}
	through := map[string]int64{}
	if s.fact != nil && !s.fact.Void {
		for _, t := range s.fact.Through {
			through[t.TopicID.String()+"/"+strconv.Itoa(int(t.Partition))] = t.Offset
		}
	}
	// Rows of a withdrawn batch are gone; rows of an older version that were replaced
	// since are as well, but only a walk over the rows can tell.
	err = l.each(ctx, "batches that other rules judged", "SELECT toString(_topic_id), toInt32(_partition), toInt64(max(last)) FROM mulu.manifest FINAL WHERE dataset = {ds:String} AND rows > 0 AND version NOT IN ({same:Array(UInt32)}) AND "+standing("first")+" GROUP BY 1, 2",
		[]any{named("ds", string(code)), named("same", s.same)}, func(r driver.Rows) error {
			var id string
			var p int32
			var last int64
			err := r.Scan(&id, &p, &last)
			if done, ok := through[id+"/"+strconv.Itoa(int(p))]; !ok || done < last {
				why = "规则已变更，早先入库的行尚未按现行规则判断"
			}
			return err
		})
	return why, err
}

// StoredBefore says whether a dataset has rows that were stored before a time.
func (l *Library) StoredBefore(ctx context.Context, code mulu.DatasetCode, at time.Time) (yes bool, err error) {
	var n uint64
	err = l.each(ctx, "old batches", "SELECT count() FROM (SELECT 1 FROM mulu.manifest WHERE dataset = {ds:String} AND rows > 0 AND toUnixTimestamp64Micro(at) < {at:Int64} LIMIT 1)",
		[]any{named("ds", string(code)), named("at", at.UnixMicro())}, func(r driver.Rows) error { return r.Scan(&n) })
	return n > 0, err
}
