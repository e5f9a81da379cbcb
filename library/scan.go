package library

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
	"mulu/plan"
)

// ScanOptions narrow a Scan; the zero ScanOptions read every current row whole.
type ScanOptions struct {
	// Columns are the business columns that are read, nil all of them. The others keep
	// their places and are null on every row, so that what takes a whole record (row
	// rules) takes this one; it is up to the caller not to ask about them.
	Columns []string
	// Provenance are the provenance columns wanted after the business columns, in this
	// order; nil is every one of ScanProvenance.
	Provenance []string
	Where      plan.Predicate
	// Version is the dataset version whose columns are read, 0 the newest.
	Version uint32
	// Unjudged leaves out rows whose effective flags are known without a judgement of
	// their own.
	Unjudged bool
	// Share takes about so many of the rows, in (0,1), chosen by their business key and
	// Seed alone: the same key is taken or left whenever it is asked. 0 is all rows.
	Share float64
	Seed  uint64
	// OrderByKey gives the rows in the order of the business key.
	OrderByKey bool
	// Limit ends the scan after so many rows, 0 is none.
	Limit int64
	// Chunk is about how many rows one statement reads, 0 is 131 072.
	Chunk int64
}

// ScanProvenance are the provenance columns of a scan, in order.
func ScanProvenance() []string {
	out := make([]string, len(provenance))
	for i, p := range provenance {
		out[i] = p.name
	}
	return out
}

const scanChunk = 1 << 17

// mostScans is how many scans read at once. Each holds one of the engine's slots, of
// which there are four per processor, and only while its statement runs.
const mostScans = 2

// Scan reads a dataset's current rows and hands them over as record batches: first the
// business columns of the newest version in dataset order, typed as ingest makes them,
// then provenance columns. A batch is released when each returns; what each returns ends
// the scan.
//
// It reads the key's range in chunks, one statement each, whole into memory: the engine
// is never kept waiting for a slow caller, and one chunk is read while another is
// handed over. A statement uses half the processors, and at most mostScans
// read at once however many walks are under way: between two chunks, the others have
// their turn. Rows that change meanwhile may be seen as they were or as they are,
// each key at most once.
func (l *Library) Scan(ctx context.Context, code mulu.DatasetCode, opt ScanOptions, each func(arrow.RecordBatch) error) error {
	s, err := l.newScan(ctx, code, opt)
	if err != nil {
		return fmt.Errorf("scan %s: %w", code, err)
	}
	if err := s.run(ctx, each); err != nil {
		return fmt.Errorf("scan %s: %w", code, err)
	}
	return nil
}

// scan is one Scan under way.
type scan struct {
	l      *Library
	ds     *mulu.Dataset
	opt    ScanOptions
	ruling *ruling
	read   map[string]int // column → its place in the engine's answer
	schema *arrow.Schema
	cuts   [][]string // lower ends of all chunks but the first, a value per key column
}

func (l *Library) newScan(ctx context.Context, code mulu.DatasetCode, opt ScanOptions) (*scan, error) {
	ds, err := l.versionOf(code, opt.Version)
	if err != nil {
		return nil, err
	}
	if opt.Provenance == nil {
		opt.Provenance = ScanProvenance()
	}
	if opt.Share < 0 || opt.Share >= 1 || opt.Limit < 0 {
		return nil, fmt.Errorf("share %v, limit %d: %w", opt.Share, opt.Limit, mulu.ErrInvalid)
	}
	if opt.Chunk <= 0 {
		opt.Chunk = scanChunk
	}
	s := &scan{l: l, ds: ds, opt: opt, read: map[string]int{}}
	if opt.Unjudged {
		if s.ruling, err = l.rulingOf(ctx, ds); err != nil {
			return nil, err
		}
	}
	if err := s.shape(); err != nil {
		return nil, err
	}
	if _, _, err := s.statement(0); err != nil { // a wrong condition is told before anything is read
		return nil, err
	}
	s.cuts, err = l.cuts(ctx, ds, opt.Chunk)
	return s, err
}

// shape says which columns are read and what the batches look like.
func (s *scan) shape() error {
	wanted := map[string]bool{}
	for _, name := range s.opt.Columns {
		if s.ds.Column(name) < 0 {
			return fmt.Errorf("unknown column %q: %w", name, mulu.ErrInvalid)
		}
		wanted[name] = true
	}
	var fields []arrow.Field
	for _, c := range s.ds.Columns {
		if s.opt.Columns == nil || wanted[c.Name] {
			s.read[c.Name] = len(s.read)
		}
		fields = append(fields, arrow.Field{Name: c.Name, Type: arrowType(c), Nullable: true})
	}
	for _, name := range s.opt.Provenance {
		t, ok := provenanceType(name)
		if _, twice := s.read[name]; !ok || twice {
			return fmt.Errorf("provenance column %q: %w", name, mulu.ErrInvalid)
		}
		s.read[name] = len(s.read)
		fields = append(fields, arrow.Field{Name: name, Type: t})
	}
	s.schema = arrow.NewSchema(fields, nil)
	return nil
}

