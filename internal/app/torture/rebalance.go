package torture

import (
	"context"
	"fmt"
	"time"
)

// rebalance has members of the group join, leave and be killed every second or so,
// never less than one and never more than five of them.
func rebalance(ctx context.Context, o Options, out *Outcome) error {
	r, err := newRig(ctx, o, out, 1)
	if err != nil {
		return err
	}
	defer r.close()
	r.member = ""
	for range 3 {
		if _, err := r.startLane(); err != nil {
			return err
		}
	}
	f, err := r.feed(ctx, r.datasets[0].Topic, mixed(20_000))
	if err != nil {
		return err
	}
	turns := 10 * o.Rounds
	for turn := range turns {
		o.Progress("成员来去 / members come and go", int64(turn), int64(turns))
		if err := pause(ctx, time.Duration(500+r.rng.IntN(1000))*time.Millisecond); err != nil {
			return err
		}
		if err := r.shuffle(); err != nil {
			return err
		}
	}
	out.Did = fmt.Sprintf("%d 次成员变动：加入 %d，退出 %d，kill -9 %d / %d changes: %d joined, %d left, %d killed",
		turns, out.Figures["joined"], out.Figures["left"], out.Kills, turns, out.Figures["joined"], out.Figures["left"], out.Kills)
	return r.settle(ctx, f, r.datasets[0])
}

// shuffle has one member join, leave, or be killed.
func (r *rig) shuffle() error {
	for _, l := range r.lanes {
		if !l.alive() {
			return fmt.Errorf("%s: %w", l.name, l.ended())
		}
	}
	what := r.rng.IntN(3)
	switch n := len(r.lanes); {
	case n <= 1 || n < 5 && what == 0:
		r.out.Figures["joined"]++
		_, err := r.startLane()
		return err
	case what == 1:
		l := r.lanes[r.rng.IntN(n)]
		r.out.Figures["left"]++
		l.stop(20 * time.Second)
		r.drop(l)
	default:
		r.killed(r.lanes[r.rng.IntN(n)], atTime)
	}
	return nil
}
