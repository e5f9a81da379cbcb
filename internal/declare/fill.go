package declare

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"
	"go.yaml.in/yaml/v3"
)

// document is one YAML document on its way to an object. lines holds the line of
// every path that was written, so that a fault found later still points at it.
type document struct {
	file  string
	kind  string
	root  *yaml.Node
	body  any // pointer to the kind's struct
	lines map[string]int
	bad   map[string]bool // paths that already have a fault: one is enough
	l     *loader
}

// fault records what is wrong at path. A path that was not written points at the
// nearest parent that was.
func (d *document) fault(path, format string, args ...any) {
	if d.bad[path] && path != "" {
		return
	}
	if d.bad == nil {
		d.bad = map[string]bool{}
	}
	d.bad[path] = true
	at := path
	for {
		if line, ok := d.lines[at]; ok {
			d.l.faults = append(d.l.faults, Fault{File: d.file, Line: line, Path: path, Message: fmt.Sprintf(format, args...)})
			return
		}
		at = at[:max(0, strings.LastIndexAny(at, ".["))]
	}
}

// fill puts the document's values into body by its yaml tags.
func (d *document) fill() { d.put(d.root, reflect.ValueOf(d.body).Elem(), "") }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// put is a strict decoder: unknown fields, repeated fields and values of another
// type are faults. Scalars are taken as written, so that an indicator code 030100
// stays six characters with or without quotes.
func (d *document) put(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if path != "" {
		d.lines[path] = n.Line
	}
	if n.Tag == "!!null" && n.Kind == yaml.ScalarNode {
		return // as if it was not written: required says so later
	}
	switch v.Kind() {
	case reflect.Struct:
		d.putStruct(n, v, path)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.put(n, v.Elem(), path)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.fault(path, "应为列表，例如 [a, b]，现在是 %s", shape(n))
			return
		}
		s := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
		for i, c := range n.Content {
			d.put(c, s.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
		v.Set(s)
	case reflect.Map:
		if n.Kind != yaml.MappingNode {
			d.fault(path, "应为“名称: 值”的映射，现在是 %s", shape(n))
			return
		}
		m := reflect.MakeMap(v.Type())
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			k.SetString(n.Content[i].Value)
			at := join(path, n.Content[i].Value)
			if m.MapIndex(k).IsValid() {
				d.fault(at, "字段重复；请只保留一个")
			}
			d.put(n.Content[i+1], e, at)
			m.SetMapIndex(k, e)
		}
		v.Set(m)
	case reflect.Interface:
		if n.Tag == "!!timestamp" { // a date stays the text it was written as
			v.Set(reflect.ValueOf(n.Value))
			return
		}
		var x any
		if err := n.Decode(&x); err != nil {
			d.fault(path, "读不出这个值：%v", err)
			return
		}
		if x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.putScalar(n, v, path)
	}
}

func (d *document) putStruct(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.fault(path, "应为“字段: 值”的映射，现在是 %s", shape(n))
		return
	}
	fields := map[string]int{}
	var names []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		fields[name] = i
		names = append(names, name)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		at := join(path, key.Value)
		if key.Value == "kind" && path == "" {
			continue
		}
		f, ok := fields[key.Value]
		if !ok {
			d.lines[at] = key.Line
			d.fault(at, "不认识的字段 %q；%s", key.Value, suggest(key.Value, names))
			continue
		}
		if seen[key.Value] {
			d.lines[at] = key.Line
			d.fault(at, "字段重复；请只保留一个")
			continue
		}
		seen[key.Value] = true
		d.put(n.Content[i+1], v.Field(f), at)
	}
}

func (d *document) putScalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.fault(path, "应为单个值，现在是 %s", shape(n))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		b, err := strconv.ParseBool(n.Value)
		if err != nil || n.Tag != "!!bool" {
			d.fault(path, "应为 true 或 false，现在是 %q", n.Value)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil {
			d.fault(path, "应为整数，现在是 %q", n.Value)
		}
		v.SetInt(i)
	case reflect.Uint32:
		i, err := strconv.ParseUint(n.Value, 10, 32)
		if err != nil {
			d.fault(path, "应为不小于 0 的整数，现在是 %q", n.Value)
		}
		v.SetUint(i)
	case reflect.Float64:
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			d.fault(path, "应为数值，现在是 %q", n.Value)
		}
		v.SetFloat(f)
	default:
		panic("declare: no way to fill a " + v.Kind().String()) // a mistake in docs.go, found by any test
	}
}

func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "映射"
	case yaml.SequenceNode:
		return "列表"
	}
	return fmt.Sprintf("单个值 %q", n.Value)
}

// suggest names the nearest known field when it is near, else all of them.
func suggest(got string, names []string) string {
	best, dist := "", 3
	for _, n := range names {
		if e := edits(got, n); e < dist {
			best, dist = n, e
		}
	}
	if best != "" {
		return fmt.Sprintf("是否应为 %q？", best)
	}
	slices.Sort(names)
	return "可用字段：" + strings.Join(names, "、")
}

// edits is the Levenshtein distance of two short names.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// validate runs the field rules of docs.go and turns each failure into a fault at
// its line.
func (d *document) validate() {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("yaml") })
	for name, ok := range words {
		if err := v.RegisterValidation(name, func(fl validator.FieldLevel) bool { return ok(fl.Field().String()) }); err != nil {
			panic("declare: register " + name + ": " + err.Error()) // only on an empty name or nil function
		}
	}
	err := v.Struct(d.body)
	if err == nil {
		return
	}
	for _, e := range err.(validator.ValidationErrors) { // Struct on a struct gives nothing else
		_, path, _ := strings.Cut(e.Namespace(), ".")
		d.fault(path, "%s", sayTag(e))
	}
}

func sayTag(e validator.FieldError) string {
	got := fmt.Sprint(e.Value())
	switch e.Tag() {
	case "required", "required_if":
		return "必填，请补充"
	case "oneof":
		return fmt.Sprintf("取值 %q 不在范围内；可用：%s", got, strings.Join(strings.Fields(e.Param()), "、"))
	case "max":
		if e.Kind() == reflect.String {
			return fmt.Sprintf("最长 %s 个字符，现有 %d 个；请缩短", e.Param(), len([]rune(got)))
		}
		if e.Kind() == reflect.Slice {
			return fmt.Sprintf("最多 %s 项；请减少", e.Param())
		}
		return fmt.Sprintf("最大 %s，现在是 %s", e.Param(), got)
	case "min":
		if e.Kind() == reflect.Slice || e.Kind() == reflect.Map {
			return fmt.Sprintf("至少 %s 项；请补充", e.Param())
		}
		return fmt.Sprintf("最小 %s，现在是 %s", e.Param(), got)
	case "len":
		return fmt.Sprintf("应为 %s 个字符，现有 %d 个", e.Param(), len([]rune(got)))
	case "unique":
		return "有重复项；请去重"
	case "datetime":
		return fmt.Sprintf("应为 YYYY-MM-DD 的日期，现在是 %q", got)
	}
	if say, ok := wordSay[e.Tag()]; ok {
		return fmt.Sprintf("%s，现在是 %q", say, got)
	}
	return fmt.Sprintf("不符合要求 %s，现在是 %q", e.Tag(), got)
}
