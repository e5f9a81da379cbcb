package submit

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"mulu"
	"mulu/internal/clock"
)

// Period is one turn of a dataset's cycle (期), by the calendar of Shanghai.
type Period struct {
	Name       string    // "2026-11", "2026-11-27", "2026-Q4" …
	Start, End time.Time // [Start, End)
}

const (
	hour = time.Hour
	day  = 24 * hour
)

// PeriodAt is the period that a moment is in. Cycles are told apart by their length
// (declare's table): up to an hour, a day, a week (ISO), ten days (上旬, 中旬, 下旬), a
// month, a quarter, half a year, a year. What is due irregularly is reported by the day.
func PeriodAt(cycle time.Duration, t time.Time) Period {
	t = t.In(clock.Shanghai)
	y, m, d := t.Date()
	date := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, clock.Shanghai) }
	months := func(n int) (start, end time.Time, nth int) { // n months that begin with the year
		nth = (int(m) - 1) / n
		return date(y, time.Month(nth*n+1), 1), date(y, time.Month(nth*n+n+1), 1), nth + 1
	}
	switch {
	case cycle > 0 && cycle <= hour:
		at := time.Date(y, m, d, t.Hour(), 0, 0, 0, clock.Shanghai)
		return Period{at.Format("2006-01-02T15"), at, at.Add(hour)}
	case cycle <= day:
		return Period{t.Format(time.DateOnly), date(y, m, d), date(y, m, d+1)}
	case cycle <= 7*day:
		monday := date(y, m, d-(int(t.Weekday())+6)%7)
		year, week := t.ISOWeek()
		return Period{fmt.Sprintf("%d-W%02d", year, week), monday, monday.AddDate(0, 0, 7)}
	case cycle <= 11*day:
		nth := min((d-1)/10, 2)
		p := Period{fmt.Sprintf("%d-%02d-%s旬", y, m, []string{"上", "中", "下"}[nth]), date(y, m, nth*10+1), date(y, m, nth*10+11)}
		if nth == 2 {
			p.End = date(y, m+1, 1)
		}
		return p
	case cycle <= 31*day:
		start, end, _ := months(1)
		return Period{t.Format("2006-01"), start, end}
	case cycle <= 92*day:
		start, end, n := months(3)
		return Period{fmt.Sprintf("%d-Q%d", y, n), start, end}
	case cycle <= 184*day:
		start, end, n := months(6)
		return Period{fmt.Sprintf("%d-H%d", y, n), start, end}
	}
	return Period{strconv.Itoa(y), date(y, 1, 1), date(y+1, 1, 1)}
}

var periodForm = regexp.MustCompile(`^(\d{4})(?:-(?:(\d{2})(?:-(?:(\d{2})(?:T(\d{2}))?|([上中下])旬))?|W(\d{2})|Q([1-4])|H([12])))?$`)

// ParsePeriod reads a period of a cycle by its name.
func ParsePeriod(cycle time.Duration, name string) (Period, error) {
	f := periodForm.FindStringSubmatch(name)
	if f == nil {
		return Period{}, wrongPeriod(cycle, name)
	}
	n := func(i int) int { v, _ := strconv.Atoi(f[i]); return v } //nolint:errcheck // digits, or "" which is 0
	at := time.Date(n(1), time.Month(max(n(2), 1)), max(n(3), 1), n(4), 0, 0, 0, clock.Shanghai)
	switch {
	case f[5] != "":
		at = at.AddDate(0, 0, map[string]int{"上": 0, "中": 10, "下": 20}[f[5]])
	case f[6] != "": // the fourth of January is in the first week
		at = time.Date(n(1), 1, 4+7*(n(6)-1), 0, 0, 0, 0, clock.Shanghai)
	case f[7] != "":
		at = at.AddDate(0, 3*(n(7)-1), 0)
	case f[8] != "":
		at = at.AddDate(0, 6*(n(8)-1), 0)
	}
	if p := PeriodAt(cycle, at); p.Name == name {
		return p, nil
	}
	return Period{}, wrongPeriod(cycle, name)
}

func wrongPeriod(cycle time.Duration, name string) error {
	return fmt.Errorf("期次 %q 不对；该数据集的期次形如 %s / this is no period of the dataset, want one like the above: %w", name, PeriodAt(cycle, time.Date(2026, 11, 27, 9, 0, 0, 0, clock.Shanghai)).Name, mulu.ErrInvalid)
}

// NilReport is what a nil report says beside what every submission has.
type NilReport struct {
	Note string `json:"note,omitempty"`
	// Delivered is when the newest rows had come, if that was in the period: both stand.
	Delivered string `json:"delivered,omitempty"`
}

// Nil reports that nothing changed in a period (零报告), "" for the one that it is. The
// same period again is the same submission; fresh says whether this is the first. It
// counts like a delivery at that moment, or at the end of a period that is over: a late
// report of November makes nothing look newer than November. delivered is when the newest
// rows came.
func (d *Desk) Nil(ctx context.Context, ds *mulu.Dataset, period, note, by string, delivered time.Time) (s Submission, fresh bool, err error) {
	now := d.now()
	p := PeriodAt(ds.Cycle, now)
	if period != "" {
		if p, err = ParsePeriod(ds.Cycle, period); err != nil {
			return s, false, err
		}
	}
	if p.Start.After(now) {
		return s, false, fmt.Errorf("期次 %s 还没有开始，不能先报 / the period has not begun: %w", p.Name, mulu.ErrInvalid)
	}
	counts := now
	if p.End.Before(now) {
		counts = p.End
	}
	r := NilReport{Note: note}
	if !delivered.Before(p.Start) && delivered.Before(p.End) {
		r.Delivered = delivered.In(clock.Shanghai).Format(time.DateTime)
	}
	report, err := json.Marshal(r)
	if err != nil {
		return s, false, err
	}
	return d.Open(ctx, Submission{
		Dataset: ds.Code, Way: mulu.WayNil, Key: p.Name, Period: p.Name, By: by, State: Landed, Report: report,
		Cursor: counts.UTC().Format(untilForm),
	})
}

// untilForm is how a nil report's cursor says until when nothing had changed; texts sort as
// times do.
const untilForm = "2006-01-02T15:04:05.000000Z"

// Unchanged is until when a dataset's department reported that nothing changed.
type Unchanged struct {
	Until  time.Time
	Period string
}

// Unchanged gives, per dataset, the nil report that reaches furthest.
func (d *Desk) Unchanged(ctx context.Context) (map[mulu.DatasetCode]Unchanged, error) {
	rows, err := d.db.Read.QueryContext(ctx, `SELECT s.dataset, s.cursor, s.period FROM ingest_submission s
		JOIN (SELECT dataset, MAX(cursor) AS cursor FROM ingest_submission WHERE way = 'nil' GROUP BY dataset) newest
		ON s.dataset = newest.dataset AND s.cursor = newest.cursor WHERE s.way = 'nil' ORDER BY s.opened_at`)
	if err != nil {
		return nil, fmt.Errorf("read nil reports: %w", err)
	}
	defer rows.Close()
	out := map[mulu.DatasetCode]Unchanged{}
	for rows.Next() {
		var code mulu.DatasetCode
		var until string
		var u Unchanged
		if err := rows.Scan(&code, &until, &u.Period); err != nil {
			return nil, fmt.Errorf("read nil reports: %w", err)
		}
		if u.Until, err = time.Parse(untilForm, until); err != nil {
			return nil, fmt.Errorf("read nil report of %s: %w", code, err)
		}
		out[code] = u
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read nil reports: %w", err)
	}
	return out, nil
}
