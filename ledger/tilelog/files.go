package tilelog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"mulu"
)

// lockDir takes the directory for this Log. flock(2) belongs to the open file, so
// a second Log in this process fails as a second process does; the lock goes with
// the process, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "owner.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock ledger directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { //nolint:gosec // a descriptor fits an int
		owner, _ := os.ReadFile(f.Name())
		err = fmt.Errorf("lock ledger directory: process %s has it open: %w (%w)", strings.TrimSpace(string(owner)), mulu.ErrBusy, err)
		return nil, errors.Join(err, f.Close())
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock ledger directory: %w", err), f.Close())
	}
	return f, nil
}

// stray is what a killed write leaves beside its target: the target's name with a
// random number behind it. Targets are "007", "x001" or, in a ".p" directory, "1"
// to "255".
var stray = regexp.MustCompile(`^x?[0-9]{5,}$`)

// sweep removes stray temporary files. Call it under the lock only.
func sweep(dir string) error {
	err := filepath.WalkDir(filepath.Join(dir, "tile"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || !stray.MatchString(d.Name()) {
			return err
		}
		return os.Remove(path)
	})
	if err != nil {
		return fmt.Errorf("sweep log directory: %w", err)
	}
	return nil
}
