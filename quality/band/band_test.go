package band_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mulu/internal/clock"
	"mulu/quality/band"
)

func calendar(t *testing.T) *clock.Calendar {
	t.Helper()
	c, err := clock.National()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func day(s string) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, s, clock.Shanghai)
	if err != nil {
		panic(err)
	}
	return t
}

// lastWorkday says whether t is the last working day of its month.
func lastWorkday(c *clock.Calendar, t time.Time) bool {
	if w, _ := c.Workday(t); !w {
		return false
	}
	for n := t.AddDate(0, 0, 1); n.Month() == t.Month(); n = n.AddDate(0, 0, 1) {
		if w, _ := c.Workday(n); w {
			return false
		}
	}
	return true
}

// district is what a department sends from 2024 to the end of 2026: by weekday, three
// times as much at the end of a month, a little on days off, growing by a fifth a year.
func district(c *clock.Calendar, seed uint64) []band.Value {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []band.Value
	for t := day("2024-01-01"); t.Year() < 2027; t = t.AddDate(0, 0, 1) {
		x := []float64{900, 1200, 1050, 1000, 1000, 950, 900}[t.Weekday()]
		if w, _ := c.Workday(t); !w {
			x = 60
		}
		if lastWorkday(c, t) {
			x *= 3
		}
		x *= 1 + 0.2*t.Sub(day("2024-01-01")).Hours()/24/365
		x *= 1 + 0.08*r.NormFloat64()
		out = append(out, band.Value{Day: t.Format(time.DateOnly), Value: math.Round(max(x, 0))})
	}
	return out
}

var options = band.Options{Width: 4, Need: 8, Least: 1, Unit: "行"}

func at(values []band.Value, d string) int {
	return int(day(d).Sub(day(values[0].Day)).Hours() / 24)
}

// TestFalseAlarms: two years with Spring Festival and 调休, of which nothing is wrong, and
// the same with every day a failed delivery in turn.
func TestFalseAlarms(t *testing.T) {
	c := calendar(t)
	judged, alarms, missed, halved, whole := 0, 0, 0, 0, 0
	for seed := range uint64(4) {
		values := district(c, seed)
		for i := at(values, "2025-01-01"); i < len(values); i++ {
			d := day(values[i].Day)
			v := band.Judge(values[:i+1], d, c, options)
			if !v.Known {
				continue
			}
			judged++
			if !v.Inside {
				alarms++
			}
			if w, _ := c.Workday(d); !w || seed > 0 {
				continue
			}
			whole++
			for share, found := range map[float64]*int{0: &missed, 0.5: &halved} {
				wrong := append(values[:i:i], band.Value{Day: values[i].Day, Value: values[i].Value * share})
				if v := band.Judge(wrong, d, c, options); v.Known && !v.Inside {
					*found++
				}
			}
		}
	}
	t.Logf("%d days judged, %d false alarms (%.2f %%); of %d working days without rows %d are told, with half of them %d", judged, alarms, 100*float64(alarms)/float64(judged), whole, missed, halved)
	if judged < 2800 || float64(alarms) > 0.005*float64(judged) {
		t.Errorf("%d alarms on %d days of which none was wrong", alarms, judged)
	}
	if missed < whole*99/100 || halved < whole*85/100 {
		t.Errorf("%d of %d days without rows are told, %d with half", missed, whole, halved)
	}
}

// TestKinds: what a day is compared with, and what it is told.
func TestKinds(t *testing.T) {
	c := calendar(t)
	values := district(c, 9)
	told := func(d string, value float64, inside bool, words ...string) {
		t.Helper()
		i := at(values, d)
		got := band.Judge(append(values[:i:i], band.Value{Day: d, Value: value}), day(d), c, options)
		if !got.Known || got.Inside != inside {
			t.Errorf("%s: %+v", d, got)
		}
		for _, w := range words {
			if !strings.Contains(got.Says, w) {
				t.Errorf("%s: %q does not say %q", d, got.Says, w)
			}
		}
	}
	like := func(d string, factor float64) float64 { return values[at(values, d)].Value * factor }
	told("2026-03-09", like("2026-03-09", 1), true, "2026-03-09 是周一且为工作日", "近 8 个同类日（周一且为工作日）为", "在")
	told("2026-03-09", 0, false, "本日 0行，低于下限")
	told("2026-02-14", like("2026-02-14", 1), true, "周六，调休上班", "调休上班日")
	told("2026-02-14", 60, false, "低于下限")
	told("2026-02-18", 80, true, "节假日")
	told("2026-02-18", 1300, false, "节假日", "高于上限")
	told("2026-02-24", like("2026-02-24", 1), true, "长假后第一个工作日")
	told("2026-03-31", like("2026-03-31", 1), true, "本月最后一个工作日", "月末最后一个工作日")
	told("2026-03-31", 1400, false, "低于下限") // an ordinary Tuesday's would do
	told("2026-04-29", like("2026-03-31", 1), false, "高于上限")
	told("2026-03-14", like("2026-03-14", 1), true, "周六且为休息日")
}

