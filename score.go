package mulu

import "time"

// Indicator is one indicator of DB31/T 1523-2024 for one dataset: X = A/B. B = 0
// means not applicable (the standard leaves it undefined): such an indicator is
// left out and its siblings' weights are scaled up, it is never 0 or 100.
type Indicator struct {
	Code  string // six digits
	Title string
	A, B  int64
	X     float64 // in [0,1]; meaningless when B is 0
	// Raw is the problem rate B-counts for the two indicators whose sense DB31
	// inverts against GB/T 36344 (030300, 030500); else it equals 1-X.
	Raw float64
	// Note says what else was counted, e.g. a nil report, or why nothing was; Chinese,
	// shown. Left out of digests when empty, as all below: older scores keep theirs.
	Note string `json:",omitempty"`
	// Parent is the code above, Weight what the scheme gives among the siblings, Effective
	// what was carried once siblings that do not apply were left out.
	Parent    string  `json:",omitempty"`
	Weight    float64 `json:",omitempty"`
	Effective float64 `json:",omitempty"`
}

// Group is an indicator of the second level that has indicators of the third below it.
type Group struct {
	Code              string
	Title             string
	Weight, Effective float64
	X                 float64
	Applicable        bool
}

// Dimension is one of the six dimensions with the weight it carried.
type Dimension struct {
	Code       string // "010000" … "060000"
	Title      string
	Weight     float64 // as declared, before not-applicable siblings are scaled out
	Effective  float64 `json:",omitempty"` // after
	X          float64 // in [0,1]
	Applicable bool
	Groups     []Group `json:",omitempty"`
	Indicators []Indicator
}

// RuleCount is what one rule added to its indicator: X = (Evaluated-Failed)/Evaluated. Of
// the failing elements, Historic stand in rows that landed before the dataset's baseline
// day, and City are for the city to mend; the rest are the district's.
type RuleCount struct {
	Rule              RuleID
	Indicator         string
	Set               bool `json:",omitempty"`
	Evaluated, Failed int64
	Historic, City    int64 `json:",omitempty"`
}

// Part is the score of some of a dataset's elements, under the same weights.
type Part struct {
	Rows  int64
	Total float64
	Grade string
	// Counts has A and B of every indicator that applies, X that of every dimension that does.
	Counts map[string][2]int64
	X      map[string]float64
}

// Period is the time in which an increment landed, [From, To).
type Period struct{ From, To time.Time }

// GradeFloor is the lowest total of a grade.
type GradeFloor struct {
	Grade string
	From  float64
}

// Score is one dataset's quality at one moment, recomputable from what it names.
type Score struct {
	Dataset    DatasetCode
	Ruleset    uint32
	Weights    string // version of the weight scheme
	Rows       int64
	Through    time.Time // newest manifest or nil report that was counted
	Total      float64   // in [0,1]
	Grade      string    // 优 良 中 及格 差
	Dimensions []Dimension
	// What follows was added later and is left out of digests when empty.
	Floors       []GradeFloor `json:",omitempty"` // of the scheme, best first; below the last is 差
	Caps         []string     `json:",omitempty"` // why the grade is lower than its total; Chinese
	Overdue      int64        `json:",omitempty"` // whole cycles without an update
	OneFaultOnce bool         `json:",omitempty"` // 一处脏数据只扣一次
	Rules        []RuleCount  `json:",omitempty"`
	Run          string       `json:",omitempty"` // digest of the rule run whose set rules were counted, "" for none
	Period       *Period      `json:",omitempty"` // of the increment
	Increment    *Part        `json:",omitempty"` // 增量
	Stock        *Part        `json:",omitempty"` // 存量
	District     *Part        `json:",omitempty"` // what the district answers for; nil: the dataset is the city's
	Otherwise    *Part        `json:",omitempty"` // all elements with OneFaultOnce the other way
	Digest       string       // sha256: of the canonical JSON of all the above
	At           time.Time
}
