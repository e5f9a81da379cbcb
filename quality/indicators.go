package quality

// Indicator describes one node of DB31/T 1523-2024: a dimension (Parent ""), an indicator
// of the second level or of the third.
type Indicator struct {
	Code, Parent, Title string
	// GB is the code of GB/T 36344-2018, "" where it has none. GBWeak marks four-digit
	// codes, which are known from one secondary source alone.
	GB     string
	GBWeak bool
	// Structured indicators apply to structured data only.
	Structured bool
	// Inverted indicators are scored as 1 - A/B where A counts problems: the raw rate is
	// GB/T 36344's, the score DB31's.
	Inverted bool
	// Element says what is counted, once for all (docs/quality-score.md); "" for a node
	// that has others below it.
	Element string
}

// rows of the standard's body, in its order; its annex A numbers some of them otherwise
// (it calls 030500 uniqueness and knows 040104), which nobody follows.
var nodes = []Indicator{
	{Code: "010000", Title: "公共数据规范性", GB: "01"},
	{Code: "020000", Title: "公共数据完整性", GB: "02"},
	{Code: "030000", Title: "公共数据准确性", GB: "03"},
	{Code: "040000", Title: "公共数据一致性", GB: "04"},
	{Code: "050000", Title: "公共数据时效性", GB: "05"},
	{Code: "060000", Title: "公共数据可访问性", GB: "06"},

	{Code: "010100", Parent: "010000", Title: "数据标准", GB: "0101"},
	{Code: "010101", Parent: "010100", Title: "数据类型约束规范性", Element: "读到的记录；各数据项的值都能读成所声明类型的为合格。类型错误只在此计分，030200 不再计"},
	{Code: "010102", Parent: "010100", Title: "数据格式约束规范性", Element: "以本指标计分的规则所判的单元格"},
	{Code: "010103", Parent: "010100", Title: "数据长度约束规范性", Structured: true, Element: "以本指标计分的规则所判的单元格（标准正文此处重印“格式”，按“长度”理解）"},
	{Code: "010200", Parent: "010000", Title: "数据模型", GB: "0102", Structured: true, Element: "声明的数据项；在现有数据中出现过值的为合格"},
	{Code: "010300", Parent: "010000", Title: "元数据", GB: "0103", Element: "声明的数据项，有中文名称和类型的为合格；另加目录条目的法定要素（809 号令第十三条），已填写的为合格"},
	{Code: "010400", Parent: "010000", Title: "业务规则", GB: "0104", Structured: true, Element: "以本指标计分的规则所判的单元格或行"},
	{Code: "010500", Parent: "010000", Title: "权威参考数据", GB: "0105", Element: "以本指标计分的规则所判的单元格：值在代码表（参考源）中的为合格"},
	{Code: "010600", Parent: "010000", Title: "安全规范", GB: "0106", Element: "应用场景提供的敏感数据项，对未列名角色已脱敏或不显示的为合格；另加声明的数据项，已定级的为合格（后者是本系统所加）"},

	{Code: "020100", Parent: "020000", Title: "数据元素完整性", GB: "0201", Element: "应填的单元格；有值且不是“无”“不详”等占位词的为合格"},
	{Code: "020200", Parent: "020000", Title: "数据记录完整性", GB: "0202", Element: "行；应填的单元格都已填写的为合格。标准此处印作“元素个数”，按行计数是本系统的选择"},

	{Code: "030100", Parent: "030000", Title: "数据内容正确性", GB: "0301", Structured: true, Element: "以本指标计分的规则所判的单元格，如校验码"},
	{Code: "030200", Parent: "030000", Title: "数据格式合规性", GB: "0302", Element: "以本指标计分的规则所判的单元格：数值范围、精度。类型和长度错误分别计入 010101、010103，此处不重复"},
	{Code: "030300", Parent: "030000", Title: "数据重复率", GB: "0303", Inverted: true, Element: "以本指标计分的规则所判的行；与其他行重复的为问题"},
	{Code: "030400", Parent: "030000", Title: "数据唯一性", GB: "0304", Element: "有值的行；不同的值的个数为合格数"},
	{Code: "030500", Parent: "030000", Title: "脏数据出现率", GB: "0305", Inverted: true, Element: "读到的记录；未能入库的为问题"},
	{Code: "030600", Parent: "030000", Title: "数据标准参照准确性", Element: "以本指标计分的规则所判的行：与权威库一致的为合格"},

	{Code: "040100", Parent: "040000", Title: "相同数据一致性", GB: "0401", Element: "以本指标计分的规则所判的行：同一对象在两处的值相同的为合格"},
	{Code: "040200", Parent: "040000", Title: "关联数据一致性", GB: "0402"},
	{Code: "040201", Parent: "040200", Title: "表内等值一致性", Structured: true, Element: "以本指标计分的规则所判的行：所比数据项都有值"},
	{Code: "040202", Parent: "040200", Title: "表内逻辑一致性", Structured: true, Element: "以本指标计分的规则所判的行：所比数据项都有值"},
	{Code: "040203", Parent: "040200", Title: "跨表等值一致性", Structured: true, Element: "以本指标计分的规则所判的行：在另一表中有对应行"},
	{Code: "040204", Parent: "040200", Title: "跨表逻辑一致性", Structured: true, Element: "以本指标计分的规则所判的行：在另一表中有对应行"},
	{Code: "040300", Parent: "040000", Title: "内容数据记录数据项与元数据一致性", Element: "行；没有未登记字段的为合格"},

	{Code: "050100", Parent: "050000", Title: "基于时间段的正确性", GB: "0501", Element: "昨日以前的整更新周期，至多 31 个；周期内（含宽限期）有数据入库或零报告的为合格"},
	{Code: "050200", Parent: "050000", Title: "基于时间点的及时性", GB: "0502", Element: "两半相加。及时提供：当前更新周期一个，周期加宽限期内有更新或零报告的为合格；有效期内：以本指标计分的有效期规则所判的单元格"},
	{Code: "050300", Parent: "050000", Title: "时序性", GB: "0503", Structured: true, Element: "以本指标计分的规则所判的行：先后次序正确的为合格"},
	{Code: "050400", Parent: "050000", Title: "数据授权使用时效性", Element: "本期的共享调用；在有效授权之内的为合格"},

	{Code: "060100", Parent: "060000", Title: "可访问", GB: "0601", Element: "本期对数据集的探测和已获准的共享调用；得到应答的为合格"},
	{Code: "060200", Parent: "060000", Title: "可用性", GB: "0602", Element: "在用授权提供的数据项；在现有数据中有值的为合格"},
}

