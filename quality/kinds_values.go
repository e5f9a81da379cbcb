package quality

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
	"mulu/quality/codes"
)

// valueKinds hold a value against the list or the code table it must come from.
var valueKinds = []kind{
	textKind("enum", "取值列表", "010500", "取值在列表中",
		compileEnum, ParamInfo{Name: "values", Title: "允许的取值", Type: ParamList, Required: true}),
	textKind("not_enum", "不允许的取值", "010500", "取值不在列表中",
		compileNotEnum, ParamInfo{Name: "values", Title: "不允许的取值", Type: ParamList, Required: true}),
	textKind("code", "代码表", "010500", "在代码表中：at 所指的日期当时有效；不写 at 时曾经有效即可",
		compileCode, ParamInfo{Name: "table", Title: "代码表", Type: ParamTable, Required: true}, atParam),
	textKind("industry", "国民经济行业代码", "010500", "GB/T 4754 的代码；带门类字母时字母与大类相符",
		compileIndustry, ParamInfo{Name: "version", Title: "哪一版", Type: ParamChoice, Default: "2017", Choices: []string{"2017", "2011", "any"}},
		ParamInfo{Name: "level", Title: "应到哪一级", Type: ParamChoice, Default: "any", Choices: []string{"any", "门类", "大类", "中类", "小类"}}),
	{KindInfo{Name: "pair_in", Title: "取值组合", Says: "两项的取值是所列组合之一", Indicator: "040202", Least: 2, Most: 2, Types: text, Params: []ParamInfo{
		{Name: "pairs", Title: "允许的组合，形如 甲:乙", Type: ParamList, Required: true}}}, compilePairIn},
}

var atParam = ParamInfo{Name: "at", Title: "代码应在哪天有效：日期数据项的名称，或 today", Type: ParamText}

func compileEnum(s *scope) (verdict, string, error) {
	return onEveryText(s, among(s.list("values"))), s.title() + "取值应为 " + s.param("values") + " 之一", nil
}

func compileNotEnum(s *scope) (verdict, string, error) {
	has := among(s.list("values"))
	return onEveryText(s, func(v []byte) bool { return !has(v) }), s.title() + "取值不应为 " + s.param("values") + " 中的任何一个；请核对后改填", nil
}

// among says whether a value is one of a list.
func among(list []string) func([]byte) bool {
	if len(list) <= 8 { // fewer comparisons than a hash costs
		return func(v []byte) bool {
			for _, known := range list {
				if string(v) == known {
					return true
				}
			}
			return false
		}
	}
	known := make(map[string]bool, len(list))
	for _, v := range list {
		known[v] = true
	}
	return func(v []byte) bool { return known[string(v)] }
}

// memo remembers an answer per value for one batch: code tables have few values, and
// the same one often comes twice in a row.
func memo[R any](answer func(string) R) func([]byte) R {
	seen := map[string]R{}
	var last string
	var lastAnswer R
	asked := false
	return func(v []byte) R {
		if asked && string(v) == last {
			return lastAnswer
		}
		r, known := seen[string(v)]
		if !known {
			key := string(v)
			if r = answer(key); len(seen) >= 1<<16 {
				return r
			}
			seen[key], last, lastAnswer, asked = r, key, r, true
		}
		return r
	}
}

// moment gives the time at which a row's code must have been valid; the zero time asks
// whether it ever was, which is what a row without that date gets.
type moment func(b *batch) func(row int) time.Time

// moment reads the parameter at. It is nil where there is none.
func (s *scope) moment() (moment, error) {
	switch name := s.param("at"); {
	case name == "":
		return nil, nil
	case name == today:
		return func(b *batch) func(int) time.Time { return func(int) time.Time { return b.asOf } }, nil
	default:
		col, err := s.dayColumn("at", name)
		return func(b *batch) func(int) time.Time {
			a := b.rec.Column(col)
			at := dayAt(a)
			return func(i int) time.Time {
				if a.IsNull(i) {
					return time.Time{}
				}
				y, _, _ := civil(at(i))
				return time.Date(int(y), 6, 30, 0, 0, 0, 0, beijing) // tables know years
			}
		}, err
	}
}

// dayAt gives a date or datetime column as days.
func dayAt(a arrow.Array) func(i int) int64 {
	at := numbers(a)
	if _, ok := a.(*array.Timestamp); ok {
		return func(i int) int64 { return localDay(at(i)) }
	}
	return at
}

// coded judges texts by a table at a row's moment; say is asked once per value and year.
func (s *scope) coded(say func(v string, at time.Time) uint8, skip func([]byte) bool) (verdict, error) {
	col := s.at[0]
	at, err := s.moment()
	if err != nil {
		return nil, err
	}
	if at == nil {
		return func(b *batch, fail bitmap) int64 {
			// A code that was valid once is a right value of an old record: the table's
			// own history decides, not today's list.
			known := memo(func(v string) uint8 { return say(v, time.Time{}) })
			return textsWhy(b, col, fail, skip, func(_ int, v []byte) uint8 { return known(v) })
		}, nil
	}
	return func(b *batch, fail bitmap) int64 {
		when, years := at(b), map[int]func([]byte) uint8{}
		return textsWhy(b, col, fail, skip, func(i int, v []byte) uint8 {
			t := when(i)
			known := years[t.Year()]
			if known == nil {
				known = memo(func(v string) uint8 { return say(v, t) })
				years[t.Year()] = known
			}
			return known(v)
		})
	}, nil
}

