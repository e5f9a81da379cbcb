package quality

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/plan"
)

// none is for kinds that take no columns.
const none = -1

var (
	minParam    = ParamInfo{Name: "min", Title: "下限，含", Type: ParamNumber}
	maxParam    = ParamInfo{Name: "max", Title: "上限，含", Type: ParamNumber}
	boundParams = []ParamInfo{minParam, maxParam}

	datasetParam = ParamInfo{Name: "dataset", Title: "另一数据集的代码", Type: ParamDataset, Required: true}
	toParam      = ParamInfo{Name: "to", Title: "另一数据集中对应的数据项，同名时可省略", Type: ParamColumns}
)

var countKinds = []setKind{
	{KindInfo{Name: "unique", Title: "不重复", Says: "所列数据项（或其组合）的值不重复", Indicator: "030400", Least: 1}, compileUnique},
	{KindInfo{Name: "duplicate_rows", Title: "无重复行", Says: "除主键外（或所列数据项）内容相同的行只有一行", Indicator: "030300"}, compileDuplicates},
	{KindInfo{Name: "row_count", Title: "行数", Says: "行数在范围内", Indicator: "020200", Most: none, Params: boundParams}, compileRowCount},
	{KindInfo{Name: "row_count_equals", Title: "行数与另一数据集相等", Says: "行数与另一数据集相差不超过允许的比例", Indicator: "020200", Most: none,
		Params: []ParamInfo{datasetParam, {Name: "tolerance", Title: "允许相差的比例", Type: ParamNumber, Default: "0"}}}, compileRowsEqual},
	{KindInfo{Name: "volume", Title: "各期数据量", Says: "最近各期每期到达的行数在范围内", Indicator: "050100", Most: none, Params: []ParamInfo{minParam, maxParam,
		{Name: "period", Title: "期", Type: ParamChoice, Default: "day", Choices: []string{"day", "week", "month"}},
		{Name: "last", Title: "看最近几期（不含未结束的本期）", Type: ParamInt, Default: "30"},
		{Name: "days", Title: "按日看时只看工作日", Type: ParamChoice, Default: "all", Choices: []string{"all", "workday"}}}}, compileVolume},
}

// compileUnique: elements are the rows that have the value (rows, for a combination);
// those beyond the first of each value are at fault.
func compileUnique(s *setScope) (setRule, error) {
	when := s.when()
	judged := plan.Measure{Kind: plan.Rows, Where: when}
	if len(s.rule.Columns) == 1 { // a value that is not there repeats nothing
		judged = plan.Measure{Kind: plan.NonNull, Columns: s.rule.Columns, Where: when}
	}
	return setRule{asks: []question{{measure: judged}, {measure: plan.Measure{Kind: plan.Distinct, Columns: s.rule.Columns, Where: when}}},
		judge: func(r *Result, a *answers) {
			r.counted(a.count(0), a.count(0)-a.count(1), "与其他行重复")
		}}, nil
}

func compileDuplicates(s *setScope) (setRule, error) {
	cols := s.rule.Columns
	if len(cols) == 0 {
		for _, c := range s.ds.Columns {
			if !slices.Contains(s.ds.Key, c.Name) {
				cols = append(cols, c.Name)
			}
		}
	}
	if len(cols) == 0 {
		s.fault("除主键外没有数据项可以比较；请列出 columns / no columns to compare")
		return setRule{}, nil
	}
	if len(cols) == 1 {
		cols = append(cols, cols[0]) // a null is a value among rows
	}
	when := s.when()
	return setRule{asks: []question{{measure: plan.Measure{Kind: plan.Rows, Where: when}}, {measure: plan.Measure{Kind: plan.Distinct, Columns: cols, Where: when}}},
		judge: func(r *Result, a *answers) {
			r.counted(a.count(0), a.count(0)-a.count(1), "内容与其他行相同")
		}}, nil
}

func compileRowCount(s *setScope) (setRule, error) {
	b := s.bounds()
	return setRule{asks: []question{{measure: plan.Measure{Kind: plan.Rows, Where: s.when()}}},
		judge: func(r *Result, a *answers) {
			n, ok := a.number(0)
			r.measured(n, ok, b)
		}}, nil
}

// near holds for what differs from a number by no more than a share of it.
type near struct{ x, tolerance float64 }

