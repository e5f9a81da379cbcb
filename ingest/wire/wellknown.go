package wire

import (
	"encoding/json"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mulu/ingest/text"
)

// wellForm writes a message that stands for one value.
type wellForm func(m *protoMessage, dst []byte, in *protoIn, base, depth int) ([]byte, *Damage)

// wellForms are the messages that are not written as objects.
var wellForms map[protoreflect.FullName]wellForm

func init() { // they lead back to themselves
	wellForms = map[protoreflect.FullName]wellForm{
		"google.protobuf.Timestamp": timestamp, "google.protobuf.Duration": duration,
		"google.protobuf.Struct": bare, "google.protobuf.ListValue": bare, "google.protobuf.Value": bare,
		"google.type.Date": date, "google.type.Decimal": decimalText, "confluent.type.Decimal": decimalBytes,
	}
	for _, kind := range []string{"Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"} {
		wellForms[protoreflect.FullName("google.protobuf."+kind+"Value")] = bare
	}
}

// bare writes the one field that is set in place of the message; the only field, where
// there is one.
func bare(m *protoMessage, dst []byte, in *protoIn, base, depth int) ([]byte, *Damage) {
	for i := range m.fields {
		if f := &m.fields[i]; in.seen[base+i].first != 0 || len(m.fields) == 1 {
			return f.write(dst, in, base+i, depth)
		}
	}
	return append(dst, "null"...), nil
}

// whole is the last value of a whole-number field, 0 if it is absent.
func (m *protoMessage) whole(in *protoIn, base int, n protowire.Number) int64 {
	at := m.field(n)
	if at < 0 || in.seen[base+at].first == 0 {
		return 0
	}
	v, k := protowire.ConsumeVarint(in.seen[in.seen[base+at].last].val)
	if k < 0 {
		return 0
	}
	return int64(v) //nolint:gosec // as the format has it
}

func (m *protoMessage) bytes(in *protoIn, base int, n protowire.Number) []byte {
	at := m.field(n)
	if at < 0 || in.seen[base+at].first == 0 {
		return nil
	}
	return in.seen[in.seen[base+at].last].val
}

// maxSeconds is the year 9999: nanoseconds are written apart, since they do not fit.
const maxSeconds = 253402300799

func timestamp(m *protoMessage, dst []byte, in *protoIn, base, _ int) ([]byte, *Damage) {
	sec, nanos := m.whole(in, base, 1), m.whole(in, base, 2)
	if sec < -62135596800 || sec > maxSeconds || nanos < 0 || nanos > 999_999_999 {
		return dst, damaged(0, "Timestamp 超出 0001 至 9999 年，或 nanos 不在 0 到 999999999 之间")
	}
	dst = appendMoment(dst, sec, 1, "")
	return append(fraction(dst[:len(dst)-1], nanos), 'Z', '"'), nil
}

// fraction writes nanoseconds behind whole seconds, no finer than they must be.
func fraction(dst []byte, nanos int64) []byte {
	if nanos == 0 {
		return dst
	}
	width := 9
	for width > 3 && nanos%1000 == 0 {
		nanos, width = nanos/1000, width-3
	}
	return appendPadded(append(dst, '.'), nanos, width)
}

func duration(m *protoMessage, dst []byte, in *protoIn, base, _ int) ([]byte, *Damage) {
	sec, nanos := m.whole(in, base, 1), m.whole(in, base, 2)
	dst = append(dst, '"')
	if sec < 0 || nanos < 0 {
		dst, sec, nanos = append(dst, '-'), -sec, -nanos
	}
	return append(fraction(appendPadded(dst, sec, 1), nanos), 's', '"'), nil
}

func date(m *protoMessage, dst []byte, in *protoIn, base, _ int) ([]byte, *Damage) {
	y, mo, d := m.whole(in, base, 1), m.whole(in, base, 2), m.whole(in, base, 3)
	if y == 0 && mo == 0 && d == 0 {
		return append(dst, "null"...), nil
	}
	return append(appendDate(append(dst, '"'), y, mo, d), '"'), nil
}

func decimalText(m *protoMessage, dst []byte, in *protoIn, base, _ int) ([]byte, *Damage) {
	s := m.bytes(in, base, 1)
	switch {
	case len(s) == 0:
		return append(dst, '0'), nil
	case isNumber(s):
		return append(dst, s...), nil
	case badText(s) >= 0:
		return dst, &Damage{Encoding: true, Why: "文本不是 UTF-8 编码"}
	}
	return text.AppendJSON(dst, s), nil
}

func decimalBytes(m *protoMessage, dst []byte, in *protoIn, base, _ int) ([]byte, *Damage) {
	scale := m.whole(in, base, 3)
	if scale < 0 || scale > 1000 {
		return dst, damaged(0, "Decimal 的 scale 应在 0 到 1000 之间")
	}
	return appendDecimal(dst, m.bytes(in, base, 1), int(scale)), nil
}

// givenImports are files that Confluent's registry knows without being told, beside
// those of google/protobuf.
var givenImports = map[string]string{
	"google/type/date.proto":       `syntax = "proto3"; package google.type; message Date { int32 year = 1; int32 month = 2; int32 day = 3; }`,
	"google/type/decimal.proto":    `syntax = "proto3"; package google.type; message Decimal { string value = 1; }`,
	"confluent/type/decimal.proto": `syntax = "proto3"; package confluent.type; message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }`,
	"confluent/meta.proto": `syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }`,
}

// canonicalJSON writes a JSON text without blanks and with its members in order, all
// digits kept.
func canonicalJSON(text string) ([]byte, error) {
	v, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}
