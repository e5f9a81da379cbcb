package check

import (
	_ "embed"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"mulu"
)

//go:embed soda_formats.tsv
var sodaFormatText string

// sodaFormats are the named formats of "valid format".
var sodaFormats = func() map[string]string {
	m := map[string]string{}
	for line := range strings.SplitSeq(sodaFormatText, "\n") {
		if name, pattern, ok := strings.Cut(line, "\t"); ok {
			m[name] = pattern
		}
	}
	return m
}()

func sodaSection(key string) bool {
	for _, p := range []string{"checks for ", "configurations for ", "filter ", "for each dataset ", "profile columns", "discover datasets", "sample datasets", "automated monitoring"} {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

var (
	sodaTarget = regexp.MustCompile(`^(checks for|configurations for|filter) (?:dataset )?("[^"]+"|[^\s\[]+)\s*(?:\[(.+)\])?\s*$`)
	sodaCheck  = regexp.MustCompile(`^([a-z_]+)\s*(?:\(\s*([^)]*?)\s*\))?\s*(.*)$`)
)

// sodaFile is what the sections say beside the checks.
type sodaFile struct {
	configs map[string]any    // settings of columns, for all checks
	filters map[string]string // by name, of the partition
	ids     names
	out     *Rules
}

// parseSoda takes SodaCL. A file may hold checks of several datasets: those of the one
// that is named like the data are run, or, if it is the only one, those there are.
func parseSoda(root *yaml.Node, data string, out *Rules) error {
	if root == nil || root.Kind != yaml.MappingNode {
		return fmt.Errorf("Soda 检查应是 YAML / Soda checks must be YAML: %w", mulu.ErrInvalid) //nolint:staticcheck // a name
	}
	f := &sodaFile{configs: map[string]any{}, filters: map[string]string{}, ids: names{}, out: out}
	targets := map[string]bool{}
	for i := 0; i < len(root.Content); i += 2 {
		if m := sodaTarget.FindStringSubmatch(root.Content[i].Value); m != nil && m[1] == "checks for" {
			targets[strings.Trim(m[2], `"`)] = true
		}
	}
	mine := func(name string) bool { return len(targets) < 2 || strings.EqualFold(name, data) }
	any := slices.ContainsFunc(keysIn(targets), mine)
	for pass := range 2 {
		for i := 0; i < len(root.Content); i += 2 {
			key, body := root.Content[i].Value, root.Content[i+1]
			m := sodaTarget.FindStringSubmatch(key)
			switch {
			case m == nil:
				if pass == 1 {
					f.section(key, body, "这一节不是对一个数据集的检查 / not checks of one dataset")
				}
			case m[1] == "checks for" && pass == 1:
				if any && !mine(strings.Trim(m[2], `"`)) {
					f.section(key, body, fmt.Sprintf("是另一个数据集 %s 的检查，文件名是 %s / checks of another dataset", m[2], data))
					continue
				}
				f.checks(body, m[3])
			case m[1] == "configurations for" && pass == 0:
				if m := body; m.Kind == yaml.MappingNode {
					_ = m.Decode(&f.configs) // what is not a map says nothing
				}
			case m[1] == "filter" && pass == 0:
				var w struct{ Where string }
				_ = body.Decode(&w) // same
				f.filters[m[3]] = w.Where
			}
		}
	}
	if !any && len(targets) > 1 {
		return fmt.Errorf("文件里有 %d 个数据集的检查（%s），没有与数据文件同名的；用 --dataset 指明一个 / several datasets, name one: %w", len(targets), strings.Join(keysIn(targets), "、"), mulu.ErrInvalid)
	}
	return nil
}

func keysIn(m map[string]bool) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// section lists every check of a section that is not run.
func (f *sodaFile) section(key string, body *yaml.Node, why string) {
	if body.Kind != yaml.SequenceNode {
		f.out.unmapped(f.ids.of("", key), "section", why)
		return
	}
	for _, n := range body.Content {
		f.out.unmapped(f.ids.of("", sodaName(n)), "section", why)
	}
}

// sodaName is the text of a check.
func sodaName(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		return n.Content[0].Value
	}
	return n.Value
}

func (f *sodaFile) checks(body *yaml.Node, partition string) {
	if body.Kind != yaml.SequenceNode {
		f.out.unmapped("checks", "section", fmt.Sprintf("第 %d 行：checks for 下面应是列表 / not a list", body.Line))
		return
	}
	for _, n := range body.Content {
		text, cfg := sodaName(n), map[string]any{}
		if n.Kind == yaml.MappingNode && len(n.Content) > 1 {
			_ = n.Content[1].Decode(&cfg) // a check without settings has none
		}
		name, _ := cfg["name"].(string)
		id := f.ids.of(name, text)
		c := &sodaChecked{file: f, text: text, cfg: cfg}
		rule, err := c.rule()
		if err == nil {
			err = c.where(&rule, partition)
		}
		if err != nil {
			f.out.unmapped(id, c.metric, fmt.Sprintf("第 %d 行：%s", n.Line, err))
			continue
		}
		rule.ID, rule.Origin = id, text
		f.out.Rules = append(f.out.Rules, rule)
	}
}

// sodaChecked is one check while it is read.
type sodaChecked struct {
	file   *sodaFile
	text   string
	cfg    map[string]any
	metric string
	args   []string
	rest   string
	merged map[string]any
}

// sodaCfg are the settings a check may have that change nothing here.
var sodaPassive = []string{"name", "warn", "fail", "filter", "attributes", "samples limit", "samples columns", "identity", "title"}

func (c *sodaChecked) rule() (Rule, error) {
	low := strings.ToLower(c.text)
	for prefix, why := range map[string]string{
		"change ": "要与历次结果比较 / compares with earlier runs", "anomaly": "要与历次结果比较 / compares with earlier runs", "distribution": "要参照分布文件 / needs a reference distribution",
		"values in": "参照另一张表，这里只有一个文件 / reads another table", "group by": "分组检查 / groups", "group evolution": "要与历次结果比较 / compares with earlier runs", "for each": "多个数据集 / several datasets",
		"same ": "与另一张表比较 / reads another table", "reconciliation": "与另一张表比较 / reads another table", "freshness using": "",
	} {
		if why != "" && strings.HasPrefix(low, prefix) || strings.Contains(low, " same as ") {
			c.metric = strings.Fields(low)[0]
			return Rule{}, fmt.Errorf("%s", why)
		}
	}
	switch {
	case strings.HasPrefix(low, "failed rows"):
		c.metric = "failed rows"
		return c.failedRows()
	case low == "schema":
		c.metric = "schema"
		return c.schema()
	}
	m := sodaCheck.FindStringSubmatch(c.text)
	if m == nil {
		return Rule{}, fmt.Errorf("检查的写法不认识 / check not understood")
	}
	c.metric, c.rest = m[1], strings.TrimSpace(m[3])
	for a := range strings.SplitSeq(m[2], ",") {
		if a = strings.Trim(strings.TrimSpace(a), "\"`"); a != "" {
			c.args = append(c.args, a)
		}
	}
	make, ok := sodaMetrics[c.metric]
	if !ok {
		return Rule{}, fmt.Errorf("没有对应的规则种类（自定义指标要运行 SQL）/ no such metric here")
	}
	c.merged = c.settings()
	rule, err := make(c)
	if err != nil {
		return rule, err
	}
	return rule, c.verdict(&rule)
}

// settings are the check's own, after those of its column.
func (c *sodaChecked) settings() map[string]any {
	out := map[string]any{}
	for k, v := range c.file.configs {
		if what, column, ok := strings.Cut(k, " for "); ok && len(c.args) > 0 && strings.TrimSpace(column) == c.args[0] {
			out[what] = v
		}
	}
	for k, v := range c.cfg {
		out[k] = v
	}
	return out
}

// threshold is a condition on a figure.
type threshold struct {
	text string
	ok   func(float64) bool
}

var (
	sodaBetween = regexp.MustCompile(`^(not )?between\s*([\[(]?)\s*(\S+?)\s*%?\s+and\s+(\S+?)\s*%?\s*([\])]?)$`)
	sodaCompare = regexp.MustCompile(`^(>=|<=|!=|<>|=|>|<)\s*(\S.*?)\s*%?$`)
)

// parseThreshold reads "> 5", "between 1 and 5", "= 0 %"; read turns an end into a
// number, a duration for freshness.
func parseThreshold(s string, read func(string) (float64, error)) (threshold, error) {
	s = strings.TrimSpace(s)
	if m := sodaBetween.FindStringSubmatch(s); m != nil {
		lo, err := read(m[3])
		if err != nil {
			return threshold{}, err
		}
		hi, err := read(strings.TrimSuffix(m[4], "%"))
		if err != nil {
			return threshold{}, err
		}
		return threshold{s, func(v float64) bool {
			in := (v > lo || v == lo && m[2] != "(") && (v < hi || v == hi && m[5] != ")")
			return in != (m[1] != "")
		}}, nil
	}
	m := sodaCompare.FindStringSubmatch(s)
	if m == nil {
		return threshold{}, fmt.Errorf("阈值 %q 的写法不认识 / threshold not understood", s)
	}
	x, err := read(m[2])
	if err != nil {
		return threshold{}, err
	}
	return threshold{s, func(v float64) bool {
		switch m[1] {
		case ">=":
			return v >= x
		case "<=":
			return v <= x
		case ">":
			return v > x
		case "<":
			return v < x
		case "=":
			return v == x
		}
		return v != x
	}}, nil
}

func plainNumber(s string) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return 0, fmt.Errorf("%q 不是数字 / not a number", s)
	}
	return f, nil
}

