package quality

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"mulu"
	"mulu/plan"
	"mulu/plan/expr"
	"mulu/quality/band"
)

var (
	onParam    = ParamInfo{Name: "on", Title: "本数据集中用于关联的数据项", Type: ParamColumns, Required: true}
	orderParam = ParamInfo{Name: "order_by", Title: "另一数据集同一键有多行时，取此项最大的一行；默认取最后到达的", Type: ParamColumn}
)

var crossKinds = []setKind{
	{KindInfo{Name: "references", Title: "引用存在", Says: "所列数据项的值在另一数据集中存在", Indicator: "040203", Least: 1, Params: []ParamInfo{datasetParam, toParam}}, compileReferences},
	{KindInfo{Name: "equal_to", Title: "与另一数据集一致", Says: "同一对象的同一项在两个数据集中相等", Indicator: "040100", Least: 1, Most: 1, Params: []ParamInfo{datasetParam, onParam, toParam,
		{Name: "item", Title: "另一数据集中的数据项，默认同名", Type: ParamColumn}, orderParam, {Name: "tolerance", Title: "数值允许的差", Type: ParamNumber, Default: "0"}}}, compileEqualTo},
	{KindInfo{Name: "cross", Title: "跨表逻辑", Says: "表达式为真；另一数据集的数据项写作 名称.数据项", Indicator: "040204", Most: none, Params: []ParamInfo{datasetParam, onParam, toParam,
		{Name: "expression", Title: "每一行都应为真的条件", Type: ParamExpression, Required: true},
		{Name: "name", Title: "另一数据集在表达式中的名称，默认为其代码", Type: ParamText},
		{Name: "lookup", Title: "latest 取其一行的数据项，exists 是否存在，count 有几行", Type: ParamChoice, Default: "latest", Choices: []string{"latest", "exists", "count"}}, orderParam}}, compileCross},
	{KindInfo{Name: "compare", Title: "与另一数据集的统计量比较", Says: "两个数据集的统计量之间的关系成立", Indicator: "040203", Most: 2, Params: []ParamInfo{datasetParam,
		{Name: "measure", Title: "统计量", Type: ParamChoice, Required: true, Choices: []string{"rows", "non_null", "distinct", "sum", "mean", "min", "max"}},
		{Name: "item", Title: "另一数据集中的数据项，默认同名", Type: ParamColumn},
		{Name: "op", Title: "eq 相等，le 不大于另一方，ge 不小于另一方", Type: ParamChoice, Default: "eq", Choices: []string{"eq", "le", "ge"}},
		{Name: "tolerance", Title: "允许相差的比例", Type: ParamNumber, Default: "0"}}}, compileCompare},
}

// compileReferences: elements are rows that have all of the columns.
func compileReferences(s *setScope) (setRule, error) {
	l := s.lookup("there", plan.Exists, s.rule.Columns)
	judged := []plan.Predicate{s.when()}
	for _, c := range s.rule.Columns {
		judged = append(judged, filled(c))
	}
	all := both(judged...)
	missing := both(all, plan.Predicate{Field: l.Name, Op: plan.Eq, Value: false})
	title := s.param("dataset")
	return setRule{asks: []question{{lookup: l, measure: plan.Measure{Kind: plan.Rows, Where: all}}, {lookup: l, measure: plan.Measure{Kind: plan.Rows, Where: missing}}},
		judge: func(r *Result, a *answers) {
			r.counted(a.count(0), a.count(1), "在 "+title+" 中不存在")
		}}, nil
}

// compileEqualTo: elements are rows that have the item here and there.
func compileEqualTo(s *setScope) (setRule, error) {
	col := s.column(0)
	name := "there"
	l := s.lookup(name, plan.Latest, s.list("on"))
	item := cmp.Or(s.param("item"), col.Name)
	s.lookups = []plan.Lookup{*l}
	t := s.number("tolerance", 0)
	other := s.other()
	if len(s.faults) > 0 || other == nil {
		return setRule{}, nil
	}
	at := other.Column(item)
	if at < 0 {
		s.fault("数据集 %s 没有数据项 %q；请写 item / no such item there", other.Code, item)
		return setRule{}, nil
	}
	there := other.Columns[at]
	number := func(t mulu.Type) bool { return t == mulu.Int || t == mulu.Decimal }
	if there.Type != col.Type && !(number(there.Type) && number(col.Type)) {
		s.fault("%s 是 %s，%s 的 %s 是 %s，无法比较 / types differ", col.Name, col.Type, other.Code, item, there.Type)
	}
	if t < 0 || t > 0 && !number(col.Type) {
		s.fault("tolerance 只用于数值，且不可小于 0 / tolerance is for numbers")
	}
	x := expr.Node{Op: expr.OpField, Type: col.Type, Scale: col.Scale, Field: col.Name}
	y := expr.Node{Op: expr.OpField, Type: there.Type, Scale: there.Scale, Field: name + "." + item}
	differ := expr.Node{Op: expr.OpNe, Type: mulu.Bool, Args: []expr.Node{x, y}}
	if t > 0 {
		differ = further(x, y, s.param("tolerance"))
	}
	judged := both(s.when(), filled(col.Name), filled(name+"."+item))
	return setRule{asks: []question{{lookup: l, measure: plan.Measure{Kind: plan.Rows, Where: judged}},
		{lookup: l, measure: plan.Measure{Kind: plan.Rows, Where: both(judged, plan.Predicate{Expr: &differ})}}}, judge: func(r *Result, a *answers) {
		r.counted(a.count(0), a.count(1), "与 "+string(other.Code)+" 中的不一致")
	}}, nil
}

