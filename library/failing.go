package library

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
	"mulu/plan"
)

// FailingOptions are what a page of failing rows needs besides its plan.
type FailingOptions struct {
	// Key makes row tokens and closes cursors, 32 bytes. It travels as a bound parameter.
	Key   []byte
	After string // cursor of the page before, "" for the first
	Limit int    // rows of a page; 0 is PageRows
}

// FailingRow is one current row that breaks a rule.
type FailingRow struct {
	Values []any  // of the plan's items, masked, as in Rows
	Token  string // 32 hex digits: the same business key under the same key has the same
	Group  string // of rows that are at fault together, likewise; "" for other rules
	Unit   mulu.OrgCode
	// Where it stands in its source.
	Topic   string
	ID      mulu.RowID
	Batch   int64         // first offset of its batch
	Breaks  []mulu.RuleID // row rules of the version in force
	Ruleset uint32        // the version that judged it when it came
	cursor  string
}

// Failing gives a page of the rows a plan selects, by business key, and the cursor of the
// next page, "" if there is none. A cursor holds the last key, closed: what is masked is
// not told by it either.
func (l *Library) Failing(ctx context.Context, f plan.Failing, opt FailingOptions) ([]FailingRow, string, error) {
	limit := opt.Limit
	if limit == 0 {
		limit = PageRows
	}
	c, ds, err := l.failing(ctx, &f, opt.Key)
	if err != nil {
		return nil, "", err
	}
	where := c.atFault(&f, ds)
	after, err := c.follow(ds, opt.After)
	if err != nil {
		return nil, "", fmt.Errorf("failing rows of %s: %w", f.View.Base, err)
	}
	shown, columns := c.shown(f.Items)
	var sel []string
	for i, x := range shown {
		sel = append(sel, x+" AS "+ident(columns[i].Name))
	}
	sel = append(sel, c.rowToken(ds)+" AS _t", c.groupToken(&f)+" AS _g", c.unit(&f.Unit)+" AS _u")
	for _, p := range []string{mulu.ColTopic, ColTopicID, mulu.ColPartition, mulu.ColOffset, mulu.ColRow, mulu.ColBatch, mulu.ColRuleset} {
		sel = append(sel, c.baseColumn(p))
	}
	sel = append(sel, c.flags(ds)+" AS _f", c.closedKey(ds)+" AS _c")
	sql := "SELECT " + strings.Join(sel, ", ") + " FROM " + c.from(ds) + " WHERE " + where + after + " ORDER BY " + c.keyOrder(ds) + " LIMIT " + strconv.Itoa(limit+1)
	if c.err != nil {
		return nil, "", fmt.Errorf("failing rows of %s: %w", f.View.Base, c.err)
	}
	var out []FailingRow
	err = l.ask(ctx, &f, sql, c.params, nil, func(rows driver.Rows) error {
		r, err := scanFailing(rows, ds, columns)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("failing rows of %s: %w", f.View.Base, err)
	}
	if len(out) > limit {
		return out[:limit], out[limit-1].cursor, nil
	}
	return out, "", nil
}

// failing readies a compiler for a checked plan.
func (l *Library) failing(ctx context.Context, f *plan.Failing, key []byte) (*compiler, *mulu.Dataset, error) {
	if err := f.Validate(l.Dataset); err != nil {
		return nil, nil, fmt.Errorf("failing rows of %s: %w", f.View.Base, err)
	}
	if len(key) != 32 {
		return nil, nil, fmt.Errorf("failing rows of %s: the key of row tokens has %d bytes, not 32: %w", f.View.Base, len(key), mulu.ErrInvalid)
	}
	c, ds := newCompiler(&f.View, l.Dataset, l.now(), key), l.Dataset(f.View.Base)
	c.pin(&f.Where)
	return c, ds, l.know(ctx, c, ds)
}

// ask runs a statement that reads, with more settings if there are any.
func (l *Library) ask(ctx context.Context, f *plan.Failing, sql string, params clickhouse.Parameters, more clickhouse.Settings, row func(driver.Rows) error) error {
	settings := failingSettings(f)
	for k, v := range more {
		settings[k] = v
	}
	return l.each(clickhouse.Context(ctx, clickhouse.WithSettings(settings), clickhouse.WithParameters(params)), "rows", sql, nil, row)
}

// failingSettings: rows with a null in one of several columns are compared, too.
func failingSettings(f *plan.Failing) clickhouse.Settings {
	s := readSettings()
	if f.Fault.Same != nil {
		s["transform_null_in"] = 1
	}
	return s
}

// atFault is the condition that a row breaks the rule and is not filtered out.
func (c *compiler) atFault(f *plan.Failing, ds *mulu.Dataset) string {
	var conds []string
	add := func(cond string) {
		if cond != "" {
			conds = append(conds, cond)
		}
	}
	switch t := &f.Fault; {
	case t.Flag:
		add("bitTest(" + c.flags(ds) + ", " + strconv.Itoa(plan.RuleBit(ds, f.Rule)) + ")")
	case t.Same != nil:
		add(c.together(t, ds))
	default:
		add(c.predicate(t.Where))
	}
	add(c.narrowed(f))
	return strings.Join(conds, " AND ")
}

// narrowed is what the asker narrows by, "" for nothing.
func (c *compiler) narrowed(f *plan.Failing) string {
	where := c.predicate(&f.Where)
	if f.Unit.Only == "" {
		return where
	}
	unit := c.unit(&f.Unit) + " = " + c.param("String", string(f.Unit.Only))
	if where == "" {
		return unit
	}
	return where + " AND " + unit
}

// together holds for rows that share their values with another row.
func (c *compiler) together(t *plan.Fault, ds *mulu.Dataset) string {
	cols := make([]string, len(t.Same))
	for i, name := range t.Same {
		cols[i] = c.baseColumn(name)
	}
	when := ""
	if t.When != nil {
		when = c.predicate(t.When)
	}
	list := strings.Join(cols, ", ")
	cond := "(" + list + ") IN (SELECT " + list + " FROM " + ident(ds.Library) + "." + ident(string(ds.Code)) + " AS _base FINAL" + c.prewhere("_base.", ds, nil, nil)
	if when != "" {
		cond += " WHERE " + when
	}
	cond += " GROUP BY " + list + " HAVING count() > 1)"
	if len(cols) == 1 {
		cond = cols[0] + " IS NOT NULL AND " + cond
	}
	if when != "" {
		cond = when + " AND " + cond
	}
	return cond
}

// shown are the masked items.
func (c *compiler) shown(items []plan.Item) (exprs []string, columns []Column) {
	for _, it := range items {
		f, err := c.view.Field(it.Name, c.datasets)
		if err != nil {
			c.err = err
			continue
		}
		typ := f.Type
		if it.Mask != plan.Clear {
			typ = mulu.String
		}
		exprs = append(exprs, c.masked(it.Mask, c.value(f), f))
		columns = append(columns, Column{it.Name, typ})
	}
	return exprs, columns
}

// unit is the organisation that answers for a row.
func (c *compiler) unit(u *plan.Unit) string {
	if u.Column == "" {
		return "CAST(" + c.param("String", string(u.Else)) + " AS String)"
	}
	x := "coalesce(" + c.baseColumn(u.Column) + ", '')"
	if u.Prefix > 0 {
		x = "left(" + x + ", " + strconv.Itoa(u.Prefix) + ")"
	}
	var from, to []string
	for v := range u.Names {
		from = append(from, v)
	}
	slices.Sort(from)
	for _, v := range from {
		to = append(to, string(u.Names[v]))
	}
	if from == nil {
		return "CAST(" + c.param("String", string(u.Else)) + " AS String)"
	}
	return "transform(" + x + ", " + c.set(from) + ", " + c.set(to) + ", " + c.param("String", string(u.Else)) + ")"
}

// rowToken is a keyed pseudonym of the business key: lengths stand before the values, so
// that no two keys are written alike.
func (c *compiler) rowToken(ds *mulu.Dataset) string {
	return c.keyed("row", ds.Key)
}

// groupToken names the rows that are at fault together.
func (c *compiler) groupToken(f *plan.Failing) string {
	if f.Fault.Same == nil {
		return "''"
	}
	return c.keyed("group "+string(f.Rule), f.Fault.Same)
}

func (c *compiler) keyed(what string, columns []string) string {
	parts := []string{c.param("String", string(c.view.Base)+"\x00"+what)}
	for _, name := range columns {
		x := c.text(name)
		parts = append(parts, "'\\0'", "toString(length("+x+"))", "':'", x)
	}
	return "lower(hex(left(HMAC('sha256', concat(" + strings.Join(parts, ", ") + "), unhex(" + c.tokenKey() + ")), 16)))"
}

// text is a column as text; null is "\0", which no text is.
func (c *compiler) text(name string) string {
	return "coalesce(toString(" + c.baseColumn(name) + "), '\\0')"
}

func (c *compiler) keyOrder(ds *mulu.Dataset) string {
	order := make([]string, len(ds.Key))
	for i, k := range ds.Key {
		order[i] = c.baseColumn(k)
	}
	return strings.Join(order, ", ")
}

func scanFailing(rows driver.Rows, ds *mulu.Dataset, columns []Column) (r FailingRow, err error) {
	n := len(columns)
	dest := make([]any, n, n+12)
	for i, t := range rows.ColumnTypes()[:n] {
		dest[i] = reflect.New(t.ScanType()).Interface()
	}
	var unit, topicID string
	var partition, ruleset uint32
	var offset, batch, flags uint64
	var row uint16
	if err := rows.Scan(append(dest, &r.Token, &r.Group, &unit, &r.Topic, &topicID, &partition, &offset, &row, &batch, &ruleset, &flags, &r.cursor)...); err != nil {
		return r, err
	}
	for i := range columns {
		r.Values = append(r.Values, goValue(dest[i], columns[i].Type))
	}
	r.Unit, r.Batch, r.Ruleset = mulu.OrgCode(unit), int64(batch), ruleset
	r.ID.Partition, r.ID.Offset, r.ID.Row = int32(partition), int64(offset), int32(row)
	for i := range ds.Rules {
		if flags>>i&1 == 1 {
			r.Breaks = append(r.Breaks, ds.Rules[i].ID)
		}
	}
	r.ID.TopicID, err = parseTopicID(topicID)
	return r, err
}

// FailingCount counts what one organisation answers for.
type FailingCount struct {
	Unit mulu.OrgCode
	Rows int64
}

// CountFailing counts the rows of a plan by who answers for them, and the rows for which
// the rule's flag is not known: another version judged them.
func (l *Library) CountFailing(ctx context.Context, f plan.Failing, key []byte) (counts []FailingCount, unjudged int64, err error) {
	c, ds, err := l.failing(ctx, &f, key)
	if err != nil {
		return nil, 0, err
	}
	where := c.atFault(&f, ds)
	sql := "SELECT " + c.unit(&f.Unit) + " AS _u, toInt64(count()) AS _n FROM " + c.from(ds) + " WHERE " + where + " GROUP BY _u ORDER BY _u"
	if c.err != nil {
		return nil, 0, fmt.Errorf("count failing rows of %s: %w", f.View.Base, c.err)
	}
	err = l.ask(ctx, &f, sql, c.params, nil, func(rows driver.Rows) error {
		var n FailingCount
		err := rows.Scan((*string)(&n.Unit), &n.Rows)
		counts = append(counts, n)
		return err
	})
	if err != nil || !f.Fault.Flag {
		return counts, 0, err
	}
	c, ds, err = l.failing(ctx, &f, key)
	if err != nil {
		return nil, 0, err
	}
	where = "NOT (" + c.judged(ds) + ")"
	if narrow := c.narrowed(&f); narrow != "" {
		where += " AND " + narrow
	}
	err = l.ask(ctx, &f, "SELECT toInt64(count()) FROM "+c.from(ds)+" WHERE "+where, c.params, nil, func(rows driver.Rows) error { return rows.Scan(&unjudged) })
	return counts, unjudged, err
}

// ExportColumns is what EachFailing puts before the items of a row: token, group, unit,
// topic, partition, offset, row, batch, the row rules it breaks with spaces between, and
// the version that judged it when it came.
const ExportColumns = 10

// EachFailing hands every row of a plan on, by unit and then by key, as text; null is "".
// The engine writes them as fast as they are taken: give it a disk to write to, never a
// client. The slice is the callee's until it returns.
func (l *Library) EachFailing(ctx context.Context, f plan.Failing, key []byte, row func(cells []string) error) error {
	c, ds, err := l.failing(ctx, &f, key)
	if err != nil {
		return err
	}
	where := c.atFault(&f, ds)
	sel := []string{c.rowToken(ds), c.groupToken(&f), c.unit(&f.Unit) + " AS _u", c.baseColumn(mulu.ColTopic), c.baseColumn(mulu.ColPartition), c.baseColumn(mulu.ColOffset),
		c.baseColumn(mulu.ColRow), c.baseColumn(mulu.ColBatch), c.broken(ds), c.baseColumn(mulu.ColRuleset)}
	shown, _ := c.shown(f.Items)
	for i, x := range shown {
		sel = append(sel, "coalesce(toString("+x+"), '') AS _v"+strconv.Itoa(i))
	}
	sql := "SELECT " + strings.Join(sel, ", ") + " FROM " + c.from(ds) + " WHERE " + where + " ORDER BY _u, " + c.keyOrder(ds)
	if c.err != nil {
		return fmt.Errorf("export failing rows of %s: %w", f.View.Base, c.err)
	}
	settings := failingSettings(&f)
	settings["max_bytes_before_external_sort"] = exportSortBytes
	if err := l.eachLine(clickhouse.Context(ctx, clickhouse.WithSettings(settings), clickhouse.WithParameters(c.params)), sql, len(sel), row); err != nil {
		return fmt.Errorf("export failing rows of %s: %w", f.View.Base, err)
	}
	return nil
}

// exportSortBytes is what an export may sort in memory before it goes to disk.
const exportSortBytes = 128 << 20

// broken are the ids of the row rules a row breaks, with spaces between.
func (c *compiler) broken(ds *mulu.Dataset) string {
	if len(ds.Rules) == 0 {
		return "''"
	}
	ids := make([]string, len(ds.Rules))
	for i := range ds.Rules {
		ids[i] = string(ds.Rules[i].ID)
	}
	return "arrayStringConcat(arrayMap(b -> " + c.set(ids) + "[b + 1], bitPositionsToArray(" + c.flags(ds) + ")), ' ')"
}
