package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"mulu"
	"mulu/internal/declare"
	"mulu/library"
	"mulu/quality"
	"mulu/quality/desk"
)

// Editor works on drafts of rules: it names their faults, shows them on real rows, tries
// them over history and puts them in force. A draft changes the rules of a dataset and
// nothing else: what is applied is the declaration that is in force, with other rules and
// the next version, by the same way as any declaration.
type Editor struct {
	Desk    *desk.Desk
	Library *library.Library
	// Dataset gives an applied version, 0 the newest.
	Dataset func(ctx context.Context, code mulu.DatasetCode, version uint32) (*mulu.Dataset, error)
	// Source gives the declaration of the newest version as it was applied.
	Source func(ctx context.Context, code mulu.DatasetCode) (string, error)
	// Load reads declarations and says every fault; Apply takes them over.
	Load  func(ctx context.Context, files fs.FS) (*declare.Set, error)
	Apply func(ctx context.Context, files fs.FS) error
	// Compile makes row rules ready, CheckRules says what is wrong with each.
	Compile    func(ds *mulu.Dataset) (*quality.Ruleset, error)
	CheckRules func(ds *mulu.Dataset) []declare.RuleFault
	// Known is what a run of a version's set rules knows besides the rows, Facts what its
	// score follows from besides them and the rules' results, Weights by which scheme.
	Known   func(ctx context.Context, ds *mulu.Dataset, now time.Time) (quality.RunInput, error)
	Facts   func(ctx context.Context, ds *mulu.Dataset, now time.Time) (quality.Facts, error)
	Weights func() quality.Weights
	// Go runs a backtest until it ends or the house stops.
	Go func(func(ctx context.Context))
	// Activated is told each dataset that has other rules now. Nil is fine.
	Activated func(code mulu.DatasetCode)
	Now       func() time.Time
	Log       *slog.Logger
	// Passed is told each stage of an activation that has just been made durable; tests
	// stop there. Nil is fine.
	Passed func(stage string)

	mu       sync.Mutex // one activation at a time
	progress sync.Map   // backtest → rows so far
}

// Stages of an activation.
const (
	DraftClaimed = "draft claimed"
	DraftApplied = "draft applied"
)

// DraftFault is one thing wrong with a draft.
type DraftFault struct {
	Rule    mulu.RuleID // "" if it is of no rule
	Set     bool        // a set rule
	At      int         // place of the rule in its list, from 0; -1 if it is of no rule
	Field   string      // inside the rule, e.g. "params.max" or "columns[0]"; or in the declaration
	Message string      // Chinese, says how to mend it
}

// Open gives an editor what a crash left: drafts that were being activated are settled by
// whether their version is there, backtests that were running have failed.
func (e *Editor) Open(ctx context.Context) error {
	if err := e.Desk.BreakBacktests(ctx, e.Now()); err != nil {
		return err
	}
	claimed, err := e.Desk.ClaimedDrafts(ctx)
	if err != nil {
		return err
	}
	for i := range claimed {
		if err := e.settle(ctx, &claimed[i]); err != nil {
			return err
		}
	}
	return nil
}

// settle says of a claimed draft whether it is in force.
func (e *Editor) settle(ctx context.Context, d *desk.Draft) error {
	ds, err := e.Dataset(ctx, d.Dataset, d.Version)
	if err != nil && !errors.Is(err, mulu.ErrNotFound) {
		return err
	}
	active := err == nil && sameRules(ds.Rules, d.Rules) && sameRules(ds.SetRules, d.SetRules)
	return e.Desk.SettleDraft(ctx, d.ID, active)
}

// Check gives every fault of rules as a draft of a dataset would have them, nil if they
// could be put in force.
func (e *Editor) Check(ctx context.Context, code mulu.DatasetCode, rules []mulu.Rule, sets []mulu.SetRule) ([]DraftFault, error) {
	newest, err := e.Dataset(ctx, code, 0)
	if err != nil {
		return nil, err
	}
	_, faults, err := e.declared(ctx, newest, rules, sets)
	return faults, err
}

