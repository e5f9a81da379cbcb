package quality

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"regexp"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
	"mulu/plan/expr"
)

// compileCondition parses a boolean expression over a dataset's items and makes it ready.
func compileCondition(text string, ds *mulu.Dataset) (condition, error) {
	n, err := expr.Parse(text, expr.Columns(ds))
	if err != nil {
		return nil, err
	}
	return (&compiler{ds}).condition(n)
}

// compiler turns the nodes of an expression into functions on batches: conditions work
// a column at a time, the values they compare row by row (values.go).
type compiler struct{ ds *mulu.Dataset }

// conditions compile the operations that are true or false.
var conditions map[expr.Op]func(*compiler, *expr.Node) (condition, error)

func init() { // the walk comes back to the table
	conditions = map[expr.Op]func(*compiler, *expr.Node) (condition, error){
		expr.OpField:      (*compiler).boolField,
		expr.OpLiteral:    (*compiler).boolLiteral,
		expr.OpAnd:        (*compiler).logic,
		expr.OpOr:         (*compiler).logic,
		expr.OpNot:        (*compiler).not,
		expr.OpIsNull:     (*compiler).isNull,
		expr.OpEq:         (*compiler).comparison,
		expr.OpNe:         (*compiler).comparison,
		expr.OpLt:         (*compiler).comparison,
		expr.OpLe:         (*compiler).comparison,
		expr.OpGt:         (*compiler).comparison,
		expr.OpGe:         (*compiler).comparison,
		expr.OpIn:         (*compiler).in,
		expr.OpStartsWith: affix(bytes.HasPrefix),
		expr.OpEndsWith:   affix(bytes.HasSuffix),
		expr.OpContains:   affix(bytes.Contains),
		expr.OpMatches:    (*compiler).matches,
	}
}

func (c *compiler) condition(n *expr.Node) (condition, error) {
	f := conditions[n.Op]
	if f == nil || n.Type != mulu.Bool {
		return nil, fmt.Errorf("条件中不能使用 %q: %w", n.Op, mulu.ErrInvalid)
	}
	return f(c, n)
}

// column is the position of a field.
func (c *compiler) column(n *expr.Node) (int, error) {
	if i := c.ds.Column(n.Field); n.Op == expr.OpField && i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("没有数据项 %q: %w", n.Field, mulu.ErrInvalid)
}

func (c *compiler) boolField(n *expr.Node) (condition, error) {
	col, err := c.column(n)
	return func(b *batch) truth {
		a := b.rec.Column(col).(*array.Boolean)
		return decide(present(a), b.n, a.Value)
	}, err
}

func (c *compiler) boolLiteral(n *expr.Node) (condition, error) {
	v, ok := n.Value.(bool)
	if !ok {
		return nil, fmt.Errorf("条件的值应为 true 或 false: %w", mulu.ErrInvalid)
	}
	return func(b *batch) truth {
		if t := (truth{full(b.n), make(bitmap, (b.n+63)/64)}); v {
			return t
		} else {
			return t.not()
		}
	}, nil
}

func (c *compiler) logic(n *expr.Node) (condition, error) {
	parts := make([]condition, len(n.Args))
	for i := range n.Args {
		var err error
		if parts[i], err = c.condition(&n.Args[i]); err != nil {
			return nil, err
		}
	}
	join := truth.and
	if n.Op == expr.OpOr {
		join = truth.or
	}
	return func(b *batch) truth {
		t := parts[0](b)
		for _, p := range parts[1:] {
			join(t, p(b))
		}
		return t
	}, nil
}

func (c *compiler) not(n *expr.Node) (condition, error) {
	inner, err := c.condition(&n.Args[0])
	return func(b *batch) truth { return inner(b).not() }, err
}

// isNull is never unknown.
func (c *compiler) isNull(n *expr.Node) (condition, error) {
	known, err := c.known(&n.Args[0])
	return func(b *batch) truth {
		here := known(b)
		gone := full(b.n)
		for w := range gone {
			gone[w] &^= here[w]
		}
		return truth{gone, here}
	}, err
}

// known gives the rows for which a node has a value.
func (c *compiler) known(n *expr.Node) (func(*batch) bitmap, error) {
	if n.Op == expr.OpField {
		col, err := c.column(n)
		return func(b *batch) bitmap { return present(b.rec.Column(col)) }, err
	}
	if n.Type == mulu.Bool {
		inner, err := c.condition(n)
		return func(b *batch) bitmap {
			t := inner(b)
			for w := range t.yes {
				t.yes[w] |= t.no[w]
			}
			return t.yes
		}, err
	}
	at, err := c.knownAt(n)
	return func(b *batch) bitmap {
		f := at(b)
		return ask(b.n, func(i int) (bool, bool) { return f(i), true }).yes
	}, err
}

// verdicts say what an operation makes of an order: less, equal, greater.
var verdicts = map[expr.Op][3]bool{
	expr.OpEq: {false, true, false}, expr.OpNe: {true, false, true},
	expr.OpLt: {true, false, false}, expr.OpLe: {true, true, false}, expr.OpGt: {false, false, true}, expr.OpGe: {false, true, true},
}

