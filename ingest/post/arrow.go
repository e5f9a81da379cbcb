package post

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
	"mulu/ingest/text"
	"mulu/internal/clock"
)

// arrowMemory bounds what the record batches of one stream take at a time: compressed
// buffers can claim any size.
const arrowMemory = 256 << 20

// stream reads an Arrow IPC stream, a row of each batch at a time, as JSON objects with
// the columns' names. Texts are as they are, also where they are no UTF-8: ingest says so.
func stream(r io.Reader, yield func([]byte) error) (err error) {
	row := int64(0)
	defer func() {
		if p := recover(); p != nil {
			err = notArrow(row, fmt.Errorf("%v", p))
		}
	}()
	in, err := ipc.NewReader(r, ipc.WithAllocator(&bounded{Allocator: memory.NewGoAllocator()}))
	if err != nil {
		return notArrow(row, err)
	}
	defer in.Release()
	write, err := objectOf(in.Schema().Fields())
	if err != nil {
		return err
	}
	var line []byte
	for in.Next() {
		batch := in.RecordBatch()
		columns := batch.Columns()
		for i := range int(batch.NumRows()) {
			line = write(line[:0], columns, i)
			if err := yield(line); err != nil {
				return err
			}
			row++
		}
	}
	if in.Err() != nil && in.Err() != io.EOF { //nolint:errorlint // as it says it
		return notArrow(row, in.Err())
	}
	return nil
}

func notArrow(row int64, err error) error {
	return fmt.Errorf("不是完整的 Arrow IPC 流，读到第 %d 行后出错：%s；整个请求未收，请检查写出程序是否关闭了流 / not a whole Arrow stream, nothing was taken: %w", row, err, mulu.ErrInvalid)
}

// bounded refuses to hold more than arrowMemory.
type bounded struct {
	memory.Allocator
	held int64
}

func (b *bounded) Allocate(n int) []byte {
	b.hold(int64(n))
	return b.Allocator.Allocate(n)
}

func (b *bounded) Reallocate(n int, p []byte) []byte {
	b.hold(int64(n - len(p)))
	return b.Allocator.Reallocate(n, p)
}

func (b *bounded) Free(p []byte) {
	b.held -= int64(len(p))
	b.Allocator.Free(p)
}

func (b *bounded) hold(n int64) {
	if b.held += n; b.held > arrowMemory {
		panic(fmt.Sprintf("一个记录批解压后超过 %d MiB，请写成较小的批", arrowMemory>>20))
	}
}

// writeRow appends row i of columns as a JSON object.
type writeRow func(dst []byte, columns []arrow.Array, i int) []byte

// objectOf prepares writing for fields; what has no form in a record is refused by name.
func objectOf(fields []arrow.Field) (writeRow, error) {
	names := make([][]byte, len(fields))
	cells := make([]writeCell, len(fields))
	for c, f := range fields {
		names[c] = append(text.AppendJSON(nil, f.Name), ':')
		var err error
		if cells[c], err = cellOf(f.Name, f.Type); err != nil {
			return nil, err
		}
	}
	return func(dst []byte, columns []arrow.Array, i int) []byte {
		dst = append(dst, '{')
		for c, col := range columns {
			if c > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, names[c]...)
			if col.IsNull(i) {
				dst = append(dst, "null"...)
			} else {
				dst = cells[c](dst, col, i)
			}
		}
		return append(dst, '}')
	}, nil
}

// writeCell appends the value at i of a column, which is not null.
type writeCell func(dst []byte, col arrow.Array, i int) []byte

// number writes integers.
func number[A interface{ Value(int) T }, T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64]() writeCell {
	return func(dst []byte, col arrow.Array, i int) []byte {
		v := any(col).(A).Value(i)
		if v < 0 {
			return strconv.AppendInt(dst, int64(v), 10)
		}
		return strconv.AppendUint(dst, uint64(v), 10)
	}
}

func chars[A interface{ Value(int) string }](dst []byte, col arrow.Array, i int) []byte {
	return text.AppendJSON(dst, any(col).(A).Value(i))
}

// float keeps what JSON can not hold as text, which ingest then rejects.
func float(dst []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.AppendQuote(dst, strconv.FormatFloat(v, 'g', -1, bits))
	}
	return strconv.AppendFloat(dst, v, 'f', -1, bits)
}

