package wire

import (
	"context"
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"mulu/ingest/text"
)

// protoFile is a compiled .proto file; a record says which of its messages it is.
type protoFile struct {
	file protoreflect.FileDescriptor

	mu    sync.RWMutex
	ready map[string]*protoMessage // by the indexes as they are written
	built map[protoreflect.FullName]*protoMessage
}

// CompileProto links a .proto file with what it imports.
func CompileProto(s Schema) (protoreflect.FileDescriptor, error) {
	const self = "mulu-registered.proto"
	sources := map[string]string{}
	for name, text := range givenImports {
		sources[name] = text
	}
	for _, i := range s.Imports {
		sources[i.Name] = i.Text
	}
	sources[self] = s.Text
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(protocompile.ResolverFunc(func(name string) (protocompile.SearchResult, error) {
		text, ok := sources[name]
		if !ok {
			return protocompile.SearchResult{}, protoregistry.NotFound
		}
		if file := described(name, text); file != nil {
			return protocompile.SearchResult{Proto: file}, nil
		}
		return protocompile.SearchResult{Source: strings.NewReader(text)}, nil
	}))}
	files, err := c.Compile(context.Background(), self)
	if err != nil {
		return nil, invalid("Protobuf 模式不能解析 (schema): %v", err)
	}
	return files[0], nil
}

// described reads the other form a .proto file is registered in: serialisers of Python
// and others send its descriptor in base64. nil: it is no such thing.
func described(name, text string) *descriptorpb.FileDescriptorProto {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(b) == 0 {
		return nil
	}
	var file descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(b, &file); err != nil {
		return nil
	}
	file.Name = proto.String(name)
	nameFields(file.Extension)
	nameMessages(file.MessageType)
	return &file
}

func nameMessages(list []*descriptorpb.DescriptorProto) {
	for _, m := range list {
		nameFields(m.Field)
		nameFields(m.Extension)
		nameMessages(m.NestedType)
	}
}

// nameFields gives fields the names that a compiler would: not every library does.
func nameFields(list []*descriptorpb.FieldDescriptorProto) {
	for _, f := range list {
		if f.JsonName != nil {
			continue
		}
		var name strings.Builder
		up := false
		for _, c := range []byte(f.GetName()) {
			if up && c >= 'a' && c <= 'z' {
				c -= 'a' - 'A'
			}
			if up = c == '_'; !up {
				name.WriteByte(c)
			}
		}
		f.JsonName = proto.String(name.String())
	}
}

func compileProto(s Schema) (*protoFile, error) {
	file, err := CompileProto(s)
	if err != nil {
		return nil, err
	}
	if file.Messages().Len() == 0 {
		return nil, invalid("Protobuf 模式中没有 message (no message)")
	}
	return &protoFile{file: file, ready: map[string]*protoMessage{}, built: map[protoreflect.FullName]*protoMessage{}}, nil
}

// record writes a whole record: the indexes of its message, then the message.
func (f *protoFile) record(dst, p []byte) ([]byte, *Damage) {
	n, d := indexesLen(p)
	if d != nil {
		return dst, d
	}
	m, d := f.message(p[:n])
	if d != nil {
		return dst, d
	}
	in, _ := protoIns.Get().(*protoIn)
	if in == nil {
		in = &protoIn{}
	}
	defer protoIns.Put(in)
	in.seen = in.seen[:0]
	dst, d = m.write(dst, p[n:], in, 0)
	return dst, d
}

const badIndexes = "字段号之前的 message 序号表不完整；请使用 Confluent 的 Protobuf 序列化程序"

// indexesLen finds the end of the list that says which message of the file it is.
func indexesLen(p []byte) (int, *Damage) {
	count, n := protowire.ConsumeVarint(p)
	if n < 0 {
		return 0, damaged(0, badIndexes)
	}
	more := protowire.DecodeZigZag(count)
	if more < 0 || more > maxDepth {
		return 0, damaged(0, badIndexes)
	}
	for ; more > 0; more-- {
		_, k := protowire.ConsumeVarint(p[n:])
		if k < 0 {
			return 0, damaged(n, badIndexes)
		}
		n += k
	}
	return n, nil
}

