package quality_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"mulu"
	"mulu/plan"
	"mulu/quality"
)

// heldRows answers a summary from rows in memory, each measure as plan says it.
type heldRows []heldRow

type heldRow struct {
	cells            map[string]any // absent is null
	flags            uint64
	extra            bool
	period, historic bool // where its batch landed
}

func (m heldRows) Summary(_ context.Context, s plan.Summary) ([]map[string]any, error) {
	sides := func(in bool, cut int64) bool { return cut == plan.Whole || in == (cut == plan.Inside) }
	var out []map[string]any
	period, historic := []int64{plan.Whole}, []int64{plan.Whole}
	for _, c := range s.Cuts {
		all := []int64{plan.Whole, plan.Outside, plan.Inside}
		if c.As == "period" {
			period = all
		} else {
			historic = all
		}
	}
	for _, p := range period {
		for _, h := range historic {
			var rows heldRows
			for _, r := range m {
				if sides(r.period, p) && sides(r.historic, h) {
					rows = append(rows, r)
				}
			}
			line := map[string]any{}
			for _, x := range s.Measures {
				line[x.As] = rows.measure(x)
			}
			for _, c := range s.Cuts {
				line[c.As] = map[string]int64{"period": p, "historic": h}[c.As]
			}
			out = append(out, line)
		}
	}
	return out, nil
}

func (m heldRows) measure(x plan.Measure) float64 {
	n, seen := 0.0, map[string]bool{}
	for _, r := range m {
		value, some, all := "", false, true
		for _, c := range x.Columns {
			v, ok := r.cells[c]
			value += fmt.Sprint(v) + "\x00"
			some, all = some || ok, all && ok
		}
		in := map[plan.MeasureKind]bool{
			plan.Rows: true, plan.NonNull: all, plan.Distinct: some && !seen[value], plan.Extra: r.extra,
			plan.Flag: r.flags>>x.Bit&1 == 1 && r.flags&x.Unless == 0, plan.AnyFlag: r.flags&x.Any != 0,
		}[x.Kind]
		if in {
			n++
		}
		if some {
			seen[value] = true
		}
	}
	return n
}

// oneColumn makes rows of one column from values, nil for none.
func oneColumn(column string, values ...any) (m heldRows) {
	for _, v := range values {
		r := heldRow{cells: map[string]any{}}
		if v != nil {
			r.cells[column] = v
		}
		m = append(m, r)
	}
	return m
}

// flag sets the flags of rows, in their order.
func (m heldRows) flag(flags ...uint64) heldRows {
	for i, f := range flags {
		m[i].flags = f
	}
	return m
}

// aTable is a dataset of one text column, with what a case adds.
func aTable(add func(*mulu.Dataset)) *mulu.Dataset {
	ds := &mulu.Dataset{Code: "t", Title: "表", Owner: "o", Version: 1, Columns: []mulu.Column{{Name: "a", Title: "甲", Type: mulu.String, Level: mulu.L1}}}
	if add != nil {
		add(ds)
	}
	return ds
}

func withRule(kind, indicator string, columns ...string) func(*mulu.Dataset) {
	return func(ds *mulu.Dataset) {
		ds.Rules = append(ds.Rules, mulu.Rule{ID: mulu.RuleID(fmt.Sprint("r", len(ds.Rules))), Kind: kind, Columns: columns, Indicator: indicator})
	}
}

func withSetRule(kind, indicator string, columns ...string) func(*mulu.Dataset) {
	return func(ds *mulu.Dataset) {
		ds.SetRules = append(ds.SetRules, mulu.SetRule{ID: "s", Kind: kind, Columns: columns, Indicator: indicator})
	}
}

func scoreOf(t *testing.T, ds *mulu.Dataset, rows heldRows, f quality.Facts, w quality.Weights, at time.Time) mulu.Score {
	t.Helper()
	s, err := quality.Evaluate(t.Context(), ds, rows, f, w, at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