// declared is the declaration that puts rules in force, and what is wrong with it.
func (e *Editor) declared(ctx context.Context, newest *mulu.Dataset, rules []mulu.Rule, sets []mulu.SetRule) (text string, faults []DraftFault, err error) {
	source, err := e.Source(ctx, newest.Code)
	if err != nil {
		return "", nil, err
	}
	if text, err = withRules(source, newest.Version+1, rules, sets); err != nil {
		return "", nil, fmt.Errorf("declaration of %s: %w", newest.Code, err)
	}
	files, err := txtar.FS(&txtar.Archive{Files: []txtar.File{{Name: "draft.yaml", Data: []byte(text)}}})
	if err != nil {
		return "", nil, err
	}
	var bad declare.Faults
	_, err = e.Load(ctx, files)
	if err != nil && !errors.As(err, &bad) {
		return text, nil, err
	}
	faults = operatorsOnly(newest, sets)
	for _, f := range bad {
		faults = append(faults, placeFault(f.Path, f.Message, rules, sets))
	}
	return text, e.deepen(newest, rules, sets, faults), nil
}

// operatorsOnly refuses set rules of kinds that only an operator's declaration may bring,
// unless they stand as they are in force.
func operatorsOnly(newest *mulu.Dataset, sets []mulu.SetRule) (faults []DraftFault) {
	for i, r := range sets {
		if !quality.AdminOnly(r.Kind) {
			continue
		}
		if was := find(newest.SetRules, r.ID); was == nil || changed(*was, r) != nil {
			faults = append(faults, DraftFault{Rule: r.ID, Set: true, At: i, Field: "kind",
				Message: fmt.Sprintf("规则种类 %s 只能由运维人员在数据集声明中新增或修改；请删去本规则或恢复为现行的写法，或改用 cross、references 等种类 / only an operator's declaration may bring this kind", r.Kind)})
		}
	}
	return faults
}

// deepen adds what quality says of rules that the declaration has no fault with: its own
// check stops at the first kind of fault.
func (e *Editor) deepen(newest *mulu.Dataset, rules []mulu.Rule, sets []mulu.SetRule, faults []DraftFault) []DraftFault {
	told := map[mulu.RuleID]bool{}
	for _, f := range faults {
		told[f.Rule] = true
	}
	for _, f := range e.CheckRules(ruled(newest, rules, sets)) {
		if told[f.Rule] {
			continue
		}
		d := DraftFault{Rule: f.Rule, Field: f.Field, Message: f.Message, At: slices.IndexFunc(rules, func(r mulu.Rule) bool { return r.ID == f.Rule })}
		if d.At < 0 {
			d.Set, d.At = true, slices.IndexFunc(sets, func(r mulu.SetRule) bool { return r.ID == f.Rule })
		}
		faults = append(faults, d)
	}
	return faults
}

// ruled is a dataset version with other rules.
func ruled(ds *mulu.Dataset, rules []mulu.Rule, sets []mulu.SetRule) *mulu.Dataset {
	out := *ds
	out.Rules, out.SetRules = rules, sets
	return &out
}

// placeFault reads which rule a path of a declaration names: "rules[3].params.max".
func placeFault(path, message string, rules []mulu.Rule, sets []mulu.SetRule) DraftFault {
	f := DraftFault{At: -1, Field: path, Message: message}
	list, rest, ok := strings.Cut(path, "[")
	number, field, closed := strings.Cut(rest, "]")
	n, err := strconv.Atoi(number)
	if !ok || !closed || err != nil || n < 0 {
		return f
	}
	switch {
	case list == "rules" && n < len(rules):
		f.Rule = rules[n].ID
	case list == "set_rules" && n < len(sets):
		f.Rule, f.Set = sets[n].ID, true
	default:
		return f
	}
	f.At, f.Field = n, strings.TrimPrefix(field, ".")
	return f
}

