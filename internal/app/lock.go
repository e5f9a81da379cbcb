package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockName is the file below the data directory that its process keeps locked.
const lockName = "mulu.lock"

// Holder returns the PID of the process that uses a data directory, "?" if it can
// not be read, and "" if there is none. It makes nothing.
func Holder(dir string) (string, error) {
	f, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look at the lock of %s: %w", dir, err)
	}
	defer f.Close() // lets a lock that was got go again
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return pidIn(f), nil
	}
	if err != nil {
		return "", fmt.Errorf("look at the lock of %s: %w", dir, err)
	}
	return "", nil
}

// pidIn reads the PID its holder wrote into the lock file.
func pidIn(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	pid := strings.TrimSpace(string(b))
	if _, bad := strconv.Atoi(pid); err != nil || bad != nil {
		return "?"
	}
	return pid
}

// lockData takes the data directory for this process. The lock is the kernel's, so
// a kill -9 frees it and no stale file can keep anybody out.
func lockData(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("创建数据目录 / make data directory: %w", err)
	}
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("打开数据目录 %s（请检查权限）/ open data directory: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
		}
		pid := pidIn(f)
		return nil, fmt.Errorf("数据目录 %s 正被进程 %s 使用；请先停止它，或用 --data 指定另一个目录 / the data directory is held by process %s: stop it or name another with --data", dir, pid, pid)
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return f, nil
}
