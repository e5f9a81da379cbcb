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

// Summary computes all measures over one dataset's current rows in one scan, joined to
// its lookups. Each map has the measures by their As (float64, nil where there was
// nothing to measure, or []float64) and the group columns by name (as in Rows). Without groups there is exactly one map.
func (l *Library) Summary(ctx context.Context, s plan.Summary) ([]map[string]any, error) {
	if err := s.Validate(l.Dataset); err != nil {
		return nil, fmt.Errorf("summarise %s: %w", s.Dataset, err)
	}
	view := s.View()
	c := newCompiler(&view, l.Dataset, l.now(), nil)
	if s.Day != "" {
		c.today = s.Day
	}
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
	for i := range s.Measures {
		sel = append(sel, c.measure(&s.Measures[i])+" AS _m"+strconv.Itoa(i))
	}
	cuts, cube := c.cuts(s.Cuts)
	sel = append(sel, cuts...)
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
	sql += cube
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
		for i := range s.Cuts {
			m[s.Cuts[i].As] = goValue(dest[len(s.GroupBy)+len(s.Measures)+i], mulu.Int)
		}
		out = append(out, m)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("summarise %s: %w", s.Dataset, err)
	}
	return out, nil
}
