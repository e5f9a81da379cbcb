package check

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"mulu"
)

// contract is a contract of the Open Data Contract Standard, v3, while it is read.
type contract struct {
	out  *Rules
	ids  names
	data string
	now  time.Time
}

// parseODCS takes what a contract says of one table: its properties' types, options and
// quality, and its own quality.
func parseODCS(doc any, data string, now time.Time, out *Rules) error {
	m, _ := doc.(map[string]any)
	tables, _ := m["schema"].([]any)
	if len(tables) == 0 {
		return fmt.Errorf("合同里没有 schema / no schema in the contract: %w", mulu.ErrInvalid)
	}
	c := &contract{out: out, ids: names{}, data: data, now: now}
	chosen := -1
	var have []string
	for i, t := range tables {
		t, _ := t.(map[string]any)
		for _, n := range []string{"name", "physicalName"} {
			if s, ok := t[n].(string); ok && strings.EqualFold(s, data) {
				chosen = i
			}
		}
		have = append(have, fmt.Sprint(t["name"]))
	}
	if chosen < 0 && len(tables) > 1 {
		return fmt.Errorf("合同里有 %d 张表（%s），没有与数据文件同名的；用 --dataset 指明一张 / several tables, name one: %w", len(tables), strings.Join(have, "、"), mulu.ErrInvalid)
	}
	table, _ := tables[max(chosen, 0)].(map[string]any)
	var key []string
	properties, _ := table["properties"].([]any)
	for _, p := range properties {
		p, _ := p.(map[string]any)
		name, _ := firstOf(p, "physicalName", "name").(string)
		if s, ok := p["name"].(string); ok {
			name = s
		}
		if name == "" {
			continue
		}
		c.property(name, p)
		if p["primaryKey"] == true {
			key = append(key, name)
		}
	}
	if len(key) > 0 {
		c.add(strings.Join(key, ",")+".primaryKey", "primaryKey", unique(key, KeepAll), nil)
	}
	c.quality("", table["quality"], properties)
	return nil
}

func (c *contract) add(id, origin string, r Rule, err error) {
	id = c.ids.of("", id)
	if err != nil {
		c.out.unmapped(id, origin, err.Error())
		return
	}
	r.ID, r.Origin = id, origin
	c.out.Rules = append(c.out.Rules, r)
}

// property takes what is said of one column outside its quality list.
func (c *contract) property(name string, p map[string]any) {
	if t, ok := p["logicalType"].(string); ok {
		options, _ := p["logicalTypeOptions"].(map[string]any)
		r, err := logicalType(name, t, options)
		c.add(name+".logicalType", "logicalType "+t, r, err)
		c.options(name, t, options)
	}
	if p["required"] == true || p["primaryKey"] == true {
		c.add(name+".required", "required", notNull(name), nil)
	}
	if p["unique"] == true {
		c.add(name+".unique", "unique", unique([]string{name}, SkipAny), nil)
	}
	c.quality(name, p["quality"], nil)
}

// logicalType wants values that are, or read as, of the type.
func logicalType(name, t string, options map[string]any) (Rule, error) {
	numeric := func(v Value) (Value, bool) {
		if v.Kind == Text {
			v = number(strings.TrimSpace(v.S)).value()
		}
		return v, v.Kind == Int || v.Kind == Float
	}
	format, _ := options["format"].(string)
	var ok func(Value) bool
	switch t {
	case "string":
		return rowTest("type", name, test{bytes: func([]byte) bool { return true }, any: func(v Value) (bool, error) { return v.Kind != JSON, nil }}), nil
	case "integer":
		ok = func(v Value) bool { v, is := numeric(v); return is && (v.Kind == Int || v.F == math.Trunc(v.F)) }
	case "number":
		ok = func(v Value) bool { _, is := numeric(v); return is }
	case "boolean":
		ok = func(v Value) bool {
			return v.Kind == Bool || v.Kind == Text && slices.Contains([]string{"true", "false", "0", "1"}, strings.ToLower(v.S)) || v.Kind == Int && (v.I == 0 || v.I == 1)
		}
	case "date", "timestamp", "time":
		if form := javaForm(format); form != nil {
			ok = func(v Value) bool { return v.isMoment() || v.Kind == Text && form(v.S) }
			break
		}
		ok = func(v Value) bool {
			_, is := v.moment()
			return is || t == "time" && v.Kind == Text && dateutil(v.S)
		}
	case "object", "array":
		start := map[string]string{"object": "{", "array": "["}[t]
		ok = func(v Value) bool {
			return (v.Kind == JSON || v.Kind == Text) && strings.HasPrefix(strings.TrimSpace(v.S), start) && parsesJSON(v.S)
		}
	default:
		return Rule{}, fmt.Errorf("logicalType %q 不认识 / unknown logicalType", t)
	}
	return rowTest("type", name, test{any: func(v Value) (bool, error) { return ok(v), nil }}), nil
}

