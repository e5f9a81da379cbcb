package check

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"gonum.org/v1/gonum/mathext"
)

// partition is an expected distribution: of values, or of numbers by bins.
type partition struct {
	values  []Value
	bins    []float64
	weights []float64
	tails   []float64
}

// numbersOf reads a list of numbers; "Infinity" as texts are allowed at the ends.
func numbersOf(v any) ([]float64, bool) {
	list, ok := v.([]any)
	out := make([]float64, len(list))
	for i, x := range list {
		f, isNumber := floatOf(x)
		if s, isText := x.(string); isText {
			switch strings.ToLower(s) {
			case "inf", "infinity", "+inf":
				f, isNumber = math.Inf(1), true
			case "-inf", "-infinity":
				f, isNumber = math.Inf(-1), true
			}
		}
		if x == nil && (i == 0 || i == len(list)-1) {
			f, isNumber = math.Inf(2*i-1), true
		}
		if !isNumber {
			return nil, false
		}
		out[i] = f
	}
	return out, ok
}

// partitionOf reads a partition object; nil means that none was given.
func partitionOf(v any) (*partition, error) {
	m, ok := v.(map[string]any)
	if !ok {
		if v == nil {
			return nil, nil //nolint:nilnil // both are said
		}
		return nil, errArgument("partition_object 不对 / Invalid partition object")
	}
	p := &partition{}
	var okW, okB, okT = false, true, true
	p.weights, okW = numbersOf(m["weights"])
	if list, isList := m["values"].([]any); isList {
		for _, x := range list {
			p.values = append(p.values, valueOf(x))
		}
	} else {
		p.bins, okB = numbersOf(m["bins"])
	}
	sum := 0.0
	for _, w := range p.weights {
		sum += w
	}
	if t, given := m["tail_weights"]; given {
		p.tails, okT = numbersOf(t)
		for _, w := range p.tails {
			sum += w
		}
	}
	switch {
	case !okW || !okB || !okT || math.Abs(sum-1) > 1e-5, p.tails != nil && len(p.tails) != 2,
		p.values != nil && len(p.values) != len(p.weights),
		p.values == nil && len(p.bins) != len(p.weights)+1,
		!sort.Float64sAreSorted(p.bins):
		return nil, errArgument("partition_object 不对：权重之和应为 1，区间应递增且比权重多一个 / Invalid partition object")
	}
	for i := 1; i < len(p.bins); i++ {
		if p.bins[i] <= p.bins[i-1] {
			return nil, errArgument("partition_object 的区间应递增 / bins must increase")
		}
	}
	return p, nil
}

// entropy is the Kullback-Leibler divergence of two lists of weights, each scaled to 1.
func entropy(p, q []float64) float64 {
	sp, sq := 0.0, 0.0
	for i := range p {
		sp, sq = sp+p[i], sq+q[i]
	}
	d := 0.0
	for i := range p {
		x, y := p[i]/sp, q[i]/sq
		switch {
		case x > 0 && y > 0:
			d += x * math.Log(x/y)
		case x > 0:
			return math.Inf(1)
		}
	}
	return d
}

func (e *expectation) holdout(name string) (float64, error) {
	v := e.get(name)
	if v == nil {
		return 0, nil
	}
	f, ok := floatOf(v)
	if !ok || f < 0 || f > 1 {
		return 0, errArgument(name + " 应在 0 到 1 之间 / must be between zero and one")
	}
	return f, nil
}

