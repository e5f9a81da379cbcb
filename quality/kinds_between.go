package quality

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"mulu"
)

var missingSide = ParamInfo{Name: "nulls", Title: "只有一项为空时：不判断，还是不合格", Type: ParamChoice, Default: "skip", Choices: []string{"skip", "fail"}}

// betweenKinds judge items of one row against each other.
var betweenKinds = []kind{
	{KindInfo{Name: "order", Title: "先后、大小", Says: "各项依次不减：前一项不晚于（不大于）后一项；空的跳过", Indicator: "040202", Least: 2, Types: ordered, Params: []ParamInfo{
		{Name: "strict", Title: "不允许相等", Type: ParamBool, Default: "false"}, missingSide}}, compileOrder},
	{KindInfo{Name: "equal", Title: "各项相等", Says: "所列各项相等", Indicator: "040201", Least: 2, Params: []ParamInfo{missingSide}}, compileEqual},
	{KindInfo{Name: "not_equal", Title: "两项不等", Says: "两项不相等", Indicator: "040202", Least: 2, Most: 2}, compileNotEqual},
	{KindInfo{Name: "distinct_within", Title: "行内不重复", Says: "所列各项两两不同；空的不比较", Indicator: "030400", Least: 2}, compileDistinctWithin},
	{KindInfo{Name: "sum_of", Title: "各项之和", Says: "所列各项之和等于所给的数或数据项，或在范围内", Indicator: "040202", Least: 1, Types: numeric, Params: []ParamInfo{
		{Name: "equals", Title: "应等于的数", Type: ParamNumber}, {Name: "to", Title: "应等于的数据项", Type: ParamColumn},
		{Name: "min", Title: "最小值", Type: ParamNumber}, {Name: "max", Title: "最大值", Type: ParamNumber}}}, compileSumOf},
	{KindInfo{Name: "expression", Title: "表达式", Says: "表达式为真；结果未知（涉及空值）时不判断。columns 写主要涉及的数据项", Indicator: "010400", Least: 1, Params: []ParamInfo{
		{Name: "expr", Title: "表达式", Type: ParamExpression, Required: true}}}, compileExpression},
}

// comparer orders two columns of one type: negative, 0 or positive, for rows where
// both have a value.
type comparer func(i int) int

// sameTypes refuses columns that do not compare; ints and decimals do.
func (s *scope) sameTypes() error {
	for _, c := range s.cols[1:] {
		if a, b := s.cols[0].Type, c.Type; a != b && !(a == mulu.Int && b == mulu.Decimal) && !(a == mulu.Decimal && b == mulu.Int) {
			return fmt.Errorf("两个数据项类型不同（%s 是 %s，%s 是 %s），不能比较", s.cols[0].Name, a, c.Name, b)
		}
	}
	return nil
}

// compareColumns binds the comparison of two of the rule's columns to a batch.
func (s *scope) compareColumns(b *batch, first, second int) comparer {
	x, y := b.rec.Column(s.at[first]), b.rec.Column(s.at[second])
	switch x := x.(type) {
	case *array.String:
		y := y.(*array.String)
		return func(i int) int {
			v, _ := textOf(x, i)
			o, _ := textOf(y, i)
			return bytes.Compare(v, o)
		}
	case *array.Boolean:
		y := y.(*array.Boolean)
		return func(i int) int { return order(number01(x.Value(i)), number01(y.Value(i))) }
	}
	if p, q := s.cols[first].Scale, s.cols[second].Scale; p != q {
		xs, ys := scaledTo(x, p, max(p, q)), scaledTo(y, q, max(p, q))
		return func(i int) int { return xs(i).Cmp(ys(i)) }
	}
	xs, ys := numbers(x), numbers(y)
	return func(i int) int { return order(xs(i), ys(i)) }
}

func number01(v bool) int {
	if v {
		return 1
	}
	return 0
}

