package profile

import (
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mulu/quality/codes"
	"mulu/quality/ident"
)

// recogniser knows what identifiers and other well-known items look like.
type recogniser struct {
	tables *codes.Tables
	asOf   time.Time
	kinds  []known
}

// known is one thing that a column can be recognised as.
type known struct {
	kind  string
	title string
	pi    string // kind of personal information, "" if it is none
	// share of the values that must be in order if the name says nothing.
	share float64
	holds func(v string) bool
	words words
	// least different values, so that a code list is not taken for names.
	distinct int64
}

// Recognised kinds that suggestions go by.
const (
	IsCitizen      = "id_no"
	IsCredit       = "credit"
	IsRegistration = "registration"
	IsMobile       = "mobile"
	IsTelephone    = "telephone"
	IsBankCard     = "bank_card"
	IsDivision     = "division"
	IsName         = "name"
	IsAddress      = "address"
	IsBirth        = "birth"
	IsFoodLicence  = "food_licence"
	IsDisability   = "disability"
	IsPassport     = "passport"
	IsPlate        = "plate"
	IsPostcode     = "postcode"
	IsEmail        = "email"
	IsLongitude    = "longitude"
	IsLatitude     = "latitude"
)

var (
	telephoneForm  = regexp.MustCompile(`^(0\d{2,3}-?)?[2-8]\d{6,7}(-\d{1,6})?$`)
	foodForm       = regexp.MustCompile(`^JY[123]\d{13}$`)
	disabilityForm = regexp.MustCompile(`^\d{17}[\dX][1-7][1-4](B\d)?$`)
	passportForm   = regexp.MustCompile(`^(E[A-HJ-NP-Z]\d{7}|[EGDSP]\d{8}|[HM]\d{8}(\d{2})?)$`)
	plateForm      = regexp.MustCompile(`^[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][A-HJ-NP-Z0-9]{5,6}$`)
	postcodeForm   = regexp.MustCompile(`^[0-8]\d{5}$`)
	addressForm    = regexp.MustCompile(`(路|街|道|弄|巷|村|镇|乡|里|坊|苑|区).*(号|室|弄|幢|栋|楼|单元|组)`)
)

// kinds in the order they are asked; the first that fits is what the column is.
func knownKinds(tables *codes.Tables, asOf time.Time) []known {
	year := asOf
	if year.Year() > 2024 {
		year = time.Date(2024, 12, 31, 0, 0, 0, 0, time.UTC) // where the history of divisions ends
	}
	bytesOf := func(f func([]byte) bool) func(string) bool { return func(v string) bool { return f([]byte(v)) } }
	return []known{
		{IsCitizen, "公民身份号码", "id_no", 0.5, bytesOf(ident.Citizen), words{chinese: []string{"身份证", "身份号码", "证件号"}, latin: []string{"id_no", "id_card", "idcard", "identity", "rep_id", "sfz", "sfzh", "sfzhm", "gmsfhm", "zjhm"}, not: []string{"残疾"}}, 2},
		{IsCredit, "统一社会信用代码", "", 0.5, bytesOf(ident.Credit), words{chinese: []string{"社会信用代码", "信用代码"}, latin: []string{"uscc", "credit_code", "tyshxydm", "shxydm", "xydm"}}, 2},
		{IsDisability, "残疾人证号", "health", 0.5, within(20, 22, disabilityForm), words{chinese: []string{"残疾人证", "残疾证"}, latin: []string{"dis_no", "cjzh", "cjrzh"}}, 2},
		{IsFoodLicence, "食品经营许可证编号", "", 0.5, within(16, 16, foodForm), words{chinese: []string{"食品经营许可", "许可证编号"}, latin: []string{"spxkz", "xkzbh"}}, 2},
		{IsMobile, "手机号", "phone", 0.7, bytesOf(ident.Mobile), words{chinese: []string{"手机", "移动电话", "联系电话", "联系方式"}, latin: []string{"mobile", "phone", "cell", "sj", "sjh", "sjhm", "lxdh", "lxfs"}}, 2},
		{IsPlate, "车牌号", "vehicle", 0.7, within(9, 10, plateForm), words{chinese: []string{"车牌", "号牌"}, latin: []string{"plate", "cph", "hphm"}}, 2},
		{IsPassport, "护照或通行证号", "id_no", 0.7, within(9, 11, passportForm), words{chinese: []string{"护照", "通行证"}, latin: []string{"passport", "hzh", "hzhm"}}, 2},
		{IsEmail, "电子邮箱", "email", 0.7, isEmail, words{chinese: []string{"邮箱", "邮件"}, latin: []string{"email", "mail", "dzyx"}}, 2},
		{IsBankCard, "银行卡号", "account", 0.8, func(v string) bool { return len(v) >= 16 && ident.Luhn([]byte(v)) }, words{chinese: []string{"银行卡", "银行账号", "银行账户", "卡号", "收款账"}, latin: []string{"acct_no", "card_no", "bank_card", "bank_no", "yhkh", "yhzh", "yhkzh"}}, 2},
		{IsRegistration, "工商注册号", "", 0.8, bytesOf(ident.Registration), words{chinese: []string{"注册号", "营业执照号"}, latin: []string{"reg_no", "zch", "yyzzh"}}, 2},
		{IsDivision, "行政区划代码", "", 0.7, func(v string) bool {
			return (len(v) == 6 || len(v) == 9 || len(v) == 12) && (tables.Division(v, year) || len(v) == 6 && tables.Region(v, time.Time{}))
		}, divisionWords, 1},
		{IsTelephone, "固定电话", "phone", 0.8, within(7, 20, telephoneForm), words{chinese: []string{"电话", "固话", "座机"}, latin: []string{"tel", "telephone", "dh", "dhhm", "gddh"}}, 2},
		{IsPostcode, "邮政编码", "", 2, within(6, 6, postcodeForm), words{chinese: []string{"邮编", "邮政编码"}, latin: []string{"zip", "postcode", "yb", "yzbm"}}, 1},
		{IsAddress, "地址", "address", 0.6, func(v string) bool { return len(v) >= 12 && v[0] >= utf8.RuneSelf && addressForm.MatchString(v) }, words{chinese: []string{"地址", "住址", "住所", "坐落"}, latin: []string{"addr", "address", "dz", "zz", "jzdz", "hjdz", "txdz"}, not: []string{"编码", "代码", "code"}}, 20},
		{IsName, "姓名", "name", 0.9, isName, words{chinese: []string{"姓名", "法定代表人", "负责人", "联系人", "走访人", "经办人", "户主"}, latin: []string{"xm", "full_name", "person", "legal_rep", "fddbr", "visitor", "inspector"}, not: []string{"身份", "号", "代码", "电话", "关系"}}, 30},
	}
}

