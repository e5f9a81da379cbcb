package check

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed soda_formats.tsv
var sodaFormatText string

// sodaFormats are the named formats of "valid format".
var sodaFormats = func() map[string]string {
	m := map[string]string{}
	for line := range strings.SplitSeq(sodaFormatText, "\n") {
		if name, pattern, ok := strings.Cut(line, "\t"); ok {
			m[name] = pattern
		}
	}
	return m
}()

// missingTest says which values that are there count as missing.
func (c *sodaChecked) missingTest() (func(Value) bool, error) {
	values, err := c.valueList("missing values")
	if err != nil {
		return nil, err
	}
	set := newValueSet(values)
	pattern, err := c.patternOf("missing regex", "missing format")
	if err != nil || pattern == nil && len(values) == 0 {
		return nil, err
	}
	return func(v Value) bool { return sodaHas(set, v) || pattern != nil && pattern([]byte(v.text())) }, nil
}

// sodaHas is IN of SQL: a text that is a number equals it.
func sodaHas(s *valueSet, v Value) bool {
	return s.has(v) || v.isNumber() && s.texts[v.text()] || v.Kind == Text && len(s.ints)+len(s.floats) > 0 && s.has(number(v.S).value())
}

func (c *sodaChecked) valueList(name string) ([]Value, error) {
	raw, given := c.merged[name]
	if !given {
		return nil, nil
	}
	list, ok := raw.([]any)
	if !ok {
		return nil, fmt.Errorf("%s 应是列表 / not a list", name)
	}
	var out []Value
	for _, v := range list {
		out = append(out, valueOf(v))
	}
	return out, nil
}

func (c *sodaChecked) patternOf(regex, format string) (matcher, error) {
	var all []matcher
	if s, ok := c.merged[regex].(string); ok {
		m, err := search(s)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	if s, ok := c.merged[format].(string); ok {
		p, known := sodaFormats[s]
		if !known {
			return nil, fmt.Errorf("没有格式 %q / no such format", s)
		}
		m, err := search(p)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		return all[0], nil
	}
	return func(v []byte) bool { return all[0](v) && all[1](v) }, nil
}

type namedTest struct {
	kind string
	test
}

// validity are the tests that all must hold for a value to be valid.
func (c *sodaChecked) validity() (out []namedTest, err error) {
	for _, name := range []string{"valid values", "invalid values"} {
		values, err := c.valueList(name)
		if err != nil {
			return nil, err
		}
		if c.merged[name] != nil {
			s, not := newValueSet(values), name == "invalid values"
			t := test{any: func(v Value) (bool, error) { return sodaHas(s, v) != not, nil }}
			if len(s.ints)+len(s.floats) == 0 {
				t.bytes = s.textTest(not)
			}
			out = append(out, namedTest{"enum", t})
		}
	}
	for _, which := range []string{"valid", "invalid"} {
		m, err := c.patternOf(which+" regex", which+" format")
		if err != nil {
			return nil, err
		}
		if m != nil {
			not := which == "invalid"
			ok := func(v []byte) bool { return m(v) != not }
			out = append(out, namedTest{"pattern", test{bytes: ok, any: func(v Value) (bool, error) { return ok([]byte(sqlText(v))), nil }}})
		}
	}
	length, err := c.range_("valid length", "valid min length", "valid max length")
	if err != nil {
		return nil, err
	}
	if length != nil {
		out = append(out, namedTest{"length", lengthTest(*length, false)})
	}
	size, err := c.range_("", "valid min", "valid max")
	if err != nil {
		return nil, err
	}
	if size != nil {
		lo, hi, _ := size.ints()
		out = append(out, namedTest{"range", test{
			ints: func(v int64) bool { return v >= lo && v <= hi },
			any: func(v Value) (bool, error) {
				if v.Kind == Text { // cast as SQL does
					f, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(v.S, "%")), 64)
					if err != nil {
						return false, nil //nolint:nilerr // it is not in the range
					}
					v = floatValue(f)
				}
				return size.has(v)
			},
		}})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("没有写什么是有效（valid …）/ no validity given")
	}
	return out, nil
}

// sqlText prints a value as a cast to text does in SQL.
func sqlText(v Value) string {
	if v.Kind == Bool {
		return strings.ToLower(v.text())
	}
	return v.text()
}

func (c *sodaChecked) range_(exact, lo, hi string) (*bounds, error) {
	var b bounds
	given := false
	for _, k := range []string{exact, lo, hi} {
		raw, ok := c.merged[k]
		if !ok {
			continue
		}
		v := valueOf(raw)
		if !v.isNumber() {
			return nil, fmt.Errorf("%s 应是数字 / not a number", k)
		}
		given = true
		if k != hi {
			b.min = v
		}
		if k != lo {
			b.max = v
		}
	}
	if !given {
		return nil, nil //nolint:nilnil // not given is no error
	}
	return &b, nil
}
