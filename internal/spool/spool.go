// Package spool holds results on disk between the engine and a client, whose slowness
// would else hold an engine slot. Results carry personal information: the file has no
// name from its first byte on, so that a crash leaves nothing to find.
package spool

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

const pattern = "spool-*"

// Spool is one result. It is written by one goroutine and then read by one.
type Spool struct {
	file *os.File
	most int64 // bytes; 0 is no bound
	size int64
	sum  hash.Hash
	full bool
}

// New makes an empty one under dir that takes at most so many bytes, 0 for any number.
func New(dir string, most int64) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make spool: %w", err)
	}
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, fmt.Errorf("make spool: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("make spool: %w", err)
	}
	return &Spool{file: f, most: most, sum: sha256.New()}, nil
}

func (s *Spool) Write(p []byte) (int, error) {
	if s.most > 0 && s.size+int64(len(p)) > s.most {
		s.full = true
		return 0, fmt.Errorf("write spool: over %d bytes", s.most)
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	s.sum.Write(p[:n])
	return n, err
}

// Full says whether more was written than it takes.
func (s *Spool) Full() bool { return s.full }

// Size is how many bytes were written.
func (s *Spool) Size() int64 { return s.size }

// Digest is "sha256:…" of them.
func (s *Spool) Digest() string { return "sha256:" + hex.EncodeToString(s.sum.Sum(nil)) }

// Deliver writes all of it to w, or stops when ctx ends.
func (s *Spool) Deliver(ctx context.Context, w io.Writer) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	// Not by the file's own way to a socket, which would not look at ctx.
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, reader{ctx, s.file}, make([]byte, 128<<10))
	return err
}

// reader ends with ctx.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// Close lets the file go, and what is in it.
func (s *Spool) Close() error { return s.file.Close() }

// Sweep removes what a crash between making a file and unnaming it left, and files of
// further patterns: those that a library made in the same directory.
func Sweep(dir string, also ...string) error {
	for _, p := range append([]string{pattern}, also...) {
		left, err := filepath.Glob(filepath.Join(dir, p))
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
