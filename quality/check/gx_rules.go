package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
