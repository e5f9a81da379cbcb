package declare

// Scheme is what a weight scheme settles beside the weights: none of it is in the
// standard, all of it is for the evaluator to choose and shown with every score.
type Scheme struct {
	Grades       Grades
	Caps         []Cap
	OneFaultOnce bool // 一处脏数据只扣一次: a cell that failed an earlier tier is not judged by later ones
	Departments  Departments
	Ranking      bool // 排名通报; off, no rank leaves the house
}

// Grades are the lowest totals of the grades 优 良 中 及格; below Pass is 差.
type Grades struct{ Best, Good, Middle, Pass float64 }

// Cap keeps a grade from being better than AtMost (一票否决).
type Cap struct {
	When   string // CapStrongRows, CapOverdue, CapStrongSets
	Limit  float64
	AtMost string // a grade
}

// What a cap looks at.
const (
	CapStrongRows = "strong_rows"      // share of records that broke a strong row rule, above Limit
	CapOverdue    = "overdue_cycles"   // whole cycles without an update, from Limit on
	CapStrongSets = "strong_set_rules" // strong rules over the whole dataset that do not hold, from Limit on
)

// Departments is how the scores of an organisation's datasets become one:
// weight = importance × (1 + Reads × lg(1 + reads in the period)).
type Departments struct {
	Importance map[string]float64 // by the entry's class (基础 主题 部门); absent is 1
	Reads      float64
	// Overdue is taken off for each whole cycle that one of its datasets is late, in all at
	// most MostOverdue: lines of their own, never inside the score.
	Overdue, MostOverdue float64
}

// DefaultScheme holds until a scheme says otherwise.
func DefaultScheme() Scheme {
	return Scheme{
		Grades: Grades{Best: 0.95, Good: 0.85, Middle: 0.75, Pass: 0.60},
		Caps:   []Cap{{CapStrongRows, 0.05, "中"}, {CapOverdue, 2, "中"}, {CapStrongSets, 1, "中"}},
		Departments: Departments{
			Importance: map[string]float64{"基础": 1.5, "主题": 1.2, "部门": 1}, Reads: 0.5, Overdue: 0.01, MostOverdue: 0.05,
		},
	}
}

type capDoc struct {
	When   string  `yaml:"when" validate:"required,oneof=strong_rows overdue_cycles strong_set_rules"`
	Limit  float64 `yaml:"limit" validate:"min=0"`
	AtMost string  `yaml:"at_most" validate:"required,oneof=良 中 及格 差"`
}

type departmentsDoc struct {
	Importance  map[string]float64 `yaml:"importance" json:",omitempty" validate:"dive,keys,oneof=基础 主题 部门,endkeys,gt=0,max=100"`
	Reads       float64            `yaml:"reads" validate:"min=0,max=10"`
	Overdue     float64            `yaml:"overdue" validate:"min=0,max=1"`
	MostOverdue float64            `yaml:"most_overdue" validate:"min=0,max=1"`
}

// scheme takes what the document says and the defaults for the rest.
func (d *document) scheme(b *weightsDoc) Scheme {
	s := DefaultScheme()
	s.OneFaultOnce, s.Ranking = b.OneFaultOnce, b.Ranking
	if b.Grades != nil {
		s.Grades = Grades{b.Grades["优"], b.Grades["良"], b.Grades["中"], b.Grades["及格"]}
		if g := s.Grades; !(g.Best > g.Good && g.Good > g.Middle && g.Middle > g.Pass) {
			d.fault("grades", "各等级的下限应依次降低：优 > 良 > 中 > 及格，现在是 %v、%v、%v、%v", g.Best, g.Good, g.Middle, g.Pass)
		}
	}
	if b.Caps != nil {
		s.Caps = nil
		for _, c := range *b.Caps {
			s.Caps = append(s.Caps, Cap(c))
		}
	}
	if b.Departments != nil {
		s.Departments = Departments(*b.Departments)
	}
	return s
}

// responsible is what a rule keeps of who answers for it; the district need not be said.
func responsible(who string) string {
	if who == "区级" {
		return ""
	}
	return who
}
