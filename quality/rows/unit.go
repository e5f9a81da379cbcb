package rows

import (
	"fmt"
	"slices"
	"strings"

	"mulu"
	"mulu/plan"
)

// DivisionColumn is the column that says in which division a row lies: the one a rule
// holds to the divisions, or one with their codes; "" if there is none.
func DivisionColumn(ds *mulu.Dataset) string {
	for _, r := range ds.Rules {
		if r.Kind == "division" && len(r.Columns) == 1 {
			return r.Columns[0]
		}
	}
	for _, c := range ds.Columns {
		if c.Type == mulu.String && strings.HasPrefix(c.Codes, "division") {
			return c.Name
		}
	}
	return ""
}

// streetDigits of a division name a street or town.
const streetDigits = 9

// UnitOf says which organisation answers for each row of a dataset.
func UnitOf(ds *mulu.Dataset, orgs []mulu.Org) plan.Unit {
	u := plan.Unit{Else: ds.Owner, Names: map[string]mulu.OrgCode{}}
	if ds.UnitBy == "" || ds.Column(ds.UnitBy) < 0 {
		return u
	}
	u.Column = ds.UnitBy
	if ds.UnitBy == DivisionColumn(ds) {
		u.Prefix = streetDigits
		for _, o := range orgs {
			if len(o.Division) == streetDigits {
				u.Names[string(o.Division)] = o.Code
			}
		}
		return u
	}
	for _, o := range orgs {
		u.Names[string(o.Code)] = o.Code
	}
	return u
}

// InDivision is the condition that a row lies in a division of 6, 9 or 12 digits.
func InDivision(ds *mulu.Dataset, division string) (plan.Predicate, error) {
	column := DivisionColumn(ds)
	if column == "" {
		return plan.Predicate{}, fmt.Errorf("数据集 %s 没有区划数据项，不能按区划筛选 / no division column: %w", ds.Code, mulu.ErrInvalid)
	}
	digits := strings.IndexFunc(division, func(r rune) bool { return r < '0' || r > '9' }) < 0
	if !digits || !slices.Contains([]int{6, 9, 12}, len(division)) {
		return plan.Predicate{}, fmt.Errorf("区划代码应为 6、9 或 12 位数字 / 6, 9 or 12 digits: %w", mulu.ErrInvalid)
	}
	return plan.Predicate{Field: column, Op: plan.Prefix, Value: division}, nil
}
