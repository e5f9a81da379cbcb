package profile

// Sketch is what a builder knows of which values its columns hold, for asking whether
// those of one dataset are found in another. It holds digests of personal data, which
// can be guessed back: it stays in the process and is never stored.
type Sketch struct{ columns map[string]*distinct }

// Sketch gives the builder's.
func (b *Builder) Sketch() *Sketch {
	s := &Sketch{columns: map[string]*distinct{}}
	for _, c := range b.columns {
		if len(c.different.seen) > 0 {
			s.columns[c.field.Name] = c.different
		}
	}
	return s
}

// Has says whether the column has any values.
func (s *Sketch) Has(column string) bool { return s != nil && s.columns[column] != nil }

// Distinct is how many values a column has, about.
func (s *Sketch) Distinct(column string) int64 {
	if !s.Has(column) {
		return 0
	}
	return s.columns[column].result().Count
}

// Within is the share of a column's different values that a column of another has too,
// and how many were compared.
func (s *Sketch) Within(column string, o *Sketch, other string) (share float64, compared int) {
	if !s.Has(column) || !o.Has(other) {
		return 0, 0
	}
	return s.columns[column].within(o.columns[other])
}
