package quality

import (
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"mulu"
	"mulu/quality/ident"
)

// personKinds judge what identifies a person.
var personKinds = []kind{
	textKind("gb11643", "公民身份号码", "030100", "GB 11643：18 位，区划（历史表）、出生日期和校验码正确；9 开头的外国人永久居留证和港澳台居民居住证可另行关闭",
		compileCitizen, ParamInfo{Name: "foreign", Title: "接受 9 开头的外国人永久居留证号码", Type: ParamBool, Default: "true"},
		ParamInfo{Name: "permits", Title: "接受港澳台居民居住证（81、82、83 开头）", Type: ParamBool, Default: "true"},
		ParamInfo{Name: "old15", Title: "接受 15 位旧号码", Type: ParamBool, Default: "false"},
		ParamInfo{Name: "lower_x", Title: "接受小写 x", Type: ParamBool, Default: "false"},
		ParamInfo{Name: "min_birth", Title: "最早出生日期", Type: ParamDay, Default: "1900-01-01"}),
	{KindInfo{Name: "birth_matches_id", Title: "出生日期与身份号码一致", Says: "出生日期与身份号码一致；号码本身有误时不判断", Indicator: "040201", Least: 2, Most: 2, Types: [][]mulu.Type{{mulu.Date}, {mulu.String}}, Roles: []string{"出生日期", "身份号码"}}, compileBirthMatches},
	{KindInfo{Name: "sex_matches_id", Title: "性别与身份号码一致", Says: "性别（1、2）与身份号码一致；其他取值不判断", Indicator: "040201", Least: 2, Most: 2, Types: text, Roles: []string{"性别", "身份号码"}}, compileSexMatches},
	textKind("mobile", "手机号", "010102", "11 位手机号，且不是 13800138000、同一数字重复一类的占位号码",
		compileMobile, ParamInfo{Name: "strip", Title: "先去掉 +86、空格和短横再判断", Type: ParamBool, Default: "false"},
		ParamInfo{Name: "refuse", Title: "另外不允许的号码", Type: ParamList}),
	textKind("landline", "固定电话", "010102", "固定电话，可带区号和分机",
		compileLandline, ParamInfo{Name: "area", Title: "区号", Type: ParamText, Default: "021"}, ParamInfo{Name: "digits", Title: "号码位数", Type: ParamInt, Default: "8"},
		ParamInfo{Name: "mobile", Title: "手机号也可以", Type: ParamBool, Default: "false"}),
	textKind("passport", "护照和通行证", "010102", "所列证件之一的号码",
		compilePassport, ParamInfo{Name: "documents", Title: "哪些证件：普通护照、港澳居民通行证、台湾居民通行证", Type: ParamList, Default: "passport,hongkong_macao,taiwan", Choices: []string{"passport", "hongkong_macao", "taiwan"}},
		ParamInfo{Name: "also", Title: "另外接受的号码（正则表达式），如外国护照", Type: ParamPattern}),
	textKind("disability_card", "残疾人证号", "030100", "18 位身份号码加类别（1 至 7）、等级（1 至 4），补证的再加 B 和一位数字；其中的身份号码正确",
		compileDisability),
	textKind("bank_card", "银行卡号", "030100", "位数在范围内，且校验位（Luhn）正确",
		compileBankCard, ParamInfo{Name: "min", Title: "最少位数", Type: ParamInt, Default: "13"}, ParamInfo{Name: "max", Title: "最多位数", Type: ParamInt, Default: "19"},
		ParamInfo{Name: "strip", Title: "先去掉空格再判断", Type: ParamBool, Default: "false"}),
	textKind("luhn", "卡号校验位", "030100", "13 至 19 位，校验位（Luhn）正确",
		compileLuhn),
}

// What can be wrong with a citizen number, as its reasons count.
const (
	idForm = 1 + iota
	idOld
	idLower
	idBirth
	idRange
	idRegion
	idCheck
	idForeign
	idPermit
)

