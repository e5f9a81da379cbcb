package file

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mulu"
)

// target is a column that a heading was taken for.
type target struct {
	at     int // of the heading
	column mulu.Column
	index  int
	key    bool
	fixed  int  // how many characters a value has, 0 if that is not fixed
	ident  bool // it names something: numbers, codes, telephones
	phone  bool
}

// lengths are what the kinds of rules say of a value's length.
var lengths = map[string]int{"gb11643": 18, "gb32100": 18, "gbt17710": 15}

// newTarget makes out what a column's values must be like from what is declared.
func newTarget(ds *mulu.Dataset, at, index int) target {
	t := target{at: at, column: ds.Columns[index], index: index}
	c := t.column
	t.key = slices.Contains(ds.Key, c.Name)
	if c.Type != mulu.String {
		return t
	}
	t.phone = c.PI == "phone"
	if c.Codes != "" || c.PI == "id_no" || endsIn(c.Title, "代码", "编码") {
		t.fixed = c.Length
	}
	for _, r := range ds.Rules {
		if len(r.Columns) != 1 || r.Columns[0] != c.Name {
			continue
		}
		switch {
		case lengths[r.Kind] > 0:
			t.fixed, t.ident = lengths[r.Kind], true
		case r.Kind == "mobile":
			t.phone = true
		case r.Kind == "fixed_length":
			t.fixed, _ = strconv.Atoi(r.Params["length"])
		case r.Kind == "length" && r.Params["min"] != "" && r.Params["min"] == r.Params["max"]:
			t.fixed, _ = strconv.Atoi(r.Params["min"])
		case r.Kind == "luhn":
			t.ident = true
		case r.Kind == "division" || r.Kind == "code":
			t.fixed = max(t.fixed, c.Length)
		}
	}
	t.ident = t.ident || t.fixed > 0 || t.phone || endsIn(c.Title, "号", "号码", "编号", "代码", "编码")
	return t
}

func endsIn(s string, ends ...string) bool {
	return slices.ContainsFunc(ends, func(e string) bool { return strings.HasSuffix(s, e) })
}

// how a value stands in JSON.
type how uint8

const (
	asNull how = iota
	asText
	asWritten // a number or truth value
)

// value is what a cell becomes.
type value struct {
	how        how
	text       string
	normalised bool   // the cell had another form, nothing is lost
	class      string // what is wrong with it, "" for nothing: text is then what was shown
	reason     string
}

func wrong(class, format string, args ...any) value {
	return value{class: class, reason: fmt.Sprintf(format, args...)}
}

// advice is how damage by Excel is mended.
const advice = "请把该列单元格格式设为“文本”，按原始凭证重新填写后重导"

// convert makes of a cell a value of its column.
func (r *Reader) convert(t *target, c *cell) value {
	v := r.judge(t, c)
	if v.class != "" {
		v.how, v.text, v.normalised = asText, r.shown(c), false
	} else if v.how == asText && strings.Contains(v.text, "\uFFFD") {
		v = wrong(ClassEncoding, "含有无法辨认的字符“\uFFFD”，原字符已丢失；请核对文件编码后重导")
		v.how, v.text = asText, r.shown(c)
	}
	return v
}

func (r *Reader) judge(t *target, c *cell) value {
	if c.merged {
		return wrong(ClassMerged, "在合并单元格内，只有第一格有值；请取消合并，把每一格填满后重导")
	}
	switch c.kind {
	case isBlank:
		if c.formula {
			return wrong(ClassFormula, "是公式，但文件里没有计算结果；请在 Excel 或 WPS 中打开，复制后“选择性粘贴为数值”，保存后重导")
		}
		return r.empty(t)
	case isError:
		return wrong(ClassError, "是错误值 %s；请改正公式或填写实际值后重导", c.text)
	case isText:
		return r.fromText(t, c.text)
	case isBool:
		if t.column.Type == mulu.Bool {
			return value{how: asWritten, text: strings.ToLower(c.text)}
		}
		return r.other(t, c.text)
	}
	if t.column.Type == mulu.String {
		return r.numberAsText(t, c)
	}
	return r.fromNumber(t, c)
}

