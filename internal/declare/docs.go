package declare

import (
	"regexp"
	"strings"
)

// The documents as written. Field rules stand here as validator tags; what needs
// two fields or two documents is in resolve.go. The empty choice of an optional
// field is written omitempty.

type orgDoc struct {
	Code     string `yaml:"code" validate:"required,uscc"`
	Name     string `yaml:"name" validate:"required,max=100"`
	Short    string `yaml:"short" validate:"required,max=20"`
	Type     string `yaml:"type" validate:"required,oneof=bureau center department street"`
	Division string `yaml:"division" validate:"required,division"`
	Sample   bool   `yaml:"sample"`
}

type systemDoc struct {
	ID            string `yaml:"id" validate:"required,slug,max=40"`
	Name          string `yaml:"name" validate:"required,max=100"`
	Owner         string `yaml:"owner" validate:"required"`
	SecurityLevel int    `yaml:"security_level" validate:"min=0,max=5"`
	Note          string `yaml:"note" validate:"max=1000"`
	Sample        bool   `yaml:"sample"`
}

type dutyDoc struct {
	ID     string `yaml:"id" validate:"required,slug,max=40"`
	Name   string `yaml:"name" validate:"required,max=100"`
	Owner  string `yaml:"owner" validate:"required"`
	Basis  string `yaml:"basis" validate:"required,max=200"`
	Text   string `yaml:"text" validate:"required,max=2000"`
	Sample bool   `yaml:"sample"`
}

type datasetDoc struct {
	Code     string       `yaml:"code" validate:"required,table,max=40"`
	Title    string       `yaml:"title" validate:"required,max=100"`
	Version  uint32       `yaml:"version" validate:"required"`
	Catalog  string       `yaml:"catalog" validate:"required,catalog"`
	Owner    string       `yaml:"owner" validate:"required"`
	System   string       `yaml:"system" validate:"required"`
	Library  string       `yaml:"library" validate:"required,table,max=40"`
	Topic    string       `yaml:"topic" validate:"required,topic,max=200"`
	Format   string       `yaml:"format" validate:"required,oneof=json csv changes debezium canal maxwell avro json_schema protobuf"`
	Encoding string       `yaml:"encoding" validate:"omitempty,oneof=utf-8 gb18030"`
	Key      []string     `yaml:"key" validate:"min=1,unique"`
	History  *bool        `yaml:"history"` // default true, design invariant 5
	Cycle    string       `yaml:"cycle" validate:"required,cycle"`
	Grace    string       `yaml:"grace" validate:"omitempty,span"`
	Sample   bool         `yaml:"sample"`
	Baseline string       `yaml:"baseline" validate:"omitempty,datetime=2006-01-02"`
	Answers  string       `yaml:"unit_by" validate:"max=60"`
	Columns  []columnDoc  `yaml:"columns" validate:"min=1,max=500,dive"`
	Rules    []ruleDoc    `yaml:"rules" validate:"max=64,dive"`
	SetRules []setRuleDoc `yaml:"set_rules" validate:"max=64,dive"`
	Ways     []wayDoc     `yaml:"ways" validate:"max=16,dive"`
	Entry    entryDoc     `yaml:"entry"`
}

// wayDoc is one way beside Kafka in which a dataset is delivered; which fields a kind
// takes is checked in way.go.
type wayDoc struct {
	Kind       string            `yaml:"kind" validate:"required,oneof=table file http package"`
	Name       string            `yaml:"name" validate:"omitempty,slug,max=40"`
	Map        map[string]string `yaml:"map"`
	Encoding   string            `yaml:"encoding" validate:"omitempty,oneof=utf-8 gb18030"`
	Connection string            `yaml:"connection" validate:"omitempty,slug,max=40"`
	Table      string            `yaml:"table" validate:"max=200"`
	Mode       string            `yaml:"mode" validate:"omitempty,oneof=increment range compare"`
	Column     string            `yaml:"column" validate:"max=100"`
	Every      string            `yaml:"every" validate:"omitempty,span"`
	Hours      string            `yaml:"hours" validate:"omitempty,hours"`
	RowsPerSec int64             `yaml:"rows_per_sec" validate:"min=0"`
	Control    string            `yaml:"control" validate:"max=200"`
	Batch      string            `yaml:"batch" validate:"max=100"`
	Overlap    string            `yaml:"overlap"` // a span or a whole number
	MaxDelete  int64             `yaml:"max_delete" validate:"min=0,max=100"`
	Folder     string            `yaml:"folder" validate:"omitempty,slug,max=60"`
	Sheet      string            `yaml:"sheet" validate:"max=60"`
	Header     int               `yaml:"header" validate:"min=0,max=20"`
	Policy     string            `yaml:"policy" validate:"omitempty,oneof=all clean"`
}

