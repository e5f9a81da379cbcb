package library

import (
	"strconv"
	"strings"

	"mulu"
	"mulu/plan"
)

// operand is one column of a measure.
type operand struct {
	sql   string
	typ   mulu.Type
	scale int
}

// number is the value as a 128-bit decimal: sums of those are exact, and so the same in
// whatever order the engine adds.
func (o operand) number() string { return exact(o.sql, o.scale) }

// float is the value as a float64.
func (o operand) float() string { return "toFloat64(" + o.sql + ")" }

// rank is a number in the order of the values: microseconds of a date or datetime.
func (o operand) rank() string {
	if o.typ == mulu.Date || o.typ == mulu.DateTime {
		return "toUnixTimestamp64Micro(toDateTime64(" + o.sql + ", 6, 'Asia/Shanghai'))"
	}
	return o.sql
}

// aggregation is one measure being written: x are its columns, cond the condition on
// rows, "" for none.
type aggregation struct {
	c    *compiler
	m    *plan.Measure
	x    []operand
	cond string
}

// list says which kinds answer with a list.
func list(k plan.MeasureKind) bool {
	return k == plan.Bins || k == plan.Shares || k == plan.Mode || k == plan.KS
}

// measure is one aggregate: Float64, Nullable(Float64) or Array(Float64).
func (c *compiler) measure(m *plan.Measure) string {
	a := &aggregation{c: c, m: m, cond: c.predicate(&m.Where)}
	if m.Judged {
		if known := c.judged(c.base()); a.cond == "" {
			a.cond = known
		} else {
			a.cond = "(" + a.cond + ") AND " + known
		}
	}
	for _, name := range m.Columns {
		f, err := c.view.Field(name, c.datasets)
		if err != nil {
			c.err = err
			return "0"
		}
		a.x = append(a.x, operand{c.value(f), f.Type, f.Scale})
	}
	sql := aggregates[m.Kind](a)
	if list(m.Kind) {
		return "CAST(" + sql + " AS Array(Float64))"
	}
	return "CAST(" + sql + " AS Nullable(Float64))"
}

// of calls an aggregate function over the rows that count; more are further conditions.
func (a *aggregation) of(function, arg string, more ...string) string {
	return a.orNull(function, "", arg, more...)
}

// orNull is of with a combinator or a parameter between the name and its arguments.
func (a *aggregation) orNull(function, param, arg string, more ...string) string {
	conds := more
	if a.cond != "" {
		conds = append([]string{a.cond}, more...)
	}
	if len(conds) == 0 {
		return function + param + "(" + arg + ")"
	}
	if arg != "" {
		arg += ", "
	}
	return function + "If" + param + "(" + arg + strings.Join(conds, " AND ") + ")"
}

func (a *aggregation) count(more ...string) string { return a.of("count", "", more...) }

// extreme is the greatest or least value, whose number is taken once.
func (a *aggregation) extreme(function string) string {
	x := a.x[0]
	x.sql = a.of(function, x.sql)
	return x.rank()
}

// there holds where all columns have a value.
func (a *aggregation) there() []string {
	out := make([]string, len(a.x))
	for i := range a.x {
		out[i] = a.x[i].sql + " IS NOT NULL"
	}
	return out
}

var aggregates map[plan.MeasureKind]func(*aggregation) string