// ruleDoc is a rule as declarations write it.
type ruleDoc struct {
	ID        string            `yaml:"id"`
	Title     string            `yaml:"title,omitempty"`
	Kind      string            `yaml:"kind"`
	Columns   []string          `yaml:"columns,flow,omitempty"`
	Params    map[string]string `yaml:"params,flow,omitempty"`
	When      string            `yaml:"when,omitempty"`
	Mostly    float64           `yaml:"mostly,omitempty"`
	Blocking  bool              `yaml:"blocking,omitempty"`
	Indicator string            `yaml:"indicator,omitempty"`
	Resp      string            `yaml:"responsible,omitempty"`
}

// withRules is a declaration with other rules and another version; all else stays as it
// was written.
func withRules(source string, version uint32, rules []mulu.Rule, sets []mulu.SetRule) (string, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(source), &doc); err != nil {
		return "", err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return "", fmt.Errorf("the stored declaration is no mapping: %w", mulu.ErrConflict)
	}
	rows, whole := make([]ruleDoc, len(rules)), make([]ruleDoc, len(sets))
	for i, r := range rules {
		rows[i] = ruleDoc{string(r.ID), r.Title, r.Kind, r.Columns, r.Params, r.When, r.Mostly, r.Blocking, r.Indicator, r.Responsible}
	}
	for i, r := range sets {
		whole[i] = ruleDoc{string(r.ID), r.Title, r.Kind, r.Columns, r.Params, r.When, r.Mostly, r.Blocking, r.Indicator, r.Responsible}
	}
	for _, put := range []struct {
		key   string
		value any
	}{{"version", version}, {"rules", rows}, {"set_rules", whole}} {
		if err := setKey(doc.Content[0], put.key, put.value); err != nil {
			return "", err
		}
	}
	out, err := yaml.Marshal(&doc)
	return string(out), err
}

func setKey(mapping *yaml.Node, key string, value any) error {
	var node yaml.Node
	if err := node.Encode(value); err != nil {
		return err
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content[i+1] = &node
			return nil
		}
	}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, &node)
	return nil
}

// ParseRules reads rules as declarations write them: a mapping with rules and set_rules.
func ParseRules(text string) ([]mulu.Rule, []mulu.SetRule, error) {
	var doc struct {
		Rules    []ruleDoc `yaml:"rules"`
		SetRules []ruleDoc `yaml:"set_rules"`
	}
	dec := yaml.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		return nil, nil, fmt.Errorf("规则不是合法的 YAML（%s）；请检查缩进、冒号后的空格和引号 / not YAML: %w", err, mulu.ErrInvalid)
	}
	rules, sets := make([]mulu.Rule, len(doc.Rules)), make([]mulu.SetRule, len(doc.SetRules))
	for _, list := range [][]ruleDoc{doc.Rules, doc.SetRules} {
		for i := range list {
			if list[i].Resp == "区级" { // need not be said, as in declarations
				list[i].Resp = ""
			}
		}
	}
	for i, r := range doc.Rules {
		rules[i] = mulu.Rule{ID: mulu.RuleID(r.ID), Title: r.Title, Kind: r.Kind, Columns: r.Columns, Params: r.Params, Blocking: r.Blocking, Indicator: r.Indicator, When: r.When, Mostly: r.Mostly, Responsible: r.Resp}
	}
	for i, r := range doc.SetRules {
		sets[i] = mulu.SetRule{ID: mulu.RuleID(r.ID), Title: r.Title, Kind: r.Kind, Columns: r.Columns, Params: r.Params, Blocking: r.Blocking, Indicator: r.Indicator, When: r.When, Mostly: r.Mostly, Responsible: r.Resp}
	}
	return rules, sets, nil
}

// RuleChange is one line of what a draft changes.
type RuleChange struct {
	Rule   mulu.RuleID
	Title  string
	Set    bool
	Change string   // "added", "changed", "dropped"
	Fields []string // of a changed rule
}

