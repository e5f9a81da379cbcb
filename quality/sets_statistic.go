package quality

import (
	"fmt"
	"math"
	"strings"
	"time"

	"mulu"
	"mulu/plan"
)

var statisticKinds = []setKind{
	extremeKind("min", "最小值", plan.Min), extremeKind("max", "最大值", plan.Max),
	momentKind("mean", "平均值", plan.Measure{Kind: plan.Mean}), momentKind("median", "中位数", plan.Measure{Kind: plan.Quantile, P: 0.5}),
	momentKind("sum", "合计", plan.Measure{Kind: plan.Sum}),
	{KindInfo{Name: "stdev", Title: "标准差", Says: "标准差在范围内", Indicator: "010400", Least: 1, Most: 1, Types: oneNumber, Params: []ParamInfo{minParam, maxParam,
		{Name: "of", Title: "sample 除以 n-1，population 除以 n", Type: ParamChoice, Default: "sample", Choices: []string{"sample", "population"}}}},
		func(s *setScope) (setRule, error) {
			kind := plan.StdDev
			if s.param("of") == "population" {
				kind = plan.StdDevPop
			}
			return s.single(plan.Measure{Kind: kind, Columns: s.rule.Columns})
		}},
	{KindInfo{Name: "quantile", Title: "分位数", Says: "分位数在范围内；两值之间按线性内插", Indicator: "010400", Least: 1, Most: 1, Types: oneNumber, Params: []ParamInfo{minParam, maxParam,
		{Name: "p", Title: "哪个分位，0 至 1", Type: ParamNumber, Required: true}}}, func(s *setScope) (setRule, error) {
		p := s.number("p", 0)
		if p < 0 || p > 1 {
			s.fault("参数 p 应在 0 至 1 之间 / p is out of range")
		}
		return s.single(plan.Measure{Kind: plan.Quantile, P: p, Columns: s.rule.Columns})
	}},
	{KindInfo{Name: "entropy", Title: "熵", Says: "取值的熵（比特）在范围内", Indicator: "010400", Least: 1, Most: 1, Params: boundParams}, func(s *setScope) (setRule, error) {
		return s.single(plan.Measure{Kind: plan.Entropy, Columns: s.rule.Columns})
	}},
	{KindInfo{Name: "correlation", Title: "相关系数", Says: "两项的皮尔逊相关系数在范围内", Indicator: "040202", Least: 2, Most: 2, Types: oneNumber, Params: boundParams}, func(s *setScope) (setRule, error) {
		return s.single(plan.Measure{Kind: plan.Correlation, Columns: s.rule.Columns})
	}},
	{KindInfo{Name: "outliers", Title: "离群值", Says: "离平均值不超过 z 个标准差", Indicator: "030100", Least: 1, Most: 1, Types: oneNumber,
		Params: []ParamInfo{{Name: "z", Title: "几个标准差", Type: ParamNumber, Default: "3"}}}, compileOutliers},
}

// momentKind is a number over the values of one numeric item.
func momentKind(name, title string, m plan.Measure) setKind {
	return setKind{KindInfo{Name: name, Title: title, Says: title + "在范围内", Indicator: "010400", Least: 1, Most: 1, Types: oneNumber, Params: boundParams}, func(s *setScope) (setRule, error) {
		m := m
		m.Columns = s.rule.Columns
		return s.single(m)
	}}
}

