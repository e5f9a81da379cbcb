package file

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// Shared strings are kept in blocks: in memory while there are few, then in a file that
// has no name, so that it is gone when the process is. A sheet names them mostly in the
// order in which they stand, and a few kept blocks serve nearly all of it.
const (
	blockStrings = 64
	memoryBlocks = 24 << 20 // bytes kept in memory
	keptBlocks   = 512      // blocks kept of those in the file
	maxString    = 256 << 10
	maxStrings   = 2 << 30 // bytes of all of them
)

// sharedStrings are the texts that the cells of a workbook name by number.
type sharedStrings struct {
	starts []int64 // of each block
	n      int
	memory []byte // the blocks, while there is no file
	f      *os.File
	size   int64
	block  []byte // being filled

	kept [keptBlocks]struct {
		no   int // of the block, from 1
		data []byte
	}
}

// loadStrings reads the shared strings part.
func (w *workbook) loadStrings() error {
	if w.strings != nil {
		return nil
	}
	w.strings = &sharedStrings{}
	if w.stringsAt == "" || w.parts[partName(w.stringsAt)] == nil {
		return nil
	}
	r, err := w.open(w.stringsAt, maxPart)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := w.strings.read(newScanner(r)); err != nil {
		return fmt.Errorf("read shared strings: %w", err)
	}
	return nil
}

func (s *sharedStrings) read(x *scanner) error {
	var b []byte
	for {
		switch err := x.next(); {
		case err == io.EOF:
			return s.flush()
		case err != nil:
			return err
		case x.kind != tokenStart || string(x.name) != "si":
			continue
		}
		var err error
		if b, err = readRich(x, b[:0]); err != nil {
			return err
		}
		if err := s.add(b); err != nil {
			return err
		}
	}
}

// readRich reads the text of the si or is element that was just begun, without its
// phonetic hints (拼音).
func readRich(x *scanner, b []byte) ([]byte, error) {
	take := false
	for depth := 1; depth > 0; {
		if err := x.next(); err != nil {
			if err == io.EOF {
				err = errXML
			}
			return b, err
		}
		switch x.kind {
		case tokenStart:
			if string(x.name) == "rPh" {
				if err := x.skip(); err != nil {
					return b, err
				}
				continue
			}
			depth++
			take = string(x.name) == "t"
		case tokenEnd:
			depth--
			take = false
		case tokenText:
			if take {
				if b = append(b, x.text...); len(b) > maxString {
					return b, errToken
				}
			}
		}
	}
	return excelEscapes(b), nil
}

func (s *sharedStrings) add(b []byte) error {
	s.block = binary.AppendUvarint(s.block, uint64(len(b)))
	s.block = append(s.block, b...)
	s.n++
	if s.n%blockStrings == 0 {
		return s.flush()
	}
	return nil
}

// flush puts the block being filled to the others.
func (s *sharedStrings) flush() error {
	if len(s.block) == 0 {
		return nil
	}
	s.starts = append(s.starts, s.size)
	if s.size += int64(len(s.block)); s.size > maxStrings {
		return fmt.Errorf("the texts have more than %d bytes", int64(maxStrings))
	}
	if s.f == nil && s.size > memoryBlocks {
		f, err := os.CreateTemp("", "mulu-strings-")
		if err != nil {
			return fmt.Errorf("keep shared strings: %w", err)
		}
		os.Remove(f.Name()) //nolint:errcheck // it stays as a name only
		s.f = f
		if _, err := f.Write(s.memory); err != nil {
			return fmt.Errorf("keep shared strings: %w", err)
		}
		s.memory = nil
	}
	if s.f == nil {
		s.memory = append(s.memory, s.block...)
	} else if _, err := s.f.Write(s.block); err != nil {
		return fmt.Errorf("keep shared strings: %w", err)
	}
	s.block = s.block[:0]
	return nil
}

// get gives string i; it is good until the next call. ok is false if there is none.
func (s *sharedStrings) get(i int) (b []byte, ok bool, err error) {
	if i < 0 || i >= s.n {
		return nil, false, nil
	}
	b, err = s.blockOf(i / blockStrings)
	if err != nil {
		return nil, false, err
	}
	for range i % blockStrings {
		n, w := binary.Uvarint(b)
		b = b[w+int(n):]
	}
	n, w := binary.Uvarint(b)
	return b[w : w+int(n)], true, nil
}

func (s *sharedStrings) blockOf(no int) ([]byte, error) {
	from, to := s.starts[no], s.size
	if no+1 < len(s.starts) {
		to = s.starts[no+1]
	}
	if s.f == nil {
		return s.memory[from:to], nil
	}
	k := &s.kept[no%keptBlocks]
	if k.no == no+1 {
		return k.data, nil
	}
	k.no = 0
	if int64(cap(k.data)) < to-from {
		k.data = make([]byte, to-from)
	}
	k.data = k.data[:to-from]
	if _, err := s.f.ReadAt(k.data, from); err != nil {
		return nil, fmt.Errorf("read shared strings: %w", err)
	}
	k.no = no + 1
	return k.data, nil
}

func (s *sharedStrings) close() {
	if s.f != nil {
		s.f.Close()
	}
}
