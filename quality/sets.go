package quality

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/plan"
	"mulu/plan/expr"
	"mulu/quality/band"
)

// Types of parameter that set rules alone have.
const (
	ParamDataset ParamType = "dataset" // the code of another dataset
	ParamColumns ParamType = "columns" // data items with commas between; of the other dataset, if there is one
	ParamSpan    ParamType = "span"    // 12小时, 3天 or 36h
	ParamSQL     ParamType = "sql"     // one SELECT
)

// setKind is a kind of set rule: what it is, and how a rule of it is made ready.
type setKind struct {
	KindInfo
	compile func(*setScope) (setRule, error)
}

// setRule is one set rule made ready: what it asks of the library, and how it judges the
// answers. Statements are not its business: Run puts what many rules ask into few.
type setRule struct {
	asks  []question
	judge func(r *Result, a *answers)
	// metric is kept per day under this name, for bands; "" keeps none.
	metric string
	sql    string // of the kind sql
}

// question is one measure. Of another dataset, if it names one; over a lookup, if it has one.
type question struct {
	dataset mulu.DatasetCode
	lookup  *plan.Lookup
	measure plan.Measure
}

// answers are what a rule's asks came out as, and what a run knows besides.
type answers struct {
	in     *RunInput
	values []any
	metric float64 // what a rule with a metric measured, NaN for nothing
}

// number is an answer, false if there was nothing to measure.
func (a *answers) number(i int) (float64, bool) {
	f, ok := a.values[i].(float64)
	return f, ok
}

func (a *answers) count(i int) int64 {
	f, _ := a.number(i)
	return int64(f)
}

func (a *answers) list(i int) []float64 {
	l, _ := a.values[i].([]float64)
	return l
}

// setScope is what a set rule is made from. Faults are collected, so that all of a
// rule's are told at once.
type setScope struct {
	rule     mulu.SetRule
	ds       *mulu.Dataset
	datasets plan.Datasets // nil: references to others are not looked at
	lookups  []plan.Lookup
	faults   []error
}

func (s *setScope) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Errorf(format, args...))
}

// faultIn is a fault of one field of the rule.
func (s *setScope) faultIn(field, format string, args ...any) {
	s.faults = append(s.faults, inField(field, fmt.Errorf(format, args...)))
}

func (s *setScope) param(name string) string { return strings.TrimSpace(s.rule.Params[name]) }

func (s *setScope) has(name string) bool { return s.param(name) != "" }

func (s *setScope) number(name string, otherwise float64) float64 {
	if !s.has(name) {
		return otherwise
	}
	f, err := strconv.ParseFloat(s.param(name), 64)
	if err != nil || f-f != 0 {
		s.faultIn("params."+name, "参数 %s=%q 应为数 / not a number", name, s.param(name))
	}
	return f
}

func (s *setScope) list(name string) []string {
	var out []string
	for v := range strings.SplitSeq(s.param(name), ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

func (s *setScope) numbers(name string) []float64 {
	var out []float64
	for _, v := range s.list(name) {
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || f-f != 0 {
			s.faultIn("params."+name, "参数 %s 中的 %q 应为数 / not a number", name, v)
		}
		out = append(out, f)
	}
	return out
}

func (s *setScope) span(name string, otherwise time.Duration) time.Duration {
	if !s.has(name) {
		return otherwise
	}
	text, unit := s.param(name), time.Duration(0)
	for suffix, u := range map[string]time.Duration{"天": 24 * time.Hour, "小时": time.Hour} {
		if n, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = strings.TrimSpace(n), u
		}
	}
	if unit == 0 {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			s.faultIn("params."+name, "参数 %s=%q 应形如 3天、12小时 或 36h / not a span of time", name, text)
		}
		return d
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		s.faultIn("params."+name, "参数 %s=%q 应形如 3天、12小时 或 36h / not a span of time", name, s.param(name))
	}
	return time.Duration(n) * unit
}

// column is the i-th column of the rule.
func (s *setScope) column(i int) mulu.Column { return s.ds.Columns[s.ds.Column(s.rule.Columns[i])] }

// named is the column a parameter names.
func (s *setScope) named(param string, types ...mulu.Type) string {
	name := s.param(param)
	i := s.ds.Column(name)
	if i < 0 || len(types) > 0 && !slices.Contains(types, s.ds.Columns[i].Type) {
		s.faultIn("params."+param, "参数 %s=%q 不是本数据集的数据项，或类型不合适 / not a fitting data item", param, name)
	}
	return name
}

