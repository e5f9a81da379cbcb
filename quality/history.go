package quality

import (
	"slices"
	"strings"

	"mulu"
)

// Uses are the columns that the row rules may look at, in dataset order: what has to be
// read of a row to judge it. A column that a condition or a parameter only seems to name
// is among them; one that a rule looks at always is.
func (rs *Ruleset) Uses() []string {
	out := []string{}
	for _, c := range rs.dataset.Columns {
		if slices.ContainsFunc(rs.rules, func(r rule) bool { return names(&r.Rule, c.Name) }) {
			out = append(out, c.Name)
		}
	}
	return out
}

// names says whether a rule may look at a column.
func names(r *mulu.Rule, column string) bool {
	if slices.Contains(r.Columns, column) || strings.Contains(r.When, column) {
		return true
	}
	for _, v := range r.Params {
		if strings.Contains(v, column) {
			return true
		}
	}
	return false
}

// aging kinds hold a value against the day without any parameter that says so: a date in
// a number must not be later.
var aging = []string{"gb11643", "case_no"}

// Ages says whether what the row rules say of a row changes with the day, though the row
// does not: a judgement of yesterday is not one of today.
func (rs *Ruleset) Ages() bool {
	return slices.ContainsFunc(rs.rules, func(r rule) bool { return slices.Contains(aging, r.Kind) || namesToday(&r.Rule) })
}

func namesToday(r *mulu.Rule) bool {
	if strings.Contains(r.When, today) {
		return true
	}
	for _, v := range r.Params {
		if strings.Contains(v, today) {
			return true
		}
	}
	k := kinds[r.Kind]
	return k != nil && slices.ContainsFunc(k.Params, func(p ParamInfo) bool {
		_, given := r.Params[p.Name]
		return !given && strings.Contains(p.Default, today)
	})
}
