package rows

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mulu"
	"mulu/plan"
)

// Shown is whether any item of a row is kept from a viewer.
type Shown string

// What a viewer sees.
const (
	Clear  Shown = "clear"  // every classified item as it is
	Masked Shown = "masked" // items of L3 and above under their masks
)

// Sight is how the rows of a dataset are shown to one viewer.
type Sight struct {
	Items []plan.Item // all columns of the version, each with its mask
	Shown Shown
}

// Look is who wants to see rows, and whether in clear.
type Look struct {
	Who     mulu.Actor
	Reveal  bool   // 揭示: in clear what would be masked
	Purpose string // what for; needed to reveal
}

// maxPurpose is the longest purpose, in characters.
const maxPurpose = 200

// See is the rule of who sees what of a failing row (docs/adr/0030), and the only one:
//
//	officer of the owner   its own rows in clear: they are its data
//	steward of the centre  L1 and L2 in clear but for numbers of persons that strayed there, L3 and
//	                       above under the mask of their pi; all in clear with a purpose (揭示)
//	everybody else         none: mulu.ErrDenied
//
// An item without a level, and one of L3 and above whose kind of personal information has
// no mask that fits its type, is hidden. What no column declares (_extra) is never shown.
func See(ds *mulu.Dataset, l Look) (Sight, error) {
	owner := l.Who.Role == mulu.RoleOfficer && l.Who.Org.Code == ds.Owner && ds.Owner != ""
	switch {
	case l.Who.Role == mulu.RoleOfficer && !owner:
		return Sight{}, fmt.Errorf("数据集 %s 由其他单位负责，只有其数据专员可以查看不合格行 / not your organisation's dataset: %w", ds.Code, mulu.ErrDenied)
	case !owner && (l.Who.Role != mulu.RoleSteward || l.Who.Org.Kind != "center"):
		return Sight{}, fmt.Errorf("当前角色不能查看不合格行 / this role sees no rows: %w", mulu.ErrDenied)
	}
	if l.Reveal && owner {
		l.Reveal = false // it is in clear already
	}
	if err := l.check(); err != nil {
		return Sight{}, err
	}
	clear := owner || l.Reveal
	s := Sight{Shown: Masked}
	if clear {
		s.Shown = Clear
	}
	for i := range ds.Columns {
		c := &ds.Columns[i]
		s.Items = append(s.Items, plan.Item{Name: c.Name, Mask: maskOf(c, clear)})
	}
	return s, nil
}

func (l *Look) check() error {
	n := utf8.RuneCountInString(strings.TrimSpace(l.Purpose))
	switch {
	case n > maxPurpose:
		return fmt.Errorf("用途最多 %d 字 / purpose too long: %w", maxPurpose, mulu.ErrInvalid)
	case l.Reveal && n < 4:
		return fmt.Errorf("揭示 L3 及以上的数据项须写明用途，至少 4 个字，将记入查看记录 / say what it is for: %w", mulu.ErrInvalid)
	}
	return nil
}

// masks by kind of personal information; what is not here is hidden from L3 on.
var masks = map[string]plan.Mask{
	"name": plan.MaskName, "id_no": plan.MaskID, "phone": plan.MaskPhone, "address": plan.MaskAddr, "birth": plan.MaskYear, "death": plan.MaskYear,
}

// fits says whether one of masks can be put on a type.
func fits(m plan.Mask, t mulu.Type) bool {
	return t == mulu.String || m == plan.MaskYear && (t == mulu.Date || t == mulu.DateTime)
}

func maskOf(c *mulu.Column, clear bool) plan.Mask {
	switch {
	case c.Level < mulu.L1 || c.Level > mulu.L4:
		return plan.MaskHide
	case clear:
		return plan.Clear
	case c.Level <= mulu.L2 && c.PI == "" && c.Type == mulu.String:
		return plan.MaskStray
	case c.Level <= mulu.L2 && c.PI == "":
		return plan.Clear
	}
	if m, ok := masks[c.PI]; ok && fits(m, c.Type) {
		return m
	}
	return plan.MaskHide
}

// Mask is how an item is shown; an unknown item is hidden.
func (s *Sight) Mask(name string) plan.Mask {
	for _, it := range s.Items {
		if it.Name == name {
			return it.Mask
		}
	}
	return plan.MaskHide
}

// open says that an item's values are known to the viewer: as they are, but for what
// strayed there.
func (s *Sight) open(name string) bool {
	m := s.Mask(name)
	return m == plan.Clear || m == plan.MaskStray
}

// Narrow refuses a condition on an item that the viewer does not see: asking often
// enough would tell its value.
func (s *Sight) Narrow(p *plan.Predicate) error {
	var errs []error
	for _, name := range fieldsOf(p) {
		if !s.open(name) {
			errs = append(errs, fmt.Errorf("数据项 %s 对您是脱敏的，不能按它筛选；需要时请先揭示并写明用途 / a masked item can not be filtered by: %w", name, mulu.ErrDenied))
		}
	}
	return errors.Join(errs...)
}

func fieldsOf(p *plan.Predicate) (names []string) {
	for _, list := range [][]plan.Predicate{p.All, p.Any} {
		for i := range list {
			names = append(names, fieldsOf(&list[i])...)
		}
	}
	if p.Not != nil {
		names = append(names, fieldsOf(p.Not)...)
	}
	if p.Field != "" {
		names = append(names, p.Field)
	}
	return names
}
