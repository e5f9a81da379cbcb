package registry_test

import (
	"strings"
	"testing"

	"mulu/ingest/registry"
	"mulu/ingest/wire"
)

// change is one change of a schema and how it is judged: b says that the new one reads
// what the old one wrote, f the other way round.
type change struct {
	name     string
	old, new string
	b, f     bool
}

func judge(t *testing.T, typ string, wrap func(string) string, changes []change) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			old, next := wire.Schema{Type: typ, Text: wrap(c.old)}, wire.Schema{Type: typ, Text: wrap(c.new)}
			for _, s := range []wire.Schema{old, next} {
				if _, err := wire.Compile(s); err != nil {
					t.Fatal(err)
				}
			}
			for level, want := range map[registry.Level]bool{registry.Backward: c.b, registry.Forward: c.f, registry.Full: c.b && c.f, registry.None: true} {
				if faults := registry.Incompatible(level, next, []wire.Schema{old}); (len(faults) == 0) != want {
					t.Errorf("%s: %v, want %v", level, faults, want)
				}
			}
		})
	}
}

func TestJSONChanges(t *testing.T) {
	judge(t, wire.JSONSchema, func(s string) string { return s }, []change{
		{"nothing but words", `{"type":"object","title":"a"}`, `{"title":"b","type":"object","description":"x"}`, true, true},
		{"a type more", `{"type":"string"}`, `{"type":["string","null"]}`, true, false},
		{"integer to number", `{"type":"integer"}`, `{"type":"number"}`, true, false},
		{"another type", `{"properties":{"a":{"type":"string"}}}`, `{"properties":{"a":{"type":"integer"}}}`, false, false},
		{"a type where none was said", `{}`, `{"type":"object"}`, false, true},
		{"an optional property more", `{"type":"object","properties":{"a":{}}}`, `{"type":"object","properties":{"a":{},"b":{"type":"string"}}}`, true, true},
		{"a property more in a closed object", `{"additionalProperties":false,"properties":{"a":{}}}`, `{"additionalProperties":false,"properties":{"a":{},"b":{}}}`, true, false},
		{"a required property more", `{"properties":{"a":{}}}`, `{"properties":{"a":{}},"required":["a"]}`, false, true},
		{"a required property with a default", `{"properties":{"a":{}}}`, `{"properties":{"a":{"default":1}},"required":["a"]}`, true, true},
		{"closed", `{"properties":{"a":{}}}`, `{"properties":{"a":{}},"additionalProperties":false}`, false, true},
		{"a value more", `{"enum":["a"]}`, `{"enum":["a","b"]}`, true, false},
		{"values where none were said", `{"type":"string"}`, `{"type":"string","enum":["a"]}`, false, true},
		{"longer", `{"maxLength":5}`, `{"maxLength":9}`, true, false},
		{"a least where there was none", `{"type":"integer"}`, `{"type":"integer","minimum":0}`, false, true},
		{"items", `{"type":"array","items":{"type":"integer"}}`, `{"type":"array","items":{"type":"string"}}`, false, false},
		{"a pattern", `{"pattern":"a"}`, `{"pattern":"b"}`, false, false},
		{"inside a reference", `{"$ref":"#/definitions/x","definitions":{"x":{"type":"string"}}}`, `{"$ref":"#/definitions/x","definitions":{"x":{"type":"integer"}}}`, false, false},
		{"a reference to the same", `{"properties":{"a":{"type":"string"}}}`, `{"properties":{"a":{"$ref":"#/definitions/x"}},"definitions":{"x":{"type":"string"}}}`, true, true},
		{"a reference to itself", `{"properties":{"a":{"$ref":"#"}}}`, `{"properties":{"a":{"$ref":"#"},"b":{"type":"string"}}}`, true, true},
		{"what is not judged", `{"oneOf":[{"type":"string"}]}`, `{"oneOf":[{"type":"string"},{"type":"null"}]}`, false, false},
	})
}

func TestProtoChanges(t *testing.T) {
	judge(t, wire.Protobuf, func(s string) string { return `syntax = "proto3"; package p; ` + s }, []change{
		{"a field more", `message M { int32 a = 1; }`, `message M { int32 a = 1; string b = 2; }`, true, true},
		{"another name", `message M { int32 a = 1; }`, `message M { int32 b = 1; }`, true, true},
		{"wider", `message M { int32 a = 1; }`, `message M { int64 a = 1; }`, true, true},
		{"written otherwise", `message M { int32 a = 1; }`, `message M { sint32 a = 1; }`, false, false},
		{"text to number", `message M { string a = 1; }`, `message M { int32 a = 1; }`, false, false},
		{"text to bytes", `message M { string a = 1; }`, `message M { bytes a = 1; }`, true, true},
		{"repeated", `message M { string a = 1; }`, `message M { repeated string a = 1; }`, false, false},
		{"another message", `message A {} message B {} message M { A a = 1; }`, `message A {} message B {} message M { B a = 1; }`, false, false},
		{"a message more", `message M {}`, `message M {} message N {}`, true, false},
		{"inside a message", `message M { message I { int32 a = 1; } I i = 1; }`, `message M { message I { string a = 1; } I i = 1; }`, false, false},
		{"a map of others", `message M { map<string, int32> m = 1; }`, `message M { map<string, string> m = 1; }`, false, false},
		{"one field into a oneof", `message M { int32 a = 1; }`, `message M { oneof o { int32 a = 1; string b = 2; } }`, true, true},
		{"two fields into a oneof", `message M { int32 a = 1; int32 b = 2; }`, `message M { oneof o { int32 a = 1; int32 b = 2; } }`, false, true},
		{"an enum value more", `enum E { X = 0; } message M { E e = 1; }`, `enum E { X = 0; Y = 1; } message M { E e = 1; }`, true, true},
		{"optional", `message M { int32 a = 1; }`, `message M { optional int32 a = 1; }`, true, true},
	})
	judge(t, wire.Protobuf, func(s string) string { return `syntax = "proto2"; ` + s }, []change{
		{"a required field more", `message M {}`, `message M { required int32 a = 1; }`, false, false},
		{"another package", `message M {}`, `package q; message M {}`, false, false},
	})
}

func TestTypeChange(t *testing.T) {
	old := wire.Schema{Type: wire.Avro, Text: `{"type":"record","name":"R","fields":[]}`}
	next := wire.Schema{Type: wire.JSONSchema, Text: `{}`}
	if faults := registry.Incompatible(registry.Backward, next, []wire.Schema{old}); len(faults) != 1 || !strings.Contains(faults[0], "类型由 AVRO 改为 JSON") {
		t.Errorf("%v", faults)
	}
}