var sodaSpan = regexp.MustCompile(`(\d+)\s*([dhms])`)

// seconds reads 1d, 2h30m.
func seconds(s string) (float64, error) {
	total, rest := 0.0, s
	for _, m := range sodaSpan.FindAllStringSubmatch(s, -1) {
		n, _ := strconv.Atoi(m[1]) //nolint:errcheck // digits
		total += float64(n) * map[string]float64{"d": 86_400, "h": 3_600, "m": 60, "s": 1}[m[2]]
		rest = strings.Replace(rest, m[0], "", 1)
	}
	if strings.TrimSpace(rest) != "" || total == 0 {
		return 0, fmt.Errorf("时长 %q 不认识，应形如 1d、6h、30m / not a duration", s)
	}
	return total, nil
}

// verdict sets how the rule's figure is judged: by the condition that stands in the
// check, or by warn and fail.
func (c *sodaChecked) verdict(rule *Rule) error {
	read := plainNumber
	if c.metric == "freshness" {
		read = seconds
	}
	var holds, warn, fail *threshold
	take := func(text string, to **threshold) error {
		t, err := parseThreshold(text, read)
		*to = &t
		return err
	}
	if c.rest != "" {
		if err := take(c.rest, &holds); err != nil {
			return err
		}
		rule.Expected = c.rest
	}
	for _, level := range []struct {
		name string
		to   **threshold
	}{{"warn", &warn}, {"fail", &fail}} {
		s, given := c.cfg[level.name].(string)
		if !given {
			if c.cfg[level.name] != nil {
				return fmt.Errorf("%s 的写法不认识 / not understood", level.name)
			}
			continue
		}
		if err := take(strings.TrimPrefix(strings.TrimSpace(s), "when "), level.to); err != nil {
			return err
		}
		rule.Expected = strings.TrimPrefix(rule.Expected+"; "+level.name+" "+s, "; ")
	}
	if holds == nil && warn == nil && fail == nil {
		return fmt.Errorf("没有阈值 / no threshold")
	}
	measure := rule.judge
	rule.judge = func(o *Outcome) {
		if measure != nil {
			measure(o)
		}
		v := valueOf(o.Observed)
		if v.Kind == Null || !v.isNumber() {
			if o.Status == "" {
				o.hold(false)
				o.Message = "没有可判断的值 / nothing to judge"
			}
			return
		}
		x := v.number()
		switch {
		case fail != nil && fail.ok(x), holds != nil && !holds.ok(x):
			o.hold(false)
		case warn != nil && warn.ok(x):
			soft := *o.Rule
			soft.Soft = true
			o.Rule = &soft
			o.hold(false)
		default:
			o.hold(true)
		}
	}
	return nil
}

