package registry

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"

	"mulu/ingest/wire"
)

// What is judged of a Protobuf schema, reader against writer, message by message of the
// same full name and field by field of the same number:
//
//   - a message that the writer has and the reader has not; another package;
//   - a field whose type changes to one that is written differently: int32, uint32,
//     int64, uint64, bool and enums are one kind, sint32 and sint64, fixed32 and
//     sfixed32, fixed64 and sfixed64 too, string and bytes (and a message only with
//     the very same message);
//   - a field that is repeated or a map on one side alone;
//   - a required field (proto2) that only one side has;
//   - a field that moves into a oneof with others that the writer has, too.
//
// New fields, removed fields, new and removed enum values and other names for the same
// number may be read. A column finds its value by name, though: a renamed field is an
// unknown one for the dataset until its version says so.

func protoReads(reader, writer wire.Schema) []string {
	r, err := wire.CompileProto(reader)
	if err != nil {
		return []string{err.Error()}
	}
	w, err := wire.CompileProto(writer)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	if r.Package() != w.Package() {
		return []string{fmt.Sprintf("package 由 %q 改为 %q (package changed)", w.Package(), r.Package())}
	}
	messages(r.Messages(), w.Messages(), &faults)
	return faults
}

func messages(r, w protoreflect.MessageDescriptors, faults *[]string) {
	for i := range w.Len() {
		theirs := w.Get(i)
		ours := r.ByName(theirs.Name())
		if theirs.IsMapEntry() {
			continue // judged as a field
		}
		if ours == nil {
			*faults = append(*faults, fmt.Sprintf("message %s 已去掉 (message removed)", theirs.FullName()))
			continue
		}
		fields(ours, theirs, faults)
		messages(ours.Messages(), theirs.Messages(), faults)
	}
}

func fields(r, w protoreflect.MessageDescriptor, faults *[]string) {
	say := func(f protoreflect.FieldDescriptor, format string, args ...any) {
		*faults = append(*faults, fmt.Sprintf("%s = %d: ", f.FullName(), f.Number())+fmt.Sprintf(format, args...))
	}
	for i := range w.Fields().Len() {
		theirs := w.Fields().Get(i)
		ours := r.Fields().ByNumber(theirs.Number())
		if ours == nil {
			if theirs.Cardinality() == protoreflect.Required {
				say(theirs, "去掉了 required 字段 (required field removed)")
			}
			continue
		}
		switch {
		case ours.IsMap() != theirs.IsMap() || ours.IsList() != theirs.IsList():
			say(ours, "repeated 或 map 有变化 (cardinality changed)")
		case ours.IsMap():
			if !alike(ours.MapKey(), theirs.MapKey()) || !alike(ours.MapValue(), theirs.MapValue()) {
				say(ours, "map 的类型有变化 (map type changed)")
			}
		case !alike(ours, theirs):
			say(ours, "类型由 %s 改为 %s，写法不同 (type changed)", typeName(theirs), typeName(ours))
		}
		if o := ours.ContainingOneof(); o != nil && !o.IsSynthetic() && (theirs.ContainingOneof() == nil || theirs.ContainingOneof().IsSynthetic()) && joins(o, w) {
			say(ours, "移入 oneof %s，其中另有原有的字段 (moved into a oneof)", o.Name())
		}
	}
	for i := range r.Fields().Len() {
		ours := r.Fields().Get(i)
		if ours.Cardinality() == protoreflect.Required && w.Fields().ByNumber(ours.Number()) == nil {
			say(ours, "新增了 required 字段 (required field added)")
		}
	}
}

// joins says whether more than one field of a oneof was there before.
func joins(o protoreflect.OneofDescriptor, w protoreflect.MessageDescriptor) bool {
	n := 0
	for i := range o.Fields().Len() {
		if w.Fields().ByNumber(o.Fields().Get(i).Number()) != nil {
			n++
		}
	}
	return n > 1
}

// alike says whether two types are written in one way.
func alike(a, b protoreflect.FieldDescriptor) bool {
	if a.Message() != nil || b.Message() != nil {
		return a.Message() != nil && b.Message() != nil && a.Message().FullName() == b.Message().FullName() && a.Kind() == b.Kind()
	}
	return form(a.Kind()) == form(b.Kind())
}

func form(k protoreflect.Kind) protoreflect.Kind {
	switch k {
	case protoreflect.Int32Kind, protoreflect.Uint32Kind, protoreflect.Int64Kind, protoreflect.Uint64Kind, protoreflect.BoolKind, protoreflect.EnumKind:
		return protoreflect.Int64Kind
	case protoreflect.Sint32Kind:
		return protoreflect.Sint64Kind
	case protoreflect.Sfixed32Kind:
		return protoreflect.Fixed32Kind
	case protoreflect.Sfixed64Kind:
		return protoreflect.Fixed64Kind
	case protoreflect.BytesKind:
		return protoreflect.StringKind
	}
	return k
}

func typeName(f protoreflect.FieldDescriptor) string {
	if f.Message() != nil {
		return string(f.Message().FullName())
	}
	return f.Kind().String()
}
