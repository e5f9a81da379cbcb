package submit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/internal/clock"
	"mulu/internal/store"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.ParseInLocation("2006-01-02 15:04", s, clock.Shanghai)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPeriods(t *testing.T) {
	want := func(cycle time.Duration, moment, name, start, end string) {
		t.Helper()
		p := PeriodAt(cycle, at(t, moment))
		if p.Name != name || !p.Start.Equal(at(t, start)) || !p.End.Equal(at(t, end)) {
			t.Errorf("at %s of %s: %+v, want %s from %s to %s", moment, cycle, p, name, start, end)
		}
		if again, err := ParsePeriod(cycle, name); err != nil || again != p {
			t.Errorf("parse %s: %+v, %v, want %+v", name, again, err, p)
		}
	}
	want(time.Hour, "2026-11-27 21:59", "2026-11-27T21", "2026-11-27 21:00", "2026-11-27 22:00")
	want(day, "2026-11-27 00:00", "2026-11-27", "2026-11-27 00:00", "2026-11-28 00:00")
	want(0, "2026-12-31 23:59", "2026-12-31", "2026-12-31 00:00", "2027-01-01 00:00")
	want(7*day, "2026-11-29 12:00", "2026-W48", "2026-11-23 00:00", "2026-11-30 00:00")
	want(7*day, "2027-01-03 12:00", "2026-W53", "2026-12-28 00:00", "2027-01-04 00:00")
	want(11*day, "2026-11-10 23:00", "2026-11-上旬", "2026-11-01 00:00", "2026-11-11 00:00")
	want(11*day, "2026-02-28 23:00", "2026-02-下旬", "2026-02-21 00:00", "2026-03-01 00:00")
	want(11*day, "2026-12-31 23:00", "2026-12-下旬", "2026-12-21 00:00", "2027-01-01 00:00")
	want(31*day, "2026-02-28 23:59", "2026-02", "2026-02-01 00:00", "2026-03-01 00:00")
	want(92*day, "2026-12-31 23:59", "2026-Q4", "2026-10-01 00:00", "2027-01-01 00:00")
	want(184*day, "2026-07-01 00:00", "2026-H2", "2026-07-01 00:00", "2027-01-01 00:00")
	want(366*day, "2026-07-01 00:00", "2026", "2026-01-01 00:00", "2027-01-01 00:00")
	// Seven in the evening UTC is the next day in Shanghai.
	if p := PeriodAt(day, time.Date(2026, 11, 30, 19, 0, 0, 0, time.UTC)); p.Name != "2026-12-01" {
		t.Errorf("the day is %s, want that of Shanghai", p.Name)
	}
	for _, name := range []string{"2026-13", "2026-11-31", "2026-Q5", "2026-W54", "2026-Q4", "11", "2026-11 ", ""} {
		if p, err := ParsePeriod(31*day, name); err == nil || !strings.Contains(err.Error(), "2026-11") {
			t.Errorf("%q is taken for the month %+v: %v", name, p, err)
		}
	}
}

func TestNil(t *testing.T) {
	db, err := store.Open(t.Context(), "sqlite:"+t.TempDir()+"/control.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := ingest.NewJournal(t.Context(), db, time.Now); err != nil {
		t.Fatal(err)
	}
	now := at(t, "2026-11-27 10:00")
	d := NewDesk(db, nil, func() time.Time { return now })
	ds := &mulu.Dataset{Code: "rescue", Cycle: 31 * day}
	until := func() string {
		t.Helper()
		u, err := d.Unchanged(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return u["rescue"].Period + " " + u["rescue"].Until.In(clock.Shanghai).Format("01-02 15:04")
	}
	first, fresh, err := d.Nil(t.Context(), ds, "", "本月无新增", "mz", at(t, "2026-11-03 08:00"))
	if err != nil || !fresh || first.Period != "2026-11" || first.State != Landed || first.Rows != 0 {
		t.Fatalf("first: %+v, %v, %v", first, fresh, err)
	}
	if got := until(); got != "2026-11 11-27 10:00" {
		t.Errorf("unchanged until %s", got)
	}
	if !strings.Contains(string(first.Report), "2026-11-03 08:00:00") {
		t.Errorf("rows had come in the period, and the report does not say so: %s", first.Report)
	}
	now = now.Add(48 * time.Hour)
	again, fresh, err := d.Nil(t.Context(), ds, "2026-11", "", "mz", time.Time{})
	if err != nil || fresh || again.ID != first.ID {
		t.Errorf("again: %+v, %v, %v", again, fresh, err)
	}
	if got := until(); got != "2026-11 11-27 10:00" {
		t.Errorf("after the same once more, unchanged until %s", got)
	}
	// A period that is over counts at its end, whenever it is reported.
	if _, _, err := d.Nil(t.Context(), ds, "2026-09", "", "mz", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got := until(); got != "2026-11 11-27 10:00" {
		t.Errorf("an older period made it newer: %s", got)
	}
	now = at(t, "2027-01-20 10:00")
	if _, _, err := d.Nil(t.Context(), ds, "2026-12", "", "mz", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got := until(); got != "2026-12 01-01 00:00" {
		t.Errorf("a late report counts until %s, want the end of its period", got)
	}
	if _, _, err := d.Nil(t.Context(), ds, "2027-02", "", "mz", time.Time{}); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("a period to come: %v", err)
	}
}
