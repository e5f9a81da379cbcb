package check

import (
	"regexp"
	"slices"
	"strings"
)

// ofType judges a column's type as pandas has it; a column of several kinds is judged
// value by value.
func ofType(column string, names []string, list bool) Rule {
	type part struct {
		seen [JSON + 1]bool
		bad  Bits
		n    int64
	}
	python := func(v Value) bool {
		for _, n := range names {
			n = strings.ToLower(n)
			if slices.Contains(pythonNames(v), n) {
				return true
			}
			if v.Kind == Text { // CSV and JSON have no dates
				names := dtypeNames["datetime64"]
				if zoned.MatchString(v.S) {
					names = zonedNames
				}
				if _, ok := parseMoment(v.S); ok && slices.Contains(names, n) {
					return true
				}
			}
		}
		return false
	}
	return Rule{Kind: "type", Columns: []string{column}, set: &set{
		part: func(r *Rows) (any, error) {
			k, err := kindsOf(r)
			p := part{seen: k.([JSON + 1]bool), bad: NewBits(r.N), n: r.count()}
			if err == nil {
				err = r.each(func(i int) error {
					if !python(r.Cols[0].At(i)) {
						p.bad.Set(i)
					}
					return nil
				})
			}
			return p, err
		},
		done: func(s *Set, o *Outcome) error {
			var seen [JSON + 1]bool
			bad := NewBits(s.Rows)
			for i, p := range s.Parts {
				p := p.(part)
				for k, is := range p.seen {
					seen[k] = seen[k] || is
				}
				p.bad.Each(func(row int) { bad.Set(s.First[i] + row) })
			}
			kind := dtype(seen)
			whole := kind != "object_"
			for _, n := range names {
				whole = whole || slices.Contains([]string{"object", "object_", "o"}, strings.ToLower(n))
			}
			if !whole {
				o.Rows, o.Failed = bad, bad.Count()
				return nil // by mostly
			}
			o.Observed = kind
			holds := false
			for _, n := range names {
				holds = holds || slices.Contains(dtypeNames[kind], strings.ToLower(n))
			}
			if !holds {
				o.Failed = o.Evaluated
			}
			o.hold(holds)
			return nil
		},
	}}
}

// dtype is the type pandas gives a column that holds the kinds seen.
func dtype(seen [JSON + 1]bool) string {
	only := func(kinds ...Kind) bool {
		for k := Bool; k <= JSON; k++ {
			if seen[k] && !slices.Contains(kinds, k) {
				return false
			}
		}
		return true
	}
	switch {
	case seen[Bool] && !seen[Null] && only(Bool):
		return "bool_"
	case seen[Int] && !seen[Null] && only(Int):
		return "int64"
	case (seen[Int] || seen[Float]) && only(Int, Float):
		return "float64"
	case (seen[Date] || seen[Time]) && only(Date, Time):
		return "datetime64"
	}
	return "object_"
}

// dtypeNames are the names, in lower case, a column's type answers to: numpy's, and
// those of databases for suites that were written for one.
var dtypeNames = map[string][]string{
	"int64":      {"int", "int64", "long", "int_", "longlong", "integer", "bigint", "smallint", "tinyint", "integertype", "longtype", "int64dtype"},
	"float64":    {"float", "float64", "double", "float_", "floating", "double_precision", "numeric", "decimal", "real", "number", "floattype", "doubletype"},
	"bool_":      {"bool", "bool_", "bool8", "boolean", "booleantype"},
	"datetime64": {"datetime64", "datetime64[ns]", "timestamp", "datetime", "date", "m8[ns]", "timestamptype", "datetype"},
	"object_":    {"object", "object_", "o"},
}

// zonedNames are those of times with a zone.
var (
	zonedNames = []string{"timestamp", "timestamptz", "datetimetzdtype", "datetimetzdtypetype", "datetime64[ns, utc]"}
	zoned      = regexp.MustCompile(`:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$`)
)

// pythonNames are the names the type of one value answers to.
func pythonNames(v Value) []string {
	switch v.Kind {
	case Bool:
		return []string{"bool", "boolean"}
	case Int:
		return []string{"int", "long", "integer", "bigint"}
	case Float:
		return []string{"float", "double"}
	case Text:
		return []string{"str", "string_types", "string", "varchar", "text", "char", "stringtype"}
	case Date, Time:
		return dtypeNames["datetime64"]
	case JSON:
		if strings.HasPrefix(v.S, "[") {
			return []string{"list"}
		}
		return []string{"dict"}
	}
	return nil
}
