package quality

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mulu"
	"mulu/plan"
	"mulu/plan/expr"
)

// Asker answers what a run asks of the rows.
type Asker interface {
	Summarizer
	// Counted runs one checked SELECT and gives its numbers: failed, and evaluated, which
	// is -1 if the statement does not say.
	Counted(ctx context.Context, sql string) (failed, evaluated int64, err error)
}

// Outcome is what a run found.
type Outcome struct {
	Results []Result // row rules, then set rules, in the order of the declaration
	Metrics []Metric // to be kept for the bands of later runs
	// Faults are why results are Errored, for the log: they may quote the engine.
	Faults []error
}

// Run judges all rules of a dataset: row rules by the flags of the rows and what was
// rejected, set rules by as few scans as there are joins and other datasets. The same
// input and the same rows give the same outcome. A rule that can not be judged is
// Errored and stops no other; an error is only of ctx.
func Run(ctx context.Context, lib Asker, in RunInput) (Outcome, error) {
	rn := &run{in: &in, lib: lib, today: in.day()}
	rn.rowRules()
	rn.setRules()
	if err := rn.ask(ctx); err != nil {
		return Outcome{}, err
	}
	for i := range rn.jobs {
		rn.conclude(ctx, &rn.jobs[i])
	}
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	return rn.out, nil
}

// job is one rule on its way.
type job struct {
	result Result
	mostly float64
	rule   setRule
	values []any
	err    error
}

type run struct {
	in    *RunInput
	lib   Asker
	today string
	jobs  []job
	out   Outcome
}

// rowRules: elements are the current rows that the rule judges, and those that it keeps
// among the rejects.
func (rn *run) rowRules() {
	ds := rn.in.Dataset
	for i, r := range ds.Rules {
		j := job{result: Result{Rule: r.ID, Kind: r.Kind, Indicator: r.Indicator, Blocking: r.Blocking}, mostly: r.Mostly}
		elements, err := judged(ds, i)
		elements.As = ""
		refused := rn.in.Facts.refused(r.ID)
		j.rule = setRule{asks: []question{{measure: elements}, {measure: plan.Measure{Kind: plan.Flag, Bit: i}}}, judge: func(res *Result, a *answers) {
			// A row may be flagged by an earlier version's condition.
			flagged := a.count(1)
			res.counted(max(a.count(0), flagged)+refused, flagged+refused, "不合格")
		}}
		j.err = err
		rn.jobs = append(rn.jobs, j)
	}
}

func (rn *run) setRules() {
	for _, r := range rn.in.Dataset.SetRules {
		rule, err := compileSet(rn.in.Dataset, r, rn.in.Datasets)
		rn.jobs = append(rn.jobs, job{result: Result{Rule: r.ID, Kind: r.Kind, Indicator: r.Indicator, Set: true, Blocking: r.Blocking}, mostly: r.Mostly, rule: rule, err: err})
	}
}

// scan is one statement: what its summary asks, and for whom.
type scan struct {
	summary plan.Summary
	asked   []place
	names   map[string]string // what is asked already → its name
}

// place is where an answer belongs: ask i of a job.
type place struct{ job, ask int }

// ask puts all that is asked into one summary per dataset and lookup, and brings the
// answers to their rules. If a summary fails, each of its rules is asked alone.
func (rn *run) ask(ctx context.Context) error {
	var keys []string
	scans := map[string]*scan{}
	for i := range rn.jobs {
		j := &rn.jobs[i]
		if j.err != nil {
			continue
		}
		j.values = make([]any, len(j.rule.asks))
		for k := range j.rule.asks {
			key := rn.key(&j.rule.asks[k])
			if scans[key] == nil {
				keys = append(keys, key)
				scans[key] = rn.scan(&j.rule.asks[k])
			}
			scans[key].add(place{i, k}, rn.ready(&j.rule.asks[k], scans[key]))
		}
	}
	for _, key := range keys {
		s := scans[key]
		err := rn.answer(ctx, s)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			rn.each(ctx, s)
		}
	}
	return ctx.Err()
}

// ready is a measure with its dates, and its lookup under the name it has in the scan.
func (rn *run) ready(a *question, s *scan) plan.Measure {
	m, today := a.measure, rn.in.Now.In(beijing)
	m.Where, m.Than = dated(m.Where, today), dated(m.Than, today)
	if a.lookup == nil || a.lookup.Name == s.summary.Lookups[0].Name {
		return m
	}
	from, to := a.lookup.Name, s.summary.Lookups[0].Name
	m.Where, m.Than = renamed(m.Where, from, to), renamed(m.Than, from, to)
	return m
}

// renamed is a condition in which a lookup has another name.
func renamed(p plan.Predicate, from, to string) plan.Predicate {
	if p.All != nil {
		all := make([]plan.Predicate, len(p.All))
		for i := range p.All {
			all[i] = renamed(p.All[i], from, to)
		}
		p.All = all
	}
	if p.Not != nil {
		not := renamed(*p.Not, from, to)
		p.Not = &not
	}
	p.Field = otherName(p.Field, from, to)
	if p.Expr != nil {
		n := renamedNode(*p.Expr, from, to)
		p.Expr = &n
	}
	return p
}

func renamedNode(n expr.Node, from, to string) expr.Node {
	n.Field = otherName(n.Field, from, to)
	args := make([]expr.Node, len(n.Args))
	for i := range n.Args {
		args[i] = renamedNode(n.Args[i], from, to)
	}
	n.Args = args
	return n
}

