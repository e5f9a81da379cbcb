package quality

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"mulu/quality/ident"
)

func dateTextParams(formats string) []ParamInfo {
	return []ParamInfo{
		{Name: "formats", Title: "格式：YYYY MM DD hh mm ss SSS Z（时区），其余照写", Type: ParamList, Default: formats},
		{Name: "except", Title: "不允许的占位日期", Type: ParamList, Default: "1900-01-01,1970-01-01,9999-12-31"},
		{Name: "words", Title: "另外允许的写法，如 长期", Type: ParamList},
		{Name: "min", Title: "最早，不写不限", Type: ParamDay},
		{Name: "max", Title: "最晚，不写不限", Type: ParamDay},
	}
}

// dateFormat is a way to write a date, token by token.
type dateFormat []dateToken

// dateToken is a counted run of digits that means something, a zone, or text as it is.
type dateToken struct {
	word string // "YYYY" …, "Z", or "" for text
	text string
}

// dateWords in the order they are looked for.
var dateWords = []string{"YYYY", "MM", "DD", "hh", "mm", "ss", "SSS", "Z"}

// readFormat takes a format apart; it must say year, month and day.
func readFormat(s string) (dateFormat, error) {
	var f dateFormat
	seen := map[string]bool{}
next:
	for s != "" {
		for _, w := range dateWords {
			if strings.HasPrefix(s, w) && !seen[w] {
				f, s, seen[w] = append(f, dateToken{word: w}), s[len(w):], true
				continue next
			}
		}
		f, s = append(f, dateToken{text: s[:1]}), s[1:]
	}
	if !seen["YYYY"] || !seen["MM"] || !seen["DD"] {
		return nil, fmt.Errorf("日期格式应有 YYYY、MM 和 DD")
	}
	return f, nil
}

// read gives the day that v writes in this format; form says whether it has the format,
// real whether such a day and time exist.
func (f dateFormat) read(v []byte) (y, m, d int, form, real bool) {
	var part [7]int // in the order of dateWords
	part[1], part[2] = 1, 1
	for _, t := range f {
		var ok bool
		switch t.word {
		case "":
			v, ok = bytes.CutPrefix(v, []byte(t.text))
		case "Z":
			v, ok = cutZone(v)
		default:
			for i, w := range dateWords[:7] {
				if w == t.word {
					part[i], v, ok = cutNumber(v, len(w))
				}
			}
		}
		if !ok {
			return 0, 0, 0, false, false
		}
	}
	y, m, d = part[0], part[1], part[2]
	return y, m, d, len(v) == 0, y > 0 && ident.Day(y, m, d) && part[3] < 24 && part[4] < 60 && part[5] < 60
}

func cutNumber(v []byte, digits int) (n int, rest []byte, ok bool) {
	if len(v) < digits || len(digitsOf(v[:digits])) < digits {
		return 0, nil, false
	}
	for _, c := range v[:digits] {
		n = n*10 + int(c-'0')
	}
	return n, v[digits:], true
}

// cutZone takes Z, +08:00 or +0800 off.
func cutZone(v []byte) (rest []byte, ok bool) {
	if rest, ok = bytes.CutPrefix(v, []byte("Z")); ok {
		return rest, true
	}
	if len(v) < 5 || v[0] != '+' && v[0] != '-' {
		return nil, false
	}
	h, rest, ok := cutNumber(v[1:], 2)
	if !ok || h > 14 {
		return nil, false
	}
	rest = bytes.TrimPrefix(rest, []byte(":"))
	m, rest, ok := cutNumber(rest, 2)
	return rest, ok && m < 60
}

func compileDateText(s *scope) (verdict, string, error) {
	var formats []dateFormat
	for _, v := range s.list("formats") {
		f, err := readFormat(v)
		if err != nil {
			return nil, "", badParam("formats", v, err.Error())
		}
		formats = append(formats, f)
	}
	lo, from := s.dayParam("min", firstDay)
	hi, to := s.dayParam("max", lastDay)
	s.reasons = []string{
		s.title() + "的格式应为 " + strings.Join(s.list("formats"), " 或 "),
		s.title() + "不是存在的日期；请核对年月日",
		s.title() + "是占位日期（" + s.param("except") + "）；请填写真实日期，没有则留空",
		fmt.Sprintf("%s应在 %s 至 %s 之间；请核对", s.title(), from, to),
	}
	words, col, skip := among(s.list("words")), s.at[0], s.skip()
	except := map[time.Time]bool{}
	for _, v := range s.list("except") {
		t, err := time.Parse(time.DateOnly, v)
		if err != nil {
			return nil, "", badParam("except", v, "应为以逗号分隔的 YYYY-MM-DD")
		}
		except[t] = true
	}
	return func(b *batch, fail bitmap) int64 {
		first, last := lo.date(b), hi.date(b)
		return textsWhy(b, col, fail, skip, func(_ int, v []byte) uint8 {
			if words(v) {
				return 0
			}
			code := uint8(1)
			for _, f := range formats {
				y, m, d, form, real := f.read(v)
				if !form {
					continue
				}
				if code = 2; !real {
					continue
				}
				t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
				switch {
				case except[t]:
					return 3
				case t.Before(first) || t.After(last):
					return 4
				}
				return 0
			}
			return code
		})
	}, s.reasons[0], nil
}
