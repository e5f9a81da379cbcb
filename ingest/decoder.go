package ingest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"mulu"
)

// Reject classes a decoder gives.
const (
	ClassDecode    = "decode"    // not a JSON object, not a CSV record, wrong number of fields, a field twice
	ClassEncoding  = "encoding"  // not UTF-8
	ClassType      = "type"      // a value that its column can not hold
	ClassKey       = "key"       // a key column without a value
	ClassTombstone = "tombstone" // a message without a value
	ClassOversize  = "oversize"  // more than MaxRecord bytes
)

// MaxRecord is the longest value that is decoded, in bytes.
const MaxRecord = 4 << 20

// maxText bounds one text column of one batch: Arrow counts it in an int32.
const maxText = 1 << 30

// Decoded is a decoded batch. For formats of one row a record, rows + rejects =
// records.
type Decoded struct {
	// Record holds the business columns in dataset order, then _extra. Release it:
	// its memory is used again for a later batch.
	Record  arrow.RecordBatch
	Offsets []int64 // offset of each row
	Index   []int   // index into Batch.Records of each row
	Rejects []mulu.Reject
	// Rows, Versions and Deleted are per row, and nil for formats of one row a record
	// that know no change: the row of its record, the position in the source's log,
	// and a bitmap of the rows that delete their key.
	Rows     []uint16
	Versions []uint64
	Deleted  []uint64
	// Normalised counts, per column, values that were given in another form than the
	// column's own and read without loss of meaning: a number in quotes, 是 for
	// true, an empty text for no value, a time finer than a millisecond.
	Normalised map[string]int64
	// Absent are the required columns that records did not name at all.
	Absent []Absent
	// Unknown counts the rows that have each field the version does not know, at most
	// maxNamed fields; the values are in _extra.
	Unknown map[string]int64
}

// Absent counts the records that do not name a required column.
type Absent struct {
	Field   string
	Records int64
	First   int64 // offset of the first
}

// maxNamed bounds the unknown fields that a batch names.
const maxNamed = 64

// Row is which row of its record row i is.
func (d *Decoded) Row(i int) int32 {
	if d.Rows == nil {
		return 0
	}
	return int32(d.Rows[i])
}

// Records counts the records that rejects come from.
func Records(rejects []mulu.Reject) int64 {
	if !slices.ContainsFunc(rejects, func(r mulu.Reject) bool { return r.Row > 0 }) {
		return int64(len(rejects))
	}
	seen := make(map[int64]struct{}, len(rejects))
	for i := range rejects {
		seen[rejects[i].Offset] = struct{}{}
	}
	return int64(len(seen))
}

// Release lets go of the record's memory.
func (d *Decoded) Release() { d.Record.Release() }

// Decoder turns records into columns. It is safe for use by several goroutines.
type Decoder struct {
	dataset *mulu.Dataset
	schema  *arrow.Schema
	fields  []field
	byName  map[string]int
	csv     bool

	mu   sync.Mutex
	free []*columns
}

// field is what the decoder needs to know of a column.
type field struct {
	name  string
	label string // 字段“姓名”(name)
	kind  kind
	scale int32
	key   bool
	must  bool // required, and no key: a key that is absent is a fault of the record
}

