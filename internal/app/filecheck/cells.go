package filecheck

import (
	"math"
	"strconv"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
	"mulu/ingest"
	"mulu/quality/check"
)

// cells are the values of one column of a piece of a text file.
type cells interface {
	// at is one value: its text and what it is; check.Null is absent. Of a CSV everything
	// that is there is check.Text, whatever it looks like.
	at(row int) ([]byte, check.Kind)
	rows() int
}

// looks is what has been seen of a column's values.
type looks struct {
	there                                   int64
	ints, floats, bools, dates, times, text int64
	json                                    int64
	scale, whole                            int // most digits after and before the point
	exponent                                bool
}

func (l *looks) add(m looks) {
	l.there += m.there
	l.ints, l.floats, l.bools = l.ints+m.ints, l.floats+m.floats, l.bools+m.bools
	l.dates, l.times, l.text, l.json = l.dates+m.dates, l.times+m.times, l.text+m.text, l.json+m.json
	l.scale, l.whole, l.exponent = max(l.scale, m.scale), max(l.whole, m.whole), l.exponent || m.exponent
}

// see looks at one value.
func (l *looks) see(v []byte, k check.Kind, quotedText bool) {
	if k == check.Null {
		return
	}
	l.there++
	switch {
	case k == check.Bool:
		l.bools++
		return
	case k == check.JSON:
		l.json++
		return
	}
	if k == check.Text && quotedText { // of JSON: "1" is no number
		l.moment(v)
		return
	}
	if _, ok := ingest.ParseInt(v); ok {
		l.ints++
		l.whole = max(l.whole, len(v))
		return
	}
	if whole, scale, exponent, ok := decimalForm(v); ok {
		l.floats++
		l.whole, l.scale, l.exponent = max(l.whole, whole), max(l.scale, scale), l.exponent || exponent
		return
	}
	if _, ok := boolean(v); ok {
		l.bools++
		return
	}
	l.moment(v)
}

func (l *looks) moment(v []byte) {
	if len(v) == 10 {
		if _, ok := ingest.ParseDate(v); ok {
			l.dates++
			return
		}
	}
	if len(v) >= 19 {
		if _, ok := ingest.ParseDateTime(v); ok {
			l.times++
			return
		}
	}
	l.text++
}

// loose is the kind that all values have as they are written: dates stay text.
func (l *looks) loose() check.Kind {
	switch l.there {
	case 0:
		return check.Null
	case l.ints:
		return check.Int
	case l.ints + l.floats:
		return check.Float
	case l.bools:
		return check.Bool
	}
	return check.Text
}

// form is the type that all values have, dates included; the zero Form for none.
func (l *looks) form() check.Form {
	switch l.there {
	case 0:
		return check.Form{Type: mulu.String}
	case l.ints:
		return check.Form{Type: mulu.Int}
	case l.ints + l.floats:
		if !l.exponent && l.whole+l.scale <= 18 {
			return check.Form{Type: mulu.Decimal, Scale: l.scale}
		}
		return check.Form{}
	case l.bools:
		return check.Form{Type: mulu.Bool}
	case l.dates:
		return check.Form{Type: mulu.Date}
	case l.dates + l.times:
		return check.Form{Type: mulu.DateTime}
	case l.text + l.dates + l.times:
		return check.Form{Type: mulu.String}
	}
	return check.Form{}
}

// decimalForm takes a number with a point or an exponent apart: the digits before and
// after the point. A number with leading zeros is a code, and none.
func decimalForm(v []byte) (whole, scale int, exponent, ok bool) {
	i := 0
	if i < len(v) && (v[i] == '-' || v[i] == '+') {
		i++
	}
	start := i
	for i < len(v) && v[i]-'0' <= 9 {
		i++
	}
	whole = i - start
	if whole > 1 && v[start] == '0' {
		return 0, 0, false, false
	}
	if i < len(v) && v[i] == '.' {
		i++
		dot := i
		for i < len(v) && v[i]-'0' <= 9 {
			i++
		}
		scale = i - dot
	}
	if whole+scale == 0 {
		return 0, 0, false, false
	}
	if i < len(v) && (v[i] == 'e' || v[i] == 'E') {
		i++
		if i < len(v) && (v[i] == '-' || v[i] == '+') {
			i++
		}
		digits := i
		for i < len(v) && v[i]-'0' <= 9 {
			i++
		}
		if i == digits {
			return 0, 0, false, false
		}
		exponent = true
	}
	return whole, scale, exponent, i == len(v)
}

