package ingest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"mulu"
)

// Batch is a run of offsets of one partition, [Plan.First, Plan.Last].
type Batch struct {
	Plan    mulu.Plan
	Records []mulu.Record // data records in offset order; values alias fetch buffers
	Bytes   int64         // keys and values
	// InDoubt says that this range may have been planned, and some of it stored,
	// before: by a process that crashed, or by a step that failed half way.
	InDoubt bool
	// Reviewed says that a person has let this range in although its records do not
	// fit the version.
	Reviewed bool
	// Mended says that its records are rejects that a person replays: what the registry
	// did not know then is asked for again.
	Mended bool
	// Partitions is how many the topic had when this one was assigned, 0 if nobody
	// knows. With more than one, offsets can not say what came before a truncate.
	Partitions int
}

// Control counts the planned offsets that carry no record: transaction markers,
// records of aborted transactions, records removed by compaction.
func (b *Batch) Control() int64 {
	return b.Plan.Last - b.Plan.First + 1 - int64(len(b.Records))
}

// Digest proves which source bytes a batch held: "sha256:" and the hex SHA-256
// over, per record in order, the value's length as 8 bytes big-endian and the
// value. A tombstone's length is written as 2^64-1.
func Digest(records []mulu.Record) string {
	h := sha256.New()
	var size [8]byte
	for i := range records {
		n := uint64(len(records[i].Value))
		if records[i].Value == nil {
			n = ^uint64(0)
		}
		binary.BigEndian.PutUint64(size[:], n)
		h.Write(size[:])
		h.Write(records[i].Value)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
