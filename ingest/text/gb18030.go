package text

import (
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// pairs are the characters that the library knows by four bytes only: older editions of
// GB 18030 gave their two bytes to the private use area, where no font of today has
// them. The first 18 are those that the edition of 2022 moved, and one that the edition
// of 2005 did.
var pairs = []struct {
	two  uint16
	four uint32
	both bool // the four bytes are what is written, too
}{
	{two: 0xA6D9, four: 0x84318236}, {two: 0xA6DA, four: 0x84318238}, {two: 0xA6DB, four: 0x84318237}, // U+FE10, FE12, FE11
	{two: 0xA6DC, four: 0x84318239}, {two: 0xA6DD, four: 0x84318330}, {two: 0xA6DE, four: 0x84318331}, // U+FE13 …
	{two: 0xA6DF, four: 0x84318332}, {two: 0xA6EC, four: 0x84318333}, {two: 0xA6ED, four: 0x84318334},
	{two: 0xA6F3, four: 0x84318335},                                                                   // … U+FE19
	{two: 0xFE59, four: 0x82359037}, {two: 0xFE61, four: 0x82359038}, {two: 0xFE66, four: 0x82359039}, // U+9FB4 …
	{two: 0xFE67, four: 0x82359130}, {two: 0xFE6D, four: 0x82359131}, {two: 0xFE7E, four: 0x82359132},
	{two: 0xFE90, four: 0x82359133}, {two: 0xFEA0, four: 0x82359134}, // … U+9FBB
	{two: 0xA8BC, four: 0x8135F437}, // U+1E3F
	// Six that every edition leaves private at two bytes, and that have four of their own.
	{two: 0xFE51, four: 0x95329031, both: true}, {two: 0xFE52, four: 0x95329033, both: true}, {two: 0xFE53, four: 0x95329730, both: true}, // U+20087, 20089, 200CC
	{two: 0xFE6C, four: 0x9536B937, both: true}, {two: 0xFE76, four: 0x9630BA35, both: true}, {two: 0xFE91, four: 0x9635B630, both: true}, // U+215D7, 2298F, 241FE
}

// FromGB18030 makes UTF-8 of GB 18030, with the characters of the edition of 2022. What
// is no character, and those of the user's own areas (造字), become U+FFFD.
func FromGB18030() transform.Transformer {
	s := swap{two: map[uint16][]byte{}}
	for _, p := range pairs {
		s.lead[p.two>>8] = true
		s.two[p.two] = []byte{byte(p.four >> 24), byte(p.four >> 16), byte(p.four >> 8), byte(p.four)}
	}
	return transform.Chain(&s, simplifiedchinese.GB18030.NewDecoder())
}

// ToGB18030 makes GB 18030 of UTF-8, as the edition of 2022 writes it.
func ToGB18030() transform.Transformer {
	s := swap{four: map[uint32][]byte{}}
	for _, p := range pairs {
		if !p.both {
			s.lead[p.four>>24] = true
			s.four[p.four] = []byte{byte(p.two >> 8), byte(p.two)}
		}
	}
	return transform.Chain(simplifiedchinese.GB18030.NewEncoder(), &s)
}

// swap puts other codes for some of GB 18030.
type swap struct {
	transform.NopResetter
	two  map[uint16][]byte
	four map[uint32][]byte
	lead [256]bool // first bytes that any of them has: most characters need no look-up
}

func (s *swap) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		n := length(src[nSrc:])
		if n > len(src)-nSrc {
			if !atEOF {
				return nDst, nSrc, transform.ErrShortSrc
			}
			n = 1
		}
		out := src[nSrc : nSrc+n]
		switch {
		case !s.lead[out[0]]:
		case n == 2:
			if other := s.two[uint16(out[0])<<8|uint16(out[1])]; other != nil {
				out = other
			}
		case n == 4:
			if other := s.four[uint32(out[0])<<24|uint32(out[1])<<16|uint32(out[2])<<8|uint32(out[3])]; other != nil {
				out = other
			}
		}
		if len(dst)-nDst < len(out) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += copy(dst[nDst:], out)
		nSrc += n
	}
	return nDst, nSrc, nil
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
