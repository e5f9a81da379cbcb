package check

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

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
