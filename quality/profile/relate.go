package profile

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"mulu"
	"mulu/quality/ident"
)

// What a relation must come to before it is told.
const (
	leastJudged = 20   // rows that can be asked
	holdsShare  = 0.9  // of a match with an identity number, of an order, of a prefix
	fdShare     = 0.98 // of A → B
	keyShare    = 0.95 // of rows that a key tells apart
	fillShare   = 0.98 // of filled when, and empty when not
	fdWork      = 1 << 22
)

// table is the sample by column.
type table struct {
	rows    []sampled
	columns []Column
	codes   [][]int32 // a number for each value of a column, -1 for none
	values  []int     // different values of a column in the sample
}

func newTable(rows []sampled, columns []Column) *table {
	t := &table{rows: rows, columns: columns}
	for i := range columns {
		codes, seen := make([]int32, len(rows)), map[string]int32{}
		for r := range rows {
			x := &rows[r].cells[i]
			if x.state != filled {
				codes[r] = -1
				continue
			}
			k, ok := seen[x.text]
			if !ok {
				k = int32(len(seen))
				seen[x.text] = k
			}
			codes[r] = k
		}
		t.codes, t.values = append(t.codes, codes), append(t.values, len(seen))
	}
	return t
}

// keys finds the columns, and pairs of columns, that tell rows apart.
func (b *Builder) keys(p *Profile, rows []sampled) {
	alone := map[int]bool{}
	for i, c := range b.columns {
		col := &p.Columns[i]
		if c.values < 2 || !mayBeKey(col) || col.Filled() < 0.9 {
			continue
		}
		if repeat := c.different.repeats(); float64(repeat) <= (1-keyShare)*float64(c.values) {
			alone[i] = true
			p.Keys = append(p.Keys, Key{Columns: []string{col.Name}, Rows: c.values, Repeat: repeat, Empty: c.rows - c.values, Exact: col.Distinct.Exact})
		}
	}
	slices.SortStableFunc(p.Keys, func(x, y Key) int {
		return cmp.Or(cmp.Compare(rankKey(p.Column(x.Columns[0])), rankKey(p.Column(y.Columns[0]))), cmp.Compare(x.Repeat+x.Empty, y.Repeat+y.Empty))
	})
	if len(alone) > 0 || len(rows) < leastJudged {
		return
	}
	t := newTable(rows, p.Columns)
	var pairs []Key
	for i := range p.Columns {
		for j := i + 1; j < len(p.Columns); j++ {
			if k, ok := t.pair(i, j); ok {
				k.Exact = p.Sampled == p.Rows
				pairs = append(pairs, k)
			}
		}
	}
	slices.SortStableFunc(pairs, func(x, y Key) int { return cmp.Compare(x.Repeat, y.Repeat) })
	p.Keys = append(p.Keys, pairs[:min(5, len(pairs))]...)
}

// mayBeKey leaves out what is different by nature and says nothing.
func mayBeKey(c *Column) bool {
	switch c.Observed {
	case mulu.Decimal, mulu.DateTime, mulu.Bool:
		return false
	}
	if c.Is != nil {
		switch c.Is.Kind {
		case IsName, IsAddress, IsMobile, IsTelephone, IsEmail:
			return false
		}
	}
	return c.Length == nil || c.Length.Max <= 64
}

// rankKey prefers identifiers, then what is written as a code.
func rankKey(c *Column) int {
	switch {
	case c.Is != nil:
		return 0
	case c.Observed == mulu.String:
		return 1
	}
	return 2
}

func (t *table) pair(i, j int) (Key, bool) {
	x, y := &t.columns[i], &t.columns[j]
	if !mayBeKey(x) || !mayBeKey(y) || x.Filled() < 0.98 || y.Filled() < 0.98 || t.values[i] < 2 || t.values[j] < 2 || float64(t.values[i])*float64(t.values[j]) < float64(len(t.rows)) {
		return Key{}, false
	}
	seen := make(map[uint64]struct{}, len(t.rows))
	k := Key{Columns: []string{x.Name, y.Name}}
	for r := range t.rows {
		a, b := t.codes[i][r], t.codes[j][r]
		if a < 0 || b < 0 {
			k.Empty++
			continue
		}
		k.Rows++
		c := uint64(a)<<32 | uint64(b)
		if _, ok := seen[c]; ok {
			k.Repeat++
		}
		seen[c] = struct{}{}
	}
	return k, k.Rows > 0 && float64(k.Repeat) <= 0.02*float64(k.Rows)
}