// extremeKind is the least or greatest number, date or datetime; bounds of the latter are dates.
func extremeKind(name, title string, kind plan.MeasureKind) setKind {
	return setKind{KindInfo{Name: name, Title: title, Says: title + "在范围内；日期的 min、max 写作 YYYY-MM-DD", Indicator: "010400", Least: 1, Most: 1, Types: oneSpaced, Params: []ParamInfo{
		{Name: "min", Title: "下限，含", Type: ParamText}, {Name: "max", Title: "上限，含", Type: ParamText}}}, func(s *setScope) (setRule, error) {
		m := plan.Measure{Kind: kind, Columns: s.rule.Columns}
		if t := s.column(0).Type; t != mulu.Date && t != mulu.DateTime {
			return s.single(m)
		}
		m.Where = s.when()
		b := s.dayBounds()
		return setRule{asks: []question{{measure: m}}, judge: func(r *Result, a *answers) {
			us, ok := a.number(0)
			r.measured(us, ok, b)
			if ok {
				r.Observed = dayOf(us)
			}
			if r.Failed > 0 {
				r.Message = "度量值 " + dayOf(us) + " 不在 " + b.String() + " 之内"
			}
		}}, nil
	}}
}

// dayBounds are bounds of microseconds; a day lasts until its end.
type dayBounds struct{ bounds }

func (b dayBounds) String() string {
	switch {
	case !b.below:
		return "≥ " + dayOf(b.min)
	case !b.atLeast:
		return "≤ " + dayOf(b.max)
	}
	return dayOf(b.min) + " 至 " + dayOf(b.max)
}

func dayOf(us float64) string { return time.UnixMicro(int64(us)).In(beijing).Format(time.DateOnly) }

func (s *setScope) dayBounds() dayBounds {
	at := func(name string, end time.Duration) float64 {
		if !s.has(name) {
			return 0
		}
		t, err := time.ParseInLocation(time.DateOnly, s.param(name), beijing)
		if err != nil {
			s.fault("参数 %s=%q 应为 YYYY-MM-DD / not a date", name, s.param(name))
		}
		return float64(t.Add(end).UnixMicro())
	}
	b := dayBounds{bounds{min: at("min", 0), max: at("max", 24*time.Hour-time.Microsecond), atLeast: s.has("min"), below: s.has("max")}}
	if !b.atLeast && !b.below {
		s.fault("规则种类 %s 需要 min 或 max / min or max is needed", s.rule.Kind)
	}
	return b
}

// compileOutliers: elements are values; those too far from the mean are at fault.
func compileOutliers(s *setScope) (setRule, error) {
	z, when := s.number("z", 3), s.when()
	if z <= 0 {
		s.fault("参数 z 应大于 0 / z is not positive")
	}
	return setRule{asks: []question{{measure: plan.Measure{Kind: plan.NonNull, Columns: s.rule.Columns, Where: when}},
		{measure: plan.Measure{Kind: plan.Outliers, P: z, Columns: s.rule.Columns, Where: when}}}, judge: func(r *Result, a *answers) {
		r.Expected = "离平均值 " + shown(z) + " 个标准差之内"
		r.counted(a.count(0), a.count(1), "离平均值超过 "+shown(z)+" 个标准差")
	}}, nil
}

var distributionKinds = []setKind{
	{KindInfo{Name: "drift", Title: "分布漂移", Says: "取值的分布与参照分布，或与数据集上一期的分布相近", Indicator: "030100", Least: 1, Most: 1, Types: [][]mulu.Type{{mulu.Int, mulu.Decimal, mulu.String}}, Params: []ParamInfo{
		{Name: "method", Title: "psi 群体稳定性指数，js 詹森–香农散度，chi2 卡方检验，ks 柯尔莫哥洛夫–斯米尔诺夫检验", Type: ParamChoice, Default: "psi", Choices: []string{"psi", "js", "chi2", "ks"}},
		{Name: "edges", Title: "数值的分段点，由小到大", Type: ParamList}, {Name: "values", Title: "文本的类别；其余归为一类", Type: ParamList},
		{Name: "reference", Title: "参照分布：各段（类）及其后的其余所占的份数", Type: ParamList},
		{Name: "by", Title: "没有参照分布时，按哪个日期项分期", Type: ParamColumn},
		{Name: "period", Title: "期", Type: ParamChoice, Default: "month", Choices: []string{"day", "week", "month"}},
		{Name: "max", Title: "psi、js 的上限（默认 0.2、0.1）", Type: ParamNumber}, {Name: "p", Title: "chi2、ks 的显著性水平", Type: ParamNumber, Default: "0.05"}}}, compileDrift},
	orderKind("increasing", "递增", plan.Rises), orderKind("decreasing", "递减", plan.Falls),
}