// scaledTo gives a number column in units of another last digit.
func scaledTo(a arrow.Array, scale, to int) func(i int) decimal128.Num {
	at, by := numbers(a), powerOf10(to-scale)
	return func(i int) decimal128.Num { return decimal128.FromI64(at(i)).Mul(by) }
}

func compileOrder(s *scope) (verdict, string, error) {
	if err := s.sameTypes(); err != nil {
		return nil, "", err
	}
	most, word := 0, "不晚于"
	if t := s.cols[0].Type; t != mulu.Date && t != mulu.DateTime {
		word = "不大于"
	}
	if s.flag("strict") {
		most, word = -1, map[string]string{"不晚于": "早于", "不大于": "小于"}[word]
	}
	gaps := s.param("nulls") == "fail"
	names := make([]string, len(s.cols))
	for i := range s.cols {
		names[i] = titleOf(s.cols[i])
	}
	return func(b *batch, fail bitmap) (evaluated int64) {
		arrays, compare := s.arrays(b), map[[2]int]comparer{}
		eachRow(b, nil, func(i int) {
			last, bad, seen := -1, false, 0
			for k, a := range arrays {
				if a.IsNull(i) {
					continue
				}
				seen++
				if last >= 0 && !bad {
					pair := [2]int{last, k}
					if compare[pair] == nil {
						compare[pair] = s.compareColumns(b, last, k)
					}
					bad = compare[pair](i) > most
				}
				last = k
			}
			if seen < 2 && !(gaps && seen > 0) {
				return
			}
			evaluated++
			if bad || gaps && seen < len(arrays) {
				fail.set(i)
			}
		})
		return evaluated
	}, strings.Join(names, "应"+word) + "；请核对后在源系统更正", nil
}

func (s *scope) arrays(b *batch) []arrow.Array {
	out := make([]arrow.Array, len(s.at))
	for i, c := range s.at {
		out[i] = b.rec.Column(c)
	}
	return out
}

func compileEqual(s *scope) (verdict, string, error) {
	gaps := s.param("nulls") == "fail"
	return func(b *batch, fail bitmap) (evaluated int64) {
		arrays, compare := s.arrays(b), make([]comparer, len(s.at))
		for k := 1; k < len(arrays); k++ {
			compare[k] = s.compareColumns(b, 0, k)
		}
		eachRow(b, nil, func(i int) {
			seen := 0
			for _, a := range arrays {
				if a.IsValid(i) {
					seen++
				}
			}
			if seen < len(arrays) {
				if gaps && seen > 0 {
					evaluated++
					fail.set(i)
				}
				return
			}
			evaluated++
			for _, c := range compare[1:] {
				if c(i) != 0 {
					fail.set(i)
					return
				}
			}
		})
		return evaluated
	}, s.titles() + "应相等；请核对后改正有误的一项", s.sameTypes()
}

func compileNotEqual(s *scope) (verdict, string, error) {
	return func(b *batch, fail bitmap) (evaluated int64) {
		compare := s.compareColumns(b, 0, 1)
		eachRow(b, s.at, func(i int) {
			evaluated++
			if compare(i) == 0 {
				fail.set(i)
			}
		})
		return evaluated
	}, s.titles() + "不应相同；请核对是否重复录入", s.sameTypes()
}

func compileDistinctWithin(s *scope) (verdict, string, error) {
	return func(b *batch, fail bitmap) (evaluated int64) {
		arrays := s.arrays(b)
		compare := map[[2]int]comparer{}
		for k := range arrays {
			for j := range k {
				compare[[2]int{j, k}] = s.compareColumns(b, j, k)
			}
		}
		eachRow(b, nil, func(i int) {
			seen := 0
			for k, a := range arrays {
				if a.IsNull(i) {
					continue
				}
				seen++
				for j := range k {
					if arrays[j].IsValid(i) && compare[[2]int{j, k}](i) == 0 {
						fail.set(i)
					}
				}
			}
			if seen > 1 {
				evaluated++
			}
		})
		return evaluated
	}, s.titles() + "应各不相同；请核对是否重复录入", s.sameTypes()
}

