package library

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// All SQL of reconciliation (对账) stands in this file. It counts from the rows
// themselves. Rows with origin replay are a mended reject's, and stand for the reject
// at their position whatever has become of it.

// Landed is what the tables hold of one range of one partition.
type Landed struct {
	Rows          int64  // rows of the history that came from the topic; 0 without history
	Content       string // digest of those rows, see contentDigest
	Rejected      int64  // records with a reject
	RejectContent uint64 // of the rejects, see RejectMark
	Records       int64  // records that left a row or a reject; only rejects without history
}

// Place is a row's position inside its partition.
type Place struct {
	Offset int64
	Row    int32
}

// inRange is the condition on every table that a range is read from.
const inRange = "_topic_id = {id:String} AND _partition = {p:UInt32} AND _offset BETWEEN {a:UInt64} AND {b:UInt64}"

func rangeArgs(id mulu.BatchID) []any {
	return []any{named("id", id.TopicID.String()), named("p", uint32(id.Partition)), named("a", uint64(id.First)), named("b", uint64(id.Last))}
}

// patient are the settings of reconciliation's statements: one thread, so that the
// way in and the sharing desk keep the engine.
func patient(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_threads": 1, "join_use_nulls": 0, "mutations_sync": 1}))
}

// compared are the columns of a version whose content is compared: what came from
// the source, how it was judged, and where it stands. Not the batch that a row was
// stored with nor the wall time: neither is in the source.
func compared(ds *mulu.Dataset) []column {
	var out []column
	for _, c := range columnsOf(ds) {
		switch c.name {
		case mulu.ColTopic, ColTopicID, mulu.ColPartition, mulu.ColBatch, mulu.ColOrigin:
		default:
			out = append(out, c)
		}
	}
	return out
}

// hashable makes a column an expression that is never null and tells null from "".
func hashable(c column) string {
	if strings.HasPrefix(c.typ, "Nullable(") {
		return "isNull(" + ident(c.name) + "), ifNull(toString(" + ident(c.name) + "), '')"
	}
	return ident(c.name)
}

// rowHash is one row's content as a UInt64.
func rowHash(cols []column) string {
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = hashable(c)
	}
	return "cityHash64(" + strings.Join(parts, ", ") + ")"
}

// contentDigest is computed by the engine, alike on both sides: it does not depend on
// the order of rows. It finds what went wrong; it does not withstand somebody who
// looks for another row with the same hash, which the manifest's SHA-256 over the
// source bytes does.
func contentDigest(cols []column) string {
	h := rowHash(cols)
	return "toInt64(count()), concat('city64:', lower(leftPad(hex(groupBitXor(" + h + ")), 16, '0')), lower(leftPad(hex(sum(" + h + ")), 16, '0')))"
}

func tableOf(ds *mulu.Dataset) string { return ident(ds.Library) + "." + ident(string(ds.Code)) }
func historyOf(ds *mulu.Dataset) string {
	return ident(ds.Library) + "." + ident(string(ds.Code)+"_history")
}

// Landed counts the rows and rejects of a range, under the version it was planned for.
func (l *Library) Landed(ctx context.Context, p mulu.Plan) (Landed, error) {
	ds, err := l.planned(p)
	if err != nil {
		return Landed{}, fmt.Errorf("count what landed of %s: %w", p.BatchID, err)
	}
	ctx = patient(ctx)
	var out Landed
	args := append(rangeArgs(p.BatchID), named("d", string(ds.Code)))
	// The bytes of a reject are compared by their SHA-256, which Go computes as well.
	const rejects = "SELECT toInt64(uniqExact(_offset)), groupBitXor(" + rejectMark + ") FROM mulu.rejects FINAL WHERE dataset = {d:String} AND " + inRange
	if err := l.each(ctx, "rejects to reconcile", rejects, args, func(r driver.Rows) error { return r.Scan(&out.Rejected, &out.RejectContent) }); err != nil {
		return Landed{}, err
	}
	if !ds.History {
		out.Records = out.Rejected
		return out, nil
	}
	rows := "SELECT " + contentDigest(compared(ds)) + " FROM " + historyOf(ds) + " FINAL WHERE " + inRange + " AND _origin = 0"
	if err := l.each(ctx, "rows to reconcile", rows, args, func(r driver.Rows) error { return r.Scan(&out.Rows, &out.Content) }); err != nil {
		return Landed{}, err
	}
	records := "SELECT toInt64(uniqExact(_offset)) FROM (SELECT _offset FROM " + historyOf(ds) + " WHERE " + inRange +
		" UNION ALL SELECT _offset FROM mulu.rejects WHERE dataset = {d:String} AND " + inRange + ")"
	err = l.each(ctx, "records to reconcile", records, args, func(r driver.Rows) error { return r.Scan(&out.Records) })
	return out, err
}