func init() { // some are made of others
	aggregates = map[plan.MeasureKind]func(*aggregation) string{
		plan.Rows:     func(a *aggregation) string { return a.count() },
		plan.NonNull:  func(a *aggregation) string { return a.count(a.there()...) },
		plan.Distinct: distinct,
		plan.Flag: func(a *aggregation) string {
			flags := a.c.flags(a.c.base())
			return a.count("bitTest(" + flags + ", " + strconv.Itoa(a.m.Bit) + ")" + unless(flags, a.m))
		},
		plan.AnyFlag: func(a *aggregation) string {
			flags := a.c.flags(a.c.base())
			return a.count(someOf(flags, a.m) + unless(flags, a.m))
		},
		plan.Extra: func(a *aggregation) string { return a.count(a.c.baseColumn(mulu.ColExtra) + " != ''") },
		// OrNull: nothing has no maximum.
		plan.Max: func(a *aggregation) string { return a.extreme("maxOrNull") },
		plan.Min: func(a *aggregation) string { return a.extreme("minOrNull") },

		plan.Sum:       func(a *aggregation) string { return "toFloat64(" + a.sum(a.x[0].number()) + ")" },
		plan.Mean:      mean,
		plan.StdDev:    func(a *aggregation) string { return stddev(a, "(_n - 1)") },
		plan.StdDevPop: func(a *aggregation) string { return stddev(a, "_n") },
		plan.Quantile: func(a *aggregation) string {
			return a.orNull("quantileExactInclusiveOrNull", "("+decimalText(a.m.P)+")", a.x[0].float())
		},
		plan.Correlation: correlation,
		plan.Outliers:    outliers,
		// The engine adds in the order of a hash table: what differs is far behind nine places.
		plan.Entropy:   func(a *aggregation) string { return "round(" + a.of("entropyOrNull", a.x[0].sql) + ", 9)" },
		plan.LengthMin: func(a *aggregation) string { return a.of("minOrNull", "lengthUTF8("+a.x[0].sql+")") },
		plan.LengthMax: func(a *aggregation) string { return a.of("maxOrNull", "lengthUTF8("+a.x[0].sql+")") },
		plan.LengthMean: func(a *aggregation) string {
			return "toFloat64(" + a.of("sumOrNull", "toInt64(lengthUTF8("+a.x[0].sql+"))") + ") / " + a.count(a.there()...)
		},
		plan.Rises: func(a *aggregation) string { return breaks(a, ">", ">=") },
		plan.Falls: func(a *aggregation) string { return breaks(a, "<", "<=") },

		plan.Bins:   bins,
		plan.Shares: shares,
		plan.Mode:   mode,
		plan.KS:     ks,
	}
}

