package torture

import (
	"fmt"
)

// Verdicts of a scenario.
const (
	Passed = "passed"
	Failed = "failed"
	NotRun = "not run"
)

// Outcome is how one scenario ended, counted from the rows themselves.
type Outcome struct {
	Scenario          string           `json:"scenario"`
	Title             string           `json:"title"`
	Verdict           string           `json:"verdict"` // Passed, Failed, NotRun
	Why               string           `json:"why,omitempty"`
	Did               string           `json:"did"` // what was done to it, in numbers
	Kills             int              `json:"kills"`
	Acked             int64            `json:"acked"`              // records the broker acknowledged
	Lost              int64            `json:"lost"`               // acknowledged, and neither in the history nor rejected
	VisibleDuplicates int64            `json:"visible_duplicates"` // positions or keys that a reader sees twice
	RawDuplicates     int64            `json:"raw_duplicates"`     // rows stored twice that no reader sees
	Wrong             int64            `json:"wrong"`              // rows that are there and are not what was sent
	Alien             int64            `json:"alien"`              // rows of offsets that carry no committed record
	Unbalanced        int64            `json:"unbalanced"`         // partitions whose equation does not hold
	ChainBroken       int64            `json:"chain_broken"`       // commands acknowledged and not on the chain
	Good              int64            `json:"good"`
	Rejected          int64            `json:"rejected"`
	Control           int64            `json:"control"` // offsets without a record: markers, aborted records
	Batches           int64            `json:"batches"`
	ReadyP50          float64          `json:"ready_p50_s"`
	ReadyP99          float64          `json:"ready_p99_s"`
	Seconds           float64          `json:"seconds"`
	KilledAt          map[string]int   `json:"killed_at,omitempty"` // kills by stage; "time" is a random moment
	Figures           map[string]int64 `json:"figures,omitempty"`

	ready []float64 // seconds from start to ready, one per start
}

// fail keeps the first reason.
func (o *Outcome) fail(format string, args ...any) {
	o.Verdict = Failed
	if o.Why == "" {
		o.Why = fmt.Sprintf(format, args...)
	}
}

// judge fails an outcome whose counts break the promise.
func (o *Outcome) judge() {
	if o.Lost+o.VisibleDuplicates+o.Wrong+o.Alien+o.Unbalanced+o.ChainBroken != 0 {
		o.fail("承诺未守住 / the promise did not hold: lost %d, visible duplicates %d, wrong rows %d, alien rows %d, unbalanced partitions %d, chain gaps %d",
			o.Lost, o.VisibleDuplicates, o.Wrong, o.Alien, o.Unbalanced, o.ChainBroken)
	}
}

// Result is what `mulu torture --json` prints: the sums over the scenarios that were
// run, and each of them. What the negative control breaks on purpose is not summed.
type Result struct {
	Kills             int     `json:"kills"`
	Acked             int64   `json:"acked"`
	Lost              int64   `json:"lost"`
	VisibleDuplicates int64   `json:"visible_duplicates"`
	RawDuplicates     int64   `json:"raw_duplicates"`
	ReadyP99          float64 `json:"ready_p99_s"`
	Seed              uint64  `json:"seed"`

	ReadyP50    float64        `json:"ready_p50_s"`
	Good        int64          `json:"good"`
	Rejected    int64          `json:"rejected"`
	Batches     int64          `json:"batches"`
	Unbalanced  int64          `json:"unbalanced"`
	ChainBroken int64          `json:"chain_broken"`
	KilledAt    map[string]int `json:"killed_at"`

	Passed    int        `json:"passed"`
	Failed    int        `json:"failed"`
	NotRun    int        `json:"not_run"`
	Scenarios []*Outcome `json:"scenarios"`
}

// OK says whether every promise that was tested held.
func (r *Result) OK() bool { return r.Failed == 0 }

func (r *Result) add(o *Outcome, expected bool) {
	r.Scenarios = append(r.Scenarios, o)
	switch o.Verdict {
	case Passed:
		r.Passed++
	case Failed:
		r.Failed++
	default:
		r.NotRun++
	}
	r.Kills += o.Kills
	for at, n := range o.KilledAt {
		r.KilledAt[at] += n
	}
	if expected {
		return
	}
	r.Acked += o.Acked
	r.Lost += o.Lost
	r.VisibleDuplicates += o.VisibleDuplicates
	r.RawDuplicates += o.RawDuplicates
	r.Good += o.Good
	r.Rejected += o.Rejected
	r.Batches += o.Batches
	r.Unbalanced += o.Unbalanced
	r.ChainBroken += o.ChainBroken
}
