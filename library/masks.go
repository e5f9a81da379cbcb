package library

import (
	"fmt"
	"strings"

	"mulu"
	"mulu/plan"
)

// compoundSurnames (复姓) keep two characters under the name mask.
var compoundSurnames = strings.Fields(`欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连 澹台 皇甫 宗政 濮阳
	公冶 太叔 申屠 公孙 慕容 仲孙 钟离 长孙 宇文 司徒 鲜于 司空 闾丘 子车 亓官 司寇 巫马 公西 颛孙 壤驷 公良 漆雕 乐正 宰父 谷梁 拓跋
	夹谷 轩辕 令狐 段干 百里 呼延 东郭 南门 羊舌 微生 公户 公玉 公仪 梁丘 公仲 公上 公门 公山 公坚 左丘 公伯 西门 公祖 第五 公乘 贯丘
	公皙 南荣 东里 东宫 仲长 子书 子桑 即墨 达奚 褚师 吴铭`)

// Patterns of the address mask. A digit ends the search: what follows is a number
// of a lane, a house or a room. A 街道 is a division, not a street.
const (
	roadInStreet = `^[^0-9０-９]*?街道[^0-9０-９]*?(?:大道|路|街)`
	roadAlone    = `^[^0-9０-９]*?(?:大道|路|街)`
	districtOnly = `^[^0-9０-９]*?(?:[^小社园校厂街]区|县)`
)

// stray is an identity number or a mobile number that stands alone in a text.
const stray = `\\b[1-9]\\d{5}(?:18|19|20)\\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\\d|3[01])\\d{3}[\\dXx]\\b|\\b(?:86)?1[3-9]\\d{9}\\b`

// masked wraps the expression x of field f in mask m. Null stays null; hide is
// always null; every other value has an answer. Rules: domain convention, the
// masking defaults of the catalogue.
func (c *compiler) masked(m plan.Mask, x string, f plan.Field) string {
	if m == plan.Clear {
		return x
	}
	if m == plan.MaskHide {
		return "CAST(NULL AS Nullable(String))"
	}
	e := c.maskOf(m, x, f)
	if f.Nullable {
		return "if(" + x + " IS NULL, NULL, " + e + ")"
	}
	return e
}

func (c *compiler) maskOf(m plan.Mask, x string, f plan.Field) string {
	date := f.Type == mulu.Date || f.Type == mulu.DateTime
	switch m {
	case plan.MaskName:
		return fmt.Sprintf(`multiIf(%[1]s = '', '', lengthUTF8(%[1]s) = 1, '*',
			multiSearchAny(%[1]s, ['·', '•', '・', '‧']), concat(substringUTF8(%[1]s, 1, 1), '**'),
			lengthUTF8(%[1]s) > 2 AND substringUTF8(%[1]s, 1, 2) IN ('%[2]s'), concat(substringUTF8(%[1]s, 1, 2), if(lengthUTF8(%[1]s) = 3, '*', '**')),
			concat(substringUTF8(%[1]s, 1, 1), if(lengthUTF8(%[1]s) = 2, '*', '**')))`, x, strings.Join(compoundSurnames, "', '"))
	case plan.MaskID:
		return fmt.Sprintf(`if(lengthUTF8(%[1]s) > 8, concat(substringUTF8(%[1]s, 1, 3), repeat('*', lengthUTF8(%[1]s) - 7), substringUTF8(%[1]s, lengthUTF8(%[1]s) - 3)), repeat('*', lengthUTF8(%[1]s)))`, x)
	case plan.MaskPhone:
		return fmt.Sprintf(`multiIf(match(%[1]s, '^(?:\\+?86-?)?1[0-9]{10}$'), concat(substring(right(%[1]s, 11), 1, 3), '****', right(%[1]s, 4)),
			match(%[1]s, '^(?:0[0-9]{2,3}-?)?[0-9]{7,8}$'), concat(left(%[1]s, length(%[1]s) - 4), '****'), repeat('*', lengthUTF8(%[1]s)))`, x)
	case plan.MaskAddr:
		return fmt.Sprintf(`multiIf(%[1]s = '', '', match(%[1]s, '%[2]s'), concat(extract(%[1]s, '%[2]s'), '***'),
			position(%[1]s, '街道') = 0 AND match(%[1]s, '%[3]s'), concat(extract(%[1]s, '%[3]s'), '***'),
			match(%[1]s, '%[4]s'), concat(extract(%[1]s, '%[4]s'), '***'), '***')`, x, roadInStreet, roadAlone, districtOnly)
	case plan.MaskYear:
		if date {
			return "concat(toString(toYear(" + x + ")), '-**-**')"
		}
		return fmt.Sprintf(`if(match(%[1]s, '^[0-9]{4}'), concat(substring(%[1]s, 1, 4), '-**-**'), '****-**-**')`, x)
	case plan.MaskBand:
		age := x
		if date {
			age = c.age(x, "today")
		}
		return fmt.Sprintf("concat(toString(intDiv(greatest(assumeNotNull(%[1]s), 0), 5) * 5), '-', toString(intDiv(greatest(assumeNotNull(%[1]s), 0), 5) * 5 + 4))", age)
	case plan.MaskYesNo:
		switch f.Type {
		case mulu.String:
			return "if(lower(" + x + ") IN ('', '0', '否', '无', 'n', 'no', 'false'), '否', '是')"
		case mulu.Date, mulu.DateTime:
			return "'是'"
		}
		return "if(" + x + " = 0, '否', '是')"
	case plan.MaskStray:
		return "replaceRegexpAll(" + x + ", '" + stray + "', '***')"
	case plan.MaskToken:
		return "lower(hex(HMAC('sha256', toString(assumeNotNull(" + x + ")), unhex(" + c.tokenKey() + "))))"
	}
	// Unknown masks never pass validation; hide if one did.
	return "CAST(NULL AS Nullable(String))"
}
