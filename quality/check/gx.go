package check

import (
	"fmt"
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
