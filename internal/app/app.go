// Package app wires the rooms into a running mulu: it opens them in order, lets the
// workers follow the manifests on their own clocks, and stops all of it in reverse.
// It holds no rule of its own.
package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"mulu"
	"mulu/catalog"
	"mulu/ingest"
	"mulu/ingest/packages"
	"mulu/ingest/post"
	"mulu/ingest/registry"
	"mulu/ingest/submit"
	"mulu/ingest/table"
	"mulu/internal/auth"
	"mulu/internal/broker"
	"mulu/internal/config"
	"mulu/internal/outbox"
	"mulu/internal/store"
	"mulu/ledger/tilelog"
	"mulu/library"
	"mulu/library/embedded"
	"mulu/pipeline"
	"mulu/quality"
	"mulu/quality/desk"
	"mulu/share"
)

// Progress is told how far a long stage has come; total 0 is unknown.
type Progress func(stage string, done, total int64)

// Options of a start beside its configuration.
type Options struct {
	Log      *slog.Logger
	Progress Progress // nil for none
	Version  string
	// Declare is applied before ingest starts, if set.
	Declare fs.FS
	// Passed is told each durable stage of the walk in; torture kills the process there.
	Passed func(stage string)
}

// App is a running mulu.
type App struct {
	cfg   config.Config
	opt   Options
	log   *slog.Logger
	began time.Time

	db       *store.DB
	auth     *auth.Service
	lib      *library.Library
	chain    *tilelog.Log
	relay    *outbox.Relay
	catalog  *catalog.Catalog
	quality  *desk.Desk
	failing  *pipeline.FailingRows
	share    *share.Service
	journal  *ingest.Journal
	source   *ingest.Source
	seen     *ingest.Seen
	desk     *pipeline.Desk
	profiles *pipeline.Profiler
	submit   *submit.Desk
	tables   *table.Puller
	intake   *post.Intake
	shelf    *packages.Shelf
	seal     *packages.Seal
	schemas  *registry.Book
	files    *pipeline.Files
	sftp     string // address of its door
	admin    *kadm.Client
	rules    *versions
	weights  atomic.Pointer[quality.Weights]
	applying sync.Mutex
	told     sync.Map // dataset and field → when its owner was last told of it

	mender     *pipeline.Mender
	withdrawer *pipeline.Withdrawer
	history    *pipeline.HistoryDesk
	editor     *pipeline.Editor
	scoring    sync.Mutex
	scored     map[mulu.DatasetCode]string // corrections the last score counted, under scoring
	looked     map[mulu.DatasetCode]string // occasion of the last score, under scoring
	runs       ruleRuns
	rerun      sync.Map // datasets whose rules somebody ran by hand, to be scored at once

	machine mulu.Actor // the data centre's own system
	url     string
	signIns []SignIn
	sample  atomic.Bool // demonstration data is present

	work     *errgroup.Group
	workCtx  context.Context
	stopWork context.CancelFunc
	stopped  sync.Once
	closing  sync.Mutex
	closers  []closer
}

// closer undoes one step of the start.
type closer struct {
	name string
	stop func(ctx context.Context) error
}

// stopWithin bounds each step of a stop.
const stopWithin = 20 * time.Second

// Start opens everything in order and returns when the house is ready: API
// listening, ingest reading. Whatever it opened is closed again if it fails.
func Start(ctx context.Context, cfg config.Config, opt Options) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("配置有误 / configuration:\n%w", err)
	}
	if opt.Progress == nil {
		opt.Progress = func(string, int64, int64) {}
	}
	a := newApp(cfg, opt)
	if err := a.start(ctx); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// newApp holds nothing open yet.
func newApp(cfg config.Config, opt Options) *App {
	a := &App{cfg: cfg, opt: opt, log: opt.Log, began: time.Now(), scored: map[mulu.DatasetCode]string{}, looked: map[mulu.DatasetCode]string{}}
	w := quality.DefaultWeights()
	a.weights.Store(&w)
	workCtx, cancel := context.WithCancel(context.Background())
	a.work, a.workCtx = errgroup.WithContext(workCtx)
	a.stopWork = cancel
	return a
}

func (a *App) start(ctx context.Context) error {
	lock, err := lockData(a.cfg.Data)
	if err != nil {
		return err
	}
	a.onClose("data lock", func(context.Context) error { return lock.Close() })
	listener, err := net.Listen("tcp", a.cfg.Listen)
	if err != nil {
		return fmt.Errorf("地址 %s 无法监听（可能已被占用，请用 --listen 换一个）/ address not available: %w", a.cfg.Listen, err)
	}
	a.onClose("listener", func(context.Context) error { listener.Close(); return nil })
	a.url = "http://" + listener.Addr().String()

	// Broker and engine take the longest and do not need each other.
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.openBroker(gctx) })
	g.Go(func() error { return a.openLibrary(gctx) })
	if err := g.Wait(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{a.openStore, a.openChain, a.openRooms, a.openRelay, a.declare, a.openCorrections, a.openEditor, a.openIngest, a.openIntake} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := a.serve(listener); err != nil {
		return err
	}
	a.startWorkers()
	if err := a.openDoor(); err != nil {
		return err
	}
	// Registered last, so removed first; and never by a start that found the directory
	// held, since the file is then another process's.
	a.onClose("run file", func(context.Context) error { return os.Remove(filepath.Join(a.cfg.Data, RunFileName)) })
	return a.writeRunFile()
}

