package quality_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"mulu"
	"mulu/plan/expr/exprtest"
	"mulu/quality"
)

// arrowType is the form of a column in a record.
func arrowType(c mulu.Column) arrow.DataType {
	switch c.Type {
	case mulu.Int:
		return arrow.PrimitiveTypes.Int64
	case mulu.Decimal:
		return &arrow.Decimal128Type{Precision: 18, Scale: int32(c.Scale)}
	case mulu.Date:
		return arrow.FixedWidthTypes.Date32
	case mulu.DateTime:
		return &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}
	case mulu.Bool:
		return arrow.FixedWidthTypes.Boolean
	}
	return arrow.BinaryTypes.String
}

// recordOf makes a record of rows written as exprtest writes them.
func recordOf(t testing.TB, columns []mulu.Column, rows []exprtest.Row) arrow.RecordBatch {
	t.Helper()
	var fields []arrow.Field
	for _, c := range columns {
		fields = append(fields, arrow.Field{Name: c.Name, Type: arrowType(c), Nullable: true})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		for f, c := range columns {
			v, ok := r[c.Name]
			if !ok || v == nil {
				b.Field(f).AppendNull()
				continue
			}
			switch c.Type {
			case mulu.String:
				b.Field(f).(*array.StringBuilder).Append(v.(string))
			case mulu.Int:
				b.Field(f).(*array.Int64Builder).Append(v.(int64))
			case mulu.Bool:
				b.Field(f).(*array.BooleanBuilder).Append(v.(bool))
			case mulu.Decimal:
				d, err := decimal128.FromString(v.(string), 38, int32(c.Scale))
				if err != nil {
					t.Fatal(err)
				}
				b.Field(f).(*array.Decimal128Builder).Append(d)
			case mulu.Date:
				d, err := time.Parse(time.DateOnly, v.(string))
				if err != nil {
					t.Fatal(err)
				}
				b.Field(f).(*array.Date32Builder).Append(arrow.Date32FromTime(d))
			case mulu.DateTime:
				d, err := time.ParseInLocation("2006-01-02 15:04:05.000", v.(string), shanghai)
				if err != nil {
					t.Fatal(err)
				}
				b.Field(f).(*array.TimestampBuilder).Append(arrow.Timestamp(d.UnixMilli()))
			}
		}
	}
	return b.NewRecordBatch()
}

// answers gives the truth of a condition per row, as exprtest writes it: an expression
// rule fails where it is false and looks at what is known.
func answers(t testing.TB, columns []mulu.Column, rec arrow.RecordBatch, text string) string {
	t.Helper()
	ds := &mulu.Dataset{Columns: columns, Rules: []mulu.Rule{
		{ID: "is", Kind: "expression", Columns: []string{columns[0].Name}, Params: map[string]string{"expr": text}},
		{ID: "not", Kind: "expression", Columns: []string{columns[0].Name}, Params: map[string]string{"expr": "!(" + text + ")"}},
		{ID: "when", Kind: "expression", Columns: []string{columns[0].Name}, When: text, Params: map[string]string{"expr": "false"}},
	}}
	rs, err := quality.Compile(ds, tables(t))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	offsets := make([]int64, rec.NumRows())
	got := rs.Check(rec, offsets, exprtest.AsOf)
	out := make([]byte, rec.NumRows())
	yes := int64(0)
	for i := range out {
		out[i] = map[uint64]byte{0b000: 'u', 0b001: 'f', 0b110: 't'}[got.Flags[i]]
		if out[i] == 0 {
			t.Fatalf("%s row %d: false, not and when disagree: %03b", text, i, got.Flags[i])
		}
		if out[i] == 't' {
			yes++
		}
	}
	if f := got.Findings(mulu.Plan{}); f[2].Evaluated != yes || f[0].Evaluated != f[1].Evaluated || f[0].Failed+f[1].Failed != f[0].Evaluated {
		t.Errorf("%s: findings %+v do not add up", text, f)
	}
	return string(out)
}

// Every condition of the common table gives the answers worked out by hand.
func TestConditions(t *testing.T) {
	rec := recordOf(t, exprtest.Columns, exprtest.Rows)
	defer rec.Release()
	for _, c := range exprtest.Cases {
		if got := answers(t, exprtest.Columns, rec, c.Expr); got != c.Want {
			t.Errorf("%s\n got %s\nwant %s", c.Expr, got, c.Want)
		}
	}
}

