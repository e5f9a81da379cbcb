package check

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/zeebo/xxh3"
)

// key stands for a value (or several) when values are compared across the file: 128
// bits of a hash, or the number itself. Two values that collide are beyond hope of
// happening.
type key struct{ hi, lo uint64 }

const (
	numberKey = 0x9e3779b97f4a7c15
	nullKey   = 0xbf58476d1ce4e5b9
	spreading = 0x9e3779b97f4a7c15
)

func keyOf(v Value) key {
	switch {
	case v.Kind == Null:
		return key{nullKey, 0}
	case v.Kind == Float && (v.F != math.Trunc(v.F) || math.Abs(v.F) >= 1<<53):
		return key{numberKey, math.Float64bits(v.F) ^ nullKey}
	case v.Kind == Float:
		return key{numberKey, uint64(int64(v.F))} //nolint:gosec // the bits are what counts
	case v.isNumber():
		return key{numberKey, uint64(v.I)} //nolint:gosec // same
	case v.isMoment():
		return key{nullKey + 1, uint64(v.micros())} //nolint:gosec // same
	}
	h := xxh3.HashString128(v.S)
	return key{h.Hi, h.Lo}
}

// keyed are the keys of a batch's rows; those not judged are left out by sel.
type keyed struct {
	keys []key
	sel  Bits
}

// keysOf makes the key of every judged row out of the rule's columns.
func keysOf(r *Rows) (any, error) {
	k := keyed{make([]key, r.N), r.Sel}
	if len(r.Cols) == 1 {
		keysOfColumn(r, r.Cols[0], k.keys)
		return k, nil
	}
	parts := make([][]key, len(r.Cols))
	for i, c := range r.Cols {
		parts[i] = make([]key, r.N)
		keysOfColumn(r, c, parts[i])
	}
	buf := make([]byte, 16*len(parts))
	for i := range r.N {
		for j := range parts {
			binary.LittleEndian.PutUint64(buf[16*j:], parts[j][i].hi)
			binary.LittleEndian.PutUint64(buf[16*j+8:], parts[j][i].lo)
		}
		h := xxh3.Hash128(buf)
		k.keys[i] = key{h.Hi, h.Lo}
	}
	return k, nil
}

func keysOfColumn(r *Rows, c *Column, out []key) {
	switch {
	case c.Kind == Text:
		for i := range c.n {
			h := xxh3.Hash128(c.bytes(i))
			out[i] = key{h.Hi, h.Lo}
		}
	case c.Kind == Int:
		for i, v := range c.ints {
			out[i] = key{numberKey, uint64(v)} //nolint:gosec // same
		}
	default:
		for i := range c.n {
			out[i] = keyOf(c.At(i))
		}
		return
	}
	if c.valid != nil {
		for i := range c.n {
			if c.IsNull(i) {
				out[i] = key{nullKey, 0}
			}
		}
	}
}

// repeats counts judged rows and the different keys among them, and marks every row
// whose key another has as well. Half of the keys are looked at by each goroutine.
func repeats(s *Set, mark bool) (rows Bits, judged, distinct, once int64) {
	type half struct {
		rows                   Bits
		judged, distinct, once int64
	}
	halves := [2]half{}
	var wg sync.WaitGroup
	for side := range halves {
		wg.Go(func() {
			h := &halves[side]
			if mark {
				h.rows = NewBits(s.Rows)
			}
			t := newTable(s, s.Rows/2+64)
			for p := range s.Parts {
				k := s.Parts[p].(keyed)
				for i := range k.keys {
					mixed := (k.keys[i].lo ^ k.keys[i].hi) * spreading
					if int(mixed>>63) != side || k.sel != nil && !k.sel.Has(i) {
						continue
					}
					h.judged++
					row := s.First[p] + i
					first, n := t.add(k.keys[i], mixed, row)
					switch n {
					case 1:
						h.distinct++
						h.once++
						continue
					case 2:
						h.once--
						if mark {
							h.rows.Set(first)
						}
					}
					if mark {
						h.rows.Set(row)
					}
				}
			}
		})
	}
	wg.Wait()
	a, b := &halves[0], &halves[1]
	if mark {
		a.rows.or(b.rows)
	}
	return a.rows, a.judged + b.judged, a.distinct + b.distinct, a.once + b.once
}

// table remembers the row each key came first at, and whether it came again. A slot is
// 24 bits of the key, the row + 1 (0 is free), and a bit for again; whether two keys are
// the same is looked up where the row's key lies.
type table struct {
	set   *Set
	slots []uint64
	used  int
	shift uint
}

const (
	again   = 1 << 39
	rowMask = again - 1
)

func newTable(s *Set, n int) *table {
	size, shift := 64, uint(58)
	for size < n+n/2 {
		size, shift = size*2, shift-1
	}
	return &table{set: s, slots: make([]uint64, size), shift: shift}
}

