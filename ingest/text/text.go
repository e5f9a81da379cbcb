// Package text reads text in the encodings that departments write: UTF-8, UTF-16 and
// GB 18030, which holds GBK and GB 2312. What comes out is UTF-8 without a mark at its
// beginning; a byte that is none of the encoding's becomes U+FFFD, which the reader
// of the text is to look for.
package text

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"mulu"
)

// The encodings.
const (
	UTF8    = "utf-8"
	GB18030 = "gb18030"
	UTF16LE = "utf-16le"
	UTF16BE = "utf-16be"
)

// Name is the encoding that people mean by a name, e.g. GBK. mulu.ErrInvalid: none.
func Name(s string) (string, error) {
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(s)) {
	case "utf8":
		return UTF8, nil
	case "gb18030", "gbk", "gb2312", "cp936", "ansi":
		return GB18030, nil
	case "utf16le", "utf16":
		return UTF16LE, nil
	case "utf16be":
		return UTF16BE, nil
	}
	return "", fmt.Errorf("不认识编码 %q，可用 utf-8、gb18030（含 GBK）、utf-16le、utf-16be / unknown encoding: %w", s, mulu.ErrInvalid)
}

// Reader gives r, which is in an encoding of this package, as UTF-8.
func Reader(r io.Reader, encoding string) (io.Reader, error) {
	name, err := Name(encoding)
	if err != nil {
		return nil, err
	}
	switch name {
	case GB18030:
		r = transform.NewReader(r, FromGB18030())
	case UTF16LE:
		r = transform.NewReader(r, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder())
	case UTF16BE:
		r = transform.NewReader(r, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder())
	}
	return &unmarked{r: r}, nil
}

// unmarked leaves out a byte order mark, which any of the encodings may have.
type unmarked struct {
	r    io.Reader
	head []byte // read and not given yet
	done bool
}

var mark = []byte("\ufeff")

func (u *unmarked) Read(p []byte) (int, error) {
	if !u.done {
		u.done = true
		b := make([]byte, len(mark))
		n, err := io.ReadFull(u.r, b)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return 0, err
		}
		u.head = bytes.TrimPrefix(b[:n], mark)
	}
	if len(u.head) > 0 {
		n := copy(p, u.head)
		u.head = u.head[n:]
		return n, nil
	}
	return u.r.Read(p)
}

// Found is what a text looks like.
type Found struct {
	Encoding string
	Lines    int64 // line feeds
	Quotes   int64 // ASCII double quotes
	Zeros    bool  // it has zero bytes and is no UTF-16: hardly a text
}

// Detect reads all of r. A text is UTF-8 if most of its bytes beyond ASCII are: one in
// GB 18030 has next to none that are so by chance, and one in UTF-8 with a few broken
// characters stays UTF-8, so that these are found.
func Detect(r io.Reader) (Found, error) {
	var f Found
	var high, good, zeros, even int64 // bytes beyond ASCII, of them UTF-8; zeros, of them at even places
	var at int64
	buf := make([]byte, 256<<10)
	held := 0
	for {
		n, err := io.ReadFull(r, buf[held:])
		end := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !end {
			return f, fmt.Errorf("detect encoding: %w", err)
		}
		b := buf[:held+n]
		if at == 0 {
			switch {
			case bytes.HasPrefix(b, mark):
				f.Encoding = UTF8
			case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
				f.Encoding = UTF16LE
			case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
				f.Encoding = UTF16BE
			}
		}
		whole := b
		if !end {
			whole = b[:cut(b)]
		}
		f.Lines += int64(bytes.Count(whole, []byte{'\n'}))
		f.Quotes += int64(bytes.Count(whole, []byte{'"'}))
		h, g := count(whole)
		high, good = high+h, good+g
		if bytes.IndexByte(whole, 0) >= 0 {
			for i, c := range whole {
				if c == 0 {
					zeros++
					if (at+int64(i))%2 == 0 {
						even++
					}
				}
			}
		}
		at += int64(len(whole))
		held = copy(buf, b[len(whole):])
		if end {
			break
		}
	}
	switch {
	case f.Encoding != "":
	case zeros > at/8 && even < zeros/8:
		f.Encoding = UTF16LE
	case zeros > at/8 && even > zeros-zeros/8:
		f.Encoding = UTF16BE
	case good*2 >= high:
		f.Encoding, f.Zeros = UTF8, zeros > 0
	default:
		f.Encoding, f.Zeros = GB18030, zeros > 0
	}
	return f, nil
}

// cut is where b may be cut without cutting a UTF-8 character.
func cut(b []byte) int {
	for i := 1; i <= utf8.UTFMax-1 && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-i:]) {
				return len(b) - i
			}
			break
		}
	}
	return len(b)
}

// count counts the bytes beyond ASCII, and of them those of valid UTF-8.
func count(b []byte) (high, good int64) {
	if utf8.Valid(b) {
		for _, c := range b {
			high += int64(c >> 7)
		}
		return high, high
	}
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, n := utf8.DecodeRune(b[i:])
		high += int64(n)
		if n > 1 {
			good += int64(n)
		}
		i += n
	}
	return high, good
}
