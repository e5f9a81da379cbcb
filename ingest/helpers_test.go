package ingest_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/ingest"
	"mulu/internal/broker"
	"mulu/internal/store"
)

func openJournal(t testing.TB) (*ingest.Journal, *store.DB) {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+t.TempDir()+"/control.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	j, err := ingest.NewJournal(t.Context(), db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return j, db
}

func countRows(t *testing.T, db *store.DB, query string, args ...any) (n int64) {
	t.Helper()
	if err := db.Read.QueryRow(query, args...).Scan(&n); err != nil && err != sql.ErrNoRows {
		t.Fatal(err)
	}
	return n
}

// testBroker is a broker in this process that can be stopped and started again on
// the same port.
type testBroker struct {
	dir, addr string
	port      int
	stop      func()
}

func startBroker(t *testing.T) *testBroker {
	t.Helper()
	b := &testBroker{dir: t.TempDir()}
	b.start(t)
	t.Cleanup(func() { b.stop() })
	return b
}

func (b *testBroker) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	addr, ended := make(chan string, 1), make(chan error, 1)
	c := broker.Config{Dir: b.dir, Port: b.port, Ready: func(a string) { addr <- a }}
	go func() { ended <- broker.Serve(ctx, c) }()
	select {
	case b.addr = <-addr:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	tcp, err := net.ResolveTCPAddr("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	b.port = tcp.Port
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("broker: %v", err)
		}
	})
}

func (b *testBroker) topics(t *testing.T, partitions int32, names ...string) {
	t.Helper()
	var specs []broker.TopicSpec
	for _, n := range names {
		specs = append(specs, broker.TopicSpec{Name: n, Partitions: partitions})
	}
	if err := broker.EnsureTopics(t.Context(), []string{b.addr}, specs); err != nil {
		t.Fatal(err)
	}
}

func (b *testBroker) client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.addr)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func (b *testBroker) produce(t *testing.T, topic string, from, to int) {
	t.Helper()
	cl := b.client(t, kgo.DefaultProduceTopic(topic))
	for i := from; i < to; i++ {
		cl.Produce(t.Context(), kgo.StringRecord(fmt.Sprintf(`{"id":"%06d"}`, i)), func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("produce: %v", err)
			}
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func record(topic, value string) *kgo.Record {
	r := kgo.StringRecord(value)
	r.Topic = topic
	return r
}

func small(code, topic string) *mulu.Dataset {
	return &mulu.Dataset{Code: mulu.DatasetCode(code), Version: 1, Topic: topic, Format: "json",
		Columns: []mulu.Column{{Name: "id", Type: mulu.String, Required: true}}, Key: []string{"id"}}
}

// sink is a pipeline that keeps everything in memory.
type sink struct {
	j *ingest.Journal

	mu      sync.Mutex
	batches []ingest.Batch
	values  map[string]int // times each value was stored and done
	control int64
	doubts  int
	fail    func(*ingest.Batch) error // asked after the plan is written
}

func (k *sink) step(ctx context.Context, p *ingest.Partition) error {
	b, err := p.Next(ctx)
	if err != nil {
		return err
	}
	if err := k.j.Plan(ctx, b.Plan); err != nil {
		return err
	}
	k.mu.Lock()
	fail := k.fail
	k.mu.Unlock()
	if fail != nil {
		if err := fail(b); err != nil {
			return err
		}
	}
	m := mulu.Manifest{Plan: b.Plan, Good: int64(len(b.Records)), Control: b.Control(), Bytes: b.Bytes, Digest: ingest.Digest(b.Records)}
	if err := k.j.Done(ctx, m); err != nil {
		return err
	}
	k.mu.Lock()
	if k.values == nil {
		k.values = map[string]int{}
	}
	for _, r := range b.Records {
		k.values[string(r.Value)]++
	}
	kept := *b
	kept.Records = slices.Clone(b.Records)
	k.batches = append(k.batches, kept)
	k.control += b.Control()
	if b.InDoubt {
		k.doubts++
	}
	k.mu.Unlock()
	return p.Commit(ctx, b.Plan.BatchID)
}

func (k *sink) distinct() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.values)
}

// run runs a source over k until the returned stop is called.
func run(t *testing.T, k *sink, o ingest.Options) (*ingest.Source, func()) {
	t.Helper()
	o.Journal = k.j
	if o.Linger == 0 {
		o.Linger = 30 * time.Millisecond
	}
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	s, err := ingest.NewSource(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, k.step) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		s.Close()
	})
	t.Cleanup(stop)
	return s, stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func exec(t *testing.T, db *store.DB, query string, args ...any) error {
	t.Helper()
	return db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
}