// onClose registers what undoes a step. Broker and engine start side by side.
func (a *App) onClose(name string, stop func(context.Context) error) {
	a.closing.Lock()
	defer a.closing.Unlock()
	a.closers = append(a.closers, closer{name, stop})
}

func (a *App) openBroker(ctx context.Context) error {
	if len(a.cfg.Broker.Seeds) == 0 {
		if err := a.takeBrokerPort(ctx); err != nil {
			return err
		}
		exe, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find own executable: %w", err)
		}
		childCtx, cancel := context.WithCancel(context.Background())
		s, err := broker.Supervise(childCtx, broker.Child{
			Exe:  exe,
			Args: []string{"broker", "--data", a.cfg.Path("broker"), "--listen", a.cfg.Broker.Listen, "--retain-mb", fmt.Sprint(a.cfg.Broker.RetainMB)},
			Addr: a.cfg.Broker.Listen, Log: a.log, Output: slog.NewLogLogger(a.log.Handler(), slog.LevelInfo).Writer(),
		})
		if err != nil {
			cancel()
			return fmt.Errorf("启动内嵌试用 Kafka（%s）/ start the trial broker: %w", a.cfg.Broker.Listen, err)
		}
		a.onClose("broker", func(context.Context) error { cancel(); s.Wait(); return nil })
	}
	reach, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := broker.Reach(reach, a.cfg.Seeds()); err != nil {
		return fmt.Errorf("连不上 Kafka %v（请检查 broker.seeds）/ reach Kafka: %w", a.cfg.Seeds(), err)
	}
	return nil
}

// portWait is how long the broker of a mulu that was just killed may take to vanish.
const portWait = 2 * time.Second

// takeBrokerPort says that the broker's port is taken before a child has to, and
// turns port 0 into one that is free.
func (a *App) takeBrokerPort(ctx context.Context) error {
	for end := time.Now().Add(portWait); ; {
		l, err := net.Listen("tcp", a.cfg.Broker.Listen)
		if err == nil {
			a.cfg.Broker.Listen = l.Addr().String()
			return l.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(end) {
			return fmt.Errorf("试用 Kafka 的地址 %s 无法监听（可能已被占用，请用 --kafka 换一个）/ address of the trial broker not available: %w", a.cfg.Broker.Listen, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (a *App) openLibrary(ctx context.Context) error {
	opt := library.Options{URL: a.cfg.Engine.URL, Log: a.log, Fsync: a.cfg.Engine.Fsync, HistoryTTL: time.Duration(a.cfg.Engine.HistoryDays) * 24 * time.Hour}
	if opt.URL == "" {
		engine, err := embedded.Start(ctx, embedded.Options{Dir: a.cfg.Path("engine"), Lib: a.cfg.Engine.Library, MaxMemoryBytes: a.cfg.EngineMemory(), Log: a.log})
		if err != nil {
			return fmt.Errorf("启动内嵌 ClickHouse / start the embedded engine: %w", err)
		}
		a.onClose("engine", engine.Stop)
		opt.Transport = engine.Transport()
	}
	lib, err := library.Open(ctx, opt)
	if err != nil && opt.URL != "" {
		return fmt.Errorf("打不开外部 ClickHouse（请检查 engine.url 或 --engine 的地址、账号和权限）/ open the library on an outside ClickHouse: %w", err)
	}
	if err != nil {
		return fmt.Errorf("打开主题库 / open the library: %w", err)
	}
	a.lib = lib
	return nil
}

func (a *App) openStore(ctx context.Context) (err error) {
	if a.db, err = store.Open(ctx, a.cfg.StoreDSN()); err != nil && a.cfg.Store != "" {
		return fmt.Errorf("打不开控制库（请检查 store 所指 PostgreSQL 的地址、账号和权限）/ open the control store: %w", err)
	} else if err != nil {
		return err
	}
	a.onClose("control store", func(context.Context) error { return a.db.Close() })
	if a.auth, err = auth.Open(ctx, a.db, a.cfg.Path("seal.key"), time.Now); err != nil {
		return err
	}
	if a.journal, err = ingest.NewJournal(ctx, a.db, time.Now); err != nil {
		return err
	}
	a.submit = submit.NewDesk(a.db, a.cfg.Seeds(), time.Now)
	a.tables = table.New(a.db, a.submit, time.Now)
	if err = a.openSchemas(); err != nil {
		return err
	}
	if a.opt.Passed != nil {
		a.submit.OnPassed(func(stage string) { a.opt.Passed("submit " + stage) })
	}
	return outbox.Migrate(ctx, a.db)
}

// serve starts the API on a listener that is open already.
func (a *App) serve(l net.Listener) error {
	h, err := a.handler()
	if err != nil {
		return err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)}
	a.work.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve API: %w", err)
		}
		return nil
	})
	a.onClose("API", func(ctx context.Context) error {
		err := s.Shutdown(ctx)
		if err != nil { // somebody is still reading: what is cut is closed as interrupted
			err = errors.Join(err, s.Close())
		}
		return err
	})
	return nil
}

func (a *App) writeRunFile() error {
	return writeJSON(filepath.Join(a.cfg.Data, RunFileName), 0o600, RunFile{
		PID: os.Getpid(), URL: a.url, Kafka: a.cfg.Seeds(), Ready: true, Sample: a.sample.Load(), Started: a.began.UTC(), Version: a.opt.Version,
	})
}

// Wait returns when ctx ends, or with the error of a part that failed.
func (a *App) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-a.chain.Stopped():
		return fmt.Errorf("目录链已停止写入，请查看日志后重新启动 / the directory chain has stopped")
	case <-a.workCtx.Done():
		return context.Cause(a.workCtx)
	}
}

