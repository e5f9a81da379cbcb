package library

import (
	"fmt"
	"strconv"
	"strings"

	"mulu"
	"mulu/plan"
	"mulu/plan/expr"
)

// expression is a typed expression as SQL of the same meaning: null is unknown, and the
// engine's and, or and not follow Kleene's tables as the expression's do. Values are
// bound, also patterns. plan has checked operations and how many arguments they have.
func (c *compiler) expression(n *expr.Node) string {
	switch n.Op {
	case expr.OpField:
		return c.field(n)
	case expr.OpLiteral:
		return c.literal(n)
	case expr.OpToday:
		return c.asOf("today")
	case expr.OpIn:
		return c.among(n)
	case expr.OpDate:
		if n.Args[0].Type != mulu.String {
			return "toDate32(" + c.expression(&n.Args[0]) + ")"
		}
	case expr.OpMatches:
		return "match(" + c.expression(&n.Args[0]) + ", " + c.pattern(&n.Args[1]) + ")"
	}
	if f, ok := comparisons[n.Op]; ok {
		a, b := c.alike(&n.Args[0], &n.Args[1])
		return "(" + a + f + b + ")"
	}
	f, ok := operations[n.Op]
	if !ok {
		c.err = fmt.Errorf("compile expression: operation %q: %w", n.Op, mulu.ErrInvalid)
		return "0"
	}
	args := make([]string, len(n.Args))
	for i := range n.Args {
		args[i] = c.expression(&n.Args[i])
		if f.exact {
			args[i] = exact(args[i], n.Args[i].Scale)
		}
	}
	return f.sql(args)
}

var comparisons = map[expr.Op]string{expr.OpEq: " = ", expr.OpNe: " != ", expr.OpLt: " < ", expr.OpLe: " <= ", expr.OpGt: " > ", expr.OpGe: " >= "}

// operation is how one is written. exact takes numbers as 128-bit decimals, which
// hold what Parse lets through.
type operation struct {
	exact bool
	sql   func(args []string) string
}

var operations = map[expr.Op]operation{
	expr.OpAnd:    {sql: between(" AND ")},
	expr.OpOr:     {sql: between(" OR ")},
	expr.OpNot:    {sql: called("not(%s)")},
	expr.OpIsNull: {sql: called("isNull(%s)")},

	expr.OpAdd: {exact: true, sql: between(" + ")},
	expr.OpSub: {exact: true, sql: between(" - ")},
	expr.OpMul: {exact: true, sql: between(" * ")},
	expr.OpNeg: {exact: true, sql: called("negate(%s)")},

	expr.OpStartsWith: {sql: called("startsWith(%s, %s)")},
	expr.OpEndsWith:   {sql: called("endsWith(%s, %s)")},
	expr.OpContains:   {sql: called("(position(%s, %s) > 0)")},
	expr.OpLength:     {sql: called("toInt64(lengthUTF8(%s))")},
	expr.OpSubstring:  {sql: called("substringUTF8(%s, %s + 1, %s)")},
	expr.OpLower:      {sql: called("lower(%s)")},
	expr.OpUpper:      {sql: called("upper(%s)")},

	expr.OpYear:  {sql: called("toInt64(toYear(toDate32(%s)))")},
	expr.OpMonth: {sql: called("toInt64(toMonth(toDate32(%s)))")},
	expr.OpDay:   {sql: called("toInt64(toDayOfMonth(toDate32(%s)))")},
	expr.OpDays:  {sql: called("toInt64(dateDiff('day', toDate32(%s), toDate32(%s)))")},
	expr.OpAge:   {sql: called("toInt64(age('year', toDate32(%s), toDate32(%s)))")},
	expr.OpDate:  {sql: date},
}

func between(op string) func([]string) string {
	return func(args []string) string { return "(" + strings.Join(args, op) + ")" }
}

func called(format string) func([]string) string {
	return func(args []string) string {
		vs := make([]any, len(args))
		for i := range args {
			vs[i] = args[i]
		}
		return fmt.Sprintf(format, vs...)
	}
}

// date of a text is read digit by digit and must come out again as it went in: the
// engine's own readers carry February 30th over into March.
func date(args []string) string {
	digits := "if(match(" + args[0] + ", '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'), replaceAll(" + args[0] + ", '-', ''), if(match(" + args[0] + ", '^[0-9]{8}$'), " + args[0] + ", NULL))"
	return "arrayElement(arrayMap(_s -> if(formatDateTime(toDate32OrNull(_s), '%Y%m%d') = _s, toDate32OrNull(_s), NULL), [" + digits + "]), 1)"
}

func (c *compiler) field(n *expr.Node) string {
	f, err := c.view.Field(n.Field, c.datasets)
	if err != nil {
		c.err = err
		return "NULL"
	}
	return c.value(f)
}

// literal binds a value as its type.
func (c *compiler) literal(n *expr.Node) string {
	col := mulu.Column{Name: "value", Type: n.Type, Scale: n.Scale}
	if n.Value == nil {
		if typ, err := engineType(col, true); err == nil {
			return "CAST(NULL AS " + typ + ")"
		}
		return "NULL"
	}
	p := plan.Predicate{Field: "expression", Op: plan.Eq, Value: n.Value}
	v, err := p.Bound(plan.Field{Type: n.Type, Scale: n.Scale})
	if err != nil {
		c.err = err
		return "NULL"
	}
	if n.Type == mulu.Decimal {
		// More digits than a column has may stand before the point.
		return c.param("Decimal(38, "+strconv.Itoa(n.Scale)+")", v.(string))
	}
	typ, err := engineType(col, false)
	if err != nil {
		c.err = err
	}
	return c.param(typ, v.(string))
}

// among is membership; the engine's IN does not know what null is in every place.
func (c *compiler) among(n *expr.Node) string {
	x, set := c.expression(&n.Args[0]), ""
	switch v := n.Value.(type) {
	case []string:
		set = c.set(v)
	case []int64:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = strconv.FormatInt(v[i], 10)
		}
		name := "p" + strconv.Itoa(len(c.params))
		c.params[name] = "[" + strings.Join(parts, ",") + "]"
		set = "{" + name + ":Array(Int64)}"
	}
	return "if(isNull(" + x + "), NULL, " + x + " IN " + set + ")"
}

// pattern is RE2's own meaning: in the engine a dot is a line break as well.
func (c *compiler) pattern(n *expr.Node) string {
	v, ok := n.Value.(string)
	if n.Op != expr.OpLiteral || !ok {
		c.err = fmt.Errorf("compile expression: a pattern is a literal: %w", mulu.ErrInvalid)
	}
	return c.param("String", "(?-s)"+v)
}

// alike are two values that the engine compares as the expression does: numbers of
// different forms as decimals of one scale, which hold both.
func (c *compiler) alike(a, b *expr.Node) (string, string) {
	x, y := c.expression(a), c.expression(b)
	number := func(t mulu.Type) bool { return t == mulu.Int || t == mulu.Decimal }
	if !number(a.Type) || !number(b.Type) || simple(a) && simple(b) && a.Type == b.Type && a.Scale == b.Scale {
		return x, y
	}
	scale := max(a.Scale, b.Scale)
	return exact(x, scale), exact(y, scale)
}

// simple says whether a node is in the form of its column's type.
func simple(n *expr.Node) bool { return !operations[n.Op].exact }

// exact is a number as a 128-bit decimal.
func exact(sql string, scale int) string {
	return "toDecimal128(" + sql + ", " + strconv.Itoa(scale) + ")"
}