// message finds the message that indexes lead to: the first of the file, the second
// inside that, and so on. A bare 0 is the first.
func (f *protoFile) message(indexes []byte) (*protoMessage, *Damage) {
	f.mu.RLock()
	m := f.ready[string(indexes)]
	f.mu.RUnlock()
	if m != nil {
		return m, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	count, n := protowire.ConsumeVarint(indexes)
	path := []int64{0}
	if more := protowire.DecodeZigZag(count); more > 0 {
		path = path[:0]
		for range more {
			v, k := protowire.ConsumeVarint(indexes[n:])
			path, n = append(path, protowire.DecodeZigZag(v)), n+k
		}
	}
	var at protoreflect.MessageDescriptor
	inside := f.file.Messages()
	for _, i := range path {
		if i < 0 || i >= int64(inside.Len()) {
			return nil, damaged(0, "message 序号 "+strconv.FormatInt(i, 10)+" 不在模式中")
		}
		at = inside.Get(int(i))
		inside = at.Messages()
	}
	m = f.build(at)
	f.ready[string(indexes)] = m
	return m, nil
}

// protoMessage is a message type, ready to be walked.
type protoMessage struct {
	name   protoreflect.FullName
	fields []protoField // in order of declaration
	low    []int32      // number → field + 1, for small numbers
	high   map[protowire.Number]int32
	form   wellForm
}

type protoField struct {
	name   string
	key    []byte
	number protowire.Number
	kind   protoreflect.Kind
	list   bool
	isMap  bool
	always bool // without presence: absent is its default
	zero   []byte
	oneof  int32 // which of its message, -1 for none
	inner  *protoMessage
	names  map[int32][]byte // of an enum
	null   bool             // google.protobuf.NullValue
}

// build makes a message ready; f.mu is held.
func (f *protoFile) build(d protoreflect.MessageDescriptor) *protoMessage {
	if m := f.built[d.FullName()]; m != nil {
		return m
	}
	m := &protoMessage{name: d.FullName(), form: wellForms[d.FullName()]}
	f.built[d.FullName()] = m
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		p := protoField{name: string(fd.Name()), key: keyOf(string(fd.Name())), number: fd.Number(), kind: fd.Kind(), list: fd.IsList(), isMap: fd.IsMap(), oneof: -1}
		p.always = !fd.HasPresence() && !p.list && !p.isMap
		if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
			p.oneof = int32(o.Index()) //nolint:gosec // few
		}
		if e := fd.Enum(); e != nil {
			p.names, p.null = map[int32][]byte{}, e.FullName() == "google.protobuf.NullValue"
			for j := range e.Values().Len() {
				v := e.Values().Get(j)
				if p.names[int32(v.Number())] == nil { // the first of several names
					p.names[int32(v.Number())] = quoted(string(v.Name()))
				}
			}
		}
		if fd.Message() != nil {
			p.inner = f.build(fd.Message())
		}
		p.zero = p.zeroText()
		m.fields = append(m.fields, p)
	}
	for i := range m.fields {
		m.index(m.fields[i].number, int32(i)+1) //nolint:gosec // few
	}
	return m
}

const lowNumbers = 256

func (m *protoMessage) index(n protowire.Number, at int32) {
	if n >= lowNumbers {
		if m.high == nil {
			m.high = map[protowire.Number]int32{}
		}
		m.high[n] = at
		return
	}
	for len(m.low) <= int(n) {
		m.low = append(m.low, 0)
	}
	m.low[n] = at
}

// field is the field of a number, -1 for one that the schema does not know.
func (m *protoMessage) field(n protowire.Number) int {
	if int(n) < len(m.low) {
		return int(m.low[n]) - 1
	}
	return int(m.high[n]) - 1
}

// zeroText is what an absent field without presence holds.
func (f *protoField) zeroText() []byte {
	switch f.kind {
	case protoreflect.StringKind, protoreflect.BytesKind:
		return []byte(`""`)
	case protoreflect.BoolKind:
		return []byte("false")
	case protoreflect.EnumKind:
		if f.null {
			return []byte("null")
		}
		return f.enum(nil, 0)
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return []byte("null")
	}
	return []byte("0")
}

func (f *protoField) enum(dst []byte, v int32) []byte {
	if name := f.names[v]; name != nil {
		return append(dst, name...)
	}
	return strconv.AppendInt(dst, int64(v), 10)
}

// wire is how a single value of the field is written.
func (f *protoField) wire() protowire.Type {
	switch f.kind {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	}
	return protowire.VarintType
}

// protoIn is where the values of the messages that are being read stand; it is used
// again for later records.
type protoIn struct {
	seen []seenValue
}

var protoIns sync.Pool

// seenValue is one value on the wire, chained to the next one of its field. Its first
// entries of a message are one for each field.
type seenValue struct {
	val         []byte // bytes, or the rest of the record from a number on
	first, last int32  // of a field: its chain, 0 for none
	next        int32
	packed      bool
}

