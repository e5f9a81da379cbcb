// Package declare reads what departments supply as files: organisations, systems,
// duties, datasets, scenarios and weight schemes in YAML, one object per document
// (design.md §6). Load reports every fault at once, each with its file and line,
// what is wrong and how to mend it, so that a department mends a file in one round.
package declare

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"mulu"
	"mulu/plan"
)

// Meta says where an object was declared and what it said.
type Meta struct {
	File   string
	Line   int
	Digest string // "sha256:…" over the RFC 8785 form of the object: layout and comments do not change it
	Source string // the document as YAML
}

// Org is a declared organisation.
type Org struct {
	Meta
	mulu.Org
	Sample bool
}

// System is an information system (信息系统) of an organisation.
type System struct {
	Meta
	ID            string
	Name          string
	Owner         mulu.OrgCode
	SecurityLevel int    // 等级保护 level, 1 to 5; 0 not graded
	Note          string // what it is for
	Sample        bool
}

// Duty is a duty of an organisation (职责), the root of 职责-目录-数据.
type Duty struct {
	Meta
	ID     string
	Name   string
	Owner  mulu.OrgCode
	Basis  string // the document that gives it
	Text   string
	Sample bool
}

// Entry is what a dataset's catalogue entry says beside the dataset itself
// (domain.md §1.2, the fields a person must state).
type Entry struct {
	Summary        string
	Duty           string   // duty id
	CatalogLevel   string   // 市级, 区级补充
	Class          string   // 基础, 主题, 部门
	SourceMode     string   // 履职收集, 履职产生 …
	Authoritative  bool     // 权威源
	Format         string   // 数据库, 接口 …
	ShareType      string   // 无条件共享, 有条件共享, 不予共享
	ShareCondition string   // required when 有条件共享
	NoShareBasis   string   // required when 不予共享: law and article
	ShareModes     []string // 接口查询 …
	OpenType       string   // 无条件开放, 有条件开放, 非开放
	OpenCondition  string
	Cycle          string // 每日 …
	Category       []string
	Region         []mulu.Division // 区域范围
	SecrecyReview  string          // 保密审查编号, 809号令 art 13
	ImpactReview   string          // 个人信息保护影响评估编号, art 13
	ApprovedBy     string          // the department head's approval, art 13
}

// Dataset is a declared dataset version and its catalogue entry.
type Dataset struct {
	Meta
	*mulu.Dataset
	Entry Entry
	Ways  []mulu.Way // beside its topic
}

// Scenario is an application scenario (应用场景): a view, the items a grant may
// pick from it, how each is shown to whom, and the condition no grant can widen.
type Scenario struct {
	Meta
	Code      mulu.ScenarioCode
	Title     string
	Version   uint32
	Type      string // 政务服务, 监管执法, 城市运行, 公共服务, 辅助决策
	Owner     mulu.OrgCode
	Duty      string
	Purpose   string
	View      plan.View
	Items     []ScenarioItem
	Fixed     plan.Predicate
	Scope     string // the base's division column; a grant must cut it by prefix
	Modes     []string
	Legal     []Legal
	Impact    string // 个人信息保护影响评估编号 (PIPL art 55)
	RowsDay   int64  // default quota
	Retain    int    // days the receiver may keep it
	Term      int    // days a grant lasts by default
	Datasets  []mulu.DatasetCode
	Level     mulu.Level // highest level of any item
	Sample    bool
	Requester []string // organisation kinds that may ask: street, department …
}

// ScenarioItem is one item a grant may pick. Mask is what a role not named in
// Masks sees.
type ScenarioItem struct {
	Name  string
	Title string
	Level mulu.Level
	Mask  plan.Mask
	Masks map[mulu.Role]plan.Mask
}

// Legal is one legal basis (法律依据).
type Legal struct {
	Law     string
	Article string
	Note    string
}

// Weights is a weight scheme over the six dimensions of DB31/T 1523-2024. Weights
// are per sibling set: those of one parent sum to 1.
type Weights struct {
	Meta
	Version    string
	Title      string
	From       string // YYYY-MM-DD, first day in force
	Dimensions map[string]float64
	Indicators map[string]float64 // second and third level; absent siblings share alike
	Basis      string
	Scheme     // what else the scheme settles
}

// Set is everything one directory declares, in the order of files and documents.
type Set struct {
	Orgs      []*Org
	Systems   []*System
	Duties    []*Duty
	Datasets  []*Dataset
	Scenarios []*Scenario
	Weights   []*Weights
}

// Dataset returns the declared dataset with the given code in its newest declared version, or nil.
func (s *Set) Dataset(code mulu.DatasetCode) *Dataset {
	var found *Dataset
	for _, d := range s.Datasets {
		if d.Code == code && (found == nil || d.Version > found.Version) {
			found = d
		}
	}
	return found
}

// Fault is one thing wrong in one place. Message is Chinese and says the mend.
type Fault struct {
	File    string
	Line    int
	Path    string // inside the document, e.g. "columns[3].level"
	Message string
}

