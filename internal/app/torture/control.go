package torture

import (
	"context"
	"fmt"
	"time"

	"mulu"
	"mulu/pipeline"
)

// control is the check of the check: the same kills three times, with every guard on
// and with one off. With a guard off the count must find what broke; if it does not,
// none of the other scenarios proves anything.
func control(ctx context.Context, o Options, out *Outcome) error {
	r, err := newRig(ctx, o, out, 3)
	if err != nil {
		return err
	}
	defer r.close()
	for i, run := range []struct {
		guard, at string
		broken    func(*Outcome) int64
		figure    string
	}{
		{"", pipeline.Stored, func(n *Outcome) int64 { return n.Lost + n.VisibleDuplicates + n.RawDuplicates + n.Wrong + n.Unbalanced }, "faults_with_all_guards"},
		{NoSettle, pipeline.Stored, func(n *Outcome) int64 { return n.RawDuplicates }, "duplicates_without_settle"},
		{CommitFirst, pipeline.Planned, func(n *Outcome) int64 { return n.Lost }, "lost_when_committed_first"},
	} {
		o.Progress("关掉防线 / guards off", int64(i), 3)
		counted, err := r.mistreat(ctx, r.datasets[i], run.guard, run.at)
		if err != nil {
			return err
		}
		n := run.broken(counted)
		out.Figures[run.figure] = n
		out.Acked += counted.Acked
		if (n == 0) != (run.guard == "") {
			out.fail("防线 %q 关闭时数出 %d 处错误 / with guard %q off the count found %d faults", run.guard, n, run.guard, n)
		}
	}
	out.Did = fmt.Sprintf("kill -9 × %d；不核对已存部分：重复 %d；先提交后入库：丢失 %d；全部防线：%d / without settling: %d duplicates; committed first: %d lost; all guards: %d",
		out.Kills, out.Figures["duplicates_without_settle"], out.Figures["lost_when_committed_first"], out.Figures["faults_with_all_guards"],
		out.Figures["duplicates_without_settle"], out.Figures["lost_when_committed_first"], out.Figures["faults_with_all_guards"])
	return nil
}

// mistreat kills lanes without a guard at one stage, and counts apart.
func (r *rig) mistreat(ctx context.Context, ds *mulu.Dataset, guard, at string) (*Outcome, error) {
	if err := r.stopMerges(ctx, ds); err != nil { // a merge would hide what is stored twice
		return nil, err
	}
	f, err := r.feed(ctx, ds.Topic, mixed(20_000))
	if err != nil {
		return nil, err
	}
	alone := func(s *LaneSpec, _ *[]string) { s.Datasets, s.Group = []*mulu.Dataset{ds}, ds.Topic }
	for range 1 + r.o.Rounds {
		if err := r.liveOnce(ctx, at, alone, without(guard), crash(at, 2)); err != nil {
			return nil, err
		}
	}
	l, err := r.addLane(ctx, alone, without(guard))
	if err != nil {
		return nil, err
	}
	defer r.drop(l)
	defer l.stop(15 * time.Second)
	mine := r.out
	r.out = &Outcome{Scenario: mine.Scenario, Figures: map[string]int64{}}
	defer func() { r.out = mine }()
	return r.out, r.settle(ctx, f, ds)
}

// stopMerges keeps the parts of a dataset as they were stored.
func (r *rig) stopMerges(ctx context.Context, ds *mulu.Dataset) error {
	for _, table := range []string{"", "_history"} {
		if err := r.sql.Exec(ctx, "SYSTEM STOP MERGES "+ds.Library+"."+string(ds.Code)+table); err != nil {
			return fmt.Errorf("stop merges: %w", err)
		}
	}
	return nil
}
