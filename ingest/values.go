package ingest

import (
	"time"
	_ "time/tzdata" // Asia/Shanghai must be known on a machine without zone files
)

// parseInt reads -?digits without leading zeros.
func parseInt(s []byte) (int64, bool) {
	neg := len(s) > 0 && s[0] == '-'
	if neg {
		s = s[1:]
	}
	if len(s) == 0 || len(s) > 19 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	var v uint64 // 19 digits always fit
	for _, c := range s {
		c -= '0'
		if c > 9 {
			return 0, false
		}
		v = v*10 + uint64(c)
	}
	if neg {
		return -int64(v), v <= 1<<63
	}
	return int64(v), v < 1<<63
}

var pow10 = [19]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// parseDecimal reads a JSON number exactly as an integer count of 10^-scale, of at
// most 18 digits. Nothing is rounded: a digit that does not fit is a failure.
func parseDecimal(s []byte, scale int) (int64, bool) {
	neg := len(s) > 0 && s[0] == '-'
	if neg {
		s = s[1:]
	}
	if len(s) == 0 || s[0] == '0' && len(s) > 1 && s[1]-'0' <= 9 {
		return 0, false
	}
	var v int64 // significant digits so far, trailing zeros left out
	zeros := 0  // trailing zeros left out of v
	digits, frac := 0, -1
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' {
			if frac >= 0 || digits == 0 {
				return 0, false
			}
			frac = 0
			continue
		}
		c -= '0'
		if c > 9 {
			break
		}
		digits++
		if frac >= 0 {
			frac++
		}
		if c == 0 {
			zeros++
			continue
		}
		if v != 0 {
			if zeros+1 > 18 || v >= pow10[18-zeros-1] {
				return 0, false
			}
			v *= pow10[zeros+1]
		}
		v += int64(c)
		zeros = 0
	}
	if digits == 0 || frac == 0 {
		return 0, false
	}
	exp := 0
	if i < len(s) {
		var ok bool
		if exp, ok = parseExponent(s[i:]); !ok {
			return 0, false
		}
	}
	if v == 0 {
		return 0, true
	}
	shift := scale + zeros + exp - max(frac, 0)
	if shift < 0 || shift > 18 || v >= pow10[18-shift] {
		return 0, false
	}
	v *= pow10[shift]
	if neg {
		v = -v
	}
	return v, true
}

// parseExponent reads [eE][+-]?digits, at most three.
func parseExponent(s []byte) (int, bool) {
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s = s[1:]
	neg := false
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if len(s) == 0 || len(s) > 3 {
		return 0, false
	}
	n := 0
	for _, c := range s {
		c -= '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	if neg {
		n = -n
	}
	return n, true
}

