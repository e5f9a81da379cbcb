package library

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
)

// Limits of one batch. Within them one INSERT is one block, and one block is one
// part: it is all there after a crash, or not at all. Beyond them the engine cuts.
const (
	MaxBatchRows  = 1_000_000
	MaxBatchBytes = 256 << 20
)

// Batch is the good rows of one planned range.
type Batch struct {
	Plan mulu.Plan
	// Record holds the business columns in dataset order, then _extra (string).
	Record arrow.RecordBatch
	// Offsets and Flags are per row of Record; Flags nil is no flag.
	Offsets []int64
	Flags   []uint64
	// Rows says which row of its record a row is, nil if every record is one row.
	// Versions are positions up to MaxPosition that order the rows of one key; nil
	// takes the offsets.
	Rows     []uint16
	Versions []uint64
	// Feed says how Versions are to be read, and what was truncated before which rows.
	Feed   mulu.Feed
	Origin uint8 // mulu.OriginTopic or mulu.OriginReplay
	// Firsts are, per row of a replay, the first offset of the batch its record came
	// in; nil takes Plan.First.
	Firsts []int64
	// Drop is a bitmap of rows that must NOT be stored (they are rejects), bit i of
	// word i/64; nil drops none. Deleted, likewise, marks rows that delete their key.
	Drop    []uint64
	Deleted []uint64
	// InDoubt says that an earlier process may have stored this batch: only the
	// first batch after the last manifest of a partition ever is.
	InDoubt bool
}

// oneBlock are the settings under which an INSERT within the limits is one block.
func oneBlock() clickhouse.Settings {
	return clickhouse.Settings{
		"async_insert": 0, "optimize_on_insert": 0, "max_insert_threads": 1, "insert_deduplicate": 0,
		"min_insert_block_size_rows": 4 * MaxBatchRows, "min_insert_block_size_bytes": 0,
		"max_insert_block_size": 4 * MaxBatchRows, "input_format_null_as_default": 0,
	}
}

// StoreData stores the rows of a batch into the dataset's tables, one INSERT of
// one block each: history first, then current. A crash between the two leaves the
// history's rows only; walked again with InDoubt, each table is settled on its own:
// any row of the planned range present → skip, none → insert. No deduplication
// token is used: the engine writes it before the part exists.
func (l *Library) StoreData(ctx context.Context, b Batch) error {
	ds, err := l.planned(b.Plan)
	if err != nil {
		return fmt.Errorf("store batch %s: %w", b.Plan.BatchID, err)
	}
	if b.Record == nil && len(b.Offsets) == 0 {
		return nil // every row is a reject or a control record
	}
	if err := checkBatch(ds, b); err != nil {
		return fmt.Errorf("store batch %s: %w", b.Plan.BatchID, err)
	}
	base, err := l.place(ctx, b)
	if err != nil {
		return fmt.Errorf("store batch %s: %w", b.Plan.BatchID, err)
	}
	epoch, err := l.epoch(ctx, ds.Code, b.Plan.TopicID)
	if err != nil {
		return fmt.Errorf("store batch %s: %w", b.Plan.BatchID, err)
	}
	if err := l.raiseFloor(ctx, b, epoch); err != nil {
		return fmt.Errorf("store batch %s: %w", b.Plan.BatchID, err)
	}
	b.Versions = raised(b.Versions, base)
	if err := l.storeRows(ctx, ds, b, epoch); err != nil {
		return err
	}
	if b.Feed.Floor > 0 {
		l.sweep(ctx, ds, epoch<<epochShift|b.Feed.Floor)
	}
	return nil
}

// storeRows stores the rows of a batch into the tables that lack them.
func (l *Library) storeRows(ctx context.Context, ds *mulu.Dataset, b Batch, epoch uint64) error {
	select {
	case l.inserts <- struct{}{}:
		defer func() { <-l.inserts }()
	case <-ctx.Done():
		return fmt.Errorf("store batch %s: %w", b.Plan.BatchID, ctx.Err())
	}
	var data *framed // once, on first need
	defer func() { data.release() }()
	for _, t := range tablesOf(ds) {
		if b.InDoubt {
			stored, err := l.present(ctx, ds, t, b.Plan.BatchID)
			if err != nil {
				return fmt.Errorf("settle batch %s in %s: %w", b.Plan.BatchID, t, err)
			}
			if stored {
				l.log.Info("batch was stored before the crash", "batch", b.Plan.BatchID, "table", t)
				continue
			}
		}
		if data == nil {
			var err error
			if data, err = frame(ds, b, epoch); err != nil {
				return fmt.Errorf("frame batch %s: %w", b.Plan.BatchID, err)
			}
			if data == nil {
				return nil
			}
		}
		if err := l.insertFrame(ctx, ident(ds.Library)+"."+ident(t), ds, data); err != nil {
			return fmt.Errorf("store batch %s in %s: %w", b.Plan.BatchID, t, err)
		}
	}
	return nil
}

