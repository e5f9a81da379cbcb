package quality

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mulu"
	"mulu/internal/declare"
	"mulu/plan"
	"mulu/plan/expr"
)

// Summarizer runs a summary over a dataset's current rows.
type Summarizer interface {
	Summary(ctx context.Context, s plan.Summary) ([]map[string]any, error)
}

// Counts is what the manifests and open problem rows of a part of a dataset say.
type Counts struct {
	Good, Rejected int64
	ByRule         map[mulu.RuleID]int64 // rejected by each blocking rule
	ByClass        map[string]int64      // rejected by class: type, decode, encoding …
}

// Stratum says where a batch landed: in the period of the increment, before the baseline.
type Stratum struct{ Period, Historic bool }

// Facts is all that a score follows from beside the dataset's current rows. What the house
// does not know is left zero, and what is counted from it does not apply.
type Facts struct {
	Received map[Stratum]Counts
	Cuts     []plan.Cut   // by Cuts, for the period and the baseline day
	Period   *mulu.Period // of the increment; nil parts nothing

	First    time.Time   // when the first batch ever landed
	Arrivals []time.Time // when rows landed, hour by hour, for as many cycles as are judged
	Last     time.Time   // newest manifest
	// Unchanged is until when its department last reported that nothing changed, which
	// counts as an update of that moment; Report names the report.
	Unchanged time.Time
	Report    string

	Entry   *declare.Entry // of the catalogue
	Calls   Calls          // shared reads in the period
	Probes  Tally          // in the period: A answered
	Offered []Offered      // what scenarios offer of it

	Results []Result // of the newest run of its rules
	Run     string   // digest of that run
}

// Calls counts shared reads that concern a dataset.
type Calls struct{ Asked, Denied, Delivered, Failed int64 }

// Offered is a column that an application scenario offers.
type Offered struct {
	Column string
	Masked bool // roles that are not named do not see it in clear
	InUse  bool // a grant in force delivers it
}

// The cuts of a score's one scan.
const (
	cutPeriod   = "period"
	cutHistoric = "historic"
)

// Cuts parts a dataset's batches: those of the increment's period, and, where the dataset
// has a baseline day, those that landed before it.
func Cuts(ds *mulu.Dataset, period, historic []plan.Range) []plan.Cut {
	cuts := []plan.Cut{{As: cutPeriod, In: period}}
	if ds.Baseline != "" {
		cuts = append(cuts, plan.Cut{As: cutHistoric, In: historic})
	}
	return cuts
}

// updated is when the dataset was last known to be as its source: by rows or by a nil
// report. Only what has had rows can be unchanged.
func (f *Facts) updated() (at time.Time, reported bool) {
	if !f.Last.IsZero() && f.Unchanged.After(f.Last) {
		return f.Unchanged, true
	}
	return f.Last, false
}

// refused is how many rows a blocking rule keeps among the rejects.
func (f *Facts) refused(rule mulu.RuleID) (n int64) {
	for _, c := range f.Received {
		n += c.ByRule[rule]
	}
	return n
}

// Municipal says whether the city answers for the dataset: it is in the city's catalogue,
// or comes back from a higher level.
func (f *Facts) Municipal() bool {
	return f.Entry != nil && (f.Entry.CatalogLevel == "市级" || f.Entry.SourceMode == "上级回流")
}

// Evaluate scores a dataset as it stands: one scan for every row rule's flags, every
// column's values and every uniqueness rule together, parted by when rows landed; and what
// else the house knows. What each indicator counts is written at Indicators.
func Evaluate(ctx context.Context, ds *mulu.Dataset, lib Summarizer, f Facts, w Weights, now time.Time) (mulu.Score, error) {
	asked, err := summary(ds, f.Cuts)
	if err != nil {
		return mulu.Score{}, err
	}
	rows, err := lib.Summary(ctx, asked)
	if err != nil {
		return mulu.Score{}, fmt.Errorf("evaluate %s: %w", ds.Code, err)
	}
	e := &evaluation{ds: ds, facts: &f, now: now, sides: rows, notes: map[string]string{}, results: map[mulu.RuleID]*Result{}}
	for i := range f.Results {
		e.results[f.Results[i].Rule] = &f.Results[i]
	}
	s, err := Score(e.input(w))
	s.At = now
	return s, err
}

// evaluation is one dataset's, under way.
type evaluation struct {
	ds      *mulu.Dataset
	facts   *Facts
	now     time.Time
	sides   []map[string]any // of the summary, one per combination of the cuts' sides
	results map[mulu.RuleID]*Result
	notes   map[string]string
}

