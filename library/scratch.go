package library

import (
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
)

// scratch is the memory one batch is framed in. It is used again for a later batch,
// so that framing neither fills the heap nor takes fresh pages from the system.
type scratch struct {
	buf  []byte // handed out up to used
	used int
	over int // bytes that had to be made because buf was full
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// bytes hands out n bytes of any content, 64-byte aligned within the scratch.
func (s *scratch) bytes(n int) []byte {
	room := (n + 63) &^ 63
	if s.used+room > len(s.buf) {
		s.over += room
		return make([]byte, n)
	}
	b := s.buf[s.used : s.used+n : s.used+n]
	s.used += room
	return b
}

// reset makes room for as much as was just needed.
func (s *scratch) reset() {
	if s.over > 0 {
		s.buf = make([]byte, s.used+s.over+s.over/8)
	}
	s.used, s.over = 0, 0
}

// zeros are n bytes that nobody may write to, all 0.
func zeros(n int) []byte {
	nought.Lock()
	defer nought.Unlock()
	if len(nought.b) < n {
		nought.b = make([]byte, n)
	}
	return nought.b[:n:n]
}

var nought struct {
	sync.Mutex
	b []byte
}

// numbers hands out n values of any content.
func numbers[T uint8 | uint16 | uint32 | uint64 | int32](s *scratch, n int) []T {
	var zero T
	b := s.bytes(n * int(sizeOf(zero)))
	return arrow.GetData[T](b)[:n]
}

func sizeOf(v any) uintptr {
	switch v.(type) {
	case uint8:
		return 1
	case uint16:
		return 2
	case uint64:
		return 8
	}
	return 4
}

// framed is one Arrow IPC stream in the pieces it lies in: small ones copied
// together, large ones where they are, in the batch's columns or in the scratch.
// Both must stay as they are until release.
type framed struct {
	pieces  [][]byte
	small   bool // the last piece is ours and may grow
	size    int
	scratch *scratch
}

// keepWhole is from how many bytes on a piece is not copied. Each piece costs the
// engine a wake-up.
const keepWhole = 64 << 10

// Write takes the next bytes of the stream; it keeps large ones without copying.
func (f *framed) Write(p []byte) (int, error) {
	f.size += len(p)
	switch {
	case len(p) >= keepWhole:
		f.pieces, f.small = append(f.pieces, p), false
	case f.small:
		last := len(f.pieces) - 1
		f.pieces[last] = append(f.pieces[last], p...)
	default:
		f.pieces, f.small = append(f.pieces, append(make([]byte, 0, max(4<<10, len(p))), p...)), true
	}
	return len(p), nil
}

// reader reads the stream from its start.
func (f *framed) reader() *stream { return &stream{rest: slices.Clone(f.pieces)} }

// release gives the scratch back.
func (f *framed) release() {
	if f != nil && f.scratch != nil {
		f.scratch.reset()
		scratches.Put(f.scratch)
		f.scratch, f.pieces = nil, nil
	}
}

// stream reads a frame once. A client over the network may go on reading the body
// of a request that was given up: after end, nobody looks at the frame any more.
type stream struct {
	mu    sync.Mutex
	rest  [][]byte
	ended bool
}

var errEnded = errors.New("read frame: the insert was given up")

func (s *stream) Read(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n < len(p) && len(s.rest) > 0 {
		m := copy(p[n:], s.rest[0])
		n += m
		if s.rest[0] = s.rest[0][m:]; len(s.rest[0]) == 0 {
			s.rest = s.rest[1:]
		}
	}
	switch {
	case s.ended:
		return 0, errEnded
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// WriteTo hands the pieces on as they lie.
func (s *stream) WriteTo(w io.Writer) (n int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return 0, errEnded
	}
	for len(s.rest) > 0 {
		m, err := w.Write(s.rest[0])
		n += int64(m)
		if err != nil {
			return n, err
		}
		s.rest = s.rest[1:]
	}
	return n, nil
}

// end waits for a read under way and makes later ones fail.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest, s.ended = nil, true
}
