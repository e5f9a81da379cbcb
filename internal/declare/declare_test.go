package declare_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"mulu"
	"mulu/deploy/sample"
	"mulu/internal/declare"
	"mulu/plan"
)

const house = `kind: Organisation
code: 11310107MBQ0000674
name: 普陀区民政局
short: 民政局
type: department
division: "310107"
---
kind: System
id: sys
name: 系统
owner: 11310107MBQ0000674
---
kind: Duty
id: duty
name: 职责
owner: 11310107MBQ0000674
basis: 依据
text: 内容
`

// dataset is a sound dataset, on lines 1 to 31 of its file.
const dataset = `kind: Dataset
code: thing
title: 事项
version: 1
catalog: 310107/3006/000009
owner: 11310107MBQ0000674
system: sys
library: lib_x
topic: mulu.thing
format: json
key: [id]
cycle: 每日
grace: 6小时
columns:
  - {name: id, title: 编号, type: string, length: 10, required: true, level: L1}
  - {name: at, title: 日期, type: date, level: L2}
  - {name: n, title: 数量, type: decimal, scale: 2, level: L2}
rules:
  - {id: id.length, title: 长度, kind: length, columns: [id], params: {max: 10}, indicator: 010103}
set_rules:
  - {id: id.unique, title: 唯一, kind: unique, columns: [id], indicator: 030400}
entry:
  summary: 摘要
  duty: duty
  catalog_level: 区级补充
  class: 部门
  source_mode: 履职产生
  format: 数据库
  share_type: 无条件共享
  open_type: 非开放
  secrecy_review: BM-1
  approved_by: 负责人
`

func load(files ...string) (*declare.Set, error) {
	fsys := fstest.MapFS{"a.yaml": {Data: []byte(house)}}
	for i, f := range files {
		fsys[fmt.Sprintf("f%d.yaml", i)] = &fstest.MapFile{Data: []byte(f)}
	}
	return declare.Load(fsys, declare.Known{CodeTables: []string{"sex"}, RuleKinds: []string{"length"}, SetKinds: []string{"unique"}})
}

func TestLoadDataset(t *testing.T) {
	set, err := load(dataset)
	if err != nil {
		t.Fatal(err)
	}
	d := set.Dataset("thing")
	if d.Cycle != 24*time.Hour || d.Grace != 6*time.Hour || !d.History || d.Rules[0].Indicator != "010103" || d.Rules[0].Params["max"] != "10" {
		t.Errorf("dataset = %+v", d.Dataset)
	}
	if d.Columns[1].Type != mulu.Date || d.Columns[2].Scale != 2 || d.Level() != mulu.L2 || d.File != "f0.yaml" || d.Line != 1 {
		t.Errorf("dataset = %+v", d)
	}
	other, err := load("# a comment\n" + strings.ReplaceAll(dataset, "{max: 10}", "{ max:  10 }"))
	if err != nil || other.Dataset("thing").Digest != d.Digest {
		t.Errorf("layout changed the digest: %v", err)
	}
}

func TestLoadPath(t *testing.T) {
	set, err := load(strings.Replace(dataset, "{name: n, ", "{name: n, path: 统计.数量, ", 1))
	if err != nil {
		t.Fatal(err)
	}
	if p := set.Dataset("thing").Columns[2].Path; p != "统计.数量" {
		t.Errorf("path %q", p)
	}
	// A version without paths keeps the digest it had before there were any.
	if raw, err := json.Marshal(mulu.Column{Name: "n"}); err != nil || strings.Contains(string(raw), "Path") {
		t.Errorf("an empty path is in the digest: %s, %v", raw, err)
	}
	fault(t, "{name: n, ", "{name: n, path: a..b, ", 17, "columns[2].path", "以点分隔")
	fault(t, "{name: n, ", `{name: n, path: 'a.b"c', `, 17, "columns[2].path", "以点分隔")
	fault(t, "{name: n, ", "{name: n, path: a.b.c.d.e.f.g.h.i, ", 17, "columns[2].path", "8 层")
}

