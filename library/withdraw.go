package library

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// standing is a condition on a house table: the batch whose first offset is in the
// named column was not withdrawn.
func standing(first string) string {
	return "(dataset, _topic_id, _partition, " + first + ") NOT IN (SELECT dataset, _topic_id, _partition, first FROM mulu.withdrawn)"
}

// standingRow is standing for the rows of a dataset's own tables. Every reader of a
// history must ask it: rows of withdrawn batches stay there as evidence.
func standingRow(code mulu.DatasetCode) string {
	return "(_topic_id, _partition, _batch) NOT IN (SELECT _topic_id, _partition, first FROM mulu.withdrawn WHERE dataset = '" + string(code) + "')"
}

// withdrawnForGood holds for rows of batches that were withdrawn without bringing earlier
// versions back.
func withdrawnForGood(code mulu.DatasetCode) string {
	return "(_topic_id, _partition, _batch) IN (SELECT _topic_id, _partition, first FROM mulu.withdrawn WHERE dataset = '" + string(code) + "' AND restored = 0)"
}

// completeRow holds for rows of batches that have a manifest. A batch without one is
// still on its way: its history's rows may lack in the current table, and must not be
// brought there by anybody else, or settling it would take them for all of it.
func completeRow(code mulu.DatasetCode) string {
	return "(_topic_id, _partition, _batch) IN (SELECT _topic_id, _partition, first FROM mulu.manifest WHERE dataset = '" + string(code) + "')"
}

const ofBatch = "_topic_id = {id:String} AND _partition = {p:UInt32} AND _batch = {first:UInt64}"

func batchArgs(id mulu.BatchID) []any {
	return []any{named("id", id.TopicID.String()), named("p", uint32(id.Partition)), named("first", uint64(id.First))}
}

// StoredBatch is a batch as its manifest tells, and whether it was withdrawn.
type StoredBatch struct {
	mulu.Manifest
	WithdrawnID string // "" for a batch that stands
	WithdrawnAt time.Time
	Why         string
}

// BatchFilter narrows Batches; zero fields do not.
type BatchFilter struct {
	Dataset   mulu.DatasetCode
	Topic     string // its name, or its identity as 32 hex digits
	Partition int32  // with Topic; -1 is all
	First     int64  // with Topic; -1 is all
}

// Batches gives at most limit batches after the cursor, newest first, and the cursor
// of the next page, "" if there is none.
func (l *Library) Batches(ctx context.Context, f BatchFilter, cursor string, limit int) ([]StoredBatch, string, error) {
	pos, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	if cursor == "" {
		pos = newest
	}
	var out []StoredBatch
	// Two steps: a join of FINAL tables would read both whole.
	err = l.each(ctx, "batches", `SELECT `+manifestColumns+`, `+standing("first")+` FROM mulu.manifest FINAL
		WHERE ({ds:String} = '' OR dataset = {ds:String}) AND ({topic:String} = '' OR _topic = {topic:String} OR _topic_id = {topic:String})
		AND ({part:Int32} < 0 OR _partition = {part:Int32}) AND ({first:Int64} < 0 OR first = {first:Int64})
		AND (toUnixTimestamp64Micro(at), _topic_id, _partition, first) < ({at:Int64}, {id:String}, {p:UInt32}, {o:UInt64})
		ORDER BY at DESC, _topic_id DESC, _partition DESC, first DESC LIMIT {n:UInt32}`,
		append(pos.args(), named("ds", string(f.Dataset)), named("topic", f.Topic), named("part", f.Partition), named("first", f.First), named("n", uint32(limit+1))), func(rows driver.Rows) error {
			var b StoredBatch
			var standing uint8
			var err error
			if b.Manifest, err = scanManifest(rows, &standing); err != nil {
				return err
			}
			if standing == 0 {
				b.WithdrawnID = "?" // named below
			}
			out = append(out, b)
			return nil
		})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(out) > limit {
		out = out[:limit]
		m := &out[limit-1]
		next = position{m.At.UnixMicro(), m.TopicID.String(), uint32(m.Partition), uint64(m.First), 0}.String()
	}
	return out, next, l.nameWithdrawn(ctx, out)
}

