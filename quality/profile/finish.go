package profile

import (
	"math"
	"slices"
	"strconv"
	"time"

	"mulu"
)

// Shares from which on a column is said to be something.
const (
	typeShare  = 0.95 // of the values that can be read as a type
	codeShare  = 0.95 // of the values that are in a code table
	fewValues  = 50   // values that may be a code list …
	oftenEach  = 5    // … each in so many rows on average
	topShown   = 10
	topKept    = 200 // values kept for suggestions
	shapeShown = 12
	leastShown = 5 // rows behind anything shown of a closed column
)

// Profile closes the builder's figures into a profile. More batches may follow.
func (b *Builder) Profile() *Profile {
	p := &Profile{Seed: b.opt.Seed, AsOf: b.opt.AsOf.In(shanghai).Format(time.DateOnly), Rows: b.rows, Sampled: int64(len(b.sample.rows)),
		Columns: []Column{}, Keys: []Key{}, Relations: []Relation{}, Duplicates: []Duplicates{}}
	rows := b.sample.ordered()
	for i, c := range b.columns {
		p.Columns = append(p.Columns, c.finish(b, rows, i))
	}
	b.keys(p, rows)
	b.duplicates(p)
	b.relate(p, rows)
	for i := range p.Columns {
		b.columns[i].close(&p.Columns[i])
	}
	return p
}

func (c *column) finish(b *Builder, rows []sampled, at int) Column {
	f := c.field
	out := Column{Name: f.Name, Title: f.Title, Declared: f.Type, Scale: f.Scale, Level: f.Level, Rows: c.rows, Nulls: c.nulls, Placeholders: c.blanks, Values: c.values,
		Distinct: c.different.result(), TopExact: c.often.lost == 0,
		Chars: Chars{FullWidth: c.chars[0], Edges: c.chars[1], Inner: c.chars[2], Invisible: c.chars[3], Mojibake: c.chars[4], Personal: c.chars[5]}}
	out.Constant = out.Distinct.Exact && out.Distinct.Count == 1 && c.values == c.rows
	for i, name := range []string{"int", "decimal", "date", "datetime", "bool"} {
		if c.parses[i] > 0 {
			out.Parses = append(out.Parses, share(name, c.parses[i], c.values))
		}
	}
	out.Secret.Top = c.often.top(topKept)
	for i := range out.Secret.Top {
		out.Secret.Top[i].Share = ratio(out.Secret.Top[i].Count, c.values)
	}
	out.Secret.Future, out.Secret.Before = c.future, c.before
	out.Is = b.known.recognise(f, c.is, c.values, out.Distinct.Count)
	out.Codes = c.codes(b)
	out.CodeLike = c.codeLike(&out)
	c.shape(&out)
	out.Observed = c.observe(&out)
	if out.Observed == mulu.String && f.Type == "" && c.zeros > 0 && !sexWords.speaks(f) {
		out.Placeholders, out.Values = out.Placeholders+c.zeros, out.Values-c.zeros
	}
	if out.Observed == mulu.String && c.values > 0 {
		out.Length = &Length{Min: int(c.shortest), Max: int(c.longest), Mean: round(float64(c.length)/float64(c.values), 2)}
	}
	c.ranges(&out, rows, at)
	return out
}

func share(name string, n, of int64) Share { return Share{name, n, ratio(n, of)} }

func ratio(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return round(float64(n)/float64(of), 6)
}

func round(x float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(x*p) / p
}

