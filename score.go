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
	// Note says what else was counted, e.g. a nil report; Chinese, shown. Left out of
	// digests when empty.
	Note string `json:",omitempty"`
}

// Dimension is one of the six dimensions with the weight it carried.
type Dimension struct {
	Code       string // "010000" … "060000"
	Title      string
	Weight     float64 // as declared, before not-applicable siblings are scaled out
	X          float64 // in [0,1]
	Applicable bool
	Indicators []Indicator
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
	Digest     string // sha256: of the canonical JSON of all the above
	At         time.Time
}
