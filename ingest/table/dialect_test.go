package table

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	mssql "github.com/microsoft/go-mssqldb"

	"mulu"
)

// The very text that each database is asked with: a page of an increment that goes on
// from a place, of one batch, with quotation marks in a name.
func TestPageSQL(t *testing.T) {
	want := map[string]string{
		"postgres":  `SELECT "id", "更新""时间" FROM "ex"."people" WHERE "batch" = $1 AND "更新""时间" >= $2 AND ("更新""时间" > $3 OR ("更新""时间" = $4 AND "id" >= $5)) AND "id" IS NOT NULL ORDER BY "更新""时间", "id" LIMIT 10`,
		"kingbase":  `SELECT "id", "更新""时间" FROM "ex"."people" WHERE "batch" = $1 AND "更新""时间" >= $2 AND ("更新""时间" > $3 OR ("更新""时间" = $4 AND "id" >= $5)) AND "id" IS NOT NULL ORDER BY "更新""时间", "id" LIMIT 10`,
		"mysql":     "SELECT `id`, `更新\"时间` FROM `ex`.`people` WHERE `batch` = ? AND `更新\"时间` >= ? AND (`更新\"时间` > ? OR (`更新\"时间` = ? AND `id` >= ?)) AND `id` IS NOT NULL ORDER BY `更新\"时间`, `id` LIMIT 10",
		"mariadb":   "SELECT `id`, `更新\"时间` FROM `ex`.`people` WHERE `batch` = ? AND `更新\"时间` >= ? AND (`更新\"时间` > ? OR (`更新\"时间` = ? AND `id` >= ?)) AND `id` IS NOT NULL ORDER BY `更新\"时间`, `id` LIMIT 10",
		"sqlserver": `SELECT TOP (10) [id], [更新"时间] FROM [ex].[people] WHERE [batch] = @p1 AND [更新"时间] >= @p2 AND ([更新"时间] > @p3 OR ([更新"时间] = @p4 AND [id] >= @p5)) AND [id] IS NOT NULL ORDER BY [更新"时间], [id]`,
		"oracle": `SELECT * FROM (SELECT "id", "更新""时间" FROM "EX"."PEOPLE" WHERE "batch" = :1 AND "更新""时间" >= TO_TIMESTAMP(:2, 'YYYY-MM-DD HH24:MI:SS.FF') AND ` +
			`("更新""时间" > TO_TIMESTAMP(:3, 'YYYY-MM-DD HH24:MI:SS.FF') OR ("更新""时间" = TO_TIMESTAMP(:4, 'YYYY-MM-DD HH24:MI:SS.FF') AND "id" >= :5)) AND "id" IS NOT NULL ORDER BY "更新""时间", "id") WHERE ROWNUM <= 10`,
	}
	want["dm"] = want["oracle"]
	for _, name := range Drivers() {
		d := dialects[name]
		if name == "sqlite" {
			continue // the tests' own
		}
		id, at, batch := Field{Name: "id", Type: "BIGINT"}, Field{Name: `更新"时间`, Type: "TIMESTAMP"}, Field{Name: "batch", Type: "VARCHAR"}
		w := &what{table: "ex.people", fields: []Field{id, at}, order: []Field{at, id}, key: []Field{id}, batch: &batch, no: Value{Text, "B1"},
			at: []Value{{Wall, "2026-11-27 08:00:00.5"}, {Int, "7"}}}
		got, args := w.page(d, 10)
		if got != want[name] {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want[name])
		}
		if len(args) != 5 || fmt.Sprint(args[0]) != "B1" || args[4] != int64(7) {
			t.Errorf("%s: arguments %v", name, args)
		}
	}
}

func TestKeylessSQL(t *testing.T) {
	a, b := Field{Name: "a"}, Field{Name: "b"}
	w := &what{table: "t", fields: []Field{a, b}, order: []Field{a, b}, key: []Field{a, b}, nulls: true}
	got, args := w.page(dialects["postgres"], 5)
	const want = `SELECT "a", "b" FROM "t" WHERE ("a" IS NULL OR "b" IS NULL) ORDER BY "a", "b" LIMIT 5`
	if got != want || len(args) != 0 {
		t.Errorf("%s %v\nwant\n%s", got, args, want)
	}
}

