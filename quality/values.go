package quality

import (
	"fmt"
	"math/big"
	"time"
	_ "time/tzdata" // Asia/Shanghai must be known on a machine without zone files

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"mulu"
	"mulu/plan/expr"
	"mulu/quality/ident"
)

// The values of an expression, row by row. Each is bound to a batch once, so that
// nothing is allocated per row. Instants are days of a date, milliseconds of a datetime.
type (
	textValue    = func(*batch) func(i int) ([]byte, bool)
	numberValue  = func(*batch) func(i int) (decimal128.Num, bool)
	instantValue = func(*batch) func(i int) (int64, bool)
)

var (
	textOps    map[expr.Op]func(*compiler, *expr.Node) (textValue, error)
	numberOps  map[expr.Op]func(*compiler, *expr.Node) (numberValue, error)
	instantOps map[expr.Op]func(*compiler, *expr.Node) (instantValue, error)
)

func init() { // the walk comes back to the tables
	textOps = map[expr.Op]func(*compiler, *expr.Node) (textValue, error){
		expr.OpField: (*compiler).textField, expr.OpLiteral: (*compiler).textLiteral, expr.OpSubstring: (*compiler).substring,
		expr.OpLower: letters('A', 'Z'), expr.OpUpper: letters('a', 'z'),
	}
	numberOps = map[expr.Op]func(*compiler, *expr.Node) (numberValue, error){
		expr.OpField: (*compiler).numberField, expr.OpLiteral: (*compiler).numberLiteral,
		expr.OpAdd: (*compiler).sum, expr.OpSub: (*compiler).sum, expr.OpMul: (*compiler).product, expr.OpNeg: (*compiler).negative,
		expr.OpLength: (*compiler).length, expr.OpYear: (*compiler).part, expr.OpMonth: (*compiler).part, expr.OpDay: (*compiler).part,
		expr.OpDays: (*compiler).span, expr.OpAge: (*compiler).span,
	}
	instantOps = map[expr.Op]func(*compiler, *expr.Node) (instantValue, error){
		expr.OpField: (*compiler).instantField, expr.OpLiteral: (*compiler).instantLiteral,
		expr.OpToday: (*compiler).today, expr.OpDate: (*compiler).date,
	}
}

func unsaid(n *expr.Node) error {
	return fmt.Errorf("表达式中不能使用 %q: %w", n.Op, mulu.ErrInvalid)
}

func (c *compiler) text(n *expr.Node) (textValue, error) {
	if f := textOps[n.Op]; f != nil && n.Type == mulu.String {
		return f(c, n)
	}
	return nil, unsaid(n)
}

func (c *compiler) instant(n *expr.Node) (instantValue, error) {
	if f := instantOps[n.Op]; f != nil && (n.Type == mulu.Date || n.Type == mulu.DateTime) {
		return f(c, n)
	}
	return nil, unsaid(n)
}

// number gives a number in units of 10^-scale, which is at least its own.
func (c *compiler) number(n *expr.Node, scale int) (numberValue, error) {
	f := numberOps[n.Op]
	if f == nil || n.Type != mulu.Int && n.Type != mulu.Decimal || scale < n.Scale {
		return nil, unsaid(n)
	}
	v, err := f(c, n)
	if err != nil || scale == n.Scale {
		return v, err
	}
	by := powerOf10(scale - n.Scale)
	return func(b *batch) func(int) (decimal128.Num, bool) {
		at := v(b)
		return func(i int) (decimal128.Num, bool) {
			x, known := at(i)
			return x.Mul(by), known
		}
	}, nil
}

func powerOf10(n int) decimal128.Num {
	p := decimal128.FromI64(1)
	for range n {
		p = p.Mul(decimal128.FromI64(10))
	}
	return p
}

