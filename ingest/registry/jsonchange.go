package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mulu/ingest/wire"
)

// What is judged of a JSON Schema, reader against writer:
//
//   - type: every type that the writer allows; integer is a number;
//   - enum and const: every value that the writer allows;
//   - required: nothing that the writer may leave out, unless it has a default;
//   - properties: each that both name; one that only the writer names must be let in by
//     the reader's additionalProperties; one that only the reader names is taken as new
//     and optional;
//   - additionalProperties and items: no narrower;
//   - minLength, maxLength, minimum, maximum, exclusiveMinimum, exclusiveMaximum,
//     minItems, maxItems, minProperties, maxProperties, multipleOf, pattern: no narrower;
//   - $ref within the schema is followed. allOf, anyOf, oneOf, not, if, dependencies,
//     patternProperties and references to other schemas must be the same on both sides:
//     a change there is refused, since it is not judged.
//
// Titles, descriptions, defaults, examples and formats do not count.

// jsonSide is one of the two schemas.
type jsonSide struct {
	root any
}

type jsonPair struct {
	reader, writer jsonSide
	faults         []string
	seen           map[string]bool // pairs of references being followed
}

func jsonReads(reader, writer wire.Schema) []string {
	p := &jsonPair{seen: map[string]bool{}}
	for _, s := range []struct {
		text string
		to   *any
	}{{reader.Text, &p.reader.root}, {writer.Text, &p.writer.root}} {
		dec := json.NewDecoder(strings.NewReader(s.text))
		dec.UseNumber()
		if err := dec.Decode(s.to); err != nil {
			return []string{err.Error()}
		}
	}
	p.judge("#", p.reader.root, p.writer.root)
	return p.faults
}

const mostFaults = 20

func (p *jsonPair) fault(at, format string, args ...any) {
	if len(p.faults) < mostFaults {
		p.faults = append(p.faults, at+": "+fmt.Sprintf(format, args...))
	}
}

// judge compares one place of the two schemas.
func (p *jsonPair) judge(at string, reader, writer any) {
	r, rref := p.reader.follow(reader)
	w, wref := p.writer.follow(writer)
	if rref != "" || wref != "" {
		pair := rref + " " + wref
		if p.seen[pair] {
			return
		}
		p.seen[pair] = true
	}
	if same(r, w) && rref == "" && wref == "" {
		return
	}
	ro, rok := r.(map[string]any)
	wo, wok := w.(map[string]any)
	switch {
	case r == true || rok && len(ro) == 0:
		return // takes anything
	case w == false:
		return // nothing was written
	case !rok || !wok && w != true:
		p.fault(at, "不再接受任何值 (nothing is accepted)")
		return
	}
	p.types(at, ro, wo)
	p.values(at, ro, wo)
	p.limits(at, ro, wo)
	p.object(at, ro, wo)
	if items, ok := ro["items"]; ok {
		p.narrowed(at+"/items", items, wo["items"])
	}
	for _, k := range []string{"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependencies", "dependentRequired", "dependentSchemas", "patternProperties",
		"propertyNames", "contains", "prefixItems", "additionalItems", "unevaluatedProperties", "$ref", "$dynamicRef"} {
		if !same(ro[k], wo[k]) {
			p.fault(at, "%s 有变化，不作判断，按不兼容处理 (not judged)", k)
		}
	}
}

// follow gives what a reference within the schema names; other references stay.
func (s jsonSide) follow(v any) (any, string) {
	last := ""
	for range 32 {
		o, ok := v.(map[string]any)
		if !ok {
			return v, last
		}
		ref, ok := o["$ref"].(string)
		if !ok || !strings.HasPrefix(ref, "#") {
			return v, last
		}
		to, ok := s.at(ref)
		if !ok {
			return v, last
		}
		v, last = to, ref
	}
	return v, last
}

