package library

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// ColTopicID stands beside the provenance columns of the root package. A topic
// that is deleted and made again keeps its name and starts at offset 0: the name
// alone would take its rows for rows that are already stored. _topic holds the
// name for people, _topic_id the broker's identity as 32 hex digits for settling.
const ColTopicID = "_topic_id"

// colIngested is wall time and drives the history's TTL only; it orders nothing.
const colIngested = "_ingested"

// houseDB holds the house's own tables, one row per fact whatever is re-inserted.
const houseDB = "mulu"

const lc, instant = "LowCardinality(String)", "DateTime64(6, 'UTC')"

// houseTable is one of the house's own tables. All replace by key, so that a fact
// may be stored any number of times.
type houseTable struct {
	name    string
	columns []column
	engine  string
}

var (
	rejectsTable = houseTable{"rejects", []column{{"dataset", lc}, {"_topic", lc}, {"_topic_id", lc}, {"_partition", "UInt32"}, {"_offset", "UInt64"}, {"_row", "UInt16"},
		{"_batch", "UInt64"}, {"_last", "UInt64"}, {"class", lc}, {"rule", lc}, {"field", lc}, {"reason", "String"}, {"key", "String"}, {"value", "String"}, {"time", instant}, {"at", instant},
		{"rest", "UInt8"}},
		"ReplacingMergeTree(at) ORDER BY (dataset, _topic_id, _partition, _offset, _row)"}
	findingsTable = houseTable{"findings", []column{{"dataset", lc}, {"_topic", lc}, {"_topic_id", lc}, {"_partition", "UInt32"}, {"first", "UInt64"}, {"last", "UInt64"},
		{"ruleset", "UInt32"}, {"rule", lc}, {"indicator", lc}, {"evaluated", "Int64"}, {"failed", "Int64"}, {"sample", "Array(Int64)"}, {"at", instant}},
		"ReplacingMergeTree(at) ORDER BY (dataset, _topic_id, _partition, first, rule)"}
	manifestTable = houseTable{"manifest", []column{{"dataset", lc}, {"version", "UInt32"}, {"_topic", lc}, {"_topic_id", lc}, {"_partition", "UInt32"}, {"first", "UInt64"}, {"last", "UInt64"},
		{"good", "Int64"}, {"rejected", "Int64"}, {"rows", "Int64"}, {"control", "Int64"}, {"bytes", "Int64"}, {"digest", "String"}, {"at", instant},
		{"oldest", instant}, {"newest", instant}},
		"ReplacingMergeTree(at) ORDER BY (_topic_id, _partition, first)"}
	mendsTable = houseTable{"mends", []column{{"dataset", lc}, {"_topic_id", lc}, {"_partition", "UInt32"}, {"_offset", "UInt64"}, {"_row", "UInt16"},
		{"state", lc}, {"edited", "UInt8"}, {"value", "String"}, {"version", "UInt32"}, {"class", lc}, {"rule", lc}, {"field", lc}, {"reason", "String"},
		{"actor", lc}, {"why", "String"}, {"at", instant}, {"rank", "UInt64"}},
		"ReplacingMergeTree(rank) ORDER BY (dataset, _topic_id, _partition, _offset, _row)"}
	withdrawnTable = houseTable{"withdrawn", []column{{"dataset", lc}, {"_topic", lc}, {"_topic_id", lc}, {"_partition", "UInt32"}, {"first", "UInt64"}, {"last", "UInt64"},
		{"id", "String"}, {"why", "String"}, {"at", instant}, {"restored", "UInt8"}},
		"ReplacingMergeTree(at) ORDER BY (dataset, _topic_id, _partition, first)"}
	topicsTable = houseTable{"topics", []column{{"dataset", lc}, {"_topic_id", "String"}, {"epoch", "UInt32"}},
		"ReplacingMergeTree ORDER BY (dataset, _topic_id)"}
)

