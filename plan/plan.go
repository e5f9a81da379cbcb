// Package plan is the typed read plan: what a grant, a set rule or a page wants
// to read, as data. It has no SQL and does no I/O. library compiles a Plan to
// one parameterised statement over exactly the items it names; nobody else may.
package plan

import (
	"mulu"
	"mulu/plan/expr"
)

// Plan is one read. The result has exactly the columns of Items, in order.
type Plan struct {
	View  View
	Items []Item // at least one
	Where Predicate
	// Grant-independent bound on the result; 0 means the caller's default.
	Limit int64
	// OrderByKey asks for a stable order by the base dataset's business key.
	OrderByKey bool
}

// View is a base dataset with keyed lookups and derived items (design invariant 8).
type View struct {
	Base    mulu.DatasetCode
	Lookups []Lookup
	Derived []Derived
}

// Lookup joins another dataset to the base by equal key columns. "latest" offers
// the newest row's columns as Name.column, by OrderBy descending; "exists" offers
// the boolean Name; "count" offers the integer Name.
type Lookup struct {
	Name    string // prefix of the items it offers
	Dataset mulu.DatasetCode
	Kind    LookupKind
	On      []string // column names of the base
	// To are the names in the lookup's dataset, one for each of On; nil if they are the same.
	To      []string `json:",omitempty"`
	OrderBy string   // for latest
	// ByVersion lets a latest lookup do without OrderBy: the row that came last is taken.
	ByVersion bool `json:",omitempty"`
}

// There are the columns of the lookup's dataset that On is joined to.
func (l *Lookup) There() []string {
	if l.To == nil {
		return l.On
	}
	return l.To
}

// LookupKind is how a lookup answers.
type LookupKind string

// The kinds of lookup.
const (
	Latest LookupKind = "latest"
	Exists LookupKind = "exists"
	Count  LookupKind = "count"
)

// Derived computes an item from another. "age": whole years from the date column
// From to the plan's as-of date; "days_since": whole days from it.
type Derived struct {
	Name string
	Kind string // "age", "days_since"
	From string
	AsOf string // "today" or YYYY-MM-DD; the caller resolves today by the injected clock
}

// Item is one column of the result.
type Item struct {
	Name string // "name", "visit.live_alone", "age"
	As   string // name in the result; "" keeps Name with "." as "_"
	Mask Mask
}

// Mask is how an item is shown. Clear shows it as it is. Definitions and
// examples: domain convention, design.md §4; each is total (null stays null).
type Mask string

// The masks. Token is a keyed pseudonym (HMAC-SHA256 under the scenario's key),
// joinable inside one scenario and nowhere else.
const (
	Clear     Mask = ""
	MaskName  Mask = "name"       // 张** ; compound surnames keep two
	MaskID    Mask = "id_no"      // 310***********1236
	MaskPhone Mask = "phone"      // 138****1234
	MaskAddr  Mask = "address"    // to the road
	MaskYear  Mask = "birth_year" // 1945-**-**
	MaskBand  Mask = "age_band"   // 80-84
	MaskYesNo Mask = "yes_no"
	MaskHide  Mask = "hide" // always null
	MaskToken Mask = "token"
	// MaskStray takes identity and mobile numbers out of a text that should hold none: what
	// fails a rule is often a value in the wrong column.
	MaskStray Mask = "stray"
)

// Predicate is a typed condition; the zero Predicate is true. Exactly one of All,
// Any, Not, Expr and Op is set. Values travel as bound parameters, never as SQL text.
type Predicate struct {
	All []Predicate `json:"all,omitempty"`
	Any []Predicate `json:"any,omitempty"`
	Not *Predicate  `json:"not,omitempty"`

	Field string `json:"f,omitempty"`
	Op    Op     `json:"op,omitempty"`
	Value any    `json:"v,omitempty"` // string, bool, int64, float64 or []string for In

	// Expr is a typed expression over the view's items, of rules; the condition is met
	// where it is true, not where it is unknown. No request carries one.
	Expr *expr.Node `json:"-"`
}

// Op is a comparison.
type Op string

// The comparisons. Prefix and In need strings; IsNull takes no value.
const (
	Eq     Op = "eq"
	Ne     Op = "ne"
	Lt     Op = "lt"
	Le     Op = "le"
	Gt     Op = "gt"
	Ge     Op = "ge"
	Prefix Op = "prefix"
	In     Op = "in"
	IsNull Op = "is_null"
)
