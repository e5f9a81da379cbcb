package check

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mulu"
)

// expectation is one entry of a suite while it is read.
type expectation struct {
	kind   string
	kwargs map[string]any
	params map[string]any // the suite's
	used   map[string]bool
	now    time.Time
}

// passive are arguments that do not change a verdict.
var passive = []string{"result_format", "catch_exceptions", "include_config", "meta", "batch_id", "auto", "profiler_config", "table", "interactive", "condition_parser", "row_condition",
	"mostly", "description", "notes", "id", "severity", "rendered_content", "strict_min", "strict_max", "allow_cross_type_comparisons", "output_strftime_format", "windows", "parse_strings_as_datetimes"}

// parseGX takes a suite of Great Expectations, of 0.x (expectation_type) or 1.x (type).
func parseGX(doc any, now time.Time, out *Rules) error {
	list, params := suiteOf(doc)
	if list == nil {
		return fmt.Errorf("套件里没有 expectations 列表 / no expectations in the suite: %w", mulu.ErrInvalid)
	}
	out.NullText = "pandas"
	ids := names{}
	for i, raw := range list {
		m, ok := raw.(map[string]any)
		if !ok {
			out.unmapped(ids.of("", fmt.Sprintf("expectation-%d", i+1)), "", "不是一个对象 / not an object")
			continue
		}
		e := &expectation{params: params, now: now, used: map[string]bool{}}
		e.kind, _ = firstOf(m, "expectation_type", "type").(string)
		e.kwargs, _ = m["kwargs"].(map[string]any)
		if e.kwargs == nil {
			e.kwargs = map[string]any{}
		}
		given, _ := m["id"].(string)
		id := ids.of(given, e.subject())
		if err := e.resolve(); err != nil {
			out.unmapped(id, e.kind, err.Error())
			continue
		}
		rule, err := e.rule()
		if err != nil {
			out.unmapped(id, e.kind, err.Error())
			continue
		}
		rule.ID, rule.Origin = id, e.kind
		rule.Soft = m["severity"] == "warning" || m["severity"] == "info"
		out.Rules = append(out.Rules, rule)
	}
	return nil
}

func suiteOf(doc any) (list []any, params map[string]any) {
	switch d := doc.(type) {
	case []any:
		return d, nil
	case map[string]any:
		if l, ok := d["expectations"].([]any); ok {
			list = l
		} else if firstOf(d, "expectation_type", "type") != nil {
			list = []any{d}
		}
		params, _ = firstOf(d, "suite_parameters", "evaluation_parameters").(map[string]any)
	}
	return list, params
}

// names gives every rule an id of its own.
type names map[string]int

func (n names) of(given, otherwise string) string {
	id := given
	if id == "" {
		id = otherwise
	}
	n[id]++
	if k := n[id]; k > 1 {
		return fmt.Sprintf("%s#%d", id, k)
	}
	return id
}

func (r *Rules) unmapped(id, kind, reason string) {
	r.Unmapped = append(r.Unmapped, Unmapped{ID: id, Kind: kind, Reason: strings.TrimSuffix(reason, ": "+mulu.ErrInvalid.Error())})
}

func firstOf(m map[string]any, names ...string) any {
	for _, n := range names {
		if v, ok := m[n]; ok && v != nil {
			return v
		}
	}
	return nil
}

// subject is the columns and the kind: what an expectation without an id is called.
func (e *expectation) subject() string {
	for _, n := range []string{"column", "column_list", "column_set"} {
		switch v := e.kwargs[n].(type) {
		case string:
			return v + "." + e.kind
		case []any:
			return joined(v) + "." + e.kind
		}
	}
	if a, ok := e.kwargs["column_A"].(string); ok {
		return fmt.Sprintf("%s,%v.%s", a, e.kwargs["column_B"], e.kind)
	}
	return e.kind
}

func joined(list []any) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	return strings.Join(out, ",")
}

// resolve puts a suite's parameters in the place of $PARAMETER.
func (e *expectation) resolve() error {
	for k, v := range e.kwargs {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		name, ok := m["$PARAMETER"].(string)
		if !ok {
			continue
		}
		name = strings.TrimSpace(strings.TrimPrefix(name, "$"))
		to, known := m["$PARAMETER."+name]
		if !known {
			to, known = e.params[name]
		}
		if !known {
			if to, known = momentExpression(name, e.now); !known {
				to, known = constantExpression(name, e.params, m)
			}
		}
		if !known {
			return fmt.Errorf("参数 %s 引用运行时参数 $PARAMETER %q，文件里没有它的值；请写成常数 / a run-time parameter without a value", k, name)
		}
		e.kwargs[k] = to
	}
	return nil
}

var (
	gxMoment = regexp.MustCompile(`^(now\(\)|datetime\(([\d,\s]+)\))\s*(?:([+-])\s*timedelta\((\w+)\s*=\s*([\d*.\s]+)\))?$`)
	gxSpans  = map[string]time.Duration{"weeks": 7 * 24 * time.Hour, "days": 24 * time.Hour, "hours": time.Hour, "minutes": time.Minute, "seconds": time.Second}
)