// houseTables are all of them.
var houseTables = []houseTable{rejectsTable, findingsTable, manifestTable, mendsTable, withdrawnTable, topicsTable, positionsTable, floorsTable, judgedTable, judgementsTable, listedTable}

func (l *Library) houseDDL() []string {
	ddl := []string{"CREATE DATABASE IF NOT EXISTS mulu ENGINE=Atomic"}
	for _, t := range houseTables {
		cols := make([]string, len(t.columns))
		for i, c := range t.columns {
			cols[i] = ident(c.name) + " " + c.typ
		}
		ddl = append(ddl, "CREATE TABLE IF NOT EXISTS mulu."+t.name+" ("+strings.Join(cols, ", ")+") ENGINE="+t.engine+l.tableSettings())
	}
	return ddl
}

// tableSettings of every table. Parts below 128 MB are compact, all columns in one
// file: a batch would else be written as sixty files, whose making cost the kernel as
// much CPU as the rest of the insert, and each lookup would open all of them again.
// Parts are merged about ten at a time (see mergeBase).
func (l *Library) tableSettings() string {
	s := " SETTINGS min_bytes_for_wide_part=134217728, " + mergeBase
	if l.sync {
		s += ", " + fsyncSettings
	}
	return s
}

// codecs of columns whose values lie close together: neighbours in the history, and
// below 2^40 everywhere. LZ4 alone makes five bytes of an offset in key order.
var codecs = map[string]string{mulu.ColOffset: " CODEC(T64, LZ4)", mulu.ColVersion: " CODEC(T64, LZ4)"}

var codePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// Apply makes or widens the tables of a dataset version and remembers it: the
// current table `<code>`, replacing by key, and with History `<code>_history`,
// which keeps every change. Batches are stored under the version they were planned
// for, reads use the newest. A version may add columns; a changed type, nullability
// or key is refused. Running it again changes nothing; a crash between two
// statements is mended by the next Apply.
func (l *Library) Apply(ctx context.Context, ds *mulu.Dataset) error {
	if err := checkDataset(ds); err != nil {
		return fmt.Errorf("apply dataset %q: %w", ds.Code, err)
	}
	if err := l.db.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+ident(ds.Library)+" ENGINE=Atomic"); err != nil {
		return fmt.Errorf("apply dataset %q: create library: %w", ds.Code, err)
	}
	key := idents(ds.Key)
	tables := []struct{ name, extra, engine string }{
		{string(ds.Code), "", "ReplacingMergeTree(_version, _deleted) ORDER BY (" + key + ")"},
		{string(ds.Code) + "_history", ", " + ident(colIngested) + " DateTime DEFAULT now()",
			// Replacing: the INSERT of an owner that lost its partition may end after the
			// new owner has settled the batch. Both rows are the same; readers use FINAL.
			fmt.Sprintf("ReplacingMergeTree ORDER BY (_topic_id, _partition, _offset, _row) TTL %s", l.historyTTL())},
	}
	if !ds.History {
		tables = tables[:1]
	}
	for _, t := range tables {
		ddl := "CREATE TABLE IF NOT EXISTS " + ident(ds.Library) + "." + ident(t.name) + " (" + columnList(ds) + t.extra + ") ENGINE=" + t.engine + l.tableSettings()
		if err := l.db.Exec(ctx, ddl); err != nil {
			return fmt.Errorf("apply dataset %q: create %s: %w", ds.Code, t.name, err)
		}
		key := sortedBy(t.engine)
		if t.name == string(ds.Code) {
			key = "" // the version's own, see checkKey
		}
		if err := l.fit(ctx, ds.Library, t.name, nil, key); err != nil {
			return fmt.Errorf("apply dataset %q: %w", ds.Code, err)
		}
		if err := l.widen(ctx, ds, t.name); err != nil {
			return fmt.Errorf("apply dataset %q: %w", ds.Code, err)
		}
		if err := l.retune(ctx, ds.Library, t.name); err != nil {
			return fmt.Errorf("apply dataset %q: %w", ds.Code, err)
		}
	}
	if err := l.checkKey(ctx, ds); err != nil {
		return fmt.Errorf("apply dataset %q: %w", ds.Code, err)
	}
	l.remember(ds)
	return nil
}

