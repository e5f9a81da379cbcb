package ingest

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// Memory is bounded by one budget, Options.BufferBytes: half of it for what is
// fetched and waits, half for what steps under way make of it. A step holds its
// records once more as columns and once more as the frame that is sent, which is
// stepBytes times its source bytes.
const stepBytes = 2

// room is the steps' half.
type room struct {
	size int64
	sem  *semaphore.Weighted
	used atomic.Int64
}

func newRoom(size int64) *room { return &room{size: size, sem: semaphore.NewWeighted(size)} }

// take waits until a step over so many source bytes may begin. A batch larger than
// the whole room has it to itself.
func (p *Partition) take(ctx context.Context, bytes int64) error {
	p.leave() // a batch that is handed out again
	n := min(stepBytes*bytes, p.s.room.size)
	if err := p.s.room.sem.Acquire(ctx, n); err != nil {
		return err
	}
	p.taken = n
	p.s.room.used.Add(n)
	return nil
}

// leave gives the room of the last step back, and what its records lay in, whatever
// became of it.
func (p *Partition) leave() {
	p.tidy()
	p.s.room.sem.Release(p.taken)
	p.s.room.used.Add(-p.taken)
	p.taken = 0
}
