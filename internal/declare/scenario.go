package declare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mulu"
	"mulu/plan"
)

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// offered is one item a view offers, by the name a plan uses.
type offered struct {
	typ   mulu.Type
	level mulu.Level
}

// scenario builds one scenario. Everything it names must exist in the newest
// declared versions of its datasets.
func (l *loader) scenario(d *document, b *scenarioDoc) {
	s := &Scenario{
		Code: mulu.ScenarioCode(b.Code), Title: b.Title, Version: b.Version, Type: b.Type, Owner: mulu.OrgCode(b.Owner),
		Duty: b.Duty, Purpose: b.Purpose, Scope: b.Scope, Modes: b.Modes, Impact: b.Impact, RowsDay: b.RowsDay,
		Retain: b.Retain, Term: b.Term, Sample: b.Sample, Requester: b.Requesters,
	}
	for _, g := range b.Legal {
		s.Legal = append(s.Legal, Legal(g))
	}
	l.wantOrg(d, "owner", b.Owner)
	if b.Duty != "" && l.findDuty(b.Duty) == nil {
		d.fault("duty", "没有编号为 %q 的职责；请先声明 Duty 或改正编号", b.Duty)
	}
	items := l.view(d, b, s)
	if items != nil {
		l.items(d, b, s, items)
		if b.Fixed != nil {
			s.Fixed = d.where("fixed", b.Fixed, items)
		}
		if _, ok := items[b.Scope]; b.Scope != "" && !ok {
			d.fault("scope", "范围字段 %q 不在视图中；可用：%s", b.Scope, names(items))
		}
	}
	if s.Level >= mulu.L3 && b.Impact == "" {
		d.fault("impact_review", "场景含 %s 数据项，必须填写个人信息保护影响评估编号（个人信息保护法第五十五条）", s.Level)
	}
	if len(d.bad) == 0 {
		l.compiles(d, s)
	}
	s.Meta = d.meta(b)
	for _, p := range l.set.Scenarios {
		if p.Code == s.Code && p.Version == s.Version {
			d.twice("code", "场景 "+b.Code+" 的这一版本", p.Meta)
		}
	}
	l.set.Scenarios = append(l.set.Scenarios, s)
}

// view builds the view and returns what it offers, nil when the base is unknown.
func (l *loader) view(d *document, b *scenarioDoc, s *Scenario) map[string]offered {
	base := l.findDataset(b.View.Base)
	if base == nil {
		if b.View.Base != "" {
			d.fault("view.base", "没有代码为 %q 的数据集；请先声明 Dataset 或改正代码", b.View.Base)
		}
		return nil
	}
	s.View.Base = base.Code
	s.Datasets = []mulu.DatasetCode{base.Code}
	items := map[string]offered{}
	for _, c := range base.Columns {
		items[c.Name] = offered{c.Type, c.Level}
	}
	for i, k := range b.View.Lookups {
		at := index("view.lookups", i)
		other := l.findDataset(k.Dataset)
		if other == nil {
			d.fault(at+".dataset", "没有代码为 %q 的数据集；请先声明 Dataset 或改正代码", k.Dataset)
			continue
		}
		if _, taken := items[k.Name]; taken {
			d.fault(at+".name", "名称 %q 已被占用；请改名", k.Name)
		}
		for j, on := range k.On {
			x, y := base.Column(on), other.Column(on)
			if x < 0 || y < 0 {
				d.fault(index(at+".on", j), "关联字段 %q 应同时存在于 %s 和 %s", on, base.Code, other.Code)
			} else if base.Columns[x].Type != other.Columns[y].Type {
				d.fault(index(at+".on", j), "关联字段 %q 在两个数据集中的类型不同（%s、%s）", on, base.Columns[x].Type, other.Columns[y].Type)
			}
		}
		s.View.Lookups = append(s.View.Lookups, plan.Lookup{Name: k.Name, Dataset: other.Code, Kind: plan.LookupKind(k.Kind), On: k.On, OrderBy: k.OrderBy})
		if !slices.Contains(s.Datasets, other.Code) {
			s.Datasets = append(s.Datasets, other.Code)
		}
		switch plan.LookupKind(k.Kind) {
		case plan.Latest:
			if k.OrderBy != "" && other.Column(k.OrderBy) < 0 {
				d.fault(at+".order_by", "排序字段 %q 不在 %s 中；可用：%s", k.OrderBy, other.Code, columnNames(other.Dataset))
			}
			for _, c := range other.Columns {
				items[k.Name+"."+c.Name] = offered{c.Type, c.Level}
			}
		case plan.Exists:
			items[k.Name] = offered{mulu.Bool, other.Level()}
		case plan.Count:
			items[k.Name] = offered{mulu.Int, other.Level()}
		}
	}
	for i, v := range b.View.Derived {
		at := index("view.derived", i)
		from, ok := items[v.From]
		switch {
		case !ok:
			d.fault(at+".from", "来源字段 %q 不在视图中；可用：%s", v.From, names(items))
			continue
		case from.typ != mulu.Date && from.typ != mulu.DateTime:
			d.fault(at+".from", "%s 需要日期字段，%q 的类型是 %s", v.Kind, v.From, from.typ)
		}
		if _, taken := items[v.Name]; taken {
			d.fault(at+".name", "名称 %q 已被占用；请改名", v.Name)
		}
		s.View.Derived = append(s.View.Derived, plan.Derived{Name: v.Name, Kind: v.Kind, From: v.From, AsOf: v.AsOf})
		items[v.Name] = offered{mulu.Int, from.level}
	}
	return items
}

