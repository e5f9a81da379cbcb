package profile

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mulu/quality/ident"
)

// reads are the types a text can be read as, one bit each.
type reads uint8

const (
	readsInt reads = 1 << iota
	readsDecimal
	readsDate
	readsDateTime
	readsBool
)

// facts are what one value by itself says.
type facts struct {
	reads  reads
	layout uint8  // index into layouts, of a date or datetime
	scale  uint8  // digits after the point
	chars  uint8  // bits of the fields of Chars
	is     uint64 // bits of recognisers
	length int
	number float64 // of an int or decimal itself, of a date in days, of a datetime in days with fraction
	shape  string
}

const (
	hasFullWidth = 1 << iota
	hasEdges
	hasInner
	hasInvisible
	hasMojibake
	hasPersonal
)

// layout is one way of writing a date or time.
type layout struct {
	name   string // as shown
	layout string
	time   bool
}

// layouts that are read, in the order they are tried; by length, so that most are not.
var layouts = []layout{
	{"YYYY-MM-DD", "2006-01-02", false},
	{"YYYYMMDD", "20060102", false},
	{"YYYY/MM/DD", "2006/01/02", false},
	{"YYYY.MM.DD", "2006.01.02", false},
	{"YYYY年M月D日", "2006年1月2日", false},
	{"YYYY-MM-DD hh:mm:ss", "2006-01-02 15:04:05", true},
	{"YYYY/MM/DD hh:mm:ss", "2006/01/02 15:04:05", true},
	{"YYYY-MM-DD hh:mm:ss.fff", "2006-01-02 15:04:05.000", true},
	{"RFC 3339", time.RFC3339, true},
	{"YYYYMMDDhhmmss", "20060102150405", true},
}

// booleans are the words that are read as true or false.
var booleans = map[string]bool{"true": true, "false": true, "TRUE": true, "FALSE": true, "True": true, "False": true, "是": true, "否": true, "Y": true, "N": true, "y": true, "n": true}

// look finds out about one text. day 0 is 1970-01-01.
func (p *recogniser) look(v string) facts {
	f := facts{length: utf8.RuneCountInString(v)}
	f.chars = charsOf(v)
	f.shape = shapeOf(v)
	if booleans[v] {
		f.reads |= readsBool
	}
	if len(v) <= 40 {
		f.readNumber(v)
		f.readTime(v)
	}
	if len(v) > 20 && embedsPersonal(v) {
		f.chars |= hasPersonal
	}
	f.is = p.identify(v)
	return f
}

func (f *facts) readNumber(v string) {
	body := strings.TrimPrefix(v, "-")
	if body == "" || body[0] == '.' || len(body) > 19 {
		return
	}
	digits, points := 0, 0
	for i := range len(body) {
		switch c := body[i]; {
		case c-'0' <= 9:
			digits++
		case c == '.' && points == 0 && i < len(body)-1:
			points++
			f.scale = uint8(len(body) - 1 - i)
		default:
			f.scale = 0
			return
		}
	}
	x, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return
	}
	f.number = x
	// A number does not begin with a zero: 01 and 00123 are codes.
	if digits > 1 && body[0] == '0' && body[1] != '.' {
		f.scale = 0
		return
	}
	f.reads |= readsDecimal
	if points == 0 {
		f.reads |= readsInt
	}
}

func (f *facts) readTime(v string) {
	if len(v) < 8 || v[0] < '0' || v[0] > '9' {
		return
	}
	for i, l := range layouts {
		if !l.time && len(v) != len(l.layout) && !strings.Contains(l.layout, "年") || l.time && len(v) < len(l.layout)-6 && l.layout != time.RFC3339 {
			continue
		}
		t, err := time.ParseInLocation(l.layout, v, time.UTC)
		if err != nil || t.Year() < 1800 || t.Year() > 2200 && v[:4] != "9999" {
			continue
		}
		f.layout = uint8(i)
		if l.layout == time.RFC3339 {
			t = t.Add(8 * time.Hour) // written with a zone: as Shanghai sees it
		}
		f.number = float64(t.Unix()) / 86_400
		f.reads |= readsDate
		if l.time {
			f.reads = f.reads&^readsDate | readsDateTime
		}
		return
	}
}

