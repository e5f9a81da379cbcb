package table

import (
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/text"
	"mulu/internal/clock"
)

// Kind is what a value of a table is.
type Kind string

// The kinds of value; "" is NULL.
const (
	Null    Kind = ""
	Int     Kind = "i" // digits
	Dec     Kind = "d" // a number, as the database writes it
	Float   Kind = "f"
	Text    Kind = "s"
	Bytes   Kind = "b" // base64: a binary column, or a text that is not UTF-8
	Bool    Kind = "l" // "1" or "0"
	Day     Kind = "D" // 2006-01-02
	Wall    Kind = "t" // 2006-01-02 15:04:05.999999999, of a clock in Shanghai
	Instant Kind = "z" // RFC 3339
)

// Value is one value of a table in a form that is kept in cursors and bound back as it
// was: no number goes through a float.
type Value struct {
	Kind Kind   `json:"k"`
	Text string `json:"s"`
}

// Field is a column of a table as its database names it.
type Field struct {
	Name   string
	Type   string // the database's name of it, upper case
	padded bool
	dated  bool // a DATE without hours
}

const wallForm = "2006-01-02 15:04:05.999999999"

// value reads what a driver gave for a field.
func (f *Field) value(v any) Value {
	switch v := v.(type) {
	case nil:
		return Value{}
	case int64:
		return Value{Int, strconv.FormatInt(v, 10)}
	case int32, int16, int8, int, uint8, uint16, uint32, uint64:
		return Value{Int, fmt.Sprint(v)}
	case float64:
		if f.Type == "REAL" || f.Type == "FLOAT4" { // widened by the driver
			return Value{Float, strconv.FormatFloat(v, 'f', -1, 32)}
		}
		return Value{Float, strconv.FormatFloat(v, 'f', -1, 64)}
	case float32:
		return Value{Float, strconv.FormatFloat(float64(v), 'f', -1, 32)}
	case bool:
		if v {
			return Value{Bool, "1"}
		}
		return Value{Bool, "0"}
	case time.Time:
		return f.moment(v)
	case []byte:
		return f.bytes(v)
	case string:
		return f.text(v)
	}
	return f.text(fmt.Sprint(v))
}

func (f *Field) moment(t time.Time) Value {
	switch {
	case f.zoned():
		return Value{Instant, t.In(clock.Shanghai).Format(time.RFC3339Nano)}
	case f.dated:
		return Value{Day, t.Format(time.DateOnly)}
	}
	return Value{Wall, t.Format(wallForm)}
}

// zoned says that the type knows its zone.
func (f *Field) zoned() bool {
	return strings.Contains(f.Type, "TZ") || strings.HasSuffix(f.Type, "OFFSET") || strings.Contains(f.Type, "TIME ZONE")
}

func (f *Field) bytes(b []byte) Value {
	switch {
	case f.Type == "BIT" && len(b) <= 8:
		var n uint64
		for _, c := range b {
			n = n<<8 | uint64(c)
		}
		return Value{Int, strconv.FormatUint(n, 10)}
	case f.Type == "UNIQUEIDENTIFIER" && len(b) == 16: // the first three groups are little-endian
		return Value{Text, fmt.Sprintf("%X-%X-%X-%X-%X", []byte{b[3], b[2], b[1], b[0]}, []byte{b[5], b[4]}, []byte{b[7], b[6]}, b[8:10], b[10:])}
	case f.binary():
		return Value{Bytes, base64.StdEncoding.EncodeToString(b)}
	}
	return f.text(string(b))
}

func (f *Field) binary() bool {
	return strings.HasSuffix(f.Type, "BLOB") || strings.HasSuffix(f.Type, "BINARY") || strings.Contains(f.Type, "RAW") || f.Type == "BYTEA" || f.Type == "IMAGE" || f.Type == "OCIBLOBLOCATOR"
}

func (f *Field) text(s string) Value {
	switch f.Type {
	case "DECIMAL", "NUMERIC", "NUMBER", "MONEY", "SMALLMONEY":
		return Value{Dec, s}
	case "DATE", "DATETIME", "TIMESTAMP": // MySQL's, as it writes them; also ones that are none
		if f.dated {
			return Value{Day, s}
		}
		return Value{Wall, s}
	}
	if !utf8.ValidString(s) {
		return Value{Bytes, base64.StdEncoding.EncodeToString([]byte(s))}
	}
	if f.padded {
		s = strings.TrimRight(s, " ")
	}
	return Value{Text, s}
}

// arg is what is given to a driver to compare with.
func (v Value) arg() any {
	switch v.Kind {
	case Null:
		return nil
	case Int:
		if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.Text, 10, 64); err == nil {
			return n
		}
	case Float:
		if x, err := strconv.ParseFloat(v.Text, 64); err == nil {
			return x
		}
	case Bool:
		return v.Text == "1"
	case Bytes:
		return v.raw()
	}
	return v.Text
}

