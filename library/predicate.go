package library

import (
	"fmt"
	"strings"

	"mulu"
	"mulu/plan"
)

var operators = map[plan.Op]string{plan.Eq: "=", plan.Ne: "!=", plan.Lt: "<", plan.Le: "<=", plan.Gt: ">", plan.Ge: ">="}

// predicate is the condition as SQL, "" for the empty one. Comparisons with null
// are false, and not turns that into true: the logic has two values.
func (c *compiler) predicate(p *plan.Predicate) string {
	switch {
	case p.Empty():
		return ""
	case p.All != nil:
		return c.list(p.All, " AND ", "1")
	case p.Any != nil:
		return c.list(p.Any, " OR ", "0")
	case p.Not != nil:
		if s := c.predicate(p.Not); s != "" {
			return "NOT coalesce(" + s + ", 0)"
		}
		return "0"
	case p.Expr != nil:
		return c.expression(p.Expr)
	}
	f, err := c.view.Field(p.Field, c.datasets)
	if err != nil {
		c.err = err
		return "0"
	}
	cond := c.comparison(p, f)
	return fmt.Sprintf(cond, c.value(f))
}

func (c *compiler) list(ps []plan.Predicate, op, none string) string {
	if len(ps) == 0 {
		return none
	}
	parts := make([]string, len(ps))
	for i := range ps {
		if parts[i] = c.predicate(&ps[i]); parts[i] == "" {
			parts[i] = "1"
		}
	}
	return "(" + strings.Join(parts, op) + ")"
}

// comparison is a format with one %s for the compared expression.
func (c *compiler) comparison(p *plan.Predicate, f plan.Field) string {
	v, err := p.Bound(f)
	if err != nil {
		c.err = err
		return "0"
	}
	switch p.Op {
	case plan.IsNull:
		return "%s IS NULL"
	case plan.In:
		return "%s IN " + c.set(v.([]string))
	case plan.Prefix:
		return "startsWith(%s, " + c.param("String", v.(string)) + ")"
	}
	typ, _ := engineType(mulu.Column{Name: f.Column, Type: f.Type, Scale: f.Scale}, false)
	return "%s " + operators[p.Op] + " " + c.param(typ, v.(string))
}

// pin notes the conditions that every row of the result meets: equality and
// membership of base columns at the top of the predicate.
func (c *compiler) pin(p *plan.Predicate) {
	for i := range p.All {
		c.pin(&p.All[i])
	}
	if p.Op != plan.Eq && p.Op != plan.In {
		return
	}
	f, err := c.view.Field(p.Field, c.datasets)
	if err != nil || f.Lookup != nil || f.Derived != nil {
		return
	}
	c.pinned[f.Column] = c.comparison(p, f)
}
