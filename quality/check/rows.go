package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// rowTest makes a rule of one column out of a test of its values.
func rowTest(kind, column string, t test) Rule {
	if t.any == nil {
		panic("check: a test needs any")
	}
	return Rule{Kind: kind, Columns: []string{column}, row: func(r *Rows, fail Bits) error { return r.apply(r.Cols[0], t, fail) }}
}

// notNull fails where a value is absent, isNull where it is there.
func notNull(column string) Rule {
	return Rule{Kind: "not_null", Columns: []string{column}, Nulls: KeepAll, row: func(r *Rows, fail Bits) error {
		if v := r.Cols[0].valid; v != nil {
			copy(fail, v)
			fail.invert(r.N)
		}
		return nil
	}}
}

func isNullRule(column string) Rule {
	return Rule{Kind: "null", Columns: []string{column}, Nulls: KeepAll, row: func(r *Rows, fail Bits) error {
		if v := r.Cols[0].valid; v != nil {
			copy(fail, v)
			return nil
		}
		fail.fill(r.N)
		return nil
	}}
}

// bounds are two ends of a range, either of which may be open.
type bounds struct {
	min, max             Value // Null is open
	strictMin, strictMax bool
}

func (b bounds) String() string {
	lo, hi := "[", "]"
	if b.strictMin {
		lo = "("
	}
	if b.strictMax {
		hi = ")"
	}
	end := func(v Value) string {
		if v.Kind == Null {
			return "不限"
		}
		return v.text()
	}
	return lo + end(b.min) + ", " + end(b.max) + hi
}

// has says whether v lies inside; kinds that do not compare are an error.
func (b bounds) has(v Value) (bool, error) {
	if b.min.Kind != Null {
		c, ok := v.compare(b.min)
		if !ok {
			return false, mistyped(fmt.Sprintf("值是 %s，下限是 %s，不能比较", v.Kind, b.min.Kind))
		}
		if c < 0 || c == 0 && b.strictMin {
			return false, nil
		}
	}
	if b.max.Kind != Null {
		c, ok := v.compare(b.max)
		if !ok {
			return false, mistyped(fmt.Sprintf("值是 %s，上限是 %s，不能比较", v.Kind, b.max.Kind))
		}
		if c > 0 || c == 0 && b.strictMax {
			return false, nil
		}
	}
	return true, nil
}

// empty says whether no value can lie inside.
func (b bounds) empty() bool {
	c, ok := b.min.compare(b.max)
	return ok && c > 0
}

// ints gives the smallest and largest whole number inside; ok is false for bounds that
// are no numbers.
func (b bounds) ints() (lo, hi int64, ok bool) {
	lo, hi = math.MinInt64, math.MaxInt64
	if b.min.Kind != Null {
		if !b.min.isNumber() {
			return 0, 0, false
		}
		lo = ceil(b.min)
		if b.strictMin && floatValue(float64(lo)).number() == b.min.number() {
			lo++
		}
	}
	if b.max.Kind != Null {
		if !b.max.isNumber() {
			return 0, 0, false
		}
		hi = -ceil(negative(b.max))
		if b.strictMax && float64(hi) == b.max.number() {
			hi--
		}
	}
	return lo, hi, true
}

func negative(v Value) Value {
	if v.Kind == Float {
		return floatValue(-v.F)
	}
	return intValue(-v.I)
}

func ceil(v Value) int64 {
	if v.Kind != Float {
		return v.I
	}
	switch f := math.Ceil(v.F); {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	default:
		return int64(f)
	}
}

// dates reads bounds that are texts as dates, if they are.
func (b bounds) dates() (bounds, bool) {
	found := false
	for _, end := range []*Value{&b.min, &b.max} {
		if end.Kind == Null {
			continue
		}
		m, ok := end.moment()
		if !ok {
			return b, false
		}
		*end, found = m, true
	}
	return b, found
}

// between fails values outside bounds. Texts are compared as texts unless both ends and
// the value are dates; parse insists on dates.
func between(column string, b bounds, parse bool) Rule {
	dated, isDated := b.dates()
	t := test{any: func(v Value) (bool, error) {
		if isDated && v.isMoment() {
			return dated.has(v)
		}
		if isDated && v.Kind == Text {
			if m, ok := parseMoment(v.S); ok {
				return dated.has(m)
			}
			if parse {
				return false, mistyped("有值不是日期")
			}
		}
		return b.has(v)
	}}
	if lo, hi, ok := b.ints(); ok {
		t.ints = func(v int64) bool { return v >= lo && v <= hi }
		min, max := math.Inf(-1), math.Inf(1)
		if b.min.Kind != Null {
			min = b.min.number()
		}
		if b.max.Kind != Null {
			max = b.max.number()
		}
		t.floats = func(v float64) bool { return v >= min && v <= max }
		if b.strictMin || b.strictMax {
			t.floats = func(v float64) bool {
				return v >= min && v <= max && !(b.strictMin && v == min) && !(b.strictMax && v == max)
			}
		}
	} else if (b.min.Kind == Null || b.min.Kind == Text) && (b.max.Kind == Null || b.max.Kind == Text) && (!isDated || sortable(b)) && !parse {
		// Text against text; dates of year, month, day sort as they are written.
		min, max := []byte(b.min.S), []byte(b.max.S)
		t.bytes = func(v []byte) bool {
			if b.min.Kind != Null {
				if c := bytes.Compare(v, min); c < 0 || c == 0 && b.strictMin {
					return false
				}
			}
			if b.max.Kind != Null {
				if c := bytes.Compare(v, max); c > 0 || c == 0 && b.strictMax {
					return false
				}
			}
			return true
		}
	}
	r := rowTest("range", column, t)
	r.Expected = b.String()
	return r
}

