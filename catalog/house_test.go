package catalog_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mulu"
	"mulu/catalog"
	"mulu/deploy/sample"
	"mulu/internal/declare"
	"mulu/internal/outbox"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

const (
	bureau mulu.OrgCode = "11310107MBQ000024N"
	center mulu.OrgCode = "12310107MBQ000032E"
)

func actor(id string, org mulu.OrgCode, role mulu.Role) mulu.Actor {
	return mulu.Actor{ID: id, Org: mulu.Org{Code: org}, Role: role}
}

var (
	root    = actor(contract.RootActor, bureau, mulu.RoleApprover)
	boss    = actor("boss", bureau, mulu.RoleApprover)
	steward = actor("steward", center, mulu.RoleSteward)
	robot   = actor("robot", center, mulu.RoleSystem)
)

func key(id string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("catalog test key of " + id))
	return ed25519.NewKeyFromSeed(seed[:])
}

type signer struct{}

func (signer) Sign(_ context.Context, id string, c *contract.Command) error { return c.Sign(key(id)) }

// chain runs the real contract over a map.
type chain struct {
	mu    sync.Mutex
	state map[string][]byte
	n     uint64
	down  bool
}

func (s *chain) Get(k string) ([]byte, error) { return s.state[k], nil }
func (s *chain) Put(k string, v []byte) error { s.state[k] = v; return nil }
func (s *chain) entry(t *testing.T, code string) (v contract.EntryValue) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := contract.Decode(s.state[contract.Key(contract.Entry, code)], &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (s *chain) SubmitAll(_ context.Context, cs []contract.Command) ([]contract.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errors.New("chain is down")
	}
	out := make([]contract.Answer, len(cs))
	for i, c := range cs {
		res, err := contract.Apply(s, contract.Tx{Time: c.At}, c)
		s.n++
		out[i] = contract.Answer{Receipt: contract.Receipt{ID: c.ID, Index: s.n, Result: res}, Err: err}
	}
	return out, nil
}

type house struct {
	*catalog.Catalog
	chain *chain
	relay *outbox.Relay
	now   time.Time // when the test began, for times in its data
	start time.Time
	skip  atomic.Int64 // nanoseconds the clock was put forward
}

func open(t *testing.T) *house {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, "sqlite:"+t.TempDir()+"/c.db")
	if err != nil {
		t.Fatal(err)
	}
	if err := outbox.Migrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	h := &house{chain: &chain{state: map[string][]byte{}}, now: began, start: began}
	var ticks atomic.Int64
	clock := func() time.Time { return h.start.Add(time.Duration(h.skip.Load() + ticks.Add(1)*int64(time.Second))) }
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	h.Catalog, err = catalog.Open(ctx, catalog.Options{DB: db, Signer: signer{}, Machine: robot, Now: clock, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	h.relay = outbox.NewRelay(db, h.chain, h.Handlers(), log, func() time.Time { return began })
	run, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); h.relay.Run(run) }() //nolint:errcheck // ends with the context
	t.Cleanup(func() { stop(); <-done; db.Close() })
	return h
}

// found opens the chain and registers the actors.
func (h *house) found(t *testing.T) {
	t.Helper()
	text := func(a mulu.Actor) string { return contract.KeyText(key(a.ID).Public().(ed25519.PublicKey)) }
	do := func(by mulu.Actor, id string, b contract.Body) {
		c, err := contract.New(id, by, h.now, b)
		if err == nil {
			err = c.Sign(key(by.ID))
		}
		if err == nil {
			var as []contract.Answer
			as, err = h.chain.SubmitAll(t.Context(), []contract.Command{c})
			if err == nil {
				err = as[0].Err
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	do(root, "init", contract.InitBody{Root: text(root), Bureau: bureau, Center: center})
	do(root, "boss", contract.ActorBody{Actor: boss.ID, Org: boss.Org.Code, Role: boss.Role, Key: text(boss)})
	for _, a := range []mulu.Actor{steward, robot} {
		do(boss, a.ID, contract.ActorBody{Actor: a.ID, Org: a.Org.Code, Role: a.Role, Key: text(a)})
	}
}

func (h *house) flush(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := h.relay.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

func district(t *testing.T) *declare.Set {
	t.Helper()
	set, err := declare.Load(sample.FS, declare.Known{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}