// within asks a form only of texts of so many bytes.
func within(lo, hi int, form *regexp.Regexp) func(string) bool {
	return func(v string) bool { return len(v) >= lo && len(v) <= hi && form.MatchString(v) }
}

func isEmail(v string) bool {
	if strings.IndexByte(v, '@') < 1 {
		return false
	}
	a, err := mail.ParseAddress(v)
	return err == nil && a.Address == v
}

// surnames are the hundred and fifty most frequent ones, and the compound ones.
const surnames = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文庞樊殷施翟倪颜牛温季俞章鲁葛伍申尤毕聂柴焦柳邢路岳齐梅庄辛管祝左涂谷祁时舒耿牟卜詹关苗凌费纪靳盛童欧甄项曲成游阳裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵解强丛华车冉房边辜吉饶刁瞿戚丘古米池滕晋苑邬臧畅宫来嵺苟全褚廉简娄盖符奚木穆党燕郎邸冀谈姬屠连郜晏栾郁商蒙计喻揭窦迟宇敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞卞封竺冼原官衣楚佟栗匡宗应台巫鞠僧桑荆谌银扬明沙薄伏岑习胥保和蔺水云昌凤酆皮卞元平和"

var compoundSurnames = [...]string{"欧阳", "司马", "上官", "诸葛", "司徒", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "夏侯", "长孙", "宇文", "端木"}

// isName says whether a text looks like a person's name: two to four Han characters of
// which the first is a surname, or a name with a dot in it.
func isName(v string) bool {
	n, dot := 0, false
	for _, r := range v {
		switch {
		case unicode.Is(unicode.Han, r):
			n++
		case r == '·' || r == '•' || r == '*':
			dot = true
		default:
			return false
		}
	}
	if n == 0 || n > 12 || n > 4 && !dot {
		return false
	}
	if dot {
		return true
	}
	for _, c := range compoundSurnames {
		if strings.HasPrefix(v, c) && n > 2 {
			return true
		}
	}
	first, last := []rune(v)[0], []rune(v)[n-1]
	return n >= 2 && strings.ContainsRune(surnames, first) && !strings.ContainsRune("路街道镇村区市县乡局站所院校店厂", last)
}

// identify gives one bit for each kind that the value is in order for.
func (p *recogniser) identify(v string) (bits uint64) {
	if len(v) < 2 || len(v) > 400 {
		return 0
	}
	for i := range p.kinds {
		if p.kinds[i].holds(v) {
			bits |= 1 << i
		}
	}
	return bits
}

// recognise says what a column is, or nil: by its content first, and where the content
// does not decide, by its name.
func (p *recogniser) recognise(f Field, good []int64, values, distinct int64) *Identified {
	var byName *Identified
	for i, k := range p.kinds {
		named := k.words.speaks(f)
		if values == 0 && !named {
			continue
		}
		share := float64(good[i]) / float64(max(1, values))
		out := &Identified{Kind: k.kind, Title: k.title, Values: values, Good: good[i], Share: share, PI: k.pi, By: "content"}
		switch {
		case named && share >= 0.5:
			out.By = "both"
			return out
		case share >= k.share && values >= 20 && distinct >= k.distinct:
			return out
		case named && byName == nil:
			out.By = "name"
			byName = out
		}
	}
	return byName
}

// named are the kinds that a number or date is recognised as by its name and range.
var named = []struct {
	kind, title, pi string
	date            bool
	lo, hi          float64
	words           words
}{
	{IsLongitude, "经度", "", false, 73, 136, words{chinese: []string{"经度"}, latin: []string{"lon", "lng", "longitude", "jd"}}},
	{IsLatitude, "纬度", "", false, 3, 54, words{chinese: []string{"纬度"}, latin: []string{"lat", "latitude", "wd"}}},
	{IsBirth, "出生日期", "birth", true, -40_000, 40_000, words{chinese: []string{"出生", "生日"}, latin: []string{"birth", "birthday", "dob", "csrq", "csny"}}},
}

// recogniseNumber is recognise for numbers and dates; median is their middle.
func recogniseNumber(f Field, date bool, values int64, median float64) *Identified {
	for _, n := range named {
		if n.date == date && n.words.speaks(f) && (values == 0 || median >= n.lo && median <= n.hi) {
			return &Identified{Kind: n.kind, Title: n.title, By: "name", Values: values, Good: values, Share: 1, PI: n.pi}
		}
	}
	return nil
}