// momentExpression evaluates the moments a parameter may be: now() - timedelta(weeks=1),
// datetime(2003, 1, 1).
func momentExpression(text string, now time.Time) (any, bool) {
	m := gxMoment.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return nil, false
	}
	at := now.UTC()
	if m[2] != "" {
		part := [6]int{1, 1, 1}
		for i, s := range strings.Split(m[2], ",") {
			if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && i < len(part) {
				part[i] = n
			}
		}
		at = time.Date(part[0], time.Month(part[1]), part[2], part[3], part[4], part[5], 0, time.UTC)
	}
	if m[3] != "" {
		n, ok := constantExpression(m[5], nil, nil)
		f, isNumber := floatOf(n)
		span, known := gxSpans[m[4]]
		if !ok || !isNumber || !known {
			return nil, false
		}
		seconds := int64(f * span.Seconds()) // a Duration holds no more than 292 years
		if m[3] == "-" {
			seconds = -seconds
		}
		at = time.Unix(at.Unix()+seconds, 0).UTC()
	}
	return at.Format("2006-01-02 15:04:05"), true
}

// constantExpression evaluates a parameter such as "max_rows * 1.1": arithmetic over known
// names.
func constantExpression(text string, params, inline map[string]any) (any, bool) {
	c, err := ParseCond(text, Pandas)
	if err != nil {
		return nil, false
	}
	cols := make([]*Column, len(c.Columns))
	for i, n := range c.Columns {
		v, ok := params[n]
		if !ok {
			if v, ok = inline["$PARAMETER."+n]; !ok {
				return nil, false
			}
		}
		cols[i] = constantColumn(valueOf(v))
	}
	v, err := c.eval(cols, 0)
	if err != nil || v.Kind == Null {
		return nil, false
	}
	return v.plain(), true
}

// rule makes the rule and refuses arguments nobody asked for: what is not understood
// must not be passed over.
func (e *expectation) rule() (Rule, error) {
	make, ok := expectations[e.kind]
	if !ok {
		if why, known := unsupported[e.kind]; known {
			return Rule{}, fmt.Errorf("%s", why)
		}
		return Rule{}, fmt.Errorf("没有对应的规则种类 / no such expectation here")
	}
	rule, err := make(e)
	if err != nil {
		return rule, err
	}
	for _, k := range passive {
		e.used[k] = true
	}
	for k, v := range e.kwargs {
		if !e.used[k] && v != nil && v != false {
			return rule, fmt.Errorf("参数 %q 没有对应的含义 / argument not understood", k)
		}
	}
	if w, ok := e.kwargs["windows"].([]any); ok && len(w) > 0 {
		return rule, fmt.Errorf("windows（与历次运行比较）需要 GX 的服务 / windows need GX Cloud")
	}
	if rule.Mostly, err = e.share(); err != nil {
		return rule, err
	}
	rule.When, err = e.condition()
	return rule, err
}

func (e *expectation) share() (float64, error) {
	v, ok := e.kwargs["mostly"]
	if !ok || v == nil {
		return 0, nil
	}
	f, isNumber := floatOf(v)
	if !isNumber || f < 0 || f > 1 {
		return 0, fmt.Errorf("mostly 应在 0 到 1 之间 / mostly out of range")
	}
	if f == 0 {
		f = math.SmallestNonzeroFloat64
	}
	return f, nil
}

// condition reads row_condition: text of pandas or of GX, or the object form of 1.x.
func (e *expectation) condition() (*Cond, error) {
	switch c := e.kwargs["row_condition"].(type) {
	case nil:
		return nil, nil
	case string:
		if strings.TrimSpace(c) == "" {
			return nil, nil
		}
		switch p, _ := e.kwargs["condition_parser"].(string); p {
		case "pandas", "python", "":
			if strings.Contains(c, "col(") {
				return ParseCond(c, GX)
			}
			return ParseCond(c, Pandas)
		case "great_expectations", "great_expectations__experimental__":
			return ParseCond(c, GX)
		case "spark", "spark_sql", "sql":
			return ParseCond(c, SQL)
		default:
			return nil, fmt.Errorf("condition_parser %q 不认识，应为 pandas 或 great_expectations / unknown parser", p)
		}
	case map[string]any:
		text, err := conditionText(c)
		if err != nil {
			return nil, err
		}
		return ParseCond(text, GX)
	}
	return nil, fmt.Errorf("row_condition 的形式不认识 / form of row_condition not understood")
}

// conditionText writes the object form as text.
func conditionText(c map[string]any) (string, error) {
	column, _ := c["column"].(map[string]any)
	name, _ := column["name"].(string)
	switch c["type"] {
	case "comparison":
		op := strings.ToLower(strings.ReplaceAll(fmt.Sprint(c["operator"]), "_", " "))
		return "`" + name + "` " + op + " " + conditionValue(c["parameter"]), nil
	case "nullity":
		if c["is_null"] == true {
			return "`" + name + "` is null", nil
		}
		return "`" + name + "` is not null", nil
	case "and", "or":
		list, _ := c["conditions"].([]any)
		var parts []string
		for _, p := range list {
			m, _ := p.(map[string]any)
			text, err := conditionText(m)
			if err != nil {
				return "", err
			}
			parts = append(parts, "("+text+")")
		}
		return strings.Join(parts, " "+c["type"].(string)+" "), nil
	}
	return "", fmt.Errorf("row_condition 的类型 %v 不认识 / type of condition not understood", c["type"])
}

