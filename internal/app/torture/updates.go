package torture

import (
	"context"
	"fmt"
	"time"
)

// updates sends the same few keys over and over, so that every batch replaces rows
// of the one before, and kills the owner in between: what readers see in the end must
// be the last record of every key.
func updates(ctx context.Context, o Options, out *Outcome) error {
	r, err := newRig(ctx, o, out, 1)
	if err != nil {
		return err
	}
	defer r.close()
	f, err := r.feed(ctx, r.datasets[0].Topic, mixed(200))
	if err != nil {
		return err
	}
	n := 4 * o.Rounds
	for i := range n {
		o.Progress("反复更新与 kill -9 / updating and killing", int64(i), int64(n))
		var opts []laneOption
		at := atTime
		if i%2 == 0 {
			at = stages[r.rng.IntN(len(stages))]
			opts = append(opts, crash(at, 1+r.rng.IntN(4)))
		}
		if err := r.liveOnce(ctx, at, opts...); err != nil {
			return err
		}
	}
	if _, err := r.addLane(ctx); err != nil {
		return err
	}
	out.Did = fmt.Sprintf("200 个键反复更新，kill -9 × %d / 200 keys updated over and over, killed × %d", out.Kills, out.Kills)
	return r.settle(ctx, f, r.datasets[0])
}

// liveOnce runs one lane until it kills itself at a stage, or is killed.
func (r *rig) liveOnce(ctx context.Context, at string, opts ...laneOption) error {
	l, err := r.addLane(ctx, opts...)
	if err != nil {
		return err
	}
	limit := time.Duration(300+r.rng.IntN(1200)) * time.Millisecond
	if at != atTime {
		limit = 30 * time.Second // its stage comes before
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.gone:
		if err := wasKilledOr(l.proc); err != nil {
			return err
		}
	case <-time.After(limit):
		at = atTime
	}
	r.killed(l, at)
	return nil
}