// condition parses an expression over the base and the rule's lookups.
func (s *setScope) condition(param, text string) plan.Predicate {
	view := plan.View{Base: s.ds.Code, Lookups: s.lookups}
	datasets := func(code mulu.DatasetCode) *mulu.Dataset {
		if code == s.ds.Code {
			return s.ds
		}
		if s.datasets == nil {
			return nil
		}
		return s.datasets(code)
	}
	n, err := expr.Parse(text, func(name string) (expr.Item, error) {
		f, err := view.Field(name, datasets)
		if err != nil {
			return expr.Item{}, fmt.Errorf("没有数据项 %q / no item %q", name, name)
		}
		return expr.Item{Type: f.Type, Scale: f.Scale}, nil
	})
	if err != nil {
		field := param
		if field != "when" {
			field = "params." + param
		}
		s.faultIn(field, "%s: %w", param, err)
		return plan.Predicate{}
	}
	return plan.Predicate{Expr: n}
}

// when are the rows the rule is about.
func (s *setScope) when() plan.Predicate {
	if strings.TrimSpace(s.rule.When) == "" {
		return plan.Predicate{}
	}
	return s.condition("when", s.rule.When)
}

// both joins conditions.
func both(ps ...plan.Predicate) plan.Predicate {
	var all []plan.Predicate
	for i := range ps {
		if !ps[i].Empty() {
			all = append(all, ps[i])
		}
	}
	switch len(all) {
	case 0:
		return plan.Predicate{}
	case 1:
		return all[0]
	}
	return plan.Predicate{All: all}
}

func isNot(p plan.Predicate) plan.Predicate { return plan.Predicate{Not: &p} }

func filled(column string) plan.Predicate {
	return isNot(plan.Predicate{Field: column, Op: plan.IsNull})
}

// among holds for a column's values that are in a set written as text.
func (s *setScope) among(col mulu.Column, values []string) plan.Predicate {
	if col.Type == mulu.String {
		return plan.Predicate{Field: col.Name, Op: plan.In, Value: values}
	}
	any := []plan.Predicate{}
	for _, v := range values {
		p := plan.Predicate{Field: col.Name, Op: plan.Eq, Value: v}
		switch col.Type {
		case mulu.Int:
			n, err := strconv.ParseInt(v, 10, 64)
			if p.Value = n; err != nil {
				s.fault("取值 %q 应为整数 / not a whole number", v)
			}
		case mulu.Bool:
			p.Value = v == "true"
		}
		if _, err := p.Bound(plan.Field{Type: col.Type, Scale: col.Scale}); err != nil {
			s.fault("取值 %q 不是 %s / not a %s", v, col.Type, col.Type)
		}
		any = append(any, p)
	}
	return plan.Predicate{Any: any}
}

// other is the dataset a parameter names, nil if others are not looked at.
func (s *setScope) other() *mulu.Dataset {
	code := mulu.DatasetCode(s.param("dataset"))
	if s.datasets == nil {
		return nil
	}
	ds := s.datasets(code)
	if ds == nil {
		s.faultIn("params.dataset", "没有数据集 %q；请先装入它的声明 / no such dataset", code)
	}
	return ds
}

// lookup is the other dataset joined by the parameters dataset, on, to and order_by.
// The rule's columns are the keys here where keys says so.
func (s *setScope) lookup(name string, kind plan.LookupKind, on []string) *plan.Lookup {
	l := &plan.Lookup{Name: name, Dataset: mulu.DatasetCode(s.param("dataset")), Kind: kind, On: on}
	if to := s.list("to"); to != nil && !slices.Equal(to, on) {
		l.To = to
	}
	if kind == plan.Latest {
		l.OrderBy = s.param("order_by")
		l.ByVersion = l.OrderBy == ""
	}
	if len(on) == 0 {
		s.fault("缺少关联用的数据项 / nothing to join on")
		return l
	}
	if s.other() == nil {
		return l
	}
	sum := plan.Summary{Dataset: s.ds.Code, Lookups: []plan.Lookup{*l}, Measures: []plan.Measure{{As: "rows", Kind: plan.Rows}}}
	if err := sum.Validate(s.resolve); err != nil {
		s.fault("关联有误，请核对 dataset、to 和数据项类型 / the join does not fit: %w", err)
	}
	return l
}

func (s *setScope) resolve(code mulu.DatasetCode) *mulu.Dataset {
	if code == s.ds.Code {
		return s.ds
	}
	return s.datasets(code)
}

