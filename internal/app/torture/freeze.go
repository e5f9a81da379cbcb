package torture

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"mulu/ingest"
)

// freeze stops an owner (SIGSTOP) for longer than its session, lets another take
// over, and lets it go on: at a random moment, and in the middle of the body of an
// INSERT, whose second half then reaches the engine after the new owner has stored
// the same range.
func freeze(ctx context.Context, o Options, out *Outcome) error {
	r, err := newRig(ctx, o, out, 1)
	if err != nil {
		return err
	}
	defer r.close()
	r.member = ""
	ds := r.datasets[0]
	// Merges would clear away what is stored twice before it can be counted.
	if err := r.stopMerges(ctx, ds); err != nil {
		return err
	}
	w, err := newWire(r.url)
	if err != nil {
		return err
	}
	defer w.close()
	victim, err := r.addLane(ctx, through(w.url()))
	if err != nil {
		return err
	}
	f, err := r.feed(ctx, ds.Topic, mixed(20_000))
	if err != nil {
		return err
	}
	for round := range 2 * o.Rounds {
		o.Progress("冻结与接管 / freezing and taking over", int64(round), int64(2*o.Rounds))
		heir, err := r.takeOver(ctx, w, victim, round%2 == 1)
		if err != nil {
			f.stop() //nolint:errcheck // the first error counts
			return fmt.Errorf("round %d: %w", round+1, err)
		}
		if round%2 == 1 {
			out.Figures["frozen_in_insert"]++
		} else {
			out.Figures["frozen_at_random"]++
		}
		heir.stop(15 * time.Second) // all of it is the victim's again
		r.drop(heir)
		if err := r.ownedBy(ctx, victim); err != nil {
			return err
		}
	}
	out.Did = fmt.Sprintf("SIGSTOP 超过会话时限 %s：随机 %d 次，INSERT 传到一半 %d 次；均由他人接管后解冻 / frozen past its session: %d at random, %d in the middle of an INSERT body, thawed after takeover",
		r.session, out.Figures["frozen_at_random"], out.Figures["frozen_in_insert"], out.Figures["frozen_at_random"], out.Figures["frozen_in_insert"])
	if err := r.settle(ctx, f, ds); err != nil {
		return err
	}
	// The second half of an INSERT did arrive, or the freeze proved nothing.
	if out.RawDuplicates == 0 {
		out.fail("没有一次冻结造成存储层重复，什么也没有证明 / no freeze stored a row twice: this proves nothing")
	}
	return nil
}

// takeOver freezes the victim, has an heir take all its partitions and store beyond
// where it stood, and thaws it.
func (r *rig) takeOver(ctx context.Context, w *wire, victim *lane, inInsert bool) (*lane, error) {
	if err := r.ownedBy(ctx, victim); err != nil {
		return nil, err
	}
	if err := pause(ctx, time.Duration(r.rng.IntN(700))*time.Millisecond); err != nil {
		return nil, err
	}
	arrive := func() error { return nil }
	if inInsert {
		h := w.arm("_history", func() { _ = victim.signal(syscall.SIGSTOP) })
		arrive = func() error { return h.arrive(ctx) }
		defer h.release()
		select {
		case <-h.hit:
		case <-time.After(30 * time.Second):
			return nil, fmt.Errorf("no INSERT of the victim came within 30 s")
		}
	} else if err := victim.signal(syscall.SIGSTOP); err != nil {
		return nil, err
	}
	if err := r.outsideTx(ctx, victim); err != nil {
		return nil, err
	}
	id, err := r.topicID(ctx, r.datasets[0].Topic)
	if err != nil {
		return nil, err
	}
	before, err := r.next(ctx, id)
	if err != nil {
		return nil, err
	}
	heir, err := r.addLane(ctx)
	if err != nil {
		return nil, err
	}
	err = until(ctx, time.Minute, "the heir stores beyond where the frozen owner stood", func() (bool, error) {
		now, err := r.next(ctx, id)
		if err != nil || heir.owns() < partitions {
			return false, err
		}
		for p, next := range before {
			if now[p] <= next {
				return false, nil
			}
		}
		return true, nil
	})
	// What the frozen owner had sent arrives while it is still frozen: thawed, it would
	// see that its session is over and break the INSERT off, and prove nothing.
	if err == nil {
		err = arrive()
	}
	if e := victim.signal(syscall.SIGCONT); e != nil {
		return nil, e
	}
	return heir, err
}

