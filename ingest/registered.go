package ingest

import (
	"errors"
	"fmt"

	"mulu"
	"mulu/ingest/wire"
)

// Schemas gives the schemas that records name. ingest/registry has it.
type Schemas interface {
	// Form gives how records of a schema are written. mulu.ErrNotFound: the registry has
	// no such schema; mulu.ErrInvalid: it can not be read; any other error: nobody knows
	// just now.
	Form(id uint32) (*wire.Form, error)
	// Missing gives, by schema id, the offsets whose records were judged without it.
	Missing(topic mulu.TopicID, partition int32, first, last int64) (map[uint32][][2]int64, error)
	// Miss notes that records of [first, last] are judged without some schemas.
	Miss(topic mulu.TopicID, partition int32, first, last int64, ids []uint32) error
}

// With gives the decoder the schemas that a registry's formats need. Call it before the
// decoder is used.
func (d *Decoder) With(s Schemas) *Decoder {
	d.schemas = s
	return d
}

// wireTypes are the types of schema by format.
var wireTypes = map[string]string{mulu.FormatAvro: wire.Avro, mulu.FormatJSONSchema: wire.JSONSchema, mulu.FormatProtobuf: wire.Protobuf}

// registry is what one batch knows of schemas: what was found stays so for all of it.
type registry struct {
	known   map[uint32]found
	last    uint32 // id of the last record, and what was found for it
	current found
	missing map[uint32][][2]int64 // judged without, by an earlier reading of the batch
	misses  []uint32              // not known now
	failed  error                 // nobody knows: the batch can not be read now
}

type found struct {
	form *wire.Form
	f    *fault
}

// registered reads records of a registry's format. An error means that a schema can
// not be had just now: the batch is not planned, and read again.
func (r *reader) registered(b *Batch, out *Decoded) (err error) {
	if r.d.schemas == nil {
		return fmt.Errorf("数据集 %s 的格式为 %s，但没有配置模式登记处 (no registry): %w", r.d.dataset.Code, r.d.dataset.Format, mulu.ErrInvalid)
	}
	r.registry = &registry{known: map[uint32]found{}}
	p := &b.Plan
	if !b.Mended {
		if r.registry.missing, err = r.d.schemas.Missing(p.TopicID, p.Partition, p.First, p.Last); err != nil {
			return err
		}
	}
	r.records(b, out)
	out.misses = r.registry.misses
	return r.registry.failed
}

// Note keeps, for a batch that is planned and of which nothing is stored, which schemas
// the registry did not know: when the batch is read again its records are rejects
// again, although their schema may have been registered since. A crash before it judges
// the batch anew, as a whole.
func (d *Decoder) Note(b *Batch, decoded *Decoded) error {
	if len(decoded.misses) == 0 {
		return nil
	}
	p := &b.Plan
	return d.schemas.Miss(p.TopicID, p.Partition, p.First, p.Last, decoded.misses)
}

// readRegistered reads one record of a registry's format into a row.
func (r *reader) readRegistered(v []byte) *fault {
	if r.typed && (len(v) == 0 || v[0] != 0) {
		return r.readTyped(v)
	}
	form, p, f := r.unfold(v)
	if f != nil {
		return f
	}
	if form.Type != wireTypes[r.d.dataset.Format] {
		return &fault{class: ClassSchema, reason: fmt.Sprintf("记录的模式是 %s，而数据集登记的格式是 %s；请换用对应的序列化程序，或登记新版本", form.Type, r.d.dataset.Format)}
	}
	r.begin()
	if f := r.readJSON(p); f != nil {
		return f
	}
	if d := form.Validate(p); d != nil {
		return explain(d)
	}
	return r.finish()
}

// readTyped reads what a person wrote in place of a record: plain JSON.
func (r *reader) readTyped(v []byte) *fault {
	v, f := r.plainText(v)
	if f != nil {
		return f
	}
	r.begin()
	if f := r.readJSON(v); f != nil {
		return f
	}
	return r.finish()
}

