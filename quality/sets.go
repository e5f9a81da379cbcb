package quality

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mulu"
	"mulu/plan"
)

// Summarizer answers a summary; library does.
type Summarizer interface {
	Summary(ctx context.Context, s plan.Summary) ([]map[string]any, error)
}

// SetKinds lists the kinds of set rule: "fresh" needs no scan, "unique" compares
// distinct values with rows.
func SetKinds() []string { return []string{"fresh", "unique"} }

const (
	asRows     = "rows"
	asNonNull  = "non_null:"
	asDistinct = "distinct:"
)

// SetChecks gives the summaries a dataset's set rules and score need. The first
// counts rows, values per column and distinct values in one scan. A unique rule over
// several columns that may be null follows in its own: rows with any null are in
// neither count.
//
// All are taken over the current table, which holds one row per business key: a
// unique rule on the key itself confirms the merge, one on other columns finds
// repeats.
func SetChecks(ds *mulu.Dataset) []plan.Summary {
	first := plan.Summary{Dataset: ds.Code, Measures: []plan.Measure{{As: asRows, Kind: plan.Rows}}}
	for _, c := range ds.Columns {
		first.Measures = append(first.Measures, plan.Measure{As: asNonNull + c.Name, Kind: plan.NonNull, Columns: []string{c.Name}})
	}
	all := []plan.Summary{first}
	for _, r := range ds.SetRules {
		if r.Kind != "unique" {
			continue
		}
		m := plan.Measure{As: asDistinct + string(r.ID), Kind: plan.Distinct, Columns: r.Columns}
		if len(r.Columns) == 1 {
			all[0].Measures = append(all[0].Measures, m)
			continue
		}
		s := plan.Summary{Dataset: ds.Code, Measures: []plan.Measure{{As: asRows, Kind: plan.Rows}, m}}
		for _, c := range r.Columns {
			s.Where.All = append(s.Where.All, plan.Predicate{Not: &plan.Predicate{Field: c, Op: plan.IsNull}})
		}
		all = append(all, s)
	}
	return all
}

// SetResult is what the set checks found.
type SetResult struct {
	Rows    int64
	NonNull map[string]int64      // by column
	Unique  map[mulu.RuleID]Count // Failed is rows beyond the first of each value
}

// RunSetChecks runs SetChecks and reads the answers.
func RunSetChecks(ctx context.Context, ds *mulu.Dataset, s Summarizer) (SetResult, error) {
	res := SetResult{NonNull: map[string]int64{}, Unique: map[mulu.RuleID]Count{}}
	for i, q := range SetChecks(ds) {
		rows, err := s.Summary(ctx, q)
		if err == nil && len(rows) != 1 {
			err = fmt.Errorf("summary gave %d rows, not 1: %w", len(rows), mulu.ErrInvalid)
		}
		if err != nil {
			return SetResult{}, fmt.Errorf("check sets of %s: %w", ds.Code, err)
		}
		values := make(map[string]int64, len(q.Measures))
		for _, m := range q.Measures {
			v, ok := rows[0][m.As].(float64)
			if !ok {
				return SetResult{}, fmt.Errorf("check sets of %s: measure %q is missing: %w", ds.Code, m.As, mulu.ErrInvalid)
			}
			values[m.As] = int64(v)
		}
		if i == 0 {
			res.Rows = values[asRows]
			for _, c := range ds.Columns {
				res.NonNull[c.Name] = values[asNonNull+c.Name]
			}
		}
		for _, r := range ds.SetRules {
			distinct, ok := values[asDistinct+string(r.ID)]
			if !ok {
				continue
			}
			n := values[asRows]
			if len(r.Columns) == 1 {
				n = res.NonNull[r.Columns[0]]
			}
			res.Unique[r.ID] = Count{Evaluated: n, Failed: n - distinct}
		}
	}
	return res, nil
}

// cycleOf is a fresh rule's cycle and grace: its parameters, else the dataset's.
func cycleOf(ds *mulu.Dataset, r mulu.SetRule) (cycle, grace time.Duration, err error) {
	cycle, grace = ds.Cycle, ds.Grace
	for name, d := range map[string]*time.Duration{"cycle": &cycle, "grace": &grace} {
		if v := r.Params[name]; v != "" {
			if *d, err = time.ParseDuration(v); err != nil {
				return 0, 0, fmt.Errorf("set rule %s: parameter %s=%q is not a duration: %w", r.ID, name, v, mulu.ErrInvalid)
			}
		}
	}
	return cycle, grace, nil
}

// fresh judges one dataset's arrival: one element, or none if nothing is due.
func fresh(last, now time.Time, cycle, grace time.Duration) Count {
	switch {
	case cycle <= 0:
		return Count{}
	case last.IsZero() || now.Sub(last) > cycle+grace:
		return Count{Evaluated: 1, Failed: 1}
	}
	return Count{Evaluated: 1}
}

// hasNotNull says whether a row rule already counts a column's empty cells.
func hasNotNull(ds *mulu.Dataset, column string) bool {
	return slices.ContainsFunc(ds.Rules, func(r mulu.Rule) bool {
		return r.Kind == "not_null" && slices.Equal(r.Columns, []string{column})
	})
}
