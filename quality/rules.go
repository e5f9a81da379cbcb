package quality

import (
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/declare"
	"mulu/quality/codes"
)

// Ruleset is a dataset version's row rules, compiled. It is safe for concurrent use.
type Ruleset struct {
	dataset *mulu.Dataset
	rules   []rule
	whens   []condition // of rules that have one; equal texts share it
}

// verdict is what a kind compiles to: it marks the rows of a batch that break the rule
// and says how many it looked at.
type verdict = func(b *batch, fail bitmap) (evaluated int64)

// rule is one compiled row rule.
type rule struct {
	mulu.Rule
	judge   verdict
	reason  string   // Chinese: what is wrong and how to mend it
	reasons []string // in its place for failures that the kind tells apart
	when    int      // index of its condition, -1 for none
}

// Compile makes a dataset version's row rules ready. Its error holds every fault of
// the declaration, each naming its rule, and wraps mulu.ErrInvalid.
func Compile(ds *mulu.Dataset, tables *codes.Tables) (*Ruleset, error) {
	rs := &Ruleset{dataset: ds, rules: make([]rule, len(ds.Rules))}
	var faults []error
	if len(ds.Rules) > 64 {
		faults = append(faults, fmt.Errorf("dataset %s has %d row rules, at most 64: %w", ds.Code, len(ds.Rules), mulu.ErrInvalid))
	}
	whens := map[string]int{}
	for i, r := range ds.Rules {
		c, when, err := compileRule(ds, r, tables)
		if err != nil {
			faults = append(faults, fmt.Errorf("rule %s of %s: %w: %w", r.ID, ds.Code, err, mulu.ErrInvalid))
		}
		if when != nil {
			at, known := whens[r.When]
			if !known {
				at = len(rs.whens)
				whens[r.When] = at
				rs.whens = append(rs.whens, when)
			}
			c.when = at
		}
		rs.rules[i] = c
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return rs, nil
}

// CheckRules gives the faults of a declared dataset's row rules, for declarations: of
// their kinds, columns, parameters and conditions.
func CheckRules(tables *codes.Tables) func(*mulu.Dataset) []declare.RuleFault {
	return func(ds *mulu.Dataset) (faults []declare.RuleFault) {
		for _, r := range ds.Rules {
			_, _, err := compileRule(ds, r, tables)
			faults = append(faults, ruleFaults(r.ID, err)...)
		}
		for _, r := range ds.SetRules {
			_, err := compileSet(ds, r, nil)
			faults = append(faults, ruleFaults(r.ID, err)...)
		}
		return faults
	}
}

// compileRule tells every fault of a rule at once, the kind's own when the rest is sound.
func compileRule(ds *mulu.Dataset, r mulu.Rule, tables *codes.Tables) (rule, condition, error) {
	when, err := compileWhen(ds, r)
	faults := []error{inField("when", err)}
	if r.Mostly < 0 || r.Mostly > 1 {
		faults = append(faults, inField("mostly", fmt.Errorf("mostly 是合格比例，应在 0 到 1 之间，现在是 %v", r.Mostly)))
	}
	k, ok := kinds[r.Kind]
	if !ok {
		faults = append(faults, inField("kind", fmt.Errorf("没有规则种类 %q，可用的有 %v", r.Kind, RuleKinds())))
		return rule{}, nil, errors.Join(faults...)
	}
	s := &scope{kind: k, rule: r, dataset: ds, tables: tables}
	faults = append(faults, k.checkColumns(s), k.checkParams(s))
	if err := errors.Join(faults...); err != nil {
		return rule{}, nil, err
	}
	judge, reason, err := k.compile(s)
	return rule{Rule: r, judge: judge, reason: reason, reasons: s.reasons, when: -1}, when, err
}

func compileWhen(ds *mulu.Dataset, r mulu.Rule) (condition, error) {
	if r.When == "" {
		return nil, nil
	}
	when, err := compileCondition(r.When, ds)
	if err != nil {
		return nil, fmt.Errorf("条件 when 有误：%w", err)
	}
	return when, nil
}

// beijing is where "today" is.
var beijing = time.FixedZone("Asia/Shanghai", 8*3600)
