// Package profile looks over rows once and says what they are made of (数据探查): types,
// nulls, ranges, patterns, identifiers, keys, and how items depend on each other. It
// takes Arrow batches of any dataset or file, uses a bounded amount of memory, gives the
// same profile for the same rows and seed, and its builders merge.
//
// Values of rows are personal data. A Profile is made to be stored and shown to people
// who may not see rows: it holds no value of an item of level L3 or above, of an item
// without a level, or of one whose content looks like personal information.
package profile

import (
	"time"

	"mulu"
)

// Field is what is known beforehand of one column of the rows.
type Field struct {
	Name  string
	Title string     // Chinese name, "" if none
	Type  mulu.Type  // declared; "" if nothing is
	Scale int        // of a declared decimal
	Level mulu.Level // 0 is not classified, which is treated as secret
	PI    string     // declared kind of personal information
}

// FieldsOf are the fields of a declared dataset, in its order.
func FieldsOf(ds *mulu.Dataset) []Field {
	out := make([]Field, len(ds.Columns))
	for i, c := range ds.Columns {
		out[i] = Field{Name: c.Name, Title: c.Title, Type: c.Type, Scale: c.Scale, Level: c.Level, PI: c.PI}
	}
	return out
}

// Profile says what rows are made of. It can be stored and shown: see the package.
type Profile struct {
	Dataset string    `json:"dataset,omitempty"`
	Version uint32    `json:"version,omitempty"` // of the dataset, 0 for a file
	Data    string    `json:"data,omitempty"`    // names the state of the rows
	Seed    uint64    `json:"seed"`
	AsOf    string    `json:"as_of"` // the day that "today" means
	Rows    int64     `json:"rows"`
	Sampled int64     `json:"sampled"` // rows that quantiles and relations are taken from; equal to Rows, they are exact
	At      time.Time `json:"at"`

	Columns    []Column     `json:"columns"`
	Keys       []Key        `json:"keys"`
	Relations  []Relation   `json:"relations"`
	Duplicates []Duplicates `json:"duplicates"`
}

// Column is what one column holds.
type Column struct {
	Name     string     `json:"name"`
	Title    string     `json:"title,omitempty"`
	Declared mulu.Type  `json:"declared,omitempty"`
	Observed mulu.Type  `json:"observed"` // what the values can be read as
	Layout   string     `json:"layout,omitempty"`
	Scale    int        `json:"scale,omitempty"` // most digits after the point
	Parses   []Share    `json:"parses,omitempty"`
	Level    mulu.Level `json:"level,omitempty"`

	Rows         int64    `json:"rows"`
	Nulls        int64    `json:"nulls"`
	Placeholders int64    `json:"placeholders"` // empty texts and words such as 不详
	Values       int64    `json:"values"`       // what is left
	Distinct     Distinct `json:"distinct"`
	Constant     bool     `json:"constant"`

	Length    *Length     `json:"length,omitempty"`
	Range     *Range      `json:"range,omitempty"`
	Histogram []Bin       `json:"histogram,omitempty"`
	Shapes    []Shape     `json:"shapes,omitempty"`
	Chars     Chars       `json:"chars"`
	Top       []Value     `json:"top,omitempty"`
	TopExact  bool        `json:"top_exact"`
	Closed    string      `json:"closed,omitempty"` // why no value is shown, Chinese
	Is        *Identified `json:"is,omitempty"`
	Codes     []CodeFit   `json:"codes,omitempty"`
	CodeLike  bool        `json:"code_like"` // few values, each often: likely a code list

	// Secret is for suggestions made beside the profile; it never leaves the process.
	Secret Secret `json:"-"`
}

// Secret holds values and bounds as they are.
type Secret struct {
	Min, Max  float64
	Inside    [2]float64 // least and greatest value that is no outlier
	Outside   int64      // outliers, of the sample: beyond three times the middle half's width
	Orders    bool       // the outliers are so by their order of magnitude: another unit
	Judged    int64      // rows of the sample that have a number
	Future    int64      // dates after AsOf, of all rows
	Before    int64      // dates before 1900, of all rows
	Top       []Value
	Signature []Signature
}

// Share is a part of the values that something is true of.
type Share struct {
	Name  string  `json:"name"`
	Count int64   `json:"count"`
	Share float64 `json:"share"`
}

// Distinct counts different values. Beyond a bound it is an estimate, and says so.
type Distinct struct {
	Count int64   `json:"count"`
	Exact bool    `json:"exact"`
	Error float64 `json:"error,omitempty"` // of an estimate, one standard deviation, relative
	Once  int64   `json:"once"`            // values that stand in one row alone
}

// Length of texts, in characters.
type Length struct {
	Min  int     `json:"min"`
	Max  int     `json:"max"`
	Mean float64 `json:"mean"`
}