// cellOf is how values of a type are written: as a Kafka producer of the dataset would.
func cellOf(name string, t arrow.DataType) (writeCell, error) {
	switch t := t.(type) {
	case *arrow.StringType:
		return chars[*array.String], nil
	case *arrow.LargeStringType:
		return chars[*array.LargeString], nil
	case *arrow.StringViewType:
		return chars[*array.StringView], nil
	case *arrow.BooleanType:
		return func(dst []byte, col arrow.Array, i int) []byte {
			return strconv.AppendBool(dst, col.(*array.Boolean).Value(i))
		}, nil
	case *arrow.Int8Type:
		return number[*array.Int8](), nil
	case *arrow.Int16Type:
		return number[*array.Int16](), nil
	case *arrow.Int32Type:
		return number[*array.Int32](), nil
	case *arrow.Int64Type:
		return number[*array.Int64](), nil
	case *arrow.Uint8Type:
		return number[*array.Uint8](), nil
	case *arrow.Uint16Type:
		return number[*array.Uint16](), nil
	case *arrow.Uint32Type:
		return number[*array.Uint32](), nil
	case *arrow.Uint64Type:
		return number[*array.Uint64](), nil
	case *arrow.Float32Type:
		return func(dst []byte, col arrow.Array, i int) []byte {
			return float(dst, float64(col.(*array.Float32).Value(i)), 32)
		}, nil
	case *arrow.Float64Type:
		return func(dst []byte, col arrow.Array, i int) []byte { return float(dst, col.(*array.Float64).Value(i), 64) }, nil
	case *arrow.Decimal128Type, *arrow.Decimal256Type, *arrow.Decimal32Type, *arrow.Decimal64Type:
		return func(dst []byte, col arrow.Array, i int) []byte { return append(dst, col.ValueStr(i)...) }, nil
	case *arrow.Date32Type:
		return func(dst []byte, col arrow.Array, i int) []byte {
			return quoted(dst, col.(*array.Date32).Value(i).ToTime(), time.DateOnly)
		}, nil
	case *arrow.Date64Type:
		return func(dst []byte, col arrow.Array, i int) []byte {
			return quoted(dst, col.(*array.Date64).Value(i).ToTime(), time.DateOnly)
		}, nil
	case *arrow.TimestampType:
		return moment(name, t)
	case *arrow.DictionaryType:
		cell, err := cellOf(name, t.ValueType)
		return func(dst []byte, col arrow.Array, i int) []byte {
			d := col.(*array.Dictionary)
			if d.Dictionary().IsNull(d.GetValueIndex(i)) {
				return append(dst, "null"...)
			}
			return cell(dst, d.Dictionary(), d.GetValueIndex(i))
		}, err
	case *arrow.StructType:
		write, err := objectOf(t.Fields())
		return func(dst []byte, col arrow.Array, i int) []byte {
			s := col.(*array.Struct)
			fields := make([]arrow.Array, s.NumField())
			for f := range fields {
				fields[f] = s.Field(f)
			}
			return write(dst, fields, i)
		}, err
	case *arrow.NullType:
		return func(dst []byte, _ arrow.Array, _ int) []byte { return append(dst, "null"...) }, nil
	}
	return nil, fmt.Errorf("字段“%s”的 Arrow 类型 %s 不能作为数据项；可用文本、整数、浮点、decimal、bool、date、timestamp、struct、dictionary / the type of field %q is not taken: %w", name, t, name, mulu.ErrInvalid)
}

// moment writes a time stamp; one without a zone is Beijing time, as text without one is.
func moment(name string, t *arrow.TimestampType) (writeCell, error) {
	read, err := t.GetToTimeFunc()
	if err != nil {
		return nil, fmt.Errorf("字段“%s”的时区 %q 不认识 / the time zone of field %q is not known: %w: %w", name, t.TimeZone, name, mulu.ErrInvalid, err)
	}
	if t.TimeZone == "" {
		const local = "2006-01-02 15:04:05.999999999"
		return func(dst []byte, col arrow.Array, i int) []byte {
			return quoted(dst, read(col.(*array.Timestamp).Value(i)), local)
		}, nil
	}
	return func(dst []byte, col arrow.Array, i int) []byte {
		return quoted(dst, read(col.(*array.Timestamp).Value(i)).In(clock.Shanghai), time.RFC3339Nano)
	}, nil
}

func quoted(dst []byte, t time.Time, form string) []byte {
	return append(t.AppendFormat(append(dst, '"'), form), '"')
}
