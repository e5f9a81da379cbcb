package check

import (
	"fmt"
	"slices"
	"strings"

	"mulu"
)

// Dialect is the language a condition is written in.
type Dialect uint8

// The dialects. GX is Great Expectations' own: col("x") == 1, col("x").notNull().
const (
	SQL Dialect = iota
	Pandas
	GX
)

// Cond is a condition on a row, parsed. In SQL null is unknown; in pandas no comparison
// with null holds but !=.
type Cond struct {
	Text    string
	Columns []string // as they come in eval's row
	dialect Dialect
	eval    node
}

// node gives an expression's value for row i of cols.
type node func(cols []*Column, i int) (Value, error)

// ParseCond parses a condition; its error says what is not understood.
func ParseCond(text string, d Dialect) (*Cond, error) {
	p := &parser{cond: &Cond{Text: text, dialect: d}}
	err := p.lex(text)
	if err == nil {
		p.cond.eval, err = p.or()
	}
	if err == nil && p.at < len(p.toks) {
		err = fmt.Errorf("多余的 %q", p.toks[p.at].text)
	}
	if err != nil {
		return nil, fmt.Errorf("条件 %q 不能理解：%w / condition not understood: %w", text, err, mulu.ErrInvalid)
	}
	return p.cond, nil
}

// rows are those for which the condition is true.
func (c *Cond) rows(cols []*Column, n int) (Bits, error) {
	out := NewBits(n)
	for i := range n {
		v, err := c.eval(cols, i)
		if err != nil {
			return nil, err
		}
		if v.Kind != Null && v.isNumber() && v.number() != 0 {
			out.Set(i)
		}
	}
	return out, nil
}

type parser struct {
	cond *Cond
	toks []token
	at   int
}

func (p *parser) peek() token {
	if p.at < len(p.toks) {
		return p.toks[p.at]
	}
	return token{}
}

// op takes one of the operators or words if it comes next.
func (p *parser) op(texts ...string) string {
	t := p.peek()
	if t.kind != 'o' && t.kind != 'w' {
		return ""
	}
	for _, want := range texts {
		if strings.EqualFold(t.text, want) && (t.kind == 'o') == !isWord(want) {
			p.at++
			return want
		}
	}
	return ""
}

func (p *parser) must(text string) error {
	if p.op(text) == "" {
		return fmt.Errorf("%q 处应为 %q", p.peek().text, text)
	}
	return nil
}

func (p *parser) or() (node, error) {
	left, err := p.and()
	for err == nil && p.op("or", "||", "|") != "" {
		var right node
		if right, err = p.and(); err == nil {
			left = either(left, right)
		}
	}
	return left, err
}

func (p *parser) and() (node, error) {
	left, err := p.not()
	for err == nil && p.op("and", "&&", "&") != "" {
		var right node
		if right, err = p.not(); err == nil {
			left = both(left, right)
		}
	}
	return left, err
}

func (p *parser) not() (node, error) {
	if p.op("not", "~", "!") != "" {
		x, err := p.not()
		return negated(x), err
	}
	return p.comparison()
}

func (p *parser) comparison() (node, error) {
	left, err := p.sum()
	if err != nil {
		return nil, err
	}
	out := node(nil)
	for {
		next, right, err := p.tail(left)
		if err != nil {
			return nil, err
		}
		if next == nil {
			break
		}
		if out == nil {
			out = next
		} else { // 1 < x < 2
			out = both(out, next)
		}
		if right == nil {
			break
		}
		left = right
	}
	if out == nil {
		return left, nil
	}
	return out, nil
}