func charsOf(v string) (bits uint8) {
	for i, r := range v {
		switch {
		case r >= 0xFF01 && r <= 0xFF5E && !strings.ContainsRune("（），：；！？", r):
			bits |= hasFullWidth
		case r == ' ' || r == '\t' || r == 0x3000 || r == 0xA0:
			if i == 0 || i+utf8.RuneLen(r) == len(v) {
				bits |= hasEdges
			} else {
				bits |= hasInner
			}
			if r == 0x3000 {
				bits |= hasFullWidth
			}
		case r == utf8.RuneError:
			bits |= hasMojibake
		case r >= 0x200B && r <= 0x200F || r == 0xFEFF || r == 0x2060 || unicode.IsControl(r):
			bits |= hasInvisible
		}
	}
	for _, m := range mojibake {
		if strings.Contains(v, m) {
			bits |= hasMojibake
		}
	}
	return bits
}

// mojibake is what GBK and UTF-8 make of each other.
var mojibake = [...]string{"锟斤拷", "烫烫烫", "Ã¤", "Ã¥", "ï¿½"}

// embedsPersonal says whether a citizen or mobile number stands inside a text.
func embedsPersonal(v string) bool {
	for i := 0; i < len(v); {
		if v[i]-'0' > 9 {
			i++
			continue
		}
		j := i
		for j < len(v) && v[j]-'0' <= 9 {
			j++
		}
		n := j - i
		if n == 17 && j < len(v) && (v[j] == 'X' || v[j] == 'x') {
			n, j = 18, j+1
		}
		if n == 11 && ident.Mobile([]byte(v[i:j])) || n == 18 && ident.Citizen([]byte(strings.ToUpper(v[i:j]))) {
			return true
		}
		i = j
	}
	return false
}

// shapeMost bounds a shape: a long text has none worth telling.
const shapeMost = 40

// shapeOf writes a value as character classes: "310107" is 9{6}, "沪A1234" is 汉A9{4}.
func shapeOf(v string) string {
	var b strings.Builder
	last, run := rune(0), 0
	flush := func() {
		if run > 1 {
			b.WriteByte('{')
			b.WriteString(strconv.Itoa(run))
			b.WriteByte('}')
		}
	}
	for _, r := range v {
		if c := classOf(r); c == last {
			run++
		} else {
			flush()
			b.WriteRune(c)
			last, run = c, 1
		}
		if b.Len() > shapeMost {
			return "…"
		}
	}
	flush()
	return b.String()
}

// classOf is the class a character is shown as.
func classOf(r rune) rune {
	switch {
	case r >= '0' && r <= '9':
		return '9'
	case r >= 'A' && r <= 'Z':
		return 'A'
	case r >= 'a' && r <= 'z':
		return 'a'
	case r >= '０' && r <= '９':
		return '９'
	case unicode.Is(unicode.Han, r):
		return '汉'
	case unicode.IsLetter(r):
		return '文'
	case unicode.IsSpace(r):
		return ' '
	case r == '{' || r == '}' || unicode.IsDigit(r) || unicode.IsControl(r):
		return '异'
	}
	return r
}

// signatureOf takes the lengths out of a shape.
func signatureOf(shape string) (classes string, lengths []int) {
	var b strings.Builder
	for i := 0; i < len(shape); {
		r, n := utf8.DecodeRuneInString(shape[i:])
		i += n
		run := 1
		if i < len(shape) && shape[i] == '{' {
			if end := strings.IndexByte(shape[i:], '}'); end > 1 {
				if k, err := strconv.Atoi(shape[i+1 : i+end]); err == nil {
					run, i = k, i+end+1
				}
			}
		}
		b.WriteRune(r)
		lengths = append(lengths, run)
	}
	return b.String(), lengths
}