// nameWithdrawn says when and why the withdrawn ones of a page were.
func (l *Library) nameWithdrawn(ctx context.Context, page []StoredBatch) error {
	for i := range page {
		b := &page[i]
		if b.WithdrawnID == "" {
			continue
		}
		err := l.each(ctx, "withdrawn", `SELECT id, why, at FROM mulu.withdrawn FINAL WHERE dataset = {ds:String} AND _topic_id = {id:String} AND _partition = {p:UInt32} AND first = {first:UInt64}`,
			append(batchArgs(b.BatchID), named("ds", string(b.Dataset))), func(rows driver.Rows) error {
				return rows.Scan(&b.WithdrawnID, &b.Why, &b.WithdrawnAt)
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// FindBatch gives the one batch of a dataset at a place; topic is its name or, for a
// topic that was made anew, its identity as 32 hex digits. mulu.ErrNotFound says that
// no such batch is complete.
func (l *Library) FindBatch(ctx context.Context, dataset mulu.DatasetCode, topic string, partition int32, first, last int64) (StoredBatch, error) {
	list, _, err := l.Batches(ctx, BatchFilter{Dataset: dataset, Topic: topic, Partition: partition, First: first}, "", 3)
	if err != nil {
		return StoredBatch{}, err
	}
	switch {
	case len(list) == 0 || list[0].Last != last:
		return StoredBatch{}, fmt.Errorf("数据集 %s 没有已完成的批次 %s/%d/%d-%d，请从批次清单中选取 (no such batch): %w", dataset, topic, partition, first, last, mulu.ErrNotFound)
	case len(list) > 1:
		return StoredBatch{}, fmt.Errorf("主题 %s 曾被重建，有多个批次在 %d/%d-%d：请用主题标识 %s 代替主题名 (topic was made anew): %w", topic, partition, first, last, list[0].TopicID, mulu.ErrConflict)
	}
	return list[0], nil
}

// Effect is what a withdrawal does, or would do.
type Effect struct {
	Rows     int64 // rows of the batch, its replays included
	Keys     int64 // keys that readers see otherwise afterwards
	Restored int64 // of those, keys that an earlier version comes back for
	Gone     int64 // of those, keys that are no longer there
}

// WithdrawEffect says what taking a batch back would do now. mulu.ErrConflict says that
// it can not be taken back so, and why.
func (l *Library) WithdrawEffect(ctx context.Context, code mulu.DatasetCode, id mulu.BatchID, restore bool) (e Effect, err error) {
	ds, err := l.withdrawable(code, restore)
	if err != nil {
		return e, err
	}
	below, hidden, err := l.floors(ctx, code, id)
	if err != nil {
		return e, err
	}
	if hidden > 0 && !restore {
		return e, fmt.Errorf("批次 %s 清空了数据集(TRUNCATE 或全量快照结束)，只能连同恢复旧值一起撤回：请不用 --no-restore；数据集不保存历史时无法撤回，请在源端重新全量同步 (batch emptied the dataset): %w", id, mulu.ErrConflict)
	}
	current, history := tableNames(ds)
	if !ds.History {
		err = l.each(ctx, "effect of withdrawal", "SELECT toInt64(count()), toInt64(countIf(_deleted = 0)) FROM "+current+" FINAL WHERE "+ofBatch, batchArgs(id), func(r driver.Rows) error {
			return r.Scan(&e.Rows, &e.Keys)
		})
		e.Gone = e.Keys
		return e, err
	}
	err = l.each(ctx, "effect of withdrawal", "SELECT toInt64(count()) FROM (SELECT 1 FROM "+history+" WHERE "+ofBatch+" LIMIT 1 BY _offset, _row)", batchArgs(id), func(r driver.Rows) error {
		return r.Scan(&e.Rows)
	})
	if err != nil {
		return e, err
	}
	const newest = "(_version, _offset, _row)"
	keys, touched := idents(ds.Key), ofBatch
	args := append(batchArgs(id), named("below", below), named("hidden", hidden))
	if hidden > 0 {
		touched = "(" + ofBatch + " OR _version < {hidden:UInt64})"
	}
	// What readers see of each key now, of which batch, and what without the batch.
	sees := "SELECT argMax((_version, _deleted, " + ofBatch + "), " + newest + ") AS latest, argMaxIf((_version, _deleted), " + newest + ", NOT (" + ofBatch + ")) AS prior, countIf(NOT (" + ofBatch + ")) AS others FROM " + history +
		" WHERE (" + keys + ") IN (SELECT " + keys + " FROM " + history + " WHERE " + touched + ") AND " + standingRow(code) + " AND " + completeRow(code) + " GROUP BY " + keys
	err = l.each(ctx, "effect of withdrawal", "SELECT toInt64(countIf(mine AND (seen OR back))), toInt64(countIf(mine AND back)) FROM (SELECT latest.3 OR latest.1 < {hidden:UInt64} AS mine, latest.2 = 0 AND latest.1 >= greatest({below:UInt64}, {hidden:UInt64}) AS seen,"+
		" "+strconv.FormatBool(restore)+" AND others > 0 AND prior.2 = 0 AND prior.1 >= {below:UInt64} AS back FROM ("+sees+"))", args, func(r driver.Rows) error {
		return r.Scan(&e.Keys, &e.Restored)
	})
	e.Gone = e.Keys - e.Restored
	return e, err
}

// floors gives the greatest floor that stands without a batch, and the batch's own if
// that is greater, 0 otherwise.
func (l *Library) floors(ctx context.Context, code mulu.DatasetCode, id mulu.BatchID) (below, hidden uint64, err error) {
	const own = "_topic_id = {id:String} AND _partition = {p:UInt32} AND first = {first:UInt64}"
	err = l.each(ctx, "floors", "SELECT maxIf(floor, NOT ("+own+") AND "+standing("first")+"), maxIf(floor, "+own+") FROM mulu.floors WHERE dataset = {ds:String}",
		append(batchArgs(id), named("ds", string(code))), func(r driver.Rows) error { return r.Scan(&below, &hidden) })
	if hidden <= below {
		hidden = 0
	}
	if ds := l.Dataset(code); ds == nil || !ds.Changes() {
		below = 0 // readers do not ask for it
	}
	return below, hidden, err
}

// newestFirst orders the versions of a key; the same change may have been sent twice.
const newestFirst = "_version DESC, _offset DESC, _row DESC"

// withdrawable gives the dataset if a batch of it can be taken back.
func (l *Library) withdrawable(code mulu.DatasetCode, restore bool) (*mulu.Dataset, error) {
	ds, err := l.applied(code)
	if err != nil {
		return nil, err
	}
	if restore && !ds.History {
		return nil, fmt.Errorf("数据集 %s 不保存历史，撤回后旧值无法恢复：请让来源单位重新报送，或确认不恢复（--no-restore）后撤回 (no history): %w", code, mulu.ErrConflict)
	}
	return ds, nil
}

// MarkWithdrawn notes that a batch no longer counts: its rejects, its findings, and
// its rows for whoever reads the history. Marking again changes nothing.
func (l *Library) MarkWithdrawn(ctx context.Context, w mulu.Withdrawal) error {
	return l.insert(ctx, withdrawnTable, 1, func(int) []any {
		return []any{string(w.Dataset), w.Batch.Topic, w.Batch.TopicID.String(), uint32(w.Batch.Partition), uint64(w.Batch.First), uint64(w.Batch.Last), w.ID, w.Reason, w.At.UTC(), flag(w.Restore)}
	})
}

// TakeBack makes the current table what it would be had the batch not come; it must
// be marked before. Every key that should be visible is, at any moment: while merges
// are held back, the deletion is put down first and the earlier versions are inserted
// after it. A part that is younger than a deletion never merges with one that the
// deletion has not reached, so no merge can drop an earlier version for the sake of
// the row that goes. When merges go on, each part loses the batch's rows at once.
//
// A crash before the insert leaves the deletion to run at the next start, and the
// keys without a row until TakeBack is called again: do so before anything is read.
func (l *Library) TakeBack(ctx context.Context, w mulu.Withdrawal) error {
	ds, err := l.withdrawable(w.Dataset, w.Restore)
	if err != nil {
		return fmt.Errorf("take back %s: %w", w.Batch, err)
	}
	l.taking.Lock()
	defer l.taking.Unlock()
	// Before and after: a walk over the rows in between saw them as they were or as they
	// will be, and nobody knows which.
	if err := l.rowsCameBack(ctx, w.Dataset); err != nil {
		return fmt.Errorf("take back %s: %w", w.Batch, err)
	}
	if err := l.replace(ctx, ds, w); err != nil {
		return fmt.Errorf("take back %s: %w", w.Batch, err)
	}
	if err := l.rowsCameBack(ctx, w.Dataset); err != nil {
		return fmt.Errorf("take back %s: %w", w.Batch, err)
	}
	if err := l.mutated(ctx, ds, w); err != nil {
		return fmt.Errorf("take back %s: %w", w.Batch, err)
	}
	return nil
}

// replace puts down the deletion and inserts what stands in its place.
func (l *Library) replace(ctx context.Context, ds *mulu.Dataset, w mulu.Withdrawal) (err error) {
	current, _ := tableNames(ds)
	if err := l.db.Exec(ctx, "SYSTEM STOP MERGES "+current); err != nil {
		return fmt.Errorf("hold merges: %w", err)
	}
	defer func() {
		// Also when ctx has ended: a table that never merges again fills up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if startErr := l.db.Exec(ctx, "SYSTEM START MERGES "+current); startErr != nil {
			err = errors.Join(err, fmt.Errorf("let merges go on: %w", startErr))
		}
	}()
	left, err := l.rowsOf(ctx, ds, w.Batch)
	if err != nil {
		return err
	}
	if left > 0 {
		// A mutation takes no parameters. The values are digits.
		sql := fmt.Sprintf("ALTER TABLE %s DELETE WHERE _topic_id = '%s' AND _partition = %d AND _batch = %d", current, hex.EncodeToString(w.Batch.TopicID[:]), w.Batch.Partition, w.Batch.First)
		if err := l.db.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 0})), sql); err != nil {
			return fmt.Errorf("delete: %w", err)
		}
	}
	if !w.Restore {
		return nil
	}
	_, hidden, err := l.floors(ctx, w.Dataset, w.Batch)
	if err != nil {
		return err
	}
	touched, args := ofBatch, batchArgs(w.Batch)
	if hidden > 0 { // the batch emptied the table: all that it hid comes back, too
		touched = "(" + ofBatch + " OR _version < {hidden:UInt64})"
		args = append(args, named("hidden", hidden))
	}
	if err := l.bringNewest(ctx, ds, touched, args); err != nil {
		return fmt.Errorf("bring back earlier versions: %w", err)
	}
	return nil
}