// Changes of a rule.
const (
	RuleAdded   = "added"
	RuleChanged = "changed"
	RuleSame    = "same"
	RuleDropped = "dropped"
)

// Diff is what rules change of a version, in the order of the rules, then what is dropped.
func Diff(base *mulu.Dataset, rules []mulu.Rule, sets []mulu.SetRule) []RuleChange {
	return append(diff(base.Rules, rules, false), diff(base.SetRules, sets, true)...)
}

// aRule is a mulu.Rule or a mulu.SetRule.
type aRule interface{ mulu.Rule | mulu.SetRule }

func diff[T aRule](base, now []T, set bool) (out []RuleChange) {
	for i := range now {
		id, title := nameOf(now[i])
		was := find(base, id)
		if was == nil {
			out = append(out, RuleChange{Rule: id, Title: title, Set: set, Change: RuleAdded})
		} else if fields := changed(*was, now[i]); fields != nil {
			out = append(out, RuleChange{Rule: id, Title: title, Set: set, Change: RuleChanged, Fields: fields})
		}
	}
	for i := range base {
		if id, title := nameOf(base[i]); find(now, id) == nil {
			out = append(out, RuleChange{Rule: id, Title: title, Set: set, Change: RuleDropped})
		}
	}
	return out
}

func nameOf[T aRule](r T) (id mulu.RuleID, title string) {
	switch r := any(r).(type) {
	case mulu.Rule:
		return r.ID, r.Title
	case mulu.SetRule:
		return r.ID, r.Title
	}
	return "", ""
}

func find[T aRule](list []T, id mulu.RuleID) *T {
	for i := range list {
		if have, _ := nameOf(list[i]); have == id {
			return &list[i]
		}
	}
	return nil
}

// changed names the fields in which two rules differ, as the API writes them.
func changed[T aRule](a, b T) (fields []string) {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		if !sameValue(x.Field(i), y.Field(i)) {
			fields = append(fields, strings.ToLower(x.Type().Field(i).Name))
		}
	}
	return fields
}

