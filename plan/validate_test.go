package plan_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"mulu"
	"mulu/plan"
)

var resident = &mulu.Dataset{Code: "resident", Key: []string{"id_no"}, Columns: []mulu.Column{
	{Name: "id_no", Type: mulu.String}, {Name: "birth", Type: mulu.Date}, {Name: "seq", Type: mulu.Int}, {Name: "alone", Type: mulu.Bool}, {Name: "wage", Type: mulu.Decimal, Scale: 2}, {Name: "at", Type: mulu.DateTime}}}

var visit = &mulu.Dataset{Code: "visit", Key: []string{"id_no"}, Columns: []mulu.Column{{Name: "id_no", Type: mulu.String}, {Name: "seq", Type: mulu.String}, {Name: "on", Type: mulu.Date}}}

func datasets(c mulu.DatasetCode) *mulu.Dataset {
	return map[mulu.DatasetCode]*mulu.Dataset{"resident": resident, "visit": visit}[c]
}

func good() plan.Plan {
	return plan.Plan{
		View: plan.View{Base: "resident", Lookups: []plan.Lookup{{Name: "v", Dataset: "visit", Kind: plan.Latest, On: []string{"id_no"}, OrderBy: "on"}, {Name: "n", Dataset: "visit", Kind: plan.Count, On: []string{"id_no"}}},
			Derived: []plan.Derived{{Name: "age", Kind: "age", From: "birth", AsOf: "today"}}},
		Items: []plan.Item{{Name: "id_no", Mask: plan.MaskID}, {Name: "v.on"}, {Name: "n"}, {Name: "age", Mask: plan.MaskBand}},
		Where: plan.Predicate{All: []plan.Predicate{{Field: "age", Op: plan.Ge, Value: int64(80)}, {Field: "v.on", Op: plan.Lt, Value: "2026-01-01"}}}}
}

func TestValidate(t *testing.T) {
	if p := good(); p.Validate(datasets) != nil {
		t.Fatal(p.Validate(datasets))
	}
	refused := func(word string, spoil func(*plan.Plan)) {
		t.Helper()
		p := good()
		spoil(&p)
		if err := p.Validate(datasets); !errors.Is(err, mulu.ErrInvalid) || !strings.Contains(err.Error(), word) {
			t.Errorf("want a refusal that names %s, got %v", word, err)
		}
	}
	refused("nothing", func(p *plan.Plan) { p.View.Base = "nothing" })
	refused("at least one item", func(p *plan.Plan) { p.Items = nil })
	refused("salary", func(p *plan.Plan) { p.Items[0].Name = "salary" })
	refused("v.off", func(p *plan.Plan) { p.Items[1].Name = "v.off" })
	refused(`"v"`, func(p *plan.Plan) { p.Items[1].Name = "v" })
	refused("n.on", func(p *plan.Plan) { p.Items[1].Name = "n.on" })
	refused("two items", func(p *plan.Plan) { p.Items[1].As = "n" })
	refused("_base", func(p *plan.Plan) { p.Items[1].As = "_base" })
	refused("phone", func(p *plan.Plan) { p.Items[3].Mask = plan.MaskPhone })
	refused("secret", func(p *plan.Plan) { p.Items[0].Mask = "secret" })
	refused("limit", func(p *plan.Plan) { p.Limit = -1 })
	refused("exactly one", func(p *plan.Plan) { p.Where.Not = &plan.Predicate{} })
	refused("like", func(p *plan.Plan) { p.Where.All[0].Op = "like" })
	refused("age", func(p *plan.Plan) { p.Where.All[0].Value = "80" })
	refused("is_null", func(p *plan.Plan) { p.Where.All[0] = plan.Predicate{Field: "seq", Op: plan.IsNull, Value: int64(1)} })
	refused("closest", func(p *plan.Plan) { p.View.Lookups[0].Kind = "closest" })
	refused("joins on nothing", func(p *plan.Plan) { p.View.Lookups[1].On = nil })
	refused("seq", func(p *plan.Plan) { p.View.Lookups[1].On = []string{"seq"} })
	refused("birth", func(p *plan.Plan) { p.View.Lookups[1].On = []string{"birth"} })
	refused("later", func(p *plan.Plan) { p.View.Lookups[0].OrderBy = "later" })
	refused("id_no", func(p *plan.Plan) { p.View.Lookups[0].Name = "id_no" })
	refused("id_no", func(p *plan.Plan) { p.View.Derived[0].From = "id_no" })
	refused("yesterday", func(p *plan.Plan) { p.View.Derived[0].AsOf = "yesterday" })
	refused("weeks", func(p *plan.Plan) { p.View.Derived[0].Kind = "weeks" })
}

