package plan

import (
	"errors"

	"mulu"
)

// Failing asks for the current rows of a dataset that break one rule, and for the
// problem rows that the rule refused. library compiles it; every row comes with its
// token, where it stands in its source, and which row rules it breaks.
type Failing struct {
	View  View // base, and the lookups that Fault asks
	Rule  mulu.RuleID
	Fault Fault
	Items []Item    // columns of the base, in the order they are shown
	Where Predicate // narrows; columns of the base alone
	Unit  Unit
}

// Fault is what makes a row break a rule. Exactly one field is set.
type Fault struct {
	Flag bool       // the effective flag of the row rule Failing.Rule is set
	Same []string   // another row has the same values in these columns; a null is a value if there are several
	When *Predicate // with Same: only these rows are compared
	// Where holds for the rows at fault, lookups included.
	Where *Predicate
}

// Unit says which organisation answers for a row (责任单位): the one that the value of
// Column names, whole or by its first Prefix characters, and Else for every other row.
type Unit struct {
	Column string // "" gives every row to Else
	Prefix int    // 0 is the whole value
	Names  map[string]mulu.OrgCode
	Else   mulu.OrgCode
	Only   mulu.OrgCode // these rows alone; "" is all
}

// Validate says everything that is wrong with it, each error wrapping ErrInvalid.
func (f *Failing) Validate(datasets Datasets) error {
	if err := f.View.validate(datasets); err != nil {
		return err
	}
	base := datasets(f.View.Base)
	var errs []error
	if len(f.Items) == 0 {
		errs = append(errs, invalid("failing rows of %q: no items", f.Rule))
	}
	column := func(name string) (Field, error) {
		if base.Column(name) < 0 {
			return Field{}, invalid("unknown column %q", name)
		}
		return f.View.Field(name, datasets)
	}
	for _, it := range f.Items {
		field, err := column(it.Name)
		if err == nil {
			err = checkMask(it, field)
		}
		if it.As != "" {
			err = invalid("column %q is renamed", it.Name)
		}
		errs = append(errs, err)
	}
	if f.Unit.Column != "" {
		field, err := column(f.Unit.Column)
		if err == nil && field.Type != mulu.String {
			err = invalid("column %q names no organisation: it is no text", f.Unit.Column)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, f.Fault.validate(f, column, datasets), f.Where.Validate(column))...)
}

func (t *Fault) validate(f *Failing, column func(string) (Field, error), datasets Datasets) error {
	forms := 0
	for _, set := range []bool{t.Flag, t.Same != nil, t.Where != nil} {
		if set {
			forms++
		}
	}
	if forms != 1 || t.When != nil && t.Same == nil {
		return invalid("rule %q: a fault is exactly one of a flag, same values and a condition", f.Rule)
	}
	var errs []error
	for _, c := range t.Same {
		_, err := column(c)
		errs = append(errs, err)
	}
	if t.When != nil {
		errs = append(errs, t.When.Validate(column))
	}
	if t.Where != nil {
		errs = append(errs, t.Where.Validate(func(name string) (Field, error) { return f.View.Field(name, datasets) }))
	}
	if base := datasets(f.View.Base); t.Flag && RuleBit(base, f.Rule) < 0 {
		errs = append(errs, invalid("dataset %q has no row rule %q", base.Code, f.Rule))
	}
	return errors.Join(errs...)
}

// RuleBit is the bit of a row rule in the flags of a version's rows, -1 if it has none.
func RuleBit(ds *mulu.Dataset, id mulu.RuleID) int {
	for i := range ds.Rules {
		if ds.Rules[i].ID == id {
			return i
		}
	}
	return -1
}
