package httpapi_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/internal/declare"
	"mulu/internal/httpapi"
	api "mulu/internal/httpapi/gen/quality"
	"mulu/internal/sample"
	"mulu/pipeline"
	"mulu/quality"
	"mulu/quality/codes"
	"mulu/quality/desk"
)

// withEditor adds the drafts of rules and the judging of histories. What is applied goes
// into the catalogue and the library as in a running house, without a broker.
func (h *house) withEditor(machine mulu.Actor, d httpapi.Deps) httpapi.Deps {
	tables := need[*codes.Tables](h.t)(codes.Load(codes.WithSynthetic(sample.NoDivision)))
	load := func(ctx context.Context, files fs.FS) (*declare.Set, error) {
		base, err := h.catalog.Applied(ctx)
		if err != nil {
			return nil, err
		}
		return declare.Load(files, declare.Known{CodeTables: tables.Names(), RuleKinds: quality.RuleKinds(), SetKinds: quality.SetKinds(), CheckRules: quality.CheckRules(tables), Base: base})
	}
	d.CodeTables = tables.Names()
	d.History = &pipeline.HistoryDesk{Judge: pipeline.Judge{Library: h.lib, Version: h.lane.Version, Now: time.Now}, Datasets: h.catalog.Datasets, Log: slog.New(slog.DiscardHandler)}
	h.history = d.History
	var work sync.WaitGroup
	h.t.Cleanup(work.Wait)
	d.Editor = &pipeline.Editor{Desk: d.Quality, Library: h.lib, Dataset: h.catalog.Dataset, Load: load, CheckRules: quality.CheckRules(tables), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Source: func(ctx context.Context, code mulu.DatasetCode) (string, error) {
			l, err := h.catalog.LinkOf(ctx, code)
			return l.Source, err
		},
		Known: func(ctx context.Context, ds *mulu.Dataset, now time.Time) (quality.RunInput, error) {
			f, err := h.factsOf(ctx, ds, now)
			return quality.RunInput{Dataset: ds, Datasets: h.lib.Dataset, Facts: f, Calendar: need[*clock.Calendar](h.t)(clock.National()), Now: now}, err
		},
		Facts: h.factsOf, Weights: quality.DefaultWeights,
		Compile: func(ds *mulu.Dataset) (*quality.Ruleset, error) { return quality.Compile(ds, tables) },
		Go:      func(f func(context.Context)) { work.Go(func() { f(context.Background()) }) },
		Apply: func(ctx context.Context, files fs.FS) error {
			set, err := load(ctx, files)
			if err != nil {
				return err
			}
			if _, err := h.catalog.Apply(ctx, machine, set); err != nil {
				return err
			}
			for _, ds := range set.Datasets {
				if err := h.lib.Apply(ctx, ds.Dataset); err != nil {
					return err
				}
			}
			return nil
		}}
	h.editor = d.Editor
	return d
}

// factsOf is what the library knows besides the rows that a score follows from.
func (h *house) factsOf(ctx context.Context, ds *mulu.Dataset, _ time.Time) (quality.Facts, error) {
	f := quality.Facts{Received: map[quality.Stratum]quality.Counts{}}
	parts, err := h.lib.Received(ctx, ds.Code, nil)
	if err != nil {
		return f, err
	}
	for _, p := range parts {
		n := quality.Counts{Good: p.Good, Rejected: p.Rejected, ByRule: map[mulu.RuleID]int64{}, ByClass: map[string]int64{}}
		for _, c := range p.Classes {
			n.ByClass[c.Class] += c.Rows
			n.ByRule[c.Rule] += c.Rows
		}
		f.Received[quality.Stratum{}] = n
	}
	totals, err := h.lib.RunningTotals(ctx)
	for _, t := range totals {
		if t.Dataset == ds.Code && t.Last.After(f.Last) {
			f.Last = t.Last
		}
	}
	return f, err
}

// theDraft is made by the walk.
var theDraft string