func conditionValue(v any) string {
	switch v := v.(type) {
	case string:
		return "'" + strings.ReplaceAll(strings.ReplaceAll(v, `\`, `\\`), "'", `\'`) + "'"
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, conditionValue(x))
		}
		return "(" + strings.Join(parts, ", ") + ")"
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

// The arguments of an expectation. Each notes that it was asked for.

func (e *expectation) get(name string) any { e.used[name] = true; return e.kwargs[name] }

func (e *expectation) text(name string) (string, error) {
	s, ok := e.get(name).(string)
	if !ok {
		return "", fmt.Errorf("缺少参数 %s，或不是文本 / argument missing or not a text", name)
	}
	return s, nil
}

func (e *expectation) flag(name string) bool { v, _ := e.get(name).(bool); return v }

func (e *expectation) texts(name string) ([]string, error) {
	list, ok := e.get(name).([]any)
	if !ok {
		return nil, fmt.Errorf("缺少参数 %s，或不是列表 / argument missing or not a list", name)
	}
	out := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("参数 %s 应是文本的列表 / not a list of texts", name)
		}
		out[i] = s
	}
	return out, nil
}

func (e *expectation) values(name string) ([]Value, error) {
	list, ok := e.get(name).([]any)
	if !ok {
		return nil, fmt.Errorf("缺少参数 %s，或不是列表 / argument missing or not a list", name)
	}
	out := make([]Value, len(list))
	for i, v := range list {
		out[i] = valueOf(v)
	}
	return out, nil
}

func floatOf(v any) (float64, bool) {
	if x := valueOf(v); x.Kind == Int || x.Kind == Float {
		return x.number(), true
	}
	return 0, false
}

func (e *expectation) number(name string) (float64, error) {
	f, ok := floatOf(e.get(name))
	if !ok {
		return 0, fmt.Errorf("缺少参数 %s，或不是数字 / argument missing or not a number", name)
	}
	return f, nil
}

// bounds reads min_value and max_value; whole insists on whole numbers, one forbids that
// both are absent, sorted that they are the wrong way round.
func (e *expectation) bounds(whole, one, sorted bool) (bounds, error) {
	b := bounds{min: valueOf(e.get("min_value")), max: valueOf(e.get("max_value")), strictMin: e.flag("strict_min"), strictMax: e.flag("strict_max")}
	if e.flag("parse_strings_as_datetimes") {
		for _, end := range []*Value{&b.min, &b.max} {
			if m, ok := end.moment(); ok {
				*end = m
			}
		}
	}
	switch {
	case one && b.min.Kind == Null && b.max.Kind == Null:
		return b, errArgument("min_value 与 max_value 不能都缺 / min_value and max_value cannot both be None")
	case whole && (wrongWhole(b.min) || wrongWhole(b.max)):
		return b, errArgument("min_value 与 max_value 应为整数 / min_value and max_value must be integers")
	case b.empty() && sorted:
		return b, errArgument("min_value 大于 max_value / min_value cannot be greater than max_value")
	}
	return b, nil
}

func wrongWhole(v Value) bool {
	return v.Kind != Null && v.Kind != Int && (v.Kind != Float || v.F != math.Trunc(v.F))
}

// argumentError is a rule whose arguments GX itself refuses: it is in error, not unmapped.
type argumentError string

func (a argumentError) Error() string { return string(a) }

func errArgument(s string) error { return argumentError(s) }

func (e *expectation) ignore(either bool) (Nulls, error) {
	v, _ := e.get("ignore_row_if").(string)
	switch v {
	case "", "both_values_are_missing", "all_values_are_missing":
		return SkipAll, nil
	case "either_value_is_missing", "any_value_is_missing":
		return SkipAny, nil
	case "neither", "never":
		return KeepAll, nil
	}
	return 0, errArgument(fmt.Sprintf("ignore_row_if %q 不认识 / unknown ignore_row_if", v))
}

// inside judges an observed figure by bounds; nothing observed does not hold.
func inside(b bounds) func(*Outcome) {
	return func(o *Outcome) {
		v := valueOf(o.Observed)
		if s, ok := o.Observed.(string); ok && (b.min.isMoment() || b.max.isMoment()) {
			v, _ = parseMoment(s)
		}
		if v.Kind == Null {
			o.hold(false)
			return
		}
		ok, err := b.has(v)
		if err != nil {
			o.err(err)
			return
		}
		o.hold(ok)
	}
}

// figure is a rule whose observed value must lie in min_value and max_value.
func figure(one bool, make func(column string, e *expectation) Rule) func(*expectation) (Rule, error) {
	return func(e *expectation) (Rule, error) {
		column, err := e.text("column")
		if err != nil {
			return Rule{}, err
		}
		b, err := e.bounds(false, one, one)
		if err != nil {
			return refused(column, err), nil
		}
		r := make(column, e)
		r.judge, r.Expected = inside(b), b.String()
		return r, nil
	}
}

// refused is a rule that GX would run into an error with.
func refused(column string, err error) Rule {
	return Rule{Kind: "invalid", Columns: []string{column}, row: func(*Rows, Bits) error { return err }}
}

func onColumn(make func(e *expectation, column string) (Rule, error)) func(*expectation) (Rule, error) {
	return func(e *expectation) (Rule, error) {
		column, err := e.text("column")
		if err != nil {
			return Rule{}, err
		}
		r, err := make(e, column)
		if a, ok := err.(argumentError); ok { //nolint:errorlint // made right here
			return refused(column, a), nil
		}
		return r, err
	}
}

