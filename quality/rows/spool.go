package rows

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

const spoolPattern = "rows-*"

// Spool holds one archive on disk between the engine and the client. It carries personal
// information: the file has no name from its first byte on, so that a crash leaves
// nothing to find.
type Spool struct {
	file *os.File
	size int64
	sum  hash.Hash
}

// NewSpool makes an empty one under dir.
func NewSpool(dir string) (*Spool, error) {
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
	return &Spool{file: f, sum: sha256.New()}, nil
}

func (s *Spool) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.size += int64(n)
	s.sum.Write(p[:n])
	return n, err
}

// Size is how many bytes were written.
func (s *Spool) Size() int64 { return s.size }

// Digest is "sha256:…" of them.
func (s *Spool) Digest() string { return "sha256:" + hex.EncodeToString(s.sum.Sum(nil)) }

// Deliver writes all of it to w, or stops when ctx ends.
func (s *Spool) Deliver(ctx context.Context, w io.Writer) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, ctxReader{ctx, s.file}, make([]byte, 128<<10))
	return err
}

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Close lets the file go, and what is in it.
func (s *Spool) Close() error { return s.file.Close() }

// Sweep removes what a crash left: spools that had not lost their name yet, and rows that
// a workbook had put on disk.
func Sweep(dir string) error {
	for _, pattern := range []string{spoolPattern, "excelize-*"} {
		left, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return fmt.Errorf("sweep spool: %w", err)
		}
		for _, f := range left {
			if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("sweep spool: %w", err)
			}
		}
	}
	return nil
}
