package quality

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

func total(counts []float64) (sum float64) {
	for _, c := range counts {
		sum += c
	}
	return sum
}

// leastShare stands for a group that nobody is in: its logarithm has no end.
const leastShare = 0.0001

// stabilityIndex is PSI: the sum of (a-e)·ln(a/e) over the groups' shares.
func stabilityIndex(now, than []float64) (psi float64) {
	n, m := total(now), total(than)
	for i := range now {
		a, e := math.Max(now[i]/n, leastShare), math.Max(than[i]/m, leastShare)
		psi += (a - e) * math.Log(a/e)
	}
	return psi
}

// jensenShannon is the divergence in bits: 0 for equal shares, 1 for disjoint ones.
func jensenShannon(now, than []float64) (js float64) {
	n, m := total(now), total(than)
	half := func(p, mid float64) float64 {
		if p == 0 {
			return 0
		}
		return p * math.Log2(p/mid) / 2
	}
	for i := range now {
		p, q := now[i]/n, than[i]/m
		js += half(p, (p+q)/2) + half(q, (p+q)/2)
	}
	return js
}

// chiSquare holds counts against expected shares (goodness of fit) or against another
// sample (homogeneity). Groups that both leave empty do not count.
func chiSquare(now, than []float64, declared bool) (x2 float64, df int) {
	n, m := total(now), total(than)
	df = -1
	for i := range now {
		if now[i]+than[i] == 0 {
			continue
		}
		df++
		if declared {
			e := n * than[i] / m
			x2 += (now[i] - e) * (now[i] - e) / e // infinite for what should not be there
			continue
		}
		share := (now[i] + than[i]) / (n + m)
		x2 += (now[i]-n*share)*(now[i]-n*share)/(n*share) + (than[i]-m*share)*(than[i]-m*share)/(m*share)
	}
	return x2, df
}

// chiSquareTail is the chance of a statistic at least as great.
func chiSquareTail(x2 float64, df int) float64 {
	switch {
	case df < 1:
		return 1
	case math.IsInf(x2, 1):
		return 0
	}
	return mathext.GammaIncRegComp(float64(df)/2, x2/2)
}

// distance is Kolmogorov and Smirnov's statistic over the edges of groups.
func distance(now, than []float64) (d float64) {
	n, m, a, b := total(now), total(than), 0.0, 0.0
	for i := range now {
		a, b = a+now[i]/n, b+than[i]/m
		d = math.Max(d, math.Abs(a-b))
	}
	return d
}

// kolmogorovTail is the chance of a distance at least as great, for many values.
func kolmogorovTail(d, n float64) float64 {
	x := (math.Sqrt(n) + 0.12 + 0.11/math.Sqrt(n)) * d
	if x < 0.2 {
		return 1
	}
	sum, sign := 0.0, 1.0
	for k := 1.0; k <= 100; k++ {
		sum += sign * math.Exp(-2*k*k*x*x)
		sign = -sign
	}
	return math.Min(math.Max(2*sum, 0), 1)
}
