package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/library"
	"mulu/plan"
	"mulu/quality"
)

const (
	setRows  = 1_000_000
	setParts = 8 // unmerged, as after a busy hour
	setRuns  = 5
	barSets  = 1.3
)

// setRules are fifty rules over the bench dataset: every column unique alone or with
// another where that is a sensible thing to ask, and completeness, values, lengths,
// statistics and conditions of all of them.
func setRules() []mulu.SetRule {
	var out []mulu.SetRule
	add := func(kind, columns string, params ...string) {
		r := mulu.SetRule{ID: mulu.RuleID(fmt.Sprintf("%02d.%s", len(out)+1, kind)), Kind: kind, Params: map[string]string{}, Indicator: "010400"}
		if columns != "" {
			r.Columns = strings.Split(columns, ",")
		}
		for i := 0; i+1 < len(params); i += 2 {
			if params[i] == "when" {
				r.When = params[i+1]
				continue
			}
			r.Params[params[i]] = params[i+1]
		}
		out = append(out, r)
	}
	for _, c := range uniqueColumns {
		add("unique", strings.Join(c, ","))
	}
	for _, c := range []string{"uscc", "name", "mobile", "age", "address"} {
		add("null_share", c, "max", "0.2")
	}
	for _, c := range []string{"dept_code", "status", "name"} {
		add("distinct_count", c, "min", "1")
		add("text_length", c, "measure", "max", "max", "60")
	}
	for _, c := range []string{"amount", "age"} {
		add("mean", c, "min", "0")
		add("stdev", c, "min", "0")
		add("sum", c, "min", "0")
		add("min", c, "min", "0")
		add("max", c, "max", "1000000")
	}
	add("values_in_set", "status", "values", "VALID,PENDING,CANCELLED,EXPIRED")
	add("values_contain_set", "status", "values", "VALID,PENDING")
	add("drift", "age", "edges", "20,40,60,80,100", "reference", "1,1,1,1,1,1")
	add("drift", "status", "values", "VALID,PENDING", "reference", "1,1,2", "method", "chi2")
	add("correlation", "amount,age", "max", "0.5")
	add("row_count", "", "min", "1")
	add("row_count", "", "min", "1", "when", "status == 'VALID'")
	add("max", "updated_at", "max", "2030-01-01")
	add("min", "start_date", "min", "1980-01-01")
	for _, e := range []string{"amount >= 0", "age == null || age < 130", "status != 'EXPIRED' || amount < 905000", "name.matches('^.{2,4}$')", "mobile.startsWith('199')", "start_date < date(updated_at)",
		"size(citizen_id) == 18", "dept_code.startsWith('PTQ')", "year(start_date) >= 1990", "amount * 2 < 2000000", "uscc == null || size(uscc) == 18", "address.contains('普陀')"} {
		add("expression", "", "expression", strings.ReplaceAll(e, "start_date < date(updated_at)", "start_date < date(updated_at)"))
	}
	add("unique", "mobile", "when", "status == 'VALID'")
	add("null_share", "uscc", "max", "0.3", "when", "amount > 100")
	return out
}

// uniqueColumns are what is counted exactly: a few of them alone are the limit.
var uniqueColumns = [][]string{{"id"}, {"citizen_id"}, {"uscc"}, {"mobile"}, {"name", "address"}, {"dept_code", "updated_at"}}

// checkAll are the figures of row rules, then those of set rules.
func checkAll(ctx context.Context, o *Options) ([]Figure, error) {
	rows, err := checkFigures(ctx, o)
	if err != nil {
		return nil, err
	}
	sets, err := setFigures(ctx, o)
	return append(rows, sets...), err
}

