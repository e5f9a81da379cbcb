package packages

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"mulu"
	"mulu/ingest/submit"
)

// record is one line of a part: JSON, bytes in base64, so that a part can be looked into
// with what is at hand (zstdcat part-0001.zst | head).
type record struct {
	Partition int32  `json:"p"`
	Offset    int64  `json:"o"`
	Time      int64  `json:"t"`           // of the source's record, Unix ms, 0 for none
	Key       []byte `json:"k"`           // null for none
	Value     []byte `json:"v"`           // null for none
	Note      []byte `json:"n,omitempty"` // the header mulu-note
}

// partWriter writes one part.
type partWriter struct {
	f    *os.File
	sum  hash.Hash
	z    *zstd.Encoder
	n    int64 // bytes written
	raw  int64 // bytes before compression, part of which the compressor still holds
	part Part
}

func newPart(dir string, n int) (*partWriter, error) {
	w := &partWriter{sum: sha256.New(), part: Part{Name: fmt.Sprintf("part-%04d.zst", n)}}
	var err error
	if w.f, err = os.OpenFile(filepath.Join(dir, w.part.Name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640); err != nil {
		return nil, fmt.Errorf("write part: %w", err)
	}
	w.z, err = zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	return w, err
}

// Write is what the compressor has ready.
func (w *partWriter) Write(p []byte) (int, error) {
	w.sum.Write(p)
	n, err := w.f.Write(p)
	w.n += int64(n)
	return n, err
}

func (w *partWriter) add(r *record) error {
	b, err := json.Marshal(r)
	if err == nil {
		_, err = w.z.Write(append(b, '\n'))
	}
	w.part.Rows++
	w.raw += int64(len(b))
	if err != nil {
		return fmt.Errorf("write part %s: %w", w.part.Name, err)
	}
	return nil
}

func (w *partWriter) close() (Part, error) {
	if err := errors.Join(w.z.Close(), w.f.Sync(), w.f.Close()); err != nil {
		return w.part, fmt.Errorf("write part %s: %w", w.part.Name, err)
	}
	w.part.Bytes, w.part.SHA256 = w.n, hex.EncodeToString(w.sum.Sum(nil))
	return w.part, nil
}

// check says whether a file is the part.
func (p *Part) check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("分卷 %s 打不开 / open part: %w", p.Name, err)
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return fmt.Errorf("read part %s: %w", p.Name, err)
	}
	return p.same(n, hex.EncodeToString(sum.Sum(nil)))
}

func (p *Part) same(n int64, sum string) error {
	if n != p.Bytes {
		return fmt.Errorf("分卷 %s 长 %d 字节，清单写作 %d 字节：没有传完整，或不是这个包的 / the part is not whole: %w", p.Name, n, p.Bytes, mulu.ErrInvalid)
	}
	if sum != p.SHA256 {
		return fmt.Errorf("分卷 %s 的摘要与清单不符：被改动过，或不是这个包的 / the part was altered: %w", p.Name, mulu.ErrInvalid)
	}
	return nil
}

// maxLine is a record of the longest row, in base64.
const maxLine = 4 * (submit.MaxRow + 64<<10) / 2

// rows reads a part's records in order.
func rows(path string, yield func(record) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read part: %w", err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return fmt.Errorf("read part: %w", err)
	}
	defer z.Close()
	in := bufio.NewScanner(z)
	in.Buffer(make([]byte, 64<<10), maxLine)
	for in.Scan() {
		var r record
		if err := json.Unmarshal(bytes.TrimSpace(in.Bytes()), &r); err != nil {
			return fmt.Errorf("分卷 %s 的内容不是规定的形式 / read part: %w", filepath.Base(path), errors.Join(mulu.ErrInvalid, err))
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("分卷 %s 读不完整 / read part: %w", filepath.Base(path), errors.Join(mulu.ErrInvalid, err))
	}
	return nil
}
