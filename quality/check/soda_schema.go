package check

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"mulu"
)

// schema judges the columns of the file.
func (c *sodaChecked) schema() (Rule, error) {
	type alert struct {
		soft bool
		bad  func(Source) bool
	}
	var alerts []alert
	for _, level := range []string{"fail", "warn"} {
		m, ok := c.cfg[level].(map[string]any)
		if !ok {
			continue
		}
		for when, v := range m {
			bad, err := schemaAlert(when, v)
			if err != nil {
				return Rule{}, err
			}
			alerts = append(alerts, alert{level == "warn", bad})
		}
	}
	if len(alerts) == 0 {
		return Rule{}, fmt.Errorf("schema 没有写 warn 或 fail / no warn or fail")
	}
	return Rule{Kind: "columns", schema: func(o *Outcome, src Source) error {
		o.Observed, o.Evaluated = src.Columns(), int64(len(alerts))
		soft := true
		for _, a := range alerts {
			if a.bad(src) {
				o.Failed++
				soft = soft && a.soft
			}
		}
		if o.Failed > 0 && soft {
			r := *o.Rule
			r.Soft = true
			o.Rule = &r
		}
		o.hold(o.Failed == 0)
		return nil
	}}, nil
}

func schemaAlert(when string, v any) (func(Source) bool, error) {
	texts := func() (out []string) {
		list, _ := v.([]any)
		for _, x := range list {
			out = append(out, fmt.Sprint(x))
		}
		return out
	}
	pairs, _ := v.(map[string]any)
	at := func(src Source, name string) int { return slices.Index(src.Columns(), name) }
	switch when {
	case "when required column missing":
		names := texts()
		return func(src Source) bool {
			return slices.ContainsFunc(names, func(n string) bool { return at(src, n) < 0 })
		}, nil
	case "when forbidden column present":
		names := texts()
		return func(src Source) bool {
			return slices.ContainsFunc(src.Columns(), func(have string) bool {
				return slices.ContainsFunc(names, func(p string) bool {
					ok, err := path.Match(strings.ReplaceAll(p, "%", "*"), have)
					return ok && err == nil
				})
			})
		}, nil
	case "when wrong column index":
		return func(src Source) bool {
			for n, i := range pairs {
				if want := valueOf(i); want.Kind != Int || int64(at(src, n)) != want.I {
					return true
				}
			}
			return false
		}, nil
	case "when wrong column type":
		return func(src Source) bool {
			for n, t := range pairs {
				i := at(src, n)
				if i < 0 || !sqlTypeIs(fmt.Sprint(t), src.Types()[i].Type) {
					return true
				}
			}
			return false
		}, nil
	}
	return nil, fmt.Errorf("schema 的 %q 要与历次结果比较，或不认识 / compares with earlier runs, or is not known", when)
}

// sqlTypeIs says whether a column that looks like t may be of a type of SQL.
func sqlTypeIs(name string, t mulu.Type) bool {
	base, _, _ := strings.Cut(strings.ToLower(name), "(")
	for kind, names := range map[mulu.Type][]string{
		mulu.Int:      {"int", "integer", "bigint", "smallint", "tinyint", "int64", "hugeint"},
		mulu.Decimal:  {"decimal", "numeric", "double", "float", "real", "double precision", "number"},
		mulu.Bool:     {"bool", "boolean"},
		mulu.Date:     {"date"},
		mulu.DateTime: {"timestamp", "datetime", "timestamp without time zone", "timestamp with time zone", "timestamptz"},
		mulu.String:   {"varchar", "text", "string", "char", "character varying"},
	} {
		if slices.Contains(names, strings.TrimSpace(base)) {
			return kind == t || t == "" && kind == mulu.String
		}
	}
	return false
}
