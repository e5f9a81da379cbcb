package app

import (
	"context"
	"net/http"
	"strings"
	"time"

	"mulu/console"
	"mulu/ingest/registry"
	"mulu/internal/broker"
	"mulu/internal/httpapi"
)

// handler makes the API and the console over the opened rooms.
func (a *App) handler() (http.Handler, error) {
	d := httpapi.Deps{
		Auth: a.auth, Library: a.lib, Source: a.source, Seen: a.seen, Journal: a.journal, Share: a.share, Catalog: a.catalog, Quality: a.quality, Profiles: a.profiles, Scoring: a, Failing: a.failing, Ledger: a.chain, Relay: a.relay,
		Desk: a.desk, Submit: a.submit, Tables: a.tables, Intake: a.intake, Shelf: a.shelf, Seal: a.seal, Files: a.files, FileBytes: a.cfg.Ingest.FileMB << 20,
		Registry: registry.NewDesk(a.db, time.Now), Schemas: a.schemas, Mender: a.mender, Withdrawer: a.withdrawer, History: a.history, Editor: a.editor, CodeTables: a.rules.synthetic.Names(),
		Components: []httpapi.Component{
			{Name: a.brokerName(), Probe: a.probeBroker},
			{Name: a.storeName(), Probe: a.probeStore},
		},
		RunRules: a.RunRules,
		Declare:  a.ApplyLive, Sample: a.sample.Load, Version: a.opt.Version, Log: a.log, Now: time.Now,
		Broker: func(ctx context.Context) error { return broker.Reach(ctx, a.cfg.Seeds()) },
	}
	if console.Built() {
		d.Console = console.FS()
	}
	return httpapi.New(d)
}

func (a *App) brokerName() string {
	if len(a.cfg.Broker.Seeds) == 0 {
		return "Kafka（内嵌试用）"
	}
	return "Kafka"
}

func (a *App) storeName() string {
	if a.cfg.Store == "" {
		return "控制库（SQLite）"
	}
	return "控制库（PostgreSQL）"
}

func (a *App) probeBroker(ctx context.Context) (string, error) {
	if err := broker.Reach(ctx, a.cfg.Seeds()); err != nil {
		return "连不上", err
	}
	return strings.Join(a.cfg.Seeds(), "、"), nil
}

func (a *App) probeStore(ctx context.Context) (string, error) {
	if err := a.db.Read.PingContext(ctx); err != nil {
		return "不应答", err
	}
	return "正常", nil
}
