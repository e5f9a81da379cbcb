package filecheck

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"golang.org/x/sync/errgroup"

	"mulu"
	"mulu/quality/check"
)

// batchRows is how many rows of Parquet are judged at once.
const batchRows = 1 << 16

// parquetFile gives the columns of a Parquet file; only those that are needed are read.
type parquetFile struct {
	f      *os.File
	file   *file.Reader
	schema *arrow.Schema
	leaves [][]int // per column, its leaves
}

func openParquet(f *os.File) (File, error) {
	r, err := file.NewParquetReader(f, file.WithReadProps(parquet.NewReaderProperties(memory.DefaultAllocator)))
	if err != nil {
		return nil, fmt.Errorf("Parquet 已损坏或不完整；请重新导出 / the Parquet is damaged: %w: %w", mulu.ErrInvalid, err) //nolint:staticcheck // a name
	}
	a, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	p := &parquetFile{f: f, file: r}
	if p.schema, err = a.Schema(); err != nil {
		return nil, fmt.Errorf("Parquet 的某列类型不能读取：%w / a type that can not be read: %w", err, mulu.ErrInvalid) //nolint:staticcheck // a name
	}
	for _, fields := range a.Manifest.Fields {
		p.leaves = append(p.leaves, leavesOf(&fields))
	}
	return p, nil
}

func leavesOf(f *pqarrow.SchemaField) (out []int) {
	if f.IsLeaf() {
		return []int{f.ColIndex}
	}
	for i := range f.Children {
		out = append(out, leavesOf(&f.Children[i])...)
	}
	return out
}

func (p *parquetFile) Columns() []string {
	var names []string
	for _, f := range p.schema.Fields() {
		names = append(names, f.Name)
	}
	return names
}

func (p *parquetFile) Format() string         { return "parquet" }
func (p *parquetFile) Faults() ([]Fault, int) { return nil, 0 }
func (p *parquetFile) Close() error           { return p.file.Close() }

func (p *parquetFile) Types() []check.Form {
	var out []check.Form
	for _, f := range p.schema.Fields() {
		out = append(out, formOf(f.Type))
	}
	return out
}

func formOf(t arrow.DataType) check.Form {
	switch t := t.(type) {
	case *arrow.Decimal128Type:
		if t.Precision <= 18 {
			return check.Form{Type: mulu.Decimal, Scale: int(t.Scale)}
		}
		return check.Form{}
	case *arrow.DictionaryType:
		return formOf(t.ValueType)
	case *arrow.TimestampType:
		return check.Form{Type: mulu.DateTime}
	}
	switch t.ID() {
	case arrow.STRING, arrow.LARGE_STRING:
		return check.Form{Type: mulu.String}
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32:
		return check.Form{Type: mulu.Int}
	case arrow.FLOAT32, arrow.FLOAT64:
		return check.Form{Type: mulu.Decimal, Scale: 6}
	case arrow.BOOL:
		return check.Form{Type: mulu.Bool}
	case arrow.DATE32, arrow.DATE64:
		return check.Form{Type: mulu.Date}
	}
	return check.Form{}
}

// Scan reads the needed columns, every row group on a core of its own; a file of one
// group has its columns decoded beside each other and its rows judged in slices.
func (p *parquetFile) Scan(ctx context.Context, needs []check.Need, f func(check.Batch) error) error {
	needed := map[int]bool{}
	for _, n := range needs {
		needed[n.Column] = true
	}
	// What is read comes in the order it is asked for in: that of the file.
	var leaves []int
	at := map[int]int{} // column of the file, in what is read
	for c := range p.leaves {
		if needed[c] {
			at[c] = len(at)
			leaves = append(leaves, p.leaves[c]...)
		}
	}
	groups := p.file.NumRowGroups()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	seq := 0
	for group := range groups {
		rows := p.file.MetaData().RowGroup(group).NumRows()
		first := seq
		seq += int((rows + batchRows - 1) / batchRows)
		g.Go(func() error { return p.group(ctx, group, first, int(rows), leaves, at, needs, groups == 1, f) })
	}
	return g.Wait()
}

