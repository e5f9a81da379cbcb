package drop_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mulu"
	"mulu/ingest/drop"
	"mulu/ingest/submit"
)

// ways is a list of declared ways.
type ways []submit.Declared

func (w ways) Ways(context.Context, mulu.DatasetCode) ([]submit.Declared, error) { return w, nil }

// taker notes what it is given, and takes it unless fail is set.
type taker struct {
	t    *testing.T
	got  []string
	fail error
}

func (k *taker) Drop(_ context.Context, d drop.Dropped) error {
	k.got = append(k.got, d.Folder.Name+"/"+d.Name)
	if k.fail != nil {
		return k.fail
	}
	return d.Folder.Remove(d.Name)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestInbox(t *testing.T) {
	root, now, k := t.TempDir(), time.Now(), &taker{t: t}
	b := &drop.Inbox{Root: root, Taker: k, Settle: 5 * time.Second, Keep: 24 * time.Hour, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		Ways: ways{{Dataset: "people", Way: mulu.Way{Kind: mulu.WayFile, Name: "main"}}, {Dataset: "firms", Way: mulu.Way{Kind: mulu.WayFile, Folder: "qiye"}}, {Dataset: "x", Way: mulu.Way{Kind: mulu.WayTable}}}}
	turn := func() (got []string) {
		t.Helper()
		k.got = nil
		if err := b.Turn(t.Context()); err != nil && k.fail == nil {
			t.Fatal(err)
		}
		now = now.Add(3 * time.Second)
		return k.got
	}
	want := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("taken %v, want %v", got, want)
		}
	}
	want(turn())
	for _, dir := range []string{"people/回执", "people/退回", "qiye/回执"} {
		if _, err := os.Stat(filepath.Join(root, dir)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "x")); err == nil {
		t.Error("a way that is no file got a folder")
	}

	p := filepath.Join(root, "people", "a.csv")
	write(t, p, "1")
	want(turn())
	write(t, p, "1\n2") // it grows: not complete
	want(turn())
	want(turn())
	want(turn(), "people/a.csv")
	want(turn())

	for _, name := range []string{"b.csv.part", "c.filepart", "d.TMP", ".hidden.csv", "~$e.xlsx"} {
		write(t, filepath.Join(root, "people", name), "1")
	}
	write(t, filepath.Join(root, "secret"), "1")
	if err := os.Symlink(filepath.Join(root, "secret"), filepath.Join(root, "people", "link.csv")); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		want(turn())
	}

	// A mark says at once that it is complete.
	write(t, filepath.Join(root, "qiye", "f.xlsx"), "1")
	write(t, filepath.Join(root, "qiye", "f.xlsx.ok"), "")
	k.fail = errors.New("the store is away")
	want(turn(), "qiye/f.xlsx")
	k.fail = nil
	want(turn(), "qiye/f.xlsx")
	want(turn())
	old := filepath.Join(root, "people", "回执", "old.csv.receipt.json")
	write(t, old, "{}")
	now = now.Add(2 * time.Hour)
	want(turn())
	if _, err := os.Stat(old); err != nil {
		t.Errorf("a fresh receipt is gone: %v", err)
	}
	now = now.Add(24 * time.Hour)
	want(turn())
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("an old receipt is kept: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(root, "qiye")); err != nil || len(left) != 2 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

func TestFolderAnswers(t *testing.T) {
	root := t.TempDir()
	f := drop.Folder{Name: "people", Dir: filepath.Join(root, "people")}
	src := filepath.Join(root, "data")
	write(t, src, "rows")
	for range 2 { // a crash after it: once more
		if err := f.Return("a.csv", src, "表头缺少主键"); err != nil {
			t.Fatal(err)
		}
		if err := f.Answer("a.csv", []byte("{}"), src); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{"退回/a.csv": "rows", "退回/a.csv.原因.txt": "\ufeff表头缺少主键\r\n", "回执/a.csv.receipt.json": "{}", "回执/a.csv.问题.xlsx": "rows"} {
		if b, err := os.ReadFile(f.Path(path)); err != nil || string(b) != want {
			t.Errorf("%s is %q, %v", path, b, err)
		}
	}
	if err := drop.Move(src, filepath.Join(root, "moved")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(src); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := drop.Open(filepath.Join(root, "people")); err == nil {
		t.Error("a directory was opened as a file")
	}
}
