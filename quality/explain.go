package quality

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"mulu"
)

// Explanation is a score laid out so that a person with a calculator reaches its total:
// products and sums are to nine digits, all else to six, and each step is rounded as shown.
type Explanation struct {
	Part    string // which elements, see Parts
	Rows    int64
	Formula string // of the total, with its numbers
	Sum, Of float64
	Total   float64
	Grade   string
	Nodes   []Node // the six dimensions
	Gains   []Gain // of the whole alone
}

// Node is one dimension or indicator with all that its X follows from.
type Node struct {
	Indicator
	Weight     float64 // among its siblings, as declared
	Effective  float64 // among those that apply
	Share      float64 // of the whole total that hangs on it
	Product    float64 // Weight × X, what it adds to the sum above
	A, B       int64   // of a node without others below
	Sum, Of    float64 // of one with others below: Σ Weight × X and Σ Weight of what applies
	X, Raw     float64
	Applicable bool
	Note       string
	Formula    string
	Below      []Node
}

// Parts are the elements that a score is told of, with their Chinese names.
var Parts = []struct{ Name, Title string }{
	{"total", "全部"}, {"increment", "增量"}, {"stock", "存量"}, {"district", "区级"}, {"otherwise", "另一种计法"},
}

// Explain lays out a score, or one part of it ("" is the total). A part the score has not
// is mulu.ErrNotFound; a score kept before weights were kept with it is mulu.ErrConflict.
func Explain(s *mulu.Score, part string) (*Explanation, error) {
	weights, tallies, err := content(s)
	if err != nil {
		return nil, err
	}
	e := &Explanation{Part: cmp.Or(part, "total"), Rows: s.Rows, Grade: s.Grade}
	if e.Part != "total" {
		p, err := partOf(s, e.Part)
		if err != nil {
			return nil, err
		}
		if tallies = map[string]Tally{}; p != nil {
			for code, n := range p.Counts {
				tallies[code] = Tally{n[0], n[1]}
			}
			e.Rows, e.Grade = p.Rows, p.Grade
		}
	}
	root := grow(weights, tallies)
	notes := map[string]string{}
	if e.Part == "total" {
		for _, d := range s.Dimensions {
			for _, i := range d.Indicators {
				notes[i.Code] = i.Note
			}
		}
		e.Gains = gains(s, weights, tallies)
	}
	e.Sum, e.Of, e.Total = root.sum.float(), root.of.float(), root.x.float()
	e.Formula = "P = Σ(R×X) ÷ ΣR = " + sumDigits(root.sum) + " ÷ " + digits(root.of) + " = " + digits(root.x)
	for _, d := range root.below {
		e.Nodes = append(e.Nodes, explain(d, one, notes))
	}
	return e, nil
}

func partOf(s *mulu.Score, name string) (*mulu.Part, error) {
	p, ok := map[string]*mulu.Part{"increment": s.Increment, "stock": s.Stock, "district": s.District, "otherwise": s.Otherwise}[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("没有这一部分 %q；可用：total、increment、stock、district、otherwise: %w", name, mulu.ErrInvalid)
	case p == nil && name == "district":
		return nil, fmt.Errorf("数据集 %s 由市级负责，没有区级得分: %w", s.Dataset, mulu.ErrNotFound)
	case p == nil:
		return nil, fmt.Errorf("数据集 %s 的这次得分没有这一部分: %w", s.Dataset, mulu.ErrNotFound)
	}
	return p, nil
}

// content is what a kept score was worked out from.
func content(s *mulu.Score) (weights map[string]micro, tallies map[string]Tally, err error) {
	weights, tallies = map[string]micro{}, map[string]Tally{}
	for _, d := range s.Dimensions {
		weights[d.Code] = microOf(d.Weight)
		for _, g := range d.Groups {
			weights[g.Code] = microOf(g.Weight)
		}
		for _, i := range d.Indicators {
			if i.Parent == "" {
				return nil, nil, fmt.Errorf("数据集 %s 的这次得分没有留下指标权重，无法逐步复算；下一次评分后即可: %w", s.Dataset, mulu.ErrConflict)
			}
			weights[i.Code], tallies[i.Code] = microOf(i.Weight), Tally{i.A, i.B}
		}
	}
	return weights, tallies, nil
}

