package file_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"testing"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/file"
)

// TestDecoded sees that what is said of a row here is what decoding says of it: a row
// without a fault is a row of the library, one whose faults need no note is a reject.
func TestDecoded(t *testing.T) {
	values := map[string][]string{
		"id_no": {"11010519491231002X", " 1 ", "", "\t"},
		"birth": {"2026-1-5", "2026/01/05", "2026.1.5", "20260105", "2026年1月5日", "2026 年 1 月 5 日", "2026-01-05 00:00:00", "2026-01-05T00:00:00+08:00", "2026-01-05 08:00", "2026-1-32", "2026-02-29", "1899-12-31", "2300-01-01", "1-5", "5/1/2026", "x"},
		"n":     {"0", "-1", "+7", "1,234", "1,23", "12.0", "12.5", "1e3", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "0x1", "NaN", "007", "", " 5 "},
		"area":  {"0", "88.5", "88.50", "-0.07", ".5", "5.", "1,234.50", "88.555", "9999999999999999.99", "99999999999999999.99", "1E2", "Inf", "1e-400", "1e400"},
		"alone": {"是", "否", "1", "0", "true", "FALSE", "True", "y", "有"},
		"upd": {"2026-01-05 08:30:00", "2026-1-5 8:30", "2026/1/5 8:30:05", "2026-01-05T08:30:00Z", "2026-01-05T08:30:00.123+08:00", "2026-01-05 08:30:00 +0800", "20260105083000", "2026年1月5日 8时30分", "2026年1月5日8时30分5秒",
			"2026-01-05", "2026-01-05 24:00", "2026-01-05 08:60", "2026-01-05 8", "2026-01-05 08:30:00.1234567890", "2026-01-05 08:30:00.", "2026-01-05 08:30 +15:00", "20260105", "x"},
		"name": {"张𬭊", "a\"b\\\n\t\x01\u2028", "　", "３室"},
	}
	names := []string{"id_no", "birth", "n", "area", "alone", "upd", "name"}
	plain := map[string]string{"id_no": "1", "birth": "2026-01-05"}
	var in bytes.Buffer
	w := csv.NewWriter(&in)
	must(t, w.Write(names))
	for _, name := range names {
		for _, v := range values[name] {
			row := make([]string, len(names))
			for i, n := range names {
				row[i] = plain[n]
				if n == name {
					row[i] = v
				}
			}
			must(t, w.Write(row))
		}
	}
	w.Flush()
	ds := people()
	ds.Topic = "people"
	dec, err := ingest.NewDecoder(ds)
	must(t, err)
	_, rows, _ := read(t, write(t, "a.csv", in.Bytes()), ds, file.Options{})
	good, bad := 0, 0
	for _, row := range rows {
		if row.Note != nil {
			t.Errorf("row %d: note %+v", row.Number, row.Note)
			continue
		}
		b := &ingest.Batch{Plan: mulu.Plan{BatchID: mulu.BatchID{Topic: "people", First: 0, Last: 0}}, Records: []mulu.Record{{Key: row.Key, Value: row.Value}}}
		out, err := dec.Decode(b)
		must(t, err)
		says := ""
		for _, r := range out.Rejects {
			says = fmt.Sprint(r.Class, " ", r.Field, " ", r.Reason)
		}
		out.Record.Release()
		if (len(row.Faults) > 0) != (says != "") {
			t.Errorf("row %d %q: faults %v, decoding says %q of %s", row.Number, row.Cells, classes(row), says, row.Value)
		}
		if says == "" {
			good++
		} else {
			bad++
		}
	}
	if good < 40 || bad < 25 {
		t.Errorf("%d good, %d bad: the table does not try both", good, bad)
	}
}
