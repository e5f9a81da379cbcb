package quality

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mulu"
	"mulu/internal/clock"
)

// tallied is what one walk over a part's elements counted.
type tallied struct {
	rows    int64
	tallies map[string]Tally
	rules   []mulu.RuleCount
}

func (t *tallied) elements() *Elements { return &Elements{Rows: t.rows, Tallies: t.tallies} }

// walk counts a part's elements indicator by indicator.
type walk struct {
	*evaluation
	portion
	tallied
	got      func(name string) int64 // measures of the part
	received Counts                  // of the part
	once     bool
}

// tally counts A and B of every indicator over a part. What belongs to the dataset and
// not to a row, its metadata say, is the same in every part.
func (e *evaluation) tally(p portion, once bool) *tallied {
	w := &walk{evaluation: e, portion: p, tallied: tallied{tallies: map[string]Tally{}}, got: e.sums(p), received: e.counts(p), once: once}
	w.rows = w.got("rows")
	for _, count := range []func(){w.rowRules, w.records, w.required, w.fields, w.metadata, w.safety, w.setRules, w.cycles, w.use} {
		count()
	}
	return &w.tallied
}

// add counts elements of an indicator. Facts are read one after another while batches
// land, so A is kept within B.
func (w *walk) add(code string, a, b int64) {
	if b <= 0 {
		return
	}
	if e := w.facts.Entry; e != nil && unstructured(e.Format) {
		if i, _ := IndicatorOf(code); i.Structured {
			w.note(code, "目录条目的数据格式为“"+e.Format+"”，本指标只用于结构化数据")
			return
		}
	}
	t := w.tallies[code]
	w.tallies[code] = Tally{t.A + min(max(a, 0), b), t.B + b}
}

func unstructured(format string) bool {
	return slices.Contains([]string{"文件", "图像", "流媒体"}, format)
}

// note is shown with an indicator of the whole dataset.
func (w *walk) note(code, text string) {
	if w.portion != wholePart || strings.Contains(w.notes[code], text) {
		return
	}
	if w.notes[code] != "" {
		text = w.notes[code] + "；" + text
	}
	w.notes[code] = text
}

// rule counts what one rule judged.
func (w *walk) rule(id mulu.RuleID, indicator string, set bool, failed, evaluated int64) {
	if evaluated <= 0 {
		return
	}
	failed = min(max(failed, 0), evaluated)
	w.add(indicator, evaluated-failed, evaluated)
	w.rules = append(w.rules, mulu.RuleCount{Rule: id, Indicator: indicator, Set: set, Evaluated: evaluated, Failed: failed})
}

// excused says that the part leaves out what the city answers for.
func (w *walk) excused(responsible string) bool {
	return w.district && responsible == mulu.ResponsibleCity
}

// rowRules: cells of the rule's column that have a value (rows, for kinds that judge every
// row; rows with all values, for a rule on several) and meet its condition, current rows
// plus those the rule refused.
func (w *walk) rowRules() {
	for i, r := range w.ds.Rules {
		if w.excused(r.Responsible) {
			continue
		}
		judged, failed, refused := w.got(judgedName(i)), w.got(flagName(i)), w.received.ByRule[r.ID]
		if w.once && earlier(w.ds, i) != 0 {
			judged, failed = judged-w.got(earlierName(i)), w.got(onceName(i))
		}
		w.rule(r.ID, r.Indicator, false, failed+refused, judged+refused)
	}
}

// records: those read, less those that a column's type refused (010101); less all that
// were refused (030500).
func (w *walk) records() {
	read := w.received.Good + w.received.Rejected
	w.add("010101", read-w.received.ByClass["type"], read)
	w.add("030500", w.received.Good, read)
}