// Range is of numbers, or of dates as text. Of a closed column the ends are left out
// and the quantiles are rounded.
type Range struct {
	Min       string     `json:"min,omitempty"`
	Max       string     `json:"max,omitempty"`
	Mean      *float64   `json:"mean,omitempty"`
	Deviation *float64   `json:"stdev,omitempty"`
	Quantiles []Quantile `json:"quantiles,omitempty"`
}

// Quantile is the value below which a share of the values lies.
type Quantile struct {
	At    float64 `json:"at"`
	Value string  `json:"value"`
}

// Bin is one bar of a histogram: from From on, up to the next one's From.
type Bin struct {
	From  string `json:"from"`
	Count int64  `json:"count"`
}

// Shape is a pattern of character classes: 9 digit, A and a Latin letters, 汉, other
// letters 文; a count in braces where a class is repeated.
type Shape struct {
	Shape string  `json:"shape"`
	Count int64   `json:"count"`
	Share float64 `json:"share"`
}

// Signature is the shapes that differ in lengths alone.
type Signature struct {
	Classes string // one character a run
	Lengths [][2]int
	Count   int64
}

// Chars counts values with characters that should not be there.
type Chars struct {
	FullWidth int64 `json:"full_width"` // ０Ａ and the like
	Edges     int64 `json:"edges"`      // blanks at an end
	Inner     int64 `json:"inner"`      // blanks inside
	Invisible int64 `json:"invisible"`  // zero width, byte order marks, control characters
	Mojibake  int64 `json:"mojibake"`   // 锟斤拷 and U+FFFD
	Personal  int64 `json:"personal"`   // a citizen or mobile number inside a longer text
}

// Value is one value and how many rows have it.
type Value struct {
	Value string  `json:"value"`
	Count int64   `json:"count"`
	Share float64 `json:"share"`
}

// Identified says what a column was recognised as.
type Identified struct {
	Kind   string  `json:"kind"`   // id_no, credit, mobile …
	Title  string  `json:"title"`  // Chinese
	By     string  `json:"by"`     // content, name, both
	Values int64   `json:"values"` // values looked at
	Good   int64   `json:"good"`   // of them, those in order
	Share  float64 `json:"share"`  // Good / Values
	PI     string  `json:"pi,omitempty"`
}

// CodeFit says how many of the values are in a code table.
type CodeFit struct {
	Table string  `json:"table"`
	Good  int64   `json:"good"`
	Of    int64   `json:"of"`
	Share float64 `json:"share"`
	Named bool    `json:"named"` // the column's name speaks for it too
}

// Key is a candidate for a business key.
type Key struct {
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`   // rows in which all of it is filled in
	Repeat  int64    `json:"repeat"` // rows beyond the first with the same key
	Empty   int64    `json:"empty"`  // rows in which some of it is not
	Exact   bool     `json:"exact"`
}

// Duplicates counts rows equal to an earlier one in every column but one.
type Duplicates struct {
	Except string `json:"except,omitempty"` // "" is none: wholly equal rows
	Rows   int64  `json:"rows"`
	Exact  bool   `json:"exact"`
}

// RelationKind is how two columns hang together.
type RelationKind string

// The relations.
const (
	BirthOfID  RelationKind = "birth_of_id" // [date, citizen number]
	SexOfID    RelationKind = "sex_of_id"   // [sex, citizen number]
	Order      RelationKind = "order"       // [earlier, later]
	Equal      RelationKind = "equal"
	Prefix     RelationKind = "prefix"     // [longer, its beginning]
	Determines RelationKind = "determines" // [A, B]: A → B
	FilledWhen RelationKind = "filled_when"
)

// Relation is a statement about two columns that nearly all rows bear out.
type Relation struct {
	Kind    RelationKind `json:"kind"`
	Columns []string     `json:"columns"`
	Judged  int64        `json:"judged"` // rows of the sample that could be asked
	Broken  int64        `json:"broken"` // of them, those that contradict
	// When is the value of Columns[1] with which Columns[0] is filled in, of FilledWhen.
	When string `json:"-"`
}

// Holds is the share of the judged rows that bear the relation out.
func (r Relation) Holds() float64 {
	if r.Judged == 0 {
		return 0
	}
	return float64(r.Judged-r.Broken) / float64(r.Judged)
}

// Column returns the named column, or nil.
func (p *Profile) Column(name string) *Column {
	for i := range p.Columns {
		if p.Columns[i].Name == name {
			return &p.Columns[i]
		}
	}
	return nil
}

// Filled is the share of rows that have a value.
func (c *Column) Filled() float64 {
	if c.Rows == 0 {
		return 0
	}
	return float64(c.Values) / float64(c.Rows)
}
