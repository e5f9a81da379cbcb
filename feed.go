package mulu

// Feed is what a batch of changes says beside its rows: how their positions are to
// be read, and what they say of rows that came before.
type Feed struct {
	// Schemes are the orders that the batch's positions belong to, e.g. "lsn" or
	// "binlog mysql-bin@223344"; nil are offsets. Positions of different schemes do not
	// compare, so a topic keeps to one. What follows "@" may be absent: a snapshot of
	// MySQL does not name the server.
	Schemes []string
	// Snapshot is the greatest position of a row that a snapshot read, 0 for none. A
	// transaction that was open at the snapshot changes rows at lower positions and
	// is read after it, so later rows of the partition are raised to it. SnapshotAt is
	// the offset of the first such row.
	Snapshot   uint64
	SnapshotAt int64
	// Again says that a snapshot was read that a later one follows: rows that were
	// deleted between the two are in neither and in no change.
	Again bool
	// Floor is the position of the last truncate or of the last snapshot that was read to
	// its end, 0 for none: rows below it are gone.
	Floor uint64
	// Partitions is how many the topic has, 0 if nobody knows.
	Partitions int
}

// SchemeOffset is the scheme of rows whose position is their offset.
const SchemeOffset = "offset"

// Changes says whether the dataset's records are changes of a database's table.
func (d *Dataset) Changes() bool {
	switch d.Format {
	case FormatChanges, FormatDebezium, FormatCanal, FormatMaxwell:
		return true
	}
	return false
}