// bringNewest inserts, of every key that a row of the history matches, the newest version
// that stands into the current table, where it replaces older ones and itself.
func (l *Library) bringNewest(ctx context.Context, ds *mulu.Dataset, rows string, args []any) error {
	current, history := tableNames(ds)
	cols, err := l.columnsBoth(ctx, ds)
	if err != nil {
		return err
	}
	keys := idents(ds.Key)
	sql := "INSERT INTO " + current + " (" + idents(cols) + ") SELECT " + idents(cols) + " FROM " + history +
		" WHERE (" + keys + ") IN (SELECT " + keys + " FROM " + history + " WHERE " + rows + ") AND " + readable(ds) +
		" ORDER BY " + newestFirst + " LIMIT 1 BY " + keys
	return l.db.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(oneBlock())), sql, args...)
}

// readable is the condition on a row of the history that the current table may hold it.
func readable(ds *mulu.Dataset) string {
	cond := standingRow(ds.Code) + " AND " + completeRow(ds.Code)
	if floor := above(ds, ""); floor != "" {
		cond += " AND " + floor
	}
	return cond
}

// rowsOf counts the rows of a batch in the current table as they are stored.
func (l *Library) rowsOf(ctx context.Context, ds *mulu.Dataset, id mulu.BatchID) (n uint64, err error) {
	current, _ := tableNames(ds)
	err = l.each(ctx, "rows of batch", "SELECT count() FROM "+current+" WHERE "+ofBatch, batchArgs(id), func(r driver.Rows) error { return r.Scan(&n) })
	return n, err
}