// duplicates counts rows that are equal to another in all columns but one.
func (b *Builder) duplicates(p *Profile) {
	whole := b.rest[len(b.columns)]
	equal := whole.repeats()
	p.Duplicates = append(p.Duplicates, Duplicates{Rows: equal, Exact: whole.level == 0})
	for i, c := range b.columns {
		if n := b.rest[i].repeats(); n > equal {
			p.Duplicates = append(p.Duplicates, Duplicates{Except: c.field.Name, Rows: n, Exact: b.rest[i].level == 0})
		}
	}
}

// relate looks for what pairs of columns have to do with each other.
func (b *Builder) relate(p *Profile, rows []sampled) {
	t := newTable(rows, p.Columns)
	var found []Relation
	for i := range p.Columns {
		for j := range p.Columns {
			if i == j {
				continue
			}
			for _, ask := range asks {
				if r, ok := ask(t, i, j); ok {
					found = append(found, r)
				}
			}
		}
	}
	found = append(found, t.dependencies()...)
	p.Relations = append(p.Relations, found...)
}

// asks are the questions put to every pair of columns.
var asks = []func(t *table, i, j int) (Relation, bool){birthOfID, sexOfID, ordered, equal, prefix, filledWhen}

func isCitizen(c *Column) bool { return c.Is != nil && c.Is.Kind == IsCitizen && c.Is.Share >= 0.5 }

// count asks every row of the sample that has both values.
func (t *table) count(kind RelationKind, i, j int, share float64, ask func(x, y *cell) (judged, holds bool)) (Relation, bool) {
	r := Relation{Kind: kind, Columns: []string{t.columns[i].Name, t.columns[j].Name}}
	for n := range t.rows {
		x, y := &t.rows[n].cells[i], &t.rows[n].cells[j]
		if x.state != filled || y.state != filled {
			continue
		}
		judged, holds := ask(x, y)
		if !judged {
			continue
		}
		r.Judged++
		if !holds {
			// What breaks early and often is given up.
			if r.Broken++; r.Broken > 200 && float64(r.Broken) > 2*(1-share)*float64(r.Judged) {
				return r, false
			}
		}
	}
	return r, r.Judged >= leastJudged && r.Holds() >= share
}

func birthOfID(t *table, i, j int) (Relation, bool) {
	if t.columns[i].Observed != mulu.Date || !isCitizen(&t.columns[j]) {
		return Relation{}, false
	}
	return t.count(BirthOfID, i, j, holdsShare, func(x, y *cell) (bool, bool) {
		year, month, day, ok := ident.CitizenBirth([]byte(y.text))
		return ok, ok && x.typed && int64(x.number) == daysOf(year, month, day)
	})
}

func sexOfID(t *table, i, j int) (Relation, bool) {
	if t.columns[i].Distinct.Count > 10 || !isCitizen(&t.columns[j]) || (t.columns[i].Observed != mulu.String && t.columns[i].Observed != mulu.Int) {
		return Relation{}, false
	}
	return t.count(SexOfID, i, j, holdsShare, func(x, y *cell) (bool, bool) {
		want, ok := ident.CitizenSex([]byte(y.text))
		sex := x.text
		if sex == "男" {
			sex = "1"
		} else if sex == "女" {
			sex = "2"
		}
		return ok && (sex == "1" || sex == "2"), sex == string(want)
	})
}

// ordered holds of dates, and of numbers only where the names say from and to: that
// one number is below another is chance more often than not.
func ordered(t *table, i, j int) (Relation, bool) {
	x, y := &t.columns[i], &t.columns[j]
	named := starts.speaks(Field{Name: x.Name, Title: x.Title}) && ends.speaks(Field{Name: y.Name, Title: y.Title})
	switch x.Observed {
	case mulu.Date, mulu.DateTime:
		if y.Observed != x.Observed {
			return Relation{}, false
		}
	case mulu.Int, mulu.Decimal:
		if y.Observed != x.Observed || !named {
			return Relation{}, false
		}
	default:
		return Relation{}, false
	}
	share := 0.97
	if named {
		share = holdsShare
	}
	differ := false
	r, ok := t.count(Order, i, j, share, func(x, y *cell) (bool, bool) {
		differ = differ || x.number != y.number
		return x.typed && y.typed, x.number <= y.number
	})
	return r, ok && differ
}

