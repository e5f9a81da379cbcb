package ingest

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// bom is how a byte order mark stands in UTF-8.
const bom = "\ufeff"

// plainText gives a record as UTF-8 without a byte order mark, or says what it is not.
// A record of UTF-8 is not copied.
func (r *reader) plainText(v []byte) ([]byte, *fault) {
	if r.d.gb && !r.typed {
		var f *fault
		if v, f = r.fromGB18030(v); f != nil {
			return nil, f
		}
	} else if f := vet(v); f != nil {
		return nil, f
	}
	if r.marked = len(v) >= len(bom) && v[0] == bom[0] && string(v[:len(bom)]) == bom; r.marked {
		v = v[len(bom):]
	}
	return v, nil
}

// fromGB18030 decodes a record into r.utf8, every character of it or none.
func (r *reader) fromGB18030(v []byte) ([]byte, *fault) {
	if len(v) > MaxRecord {
		return nil, vet(v)
	}
	if ascii(v) {
		return v, nil
	}
	r.utf8 = r.utf8[:0]
	if need := 2 * len(v); cap(r.utf8) < need { // two bytes become at most three, four become at most four
		r.utf8 = make([]byte, 0, need)
	}
	if r.gb == nil {
		r.gb = simplifiedchinese.GB18030.NewDecoder().Transformer // it holds nothing between calls
	}
	n, _, err := r.gb.Transform(r.utf8[:cap(r.utf8)], v, true)
	if err == nil && !bytes.Contains(r.utf8[:n], []byte("\ufffd")) {
		return r.utf8[:n], nil
	}
	for i := 0; i < len(v); {
		c, size := decodeGB18030(v[i:])
		if size == 0 {
			return nil, &fault{class: ClassEncoding, reason: fmt.Sprintf("第 %d 字节(0x%02X)起不是 GB 18030 编码，请核对源系统的输出编码；若已改为 UTF-8，请登记 encoding 为空的新版本", i+1, v[i])}
		}
		r.utf8 = utf8.AppendRune(r.utf8, c)
		i += size
	}
	return r.utf8, nil
}

func ascii(v []byte) bool {
	for _, c := range v {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// decodeGB18030 reads one character; size 0 says that there is none. It knows, beside
// golang.org/x/text's table, what that has no character for: those of two bytes that
// GB 18030-2022 moved out of the private use area (and six that stayed there and have
// one elsewhere), and the three areas for characters of the user's own.
func decodeGB18030(v []byte) (c rune, size int) {
	switch {
	case v[0] < utf8.RuneSelf:
		return rune(v[0]), 1
	case v[0] == 0x80:
		size = 1 // € in code page 936
	case len(v) >= 4 && v[1] >= '0' && v[1] <= '9':
		size = 4
	case len(v) >= 2 && v[1] >= 0x40:
		size = 2
	default:
		return 0, 0
	}
	if size == 2 {
		if c := ownGB18030(v[0], v[1]); c != 0 {
			return c, 2
		}
	}
	var out [8]byte
	n, _, err := simplifiedchinese.GB18030.NewDecoder().Transformer.Transform(out[:], v[:size], true)
	c, used := utf8.DecodeRune(out[:n])
	if err != nil || used != n || c == utf8.RuneError && !bytes.Equal(v[:size], []byte{0x84, 0x31, 0xa4, 0x37}) {
		return 0, 0
	}
	return c, size
}

// moved are characters of two bytes that the table of golang.org/x/text lacks.
var moved = map[[2]byte]rune{
	{0xa6, 0xd9}: 0xfe10, {0xa6, 0xda}: 0xfe12, {0xa6, 0xdb}: 0xfe11, {0xa6, 0xdc}: 0xfe13, {0xa6, 0xdd}: 0xfe14, {0xa6, 0xde}: 0xfe15, {0xa6, 0xdf}: 0xfe16,
	{0xa6, 0xec}: 0xfe17, {0xa6, 0xed}: 0xfe18, {0xa6, 0xf3}: 0xfe19, {0xa8, 0xbc}: 0x1e3f,
	{0xfe, 0x59}: 0x9fb4, {0xfe, 0x61}: 0x9fb5, {0xfe, 0x66}: 0x9fb6, {0xfe, 0x67}: 0x9fb7, {0xfe, 0x6d}: 0x9fb8, {0xfe, 0x7e}: 0x9fb9, {0xfe, 0x90}: 0x9fba, {0xfe, 0xa0}: 0x9fbb,
	{0xfe, 0x51}: 0x20087, {0xfe, 0x52}: 0x20089, {0xfe, 0x53}: 0x200cc, {0xfe, 0x6c}: 0x215d7, {0xfe, 0x76}: 0x2298f, {0xfe, 0x91}: 0x241fe,
}

// ownGB18030 is a character of moved or of the user's own areas, 0 for neither.
func ownGB18030(a, b byte) rune {
	if c := moved[[2]byte{a, b}]; c != 0 {
		return c
	}
	high := b >= 0xa1 && b <= 0xfe
	switch {
	case a >= 0xaa && a <= 0xaf && high:
		return 0xe000 + rune(a-0xaa)*94 + rune(b-0xa1)
	case a >= 0xf8 && a <= 0xfe && high:
		return 0xe234 + rune(a-0xf8)*94 + rune(b-0xa1)
	case a >= 0xa1 && a <= 0xa7 && b >= 0x40 && b <= 0xa0 && b != 0x7f && !(a == 0xa3 && b == 0xa0):
		n := rune(b - 0x40)
		if b > 0x7f {
			n--
		}
		return 0xe4c6 + rune(a-0xa1)*96 + n
	}
	return 0
}
