package quality

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mulu"
	"mulu/plan/expr"
	"mulu/quality/codes"
)

// KindInfo describes a kind of row rule to whoever writes one: a person with an editor,
// an importer, the documentation.
type KindInfo struct {
	Name  string // as rules name it
	Title string // Chinese
	Theme string // Chinese: the group it is shown in
	Says  string // Chinese: what a row must be
	// Indicator is the DB31/T 1523-2024 code it usually counts under.
	Indicator string
	// Least and Most columns it judges; Most 0 is any number.
	Least, Most int
	// Types each column may have, by position, the last for all that follow; nil is any.
	Types [][]mulu.Type
	// Roles of the columns by position, Chinese, where they differ.
	Roles  []string
	Params []ParamInfo
	// EveryRow says that rows without a value are judged, too.
	EveryRow bool
}

// ParamInfo describes one parameter of a kind.
type ParamInfo struct {
	Name     string
	Title    string // Chinese
	Type     ParamType
	Required bool
	Default  string   // what an absent one means; "" says it in the title
	Choices  []string // of ParamChoice; of ParamList, the values it may have, nil is any
}

// ParamType says how a parameter is written, always as text.
type ParamType string

// The types of parameter.
const (
	ParamText       ParamType = "text"
	ParamInt        ParamType = "int"      // not negative
	ParamNumber     ParamType = "number"   // a decimal
	ParamDay        ParamType = "day"      // YYYY-MM-DD, today, today-30, today+365
	ParamPattern    ParamType = "pattern"  // RE2
	ParamPatterns   ParamType = "patterns" // one per line
	ParamList       ParamType = "list"     // with commas between
	ParamBool       ParamType = "bool"
	ParamChoice     ParamType = "choice"
	ParamColumn     ParamType = "column"     // another data item
	ParamTable      ParamType = "table"      // a code table
	ParamExpression ParamType = "expression" // of plan/expr
)

// kind is a kind of row rule: what it is, and how it is compiled.
type kind struct {
	KindInfo
	compile func(*scope) (judge verdict, reason string, err error)
}

// textKind is a kind that judges one text, as most do.
func textKind(name, title, indicator, says string, compile func(*scope) (verdict, string, error), params ...ParamInfo) kind {
	return kind{KindInfo{Name: name, Title: title, Indicator: indicator, Says: says, Least: 1, Most: 1, Types: text, Params: params}, compile}
}

// themes are the kinds in the order they are shown; docs/rules.md has the same tables.
var themes = []struct {
	title string
	kinds []kind
}{
	{"完整 / completeness", filledKinds},
	{"文本 / text", textKinds},
	{"字符 / characters", characterKinds},
	{"格式 / formats", formatKinds},
	{"取值 / values", valueKinds},
	{"数与日期 / numbers and dates", numberKinds},
	{"数项之间 / between items", betweenKinds},
	{"人员 / persons", personKinds},
	{"法人 / organisations", firmKinds},
	{"地点 / places", placeKinds},
	{"证照与编号 / licences and numbers", licenceKinds},
}

// kinds are all of them by name.
var kinds = func() map[string]*kind {
	m := map[string]*kind{}
	for t := range themes {
		for i := range themes[t].kinds {
			k := &themes[t].kinds[i]
			k.Theme = themes[t].title
			m[k.Name] = k
		}
	}
	return m
}()

// Kinds describes every kind of row rule, theme by theme.
func Kinds() []KindInfo {
	var out []KindInfo
	for _, t := range themes {
		for i := range t.kinds {
			out = append(out, t.kinds[i].KindInfo)
		}
	}
	return out
}

