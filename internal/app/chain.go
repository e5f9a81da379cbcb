package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/catalog"
	"mulu/internal/clock"
	"mulu/internal/outbox"
	"mulu/ledger/contract"
	"mulu/ledger/tilelog"
	"mulu/quality/desk"
	"mulu/share"
)

// machineID is the data centre's own system: it anchors, links and activates.
const machineID = "mulu"

// bureau is the authority, which decides; center the data centre, which runs the house.
func (a *App) bureau() mulu.Org { return a.cfg.House.Org(a.cfg.House.Bureau, "bureau") }
func (a *App) center() mulu.Org { return a.cfg.House.Org(a.cfg.House.Center, "center") }

// openChain opens the embedded directory chain.
func (a *App) openChain(ctx context.Context) (err error) {
	a.chain, err = tilelog.Open(ctx, tilelog.Options{Dir: a.cfg.Path("chain"), Origin: a.cfg.Ledger.Origin, Now: time.Now, Log: a.log})
	if err != nil {
		return fmt.Errorf("打不开目录链 %s（若文件缺失或损坏，请从备份整体恢复该目录）/ open the directory chain: %w", a.cfg.Path("chain"), err)
	}
	a.onClose("directory chain", a.chain.Close)
	if err := a.sameHouse(ctx); err != nil {
		return err
	}
	if err := a.found(ctx); err != nil {
		return err
	}
	return a.sameMachine(ctx)
}

// otherHouse is the error of a control store and a chain that do not belong together:
// one was lost, or comes from elsewhere. Going on would found a second chain, or sign
// with keys that the chain refuses.
func (a *App) otherHouse(found string) error {
	return fmt.Errorf("目录链 %s 与控制库不属于同一套数据，%s：请从同一备份恢复两者（控制库是数据目录中的 control.db，或 store 所指的 PostgreSQL），或用 --data 换一个空目录重新开始 / control store and chain do not belong together, restore both from one backup: %w",
		a.cfg.Path("chain"), found, mulu.ErrConflict)
}

// sameHouse refuses an empty chain under a control store that has entries on one.
func (a *App) sameHouse(ctx context.Context) error {
	begun, err := a.known(ctx, contract.CommandID(contract.ChainInit))
	if err != nil || begun {
		return err
	}
	accepted, err := outbox.NewRelay(a.db, a.chain, nil, a.log, time.Now).Accepted(ctx, 0, 1)
	if err == nil && len(accepted) > 0 {
		err = a.otherHouse("控制库中有已上链的记录，而链是空的")
	}
	return err
}

// sameMachine refuses a control store whose own signing key is not the chain's.
func (a *App) sameMachine(ctx context.Context) error {
	raw, err := a.chain.Get(ctx, contract.Key(contract.Actors, machineID))
	if err != nil {
		return err
	}
	var onChain contract.ActorValue
	if err := contract.Decode(raw, &onChain); err != nil {
		return fmt.Errorf("read actor %s on the chain: %w", machineID, err)
	}
	key, err := a.auth.PublicKey(ctx, machineID)
	if err == nil && contract.KeyText(key) != onChain.Key {
		err = a.otherHouse("控制库中的签名密钥不是链上登记的")
	}
	return err
}

// found makes the chain's first two entries: the root key of the bureau, and the
// data centre's system. They go to the chain directly, since there is no actor yet
// whose outbox could hold them. Their ids are fixed, so a crash between the two, or
// before the answer came, is mended by the next start.
func (a *App) found(ctx context.Context) error {
	root := mulu.Actor{ID: contract.RootActor, Name: "根密钥", Org: a.bureau(), Role: mulu.RoleApprover}
	a.machine = mulu.Actor{ID: machineID, Name: "目录系统", Org: a.center(), Role: mulu.RoleSystem}
	for _, who := range []mulu.Actor{root, a.machine} {
		if err := a.auth.EnsureActor(ctx, who); err != nil {
			return err
		}
	}
	rootKey, err := a.auth.PublicKey(ctx, root.ID)
	if err != nil {
		return err
	}
	err = a.submitAs(ctx, root, contract.CommandID(contract.ChainInit), contract.InitBody{Root: contract.KeyText(rootKey), Bureau: a.cfg.House.Bureau.Code, Center: a.cfg.House.Center.Code})
	if err != nil {
		return fmt.Errorf("found the chain: %w", err)
	}
	return a.register(ctx, a.machine)
}

