// Package exprtest is one table of rows, conditions and answers. Whatever evaluates an
// expr.Node runs it: Arrow columns in quality, the engine's SQL in library. The answers
// were worked out by hand.
package exprtest

import (
	"time"

	"mulu"
)

// AsOf is the day that the conditions are asked on.
var AsOf = time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("Asia/Shanghai", 8*3600))

// Columns are the items of Rows, all of which may be null.
var Columns = []mulu.Column{
	{Name: "s", Title: "文本甲", Type: mulu.String}, {Name: "t", Title: "文本乙", Type: mulu.String},
	{Name: "n", Title: "整数甲", Type: mulu.Int}, {Name: "m", Title: "整数乙", Type: mulu.Int},
	{Name: "a", Title: "金额", Type: mulu.Decimal, Scale: 2}, {Name: "c", Title: "比率", Type: mulu.Decimal, Scale: 4},
	{Name: "d", Title: "起", Type: mulu.Date}, {Name: "e", Title: "止", Type: mulu.Date},
	{Name: "at", Title: "时间", Type: mulu.DateTime}, {Name: "b", Title: "是否", Type: mulu.Bool},
}

// Row is one row by column name: string; int64; string for decimal ("12.50"), date
// ("2006-01-02") and datetime ("2006-01-02 15:04:05.000", Shanghai); bool. A name that is
// not there is null.
type Row map[string]any

// Rows are what the conditions are asked of.
var Rows = []Row{
	{"s": "abc", "t": "ABC", "n": int64(1), "m": int64(2), "a": "12.50", "c": "12.5000", "d": "2000-02-29", "e": "2026-02-28", "at": "2026-01-01 00:30:00.000", "b": true},
	{"s": "死亡 ", "t": "死亡", "n": int64(-3), "m": int64(-3), "a": "-0.01", "c": "-0.0101", "d": "1949-10-01", "e": "1949-09-30", "at": "1988-07-01 00:30:00.000", "b": false},
	{},
	{"s": "", "t": "a", "n": int64(0), "a": "0.00", "c": "0.0000", "e": "2026-11-23"},
	{"s": "a\nb", "t": "20260102", "n": int64(9223372036854775807), "m": int64(9223372036854775807), "a": "9999999999999999.99", "c": "99999999999999.9999", "d": "2026-11-23", "e": "2026-11-24", "at": "2025-12-31 23:59:59.999", "b": true},
	{"s": "1.50", "t": "2026-02-30", "n": int64(100), "m": int64(-1), "a": "1.50", "c": "1.4999", "d": "1966-11-24", "e": "2299-12-31", "at": "1999-12-31 16:00:00.000", "b": false},
}

// Case is a condition and its answer for each of Rows: t true, f false, u unknown.
type Case struct{ Expr, Want string }

