package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mulu"
	"mulu/internal/config"
)

// OpenAccounts opens a stopped house as far as accounts need: control store, chain,
// catalogue. Neither engine nor broker is started. Close it afterwards.
func OpenAccounts(ctx context.Context, cfg config.Config, log *slog.Logger) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("配置有误 / configuration:\n%w", err)
	}
	a := newApp(cfg, Options{Log: log, Progress: func(string, int64, int64) {}})
	lock, err := lockData(cfg.Data)
	if err != nil {
		a.Close()
		return nil, err
	}
	a.onClose("data lock", func(context.Context) error { return lock.Close() })
	for _, step := range []func(context.Context) error{a.openStore, a.openChain, a.openRooms} {
		if err := step(ctx); err != nil {
			a.Close()
			return nil, err
		}
	}
	return a, nil
}

// AddAccount makes an account and registers its key on the chain. The organisation
// must be declared. A crash between the two is mended by calling it again: an
// account that exists under the same role and organisation is only registered.
func (a *App) AddAccount(ctx context.Context, who mulu.Actor, password string) error {
	if err := a.homed(ctx, &who); err != nil {
		return err
	}
	if err := a.auth.CreateAccount(ctx, who, password); err != nil && !a.unregistered(ctx, who, err) {
		return err
	}
	return a.register(ctx, who)
}

// AddSystem makes an information system with its first API key, which is shown this
// once, and registers the system on the chain.
func (a *App) AddSystem(ctx context.Context, who mulu.Actor, expires time.Time) (key string, err error) {
	who.Role = mulu.RoleSystem
	if err := a.homed(ctx, &who); err != nil {
		return "", err
	}
	key, err = a.auth.CreateKey(ctx, who, expires)
	if err != nil && a.unregistered(ctx, who, err) {
		key, err = a.auth.IssueKey(ctx, who.ID, expires)
	}
	if err != nil {
		return "", err
	}
	return key, a.register(ctx, who)
}

// homed completes an actor's organisation from the catalogue.
func (a *App) homed(ctx context.Context, who *mulu.Actor) error {
	org, err := a.catalog.Org(ctx, who.Org.Code)
	if errors.Is(err, mulu.ErrNotFound) {
		return fmt.Errorf("单位 %s 尚未声明，请先用 mulu apply 装入单位声明 / declare the organisation first: %w", who.Org.Code, err)
	}
	who.Org = org
	return err
}

// unregistered says that an account exists already as the same person, and only its
// registration on the chain is missing.
func (a *App) unregistered(ctx context.Context, who mulu.Actor, err error) bool {
	if !errors.Is(err, mulu.ErrConflict) {
		return false
	}
	known, err := a.auth.Actor(ctx, who.ID)
	if err != nil || known.Role != who.Role || known.Org.Code != who.Org.Code {
		return false
	}
	on, err := a.registered(ctx, who.ID)
	return err == nil && !on
}

// Actors lists everybody.
func (a *App) Actors(ctx context.Context) ([]mulu.Actor, error) { return a.auth.Actors(ctx) }
