// Package band gives the interval that a day's number is expected in, from the days
// before it: days of one kind are compared with each other (weekday, working day by the
// State Council's calendar with 调休, last working day of a month, holiday), by median
// and median deviation, so that a missed day or a peak among them does not move it. It
// explains itself in Chinese. It reads no clock and keeps nothing.
package band

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mulu/internal/clock"
)

// Value is what was measured of one day.
type Value struct {
	Day   string // YYYY-MM-DD, of Shanghai
	Value float64
}

// Side says which way out of the interval is at fault.
type Side string

// The sides; "" is both.
const (
	Both Side = "both"
	Low  Side = "low"
	High Side = "high"
)

// Options of Judge.
type Options struct {
	Width float64 // how many deviations wide; 4 raises about one false alarm in a thousand days
	Need  int     // how many days of one kind there must be; rare kinds need half of it
	Side  Side
	Least float64 // smallest deviation, in the unit of the values
	Unit  string  // "行"
}

// Verdict is what became of a day.
type Verdict struct {
	Known            bool // there was history enough
	Inside           bool
	Value, Low, High float64
	Expected         float64
	Kind             string // of the day, Chinese
	Says             string // the explanation, Chinese
	side             Side
}

// Interval is the expectation as shown.
func (v *Verdict) Interval() string {
	switch v.side {
	case Low:
		return "≥ " + shown(v.Low)
	case High:
		return "≤ " + shown(v.High)
	}
	return shown(v.Low) + " 至 " + shown(v.High)
}

// horizon is how far back days are compared; month ends and holidays are rare.
const (
	horizon     = 182
	rareHorizon = 400
	mostDays    = 16 // the newest of one kind
)

// kind is a kind of day; the first that a day is of and that has history enough is taken.
type kind struct {
	title string
	of    func(d *day) bool
	rare  bool
	last  bool // no more general kind stands for it
}

// kindsOf are the kinds of one day, the most particular first. A make-up day is like
// other working days when too few of its own are known; a month end or a holiday is not
// like any other day.
func kindsOf(d *day) []kind {
	same := func(x *day) bool {
		return x.at.Weekday() == d.at.Weekday() && x.work == d.work && x.plain() && x.work != x.weekend()
	}
	switch {
	case d.monthEnd:
		return []kind{{"月末最后一个工作日", func(x *day) bool { return x.monthEnd }, true, true}}
	case d.holiday():
		return []kind{{"节假日", func(x *day) bool { return x.holiday() }, true, true}}
	case d.work && d.weekend():
		return []kind{{"调休上班日", func(x *day) bool { return x.work && x.weekend() && !x.monthEnd }, true, false}, {"工作日", workday, false, true}}
	case d.after:
		return []kind{{"长假后第一个工作日", func(x *day) bool { return x.work && x.after && !x.monthEnd }, true, false}, {"工作日", workday, false, true}}
	case d.work:
		return []kind{{d.week() + "且为工作日", same, false, false}, {"工作日", workday, false, true}}
	}
	return []kind{{d.week() + "且为休息日", same, false, false}, {"休息日", func(x *day) bool { return !x.work && !x.holiday() }, false, true}}
}

func workday(d *day) bool { return d.work && d.plain() }

// day is one day and what it is in the calendar.
type day struct {
	at                    time.Time
	value                 float64
	work, monthEnd, after bool
}

func (d *day) weekend() bool {
	return d.at.Weekday() == time.Saturday || d.at.Weekday() == time.Sunday
}

// holiday is a weekday off, or a weekend day inside such days.
func (d *day) holiday() bool { return !d.work && (!d.weekend() || d.after) }

// plain is a day that is nothing but its weekday.
func (d *day) plain() bool { return !d.monthEnd && !d.after && !d.holiday() }

func (d *day) week() string {
	return [...]string{"周日", "周一", "周二", "周三", "周四", "周五", "周六"}[d.at.Weekday()]
}

