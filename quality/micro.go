package quality

import (
	"math"
	"math/bits"
)

// micro is a number in [0,1], or a sum of such, in millionths. A score is worked out in
// them and each step is rounded as it is shown: whoever adds up the numbers on the page
// reaches the total to the last digit, on any machine. Products and their sums have nine
// digits, everything else six.
type micro int64

const one micro = 1_000_000

// microOf rounds to six digits after the point.
func microOf(x float64) micro { return micro(math.Round(x * float64(one))) }

func (m micro) float() float64 { return float64(m) / float64(one) }

// ratio is a/b, half a millionth rounded up; b must be above 0 and a not above it.
func ratio(a, b int64) micro {
	hi, lo := bits.Mul64(uint64(a), uint64(one))
	lo, carry := bits.Add64(lo, uint64(b)/2, 0)
	q, _ := bits.Div64(hi+carry, lo, uint64(b))
	return micro(q)
}

// nano is a weighted number, or a sum of such, in thousand-millionths: rounding it to
// millionths would show in the sixth digit of a mean of many.
type nano int64

func (n nano) float() float64 { return float64(n) / 1e9 }

// times is w·x.
func times(w, x micro) nano { return (nano(w)*nano(x) + 500) / 1000 }

// over is sum/weight.
func over(sum nano, weight micro) micro {
	return (micro(sum)*1000 + weight/2) / weight
}

// share is part/whole.
func share(part, whole micro) micro { return (part*one + whole/2) / whole }

// of is m of x: a share of a share.
func (m micro) of(x micro) micro { return (m*x + one/2) / one }