// unsupported says why an expectation of the gallery can not be taken over.
var unsupported = map[string]string{
	"expect_column_bootstrapped_ks_test_p_value_to_be_greater_than": "结果靠随机抽样，两次运行不同，不能复核 / bootstrapped: not reproducible",
	"expect_table_row_count_to_equal_other_table":                   "要读另一张表，这里只有一个文件 / reads another table",
	"expect_column_values_to_be_valid":                              "需要 GX 的服务 / needs GX Cloud",
	"unexpected_rows_expectation":                                   "自由 SQL 只在库中由管理员运行 / free SQL runs in the library only",
	"expect_query_results_to_match_comparison":                      "自由 SQL 只在库中由管理员运行 / free SQL runs in the library only",
}

// expectations are those that are taken over, by name.
var expectations map[string]func(*expectation) (Rule, error)

func init() {
	expectations = map[string]func(*expectation) (Rule, error){
		"expect_column_values_to_not_be_null": onColumn(func(_ *expectation, c string) (Rule, error) { return notNull(c), nil }),
		"expect_column_values_to_be_null":     onColumn(func(_ *expectation, c string) (Rule, error) { return isNullRule(c), nil }),
		"expect_column_values_to_be_between": onColumn(func(e *expectation, c string) (Rule, error) {
			b, err := e.bounds(false, true, true)
			return between(c, b, e.flag("parse_strings_as_datetimes")), err
		}),
		"expect_column_values_to_be_in_set":                   onColumn(gxInSet(false)),
		"expect_column_values_to_not_be_in_set":               onColumn(gxInSet(true)),
		"expect_column_values_to_match_regex":                 onColumn(gxPattern("regex", search, false)),
		"expect_column_values_to_not_match_regex":             onColumn(gxPattern("regex", search, true)),
		"expect_column_values_to_match_like_pattern":          onColumn(gxPattern("like_pattern", func(s string) (matcher, error) { return like(s, false) }, false)),
		"expect_column_values_to_not_match_like_pattern":      onColumn(gxPattern("like_pattern", func(s string) (matcher, error) { return like(s, false) }, true)),
		"expect_column_values_to_match_regex_list":            onColumn(gxPatterns("regex_list", search, false)),
		"expect_column_values_to_not_match_regex_list":        onColumn(gxPatterns("regex_list", search, true)),
		"expect_column_values_to_match_like_pattern_list":     onColumn(gxPatterns("like_pattern_list", func(s string) (matcher, error) { return like(s, false) }, false)),
		"expect_column_values_to_not_match_like_pattern_list": onColumn(gxPatterns("like_pattern_list", func(s string) (matcher, error) { return like(s, false) }, true)),
		"expect_column_value_lengths_to_be_between": onColumn(func(e *expectation, c string) (Rule, error) {
			b, err := e.bounds(true, true, false)
			return lengths(c, b, true), err
		}),
		"expect_column_value_lengths_to_equal": onColumn(func(e *expectation, c string) (Rule, error) {
			v := valueOf(e.get("value"))
			if v.Kind == Null || wrongWhole(v) {
				return Rule{}, errArgument("value 应为整数 / value must be an integer")
			}
			return lengths(c, bounds{min: v, max: v}, true), nil
		}),
		"expect_column_values_to_be_unique": onColumn(func(_ *expectation, c string) (Rule, error) { return unique([]string{c}, SkipAny), nil }),
		"expect_column_values_to_be_increasing": onColumn(func(e *expectation, c string) (Rule, error) {
			return ordered(c, false, e.flag("strictly"), e.flag("parse_strings_as_datetimes")), nil
		}),
		"expect_column_values_to_be_decreasing": onColumn(func(e *expectation, c string) (Rule, error) {
			return ordered(c, true, e.flag("strictly"), e.flag("parse_strings_as_datetimes")), nil
		}),
		"expect_column_value_z_scores_to_be_less_than": onColumn(func(e *expectation, c string) (Rule, error) {
			t, err := e.number("threshold")
			both := e.get("double_sided") != false
			if both {
				t = math.Abs(t)
			}
			return outliers(c, t, both), err
		}),
		"expect_column_values_to_match_strftime_format": onColumn(gxStrftime),
		"expect_column_values_to_be_dateutil_parseable": onColumn(func(_ *expectation, c string) (Rule, error) {
			return textual("date_text", c, true, func(s string) bool { _, ok := parseMoment(s); return ok || dateutil(s) }), nil
		}),
		"expect_column_values_to_be_json_parseable": onColumn(func(_ *expectation, c string) (Rule, error) { return onlyText("json", c, parsesJSON), nil }),
		"expect_column_values_to_match_json_schema": onColumn(func(e *expectation, c string) (Rule, error) {
			ok, err := schemaTest(plainTree(e.get("json_schema")))
			return onlyText("json_schema", c, ok), err
		}),
		"expect_column_values_to_be_of_type": onColumn(func(e *expectation, c string) (Rule, error) {
			t, err := e.text("type_")
			return ofType(c, []string{t}, false), err
		}),
		"expect_column_values_to_be_in_type_list": onColumn(func(e *expectation, c string) (Rule, error) {
			if e.get("type_list") == nil {
				return rowTest("type", c, test{any: func(Value) (bool, error) { return true, nil }}), nil
			}
			list, err := e.texts("type_list")
			return ofType(c, list, true), err
		}),

		"expect_column_pair_values_to_be_equal": onPair(func(e *expectation, a, b string, n Nulls) (Rule, error) {
			return pairs("equal", a, b, n, func(x, y Value) (bool, error) { return x.equal(y), nil }), nil
		}),
		"expect_column_pair_values_a_to_be_greater_than_b": onPair(func(e *expectation, a, b string, n Nulls) (Rule, error) {
			return greater(a, b, e.flag("or_equal"), e.flag("parse_strings_as_datetimes"), n), nil
		}),
		"expect_column_pair_values_to_be_in_set": onPair(gxPairSet),

		"expect_compound_columns_to_be_unique": onColumns(func(_ *expectation, cs []string, n Nulls) (Rule, error) { return unique(cs, n), nil }),
		"expect_multicolumn_values_to_be_unique": onColumns(func(_ *expectation, cs []string, n Nulls) (Rule, error) {
			return distinctWithin(cs, n), nil
		}),
		"expect_select_column_values_to_be_unique_within_record": onColumns(func(_ *expectation, cs []string, n Nulls) (Rule, error) {
			return distinctWithin(cs, n), nil
		}),
		"expect_multicolumn_sum_to_equal": onColumns(func(e *expectation, cs []string, n Nulls) (Rule, error) {
			t, err := e.number("sum_total")
			return sums(cs, t, n), err
		}),

		"expect_column_min_to_be_between":   gxExtreme(0),
		"expect_column_max_to_be_between":   gxExtreme(1),
		"expect_column_mean_to_be_between":  figure(false, func(c string, _ *expectation) Rule { return statistic("mean", c, meanOf) }),
		"expect_column_sum_to_be_between":   figure(true, func(c string, _ *expectation) Rule { return statistic("sum", c, sumOf) }),
		"expect_column_stdev_to_be_between": figure(false, func(c string, _ *expectation) Rule { return statistic("stdev", c, deviationOf) }),
		"expect_column_median_to_be_between": figure(false, func(c string, _ *expectation) Rule {
			return overNumbers("median", c, func(x []float64, o *Outcome) error {
				o.Observed = finite(quantile(sorted(x), 0.5, "linear"))
				return nil
			})
		}),
		"expect_column_unique_value_count_to_be_between": figure(false, func(c string, _ *expectation) Rule {
			return distinctCount(c, func(d, _ int64) any { return d })
		}),
		"expect_column_proportion_of_unique_values_to_be_between": figure(false, func(c string, _ *expectation) Rule {
			return distinctCount(c, func(d, n int64) any {
				if n == 0 {
					return nil
				}
				return float64(d) / float64(n)
			})
		}),
		"expect_column_proportion_of_non_null_values_to_be_between": figure(false, func(c string, _ *expectation) Rule {
			return missing(c, func(absent, rows int64) any {
				if rows == 0 {
					return nil
				}
				return float64(rows-absent) / float64(rows)
			})
		}),
		"expect_column_quantile_values_to_be_between":                                 onColumn(gxQuantiles),
		"expect_column_distinct_values_to_be_in_set":                                  onColumn(gxDistinct(func(have, want *valueSet) bool { return have.within(want) })),
		"expect_column_distinct_values_to_contain_set":                                onColumn(gxDistinct(func(have, want *valueSet) bool { return want.within(have) })),
		"expect_column_distinct_values_to_equal_set":                                  onColumn(gxDistinct(func(have, want *valueSet) bool { return have.within(want) && want.within(have) })),
		"expect_column_most_common_value_to_be_in_set":                                onColumn(gxMostCommon),
		"expect_column_kl_divergence_to_be_less_than":                                 onColumn(gxDivergence),
		"expect_column_chisquare_test_p_value_to_be_greater_than":                     onColumn(gxChiSquare),
		"expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than": onColumn(gxKolmogorov),
		"expect_column_pair_cramers_phi_value_to_be_less_than":                        onPair(gxCramer),

		"expect_table_row_count_to_be_between": func(e *expectation) (Rule, error) {
			b, err := e.bounds(true, false, true)
			r := rowCount()
			if err != nil {
				return wrongTable(err), nil
			}
			r.judge, r.Expected = inside(b), b.String()
			return r, nil
		},
		"expect_table_row_count_to_equal": func(e *expectation) (Rule, error) {
			v := valueOf(e.get("value"))
			if v.Kind != Int {
				return wrongTable(errArgument("value 应为整数 / value must be an integer")), nil
			}
			r := rowCount()
			r.judge, r.Expected = inside(bounds{min: v, max: v}), v.text()
			return r, nil
		},
		"expect_table_column_count_to_be_between": func(e *expectation) (Rule, error) {
			b, err := e.bounds(true, false, true)
			if err != nil {
				return wrongTable(err), nil
			}
			return columnCount(b), nil
		},
		"expect_table_column_count_to_equal": func(e *expectation) (Rule, error) {
			v := valueOf(e.get("value"))
			if v.Kind != Int {
				return wrongTable(errArgument("value 应为整数 / value must be an integer")), nil
			}
			return columnCount(bounds{min: v, max: v}), nil
		},
		"expect_column_to_exist": func(e *expectation) (Rule, error) {
			c, err := e.text("column")
			at := valueOf(e.get("column_index"))
			return schemaRule("columns", func(have []string) (bool, any) {
				i := slices.Index(have, c)
				if at.Kind == Int {
					return i >= 0 && int64(i) == at.I, nil
				}
				return i >= 0, nil
			}), err
		},
		"expect_table_columns_to_match_ordered_list": func(e *expectation) (Rule, error) {
			if e.get("column_list") == nil {
				return schemaRule("columns", func(have []string) (bool, any) { return true, have }), nil
			}
			want, err := e.texts("column_list")
			return schemaRule("columns", func(have []string) (bool, any) { return slices.Equal(have, want), have }), err
		},
		"expect_table_columns_to_match_set": gxColumnSet,
	}
}

