package library

import (
	"context"
	"sync"
	"time"
)

// gatherFor is the shortest time between two grouped inserts into one house table. The
// first after a quiet moment goes at once; those that come within it go together.
const gatherFor = 100 * time.Millisecond

// gatherLimit ends a grouped insert that hangs; its callers try again.
const gatherLimit = time.Minute

// smallBatch is below how many offsets a batch's facts are put together with those of
// others. A larger one is worth an insert of its own and waits for nobody.
const smallBatch = 10_000

// gather puts the facts of several small batches into one insert: eighteen datasets
// that trickle would else be eighteen inserts and eighteen parts each time.
type gather[T any] struct {
	insert func(context.Context, []T) error
	work   sync.WaitGroup // inserts under way

	mu   sync.Mutex
	open *flight[T] // still takes facts, nil if none does
	last time.Time  // when the last insert began
}

// flight is one grouped insert.
type flight[T any] struct {
	facts   []T
	callers int
	done    chan struct{}
	err     error // set before done is closed
}

// store returns when the facts are stored, or could not be. A caller whose context
// ends may leave its facts behind in the insert: facts replace themselves.
func (g *gather[T]) store(ctx context.Context, facts []T) error {
	f := g.join(ctx, facts)
	select {
	case <-f.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.err != nil && f.callers > 1 {
		return g.insert(ctx, facts) // what one can not store must not hold up the others
	}
	return f.err
}

// join adds the facts to the open flight, and opens one if there is none.
func (g *gather[T]) join(ctx context.Context, facts []T) *flight[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.open
	if f == nil {
		f = &flight[T]{done: make(chan struct{})}
		g.open = f
		wait := time.Until(g.last.Add(gatherFor))
		// Not the first caller's to cancel: others have joined by then.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gatherLimit)
		g.work.Go(func() {
			defer cancel()
			time.Sleep(wait)
			g.fly(ctx, f)
		})
	}
	f.facts, f.callers = append(f.facts, facts...), f.callers+1
	return f
}

func (g *gather[T]) fly(ctx context.Context, f *flight[T]) {
	g.mu.Lock()
	g.open, g.last = nil, time.Now()
	g.mu.Unlock()
	f.err = g.insert(ctx, f.facts)
	close(f.done)
}

// small says whether a range of offsets is gathered with others.
func small(first, last int64) bool { return last-first < smallBatch }
