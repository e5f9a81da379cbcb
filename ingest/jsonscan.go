package ingest

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

func blank(p []byte, i int) int {
	for i < len(p) && (p[i] == ' ' || p[i] == '\n' || p[i] == '\t' || p[i] == '\r') {
		i++
	}
	return i
}

func hasWord(p []byte, i int, word string) bool {
	return len(p)-i >= len(word) && string(p[i:i+len(word)]) == word
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// scanString finds the quote that closes the string whose content starts at i. If
// ok is false, end is where it went wrong. Eight bytes are looked at in one step:
// the lowest flagged byte is exact, those above it may not be.
func scanString(p []byte, i int) (end int, escaped, ok bool) {
	for {
		for i+8 <= len(p) {
			x := binary.LittleEndian.Uint64(p[i:])
			quote, slash := x^(ones*'"'), x^(ones*'\\')
			hit := ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*0x20)&^x) & highs
			if hit != 0 {
				i += bits.TrailingZeros64(hit) >> 3
				break
			}
			i += 8
		}
		for i < len(p) && p[i] != '"' && p[i] != '\\' && p[i] >= 0x20 {
			i++
		}
		if i >= len(p) || p[i] < 0x20 {
			return i, escaped, false
		}
		if p[i] == '"' {
			return i, escaped, true
		}
		escaped = true
		if i+1 >= len(p) {
			return i, escaped, false
		}
		switch p[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
		case 'u':
			if _, ok := hex4(p, i+2); !ok {
				return i, escaped, false
			}
			i += 6
		default:
			return i, escaped, false
		}
	}
}

func hex4(p []byte, i int) (rune, bool) {
	if i+4 > len(p) {
		return 0, false
	}
	var v rune
	for _, c := range p[i : i+4] {
		switch {
		case c-'0' <= 9:
			v = v<<4 | rune(c-'0')
		case c|0x20-'a' <= 5 && c|0x20 >= 'a':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// unescape appends the content of a string that scanString accepted. ok is false
// for half a surrogate pair: it is no character, and replacing it would change the
// value silently.
func unescape(dst, s []byte) (out []byte, ok bool) {
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		c = s[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			v, _ := hex4(s, i)
			i += 4
			if utf16.IsSurrogate(v) {
				if i+2 > len(s) || s[i] != '\\' || s[i+1] != 'u' {
					return dst, false
				}
				low, _ := hex4(s, i+2)
				if v = utf16.DecodeRune(v, low); v == utf8.RuneError {
					return dst, false
				}
				i += 6
			}
			dst = utf8.AppendRune(dst, v)
			continue
		}
		dst = append(dst, c)
	}
	return dst, true
}

// scanNumber finds the end of the JSON number at i.
func scanNumber(p []byte, i int) (end int, ok bool) {
	if p[i] == '-' {
		i++
	}
	if i >= len(p) {
		return i, false
	}
	if p[i] == '0' {
		i++
	} else if i, ok = digits(p, i); !ok {
		return i, false
	}
	if i < len(p) && p[i] == '.' {
		if i, ok = digits(p, i+1); !ok {
			return i, false
		}
	}
	if i < len(p) && (p[i] == 'e' || p[i] == 'E') {
		i++
		if i < len(p) && (p[i] == '+' || p[i] == '-') {
			i++
		}
		if i, ok = digits(p, i); !ok {
			return i, false
		}
	}
	return i, true
}

// digits skips one or more digits.
func digits(p []byte, i int) (end int, ok bool) {
	start := i
	for i < len(p) && p[i]-'0' <= 9 {
		i++
	}
	return i, i > start
}

// skipValue checks the value at i and finds its end.
func skipValue(p []byte, i, depth int) (end int, ok bool) {
	if i >= len(p) || depth > maxDepth {
		return i, false
	}
	switch ch := p[i]; {
	case ch == '"':
		if end, _, ok = scanString(p, i+1); !ok {
			return end, false
		}
		return end + 1, true
	case ch == '-' || ch-'0' <= 9:
		return scanNumber(p, i)
	case hasWord(p, i, "null"), hasWord(p, i, "true"):
		return i + 4, true
	case hasWord(p, i, "false"):
		return i + 5, true
	case ch == '[':
		return skipMembers(p, i, ']', depth)
	case ch == '{':
		return skipMembers(p, i, '}', depth)
	}
	return i, false
}

// skipMembers checks the array or object that opens at i.
func skipMembers(p []byte, i int, closing byte, depth int) (end int, ok bool) {
	if i = blank(p, i+1); i < len(p) && p[i] == closing {
		return i + 1, true
	}
	for {
		if closing == '}' {
			if i >= len(p) || p[i] != '"' {
				return i, false
			}
			if i, _, ok = scanString(p, i+1); !ok {
				return i, false
			}
			if i = blank(p, i+1); i >= len(p) || p[i] != ':' {
				return i, false
			}
			i = blank(p, i+1)
		}
		if i, ok = skipValue(p, i, depth+1); !ok {
			return i, false
		}
		if i = blank(p, i); i >= len(p) {
			return i, false
		}
		if p[i] == closing {
			return i + 1, true
		}
		if p[i] != ',' {
			return i, false
		}
		i = blank(p, i+1)
	}
}