// empty is what no value is.
func (r *Reader) empty(t *target) value {
	if t.key {
		return wrong(ClassEmpty, "是主键，不能为空")
	}
	return value{}
}

// other is a value that the column can not hold.
func (r *Reader) other(t *target, s string) value {
	if t.column.Type == mulu.String {
		return value{how: asText, text: s}
	}
	if wide(s) {
		return wrong(ClassFullWidth, "的值“%s”含全角字符；请改为半角后重导", clip(s, 40))
	}
	return wrong(ClassValue, "的值“%s”%s", clip(s, 40), r.expects(t))
}

// expects says what a column holds.
func (r *Reader) expects(t *target) string {
	switch t.column.Type {
	case mulu.Int:
		return "不是整数"
	case mulu.Decimal:
		return fmt.Sprintf("不是至多 18 位有效数字、%d 位小数的数", t.column.Scale)
	case mulu.Date:
		return "不是日期，应写作 2026-01-05、2026/1/5、20260105 或 2026年1月5日，且在 1900 至 2299 年之间"
	case mulu.DateTime:
		return "不是时间，应写作 2026-01-05 08:30:00，且在 1900 至 2299 年之间"
	}
	return "不是真假值，应写作 是/否、true/false 或 1/0"
}

// numberAsText judges a number in a column of texts: what the department typed is gone,
// and only a whole number that can not have lost anything is taken.
func (r *Reader) numberAsText(t *target, c *cell) value {
	f := c.format
	if f != nil && (f.date || f.clock) {
		return wrong(ClassDate, "存成了日期“%s”，应为文本；可能是 Excel 把“1-2”一类内容自动变成了日期；%s", r.shown(c), advice)
	}
	n, ok := numeralOf(c.text, c.typed)
	switch {
	case !ok:
		return wrong(ClassNumber, "存成了数字“%s”，无法还原为文本；%s", clip(c.text, 40), advice)
	case n.digits > exactDigits && !c.typed && n.significant <= 6:
		return wrong(ClassScientific, "存成了科学计数法的数字 %s，后面的数位已经丢失；%s", c.text, advice)
	case n.digits > exactDigits && !c.typed:
		return wrong(ClassRounded, "存成了 %d 位数字 %s，Excel 只保留前 15 位，其后已变成 0；%s", n.digits, n.plain, advice)
	case f != nil && f.percent || !n.whole:
		return wrong(ClassNumber, "存成了数字 %s，应为文本，原来的写法（如末尾的 0、百分号）无法还原；%s", n.plain, advice)
	case f != nil && f.zeros >= n.digits && !n.negative:
		return value{how: asText, text: strings.Repeat("0", f.zeros-n.digits) + n.plain, normalised: true}
	case t.phone && lostZero(n):
		return wrong(ClassZeros, "存成了数字 %s，区号前的 0 已丢失；%s", n.plain, advice)
	case t.fixed > 0 && n.digits < t.fixed:
		return wrong(ClassZeros, "存成了 %d 位数字 %s，应为 %d 位文本，前面的 0 可能已丢失；%s", n.digits, n.plain, t.fixed, advice)
	}
	if r.o.Check != nil && t.fixed == 0 {
		if ok, applies := r.o.Check(t.column, n.plain); applies && !ok {
			return wrong(ClassZeros, "存成了数字 %s，校验位不符，前面的 0 可能已丢失；%s", n.plain, advice)
		}
	}
	return value{how: asText, text: n.plain, normalised: true}
}

// lostZero says whether a telephone number as a number is neither a mobile number nor
// one without area code.
func lostZero(n numeral) bool {
	return !(n.digits == 11 && n.plain[0] == '1' || n.digits == 7 || n.digits == 8 || n.digits >= 3 && n.digits <= 5)
}