func (n near) holds(x float64) bool { return math.Abs(x-n.x) <= n.tolerance*math.Abs(n.x) }

func (n near) String() string {
	if n.tolerance == 0 {
		return "= " + shown(n.x)
	}
	return "= " + shown(n.x) + " ± " + shown(n.tolerance*100) + "%"
}

func (s *setScope) tolerance() float64 {
	t := s.number("tolerance", 0)
	if t < 0 {
		s.fault("参数 tolerance 不可小于 0 / tolerance is negative")
	}
	return t
}

func compileRowsEqual(s *setScope) (setRule, error) {
	s.other()
	t := s.tolerance()
	return setRule{asks: []question{{measure: plan.Measure{Kind: plan.Rows, Where: s.when()}}, {dataset: mulu.DatasetCode(s.param("dataset")), measure: plan.Measure{Kind: plan.Rows}}},
		judge: func(r *Result, a *answers) {
			n, _ := a.number(0)
			there, ok := a.number(1)
			r.measured(n, ok, near{there, t})
		}}, nil
}

// compileVolume: elements are periods that have ended; those whose rows are out of
// bounds are at fault. Rows are counted on the day their batch was stored.
func compileVolume(s *setScope) (setRule, error) {
	b := s.bounds()
	period, last, workdays := s.param("period"), int(s.number("last", 30)), s.param("days") == "workday"
	if last < 1 || last > 1000 {
		s.fault("参数 last 应在 1 至 1000 之间 / last is out of range")
	}
	if workdays && period != "" && period != "day" {
		s.fault("只有按日看时可以只看工作日 / days needs period day")
	}
	if strings.TrimSpace(s.rule.When) != "" {
		s.fault("规则种类 volume 按批次清单计数，不能写 when / volume takes no condition")
	}
	return setRule{judge: func(r *Result, a *answers) {
		r.Expected = b.String()
		sums := a.in.volumes(period, last, workdays)
		if len(sums) == 0 {
			r.Status, r.Message = Skipped, "尚无已结束的一期"
			return
		}
		wrong := ""
		for _, p := range sums {
			r.Evaluated++
			if !b.holds(p.rows) {
				r.Failed++
				wrong = fmt.Sprintf("%s 到达 %s 行", p.name, shown(p.rows))
			}
		}
		r.Observed = sums[len(sums)-1].rows
		if r.Failed > 0 {
			r.Message = fmt.Sprintf("最近 %d 期中有 %d 期的数据量不在 %s 之内，最近的一期：%s", r.Evaluated, r.Failed, r.Expected, wrong)
		}
	}}, nil
}

// volume is the rows of one period.
type volume struct {
	name string
	rows float64
}

// volumes are the rows of the last periods that have ended, from the first that had any.
func (in *RunInput) volumes(period string, last int, workdays bool) []volume {
	if len(in.Arrivals) == 0 {
		return nil
	}
	rows := map[string]float64{}
	for _, v := range in.Arrivals {
		rows[v.Day] += v.Value
	}
	first, err := time.ParseInLocation(time.DateOnly, in.Arrivals[0].Day, clock.Shanghai)
	if err != nil {
		return nil
	}
	name := func(t time.Time) string { return t.Format(time.DateOnly) }
	switch period {
	case "week":
		name = func(t time.Time) string { y, w := t.ISOWeek(); return fmt.Sprintf("%d 年第 %d 周", y, w) }
		first = first.AddDate(0, 0, (8-int(first.Weekday()))%7) // the first whole one
	case "month":
		name = func(t time.Time) string { return t.Format("2006-01") }
		if first.Day() != 1 {
			first = time.Date(first.Year(), first.Month()+1, 1, 0, 0, 0, 0, clock.Shanghai)
		}
	}
	today := in.Now.In(clock.Shanghai)
	var out []volume
	for t := first; name(t) != name(today) && t.Before(today); t = t.AddDate(0, 0, 1) {
		if work, _ := in.Calendar.Workday(t); workdays && !work {
			continue
		}
		if len(out) == 0 || out[len(out)-1].name != name(t) {
			out = append(out, volume{name: name(t)})
		}
		out[len(out)-1].rows += rows[t.Format(time.DateOnly)]
	}
	return out[max(0, len(out)-last):]
}