// checkDataset refuses what would make an unsafe or impossible table.
func checkDataset(ds *mulu.Dataset) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(format+": %w", append(args, mulu.ErrInvalid)...))
	}
	if !codePattern.MatchString(string(ds.Code)) || strings.HasSuffix(string(ds.Code), "_history") {
		bad("code %q must be lower-case letters, digits and _, and not end in _history", ds.Code)
	}
	if !codePattern.MatchString(ds.Library) || slices.Contains([]string{houseDB, "default", "system", "information_schema"}, ds.Library) {
		bad("library %q is not a usable name", ds.Library)
	}
	if len(ds.Key) == 0 {
		bad("no key")
	}
	if len(ds.Rules) > 64 {
		bad("%d row rules, at most 64", len(ds.Rules))
	}
	seen := map[string]bool{}
	for _, c := range ds.Columns {
		if c.Name == "" || strings.HasPrefix(c.Name, "_") || strings.ContainsAny(c.Name, ".`\\\x00") || seen[c.Name] {
			bad("column %q: name empty, reserved or taken", c.Name)
		}
		seen[c.Name] = true
		if _, err := engineType(c, false); err != nil {
			errs = append(errs, err)
		}
	}
	for _, k := range ds.Key {
		if !seen[k] {
			bad("key column %q does not exist", k)
		}
	}
	return errors.Join(errs...)
}

// engineType is the root package's table of types.
func engineType(c mulu.Column, nullable bool) (string, error) {
	t := ""
	switch c.Type {
	case mulu.String:
		t = "String"
	case mulu.Int:
		t = "Int64"
	case mulu.Decimal:
		if c.Scale < 0 || c.Scale > 18 {
			return "", fmt.Errorf("column %q: scale %d: %w", c.Name, c.Scale, mulu.ErrInvalid)
		}
		t = fmt.Sprintf("Decimal(18, %d)", c.Scale)
	case mulu.Date:
		t = "Date32"
	case mulu.DateTime:
		t = "DateTime64(3, 'Asia/Shanghai')"
	case mulu.Bool:
		t = "Bool"
	default:
		return "", fmt.Errorf("column %q: type %q: %w", c.Name, c.Type, mulu.ErrInvalid)
	}
	if nullable {
		t = "Nullable(" + t + ")"
	}
	return t, nil
}

// nullable says whether a business column may hold null: not if required, never in the key.
func nullable(ds *mulu.Dataset, c mulu.Column) bool {
	return !c.Required && !slices.Contains(ds.Key, c.Name)
}

type column struct{ name, typ string }

// provenance are the columns after the business columns, in the order they are inserted.
var provenance = []column{
	{mulu.ColExtra, "String"}, {mulu.ColTopic, "LowCardinality(String)"}, {ColTopicID, "LowCardinality(String)"},
	{mulu.ColPartition, "UInt32"}, {mulu.ColOffset, "UInt64"}, {mulu.ColRow, "UInt16"}, {mulu.ColBatch, "UInt64"}, {mulu.ColFlags, "UInt64"},
	{mulu.ColRuleset, "UInt32"}, {mulu.ColDeleted, "UInt8"}, {mulu.ColVersion, "UInt64"}, {mulu.ColOrigin, "UInt8"},
}

func columnsOf(ds *mulu.Dataset) []column {
	out := make([]column, 0, len(ds.Columns)+len(provenance))
	for _, c := range ds.Columns {
		t, _ := engineType(c, nullable(ds, c)) // checkDataset has seen every type
		out = append(out, column{c.Name, t})
	}
	return append(out, provenance...)
}

func columnList(ds *mulu.Dataset) string {
	var b strings.Builder
	for i, c := range columnsOf(ds) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(ident(c.name) + " " + c.typ + codecs[c.name])
	}
	return b.String()
}

