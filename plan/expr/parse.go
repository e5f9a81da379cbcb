package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"

	"mulu"
)

// Item is what a name in an expression stands for.
type Item struct {
	Type  mulu.Type
	Scale int // of a decimal
}

// Names resolves a name: a column, or "lookup.column". Its error is shown to whoever
// writes the expression, after the position.
type Names func(name string) (Item, error)

// Columns resolves the data items of a dataset, which is all that a row rule sees.
func Columns(ds *mulu.Dataset) Names {
	return func(name string) (Item, error) {
		if i := ds.Column(name); i >= 0 {
			return Item{Type: ds.Columns[i].Type, Scale: ds.Columns[i].Scale}, nil
		}
		return Item{}, fmt.Errorf("没有数据项 %q / no item %q", name, name)
	}
}

// Fault is one thing wrong with an expression, and where.
type Fault struct {
	Line, Column int // of its first character, from 1
	Message      string
}

func (f *Fault) Error() string {
	if f.Line > 1 {
		return fmt.Sprintf("第 %d 行第 %d 个字：%s", f.Line, f.Column, f.Message)
	}
	return fmt.Sprintf("第 %d 个字：%s", f.Column, f.Message)
}

// Unwrap makes every fault mulu.ErrInvalid.
func (f *Fault) Unwrap() error { return mulu.ErrInvalid }

// The bounds of an expression: what a person writes stays far below, and what a
// program writes can not exhaust the process.
const (
	MaxText    = 2000 // characters
	MaxDepth   = 32   // of parentheses, calls and operators in each other
	MaxPattern = 500  // bytes of a regular expression
	MaxSet     = 1000 // values of an in-list
)

// Parse reads a boolean expression in CEL's syntax (docs/rules.md lists what of it) and
// types it. The error joins every *Fault that was found.
func Parse(text string, names Names) (*Node, error) {
	runes := []rune(text)
	if strings.TrimSpace(text) == "" {
		return nil, &Fault{1, 1, "表达式为空 / the expression is empty"}
	}
	if len(runes) > MaxText {
		return nil, &Fault{1, MaxText + 1, fmt.Sprintf("表达式超过 %d 个字；请拆成几条规则 / longer than %d characters", MaxText, MaxText)}
	}
	cel, err := parser.NewParser(parser.MaxRecursionDepth(MaxDepth), parser.EnableVariadicOperatorASTs(true), parser.ErrorRecoveryLimit(4), parser.ErrorReportingLimit(8))
	if err != nil {
		return nil, fmt.Errorf("make the parser: %w", err)
	}
	tree, faults := cel.Parse(common.NewTextSource(text))
	if found := faults.GetErrors(); len(found) > 0 {
		return nil, syntaxFaults(found, runes)
	}
	p := &typing{info: tree.SourceInfo(), text: runes, names: names}
	n, ok := p.node(tree.Expr())
	if ok && (n.Type != mulu.Bool || isNull(n)) {
		p.fault(tree.Expr(), "表达式的结果应为真或假，现在是%s / must be true or false, is %s", typeTitle(&n), n.Type)
	}
	if err := errors.Join(p.faults...); err != nil {
		return nil, err
	}
	return &n, nil
}

// syntaxFaults says what the parser says, with a hint for what people write most.
func syntaxFaults(found []*common.Error, text []rune) error {
	var out []error
	for _, f := range found {
		line, column := max(f.Location.Line(), 1), max(f.Location.Column()+1, 1)
		say := "写法有误" + hint(text)
		if strings.Contains(f.Message, "recursion") {
			say = fmt.Sprintf("括号、函数或算式套了超过 %d 层；请拆成几条规则", MaxDepth)
		}
		out = append(out, &Fault{line, column, say + " / " + f.Message})
	}
	return errors.Join(out...)
}

// hints are tried in order: what is found outside of quotes, and what to write instead.
var hints = []struct{ found, say string }{
	{"（", "半角括号 ()"}, {"）", "半角括号 ()"}, {"＝", "半角 =="}, {"，", "半角逗号"}, {"“", "半角引号 ''"}, {"‘", "半角引号 ''"},
	{"！", "半角 !"}, {"＞", "半角 >"}, {"＜", "半角 <"}, {"<>", "!= 表示不等"}, {" and ", "&& 表示并且"}, {" AND ", "&& 表示并且"},
	{" or ", "|| 表示或者"}, {" OR ", "|| 表示或者"}, {"not ", "! 表示否"}, {" is ", "== null 或 isNull(…)"}, {" IS ", "== null 或 isNull(…)"}, {" = ", "== 表示相等"}, {"=", "== 表示相等，!= 表示不等"},
}

func hint(text []rune) string {
	bare := unquoted(text)
	for _, h := range hints {
		if h.found == "=" {
			bare = strings.NewReplacer("==", "", "!=", "", ">=", "", "<=", "").Replace(bare)
		}
		if strings.Contains(bare, h.found) {
			return "；请用" + h.say
		}
	}
	return ""
}

// unquoted leaves out what stands in quotes.
func unquoted(text []rune) string {
	var out []rune
	quote := rune(0)
	for _, c := range text {
		switch {
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote == 0:
			out = append(out, c)
		case c == quote:
			quote = 0
		}
	}
	return string(out)
}

// typing turns CEL's tree into nodes. A node that is at fault is reported once, by the
// innermost that is.
type typing struct {
	info   *ast.SourceInfo
	text   []rune
	names  Names
	faults []error
}

func (p *typing) fault(e ast.Expr, format string, args ...any) {
	at := p.info.GetStartLocation(e.ID())
	p.faults = append(p.faults, &Fault{max(at.Line(), 1), max(at.Column()+1, 1), fmt.Sprintf(format, args...)})
}

