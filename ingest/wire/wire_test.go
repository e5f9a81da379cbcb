package wire_test

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/avro"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"mulu"
	"mulu/ingest/wire"
)

func compile(t testing.TB, typ, text string, imports ...wire.Import) *wire.Form {
	t.Helper()
	f, err := wire.Compile(wire.Schema{Type: typ, Text: text, Imports: imports})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const everyAvro = `{"type":"record","name":"R","namespace":"sh.pt","fields":[
 {"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"f","type":"float"},{"name":"d","type":"double"},{"name":"b","type":"boolean"},
 {"name":"s","type":"string"},{"name":"y","type":"bytes"},{"name":"x","type":{"type":"fixed","name":"X","size":3}},
 {"name":"e","type":{"type":"enum","name":"E","symbols":["VALID","VOID"]}},
 {"name":"u","type":["null","string"],"default":null},{"name":"n","type":["null","long"],"default":null},
 {"name":"a","type":{"type":"array","items":"int"}},{"name":"m","type":{"type":"map","values":"string"}},
 {"name":"dec","type":{"type":"bytes","logicalType":"decimal","precision":18,"scale":4}},
 {"name":"big","type":{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}},
 {"name":"fix","type":{"type":"fixed","name":"D","size":8,"logicalType":"decimal","precision":18,"scale":2}},
 {"name":"day","type":{"type":"int","logicalType":"date"}},
 {"name":"ms","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"us","type":{"type":"long","logicalType":"timestamp-micros"}},
 {"name":"local","type":{"type":"long","logicalType":"local-timestamp-millis"}},{"name":"clock","type":{"type":"int","logicalType":"time-millis"}},
 {"name":"uuid","type":{"type":"string","logicalType":"uuid"}},{"name":"u16","type":{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}},
 {"name":"next","type":["null","R"],"default":null},{"name":"e2","type":["E","null"]}
]}`

// avroBytes writes values in Avro's binary form by hand: the test must not trust the
// code it tests.
type avroBytes []byte

func (a *avroBytes) long(v int64) *avroBytes  { *a = binary.AppendVarint(*a, v); return a }
func (a *avroBytes) raw(b ...byte) *avroBytes { *a = append(*a, b...); return a }
func (a *avroBytes) text(s string) *avroBytes { a.long(int64(len(s))); *a = append(*a, s...); return a }

func everyRecord() []byte {
	var a avroBytes
	a.long(-7).long(9007199254740993).raw(0, 0, 0xc0, 0x3f).raw(0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f).raw(1)
	a.text("引\"号\n\x01").text("\x00\xff").raw(1, 2, 3)
	a.long(1).long(1).text("有").long(0)
	a.long(-2).long(2).long(1).long(2).long(0) // a block of two with its size
	a.long(1).text("k").text("v").long(0)
	a.text("\x01\xe2\x40").text("\xff\x0f\xff\xff\xff\xff\xff\xff\xff\xff").raw(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfb)
	a.long(19723).long(1704067200123).long(-1).long(1704067200000).long(3661001)
	a.text("123e4567-e89b-12d3-a456-426614174000").raw(0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0)
	a.long(0).long(0).long(0)
	return a
}

func TestAvro(t *testing.T) {
	f := compile(t, wire.Avro, everyAvro)
	got, d := f.Append(nil, everyRecord())
	if d != nil {
		t.Fatal(*d)
	}
	want := `{"i":-7,"l":9007199254740993,"f":1.5,"d":0.1,"b":true,"s":"引\"号\n\u0001","y":"AP8=","x":"AQID","e":"VOID","u":"有","n":null,"a":[1,2],"m":{"k":"v"},` +
		`"dec":12.3456,"big":-44272185776902923878.41,"fix":-0.05,"day":"2024-01-01","ms":"2024-01-01T00:00:00.123Z","us":"1969-12-31T23:59:59.999999Z",` +
		`"local":"2024-01-01T00:00:00","clock":"01:01:01.001","uuid":"123e4567-e89b-12d3-a456-426614174000","u16":"123e4567-e89b-12d3-a456-426614174000","next":null,"e2":"VALID"}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// The library reads the same bytes.
	var v any
	if rest, err := avro.MustParse(everyAvro).Decode(everyRecord(), &v); err != nil || len(rest) > 0 {
		t.Errorf("the library: %v, %d bytes left", err, len(rest))
	}
	whole := everyRecord()
	for n := range len(whole) {
		if _, d := f.Append(nil, whole[:n]); d == nil {
			t.Errorf("cut at %d of %d it was read", n, len(whole))
		}
	}
	if _, d := f.Append(nil, append(whole, 0)); d == nil || !strings.Contains(d.Why, "还有 1 字节") {
		t.Errorf("a byte too many: %+v", d)
	}
}

func TestAvroReferences(t *testing.T) {
	person := wire.Import{Name: "sh.pt.Person", Text: `{"type":"record","name":"Person","namespace":"sh.pt","fields":[{"name":"name","type":"string"}]}`}
	f := compile(t, wire.Avro, `{"type":"record","name":"Visit","fields":[{"name":"who","type":"sh.pt.Person"},{"name":"with","type":["null","sh.pt.Person"]}]}`, person)
	var a avroBytes
	a.text("张三").long(1).text("李四")
	if got, d := f.Append(nil, a); d != nil || string(got) != `{"who":{"name":"张三"},"with":{"name":"李四"}}` {
		t.Errorf("%s, %+v", got, d)
	}
}

func TestDamage(t *testing.T) {
	f := compile(t, wire.Avro, `{"type":"record","name":"R","fields":[{"name":"in","type":{"type":"record","name":"I","fields":[{"name":"s","type":"string"},{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]}},{"name":"n","type":{"type":"array","items":"null"}}]}}]}`)
	for _, c := range []struct {
		name     string
		body     avroBytes
		field    string
		encoding bool
		long     bool
	}{
		{"GBK text", *new(avroBytes).text("\xd5\xc5\xc8\xfd").long(0).long(0), "in.s", true, false},
		{"enum out of range", *new(avroBytes).text("x").long(4).long(0), "in.e", false, false},
		{"a length below zero", *new(avroBytes).long(-4), "in.s", false, false},
		{"a length beyond the record", *new(avroBytes).long(1 << 40), "in.s", false, false},
		{"a billion nulls", *new(avroBytes).text("").long(0).long(1 << 40).long(0), "in.n", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, d := f.Append(nil, c.body)
			if d == nil || d.Field != c.field || d.Encoding != c.encoding || d.TooLong != c.long {
				t.Errorf("%+v", d)
			}
		})
	}
}

const everyProto = `syntax = "proto3"; package sh.pt;
import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto"; import "google/protobuf/struct.proto"; import "google/protobuf/duration.proto";
import "google/type/date.proto"; import "confluent/type/decimal.proto"; import "confluent/meta.proto";
message Other { string x = 1; }
message R {
  option (confluent.message_meta).doc = "x";
  message Inner { string a = 1; int64 b = 2; repeated int32 list = 3; }
  enum E { UNKNOWN = 0; VALID = 1; }
  int32 i = 1; int64 l = 2; sint32 s32 = 3; sint64 s64 = 4; uint32 u32 = 5; uint64 u64 = 6; fixed32 f32 = 7; fixed64 f64 = 8; sfixed32 sf32 = 9; sfixed64 sf64 = 10;
  float f = 11; double d = 12; bool b = 13; string s = 14; bytes y = 15; E e = 16;
  optional int32 o = 17; optional string os = 18;
  Inner inner = 19; repeated int32 packed = 20; repeated string list = 21; map<string, int64> m = 22; map<int32, Inner> mm = 23;
  google.protobuf.Timestamp at = 24; google.protobuf.StringValue w = 25; google.protobuf.Int64Value wn = 26; google.protobuf.Struct st = 27; google.protobuf.Duration du = 28;
  google.type.Date day = 29; confluent.type.Decimal money = 30;
  oneof which { string left = 31; int32 right = 32; }
  repeated Inner inners = 300;
}`

func protoType(t testing.TB, name protoreflect.FullName) protoreflect.MessageDescriptor {
	t.Helper()
	file, err := wire.CompileProto(wire.Schema{Type: wire.Protobuf, Text: everyProto})
	if err != nil {
		t.Fatal(err)
	}
	return file.Messages().ByName(name.Name())
}

// protoRecord makes a record's body from protojson: index 1 of the file.
func protoRecord(t testing.TB, text string) []byte {
	t.Helper()
	m := dynamicpb.NewMessage(protoType(t, "R"))
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{2, 2}, b...)
}

func TestProto(t *testing.T) {
	f := compile(t, wire.Protobuf, everyProto)
	got, d := f.Append(nil, protoRecord(t, `{"i":-7,"l":"9007199254740993","s32":-1,"s64":"-2","u32":4294967295,"u64":"18446744073709551615","f32":1,"f64":"2","sf32":-3,"sf64":"-4",
		"f":1.5,"d":0.1,"b":true,"s":"引\"号","y":"AP8=","e":"VALID","o":0,"inner":{"a":"x","b":"5","list":[1,2]},"packed":[3,-4],"list":["a","b"],"m":{"k":"1"},"mm":{"5":{"a":"z"}},
		"at":"2024-01-01T00:00:00.120Z","w":"","wn":"6","st":{"k":[1,"x",null,{"y":true}]},"du":"1.500s","day":{"year":2024,"month":2,"day":3},"money":{"value":"AeJA","precision":18,"scale":4},
		"right":9,"inners":[{"a":"p"},{}]}`))
	if d != nil {
		t.Fatal(*d)
	}
	want := `{"i":-7,"l":9007199254740993,"s32":-1,"s64":-2,"u32":4294967295,"u64":18446744073709551615,"f32":1,"f64":2,"sf32":-3,"sf64":-4,"f":1.5,"d":0.1,"b":true,"s":"引\"号","y":"AP8=","e":"VALID",` +
		`"o":0,"inner":{"a":"x","b":5,"list":[1,2]},"packed":[3,-4],"list":["a","b"],"m":{"k":1},"mm":{"5":{"a":"z","b":0}},"at":"2024-01-01T00:00:00.120Z","w":"","wn":6,` +
		`"st":{"k":[1,"x",null,{"y":true}]},"du":"1.500s","day":"2024-02-03","money":12.3456,"right":9,"inners":[{"a":"p","b":0},{"a":"","b":0}]}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	t.Run("what is absent", func(t *testing.T) {
		got, d := f.Append(nil, []byte{2, 2})
		want := `{"i":0,"l":0,"s32":0,"s64":0,"u32":0,"u64":0,"f32":0,"f64":0,"sf32":0,"sf64":0,"f":0,"d":0,"b":false,"s":"","y":"","e":"UNKNOWN"}`
		if d != nil || string(got) != want {
			t.Errorf("got %s, %+v\nwant %s", got, d, want)
		}
	})
	t.Run("a message of another index, and a bare zero", func(t *testing.T) {
		for _, head := range []string{"\x00", "\x02\x00"} {
			if got, d := f.Append(nil, []byte(head+"\x0a\x01x")); d != nil || string(got) != `{"x":"x"}` {
				t.Errorf("%x: %s, %+v", head, got, d)
			}
		}
		if got, d := f.Append(nil, []byte("\x04\x02\x00\x0a\x01x")); d != nil || string(got) != `{"a":"x","b":0}` {
			t.Errorf("nested: %s, %+v", got, d)
		}
	})
	t.Run("the last holds, messages merge, the last of a oneof holds, unknown fields are kept", func(t *testing.T) {
		body := "\x02\x02" + "\x08\x01\x08\x02" + "\x9a\x01\x03\x0a\x01x" + "\x9a\x01\x02\x10\x05" + "\xfa\x01\x01l\x80\x02\x07" + "\xf8\x3f\x01"
		got, d := f.Append(nil, []byte(body))
		if d != nil || !strings.HasPrefix(string(got), `{"i":2,`) || !strings.Contains(string(got), `"inner":{"a":"x","b":5},"right":7,"#unknown":"+D8B"}`) {
			t.Errorf("%s, %+v", got, d)
		}
	})
	t.Run("damage", func(t *testing.T) {
		for name, body := range map[string]string{
			"no indexes": "", "indexes cut": "\x04\x02", "no such message": "\x02\x08", "cut": "\x02\x02\x08", "cut text": "\x02\x02\x72\x05ab", "bad tag": "\x02\x02\x07",
			"GBK text": "\x02\x02\x72\x04\xd5\xc5\xc8\xfd", "packed cut": "\x02\x02\xa2\x01\x01\x80", "entry cut": "\x02\x02\xb2\x01\x02\x0a\x05", "nanos out of range": "\x02\x02\xc2\x01\x06\x10\xff\xff\xff\xff\x7f",
		} {
			if got, d := f.Append(nil, []byte(body)); d == nil {
				t.Errorf("%s was read as %s", name, got)
			}
		}
	})
}

