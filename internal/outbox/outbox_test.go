package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mulu"
	"mulu/internal/outbox"
	"mulu/internal/store"
	"mulu/ledger/contract"
	"mulu/ledger/ledgertest"
	"mulu/ledger/tilelog"
)

// house is a control store with an outbox, a real embedded chain, and a relay
// whose Confirm writes what it is told into a table, as a room does.
type house struct {
	*ledgertest.House
	t     *testing.T
	db    *store.DB
	chain *tilelog.Log
	relay *outbox.Relay
}

// flaky is the chain with faults in front of it.
type flaky struct {
	*tilelog.Log
	down     atomic.Bool // nothing gets through
	loseNext atomic.Bool // the next submission takes effect, its answers are lost
}

var errLine = errors.New("line cut")

func (f *flaky) SubmitAll(ctx context.Context, cs []contract.Command) ([]contract.Answer, error) {
	if f.down.Load() {
		return nil, errLine
	}
	answers, err := f.Log.SubmitAll(ctx, cs)
	if f.loseNext.CompareAndSwap(true, false) {
		return nil, errLine
	}
	return answers, err
}

func newHouse(t *testing.T, before outbox.Confirm) (*house, *flaky) {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(dir, "mulu.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := outbox.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	h := &house{House: ledgertest.NewHouse(t), t: t, db: db}
	h.tx(func(tx *sql.Tx) error {
		_, err := tx.Exec(`CREATE TABLE told (n INTEGER PRIMARY KEY, id TEXT UNIQUE, idx INTEGER, state TEXT, code TEXT)`)
		return err
	})
	if h.chain, err = tilelog.Open(t.Context(), tilelog.Options{Dir: filepath.Join(dir, "chain"), Origin: "mulu.example/test"}); err != nil {
		t.Fatal(err)
	}
	f := &flaky{Log: h.chain}
	tell := func(ctx context.Context, tx *sql.Tx, c contract.Command, r contract.Result) error {
		if before != nil {
			if err := before(ctx, tx, c, r); err != nil {
				return err
			}
		}
		var code contract.Code
		if r.Refusal != nil {
			code = r.Refusal.Code
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO told (id, idx, state, code) VALUES ($1, $2, $3, $4)`, c.ID, int64(r.Index), string(r.State), string(code))
		return err
	}
	handlers := map[string]outbox.Confirm{}
	for _, k := range []string{"chain", "actor", "duty", "system", "entry", "dataset", "scenario", "grant"} {
		handlers[k] = tell
	}
	h.relay = outbox.NewRelay(db, f, handlers, slog.New(slog.DiscardHandler), time.Now)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.relay.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		wg.Wait()
		if err := errors.Join(h.chain.Close(context.Background()), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return h, f
}

func (h *house) tx(f func(tx *sql.Tx) error) {
	h.t.Helper()
	if err := h.db.Tx(context.Background(), f); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) put(cs ...contract.Command) {
	h.t.Helper()
	h.tx(func(tx *sql.Tx) error {
		for _, c := range cs {
			if err := outbox.Put(context.Background(), tx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func (h *house) flush() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	if err := h.relay.Flush(ctx); err != nil {
		h.t.Fatal(err)
	}
}

// told lists what Confirm was told, in order: "id index state code".
func (h *house) told() []string {
	h.t.Helper()
	rows, err := h.db.Read.Query(`SELECT id, idx, state, code FROM told ORDER BY n`)
	if err != nil {
		h.t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var id, state, code string
		var idx int64
		if err := rows.Scan(&id, &idx, &state, &code); err != nil {
			h.t.Fatal(err)
		}
		list = append(list, fmt.Sprint(id, " ", idx, " ", state, code))
	}
	return list
}

func TestRelayConfirmsInOrder(t *testing.T) {
	h, _ := newHouse(t, nil)
	cs := h.All()
	h.put(cs...)
	h.flush()
	told := h.told()
	if len(told) != len(cs) || told[len(told)-1] != "activate 15 active" || told[0] != "init 0 active" {
		t.Errorf("told %q", told)
	}
	if items, err := h.relay.Pending(t.Context(), 10); err != nil || len(items) != 0 {
		t.Errorf("pending %+v, %v", items, err)
	}
	items, err := h.relay.Of(t.Context(), "grant/G310107-2026-000001")
	if err != nil || len(items) != 3 || items[2].State != outbox.StateDone || items[2].Index != 15 {
		t.Errorf("of grant: %+v, %v", items, err)
	}
}

func TestRefusalIsRecordedAndTold(t *testing.T) {
	h, _ := newHouse(t, nil)
	h.put(h.Found()...)
	h.put(h.Command(h.Boss, "publish", contract.PublishBody{Catalog: "310107/3005/000001", Version: 1, Digest: ledgertest.Digest("entry")}))
	h.flush()
	if told := h.told(); told[len(told)-1] != "publish 0 NOTFOUND" {
		t.Errorf("told %q", told)
	}
	items, err := h.relay.RefusedLast(t.Context(), 5)
	if err != nil || len(items) != 1 || items[0].Code != contract.NotFound || items[0].Message == "" || items[0].Index != -1 {
		t.Errorf("refused %+v, %v", items, err)
	}
}

func TestLostAnswersAreAskedAgain(t *testing.T) {
	h, f := newHouse(t, nil)
	f.loseNext.Store(true)
	h.put(h.All()...)
	h.flush()
	told := h.told()
	if len(told) != 16 || told[15] != "activate 15 active" {
		t.Errorf("told %q", told)
	}
}

func TestDownLedgerKeepsCommandsPending(t *testing.T) {
	h, f := newHouse(t, nil)
	f.down.Store(true)
	h.put(h.Found()...)
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := h.relay.Flush(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("flush: %v", err)
	}
	items, err := h.relay.Pending(t.Context(), 100)
	if err != nil || len(items) != 7 || items[0].LastError == "" || items[0].Age <= 0 || items[0].Attempts == 0 {
		t.Errorf("pending %+v, %v", items, err)
	}
	f.down.Store(false)
	h.flush()
	if told := h.told(); len(told) != 7 {
		t.Errorf("told %q", told)
	}
}

func TestFailingConfirmHoldsOnlyItsObject(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	h, _ := newHouse(t, func(_ context.Context, tx *sql.Tx, c contract.Command, _ contract.Result) error {
		if c.Kind == contract.DutyPut && broken.Load() {
			return errors.New("room is not ready")
		}
		return nil
	})
	h.put(h.All()...)
	deadline := time.Now().Add(10 * time.Second)
	for len(h.told()) < 15 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	items, err := h.relay.Pending(t.Context(), 100)
	if err != nil || len(items) != 1 || items[0].Kind != contract.DutyPut || items[0].LastError == "" {
		t.Errorf("pending %+v, %v", items, err)
	}
	broken.Store(false)
	h.flush()
	if told := h.told(); len(told) != 16 || told[15] != "duty 7 active" {
		t.Errorf("told %q", told)
	}
}

func TestFlushWaitsForWhatConfirmPuts(t *testing.T) {
	var next contract.Command
	h, _ := newHouse(t, func(ctx context.Context, tx *sql.Tx, c contract.Command, _ contract.Result) error {
		if c.ID != "duty" {
			return nil
		}
		return outbox.Put(ctx, tx, next)
	})
	cs := append(h.Found(), h.Catalogue()[:2]...)
	next = cs[8]
	h.put(cs[:8]...)
	h.flush()
	if told := h.told(); len(told) != 9 || told[8] != "system 8 active" {
		t.Errorf("told %q", told)
	}
}

func TestPut(t *testing.T) {
	h, _ := newHouse(t, nil)
	a := h.Command(h.Giver, "duty", contract.DutyBody{Duty: "D-1", Org: ledgertest.Civil, Digest: ledgertest.Digest("duty")})
	put := func(name string, want error, c contract.Command) {
		t.Run(name, func(t *testing.T) {
			err := h.db.Tx(t.Context(), func(tx *sql.Tx) error { return outbox.Put(t.Context(), tx, c) })
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
	put("takes a command", nil, a)
	put("takes it again", nil, a)
	b := h.Command(h.Giver, "duty", contract.DutyBody{Duty: "D-2", Org: ledgertest.Civil, Digest: ledgertest.Digest("duty")})
	put("refuses another under its id", mulu.ErrConflict, b)
	unsigned := h.Command(h.Giver, "unsigned", contract.DutyBody{Duty: "D-2", Org: ledgertest.Civil, Digest: ledgertest.Digest("duty")})
	unsigned.Sig = nil
	put("refuses an unsigned one", mulu.ErrInvalid, unsigned)
	unformed := a
	unformed.ID, unformed.Body = "unformed", slices.Concat(a.Body[:len(a.Body)-1], []byte(`,"x":1}`))
	put("refuses a malformed one", mulu.ErrInvalid, unformed)
	items, err := h.relay.Of(t.Context(), "duty/D-1")
	if err != nil || len(items) != 1 {
		t.Errorf("%+v, %v", items, err)
	}
	t.Run("goes with a rolled back transaction", func(t *testing.T) {
		c := h.Command(h.Giver, "gone", contract.DutyBody{Duty: "D-3", Org: ledgertest.Civil, Digest: ledgertest.Digest("duty")})
		stop := errors.New("stop")
		if err := h.db.Tx(t.Context(), func(tx *sql.Tx) error { return errors.Join(outbox.Put(t.Context(), tx, c), stop) }); !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if items, err := h.relay.Of(t.Context(), "duty/D-3"); err != nil || len(items) != 0 {
			t.Errorf("%+v, %v", items, err)
		}
	})
}
