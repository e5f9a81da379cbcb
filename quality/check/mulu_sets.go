package check

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mulu"
)

// setArgs are a set rule's columns and parameters while it is read.
type setArgs struct {
	rule   *ruleOfFile
	params map[string]string
	used   map[string]bool
}

func (a *setArgs) text(name, otherwise string) string {
	a.used[name] = true
	if v, ok := a.params[name]; ok {
		return v
	}
	return otherwise
}

func (a *setArgs) number(name string, otherwise float64) (float64, error) {
	v := a.text(name, "")
	if v == "" {
		return otherwise, nil
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return 0, fmt.Errorf("参数 %s=%q 应为数字 / not a number", name, v)
	}
	return f, nil
}

// bounds are min and max, one of which must be given; of dates, days.
func (a *setArgs) bounds() (b bounds, err error) {
	for name, end := range map[string]*Value{"min": &b.min, "max": &b.max} {
		v := a.text(name, "")
		if v == "" {
			continue
		}
		if m, ok := isoDate(v); ok {
			*end = m
			continue
		}
		if *end = number(v).value(); !end.isNumber() {
			return b, fmt.Errorf("参数 %s=%q 应为数字或 YYYY-MM-DD / neither a number nor a date", name, v)
		}
	}
	if b.min.Kind == Null && b.max.Kind == Null {
		err = fmt.Errorf("规则种类 %s 需要 min 或 max / min or max is needed", a.rule.Kind)
	}
	return b, err
}

func (a *setArgs) column() (string, error) {
	if len(a.rule.Columns) != 1 {
		return "", fmt.Errorf("规则种类 %s 需要 1 个数据项，给了 %d 个 / one column is needed", a.rule.Kind, len(a.rule.Columns))
	}
	return a.rule.Columns[0], nil
}

// measured judges one figure by bounds: one element, as in the library.
func measured(b bounds) func(*Outcome) {
	return func(o *Outcome) {
		v := valueOf(o.Observed)
		if s, ok := o.Observed.(string); ok {
			v, _ = parseMoment(s)
		}
		o.Evaluated, o.Failed, o.Rows = 1, 0, nil
		if v.Kind == Null {
			o.Evaluated = 0
		} else if in, err := b.has(v); err != nil {
			o.err(err)
			return
		} else if !in {
			o.Failed = 1
		}
		nothingHolds(o)
	}
}

// nothingHolds is mulu's own verdict: with nothing judged a rule is skipped.
func nothingHolds(o *Outcome) {
	if o.Evaluated == 0 {
		o.Status, o.Success = "skipped", true
		return
	}
	mostly(o)
}

// bounded is a rule whose figure of one column must lie in min and max.
func bounded(make func(a *setArgs, column string) (Rule, error)) func(*setArgs) (Rule, error) {
	return func(a *setArgs) (Rule, error) {
		column, err := a.column()
		if err != nil {
			return Rule{}, err
		}
		b, err := a.bounds()
		if err != nil {
			return Rule{}, err
		}
		r, err := make(a, column)
		r.judge, r.Expected, r.hide = measured(b), b.String(), true
		return r, err
	}
}

func plainStatistic(figure func(sample) any) func(*setArgs) (Rule, error) {
	return bounded(func(_ *setArgs, c string) (Rule, error) { return statistic("", c, figure), nil })
}

func setQuantile(q float64) func(*setArgs, string) (Rule, error) {
	return func(a *setArgs, c string) (Rule, error) {
		p, err := a.number("p", q)
		if err == nil && !(p >= 0 && p <= 1) {
			err = fmt.Errorf("参数 p 应在 0 至 1 之间 / p is out of range")
		}
		return overNumbers("", c, func(x []float64, o *Outcome) error { o.Observed = finite(quantile(sorted(x), p, "linear")); return nil }), err
	}
}

// repeated counts rows beyond the first of each value.
func repeated(columns []string) Rule {
	nulls := KeepAll
	if len(columns) == 1 {
		nulls = SkipAny // a value that is not there repeats nothing
	}
	r := unique(columns, nulls)
	r.judge = nothingHolds
	r.set = &set{part: keysOf, done: func(s *Set, o *Outcome) error {
		rows, judged, distinct, _ := repeats(s, true)
		o.Rows, o.Evaluated, o.Failed, o.Observed = rows, judged, judged-distinct, distinct
		return nil
	}}
	return r
}

// valuesAgainst holds the different values of a column against a set: elements are the
// values seen, and members of the set that are not.
func valuesAgainst(in, contain bool) func(*setArgs) (Rule, error) {
	return func(a *setArgs) (Rule, error) {
		column, err := a.column()
		want := map[string]bool{}
		for v := range strings.SplitSeq(a.text("values", ""), ",") {
			want[strings.TrimSpace(v)] = true
		}
		r := overValues("", column, func(c counted, o *Outcome) error {
			seen := map[string]bool{}
			o.Evaluated, o.Failed = 0, 0
			for _, v := range c.values {
				seen[sqlText(v)] = true
				if in {
					o.Evaluated++
					if !want[sqlText(v)] {
						o.Failed++
					}
				}
			}
			for v := range want {
				if contain && !seen[v] {
					o.Failed++
				}
				if contain && (!in || !seen[v]) {
					o.Evaluated++
				}
			}
			o.Observed = len(c.values)
			return nil
		})
		r.judge = nothingHolds
		return r, err
	}
}