// javaForm is a test of a date format as Java writes it (yyyy-MM-dd), nil for another.
func javaForm(format string) func(string) bool {
	if !strings.Contains(format, "yy") {
		return nil
	}
	to := strings.NewReplacer("yyyy", "%Y", "yy", "%y", "MM", "%m", "dd", "%d", "HH", "%H", "mm", "%M", "ss", "%S", "'T'", "T", "'Z'", "Z", "XXX", "%z").Replace(format)
	ok, err := strptime(to)
	if err != nil {
		return nil
	}
	return ok
}

// options takes logicalTypeOptions.
func (c *contract) options(name, t string, o map[string]any) {
	id := name + ".logicalTypeOptions"
	var length, size bounds
	for k, raw := range o {
		v := valueOf(raw)
		switch k {
		case "minLength":
			length.min = v
		case "maxLength":
			length.max = v
		case "minimum":
			size.min = v
		case "maximum":
			size.max = v
		case "exclusiveMinimum":
			if v.Kind == Bool { // 3.0 had both forms
				size.strictMin = v.I == 1
			} else {
				size.min, size.strictMin = v, true
			}
		case "exclusiveMaximum":
			if v.Kind == Bool {
				size.strictMax = v.I == 1
			} else {
				size.max, size.strictMax = v, true
			}
		case "pattern":
			m, err := search(v.text())
			c.add(id+".pattern", k, matching(name, []matcher{m}, false, false), err)
		case "multipleOf":
			step := v.number()
			c.add(id+".multipleOf", k, rowTest("multiple", name, test{any: func(v Value) (bool, error) {
				return v.isNumber() && math.Abs(math.Remainder(v.number(), step)) < 1e-9, nil
			}}), nil)
		case "format":
			c.format(id, name, t, v.text())
		case "timezone", "defaultTimezone", "required", "properties":
		default:
			c.add(id+"."+k, k, Rule{}, fmt.Errorf("选项 %s 没有对应的规则 / option not understood", k))
		}
	}
	if length.min.Kind != Null || length.max.Kind != Null {
		c.add(id+".length", "minLength, maxLength", lengths(name, length, false), nil)
	}
	if size.min.Kind != Null || size.max.Kind != Null {
		c.add(id+".range", "minimum, maximum", between(name, size, false), nil)
	}
}

// format takes the named formats of texts; those of dates and numbers are part of the type.
func (c *contract) format(id, name, t, format string) {
	if t != "string" {
		return
	}
	pattern := map[string]string{"email": sodaFormats["email"], "uuid": sodaFormats["uuid"], "ipv4": sodaFormats["ipv4 address"], "ipv6": sodaFormats["ipv6 address"], "uri": `^[a-zA-Z][a-zA-Z0-9+.-]*:\S+$`, "hostname": `^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`}[format]
	if pattern == "" {
		c.add(id+".format", "format "+format, Rule{}, fmt.Errorf("格式 %q 没有对应的规则 / format not understood", format))
		return
	}
	m, err := search(pattern)
	c.add(id+".format", "format "+format, matching(name, []matcher{m}, false, false), err)
}

// quality takes a quality list, of a column or ("") of the table.
func (c *contract) quality(column string, raw any, _ []any) {
	list, _ := raw.([]any)
	for i, q := range list {
		q, ok := q.(map[string]any)
		if !ok {
			continue
		}
		id, _ := firstOf(q, "id", "name").(string)
		if id == "" {
			id = strings.TrimPrefix(fmt.Sprintf("%s.quality[%d]", column, i), ".")
		}
		kind, _ := q["type"].(string)
		if kind == "" {
			kind = "library"
		}
		var r Rule
		var err error
		switch kind {
		case "library":
			r, err = c.library(column, q)
		case "sql":
			r, err = c.sql(column, q)
		case "custom":
			c.custom(id, column, q)
			continue
		case "text":
			err = fmt.Errorf("是文字说明，没有可执行的内容 / a text, nothing to run")
		default:
			err = fmt.Errorf("类型 %q 不认识 / unknown type", kind)
		}
		if s, _ := q["severity"].(string); s == "warning" || s == "info" || s == "minor" {
			r.Soft = true
		}
		c.add(id, kind, r, err)
	}
}

