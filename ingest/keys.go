package ingest

import (
	"bytes"
	"fmt"

	"mulu"
)

// Keys reads the business key from JSON records that are still to be sent, as their
// source wrote it. It is safe for use by several goroutines.
type Keys struct {
	root *level
	n    int
}

// NewKeys prepares it for one dataset version.
func NewKeys(d *mulu.Dataset) (*Keys, error) {
	k := &Keys{root: &level{byName: map[string]int{}}, n: len(d.Key)}
	bit := k.n
	for i, name := range d.Key {
		c := d.Column(name)
		if c < 0 {
			return nil, fmt.Errorf("read keys of dataset %s: key %q is no column: %w", d.Code, name, mulu.ErrInvalid)
		}
		path, err := pathOf(d.Columns[c], false)
		if err == nil {
			err = k.root.add(path, i, &bit)
		}
		if err != nil {
			return nil, fmt.Errorf("read keys of dataset %s: %w: %w", d.Code, err, mulu.ErrInvalid)
		}
	}
	return k, nil
}

// Of gives the values of the key in the dataset's order: texts without their escapes,
// anything else as it is written. ok is false if p is no JSON object, a part of the key
// is missing, null, blank, an object or a list, or is given twice: whether such a row is
// at fault is for decoding to say.
func (k *Keys) Of(p []byte) (values []string, ok bool) {
	values = make([]string, k.n)
	end, ok := k.object(p, blank(p, 0), k.root, values, 0)
	if !ok || blank(p, end) != len(p) {
		return nil, false
	}
	for _, v := range values {
		if v == "" {
			return nil, false
		}
	}
	return values, true
}

// object goes through the object at i and gives the place after it.
func (k *Keys) object(p []byte, i int, l *level, values []string, depth int) (end int, ok bool) {
	if i >= len(p) || p[i] != '{' {
		return i, false
	}
	if i = blank(p, i+1); i < len(p) && p[i] == '}' {
		return i + 1, true
	}
	for {
		if i >= len(p) || p[i] != '"' {
			return i, false
		}
		shut, escaped, ok := scanString(p, i+1)
		if !ok {
			return shut, false
		}
		name := p[i+1 : shut]
		if escaped {
			if name, ok = unescape(nil, name); !ok {
				return i, false
			}
		}
		if i = blank(p, shut+1); i >= len(p) || p[i] != ':' {
			return i, false
		}
		i = blank(p, i+1)
		if m, known := l.byName[string(name)]; !known {
			i, ok = skipValue(p, i, depth+1)
		} else if inner := l.members[m].inner; inner != nil && i < len(p) && p[i] == '{' {
			i, ok = k.object(p, i, inner, values, depth+1)
		} else if inner != nil {
			i, ok = skipValue(p, i, depth+1)
		} else {
			i, ok = scalar(p, i, &values[l.members[m].bit])
		}
		if !ok {
			return i, false
		}
		if i = blank(p, i); i >= len(p) {
			return i, false
		}
		if p[i] == '}' {
			return i + 1, true
		}
		if p[i] != ',' {
			return i, false
		}
		i = blank(p, i+1)
	}
}

// scalar reads the value at i into v, which must not be there yet.
func scalar(p []byte, i int, v *string) (end int, ok bool) {
	if i >= len(p) || p[i] == '{' || p[i] == '[' || hasWord(p, i, "null") || *v != "" {
		return i, false
	}
	if end, ok = skipValue(p, i, 0); !ok {
		return end, false
	}
	text := p[i:end]
	if p[i] == '"' {
		text = p[i+1 : end-1]
		if bytes.IndexByte(text, '\\') >= 0 {
			if text, ok = unescape(nil, text); !ok {
				return i, false
			}
		}
		if len(bytes.TrimSpace(text)) == 0 {
			return i, false
		}
	}
	*v = string(text)
	return end, true
}

// JSONEnd checks the JSON value that begins at p[i] and finds its end. If ok is false,
// end is where it is broken, or len(p), or a few bytes before it, if p ends too early.
func JSONEnd(p []byte, i int) (end int, ok bool) { return skipValue(p, i, 0) }

// JSONBlank is the first place from i on that holds no white space.
func JSONBlank(p []byte, i int) int { return blank(p, i) }
