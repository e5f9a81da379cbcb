package ingest_test

import (
	"fmt"
	"testing"

	"mulu"
	"mulu/ingest"
)

// twelve is the dataset of the house's figures: 12 columns, about 330 B a record.
func twelve() *mulu.Dataset {
	return &mulu.Dataset{Code: "bench", Topic: "bench", Format: "json", Key: []string{"id"}, Columns: []mulu.Column{
		{Name: "id", Type: mulu.Int}, {Name: "citizen_id", Type: mulu.String}, {Name: "uscc", Type: mulu.String}, {Name: "name", Type: mulu.String},
		{Name: "mobile", Type: mulu.String}, {Name: "dept_code", Type: mulu.String}, {Name: "status", Type: mulu.String},
		{Name: "amount", Type: mulu.Decimal, Scale: 2}, {Name: "age", Type: mulu.Int}, {Name: "start_date", Type: mulu.Date},
		{Name: "updated_at", Type: mulu.DateTime}, {Name: "address", Type: mulu.String},
	}}
}

func BenchmarkDecodeJSON12(b *testing.B) {
	benchDecode(b, twelve(), func(i int, mobile string) string {
		if mobile != "" {
			mobile = `"` + mobile + `"`
		} else {
			mobile = "null"
		}
		return fmt.Sprintf(`{"id":%d,"citizen_id":"11010519491231%04d","uscc":"91310000%09dX","name":"张小%d","mobile":%s,"dept_code":"ABC-%06d","status":"VALID","amount":%d.%02d,"age":%d,"start_date":"2023-%02d-%02d","updated_at":"2024-05-06T07:08:%02d.123Z","address":"上海市普陀区长寿路街道某某居委会第%d弄%d号%d室"}`,
			uint32(i)*2654435761, i%10000, i, i%977, mobile, i%1000, i, i%100, i%100, i%12+1, i%28+1, i%60, i%300, i%90, i%2000)
	})
}

// The same rows one object further in.
func BenchmarkDecodeJSON12Nested(b *testing.B) {
	ds := twelve()
	for i := range ds.Columns {
		ds.Columns[i].Path = "payload.after." + ds.Columns[i].Name
	}
	benchDecode(b, ds, func(i int, mobile string) string {
		return fmt.Sprintf(`{"payload":{"after":{"id":%d,"citizen_id":"11010519491231%04d","uscc":"91310000%09dX","name":"张小%d","mobile":"%s","dept_code":"ABC-%06d","status":"VALID","amount":%d.%02d,"age":%d,"start_date":"2023-%02d-%02d","updated_at":"2024-05-06T07:08:%02d.123Z","address":"上海市普陀区长寿路街道某某居委会第%d弄%d号%d室"}}}`,
			uint32(i)*2654435761, i%10000, i, i%977, mobile, i%1000, i, i%100, i%100, i%12+1, i%28+1, i%60, i%300, i%90, i%2000)
	})
}

func BenchmarkDecodeCSV12(b *testing.B) {
	ds := twelve()
	ds.Format = "csv"
	benchDecode(b, ds, func(i int, mobile string) string {
		return fmt.Sprintf(`%d,11010519491231%04d,91310000%09dX,张小%d,%s,ABC-%06d,VALID,%d.%02d,%d,2023-%02d-%02d,2024-05-06T07:08:%02d.123Z,"上海市普陀区长寿路街道某某居委会第%d弄%d号,%d室"`,
			uint32(i)*2654435761, i%10000, i, i%977, mobile, i%1000, i, i%100, i%100, i%12+1, i%28+1, i%60, i%300, i%90, i%2000)
	})
}

// benchDecode decodes batches of records that row makes; one mobile in ten is "".
func benchDecode(b *testing.B, ds *mulu.Dataset, row func(i int, mobile string) string) {
	const n = 50_000
	var values []string
	bytes := 0
	for i := range n {
		mobile := fmt.Sprintf(`138%08d`, i)
		if i%10 == 0 {
			mobile = ""
		}
		v := row(i, mobile)
		bytes += len(v)
		values = append(values, v)
	}
	dec := decoder(b, ds)
	batch := batchOf(values...)
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	for b.Loop() {
		d, err := dec.Decode(batch)
		if err != nil || len(d.Rejects) > 0 {
			b.Fatal(err, d.Rejects)
		}
		d.Release()
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(bytes)/n, "B/row")
}

func BenchmarkDigest(b *testing.B) {
	batch := batchOf(make([]string, 50_000)...)
	for i := range batch.Records {
		batch.Records[i].Value = make([]byte, 330)
	}
	b.SetBytes(50_000 * 330)
	for b.Loop() {
		ingest.Digest(batch.Records)
	}
}
