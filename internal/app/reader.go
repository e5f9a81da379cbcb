package app

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"mulu"
	"mulu/catalog"
	"mulu/library"
	"mulu/plan"
)

// reader lets the sharing desk read the library. Each scenario has a token key of
// its own, so that pseudonyms of two scenarios can not be joined.
type reader struct {
	lib    *library.Library
	master []byte
}

// newReader reads the master key, or makes it at the first start. Losing it changes
// every pseudonym from then on; nothing else is lost.
func newReader(lib *library.Library, keyFile string) (*reader, error) {
	b, err := os.ReadFile(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		b = make([]byte, 32)
		if _, err := rand.Read(b); err != nil {
			return nil, fmt.Errorf("draw token key: %w", err)
		}
		b = []byte(hex.EncodeToString(b))
		if err := os.WriteFile(keyFile, b, 0o600); err != nil {
			return nil, fmt.Errorf("keep token key: %w", err)
		}
	} else if err != nil {
		return nil, fmt.Errorf("read token key: %w", err)
	}
	master, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(master) != 32 {
		return nil, fmt.Errorf("标识化密钥 %s 已损坏，请从备份恢复 / token key damaged: %w", keyFile, mulu.ErrInvalid)
	}
	return &reader{lib: lib, master: master}, nil
}

func (r *reader) Export(ctx context.Context, scenario mulu.ScenarioCode, p plan.Plan, format string, w io.Writer) (int64, error) {
	return r.lib.Export(ctx, p, library.Format(format), library.ReadOptions{TokenKey: r.key(string(scenario))}, w)
}

// key is the key of one purpose, so that what two of them made can not be joined.
func (r *reader) key(purpose string) []byte {
	mac := hmac.New(sha256.New, r.master)
	mac.Write([]byte(purpose))
	return mac.Sum(nil)
}

// scorer gives the sharing desk the quality mark of a dataset.
type scorer struct{ catalog *catalog.Catalog }

func (s scorer) Score(ctx context.Context, dataset mulu.DatasetCode) (mulu.Score, bool, error) {
	v, err := s.catalog.LatestScore(ctx, dataset)
	if errors.Is(err, mulu.ErrNotFound) {
		return mulu.Score{}, false, nil
	}
	return v.Score, err == nil, err
}