// where adds the check's filter and the partition's.
func (c *sodaChecked) where(rule *Rule, partition string) error {
	var parts []string
	if p := c.file.filters[partition]; partition != "" {
		if p == "" {
			return fmt.Errorf("没有名为 [%s] 的 filter / no such filter", partition)
		}
		parts = append(parts, "("+p+")")
	}
	if f, ok := c.cfg["filter"].(string); ok {
		parts = append(parts, "("+f+")")
	}
	if len(parts) == 0 {
		return nil
	}
	text := strings.Join(parts, " and ")
	if strings.Contains(text, "${") {
		return fmt.Errorf("filter 里有变量 ${…}，请写成常数 / a variable in the filter")
	}
	var err error
	rule.When, err = ParseCond(text, SQL)
	return err
}

func (c *sodaChecked) column() (string, error) {
	if len(c.args) == 0 {
		return "", fmt.Errorf("%s 要写列名，如 %s(列) / needs a column", c.metric, c.metric)
	}
	return c.args[0], nil
}

// count and share are figures of how many rows are at fault.
func countFailed(o *Outcome) { o.Observed = o.Failed }

func shareFailed(o *Outcome) {
	o.Observed = math.Round(percentOf(o.Failed, o.Total)*100) / 100
}

var sodaMetrics map[string]func(*sodaChecked) (Rule, error)

