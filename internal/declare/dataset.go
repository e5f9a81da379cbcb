package declare

import (
	"regexp"
	"slices"
	"strings"

	"mulu"
)

func levelOf(s string) mulu.Level {
	if len(s) == 2 && s[0] == 'L' && s[1] >= '1' && s[1] <= '4' {
		return mulu.Level(s[1] - '0')
	}
	return 0
}

// dataset builds one dataset version and checks it against itself and its neighbours.
func (l *loader) dataset(d *document, b *datasetDoc) {
	grace, _ := parseSpan(b.Grace) //nolint:errcheck // validate has reported it
	m := &mulu.Dataset{
		Code: mulu.DatasetCode(b.Code), Title: b.Title, Version: b.Version, Catalog: mulu.CatalogCode(b.Catalog),
		Owner: mulu.OrgCode(b.Owner), System: b.System, Library: b.Library, Topic: b.Topic, Format: b.Format,
		Key: b.Key, History: b.History == nil || *b.History, Cycle: cycles[b.Cycle], Grace: grace, Sample: b.Sample, Baseline: b.Baseline, UnitBy: b.Answers,
	}
	if b.Encoding == mulu.EncodingGB18030 { // utf-8 is what is not said
		m.Encoding = b.Encoding
		if b.Format != mulu.FormatJSON && b.Format != mulu.FormatCSV {
			d.fault("encoding", "只有 json 和 csv 格式可以写 encoding: gb18030；%s 的文本必须是 UTF-8，请删去 encoding", b.Format)
		}
	}
	for _, c := range b.Columns {
		m.Columns = append(m.Columns, mulu.Column{Name: c.Name, Path: c.Path, Title: c.Title, Type: mulu.Type(c.Type), Length: c.Length,
			Scale: c.Scale, Required: c.Required, Codes: c.Codes, Level: levelOf(c.Level), PI: c.PI, Unit: c.Unit})
	}
	for _, r := range b.Rules {
		m.Rules = append(m.Rules, mulu.Rule{ID: mulu.RuleID(r.ID), Title: r.Title, Kind: r.Kind, Columns: r.Columns,
			Params: r.Params, Blocking: r.Blocking, Indicator: r.Indicator, When: r.When, Mostly: r.Mostly, Responsible: responsible(r.Resp)})
	}
	for _, r := range b.SetRules {
		m.SetRules = append(m.SetRules, mulu.SetRule{ID: mulu.RuleID(r.ID), Title: r.Title, Kind: r.Kind, Columns: r.Columns,
			Params: r.Params, Indicator: r.Indicator, When: r.When, Mostly: r.Mostly, Blocking: r.Blocking, Responsible: responsible(r.Resp)})
	}
	l.checkColumns(d, b, m)
	l.checkRules(d, b, m)
	l.checkEntry(d, b, m)
	ds := &Dataset{Dataset: m, Entry: b.Entry.entry(b.Cycle)}
	l.ways(d, b, ds)
	ds.Meta = d.meta(struct {
		Dataset *mulu.Dataset
		Entry   Entry
		Ways    []mulu.Way `json:",omitempty"`
	}{m, ds.Entry, ds.Ways})
	for _, p := range l.set.Datasets {
		switch {
		case p.Code == m.Code && p.Version == m.Version:
			d.twice("code", "数据集 "+b.Code+" 的这一版本", p.Meta)
		case p.Code != m.Code && p.Catalog == m.Catalog:
			d.twice("catalog", "目录代码 "+b.Catalog, p.Meta)
		case p.Code != m.Code && p.Topic == m.Topic:
			d.twice("topic", "主题 "+b.Topic, p.Meta)
		}
	}
	l.set.Datasets = append(l.set.Datasets, ds)
}

// pathPattern is a way into nested objects: names without quotes, backslashes or dots.
var pathPattern = regexp.MustCompile(`^[^."\\\x00-\x1f]+(\.[^."\\\x00-\x1f]+){0,7}$`)

