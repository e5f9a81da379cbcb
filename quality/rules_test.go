package quality_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"mulu"
	"mulu/internal/declare"
	"mulu/quality"
	"mulu/quality/codes"
	"mulu/quality/ident"

	sampledata "mulu/deploy/sample"
)

var asOf = time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", 8*3600))

var loaded = sync.OnceValues(func() (*codes.Tables, error) { return codes.Load(codes.WithSynthetic("310199")) })

func tables(t testing.TB) *codes.Tables {
	t.Helper()
	tb, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

var columns = []mulu.Column{
	{Name: "id", Title: "身份号码", Type: mulu.String}, {Name: "name", Title: "姓名", Type: mulu.String}, {Name: "sex", Title: "性别", Type: mulu.String},
	{Name: "n", Title: "数量", Type: mulu.Int}, {Name: "amount", Title: "金额", Type: mulu.Decimal, Scale: 2},
	{Name: "birth", Title: "出生日期", Type: mulu.Date}, {Name: "death", Title: "死亡日期", Type: mulu.Date}, {Name: "upd", Title: "更新时间", Type: mulu.DateTime},
}

// row is one row as a person would write it; nil is null.
type row struct {
	id, name, sex *string
	n             *int64
	amount        *int64 // in cents
	birth, death  *time.Time
	upd           *time.Time
}

func record(rows []row) (arrow.RecordBatch, []int64) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "name", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "sex", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "amount", Type: &arrow.Decimal128Type{Precision: 18, Scale: 2}, Nullable: true},
		{Name: "birth", Type: arrow.FixedWidthTypes.Date32, Nullable: true}, {Name: "death", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
		{Name: "upd", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, Nullable: true},
	}, nil))
	text := func(f int, v *string) {
		if v == nil {
			b.Field(f).AppendNull()
			return
		}
		b.Field(f).(*array.StringBuilder).Append(*v)
	}
	date := func(f int, v *time.Time) {
		if v == nil {
			b.Field(f).AppendNull()
			return
		}
		b.Field(f).(*array.Date32Builder).Append(arrow.Date32FromTime(*v))
	}
	offsets := make([]int64, len(rows))
	for i, r := range rows {
		offsets[i] = int64(1000 + i)
		text(0, r.id)
		text(1, r.name)
		text(2, r.sex)
		if r.n == nil {
			b.Field(3).AppendNull()
		} else {
			b.Field(3).(*array.Int64Builder).Append(*r.n)
		}
		if r.amount == nil {
			b.Field(4).AppendNull()
		} else {
			b.Field(4).(*array.Decimal128Builder).Append(decimal128.FromI64(*r.amount))
		}
		date(5, r.birth)
		date(6, r.death)
		if r.upd == nil {
			b.Field(7).AppendNull()
		} else {
			b.Field(7).(*array.TimestampBuilder).Append(arrow.Timestamp(r.upd.UnixMilli()))
		}
	}
	return b.NewRecordBatch(), offsets
}