// knownAt says row by row whether a node that is neither field nor bool has a value.
func (c *compiler) knownAt(n *expr.Node) (func(*batch) func(i int) bool, error) {
	switch n.Type {
	case mulu.String:
		v, err := c.text(n)
		return knownOf(v), err
	case mulu.Int, mulu.Decimal:
		v, err := c.number(n, n.Scale)
		return knownOf(v), err
	}
	v, err := c.instant(n)
	return knownOf(v), err
}

func knownOf[T any](v func(*batch) func(int) (T, bool)) func(*batch) func(int) bool {
	return func(b *batch) func(int) bool {
		at := v(b)
		return func(i int) bool { _, known := at(i); return known }
	}
}

func (c *compiler) textField(n *expr.Node) (textValue, error) {
	col, err := c.column(n)
	return func(b *batch) func(int) ([]byte, bool) {
		a := b.rec.Column(col).(*array.String)
		offsets, data := textBytes(a)
		return func(i int) ([]byte, bool) { return data[offsets[i]:offsets[i+1]], a.IsValid(i) }
	}, err
}

// constant is a value that every row has.
func constant[T any](v T) func(*batch) func(int) (T, bool) {
	return func(*batch) func(int) (T, bool) { return func(int) (T, bool) { return v, true } }
}

func (c *compiler) textLiteral(n *expr.Node) (textValue, error) {
	s, ok := n.Value.(string)
	if !ok {
		return nil, unsaid(n)
	}
	return constant([]byte(s)), nil
}

func (c *compiler) substring(n *expr.Node) (textValue, error) {
	from, ok1 := n.Args[1].Value.(int64)
	count, ok2 := n.Args[2].Value.(int64)
	if !ok1 || !ok2 || from < 0 || count < 0 {
		return nil, unsaid(n)
	}
	xs, err := c.text(&n.Args[0])
	return func(b *batch) func(int) ([]byte, bool) {
		f := xs(b)
		return func(i int) ([]byte, bool) {
			s, known := f(i)
			s = s[skipCharacters(s, from):]
			return s[:skipCharacters(s, count)], known
		}
	}, err
}

