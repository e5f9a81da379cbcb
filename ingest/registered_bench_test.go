package ingest_test

import (
	"fmt"
	"testing"

	"mulu"
	"mulu/ingest/wire"
)

// The rows of BenchmarkDecodeJSON12 as a registry's serialisers write them.

func BenchmarkDecodeAvro12(b *testing.B) {
	benchRegistered(b, mulu.FormatAvro, wire.Avro, `{"type":"record","name":"R","fields":[{"name":"id","type":"long"},{"name":"citizen_id","type":"string"},{"name":"uscc","type":"string"},{"name":"name","type":"string"},
		{"name":"mobile","type":["null","string"]},{"name":"dept_code","type":"string"},{"name":"status","type":"string"},{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}},
		{"name":"age","type":"int"},{"name":"start_date","type":{"type":"int","logicalType":"date"}},{"name":"updated_at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"address","type":"string"}]}`,
		func(i int, mobile string) string {
			if mobile = fmt.Sprintf(`{"string":"%s"}`, mobile); i%10 == 0 {
				mobile = "null"
			}
			return fmt.Sprintf(`{"id":%d,"citizen_id":"11010519491231%04d","uscc":"91310000%09dX","name":"张小%d","mobile":%s,"dept_code":"ABC-%06d","status":"VALID","amount":"\u0001\u00%02x\u0040","age":%d,"start_date":%d,"updated_at":%d,"address":"上海市普陀区长寿路街道某某居委会第%d弄%d号%d室"}`,
				uint32(i)*2654435761, i%10000, i, i%977, mobile, i%1000, i%256, i%100, 19000+i%300, 1714979228123+i, i%300, i%90, i%2000)
		})
}

func BenchmarkDecodeProtobuf12(b *testing.B) {
	benchRegistered(b, mulu.FormatProtobuf, wire.Protobuf, `syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "google/type/date.proto"; import "confluent/type/decimal.proto";
		message R { int64 id = 1; string citizen_id = 2; string uscc = 3; string name = 4; optional string mobile = 5; string dept_code = 6; string status = 7; confluent.type.Decimal amount = 8; int64 age = 9;
		google.type.Date start_date = 10; google.protobuf.Timestamp updated_at = 11; string address = 12; }`,
		func(i int, mobile string) string {
			if mobile = fmt.Sprintf(`"mobile":"%s",`, mobile); i%10 == 0 {
				mobile = ""
			}
			return fmt.Sprintf(`{"id":"%d","citizen_id":"11010519491231%04d","uscc":"91310000%09dX","name":"张小%d",%s"dept_code":"ABC-%06d","status":"VALID","amount":{"value":"AeJA","precision":18,"scale":2},"age":"%d","start_date":{"year":2023,"month":%d,"day":%d},"updated_at":"2024-05-06T07:08:%02d.123Z","address":"上海市普陀区长寿路街道某某居委会第%d弄%d号%d室"}`,
				uint32(i)*2654435761, i%10000, i, i%977, mobile, i%1000, i%100, i%12+1, i%28+1, i%60, i%300, i%90, i%2000)
		})
}

func BenchmarkDecodeJSONSchema12(b *testing.B) {
	benchRegistered(b, mulu.FormatJSONSchema, wire.JSONSchema, `{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},"citizen_id":{"type":"string"},"uscc":{"type":"string"},"name":{"type":"string","maxLength":50},
		"mobile":{"type":["string","null"]},"dept_code":{"type":"string"},"status":{"enum":["VALID","VOID"]},"amount":{"type":"number"},"age":{"type":"integer","minimum":0},"start_date":{"type":"string"},"updated_at":{"type":"string"},"address":{"type":"string"}}}`,
		func(i int, mobile string) string {
			if mobile = `"` + mobile + `"`; i%10 == 0 {
				mobile = "null"
			}
			return fmt.Sprintf(`{"id":%d,"citizen_id":"11010519491231%04d","uscc":"91310000%09dX","name":"张小%d","mobile":%s,"dept_code":"ABC-%06d","status":"VALID","amount":%d.%02d,"age":%d,"start_date":"2023-%02d-%02d","updated_at":"2024-05-06T07:08:%02d.123Z","address":"上海市普陀区长寿路街道某某居委会第%d弄%d号%d室"}`,
				uint32(i)*2654435761, i%10000, i, i%977, mobile, i%1000, i, i%100, i%100, i%12+1, i%28+1, i%60, i%300, i%90, i%2000)
		})
}

func benchRegistered(b *testing.B, format, typ, text string, row func(i int, mobile string) string) {
	const n = 20_000
	s := openSchemas(b)
	id := s.register(b, "bench-value", typ, text)
	var values []string
	size := 0
	for i := range n {
		v := s.write(b, id, row(i, fmt.Sprintf(`138%08d`, i)))
		size += len(v)
		values = append(values, string(v))
	}
	ds := twelve()
	ds.Format = format
	dec := decoder(b, ds).With(s)
	batch := batchOf(values...)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		d, err := dec.Decode(batch)
		if err != nil || len(d.Rejects) > 0 {
			b.Fatal(err, d.Rejects)
		}
		d.Release()
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(size)/n, "B/row")
}
