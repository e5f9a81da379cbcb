package profile_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
	"mulu/internal/sample"
	"mulu/quality/codes"
	"mulu/quality/profile"
)

var asOf = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

func tables(t testing.TB) *codes.Tables {
	t.Helper()
	tb, err := codes.Load(codes.WithSynthetic(sample.NoDivision))
	if err != nil {
		t.Fatal(err)
	}
	return tb
}

// texts makes a batch of text columns; "␀" is null.
func texts(names []string, rows [][]string) (arrow.RecordBatch, []profile.Field) {
	var schema []arrow.Field
	var fields []profile.Field
	for _, n := range names {
		schema = append(schema, arrow.Field{Name: n, Type: arrow.BinaryTypes.String, Nullable: true})
		fields = append(fields, profile.Field{Name: n, Level: mulu.L1})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(schema, nil))
	defer b.Release()
	for _, r := range rows {
		for i, v := range r {
			if v == "␀" {
				b.Field(i).AppendNull()
			} else {
				b.Field(i).(*array.StringBuilder).Append(v)
			}
		}
	}
	return b.NewRecordBatch(), fields
}

// people are n rows of nobody.
func people(n int) ([]string, [][]string) {
	r := rand.New(rand.NewPCG(1, 2))
	given := []rune("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华")
	surnames := []rune("王李张刘陈杨黄赵吴周")
	var rows [][]string
	for i := range n {
		born := time.Date(1940, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, r.IntN(25_000))
		id := sample.IdentityOf(born, i%500)
		name := string(surnames[r.IntN(len(surnames))]) + string(given[r.IntN(len(given))]) + string(given[r.IntN(len(given))])
		status, death := "在册", "␀"
		if i%50 == 0 {
			status, death = "离世", born.AddDate(30, 0, 0).Format(time.DateOnly)
		}
		rows = append(rows, []string{id, name, "1", born.Format(time.DateOnly), fmt.Sprintf("1990000%04d", r.IntN(10_000)), "普陀区曹杨路" + fmt.Sprint(8+r.IntN(900)) + "弄3号101室", "310107005001", fmt.Sprint(r.IntN(90_000)+100) + ".50", status, death, "备注"})
	}
	return []string{"a", "b", "sex", "c", "d", "e", "f", "g", "h", "i", "j"}, rows
}

func build(t testing.TB, fields []profile.Field, rec arrow.RecordBatch, cuts ...int64) *profile.Profile {
	t.Helper()
	b := profile.NewBuilder(fields, profile.Options{Seed: 7, AsOf: asOf, Tables: tables(t)})
	from := int64(0)
	for _, to := range append(cuts, rec.NumRows()) {
		part := rec.NewSlice(from, to)
		if err := b.Add(part); err != nil {
			t.Fatal(err)
		}
		part.Release()
		from = to
	}
	return b.Profile()
}