// tail reads what may follow the left side of a comparison; right is the operand that a
// chained comparison goes on from.
func (p *parser) tail(left node) (cmp, right node, err error) {
	if op := p.op("==", "=", "!=", "<>", "<=", "<", ">=", ">"); op != "" {
		if right, err = p.sum(); err != nil {
			return nil, nil, err
		}
		return p.compared(left, right, op), right, nil
	}
	if op := p.op("!~", "~"); op != "" {
		m, err := p.literalPattern(search)
		return flipped(matches(left, m), op == "!~"), nil, err
	}
	if p.op("is") != "" {
		not := p.op("not") != ""
		if p.op("null", "none") == "" {
			return nil, nil, fmt.Errorf("is 后面应为 null")
		}
		return isNull(left, !not), nil, nil
	}
	not := p.op("not") != ""
	switch p.op("in", "like", "ilike", "between", "rlike", "regexp") {
	case "in":
		cmp, err = p.among(left)
	case "like":
		var m matcher
		m, err = p.literalPattern(func(s string) (matcher, error) { return like(s, false) })
		cmp = matches(left, m)
	case "ilike":
		var m matcher
		m, err = p.literalPattern(func(s string) (matcher, error) { return like(s, true) })
		cmp = matches(left, m)
	case "rlike", "regexp":
		var m matcher
		m, err = p.literalPattern(search)
		cmp = matches(left, m)
	case "between":
		cmp, err = p.between(left)
	default:
		if not {
			err = fmt.Errorf("not 后面应为 in、like 或 between")
		}
	}
	if cmp != nil && err == nil {
		cmp = flipped(cmp, not)
	}
	return cmp, nil, err
}

func (p *parser) between(x node) (node, error) {
	lo, err := p.sum()
	if err == nil {
		err = p.must("and")
	}
	if err != nil {
		return nil, err
	}
	hi, err := p.sum()
	return both(p.compared(x, lo, ">="), p.compared(x, hi, "<=")), err
}

// literalPattern takes a quoted pattern.
func (p *parser) literalPattern(compile func(string) (matcher, error)) (matcher, error) {
	t := p.peek()
	if t.kind != 's' && t.kind != 'd' {
		return nil, fmt.Errorf("%q 处应为引号中的文本", t.text)
	}
	p.at++
	return compile(t.text)
}

// compared compares two operands; a text is read as the number or date it is held
// against, in SQL.
func (p *parser) compared(x, y node, op string) node {
	holds, d := comparisons[op], p.cond.dialect
	return func(c []*Column, i int) (Value, error) {
		a, err := x(c, i)
		if err != nil {
			return Value{}, err
		}
		b, err := y(c, i)
		if err != nil {
			return Value{}, err
		}
		if a.Kind == Null || b.Kind == Null {
			if d == SQL {
				return Value{}, nil
			}
			return boolValue(op == "!="), nil
		}
		a, b = alike(a, b, d)
		n, ok := a.compare(b)
		if !ok {
			if op == "==" || op == "=" || op == "!=" || op == "<>" {
				return boolValue(op[0] == '!' || op == "<>"), nil
			}
			return Value{}, mistyped(fmt.Sprintf("条件 %q 比较 %s 与 %s", p.cond.Text, a.Kind, b.Kind))
		}
		return boolValue(holds(n)), nil
	}
}

func (p *parser) among(x node) (node, error) {
	open := p.op("(", "[")
	if open == "" {
		return nil, fmt.Errorf("in 后面应为列表")
	}
	var items []node
	for p.op(")", "]") == "" {
		item, err := p.sum()
		if err != nil {
			return nil, err
		}
		items = append(items, p.compared(x, item, "=="))
		if p.op(",") == "" && p.peek().text != ")" && p.peek().text != "]" {
			return nil, fmt.Errorf("列表在 %q 处没有结束", p.peek().text)
		}
	}
	out := node(func([]*Column, int) (Value, error) { return boolValue(false), nil })
	for _, item := range items {
		out = either(out, item)
	}
	return out, nil
}

func (p *parser) sum() (node, error) {
	left, err := p.product()
	for err == nil {
		op := p.op("+", "-")
		if op == "" {
			return left, nil
		}
		var right node
		if right, err = p.product(); err == nil {
			left = arithmetic(left, right, op)
		}
	}
	return left, err
}

func (p *parser) product() (node, error) {
	left, err := p.unary()
	for err == nil {
		op := p.op("*", "//", "/", "%")
		if op == "" {
			return left, nil
		}
		var right node
		if right, err = p.unary(); err == nil {
			left = arithmetic(left, right, op)
		}
	}
	return left, err
}