// columnsBoth are the columns that current and history share, in the current's order:
// those of former versions too.
func (l *Library) columnsBoth(ctx context.Context, ds *mulu.Dataset) (cols []string, err error) {
	err = l.each(ctx, "columns", `SELECT name FROM system.columns WHERE database = {d:String} AND table = {t:String}
		AND name IN (SELECT name FROM system.columns WHERE database = {d:String} AND table = {h:String}) ORDER BY position`,
		[]any{named("d", ds.Library), named("t", string(ds.Code)), named("h", string(ds.Code)+"_history")}, func(r driver.Rows) error {
			var name string
			err := r.Scan(&name)
			cols = append(cols, name)
			return err
		})
	return cols, err
}

// mutated waits until the deletion is done, and says why it is not.
func (l *Library) mutated(ctx context.Context, ds *mulu.Dataset, w mulu.Withdrawal) error {
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		var pending uint64
		var fault string
		err := l.each(ctx, "mutations", "SELECT count(), max(latest_fail_reason) FROM system.mutations WHERE database = {d:String} AND table = {t:String} AND NOT is_done",
			[]any{named("d", ds.Library), named("t", string(ds.Code))}, func(r driver.Rows) error { return r.Scan(&pending, &fault) })
		if err != nil {
			return err
		}
		if pending == 0 {
			left, err := l.rowsOf(ctx, ds, w.Batch)
			if err == nil && left > 0 {
				err = fmt.Errorf("%d rows are left: %w", left, mulu.ErrBusy)
			}
			return err
		}
		if fault != "" && !strings.Contains(fault, "ABORTED") { // merges were just held back
			return fmt.Errorf("delete: %s: %w", fault, mulu.ErrBusy)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// tableNames are the quoted names of the current table and the history.
func tableNames(ds *mulu.Dataset) (current, history string) {
	db := ident(ds.Library) + "."
	return db + ident(string(ds.Code)), db + ident(string(ds.Code)+"_history")
}