// further holds for numbers that differ by more than a tolerance.
func further(x, y expr.Node, tolerance string) expr.Node {
	_, fraction, _ := strings.Cut(tolerance, ".")
	limit := expr.Node{Op: expr.OpLiteral, Type: mulu.Decimal, Scale: len(fraction), Value: tolerance}
	over := func(a, b expr.Node) expr.Node {
		sub := expr.Node{Op: expr.OpSub, Type: mulu.Decimal, Scale: max(a.Scale, b.Scale), Args: []expr.Node{a, b}}
		return expr.Node{Op: expr.OpGt, Type: mulu.Bool, Args: []expr.Node{sub, limit}}
	}
	return expr.Node{Op: expr.OpOr, Type: mulu.Bool, Args: []expr.Node{over(x, y), over(y, x)}}
}

// compileCross: elements are rows for which the expression is known.
func compileCross(s *setScope) (setRule, error) {
	kind := plan.LookupKind(cmp.Or(s.param("lookup"), string(plan.Latest)))
	l := s.lookup(cmp.Or(s.param("name"), s.param("dataset")), kind, s.list("on"))
	if s.other() == nil || len(s.faults) > 0 {
		return setRule{}, nil // its names can not be looked up
	}
	s.lookups = []plan.Lookup{*l}
	return s.holding(l)
}

// holding counts the rows for which the parameter expression is true, and is known.
func (s *setScope) holding(l *plan.Lookup) (setRule, error) {
	p := s.condition("expression", s.param("expression"))
	if len(s.faults) > 0 {
		return setRule{}, nil
	}
	when := s.when()
	not := expr.Node{Op: expr.OpNot, Type: mulu.Bool, Args: []expr.Node{*p.Expr}}
	return setRule{asks: []question{{lookup: l, measure: plan.Measure{Kind: plan.Rows, Where: both(when, p)}},
		{lookup: l, measure: plan.Measure{Kind: plan.Rows, Where: both(when, plan.Predicate{Expr: &not})}}}, judge: func(r *Result, a *answers) {
		r.counted(a.count(0)+a.count(1), a.count(1), "不符合条件")
	}}, nil
}

// relation is a number's bound by another number.
type relation struct {
	op           string
	x, tolerance float64
}

func (c relation) holds(x float64) bool {
	slack := c.tolerance * math.Abs(c.x)
	switch c.op {
	case "le":
		return x <= c.x+slack
	case "ge":
		return x >= c.x-slack
	}
	return math.Abs(x-c.x) <= slack
}

func (c relation) String() string {
	s := map[string]string{"le": "≤ ", "ge": "≥ "}[c.op]
	if s == "" {
		s = "= "
	}
	s += shown(rounded(c.x))
	if c.tolerance > 0 {
		s += "（容许 " + shown(c.tolerance*100) + "%）"
	}
	return s
}

func compileCompare(s *setScope) (setRule, error) {
	kind := plan.MeasureKind(s.param("measure"))
	here, there := plan.Measure{Kind: kind, Columns: s.rule.Columns, Where: s.when()}, plan.Measure{Kind: kind, Columns: s.rule.Columns}
	if s.has("item") {
		there.Columns = s.list("item")
	}
	c := relation{op: s.param("op"), tolerance: s.tolerance()}
	code := mulu.DatasetCode(s.param("dataset"))
	s.fits(s.ds.Code, here)
	if s.other() != nil {
		s.fits(code, there)
	}
	return setRule{asks: []question{{measure: here}, {dataset: code, measure: there}}, judge: func(r *Result, a *answers) {
		x, ok := a.number(0)
		y, known := a.number(1)
		c := c
		c.x = y
		r.measured(x, ok && known, c)
	}}, nil
}

// fits faults a measure that its dataset's columns do not allow.
func (s *setScope) fits(code mulu.DatasetCode, m plan.Measure) {
	m.As, m.Where = "x", plan.Predicate{}
	sum := plan.Summary{Dataset: code, Measures: []plan.Measure{m}}
	resolve := s.resolve
	if s.datasets == nil {
		resolve = func(mulu.DatasetCode) *mulu.Dataset { return s.ds }
	}
	if err := sum.Validate(resolve); err != nil {
		s.fault("统计量 %s 不适用于数据集 %s 的 %s / measure does not fit: %w", m.Kind, code, strings.Join(m.Columns, "、"), err)
	}
}