// portion is some of a dataset's elements: by each cut the inside, the outside or both.
type portion struct {
	period, historic int64
	district         bool // without what the city answers for
}

var (
	wholePart     = portion{}
	incrementPart = portion{period: plan.Inside}
	stockPart     = portion{period: plan.Outside}
	historicPart  = portion{historic: plan.Inside}
)

// input gathers what a score is worked out from.
func (e *evaluation) input(w Weights) Input {
	last, _ := e.facts.updated()
	all := e.tally(wholePart, w.OneFaultOnce)
	n := e.counts(wholePart)
	in := Input{
		Dataset: e.ds, Weights: w, Rows: all.rows, Tallies: all.tallies, Through: last, Overdue: overdue(e.ds, last, e.now), Broken: e.broken(all),
		Notes: e.notes, Rules: e.attribute(all, w.OneFaultOnce), Otherwise: e.tally(wholePart, !w.OneFaultOnce).elements(),
	}
	var blocked int64
	for _, c := range n.ByRule {
		blocked += c
	}
	if read := n.Good + n.Rejected; read > 0 {
		in.Blocked = float64(blocked) / float64(read)
	}
	in.Run = e.facts.Run
	if e.facts.Period != nil {
		in.Period = e.facts.Period
		in.Increment, in.Stock = e.landed(incrementPart, w.OneFaultOnce), e.landed(stockPart, w.OneFaultOnce)
	}
	if !e.facts.Municipal() {
		in.District = e.tally(portion{historic: e.outside(), district: true}, w.OneFaultOnce).elements()
	}
	return in
}

// landed is a part of the rows, nil if nothing ever landed in it: what belongs to the
// dataset alone is no part.
func (e *evaluation) landed(p portion, once bool) *Elements {
	t, n := e.tally(p, once), e.counts(p)
	if t.rows == 0 && n.Good+n.Rejected == 0 {
		return nil
	}
	return t.elements()
}

// outside is the side of the baseline that the district answers for.
func (e *evaluation) outside() int64 {
	if e.ds.Baseline == "" {
		return plan.Whole
	}
	return plan.Outside
}

// attribute says of every rule's failing elements who answers for them: nobody for rows
// from before the baseline, then the city, then the district.
func (e *evaluation) attribute(all *tallied, once bool) []mulu.RuleCount {
	historic := map[mulu.RuleID]int64{}
	if e.ds.Baseline != "" {
		for _, r := range e.tally(historicPart, once).rules {
			historic[r.Rule] = r.Failed
		}
	}
	out := slices.Clone(all.rules)
	for i := range out {
		r := &out[i]
		r.Historic = min(historic[r.Rule], r.Failed)
		if e.facts.Municipal() || e.city(r.Rule) {
			r.City = r.Failed - r.Historic
		}
	}
	return out
}

// city says whether a rule is declared the city's to mend.
func (e *evaluation) city(id mulu.RuleID) bool {
	for _, r := range e.ds.Rules {
		if r.ID == id {
			return r.Responsible == mulu.ResponsibleCity
		}
	}
	for _, r := range e.ds.SetRules {
		if r.ID == id {
			return r.Responsible == mulu.ResponsibleCity
		}
	}
	return false
}

// broken counts the strong rules over the whole dataset that do not hold.
func (e *evaluation) broken(all *tallied) (n int64) {
	for _, r := range e.ds.SetRules {
		if !r.Blocking {
			continue
		}
		res := Result{Blocking: true}
		if known := e.results[r.ID]; known != nil {
			res = *known
		} else if i := slices.IndexFunc(all.rules, func(c mulu.RuleCount) bool { return c.Rule == r.ID }); i >= 0 {
			res.Evaluated, res.Failed = all.rules[i].Evaluated, all.rules[i].Failed
			res.Judge(r.Mostly)
		}
		if res.Status == Fail {
			n++
		}
	}
	return n
}

// sums gives the measures of a part, 0 where it has no rows.
func (e *evaluation) sums(p portion) func(name string) int64 {
	side := func(row map[string]any, cut string) int64 {
		v, _ := row[cut].(int64)
		return v
	}
	for _, row := range e.sides {
		if side(row, cutPeriod) == p.period && side(row, cutHistoric) == p.historic {
			return func(name string) int64 {
				f, _ := row[name].(float64)
				return int64(f)
			}
		}
	}
	return func(string) int64 { return 0 }
}

