package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"mulu"
)

func sodaSection(key string) bool {
	for _, p := range []string{"checks for ", "configurations for ", "filter ", "for each dataset ", "profile columns", "discover datasets", "sample datasets", "automated monitoring"} {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

var (
	sodaTarget = regexp.MustCompile(`^(checks for|configurations for|filter) (?:dataset )?("[^"]+"|[^\s\[]+)\s*(?:\[(.+)\])?\s*$`)
	sodaCheck  = regexp.MustCompile(`^([a-z_]+)\s*(?:\(\s*([^)]*?)\s*\))?\s*(.*)$`)
)

// sodaFile is what the sections say beside the checks.
type sodaFile struct {
	configs map[string]any    // settings of columns, for all checks
	filters map[string]string // by name, of the partition
	ids     names
	out     *Rules
}

// parseSoda takes SodaCL. A file may hold checks of several datasets: those of the one
// that is named like the data are run, or, if it is the only one, those there are.
func parseSoda(root *yaml.Node, data string, out *Rules) error {
	if root == nil || root.Kind != yaml.MappingNode {
		return fmt.Errorf("Soda 检查应是 YAML / Soda checks must be YAML: %w", mulu.ErrInvalid) //nolint:staticcheck // a name
	}
	f := &sodaFile{configs: map[string]any{}, filters: map[string]string{}, ids: names{}, out: out}
	targets := map[string]bool{}
	for i := 0; i < len(root.Content); i += 2 {
		if m := sodaTarget.FindStringSubmatch(root.Content[i].Value); m != nil && m[1] == "checks for" {
			targets[strings.Trim(m[2], `"`)] = true
		}
	}
	mine := func(name string) bool { return len(targets) < 2 || strings.EqualFold(name, data) }
	any := slices.ContainsFunc(keysIn(targets), mine)
	for pass := range 2 {
		for i := 0; i < len(root.Content); i += 2 {
			key, body := root.Content[i].Value, root.Content[i+1]
			m := sodaTarget.FindStringSubmatch(key)
			switch {
			case m == nil:
				if pass == 1 {
					f.section(key, body, "这一节不是对一个数据集的检查 / not checks of one dataset")
				}
			case m[1] == "checks for" && pass == 1:
				if any && !mine(strings.Trim(m[2], `"`)) {
					f.section(key, body, fmt.Sprintf("是另一个数据集 %s 的检查，文件名是 %s / checks of another dataset", m[2], data))
					continue
				}
				f.checks(body, m[3])
			case m[1] == "configurations for" && pass == 0:
				if m := body; m.Kind == yaml.MappingNode {
					_ = m.Decode(&f.configs) // what is not a map says nothing
				}
			case m[1] == "filter" && pass == 0:
				var w struct{ Where string }
				_ = body.Decode(&w) // same
				f.filters[m[3]] = w.Where
			}
		}
	}
	if !any && len(targets) > 1 {
		return fmt.Errorf("文件里有 %d 个数据集的检查（%s），没有与数据文件同名的；用 --dataset 指明一个 / several datasets, name one: %w", len(targets), strings.Join(keysIn(targets), "、"), mulu.ErrInvalid)
	}
	return nil
}

func keysIn(m map[string]bool) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// section lists every check of a section that is not run.
func (f *sodaFile) section(key string, body *yaml.Node, why string) {
	if body.Kind != yaml.SequenceNode {
		f.out.unmapped(f.ids.of("", key), "section", why)
		return
	}
	for _, n := range body.Content {
		f.out.unmapped(f.ids.of("", sodaName(n)), "section", why)
	}
}

// sodaName is the text of a check.
func sodaName(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		return n.Content[0].Value
	}
	return n.Value
}

func (f *sodaFile) checks(body *yaml.Node, partition string) {
	if body.Kind != yaml.SequenceNode {
		f.out.unmapped("checks", "section", fmt.Sprintf("第 %d 行：checks for 下面应是列表 / not a list", body.Line))
		return
	}
	for _, n := range body.Content {
		text, cfg := sodaName(n), map[string]any{}
		if n.Kind == yaml.MappingNode && len(n.Content) > 1 {
			_ = n.Content[1].Decode(&cfg) // a check without settings has none
		}
		name, _ := cfg["name"].(string)
		id := f.ids.of(name, text)
		c := &sodaChecked{file: f, text: text, cfg: cfg}
		rule, err := c.rule()
		if err == nil {
			err = c.where(&rule, partition)
		}
		if err != nil {
			f.out.unmapped(id, c.metric, fmt.Sprintf("第 %d 行：%s", n.Line, err))
			continue
		}
		rule.ID, rule.Origin = id, text
		f.out.Rules = append(f.out.Rules, rule)
	}
}

// sodaChecked is one check while it is read.
type sodaChecked struct {
	file   *sodaFile
	text   string
	cfg    map[string]any
	metric string
	args   []string
	rest   string
	merged map[string]any
}

// sodaCfg are the settings a check may have that change nothing here.
var sodaPassive = []string{"name", "warn", "fail", "filter", "attributes", "samples limit", "samples columns", "identity", "title"}

func (c *sodaChecked) rule() (Rule, error) {
	low := strings.ToLower(c.text)
	for prefix, why := range map[string]string{
		"change ": "要与历次结果比较 / compares with earlier runs", "anomaly": "要与历次结果比较 / compares with earlier runs", "distribution": "要参照分布文件 / needs a reference distribution",
		"values in": "参照另一张表，这里只有一个文件 / reads another table", "group by": "分组检查 / groups", "group evolution": "要与历次结果比较 / compares with earlier runs", "for each": "多个数据集 / several datasets",
		"same ": "与另一张表比较 / reads another table", "reconciliation": "与另一张表比较 / reads another table", "freshness using": "",
	} {
		if why != "" && strings.HasPrefix(low, prefix) || strings.Contains(low, " same as ") {
			c.metric = strings.Fields(low)[0]
			return Rule{}, fmt.Errorf("%s", why)
		}
	}
	switch {
	case strings.HasPrefix(low, "failed rows"):
		c.metric = "failed rows"
		return c.failedRows()
	case low == "schema":
		c.metric = "schema"
		return c.schema()
	}
	m := sodaCheck.FindStringSubmatch(c.text)
	if m == nil {
		return Rule{}, fmt.Errorf("检查的写法不认识 / check not understood")
	}
	c.metric, c.rest = m[1], strings.TrimSpace(m[3])
	for a := range strings.SplitSeq(m[2], ",") {
		if a = strings.Trim(strings.TrimSpace(a), "\"`"); a != "" {
			c.args = append(c.args, a)
		}
	}
	make, ok := sodaMetrics[c.metric]
	if !ok {
		return Rule{}, fmt.Errorf("没有对应的规则种类（自定义指标要运行 SQL）/ no such metric here")
	}
	c.merged = c.settings()
	rule, err := make(c)
	if err != nil {
		return rule, err
	}
	return rule, c.verdict(&rule)
}

// settings are the check's own, after those of its column.
func (c *sodaChecked) settings() map[string]any {
	out := map[string]any{}
	for k, v := range c.file.configs {
		if what, column, ok := strings.Cut(k, " for "); ok && len(c.args) > 0 && strings.TrimSpace(column) == c.args[0] {
			out[what] = v
		}
	}
	for k, v := range c.cfg {
		out[k] = v
	}
	return out
}

// where adds the check's filter and the partition's.
func (c *sodaChecked) where(rule *Rule, partition string) error {
	var parts []string
	if p := c.file.filters[partition]; partition != "" {
		if p == "" {
			return fmt.Errorf("没有名为 [%s] 的 filter / no such filter", partition)
		}
		parts = append(parts, "("+p+")")
	}
	if f, ok := c.cfg["filter"].(string); ok {
		parts = append(parts, "("+f+")")
	}
	if len(parts) == 0 {
		return nil
	}
	text := strings.Join(parts, " and ")
	if strings.Contains(text, "${") {
		return fmt.Errorf("filter 里有变量 ${…}，请写成常数 / a variable in the filter")
	}
	var err error
	rule.When, err = ParseCond(text, SQL)
	return err
}

func (c *sodaChecked) column() (string, error) {
	if len(c.args) == 0 {
		return "", fmt.Errorf("%s 要写列名，如 %s(列) / needs a column", c.metric, c.metric)
	}
	return c.args[0], nil
}

// known refuses settings that are not understood.
func (c *sodaChecked) known(names ...string) error {
	for k := range c.cfg {
		if !slices.Contains(names, k) && !slices.Contains(sodaPassive, k) {
			return fmt.Errorf("设置 %q 没有对应的含义 / setting not understood", k)
		}
	}
	return nil
}

// failedRows is a condition that no row may meet.
func (c *sodaChecked) failedRows() (Rule, error) {
	if c.cfg["fail query"] != nil {
		return Rule{}, fmt.Errorf("fail query 是自由 SQL，只在库中由管理员运行 / free SQL runs in the library only")
	}
	text, ok := c.cfg["fail condition"].(string)
	if !ok {
		return Rule{}, fmt.Errorf("缺少 fail condition / fail condition missing")
	}
	cond, err := ParseCond(text, SQL)
	if err != nil {
		return Rule{}, err
	}
	rule := expression(cond, true)
	rule.judge, rule.Expected = countFailed, "not ("+text+")"
	c.rest = "= 0"
	if c.cfg["warn"] != nil || c.cfg["fail"] != nil {
		c.rest = ""
	}
	if err := c.known("fail condition"); err != nil {
		return rule, err
	}
	return rule, c.verdict(&rule)
}