func (v Value) raw() []byte {
	b, _ := base64.StdEncoding.DecodeString(v.Text) //nolint:errcheck // written by value
	return b
}

func (v Value) time() (time.Time, error) {
	switch v.Kind {
	case Day:
		return time.Parse(time.DateOnly, v.Text)
	case Wall:
		return time.Parse(wallForm, v.Text)
	case Instant:
		return time.Parse(time.RFC3339Nano, v.Text)
	}
	return time.Parse(serialForm, v.Text)
}

// serialForm is a time written as digits, as many old systems do.
const serialForm = "20060102150405"

// order gives a place on a line to a value of an increment's column. ok is false if there
// is none. timed says that the line is time, in microseconds.
func (v Value) order() (n int64, timed, ok bool) {
	switch v.Kind {
	case Day, Wall, Instant:
		t, err := v.time()
		return t.UnixMicro(), true, err == nil
	case Text: // texts sort by character: only digits of one length are on a line
		t, err := v.time()
		return t.UnixMicro(), true, err == nil && len(v.Text) == len(serialForm)
	case Int, Dec:
		whole, _, _ := strings.Cut(v.Text, ".")
		n, err := strconv.ParseInt(whole, 10, 64)
		if err == nil && n < 0 && v.Kind == Dec {
			n-- // the floor of a negative fraction
		}
		return n, false, err == nil
	case Bytes:
		b := v.raw()
		if len(b) == 0 || len(b) > 8 || len(b) == 8 && b[0] > 0x7f {
			return 0, false, false
		}
		for _, c := range b {
			n = n<<8 | int64(c)
		}
		return n, false, true
	}
	return 0, false, false
}

// below is the value that lies a span of the line below v.
func (v Value) below(span int64) Value {
	if span == 0 {
		return v
	}
	n, timed, ok := v.order()
	if !ok {
		return v
	}
	if n < math.MinInt64+span {
		n = math.MinInt64 + span
	}
	n -= span
	if timed {
		t := time.UnixMicro(n).UTC()
		switch v.Kind {
		case Day:
			return Value{Day, t.Format(time.DateOnly)}
		case Wall:
			return Value{Wall, t.Format(wallForm)}
		case Instant:
			return Value{Instant, t.In(clock.Shanghai).Format(time.RFC3339Nano)}
		}
		return Value{Text, t.Format(serialForm)}
	}
	if v.Kind == Bytes {
		b := make([]byte, len(v.raw()))
		for i, left := len(b)-1, max(n, 0); i >= 0; i, left = i-1, left>>8 {
			b[i] = byte(left)
		}
		return Value{Bytes, base64.StdEncoding.EncodeToString(b)}
	}
	return Value{v.Kind, strconv.FormatInt(n, 10)}
}

// number is what JSON takes for one.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`)

// midnight is a time that is only a date.
var midnight = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})[ T]00:00:00(\.0+)?(\+08:00)?$`)

// plain is a value as text, as it stands in a record and in its key.
func (v Value) plain(c *mulu.Column) string {
	s := v.Text
	switch {
	case v.Kind == Bytes:
		s = string(v.raw())
	case c.Type == mulu.Int && (v.Kind == Dec || v.Kind == Float):
		if whole, rest, ok := strings.Cut(s, "."); ok && strings.Trim(rest, "0") == "" {
			s = whole
		}
	case c.Type == mulu.Date:
		if m := midnight.FindStringSubmatch(s); m != nil {
			s = m[1]
		}
	}
	return s
}

// appendJSON adds a value as the JSON that ingest reads into the column. What it is not
// fit for is left as text, for ingest to judge; only bytes that are no text are judged
// here, since JSON can not say them.
func (v Value) appendJSON(dst []byte, c *mulu.Column) ([]byte, *mulu.Note) {
	if v.Kind == Null {
		return append(dst, "null"...), nil
	}
	s := v.plain(c)
	switch {
	case v.Kind == Bytes && (!utf8.ValidString(s) || strings.ContainsRune(s, 0)):
		note := &mulu.Note{Class: ingest.ClassEncoding, Field: c.Name, Reason: fmt.Sprintf("字段“%s”在源表中不是 UTF-8 文本（共 %d 字节，开头为 %X）；请检查源库的字符集，或不要报送二进制列", c.Title, len(s), s[:min(len(s), 12)])}
		return text.AppendJSON(dst, strings.ToValidUTF8(s, "\uFFFD")), note
	case c.Type == mulu.Bool && v.Kind == Bool:
		return append(dst, map[string]string{"1": "true", "0": "false"}[s]...), nil
	case c.Type != mulu.String && c.Type != mulu.Date && c.Type != mulu.DateTime && number.MatchString(s):
		return append(dst, s...), nil
	}
	return text.AppendJSON(dst, s), nil
}