func wrongTable(err error) Rule {
	return Rule{Kind: "invalid", schema: func(*Outcome, Source) error { return err }}
}

func schemaRule(kind string, ok func(have []string) (bool, any)) Rule {
	return Rule{Kind: kind, schema: func(o *Outcome, src Source) error {
		holds, seen := ok(src.Columns())
		o.Observed, o.Evaluated = seen, 1
		if !holds {
			o.Failed = 1
		}
		o.hold(holds)
		return nil
	}}
}

func columnCount(b bounds) Rule {
	r := schemaRule("column_count", func(have []string) (bool, any) {
		ok, err := b.has(intValue(int64(len(have))))
		return ok && err == nil, len(have)
	})
	r.Expected = b.String()
	return r
}

func gxColumnSet(e *expectation) (Rule, error) {
	exact := e.get("exact_match") != false
	var want []string
	var err error
	if e.get("column_set") != nil {
		want, err = e.texts("column_set")
	}
	return schemaRule("columns", func(have []string) (bool, any) {
		for _, c := range want {
			if !slices.Contains(have, c) {
				return false, have
			}
		}
		for _, c := range have {
			if exact && !slices.Contains(want, c) {
				return false, have
			}
		}
		return true, have
	}), err
}

func gxInSet(not bool) func(*expectation, string) (Rule, error) {
	return func(e *expectation, c string) (Rule, error) {
		if e.get("value_set") == nil && !not {
			return rowTest("enum", c, test{any: func(Value) (bool, error) { return true, nil }}), nil
		}
		values, err := e.values("value_set")
		if err != nil {
			return Rule{}, errArgument(err.Error())
		}
		if e.flag("parse_strings_as_datetimes") {
			for i := range values {
				if m, ok := values[i].moment(); ok {
					values[i] = m
				}
			}
			s := newValueSet(values)
			return rowTest("enum", c, test{any: func(v Value) (bool, error) {
				if m, ok := v.moment(); ok {
					v = m
				}
				return s.has(v) != not, nil
			}}), nil
		}
		return among(c, values, not), nil
	}
}

