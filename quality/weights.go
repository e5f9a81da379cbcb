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
	Title      string
	From       string             // YYYY-MM-DD, first day in force
	Basis      string             // where the numbers come from
	Dimensions map[string]float64 // by six-digit code
	Indicators map[string]float64 // siblings not named share alike
	declare.Scheme
}

// DefaultWeights is the scheme used until one is declared.
func DefaultWeights() Weights {
	return Weights{
		Version: "default-1", Title: "默认权重方案", Basis: "DB31/T 1523-2024 公式；权重数值为默认方案",
		Dimensions: map[string]float64{
			"010000": 0.20, "020000": 0.20, "030000": 0.25, "040000": 0.15, "050000": 0.15, "060000": 0.05,
		},
		Scheme: declare.DefaultScheme(),
	}
}

// FromDeclared takes a declared scheme. One that was applied before schemes said more
// than weights keeps the defaults for the rest.
func FromDeclared(d *declare.Weights) (Weights, error) {
	w := DefaultWeights()
	w.Version, w.Title, w.From, w.Basis, w.Dimensions, w.Indicators = d.Version, d.Title, d.From, d.Basis, d.Dimensions, d.Indicators
	if d.Grades != (declare.Grades{}) {
		w.Scheme = d.Scheme
	}
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

// all is every node's weight among its siblings, as it is shown: to six digits.
func (w Weights) all() map[string]micro {
	out := map[string]micro{}
	for _, d := range dimensions {
		out[d.code] = microOf(w.Dimensions[d.code])
	}
	for _, siblings := range children() {
		for _, s := range siblings {
			out[s.code] = microOf(w.of(s.code, siblings))
		}
	}
	return out
}

// Of is a node's weight among its siblings, to six digits; 0 for a code there is not.
func (w Weights) Of(code string) float64 { return w.all()[code].float() }

// Floors are the lowest totals of the grades, best first.
func (w Weights) Floors() []mulu.GradeFloor {
	g := w.Grades
	return []mulu.GradeFloor{{Grade: "优", From: g.Best}, {Grade: "良", From: g.Good}, {Grade: "中", From: g.Middle}, {Grade: "及格", From: g.Pass}}
}

// Grade names the grade of a total, without caps.
func (w Weights) Grade(total float64) string { return gradeOf(w.Floors(), total) }

func gradeOf(floors []mulu.GradeFloor, total float64) string {
	for _, f := range floors {
		if total >= f.From {
			return f.Grade
		}
	}
	return worstGrade
}

// worstGrade is below every floor.
const worstGrade = "差"

// grades from best to worst.
var grades = []string{"优", "良", "中", "及格", worstGrade}

// children are the indicators below each node, dimensions' parents left out.
func children() map[string][]indicator {
	m := map[string][]indicator{}
	for _, i := range indicators {
		m[i.parent] = append(m[i.parent], i)
	}
	return m
}
