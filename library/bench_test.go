//go:build linux && amd64

package library

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
	"mulu/library/embedded"
	"mulu/plan"
)

// BenchmarkInsert puts the ways of inserting one batch beside the engine's own
// INSERT SELECT of the same rows with the same settings, merges stopped. cpu-s/M is
// the CPU of the whole process, engine included, per million rows.
func BenchmarkInsert(b *testing.B) {
	l, ds := benchLibrary(b)
	ctx := b.Context()
	const n = 100_000
	batch := benchBatch(ds, n)
	into := "INSERT INTO lib_bench.bench (" + idents(names(ds)) + ")"
	insert := func(format string, body io.Reader) error {
		return l.db.InsertFormat(clickhouse.Context(ctx, clickhouse.WithSettings(oneBlock())), format, into, body)
	}
	arrowStream := func() error {
		data, err := frame(ds, batch, 0)
		if err != nil {
			return err
		}
		defer data.release()
		return insert("ArrowStream", data.reader())
	}
	native := func() error {
		data, err := nativeFrame(ds, batch, 0)
		if err != nil {
			return err
		}
		return insert("Native", bytes.NewReader(data))
	}
	if err := arrowStream(); err != nil {
		b.Fatal(err)
	}
	sum := func() (h uint64) {
		if err := l.db.QueryRow(ctx, "SELECT sum(cityHash64(*)) FROM lib_bench.bench").Scan(&h); err != nil {
			b.Fatal(err)
		}
		return h
	}
	// The rival must store the same rows, or its speed means nothing.
	want := sum()
	if err := l.db.Exec(ctx, "TRUNCATE TABLE lib_bench.bench"); err != nil {
		b.Fatal(err)
	}
	if err := native(); err != nil {
		b.Fatal(err)
	}
	if got := sum(); got != want {
		b.Fatalf("rows differ: native %d, arrow %d", got, want)
	}
	for _, sql := range []string{"CREATE TABLE lib_bench.src AS lib_bench.bench ENGINE=Memory", "INSERT INTO lib_bench.src SELECT * FROM lib_bench.bench"} {
		if err := l.db.Exec(ctx, sql); err != nil {
			b.Fatal(err)
		}
	}
	for _, way := range []struct {
		name string
		run  func() error
	}{
		{"arrowstream", arrowStream},
		{"native", native},
		{"insert_select", func() error {
			return l.db.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(oneBlock())), into+" SELECT "+idents(names(ds))+" FROM lib_bench.src")
		}},
		{"frame_arrow_only", func() error { f, err := frame(ds, batch, 0); f.release(); return err }},
		{"frame_native_only", func() error { _, err := nativeFrame(ds, batch, 0); return err }},
	} {
		b.Run(way.name, func(b *testing.B) {
			if err := l.db.Exec(ctx, "TRUNCATE TABLE lib_bench.bench"); err != nil {
				b.Fatal(err)
			}
			before := cpu(b)
			for b.Loop() {
				if err := way.run(); err != nil {
					b.Fatal(err)
				}
			}
			rows := float64(n) * float64(b.N)
			b.ReportMetric((cpu(b)-before).Seconds()/rows*1e6, "cpu-s/M")
			b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func benchLibrary(b *testing.B) (*Library, *mulu.Dataset) {
	lib := os.Getenv(embedded.EnvLib)
	if lib == "" {
		lib = "../engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
	}
	e, err := embedded.Start(b.Context(), embedded.Options{Dir: b.TempDir(), Lib: lib, MaxMemoryBytes: 4 << 30})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	l, err := Open(b.Context(), Options{Transport: e.Transport()})
	if err != nil {
		b.Fatal(err)
	}
	ds := &mulu.Dataset{Code: "bench", Version: 1, Library: "lib_bench", Topic: "bench", Key: []string{"id"}, Columns: []mulu.Column{
		{Name: "id", Type: mulu.Int, Required: true}, {Name: "citizen", Type: mulu.String, Required: true}, {Name: "name", Type: mulu.String}, {Name: "dept", Type: mulu.String},
		{Name: "phone", Type: mulu.String}, {Name: "address", Type: mulu.String}, {Name: "amount", Type: mulu.Decimal, Scale: 2}, {Name: "day", Type: mulu.Date},
		{Name: "at", Type: mulu.DateTime}, {Name: "alone", Type: mulu.Bool}, {Name: "count", Type: mulu.Int}, {Name: "note", Type: mulu.String}}}
	if err := l.Apply(b.Context(), ds); err != nil {
		b.Fatal(err)
	}
	if err := l.db.Exec(b.Context(), "SYSTEM STOP MERGES"); err != nil {
		b.Fatal(err)
	}
	return l, ds
}

func benchBatch(ds *mulu.Dataset, n int) Batch {
	var fields []arrow.Field
	for _, c := range ds.Columns {
		fields = append(fields, arrow.Field{Name: c.Name, Type: arrowType(c), Nullable: true})
	}
	fields = append(fields, arrow.Field{Name: mulu.ColExtra, Type: arrow.BinaryTypes.String})
	rb := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer rb.Release()
	r := rand.New(rand.NewPCG(1, 2))
	b := Batch{Plan: mulu.Plan{BatchID: mulu.BatchID{Topic: "bench", TopicID: mulu.TopicID{1}, Last: int64(n) - 1}, Dataset: "bench", Version: 1}, Flags: make([]uint64, n)}
	for i := range n {
		rb.Field(0).(*array.Int64Builder).Append(r.Int64())
		rb.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("310107%08d%04d", r.IntN(1e8), r.IntN(1e4)))
		for f, s := range map[int]string{2: "张三丰", 3: "民政局", 4: fmt.Sprintf("138%08d", r.IntN(1e8)), 5: fmt.Sprintf("普陀区曹杨路%d弄%d号%d室", r.IntN(999), r.IntN(99), r.IntN(999)), 11: fmt.Sprint("备注 ", r.IntN(1e6))} {
			if sb := rb.Field(f).(*array.StringBuilder); i%9 == f%9 {
				sb.AppendNull()
			} else {
				sb.Append(s)
			}
		}
		rb.Field(6).(*array.Decimal128Builder).Append(decimal128.FromI64(r.Int64N(1e9)))
		rb.Field(7).(*array.Date32Builder).Append(arrow.Date32(r.IntN(20000)))
		rb.Field(8).(*array.TimestampBuilder).Append(arrow.Timestamp(r.Int64N(1.7e12)))
		rb.Field(9).(*array.BooleanBuilder).Append(i%3 == 0)
		rb.Field(10).(*array.Int64Builder).Append(int64(i))
		rb.Field(12).(*array.StringBuilder).Append("")
		b.Offsets = append(b.Offsets, int64(i))
	}
	b.Record = rb.NewRecordBatch()
	b.Drop = make([]uint64, (n+63)/64)
	for i := 0; i < n; i += 50 { // two rows in a hundred are rejects
		b.Drop[i/64] |= 1 << (i % 64)
	}
	return b
}

// BenchmarkRead gives the latency of one verification among ten unmerged parts of
// 98 000 rows, and an export of them all beside the engine's own stream.
func BenchmarkRead(b *testing.B) {
	l, ds := benchLibrary(b)
	ctx := b.Context()
	batch := benchBatch(ds, 100_000)
	ids := batch.Record.Column(0).(*array.Int64)
	for i := range 10 {
		batch.Plan.First, batch.Plan.Last = int64(i)*100_000, int64(i+1)*100_000-1
		for j := range batch.Offsets {
			batch.Offsets[j] = batch.Plan.First + int64(j)
		}
		if err := l.StoreData(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	items := []plan.Item{{Name: "id"}, {Name: "name", Mask: plan.MaskName}, {Name: "citizen", Mask: plan.MaskID}, {Name: "amount"}}
	b.Run("point", func(b *testing.B) {
		i := 1
		for b.Loop() {
			rows, err := l.Read(ctx, plan.Plan{View: plan.View{Base: "bench"}, Items: items, Where: plan.Predicate{Field: "id", Op: plan.Eq, Value: ids.Value(i)}}, ReadOptions{})
			if err != nil || len(rows.Values) != 1 {
				b.Fatal(rows, err)
			}
			if i += 101; i >= 100_000 || i%50 == 0 {
				i = i%100 + 1
			}
		}
	})
	for _, f := range []Format{CSV, JSON, Arrow} {
		b.Run("export_"+string(f), func(b *testing.B) {
			for b.Loop() {
				if _, err := l.Export(ctx, plan.Plan{View: plan.View{Base: "bench"}, Items: items}, f, ReadOptions{}, io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("engine_csv", func(b *testing.B) {
		c, err := l.compile(plan.Plan{View: plan.View{Base: "bench"}, Items: items}, ReadOptions{}, 0)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			r, err := l.db.QueryFormat(clickhouse.Context(ctx, clickhouse.WithSettings(readSettings())), "CSV", c.sql)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
			r.Close()
		}
	})
}