// sortable says whether bounds are written so that order of text is order of time.
func sortable(b bounds) bool {
	for _, v := range []Value{b.min, b.max} {
		if v.Kind == Text {
			if _, ok := isoDate(v.S[:min(10, len(v.S))]); !ok {
				return false
			}
		}
	}
	return true
}

// among fails values that are not in the list (or, not, those that are).
func among(column string, values []Value, not bool) Rule {
	s := newValueSet(values)
	r := rowTest("enum", column, test{
		ints:   func(v int64) bool { return s.ints[v] != not },
		floats: func(v float64) bool { return s.float(v) != not },
		bytes:  s.textTest(not),
		any:    func(v Value) (bool, error) { return s.has(v) != not, nil },
	})
	if not {
		r.Kind = "not_enum"
	}
	return r
}

// valueSet looks values up as equal has it.
type valueSet struct {
	ints    map[int64]bool
	floats  map[float64]bool
	texts   map[string]bool
	moments map[int64]bool
	list    []Value
}

func newValueSet(values []Value) *valueSet {
	s := &valueSet{map[int64]bool{}, map[float64]bool{}, map[string]bool{}, map[int64]bool{}, values}
	for _, v := range values {
		switch {
		case v.Kind == Float:
			s.floats[v.F] = true
			if v.F == math.Trunc(v.F) && math.Abs(v.F) < 1<<53 {
				s.ints[int64(v.F)] = true
			}
		case v.isNumber():
			s.ints[v.I] = true
		case v.isMoment():
			s.moments[v.micros()] = true
		case v.Kind != Null:
			s.texts[v.S] = true
			if m, ok := parseMoment(v.S); ok {
				s.moments[m.micros()] = true
			}
		}
	}
	return s
}

func (s *valueSet) float(v float64) bool {
	return s.floats[v] || v == math.Trunc(v) && math.Abs(v) < 1<<53 && s.ints[int64(v)]
}

func (s *valueSet) has(v Value) bool {
	switch {
	case v.Kind == Float:
		return s.float(v.F)
	case v.isNumber():
		return s.ints[v.I]
	case v.isMoment():
		return s.moments[v.micros()]
	}
	return v.Kind != Null && s.texts[v.S]
}

// textTest compares with few values one by one: that costs less than a hash.
func (s *valueSet) textTest(not bool) func([]byte) bool {
	if len(s.texts) > 8 {
		return func(v []byte) bool { return s.texts[string(v)] != not }
	}
	var list []string
	for t := range s.texts {
		list = append(list, t)
	}
	return func(v []byte) bool {
		for _, t := range list {
			if string(v) == t {
				return !not
			}
		}
		return not
	}
}

// matching fails values in whose text none (any) or not all of the patterns are found;
// not turns it round.
func matching(column string, patterns []matcher, all, not bool) Rule {
	found := func(v []byte) bool {
		for _, m := range patterns {
			if m(v) != all {
				return !all
			}
		}
		return all
	}
	if len(patterns) == 1 {
		found = patterns[0]
	}
	ok := found
	if not {
		ok = func(v []byte) bool { return !found(v) }
	}
	return rowTest("pattern", column, test{bytes: ok, any: func(v Value) (bool, error) { return ok([]byte(v.text())), nil }})
}

// lengthTest wants texts whose number of characters is inside. strict refuses numbers, as
// Python's len does.
func lengthTest(b bounds, strict bool) test {
	lo, hi, _ := b.ints()
	ok := func(v []byte) bool {
		n := int64(len(v))
		if n < lo {
			return false
		}
		if n > hi || lo > 0 {
			n = int64(utf8.RuneCount(v))
		}
		return n >= lo && n <= hi
	}
	return test{bytes: ok, any: func(v Value) (bool, error) {
		if strict && v.isNumber() {
			return false, mistyped("列的值是 " + v.Kind.String() + "，没有长度")
		}
		return ok([]byte(sqlText(v))), nil
	}}
}