func TestScenarioSC2(t *testing.T) {
	set, err := declare.Load(sample.FS, declare.Known{})
	if err != nil {
		t.Fatal(err)
	}
	s := set.Scenarios[0]
	if s.Code != "SC-2" || s.Level != mulu.L4 || s.Scope != "div12" || len(s.Items) != 9 || len(s.Legal) != 2 {
		t.Errorf("scenario = %+v", s)
	}
	if l := s.View.Lookups[0]; l.Kind != plan.Latest || l.Dataset != "visit" || l.On[0] != "id_no" || l.OrderBy != "visit" {
		t.Errorf("lookup = %+v", l)
	}
	if p := s.Fixed.All; len(p) != 3 || p[0].Value != int64(70) || p[1].Value != true || p[1].Field != "visit.live_alone" || p[2].Value != "正常" {
		t.Errorf("fixed = %+v", s.Fixed)
	}
	if it := s.Items[1]; it.Name != "name" || it.Mask != plan.MaskName || it.Masks[mulu.RoleSystem] != plan.Clear || it.Level != mulu.L3 {
		t.Errorf("item = %+v", it)
	}
}

// fault checks that replacing old by new in the sound dataset gives exactly one
// fault, at the line and path, whose message has the words.
func fault(t *testing.T, old, new string, line int, path, words string) {
	t.Helper()
	if !strings.Contains(dataset, old) {
		t.Fatalf("the sound dataset has no %q", old)
	}
	_, err := load(strings.Replace(dataset, old, new, 1))
	var fs declare.Faults
	if !errors.As(err, &fs) || !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("%q for %q: %v, want Faults", new, old, err)
		return
	}
	if len(fs) != 1 || fs[0].File != "f0.yaml" || fs[0].Line != line || fs[0].Path != path || !strings.Contains(fs[0].Message, words) {
		t.Errorf("%q for %q:\n%v\nwant one fault at line %d, %s, saying %q", new, old, err, line, path, words)
	}
}

func TestLoadFormat(t *testing.T) {
	for _, format := range []string{"avro", "json_schema", "protobuf"} {
		set, err := load(strings.Replace(dataset, "format: json", "format: "+format, 1))
		if err != nil || set.Dataset("thing").Format != format {
			t.Errorf("%s: %v", format, err)
		}
		fault(t, "format: json", "format: "+format+"\nencoding: gb18030", 11, "encoding", "只有 json 和 csv")
		fault(t, "format: json", "format: "+format+"\nways: [{kind: file}]", 11, "ways[0].kind", "UTF-8 的 JSON")
	}
	fault(t, "format: json", "format: json\nencoding: gbk", 11, "encoding", "gb18030")
	fault(t, "format: json", "format: json\nencoding: gb18030\nways: [{kind: file}]", 12, "ways[0].kind", "不写 encoding")
	plain, err := load(dataset)
	if err != nil {
		t.Fatal(err)
	}
	for encoding, want := range map[string]string{"utf-8": "", "gb18030": "gb18030"} {
		set, err := load(strings.Replace(dataset, "format: json", "format: json\nencoding: "+encoding, 1))
		if err != nil || set.Dataset("thing").Encoding != want || (set.Dataset("thing").Digest == plain.Dataset("thing").Digest) != (want == "") {
			t.Errorf("%s: %v", encoding, err)
		}
	}
	// A version without one keeps the digest it had before there were any.
	if raw, err := json.Marshal(mulu.Dataset{Code: "n"}); err != nil || strings.Contains(string(raw), "Encoding") {
		t.Errorf("no encoding is in the digest: %s, %v", raw, err)
	}
}

