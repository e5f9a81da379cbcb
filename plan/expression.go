package plan

import (
	"errors"

	"mulu"
	"mulu/plan/expr"
)

// arity is how many arguments an operation takes; most -1 is any number.
type arity struct{ least, most int }

var arities = map[expr.Op]arity{
	expr.OpField: {0, 0}, expr.OpLiteral: {0, 0}, expr.OpToday: {0, 0},
	expr.OpAnd: {2, -1}, expr.OpOr: {2, -1}, expr.OpNot: {1, 1}, expr.OpIsNull: {1, 1}, expr.OpIn: {1, 1},
	expr.OpEq: {2, 2}, expr.OpNe: {2, 2}, expr.OpLt: {2, 2}, expr.OpLe: {2, 2}, expr.OpGt: {2, 2}, expr.OpGe: {2, 2},
	expr.OpAdd: {2, 2}, expr.OpSub: {2, 2}, expr.OpMul: {2, 2}, expr.OpNeg: {1, 1},
	expr.OpStartsWith: {2, 2}, expr.OpEndsWith: {2, 2}, expr.OpContains: {2, 2}, expr.OpMatches: {2, 2},
	expr.OpLength: {1, 1}, expr.OpSubstring: {3, 3}, expr.OpLower: {1, 1}, expr.OpUpper: {1, 1},
	expr.OpYear: {1, 1}, expr.OpMonth: {1, 1}, expr.OpDay: {1, 1}, expr.OpDays: {2, 2}, expr.OpAge: {2, 2}, expr.OpDate: {1, 1},
}

// checkExpr says whether an expression is a condition over the view's items: known
// operations with as many arguments as they take, fields as they are typed, values
// in the form of their type.
func checkExpr(n *expr.Node, field func(string) (Field, error)) error {
	if n.Type != mulu.Bool {
		return invalid("expression: its value is %q, not true or false", n.Type)
	}
	return checkNode(n, field)
}

func checkNode(n *expr.Node, field func(string) (Field, error)) error {
	a, ok := arities[n.Op]
	if !ok || len(n.Args) < a.least || a.most >= 0 && len(n.Args) > a.most {
		return invalid("expression: operation %q with %d arguments", n.Op, len(n.Args))
	}
	var errs []error
	switch n.Op {
	case expr.OpField:
		f, err := field(n.Field)
		if err == nil && (f.Type != n.Type || f.Scale != n.Scale) {
			err = invalid("expression: %q is %s, not %s", n.Field, f.Type, n.Type)
		}
		return err
	case expr.OpLiteral:
		return checkLiteral(n)
	case expr.OpIn:
		_, texts := n.Value.([]string)
		_, ints := n.Value.([]int64)
		if t := n.Args[0].Type; !(texts && t == mulu.String) && !(ints && t == mulu.Int) {
			errs = append(errs, invalid("expression: the set of in does not fit %s", t))
		}
	}
	for i := range n.Args {
		errs = append(errs, checkNode(&n.Args[i], field))
	}
	return errors.Join(errs...)
}

func checkLiteral(n *expr.Node) error {
	if n.Value == nil {
		return nil
	}
	p := Predicate{Field: "expression", Op: Eq, Value: n.Value}
	_, err := p.Bound(Field{Type: n.Type, Scale: n.Scale})
	return err
}
