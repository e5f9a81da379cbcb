package quality

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// formatKinds judge texts that are something of their own: addresses of the net, JSON,
// numbers and dates written as text. Placeholders are left out under a soft rule.
var formatKinds = []kind{
	textKind("number_text", "数字文本", "010101", "文本是一个数",
		compileNumberText, ParamInfo{Name: "form", Title: "整数、小数，还是也可用科学计数", Type: ParamChoice, Default: "decimal", Choices: []string{"int", "decimal", "number"}},
		ParamInfo{Name: "digits", Title: "整数部分至多几位，不写不限", Type: ParamInt},
		ParamInfo{Name: "scale", Title: "小数部分至多几位，不写不限", Type: ParamInt},
		ParamInfo{Name: "sign", Title: "可以为负", Type: ParamBool, Default: "true"}),
	textKind("date_text", "日期文本", "010102", "文本是存在的日期，格式为所列之一，且不是 1900-01-01 一类的占位日期",
		compileDateText, dateTextParams("YYYY-MM-DD,YYYYMMDD")...),
	textKind("datetime_text", "日期时间文本", "010102", "文本是存在的日期时间，格式为所列之一",
		compileDateText, dateTextParams("YYYY-MM-DDThh:mm:ss,YYYY-MM-DDThh:mm:ssZ,YYYY-MM-DD hh:mm:ss")...),
	textKind("url", "网址", "010102", "完整的网址",
		compileURL, ParamInfo{Name: "schemes", Title: "协议", Type: ParamList, Default: "http,https"}),
	textKind("email", "电子邮箱", "010102", "一个电子邮箱地址",
		compileEmail),
	textKind("ip", "IP 地址", "010102", "IPv4 或 IPv6 地址",
		compileIP, ParamInfo{Name: "version", Title: "版本", Type: ParamChoice, Default: "any", Choices: []string{"any", "4", "6"}}),
	textKind("uuid", "UUID", "010102", "8-4-4-4-12 个十六进制数字",
		compileUUID),
	textKind("json", "JSON", "010102", "一段完整的 JSON",
		compileJSON, ParamInfo{Name: "type", Title: "应是对象、数组还是任意", Type: ParamChoice, Default: "any", Choices: []string{"any", "object", "array"}}),
	textKind("json_member", "JSON 成员", "010102", "JSON 对象中有所列的成员，且不是 null",
		compileJSONMember, ParamInfo{Name: "members", Title: "成员名，各层以点分隔", Type: ParamList, Required: true}),
	textKind("json_schema", "JSON 模式", "010102", "JSON 符合所给的 JSON Schema",
		compileJSONSchema, ParamInfo{Name: "schema", Title: "JSON Schema", Type: ParamText, Required: true}),
}

// numeral is a number taken apart: digits before and after the point, and whether it has
// a sign, a point or an exponent.
type numeral struct {
	whole, fraction               int
	negative, pointed, scientific bool
}

// parseNumeral reads [+-]digits[.digits][e[+-]digits].
func parseNumeral(v []byte) (n numeral, ok bool) {
	if len(v) > 0 && (v[0] == '-' || v[0] == '+') {
		n.negative = v[0] == '-'
		v = v[1:]
	}
	n.whole = len(digitsOf(v))
	v = v[n.whole:]
	if len(v) > 0 && v[0] == '.' {
		n.pointed = true
		n.fraction = len(digitsOf(v[1:]))
		v = v[1+n.fraction:]
	}
	if n.whole == 0 || n.pointed && n.fraction == 0 {
		return n, false
	}
	if len(v) > 1 && (v[0] == 'e' || v[0] == 'E') {
		n.scientific = true
		v = v[1:]
		if v[0] == '-' || v[0] == '+' {
			v = v[1:]
		}
		e := len(digitsOf(v))
		return n, e > 0 && e <= 3 && e == len(v)
	}
	return n, len(v) == 0
}

func digitsOf(v []byte) []byte {
	n := 0
	for n < len(v) && v[n]-'0' <= 9 {
		n++
	}
	return v[:n]
}