func (p *parser) unary() (node, error) {
	if p.op("-") != "" {
		x, err := p.unary()
		zero := func([]*Column, int) (Value, error) { return intValue(0), nil }
		return arithmetic(zero, x, "-"), err
	}
	x, err := p.primary()
	for err == nil && p.op(".", "::") != "" {
		x, err = p.method(x)
	}
	return x, err
}

// column gives the node of a named column.
func (p *parser) column(name string) node {
	at := slices.Index(p.cond.Columns, name)
	if at < 0 {
		at = len(p.cond.Columns)
		p.cond.Columns = append(p.cond.Columns, name)
	}
	return func(c []*Column, i int) (Value, error) { return c[at].At(i), nil }
}

func (p *parser) primary() (node, error) {
	t := p.peek()
	p.at++
	switch t.kind {
	case 'n':
		return literal(number(t.text).value()), nil
	case 's':
		return literal(textValue(t.text)), nil
	case 'd':
		if p.cond.dialect == SQL {
			return p.column(t.text), nil
		}
		return literal(textValue(t.text)), nil
	case 'b':
		return p.column(t.text), nil
	case 'w':
		return p.word(t.text)
	}
	if t.text == "(" {
		x, err := p.or()
		if err == nil {
			err = p.must(")")
		}
		return x, err
	}
	return nil, fmt.Errorf("%q 不应出现在这里", t.text)
}

// word is a literal, a function or a column.
func (p *parser) word(w string) (node, error) {
	switch strings.ToLower(w) {
	case "true":
		return literal(boolValue(true)), nil
	case "false":
		return literal(boolValue(false)), nil
	case "null", "none", "nan":
		return literal(Value{}), nil
	case "date", "timestamp":
		if t := p.peek(); t.kind == 's' || t.kind == 'd' {
			p.at++
			return momentLiteral(t.text)
		}
	}
	if p.peek().text == "(" && p.peek().kind == 'o' {
		return p.call(strings.ToLower(w))
	}
	return p.column(w), nil
}

// call is a function of one argument, or Great Expectations' col("x").
func (p *parser) call(name string) (node, error) {
	p.at++ // (
	if name == "col" || name == "date" {
		if t := p.peek(); t.kind == 's' || t.kind == 'd' {
			p.at++
			if err := p.must(")"); err != nil {
				return nil, err
			}
			if name == "date" {
				return momentLiteral(t.text)
			}
			return p.column(t.text), nil
		}
	}
	f, ok := functions[name]
	if !ok {
		return nil, fmt.Errorf("没有函数 %s", name)
	}
	x, err := p.or()
	if err == nil {
		err = p.must(")")
	}
	return applied(x, f), err
}

// method is what pandas and Great Expectations write after a column, and SQL's ::type.
func (p *parser) method(x node) (node, error) {
	name := strings.ToLower(p.peek().text)
	p.at++
	switch name {
	case "str":
		if err := p.must("."); err != nil {
			return nil, err
		}
		return p.method(x)
	case "text", "varchar", "int", "integer", "double", "float", "bigint", "numeric":
		return x, nil // compared as what it is held against
	}
	if err := p.must("("); err != nil {
		return nil, err
	}
	switch name {
	case "isnull", "isna", "is_null":
		return isNull(x, true), p.must(")")
	case "notnull", "notna", "isnotnull", "is_not_null":
		return isNull(x, false), p.must(")")
	case "isin":
		y, err := p.among(x)
		if err == nil {
			err = p.must(")")
		}
		return y, err
	case "contains", "match", "startswith", "endswith", "fullmatch":
		m, err := p.literalPattern(func(s string) (matcher, error) { return textMethod(name, s) })
		if err == nil {
			err = p.must(")")
		}
		return matches(x, m), err
	case "len", "lower", "upper":
		return applied(x, functions[name]), p.must(")")
	case "strip":
		return applied(x, functions["trim"]), p.must(")")
	}
	return nil, fmt.Errorf("没有方法 %s", name)
}