// RuleKinds lists the kinds of row rule, in alphabetical order.
func RuleKinds() []string {
	names := make([]string, 0, len(kinds))
	for k := range kinds {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// What columns may be.
var (
	text      = [][]mulu.Type{{mulu.String}}
	numeric   = [][]mulu.Type{{mulu.Int, mulu.Decimal}}
	decimals  = [][]mulu.Type{{mulu.Decimal}}
	calendars = [][]mulu.Type{{mulu.Date, mulu.DateTime}}
	ordered   = [][]mulu.Type{{mulu.Date, mulu.DateTime, mulu.Int, mulu.Decimal, mulu.String}}
)

// checkColumns finds a rule's columns in its dataset.
func (k *kind) checkColumns(s *scope) error {
	n := len(s.rule.Columns)
	if n < k.Least || k.Most > 0 && n > k.Most {
		return inField("columns", fmt.Errorf("规则种类 %s 需要 %s 个数据项，给了 %d 个", k.Name, howMany(k.Least, k.Most), n))
	}
	var faults []error
	for i, name := range s.rule.Columns {
		at := s.dataset.Column(name)
		if at < 0 {
			faults = append(faults, inField("columns", fmt.Errorf("数据集没有数据项 %q", name)))
			continue
		}
		c := s.dataset.Columns[at]
		if k.Types != nil {
			if may := k.Types[min(i, len(k.Types)-1)]; may != nil && !slices.Contains(may, c.Type) {
				faults = append(faults, inField("columns", fmt.Errorf("规则种类 %s 不适用于 %s 类型的数据项 %q；第 %d 个数据项应为 %s", k.Name, c.Type, name, i+1, typeNames(may))))
			}
		}
		s.cols, s.at = append(s.cols, c), append(s.at, at)
	}
	return errors.Join(faults...)
}

func howMany(least, most int) string {
	switch most {
	case least:
		return strconv.Itoa(least)
	case 0:
		return fmt.Sprintf("至少 %d", least)
	}
	return fmt.Sprintf("%d 至 %d", least, most)
}

func typeNames(types []mulu.Type) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t)
	}
	return strings.Join(names, " 或 ")
}

// checkParams refuses parameters a kind does not have, lacks, or can not read.
func (k *kind) checkParams(s *scope) error {
	var faults []error
	for name := range s.rule.Params {
		if k.param(name) == nil {
			faults = append(faults, inField("params."+name, fmt.Errorf("规则种类 %s 没有参数 %q%s", k.Name, name, k.known())))
		}
	}
	for i := range k.Params {
		p := &k.Params[i]
		v, given := s.rule.Params[p.Name]
		switch {
		case p.Required && v == "":
			faults = append(faults, inField("params."+p.Name, fmt.Errorf("规则种类 %s 缺少参数 %q（%s）", k.Name, p.Name, p.Title)))
		case given:
			if say := readable[p.Type](s, p, v); say != "" {
				faults = append(faults, inField("params."+p.Name, fmt.Errorf("参数 %s=%q %s", p.Name, v, say)))
			}
		}
	}
	return errors.Join(faults...)
}

func (k *kind) param(name string) *ParamInfo {
	for i := range k.Params {
		if k.Params[i].Name == name {
			return &k.Params[i]
		}
	}
	return nil
}

func (k *kind) known() string {
	if len(k.Params) == 0 {
		return "，它没有参数"
	}
	names := make([]string, len(k.Params))
	for i := range k.Params {
		names[i] = k.Params[i].Name
	}
	return "，可用的有 " + strings.Join(names, "、")
}

// maxPattern bounds a regular expression of a rule, like one of an expression.
const maxPattern = expr.MaxPattern

