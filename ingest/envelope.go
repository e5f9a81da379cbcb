package ingest

import (
	"bytes"
	"fmt"
)

// part is where a member's value stands in a record; to is 0 if it was not given or
// is null.
type part struct{ from, to int }

func (a part) in(p []byte) []byte { return p[a.from:a.to] }

func (a part) given() bool { return a.to > 0 }

// isObject says whether the value is an object; isArray, likewise.
func (a part) isObject(p []byte) bool { return a.given() && p[a.from] == '{' }

func (a part) isArray(p []byte) bool { return a.given() && p[a.from] == '[' }

// text is the content of a value that is a text without escapes, or a number; nil of
// any other.
func (a part) text(p []byte) []byte {
	if !a.given() {
		return nil
	}
	switch s := a.in(p); {
	case s[0] == '"':
		return s[1 : len(s)-1]
	case s[0] == '-' || s[0]-'0' <= 9:
		return s
	}
	return nil
}

// envelope is where the parts of a change record stand. One pass over the bytes
// fills it; what the row looks like is not its business.
type envelope struct {
	schema, payload             part // Debezium with schema block
	op, before, after           part // Debezium
	kind, data, old, isDDL      part // Canal, Maxwell
	position                    part // Maxwell
	mysqlType, sqlType          part // Canal
	connector, snapshot         part // of Debezium's source, and the rest
	lsn, file, pos, scn, server part
	quiet                       bool // a time of sending, or a null payload
	others                      bool // a member beside these
}

// slot gives the place for a member of the record or of its payload.
func (e *envelope) slot(name []byte) *part {
	switch string(name) {
	case "schema":
		return &e.schema
	case "payload":
		return &e.payload
	case "op":
		return &e.op
	case "before":
		return &e.before
	case "after":
		return &e.after
	case "type":
		return &e.kind
	case "data":
		return &e.data
	case "old":
		return &e.old
	case "isDdl":
		return &e.isDDL
	case "position":
		return &e.position
	case "mysqlType":
		return &e.mysqlType
	case "sqlType":
		return &e.sqlType
	case "ts_ms", "ts_us", "ts_ns":
		e.quiet = true
	default:
		e.others = true
	}
	return nil
}

// sourceSlot gives the place for a member of Debezium's source.
func (e *envelope) sourceSlot(name []byte) *part {
	switch string(name) {
	case "connector":
		return &e.connector
	case "snapshot":
		return &e.snapshot
	case "lsn":
		return &e.lsn
	case "file":
		return &e.file
	case "pos":
		return &e.pos
	case "scn":
		return &e.scn
	case "server_id":
		return &e.server
	}
	return nil
}

// Levels of an envelope.
const (
	atTop = iota
	inPayload
	inSource
)

// scan reads the envelope p. known is a schema block that was seen before: where it
// stands again it is not looked through.
func (e *envelope) scan(p, known []byte) *fault {
	*e = envelope{}
	i := blank(p, 0)
	if i >= len(p) || p[i] != '{' {
		return broken(p, i, "应为一个 JSON 对象，以 { 开头")
	}
	i, f := e.members(p, i, atTop, known)
	if f != nil {
		return f
	}
	if i = blank(p, i); i != len(p) {
		return broken(p, i, "对象之后还有多余内容")
	}
	return nil
}

// members reads the object that opens at i and returns the place after it.
func (e *envelope) members(p []byte, i, level int, known []byte) (int, *fault) {
	var sources bool
	i = blank(p, i+1)
	if i < len(p) && p[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(p) || p[i] != '"' {
			return i, broken(p, i, "应为带双引号的字段名")
		}
		end, escaped, ok := scanString(p, i+1)
		if !ok {
			return i, broken(p, end, "字段名没有正确结束，或含未转义的控制字符、错误的转义")
		}
		name := p[i+1 : end]
		if escaped {
			if name, ok = unescape(nil, name); !ok {
				return i, &fault{class: ClassEncoding, reason: "字段名含不成对的 \\u 代理码"}
			}
		}
		if i = blank(p, end+1); i >= len(p) || p[i] != ':' {
			return i, broken(p, i, "字段名之后应为冒号")
		}
		if i = blank(p, i+1); i >= len(p) {
			return i, broken(p, i, "缺少字段值")
		}
		from := i
		var f *fault
		var at *part
		switch {
		case level == inSource:
			at = e.sourceSlot(name)
			i, f = pass(p, i)
		case string(name) == "source" && p[i] == '{':
			if sources {
				return i, twice("source")
			}
			sources, e.others = true, true
			i, f = e.members(p, i, inSource, nil)
		case level == atTop && string(name) == "payload" && p[i] == '{':
			if at = &e.payload; at.given() {
				return i, twice("payload")
			}
			i, f = e.members(p, i, inPayload, nil)
		case level == atTop && string(name) == "schema" && len(known) > 0 && bytes.HasPrefix(p[i:], known):
			at = &e.schema
			i += len(known)
		default:
			at = e.slot(name)
			i, f = pass(p, i)
		}
		if f != nil {
			return i, f
		}
		if at != nil {
			if at.given() {
				return i, twice(string(name))
			}
			if p[from] != 'n' { // null is not given
				*at = part{from, i}
			} else if at == &e.payload {
				e.quiet = true
			}
		}
		if i = blank(p, i); i >= len(p) {
			return i, broken(p, i, "对象没有结束，缺少 }")
		}
		if p[i] == '}' {
			return i + 1, nil
		}
		if p[i] != ',' {
			return i, broken(p, i, "应为逗号或 }")
		}
		i = blank(p, i+1)
	}
}

// element gives the bounds of the array element at or after i, and the place to go on
// from; ok is false behind the last. The array was looked through before.
func element(p []byte, i int) (value part, next int, ok bool) {
	if i = blank(p, i); i >= len(p) || p[i] == ']' {
		return part{}, i, false
	}
	if p[i] == '[' || p[i] == ',' {
		if i = blank(p, i+1); i >= len(p) || p[i] == ']' {
			return part{}, i, false
		}
	}
	end, ok := skipValue(p, i, 0)
	return part{i, end}, end, ok
}

// maxPosition is the greatest position that a version holds, 56 bits.
const maxPosition = 1<<56 - 1

// place is where a change stands in the log of its database.
type place struct {
	scheme string // "" is by offset
	at     uint64
}

// binlogPlace is file number · 2^32 + place in the file.
func (r *reader) binlogPlace(file, pos, server []byte) (place, *fault) {
	dot := len(file) - 1
	for dot >= 0 && file[dot] != '.' {
		dot--
	}
	n, ok1 := parseCount(file[dot+1:])
	at, ok2 := parseCount(pos)
	if dot < 1 || !ok1 || !ok2 || n >= 1<<24 || at >= 1<<32 {
		return place{}, &fault{class: ClassChange, reason: fmt.Sprintf("binlog 位点“%s:%s”无法排序，应形如 mysql-bin.000123 与文件内位置", shown(file), shown(pos))}
	}
	return place{r.schemes.binlog(file[:dot], server), n<<32 | at}, nil
}

// parseCount reads digits, leading zeros allowed, below 2^56.
func parseCount(s []byte) (uint64, bool) {
	if len(s) == 0 || len(s) > 20 {
		return 0, false
	}
	var v uint64
	for _, c := range s {
		c -= '0'
		if c > 9 || v > maxPosition/10 {
			return 0, false
		}
		v = v*10 + uint64(c)
	}
	return v, v <= maxPosition
}

func shown(s []byte) []byte { return s[:min(len(s), 60)] }