// Close stops every part in reverse order of its start: the API first, then the
// workers, whose steps under way may finish while all they need is still open. Each
// has stopWithin; what does not stop in time is left to the process's end, which
// every part survives like a crash.
func (a *App) Close() {
	a.stopped.Do(func() {
		for i := len(a.closers) - 1; i >= 0; i-- {
			c := a.closers[i]
			ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
			if err := c.stop(ctx); err != nil {
				a.log.Warn("stop part", "part", c.name, "error", err)
			}
			cancel()
		}
		a.stopWork() // a start that failed before the first worker
	})
}

// stopWorkers tells the workers to end and waits until they have.
func (a *App) stopWorkers(ctx context.Context) error {
	a.stopWork()
	ended := make(chan error, 1)
	go func() { ended <- a.work.Wait() }()
	select {
	case err := <-ended:
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("workers are still at work: %w", ctx.Err())
	}
}

// URL is where the console and the API are.
func (a *App) URL() string { return a.url }

// Seeds are the brokers that clients dial; the embedded one's port is known here.
func (a *App) Seeds() []string { return a.cfg.Seeds() }

// SignIns are the sample district's accounts, if it is loaded.
func (a *App) SignIns() []SignIn { return a.signIns }

// Library is the running library, for the checks of torture, demo and bench.
func (a *App) Library() *library.Library { return a.lib }

// group is this house's consumer group: two houses on one Kafka must each read all
// of it. The chain's key is a house's own from its first start.
func (a *App) group() string {
	sum := sha256.Sum256([]byte(a.chain.Key()))
	return "mulu-" + hex.EncodeToString(sum[:4])
}

// openIngest readies the reader of every dataset's topic; startWorkers runs it.
func (a *App) openIngest(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(a.cfg.Seeds()...), kgo.ClientID("mulu-admin"))
	if err != nil {
		return fmt.Errorf("open Kafka admin: %w", err)
	}
	a.onClose("Kafka admin", func(context.Context) error { cl.Close(); return nil })
	a.admin = kadm.NewClient(cl)
	applied, err := a.catalog.Datasets(ctx)
	if err != nil {
		return err
	}
	if err := a.recall(ctx); err != nil {
		return err
	}
	var datasets []*mulu.Dataset
	for _, ds := range applied {
		// declare made all of them known; the newest the library takes is what is read.
		if usable := a.lib.Dataset(ds.Code); usable != nil {
			datasets = append(datasets, usable)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	a.source, err = ingest.NewSource(ingest.Options{
		Seeds: a.cfg.Seeds(), Datasets: datasets, Journal: a.journal,
		Group: a.group(), Instance: a.group() + "-" + host,
		BatchRows: a.cfg.Ingest.BatchRows, Linger: a.cfg.Ingest.Linger, BufferBytes: a.cfg.Ingest.MemoryMB << 20, Log: a.log,
		Review: ingest.Review{Share: a.cfg.Ingest.HoldShare, Least: a.cfg.Ingest.HoldLeast},
	})
	if err != nil {
		return err
	}
	a.onClose("ingest", func(context.Context) error { a.source.Close(); return nil })
	a.openDesk()
	a.openProfiler()
	a.openFiles()
	a.onClose("workers", a.stopWorkers) // before what they stand on
	return nil
}

// recallBatches is how many manifests of the last hour are read at a start.
const recallBatches = 20_000

// recall makes what people see of the way in begin where it was before a restart.
func (a *App) recall(ctx context.Context) error {
	a.seen = ingest.NewSeen(time.Now)
	list, err := a.lib.RecentBatches(ctx, "", time.Now().Add(-ingest.SeenPoints*ingest.SeenStep), recallBatches)
	if err != nil {
		return err
	}
	slices.Reverse(list) // newest first as it is read
	a.seen.Recall(list)
	return nil
}
