package plan

import (
	"errors"
	"fmt"
	"math"
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
	to := l.There()
	if len(to) != len(l.On) {
		return invalid("lookup %q joins %d columns here to %d there", l.Name, len(l.On), len(to))
	}
	for i, c := range l.On {
		b, d := base.Column(c), ds.Column(to[i])
		if b < 0 || d < 0 {
			return invalid("lookup %q: column %q or %q is not in its dataset", l.Name, c, to[i])
		}
		if base.Columns[b].Type != ds.Columns[d].Type {
			return invalid("lookup %q: column %q is %s here, %q is %s there", l.Name, c, base.Columns[b].Type, to[i], ds.Columns[d].Type)
		}
	}
	if l.Kind == Latest && ds.Column(l.OrderBy) < 0 && (l.OrderBy != "" || !l.ByVersion) {
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
	case MaskName, MaskID, MaskPhone, MaskAddr, MaskStray:
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
	return p.All == nil && p.Any == nil && p.Not == nil && p.Field == "" && p.Op == "" && p.Expr == nil
}

// Validate checks the form of a predicate, its fields, and each value against its
// field's type. An empty All is true, an empty Any is false.
func (p *Predicate) Validate(field func(string) (Field, error)) error {
	if p.Empty() {
		return nil
	}
	forms := 0
	for _, set := range []bool{p.All != nil, p.Any != nil, p.Not != nil, p.Op != "" || p.Field != "", p.Expr != nil} {
		if set {
			forms++
		}
	}
	if forms != 1 {
		return invalid("a condition is exactly one of all, any, not, an expression and a comparison")
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
	if p.Expr != nil {
		errs = append(errs, checkExpr(p.Expr, field))
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
	view := s.View()
	errs := []error{view.validate(datasets)}
	if errs[0] != nil {
		return errs[0]
	}
	if len(s.Measures) == 0 {
		errs = append(errs, invalid("a summary needs at least one measure"))
	}
	if len(s.GroupBy) > 2 || s.Limit < 0 {
		errs = append(errs, invalid("at most two groups and no negative limit"))
	}
	errs = append(errs, s.validateCuts())
	if s.Day != "" {
		if _, err := time.Parse(time.DateOnly, s.Day); err != nil {
			errs = append(errs, invalid("day %q is not a date", s.Day))
		}
	}
	seen := map[string]bool{}
	for _, g := range s.GroupBy {
		if ds.Column(g) < 0 || seen[g] {
			errs = append(errs, invalid("unknown or repeated group column %q", g))
		}
		seen[g] = true
	}
	field := func(name string) (Field, error) { return view.Field(name, datasets) }
	for i := range s.Measures {
		m := &s.Measures[i]
		if m.As == "" || seen[m.As] {
			errs = append(errs, invalid("measure name %q is empty or taken", m.As))
		}
		seen[m.As] = true
		errs = append(errs, m.validate(field))
	}
	errs = append(errs, s.Where.Validate(field))
	return errors.Join(errs...)
}

// View is what the summary's names are looked up in.
func (s *Summary) View() View { return View{Base: s.Dataset, Lookups: s.Lookups} }

func (m *Measure) validate(field func(string) (Field, error)) error {
	f, ok := forms[m.Kind]
	if !ok || len(m.Columns) < f.least || f.most >= 0 && len(m.Columns) > f.most {
		return invalid("measure %q: kind %q does not fit its columns", m.As, m.Kind)
	}
	if m.Judged && m.Kind != Rows && m.Kind != NonNull {
		return invalid("measure %q: %s does not count judged rows", m.As, m.Kind)
	}
	errs := []error{m.Where.Validate(field), m.Than.Validate(field), m.options()}
	for _, c := range m.Columns {
		x, err := field(c)
		if err == nil && f.types != nil && !slices.Contains(f.types, x.Type) {
			err = invalid("measure %q: kind %q does not fit column %q, which is %s", m.As, m.Kind, c, x.Type)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// options checks what a kind takes besides its columns.
func (m *Measure) options() error {
	ok := true
	switch m.Kind {
	case Flag:
		ok = m.Bit >= 0 && m.Bit < 64
	case Quantile:
		ok = m.P >= 0 && m.P <= 1
	case Outliers:
		ok = m.P > 0
	case Bins:
		ok = len(m.Edges) > 0 && len(m.Edges) <= MaxBins
		for i, e := range m.Edges {
			ok = ok && !math.IsNaN(e) && !math.IsInf(e, 0) && (i == 0 || e > m.Edges[i-1])
		}
	case Shares, Mode:
		ok = len(m.Values) > 0 && len(m.Values) <= 1000
	}
	if !ok {
		return invalid("measure %q: the options of kind %q do not fit", m.As, m.Kind)
	}
	return nil
}

// MaxBins is how many edges a measure may have.
const MaxBins = 200