var freeKinds = []setKind{
	{KindInfo{Name: "expression", Title: "条件表达式", Says: "每一行的条件为真", Indicator: "010400", Most: none,
		Params: []ParamInfo{{Name: "expression", Title: "每一行都应为真的条件", Type: ParamExpression, Required: true}}}, func(s *setScope) (setRule, error) { return s.holding(nil) }},
	{KindInfo{Name: "band", Title: "波动区间", Says: "度量值在由历史推出的区间内：同类日（周几、工作日、月末、节假日）的中位数与离差", Indicator: "050100", Most: 1, Params: []ParamInfo{
		{Name: "measure", Title: "arrivals 每日到达行数，其余为每日所见的统计量", Type: ParamChoice, Default: "arrivals", Choices: []string{"arrivals", "rows", "null_share", "distinct", "sum", "mean", "median"}},
		{Name: "width", Title: "离差的倍数", Type: ParamNumber, Default: "4"},
		{Name: "side", Title: "看哪一侧", Type: ParamChoice, Default: "both", Choices: []string{"both", "low", "high"}},
		{Name: "need", Title: "至少要有几个同类日", Type: ParamInt, Default: "8"}}}, compileBand},
	{KindInfo{Name: "sql", Title: "SQL 查询（仅运维装入）", Says: "查询给出一行：第一列为不合格行数，第二列（可省略）为参与判断的行数", Indicator: "010400", Most: none,
		Params: []ParamInfo{{Name: "sql", Title: "一条 SELECT，只能读主题库的表，写作 库.表", Type: ParamSQL, Required: true}}}, compileSQL},
}

// compileBand: one element, the day that is judged: the last whole one for arrivals, the
// day of the run for what is seen of the rows.
func compileBand(s *setScope) (setRule, error) {
	measure := cmp.Or(s.param("measure"), "arrivals")
	opt := band.Options{Width: s.number("width", 4), Need: int(s.number("need", 8)), Side: band.Side(s.param("side"))}
	if opt.Width <= 0 || opt.Need < 4 {
		s.fault("width 应大于 0，need 应不小于 4 / width or need is too small")
	}
	if measure == "arrivals" {
		if len(s.rule.Columns) > 0 || strings.TrimSpace(s.rule.When) != "" {
			s.fault("到达行数取自批次清单，不能写 columns 或 when / arrivals takes no columns and no condition")
		}
		opt.Least, opt.Unit = 1, "行"
		return setRule{judge: func(r *Result, a *answers) {
			yesterday := a.in.Now.In(beijing).AddDate(0, 0, -1)
			r.banded(band.Judge(band.Whole(a.in.Arrivals, yesterday), yesterday, a.in.Calendar, opt))
		}}, nil
	}
	if (measure == "rows") == (len(s.rule.Columns) > 0) {
		s.fault("除 arrivals 和 rows 外需要一个数据项 / measure and columns do not fit")
		return setRule{}, nil
	}
	when := s.when()
	kinds := map[string]plan.Measure{"rows": {Kind: plan.Rows}, "null_share": {Kind: plan.NonNull}, "distinct": {Kind: plan.Distinct}, "sum": {Kind: plan.Sum}, "mean": {Kind: plan.Mean}, "median": {Kind: plan.Quantile, P: 0.5}}
	m := kinds[measure]
	m.Columns, m.Where = s.rule.Columns, when
	s.fits(s.ds.Code, m)
	name := metricName(measure, &s.rule)
	return setRule{metric: name, asks: []question{{measure: m}, {measure: plan.Measure{Kind: plan.Rows, Where: when}}}, judge: func(r *Result, a *answers) {
		x, ok := a.number(0)
		if measure == "null_share" {
			rows := float64(a.count(1))
			x, ok = (rows-x)/rows, rows > 0
		}
		if !ok {
			r.Status, r.Message = Skipped, "没有可度量的值"
			return
		}
		a.metric = x
		today := a.in.Now.In(beijing)
		// The day of the run is measured again and again; its last measure is what counts.
		series := band.Without(a.in.History[name], today)
		r.banded(band.Judge(append(series, band.Value{Day: today.Format("2006-01-02"), Value: x}), today, a.in.Calendar, opt))
	}}, nil
}

func (r *Result) banded(v band.Verdict) {
	r.Message = v.Says
	if !v.Known {
		r.Status = Skipped
		return
	}
	r.Expected, r.Observed, r.Evaluated = v.Interval(), rounded(v.Value), 1
	if !v.Inside {
		r.Failed = 1
	}
}

// compileSQL: what an element is, the statement decides.
func compileSQL(s *setScope) (setRule, error) {
	if strings.TrimSpace(s.rule.When) != "" {
		s.fault("规则种类 sql 不能写 when，请写在查询中 / sql takes no condition")
	}
	return setRule{sql: s.param("sql")}, nil
}

// answered judges what a statement gave.
func (r *Result) answered(failed, evaluated int64) error {
	if failed < 0 || evaluated < failed {
		return fmt.Errorf("查询给出 %d 个不合格、%d 个参与判断：两者不可小于 0，前者不可大于后者: %w", failed, evaluated, mulu.ErrInvalid)
	}
	r.counted(evaluated, failed, "不符合查询")
	return nil
}