func (p *parquetFile) group(ctx context.Context, group, seq, rows int, leaves []int, at map[int]int, needs []check.Need, parallel bool, f func(check.Batch) error) error {
	if len(leaves) == 0 { // nothing but rows is asked for
		for first := 0; first < rows; first += batchRows {
			if err := f(check.Batch{Seq: seq, Rows: min(batchRows, rows-first)}); err != nil {
				return err
			}
			seq++
		}
		return nil
	}
	reader, err := pqarrow.NewFileReader(p.file, pqarrow.ArrowReadProperties{Parallel: parallel, BatchSize: batchRows}, memory.DefaultAllocator)
	if err != nil {
		return fmt.Errorf("read Parquet: %w", err)
	}
	if parallel && rows > batchRows {
		return p.whole(ctx, reader, seq, leaves, at, needs, f)
	}
	r, err := reader.GetRecordReader(ctx, leaves, []int{group})
	if err != nil {
		return fmt.Errorf("read Parquet: %w", err)
	}
	defer r.Release()
	for r.Next() {
		if err := convert(ctx, r.RecordBatch(), seq, at, needs, f); err != nil {
			return err
		}
		seq++
	}
	if err := r.Err(); err != nil && err.Error() != "EOF" {
		return fmt.Errorf("Parquet 已损坏或不完整；请重新导出 / the Parquet is damaged: %w: %w", mulu.ErrInvalid, err) //nolint:staticcheck // a name
	}
	return nil
}

// whole reads one group at once, its columns side by side.
func (p *parquetFile) whole(ctx context.Context, reader *pqarrow.FileReader, seq int, leaves []int, at map[int]int, needs []check.Need, f func(check.Batch) error) error {
	table, err := reader.ReadRowGroups(ctx, leaves, []int{0})
	if err != nil {
		return fmt.Errorf("Parquet 已损坏或不完整；请重新导出 / the Parquet is damaged: %w: %w", mulu.ErrInvalid, err) //nolint:staticcheck // a name
	}
	defer table.Release()
	rows := array.NewTableReader(table, batchRows)
	defer rows.Release()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for rows.Next() {
		rec, n := rows.RecordBatch(), seq
		rec.Retain()
		g.Go(func() error { defer rec.Release(); return convert(ctx, rec, n, at, needs, f) })
		seq++
	}
	return g.Wait()
}

// convert gives a record's columns in the forms that are needed.
func convert(ctx context.Context, rec arrow.RecordBatch, seq int, at map[int]int, needs []check.Need, f func(check.Batch) error) error {
	b := check.Batch{Seq: seq, Rows: int(rec.NumRows()), Cols: make([]arrow.Array, len(needs)), Unfit: make([]check.Bits, len(needs))}
	for i, n := range needs {
		var err error
		a := rec.Column(at[n.Column])
		if n.Form.Type == "" {
			b.Cols[i], err = loosely(ctx, a)
		} else {
			b.Cols[i], b.Unfit[i], err = as(ctx, a, n.Form)
		}
		if err != nil {
			return fmt.Errorf("列 %q：%w", rec.ColumnName(at[n.Column]), err)
		}
	}
	return f(b)
}

var micro = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}

// loosely gives an array in one of the loose forms.
func loosely(ctx context.Context, a arrow.Array) (arrow.Array, error) {
	switch a.DataType().ID() {
	case arrow.NULL, arrow.BOOL, arrow.INT64, arrow.FLOAT64, arrow.STRING, arrow.DATE32, arrow.DECIMAL128:
		return a, nil
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.UINT8, arrow.UINT16, arrow.UINT32:
		return cast(ctx, a, arrow.PrimitiveTypes.Int64)
	case arrow.UINT64, arrow.FLOAT16, arrow.FLOAT32:
		return cast(ctx, a, arrow.PrimitiveTypes.Float64)
	case arrow.LARGE_STRING, arrow.BINARY, arrow.LARGE_BINARY:
		return cast(ctx, a, arrow.BinaryTypes.String)
	case arrow.DATE64:
		return cast(ctx, a, arrow.FixedWidthTypes.Date32)
	case arrow.TIMESTAMP:
		return moments(a, micro), nil
	case arrow.DICTIONARY:
		d := a.(*array.Dictionary)
		plain, err := compute.TakeArray(ctx, d.Dictionary(), d.Indices())
		if err != nil {
			return nil, fmt.Errorf("read dictionary: %w", err)
		}
		return loosely(ctx, plain)
	}
	return texts(printed{a}).array, nil
}