// Complete says whether a kept score can be explained.
func Complete(s *mulu.Score) bool {
	_, _, err := content(s)
	return err == nil && len(s.Dimensions) > 0
}

func explain(n *node, above micro, notes map[string]string) Node {
	i, _ := IndicatorOf(n.code)
	share := above.of(n.effective)
	out := Node{Indicator: i, Weight: n.weight.float(), Effective: n.effective.float(), Share: share.float(), A: n.tally.A, B: n.tally.B,
		Sum: n.sum.float(), Of: n.of.float(), Applicable: n.applicable, Note: notes[n.code]}
	for _, c := range n.below {
		out.Below = append(out.Below, explain(c, share, notes))
	}
	if !n.applicable {
		out.Formula = "不适用：不计入，同级指标的权重按比例放大"
		if n.below == nil {
			out.Formula = "B = 0，" + out.Formula
			out.Note = cmp.Or(out.Note, whyNot(n.code))
		}
		return out
	}
	out.X, out.Product = n.x.float(), times(n.weight, n.x).float()
	switch {
	case n.below != nil:
		out.Formula = "X = Σ(权重×X) ÷ Σ权重 = " + sumDigits(n.sum) + " ÷ " + digits(n.of) + " = " + digits(n.x)
	case i.Inverted:
		bad := n.tally.B - n.tally.A
		out.Raw = ratio(bad, n.tally.B).float()
		out.Formula = fmt.Sprintf("X = 1 − 问题数 ÷ B = 1 − %d ÷ %d = %s", bad, n.tally.B, digits(n.x))
	default:
		out.Raw = ratio(n.tally.B-n.tally.A, n.tally.B).float()
		out.Formula = fmt.Sprintf("X = A ÷ B = %d ÷ %d = %s", n.tally.A, n.tally.B, digits(n.x))
	}
	return out
}

func sumDigits(n nano) string { return strconv.FormatFloat(n.float(), 'f', 9, 64) }

func digits(m micro) string { return strconv.FormatFloat(m.float(), 'f', 6, 64) }

// Gain is what the total would be if one rule, or one whole indicator, were in order.
type Gain struct {
	Rule      mulu.RuleID // "" for the indicator
	Indicator string
	Mend      int64 // elements to mend
	Total     float64
	Gain      float64
	Grade     string // without caps
}

// gains lists what lifts a score most, by gain, then by how little there is to mend.
func gains(s *mulu.Score, weights map[string]micro, tallies map[string]Tally) []Gain {
	var out []Gain
	total := grow(weights, tallies).x
	try := func(g Gain) {
		t := tallies[g.Indicator]
		if g.Mend = min(g.Mend, t.B-t.A); g.Mend <= 0 {
			return
		}
		then := maps.Clone(tallies)
		then[g.Indicator] = Tally{t.A + g.Mend, t.B}
		x := grow(weights, then).x
		g.Total, g.Gain, g.Grade = x.float(), (x - total).float(), gradeOf(s.Floors, x.float())
		out = append(out, g)
	}
	alone := map[string]bool{} // indicators all of whose faults are one rule's
	for _, r := range s.Rules {
		try(Gain{Rule: r.Rule, Indicator: r.Indicator, Mend: r.Failed})
		t := tallies[r.Indicator]
		alone[r.Indicator] = alone[r.Indicator] || r.Failed == t.B-t.A
	}
	for _, code := range slices.Sorted(maps.Keys(tallies)) {
		if !alone[code] {
			try(Gain{Indicator: code, Mend: tallies[code].B - tallies[code].A})
		}
	}
	slices.SortStableFunc(out, func(a, b Gain) int { return cmp.Or(-cmp.Compare(a.Gain, b.Gain), cmp.Compare(a.Mend, b.Mend)) })
	return out
}