// rules with their meaning written out row by row: breaks says whether a row breaks
// the rule, and whether it is looked at at all.
var cases = []struct {
	rule   mulu.Rule
	breaks func(r row) (broken, looked bool)
}{
	{mulu.Rule{ID: "nn", Kind: "not_null", Columns: []string{"name"}}, func(r row) (bool, bool) { return r.name == nil || ident.Placeholder([]byte(*r.name)), true }},
	{mulu.Rule{ID: "nnn", Kind: "not_null", Columns: []string{"n"}}, func(r row) (bool, bool) { return r.n == nil, true }},
	{mulu.Rule{ID: "len", Kind: "length", Columns: []string{"name"}, Params: map[string]string{"min": "2", "max": "4"}}, onText(func(r row) *string { return r.name }, func(s string) bool { n := utf8.RuneCountInString(s); return n < 2 || n > 4 })},
	{mulu.Rule{ID: "pat", Kind: "pattern", Columns: []string{"id"}, Params: map[string]string{"pattern": `^\d{17}[\dX]$`}}, onText(func(r row) *string { return r.id }, func(s string) bool { return !regexp.MustCompile(`^\d{17}[\dX]$`).MatchString(s) })},
	{mulu.Rule{ID: "enum", Kind: "enum", Columns: []string{"sex"}, Params: map[string]string{"values": "0,1,2,9"}}, func(r row) (bool, bool) { return r.sex != nil && !strings.Contains("0 1 2 9", *r.sex), r.sex != nil }},
	{mulu.Rule{ID: "code", Kind: "code", Columns: []string{"sex"}, Params: map[string]string{"table": "sex_gbt2261_1"}}, func(r row) (bool, bool) { return r.sex != nil && !strings.Contains("0 1 2 9", *r.sex), r.sex != nil }},
	{mulu.Rule{ID: "rng", Kind: "range", Columns: []string{"n"}, Params: map[string]string{"min": "-1", "max": "3"}}, func(r row) (bool, bool) { return r.n != nil && (*r.n < -1 || *r.n > 3), r.n != nil }},
	{mulu.Rule{ID: "amt", Kind: "range", Columns: []string{"amount"}, Params: map[string]string{"min": "0.01"}}, func(r row) (bool, bool) { return r.amount != nil && *r.amount < 1, r.amount != nil }},
	{mulu.Rule{ID: "drng", Kind: "date_range", Columns: []string{"birth"}, Params: map[string]string{"min": "1900-01-01", "max": "today"}}, func(r row) (bool, bool) {
		return r.birth != nil && (r.birth.Year() < 1900 || r.birth.Format(time.DateOnly) > "2026-11-23"), r.birth != nil
	}},
	{mulu.Rule{ID: "ord", Kind: "order", Columns: []string{"birth", "death"}}, func(r row) (bool, bool) {
		return r.birth != nil && r.death != nil && r.death.Before(*r.birth), r.birth != nil && r.death != nil
	}},
	{mulu.Rule{ID: "gb", Kind: "gb11643", Columns: []string{"id"}, Blocking: true}, func(r row) (bool, bool) {
		return r.id != nil && !(ident.Citizen([]byte(*r.id)) && (strings.HasPrefix(*r.id, "110105") || strings.HasPrefix(*r.id, "310199"))), r.id != nil
	}},
	{mulu.Rule{ID: "reg", Kind: "gbt17710", Columns: []string{"id"}}, onText(func(r row) *string { return r.id }, func(s string) bool { return s != "110108000000016" })},
	{mulu.Rule{ID: "birth", Kind: "birth_matches_id", Columns: []string{"birth", "id"}}, func(r row) (bool, bool) {
		if r.birth == nil || r.id == nil {
			return false, false
		}
		y, m, d, ok := ident.CitizenBirth([]byte(*r.id))
		return ok && r.birth.Format(time.DateOnly) != fmt.Sprintf("%04d-%02d-%02d", y, m, d), ok
	}},
	{mulu.Rule{ID: "sex", Kind: "sex_matches_id", Columns: []string{"sex", "id"}}, func(r row) (bool, bool) {
		if r.sex == nil || r.id == nil || len(*r.id) != 18 || (*r.sex != "1" && *r.sex != "2") || (*r.id)[16] < '0' || (*r.id)[16] > '9' {
			return false, false
		}
		return ((*r.id)[16]-'0')%2 == 1 != (*r.sex == "1"), true
	}},
}

func onText(get func(row) *string, bad func(string) bool) func(row) (bool, bool) {
	return func(r row) (bool, bool) {
		s := get(r)
		if s == nil || ident.Placeholder([]byte(*s)) {
			return false, false
		}
		return bad(*s), true
	}
}

func maybe[V any](t *rapid.T, name string, g *rapid.Generator[V]) *V {
	if rapid.IntRange(0, 3).Draw(t, name+"?") == 0 {
		return nil
	}
	v := g.Draw(t, name)
	return &v
}

var someDate = rapid.Custom(func(t *rapid.T) time.Time {
	return time.Date(1949, 12, 31, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.SampledFrom([]int{0, 1, -20000, 28085, 28086, 28087, 40000}).Draw(t, "day"))
})

var someRow = rapid.Custom(func(t *rapid.T) row {
	return row{
		id:     maybe(t, "id", rapid.SampledFrom([]string{"11010519491231002X", "11010519491231002x", "310199194912310019", "31019919491231001X", "无", "", "1234", "110108000000016", "110108000000017", "99010519491231002X"})),
		name:   maybe(t, "name", rapid.SampledFrom([]string{"张三", "张", "不详", "欧阳修远之", "A", "王小明", "测试", " "})),
		sex:    maybe(t, "sex", rapid.SampledFrom([]string{"1", "2", "0", "9", "3", "男"})),
		n:      maybe(t, "n", rapid.Int64Range(-3, 5)),
		amount: maybe(t, "amount", rapid.Int64Range(-2, 2)),
		birth:  maybe(t, "birth", someDate), death: maybe(t, "death", someDate), upd: maybe(t, "upd", someDate),
	}
})

