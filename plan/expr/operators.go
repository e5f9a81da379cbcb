package expr

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // Asia/Shanghai must be known on a machine without zone files

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"mulu"
)

// symbols types what is written with an operator.
var symbols map[string]func(p *typing, e ast.Expr, args []ast.Expr) (Node, bool)

func init() { // the functions come back to the table
	symbols = map[string]func(p *typing, e ast.Expr, args []ast.Expr) (Node, bool){
		operators.LogicalAnd:    logic(OpAnd),
		operators.LogicalOr:     logic(OpOr),
		operators.LogicalNot:    logic(OpNot),
		operators.Equals:        compare(OpEq),
		operators.NotEquals:     compare(OpNe),
		operators.Less:          compare(OpLt),
		operators.LessEquals:    compare(OpLe),
		operators.Greater:       compare(OpGt),
		operators.GreaterEquals: compare(OpGe),
		operators.Add:           arithmetic(OpAdd),
		operators.Subtract:      arithmetic(OpSub),
		operators.Multiply:      arithmetic(OpMul),
		operators.Negate:        arithmetic(OpNeg),
		operators.In:            (*typing).in,
	}
}

func logic(op Op) func(*typing, ast.Expr, []ast.Expr) (Node, bool) {
	return func(p *typing, _ ast.Expr, args []ast.Expr) (Node, bool) {
		nodes, ok := p.all(args)
		for i := range nodes {
			if ok && nodes[i].Type != mulu.Bool {
				p.fault(args[i], "这里应为真或假的条件，现在是%s / a condition is wanted here", typeTitle(&nodes[i]))
				return Node{}, false
			}
		}
		return Node{Op: op, Type: mulu.Bool, Args: nodes}, ok
	}
}

func compare(op Op) func(*typing, ast.Expr, []ast.Expr) (Node, bool) {
	return func(p *typing, e ast.Expr, args []ast.Expr) (Node, bool) {
		n, ok := p.all(args)
		if !ok {
			return Node{}, false
		}
		if isNull(n[0]) || isNull(n[1]) {
			return p.compareNull(op, e, n)
		}
		return p.comparison(op, e, n)
	}
}

// compareNull makes x == null a question that has an answer.
func (p *typing) compareNull(op Op, e ast.Expr, n []Node) (Node, bool) {
	x := n[0]
	if isNull(x) {
		x = n[1]
	}
	if op != OpEq && op != OpNe || isNull(x) {
		p.fault(e, "null 只能与数据项用 == 或 != 比较 / compare an item with null by == or != only")
		return Node{}, false
	}
	is := Node{Op: OpIsNull, Type: mulu.Bool, Args: []Node{x}}
	if op == OpNe {
		return Node{Op: OpNot, Type: mulu.Bool, Args: []Node{is}}, true
	}
	return is, true
}

func (p *typing) comparison(op Op, e ast.Expr, n []Node) (Node, bool) {
	var err error
	for i := range n {
		if n[i], err = asDay(n[i], n[1-i].Type); err != nil {
			p.fault(e, "%s", err)
			return Node{}, false
		}
	}
	a, b := &n[0], &n[1]
	switch {
	case number(a) && number(b):
		if tooWide(a, b) {
			p.fault(e, "这里的数可能超过 38 位，无法精确比较；请减少乘法 / the numbers may exceed 38 digits")
			return Node{}, false
		}
	case a.Type != b.Type:
		p.fault(e, "左边是%s，右边是%s，不能比较%s / %s and %s do not compare", typeTitle(a), typeTitle(b), mend(a, b), a.Type, b.Type)
		return Node{}, false
	case a.Type == mulu.Bool && op != OpEq && op != OpNe:
		p.fault(e, "真假值只能用 == 或 != 比较 / bools compare by == or != only")
		return Node{}, false
	}
	return Node{Op: op, Type: mulu.Bool, Args: n}, true
}

// mend says how two types that do not compare are usually meant.
func mend(a, b *Node) string {
	for _, pair := range [][2]*Node{{a, b}, {b, a}} {
		x, y := pair[0], pair[1]
		switch {
		case x.Type == mulu.String && number(y) && y.Op == OpLiteral:
			return "；请给右边或左边的值加引号，如 '1'"
		case x.Type == mulu.Date && y.Type == mulu.DateTime:
			return "；请用 date(…) 取日期时间的日期"
		case x.Type == mulu.String && (y.Type == mulu.Date || y.Type == mulu.DateTime):
			return "；请用 date(…) 把文本变为日期"
		}
	}
	return ""
}

// shanghai is where a literal without offset is.
var shanghai = func() *time.Location {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return time.FixedZone("CST", 8*3600) // can not happen: tzdata is linked in
	}
	return loc
}()

// asDay turns a literal into a date or datetime where it is compared with one.
func asDay(n Node, with mulu.Type) (Node, error) {
	if n.Op != OpLiteral || n.Type != mulu.String && (n.Type != mulu.Date || with != mulu.DateTime) {
		return n, nil
	}
	s, _ := n.Value.(string)
	switch with {
	case mulu.Date:
		if d, ok := parseDay(s); ok {
			return Node{Op: OpLiteral, Type: mulu.Date, Value: d}, nil
		}
		return n, fmt.Errorf("%q 不是日期；请写成 '2006-01-02' / not a date", s)
	case mulu.DateTime:
		for _, layout := range []string{"2006-01-02 15:04:05.999", "2006-01-02T15:04:05.999", time.RFC3339Nano, time.DateOnly} {
			if t, err := time.ParseInLocation(layout, s, shanghai); err == nil && t.Nanosecond()%1_000_000 == 0 && inRange(t) {
				return Node{Op: OpLiteral, Type: mulu.DateTime, Value: t.In(shanghai).Format("2006-01-02 15:04:05.000")}, nil
			}
		}
		return n, fmt.Errorf("%q 不是日期时间；请写成 '2006-01-02 15:04:05' / not a datetime", s)
	}
	return n, nil
}

