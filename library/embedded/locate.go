package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// EnvLib names the environment variable that holds the path of libchdb.so.
const EnvLib = "MULU_ENGINE"

// The one file that is accepted: libchdb.so of @chdb/lib-linux-x64-gnu 26.7.3-stable.1.
const (
	pinnedSize   = 566330096
	pinnedSHA256 = "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5"
	npmPath      = "engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
)

// Locate finds libchdb.so: the explicit path, the environment variable
// MULU_ENGINE, lib/ beside the executable, then where `make engine` puts it,
// relative to the executable's parent and to the working directory. A path that
// was named and does not exist is an error, never a reason to look elsewhere.
func Locate(explicit string) (string, error) {
	exe, err := os.Executable()
	if err == nil {
		exe, err = filepath.EvalSymlinks(exe)
	}
	if err != nil {
		exe = ""
	}
	wd, err := os.Getwd()
	if err != nil {
		wd = ""
	}
	return locate(explicit, os.Getenv(EnvLib), exe, wd)
}

func locate(explicit, env, exe, wd string) (string, error) {
	for _, named := range []struct{ from, path string }{{"--lib", explicit}, {EnvLib, env}} {
		if named.path == "" {
			continue
		}
		if err := regular(named.path); err != nil {
			return "", fmt.Errorf("找不到内嵌引擎 libchdb.so：%s 指向 %s（%w）。%s: %w", named.from, named.path, err, howToGet(""), ErrLibrary)
		}
		return filepath.Abs(named.path)
	}
	var tried []string
	if exe != "" {
		dir := filepath.Dir(exe)
		tried = append(tried, filepath.Join(dir, "lib", "libchdb.so"), filepath.Join(filepath.Dir(dir), npmPath))
	}
	if wd != "" {
		tried = append(tried, filepath.Join(wd, npmPath))
	}
	for _, p := range tried {
		if regular(p) == nil {
			return p, nil
		}
	}
	beside := "lib/libchdb.so"
	if len(tried) > 0 {
		beside = tried[0]
	}
	return "", fmt.Errorf("找不到内嵌引擎 libchdb.so，已找过 %s。%s: %w", strings.Join(tried, "、"), howToGet(beside), ErrLibrary)
}

func howToGet(beside string) string {
	s := "请运行 make engine，或设置环境变量 " + EnvLib + " 为其路径"
	if beside != "" {
		s += "，或把文件放到 " + beside
	}
	return s + " (run `make engine`, set " + EnvLib + ", or place the file)"
}

func regular(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	return nil
}

// checkSize refuses a file that can not be the pinned one, at the price of a stat.
func checkSize(lib string, size int64) error {
	st, err := os.Stat(lib)
	if err != nil {
		return fmt.Errorf("stat %s: %w: %w", lib, err, ErrLibrary)
	}
	if st.Size() != size {
		return fmt.Errorf("引擎文件 %s 有 %d 字节，版本 %s 应为 %d 字节：文件不完整或版本不符，请重新运行 make engine: %w", lib, st.Size(), Version, size, ErrLibrary)
	}
	return nil
}

// checkDigest says whether lib is the pinned file. It reads all of it, once per
// file: stampPath remembers size, time and inode of the file that passed. A crash
// before the stamp is written only costs the next start a digest.
func checkDigest(ctx context.Context, lib, stampPath, sum string) error {
	st, err := os.Stat(lib)
	if err != nil {
		return fmt.Errorf("stat %s: %w: %w", lib, err, ErrLibrary)
	}
	stamp := fmt.Sprintf("%s\n%d %d %d\n%s\n", lib, st.Size(), st.ModTime().UnixNano(), inode(st), sum)
	if old, err := os.ReadFile(stampPath); err == nil && string(old) == stamp {
		return nil
	}
	got, err := digest(ctx, lib)
	if err != nil {
		return fmt.Errorf("read %s: %w: %w", lib, err, ErrLibrary)
	}
	if got != sum {
		return fmt.Errorf("引擎文件 %s 的 sha256 为 %s，版本 %s 应为 %s：请重新运行 make engine: %w", lib, got, Version, sum, ErrLibrary)
	}
	if err := replaceFile(stampPath, stamp); err != nil {
		return fmt.Errorf("write stamp of engine library: %w: %w", err, ErrDir)
	}
	return nil
}

func digest(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h, buf := sha256.New(), make([]byte, 1<<20)
	for ctx.Err() == nil {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", ctx.Err()
}

// replaceFile writes beside path and renames: a crash leaves the old file or the new.
func replaceFile(path, content string) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