// readable says what is wrong with a parameter as it is written, by its type.
var readable = map[ParamType]func(*scope, *ParamInfo, string) string{
	ParamText: func(*scope, *ParamInfo, string) string { return "" },
	ParamInt: func(_ *scope, _ *ParamInfo, v string) string {
		if n, err := strconv.ParseInt(v, 10, 32); err != nil || n < 0 {
			return "应为不小于 0 的整数"
		}
		return ""
	},
	ParamNumber: func(_ *scope, _ *ParamInfo, v string) string {
		if !numberForm.MatchString(v) {
			return "应为数字，如 12.50"
		}
		return ""
	},
	ParamDay: func(_ *scope, _ *ParamInfo, v string) string {
		if _, err := readDay(v); err != nil {
			return "应为 YYYY-MM-DD、today、today-30 或 today+30"
		}
		return ""
	},
	ParamPattern: func(_ *scope, _ *ParamInfo, v string) string { return badPattern(v) },
	ParamPatterns: func(_ *scope, _ *ParamInfo, v string) string {
		for _, p := range lines(v) {
			if say := badPattern(p); say != "" {
				return say
			}
		}
		return ""
	},
	ParamList: func(_ *scope, p *ParamInfo, v string) string {
		for _, one := range splitList(v) {
			if p.Choices != nil && !slices.Contains(p.Choices, one) {
				return "中的 " + strconv.Quote(one) + " 应为 " + strings.Join(p.Choices, "、") + " 之一"
			}
		}
		return ""
	},
	ParamBool: func(_ *scope, _ *ParamInfo, v string) string {
		if v != "true" && v != "false" {
			return "应为 true 或 false"
		}
		return ""
	},
	ParamChoice: func(_ *scope, p *ParamInfo, v string) string {
		if !slices.Contains(p.Choices, v) {
			return "应为 " + strings.Join(p.Choices, "、") + " 之一"
		}
		return ""
	},
	ParamColumn: func(s *scope, _ *ParamInfo, v string) string {
		if s.dataset.Column(v) < 0 {
			return "不是数据集的数据项"
		}
		return ""
	},
	ParamTable: func(s *scope, _ *ParamInfo, v string) string {
		if _, err := s.tables.Table(v); err != nil {
			return "不是代码表；可用的有 " + strings.Join(s.tables.Names(), "、")
		}
		return ""
	},
	ParamExpression: func(s *scope, _ *ParamInfo, v string) string {
		if _, err := expr.Parse(v, expr.Columns(s.dataset)); err != nil {
			return "有误：" + err.Error()
		}
		return ""
	},
}

func badPattern(v string) string {
	if len(v) > maxPattern {
		return fmt.Sprintf("超过 %d 字节，请拆成几条规则", maxPattern)
	}
	if _, err := regexp.Compile(v); err != nil {
		return "不是正则表达式：" + err.Error()
	}
	return ""
}

// lines are those that are not empty.
func lines(s string) []string {
	return slices.DeleteFunc(strings.Split(strings.ReplaceAll(s, "\r", ""), "\n"), func(l string) bool { return l == "" })
}

var numberForm = regexp.MustCompile(`^-?\d{1,18}(\.\d{1,18})?$`)

// scope is what a kind compiles from. Its parameters were found readable.
type scope struct {
	kind    *kind
	rule    mulu.Rule
	dataset *mulu.Dataset
	cols    []mulu.Column
	at      []int // positions of cols in the record
	tables  *codes.Tables
	// reasons a kind gives for the failures it can tell apart: why 1 is the first.
	reasons []string
}

// param is a parameter as written, or what its absence means.
func (s *scope) param(name string) string {
	if v, ok := s.rule.Params[name]; ok {
		return v
	}
	return s.kind.param(name).Default
}

func (s *scope) given(name string) bool { return s.rule.Params[name] != "" }

func (s *scope) flag(name string) bool { return s.param(name) == "true" }

// intParam reads a whole number, or gives otherwise if it is absent.
func (s *scope) intParam(name string, otherwise int64) int64 {
	n, err := strconv.ParseInt(s.param(name), 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

// list reads a list; an absent one without default is empty.
func (s *scope) list(name string) []string {
	if v := s.param(name); v != "" {
		return splitList(v)
	}
	return nil
}

// splitList reads a parameter that is a list with commas between.
func splitList(s string) []string {
	var out []string
	for v := range strings.SplitSeq(s, ",") {
		out = append(out, strings.TrimSpace(v))
	}
	return out
}

func (s *scope) title() string { return titleOf(s.cols[0]) }

func titleOf(c mulu.Column) string {
	if c.Title != "" {
		return c.Title
	}
	return c.Name
}

// titles of all columns, for a reason that names them.
func (s *scope) titles() string {
	names := make([]string, len(s.cols))
	for i := range s.cols {
		names[i] = titleOf(s.cols[i])
	}
	return strings.Join(names, "、")
}

// skips says whether placeholder words are left out of what a rule judges: under a
// soft rule they count as not filled in, under a blocking one they must pass.
func (s *scope) skips() bool { return !s.rule.Blocking }