// observe says what type the values have: of texts, the one that nearly all of them
// can be read as. Identifiers and codes are texts though they consist of digits.
func (c *column) observe(out *Column) mulu.Type {
	if c.field.Type != "" && c.field.Type != mulu.String {
		return c.field.Type
	}
	enough := func(i int) bool { return c.values > 0 && float64(c.parses[i]) >= typeShare*float64(c.values) }
	switch {
	case enough(2):
		out.Layout = c.layout(false)
		return mulu.Date
	case enough(3):
		out.Layout = c.layout(true)
		return mulu.DateTime
	case enough(4):
		return mulu.Bool
	case out.Is != nil && out.Is.Kind != IsLongitude && out.Is.Kind != IsLatitude, len(out.Codes) > 0, c.fixedDigits():
		return mulu.String
	case enough(0):
		return mulu.Int
	case enough(1):
		out.Scale = int(c.scale)
		return mulu.Decimal
	}
	return mulu.String
}

// fixedDigits says that the values are whole numbers of one length: a code, no number.
func (c *column) fixedDigits() bool {
	for s, n := range c.shapes.counts {
		if classes, lengths := signatureOf(s); classes == "9" && lengths[0] >= 5 && float64(n) >= 0.9*float64(c.values) {
			return true
		}
	}
	return false
}

func (c *column) layout(ofTime bool) string {
	best := -1
	for i, l := range layouts {
		if l.time == ofTime && (best < 0 || c.layouts[i] > c.layouts[best]) {
			best = i
		}
	}
	return layouts[best].name
}

// codeLike says whether the column looks like a list of codes or words: few values,
// each of them often, short, no numbers with a point and no dates.
func (c *column) codeLike(out *Column) bool {
	d := out.Distinct
	few := d.Exact && d.Count >= 2 && d.Count <= fewValues && d.Count*oftenEach <= c.values
	return few && c.longest <= 20 && c.parses[2]+c.parses[3] == 0 && (c.parses[1] == c.parses[0] || c.scale == 0)
}

// codes are the code tables that the values fit. A table of short codes fits by chance,
// so the column's name must speak for it.
func (c *column) codes(b *Builder) []CodeFit {
	if b.opt.Tables == nil || c.values == 0 || c.often.lost > 0 || (c.field.Type != "" && c.field.Type != mulu.String) {
		return nil
	}
	var of, wide int64
	for v, n := range c.often.counts {
		of += n
		if len(v) > 2 {
			wide += n
		}
	}
	var out []CodeFit
	for _, name := range b.opt.Tables.Names() {
		table, err := b.opt.Tables.Table(name)
		if err != nil {
			continue
		}
		var good, valid int64
		for v, n := range c.often.counts {
			if table.Has(v, time.Time{}) {
				good += n
				valid++
			}
		}
		fit := CodeFit{Table: name, Good: good, Of: of, Share: ratio(good, of), Named: tableWords[name].speaks(c.field)}
		chance := wide*2 < of || valid < 3
		if fit.Share >= codeShare && (fit.Named || !chance) || fit.Named && fit.Share >= 0.6 {
			out = append(out, fit)
		}
	}
	slices.SortStableFunc(out, func(a, b CodeFit) int {
		if a.Named != b.Named {
			if a.Named {
				return -1
			}
			return 1
		}
		switch {
		case a.Share > b.Share:
			return -1
		case a.Share < b.Share:
			return 1
		}
		return 0
	})
	return out[:min(3, len(out))]
}

// shape lists the patterns, and what they come to without lengths.
func (c *column) shape(out *Column) {
	by := map[string]*Signature{}
	var order []string
	for _, s := range c.shapes.top(shapeBound) {
		if s.Count >= leastShown && len(out.Shapes) < shapeShown {
			out.Shapes = append(out.Shapes, Shape{s.Value, s.Count, ratio(s.Count, c.values)})
		}
		classes, lengths := signatureOf(s.Value)
		if by[classes] == nil {
			sig := &Signature{Classes: classes}
			for _, n := range lengths {
				sig.Lengths = append(sig.Lengths, [2]int{n, n})
			}
			by[classes], order = sig, append(order, classes)
		}
		sig := by[classes]
		// A length that next to nobody has is a slip, not a part of the pattern.
		if sig.Count == 0 || float64(s.Count) >= 0.01*float64(c.values) {
			for i, n := range lengths {
				sig.Lengths[i] = [2]int{min(sig.Lengths[i][0], n), max(sig.Lengths[i][1], n)}
			}
			sig.Count += s.Count
		}
	}
	for _, classes := range order {
		out.Secret.Signature = append(out.Secret.Signature, *by[classes])
	}
	slices.SortStableFunc(out.Secret.Signature, func(a, b Signature) int { return int(b.Count - a.Count) })
}

