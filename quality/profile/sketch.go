package profile

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// distinct counts different values, and how often each stands, by their hashes: all of
// them while there are few, then those whose hash ends in so many zero bits, a sample
// of the values (Gibbons' distinct sampling). Two sketches merge exactly, and the order
// of rows does not matter. Unlike HyperLogLog it knows how often values repeat, which
// a key must be asked.
type distinct struct {
	level int // hashes that end in level zero bits are kept
	seen  map[uint64]uint32
	bound int
}

func newDistinct(bound int) *distinct { return &distinct{seen: map[uint64]uint32{}, bound: bound} }

func (d *distinct) add(h uint64) { d.addTimes(h, 1) }

func (d *distinct) addTimes(h uint64, n uint32) {
	if bits.TrailingZeros64(h) < d.level {
		return
	}
	d.seen[h] += n
	for len(d.seen) > d.bound {
		d.raise()
	}
}

func (d *distinct) raise() {
	d.level++
	for h := range d.seen {
		if bits.TrailingZeros64(h) < d.level {
			delete(d.seen, h)
		}
	}
}

func (d *distinct) merge(o *distinct) {
	for d.level < o.level {
		d.raise()
	}
	for h, n := range o.seen {
		d.addTimes(h, n)
	}
}

// result is how many values there are, and how many of them stand in one row alone.
func (d *distinct) result() Distinct {
	once := 0
	for _, n := range d.seen {
		if n == 1 {
			once++
		}
	}
	out := Distinct{Count: int64(len(d.seen)) << d.level, Once: int64(once) << d.level, Exact: d.level == 0}
	if !out.Exact {
		out.Error = 1 / math.Sqrt(float64(max(1, len(d.seen))))
	}
	return out
}

// repeats is how many rows stand beyond the first of their value.
func (d *distinct) repeats() int64 {
	var n int64
	for _, k := range d.seen {
		n += int64(k) - 1
	}
	return n << d.level
}

// within is the share of d's values that o has too, and how many were compared.
func (d *distinct) within(o *distinct) (share float64, compared int) {
	level, both := max(d.level, o.level), 0
	for h := range d.seen {
		if bits.TrailingZeros64(h) < level {
			continue
		}
		compared++
		if _, ok := o.seen[h]; ok {
			both++
		}
	}
	if compared == 0 {
		return 0, 0
	}
	return float64(both) / float64(compared), compared
}

// frequent keeps the values that stand most often (Misra and Gries): any that stands in
// more than one row of so many as there are counters is there, its count short by lost
// at most.
type frequent struct {
	counts map[string]int64
	bound  int
	lost   int64
}

func newFrequent(bound int) *frequent { return &frequent{counts: map[string]int64{}, bound: bound} }

func (f *frequent) add(v string, n int64) {
	f.counts[v] += n
	if len(f.counts) > 2*f.bound {
		f.shrink()
	}
}

// shrink takes from all counters what the first one beyond the bound has.
func (f *frequent) shrink() {
	if len(f.counts) <= f.bound {
		return
	}
	list := make([]int64, 0, len(f.counts))
	for _, n := range f.counts {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b int64) int { return cmp.Compare(b, a) })
	cut := list[f.bound]
	for v, n := range f.counts {
		if n <= cut {
			delete(f.counts, v)
			continue
		}
		f.counts[v] = n - cut
	}
	f.lost += cut
}

func (f *frequent) merge(o *frequent) {
	f.lost += o.lost
	for v, n := range o.counts {
		f.counts[v] += n
	}
	if len(f.counts) > 2*f.bound {
		f.shrink()
	}
}

// top lists the most frequent values, ties in the order of the text.
func (f *frequent) top(n int) []Value {
	out := make([]Value, 0, len(f.counts))
	for v, k := range f.counts {
		out = append(out, Value{Value: v, Count: k})
	}
	slices.SortFunc(out, func(a, b Value) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value)) })
	return out[:min(n, len(out))]
}

// moments are count, mean and squared deviations of numbers (Welford, Chan).
type moments struct {
	n        int64
	mean, m2 float64
	min, max float64
}

func (m *moments) add(x float64) {
	if m.n == 0 || x < m.min {
		m.min = x
	}
	if m.n == 0 || x > m.max {
		m.max = x
	}
	m.n++
	d := x - m.mean
	m.mean += d / float64(m.n)
	m.m2 += d * (x - m.mean)
}

func (m *moments) merge(o moments) {
	if o.n == 0 {
		return
	}
	if m.n == 0 {
		*m = o
		return
	}
	n, d := m.n+o.n, o.mean-m.mean
	m.m2 += o.m2 + d*d*float64(m.n)*float64(o.n)/float64(n)
	m.mean += d * float64(o.n) / float64(n)
	m.n, m.min, m.max = n, min(m.min, o.min), max(m.max, o.max)
}

func (m *moments) deviation() float64 {
	if m.n < 2 {
		return 0
	}
	return math.Sqrt(m.m2 / float64(m.n-1))
}
