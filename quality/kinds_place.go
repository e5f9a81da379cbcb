package quality

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// putuo is a box around the district, by memory of the map: a default for the customer
// to correct.
var putuo = []ParamInfo{
	{Name: "min_lon", Title: "最西经度", Type: ParamNumber, Default: "121.32"}, {Name: "max_lon", Title: "最东经度", Type: ParamNumber, Default: "121.47"},
	{Name: "min_lat", Title: "最南纬度", Type: ParamNumber, Default: "31.20"}, {Name: "max_lat", Title: "最北纬度", Type: ParamNumber, Default: "31.31"},
}

// placeKinds judge where something is.
var placeKinds = []kind{
	textKind("division", "行政区划代码", "010500", "6、9 或 12 位区划代码在 at 所指的日期（不写为当天）有效，上级存在",
		compileDivision, ParamInfo{Name: "digits", Title: "允许的位数", Type: ParamList, Default: "6,9,12", Choices: []string{"6", "9", "12"}},
		ParamInfo{Name: "under", Title: "应在哪个区划之下，如 310107", Type: ParamText}, atParam),
	textKind("postcode", "邮政编码", "010102", "6 位数字，以所列之一开头",
		compilePostcode, ParamInfo{Name: "prefixes", Title: "开头，如 20（上海）；* 不限", Type: ParamList, Default: "20"},
		ParamInfo{Name: "known", Title: "只允许的邮编", Type: ParamList}),
	textKind("address", "地址形式", "010102", "地址写到道路（或村、新村、小区）和门牌（号或弄）；room: true 时写到室",
		compileAddress, ParamInfo{Name: "pattern", Title: "地址应符合的正则表达式", Type: ParamPattern, Default: `(路|街|大道|公路|道|巷|新村|村|小区|花园|苑|镇).*[0-9０-９一二三四五六七八九十]+(号|弄)`},
		ParamInfo{Name: "room", Title: "应写到室", Type: ParamBool, Default: "false"}),
	{KindInfo{Name: "geo_box", Title: "坐标范围", Says: "经度、纬度在矩形范围内", Indicator: "030200", Least: 2, Most: 2, Types: numeric, Roles: []string{"经度", "纬度"}, Params: putuo}, compileGeoBox},
	textKind("realty_unit", "不动产单元号", "010102", "位数相符，前 6 位是区划",
		compileRealtyUnit, ParamInfo{Name: "length", Title: "位数", Type: ParamInt, Default: "28"}, ParamInfo{Name: "division", Title: "前 6 位应是区划（含历史）", Type: ParamBool, Default: "true"}),
	textKind("realty_certificate", "不动产权证号", "010102", "形如 沪(2024)普字不动产权第000001号",
		compileRealtyCertificate, ParamInfo{Name: "pattern", Title: "证号应符合的正则表达式", Type: ParamPattern, Default: `^沪[(（]\d{4}[)）]普字不动产权第\d{6}号$`}),
}

func compileDivision(s *scope) (verdict, string, error) {
	lengths := map[int]bool{}
	for _, d := range s.list("digits") {
		n, err := strconv.Atoi(d)
		if err != nil {
			return nil, "", badParam("digits", d, "应为 6、9、12")
		}
		lengths[n] = true
	}
	under := s.param("under")
	digits := strings.Join(s.list("digits"), "、")
	s.reasons = []string{
		fmt.Sprintf("%s不是有效的行政区划代码（%s 位，上级须存在）；请核对区划表", s.title(), digits),
		s.title() + "应是 " + under + " 之下的区划；请核对",
		s.title() + "的区划代码在相应日期已撤销或尚未设立；请按当时的区划填写",
	}
	if s.param("at") == "" {
		s.rule.Params = withParam(s.rule.Params, "at", today)
	}
	judge, err := s.coded(func(v string, at time.Time) uint8 {
		if at.IsZero() || at.Year() > 2024 { // the history ends there: what was in use then still is
			at = time.Date(2024, 12, 31, 0, 0, 0, 0, beijing)
		}
		switch {
		case lengths[len(v)] && s.tables.Division(v, at):
			return when(!strings.HasPrefix(v, under), 2)
		case lengths[len(v)] && len(v) >= 6 && s.tables.Region(v[:6], time.Time{}) && !s.tables.Region(v[:6], at):
			return 3
		}
		return 1
	}, nil)
	return judge, s.reasons[0], err
}

// withParam is a copy of parameters with one more.
func withParam(params map[string]string, name, value string) map[string]string {
	out := map[string]string{name: value}
	for k, v := range params {
		out[k] = v
	}
	return out
}

