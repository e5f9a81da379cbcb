package library

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"mulu"
	"mulu/plan"
)

// compiled is one statement over exactly the items a plan names. Values are in
// params, never in sql.
type compiled struct {
	sql     string
	params  clickhouse.Parameters
	columns []Column
}

// Column is one column of a result: Type is what its values are after masking.
type Column struct {
	Name string
	Type mulu.Type
}

// compiler turns one plan into SQL. Every identifier comes from an applied
// dataset; aliases start with "_", which no column and no item may.
type compiler struct {
	datasets plan.Datasets
	view     *plan.View
	today    string
	key      []byte
	params   clickhouse.Parameters
	pinned   map[string]string // base column → condition on "%s" that holds for every row
	used     map[string]map[string]bool
	column   func(name string) string // a column of the base, if it is no table's; nil for a table's
	ruling   *ruling                  // how the base's rows were judged, see know
	beside   string                   // the join that its flags need
	err      error
}

func newCompiler(view *plan.View, datasets plan.Datasets, now time.Time, key []byte) *compiler {
	return &compiler{datasets: datasets, view: view, today: now.In(zone).Format(time.DateOnly), key: key,
		params: clickhouse.Parameters{}, pinned: map[string]string{}, used: map[string]map[string]bool{}}
}

// compile checks p and gives its statement; limit 0 is none.
func compile(p plan.Plan, datasets plan.Datasets, now time.Time, key []byte, limit int64) (*compiled, error) {
	if err := p.Validate(datasets); err != nil {
		return nil, fmt.Errorf("compile plan: %w", err)
	}
	c := newCompiler(&p.View, datasets, now, key)
	out := &compiled{params: c.params}
	base := datasets(p.View.Base)
	c.pin(&p.Where)
	var sel []string
	for _, it := range p.Items {
		f, err := p.View.Field(it.Name, datasets)
		if err != nil {
			return nil, fmt.Errorf("compile plan: %w", err)
		}
		sel = append(sel, c.masked(it.Mask, c.value(f), f)+" AS "+ident(it.Result()))
		typ := f.Type
		if it.Mask != plan.Clear {
			typ = mulu.String
		}
		out.columns = append(out.columns, Column{it.Result(), typ})
	}
	where := c.predicate(&p.Where)
	var order []string
	if p.OrderByKey {
		for _, k := range base.Key {
			order = append(order, c.baseColumn(k))
		}
	}
	var b strings.Builder
	b.WriteString("SELECT " + strings.Join(sel, ", ") + " FROM " + c.from(base))
	if where != "" {
		b.WriteString(" WHERE " + where)
	}
	if order != nil {
		b.WriteString(" ORDER BY " + strings.Join(order, ", "))
	}
	if limit > 0 {
		b.WriteString(" LIMIT " + strconv.FormatInt(limit, 10))
	}
	out.sql = b.String()
	return out, c.err
}

// from is the base with its lookups, after every item and condition has said which
// columns it uses. PREWHERE holds key columns only: all rows of one key share them,
// so FINAL still sees every version of a key (engines: 7× faster with many parts).
func (c *compiler) from(base *mulu.Dataset) string {
	table := ident(base.Library) + "." + ident(string(base.Code))
	if len(c.view.Lookups) == 0 && c.beside == "" {
		// Qualified: a bare name would mean the masked item of that name.
		return table + " AS _base FINAL" + c.prewhere("_base.", base, base.Key, base.Key)
	}
	for _, l := range c.view.Lookups {
		for _, k := range l.On {
			c.use("", k)
		}
	}
	var b strings.Builder
	b.WriteString("(SELECT " + idents(c.usedColumns("")) + " FROM " + table + " FINAL" + c.prewhere("", base, base.Key, base.Key) + ") AS _base" + c.beside)
	for i := range c.view.Lookups {
		l := &c.view.Lookups[i]
		if cols, ok := c.used[l.Name]; ok {
			b.WriteString(c.join(l, "_l"+strconv.Itoa(i), len(cols) > 0))
		}
	}
	return b.String()
}

// prewhere are the conditions that are pinned on columns of the base (on) and hold for
// the key columns of a table that equal them (to), and that its rows were not truncated.
func (c *compiler) prewhere(alias string, ds *mulu.Dataset, on, to []string) string {
	var conds []string
	if cond := above(ds, alias); cond != "" {
		conds = append(conds, cond)
	}
	for _, k := range ds.Key {
		if i := slices.Index(to, k); i >= 0 && c.pinned[on[i]] != "" {
			conds = append(conds, fmt.Sprintf(c.pinned[on[i]], alias+ident(k)))
		}
	}
	if conds == nil {
		return ""
	}
	return " PREWHERE " + strings.Join(conds, " AND ")
}

