package quality

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
)

// truth is where a condition is true and where it is false; where it is neither, it is
// unknown (Kleene). No bit beyond the last row is ever set.
type truth struct{ yes, no bitmap }

// condition is a compiled boolean expression: it fills a truth for a batch.
type condition func(b *batch) truth

func newTruth(n int) truth {
	words := (n + 63) / 64
	both := make(bitmap, 2*words)
	return truth{both[:words:words], both[words:]}
}

func (t truth) not() truth { return truth{t.no, t.yes} }

// and makes t the conjunction of both, in place.
func (t truth) and(o truth) {
	for w := range t.yes {
		t.yes[w] &= o.yes[w]
		t.no[w] |= o.no[w]
	}
}

// or makes t the disjunction of both, in place.
func (t truth) or(o truth) {
	for w := range t.yes {
		t.yes[w] |= o.yes[w]
		t.no[w] &= o.no[w]
	}
}

// full has the bits of n rows.
func full(n int) bitmap {
	m := make(bitmap, (n+63)/64)
	for w := range m {
		m[w] = ^uint64(0)
	}
	if n&63 != 0 {
		m[len(m)-1] = 1<<(n&63) - 1
	}
	return m
}

// present has the rows of a column that are not null.
func present(a arrow.Array) bitmap {
	m := full(a.Len())
	if a.NullN() == 0 {
		return m
	}
	bits, from := a.NullBitmapBytes(), a.Data().Offset()
	if from&7 != 0 { // a slice that begins inside a byte
		for i := range a.Len() {
			if a.IsNull(i) {
				m[i>>6] &^= 1 << (i & 63)
			}
		}
		return m
	}
	for w, rest := 0, bits[from>>3:]; w < len(m); w, rest = w+1, rest[min(8, len(rest)):] {
		var eight [8]byte
		copy(eight[:], rest)
		m[w] &= binary.LittleEndian.Uint64(eight[:])
	}
	return m
}

// decide judges the rows of known by ok: what is not known stays unknown.
func decide(known bitmap, n int, ok func(i int) bool) truth {
	t := newTruth(n)
	known.each(func(i int) {
		if ok(i) {
			t.yes.set(i)
		} else {
			t.no.set(i)
		}
	})
	return t
}

// ask judges every row by a value that may be unknown.
func ask(n int, f func(i int) (yes, known bool)) truth {
	t := newTruth(n)
	for i := range n {
		if yes, known := f(i); known && yes {
			t.yes.set(i)
		} else if known {
			t.no.set(i)
		}
	}
	return t
}