func TestBind(t *testing.T) {
	f := func(driver string, fld Field, v Value, expr string, arg any) {
		t.Helper()
		q := &query{Dialect: dialects[driver]}
		if got := q.bind(fld, v); got != expr || !reflect.DeepEqual(q.args[0], arg) {
			t.Errorf("%s %+v: %s with %#v, want %s with %#v", driver, v, got, q.args[0], expr, arg)
		}
	}
	at := time.Date(2026, 11, 27, 8, 0, 0, 3e6, time.UTC)
	f("mysql", Field{Type: "DECIMAL"}, Value{Dec, "12345678901234567890.5"}, "CAST(? AS DECIMAL(65,30))", "12345678901234567890.5")
	f("mysql", Field{Type: "UNSIGNED BIGINT"}, Value{Int, "18446744073709551615"}, "?", uint64(math.MaxUint64))
	f("postgres", Field{Type: "NUMERIC"}, Value{Dec, "1.50"}, "$1", "1.50")
	f("postgres", Field{Type: "BYTEA"}, Value{Bytes, "AP8="}, "$1", []byte{0, 255})
	f("sqlserver", Field{Type: "DATETIME"}, Value{Wall, "2026-11-27 08:00:00.003"}, "@p1", mssql.DateTime1(at))
	f("sqlserver", Field{Type: "DATETIME2"}, Value{Wall, "2026-11-27 08:00:00.003"}, "@p1", at)
	f("sqlserver", Field{Type: "VARCHAR"}, Value{Text, "a1"}, "@p1", mssql.VarChar("a1"))
	f("sqlserver", Field{Type: "VARCHAR"}, Value{Text, "男"}, "@p1", "男")
	f("oracle", Field{Type: "NUMBER"}, Value{Dec, "310107"}, ":1", int64(310107))
	f("oracle", Field{Type: "CHAR", padded: true}, Value{Text, "a"}, "CAST(:1 AS CHAR(2000))", "a")
	f("oracle", Field{Type: "DATE"}, Value{Wall, "2026-11-27 08:00:00"}, "TO_DATE(:1, 'YYYY-MM-DD HH24:MI:SS')", "2026-11-27 08:00:00")
	f("oracle", Field{Type: "TIMESTAMPTZ"}, Value{Instant, "2026-11-27T08:00:00+08:00"}, `TO_TIMESTAMP_TZ(:1, 'YYYY-MM-DD"T"HH24:MI:SS.FFTZH:TZM')`, "2026-11-27T08:00:00+08:00")
}

func TestDialectErrors(t *testing.T) {
	if _, err := dialectOf("db2"); err == nil || !strings.Contains(err.Error(), "oracle") {
		t.Errorf("an unknown driver: %v, want the ones there are", err)
	}
	if _, err := dialectOf("dm"); err == nil || !strings.Contains(err.Error(), "docs/ingest/table.md") {
		t.Errorf("a driver that is not linked in: %v", err)
	}
	s := &source{dsn: "mysql://u:secret@h/x"}
	if err := s.hide(fmt.Errorf("dial %s: refused", s.dsn)); strings.Contains(err.Error(), "secret") {
		t.Errorf("a password is told: %v", err)
	}
}

// What drivers give becomes what is kept in cursors and what ingest reads.
func TestValues(t *testing.T) {
	str, num, dec, day, at, yes := mulu.Column{Name: "c", Title: "列", Type: mulu.String}, mulu.Column{Type: mulu.Int}, mulu.Column{Type: mulu.Decimal, Scale: 2}, mulu.Column{Type: mulu.Date}, mulu.Column{Type: mulu.DateTime}, mulu.Column{Type: mulu.Bool}
	f := func(typ string, raw any, c mulu.Column, want string) {
		t.Helper()
		fld := Field{Name: "x", Type: typ, dated: typ == "DATE"}
		v := fld.value(raw)
		got, note := v.appendJSON(nil, &c)
		if string(got) != want || note != nil {
			t.Errorf("%s %#v as %s: %s %+v, want %s", typ, raw, c.Type, got, note, want)
		}
	}
	utc := time.Date(2026, 11, 27, 8, 30, 0, 123456000, time.UTC)
	f("BIGINT", int64(9007199254740993), num, `9007199254740993`)
	f("UNSIGNED BIGINT", uint64(math.MaxUint64), num, `18446744073709551615`)
	f("BIGINT", int64(310107), str, `"310107"`)
	f("VARCHAR", "007", num, `"007"`) // ingest rejects it: not repaired by guess
	f("NUMBER", "5", num, `5`)
	f("DECIMAL", []byte("5.00"), num, `5`)
	f("DECIMAL", []byte("5.10"), num, `5.10`)
	f("NUMERIC", "1234567890123456.78", dec, `1234567890123456.78`)
	f("NUMERIC", "NaN", dec, `"NaN"`)
	f("FLOAT4", float64(float32(1.1)), dec, `1.1`)
	f("FLOAT", float32(1.1), dec, `1.1`)
	f("DOUBLE", 1e21, str, `"1000000000000000000000"`)
	f("DATE", utc, day, `"2026-11-27"`)
	f("DATE", []byte("0000-00-00"), day, `"0000-00-00"`)
	f("DATETIME", []byte("2026-11-27 00:00:00"), day, `"2026-11-27"`)
	f("DATETIME", []byte("2026-11-27 08:30:00"), day, `"2026-11-27 08:30:00"`)
	f("TIMESTAMP", utc, at, `"2026-11-27 08:30:00.123456"`)
	f("TIMESTAMPTZ", utc, at, `"2026-11-27T16:30:00.123456+08:00"`)
	f("DATETIMEOFFSET", utc, at, `"2026-11-27T16:30:00.123456+08:00"`)
	f("BIT", []byte{1}, yes, `1`)
	f("BIT", true, yes, `true`)
	f("BIT", true, str, `"1"`)
	f("TINYINT", int64(0), yes, `0`)
	f("VARCHAR", "a\"b\\\n𠮷", str, `"a\"b\\\n𠮷"`)
	f("VARCHAR", nil, str, `null`)
	f("BYTEA", []byte("文"), str, `"文"`)
	f("UNIQUEIDENTIFIER", []byte{0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}, str, `"00112233-4455-6677-8899-AABBCCDDEEFF"`)
	padded := Field{Type: "BPCHAR", padded: true}
	if v := padded.value("男   "); v != (Value{Text, "男"}) {
		t.Errorf("padding is kept: %+v", v)
	}
	gbk := Field{Type: "VARCHAR"}
	v := gbk.value([]byte{0xc4, 0xd0}) // 男 in GBK
	got, note := v.appendJSON(nil, &str)
	if note == nil || note.Class != "encoding" || note.Field != "c" || !strings.Contains(note.Reason, "C4D0") || string(got) != `"`+"\uFFFD"+`"` {
		t.Errorf("bytes that are no text: %s %+v", got, note)
	}
}

