package library

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
	"mulu/plan"
)

// RefusedRow is an open problem row that a blocking rule refused. Its values are read by
// the engine from the record's JSON, masked like those of rows that entered; those of
// other formats are all null, see Readable.
type RefusedRow struct {
	Values []any // nil or string
	Token  string
	Unit   mulu.OrgCode
	Topic  string
	ID     mulu.RowID
	Batch  int64
	State  string // RejectOpen or RejectDraft
	At     time.Time
}

// Readable says whether the engine can read the values of a dataset's problem rows.
func Readable(ds *mulu.Dataset) bool { return ds.OtherWays() }

// refusal is the compiled selection of refused rows, without what is selected.
type refusal struct {
	*compiler
	ds   *mulu.Dataset
	from string
}

// refusedBy readies the problem rows that the plan's rule refused: the open ones, and
// those in further states. One that its source has corrected since is no open one, see
// where: a later record of the same key and partition entered.
func (l *Library) refusedBy(ctx context.Context, f *plan.Failing, key []byte, states ...string) (*refusal, error) {
	c, ds, err := l.failing(ctx, f, key)
	if err != nil {
		return nil, err
	}
	c.pinned = nil // of the dataset's own table
	c.column = func(name string) string { return c.read(ds, name) }
	r := &refusal{compiler: c, ds: ds}
	mine := "mulu.rejects AS r FINAL WHERE r.dataset = " + c.param("String", string(ds.Code)) + " AND r.class = 'rule' AND r.rule = " + c.param("String", string(f.Rule)) +
		" AND state IN ('" + strings.Join(append(states, RejectOpen, RejectDraft), "', '") + "')"
	r.from = "(SELECT r.*, " + rejectState + " AS state FROM " + mine + ") AS r"
	if Readable(ds) {
		theirs, ours := make([]string, len(ds.Key)), make([]string, len(ds.Key))
		for i, k := range ds.Key {
			theirs[i], ours[i] = c.text(k), "toString("+ident(k)+")"
		}
		them, us := "("+strings.Join(theirs, ", ")+", '')", "("+strings.Join(ours, ", ")+", '')"
		r.from += " LEFT JOIN (SELECT " + us + " AS k, _topic_id AS t, _partition AS p, max(_offset) AS o FROM " + ident(ds.Library) + "." + ident(string(ds.Code)) + " FINAL" + c.prewhere("", ds, nil, nil) +
			" WHERE " + us + " IN (SELECT q FROM (SELECT " + them + " AS q, " + rejectState + " AS state FROM " + mine + ")) GROUP BY k, t, p) AS s" +
			" ON " + them + " = s.k AND r._topic_id = s.t AND r._partition = s.p"
	}
	return r, nil
}

// where is what is asked of a refused row beside being one.
func (r *refusal) where(f *plan.Failing) string {
	conds := []string{"1"}
	if Readable(r.ds) {
		conds[0] = "(s.o IS NULL OR s.o <= r._offset)"
	}
	if narrow := r.narrowed(f); narrow != "" {
		conds = append(conds, narrow)
	}
	return strings.Join(conds, " AND ")
}

// raw is a column's value as the record wrote it, a Nullable(String).
func (c *compiler) raw(ds *mulu.Dataset, name string) string {
	if !Readable(ds) {
		return "CAST(NULL AS Nullable(String))"
	}
	path := []string{name}
	if p := ds.Columns[ds.Column(name)].Path; p != "" {
		path = strings.Split(p, ".")
	}
	args := []string{"r.value"}
	for _, p := range path {
		args = append(args, c.param("String", p))
	}
	return "JSONExtract(" + strings.Join(args, ", ") + ", 'Nullable(String)')"
}

// readers take the text of a record to a column's type; what is none is null.
var recordReaders = map[mulu.Type]string{
	mulu.String:   "%s",
	mulu.Int:      "toInt64OrNull(%s)",
	mulu.Decimal:  "toDecimal64OrNull(%s, %d)",
	mulu.Date:     "toDate32OrNull(%s)",
	mulu.DateTime: "parseDateTime64BestEffortOrNull(%s, 3, 'Asia/Shanghai')",
	mulu.Bool:     "accurateCastOrNull(%s, 'Bool')",
}

// read is a column's value in its type.
func (c *compiler) read(ds *mulu.Dataset, name string) string {
	col, x := &ds.Columns[ds.Column(name)], c.raw(ds, name)
	if col.Type == mulu.Decimal {
		return fmt.Sprintf(recordReaders[col.Type], x, col.Scale)
	}
	return fmt.Sprintf(recordReaders[col.Type], x)
}

// shown are the masked items, all of them text.
func (r *refusal) shown(items []plan.Item) []string {
	exprs := make([]string, len(items))
	for i, it := range items {
		exprs[i] = "CAST(" + r.masked(it.Mask, r.raw(r.ds, it.Name), plan.Field{Type: mulu.String, Nullable: true, Column: it.Name}) + " AS Nullable(String))"
	}
	return exprs
}

// token names a refused row by where it stands in its source: its key may be what is wrong.
func (r *refusal) token() string {
	return "lower(hex(left(HMAC('sha256', concat(" + r.param("String", string(r.ds.Code)+"\x00refused ") +
		", r._topic_id, '/', toString(r._partition), '/', toString(r._offset), '/', toString(r._row)), unhex(" + r.tokenKey() + ")), 16)))"
}