// gxDivergence holds a column's distribution against an expected one.
func gxDivergence(e *expectation, column string) (Rule, error) {
	p, err := partitionOf(e.get("partition_object"))
	if err != nil {
		return Rule{}, err
	}
	if p == nil {
		return Rule{}, fmt.Errorf("缺少 partition_object：没有期望分布就无从比较 / no partition_object")
	}
	limit, limited := floatOf(e.get("threshold"))
	tail, err := e.holdout("tail_weight_holdout")
	if err != nil {
		return Rule{}, err
	}
	internal, err := e.holdout("internal_weight_holdout")
	if err != nil {
		return Rule{}, err
	}
	switch {
	case e.kwargs["threshold"] != nil && (!limited || limit < 0):
		return Rule{}, errArgument("threshold 应为不小于 0 的数 / Threshold must be specified, greater than or equal to zero")
	case tail != 0 && p.tails != nil:
		return Rule{}, errArgument("有 tail_weights 时 tail_weight_holdout 应为 0 / tail_weight_holdout must be 0 when using tail_weights")
	case internal > 0 && p.values != nil:
		return Rule{}, errArgument("离散数据不能用 internal_weight_holdout / Internal weight holdout cannot be used for discrete data")
	case e.get("bucketize_data") == false && p.values == nil:
		return Rule{}, errArgument("连续分布需要 bucketize_data / needs bucketize_data")
	}
	conclude := func(kl float64, o *Outcome) error {
		if math.IsNaN(kl) {
			kl = math.Inf(1)
		}
		o.Observed = finite(kl)
		o.hold(!limited || kl <= limit)
		return nil
	}
	if p.values != nil {
		return overValues("divergence", column, func(c counted, o *Outcome) error { return conclude(categorical(p, c, tail), o) }), nil
	}
	if err := checkEnds(p, tail); err != nil {
		return Rule{}, err
	}
	return overNumbers("divergence", column, func(x []float64, o *Outcome) error { return conclude(binned(p, x, tail, internal), o) }), nil
}

func categorical(p *partition, c counted, tail float64) float64 {
	want := map[key]float64{}
	for i, v := range p.values {
		want[keyOf(v)] = p.weights[i]
	}
	var pk, qk []float64
	extra := 0
	for _, v := range c.values {
		if _, ok := want[keyOf(v)]; !ok {
			extra++
		}
	}
	scale := 1.0
	if extra > 0 {
		scale = 1 - tail
	}
	for i, v := range c.values {
		pk = append(pk, float64(c.counts[i])/float64(c.total))
		if w, ok := want[keyOf(v)]; ok {
			qk = append(qk, w*scale)
			delete(want, keyOf(v))
		} else {
			qk = append(qk, tail/float64(extra))
		}
	}
	for _, w := range want {
		pk, qk = append(pk, 0), append(qk, w*scale)
	}
	return entropy(pk, qk)
}

// checkEnds refuses weights of tails that lie beyond infinity.
func checkEnds(p *partition, tail float64) error {
	lower, upper := math.IsInf(p.bins[0], -1), math.IsInf(p.bins[len(p.bins)-1], 1)
	if (lower || upper) && p.tails != nil {
		return errArgument("区间伸到无穷时不能有 tail_weights / There can be no tail weights for partitions with one or both endpoints at infinity")
	}
	if lower && upper && tail > 0 {
		return errArgument("区间两端都是无穷时不能用 tail_weight_holdout / tail_weight_holdout cannot be used for partitions with infinite endpoints")
	}
	return nil
}

func binned(p *partition, x []float64, tail, internal float64) float64 {
	hist, below, above := histogram(x, p.bins)
	n := float64(len(x))
	want := make([]float64, len(p.weights))
	zeros := 0
	for i, w := range p.weights {
		want[i] = w * (1 - tail - internal)
		if want[i] == 0 {
			zeros++
		}
	}
	if internal > 0 && zeros > 0 {
		for i := range want {
			if want[i] == 0 {
				want[i] = internal / float64(zeros)
			}
		}
	}
	have := make([]float64, len(hist))
	for i := range hist {
		have[i] = hist[i] / n
	}
	lower, upper := math.IsInf(p.bins[0], -1), math.IsInf(p.bins[len(p.bins)-1], 1)
	left, right := tail/2, tail/2
	switch {
	case lower && upper:
		return entropy(have, want)
	case lower:
		return entropy(append(have, above/n), append(want, tail))
	case upper:
		return entropy(append([]float64{below / n}, have...), append([]float64{tail}, want...))
	case p.tails != nil:
		left, right = p.tails[0], p.tails[1]
	}
	return entropy(append(append([]float64{below / n}, have...), above/n), append(append([]float64{left}, want...), right))
}

