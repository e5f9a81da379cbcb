package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
)

// Handler walks batches of one partition. It is called again when it returns nil,
// and after a pause when it returns an error; a batch it did not commit comes
// again. mulu.ErrConflict makes the partition ask the journal where it stands.
type Handler func(ctx context.Context, p *Partition) error

// runner is one call of Run.
type runner struct {
	ctx    context.Context // ends DrainWait after Run's context
	handle Handler
	wg     sync.WaitGroup
}

// Run reads until ctx ends, calling handle in one goroutine per assigned
// partition. It survives a broker that goes away. When ctx ends, steps under way
// have DrainWait to finish; then their context ends too, which leaves an open plan
// and no harm. It may be called once.
func (s *Source) Run(ctx context.Context, handle Handler) error {
	stepCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r := &runner{ctx: stepCtx, handle: handle}
	s.mu.Lock()
	if s.run != nil {
		s.mu.Unlock()
		return fmt.Errorf("run source: already running: %w", mulu.ErrConflict)
	}
	s.run = r
	for _, p := range s.parts { // assigned before Run was called
		s.start(p)
	}
	s.mu.Unlock()
	go s.balanceLoop(stepCtx)
	var watching sync.WaitGroup
	watchCtx, stopWatch := context.WithCancel(ctx)
	watching.Go(func() { s.watch(watchCtx) })
	s.poll(ctx)
	stopWatch()
	watching.Wait()

	s.mu.Lock()
	parts := make([]*Partition, 0, len(s.parts))
	for _, p := range s.parts {
		parts = append(parts, p)
	}
	s.mu.Unlock()
	s.drain(parts, s.o.DrainWait)
	cancel()
	r.wg.Wait()
	s.cl.AllowRebalance()
	return nil
}

// start begins the partition's goroutine; Source.mu is held.
func (s *Source) start(p *Partition) {
	if s.run == nil || p.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(s.run.ctx)
	p.cancel = cancel
	s.run.wg.Go(func() {
		defer close(p.gone)
		defer cancel()
		s.work(ctx, s.run.handle, p)
	})
}

// work calls the handler until the partition is stopped.
func (s *Source) work(ctx context.Context, handle Handler, p *Partition) {
	const least, most = 200 * time.Millisecond, 30 * time.Second
	pause := least
	for ctx.Err() == nil && !p.isStopped() {
		err := handle(ctx, p)
		p.leave()
		if err == nil || errors.Is(err, ErrHeld) { // held: Next waits for the answer
			pause = least
			continue
		}
		if ctx.Err() != nil || errors.Is(err, ErrStopped) {
			return
		}
		s.o.Log.Warn("step failed; trying again", "topic", p.key.topic, "partition", p.key.partition, "pause", pause, "error", err)
		p.note(err)
		if errors.Is(err, mulu.ErrConflict) {
			if err := p.resync(ctx); errors.Is(err, mulu.ErrInvalid) {
				s.fail(p, err)
				return
			} else if err != nil {
				p.note(err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-p.quit:
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, most)
	}
}

// assigned is called by the client before it asks startOffsets.
func (s *Source) assigned(_ context.Context, _ *kgo.Client, added map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, partitions := range added {
		for _, n := range partitions {
			key := tp{topic, n}
			p := newPartition(s, key)
			s.parts[key] = p
			s.start(p)
		}
	}
}

// revoked lets steps under way finish: their partitions have a new owner only after
// this returns.
func (s *Source) revoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	s.drain(s.remove(gone), s.o.DrainWait)
}

// lost abandons steps under way: the partitions have a new owner already. What a
// step still manages to store is the same batch the new owner stores, and its plan
// or its close is refused.
func (s *Source) lost(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	s.drain(s.remove(gone), 0)
}

func (s *Source) remove(gone map[string][]int32) []*Partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts []*Partition
	for topic, partitions := range gone {
		for _, n := range partitions {
			key := tp{topic, n}
			if p := s.parts[key]; p != nil {
				parts = append(parts, p)
				delete(s.parts, key)
				delete(s.stopped, key)
			}
		}
	}
	return parts
}

var errReleased = errors.New("released")

// drain stops partitions and waits for their goroutines; after the wait their
// contexts end.
func (s *Source) drain(parts []*Partition, wait time.Duration) {
	for _, p := range parts {
		p.stop(errReleased)
		if p.cancel == nil {
			close(p.gone)
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	expired := wait == 0
	for _, p := range parts {
		if !expired {
			select {
			case <-p.gone:
			case <-timer.C:
				expired = true
			}
		}
		if expired && p.cancel != nil {
			p.cancel()
		}
	}
	for _, p := range parts {
		<-p.gone // a step returns soon after its context ends
		p.mu.Lock()
		p.drop()
		p.mu.Unlock()
	}
}

// balanceSoon is called when bytes were let go or a batch handed out.
func (s *Source) balanceSoon() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

func (s *Source) balanceLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.nudge:
			s.balance()
		}
	}
}

// commitGroup tells the group where a partition stands.
func (s *Source) commitGroup(ctx context.Context, key tp, next int64) error {
	var failed error
	s.cl.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{key.topic: {key.partition: {Epoch: -1, Offset: next}}},
		onCommit(&failed))
	return failed
}