// register puts an actor's key on the chain, unless it is there.
func (a *App) register(ctx context.Context, who mulu.Actor) error {
	key, err := a.auth.PublicKey(ctx, who.ID)
	if err != nil {
		return err
	}
	root, err := a.auth.Actor(ctx, contract.RootActor)
	if err != nil {
		return err
	}
	err = a.submitAs(ctx, root, contract.CommandID(contract.ActorRegister, who.ID), contract.ActorBody{Actor: who.ID, Org: who.Org.Code, Role: who.Role, Key: contract.KeyText(key)})
	if err != nil {
		return fmt.Errorf("register actor %s on the chain: %w", who.ID, err)
	}
	return nil
}

// registered says whether an actor's key is on the chain.
func (a *App) registered(ctx context.Context, id string) (bool, error) {
	return a.known(ctx, contract.CommandID(contract.ActorRegister, id))
}

// known says whether a command is on the chain.
func (a *App) known(ctx context.Context, id string) (bool, error) {
	_, err := a.chain.Lookup(ctx, id)
	if errors.Is(err, mulu.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// submitAs signs and submits one command, unless its id has been accepted before: a
// second start would sign it with another time.
func (a *App) submitAs(ctx context.Context, who mulu.Actor, id string, body contract.Body) error {
	if _, err := a.chain.Lookup(ctx, id); err == nil {
		return nil
	} else if !errors.Is(err, mulu.ErrNotFound) {
		return err
	}
	c, err := contract.New(id, who, time.Now(), body)
	if err != nil {
		return err
	}
	if err := a.auth.Sign(ctx, who.ID, &c); err != nil {
		return err
	}
	_, err = a.chain.Submit(ctx, c)
	return err
}

// openRooms opens the catalogue and the sharing desk.
func (a *App) openRooms(ctx context.Context) (err error) {
	a.catalog, err = catalog.Open(ctx, catalog.Options{DB: a.db, Signer: a.auth, Machine: a.machine, Now: time.Now, Log: a.log, Wake: a.wakeRelay})
	if err != nil {
		return err
	}
	if a.quality, err = desk.Open(ctx, a.db); err != nil {
		return err
	}
	calendar, err := clock.National()
	if err != nil {
		return err
	}
	reader, err := newReader(a.lib, a.cfg.Path("token.key"))
	if err != nil {
		return err
	}
	if err = a.openFailing(reader); err != nil {
		return err
	}
	a.share, err = share.New(ctx, share.Options{
		DB: a.db, Put: outbox.Put, Signer: a.auth, Reader: reader, Scorer: scorer{a.catalog}, Calendar: calendar,
		System: a.machine, Division: a.cfg.House.Division, Spool: a.cfg.Path("spool"), Now: time.Now, Log: a.log,
	})
	if err != nil {
		return err
	}
	n, err := a.share.Recover(ctx)
	if n > 0 {
		a.log.Info("reads that were interrupted are closed", "receipts", n)
	}
	return err
}

// openRelay starts what carries commands from the outbox to the chain.
func (a *App) openRelay(context.Context) error {
	handlers := a.catalog.Handlers()
	for _, object := range []string{"scenario", "grant", "receipt"} {
		handlers[object] = a.share.Confirm
	}
	a.relay = outbox.NewRelay(a.db, a.chain, handlers, a.log, time.Now)
	a.work.Go(func() error { return a.relay.Run(a.workCtx) })
	a.onClose("workers", a.stopWorkers)
	return nil
}

func (a *App) wakeRelay() {
	if a.relay != nil {
		a.relay.Wake()
	}
}

// ChainGaps counts commands that the control store holds as accepted and the chain
// does not know: there must be none.
func (a *App) ChainGaps(ctx context.Context) (int64, error) {
	var gaps, after int64
	for {
		items, err := a.relay.Accepted(ctx, after, 1000)
		if err != nil || len(items) == 0 {
			return gaps, err
		}
		for _, i := range items {
			after = i.Seq
			r, err := a.chain.Lookup(ctx, i.ID)
			if errors.Is(err, mulu.ErrNotFound) || (err == nil && int64(r.Index) != i.Index) { //nolint:gosec // an index fits
				gaps++
			} else if err != nil {
				return gaps, err
			}
		}
	}
}