// setKinds are the set rules that can be judged on a file, named as in docs/rules.md.
var setKinds map[string]func(*setArgs) (Rule, error)

func init() {
	setKinds = map[string]func(*setArgs) (Rule, error){
		"unique": func(a *setArgs) (Rule, error) {
			if len(a.rule.Columns) == 0 {
				return Rule{}, fmt.Errorf("unique 需要至少一个数据项 / needs a column")
			}
			return repeated(a.rule.Columns), nil
		},
		"row_count": func(a *setArgs) (Rule, error) {
			b, err := a.bounds()
			r := rowCount()
			r.judge, r.Expected = measured(b), b.String()
			return r, err
		},
		"null_share": func(a *setArgs) (Rule, error) {
			column, err := a.column()
			if err != nil {
				return Rule{}, err
			}
			b, err := a.bounds()
			r := missing(column, func(absent, rows int64) any { return percentOf(absent, rows) / 100 })
			r.Expected = b.String()
			r.judge = func(o *Outcome) { // elements are rows, the verdict is by the share
				ok, err := b.has(valueOf(o.Observed))
				if o.hold(ok && err == nil); o.Evaluated == 0 {
					nothingHolds(o)
				}
			}
			return r, err
		},
		"distinct_count": func(a *setArgs) (Rule, error) {
			b, err := a.bounds()
			r := repeated(a.rule.Columns)
			r.judge, r.Expected, r.hide = measured(b), b.String(), true
			return r, err
		},
		"distinct_share": bounded(func(_ *setArgs, c string) (Rule, error) {
			return distinctCount(c, func(d, n int64) any {
				if n == 0 {
					return nil
				}
				return float64(d) / float64(n)
			}), nil
		}),
		"values_in_set":      valuesAgainst(true, false),
		"values_contain_set": valuesAgainst(false, true),
		"values_equal_set":   valuesAgainst(true, true),
		"most_common_in_set": func(a *setArgs) (Rule, error) {
			column, err := a.column()
			values := strings.Split(a.text("values", ""), ",")
			for i := range values {
				values[i] = strings.TrimSpace(values[i])
			}
			r := overValues("", column, func(c counted, o *Outcome) error {
				o.Evaluated, o.Failed = min(c.total, 1), 0
				if len(c.counts) == 0 {
					return nil
				}
				most := slices.Max(c.counts)
				for i, n := range c.counts {
					if n == most && !slices.Contains(values, sqlText(c.values[i])) {
						o.Failed = 1
					}
				}
				return nil
			})
			r.judge = nothingHolds
			return r, err
		},
		"text_length": bounded(func(a *setArgs, c string) (Rule, error) {
			which := slices.Index([]string{"min", "max", "mean"}, a.text("measure", "mean"))
			if which < 0 {
				return Rule{}, fmt.Errorf("参数 measure 应为 min、max 或 mean / unknown measure")
			}
			return lengthFigure(c, which), nil
		}),
		"min":  bounded(func(_ *setArgs, c string) (Rule, error) { return setExtreme(c, 0), nil }),
		"max":  bounded(func(_ *setArgs, c string) (Rule, error) { return setExtreme(c, 1), nil }),
		"mean": plainStatistic(meanOf),
		"sum":  plainStatistic(sumOf),
		"stdev": bounded(func(a *setArgs, c string) (Rule, error) {
			if a.text("of", "sample") == "population" {
				return statistic("", c, func(s sample) any { return spread(s, 0, true) }), nil
			}
			return statistic("", c, deviationOf), nil
		}),
		"median":   bounded(setQuantile(0.5)),
		"quantile": bounded(setQuantile(math.NaN())),
		"outliers": func(a *setArgs) (Rule, error) {
			column, err := a.column()
			if err != nil {
				return Rule{}, err
			}
			z, err := a.number("z", 3)
			r := outliers(column, math.Nextafter(z, math.Inf(1)), true) // not further than z
			r.judge = nothingHolds
			return r, err
		},
		"expression": func(a *setArgs) (Rule, error) {
			text := a.text("expression", "")
			r := Rule{Columns: a.rule.Columns, native: &mulu.Rule{ID: "expression", Kind: "expression", Columns: a.rule.Columns, Params: map[string]string{"expr": text},
				Blocking: a.rule.Blocking, When: a.rule.When}}
			return r, nil
		},
	}
}

// setExtreme is the least or greatest value; dates that are written as text are dates.
func setExtreme(column string, which int) Rule {
	return extreme("", column, which, true, func(Value, *Outcome) error { return nil })
}
