package quality

import (
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// compileMatcher turns a regular expression into a function on bytes. Anchored runs
// of ASCII classes with counted repeats, which is what identifiers are (^\d{9}$,
// ^[A-Z]{2}\d{3,5}$ with the open count last), become a loop over a table; anything
// else runs as the regular expression it is.
func compileMatcher(expr string) (func([]byte) bool, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, err
	}
	if runs := simple(expr); runs != nil {
		return func(v []byte) bool { return matchRuns(runs, v) }, nil
	}
	return re.Match, nil
}

// classRun is min to max bytes out of one class.
type classRun struct {
	in       [256]bool
	min, max int
}

func matchRuns(runs []classRun, v []byte) bool {
	for k := range runs {
		r, n := &runs[k], 0
		for n < len(v) && n < r.max && r.in[v[n]] {
			n++
		}
		if n < r.min {
			return false
		}
		v = v[n:]
	}
	return len(v) == 0
}

// simple takes an expression apart, or gives nil if it is not of the simple form.
func simple(expr string) []classRun {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	tree = tree.Simplify()
	if tree.Op != syntax.OpConcat || len(tree.Sub) < 3 {
		return nil
	}
	last := len(tree.Sub) - 1
	if tree.Sub[0].Op != syntax.OpBeginText || tree.Sub[last].Op != syntax.OpEndText {
		return nil
	}
	var runs []classRun
	for _, sub := range tree.Sub[1:last] {
		more, ok := flatten(sub)
		if !ok {
			return nil
		}
		runs = append(runs, more...)
	}
	// A run of open length anywhere but at the end would need backtracking.
	runs = merge(runs)
	for i := range len(runs) - 1 {
		if runs[i].min != runs[i].max {
			return nil
		}
	}
	return runs
}

// flatten gives the byte runs of one part of the expression.
func flatten(n *syntax.Regexp) ([]classRun, bool) {
	switch n.Op {
	case syntax.OpLiteral:
		if n.Flags&syntax.FoldCase != 0 {
			return nil, false
		}
		var runs []classRun
		for _, c := range n.Rune {
			if c >= utf8.RuneSelf {
				return nil, false
			}
			r := classRun{min: 1, max: 1}
			r.in[c] = true
			runs = append(runs, r)
		}
		return runs, true
	case syntax.OpCharClass:
		r := classRun{min: 1, max: 1}
		for i := 0; i < len(n.Rune); i += 2 {
			if n.Rune[i+1] >= utf8.RuneSelf {
				return nil, false
			}
			for c := n.Rune[i]; c <= n.Rune[i+1]; c++ {
				r.in[c] = true
			}
		}
		return []classRun{r}, true
	case syntax.OpConcat:
		var runs []classRun
		for _, sub := range n.Sub {
			more, ok := flatten(sub)
			if !ok {
				return nil, false
			}
			runs = append(runs, more...)
		}
		return runs, true
	case syntax.OpQuest:
		return flattenOptional(n.Sub[0])
	}
	return nil, false
}

// flattenOptional takes the form that a counted repeat simplifies to: a{2,4} is
// aa(?:aa?)?, one more byte at a time. (aa)?, two or none, is not of it.
func flattenOptional(n *syntax.Regexp) ([]classRun, bool) {
	var rest *syntax.Regexp
	if n.Op == syntax.OpConcat && len(n.Sub) == 2 && n.Sub[1].Op == syntax.OpQuest {
		n, rest = n.Sub[0], n.Sub[1].Sub[0]
	}
	runs, ok := flatten(n)
	if !ok || len(runs) != 1 || runs[0].min != 1 {
		return nil, false
	}
	runs[0].min = 0
	if rest != nil {
		more, ok := flattenOptional(rest)
		return append(runs, more...), ok
	}
	return runs, true
}

// merge joins neighbours of the same class into one counted run.
func merge(runs []classRun) []classRun {
	var out []classRun
	for _, r := range runs {
		if n := len(out); n > 0 && out[n-1].in == r.in {
			out[n-1].min += r.min
			out[n-1].max += r.max
			continue
		}
		out = append(out, r)
	}
	return out
}

// Matcher is compileMatcher for who judges values outside a rule set: it says whether
// an expression is found in a value.
func Matcher(expr string) (func([]byte) bool, error) { return compileMatcher(expr) }
