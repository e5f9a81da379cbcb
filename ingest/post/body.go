package post

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mulu"
)

// keepInMemory is the longest body that is not put on disk.
const keepInMemory = 1 << 20

// TooLong is the error of a body over the limit.
type TooLong struct{ Limit int64 }

func (e *TooLong) Error() string {
	return fmt.Sprintf("请求内容（解压后）超过 %d MiB，请分几次提交 / the body is too long", e.Limit>>20)
}

// body is what was posted, unzipped: in memory, or in a file that is gone after close
// unless keep was called.
type body struct {
	mem    []byte
	file   string
	size   int64
	digest string // "sha256:…"
}

// readBody reads all that is posted. limit counts unzipped bytes.
func readBody(ctx context.Context, r io.Reader, zipped bool, limit int64, dir string) (b *body, err error) {
	if zipped {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, unzip(err)
		}
		defer z.Close()
		r = zipReader{z}
	}
	sum := sha256.New()
	r = io.TeeReader(io.LimitReader(reading{ctx, r}, limit+1), sum)
	b = &body{}
	var mem bytes.Buffer
	n, err := io.Copy(&mem, io.LimitReader(r, keepInMemory))
	if err == nil && n == keepInMemory {
		n, err = b.spill(&mem, r, dir)
	}
	if err == nil && n > limit {
		err = &TooLong{limit}
	}
	if err != nil {
		b.close()
		return nil, err
	}
	b.size, b.digest = n, "sha256:"+hex.EncodeToString(sum.Sum(nil))
	if b.file == "" {
		b.mem = mem.Bytes()
	}
	return b, nil
}

// spill goes on reading into a file.
func (b *body) spill(head *bytes.Buffer, rest io.Reader, dir string) (n int64, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fmt.Errorf("keep body: %w", err)
	}
	f, err := os.CreateTemp(dir, "post-*")
	if err != nil {
		return 0, fmt.Errorf("keep body: %w", err)
	}
	b.file = f.Name()
	n, err = io.Copy(f, io.MultiReader(bytes.NewReader(head.Bytes()), rest))
	return n, errors.Join(err, f.Close())
}

// open reads it from the beginning.
func (b *body) open() (io.ReadCloser, error) {
	if b.file == "" {
		return io.NopCloser(bytes.NewReader(b.mem)), nil
	}
	f, err := os.Open(b.file)
	if err != nil {
		return nil, fmt.Errorf("read body again: %w", err)
	}
	return f, nil
}

// keep makes the body last in a file, since it may be what a submission is gone on with
// after a crash, and gives the file's name.
func (b *body) keep(dir string) (name string, err error) {
	if b.file == "" {
		if _, err := b.spill(bytes.NewBuffer(b.mem), bytes.NewReader(nil), dir); err != nil {
			return "", err
		}
	}
	for _, path := range []string{b.file, dir} { // what it holds, and that it is there
		f, err := os.Open(path)
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err != nil {
			return "", fmt.Errorf("keep body: %w", err)
		}
	}
	return filepath.Base(b.file), nil
}

// close lets the file go.
func (b *body) close() {
	if b.file != "" {
		os.Remove(b.file) //nolint:errcheck // swept at the next start
	}
}

// reading ends with its context: a body may come slowly.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// zipReader says in our words that a zipped body is damaged.
type zipReader struct{ *gzip.Reader }

func (z zipReader) Read(p []byte) (int, error) {
	n, err := z.Reader.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as io.Reader says it
		err = unzip(err)
	}
	return n, err
}

func unzip(err error) error {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("Content-Encoding 为 gzip，但内容不是完整的 gzip；请检查压缩，或去掉该请求头 / the body is no whole gzip: %w: %w", mulu.ErrInvalid, err)
	}
	return err
}