// look finds out what a day is. after marks the first working day after three days off
// or more, and a weekend day that belongs to a holiday.
func look(t time.Time, c *clock.Calendar) day {
	work := func(n int) bool { w, _ := c.Workday(t.AddDate(0, 0, n)); return w }
	d := day{at: t, work: work(0)}
	if d.work {
		d.monthEnd = true
		for n := 1; t.AddDate(0, 0, n).Month() == t.Month(); n++ {
			if work(n) {
				d.monthEnd = false
				break
			}
		}
		d.after = !work(-1) && !work(-2) && !work(-3)
		return d
	}
	if d.weekend() {
		// Part of a holiday: a weekday off is next to it.
		off := func(n int) bool {
			x := day{at: t.AddDate(0, 0, n), work: work(n)}
			return !x.work && !x.weekend()
		}
		d.after = off(1) || off(-1) || off(2) && !work(1) || off(-2) && !work(-1)
	}
	return d
}

// Judge holds a day's value, which is among the values, against the days before it.
func Judge(values []Value, at time.Time, c *clock.Calendar, opt Options) Verdict {
	at = midnight(at)
	today, v := look(at, c), Verdict{side: opt.Side}
	var past []day
	found := false
	for _, x := range values {
		t, err := time.ParseInLocation(time.DateOnly, x.Day, clock.Shanghai)
		if err != nil || math.IsNaN(x.Value) || t.After(at) || days(at, t) < -rareHorizon {
			continue
		}
		if t.Equal(at) {
			today.value, found = x.Value, true
			continue
		}
		d := look(t, c)
		d.value = x.Value
		past = append(past, d)
	}
	slices.SortFunc(past, func(a, b day) int { return a.at.Compare(b.at) })
	if !found {
		v.Says = at.Format(time.DateOnly) + " 没有度量值，无从判断"
		return v
	}
	v.Value = today.value
	alike, k, need := choose(past, &today, opt.Need)
	v.Kind = k.title
	named := at.Format(time.DateOnly) + " 是" + today.describe()
	if len(alike) < need {
		v.Says = fmt.Sprintf("%s，历史中这类日子（%s）只有 %d 个，需要 %d 个，再积累 %d 个后开始判断", named, k.title, len(alike), need, need-len(alike))
		return v
	}
	v.Known = true
	v.Expected, v.Low, v.High = interval(alike, past, &today, opt)
	v.Inside = (opt.Side == High || today.value >= v.Low) && (opt.Side == Low || today.value <= v.High)
	v.Says = named + "，" + story(alike, k, &v, opt.Unit)
	return v
}

// describe says of a day what matters.
func (d *day) describe() string {
	s := d.week()
	switch {
	case d.monthEnd:
		return s + "，且为本月最后一个工作日"
	case d.holiday():
		return s + "，且为节假日"
	case d.work && d.weekend():
		return s + "，调休上班"
	case d.after:
		return s + "，长假后第一个工作日"
	case d.work:
		return s + "且为工作日"
	}
	return s + "且为休息日"
}

// choose gives the days to compare with, the newest last, and how many there must be.
func choose(past []day, today *day, need int) (alike []day, k kind, least int) {
	for _, k = range kindsOf(today) {
		back, least := horizon, need
		if k.rare {
			back, least = rareHorizon, max(4, need/2)
		}
		alike = nil
		for i := range past {
			if k.of(&past[i]) && today.at.Sub(past[i].at) <= time.Duration(back)*24*time.Hour {
				alike = append(alike, past[i])
			}
		}
		alike = alike[max(0, len(alike)-mostDays):]
		if len(alike) >= least || k.last {
			return alike, k, least
		}
	}
	return alike, k, need
}

// interval is the expectation and what is around it: the median of the days alike, along
// their trend if there is a clear one, and as many deviations as asked for.
func interval(alike, past []day, today *day, opt Options) (mid, low, high float64) {
	slope := trend(alike)
	rest := make([]float64, len(alike))
	for i := range alike {
		rest[i] = alike[i].value - slope*days(today.at, alike[i].at)
	}
	mid = median(rest)
	scale := deviation(rest, mid)
	// A few days may lie close together by chance. What all days deviate from their own
	// kind, in proportion, is a floor for it, and so is what counts do by nature.
	scale = max(scale, usual(past, today)*math.Abs(mid), opt.Least*math.Sqrt(max(math.Abs(mid), 1)))
	low, high = mid-opt.Width*scale, mid+opt.Width*scale
	if allPositive(alike) {
		low = max(low, 0)
	}
	return mid, low, high
}

