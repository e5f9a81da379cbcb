package quality

import "mulu"

// Status is how one rule came out.
type Status string

// The statuses. A soft rule that does not hold warns, a strong one fails.
const (
	Pass    Status = "pass"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Errored Status = "error"   // it could not be judged; Message says why and how to mend it
	Skipped Status = "skipped" // there was nothing to judge, or not enough history yet
)

// Result is what one rule, of rows or of the set, says of one state of a dataset.
type Result struct {
	Rule      mulu.RuleID
	Kind      string
	Indicator string
	Set       bool // a rule over the whole dataset
	Blocking  bool // 强
	Status    Status
	// Evaluated elements and those of them that failed: X = (Evaluated-Failed)/Evaluated.
	// What an element is depends on the kind (docs/rules.md).
	Evaluated, Failed int64
	Observed          any    // number, text or nil: what was measured, for rules that measure
	Expected          string // the bound it was held against, as shown
	Message           string // Chinese, without any value of a row
}

// Holds says whether the rule came out in order; nothing to judge is in order.
func (r *Result) Holds() bool { return r.Status == Pass || r.Status == Skipped }

// Judge sets the status that the counts and a rule's mostly give: with nothing judged it
// is Skipped, with a share of at least mostly in order (0 is all) it is Pass.
func (r *Result) Judge(mostly float64) {
	if mostly == 0 {
		mostly = 1
	}
	switch {
	case r.Evaluated == 0:
		r.Status = Skipped
	case float64(r.Evaluated-r.Failed) >= mostly*float64(r.Evaluated):
		r.Status = Pass
	case r.Blocking:
		r.Status = Fail
	default:
		r.Status = Warn
	}
}