// orderKind: elements are neighbours in the order of the first item.
func orderKind(name, title string, kind plan.MeasureKind) setKind {
	return setKind{KindInfo{Name: name, Title: title, Says: "按第一项排序，第二项" + title, Indicator: "050300", Least: 2, Most: 2, Types: oneSpaced, Roles: []string{"次序", "数值"},
		Params: []ParamInfo{{Name: "strict", Title: "相等也算不合格", Type: ParamBool, Default: "false"}}}, func(s *setScope) (setRule, error) {
		when := s.when()
		return setRule{asks: []question{{measure: plan.Measure{Kind: plan.NonNull, Columns: s.rule.Columns[1:], Where: both(when, filled(s.rule.Columns[0]))}},
			{measure: plan.Measure{Kind: kind, Columns: s.rule.Columns, Strict: s.param("strict") == "true", Where: when}}}, judge: func(r *Result, a *answers) {
			r.counted(max(a.count(0)-1, 0), a.count(1), "相邻的值没有"+title)
		}}, nil
	}}
}

// compileDrift compares counts: of the dataset with a declared reference, or of the last
// whole period with the one before it.
func compileDrift(s *setScope) (setRule, error) {
	d := drift{method: s.param("method"), values: s.list("values"), edges: s.numbers("edges"), reference: s.numbers("reference"), p: s.number("p", 0.05)}
	if d.method == "" {
		d.method = "psi"
	}
	d.max = s.number("max", map[string]float64{"psi": 0.2, "js": 0.1}[d.method])
	text := s.column(0).Type == mulu.String
	groups := len(d.edges) + 1
	m := plan.Measure{Kind: plan.Bins, Columns: s.rule.Columns, Edges: d.edges}
	if text {
		groups, m = len(d.values)+1, plan.Measure{Kind: plan.Shares, Columns: s.rule.Columns, Values: d.values}
	}
	exact := d.method == "ks" && len(d.reference) == 0 // over the values themselves
	switch {
	case text && d.method == "ks":
		s.fault("ks 只用于数值；文本请用 psi、js 或 chi2 / ks is for numbers")
	case text && len(d.values) == 0:
		s.fault("文本的漂移需要 values / values is needed")
	case !text && !exact && len(d.edges) == 0:
		s.fault("数值的漂移需要 edges / edges is needed")
	case len(d.reference) == 0 && !s.has("by"):
		s.fault("请给出 reference（参照分布），或 by（按哪个日期项与上一期比较）/ reference or by is needed")
	case len(d.reference) > 0 && len(d.reference) != groups:
		s.fault("reference 有 %d 份，应为 %d 份（各段或各类，最后是其余）/ reference does not fit", len(d.reference), groups)
	}
	total := 0.0
	for _, x := range d.reference {
		if total += x; x < 0 {
			s.fault("reference 的份数不可小于 0 / reference is negative")
		}
	}
	if len(d.reference) > 0 && total == 0 {
		s.fault("reference 全为 0 / reference is zero")
	}
	when := s.when()
	m.Where = when
	if len(d.reference) > 0 {
		return setRule{asks: []question{{measure: m}}, judge: func(r *Result, a *answers) { d.judge(r, a.list(0), d.reference, true) }}, nil
	}
	by, period := s.named("by", mulu.Date, mulu.DateTime), s.param("period")
	// The periods follow the day of the run: what is asked is put together then.
	out := setRule{asks: []question{{measure: m}, {measure: m}}}
	now, before := &periodOf{by, period, 1}, &periodOf{by, period, 2}
	out.asks[0].measure.Where, out.asks[1].measure.Where = both(when, now.predicate()), both(when, before.predicate())
	if exact {
		out.asks = []question{{measure: plan.Measure{Kind: plan.KS, Columns: s.rule.Columns, Where: both(when, now.predicate()), Than: both(when, before.predicate())}}}
		out.judge = func(r *Result, a *answers) { d.tested(r, a.list(0)) }
		return out, nil
	}
	out.judge = func(r *Result, a *answers) { d.judge(r, a.list(0), a.list(1), false) }
	return out, nil
}

