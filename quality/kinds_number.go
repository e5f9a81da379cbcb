package quality

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"mulu"
)

// numberKinds judge numbers, dates and ages.
var numberKinds = []kind{
	{KindInfo{Name: "range", Title: "数值范围", Says: "数值在范围内，含两端；strict 所列的一端不含", Indicator: "030200", Least: 1, Most: 1, Types: numeric, Params: []ParamInfo{
		{Name: "min", Title: "最小值，不写不限", Type: ParamNumber}, {Name: "max", Title: "最大值，不写不限", Type: ParamNumber}, strictEnds}}, compileRange},
	{KindInfo{Name: "precision", Title: "精度", Says: "整数部分和小数部分的位数不超过所给", Indicator: "030200", Least: 1, Most: 1, Types: decimals, Params: []ParamInfo{
		{Name: "digits", Title: "整数部分至多几位，不写不限", Type: ParamInt}, {Name: "scale", Title: "小数部分至多几位，不写不限", Type: ParamInt}}}, compilePrecision},
	{KindInfo{Name: "date_range", Title: "日期范围", Says: "日期在范围内，含两端，且不是 except 所列的占位日期", Indicator: "030200", Least: 1, Most: 1, Types: calendars, Params: []ParamInfo{
		{Name: "min", Title: "最早，不写不限", Type: ParamDay}, {Name: "max", Title: "最晚，不写不限", Type: ParamDay}, {Name: "except", Title: "不允许的日期", Type: ParamList}, strictEnds}}, compileDateRange},
	{KindInfo{Name: "age", Title: "年龄合理", Says: "按出生日期，在所指日期的周岁在范围内", Indicator: "030100", Least: 1, Most: 1, Types: calendars, Params: []ParamInfo{
		{Name: "min", Title: "最小周岁", Type: ParamInt, Default: "0"}, {Name: "max", Title: "最大周岁", Type: ParamInt, Default: "120"},
		{Name: "at", Title: "算到哪天：日期数据项的名称，或 today", Type: ParamText, Default: today}}}, compileAge},
}

var strictEnds = ParamInfo{Name: "strict", Title: "不含哪一端", Type: ParamChoice, Default: "none", Choices: []string{"none", "min", "max", "both"}}

func badParam(name, value, say string) error { return fmt.Errorf("参数 %s=%q %s", name, value, say) }

// strict says whether a bound is left out of its range.
func (s *scope) strict(end string) bool {
	return s.param("strict") == end || s.param("strict") == "both"
}

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
	if s.strict("min") && s.given("min") {
		lo++
	}
	if s.strict("max") && s.given("max") {
		hi--
	}
	if lo > hi {
		return nil, "", errors.New("参数 min 大于 max，没有数值合格")
	}
	col := s.at[0]
	return func(b *batch, fail bitmap) int64 { return within(b, col, fail, lo, hi) },
		fmt.Sprintf("%s应在 %s 至 %s 之间%s；请核对数值和单位", s.title(), orAny(s.param("min")), orAny(s.param("max")), s.strictly()), nil
}

func (s *scope) strictly() string {
	return map[string]string{"none": "", "min": "（不含最小值）", "max": "（不含最大值）", "both": "（不含两端）"}[s.param("strict")]
}

func orAny(v string) string {
	if v == "" {
		return "不限"
	}
	return v
}

// bound reads a decimal parameter in units of the column's last digit.
func (s *scope) bound(name string, scale int, otherwise int64) (int64, error) {
	v := s.param(name)
	if v == "" {
		return otherwise, nil
	}
	r, ok := new(big.Rat).SetString(v)
	if !ok {
		return 0, badParam(name, v, "应为数字")
	}
	r = inDigits(r, scale)
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, badParam(name, v, fmt.Sprintf("超出数据项的 %d 位小数或 18 位数字", scale))
	}
	return r.Num().Int64(), nil
}

// decimalAt reads a decimal in units of 10^-scale.
func decimalAt(v string, scale int) (decimal128.Num, bool) {
	r, ok := new(big.Rat).SetString(v)
	if !ok {
		return decimal128.Num{}, false
	}
	r = inDigits(r, scale)
	return decimal128.FromBigInt(r.Num()), r.IsInt()
}

func compilePrecision(s *scope) (verdict, string, error) {
	scale := int64(s.cols[0].Scale)
	digits, fraction := s.intParam("digits", 18), min(s.intParam("scale", scale), scale)
	unit := int64(math.Pow10(int(scale - fraction))) // exact up to 10^18
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(digits+scale), nil)
	limit := int64(math.MaxInt64)
	if most.IsInt64() {
		limit = most.Int64()
	}
	col := s.at[0]
	return func(b *batch, fail bitmap) (evaluated int64) {
		at := numbers(b.rec.Column(col))
		eachRow(b, s.at, func(i int) {
			evaluated++
			if v := at(i); v%unit != 0 || v >= limit || v <= -limit {
				fail.set(i)
			}
		})
		return evaluated
	}, fmt.Sprintf("%s的整数部分应至多 %d 位、小数部分至多 %d 位；请核对精度和单位", s.title(), digits, fraction), nil
}

// today is the parameter value that means the day the batch is judged by.
const today = "today"