func compileCode(s *scope) (verdict, string, error) {
	table, err := s.tables.Table(s.param("table"))
	if err != nil {
		return nil, "", err
	}
	s.reasons = []string{
		s.title() + "不在代码表 " + table.Name + " 中；请按标准代码填写",
		s.title() + "填的是名称；请改填代码表 " + table.Name + " 的代码",
		s.title() + "的代码在相应日期已停用或尚未启用；请按代码表 " + table.Name + " 当时有效的代码填写",
	}
	judge, err := s.coded(func(v string, at time.Time) uint8 {
		switch {
		case table.Has(v, at):
			return 0
		case table.IsName(v):
			return 2
		case table.Has(v, time.Time{}):
			return 3
		}
		return 1
	}, nil)
	return judge, s.reasons[0], err
}

// industryLevels by how many digits a code has.
var industryLevels = map[int]string{0: "门类", 2: "大类", 3: "中类", 4: "小类"}

func compileIndustry(s *scope) (verdict, string, error) {
	old, err := s.tables.Table("industry_gbt4754_2011")
	if err != nil {
		return nil, "", err
	}
	now, err := s.tables.Table("industry_gbt4754_2017")
	if err != nil {
		return nil, "", err
	}
	if s.param("version") == "2011" {
		old, now = now, old
	}
	any, level := s.param("version") == "any", s.param("level")
	name := map[string]string{"2017": "GB/T 4754-2017", "2011": "GB/T 4754-2011", "any": "GB/T 4754"}[s.param("version")]
	other := map[string]string{"2017": "2011 年版的代码，2017 年版已调整；请按 2011 与 2017 年版对照表改填", "2011": "2017 年版的代码；请改填 2011 年版的代码"}[s.param("version")]
	s.reasons = []string{
		s.title() + "不是 " + name + " 的行业代码（可带门类字母，后接 2 至 4 位数字）；请按标准填写",
		s.title() + "是" + other,
		s.title() + "的门类字母与大类不符；请核对 " + name,
		s.title() + "应到" + level + "；请补全",
	}
	say := func(v string) uint8 {
		letter, digits := industryParts(v)
		switch {
		case letter == "" && digits == "" || digits == "" && level != "门类":
			return 1
		case inIndustry(now, letter, digits) || any && inIndustry(old, letter, digits):
			if level != "any" && industryLevels[len(digits)] != level {
				return 4
			}
			return 0
		case inIndustry(now, "", digits) && digits != "":
			return 3
		case inIndustry(old, letter, digits):
			return 2
		}
		return 1
	}
	col, skip := s.at[0], s.skip()
	return func(b *batch, fail bitmap) int64 {
		known := memo(say)
		return textsWhy(b, col, fail, skip, func(_ int, v []byte) uint8 { return known(v) })
	}, s.reasons[0], nil
}

// industryParts takes a code apart; both are empty if it is not of the form.
func industryParts(v string) (letter, digits string) {
	if len(v) > 0 && v[0] >= 'A' && v[0] <= 'T' {
		letter, v = v[:1], v[1:]
	}
	if len(v) == 1 || len(v) > 4 || len(digitsOf([]byte(v))) != len(v) {
		return "", ""
	}
	return letter, v
}

// inIndustry says whether the table has the code, under the letter if there is one.
func inIndustry(t *codes.Table, letter, digits string) bool {
	if digits == "" {
		return t.Has(letter, time.Time{})
	}
	if !t.Has(digits, time.Time{}) {
		return false
	}
	top := digits
	for t.Parent(top) != "" {
		top = t.Parent(top)
	}
	return letter == "" || letter == top
}

func compilePairIn(s *scope) (verdict, string, error) {
	pairs := map[[2]string]bool{}
	for _, p := range s.list("pairs") {
		first, second, err := cutPair(p)
		if err != nil {
			return nil, "", err
		}
		pairs[[2]string{first, second}] = true
	}
	one, two := s.at[0], s.at[1]
	return func(b *batch, fail bitmap) (evaluated int64) {
		x, y := b.rec.Column(one).(*array.String), b.rec.Column(two).(*array.String)
		eachRow(b, s.at, func(i int) {
			evaluated++
			if !pairs[[2]string{x.Value(i), y.Value(i)}] {
				fail.set(i)
			}
		})
		return evaluated
	}, s.titles() + "的组合应为 " + s.param("pairs") + " 之一；请核对两项", nil
}

// dayColumn finds the date or datetime column that a parameter names.
func (s *scope) dayColumn(param, name string) (int, error) {
	at := s.dataset.Column(name)
	if at < 0 {
		return 0, badParam(param, name, "应为日期数据项的名称或 today")
	}
	if t := s.dataset.Columns[at].Type; t != mulu.Date && t != mulu.DateTime {
		return 0, badParam(param, name, "是 "+string(t)+" 类型，应为日期或日期时间")
	}
	return at, nil
}
