package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"mulu"
	"mulu/ledger"
	"mulu/ledger/contract"
	"mulu/ledger/merkle"
	"mulu/ledger/verify"
)

// Chain is what the suite asks of an implementation.
type Chain interface {
	Submit(ctx context.Context, c contract.Command) (ledger.Receipt, error)
	SubmitAll(ctx context.Context, cs []contract.Command) ([]ledger.Answer, error)
	Lookup(ctx context.Context, id string) (ledger.Receipt, error)
	Get(ctx context.Context, key string) ([]byte, error)
	Recent(ctx context.Context, n int) ([]ledger.Record, error)
	Proof(ctx context.Context, id string) (*ledger.Bundle, error)
}

// Run runs the suite. open gives a new empty chain each time and closes it when
// the test ends.
func Run(t *testing.T, open func(t *testing.T) Chain) {
	t.Run("a whole life is accepted in order", func(t *testing.T) { wholeLife(t, open(t)) })
	t.Run("a repeated command gets the first answer", func(t *testing.T) { repeated(t, open(t)) })
	t.Run("a used id with other bytes is refused", func(t *testing.T) { usedID(t, open(t)) })
	t.Run("a refused command leaves no trace", func(t *testing.T) { refused(t, open(t)) })
	t.Run("every entry is provable offline", func(t *testing.T) { provable(t, open(t)) })
	t.Run("many submitters lose and repeat nothing", func(t *testing.T) { many(t, open(t)) })
}

func must(t *testing.T, c Chain, cs ...contract.Command) []ledger.Answer {
	t.Helper()
	answers, err := c.SubmitAll(t.Context(), cs)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if a.Err != nil {
			t.Fatalf("%s: %v", cs[i].ID, a.Err)
		}
	}
	return answers
}

func wholeLife(t *testing.T, c Chain) {
	h := NewHouse(t)
	cs := h.All()
	answers := must(t, c, cs...)
	for i, a := range answers {
		if a.Receipt.Index != uint64(i) || a.Receipt.Again || a.Receipt.ID != cs[i].ID {
			t.Errorf("command %d: receipt %+v", i, a.Receipt)
		}
		r, err := c.Lookup(t.Context(), cs[i].ID)
		if err != nil || r.Index != uint64(i) || r.Result.State != a.Receipt.Result.State {
			t.Errorf("look up %s: %+v, %v", cs[i].ID, r, err)
		}
	}
	b, err := c.Get(t.Context(), contract.Key(contract.Grant, "G310107-2026-000001"))
	var g contract.GrantValue
	if err != nil || contract.Decode(b, &g) != nil || g.State != contract.Active {
		t.Errorf("grant is %s (%v)", b, err)
	}
	recent, err := c.Recent(t.Context(), 3)
	if err != nil || len(recent) != 3 || recent[0].ID != "activate" || recent[0].Kind != contract.GrantActivate || recent[0].Actor != "robot" {
		t.Errorf("recent: %+v, %v", recent, err)
	}
	if _, err := c.Lookup(t.Context(), "nobody"); !errors.Is(err, mulu.ErrNotFound) {
		t.Errorf("look up of an unknown id: %v", err)
	}
}

func repeated(t *testing.T, c Chain) {
	h := NewHouse(t)
	cs := h.Found()
	must(t, c, cs...)
	r, err := c.Submit(t.Context(), cs[2])
	if err != nil || r.Index != 2 || !r.Again {
		t.Errorf("repetition: %+v, %v", r, err)
	}
	d := h.Command(h.Giver, "duty", contract.DutyBody{Duty: "D-1", Org: Civil, Digest: Digest("duty")})
	answers := must(t, c, d, d)
	if answers[0].Receipt.Index != answers[1].Receipt.Index || answers[0].Receipt.Again || !answers[1].Receipt.Again {
		t.Errorf("twice in one group: %+v", answers)
	}
}

func usedID(t *testing.T, c Chain) {
	h := NewHouse(t)
	must(t, c, h.Found()...)
	must(t, c, h.Command(h.Giver, "x", contract.DutyBody{Duty: "D-1", Org: Civil, Digest: Digest("duty")}))
	_, err := c.Submit(t.Context(), h.Command(h.Giver, "x", contract.DutyBody{Duty: "D-2", Org: Civil, Digest: Digest("duty")}))
	if r := contract.AsRefusal(err); r == nil || r.Code != contract.Exists {
		t.Errorf("got %v, want EXISTS", err)
	}
}

func refused(t *testing.T, c Chain) {
	h := NewHouse(t)
	must(t, c, h.Found()...)
	_, err := c.Submit(t.Context(), h.Command(h.Boss, "publish", contract.PublishBody{Catalog: "310107/3005/000001", Version: 1, Digest: Digest("entry")}))
	if r := contract.AsRefusal(err); r == nil || r.Code != contract.NotFound {
		t.Fatalf("got %v, want NOTFOUND", err)
	}
	if _, err := c.Lookup(t.Context(), "publish"); !errors.Is(err, mulu.ErrNotFound) {
		t.Errorf("the refused command is on the chain: %v", err)
	}
	// The same id may succeed later.
	answers := must(t, c, h.Catalogue()...)
	if answers[3].Receipt.ID != "publish" || answers[3].Receipt.Again {
		t.Errorf("publication after all: %+v", answers[3])
	}
}

func provable(t *testing.T, c Chain) {
	h := NewHouse(t)
	receipts := []string{Digest("a"), Digest("b"), Digest("c")}
	cs := append(h.All(), h.Anchor("receipts-1", merkle.RootText(receipts), 3))
	must(t, c, cs...)
	for _, x := range cs {
		b, err := c.Proof(t.Context(), x.ID)
		if err != nil {
			t.Fatalf("%s: %v", x.ID, err)
		}
		if x.ID == "receipts-1" {
			if b.Subject, err = verify.NewSubject(receipts, 1); err != nil {
				t.Fatal(err)
			}
		}
		raw, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		r, err := verify.Check(raw, b.Key)
		if err != nil {
			t.Fatalf("%s: %v", x.ID, err)
		}
		if r.Command.ID != x.ID || !r.Pinned || r.ActorKey != PublicKey(x.Actor) {
			t.Errorf("%s: report %+v", x.ID, r)
		}
	}
}

func many(t *testing.T, c Chain) {
	h := NewHouse(t)
	must(t, c, h.Found()...)
	const workers, each = 8, 40
	var lists [workers][]contract.Command
	for w := range workers {
		for i := range each {
			id := fmt.Sprintf("receipts-%d-%d", w, i/2) // every command twice
			if i%2 == 1 {
				lists[w] = append(lists[w], lists[w][i-1])
				continue
			}
			lists[w] = append(lists[w], h.Anchor(id, Digest(id), 1))
		}
	}
	var mu sync.Mutex
	at := map[uint64]string{}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for _, x := range lists[w] {
				r, err := c.Submit(t.Context(), x)
				mu.Lock()
				if other, taken := at[r.Index]; err != nil || taken && other != x.ID {
					t.Errorf("%s: index %d (also %q), %v", x.ID, r.Index, other, err)
				}
				at[r.Index] = x.ID
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(at) != workers*each/2 {
		t.Errorf("%d indices for %d commands", len(at), workers*each/2)
	}
}
