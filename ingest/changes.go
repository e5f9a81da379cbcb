package ingest

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"mulu"
)

// maxBatchRows bounds the rows that the records of one batch unfold into: the library
// stores a batch as one block.
const maxBatchRows = 1_000_000

// schemes collects the orders of a batch's positions, without an allocation per row.
type schemes struct {
	all          []string
	noted        string // what was noted last
	base, server []byte // of the last binlog
	last         string
}

// note takes the scheme of a position that is kept.
func (s *schemes) note(at place) {
	if len(s.all) > 0 && at.scheme == s.noted {
		return
	}
	s.noted = at.scheme
	scheme := at.scheme
	if scheme == "" {
		scheme = mulu.SchemeOffset
	}
	if !slices.Contains(s.all, scheme) {
		s.all = append(s.all, scheme)
	}
}

// binlog names the order of one server's binlog. A snapshot names no server, or 0.
func (s *schemes) binlog(base, server []byte) string {
	if s.last != "" && bytes.Equal(s.base, base) && bytes.Equal(s.server, server) {
		return s.last
	}
	s.base, s.server = append(s.base[:0], base...), append(s.server[:0], server...)
	s.last = "binlog " + string(base)
	if n := string(server); n != "" && n != "0" {
		s.last += "@" + n
	}
	return s.last
}

// changed is one record of a change feed being unfolded into rows.
type changed struct {
	rec      *mulu.Record
	index    int
	rows     int // rows seen of it, rejected ones included
	refused  int // of them
	place    place
	snapshot bool
}

// changes reads the records of a change feed. A record gives no row, one or several.
func (r *reader) changes(b *Batch, out *Decoded) {
	r.out, r.batch = out, b
	for i := range b.Records {
		c := &changed{rec: &b.Records[i], index: i}
		if f := r.change(c); f != nil {
			r.refuse(c, f, true)
		}
	}
	out.Feed.Schemes, out.Feed.Partitions = r.schemes.all, b.Partitions
}

// maxRefused bounds the bytes that the rejects of one record keep: each keeps it whole.
const maxRefused = 64 << 20

// refuse rejects the next row of c; rest says that the reject stands for all rows from
// there on. full says that it does because c can keep no more of them.
func (r *reader) refuse(c *changed, f *fault, rest bool) (full bool) {
	r.set.truncate()
	c.refused++
	if full = c.refused*len(c.rec.Value) > maxRefused || f == tooMany; full {
		f = &fault{class: f.class, field: f.field, reason: fmt.Sprintf("自第 %d 行起均未入库：%s", c.rows+1, f.reason)}
	}
	r.out.reject(r.batch, c.rec, c.rows, f)
	r.out.Rejects[len(r.out.Rejects)-1].Rest = rest || full
	c.rows++
	return full
}

// put keeps the row that the columns hold behind the others.
func (r *reader) put(c *changed, deleted bool) {
	r.schemes.note(c.place)
	version := c.place.at
	if c.snapshot {
		r.out.Feed.Again = r.out.Feed.Again || r.out.Feed.Snapshot > 0 && version > r.out.Feed.Snapshot
		if version > r.out.Feed.Snapshot {
			r.out.Feed.Snapshot, r.out.Feed.SnapshotAt = version, c.rec.Offset
		}
	} else if c.place.scheme != "" {
		// A change that was under way while the snapshot was read may stand before it.
		version = max(version, r.out.Feed.Snapshot)
	}
	r.set.offsets = append(r.set.offsets, c.rec.Offset)
	r.set.index = append(r.set.index, c.index)
	r.out.Rows = append(r.out.Rows, uint16(c.rows))
	r.out.Versions = append(r.out.Versions, version)
	if deleted {
		r.out.markDeleted(r.set.rows)
	}
	r.set.rows++
	c.rows++
}

// change reads one record.
func (r *reader) change(c *changed) *fault {
	r.offset = c.rec.Offset
	v := c.rec.Value
	if v == nil {
		// A tombstone follows a deletion, which said everything: it is for brokers that
		// compact.
		return nil
	}
	if f := vet(v); f != nil {
		return f
	}
	e := &r.envelope
	if f := e.scan(v, r.schema); f != nil {
		return f
	}
	format := r.d.dataset.Format
	if format == mulu.FormatChanges {
		if format = e.format(v); format == "" {
			return &fault{class: ClassDecode, reason: "认不出变更消息的格式：既没有 Debezium 的 op 或 payload，也没有 Canal、Maxwell 的 type 与 data；请核对连接器，或在声明中改用 json"}
		}
	}
	r.texts, r.hints = format == mulu.FormatCanal, r.d.bare
	switch format {
	case mulu.FormatDebezium:
		return r.debezium(c, e)
	case mulu.FormatCanal:
		return r.canal(c, e)
	}
	return r.maxwell(c, e)
}