func (l *loader) items(d *document, b *scenarioDoc, s *Scenario, items map[string]offered) {
	first := map[string]bool{}
	for i, it := range b.Items {
		at := index("items", i)
		o, ok := items[it.Name]
		if !ok && it.Name != "" {
			d.fault(at+".name", "数据项 %q 不在视图中；可用：%s", it.Name, names(items))
		}
		if first[it.Name] {
			d.fault(at+".name", "数据项 %q 重复；请删去其中一处", it.Name)
		}
		first[it.Name] = true
		out := ScenarioItem{Name: it.Name, Title: it.Title, Level: o.level, Mask: masks[it.Mask], Masks: map[mulu.Role]plan.Mask{}}
		for role, m := range it.Roles {
			out.Masks[mulu.Role(role)] = masks[m]
		}
		for _, m := range append([]plan.Mask{out.Mask}, slices.Collect(maps.Values(out.Masks))...) {
			if ok && !fits(m, o.typ) {
				d.fault(at+".mask", "脱敏方式 %s 不适用于 %s 类型的 %q", m, o.typ, it.Name)
			}
		}
		s.Items = append(s.Items, out)
		s.Level = max(s.Level, o.level)
	}
}

// fits says whether a mask can be laid over a type, as plan does.
func fits(m plan.Mask, t mulu.Type) bool {
	switch m {
	case plan.MaskName, plan.MaskID, plan.MaskPhone, plan.MaskAddr:
		return t == mulu.String
	case plan.MaskYear:
		return t == mulu.String || t == mulu.Date || t == mulu.DateTime
	case plan.MaskBand:
		return t == mulu.Int || t == mulu.Date || t == mulu.DateTime
	}
	return true
}

// compiles asks plan itself, so that a scenario that loads can always be run.
func (l *loader) compiles(d *document, s *Scenario) {
	p := plan.Plan{View: s.View, Where: s.Fixed}
	for _, it := range s.Items {
		p.Items = append(p.Items, plan.Item{Name: it.Name, Mask: it.Mask})
	}
	err := p.Validate(func(code mulu.DatasetCode) *mulu.Dataset {
		if ds := l.findDataset(string(code)); ds != nil {
			return ds.Dataset
		}
		return nil
	})
	if err != nil {
		d.fault("view", "视图不能编译：%v；请按提示修改", err)
	}
}

// where builds a predicate and checks that its fields exist and its values are of
// their types.
func (d *document) where(at string, w *whereDoc, items map[string]offered) plan.Predicate {
	var p plan.Predicate
	forms := 0
	for i := range w.All {
		p.All = append(p.All, d.where(index(at+".all", i), &w.All[i], items))
	}
	for i := range w.Any {
		p.Any = append(p.Any, d.where(index(at+".any", i), &w.Any[i], items))
	}
	if w.Not != nil {
		not := d.where(at+".not", w.Not, items)
		p.Not = &not
	}
	for _, used := range []bool{len(w.All) > 0, len(w.Any) > 0, w.Not != nil, w.Op != "" || w.Field != ""} {
		if used {
			forms++
		}
	}
	if forms != 1 {
		d.fault(at, "一个条件应恰好写 all、any、not 或 f/op/v 之一")
		return p
	}
	if w.Op == "" && w.Field == "" {
		return p
	}
	o, ok := items[w.Field]
	if !ok {
		d.fault(at+".f", "条件字段 %q 不在视图中；可用：%s", w.Field, names(items))
		return p
	}
	p.Field, p.Op = w.Field, plan.Op(w.Op)
	v, say := operand(p.Op, o.typ, w.Value)
	if say != "" {
		d.fault(at, "%s", say)
	}
	p.Value = v
	return p
}

// operand converts a condition's value to the form plan wants; say is the fault.
func operand(op plan.Op, typ mulu.Type, v any) (out any, say string) {
	switch op {
	case plan.IsNull:
		if v != nil {
			return nil, "is_null 不带值；请删去 v"
		}
		return nil, ""
	case plan.In:
		list, ok := v.([]any)
		if !ok || len(list) == 0 || typ != mulu.String {
			return nil, "in 用于 string 字段，v 应为非空列表"
		}
		words := make([]string, len(list))
		for i, x := range list {
			words[i] = fmt.Sprint(x)
		}
		return words, ""
	case plan.Prefix:
		if s := fmt.Sprint(v); v != nil && s != "" && typ == mulu.String {
			return s, ""
		}
		return nil, "prefix 用于 string 字段，v 应为非空文字"
	case plan.Eq, plan.Ne, plan.Lt, plan.Le, plan.Gt, plan.Ge:
	default:
		return nil, fmt.Sprintf("不认识的比较 %q；可用：eq、ne、lt、le、gt、ge、prefix、in、is_null", op)
	}
	switch x := v.(type) {
	case bool:
		if typ == mulu.Bool {
			return x, ""
		}
	case int:
		if typ == mulu.Int || typ == mulu.Decimal {
			return int64(x), ""
		}
		if typ == mulu.String {
			return nil, fmt.Sprintf("文字字段的值请加引号，写成 \"%d\"", x)
		}
	case float64:
		if typ == mulu.Decimal {
			return x, ""
		}
	case string:
		if typ == mulu.String || typ == mulu.Date || typ == mulu.DateTime {
			return x, ""
		}
	}
	return nil, fmt.Sprintf("值 %v 与 %s 类型不符", v, typ)
}

func names(items map[string]offered) string {
	return strings.Join(slices.Sorted(maps.Keys(items)), "、")
}
