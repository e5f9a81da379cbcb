package check

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

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
