package text_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"

	"mulu/ingest/text"
)

// rare are characters of level 3 (通用规范汉字表 三级字) and of names: of the BMP with four
// bytes in GB 18030, and beyond the BMP.
const rare = "𬭊㑇𰻞䶮㛃𫖯𬺈龴䲠𠮷"

func TestGB18030(t *testing.T) {
	t.Run("rare characters survive", func(t *testing.T) {
		if back := decode(t, text.GB18030, encode(t, text.GB18030, rare)); back != rare {
			t.Fatalf("%q came back as %q", rare, back)
		}
	})
	for in, want := range map[string]string{
		"\xA6\xD9\xA6\xDA\xA6\xDB\xA6\xF3":                 "\uFE10\uFE12\uFE11\uFE19",             // the 18 of 2022: punctuation for vertical text …
		"\xFE\x59\xFE\xA0":                                 "\u9FB4\u9FBB",                         // … and components
		"\x84\x31\x82\x36\x82\x35\x90\x37":                 "\uFE10\u9FB4",                         // by their four bytes, too
		"\xFE\x51\xFE\x91":                                 "\U00020087\U000241FE",                 // of the six
		"\xA8\xBC":                                         "\u1E3F",                               // since 2005
		"\xAA\xA1\xAF\xFE\xF8\xA1\xFE\xFE\xA1\x40\xA7\xA0": "\uE000\uE233\uE234\uE4C5\uE4C6\uE765", // the user's own areas
		"\x80\xA2\xE3":                                     "€€",                                   // the Euro sign, as code page 936 has it, too
		"\xD6\xD0\xA6\xD9\xCE":                             "中\uFE10\uFFFD",
		"\xD6\xD0\xCE\xC4":                                 "中文",
	} {
		if got := decode(t, text.GB18030, in); got != want {
			t.Errorf("% X reads %U, want %U", in, []rune(got), []rune(want))
		}
		var lib transform.Transformer
		got, bad := text.AppendGB18030([]byte("x"), []byte(in), &lib)
		if broken := strings.ContainsRune(want, '\uFFFD'); broken != (bad >= 0) || !broken && string(got) != "x"+want {
			t.Errorf("% X is appended as %q, broken at %d; want %q", in, got, bad, want)
		}
	}
	t.Run("a broken byte is seen", func(t *testing.T) {
		if got := decode(t, text.GB18030, "\xD6\xD0\xFF\xCE\xC4"); !strings.Contains(got, "\uFFFD") || !strings.HasPrefix(got, "中") {
			t.Errorf("%q hides the broken byte", got)
		}
	})
	t.Run("every character but surrogates and private ones comes back", func(t *testing.T) {
		var all strings.Builder
		for c := rune(1); c <= 0x10FFFF; c++ {
			if c == 0xD800 {
				c = 0xE000
			}
			if c >= 0xE000 && c <= 0xF8FF {
				continue
			}
			all.WriteRune(c)
		}
		back := decode(t, text.GB18030, encode(t, text.GB18030, all.String()))
		if back == all.String() {
			return
		}
		a, b := []rune(all.String()), []rune(back)
		for i := range a {
			if i >= len(b) || a[i] != b[i] {
				t.Fatalf("%U comes back as %U", a[i], b[min(i, len(b)-1)])
			}
		}
	})
}

func TestDetect(t *testing.T) {
	long := strings.Repeat("id,name\n310107,张三\n", 30_000) // longer than one piece
	for name, c := range map[string]struct{ in, want string }{
		"ASCII":                        {"a,b\n1,2\n", text.UTF8},
		"empty":                        {"", text.UTF8},
		"UTF-8":                        {long, text.UTF8},
		"UTF-8 with mark":              {"\ufeff姓名\n", text.UTF8},
		"UTF-8 with broken characters": {strings.Repeat("居住地址\n", 50) + "\xe5\x9c\n", text.UTF8},
		"GBK":                          {encode(t, text.GB18030, long), text.GB18030},
		"GBK after much ASCII":         {strings.Repeat("0123456789\n", 100_000) + encode(t, text.GB18030, "张三"), text.GB18030},
		"rare":                         {encode(t, text.GB18030, rare), text.GB18030},
		"UTF-16LE with mark":           {"\xff\xfe" + encode(t, text.UTF16LE, "姓名\n"), text.UTF16LE},
		"UTF-16BE with mark":           {"\xfe\xff" + encode(t, text.UTF16BE, "姓名\n"), text.UTF16BE},
		"UTF-16LE without":             {encode(t, text.UTF16LE, "id,name,phone\n310107,张三,139\n"), text.UTF16LE},
		"UTF-16BE without":             {encode(t, text.UTF16BE, "id,name,phone\n310107,张三,139\n"), text.UTF16BE},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := text.Detect(strings.NewReader(c.in))
			if err != nil || f.Encoding != c.want {
				t.Fatalf("found %+v (%v), want %s", f, err, c.want)
			}
		})
	}
	if f, _ := text.Detect(strings.NewReader(long)); f.Lines != 60_000 {
		t.Errorf("%d lines", f.Lines)
	}
}

func TestReader(t *testing.T) {
	for _, mark := range []string{"", "\ufeff"} {
		for _, enc := range []string{text.UTF8, text.GB18030, text.UTF16LE, text.UTF16BE} {
			in := "姓名,𬭊\n"
			if got := decode(t, enc, encode(t, enc, mark+in)); got != in {
				t.Errorf("%s: %q", enc, got)
			}
		}
	}
	if _, err := text.Reader(nil, "ebcdic"); err == nil {
		t.Error("an unknown encoding is taken")
	}
}

func decode(t *testing.T, enc, s string) string {
	t.Helper()
	r, err := text.Reader(iotestOne(s), enc)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// iotestOne gives a long text as a whole and a short one byte by byte.
func iotestOne(s string) io.Reader {
	if len(s) > 1000 {
		return strings.NewReader(s)
	}
	var rs []io.Reader
	for i := range len(s) {
		rs = append(rs, bytes.NewReader([]byte{s[i]}))
	}
	return io.MultiReader(rs...)
}

func encode(t *testing.T, enc, s string) string {
	t.Helper()
	switch enc {
	case text.GB18030:
		out, err := simplifiedchinese.GB18030.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	case text.UTF8:
		return s
	}
	var out []byte
	for _, c := range s {
		units := []uint16{uint16(c)}
		if c > 0xFFFF {
			c -= 0x10000
			units = []uint16{0xD800 + uint16(c>>10), 0xDC00 + uint16(c&0x3FF)}
		}
		for _, u := range units {
			if enc == text.UTF16LE {
				out = append(out, byte(u), byte(u>>8))
			} else {
				out = append(out, byte(u>>8), byte(u))
			}
		}
	}
	return string(out)
}

func TestAppendJSON(t *testing.T) {
	var all []rune
	for c := rune(0); c < 0x300; c++ {
		all = append(all, c)
	}
	for _, s := range []string{"", "a", `"`, `\`, "\n", "张三\r\n\t\x00\x1f", string(all)} {
		b := text.AppendJSON([]byte("x"), s)
		var back string
		if err := json.Unmarshal(b[1:], &back); err != nil || back != s || b[0] != 'x' || !bytes.Equal(b, text.AppendJSON([]byte("x"), []byte(s))) {
			t.Errorf("%q is written %s and read %q (%v)", s, b, back, err)
		}
	}
}
