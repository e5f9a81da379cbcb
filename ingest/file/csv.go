package file

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"mulu/ingest/text"
)

// maxLine bounds a record of a CSV, in bytes; what is longer has a quote that never ends.
const maxLine = 1 << 20

// csvSource reads CSV as spreadsheets and databases write it: quoted fields with line
// breaks and doubled quotes, any line ending. It does not stop at a record that is
// not one: that one line is a fault and the next one is read.
type csvSource struct {
	f     *os.File
	in    io.Reader
	delim byte
	want  int // fields of a record, 0 if not known yet

	buf        []byte
	start, end int // what is read and not given yet
	eof        bool
	lineNo     int // of the line at start
	out        line
	ends       []int // of the fields of a record, in plain
	plain      []byte
}

// openCSV opens a file whose encoding is known.
func openCSV(path, encoding string, delim byte) (*csvSource, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	in, err := text.Reader(f, encoding)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &csvSource{f: f, in: in, delim: delim, buf: make([]byte, 128<<10), lineNo: 1}, nil
}

func (s *csvSource) close() error { return s.f.Close() }

// more reads more after what is held; false at the end of the file or of the room.
func (s *csvSource) more() (bool, error) {
	if s.eof {
		return false, nil
	}
	if s.start > 0 {
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	}
	if s.end == len(s.buf) {
		if len(s.buf) > maxLine {
			return false, nil
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	n, err := s.in.Read(s.buf[s.end:])
	s.end += n
	if err == io.EOF {
		s.eof = true
		return n > 0, nil
	}
	if err != nil {
		return false, fmt.Errorf("read file: %w", err)
	}
	return true, nil
}

func (s *csvSource) next() (*line, error) {
	n, fault, err := s.record()
	if err != nil {
		return nil, err
	}
	s.out = line{number: s.lineNo, cells: s.out.cells[:0], fault: fault}
	raw := s.buf[s.start : s.start+n]
	s.start += n
	s.lineNo += lines(raw)
	if fault != nil {
		s.out.raw = strings.ToValidUTF8(string(bytes.TrimRight(raw[:min(n, 8<<10)], "\r\n")), "\uFFFD")
		for f := range strings.SplitSeq(s.out.raw, string(rune(s.delim))) {
			s.put(strings.Trim(f, `"`))
		}
		return &s.out, nil
	}
	s.fields()
	if s.want > 0 {
		s.ragged()
	}
	return &s.out, nil
}

// lines is how many lines a piece of the file ends.
func lines(b []byte) int {
	if n := bytes.Count(b, []byte{'\n'}); n > 0 || bytes.IndexByte(b, '\r') < 0 {
		return n
	}
	return bytes.Count(b, []byte{'\r'})
}

// record finds the end of the record at start, its line break included, and leaves its
// fields in plain and ends. fault says that what is there is no record: n is then its
// first line, or the lines up to the one where it goes wrong.
func (s *csvSource) record() (n int, fault *Fault, err error) {
	s.plain, s.ends = s.plain[:0], s.ends[:0]
	i := 0 // relative to start
	for {
		// A field begins at i.
		have, err := s.has(i)
		if err != nil {
			return 0, nil, err
		}
		if !have {
			if i == 0 {
				return 0, nil, io.EOF
			}
			if s.end-s.start >= maxLine {
				return s.skipLine(s.end - s.start)
			}
			s.ends = append(s.ends, len(s.plain))
			return i, nil, nil
		}
		if s.buf[s.start+i] == '"' {
			end, ok, err := s.quoted(i)
			if err != nil {
				return 0, nil, err
			}
			if !ok {
				return s.unbalanced(i)
			}
			i = end
		} else {
			end, err := s.bare(i)
			if err != nil {
				return 0, nil, err
			}
			if end-i >= maxLine {
				return s.skipLine(end)
			}
			s.plain = append(s.plain, s.buf[s.start+i:s.start+end]...)
			i = end
		}
		s.ends = append(s.ends, len(s.plain))
		if have, err = s.has(i); err != nil {
			return 0, nil, err
		}
		if !have {
			if !s.eof {
				return s.skipLine(i)
			}
			return i, nil, nil
		}
		switch s.buf[s.start+i] {
		case s.delim:
			i++
		case '\n':
			return i + 1, nil, nil
		default: // '\r'
			if have, err = s.has(i + 1); err != nil {
				return 0, nil, err
			}
			if have && s.buf[s.start+i+1] == '\n' {
				i++
			}
			return i + 1, nil, nil
		}
	}
}

// has says whether there is a byte at i after start.
func (s *csvSource) has(i int) (bool, error) {
	for s.start+i >= s.end {
		if ok, err := s.more(); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// bare finds the end of a field without quotes, at most maxLine on.
func (s *csvSource) bare(i int) (int, error) {
	for {
		b := s.buf[s.start:s.end]
		for ; i < len(b); i++ {
			if c := b[i]; c == s.delim || c == '\n' || c == '\r' {
				return i, nil
			}
		}
		if ok, err := s.more(); err != nil || !ok {
			return i, err
		}
	}
}

// quoted reads a field in quotes that begins at i; ok is false if its quote has no end,
// or something behind its end.
func (s *csvSource) quoted(i int) (end int, ok bool, err error) {
	i++
	from := i
	for {
		b := s.buf[s.start:s.end]
		at := bytes.IndexByte(b[i:], '"')
		if at < 0 {
			i = len(b)
			if more, err := s.more(); err != nil {
				return 0, false, err
			} else if !more {
				return 0, false, nil
			}
			continue
		}
		i += at
		have, err := s.has(i + 1)
		if err != nil {
			return 0, false, err
		}
		s.plain = append(s.plain, s.buf[s.start+from:s.start+i]...)
		if !have {
			return i + 1, s.eof, nil
		}
		switch s.buf[s.start+i+1] {
		case '"':
			s.plain = append(s.plain, '"')
			i += 2
			from = i
		case s.delim, '\n', '\r':
			return i + 1, true, nil
		default:
			return 0, false, nil
		}
	}
}

// unbalanced gives up the record whose field at i has a quote that is not closed.
func (s *csvSource) unbalanced(i int) (int, *Fault, error) {
	at := s.lineNo + lines(s.buf[s.start:s.start+i])
	n, _, err := s.skipLine(i)
	return n, &Fault{Class: ClassQuote, Reason: fmt.Sprintf("第 %d 行的双引号没有成对，这一行无法分列；文本中的双引号应写成两个，或去掉", at)}, err
}

// skipLine finds the end of the line that goes on at i. Of a line that is longer than a
// record may be it lets go all that does not fit.
func (s *csvSource) skipLine(i int) (int, *Fault, error) {
	fault := &Fault{Class: ClassLong, Reason: fmt.Sprintf("第 %d 行超过 %d 字节，请检查是否缺少换行，或去掉大字段", s.lineNo, maxLine)}
	for {
		if at := bytes.IndexByte(s.buf[s.start+i:s.end], '\n'); at >= 0 {
			return i + at + 1, fault, nil
		}
		if at := bytes.IndexByte(s.buf[s.start+i:s.end], '\r'); at >= 0 && s.start+i+at+1 < s.end {
			return i + at + 1, fault, nil
		}
		i = s.end - s.start
		ok, err := s.more()
		if err != nil {
			return 0, nil, err
		}
		if !ok && s.eof {
			return i, fault, nil
		}
		if !ok {
			s.end = s.start + 8<<10 // its beginning is shown
			i = 8 << 10
		}
	}
}

// fields gives the fields of the record in plain to the line, all of one string.
func (s *csvSource) fields() {
	if !utf8.Valid(s.plain) {
		// The lengths of fields change with what stands for a broken byte.
		from := 0
		for _, end := range s.ends {
			s.put(strings.ToValidUTF8(string(s.plain[from:end]), "\uFFFD"))
			from = end
		}
		return
	}
	all, from := string(s.plain), 0
	for _, end := range s.ends {
		s.put(all[from:end])
		from = end
	}
}

func (s *csvSource) put(v string) {
	c := cell{kind: isText, text: v}
	if v == "" {
		c.kind = isBlank
	}
	s.out.cells = append(s.out.cells, c)
}

// ragged sees whether the record has as many fields as the headings. Empty ones too
// many are what a spreadsheet leaves behind, and a line without any is blank.
func (s *csvSource) ragged() {
	n := len(s.out.cells)
	for n > s.want && s.out.cells[n-1].kind == isBlank {
		n--
	}
	s.out.cells = s.out.cells[:n]
	if n == s.want || s.out.blank() {
		return
	}
	s.out.raw = join(s.out.cells, s.delim)
	s.out.fault = &Fault{Class: ClassRagged, Reason: fmt.Sprintf("第 %d 行有 %d 列，表头行有 %d 列；请检查是否少了或多了分隔符“%s”，含分隔符的内容应加双引号", s.out.number, n, s.want, delimName(s.delim))}
}

func join(cells []cell, delim byte) string {
	parts := make([]string, len(cells))
	for i := range cells {
		parts[i] = cells[i].text
	}
	return strings.Join(parts, string(rune(delim)))
}

func delimName(c byte) string {
	if c == '\t' {
		return "制表符"
	}
	return string(rune(c))
}

// delimiters are those that are looked for, likeliest first.
var delimiters = []byte{',', '\t', ';', '|'}
