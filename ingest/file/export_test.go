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