// TestHistory: too little is said, missed days do no harm, the side that is not looked at
// is open, and values that always are the same leave no room.
func TestHistory(t *testing.T) {
	c := calendar(t)
	values := district(c, 3)
	i := at(values, "2024-02-05")
	v := band.Judge(values[:i+1], day("2024-02-05"), c, options)
	if !v.Known || !strings.Contains(v.Says, "工作日") {
		t.Errorf("five weeks are enough for working days: %+v", v)
	}
	v = band.Judge(values[:4], day("2024-01-04"), c, options)
	if v.Known || !strings.Contains(v.Says, "需要 8 个，再积累 7 个") {
		t.Errorf("three days are no history: %+v", v)
	}
	v = band.Judge(values[:i+1], day("2024-01-31"), c, options)
	if v.Known || !strings.Contains(v.Says, "月末最后一个工作日）只有 0 个，需要 4 个") {
		t.Errorf("a month end without another: %+v", v)
	}
	v = band.Judge(values, day("2030-01-01"), c, options)
	if v.Known || !strings.Contains(v.Says, "没有度量值") {
		t.Errorf("a day without a value: %+v", v)
	}
	gone := []string{"2026-01-12", "2026-01-19", "2026-02-02"} // three Mondays of ten
	var holes []band.Value
	for _, x := range values {
		if x.Day == gone[0] || x.Day == gone[1] || x.Day == gone[2] {
			continue
		}
		holes = append(holes, x)
	}
	end := day("2026-03-09")
	whole := band.Whole(holes[:at(values, "2026-03-09")-2], end)
	if n := whole[at(values, gone[0])]; n.Day != gone[0] || n.Value != 0 {
		t.Errorf("a missed day is %+v", n)
	}
	if v := band.Judge(whole, end, c, options); !v.Known || !v.Inside || v.Low < 300 {
		t.Errorf("after missed days: %+v", v)
	}
	low := options
	low.Side = band.Low
	j := at(values, "2026-03-09")
	if v := band.Judge(append(values[:j:j], band.Value{Day: "2026-03-09", Value: 1e6}), end, c, low); !v.Inside || !strings.HasPrefix(v.Interval(), "≥") {
		t.Errorf("above, and only below is looked at: %+v", v)
	}
	var same []band.Value
	for d := day("2026-01-05"); !d.After(end); d = d.AddDate(0, 0, 1) {
		same = append(same, band.Value{Day: d.Format(time.DateOnly), Value: 0.25})
	}
	v = band.Judge(same, end, c, band.Options{Width: 4, Need: 8})
	if !v.Known || !v.Inside || v.Expected != 0.25 {
		t.Errorf("always the same: %+v", v)
	}
	same[len(same)-1].Value = 0.4
	if v = band.Judge(same, end, c, band.Options{Width: 4, Need: 8}); v.Inside {
		t.Errorf("a share that jumps: %+v", v)
	}
	if got := band.Without(same, end); len(got) != len(same)-1 {
		t.Error("the day is still there")
	}
}

// TestTrend: what grows steadily is expected to go on.
func TestTrend(t *testing.T) {
	c := calendar(t)
	var grows []band.Value
	end := day("2026-06-17")
	for n, d := 0, day("2025-12-01"); !d.After(end); n, d = n+1, d.AddDate(0, 0, 1) {
		grows = append(grows, band.Value{Day: d.Format(time.DateOnly), Value: 1000 + 10*float64(n)})
	}
	v := band.Judge(grows, end, c, options)
	if !v.Known || !v.Inside || math.Abs(v.Expected-grows[len(grows)-1].Value) > 1 {
		t.Errorf("a line: %+v", v)
	}
}