// mirrored is the operation with its sides changed.
var mirrored = map[expr.Op]expr.Op{expr.OpEq: expr.OpEq, expr.OpNe: expr.OpNe, expr.OpLt: expr.OpGt, expr.OpLe: expr.OpGe, expr.OpGt: expr.OpLt, expr.OpGe: expr.OpLe}

func (c *compiler) comparison(n *expr.Node) (condition, error) {
	op, x, y := n.Op, &n.Args[0], &n.Args[1]
	if x.Op == expr.OpLiteral && y.Op == expr.OpField {
		op, x, y = mirrored[op], y, x
	}
	if x.Op == expr.OpField && y.Op == expr.OpLiteral && x.Type != mulu.String && x.Type != mulu.Bool {
		return c.fieldWithin(op, x, y)
	}
	switch x.Type {
	case mulu.String:
		return c.compareText(op, x, y)
	case mulu.Bool:
		return c.compareBool(op, x, y)
	case mulu.Date, mulu.DateTime:
		return c.compareInstants(op, x, y)
	}
	return c.compareNumbers(op, x, y)
}

// fieldWithin is the form that most conditions have: a column beside a value. All six
// comparisons ask whether the column's integer lies in a range, or outside it.
func (c *compiler) fieldWithin(op expr.Op, x, y *expr.Node) (condition, error) {
	col, err := c.column(x)
	if err != nil {
		return nil, err
	}
	v, err := unit(y, x)
	if err != nil {
		return nil, err
	}
	lo, hi, invert := interval(op, v)
	return func(b *batch) truth {
		t := rangeOf(b.rec.Column(col), lo, hi)
		if invert {
			return t.not()
		}
		return t
	}, nil
}

// interval holds the integers that a comparison with v is true of; with invert, the
// others. An empty one has lo > hi.
func interval(op expr.Op, v *big.Rat) (lo, hi int64, invert bool) {
	floor := new(big.Int).Div(v.Num(), v.Denom()) // Euclidean: rounds down, Denom is positive
	below, above := floor, new(big.Int).Add(floor, big.NewInt(1))
	if v.IsInt() {
		switch op {
		case expr.OpLt:
			below = new(big.Int).Sub(floor, big.NewInt(1))
		case expr.OpGe:
			above = floor
		}
	}
	switch op {
	case expr.OpLt, expr.OpLe:
		return math.MinInt64, clamp(below), below.Cmp(big.NewInt(math.MinInt64)) < 0
	case expr.OpGt, expr.OpGe:
		if above.Cmp(big.NewInt(math.MaxInt64)) > 0 {
			return 1, 0, false
		}
		return clamp(above), math.MaxInt64, false
	}
	if !v.IsInt() || !floor.IsInt64() {
		return 1, 0, op == expr.OpNe
	}
	return floor.Int64(), floor.Int64(), op == expr.OpNe
}

func clamp(v *big.Int) int64 {
	if v.IsInt64() {
		return v.Int64()
	}
	if v.Sign() < 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}

// rangeOf says of each value whether it lies between lo and hi.
func rangeOf(a arrow.Array, lo, hi int64) truth {
	switch a := a.(type) {
	case *array.Int64:
		return rangeOfValues(a, a.Int64Values(), lo, hi)
	case *array.Date32:
		return rangeOfValues(a, a.Date32Values(), lo, hi)
	case *array.Timestamp:
		return rangeOfValues(a, a.TimestampValues(), lo, hi)
	}
	at := numbers(a)
	return decide(present(a), a.Len(), func(i int) bool { v := at(i); return v >= lo && v <= hi })
}

func rangeOfValues[T ~int32 | ~int64](a arrow.Array, values []T, lo, hi int64) truth {
	t := truth{make(bitmap, (len(values)+63)/64), present(a)}
	for w := range t.yes {
		var word uint64
		for k, v := range values[w*64 : min(w*64+64, len(values))] {
			if int64(v) >= lo && int64(v) <= hi {
				word |= 1 << k
			}
		}
		t.yes[w] = word & t.no[w]
		t.no[w] &^= word
	}
	return t
}

func (c *compiler) compareText(op expr.Op, x, y *expr.Node) (condition, error) {
	is := verdicts[op]
	if v, ok := y.Value.(string); ok && y.Op == expr.OpLiteral {
		want := []byte(v)
		return c.textCondition(x, func() func([]byte) bool {
			if op == expr.OpEq || op == expr.OpNe {
				return func(s []byte) bool { return bytes.Equal(s, want) == is[1] }
			}
			return func(s []byte) bool { return is[bytes.Compare(s, want)+1] }
		})
	}
	xs, err := c.text(x)
	if err != nil {
		return nil, err
	}
	ys, err := c.text(y)
	return func(b *batch) truth {
		f, g := xs(b), ys(b)
		return ask(b.n, func(i int) (bool, bool) {
			s, known := f(i)
			if !known {
				return false, false
			}
			t, known := g(i)
			return known && is[bytes.Compare(s, t)+1], known
		})
	}, err
}

