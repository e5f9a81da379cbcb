package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mulu"
)

// Validate says everything that is wrong with a plan, each error wrapping
// ErrInvalid and naming the item at fault; nil means it can be compiled.
func (p *Plan) Validate(datasets Datasets) error {
	errs := []error{p.View.validate(datasets)}
	if len(p.Items) == 0 {
		errs = append(errs, invalid("a plan needs at least one item"))
	}
	if p.Limit < 0 {
		errs = append(errs, invalid("limit %d is negative", p.Limit))
	}
	if errs[0] != nil {
		return errors.Join(errs...)
	}
	seen := map[string]bool{}
	for _, it := range p.Items {
		f, err := p.View.Field(it.Name, datasets)
		if err == nil {
			err = checkMask(it, f)
		}
		if err != nil {
			errs = append(errs, err)
		}
		switch r := it.Result(); {
		case seen[r]:
			errs = append(errs, invalid("two items are named %q", r))
		case strings.HasPrefix(r, "_"):
			errs = append(errs, invalid("item name %q is reserved", r))
		}
		seen[it.Result()] = true
	}
	errs = append(errs, p.Where.Validate(func(name string) (Field, error) { return p.View.Field(name, datasets) }))
	return errors.Join(errs...)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, mulu.ErrInvalid)...)
}

func (v *View) validate(datasets Datasets) error {
	base := datasets(v.Base)
	if base == nil {
		return invalid("dataset %q is not applied", v.Base)
	}
	var errs []error
	taken := map[string]bool{}
	claim := func(name string) {
		if name == "" || strings.ContainsAny(name, ".`\\") || taken[name] || base.Column(name) >= 0 {
			errs = append(errs, invalid("name %q is empty, dotted or taken", name))
		}
		taken[name] = true
	}
	for i := range v.Lookups {
		claim(v.Lookups[i].Name)
		errs = append(errs, v.Lookups[i].validate(base, datasets))
	}
	for i := range v.Derived {
		claim(v.Derived[i].Name)
		errs = append(errs, v.Derived[i].validate(base))
	}
	return errors.Join(errs...)
}

func (l *Lookup) validate(base *mulu.Dataset, datasets Datasets) error {
	ds := datasets(l.Dataset)
	if ds == nil {
		return invalid("lookup %q: dataset %q is not applied", l.Name, l.Dataset)
	}
	if !slices.Contains([]LookupKind{Latest, Exists, Count}, l.Kind) {
		return invalid("lookup %q: unknown kind %q", l.Name, l.Kind)
	}
	if len(l.On) == 0 {
		return invalid("lookup %q joins on nothing", l.Name)
	}
	for _, c := range l.On {
		b, d := base.Column(c), ds.Column(c)
		if b < 0 || d < 0 {
			return invalid("lookup %q: column %q is not in both datasets", l.Name, c)
		}
		if base.Columns[b].Type != ds.Columns[d].Type {
			return invalid("lookup %q: column %q is %s here and %s there", l.Name, c, base.Columns[b].Type, ds.Columns[d].Type)
		}
	}
	if l.Kind == Latest && ds.Column(l.OrderBy) < 0 {
		return invalid("lookup %q: unknown order column %q", l.Name, l.OrderBy)
	}
	return nil
}

func (d *Derived) validate(base *mulu.Dataset) error {
	if d.Kind != "age" && d.Kind != "days_since" {
		return invalid("derived item %q: unknown kind %q", d.Name, d.Kind)
	}
	c := base.Column(d.From)
	if c < 0 || base.Columns[c].Type != mulu.Date && base.Columns[c].Type != mulu.DateTime {
		return invalid("derived item %q: %q is not a date column", d.Name, d.From)
	}
	if d.AsOf != "today" {
		if _, err := time.Parse(time.DateOnly, d.AsOf); err != nil {
			return invalid("derived item %q: as-of %q is neither today nor a date", d.Name, d.AsOf)
		}
	}
	return nil
}

