package quality

import (
	"slices"
	"strings"
)

// Uses are the columns that the row rules look at, in dataset order: what has to be read
// of a row to judge it. nil is all of them.
func (rs *Ruleset) Uses() []string {
	used := map[string]bool{}
	for i := range rs.rules {
		if rs.rules[i].When != "" {
			return nil // a condition may ask for any
		}
		for _, c := range rs.rules[i].Columns {
			used[c] = true
		}
	}
	out := []string{}
	for _, c := range rs.dataset.Columns {
		if used[c.Name] {
			out = append(out, c.Name)
		}
	}
	return out
}

// Ages says whether what the row rules say of a row changes with the day, though the row
// does not: a judgement of yesterday is not one of today.
func (rs *Ruleset) Ages() bool {
	return slices.ContainsFunc(rs.rules, func(r rule) bool {
		if strings.Contains(r.When, today) {
			return true
		}
		for _, v := range r.Params {
			if strings.Contains(v, today) {
				return true
			}
		}
		return false
	})
}