// rejectMark is RejectMark in the engine.
const rejectMark = "reinterpretAsUInt64(substring(SHA256(concat(toString(_offset), '/', toString(_row), '/', toString(length(key)), '/', key, value)), 1, 8))"

// RejectMark is the content of one reject as a number: its position, key and value.
func RejectMark(r *mulu.Reject) uint64 {
	h := sha256.New()
	fmt.Fprintf(h, "%d/%d/%d/", r.Offset, r.Row, len(r.Key))
	h.Write(r.Key)
	h.Write(r.Value)
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// RejectMarks gives the content of every reject of a range, and the positions whose
// reject was mended and stored.
func (l *Library) RejectMarks(ctx context.Context, p mulu.Plan) (marks map[Place]uint64, mended map[Place]bool, err error) {
	ds, err := l.planned(p)
	if err != nil {
		return nil, nil, fmt.Errorf("list rejects of %s: %w", p.BatchID, err)
	}
	ctx = patient(ctx)
	marks, mended = map[Place]uint64{}, map[Place]bool{}
	args := append(rangeArgs(p.BatchID), named("d", string(ds.Code)))
	err = l.each(ctx, "rejects to reconcile", "SELECT toInt64(_offset), toInt32(_row), "+rejectMark+" FROM mulu.rejects FINAL WHERE dataset = {d:String} AND "+inRange, args, func(r driver.Rows) error {
		var at Place
		var mark uint64
		err := r.Scan(&at.Offset, &at.Row, &mark)
		marks[at] = mark
		return err
	})
	if err != nil || !ds.History {
		return marks, mended, err
	}
	err = l.each(ctx, "mended rows", "SELECT toInt64(_offset), toInt32(_row) FROM "+historyOf(ds)+" FINAL WHERE "+inRange+" AND _origin != 0", args, func(r driver.Rows) error {
		var at Place
		err := r.Scan(&at.Offset, &at.Row)
		mended[at] = true
		return err
	})
	return marks, mended, err
}

// Expected is what a range decoded again should have left in the history, in a table
// of its own until Close.
type Expected struct {
	Rows    int64
	Content string
	l       *Library
	ds      *mulu.Dataset
	of      string // condition on the rows of the history that it is compared with
	table   string
}

// scratchPrefix begins the names of tables that live for one comparison.
const scratchPrefix = "reconcile_"

// Expect puts the rows of a range that was decoded again into a table in memory, by
// the same framing as StoreData or StoreReplay, and digests them there. b.Firsts says
// which batch each row came in. A crash leaves an empty table, which SweepExpected
// drops.
func (l *Library) Expect(ctx context.Context, b Batch) (*Expected, error) {
	ds, err := l.planned(b.Plan)
	if err != nil {
		return nil, fmt.Errorf("expect %s: %w", b.Plan.BatchID, err)
	}
	if err := checkBatch(ds, b); err != nil {
		return nil, fmt.Errorf("expect %s: %w", b.Plan.BatchID, err)
	}
	epoch, err := l.knownEpoch(ctx, ds.Code, b.Plan.TopicID)
	if err != nil {
		return nil, fmt.Errorf("expect %s: %w", b.Plan.BatchID, err)
	}
	since := b.Firsts
	if b.Origin == mulu.OriginReplay {
		since = b.Offsets
	}
	if err := l.raiseEach(ctx, &b, since); err != nil {
		return nil, fmt.Errorf("expect %s: %w", b.Plan.BatchID, err)
	}
	data, err := frame(ds, b, epoch)
	if err != nil {
		return nil, fmt.Errorf("frame %s: %w", b.Plan.BatchID, err)
	}
	defer data.release()
	var random [8]byte
	rand.Read(random[:]) //nolint:errcheck // never fails
	e := &Expected{l: l, ds: ds, of: "_origin = 0", table: "mulu." + ident(scratchPrefix+hex.EncodeToString(random[:]))}
	if err := l.db.Exec(ctx, "CREATE TABLE "+e.table+" ("+columnList(ds)+") ENGINE=Memory"); err != nil {
		return nil, fmt.Errorf("expect %s: %w", b.Plan.BatchID, err)
	}
	if err := l.insertFrame(ctx, e.table, ds, data); err != nil {
		e.Close()
		return nil, fmt.Errorf("expect %s: %w", b.Plan.BatchID, err)
	}
	if b.Origin == mulu.OriginReplay {
		// The other rows of these records came from the topic, or are another mend's.
		e.of = "_origin != 0 AND (_offset, _row) IN (SELECT _offset, _row FROM " + e.table + ")"
	}
	err = l.each(patient(ctx), "expected rows", "SELECT "+contentDigest(compared(ds))+" FROM "+e.table, nil, func(r driver.Rows) error { return r.Scan(&e.Rows, &e.Content) })
	if err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Close drops the table.
func (e *Expected) Close() {
	// Not the caller's context: it may have ended, and the table would stay.
	if err := e.l.db.Exec(context.Background(), "DROP TABLE IF EXISTS "+e.table+" SYNC"); err != nil {
		e.l.log.Warn("drop table of a reconciliation; it is dropped a day later", "table", e.table, "error", err)
	}
}

// SweepExpected drops the tables that crashed reconciliations left a day ago.
func (l *Library) SweepExpected(ctx context.Context) error {
	var left []string
	err := l.each(ctx, "tables left behind", "SELECT name FROM system.tables WHERE database = 'mulu' AND startsWith(name, {p:String}) AND metadata_modification_time < now() - INTERVAL 1 DAY",
		[]any{named("p", scratchPrefix)}, func(r driver.Rows) error {
			var name string
			err := r.Scan(&name)
			left = append(left, name)
			return err
		})
	for _, name := range left {
		if err == nil {
			err = l.db.Exec(ctx, "DROP TABLE IF EXISTS mulu."+ident(name)+" SYNC")
		}
	}
	if err != nil {
		return fmt.Errorf("sweep tables of reconciliations: %w", err)
	}
	return nil
}

// RowFault is a row that is not the same on both sides.
type RowFault struct {
	Place
	Kind   string   // RowMissing, RowExtra or RowAltered
	Fields []string // of an altered row, the columns that differ
}

// Kinds of RowFault, seen from the source.
const (
	RowMissing = "row_missing" // in the source, not in the history
	RowExtra   = "row_extra"   // in the history, not in the source
	RowAltered = "row_altered"
)

// Faults compares the expected rows with the history's of their range, row by row,
// and gives the first limit faults by position and how many there are.
func (e *Expected) Faults(ctx context.Context, id mulu.BatchID, limit int) ([]RowFault, int64, error) {
	cols := compared(e.ds)
	each, quoted := make([]string, len(cols)), make([]string, len(cols))
	for i, c := range cols {
		each[i], quoted[i] = rowHash([]column{c}), "'"+strings.ReplaceAll(c.name, "'", "''")+"'"
	}
	side := "SELECT _offset, _row, [" + strings.Join(each, ", ") + "] AS hashes, 1 AS there FROM "
	sql := `SELECT toInt64(_offset), toInt32(_row), multiIf(l.there = 0, '` + RowMissing + `', e.there = 0, '` + RowExtra + `', '` + RowAltered + `'),
		arrayFilter((n, a, b) -> a != b, [` + strings.Join(quoted, ", ") + `], if(e.there = 1, e.hashes, l.hashes), if(l.there = 1, l.hashes, e.hashes)), toInt64(count() OVER ())
		FROM (` + side + e.table + `) AS e FULL JOIN (` + side + historyOf(e.ds) + ` FINAL WHERE ` + inRange + ` AND ` + e.of + `) AS l USING (_offset, _row)
		WHERE e.there = 0 OR l.there = 0 OR e.hashes != l.hashes ORDER BY 1, 2 LIMIT ` + strconv.Itoa(limit)
	var out []RowFault
	var total int64
	err := e.l.each(patient(ctx), "rows that differ", sql, rangeArgs(id), func(r driver.Rows) error {
		var f RowFault
		err := r.Scan(&f.Offset, &f.Row, &f.Kind, &f.Fields, &total)
		out = append(out, f)
		return err
	})
	return out, total, err
}

// Stale finds the keys that a range changed and that readers do not see as new as the
// history has them: missing from the current table, or older there. Rows of withdrawn
// batches and those below a floor count for nothing: what was before them must be seen
// again. It gives the position of the newest change in the range of the first limit
// keys, and how many there are.
func (l *Library) Stale(ctx context.Context, code mulu.DatasetCode, id mulu.BatchID, limit int) ([]Place, int64, error) {
	ds, err := l.applied(code)
	if err != nil || !ds.History {
		return nil, 0, err
	}
	withdrawn, err := l.WithdrawnIn(ctx, code, id)
	if err != nil {
		return nil, 0, err
	}
	keys, history := idents(ds.Key), historyOf(ds)
	const newest = "(_version, _offset, _row)"
	stands := standingRow(code)
	floor := ""
	if cond := above(ds, ""); cond != "" {
		floor = " AND " + cond
	}
	rows := inRange
	if len(withdrawn) > 0 {
		rows = "(" + inRange + " OR (" + keys + ") IN (SELECT " + keys + " FROM " + history + " WHERE " + inRange + " AND NOT " + stands + ") AND " + completeRow(code) + ")"
	}
	h := "(SELECT " + keys + ", maxIf(_version, counts) AS v, argMaxIf((_offset, _row), " + newest + ", here) AS place, argMaxIf(_deleted, " + newest + ", counts) AS gone FROM (" +
		"SELECT " + keys + ", _version, _offset, _row, _deleted, " + stands + floor + " AS counts, " + inRange + " AS here FROM " + history + " FINAL WHERE " + rows + ") GROUP BY " + keys + " HAVING countIf(counts) > 0)"
	c := "(SELECT " + keys + ", _version AS cv, 1 AS found FROM " + tableOf(ds) + " FINAL WHERE (" + keys + ") IN (SELECT " + keys + " FROM " + history + " WHERE " + inRange + ")" + floor + ")"
	stale := "(SELECT " + keys + ", place, found FROM " + h + " AS h LEFT JOIN " + c + " AS c USING (" + keys + ") WHERE found = 0 AND gone = 0 OR found = 1 AND cv < v)"
	ctx = patient(ctx)
	var n int64
	if err := l.each(ctx, "rows out of date", "SELECT toInt64(count()) FROM "+stale, rangeArgs(id), func(r driver.Rows) error { return r.Scan(&n) }); err != nil || n == 0 {
		return nil, 0, err
	}
	// A key that is not seen because its newest change, in the range or after it, deletes
	// it is as it should be. One whose newest change was withdrawn for good may be seen
	// with any older version, or with none.
	lost := withdrawnForGood(code)
	over := "(SELECT " + keys + ", argMax(_deleted, " + newest + ") AS deleted, argMax(" + lost + ", " + newest + ") AS lost FROM " + history + " FINAL WHERE (" + keys + ") IN (SELECT " + keys + " FROM " + stale + ") AND (" + stands + floor + " OR " + lost + ") GROUP BY " + keys + ")"
	return l.places(ctx, "SELECT toInt64(place.1), toInt32(place.2), toInt64(count() OVER ()) FROM "+stale+" AS s INNER JOIN "+over+" AS o USING ("+keys+") WHERE o.lost = 0 AND (o.deleted = 0 OR found = 1) ORDER BY 1, 2 LIMIT "+strconv.Itoa(limit), rangeArgs(id))
}

// Strays finds rows of the current table, replaced ones included, whose position is in
// the range and that the history does not hold with the same content, or holds as
// withdrawn: nobody read them from the topic, or they were taken back. It gives the first limit of them and how many there are.
func (l *Library) Strays(ctx context.Context, code mulu.DatasetCode, id mulu.BatchID, limit int) ([]Place, int64, error) {
	ds, err := l.applied(code)
	if err != nil || !ds.History {
		return nil, 0, err
	}
	side := func(back, table string) string {
		return "SELECT _offset, _row, " + rowHash(compared(ds)) + " AS content, 1 AS found, " + back + " AS back FROM " + table
	}
	return l.places(patient(ctx), "SELECT toInt64(_offset), toInt32(_row), toInt64(count() OVER ()) FROM ("+side("NOT "+standingRow(code), tableOf(ds))+" WHERE "+inRange+") AS c LEFT JOIN ("+side("0", historyOf(ds))+" FINAL WHERE "+inRange+
		") AS h USING (_offset, _row) WHERE h.found = 0 OR c.content != h.content OR c.back ORDER BY 1, 2 LIMIT "+strconv.Itoa(limit), rangeArgs(id))
}

func (l *Library) places(ctx context.Context, sql string, args []any) (out []Place, total int64, err error) {
	err = l.each(ctx, "rows that readers see", sql, args, func(r driver.Rows) error {
		var at Place
		err := r.Scan(&at.Offset, &at.Row, &total)
		out = append(out, at)
		return err
	})
	return out, total, err
}

// WithdrawnIn gives the withdrawn batches that begin in a range, in order.
func (l *Library) WithdrawnIn(ctx context.Context, code mulu.DatasetCode, id mulu.BatchID) (out []mulu.BatchID, err error) {
	err = l.each(ctx, "withdrawn batches", "SELECT toInt64(first), toInt64(last) FROM mulu.withdrawn FINAL WHERE dataset = {ds:String} AND _topic_id = {id:String} AND _partition = {p:UInt32} AND first BETWEEN {a:UInt64} AND {b:UInt64} ORDER BY first",
		append(rangeArgs(id), named("ds", string(code))), func(r driver.Rows) error {
			b := id
			err := r.Scan(&b.First, &b.Last)
			out = append(out, b)
			return err
		})
	return out, err
}

// Emptied says whether a batch of the range raised a floor.
func (l *Library) Emptied(ctx context.Context, p mulu.Plan) (yes bool, err error) {
	var n uint64
	err = l.each(ctx, "floors of a range", "SELECT count() FROM mulu.floors WHERE dataset = {ds:String} AND _topic_id = {id:String} AND _partition = {p:UInt32} AND first BETWEEN {a:UInt64} AND {b:UInt64}",
		append(rangeArgs(p.BatchID), named("ds", string(p.Dataset))), func(r driver.Rows) error { return r.Scan(&n) })
	return n > 0, err
}

// Replayed gives the rejects of a range that were mended and replayed, with their mends,
// in order.
func (l *Library) Replayed(ctx context.Context, p mulu.Plan) (out []StoredReject, err error) {
	err = l.each(patient(ctx), "replayed rejects", "SELECT "+rejectColumns+" FROM mulu.rejects FINAL WHERE dataset = {ds:String} AND "+inRange+" AND "+closedReject+" ORDER BY _offset, _row",
		append(rangeArgs(p.BatchID), named("ds", string(p.Dataset))), func(r driver.Rows) error {
			reject, err := scanReject(r)
			out = append(out, reject)
			return err
		})
	if err != nil {
		return nil, err
	}
	for page := range slices.Chunk(out, 1000) { // their positions stand in a statement
		if err := l.addMends(ctx, page); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Held is how many rows a dataset's tables hold of one partition.
type Held struct {
	TopicID   mulu.TopicID
	Partition int32
	Rows      int64
	First     int64
}

// Held counts the rows of a dataset's tables by the partition they say they came from.
func (l *Library) Held(ctx context.Context, code mulu.DatasetCode) ([]Held, error) {
	ds, err := l.applied(code)
	if err != nil {
		return nil, err
	}
	from := "SELECT _topic_id, _partition, _offset FROM " + tableOf(ds)
	if ds.History {
		from += " UNION ALL SELECT _topic_id, _partition, _offset FROM " + historyOf(ds)
	}
	var out []Held
	err = l.each(patient(ctx), "partitions of "+string(code), "SELECT toString(_topic_id), toInt32(_partition), toInt64(count()), toInt64(min(_offset)) FROM ("+from+") GROUP BY 1, 2 ORDER BY 1, 2", nil, func(r driver.Rows) error {
		var h Held
		var id string
		err := r.Scan(&id, &h.Partition, &h.Rows, &h.First)
		// What is no identity at all stays zero, which no topic has.
		h.TopicID, _ = parseTopicID(id)
		out = append(out, h)
		return err
	})
	return out, err
}

// ManifestsIn gives at most limit manifests of one partition that hold any offset of
// [first, last], in order.
func (l *Library) ManifestsIn(ctx context.Context, topic mulu.TopicID, partition int32, first, last int64, limit int) ([]mulu.Manifest, error) {
	var out []mulu.Manifest
	err := l.each(ctx, "manifests of a range", "SELECT "+manifestColumns+` FROM mulu.manifest FINAL WHERE _topic_id = {id:String} AND _partition = {p:UInt32}
		AND last >= {a:UInt64} AND first <= {b:UInt64} ORDER BY first LIMIT {n:UInt32}`,
		append(rangeArgs(mulu.BatchID{TopicID: topic, Partition: partition, First: first, Last: last}), named("n", uint32(limit))), func(r driver.Rows) error {
			m, err := scanManifest(r)
			out = append(out, m)
			return err
		})
	return out, err
}

// knownEpoch is the number of a topic identity that some row carries, 0 if none does.
func (l *Library) knownEpoch(ctx context.Context, code mulu.DatasetCode, t mulu.TopicID) (uint64, error) {
	look := func() (uint64, bool) {
		l.mu.RLock()
		defer l.mu.RUnlock()
		n, ok := l.topics[code][t]
		return n, ok
	}
	if n, ok := look(); ok {
		return n, nil
	}
	if err := l.loadTopics(ctx); err != nil { // another process may have met it
		return 0, err
	}
	n, _ := look()
	return n, nil
}

// HistoryKept says from when on the history is whole; rows from before may have been
// removed by their age.
func (l *Library) HistoryKept() time.Time { return l.now().Add(-l.ttl) }