func gxPattern(arg string, compile func(string) (matcher, error), not bool) func(*expectation, string) (Rule, error) {
	return func(e *expectation, c string) (Rule, error) {
		text, err := e.text(arg)
		if err != nil {
			return Rule{}, err
		}
		m, err := compile(text)
		r := matching(c, []matcher{m}, false, not)
		r.Expected = text
		return r, err
	}
}

func gxPatterns(arg string, compile func(string) (matcher, error), not bool) func(*expectation, string) (Rule, error) {
	return func(e *expectation, c string) (Rule, error) {
		list, err := e.texts(arg)
		if err != nil {
			return Rule{}, err
		}
		var ms []matcher
		for _, text := range list {
			m, err := compile(text)
			if err != nil {
				return Rule{}, err
			}
			ms = append(ms, m)
		}
		on, _ := e.get("match_on").(string)
		r := matching(c, ms, on == "all" && !not, not)
		r.Expected = strings.Join(list, " | ")
		return r, nil
	}
}

func onPair(make func(e *expectation, a, b string, n Nulls) (Rule, error)) func(*expectation) (Rule, error) {
	return func(e *expectation) (Rule, error) {
		a, err := e.text("column_A")
		if err != nil {
			return Rule{}, err
		}
		b, err := e.text("column_B")
		if err != nil {
			return Rule{}, err
		}
		n, err := e.ignore(true)
		if err != nil {
			return refused(a, err), nil
		}
		return make(e, a, b, n)
	}
}

func onColumns(make func(e *expectation, columns []string, n Nulls) (Rule, error)) func(*expectation) (Rule, error) {
	return func(e *expectation) (Rule, error) {
		columns, err := e.texts("column_list")
		if err != nil {
			return Rule{}, err
		}
		n, err := e.ignore(false)
		if err != nil {
			return refused(columns[0], err), nil
		}
		return make(e, columns, n)
	}
}

func gxPairSet(e *expectation, a, b string, n Nulls) (Rule, error) {
	list, ok := e.get("value_pairs_set").([]any)
	if !ok {
		return pairs("pair_in", a, b, n, func(Value, Value) (bool, error) { return true, nil }), nil
	}
	known := map[[2]key]bool{}
	for _, p := range list {
		pair, ok := p.([]any)
		if !ok || len(pair) != 2 {
			return Rule{}, fmt.Errorf("value_pairs_set 应是成对的值 / not pairs")
		}
		known[[2]key{keyOf(valueOf(pair[0])), keyOf(valueOf(pair[1]))}] = true
	}
	return pairs("pair_in", a, b, n, func(x, y Value) (bool, error) { return known[[2]key{keyOf(x), keyOf(y)}], nil }), nil
}