// outsideTx lets a frozen lane go on for a moment as long as it holds the control
// store's write lock: SQLite is one process's, and nobody could take over from a
// frozen one that locked it. PostgreSQL ends such a transaction (see package store).
func (r *rig) outsideTx(ctx context.Context, frozen *lane) error {
	for {
		free := make(chan error, 1)
		go func() { free <- r.db.Tx(ctx, func(*sql.Tx) error { return nil }) }()
		select {
		case err := <-free:
			return err
		case <-time.After(300 * time.Millisecond):
		}
		if err := frozen.signal(syscall.SIGCONT); err != nil {
			return err
		}
		if err := <-free; err != nil {
			return err
		}
		if err := frozen.signal(syscall.SIGSTOP); err != nil {
			return err
		}
	}
}

// ownedBy waits until one lane reads every partition and moves.
func (r *rig) ownedBy(ctx context.Context, l *lane) error {
	return until(ctx, time.Minute, l.name+" reads all partitions", func() (bool, error) {
		if !l.alive() {
			return false, l.ended()
		}
		st, ok := l.stands()
		moving := func(p ingest.Status) bool { return p.Position >= 0 && !p.Stopped }
		n := 0
		for _, p := range st.Partitions {
			if moving(p) {
				n++
			}
		}
		return ok && n == partitions, nil
	})
}

// wire stands between one lane and the engine, and can hold back the second half of
// an INSERT's body.
type wire struct {
	server *http.Server
	addr   string

	mu    sync.Mutex
	armed *held // takes the next statement that matches; nil for none
}

// half is how much of a body goes through before it is held: a batch of this rig is
// longer.
const half = 2 << 10

func newWire(engine string) (*wire, error) {
	to, err := url.Parse(engine)
	if err != nil {
		return nil, fmt.Errorf("parse engine address: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	quiet := log.New(io.Discard, "", 0) // statements that a killed lane gave up
	w := &wire{addr: fmt.Sprintf("127.0.0.1:%d", port)}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, ErrorLog: quiet, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) }}
	w.server = &http.Server{Addr: w.addr, Handler: w.through(proxy), ErrorLog: quiet, ReadHeaderTimeout: 10 * time.Second}
	go w.server.ListenAndServe() //nolint:errcheck // ends with close
	return w, nil
}

func (w *wire) url() string { return "http://" + w.addr }
func (w *wire) close()      { w.server.Close() }

// arm holds the next INSERT whose statement contains match once half its body is
// through; stop is called at that moment.
func (w *wire) arm(match string, stop func()) *held {
	h := &held{match: match, stop: stop, hit: make(chan struct{}), open: make(chan struct{}), answered: make(chan int, 1)}
	h.release = sync.OnceFunc(func() { close(h.open) })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = h
	return h
}

// take returns the held INSERT if r is the one that is waited for.
func (w *wire) take(r *http.Request) *held {
	w.mu.Lock()
	defer w.mu.Unlock()
	sql := r.URL.Query().Get("query")
	if w.armed == nil || !strings.HasPrefix(sql, "INSERT") || !strings.Contains(sql, w.armed.match) {
		return nil
	}
	h := w.armed
	w.armed = nil
	return h
}

func (w *wire) through(proxy http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		h := w.take(r)
		if h == nil {
			proxy.ServeHTTP(out, r)
			return
		}
		// All of the body is here before its sender is stopped, as it would be in the
		// buffers of a network.
		var err error
		if h.body, err = io.ReadAll(r.Body); err != nil {
			http.Error(out, err.Error(), http.StatusBadGateway)
			return
		}
		r.Body = io.NopCloser(h)
		a := &answer{ResponseWriter: out, status: http.StatusOK}
		defer func() { h.answered <- a.status }()
		proxy.ServeHTTP(a, r)
	})
}

// held is the body of an INSERT that stands still in its middle.
type held struct {
	match    string
	stop     func()
	body     []byte
	read     int
	hit      chan struct{} // closed when it stands still
	open     chan struct{} // closed by release
	answered chan int      // the engine's status
	release  func()
}

func (h *held) Read(p []byte) (int, error) {
	end := len(h.body)
	switch {
	case h.read < half:
		end = min(half, end)
	case h.read == half:
		h.stop()
		close(h.hit)
		<-h.open
	}
	n := copy(p, h.body[h.read:end])
	h.read += n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// arrive lets the second half through and waits until the engine has answered.
func (h *held) arrive(ctx context.Context) error {
	h.release()
	select {
	case status := <-h.answered:
		if status != http.StatusOK {
			return fmt.Errorf("the engine refused the held INSERT with status %d", status)
		}
		return nil
	case <-time.After(30 * time.Second):
		return fmt.Errorf("the engine did not answer the held INSERT within 30 s")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer notes the status of a response.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets a proxy flush what it passes on.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
