// Package tilelog is the embedded directory chain: a transparency log (Tessera,
// POSIX tiles, C2SP formats) whose entries are accepted commands, and a key-value
// state that the contract derives from them.
//
// One goroutine owns the log. A group of commands is run through the contract,
// the accepted ones are added in order, then one transaction commits state and
// index, then everybody is answered. Refused commands are not logged. What each
// crash leaves: before the add, nothing; after the add, entries ahead of the state,
// which Open replays before it takes commands, so a retry finds its answer.
//
// Traps this package guards against: two appenders on one directory in one process
// corrupt it silently, so a lock file is held by flock; a blind retry would log a
// command twice, so ids are looked up first; EntryBundles of Tessera v1.0.4 reads
// past its end, so reading stops by index.
package tilelog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"

	"mulu"
	"mulu/internal/durable"
	"mulu/ledger"
	"mulu/ledger/contract"
)

const (
	groupSize     = 512
	groupAge      = 10 * time.Millisecond
	queueSize     = 4096 // Tessera's POSIX driver never pushes back: the queue is bounded here
	replayChunk   = 4096
	addAge        = time.Millisecond // our group is the batch; Tessera's own wait only adds latency
	cleanInterval = 10 * time.Second // at the default 1 min partial bundles pile up under load
	futureSlack   = 5 * time.Minute  // how far ahead of the ledger's clock a command may be
)

// Options say where and as whom the log runs.
type Options struct {
	Dir    string           // own directory; created if absent
	Origin string           // name of the log in checkpoints, e.g. "mulu.example/310107"; fixed for ever
	Now    func() time.Time // refuses commands from the future; nil is time.Now
	Log    *slog.Logger     // nil discards
	// Interval is how often a checkpoint is signed, 100 ms (the default) or more.
	Interval time.Duration
	// Failpoint, when set, is called at each named step of a group: "admitted",
	// "adding", "logged", "committed". Tests kill the process there.
	Failpoint func(step string)
}

// Log is an open embedded chain. All methods may be called at the same time.
type Log struct {
	o        Options
	kv       *kv
	lock     *os.File
	reader   tessera.LogReader
	verifier note.Verifier
	key      string // verifier key

	// Owned by the committer.
	appender *tessera.Appender
	next     uint64 // index of the next entry

	in       chan []*request
	cancel   context.CancelFunc
	shutdown func(context.Context) error
	stopping chan struct{} // closed by Close
	stopped  chan struct{} // closed when the committer has ended
	once     sync.Once
	cause    error // why the committer ended; read after stopped

	mu     sync.Mutex // guards proofs and their cache
	proofs *client.ProofBuilder
	head   *ledger.Head
}