func TestJSONSchema(t *testing.T) {
	f := compile(t, wire.JSONSchema, `{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},"p":{"$ref":"person.json"}}}`,
		wire.Import{Name: "person.json", Text: `{"type":"object","properties":{"age":{"type":"integer","minimum":0}}}`})
	if d := f.Validate([]byte(`{"id":9007199254740993,"p":{"age":3}}`)); d != nil {
		t.Error(*d)
	}
	for body, field := range map[string]string{`{"id":"x"}`: "id", `{"id":1,"p":{"age":-1}}`: "p.age", `{}`: ""} {
		if d := f.Validate([]byte(body)); d == nil || !d.Schema || d.Field != field || d.Why == "" {
			t.Errorf("%s: %+v", body, d)
		}
	}
}

func TestCompileErrInvalid(t *testing.T) {
	for name, s := range map[string]wire.Schema{
		"unknown type":             {Type: "XML", Text: "<x/>"},
		"broken Avro":              {Type: wire.Avro, Text: `{"type":"record"`},
		"Avro that is no record":   {Type: wire.Avro, Text: `"string"`},
		"Avro of an unknown type":  {Type: wire.Avro, Text: `{"type":"record","name":"R","fields":[{"name":"x","type":"Y"}]}`},
		"broken Protobuf":          {Type: wire.Protobuf, Text: `message {`},
		"Protobuf of no message":   {Type: wire.Protobuf, Text: `syntax = "proto3";`},
		"Protobuf without import":  {Type: wire.Protobuf, Text: `syntax = "proto3"; import "other.proto"; message M {}`},
		"broken JSON Schema":       {Type: wire.JSONSchema, Text: `{"type":`},
		"JSON Schema of no schema": {Type: wire.JSONSchema, Text: `{"type":"strung"}`},
		"JSON Schema from a file":  {Type: wire.JSONSchema, Text: `{"$ref":"file:///etc/passwd"}`},
		"JSON Schema from afar":    {Type: wire.JSONSchema, Text: `{"$ref":"http://127.0.0.1:1/x.json"}`},
	} {
		if _, err := wire.Compile(s); !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A .proto file may be registered as its descriptor, too: it is the same schema.
func TestProtoDescriptor(t *testing.T) {
	file, err := wire.CompileProto(wire.Schema{Type: wire.Protobuf, Text: everyProto})
	if err != nil {
		t.Fatal(err)
	}
	d := protodesc.ToFileDescriptorProto(file)
	for _, m := range d.MessageType { // as Python's library sends it
		for _, f := range m.Field {
			f.JsonName = nil
		}
	}
	b, err := proto.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString(b)
	f := compile(t, wire.Protobuf, text)
	if got, d := f.Append(nil, []byte("\x00\x0a\x01x")); d != nil || string(got) != `{"x":"x"}` {
		t.Errorf("%s, %+v", got, d)
	}
	x, err1 := wire.Fingerprint(wire.Schema{Type: wire.Protobuf, Text: text})
	y, err2 := wire.Fingerprint(wire.Schema{Type: wire.Protobuf, Text: everyProto})
	if err1 != nil || err2 != nil || x != y {
		t.Errorf("%s %v, %s %v", x, err1, y, err2)
	}
}

// TestColumns: a draft of a dataset names every single value once.
func TestColumns(t *testing.T) {
	show := func(f *wire.Form) string {
		var b strings.Builder
		for _, c := range f.Columns() {
			fmt.Fprintf(&b, "%s %s %s %d %v\n", c.Name, c.Path, c.Type, c.Scale, c.Required)
		}
		return b.String()
	}
	for _, c := range []struct{ typ, text, want string }{
		{wire.Avro, `{"type":"record","name":"R","fields":[{"name":"idNo","type":"string"},{"name":"who","type":["null",{"type":"record","name":"W","fields":[{"name":"name","type":"string"},{"name":"idNo","type":"string"},{"name":"next","type":["null","W"]}]}]},
			{"name":"money","type":["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}]},{"name":"tags","type":{"type":"array","items":"int"}}]}`,
			"id_no idNo string 0 true\nname who.name string 0 false\nwho_id_no who.idNo string 0 false\n"},
		{wire.Protobuf, `syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto"; message R { message W { string name = 1; } int64 id = 1; W who = 2; google.protobuf.Timestamp at = 3; google.protobuf.BoolValue ok = 4; repeated int32 l = 5; }`,
			"id  int 0 true\nname who.name string 0 false\nat  datetime 0 false\nok  bool 0 false\n"},
		{wire.JSONSchema, `{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},"born":{"type":["string","null"],"format":"date"},"who":{"type":"object","properties":{"name":{"type":"string"}}},"l":{"type":"array"}}}`,
			"born  date 0 false\nid  int 0 true\nname who.name string 0 false\n"},
	} {
		if got := show(compile(t, c.typ, c.text)); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.typ, got, c.want)
		}
	}
}

