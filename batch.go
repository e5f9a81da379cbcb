package mulu

import (
	"fmt"
	"time"
)

// TopicID is the broker's identity of a topic; a topic that is deleted and
// created again under the same name has another one.
type TopicID [16]byte

func (t TopicID) String() string { return fmt.Sprintf("%x", t[:]) }

// BatchID names a batch by where it stands in its source: it is the same after
// every replay, which is what lets every stage be repeated.
type BatchID struct {
	TopicID   TopicID
	Topic     string
	Partition int32
	First     int64 // first offset planned, inclusive
	Last      int64 // last offset planned, inclusive; may be a control record
}

func (b BatchID) String() string {
	return fmt.Sprintf("%s/%d/%d-%d", b.Topic, b.Partition, b.First, b.Last)
}

// Record is one source record as it was read. Value may alias the client's fetch
// buffer: copy what must outlive the batch.
type Record struct {
	Offset int64
	Key    []byte
	Value  []byte // nil is a tombstone
	Time   time.Time
}

// Plan is what the control store holds of a batch before anything is inserted:
// it must give the same batch again after a crash.
type Plan struct {
	BatchID
	Dataset DatasetCode
	Version uint32 // dataset version, fixes columns and rules
}

// Reject is a row that could not enter the library (问题数据), kept whole.
type Reject struct {
	Batch   BatchID
	Dataset DatasetCode // "": the applied dataset that reads Batch.Topic
	Offset  int64
	Row     int32  // which row of a record that carries several, from 0
	Class   string // "decode", "type", "rule", "oversize" …
	Rule    RuleID // the blocking rule, "" unless Class is "rule"
	Field   string // "" if the whole record is at fault
	Reason  string // Chinese, says how to mend it
	Key     []byte
	Value   []byte // original bytes
}

// Finding counts what one row rule saw in one batch: X = A/B with
// A = Evaluated-Failed and B = Evaluated. Rows left out (null under a rule that
// judges values only) are in neither.
type Finding struct {
	Batch     BatchID
	Dataset   DatasetCode
	Ruleset   uint32
	Rule      RuleID
	Indicator string
	Evaluated int64
	Failed    int64
	Sample    []int64 // offsets of the first failing rows, at most 20
}

// Manifest is the last thing stored of a batch and the proof that all of it was:
// Last-First+1 = Good + Rejected + Control (the equation of design invariant 1). It
// counts records; one record of a change feed may carry several rows.
type Manifest struct {
	Plan
	Good     int64     // records all of whose rows were stored
	Rejected int64     // records with a row that was not
	Rows     int64     // rows stored
	Control  int64     // transaction markers, aborted and compacted offsets
	Bytes    int64     // source bytes
	Digest   string    // "sha256:…" over length-prefixed source values in offset order
	At       time.Time // when its rows could be queried
	// Oldest and Newest are the producers' times of the first and the last record in
	// time, zero if none has one: how long records waited is known from them.
	Oldest, Newest time.Time
}

// Balanced says whether the equation holds for this batch.
func (m *Manifest) Balanced() bool {
	return m.Last-m.First+1 == m.Good+m.Rejected+m.Control
}
