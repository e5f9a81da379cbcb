package clock_test

import (
	"strings"
	"testing"
	"time"

	"mulu/internal/clock"
)

func national(t *testing.T) *clock.Calendar {
	t.Helper()
	c, err := clock.National()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, clock.Shanghai)
	if err != nil {
		panic(err)
	}
	return t
}

func TestAddWorkdays(t *testing.T) {
	c := national(t)
	want := func(name, from string, n int, due string, beyond bool) {
		t.Run(name, func(t *testing.T) {
			got, b := c.AddWorkdays(at(from), n)
			if g := got.Format("2006-01-02 15:04:05"); g != due+" 23:59:59" || b != beyond {
				t.Errorf("%s + %d = %s, beyond %v; want %s, %v", from, n, g, b, due, beyond)
			}
		})
	}
	want("the day of receipt is not counted", "2026-03-02 09:00", 1, "2026-03-03", false)
	want("an evening receipt counts the same", "2026-03-02 23:59", 1, "2026-03-03", false)
	want("a weekend is stepped over", "2026-03-06 10:00", 1, "2026-03-09", false)
	// 春节 2026: off 02-15 (Sunday) to 02-23, Saturdays 02-14 and 02-28 worked.
	want("a make-up Saturday is a working day", "2026-02-13 10:00", 1, "2026-02-14", false)
	want("春节 2026 is stepped over", "2026-02-13 10:00", 2, "2026-02-24", false)
	want("ten days across 春节 2026", "2026-02-13 10:00", 10, "2026-03-05", false)
	want("received inside a holiday", "2026-02-18 10:00", 1, "2026-02-24", false)
	want("国庆 2026 with the make-up Saturday", "2026-09-30 10:00", 3, "2026-10-10", false)
	want("国庆 2025 joined by 中秋", "2025-09-30 10:00", 1, "2025-10-09", false)
	want("元旦 2026 holds, its Sunday is worked", "2025-12-31 10:00", 1, "2026-01-04", false)
	want("the last loaded day is not beyond", "2026-12-30 10:00", 1, "2026-12-31", false)
	want("2027 is counted by weekends and says so", "2026-12-30 10:00", 2, "2027-01-01", true)
	want("before the first year too", "2023-12-28 10:00", 1, "2023-12-29", true)
	want("zero days ends today", "2026-03-02 09:00", 0, "2026-03-02", false)
}

func TestAddWorkdaysZone(t *testing.T) {
	// 2026-03-02 17:00 UTC is already 2026-03-03 in Shanghai.
	due, _ := national(t).AddWorkdays(time.Date(2026, 3, 2, 17, 0, 0, 0, time.UTC), 1)
	if got := due.Format(time.DateOnly); got != "2026-03-04" {
		t.Errorf("due %s, want 2026-03-04", got)
	}
}

func TestWorkdaysPerYear(t *testing.T) {
	c := national(t)
	for year, want := range map[int]int{2024: 251, 2025: 248, 2026: 248} {
		from, to := time.Date(year-1, 12, 31, 12, 0, 0, 0, clock.Shanghai), time.Date(year, 12, 31, 12, 0, 0, 0, clock.Shanghai)
		if got := c.WorkdaysBetween(from, to); got != want {
			t.Errorf("%d has %d working days, want %d", year, got, want)
		}
	}
	if first, last := c.Years(); first != 2024 || last != 2026 {
		t.Errorf("years %d-%d", first, last)
	}
}

func TestPolicies(t *testing.T) {
	c := national(t)
	p, err := clock.PolicyOf("share.reply.conditional")
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Start(p, at("2026-11-23 10:00"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Due.Format(time.DateOnly); got != "2026-12-07" || !strings.Contains(d.Article, "第二十一条") || d.Weekends {
		t.Errorf("conditional reply: %+v", d)
	}
	if d.Overdue(d.Due) || !d.Overdue(d.Due.Add(time.Microsecond)) {
		t.Error("the last instant is in time, the next is not")
	}
	if d, _ := c.Start(p, at("2026-12-15 10:00"), 10); d.Due.Year() != 2027 || !d.Weekends {
		t.Errorf("extended past the calendar: %+v", d)
	}
	if _, err := c.Start(p, at("2026-11-23 10:00"), 11); err == nil {
		t.Error("an extension above the legal one was accepted")
	}
	fix, _ := clock.PolicyOf("correction.close")
	if _, err := c.Start(fix, at("2026-11-23 10:00"), 1); err == nil {
		t.Error("a correction has no extension (art 26)")
	}
	keep, _ := clock.PolicyOf("usage.retention")
	if d, _ := c.Start(keep, at("2026-11-23 10:00"), 0); d.Due.Format(time.DateOnly) != "2029-11-23" {
		t.Errorf("retention: %+v", d)
	}
	if _, err := clock.PolicyOf("nope"); err == nil {
		t.Error("an unknown policy was found")
	}
	seen := map[string]bool{}
	for _, p := range clock.Policies() {
		if seen[p.Code] || p.Article == "" || (p.Days == 0) == (p.Years == 0) || (p.ExtDays > 0) != (p.ExtGuard != "") {
			t.Errorf("policy %+v", p)
		}
		seen[p.Code] = true
	}
}

func TestReadCalendarErr(t *testing.T) {
	bad := func(name, text string) {
		t.Run(name, func(t *testing.T) {
			if _, err := clock.ReadCalendar(strings.NewReader(text)); err == nil {
				t.Error("accepted")
			}
		})
	}
	bad("empty", "date,kind,name,year_source\n")
	bad("unknown kind", "date,kind,name,year_source\n2026-01-01,rest,元旦,2026\n")
	bad("no date", "date,kind,name,year_source\n2026-13-01,holiday,元旦,2026\n")
	bad("a year is missing", "date,kind,name,year_source\n2024-01-01,holiday,元旦,2024\n2026-01-01,holiday,元旦,2026\n")
}