// format tells the product by the envelope, "" if it is none of them.
func (e *envelope) format(p []byte) string {
	switch {
	case e.payload.given() || e.op.given() || e.quiet && !e.others && !e.kind.given():
		return mulu.FormatDebezium
	case e.isDDL.given() || e.mysqlType.given() || e.sqlType.given() || e.data.isArray(p):
		return mulu.FormatCanal
	case e.kind.given():
		return mulu.FormatMaxwell
	}
	return ""
}

// debezium reads a change as Debezium writes it.
func (r *reader) debezium(c *changed, e *envelope) *fault {
	p := c.rec.Value
	op := string(e.op.text(p))
	switch {
	case op == "m":
		return nil // what an application wrote into the log; no row
	case e.quiet && op == "" && !e.others && !e.before.given() && !e.after.given():
		return nil // a heartbeat, or the null payload of a tombstone with schema
	}
	if f := r.useSchema(e.schema, p); f != nil {
		return f
	}
	f := r.locate(c, e)
	if f != nil {
		return f
	}
	switch op {
	case "c", "u", "r":
		if !e.after.isObject(p) {
			return missingPart("after", "变更之后的行；"+fullEnvelope)
		}
		kind := string(e.snapshot.text(p))
		c.snapshot = op == "r" && kind != "incremental" && c.place.scheme != ""
		f := r.upsert(c, e.after.in(p), e.before.object(p))
		if c.snapshot && (kind == "last" || kind == "last_in_data_collection") {
			r.complete(c)
		}
		return f
	case "d":
		if !e.before.isObject(p) {
			return missingPart("before", "被删除的行；请给源表设主键或 REPLICA IDENTITY FULL")
		}
		return r.remove(c, e.before.in(p))
	case "t":
		return r.truncate(c)
	}
	return &fault{class: ClassChange, field: "op", reason: fmt.Sprintf("op 是“%s”，应为 c、u、d、r、t 或 m；%s", shown(e.op.text(p)), fullEnvelope)}
}

const fullEnvelope = "请让连接器输出完整的变更信封(不要使用 ExtractNewRecordState 等展开)"

func missingPart(name, what string) *fault {
	return &fault{class: ClassChange, field: name, reason: fmt.Sprintf("变更消息的 %s 不是对象，缺少%s", name, what)}
}

// object is the value if it is an object, nil of any other.
func (a part) object(p []byte) []byte {
	if !a.isObject(p) {
		return nil
	}
	return a.in(p)
}

// useSchema takes the hints of a record's schema block; the block is read anew only
// where it changes.
func (r *reader) useSchema(block part, p []byte) *fault {
	if !block.given() {
		r.hints = r.d.plain
		return nil
	}
	if !bytes.Equal(r.schema, block.in(p)) {
		hints, f := schemaHints(block.in(p), r.d.fields)
		if f != nil {
			return f
		}
		r.schema, r.described = bytes.Clone(block.in(p)), hints
	}
	r.hints = r.described
	return nil
}

// locate finds where a Debezium change stands in the log of its database. SQL Server
// and others have positions of more than 56 bits, or none: theirs is the offset.
func (r *reader) locate(c *changed, e *envelope) *fault {
	p := c.rec.Value
	var f *fault
	switch string(e.connector.text(p)) {
	case "postgresql":
		c.place, f = r.numberPlace("lsn", e.lsn.text(p))
	case "oracle":
		c.place, f = r.numberPlace("scn", e.scn.text(p))
	case "mysql", "mariadb":
		c.place, f = r.binlogPlace(e.file.text(p), e.pos.text(p), e.server.text(p))
	default:
		c.place.at = uint64(c.rec.Offset)
	}
	return f
}

func (r *reader) numberPlace(scheme string, s []byte) (place, *fault) {
	v, ok := parseCount(s)
	if !ok {
		return place{}, &fault{class: ClassChange, field: "source", reason: fmt.Sprintf("source.%s“%s”不是可排序的位点，应为不超过 2^56 的整数", scheme, shown(s))}
	}
	return place{scheme, v}, nil
}

// canal reads a message of Canal's flat form. It has no position in the binlog, so
// rows are ordered by offset.
func (r *reader) canal(c *changed, e *envelope) *fault {
	p := c.rec.Value
	c.place.at = uint64(c.rec.Offset)
	kind := string(e.kind.text(p))
	switch {
	case kind == "TRUNCATE":
		return r.truncate(c)
	case hasWord(p, e.isDDL.from, "true") && e.isDDL.given():
		return nil // the shape of the table is declared here
	}
	if kind != "INSERT" && kind != "UPDATE" && kind != "DELETE" {
		return &fault{class: ClassChange, field: "type", reason: fmt.Sprintf("不认识的 type“%s”，应为 INSERT、UPDATE、DELETE 或 TRUNCATE", shown(e.kind.text(p)))}
	}
	if !e.data.isArray(p) {
		return &fault{class: ClassChange, field: "data", reason: "变更消息的 data 不是数组；请使用 Canal 的 flatMessage=true"}
	}
	old := e.old.from
	for at := e.data.from; ; {
		row, next, ok := element(p, at)
		if !ok {
			return nil
		}
		at = next
		var before part
		if e.old.isArray(p) {
			before, old, _ = element(p, old)
		}
		var f *fault
		switch {
		case !row.isObject(p):
			f = &fault{class: ClassChange, field: "data", reason: "data 的元素不是对象"}
		case kind == "DELETE":
			f = r.remove(c, row.in(p))
		default:
			f = r.upsert(c, row.in(p), before.object(p))
		}
		if f != nil && r.refuse(c, f, false) {
			return nil
		}
	}
}

