package quality

import (
	"fmt"
	"strings"

	"mulu"
	"mulu/plan"
)

// Selection is a rule of either sort with the plan of the rows that break it.
type Selection struct {
	ID        mulu.RuleID
	Title     string
	Kind      string
	Indicator string
	Columns   []string
	Set       bool // a rule over the whole dataset
	Blocking  bool
	View      plan.View
	Fault     plan.Fault
	// NoRows says in Chinese why no row can be named, "" if rows can.
	NoRows string
}

// rowless are the kinds of set rule that judge the dataset and no row of it, where more
// can be said than that.
var rowless = map[string]string{
	"fresh":  "时效规则判断的是整个数据集是否按期更新，没有对应的不合格行",
	"volume": "数据量规则判断的是各期到达的行数，没有对应的不合格行",
	"sql":    "查询只给出计数，不能指出是哪些行",
	"band":   "波动区间判断的是整个数据集的度量值，没有对应的不合格行",
}

// faults make the fault of a set rule out of what it asks of the library, by kind.
var faults = map[string]func(r *mulu.SetRule, asks []question, s *Selection){
	"unique": alike, "duplicate_rows": alike,
	"references": where, "equal_to": where, "cross": where, "expression": where,
	"values_in_set": strange, "values_equal_set": strange,
	"null_share": unfilled,
}

// alike: every member of a group of rows that are alike is shown, though a group counts as
// failed by all but one of its rows.
func alike(_ *mulu.SetRule, asks []question, s *Selection) {
	m := asks[1].measure
	s.Fault = plan.Fault{Same: m.Columns}
	if !m.Where.Empty() {
		s.Fault.When = &m.Where
	}
}

// where: the second ask counts the rows at fault.
func where(_ *mulu.SetRule, asks []question, s *Selection) {
	if l := asks[1].lookup; l != nil {
		s.View.Lookups = []plan.Lookup{*l}
	}
	s.Fault = plan.Fault{Where: &asks[1].measure.Where}
}

// strange: the second ask counts the values that are in no set, here are the rows that
// have them.
func strange(r *mulu.SetRule, asks []question, s *Selection) {
	p := both(filled(r.Columns[0]), asks[1].measure.Where)
	s.Fault = plan.Fault{Where: &p}
}

// unfilled: the rows that are asked for and have no value.
func unfilled(r *mulu.SetRule, asks []question, s *Selection) {
	p := both(asks[0].measure.Where, plan.Predicate{Field: r.Columns[0], Op: plan.IsNull})
	s.Fault = plan.Fault{Where: &p}
}

// Select finds a rule of a version and says which rows break it. mulu.ErrNotFound: the
// version has no such rule.
func Select(ds *mulu.Dataset, id mulu.RuleID, datasets plan.Datasets) (Selection, error) {
	for _, r := range ds.Rules {
		if r.ID == id {
			return Selection{ID: id, Title: r.Title, Kind: r.Kind, Indicator: r.Indicator, Columns: r.Columns, Blocking: r.Blocking,
				View: plan.View{Base: ds.Code}, Fault: plan.Fault{Flag: true}}, nil
		}
	}
	for i := range ds.SetRules {
		if ds.SetRules[i].ID == id {
			return selectSet(ds, &ds.SetRules[i], datasets)
		}
	}
	return Selection{}, fmt.Errorf("数据集 %s 第 %d 版没有规则 %s；有 %s / no such rule: %w", ds.Code, ds.Version, id, ruleIDs(ds), mulu.ErrNotFound)
}

func selectSet(ds *mulu.Dataset, r *mulu.SetRule, datasets plan.Datasets) (Selection, error) {
	s := Selection{ID: r.ID, Title: r.Title, Kind: r.Kind, Indicator: r.Indicator, Columns: r.Columns, Set: true, Blocking: r.Blocking, View: plan.View{Base: ds.Code}}
	fault, ok := faults[r.Kind]
	if !ok {
		if s.NoRows = rowless[r.Kind]; s.NoRows == "" {
			s.NoRows = "规则种类 " + r.Kind + " 得出的是整个数据集的数值，没有对应的不合格行"
		}
		return s, nil
	}
	ready, err := compileSet(ds, *r, datasets)
	if err != nil {
		return s, fmt.Errorf("规则 %s 现在不能判断: %w: %w", r.ID, err, mulu.ErrConflict)
	}
	fault(r, ready.asks, &s)
	return s, nil
}

// ruleIDs names the rules of a version, in the order of its declaration.
func ruleIDs(ds *mulu.Dataset) string {
	var ids []string
	for _, r := range ds.Rules {
		ids = append(ids, string(r.ID))
	}
	for _, r := range ds.SetRules {
		ids = append(ids, string(r.ID))
	}
	return strings.Join(ids, "、")
}
