package file

import (
	"io"
	"strings"
)

// Tokens takes XML apart and writes what it found, one token a line; text that is in
// pieces is put together.
func Tokens(r io.Reader) ([]string, error) {
	x := newScanner(r)
	var out []string
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			out = append(out, "text "+text.String())
			text.Reset()
		}
	}
	for {
		err := x.next()
		if err != nil {
			flush()
			if err == io.EOF {
				err = nil
			}
			return out, err
		}
		switch x.kind {
		case tokenStart:
			flush()
			out = append(out, "start "+string(x.name)+" "+string(x.attr("r")))
		case tokenEnd:
			flush()
			out = append(out, "end "+string(x.name))
		case tokenText:
			text.Write(x.text)
		}
	}
}

// FormatOf says what a number format makes of a number: d a day, c a time of day,
// % a percentage, and to how many digits it fills up.
func FormatOf(code string) (string, int) {
	f := readFormat(code)
	if f == nil {
		return "", 0
	}
	s := ""
	if f.date {
		s += "d"
	}
	if f.clock {
		s += "c"
	}
	if f.percent {
		s += "%"
	}
	return s, f.zeros
}

// MemoryBlocks is how many bytes of shared strings are kept in memory.
const MemoryBlocks = memoryBlocks
