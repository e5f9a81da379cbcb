package torture

import (
	"context"
	"fmt"
	"time"
)

// engineFull has the engine refuse inserts (too many parts), and be killed and
// started again, while everything else goes on: the place must be kept.
func engineFull(ctx context.Context, o Options, out *Outcome) error {
	r, f, err := newFlow(ctx, o, out)
	if err != nil {
		return err
	}
	defer r.close()
	for round := range o.Rounds {
		o.Progress("引擎拒绝与崩溃 / engine refuses and dies", int64(round), int64(o.Rounds))
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
		// The history first, then the current table alone: the half that is stored must
		// not be stored twice.
		table := r.datasets[0].Library + "." + string(r.datasets[0].Code)
		if round%2 == 0 {
			table += "_history"
		}
		if err := r.refuse(ctx, table); err != nil {
			return err
		}
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
		if err := r.restartEngine(ctx); err != nil {
			return err
		}
	}
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	out.Did = fmt.Sprintf("引擎拒绝写入（分片过多）× %d，引擎进程 kill -9 × %d / inserts refused (too many parts) × %d, engine killed × %d", o.Rounds, o.Rounds, o.Rounds, o.Rounds)
	return r.settle(ctx, f, r.datasets[0])
}

// refuse makes a table refuse inserts until a lane has felt it for a while.
func (r *rig) refuse(ctx context.Context, table string) error {
	if err := r.sql.Exec(ctx, "ALTER TABLE "+table+" MODIFY SETTING parts_to_delay_insert = 1, parts_to_throw_insert = 1"); err != nil {
		return fmt.Errorf("make %s refuse: %w", table, err)
	}
	felt := until(ctx, 30*time.Second, "a lane is refused", func() (bool, error) {
		st, _ := r.lanes[0].stands()
		for _, p := range st.Partitions {
			if p.Error != "" && !p.Stopped {
				return true, nil
			}
		}
		return false, nil
	})
	if felt == nil {
		r.out.Figures["refusals_felt"]++
		felt = pause(ctx, 2*time.Second)
	}
	if err := r.sql.Exec(ctx, "ALTER TABLE "+table+" RESET SETTING parts_to_delay_insert, parts_to_throw_insert"); err != nil {
		return fmt.Errorf("make %s take again: %w", table, err)
	}
	return felt
}

// restartEngine kills the engine and starts it again after a while.
func (r *rig) restartEngine(ctx context.Context) error {
	r.engine.kill()
	r.out.Figures["engines_killed"]++
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	r.lib.Close()
	r.sql.Close()
	if err := r.startEngine(ctx); err != nil {
		return err
	}
	_, err := makeReady(ctx, r.lib, r.datasets) // our own view of it
	return err
}
