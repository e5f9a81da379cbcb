// Package clock counts statutory time: the working-day calendar of the State
// Council's yearly notices and the deadlines of 政务数据共享条例 (国务院令第809号).
// It never reads the wall clock; callers pass the instant.
package clock

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"time"
)

// Shanghai is the zone of every statutory day: UTC+8, no daylight saving since
// 1991. Fixed, so that a machine without zone files counts the same days.
var Shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// workdays lists what differs from the plain weekend rule; see README.md for its
// source and licence.
//
//go:embed workdays.csv
var workdays []byte

// Calendar knows working days. It is immutable and safe for concurrent use.
type Calendar struct {
	off         map[day]bool // listed days only: true is a holiday, false a weekend day worked
	first, last int          // loaded years, inclusive
}

// day is a calendar day in Shanghai.
type day struct {
	y int
	m time.Month
	d int
}

func dayOf(t time.Time) day {
	y, m, d := t.In(Shanghai).Date()
	return day{y, m, d}
}

// National returns the calendar built into the binary.
func National() (*Calendar, error) { return ReadCalendar(bytes.NewReader(workdays)) }

// ReadCalendar reads rows date,kind,name,year_source with a header line; kind is
// "holiday" or "workday". A year counts as loaded when a row names it as its
// source, since one notice settles a whole year.
func ReadCalendar(r io.Reader) (*Calendar, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read working-day calendar: %w", err)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("read working-day calendar: no rows")
	}
	c := &Calendar{off: make(map[day]bool, len(rows))}
	years := make(map[int]bool)
	for i, row := range rows[1:] {
		if len(row) != 4 {
			return nil, fmt.Errorf("read working-day calendar, line %d: want 4 fields, got %d", i+2, len(row))
		}
		t, err := time.ParseInLocation(time.DateOnly, row[0], Shanghai)
		if err != nil {
			return nil, fmt.Errorf("read working-day calendar, line %d: %w", i+2, err)
		}
		var year int
		if _, err := fmt.Sscanf(row[3], "%d", &year); err != nil {
			return nil, fmt.Errorf("read working-day calendar, line %d: year %q: %w", i+2, row[3], err)
		}
		switch row[1] {
		case "holiday", "workday":
			c.off[dayOf(t)] = row[1] == "holiday"
		default:
			return nil, fmt.Errorf("read working-day calendar, line %d: kind %q", i+2, row[1])
		}
		years[year] = true
		if c.first == 0 || year < c.first {
			c.first = year
		}
		c.last = max(c.last, year)
	}
	if len(years) != c.last-c.first+1 {
		return nil, fmt.Errorf("read working-day calendar: a year between %d and %d is missing", c.first, c.last)
	}
	return c, nil
}

// Years returns the first and last year whose notice is loaded.
func (c *Calendar) Years() (first, last int) { return c.first, c.last }

// Workday says whether t's day in Shanghai is a working day. known is false
// outside the loaded years, where Monday to Friday is the only rule left.
func (c *Calendar) Workday(t time.Time) (work, known bool) {
	d := dayOf(t)
	known = d.y >= c.first && d.y <= c.last
	if off, listed := c.off[d]; listed {
		return !off, known
	}
	wd := t.In(Shanghai).Weekday()
	return wd != time.Saturday && wd != time.Sunday, known
}

// AddWorkdays returns the last instant (microsecond) of the n-th working day after
// from. The day of from is not counted (民法典 art 201: 开始的当日不计入), a holiday
// never ends a term (art 203), and the last day runs to 24:00 (art 203). n below 1
// ends with the day of from itself. beyondCalendar says that at least one counted
// day lies outside the loaded years: show 暂按周末规则.
//
// The 条例 has no counting rule of its own; reading the Civil Code into it is ours.
func (c *Calendar) AddWorkdays(from time.Time, n int) (due time.Time, beyondCalendar bool) {
	y, m, d := from.In(Shanghai).Date()
	t := time.Date(y, m, d, 0, 0, 0, 0, Shanghai)
	for n > 0 {
		t = t.AddDate(0, 0, 1)
		work, known := c.Workday(t)
		beyondCalendar = beyondCalendar || !known
		if work {
			n--
		}
	}
	return t.AddDate(0, 0, 1).Add(-time.Microsecond), beyondCalendar
}

// WorkdaysBetween counts the working days after from's day up to and including
// to's day; 0 if to's day is not later. It is how "used" and "left" are shown.
func (c *Calendar) WorkdaysBetween(from, to time.Time) int {
	y, m, d := from.In(Shanghai).Date()
	n := 0
	for t := time.Date(y, m, d, 0, 0, 0, 0, Shanghai).AddDate(0, 0, 1); !t.After(to); t = t.AddDate(0, 0, 1) {
		if work, _ := c.Workday(t); work {
			n++
		}
	}
	return n
}
