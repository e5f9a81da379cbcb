package check

import (
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Mixed is the Arrow form of a column whose values are of several kinds: the kind of
// each and its text.
var Mixed = arrow.StructOf(
	arrow.Field{Name: "kind", Type: arrow.PrimitiveTypes.Uint8},
	arrow.Field{Name: "text", Type: arrow.BinaryTypes.String},
)

// Column is one batch of a column, read value by value or by its Go slices. A float
// that is not a number is null, as in pandas.
type Column struct {
	Kind  Kind // of every value; JSON when they are Mixed
	n     int
	valid Bits // nil: every value is there

	ints    []int64
	floats  []float64
	bools   *array.Boolean
	offsets []int32
	spans   []Span // instead of offsets: texts that lie in data with other things between
	data    []byte
	kinds   []uint8
	own     []int64 // dates widened
}

// NewColumn reads an Arrow array of one of the loose forms: null, bool, int64, float64,
// string, date32, timestamp[us], decimal128 or Mixed.
func NewColumn(a arrow.Array) *Column {
	c := &Column{n: a.Len()}
	switch a := a.(type) {
	case *array.Null:
		c.Kind, c.valid = Null, NewBits(c.n)
		return c
	case *array.Boolean:
		c.Kind, c.bools = Bool, a
	case *array.Int64:
		c.Kind, c.ints = Int, a.Int64Values()
	case *array.Float64:
		c.Kind, c.floats = Float, a.Float64Values()
	case *array.Decimal128:
		c.Kind, c.floats = Float, make([]float64, c.n)
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		for i := range c.n {
			if a.IsValid(i) {
				c.floats[i] = a.Value(i).ToFloat64(scale)
			}
		}
	case *array.String:
		c.Kind = Text
		c.texts(a)
	case *array.Date32:
		c.Kind, c.own = Date, make([]int64, c.n)
		for i, d := range a.Date32Values() {
			c.own[i] = int64(d)
		}
		c.ints = c.own
	case *array.Timestamp:
		c.Kind = Time
		if c.n > 0 {
			v := a.TimestampValues()
			c.ints = unsafe.Slice((*int64)(unsafe.Pointer(&v[0])), len(v)) //nolint:gosec // a Timestamp is an int64
		}
	case *array.Struct:
		c.Kind, c.kinds = JSON, a.Field(0).(*array.Uint8).Uint8Values()
		c.texts(a.Field(1).(*array.String))
	}
	c.presence(a)
	return c
}

// Span is where a text lies.
type Span struct{ From, To uint32 }

// NewTexts makes a column of texts that lie in data, without copying one. There are
// values where valid (nil: everywhere) is set.
func NewTexts(data []byte, spans []Span, valid Bits) *Column {
	return &Column{Kind: Text, n: len(spans), data: data, spans: spans, valid: valid}
}

// NewInts makes a column of whole numbers.
func NewInts(v []int64, valid Bits) *Column {
	return &Column{Kind: Int, n: len(v), ints: v, valid: valid}
}

// NewFloats makes a column of numbers, none of which is NaN where valid is set.
func NewFloats(v []float64, valid Bits) *Column {
	return &Column{Kind: Float, n: len(v), floats: v, valid: valid}
}

func (c *Column) texts(a *array.String) {
	c.offsets, c.data = a.ValueOffsets(), a.ValueBytes()
	if len(c.offsets) > 0 && c.offsets[0] != 0 { // a slice: offsets count from its parent's start
		base := c.offsets[0]
		moved := make([]int32, len(c.offsets))
		for i, o := range c.offsets {
			moved[i] = o - base
		}
		c.offsets = moved
	}
}

// presence notes which values are there.
func (c *Column) presence(a arrow.Array) {
	nan := false
	if c.Kind == Float {
		for _, f := range c.floats {
			if math.IsNaN(f) {
				nan = true
				break
			}
		}
	}
	if a.NullN() == 0 && !nan {
		return
	}
	c.valid = NewBits(c.n)
	for i := range c.n {
		if a.IsValid(i) && !(nan && math.IsNaN(c.floats[i])) {
			c.valid.Set(i)
		}
	}
}

// Len is how many values there are.
func (c *Column) Len() int { return c.n }

// isMixed says whether values differ in kind.
func (c *Column) isMixed() bool { return c.kinds != nil }

// IsNull says whether a value is absent.
func (c *Column) IsNull(i int) bool { return c.valid != nil && !c.valid.Has(i) }

// nulls is how many values are absent.
func (c *Column) nulls() int64 {
	if c.valid == nil {
		return 0
	}
	return int64(c.n) - c.valid.Count()
}

// bytes is a text as it lies in the batch.
func (c *Column) bytes(i int) []byte {
	if c.spans != nil {
		s := c.spans[i]
		return c.data[s.From:s.To]
	}
	return c.data[c.offsets[i]:c.offsets[i+1]]
}

// At is one value. Its text belongs to the batch.
func (c *Column) At(i int) Value {
	if c.IsNull(i) {
		return Value{}
	}
	switch c.Kind {
	case Bool:
		return boolValue(c.bools.Value(i))
	case Int, Date, Time:
		return Value{Kind: c.Kind, I: c.ints[i]}
	case Float:
		return floatValue(c.floats[i])
	case Text:
		return textValue(view(c.bytes(i)))
	case JSON:
		if c.kinds == nil {
			return Value{}
		}
		return mixedValue(Kind(c.kinds[i]), view(c.bytes(i)))
	}
	return Value{}
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func mixedValue(k Kind, s string) Value {
	switch k {
	case Bool:
		return boolValue(s == "true")
	case Int, Float:
		return number(s).value()
	}
	return Value{Kind: k, S: s}
}
