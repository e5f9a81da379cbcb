package plan

import "mulu"

// Summary is a set of measures over one dataset's current rows, or per group.
// library compiles all of them into one scan: set rules, scores and pages ask for
// counts this way and never for rows.
type Summary struct {
	Dataset  mulu.DatasetCode
	Measures []Measure // at least one
	Where    Predicate
	GroupBy  []string // column names, at most 2; the result has one row per group
	Limit    int64    // most groups returned, by the first measure descending; 0 is 1 000
}

// Measure is one number per group. The result is always a float64, exact up to
// 2^53; dates and datetimes (max, min) come as Unix microseconds.
type Measure struct {
	As      string
	Kind    MeasureKind
	Columns []string
	Bit     int // flag: the row rule's index
	// Judged counts only rows that the row rules in force have judged (rows, non_null):
	// those that came under other rules are not, until history was judged again.
	Judged bool
}

// MeasureKind says what a Measure counts.
type MeasureKind string

// The measures. distinct is exact, not an estimate.
const (
	Rows     MeasureKind = "rows"
	NonNull  MeasureKind = "non_null" // rows where Columns[0] is not null
	Distinct MeasureKind = "distinct" // distinct values: of one column without nulls; of several, where a null is a value
	Max      MeasureKind = "max"
	Min      MeasureKind = "min"
	Flag     MeasureKind = "flag" // judged rows whose row rule Bit failed: a bit of their effective flags
	AnyFlag  MeasureKind = "any_flag"
)
