package quality

import (
	"errors"
	"fmt"
	"math"

	"mulu"
	"mulu/internal/declare"
)

// Weights is a weight scheme. DB31/T 1523-2024 gives the formulas (P = Σ R·X) and
// leaves the numbers to the evaluator; siblings' weights sum to 1.
type Weights struct {
	Version    string
	Dimensions map[string]float64 // by six-digit code
	Indicators map[string]float64 // siblings not named share alike
	Grades     Grades
}

// Grades are the lowest totals of the grades, and what caps a grade at 中. None of
// these numbers is in the standard: they are a default for the evaluator to change.
type Grades struct {
	Best, Good, Middle, Pass float64 // 优 良 中 及格; below Pass is 差
	// MaxBlocked is the share of records that broke blocking rules above which the
	// grade is at most 中 (一票否决).
	MaxBlocked float64
	// MaxOverdue is how many cycles without an update do the same.
	MaxOverdue int64
}

// DefaultWeights is the scheme used until one is declared.
func DefaultWeights() Weights {
	return Weights{
		Version: "default-1",
		Dimensions: map[string]float64{
			"010000": 0.20, "020000": 0.20, "030000": 0.25, "040000": 0.15, "050000": 0.15, "060000": 0.05,
		},
		Grades: Grades{Best: 0.95, Good: 0.85, Middle: 0.75, Pass: 0.60, MaxBlocked: 0.05, MaxOverdue: 2},
	}
}

// FromDeclared takes a declared scheme; grades keep their defaults.
func FromDeclared(d *declare.Weights) (Weights, error) {
	w := DefaultWeights()
	w.Version, w.Dimensions, w.Indicators = d.Version, d.Dimensions, d.Indicators
	return w, w.Validate()
}

// Validate reports every fault: unknown codes, weights outside [0,1], dimensions
// that do not sum to 1, siblings that are all named and do not, or exceed it.
func (w Weights) Validate() error {
	var faults []error
	bad := func(format string, a ...any) {
		faults = append(faults, fmt.Errorf("weights %s: "+format+": %w", append(append([]any{w.Version}, a...), mulu.ErrInvalid)...))
	}
	sum := 0.0
	for _, d := range dimensions {
		sum += w.Dimensions[d.code]
	}
	if math.Abs(sum-1) > 1e-9 {
		bad("六个维度的权重之和为 %.4f，应为 1", sum)
	}
	for _, m := range []map[string]float64{w.Dimensions, w.Indicators} {
		for code, v := range m {
			if IndicatorTitle(code) == "" {
				bad("没有指标 %q", code)
			}
			if v < 0 || v > 1 {
				bad("指标 %s 的权重 %v 不在 0 到 1 之间", code, v)
			}
		}
	}
	for parent, siblings := range children() {
		named, total := 0, 0.0
		for _, c := range siblings {
			if v, ok := w.Indicators[c.code]; ok {
				named++
				total += v
			}
		}
		if total > 1+1e-9 || (named == len(siblings) && math.Abs(total-1) > 1e-9) {
			bad("%s 的下级指标权重之和为 %.4f，应为 1", parent, total)
		}
	}
	return errors.Join(faults...)
}

// of is the declared weight of one indicator among its siblings.
func (w Weights) of(code string, siblings []indicator) float64 {
	if v, ok := w.Indicators[code]; ok {
		return v
	}
	rest, unnamed := 1.0, 0
	for _, s := range siblings {
		if v, ok := w.Indicators[s.code]; ok {
			rest -= v
		} else {
			unnamed++
		}
	}
	return rest / float64(unnamed)
}

func children() map[string][]indicator {
	m := map[string][]indicator{}
	for _, i := range indicators {
		m[i.parent] = append(m[i.parent], i)
	}
	return m
}