// unfold gives a record as JSON.
func (r *reader) unfold(v []byte) (*wire.Form, []byte, *fault) {
	if len(v) > MaxRecord {
		return nil, nil, vet(v)
	}
	id, body, ok := wire.Header(v)
	if !ok {
		return nil, nil, notRegistered(v)
	}
	form, f := r.form(id)
	if f != nil {
		return nil, nil, f
	}
	if form.Type == wire.JSONSchema {
		body, f = r.plainText(body)
		return form, body, f
	}
	var d *wire.Damage
	if r.utf8, d = form.Append(r.utf8[:0], body); d != nil {
		return nil, nil, explain(d)
	}
	return form, r.utf8, nil
}

func notRegistered(v []byte) *fault {
	begins := "为空"
	if len(v) > 0 {
		begins = fmt.Sprintf("以 0x%02X 开头", v[0])
		if v[0] == 0 {
			begins = fmt.Sprintf("只有 %d 字节", len(v))
		}
	}
	more := ""
	if len(v) > 0 && (v[0] == '{' || v[0] == '[') {
		more = "；这像是未经序列化的 JSON，若源端本就发 JSON，请登记 format: json 的新版本"
	}
	return &fault{class: ClassSchema, reason: "记录不是模式登记处的格式(应以字节 0 和 4 字节模式编号开头)，实际" + begins + "；请使用 Confluent 的序列化程序(见 docs/ingest/registry.md)" + more}
}

// form finds the schema of the record that is being read.
func (r *reader) form(id uint32) (*wire.Form, *fault) {
	g := r.registry
	for _, m := range g.missing[id] {
		if r.offset >= m[0] && r.offset <= m[1] {
			return nil, unknownSchema(id)
		}
	}
	if g.current.form != nil && g.last == id {
		return g.current.form, nil
	}
	at, ok := g.known[id]
	if !ok && g.failed != nil {
		return nil, noAnswer // the batch is given up: no use in waiting once more
	}
	if !ok {
		at = r.lookUp(id)
		g.known[id] = at
	}
	g.last, g.current = id, at
	return at.form, at.f
}

var noAnswer = &fault{class: ClassSchema, reason: "模式登记处没有答复"}

func unknownSchema(id uint32) *fault {
	return &fault{class: ClassSchema, reason: fmt.Sprintf("模式登记处没有编号为 %d 的模式；请核对源端的 schema.registry.url 是否与本系统配置的登记处一致，登记之后可重放", id)}
}

// lookUp asks for a schema once a batch.
func (r *reader) lookUp(id uint32) found {
	form, err := r.d.schemas.Form(id)
	switch {
	case errors.Is(err, mulu.ErrNotFound):
		r.registry.misses = append(r.registry.misses, id)
		return found{f: unknownSchema(id)}
	case errors.Is(err, mulu.ErrInvalid):
		return found{f: &fault{class: ClassSchema, reason: fmt.Sprintf("编号为 %d 的模式不能使用：%v；请重新登记模式并重发", id, err)}}
	case err != nil:
		r.registry.failed = err
		return found{f: noAnswer}
	}
	return found{form: form}
}

// explain says in a reject what is wrong with a record.
func explain(d *wire.Damage) *fault {
	f := &fault{class: ClassDecode, field: d.Field}
	switch {
	case d.Schema:
		f.class, f.reason = ClassSchema, "记录不符合登记的 JSON Schema："+d.Why
		if d.Field != "" {
			f.reason = fmt.Sprintf("字段“%s”不符合登记的 JSON Schema：%s", d.Field, d.Why)
		}
		return f
	case d.Encoding:
		f.class = ClassEncoding
	case d.TooLong:
		f.class = ClassOversize
	}
	f.reason = fmt.Sprintf("第 %d 字节处：%s", d.At+1, d.Why)
	if d.Field != "" {
		f.reason = fmt.Sprintf("字段“%s”，第 %d 字节处：%s", d.Field, d.At+1, d.Why)
	}
	return f
}
