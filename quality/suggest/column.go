package suggest

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mulu"
	"mulu/quality/codes"
	"mulu/quality/profile"
)

// mostlyFilled is the share of rows from which on an item is meant to be filled in.
const mostlyFilled = 2.0 / 3

func (s *scout) filled(c *profile.Column) {
	failing := c.Nulls + c.Placeholders
	if c.Filled() < mostlyFilled || s.conditional(c.Name) {
		return
	}
	why := fmt.Sprintf("%s在 %s 行中有 %s 行已填写（%s%%）", label(c), num(c.Rows), num(c.Values), points(c.Values, c.Rows))
	if c.Placeholders > 0 {
		why += fmt.Sprintf("，其中 %s 行是空文本或“不详”一类占位词", num(c.Placeholders))
	}
	confidence := 1.0
	if failing == 0 {
		confidence = 0.8 // nothing shows that it must be
	}
	s.add(Suggestion{Title: label(c) + "已填写", Kind: "not_null", Columns: []string{c.Name}, Blocking: strong(failing, c.Rows) && s.key(c.Name), Indicator: "020100",
		Source: FromFilled, Why: why, Judged: c.Rows, Failing: failing, Exact: true, Confidence: confidence})
}

// conditional says whether an item is filled in just when another has some value.
func (s *scout) conditional(name string) bool {
	return slices.ContainsFunc(s.p.Relations, func(r profile.Relation) bool { return r.Kind == profile.FilledWhen && r.Columns[0] == name })
}

func (s *scout) key(name string) bool {
	return len(s.p.Keys) > 0 && slices.Contains(s.p.Keys[0].Columns, name)
}

// rulesOf are the kinds of rule that judge a recognised item.
var rulesOf = map[string]struct {
	kind      string
	blocking  bool
	indicator string
	title     string
}{
	profile.IsCitizen:      {"gb11643", true, "030100", "公民身份号码正确（GB 11643）"},
	profile.IsCredit:       {"gb32100", true, "030100", "统一社会信用代码正确（GB 32100）"},
	profile.IsMobile:       {"mobile", false, "010102", "为手机号"},
	profile.IsRegistration: {"gbt17710", false, "030100", "工商注册号校验位正确（GB/T 17710）"},
	profile.IsBankCard:     {"bank_card", false, "030100", "校验位正确"},
	profile.IsDivision:     {"division", true, "010500", "为有效的行政区划代码"},
	profile.IsFoodLicence:  {"food_business", false, "010102", "为食品经营许可证编号"},
	profile.IsDisability:   {"disability_card", false, "030100", "为残疾人证号"},
	profile.IsTelephone:    {"landline", false, "010102", "为固定电话"},
	profile.IsPostcode:     {"postcode", false, "010102", "为邮政编码"},
	profile.IsPassport:     {"passport", false, "010102", "为护照或通行证号"},
	profile.IsEmail:        {"email", false, "010102", "为电子邮箱"},
	profile.IsAddress:      {"address", false, "010102", "写到道路和门牌"},
}

// least share of values in order from which on the rule of a recognised item is proposed.
const leastGood = 0.6

func (s *scout) identifier(c *profile.Column) {
	if c.Is == nil || c.Observed != mulu.String || c.Is.Share < leastGood {
		return
	}
	r, ok := rulesOf[c.Is.Kind]
	if !ok || c.Is.Kind == profile.IsDivision && byTable(c) {
		return
	}
	failing := c.Is.Values - c.Is.Good
	by := map[string]string{"content": "内容", "name": "名称", "both": "名称和内容"}[c.Is.By]
	s.add(Suggestion{Title: label(c) + strings.TrimPrefix(r.title, label(c)), Kind: r.kind, Columns: []string{c.Name}, Blocking: r.blocking && failing*50 <= c.Is.Values, Indicator: r.indicator,
		Source: FromChecksum, Why: fmt.Sprintf("由%s识别为%s：%s 个值中 %s%% 通过校验", by, c.Is.Title, num(c.Is.Values), points(c.Is.Good, c.Is.Values)),
		Judged: c.Is.Values, Failing: failing, Exact: true})
}

// byTable says whether a column of divisions is judged by a table rather than by the kind
// division: where the table fits better, and where old codes are right, as of a place
// of registration.
func byTable(c *profile.Column) bool {
	return len(c.Codes) > 0 && (c.Codes[0].Good > c.Is.Good || c.Codes[0].Table == codes.History && c.Codes[0].Good == c.Is.Good)
}

