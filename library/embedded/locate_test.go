package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func wantError(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error is %v, want %v", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func place(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLocate(t *testing.T) {
	root := t.TempDir()
	exe, wd := filepath.Join(root, "app", "bin", "mulu"), filepath.Join(root, "work")
	find := func(explicit, env, want string) {
		t.Helper()
		got, err := locate(explicit, env, exe, wd)
		if err != nil || got != want {
			t.Errorf("found %q, want %q: %v", got, want, err)
		}
	}
	t.Run("nothing anywhere says how to get it", func(t *testing.T) {
		_, err := locate("", "", exe, wd)
		wantError(t, err, ErrLibrary, "make engine", EnvLib, filepath.Join(root, "app", "bin", "lib", "libchdb.so"))
	})
	t.Run("a named path that is missing is an error", func(t *testing.T) {
		_, err := locate(filepath.Join(root, "gone"), "", exe, wd)
		wantError(t, err, ErrLibrary, "gone", "make engine")
		_, err = locate("", root, exe, wd) // a directory
		wantError(t, err, ErrLibrary, EnvLib, root)
	})
	t.Run("the nearest wins", func(t *testing.T) {
		inWork := place(t, filepath.Join(wd, npmPath), "x")
		find("", "", inWork)
		inParent := place(t, filepath.Join(root, "app", npmPath), "x")
		find("", "", inParent)
		beside := place(t, filepath.Join(root, "app", "bin", "lib", "libchdb.so"), "x")
		find("", "", beside)
		env := place(t, filepath.Join(root, "env.so"), "x")
		find("", env, env)
		explicit := place(t, filepath.Join(root, "explicit.so"), "x")
		find(explicit, env, explicit)
	})
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	lib, stamp := place(t, filepath.Join(dir, "lib.so"), "engine"), filepath.Join(dir, "stamp")
	sum := sha256.Sum256([]byte("engine"))
	want := hex.EncodeToString(sum[:])
	check := func(size int64, sum string) error {
		if err := checkSize(lib, size); err != nil {
			return err
		}
		return checkDigest(t.Context(), lib, stamp, sum)
	}

	wantError(t, check(7, want), ErrLibrary, "6", "7", Version)
	wantError(t, check(6, strings.Repeat("0", 64)), ErrLibrary, want)
	if _, err := os.Stat(stamp); err == nil {
		t.Fatal("a file that failed has a stamp")
	}
	if err := check(6, want); err != nil {
		t.Fatal(err)
	}
	t.Run("the stamp saves the digest and follows the file", func(t *testing.T) {
		old, err := os.ReadFile(stamp)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(6, want); err != nil {
			t.Fatal(err)
		}
		place(t, lib+".other", "ENGINE")
		if err := os.Rename(lib+".other", lib); err != nil {
			t.Fatal(err)
		}
		wantError(t, check(6, want), ErrLibrary, "sha256")
		if now, err := os.ReadFile(stamp); err != nil || string(now) != string(old) {
			t.Errorf("a failed check changed the stamp: %v", err)
		}
	})
}