// odcsLimits are how a figure may be bounded.
var odcsLimits = map[string]func(v, x float64) bool{
	"mustBe": func(v, x float64) bool { return v == x }, "mustNotBe": func(v, x float64) bool { return v != x },
	"mustBeGreaterThan": func(v, x float64) bool { return v > x }, "mustBeLessThan": func(v, x float64) bool { return v < x },
	"mustBeGreaterOrEqualTo": func(v, x float64) bool { return v >= x }, "mustBeLessOrEqualTo": func(v, x float64) bool { return v <= x },
	"mustBeGreaterThanOrEqualTo": func(v, x float64) bool { return v >= x }, "mustBeLessThanOrEqualTo": func(v, x float64) bool { return v <= x },
}

// limits judges an observed figure by the must… of an entry.
func limits(q map[string]any, r *Rule) error {
	type limit struct {
		ok func(v, x float64) bool
		x  float64
	}
	var all []limit
	for name, ok := range odcsLimits {
		if raw, given := q[name]; given {
			x, isNumber := floatOf(raw)
			if !isNumber {
				return fmt.Errorf("%s 应是数字 / not a number", name)
			}
			all = append(all, limit{ok, x})
			r.Expected += fmt.Sprintf(" %s %v", name, raw)
		}
	}
	for name, in := range map[string]bool{"mustBeBetween": true, "mustNotBeBetween": false} {
		if raw, given := q[name]; given {
			b, ok := numbersOf(raw)
			if !ok || len(b) != 2 {
				return fmt.Errorf("%s 应是两个数字 / not two numbers", name)
			}
			all = append(all, limit{func(v, _ float64) bool { return (v >= b[0] && v <= b[1]) == in }, 0})
			r.Expected += fmt.Sprintf(" %s %v", name, raw)
		}
	}
	r.Expected = strings.TrimSpace(r.Expected)
	if len(all) == 0 {
		return fmt.Errorf("没有写 mustBe… / no bound given")
	}
	measure := r.judge
	r.judge = func(o *Outcome) {
		if measure != nil {
			measure(o)
		}
		v := valueOf(o.Observed)
		holds := v.isNumber()
		for _, l := range all {
			holds = holds && l.ok(v.number(), l.x)
		}
		o.hold(holds)
	}
	return nil
}

// library takes the metrics of the standard's own library.
func (c *contract) library(column string, q map[string]any) (Rule, error) {
	metric, _ := firstOf(q, "metric", "rule").(string)
	args, _ := q["arguments"].(map[string]any)
	if args == nil {
		args = map[string]any{}
	}
	measure := countFailed
	if u, _ := q["unit"].(string); u == "percent" || u == "%" {
		measure = func(o *Outcome) { o.Observed = percentOf(o.Failed, o.Total) }
	}
	var r Rule
	switch metric {
	case "rowCount":
		r = rowCount()
		return r, limits(q, &r)
	case "duplicateValues", "duplicateCount", "duplicates", "unique":
		columns := []string{column}
		if list, ok := args["properties"].([]any); ok {
			columns = nil
			for _, p := range list {
				columns = append(columns, fmt.Sprint(p))
			}
		}
		if columns[0] == "" {
			return r, fmt.Errorf("表一级的 %s 要写 arguments.properties / needs properties", metric)
		}
		r = unique(columns, SkipAny)
		r.set = &set{part: keysOf, done: func(s *Set, o *Outcome) error {
			rows, judged, distinct, _ := repeats(s, true)
			o.Rows, o.Evaluated, o.Failed = rows, judged, judged-distinct // rows that repeat one before
			return nil
		}}
	case "nullValues", "nullCheck", "nullCount":
		r = notNull(column)
	case "missingValues":
		values, ok := args["missingValues"].([]any)
		if !ok {
			return r, fmt.Errorf("missingValues 要写 arguments.missingValues / needs a list")
		}
		var absent []Value
		for _, v := range values {
			absent = append(absent, valueOf(v))
		}
		s := newValueSet(absent)
		r = notNull(column)
		r.row = func(rows *Rows, fail Bits) error {
			return rows.each(func(i int) error {
				if v := rows.Cols[0].At(i); v.Kind == Null || sodaHas(s, v) {
					fail.Set(i)
				}
				return nil
			})
		}
	case "invalidValues", "validValues":
		var err error
		if r, err = odcsValid(column, q, args); err != nil {
			return r, err
		}
	default:
		return r, fmt.Errorf("指标 %q 不认识 / unknown metric", metric)
	}
	if column == "" && len(r.Columns) > 0 && r.Columns[0] == "" {
		return r, fmt.Errorf("%s 要写在数据项下面 / belongs to a property", metric)
	}
	r.judge = measure
	return r, limits(q, &r)
}