func TestBound(t *testing.T) {
	bound := func(f plan.Field, op plan.Op, in, want any) {
		t.Helper()
		p := plan.Predicate{Field: "x", Op: op, Value: in}
		got, err := p.Bound(f)
		if err != nil || got != want {
			t.Errorf("%s %v is bound as %v, want %v: %v", f.Type, in, got, want, err)
		}
	}
	refused := func(f plan.Field, op plan.Op, in any) {
		t.Helper()
		p := plan.Predicate{Field: "x", Op: op, Value: in}
		if got, err := p.Bound(f); !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("%s %v is bound as %v", f.Type, in, got)
		}
	}
	typ := func(m mulu.Type) plan.Field { return plan.Field{Type: m} }
	bound(typ(mulu.Int), plan.Eq, 7, "7")
	bound(typ(mulu.Int), plan.Eq, 7.0, "7")
	refused(typ(mulu.Int), plan.Eq, 7.5)
	refused(typ(mulu.Int), plan.Eq, 1e17)
	bound(typ(mulu.Decimal), plan.Eq, 7.5, "7.5")
	bound(typ(mulu.Decimal), plan.Eq, "-0.05", "-0.05")
	refused(typ(mulu.Decimal), plan.Eq, "1 OR 1=1")
	bound(typ(mulu.Date), plan.Lt, "2026-02-28", "2026-02-28")
	refused(typ(mulu.Date), plan.Lt, "2026-02-29")
	bound(typ(mulu.DateTime), plan.Lt, "2026-02-28T16:00:00Z", "2026-03-01 00:00:00.000")
	bound(typ(mulu.DateTime), plan.Lt, "2026-03-01", "2026-03-01 00:00:00.000")
	bound(typ(mulu.Bool), plan.Eq, true, "true")
	refused(typ(mulu.Bool), plan.Ge, true)
	refused(typ(mulu.String), plan.In, []any{"a", 1.0})
	refused(typ(mulu.Int), plan.In, []string{"1"})
	refused(typ(mulu.String), plan.Eq, nil)
}

func TestPredicateFromJSON(t *testing.T) {
	var p plan.Predicate
	if err := json.Unmarshal([]byte(`{"all":[{"f":"id_no","op":"in","v":["a","b"]},{"not":{"f":"seq","op":"gt","v":3}},{"f":"birth","op":"is_null"}]}`), &p); err != nil {
		t.Fatal(err)
	}
	view := plan.View{Base: "resident"}
	if err := p.Validate(func(n string) (plan.Field, error) { return view.Field(n, datasets) }); err != nil {
		t.Error(err)
	}
}

func TestSummaryValidate(t *testing.T) {
	base := func() plan.Summary {
		return plan.Summary{Dataset: "resident", GroupBy: []string{"alone"}, Measures: []plan.Measure{{As: "n", Kind: plan.Rows}, {As: "m", Kind: plan.Max, Columns: []string{"at"}}, {As: "f", Kind: plan.Flag, Bit: 63}}}
	}
	if s := base(); s.Validate(datasets) != nil {
		t.Fatal(s.Validate(datasets))
	}
	refused := func(word string, spoil func(*plan.Summary)) {
		t.Helper()
		s := base()
		spoil(&s)
		if err := s.Validate(datasets); !errors.Is(err, mulu.ErrInvalid) || !strings.Contains(err.Error(), word) {
			t.Errorf("want a refusal that names %s, got %v", word, err)
		}
	}
	refused("nothing", func(s *plan.Summary) { s.Dataset = "nothing" })
	refused("at least one", func(s *plan.Summary) { s.Measures = nil })
	refused("street", func(s *plan.Summary) { s.GroupBy[0] = "street" })
	refused("two groups", func(s *plan.Summary) { s.GroupBy = []string{"alone", "seq", "id_no"} })
	refused("taken", func(s *plan.Summary) { s.Measures[1].As = "n" })
	refused("wage2", func(s *plan.Summary) { s.Measures[1].Columns[0] = "wage2" })
	refused("max", func(s *plan.Summary) { s.Measures[1].Columns[0] = "id_no" })
	refused("flag", func(s *plan.Summary) { s.Measures[2].Bit = 64 })
	refused("median", func(s *plan.Summary) { s.Measures[0].Kind = "median" })
}
