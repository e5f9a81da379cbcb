package plan

import (
	"math"
	"regexp"
	"strconv"
	"time"

	"mulu"
)

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

var decimalPattern = regexp.MustCompile(`^-?\d{1,18}(\.\d{1,18})?$`)

// ops by type. Text is compared by bytes; only text has prefixes and sets.
var orderedOps = map[Op]bool{Eq: true, Ne: true, Lt: true, Le: true, Gt: true, Ge: true, IsNull: true}

// Bound is the value of a comparison in the one form that travels: text for every
// type but a set, which is []string; nil for IsNull. Numbers are plain decimal,
// dates YYYY-MM-DD, date-times "YYYY-MM-DD hh:mm:ss.mmm" of Shanghai, bools "true"
// or "false". A value that does not fit its field is ErrInvalid.
func (p *Predicate) Bound(f Field) (any, error) {
	ok := orderedOps[p.Op]
	switch f.Type {
	case mulu.String:
		ok = ok || p.Op == Prefix || p.Op == In
	case mulu.Bool:
		ok = p.Op == Eq || p.Op == Ne || p.Op == IsNull
	}
	if !ok {
		return nil, invalid("condition on %q: %q does not apply to %s", p.Field, p.Op, f.Type)
	}
	if p.Op == IsNull {
		if p.Value != nil {
			return nil, invalid("condition on %q: is_null takes no value", p.Field)
		}
		return nil, nil
	}
	if p.Op == In {
		return p.set()
	}
	if s, ok := scalar(p.Value, f.Type); ok {
		return s, nil
	}
	return nil, invalid("condition on %q: value %v is not a %s", p.Field, p.Value, f.Type)
}

func (p *Predicate) set() ([]string, error) {
	switch v := p.Value.(type) {
	case []string:
		return v, nil
	case []any: // decoded from JSON
		out := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, invalid("condition on %q: value %v in the set is not text", p.Field, e)
			}
			out[i] = s
		}
		return out, nil
	}
	return nil, invalid("condition on %q: in needs a set of text", p.Field)
}

func scalar(v any, t mulu.Type) (string, bool) {
	switch t {
	case mulu.String:
		s, ok := v.(string)
		return s, ok
	case mulu.Bool:
		b, ok := v.(bool)
		return strconv.FormatBool(b), ok
	case mulu.Int:
		return integer(v)
	case mulu.Decimal:
		if s, ok := v.(string); ok {
			return s, decimalPattern.MatchString(s)
		}
		if f, ok := v.(float64); ok && !math.IsNaN(f) && math.Abs(f) < 1e18 {
			return strconv.FormatFloat(f, 'f', -1, 64), true
		}
		return integer(v)
	case mulu.Date:
		s, ok := v.(string)
		_, err := time.Parse(time.DateOnly, s)
		return s, ok && err == nil
	case mulu.DateTime:
		s, ok := v.(string)
		if !ok {
			return "", false
		}
		for _, layout := range []string{time.RFC3339Nano, time.DateTime, time.DateOnly} {
			if at, err := time.ParseInLocation(layout, s, shanghai); err == nil {
				return at.In(shanghai).Format("2006-01-02 15:04:05.000"), true
			}
		}
	}
	return "", false
}

func integer(v any) (string, bool) {
	switch n := v.(type) {
	case int:
		return strconv.Itoa(n), true
	case int64:
		return strconv.FormatInt(n, 10), true
	case float64: // decoded from JSON
		return strconv.FormatFloat(n, 'f', 0, 64), n == math.Trunc(n) && math.Abs(n) <= 1<<53
	}
	return "", false
}