func TestFaults(t *testing.T) {
	fault(t, "kind: Dataset", "kind: Datasets", 1, "kind", "Organisation、System、Duty、Dataset、Scenario、Weights")
	fault(t, "title: 事项", "titel: 事项\ntitle: 事项", 3, "titel", `是否应为 "title"？`)
	fault(t, "title: 事项", "title: 事项\ntitle: 又一", 4, "title", "重复")
	fault(t, "version: 1", "version: one", 4, "version", "整数")
	fault(t, "version: 1\n", "", 1, "version", "必填")
	fault(t, "code: thing", "code: Thing", 2, "code", "小写字母")
	fault(t, "000009", "9", 5, "catalog", "310107/3005/000001")
	fault(t, "owner: 11310107MBQ0000674\nsystem: sys", "owner: 11310107MBQ0000675\nsystem: sys", 6, "owner", "没有统一社会信用代码")
	fault(t, "system: sys", "system: other", 7, "system", "请先声明 System")
	fault(t, "duty: duty", "duty: other", 24, "entry.duty", "请先声明 Duty")
	fault(t, "format: json", "format: xml", 10, "format", "json、csv")
	fault(t, "key: [id]", "key: [idd]", 11, "key[0]", "可用：id、at、n")
	fault(t, "key: [id]", "key: [at]", 11, "key[0]", "required: true")
	fault(t, "key: [id]", "key: id", 11, "key", "列表")
	fault(t, "cycle: 每日", "cycle: 天天", 12, "cycle", "每半年")
	fault(t, "grace: 6小时", "grace: 六小时", 13, "grace", "12小时")
	fault(t, "type: date, level: L2", "type: date", 16, "columns[1].level", "必填")
	fault(t, "type: date, level: L2", "type: date, level: L5", 16, "columns[1].level", "L1、L2、L3、L4")
	fault(t, "type: date, level: L2", "type: date, level: L3, pi: birth", 23, "entry.impact_review", "个人信息保护影响评估")
	fault(t, "type: date", "type: date, length: 3", 16, "columns[1].length", "只有 string")
	fault(t, "type: date, level", "type: date, unit: us, level", 16, "columns[1].unit", "只有 debezium")
	fault(t, "type: date, level", "type: datetime, unit: us, level", 16, "columns[1].unit", "只有 debezium")
	fault(t, "type: date, level", "type: datetime, unit: s, level", 16, "columns[1].unit", "ms、us、ns")
	fault(t, "type: date, level", "type: date, required: true, level", 16, "columns[1].required", "kind: not_null, columns: [at], blocking: true")
	fault(t, "name: at", "name: id", 16, "columns[1].name", "重名")
	fault(t, "length: 10", "length: 10, codes: sexes", 15, "columns[0].codes", `没有名为 "sexes" 的代码表；可用：sex`)
	fault(t, "kind: length", "kind: lenght", 19, "rules[0].kind", "可用：length")
	fault(t, "columns: [id], params", "columns: [ident], params", 19, "rules[0].columns[0]", "不在 columns 中")
	fault(t, "indicator: 010103", "indicator: 10103", 19, "rules[0].indicator", "DB31/T 1523-2024")
	fault(t, "id: id.unique", "id: id.length", 21, "set_rules[0].id", "rules[0] 重复")
	fault(t, "share_type: 无条件共享", "share_type: 不予共享", 22+1, "entry.no_share_basis", "必填")
	fault(t, "  summary", "\tsummary", 23, "", "YAML")
}

func TestEveryFaultAtOnce(t *testing.T) {
	rules := ""
	for i := range 65 {
		rules += fmt.Sprintf("  - {id: r%d, title: 规则, kind: length, columns: [id], indicator: 010103}\n", i)
	}
	bad := strings.NewReplacer("format: json", "format: xml", "system: sys", "system: none", "set_rules:", rules+"set_rules:").Replace(dataset)
	_, err := load(dataset, bad, "kind: Nothing\n---\n- a list\n---\n{}\n", "kind: Duty\nid: duty\nname: 又一\nowner: x\nbasis: b\ntext: t\n")
	var fs declare.Faults
	if !errors.As(err, &fs) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"f1.yaml:2 code：数据集 thing 的这一版本 已在 f0.yaml:1 声明",
		"f1.yaml:7 system：",
		"f1.yaml:10 format：",
		"f1.yaml:19 rules：最多 64 项",
		"f2.yaml:1 kind：不认识的 kind",
		"f2.yaml:3：每个文档应是",
		"f2.yaml:5：缺少 kind",
		"f3.yaml:2 id：职责 duty 已在 a.yaml:13 声明",
		"f3.yaml:4 owner：没有统一社会信用代码",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no fault %q in\n%v", want, err)
		}
	}
	if len(fs) != 9 {
		t.Errorf("%d faults, want 9:\n%v", len(fs), err)
	}
}

