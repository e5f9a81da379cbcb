package quality

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"mulu"
	"mulu/plan"
)

// Summarizer runs a summary over a dataset's current rows.
type Summarizer interface {
	Summary(ctx context.Context, s plan.Summary) ([]map[string]any, error)
}

// Counts is what a dataset's manifests and problem rows say.
type Counts struct {
	Good, Rejected int64
	ByRule         map[mulu.RuleID]int64 // rejected by each blocking rule
	ByClass        map[string]int64      // rejected by class: type, decode, encoding …
	Last           time.Time             // newest manifest
	// Unchanged is until when its department last reported that nothing changed, which
	// counts as an update of that moment; Period names the report.
	Unchanged time.Time
	Period    string
}

// updated is when the dataset was last known to be as its source: by rows or by a nil
// report. Only what has had rows can be unchanged.
func (n *Counts) updated() (at time.Time, reported bool) {
	if !n.Last.IsZero() && n.Unchanged.After(n.Last) {
		return n.Unchanged, true
	}
	return n.Last, false
}

// Evaluate scores a dataset as it stands: one scan for every row rule's flags, every
// column's values and every uniqueness rule together, and the counts of what was
// rejected. What each indicator counts is written at tallies.
func Evaluate(ctx context.Context, ds *mulu.Dataset, lib Summarizer, n Counts, w Weights, now time.Time) (mulu.Score, error) {
	rows, err := lib.Summary(ctx, summary(ds))
	if err != nil {
		return mulu.Score{}, fmt.Errorf("evaluate %s: %w", ds.Code, err)
	}
	if len(rows) != 1 {
		return mulu.Score{}, fmt.Errorf("evaluate %s: %d summaries, want 1", ds.Code, len(rows))
	}
	got := func(name string) int64 {
		f, _ := rows[0][name].(float64)
		return int64(f)
	}
	last, reported := n.updated()
	in := Input{Dataset: ds, Weights: w, Rows: got("rows"), Tallies: tallies(ds, got, n, now), Through: last, Overdue: overdue(ds, last, now)}
	if reported {
		in.Notes = freshNotes(ds, n.Period)
	}
	var blocked int64
	for _, c := range n.ByRule {
		blocked += c
	}
	if all := n.Good + n.Rejected; all > 0 {
		in.Blocked = float64(blocked) / float64(all)
	}
	s, err := Score(in)
	s.At = now
	return s, err
}

// freshNotes says at the indicators of timeliness that it was a nil report.
func freshNotes(ds *mulu.Dataset, period string) map[string]string {
	notes := map[string]string{}
	for _, r := range ds.SetRules {
		if r.Kind == "fresh" {
			notes[r.Indicator] = "零报告 " + period + "：本期无变化，按时计"
		}
	}
	return notes
}

func flagName(i int) string   { return "f" + strconv.Itoa(i) }
func filledName(i int) string { return "c" + strconv.Itoa(i) }
func uniqueName(i int) string { return "u" + strconv.Itoa(i) }
func judgedName(i int) string { return "j" + strconv.Itoa(i) }

// summary asks for everything in one scan.
func summary(ds *mulu.Dataset) plan.Summary {
	s := plan.Summary{Dataset: ds.Code, Measures: []plan.Measure{{As: "rows", Kind: plan.Rows}}}
	for i := range ds.Columns {
		s.Measures = append(s.Measures, plan.Measure{As: filledName(i), Kind: plan.NonNull, Columns: []string{ds.Columns[i].Name}})
	}
	for i, r := range ds.Rules {
		s.Measures = append(s.Measures, plan.Measure{As: flagName(i), Kind: plan.Flag, Bit: i})
		// Rows that came under other rules are not evaluated until history is judged again.
		judged := plan.Measure{As: judgedName(i), Kind: plan.NonNull, Columns: r.Columns[:1], Judged: true}
		if r.Kind == "not_null" {
			judged.Kind, judged.Columns = plan.Rows, nil
		}
		s.Measures = append(s.Measures, judged)
	}
	for i, r := range ds.SetRules {
		if r.Kind == "unique" {
			s.Measures = append(s.Measures, plan.Measure{As: uniqueName(i), Kind: plan.Distinct, Columns: r.Columns})
		}
	}
	return s
}

// tallies fills A and B per indicator. Elements are:
//   - a row rule: cells of its first column that have a value (rows, for not_null), of
//     current rows that the rules in force have judged, plus those the rule rejected;
//   - 010101 type: records read, A those no column's type refused;
//   - 010200 model: declared items, A those that have a value anywhere;
//   - 010300 metadata, 010600 safety: declared items, A with a Chinese name; with a level;
//   - 020100 element completeness: cells of not_null rules, and required cells without one;
//   - 030400 uniqueness: rows that have the value, A distinct values;
//   - 030500 dirty data: records read, A those accepted (Raw is the dirty rate);
//   - 050200 timeliness: the current cycle, A if its update, or a nil report, has come in time.
func tallies(ds *mulu.Dataset, got func(string) int64, n Counts, now time.Time) map[string]Tally {
	m := map[string]Tally{}
	add := func(code string, a, b int64) {
		if b > 0 {
			t := m[code]
			m[code] = Tally{t.A + a, t.B + b}
		}
	}
	rows := got("rows")
	for i, r := range ds.Rules {
		judged := got(judgedName(i))
		refused := n.ByRule[r.ID]
		add(r.Indicator, judged-got(flagName(i)), judged+refused)
	}
	read := n.Good + n.Rejected
	add("010101", read-n.ByClass["type"], read)
	add("030500", n.Good, read)
	columns := int64(len(ds.Columns))
	var filled, titled, levelled int64
	for i, c := range ds.Columns {
		if got(filledName(i)) > 0 {
			filled++
		}
		if c.Title != "" {
			titled++
		}
		if c.Level > 0 {
			levelled++
		}
		if c.Required && !hasNotNull(ds, c.Name) {
			add("020100", got(filledName(i)), rows)
		}
	}
	if rows > 0 {
		add("010200", filled, columns)
	}
	add("010300", titled, columns)
	add("010600", levelled, columns)
	for i, r := range ds.SetRules {
		switch r.Kind {
		case "unique":
			judged := rows
			if len(r.Columns) == 1 { // a value that is not there repeats nothing
				judged = got(filledName(ds.Column(r.Columns[0])))
			}
			add(r.Indicator, min(got(uniqueName(i)), judged), judged)
		case "fresh":
			if ds.Cycle > 0 {
				var a int64
				if last, _ := n.updated(); !last.IsZero() && overdue(ds, last, now) == 0 {
					a = 1
				}
				add(r.Indicator, a, 1)
			}
		}
	}
	return m
}

// hasNotNull says whether a row rule counts the column's completeness already.
func hasNotNull(ds *mulu.Dataset, column string) bool {
	for _, r := range ds.Rules {
		if r.Kind == "not_null" && r.Columns[0] == column {
			return true
		}
	}
	return false
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
