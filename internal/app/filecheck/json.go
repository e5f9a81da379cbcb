package filecheck

import (
	"bytes"
	"encoding/json"
	"fmt"

	"mulu"
	"mulu/quality/check"
)

// token is one value of a JSON object: where it lies and what it is.
type token struct {
	from, to uint32
	kind     check.Kind
	escaped  bool
}

// objects are the values of a piece of JSON, row after row.
type objects struct {
	buf    []byte
	tokens []token
	cols   int
	n      int
	odd    []oddity
	lines  int
	fresh  []string // names no column has yet
}

type objectColumn struct {
	*objects
	col int
}

func (o objectColumn) rows() int { return o.n }

func (o objectColumn) at(row int) ([]byte, check.Kind) {
	t := o.tokens[row*o.cols+o.col]
	v := o.buf[t.from:t.to]
	if t.escaped {
		var s string
		if json.Unmarshal(o.buf[t.from-1:t.to+1], &s) == nil {
			return []byte(s), check.Text
		}
	}
	return v, t.kind
}

// cutLines finds the end of the last whole line.
func cutLines(buf []byte) int { return bytes.LastIndexByte(buf, '\n') + 1 }

// cutObjects finds the end of the last whole object of a text of objects, whatever
// stands between them.
func cutObjects(buf []byte) int {
	end, depth := 0, 0
	for i := 0; i < len(buf); i++ {
		switch buf[i] {
		case '"':
			n := stringEnd(buf, i+1)
			if n < 0 {
				return end
			}
			i = n
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				end = i + 1
			}
		}
	}
	return end
}