func compilePostcode(s *scope) (verdict, string, error) {
	prefixes, known := s.list("prefixes"), s.list("known")
	listed := among(known)
	if len(prefixes) == 1 && prefixes[0] == "*" {
		prefixes = []string{""}
	}
	return onText(s, func(v []byte) bool {
		if len(v) != 6 || len(digitsOf(v)) != 6 || known != nil && !listed(v) {
			return false
		}
		for _, p := range prefixes {
			if strings.HasPrefix(string(v), p) {
				return true
			}
		}
		return false
	}), fmt.Sprintf("%s应为 6 位邮政编码，以 %s 开头；请核对", s.title(), s.param("prefixes")), nil
}

func compileAddress(s *scope) (verdict, string, error) {
	m, err := compileMatcher(s.param("pattern"))
	if err != nil {
		return nil, "", err
	}
	room, err := compileMatcher(`[0-9０-９A-Za-z](室|单元|层|楼)|[0-9０-９]$`)
	if err != nil {
		return nil, "", err
	}
	full := s.flag("room")
	s.reasons = []string{
		s.title() + "应写到道路和门牌（号或弄）；请按标准地址补全",
		s.title() + "应写到室；请按标准地址补全",
	}
	col, skip := s.at[0], s.skip()
	return func(b *batch, fail bitmap) int64 {
		return textsWhy(b, col, fail, skip, func(_ int, v []byte) uint8 {
			if !m(v) {
				return 1
			}
			return when(full && !room(v), 2)
		})
	}, s.reasons[0], nil
}

// compileGeoBox tells a point whose two numbers changed places from one elsewhere.
func compileGeoBox(s *scope) (verdict, string, error) {
	var box [2][2]decimal128.Num // longitude and latitude, from and to
	const scale = 18
	for i, name := range []string{"min_lon", "max_lon", "min_lat", "max_lat"} {
		v, ok := decimalAt(s.param(name), scale)
		if !ok {
			return nil, "", badParam(name, s.param(name), "应为数字")
		}
		box[i/2][i%2] = v
	}
	if box[0][0].Greater(box[0][1]) || box[1][0].Greater(box[1][1]) {
		return nil, "", errors.New("参数 min_lon 大于 max_lon，或 min_lat 大于 max_lat")
	}
	s.reasons = []string{
		fmt.Sprintf("%s应在经度 %s 至 %s、纬度 %s 至 %s 之内；请核对坐标和坐标系", s.titles(), s.param("min_lon"), s.param("max_lon"), s.param("min_lat"), s.param("max_lat")),
		s.titles() + "填反了；请对调经度和纬度",
	}
	in := func(v decimal128.Num, k int) bool { return !v.Less(box[k][0]) && !v.Greater(box[k][1]) }
	return func(b *batch, fail bitmap) (evaluated int64) {
		lon := scaledTo(b.rec.Column(s.at[0]), s.cols[0].Scale, scale)
		lat := scaledTo(b.rec.Column(s.at[1]), s.cols[1].Scale, scale)
		eachRow(b, s.at, func(i int) {
			evaluated++
			x, y := lon(i), lat(i)
			if in(x, 0) && in(y, 1) {
				return
			}
			fail.set(i)
			b.because(i, 1+when(in(y, 0) && in(x, 1), 1))
		})
		return evaluated
	}, s.reasons[0], nil
}

func compileRealtyUnit(s *scope) (verdict, string, error) {
	n, division, tables := int(s.intParam("length", 28)), s.flag("division"), s.tables
	col, skip := s.at[0], s.skip()
	s.reasons = []string{
		fmt.Sprintf("%s应为 %d 位数字和大写字母；请核对不动产登记簿", s.title(), n),
		s.title() + "的前 6 位不是行政区划；请核对不动产登记簿",
	}
	return func(b *batch, fail bitmap) int64 {
		known := memo(func(v string) bool { return tables.Region(v, time.Time{}) })
		return textsWhy(b, col, fail, skip, func(_ int, v []byte) uint8 {
			if len(v) != n || !alphanumeric(v) {
				return 1
			}
			return when(division && (len(v) < 6 || !known(v[:6])), 2)
		})
	}, s.reasons[0], nil
}

// alphanumeric says whether v is digits and capital letters.
func alphanumeric(v []byte) bool {
	for _, c := range v {
		if c-'0' > 9 && c-'A' > 25 {
			return false
		}
	}
	return len(v) > 0
}

func compileRealtyCertificate(s *scope) (verdict, string, error) {
	m, err := compileMatcher(s.param("pattern"))
	return onText(s, m), s.title() + "不是有效的不动产权证号；请核对证书，应符合 " + s.param("pattern"), err
}