func otherName(field, from, to string) string {
	if rest, ok := strings.CutPrefix(field, from+"."); ok {
		return to + "." + rest
	}
	if field == from {
		return to
	}
	return field
}

// key names the statement that an ask belongs to.
func (rn *run) key(a *question) string {
	l := a.lookup
	if l == nil {
		return string(a.dataset)
	}
	return fmt.Sprintf("%s\x00%s\x00%s\x00%q\x00%q\x00%s", a.dataset, l.Dataset, l.Kind, l.On, l.There(), l.OrderBy)
}

func (rn *run) scan(a *question) *scan {
	s := &scan{names: map[string]string{}, summary: plan.Summary{Dataset: cmp.Or(a.dataset, rn.in.Dataset.Code), Day: rn.today}}
	if a.lookup != nil {
		s.summary.Lookups = []plan.Lookup{*a.lookup}
	}
	return s
}

// add asks a measure, once however many rules want it.
func (s *scan) add(at place, m plan.Measure) {
	s.asked = append(s.asked, at)
	id := fmt.Sprint(len(s.asked))
	if b, err := json.Marshal(m); err == nil && m.Where.Expr == nil && m.Where.All == nil && m.Where.Not == nil {
		id = string(b)
	}
	name, ok := s.names[id]
	if !ok {
		name = "m" + strconv.Itoa(len(s.summary.Measures))
		s.names[id] = name
		m.As = name
		s.summary.Measures = append(s.summary.Measures, m)
	}
	s.names[at.String()] = name
}

func (p place) String() string { return fmt.Sprintf("\x00%d.%d", p.job, p.ask) }

func (rn *run) answer(ctx context.Context, s *scan) error {
	rows, err := rn.lib.Summary(ctx, s.summary)
	if err == nil && len(rows) != 1 {
		err = fmt.Errorf("%d summaries of %s, want 1", len(rows), s.summary.Dataset)
	}
	if err != nil {
		return err
	}
	for _, at := range s.asked {
		rn.jobs[at.job].values[at.ask] = rows[0][s.names[at.String()]]
	}
	return nil
}

// each asks the rules of a failed summary one by one, so that the one at fault is found
// and the others are judged.
func (rn *run) each(ctx context.Context, s *scan) {
	for _, at := range s.asked {
		j := &rn.jobs[at.job]
		if j.err != nil {
			continue
		}
		a := &j.rule.asks[at.ask]
		alone := rn.scan(a)
		alone.add(at, rn.ready(a, alone))
		if err := rn.answer(ctx, alone); err != nil {
			j.err = err
		}
	}
}

// conclude turns a rule's answers into its result.
func (rn *run) conclude(ctx context.Context, j *job) {
	a := &answers{in: rn.in, values: j.values, metric: math.NaN()}
	r := &j.result
	switch {
	case j.err != nil:
	case j.rule.sql != "":
		var failed, evaluated int64
		if failed, evaluated, j.err = rn.lib.Counted(ctx, j.rule.sql); j.err == nil {
			if evaluated < 0 {
				evaluated = max(failed, 1)
			}
			j.err = r.answered(failed, evaluated)
		}
	default:
		j.rule.judge(r, a)
	}
	switch {
	case j.err != nil:
		r.Status, r.Message = Errored, toldOf(j.err)
		rn.out.Faults = append(rn.out.Faults, fmt.Errorf("rule %s of %s: %w", r.Rule, rn.in.Dataset.Code, j.err))
	case r.Status == "":
		r.Judge(j.mostly)
		if r.Status == Pass && r.Failed > 0 && j.mostly > 0 {
			r.Message += fmt.Sprintf("；要求 %s%% 合格，已达到", shown(rounded(j.mostly*100)))
		}
	}
	rn.out.Results = append(rn.out.Results, *r)
	if j.rule.metric != "" && !math.IsNaN(a.metric) {
		rn.out.Metrics = append(rn.out.Metrics, Metric{j.rule.metric, rn.today, a.metric})
	}
}

// toldOf is what a person is told: only what was declared can be quoted, for what the
// engine says may hold values of rows.
func toldOf(err error) string {
	if errors.Is(err, mulu.ErrInvalid) || errors.Is(err, mulu.ErrDenied) {
		return "规则有误，请更正后重新装入声明：" + strings.TrimSuffix(err.Error(), ": "+mulu.ErrInvalid.Error())
	}
	return "引擎未能算出，请检查规则的条件和参数，原因见运行日志"
}

// Digest names a run: over the data version, the rule set's, a seed and the results. The
// same data, rules and seed give the same digest wherever and whenever they are run.
func Digest(data string, ruleset uint32, seed uint64, results []Result) (string, error) {
	b, err := json.Marshal(struct {
		Data    string
		Ruleset uint32
		Seed    uint64
		Results []Result
	}{data, ruleset, seed, results})
	if err != nil {
		return "", fmt.Errorf("digest results: %w", err)
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Scans says how many statements a run of a dataset's rules needs: one over the rows,
// one per join, one per other dataset, and one per free statement.
func Scans(ds *mulu.Dataset, datasets plan.Datasets) int {
	rn := &run{in: &RunInput{Dataset: ds, Datasets: datasets}}
	rn.rowRules()
	rn.setRules()
	var keys []string
	n := 0
	for i := range rn.jobs {
		if rn.jobs[i].err != nil {
			continue
		}
		if rn.jobs[i].rule.sql != "" {
			n++
		}
		for k := range rn.jobs[i].rule.asks {
			keys = append(keys, rn.key(&rn.jobs[i].rule.asks[k]))
		}
	}
	slices.Sort(keys)
	return n + len(slices.Compact(keys))
}