func (s *scout) codes(c *profile.Column) {
	if len(c.Codes) == 0 || c.Observed != mulu.String || c.Is != nil && c.Is.Kind == profile.IsDivision && !byTable(c) {
		return
	}
	fit := c.Codes[0]
	if fit.Share < leastGood {
		return
	}
	why := fmt.Sprintf("%s 个值中 %s%% 在代码表 %s 中", num(fit.Of), points(fit.Good, fit.Of), fit.Table)
	confidence := 0.9
	if fit.Named {
		why, confidence = why+"，名称也与之相符", 1
	}
	s.add(Suggestion{Title: label(c) + "在代码表中", Kind: "code", Columns: []string{c.Name}, Params: map[string]string{"table": fit.Table}, Indicator: "010500",
		Source: FromCodes, Why: why, Judged: fit.Of, Failing: fit.Of - fit.Good, Exact: true, Confidence: confidence})
}

// dates proposes that a date which is nearly always past always is.
func (s *scout) dates(c *profile.Column) {
	if c.Observed != mulu.Date && c.Observed != mulu.DateTime {
		return
	}
	failing := c.Secret.Future + c.Secret.Before
	if failing*50 > c.Values { // one in fifty is no slip
		return
	}
	s.add(Suggestion{Title: label(c) + "在 1900 年至当天之间", Kind: "date_range", Columns: []string{c.Name}, Params: map[string]string{"min": "1900-01-01", "max": "today"}, Blocking: strong(failing, c.Values),
		Indicator: "030200", Source: FromDates, Why: fmt.Sprintf("%s 个日期中 %s%% 不晚于探查当天（%s）", num(c.Values), points(c.Values-failing, c.Values), s.p.AsOf),
		Judged: c.Values, Failing: failing, Exact: true})
}

// plain are the classes that a code is written with.
const plain = "9Aa-/.():_#"

func (s *scout) shape(c *profile.Column) {
	if c.Observed != mulu.String || len(c.Codes) > 0 || len(c.Secret.Signature) == 0 || c.Is != nil && c.Is.Share >= leastGood {
		return
	}
	sig := c.Secret.Signature[0]
	if float64(sig.Count) < 0.85*float64(c.Values) || strings.Trim(sig.Classes, plain) != "" || !strings.Contains(sig.Classes, "9") {
		return
	}
	failing := c.Values - sig.Count
	confidence := 1.0
	for _, n := range sig.Lengths {
		if n[0] != n[1] {
			confidence *= 0.85
		}
	}
	if failing == 0 && confidence < 1 {
		return // any number fits: it says nothing
	}
	s.add(Suggestion{Title: label(c) + "格式一致", Kind: "pattern", Columns: []string{c.Name}, Params: map[string]string{"pattern": pattern(sig)}, Indicator: "010102",
		Source: FromShape, Why: fmt.Sprintf("%s 个值中 %s%% 写成同一种格式", num(c.Values), points(sig.Count, c.Values)), Judged: c.Values, Failing: failing, Exact: true, Confidence: confidence})
}

