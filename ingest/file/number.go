package file

import (
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// exactDigits is how many significant digits a spreadsheet keeps.
const exactDigits = 15

// numeral is a stored number, written out.
type numeral struct {
	plain       string // without exponent
	whole       bool   // no digits behind the point
	negative    bool
	digits      int // before the point
	significant int // without zeros at either end
}

// numeralOf reads a number as it is stored. Digits behind the point beyond the fifteenth
// are what binary arithmetic leaves (0.30000000000000004) and are rounded off unless
// exact; digits before it are never touched.
func numeralOf(s string, exact bool) (numeral, bool) {
	if n, ok := shortNumeral(s); ok {
		return n, true
	}
	if len(s) > 64 {
		return numeral{}, false
	}
	if _, err := strconv.ParseFloat(s, 64); err != nil { // bounds the exponent, too
		return numeral{}, false
	}
	d, err := decimal.NewFromString(s)
	if err != nil || d.Exponent() < -400 {
		return numeral{}, false
	}
	if n := d.NumDigits(); !exact && n > exactDigits && d.Exponent() < 0 {
		places := int32(exactDigits - n - int(d.Exponent()))
		d = d.Round(max(places, 0))
	}
	text := d.String()
	whole, frac, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	n := numeral{plain: text, whole: strings.Trim(frac, "0") == "", negative: d.Sign() < 0, digits: len(whole)}
	if n.whole {
		n.plain, _, _ = strings.Cut(text, ".")
	}
	n.significant = len(strings.Trim(strings.TrimLeft(whole, "0")+strings.TrimRight(frac, "0"), "0"))
	return n, true
}

// shortNumeral reads the numbers that nearly all are: a few digits, perhaps a point.
func shortNumeral(s string) (numeral, bool) {
	n := numeral{plain: s, whole: true}
	if strings.HasPrefix(s, "-") {
		n.negative, s = true, s[1:]
	}
	if s == "" || len(s) > exactDigits || s[0] == '0' && len(s) > 1 && s[1] != '.' {
		return n, false
	}
	point := -1
	last := -1 // the last digit that is not zero
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.' && point < 0 && i > 0:
			point = i
		case c < '0' || c > '9':
			return n, false
		case c != '0':
			last = i
		}
	}
	n.digits = len(s)
	if point >= 0 {
		if point == len(s)-1 || last < point {
			return n, false
		}
		n.whole, n.digits = false, point
	}
	n.significant = last + 1
	return n, true
}

// scientific says whether a text is what a spreadsheet shows of a long number:
// 3.10107E+17.
func scientific(s string) bool {
	at := strings.IndexAny(s, "eE")
	if at < 1 || at > 20 || len(s) < at+3 || s[at+1] != '+' {
		return false
	}
	exp, err := strconv.Atoi(s[at+2:])
	if err != nil || exp < 11 || exp > 308 {
		return false
	}
	_, ok := shortNumeral(strings.TrimSuffix(strings.TrimRight(mantissa(s[:at]), "0"), "."))
	return ok
}

// mantissa keeps trailing zeros of a whole number: 1 of 1E+17.
func mantissa(s string) string {
	if strings.Contains(s, ".") {
		return s
	}
	return s + ".1"
}

// grouped takes the commas out of 1,234,567; ok is false if they do not stand there.
func grouped(s string) (string, bool) {
	head, rest, ok := strings.Cut(s, ",")
	if !ok || len(strings.TrimPrefix(head, "-")) == 0 || len(strings.TrimPrefix(head, "-")) > 3 {
		return "", false
	}
	whole, frac, point := strings.Cut(rest, ".")
	for part := range strings.SplitSeq(whole, ",") {
		if len(part) != 3 {
			return "", false
		}
	}
	out := head + strings.ReplaceAll(whole, ",", "")
	if point {
		out += "." + frac
	}
	return out, true
}
