package ingest

import (
	"bytes"
	"fmt"
)

// Bounds that keep a hostile record cheap.
const (
	maxDepth   = 64  // nesting
	maxUnknown = 512 // unknown fields of one record
)

// level is one object of a record: the record itself, or an object inside it that
// columns name the way into (Column.Path).
type level struct {
	name    string   // as an object inside; "" for the record itself
	members []member // in column order
	byName  map[string]int
}

// member is what a name in an object stands for: a column, or an object with
// columns in it.
type member struct {
	name  string
	bit   int    // in reader.seen
	inner *level // nil for a column, whose number is bit
}

// add puts column c at the end of its path. Objects are numbered from bit on.
func (l *level) add(path []string, c int, bit *int) error {
	at, known := l.byName[path[0]]
	switch {
	case len(path) == 1 && known:
		return fmt.Errorf("字段名 %q 已被占用 (name taken)", path[0])
	case len(path) == 1:
		l.byName[path[0]] = len(l.members)
		l.members = append(l.members, member{name: path[0], bit: c})
		return nil
	case !known:
		at = len(l.members)
		l.byName[path[0]] = at
		l.members = append(l.members, member{name: path[0], bit: *bit, inner: &level{name: path[0], byName: map[string]int{}}})
		*bit++
	case l.members[at].inner == nil:
		return fmt.Errorf("字段 %q 既是数据项又是对象 (both a column and an object)", path[0])
	}
	return l.members[at].inner.add(path[1:], c, bit)
}

// readJSON reads one JSON object into a row.
func (r *reader) readJSON(p []byte) *fault {
	if f := r.readObject(p); f != nil {
		return f
	}
	return r.missing()
}

// readObject reads one JSON object (RFC 8259, no member twice) into the columns it
// names. It goes through the bytes once, expects the fields in column order, where
// it need not look up a name, and accepts any order.
func (r *reader) readObject(p []byte) *fault {
	r.open = r.open[:0]
	i, f := r.object(p, blank(p, 0), r.d.root)
	if f != nil {
		return f
	}
	if i = blank(p, i); i != len(p) {
		return broken(p, i, "对象之后还有多余内容")
	}
	if len(r.extra) > 0 {
		r.extra = append(r.extra, '}')
	}
	return nil
}

// object reads the object at i, whose members l names, and returns the place after it.
func (r *reader) object(p []byte, i int, l *level) (int, *fault) {
	if i >= len(p) || p[i] != '{' {
		return i, broken(p, i, "应为一个 JSON 对象，以 { 开头")
	}
	i = blank(p, i+1)
	if i < len(p) && p[i] == '}' {
		return i + 1, nil
	}
	names := len(r.names) // those before are of the objects around this one
	for next := 0; ; {
		if i >= len(p) || p[i] != '"' {
			return i, broken(p, i, "应为带双引号的字段名")
		}
		m, end, f := r.name(p, i, l, next, names)
		if f != nil {
			return i, f
		}
		name := p[i : end+1]
		if i = blank(p, end+1); i >= len(p) || p[i] != ':' {
			return i, broken(p, i, "字段名之后应为冒号")
		}
		i = blank(p, i+1)
		switch {
		case r.keysOnly && (m < 0 || l.members[m].inner == nil && !r.wants(l.members[m].bit)):
			next = m + 1
			i, f = pass(p, i)
		case m < 0:
			i, f = r.unknown(p, i, name)
		case l.members[m].inner != nil:
			next = m + 1
			i, f = r.inside(p, i, l.members[m].inner)
		default:
			next = m + 1
			i, f = r.member(p, i, l.members[m].bit)
		}
		if f != nil {
			return i, f
		}
		if i = blank(p, i); i >= len(p) {
			return i, broken(p, i, "对象没有结束，缺少 }")
		}
		if p[i] == ',' {
			i = blank(p, i+1)
			continue
		}
		if p[i] != '}' {
			return i, broken(p, i, "应为逗号或 }")
		}
		if !r.keysOnly {
			for _, n := range r.names[names:] {
				r.strange(n)
			}
		}
		r.names = r.names[:names]
		return i + 1, nil
	}
}

// inside reads the value at i, which must be the object l; null is none.
func (r *reader) inside(p []byte, i int, l *level) (int, *fault) {
	if hasWord(p, i, "null") {
		return i + 4, nil
	}
	if i < len(p) && p[i] != '{' {
		if _, ok := skipValue(p, i, 0); ok {
			return i, &fault{class: ClassType, field: l.name, reason: fmt.Sprintf("字段“%s”应为对象，其中有登记的数据项", l.name)}
		}
	}
	r.open = append(r.open, opened{l, false})
	i, f := r.object(p, i, l)
	if f != nil {
		return i, f
	}
	last := len(r.open) - 1
	if r.open[last].written {
		r.extra = append(r.extra, '}')
	}
	r.open = r.open[:last]
	return i, nil
}

// opened is an object that is being read, and whether _extra has it open too.
type opened struct {
	l       *level
	written bool
}

