package wire

import (
	"encoding/binary"
	"math"
	"strconv"
	"sync"

	"github.com/twmb/avro"

	"mulu/ingest/text"
)

// avroKind is how a value is written in Avro's binary form, and for logical types how
// it is to be read.
type avroKind uint8

const (
	aNull avroKind = iota
	aBool
	aInt // int and long
	aFloat
	aDouble
	aBytes
	aString
	aFixed
	aEnum
	aRecord
	aArray
	aMap
	aUnion
	aDecimal // of bytes
	aDecimalFixed
	aDate
	aClock  // time of day
	aMoment // timestamp in UTC
	aLocal  // timestamp without zone
	aUUID   // of fixed
)

// avroNode is one type of a schema, ready to be walked. Named types that refer to
// themselves make it a graph.
type avroNode struct {
	kind     avroKind
	fields   []avroField
	items    *avroNode // of an array or map
	branches []*avroNode
	symbols  [][]byte
	size     int   // of a fixed
	scale    int   // of a decimal
	unit     int64 // of a time: how many make a second
	narrow   bool  // of 32 bits
}

type avroField struct {
	name string
	key  []byte
	node *avroNode
}

// ParseAvro parses a schema with what it refers to.
func ParseAvro(s Schema) (*avro.Schema, error) {
	var cache avro.SchemaCache
	for _, i := range s.Imports {
		if _, err := cache.Parse(i.Text); err != nil {
			return nil, invalid("引用的 Avro 模式 %s 不能解析 (reference): %v", i.Name, err)
		}
	}
	parsed, err := cache.Parse(s.Text)
	if err != nil {
		return nil, invalid("Avro 模式不能解析 (schema): %v", err)
	}
	return parsed, nil
}

func compileAvro(s Schema) (*avroNode, error) {
	parsed, err := ParseAvro(s)
	if err != nil {
		return nil, err
	}
	b := avroBuilder{named: map[string]*avroNode{}}
	// Types of another schema stand in the tree by name alone until they are expanded.
	n, err := b.node(parsed.Root().ExpandReferences(), "")
	if err != nil {
		return nil, err
	}
	if n.kind != aRecord && n.kind != aUnion && n.kind != aMap {
		return nil, invalid("Avro 模式的顶层是 %s，一条记录应为 record (want a record)", parsed.Root().Type)
	}
	return n, nil
}

type avroBuilder struct {
	named map[string]*avroNode
}

// node builds a type that stands inside a namespace: a name without one is of that
// namespace, if it is there.
func (b *avroBuilder) node(s *avro.SchemaNode, space string) (*avroNode, error) {
	for _, name := range []string{space + "." + s.Type, s.Type} {
		if n := b.named[name]; n != nil {
			return n, nil
		}
	}
	n := &avroNode{}
	if s.Name != "" && (s.Type == "record" || s.Type == "error" || s.Type == "enum" || s.Type == "fixed") {
		name := s.Name
		if s.Namespace != "" {
			name = s.Namespace + "." + name
		}
		if n := b.named[name]; n != nil { // expanded once more
			return n, nil
		}
		b.named[name], space = n, s.Namespace
	}
	return n, b.fill(n, s, space)
}

func (b *avroBuilder) fill(n *avroNode, s *avro.SchemaNode, space string) (err error) {
	switch s.Type {
	case "null":
		n.kind = aNull
	case "boolean":
		n.kind = aBool
	case "int", "long":
		n.kind, n.narrow = aInt, s.Type == "int"
		n.time(s)
	case "float":
		n.kind = aFloat
	case "double":
		n.kind = aDouble
	case "bytes":
		n.kind = aBytes
		if s.LogicalType == "decimal" {
			n.kind, n.scale = aDecimal, s.Scale
		}
	case "string":
		n.kind = aString
	case "fixed":
		n.kind, n.size = aFixed, s.Size
		switch {
		case s.LogicalType == "decimal":
			n.kind, n.scale = aDecimalFixed, s.Scale
		case s.LogicalType == "uuid" && s.Size == 16:
			n.kind = aUUID
		}
	case "enum":
		n.kind = aEnum
		for _, symbol := range s.Symbols {
			n.symbols = append(n.symbols, quoted(symbol))
		}
	case "record", "error":
		n.kind = aRecord
		for i := range s.Fields {
			f := avroField{name: s.Fields[i].Name, key: keyOf(s.Fields[i].Name)}
			if f.node, err = b.node(&s.Fields[i].Type, space); err != nil {
				return err
			}
			n.fields = append(n.fields, f)
		}
	case "array":
		n.kind = aArray
		n.items, err = b.node(s.Items, space)
	case "map":
		n.kind = aMap
		n.items, err = b.node(s.Values, space)
	case "union":
		n.kind = aUnion
		for i := range s.Branches {
			inner, err := b.node(&s.Branches[i], space)
			if err != nil {
				return err
			}
			n.branches = append(n.branches, inner)
		}
	default:
		return invalid("Avro 模式中的类型 %q 没有定义 (unknown type)", s.Type)
	}
	if n.scale < 0 || n.scale > 1000 {
		return invalid("Avro decimal 的 scale 为 %d，应在 0 到 1000 之间 (scale)", n.scale)
	}
	return err
}

