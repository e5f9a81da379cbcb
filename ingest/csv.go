package ingest

import (
	"bytes"
	"fmt"
)

// readCSV reads one CSV record (RFC 4180, no header, one line end allowed at its
// end) into a row, fields in column order. A field left empty is no value; "" is
// an empty text.
func (r *reader) readCSV(p []byte) *fault {
	if n := len(p); n > 0 && p[n-1] == '\n' {
		p = p[:n-1]
		if n > 1 && p[n-2] == '\r' {
			p = p[:n-2]
		}
	}
	if len(p) == 0 {
		return broken(p, 0, "空记录")
	}
	c, i := 0, 0
	for ; ; c++ {
		s, end, quoted, f := r.csvField(p, i)
		if f != nil {
			return f
		}
		if c < len(r.d.fields) {
			if len(s) == 0 && !quoted {
				f = r.null(c)
			} else {
				f = r.putText(c, s, false)
			}
			if f != nil {
				return f
			}
		}
		if i = end; i == len(p) {
			break
		}
		i++ // the comma
	}
	if c+1 != len(r.d.fields) {
		return &fault{class: ClassDecode, reason: fmt.Sprintf("应有 %d 个字段，实有 %d 个，请核对字段顺序与分隔符(含逗号的值须加双引号)", len(r.d.fields), c+1)}
	}
	return nil
}

// csvField reads the field at i; end is the place of the comma after it, or len(p).
func (r *reader) csvField(p []byte, i int) (s []byte, end int, quoted bool, f *fault) {
	if i >= len(p) || p[i] != '"' {
		end = len(p)
		if n := bytes.IndexByte(p[i:], ','); n >= 0 {
			end = i + n
		}
		s = p[i:end]
		if n := bytes.IndexByte(s, '"'); n >= 0 {
			return nil, 0, false, broken(p, i+n, "未加引号的值里有双引号，请整体加引号并把引号写两遍")
		}
		if n := bytes.IndexByte(s, '\n'); n >= 0 {
			return nil, 0, false, broken(p, i+n, "一条消息里有多行记录，请每条消息只放一行")
		}
		return s, end, false, nil
	}
	start := i + 1
	r.text = r.text[:0]
	for i = start; ; {
		n := bytes.IndexByte(p[i:], '"')
		if n < 0 {
			return nil, 0, true, broken(p, len(p), "双引号没有成对")
		}
		at := i + n
		if at+1 < len(p) && p[at+1] == '"' { // a quote written twice
			r.text = append(r.text, p[i:at+1]...)
			i = at + 2
			continue
		}
		if at+1 < len(p) && p[at+1] != ',' {
			return nil, 0, true, broken(p, at+1, "双引号之后应为逗号")
		}
		if i == start {
			return p[start:at], at + 1, true, nil
		}
		r.text = append(r.text, p[i:at]...)
		return r.text, at + 1, true, nil
	}
}