// name reads the member name whose opening quote is at i and returns its place in
// l.members, -1 for an unknown one, and the place of the closing quote. next is the
// member expected here, names where the unknown names of this object begin.
func (r *reader) name(p []byte, i int, l *level, next, names int) (m, end int, f *fault) {
	if next < len(l.members) {
		want := l.members[next].name
		end = i + 1 + len(want)
		if end < len(p) && p[end] == '"' && string(p[i+1:end]) == want {
			return next, end, r.once(&l.members[next])
		}
	}
	end, escaped, ok := scanString(p, i+1)
	if !ok {
		return 0, 0, broken(p, end, "字段名没有正确结束，或含未转义的控制字符、错误的转义")
	}
	name := p[i+1 : end]
	if escaped {
		if r.spare, ok = unescape(r.spare[:0], name); !ok {
			return 0, 0, &fault{class: ClassEncoding, reason: "字段名含不成对的 \\u 代理码"}
		}
		name = r.spare
	}
	if m, ok := l.byName[string(name)]; ok {
		return m, end, r.once(&l.members[m])
	}
	for _, n := range r.names[names:] {
		if bytes.Equal(n, name) {
			return 0, 0, twice(string(name))
		}
	}
	if len(r.names) >= maxUnknown {
		return 0, 0, &fault{class: ClassDecode, reason: fmt.Sprintf("未登记的字段超过 %d 个", maxUnknown)}
	}
	if escaped {
		name = bytes.Clone(name)
	}
	r.names = append(r.names, name)
	return -1, end, nil
}

// once notes that a member was given.
func (r *reader) once(m *member) *fault {
	bit := uint64(1) << (m.bit & 63)
	if r.seen[m.bit>>6]&bit != 0 {
		return twice(m.name)
	}
	r.seen[m.bit>>6] |= bit
	return nil
}

func twice(name string) *fault {
	return &fault{class: ClassDecode, field: name, reason: fmt.Sprintf("字段“%s”出现两次，无法判断以哪个为准，请只保留一个", name)}
}

// missing gives the columns that the record did not name no value.
func (r *reader) missing() *fault {
	for c := range r.d.fields {
		if r.seen[c>>6]>>(c&63)&1 == 0 {
			if r.d.fields[c].must {
				a := &r.absent[c]
				if a.Records++; a.Records == 1 {
					a.First = r.offset
				}
			}
			if f := r.null(c); f != nil {
				return f
			}
		}
	}
	return nil
}

// member reads the value at i into column c and returns the place after it.
func (r *reader) member(p []byte, i, c int) (int, *fault) {
	if i >= len(p) {
		return i, broken(p, i, "缺少字段值")
	}
	if r.hints != nil {
		if end, f, done := r.encoded(p, i, c); done {
			return end, f
		}
	}
	switch ch := p[i]; {
	case ch == '"':
		end, escaped, ok := scanString(p, i+1)
		if !ok {
			return i, broken(p, end, "文本没有正确结束，或含未转义的控制字符、错误的转义")
		}
		s := p[i+1 : end]
		if escaped {
			if r.text, ok = unescape(r.text[:0], s); !ok {
				f := &r.d.fields[c]
				return i, &fault{class: ClassEncoding, field: f.name, reason: f.label + "含不成对的 \\u 代理码，不是完整字符"}
			}
			s = r.text
		}
		return end + 1, r.putText(c, s, !r.texts)
	case ch == '-' || ch-'0' <= 9:
		end, ok := scanNumber(p, i)
		if !ok {
			return i, broken(p, end, "数字写法不符合 JSON")
		}
		return end, r.number(c, p[i:end])
	case ch == '{' || ch == '[':
		f := &r.d.fields[c]
		return i, &fault{class: ClassType, field: f.name, reason: f.label + "应为单个值，却是对象或数组，请在源端展开"}
	case hasWord(p, i, "null"):
		return i + 4, r.null(c)
	case hasWord(p, i, "true"):
		return i + 4, r.truth(c, 1, p[i:i+4])
	case hasWord(p, i, "false"):
		return i + 5, r.truth(c, 0, p[i:i+5])
	}
	return i, broken(p, i, "字段值不是合法的 JSON 值")
}

func (r *reader) truth(c int, v byte, s []byte) *fault {
	f := &r.d.fields[c]
	if f.kind != kBool {
		return typeFault(f, s, "是真假值，与字段类型不符")
	}
	r.set.all[c].bools = append(r.set.all[c].bools, v)
	return nil
}

// unknown keeps the member, as it was written, for _extra.
func (r *reader) unknown(p []byte, i int, name []byte) (int, *fault) {
	end, ok := skipValue(p, i, 0)
	if !ok {
		return i, broken(p, end, "字段值不是合法的 JSON 值，或嵌套过深")
	}
	for d := range r.open { // the objects around it, on their first unknown member
		if o := &r.open[d]; !o.written {
			o.written = true
			r.extra = append(append(r.comma(), '"'), o.l.name...)
			r.extra = append(r.extra, `":{`...)
		}
	}
	r.extra = r.comma()
	r.extra = append(r.extra, name...)
	r.extra = append(r.extra, ':')
	r.extra = append(r.extra, p[i:end]...)
	return end, nil
}

// comma gives _extra ready for another member.
func (r *reader) comma() []byte {
	switch n := len(r.extra); {
	case n == 0:
		return append(r.extra, '{')
	case r.extra[n-1] == '{': // just opened: no member ends so
		return r.extra
	}
	return append(r.extra, ',')
}

func broken(p []byte, i int, why string) *fault {
	return &fault{class: ClassDecode, reason: fmt.Sprintf("第 %d 字节处：%s(共 %d 字节)", min(i, len(p))+1, why, len(p))}
}
