package app_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulu"
	"mulu/deploy/sample"
	"mulu/internal/app"
)

func TestStoreAndChainBelongTogether(t *testing.T) {
	c := house(t)
	start(t, c, sample.FS).Close()
	refused := func(t *testing.T, lost string, want string) {
		t.Helper()
		kept := filepath.Join(t.TempDir(), "kept")
		if err := os.Rename(filepath.Join(c.Data, lost), kept); err != nil {
			t.Fatal(err)
		}
		a, err := app.Start(t.Context(), c, app.Options{Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			a.Close()
		}
		if !errors.Is(err, mulu.ErrConflict) || !strings.Contains(err.Error(), want) {
			t.Errorf("start without %s: %v, want a conflict that says %q", lost, err, want)
		}
		if err := os.RemoveAll(filepath.Join(c.Data, lost)); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(kept, filepath.Join(c.Data, lost)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a lost chain is not founded anew", func(t *testing.T) { refused(t, "chain", "链是空的") })
	t.Run("a lost control store does not sign with new keys", func(t *testing.T) { refused(t, "control.db", "签名密钥") })
	t.Run("both together start", func(t *testing.T) { start(t, c, nil).Close() })
}
