package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
	"mulu/internal/clock"
	"mulu/library"
	"mulu/plan"
	"mulu/quality"
	"mulu/quality/desk"
	"mulu/quality/rows"
)

// PreviewAsk is who wants to see rules on real rows.
type PreviewAsk struct {
	rows.Look
	Draft   string
	Rule    *mulu.Rule  // tried alone, saved or not; nil is the whole draft
	Only    mulu.RuleID // show the rows that break this rule of the draft; "" is any
	Rows    int64       // about how many are judged; 0 is previewRows
	Seed    uint64      // which
	Request string      // id of the HTTP request
}

// Bounds of a preview.
const (
	previewRows  = 10_000
	previewMost  = 100_000
	previewShown = 20
)

// Preview is rules on real rows.
type Preview struct {
	Faults  []DraftFault // if there are any, nothing was judged
	Rows    int64        // judged
	Rules   []PreviewRule
	Columns []mulu.Column
	Shown   rows.Shown
	Items   []PreviewRow // the first of the rows that break a rule
}

// PreviewRule is what one rule counted.
type PreviewRule struct {
	Rule              mulu.RuleID
	Evaluated, Failed int64
}

// PreviewRow is one row that breaks a rule, as the viewer may see it.
type PreviewRow struct {
	Values []any
	Breaks []quality.Fault // without the row's place
}

// Preview judges some rows by a draft, or by one rule, and shows the first that break it:
// masked by the engine for whoever asks. Set rules are not among them.
func (e *Editor) Preview(ctx context.Context, ask PreviewAsk) (Preview, error) {
	d, err := e.Desk.Draft(ctx, ask.Draft)
	if err != nil {
		return Preview{}, err
	}
	ds, err := e.Dataset(ctx, d.Dataset, 0)
	if err != nil {
		return Preview{}, err
	}
	sight, err := rows.See(ds, ask.Look)
	if err != nil {
		return Preview{}, err
	}
	list := d.Rules
	if ask.Rule != nil {
		list = []mulu.Rule{*ask.Rule}
	}
	if ask.Only != "" && !slices.ContainsFunc(list, func(r mulu.Rule) bool { return r.ID == ask.Only }) {
		return Preview{}, fmt.Errorf("草稿 %s 没有行规则 %s / no such row rule: %w", d.ID, ask.Only, mulu.ErrNotFound)
	}
	version := ruled(ds, list, nil)
	out := Preview{Columns: ds.Columns, Shown: sight.Shown}
	for _, f := range e.CheckRules(version) {
		out.Faults = append(out.Faults, DraftFault{Rule: f.Rule, Field: f.Field, Message: f.Message, At: slices.IndexFunc(list, func(r mulu.Rule) bool { return r.ID == f.Rule })})
	}
	if out.Faults != nil {
		return out, nil
	}
	p := &preview{e: e, ds: ds, only: ask.Only, out: &out}
	if p.rules, err = e.Compile(version); err != nil {
		return Preview{}, err
	}
	if err := p.judge(ctx, ask); err != nil {
		return Preview{}, err
	}
	// The look is written down before a row leaves.
	look := desk.Look{At: e.Now(), Actor: ask.Who.ID, Org: ask.Who.Org.Code, Role: ask.Who.Role, Dataset: ds.Code, Rule: ask.Only, Ruleset: ds.Version, Form: "preview",
		Shown: sight.Shown, Reveal: ask.Reveal, Purpose: ask.Purpose, Filter: []byte("{}"), Request: ask.Request, Outcome: desk.LookDelivered, Rows: int64(len(p.keys)), ClosedAt: e.Now()}
	if err := e.Desk.OpenLook(ctx, &look); err != nil {
		return Preview{}, err
	}
	return out, p.show(ctx, sight.Items)
}

// preview is one Preview under way.
type preview struct {
	e     *Editor
	ds    *mulu.Dataset
	rules *quality.Ruleset
	only  mulu.RuleID
	out   *Preview
	keys  []plan.Predicate // of the rows to show
	why   [][]quality.Fault
}

func (p *preview) judge(ctx context.Context, ask PreviewAsk) error {
	total, err := p.e.Library.Rows(ctx, p.ds.Code)
	if err != nil {
		return err
	}
	want := min(ask.Rows, previewMost)
	if want <= 0 {
		want = previewRows
	}
	opt := library.ScanOptions{Version: p.ds.Version, Provenance: []string{mulu.ColOffset}, Seed: ask.Seed}
	if columns := p.rules.Uses(); columns != nil {
		opt.Columns = union(columns, p.ds.Key)
	}
	if want < total {
		opt.Share = float64(want) / float64(total)
	}
	counts := map[mulu.RuleID]int{}
	asOf := p.e.Now()
	return p.e.Library.Scan(ctx, p.ds.Code, opt, func(rec arrow.RecordBatch) error {
		c := p.rules.Check(rec, make([]int64, rec.NumRows()), asOf)
		p.out.Rows += rec.NumRows()
		for i, f := range c.Findings(mulu.Plan{}) {
			if _, ok := counts[f.Rule]; !ok {
				counts[f.Rule] = i
				p.out.Rules = append(p.out.Rules, PreviewRule{Rule: f.Rule})
			}
			p.out.Rules[i].Evaluated += f.Evaluated
			p.out.Rules[i].Failed += f.Failed
		}
		for i := 0; i < len(c.Flags) && len(p.keys) < previewShown; i++ {
			if c.Flags[i] == 0 {
				continue
			}
			broken := append(c.Broken(i, true), c.Broken(i, false)...)
			if p.only != "" && !slices.ContainsFunc(broken, func(f quality.Fault) bool { return f.Rule == p.only }) {
				continue
			}
			key, err := keyOf(p.ds, rec, i)
			if err != nil {
				return err
			}
			p.keys, p.why = append(p.keys, key), append(p.why, broken)
		}
		return nil
	})
}

// show reads the rows again, one by one by their keys: only the engine masks.
func (p *preview) show(ctx context.Context, items []plan.Item) error {
	for i, key := range p.keys {
		got, err := p.e.Library.Read(ctx, plan.Plan{View: plan.View{Base: p.ds.Code}, Items: items, Where: key}, library.ReadOptions{Limit: 1})
		if err != nil {
			return err
		}
		if len(got.Values) == 1 { // else it is gone since
			p.out.Items = append(p.out.Items, PreviewRow{Values: got.Values[0], Breaks: p.why[i]})
		}
	}
	return nil
}

// keyOf is the condition that names row i by its business key.
func keyOf(ds *mulu.Dataset, rec arrow.RecordBatch, i int) (plan.Predicate, error) {
	all := plan.Predicate{}
	for _, k := range ds.Key {
		c := ds.Column(k)
		v := valueOf(rec.Column(c), i)
		if v == nil {
			return all, errors.New("a key column has no value")
		}
		all.All = append(all.All, plan.Predicate{Field: k, Op: plan.Eq, Value: v})
	}
	return all, nil
}

// valueOf is a value as a condition takes it.
func valueOf(col arrow.Array, i int) any {
	if col.IsNull(i) {
		return nil
	}
	switch a := col.(type) {
	case *array.String:
		return a.Value(i)
	case *array.Int64:
		return a.Value(i)
	case *array.Boolean:
		return a.Value(i)
	case *array.Date32:
		return a.Value(i).FormattedString()
	case *array.Decimal128:
		return a.Value(i).ToString(a.DataType().(*arrow.Decimal128Type).Scale)
	case *array.Timestamp:
		return a.Value(i).ToTime(arrow.Millisecond).In(clock.Shanghai).Format("2006-01-02 15:04:05.000")
	}
	return nil
}