func TestOrder(t *testing.T) {
	f := func(v Value, span int64, want Value) {
		t.Helper()
		n, _, ok := v.order()
		low := v.below(span)
		m, _, lok := low.order()
		if !ok || !lok || n-m != span || low != want {
			t.Errorf("%+v less %d: %+v (%d, %d), want %+v", v, span, low, n, m, want)
		}
	}
	f(Value{Int, "100"}, 30, Value{Int, "70"})
	f(Value{Dec, "100"}, 30, Value{Dec, "70"})
	f(Value{Wall, "2026-11-27 00:00:30"}, 60e6, Value{Wall, "2026-11-26 23:59:30"})
	f(Value{Instant, "2026-11-27T00:00:30+08:00"}, 60e6, Value{Instant, "2026-11-26T23:59:30+08:00"})
	f(Value{Text, "20261127000030"}, 60e6, Value{Text, "20261126235930"})
	f(Value{Day, "2026-03-01"}, 86400e6, Value{Day, "2026-02-28"})
	f(Value{Bytes, "AAAAAAAAAQA="}, 1, Value{Bytes, "AAAAAAAAAP8="})
	for _, v := range []Value{{Text, "9"}, {Text, "2026-11-27"}, {}, {Bool, "1"}, {Wall, "0000-00-00 00:00:00"}} {
		if n, _, ok := v.order(); ok {
			t.Errorf("%+v has an order: %d", v, n)
		}
	}
}

func TestHours(t *testing.T) {
	at := func(s string) time.Time {
		x, err := time.ParseInLocation("2006-01-02 15:04", s, time.FixedZone("", 8*3600))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	f := func(hours, now, next string) {
		t.Helper()
		h, err := HoursOf(hours)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Next(at(now)); !got.Equal(at(next)) || h.Open(at(now)) != (now == next) {
			t.Errorf("%s at %s: %s, want %s", hours, now, got, next)
		}
	}
	f("", "2026-11-27 12:00", "2026-11-27 12:00")
	f("22:00-06:00", "2026-11-27 23:59", "2026-11-27 23:59")
	f("22:00-06:00", "2026-11-28 05:59", "2026-11-28 05:59")
	f("22:00-06:00", "2026-11-28 06:00", "2026-11-28 22:00")
	f("01:00-05:00", "2026-11-28 00:30", "2026-11-28 01:00")
	f("01:00-05:00", "2026-11-28 05:00", "2026-11-29 01:00")
	for _, bad := range []string{"22-06", "25:00-01:00", "22:00"} {
		if _, err := HoursOf(bad); err == nil {
			t.Errorf("%q is taken for hours", bad)
		}
	}
}

func TestDue(t *testing.T) {
	w := &mulu.Way{Every: 24 * time.Hour, Hours: "01:00-05:00"}
	day := time.Date(2026, 11, 27, 0, 0, 0, 0, time.FixedZone("", 8*3600))
	f := func(done time.Time, now, next, behind time.Duration) {
		t.Helper()
		got, late, err := Due(w, &State{Slot: done}, day.Add(now))
		if err != nil || !got.Equal(day.Add(next)) || late != behind {
			t.Errorf("at %s: %s, %s, %v; want %s, %s", now, got.Sub(day), late, err, next, behind)
		}
	}
	f(time.Time{}, 30*time.Minute, time.Hour, 0)                     // not yet in its hours
	f(time.Time{}, 2*time.Hour, 2*time.Hour, time.Hour)              // due, and late
	f(time.Time{}, 6*time.Hour, 25*time.Hour, 5*time.Hour)           // the hours went by
	f(day, 2*time.Hour, 25*time.Hour, 0)                             // done today
	f(day.Add(-24*time.Hour), 3*time.Hour, 3*time.Hour, 2*time.Hour) // yesterday's is not today's
	if s := Say(&mulu.Way{Every: time.Hour, Hours: "22:00-06:00", RowsPerSec: 500, Control: "c"}); s != "每小时，22:00-06:00 之间，每秒至多 500 行，有批次才取" {
		t.Error(s)
	}
	if s := Say(&mulu.Way{Every: 10 * time.Minute}); s != "每 10 分钟" {
		t.Error(s)
	}
}
