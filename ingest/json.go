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

// readJSON reads one JSON object (RFC 8259, no member twice) into a row. It goes
// through the bytes once, expects the fields in column order, where it need not
// look up a name, and accepts any order.
func (r *reader) readJSON(p []byte) *fault {
	i := blank(p, 0)
	if i >= len(p) || p[i] != '{' {
		return broken(p, i, "应为一个 JSON 对象，以 { 开头")
	}
	i = blank(p, i+1)
	if i < len(p) && p[i] == '}' {
		if i = blank(p, i+1); i != len(p) {
			return broken(p, i, "对象之后还有多余内容")
		}
		return r.missing()
	}
	for next := 0; ; {
		if i >= len(p) || p[i] != '"' {
			return broken(p, i, "应为带双引号的字段名")
		}
		c, end, f := r.name(p, i, next)
		if f != nil {
			return f
		}
		name := p[i : end+1]
		if i = blank(p, end+1); i >= len(p) || p[i] != ':' {
			return broken(p, i, "字段名之后应为冒号")
		}
		i = blank(p, i+1)
		if c >= 0 {
			next = c + 1
			i, f = r.member(p, i, c)
		} else {
			i, f = r.unknown(p, i, name)
		}
		if f != nil {
			return f
		}
		if i = blank(p, i); i >= len(p) {
			return broken(p, i, "对象没有结束，缺少 }")
		}
		if p[i] == ',' {
			i = blank(p, i+1)
			continue
		}
		if p[i] != '}' {
			return broken(p, i, "应为逗号或 }")
		}
		if i = blank(p, i+1); i != len(p) {
			return broken(p, i, "对象之后还有多余内容")
		}
		break
	}
	if len(r.extra) > 0 {
		r.extra = append(r.extra, '}')
	}
	return r.missing()
}

// name reads the member name whose opening quote is at i and returns its column,
// -1 for an unknown one, and the place of the closing quote. next is the column
// expected here.
func (r *reader) name(p []byte, i, next int) (c, end int, f *fault) {
	fields := r.d.fields
	if next < len(fields) {
		want := fields[next].name
		end = i + 1 + len(want)
		if end < len(p) && p[end] == '"' && string(p[i+1:end]) == want {
			return next, end, r.once(next)
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
	if c, ok := r.d.byName[string(name)]; ok {
		return c, end, r.once(c)
	}
	for _, n := range r.names {
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

// once notes that column c was given.
func (r *reader) once(c int) *fault {
	bit := uint64(1) << (c & 63)
	if r.seen[c>>6]&bit != 0 {
		return twice(r.d.fields[c].name)
	}
	r.seen[c>>6] |= bit
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
		return end + 1, r.putText(c, s, true)
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
	if len(r.extra) == 0 {
		r.extra = append(r.extra, '{')
	} else {
		r.extra = append(r.extra, ',')
	}
	r.extra = append(r.extra, name...)
	r.extra = append(r.extra, ':')
	r.extra = append(r.extra, p[i:end]...)
	return end, nil
}

func broken(p []byte, i int, why string) *fault {
	return &fault{class: ClassDecode, reason: fmt.Sprintf("第 %d 字节处：%s(共 %d 字节)", min(i, len(p))+1, why, len(p))}
}