// periodOf is a period that has ended: back is 1 for the last one, 2 for the one before.
type periodOf struct {
	column, period string
	back           int
}

// periodMark begins the value of a bound that Run puts a date in place of.
const periodMark = "\x00period "

func (p *periodOf) predicate() plan.Predicate {
	at := func(op plan.Op, back int) plan.Predicate {
		return plan.Predicate{Field: p.column, Op: op, Value: fmt.Sprintf("%s%s %d", periodMark, p.period, back)}
	}
	return plan.Predicate{All: []plan.Predicate{at(plan.Ge, p.back), at(plan.Lt, p.back-1)}}
}

// dated puts dates in place of the marks of a condition.
func dated(p plan.Predicate, today time.Time) plan.Predicate {
	if p.All != nil {
		all := make([]plan.Predicate, len(p.All))
		for i := range p.All {
			all[i] = dated(p.All[i], today)
		}
		p.All = all
	}
	mark, ok := p.Value.(string)
	if rest, marked := strings.CutPrefix(mark, periodMark); ok && marked {
		period, back, _ := strings.Cut(rest, " ")
		n := int(back[0] - '0')
		start := time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, time.UTC)
		switch period {
		case "day":
			start = start.AddDate(0, 0, -n)
		case "week":
			start = start.AddDate(0, 0, -(int(start.Weekday())+6)%7-7*n)
		default:
			start = time.Date(start.Year(), start.Month()-time.Month(n), 1, 0, 0, 0, 0, time.UTC)
		}
		p.Value = start.Format(time.DateOnly)
	}
	return p
}

// drift is a comparison of two distributions.
type drift struct {
	method           string
	edges, reference []float64
	values           []string
	max, p           float64
}

// judge compares counts with a distribution; declared says that there is no sample
// behind it.
func (d *drift) judge(r *Result, now, than []float64, declared bool) {
	n, m := total(now), total(than)
	if n == 0 || m == 0 {
		r.Status, r.Message = Skipped, "本期或参照的一期没有值，无从比较"
		return
	}
	switch d.method {
	case "chi2":
		x2, df := chiSquare(now, than, declared)
		d.tested(r, []float64{x2, chiSquareTail(x2, df)})
	case "ks":
		dist := distance(now, than)
		effective := n
		if !declared {
			effective = n * m / (n + m)
		}
		d.tested(r, []float64{dist, kolmogorovTail(dist, effective)})
	case "js":
		r.measured(rounded(jensenShannon(now, than)), true, bounds{max: d.max, below: true})
	default:
		r.measured(rounded(stabilityIndex(now, than)), true, bounds{max: d.max, below: true})
	}
}

// tested judges by the p of a test.
func (d *drift) tested(r *Result, test []float64) {
	r.Expected = "p ≥ " + shown(d.p)
	if len(test) != 2 || math.IsNaN(test[1]) {
		r.Status, r.Message = Skipped, "本期或参照的一期没有值，无从比较"
		return
	}
	r.Observed, r.Evaluated = rounded(test[0]), 1
	if test[1] < d.p {
		r.Failed, r.Message = 1, fmt.Sprintf("统计量 %s，p = %s 小于 %s：分布有显著变化", shown(rounded(test[0])), shown(rounded(test[1])), shown(d.p))
	}
}