// excelDay is what Excel makes of 1-2 when it saves a CSV.
var excelDay = regexp.MustCompile(`^(\d{1,2}月\d{1,2}日|\d{1,2}-(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)|(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d{2})$`)

// fromText reads a text.
func (r *Reader) fromText(t *target, s string) value {
	normalised := false
	if len(s) > 3 && s[0] == '=' && s[1] == '"' && s[len(s)-1] == '"' && strings.Count(s, `"`) == 2 {
		s, normalised = s[2:len(s)-1], true // ="0123" keeps a CSV's text a text in Excel
	}
	cut := trim(s)
	if cut == "" {
		return r.empty(t)
	}
	if cut[0] == '#' && errorValues[cut] {
		return wrong(ClassError, "是错误值 %s；请改正公式或填写实际值后重导", cut)
	}
	if scientific(cut) {
		return wrong(ClassScientific, "是科学计数法“%s”，后面的数位已经丢失；%s", cut, advice)
	}
	if t.column.Type != mulu.String {
		v := r.typedText(t, cut)
		v.normalised = v.normalised || normalised
		return v
	}
	if !t.ident {
		return value{how: asText, text: s, normalised: normalised}
	}
	switch {
	case strings.ContainsFunc(cut, func(c rune) bool {
		return c >= 0xFF10 && c <= 0xFF19 || c >= 0xFF21 && c <= 0xFF3A || c >= 0xFF41 && c <= 0xFF5A
	}):
		return wrong(ClassFullWidth, "的值“%s”含全角字母或数字；请改为半角后重导", clip(cut, 40))
	case len(cut) <= len("12月31日") && strings.ContainsAny(cut, "-月") && excelDay.MatchString(cut):
		return wrong(ClassDate, "的值“%s”像是被 Excel 自动变成了日期；%s", cut, advice)
	case r.o.Check != nil && len(cut) > exactDigits && digits(cut) == len(cut) && strings.Trim(cut[exactDigits:], "0") == "":
		if ok, applies := r.o.Check(t.column, cut); applies && !ok {
			return wrong(ClassRounded, "的值“%s”第 15 位之后都是 0 且校验位不符，应是被 Excel 舍入；%s", cut, advice)
		}
	}
	return value{how: asText, text: cut, normalised: normalised || len(cut) != len(s)}
}

// typedText reads a text in a column that is none.
func (r *Reader) typedText(t *target, s string) value {
	switch t.column.Type {
	case mulu.Int, mulu.Decimal:
		plain, many := grouped(s)
		if !many {
			plain = strings.TrimPrefix(s, "+")
		}
		n, ok := numeralOf(plain, true)
		if !ok {
			return r.other(t, s)
		}
		v := r.fits(t, n, s)
		v.normalised = n.plain != s
		return v
	case mulu.Date:
		date, rest, ok := day(s)
		if ok && rest != "" {
			c, fine := timeOf(rest)
			ok = fine && strings.Trim(c, "0:.") == "" // midnight
		}
		if !ok {
			return r.other(t, s)
		}
		return value{how: asText, text: date, normalised: date != s}
	case mulu.DateTime:
		date, rest, ok := day(s)
		if ok && strings.TrimSpace(rest) != "" {
			var c string
			c, ok = timeOf(rest)
			date += " " + c
		}
		if !ok {
			return r.other(t, s)
		}
		return value{how: asText, text: date, normalised: date != strings.Replace(s, "T", " ", 1)}
	case mulu.Bool:
		switch strings.ToLower(s) {
		case "true", "是", "1":
			return value{how: asWritten, text: "true", normalised: s != "true"}
		case "false", "否", "0":
			return value{how: asWritten, text: "false", normalised: s != "false"}
		}
	}
	return r.other(t, s)
}

