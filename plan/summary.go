package plan

import "mulu"

// Summary is a set of measures over one dataset's current rows, or per group.
// library compiles all of them into one scan: set rules, scores and pages ask for
// counts this way and never for rows.
type Summary struct {
	Dataset  mulu.DatasetCode
	Lookups  []Lookup  // joined to the scan; their items are in conditions and measures
	Measures []Measure // at least one
	Where    Predicate
	GroupBy  []string // column names, at most 2; the result has one row per group
	Limit    int64    // most groups returned, by the first measure descending; 0 is 1 000
	Cuts     []Cut    // at most 2, and not with GroupBy
	// Day is what "today" means in conditions, YYYY-MM-DD; "" is the library's clock.
	Day string
}

// Measure is one number per group, or a list of them where its kind says so. A number
// is a float64, exact up to 2^53, and nil where there is nothing to measure; dates and
// datetimes (max, min) come as Unix microseconds; a list is a []float64. A measure over
// the same rows is the same number whatever parts they lie in.
type Measure struct {
	As      string
	Kind    MeasureKind
	Columns []string  // columns of the base, or items of its lookups
	Where   Predicate // rows for which it is not true are left out
	Bit     int       // flag: the row rule's index
	// Of flag, any_flag: rows with one of Any set (any_flag; 0 is any at all) and none of Unless.
	Any, Unless uint64

	// Judged counts only rows that the row rules in force have judged (rows, non_null):
	// those that came under other rules are not, until history was judged again.
	Judged bool

	P      float64   // quantile: which, in [0,1]; outliers: how many standard deviations
	Edges  []float64 // bins: ascending; a number of the list is a count below, between, or from an edge
	Values []string  // shares: the categories to count; mode: the set
	Strict bool      // rises, falls: equal neighbours break the order as well
	Than   Predicate // ks: the rows that Where's are compared with
}

// MeasureKind says what a Measure counts.
type MeasureKind string

// The measures. Distinct values, quantiles and moments are exact, not estimates.
const (
	Rows     MeasureKind = "rows"
	NonNull  MeasureKind = "non_null" // rows where none of Columns is null
	Distinct MeasureKind = "distinct" // distinct values: of one column without nulls; of several, where a null is a value
	Max      MeasureKind = "max"
	Min      MeasureKind = "min"
	Flag     MeasureKind = "flag" // judged rows whose row rule Bit failed: a bit of their effective flags
	AnyFlag  MeasureKind = "any_flag"
	Extra    MeasureKind = "extra" // rows with a field that the version does not know (未登记字段)

	Sum         MeasureKind = "sum"
	Mean        MeasureKind = "mean"
	StdDev      MeasureKind = "stddev"     // of a sample: divided by n-1
	StdDevPop   MeasureKind = "stddev_pop" // of all: divided by n
	Quantile    MeasureKind = "quantile"   // between neighbours it is interpolated, as numpy and Excel's PERCENTILE.INC do
	Correlation MeasureKind = "correlation"
	Outliers    MeasureKind = "outliers" // values further than P standard deviations (pop) from the mean
	Entropy     MeasureKind = "entropy"  // bits, to nine decimal places
	LengthMin   MeasureKind = "length_min"
	LengthMax   MeasureKind = "length_max"
	LengthMean  MeasureKind = "length_mean"
	Rises       MeasureKind = "rises" // breaks of the order: neighbours by Columns[0] whose Columns[1] falls
	Falls       MeasureKind = "falls" // the same for one that should fall

	Bins   MeasureKind = "bins"   // list: len(Edges)+1 counts; a value on an edge is above it
	Shares MeasureKind = "shares" // list: a count per value of Values, then one of all others
	Mode   MeasureKind = "mode"   // list: count of the most frequent value, how many values are that frequent, how many of those in Values
	KS     MeasureKind = "ks"     // list: Kolmogorov–Smirnov's statistic between Where's rows and Than's, and its p; nil if either is empty
)

// numbers, ordered and anything are what a measure's columns may be.
var (
	numbers  = []mulu.Type{mulu.Int, mulu.Decimal}
	ordered  = []mulu.Type{mulu.Int, mulu.Decimal, mulu.Date, mulu.DateTime}
	texts    = []mulu.Type{mulu.String}
	anything = []mulu.Type(nil)
)

// form is what a kind of measure takes; most -1 is any number.
type form struct {
	least, most int
	types       []mulu.Type
}

var forms = map[MeasureKind]form{
	Rows: {}, AnyFlag: {}, Flag: {}, Extra: {},
	NonNull: {1, -1, anything}, Distinct: {1, -1, anything}, Max: {1, 1, ordered}, Min: {1, 1, ordered},
	Sum: {1, 1, numbers}, Mean: {1, 1, numbers}, StdDev: {1, 1, numbers}, StdDevPop: {1, 1, numbers}, Quantile: {1, 1, numbers},
	Correlation: {2, 2, numbers}, Outliers: {1, 1, numbers}, Entropy: {1, 1, anything},
	LengthMin: {1, 1, texts}, LengthMax: {1, 1, texts}, LengthMean: {1, 1, texts},
	Rises: {2, 2, ordered}, Falls: {2, 2, ordered}, Bins: {1, 1, numbers}, Shares: {1, 1, texts}, Mode: {1, 1, texts}, KS: {1, 1, numbers},
}
