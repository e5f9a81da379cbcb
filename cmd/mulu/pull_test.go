package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// serving makes a data directory whose mulu answers every read with body and digest.
func serving(t *testing.T, body, digest string) (dir string, asked *int) {
	t.Helper()
	asked = new(int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked++
		h := w.Header()
		h.Set("X-Mulu-Receipt", "R1")
		h.Set("X-Mulu-Rows", "1")
		h.Set("X-Mulu-Digest", digest)
		w.Write([]byte(body)) //nolint:errcheck // the test reads what came
	}))
	t.Cleanup(s.Close)
	dir = t.TempDir()
	write(t, filepath.Join(dir, "run.json"), `{"pid":1,"url":"`+s.URL+`"}`)
	return dir, asked
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func TestPull(t *testing.T) {
	const body = "\"a\"\n1\n"
	t.Run("gives the bytes and says the receipt", func(t *testing.T) {
		dir, _ := serving(t, body, sha(body))
		stdout, stderr, code := runMulu(t, nil, "share", "pull", "G1", "--data", dir, "--key", "k")
		fails(t, 0, stderr, code, "R1", sha(body), "✓")
		if stdout != body {
			t.Errorf("got %q, want %q", stdout, body)
		}
	})
	t.Run("a digest that does not match leaves no file", func(t *testing.T) {
		dir, _ := serving(t, body, sha("other"))
		out := filepath.Join(t.TempDir(), "rows.csv")
		_, stderr, code := runMulu(t, nil, "share", "pull", "G1", "--data", dir, "--key", "k", "--out", out)
		fails(t, exitFailed, stderr, code, "摘要不符", sha("other"), sha(body))
		empty(t, filepath.Dir(out))
	})
	t.Run("a good file holds the bytes and nothing lies beside it", func(t *testing.T) {
		dir, _ := serving(t, body, sha(body))
		out := filepath.Join(t.TempDir(), "rows.csv")
		_, stderr, code := runMulu(t, nil, "share", "pull", "G1", "--data", dir, "--key", "k", "--out", out)
		fails(t, 0, stderr, code)
		if b, err := os.ReadFile(out); err != nil || string(b) != body {
			t.Errorf("file %q, %v", b, err)
		}
		if es, err := os.ReadDir(filepath.Dir(out)); err != nil || len(es) != 1 {
			t.Errorf("%d files, %v", len(es), err)
		}
	})
	t.Run("nothing is read when the file can not be written", func(t *testing.T) {
		dir, asked := serving(t, body, sha(body))
		_, stderr, code := runMulu(t, nil, "share", "pull", "G1", "--data", dir, "--key", "k", "--out", filepath.Join(t.TempDir(), "absent", "rows.csv"))
		fails(t, exitFailed, stderr, code, "尚未取数")
		if *asked != 0 {
			t.Errorf("the server was asked %d times", *asked)
		}
	})
}

func empty(t *testing.T, dir string) {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil || len(es) != 0 {
		t.Errorf("%d files left in %s, %v", len(es), dir, err)
	}
}