// textCondition judges one text by itself; of a column, value by value as it lies.
func (c *compiler) textCondition(x *expr.Node, make func() func([]byte) bool) (condition, error) {
	if x.Op == expr.OpField {
		col, err := c.column(x)
		return func(b *batch) truth { return textsTruth(b.rec.Column(col).(*array.String), make()) }, err
	}
	xs, err := c.text(x)
	return func(b *batch) truth {
		f, ok := xs(b), make()
		return ask(b.n, func(i int) (bool, bool) {
			s, known := f(i)
			return known && ok(s), known
		})
	}, err
}

func textsTruth(a *array.String, ok func([]byte) bool) truth {
	t := truth{make(bitmap, (a.Len()+63)/64), present(a)}
	offsets, data := textBytes(a)
	for w := range t.yes {
		var word uint64
		for k := range min(64, a.Len()-w*64) {
			if i := w*64 + k; t.no[w]>>k&1 == 1 && ok(data[offsets[i]:offsets[i+1]]) {
				word |= 1 << k
			}
		}
		t.yes[w] = word
		t.no[w] &^= word
	}
	return t
}

func (c *compiler) compareBool(op expr.Op, x, y *expr.Node) (condition, error) {
	xs, err := c.condition(x)
	if err != nil {
		return nil, err
	}
	ys, err := c.condition(y)
	return func(b *batch) truth {
		t, o := xs(b), ys(b)
		for w := range t.yes {
			same, other := t.yes[w]&o.yes[w]|t.no[w]&o.no[w], t.yes[w]&o.no[w]|t.no[w]&o.yes[w]
			t.yes[w], t.no[w] = same, other
		}
		if op == expr.OpNe {
			return t.not()
		}
		return t
	}, err
}

func (c *compiler) compareInstants(op expr.Op, x, y *expr.Node) (condition, error) {
	is := verdicts[op]
	xs, err := c.instant(x)
	if err != nil {
		return nil, err
	}
	ys, err := c.instant(y)
	return func(b *batch) truth {
		f, g := xs(b), ys(b)
		return ask(b.n, func(i int) (bool, bool) {
			v, known := f(i)
			if !known {
				return false, false
			}
			o, known := g(i)
			return known && is[order(v, o)+1], known
		})
	}, err
}

// compareNumbers brings both sides to one scale; Parse saw to it that they fit.
func (c *compiler) compareNumbers(op expr.Op, x, y *expr.Node) (condition, error) {
	is, scale := verdicts[op], max(x.Scale, y.Scale)
	xs, err := c.number(x, scale)
	if err != nil {
		return nil, err
	}
	ys, err := c.number(y, scale)
	return func(b *batch) truth {
		f, g := xs(b), ys(b)
		return ask(b.n, func(i int) (bool, bool) {
			v, known := f(i)
			if !known {
				return false, false
			}
			o, known := g(i)
			return known && is[v.Cmp(o)+1], known
		})
	}, err
}

func order[T int | int64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (c *compiler) in(n *expr.Node) (condition, error) {
	switch set := n.Value.(type) {
	case []string:
		has := among(set)
		return c.textCondition(&n.Args[0], func() func([]byte) bool { return has })
	case []int64:
		known := map[int64]bool{}
		for _, v := range set {
			known[v] = true
		}
		xs, err := c.number(&n.Args[0], 0)
		return func(b *batch) truth {
			f := xs(b)
			return ask(b.n, func(i int) (bool, bool) {
				v, ok := f(i)
				return ok && v.HighBits() == int64(v.LowBits())>>63 && known[int64(v.LowBits())], ok //nolint:gosec // fits, as compared
			})
		}, err
	}
	return nil, fmt.Errorf("in 之后应为文本或整数的列表: %w", mulu.ErrInvalid)
}

// affix compiles the operations on two texts.
func affix(ok func(s, part []byte) bool) func(*compiler, *expr.Node) (condition, error) {
	return func(c *compiler, n *expr.Node) (condition, error) {
		if part, literal := n.Args[1].Value.(string); literal && n.Args[1].Op == expr.OpLiteral {
			want := []byte(part)
			return c.textCondition(&n.Args[0], func() func([]byte) bool {
				return func(s []byte) bool { return ok(s, want) }
			})
		}
		xs, err := c.text(&n.Args[0])
		if err != nil {
			return nil, err
		}
		ys, err := c.text(&n.Args[1])
		return func(b *batch) truth {
			f, g := xs(b), ys(b)
			return ask(b.n, func(i int) (bool, bool) {
				s, known := f(i)
				if !known {
					return false, false
				}
				part, known := g(i)
				return known && ok(s, part), known
			})
		}, err
	}
}

func (c *compiler) matches(n *expr.Node) (condition, error) {
	pattern, _ := n.Args[1].Value.(string)
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, fmt.Errorf("正则表达式有误：%w: %w", err, mulu.ErrInvalid)
	}
	m, err := compileMatcher(pattern)
	if err != nil {
		return nil, err
	}
	return c.textCondition(&n.Args[0], func() func([]byte) bool { return m })
}
