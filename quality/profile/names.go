package profile

import (
	"strings"
	"unicode"
)

// words are what a name of a column may say: parts of a Chinese name, and whole parts
// of an English or pinyin name (between underscores, or at a capital letter).
type words struct {
	chinese []string
	latin   []string
	not     []string // parts of a Chinese name that speak against it
}

// speaks says whether the field's names say what the words mean.
func (w words) speaks(f Field) bool {
	text := f.Title + f.Name
	for _, n := range w.not {
		if strings.Contains(text, n) {
			return false
		}
	}
	for _, c := range w.chinese {
		if strings.Contains(text, c) {
			return true
		}
	}
	name := strings.ToLower(f.Name)
	parts := latinParts(f.Name)
	for _, l := range w.latin {
		if name == l || strings.ReplaceAll(name, "_", "") == strings.ReplaceAll(l, "_", "") {
			return true
		}
		if strings.Contains(l, "_") {
			if strings.HasPrefix(name, l+"_") || strings.HasSuffix(name, "_"+l) {
				return true
			}
			continue
		}
		for _, p := range parts {
			if p == l {
				return true
			}
		}
	}
	return false
}

// latinParts takes "liveAddr_code12" apart: live, addr, code.
func latinParts(name string) []string {
	var parts []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			parts = append(parts, strings.ToLower(b.String()))
			b.Reset()
		}
	}
	lower := false
	for _, r := range name {
		switch {
		case r >= 'A' && r <= 'Z':
			if lower {
				flush()
			}
			b.WriteRune(r)
			lower = false
		case r >= 'a' && r <= 'z':
			b.WriteRune(r)
			lower = true
		default:
			flush()
			lower = false
			if unicode.IsLetter(r) {
				continue
			}
		}
	}
	flush()
	return parts
}

// starts and ends are what names of a beginning and an end of a time or range say.
var (
	starts = words{chinese: []string{"开始", "起始", "起期", "成立", "签发", "发证", "受理", "提交", "出生", "最小", "下限"}, latin: []string{"start", "begin", "from", "issue", "found", "submit", "accept", "birth", "min", "low", "kssj", "ksrq", "csrq", "slsj", "fzrq", "clrq"}}
	ends   = words{chinese: []string{"结束", "终止", "截止", "止期", "到期", "有效期至", "办结", "死亡", "注销", "最大", "上限"}, latin: []string{"end", "to", "until", "expire", "expiry", "valid_to", "finish", "decide", "deliver", "death", "max", "high", "jssj", "jsrq", "jzrq", "yxqz", "bjsj", "swrq"}}
)

// tableWords are what names of columns of each code table say.
var tableWords = map[string]words{
	"sex_gbt2261_1":          {chinese: []string{"性别"}, latin: []string{"sex", "gender", "xb", "xbdm"}},
	"marital_gbt2261_2":      {chinese: []string{"婚姻"}, latin: []string{"marital", "marriage", "hyzk", "hyzkdm"}},
	"health_gbt2261_3":       {chinese: []string{"健康状况"}, latin: []string{"health", "jkzk", "jkzkdm"}, not: []string{"等级", "lv"}},
	"employment_gbt2261_4":   {chinese: []string{"从业", "就业状况"}, latin: []string{"employment", "cyzk", "cyzkdm"}},
	"nationality_gbt3304":    {chinese: []string{"民族"}, latin: []string{"nation", "ethnic", "ethnicity", "mz", "mzdm"}},
	"country_gbt2659":        {chinese: []string{"国籍", "国家"}, latin: []string{"country", "nationality", "gj", "gjdm"}},
	"education_gbt4658_2006": {chinese: []string{"学历", "文化程度"}, latin: []string{"education", "edu", "xl", "xldm", "whcd"}},
	"degree_gbt6864_2003":    {chinese: []string{"学位"}, latin: []string{"degree", "xw", "xwdm"}},
	"politics_gbt4762":       {chinese: []string{"政治面貌"}, latin: []string{"politics", "political", "zzmm", "zzmmdm"}},
	"family_gbt4761_2008":    {chinese: []string{"与户主关系", "家庭关系", "亲属关系"}, latin: []string{"rel", "relation", "relationship", "yhzgx", "jtgx"}},
	"hukou_ga324_1":          {chinese: []string{"户口类别", "户口性质", "户别"}, latin: []string{"hukou", "hklb", "hkxz"}},
	"industry_gbt4754_2017":  {chinese: []string{"行业"}, latin: []string{"industry", "hy", "hydm", "hyml"}},
	"industry_gbt4754_2011":  {chinese: []string{"行业"}, latin: []string{"industry", "hy", "hydm", "hyml"}},
	"gbt2260_history":        divisionWords,
	"division_putuo":         divisionWords,
	"division_town":          divisionWords,
	"uscc_dept":              {chinese: []string{"登记管理部门"}, latin: []string{"djglbm"}},
	"uscc_orgtype":           {chinese: []string{"机构类别"}, latin: []string{"jglb"}},
}

var sexWords = tableWords["sex_gbt2261_1"]

var divisionWords = words{chinese: []string{"区划", "居委", "街道代码", "街镇代码", "村居", "县级代码", "省级代码"}, latin: []string{"div", "division", "div6", "div9", "div12", "area_code", "qh", "qhdm", "xzqh", "xzqhdm", "jwdm", "jddm", "hjqh"}}