// tablesOf are a dataset's tables in the order in which rows are stored.
func tablesOf(ds *mulu.Dataset) []string {
	if ds.History {
		return []string{string(ds.Code) + "_history", string(ds.Code)}
	}
	return []string{string(ds.Code)}
}

// insertFrame inserts framed rows into a table (quoted) as one block; nil is nothing to do.
func (l *Library) insertFrame(ctx context.Context, table string, ds *mulu.Dataset, data *framed) error {
	if data == nil {
		return nil
	}
	body := data.reader()
	defer body.end()
	return l.db.InsertFormat(clickhouse.Context(ctx, clickhouse.WithSettings(oneBlock())), "ArrowStream", "INSERT INTO "+table+" ("+idents(names(ds))+")", body)
}

func names(ds *mulu.Dataset) []string {
	cols := columnsOf(ds)
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = c.name
	}
	return out
}

// present says whether any row of the planned range is in the table, as the batch
// brought it: a replay of one of its rejects says nothing of the others. A merge may
// have removed rows that later ones replaced, never all of a batch that nothing
// followed unless higher positions were there before (a feed sent again), and storing a
// replaced row, or one below a truncate, again changes nothing anybody can see.
func (l *Library) present(ctx context.Context, ds *mulu.Dataset, table string, id mulu.BatchID) (bool, error) {
	var n uint64
	err := l.db.QueryRow(ctx, "SELECT count() FROM (SELECT 1 FROM "+ident(ds.Library)+"."+ident(table)+
		" WHERE _topic={name:String} AND _topic_id={id:String} AND _partition={p:UInt32} AND _offset BETWEEN {a:UInt64} AND {b:UInt64} AND _origin=0 LIMIT 1)",
		named("name", id.Topic), named("id", id.TopicID.String()), named("p", uint32(id.Partition)), named("a", uint64(id.First)), named("b", uint64(id.Last))).Scan(&n)
	return n > 0, err
}

func checkBatch(ds *mulu.Dataset, b Batch) error {
	if b.Record == nil {
		return fmt.Errorf("no record: %w", mulu.ErrInvalid)
	}
	n := int(b.Record.NumRows())
	switch {
	case n > MaxBatchRows:
		return fmt.Errorf("%d rows, at most %d make one block: %w", n, MaxBatchRows, mulu.ErrInvalid)
	case len(b.Offsets) != n || b.Flags != nil && len(b.Flags) != n:
		return fmt.Errorf("%d rows, %d offsets, %d flags: %w", n, len(b.Offsets), len(b.Flags), mulu.ErrInvalid)
	case int(b.Record.NumCols()) != len(ds.Columns)+1:
		return fmt.Errorf("%d columns, the dataset has %d and %s: %w", b.Record.NumCols(), len(ds.Columns), mulu.ColExtra, mulu.ErrInvalid)
	case b.Firsts != nil && len(b.Firsts) != n:
		return fmt.Errorf("%d rows, %d batches: %w", n, len(b.Firsts), mulu.ErrInvalid)
	case b.Rows != nil && len(b.Rows) != n || b.Versions != nil && len(b.Versions) != n:
		return fmt.Errorf("%d rows, %d row numbers, %d versions: %w", n, len(b.Rows), len(b.Versions), mulu.ErrInvalid)
	case b.Drop != nil && len(b.Drop)*64 < n || b.Deleted != nil && len(b.Deleted)*64 < n:
		return fmt.Errorf("bitmap shorter than %d rows: %w", n, mulu.ErrInvalid)
	}
	for i, o := range b.Offsets {
		if o < b.Plan.First || o > b.Plan.Last {
			return fmt.Errorf("row %d has offset %d outside the plan: %w", i, o, mulu.ErrInvalid)
		}
	}
	for i, v := range b.Versions {
		if v > MaxPosition {
			return fmt.Errorf("row %d has position %d, at most %d can be ordered: %w", i, v, uint64(MaxPosition), mulu.ErrInvalid)
		}
	}
	for i, c := range ds.Columns {
		if got, want := b.Record.Column(i).DataType(), arrowType(c); !arrow.TypeEqual(got, want) {
			return fmt.Errorf("column %q is %s, must be %s: %w", c.Name, got, want, mulu.ErrInvalid)
		}
	}
	if t := b.Record.Column(len(ds.Columns)).DataType(); t.ID() != arrow.STRING {
		return fmt.Errorf("column %q is %s, must be utf8: %w", mulu.ColExtra, t, mulu.ErrInvalid)
	}
	return nil
}