func (f Fault) String() string {
	at := fmt.Sprintf("%s:%d", f.File, f.Line)
	if f.Path != "" {
		at += " " + f.Path
	}
	return at + "：" + f.Message
}

// Faults is every fault of a directory, in order of file and line. It wraps mulu.ErrInvalid.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return fmt.Sprintf("声明有 %d 处错误：\n%s", len(f), strings.Join(lines, "\n"))
}

// Unwrap lets errors.Is find mulu.ErrInvalid.
func (f Faults) Unwrap() error { return mulu.ErrInvalid }

// Known is what the rest of the house offers to declarations. A nil field is not
// checked, so that a leaf need not know the rooms that own these names.
type Known struct {
	CodeTables []string                          // names a column's codes and a code rule may use
	RuleKinds  []string                          // row rule kinds
	SetKinds   []string                          // set rule kinds
	CheckRules func(d *mulu.Dataset) []RuleFault // deeper check of rules against columns, by quality
	Base       *Set                              // objects applied before, which references may name
}

// RuleFault is a fault CheckRules found in one rule.
type RuleFault struct {
	Rule    mulu.RuleID
	Field   string // of the rule, e.g. "params.max"; "" is the whole rule
	Message string // Chinese, with the mend
}

// Kinds lists the kinds Load knows.
var kinds = []string{"Organisation", "System", "Duty", "Dataset", "Scenario", "Weights"}

// Load reads every .yaml and .yml file under fsys, in name order. With any fault
// it returns Faults and no Set.
func Load(fsys fs.FS, known Known) (*Set, error) {
	var names []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := path.Ext(p); !d.IsDir() && (ext == ".yaml" || ext == ".yml") {
			names = append(names, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list declarations: %w", err)
	}
	l := &loader{known: known, set: &Set{}}
	for _, name := range names {
		if err := l.file(fsys, name); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		l.faults = append(l.faults, Fault{File: ".", Message: "目录中没有 .yaml 声明文件；请确认 -f 指向的目录"})
	}
	l.resolve()
	if len(l.faults) > 0 {
		slices.SortStableFunc(l.faults, func(a, b Fault) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
		})
		return nil, Faults(l.faults)
	}
	return l.set, nil
}

// loader gathers documents first and checks references after, since files may
// name each other in any order.
type loader struct {
	known  Known
	set    *Set
	faults []Fault
	docs   []*document
}

func (l *loader) file(fsys fs.FS, name string) error {
	f, err := fsys.Open(name)
	if err != nil {
		return fmt.Errorf("open declaration %s: %w", name, err)
	}
	defer f.Close() //nolint:errcheck // read only
	dec := yaml.NewDecoder(f)
	for {
		var node yaml.Node
		err := dec.Decode(&node)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			var pathErr *fs.PathError
			if errors.As(err, &pathErr) {
				return fmt.Errorf("read declaration %s: %w", name, err)
			}
			l.faults = append(l.faults, Fault{File: name, Line: lineOf(err), Message: "不是合法的 YAML（" + err.Error() + "）；请检查缩进、冒号后的空格和引号"})
			return nil // the decoder can not go on after a syntax error
		}
		if len(node.Content) == 0 || node.Content[0].Tag == "!!null" {
			continue // an empty document between two separators
		}
		l.document(name, node.Content[0])
	}
}

// lineOf reads the line number out of the YAML library's message, 1 if it has none.
func lineOf(err error) int {
	var n int
	if i := strings.Index(err.Error(), "line "); i >= 0 {
		fmt.Sscanf(err.Error()[i:], "line %d", &n) //nolint:errcheck // 0 says no number
	}
	return max(n, 1)
}

func (l *loader) document(file string, root *yaml.Node) {
	d := &document{file: file, root: root, lines: map[string]int{"": root.Line}, l: l}
	if root.Kind != yaml.MappingNode {
		d.fault("", "每个文档应是“字段: 值”的映射，以 kind 开头；可用的 kind：%s", strings.Join(kinds, "、"))
		return
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "kind" {
			d.kind = root.Content[i+1].Value
			d.lines["kind"] = root.Content[i+1].Line
		}
	}
	switch d.kind {
	case "Organisation":
		d.body = new(orgDoc)
	case "System":
		d.body = new(systemDoc)
	case "Duty":
		d.body = new(dutyDoc)
	case "Dataset":
		d.body = new(datasetDoc)
	case "Scenario":
		d.body = new(scenarioDoc)
	case "Weights":
		d.body = new(weightsDoc)
	case "":
		d.fault("", "缺少 kind；请在文档首行写明，可用：%s", strings.Join(kinds, "、"))
		return
	default:
		d.fault("kind", "不认识的 kind %q；可用：%s", d.kind, strings.Join(kinds, "、"))
		return
	}
	d.fill()
	d.validate()
	l.docs = append(l.docs, d)
}
