package check

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"mulu"
	"mulu/quality"
)

// Form is how a rule wants a column read. The zero Form takes it as the file has it.
type Form struct {
	Type  mulu.Type // a cell that is not of it is unfit
	Scale int       // of a decimal
}

// Need is a column in one form.
type Need struct {
	Column int // position in Source.Columns
	Form   Form
}

// Batch is some rows of a file, one array per need. It is the source's again when the
// call it is handed over with returns.
type Batch struct {
	Seq   int // batches are numbered from 0 in the order of the file
	Rows  int
	Cols  []arrow.Array
	Loose []*Column // per need, in place of an array of no declared type; nil for none
	Unfit []Bits    // per need, cells that are there and can not be read so; nil for none
}

// ErrAgain ends a scan whose earlier batches were read with a type that a later cell
// does not have: everything found so far is forgotten and the file is scanned again.
var ErrAgain = errors.New("check: a column is of a wider type than it began with")

// Source gives a file's columns in batches.
type Source interface {
	Columns() []string
	// Types says what each column was found to be; the zero Form is several kinds, or none.
	Types() []Form
	// Scan calls f for every batch, several at once and in any order.
	Scan(ctx context.Context, needs []Need, f func(Batch) error) error
}

// Nulls says which rows a rule leaves out because values are absent.
type Nulls uint8

// The policies, over all columns of a rule.
const (
	SkipAny Nulls = iota // a row in which any is absent
	SkipAll              // a row in which all are
	KeepAll              // none
)

// Rule is one rule of a file of rules, ready to run.
type Rule struct {
	ID     string
	Kind   string // of docs/rules.md where there is one
	Origin string // what it is called where it comes from
	Title  string
	// Columns by name, each read as Forms says (nil: as the file has them).
	Columns   []string
	Forms     []Form
	When      *Cond // rows for which it is not true are left out
	Nulls     Nulls
	Mostly    float64 // 0 is all
	Soft      bool    // what does not hold warns
	Indicator string
	Expected  string

	row    func(*Rows, Bits) error // marks rows at fault among those judged
	set    *set
	schema func(*Outcome, Source) error // of the file's columns alone
	native *mulu.Rule                   // judged by quality
	judge  func(*Outcome)               // the verdict; nil is by Mostly
	hide   bool                         // its rows are of no use: failed_rows stays null

	declared *mulu.Dataset // of a native rule: what the file declares
	unknown  string        // a column the declaration does not have
	line     int
	// A hidden rule is a condition of another, which knows it by where (0 is none).
	condition bool
	where     int
	cel       string // of a set rule: the condition as quality reads it
}

// set is a rule over the whole file: part looks at a batch, done at all of them.
type set struct {
	part func(*Rows) (any, error)
	done func(*Set, *Outcome) error
}

// Set is what a set rule sees at the end.
type Set struct {
	Parts []any // in order
	First []int // row each begins at
	Sizes []int
	Rows  int
	Now   time.Time
}

// Rows is a batch as one rule sees it.
type Rows struct {
	N    int
	Cols []*Column
	Sel  Bits // rows to judge; nil is all
	Now  time.Time
}

// judged says whether a row is to be judged.
func (r *Rows) judged(i int) bool { return r.Sel == nil || r.Sel.Has(i) }

// count is how many rows are to be judged.
func (r *Rows) count() int64 {
	if r.Sel == nil {
		return int64(r.N)
	}
	return r.Sel.Count()
}

// each calls f for the rows to judge until it fails.
func (r *Rows) each(f func(i int) error) error {
	for i := range r.N {
		if r.judged(i) {
			if err := f(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// Outcome is how one rule came out.
type Outcome struct {
	Rule              *Rule
	Status            quality.Status
	Success           bool
	Evaluated, Failed int64
	Total             int64 // rows looked at, those left out for absent values included
	Rows              Bits  // at fault; nil if rows can not be named
	Observed          any
	Message           string // Chinese / English, without a value of any row
}

// Unmapped is a rule that could not be taken over.
type Unmapped struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
}

// Rules is a file of rules.
type Rules struct {
	Format   string // mulu, great_expectations, soda, odcs
	Rules    []Rule
	Unmapped []Unmapped
	NullText string // which words of a text file are absent: "pandas", or "" for an empty field
	Dataset  *mulu.Dataset
}

// test judges single values; whichever of its functions fits the column is used.
type test struct {
	ints   func(int64) bool
	floats func(float64) bool
	bytes  func([]byte) bool
	any    func(Value) (bool, error)
}

// apply marks the judged rows of column c for which t says no.
func (r *Rows) apply(c *Column, t test, fail Bits) error {
	switch {
	case c.Kind == Int && t.ints != nil:
		for i, v := range c.ints {
			if !t.ints(v) {
				fail.Set(i)
			}
		}
	case c.Kind == Float && t.floats != nil:
		for i, v := range c.floats {
			if !t.floats(v) {
				fail.Set(i)
			}
		}
	case c.Kind == Text && t.bytes != nil:
		for i := range c.n {
			if (r.Sel == nil || r.Sel.Has(i)) && !t.bytes(c.bytes(i)) {
				fail.Set(i)
			}
		}
	default:
		return r.each(func(i int) error {
			ok, err := t.any(c.At(i))
			if err == nil && !ok {
				fail.Set(i)
			}
			return err
		})
	}
	return nil
}

// mistyped is the error of a comparison that the foreign tool refuses as well.
func mistyped(what string) error {
	return fmt.Errorf("%s / wrong type of value: %w", what, mulu.ErrInvalid)
}

func mostly(o *Outcome) {
	share := o.Rule.Mostly
	if share == 0 {
		share = 1
	}
	o.hold(o.Evaluated == 0 || float64(o.Evaluated-o.Failed)/float64(o.Evaluated) >= share)
}

// hold sets the verdict.
func (o *Outcome) hold(ok bool) {
	o.Success = ok
	switch {
	case ok:
		o.Status = quality.Pass
	case o.Rule.Soft:
		o.Status = quality.Warn
	default:
		o.Status = quality.Fail
	}
}

// err sets that the rule could not be judged.
func (o *Outcome) err(err error) {
	o.Status, o.Success, o.Message = quality.Errored, false, err.Error()
	o.Evaluated, o.Failed, o.Rows = 0, 0, nil
}

// percent is a share of the judged as points of 100.
func percentOf(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) * 100 / float64(whole)
}

// finite turns what JSON has no form for into nil.
func finite(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return f
}