// keyOf finds the key of a row.
func (t *table) keyOf(row int) key {
	at := sort.SearchInts(t.set.First, row+1) - 1
	for t.set.Sizes[at] == 0 { // several parts begin at the same row
		at++
	}
	return t.set.Parts[at].(keyed).keys[row-t.set.First[at]]
}

// add counts one more row of a key: n is 1 for the first, 2 for the second, then 3.
func (t *table) add(k key, mixed uint64, row int) (first, n int) {
	if t.used*4 > len(t.slots)*3 {
		t.grow()
	}
	mask, tag := len(t.slots)-1, mixed<<40
	for i := int((mixed << 1) >> t.shift); ; i = (i + 1) & mask { //nolint:gosec // fewer bits than an int
		s := t.slots[i]
		if s == 0 {
			t.slots[i] = tag | uint64(row+1) //nolint:gosec // rows are counted from 0
			t.used++
			return row, 1
		}
		if s&^(1<<40-1) != tag {
			continue
		}
		first = int(s&rowMask) - 1 //nolint:gosec // below 2^39
		if t.keyOf(first) != k {
			continue
		}
		if s&again != 0 {
			return first, 3
		}
		t.slots[i] |= again
		return first, 2
	}
}

func (t *table) grow() {
	old := t.slots
	t.slots, t.shift = make([]uint64, 2*len(old)), t.shift-1
	mask := len(t.slots) - 1
	for _, s := range old {
		if s == 0 {
			continue
		}
		k := t.keyOf(int(s&rowMask) - 1)                      //nolint:gosec // below 2^39
		i := int(((k.lo ^ k.hi) * spreading << 1) >> t.shift) //nolint:gosec // fewer bits than an int
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}

// unique fails every row whose values another row has as well.
func unique(columns []string, nulls Nulls) Rule {
	return Rule{Kind: "unique", Columns: columns, Nulls: nulls, set: &set{part: keysOf, done: func(s *Set, o *Outcome) error {
		o.Rows, o.Evaluated, _, _ = repeats(s, true)
		o.Failed = o.Rows.Count()
		return nil
	}}}
}

// distinctCount measures how many different values a column has.
func distinctCount(column string, measure func(distinct, judged int64) any) Rule {
	return Rule{Kind: "distinct_count", Columns: []string{column}, set: &set{part: keysOf, done: func(s *Set, o *Outcome) error {
		_, judged, distinct, _ := repeats(s, false)
		o.Evaluated, o.Observed = judged, measure(distinct, judged)
		return nil
	}}}
}

// tallyOf counts each value of a batch.
func tallyOf(r *Rows) (any, error) {
	m := map[Value]int64{}
	c := r.Cols[0]
	err := r.each(func(i int) error {
		v := c.At(i)
		if v.Kind == Float && v.F == math.Trunc(v.F) && math.Abs(v.F) < 1<<53 {
			v = intValue(int64(v.F))
		}
		if n, known := m[v]; known {
			m[v] = n + 1
			return nil
		}
		v.S = strings.Clone(v.S)
		m[v] = 1
		return nil
	})
	return m, err
}

// counted are a column's values with how often each occurs, sorted by value.
type counted struct {
	values []Value
	counts []int64
	total  int64
}

func (s *Set) tally() counted {
	all := map[Value]int64{}
	for _, p := range s.Parts {
		for v, n := range p.(map[Value]int64) {
			all[v] += n
		}
	}
	var c counted
	for v := range all {
		c.values = append(c.values, v)
	}
	slices.SortFunc(c.values, func(a, b Value) int {
		if n, ok := a.compare(b); ok {
			return n
		}
		return int(a.Kind) - int(b.Kind)
	})
	for _, v := range c.values {
		c.counts, c.total = append(c.counts, all[v]), c.total+all[v]
	}
	return c
}

// values of a tally as shown.
func (c counted) plain() []any {
	out := make([]any, len(c.values))
	for i, v := range c.values {
		out[i] = v.plain()
	}
	return out
}

// overValues is a rule over the different values of a column.
func overValues(kind, column string, done func(c counted, o *Outcome) error) Rule {
	return Rule{Kind: kind, Columns: []string{column}, hide: true, set: &set{part: tallyOf, done: func(s *Set, o *Outcome) error {
		return done(s.tally(), o)
	}}}
}

// floatsOf gives the judged numbers of a batch.
func floatsOf(r *Rows) (any, error) {
	out := make([]float64, 0, r.count())
	c := r.Cols[0]
	err := r.each(func(i int) error {
		v := c.At(i)
		if !v.isNumber() {
			return mistyped("列的值是 " + v.Kind.String() + "，不是数字")
		}
		out = append(out, v.number())
		return nil
	})
	return out, err
}

func (s *Set) floats() []float64 {
	n := 0
	for _, p := range s.Parts {
		n += len(p.([]float64))
	}
	out := make([]float64, 0, n)
	for _, p := range s.Parts {
		out = append(out, p.([]float64)...)
	}
	return out
}

// overNumbers is a rule over all numbers of a column.
func overNumbers(kind, column string, done func(x []float64, o *Outcome) error) Rule {
	return Rule{Kind: kind, Columns: []string{column}, hide: true, set: &set{part: floatsOf, done: func(s *Set, o *Outcome) error {
		return done(s.floats(), o)
	}}}
}

// sample is what is known of numbers without keeping them: Welford's sums.
type sample struct {
	n              float64
	mean, m2, sum  float64
	whole          int64 // the sum, of whole numbers
	fraction, over bool
}

func (a *sample) add(v float64) {
	a.n++
	d := v - a.mean
	a.mean += d / a.n
	a.m2 += d * (v - a.mean)
	a.sum += v
}

func (a *sample) merge(b sample) {
	if b.n == 0 {
		return
	}
	if a.n == 0 {
		*a = b
		return
	}
	d, n := b.mean-a.mean, a.n+b.n
	a.m2 += b.m2 + d*d*a.n*b.n/n
	a.mean += d * b.n / n
	a.n, a.sum = n, a.sum+b.sum
	a.whole, a.fraction, a.over = a.whole+b.whole, a.fraction || b.fraction, a.over || b.over
}

// sampleOf sums the judged numbers of a batch up.
func sampleOf(r *Rows) (any, error) {
	var s sample
	c := r.Cols[0]
	if c.Kind == Int {
		for i, v := range c.ints {
			if r.judged(i) {
				s.add(float64(v))
				s.whole += v
				s.over = s.over || v > 1<<42 || v < -1<<42
			}
		}
		return s, nil
	}
	s.fraction = true
	err := r.each(func(i int) error {
		v := c.At(i)
		if !v.isNumber() {
			return mistyped("列的值是 " + v.Kind.String() + "，不是数字")
		}
		s.add(v.number())
		return nil
	})
	return s, err
}

// statistic is a rule over one figure of a column's numbers.
func statistic(kind, column string, figure func(sample) any) Rule {
	return Rule{Kind: kind, Columns: []string{column}, hide: true, set: &set{part: sampleOf, done: func(s *Set, o *Outcome) error {
		var all sample
		for _, p := range s.Parts {
			all.merge(p.(sample))
		}
		o.Observed = figure(all)
		return nil
	}}}
}

func meanOf(s sample) any {
	if s.n == 0 {
		return nil
	}
	return s.mean
}

func sumOf(s sample) any {
	if !s.fraction && !s.over {
		return s.whole
	}
	return s.sum
}

// deviationOf is the standard deviation of a sample (n-1).
func deviationOf(s sample) any {
	if s.n < 2 {
		return nil
	}
	return math.Sqrt(s.m2 / (s.n - 1))
}

// endsOf are the least and greatest judged values of a batch.
func endsOf(parse bool) func(*Rows) (any, error) {
	return func(r *Rows) (any, error) {
		var e [2]Value
		c := r.Cols[0]
		err := r.each(func(i int) error {
			v := c.At(i)
			if parse {
				if m, ok := v.moment(); ok {
					v = m
				}
			}
			return widen(&e, v)
		})
		for i := range e {
			e[i].S = strings.Clone(e[i].S)
		}
		return e, err
	}
}

func widen(e *[2]Value, v Value) error {
	if e[0].Kind == Null {
		e[0], e[1] = v, v
		return nil
	}
	lo, ok := v.compare(e[0])
	hi, _ := v.compare(e[1])
	if !ok {
		return mistyped(fmt.Sprintf("列里有 %s 与 %s，不能比较大小", v.Kind, e[0].Kind))
	}
	if lo < 0 {
		e[0] = v
	}
	if hi > 0 {
		e[1] = v
	}
	return nil
}

// extreme measures a column's least (0) or greatest (1) value.
func extreme(kind, column string, which int, parse bool, judge func(v Value, o *Outcome) error) Rule {
	return Rule{Kind: kind, Columns: []string{column}, hide: true, set: &set{part: endsOf(parse), done: func(s *Set, o *Outcome) error {
		var e [2]Value
		for _, p := range s.Parts {
			for _, v := range p.([2]Value) {
				if v.Kind == Null {
					continue
				}
				if err := widen(&e, v); err != nil {
					return err
				}
			}
		}
		o.Observed = e[which].plain()
		return judge(e[which], o)
	}}}
}

// ordered fails rows that do not rise (or fall) against the row before; absent values
// are passed over.
func ordered(column string, falling, strictly, parse bool) Rule {
	type run struct {
		first, last Value
		firstRow    int
		fail        Bits
	}
	wrong := func(before, v Value) (bool, error) {
		c, ok := v.compare(before)
		if !ok {
			return false, mistyped(fmt.Sprintf("列里有 %s 与 %s，不能比较大小", v.Kind, before.Kind))
		}
		if falling {
			c = -c
		}
		return c < 0 || c == 0 && strictly, nil
	}
	return Rule{Kind: "monotonic", Columns: []string{column}, set: &set{
		part: func(r *Rows) (any, error) {
			b := run{fail: NewBits(r.N), firstRow: -1}
			c := r.Cols[0]
			err := r.each(func(i int) error {
				v := c.At(i)
				if parse || v.Kind == Text {
					m, ok := v.moment()
					if !ok && v.Kind == Text {
						return mistyped("文本不能比较先后；只有数字和日期可以")
					}
					v = m
				}
				if b.firstRow < 0 {
					b.first, b.last, b.firstRow = v, v, i
					return nil
				}
				bad, err := wrong(b.last, v)
				if bad {
					b.fail.Set(i)
				}
				b.last = v
				return err
			})
			return b, err
		},
		done: func(s *Set, o *Outcome) error {
			o.Rows = NewBits(s.Rows)
			var before Value
			for p, part := range s.Parts {
				b := part.(run)
				if b.firstRow < 0 {
					continue
				}
				b.fail.Each(func(i int) { o.Rows.Set(s.First[p] + i) })
				if before.Kind != Null {
					bad, err := wrong(before, b.first)
					if err != nil {
						return err
					}
					if bad {
						o.Rows.Set(s.First[p] + b.firstRow)
					}
				}
				before = b.last
			}
			o.Failed = o.Rows.Count()
			return nil
		},
	}}
}

// positioned are judged numbers with the rows they stand in.
type positioned struct {
	x  []float64
	at []int32
}

// outliers fails numbers whose distance from the mean, in standard deviations, is not
// below a threshold.
func outliers(column string, threshold float64, both bool) Rule {
	return Rule{Kind: "outliers", Columns: []string{column}, set: &set{
		part: func(r *Rows) (any, error) {
			var p positioned
			c := r.Cols[0]
			err := r.each(func(i int) error {
				v := c.At(i)
				if !v.isNumber() {
					return mistyped("列的值是 " + v.Kind.String() + "，不是数字")
				}
				p.x, p.at = append(p.x, v.number()), append(p.at, int32(i)) //nolint:gosec // a batch is short
				return nil
			})
			return p, err
		},
		done: func(s *Set, o *Outcome) error {
			var all sample
			for _, p := range s.Parts {
				for _, x := range p.(positioned).x {
					all.add(x)
				}
			}
			sd, _ := deviationOf(all).(float64)
			o.Rows = NewBits(s.Rows)
			for k, p := range s.Parts {
				p := p.(positioned)
				for i, x := range p.x {
					z := (x - all.mean) / sd
					if both {
						z = math.Abs(z)
					}
					if !(z < threshold) {
						o.Rows.Set(s.First[k] + int(p.at[i]))
					}
				}
			}
			o.Failed = o.Rows.Count()
			return nil
		},
	}}
}

// quantile of sorted numbers, by numpy's methods.
func quantile(x []float64, q float64, method string) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	at := q * float64(len(x)-1)
	lo := math.Floor(at)
	i, frac := int(lo), at-lo
	j := min(i+1, len(x)-1)
	switch method {
	case "lower":
		return x[i]
	case "higher":
		if frac > 0 {
			return x[j]
		}
		return x[i]
	case "midpoint":
		if frac > 0 {
			return (x[i] + x[j]) / 2
		}
		return x[i]
	case "nearest":
		return x[int(math.RoundToEven(at))]
	}
	return x[i] + (x[j]-x[i])*frac
}

func sorted(x []float64) []float64 {
	sort.Float64s(x)
	return x
}

// rowCount counts the rows a condition leaves.
func rowCount() Rule {
	return Rule{Kind: "row_count", Nulls: KeepAll, hide: true, set: &set{
		part: func(r *Rows) (any, error) { return r.count(), nil },
		done: func(s *Set, o *Outcome) error {
			n := int64(0)
			for _, p := range s.Parts {
				n += p.(int64)
			}
			o.Observed = n
			return nil
		},
	}}
}

// kindsOf is which kinds of value a batch has, and whether some are absent.
func kindsOf(r *Rows) (any, error) {
	var seen [JSON + 1]bool
	c := r.Cols[0]
	if c.nulls() > 0 {
		seen[Null] = true
	}
	if !c.isMixed() {
		if int64(c.n) > c.nulls() {
			seen[c.Kind] = true
		}
		return seen, nil
	}
	for i := range c.n {
		seen[c.At(i).Kind] = true
	}
	return seen, nil
}