func (l *loader) checkColumns(d *document, b *datasetDoc, m *mulu.Dataset) {
	first := map[string]int{}
	for i, c := range b.Columns {
		at := index("columns", i)
		if j, ok := first[c.Name]; ok {
			d.fault(at+".name", "字段 %q 与第 %d 个字段重名；请改名或删去", c.Name, j+1)
		}
		first[c.Name] = i
		if c.Type != "decimal" && c.Scale != 0 {
			d.fault(at+".scale", "只有 decimal 可以有小数位数；请删去 scale 或把 type 改为 decimal")
		}
		if c.Path != "" && b.Format == "csv" {
			d.fault(at+".path", "CSV 记录没有嵌套；请删去 path，按字段顺序对应")
		} else if c.Path != "" && !pathPattern.MatchString(c.Path) {
			d.fault(at+".path", "path %q 应为以点分隔的字段名，至多 8 层，如 person.name；请改正", c.Path)
		}
		if c.Type != "string" && c.Length != 0 {
			d.fault(at+".length", "只有 string 可以限定长度；请删去 length")
		}
		if c.Unit != "" && (c.Type != "datetime" || m.Format != mulu.FormatDebezium && m.Format != mulu.FormatChanges) {
			d.fault(at+".unit", "只有 debezium 或 changes 格式的 datetime 可以写 unit；请删去 unit")
		}
		if c.PI != "" && levelOf(c.Level) < mulu.L3 && c.Level != "" {
			d.fault(at+".level", "含个人信息（pi: %s）的字段级别不得低于 L3，现在是 %s", c.PI, c.Level)
		}
		l.wantCodes(d, at+".codes", c.Codes)
	}
	if c := m.Column(b.Answers); b.Answers != "" && c < 0 {
		d.fault("unit_by", "责任单位数据项 %q 不在 columns 中；可用：%s", b.Answers, columnNames(m))
	} else if c >= 0 && (m.Columns[c].Type != mulu.String || m.Columns[c].Level > mulu.L2) {
		d.fault("unit_by", "责任单位数据项 %q 应为 string，级别不高于 L2；请改用区划代码或单位代码", b.Answers)
	}
	for i, k := range b.Key {
		at := index("key", i)
		switch c := m.Column(k); {
		case c < 0:
			d.fault(at, "主键字段 %q 不在 columns 中；可用：%s", k, columnNames(m))
		case !m.Columns[c].Required:
			d.fault(at, "主键字段 %q 必须写 required: true", k)
		}
	}
}

func (l *loader) wantCodes(d *document, path, table string) {
	if table != "" && l.known.CodeTables != nil && !slices.Contains(l.known.CodeTables, table) {
		d.fault(path, "没有名为 %q 的代码表；可用：%s", table, strings.Join(l.known.CodeTables, "、"))
	}
}

