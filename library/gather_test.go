package library

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// inserts is a house table that keeps what each insert carried.
type inserts struct {
	mu    sync.Mutex
	calls [][]int
	bad   int // a fact that can not be stored
}

func (s *inserts) insert(ctx context.Context, facts []int) error {
	time.Sleep(10 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, slices.Sorted(slices.Values(facts)))
	if s.bad != 0 && slices.Contains(facts, s.bad) {
		return errors.New("refused")
	}
	return ctx.Err()
}

func TestGatherSharesInserts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s inserts
		g := &gather[int]{insert: s.insert}
		began := time.Now()
		if err := g.store(t.Context(), []int{1}); err != nil || time.Since(began) != 10*time.Millisecond {
			t.Fatalf("the first after a quiet moment: %v after %s, want at once", err, time.Since(began))
		}
		var wg sync.WaitGroup
		for i := 2; i <= 19; i++ {
			wg.Go(func() {
				if err := g.store(t.Context(), []int{i}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(s.calls) != 2 || len(s.calls[1]) != 18 {
			t.Errorf("inserts %v, want the later 18 facts in one", s.calls)
		}
	})
}

func TestGatherFaultOfOneIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := inserts{bad: 3}
		g := &gather[int]{insert: s.insert, last: time.Now()}
		errs := make([]error, 5)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = g.store(t.Context(), []int{i}) })
		}
		wg.Wait()
		for i, err := range errs {
			if (err != nil) != (i == s.bad) {
				t.Errorf("fact %d: %v", i, err)
			}
		}
	})
}

func TestGatherOutlivesItsFirstCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s inserts
		g := &gather[int]{insert: s.insert, last: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { first <- g.store(ctx, []int{1}) }()
		synctest.Wait()
		cancel()
		if err := g.store(t.Context(), []int{2}); err != nil {
			t.Errorf("the second caller: %v", err)
		}
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the caller that was stopped: %v", err)
		}
		if len(s.calls) != 1 || len(s.calls[0]) != 2 {
			t.Errorf("inserts %v, want both facts in one", s.calls)
		}
	})
}
