package quality

import (
	"fmt"

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

// rowless are the kinds of set rule that judge the dataset and no row of it.
var rowless = map[string]string{
	"fresh": "时效规则判断的是整个数据集是否按期更新，没有对应的不合格行",
}

// faults make the plan of a set rule's failing rows, by kind.
var faults = map[string]func(*mulu.Dataset, *mulu.SetRule, *Selection) error{
	"unique": sameValues,
}

// Select finds a rule of a version and says which rows break it. mulu.ErrNotFound: the
// version has no such rule.
func Select(ds *mulu.Dataset, id mulu.RuleID) (Selection, error) {
	for _, r := range ds.Rules {
		if r.ID == id {
			return Selection{ID: id, Title: r.Title, Kind: r.Kind, Indicator: r.Indicator, Columns: r.Columns, Blocking: r.Blocking,
				View: plan.View{Base: ds.Code}, Fault: plan.Fault{Flag: true}}, nil
		}
	}
	for i := range ds.SetRules {
		r := &ds.SetRules[i]
		if r.ID != id {
			continue
		}
		s := Selection{ID: id, Title: r.Title, Kind: r.Kind, Indicator: r.Indicator, Columns: r.Columns, Set: true, Blocking: r.Blocking, View: plan.View{Base: ds.Code}}
		if fault, ok := faults[r.Kind]; ok {
			return s, fault(ds, r, &s)
		}
		if s.NoRows = rowless[r.Kind]; s.NoRows == "" {
			s.NoRows = "规则种类 " + r.Kind + " 得出的是整个数据集的数值，没有对应的不合格行"
		}
		return s, nil
	}
	return Selection{}, fmt.Errorf("数据集 %s 第 %d 版没有规则 %s: %w", ds.Code, ds.Version, id, mulu.ErrNotFound)
}

// sameValues: every member of a group of rows that are alike breaks uniqueness, though a
// group counts as failed by all but one of its rows.
func sameValues(_ *mulu.Dataset, r *mulu.SetRule, s *Selection) error {
	s.Fault = plan.Fault{Same: r.Columns}
	return nil
}
