package librarytest

import (
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
	"mulu/library"
	"mulu/plan"
)

// residents is a dataset with a column of every type, null and not.
func residents(code mulu.DatasetCode) *mulu.Dataset {
	return &mulu.Dataset{
		Code: code, Title: "居民", Version: 1, Library: "lib_" + string(code), Topic: "t_" + string(code), Format: "json",
		Columns: []mulu.Column{
			{Name: "id_no", Type: mulu.String, Required: true, Level: mulu.L3},
			{Name: "name", Type: mulu.String, Level: mulu.L2},
			{Name: "seq", Type: mulu.Int},
			{Name: "pension", Type: mulu.Decimal, Scale: 2},
			{Name: "birth", Type: mulu.Date},
			{Name: "moved", Type: mulu.DateTime},
			{Name: "alone", Type: mulu.Bool},
			{Name: "phone", Type: mulu.String},
			{Name: "address", Type: mulu.String},
		},
		Key: []string{"id_no"}, History: true,
	}
}

// row is one resident; a nil pointer is null.
type row struct {
	id      string
	name    *string
	seq     *int64
	pension *int64 // cents
	birth   *string
	moved   *int64 // Unix milliseconds
	alone   *bool
	phone   *string
	address *string
	extra   string
}

func p[T any](v T) *T { return &v }

// record builds the Arrow form of rows, as ingest hands it over.
func record(t *testing.T, ds *mulu.Dataset, rows []row) arrow.RecordBatch {
	t.Helper()
	types := []arrow.DataType{arrow.BinaryTypes.String, arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64, &arrow.Decimal128Type{Precision: 18, Scale: 2},
		arrow.FixedWidthTypes.Date32, &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, arrow.FixedWidthTypes.Boolean, arrow.BinaryTypes.String, arrow.BinaryTypes.String, arrow.BinaryTypes.String}
	fields := make([]arrow.Field, len(types))
	for i := range types {
		name := mulu.ColExtra
		if i < len(ds.Columns) {
			name = ds.Columns[i].Name
		}
		fields[i] = arrow.Field{Name: name, Type: types[i], Nullable: true}
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	for _, r := range rows {
		b.Field(0).(*array.StringBuilder).Append(r.id)
		text(b.Field(1), r.name)
		if put(b.Field(2), r.seq != nil) {
			b.Field(2).(*array.Int64Builder).Append(*r.seq)
		}
		if put(b.Field(3), r.pension != nil) {
			b.Field(3).(*array.Decimal128Builder).Append(decimal128.FromI64(*r.pension))
		}
		if put(b.Field(4), r.birth != nil) {
			d, err := time.Parse(time.DateOnly, *r.birth)
			if err != nil {
				t.Fatal(err)
			}
			b.Field(4).(*array.Date32Builder).Append(arrow.Date32FromTime(d))
		}
		if put(b.Field(5), r.moved != nil) {
			b.Field(5).(*array.TimestampBuilder).Append(arrow.Timestamp(*r.moved))
		}
		if put(b.Field(6), r.alone != nil) {
			b.Field(6).(*array.BooleanBuilder).Append(*r.alone)
		}
		text(b.Field(7), r.phone)
		text(b.Field(8), r.address)
		b.Field(9).(*array.StringBuilder).Append(r.extra)
	}
	return b.NewRecordBatch()
}

func put(b array.Builder, there bool) bool {
	if !there {
		b.AppendNull()
	}
	return there
}

func text(b array.Builder, s *string) {
	if put(b, s != nil) {
		b.(*array.StringBuilder).Append(*s)
	}
}

// batch plans rows at consecutive offsets from first.
func batch(t *testing.T, ds *mulu.Dataset, first int64, rows []row) library.Batch {
	t.Helper()
	b := library.Batch{Record: record(t, ds, rows), Plan: mulu.Plan{
		BatchID: mulu.BatchID{TopicID: mulu.TopicID{1}, Topic: ds.Topic, First: first, Last: first + int64(len(rows)) - 1},
		Dataset: ds.Code, Version: ds.Version}}
	for i := range rows {
		b.Offsets = append(b.Offsets, first+int64(i))
		b.Flags = append(b.Flags, 0)
	}
	return b
}

func numbered(n int) []row {
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{id: fmt.Sprintf("id%07d", i), seq: p(int64(i))}
		if i%3 == 0 {
			rows[i].name = p(fmt.Sprintf("名%d", i))
		}
		if i%2 == 0 {
			rows[i].alone = p(i%4 == 0)
			rows[i].pension = p(int64(i))
		}
	}
	return rows
}

// apply applies ds and fails the test otherwise.
func apply(t *testing.T, l *library.Library, ds *mulu.Dataset) {
	t.Helper()
	if err := l.Apply(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
}

func store(t *testing.T, l *library.Library, b library.Batch) {
	t.Helper()
	if err := l.StoreData(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, l *library.Library, pl plan.Plan, opt library.ReadOptions) [][]any {
	t.Helper()
	rows, err := l.Read(t.Context(), pl, opt)
	if err != nil {
		t.Fatal(err)
	}
	return rows.Values
}

// items names items with their masks, "name:mask".
func items(names ...string) []plan.Item {
	out := make([]plan.Item, len(names))
	for i, n := range names {
		out[i] = plan.Item{Name: n}
	}
	return out
}

// count is the number of visible rows.
func count(t *testing.T, l *library.Library, code mulu.DatasetCode) float64 {
	t.Helper()
	m, err := l.Summary(t.Context(), plan.Summary{Dataset: code, Measures: []plan.Measure{{As: "n", Kind: plan.Rows}}})
	if err != nil {
		t.Fatal(err)
	}
	return m[0]["n"].(float64)
}