func TestScenarioFaults(t *testing.T) {
	const scenario = `kind: Scenario
code: SC-9
title: 场景
version: 1
type: 公共服务
owner: 11310107MBQ0000674
duty: duty
purpose: 目的
requesters: [street]
view:
  base: thing
  lookups:
    - {name: other, dataset: nothing, kind: count, on: [id]}
  derived:
    - {name: age, kind: age, from: id, as_of: tomorrow}
items:
  - {name: id, title: 编号, mask: clear, roles: {worker: clear}}
  - {name: missing, title: 缺, mask: blur}
  - {name: n, title: 数量, mask: birth_year}
fixed:
  all:
    - {f: n, op: like, v: 1}
    - {f: id, op: eq, v: 5}
    - {f: at, op: ge}
scope: nowhere
modes: [接口查询]
legal: [{law: 法}]
rows_day: 0
retain_days: 1
term_days: 1
`
	_, err := load(strings.Replace(dataset, "type: date, level: L2", "type: date, level: L2, pi: birth", 1), scenario)
	for _, want := range []string{
		"f0.yaml:16 columns[1].level：含个人信息（pi: birth）的字段级别不得低于 L3",
		"f1.yaml:13 view.lookups[0].dataset：没有代码为 \"nothing\" 的数据集",
		"f1.yaml:15 view.derived[0].as_of：应为 today",
		"f1.yaml:15 view.derived[0].from：age 需要日期字段",
		"f1.yaml:17 items[0].roles[worker]",
		"f1.yaml:18 items[1].mask：应为 clear、name",
		"f1.yaml:18 items[1].name：数据项 \"missing\" 不在视图中",
		"f1.yaml:19 items[2].mask：脱敏方式 birth_year 不适用于 decimal",
		"f1.yaml:22 fixed.all[0]：不认识的比较 \"like\"",
		"f1.yaml:23 fixed.all[1]：文字字段的值请加引号",
		"f1.yaml:24 fixed.all[2]：值",
		"f1.yaml:25 scope：范围字段",
		"f1.yaml:27 legal[0].article：必填",
		"f1.yaml:28 rows_day：最小 1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no fault %q in\n%v", want, err)
		}
	}
}

// What only plan knows is a fault too: a derived item can not hang on a lookup.
func TestScenarioMustCompile(t *testing.T) {
	raw, err := sample.FS.ReadFile("scenario-sc2.yaml")
	if err != nil {
		t.Fatal(err)
	}
	base, err := declare.Load(sample.FS, declare.Known{})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(raw), "from: birth", "from: visit.visit", 1)
	_, err = declare.Load(fstest.MapFS{"s.yaml": {Data: []byte(text)}}, declare.Known{Base: base})
	if err == nil || !strings.Contains(err.Error(), "视图不能编译") {
		t.Errorf("Load = %v", err)
	}
}

func TestReferencesToAppliedObjects(t *testing.T) {
	base, err := load(dataset)
	if err != nil {
		t.Fatal(err)
	}
	next := strings.NewReplacer("version: 1", "version: 2").Replace(dataset)
	set, err := declare.Load(fstest.MapFS{"x.yml": {Data: []byte(next)}}, declare.Known{Base: base})
	if err != nil || set.Dataset("thing").Version != 2 {
		t.Errorf("Load beside applied objects: %v", err)
	}
}

func TestWeightsMustSumToOne(t *testing.T) {
	_, err := load("kind: Weights\nversion: v1\ntitle: 权重\neffective_from: 2026-01-01\nbasis: b\ndimensions: {010000: 0.5, 020000: 0.1, 030000: 0.1, 040000: 0.1, 050000: 0.1, 060000: 0.2}\n")
	if err == nil || !strings.Contains(err.Error(), "之和应为 1，现在是 1.1000") {
		t.Errorf("weights: %v", err)
	}
}