// NewDecoder prepares decoding for one dataset version. mulu.ErrInvalid says that
// the version can not be decoded.
func NewDecoder(d *mulu.Dataset) (*Decoder, error) {
	dec := &Decoder{dataset: d, byName: make(map[string]int, len(d.Columns))}
	switch d.Format {
	case "json":
	case "csv":
		dec.csv = true
	default:
		return nil, fmt.Errorf("decode dataset %s: format %q, want json or csv: %w", d.Code, d.Format, mulu.ErrInvalid)
	}
	var schema []arrow.Field
	for i, c := range d.Columns {
		k, typ, err := arrowType(c)
		if err != nil {
			return nil, fmt.Errorf("decode dataset %s: %w", d.Code, err)
		}
		// A quote or backslash would be written escaped in JSON.
		if _, twice := dec.byName[c.Name]; twice || c.Name == "" || strings.ContainsAny(c.Name, "\"\\") {
			return nil, fmt.Errorf("decode dataset %s: column name %q is empty, quoted or given twice: %w", d.Code, c.Name, mulu.ErrInvalid)
		}
		dec.byName[c.Name] = i
		f := field{name: c.Name, label: fmt.Sprintf("字段“%s”", c.Name), kind: k, scale: int32(c.Scale), must: c.Required && !slices.Contains(d.Key, c.Name)}
		if c.Title != "" {
			f.label = fmt.Sprintf("字段“%s”(%s)", c.Title, c.Name)
		}
		for _, key := range d.Key {
			f.key = f.key || key == c.Name
		}
		dec.fields = append(dec.fields, f)
		// Only a key is never null here: whether a required column without a value
		// is fatal is for the version's not-null rule to say.
		schema = append(schema, arrow.Field{Name: c.Name, Type: typ, Nullable: !f.key})
	}
	for _, key := range d.Key {
		if d.Column(key) < 0 {
			return nil, fmt.Errorf("decode dataset %s: key %q is no column: %w", d.Code, key, mulu.ErrInvalid)
		}
	}
	schema = append(schema, arrow.Field{Name: mulu.ColExtra, Type: arrow.BinaryTypes.String})
	dec.schema = arrow.NewSchema(schema, nil)
	return dec, nil
}

func arrowType(c mulu.Column) (kind, arrow.DataType, error) {
	switch c.Type {
	case mulu.String:
		return kString, arrow.BinaryTypes.String, nil
	case mulu.Int:
		return kInt, arrow.PrimitiveTypes.Int64, nil
	case mulu.Decimal:
		if c.Scale < 0 || c.Scale > 18 {
			return 0, nil, fmt.Errorf("column %s: scale %d, want 0 to 18: %w", c.Name, c.Scale, mulu.ErrInvalid)
		}
		return kDecimal, &arrow.Decimal128Type{Precision: 18, Scale: int32(c.Scale)}, nil
	case mulu.Date:
		return kDate, arrow.FixedWidthTypes.Date32, nil
	case mulu.DateTime:
		return kDateTime, arrow.FixedWidthTypes.Timestamp_ms, nil // UTC
	case mulu.Bool:
		return kBool, arrow.FixedWidthTypes.Boolean, nil
	}
	return 0, nil, fmt.Errorf("column %s: type %q is not known: %w", c.Name, c.Type, mulu.ErrInvalid)
}

// Decode reads every record of b. A record that can not be read becomes a reject,
// with its bytes copied; an error means that the batch itself is unusable.
func (d *Decoder) Decode(b *Batch) (*Decoded, error) {
	set := d.take()
	out := &Decoded{
		Offsets: make([]int64, 0, len(b.Records)),
		Index:   make([]int, 0, len(b.Records)),
	}
	r := reader{d: d, set: set, counts: make([]int64, len(d.fields)), absent: make([]Absent, len(d.fields))}
	for i := range b.Records {
		rec := &b.Records[i]
		r.offset = rec.Offset
		if fault := r.read(rec.Value); fault != nil {
			set.truncate()
			out.Rejects = append(out.Rejects, mulu.Reject{
				Batch: b.Plan.BatchID, Offset: rec.Offset,
				Class: fault.class, Field: fault.field, Reason: fault.reason,
				Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value),
			})
			continue
		}
		set.rows++
		out.Offsets = append(out.Offsets, rec.Offset)
		out.Index = append(out.Index, i)
	}
	for i, n := range r.counts {
		if n > 0 {
			if out.Normalised == nil {
				out.Normalised = map[string]int64{}
			}
			out.Normalised[d.fields[i].name] = n
		}
	}
	for i, a := range r.absent {
		if a.Records > 0 {
			a.Field = d.fields[i].name
			out.Absent = append(out.Absent, a)
		}
	}
	out.Unknown = r.odd
	out.Record = set.batch(d.schema, func() { d.give(set) })
	return out, nil
}

