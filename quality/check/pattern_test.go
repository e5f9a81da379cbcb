package check

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

// TestSearch: the automaton finds what regexp finds, in ASCII.
func TestSearch(t *testing.T) {
	patterns := []string{`^\d{17}[\dX]$`, `^(19|20)\d\d-\d\d-\d\d$`, `ab`, `a|b$`, `^$`, `^a*$`, `(a|b)*c`, `[^a]b`, `$`, `^`, ``, `a.b`, `(?i)aB`, `^(?:a|ab)(?:c|bcd)$`, `a{2,3}b?$`, `x|^y|z$`}
	for _, p := range patterns {
		a := newAutomaton(p)
		if a == nil {
			t.Errorf("%q has no automaton", p)
			continue
		}
		re := regexp.MustCompile(p)
		rapid.Check(t, func(t *rapid.T) {
			v := []byte(rapid.StringOfN(rapid.SampledFrom([]rune("abcdxyzXB0129-\n ")), 0, 24, -1).Draw(t, "v"))
			if got, known := a.search(v); !known || got != re.Match(v) {
				t.Fatalf("%q in %q: %v, regexp says %v", p, v, got, !got)
			}
		})
	}
	for _, v := range []string{"310107199001011234", "31010719900101123X", "1999-12-31", "2000-1-01", ""} {
		for _, p := range patterns[:2] {
			if got, _ := newAutomaton(p).search([]byte(v)); got != regexp.MustCompile(p).MatchString(v) {
				t.Errorf("%q in %q: %v", p, v, got)
			}
		}
	}
}

// TestSearchUnicode: \d, \w and \s mean what they mean in Python.
func TestSearchUnicode(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{`^\w+$`, "张三", true}, {`^\w+$`, "张 三", false}, {`^\d+$`, "１２３", true}, {`^\d+$`, "一二三", false}, {`\s`, "张\u3000三", true},
		{`^\S+$`, "张\u3000三", false}, {`\bb`, "张b", false}, {`(?=a)a`, "xa", true}, {`(a)\1`, "baa", true}, {`^.$`, "张", true}, {`^[\w]{2}$`, "张三", true},
	} {
		m, err := search(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		if m([]byte(c.text)) != c.want {
			t.Errorf("%q in %q is not %v", c.pattern, c.text, c.want)
		}
	}
}
