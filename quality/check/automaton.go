package check

import (
	"fmt"
	"regexp/syntax"
	"slices"
)

// automaton searches ASCII texts for a pattern with one table look-up a byte. It is the
// pattern's own program with all sets of places it can be in worked out beforehand.
type automaton struct {
	next []uint16 // by state and byte
	ends []bool   // by state: it is found if the text ends here
}

// state is one of them while it is worked out.
type state struct {
	next  [128]uint16
	found bool // the pattern has been found, whatever follows
	ends  bool
}

// beyond is the state that a byte beyond ASCII leads to, and nothing leads out of.
const beyond = 0

// mostStates bounds what a pattern may cost; one that needs more is run by regexp.
const mostStates = 150

// newAutomaton compiles a pattern, nil if it has what an automaton of bytes can not say.
func newAutomaton(expr string) *automaton {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil
	}
	for _, in := range prog.Inst {
		if in.Op == syntax.InstEmptyWidth && syntax.EmptyOp(in.Arg)&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0 {
			return nil
		}
	}
	b := &builder{prog: prog, known: map[string]uint16{}, states: make([]state, 1), sets: make([][]uint32, 1)} // beyond
	b.state(b.closure([]uint32{uint32(prog.Start)}, syntax.EmptyBeginText))                                    //nolint:gosec // small
	for i := start; i < len(b.sets); i++ {
		if len(b.sets) > mostStates {
			return nil
		}
		b.step(i)
	}
	a := &automaton{make([]uint16, 256*len(b.states)), make([]bool, len(b.states))}
	for i, s := range b.states {
		copy(a.next[256*i:], s.next[:]) // beyond ASCII it is 0
		a.ends[i] = s.found || s.ends
	}
	return a
}

// start is the state a text begins in.
const start = 1

type builder struct {
	prog   *syntax.Prog
	known  map[string]uint16
	sets   [][]uint32
	states []state
}

// state gives the number of a set of places.
func (b *builder) state(set []uint32) uint16 {
	slices.Sort(set)
	set = slices.Compact(set)
	name := fmt.Sprint(set)
	if n, ok := b.known[name]; ok {
		return n
	}
	n := uint16(len(b.sets)) //nolint:gosec // at most mostStates by far
	b.known[name] = n
	b.sets = append(b.sets, set)
	b.states = append(b.states, state{found: b.matches(set), ends: b.matches(b.closure(set, syntax.EmptyEndText)) || n == start && b.matches(b.closure(set, syntax.EmptyBeginText|syntax.EmptyEndText))})
	return n
}

func (b *builder) matches(set []uint32) bool {
	return slices.ContainsFunc(set, func(pc uint32) bool { return b.prog.Inst[pc].Op == syntax.InstMatch })
}

// closure follows what takes no byte. A condition that does not hold here stays: it may
// at the end of the text.
func (b *builder) closure(from []uint32, holds syntax.EmptyOp) []uint32 {
	var out []uint32
	seen := make([]bool, len(b.prog.Inst))
	var walk func(pc uint32)
	walk = func(pc uint32) {
		if seen[pc] {
			return
		}
		seen[pc] = true
		in := &b.prog.Inst[pc]
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			walk(in.Out)
			walk(in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			walk(in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^holds == 0 {
				walk(in.Out)
			} else if syntax.EmptyOp(in.Arg)&syntax.EmptyBeginText == 0 || holds&syntax.EmptyBeginText != 0 {
				out = append(out, pc)
			}
		case syntax.InstFail:
		default:
			out = append(out, pc)
		}
	}
	for _, pc := range from {
		walk(pc)
	}
	return out
}

// step works out where every byte leads from a state.
func (b *builder) step(i int) {
	if b.states[i].found {
		for c := range b.states[i].next {
			b.states[i].next[c] = uint16(i) //nolint:gosec // small
		}
		return
	}
	for c := range 128 {
		after := []uint32{uint32(b.prog.Start)} //nolint:gosec // a search may begin anywhere
		for _, pc := range b.sets[i] {
			in := &b.prog.Inst[pc]
			switch in.Op {
			case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
				if in.MatchRune(rune(c)) {
					after = append(after, in.Out)
				}
			}
		}
		n := b.state(b.closure(after, 0))
		b.states[i].next[c] = n
	}
}

// search looks for the pattern; ascii is false if the text has other characters, and the
// answer then none.
func (a *automaton) search(v []byte) (found, ascii bool) {
	s, next := uint(start), a.next
	for _, c := range v {
		s = uint(next[s<<8|uint(c)])
	}
	return a.ends[s], s != beyond
}

func isASCII(v []byte) bool {
	for _, c := range v {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