// day is a day as a parameter writes it: fixed, or counted from today.
type day struct {
	fixed  time.Time
	moving bool
	plus   int
}

func readDay(v string) (day, error) {
	if rest, ok := strings.CutPrefix(v, today); ok {
		if rest == "" {
			return day{moving: true}, nil
		}
		n, err := strconv.Atoi(rest)
		if err != nil || rest[0] != '+' && rest[0] != '-' || n > 100_000 || n < -100_000 {
			return day{}, mulu.ErrInvalid
		}
		return day{moving: true, plus: n}, nil
	}
	t, err := time.Parse(time.DateOnly, v)
	return day{fixed: t}, err
}

// date is the day for a batch.
func (d day) date(b *batch) time.Time {
	if !d.moving {
		return d.fixed
	}
	y, m, dd := b.asOf.Date()
	return time.Date(y, m, dd+d.plus, 0, 0, 0, 0, time.UTC)
}

// say names the day in a reason.
func (d day) say() string {
	switch {
	case !d.moving:
		return d.fixed.Format(time.DateOnly)
	case d.plus == 0:
		return "当天"
	case d.plus < 0:
		return fmt.Sprintf("当天前 %d 天", -d.plus)
	}
	return fmt.Sprintf("当天后 %d 天", d.plus)
}

// ends of what a column of dates may be.
var (
	firstDay = day{fixed: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}
	lastDay  = day{fixed: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
)

// dayParam reads a day, which was found readable.
func (s *scope) dayParam(name string, otherwise day) (day, string) {
	if v := s.param(name); v != "" {
		if d, err := readDay(v); err == nil {
			return d, d.say()
		}
	}
	return otherwise, "不限"
}

func compileDateRange(s *scope) (verdict, string, error) {
	lo, from := s.dayParam("min", firstDay)
	hi, to := s.dayParam("max", lastDay)
	if !lo.moving && !hi.moving && lo.fixed.After(hi.fixed) {
		return nil, "", errors.New("参数 min 晚于 max，没有日期合格")
	}
	begin, end := s.dayStart(s.strict("min") && s.given("min")), s.dayEnd(s.strict("max") && s.given("max"))
	var except []time.Time
	for _, v := range s.list("except") {
		t, err := time.Parse(time.DateOnly, v)
		if err != nil {
			return nil, "", badParam("except", v, "应为以逗号分隔的 YYYY-MM-DD")
		}
		except = append(except, t)
	}
	col := s.at[0]
	reason := fmt.Sprintf("%s应在 %s 至 %s 之间%s", s.title(), from, to, s.strictly())
	if except == nil {
		return func(b *batch, fail bitmap) int64 {
			return within(b, col, fail, begin(lo.date(b)), end(hi.date(b)))
		}, reason + "；请核对证件或原始材料", nil
	}
	return func(b *batch, fail bitmap) int64 {
		at := dayAt(b.rec.Column(col))
		eachRow(b, s.at, func(i int) {
			for _, t := range except {
				if at(i) == days(t.Year(), int(t.Month()), t.Day()) {
					fail.set(i)
				}
			}
		})
		return within(b, col, fail, begin(lo.date(b)), end(hi.date(b)))
	}, reason + "，且不是占位日期 " + s.param("except") + "；请核对证件或原始材料", nil
}

// dayStart gives the first value of a day in the column's unit; with strict, of the day
// after.
func (s *scope) dayStart(strict bool) func(time.Time) int64 {
	return func(t time.Time) int64 {
		if strict {
			t = t.AddDate(0, 0, 1)
		}
		if s.cols[0].Type == mulu.Date {
			return days(t.Year(), int(t.Month()), t.Day())
		}
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, shanghai).UnixMilli()
	}
}

// dayEnd gives the last value of a day; with strict, of the day before.
func (s *scope) dayEnd(strict bool) func(time.Time) int64 {
	next := s.dayStart(!strict)
	return func(t time.Time) int64 { return next(t) - 1 }
}

func compileAge(s *scope) (verdict, string, error) {
	lo, hi := s.intParam("min", 0), s.intParam("max", 120)
	if lo > hi {
		return nil, "", fmt.Errorf("参数 min=%d 大于 max=%d", lo, hi)
	}
	birth, until, cols := s.at[0], -1, s.at
	if name := s.param("at"); name != today {
		at, err := s.dayColumn("at", name)
		if err != nil {
			return nil, "", err
		}
		until, cols = at, []int{birth, at}
	}
	return func(b *batch, fail bitmap) (evaluated int64) {
		now := b.today()
		born, end := dayAt(b.rec.Column(birth)), func(int) int64 { return now }
		if until >= 0 {
			end = dayAt(b.rec.Column(until))
		}
		eachRow(b, cols, func(i int) {
			evaluated++
			from, to := born(i), end(i)
			if n := years(from, to); from > to || n < lo || n > hi {
				fail.set(i)
			}
		})
		return evaluated
	}, fmt.Sprintf("按%s计算的年龄应在 %d 至 %d 周岁之间；请核对证件后在源系统更正", s.title(), lo, hi), nil
}

// days counts from 1970-01-01.
func days(y, m, d int) int64 {
	return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC).Unix() / 86_400
}
