package library

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// compact copies the kept runs of a column of a type of the root package's table;
// n is their length. With one run it is a slice of the original and copies nothing;
// else it lies in s.
func compact(s *scratch, col arrow.Array, keep []run, n int) arrow.Array {
	if len(keep) == 1 {
		return array.NewSlice(col, int64(keep[0].from), int64(keep[0].to))
	}
	d := col.Data()
	valid, nulls := compactValidity(s, col, keep, n)
	buffers := []*memory.Buffer{valid}
	switch t := col.DataType().(type) {
	case *arrow.StringType:
		buffers = append(buffers, compactStrings(s, col.(*array.String), keep, n)...)
	case *arrow.BooleanType:
		buffers = append(buffers, compactBits(s, d.Buffers()[1].Bytes(), d.Offset(), keep, n))
	default:
		width := t.(arrow.FixedWidthDataType).BitWidth() / 8
		src := d.Buffers()[1].Bytes()[d.Offset()*width:]
		out := s.bytes(n * width)[:0]
		for _, r := range keep {
			out = append(out, src[r.from*width:r.to*width]...)
		}
		buffers = append(buffers, memory.NewBufferBytes(out))
	}
	data := array.NewData(col.DataType(), n, buffers, nil, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// compactValidity is nil when no kept row is null.
func compactValidity(s *scratch, col arrow.Array, keep []run, n int) (*memory.Buffer, int) {
	if col.NullN() == 0 {
		return nil, 0
	}
	b := compactBits(s, col.NullBitmapBytes(), col.Data().Offset(), keep, n)
	nulls := n - bitutil.CountSetBits(b.Bytes(), 0, n)
	if nulls == 0 {
		return nil, 0
	}
	return b, nulls
}

func compactBits(s *scratch, src []byte, offset int, keep []run, n int) *memory.Buffer {
	out := s.bytes(int(bitutil.BytesForBits(int64(n))))
	clear(out)
	at := 0
	for _, r := range keep {
		bitutil.CopyBitmap(src, offset+r.from, r.to-r.from, out, at)
		at += r.to - r.from
	}
	return memory.NewBufferBytes(out)
}

func compactStrings(s *scratch, col *array.String, keep []run, n int) []*memory.Buffer {
	starts := col.ValueOffsets() // n+1 of them; [n] is the end of the last
	total := 0
	for _, r := range keep {
		total += int(starts[r.to] - starts[r.from])
	}
	ends, out := numbers[int32](s, n+1)[:1], s.bytes(total)[:0]
	ends[0] = 0
	var bytes []byte
	if b := col.Data().Buffers()[2]; b != nil {
		bytes = b.Bytes()
	}
	for _, r := range keep {
		base := starts[r.from] - int32(len(out))
		for _, end := range starts[r.from+1 : r.to+1] {
			ends = append(ends, end-base)
		}
		out = append(out, bytes[starts[r.from]:starts[r.to]]...)
	}
	return []*memory.Buffer{memory.NewBufferBytes(arrow.GetBytes(ends)), memory.NewBufferBytes(out)}
}