// ranges fills in what numbers and dates come to.
func (c *column) ranges(out *Column, rows []sampled, at int) {
	m, dates := c.numbers, false
	switch out.Observed {
	case mulu.Int, mulu.Decimal:
	case mulu.Date, mulu.DateTime:
		m, dates = c.days, true
	default:
		return
	}
	var xs []float64
	for _, r := range rows {
		if x := r.cells[at]; x.state == filled && x.typed {
			xs = append(xs, x.number)
		}
	}
	if len(xs) == 0 || m.n == 0 {
		return
	}
	slices.Sort(xs)
	s := &out.Secret
	s.Min, s.Max, s.Judged = m.min, m.max, int64(len(xs))
	s.outliers(xs, func(x float64) float64 { return x })
	if s.Outside == 0 && m.min > 0 && m.max >= 1000*m.min {
		s.outliers(xs, math.Log10)
		s.Orders = s.Outside > 0
	}
	write := writer(out.Observed)
	out.Range = &Range{Min: write(m.min), Max: write(m.max)}
	if !dates {
		mean, deviation := round(m.mean, 6), round(m.deviation(), 6)
		out.Range.Mean, out.Range.Deviation = &mean, &deviation
	}
	for _, q := range []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99} {
		out.Range.Quantiles = append(out.Range.Quantiles, Quantile{q, write(quantile(xs, q))})
	}
	out.Histogram = histogram(xs, write)
	if is := recogniseNumber(c.field, dates, c.values, quantile(xs, 0.5)); is != nil && out.Is == nil {
		out.Is = is
	}
}

// outliers notes what lies beyond three times the width of the middle half of sorted
// numbers, on a scale.
func (s *Secret) outliers(xs []float64, scale func(float64) float64) {
	q1, q3 := scale(quantile(xs, 0.25)), scale(quantile(xs, 0.75))
	lo, hi := q1-3*(q3-q1), q3+3*(q3-q1)
	s.Outside, s.Inside = 0, [2]float64{math.Inf(1), math.Inf(-1)}
	for _, x := range xs {
		if y := scale(x); y < lo || y > hi {
			s.Outside++
			continue
		}
		s.Inside[0], s.Inside[1] = min(s.Inside[0], x), max(s.Inside[1], x)
	}
}

// quantile of sorted numbers, the value at or above that share.
func quantile(xs []float64, q float64) float64 {
	return xs[min(len(xs)-1, int(q*float64(len(xs))))]
}

const bins = 12

// histogram has bars of equal width over the middle 99 of a hundred values.
func histogram(xs []float64, write func(float64) string) []Bin {
	lo, hi := quantile(xs, 0.005), quantile(xs, 0.995)
	if !(hi > lo) {
		return nil
	}
	out := make([]Bin, bins)
	for i := range out {
		out[i].From = write(lo + (hi-lo)*float64(i)/bins)
	}
	for _, x := range xs {
		if x >= lo && x <= hi {
			out[min(bins-1, int((x-lo)/(hi-lo)*bins))].Count++
		}
	}
	return out
}

// writer writes numbers of a type as people read them.
func writer(t mulu.Type) func(float64) string {
	switch t {
	case mulu.Date:
		return func(x float64) string { return time.Unix(int64(math.Floor(x))*86_400, 0).UTC().Format(time.DateOnly) }
	case mulu.DateTime:
		return func(x float64) string {
			return time.Unix(int64(math.Round(x*86_400)), 0).UTC().Format(time.DateTime)
		}
	}
	return func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
}
