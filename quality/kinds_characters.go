package quality

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"mulu/quality/ident"
)

// characterKinds judge the characters of a text: what input methods, spreadsheets and
// wrong encodings leave behind, and personal numbers where none belong. Placeholders are
// judged like any text.
var characterKinds = []kind{
	textKind("trimmed", "首尾无空白", "010102", "首尾没有空格、全角空格、不换行空格或零宽字符",
		compileTrimmed),
	textKind("halfwidth", "半角", "010102", "没有全角的字母、数字和空格；scope: all 时也没有全角标点",
		compileHalfwidth, ParamInfo{Name: "scope", Title: "查全角字母数字，还是一切全角字符", Type: ParamChoice, Default: "letters", Choices: []string{"letters", "all"}}),
	textKind("no_control", "无控制字符", "010102", "没有控制字符、零宽字符和字节顺序标记",
		compileNoControl, ParamInfo{Name: "breaks", Title: "允许换行和制表符", Type: ParamBool, Default: "false"}),
	textKind("no_mojibake", "无乱码", "030100", "没有“锟斤拷”“烫烫烫”、替换字符 U+FFFD 和误作 Latin-1 读的 UTF-8",
		compileNoMojibake),
	textKind("charset", "字符种类", "010102", "只含所列种类的字符",
		compileCharset, ParamInfo{Name: "classes", Title: "字符种类", Type: ParamList, Required: true, Choices: []string{"han", "upper", "lower", "letter", "digit", "space", "ascii", "punct"}},
		ParamInfo{Name: "also", Title: "另外允许的字符，如 ·", Type: ParamText}),
	textKind("free_text", "不夹带个人号码", "010600", "文字中没有身份号码、手机号和银行卡号",
		compileFreeText, ParamInfo{Name: "find", Title: "查哪些号码", Type: ParamList, Default: "id_no,mobile,bank_card", Choices: []string{"id_no", "mobile", "bank_card"}}),
}

// blank says whether a character is space or shows nothing.
func blank(c rune) bool { return unicode.IsSpace(c) || invisible(c) }

// invisible characters take no place: zero-width ones and the byte order mark.
func invisible(c rune) bool {
	return c >= 0x200B && c <= 0x200F || c >= 0x2060 && c <= 0x2064 || c == 0xFEFF
}

func compileTrimmed(s *scope) (verdict, string, error) {
	return onEveryText(s, func(v []byte) bool {
		if len(v) == 0 || plain(v[0]) && plain(v[len(v)-1]) {
			return true
		}
		first, _ := utf8.DecodeRune(v)
		last, _ := utf8.DecodeLastRune(v)
		return !blank(first) && !blank(last)
	}), s.title() + "首尾有空白或零宽字符；请删去", nil
}

// plain says whether a byte is a visible ASCII character by itself.
func plain(c byte) bool { return c > ' ' && c < 0x7F }

// eachRune stops at the first character that ok refuses; ASCII is decided by the table.
func eachRune(v []byte, ascii *[128]bool, ok func(c rune) bool) bool {
	for i := 0; i < len(v); {
		if v[i] < utf8.RuneSelf {
			if !ascii[v[i]] {
				return false
			}
			i++
			continue
		}
		c, n := utf8.DecodeRune(v[i:])
		if !ok(c) {
			return false
		}
		i += n
	}
	return true
}

// asciiWhere makes the table of eachRune.
func asciiWhere(ok func(c rune) bool) *[128]bool {
	var t [128]bool
	for c := range rune(128) {
		t[c] = ok(c)
	}
	return &t
}

func compileHalfwidth(s *scope) (verdict, string, error) {
	all := s.param("scope") == "all"
	every := asciiWhere(func(rune) bool { return true })
	ok := func(c rune) bool {
		switch {
		case c == 0x3000, c >= 0xFF10 && c <= 0xFF19, c >= 0xFF21 && c <= 0xFF3A, c >= 0xFF41 && c <= 0xFF5A:
			return false
		}
		return !all || c < 0xFF01 || c > 0xFF5E
	}
	return onEveryText(s, func(v []byte) bool { return eachRune(v, every, ok) }), s.title() + "含全角字符；请改为半角", nil
}

