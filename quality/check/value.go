package check

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Kind is what one value of a loosely typed column is.
type Kind uint8

// The kinds. JSON is a nested value kept as its text.
const (
	Null Kind = iota
	Bool
	Int
	Float
	Text
	Date // days since 1970-01-01
	Time // microseconds since 1970-01-01, UTC
	JSON
)

func (k Kind) String() string {
	return [...]string{"null", "bool", "int", "float", "text", "date", "datetime", "json"}[k]
}

// Value is one cell. I holds a bool, int, date or time, F a float, S the rest.
type Value struct {
	Kind Kind
	I    int64
	F    float64
	S    string
}

func intValue(i int64) Value     { return Value{Kind: Int, I: i} }
func floatValue(f float64) Value { return Value{Kind: Float, F: f} }
func textValue(s string) Value   { return Value{Kind: Text, S: s} }
func boolValue(b bool) Value {
	if b {
		return Value{Kind: Bool, I: 1}
	}
	return Value{Kind: Bool}
}

// valueOf turns what a JSON or YAML document holds into a value.
func valueOf(v any) Value {
	switch v := v.(type) {
	case nil:
		return Value{}
	case bool:
		return boolValue(v)
	case int:
		return intValue(int64(v))
	case int64:
		return intValue(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return intValue(int64(v))
		}
		return floatValue(v)
	case number:
		return v.value()
	case string:
		return textValue(v)
	case time.Time:
		if v.Hour() == 0 && v.Minute() == 0 && v.Second() == 0 && v.Nanosecond() == 0 {
			return Value{Kind: Date, I: v.Unix() / 86_400}
		}
		return Value{Kind: Time, I: v.UnixMicro()}
	}
	return Value{Kind: JSON, S: fmt.Sprint(v)}
}

// isNumber says whether the value takes part in arithmetic; a bool is 0 or 1.
func (v Value) isNumber() bool { return v.Kind == Int || v.Kind == Float || v.Kind == Bool }

// number is a numeric value as a float.
func (v Value) number() float64 {
	if v.Kind == Float {
		return v.F
	}
	return float64(v.I)
}

// micros is a date or time in microseconds.
func (v Value) micros() int64 {
	if v.Kind == Date {
		return v.I * 86_400_000_000
	}
	return v.I
}

func (v Value) isMoment() bool { return v.Kind == Date || v.Kind == Time }

// equal is equality between kinds as Python has it: 1 == 1.0 == True, and 1 is not "1".
func (v Value) equal(w Value) bool {
	if v.Kind == Null || w.Kind == Null {
		return false
	}
	c, ok := v.compare(w)
	return ok && c == 0
}

// compare orders two values of comparable kinds; ok is false for others, such as a
// number and a text.
func (v Value) compare(w Value) (c int, ok bool) {
	switch {
	case v.Kind == Int && w.Kind == Int:
		return order(v.I, w.I), true
	case v.isNumber() && w.isNumber():
		return order(v.number(), w.number()), true
	case v.Kind == Text && w.Kind == Text, v.Kind == JSON && w.Kind == JSON:
		return strings.Compare(v.S, w.S), true
	case v.isMoment() && w.isMoment():
		return order(v.micros(), w.micros()), true
	}
	return 0, false
}

func order[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// text is the value as Python's str prints it.
func (v Value) text() string {
	switch v.Kind {
	case Bool:
		if v.I == 1 {
			return "True"
		}
		return "False"
	case Int:
		return strconv.FormatInt(v.I, 10)
	case Float:
		return pythonFloat(v.F)
	case Date:
		return time.Unix(v.I*86_400, 0).UTC().Format(time.DateOnly)
	case Time:
		t := time.UnixMicro(v.I).UTC()
		if v.I%1_000_000 == 0 {
			return t.Format(time.DateTime)
		}
		return t.Format("2006-01-02 15:04:05.000000")
	}
	return v.S
}

func pythonFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// plain is the value for JSON output.
func (v Value) plain() any {
	switch v.Kind {
	case Null:
		return nil
	case Bool:
		return v.I == 1
	case Int:
		return v.I
	case Float:
		if math.IsNaN(v.F) || math.IsInf(v.F, 0) {
			return pythonFloat(v.F)
		}
		return v.F
	}
	return v.text()
}

// number is a JSON number kept as written, so that 1 and 1.0 stay apart.
type number string

func (n number) value() Value {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return intValue(i)
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return textValue(string(n))
	}
	return floatValue(f)
}