// required: cells of required columns that no rule counts (020100), and rows in which all
// that is expected is there (020200).
func (w *walk) required() {
	some, refused := false, int64(0)
	for _, r := range w.ds.Rules {
		if r.Kind == "not_null" {
			some, refused = true, refused+w.received.ByRule[r.ID]
		}
	}
	for i, c := range w.ds.Columns {
		if c.Required && !hasNotNull(w.ds, c.Name) {
			some = true
			w.add("020100", w.got(filledName(i)), w.rows)
		}
	}
	if some {
		w.add("020200", w.rows-w.got("unfilled"), w.rows+refused)
	}
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

// fields: declared items that have a value anywhere (010200), and rows without a field
// that nobody declared (040300).
func (w *walk) fields() {
	whole, filled := w.sums(wholePart), int64(0)
	for i := range w.ds.Columns {
		if whole(filledName(i)) > 0 {
			filled++
		}
	}
	if whole("rows") > 0 {
		w.add("010200", filled, int64(len(w.ds.Columns)))
	}
	w.add("040300", w.rows-w.got("extra"), w.rows)
}

// metadata: items with a Chinese name and a type, and what a catalogue entry must say
// (政务数据共享条例 art. 13).
func (w *walk) metadata() {
	named := int64(0)
	for _, c := range w.ds.Columns {
		if c.Title != "" && c.Type != "" {
			named++
		}
	}
	w.add("010300", named, int64(len(w.ds.Columns)))
	e := w.facts.Entry
	if e == nil {
		return
	}
	var missing []string
	musts := []struct {
		title string
		said  bool
	}{
		{"名称", w.ds.Title != ""}, {"提供单位", w.ds.Owner != ""}, {"数据格式", e.Format != ""}, {"更新频率", e.Cycle != ""}, {"共享属性", e.ShareType != ""},
		{"共享方式", len(e.ShareModes) > 0 || e.ShareType == "不予共享"}, {"使用条件", e.ShareCondition != "" || e.ShareType != "有条件共享"}, {"数据分类分级", e.Class != "" && w.ds.Level() > 0},
	}
	for _, m := range musts {
		if !m.said {
			missing = append(missing, m.title)
		}
	}
	w.add("010300", int64(len(musts)-len(missing)), int64(len(musts)))
	if missing != nil {
		w.note("010300", "目录条目未写明："+strings.Join(missing, "、"))
	}
}

// safety: declared items that have a level, and sensitive items that scenarios offer and
// roles that are not named do not see in clear.
func (w *walk) safety() {
	levelled := int64(0)
	for _, c := range w.ds.Columns {
		if c.Level > 0 {
			levelled++
		}
	}
	w.add("010600", levelled, int64(len(w.ds.Columns)))
	for _, o := range w.facts.Offered {
		i := w.ds.Column(o.Column)
		if i < 0 || w.ds.Columns[i].Level < mulu.L3 && w.ds.Columns[i].PI == "" {
			continue
		}
		if o.Masked {
			w.add("010600", 1, 1)
			continue
		}
		w.add("010600", 0, 1)
		w.note("010600", "有应用场景以明文提供“"+w.ds.Columns[i].Title+"”")
	}
}

// setRules: uniqueness and freshness are counted here; of the other kinds the newest run
// knows, for the dataset as a whole.
func (w *walk) setRules() {
	for i, r := range w.ds.SetRules {
		if w.excused(r.Responsible) {
			continue
		}
		switch r.Kind {
		case "unique":
			judged := w.rows
			if len(r.Columns) == 1 { // a value that is not there repeats nothing
				judged = w.got(filledName(w.ds.Column(r.Columns[0])))
			}
			w.rule(r.ID, r.Indicator, true, judged-w.got(uniqueName(i)), judged)
		case "fresh":
			w.fresh(r)
		default:
			if res := w.results[r.ID]; res != nil && (w.portion == wholePart || w.district) && res.Status != Errored && res.Status != Skipped {
				w.rule(r.ID, r.Indicator, true, res.Failed, res.Evaluated)
			}
		}
	}
}

// fresh: the current cycle, in order if its update, or a nil report, has come in time.
func (w *walk) fresh(r mulu.SetRule) {
	if w.ds.Cycle <= 0 {
		return
	}
	late := int64(1)
	last, reported := w.facts.updated()
	if !last.IsZero() && overdue(w.ds, last, w.now) == 0 {
		late = 0
	}
	if valid := w.tallies[r.Indicator]; valid.B > 0 {
		w.note(r.Indicator, fmt.Sprintf("及时提供 %d/1，有效期内 %d/%d", 1-late, valid.A, valid.B))
	}
	if reported {
		w.note(r.Indicator, "零报告 "+w.facts.Report+"：本期无变化，按时计")
	}
	w.rule(r.ID, r.Indicator, true, late, 1)
}

// maxCycles is how many past cycles are judged.
const maxCycles = 31

const oneDay = 24 * time.Hour

// CycleDays is the length of one judged cycle: the update cycle in whole days; 0 is none.
func CycleDays(ds *mulu.Dataset) time.Duration {
	if ds.Cycle <= 0 {
		return 0
	}
	return max(oneDay, (ds.Cycle+oneDay-1)/oneDay*oneDay)
}

// ArrivalsSince is from when arrivals matter to a score of now.
func ArrivalsSince(ds *mulu.Dataset, now time.Time) time.Time {
	return midnight(now).Add(-maxCycles * CycleDays(ds))
}

// midnight is when the Shanghai day of a moment began.
func midnight(t time.Time) time.Time {
	y, m, d := t.In(clock.Shanghai).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, clock.Shanghai)
}

// cycles: whole cycles up to last midnight, back to the dataset's first batch, in which
// something arrived or was reported unchanged, the grace included. A cycle whose grace is
// still running is judged when it is over.
func (w *walk) cycles() {
	length := CycleDays(w.ds)
	if length == 0 || w.facts.First.IsZero() {
		return
	}
	arrivals := w.facts.Arrivals
	if !w.facts.Unchanged.IsZero() {
		arrivals = append(slices.Clone(arrivals), w.facts.Unchanged)
	}
	end := midnight(w.now)
	for range maxCycles {
		from := end.Add(-length)
		if from.Before(w.facts.First) {
			return
		}
		until := end.Add(w.ds.Grace)
		came := slices.ContainsFunc(arrivals, func(t time.Time) bool { return !t.Before(from) && t.Before(until) })
		switch {
		case came:
			w.add("050100", 1, 1)
		case !w.now.Before(until):
			w.add("050100", 0, 1)
		}
		end = from
	}
}

// use: shared reads inside a valid grant (050400); probes and admitted reads that were
// answered (060100); items that grants deliver and that have values (060200).
func (w *walk) use() {
	c := w.facts.Calls
	w.add("050400", c.Asked-c.Denied, c.Asked)
	answered := c.Delivered + w.facts.Probes.A
	w.add("060100", answered, c.Delivered+c.Failed+w.facts.Probes.B)
	whole, seen := w.sums(wholePart), map[string]bool{}
	for _, o := range w.facts.Offered {
		i := w.ds.Column(o.Column)
		if i < 0 || !o.InUse || seen[o.Column] {
			continue
		}
		seen[o.Column] = true
		if whole(filledName(i)) > 0 {
			w.add("060200", 1, 1)
		} else {
			w.add("060200", 0, 1)
			w.note("060200", "“"+w.ds.Columns[i].Title+"”没有值")
		}
	}
}