// time reads the logical types of whole numbers.
func (n *avroNode) time(s *avro.SchemaNode) {
	switch s.LogicalType {
	case "date":
		n.kind = aDate
	case "time-millis":
		n.kind, n.unit = aClock, 1e3
	case "time-micros":
		n.kind, n.unit = aClock, 1e6
	case "timestamp-millis":
		n.kind, n.unit = aMoment, 1e3
	case "timestamp-micros":
		n.kind, n.unit = aMoment, 1e6
	case "timestamp-nanos":
		n.kind, n.unit = aMoment, 1e9
	case "local-timestamp-millis":
		n.kind, n.unit = aLocal, 1e3
	case "local-timestamp-micros":
		n.kind, n.unit = aLocal, 1e6
	case "local-timestamp-nanos":
		n.kind, n.unit = aLocal, 1e9
	}
}

// avroIn is a record being read.
type avroIn struct {
	p []byte
	i int
}

var avroIns sync.Pool

const cutShort = "数据在此处中断，与模式不符；请核对序列化程序是否用了登记的模式"

// record writes a whole record.
func (n *avroNode) record(dst, p []byte) ([]byte, *Damage) {
	in, _ := avroIns.Get().(*avroIn)
	if in == nil {
		in = &avroIn{}
	}
	in.p, in.i = p, 0
	defer avroIns.Put(in)
	dst, d := n.write(dst, in, 0)
	if d == nil && in.i != len(p) {
		d = damaged(in.i, "记录之后还有 "+strconv.Itoa(len(p)-in.i)+" 字节，与模式不符；请核对序列化程序是否用了登记的模式")
	}
	return dst, d
}

func (n *avroNode) write(dst []byte, in *avroIn, depth int) ([]byte, *Damage) {
	if depth > maxDepth {
		return dst, damaged(in.i, "嵌套超过 64 层")
	}
	if len(dst) > maxText {
		return dst, &Damage{At: in.i, TooLong: true, Why: "展开后超过 16 MiB，请拆分或去掉大字段"}
	}
	switch n.kind {
	case aNull:
		return append(dst, "null"...), nil
	case aBool:
		return in.bool(dst)
	case aInt, aDate, aClock, aMoment, aLocal:
		at := in.i
		v, d := in.long()
		if d != nil {
			return dst, d
		}
		if n.narrow && v != int64(int32(v)) { //nolint:gosec // the question
			return dst, damaged(at, "整数超出 32 位，与模式不符；请核对序列化程序是否用了登记的模式")
		}
		return n.number(dst, v), nil
	case aFloat, aDouble:
		return n.float(dst, in)
	case aString:
		b, d := in.bytes()
		if d != nil {
			return dst, d
		}
		if bad := badText(b); bad >= 0 {
			return dst, &Damage{At: in.i - len(b) + bad, Encoding: true, Why: "文本不是 UTF-8 编码，请源系统改用 UTF-8 输出(常见原因：GBK/GB18030)"}
		}
		return text.AppendJSON(dst, b), nil
	case aBytes, aDecimal:
		b, d := in.bytes()
		if d != nil {
			return dst, d
		}
		return n.binary(dst, b), nil
	case aFixed, aDecimalFixed, aUUID:
		b, d := in.take(n.size)
		if d != nil {
			return dst, d
		}
		return n.binary(dst, b), nil
	case aEnum:
		at := in.i
		v, d := in.long()
		if d != nil {
			return dst, d
		}
		if v < 0 || v >= int64(len(n.symbols)) {
			return dst, damaged(at, "枚举序号 "+strconv.FormatInt(v, 10)+" 不在模式中")
		}
		return append(dst, n.symbols[v]...), nil
	case aUnion:
		at := in.i
		v, d := in.long()
		if d != nil {
			return dst, d
		}
		if v < 0 || v >= int64(len(n.branches)) {
			return dst, damaged(at, "联合类型的序号 "+strconv.FormatInt(v, 10)+" 不在模式中")
		}
		return n.branches[v].write(dst, in, depth+1)
	case aRecord:
		return n.object(dst, in, depth)
	}
	return n.blocks(dst, in, depth)
}