// days is the distance in days, negative for what is earlier.
func days(of, at time.Time) float64 { return math.Round(at.Sub(of).Hours() / 24) }

// trend is Theil and Sen's slope per day, 0 unless it is clear: three quarters of the
// pairs must go its way, over eight days at least.
func trend(d []day) float64 {
	if len(d) < 8 {
		return 0
	}
	var slopes []float64
	for i := range d {
		for j := i + 1; j < len(d); j++ {
			slopes = append(slopes, (d[j].value-d[i].value)/days(d[i].at, d[j].at))
		}
	}
	up, down := 0, 0
	for _, s := range slopes {
		if s > 0 {
			up++
		} else if s < 0 {
			down++
		}
	}
	if 4*max(up, down) < 3*len(slopes) {
		return 0
	}
	return median(slopes)
}

// usual is the relative deviation of the last working days from the median of their own
// weekday, and so what one day in proportion may differ.
func usual(past []day, today *day) float64 {
	byWeekday := map[time.Weekday][]float64{}
	for i := range past {
		if d := &past[i]; workday(d) && !d.weekend() && today.at.Sub(d.at) <= horizon*24*time.Hour {
			byWeekday[d.at.Weekday()] = append(byWeekday[d.at.Weekday()], d.value)
		}
	}
	var rel []float64
	for _, vs := range byWeekday {
		if m := median(vs); m != 0 && len(vs) >= 4 {
			for _, v := range vs {
				rel = append(rel, v/m-1)
			}
		}
	}
	if len(rel) < 20 {
		return 0.02
	}
	return max(deviation(rel, 0), 0.001)
}

func allPositive(d []day) bool {
	return !slices.ContainsFunc(d, func(d day) bool { return d.value < 0 })
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	if n == 0 {
		return 0
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

// deviation is the median deviation, scaled to be a standard deviation where values are
// spread normally.
func deviation(v []float64, mid float64) float64 {
	off := make([]float64, len(v))
	for i := range v {
		off[i] = math.Abs(v[i] - mid)
	}
	return 1.4826 * median(off)
}

func story(alike []day, k kind, v *Verdict, unit string) string {
	values := make([]string, 0, 8)
	for _, d := range alike[max(0, len(alike)-8):] {
		values = append(values, shown(d.value))
	}
	s := fmt.Sprintf("近 %d 个同类日（%s）为 %s；", len(values), k.title, strings.Join(values, "、"))
	switch {
	case v.Value < v.Low && v.side != High:
		return s + fmt.Sprintf("本日 %s%s，低于下限 %s（预期约 %s）", shown(v.Value), unit, shown(v.Low), shown(v.Expected))
	case v.Value > v.High && v.side != Low:
		return s + fmt.Sprintf("本日 %s%s，高于上限 %s（预期约 %s）", shown(v.Value), unit, shown(v.High), shown(v.Expected))
	}
	return s + fmt.Sprintf("本日 %s%s，在 %s 之内", shown(v.Value), unit, v.Interval())
}

// shown is a number to four digits or to the whole, whichever is more.
func shown(x float64) string {
	if a := math.Abs(x); a >= 1000 || x == math.Trunc(x) {
		return strconv.FormatFloat(math.Round(x), 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}

func midnight(t time.Time) time.Time {
	y, m, d := t.In(clock.Shanghai).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, clock.Shanghai)
}

// Whole fills the days between the first value and a last day that have none with 0:
// what did not come is a number too.
func Whole(values []Value, last time.Time) []Value {
	if len(values) == 0 {
		return nil
	}
	by := map[string]float64{}
	first := values[0].Day
	for _, v := range values {
		by[v.Day] += v.Value
		first = min(first, v.Day)
	}
	t, err := time.ParseInLocation(time.DateOnly, first, clock.Shanghai)
	if err != nil {
		return nil
	}
	var out []Value
	for end := midnight(last); !t.After(end); t = t.AddDate(0, 0, 1) {
		day := t.Format(time.DateOnly)
		out = append(out, Value{day, by[day]})
	}
	return out
}

// Without leaves one day out.
func Without(values []Value, at time.Time) []Value {
	day := midnight(at).Format(time.DateOnly)
	return slices.DeleteFunc(slices.Clone(values), func(v Value) bool { return v.Day == day })
}