type columnDoc struct {
	Name     string `yaml:"name" validate:"required,table,max=60"`
	Path     string `yaml:"path" validate:"max=200"`
	Title    string `yaml:"title" validate:"required,max=100"`
	Type     string `yaml:"type" validate:"required,oneof=string int decimal date datetime bool"`
	Length   int    `yaml:"length" validate:"min=0"`
	Scale    int    `yaml:"scale" validate:"min=0,max=18"`
	Required bool   `yaml:"required"`
	Unit     string `yaml:"unit" validate:"omitempty,oneof=ms us ns"` // of a datetime that Debezium writes as a number
	Codes    string `yaml:"codes"`
	Level    string `yaml:"level" validate:"required,oneof=L1 L2 L3 L4"`
	PI       string `yaml:"pi" validate:"omitempty,slug"`
}

type ruleDoc struct {
	ID        string            `yaml:"id" validate:"required,max=80"`
	Title     string            `yaml:"title" validate:"required,max=100"`
	Kind      string            `yaml:"kind" validate:"required"`
	Columns   []string          `yaml:"columns" validate:"min=1"`
	Params    map[string]string `yaml:"params"`
	Blocking  bool              `yaml:"blocking"`
	Indicator string            `yaml:"indicator" validate:"required,indicator"`
	When      string            `yaml:"when" validate:"max=2000"`
	Mostly    float64           `yaml:"mostly" validate:"min=0,max=1"`
	Resp      string            `yaml:"responsible" validate:"omitempty,oneof=市级 区级"`
}

type setRuleDoc struct {
	ID        string            `yaml:"id" validate:"required,max=80"`
	Title     string            `yaml:"title" validate:"required,max=100"`
	Kind      string            `yaml:"kind" validate:"required"`
	Columns   []string          `yaml:"columns"`
	Params    map[string]string `yaml:"params"`
	Indicator string            `yaml:"indicator" validate:"required,indicator"`
	When      string            `yaml:"when" validate:"max=2000"`
	Mostly    float64           `yaml:"mostly" validate:"min=0,max=1"`
	Blocking  bool              `yaml:"blocking"`
	Resp      string            `yaml:"responsible" validate:"omitempty,oneof=市级 区级"`
}

type entryDoc struct {
	Summary        string   `yaml:"summary" validate:"required,max=1000"`
	Duty           string   `yaml:"duty" validate:"required"`
	CatalogLevel   string   `yaml:"catalog_level" validate:"required,oneof=市级 区级补充"`
	Class          string   `yaml:"class" validate:"required,oneof=基础 主题 部门"`
	SourceMode     string   `yaml:"source_mode" validate:"required,oneof=履职收集 履职产生 委托第三方 上级回流 采购 融合加工"`
	Authoritative  bool     `yaml:"authoritative"`
	Format         string   `yaml:"format" validate:"required,oneof=数据库 电子表格 文件 接口 图像 流媒体 地理"`
	ShareType      string   `yaml:"share_type" validate:"required,oneof=无条件共享 有条件共享 不予共享"`
	ShareCondition string   `yaml:"share_condition" validate:"required_if=ShareType 有条件共享,max=500"`
	NoShareBasis   string   `yaml:"no_share_basis" validate:"required_if=ShareType 不予共享,max=500"`
	ShareModes     []string `yaml:"share_modes" validate:"unique,dive,oneof=接口查询 接口核验 批量交换 文件下载 消息订阅 数据回流"`
	OpenType       string   `yaml:"open_type" validate:"required,oneof=无条件开放 有条件开放 非开放"`
	OpenCondition  string   `yaml:"open_condition" validate:"required_if=OpenType 有条件开放,max=500"`
	Category       []string `yaml:"category"`
	Region         []string `yaml:"region" validate:"dive,division"`
	SecrecyReview  string   `yaml:"secrecy_review" validate:"required,max=80"`
	ImpactReview   string   `yaml:"impact_review" validate:"max=80"`
	ApprovedBy     string   `yaml:"approved_by" validate:"required,max=80"`
}