// A row's answer does not depend on where in a batch it stands, or on the batch being a
// slice of another.
func TestConditionsAnywhere(t *testing.T) {
	rapid.Check(t, func(t2 *rapid.T) {
		at := rapid.SliceOfN(rapid.IntRange(0, len(exprtest.Rows)-1), 0, 200).Draw(t2, "rows")
		rows := make([]exprtest.Row, len(at))
		for i, k := range at {
			rows[i] = exprtest.Rows[k]
		}
		from := rapid.IntRange(0, len(rows)).Draw(t2, "from")
		whole := recordOf(t, exprtest.Columns, rows)
		defer whole.Release()
		rec := whole.NewSlice(int64(from), int64(len(rows)))
		defer rec.Release()
		c := rapid.SampledFrom(exprtest.Cases).Draw(t2, "case")
		want := make([]byte, 0, len(rows))
		for _, k := range at[from:] {
			want = append(want, c.Want[k])
		}
		if got := answers(t, exprtest.Columns, rec, c.Expr); got != string(want) {
			t2.Fatalf("%s\n got %s\nwant %s", c.Expr, got, want)
		}
	})
}

// Nothing is allocated per row: a batch of many rows costs as many allocations as one of
// few.
func TestConditionsAllocateNothingPerRow(t *testing.T) {
	few, many := make([]exprtest.Row, 64), make([]exprtest.Row, 64*100)
	for i := range many {
		many[i] = exprtest.Rows[i%len(exprtest.Rows)]
		few[i%len(few)] = many[i]
	}
	small, large := recordOf(t, exprtest.Columns, few), recordOf(t, exprtest.Columns, many)
	defer small.Release()
	defer large.Release()
	for _, c := range exprtest.Cases {
		ds := &mulu.Dataset{Columns: exprtest.Columns, Rules: []mulu.Rule{{ID: "w", Kind: "not_null", Columns: []string{"n"}, When: "(" + c.Expr + ") && false"}}}
		rs, err := quality.Compile(ds, tables(t))
		if err != nil {
			t.Fatal(err)
		}
		count := func(rec arrow.RecordBatch) float64 {
			offsets := make([]int64, rec.NumRows())
			return testing.AllocsPerRun(3, func() { rs.Check(rec, offsets, exprtest.AsOf) })
		}
		if a, b := count(small), count(large); b > a+8 && !strings.Contains(c.Expr, "matches") {
			t.Errorf("%s: %v allocations for 64 rows, %v for 6400", c.Expr, a, b)
		}
	}
}

// A rule with a condition judges the rows where it is true and no other, whatever its
// kind.
func TestWhen(t *testing.T) {
	var rows []row
	text, n := func(s string) *string { return &s }, func(v int64) *int64 { return &v }
	for i := range 150 {
		r := row{n: n(int64(i % 3))}
		if i%4 > 0 {
			r.id, r.name, r.sex = text("1234"), text("无 "), text("3")
			r.amount, r.birth, r.death, r.upd = n(-5), date(1890, 1, 1), date(1880, 1, 1), date(1890, 1, 1)
		}
		if i%3 == 2 { // unknown
			r.n = nil
		}
		rows = append(rows, r)
	}
	rec, offsets := record(rows)
	defer rec.Release()
	ds := &mulu.Dataset{Columns: columns}
	for _, c := range cases {
		ds.Rules = append(ds.Rules, c.rule)
	}
	whole, err := quality.Compile(ds, tables(t))
	if err != nil {
		t.Fatal(err)
	}
	some := *ds
	some.Rules = nil
	for _, r := range ds.Rules {
		r.When = "n == 1"
		some.Rules = append(some.Rules, r)
	}
	part, err := quality.Compile(&some, tables(t))
	if err != nil {
		t.Fatal(err)
	}
	all, got := whole.Check(rec, offsets, asOf), part.Check(rec, offsets, asOf)
	for i := range rows {
		want := uint64(0)
		if i%3 == 1 {
			want = all.Flags[i]
		}
		if got.Flags[i] != want {
			t.Fatalf("row %d: flags %b, want %b", i, got.Flags[i], want)
		}
	}
	only, alone := rowsOf(rows, func(i int) bool { return i%3 == 1 })
	defer only.Release()
	want := whole.Check(only, alone, asOf).Findings(mulu.Plan{})
	for k, f := range got.Findings(mulu.Plan{}) {
		if f.Evaluated != want[k].Evaluated || f.Failed != want[k].Failed {
			t.Errorf("rule %s: %d of %d failed, want %d of %d", f.Rule, f.Failed, f.Evaluated, want[k].Failed, want[k].Evaluated)
		}
	}
}