func odcsValid(column string, q, args map[string]any) (Rule, error) {
	list, ok := firstOf(args, "validValues").([]any)
	if !ok {
		list, ok = q["validValues"].([]any)
	}
	var tests []test
	if ok {
		var values []Value
		for _, v := range list {
			values = append(values, valueOf(v))
		}
		s := newValueSet(values)
		tests = append(tests, test{bytes: func(v []byte) bool { return sodaHas(s, textValue(string(v))) }, any: func(v Value) (bool, error) { return sodaHas(s, v), nil }})
	}
	if p, ok := firstOf(args, "pattern").(string); ok {
		m, err := search(p)
		if err != nil {
			return Rule{}, err
		}
		tests = append(tests, test{bytes: m, any: func(v Value) (bool, error) { return m([]byte(sqlText(v))), nil }})
	}
	if len(tests) == 0 {
		return Rule{}, fmt.Errorf("没有写 validValues 或 pattern / no validity given")
	}
	return Rule{Kind: "validity", Columns: []string{column}, row: func(r *Rows, fail Bits) error {
		for _, t := range tests {
			if err := r.apply(r.Cols[0], t, fail); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

var odcsCount = regexp.MustCompile(`(?is)^\s*select\s+count\s*\(\s*\*\s*\)\s+from\s+(\S+)(?:\s+where\s+(.+?))?\s*;?\s*$`)

// sql takes the one form of SQL that is a condition on rows: how many meet it.
func (c *contract) sql(column string, q map[string]any) (Rule, error) {
	text, _ := q["query"].(string)
	m := odcsCount.FindStringSubmatch(text)
	if m == nil {
		return Rule{}, fmt.Errorf("只有 SELECT COUNT(*) FROM 表 WHERE 条件 能在文件上判断；其他 SQL 只在库中由管理员运行 / only a count with a condition can be judged here")
	}
	where := strings.NewReplacer("${property}", column, "{property}", column, "${column}", column, "{column}", column).Replace(m[2])
	if where == "" {
		r := rowCount()
		return r, limits(q, &r)
	}
	cond, err := ParseCond(where, SQL)
	if err != nil {
		return Rule{}, err
	}
	r := expression(cond, true)
	r.judge = countFailed
	return r, limits(q, &r)
}

// custom takes entries in the language of a tool whose files are read here as well.
func (c *contract) custom(id, column string, q map[string]any) {
	engine := strings.ToLower(strings.ReplaceAll(fmt.Sprint(q["engine"]), "_", ""))
	impl := q["implementation"]
	if s, ok := impl.(string); ok {
		var tree any
		if yaml.Unmarshal([]byte(s), &tree) == nil {
			impl = tree
		}
	}
	sub := &Rules{}
	var err error
	switch engine {
	case "greatexpectations", "gx":
		if m, ok := impl.(map[string]any); ok {
			if kw, ok := m["kwargs"].(map[string]any); ok && column != "" && kw["column"] == nil {
				kw["column"] = column
			}
		}
		err = parseGX(impl, c.now, sub)
	case "soda":
		list, ok := impl.([]any)
		if m, isMap := impl.(map[string]any); isMap {
			list, ok = m["checks"].([]any)
		}
		if !ok {
			err = fmt.Errorf("Soda 的 implementation 应是检查的列表 / not a list of checks") //nolint:staticcheck // a name
			break
		}
		var node yaml.Node
		if err = node.Encode(map[string]any{"checks for " + c.data: list}); err == nil {
			err = parseSoda(&node, c.data, sub)
		}
	default:
		err = fmt.Errorf("引擎 %v 的规则不能转换 / engine not understood", q["engine"])
	}
	if err != nil {
		c.add(id, "custom "+engine, Rule{}, err)
		return
	}
	for _, r := range sub.Rules {
		c.add(id, "custom "+engine, r, nil)
	}
	for _, u := range sub.Unmapped {
		c.add(id, "custom "+engine, Rule{}, fmt.Errorf("%s", u.Reason))
	}
}
