package check

import "math/bits"

// Bits holds one bit per row.
type Bits []uint64

// NewBits has room for n rows, none of them set.
func NewBits(n int) Bits { return make(Bits, (n+63)/64) }

// Set sets row i.
func (b Bits) Set(i int) { b[i>>6] |= 1 << (i & 63) }

// Clear clears row i.
func (b Bits) Clear(i int) { b[i>>6] &^= 1 << (i & 63) }

// Has says whether row i is set.
func (b Bits) Has(i int) bool { return b[i>>6]>>(i&63)&1 == 1 }

// Count is how many rows are set.
func (b Bits) Count() (n int64) {
	for _, w := range b {
		n += int64(bits.OnesCount64(w))
	}
	return n
}

// Each calls f for every set row, in order.
func (b Bits) Each(f func(i int)) {
	for w, word := range b {
		for ; word != 0; word &= word - 1 {
			f(w<<6 + bits.TrailingZeros64(word))
		}
	}
}

// fill sets the first n rows and no other.
func (b Bits) fill(n int) {
	for i := range b {
		b[i] = ^uint64(0)
	}
	if n&63 != 0 && len(b) > 0 {
		b[len(b)-1] = 1<<(n&63) - 1
	}
}

// and keeps the rows that are set in both.
func (b Bits) and(c Bits) {
	for i := range b {
		b[i] &= c[i]
	}
}

// or adds the rows of c.
func (b Bits) or(c Bits) {
	for i := range b {
		b[i] |= c[i]
	}
}

// invert turns every one of n rows round.
func (b Bits) invert(n int) {
	for i := range b {
		b[i] = ^b[i]
	}
	if n&63 != 0 && len(b) > 0 {
		b[len(b)-1] &= 1<<(n&63) - 1
	}
}
