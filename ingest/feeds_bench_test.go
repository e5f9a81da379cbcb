package ingest_test

import (
	"fmt"
	"strings"
	"testing"
)

// twelveJSON is one row of twelve as plain JSON. Times are as Debezium writes them if
// feed, else as text.
func twelveJSON(i int, feed bool) string {
	mobile := fmt.Sprintf(`"138%08d"`, i)
	if i%10 == 0 {
		mobile = "null"
	}
	date, at := fmt.Sprintf(`"2023-%02d-%02d"`, i%12+1, i%28+1), fmt.Sprintf(`"2024-05-06T07:08:%02d.123Z"`, i%60)
	if feed {
		date, at = fmt.Sprint(19400+i%300), fmt.Sprint(1714950480123000+i%60*1000000)
	}
	return fmt.Sprintf(`{"id":%d,"citizen_id":"11010519491231%04d","uscc":"91310000%09dX","name":"张小%d","mobile":%s,"dept_code":"ABC-%06d","status":"VALID","amount":"%d.%02d","age":%d,"start_date":%s,"updated_at":%s,"address":"上海市普陀区长寿路街道某某居委会第%d弄%d号%d室"}`,
		uint32(i)*2654435761, i%10000, i, i%977, mobile, i%1000, i, i%100, i%100, date, at, i%300, i%90, i%2000)
}

// twelveSchema is the schema block that Kafka Connect sends with each of these rows.
func twelveSchema() string {
	var fields []string
	for _, c := range twelve().Columns {
		typ, name := "string", ""
		switch c.Name {
		case "id", "age":
			typ = "int64"
		case "start_date":
			typ, name = "int32", `"name":"io.debezium.time.Date","version":1,`
		case "updated_at":
			typ, name = "int64", `"name":"io.debezium.time.MicroTimestamp","version":1,`
		}
		fields = append(fields, fmt.Sprintf(`{"type":"%s","optional":true,%s"field":"%s"}`, typ, name, c.Name))
	}
	row := strings.Join(fields, ",")
	return fmt.Sprintf(`{"type":"struct","fields":[{"type":"struct","fields":[%s],"optional":true,"name":"s.public.bench.Value","field":"before"},{"type":"struct","fields":[%s],"optional":true,"name":"s.public.bench.Value","field":"after"},{"type":"struct","fields":[{"type":"string","optional":false,"field":"version"},{"type":"string","optional":false,"field":"connector"},{"type":"string","optional":false,"field":"name"},{"type":"int64","optional":false,"field":"ts_ms"},{"type":"int64","optional":true,"field":"lsn"}],"optional":false,"name":"io.debezium.connector.postgresql.Source","field":"source"},{"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"}],"optional":false,"name":"s.public.bench.Envelope","version":2}`, row, row)
}

// BenchmarkDecodeFeeds decodes the same row as plain JSON and as changes.
func BenchmarkDecodeFeeds(b *testing.B) {
	const n = 20_000
	change := func(i int) string {
		return fmt.Sprintf(`{"before":null,"after":%s,"source":{"version":"3.6.1.Final","connector":"postgresql","name":"s","ts_ms":1764031234567,"snapshot":"false","db":"d","sequence":"[\"33227720\",\"%d\"]","ts_us":1764031234567890,"ts_ns":1764031234567890000,"schema":"public","table":"bench","txId":605,"lsn":%d,"xmin":null},"transaction":null,"op":"c","ts_ms":1764031234999,"ts_us":1764031234999123,"ts_ns":1764031234999123456}`,
			twelveJSON(i, true), 33227776+i, 33227776+i)
	}
	schema := twelveSchema()
	for _, k := range []struct {
		name, format string
		value        func(i int) string
	}{
		{"json", "json", func(i int) string { return twelveJSON(i, false) }},
		{"debezium", "debezium", change},
		{"debezium-schema", "debezium", func(i int) string { return `{"schema":` + schema + `,"payload":` + change(i) + `}` }},
	} {
		b.Run(k.name, func(b *testing.B) {
			values, bytes := make([]string, n), 0
			for i := range n {
				values[i] = k.value(i)
				bytes += len(values[i])
			}
			ds := twelve()
			ds.Format = k.format
			ds.Columns[10].Unit = "us"
			dec, batch := decoder(b, ds), batchOf(values...)
			b.SetBytes(int64(bytes))
			b.ReportAllocs()
			for b.Loop() {
				d, err := dec.Decode(batch)
				if err != nil || len(d.Rejects) > 0 {
					b.Fatal(err, d.Rejects[:1])
				}
				d.Release()
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(bytes)/n, "B/row")
		})
	}
}