// write writes a message. Fields may come in any order and more than once: the last one
// holds, and messages are merged, which for their bytes means put one behind the other.
func (m *protoMessage) write(dst, p []byte, in *protoIn, depth int) ([]byte, *Damage) {
	switch {
	case depth > maxDepth:
		return dst, damaged(0, "嵌套超过 64 层")
	case len(dst) > maxText:
		return dst, &Damage{TooLong: true, Why: "展开后超过 16 MiB，请拆分或去掉大字段"}
	}
	base := len(in.seen)
	for range m.fields {
		in.seen = append(in.seen, seenValue{})
	}
	strange, d := m.scan(p, in, base)
	if d == nil {
		dst, d = m.put(dst, in, base, strange, depth)
	}
	in.seen = in.seen[:base]
	return dst, d
}

// scan finds where the values of a message stand. strange are the fields that the
// schema does not know, as they were written.
func (m *protoMessage) scan(p []byte, in *protoIn, base int) (strange []byte, d *Damage) {
	for i := 0; i < len(p); {
		number, typ, n := protowire.ConsumeTag(p[i:])
		if n < 0 || number > protowire.MaxValidNumber {
			return nil, damaged(i, cutShort)
		}
		k := protowire.ConsumeFieldValue(number, typ, p[i+n:])
		if k < 0 {
			return nil, damaged(i, cutShort)
		}
		at := m.field(number)
		val, packed, ok := []byte(nil), false, false
		if at >= 0 {
			val, packed, ok = m.fields[at].value(typ, p[i+n:i+n+k])
		}
		switch {
		case ok:
			m.note(in, base, at, val, packed)
		case at >= 0: // what it means otherwise is an absent field, and so perhaps a zero
			return nil, damaged(i, "写法与模式不符；请核对序列化程序是否用了登记的模式").in(m.fields[at].name)
		default:
			strange = append(strange, p[i:i+n+k]...)
		}
		i += n + k
	}
	return strange, nil
}

// value takes a field's value off the wire; ok is false if the field can not be
// written so.
func (f *protoField) value(typ protowire.Type, p []byte) (val []byte, packed, ok bool) {
	want := f.wire()
	switch {
	case typ == protowire.BytesType && want == typ:
		val, _ = protowire.ConsumeBytes(p)
		return val, false, true
	case typ == want && want != protowire.StartGroupType:
		return p, false, true
	case f.list && typ == protowire.BytesType && want != protowire.StartGroupType:
		val, _ = protowire.ConsumeBytes(p)
		return val, true, true
	}
	return nil, false, false
}

// note chains a value to those of its field.
func (m *protoMessage) note(in *protoIn, base, at int, val []byte, packed bool) {
	if o := m.fields[at].oneof; o >= 0 { // the last one of a oneof holds
		for i := range m.fields {
			if m.fields[i].oneof == o && i != at {
				in.seen[base+i].first = 0
			}
		}
	}
	here := int32(len(in.seen)) //nolint:gosec // below MaxRecord
	in.seen = append(in.seen, seenValue{val: val, packed: packed})
	head := &in.seen[base+at]
	if head.first == 0 {
		head.first = here
	} else {
		in.seen[head.last].next = here
	}
	head.last = here
}