func gxExtreme(which int) func(*expectation) (Rule, error) {
	kind := [2]string{"min", "max"}[which]
	return func(e *expectation) (Rule, error) {
		column, err := e.text("column")
		if err != nil {
			return Rule{}, err
		}
		b, err := e.bounds(false, true, true)
		if err != nil {
			return refused(column, err), nil
		}
		dated, isDated := b.dates()
		r := extreme(kind, column, which, e.flag("parse_strings_as_datetimes"), func(v Value, o *Outcome) error {
			in := b
			if isDated {
				if m, ok := v.moment(); ok {
					v, in = m, dated
				}
			}
			if v.Kind == Null {
				o.hold(false)
				return nil
			}
			ok, err := in.has(v)
			if err == nil {
				o.hold(ok)
			}
			return err
		})
		r.Expected = b.String()
		return r, nil
	}
}

// missing measures how many values of a column are absent.
func missing(column string, measure func(absent, rows int64) any) Rule {
	return Rule{Kind: "missing", Columns: []string{column}, Nulls: KeepAll, set: &set{
		part: func(r *Rows) (any, error) {
			absent := int64(0)
			c := r.Cols[0]
			if c.valid != nil {
				for i := range r.N {
					if r.judged(i) && c.IsNull(i) {
						absent++
					}
				}
			}
			return [2]int64{absent, r.count()}, nil
		},
		done: func(s *Set, o *Outcome) error {
			var n [2]int64
			for _, p := range s.Parts {
				x := p.([2]int64)
				n[0], n[1] = n[0]+x[0], n[1]+x[1]
			}
			o.Evaluated, o.Failed, o.Observed = n[1], n[0], measure(n[0], n[1])
			return nil
		},
	}}
}

func gxQuantiles(e *expectation, column string) (Rule, error) {
	ranges, ok := e.get("quantile_ranges").(map[string]any)
	if !ok {
		return Rule{}, fmt.Errorf("缺少 quantile_ranges / quantile_ranges missing")
	}
	quantiles, _ := ranges["quantiles"].([]any)
	limits, _ := ranges["value_ranges"].([]any)
	if len(quantiles) == 0 || len(quantiles) != len(limits) {
		return Rule{}, errArgument("quantile_ranges 的 quantiles 与 value_ranges 应一样多 / quantile_ranges do not match")
	}
	for i := range limits {
		pair, isPair := limits[i].([]any)
		if !isPair || len(pair) != 2 {
			return Rule{}, errArgument("value_ranges 应是成对的值 / quantile_ranges must consist of pairs")
		}
		if c, ok := valueOf(pair[0]).compare(valueOf(pair[1])); ok && c > 0 {
			return Rule{}, errArgument("value_ranges 的下限大于上限 / quantile_ranges must consist of ordered pairs")
		}
	}
	method := "nearest"
	if m, ok := e.get("allow_relative_error").(string); ok {
		method = m
	}
	return overNumbers("quantile", column, func(x []float64, o *Outcome) error {
		sorted(x)
		seen, holds := make([]any, len(quantiles)), true
		for i := range quantiles {
			q, ok := floatOf(quantiles[i])
			pair, isPair := limits[i].([]any)
			if !ok || !isPair || len(pair) != 2 || q < 0 || q > 1 {
				return errArgument("quantile_ranges 不对 / quantile_ranges are wrong")
			}
			v := quantile(x, q, method)
			seen[i] = finite(v)
			lo, hi := math.Inf(-1), math.Inf(1)
			if pair[0] != nil {
				lo, _ = floatOf(pair[0])
			}
			if pair[1] != nil {
				hi, _ = floatOf(pair[1])
			}
			holds = holds && (v >= lo && v <= hi || near(v, lo) || near(v, hi))
		}
		o.Observed = map[string]any{"quantiles": quantiles, "values": seen}
		o.hold(holds)
		return nil
	}), nil
}

// near is GX's tolerance for quantiles.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-4*math.Abs(b) }

func (s *valueSet) within(t *valueSet) bool {
	for _, v := range s.list {
		if v.Kind != Null && !t.has(v) {
			m, ok := v.moment()
			if !ok || !t.moments[m.micros()] {
				return false
			}
		}
	}
	return true
}

func gxDistinct(holds func(have, want *valueSet) bool) func(*expectation, string) (Rule, error) {
	return func(e *expectation, column string) (Rule, error) {
		if e.get("value_set") == nil {
			return overValues("distinct_values", column, func(c counted, o *Outcome) error { o.Observed = c.plain(); o.hold(true); return nil }), nil
		}
		values, err := e.values("value_set")
		want := newValueSet(values)
		return overValues("distinct_values", column, func(c counted, o *Outcome) error {
			o.Observed = c.plain()
			o.hold(holds(newValueSet(c.values), want))
			return nil
		}), err
	}
}

func gxMostCommon(e *expectation, column string) (Rule, error) {
	values, err := e.values("value_set")
	want, ties := newValueSet(values), e.flag("ties_okay")
	return overValues("most_common_in_set", column, func(c counted, o *Outcome) error {
		most, top := int64(0), []Value(nil)
		for i, n := range c.counts {
			if n > most {
				most, top = n, nil
			}
			if n == most {
				top = append(top, c.values[i])
			}
		}
		in := 0
		seen := make([]any, len(top))
		for i, v := range top {
			seen[i] = v.plain()
			if want.has(v) {
				in++
			}
		}
		o.Observed = seen
		o.hold(len(top) == 1 && in == 1 || ties && in > 0)
		return nil
	}), err
}