func decimalText(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func distinct(a *aggregation) string {
	if len(a.x) == 1 {
		return a.of("uniqExact", a.x[0].sql)
	}
	// A tuple is not null when a part of it is: an address without a lane is an address
	// all the same.
	cols := make([]string, len(a.x))
	for i := range a.x {
		cols[i] = a.x[i].sql
	}
	return a.of("uniqExact", "tuple("+strings.Join(cols, ", ")+")")
}

// sum is exact: no order of adding changes it.
func (a *aggregation) sum(arg string, more ...string) string { return a.of("sumOrNull", arg, more...) }

// square is a product as a decimal that holds a sum of very many.
func square(x, y operand) string {
	return "toDecimal256(" + x.number() + " * " + y.number() + ", " + strconv.Itoa(x.scale+y.scale) + ")"
}

func mean(a *aggregation) string {
	return "toFloat64(" + a.sum(a.x[0].number()) + ") / " + a.count(a.there()...)
}

// stddev is from exact sums: the difference of two large floats would be noise.
func stddev(a *aggregation, divisor string) string {
	x := a.x[0]
	return moments([]string{a.count(a.there()...), a.sum(x.number()), a.sum(square(x, x))}, []int{0, x.scale, 2 * x.scale},
		"if("+divisor+" > 0, sqrt(toFloat64(_n * _s2 - _s1 * _s1) / _n / "+divisor+"), NULL)", "_n", "_s1", "_s2")
}

func correlation(a *aggregation) string {
	x, y, both := a.x[0], a.x[1], a.there()
	return moments([]string{a.count(both...), a.sum(x.number(), both...), a.sum(y.number(), both...), a.sum(square(x, x), both...), a.sum(square(y, y), both...), a.sum(square(x, y), both...)},
		[]int{0, x.scale, y.scale, 2 * x.scale, 2 * y.scale, x.scale + y.scale},
		"if(toFloat64(_n * _xx - _x * _x) > 0 AND toFloat64(_n * _yy - _y * _y) > 0, toFloat64(_n * _xy - _x * _y) / sqrt(toFloat64(_n * _xx - _x * _x)) / sqrt(toFloat64(_n * _yy - _y * _y)), NULL)",
		"_n", "_x", "_y", "_xx", "_yy", "_xy")
}

// moments names sums, as 256-bit decimals of their scales, in an expression over them.
func moments(sums []string, scales []int, body string, names ...string) string {
	values := make([]string, len(sums))
	for i := range sums {
		values[i] = "toDecimal256(" + sums[i] + ", " + strconv.Itoa(scales[i]) + ")"
	}
	return let(names, values, "CAST("+body+" AS Nullable(Float64))")
}

// outliers holds the values against moments that come from the same scan.
func outliers(a *aggregation) string {
	all := a.of("groupArray", "assumeNotNull("+a.x[0].float()+")", a.there()...)
	return "arrayCount(_v -> abs(_v - ifNull(" + mean(a) + ", 0)) > " + decimalText(a.m.P) + " * ifNull(" + stddev(a, "_n") + ", 0), " + all + ")"
}

// breaks counts neighbours in order whose values go the other way. Of equal places in
// the order, the one is taken that breaks nothing.
func breaks(a *aggregation, wrong, strict string) string {
	if a.m.Strict {
		wrong = strict
	}
	value := a.x[1].rank()
	sign := value
	if wrong[0] == '<' {
		sign = "negate(" + exact(value, a.x[1].scale) + ")"
	}
	rows := a.of("groupArray", "tuple(assumeNotNull("+a.x[0].rank()+"), assumeNotNull("+sign+"), assumeNotNull("+value+"))", a.there()...)
	return "arrayCount((_a, _b) -> _a.3 " + wrong + " _b.3, arrayPopBack(arraySort(" + rows + ")), arrayPopFront(arraySort(" + rows + ")))"
}

func bins(a *aggregation) string {
	x, e := a.x[0].float(), a.m.Edges
	counts := []string{a.count(x + " < " + decimalText(e[0]))}
	for i := 1; i < len(e); i++ {
		counts = append(counts, a.count(x+" >= "+decimalText(e[i-1]), x+" < "+decimalText(e[i])))
	}
	return "[" + strings.Join(append(counts, a.count(x+" >= "+decimalText(e[len(e)-1]))), ", ") + "]"
}

func shares(a *aggregation) string {
	x := a.x[0].sql
	var counts []string
	for _, v := range a.m.Values {
		counts = append(counts, a.count(x+" = "+a.c.param("String", v)))
	}
	return "[" + strings.Join(append(counts, a.count(x+" NOT IN "+a.c.set(a.m.Values))), ", ") + "]"
}

func mode(a *aggregation) string {
	m := a.of("sumMap", "map(assumeNotNull("+a.x[0].sql+"), toUInt64(1))", a.there()...)
	return let([]string{"_k", "_c"}, []string{"mapKeys(" + m + ")", "mapValues(" + m + ")"},
		"[arrayMax(_c), countEqual(_c, arrayMax(_c)), arrayCount((_x, _n) -> _x IN "+a.c.set(a.m.Values)+" AND _n = arrayMax(_c), _k, _c)]")
}

// ks compares two sets of rows, over arrays: as an aggregate the engine's function fails
// on an empty sample, of which this makes an empty list.
func ks(a *aggregation) string {
	x := a.x[0]
	of := func(p *plan.Predicate) string {
		cond := a.there()[0]
		if s := a.c.predicate(p); s != "" {
			cond += " AND (" + s + ")"
		}
		return "groupArrayIf(assumeNotNull(" + x.float() + "), " + cond + ")"
	}
	some := func(name string) string { return "if(empty(" + name + "), [0.], " + name + ")" }
	test := "arrayReduce('kolmogorovSmirnovTest(\\'two-sided\\')', arrayConcat(" + some("_now") + ", " + some("_then") + "), " +
		"arrayConcat(arrayMap(_x -> 0, " + some("_now") + "), arrayMap(_x -> 1, " + some("_then") + ")))"
	return let([]string{"_now", "_then"}, []string{of(&a.m.Where), of(&a.m.Than)},
		"if(empty(_now) OR empty(_then), [], ["+test+".1, "+test+".2])")
}

// let names values in an expression. Not by AS: two measures would share the names.
func let(names, values []string, body string) string {
	lists := make([]string, len(values))
	for i := range values {
		lists[i] = "[" + values[i] + "]"
	}
	return "arrayElement(arrayMap((" + strings.Join(names, ", ") + ") -> " + body + ", " + strings.Join(lists, ", ") + "), 1)"
}