// Every rule on columns must agree with its meaning row by row, nulls included.
func TestCheckAgreesWithRowByRow(t *testing.T) {
	ds := &mulu.Dataset{Code: "t", Columns: columns}
	for _, c := range cases {
		ds.Rules = append(ds.Rules, c.rule)
	}
	rs, err := quality.Compile(ds, tables(t))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(someRow, 0, 130).Draw(t, "rows")
		rec, offsets := record(rows)
		got := rs.Check(rec, offsets, asOf)
		findings := got.Findings(mulu.Plan{})
		dropped := 0
		for k, c := range cases {
			var looked, broken int64
			for i, r := range rows {
				b, l := c.breaks(r)
				if l {
					looked++
				}
				if b {
					broken++
				}
				if flagged := got.Flags[i]>>k&1 == 1; flagged != b {
					t.Fatalf("rule %s row %d: flagged %v, want %v", c.rule.ID, i, flagged, b)
				}
				if c.rule.Blocking {
					if drop := got.Drop[i>>6]>>(i&63)&1 == 1; drop != b {
						t.Fatalf("row %d dropped %v, want %v", i, drop, b)
					} else if drop {
						dropped++
					}
				}
			}
			if findings[k].Evaluated != looked || findings[k].Failed != broken {
				t.Fatalf("rule %s: %d of %d failed, want %d of %d", c.rule.ID, findings[k].Failed, findings[k].Evaluated, broken, looked)
			}
		}
		if len(got.Rejected) != dropped {
			t.Fatalf("%d faults for %d dropped rows", len(got.Rejected), dropped)
		}
	})
}

// The matcher for simple patterns must agree with the regexp package.
func TestPatternAgreesWithRegexp(t *testing.T) {
	for _, p := range []string{`^\d{9}$`, `^\d{3,4}$`, `^[A-Z]{2}\d{2,5}$`, `^(\d\d)?$`, `^a?b?a$`, `^\d{2,3}[0-5]$`, `^1[3-9]\d{9}$`, `^(ab|c)+$`, `^\d{17}[\dX]$`, `^ab?$`, `\d`} {
		rs, err := quality.Compile(&mulu.Dataset{Columns: columns, Rules: []mulu.Rule{{ID: "p", Kind: "pattern", Columns: []string{"id"}, Blocking: true, Params: map[string]string{"pattern": p}}}}, tables(t))
		if err != nil {
			t.Fatal(err)
		}
		re := regexp.MustCompile(p)
		rapid.Check(t, func(t *rapid.T) {
			s := rapid.StringMatching(`[0-9aAbBcX]{0,6}|1[0-9]{10}|[0-9]{17}X`).Draw(t, "s")
			rec, offsets := record([]row{{id: &s}})
			if got := rs.Check(rec, offsets, asOf).Flags[0] == 0; got != re.MatchString(s) {
				t.Fatalf("%s on %q: %v, regexp says %v", p, s, got, !got)
			}
		})
	}
}

func TestCompileEveryFault(t *testing.T) {
	_, err := quality.Compile(&mulu.Dataset{Code: "x", Columns: columns, Rules: []mulu.Rule{
		{ID: "a", Kind: "magic", Columns: []string{"id"}}, {ID: "b", Kind: "length", Columns: []string{"n"}},
		{ID: "c", Kind: "code", Columns: []string{"sex"}, Params: map[string]string{"table": "nope"}},
		{ID: "d", Kind: "pattern", Columns: []string{"id"}}, {ID: "e", Kind: "enum", Columns: []string{"gone"}, Params: map[string]string{"values": "1"}},
	}}, tables(t))
	for _, want := range []string{"rule a", "rule b", "rule c", "rule d", "rule e"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fault %q is not in: %v", want, err)
		}
	}
}

// The sample district's declarations must compile with the rules of this package.
func TestSampleDeclarations(t *testing.T) {
	tb := tables(t)
	set, err := declare.Load(sampledata.FS, declare.Known{CodeTables: tb.Names(), RuleKinds: quality.RuleKinds(), CheckRules: quality.CheckRules(tb)})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Datasets) < 4 {
		t.Errorf("%d datasets", len(set.Datasets))
	}
}