func provenanceType(name string) (arrow.DataType, bool) {
	types := map[string]arrow.DataType{"UInt8": arrow.PrimitiveTypes.Uint8, "UInt16": arrow.PrimitiveTypes.Uint16, "UInt32": arrow.PrimitiveTypes.Uint32, "UInt64": arrow.PrimitiveTypes.Uint64}
	for _, p := range provenance {
		if p.name == name {
			if t := types[p.typ]; t != nil {
				return t, true
			}
			return arrow.BinaryTypes.String, true
		}
	}
	return nil, false
}

// cuts are keys about so many stored rows apart, strictly ascending, taken from the
// sparse index of the parts as they are now. Parts that come later change how even the
// chunks are, never what they cover.
func (l *Library) cuts(ctx context.Context, ds *mulu.Dataset, chunk int64) (out [][]string, err error) {
	keys := idents(ds.Key)
	texts := make([]string, len(ds.Key))
	for i, k := range ds.Key {
		texts[i] = "toString(" + ident(k) + ")"
	}
	// Names come from an applied dataset: letters, digits and _.
	sql := "SELECT [" + strings.Join(texts, ", ") + "] FROM (SELECT " + keys + ", intDiv(sum(rows_in_granule) OVER (ORDER BY " + keys + " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), " + strconv.FormatInt(chunk, 10) + ") AS _c" +
		" FROM mergeTreeIndex('" + ds.Library + "', '" + string(ds.Code) + "')) WHERE _c > 0 ORDER BY " + keys + " LIMIT 1 BY _c"
	err = l.each(ctx, "index of "+string(ds.Code), sql, nil, func(r driver.Rows) error {
		var at []string
		err := r.Scan(&at)
		if n := len(out); n == 0 || strings.Join(out[n-1], "\x00") != strings.Join(at, "\x00") {
			out = append(out, at)
		}
		return err
	})
	return out, err
}

// statement reads chunk i.
func (s *scan) statement(i int) (sql string, params clickhouse.Parameters, err error) {
	c := newCompiler(&plan.View{Base: s.ds.Code}, s.l.Dataset, s.l.now(), nil)
	c.pin(&s.opt.Where)
	sel := make([]string, len(s.read))
	for name, at := range s.read {
		sel[at] = "_base." + ident(name)
		if name == mulu.ColTopic || name == ColTopicID {
			sel[at] = "toString(" + sel[at] + ")"
		}
		sel[at] += " AS " + ident(name)
	}
	if len(sel) == 0 {
		return "", nil, fmt.Errorf("no column is asked for: %w", mulu.ErrInvalid)
	}
	// Key columns may stand before FINAL: every version of a key shares them.
	before := c.prewhere("_base.", s.ds, s.ds.Key, s.ds.Key)
	for _, cond := range s.within(c, i) {
		if before == "" {
			before = " PREWHERE " + cond
		} else {
			before += " AND " + cond
		}
	}
	var where []string
	if p := c.predicate(&s.opt.Where); p != "" {
		where = append(where, p)
	}
	if s.opt.Unjudged {
		c.ruling = s.ruling
		where = append(where, "NOT ("+c.settled(s.ds)+")")
	}
	if s.opt.Share > 0 {
		where = append(where, s.sampled(c))
	}
	sql = "SELECT " + strings.Join(sel, ", ") + " FROM " + tableOf(s.ds) + " AS _base FINAL" + before
	if where != nil {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	if s.opt.OrderByKey {
		sql += " ORDER BY " + strings.Join(s.keys(), ", ")
	}
	return sql, c.params, c.err
}

func (s *scan) keys() []string {
	out := make([]string, len(s.ds.Key))
	for i, k := range s.ds.Key {
		out[i] = "_base." + ident(k)
	}
	return out
}

// within are the conditions that a key lies in chunk i. The first key column is asked
// for by itself, too: that is what the engine's index answers.
func (s *scan) within(c *compiler, i int) (conds []string) {
	tuple := "(" + strings.Join(s.keys(), ", ") + ")"
	if len(s.ds.Key) == 1 {
		tuple = s.keys()[0]
	}
	bound := func(op string, at []string) {
		v := make([]string, len(at))
		for j, k := range s.ds.Key {
			t, _ := engineType(s.ds.Columns[s.ds.Column(k)], false)
			v[j] = c.param(t, at[j])
		}
		if len(at) == 1 {
			conds = append(conds, tuple+" "+op+" "+v[0])
			return
		}
		conds = append(conds, s.keys()[0]+" "+op[:1]+"= "+v[0], tuple+" "+op+" ("+strings.Join(v, ", ")+")")
	}
	if i > 0 && i <= len(s.cuts) {
		bound(">=", s.cuts[i-1])
	}
	if i < len(s.cuts) {
		bound("<", s.cuts[i])
	}
	return conds
}

// sampled is the condition that a key is among the share.
func (s *scan) sampled(c *compiler) string {
	parts := make([]string, len(s.ds.Key))
	for i, k := range s.keys() {
		parts[i] = "toString(" + k + ")"
	}
	return "sipHash64(" + c.param("UInt64", strconv.FormatUint(s.opt.Seed, 10)) + ", " + strings.Join(parts, ", ") + ") < " +
		c.param("UInt64", strconv.FormatUint(uint64(s.opt.Share*math.MaxUint64), 10))
}

// run hands chunk after chunk over while the next one is read.
func (s *scan) run(ctx context.Context, each func(arrow.RecordBatch) error) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	chunks := make(chan []arrow.RecordBatch)
	var readErr error // set before chunks is closed
	go func() {
		defer close(chunks)
		readErr = s.readAll(reading, chunks)
	}()
	err := s.handAll(chunks, each)
	stop()
	for recs := range chunks { // the reader has ended when this has
		release(recs)
	}
	switch {
	case errors.Is(err, errEnough):
		return nil
	case err != nil:
		return err
	}
	return readErr
}

