//go:build linux && amd64

package library

import (
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
)

// nativeFrame is the rival of frame: the same rows as one Native block, written
// straight from the Arrow buffers. It lives here to be measured (ADR 7).
func nativeFrame(ds *mulu.Dataset, b Batch, epoch uint64) ([]byte, error) {
	keep, n := runs(b.Drop, int(b.Record.NumRows()))
	cols := columnsOf(ds)
	out := make([]byte, 0, n*300)
	s := new(scratch)
	out = binary.AppendUvarint(out, uint64(len(cols)))
	out = binary.AppendUvarint(out, uint64(n))
	head := func(c column) { out = appendString(appendString(out, c.name), c.typ) }
	for i, c := range cols[:len(ds.Columns)+1] {
		head(c)
		col := compact(s, b.Record.Column(i), keep, n)
		var err error
		if out, err = appendNative(out, col, n, i < len(ds.Columns) && nullable(ds, ds.Columns[i])); err != nil {
			return nil, err
		}
	}
	for i, p := range provenanceColumns(s, b, keep, n, epoch) {
		head(cols[len(ds.Columns)+1+i])
		if d, ok := p.data.(*array.Dictionary); ok {
			out = binary.LittleEndian.AppendUint64(out, 1)          // shared dictionaries with additional keys
			out = binary.LittleEndian.AppendUint64(out, 1<<9|1<<10) // additional keys, update, UInt8 index
			out = binary.LittleEndian.AppendUint64(out, 2)
			out = appendString(append(out, 0), d.Dictionary().(*array.String).Value(0))
			out = binary.LittleEndian.AppendUint64(out, uint64(n))
			for range n {
				out = append(out, 1)
			}
			continue
		}
		out = append(out, p.data.Data().Buffers()[1].Bytes()...)
	}
	return out, nil
}

func appendString(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

func appendNative(out []byte, col arrow.Array, n int, nullable bool) ([]byte, error) {
	if nullable {
		for i := range n {
			null := byte(0)
			if col.IsNull(i) {
				null = 1
			}
			out = append(out, null)
		}
	}
	switch c := col.(type) {
	case *array.String:
		for i := range n {
			out = appendString(out, c.Value(i))
		}
	case *array.Int64:
		out = append(out, arrow.Int64Traits.CastToBytes(c.Int64Values())...)
	case *array.Date32:
		out = append(out, arrow.Date32Traits.CastToBytes(c.Date32Values())...)
	case *array.Timestamp:
		out = append(out, arrow.TimestampTraits.CastToBytes(c.TimestampValues())...)
	case *array.Decimal128:
		for i := range n {
			out = binary.LittleEndian.AppendUint64(out, c.Value(i).LowBits())
		}
	case *array.Boolean:
		for i := range n {
			v := byte(0)
			if c.Value(i) {
				v = 1
			}
			out = append(out, v)
		}
	default:
		return nil, fmt.Errorf("column type %s: %w", col.DataType(), mulu.ErrInvalid)
	}
	return out, nil
}
