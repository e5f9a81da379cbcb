// Package library keeps the thematic libraries (主题库) in ClickHouse: their
// tables, the four stores of the walk in (rejects, findings, data, manifest), and
// the only compiler from a typed plan to SQL. It speaks clickhouse-go's HTTP
// protocol to the embedded engine and to a server alike and does not know which.
//
// It decides nothing about who may read what: share and httpapi hand it a plan.
package library

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// Options of Open.
type Options struct {
	// Transport carries the requests; the embedded engine's Transport(), or nil
	// for the network.
	Transport http.RoundTripper
	// URL of a ClickHouse ≥ 26.3 over HTTP, e.g. "http://user:pass@host:8123".
	// "" with a Transport means the embedded engine.
	URL string
	// Now is the clock of stored times and of as-of "today"; nil is time.Now.
	Now func() time.Time
	Log *slog.Logger
	// HistoryTTL is how long a change is kept in <code>_history; 0 is three years.
	HistoryTTL time.Duration
	// Fsync makes every insert survive power loss, not only a crash of the process.
	Fsync bool
}

// Library is the room. All methods are safe for concurrent use.
type Library struct {
	db   driver.Conn
	now  func() time.Time
	log  *slog.Logger
	ttl  time.Duration
	sync bool

	mu       sync.RWMutex
	datasets map[mulu.DatasetCode]*mulu.Dataset            // newest applied version
	versions map[mulu.DatasetCode]map[uint32]*mulu.Dataset // every applied version
	topics   map[mulu.DatasetCode]map[mulu.TopicID]uint64  // epoch of each topic identity

	// inserts holds a token for every batch being framed and inserted. More at once
	// than there are processors store nothing sooner and hold a copy of their rows each,
	// here and in the engine.
	inserts chan struct{}
	scans   chan struct{} // likewise, for every scan that reads

	// Facts of small batches, on their way in groups.
	rejects   gather[rejectFact]
	findings  gather[findingFact]
	manifests gather[mulu.Manifest]

	running running
	rulings sync.Map // dataset and rules → *ruling

	schemes map[mulu.DatasetCode]map[mulu.TopicID]string // how positions of a topic are ordered

	epochs sync.Mutex // serialises the numbering of new topic identities
	taking sync.Mutex // serialises withdrawals, which hold merges of a table back
}

// zone is where the libraries' days begin and end.
var zone = time.FixedZone("Asia/Shanghai", 8*3600)

const oldestServer = 26*100 + 3

// Open connects and makes the house's own tables. Running it again changes nothing.
func Open(ctx context.Context, opt Options) (*Library, error) {
	co := &clickhouse.Options{Addr: []string{"embedded:1"}}
	if opt.URL != "" {
		var err error
		if co, err = clickhouse.ParseDSN(opt.URL); err != nil {
			return nil, fmt.Errorf("parse library address: %w", err)
		}
	} else if opt.Transport == nil {
		return nil, fmt.Errorf("open library: neither engine nor address given: %w", mulu.ErrInvalid)
	}
	co.Protocol = clickhouse.HTTP
	// The pool only has to be wider than the engine's own slots: what waits, waits there.
	co.MaxOpenConns, co.MaxIdleConns, co.DialTimeout = 64, 64, 30*time.Second
	co.ReadTimeout = 10 * time.Minute
	co.Settings = clickhouse.Settings{"async_insert": 0}
	if opt.Transport != nil {
		co.TransportFunc = func(*http.Transport) (http.RoundTripper, error) { return opt.Transport, nil }
	}
	db, err := clickhouse.Open(co)
	if err != nil {
		return nil, fmt.Errorf("open library: %w", err)
	}
	l := &Library{db: db, now: opt.Now, log: opt.Log, ttl: opt.HistoryTTL, sync: opt.Fsync,
		datasets: map[mulu.DatasetCode]*mulu.Dataset{}, versions: map[mulu.DatasetCode]map[uint32]*mulu.Dataset{}, topics: map[mulu.DatasetCode]map[mulu.TopicID]uint64{},
		schemes: map[mulu.DatasetCode]map[mulu.TopicID]string{}}
	l.inserts = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
	l.scans = make(chan struct{}, mostScans)
	l.rejects.insert, l.findings.insert, l.manifests.insert = l.insertRejects, l.insertFindings, l.insertManifests
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.ttl <= 0 {
		l.ttl = 3 * 365 * 24 * time.Hour
	}
	if err := l.prepare(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return l, nil
}

func (l *Library) prepare(ctx context.Context) error {
	v, err := l.db.ServerVersion()
	if err != nil {
		return fmt.Errorf("greet library: %w", err)
	}
	if int(v.Version.Major)*100+int(v.Version.Minor) < oldestServer {
		return fmt.Errorf("ClickHouse %d.%d is older than 26.3: %w", v.Version.Major, v.Version.Minor, mulu.ErrInvalid)
	}
	for _, ddl := range l.houseDDL() {
		if err := l.db.Exec(ctx, ddl); err != nil {
			return fmt.Errorf("create house tables: %w", err)
		}
	}
	for _, t := range houseTables {
		if err := l.fit(ctx, houseDB, t.name, t.columns, sortedBy(t.engine)); err != nil {
			return err
		}
		if err := l.retune(ctx, houseDB, t.name); err != nil {
			return err
		}
	}
	return l.loadTopics(ctx)
}

// Ping asks the engine for an answer.
func (l *Library) Ping(ctx context.Context) error {
	if err := l.db.Exec(ctx, "SELECT 1"); err != nil {
		return fmt.Errorf("ping library: %w", err)
	}
	return nil
}

// Close waits for inserts under way and gives the connections back; it does not stop
// an embedded engine.
func (l *Library) Close() error {
	l.rejects.work.Wait()
	l.findings.work.Wait()
	l.manifests.work.Wait()
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("close library: %w", err)
	}
	return nil
}

// Dataset returns the newest applied version of a dataset, or nil. It must not be
// changed.
func (l *Library) Dataset(code mulu.DatasetCode) *mulu.Dataset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.datasets[code]
}

// applied is Dataset with an error for one that is not there.
func (l *Library) applied(code mulu.DatasetCode) (*mulu.Dataset, error) {
	if ds := l.Dataset(code); ds != nil {
		return ds, nil
	}
	return nil, fmt.Errorf("dataset %q is not applied: %w", code, mulu.ErrNotFound)
}

// versionOf is an applied version, 0 the newest.
func (l *Library) versionOf(code mulu.DatasetCode, version uint32) (*mulu.Dataset, error) {
	if version == 0 {
		return l.applied(code)
	}
	return l.planned(mulu.Plan{Dataset: code, Version: version})
}

// planned is the version a batch was planned for: a newer one may be applied by
// the time a crash makes the batch be walked again.
func (l *Library) planned(p mulu.Plan) (*mulu.Dataset, error) {
	if _, err := l.applied(p.Dataset); err != nil {
		return nil, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if ds := l.versions[p.Dataset][p.Version]; ds != nil {
		return ds, nil
	}
	return nil, fmt.Errorf("planned for version %d of dataset %q, which is not applied: %w", p.Version, p.Dataset, mulu.ErrConflict)
}

// remember makes an applied version known; the newest is the one that is read.
func (l *Library) remember(ds *mulu.Dataset) {
	kept := *ds
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.versions[ds.Code] == nil {
		l.versions[ds.Code] = map[uint32]*mulu.Dataset{}
	}
	l.versions[ds.Code][ds.Version] = &kept
	if newest := l.datasets[ds.Code]; newest == nil || newest.Version <= ds.Version {
		l.datasets[ds.Code] = &kept
	}
}