func (l *loader) checkRules(d *document, b *datasetDoc, m *mulu.Dataset) {
	if len(b.Rules) > 64 {
		d.fault("rules", "一个版本最多 64 条行规则，现有 %d 条；请合并或拆分", len(b.Rules))
	}
	first := map[string]string{}
	check := func(at, id, kind string, cols, kinds []string) {
		if was, ok := first[id]; ok && id != "" {
			d.fault(at+".id", "规则编号 %q 与 %s 重复；请改名", id, was)
		}
		first[id] = at
		if kind != "" && kinds != nil && !slices.Contains(kinds, kind) {
			d.fault(at+".kind", "不认识的规则类型 %q；可用：%s", kind, strings.Join(kinds, "、"))
		}
		for i, c := range cols {
			if m.Column(c) < 0 {
				d.fault(index(at+".columns", i), "字段 %q 不在 columns 中；可用：%s", c, columnNames(m))
			}
		}
	}
	at := map[mulu.RuleID]string{}
	for i, r := range b.Rules {
		check(index("rules", i), r.ID, r.Kind, r.Columns, l.known.RuleKinds)
		at[mulu.RuleID(r.ID)] = index("rules", i)
		if r.Kind == "code" {
			l.wantCodes(d, index("rules", i)+".params.table", r.Params["table"])
		}
	}
	for i, r := range b.SetRules {
		check(index("set_rules", i), r.ID, r.Kind, r.Columns, l.known.SetKinds)
		at[mulu.RuleID(r.ID)] = index("set_rules", i)
	}
	sound := len(m.Key) > 0
	for _, k := range m.Key {
		c := m.Column(k)
		sound = sound && c >= 0 && m.Columns[c].Required
	}
	for i, c := range m.Columns {
		if sound && c.Required && c.Name != "" && !slices.Contains(m.Key, c.Name) && !slices.ContainsFunc(m.Rules, func(r mulu.Rule) bool {
			return r.Kind == "not_null" && r.Blocking && slices.Equal(r.Columns, []string{c.Name})
		}) {
			// The library's column is not Nullable: without the rule an empty value would
			// reach it and be stored as something nobody sent.
			d.fault(index("columns", i)+".required", "必填字段 %q 需要一条强规则：{kind: not_null, columns: [%s], blocking: true}；或删去 required", c.Name, c.Name)
		}
	}
	if l.known.CheckRules != nil && len(d.bad) == 0 {
		for _, f := range l.known.CheckRules(m) {
			path := at[f.Rule]
			if f.Field != "" {
				path += "." + f.Field
			}
			d.fault(path, "%s", f.Message)
		}
	}
}

func (l *loader) checkEntry(d *document, b *datasetDoc, m *mulu.Dataset) {
	owner := l.wantOrg(d, "owner", b.Owner)
	if b.System != "" {
		switch s := l.findSystem(b.System); {
		case s == nil:
			d.fault("system", "没有编号为 %q 的信息系统；请先声明 System 或改正编号", b.System)
		case owner && string(s.Owner) != b.Owner:
			d.fault("system", "信息系统 %q 属于 %s，不属于本数据集的提供单位 %s；请核对 owner", b.System, s.Owner, b.Owner)
		}
	}
	if b.Entry.Duty != "" {
		switch u := l.findDuty(b.Entry.Duty); {
		case u == nil:
			d.fault("entry.duty", "没有编号为 %q 的职责；请先声明 Duty 或改正编号", b.Entry.Duty)
		case owner && string(u.Owner) != b.Owner:
			d.fault("entry.duty", "职责 %q 属于 %s，不属于本数据集的提供单位 %s；请核对", b.Entry.Duty, u.Owner, b.Owner)
		}
	}
	personal := slices.ContainsFunc(m.Columns, func(c mulu.Column) bool { return c.PI != "" })
	if personal && b.Entry.OpenType != "非开放" && b.Entry.OpenType != "" {
		d.fault("entry.open_type", "含个人信息的数据集应为 非开放，现在是 %s", b.Entry.OpenType)
	}
	if personal && b.Entry.ImpactReview == "" {
		d.fault("entry.impact_review", "含个人信息的数据集必须填写个人信息保护影响评估编号（809号令第十三条）")
	}
}

func (e *entryDoc) entry(cycle string) Entry {
	out := Entry{
		Summary: e.Summary, Duty: e.Duty, CatalogLevel: e.CatalogLevel, Class: e.Class, SourceMode: e.SourceMode,
		Authoritative: e.Authoritative, Format: e.Format, ShareType: e.ShareType, ShareCondition: e.ShareCondition,
		NoShareBasis: e.NoShareBasis, ShareModes: e.ShareModes, OpenType: e.OpenType, OpenCondition: e.OpenCondition,
		Cycle: cycle, Category: e.Category, SecrecyReview: e.SecrecyReview, ImpactReview: e.ImpactReview, ApprovedBy: e.ApprovedBy,
	}
	for _, r := range e.Region {
		out.Region = append(out.Region, mulu.Division(r))
	}
	return out
}

func columnNames(m *mulu.Dataset) string {
	names := make([]string, len(m.Columns))
	for i := range m.Columns {
		names[i] = m.Columns[i].Name
	}
	return strings.Join(names, "、")
}
