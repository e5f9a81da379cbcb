package ingest

// Remedy is what a person can do about a stopped partition.
type Remedy string

// The remedies. Where none is known, "", the broker's data has to be looked into.
const (
	RemedyAccept Remedy = "accept" // Journal.Retire: the topic was created again on purpose
	RemedySkip   Remedy = "skip"   // Journal.Skip: the offsets are gone
)

// halt is why a partition is stopped and what would put it right.
type halt struct {
	error
	remedy Remedy
	next   int64 // RemedySkip: the first offset that is still there, 0 if unknown
}

func (h halt) Unwrap() error { return h.error }