// Check says what Apply would refuse of a version, and changes nothing. It is asked
// before a version is written down anywhere: one that was accepted there and can
// not have its tables here could never be read.
func (l *Library) Check(ctx context.Context, ds *mulu.Dataset) error {
	if err := checkDataset(ds); err != nil {
		return fmt.Errorf("check dataset %q: %w", ds.Code, err)
	}
	if now := l.Dataset(ds.Code); now != nil && now.Library != ds.Library {
		return fmt.Errorf("check dataset %q: 数据集现在主题库 %s 中，版本 %d 要求 %s：不可搬库，请另建数据集 (library changed): %w", ds.Code, now.Library, ds.Version, ds.Library, mulu.ErrConflict)
	}
	current := string(ds.Code)
	for _, t := range []string{current, current + "_history"} {
		missing, err := l.missing(ctx, ds, t)
		if err != nil {
			return fmt.Errorf("check dataset %q: %w", ds.Code, err)
		}
		if t == current && len(missing) < len(columnsOf(ds)) { // the table exists
			if err := l.checkKey(ctx, ds); err != nil {
				return fmt.Errorf("check dataset %q: %w", ds.Code, err)
			}
		}
	}
	return nil
}

// widen adds the columns the table lacks and refuses a column that has changed.
// Columns the version no longer names stay: their rows were lawful when they came.
func (l *Library) widen(ctx context.Context, ds *mulu.Dataset, table string) error {
	missing, err := l.missing(ctx, ds, table)
	if err != nil {
		return err
	}
	for _, c := range missing {
		if err := l.addColumn(ctx, ds.Library, table, c); err != nil {
			return err
		}
	}
	return nil
}

// missing gives the columns of a version that the table lacks: all, if there is no
// such table. A column of another type is mulu.ErrConflict.
func (l *Library) missing(ctx context.Context, ds *mulu.Dataset, table string) ([]column, error) {
	have := map[string]string{}
	err := l.each(ctx, "columns of "+table, "SELECT name, type FROM system.columns WHERE database={d:String} AND table={t:String}",
		[]any{named("d", ds.Library), named("t", table)}, func(rows driver.Rows) error {
			var name, typ string
			err := rows.Scan(&name, &typ)
			have[name] = typ
			return err
		})
	if err != nil {
		return nil, err
	}
	var out []column
	for _, c := range columnsOf(ds) {
		switch typ, ok := have[c.name]; {
		case !ok:
			out = append(out, c)
		case typ != c.typ:
			return nil, fmt.Errorf("表 %s.%s 的列 %s 现为 %s，版本 %d 要求 %s：不兼容的变更，请另建数据集或保留原类型 (column type changed): %w", ds.Library, table, c.name, typ, ds.Version, c.typ, mulu.ErrConflict)
		}
	}
	return out, nil
}

// plain is a key without its quoting and parentheses, in which engines differ.
var plain = strings.NewReplacer("`", "", "(", "", ")", "")

// checkKey refuses a version whose business key differs from the table's.
func (l *Library) checkKey(ctx context.Context, ds *mulu.Dataset) error {
	var have string
	err := l.db.QueryRow(ctx, "SELECT sorting_key FROM system.tables WHERE database={d:String} AND name={t:String}", named("d", ds.Library), named("t", string(ds.Code))).Scan(&have)
	if err != nil {
		return fmt.Errorf("read key of %s: %w", ds.Code, err)
	}
	if want := strings.Join(ds.Key, ", "); plain.Replace(have) != plain.Replace(want) {
		return fmt.Errorf("表 %s.%s 的主键为 (%s)，版本 %d 要求 (%s)：主键不可变更 (key changed): %w", ds.Library, ds.Code, have, ds.Version, want, mulu.ErrConflict)
	}
	return nil
}

// ident quotes an identifier. Names come from applied datasets, never from requests.
func ident(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}

func idents(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = ident(n)
	}
	return strings.Join(q, ", ")
}