func equal(t *table, i, j int) (Relation, bool) {
	x, y := &t.columns[i], &t.columns[j]
	if i > j || x.Observed != y.Observed || x.CodeLike || t.values[i] < 20 {
		return Relation{}, false
	}
	return t.count(Equal, i, j, fdShare, func(x, y *cell) (bool, bool) { return true, x.text == y.text })
}

// prefix asks whether column i begins with what stands in column j.
func prefix(t *table, i, j int) (Relation, bool) {
	x, y := &t.columns[i], &t.columns[j]
	if x.Observed != mulu.String || y.Observed != mulu.String || x.Length == nil || y.Length == nil || x.Length.Mean <= y.Length.Mean || y.Length.Mean < 2 || t.values[j] < 2 {
		return Relation{}, false
	}
	return t.count(Prefix, i, j, holdsShare, func(x, y *cell) (bool, bool) { return true, strings.HasPrefix(x.text, y.text) })
}

// filledWhen asks whether column i is filled in just when column j has one value.
func filledWhen(t *table, i, j int) (Relation, bool) {
	x, y := &t.columns[i], &t.columns[j]
	if f := x.Filled(); f < 0.002 || f > 0.995 || !y.CodeLike || y.Distinct.Count > 20 {
		return Relation{}, false
	}
	type tally struct{ rows, filled int64 }
	by := map[string]*tally{}
	var all tally
	for n := range t.rows {
		a, b := &t.rows[n].cells[i], &t.rows[n].cells[j]
		if b.state != filled {
			continue
		}
		if by[b.text] == nil {
			by[b.text] = &tally{}
		}
		k := by[b.text]
		k.rows, all.rows = k.rows+1, all.rows+1
		if a.state == filled {
			k.filled, all.filled = k.filled+1, all.filled+1
		}
	}
	for v, k := range by {
		rest := tally{all.rows - k.rows, all.filled - k.filled}
		if k.rows >= leastJudged && rest.rows >= leastJudged && float64(k.filled) >= fillShare*float64(k.rows) && float64(rest.filled) <= (1-fillShare)*float64(rest.rows) {
			return Relation{Kind: FilledWhen, Columns: []string{x.Name, y.Name}, Judged: all.rows, Broken: k.rows - k.filled + rest.filled, When: v}, true
		}
	}
	return Relation{}, false
}

// dependencies finds A → B: rows with one value of A have one value of B. Told only
// where A repeats and B would be hard to guess without it.
func (t *table) dependencies() []Relation {
	n := len(t.columns)
	rows := min(len(t.rows), max(2000, fdWork/max(1, n*n)))
	var out []Relation
	for i := range n {
		if t.values[i] < 2 || float64(t.values[i]) > 0.7*float64(rows) || t.columns[i].Observed == mulu.Decimal {
			continue
		}
		for j := range n {
			if i == j || t.values[j] < 2 || float64(t.values[j]) > 0.9*float64(rows) || t.columns[j].Observed == mulu.Decimal {
				continue
			}
			if r, ok := t.determines(i, j, rows); ok {
				out = append(out, r)
			}
		}
	}
	return out
}

func (t *table) determines(i, j, rows int) (Relation, bool) {
	pairs := map[uint64]int64{}
	sizes, most, plain := map[int32]int64{}, map[int32]int64{}, map[int32]int64{}
	r := Relation{Kind: Determines, Columns: []string{t.columns[i].Name, t.columns[j].Name}}
	for n := range rows {
		a, b := t.codes[i][n], t.codes[j][n]
		if a < 0 || b < 0 {
			continue
		}
		r.Judged++
		k := uint64(a)<<32 | uint64(uint32(b))
		pairs[k]++
		most[a] = max(most[a], pairs[k])
		sizes[a]++
		plain[b]++
	}
	var kept, grouped, guess int64
	for a, n := range sizes {
		kept += most[a]
		if n > 1 {
			grouped += n
		}
	}
	for _, n := range plain {
		guess = max(guess, n)
	}
	r.Broken = r.Judged - kept
	base := float64(guess) / float64(max(1, r.Judged))
	return r, r.Judged >= leastJudged && grouped*10 >= r.Judged*3 && r.Holds() >= fdShare && r.Holds()-base >= max(0.05, 0.5*(1-base))
}

// daysOf counts from 1970-01-01.
func daysOf(y, m, d int) int64 {
	return dayOf(timeOf(y, m, d))
}

func timeOf(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, shanghai) }