// spareSets is how many column sets are kept for the next batches.
const spareSets = 2

func (d *Decoder) take() *columns {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.free); n > 0 {
		set := d.free[n-1]
		d.free = d.free[:n-1]
		return set
	}
	set := &columns{all: make([]column, len(d.fields)+1)}
	for i, f := range d.fields {
		set.all[i] = newColumn(f.kind)
	}
	*set.extra() = newColumn(kString)
	return set
}

func (d *Decoder) give(set *columns) {
	set.rows = 0
	set.truncate()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.free) < spareSets {
		d.free = append(d.free, set)
	}
}

// fault says why a record can not be read.
type fault struct {
	class, field, reason string
}

// reader reads records into one set of columns.
type reader struct {
	d      *Decoder
	set    *columns
	counts []int64  // normalised values of the rows kept, per column
	seen   []uint64 // which columns the record has given, a bit each
	marks  []int    // columns normalised in this record
	names  [][]byte // unknown field names of the record
	extra  []byte   // _extra of the record
	text   []byte   // unescaped text
	spare  []byte   // second buffer, for names

	offset int64            // of the record
	absent []Absent         // per column
	odd    map[string]int64 // fields the version does not know
}

func (r *reader) read(v []byte) *fault {
	switch {
	case v == nil:
		return &fault{class: ClassTombstone, reason: "消息没有内容(删除标记)，目前不支持按消息删除，请改为发送带状态字段的记录"}
	case len(v) > MaxRecord:
		return &fault{class: ClassOversize, reason: fmt.Sprintf("记录长 %d 字节，超过上限 %d 字节，请拆分或去掉大字段", len(v), MaxRecord)}
	case !utf8.Valid(v):
		return &fault{class: ClassEncoding, reason: fmt.Sprintf("第 %d 字节起不是 UTF-8 编码，请源系统改用 UTF-8 输出(常见原因：GBK/GB18030)", invalidAt(v)+1)}
	}
	if words := (len(r.d.fields) + 63) / 64; len(r.seen) != words {
		r.seen = make([]uint64, words)
	}
	clear(r.seen)
	r.marks, r.names, r.extra = r.marks[:0], r.names[:0], r.extra[:0]
	var f *fault
	if r.d.csv {
		f = r.readCSV(v)
	} else {
		f = r.readJSON(v)
	}
	if f != nil {
		return f
	}
	x := r.set.extra()
	if len(x.data)+len(r.extra) > maxText {
		return &fault{class: ClassOversize, reason: "本批未登记字段合计超过 1 GiB"}
	}
	x.putString(r.extra)
	for _, c := range r.marks {
		r.counts[c]++
	}
	for _, name := range r.names {
		r.strange(name)
	}
	return nil
}

// strange counts a field that the version does not know.
func (r *reader) strange(name []byte) {
	if n, ok := r.odd[string(name)]; ok || len(r.odd) < maxNamed {
		if r.odd == nil {
			r.odd = map[string]int64{}
		}
		r.odd[string(name)] = n + 1
	}
}

func invalidAt(v []byte) int {
	for i := 0; i < len(v); {
		c, n := utf8.DecodeRune(v[i:])
		if c == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(v)
}

// null gives column c no value.
func (r *reader) null(c int) *fault {
	f := &r.d.fields[c]
	if f.key {
		return &fault{class: ClassKey, field: f.name, reason: f.label + "是主键，不能为空，请补齐后重发"}
	}
	r.set.all[c].putNull(r.set.rows)
	return nil
}

// normalised notes that column c's value came in another form.
func (r *reader) normalised(c int) { r.marks = append(r.marks, c) }
