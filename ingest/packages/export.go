package packages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/internal/durable"
)

// Export says what is to be written.
type Export struct {
	Reader  *ingest.Rereader
	Dataset mulu.DatasetCode
	Topic   string
	// Since gives where to begin, by partition; a partition that is not named begins at
	// the oldest record that the broker holds.
	Since    map[int32]int64
	Dir      string // must be empty, or hold an export that did not come to its end
	PartSize int64  // a part is closed when it has so many bytes, or eight times as many before compression
	Now      time.Time
	Progress func(done, total int64) // offsets; nil for none
}

// step is how many offsets are read at a time.
const step = 2000

// Write writes the parts of what is committed on the topic, and gives the manifest, which
// is still to be signed and kept (Finish). Records stand by partition, in their order.
func (e Export) Write(ctx context.Context) (*Manifest, error) {
	if err := e.room(); err != nil {
		return nil, err
	}
	extents, err := e.Reader.Extents(ctx, []string{e.Topic})
	if err != nil {
		return nil, err
	}
	parts := extents[e.Topic]
	if len(parts) == 0 {
		return nil, fmt.Errorf("消息系统中没有主题 %s / there is no such topic: %w", e.Topic, mulu.ErrNotFound)
	}
	m := &Manifest{Format: Format, Dataset: e.Dataset, Topic: e.Topic, Name: string(e.Dataset) + "-" + e.Now.Format("20060102-150405")}
	total := int64(0)
	for p, x := range parts {
		r := Range{Partition: p, From: x.Start, To: x.End}
		if since, ok := e.Since[p]; ok {
			r.From = since
		}
		if r.From < x.Start {
			return nil, fmt.Errorf("分区 %d 的位置 %d 至 %d 已被消息系统清除，不能再导出；请用 --all 重新开始 / offsets are gone from the broker: %w", p, r.From, x.Start-1, mulu.ErrConflict)
		}
		if r.From > x.End {
			return nil, fmt.Errorf("分区 %d 只到位置 %d，不能从 %d 开始 / the partition does not reach so far: %w", p, x.End, r.From, mulu.ErrInvalid)
		}
		m.TopicID = x.TopicID.String()
		m.Ranges, total = append(m.Ranges, r), total+r.To-r.From
	}
	slices.SortFunc(m.Ranges, func(a, b Range) int { return int(a.Partition - b.Partition) })
	if total == 0 {
		return nil, fmt.Errorf("自上一个包以来没有新的记录，无需导出 / there is nothing new: %w", mulu.ErrNotFound)
	}
	w := writer{Export: e, m: m, total: total}
	for _, r := range m.Ranges {
		if err := w.partition(ctx, r); err != nil {
			return nil, err
		}
	}
	if err := w.cut(); err != nil {
		return nil, err
	}
	if m.Rows == 0 {
		return nil, fmt.Errorf("这一段没有数据记录，无需导出 / there is no record: %w", mulu.ErrNotFound)
	}
	return m, nil
}

// room makes the directory ready.
func (e Export) room() error {
	if _, err := os.Stat(filepath.Join(e.Dir, ManifestFile)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("目录 %s 中已有一个离线包，请换一个目录 / there is a package: %w", e.Dir, mulu.ErrConflict)
	}
	if err := os.MkdirAll(e.Dir, 0o750); err != nil {
		return fmt.Errorf("make directory of the package: %w", err)
	}
	left, err := os.ReadDir(e.Dir)
	if err != nil {
		return fmt.Errorf("look into directory of the package: %w", err)
	}
	for _, f := range left {
		if !partName.MatchString(f.Name()) {
			return fmt.Errorf("目录 %s 中有别的文件 %s，请换一个空目录 / the directory is not empty: %w", e.Dir, f.Name(), mulu.ErrConflict)
		}
		if err := os.Remove(filepath.Join(e.Dir, f.Name())); err != nil { // of an export that was cut off
			return fmt.Errorf("clear directory of the package: %w", err)
		}
	}
	return nil
}

// writer writes parts one after the other.
type writer struct {
	Export
	m           *Manifest
	w           *partWriter
	done, total int64
}

func (w *writer) partition(ctx context.Context, r Range) error {
	if r.From == r.To {
		return nil
	}
	in, err := w.Reader.Open(w.Topic, r.Partition, r.From, r.To)
	if err != nil {
		return err
	}
	defer in.Close()
	for at := r.From; at < r.To; at += step {
		last := min(at+step, r.To) - 1
		records, err := in.Read(ctx, at, last)
		if err != nil {
			return err
		}
		for i := range records {
			if err := w.add(r.Partition, &records[i]); err != nil {
				return err
			}
		}
		if w.done += last - at + 1; w.Progress != nil {
			w.Progress(w.done, w.total)
		}
	}
	return nil
}

func (w *writer) add(partition int32, k *mulu.Record) (err error) {
	if w.w == nil {
		if w.w, err = newPart(w.Dir, len(w.m.Parts)+1); err != nil {
			return err
		}
	}
	r := record{Partition: partition, Offset: k.Offset, Key: k.Key, Value: k.Value, Note: k.Note}
	if !k.Time.IsZero() {
		r.Time = k.Time.UnixMilli()
	}
	if err := w.w.add(&r); err != nil {
		return err
	}
	if w.w.n >= w.PartSize || w.w.raw >= 8*w.PartSize {
		return w.cut()
	}
	return nil
}

// cut closes the part.
func (w *writer) cut() error {
	if w.w == nil {
		return nil
	}
	p, err := w.w.close()
	w.w = nil
	w.m.Parts = append(w.m.Parts, p)
	w.m.Rows, w.m.Bytes = w.m.Rows+p.Rows, w.m.Bytes+p.Bytes
	if err == nil && len(w.m.Parts) > maxParts {
		err = fmt.Errorf("分卷超过 %d 个，请加大 --part-mb / too many parts: %w", maxParts, mulu.ErrInvalid)
	}
	return err
}

// Finish puts manifest and signature beside the parts, the manifest last: a directory
// with one is whole.
func Finish(dir string, text, sig []byte) error {
	for _, f := range []struct {
		name string
		text []byte
	}{{SignatureFile, sig}, {ManifestFile, text}} {
		if err := durable.WriteFile(filepath.Join(dir, f.name), f.text, 0o640); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	return nil
}

// Verify checks a package in a directory: manifest, signature and every part that is
// there. It gives all that is wrong, and the names of parts that are not there. Whether
// the signer is to be trusted is not for the package to say.
func Verify(dir string) (m *Manifest, missing []string, err error) {
	text, terr := os.ReadFile(filepath.Join(dir, ManifestFile))
	sig, serr := os.ReadFile(filepath.Join(dir, SignatureFile))
	if err := errors.Join(terr, serr); err != nil {
		return nil, nil, fmt.Errorf("目录 %s 不是完整的离线包 / is no package: %w", dir, err)
	}
	if m, err = Read(text, sig); err != nil {
		return nil, nil, err
	}
	var faults []error
	for i := range m.Parts {
		p := &m.Parts[i]
		switch err := p.check(filepath.Join(dir, p.Name)); {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, p.Name)
		case err != nil:
			faults = append(faults, err)
		}
	}
	return m, missing, errors.Join(faults...)
}