type scenarioDoc struct {
	Code       string     `yaml:"code" validate:"required,max=40"`
	Title      string     `yaml:"title" validate:"required,max=100"`
	Version    uint32     `yaml:"version" validate:"required"`
	Type       string     `yaml:"type" validate:"required,oneof=政务服务 监管执法 城市运行 公共服务 辅助决策"`
	Owner      string     `yaml:"owner" validate:"required"`
	Duty       string     `yaml:"duty" validate:"required"`
	Purpose    string     `yaml:"purpose" validate:"required,max=500"`
	Requesters []string   `yaml:"requesters" validate:"min=1,unique,dive,oneof=bureau center department street"`
	View       viewDoc    `yaml:"view"`
	Items      []itemDoc  `yaml:"items" validate:"min=1,dive"`
	Fixed      *whereDoc  `yaml:"fixed"`
	Scope      string     `yaml:"scope"`
	Modes      []string   `yaml:"modes" validate:"min=1,unique,dive,oneof=接口查询 接口核验 批量交换 文件下载 消息订阅 数据回流"`
	Legal      []legalDoc `yaml:"legal" validate:"min=1,dive"`
	Impact     string     `yaml:"impact_review" validate:"max=80"`
	RowsDay    int64      `yaml:"rows_day" validate:"min=1"`
	Retain     int        `yaml:"retain_days" validate:"min=1"`
	Term       int        `yaml:"term_days" validate:"min=1,max=1096"`
	Sample     bool       `yaml:"sample"`
}

type viewDoc struct {
	Base    string       `yaml:"base" validate:"required"`
	Lookups []lookupDoc  `yaml:"lookups" validate:"dive"`
	Derived []derivedDoc `yaml:"derived" validate:"dive"`
}

type lookupDoc struct {
	Name    string   `yaml:"name" validate:"required,table"`
	Dataset string   `yaml:"dataset" validate:"required"`
	Kind    string   `yaml:"kind" validate:"required,oneof=latest exists count"`
	On      []string `yaml:"on" validate:"min=1,unique"`
	OrderBy string   `yaml:"order_by" validate:"required_if=Kind latest"`
}

type derivedDoc struct {
	Name string `yaml:"name" validate:"required,table"`
	Kind string `yaml:"kind" validate:"required,oneof=age days_since"`
	From string `yaml:"from" validate:"required"`
	AsOf string `yaml:"as_of" validate:"required,asof"`
}

type itemDoc struct {
	Name  string            `yaml:"name" validate:"required"`
	Title string            `yaml:"title" validate:"required,max=100"`
	Mask  string            `yaml:"mask" validate:"required,mask"`
	Roles map[string]string `yaml:"roles" validate:"dive,keys,oneof=steward officer approver operator auditor system,endkeys,mask"`
}

type legalDoc struct {
	Law     string `yaml:"law" validate:"required,max=100"`
	Article string `yaml:"article" validate:"required,max=40"`
	Note    string `yaml:"note" validate:"max=200"`
}

type whereDoc struct {
	All   []whereDoc `yaml:"all"`
	Any   []whereDoc `yaml:"any"`
	Not   *whereDoc  `yaml:"not"`
	Field string     `yaml:"f"`
	Op    string     `yaml:"op"`
	Value any        `yaml:"v"`
}

