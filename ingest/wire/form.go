// Package wire reads records of a schema registry's formats: the header that Confluent's
// serialisers put before a record, and what follows it in Avro, Protobuf or JSON. A
// record is turned into the JSON that ingest's own decoder reads, digit by digit:
// nothing goes through a float that was not one, so int64 and decimals stay exact.
//
// The libraries parse and link schemas. The records themselves are read here, straight
// from their bytes into one buffer, because decoding into values first costs an
// allocation for every field of every row.
package wire

import (
	"fmt"

	"mulu"
)

// Schema types, as registries name them.
const (
	Avro       = "AVRO"
	JSONSchema = "JSON"
	Protobuf   = "PROTOBUF"
)

// Import is a schema that another one refers to, by the name it uses.
type Import struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Schema is a registered schema with all it refers to, in an order in which none
// refers to a later one.
type Schema struct {
	Type    string
	Text    string
	Imports []Import
}

// Form is a compiled schema. It is safe for use by several goroutines.
type Form struct {
	Type  string
	avro  *avroNode
	proto *protoFile
	json  *jsonSchema
}

// Compile makes a schema ready. mulu.ErrInvalid says in words why it can not be read.
func Compile(s Schema) (*Form, error) {
	f := &Form{Type: s.Type}
	var err error
	switch s.Type {
	case Avro:
		f.avro, err = compileAvro(s)
	case Protobuf:
		f.proto, err = compileProto(s)
	case JSONSchema:
		f.json, err = compileJSON(s)
	default:
		err = fmt.Errorf("类型 %q 应为 AVRO、JSON 或 PROTOBUF (unknown type): %w", s.Type, mulu.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Damage says why a record can not be read with its schema.
type Damage struct {
	At    int    // byte of the record's body, from 0
	Field string // the way to the field, "" if there is none
	Why   string // Chinese
	// Encoding says that a text is not UTF-8, Schema that the record is readable and
	// breaks its schema.
	Encoding, Schema bool
	// TooLong says that the record unfolds into more than maxText.
	TooLong bool
}

// Bounds that keep a hostile record cheap.
const (
	maxDepth = 64
	maxText  = 16 << 20
)

// Append writes the record whose body is p (what follows Header's part) as JSON at the
// end of dst. dst may have grown although the record is damaged.
func (f *Form) Append(dst, p []byte) ([]byte, *Damage) {
	switch f.Type {
	case Avro:
		return f.avro.record(dst, p)
	case Protobuf:
		return f.proto.record(dst, p)
	}
	return append(dst, p...), nil
}

// Validate says whether a record of a JSON Schema, which is JSON, keeps to it. The other
// formats can not be written otherwise.
func (f *Form) Validate(p []byte) *Damage {
	if f.json == nil {
		return nil
	}
	return f.json.validate(p)
}

// HeaderLen is how long the header is: a zero byte and the schema's id.
const HeaderLen = 5

// Header splits a record into the id of its schema and its body. ok is false for what
// no registry's serialiser wrote.
func Header(v []byte) (id uint32, body []byte, ok bool) {
	if len(v) < HeaderLen || v[0] != 0 {
		return 0, nil, false
	}
	return uint32(v[1])<<24 | uint32(v[2])<<16 | uint32(v[3])<<8 | uint32(v[4]), v[HeaderLen:], true
}

func damaged(at int, why string) *Damage { return &Damage{At: at, Why: why} }

// in puts the field before the way that is known so far.
func (d *Damage) in(field string) *Damage {
	if d.Field == "" {
		d.Field = field
	} else {
		d.Field = field + "." + d.Field
	}
	return d
}

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, mulu.ErrInvalid)...)
}