// stringEnd finds the quote that ends a JSON string whose text begins at i; -1 for none.
func stringEnd(buf []byte, i int) int {
	for {
		n := bytes.IndexByte(buf[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		k := i - 1
		for k >= 0 && buf[k] == '\\' {
			k--
		}
		if (i-1-k)%2 == 0 {
			return i
		}
		i++
	}
}

// parse reads every object of a piece. A piece that is no object is an oddity and a row
// without values, so that the rows after it keep their numbers.
func (o *objects) parse(buf []byte, index map[string]int) {
	o.buf, o.cols, o.n, o.tokens, o.odd, o.fresh = buf, len(index), 0, o.tokens[:0], o.odd[:0], nil
	guess := make([]string, 0, o.cols)
	line := 0
	for i := 0; i < len(buf); {
		switch buf[i] {
		case '\n':
			line++
			i++
		case ' ', '\t', '\r', ',', '[', ']':
			i++
		case '{':
			row := len(o.tokens)
			o.tokens = append(o.tokens, make([]token, o.cols)...)
			next, ok := o.object(i, o.tokens[row:], index, &guess)
			if !ok {
				o.odd = append(o.odd, oddity{o.n, line, "不是完整的 JSON 对象；整行没有读 / not a JSON object", true})
				clear(o.tokens[row:])
				next = i + lineEnd(buf[i:])
			}
			line += bytes.Count(buf[i:next], []byte{'\n'})
			i = next
			o.n++
		default:
			o.odd = append(o.odd, oddity{o.n, line, "不是 JSON 对象；整行没有读 / not a JSON object", true})
			o.tokens = append(o.tokens, make([]token, o.cols)...)
			o.n++
			i += lineEnd(buf[i:])
		}
	}
	o.lines = line
}

func lineEnd(b []byte) int {
	if n := bytes.IndexByte(b, '\n'); n >= 0 {
		return n
	}
	return len(b)
}

func blank(buf []byte, i int) int {
	for i < len(buf) && (buf[i] == ' ' || buf[i] == '\n' || buf[i] == '\t' || buf[i] == '\r') {
		i++
	}
	return i
}

// object reads one object into row; guess holds the names of the object before, which
// mostly come in the same order again.
func (o *objects) object(i int, row []token, index map[string]int, guess *[]string) (next int, ok bool) {
	buf := o.buf
	i = blank(buf, i+1)
	for k := 0; ; k++ {
		if i >= len(buf) {
			return i, false
		}
		if buf[i] == '}' {
			return i + 1, true
		}
		if buf[i] != '"' {
			return i, false
		}
		end := stringEnd(buf, i+1)
		if end < 0 {
			return i, false
		}
		name := buf[i+1 : end]
		if i = blank(buf, end+1); i >= len(buf) || buf[i] != ':' {
			return i, false
		}
		t, after, ok := value(buf, blank(buf, i+1))
		if !ok {
			return after, false
		}
		o.put(row, t, name, k, index, guess)
		i = blank(buf, after)
		if i < len(buf) && buf[i] == ',' {
			i = blank(buf, i+1)
		}
	}
}

func (o *objects) put(row []token, t token, name []byte, k int, index map[string]int, guess *[]string) {
	if k < len(*guess) && string(name) == (*guess)[k] {
		if at, known := index[(*guess)[k]]; known {
			row[at] = t
			return
		}
	}
	s := string(name)
	if bytes.IndexByte(name, '\\') >= 0 {
		_ = json.Unmarshal([]byte(`"`+s+`"`), &s) // a name that is no string stays as it is
	}
	if k == len(*guess) {
		*guess = append(*guess, s)
	}
	at, known := index[s]
	if !known {
		o.fresh = append(o.fresh, s)
		return
	}
	row[at] = t
}

// value reads one value.
func value(buf []byte, i int) (t token, next int, ok bool) {
	if i >= len(buf) {
		return t, i, false
	}
	switch c := buf[i]; {
	case c == '"':
		end := stringEnd(buf, i+1)
		if end < 0 {
			return t, i, false
		}
		return token{uint32(i + 1), uint32(end), check.Text, bytes.IndexByte(buf[i+1:end], '\\') >= 0}, end + 1, true //nolint:gosec // a piece is some megabytes
	case c == '{' || c == '[':
		end := nested(buf, i)
		return token{uint32(i), uint32(end), check.JSON, false}, end, end > i //nolint:gosec // same
	}
	end := i
	for end < len(buf) && buf[end] != ',' && buf[end] != '}' && buf[end] != ']' && buf[end] > ' ' {
		end++
	}
	t = token{uint32(i), uint32(end), check.Int, false} //nolint:gosec // same
	switch v := buf[i:end]; string(v) {
	case "null", "NaN":
		return token{}, end, true
	case "true", "false":
		t.kind = check.Bool
	case "Infinity", "-Infinity":
		t.kind = check.Float
	default:
		if bytes.ContainsAny(v, ".eE") {
			t.kind = check.Float
		}
		if len(v) == 0 || v[0] != '-' && v[0]-'0' > 9 {
			return t, end, false
		}
	}
	return t, end, true
}

// nested is the end of an object or list that begins at i, i if it has none.
func nested(buf []byte, i int) int {
	depth := 0
	for k := i; k < len(buf); k++ {
		switch buf[k] {
		case '"':
			n := stringEnd(buf, k+1)
			if n < 0 {
				return i
			}
			k = n
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return k + 1
			}
		}
	}
	return i
}

// byColumns turns an object of lists, one per column, into objects in lines; ok is false
// for any other text.
func byColumns(b []byte) (names []string, lines []byte, ok bool, err error) {
	b = plainNumbers(b)
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, false, nil //nolint:nilerr // some other text
	}
	var lists [][]json.RawMessage
	for d.More() {
		t, err := d.Token()
		name, isName := t.(string)
		if err != nil || !isName {
			return nil, nil, false, nil //nolint:nilerr // same
		}
		var list []json.RawMessage
		if d.Decode(&list) != nil {
			return nil, nil, false, nil
		}
		names, lists = append(names, name), append(lists, list)
	}
	if len(names) == 0 {
		return nil, nil, false, nil
	}
	for i := range lists {
		if len(lists[i]) != len(lists[0]) {
			return nil, nil, true, fmt.Errorf("各列长度不同：%q 有 %d 个值，%q 有 %d 个 / columns of different lengths: %w", names[0], len(lists[0]), names[i], len(lists[i]), mulu.ErrInvalid)
		}
	}
	for row := range lists[0] {
		for i, n := range names {
			quoted, err := json.Marshal(n)
			if err != nil {
				return nil, nil, true, fmt.Errorf("name of a column: %w", err)
			}
			lines = append(append(append(append(lines, map[bool]byte{true: '{', false: ','}[i == 0]), quoted...), ':'), bytes.ReplaceAll(lists[i][row], []byte{'\n'}, []byte{' '})...)
		}
		lines = append(lines, '}', '\n')
	}
	return names, lines, true, nil
}

// plainNumbers gives NaN, which Python writes, as null.
func plainNumbers(b []byte) []byte {
	for _, ends := range []string{",", "]", " ", "\n"} {
		b = bytes.ReplaceAll(b, []byte("NaN"+ends), []byte("null"+ends))
	}
	return b
}

// jsonForm is how a file of JSON is cut.
type jsonForm struct {
	lines bool // one object a line
	names []string
	index map[string]int
}

func (f *jsonForm) add(names []string) {
	for _, n := range names {
		if _, known := f.index[n]; !known {
			f.index[n] = len(f.names)
			f.names = append(f.names, n)
		}
	}
}