// tried waits for the newest backtest of a draft.
func (h *house) tried(who, draft string) api.Backtest {
	h.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var list []api.Backtest
		h.get(who, "/v1/quality/drafts/"+draft+"/backtest", &list)
		if len(list) > 0 && list[0].State != "running" {
			return list[0]
		}
		if time.Now().After(deadline) {
			h.t.Fatal("the backtest does not end")
		}
	}
}

func ruleNamed(list []api.RuleSpec, id string) *api.RuleSpec {
	for i := range list {
		if list[i].Id == id {
			return &list[i]
		}
	}
	return nil
}

// TestDrafts walks a draft from its first fault to rules that are in force and a history
// that was judged by them.
func TestDrafts(t *testing.T) {
	h := openHouse(t)
	h.bring(0, resident(person(t, 1), "张三"), resident(person(t, 2), "李四"), resident(person(t, 3), "王小五"), resident(person(t, 4), "赵"))
	const drafts = "/v1/quality/drafts"

	var kinds api.RuleKinds
	h.get("steward", "/v1/quality/kinds", &kinds)
	if len(kinds.Rows) < 10 || len(kinds.Sets) < 2 || !slices.Contains(kinds.Tables, "sex_gbt2261_1") || len(kinds.Indicators) < 20 {
		t.Errorf("%d row kinds, %d set kinds, %d tables, %d indicators", len(kinds.Rows), len(kinds.Sets), len(kinds.Tables), len(kinds.Indicators))
	}

	// A draft begins as what is in force, and says every fault with rule and field.
	var d api.RuleDraft
	h.good(h.call("steward", "POST", drafts, map[string]any{"dataset": "resident", "title": "姓名至少三字"}), &d)
	if d.Base != 1 || d.Rev != 1 || len(d.Rules) != 20 || len(d.Diff) != 0 || len(d.Faults) != 0 || d.Backtest != nil {
		t.Fatalf("new draft: base %d, rev %d, %d rules, diff %v, faults %v", d.Base, d.Rev, len(d.Rules), d.Diff, d.Faults)
	}
	rules := d.Rules
	(*ruleNamed(rules, "name.length").Params)["min"] = "x"
	ruleNamed(rules, "sex.code").Columns = &[]string{"sexx"}
	h.good(h.call("steward", "PUT", drafts+"/"+d.Id, map[string]any{"rev": 1, "rules": rules}), &d)
	at := map[string]string{}
	for _, f := range d.Faults {
		at[f.Rule] = f.Field
	}
	if at["sex.code"] != "columns[0]" || len(at) != 2 {
		t.Errorf("faults are %+v, want one of sex.code at columns[0] and one of name.length", d.Faults)
	}
	if w := h.call("steward", "POST", drafts+"/"+d.Id+"/backtest", map[string]any{}); w.Code != 400 {
		t.Errorf("backtest of a faulty draft: %d %s", w.Code, w.Body)
	}

	// Rules in their place; somebody who saw an older edit is told so.
	rules = d.Rules
	(*ruleNamed(rules, "name.length").Params)["min"] = "3"
	ruleNamed(rules, "sex.code").Columns = &[]string{"sex"}
	blocking, two := true, "姓名至少两字"
	rules = append(slices.DeleteFunc(rules, func(r api.RuleSpec) bool { return r.Id == "live_type.enum" }),
		api.RuleSpec{Id: "name.two", Title: &two, Kind: "length", Columns: &[]string{"name"}, Params: &map[string]string{"min": "2"}, Blocking: &blocking, Indicator: ruleNamed(rules, "name.length").Indicator})
	if w := h.call("steward", "PUT", drafts+"/"+d.Id, map[string]any{"rev": 1, "rules": rules}); w.Code != 409 {
		t.Errorf("an edit of an older edit: %d %s", w.Code, w.Body)
	}
	h.good(h.call("steward", "PUT", drafts+"/"+d.Id, map[string]any{"rev": d.Rev, "rules": rules}), &d)
	if got := fmt.Sprint(d.Diff); got != "[{changed [params] name.length false 姓名 2 至 50 个字} {added [] name.two false 姓名至少两字} {dropped [] live_type.enum false 居住类型取值}]" || len(d.Faults) != 0 {
		t.Errorf("diff %s, faults %v", got, d.Faults)
	}

	// Preview: masked, with reasons, by those who may.
	var p api.RulePreview
	w := h.call("steward", "POST", drafts+"/"+d.Id+"/preview", map[string]any{"only": "name.length"})
	h.good(w, &p)
	if p.Rows != 4 || len(p.Items) != 3 || p.Shown != "masked" || strings.Contains(w.Body.String(), person(t, 1)) || strings.Contains(w.Body.String(), "张三") || p.Items[0].Breaks[0].Reason == "" {
		t.Errorf("preview: %s", w.Body)
	}
	h.good(h.call("steward", "POST", drafts+"/"+d.Id+"/preview", map[string]any{"rule": map[string]any{"id": "new", "kind": "fixed_length", "columns": []string{"name"}, "params": map[string]string{"length": "1"}}}), &p)
	if len(p.Rules) != 1 || p.Rules[0].Failed != 3 {
		t.Errorf("preview of one rule: %+v", p.Rules)
	}
	h.good(h.call("steward", "POST", drafts+"/"+d.Id+"/preview", map[string]any{"rule": map[string]any{"id": "new", "kind": "fixed_length", "columns": []string{"name"}}}), &p)
	if len(p.Faults) == 0 || p.Faults[0].Rule != "new" || p.Faults[0].At != 0 {
		t.Errorf("preview of a faulty rule: %+v", p.Faults)
	}
	for who, want := range map[string]int{"officer": 404, "auditor": 403} { // not its dataset; no rows at all
		if w := h.call(who, "POST", drafts+"/"+d.Id+"/preview", map[string]any{}); w.Code != want {
			t.Errorf("preview as %s: %d", who, w.Code)
		}
	}

	// Nothing is put in force that was not tried as it is.
	activate := func(rev int64) (int, api.RuleActivation) {
		w := h.call("steward", "POST", drafts+"/"+d.Id+"/activate", map[string]any{"rev": rev, "reason": "试行"})
		var a api.RuleActivation
		if w.Code == 200 {
			h.good(w, &a)
		}
		return w.Code, a
	}
	if code, _ := activate(d.Rev); code != 409 {
		t.Errorf("activation without a backtest: %d", code)
	}
	h.good(h.call("steward", "POST", drafts+"/"+d.Id+"/backtest", map[string]any{}), nil)
	b := h.tried("auditor", d.Id)
	if b.State != "done" || !b.Current || b.Result.Rows != 4 || b.Result.Rejected != 1 || b.Result.NewRejected != 1 || len(b.Result.Days) != 1 || b.Result.Days[0].Failed["name.length"] != 3 {
		t.Fatalf("backtest: %+v %+v", b, b.Result)
	}
	for _, r := range b.Result.Rules {
		switch r.Rule {
		case "name.length":
			if r.Failed != 3 || r.FailedNow != 1 || r.New != 2 || r.Same != 1 || r.Mended != 0 || r.Change != "changed" {
				t.Errorf("backtest of a changed rule: %+v", r)
			}
		case "name.two":
			if r.Failed != 1 || r.New != 1 || r.Rejected != 1 || r.Change != "added" {
				t.Errorf("backtest of an added rule: %+v", r)
			}
		case "live_type.enum":
			if r.Change != "dropped" {
				t.Errorf("backtest of a dropped rule: %+v", r)
			}
		}
	}
	foreseen := b.Result.Score
	if foreseen == nil || foreseen.Draft.Total >= foreseen.Now.Total || len(foreseen.Dimensions) != 6 || foreseen.Now.Grade == "" || len(foreseen.Unforeseen) != 1 {
		t.Fatalf("score: %+v", foreseen)
	}
	if s := b.Result.SetRules; len(s) != 3 || s[0].Rule != "id_no.unique" || s[0].Change != "same" || !s[0].Same || s[0].Draft.Status != "pass" || s[0].Draft.Evaluated != 4 {
		t.Errorf("set rules of a draft that does not touch them: %+v", s)
	}
	h.good(h.call("steward", "POST", drafts+"/"+d.Id+"/backtest", map[string]any{}), nil)
	if again := h.tried("steward", d.Id); again.Id == b.Id || again.Result.Digest != b.Result.Digest {
		t.Errorf("the same draft over the same rows gave %s and %s", b.Result.Digest, again.Result.Digest)
	}
	h.good(h.call("steward", "PUT", drafts+"/"+d.Id, map[string]any{"rev": d.Rev, "rules": rules, "notes": "只改说明"}), &d)
	if d.Backtest == nil {
		t.Error("a note makes another draft of it")
	}
	if code, _ := activate(d.Rev - 1); code != 409 {
		t.Errorf("activation of an older edit: %d", code)
	}
	if w := h.call("officer", "POST", drafts+"/"+d.Id+"/activate", map[string]any{"rev": d.Rev, "reason": "x"}); w.Code != 403 {
		t.Errorf("activation by an officer: %d", w.Code)
	}
	code, a := activate(d.Rev)
	if code != 200 || a.Version != 2 || a.Draft.State != "active" || !strings.Contains(a.Declaration, "name.two") || !strings.Contains(a.Declaration, "secrecy_review: BM-2026-0002") {
		t.Fatalf("activation: %d %+v", code, a)
	}
	now := h.lib.Dataset("resident")
	if now.Version != 2 || len(now.Rules) != 20 || now.Rules[19].ID != "name.two" || len(now.Columns) != 14 {
		t.Errorf("in force: version %d, %d rules", now.Version, len(now.Rules))
	}

	// History is judged by what is in force now.
	var s api.HistoryState
	h.get("steward", "/v1/datasets/resident/judge", &s)
	if s.State != "idle" || s.Why == "" || s.Last != nil {
		t.Errorf("before: %+v", s)
	}
	h.good(h.call("steward", "POST", "/v1/datasets/resident/judge", nil), &s)
	if s.State != "waiting" {
		t.Errorf("asked: %+v", s)
	}
	check(t, h.history.Turn(t.Context()))
	h.get("approver", "/v1/datasets/resident/judge", &s)
	if s.State != "idle" || s.Why != "" || s.Last == nil || s.Last.Rows != 4 || s.Last.Version != 2 {
		t.Errorf("after: %+v %+v", s, s.Last)
	}
	// The score is what was foreseen.
	f := need[quality.Facts](t)(h.factsOf(t.Context(), now, time.Now()))
	f.Results = need[*desk.Run](t)(h.runRules(h.looks)(t.Context(), "resident")).Results
	scored := need[mulu.Score](t)(quality.Evaluate(t.Context(), now, h.lib, f, quality.DefaultWeights(), time.Now()))
	if scored.Total != foreseen.Draft.Total || scored.Grade != foreseen.Draft.Grade {
		t.Errorf("score %v %s, foreseen %+v", scored.Total, scored.Grade, foreseen.Draft)
	}
	for i, d := range scored.Dimensions {
		if x := foreseen.Dimensions[i].Draft; d.Applicable != (x != nil) || x != nil && *x != d.X {
			t.Errorf("dimension %s is %v, foreseen %v", d.Code, d.X, x)
		}
	}
	draftRebased(t, h)
	draftSets(t, h)
	draftKilled(t, h)
}

