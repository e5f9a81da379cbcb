package file

import (
	"strconv"
	"strings"
	"time"
)

// day reads a day at the beginning of s in the forms that departments use: 2026-1-5,
// 2026/01/05, 2026.1.5, 2026年1月5日, 20260105. rest is what follows.
func day(s string) (date, rest string, ok bool) {
	n := digits(s)
	var y, m, d string
	switch {
	case n == 8 || n == 14:
		y, m, d, rest = s[:4], s[4:6], s[6:8], s[8:]
	case n == 4:
		var ok1, ok2, ok3 bool
		y, rest = s[:4], s[4:]
		if rest, ok1 = after(rest, "年"); ok1 {
			m, rest, ok2 = upToTwo(rest)
			if rest, ok1 = after(strings.TrimLeft(rest, " "), "月"); !ok1 || !ok2 {
				return "", "", false
			}
			d, rest, ok3 = upToTwo(rest)
			if rest, ok1 = after(strings.TrimLeft(rest, " "), "日"); !ok1 || !ok3 {
				return "", "", false
			}
			break
		}
		if rest == "" || !strings.ContainsRune("-/.", rune(rest[0])) {
			return "", "", false
		}
		sep := rest[:1]
		m, rest, ok2 = upToTwo(rest[1:])
		if rest, ok1 = after(rest, sep); !ok1 || !ok2 {
			return "", "", false
		}
		if d, rest, ok3 = upToTwo(rest); !ok3 {
			return "", "", false
		}
	default:
		return "", "", false
	}
	t, ok := calendar(y, m, d)
	return t, rest, ok
}

// calendar writes a day, if there is such a one in the years that the library holds.
func calendar(y, m, d string) (string, bool) {
	yy, _ := strconv.Atoi(y)
	mm, _ := strconv.Atoi(m)
	dd, _ := strconv.Atoi(d)
	t := time.Date(yy, time.Month(mm), dd, 0, 0, 0, 0, time.UTC)
	return t.Format(time.DateOnly), yearHeld(yy) && t.Year() == yy && int(t.Month()) == mm && t.Day() == dd
}

func yearHeld(y int) bool { return y >= 1900 && y <= 2299 }

// hourWords are the words of a time of day.
var hourWords = strings.NewReplacer("时", ":", "点", ":", "分", ":", "秒", "")

// timeOf reads a time of day: 8:30, 08:30:15.123, 8时30分, 083015, with a zone or
// without.
func timeOf(s string) (string, bool) {
	s = strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(s, " \t"), "T"), " \t")
	if len(s) == 6 && digits(s) == 6 {
		s = s[:2] + ":" + s[2:4] + ":" + s[4:]
	}
	s = strings.TrimSuffix(hourWords.Replace(s), ":")
	h, rest, ok := upToTwo(s)
	if !ok || rest == "" || rest[0] != ':' {
		if ok && rest == "" { // 8时
			return h2(h) + ":00:00", h < "24" || len(h) == 1
		}
		return "", false
	}
	m, rest, ok := upToTwo(rest[1:])
	if !ok {
		return "", false
	}
	sec := "00"
	if rest != "" && rest[0] == ':' {
		if sec, rest, ok = upToTwo(rest[1:]); !ok {
			return "", false
		}
	}
	out := h2(h) + ":" + h2(m) + ":" + h2(sec)
	if out > "23:59:59" || h2(m) > "59" || h2(sec) > "59" {
		return "", false
	}
	if rest != "" && rest[0] == '.' {
		n := digits(rest[1:])
		if n == 0 || n > 9 {
			return "", false
		}
		out, rest = out+rest[:n+1], rest[n+1:]
	}
	rest = strings.TrimLeft(rest, " ")
	if rest != "" && !zone(rest) {
		return "", false
	}
	return out + rest, true
}

// zone says whether s is Z, +08:00 or +0800.
func zone(s string) bool {
	if s == "Z" {
		return true
	}
	s = strings.Replace(s, ":", "", 1)
	return len(s) == 5 && (s[0] == '+' || s[0] == '-') && digits(s[1:]) == 4 && s[1:3] <= "14" && s[3:] <= "59"
}

// digits counts the digits at the beginning.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

func upToTwo(s string) (d, rest string, ok bool) {
	n := digits(s)
	if n < 1 || n > 2 {
		return "", s, false
	}
	return s[:n], s[n:], true
}

func h2(s string) string {
	if len(s) == 1 {
		return "0" + s
	}
	return s
}

func after(s, prefix string) (string, bool) {
	return strings.TrimPrefix(s, prefix), strings.HasPrefix(s, prefix)
}
