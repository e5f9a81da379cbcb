package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mulu"
	"mulu/ingest/submit"
	"mulu/ingest/table"
)

const (
	// tablesEvery is how often it is looked which tables of exchange databases are due.
	tablesEvery = 2 * time.Second
	// tablesAtOnce bounds how many are pulled side by side on their schedule.
	tablesAtOnce = 8
	// tableRetry is how long a table that failed is left alone.
	tableRetry = time.Minute
)

// pulls are the tables being pulled by this process.
type pulls struct {
	a       *App
	mu      sync.Mutex
	running map[string]bool
	waits   map[string]time.Time // receipts that could not be written are tried again then
}

// waiting is a table that nobody pulls.
type waiting struct {
	w submit.Declared
	s table.State
}

func (a *App) startTables() {
	p := &pulls{a: a, running: map[string]bool{}, waits: map[string]time.Time{}}
	if a.cfg.Store == "" { // the data directory is ours alone
		if err := a.tables.Alone(a.workCtx); err != nil {
			a.log.Warn("free tables", "error", err)
		}
	}
	a.every(tablesEvery, "pull tables", p.look)
}

// look starts every pull that is due and not running.
func (p *pulls) look(ctx context.Context) error {
	ways, err := p.a.submit.Ways(ctx, "")
	if err != nil {
		return err
	}
	pauses, err := p.a.journal.Pauses(ctx)
	if err != nil {
		return err
	}
	paused := map[mulu.DatasetCode]bool{}
	for _, x := range pauses {
		paused[x.Dataset] = true
	}
	var faults []error
	var free []waiting
	for _, w := range ways {
		if w.Kind != mulu.WayTable {
			continue
		}
		s, err := p.a.tables.State(ctx, w.Dataset, w.Name)
		if err != nil {
			faults = append(faults, err)
		} else if !s.Running {
			free = append(free, waiting{w, s})
		}
	}
	// Those that were left alone longest come first, so that none is passed over for good.
	slices.SortStableFunc(free, func(a, b waiting) int { return a.s.Tried.Compare(b.s.Tried) })
	for i := range free {
		w := &free[i]
		p.begin(w.w, w.s, p.due(&w.w.Way, &w.s, paused[w.w.Dataset]))
	}
	return errors.Join(append(faults, p.leave(ctx, ways))...)
}

// due says whether a table is to be pulled now. One that failed is left alone for a while,
// one whose dataset is paused until it is resumed; a person is not made to wait.
func (p *pulls) due(w *mulu.Way, s *table.State, paused bool) bool {
	if !s.Asked.IsZero() {
		return true
	}
	now := time.Now()
	next, _, err := table.Due(w, s, now)
	return err == nil && !next.After(now) && !paused && (s.Failure == "" || now.Sub(s.Tried) >= tableRetry)
}

// begin pulls in the background, or, where nothing is due, sees to receipts.
func (p *pulls) begin(w submit.Declared, s table.State, due bool) {
	key := string(w.Dataset) + "/" + w.Name
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running[key] || len(p.running) >= tablesAtOnce && s.Asked.IsZero() || !due && (w.Control == "" || time.Now().Before(p.waits[key])) {
		return
	}
	p.running[key] = true
	p.a.work.Go(func() error {
		defer func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.running, key)
		}()
		ctx := p.a.workCtx
		var err error
		if due {
			err = p.pull(ctx, w, s)
		} else if err = p.receipts(ctx, w); err != nil {
			p.mu.Lock()
			p.waits[key] = time.Now().Add(tableRetry)
			p.mu.Unlock()
		}
		if err != nil && ctx.Err() == nil {
			p.a.log.Warn("pull table", "dataset", w.Dataset, "way", w.Name, "error", err)
		}
		return nil
	})
}

func (p *pulls) pull(ctx context.Context, w submit.Declared, s table.State) error {
	o, err := p.order(w)
	if err != nil {
		return errors.Join(err, p.a.tables.Fail(ctx, w.Dataset, w.Name, s.Asked, err))
	}
	o.Slot, o.Asked = table.Slot(time.Now(), w.Every), s.Asked
	if !s.Asked.IsZero() {
		o.By, o.Agreed = s.AskedBy, s.Agreed
	}
	return p.a.tables.Run(ctx, o)
}

func (p *pulls) receipts(ctx context.Context, w submit.Declared) error {
	o, err := p.order(w)
	if err != nil {
		return err
	}
	return p.a.tables.Receipts(ctx, o)
}

// order puts together what a pull needs: the dataset as it is read now, and the connection.
func (p *pulls) order(w submit.Declared) (o table.Order, err error) {
	ds := p.a.lib.Dataset(w.Dataset)
	if ds == nil {
		return o, fmt.Errorf("数据集 %s 不可用 / the dataset is not usable: %w", w.Dataset, mulu.ErrNotFound)
	}
	c, ok := p.a.cfg.Connections[w.Connection]
	if !ok {
		names := "一个也没有"
		if len(p.a.cfg.Connections) > 0 {
			names = "只有 " + strings.Join(slices.Sorted(maps.Keys(p.a.cfg.Connections)), "、")
		}
		return o, fmt.Errorf("配置文件的 connections 中没有 %q（%s）；请运维补上后重新启动，见 docs/ingest/table.md / no such connection: %w", w.Connection, names, mulu.ErrNotFound)
	}
	dsn, err := c.Secret()
	if err != nil {
		return o, err
	}
	return table.Order{Dataset: ds, Way: w.Way, Connection: table.Connection{Driver: c.Driver, DSN: dsn}}, nil
}

// leave ends what ways that are not declared any more have left open.
func (p *pulls) leave(ctx context.Context, ways []submit.Declared) error {
	return p.a.tables.Leave(ctx, ways, func(code mulu.DatasetCode) string {
		p.mu.Lock()
		defer p.mu.Unlock()
		for key := range p.running {
			if strings.HasPrefix(key, string(code)+"/") {
				return ""
			}
		}
		if ds := p.a.lib.Dataset(code); ds != nil {
			return ds.Topic
		}
		return ""
	})
}
