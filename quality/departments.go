package quality

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mulu"
	"mulu/internal/clock"
)

// Standing is how one dataset stood at the end of a period.
type Standing struct {
	Dataset mulu.DatasetCode
	Title   string
	Owner   mulu.OrgCode
	Class   string      // of its catalogue entry: 基础, 主题, 部门
	Score   *mulu.Score // the last one of the period or before; nil: never scored
	Reads   int64       // shared reads delivered in the period
}

// Department is an organisation's score: Σ score × weight ÷ Σ weight over its datasets,
// less what is taken off for a reason of its own.
type Department struct {
	Org        mulu.OrgCode
	Datasets   []Weighed
	Sum, Of    float64 // Σ score × weight, Σ weight
	Total      float64 // Sum ÷ Of
	Deductions []Deduction
	Final      float64 // Total less the deductions, at least 0
	Grade      string  // of Final
	Formula    string
	X          map[string]float64 // by dimension: the weighted mean over the datasets in which it applies
}

// Weighed is a dataset in its organisation's score.
type Weighed struct {
	Standing
	Importance float64
	Weight     float64
	Product    float64 // score × weight
	Formula    string  // of the weight
}

// Deduction is one visible line below a department's score.
type Deduction struct {
	Reason string // Chinese
	Points float64
}

// DepartmentFormula says in words how departments are scored under a scheme.
func (w Weights) DepartmentFormula() string {
	d := w.Departments
	var classes []string
	for _, class := range []string{"基础", "主题", "部门"} {
		classes = append(classes, class+" "+number(importance(d.Importance, class), false))
	}
	return fmt.Sprintf("单位得分 = Σ(数据集得分×权重) ÷ Σ权重；权重 = 重要程度 × (1 + %s×lg(1+本期调用次数))，重要程度：%s；逾期每个周期另扣 %s，至多扣 %s",
		number(d.Reads, false), strings.Join(classes, "、"), number(d.Overdue, true), number(d.MostOverdue, true))
}

func importance(by map[string]float64, class string) float64 {
	if v, ok := by[class]; ok {
		return v
	}
	return 1
}

// Departments scores organisations over their datasets, by organisation code: not by
// score, since an order is a ranking. An organisation none of whose datasets was scored is left out.
func Departments(w Weights, list []Standing) []Department {
	by := map[mulu.OrgCode]*Department{}
	for _, s := range list {
		if s.Score == nil {
			continue
		}
		d := by[s.Owner]
		if d == nil {
			d = &Department{Org: s.Owner}
			by[s.Owner] = d
		}
		d.Datasets = append(d.Datasets, w.weigh(s))
	}
	out := make([]Department, 0, len(by))
	for _, d := range by {
		d.score(w)
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b Department) int { return cmp.Compare(a.Org, b.Org) })
	return out
}

// weigh gives a dataset its weight, to six digits as it is shown.
func (w Weights) weigh(s Standing) Weighed {
	important := importance(w.Departments.Importance, s.Class)
	weight := Round(important * (1 + w.Departments.Reads*math.Log10(1+float64(s.Reads))))
	return Weighed{Standing: s, Importance: important, Weight: weight, Product: Round(s.Score.Total * weight),
		Formula: fmt.Sprintf("%s × (1 + %s×lg(1+%d)) = %s", number(important, false), number(w.Departments.Reads, false), s.Reads, strconv.FormatFloat(weight, 'f', 6, 64))}
}

// Round keeps the six digits that are shown.
func Round(x float64) float64 { return math.Round(x*1e6) / 1e6 }