func compileNoControl(s *scope) (verdict, string, error) {
	breaks := s.flag("breaks")
	ok := func(c rune) bool {
		if c == '\n' || c == '\r' || c == '\t' {
			return breaks
		}
		return !unicode.IsControl(c) && !invisible(c)
	}
	ascii := asciiWhere(ok)
	return onEveryText(s, func(v []byte) bool { return eachRune(v, ascii, ok) }), s.title() + "含控制字符或零宽字符（多由复制粘贴带入）；请重新录入", nil
}

// mojibake are texts that only a wrong encoding makes: GBK read of U+FFFD, and of memory
// that a C runtime filled in.
var mojibake = [][]byte{[]byte("锟斤拷"), []byte("烫烫烫"), []byte("屯屯屯"), []byte("\uFFFD")}

func compileNoMojibake(s *scope) (verdict, string, error) {
	return onEveryText(s, func(v []byte) bool {
		for _, m := range mojibake {
			if bytes.Contains(v, m) {
				return false
			}
		}
		return !latin1(v)
	}), s.title() + "有乱码；请核对源系统导出时的编码后重新报送", nil
}

// latin1 says whether v holds UTF-8 that was read as Latin-1: a lead byte as a letter
// with an accent (U+00C2 to U+00EF), followed by a continuation byte as a character that
// nobody types (U+0080 to U+00BF).
func latin1(v []byte) bool {
	for i := 0; i+3 < len(v); i++ {
		// U+00C2…U+00EF are C3 82 … C3 AF in UTF-8, U+0080…U+00BF are C2 80 … C2 BF
		if v[i] == 0xC3 && v[i+1] >= 0x82 && v[i+1] <= 0xAF && v[i+2] == 0xC2 {
			return true
		}
	}
	return false
}

// classes of characters by name.
var classes = map[string]func(rune) bool{
	"han":    func(c rune) bool { return unicode.Is(unicode.Han, c) },
	"upper":  func(c rune) bool { return c >= 'A' && c <= 'Z' },
	"lower":  func(c rune) bool { return c >= 'a' && c <= 'z' },
	"letter": func(c rune) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' },
	"digit":  func(c rune) bool { return c >= '0' && c <= '9' },
	"space":  func(c rune) bool { return c == ' ' },
	"ascii":  func(c rune) bool { return c >= ' ' && c <= '~' },
	"punct":  unicode.IsPunct,
}

func compileCharset(s *scope) (verdict, string, error) {
	var may []func(rune) bool
	for _, name := range s.list("classes") {
		may = append(may, classes[name])
	}
	also := s.param("also")
	ok := func(c rune) bool {
		for _, in := range may {
			if in(c) {
				return true
			}
		}
		return strings.ContainsRune(also, c)
	}
	ascii := asciiWhere(ok)
	names := map[string]string{"han": "汉字", "upper": "大写字母", "lower": "小写字母", "letter": "字母", "digit": "数字", "space": "空格", "ascii": "半角字符", "punct": "标点"}
	var say []string
	for _, c := range s.list("classes") {
		say = append(say, names[c])
	}
	if also != "" {
		say = append(say, also)
	}
	return onText(s, func(v []byte) bool { return eachRune(v, ascii, ok) }), fmt.Sprintf("%s应只含 %s；请删去或改正其他字符", s.title(), strings.Join(say, "、")), nil
}

// personal are the numbers that free_text finds in a run of digits.
var personal = map[string]func([]byte) bool{
	"id_no":     func(v []byte) bool { return ident.Citizen(v) || ident.CitizenOld(v) },
	"mobile":    ident.Mobile,
	"bank_card": func(v []byte) bool { return len(v) >= 16 && ident.Luhn(v) },
}

func compileFreeText(s *scope) (verdict, string, error) {
	var find []func([]byte) bool
	for _, name := range s.list("find") {
		find = append(find, personal[name])
	}
	return onEveryText(s, func(v []byte) bool {
		for len(v) > 0 {
			run := digitRun(v)
			if len(run) >= 11 {
				for _, is := range find {
					if is(run) {
						return false
					}
				}
			}
			v = v[max(len(run), 1):]
		}
		return true
	}), s.title() + "的文字中夹有个人号码（身份号码、手机号或银行卡号）；请改填到专门的数据项，并从文字中删去", nil
}

// digitRun is the digits that v begins with, and an X after seventeen of them.
func digitRun(v []byte) []byte {
	n := 0
	for n < len(v) && v[n]-'0' <= 9 {
		n++
	}
	if n == 17 && n < len(v) && v[n] == 'X' {
		n++
	}
	return v[:n]
}
