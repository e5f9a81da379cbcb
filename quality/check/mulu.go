package check

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"mulu"
)

// declaration is what is read of a dataset declaration, or of a file of bare rules.
type declaration struct {
	Kind     string       `yaml:"kind"`
	Code     string       `yaml:"code"`
	Version  uint32       `yaml:"version"`
	Sample   bool         `yaml:"sample"`
	Columns  []itemDoc    `yaml:"columns"`
	Rules    []ruleOfFile `yaml:"rules"`
	SetRules []ruleOfFile `yaml:"set_rules"`
}

type itemDoc struct {
	Name     string `yaml:"name"`
	Title    string `yaml:"title"`
	Type     string `yaml:"type"`
	Scale    int    `yaml:"scale"`
	Required bool   `yaml:"required"`
}

// ruleOfFile is one rule as written, with its line.
type ruleOfFile struct {
	ID        string         `yaml:"id"`
	Title     string         `yaml:"title"`
	Kind      string         `yaml:"kind"`
	Columns   []string       `yaml:"columns"`
	Column    string         `yaml:"column"`
	Params    map[string]any `yaml:"params"`
	Blocking  bool           `yaml:"blocking"`
	Indicator string         `yaml:"indicator"`
	When      string         `yaml:"when"`
	Mostly    float64        `yaml:"mostly"`
	line      int
	fault     string
}

// UnmarshalYAML keeps the line, and a rule that is not one as a fault of its own.
func (r *ruleOfFile) UnmarshalYAML(n *yaml.Node) error {
	type plain ruleOfFile
	if err := n.Decode((*plain)(r)); err != nil {
		r.fault = strings.TrimPrefix(err.Error(), "yaml: ")
	}
	r.line = n.Line
	return nil
}

// parseMulu takes a dataset declaration, or bare rules, with or without columns. Of
// several declarations in the file it takes the one that is named like the data.
func parseMulu(docs []document, data string, out *Rules) error {
	var found []declaration
	for _, d := range docs {
		if formatOf(d.tree) != FormatMulu {
			continue
		}
		node := d.node
		if node == nil { // JSON
			raw, err := yaml.Marshal(plainTree(d.tree))
			if err != nil {
				return fmt.Errorf("read rules: %w", err)
			}
			var n yaml.Node
			if err := yaml.Unmarshal(raw, &n); err != nil {
				return fmt.Errorf("read rules: %w", err)
			}
			node = n.Content[0]
		}
		var doc declaration
		if err := node.Decode(&doc); err != nil {
			return fmt.Errorf("规则文件不对：%s / rules not understood: %w", strings.TrimPrefix(err.Error(), "yaml: "), mulu.ErrInvalid)
		}
		found = append(found, doc)
	}
	at := 0
	if len(found) > 1 {
		if at = slices.IndexFunc(found, func(d declaration) bool { return d.Code == data }); at < 0 {
			var codes []string
			for _, d := range found {
				codes = append(codes, d.Code)
			}
			return fmt.Errorf("文件里有 %d 个数据集（%s），用 --dataset 指明一个 / several datasets, name one: %w", len(found), strings.Join(codes, "、"), mulu.ErrInvalid)
		}
	}
	return found[at].take(out)
}

func (d *declaration) take(out *Rules) error {
	ds := &mulu.Dataset{Code: mulu.DatasetCode(d.Code), Version: max(d.Version, 1), Sample: d.Sample}
	for _, c := range d.Columns {
		t := mulu.Type(c.Type)
		if !slices.Contains([]mulu.Type{mulu.String, mulu.Int, mulu.Decimal, mulu.Date, mulu.DateTime, mulu.Bool}, t) {
			return fmt.Errorf("数据项 %q 的类型 %q 不认识，应为 string、int、decimal、date、datetime、bool 之一 / unknown type: %w", c.Name, c.Type, mulu.ErrInvalid)
		}
		ds.Columns = append(ds.Columns, mulu.Column{Name: c.Name, Title: c.Title, Type: t, Scale: c.Scale, Required: c.Required})
	}
	out.Dataset = ds
	ids := names{}
	for _, r := range d.Rules {
		if r.named(ids, out) {
			out.Rules = append(out.Rules, r.native(ds))
		}
	}
	for _, r := range d.SetRules {
		if !r.named(ids, out) {
			continue
		}
		rule, err := r.set()
		if err != nil {
			out.unmapped(r.ID, r.Kind, fmt.Sprintf("第 %d 行：%s", r.line, err))
			continue
		}
		rule.ID, rule.Origin, rule.Title = r.ID, r.Kind, r.Title
		rule.Mostly, rule.Soft, rule.Indicator, rule.declared = r.Mostly, !r.Blocking, r.Indicator, ds
		out.Rules = append(out.Rules, rule)
	}
	return nil
}

// named gives a rule its id; false for one that can not be read at all.
func (r *ruleOfFile) named(ids names, out *Rules) bool {
	if r.Column != "" {
		r.Columns = append([]string{r.Column}, r.Columns...)
	}
	r.ID = ids.of(r.ID, strings.Join(r.Columns, ",")+"."+r.Kind)
	if r.fault != "" {
		out.unmapped(r.ID, r.Kind, fmt.Sprintf("第 %d 行附近的规则写法不对：%s / rule not understood", r.line, r.fault))
	}
	return r.fault == ""
}

// params are a rule's parameters as text, a list with commas.
func (r *ruleOfFile) params() map[string]string {
	if len(r.Params) == 0 {
		return nil
	}
	out := map[string]string{}
	for k, v := range r.Params {
		if list, ok := v.([]any); ok {
			out[k] = joined(list)
		} else {
			out[k] = valueOf(v).text()
		}
		if b, ok := v.(bool); ok {
			out[k] = fmt.Sprint(b)
		}
	}
	return out
}

// native makes a row rule that quality judges.
func (r *ruleOfFile) native(ds *mulu.Dataset) Rule {
	rule := &mulu.Rule{ID: mulu.RuleID(r.ID), Title: r.Title, Kind: r.Kind, Columns: r.Columns, Params: r.params(), Blocking: r.Blocking, Indicator: r.Indicator, When: r.When, Mostly: r.Mostly}
	out := Rule{ID: r.ID, Kind: r.Kind, Origin: r.Kind, Title: r.Title, Columns: slices.Clone(r.Columns), Mostly: r.Mostly, Soft: !r.Blocking, Indicator: r.Indicator, native: rule, line: r.line}
	for _, name := range out.Columns {
		if i := ds.Column(name); i >= 0 {
			out.Forms = append(out.Forms, Form{ds.Columns[i].Type, ds.Columns[i].Scale})
		} else if len(ds.Columns) > 0 {
			out.Forms = append(out.Forms, Form{Type: mulu.String})
			out.unknown = name
		}
	}
	out.declared = ds
	return out
}

// set makes a rule over the whole file.
func (r *ruleOfFile) set() (Rule, error) {
	make, ok := setKinds[r.Kind]
	if !ok {
		return Rule{}, fmt.Errorf("规则种类 %q 要看库中的数据、历史或另一数据集，本命令不能判断；入库后用 mulu quality run / judged in the library only", r.Kind)
	}
	a := &setArgs{rule: r, params: r.params(), used: map[string]bool{}}
	rule, err := make(a)
	for p := range a.params {
		if err == nil && !a.used[p] {
			err = fmt.Errorf("规则种类 %s 的参数 %q 在文件上没有对应的含义 / parameter not understood", r.Kind, p)
		}
	}
	rule.Kind, rule.cel, rule.line = r.Kind, r.When, r.line
	return rule, err
}