// TestRecognises: columns whose names say nothing are known by what they hold.
func TestRecognises(t *testing.T) {
	names, rows := people(2000)
	rec, fields := texts(names, rows)
	p := build(t, fields, rec)
	for name, want := range map[string]struct {
		is   string
		typ  mulu.Type
		open bool
	}{
		"a": {profile.IsCitizen, mulu.String, false}, "b": {profile.IsName, mulu.String, false}, "c": {"", mulu.Date, true}, "d": {profile.IsMobile, mulu.String, false},
		"e": {profile.IsAddress, mulu.String, false}, "f": {profile.IsDivision, mulu.String, true}, "g": {"", mulu.Decimal, true}, "h": {"", mulu.String, true}, "i": {"", mulu.Date, true},
	} {
		c := p.Column(name)
		is := ""
		if c.Is != nil {
			is = c.Is.Kind
		}
		if is != want.is || c.Observed != want.typ || (c.Closed == "") != want.open {
			t.Errorf("%s is %q of type %s (closed: %q), want %q of type %s, open %v", name, is, c.Observed, c.Closed, want.is, want.typ, want.open)
		}
	}
	if c := p.Column("sex"); len(c.Codes) == 0 || c.Codes[0].Table != "sex_gbt2261_1" {
		t.Errorf("sex fits %+v", c.Codes)
	}
	if c := p.Column("j"); !c.Constant || c.Distinct.Count != 1 {
		t.Errorf("j is not constant: %+v", c.Distinct)
	}
	if c := p.Column("i"); c.Nulls != 1960 || c.Values != 40 {
		t.Errorf("i has %d nulls and %d values, want 1960 and 40", c.Nulls, c.Values)
	}
	related := func(kind profile.RelationKind, columns ...string) *profile.Relation {
		for i, r := range p.Relations {
			if r.Kind == kind && slices.Equal(r.Columns, columns) {
				return &p.Relations[i]
			}
		}
		return nil
	}
	if r := related(profile.BirthOfID, "c", "a"); r == nil || r.Judged != 2000 || r.Broken != 0 {
		t.Errorf("birth and identity number: %+v", r)
	}
	if r := related(profile.SexOfID, "sex", "a"); r == nil || r.Broken != 0 {
		t.Errorf("sex and identity number: %+v", r)
	}
	if r := related(profile.Order, "c", "i"); r == nil || r.Judged != 40 {
		t.Errorf("birth before death: %+v", r)
	}
	if r := related(profile.FilledWhen, "i", "h"); r == nil || r.When != "离世" || r.Broken != 0 {
		t.Errorf("death filled in when gone: %+v", r)
	}
	if len(p.Keys) == 0 || p.Keys[0].Columns[0] != "a" {
		t.Errorf("keys %+v, want a first", p.Keys)
	}
}

// TestNothingLeaks: no value of an item that is secret, personal or not classified is
// in what is stored, however it was found to be so.
func TestNothingLeaks(t *testing.T) {
	names, rows := people(600)
	for i := range rows {
		rows[i][10] = fmt.Sprintf("当事人电话19900001%03d，住处另记%d", i%1000, i)
	}
	rec, fields := texts(names, rows)
	secret := map[string]func([]profile.Field){
		"recognised although L1": func([]profile.Field) {},
		"not classified": func(f []profile.Field) {
			for i := range f {
				f[i].Level = 0
			}
		},
		"L3": func(f []profile.Field) {
			for i := range f {
				f[i].Level = mulu.L3
			}
		},
		"declared personal": func(f []profile.Field) {
			for i := range f {
				f[i].PI = "health"
			}
		},
	}
	for why, mark := range secret {
		f := slices.Clone(fields)
		mark(f)
		raw, err := json.Marshal(build(t, f, rec))
		if err != nil {
			t.Fatal(err)
		}
		stored := string(raw)
		columns := []int{0, 1, 4, 5, 10} // what is recognised in any case
		if why != "recognised although L1" {
			columns = []int{0, 1, 3, 4, 5, 7, 8, 9, 10}
		}
		for _, c := range columns {
			for _, r := range rows {
				if v := r[c]; v != "␀" && strings.Contains(stored, v) {
					t.Errorf("%s: the profile holds %q of column %s", why, v, names[c])
					break
				}
			}
		}
	}
	// The test must be able to fail: an open column's values are there.
	raw, err := json.Marshal(build(t, fields, rec))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), "离世") {
		t.Error("an open column shows no values: this proves nothing")
	}
}