// arrowType is the root package's table of types.
func arrowType(c mulu.Column) arrow.DataType {
	switch c.Type {
	case mulu.Int:
		return arrow.PrimitiveTypes.Int64
	case mulu.Decimal:
		return &arrow.Decimal128Type{Precision: 18, Scale: int32(c.Scale)}
	case mulu.Date:
		return arrow.FixedWidthTypes.Date32
	case mulu.DateTime:
		return &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}
	case mulu.Bool:
		return arrow.FixedWidthTypes.Boolean
	}
	return arrow.BinaryTypes.String
}

// frame writes the kept rows with their provenance as one Arrow IPC stream of one
// record batch; nil when nothing is kept. The stream lies partly in b.Record and is
// good until that or the frame itself is released.
func frame(ds *mulu.Dataset, b Batch, epoch uint64) (*framed, error) {
	keep, n := runs(b.Drop, int(b.Record.NumRows()))
	if n == 0 {
		return nil, nil
	}
	f := &framed{scratch: scratches.Get().(*scratch)}
	if err := f.write(ds, b, epoch, keep, n); err != nil {
		f.release()
		return nil, err
	}
	return f, nil
}

func (f *framed) write(ds *mulu.Dataset, b Batch, epoch uint64, keep []run, n int) error {
	fields := make([]arrow.Field, 0, len(ds.Columns)+len(provenance))
	cols := make([]arrow.Array, 0, cap(fields))
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	for i := range len(ds.Columns) + 1 {
		name, null := mulu.ColExtra, false
		if i < len(ds.Columns) {
			name, null = ds.Columns[i].Name, nullable(ds, ds.Columns[i])
		}
		col := compact(f.scratch, b.Record.Column(i), keep, n)
		cols = append(cols, col)
		if !null && col.NullN() > 0 {
			return fmt.Errorf("column %q: %d rows are null: %w", name, col.NullN(), mulu.ErrInvalid)
		}
		fields = append(fields, arrow.Field{Name: name, Type: col.DataType(), Nullable: null})
	}
	for _, p := range provenanceColumns(f.scratch, b, keep, n, epoch) {
		cols = append(cols, p.data)
		fields = append(fields, arrow.Field{Name: p.name, Type: p.data.DataType()})
	}
	schema := arrow.NewSchema(fields, nil)
	rec := array.NewRecordBatch(schema, cols, int64(n))
	defer rec.Release()
	w := ipc.NewWriter(f, ipc.WithSchema(schema))
	if err := w.Write(rec); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if f.size > MaxBatchBytes {
		return fmt.Errorf("%d bytes, at most %d make one block: %w", f.size, MaxBatchBytes, mulu.ErrInvalid)
	}
	return nil
}

type provenanceColumn struct {
	name string
	data arrow.Array
}