func lengths(column string, b bounds, strict bool) Rule {
	r := rowTest("length", column, lengthTest(b, strict))
	r.Expected = b.String()
	return r
}

// pairs is a rule of two columns; ok sees both values, either of which may be null.
func pairs(kind, a, b string, nulls Nulls, ok func(x, y Value) (bool, error)) Rule {
	return Rule{Kind: kind, Columns: []string{a, b}, Nulls: nulls, row: func(r *Rows, fail Bits) error {
		x, y := r.Cols[0], r.Cols[1]
		return r.each(func(i int) error {
			holds, err := ok(x.At(i), y.At(i))
			if err == nil && !holds {
				fail.Set(i)
			}
			return err
		})
	}}
}

// greater wants the first column's value above the second's.
func greater(a, b string, orEqual, parse bool, nulls Nulls) Rule {
	return pairs("order", a, b, nulls, func(x, y Value) (bool, error) {
		if x.Kind == Null || y.Kind == Null {
			return false, nil
		}
		if parse || x.isMoment() || y.isMoment() {
			if m, ok := x.moment(); ok {
				if n, ok := y.moment(); ok {
					x, y = m, n
				}
			}
		}
		c, ok := x.compare(y)
		if !ok {
			return false, mistyped(fmt.Sprintf("两列的值是 %s 与 %s，不能比较", x.Kind, y.Kind))
		}
		return c > 0 || c == 0 && orEqual, nil
	})
}

// sums wants the columns of a row to add up to a total.
func sums(columns []string, total float64, nulls Nulls) Rule {
	return Rule{Kind: "sum_of", Columns: columns, Nulls: nulls, row: func(r *Rows, fail Bits) error {
		return r.each(func(i int) error {
			sum := 0.0
			for _, c := range r.Cols {
				v := c.At(i)
				if v.Kind == Null {
					sum = math.NaN()
					continue
				}
				if !v.isNumber() {
					return mistyped("只有数字可以求和，有值是 " + v.Kind.String())
				}
				sum += v.number()
			}
			if sum != total {
				fail.Set(i)
			}
			return nil
		})
	}}
}

// distinctWithin wants the columns of a row to differ from each other.
func distinctWithin(columns []string, nulls Nulls) Rule {
	return Rule{Kind: "distinct_within", Columns: columns, Nulls: nulls, row: func(r *Rows, fail Bits) error {
		return r.each(func(i int) error {
			for k, c := range r.Cols {
				for _, d := range r.Cols[:k] {
					x, y := c.At(i), d.At(i)
					if x.equal(y) || x.Kind == Null && y.Kind == Null {
						fail.Set(i)
						return nil
					}
				}
			}
			return nil
		})
	}}
}

// expression fails rows for which a condition is not true (or, not, is true); rows for
// which it is unknown are left out.
func expression(c *Cond, not bool) Rule {
	return Rule{Kind: "expression", Columns: c.Columns, Nulls: KeepAll, row: func(r *Rows, fail Bits) error {
		return r.each(func(i int) error {
			v, err := c.eval(r.Cols, i)
			if is, known := truth(v); known && is == not {
				fail.Set(i)
			}
			return err
		})
	}}
}

// textual is a rule of texts; other values are an error if strict, else at fault.
func textual(kind, column string, strict bool, ok func(string) bool) Rule {
	return rowTest(kind, column, test{bytes: func(v []byte) bool { return ok(view(v)) }, any: func(v Value) (bool, error) {
		if v.Kind == Text || v.Kind == JSON {
			return ok(v.S), nil
		}
		if strict {
			return false, mistyped("值应为文本，是 " + v.Kind.String())
		}
		return ok(v.text()), nil
	}})
}

// onlyText is a rule of texts under which anything else is at fault.
func onlyText(kind, column string, ok func(string) bool) Rule {
	return rowTest(kind, column, test{bytes: func(v []byte) bool { return ok(view(v)) }, any: func(v Value) (bool, error) { return v.Kind == Text && ok(v.S), nil }})
}

// parsesJSON is Python's json.loads: one document, NaN and Infinity allowed.
func parsesJSON(s string) bool {
	if json.Valid([]byte(s)) {
		return true
	}
	switch strings.TrimSpace(s) {
	case "NaN", "Infinity", "-Infinity":
		return true
	}
	return false
}

// schemaTest compiles a JSON schema for texts that hold JSON.
func schemaTest(schema any) (func(string) bool, error) {
	c := jsonschema.NewCompiler()
	const name = "mem:///rule.json"
	if err := c.AddResource(name, schema); err != nil {
		return nil, fmt.Errorf("json_schema 不对：%w / not a JSON schema", err)
	}
	s, err := c.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("json_schema 不对：%w / not a JSON schema", err)
	}
	return func(text string) bool {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		return err == nil && s.Validate(doc) == nil
	}, nil
}