func TestScheme(t *testing.T) {
	const head = "kind: Weights\nversion: v1\ntitle: 权重\neffective_from: 2026-01-01\nbasis: b\ndimensions: {010000: 0.5, 020000: 0.1, 030000: 0.1, 040000: 0.1, 050000: 0.1, 060000: 0.1}\n"
	plain, err := load(head)
	if err != nil {
		t.Fatal(err)
	}
	if got := plain.Weights[0].Scheme; !reflect.DeepEqual(got, declare.DefaultScheme()) {
		t.Errorf("a scheme that says nothing: %+v", got)
	}
	set, err := load(head + "grades: {优: 0.9, 良: 0.8, 中: 0.7, 及格: 0.5}\ncaps: [{when: overdue_cycles, limit: 3, at_most: 及格}]\none_fault_once: true\ndepartments: {importance: {基础: 2}, reads: 1, overdue: 0.02, most_overdue: 0.1}\nranking: true\n")
	if err != nil {
		t.Fatal(err)
	}
	want := declare.Scheme{Grades: declare.Grades{Best: 0.9, Good: 0.8, Middle: 0.7, Pass: 0.5}, Caps: []declare.Cap{{When: declare.CapOverdue, Limit: 3, AtMost: "及格"}}, OneFaultOnce: true,
		Departments: declare.Departments{Importance: map[string]float64{"基础": 2}, Reads: 1, Overdue: 0.02, MostOverdue: 0.1}, Ranking: true}
	if got := set.Weights[0].Scheme; !reflect.DeepEqual(got, want) {
		t.Errorf("scheme %+v", got)
	}
	if none, err := load(head + "caps: []\n"); err != nil || len(none.Weights[0].Caps) != 0 {
		t.Errorf("a scheme without caps: %+v %v", none, err)
	}
	for text, word := range map[string]string{
		"grades: {优: 0.8, 良: 0.9, 中: 0.7, 及格: 0.5}\n": "依次降低", "caps: [{when: mood, limit: 1, at_most: 中}]\n": "caps[0].when", "caps: [{when: overdue_cycles, limit: 1, at_most: 优}]\n": "caps[0].at_most",
		"departments: {importance: {其他: 2}}\n": "departments",
	} {
		if _, err := load(head + text); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEmptyDirectory(t *testing.T) {
	if _, err := declare.Load(fstest.MapFS{}, declare.Known{}); err == nil {
		t.Error("an empty directory was loaded")
	}
}

// tableWay is a sound way, line 22 of the dataset's file.
const tableWay = "  - {kind: table, connection: ex, table: RK.人口_v, mode: increment, column: 更新时间, every: 1小时, hours: \"22:00-06:00\", overlap: 10分钟, control: mulu_batch}\n"

func TestTableWay(t *testing.T) {
	set, err := load(strings.Replace(dataset, "entry:\n", "ways:\n"+tableWay+
		"  - {kind: table, name: all, connection: ex, table: t, mode: compare, every: 1天, max_delete: 10}\nentry:\n", 1))
	if err != nil {
		t.Fatal(err)
	}
	want := []mulu.Way{
		{Kind: mulu.WayTable, Name: "main", Connection: "ex", Table: "RK.人口_v", Mode: "increment", Column: "更新时间", Every: time.Hour, Hours: "22:00-06:00", Overlap: 10 * time.Minute, Control: "mulu_batch"},
		{Kind: mulu.WayTable, Name: "all", Connection: "ex", Table: "t", Mode: "compare", Every: 24 * time.Hour, MaxDelete: 10},
	}
	if got := set.Datasets[0].Ways; !reflect.DeepEqual(got, want) {
		t.Errorf("ways %+v\nwant %+v", got, want)
	}
}

func TestTableWayFaults(t *testing.T) {
	f := func(old, new, path, words string) {
		t.Helper()
		way := strings.Replace(tableWay, old, new, 1)
		if way == tableWay {
			t.Fatalf("%q is not in the way", old)
		}
		fault(t, "entry:\n", "ways:\n"+way+"entry:\n", 23, "ways[0]."+path, words)
	}
	f("connection: ex, ", "", "connection", "缺一不可")
	f("table: RK.人口_v, ", "", "table", "缺一不可")
	f("every: 1小时, ", "", "every", "缺一不可")
	f("every: 1小时", "every: 5s", "every", "至少 10s")
	f("RK.人口_v", `"rk; drop"`, "table", "不是可用的名字")
	f("RK.人口_v", "a.b.c.d", "table", "不是可用的名字")
	f("control: mulu_batch", "control: '\"x'", "control", "不是可用的名字")
	f("column: 更新时间", "column: a.b", "column", "不是可用的名字")
	f("column: 更新时间, ", "", "column", "需要 column")
	f("22:00-06:00", "22-06", "hours", "22:00-06:00")
	f("mode: increment", "mode: append", "mode", "increment、range、compare")
	f("overlap: 10分钟", "overlap: 很久", "overlap", "10分钟")
	f("overlap: 10分钟", "batch: b", "batch", "mode: range")
	f("overlap: 10分钟", "max_delete: 10", "max_delete", "mode: compare")
	f("overlap: 10分钟", "folder: x", "folder", "不使用 folder")
	f("mode: increment, column: 更新时间", "mode: range", "overlap", "mode: increment")
	f("mode: increment, column: 更新时间, every: 1小时, hours: \"22:00-06:00\", overlap: 10分钟", "mode: range, column: x, every: 1小时", "column", "只有 mode: increment")
}

// A drop folder is of one way: of one dataset or of several, by its name or by default, of
// datasets declared together or applied before.
func TestFolderOfTwoWays(t *testing.T) {
	other := strings.NewReplacer("code: thing", "code: other", "000009", "000010", "mulu.thing", "mulu.other").Replace(dataset)
	with := func(dataset string, ways ...string) string {
		return strings.Replace(dataset, "entry:\n", "ways:\n  - "+strings.Join(ways, "\n  - ")+"\nentry:\n", 1)
	}
	for name, c := range map[string]struct {
		files []string
		path  string // "": they are sound
	}{
		"one dataset":         {[]string{with(dataset, "{kind: file, folder: in}", "{kind: file, name: b, folder: in}")}, "ways[1].folder"},
		"default twice":       {[]string{with(dataset, "{kind: file}", "{kind: file, name: b}")}, "ways[1].folder"},
		"two datasets":        {[]string{with(dataset, "{kind: file, folder: in}"), with(other, "{kind: http}", "{kind: file, folder: in}")}, "ways[1].folder"},
		"another's default":   {[]string{with(dataset, "{kind: file}"), with(other, "{kind: file, folder: thing}")}, "ways[0].folder"},
		"of their own":        {[]string{with(dataset, "{kind: file}", "{kind: file, name: b, folder: b}"), with(other, "{kind: file}")}, ""},
		"two versions of one": {[]string{with(dataset, "{kind: file}"), with(strings.Replace(dataset, "version: 1", "version: 2", 1), "{kind: file}")}, ""},
		"an older one's":      {[]string{with(dataset, "{kind: file, folder: other}"), strings.Replace(dataset, "version: 1", "version: 2", 1), with(other, "{kind: file}")}, ""},
	} {
		_, err := load(c.files...)
		checkFolders(t, name, err, c.path)
	}
	base, err := load(with(dataset, "{kind: file, folder: in}"))
	if err != nil {
		t.Fatal(err)
	}
	beside := func(text string) error {
		_, err := declare.Load(fstest.MapFS{"x.yml": {Data: []byte(text)}}, declare.Known{Base: base})
		return err
	}
	checkFolders(t, "applied before", beside(with(other, "{kind: file, folder: in}")), "ways[0].folder")
	checkFolders(t, "declared anew elsewhere", beside(with(dataset, "{kind: file}")+"---\n"+with(other, "{kind: file, folder: in}")), "")
}

func checkFolders(t *testing.T, name string, err error, path string) {
	t.Helper()
	if path == "" {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return
	}
	var fs declare.Faults
	if !errors.As(err, &fs) || len(fs) != 1 || fs[0].Path != path || strings.Count(fs[0].Message, "的 file/") != 2 {
		t.Errorf("%s: %v, want one fault at %s that names both", name, err, path)
	}
}
