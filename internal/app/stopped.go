package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"mulu/catalog"
	"mulu/internal/config"
	"mulu/internal/declare"
	"mulu/internal/sample"
	"mulu/ledger/contract"
	"mulu/quality/codes"
)

// CheckFiles reads declarations without any house and returns the faults of them
// alone: an object that a house already knows is missing here.
func CheckFiles(fsys fs.FS) error {
	tables, err := codes.Load(codes.WithSynthetic(sample.NoDivision))
	if err != nil {
		return err
	}
	_, err = Check(fsys, tables, nil)
	return err
}

// Preview checks declarations against a stopped house and says what Apply would
// change. It opens the control store and the chain, and neither engine nor broker.
// A house that does not exist yet is made in a temporary directory and taken down
// again, so that a dry run leaves nothing behind.
func Preview(ctx context.Context, cfg config.Config, log *slog.Logger, fsys fs.FS) (diff catalog.Diff, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("配置有误 / configuration:\n%w", err)
	}
	if _, err := os.Stat(cfg.Path("control.db")); errors.Is(err, fs.ErrNotExist) && cfg.Store == "" {
		tmp, err := os.MkdirTemp("", "mulu-preview-")
		if err != nil {
			return nil, fmt.Errorf("make temporary directory: %w", err)
		}
		defer os.RemoveAll(tmp)
		cfg.Data = tmp
	}
	a := newApp(cfg, Options{Log: log, Progress: func(string, int64, int64) {}})
	defer a.Close()
	lock, err := lockData(cfg.Data)
	if err != nil {
		return nil, err
	}
	a.onClose("data lock", func(context.Context) error { return lock.Close() })
	for _, step := range []func(context.Context) error{a.openStore, a.openChain, a.openRooms} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if a.rules, err = newVersions(a.catalog); err != nil {
		return nil, err
	}
	return a.Diff(ctx, fsys)
}

// Diff says what Apply would change. It changes nothing. In a preview, whether the
// library's tables can follow is not known yet.
func (a *App) Diff(ctx context.Context, fsys fs.FS) (catalog.Diff, error) {
	set, err := a.Load(ctx, fsys)
	if err != nil {
		return nil, err
	}
	if err := a.fits(ctx, set); err != nil {
		return nil, err
	}
	diff, err := a.catalog.Diff(ctx, a.machine, set)
	if err != nil {
		return nil, err
	}
	ways, err := a.wayDiff(ctx, set)
	if err != nil {
		return nil, err
	}
	scenarios, err := a.scenarioDiff(ctx, set)
	return append(append(diff, ways...), scenarios...), err
}

// scenarioDiff compares declared scenarios with the newest of the sharing desk.
func (a *App) scenarioDiff(ctx context.Context, set *declare.Set) (catalog.Diff, error) {
	stored, err := a.share.Scenarios(ctx)
	if err != nil {
		return nil, err
	}
	var diff catalog.Diff
	for _, d := range set.Scenarios {
		ch := catalog.Change{Kind: "Scenario", ID: string(d.Code), Name: d.Title, Action: catalog.Add, Note: "待上链"}
		digest, err := contract.DigestJSON(scenarioOf(d))
		if err != nil {
			return nil, fmt.Errorf("compare scenario %s: %w", d.Code, err)
		}
		for _, s := range stored {
			switch {
			case s.Code != d.Code:
			case s.Digest == digest && s.Refusal == "":
				ch.Action, ch.Note = catalog.Same, ""
			default:
				ch.Action = catalog.Amend
			}
		}
		diff = append(diff, ch)
	}
	return diff, nil
}

// ApplyOwn applies declarations in the data centre's own name and waits until the
// chain has answered to all that they gave rise to.
func (a *App) ApplyOwn(ctx context.Context, fsys fs.FS) (catalog.Diff, error) {
	diff, err := a.Apply(ctx, a.machine, fsys)
	if err != nil {
		return nil, err
	}
	return diff, a.relay.Flush(ctx)
}

// ApplyLive applies declarations to a running house; with dry it only says what would
// change. One call at a time: each compares with what the one before has left.
func (a *App) ApplyLive(ctx context.Context, fsys fs.FS, dry bool) (catalog.Diff, error) {
	a.applying.Lock()
	defer a.applying.Unlock()
	if dry {
		return a.Diff(ctx, fsys)
	}
	return a.Apply(ctx, a.machine, fsys)
}
