// Package drop is where departments leave files: a folder for each declared way, which
// is looked at every few seconds, and an SFTP door to those folders. It finds files
// that are complete and hands them on; it reads none of them.
//
// Below a folder are two that the house writes: 回执 for what came of a file, 退回 for
// files that were not taken, each with its reason.
package drop

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"mulu"
	"mulu/ingest/submit"
	"mulu/internal/durable"
)

// Names below a folder and beside a file.
const (
	Receipts      = "回执"
	Returned      = "退回"
	receiptSuffix = ".receipt.json"
	markedSuffix  = ".问题.xlsx"
	reasonSuffix  = ".原因.txt"
	readySuffix   = ".ok" // beside a file: it is complete
)

// Folder is where the files of one declared way are dropped.
type Folder struct {
	Name string // below the root
	Dir  string
}

// FolderOf is the folder of a declared way.
func FolderOf(root string, d *submit.Declared) Folder {
	name := d.FolderFor(d.Dataset)
	return Folder{name, filepath.Join(root, name)}
}

// Make makes the folder and those below it. Departments' own processes may write there:
// who may is for the machine's groups to say.
func (f Folder) Make() error {
	for _, dir := range []string{f.Dir, f.Path(Receipts), f.Path(Returned)} {
		if err := os.MkdirAll(dir, 0o770); err != nil {
			return fmt.Errorf("建立投递目录 / make drop folder: %w", err)
		}
	}
	return nil
}

// Path is a file in the folder.
func (f Folder) Path(elem ...string) string {
	return filepath.Join(append([]string{f.Dir}, elem...)...)
}

// Open opens a regular file to be read, and never what a link names.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, os.ErrNotExist)
	}
	return f, nil
}

// Remove removes a file that was taken, and the mark that said it was complete.
func (f Folder) Remove(name string) error {
	for _, p := range []string{f.Path(name), f.Path(name + readySuffix)} {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove dropped file: %w", err)
		}
	}
	return nil
}

// Return puts the file at src among the returned ones under its name, with the reason.
// Doing it again changes nothing.
func (f Folder) Return(name, src, why string) error {
	err := f.Make()
	if err == nil {
		err = Place(src, f.Path(Returned, name))
	}
	if err == nil {
		// With a mark, or the notepad in use takes it for GBK.
		err = durable.WriteFile(f.Path(Returned, name+reasonSuffix), []byte("\ufeff"+why+"\r\n"), 0o640)
	}
	if err != nil {
		return fmt.Errorf("return file %s: %w", name, err)
	}
	return nil
}

// Prune removes answers and returned files that were written before a moment.
func (f Folder) Prune(before time.Time) error {
	var faults []error
	for _, sub := range []string{Receipts, Returned} {
		entries, err := os.ReadDir(f.Path(sub))
		if err != nil {
			return fmt.Errorf("prune drop folder: %w", err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.ModTime().Before(before) {
				faults = append(faults, os.Remove(f.Path(sub, e.Name())))
			}
		}
	}
	return errors.Join(faults...)
}

// Answer writes what came of a file; marked is the path of the marked file, "" for none.
// Doing it again changes nothing.
func (f Folder) Answer(name string, receipt []byte, marked string) error {
	err := f.Make()
	if err == nil && marked != "" {
		err = Place(marked, f.Path(Receipts, name+markedSuffix))
	}
	if err == nil { // last: who sees it finds the other
		err = durable.WriteFile(f.Path(Receipts, name+receiptSuffix), receipt, 0o640)
	}
	if err != nil {
		return fmt.Errorf("write receipt of file %s: %w", name, err)
	}
	return nil
}

// Move takes a file from src to dst: at any moment it is whole under one name at least.
func Move(src, dst string) error {
	err := os.Rename(src, dst)
	if err == nil {
		return durable.SyncDir(filepath.Dir(dst))
	}
	if !errors.Is(err, syscall.EXDEV) {
		return fmt.Errorf("move file: %w", err)
	}
	if err := Place(src, dst); err != nil { // another disk
		return err
	}
	if err := os.Remove(src); err != nil {
		return fmt.Errorf("move file: %w", err)
	}
	return nil
}

// Place makes dst the same file as src, or a copy of it where they lie on two disks.
// dst is there whole or not at all.
func Place(src, dst string) error {
	tmp := filepath.Join(filepath.Dir(dst), ".placing-"+filepath.Base(dst))
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) { // of a crash
		return fmt.Errorf("place file: %w", err)
	}
	if err := os.Link(src, tmp); err != nil {
		if err := copyFile(src, tmp); err != nil {
			return fmt.Errorf("place file: %w", err)
		}
	}
	// A rename between two names of one file does nothing and leaves both.
	if same(tmp, dst) {
		return os.Remove(tmp)
	}
	// Its age counts from now on, not from when its department wrote it.
	now := time.Now()
	if err := os.Chtimes(tmp, now, now); err != nil {
		return fmt.Errorf("place file: %w", err)
	}
	if err := os.Rename(tmp, dst); err != nil {
		return fmt.Errorf("place file: %w", err)
	}
	return durable.SyncDir(filepath.Dir(dst))
}

func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

func copyFile(src, dst string) error {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// Dropped is a file that is complete.
type Dropped struct {
	Dataset mulu.DatasetCode
	Way     mulu.Way
	Folder  Folder
	Name    string
}
