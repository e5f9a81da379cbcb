package suggest

import (
	"fmt"
	"slices"
	"strings"

	"mulu"
	"mulu/quality/profile"
)

// relationRules are the rules that relations come to.
var relationRules = map[profile.RelationKind]func(s *scout, r profile.Relation, x, y *profile.Column){
	profile.BirthOfID: func(s *scout, r profile.Relation, x, y *profile.Column) {
		s.related(r, Suggestion{Title: label(x) + "与" + label(y) + "一致", Kind: "birth_matches_id", Indicator: "040201"}, "与号码中的出生日期相同")
	},
	profile.SexOfID: func(s *scout, r profile.Relation, x, y *profile.Column) {
		if x.Observed == mulu.String {
			s.related(r, Suggestion{Title: label(x) + "与" + label(y) + "一致", Kind: "sex_matches_id", Indicator: "040201"}, "与号码的顺序码奇偶相符")
		}
	},
	profile.Order: func(s *scout, r profile.Relation, x, y *profile.Column) {
		if x.Observed != mulu.Decimal {
			s.related(r, Suggestion{Title: label(x) + "不晚于" + label(y), Kind: "order", Indicator: "040202"}, label(x)+"不晚于"+label(y))
		}
	},
	profile.Equal: func(s *scout, r profile.Relation, x, y *profile.Column) {
		s.related(r, Suggestion{Title: label(x) + "与" + label(y) + "相同", Kind: "equal", Indicator: "040201"}, "两项相同")
	},
	profile.Prefix: func(s *scout, r profile.Relation, x, y *profile.Column) {
		s.related(r, Suggestion{Title: label(x) + "以" + label(y) + "开头", Kind: kindExpr, Params: map[string]string{paramExpr: x.Name + ".startsWith(" + y.Name + ")"}, Indicator: "040201"}, label(x)+"的开头就是"+label(y))
	},
	profile.FilledWhen: func(s *scout, r profile.Relation, x, y *profile.Column) {
		if !s.open(y) || strings.ContainsAny(r.When, `'"\`) {
			return
		}
		s.related(r, Suggestion{ID: x.Name + ".not_null_when", Title: label(x) + "在该情形下已填写", Kind: "not_null", Columns: []string{x.Name}, When: y.Name + ` == "` + r.When + `"`, Indicator: "040202"},
			label(x)+"只在"+label(y)+"取某一值时填写")
	},
}

// The kind of rule that is one expression over a row, and its parameter.
const (
	kindExpr  = "expression"
	paramExpr = "expr"
)

func (s *scout) relations() {
	for _, r := range s.p.Relations {
		if f := relationRules[r.Kind]; f != nil && !s.implied(r) {
			f(s, r, s.fields[r.Columns[0]], s.fields[r.Columns[1]])
		}
	}
}

// implied leaves out a prefix that follows from a longer one: a grid begins with the
// street because it begins with the community.
func (s *scout) implied(r profile.Relation) bool {
	if r.Kind != profile.Prefix {
		return false
	}
	has := func(x, y string) bool {
		return slices.ContainsFunc(s.p.Relations, func(o profile.Relation) bool {
			return o.Kind == profile.Prefix && o.Columns[0] == x && o.Columns[1] == y
		})
	}
	for _, o := range s.p.Relations {
		if o.Kind == profile.Prefix && o.Columns[0] == r.Columns[0] && o.Columns[1] != r.Columns[1] && has(o.Columns[1], r.Columns[1]) {
			return true
		}
	}
	return false
}

func (s *scout) related(r profile.Relation, x Suggestion, what string) {
	if x.Columns == nil {
		x.Columns = r.Columns
	}
	failing, exact := s.scaled(r.Broken)
	judged, _ := s.scaled(r.Judged)
	x.Source, x.Judged, x.Failing, x.Exact = FromRelation, judged, failing, exact
	x.Why = fmt.Sprintf("两项都有值的 %s 行中，%s%% %s", num(judged), points(r.Judged-r.Broken, r.Judged), what)
	s.add(x)
}

func (s *scout) keys() {
	for i, k := range s.p.Keys {
		if c := s.fields[k.Columns[0]]; i > 0 && !(len(k.Columns) == 1 && c.Is != nil && c.Is.Share >= leastGood && k.Repeat*100 <= k.Rows) {
			continue
		}
		var names []string
		for _, c := range k.Columns {
			names = append(names, label(s.fields[c]))
		}
		s.add(Suggestion{Set: true, Title: strings.Join(names, "、") + "不重复", Kind: "unique", Columns: k.Columns, Indicator: "030400", Blocking: k.Repeat == 0 && k.Exact,
			Source: FromKey, Why: fmt.Sprintf("有值的 %s 行中 %s 行与前面的重复", num(k.Rows), num(k.Repeat)), Judged: k.Rows, Failing: k.Repeat, Exact: k.Exact})
	}
}

// duplicates proposes that no two rows say the same under different keys.
func (s *scout) duplicates() {
	for _, d := range s.p.Duplicates {
		if d.Except == "" || !s.key(d.Except) || len(s.p.Keys[0].Columns) != 1 || d.Rows == 0 || d.Rows*20 > s.p.Rows {
			continue
		}
		s.add(Suggestion{ID: d.Except + ".duplicate_rows", Set: true, Title: "除" + label(s.fields[d.Except]) + "外内容不重复", Kind: "duplicate_rows", Columns: []string{}, Indicator: "030300", Source: FromKey,
			Why:    fmt.Sprintf("%s 行除%s外与另一行完全相同", num(d.Rows), label(s.fields[d.Except])),
			Judged: s.p.Rows, Failing: d.Rows, Exact: d.Exact, Confidence: 0.9})
	}
}

// Of a reference.
const (
	leastWithin   = 0.9 // share of the values that the other dataset has
	leastCompared = 50
)

// references proposes that what names an object of another dataset is found there.
func (s *scout) references() {
	if s.o.Self == nil {
		return
	}
	for i := range s.p.Columns {
		c := &s.p.Columns[i]
		if !s.o.Self.Has(c.Name) || c.CodeLike || c.Distinct.Count < leastCompared {
			continue
		}
		for _, o := range s.o.Others {
			if len(o.Key) != 1 {
				continue
			}
			within, compared := s.o.Self.Within(c.Name, o.Sketch, o.Key[0])
			if compared < leastCompared || within < leastWithin || within == 1 && o.Sketch.Distinct(o.Key[0]) < c.Distinct.Count {
				continue
			}
			failing := int64((1 - within) * float64(c.Values))
			s.add(Suggestion{ID: c.Name + ".in_" + o.Dataset, Set: true, Title: label(c) + "在" + o.Title + "中存在", Kind: "references", Columns: []string{c.Name},
				Params: map[string]string{"dataset": o.Dataset, "to": o.Key[0]}, Indicator: "040203", Source: FromReference,
				Why: fmt.Sprintf("%s 个不同取值中 %s%% 在%s的%s中", num(int64(compared)), points(int64(within*10000), 10000), o.Title, o.Key[0]), Judged: c.Values, Failing: failing})
		}
	}
}
