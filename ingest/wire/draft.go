package wire

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"mulu"
)

// Columns proposes the columns of a dataset whose records have the schema: one for each
// single value, nested ones by their path. Lists and maps have none. People choose
// titles, levels and the key.
func (f *Form) Columns() []mulu.Column {
	d := &draft{names: map[string]bool{}}
	switch {
	case f.avro != nil:
		d.avro(f.avro, nil, false, 0)
	case f.proto != nil:
		if m, damage := f.proto.message([]byte{0}); damage == nil {
			d.proto(m, nil, 0)
		}
	case f.json != nil:
		d.json(f.json.text, nil, 0)
	}
	return d.columns
}

type draft struct {
	columns []mulu.Column
	names   map[string]bool
}

// deepest is how far a column's path may lead.
const deepest = 8

func (d *draft) add(path []string, t mulu.Type, scale int, required bool) {
	c := mulu.Column{Name: d.name(path), Type: t, Scale: scale, Required: required}
	if way := strings.Join(path, "."); way != c.Name {
		c.Path = way
	}
	d.columns = append(d.columns, c)
}

// name makes a column's name of its path: lower case, words apart, each once.
func (d *draft) name(path []string) string {
	var b strings.Builder
	for i, c := range []byte(path[len(path)-1]) {
		switch {
		case c >= 'A' && c <= 'Z':
			if i > 0 && b.Len() > 0 && !strings.HasSuffix(b.String(), "_") {
				b.WriteByte('_')
			}
			b.WriteByte(c + 'a' - 'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9' && b.Len() > 0, c == '_' && b.Len() > 0:
			b.WriteByte(c)
		}
	}
	name := b.String()
	if name == "" {
		name = "field"
	}
	if d.names[name] && len(path) > 1 {
		return d.name([]string{strings.Join(path, "_")})
	}
	for base, n := name, 2; d.names[name]; n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	d.names[name] = true
	return name
}

func (d *draft) avro(n *avroNode, path []string, nullable bool, depth int) {
	switch n.kind {
	case aUnion:
		var one *avroNode
		for _, b := range n.branches {
			switch {
			case b.kind == aNull:
				nullable = true
			case one != nil:
				return // of several kinds
			default:
				one = b
			}
		}
		if one != nil && depth < 2*deepest {
			d.avro(one, path, nullable, depth+1)
		}
		return
	case aRecord:
		if len(path) < deepest && depth < 2*deepest {
			for i := range n.fields {
				d.avro(n.fields[i].node, append(slices.Clone(path), n.fields[i].name), nullable, depth+1)
			}
		}
		return
	}
	if len(path) == 0 {
		return
	}
	if t, ok := map[avroKind]mulu.Type{aBool: mulu.Bool, aInt: mulu.Int, aFloat: mulu.Decimal, aDouble: mulu.Decimal, aDecimal: mulu.Decimal, aDecimalFixed: mulu.Decimal,
		aDate: mulu.Date, aMoment: mulu.DateTime, aLocal: mulu.DateTime, aBytes: mulu.String, aString: mulu.String, aFixed: mulu.String, aEnum: mulu.String, aUUID: mulu.String, aClock: mulu.String}[n.kind]; ok {
		d.add(path, t, min(n.scale, 18), !nullable)
	}
}

func (d *draft) proto(m *protoMessage, path []string, depth int) {
	if depth >= deepest {
		return
	}
	for i := range m.fields {
		f := &m.fields[i]
		way := append(slices.Clone(path), f.name)
		switch {
		case f.list || f.isMap:
		case f.inner == nil:
			d.add(way, protoColumn(f.kind), 0, f.always && len(path) == 0)
		default:
			if t, scale, ok := f.inner.column(); ok {
				d.add(way, t, scale, false)
			} else if f.inner.form == nil {
				d.proto(f.inner, way, depth+1)
			}
		}
	}
}

func protoColumn(k protoreflect.Kind) mulu.Type {
	switch k {
	case protoreflect.BoolKind:
		return mulu.Bool
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return mulu.Decimal
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.EnumKind:
		return mulu.String
	}
	return mulu.Int
}

// column is what a message that stands for one value is as a column.
func (m *protoMessage) column() (t mulu.Type, scale int, ok bool) {
	switch m.name {
	case "google.protobuf.Timestamp":
		return mulu.DateTime, 0, true
	case "google.type.Date":
		return mulu.Date, 0, true
	case "google.type.Decimal", "confluent.type.Decimal":
		return mulu.Decimal, 2, true
	case "google.protobuf.Duration":
		return mulu.String, 0, true
	}
	if strings.HasPrefix(string(m.name), "google.protobuf.") && strings.HasSuffix(string(m.name), "Value") && len(m.fields) == 1 && !m.fields[0].list {
		return protoColumn(m.fields[0].kind), 0, true
	}
	return "", 0, false
}

// json reads the properties of a JSON Schema; what references say is left to people.
func (d *draft) json(text string, path []string, depth int) {
	var o struct {
		Type       any
		Format     string
		Enum       []any
		Required   []string
		Properties map[string]json.RawMessage
	}
	if json.Unmarshal([]byte(text), &o) != nil || depth > deepest {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(o.Properties)) {
		way := append(slices.Clone(path), name)
		raw := string(o.Properties[name])
		var p struct {
			Type   any
			Format string
			Enum   []any
		}
		if json.Unmarshal([]byte(raw), &p) != nil {
			continue
		}
		required := len(path) == 0 && slices.Contains(o.Required, name)
		switch t := single(p.Type); {
		case t == "object":
			d.json(raw, way, depth+1)
		case t == "array":
		case t == "integer":
			d.add(way, mulu.Int, 0, required)
		case t == "number":
			d.add(way, mulu.Decimal, 2, required)
		case t == "boolean":
			d.add(way, mulu.Bool, 0, required)
		case p.Format == "date":
			d.add(way, mulu.Date, 0, required)
		case p.Format == "date-time":
			d.add(way, mulu.DateTime, 0, required)
		case t == "string" || p.Enum != nil:
			d.add(way, mulu.String, 0, required)
		}
	}
}

// single is the one type beside null that a schema allows, "" for none or several.
func single(t any) string {
	switch t := t.(type) {
	case string:
		return t
	case []any:
		one := ""
		for _, v := range t {
			if s, ok := v.(string); ok && s != "null" {
				if one != "" {
					return ""
				}
				one = s
			}
		}
		return one
	}
	return ""
}
