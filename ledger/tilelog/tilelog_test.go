package tilelog_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mulu"
	"mulu/ledger"
	"mulu/ledger/contract"
	"mulu/ledger/ledgertest"
	"mulu/ledger/tilelog"
)

const origin = "mulu.example/test"

func open(t testing.TB, dir string) *tilelog.Log {
	t.Helper()
	l, err := tilelog.Open(context.Background(), tilelog.Options{Dir: dir, Origin: origin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Chain { return open(t, t.TempDir()) })
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := tilelog.Open(t.Context(), tilelog.Options{Dir: dir, Origin: origin}); !errors.Is(err, mulu.ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	h := ledgertest.NewHouse(t)
	l := open(t, dir)
	found := h.Found()
	if _, err := l.SubmitAll(t.Context(), found); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Submit(t.Context(), found[0]); !errors.Is(err, ledger.ErrStopped) {
		t.Errorf("submit after close: %v", err)
	}
	t.Run("keeps key, entries and state", func(t *testing.T) {
		again := open(t, dir)
		if again.Key() != l.Key() {
			t.Error("another key")
		}
		r, err := again.Submit(t.Context(), found[3])
		if err != nil || r.Index != 3 || !r.Again {
			t.Errorf("%+v, %v", r, err)
		}
		if head, err := again.Head(t.Context()); err != nil || head.Size != uint64(len(found)) {
			t.Errorf("head %+v, %v", head, err)
		}
		if err := again.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("rebuilds a lost state from the log", func(t *testing.T) {
		for _, f := range []string{"ledger.db", "ledger.db-wal", "ledger.db-shm"} {
			if err := os.Remove(filepath.Join(dir, f)); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		again := open(t, dir)
		if r, err := again.Lookup(t.Context(), found[6].ID); err != nil || r.Index != 6 {
			t.Errorf("%+v, %v", r, err)
		}
		if err := again.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("refuses another origin", func(t *testing.T) {
		if _, err := tilelog.Open(t.Context(), tilelog.Options{Dir: dir, Origin: "mulu.example/other"}); !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("refuses a log that was rolled back", func(t *testing.T) {
		if err := os.RemoveAll(filepath.Join(dir, "log")); err != nil {
			t.Fatal(err)
		}
		if _, err := tilelog.Open(t.Context(), tilelog.Options{Dir: dir, Origin: origin}); err == nil {
			t.Error("opened")
		}
	})
}

func TestCommandFromTheFutureIsRefused(t *testing.T) {
	l, err := tilelog.Open(t.Context(), tilelog.Options{Dir: t.TempDir(), Origin: origin, Now: func() time.Time { return ledgertest.Start.Add(-time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background()) //nolint:errcheck // the test is about Submit
	_, err = l.Submit(t.Context(), ledgertest.NewHouse(t).Found()[0])
	if r := contract.AsRefusal(err); r == nil || r.Code != contract.Clock {
		t.Errorf("got %v, want CLOCK", err)
	}
}

func TestKeyFileIsPrivate(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	info, err := os.Stat(filepath.Join(dir, "log.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
