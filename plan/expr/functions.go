package expr

import (
	"regexp"

	"cel.dev/cel-go/common/ast"

	"mulu"
)

// function is one that expressions may call. Its arguments are typed before build.
type function struct {
	args  []class
	least int // how many of args must be given
	build func(p *typing, e ast.Expr, n []Node) (Node, bool)
	use   string // how it is written
}

// class is what an argument may be.
type class struct {
	title string
	ok    func(n *Node) bool
}

var (
	aText    = class{"文本", func(n *Node) bool { return n.Type == mulu.String }}
	aDay     = class{"日期或日期时间", func(n *Node) bool { return n.Type == mulu.Date || n.Type == mulu.DateTime }}
	anItem   = class{"数据项或算式", func(n *Node) bool { return !isNull(*n) }}
	aCount   = class{"不小于 0 的整数值", func(n *Node) bool { v, ok := n.Value.(int64); return n.Op == OpLiteral && ok && v >= 0 && v <= 1<<20 }}
	aLiteral = class{"用引号写出的文本", func(n *Node) bool { return n.Op == OpLiteral && n.Type == mulu.String }}
	aMoment  = class{"日期、日期时间或文本", func(n *Node) bool { return n.Type == mulu.String || aDay.ok(n) }}
)

var functions map[string]function

func init() { // field comes back to the walk
	plain := func(op Op, t mulu.Type) func(*typing, ast.Expr, []Node) (Node, bool) {
		return func(_ *typing, _ ast.Expr, n []Node) (Node, bool) { return Node{Op: op, Type: t, Args: n}, true }
	}
	functions = map[string]function{
		"size":       {[]class{aText}, 1, plain(OpLength, mulu.Int), "size(文本)"},
		"startsWith": {[]class{aText, aText}, 2, plain(OpStartsWith, mulu.Bool), "文本.startsWith('前缀')"},
		"endsWith":   {[]class{aText, aText}, 2, plain(OpEndsWith, mulu.Bool), "文本.endsWith('后缀')"},
		"contains":   {[]class{aText, aText}, 2, plain(OpContains, mulu.Bool), "文本.contains('片段')"},
		"matches":    {[]class{aText, aLiteral}, 2, (*typing).matches, "文本.matches('正则表达式')"},
		"substring":  {[]class{aText, aCount, aCount}, 3, (*typing).substring, "文本.substring(起, 止)"},
		"lower":      {[]class{aText}, 1, plain(OpLower, mulu.String), "lower(文本)"},
		"upper":      {[]class{aText}, 1, plain(OpUpper, mulu.String), "upper(文本)"},
		"isNull":     {[]class{anItem}, 1, plain(OpIsNull, mulu.Bool), "isNull(数据项)"},
		"today":      {nil, 0, plain(OpToday, mulu.Date), "today()"},
		"year":       {[]class{aDay}, 1, plain(OpYear, mulu.Int), "year(日期)"},
		"month":      {[]class{aDay}, 1, plain(OpMonth, mulu.Int), "month(日期)"},
		"day":        {[]class{aDay}, 1, plain(OpDay, mulu.Int), "day(日期)"},
		"date":       {[]class{aMoment}, 1, (*typing).date, "date(文本或日期时间)"},
		"days":       {[]class{aDay, aDay}, 2, span(OpDays), "days(起, 止)"},
		"age":        {[]class{aDay, aDay}, 1, span(OpAge), "age(出生日期) 或 age(起, 止)"},
		"field":      {[]class{aLiteral}, 1, (*typing).named, "field('数据项名')"},
	}
}

func (p *typing) function(e ast.Expr, name string, f function, args []ast.Expr) (Node, bool) {
	n, ok := p.all(args)
	if len(args) < f.least || len(args) > len(f.args) {
		p.fault(e, "函数 %s 的用法是 %s / %s takes %d arguments", name, f.use, name, len(f.args))
		return Node{}, false
	}
	if !ok {
		return Node{}, false
	}
	for i := range n {
		if f.args[i].title == aDay.title { // '2026-01-01' will do for a day
			if day, err := asDay(n[i], mulu.Date); err == nil {
				n[i] = day
			}
		}
		if isNull(n[i]) || !f.args[i].ok(&n[i]) {
			p.fault(args[i], "函数 %s 的第 %d 个参数应为%s，现在是%s；用法：%s / argument %d of %s", name, i+1, f.args[i].title, typeTitle(&n[i]), f.use, i+1, name)
			ok = false
		}
	}
	if !ok {
		return Node{}, false
	}
	return f.build(p, e, n)
}

func (p *typing) matches(e ast.Expr, n []Node) (Node, bool) {
	pattern, _ := n[1].Value.(string)
	if len(pattern) > MaxPattern {
		p.fault(e, "正则表达式超过 %d 字节 / the pattern is longer than %d bytes", MaxPattern, MaxPattern)
		return Node{}, false
	}
	if _, err := regexp.Compile(pattern); err != nil {
		p.fault(e, "正则表达式有误：%v / the pattern is not RE2", err)
		return Node{}, false
	}
	return Node{Op: OpMatches, Type: mulu.Bool, Args: n}, true
}

// substring takes CEL's two positions; the node has a count.
func (p *typing) substring(e ast.Expr, n []Node) (Node, bool) {
	from, _ := n[1].Value.(int64)
	to, _ := n[2].Value.(int64)
	if to < from {
		p.fault(e, "substring(起, 止) 的止不能小于起；位置从 0 数起 / the end is before the start")
		return Node{}, false
	}
	n[2].Value = to - from
	return Node{Op: OpSubstring, Type: mulu.String, Args: n}, true
}

func (p *typing) date(e ast.Expr, n []Node) (Node, bool) {
	s, ok := n[0].Value.(string)
	switch {
	case n[0].Type == mulu.Date:
		return n[0], true
	case n[0].Op == OpLiteral && ok:
		d, good := parseDay(s)
		if !good {
			p.fault(e, "%q 不是日期；请写成 '2006-01-02' / not a date", s)
		}
		return Node{Op: OpLiteral, Type: mulu.Date, Value: d}, good
	}
	return Node{Op: OpDate, Type: mulu.Date, Args: n}, true
}

// span is between two days; one alone is until today.
func span(op Op) func(*typing, ast.Expr, []Node) (Node, bool) {
	return func(_ *typing, _ ast.Expr, n []Node) (Node, bool) {
		for i := range n {
			if n[i].Type == mulu.DateTime {
				n[i] = Node{Op: OpDate, Type: mulu.Date, Args: []Node{n[i]}}
			}
		}
		if len(n) == 1 {
			n = append(n, Node{Op: OpToday, Type: mulu.Date})
		}
		return Node{Op: op, Type: mulu.Int, Args: n}, true
	}
}

// named is an item whose name CEL keeps for itself, such as "package".
func (p *typing) named(e ast.Expr, n []Node) (Node, bool) {
	name, _ := n[0].Value.(string)
	return p.field(e, name)
}