// counts adds up what was received of a part.
func (e *evaluation) counts(p portion) Counts {
	n := Counts{ByRule: map[mulu.RuleID]int64{}, ByClass: map[string]int64{}}
	for s, c := range e.facts.Received {
		if !on(p.period, s.Period) || !on(p.historic, s.Historic) {
			continue
		}
		n.Good, n.Rejected = n.Good+c.Good, n.Rejected+c.Rejected
		for rule, rows := range c.ByRule {
			n.ByRule[rule] += rows
		}
		for class, rows := range c.ByClass {
			n.ByClass[class] += rows
		}
	}
	return n
}

func on(side int64, inside bool) bool {
	return side == plan.Whole || (side == plan.Inside) == inside
}

func judgedName(i int) string  { return "j" + strconv.Itoa(i) }
func flagName(i int) string    { return "f" + strconv.Itoa(i) }
func earlierName(i int) string { return "e" + strconv.Itoa(i) } // failed an earlier tier
func onceName(i int) string    { return "o" + strconv.Itoa(i) } // failed this and no earlier tier
func filledName(i int) string  { return "c" + strconv.Itoa(i) }
func uniqueName(i int) string  { return "u" + strconv.Itoa(i) }

// summary asks for everything in one scan.
func summary(ds *mulu.Dataset, cuts []plan.Cut) (plan.Summary, error) {
	s := plan.Summary{Dataset: ds.Code, Cuts: cuts, Measures: []plan.Measure{{As: "rows", Kind: plan.Rows}, {As: "extra", Kind: plan.Extra}}}
	add := func(m plan.Measure) { s.Measures = append(s.Measures, m) }
	for i := range ds.Columns {
		add(plan.Measure{As: filledName(i), Kind: plan.NonNull, Columns: []string{ds.Columns[i].Name}})
	}
	var expected uint64 // the rules that say a cell is to be filled
	for i, r := range ds.Rules {
		m, err := judged(ds, i)
		if err != nil {
			return s, fmt.Errorf("rule %s of %s: %w: %w", r.ID, ds.Code, err, mulu.ErrInvalid)
		}
		add(m)
		add(plan.Measure{As: flagName(i), Kind: plan.Flag, Bit: i})
		if r.Kind == "not_null" {
			expected |= 1 << i
		}
		if mask := earlier(ds, i); mask != 0 {
			add(plan.Measure{As: earlierName(i), Kind: plan.AnyFlag, Any: mask})
			add(plan.Measure{As: onceName(i), Kind: plan.Flag, Bit: i, Unless: mask})
		}
	}
	if expected != 0 {
		add(plan.Measure{As: "unfilled", Kind: plan.AnyFlag, Any: expected})
	}
	for i, r := range ds.SetRules {
		if r.Kind == "unique" {
			add(plan.Measure{As: uniqueName(i), Kind: plan.Distinct, Columns: r.Columns})
		}
	}
	return s, nil
}

// judged counts the elements of a row rule: rows for a kind that judges every row, else
// rows that have a value in all of its columns; under a condition only where it is true.
// Rows that came under other rules are not evaluated until history is judged again.
func judged(ds *mulu.Dataset, i int) (plan.Measure, error) {
	r := &ds.Rules[i]
	m := plan.Measure{As: judgedName(i), Kind: plan.Rows, Judged: true}
	if k := kinds[r.Kind]; k != nil && !k.EveryRow {
		m.Kind, m.Columns = plan.NonNull, r.Columns
	}
	if strings.TrimSpace(r.When) == "" {
		return m, nil
	}
	n, err := expr.Parse(r.When, expr.Columns(ds))
	m.Where = plan.Predicate{Expr: n}
	return m, err
}

// tiers is the order in which the faults of one cell are looked for: a cell that is not of
// its format is not asked whether its content is right. A type error never gets that far.
var tiers = map[string]int{"010101": 1, "010102": 2, "010103": 3, "010500": 4, "030600": 4, "030100": 5, "030200": 5}

// earlier is the rules on the same column that come before rule i by their tier.
func earlier(ds *mulu.Dataset, i int) (mask uint64) {
	own := ds.Rules[i]
	tier := tiers[own.Indicator]
	if tier == 0 || len(own.Columns) != 1 || own.When != "" {
		return 0
	}
	for j, r := range ds.Rules {
		if t := tiers[r.Indicator]; t > 0 && t < tier && len(r.Columns) == 1 && r.Columns[0] == own.Columns[0] {
			mask |= 1 << j
		}
	}
	return mask
}

// overdue counts the whole cycles that have passed since an update was due.
func overdue(ds *mulu.Dataset, last, now time.Time) int64 {
	if ds.Cycle <= 0 || last.IsZero() {
		return 0
	}
	late := now.Sub(last) - ds.Grace
	if late <= ds.Cycle {
		return 0
	}
	return int64(late / ds.Cycle)
}
