// Package expr is the boolean expression of rules: parsed from text once, typed against
// the items it names, and then only data. quality runs it on Arrow columns, library
// compiles it to the engine's SQL; both give the same answer for the same rows. Only
// what Op lists can be said: an expression reads no table, calls no function of its own
// and never becomes SQL text by itself.
//
// Null is unknown, as in SQL: a comparison with null is unknown, and/or/not follow
// Kleene's tables, only is_null is never unknown. A row for which the whole expression
// is unknown is not judged.
//
// Arithmetic is exact: Parse refuses what could exceed 38 digits, so that 128 bits hold
// every number of an expression, scaled by its Scale.
package expr

import (
	"maps"
	"slices"

	"mulu"
)

// Node is one node of a typed expression. The zero Node is invalid.
type Node struct {
	Op    Op
	Type  mulu.Type // of its value
	Scale int       // of a decimal
	Args  []Node
	Field string // of OpField: a column of the base, or "lookup.column", or the name of an exists or count lookup
	// Value of OpLiteral, in the form of plan.Predicate.Bound: string for text, decimal
	// ("12.50"), date ("2006-01-02") and datetime ("2006-01-02 15:04:05.000", Shanghai);
	// int64; bool; nil is null. Of OpIn: []string or []int64, the set.
	Value any
}

// Op is what a node does.
type Op string

// The operations. Dates and datetimes are compared in Shanghai.
const (
	OpField   Op = "field"
	OpLiteral Op = "literal"

	OpAnd    Op = "and" // two or more Args
	OpOr     Op = "or"
	OpNot    Op = "not"
	OpIsNull Op = "is_null"
	OpEq     Op = "eq" // two Args of one type; int and decimal compare as decimals
	OpNe     Op = "ne"
	OpLt     Op = "lt"
	OpLe     Op = "le"
	OpGt     Op = "gt"
	OpGe     Op = "ge"
	OpIn     Op = "in" // Args[0] among Value

	OpAdd Op = "add" // numbers; the result is a decimal if one of them is
	OpSub Op = "sub"
	OpMul Op = "mul"
	OpNeg Op = "neg"

	OpStartsWith Op = "starts_with" // text, text
	OpEndsWith   Op = "ends_with"
	OpContains   Op = "contains"
	OpMatches    Op = "matches"   // text, literal RE2 pattern, anywhere in the text; a dot is not a line break
	OpLength     Op = "length"    // characters (code points)
	OpSubstring  Op = "substring" // text, from (0-based, characters), count: int literals; less where the text ends
	OpLower      Op = "lower"     // ASCII letters
	OpUpper      Op = "upper"

	OpToday Op = "today" // the day the rows are judged by
	OpYear  Op = "year"  // of a date or datetime
	OpMonth Op = "month"
	OpDay   Op = "day"
	OpDays  Op = "days" // days from the first date to the second, negative if that is earlier
	OpAge   Op = "age"  // whole years (周岁) from the first date to the second, negative if that is earlier
	OpDate  Op = "date" // of a datetime, its day in Shanghai; of text "2006-01-02" or "20060102", unknown if it is neither
)

// Fields lists what the expression names, each once, sorted.
func (n *Node) Fields() []string {
	names := map[string]bool{}
	n.fields(names)
	return slices.Sorted(maps.Keys(names))
}

func (n *Node) fields(names map[string]bool) {
	if n.Op == OpField {
		names[n.Field] = true
	}
	for i := range n.Args {
		n.Args[i].fields(names)
	}
}
