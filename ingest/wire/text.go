package wire

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"

	"mulu/ingest/text"
)

const hexDigits = "0123456789abcdef"

// quoted is a JSON string as it stands in every record.
func quoted(s string) []byte { return text.AppendJSON(nil, s) }

// keyOf is a member's name with the colon.
func keyOf(s string) []byte { return append(quoted(s), ':') }

// badText gives the place of the first byte of s that is not UTF-8, -1 for none.
func badText(s []byte) int {
	if utf8.Valid(s) {
		return -1
	}
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRune(s[i:])
		if c == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// appendFloat writes a float exactly; what is no number is a text, which no column takes.
func appendFloat(dst []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(strconv.AppendFloat(append(dst, '"'), v, 'g', -1, bits), '"')
	}
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, bits)
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}

// appendDecimal writes a two's complement big-endian integer of scale digits after the
// point, every digit of it.
func appendDecimal(dst, b []byte, scale int) []byte {
	var digits []byte
	var space [24]byte
	neg := len(b) > 0 && b[0]&0x80 != 0
	if len(b) <= 8 {
		v := int64(0)
		if neg {
			v = -1
		}
		for _, c := range b {
			v = v<<8 | int64(c)
		}
		u := uint64(v)
		if neg {
			u = -u
		}
		digits = strconv.AppendUint(space[:0], u, 10)
	} else {
		v := new(big.Int).SetBytes(b)
		if neg {
			v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8)) //nolint:gosec // a length
			v.Neg(v)
		}
		digits = v.Append(nil, 10)
	}
	if neg {
		dst = append(dst, '-')
	}
	whole := len(digits) - scale
	if scale == 0 {
		return append(dst, digits...)
	}
	if whole <= 0 {
		dst = append(dst, '0', '.')
		for ; whole < 0; whole++ {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(append(dst, digits[:whole]...), '.')
	return append(dst, digits[whole:]...)
}

// isNumber says whether s is a JSON number.
func isNumber(s []byte) bool {
	return len(s) > 0 && (s[0] == '-' || s[0]-'0' <= 9) && s[len(s)-1]-'0' <= 9 && json.Valid(s)
}

func appendPadded(dst []byte, v int64, width int) []byte {
	var space [20]byte
	s := strconv.AppendInt(space[:0], v, 10)
	for n := len(s); n < width; n++ {
		dst = append(dst, '0')
	}
	return append(dst, s...)
}

// appendDay writes days since 1970-01-01 as YYYY-MM-DD, in the calendar that is used
// today for all years.
func appendDay(dst []byte, days int64) []byte {
	z := days + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	y, m := yoe+era*400, mp+3
	if m > 12 {
		m -= 12
		y++
	}
	return appendDate(dst, y, m, doy-(153*mp+2)/5+1)
}

func appendDate(dst []byte, y, m, d int64) []byte {
	dst = append(appendPadded(dst, y, 4), '-')
	dst = append(appendPadded(dst, m, 2), '-')
	return appendPadded(dst, d, 2)
}

// appendClock writes a time of day; unit is how many make a second.
func appendClock(dst []byte, v, unit int64) []byte {
	sec, frac := v/unit, v%unit
	dst = append(appendPadded(dst, sec/3600, 2), ':')
	dst = append(appendPadded(dst, sec/60%60, 2), ':')
	dst = appendPadded(dst, sec%60, 2)
	if frac == 0 {
		return dst
	}
	width := 3
	for u := unit; u > 1000; u /= 1000 {
		width += 3
	}
	for width > 3 && frac%1000 == 0 { // no finer than it must be
		frac, width = frac/1000, width-3
	}
	return appendPadded(append(dst, '.'), frac, width)
}

// appendMoment writes a time since 1970 of unit parts a second; zone is "Z" or "".
func appendMoment(dst []byte, v, unit int64, zone string) []byte {
	day := unit * 86400
	days, rest := v/day, v%day
	if rest < 0 {
		days, rest = days-1, rest+day
	}
	dst = append(appendDay(append(dst, '"'), days), 'T')
	return append(append(appendClock(dst, rest, unit), zone...), '"')
}
