package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/ingest/packages"
	"mulu/ingest/post"
)

// How soon what a crash cut off is gone on with, and packages that are whole are sent.
const (
	tendEvery    = 15 * time.Second
	packageEvery = 2 * time.Second
)

// openIntake readies what is posted, and packages from and to other houses. It comes
// before the API: bodies and parts that nobody needs are swept away first.
func (a *App) openIntake(ctx context.Context) error {
	a.intake = post.New(post.Options{Desk: a.submit, Dir: a.cfg.Path("inbox", "posts"), MaxBody: a.cfg.Ingest.PostMB << 20, MemoryBytes: a.cfg.Ingest.PostMemoryMB << 20})
	a.shelf = &packages.Shelf{Desk: a.submit, Dir: a.cfg.Path("inbox", "packages"), Trusted: a.cfg.Ingest.TrustedPackages, Dataset: a.newest}
	a.seal = &packages.Seal{DB: a.db, Signer: a.auth, Actor: machineID, House: packages.House{Origin: a.cfg.Ledger.Origin, Name: a.cfg.House.Center.Name}, Now: time.Now}
	a.onClose("producers", func(context.Context) error { a.submit.Close(); return nil })
	return errors.Join(a.intake.Sweep(ctx), a.shelf.Sweep(ctx))
}

func (a *App) startIntake() {
	a.every(tendEvery, "go on with posts", a.tendPosts)
	a.every(packageEvery, "send packages", a.shelf.Run)
}

// newest is a dataset as it is.
func (a *App) newest(ctx context.Context, code mulu.DatasetCode) (*mulu.Dataset, error) {
	all, err := a.catalog.Datasets(ctx)
	if err != nil {
		return nil, err
	}
	for _, ds := range all {
		if ds.Code == code {
			return ds, nil
		}
	}
	return nil, fmt.Errorf("没有数据集 %q，请先声明 / there is no such dataset: %w", code, mulu.ErrNotFound)
}

// tendPosts settles and goes on with posts that were cut off.
func (a *App) tendPosts(ctx context.Context) error {
	all, err := a.catalog.Datasets(ctx)
	if err != nil {
		return err
	}
	known := map[mulu.DatasetCode]*mulu.Dataset{}
	for _, ds := range all {
		known[ds.Code] = ds
	}
	dataset := func(code mulu.DatasetCode) (*mulu.Dataset, bool) { return known[code], known[code] != nil }
	topic := func(code mulu.DatasetCode) (string, bool) {
		if ds, ok := dataset(code); ok {
			return ds.Topic, true
		}
		return "", false
	}
	return errors.Join(a.submit.Tend(ctx, topic), a.intake.Resume(ctx, dataset))
}
