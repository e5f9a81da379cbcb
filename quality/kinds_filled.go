package quality

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
	"mulu/quality/ident"
)

// filledKinds ask whether something stands there at all. A required item of some rows
// only is not_null with a condition.
var filledKinds = []kind{
	{KindInfo{Name: "not_null", Title: "必填", Says: "有值，且不是“无”“不详”等占位词", Indicator: "020100", Least: 1, Most: 1, EveryRow: true, Params: placeholderParams}, compileNotNull},
	{KindInfo{Name: "null", Title: "应为空", Says: "没有值（多与条件同用：未注销的没有注销日期）", Indicator: "040202", Least: 1, Most: 1, EveryRow: true, Params: placeholderParams}, compileNull},
	{KindInfo{Name: "filled", Title: "至少、至多填几项", Says: "所列数据项中填写的个数在范围内", Indicator: "020100", Least: 2, EveryRow: true,
		Params: append([]ParamInfo{{Name: "min", Title: "至少几项", Type: ParamInt, Default: "1"}, {Name: "max", Title: "至多几项，不写不限", Type: ParamInt}}, placeholderParams...)}, compileFilled},
}

var placeholderParams = []ParamInfo{
	{Name: "placeholders", Title: "占位词算未填还是算有值", Type: ParamChoice, Default: "missing", Choices: []string{"missing", "values"}},
	{Name: "missing", Title: "另外算未填的词", Type: ParamList},
}

// emptyText says which texts count as not filled in.
func (s *scope) emptyText() func([]byte) bool {
	words := among(s.list("missing"))
	switch {
	case s.param("placeholders") == "values":
		return words
	case s.given("missing"):
		return func(v []byte) bool { return ident.Placeholder(v) || words(v) }
	}
	return ident.Placeholder
}

func compileNotNull(s *scope) (verdict, string, error) {
	col, isText, empty := s.at[0], s.cols[0].Type == mulu.String, s.emptyText()
	filled := func(v []byte) bool { return !empty(v) }
	if !s.given("missing") && s.param("placeholders") == "missing" {
		filled = func(v []byte) bool { return !ident.Placeholder(v) } // without the detour: most rules
	}
	return func(b *batch, fail bitmap) int64 {
		a := b.rec.Column(col)
		if a.NullN() > 0 {
			for i := range b.n {
				if a.IsNull(i) && b.judged(i) {
					fail.set(i)
				}
			}
		}
		if isText {
			texts(b, col, fail, nil, filled)
		}
		return b.all()
	}, s.title() + "未填写；请在源系统补填", nil
}

func compileNull(s *scope) (verdict, string, error) {
	has := s.hasValue(s.cols[0], s.at[0])
	return func(b *batch, fail bitmap) int64 {
		filled := has(b)
		eachRow(b, nil, func(i int) {
			if filled(i) {
				fail.set(i)
			}
		})
		return b.all()
	}, s.title() + "不应有值；请在源系统清空，或核对相关状态", nil
}

// hasValue says row by row whether a column is filled in.
func (s *scope) hasValue(c mulu.Column, col int) func(b *batch) func(i int) bool {
	empty := s.emptyText()
	return func(b *batch) func(i int) bool {
		a := b.rec.Column(col)
		if c.Type != mulu.String {
			return a.IsValid
		}
		t := a.(*array.String)
		return func(i int) bool {
			v, ok := textOf(t, i)
			return ok && !empty(v)
		}
	}
}

func compileFilled(s *scope) (verdict, string, error) {
	lo, hi := s.intParam("min", 1), s.intParam("max", math.MaxInt32)
	if lo > hi || lo > int64(len(s.cols)) {
		return nil, "", fmt.Errorf("参数 min=%d 大于 max 或数据项的个数 %d", lo, len(s.cols))
	}
	each := make([]func(*batch) func(int) bool, len(s.cols))
	for i := range s.cols {
		each[i] = s.hasValue(s.cols[i], s.at[i])
	}
	reason := fmt.Sprintf("%s中应填写 %s 项；请在源系统补填或清空多余的", s.titles(), howMany(int(lo), int(min(hi, int64(len(s.cols))))))
	return func(b *batch, fail bitmap) int64 {
		has := make([]func(int) bool, len(each))
		for k := range each {
			has[k] = each[k](b)
		}
		eachRow(b, nil, func(i int) {
			n := int64(0)
			for _, f := range has {
				if f(i) {
					n++
				}
			}
			if n < lo || n > hi {
				fail.set(i)
			}
		})
		return b.all()
	}, reason, nil
}
