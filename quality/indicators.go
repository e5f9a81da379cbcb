package quality

import "mulu"

// dimensions are the six first-level indicators of DB31/T 1523-2024.
var dimensions = []struct{ code, title string }{
	{"010000", "公共数据规范性"},
	{"020000", "公共数据完整性"},
	{"030000", "公共数据准确性"},
	{"040000", "公共数据一致性"},
	{"050000", "公共数据时效性"},
	{"060000", "公共数据可访问性"},
}

// indicators are the leaves of DB31/T 1523-2024: the second-level indicators and,
// where there is a third level (010100, 040200), those of the third. The second
// level is the first four digits. Titles and codes follow the standard's body; its
// annex A numbers some of them otherwise.
var indicators = []struct{ code, title string }{
	{"010101", "数据类型约束规范性"},
	{"010102", "数据格式约束规范性"},
	{"010103", "数据长度约束规范性"},
	{"010200", "数据模型"},
	{"010300", "元数据"},
	{"010400", "业务规则"},
	{"010500", "权威参考数据"},
	{"010600", "安全规范"},
	{"020100", "数据元素完整性"},
	{"020200", "数据记录完整性"},
	{"030100", "数据内容正确性"},
	{"030200", "数据格式合规性"},
	{"030300", "数据重复率"},
	{"030400", "数据唯一性"},
	{"030500", "脏数据出现率"},
	{"030600", "数据标准参照准确性"},
	{"040100", "相同数据一致性"},
	{"040201", "表内等值一致性"},
	{"040202", "表内逻辑一致性"},
	{"040203", "跨表等值一致性"},
	{"040204", "跨表逻辑一致性"},
	{"040300", "内容数据记录数据项与元数据一致性"},
	{"050100", "基于时间段的正确性"},
	{"050200", "基于时间点的及时性"},
	{"050300", "时序性"},
	{"050400", "数据授权使用时效性"},
	{"060100", "可访问"},
	{"060200", "可用性"},
}

func knownIndicator(code string) bool {
	for _, i := range indicators {
		if i.code == code {
			return true
		}
	}
	return false
}

// Weights is a weight scheme. The formulas are the standard's; the numbers are the
// evaluator's choice, so a score names its scheme.
type Weights struct {
	Version    string
	Dimensions map[string]float64 // by first-level code; they sum to 1
	// Indicators weighs second-level codes ("010100") against their siblings; one
	// that is not named weighs 1. Third-level siblings always weigh the same.
	Indicators map[string]float64
	Grades     []Grade // from best to worst; the last one's floor is 0
	Veto       Veto
}

// Grade is a name and the lowest total, in [0,1], that earns it.
type Grade struct {
	Name  string
	Floor float64
}

// Veto (一票否决) caps the grade, whatever the total. Zero switches a cause off.
type Veto struct {
	Cap          string  // no grade above this one
	BlockingRate float64 // a blocking rule that fails more than this share of what it judged
	MissedCycles int     // nothing arrived for this many cycles
}

// DefaultWeights is the scheme used where none is declared.
func DefaultWeights() Weights {
	return Weights{
		Version:    "default-1",
		Dimensions: map[string]float64{"010000": 0.20, "020000": 0.20, "030000": 0.25, "040000": 0.15, "050000": 0.15, "060000": 0.05},
		Grades:     []Grade{{"优", 0.95}, {"良", 0.85}, {"中", 0.75}, {"及格", 0.60}, {"差", 0}},
		Veto:       Veto{Cap: "中", BlockingRate: 0.05, MissedCycles: 2},
	}
}

// Count is what one rule judged and how much of it failed.
type Count struct{ Evaluated, Failed int64 }

func (c *Count) add(o Count) { c.Evaluated += o.Evaluated; c.Failed += o.Failed }

// indicator makes X = A/B of a count. Raw is the problem rate: DB31 scores 030300 and
// 030500 as 1 - rate, so the same A (what is in order) serves all.
func (c Count) indicator(code, title string) mulu.Indicator {
	i := mulu.Indicator{Code: code, Title: title, A: c.Evaluated - c.Failed, B: c.Evaluated}
	if i.B > 0 {
		i.X = float64(i.A) / float64(i.B)
		i.Raw = float64(c.Failed) / float64(i.B)
	}
	return i
}
