package check

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/dlclark/regexp2"

	"mulu/quality"
)

// matcher says whether a pattern is found anywhere in a text.
type matcher func([]byte) bool

// search compiles a pattern of Python's re (or a database's) for searching. What RE2 can
// not express (looking around, back references) runs as a backtracking expression. In
// Python \d, \w and \s know all of Unicode, in RE2 they do not: a text beyond ASCII is
// held against a second form of the pattern.
func search(expr string) (matcher, error) {
	ascii, err := quality.Matcher(expr)
	if err != nil {
		back, err2 := regexp2.Compile(expr, regexp2.None)
		if err2 != nil {
			return nil, fmt.Errorf("正则表达式不对，请核对：%w / not a regular expression", err)
		}
		return func(v []byte) bool { ok, err := back.MatchString(string(v)); return ok && err == nil }, nil
	}
	wide := ascii
	if classes.MatchString(expr) {
		wide = beyondASCII(expr, ascii)
	}
	if a := newAutomaton(expr); a != nil {
		return func(v []byte) bool {
			found, known := a.search(v)
			if !known {
				return wide(v)
			}
			return found
		}, nil
	}
	return func(v []byte) bool {
		if isASCII(v) {
			return ascii(v)
		}
		return wide(v)
	}, nil
}

// classes are what means more in Unicode than in ASCII.
var classes = regexp.MustCompile(`\\[dwsDWSbB]`)

// beyondASCII is the form of a pattern that knows all of Unicode.
func beyondASCII(expr string, otherwise matcher) matcher {
	if strings.Contains(expr, `\b`) || strings.Contains(expr, `\B`) || strings.Contains(expr, `\W`) || strings.Contains(expr, `\S`) || strings.Contains(expr, `\D`) {
		if back, err := regexp2.Compile(expr, regexp2.None); err == nil {
			return func(v []byte) bool { ok, err := back.MatchString(string(v)); return ok && err == nil }
		}
	} else if re, err := regexp.Compile(widened(expr)); err == nil {
		return re.Match
	}
	return otherwise
}

// widened turns the classes of ASCII into those of Unicode.
func widened(expr string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		switch {
		case c == '[' && !class:
			class = true
		case c == ']' && class:
			class = false
		case c == '\\' && i+1 < len(expr):
			i++
			to := map[byte]string{'d': `\p{Nd}`, 'w': `\p{L}\p{N}_`, 's': `\s\p{Z}`}[expr[i]]
			switch {
			case to == "":
				b.WriteString(expr[i-1 : i+1])
			case class:
				b.WriteString(to)
			default:
				b.WriteString("[" + to + "]")
			}
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// like compiles a LIKE pattern of SQL. Case counts, unless folded; [a-z] sets of SQL
// Server are literal, as in the standard.
func like(pattern string, fold bool) (matcher, error) {
	var b strings.Builder
	b.WriteString(`(?s`)
	if fold {
		b.WriteByte('i')
	}
	b.WriteString(`)^`)
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '%':
			b.WriteString(".*")
		case '_':
			b.WriteByte('.')
		case '\\':
			if i+1 < len(pattern) {
				i++
				b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
			}
		default:
			if c < 0x80 {
				b.WriteString(regexp.QuoteMeta(string(c)))
			} else {
				b.WriteByte(c)
			}
		}
	}
	b.WriteByte('$')
	return quality.Matcher(b.String())
}
