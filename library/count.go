package library

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"mulu"
)

// lineCounter counts JSON rows: the engine escapes every line feed inside a value.
// An array adds a line for each bracket, and an empty one a blank line.
type lineCounter struct {
	array        bool
	lines, bytes int64
}

func (c *lineCounter) Write(p []byte) (int, error) {
	c.lines += int64(bytes.Count(p, []byte{'\n'}))
	c.bytes += int64(len(p))
	return len(p), nil
}

func (c *lineCounter) rows() int64 {
	const empty = int64(len("[\n\n]\n"))
	switch {
	case !c.array:
		return c.lines
	case c.bytes <= empty:
		return 0
	}
	return c.lines - 2
}

// csvCounter counts line feeds outside quotes, less the header. The engine quotes
// every text and doubles quotes inside, so the parity of quotes is enough.
type csvCounter struct {
	quoted bool
	lines  int64
}

func (c *csvCounter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '"')
		part := rest
		if i >= 0 {
			part = rest[:i]
		}
		if !c.quoted {
			c.lines += int64(bytes.Count(part, []byte{'\n'}))
		}
		if i < 0 {
			break
		}
		c.quoted = !c.quoted
		rest = rest[i+1:]
	}
	return len(p), nil
}

func (c *csvCounter) rows() int64 { return max(c.lines-1, 0) }

// arrowCounter adds up the lengths in the record batch messages of an Arrow IPC
// stream: continuation marker, metadata length, metadata (flatbuffer Message), body.
type arrowCounter struct {
	head []byte // unfinished prefix and metadata
	skip int64  // body bytes to pass over
	n    int64
}

func (c *arrowCounter) rows() int64 { return c.n }

func (c *arrowCounter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if c.skip > 0 {
			k := min(c.skip, int64(len(rest)))
			rest, c.skip = rest[k:], c.skip-k
			continue
		}
		want := 8
		if len(c.head) >= 8 {
			if binary.LittleEndian.Uint32(c.head) != 0xFFFFFFFF {
				return 0, fmt.Errorf("arrow stream has no continuation marker: %w", mulu.ErrInvalid)
			}
			want += int(binary.LittleEndian.Uint32(c.head[4:]))
		}
		k := min(want-len(c.head), len(rest))
		c.head, rest = append(c.head, rest[:k]...), rest[k:]
		if len(c.head) < want || want == 8 && binary.LittleEndian.Uint32(c.head[4:]) != 0 {
			continue
		}
		if want > 8 {
			if err := c.message(c.head[8:]); err != nil {
				return 0, err
			}
		}
		c.head = c.head[:0]
	}
	return len(p), nil
}

// message reads Message{headerType: 1, header: 2, bodyLength: 3} and, when the
// header is a RecordBatch (3), its length field 0.
func (c *arrowCounter) message(b []byte) (err error) {
	defer func() {
		if recover() != nil { // an offset outside the buffer
			err = fmt.Errorf("arrow message is damaged: %w", mulu.ErrInvalid)
		}
	}()
	root := int(binary.LittleEndian.Uint32(b))
	if at := tableField(b, root, 3); at > 0 {
		c.skip = int64(binary.LittleEndian.Uint64(b[at:]))
	}
	if at := tableField(b, root, 1); at == 0 || b[at] != 3 {
		return nil
	}
	if at := tableField(b, root, 2); at > 0 {
		batch := at + int(binary.LittleEndian.Uint32(b[at:]))
		if at := tableField(b, batch, 0); at > 0 {
			c.n += int64(binary.LittleEndian.Uint64(b[at:]))
		}
	}
	return nil
}

// tableField is where field i of the flatbuffer table begins, 0 if it is absent.
func tableField(b []byte, table, i int) int {
	vt := table - int(int32(binary.LittleEndian.Uint32(b[table:])))
	at := 4 + 2*i
	if at >= int(binary.LittleEndian.Uint16(b[vt:])) {
		return 0
	}
	if off := int(binary.LittleEndian.Uint16(b[vt+at:])); off > 0 {
		return table + off
	}
	return 0
}
