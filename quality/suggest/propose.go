package suggest

import (
	"slices"

	"mulu"
	"mulu/quality/profile"
)

// Dataset proposes a declaration of columns for rows that have none: types as they were
// observed, the likeliest key, no rules. Levels are left to a person.
func Dataset(code mulu.DatasetCode, p *profile.Profile) *mulu.Dataset {
	ds := &mulu.Dataset{Code: code, Version: 1, Format: mulu.FormatJSON}
	if len(p.Keys) > 0 {
		ds.Key = p.Keys[0].Columns
	}
	for i := range p.Columns {
		c := &p.Columns[i]
		col := mulu.Column{Name: c.Name, Title: c.Title, Type: c.Observed, Required: slices.Contains(ds.Key, c.Name), Level: c.Level}
		if c.Observed == mulu.Decimal {
			col.Scale = c.Scale
		}
		if c.Is != nil {
			col.PI = c.Is.PI
		}
		ds.Columns = append(ds.Columns, col)
	}
	return ds
}

// Declare puts suggestions into a dataset as rules: at most as many as a version holds.
func Declare(ds *mulu.Dataset, list []Suggestion) *mulu.Dataset {
	out := *ds
	out.Rules, out.SetRules = slices.Clone(ds.Rules), slices.Clone(ds.SetRules)
	for _, s := range list {
		if s.Set {
			out.SetRules = append(out.SetRules, s.SetRule())
		} else if len(out.Rules) < 64 {
			out.Rules = append(out.Rules, s.Rule())
		}
	}
	return &out
}

// Rule is a row rule as it would be declared.
func (s *Suggestion) Rule() mulu.Rule {
	return mulu.Rule{ID: mulu.RuleID(s.ID), Title: s.Title, Kind: s.Kind, Columns: s.Columns, Params: s.Params, Blocking: s.Blocking, Indicator: s.Indicator, When: s.When}
}

// SetRule is a set rule as it would be declared.
func (s *Suggestion) SetRule() mulu.SetRule {
	return mulu.SetRule{ID: mulu.RuleID(s.ID), Title: s.Title, Kind: s.Kind, Columns: s.Columns, Params: s.Params, Blocking: s.Blocking, Indicator: s.Indicator, When: s.When}
}