func (s jsonSide) at(ref string) (v any, ok bool) {
	v = s.root
	for part := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
		if part == "" {
			continue
		}
		o, isObject := v.(map[string]any)
		if !isObject {
			return nil, false
		}
		if v, ok = o[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]; !ok {
			return nil, false
		}
	}
	return v, true
}

func same(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// typesOf are the types that a schema allows, nil for all.
func typesOf(o map[string]any) []string {
	switch t := o["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var out []string
		for _, v := range t {
			if s, ok := v.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

func (p *jsonPair) types(at string, r, w map[string]any) {
	takes, gives := typesOf(r), typesOf(w)
	if takes == nil {
		return
	}
	if gives == nil {
		p.fault(at, "原来不限类型，现在只接受 %s (type narrowed)", strings.Join(takes, "、"))
		return
	}
	for _, t := range gives {
		if !slices.Contains(takes, t) && !(t == "integer" && slices.Contains(takes, "number")) {
			p.fault(at, "不再接受 %s (type removed)", t)
		}
	}
}

// valuesOf are the values that a schema allows, nil for all.
func valuesOf(o map[string]any) []any {
	if v, ok := o["const"]; ok {
		return []any{v}
	}
	list, _ := o["enum"].([]any)
	return list
}

func (p *jsonPair) values(at string, r, w map[string]any) {
	takes, gives := valuesOf(r), valuesOf(w)
	if takes == nil {
		return
	}
	if gives == nil {
		p.fault(at, "原来不限取值，现在限定取值 (enum added)")
		return
	}
	for _, v := range gives {
		if !slices.ContainsFunc(takes, func(t any) bool { return same(t, v) }) {
			p.fault(at, "取值 %v 已去掉 (enum value removed)", v)
		}
	}
}

// limits are the words that bound a value; lower ones may fall, upper ones may rise.
func (p *jsonPair) limits(at string, r, w map[string]any) {
	for _, k := range []string{"minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties"} {
		p.limit(at, k, r[k], w[k], 1)
	}
	for _, k := range []string{"maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties"} {
		p.limit(at, k, r[k], w[k], -1)
	}
	for _, k := range []string{"pattern", "multipleOf", "uniqueItems"} {
		if v, ok := r[k]; ok && v != false && !same(v, w[k]) {
			p.fault(at, "%s 有变化或新增 (narrowed)", k)
		}
	}
}

func (p *jsonPair) limit(at, name string, r, w any, sign float64) {
	limit, ok := number(r)
	if !ok {
		return
	}
	if was, ok := number(w); !ok || sign*limit > sign*was {
		p.fault(at, "%s 收紧为 %v (narrowed)", name, r)
	}
}

func number(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

func (p *jsonPair) object(at string, r, w map[string]any) {
	takes, _ := r["properties"].(map[string]any)
	gives, _ := w["properties"].(map[string]any)
	had := names(w["required"])
	for _, name := range names(r["required"]) {
		if slices.Contains(had, name) {
			continue
		}
		if o, ok := takes[name].(map[string]any); ok {
			if _, ok := o["default"]; ok {
				continue
			}
		}
		p.fault(at, "%s 现在必填，且没有 default (required added)", name)
	}
	rest, open := r["additionalProperties"]
	for _, name := range slices.Sorted(maps.Keys(gives)) {
		if inner, ok := takes[name]; ok {
			p.judge(at+"/"+name, inner, gives[name])
		} else if open {
			p.narrowed(at+"/"+name, rest, gives[name])
		}
	}
	if open {
		p.narrowed(at+"/additionalProperties", rest, w["additionalProperties"])
	}
}

// narrowed judges a schema that one side may leave out, which means that it takes
// anything.
func (p *jsonPair) narrowed(at string, reader, writer any) {
	if writer == nil {
		writer = true
	}
	if reader == false && writer != false {
		p.fault(at, "不再接受 (closed)")
		return
	}
	p.judge(at, reader, writer)
}

func names(v any) (out []string) {
	list, _ := v.([]any)
	for _, n := range list {
		if s, ok := n.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