func (s *scan) readAll(ctx context.Context, chunks chan<- []arrow.RecordBatch) error {
	for i := range len(s.cuts) + 1 {
		recs, err := s.chunk(ctx, i)
		if err != nil {
			return err
		}
		select {
		case chunks <- recs:
		case <-ctx.Done():
			release(recs)
			return ctx.Err()
		}
	}
	return nil
}

// errEnough ends a scan at its limit.
var errEnough = errors.New("enough")

func (s *scan) handAll(chunks <-chan []arrow.RecordBatch, each func(arrow.RecordBatch) error) error {
	left := s.opt.Limit
	for recs := range chunks {
		for i, rec := range recs {
			if s.opt.Limit > 0 && rec.NumRows() > left {
				short := rec.NewSlice(0, left)
				rec.Release()
				rec = short
			}
			left -= rec.NumRows()
			err := each(rec)
			rec.Release()
			if err == nil && s.opt.Limit > 0 && left == 0 {
				err = errEnough
			}
			if err != nil {
				release(recs[i+1:])
				return err
			}
		}
	}
	return nil
}

func release(recs []arrow.RecordBatch) {
	for _, r := range recs {
		r.Release()
	}
}

// scanSettings bound one statement of a scan to half the processors.
func scanSettings() clickhouse.Settings {
	s := readSettings()
	s["max_threads"] = max(1, runtime.GOMAXPROCS(0)/2)
	for k, v := range arrowSettings {
		s[k] = v
	}
	return s
}

// chunk reads one chunk whole and gives the engine's slot back.
func (s *scan) chunk(ctx context.Context, i int) (recs []arrow.RecordBatch, err error) {
	select {
	case s.l.scans <- struct{}{}:
		defer func() { <-s.l.scans }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	sql, params, err := s.statement(i)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, err := s.l.db.QueryFormat(clickhouse.Context(ctx, clickhouse.WithSettings(scanSettings()), clickhouse.WithParameters(params)), "ArrowStream", sql)
	if err != nil {
		return nil, err
	}
	defer func() { cancel(); body.Close() }()
	defer func() {
		if err != nil {
			release(recs)
			recs = nil
		}
	}()
	r, err := ipc.NewReader(body)
	if err != nil {
		return nil, fmt.Errorf("read chunk: %w", err)
	}
	defer r.Release()
	for r.Next() {
		rec, err := s.conform(r.RecordBatch())
		if err != nil {
			return recs, err
		}
		if rec.NumRows() == 0 {
			rec.Release()
			continue
		}
		recs = append(recs, rec)
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return recs, fmt.Errorf("read chunk: %w", err)
	}
	return recs, nil
}

// conform gives a record of the engine the schema of the scan.
func (s *scan) conform(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	n := int(rec.NumRows())
	cols := make([]arrow.Array, 0, s.schema.NumFields())
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	for _, f := range s.schema.Fields() {
		at, ok := s.read[f.Name]
		if !ok {
			cols = append(cols, array.MakeArrayOfNull(memory.DefaultAllocator, f.Type, n))
			continue
		}
		col, err := retyped(rec.Column(at), f.Type)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		cols = append(cols, col)
	}
	return array.NewRecordBatch(s.schema, cols, int64(n)), nil
}

// retyped is a column under the type that ingest gives it: the engine names another zone
// for the same instants.
func retyped(col arrow.Array, t arrow.DataType) (arrow.Array, error) {
	have := col.DataType()
	if arrow.TypeEqual(have, t) {
		col.Retain()
		return col, nil
	}
	a, okA := have.(*arrow.TimestampType)
	b, okB := t.(*arrow.TimestampType)
	if !okA || !okB || a.Unit != b.Unit {
		return nil, fmt.Errorf("the engine gives %s, not %s: %w", have, t, mulu.ErrConflict)
	}
	d := col.Data()
	data := array.NewData(t, d.Len(), d.Buffers(), nil, d.NullN(), d.Offset())
	defer data.Release()
	return array.MakeFromData(data), nil
}