// provenanceColumns are in the order of provenance, after _extra. What is the same
// for the whole batch travels as one dictionary entry or as a filled buffer, and
// what is 0 for all of it lies in memory that all batches share.
func provenanceColumns(s *scratch, b Batch, keep []run, n int, epoch uint64) []provenanceColumn {
	offset, version := numbers[uint64](s, n), numbers[uint64](s, n)
	at := 0
	for _, r := range keep {
		positions := arrow.GetData[uint64](arrow.GetBytes(b.Offsets[r.from:r.to]))
		copy(offset[at:], positions)
		if b.Versions != nil {
			positions = b.Versions[r.from:r.to]
		}
		for i, p := range positions {
			version[at+i] = epoch<<epochShift | p
		}
		at += r.to - r.from
	}
	id := b.Plan.BatchID
	return []provenanceColumn{
		{mulu.ColTopic, constant(id.Topic, n)},
		{ColTopicID, constant(id.TopicID.String(), n)},
		{mulu.ColPartition, fixed(arrow.PrimitiveTypes.Uint32, filled(s, uint32(id.Partition), n))},
		{mulu.ColOffset, fixed(arrow.PrimitiveTypes.Uint64, offset)},
		{mulu.ColRow, fixed(arrow.PrimitiveTypes.Uint16, kept(s, b.Rows, keep, n))},
		{mulu.ColBatch, fixed(arrow.PrimitiveTypes.Uint64, firsts(s, b, keep, n))},
		{mulu.ColFlags, fixed(arrow.PrimitiveTypes.Uint64, kept(s, b.Flags, keep, n))},
		{mulu.ColRuleset, fixed(arrow.PrimitiveTypes.Uint32, filled(s, b.Plan.Version, n))},
		{mulu.ColDeleted, fixed(arrow.PrimitiveTypes.Uint8, marked(s, b.Deleted, keep, n))},
		{mulu.ColVersion, fixed(arrow.PrimitiveTypes.Uint64, version)},
		{mulu.ColOrigin, fixed(arrow.PrimitiveTypes.Uint8, filled(s, b.Origin, n))},
	}
}

// firsts are the first offsets of the rows' batches: the plan's, or each row's own.
func firsts(s *scratch, b Batch, keep []run, n int) []uint64 {
	if b.Firsts == nil {
		return filled(s, uint64(b.Plan.First), n)
	}
	return kept(s, arrow.GetData[uint64](arrow.GetBytes(b.Firsts)), keep, n)
}

// kept are the values of the kept rows; nil is 0 for every row.
func kept[T uint16 | uint64](s *scratch, v []T, keep []run, n int) []T {
	if v == nil {
		return filled(s, T(0), n)
	}
	out := numbers[T](s, n)
	at := 0
	for _, r := range keep {
		at += copy(out[at:], v[r.from:r.to])
	}
	return out
}

// marked is 1 for the kept rows whose bit is set.
func marked(s *scratch, set []uint64, keep []run, n int) []uint8 {
	if set == nil {
		return zeros(n)
	}
	out := s.bytes(n)
	at := 0
	for _, r := range keep {
		for i := r.from; i < r.to; i++ {
			out[at] = uint8(set[i>>6] >> (i & 63) & 1)
			at++
		}
	}
	return out
}

func filled[T uint8 | uint16 | uint32 | uint64](s *scratch, v T, n int) []T {
	if v == 0 {
		return arrow.GetData[T](zeros(n * int(sizeOf(v))))[:n]
	}
	out := numbers[T](s, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func fixed[T uint8 | uint16 | uint32 | uint64](t arrow.DataType, v []T) arrow.Array {
	d := array.NewData(t, len(v), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.GetBytes(v))}, nil, 0, 0)
	defer d.Release()
	return array.MakeFromData(d)
}

// constant is s on n rows, as a dictionary of one.
func constant(s string, n int) arrow.Array {
	sb := array.NewStringBuilder(memory.DefaultAllocator)
	defer sb.Release()
	sb.Append(s)
	dict := sb.NewStringArray()
	defer dict.Release()
	index := fixed(arrow.PrimitiveTypes.Uint8, zeros(n))
	defer index.Release()
	return array.NewDictionaryArray(&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint8, ValueType: arrow.BinaryTypes.String}, index, dict)
}

// run is a half-open range of kept rows.
type run struct{ from, to int }

// runs turns the bitmap of dropped rows into ranges of kept ones and counts them.
func runs(drop []uint64, n int) (out []run, kept int) {
	if drop == nil {
		if n == 0 {
			return nil, 0
		}
		return []run{{0, n}}, n
	}
	for i := 0; i < n; {
		from := nextBit(drop, i, n, false)
		to := nextBit(drop, from, n, true)
		if to > from {
			out = append(out, run{from, to})
			kept += to - from
		}
		i = to
	}
	return out, kept
}

// nextBit is the first index ≥ i whose bit is set, or clear; n if there is none.
func nextBit(words []uint64, i, n int, set bool) int {
	for i < n {
		w := words[i>>6]
		if !set {
			w = ^w
		}
		if w >>= i & 63; w != 0 {
			return min(i+bits.TrailingZeros64(w), n)
		}
		i = (i>>6 + 1) << 6
	}
	return n
}
