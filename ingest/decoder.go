package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	fastutf8 "github.com/segmentio/asm/utf8"
	"golang.org/x/text/transform"

	"mulu"
)

// Reject classes a decoder gives.
const (
	ClassDecode    = "decode"    // not a JSON object, not a CSV record, wrong number of fields, a field twice
	ClassEncoding  = "encoding"  // not UTF-8, or not the encoding that the dataset declares
	ClassType      = "type"      // a value that its column can not hold
	ClassKey       = "key"       // a key column without a value
	ClassTombstone = "tombstone" // a message without a value
	ClassOversize  = "oversize"  // more than MaxRecord bytes
	ClassChange    = "change"    // a change without the position, the row or the operation it needs
	ClassSchema    = "schema"    // no schema of the registry, an unknown one, or a record that breaks its schema
)

// MaxRecord is the longest value that is decoded, in bytes.
const MaxRecord = 4 << 20

// maxText bounds one text column of one batch: Arrow counts it in an int32.
const maxText = 1 << 30

// Decoded is a decoded batch. For formats of one row a record, rows + rejects =
// records.
type Decoded struct {
	// Record holds the business columns in dataset order, then _extra. Release it:
	// its memory, and that of Offsets and Index, is used again for a later batch.
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
	Feed     mulu.Feed
	// Normalised counts, per column, values that were given in another form than the
	// column's own and read without loss of meaning: a number in quotes, 是 for
	// true, an empty text for no value, a time finer than a millisecond. Under NoColumn
	// are the records that began with a byte order mark.
	Normalised map[string]int64
	// Absent are the required columns that records did not name at all.
	Absent []Absent
	// Unknown counts the rows that have each field the version does not know, at most
	// maxNamed fields, a nested one by its way (person.age); the values are in _extra.
	Unknown map[string]int64
	misses  []uint32 // schemas that the registry did not know
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

// NoColumn is the record itself, where columns are named.
const NoColumn = ""

// Decoder turns records into columns. It is safe for use by several goroutines.
type Decoder struct {
	dataset *mulu.Dataset
	schema  *arrow.Schema
	fields  []field
	root    *level // JSON: where each column's value is
	bits    int    // columns, and objects that columns are in
	csv     bool
	changes bool
	gb      bool    // records are GB 18030
	schemas Schemas // of a registry's format
	plain   []hint  // of Debezium without schema block
	bare    []hint  // of a feed that writes times as text

	// sets are columns that no batch looks at. A batch of every lane is in flight at
	// once, so none is bound to one; what stays idle is let go by the collector.
	sets sync.Pool
	// wide is how many bytes a row's text took in each column of the last batch, so
	// that a new set need not grow into its size.
	wide []atomic.Uint32
}

// field is what the decoder needs to know of a column.
type field struct {
	name  string
	label string // 字段“姓名”(name)
	kind  kind
	scale int32
	key   bool
	must  bool // required, and no key: what lacks it is kept, and judged by the rules
	unit  string
}

// NewDecoder prepares decoding for one dataset version. mulu.ErrInvalid says that
// the version can not be decoded.
func NewDecoder(d *mulu.Dataset) (*Decoder, error) {
	dec := &Decoder{dataset: d, root: &level{byName: map[string]int{}}, bits: len(d.Columns)}
	dec.csv, dec.changes = d.Format == mulu.FormatCSV, d.Changes()
	if d.Format != mulu.FormatJSON && !dec.csv && !dec.changes && !d.Registered() {
		return nil, fmt.Errorf("decode dataset %s: format %q, want json, csv, debezium, canal, maxwell, changes, avro, json_schema or protobuf: %w", d.Code, d.Format, mulu.ErrInvalid)
	}
	if dec.gb = d.Encoding == mulu.EncodingGB18030; d.Encoding != "" && (!dec.gb || d.Format != mulu.FormatJSON && !dec.csv) {
		return nil, fmt.Errorf("decode dataset %s: encoding %q, want gb18030, of json or csv: %w", d.Code, d.Encoding, mulu.ErrInvalid)
	}
	var schema []arrow.Field
	for i, c := range d.Columns {
		k, typ, err := arrowType(c)
		if err != nil {
			return nil, fmt.Errorf("decode dataset %s: %w", d.Code, err)
		}
		// A quote or backslash would be written escaped in JSON.
		if d.Column(c.Name) != i || c.Name == "" || strings.ContainsAny(c.Name, "\"\\") {
			return nil, fmt.Errorf("decode dataset %s: column name %q is empty, quoted or given twice: %w", d.Code, c.Name, mulu.ErrInvalid)
		}
		path, err := pathOf(c, dec.csv)
		if err == nil {
			err = dec.root.add(path, i, &dec.bits)
		}
		if err != nil {
			return nil, fmt.Errorf("decode dataset %s: column %s: %w: %w", d.Code, c.Name, err, mulu.ErrInvalid)
		}
		f := field{name: c.Name, label: fmt.Sprintf("字段“%s”", c.Name), kind: k, scale: int32(c.Scale), must: c.Required && !slices.Contains(d.Key, c.Name), unit: c.Unit}
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
	dec.wide = make([]atomic.Uint32, len(schema))
	dec.schema = arrow.NewSchema(schema, nil)
	if dec.changes {
		dec.plain, dec.bare = plainHints(dec.fields), make([]hint, len(dec.fields))
	}
	return dec, nil
}

// maxPath is how deep a column may lie.
const maxPath = 8

// pathOf is the way to a column's value: member names from the record inwards.
func pathOf(c mulu.Column, csv bool) ([]string, error) {
	if c.Path == "" {
		return []string{c.Name}, nil
	}
	path := strings.Split(c.Path, ".")
	switch {
	case csv:
		return nil, errors.New("CSV 没有嵌套，不能写 path (a CSV record has no objects)")
	case len(path) > maxPath:
		return nil, fmt.Errorf("path 最多 %d 层 (too deep)", maxPath)
	case slices.Contains(path, "") || strings.ContainsFunc(c.Path, func(r rune) bool { return r == '"' || r == '\\' || r < ' ' }):
		return nil, fmt.Errorf("path %q 应写作以点分隔的字段名 (want names separated by dots)", c.Path)
	}
	return path, nil
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
	set := d.take(len(b.Records))
	out := &Decoded{}
	r := reader{d: d, set: set, counts: make([]int64, len(d.fields)), absent: make([]Absent, len(d.fields))}
	var err error
	switch {
	case d.changes:
		r.changes(b, out)
	case d.dataset.Registered():
		err = r.registered(b, out)
	default:
		r.records(b, out)
	}
	if err != nil {
		d.give(set)
		return nil, fmt.Errorf("decode %s: %w", b.Plan.BatchID, err)
	}
	out.Offsets, out.Index = set.offsets, set.index
	out.seal(set.rows)
	for i, n := range r.counts {
		if n > 0 {
			if out.Normalised == nil {
				out.Normalised = map[string]int64{}
			}
			out.Normalised[d.fields[i].name] = n
		}
	}
	if r.boms > 0 {
		if out.Normalised == nil {
			out.Normalised = map[string]int64{}
		}
		out.Normalised[NoColumn] = r.boms
	}
	for i, a := range r.absent {
		if a.Records > 0 {
			a.Field = d.fields[i].name
			out.Absent = append(out.Absent, a)
		}
	}
	out.Unknown = r.unknowns()
	out.Record = set.batch(d.schema, func() { d.give(set) })
	return out, nil
}

// records reads records of one row each.
func (r *reader) records(b *Batch, out *Decoded) {
	for i := range b.Records {
		rec := &b.Records[i]
		r.offset = rec.Offset
		f, gone := r.record(rec)
		if f != nil {
			r.set.truncate()
			out.reject(b, rec, 0, f)
			continue
		}
		r.set.rows++
		r.set.offsets = append(r.set.offsets, rec.Offset)
		r.set.index = append(r.set.index, i)
		if gone {
			out.markDeleted(r.set.rows - 1)
		}
	}
}

// record reads one record; gone says that it deletes its key.
func (r *reader) record(rec *mulu.Record) (f *fault, gone bool) {
	r.typed, r.marked = rec.Edited, false
	switch {
	case rec.Note != nil:
		return r.noted(rec)
	case rec.Value == nil && !r.d.csv:
		return r.tombstone(rec.Key), true
	}
	return r.read(rec.Value), false
}

// reject keeps a record, or a row of it, whole.
func (d *Decoded) reject(b *Batch, rec *mulu.Record, row int, f *fault) {
	d.Rejects = append(d.Rejects, mulu.Reject{
		Batch: b.Plan.BatchID, Offset: rec.Offset, Row: int32(row),
		Class: f.class, Field: f.field, Reason: f.reason,
		Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value), Time: rec.Time,
	})
	if n := len(d.Rejects); n > 1 && d.Rejects[n-2].Offset == rec.Offset { // one copy for all rows of a record
		d.Rejects[n-1].Key, d.Rejects[n-1].Value = d.Rejects[n-2].Key, d.Rejects[n-2].Value
	}
}

// markDeleted says that row i deletes its key. The bitmap grows as it must; seal makes
// it cover all rows.
func (d *Decoded) markDeleted(i int) {
	for len(d.Deleted)*64 <= i {
		d.Deleted = append(d.Deleted, 0)
	}
	d.Deleted[i>>6] |= 1 << (i & 63)
}

// seal makes the bitmap of deletions cover n rows; without any it stays nil.
func (d *Decoded) seal(n int) {
	for d.Deleted != nil && len(d.Deleted)*64 < n {
		d.Deleted = append(d.Deleted, 0)
	}
}

// take gives a set of columns without rows, roomy enough for n if it is a new one.
func (d *Decoder) take(n int) *columns {
	if set, ok := d.sets.Get().(*columns); ok {
		return set
	}
	set := &columns{all: make([]column, len(d.fields)+1), offsets: make([]int64, 0, n), index: make([]int, 0, n)}
	for i := range set.all {
		k := kString // _extra
		if i < len(d.fields) {
			k = d.fields[i].kind
		}
		set.all[i] = newColumn(k, n, n*int(d.wide[i].Load()))
	}
	return set
}

func (d *Decoder) give(set *columns) {
	for i := range set.all {
		if c := &set.all[i]; c.kind == kString && set.rows > 0 {
			d.wide[i].Store(uint32(len(c.data)/set.rows + 1)) //nolint:gosec // below MaxRecord
		}
	}
	set.rows, set.offsets, set.index = 0, set.offsets[:0], set.index[:0]
	set.truncate()
	d.sets.Put(set)
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
	seen   []uint64 // which columns, and objects with columns, the record has given
	marks  []int    // columns normalised in this record
	names  [][]byte // unknown field names of the objects being read
	open   []opened // objects being read, the record itself apart
	extra  []byte   // _extra of the record
	text   []byte   // unescaped text
	spare  []byte   // second buffer, for names
	utf8   []byte   // a record that was not UTF-8
	gb     transform.Transformer
	typed  bool  // a person wrote the record, in UTF-8
	marked bool  // it began with a byte order mark
	boms   int64 // records kept that did

	offset int64             // of the record
	absent []Absent          // per column
	odd    map[string]*int64 // fields the version does not know

	registry *registry // of a registry's format

	// Of change feeds.
	hints     []hint   // how values are written, by column; nil for plain records
	texts     bool     // every value is text by nature
	keysOnly  bool     // the key columns alone are read
	given     []uint64 // key columns another object has given already
	envelope  envelope
	schema    []byte // the last schema block
	described []hint // what it says
	schemes   schemes
	batch     *Batch
	out       *Decoded
}

func (r *reader) read(v []byte) *fault {
	if v == nil {
		return &fault{class: ClassTombstone, reason: "消息没有内容(删除标记)，且消息键不是含全部主键字段的 JSON 对象，无法判断删除哪一行；请以主键的 JSON 对象作消息键，或改为发送带状态字段的记录"}
	}
	if r.registry != nil {
		return r.readRegistered(v)
	}
	v, f := r.plainText(v)
	if f != nil {
		return f
	}
	r.begin()
	if r.d.csv {
		if f := r.readCSV(v); f != nil {
			return f
		}
	} else if f := r.readJSON(v); f != nil {
		return f
	}
	return r.finish()
}

// vet refuses a value that is not even looked into.
func vet(v []byte) *fault {
	switch {
	case len(v) > MaxRecord:
		return &fault{class: ClassOversize, reason: fmt.Sprintf("记录长 %d 字节，超过上限 %d 字节，请拆分或去掉大字段", len(v), MaxRecord)}
	case !fastutf8.Valid(v): // 12 GB/s instead of 3
		return &fault{class: ClassEncoding, reason: fmt.Sprintf("第 %d 字节起不是 UTF-8 编码，请源系统改用 UTF-8 输出(常见原因：GBK/GB18030)", invalidAt(v)+1)}
	}
	return nil
}

// begin makes ready for the next row.
func (r *reader) begin() {
	if words := (r.d.bits + 63) / 64; len(r.seen) != words {
		r.seen, r.given = make([]uint64, words), make([]uint64, words)
	}
	clear(r.seen)
	r.marks, r.names, r.extra = r.marks[:0], r.names[:0], r.extra[:0]
}

// finish ends a row whose business columns are filled.
func (r *reader) finish() *fault {
	x := r.set.extra()
	if len(x.data)+len(r.extra) > maxText {
		return &fault{class: ClassOversize, reason: "本批未登记字段合计超过 1 GiB"}
	}
	x.putString(r.extra)
	for _, c := range r.marks {
		r.counts[c]++
	}
	if r.marked {
		r.boms++
	}
	return nil
}

// strange counts a field that the version does not know, by the way to it: the same
// name may be in several objects of one row.
func (r *reader) strange(name []byte) {
	if len(r.open) > 0 {
		way := r.spare[:0]
		for _, o := range r.open {
			way = append(append(way, o.l.name...), '.')
		}
		r.spare = append(way, name...)
		name = r.spare
	}
	if n := r.odd[string(name)]; n != nil { // without an allocation per row
		*n++
		return
	}
	if len(r.odd) == maxNamed {
		return
	}
	if r.odd == nil {
		r.odd = map[string]*int64{}
	}
	n := int64(1)
	r.odd[string(name)] = &n
}

// unknowns are the counts of strange fields, nil for none.
func (r *reader) unknowns() map[string]int64 {
	if r.odd == nil {
		return nil
	}
	out := make(map[string]int64, len(r.odd))
	for name, n := range r.odd {
		out[name] = *n
	}
	return out
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