// put writes what scan found.
func (m *protoMessage) put(dst []byte, in *protoIn, base int, strange []byte, depth int) ([]byte, *Damage) {
	if m.form != nil && len(strange) == 0 {
		return m.form(m, dst, in, base, depth)
	}
	dst = append(dst, '{')
	start := len(dst)
	for i := range m.fields {
		f := &m.fields[i]
		if in.seen[base+i].first == 0 && !f.always {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		var d *Damage
		if dst, d = f.write(append(dst, f.key...), in, base+i, depth); d != nil {
			return dst, d.in(f.name)
		}
	}
	if len(strange) > 0 { // nothing is lost: a person can still read it
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = appendBase64(append(dst, `"#unknown":`...), strange)
	}
	return append(dst, '}'), nil
}

// write writes a field: its values are chained at in.seen[head].
func (f *protoField) write(dst []byte, in *protoIn, head, depth int) ([]byte, *Damage) {
	h := in.seen[head]
	switch {
	case f.isMap:
		return f.entries(dst, in, h.first, depth)
	case f.list:
		return f.items(dst, in, h.first, depth)
	case h.first == 0:
		return append(dst, f.zero...), nil
	case f.inner != nil && h.first != h.last:
		var merged []byte
		for i := h.first; i != 0; i = in.seen[i].next {
			if !ends(in.seen[i].val) { // or the next one would be its end
				return dst, damaged(0, cutShort)
			}
			merged = append(merged, in.seen[i].val...)
		}
		return f.inner.write(dst, merged, in, depth+1)
	}
	dst, _, d := f.one(dst, in.seen[h.last].val, in, depth)
	return dst, d
}

// ends says whether a message's fields end where it does.
func ends(p []byte) bool {
	for len(p) > 0 {
		_, _, n := protowire.ConsumeField(p)
		if n < 0 {
			return false
		}
		p = p[n:]
	}
	return true
}

func (f *protoField) items(dst []byte, in *protoIn, i int32, depth int) ([]byte, *Damage) {
	dst = append(dst, '[')
	start := len(dst)
	for ; i != 0; i = in.seen[i].next {
		v := in.seen[i]
		for rest := v.val; ; {
			if v.packed && len(rest) == 0 {
				break
			}
			if len(dst) > start {
				dst = append(dst, ',')
			}
			var n int
			var d *Damage
			if dst, n, d = f.one(dst, rest, in, depth); d != nil {
				return dst, d
			}
			if !v.packed {
				break
			}
			rest = rest[n:]
		}
	}
	return append(dst, ']'), nil
}

// entries writes a map as an object; its entries are messages of a key and a value.
func (f *protoField) entries(dst []byte, in *protoIn, i int32, depth int) ([]byte, *Damage) {
	key, value := &f.inner.fields[0], &f.inner.fields[1]
	dst = append(dst, '{')
	start := len(dst)
	for ; i != 0; i = in.seen[i].next {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		base := len(in.seen)
		in.seen = append(in.seen, seenValue{}, seenValue{})
		_, d := f.inner.scan(in.seen[i].val, in, base)
		if d == nil {
			at := len(dst)
			if dst, d = key.write(dst, in, base, depth); d == nil && dst[at] != '"' {
				dst = append(slices.Insert(dst, at, '"'), '"')
			}
		}
		if d == nil {
			dst = append(dst, ':')
			if value.inner != nil && in.seen[base+1].first == 0 {
				dst, d = value.inner.write(dst, nil, in, depth+1)
			} else {
				dst, d = value.write(dst, in, base+1, depth)
			}
		}
		if d != nil {
			return dst, d
		}
		in.seen = in.seen[:base]
	}
	return append(dst, '}'), nil
}

// one writes the value at the beginning of p; n is how long a number was.
func (f *protoField) one(dst, p []byte, in *protoIn, depth int) (out []byte, n int, d *Damage) {
	switch f.kind {
	case protoreflect.StringKind:
		if bad := badText(p); bad >= 0 {
			return dst, 0, &Damage{At: bad, Encoding: true, Why: "文本不是 UTF-8 编码，请源系统改用 UTF-8 输出(常见原因：GBK/GB18030)"}
		}
		return text.AppendJSON(dst, p), 0, nil
	case protoreflect.BytesKind:
		return appendBase64(dst, p), 0, nil
	case protoreflect.MessageKind, protoreflect.GroupKind:
		dst, d = f.inner.write(dst, p, in, depth+1)
		return dst, 0, d
	}
	return f.scalar(dst, p)
}

func (f *protoField) scalar(dst, p []byte) (out []byte, n int, d *Damage) {
	var v uint64
	switch f.wire() {
	case protowire.Fixed32Type:
		var w uint32
		w, n = protowire.ConsumeFixed32(p)
		v = uint64(w)
	case protowire.Fixed64Type:
		v, n = protowire.ConsumeFixed64(p)
	default:
		v, n = protowire.ConsumeVarint(p)
	}
	if n < 0 {
		return dst, 0, damaged(0, cutShort)
	}
	switch f.kind {
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, v != 0), n, nil
	case protoreflect.EnumKind:
		if f.null {
			return append(dst, "null"...), n, nil
		}
		return f.enum(dst, int32(v)), n, nil //nolint:gosec // as the format has it
	case protoreflect.Int32Kind, protoreflect.Sfixed32Kind:
		return strconv.AppendInt(dst, int64(int32(v)), 10), n, nil //nolint:gosec // as the format has it
	case protoreflect.Sint32Kind:
		return strconv.AppendInt(dst, int64(int32(protowire.DecodeZigZag(v&math.MaxUint32))), 10), n, nil //nolint:gosec // as the format has it
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return strconv.AppendUint(dst, v&math.MaxUint32, 10), n, nil
	case protoreflect.Sint64Kind:
		return strconv.AppendInt(dst, protowire.DecodeZigZag(v), 10), n, nil
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return strconv.AppendInt(dst, int64(v), 10), n, nil //nolint:gosec // as the format has it
	case protoreflect.FloatKind:
		return appendFloat(dst, float64(math.Float32frombits(uint32(v))), 32), n, nil //nolint:gosec // 32 bits were read
	case protoreflect.DoubleKind:
		return appendFloat(dst, math.Float64frombits(v), 64), n, nil
	}
	return strconv.AppendUint(dst, v, 10), n, nil
}