func init() {
	sodaMetrics = map[string]func(*sodaChecked) (Rule, error){
		"row_count":         func(*sodaChecked) (Rule, error) { return rowCount(), nil },
		"missing_count":     sodaMissing(countFailed),
		"missing_percent":   sodaMissing(shareFailed),
		"invalid_count":     sodaInvalid(countFailed),
		"invalid_percent":   sodaInvalid(shareFailed),
		"valid_count":       sodaInvalid(func(o *Outcome) { o.Observed = o.Evaluated - o.Failed }),
		"valid_percent":     sodaInvalid(func(o *Outcome) { o.Observed = percentOf(o.Evaluated-o.Failed, o.Total) }),
		"duplicate_count":   sodaDuplicates(false),
		"duplicate_percent": sodaDuplicates(true),
		"avg":               sodaStatistic("mean", meanOf),
		"sum":               sodaStatistic("sum", sumOf),
		"stddev":            sodaStatistic("stdev", deviationOf),
		"stddev_samp":       sodaStatistic("stdev", deviationOf),
		"stddev_pop":        sodaStatistic("stdev", func(s sample) any { return spread(s, 0, true) }),
		"variance":          sodaStatistic("variance", func(s sample) any { return spread(s, 1, false) }),
		"var_samp":          sodaStatistic("variance", func(s sample) any { return spread(s, 1, false) }),
		"var_pop":           sodaStatistic("variance", func(s sample) any { return spread(s, 0, false) }),
		"min":               sodaExtreme(0), "max": sodaExtreme(1),
		"min_length": sodaLength(0), "max_length": sodaLength(1), "avg_length": sodaLength(2),
		"percentile": sodaPercentile,
		"freshness":  sodaFreshness,
	}
}

func spread(s sample, less float64, root bool) any {
	if s.n <= less {
		return nil
	}
	v := s.m2 / (s.n - less)
	if root {
		v = math.Sqrt(v)
	}
	return v
}