func boolean(v []byte) (is, ok bool) {
	switch string(v) {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

var tens = [23]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseFloat reads a number; one of up to 15 digits without an exponent exactly and fast.
func parseFloat(v []byte) (float64, bool) {
	neg, i := len(v) > 0 && v[0] == '-', 0
	if neg {
		i++
	}
	m, digits, dot := uint64(0), 0, -1
	for ; i < len(v); i++ {
		c := v[i]
		if c == '.' && dot < 0 {
			dot = digits
			continue
		}
		if c -= '0'; c > 9 {
			break
		}
		m, digits = m*10+uint64(c), digits+1
	}
	if i == len(v) && digits > 0 && digits <= 15 {
		f := float64(m)
		if dot >= 0 {
			f /= tens[digits-dot]
		}
		if neg {
			f = -f
		}
		return f, true
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(v), len(v)), 64)
	return f, err == nil || math.IsInf(f, 0)
}

// built is a column of a batch.
type built struct {
	array arrow.Array
	unfit check.Bits
	wider bool // a value is of a wider kind than the column was taken for
}

// validity collects which rows are there.
type validity struct {
	bits  []byte
	nulls int
}

func newValidity(n int) *validity { return &validity{bits: make([]byte, (n+7)/8)} }

func (v *validity) set(i int) { v.bits[i>>3] |= 1 << (i & 7) }

// data makes an array of what was collected.
func (v *validity) data(t arrow.DataType, n int, buffers ...[]byte) arrow.ArrayData {
	all := make([]*memory.Buffer, 1, len(buffers)+1)
	if v.nulls > 0 {
		all[0] = memory.NewBufferBytes(v.bits)
	}
	for _, b := range buffers {
		all = append(all, memory.NewBufferBytes(b))
	}
	return array.NewData(t, n, all, nil, v.nulls, 0)
}

func raw[T any](s []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(zero)))
}

// numbers builds a column of fixed width out of what parse reads.
func numbers[T any](c cells, t arrow.DataType, typed bool, parse func([]byte) (T, bool)) (b built) {
	n := c.rows()
	out, valid := make([]T, n), newValidity(n)
	for i := range n {
		v, k := c.at(i)
		if k != check.Null {
			if x, ok := parse(v); ok && k != check.JSON {
				out[i] = x
				valid.set(i)
				continue
			}
			if !typed {
				b.wider = true
				return b
			}
			if b.unfit == nil {
				b.unfit = check.NewBits(n)
			}
			b.unfit.Set(i)
		}
		valid.nulls++
	}
	b.array = array.MakeFromData(valid.data(t, n, raw(out)))
	return b
}

// texts builds a column of strings.
func texts(c cells) built {
	n := c.rows()
	offsets, valid := make([]int32, n+1), newValidity(n)
	data := make([]byte, 0, 16*n)
	for i := range n {
		v, k := c.at(i)
		if k == check.Null {
			valid.nulls++
		} else {
			valid.set(i)
			data = append(data, v...)
		}
		offsets[i+1] = int32(len(data)) //nolint:gosec // a batch is some megabytes
	}
	return built{array: array.MakeFromData(valid.data(arrow.BinaryTypes.String, n, raw(offsets), data))}
}

func bools(c cells, typed bool) (b built) {
	n := c.rows()
	bits, valid := make([]byte, (n+7)/8), newValidity(n)
	for i := range n {
		v, k := c.at(i)
		if k != check.Null {
			if is, ok := boolean(v); ok {
				if is {
					bits[i>>3] |= 1 << (i & 7)
				}
				valid.set(i)
				continue
			}
			if !typed {
				b.wider = true
				return b
			}
			if b.unfit == nil {
				b.unfit = check.NewBits(n)
			}
			b.unfit.Set(i)
		}
		valid.nulls++
	}
	b.array = array.MakeFromData(valid.data(arrow.FixedWidthTypes.Boolean, n, bits))
	return b
}

// mixed builds a column that keeps the kind of every value.
func mixed(c cells) built {
	n := c.rows()
	kinds, valid := make([]uint8, n), newValidity(n)
	t := texts(c)
	for i := range n {
		_, k := c.at(i)
		kinds[i] = uint8(k)
		if k == check.Null {
			valid.nulls++
		} else {
			valid.set(i)
		}
	}
	all := newValidity(n)
	children := []arrow.ArrayData{all.data(arrow.PrimitiveTypes.Uint8, n, kinds), t.array.Data()}
	var present *memory.Buffer
	if valid.nulls > 0 {
		present = memory.NewBufferBytes(valid.bits)
	}
	return built{array: array.MakeFromData(array.NewData(check.Mixed, n, []*memory.Buffer{present}, children, valid.nulls, 0))}
}

// looseColumn reads a column as the kind its values have.
func looseColumn(c cells, k check.Kind) built {
	switch k {
	case check.Null:
		for i := range c.rows() {
			if _, k := c.at(i); k != check.Null {
				return built{wider: true}
			}
		}
		return built{array: array.NewNull(c.rows())}
	case check.Int:
		return numbers(c, arrow.PrimitiveTypes.Int64, false, ingest.ParseInt)
	case check.Float:
		return numbers(c, arrow.PrimitiveTypes.Float64, false, parseFloat)
	case check.Bool:
		return bools(c, false)
	case check.JSON:
		return mixed(c)
	}
	return texts(c)
}

// typedColumn reads a column as a declared type; cells that are not of it are unfit.
func typedColumn(c cells, f check.Form) built {
	switch f.Type {
	case mulu.Int:
		return numbers(c, arrow.PrimitiveTypes.Int64, true, ingest.ParseInt)
	case mulu.Decimal:
		return numbers(c, &arrow.Decimal128Type{Precision: 18, Scale: int32(f.Scale)}, true, func(v []byte) (decimal128.Num, bool) { //nolint:gosec // at most 18
			x, ok := ingest.ParseDecimal(v, f.Scale)
			return decimal128.FromI64(x), ok
		})
	case mulu.Date:
		return numbers(c, arrow.FixedWidthTypes.Date32, true, ingest.ParseDate)
	case mulu.DateTime:
		return numbers(c, arrow.FixedWidthTypes.Timestamp_ms, true, ingest.ParseDateTime)
	case mulu.Bool:
		return bools(c, true)
	}
	return texts(c)
}
