package filecheck

import (
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestValid(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "12345678", "张", "é", "😀", "\xff", "\xe5\xbc", "\xed\xa0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\x80", ""})
	rapid.Check(t, func(t *rapid.T) {
		var b []byte
		for _, s := range rapid.SliceOfN(piece, 0, 20).Draw(t, "pieces") {
			b = append(b, s...)
		}
		if valid(b) != utf8.Valid(b) {
			t.Fatalf("%q", b)
		}
	})
}
