package quality

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"

	"mulu/quality/ident"
)

var patternParam = ParamInfo{Name: "pattern", Title: "正则表达式", Type: ParamPattern, Required: true}

// textKinds judge how long a text is and what it is made of. Placeholders are left out
// under a soft rule.
var textKinds = []kind{
	textKind("length", "字数", "010103", "字数在范围内，含两端",
		compileLength, ParamInfo{Name: "min", Title: "最少字数", Type: ParamInt, Default: "0"}, ParamInfo{Name: "max", Title: "最多字数，不写不限", Type: ParamInt}),
	textKind("fixed_length", "定长", "010103", "字数相等",
		compileFixedLength, ParamInfo{Name: "length", Title: "字数", Type: ParamInt, Required: true}),
	textKind("pattern", "正则表达式", "010102", "符合正则表达式（未写 ^ $ 时，任一处符合即可）",
		compilePattern, patternParam),
	textKind("not_pattern", "不符合正则表达式", "010102", "任何一处都不符合正则表达式",
		compileNotPattern, patternParam),
	textKind("pattern_any", "符合任一正则表达式", "010102", "至少符合所给正则表达式中的一个",
		compilePatternAny, ParamInfo{Name: "patterns", Title: "正则表达式，每行一个", Type: ParamPatterns, Required: true},
		ParamInfo{Name: "match", Title: "符合任一还是全部", Type: ParamChoice, Default: "any", Choices: []string{"any", "all"}}),
	textKind("contains", "包含", "010102", "包含所给的文字",
		part(bytes.Contains, "应包含", true), ParamInfo{Name: "text", Title: "文字", Type: ParamText, Required: true}),
	textKind("not_contains", "不包含", "010102", "不包含所给的文字",
		part(bytes.Contains, "不应包含", false), ParamInfo{Name: "text", Title: "文字", Type: ParamText, Required: true}),
	textKind("starts_with", "以…开头", "010102", "以所给的文字之一开头",
		ends(bytes.HasPrefix, "开头"), ParamInfo{Name: "values", Title: "开头的文字", Type: ParamList, Required: true}),
	textKind("ends_with", "以…结尾", "010102", "以所给的文字之一结尾",
		ends(bytes.HasSuffix, "结尾"), ParamInfo{Name: "values", Title: "结尾的文字", Type: ParamList, Required: true}),
}

// onText judges each value of the rule's only column by itself.
func onText(s *scope, ok func([]byte) bool) verdict {
	col, skip := s.at[0], s.skip()
	return func(b *batch, fail bitmap) int64 { return texts(b, col, fail, skip, ok) }
}

// onEveryText is onText for kinds that judge placeholder words like any other.
func onEveryText(s *scope, ok func([]byte) bool) verdict {
	col := s.at[0]
	return func(b *batch, fail bitmap) int64 { return texts(b, col, fail, nil, ok) }
}

// skip leaves out placeholders where they are to be.
func (s *scope) skip() func([]byte) bool {
	if s.skips() {
		return ident.Placeholder
	}
	return nil
}

func compileLength(s *scope) (verdict, string, error) {
	lo, hi := s.intParam("min", 0), s.intParam("max", math.MaxInt32)
	if lo > hi {
		return nil, "", fmt.Errorf("参数 min=%d 大于 max=%d", lo, hi)
	}
	reason := fmt.Sprintf("%s应为 %d 至 %d 个字；请核对后补全或改短", s.title(), lo, hi)
	if !s.given("max") {
		reason = fmt.Sprintf("%s应至少 %d 个字；请核对后补全", s.title(), lo)
	}
	return onText(s, func(v []byte) bool {
		n := int64(len(v))
		if n < lo || n <= hi && n/utf8.UTFMax >= lo { // the bytes decide already
			return n >= lo
		}
		n = characters(v)
		return n >= lo && n <= hi
	}), reason, nil
}

func compileFixedLength(s *scope) (verdict, string, error) {
	n := s.intParam("length", 0)
	return onText(s, func(v []byte) bool { return characters(v) == n }), fmt.Sprintf("%s应为 %d 个字符；请核对是否漏录或多录", s.title(), n), nil
}

// characters counts them: columns hold valid UTF-8, so they are the bytes that do not
// continue one (10xxxxxx), looked for eight at a time.
func characters(v []byte) int64 {
	n := int64(len(v))
	for ; len(v) >= 8; v = v[8:] {
		x := binary.LittleEndian.Uint64(v)
		n -= int64(bits.OnesCount64(x >> 7 &^ (x >> 6) & 0x0101010101010101))
	}
	for _, c := range v {
		if c&0xC0 == 0x80 {
			n--
		}
	}
	return n
}

func compilePattern(s *scope) (verdict, string, error) {
	m, err := compileMatcher(s.param("pattern"))
	if err != nil {
		return nil, "", err
	}
	return onText(s, m), s.title() + "格式不符，应符合 " + s.param("pattern"), nil
}

func compileNotPattern(s *scope) (verdict, string, error) {
	m, err := compileMatcher(s.param("pattern"))
	if err != nil {
		return nil, "", err
	}
	return onText(s, func(v []byte) bool { return !m(v) }), s.title() + "含有不应出现的内容，不应符合 " + s.param("pattern"), nil
}

func compilePatternAny(s *scope) (verdict, string, error) {
	var each []func([]byte) bool
	for _, p := range lines(s.param("patterns")) {
		m, err := compileMatcher(p)
		if err != nil {
			return nil, "", err
		}
		each = append(each, m)
	}
	all := s.param("match") == "all"
	word := map[bool]string{false: "任一", true: "全部"}[all]
	return onText(s, func(v []byte) bool {
		for _, m := range each {
			if m(v) != all {
				return !all
			}
		}
		return all
	}), fmt.Sprintf("%s格式不符，应符合规则列出的%s正则表达式", s.title(), word), nil
}

// part asks for a text inside a value, or that there is none.
func part(in func(v, part []byte) bool, say string, want bool) func(*scope) (verdict, string, error) {
	return func(s *scope) (verdict, string, error) {
		t := []byte(s.param("text"))
		return onText(s, func(v []byte) bool { return in(v, t) == want }), s.title() + say + "“" + s.param("text") + "”", nil
	}
}

// ends asks for one of several texts at an end of a value.
func ends(at func(v, part []byte) bool, where string) func(*scope) (verdict, string, error) {
	return func(s *scope) (verdict, string, error) {
		var list [][]byte
		for _, v := range s.list("values") {
			list = append(list, []byte(v))
		}
		return onText(s, func(v []byte) bool {
			for _, t := range list {
				if at(v, t) {
					return true
				}
			}
			return false
		}), fmt.Sprintf("%s应以 %s %s", s.title(), s.param("values"), where), nil
	}
}