// bounds are what a number is held to.
type bounds struct {
	min, max       float64
	below, atLeast bool // there is a max; a min
}

func (s *setScope) bounds() bounds {
	b := bounds{min: s.number("min", 0), max: s.number("max", 0), atLeast: s.has("min"), below: s.has("max")}
	switch {
	case !b.atLeast && !b.below:
		s.fault("规则种类 %s 需要 min 或 max / min or max is needed", s.rule.Kind)
	case b.atLeast && b.below && b.min > b.max:
		s.fault("min 大于 max / min is above max")
	}
	return b
}

func (b bounds) holds(x float64) bool {
	return (!b.atLeast || x >= b.min) && (!b.below || x <= b.max)
}

func (b bounds) String() string {
	switch {
	case !b.below:
		return "≥ " + shown(b.min)
	case !b.atLeast:
		return "≤ " + shown(b.max)
	}
	return shown(b.min) + " 至 " + shown(b.max)
}

// shown is a number as a person reads it.
func shown(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// measured judges one number against bounds: one element, which holds or does not.
func (r *Result) measured(x float64, ok bool, b interface {
	holds(float64) bool
	String() string
}) {
	r.Expected = b.String()
	if !ok {
		r.Status, r.Message = Skipped, "没有可度量的值"
		return
	}
	r.Observed, r.Evaluated = x, 1
	if !b.holds(x) {
		r.Failed, r.Message = 1, "度量值 "+shown(x)+" 不在 "+b.String()+" 之内"
	}
}

// counted judges elements of which some are at fault.
func (r *Result) counted(evaluated, failed int64, say string) {
	r.Evaluated, r.Failed = evaluated, min(max(failed, 0), evaluated)
	r.Observed = r.Failed
	if r.Failed > 0 {
		r.Message = fmt.Sprintf("%d 个中有 %d 个%s", r.Evaluated, r.Failed, say)
	}
}

// compileSet makes a set rule ready, or says everything that is wrong with it.
func compileSet(ds *mulu.Dataset, r mulu.SetRule, datasets plan.Datasets) (setRule, error) {
	k, ok := setKinds[r.Kind]
	if !ok {
		return setRule{}, inField("kind", fmt.Errorf("没有数据集规则种类 %q，可用的有 %v / no such kind", r.Kind, SetKinds()))
	}
	s := &setScope{rule: r, ds: ds, datasets: datasets}
	s.checkColumns(&k.KindInfo)
	s.checkParams(k.Params)
	if err := errors.Join(s.faults...); err != nil {
		return setRule{}, err
	}
	out, err := k.compile(s)
	return out, errors.Join(append(s.faults, err)...)
}

func (s *setScope) checkColumns(k *KindInfo) {
	if n := len(s.rule.Columns); n < k.Least || k.Most > 0 && n > k.Most || k.Most < 0 && n > 0 {
		s.faultIn("columns", "规则种类 %s 给了 %d 个数据项，%s / columns", k.Name, n, wanted(k))
	}
	for i, name := range s.rule.Columns {
		at := s.ds.Column(name)
		if at < 0 {
			s.faultIn("columns", "数据集没有数据项 %q / no such data item", name)
			continue
		}
		if len(k.Types) == 0 {
			continue
		}
		if types := k.Types[min(i, len(k.Types)-1)]; types != nil && !slices.Contains(types, s.ds.Columns[at].Type) {
			s.faultIn("columns", "规则种类 %s 不适用于 %s 类型的数据项 %q / type does not fit", k.Name, s.ds.Columns[at].Type, name)
		}
	}
}

func wanted(k *KindInfo) string {
	switch {
	case k.Most < 0:
		return "不需要数据项"
	case k.Most == 0:
		return fmt.Sprintf("至少需要 %d 个", k.Least)
	case k.Least == k.Most:
		return fmt.Sprintf("需要 %d 个", k.Least)
	}
	return fmt.Sprintf("需要 %d 至 %d 个", k.Least, k.Most)
}

func (s *setScope) checkParams(known []ParamInfo) {
	for p := range s.rule.Params {
		if !slices.ContainsFunc(known, func(i ParamInfo) bool { return i.Name == p }) {
			s.faultIn("params."+p, "规则种类 %s 没有参数 %q / no such parameter", s.rule.Kind, p)
		}
	}
	for _, p := range known {
		v := s.param(p.Name)
		switch {
		case p.Required && v == "":
			s.faultIn("params."+p.Name, "规则种类 %s 缺少参数 %q（%s）/ parameter is missing", s.rule.Kind, p.Name, p.Title)
		case v == "":
		case p.Type == ParamChoice && !slices.Contains(p.Choices, v):
			s.faultIn("params."+p.Name, "参数 %s=%q 应为 %s 之一 / not a choice", p.Name, v, strings.Join(p.Choices, "、"))
		case p.Type == ParamBool && v != "true" && v != "false":
			s.faultIn("params."+p.Name, "参数 %s=%q 应为 true 或 false / not true or false", p.Name, v)
		}
	}
}

// setKinds are all of them by name.
var setKinds map[string]*setKind

func init() { // some kinds list others' measures
	setKinds = map[string]*setKind{}
	for t := range setThemes {
		for i := range setThemes[t].kinds {
			k := &setThemes[t].kinds[i]
			k.Theme = setThemes[t].title
			setKinds[k.Name] = k
		}
	}
}

// setThemes are the kinds in the order they are shown; docs/rules.md has the same tables.
var setThemes = []struct {
	title string
	kinds []setKind
}{
	{"重复与数量 / uniqueness and volume", countKinds},
	{"结构与时效 / schema and freshness", shapeKinds},
	{"取值 / values", valueSetKinds},
	{"统计 / statistics", statisticKinds},
	{"分布与次序 / distribution and order", distributionKinds},
	{"跨数据集 / across datasets", crossKinds},
	{"其他 / other", freeKinds},
}

// SetKindInfos describes every kind of set rule, theme by theme. Most below 0 is a kind
// that takes no columns.
func SetKindInfos() []KindInfo {
	var out []KindInfo
	for _, t := range setThemes {
		for i := range t.kinds {
			out = append(out, t.kinds[i].KindInfo)
		}
	}
	return out
}

// SetKinds lists the kinds of set rule, in alphabetical order.
func SetKinds() []string {
	names := make([]string, 0, len(setKinds))
	for k := range setKinds {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// AdminOnly says whether rules of a kind may come only from an operator's declarations.
func AdminOnly(kind string) bool { return kind == "sql" }

// CheckSet gives the faults of a dataset's set rules, and of their references to other
// datasets if those can be looked up; nil looks at the rules alone.
func CheckSet(ds *mulu.Dataset, datasets plan.Datasets) error {
	var faults []error
	for _, r := range ds.SetRules {
		if _, err := compileSet(ds, r, datasets); err != nil {
			faults = append(faults, fmt.Errorf("数据集 %s 的规则 %s: %w: %w", ds.Code, r.ID, err, mulu.ErrInvalid))
		}
	}
	return errors.Join(faults...)
}

// References lists the other datasets that a dataset's set rules look at, each once.
func References(ds *mulu.Dataset) []mulu.DatasetCode {
	var out []mulu.DatasetCode
	for _, r := range ds.SetRules {
		if k := setKinds[r.Kind]; k != nil && slices.ContainsFunc(k.Params, func(p ParamInfo) bool { return p.Type == ParamDataset }) {
			if code := mulu.DatasetCode(strings.TrimSpace(r.Params["dataset"])); code != "" && code != ds.Code {
				out = append(out, code)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// SQL lists the statements of a dataset's rules of the kind sql.
func SQL(ds *mulu.Dataset) []string {
	var out []string
	for _, r := range ds.SetRules {
		if r.Kind == "sql" {
			out = append(out, r.Params["sql"])
		}
	}
	return out
}

// RunInput is what a run knows of a dataset besides its rows.
type RunInput struct {
	Dataset  *mulu.Dataset
	Datasets plan.Datasets // applied versions, for rules across datasets
	Facts    Facts         // Received, Last, Unchanged and Report
	// Arrivals are the rows that came per day, oldest first; a day between without an
	// entry had none.
	Arrivals []band.Value
	// History has what earlier runs measured per day, by the name of the metric.
	History  map[string][]band.Value
	Calendar *clock.Calendar
	Now      time.Time
}

// day is the day of the run in Shanghai.
func (in *RunInput) day() string { return in.Now.In(clock.Shanghai).Format(time.DateOnly) }

// Metric is what a run measured, to be kept for the bands of later ones.
type Metric struct {
	Name  string
	Day   string // YYYY-MM-DD
	Value float64
}

// metricName names what a rule measures, so that a rule that is changed begins anew.
func metricName(measure string, r *mulu.SetRule) string {
	return measure + "(" + strings.Join(r.Columns, ",") + ")" + cmp.Or(strings.TrimSpace(r.When), "")
}