func compileCitizen(s *scope) (verdict, string, error) {
	t := s.title()
	earliest, from := s.dayParam("min_birth", firstDay)
	s.reasons = []string{
		idForm - 1:    t + "应为 18 位：17 位数字加一位数字或大写 X；请核对证件后在源系统更正",
		idOld - 1:     t + "是 15 位旧号码（2013 年起停用）；请换成证件上的 18 位号码",
		idLower - 1:   t + "末位是小写 x；请改为大写 X",
		idBirth - 1:   t + "中的出生日期（第 7 至 14 位）不存在；请核对证件后在源系统更正",
		idRange - 1:   t + "中的出生日期应在 " + from + " 至当天之间；请核对证件后在源系统更正",
		idRegion - 1:  t + "的前 6 位不是任何时期的行政区划；请核对证件后在源系统更正",
		idCheck - 1:   t + "的校验码不正确，有一位录错；请核对证件后在源系统更正",
		idForeign - 1: t + "是外国人永久居留证号码，本数据项不接受",
		idPermit - 1:  t + "是港澳台居民居住证号码，本数据项不接受",
	}
	reason := t + "不符合 GB 11643：应为 18 位，出生日期、行政区划和校验码都要正确；请核对证件后在源系统更正"
	tables, col, skip := s.tables, s.at[0], s.skip()
	foreign, permits, old15, lower := s.flag("foreign"), s.flag("permits"), s.flag("old15"), s.flag("lower_x")
	return func(b *batch, fail bitmap) int64 {
		known := memo(func(v string) bool { return tables.Region(v, time.Time{}) })
		first, last := earliest.date(b).Format("20060102"), b.asOf.Format("20060102")
		return textsWhy(b, col, fail, skip, func(_ int, v []byte) uint8 {
			if len(v) == 15 && ident.CitizenOld(v) && known(v[:6]) {
				return when(!old15, idOld)
			}
			if !ident.CitizenNumber(v) {
				if code := citizenFault(v); code != idLower || !lower {
					return code
				}
			}
			switch born := v[6:14]; {
			case string(born) < first || string(born) > last:
				return idRange
			case v[0] == '9':
				return when(!foreign, idForeign)
			case !permits && v[0] == '8':
				return idPermit
			case !known(v[:6]):
				return idRegion
			}
			return 0
		})
	}, reason, nil
}

func when(yes bool, code uint8) uint8 {
	if yes {
		return code
	}
	return 0
}

// citizenFault says what is wrong with a number that CitizenNumber refuses.
func citizenFault(v []byte) uint8 {
	switch {
	case !ident.CitizenForm(v):
		return idForm
	case !ident.CitizenDate(v):
		return idBirth
	case v[17] == 'x':
		var upper [18]byte
		copy(upper[:], v)
		upper[17] = 'X'
		return idCheck - when(ident.CitizenNumber(upper[:]), idCheck-idLower)
	}
	return idCheck
}

func compileBirthMatches(s *scope) (verdict, string, error) {
	birth, id := s.at[0], s.at[1]
	return func(b *batch, fail bitmap) (evaluated int64) {
		dates, ids := b.rec.Column(birth).(*array.Date32), b.rec.Column(id).(*array.String)
		born := dates.Date32Values()
		eachText(b, ids, func(i int, v []byte) {
			if dates.IsNull(i) {
				return
			}
			y, m, d, ok := ident.CitizenBirth(v)
			if !ok {
				return // the number itself is at fault, by another rule
			}
			evaluated++
			if int64(born[i]) != days(y, m, d) {
				fail.set(i)
			}
		})
		return evaluated
	}, s.title() + "与" + titleOf(s.cols[1]) + "中的出生日期不一致；请核对证件后改正有误的一项", nil
}

func compileSexMatches(s *scope) (verdict, string, error) {
	sex, id := s.at[0], s.at[1]
	return func(b *batch, fail bitmap) (evaluated int64) {
		sexes, ids := b.rec.Column(sex).(*array.String), b.rec.Column(id).(*array.String)
		eachText(b, ids, func(i int, v []byte) {
			want, ok := ident.CitizenSex(v)
			got, there := textOf(sexes, i)
			if !ok || !there || len(got) != 1 || (got[0] != '1' && got[0] != '2') {
				return
			}
			evaluated++
			if got[0] != want {
				fail.set(i)
			}
		})
		return evaluated
	}, s.title() + "与" + titleOf(s.cols[1]) + "中的性别（第 17 位，单数为男）不一致；请核对证件后改正有误的一项", nil
}

// without leaves out bytes of a value, in a buffer of its own.
func without(drop string) func(v []byte) []byte {
	var gone [256]bool
	for i := range len(drop) {
		gone[drop[i]] = true
	}
	return func(v []byte) []byte {
		out := make([]byte, 0, 24)
		for _, c := range v {
			if !gone[c] {
				out = append(out, c)
			}
		}
		return out
	}
}

