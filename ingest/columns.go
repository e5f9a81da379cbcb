package ingest

import (
	"bytes"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// kind is how a column is held while it is filled.
type kind uint8

const (
	kString kind = iota
	kInt
	kDecimal
	kDate
	kDateTime
	kBool
)

// column is one Arrow column being filled, in the layout Arrow wants, so that a
// record batch is made without copying.
type column struct {
	kind  kind
	ends  []int32          // string: ends[i] is where row i starts, one more than rows
	data  []byte           // string: bytes
	ints  []int64          // int, datetime (ms)
	decs  []decimal128.Num // decimal
	days  []int32          // date
	bools []byte           // bool: one byte a row, packed when the batch is made
	nulls []int32          // rows that are null, ascending
}

// newColumn makes room for n rows, of text bytes in all.
func newColumn(k kind, n, text int) column {
	c := column{kind: k}
	switch k {
	case kString:
		c.ends, c.data = make([]int32, 1, n+1), make([]byte, 0, min(text, maxText))
	case kInt, kDateTime:
		c.ints = make([]int64, 0, n)
	case kDecimal:
		c.decs = make([]decimal128.Num, 0, n)
	case kDate:
		c.days = make([]int32, 0, n)
	case kBool:
		c.bools = make([]byte, 0, n)
	}
	return c
}

func (c *column) putString(b []byte) {
	c.data = append(c.data, b...)
	c.ends = append(c.ends, int32(len(c.data)))
}

func (c *column) putNull(row int) {
	c.nulls = append(c.nulls, int32(row))
	c.putZero()
}

// putZero puts the value of its type that says nothing, where null is not allowed.
func (c *column) putZero() {
	switch c.kind {
	case kString:
		c.ends = append(c.ends, int32(len(c.data)))
	case kInt, kDateTime:
		c.ints = append(c.ints, 0)
	case kDecimal:
		c.decs = append(c.decs, decimal128.Num{})
	case kDate:
		c.days = append(c.days, 0)
	case kBool:
		c.bools = append(c.bools, 0)
	}
}

// equal says whether rows i and j, which are not null, hold the same value.
func (c *column) equal(i, j int) bool {
	switch c.kind {
	case kString:
		return bytes.Equal(c.data[c.ends[i]:c.ends[i+1]], c.data[c.ends[j]:c.ends[j+1]])
	case kDecimal:
		return c.decs[i] == c.decs[j]
	case kDate:
		return c.days[i] == c.days[j]
	case kBool:
		return c.bools[i] == c.bools[j]
	}
	return c.ints[i] == c.ints[j]
}

// rows is how many rows the column holds.
func (c *column) rows() int {
	switch c.kind {
	case kString:
		return len(c.ends) - 1
	case kDecimal:
		return len(c.decs)
	case kDate:
		return len(c.days)
	case kBool:
		return len(c.bools)
	}
	return len(c.ints)
}

// truncate takes back the rows from n on: a rejected row leaves no trace.
func (c *column) truncate(n int) {
	if c.rows() <= n {
		return
	}
	switch c.kind {
	case kString:
		c.ends = c.ends[:n+1]
		c.data = c.data[:c.ends[n]]
	case kInt, kDateTime:
		c.ints = c.ints[:n]
	case kDecimal:
		c.decs = c.decs[:n]
	case kDate:
		c.days = c.days[:n]
	case kBool:
		c.bools = c.bools[:n]
	}
	for len(c.nulls) > 0 && int(c.nulls[len(c.nulls)-1]) >= n {
		c.nulls = c.nulls[:len(c.nulls)-1]
	}
}

// buffers returns the column's Arrow buffers over its own memory: validity (nil if
// nothing is null) and values.
func (c *column) buffers(n int) (validity []byte, values [][]byte) {
	if len(c.nulls) > 0 {
		validity = make([]byte, (n+7)/8)
		for i := range validity {
			validity[i] = 0xff
		}
		for _, row := range c.nulls {
			validity[row>>3] &^= 1 << (row & 7)
		}
	}
	switch c.kind {
	case kString:
		values = [][]byte{arrow.Int32Traits.CastToBytes(c.ends), c.data}
	case kInt, kDateTime:
		values = [][]byte{arrow.Int64Traits.CastToBytes(c.ints)}
	case kDecimal:
		values = [][]byte{arrow.Decimal128Traits.CastToBytes(c.decs)}
	case kDate:
		values = [][]byte{arrow.Int32Traits.CastToBytes(c.days)}
	case kBool:
		packed := make([]byte, (n+7)/8)
		for i, v := range c.bools {
			packed[i>>3] |= v << (i & 7)
		}
		values = [][]byte{packed}
	}
	return validity, values
}

// columns is one set of columns, the business columns and then _extra. Sets are
// used again, but only after the record batch made from them was released.
type columns struct {
	all     []column
	rows    int
	offsets []int64 // of each row
	index   []int   // of each row's record in the batch
}

func (s *columns) extra() *column { return &s.all[len(s.all)-1] }

func (s *columns) truncate() {
	for i := range s.all {
		s.all[i].truncate(s.rows)
	}
}

// batch makes a record batch over the set's memory. free is called once, when the
// last reference to that memory is released.
func (s *columns) batch(schema *arrow.Schema, free func()) arrow.RecordBatch {
	l := &lease{free: free}
	l.held.Add(1) // until all buffers are wrapped
	wrap := func(b []byte) *memory.Buffer {
		if b == nil {
			return nil
		}
		l.held.Add(1)
		return memory.NewBufferWithAllocator(b, l)
	}
	arrs := make([]arrow.Array, len(s.all))
	for i := range s.all {
		c := &s.all[i]
		validity, values := c.buffers(s.rows)
		bufs := []*memory.Buffer{wrap(validity)}
		for _, v := range values {
			if v == nil {
				v = []byte{}
			}
			bufs = append(bufs, wrap(v))
		}
		data := array.NewData(schema.Field(i).Type, s.rows, bufs, nil, len(c.nulls), 0)
		for _, b := range bufs {
			if b != nil {
				b.Release() // data holds it now
			}
		}
		arrs[i] = array.MakeFromData(data)
		data.Release()
	}
	rec := array.NewRecordBatch(schema, arrs, int64(s.rows))
	for _, a := range arrs {
		a.Release()
	}
	l.Free(nil)
	return rec
}

// lease counts the buffers that still look at a set of columns. It is an
// allocator only so that Arrow tells it when a buffer is let go.
type lease struct {
	held atomic.Int64
	free func()
}

func (l *lease) Free([]byte) {
	if l.held.Add(-1) == 0 {
		l.free()
	}
}

func (l *lease) Allocate(size int) []byte { return make([]byte, size) }

func (l *lease) Reallocate(size int, b []byte) []byte {
	out := make([]byte, size)
	copy(out, b)
	return out
}
