package check

import (
	"regexp"
	"strings"
	"time"
)

// momentForms are the ways of writing a date or time that parseMoment knows, the common
// ones first. Python's dateutil takes more, guesses at the order of day and month as
// these do (month first), and is used where a rule asks for anything it would take.
var momentForms = []string{
	time.DateOnly, time.DateTime, "2006-01-02T15:04:05", time.RFC3339Nano, "2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST", "2006-01-02 15:04", "2006-01-02T15:04", "2006-1-2", "2006-1-2 15:04:05", "2006/1/2", "2006/1/2 15:04:05", "2006/1/2 15:04", "20060102",
	"1/2/2006", "1/2/2006 15:04:05", "1/2/2006 15:04", "1/2/06", "1-2-2006", "Jan 2 2006 15:04:05", "Jan 2 2006", "Jan 2, 2006", "January 2, 2006", "January 2 2006", "Jan _2 2006", "Jan 2 15:04:05 2006",
	"2 Jan 2006", "2 January 2006", "2 Jan 2006 15:04:05", "Mon Jan _2 15:04:05 2006", "Mon, 02 Jan 2006 15:04:05 MST", time.RFC1123Z, "Jan 2006", "January 2006", "2006年1月2日", "2006.1.2", "2006-01",
}

// dateLike keeps plain numbers and words from being taken for a date.
var dateLike = regexp.MustCompile(`(?i)^\D*\d{1,4}\D+\d|^\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec`)

// parseMoment reads a date or time written in one of the common ways.
func parseMoment(s string) (Value, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 6 || len(s) > 40 {
		return Value{}, false
	}
	if v, ok := isoDate(s); ok {
		return v, true
	}
	if !dateLike.MatchString(s) {
		return Value{}, false
	}
	for _, form := range momentForms {
		t, err := time.Parse(form, s)
		if err != nil {
			continue
		}
		if t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 && t.Nanosecond() == 0 && !strings.Contains(form, "15") {
			return Value{Kind: Date, I: floorDay(t)}, true
		}
		return Value{Kind: Time, I: t.UnixMicro()}, true
	}
	return Value{}, false
}

func floorDay(t time.Time) int64 {
	s := t.Unix()
	if s < 0 {
		s -= 86_399
	}
	return s / 86_400
}

// isoDate reads YYYY-MM-DD without the cost of a form.
func isoDate(s string) (Value, bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return Value{}, false
	}
	y, m, d := digits(s[:4]), digits(s[5:7]), digits(s[8:])
	if y < 0 || m < 1 || m > 12 || d < 1 || d > 31 {
		return Value{}, false
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if t.Day() != d {
		return Value{}, false
	}
	return Value{Kind: Date, I: floorDay(t)}, true
}

func digits(s string) int {
	n := 0
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return -1
		}
		n = n*10 + int(c)
	}
	return n
}

// moment is a value as a date or time, a text parsed.
func (v Value) moment() (Value, bool) {
	switch v.Kind {
	case Date, Time:
		return v, true
	case Text:
		return parseMoment(v.S)
	}
	return Value{}, false
}
