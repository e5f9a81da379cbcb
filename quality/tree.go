package quality

import (
	"mulu"
)

// node is one node of a score being worked out.
type node struct {
	indicator
	tally      Tally // of one that has none below it
	weight     micro
	effective  micro // weight among the siblings that apply
	x          micro
	applicable bool
	below      []*node
	sum        nano // Σ weight·x and Σ weight of those below that apply
	of         micro
}

// grow works out the tree over tallies: X = A/B where nothing is below, else the weighted
// mean of what applies. It returns the root, whose x is the total.
func grow(weights map[string]micro, tallies map[string]Tally) *node {
	root := &node{}
	tree := children()
	for _, d := range dimensions {
		root.below = append(root.below, branch(d, weights, tallies, tree))
	}
	root.mean()
	return root
}

func branch(i indicator, weights map[string]micro, tallies map[string]Tally, tree map[string][]indicator) *node {
	n := &node{indicator: i, weight: weights[i.code]}
	if tree[i.code] == nil {
		n.tally = tallies[i.code]
		if n.applicable = n.tally.B > 0; n.applicable {
			n.x = ratio(n.tally.A, n.tally.B)
		}
		return n
	}
	for _, c := range tree[i.code] {
		n.below = append(n.below, branch(c, weights, tallies, tree))
	}
	n.mean()
	return n
}

// mean gives a node the weighted mean of what is below it and applies.
func (n *node) mean() {
	for _, c := range n.below {
		if c.applicable {
			n.sum, n.of = n.sum+times(c.weight, c.x), n.of+c.weight
		}
	}
	if n.applicable = n.of > 0; !n.applicable {
		return
	}
	n.x = min(over(n.sum, n.of), one)
	for _, c := range n.below {
		if c.applicable {
			c.effective = share(c.weight, n.of)
		}
	}
}

// leaves calls f with every node that has none below it, in order.
func (n *node) leaves(f func(*node)) {
	if n.below == nil {
		f(n)
	}
	for _, c := range n.below {
		c.leaves(f)
	}
}

// dimension is a branch as a score keeps it.
func (n *node) dimension(notes map[string]string) mulu.Dimension {
	d := mulu.Dimension{Code: n.code, Title: n.title, Weight: n.weight.float(), Effective: n.effective.float(), X: n.x.float(), Applicable: n.applicable}
	for _, c := range n.below {
		if c.below != nil {
			d.Groups = append(d.Groups, mulu.Group{Code: c.code, Title: c.title, Weight: c.weight.float(), Effective: c.effective.float(), X: c.x.float(), Applicable: c.applicable})
		}
	}
	n.leaves(func(c *node) { d.Indicators = append(d.Indicators, c.leaf(notes)) })
	return d
}

func (n *node) leaf(notes map[string]string) mulu.Indicator {
	i := mulu.Indicator{Code: n.code, Title: n.title, A: n.tally.A, B: n.tally.B, Note: notes[n.code], Parent: n.parent, Weight: n.weight.float(), Effective: n.effective.float()}
	if n.applicable {
		i.X, i.Raw = n.x.float(), ratio(n.tally.B-n.tally.A, n.tally.B).float()
	} else if i.Note == "" {
		i.Note = whyNot(n.code)
	}
	return i
}

// part is the tree as a part of a score keeps it.
func (n *node) part(rows int64, floors []mulu.GradeFloor) *mulu.Part {
	if !n.applicable {
		return nil
	}
	p := &mulu.Part{Rows: rows, Total: n.x.float(), Grade: gradeOf(floors, n.x.float()), Counts: map[string][2]int64{}, X: map[string]float64{}}
	for _, d := range n.below {
		if d.applicable {
			p.X[d.code] = d.x.float()
		}
	}
	n.leaves(func(l *node) {
		if l.applicable {
			p.Counts[l.code] = [2]int64{l.tally.A, l.tally.B}
		}
	})
	return p
}
