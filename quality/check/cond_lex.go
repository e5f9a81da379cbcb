package check

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

type token struct {
	kind byte // w word, s text in single quotes, d text in double quotes, b in backticks, n number, o operator
	text string
}

var twoChar = []string{"==", "!=", "<>", "<=", ">=", "&&", "||", "//", "::", "!~"}

func (p *parser) lex(s string) error {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case unicode.IsSpace(r):
			i += size
		case r == '\'' || r == '"' || r == '`':
			text, n, err := quotedText(s[i:])
			if err != nil {
				return err
			}
			p.toks = append(p.toks, token{map[rune]byte{'\'': 's', '"': 'd', '`': 'b'}[r], text})
			i += n
		case r >= '0' && r <= '9' || r == '.' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			n := i
			for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '.' || s[n] == 'e' || s[n] == 'E' || (s[n] == '-' || s[n] == '+') && (s[n-1] == 'e' || s[n-1] == 'E')) {
				n++
			}
			p.toks = append(p.toks, token{'n', s[i:n]})
			i = n
		case r == '_' || unicode.IsLetter(r):
			n := i
			for n < len(s) {
				c, w := utf8.DecodeRuneInString(s[n:])
				if c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
					break
				}
				n += w
			}
			p.toks = append(p.toks, token{'w', s[i:n]})
			i = n
		default:
			op := s[i : i+size]
			if i+2 <= len(s) && slices.Contains(twoChar, s[i:i+2]) {
				op = s[i : i+2]
			}
			p.toks = append(p.toks, token{'o', op})
			i += len(op)
		}
	}
	return nil
}

// quotedText reads a quoted text; a doubled quote or a backslash escapes.
func quotedText(s string) (text string, n int, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == s[0] || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case s[i] == s[0] && i+1 < len(s) && s[i+1] == s[0]:
			i++
			b.WriteByte(s[i])
		case s[i] == s[0]:
			return b.String(), i + 1, nil
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0, fmt.Errorf("引号没有结束")
}

func isWord(s string) bool { return s[0] >= 'a' && s[0] <= 'z' }
