package suggest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
	"mulu/internal/sample"
	"mulu/quality"
	"mulu/quality/codes"
	"mulu/quality/profile"
	"mulu/quality/suggest"
)

var asOf = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

func look(t *testing.T, level mulu.Level, names []string, n int, row func(i int) []string) (*profile.Profile, *profile.Sketch) {
	t.Helper()
	tables, err := codes.Load(codes.WithSynthetic(sample.NoDivision))
	if err != nil {
		t.Fatal(err)
	}
	var schema []arrow.Field
	var fields []profile.Field
	for _, name := range names {
		schema = append(schema, arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true})
		fields = append(fields, profile.Field{Name: name, Level: level})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(schema, nil))
	defer b.Release()
	for i := range n {
		for j, v := range row(i) {
			b.Field(j).(*array.StringBuilder).Append(v)
		}
	}
	p := profile.NewBuilder(fields, profile.Options{AsOf: asOf, Tables: tables})
	if err := p.Add(b.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	return p.Profile(), p.Sketch()
}

func options() suggest.Options {
	return suggest.Options{RowKinds: quality.RuleKinds(), SetKinds: []string{"unique", "references"}}
}

func find(list []suggest.Suggestion, kind string, columns ...string) *suggest.Suggestion {
	for i, s := range list {
		if s.Kind == kind && slices.Equal(s.Columns, columns) {
			return &list[i]
		}
	}
	return nil
}

func firms(i int) []string {
	state := []string{"存续", "吊销", "注销"}[i%3]
	if i == 17 {
		state = "存　续"
	}
	name := fmt.Sprintf("测试贸易%d有限公司", i)
	if i%100 == 5 {
		name = "测试ＡＢ公司" + fmt.Sprint(i)
	}
	from, to := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i)
	if i%200 == 9 {
		from, to = to, from
	}
	return []string{fmt.Sprintf("F%06d", i), name, state, from.Format(time.DateOnly), to.Format(time.DateOnly), fmt.Sprintf("%d.00", 10_000+i*37%90_000)}
}

var firmColumns = []string{"no", "name", "status", "found", "valid_to", "capital"}

func TestSuggestsWithEvidence(t *testing.T) {
	p, _ := look(t, mulu.L1, firmColumns, 1000, firms)
	list := suggest.Rules(p, options())
	for _, want := range []struct {
		kind    string
		columns []string
		failing int64
	}{
		{"unique", []string{"no"}, 0}, {"pattern", []string{"no"}, 0}, {"halfwidth", []string{"name"}, 10}, {"enum", []string{"status"}, 1}, {"order", []string{"found", "valid_to"}, 5}, {"date_range", []string{"found"}, 5},
	} {
		s := find(list, want.kind, want.columns...)
		if s == nil {
			t.Errorf("no %s over %v is proposed", want.kind, want.columns)
			continue
		}
		if s.Failing != want.failing || !s.Exact || s.Why == "" || s.Indicator == "" || s.Confidence <= 0 || s.Confidence > 1 {
			t.Errorf("%s over %v: %+v, want %d failing", want.kind, want.columns, *s, want.failing)
		}
	}
	if s := find(list, "date_range", "valid_to"); s != nil {
		t.Errorf("an end in the future is held to be a slip: %+v", s)
	}
	for i, s := range list {
		if s.N != i+1 {
			t.Errorf("suggestion %d is numbered %d", i+1, s.N)
		}
	}
	if first := list[0]; first.Failing == 0 {
		t.Errorf("the first suggestion finds nothing: %+v", first)
	}
}

// TestSuggestionsCompile: whatever is proposed can be declared as it stands.
func TestSuggestionsCompile(t *testing.T) {
	tables, err := codes.Load()
	if err != nil {
		t.Fatal(err)
	}
	p, _ := look(t, mulu.L1, firmColumns, 1000, firms)
	ds := suggest.Dataset("firm", p)
	if !slices.Equal(ds.Key, []string{"no"}) || ds.Columns[3].Type != mulu.Date || ds.Columns[5].Type != mulu.Decimal {
		t.Errorf("proposed %+v", ds)
	}
	full := suggest.Declare(ds, suggest.Rules(p, options()))
	if len(full.Rules) < 8 {
		t.Errorf("%d rules", len(full.Rules))
	}
	if _, err := quality.Compile(full, tables); err != nil {
		t.Error(err)
	}
	again := suggest.Rules(p, suggest.Options{Dataset: full, RowKinds: quality.RuleKinds(), SetKinds: []string{"unique"}})
	if len(again) != 0 {
		t.Errorf("what is declared is proposed again: %+v", again)
	}
}

// TestNoValueOfASecretItem: neither a list of values nor a condition quotes what the
// profile does not show, unless the owner of a file says that it may.
func TestNoValueOfASecretItem(t *testing.T) {
	for _, c := range []struct {
		level  mulu.Level
		values bool
		want   bool
	}{{mulu.L1, false, true}, {mulu.L3, false, false}, {mulu.L3, true, false}, {0, false, false}, {0, true, true}} {
		p, _ := look(t, c.level, firmColumns, 1000, firms)
		o := options()
		o.Values = c.values
		list := suggest.Rules(p, o)
		quoted := false
		for _, s := range list {
			for _, v := range []string{"存续", "吊销", "测试贸易", "F000"} {
				quoted = quoted || strings.Contains(fmt.Sprint(s.Params, s.When, s.Why, s.Title), v)
			}
		}
		if quoted != c.want {
			t.Errorf("level %d, values %v: quoted %v, want %v", c.level, c.values, quoted, c.want)
		}
	}
}

func TestReferences(t *testing.T) {
	_, firm := look(t, mulu.L1, firmColumns, 1000, firms)
	p, self := look(t, mulu.L1, []string{"licence", "firm"}, 600, func(i int) []string {
		to := fmt.Sprintf("F%06d", i)
		if i%60 == 3 {
			to = fmt.Sprintf("F9%05d", i)
		}
		return []string{fmt.Sprintf("L-%05d", i), to}
	})
	o := options()
	o.Self, o.Others = self, []suggest.Other{{Dataset: "enterprise", Title: "法人", Key: []string{"no"}, Sketch: firm}}
	s := find(suggest.Rules(p, o), "references", "firm")
	if s == nil || s.Params["dataset"] != "enterprise" || s.Params["to"] != "no" || s.Failing < 8 || s.Failing > 12 {
		t.Errorf("reference: %+v, want one to enterprise with ten that are not there", s)
	}
	if s := find(suggest.Rules(p, o), "references", "licence"); s != nil {
		t.Errorf("a number of its own is taken for a reference: %+v", s)
	}
}