// parseDay reads the two forms of OpDate.
func parseDay(s string) (string, bool) {
	for _, layout := range []string{time.DateOnly, "20060102"} {
		if t, err := time.Parse(layout, s); err == nil && inRange(t) {
			return t.Format(time.DateOnly), true
		}
	}
	return "", false
}

// inRange says whether the library's columns can hold the day.
func inRange(t time.Time) bool { return t.Year() >= 1900 && t.Year() <= 2299 }

func arithmetic(op Op) func(*typing, ast.Expr, []ast.Expr) (Node, bool) {
	return func(p *typing, e ast.Expr, args []ast.Expr) (Node, bool) {
		n, ok := p.all(args)
		if !ok {
			return Node{}, false
		}
		out := Node{Op: op, Type: mulu.Int, Args: n}
		for i := range n {
			if !number(&n[i]) || isNull(n[i]) {
				p.fault(args[i], "加减乘只用于数，现在是%s；日期相差用 days(起, 止) / arithmetic is for numbers", typeTitle(&n[i]))
				return Node{}, false
			}
			if n[i].Type == mulu.Decimal {
				out.Type = mulu.Decimal
			}
		}
		out.Scale = n[0].Scale
		if op == OpMul {
			out.Scale = n[0].Scale + n[1].Scale
		} else if len(n) > 1 {
			out.Scale = max(n[0].Scale, n[1].Scale)
		}
		if tooWide(&out, &out) {
			p.fault(e, "结果可能超过 38 位，无法精确计算；请减少乘法 / the result may exceed 38 digits")
			return Node{}, false
		}
		return out, true
	}
}

// widest is what a Decimal of 38 digits holds.
var widest = new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)

// tooWide says that two numbers, brought to one scale, may not fit.
func tooWide(a, b *Node) bool {
	scale := max(a.Scale, b.Scale)
	return scale > 38 || scaled(a, scale).Cmp(widest) >= 0 || scaled(b, scale).Cmp(widest) >= 0
}

func scaled(n *Node, scale int) *big.Int {
	return new(big.Int).Mul(reach(n), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-n.Scale)), nil))
}

// reach is the largest magnitude a number can have, in units of its last digit.
func reach(n *Node) *big.Int {
	switch n.Op {
	case OpLiteral:
		if v, ok := n.Value.(int64); ok {
			return new(big.Int).Abs(big.NewInt(v))
		}
		v, _ := new(big.Int).SetString(strings.NewReplacer(".", "", "-", "").Replace(n.Value.(string)), 10)
		return v
	case OpField:
		if n.Type == mulu.Decimal {
			return new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil)
		}
		return new(big.Int).Lsh(big.NewInt(1), 63)
	case OpNeg:
		return reach(&n.Args[0])
	case OpMul:
		return new(big.Int).Mul(reach(&n.Args[0]), reach(&n.Args[1]))
	case OpAdd, OpSub:
		return new(big.Int).Add(scaled(&n.Args[0], n.Scale), scaled(&n.Args[1], n.Scale))
	}
	return big.NewInt(1 << 32) // lengths, years, days
}

// in is a membership in a list of literals. Text and whole numbers are a set; of other
// types each value is compared by itself.
func (p *typing) in(e ast.Expr, args []ast.Expr) (Node, bool) {
	x, ok := p.node(args[0])
	if args[1].Kind() != ast.ListKind {
		p.fault(args[1], "in 之后应为列表，如 ['1', '2'] / a list stands after in")
		return Node{}, false
	}
	list := args[1].AsList().Elements()
	if len(list) == 0 || len(list) > MaxSet {
		p.fault(args[1], "列表应有 1 至 %d 个值 / 1 to %d values", MaxSet, MaxSet)
		return Node{}, false
	}
	var texts []string
	var numbers []int64
	var each []Node
	for _, el := range list {
		v, good := p.node(el)
		if !good || !ok {
			ok = false
			continue
		}
		if v.Op != OpLiteral || isNull(v) {
			p.fault(el, "列表中只能写值 / a list holds literals")
			ok = false
			continue
		}
		c, good := p.comparison(OpEq, el, []Node{x, v})
		if !good {
			ok = false
			continue
		}
		each = append(each, c)
		switch v := c.Args[1].Value.(type) {
		case int64:
			numbers = append(numbers, v)
		case string:
			texts = append(texts, v)
		}
	}
	if !ok {
		return Node{}, false
	}
	switch {
	case x.Type == mulu.String:
		return set(x, texts), true
	case x.Type == mulu.Int && len(numbers) == len(list):
		return set(x, numbers), true
	case len(each) == 1:
		return each[0], true
	}
	return Node{Op: OpOr, Type: mulu.Bool, Args: each}, true
}

func set[T string | int64](x Node, values []T) Node {
	slices.Sort(values)
	return Node{Op: OpIn, Type: mulu.Bool, Args: []Node{x}, Value: slices.Compact(values)}
}

func number(n *Node) bool { return n.Type == mulu.Int || n.Type == mulu.Decimal }

func isNull(n Node) bool { return n.Op == OpLiteral && n.Value == nil }

// titles of types, as people who write rules know them.
var titles = map[mulu.Type]string{
	mulu.String: "文本", mulu.Int: "整数", mulu.Decimal: "小数", mulu.Date: "日期", mulu.DateTime: "日期时间", mulu.Bool: "真假",
}

func typeTitle(n *Node) string {
	if isNull(*n) {
		return "空值 null"
	}
	return titles[n.Type]
}
