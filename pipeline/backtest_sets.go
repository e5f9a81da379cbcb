package pipeline

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"mulu"
	"mulu/quality"
	"mulu/quality/desk"
)

// sets runs the set rules in force and those of the draft over every row, and lines them
// up: the draft's in order, then what it drops. A rule that stands as it was is run once.
// One that can not be judged says so in its result, and the rest goes on.
func (r *trial) sets(ctx context.Context) (now, draft []quality.Result, err error) {
	if now, err = r.runSets(ctx, r.now.ds.SetRules); err != nil {
		return nil, nil, err
	}
	change := map[mulu.RuleID]string{}
	for _, c := range diff(r.now.ds.SetRules, r.draft.ds.SetRules, true) {
		change[c.Rule] = c.Change
	}
	other := slices.DeleteFunc(slices.Clone(r.draft.ds.SetRules), func(s mulu.SetRule) bool { return change[s.ID] == "" })
	fresh, err := r.runSets(ctx, other)
	if err != nil {
		return nil, nil, err
	}
	r.found.SetRules = []desk.TriedSet{}
	for _, s := range r.draft.ds.SetRules {
		t := desk.TriedSet{Rule: s.ID, Title: s.Title, Kind: s.Kind, Blocking: s.Blocking, Change: change[s.ID], Now: resultOf(now, s.ID), Draft: resultOf(fresh, s.ID)}
		if t.Change == "" {
			t.Change, t.Draft = RuleSame, t.Now
		}
		t.Same = alike(t.Now, t.Draft)
		draft = append(draft, *t.Draft)
		r.found.SetRules = append(r.found.SetRules, t)
	}
	for _, s := range r.now.ds.SetRules {
		if change[s.ID] == RuleDropped {
			r.found.SetRules = append(r.found.SetRules, desk.TriedSet{Rule: s.ID, Title: s.Title, Kind: s.Kind, Blocking: s.Blocking, Change: RuleDropped, Now: resultOf(now, s.ID)})
		}
	}
	return now, draft, nil
}

// runSets runs set rules alone. What they measure is not kept: bands are of rules in force.
func (r *trial) runSets(ctx context.Context, sets []mulu.SetRule) ([]quality.Result, error) {
	if len(sets) == 0 {
		return nil, nil
	}
	in, err := r.e.Known(ctx, ruled(r.now.ds, nil, sets), r.asOf)
	if err != nil {
		return nil, fmt.Errorf("what a run of set rules knows: %w", err)
	}
	out, err := quality.Run(ctx, r.e.Library, in)
	if err != nil {
		return nil, fmt.Errorf("run set rules: %w", err)
	}
	for _, f := range out.Faults {
		r.e.Log.Warn("set rule of a backtest could not be judged", "backtest", r.id, "error", f)
	}
	return out.Results, nil
}

func resultOf(list []quality.Result, id mulu.RuleID) *quality.Result {
	if i := slices.IndexFunc(list, func(x quality.Result) bool { return x.Rule == id }); i >= 0 {
		return &list[i]
	}
	return nil
}

// alike says whether two rules came out the same way.
func alike(a, b *quality.Result) bool {
	return a != nil && b != nil && a.Status == b.Status && a.Evaluated == b.Evaluated && a.Failed == b.Failed && reflect.DeepEqual(a.Observed, b.Observed)
}

// score foresees the total, under the rules in force and under the draft alike as if
// history had been judged by them.
func (r *trial) score(ctx context.Context, now, draft []quality.Result) (*desk.TriedScore, error) {
	if r.found.Rows == 0 {
		return nil, nil // nothing was seen
	}
	facts, err := r.e.Facts(ctx, r.now.ds, r.asOf)
	if err != nil {
		return nil, fmt.Errorf("what a score follows from: %w", err)
	}
	under := func(ds *mulu.Dataset, flags quality.Flagged, results []quality.Result) (mulu.Score, error) {
		f := facts
		f.Results = results
		return quality.Foresee(ctx, ds, r.e.Library, flags, r.found.Rows, f, r.e.Weights(), r.asOf)
	}
	before, err := under(r.now.ds, r.flags[0], now)
	if err != nil {
		return nil, err
	}
	after, err := under(r.draft.ds, r.flags[1], draft)
	if err != nil {
		return nil, err
	}
	t := &desk.TriedScore{Now: totalOf(&before), Draft: totalOf(&after), Dimensions: []desk.TriedDimension{}, Unforeseen: r.unforeseen()}
	for i := range before.Dimensions { // the same six, in the same order
		a, b := &before.Dimensions[i], &after.Dimensions[i]
		t.Dimensions = append(t.Dimensions, desk.TriedDimension{Code: a.Code, Title: a.Title, Now: shareOf(a), Draft: shareOf(b)})
	}
	return t, nil
}

func totalOf(s *mulu.Score) desk.TriedTotal {
	return desk.TriedTotal{Total: s.Total, Grade: s.Grade, Caps: append([]string{}, s.Caps...)}
}

func shareOf(d *mulu.Dimension) *float64 {
	if !d.Applicable {
		return nil
	}
	return &d.X
}

// unforeseen says what a score of a draft does not know.
func (r *trial) unforeseen() []string {
	out := []string{"启用以后新来的数据：草稿的强规则会挡下的存量行在此按不合格计，今后被挡下的不入库，会降低记录的合格率"}
	if r.trial.Share > 0 {
		out = append(out, "行规则只判断了抽样的行，按比例推算，得分是估计值")
	}
	if r.loosens() {
		out = append(out, "过去被现行强规则挡下的行不因草稿放宽而自动入库，须另行重放")
	}
	for _, s := range r.found.SetRules {
		if s.Draft != nil && s.Draft.Status == quality.Errored {
			out = append(out, fmt.Sprintf("数据集规则 %s 未能判断，不在得分中", s.Rule))
		} else if s.Draft != nil && s.Draft.Status == quality.Skipped && s.Change != RuleSame {
			out = append(out, fmt.Sprintf("数据集规则 %s 无可判断的内容或尚无历史，不在得分中", s.Rule))
		}
	}
	return out
}

// loosens says whether a strong row rule in force is changed or gone.
func (r *trial) loosens() bool {
	return slices.ContainsFunc(r.now.ds.Rules, func(was mulu.Rule) bool {
		now := find(r.draft.ds.Rules, was.ID)
		return was.Blocking && (now == nil || changed(was, *now) != nil)
	})
}