// bare strips what people write around a mobile number.
func bare(v []byte) []byte {
	v = without(" -")(v)
	for _, prefix := range []string{"+86", "0086", "86"} {
		if len(v) == 11+len(prefix) && string(v[:len(prefix)]) == prefix {
			return v[len(prefix):]
		}
	}
	return v
}

func compileMobile(s *scope) (verdict, string, error) {
	refused, strip := among(s.list("refuse")), s.flag("strip")
	s.reasons = []string{
		s.title() + "不是有效的手机号（11 位，1 开头）；请联系本人核实后更正",
		s.title() + "是占位号码；请联系本人核实后更正，没有则留空",
	}
	col, skip := s.at[0], s.skip()
	return func(b *batch, fail bitmap) int64 {
		return textsWhy(b, col, fail, skip, func(_ int, v []byte) uint8 {
			if strip && len(v) > 11 {
				v = bare(v)
			}
			if ident.Mobile(v) && !refused(v) {
				return 0
			}
			return 1 + when(ident.MobileForm(v) || refused(v), 1)
		})
	}, s.reasons[0], nil
}

func compileLandline(s *scope) (verdict, string, error) {
	area, n, mobile := s.param("area"), int(s.intParam("digits", 8)), s.flag("mobile")
	say := fmt.Sprintf("%s不是有效的固定电话（%s 后接 %d 位，分机前加短横）", s.title(), area, n)
	if mobile {
		say += "或手机号"
	}
	return onText(s, func(v []byte) bool { return ident.Landline(v, area, n) || mobile && ident.Mobile(v) }), say + "；请核实后更正", nil
}

// documents are the numbers of passport and its family, by name.
var documents = map[string]struct {
	title string
	ok    func([]byte) bool
}{
	"passport":       {"普通护照", ident.Passport},
	"hongkong_macao": {"港澳居民来往内地通行证", ident.HongKongMacao},
	"taiwan":         {"台湾居民来往大陆通行证", ident.Taiwan},
}

func compilePassport(s *scope) (verdict, string, error) {
	var each []func([]byte) bool
	say := s.title() + "不是有效的证件号码（"
	for i, name := range s.list("documents") {
		each = append(each, documents[name].ok)
		if i > 0 {
			say += "、"
		}
		say += documents[name].title
	}
	if s.given("also") {
		m, err := compileMatcher(s.param("also"))
		if err != nil {
			return nil, "", err
		}
		each = append(each, m)
	}
	return onText(s, func(v []byte) bool {
		for _, ok := range each {
			if ok(v) {
				return true
			}
		}
		return false
	}), say + "）；请核对证件", nil
}

func compileDisability(s *scope) (verdict, string, error) {
	tables, col, skip := s.tables, s.at[0], s.skip()
	s.reasons = []string{
		s.title() + "应为 20 位：身份号码、类别（1 至 7）、等级（1 至 4），补证的另加 B 和一位数字；请核对残疾人证",
		s.title() + "中的身份号码有误；请核对残疾人证和身份证",
	}
	return func(b *batch, fail bitmap) int64 {
		known := memo(func(v string) bool { return v[0] == '9' || tables.Region(v, time.Time{}) })
		return textsWhy(b, col, fail, skip, func(_ int, v []byte) uint8 {
			switch {
			case ident.Disability(v) && known(v[:6]):
				return 0
			case len(v) == 20 || len(v) == 22:
				return 1 + when(!ident.Citizen(v[:18]) || !known(v[:6]), 1)
			}
			return 1
		})
	}, s.reasons[0], nil
}

func compileBankCard(s *scope) (verdict, string, error) {
	lo, hi, strip, drop := int(s.intParam("min", 13)), int(s.intParam("max", 19)), s.flag("strip"), without(" ")
	if lo > hi {
		return nil, "", fmt.Errorf("参数 min=%d 大于 max=%d", lo, hi)
	}
	return onText(s, func(v []byte) bool {
		if strip {
			v = drop(v)
		}
		return len(v) >= lo && len(v) <= hi && ident.LuhnDigit(v)
	}), fmt.Sprintf("%s应为 %d 至 %d 位数字，且校验位正确；请核对卡号", s.title(), lo, hi), nil
}

func compileLuhn(s *scope) (verdict, string, error) {
	return onText(s, ident.Luhn), s.title() + "校验位不正确；请核对卡号", nil
}
