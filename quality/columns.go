package quality

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// texts calls ok for every value of a string column that is there, and marks the
// rows for which it says no. A value for which skip says yes counts as not there.
func texts(b *batch, col int, fail bitmap, skip func([]byte) bool, ok func([]byte) bool) (evaluated int64) {
	a := b.rec.Column(col).(*array.String)
	if a.NullN() > 0 || b.only != nil {
		eachText(b, a, func(i int, v []byte) {
			if skip != nil && skip(v) {
				return
			}
			evaluated++
			if !ok(v) {
				fail.set(i)
			}
		})
		return evaluated
	}
	offsets, data := textBytes(a)
	evaluated = int64(b.n)
	for i := range b.n {
		v := data[offsets[i]:offsets[i+1]]
		switch {
		case skip != nil && skip(v):
			evaluated--
		case !ok(v):
			fail.set(i)
		}
	}
	return evaluated
}

// textBytes gives the bytes of a column, or of the one it is a slice of, and where each
// value begins in them and ends.
func textBytes(a *array.String) (offsets []int32, data []byte) {
	if buf := a.Data().Buffers()[2]; a.Len() > 0 && buf != nil {
		return a.ValueOffsets(), buf.Bytes()
	}
	return make([]int32, a.Len()+1), nil // nothing but empty texts and nulls
}

// textsWhy is texts for a kind that tells its reasons apart: 0 is in order.
func textsWhy(b *batch, col int, fail bitmap, skip func([]byte) bool, say func(i int, v []byte) uint8) (evaluated int64) {
	eachText(b, b.rec.Column(col).(*array.String), func(i int, v []byte) {
		if skip != nil && skip(v) {
			return
		}
		evaluated++
		if code := say(i, v); code > 0 {
			fail.set(i)
			b.because(i, code)
		}
	})
	return evaluated
}

// eachText calls f for every judged row that has a text.
func eachText(b *batch, a *array.String, f func(i int, v []byte)) {
	offsets, data := textBytes(a)
	if a.NullN() == 0 && b.only == nil {
		for i := range b.n {
			f(i, data[offsets[i]:offsets[i+1]])
		}
		return
	}
	rows := present(a)
	if b.only != nil {
		rows.meet(b.only)
	}
	rows.each(func(i int) { f(i, data[offsets[i]:offsets[i+1]]) })
}

// eachRow calls f for every judged row in which no column is null.
func eachRow(b *batch, cols []int, f func(i int)) {
	rows := full(b.n)
	for _, c := range cols {
		if a := b.rec.Column(c); a.NullN() > 0 {
			rows.meet(present(a))
		}
	}
	if b.only != nil {
		rows.meet(b.only)
	}
	rows.each(f)
}

// textOf is one value of a string column.
func textOf(a *array.String, i int) ([]byte, bool) {
	if a.IsNull(i) {
		return nil, false
	}
	buf := a.Data().Buffers()[2]
	if buf == nil { // nothing but empty texts
		return nil, true
	}
	offsets := a.ValueOffsets()
	return buf.Bytes()[offsets[i]:offsets[i+1]], true
}

// numbers gives a number column as int64: an int as it is, a decimal in units of
// its last digit (18 digits fit), a date in days, a datetime in milliseconds.
func numbers(a arrow.Array) func(i int) int64 {
	switch a := a.(type) {
	case *array.Int64:
		v := a.Int64Values()
		return func(i int) int64 { return v[i] }
	case *array.Decimal128:
		return func(i int) int64 { return int64(a.Value(i).LowBits()) }
	case *array.Date32:
		v := a.Date32Values()
		return func(i int) int64 { return int64(v[i]) }
	case *array.Timestamp:
		v := a.TimestampValues()
		return func(i int) int64 { return int64(v[i]) }
	}
	return func(int) int64 { return 0 }
}

// within marks the rows of a number column outside [lo, hi].
func within(b *batch, col int, fail bitmap, lo, hi int64) (evaluated int64) {
	a := b.rec.Column(col)
	if b.only == nil {
		switch a := a.(type) {
		case *array.Int64:
			return withinValues(a, a.Int64Values(), fail, lo, hi)
		case *array.Date32:
			return withinValues(a, a.Date32Values(), fail, lo, hi)
		case *array.Timestamp:
			return withinValues(a, a.TimestampValues(), fail, lo, hi)
		}
	}
	at, nulls := numbers(a), a.NullN() > 0
	for i := range b.n {
		if nulls && a.IsNull(i) || !b.judged(i) {
			continue
		}
		evaluated++
		if v := at(i); v < lo || v > hi {
			fail.set(i)
		}
	}
	return evaluated
}

// withinValues is within for a column whose values lie side by side.
func withinValues[T ~int32 | ~int64](a arrow.Array, values []T, fail bitmap, lo, hi int64) (evaluated int64) {
	nulls := a.NullN() > 0
	for i, v := range values {
		if (int64(v) < lo || int64(v) > hi) && (!nulls || a.IsValid(i)) {
			fail.set(i)
		}
	}
	return int64(a.Len() - a.NullN())
}