// setFigures runs fifty set rules over one dataset in its one scan, and beside it each of
// the distinct exact-uniqueness aggregates among them in a statement of its own. What
// the fifty ask beyond those is the difference. CPU of this process, engine
// included, the least of several runs in turn.
func setFigures(ctx context.Context, o *Options) ([]Figure, error) {
	dir, remove, err := tempDir(o)
	if err != nil {
		return nil, err
	}
	defer remove()
	lib, engine, err := openLibrary(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	defer stopEngine(engine) //nolint:errcheck // the figures are made
	defer lib.Close()        //nolint:errcheck // ditto
	ds := dataset("sets", topic, false)
	ds.SetRules = setRules()
	if err := quality.CheckSet(ds, lib.Dataset); err != nil {
		return nil, err
	}
	if err := fillSets(ctx, o, lib, ds); err != nil {
		return nil, err
	}
	calendar, err := clock.National()
	if err != nil {
		return nil, err
	}
	in := quality.RunInput{Dataset: ds, Datasets: lib.Dataset, Calendar: calendar, Now: time.Now()}
	alone := setAlone(ds)
	ours, theirs := time.Duration(1<<62), time.Duration(1<<62)
	for i := range setRuns {
		o.Progress("数据集规则 / set rules", int64(i), setRuns)
		watch := startWatch()
		out, err := quality.Run(ctx, lib, in)
		if err != nil {
			return nil, err
		}
		ours = min(ours, watch.cpu())
		for _, r := range out.Results {
			if r.Status == quality.Errored {
				return nil, fmt.Errorf("rule %s: %s: %w", r.Rule, r.Message, mulu.ErrInvalid)
			}
		}
		watch = startWatch()
		for _, s := range alone {
			if _, err := lib.Summary(ctx, s); err != nil {
				return nil, err
			}
		}
		theirs = min(theirs, watch.cpu())
	}
	return []Figure{
		figure("check.set_rules_50", ours.Seconds(), "s CPU per run of 1 M rows", fmt.Sprintf("its %d distinct exact-uniqueness aggregates, each alone", len(alone)), theirs.Seconds()),
		figure("check.set_rules_50_bar", ours.Seconds()/theirs.Seconds(), "× the aggregates alone", "bar", barSets),
	}, ctx.Err()
}

// setAlone are the distinct exact-uniqueness aggregates that the rules ask for, each as a
// statement of its own: of columns, of columns under a condition, and of the values that
// are in a set and that are not.
func setAlone(ds *mulu.Dataset) []plan.Summary {
	var out []plan.Summary
	distinct := func(columns []string, where plan.Predicate) {
		out = append(out, plan.Summary{Dataset: ds.Code, Measures: []plan.Measure{{As: "n", Kind: plan.Distinct, Columns: columns, Where: where}}})
	}
	for _, r := range ds.SetRules {
		switch {
		case r.Kind == "values_in_set":
			in := plan.Predicate{Field: r.Columns[0], Op: plan.In, Value: strings.Split(r.Params["values"], ",")}
			distinct(r.Columns, in)
			distinct(r.Columns, plan.Predicate{Not: &in})
		case r.Kind == "unique" && r.When != "":
			distinct(r.Columns, plan.Predicate{Field: "status", Op: plan.Eq, Value: "VALID"})
		case r.Kind == "unique" || r.Kind == "distinct_count":
			distinct(r.Columns, plan.Predicate{})
		}
	}
	return out
}

func fillSets(ctx context.Context, o *Options, lib *library.Library, ds *mulu.Dataset) error {
	if err := lib.Apply(ctx, ds); err != nil {
		return err
	}
	v, err := ready(ds)
	if err != nil {
		return err
	}
	const step = setRows / setParts
	for from := int64(0); from < setRows; from += step {
		o.Progress("写入 / storing", from, setRows)
		b, d, err := decoded(v, from, step)
		if err != nil {
			return err
		}
		c := v.Rules.Check(d.Record, d.Offsets, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		err = lib.StoreData(ctx, library.Batch{Plan: b.Plan, Record: d.Record, Offsets: d.Offsets, Flags: c.Flags, Drop: c.Drop})
		d.Release()
		if err != nil {
			return err
		}
	}
	return nil
}