func (p *typing) node(e ast.Expr) (Node, bool) {
	if f := nodes[e.Kind()]; f != nil {
		return f(p, e)
	}
	p.fault(e, "这里不能使用列表、映射或结构；列表只能写在 in 之后 / lists stand after in only")
	return Node{}, false
}

// nodes has what can be said; every other kind of CEL's expressions can not.
var nodes map[ast.ExprKind]func(*typing, ast.Expr) (Node, bool)

func init() { // the walk below comes back to the table
	nodes = map[ast.ExprKind]func(*typing, ast.Expr) (Node, bool){
		ast.LiteralKind: (*typing).literal,
		ast.IdentKind:   (*typing).ident,
		ast.SelectKind:  (*typing).ident,
		ast.CallKind:    (*typing).call,
	}
}

func (p *typing) literal(e ast.Expr) (Node, bool) {
	switch v := e.AsLiteral().(type) {
	case types.Bool:
		return Node{Op: OpLiteral, Type: mulu.Bool, Value: bool(v)}, true
	case types.Int:
		return Node{Op: OpLiteral, Type: mulu.Int, Value: int64(v)}, true
	case types.String:
		return Node{Op: OpLiteral, Type: mulu.String, Value: string(v)}, true
	case types.Double:
		return p.decimal(e, float64(v) < 0)
	case types.Null:
		return Node{Op: OpLiteral}, true
	}
	p.fault(e, "不支持这种写法的值；可用文本、整数、小数、true、false 和 null / no such literal")
	return Node{}, false
}

// decimal takes a number's digits from the text: as a float64 it is another number.
func (p *typing) decimal(e ast.Expr, negative bool) (Node, bool) {
	r, _ := p.info.GetOffsetRange(e.ID())
	s := p.text[min(max(int(r.Start), 0), len(p.text)):]
	for len(s) > 0 && (s[0] == '-' || s[0] == ' ' || s[0] == '\t' || s[0] == '\n' || s[0] == '\r' || s[0] == '\f') {
		negative = negative || s[0] == '-'
		s = s[1:]
	}
	n := 0
	for n < len(s) && (s[n] == '.' || s[n] >= '0' && s[n] <= '9') {
		n++
	}
	whole, fraction, dotted := strings.Cut(string(s[:n]), ".")
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if !dotted || fraction == "" || n < len(s) && (s[n] == 'e' || s[n] == 'E') || len(whole) > 18 || len(fraction) > 18 {
		p.fault(e, "小数应写成 12.50 这样，整数部分和小数部分各不超过 18 位 / write decimals like 12.50, at most 18 digits on each side")
		return Node{}, false
	}
	value := whole + "." + fraction
	if negative {
		value = "-" + value
	}
	return Node{Op: OpLiteral, Type: mulu.Decimal, Scale: len(fraction), Value: value}, true
}

// ident is a name, or names with dots between.
func (p *typing) ident(e ast.Expr) (Node, bool) {
	name, ok := dotted(e)
	if !ok {
		p.fault(e, "点号前只能是关联的名称，如 death.death_date / only a lookup's name stands before a dot")
		return Node{}, false
	}
	return p.field(e, name)
}

func dotted(e ast.Expr) (string, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return e.AsIdent(), true
	case ast.SelectKind:
		s := e.AsSelect()
		before, ok := dotted(s.Operand())
		return before + "." + s.FieldName(), ok && !s.IsTestOnly()
	}
	return "", false
}

func (p *typing) field(e ast.Expr, name string) (Node, bool) {
	it, err := p.names(name)
	if err != nil {
		p.fault(e, "%s", err)
		return Node{}, false
	}
	return Node{Op: OpField, Type: it.Type, Scale: it.Scale, Field: name}, true
}

// call is an operator or a function; x.f(y) is f(x, y).
func (p *typing) call(e ast.Expr) (Node, bool) {
	c := e.AsCall()
	args := c.Args()
	if c.IsMemberFunction() {
		args = append([]ast.Expr{c.Target()}, args...)
	}
	if f := symbols[c.FunctionName()]; f != nil {
		return f(p, e, args)
	}
	if f, ok := functions[c.FunctionName()]; ok {
		return p.function(e, c.FunctionName(), f, args)
	}
	if say, ok := refused[c.FunctionName()]; ok {
		p.fault(e, "%s", say)
		return Node{}, false
	}
	p.fault(e, "没有函数 %q；可用的有 %s / no function %q", c.FunctionName(), strings.Join(Functions(), "、"), c.FunctionName())
	return Node{}, false
}

// Functions lists the functions that an expression may call, in alphabetical order.
func Functions() []string {
	names := make([]string, 0, len(functions))
	for n := range functions {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// refused are operators that CEL has and rules do not, with what to write instead.
var refused = map[string]string{
	operators.Conditional: "不支持 ? :；“如果甲就要乙”写成 !(甲) || (乙) / no ? :, write !(a) || (b)",
	operators.Divide:      "不支持除法；请把除数乘到另一边 / no division, multiply the other side",
	operators.Modulo:      "不支持取余 / no modulo",
	operators.Index:       "不支持 [ ] 取值；取子串用 x.substring(起, 止) / no index, use x.substring(from, to)",
}

// all types every argument, so that each fault is told at once.
func (p *typing) all(args []ast.Expr) ([]Node, bool) {
	out, ok := make([]Node, len(args)), true
	for i, a := range args {
		n, good := p.node(a)
		out[i], ok = n, ok && good
	}
	return out, ok
}
