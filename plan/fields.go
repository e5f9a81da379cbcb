package plan

import (
	"fmt"
	"slices"
	"strings"

	"mulu"
)

// Datasets looks up an applied dataset version; nil if there is none.
type Datasets func(mulu.DatasetCode) *mulu.Dataset

// Field is what a name in a plan stands for. Exactly one of Column (with or
// without Lookup), Lookup alone, and Derived says where it comes from.
type Field struct {
	Type     mulu.Type
	Scale    int
	Nullable bool
	Column   string   // column of the base, or of the lookup's dataset
	Lookup   *Lookup  // nil for the base
	Derived  *Derived // From is a column of the base
}

// Field resolves a name: a base column, "lookup.column" of a latest lookup, the
// name of an exists or count lookup, or a derived item. An unknown name is
// ErrInvalid and the message carries it.
func (v *View) Field(name string, datasets Datasets) (Field, error) {
	base := datasets(v.Base)
	if base == nil {
		return Field{}, fmt.Errorf("dataset %q is not applied: %w", v.Base, mulu.ErrInvalid)
	}
	if i := base.Column(name); i >= 0 {
		return columnField(base, i), nil
	}
	for i := range v.Derived {
		if v.Derived[i].Name == name {
			return Field{Type: mulu.Int, Nullable: true, Derived: &v.Derived[i]}, nil
		}
	}
	prefix, col, dotted := strings.Cut(name, ".")
	for i := range v.Lookups {
		l := &v.Lookups[i]
		if l.Name != prefix {
			continue
		}
		switch {
		case !dotted && l.Kind == Exists:
			return Field{Type: mulu.Bool, Lookup: l}, nil
		case !dotted && l.Kind == Count:
			return Field{Type: mulu.Int, Lookup: l}, nil
		case dotted && l.Kind == Latest:
			ds := datasets(l.Dataset)
			if ds == nil {
				return Field{}, fmt.Errorf("lookup %q: dataset %q is not applied: %w", l.Name, l.Dataset, mulu.ErrInvalid)
			}
			if c := ds.Column(col); c >= 0 {
				f := columnField(ds, c)
				f.Lookup, f.Nullable = l, true // no row, no value
				return f, nil
			}
		}
	}
	return Field{}, fmt.Errorf("unknown item %q of %q: %w", name, v.Base, mulu.ErrInvalid)
}

func columnField(ds *mulu.Dataset, i int) Field {
	c := &ds.Columns[i]
	return Field{Type: c.Type, Scale: c.Scale, Nullable: !c.Required && !slices.Contains(ds.Key, c.Name), Column: c.Name}
}

// Result is the name an item has in the result.
func (i Item) Result() string {
	if i.As != "" {
		return i.As
	}
	return strings.ReplaceAll(i.Name, ".", "_")
}