func TestFingerprint(t *testing.T) {
	for _, c := range []struct {
		typ, a, b string
		same      bool
	}{
		{wire.Avro, `{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}`, `{ "name":"R", "type":"record",` + "\n" + ` "fields":[{"type":"int","name":"x"}]}`, true},
		{wire.Avro, `{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}`, `{"type":"record","name":"R","fields":[{"name":"x","type":"long"}]}`, false},
		{wire.JSONSchema, `{"maximum":9007199254740993}`, `{"maximum":9007199254740992}`, false},
		{wire.JSONSchema, `{"a":1,"type":"object"}`, `{"type":"object","a":1}`, true},
		{wire.Protobuf, `syntax = "proto3"; message M { int32 a = 1; }`, "// 说明\nsyntax = \"proto3\";\nmessage M {\n  int32 a = 1;\n}\n", true},
		{wire.Protobuf, `syntax = "proto3"; message M { int32 a = 1; }`, `syntax = "proto3"; message M { int32 a = 2; }`, false},
	} {
		a, err1 := wire.Fingerprint(wire.Schema{Type: c.typ, Text: c.a})
		b, err2 := wire.Fingerprint(wire.Schema{Type: c.typ, Text: c.b})
		if err1 != nil || err2 != nil || (a == b) != c.same {
			t.Errorf("%s\n%s\nsame %v, want %v (%v, %v)", c.a, c.b, a == b, c.same, err1, err2)
		}
	}
}
