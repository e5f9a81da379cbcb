package check

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

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