// skipCharacters is how many bytes the first n characters of s have.
func skipCharacters(s []byte, n int64) int {
	for i, c := range s {
		if c&0xC0 != 0x80 {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return len(s)
}

// letters changes the case of the ASCII letters from first to last.
func letters(first, last byte) func(*compiler, *expr.Node) (textValue, error) {
	return func(c *compiler, n *expr.Node) (textValue, error) {
		xs, err := c.text(&n.Args[0])
		return func(b *batch) func(int) ([]byte, bool) {
			f, changed := xs(b), []byte(nil)
			return func(i int) ([]byte, bool) {
				s, known := f(i)
				changed = append(changed[:0], s...)
				for k, ch := range changed {
					if ch >= first && ch <= last {
						changed[k] = ch ^ 0x20
					}
				}
				return changed, known
			}
		}, err
	}
}

func (c *compiler) numberField(n *expr.Node) (numberValue, error) {
	col, err := c.column(n)
	return func(b *batch) func(int) (decimal128.Num, bool) {
		a := b.rec.Column(col)
		if d, ok := a.(*array.Decimal128); ok {
			return func(i int) (decimal128.Num, bool) { return d.Value(i), d.IsValid(i) }
		}
		at := numbers(a)
		return func(i int) (decimal128.Num, bool) { return decimal128.FromI64(at(i)), a.IsValid(i) }
	}, err
}

func (c *compiler) numberLiteral(n *expr.Node) (numberValue, error) {
	r, err := unit(n, n)
	if err != nil {
		return nil, err
	}
	return constant(decimal128.FromBigInt(r.Num())), nil
}

// unit is a literal's value in units of what it is compared with: of a number's last
// digit, days or milliseconds.
func unit(literal, with *expr.Node) (*big.Rat, error) {
	switch v := literal.Value.(type) {
	case int64:
		return inDigits(new(big.Rat).SetInt64(v), with.Scale), nil
	case string:
		if with.Type == mulu.Date || with.Type == mulu.DateTime {
			t, err := time.ParseInLocation(map[mulu.Type]string{mulu.Date: time.DateOnly, mulu.DateTime: "2006-01-02 15:04:05.000"}[with.Type], v, shanghai)
			if err != nil {
				return nil, unsaid(literal)
			}
			if with.Type == mulu.Date {
				return new(big.Rat).SetInt64(days(t.Year(), int(t.Month()), t.Day())), nil
			}
			return new(big.Rat).SetInt64(t.UnixMilli()), nil
		}
		if r, ok := new(big.Rat).SetString(v); ok {
			return inDigits(r, with.Scale), nil
		}
	}
	return nil, unsaid(literal)
}

func inDigits(r *big.Rat, scale int) *big.Rat {
	return r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
}

// two gives both sides of an operation on numbers at one scale.
func (c *compiler) two(n *expr.Node, scale func(*expr.Node) int, op func(x, y decimal128.Num) decimal128.Num) (numberValue, error) {
	xs, err := c.number(&n.Args[0], scale(&n.Args[0]))
	if err != nil {
		return nil, err
	}
	ys, err := c.number(&n.Args[1], scale(&n.Args[1]))
	return func(b *batch) func(int) (decimal128.Num, bool) {
		f, g := xs(b), ys(b)
		return func(i int) (decimal128.Num, bool) {
			x, known := f(i)
			y, also := g(i)
			return op(x, y), known && also
		}
	}, err
}

func (c *compiler) sum(n *expr.Node) (numberValue, error) {
	op := decimal128.Num.Add
	if n.Op == expr.OpSub {
		op = decimal128.Num.Sub
	}
	return c.two(n, func(*expr.Node) int { return n.Scale }, op)
}

func (c *compiler) product(n *expr.Node) (numberValue, error) {
	return c.two(n, func(x *expr.Node) int { return x.Scale }, decimal128.Num.Mul)
}

func (c *compiler) negative(n *expr.Node) (numberValue, error) {
	xs, err := c.number(&n.Args[0], n.Scale)
	return func(b *batch) func(int) (decimal128.Num, bool) {
		f := xs(b)
		return func(i int) (decimal128.Num, bool) {
			x, known := f(i)
			return x.Negate(), known
		}
	}, err
}

func (c *compiler) length(n *expr.Node) (numberValue, error) {
	xs, err := c.text(&n.Args[0])
	return func(b *batch) func(int) (decimal128.Num, bool) {
		f := xs(b)
		return func(i int) (decimal128.Num, bool) {
			s, known := f(i)
			return decimal128.FromI64(characters(s)), known
		}
	}, err
}

// part is the year, month or day of an instant, in Shanghai.
func (c *compiler) part(n *expr.Node) (numberValue, error) {
	which := map[expr.Op]int{expr.OpYear: 0, expr.OpMonth: 1, expr.OpDay: 2}[n.Op]
	xs, err := c.dayOf(&n.Args[0])
	return func(b *batch) func(int) (decimal128.Num, bool) {
		f := xs(b)
		return func(i int) (decimal128.Num, bool) {
			v, known := f(i)
			y, m, d := civil(v)
			return decimal128.FromI64([3]int64{y, m, d}[which]), known
		}
	}, err
}

// dayOf is the day of a date or datetime.
func (c *compiler) dayOf(n *expr.Node) (instantValue, error) {
	xs, err := c.instant(n)
	if err != nil || n.Type == mulu.Date {
		return xs, err
	}
	return func(b *batch) func(int) (int64, bool) {
		f := xs(b)
		return func(i int) (int64, bool) {
			v, known := f(i)
			return localDay(v), known
		}
	}, nil
}

// span is the days or whole years between two days.
func (c *compiler) span(n *expr.Node) (numberValue, error) {
	between := func(from, to int64) int64 { return to - from }
	if n.Op == expr.OpAge {
		between = years
	}
	xs, err := c.dayOf(&n.Args[0])
	if err != nil {
		return nil, err
	}
	ys, err := c.dayOf(&n.Args[1])
	return func(b *batch) func(int) (decimal128.Num, bool) {
		f, g := xs(b), ys(b)
		return func(i int) (decimal128.Num, bool) {
			x, known := f(i)
			y, also := g(i)
			if !known || !also {
				return decimal128.Num{}, false
			}
			return decimal128.FromI64(between(x, y)), true
		}
	}, err
}

func (c *compiler) instantField(n *expr.Node) (instantValue, error) {
	col, err := c.column(n)
	return func(b *batch) func(int) (int64, bool) {
		a := b.rec.Column(col)
		at := numbers(a)
		return func(i int) (int64, bool) { return at(i), a.IsValid(i) }
	}, err
}

func (c *compiler) instantLiteral(n *expr.Node) (instantValue, error) {
	r, err := unit(n, n)
	if err != nil {
		return nil, err
	}
	return constant(r.Num().Int64()), nil
}

func (c *compiler) today(*expr.Node) (instantValue, error) {
	return func(b *batch) func(int) (int64, bool) {
		day := b.today()
		return func(int) (int64, bool) { return day, true }
	}, nil
}

// date is the day of a datetime, or of a text that is one.
func (c *compiler) date(n *expr.Node) (instantValue, error) {
	if n.Args[0].Type != mulu.String {
		return c.dayOf(&n.Args[0])
	}
	xs, err := c.text(&n.Args[0])
	return func(b *batch) func(int) (int64, bool) {
		f := xs(b)
		return func(i int) (int64, bool) {
			s, known := f(i)
			if !known {
				return 0, false
			}
			return dayInText(s)
		}
	}, err
}

// dayInText reads 2006-01-02 or 20060102, from 1900 to 2299.
func dayInText(s []byte) (int64, bool) {
	if len(s) == 10 && s[4] == '-' && s[7] == '-' {
		s = []byte{s[0], s[1], s[2], s[3], s[5], s[6], s[8], s[9]}
	}
	if len(s) != 8 {
		return 0, false
	}
	n := 0
	for _, c := range s {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	y, m, d := n/10_000, n/100%100, n%100
	if y < 1900 || y > 2299 || !ident.Day(y, m, d) {
		return 0, false
	}
	return days(y, m, d), true
}

// shanghai is only asked about years before 1992: since then it is UTC+8 all year.
var shanghai = func() *time.Location {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return beijing // can not happen: tzdata is linked in
	}
	return loc
}()

// since1992 is the first millisecond of 1992 in Shanghai.
var since1992 = time.Date(1992, 1, 1, 0, 0, 0, 0, beijing).UnixMilli()

// localDay is the day in Shanghai of Unix milliseconds.
func localDay(ms int64) int64 {
	if ms < since1992 {
		y, m, d := time.UnixMilli(ms).In(shanghai).Date()
		return days(y, int(m), d)
	}
	return (ms + 8*3_600_000) / 86_400_000
}

// civil is the date of a day counted from 1970-01-01, by shifting the year to begin in
// March, so that the leap day is its last.
func civil(day int64) (y, m, d int64) {
	const of400 = 146_097
	day += 719_468 // from 0000-03-01
	era := day / of400
	if day < 0 {
		era = (day - of400 + 1) / of400
	}
	doe := day - era*of400
	yoe := (doe - doe/1460 + doe/36_524 - doe/(of400-1)) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	y, m, d = yoe+era*400, mp+3, doy-(153*mp+2)/5+1
	if m > 12 {
		y, m = y+1, m-12
	}
	return y, m, d
}

// years counts whole years from one day to another, backwards as a negative number.
func years(from, to int64) int64 {
	if from > to {
		return -years(to, from)
	}
	y1, m1, d1 := civil(from)
	y2, m2, d2 := civil(to)
	n := y2 - y1
	if m2 < m1 || m2 == m1 && d2 < d1 {
		n--
	}
	return n
}

// today is the day the batch is judged by, counted from 1970-01-01.
func (b *batch) today() int64 {
	y, m, d := b.asOf.Date()
	return days(y, int(m), d)
}