// nowhere says why an indicator has nothing to count, where it is not for want of a rule.
var nowhere = map[string]string{
	"010101": "还没有读到记录",
	"010200": "还没有入库的行",
	"020200": "没有声明应填的数据项，或还没有入库的行",
	"030500": "还没有读到记录",
	"040300": "还没有入库的行",
	"050100": "还没有一个完整的更新周期，或不定期更新",
	"050400": "本期没有共享调用",
	"060100": "本期没有探测，也没有共享调用",
	"060200": "没有在用的授权",
}

// whyNot is the reason that is shown when B is 0.
func whyNot(code string) string {
	if why := nowhere[code]; why != "" {
		return why
	}
	return "没有以 " + code + " 计分的规则，或规则尚未判过一个要素"
}

// indicator is one of the second or third level.
type indicator struct{ code, parent, title string }

// dimensions and indicators are nodes by level.
var dimensions, indicators = levels()

func levels() (top, below []indicator) {
	for _, n := range nodes {
		if i := (indicator{n.Code, n.Parent, n.Title}); n.Parent == "" {
			top = append(top, i)
		} else {
			below = append(below, i)
		}
	}
	return top, below
}

// Indicators are all nodes of the standard, dimensions first, in its order.
func Indicators() []Indicator {
	out := make([]Indicator, len(nodes))
	for i, n := range nodes {
		n.GBWeak = len(n.GB) == 4
		out[i] = n
	}
	return out
}

// IndicatorOf describes one node; ok says whether there is one.
func IndicatorOf(code string) (i Indicator, ok bool) {
	for _, n := range Indicators() {
		if n.Code == code {
			return n, true
		}
	}
	return Indicator{}, false
}

// IndicatorTitle is the Chinese title of a dimension or indicator, "" if there is none.
func IndicatorTitle(code string) string {
	i, _ := IndicatorOf(code)
	return i.Title
}