// TestMerge: parts profiled apart and merged say what one pass over all says, in
// whichever order.
func TestMerge(t *testing.T) {
	names, rows := people(5000)
	rec, fields := texts(names, rows)
	whole, err := json.Marshal(build(t, fields, rec))
	if err != nil {
		t.Fatal(err)
	}
	if cut, err := json.Marshal(build(t, fields, rec, 1, 700, 4096)); err != nil || string(cut) != string(whole) {
		t.Errorf("batches of other sizes give another profile (%v)", err)
	}
	part := func(from, to int64) *profile.Builder {
		b := profile.NewBuilder(fields, profile.Options{Seed: 7, AsOf: asOf, Tables: tables(t), First: from})
		s := rec.NewSlice(from, to)
		defer s.Release()
		if err := b.Add(s); err != nil {
			t.Fatal(err)
		}
		return b
	}
	merged := part(3000, 5000)
	for _, other := range []*profile.Builder{part(0, 1000), part(1000, 3000)} {
		if err := merged.Merge(other); err != nil {
			t.Fatal(err)
		}
	}
	got, want := merged.Profile(), build(t, fields, rec)
	if len(got.Columns) != len(want.Columns) || got.Rows != want.Rows {
		t.Fatalf("%d rows, want %d", got.Rows, want.Rows)
	}
	for i := range got.Columns {
		g, w := got.Columns[i], want.Columns[i]
		if g.Range != nil && g.Range.Mean != nil { // sums in another order
			if d := *g.Range.Mean - *w.Range.Mean; d > 1e-3 || d < -1e-3 {
				t.Errorf("%s: mean %v, want %v", g.Name, *g.Range.Mean, *w.Range.Mean)
			}
			g.Range.Mean, g.Range.Deviation, w.Range.Mean, w.Range.Deviation = nil, nil, nil, nil
		}
		a, _ := json.Marshal(g)
		b, _ := json.Marshal(w)
		if string(a) != string(b) {
			t.Errorf("%s merged:\n%s\nwhole:\n%s", g.Name, a, b)
		}
	}
	a, _ := json.Marshal(got.Relations)
	b, _ := json.Marshal(want.Relations)
	if string(a) != string(b) {
		t.Errorf("relations merged %s, whole %s", a, b)
	}
}

// TestBeyondTheBounds: with more values than are kept, counts are estimates and say so,
// and a key is still told from what repeats.
func TestBeyondTheBounds(t *testing.T) {
	const n = 300_000
	b := profile.NewBuilder([]profile.Field{{Name: "serial", Level: mulu.L1}, {Name: "half", Level: mulu.L1}}, profile.Options{AsOf: asOf, Tables: tables(t)})
	schema := arrow.NewSchema([]arrow.Field{{Name: "serial", Type: arrow.BinaryTypes.String}, {Name: "half", Type: arrow.BinaryTypes.String}}, nil)
	for from := 0; from < n; from += 50_000 {
		rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := from; i < from+50_000; i++ {
			rb.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("S%09d", i))
			rb.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("H%09d", i/2))
		}
		rec := rb.NewRecordBatch()
		if err := b.Add(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		rb.Release()
	}
	p := b.Profile()
	for name, want := range map[string]float64{"serial": n, "half": n / 2} {
		d := p.Column(name).Distinct
		if d.Exact || d.Error == 0 || d.Error > 0.01 {
			t.Errorf("%s: %+v does not say that it is an estimate", name, d)
		}
		if x := float64(d.Count); x < want*(1-5*d.Error) || x > want*(1+5*d.Error) {
			t.Errorf("%s: about %d different values, want %.0f within five deviations of %.4f", name, d.Count, want, d.Error)
		}
	}
	if once := p.Column("half").Distinct.Once; once != 0 {
		t.Errorf("half: about %d values in one row alone, want none", once)
	}
	if len(p.Keys) != 1 || p.Keys[0].Columns[0] != "serial" || p.Keys[0].Exact {
		t.Errorf("keys %+v, want serial, as an estimate", p.Keys)
	}
	if p.Sampled >= p.Rows {
		t.Errorf("%d of %d rows sampled: the bound was not reached", p.Sampled, p.Rows)
	}
}

