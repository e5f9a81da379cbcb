package quality

import (
	"fmt"
	"regexp"
	"time"

	"mulu/quality/ident"
)

var checkParam = ParamInfo{Name: "check", Title: "校验位算法：不查，或 MOD 11,10", Type: ParamChoice, Default: "none", Choices: []string{"none", "mod11_10"}}

// licenceKinds judge the numbers of licences and cases. Where a standard's algorithm is
// not confirmed, its check is a parameter that is off.
var licenceKinds = []kind{
	textKind("food_business", "食品经营许可证编号", "010102", "JY、主体业态（1 至 3）和 13 位数字",
		foodLicence(ident.FoodBusiness, "应为 JY 加主体业态（1 销售、2 餐饮、3 单位食堂）加 13 位数字；请核对许可证"), checkParam),
	textKind("food_production", "食品生产许可证编号", "010102", "SC 和 14 位数字",
		foodLicence(ident.FoodProduction, "应为 SC 加 14 位数字；请核对许可证"), checkParam),
	textKind("medical_institution", "医疗机构登记号", "010103", "位数相符的数字和大写字母",
		compileMedical, ParamInfo{Name: "length", Title: "位数", Type: ParamInt, Default: "22"}),
	textKind("licence_id", "电子证照标识", "010102", "根标识后接类型、颁发机构、流水号、版本和校验，以点分隔",
		compileLicenceID, ParamInfo{Name: "root", Title: "根标识", Type: ParamText, Default: "1.2.156.3005.2"}, ParamInfo{Name: "parts", Title: "其后几段", Type: ParamInt, Default: "5"}),
	textKind("case_no", "办件号", "010102", "符合正则表达式；其中名为 date 的组是存在且不晚于当天的日期（8 位或 6 位），名为 dept 的组在 depts 中",
		compileCaseNo, ParamInfo{Name: "pattern", Title: `正则表达式，可含 (?P<date>\d{8}) 和 (?P<dept>\d{4})`, Type: ParamPattern, Required: true}, ParamInfo{Name: "depts", Title: "部门代码", Type: ParamList}),
}

func foodLicence(form func([]byte) bool, say string) func(*scope) (verdict, string, error) {
	return func(s *scope) (verdict, string, error) {
		check := s.param("check") == "mod11_10"
		s.reasons = []string{s.title() + say, s.title() + "的校验位不正确，有一位录错；请核对许可证"}
		col, skip := s.at[0], s.skip()
		return func(b *batch, fail bitmap) int64 {
			return textsWhy(b, col, fail, skip, func(_ int, v []byte) uint8 {
				if !form(v) {
					return 1
				}
				return when(check && !ident.Mod1110(v[2:]), 2)
			})
		}, s.reasons[0], nil
	}
}

func compileMedical(s *scope) (verdict, string, error) {
	n := int(s.intParam("length", 22))
	return onText(s, func(v []byte) bool { return len(v) == n && alphanumeric(v) }), fmt.Sprintf("%s应为 %d 位数字和大写字母；请核对执业许可证", s.title(), n), nil
}

func compileLicenceID(s *scope) (verdict, string, error) {
	m, err := compileMatcher(fmt.Sprintf(`^%s(\.[0-9A-Za-z]+){%d}$`, regexp.QuoteMeta(s.param("root")), s.intParam("parts", 5)))
	return onText(s, m), fmt.Sprintf("%s应为 %s 后接 %s 段，以点分隔；请核对电子证照", s.title(), s.param("root"), s.param("parts")), err
}

func compileCaseNo(s *scope) (verdict, string, error) {
	re, err := regexp.Compile(s.param("pattern"))
	if err != nil {
		return nil, "", err
	}
	date, dept, depts := re.SubexpIndex("date"), re.SubexpIndex("dept"), among(s.list("depts"))
	if s.given("depts") && dept < 0 {
		return nil, "", badParam("pattern", s.param("pattern"), "没有名为 dept 的组，参数 depts 无从对照")
	}
	s.reasons = []string{
		s.title() + "格式不符，应符合 " + s.param("pattern"),
		s.title() + "中的日期不存在或晚于当天；请核对办件系统",
		s.title() + "中的部门代码应为 " + s.param("depts") + " 之一；请核对办件系统",
	}
	col, skip := s.at[0], s.skip()
	return func(b *batch, fail bitmap) int64 {
		last := b.asOf.Format("20060102")
		return textsWhy(b, col, fail, skip, func(_ int, v []byte) uint8 {
			at := re.FindSubmatchIndex(v)
			switch {
			case at == nil:
				return 1
			case date >= 0 && !pastDay(group(v, at, date), last):
				return 2
			case s.given("depts") && !depts(group(v, at, dept)):
				return 3
			}
			return 0
		})
	}, s.reasons[0], nil
}

// group is one group of a match, nil if it took no part.
func group(v []byte, at []int, i int) []byte {
	if at[2*i] < 0 {
		return nil
	}
	return v[at[2*i]:at[2*i+1]]
}

// pastDay says whether 20060102 or 060102 is a day up to last.
func pastDay(v []byte, last string) bool {
	s := string(v)
	if len(s) == 6 {
		s = "20" + s
	}
	_, err := time.Parse("20060102", s)
	return err == nil && s <= last
}
