package text

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// moved are characters of two bytes that the library's table lacks: older editions of
// GB 18030 gave their codes to the private use area, where no font of today has them.
// They are the 18 that the edition of 2022 moved, the one that 2005 did (A8BC), and six
// that every edition leaves private and that have a character elsewhere.
var moved = map[[2]byte]rune{
	{0xa6, 0xd9}: 0xfe10, {0xa6, 0xda}: 0xfe12, {0xa6, 0xdb}: 0xfe11, {0xa6, 0xdc}: 0xfe13, {0xa6, 0xdd}: 0xfe14, {0xa6, 0xde}: 0xfe15, {0xa6, 0xdf}: 0xfe16,
	{0xa6, 0xec}: 0xfe17, {0xa6, 0xed}: 0xfe18, {0xa6, 0xf3}: 0xfe19, {0xa8, 0xbc}: 0x1e3f,
	{0xfe, 0x59}: 0x9fb4, {0xfe, 0x61}: 0x9fb5, {0xfe, 0x66}: 0x9fb6, {0xfe, 0x67}: 0x9fb7, {0xfe, 0x6d}: 0x9fb8, {0xfe, 0x7e}: 0x9fb9, {0xfe, 0x90}: 0x9fba, {0xfe, 0xa0}: 0x9fbb,
	{0xfe, 0x51}: 0x20087, {0xfe, 0x52}: 0x20089, {0xfe, 0x53}: 0x200cc, {0xfe, 0x6c}: 0x215d7, {0xfe, 0x76}: 0x2298f, {0xfe, 0x91}: 0x241fe,
}

// own is the character of a two-byte code that the library lacks, 0 where it has one: of
// moved, or of the three areas for characters of the user's own (造字), which keep their
// place in the private use area, legible to who made them.
func own(a, b byte) rune {
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

// leads are the first bytes of codes that own may know: most characters need no look-up.
var leads = func() (l [256]bool) {
	for _, r := range [][2]int{{0xa1, 0xa8}, {0xaa, 0xaf}, {0xf8, 0xfe}} {
		for c := r[0]; c <= r[1]; c++ {
			l[c] = true
		}
	}
	return l
}()

// FromGB18030 makes UTF-8 of GB 18030 as the edition of 2022 has it. What is no character
// becomes U+FFFD.
func FromGB18030() transform.Transformer {
	return &decoder{library: simplifiedchinese.GB18030.NewDecoder().Transformer}
}

// decoder gives the library what it knows and reads the rest itself.
type decoder struct{ library transform.Transformer }

func (d *decoder) Reset() { d.library.Reset() }

func (d *decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		known, c := split(src[nSrc:])
		// A piece that ends before a character of ours has no more to come.
		n, used, err := d.library.Transform(dst[nDst:], src[nSrc:nSrc+known], atEOF || c != 0)
		nDst, nSrc = nDst+n, nSrc+used
		if err != nil || c == 0 {
			return nDst, nSrc, err
		}
		if len(dst)-nDst < utf8.RuneLen(c) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], c)
		nSrc += 2
	}
	return nDst, nSrc, nil
}

// split is how many bytes come before the first character that the library lacks, and
// that character, 0 if there is none.
func split(b []byte) (known int, c rune) {
	for known < len(b) {
		n := length(b[known:])
		if n > len(b)-known {
			break
		}
		if n == 2 && leads[b[known]] {
			if c := own(b[known], b[known+1]); c != 0 {
				return known, c
			}
		}
		known += n
	}
	return len(b), 0
}

// length is how long the first code of b is; it may be longer than b.
func length(b []byte) int {
	switch {
	case b[0] < 0x81 || b[0] == 0xFF:
		return 1
	case len(b) == 1:
		return 2
	case b[1] >= 0x30 && b[1] <= 0x39:
		if len(b) >= 4 && (b[2] < 0x81 || b[2] == 0xFF || b[3] < 0x30 || b[3] > 0x39) {
			return 1
		}
		return 4
	case b[1] < 0x40 || b[1] == 0x7F || b[1] == 0xFF:
		return 1
	}
	return 2
}

// AppendGB18030 appends v as UTF-8, whole: bad is the place of the first byte that is not
// GB 18030, or -1. Unlike with FromGB18030, a U+FFFD that comes out was in v. It is for
// many short texts: lib, a Transformer of the caller's for one goroutine, is nil at first.
func AppendGB18030(dst, v []byte, lib *transform.Transformer) (out []byte, bad int) {
	if *lib == nil {
		*lib = simplifiedchinese.GB18030.NewDecoder().Transformer // it holds nothing between calls
	}
	start := len(dst)
	if need := start + 2*len(v); cap(dst) < need { // two bytes become at most three, four at most four
		dst = append(make([]byte, 0, need), dst...)
	}
	n, _, err := (*lib).Transform(dst[start:cap(dst)], v, true)
	if out := dst[start : start+n]; err == nil && !bytes.Contains(out, []byte("\ufffd")) {
		return dst[:start+n], -1
	}
	for i := 0; i < len(v); {
		c, size := first(v[i:])
		if size == 0 {
			return dst[:start], i
		}
		dst = utf8.AppendRune(dst, c)
		i += size
	}
	return dst, -1
}

// first reads one character; size 0 says that there is none.
func first(v []byte) (c rune, size int) {
	size = length(v)
	switch {
	case v[0] < utf8.RuneSelf:
		return rune(v[0]), 1
	case size > len(v) || size == 1 && v[0] != 0x80: // 80 is € in code page 936
		return 0, 0
	case size == 2:
		if c := own(v[0], v[1]); c != 0 {
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