// pattern is the regular expression of a signature.
func pattern(sig profile.Signature) string {
	var b strings.Builder
	b.WriteByte('^')
	i := 0
	for _, r := range sig.Classes {
		n := sig.Lengths[i]
		i++
		switch r {
		case '9':
			b.WriteString(`\d`)
		case 'A':
			b.WriteString("[A-Z]")
		case 'a':
			b.WriteString("[a-z]")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
		switch {
		case n[0] != n[1]:
			fmt.Fprintf(&b, "{%d,%d}", n[0], n[1])
		case n[0] > 1:
			fmt.Fprintf(&b, "{%d}", n[0])
		}
	}
	b.WriteByte('$')
	return b.String()
}

// open says whether values of an item may stand in a proposal.
func (s *scout) open(c *profile.Column) bool {
	return c.Closed == "" || s.o.Values && c.Level == 0 && (c.Is == nil || c.Is.PI == "") && c.Chars.Personal == 0
}

// mostListed is how many values a proposed list has at most.
const mostListed = 20

// list proposes the values of an item that looks like a list of words. Values next to
// nobody has are taken for slips.
func (s *scout) list(c *profile.Column) {
	if !c.CodeLike || c.Observed != mulu.String || len(c.Codes) > 0 || c.Is != nil && rulesOf[c.Is.Kind].kind != "" || !s.open(c) {
		return
	}
	var values []string
	var listed int64
	for _, v := range c.Secret.Top {
		if v.Count*200 < c.Values {
			break
		}
		if strings.ContainsAny(v.Value, ",，。；、！？/") || len(values) == mostListed {
			return // sentences, or too many to be a list that somebody keeps
		}
		values, listed = append(values, v.Value), listed+v.Count
	}
	failing := c.Values - listed
	if len(values) < 2 || failing*50 > c.Values {
		return
	}
	s.add(Suggestion{Title: label(c) + "取值在列表中", Kind: "enum", Columns: []string{c.Name}, Params: map[string]string{"values": strings.Join(values, ",")}, Indicator: "010500",
		Source: FromValues, Why: fmt.Sprintf("%s 行只有 %d 种取值，%d 种占 %s%%", num(c.Values), c.Distinct.Count, len(values), points(listed, c.Values)),
		Judged: c.Values, Failing: failing, Exact: true})
}

// numbers proposes bounds: those that all values but far outliers keep.
func (s *scout) numbers(c *profile.Column) {
	if c.Observed != mulu.Int && c.Observed != mulu.Decimal || c.Range == nil && c.Secret.Judged == 0 {
		return
	}
	x := c.Secret
	// Numbers that are all different count something or name something.
	if x.Judged < 100 || x.Outside*50 > x.Judged || x.Inside[1] < x.Inside[0] || c.Observed == mulu.Int && c.Distinct.Count*10 > c.Values*9 {
		return
	}
	lo, hi := roomy(x.Inside[0], x.Inside[1], c.Observed == mulu.Int, c.Scale)
	if x.Orders {
		lo, hi = strconv.FormatFloat(magnitude(x.Inside[0]/2, math.Floor), 'f', -1, 64), strconv.FormatFloat(magnitude(x.Inside[1]*2, math.Ceil), 'f', -1, 64)
	}
	failing, exact := s.scaled(x.Outside)
	why, confidence := fmt.Sprintf("%s 个数中 %s%% 落在中间一半的三倍距离之内；边界放宽一成", num(x.Judged), points(x.Judged-x.Outside, x.Judged)), 1.0
	switch {
	case x.Outside == 0:
		confidence = 0.7
	case x.Orders:
		why = fmt.Sprintf("%s 个数中 %s%% 的数量级相近，其余相差很大，像是单位不同", num(x.Judged), points(x.Judged-x.Outside, x.Judged))
	}
	s.add(Suggestion{Title: label(c) + "在合理范围内", Kind: "range", Columns: []string{c.Name}, Params: map[string]string{"min": lo, "max": hi}, Indicator: "030200",
		Source: FromStatistics, Why: why, Judged: c.Values, Failing: failing, Exact: exact, Confidence: confidence})
}

// magnitude rounds to one digit, outwards.
func magnitude(x float64, round func(float64) float64) float64 {
	p := math.Pow10(int(math.Floor(math.Log10(x))))
	return round(x/p) * p
}

// roomy widens a range by a tenth and rounds it outwards; what is never negative stays so.
func roomy(lo, hi float64, whole bool, scale int) (string, string) {
	span := hi - lo
	if span == 0 {
		span = max(1, math.Abs(hi))
	}
	step := math.Pow10(int(math.Floor(math.Log10(span / 5))))
	if whole {
		step = max(1, step)
	}
	a, b := math.Floor((lo-span/10)/step)*step, math.Ceil((hi+span/10)/step)*step
	if whole && span <= 20 {
		a, b = lo, hi // a scale of few steps
	}
	if lo >= 0 {
		a = max(0, a)
	}
	digits := min(scale, max(0, -int(math.Floor(math.Log10(step)))))
	return trim(a, digits), trim(b, digits)
}

func trim(x float64, digits int) string {
	s := strconv.FormatFloat(x, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// characters proposes against what should not stand in a text, where a few texts have it.
func (s *scout) characters(c *profile.Column) {
	if c.Observed != mulu.String {
		return
	}
	for _, x := range []struct {
		kind, what, indicator string
		n                     int64
	}{
		{"trimmed", "首尾没有空格", "010102", c.Chars.Edges}, {"halfwidth", "没有全角字母和数字", "010102", c.Chars.FullWidth},
		{"no_control", "没有不可见字符", "010102", c.Chars.Invisible}, {"no_mojibake", "没有乱码", "030100", c.Chars.Mojibake},
		{"free_text", "没有证件号码和手机号", "010600", c.Chars.Personal},
	} {
		if x.n > 0 && x.n*10 <= c.Values {
			s.add(Suggestion{Title: label(c) + x.what, Kind: x.kind, Columns: []string{c.Name}, Indicator: x.indicator, Source: FromShape,
				Why: fmt.Sprintf("%s 个值中有 %s 个不是这样，其余都是", num(c.Values), num(x.n)), Judged: c.Values, Failing: x.n, Exact: true, Confidence: 0.95})
		}
	}
}

func (s *scout) names(c *profile.Column) {
	if c.Is == nil || c.Is.Kind != profile.IsName || c.Length == nil || c.Length.Max > 50 {
		return
	}
	s.add(Suggestion{Title: label(c) + " 2 至 50 个字", Kind: "length", Columns: []string{c.Name}, Params: map[string]string{"min": "2", "max": "50"}, Indicator: "010103",
		Source: FromShape, Why: "由" + map[string]string{"content": "内容", "name": "名称", "both": "名称和内容"}[c.Is.By] + "识别为姓名", Judged: c.Values, Exact: true, Confidence: 0.8})
}

// num writes a count with thousands apart.
func num(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
