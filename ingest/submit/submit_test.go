package submit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/ingest"
	"mulu/internal/broker"
	"mulu/internal/broker/brokertest"
	"mulu/internal/store"
)

// rig is a desk on a store and a broker of its own, which can be stopped and started.
type rig struct {
	*Desk
	dir, addr string
	port      int
	stop      func()
}

func newRig(t testing.TB, partitions int32) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir()}
	r.start(t)
	t.Cleanup(func() { r.stop() })
	db, err := store.Open(t.Context(), "sqlite:"+t.TempDir()+"/control.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := ingest.NewJournal(t.Context(), db, time.Now); err != nil {
		t.Fatal(err)
	}
	brokertest.Topic(t, r.addr, "people", partitions)
	r.Desk = NewDesk(db, []string{r.addr}, time.Now)
	return r
}

func (r *rig) start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	addr, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- broker.Serve(ctx, broker.Config{Dir: r.dir, Port: r.port, Ready: func(a string) { addr <- a }})
	}()
	select {
	case r.addr = <-addr:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	tcp, err := net.ResolveTCPAddr("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	r.port = tcp.Port
	r.stop = sync.OnceFunc(func() { cancel(); <-ended })
}

// counts gives how often each value is in the topic, committed.
func (r *rig) counts(t *testing.T) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, k := range brokertest.Committed(t, r.addr, "people") {
		out[string(k.Value)]++
	}
	return out
}

func (r *rig) open(t *testing.T, key string) Submission {
	t.Helper()
	s, _, err := r.Open(t.Context(), Submission{Dataset: "people", Way: mulu.WayFile, Key: key, Source: "a.csv", Digest: "sha256:" + key})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cut is what a process does that is killed at a stage: it does nothing any more.
var errCut = errors.New("cut")

// send sends rows [from the cursor, n), flushing every 40, and is cut at the at-th time
// that it passes the stage.
func (r *rig) send(t *testing.T, id string, n int, stage string, at int) (err error) {
	t.Helper()
	defer func() {
		if p := recover(); p == errCut { //nolint:errorlint // the very value
			err = errCut
		} else if p != nil {
			panic(p)
		}
	}()
	r.passed = func(s string) {
		if s == stage {
			if at--; at == 0 {
				panic(errCut)
			}
		}
	}
	s, err := r.Send(t.Context(), id, "people")
	if err != nil {
		return err
	}
	defer s.Close()
	from := 0
	if c := s.Cursor(); c != "" {
		fmt.Sscan(c, &from) //nolint:errcheck // written below
	}
	for i := from; i < n; i++ {
		k := fmt.Sprintf("%06d", i)
		if err := s.Add(t.Context(), Row{Key: Key(k), Value: []byte(`{"id":"` + k + `"}`)}, fmt.Sprint(i+1)); err != nil {
			return err
		}
		if i%40 == 39 {
			if err := s.Flush(t.Context()); err != nil {
				return err
			}
		}
	}
	return s.End(t.Context(), nil)
}

// A submission that is cut at any stage, over and over, is on the broker once.
func TestCutAnywhere(t *testing.T) {
	r := newRig(t, 3)
	s := r.open(t, "k1")
	const rows = 250
	cuts := 0
	for turn := 0; ; turn++ {
		stage := []string{"planned", "uncommitted", "produced"}[turn%3]
		err := r.send(t, s.ID, rows, stage, 1+turn%2)
		if err == nil {
			break
		}
		if !errors.Is(err, errCut) {
			t.Fatalf("turn %d, cut at %s: %v", turn, stage, err)
		}
		cuts++
		if turn%4 == 3 { // the broker goes, too, with whatever it has open
			r.stop()
			r.start(t)
		}
		if turn > 60 {
			t.Fatal("it does not come to an end")
		}
	}
	if cuts < 6 {
		t.Errorf("only %d cuts: this proves little", cuts)
	}
	got := r.counts(t)
	for i := range rows {
		if k := fmt.Sprintf(`{"id":"%06d"}`, i); got[k] != 1 {
			t.Errorf("%s is there %d times", k, got[k])
		}
	}
	if len(got) != rows {
		t.Errorf("%d distinct rows, want %d", len(got), rows)
	}
	_, runs, err := r.Runs(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	var noted int64
	for _, run := range runs {
		noted += run.Last - run.First + 1
	}
	if noted != rows {
		t.Errorf("runs hold %d offsets, want %d: %v", noted, rows, runs)
	}
	end, err := r.Get(t.Context(), s.ID)
	if err != nil || end.State != Sent || end.Rows != rows || end.Cursor != fmt.Sprint(rows) {
		t.Errorf("ended as %+v, %v", end, err)
	}
}

// Two senders of one submission: the older is refused by broker and store.
func TestFence(t *testing.T) {
	r := newRig(t, 2)
	s := r.open(t, "k1")
	old, err := r.Send(t.Context(), s.ID, "people")
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := old.Add(t.Context(), Row{Key: Key("1"), Value: []byte(`{"id":"1"}`)}, "1"); err != nil {
		t.Fatal(err)
	}
	if err := r.send(t, s.ID, 10, "", 0); err != nil {
		t.Fatal(err)
	}
	if err := old.Flush(t.Context()); err == nil {
		t.Error("the older sender was let through")
	}
	for v, n := range r.counts(t) {
		if n != 1 {
			t.Errorf("%s is there %d times", v, n)
		}
	}
}

func TestOpenAgain(t *testing.T) {
	r := newRig(t, 1)
	a := r.open(t, "k1")
	if b := r.open(t, "k1"); b.ID != a.ID {
		t.Errorf("the same key opened %s and %s", a.ID, b.ID)
	}
	_, _, err := r.Open(t.Context(), Submission{Dataset: "people", Way: mulu.WayFile, Key: "k1", Digest: "sha256:other"})
	if !errors.Is(err, mulu.ErrConflict) || !strings.Contains(err.Error(), a.ID) {
		t.Errorf("other content under the same key: %v", err)
	}
	if err := r.Refuse(t.Context(), a.ID, "表头缺少主键", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Send(t.Context(), a.ID, "people"); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("a refused submission can be sent: %v", err)
	}
}

// Behind a transaction of another producer that is still open, a committed chunk can not
// be read yet. It must be waited for, and not be sent again.
func TestBehindAnOpenTransaction(t *testing.T) {
	r := newRig(t, 1)
	other, err := kgo.NewClient(kgo.SeedBrokers(r.addr), kgo.DefaultProduceTopic("people"), kgo.TransactionalID("somebody else"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := other.ProduceSync(t.Context(), kgo.StringRecord(`{"id":"theirs"}`)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s := r.open(t, "k1")
	if err := r.send(t, s.ID, 10, "produced", 1); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.send(t, s.ID, 10, "", 0) }()
	select {
	case err := <-ended:
		t.Errorf("it did not wait for the other transaction: %v", err)
	case <-time.After(700 * time.Millisecond):
	}
	if err := other.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if !t.Failed() {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	for v, n := range r.counts(t) {
		if n != 1 {
			t.Errorf("%s is there %d times", v, n)
		}
	}
}