func (d *Department) score(w Weights) {
	slices.SortFunc(d.Datasets, func(a, b Weighed) int { return cmp.Compare(a.Dataset, b.Dataset) })
	left := w.Departments.MostOverdue
	taken := 0.0
	for _, x := range d.Datasets {
		d.Sum, d.Of = Round(d.Sum+x.Product), Round(d.Of+x.Weight)
		if points := Round(min(left, w.Departments.Overdue*float64(x.Score.Overdue))); points > 0 {
			d.Deductions = append(d.Deductions, Deduction{fmt.Sprintf("%s（%s）逾期 %d 个周期未更新", x.Title, x.Dataset, x.Score.Overdue), points})
			left, taken = Round(left-points), Round(taken+points)
		}
	}
	d.Total = Round(d.Sum / d.Of)
	d.Final = max(0, Round(d.Total-taken))
	d.Grade = w.Grade(d.Final)
	d.X = d.dimensions()
	six := func(x float64) string { return strconv.FormatFloat(x, 'f', 6, 64) }
	d.Formula = fmt.Sprintf("Σ(得分×权重) ÷ Σ权重 = %s ÷ %s = %s", six(d.Sum), six(d.Of), six(d.Total))
	if taken > 0 {
		d.Formula += fmt.Sprintf("；扣 %s，得 %s", six(taken), six(d.Final))
	}
}

// Ranks orders departments by their final score, best first; equals share a rank. It is
// nil unless the scheme has ranking (排名通报) on.
func Ranks(w Weights, list []Department) map[mulu.OrgCode]int {
	if !w.Ranking {
		return nil
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Department) int { return -cmp.Compare(a.Final, b.Final) })
	ranks := map[mulu.OrgCode]int{}
	for i, d := range sorted {
		ranks[d.Org] = i + 1
		if i > 0 && sorted[i-1].Final == d.Final {
			ranks[d.Org] = ranks[sorted[i-1].Org]
		}
	}
	return ranks
}

// PeriodOf is the month of a text "2006-01" in Shanghai; "" is the month of now. The
// current month ends now, and the clock of a score stands still within a day.
func PeriodOf(text string, now time.Time) (mulu.Period, error) {
	from := time.Date(now.In(clock.Shanghai).Year(), now.In(clock.Shanghai).Month(), 1, 0, 0, 0, 0, clock.Shanghai)
	if text != "" {
		t, err := time.ParseInLocation("2006-01", text, clock.Shanghai)
		if err != nil || t.After(now) {
			return mulu.Period{}, fmt.Errorf("期次 %q 应为不晚于本月的月份，形如 2026-11: %w", text, mulu.ErrInvalid)
		}
		from = t
	}
	return mulu.Period{From: from.UTC(), To: from.AddDate(0, 1, 0).UTC()}, nil
}

func (d *Department) dimensions() map[string]float64 {
	sum, of := map[string]float64{}, map[string]float64{}
	for _, x := range d.Datasets {
		for _, dim := range x.Score.Dimensions {
			if dim.Applicable {
				sum[dim.Code] += dim.X * x.Weight
				of[dim.Code] += x.Weight
			}
		}
	}
	for code := range sum {
		sum[code] = Round(sum[code] / of[code])
	}
	return sum
}

// DayTotal is a dataset's last total of one Shanghai day.
type DayTotal struct {
	Dataset mulu.DatasetCode
	Day     string // 2006-01-02
	Total   float64
}

// Trend is a department's total at the end of every Shanghai day in [from, to), under the
// weights of the period and before deductions. A day on which nothing changed is as the
// one before; before holds what stood when the first day began.
func (d *Department) Trend(before map[mulu.DatasetCode]float64, days []DayTotal, from, to time.Time) []DayTotal {
	now := maps.Clone(before)
	if now == nil {
		now = map[mulu.DatasetCode]float64{}
	}
	by := map[string][]DayTotal{}
	for _, t := range days {
		by[t.Day] = append(by[t.Day], t)
	}
	var out []DayTotal
	for at := midnight(from); at.Before(to); at = at.AddDate(0, 0, 1) {
		day := at.In(clock.Shanghai).Format(time.DateOnly)
		for _, t := range by[day] {
			now[t.Dataset] = t.Total
		}
		var sum, of float64
		for _, x := range d.Datasets {
			if total, ok := now[x.Dataset]; ok {
				sum, of = sum+total*x.Weight, of+x.Weight
			}
		}
		if of > 0 {
			out = append(out, DayTotal{Day: day, Total: Round(sum / of)})
		}
	}
	return out
}
