package quality

import (
	"math"
	"math/bits"
)

// micro is a number in [0,1], or a sum of such, in millionths. A score is worked out in
// them and each step is rounded as it is shown: whoever adds up the numbers on the page
// reaches the total to the last digit, on any machine.
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

// times is w·x.
func times(w, x micro) micro { return (w*x + one/2) / one }

// over is sum/weight.
func over(sum, weight micro) micro { return (sum*one + weight/2) / weight }
