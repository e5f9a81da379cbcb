package quality

import (
	"fmt"
	"slices"

	"mulu"
	"mulu/plan"
)

var (
	oneText   = [][]mulu.Type{{mulu.String}}
	oneNumber = [][]mulu.Type{{mulu.Int, mulu.Decimal}}
	oneSpaced = [][]mulu.Type{{mulu.Int, mulu.Decimal, mulu.Date, mulu.DateTime}}
	plainOnes = [][]mulu.Type{{mulu.String, mulu.Int, mulu.Bool}}
)

var setParam = []ParamInfo{{Name: "values", Title: "取值的集合", Type: ParamList, Required: true}}

var valueSetKinds = []setKind{
	{KindInfo{Name: "distinct_count", Title: "不同取值的个数", Says: "不同取值的个数在范围内", Indicator: "010400", Least: 1, Params: boundParams}, compileDistinct(false)},
	{KindInfo{Name: "distinct_share", Title: "不同取值的比例", Says: "不同取值占有值行的比例在范围内", Indicator: "030400", Least: 1, Params: boundParams}, compileDistinct(true)},
	{KindInfo{Name: "values_in_set", Title: "取值都在集合中", Says: "出现过的不同取值都在集合中", Indicator: "010500", Least: 1, Most: 1, Types: plainOnes, Params: setParam}, compileValues(true, false)},
	{KindInfo{Name: "values_contain_set", Title: "集合中的取值都出现", Says: "集合中的每个取值都出现过", Indicator: "010400", Least: 1, Most: 1, Types: plainOnes, Params: setParam}, compileValues(false, true)},
	{KindInfo{Name: "values_equal_set", Title: "取值恰为集合", Says: "出现过的不同取值恰为集合", Indicator: "010500", Least: 1, Most: 1, Types: plainOnes, Params: setParam}, compileValues(true, true)},
	{KindInfo{Name: "most_common_in_set", Title: "最常见的取值在集合中", Says: "出现最多的取值（并列时每一个）在集合中", Indicator: "010400", Least: 1, Most: 1, Types: oneText, Params: setParam}, compileMode},
	{KindInfo{Name: "text_length", Title: "字数统计", Says: "字数的最小、最大或平均值在范围内", Indicator: "010103", Least: 1, Most: 1, Types: oneText,
		Params: []ParamInfo{{Name: "measure", Title: "看哪个", Type: ParamChoice, Default: "mean", Choices: []string{"min", "max", "mean"}}, minParam, maxParam}}, compileLengths},
}

func compileDistinct(share bool) func(*setScope) (setRule, error) {
	return func(s *setScope) (setRule, error) {
		b, when := s.bounds(), s.when()
		judged := plan.Measure{Kind: plan.Rows, Where: when}
		if len(s.rule.Columns) == 1 {
			judged = plan.Measure{Kind: plan.NonNull, Columns: s.rule.Columns, Where: when}
		}
		return setRule{asks: []question{{measure: plan.Measure{Kind: plan.Distinct, Columns: s.rule.Columns, Where: when}}, {measure: judged}},
			judge: func(r *Result, a *answers) {
				n, ok := a.number(0)
				if share {
					all := a.count(1)
					n, ok = n/float64(all), all > 0
				}
				r.measured(n, ok, b)
			}}, nil
	}
}

// compileValues: elements are the distinct values, and members of the set that are missing.
func compileValues(in, contain bool) func(*setScope) (setRule, error) {
	return func(s *setScope) (setRule, error) {
		values := s.list("values")
		slices.Sort(values)
		values = slices.Compact(values)
		if len(values) == 0 || len(values) > 1000 {
			s.fault("values 应有 1 至 1000 个取值 / 1 to 1000 values")
		}
		col, when := s.column(0), s.when()
		distinct := func(p plan.Predicate) question {
			return question{measure: plan.Measure{Kind: plan.Distinct, Columns: s.rule.Columns, Where: both(when, p)}}
		}
		member := s.among(col, values)
		return setRule{asks: []question{distinct(member), distinct(isNot(member))}, judge: func(r *Result, a *answers) {
			known, strange := a.count(0), a.count(1)
			missing := int64(len(values)) - known
			r.Expected = fmt.Sprintf("%d 个取值", len(values))
			if known+strange == 0 && !contain {
				return // nothing to judge
			}
			switch {
			case in && contain:
				r.counted(known+strange+missing, strange+missing, "不在集合中或没有出现")
			case in:
				r.counted(known+strange, strange, "取值不在集合中")
			default:
				r.counted(int64(len(values)), missing, "集合中的取值没有出现")
			}
		}}, nil
	}
}

func compileMode(s *setScope) (setRule, error) {
	values := s.list("values")
	if len(values) == 0 || len(values) > 1000 {
		s.fault("values 应有 1 至 1000 个取值 / 1 to 1000 values")
	}
	return setRule{asks: []question{{measure: plan.Measure{Kind: plan.Mode, Columns: s.rule.Columns, Values: values, Where: s.when()}}},
		judge: func(r *Result, a *answers) {
			l := a.list(0)
			if len(l) != 3 || l[1] == 0 || l[0] == 0 {
				r.Message = "没有可度量的值"
				return
			}
			r.counted(int64(l[1]), int64(l[1]-l[2]), "最常见的取值不在集合中")
			r.Observed = l[0]
		}}, nil
}

func compileLengths(s *setScope) (setRule, error) {
	kind := map[string]plan.MeasureKind{"": plan.LengthMean, "mean": plan.LengthMean, "min": plan.LengthMin, "max": plan.LengthMax}[s.param("measure")]
	return s.single(plan.Measure{Kind: kind, Columns: s.rule.Columns})
}

// single holds one measure to bounds.
func (s *setScope) single(m plan.Measure) (setRule, error) {
	b := s.bounds()
	m.Where = both(s.when(), m.Where)
	return setRule{asks: []question{{measure: m}}, judge: func(r *Result, a *answers) {
		x, ok := a.number(0)
		r.measured(x, ok, b)
	}}, nil
}
