package quality

import (
	"time"

	"mulu/quality/ident"
)

// firmKinds judge what identifies an organisation.
var firmKinds = []kind{
	textKind("gb32100", "统一社会信用代码", "030100", "GB 32100：18 位，自身和其中组织机构代码的两个校验码都正确",
		compileCredit, ParamInfo{Name: "prefixes", Title: "允许的前两位，如 91,92,93；table 为公布的全部类别", Type: ParamList},
		ParamInfo{Name: "division", Title: "第 3 至 8 位应是区划（含历史；总局登记的除外）", Type: ParamBool, Default: "false"}),
	textKind("gb11714", "组织机构代码", "030100", "GB 11714：9 位，校验码正确；校验码前的短横可有可无",
		compileOrgCode),
	textKind("gbt17710", "工商注册号", "030100", "15 位，GB/T 17710（ISO 7064 MOD 11,10）校验位正确",
		compileRegistration),
}

func compileCredit(s *scope) (verdict, string, error) {
	t := s.title()
	s.reasons = []string{
		t + "应为 18 位数字和大写字母（不含 I、O、S、V、Z）；请核对营业执照后在源系统更正",
		t + "的校验码（末位）不正确，有一位录错；请核对营业执照后在源系统更正",
		t + "中的组织机构代码（第 9 至 17 位）校验码不正确；请核对营业执照后在源系统更正",
		t + "的前两位（登记管理部门和机构类别）不在允许的范围；请核对是否填错了单位",
		t + "的第 3 至 8 位不是行政区划；请核对营业执照后在源系统更正",
	}
	list := s.list("prefixes")
	if len(list) == 1 && list[0] == "table" {
		table, err := s.tables.Table("uscc_orgtype")
		if err != nil {
			return nil, "", err
		}
		list = nil
		for _, c := range table.Codes(time.Time{}) {
			list = append(list, c.Code)
		}
	}
	for _, p := range list {
		if len(p) != 2 {
			return nil, "", badParam("prefixes", p, "应为两个字符，或只写 table")
		}
	}
	prefixed, anyPrefix, division := among(list), list == nil, s.flag("division")
	tables, col, skip := s.tables, s.at[0], s.skip()
	return func(b *batch, fail bitmap) int64 {
		known := memo(func(v string) bool { return v == "100000" || tables.Region(v, time.Time{}) })
		return textsWhy(b, col, fail, skip, func(_ int, v []byte) uint8 {
			if !ident.Credit(v) {
				return creditFault(v)
			}
			switch {
			case !anyPrefix && !prefixed(v[:2]):
				return 4
			case division && !known(v[2:8]):
				return 5
			}
			return 0
		})
	}, t + "不符合 GB 32100：应为 18 位，且两个校验码都要正确；请核对营业执照后在源系统更正", nil
}

// creditFault says what is wrong with a code that Credit refuses.
func creditFault(v []byte) uint8 {
	switch {
	case !ident.CreditForm(v):
		return 1
	case !ident.CreditDigit(v):
		return 2
	}
	return 3
}

func compileOrgCode(s *scope) (verdict, string, error) {
	return onText(s, func(v []byte) bool {
		if len(v) == 10 && v[8] == '-' {
			return ident.OrgCode([]byte{v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[9]})
		}
		return ident.OrgCode(v)
	}), s.title() + "不是有效的组织机构代码（GB 11714，8 位本体加校验码）；请核对证书", nil
}

func compileRegistration(s *scope) (verdict, string, error) {
	return onText(s, ident.Registration), s.title() + "不是有效的 15 位工商注册号（GB/T 17710 校验）；请核对旧营业执照", nil
}