// missingTest says which values that are there count as missing.
func (c *sodaChecked) missingTest() (func(Value) bool, error) {
	values, err := c.valueList("missing values")
	if err != nil {
		return nil, err
	}
	set := newValueSet(values)
	pattern, err := c.patternOf("missing regex", "missing format")
	if err != nil || pattern == nil && len(values) == 0 {
		return nil, err
	}
	return func(v Value) bool { return sodaHas(set, v) || pattern != nil && pattern([]byte(v.text())) }, nil
}

// sodaHas is IN of SQL: a text that is a number equals it.
func sodaHas(s *valueSet, v Value) bool {
	return s.has(v) || v.isNumber() && s.texts[v.text()] || v.Kind == Text && len(s.ints)+len(s.floats) > 0 && s.has(number(v.S).value())
}

func (c *sodaChecked) valueList(name string) ([]Value, error) {
	raw, given := c.merged[name]
	if !given {
		return nil, nil
	}
	list, ok := raw.([]any)
	if !ok {
		return nil, fmt.Errorf("%s 应是列表 / not a list", name)
	}
	var out []Value
	for _, v := range list {
		out = append(out, valueOf(v))
	}
	return out, nil
}

func (c *sodaChecked) patternOf(regex, format string) (matcher, error) {
	var all []matcher
	if s, ok := c.merged[regex].(string); ok {
		m, err := search(s)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	if s, ok := c.merged[format].(string); ok {
		p, known := sodaFormats[s]
		if !known {
			return nil, fmt.Errorf("没有格式 %q / no such format", s)
		}
		m, err := search(p)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		return all[0], nil
	}
	return func(v []byte) bool { return all[0](v) && all[1](v) }, nil
}

// known refuses settings that are not understood.
func (c *sodaChecked) known(names ...string) error {
	for k := range c.cfg {
		if !slices.Contains(names, k) && !slices.Contains(sodaPassive, k) {
			return fmt.Errorf("设置 %q 没有对应的含义 / setting not understood", k)
		}
	}
	return nil
}

func sodaMissing(measure func(*Outcome)) func(*sodaChecked) (Rule, error) {
	return func(c *sodaChecked) (Rule, error) {
		column, err := c.column()
		if err == nil {
			err = c.known("missing values", "missing regex", "missing format")
		}
		if err != nil {
			return Rule{}, err
		}
		also, err := c.missingTest()
		rule := notNull(column)
		rule.judge = measure
		if also != nil {
			rule.row = func(r *Rows, fail Bits) error {
				return r.each(func(i int) error {
					if v := r.Cols[0].At(i); v.Kind == Null || also(v) {
						fail.Set(i)
					}
					return nil
				})
			}
		}
		return rule, err
	}
}

// sodaInvalid counts values that are there and not valid.
func sodaInvalid(measure func(*Outcome)) func(*sodaChecked) (Rule, error) {
	return func(c *sodaChecked) (Rule, error) {
		column, err := c.column()
		if err == nil {
			err = c.known("missing values", "missing regex", "missing format", "valid values", "valid format", "valid regex", "valid length", "valid min length", "valid max length", "valid min", "valid max",
				"invalid values", "invalid format", "invalid regex")
		}
		if err != nil {
			return Rule{}, err
		}
		tests, err := c.validity()
		if err != nil {
			return Rule{}, err
		}
		missing, err := c.missingTest()
		if err != nil {
			return Rule{}, err
		}
		kind := "validity"
		if len(tests) == 1 {
			kind = tests[0].kind
		}
		rule := Rule{Kind: kind, Columns: []string{column}, judge: measure}
		rule.row = func(r *Rows, fail Bits) error {
			if missing != nil { // they are not judged
				left := NewBits(r.N)
				if err := r.each(func(i int) error {
					if !missing(r.Cols[0].At(i)) {
						left.Set(i)
					}
					return nil
				}); err != nil {
					return err
				}
				r.Sel = left
			}
			for _, t := range tests {
				if err := r.apply(r.Cols[0], t.test, fail); err != nil {
					return err
				}
			}
			return nil
		}
		return rule, nil
	}
}

type namedTest struct {
	kind string
	test
}

// validity are the tests that all must hold for a value to be valid.
func (c *sodaChecked) validity() (out []namedTest, err error) {
	for _, name := range []string{"valid values", "invalid values"} {
		values, err := c.valueList(name)
		if err != nil {
			return nil, err
		}
		if c.merged[name] != nil {
			s, not := newValueSet(values), name == "invalid values"
			t := test{any: func(v Value) (bool, error) { return sodaHas(s, v) != not, nil }}
			if len(s.ints)+len(s.floats) == 0 {
				t.bytes = s.textTest(not)
			}
			out = append(out, namedTest{"enum", t})
		}
	}
	for _, which := range []string{"valid", "invalid"} {
		m, err := c.patternOf(which+" regex", which+" format")
		if err != nil {
			return nil, err
		}
		if m != nil {
			not := which == "invalid"
			ok := func(v []byte) bool { return m(v) != not }
			out = append(out, namedTest{"pattern", test{bytes: ok, any: func(v Value) (bool, error) { return ok([]byte(sqlText(v))), nil }}})
		}
	}
	length, err := c.range_("valid length", "valid min length", "valid max length")
	if err != nil {
		return nil, err
	}
	if length != nil {
		out = append(out, namedTest{"length", lengthTest(*length, false)})
	}
	size, err := c.range_("", "valid min", "valid max")
	if err != nil {
		return nil, err
	}
	if size != nil {
		lo, hi, _ := size.ints()
		out = append(out, namedTest{"range", test{
			ints: func(v int64) bool { return v >= lo && v <= hi },
			any: func(v Value) (bool, error) {
				if v.Kind == Text { // cast as SQL does
					f, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(v.S, "%")), 64)
					if err != nil {
						return false, nil //nolint:nilerr // it is not in the range
					}
					v = floatValue(f)
				}
				return size.has(v)
			},
		}})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("没有写什么是有效（valid …）/ no validity given")
	}
	return out, nil
}