// histogram counts by numpy's rule: every bin has its left end, the last both.
func histogram(x, bins []float64) (counts []float64, below, above float64) {
	counts = make([]float64, len(bins)-1)
	last := bins[len(bins)-1]
	for _, v := range x {
		switch {
		case v < bins[0]:
			below++
		case v > last:
			above++
		case v == last:
			counts[len(counts)-1]++
		default:
			counts[sort.Search(len(bins), func(i int) bool { return bins[i] > v })-1]++
		}
	}
	return counts, below, above
}

// gxChiSquare tests a column's values against expected weights.
func gxChiSquare(e *expectation, column string) (Rule, error) {
	p, err := partitionOf(e.get("partition_object"))
	if err != nil {
		return Rule{}, err
	}
	if p == nil || p.values == nil {
		return Rule{}, errArgument("partition_object 应是离散分布 / must be a categorical partition")
	}
	least, err := e.number("p")
	if err != nil {
		return Rule{}, err
	}
	tail, err := e.holdout("tail_weight_holdout")
	return overValues("chi_square", column, func(c counted, o *Outcome) error {
		want := map[key]float64{}
		for i, v := range p.values {
			want[keyOf(v)] = p.weights[i]
		}
		extra := 0.0
		for _, v := range c.values {
			if _, ok := want[keyOf(v)]; !ok {
				extra++
			}
		}
		scale := float64(c.total)
		if extra > 0 {
			scale *= 1 - tail
		}
		sum, cells := 0.0, 0
		cell := func(seen, expected float64) { sum += (seen - expected) * (seen - expected) / expected; cells++ }
		for i, v := range c.values {
			if w, ok := want[keyOf(v)]; ok {
				cell(float64(c.counts[i]), w*scale)
				delete(want, keyOf(v))
			} else {
				cell(float64(c.counts[i]), float64(c.total)*tail/extra)
			}
		}
		for _, w := range want {
			cell(0, w*scale)
		}
		value := 0.0
		if !math.IsInf(sum, 0) && !math.IsNaN(sum) {
			value = chiSquareTail(sum, float64(cells-1))
		}
		o.Observed = value
		o.hold(value > least)
		return nil
	}), err
}

// chiSquareTail is the probability of a greater value.
func chiSquareTail(x, degrees float64) float64 {
	if degrees <= 0 {
		return 1
	}
	return mathext.GammaIncRegComp(degrees/2, x/2)
}

// gxCramer wants two columns to be independent enough, by Cramér's phi.
func gxCramer(e *expectation, a, b string, n Nulls) (Rule, error) {
	limit, limited := floatOf(e.get("threshold"))
	if !limited {
		limit = 0.1
	}
	return Rule{Kind: "independence", Columns: []string{a, b}, Nulls: SkipAny, hide: true, set: &set{
		part: func(r *Rows) (any, error) {
			m := map[[2]key]float64{}
			for i := range r.N {
				if r.judged(i) {
					m[[2]key{keyOf(r.Cols[0].At(i)), keyOf(r.Cols[1].At(i))}]++
				}
			}
			return m, nil
		},
		done: func(s *Set, o *Outcome) error {
			cells, rows, cols, total := map[[2]key]float64{}, map[key]float64{}, map[key]float64{}, 0.0
			for _, p := range s.Parts {
				for k, n := range p.(map[[2]key]float64) {
					cells[k] += n
					rows[k[0]] += n
					cols[k[1]] += n
					total += n
				}
			}
			sum, small := 0.0, len(rows) == 2 && len(cols) == 2
			for r, rn := range rows {
				for c, cn := range cols {
					want := rn * cn / total
					d := math.Abs(cells[[2]key{r, c}] - want)
					if small { // Yates
						d -= math.Min(0.5, d)
					}
					sum += d * d / want
				}
			}
			phi := 0.0
			if k := min(len(rows), len(cols)) - 1; k > 0 && total > 0 {
				phi = math.Min(1, math.Sqrt(sum/total/float64(k)))
			}
			o.Observed = phi
			o.hold(phi <= limit)
			return nil
		},
	}}, nil
}