// compileSumOf adds up in 128 bits, so that no sum of columns overflows.
func compileSumOf(s *scope) (verdict, string, error) {
	scale, cols, to := 0, s.at, s.dataset.Column(s.param("to"))
	for _, c := range s.cols {
		scale = max(scale, c.Scale)
	}
	if to >= 0 {
		c := s.dataset.Columns[to]
		if c.Type != mulu.Int && c.Type != mulu.Decimal {
			return nil, "", badParam("to", c.Name, "应为整数或小数的数据项")
		}
		scale, cols = max(scale, c.Scale), append(append([]int(nil), s.at...), to)
	}
	lo, hi, say, err := s.sumBounds(&scale)
	if err != nil {
		return nil, "", err
	}
	return func(b *batch, fail bitmap) (evaluated int64) {
		parts := make([]func(int) decimal128.Num, len(cols))
		for k, c := range cols {
			parts[k] = scaledTo(b.rec.Column(c), s.dataset.Columns[c].Scale, scale)
		}
		eachRow(b, cols, func(i int) {
			evaluated++
			var sum decimal128.Num
			for _, p := range parts[:len(s.at)] {
				sum = sum.Add(p(i))
			}
			if lo != nil && sum.Less(*lo) || hi != nil && sum.Greater(*hi) || to >= 0 && sum != parts[len(s.at)](i) {
				fail.set(i)
			}
		})
		return evaluated
	}, s.titles() + "之和" + say + "；请核对各项和合计", nil
}

// sumBounds reads what a sum must be; the scale grows with the parameters'.
func (s *scope) sumBounds(scale *int) (lo, hi *decimal128.Num, say string, err error) {
	var says []string
	for _, p := range []string{"equals", "min", "max"} {
		_, fraction, _ := strings.Cut(s.param(p), ".")
		*scale = max(*scale, len(fraction))
	}
	at := func(name string) *decimal128.Num {
		r, ok := new(big.Rat).SetString(s.param(name))
		if !ok {
			return nil
		}
		says = append(says, map[string]string{"equals": "应等于 ", "min": "应不小于 ", "max": "应不大于 "}[name]+s.param(name))
		v := decimal128.FromBigInt(inDigits(r, *scale).Num())
		return &v
	}
	if v := at("equals"); v != nil {
		lo, hi = v, v
	} else {
		lo, hi = at("min"), at("max")
	}
	if i := s.dataset.Column(s.param("to")); i >= 0 {
		says = append(says, "应等于"+titleOf(s.dataset.Columns[i]))
	}
	if says == nil {
		err = errors.New("规则种类 sum_of 需要参数 equals、to、min、max 之一")
	} else if lo != nil && hi != nil && lo.Greater(*hi) {
		err = errors.New("参数 min 大于 max，没有数值合格")
	}
	return lo, hi, strings.Join(says, "，"), err
}

func compileExpression(s *scope) (verdict, string, error) {
	cond, err := compileCondition(s.param("expr"), s.dataset)
	if err != nil {
		return nil, "", err
	}
	reason := s.rule.Title
	if reason == "" {
		reason = s.titles()
	}
	return func(b *batch, fail bitmap) int64 {
		t := cond(b)
		if b.only != nil {
			t.yes.meet(b.only)
			t.no.meet(b.only)
		}
		copy(fail, t.no)
		return t.yes.count() + t.no.count()
	}, reason + "：不满足 " + s.param("expr") + "；请核对所涉各项", nil
}

// cutPair reads 甲:乙.
func cutPair(p string) (first, second string, err error) {
	first, second, ok := strings.Cut(p, ":")
	if !ok || strings.TrimSpace(first) == "" {
		return "", "", badParam("pairs", p, "应为以逗号分隔的组合，每个形如 甲:乙")
	}
	return strings.TrimSpace(first), strings.TrimSpace(second), nil
}
