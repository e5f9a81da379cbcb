package durable_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"mulu/internal/durable"
)

// A file is what was written, or what it was before; nothing is left beside it.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := durable.WriteFile(path, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := durable.Write(path, 0o600, func(w io.Writer) error {
		if _, err := w.Write([]byte("tw")); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("%v, want the writer's error", err)
	}
	b, err := os.ReadFile(path)
	info, serr := os.Stat(path)
	if err := errors.Join(err, serr); err != nil || string(b) != "one" || info.Mode().Perm() != 0o640 {
		t.Errorf("%q, %v, %v", b, info, err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}