func twoDigits(s []byte) (int, bool) {
	a, b := s[0]-'0', s[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

// calendar checks a date and returns days since 1970-01-01. The years are those
// that ClickHouse's Date32 and DateTime64 hold: beyond them it would clamp or
// refuse the whole batch.
func calendar(y, m, d int) (int32, bool) {
	if y < 1900 || y > 2299 || m < 1 || m > 12 || d < 1 || d > monthDays(y, m) {
		return 0, false
	}
	if m <= 2 {
		y--
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*((m+9)%12)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int32(era*146097 + doe - 719468), true
}

func monthDays(y, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// parseYMD reads YYYY-MM-DD.
func parseYMD(s []byte) (y, m, d int, ok bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, 0, 0, false
	}
	c, ok1 := twoDigits(s)
	yy, ok2 := twoDigits(s[2:])
	m, ok3 := twoDigits(s[5:])
	d, ok4 := twoDigits(s[8:])
	return c*100 + yy, m, d, ok1 && ok2 && ok3 && ok4
}

// parseDate reads YYYY-MM-DD or YYYYMMDD as days since 1970-01-01.
func parseDate(s []byte) (int32, bool) {
	if len(s) == 8 {
		c, ok1 := twoDigits(s)
		yy, ok2 := twoDigits(s[2:])
		m, ok3 := twoDigits(s[4:])
		d, ok4 := twoDigits(s[6:])
		days, ok := calendar(c*100+yy, m, d)
		return days, ok && ok1 && ok2 && ok3 && ok4
	}
	y, m, d, ok := parseYMD(s)
	if !ok {
		return 0, false
	}
	return calendar(y, m, d)
}

const dayMs = 86_400_000

// parseDateTime reads an RFC 3339 time, or one with a blank for the T or without a
// zone (then Beijing time), as Unix milliseconds. exact is false if digits finer
// than a millisecond were cut off, or only a date was given.
func parseDateTime(s []byte) (ms int64, exact, ok bool) {
	if len(s) < 10 {
		return 0, false, false
	}
	y, m, d, ok := parseYMD(s[:10])
	if !ok {
		return 0, false, false
	}
	days, ok := calendar(y, m, d)
	if !ok {
		return 0, false, false
	}
	local := int64(days) * dayMs
	if len(s) == 10 {
		ms, ok = beijing(local, y)
		return ms, false, ok
	}
	if len(s) < 19 || s[10] != 'T' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return 0, false, false
	}
	hh, ok1 := twoDigits(s[11:])
	mm, ok2 := twoDigits(s[14:])
	ss, ok3 := twoDigits(s[17:])
	if !ok1 || !ok2 || !ok3 || hh > 23 || mm > 59 || ss > 59 {
		return 0, false, false
	}
	local += int64(hh*3600+mm*60+ss) * 1000
	s = s[19:]
	exact = true
	if len(s) > 0 && s[0] == '.' {
		var frac int64
		if frac, exact, s, ok = parseFraction(s[1:]); !ok {
			return 0, false, false
		}
		local += frac
	}
	if len(s) == 0 {
		ms, ok = beijing(local, y)
		return ms, exact, ok
	}
	offset, ok := parseZone(s)
	if !ok {
		return 0, false, false
	}
	ms, ok = inRange(local - offset)
	return ms, exact, ok
}

// parseFraction reads one to nine digits as milliseconds.
func parseFraction(s []byte) (ms int64, exact bool, rest []byte, ok bool) {
	n, exact := 0, true
	for n < len(s) && s[n]-'0' <= 9 {
		if n < 3 {
			ms = ms*10 + int64(s[n]-'0')
		} else if s[n] != '0' {
			exact = false
		}
		n++
	}
	if n == 0 || n > 9 {
		return 0, false, nil, false
	}
	for i := n; i < 3; i++ {
		ms *= 10
	}
	return ms, exact, s[n:], true
}

// parseZone reads Z, ±HH:MM or ±HHMM as milliseconds east.
func parseZone(s []byte) (int64, bool) {
	if len(s) == 1 && s[0] == 'Z' {
		return 0, true
	}
	if len(s) == 6 && s[3] == ':' {
		s = []byte{s[0], s[1], s[2], s[4], s[5]}
	}
	if len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	hh, ok1 := twoDigits(s[1:])
	mm, ok2 := twoDigits(s[3:])
	if !ok1 || !ok2 || hh > 14 || mm > 59 {
		return 0, false
	}
	ms := int64(hh*60+mm) * 60_000
	if s[0] == '-' {
		ms = -ms
	}
	return ms, true
}

// shanghai is only asked about years before 1992: since then it is UTC+8 all year.
var shanghai = func() *time.Location {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return time.FixedZone("CST", 8*3600) // can not happen: tzdata is linked in
	}
	return loc
}()

// beijing reads local, milliseconds of a wall clock in Shanghai, as Unix
// milliseconds.
func beijing(local int64, year int) (int64, bool) {
	if year >= 1992 {
		return inRange(local - 8*3_600_000)
	}
	w := time.UnixMilli(local).UTC()
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), w.Nanosecond(), shanghai)
	return inRange(t.UnixMilli())
}

// inRange keeps 1900-01-01 to 2299-12-31 UTC.
func inRange(ms int64) (int64, bool) {
	return ms, ms >= -2208988800000 && ms < 10413792000000
}
