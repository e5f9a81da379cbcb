package post

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/submit"
)

// Bounds of the window that rows are cut out of.
const (
	windowMin = 64 << 10
	windowMax = submit.MaxRow + 64<<10
	// tail is how close to the window's end a value may seem broken because the rest of
	// it is not there yet: no word, escape or number sign is longer.
	tail = 16
)

// bom is what some editors put before UTF-8.
var bom = []byte("\xef\xbb\xbf")

// Broken is the error of a body that is not well-formed: nothing of it was taken.
type Broken struct {
	Offset       int64 // bytes before the fault
	Line, Column int   // from 1; characters of the line
	Row          int64 // the row that is at fault, from 0; -1 for none
	Why          string
}

func (e *Broken) Error() string {
	row := ""
	if e.Row >= 0 {
		row = fmt.Sprintf("，第 %d 行数据（下标 %d）", e.Row+1, e.Row)
	}
	return fmt.Sprintf("内容在第 %d 行第 %d 列（第 %d 字节%s）有误，%s；整个请求未收，请改正后重发 / line %d column %d is not well-formed, nothing was taken",
		e.Line, e.Column, e.Offset+1, row, e.Why, e.Line, e.Column)
}

func (e *Broken) Unwrap() error { return mulu.ErrInvalid }

// window is the part of a body that is looked at.
type window struct {
	r    io.Reader
	buf  []byte
	i    int   // what stands before is done with
	base int64 // bytes of the body before buf
	eof  bool
}

func newWindow(r io.Reader) (*window, error) {
	w := &window{r: r, buf: make([]byte, 0, windowMin)}
	if err := w.more(); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(w.buf, bom) {
		w.i = len(bom)
	}
	return w, nil
}

var errFull = errors.New("the window is full")

// more reads on, after letting go of what is done with. errFull: what is not done with
// fills the largest window.
func (w *window) more() error {
	if w.i > 0 {
		n := copy(w.buf, w.buf[w.i:])
		w.buf, w.base, w.i = w.buf[:n], w.base+int64(w.i), 0
	}
	if len(w.buf) == cap(w.buf) {
		if cap(w.buf) >= windowMax {
			return errFull
		}
		w.buf = append(make([]byte, 0, min(2*cap(w.buf), windowMax)), w.buf...)
	}
	for len(w.buf) < cap(w.buf) && !w.eof {
		n, err := w.r.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		if err == io.EOF { //nolint:errorlint // as io.Reader says it
			w.eof = true
		} else if err != nil {
			return fmt.Errorf("read body again: %w", err)
		}
	}
	return nil
}

// peek is the next byte that is no white space; ok is false at the end.
func (w *window) peek() (c byte, ok bool, err error) {
	for {
		if w.i = ingest.JSONBlank(w.buf, w.i); w.i < len(w.buf) {
			return w.buf[w.i], true, nil
		}
		if w.eof {
			return 0, false, nil
		}
		if err := w.more(); err != nil {
			return 0, false, err
		}
	}
}

// value is the JSON value at the window's place, which it passes. The bytes are the
// window's.
func (w *window) value(row int64) ([]byte, error) {
	for {
		end, ok := ingest.JSONEnd(w.buf, w.i)
		if ok && (end < len(w.buf) || w.eof) {
			v := w.buf[w.i:end]
			w.i = end
			return v, nil
		}
		if w.eof && end >= len(w.buf) {
			return nil, w.broken(len(w.buf), row, "到这里就结束了，数据不完整")
		}
		if !ok && (w.eof || end < len(w.buf)-tail) {
			return nil, w.broken(end, row, "不是合法的 JSON，或嵌套超过 64 层")
		}
		if err := w.more(); errors.Is(err, errFull) {
			return nil, tooLong(row, int64(len(w.buf)-w.i))
		} else if err != nil {
			return nil, err
		}
	}
}

func (w *window) broken(at int, row int64, why string) error {
	return &Broken{Offset: w.base + int64(min(at, len(w.buf))), Row: row, Why: why}
}

func tooLong(row, n int64) error {
	return fmt.Errorf("第 %d 行数据（下标 %d）超过 %d 字节（已读到 %d 字节）；请去掉大字段，整个请求未收 / row %d is too long, nothing was taken: %w",
		row+1, row, submit.MaxRow, n, row, mulu.ErrInvalid)
}

// list reads a JSON list of rows, or one row alone.
func list(r io.Reader, yield func([]byte) error) error {
	w, err := newWindow(r)
	if err != nil {
		return err
	}
	c, ok, err := w.peek()
	switch {
	case err != nil:
		return err
	case !ok:
		return nil
	case c == '{':
		if err := w.one(0, yield); err != nil {
			return err
		}
		return w.over(1)
	case c != '[':
		return w.broken(w.i, -1, "应为一个 JSON 对象，或由对象组成的列表")
	}
	w.i++
	for row := int64(0); ; row++ {
		c, ok, err := w.peek()
		if err != nil {
			return err
		}
		if !ok {
			return w.broken(len(w.buf), row, "到这里就结束了，列表缺少 ]")
		}
		if c == ']' && row == 0 {
			w.i++
			return w.over(0)
		}
		if err := w.one(row, yield); err != nil {
			return err
		}
		switch c, ok, err = w.peek(); {
		case err != nil:
			return err
		case !ok:
			return w.broken(len(w.buf), row, "到这里就结束了，列表缺少 ]")
		case c == ']':
			w.i++
			return w.over(row + 1)
		case c != ',':
			return w.broken(w.i, row, "两行数据之间应为逗号")
		}
		w.i++
	}
}

func (w *window) one(row int64, yield func([]byte) error) error {
	v, err := w.value(row)
	if err != nil {
		return err
	}
	return yield(v)
}

// over is that nothing but white space follows.
func (w *window) over(row int64) error {
	_, more, err := w.peek()
	if err == nil && more {
		err = w.broken(w.i, -1, fmt.Sprintf("前 %d 行数据之后还有多余内容", row))
	}
	return err
}

// lines reads one row a line. Where a line ends is plain whatever is in it, so that one
// that is no JSON is a row like any other, which ingest rejects. Blank lines are none.
func lines(r io.Reader, yield func([]byte) error) error {
	w, err := newWindow(r)
	if err != nil {
		return err
	}
	for row := int64(0); ; {
		at := bytes.IndexByte(w.buf[w.i:], '\n')
		if at < 0 && !w.eof {
			if err := w.more(); errors.Is(err, errFull) {
				return tooLong(row, int64(len(w.buf)-w.i))
			} else if err != nil {
				return err
			}
			continue
		}
		line := w.buf[w.i:]
		if at >= 0 {
			line = line[:at]
		}
		w.i = min(len(w.buf), w.i+len(line)+1)
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := yield(line); err != nil {
				return err
			}
			row++
		}
		if at < 0 {
			return nil
		}
	}
}

// place finds the line and column of a fault.
func place(r io.Reader, e *Broken) {
	e.Line, e.Column = 1, 1
	buf := make([]byte, 32<<10)
	for left := e.Offset; left > 0; {
		n, err := r.Read(buf[:min(int64(len(buf)), left)])
		left -= int64(n)
		for _, c := range buf[:n] {
			if c == '\n' {
				e.Line, e.Column = e.Line+1, 1
			} else if utf8.RuneStart(c) {
				e.Column++
			}
		}
		if err != nil {
			return
		}
	}
}