// ofType judges a column's type as pandas has it; a column of several kinds is judged
// value by value.
func ofType(column string, names []string, list bool) Rule {
	type part struct {
		seen [JSON + 1]bool
		bad  Bits
		n    int64
	}
	python := func(v Value) bool {
		for _, n := range names {
			n = strings.ToLower(n)
			if slices.Contains(pythonNames(v), n) {
				return true
			}
			if v.Kind == Text { // CSV and JSON have no dates
				names := dtypeNames["datetime64"]
				if zoned.MatchString(v.S) {
					names = zonedNames
				}
				if _, ok := parseMoment(v.S); ok && slices.Contains(names, n) {
					return true
				}
			}
		}
		return false
	}
	return Rule{Kind: "type", Columns: []string{column}, set: &set{
		part: func(r *Rows) (any, error) {
			k, err := kindsOf(r)
			p := part{seen: k.([JSON + 1]bool), bad: NewBits(r.N), n: r.count()}
			if err == nil {
				err = r.each(func(i int) error {
					if !python(r.Cols[0].At(i)) {
						p.bad.Set(i)
					}
					return nil
				})
			}
			return p, err
		},
		done: func(s *Set, o *Outcome) error {
			var seen [JSON + 1]bool
			bad := NewBits(s.Rows)
			for i, p := range s.Parts {
				p := p.(part)
				for k, is := range p.seen {
					seen[k] = seen[k] || is
				}
				p.bad.Each(func(row int) { bad.Set(s.First[i] + row) })
			}
			kind := dtype(seen)
			whole := kind != "object_"
			for _, n := range names {
				whole = whole || slices.Contains([]string{"object", "object_", "o"}, strings.ToLower(n))
			}
			if !whole {
				o.Rows, o.Failed = bad, bad.Count()
				return nil // by mostly
			}
			o.Observed = kind
			holds := false
			for _, n := range names {
				holds = holds || slices.Contains(dtypeNames[kind], strings.ToLower(n))
			}
			if !holds {
				o.Failed = o.Evaluated
			}
			o.hold(holds)
			return nil
		},
	}}
}

// dtype is the type pandas gives a column that holds the kinds seen.
func dtype(seen [JSON + 1]bool) string {
	only := func(kinds ...Kind) bool {
		for k := Bool; k <= JSON; k++ {
			if seen[k] && !slices.Contains(kinds, k) {
				return false
			}
		}
		return true
	}
	switch {
	case seen[Bool] && !seen[Null] && only(Bool):
		return "bool_"
	case seen[Int] && !seen[Null] && only(Int):
		return "int64"
	case (seen[Int] || seen[Float]) && only(Int, Float):
		return "float64"
	case (seen[Date] || seen[Time]) && only(Date, Time):
		return "datetime64"
	}
	return "object_"
}

// dtypeNames are the names, in lower case, a column's type answers to: numpy's, and
// those of databases for suites that were written for one.
var dtypeNames = map[string][]string{
	"int64":      {"int", "int64", "long", "int_", "longlong", "integer", "bigint", "smallint", "tinyint", "integertype", "longtype", "int64dtype"},
	"float64":    {"float", "float64", "double", "float_", "floating", "double_precision", "numeric", "decimal", "real", "number", "floattype", "doubletype"},
	"bool_":      {"bool", "bool_", "bool8", "boolean", "booleantype"},
	"datetime64": {"datetime64", "datetime64[ns]", "timestamp", "datetime", "date", "m8[ns]", "timestamptype", "datetype"},
	"object_":    {"object", "object_", "o"},
}

// zonedNames are those of times with a zone.
var (
	zonedNames = []string{"timestamp", "timestamptz", "datetimetzdtype", "datetimetzdtypetype", "datetime64[ns, utc]"}
	zoned      = regexp.MustCompile(`:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$`)
)

// pythonNames are the names the type of one value answers to.
func pythonNames(v Value) []string {
	switch v.Kind {
	case Bool:
		return []string{"bool", "boolean"}
	case Int:
		return []string{"int", "long", "integer", "bigint"}
	case Float:
		return []string{"float", "double"}
	case Text:
		return []string{"str", "string_types", "string", "varchar", "text", "char", "stringtype"}
	case Date, Time:
		return dtypeNames["datetime64"]
	case JSON:
		if strings.HasPrefix(v.S, "[") {
			return []string{"list"}
		}
		return []string{"dict"}
	}
	return nil
}

// gxStrftime wants texts that a strptime format reads.
func gxStrftime(e *expectation, column string) (Rule, error) {
	format, err := e.text("strftime_format")
	if err != nil {
		return Rule{}, err
	}
	ok, err := strptime(format)
	if err != nil {
		return Rule{}, errArgument(err.Error())
	}
	r := textual("date_text", column, true, ok)
	r.Expected = format
	return r, nil
}

// plainTree turns a document's numbers into what other libraries take.
func plainTree(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = plainTree(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = plainTree(x)
		}
		return out
	case number:
		f, _ := strconv.ParseFloat(string(v), 64)
		return f
	case int:
		return float64(v)
	}
	return v
}

// monthsAgo lets a relative form of dateutil through; kept apart from parseMoment.
func dateutil(s string) bool {
	for _, form := range []string{"15:04", "15:04:05", "2006", "Mon Jan 2 2006", "Monday, January 2, 2006", "Jan 2nd 2006", "02-Jan-2006", "2-Jan-06", "January 2", "Jan 2"} {
		if _, err := time.Parse(form, strings.TrimSpace(s)); err == nil {
			return true
		}
	}
	return false
}
