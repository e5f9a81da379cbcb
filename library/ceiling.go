package library

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2"

	"mulu"
)

// Ceiling measures what the engine can do by itself with the rows of one dataset,
// so that `mulu bench` can put its figures beside a limit of the same run and
// machine. It serves nobody else: nothing it makes is ever read by the house.
type Ceiling struct {
	l           *Library
	ds          *mulu.Dataset
	table       string // the dataset's own
	source, dst string // the rows in memory, and an empty twin of table
}

// NewCeiling copies the rows of a dataset's current table into memory, in the order
// they arrived in, and makes an empty table like it. Close drops both; a crash
// before leaves them in the engine's directory, where the next NewCeiling drops
// them.
func (l *Library) NewCeiling(ctx context.Context, code mulu.DatasetCode) (*Ceiling, error) {
	ds, err := l.applied(code)
	if err != nil {
		return nil, fmt.Errorf("make ceiling: %w", err)
	}
	db := ident(ds.Library) + "."
	c := &Ceiling{l: l, ds: ds, table: db + ident(string(code)), source: db + ident("_bench_source"), dst: db + ident("_bench_copy")}
	for _, sql := range []string{
		"DROP TABLE IF EXISTS " + c.source + " SYNC", "DROP TABLE IF EXISTS " + c.dst + " SYNC",
		"CREATE TABLE " + c.source + " AS " + c.table + " ENGINE=Memory",
		"CREATE TABLE " + c.dst + " AS " + c.table,
		// A table that is sorted by its key already would spare the engine the sort.
		"INSERT INTO " + c.source + " SELECT * FROM " + c.table + " ORDER BY " + mulu.ColOffset + ", " + mulu.ColPartition + " SETTINGS max_insert_threads=1",
	} {
		if err := l.db.Exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("make ceiling of %s: %w", code, err)
		}
	}
	return c, nil
}

// Insert is the engine's own INSERT SELECT of all rows into the empty twin, under
// the settings of StoreData except that the engine cuts blocks of blockRows by
// itself, with as many threads as StoreData has callers.
func (c *Ceiling) Insert(ctx context.Context, blockRows, threads int) (rows int64, err error) {
	if err := c.l.db.Exec(ctx, "TRUNCATE TABLE "+c.dst); err != nil {
		return 0, fmt.Errorf("empty %s: %w", c.dst, err)
	}
	set := oneBlock()
	set["max_insert_threads"], set["max_threads"] = threads, threads
	set["min_insert_block_size_rows"], set["max_insert_block_size"] = blockRows, blockRows
	cols := idents(names(c.ds))
	err = c.l.db.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(set)), "INSERT INTO "+c.dst+" ("+cols+") SELECT "+cols+" FROM "+c.source)
	if err != nil {
		return 0, fmt.Errorf("insert select into %s: %w", c.dst, err)
	}
	var n uint64
	if err := c.l.db.QueryRow(ctx, "SELECT count() FROM "+c.dst).Scan(&n); err != nil {
		return 0, fmt.Errorf("count %s: %w", c.dst, err)
	}
	return int64(n), nil //nolint:gosec // a count fits
}

// Close drops what NewCeiling made.
func (c *Ceiling) Close(ctx context.Context) error {
	for _, t := range []string{c.source, c.dst} {
		if err := c.l.db.Exec(ctx, "DROP TABLE IF EXISTS "+t+" SYNC"); err != nil {
			return fmt.Errorf("drop %s: %w", t, err)
		}
	}
	return nil
}

// Stream is the engine's own stream of the named columns of a dataset's first limit
// readable rows in a format of Export, over the same transport: no plan, no counting, no
// digest.
func (l *Library) Stream(ctx context.Context, code mulu.DatasetCode, columns []string, limit int64, f Format, w io.Writer) (bytes int64, err error) {
	ds, err := l.applied(code)
	if err != nil {
		return 0, fmt.Errorf("stream: %w", err)
	}
	ef, err := f.engine()
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", code, err)
	}
	settings := readSettings()
	for k, v := range ef.settings {
		settings[k] = v
	}
	for _, c := range columns {
		if ds.Column(c) < 0 {
			return 0, fmt.Errorf("stream %s: no column %q: %w", code, c, mulu.ErrInvalid)
		}
	}
	sql := "SELECT " + idents(columns) + " FROM " + ident(ds.Library) + "." + ident(string(code)) + " FINAL WHERE " + mulu.ColDeleted + " = 0 LIMIT " + strconv.FormatInt(limit, 10)
	r, err := l.db.QueryFormat(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), ef.name, sql)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", code, err)
	}
	defer r.Close()
	if bytes, err = io.Copy(w, r); err != nil {
		return bytes, fmt.Errorf("stream %s: %w", code, err)
	}
	return bytes, nil
}

// HoldMerges stops the merges of a dataset's current table, or lets them run again:
// a measurement among many parts needs the parts to stay.
func (l *Library) HoldMerges(ctx context.Context, code mulu.DatasetCode, hold bool) error {
	ds, err := l.applied(code)
	if err != nil {
		return fmt.Errorf("hold merges: %w", err)
	}
	verb := "START"
	if hold {
		verb = "STOP"
	}
	if err := l.db.Exec(ctx, "SYSTEM "+verb+" MERGES "+ident(ds.Library)+"."+ident(string(code))); err != nil {
		return fmt.Errorf("hold merges of %s: %w", code, err)
	}
	return nil
}

// MergeAll merges a dataset's current table into as few parts as the engine makes.
func (l *Library) MergeAll(ctx context.Context, code mulu.DatasetCode) error {
	ds, err := l.applied(code)
	if err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	if err := l.db.Exec(ctx, "OPTIMIZE TABLE "+ident(ds.Library)+"."+ident(string(code))+" FINAL"); err != nil {
		return fmt.Errorf("merge %s: %w", code, err)
	}
	return nil
}

// Parts counts the active parts of a dataset's current table.
func (l *Library) Parts(ctx context.Context, code mulu.DatasetCode) (int64, error) {
	ds, err := l.applied(code)
	if err != nil {
		return 0, fmt.Errorf("count parts: %w", err)
	}
	var n uint64
	err = l.db.QueryRow(ctx, "SELECT count() FROM system.parts WHERE active AND database={d:String} AND table={t:String}", named("d", ds.Library), named("t", string(code))).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count parts of %s: %w", code, err)
	}
	return int64(n), nil //nolint:gosec // a count fits
}

// Frame writes the kept rows of a batch as StoreData would send them, and says how
// many bytes that is: the last Go stage before the engine, measured by itself.
func (l *Library) Frame(b Batch) (int, error) {
	ds, err := l.planned(b.Plan)
	if err != nil {
		return 0, fmt.Errorf("frame: %w", err)
	}
	data, err := frame(ds, b, 0)
	if err != nil {
		return 0, fmt.Errorf("frame batch %s: %w", b.Plan.BatchID, err)
	}
	defer data.release()
	if data == nil {
		return 0, nil
	}
	return data.size, nil
}