// Open opens or creates the log, and replays what the state lacks before it
// returns. It fails with mulu.ErrBusy when another process, or this one, has the
// directory open. ctx bounds the opening only; end the log with Close.
func Open(ctx context.Context, o Options) (*Log, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Interval == 0 {
		o.Interval = 100 * time.Millisecond
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l := &Log{o: o, lock: lock, in: make(chan []*request, queueSize), stopping: make(chan struct{}), stopped: make(chan struct{})}
	if err := l.open(ctx); err != nil {
		if l.cancel != nil {
			l.cancel()
		}
		if l.kv != nil {
			err = errors.Join(err, l.kv.close())
		}
		return nil, errors.Join(fmt.Errorf("open ledger: %w", err), lock.Close())
	}
	return l, nil
}

// speak sends Tessera's log lines, which go through klog, to the first opened
// log's logger instead of standard error: klog has one output per process.
var speak sync.Once

func (l *Log) open(ctx context.Context) error {
	speak.Do(func() { klog.SetSlogLogger(l.o.Log.With("part", "tessera")) })
	signer, err := l.loadKey()
	if err != nil {
		return err
	}
	dir := filepath.Join(l.o.Dir, "log")
	if err := sweep(dir); err != nil {
		return err
	}
	if l.kv, err = openKV(ctx, filepath.Join(l.o.Dir, "ledger.db")); err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	driver, err := posix.New(run, posix.Config{Path: dir})
	if err != nil {
		return fmt.Errorf("open log directory: %w", err)
	}
	opts := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(l.o.Interval).
		WithBatching(groupSize, addAge).WithGarbageCollectionInterval(cleanInterval)
	l.appender, l.shutdown, l.reader, err = tessera.NewAppender(run, driver, opts)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	if err := l.replay(ctx); err != nil {
		return err
	}
	go l.commit(run)
	return nil
}

// replay applies the entries that the state lacks. An entry that the contract now
// refuses is void: it stays in the log and has no effect, the same at every replay.
// That can only follow an add that failed in the middle of a group.
func (l *Log) replay(ctx context.Context) error {
	size, err := l.reader.IntegratedSize(ctx)
	if err != nil {
		return fmt.Errorf("read log size: %w", err)
	}
	from, err := l.kv.size(ctx)
	if err != nil {
		return err
	}
	if from > size {
		return fmt.Errorf("state has %d entries, log only %d: the log directory was replaced or rolled back", from, size)
	}
	start := from
	for ; from < size; from = min(from+replayChunk, size) {
		if err := l.replayChunk(ctx, from, min(from+replayChunk, size)); err != nil {
			return err
		}
	}
	l.next = size
	if size > start {
		l.o.Log.InfoContext(ctx, "replayed log into state", "from", start, "to", size)
	}
	return nil
}

func (l *Log) replayChunk(ctx context.Context, from, to uint64) error {
	o := newOverlay(ctx, l.kv)
	var entries []entry
	at := from
	err := l.scan(ctx, from, to, func(idx uint64, raw []byte) error {
		at = idx + 1
		c, err := contract.Parse(raw)
		if err != nil {
			l.o.Log.ErrorContext(ctx, "void log entry", "index", idx, "err", err)
			return nil
		}
		p, err := contract.Prepare(c)
		var r contract.Result
		isNew := false
		if err == nil {
			r, isNew, err = o.try(p)
		}
		if refusal := contract.AsRefusal(err); refusal != nil || err == nil && !isNew {
			l.o.Log.ErrorContext(ctx, "void log entry", "index", idx, "id", c.ID, "refusal", refusal)
			return nil
		}
		if err != nil {
			return err
		}
		o.keep()
		entries = append(entries, entry{idx, c, p.Raw, r})
		return nil
	})
	if err != nil {
		return fmt.Errorf("replay log: %w", err)
	}
	if at != to {
		return fmt.Errorf("replay log: entries end at %d of %d", at, to)
	}
	return l.kv.commit(ctx, o, entries, to)
}

// scan calls f for the entries [from, to).
func (l *Log) scan(ctx context.Context, from, to uint64, f func(idx uint64, raw []byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the fetching workers when the loop is left early
	size := func(context.Context) (uint64, error) { return to, nil }
	bundles := client.EntryBundles(ctx, 1, size, l.reader.ReadEntryBundle, from, to-from)
	for e, err := range client.Entries(bundles, unbundle) {
		if err != nil {
			return fmt.Errorf("read log entries: %w", err)
		}
		if e.Index >= to { // Tessera v1.0.4 reads past from+N
			return nil
		}
		if err := f(e.Index, e.Entry); err != nil {
			return err
		}
	}
	return nil
}

func unbundle(b []byte) ([][]byte, error) {
	var eb api.EntryBundle
	err := eb.UnmarshalText(b)
	return eb.Entries, err
}

// Close stops taking commands, answers those taken, publishes the last
// checkpoint, and gives the directory back. It is safe to call again.
func (l *Log) Close(ctx context.Context) error {
	var err error
	l.once.Do(func() {
		close(l.stopping)
		<-l.stopped
		if l.cause == nil {
			err = l.shutdown(ctx)
		}
		l.cancel()
		err = errors.Join(err, l.kv.close(), l.lock.Close())
		if err != nil {
			err = fmt.Errorf("close ledger: %w", err)
		}
	})
	return err
}

// Key is the log's verifier key: give it to whoever checks proofs.
func (l *Log) Key() string { return l.key }

// loadKey reads the log's signing key, or makes it at first start. A crash while
// making it leaves at most a temporary file: no checkpoint was signed with it.
func (l *Log) loadKey() (note.Signer, error) {
	path := filepath.Join(l.o.Dir, "log.key")
	skey, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(l.o.Dir, "log", "checkpoint")); err == nil {
			return nil, fmt.Errorf("read log key: %s is gone though the log exists: %w", path, mulu.ErrInvalid)
		}
		var text, vkey string
		if text, vkey, err = note.GenerateKey(rand.Reader, l.o.Origin); err != nil {
			return nil, fmt.Errorf("make log key: %w", err)
		}
		if err := durable.WriteFile(path+".pub", []byte(vkey+"\n"), 0o644); err != nil {
			return nil, fmt.Errorf("make log key: %w", err)
		}
		skey = []byte(text + "\n")
		err = durable.WriteFile(path, skey, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("read log key: %w", err)
	}
	vkey, err := os.ReadFile(path + ".pub")
	if err != nil {
		return nil, fmt.Errorf("read log key: %w", err)
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(skey)))
	if err != nil {
		return nil, fmt.Errorf("read log key: %w", err)
	}
	l.key = strings.TrimSpace(string(vkey))
	if l.verifier, err = note.NewVerifier(l.key); err != nil {
		return nil, fmt.Errorf("read log key: %w", err)
	}
	if signer.Name() != l.o.Origin || signer.KeyHash() != l.verifier.KeyHash() {
		return nil, fmt.Errorf("read log key: it is for %q, not for %q: %w", signer.Name(), l.o.Origin, mulu.ErrInvalid)
	}
	return signer, nil
}