type weightsDoc struct {
	Version    string             `yaml:"version" validate:"required,slug,max=40"`
	Title      string             `yaml:"title" validate:"required,max=100"`
	From       string             `yaml:"effective_from" validate:"required,datetime=2006-01-02"`
	Basis      string             `yaml:"basis" validate:"required,max=200"`
	Dimensions map[string]float64 `yaml:"dimensions" validate:"len=6,dive,keys,indicator,endkeys,min=0,max=1"`
	Indicators map[string]float64 `yaml:"indicators" validate:"dive,keys,indicator,endkeys,min=0,max=1"`
	// What follows is left out of the digest when it is not written (scheme.go).
	Grades       map[string]float64 `yaml:"grades" json:",omitempty" validate:"omitempty,len=4,dive,keys,oneof=优 良 中 及格,endkeys,gt=0,max=1"`
	Caps         *[]capDoc          `yaml:"caps" json:",omitempty" validate:"omitempty,max=10,dive"`
	OneFaultOnce bool               `yaml:"one_fault_once" json:",omitempty"`
	Departments  *departmentsDoc    `yaml:"departments" json:",omitempty"`
	Ranking      bool               `yaml:"ranking" json:",omitempty"`
}

var (
	tableForm   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	slugForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)
	topicForm   = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)
	catalogForm = regexp.MustCompile(`^\d{6}/[123]\d{3}/\d{6}$`)
	divForm     = regexp.MustCompile(`^\d{6}(\d{3}(\d{3})?)?$`)
	indForm     = regexp.MustCompile(`^0[1-6]\d{4}$`)
	hoursForm   = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$`)
	asofForm    = regexp.MustCompile(`^(today|\d{4}-\d{2}-\d{2})$`)
)

// words are the field rules validator does not have, by tag name.
var words = map[string]func(string) bool{
	"table":     tableForm.MatchString,
	"slug":      slugForm.MatchString,
	"topic":     topicForm.MatchString,
	"catalog":   catalogForm.MatchString,
	"division":  divForm.MatchString,
	"indicator": indForm.MatchString,
	"asof":      asofForm.MatchString,
	"hours":     hoursForm.MatchString,
	"uscc":      validUSCC,
	"cycle":     func(s string) bool { _, ok := cycles[s]; return ok },
	"span":      func(s string) bool { _, err := parseSpan(s); return err == nil },
	"mask":      func(s string) bool { _, ok := masks[s]; return ok },
}

// wordSay is what each of words demands, in Chinese.
var wordSay = map[string]string{
	"table":     "应为小写字母开头，只含小写字母、数字和下划线",
	"slug":      "应只含小写字母、数字和 . _ -",
	"topic":     "应只含字母、数字和 . _ -（Kafka 主题名）",
	"catalog":   "应形如 310107/3005/000001（区划/类与部门/序号）",
	"division":  "应为 6、9 或 12 位区划代码",
	"indicator": "应为 DB31/T 1523-2024 六位指标代码，如 030100",
	"hours":     "应形如 22:00-06:00（上海时间）",
	"asof":      "应为 today 或 YYYY-MM-DD",
	"uscc":      "应为 18 位统一社会信用代码且校验码正确（GB 32100-2015）",
	"cycle":     "应为 实时、每小时、每日、每周、每旬、每月、每季度、每半年、每年、不定期 之一",
	"span":      "应形如 12小时、3天 或 36h",
	"mask":      "应为 clear、name、id_no、phone、address、birth_year、age_band、yes_no、hide、token 之一",
}

const usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// validUSCC checks form and check character, GB 32100-2015.
func validUSCC(s string) bool {
	weights := [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}
	if len(s) != 18 {
		return false
	}
	sum := 0
	for i, w := range weights {
		at := strings.IndexByte(usccAlphabet, s[i])
		if at < 0 {
			return false
		}
		sum += at * w
	}
	return s[17] == usccAlphabet[(31-sum%31)%31]
}