func TestTypesPatternsAndCharacters(t *testing.T) {
	var rows [][]string
	for i := range 200 {
		rows = append(rows, []string{fmt.Sprintf("AB-%03d", i%7), fmt.Sprint(i - 50), "2024/01/" + fmt.Sprintf("%02d", i%28+1), "是", "普通"})
	}
	rows[3] = []string{"AB-0012", "九", "2024/13/45", "否", "全角ＡＢ"}
	rows[4] = []string{"不详", "", "␀", "否", " 前有空格"}
	rows[5][4], rows[6][4], rows[7][4] = "锟斤拷", "零\u200b宽", "中 间"
	rec, fields := texts([]string{"code", "n", "day", "yes", "text"}, rows)
	p := build(t, fields, rec)
	code, n, day, yes, text := p.Column("code"), p.Column("n"), p.Column("day"), p.Column("yes"), p.Column("text")
	if len(code.Shapes) == 0 || code.Shapes[0].Shape != "A{2}-9{3}" || code.Shapes[0].Count != 198 || code.Placeholders != 1 {
		t.Errorf("code: shapes %+v, %d placeholders", code.Shapes, code.Placeholders)
	}
	if n.Observed != mulu.Int || n.Placeholders != 1 || n.Range == nil || n.Range.Min != "-50" || n.Range.Max != "149" {
		t.Errorf("n: %s %+v", n.Observed, n.Range)
	}
	if day.Observed != mulu.Date || day.Layout != "YYYY/MM/DD" || day.Range.Min != "2024-01-01" || day.Nulls != 1 || day.Parses[0].Count != 198 {
		t.Errorf("day: %s %s %+v %+v", day.Observed, day.Layout, day.Range, day.Parses)
	}
	if yes.Observed != mulu.Bool {
		t.Errorf("yes: %s", yes.Observed)
	}
	if want := (profile.Chars{FullWidth: 1, Edges: 1, Inner: 1, Invisible: 1, Mojibake: 1}); text.Chars != want {
		t.Errorf("text: %+v, want %+v", text.Chars, want)
	}
}

// TestArrowTypes: typed columns come out as they were declared.
func TestArrowTypes(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}, {Name: "x", Type: &arrow.Decimal128Type{Precision: 18, Scale: 2}}, {Name: "d", Type: arrow.FixedWidthTypes.Date32},
		{Name: "t", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}}, {Name: "b", Type: arrow.FixedWidthTypes.Boolean}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, row := range []string{`{"n":3,"x":"1.50","d":"2026-11-24","t":"2026-11-22T16:00:00Z","b":true}`, `{"n":1,"x":"-2.25","d":"1899-01-01","t":"2026-11-22T16:00:00Z","b":false}`} {
		if err := b.UnmarshalJSON([]byte(row)); err != nil {
			t.Fatal(err)
		}
	}
	var fields []profile.Field
	for i, typ := range []mulu.Type{mulu.Int, mulu.Decimal, mulu.Date, mulu.DateTime, mulu.Bool} {
		fields = append(fields, profile.Field{Name: schema.Field(i).Name, Type: typ, Level: mulu.L1})
	}
	p := build(t, fields, b.NewRecordBatch())
	for name, want := range map[string][2]string{"n": {"1", "3"}, "x": {"-2.25", "1.5"}, "d": {"1899-01-01", "2026-11-24"}, "t": {"2026-11-23 00:00:00", "2026-11-23 00:00:00"}} {
		c := p.Column(name)
		if c.Range == nil || c.Range.Min != want[0] || c.Range.Max != want[1] || c.Observed != c.Declared {
			t.Errorf("%s: %s %+v, want %v", name, c.Observed, c.Range, want)
		}
	}
	if s := p.Column("d").Secret; s.Future != 1 || s.Before != 1 {
		t.Errorf("d: %d after today and %d before 1900, want one each", s.Future, s.Before)
	}
	if err := profile.NewBuilder(fields, profile.Options{Tables: tables(t)}).Add(array.NewRecordBatch(arrow.NewSchema(nil, nil), nil, 0)); err == nil {
		t.Error("a batch without the columns was taken")
	}
}

func BenchmarkProfile(b *testing.B) {
	names, rows := people(20_000)
	rec, fields := texts(names, rows)
	for b.Loop() {
		build(b, fields, rec)
	}
	b.ReportMetric(float64(len(rows)*b.N)/b.Elapsed().Seconds(), "rows/s")
}
