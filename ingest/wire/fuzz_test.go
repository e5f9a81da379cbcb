package wire_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/twmb/avro"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"mulu/ingest/wire"
)

// FuzzAvro reads what the library reads and refuses what it refuses. It is stricter in
// two things: text that is not UTF-8, and truth values that are neither 0 nor 1.
func FuzzAvro(f *testing.F) {
	form, lib := compile(f, wire.Avro, everyAvro), avro.MustParse(everyAvro)
	f.Add(everyRecord())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		got, d := form.Append(nil, body)
		if d != nil {
			if d.At < 0 || d.At > len(body) || d.Why == "" {
				t.Errorf("damage %+v of %d bytes", d, len(body))
			}
			var v any
			rest, err := lib.Decode(body, &v)
			if err == nil && len(rest) == 0 && !d.Encoding && !d.TooLong && !strings.Contains(d.Why, "嵌套") && !strings.Contains(d.Why, "真假值") {
				t.Errorf("the library reads %x, here %+v", body, d)
			}
			return
		}
		if !json.Valid(got) || !utf8.Valid(got) {
			t.Errorf("%x gives %s", body, got)
		}
		var v any
		if rest, err := lib.Decode(body, &v); err != nil || len(rest) > 0 {
			t.Errorf("read %x as %s, the library says %v", body, got, err)
		}
	})
}

// FuzzProto reads what dynamicpb reads, to the same values.
func FuzzProto(f *testing.F) {
	form, typ := compile(f, wire.Protobuf, everyProto), protoType(f, "R")
	f.Add(protoRecord(f, `{"i":-7,"s":"x","inner":{"a":"x"},"packed":[3,-4],"m":{"k":"1"},"at":"2024-01-01T00:00:00.120Z","wn":"6","st":{"k":[1,"x",null]},"right":9}`)[2:])
	f.Add([]byte("\x9a\x01\x03\x0a\x01x\x9a\x01\x02\x10\x05"))
	f.Add([]byte("\xfa\x01\x01l\x80\x02\x07"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, d := form.Append(nil, append([]byte{2, 2}, body...))
		m := dynamicpb.NewMessage(typ)
		err, ok := unmarshal(body, m)
		if !ok {
			return
		}
		if (err == nil) != (d == nil) {
			if err != nil && strings.Contains(err.Error(), "UTF-8") {
				return // in a value that a later one replaces
			}
			if d != nil && (d.TooLong || strings.Contains(d.Why, "嵌套") || strings.Contains(d.Why, "Timestamp") || strings.Contains(d.Why, "写法") || strings.Contains(d.Why, "scale")) {
				return
			}
			t.Fatalf("%x: here %+v, the library %v", body, d, err)
		}
		if d != nil {
			return
		}
		if !json.Valid(got) {
			t.Fatalf("%x gives %s", body, got)
		}
		if strings.Contains(string(got), `"#unknown"`) || len(m.GetUnknown()) > 0 {
			return
		}
		want, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(m)
		if err != nil {
			return // a time or a number that JSON does not have
		}
		if a, b := flat(t, got), flat(t, want); a != b {
			t.Errorf("%x\ngot  %s\nwant %s", body, a, b)
		}
	})
}

// unmarshal is proto.Unmarshal, which panics (v1.36.12) at an entry of a map that has a
// key of another wire type; ok is false then.
func unmarshal(b []byte, m proto.Message) (err error, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return proto.Unmarshal(b, m), true
}

// flat writes a JSON value so that the two ways to write one are alike: protojson
// writes long numbers as text and empty lists where there is nothing.
func flat(t *testing.T, b []byte) string {
	var v map[string]any
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	delete(v, "day") // written as a date and as a number here
	delete(v, "money")
	delete(v, "du")
	var out strings.Builder
	level(&out, v)
	return out.String()
}

func level(out *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		out.WriteString("{")
		for _, k := range slices.Sorted(maps.Keys(v)) {
			switch inner := v[k].(type) {
			case []any:
				if len(inner) == 0 {
					continue
				}
			case map[string]any:
				if len(inner) == 0 {
					continue
				}
			case nil:
				continue
			}
			fmt.Fprintf(out, "%q:", k)
			level(out, v[k])
			out.WriteString(",")
		}
		out.WriteString("}")
	case []any:
		for _, x := range v {
			level(out, x)
			out.WriteString(";")
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			fmt.Fprintf(out, "%g", f)
			return
		}
		out.WriteString(v.String())
	default:
		fmt.Fprint(out, v)
	}
}