// maxwell reads a message of Maxwell's daemon: one row.
func (r *reader) maxwell(c *changed, e *envelope) *fault {
	p := c.rec.Value
	kind := string(e.kind.text(p))
	switch kind {
	case "insert", "update", "delete", "bootstrap-insert":
	case "bootstrap-start", "bootstrap-complete", "table-create", "table-alter", "table-drop", "database-create", "database-alter", "database-drop", "heartbeat":
		return nil
	default:
		return &fault{class: ClassChange, field: "type", reason: fmt.Sprintf("不认识的 type“%s”，应为 insert、update、delete 或 bootstrap-insert", shown(e.kind.text(p)))}
	}
	if !e.data.isObject(p) {
		return missingPart("data", "行的内容；请核对 Maxwell 的输出设置")
	}
	c.place.at = uint64(c.rec.Offset)
	var f *fault
	if s := e.position.text(p); s != nil { // master.000006:800911
		colon := bytes.LastIndexByte(s, ':')
		c.place, f = r.binlogPlace(s[:max(colon, 0)], s[colon+1:], nil)
	}
	if f != nil {
		return f
	}
	if kind == "delete" {
		return r.remove(c, e.data.in(p))
	}
	return r.upsert(c, e.data.in(p), e.old.object(p))
}

// upsert keeps a row, and after it the deletion of the key it had before, if that was
// another. old may have the changed columns only.
func (r *reader) upsert(c *changed, row, old []byte) *fault {
	if f := r.room(c); f != nil {
		return f
	}
	r.begin()
	if f := r.readJSON(row); f != nil {
		return f
	}
	if f := r.finish(); f != nil {
		return f
	}
	moved := false
	if old != nil {
		r.set.rows++
		named, f := r.readKeys(old, row)
		moved = f == nil && named && !r.sameKey(r.set.rows-1, r.set.rows)
		if !moved {
			r.set.truncate()
		}
		r.set.rows--
		if f != nil {
			return f
		}
	}
	r.put(c, false)
	if moved {
		r.put(c, true)
	}
	return nil
}

// remove keeps the deletion of a row's key.
func (r *reader) remove(c *changed, row []byte) *fault {
	if f := r.room(c); f != nil {
		return f
	}
	named, f := r.readKeys(row)
	if f == nil && !named {
		f = &fault{class: ClassKey, reason: "删除的变更没有带主键字段；请核对源端的主键与 REPLICA IDENTITY 设置"}
	}
	if f != nil {
		return f
	}
	r.put(c, true)
	return nil
}

// tooMany says that there is no room for the rows from here on.
var tooMany = &fault{class: ClassOversize, reason: fmt.Sprintf("一条消息最多 %d 行，一批展开后最多 %d 行；请在源端拆小后重放", maxRows, maxBatchRows)}

// maxRows is how many rows of a record _row can tell apart; an update may be two.
const maxRows = math.MaxUint16 - 1

// room refuses a row that would not fit.
func (r *reader) room(c *changed) *fault {
	if c.rows >= maxRows || r.set.rows >= maxBatchRows-1 {
		return tooMany
	}
	return nil
}

// complete notes the end of a snapshot: a row that is not in it and not newer is gone,
// though no change says so, since a connector that begins its snapshot again skips
// what happened between. With several partitions the snapshot rows of the others may
// be yet to come, and a change under way at the snapshot may be in one that has none:
// the library is told by Again and refuses the second snapshot.
func (r *reader) complete(c *changed) {
	if r.batch.Partitions == 1 {
		r.schemes.note(c.place)
		r.out.Feed.Floor = max(r.out.Feed.Floor, c.place.at)
	}
}

// truncate notes that all rows before c are gone.
func (r *reader) truncate(c *changed) *fault {
	if c.place.scheme == "" && r.batch.Partitions != 1 {
		return &fault{class: ClassChange, reason: fmt.Sprintf("清空表(TRUNCATE)的消息没有源库位点，而主题有 %d 个分区，无法判断其他分区的哪些行在它之前；请把该表的主题改为一个分区后重建", r.batch.Partitions)}
	}
	r.schemes.note(c.place)
	r.out.Feed.Floor = max(r.out.Feed.Floor, c.place.at)
	return nil
}
