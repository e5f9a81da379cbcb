package library

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
)

// eachLine runs a statement whose columns are all text or plain numbers, and hands every
// row on. The slice is the callee's until it returns.
func (l *Library) eachLine(ctx context.Context, sql string, columns int, row func(cells []string) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before Close: what nobody reads must not be computed
	r, err := l.db.QueryFormat(ctx, "TabSeparated", sql)
	if err != nil {
		return err
	}
	defer func() { cancel(); r.Close() }()
	in := bufio.NewReaderSize(r, 256<<10)
	cells := make([]string, columns)
	for {
		line, err := readLine(in)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n := bytes.Count(line, []byte{'\t'}); n != columns-1 {
			return fmt.Errorf("a row of %d columns, not %d", n+1, columns)
		}
		rest := string(line)
		for i := range cells {
			var cell string
			cell, rest, _ = strings.Cut(rest, "\t")
			cells[i] = unescape(cell)
		}
		if err := row(cells); err != nil {
			return err
		}
	}
}

// readLine is a line without its feed; the engine escapes those inside values. io.EOF is
// the clean end, and a last line that breaks off is an error.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if err == nil {
		return line[:len(line)-1], nil
	}
	if err == bufio.ErrBufferFull {
		long := bytes.Clone(line)
		line, err = in.ReadBytes('\n')
		if long = append(long, line...); err == nil {
			return long[:len(long)-1], nil
		}
		line = long
	}
	if err == io.EOF && len(line) > 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}

var unescaper = map[byte]byte{'t': '\t', 'n': '\n', 'r': '\r', '0': 0, 'b': '\b', 'f': '\f', 'a': '\a', 'v': '\v', '\\': '\\', '\'': '\''}

// unescape reads a value of tab-separated text.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := unescaper[at(s, i+1)]; s[i] == '\\' && ok {
			b.WriteByte(c)
			i++
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func at(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0xff
}
