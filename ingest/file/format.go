package file

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// format is what a number format makes of a number, as far as it matters here.
type format struct {
	date, clock bool // it shows a day, a time of day
	percent     bool
	zeros       int // it fills up to so many digits, e.g. 6 for "000000"; 0 for no such thing
}

// builtin are the formats that a workbook names by number only. 27 to 36 and 50 to 58
// are dates in Chinese Excel and in WPS.
func builtin(id int) *format {
	switch {
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 54, id >= 57 && id <= 58:
		return &format{date: true}
	case id == 22:
		return &format{date: true, clock: true}
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id >= 45 && id <= 47, id == 55, id == 56:
		return &format{clock: true}
	case id == 9, id == 10:
		return &format{percent: true}
	}
	return nil
}

// readFormat reads a format code; nil for one that leaves a number a number.
func readFormat(code string) *format {
	first, _, _ := strings.Cut(code, ";")
	f := &format{}
	digits := false
	for i := 0; i < len(first); i++ {
		switch c := first[i]; c {
		case '"':
			if end := strings.IndexByte(first[i+1:], '"'); end >= 0 {
				i += end + 1
			}
		case '\\', '_', '*':
			i++
		case '[':
			end := strings.IndexByte(first[i:], ']')
			if end < 0 {
				end = len(first) - i - 1
			}
			switch tag := strings.ToLower(first[i+1 : min(i+end, len(first))]); {
			case tag == "h" || tag == "hh" || tag == "m" || tag == "mm" || tag == "s" || tag == "ss":
				f.clock = true
			case strings.HasPrefix(tag, "$-f800"):
				f.date = true
			case strings.HasPrefix(tag, "$-f400"):
				f.clock = true
			}
			i += end
		case 'y', 'Y', 'd', 'D':
			f.date = true
		case 'a', 'A': // a weekday, or before and after noon
			if lower := strings.ToLower(first[i:]); strings.HasPrefix(lower, "aaa") {
				f.date, i = true, i+2
			} else if strings.HasPrefix(lower, "am/pm") {
				f.clock, i = true, i+4
			} else if strings.HasPrefix(lower, "a/p") {
				f.clock, i = true, i+2
			}
		case 'h', 'H', 's', 'S':
			f.clock = true
		case 'e', 'E':
			if digits || i+1 < len(first) && (first[i+1] == '+' || first[i+1] == '-') {
				i++ // an exponent
			} else {
				f.date = true // a year
			}
		case 'm', 'M':
			if !f.clock && !strings.ContainsAny(strings.ToLower(first[i:]), "sh") {
				f.date = true
			}
		case 'G', 'g': // General, which WPS writes as G/通用格式, too, or an era
			if strings.HasPrefix(strings.ToLower(first[i:]), "general") {
				i += len("general") - 1
			} else if i+1 < len(first) && strings.IndexByte("gGeE", first[i+1]) >= 0 {
				f.date = true
			}
		case '%':
			f.percent = true
		case '0', '#', '?':
			digits = true
		}
	}
	if n := strings.Count(first, "0"); n > 1 && n == len(first) {
		f.zeros = n
	}
	if !f.date && !f.clock && !f.percent && f.zeros == 0 {
		return nil
	}
	return f
}

// A serial counts days from the eve of 1900, or from 1904 in workbooks from old Macs.
// Excel has a 29 February 1900, so that from March on the eve is a day earlier.
var (
	eve1900 = time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	day1904 = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
)

// maxSerial is 9999-12-31.
const maxSerial = 2958466

// serialTime is the wall clock that a serial means, to the millisecond.
func serialTime(s string, since1904 bool) (time.Time, bool) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v < 0 || v >= maxSerial {
		return time.Time{}, false
	}
	days, part := math.Modf(v)
	ms := time.Duration(math.Round(part*86_400_000)) * time.Millisecond
	if since1904 {
		return day1904.AddDate(0, 0, int(days)).Add(ms), true
	}
	if int(days) == 60 {
		return time.Time{}, false // 29 February 1900
	}
	if days < 60 {
		days++
	}
	return eve1900.AddDate(0, 0, int(days)).Add(ms), true
}

// writeTime writes a wall clock, with no more of it than there is.
func writeTime(t time.Time, date, clock bool) string {
	layout := "2006-01-02 15:04:05"
	switch {
	case !date && clock:
		layout = "15:04:05"
	case t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 && t.Nanosecond() == 0:
		layout = "2006-01-02"
	}
	if t.Nanosecond() != 0 {
		layout += ".000"
	}
	return t.Format(layout)
}
