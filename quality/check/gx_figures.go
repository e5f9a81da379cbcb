package check

import (
	"fmt"
	"math"
)

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
