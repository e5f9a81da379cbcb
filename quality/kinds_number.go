package quality

import (
	"fmt"
	"math"
	"math/big"
	"time"

	"mulu"
)

func compileRange(s *scope) (verdict, string, error) {
	scale := 0
	if s.cols[0].Type == mulu.Decimal {
		scale = s.cols[0].Scale
	}
	lo, err := s.bound("min", scale, math.MinInt64)
	if err != nil {
		return nil, "", err
	}
	hi, err := s.bound("max", scale, math.MaxInt64)
	if err != nil {
		return nil, "", err
	}
	if lo > hi {
		return nil, "", fmt.Errorf("参数 min 大于 max")
	}
	col := s.at[0]
	return func(b *batch, fail bitmap) int64 { return within(b, col, fail, lo, hi) },
		fmt.Sprintf("%s应在 %s 至 %s 之间", s.title(), orAny(s.rule.Params["min"]), orAny(s.rule.Params["max"])), nil
}

func orAny(v string) string {
	if v == "" {
		return "不限"
	}
	return v
}

// bound reads a decimal parameter in units of the column's last digit.
func (s *scope) bound(name string, scale int, otherwise int64) (int64, error) {
	v, ok := s.rule.Params[name]
	if !ok {
		return otherwise, nil
	}
	r, ok := new(big.Rat).SetString(v)
	if !ok {
		return 0, fmt.Errorf("参数 %s=%q 应为数字", name, v)
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, fmt.Errorf("参数 %s=%q 超出数据项的 %d 位小数或 18 位数字", name, v, scale)
	}
	return r.Num().Int64(), nil
}

// today is the parameter value that means the day the batch is judged by.
const today = "today"

func compileDateRange(s *scope) (verdict, string, error) {
	lo, err := s.dateBound("min", time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), false)
	if err != nil {
		return nil, "", err
	}
	hi, err := s.dateBound("max", time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), true)
	if err != nil {
		return nil, "", err
	}
	col := s.at[0]
	return func(b *batch, fail bitmap) int64 { return within(b, col, fail, lo(b), hi(b)) },
		fmt.Sprintf("%s应在 %s 至 %s 之间", s.title(), orAny(s.rule.Params["min"]), todayOr(s.rule.Params["max"])), nil
}

func todayOr(v string) string {
	if v == today {
		return "当天"
	}
	return orAny(v)
}

// dateBound reads a date parameter in the column's unit. The end of a range of
// datetimes is the last millisecond of its day in Shanghai.
func (s *scope) dateBound(name string, otherwise time.Time, end bool) (func(*batch) int64, error) {
	inUnit := func(y, m, d int) int64 {
		if s.cols[0].Type == mulu.Date {
			return days(y, m, d)
		}
		t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, beijing)
		if end {
			t = t.AddDate(0, 0, 1).Add(-time.Millisecond)
		}
		return t.UnixMilli()
	}
	v := s.rule.Params[name]
	if v == today {
		return func(b *batch) int64 {
			y, m, d := b.asOf.Date()
			return inUnit(y, int(m), d)
		}, nil
	}
	t := otherwise
	if v != "" {
		var err error
		if t, err = time.Parse(time.DateOnly, v); err != nil {
			return nil, fmt.Errorf("参数 %s=%q 应为 YYYY-MM-DD 或 today", name, v)
		}
	}
	fixed := inUnit(t.Year(), int(t.Month()), t.Day())
	return func(*batch) int64 { return fixed }, nil
}

func compileOrder(s *scope) (verdict, string, error) {
	if s.cols[0].Type != s.cols[1].Type {
		return nil, "", fmt.Errorf("两个数据项类型不同（%s 与 %s），不能比较先后", s.cols[0].Type, s.cols[1].Type)
	}
	first, second := s.at[0], s.at[1]
	return func(b *batch, fail bitmap) (evaluated int64) {
		x, y := b.rec.Column(first), b.rec.Column(second)
		xs, ys := numbers(x), numbers(y)
		for i := range b.n {
			if x.IsNull(i) || y.IsNull(i) {
				continue
			}
			evaluated++
			if xs(i) > ys(i) {
				fail.set(i)
			}
		}
		return evaluated
	}, fmt.Sprintf("%s应不晚于%s", s.title(), s.cols[1].Title), nil
}