// sqlText prints a value as a cast to text does in SQL.
func sqlText(v Value) string {
	if v.Kind == Bool {
		return strings.ToLower(v.text())
	}
	return v.text()
}

func (c *sodaChecked) range_(exact, lo, hi string) (*bounds, error) {
	var b bounds
	given := false
	for _, k := range []string{exact, lo, hi} {
		raw, ok := c.merged[k]
		if !ok {
			continue
		}
		v := valueOf(raw)
		if !v.isNumber() {
			return nil, fmt.Errorf("%s 应是数字 / not a number", k)
		}
		given = true
		if k != hi {
			b.min = v
		}
		if k != lo {
			b.max = v
		}
	}
	if !given {
		return nil, nil //nolint:nilnil // not given is no error
	}
	return &b, nil
}

func sodaDuplicates(percent bool) func(*sodaChecked) (Rule, error) {
	return func(c *sodaChecked) (Rule, error) {
		if len(c.args) == 0 {
			return Rule{}, fmt.Errorf("要写列名 / needs a column")
		}
		rule := unique(c.args, SkipAny)
		rule.set = &set{part: keysOf, done: func(s *Set, o *Outcome) error {
			rows, judged, distinct, once := repeats(s, true)
			o.Rows, o.Evaluated, o.Failed = rows, judged, rows.Count()
			o.Observed = distinct - once
			if percent {
				o.Observed = math.Round(percentOf(distinct-once, o.Total)*100) / 100
			}
			return nil
		}}
		return rule, c.known()
	}
}

func sodaStatistic(kind string, figure func(sample) any) func(*sodaChecked) (Rule, error) {
	return func(c *sodaChecked) (Rule, error) {
		column, err := c.column()
		if err == nil {
			err = c.known()
		}
		return statistic(kind, column, figure), err
	}
}

