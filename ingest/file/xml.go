package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// maxToken bounds a tag, and a piece of text, of a workbook's XML. A cell holds 32 767
// characters at most.
const maxToken = 1 << 20

var (
	errToken = fmt.Errorf("an element or text of more than %d bytes", maxToken)
	errXML   = errors.New("the XML is cut off or not well-formed")
	errDTD   = errors.New("the XML has a document type, which no workbook has")
)

// scanner takes the XML of a workbook apart: elements by their local names, attributes,
// text. It is what encoding/xml is, without the copies: a sheet of a million rows has
// fifty million tokens. Namespaces are not told apart, comments and instructions are
// left out, entities other than XML's five do not occur without a document type.
type scanner struct {
	r          io.Reader
	buf        []byte
	start, end int // what is read and not given yet
	eof        bool

	kind  token
	name  []byte // of an element, without its prefix
	attrs []byte // of an element, as they stand
	text  []byte // decoded
	empty bool   // the element that was begun has ended, too
}

type token uint8

const (
	tokenNone token = iota
	tokenStart
	tokenEnd
	tokenText
)

func newScanner(r io.Reader) *scanner { return &scanner{r: r, buf: make([]byte, 64<<10)} }

func (x *scanner) more() error {
	if x.eof {
		return io.EOF
	}
	if x.start > 0 {
		x.end = copy(x.buf, x.buf[x.start:x.end])
		x.start = 0
	}
	if x.end == len(x.buf) {
		if len(x.buf) > maxToken {
			return errToken
		}
		x.buf = append(x.buf, make([]byte, len(x.buf))...)
	}
	for range 100 {
		n, err := x.r.Read(x.buf[x.end:])
		x.end += n
		if err == io.EOF {
			x.eof = true
			if n == 0 {
				return io.EOF
			}
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

// until gives what stands before and with the given end, and goes past it.
func (x *scanner) until(end string) ([]byte, error) {
	from := 0
	for {
		b := x.buf[x.start:x.end]
		if at := bytes.Index(b[from:], []byte(end)); at >= 0 {
			b = b[:from+at+len(end)]
			x.start += len(b)
			return b, nil
		}
		from = max(0, len(b)-len(end)+1)
		if err := x.more(); err != nil {
			if err == io.EOF {
				err = errXML
			}
			return nil, err
		}
	}
}

// next goes on to the next token. io.EOF: there is none.
func (x *scanner) next() error {
	if x.empty {
		x.empty, x.kind, x.attrs = false, tokenEnd, nil
		return nil
	}
	for {
		if x.start == x.end {
			if err := x.more(); err != nil {
				return err
			}
			continue
		}
		if x.buf[x.start] != '<' {
			return x.chars()
		}
		done, err := x.markup()
		if err != nil || done {
			return err
		}
	}
}

// chars reads text up to the next markup; it may come in several pieces.
func (x *scanner) chars() error {
	from := 0
	for {
		b := x.buf[x.start:x.end]
		if at := bytes.IndexByte(b[from:], '<'); at >= 0 {
			b = b[:from+at]
			x.start += len(b)
			x.kind = tokenText
			return x.decode(b)
		}
		from = len(b)
		if err := x.more(); err == io.EOF {
			x.start, x.kind = x.end, tokenText
			return x.decode(b)
		} else if err != nil {
			return err
		}
	}
}

// markup reads what begins with "<"; done says that it is a token.
func (x *scanner) markup() (done bool, err error) {
	for x.end-x.start < 9 && !x.eof {
		if err := x.more(); err != nil && err != io.EOF {
			return false, err
		}
	}
	b := x.buf[x.start:x.end]
	switch {
	case bytes.HasPrefix(b, []byte("<!--")):
		x.start += 4
		_, err := x.until("-->")
		return false, err
	case bytes.HasPrefix(b, []byte("<![CDATA[")):
		x.start += 9
		b, err := x.until("]]>")
		if err != nil {
			return false, err
		}
		x.kind, x.text = tokenText, b[:len(b)-3]
		return true, nil
	case bytes.HasPrefix(b, []byte("<?")):
		_, err := x.until("?>")
		return false, err
	case bytes.HasPrefix(b, []byte("<!")):
		return false, errDTD
	}
	if b, err = x.tag(); err != nil {
		return false, err
	}
	x.kind = tokenStart
	switch {
	case len(b) > 0 && b[0] == '/':
		x.kind, b = tokenEnd, b[1:]
	case len(b) > 0 && b[len(b)-1] == '/':
		x.empty, b = true, b[:len(b)-1]
	}
	n := bytes.IndexAny(b, " \t\r\n")
	if n < 0 {
		n = len(b)
	}
	x.name, x.attrs = b[:n], b[n:]
	if at := bytes.LastIndexByte(x.name, ':'); at >= 0 {
		x.name = x.name[at+1:]
	}
	if len(x.name) == 0 {
		return false, errXML
	}
	return true, nil
}

// tag reads a tag and gives what is between its brackets. An attribute may have ">".
func (x *scanner) tag() ([]byte, error) {
	var quote byte
	i := 1
	for {
		b := x.buf[x.start:x.end]
		if quote == 0 { // most tags have no ">" inside quotes
			if at := bytes.IndexByte(b[i:], '>'); at >= 0 && bytes.Count(b[i:i+at], []byte{'"'})%2 == 0 && bytes.IndexByte(b[i:i+at], '\'') < 0 {
				x.start += i + at + 1
				return b[1 : i+at], nil
			}
		}
		for ; i < len(b); i++ {
			switch c := b[i]; {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '>':
				x.start += i + 1
				return b[1:i], nil
			}
		}
		if err := x.more(); err != nil {
			if err == io.EOF {
				err = errXML
			}
			return nil, err
		}
	}
}

// attr is the value of an attribute by its local name, "" if there is none.
func (x *scanner) attr(name string) []byte {
	b := x.attrs
	for {
		eq := bytes.IndexByte(b, '=')
		if eq < 0 {
			return nil
		}
		key := bytes.TrimSpace(b[:eq])
		b = bytes.TrimLeft(b[eq+1:], " \t\r\n")
		if len(b) == 0 || b[0] != '"' && b[0] != '\'' {
			return nil
		}
		end := bytes.IndexByte(b[1:], b[0])
		if end < 0 {
			return nil
		}
		value := b[1 : 1+end]
		b = b[end+2:]
		if at := bytes.LastIndexByte(key, ':'); at >= 0 {
			key = key[at+1:]
		}
		if string(key) == name {
			if bytes.IndexByte(value, '&') >= 0 {
				value, _ = unescape(nil, value)
			}
			return value
		}
	}
}

func (x *scanner) decode(b []byte) (err error) {
	if bytes.IndexByte(b, '&') < 0 && bytes.IndexByte(b, '\r') < 0 {
		x.text = b
		return nil
	}
	x.text, err = unescape(nil, b)
	return err
}

// unescape resolves entities and line endings.
func unescape(dst, b []byte) ([]byte, error) {
	for len(b) > 0 {
		switch {
		case b[0] == '\r':
			dst = append(dst, '\n')
			b = b[1:]
			if len(b) > 0 && b[0] == '\n' {
				b = b[1:]
			}
			continue
		case b[0] != '&':
			n := bytes.IndexAny(b, "&\r")
			if n < 0 {
				n = len(b)
			}
			dst = append(dst, b[:n]...)
			b = b[n:]
			continue
		}
		end := bytes.IndexByte(b[:min(len(b), 12)], ';')
		if end < 0 {
			return nil, errXML
		}
		c, ok := entity(string(b[1:end]))
		if !ok {
			return nil, errXML
		}
		dst = utf8.AppendRune(dst, c)
		b = b[end+1:]
	}
	return dst, nil
}

func entity(s string) (rune, bool) {
	switch s {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if len(s) < 2 || s[0] != '#' {
		return 0, false
	}
	base, digits := 10, s[1:]
	if digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune || n == 0 {
		return 0, false
	}
	return rune(n), true
}

// excelEscapes resolves _xHHHH_, by which Excel writes what XML can not hold, such as
// a carriage return.
func excelEscapes(b []byte) []byte {
	at := bytes.Index(b, []byte("_x"))
	if at < 0 {
		return b
	}
	out := append([]byte(nil), b[:at]...)
	for b = b[at:]; len(b) > 0; {
		if len(b) >= 7 && b[0] == '_' && b[1] == 'x' && b[6] == '_' {
			if n, err := strconv.ParseUint(string(b[2:6]), 16, 16); err == nil && (n < 0xD800 || n > 0xDFFF) {
				out = utf8.AppendRune(out, rune(n))
				b = b[7:]
				continue
			}
		}
		out = append(out, b[0])
		b = b[1:]
	}
	return out
}

// skip goes past the end of the element that was just begun.
func (x *scanner) skip() error {
	for depth := 1; depth > 0; {
		if err := x.next(); err != nil {
			if err == io.EOF {
				err = errXML
			}
			return err
		}
		switch x.kind {
		case tokenStart:
			depth++
		case tokenEnd:
			depth--
		}
	}
	return nil
}