func checkMask(it Item, f Field) error {
	ok := false
	switch it.Mask {
	case Clear, MaskHide, MaskToken, MaskYesNo:
		ok = true
	case MaskName, MaskID, MaskPhone, MaskAddr:
		ok = f.Type == mulu.String
	case MaskYear:
		ok = f.Type == mulu.String || f.Type == mulu.Date || f.Type == mulu.DateTime
	case MaskBand:
		ok = f.Type == mulu.Int || f.Type == mulu.Date || f.Type == mulu.DateTime
	}
	if !ok {
		return invalid("item %q is %s: mask %q does not apply", it.Name, f.Type, it.Mask)
	}
	return nil
}

// Empty says that the predicate is the zero Predicate, which is true.
func (p *Predicate) Empty() bool {
	return p.All == nil && p.Any == nil && p.Not == nil && p.Field == "" && p.Op == ""
}

// Validate checks the form of a predicate, its fields, and each value against its
// field's type. An empty All is true, an empty Any is false.
func (p *Predicate) Validate(field func(string) (Field, error)) error {
	if p.Empty() {
		return nil
	}
	forms := 0
	for _, set := range []bool{p.All != nil, p.Any != nil, p.Not != nil, p.Op != "" || p.Field != ""} {
		if set {
			forms++
		}
	}
	if forms != 1 {
		return invalid("a condition is exactly one of all, any, not and a comparison")
	}
	var errs []error
	for _, list := range [][]Predicate{p.All, p.Any} {
		for i := range list {
			errs = append(errs, list[i].Validate(field))
		}
	}
	if p.Not != nil {
		errs = append(errs, p.Not.Validate(field))
	}
	if p.Op != "" || p.Field != "" {
		f, err := field(p.Field)
		if err == nil {
			_, err = p.Bound(f)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Validate says everything that is wrong with a summary, like Plan.Validate.
func (s *Summary) Validate(datasets Datasets) error {
	ds := datasets(s.Dataset)
	if ds == nil {
		return invalid("dataset %q is not applied", s.Dataset)
	}
	var errs []error
	if len(s.Measures) == 0 {
		errs = append(errs, invalid("a summary needs at least one measure"))
	}
	if len(s.GroupBy) > 2 || s.Limit < 0 {
		errs = append(errs, invalid("at most two groups and no negative limit"))
	}
	seen := map[string]bool{}
	for _, g := range s.GroupBy {
		if ds.Column(g) < 0 || seen[g] {
			errs = append(errs, invalid("unknown or repeated group column %q", g))
		}
		seen[g] = true
	}
	for _, m := range s.Measures {
		if m.As == "" || seen[m.As] {
			errs = append(errs, invalid("measure name %q is empty or taken", m.As))
		}
		seen[m.As] = true
		errs = append(errs, m.validate(ds))
	}
	view := View{Base: s.Dataset}
	errs = append(errs, s.Where.Validate(func(name string) (Field, error) { return view.Field(name, datasets) }))
	return errors.Join(errs...)
}

func (m *Measure) validate(ds *mulu.Dataset) error {
	for _, c := range m.Columns {
		if ds.Column(c) < 0 {
			return invalid("measure %q: unknown column %q", m.As, c)
		}
	}
	if m.Judged && m.Kind != Rows && m.Kind != NonNull {
		return invalid("measure %q: %s does not count judged rows", m.As, m.Kind)
	}
	ok := false
	switch m.Kind {
	case Rows, AnyFlag:
		ok = len(m.Columns) == 0
	case NonNull:
		ok = len(m.Columns) == 1
	case Distinct:
		ok = len(m.Columns) > 0
	case Flag:
		ok = len(m.Columns) == 0 && m.Bit >= 0 && m.Bit < 64
	case Max, Min:
		ok = len(m.Columns) == 1
		if ok {
			t := ds.Columns[ds.Column(m.Columns[0])].Type
			ok = t != mulu.String && t != mulu.Bool
		}
	}
	if !ok {
		return invalid("measure %q: kind %q does not fit its columns", m.As, m.Kind)
	}
	return nil
}