func sodaExtreme(which int) func(*sodaChecked) (Rule, error) {
	return func(c *sodaChecked) (Rule, error) {
		column, err := c.column()
		if err == nil {
			err = c.known()
		}
		return extreme([2]string{"min", "max"}[which], column, which, false, func(Value, *Outcome) error { return nil }), err
	}
}

func sodaLength(which int) func(*sodaChecked) (Rule, error) {
	return func(c *sodaChecked) (Rule, error) {
		column, err := c.column()
		if err == nil {
			err = c.known()
		}
		return lengthFigure(column, which), err
	}
}

// lengthFigure measures the least, greatest or mean number of characters.
func lengthFigure(column string, which int) Rule {
	return Rule{Kind: "text_length", Columns: []string{column}, hide: true, set: &set{
		part: func(r *Rows) (any, error) {
			var x []float64
			err := r.each(func(i int) error {
				x = append(x, float64(utf8.RuneCountInString(sqlText(r.Cols[0].At(i)))))
				return nil
			})
			return x, err
		},
		done: func(s *Set, o *Outcome) error {
			x := s.floats()
			if len(x) == 0 {
				return nil
			}
			sum := 0.0
			for _, v := range x {
				sum += v
			}
			o.Observed = [3]float64{slices.Min(x), slices.Max(x), sum / float64(len(x))}[which]
			return nil
		},
	}}
}

func sodaPercentile(c *sodaChecked) (Rule, error) {
	if len(c.args) != 2 {
		return Rule{}, fmt.Errorf("应写成 percentile(列, 0.9) / needs a column and a share")
	}
	p, err := plainNumber(c.args[1])
	if err != nil || p < 0 || p > 1 {
		return Rule{}, fmt.Errorf("percentile 的第二个参数应在 0 到 1 之间 / share out of range")
	}
	return overNumbers("quantile", c.args[0], func(x []float64, o *Outcome) error {
		// PERCENTILE_DISC: the first value whose share of rows reaches p.
		sorted(x)
		if n := len(x); n > 0 {
			o.Observed = x[min(n-1, max(0, int(math.Ceil(p*float64(n)))-1))]
		}
		return nil
	}), c.known()
}

// sodaFreshness measures the seconds since the newest moment of a column.
func sodaFreshness(c *sodaChecked) (Rule, error) {
	column, err := c.column()
	if err == nil && len(c.args) > 1 {
		err = fmt.Errorf("变量 %s 没有值 / a variable", c.args[1])
	}
	if strings.Contains(c.rest, "using") {
		err = fmt.Errorf("using 的变量没有值 / a variable")
	}
	var newest Value
	rule := extreme("fresh", column, 1, true, func(v Value, _ *Outcome) error { newest = v; return nil })
	done := rule.set.done
	rule.set.done = func(s *Set, o *Outcome) error {
		if err := done(s, o); err != nil {
			return err
		}
		if !newest.isMoment() {
			if newest.Kind != Null {
				return mistyped("freshness 的列应是日期或时间")
			}
			o.Observed = nil
			return nil
		}
		o.Observed = s.Now.Sub(time.UnixMicro(newest.micros())).Seconds()
		return nil
	}
	return rule, err
}

// failedRows is a condition that no row may meet.
func (c *sodaChecked) failedRows() (Rule, error) {
	if c.cfg["fail query"] != nil {
		return Rule{}, fmt.Errorf("fail query 是自由 SQL，只在库中由管理员运行 / free SQL runs in the library only")
	}
	text, ok := c.cfg["fail condition"].(string)
	if !ok {
		return Rule{}, fmt.Errorf("缺少 fail condition / fail condition missing")
	}
	cond, err := ParseCond(text, SQL)
	if err != nil {
		return Rule{}, err
	}
	rule := expression(cond, true)
	rule.judge, rule.Expected = countFailed, "not ("+text+")"
	c.rest = "= 0"
	if c.cfg["warn"] != nil || c.cfg["fail"] != nil {
		c.rest = ""
	}
	if err := c.known("fail condition"); err != nil {
		return rule, err
	}
	return rule, c.verdict(&rule)
}