func (n *avroNode) object(dst []byte, in *avroIn, depth int) ([]byte, *Damage) {
	var d *Damage
	for i := range n.fields {
		f := &n.fields[i]
		if i == 0 {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		if dst, d = f.node.write(append(dst, f.key...), in, depth+1); d != nil {
			return dst, d.in(f.name)
		}
	}
	if len(n.fields) == 0 {
		dst = append(dst, '{')
	}
	return append(dst, '}'), nil
}

// blocks writes an array or a map.
func (n *avroNode) blocks(dst []byte, in *avroIn, depth int) ([]byte, *Damage) {
	open, shut := byte('['), byte(']')
	if n.kind == aMap {
		open, shut = '{', '}'
	}
	dst = append(dst, open)
	for first := true; ; {
		count, d := in.long()
		if d != nil {
			return dst, d
		}
		if count == 0 {
			return append(dst, shut), nil
		}
		if count < 0 { // followed by the block's size
			if count = -count; count < 0 {
				return dst, damaged(in.i, cutShort)
			}
			if _, d := in.long(); d != nil {
				return dst, d
			}
		}
		for ; count > 0; count-- {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if n.kind == aMap {
				name, d := in.bytes()
				if d != nil {
					return dst, d
				}
				if bad := badText(name); bad >= 0 {
					return dst, &Damage{At: in.i - len(name) + bad, Encoding: true, Why: "文本不是 UTF-8 编码"}
				}
				dst = append(text.AppendJSON(dst, name), ':')
			}
			if dst, d = n.items.write(dst, in, depth+1); d != nil {
				return dst, d
			}
		}
	}
}

func (n *avroNode) number(dst []byte, v int64) []byte {
	switch n.kind {
	case aDate:
		return append(appendDay(append(dst, '"'), v), '"')
	case aClock:
		if v >= 0 {
			return append(appendClock(append(dst, '"'), v, n.unit), '"')
		}
	case aMoment:
		return appendMoment(dst, v, n.unit, "Z")
	case aLocal:
		return appendMoment(dst, v, n.unit, "")
	}
	return strconv.AppendInt(dst, v, 10)
}

func (n *avroNode) float(dst []byte, in *avroIn) ([]byte, *Damage) {
	if n.kind == aFloat {
		b, d := in.take(4)
		if d != nil {
			return dst, d
		}
		return appendFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32), nil
	}
	b, d := in.take(8)
	if d != nil {
		return dst, d
	}
	return appendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(b)), 64), nil
}

func (n *avroNode) binary(dst, b []byte) []byte {
	switch n.kind {
	case aDecimal, aDecimalFixed:
		return appendDecimal(dst, b, n.scale)
	case aUUID:
		dst = append(dst, '"')
		for i, c := range b {
			if i == 4 || i == 6 || i == 8 || i == 10 {
				dst = append(dst, '-')
			}
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		}
		return append(dst, '"')
	}
	return appendBase64(dst, b)
}

func (in *avroIn) bool(dst []byte) ([]byte, *Damage) {
	b, d := in.take(1)
	switch {
	case d != nil:
		return dst, d
	case b[0] == 0:
		return append(dst, "false"...), nil
	case b[0] == 1:
		return append(dst, "true"...), nil
	}
	return dst, damaged(in.i-1, "真假值既不是 0 也不是 1，与模式不符；请核对序列化程序是否用了登记的模式")
}

// long reads a zig-zag varint.
func (in *avroIn) long() (int64, *Damage) {
	u, n := binary.Uvarint(in.p[in.i:])
	if n <= 0 {
		return 0, damaged(in.i, cutShort)
	}
	in.i += n
	return int64(u>>1) ^ -int64(u&1), nil //nolint:gosec // zig-zag
}

func (in *avroIn) bytes() ([]byte, *Damage) {
	at := in.i
	n, d := in.long()
	if d != nil {
		return nil, d
	}
	if n < 0 || n > int64(len(in.p)-in.i) {
		return nil, damaged(at, cutShort)
	}
	return in.take(int(n))
}

func (in *avroIn) take(n int) ([]byte, *Damage) {
	if n > len(in.p)-in.i {
		return nil, damaged(in.i, cutShort)
	}
	in.i += n
	return in.p[in.i-n : in.i], nil
}