// draftSets: set rules are tried over every row beside those in force; one that can not be
// judged stops no other; free statements stay an operator's.
func draftSets(t *testing.T, h *house) {
	const drafts = "/v1/quality/drafts"
	var d api.RuleDraft
	begin := func() []api.RuleSpec {
		d = api.RuleDraft{} // decoding would merge maps
		h.good(h.call("steward", "POST", drafts, map[string]any{"dataset": "resident"}), &d)
		return d.SetRules
	}
	put := func(sets []api.RuleSpec) {
		w := h.call("steward", "PUT", drafts+"/"+d.Id, map[string]any{"rev": d.Rev, "set_rules": sets})
		d = api.RuleDraft{}
		h.good(w, &d)
	}
	try := func(ask map[string]any) *api.BacktestResult {
		h.t.Helper()
		h.good(h.call("steward", "POST", drafts+"/"+d.Id+"/backtest", ask), nil)
		b := h.tried("steward", d.Id)
		if b.Result == nil {
			h.t.Fatalf("backtest: %+v", b)
		}
		return b.Result
	}
	set := func(id, kind, title string, params map[string]string) api.RuleSpec {
		strong, city, indicator := true, mulu.ResponsibleCity, "040203"
		return api.RuleSpec{Id: id, Kind: kind, Title: &title, Params: &params, Blocking: &strong, Responsible: &city, Indicator: &indicator}
	}

	sets := slices.DeleteFunc(begin(), func(r api.RuleSpec) bool { return r.Id == "death.told" })
	lost := set("lost", "references", "登记在别处", map[string]string{"dataset": "nowhere", "to": "id_no"})
	lost.Columns = &[]string{"id_no"}
	fresh := ruleNamed(sets, "resident.fresh")
	fresh.Params = &map[string]string{"within": "36h"}
	put(append(sets, set("few", "row_count", "至少十行", map[string]string{"min": "10"}), lost))
	if len(d.Faults) != 0 {
		t.Fatal(d.Faults)
	}
	var digests []string
	for range 2 {
		r := try(map[string]any{"share": 0.5, "seed": 3})
		digests = append(digests, r.Digest)
		var got []string
		for _, s := range r.SetRules {
			line := fmt.Sprintf("%s %s same=%v", s.Rule, s.Change, s.Same)
			if s.Now != nil {
				line += fmt.Sprintf(" now %s %d/%d", s.Now.Status, s.Now.Failed, s.Now.Evaluated)
			}
			if s.Draft != nil {
				line += fmt.Sprintf(" draft %s %d/%d", s.Draft.Status, s.Draft.Failed, s.Draft.Evaluated)
			}
			got = append(got, line)
		}
		want := []string{"id_no.unique same same=true now pass 0/4 draft pass 0/4", "resident.fresh changed same=true now pass 0/1 draft pass 0/1", "few added same=false draft fail 1/1",
			"lost added same=false draft error 0/0", "death.told dropped same=false now pass 0/4"}
		if !slices.Equal(got, want) {
			t.Errorf("set rules:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if few := r.SetRules[2].Draft; few.Observed != float64(4) || few.Expected == "" {
			t.Errorf("measured %v, expected %q", few.Observed, few.Expected)
		}
		if r.SetRules[3].Draft.Message == "" {
			t.Error("a rule that can not be judged does not say why")
		}
		if r.Score == nil && r.Rows > 0 || r.Score != nil && (r.Score.Draft.Total >= r.Score.Now.Total || !strings.Contains(strings.Join(r.Score.Unforeseen, ""), "lost") || !strings.Contains(strings.Join(r.Score.Unforeseen, ""), "抽样")) {
			t.Errorf("score of a sample of %d rows: %+v", r.Rows, r.Score)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("the same draft over the same rows gave %v", digests)
	}
	put(append(slices.Clone(d.SetRules[:2]), set("few", "row_count", "至少十行", map[string]string{"min": "4"})))
	if r := try(map[string]any{}); r.Digest == digests[0] || r.SetRules[2].Draft.Status != "pass" || r.Score == nil {
		t.Errorf("a set rule that holds: %+v", r)
	}

	// Free statements: a steward brings none, and may leave those that stand.
	sql := "SELECT countIf(name = '赵'), count() FROM lib_population.resident"
	put(append(begin(), set("free", "sql", "自由查询", map[string]string{"sql": sql})))
	if len(d.Faults) != 1 || d.Faults[0].Rule != "free" || !d.Faults[0].Set || d.Faults[0].At != 3 || d.Faults[0].Field != "kind" {
		t.Errorf("a steward's free statement: %+v", d.Faults)
	}
	if w := h.call("steward", "POST", drafts+"/"+d.Id+"/backtest", map[string]any{}); w.Code != 400 {
		t.Errorf("backtest of a steward's free statement: %d %s", w.Code, w.Body)
	}
	newest := need[*mulu.Dataset](t)(h.catalog.Dataset(t.Context(), "resident", 0))
	text := need[string](t)(h.editor.Source(t.Context(), "resident"))
	text = strings.Replace(text, fmt.Sprintf("version: %d", newest.Version), fmt.Sprintf("version: %d", newest.Version+1), 1)
	text = regexp.MustCompile(`(?m)^set_rules:\n( *)-`).ReplaceAllString(text, "set_rules:\n$1- {id: free, title: 自由查询, kind: sql, params: {sql: \""+sql+"\"}, blocking: true, responsible: 市级, indicator: \"040203\"}\n$1-")
	check(t, h.editor.Apply(t.Context(), fstest.MapFS{"resident.yaml": {Data: []byte(text)}}))
	sets = begin()
	put(append(sets, set("few", "row_count", "至少十行", map[string]string{"min": "4"})))
	if len(sets) != 4 || len(d.Faults) != 0 || len(d.Diff) != 1 {
		t.Fatalf("an operator's free statement that stands: %d set rules, faults %v, diff %v", len(sets), d.Faults, d.Diff)
	}
	if r := try(map[string]any{}); r.SetRules[0].Rule != "free" || !r.SetRules[0].Same || r.SetRules[0].Draft.Status != "fail" || r.SetRules[0].Draft.Failed != 1 || r.SetRules[0].Draft.Evaluated != 4 {
		t.Errorf("an operator's free statement: %+v", r.SetRules)
	}
	(*sets[0].Params)["sql"] = sql + " WHERE 1"
	if put(sets); len(d.Faults) != 1 || d.Faults[0].At != 0 {
		t.Errorf("an operator's free statement in other words: %+v", d.Faults)
	}
}

// draftRebased: a draft whose version has moved on is told so, and takes over what it did
// not touch.
func draftRebased(t *testing.T, h *house) {
	base := h.lib.Dataset("resident").Version
	const drafts = "/v1/quality/drafts"
	var first, second api.RuleDraft
	h.good(h.call("steward", "POST", drafts, map[string]any{"dataset": "resident"}), &first)
	h.good(h.call("steward", "POST", drafts, map[string]any{"dataset": "resident"}), &second)
	set := func(d *api.RuleDraft, id, param, v string) {
		(*ruleNamed(d.Rules, id).Params)[param] = v
	}
	put := func(d *api.RuleDraft) {
		h.good(h.call("steward", "PUT", drafts+"/"+d.Id, map[string]any{"rev": d.Rev, "rules": d.Rules}), d)
	}
	set(&first, "name.length", "min", "5")
	set(&first, "status.enum", "values", "正常")
	put(&first)
	set(&second, "name.length", "min", "4")
	set(&second, "name.two", "min", "1")
	put(&second)
	h.good(h.call("steward", "POST", drafts+"/"+first.Id+"/backtest", map[string]any{}), nil)
	h.tried("steward", first.Id)
	h.good(h.call("steward", "POST", drafts+"/"+first.Id+"/activate", map[string]any{"rev": first.Rev, "reason": "先启用"}), nil)

	w := h.call("steward", "POST", drafts+"/"+second.Id+"/activate", map[string]any{"rev": second.Rev, "reason": "后启用"})
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "变基") {
		t.Errorf("activation on an old base: %d %s", w.Code, w.Body)
	}
	var r api.RuleRebase
	h.good(h.call("steward", "POST", drafts+"/"+second.Id+"/rebase", map[string]any{"rev": second.Rev}), &r)
	params := func(id string) string { return fmt.Sprint(*ruleNamed(r.Draft.Rules, id).Params) }
	if fmt.Sprint(r.Both) != "[name.length]" || r.Draft.Base != int(base)+1 || params("name.length") != "map[max:50 min:4]" || params("status.enum") != "map[values:正常]" || params("name.two") != "map[min:1]" {
		t.Errorf("rebased: both %v, base %d, %s %s %s", r.Both, r.Draft.Base, params("name.length"), params("status.enum"), params("name.two"))
	}
	if w := h.call("steward", "DELETE", fmt.Sprintf("%s/%s?rev=%d", drafts, second.Id, r.Draft.Rev), nil); w.Code != 204 {
		t.Errorf("drop: %d %s", w.Code, w.Body)
	}
	if w := h.call("steward", "DELETE", fmt.Sprintf("%s/%s?rev=%d", drafts, first.Id, first.Rev+1), nil); w.Code != 409 {
		t.Errorf("drop of an active draft: %d %s", w.Code, w.Body)
	}
	var list []api.RuleDraftRow
	h.get("steward", drafts+"?dataset=resident", &list)
	if len(list) != 2 || list[0].State != "active" || list[0].Version != int(base)+1 {
		t.Errorf("drafts: %+v", list)
	}
}

// draftKilled: killed before the version is there, a draft is open again; killed after it,
// it is active.
func draftKilled(t *testing.T, h *house) {
	// In this order: what is active already changes nothing.
	for _, kill := range [][2]string{{pipeline.DraftClaimed, "open"}, {pipeline.DraftApplied, "active"}} {
		stage, want := kill[0], kill[1]
		t.Run(want, func(t *testing.T) {
			h.t = t
			const drafts = "/v1/quality/drafts"
			var d api.RuleDraft
			h.good(h.call("steward", "POST", drafts, map[string]any{"dataset": "resident", "yaml": "rules:\n- {id: a, title: 姓名已填, kind: not_null, columns: [name], params: {}, indicator: \"020100\"}\n"}), &d)
			h.good(h.call("steward", "PUT", drafts+"/"+d.Id, map[string]any{"rev": 1, "rules": append(keep(h), d.Rules...), "set_rules": []any{}}), &d)
			if len(d.Faults) > 0 {
				t.Fatal(d.Faults)
			}
			h.good(h.call("steward", "POST", drafts+"/"+d.Id+"/backtest", map[string]any{"share": 0.5, "seed": 3}), nil)
			h.tried("steward", d.Id)
			h.editor.Passed = func(at string) {
				if at == stage {
					panic("killed")
				}
			}
			func() {
				defer func() {
					if recover() == nil {
						t.Error("not killed")
					}
				}()
				_, _ = h.editor.Activate(t.Context(), h.people["steward"], d.Id, d.Rev, "试行")
			}()
			h.get("steward", drafts+"/"+d.Id, &d)
			if d.State != "activating" {
				t.Errorf("after the kill: %s", d.State)
			}
			h.editor.Passed = nil
			check(t, h.editor.Open(t.Context()))
			h.get("steward", drafts+"/"+d.Id, &d)
			if string(d.State) != want {
				t.Errorf("after the start: %s, want %s", d.State, want)
			}
		})
	}
}

// keep are the strong rules that the required columns of residents need.
func keep(h *house) (out []api.RuleSpec) {
	var d api.RuleDraft
	h.good(h.call("steward", "POST", "/v1/quality/drafts", map[string]any{"dataset": "resident"}), &d)
	for _, r := range d.Rules {
		if r.Kind == "not_null" && *r.Blocking {
			out = append(out, r)
		}
	}
	return out
}
