package library

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"mulu"
	"mulu/plan"
)

// Summary computes all measures over one dataset's current rows in one scan. Each
// map has the measures by their As (float64; nil for a max or min of nothing) and
// the group columns by name (as in Rows). Without groups there is exactly one map.
func (l *Library) Summary(ctx context.Context, s plan.Summary) ([]map[string]any, error) {
	if err := s.Validate(l.Dataset); err != nil {
		return nil, fmt.Errorf("summarise %s: %w", s.Dataset, err)
	}
	view := plan.View{Base: s.Dataset}
	c := newCompiler(&view, l.Dataset, l.now(), nil)
	ds := l.Dataset(s.Dataset)
	if err := l.know(ctx, c, ds); err != nil {
		return nil, fmt.Errorf("summarise %s: %w", s.Dataset, err)
	}
	c.pin(&s.Where)
	var sel, by []string
	for _, g := range s.GroupBy {
		by = append(by, c.baseColumn(g))
		sel = append(sel, c.baseColumn(g)+" AS "+ident(g))
	}
	for i, m := range s.Measures {
		sel = append(sel, measure(c, ds, m)+" AS _m"+strconv.Itoa(i))
	}
	where := c.predicate(&s.Where)
	sql := "SELECT " + strings.Join(sel, ", ") + " FROM " + c.from(ds)
	if where != "" {
		sql += " WHERE " + where
	}
	if by != nil {
		limit := s.Limit
		if limit == 0 {
			limit = PageRows
		}
		sql += " GROUP BY " + strings.Join(by, ", ") + " ORDER BY _m0 DESC, " + strings.Join(by, ", ") + " LIMIT " + strconv.FormatInt(limit, 10)
	}
	if c.err != nil {
		return nil, fmt.Errorf("summarise %s: %w", s.Dataset, c.err)
	}
	return l.summarise(ctx, s, ds, sql, c.params)
}

func (l *Library) summarise(ctx context.Context, s plan.Summary, ds *mulu.Dataset, sql string, params clickhouse.Parameters) ([]map[string]any, error) {
	rows, err := l.db.Query(clickhouse.Context(ctx, clickhouse.WithSettings(readSettings()), clickhouse.WithParameters(params)), sql)
	if err != nil {
		return nil, fmt.Errorf("summarise %s: %w", s.Dataset, err)
	}
	defer rows.Close()
	var out []map[string]any
	for rows.Next() {
		dest := make([]any, 0, len(s.GroupBy)+len(s.Measures))
		for _, t := range rows.ColumnTypes() {
			dest = append(dest, reflect.New(t.ScanType()).Interface())
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, fmt.Errorf("summarise %s: %w", s.Dataset, err)
		}
		m := make(map[string]any, len(dest))
		for i, g := range s.GroupBy {
			m[g] = goValue(dest[i], ds.Columns[ds.Column(g)].Type)
		}
		for i := range s.Measures {
			m[s.Measures[i].As] = goValue(dest[len(s.GroupBy)+i], mulu.Decimal)
		}
		out = append(out, m)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("summarise %s: %w", s.Dataset, err)
	}
	return out, nil
}

// measure is one Float64 aggregate. Validate has seen its columns.
func measure(c *compiler, ds *mulu.Dataset, m plan.Measure) string {
	cols := make([]string, len(m.Columns))
	for i, name := range m.Columns {
		cols[i] = c.baseColumn(name)
	}
	e := ""
	switch m.Kind {
	case plan.Rows:
		if e = "count()"; m.Judged {
			e = "countIf(" + c.judged(ds) + ")"
		}
	case plan.NonNull:
		e = "countIf(" + cols[0] + " IS NOT NULL"
		if m.Judged {
			e += " AND " + c.judged(ds)
		}
		e += ")"
	case plan.Distinct:
		e = "uniqExact(" + cols[0] + ")"
		if len(cols) > 1 {
			// A tuple is not null when a part of it is: an address without a lane is an
			// address all the same.
			e = "uniqExact(tuple(" + strings.Join(cols, ", ") + "))"
		}
	case plan.Flag:
		e = "countIf(bitTest(" + c.flags(ds) + ", " + strconv.Itoa(m.Bit) + "))"
	case plan.AnyFlag:
		e = "countIf(" + c.flags(ds) + " != 0)"
	case plan.Max, plan.Min:
		x := cols[0]
		if t := ds.Columns[ds.Column(m.Columns[0])].Type; t == mulu.Date || t == mulu.DateTime {
			x = "toUnixTimestamp64Micro(toDateTime64(" + x + ", 6, 'Asia/Shanghai'))"
		}
		// OrNull: nothing has no maximum.
		return "CAST(" + string(m.Kind) + "OrNull(" + x + ") AS Nullable(Float64))"
	}
	return "toFloat64(" + e + ")"
}