// fits gives a number to a column of numbers. shown is how the file has it.
func (r *Reader) fits(t *target, n numeral, shown string) value {
	whole, frac, _ := strings.Cut(strings.TrimPrefix(n.plain, "-"), ".")
	if whole == "0" {
		whole = ""
	}
	_, err := strconv.ParseInt(n.plain, 10, 64)
	fine := err == nil
	if t.column.Type == mulu.Decimal {
		fine = len(strings.TrimRight(frac, "0")) <= t.column.Scale && len(whole)+t.column.Scale <= 18
	}
	if !fine {
		return r.other(t, shown)
	}
	return value{how: asWritten, text: n.plain}
}

// fromNumber reads a number cell in a column that is no text.
func (r *Reader) fromNumber(t *target, c *cell) value {
	switch t.column.Type {
	case mulu.Date, mulu.DateTime:
		return r.numberAsTime(t, c)
	case mulu.Bool:
		switch c.text {
		case "1":
			return value{how: asWritten, text: "true", normalised: true}
		case "0":
			return value{how: asWritten, text: "false", normalised: true}
		}
		return r.other(t, c.text)
	}
	if f := c.format; f != nil && (f.date || f.clock) {
		return wrong(ClassDate, "存成了日期“%s”，应为数字；请把单元格格式改为“数值”并核对后重导", r.shown(c))
	} else if f != nil && f.percent {
		return wrong(ClassNumber, "是百分比格式（存储值 %s），无法判断应为 %s 还是其一百倍；请改为“数值”格式后重导", c.text, c.text)
	}
	n, ok := numeralOf(c.text, c.typed)
	if !ok {
		return r.other(t, c.text)
	}
	if n.digits > exactDigits && !c.typed {
		return wrong(ClassRounded, "是 %d 位数字 %s，Excel 只保留前 15 位，其后已变成 0；%s", n.digits, n.plain, advice)
	}
	v := r.fits(t, n, n.plain)
	v.normalised = n.plain != c.text
	return v
}

// numberAsTime reads a number cell in a column of dates or times: a serial with a date
// format, or digits that spell the day.
func (r *Reader) numberAsTime(t *target, c *cell) value {
	if f := c.format; f == nil || !f.date && !f.clock {
		if n, ok := numeralOf(c.text, true); ok && n.whole && (n.digits == 8 || n.digits == 14 && t.column.Type == mulu.DateTime) {
			if v := r.typedText(t, n.plain); v.class == "" {
				return v
			}
		}
		return wrong(ClassDate, "是数字 %s，没有日期格式，可能是 Excel 的日期序列号；请把单元格格式改为日期或按 2026-01-05 填写文本后重导", clip(c.text, 40))
	}
	at, ok := serialTime(c.text, r.since1904)
	if !ok || !yearHeld(at.Year()) || !c.format.date {
		return r.other(t, r.shown(c))
	}
	if t.column.Type == mulu.Date && (at.Hour() != 0 || at.Minute() != 0 || at.Second() != 0 || at.Nanosecond() != 0) {
		return r.other(t, writeTime(at, true, true))
	}
	return value{how: asText, text: writeTime(at, true, true)}
}

// shown is a cell as its file shows it, the digits of a number written out.
func (r *Reader) shown(c *cell) string { return shown(c, r.since1904) }

func shown(c *cell, since1904 bool) string {
	if c.kind != isNumber {
		return c.text
	}
	f := c.format
	if f != nil && (f.date || f.clock) {
		if at, ok := serialTime(c.text, since1904); ok {
			return writeTime(at, f.date, f.clock)
		}
	}
	n, ok := numeralOf(c.text, c.typed)
	if !ok || n.digits > 40 {
		return c.text
	}
	if f != nil && f.zeros > n.digits && n.whole && !n.negative {
		return strings.Repeat("0", f.zeros-n.digits) + n.plain
	}
	return n.plain
}

// clip bounds a text that is quoted.
func clip(s string, most int) string {
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
