package check

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

func truth(v Value) (is, known bool) {
	return v.isNumber() && v.number() != 0, v.Kind != Null
}

func negated(x node) node {
	return func(c []*Column, i int) (Value, error) {
		v, err := x(c, i)
		is, known := truth(v)
		if err != nil || !known {
			return Value{}, err
		}
		return boolValue(!is), nil
	}
}

// both and either follow Kleene's tables.
func both(x, y node) node {
	return func(c []*Column, i int) (Value, error) {
		a, err := x(c, i)
		if err != nil {
			return Value{}, err
		}
		ai, ak := truth(a)
		if ak && !ai {
			return boolValue(false), nil
		}
		b, err := y(c, i)
		bi, bk := truth(b)
		if err != nil || bk && !bi {
			return boolValue(false), err
		}
		if !ak || !bk {
			return Value{}, nil
		}
		return boolValue(true), nil
	}
}

func either(x, y node) node { return negated(both(negated(x), negated(y))) }

var comparisons = map[string]func(c int) bool{
	"==": func(c int) bool { return c == 0 }, "=": func(c int) bool { return c == 0 },
	"!=": func(c int) bool { return c != 0 }, "<>": func(c int) bool { return c != 0 },
	"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 },
	">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
}

func flipped(x node, not bool) node {
	if not {
		return negated(x)
	}
	return x
}

func matches(x node, m matcher) node {
	return func(c []*Column, i int) (Value, error) {
		v, err := x(c, i)
		if err != nil || v.Kind == Null {
			return Value{}, err
		}
		return boolValue(m([]byte(v.text()))), nil
	}
}

func isNull(x node, want bool) node {
	return func(c []*Column, i int) (Value, error) {
		v, err := x(c, i)
		return boolValue((v.Kind == Null) == want), err
	}
}

// alike brings a text to the kind of what it is compared with.
func alike(a, b Value, d Dialect) (Value, Value) {
	if a.Kind == Text && b.Kind != Text {
		b2, a2 := alike(b, a, d)
		return a2, b2
	}
	if b.Kind != Text || a.Kind == Text {
		return a, b
	}
	if a.isMoment() {
		if m, ok := parseMoment(b.S); ok {
			return a, m
		}
	}
	if d == SQL && a.isNumber() {
		if n := number(strings.TrimSpace(b.S)).value(); n.Kind != Text {
			return a, n
		}
	}
	return a, b
}

func arithmetic(x, y node, op string) node {
	return func(c []*Column, i int) (Value, error) {
		a, err := x(c, i)
		if err != nil {
			return Value{}, err
		}
		b, err := y(c, i)
		if err != nil || a.Kind == Null || b.Kind == Null {
			return Value{}, err
		}
		if a.Kind == Text && b.Kind == Text && op == "+" {
			return textValue(a.S + b.S), nil
		}
		if !a.isNumber() || !b.isNumber() {
			return Value{}, mistyped("条件中的运算 " + op + " 只用于数字")
		}
		if a.Kind != Float && b.Kind != Float {
			switch op {
			case "+":
				return intValue(a.I + b.I), nil
			case "-":
				return intValue(a.I - b.I), nil
			case "*":
				return intValue(a.I * b.I), nil
			}
		}
		f, g := a.number(), b.number()
		switch op {
		case "+":
			f += g
		case "-":
			f -= g
		case "*":
			f *= g
		case "/":
			f /= g
		case "//":
			f = math.Floor(f / g)
		case "%":
			f = math.Mod(math.Mod(f, g)+g, g)
		}
		if math.IsNaN(f) {
			return Value{}, nil
		}
		return floatValue(f), nil
	}
}

func literal(v Value) node { return func([]*Column, int) (Value, error) { return v, nil } }

func momentLiteral(s string) (node, error) {
	v, ok := parseMoment(s)
	if !ok {
		return nil, fmt.Errorf("%q 不是日期", s)
	}
	return literal(v), nil
}

func applied(x node, f func(Value) Value) node {
	return func(c []*Column, i int) (Value, error) {
		v, err := x(c, i)
		if err != nil || v.Kind == Null {
			return Value{}, err
		}
		return f(v), nil
	}
}

var functions = map[string]func(Value) Value{
	"length":      func(v Value) Value { return intValue(int64(utf8.RuneCountInString(v.text()))) },
	"len":         func(v Value) Value { return intValue(int64(utf8.RuneCountInString(v.text()))) },
	"char_length": func(v Value) Value { return intValue(int64(utf8.RuneCountInString(v.text()))) },
	"lower":       func(v Value) Value { return textValue(strings.ToLower(v.text())) },
	"upper":       func(v Value) Value { return textValue(strings.ToUpper(v.text())) },
	"trim":        func(v Value) Value { return textValue(strings.TrimSpace(v.text())) },
	"abs": func(v Value) Value {
		if v.Kind == Int {
			return intValue(max(v.I, -v.I))
		}
		return floatValue(math.Abs(v.number()))
	},
	"date": func(v Value) Value {
		m, ok := v.moment()
		if !ok {
			return Value{}
		}
		return Value{Kind: Date, I: floorDiv(m.micros(), 86_400_000_000)}
	},
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func textMethod(name, s string) (matcher, error) {
	switch name {
	case "startswith":
		return func(v []byte) bool { return strings.HasPrefix(view(v), s) }, nil
	case "endswith":
		return func(v []byte) bool { return strings.HasSuffix(view(v), s) }, nil
	case "match":
		return search(`^(?:` + s + `)`)
	case "fullmatch":
		return search(`^(?:` + s + `)$`)
	}
	return search(s)
}