// schema judges the columns of the file.
func (c *sodaChecked) schema() (Rule, error) {
	type alert struct {
		soft bool
		bad  func(Source) bool
	}
	var alerts []alert
	for _, level := range []string{"fail", "warn"} {
		m, ok := c.cfg[level].(map[string]any)
		if !ok {
			continue
		}
		for when, v := range m {
			bad, err := schemaAlert(when, v)
			if err != nil {
				return Rule{}, err
			}
			alerts = append(alerts, alert{level == "warn", bad})
		}
	}
	if len(alerts) == 0 {
		return Rule{}, fmt.Errorf("schema 没有写 warn 或 fail / no warn or fail")
	}
	return Rule{Kind: "columns", schema: func(o *Outcome, src Source) error {
		o.Observed, o.Evaluated = src.Columns(), int64(len(alerts))
		soft := true
		for _, a := range alerts {
			if a.bad(src) {
				o.Failed++
				soft = soft && a.soft
			}
		}
		if o.Failed > 0 && soft {
			r := *o.Rule
			r.Soft = true
			o.Rule = &r
		}
		o.hold(o.Failed == 0)
		return nil
	}}, nil
}

func schemaAlert(when string, v any) (func(Source) bool, error) {
	texts := func() (out []string) {
		list, _ := v.([]any)
		for _, x := range list {
			out = append(out, fmt.Sprint(x))
		}
		return out
	}
	pairs, _ := v.(map[string]any)
	at := func(src Source, name string) int { return slices.Index(src.Columns(), name) }
	switch when {
	case "when required column missing":
		names := texts()
		return func(src Source) bool {
			return slices.ContainsFunc(names, func(n string) bool { return at(src, n) < 0 })
		}, nil
	case "when forbidden column present":
		names := texts()
		return func(src Source) bool {
			return slices.ContainsFunc(src.Columns(), func(have string) bool {
				return slices.ContainsFunc(names, func(p string) bool {
					ok, err := path.Match(strings.ReplaceAll(p, "%", "*"), have)
					return ok && err == nil
				})
			})
		}, nil
	case "when wrong column index":
		return func(src Source) bool {
			for n, i := range pairs {
				if want := valueOf(i); want.Kind != Int || int64(at(src, n)) != want.I {
					return true
				}
			}
			return false
		}, nil
	case "when wrong column type":
		return func(src Source) bool {
			for n, t := range pairs {
				i := at(src, n)
				if i < 0 || !sqlTypeIs(fmt.Sprint(t), src.Types()[i].Type) {
					return true
				}
			}
			return false
		}, nil
	}
	return nil, fmt.Errorf("schema 的 %q 要与历次结果比较，或不认识 / compares with earlier runs, or is not known", when)
}

// sqlTypeIs says whether a column that looks like t may be of a type of SQL.
func sqlTypeIs(name string, t mulu.Type) bool {
	base, _, _ := strings.Cut(strings.ToLower(name), "(")
	for kind, names := range map[mulu.Type][]string{
		mulu.Int:      {"int", "integer", "bigint", "smallint", "tinyint", "int64", "hugeint"},
		mulu.Decimal:  {"decimal", "numeric", "double", "float", "real", "double precision", "number"},
		mulu.Bool:     {"bool", "boolean"},
		mulu.Date:     {"date"},
		mulu.DateTime: {"timestamp", "datetime", "timestamp without time zone", "timestamp with time zone", "timestamptz"},
		mulu.String:   {"varchar", "text", "string", "char", "character varying"},
	} {
		if slices.Contains(names, strings.TrimSpace(base)) {
			return kind == t || t == "" && kind == mulu.String
		}
	}
	return false
}