func cast(ctx context.Context, a arrow.Array, to arrow.DataType) (arrow.Array, error) {
	out, err := compute.CastArray(ctx, a, compute.UnsafeCastOptions(to))
	if err != nil {
		return nil, fmt.Errorf("不能读作 %s：%w / can not be read so: %w", to, err, mulu.ErrInvalid)
	}
	return out, nil
}

// moments brings timestamps to a unit; what is finer is cut off downwards.
func moments(a arrow.Array, to *arrow.TimestampType) arrow.Array {
	from := a.DataType().(*arrow.TimestampType)
	if from.Unit == to.Unit {
		return a
	}
	v := a.(*array.Timestamp)
	out, valid := make([]arrow.Timestamp, a.Len()), newValidity(a.Len())
	up, down := int64(from.Unit.Multiplier()/to.Unit.Multiplier()), int64(to.Unit.Multiplier()/from.Unit.Multiplier())
	for i := range out {
		if a.IsNull(i) {
			valid.nulls++
			continue
		}
		valid.set(i)
		x := int64(v.Value(i))
		if up > 0 {
			x *= up
		} else if r := x % down; r < 0 {
			x = x/down - 1
		} else {
			x /= down
		}
		out[i] = arrow.Timestamp(x)
	}
	return array.MakeFromData(valid.data(to, len(out), raw(out)))
}

// printed are the values of any array as text.
type printed struct{ arrow.Array }

func (p printed) rows() int { return p.Len() }

func (p printed) at(i int) ([]byte, check.Kind) {
	if p.IsNull(i) {
		return nil, check.Null
	}
	return []byte(p.ValueStr(i)), check.Text
}

// written are the texts of a column of strings, as they lie in it.
type written struct {
	*array.String
	offsets []int32
	data    []byte
}

func writtenIn(a *array.String) written {
	w := written{a, a.ValueOffsets(), a.ValueBytes()}
	if a.Len() > 0 && w.offsets[0] > 0 {
		w.data = a.Data().Buffers()[2].Bytes()
	}
	return w
}

func (w written) rows() int { return w.Len() }

func (w written) at(i int) ([]byte, check.Kind) {
	if w.IsNull(i) {
		return nil, check.Null
	}
	return w.data[w.offsets[i]:w.offsets[i+1]], check.Text
}

// as gives an array in a declared type. What is of another kind is read from its text.
func as(ctx context.Context, a arrow.Array, f check.Form) (arrow.Array, check.Bits, error) {
	a, err := loosely(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	switch a := a.(type) {
	case *array.String:
		if f.Type == mulu.String {
			return a, nil, nil
		}
		b := typedColumn(writtenIn(a), f)
		return b.array, b.unfit, nil
	case *array.Int64:
		if f.Type == mulu.Int {
			return a, nil, nil
		}
	case *array.Boolean:
		if f.Type == mulu.Bool {
			return a, nil, nil
		}
	case *array.Date32:
		if f.Type == mulu.Date {
			return a, nil, nil
		}
	case *array.Timestamp:
		if f.Type == mulu.DateTime {
			return moments(a, arrow.FixedWidthTypes.Timestamp_ms.(*arrow.TimestampType)), nil, nil
		}
	case *array.Decimal128:
		if f.Type == mulu.Decimal {
			return rescaled(a, f.Scale)
		}
	}
	b := typedColumn(printed{a}, f)
	return b.array, b.unfit, nil
}

func rescaled(a *array.Decimal128, scale int) (arrow.Array, check.Bits, error) {
	from := int(a.DataType().(*arrow.Decimal128Type).Scale)
	var unfit check.Bits
	out, valid := make([]decimal128.Num, a.Len()), newValidity(a.Len())
	for i := range out {
		if a.IsNull(i) {
			valid.nulls++
			continue
		}
		n, err := a.Value(i).Rescale(int32(from), int32(scale)) //nolint:gosec // at most 38
		if err != nil || !n.FitsInPrecision(18) {
			if unfit == nil {
				unfit = check.NewBits(a.Len())
			}
			unfit.Set(i)
			valid.nulls++
			continue
		}
		valid.set(i)
		out[i] = n
	}
	return array.MakeFromData(valid.data(&arrow.Decimal128Type{Precision: 18, Scale: int32(scale)}, len(out), raw(out))), unfit, nil //nolint:gosec // same
}
