package plan

import "mulu"

// Cut parts the rows of a summary by where they landed: those of batches in its ranges
// and the others. library knows which ranges a time is (LandedIn).
type Cut struct {
	As string // its name in the result
	In []Range
}

// Range is the batches of one partition whose first offset is in [From, To).
type Range struct {
	TopicID   mulu.TopicID
	Partition int32
	From, To  uint64
}

// What a Cut's name holds in a row of the result: there is one row for every combination
// that has rows.
const (
	Whole   int64 = 0 // the cut does not part this row's counts
	Outside int64 = 1
	Inside  int64 = 2
)

// maxCuts bounds the combinations to nine.
const maxCuts = 2

func (s *Summary) validateCuts() error {
	if len(s.Cuts) > maxCuts || len(s.Cuts) > 0 && len(s.GroupBy) > 0 {
		return invalid("at most %d cuts, and none beside groups", maxCuts)
	}
	seen := map[string]bool{}
	for _, m := range s.Measures {
		seen[m.As] = true
	}
	for _, c := range s.Cuts {
		if c.As == "" || seen[c.As] {
			return invalid("cut name %q is empty or taken", c.As)
		}
		seen[c.As] = true
	}
	return nil
}
