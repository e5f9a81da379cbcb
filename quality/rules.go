package quality

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"mulu"
	"mulu/internal/declare"
	"mulu/quality/codes"
)

// Ruleset is a dataset version's row rules, compiled. It is safe for concurrent use.
type Ruleset struct {
	dataset *mulu.Dataset
	rules   []rule
}

// rule is one compiled row rule. judge marks the rows that break it and says how
// many it looked at.
type rule struct {
	mulu.Rule
	judge  func(b *batch, fail bitmap) (evaluated int64)
	reason string // Chinese: what is wrong and how to mend it
}

// kind compiles a rule of one kind; docs/rules.md has the table.
type kind struct {
	columns int // how many it needs
	types   []mulu.Type
	params  []string // known parameters; "!" before a required one
	compile func(*scope) (judge func(*batch, bitmap) int64, reason string, err error)
}

// scope is what a kind compiles from.
type scope struct {
	rule   mulu.Rule
	cols   []mulu.Column
	at     []int // positions of cols in the record
	tables *codes.Tables
}

var kinds = map[string]kind{
	"not_null":         {columns: 1, compile: compileNotNull},
	"length":           {columns: 1, types: text, params: []string{"min", "max"}, compile: compileLength},
	"fixed_length":     {columns: 1, types: text, params: []string{"!length"}, compile: compileFixedLength},
	"pattern":          {columns: 1, types: text, params: []string{"!pattern"}, compile: compilePattern},
	"enum":             {columns: 1, types: text, params: []string{"!values"}, compile: compileEnum},
	"code":             {columns: 1, types: text, params: []string{"!table"}, compile: compileCode},
	"range":            {columns: 1, types: []mulu.Type{mulu.Int, mulu.Decimal}, params: []string{"min", "max"}, compile: compileRange},
	"date_range":       {columns: 1, types: []mulu.Type{mulu.Date, mulu.DateTime}, params: []string{"min", "max"}, compile: compileDateRange},
	"order":            {columns: 2, types: []mulu.Type{mulu.Date, mulu.DateTime, mulu.Int}, compile: compileOrder},
	"gb11643":          {columns: 1, types: text, compile: compileCitizen},
	"gb32100":          {columns: 1, types: text, compile: compileCredit},
	"mobile":           {columns: 1, types: text, compile: compileMobile},
	"gbt17710":         {columns: 1, types: text, compile: compileRegistration},
	"luhn":             {columns: 1, types: text, compile: compileLuhn},
	"division":         {columns: 1, types: text, compile: compileDivision},
	"birth_matches_id": {columns: 2, compile: compileBirthMatches},
	"sex_matches_id":   {columns: 2, types: text, compile: compileSexMatches},
}

var text = []mulu.Type{mulu.String}

// RuleKinds lists the kinds of row rule, in alphabetical order.
func RuleKinds() []string {
	names := make([]string, 0, len(kinds))
	for k := range kinds {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// Compile makes a dataset version's row rules ready. Its error holds every fault of
// the declaration, each naming its rule, and wraps mulu.ErrInvalid.
func Compile(ds *mulu.Dataset, tables *codes.Tables) (*Ruleset, error) {
	rs := &Ruleset{dataset: ds, rules: make([]rule, len(ds.Rules))}
	var faults []error
	if len(ds.Rules) > 64 {
		faults = append(faults, fmt.Errorf("dataset %s has %d row rules, at most 64: %w", ds.Code, len(ds.Rules), mulu.ErrInvalid))
	}
	for i, r := range ds.Rules {
		c, err := compileRule(ds, r, tables)
		if err != nil {
			faults = append(faults, fmt.Errorf("rule %s of %s: %w: %w", r.ID, ds.Code, err, mulu.ErrInvalid))
		}
		rs.rules[i] = c
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return rs, nil
}

// CheckRules gives the faults of a declared dataset's rules, for declarations.
func CheckRules(tables *codes.Tables) func(*mulu.Dataset) []declare.RuleFault {
	return func(ds *mulu.Dataset) (faults []declare.RuleFault) {
		for _, r := range ds.Rules {
			if _, err := compileRule(ds, r, tables); err != nil {
				faults = append(faults, declare.RuleFault{Rule: r.ID, Message: err.Error()})
			}
		}
		return faults
	}
}

func compileRule(ds *mulu.Dataset, r mulu.Rule, tables *codes.Tables) (rule, error) {
	k, ok := kinds[r.Kind]
	if !ok {
		return rule{}, fmt.Errorf("没有规则种类 %q，可用的有 %v", r.Kind, RuleKinds())
	}
	if len(r.Columns) != k.columns {
		return rule{}, fmt.Errorf("规则种类 %s 需要 %d 个数据项，给了 %d 个", r.Kind, k.columns, len(r.Columns))
	}
	s := &scope{rule: r, tables: tables}
	for _, name := range r.Columns {
		i := ds.Column(name)
		if i < 0 {
			return rule{}, fmt.Errorf("数据集没有数据项 %q", name)
		}
		if c := ds.Columns[i]; k.types != nil && !slices.Contains(k.types, c.Type) {
			return rule{}, fmt.Errorf("规则种类 %s 不适用于 %s 类型的数据项 %q", r.Kind, c.Type, name)
		}
		s.cols, s.at = append(s.cols, ds.Columns[i]), append(s.at, i)
	}
	if err := checkParams(r, k.params); err != nil {
		return rule{}, err
	}
	judge, reason, err := k.compile(s)
	return rule{Rule: r, judge: judge, reason: reason}, err
}

func checkParams(r mulu.Rule, known []string) error {
	var faults []error
	for p := range r.Params {
		if !slices.Contains(known, p) && !slices.Contains(known, "!"+p) {
			faults = append(faults, fmt.Errorf("规则种类 %s 没有参数 %q", r.Kind, p))
		}
	}
	for _, p := range known {
		if p[0] == '!' && r.Params[p[1:]] == "" {
			faults = append(faults, fmt.Errorf("规则种类 %s 缺少参数 %q", r.Kind, p[1:]))
		}
	}
	return errors.Join(faults...)
}

// intParam reads a whole-number parameter, or gives otherwise if it is absent.
func (s *scope) intParam(name string, otherwise int64) (int64, error) {
	v, ok := s.rule.Params[name]
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("参数 %s=%q 应为整数", name, v)
	}
	return n, nil
}

func (s *scope) title() string {
	if t := s.cols[0].Title; t != "" {
		return t
	}
	return s.cols[0].Name
}

// skips says whether placeholder words are left out of what a rule judges: under a
// soft rule they count as not filled in, under a blocking one they must pass.
func (s *scope) skips() bool { return !s.rule.Blocking }

// beijing is where "today" is.
var beijing = time.FixedZone("Asia/Shanghai", 8*3600)
