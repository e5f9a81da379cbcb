package quality

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/plan"
)

var shapeKinds = []setKind{
	{KindInfo{Name: "columns", Title: "数据项结构", Says: "数据集有所列的数据项，类型、次序和个数符合", Indicator: "010200", Most: none, Params: []ParamInfo{
		{Name: "columns", Title: "应有的数据项", Type: ParamList},
		{Name: "types", Title: "各数据项的类型，与 columns 逐一对应", Type: ParamList, Choices: []string{"string", "int", "decimal", "date", "datetime", "bool"}},
		{Name: "match", Title: "contain 至少有这些，set 恰为这些，order 恰为这些且次序相同", Type: ParamChoice, Default: "contain", Choices: []string{"contain", "set", "order"}},
		{Name: "count", Title: "数据项个数", Type: ParamInt}}}, compileColumns},
	{KindInfo{Name: "fresh", Title: "按时更新", Says: "在更新周期加宽限期内有新数据；给出 column 时，该数据项最新的值不早于 within", Indicator: "050200", Most: none, Params: []ParamInfo{
		{Name: "within", Title: "最长间隔，默认为更新周期加宽限期", Type: ParamSpan}, {Name: "column", Title: "看哪个日期或日期时间项，默认看入库时间", Type: ParamColumn}}}, compileFresh},
	{KindInfo{Name: "null_share", Title: "空值比例", Says: "没有值的行的比例在范围内", Indicator: "020100", Least: 1, Most: 1, Params: boundParams}, compileNulls},
}

// compileColumns: elements are the expected data items, and those that should not be there.
func compileColumns(s *setScope) (setRule, error) {
	want, types, match := s.list("columns"), s.list("types"), s.param("match")
	count := int64(-1)
	if s.has("count") {
		n, err := strconv.ParseInt(s.param("count"), 10, 64)
		if count = n; err != nil || n < 0 {
			s.fault("参数 count=%q 应为整数 / not a whole number", s.param("count"))
		}
	}
	if len(want) == 0 && count < 0 {
		s.fault("规则种类 columns 需要 columns 或 count / columns or count is needed")
	}
	if len(types) > 0 && len(types) != len(want) {
		s.fault("types 有 %d 个，columns 有 %d 个，应逐一对应 / types do not match columns", len(types), len(want))
	}
	if strings.TrimSpace(s.rule.When) != "" {
		s.fault("规则种类 columns 看的是结构，不能写 when / columns takes no condition")
	}
	ds := s.ds
	return setRule{judge: func(r *Result, _ *answers) {
		r.Observed, r.Evaluated = int64(len(ds.Columns)), int64(len(want))
		var wrong []string
		for i, name := range want {
			at := ds.Column(name)
			switch {
			case at < 0:
				wrong = append(wrong, "没有 "+name)
			case len(types) > 0 && string(ds.Columns[at].Type) != types[i]:
				wrong = append(wrong, name+" 的类型是 "+string(ds.Columns[at].Type)+"，应为 "+types[i])
			case match == "order" && at != i:
				wrong = append(wrong, fmt.Sprintf("%s 在第 %d 位，应在第 %d 位", name, at+1, i+1))
			}
		}
		if match == "set" || match == "order" {
			for _, c := range ds.Columns {
				if !slices.Contains(want, c.Name) {
					wrong = append(wrong, "多出 "+c.Name)
					r.Evaluated++
				}
			}
		}
		if count >= 0 {
			r.Evaluated++
			r.Expected = fmt.Sprintf("%d 个", count)
			if int64(len(ds.Columns)) != count {
				wrong = append(wrong, fmt.Sprintf("有 %d 个数据项，应有 %d 个", len(ds.Columns), count))
			}
		}
		r.Failed, r.Message = int64(len(wrong)), strings.Join(wrong, "；")
	}}, nil
}

// compileFresh: one element, the update that is due.
func compileFresh(s *setScope) (setRule, error) {
	limit := s.span("within", s.ds.Cycle+s.ds.Grace)
	out := setRule{judge: func(r *Result, a *answers) {
		last, reported := a.in.Facts.updated()
		if limit <= 0 {
			r.Status, r.Message = Skipped, "不定期更新的数据集没有应更新的时间；请写 within"
			return
		}
		r.fresh(last, a.in.Now, limit)
		if reported && r.Failed == 0 {
			r.Message = "零报告 " + a.in.Facts.Report + "：本期无变化，按时计"
		}
	}}
	if s.has("column") {
		if limit <= 0 {
			s.fault("不定期更新的数据集请写 within / within is needed")
		}
		col := s.named("column", mulu.Date, mulu.DateTime)
		out.asks = []question{{measure: plan.Measure{Kind: plan.Max, Columns: []string{col}, Where: s.when()}}}
		out.judge = func(r *Result, a *answers) {
			us, ok := a.number(0)
			if !ok {
				r.Status, r.Message = Skipped, "没有可度量的值"
				return
			}
			r.fresh(time.UnixMicro(int64(us)), a.in.Now, limit)
		}
	}
	return out, nil
}

func (r *Result) fresh(last, now time.Time, limit time.Duration) {
	r.Expected, r.Evaluated = strings.TrimSpace(spanText(limit))+"之内", 1
	if last.IsZero() {
		r.Failed, r.Message = 1, "尚无数据"
		return
	}
	r.Observed = last.In(clock.Shanghai).Format("2006-01-02 15:04:05")
	if now.Sub(last) > limit {
		r.Failed, r.Message = 1, "最近一次更新在 "+last.In(clock.Shanghai).Format("2006-01-02 15:04")+"，已超过"+spanText(limit)
	}
}

func spanText(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf(" %d 天", d/(24*time.Hour))
	}
	return " " + shown(math.Round(d.Hours()*100)/100) + " 小时"
}

// compileNulls: elements are rows, those without a value are at fault; the verdict is by
// the bounds, not by mostly.
func compileNulls(s *setScope) (setRule, error) {
	b, when := s.bounds(), s.when()
	return setRule{asks: []question{{measure: plan.Measure{Kind: plan.Rows, Where: when}}, {measure: plan.Measure{Kind: plan.NonNull, Columns: s.rule.Columns, Where: when}}},
		judge: func(r *Result, a *answers) {
			rows, there := a.count(0), a.count(1)
			r.Expected, r.Evaluated, r.Failed = b.String(), rows, rows-there
			if rows == 0 {
				return
			}
			share := float64(rows-there) / float64(rows)
			r.Observed = share
			r.verdict(b.holds(share))
			if !b.holds(share) {
				r.Message = fmt.Sprintf("%d 行中有 %d 行没有值，比例 %s 不在 %s 之内", rows, rows-there, shown(rounded(share)), b)
			}
		}}, nil
}

// verdict sets the status directly, for kinds that do not judge by the share of elements.
func (r *Result) verdict(holds bool) {
	switch {
	case holds:
		r.Status = Pass
	case r.Blocking:
		r.Status = Fail
	default:
		r.Status = Warn
	}
}

// round leaves nine places, more than anybody reads.
func rounded(x float64) float64 { return math.Round(x*1e9) / 1e9 }