// join is one lookup. Conditions that pin the join columns are repeated inside, so
// that a point read does not read the whole lookup.
func (c *compiler) join(l *plan.Lookup, alias string, columns bool) string {
	ds, to := c.datasets(l.Dataset), l.There()
	keys, on := make([]string, len(to)), make([]string, len(to))
	for i, k := range to {
		keys[i] = ident(k)
		on[i] = "_base." + ident(l.On[i]) + " = " + alias + "." + ident(k)
	}
	by := strings.Join(keys, ", ")
	from := " FROM " + ident(ds.Library) + "." + ident(string(ds.Code)) + " FINAL" + c.prewhere("", ds, l.On, to)
	var rest []string
	for i, k := range to {
		if cond, ok := c.pinned[l.On[i]]; ok && !slices.Contains(ds.Key, k) {
			rest = append(rest, fmt.Sprintf(cond, ident(k)))
		}
	}
	if rest != nil {
		from += " WHERE " + strings.Join(rest, " AND ")
	}
	sub := ""
	switch l.Kind {
	case plan.Latest:
		want := keys
		for _, col := range c.usedColumns(l.Name) {
			if !slices.Contains(to, col) {
				want = append(want, ident(col))
			}
		}
		order := ""
		if l.OrderBy != "" {
			order = ", " + ident(l.OrderBy) + " DESC NULLS LAST"
		}
		sub = "SELECT " + strings.Join(want, ", ") + ", 1 AS _hit" + from + " ORDER BY " + by + order + ", _version DESC LIMIT 1 BY " + by
	case plan.Exists:
		sub = "SELECT " + by + ", 1 AS _hit" + from + " GROUP BY " + by
	case plan.Count:
		sub = "SELECT " + by + ", count() AS _n" + from + " GROUP BY " + by
	}
	return " LEFT JOIN (" + sub + ") AS " + alias + " ON " + strings.Join(on, " AND ")
}

func (c *compiler) use(lookup, col string) {
	if c.used[lookup] == nil {
		c.used[lookup] = map[string]bool{}
	}
	if col != "" {
		c.used[lookup][col] = true
	}
}

func (c *compiler) usedColumns(lookup string) []string {
	out := make([]string, 0, len(c.used[lookup]))
	for col := range c.used[lookup] {
		out = append(out, col)
	}
	slices.Sort(out)
	return out
}

func (c *compiler) baseColumn(name string) string {
	if c.column != nil {
		return c.column(name)
	}
	c.use("", name)
	return "_base." + ident(name)
}

// value is the unmasked expression of a field.
func (c *compiler) value(f plan.Field) string {
	switch {
	case f.Derived != nil:
		x := c.baseColumn(f.Derived.From)
		if f.Derived.Kind == "age" {
			return c.age(x, f.Derived.AsOf)
		}
		return "toInt64(dateDiff('day', toDate32(" + x + "), " + c.asOf(f.Derived.AsOf) + "))"
	case f.Lookup == nil:
		return c.baseColumn(f.Column)
	}
	alias := ""
	for i := range c.view.Lookups {
		if &c.view.Lookups[i] == f.Lookup {
			alias = "_l" + strconv.Itoa(i)
		}
	}
	c.use(f.Lookup.Name, f.Column)
	switch f.Lookup.Kind {
	case plan.Exists:
		return "CAST(coalesce(" + alias + "._hit, 0) AS Bool)"
	case plan.Count:
		return "toInt64(coalesce(" + alias + "._n, 0))"
	}
	return alias + "." + ident(f.Column)
}

// age is whole years (周岁): the birthday itself completes the year.
func (c *compiler) age(x, asOf string) string {
	return "toInt64(age('year', toDate32(" + x + "), " + c.asOf(asOf) + "))"
}

func (c *compiler) asOf(d string) string {
	if d == "today" {
		d = c.today
	}
	return c.param("Date32", d)
}

func (c *compiler) tokenKey() string {
	if len(c.key) == 0 {
		c.err = fmt.Errorf("compile plan: a token mask needs the scenario's key: %w", mulu.ErrInvalid)
	}
	c.params["_key"] = hex.EncodeToString(c.key)
	return "{_key:String}"
}

// param binds a value and gives its place in the statement.
func (c *compiler) param(typ, v string) string {
	name := "p" + strconv.Itoa(len(c.params))
	c.params[name] = escape(v)
	return "{" + name + ":" + typ + "}"
}

// escape writes a value as the engine reads one: tab-separated text.
var paramEscaper = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`)

func escape(s string) string { return paramEscaper.Replace(s) }

var setEscaper = strings.NewReplacer(`\`, `\\`, "'", `\'`)

// set binds a set of text as an array literal.
func (c *compiler) set(vs []string) string {
	q := make([]string, len(vs))
	for i, v := range vs {
		q[i] = "'" + setEscaper.Replace(v) + "'"
	}
	name := "p" + strconv.Itoa(len(c.params))
	c.params[name] = "[" + strings.Join(q, ",") + "]"
	return "{" + name + ":Array(String)}"
}