// gxKolmogorov tests a column's numbers against a named distribution.
func gxKolmogorov(e *expectation, column string) (Rule, error) {
	name, err := e.text("distribution")
	if err != nil {
		return Rule{}, err
	}
	least := 0.05
	if p, ok := floatOf(e.get("p_value")); ok {
		least = p
	}
	cdf, err := distribution(name, e.get("params"))
	if err != nil {
		return Rule{}, err
	}
	return overNumbers("distribution", column, func(x []float64, o *Outcome) error {
		sorted(x)
		n, d := float64(len(x)), 0.0
		for i, v := range x {
			f := cdf(v)
			d = math.Max(d, math.Max(float64(i+1)/n-f, f-float64(i)/n))
		}
		p := kolmogorovTail((math.Sqrt(n) + 0.12 + 0.11/math.Sqrt(n)) * d)
		o.Observed = p
		o.hold(p >= least)
		return nil
	}), nil
}

func kolmogorovTail(t float64) float64 {
	if t < 0.2 {
		return 1
	}
	sum := 0.0
	for k := 1.0; k <= 100; k++ {
		term := math.Exp(-2 * k * k * t * t)
		if int(k)%2 == 0 {
			term = -term
		}
		sum += term
	}
	return math.Max(0, math.Min(1, 2*sum))
}

// shape are a distribution's parameters as scipy names them.
type shape map[string]float64

func (s shape) or(name string, otherwise float64) float64 {
	if v, ok := s[name]; ok {
		return v
	}
	return otherwise
}

// distribution is the cumulative function of a named distribution.
func distribution(name string, params any) (func(float64) float64, error) {
	order := map[string][]string{"norm": {"mean", "std_dev"}, "uniform": {"min", "max"}, "expon": {"loc", "scale"}, "beta": {"alpha", "beta", "loc", "scale"}, "gamma": {"alpha", "loc", "scale"}, "chi2": {"df", "loc", "scale"}}[name]
	if order == nil {
		return nil, errArgument(fmt.Sprintf("分布 %q 不认识 / unknown distribution", name))
	}
	s := shape{}
	switch p := params.(type) {
	case map[string]any:
		for k, v := range p {
			if f, ok := floatOf(v); ok {
				s[k] = f
			}
		}
	case []any:
		for i, v := range p {
			if f, ok := floatOf(v); ok && i < len(order) {
				s[order[i]] = f
			}
		}
	}
	loc, scale := s.or("loc", 0), s.or("scale", 1)
	standard := func(v float64) float64 { return (v - loc) / scale }
	switch name {
	case "norm":
		mean, sd := s.or("mean", loc), s.or("std_dev", scale)
		return func(v float64) float64 { return 0.5 * math.Erfc(-(v-mean)/sd/math.Sqrt2) }, nil
	case "uniform":
		// GX hands "max" to scipy as the width, in a list and by name.
		lo := s.or("min", loc)
		hi := lo + s.or("max", scale)
		return func(v float64) float64 { return math.Max(0, math.Min(1, (v-lo)/(hi-lo))) }, nil
	case "expon":
		return func(v float64) float64 { return -math.Expm1(-math.Max(0, standard(v))) }, nil
	case "beta":
		a, b := s.or("alpha", 1), s.or("beta", 1)
		return func(v float64) float64 { return mathext.RegIncBeta(a, b, math.Max(0, math.Min(1, standard(v)))) }, nil
	case "gamma":
		a := s.or("alpha", 1)
		return func(v float64) float64 { return mathext.GammaIncReg(a, math.Max(0, standard(v))) }, nil
	default:
		df := s.or("df", 1)
		return func(v float64) float64 { return mathext.GammaIncReg(df/2, math.Max(0, standard(v))/2) }, nil
	}
}

// constantColumn is a column of one row.
func constantColumn(v Value) *Column {
	switch v.Kind {
	case Int:
		return ofOne(arrow.PrimitiveTypes.Int64, func(b array.Builder) { b.(*array.Int64Builder).Append(v.I) })
	case Float:
		return ofOne(arrow.PrimitiveTypes.Float64, func(b array.Builder) { b.(*array.Float64Builder).Append(v.F) })
	}
	return ofOne(arrow.BinaryTypes.String, func(b array.Builder) { b.(*array.StringBuilder).Append(v.text()) })
}

func ofOne(t arrow.DataType, put func(array.Builder)) *Column {
	b := array.NewBuilder(memory.DefaultAllocator, t)
	defer b.Release()
	put(b)
	return NewColumn(b.NewArray())
}
