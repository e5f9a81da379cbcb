package file

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"mulu"
	"mulu/internal/clock"
)

// batchRows is how many rows of a Parquet are decoded at a time.
const batchRows = 1024

// parquetSource reads a Parquet, row group by row group. Its headings are its fields'
// names, as a row with the number 0.
type parquetSource struct {
	f     *file.Reader
	r     pqarrow.RecordReader
	names []cell
	began bool
	batch arrow.RecordBatch
	at    int
	row   int
	out   line
}

func openParquet(path string) (s *parquetSource, err error) {
	defer func() {
		if p := recover(); p != nil { // the library's answer to some broken files
			s, err = nil, damagedParquet(fmt.Errorf("%v", p))
		}
	}()
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled = true // a column of a row group is not read as a whole
	f, err := file.OpenParquetFile(path, false, file.WithReadProps(props))
	if err != nil {
		return nil, damagedParquet(err)
	}
	in, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: batchRows}, memory.DefaultAllocator)
	if err != nil {
		f.Close()
		return nil, damagedParquet(err)
	}
	rr, err := in.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		f.Close()
		return nil, damagedParquet(err)
	}
	s = &parquetSource{f: f, r: rr}
	for _, field := range rr.Schema().Fields() {
		s.names = append(s.names, cell{kind: isText, text: field.Name})
	}
	return s, nil
}

func damagedParquet(err error) error {
	return fmt.Errorf("Parquet 文件已损坏或不完整，或用了不支持的压缩、加密；请重新导出 / the Parquet can not be read: %w: %w", mulu.ErrInvalid, err)
}

func (s *parquetSource) close() error {
	s.r.Release()
	return s.f.Close()
}

func (s *parquetSource) next() (l *line, err error) {
	if !s.began {
		s.began = true
		s.out = line{cells: s.names}
		return &s.out, nil
	}
	for s.batch == nil || s.at == int(s.batch.NumRows()) {
		if err := s.load(); err != nil {
			return nil, err
		}
	}
	s.row++
	if s.row == 1 {
		s.out.cells = make([]cell, len(s.names))
	}
	s.out.number = s.row
	for i := range s.out.cells {
		s.out.cells[i] = arrowCell(s.batch.Column(i), s.at)
	}
	s.at++
	return &s.out, nil
}

func (s *parquetSource) load() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damagedParquet(fmt.Errorf("%v", p))
		}
	}()
	b, err := s.r.Read()
	if err == io.EOF || err == nil && b == nil {
		return io.EOF
	}
	if err != nil {
		return damagedParquet(err)
	}
	s.batch, s.at = b, 0
	return nil
}

// arrowCell makes a cell of a value; what the types of a dataset do not know becomes
// text.
func arrowCell(a arrow.Array, i int) cell {
	if a.IsNull(i) {
		return cell{}
	}
	whole := func(s string) cell { return cell{kind: isNumber, typed: true, text: s} }
	said := func(s string) cell {
		if s == "" {
			return cell{}
		}
		if !utf8.ValidString(s) {
			s = "\uFFFD"
		}
		return cell{kind: isText, text: s}
	}
	switch a := a.(type) {
	case *array.String:
		return said(string([]byte(a.Value(i)))) // not the batch's memory
	case *array.LargeString:
		return said(string([]byte(a.Value(i))))
	case *array.Binary:
		return said(string(a.Value(i)))
	case *array.LargeBinary:
		return said(string(a.Value(i)))
	case *array.Boolean:
		if a.Value(i) {
			return cell{kind: isBool, text: "TRUE"}
		}
		return cell{kind: isBool, text: "FALSE"}
	case *array.Float64:
		return cell{kind: isNumber, text: strconv.FormatFloat(a.Value(i), 'g', -1, 64)}
	case *array.Float32:
		return cell{kind: isNumber, text: strconv.FormatFloat(float64(a.Value(i)), 'g', -1, 32)}
	case *array.Date32:
		return said(a.Value(i).ToTime().Format(time.DateOnly))
	case *array.Date64:
		return said(a.Value(i).ToTime().Format(time.DateOnly))
	case *array.Timestamp:
		t := a.DataType().(*arrow.TimestampType)
		at := a.Value(i).ToTime(t.Unit)
		if t.TimeZone == "" { // a wall clock
			return said(at.Format("2006-01-02 15:04:05.999999999"))
		}
		return said(at.In(clock.Shanghai).Format("2006-01-02 15:04:05.999999999-07:00"))
	case *array.Int8, *array.Int16, *array.Int32, *array.Int64, *array.Uint8, *array.Uint16, *array.Uint32, *array.Uint64,
		*array.Decimal128, *array.Decimal256, *array.Decimal32, *array.Decimal64:
		return whole(a.ValueStr(i))
	}
	return said(a.ValueStr(i))
}

func (r *Reader) openParquet(path string, m *matcher) (*head, error) {
	src, err := openParquet(path)
	if err != nil {
		return nil, err
	}
	r.src = src
	rows, err := peek(src)
	if err != nil {
		return nil, err
	}
	r.layout.Total, r.layout.Exact = src.f.NumRows(), true
	if len(rows) == 0 {
		return nil, nil
	}
	h := m.read(rows, 0, 1, nil)
	r.describe(m, h, rows)
	r.layout.Header, r.layout.Levels = 0, 0
	return h, nil
}
