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

// RowID names one row by where it stands in its source: Row counts the rows of a
// record that carries several, from 0.
type RowID struct {
	TopicID   TopicID
	Partition int32
	Offset    int64
	Row       int32
}

func (r RowID) String() string {
	return fmt.Sprintf("%s/%d/%d/%d", r.TopicID, r.Partition, r.Offset, r.Row)
}

// Record is one source record as it was read. Value may alias the client's fetch
// buffer: copy what must outlive the batch.
type Record struct {
	Offset int64
	Key    []byte
	Value  []byte // nil is a tombstone
	Note   []byte // of the header HeaderNote, nil for none
	Time   time.Time
	// Edited says that a person wrote Value in place of what the source sent: it is UTF-8,
	// and JSON where the source sends a registry's format.
	Edited bool
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
	Rest    bool   // it stands for every row of the record from Row on
	Class   string // "decode", "type", "rule", "oversize" …
	Rule    RuleID // the blocking rule, "" unless Class is "rule"
	Field   string // "" if the whole record is at fault
	Reason  string // Chinese, says how to mend it
	Key     []byte
	Value   []byte    // original bytes
	Time    time.Time // of the record: the day that a replay judges it by
}

// ID is where the row stands in its source.
func (r *Reject) ID() RowID {
	return RowID{TopicID: r.Batch.TopicID, Partition: r.Batch.Partition, Offset: r.Offset, Row: r.Row}
}

// Covers says whether the reject stands for the given row of its record: that row, and
// no other, is replayed when it is mended.
func (r *Reject) Covers(row int32) bool { return row == r.Row || r.Rest && row > r.Row }

// Withdrawal takes one done batch back: what it brought is no longer seen, its rows
// stay in the history as evidence.
type Withdrawal struct {
	ID      string // "W-<topic id, 8 digits>-<partition>-<first offset>"
	Dataset DatasetCode
	Batch   BatchID
	Actor   string
	Reason  string
	Restore bool      // earlier versions of its keys come back; false: the keys go with it
	Landed  time.Time // no reader saw the batch before
	At      time.Time // when it was asked for
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