// Cases are the table.
var Cases = []Case{
	// null
	{"s == null", "fftfff"},
	{"s != null", "ttfttt"},
	{"isNull(m)", "ffttff"},
	{"isNull(n + m)", "ffttff"},
	{"isNull(date(t))", "ttttft"},
	{"b", "tfuutf"},
	{"!b", "ftuuft"},
	{"b == true", "tfuutf"},
	{"b != true", "ftuuft"},
	{"true", "tttttt"},
	{"false", "ffffff"},

	// Kleene
	{"b && n == 1", "tfufff"},
	{"b && n == 0", "ffuuff"},
	{"b || n == 0", "tfuttf"},
	{"b || n == 1", "tfuutf"},
	{"!(b && n == 0)", "ttuutt"},
	{"b && true", "tfuutf"},
	{"b || true", "tttttt"},
	{"b && false", "ffffff"},
	{"s == 'abc' && n == 1 && m == 2", "tfufff"},
	{"n == 0 && m == 1", "ffuuff"},

	// text
	{"s == 'abc'", "tfufff"},
	{"s != 'abc'", "ftuttt"},
	{"s < 'abc'", "ffuttt"},
	{"s >= 'abc'", "ttufff"},
	{"s == t", "ffufff"},
	{"s != t", "ttuttt"},
	{"lower(t) == s", "tfufff"},
	{"upper(s) == t", "tfufff"},
	{"s in ['abc', '1.50']", "tfufft"},
	{"!(s in ['abc', '1.50'])", "ftuttf"},
	{"s in ['']", "ffutff"},
	{"s.startsWith('a')", "tfuftf"},
	{"s.startsWith(t)", "ftufff"},
	{"s.endsWith('b')", "ffuftf"},
	{"s.endsWith('')", "ttuttt"},
	{"s.contains('亡')", "ftufff"},
	{"t.contains(s)", "ffutff"},
	{"s.matches('^a.b$')", "ffufff"},
	{"s.matches('(?s)^a.b$')", "ffuftf"},
	{"s.matches('b')", "tfuftf"},
	{"s.matches('^$')", "ffutff"},
	{"s.matches('a$')", "ffufff"},
	{"s.matches('(?i)^ABC$')", "tfufff"},
	{"s.matches(r'^\\d+\\.\\d{2}$')", "ffufft"},
	{"size(s) == 3", "ttuftf"},
	{"size(s) > size(t)", "ftufff"},
	{"s.substring(0, 2) == '死亡'", "ftufff"},
	{"s.substring(1, 2) == 'b'", "tfufff"},
	{"s.substring(2, 100) == 'c'", "tfufff"},
	{"s.substring(50, 60) == ''", "ttuttt"},
	{"s.substring(0, 0) == ''", "ttuttt"},

	// numbers
	{"n == 1", "tfufff"},
	{"n != 1", "ftuttt"},
	{"n < 1", "ftutff"},
	{"n <= 1", "ttutff"},
	{"n > 1", "ffuftt"},
	{"n >= 1", "tfuftt"},
	{"n > 0.5", "tfuftt"},
	{"n > 0.999999999999999999", "tfuftt"},
	{"n == 1.0", "tfufff"},
	{"n == 1.5", "ffufff"},
	{"n != 1.5", "ttuttt"},
	{"n < -2.9", "ftufff"},
	{"n >= -3.0", "ttuttt"},
	{"n in [1, 100, 7]", "tfufft"},
	{"n == 9223372036854775807", "ffuftf"},
	{"n >= 9223372036854775807", "ffuftf"},
	{"n < m", "tfuuff"},
	{"n == m", "ftuutf"},
	{"n + 1 == m", "tfuuff"},
	{"n * m == n", "ffuuff"},
	{"n * m > 9223372036854775807", "ffuutf"},
	{"n - m > 0", "ffuuft"},
	{"-n == m", "ffuuff"},
	{"-n < 0", "tfuftt"},
	{"a == 12.5", "tfufff"},
	{"a == 12.50", "tfufff"},
	{"a == 12.501", "ffufff"},
	{"a < 12.501", "ttutft"},
	{"a > 12.499", "tfuftf"},
	{"a >= 0", "tfuttt"},
	{"a > -0.01", "tfuttt"},
	{"a >= -0.01", "ttuttt"},
	{"a > -0.011", "ttuttt"},
	{"a in [12.50, 0, -0.01]", "ttutff"},
	{"a == 9999999999999999.99", "ffuftf"},
	{"a < 9999999999999999.99", "ttutft"},
	{"a == c", "tfutff"},
	{"a > c", "ftuftt"},
	{"a == n", "ffutff"},
	{"a > n", "ttufff"},
	{"a * 2 == 25", "tfufff"},
	{"a + 0.005 == 12.505", "tfufff"},
	{"a * n > a", "ftuftt"},
	{"a * c == 156.25", "tfufff"},

	// days
	{"d == '2000-02-29'", "tfuuff"},
	{"d < '1970-01-01'", "ftuuft"},
	{"d <= e", "tfuutt"},
	{"d in ['2000-02-29', '1949-10-01']", "ttuuff"},
	{"d == today()", "ffuutf"},
	{"e > today()", "ffuftt"},
	{"year(d) == 1949", "ftuuff"},
	{"month(d) == 11", "ffuutt"},
	{"day(d) == 29", "tfuuff"},
	{"days(d, e) == -1", "ftuuff"},
	{"days(d, e) == 1", "ffuutf"},
	{"days(d, e) == 9496", "tfuuff"},
	{"age(d, e) == 25", "tfuuff"},
	{"age(d, '2026-03-01') == 26", "tfuuff"},
	{"age(d, e) == 0", "ftuutf"},
	{"age(e, d) == -25", "tfuuff"},
	{"age(d) == 26", "tfuuff"},
	{"age(d) == 59", "ffuuft"},
	{"age(d) >= 60", "ftuuff"},
	{"age(d) == 77", "ftuuff"},
	{"date(t) == '2026-01-02'", "uuuutu"},
	{"date(t) < today()", "uuuutu"},

	// datetimes, in Shanghai; 1988 had summer time
	{"at == '2026-01-01 00:30:00'", "tfuuff"},
	{"at > '2025-12-31 23:59:59.998'", "tfuutf"},
	{"at == '2025-12-31T15:59:59.999Z'", "ffuutf"},
	{"at < date('2000-01-01')", "ftuuft"},
	{"at == '1988-07-01 00:30:00'", "ftuuff"},
	{"at == '1988-06-30T15:30:00Z'", "ftuuff"},
	{"date(at) == '1988-07-01'", "ftuuff"},
	{"date(at) == '2026-01-01'", "tfuuff"},
	{"year(at) == 2025", "ffuutf"},
	{"month(at) == 12", "ffuutt"},
	{"day(at) == 1", "ttuuff"},
	{"days(d, at) == -327", "ffuutf"},
	{"days(at, today()) == 326", "tfuuff"},
}