func compileNumberText(s *scope) (verdict, string, error) {
	form, sign := s.param("form"), s.flag("sign")
	whole, fraction := int(s.intParam("digits", 1<<30)), int(s.intParam("scale", 1<<30))
	ok := func(v []byte) bool {
		n, ok := parseNumeral(v)
		return ok && n.whole <= whole && n.fraction <= fraction && (sign || !n.negative) &&
			(form != "int" || !n.pointed) && (form == "number" || !n.scientific)
	}
	skip := s.skip()
	if skip != nil { // 0 is a placeholder elsewhere and a number here
		placeholder := skip
		skip = func(v []byte) bool { return !ok(v) && placeholder(v) }
	}
	col := s.at[0]
	name := map[string]string{"int": "整数", "decimal": "小数或整数", "number": "数"}[form]
	reason := s.title() + "应为" + name + "，不带千分位、单位和空格"
	if s.given("digits") || s.given("scale") {
		reason += fmt.Sprintf("（整数部分至多 %s 位，小数部分至多 %s 位）", orAny(s.param("digits")), orAny(s.param("scale")))
	}
	return func(b *batch, fail bitmap) int64 { return texts(b, col, fail, skip, ok) }, reason, nil
}

func compileURL(s *scope) (verdict, string, error) {
	schemes := among(s.list("schemes"))
	return onText(s, func(v []byte) bool {
		u, err := url.Parse(string(v))
		return err == nil && u.Host != "" && !bytes.ContainsAny(v, " \t\r\n") && schemes([]byte(strings.ToLower(u.Scheme)))
	}), fmt.Sprintf("%s应为完整的网址，以 %s:// 开头", s.title(), strings.Join(s.list("schemes"), ":// 或 ")), nil
}

func compileEmail(s *scope) (verdict, string, error) {
	return onText(s, func(v []byte) bool {
		a, err := mail.ParseAddress(string(v))
		if err != nil || a.Address != string(v) { // a name beside it is not an address
			return false
		}
		_, host, _ := strings.Cut(a.Address, "@")
		return strings.Contains(host, ".") && !strings.HasPrefix(host, "[")
	}), s.title() + "不是有效的电子邮箱地址，应形如 用户名@域名", nil
}

func compileIP(s *scope) (verdict, string, error) {
	version := s.param("version")
	return onText(s, func(v []byte) bool {
		a, err := netip.ParseAddr(string(v))
		return err == nil && (version == "any" || version == "4" && a.Is4() || version == "6" && a.Is6())
	}), s.title() + "不是有效的 IP 地址" + map[string]string{"any": "", "4": "（IPv4）", "6": "（IPv6）"}[version], nil
}

func compileUUID(s *scope) (verdict, string, error) {
	m, err := compileMatcher(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	return onText(s, m), s.title() + "不是 UUID，应形如 8-4-4-4-12 个十六进制数字", err
}

func compileJSON(s *scope) (verdict, string, error) {
	first := map[string]byte{"object": '{', "array": '['}[s.param("type")]
	return onText(s, func(v []byte) bool {
		t := bytes.TrimLeft(v, " \t\r\n")
		return len(t) > 0 && (first == 0 || t[0] == first) && json.Valid(v)
	}), s.title() + "不是有效的 JSON" + map[string]string{"any": "", "object": " 对象", "array": " 数组"}[s.param("type")], nil
}

func compileJSONMember(s *scope) (verdict, string, error) {
	var paths [][]string
	for _, m := range s.list("members") {
		paths = append(paths, strings.Split(m, "."))
	}
	return onText(s, func(v []byte) bool {
		for _, p := range paths {
			if !hasMember(v, p) {
				return false
			}
		}
		return true
	}), fmt.Sprintf("%s应为 JSON 对象，并有成员 %s", s.title(), s.param("members")), nil
}

func hasMember(v json.RawMessage, path []string) bool {
	for _, name := range path {
		var m map[string]json.RawMessage
		if json.Unmarshal(v, &m) != nil {
			return false
		}
		v = m[name]
	}
	return len(v) > 0 && string(v) != "null"
}

// compileJSONSchema takes a schema that needs nothing outside of itself: a rule fetches
// no file and no address.
func compileJSONSchema(s *scope) (verdict, string, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(nothing{})
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(s.param("schema")))
	if err == nil {
		err = c.AddResource("mem:///rule", doc)
	}
	if err != nil {
		return nil, "", fmt.Errorf("参数 schema 不是 JSON Schema：%w", err)
	}
	schema, err := c.Compile("mem:///rule")
	if err != nil {
		return nil, "", fmt.Errorf("参数 schema 不是 JSON Schema：%w", err)
	}
	return onText(s, func(v []byte) bool {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(v))
		return err == nil && schema.Validate(doc) == nil
	}), s.title() + "不符合规则所给的 JSON Schema", nil
}

type nothing struct{}

func (nothing) Load(address string) (any, error) {
	return nil, fmt.Errorf("模式不能引用外部的 %s", address)
}