func rowsOf(rows []row, keep func(i int) bool) (arrow.RecordBatch, []int64) {
	var out []row
	for i, r := range rows {
		if keep(i) {
			out = append(out, r)
		}
	}
	return record(out)
}

func date(y, m, d int) *time.Time {
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	return &t
}

// What is wrong with a condition, a share or a parameter is told with its rule, all at
// once.
func TestRuleFaults(t *testing.T) {
	rule := func(kind string, params map[string]string, columns ...string) mulu.Rule {
		return mulu.Rule{ID: "r", Kind: kind, Columns: columns, Params: params}
	}
	with := func(r mulu.Rule, when string, mostly float64) mulu.Rule {
		r.When, r.Mostly = when, mostly
		return r
	}
	p := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	for _, c := range []struct {
		rule mulu.Rule
		want []string
	}{
		{with(rule("not_null", nil, "n"), "gone == 1", 1.5), []string{`条件 when 有误：第 1 个字：没有数据项 "gone"`, "mostly"}},
		{with(rule("not_null", nil, "n"), "n", 0), []string{"结果应为真或假"}},
		{rule("not_null", nil, "n", "id"), []string{"需要 1 个数据项，给了 2 个"}},
		{rule("filled", nil, "n"), []string{"需要 至少 2 个数据项"}},
		{rule("birth_matches_id", nil, "id", "birth"), []string{`不适用于 string 类型的数据项 "id"；第 1 个数据项应为 date`, `不适用于 date 类型的数据项 "birth"`}},
		{rule("order", nil, "birth", "n"), []string{"类型不同"}},
		{rule("length", p("min", "x", "most", "3"), "id"), []string{`参数 min="x" 应为不小于 0 的整数`, `没有参数 "most"，可用的有 min、max`}},
		{rule("length", p("min", "5", "max", "3"), "id"), []string{"大于"}},
		{rule("pattern", p("pattern", "("), "id"), []string{"不是正则表达式"}},
		{rule("pattern", p("pattern", strings.Repeat("a", 501)), "id"), []string{"超过 500 字节"}},
		{rule("pattern", nil, "id"), []string{`缺少参数 "pattern"（正则表达式）`}},
		{rule("code", p("table", "nope"), "id"), []string{"不是代码表；可用的有"}},
		{rule("code", p("table", "sex_gbt2261_1", "at", "n"), "sex"), []string{"应为日期或日期时间"}},
		{rule("range", p("min", "1.234"), "amount"), []string{"2 位小数"}},
		{rule("range", p("min", "abc"), "amount"), []string{"应为数字"}},
		{rule("range", p("min", "3", "max", "3", "strict", "min"), "n"), []string{"没有数值合格"}},
		{rule("range", p("strict", "yes"), "n"), []string{"应为 none、min、max、both 之一"}},
		{rule("date_range", p("min", "tomorrow"), "birth"), []string{"YYYY-MM-DD、today"}},
		{rule("date_range", p("except", "1900"), "birth"), []string{"YYYY-MM-DD"}},
		{rule("sum_of", nil, "n"), []string{"equals、to、min、max"}},
		{rule("sum_of", p("to", "id"), "n"), []string{"应为整数或小数的数据项"}},
		{rule("pair_in", p("pairs", "ab"), "id", "sex"), []string{"甲:乙"}},
		{rule("expression", p("expr", "n = 1"), "n"), []string{"有误：第"}},
		{rule("charset", p("classes", "han,kana"), "name"), []string{`"kana" 应为 han`}},
		{rule("date_text", p("formats", "YYYY"), "id"), []string{"应有 YYYY、MM 和 DD"}},
		{rule("json_schema", p("schema", `{"$ref": "file:///etc/passwd"}`), "id"), []string{"不是 JSON Schema"}},
		{rule("case_no", p("pattern", `^\d+$`, "depts", "3005"), "id"), []string{"没有名为 dept 的组"}},
	} {
		_, err := quality.Compile(&mulu.Dataset{Code: "d", Columns: columns, Rules: []mulu.Rule{c.rule}}, tables(t))
		faults := quality.CheckRules(tables(t))(&mulu.Dataset{Code: "d", Columns: columns, Rules: []mulu.Rule{c.rule}})
		told := ""
		for _, f := range faults {
			told += string(f.Rule) + ": " + f.Message + "\n"
		}
		if !strings.HasPrefix(told, "r: ") || !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("%s: faults %v, error %v", c.rule.Kind, faults, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) || !strings.Contains(told, want) {
				t.Errorf("%s: %q is not in %v", c.rule.Kind, want, fmt.Sprint(err))
			}
		}
	}
}