// Refused gives a page of the open problem rows that a plan's rule refused, newest first,
// and the cursor of the next page, "" if there is none.
func (l *Library) Refused(ctx context.Context, f plan.Failing, opt FailingOptions) ([]RefusedRow, string, error) {
	limit := opt.Limit
	if limit == 0 {
		limit = PageRows
	}
	pos, err := parseCursor(opt.After)
	if err != nil {
		return nil, "", err
	}
	if opt.After == "" {
		pos = newest
	}
	r, err := l.refusedBy(ctx, &f, opt.Key)
	if err != nil {
		return nil, "", err
	}
	sel := r.shown(f.Items)
	for i := range sel {
		sel[i] += " AS _v" + strconv.Itoa(i)
	}
	sel = append(sel, r.token()+" AS _t", r.unit(&f.Unit)+" AS _u", "r._topic", "r._topic_id", "r._partition", "r._offset", "r._row", "r._batch", "r.state", "r.at")
	sql := "SELECT " + strings.Join(sel, ", ") + " FROM " + r.from + " WHERE " + r.where(&f) +
		fmt.Sprintf(" AND (toUnixTimestamp64Micro(r.at), r._topic_id, r._partition, r._offset, r._row) < (toInt64(%d), '%s', %d, %d, %d)", pos.at, pos.topicID, pos.partition, pos.offset, pos.row) +
		" ORDER BY r.at DESC, r._topic_id DESC, r._partition DESC, r._offset DESC, r._row DESC LIMIT " + strconv.Itoa(limit+1)
	if r.err != nil {
		return nil, "", fmt.Errorf("refused rows of %s: %w", f.View.Base, r.err)
	}
	var out []RefusedRow
	err = l.ask(ctx, &f, sql, r.params, nil, func(rows driver.Rows) error {
		row, err := scanRefused(rows, len(f.Items))
		out = append(out, row)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("refused rows of %s: %w", f.View.Base, err)
	}
	if len(out) <= limit {
		return out, "", nil
	}
	last := &out[limit-1]
	return out[:limit], position{last.At.UnixMicro(), last.ID.TopicID.String(), uint32(last.ID.Partition), uint64(last.ID.Offset), uint16(last.ID.Row)}.String(), nil
}

func scanRefused(rows driver.Rows, items int) (r RefusedRow, err error) {
	dest := make([]any, items, items+10)
	for i, t := range rows.ColumnTypes()[:items] {
		dest[i] = reflect.New(t.ScanType()).Interface()
	}
	var unit, topicID string
	var partition uint32
	var offset, batch uint64
	var row uint16
	if err := rows.Scan(append(dest, &r.Token, &unit, &r.Topic, &topicID, &partition, &offset, &row, &batch, &r.State, &r.At)...); err != nil {
		return r, err
	}
	for i := range items {
		r.Values = append(r.Values, goValue(dest[i], mulu.String))
	}
	r.Unit, r.Batch = mulu.OrgCode(unit), int64(batch)
	r.ID.Partition, r.ID.Offset, r.ID.Row = int32(partition), int64(offset), int32(row)
	r.ID.TopicID, err = parseTopicID(topicID)
	return r, err
}

// CountRefused counts the refused rows of a plan by who answers for them.
func (l *Library) CountRefused(ctx context.Context, f plan.Failing, key []byte) (counts []FailingCount, err error) {
	r, err := l.refusedBy(ctx, &f, key)
	if err != nil {
		return nil, err
	}
	sql := "SELECT " + r.unit(&f.Unit) + " AS _u, toInt64(count()) FROM " + r.from + " WHERE " + r.where(&f) + " GROUP BY _u ORDER BY _u"
	if r.err != nil {
		return nil, fmt.Errorf("count refused rows of %s: %w", f.View.Base, r.err)
	}
	err = l.ask(ctx, &f, sql, r.params, nil, func(rows driver.Rows) error {
		var n FailingCount
		err := rows.Scan((*string)(&n.Unit), &n.Rows)
		counts = append(counts, n)
		return err
	})
	return counts, err
}

// EachRefused hands every refused row of a plan on, by unit and then as it came, in the
// columns of EachFailing: no group, the rule alone as broken, and no version.
func (l *Library) EachRefused(ctx context.Context, f plan.Failing, key []byte, row func(cells []string) error) error {
	r, err := l.refusedBy(ctx, &f, key)
	if err != nil {
		return err
	}
	sel := []string{r.token(), "''", r.unit(&f.Unit) + " AS _u", "r._topic", "r._partition", "r._offset", "r._row", "r._batch", "r.rule", "''"}
	for i, x := range r.shown(f.Items) {
		sel = append(sel, "coalesce("+x+", '') AS _v"+strconv.Itoa(i))
	}
	sql := "SELECT " + strings.Join(sel, ", ") + " FROM " + r.from + " WHERE " + r.where(&f) + " ORDER BY _u, r._topic_id, r._partition, r._offset, r._row"
	if r.err != nil {
		return fmt.Errorf("export refused rows of %s: %w", f.View.Base, r.err)
	}
	settings := failingSettings(&f)
	settings["max_bytes_before_external_sort"] = exportSortBytes
	if err := l.eachLine(clickhouse.Context(ctx, clickhouse.WithSettings(settings), clickhouse.WithParameters(r.params)), sql, len(sel), row); err != nil {
		return fmt.Errorf("export refused rows of %s: %w", f.View.Base, err)
	}
	return nil
}
