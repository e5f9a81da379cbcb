package share

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// refusal is a read that was admitted and yields nothing, in words for people.
type refusal string

func (r refusal) Error() string { return string(r) }

// errAborted marks that the client, not the house, ended a delivery.
var errAborted = errors.New("client went away")

const spoolPattern = "result-*"

// spool holds one result on disk between the engine and the client: it bounds it,
// digests it, and is gone when closed. Results carry personal information, so the
// file has no name from its first byte on and a crash leaves nothing to find.
type spool struct {
	file *os.File
	max  int64
	size int64
	rows int64
	sum  hash.Hash
	full bool // more was written than fits
}

func newSpool(dir string, most int64) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool: %w", err)
	}
	f, err := os.CreateTemp(dir, spoolPattern)
	if err != nil {
		return nil, fmt.Errorf("make spool: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("make spool: %w", err)
	}
	return &spool{file: f, max: most, sum: sha256.New()}, nil
}

func (s *spool) Write(p []byte) (int, error) {
	if s.size+int64(len(p)) > s.max {
		s.full = true
		return 0, fmt.Errorf("write spool: over %d bytes", s.max)
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	s.sum.Write(p[:n])
	return n, err
}

func (s *spool) digest() string { return "sha256:" + hex.EncodeToString(s.sum.Sum(nil)) }

// copyTo writes the whole result to w, or stops when ctx ends.
func (s *spool) copyTo(ctx context.Context, w io.Writer) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	buf := make([]byte, 128<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := s.file.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read spool: %w", err)
		}
	}
}

func (s *spool) Close() error { return s.file.Close() }

// sweepSpool removes what a crash between making a file and unnaming it left.
func sweepSpool(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, spoolPattern))
	if err != nil {
		return fmt.Errorf("sweep spool: %w", err)
	}
	for _, f := range left {
		if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("sweep spool: %w", err)
		}
	}
	return nil
}
