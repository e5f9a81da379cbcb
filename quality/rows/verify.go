package rows

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"mulu"
)

// maxManifest is the longest manifest that is read: 36 organisations in parts are a few
// hundred lines.
const maxManifest = 16 << 20

// Verify holds an archive to its manifest and the manifest to its signature, offline. The
// manifest is given as soon as its signature holds; the error names every file that is
// missing, altered or was put beside.
func Verify(path string) (*Manifest, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("%s 不是 ZIP 文件或已损坏 / is no archive: %w", path, mulu.ErrInvalid)
	}
	defer z.Close()
	files, faults := map[string]*zip.File{}, []error(nil)
	for _, f := range z.File {
		if files[f.Name] != nil {
			faults = append(faults, fmt.Errorf("文件 %s 有两个 / twice: %w", f.Name, mulu.ErrInvalid))
		}
		files[f.Name] = f
	}
	text, terr := contents(files[ManifestFile])
	sig, serr := contents(files[SignatureFile])
	if err := errors.Join(terr, serr); err != nil {
		return nil, fmt.Errorf("%s 中没有清单或签名 / has no manifest or no signature: %w", path, mulu.ErrInvalid)
	}
	m, err := Read(text, sig)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{ManifestFile: true, SignatureFile: true}
	for _, f := range m.Files {
		known[f.Name] = true
		faults = append(faults, f.check(files[f.Name]))
	}
	for name := range files {
		if !known[name] {
			faults = append(faults, fmt.Errorf("文件 %s 不在清单中 / not in the manifest: %w", name, mulu.ErrInvalid))
		}
	}
	return m, errors.Join(faults...)
}

func (f *File) check(z *zip.File) error {
	if z == nil {
		return fmt.Errorf("缺文件 %s / missing: %w", f.Name, mulu.ErrInvalid)
	}
	r, err := z.Open()
	if err != nil {
		return fmt.Errorf("文件 %s 打不开 / can not be opened: %w", f.Name, mulu.ErrInvalid)
	}
	defer r.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(r, f.Bytes+1))
	if err != nil || n != f.Bytes || hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("文件 %s 与清单不符，被改动过 / was altered: %w", f.Name, mulu.ErrInvalid)
	}
	return nil
}

func contents(f *zip.File) ([]byte, error) {
	if f == nil {
		return nil, mulu.ErrNotFound
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err == nil && len(b) > maxManifest {
		err = mulu.ErrInvalid
	}
	return b, err
}