// sameValue does not tell an empty list or map from none.
func sameValue(a, b reflect.Value) bool {
	if k := a.Kind(); (k == reflect.Map || k == reflect.Slice) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

func sameRules[T aRule](a, b []T) bool {
	return slices.EqualFunc(a, b, func(x, y T) bool { return changed(x, y) == nil })
}

// Rebase moves an open draft to the newest version: rules that the draft did not touch
// become those in force, those that only the draft touched stay as the draft has them. It
// gives the rules that both changed, which stay as the draft has them and want a look.
func (e *Editor) Rebase(ctx context.Context, id string, rev int64) (desk.Draft, []mulu.RuleID, error) {
	d, err := e.Desk.Draft(ctx, id)
	if err != nil {
		return d, nil, err
	}
	base, err := e.Dataset(ctx, d.Dataset, d.Base)
	if err != nil {
		return d, nil, err
	}
	newest, err := e.Dataset(ctx, d.Dataset, 0)
	if err != nil {
		return d, nil, err
	}
	rules, both := merge(base.Rules, d.Rules, newest.Rules)
	sets, bothSets := merge(base.SetRules, d.SetRules, newest.SetRules)
	d.Base, d.Rules, d.SetRules, d.Rev = newest.Version, rules, sets, rev
	d, err = e.Desk.SaveDraft(ctx, d, e.Now())
	return d, append(both, bothSets...), err
}

// merge takes the changes from base to mine over to theirs.
func merge[T aRule](base, mine, theirs []T) (out []T, both []mulu.RuleID) {
	same := func(a, b *T) bool { return a == nil && b == nil || a != nil && b != nil && changed(*a, *b) == nil }
	take := func(id mulu.RuleID) *T {
		b, m, t := find(base, id), find(mine, id), find(theirs, id)
		switch {
		case same(b, m):
			return t
		case !same(b, t) && !same(m, t):
			both = append(both, id)
		}
		return m
	}
	done := map[mulu.RuleID]bool{}
	for _, list := range [][]T{mine, theirs} {
		for i := range list {
			id, _ := nameOf(list[i])
			if done[id] {
				continue
			}
			done[id] = true
			if r := take(id); r != nil {
				out = append(out, *r)
			}
		}
	}
	return out, both
}

// Activation is what an activation did.
type Activation struct {
	Draft       desk.Draft
	Version     uint32
	Declaration string // as it is in force now, for the files that declare the dataset
}

// Activate puts a draft in force as the next version of its dataset: from the end of each
// partition on, as every version (docs/adr/0017). It must have been tried over history as
// it is, and the version it changes must be the newest: mulu.ErrConflict else.
//
// Killed before the version is in the catalogue, the draft is open again after the next
// start; killed after it, the draft is active and history is judged as by any version.
func (e *Editor) Activate(ctx context.Context, who mulu.Actor, id string, rev int64, reason string) (Activation, error) {
	if strings.TrimSpace(reason) == "" {
		return Activation{}, fmt.Errorf("启用规则须写明理由 / say why: %w", mulu.ErrInvalid)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d, err := e.Desk.Draft(ctx, id)
	if err != nil {
		return Activation{}, err
	}
	newest, err := e.Dataset(ctx, d.Dataset, 0)
	if err != nil {
		return Activation{}, err
	}
	if d.Base != newest.Version {
		return Activation{}, fmt.Errorf("草稿 %s 改的是版本 %d，现在生效的已是版本 %d；请先变基到新版本（rebase），核对后重新历史试跑再启用 / the version has moved on, rebase first: %w", id, d.Base, newest.Version, mulu.ErrConflict)
	}
	if len(Diff(newest, d.Rules, d.SetRules)) == 0 && sameRules(newest.Rules, d.Rules) {
		return Activation{}, fmt.Errorf("草稿 %s 与生效的规则没有不同，不必启用 / nothing changes: %w", id, mulu.ErrInvalid)
	}
	text, faults, err := e.declared(ctx, newest, d.Rules, d.SetRules)
	if err != nil {
		return Activation{}, err
	}
	if len(faults) > 0 {
		return Activation{}, fmt.Errorf("草稿 %s 有 %d 处错误，第一处：%s / the draft has faults: %w", id, len(faults), faults[0].Message, mulu.ErrInvalid)
	}
	tried, err := e.Desk.BacktestOf(ctx, id, d.Digest)
	if err != nil {
		return Activation{}, err
	}
	if tried == nil {
		return Activation{}, fmt.Errorf("草稿 %s 的现有内容尚未历史试跑；请先试跑，看过结果再启用 / try it over history first: %w", id, mulu.ErrConflict)
	}
	version := newest.Version + 1
	if err := e.Desk.ClaimDraft(ctx, id, rev, version, who.ID, reason); err != nil {
		return Activation{}, err
	}
	e.passed(DraftClaimed)
	applied := e.apply(ctx, text)
	if applied == nil {
		e.passed(DraftApplied)
	}
	d.Version = version
	if err := errors.Join(applied, e.settle(context.WithoutCancel(ctx), &d)); err != nil {
		return Activation{}, fmt.Errorf("activate draft %s: %w", id, err)
	}
	if d, err = e.Desk.Draft(ctx, id); err != nil {
		return Activation{}, err
	}
	e.Log.Info("rules activated", "draft", id, "dataset", d.Dataset, "version", version, "by", who.ID)
	if e.Activated != nil {
		e.Activated(d.Dataset)
	}
	return Activation{Draft: d, Version: version, Declaration: text}, nil
}

func (e *Editor) apply(ctx context.Context, text string) error {
	files, err := txtar.FS(&txtar.Archive{Files: []txtar.File{{Name: "draft.yaml", Data: []byte(text)}}})
	if err != nil {
		return err
	}
	return e.Apply(ctx, files)
}

func (e *Editor) passed(stage string) {
	if e.Passed != nil {
		e.Passed(stage)
	}
}
