package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// aborted sends through two transactional producers that commit and abort in turn,
// while the reader is killed: no record of an aborted transaction may come in, and
// their offsets must stand in the equation as control.
func aborted(ctx context.Context, o Options, out *Outcome) error {
	r, err := newRig(ctx, o, out, 1)
	if err != nil {
		return err
	}
	defer r.close()
	ds := r.datasets[0]
	var feeds []*feed
	for i := range 2 {
		f, err := r.transact(ctx, ds.Topic, i)
		if err != nil {
			return err
		}
		feeds = append(feeds, f)
	}
	// A cluster's first transactions take seconds: it makes their topic.
	if err := until(ctx, time.Minute, "both producers have aborted transactions", func() (bool, error) {
		return feeds[0].aborted() > 0 && feeds[1].aborted() > 0, nil
	}); err != nil {
		return err
	}
	for round := range 3 * o.Rounds {
		o.Progress("事务与 kill -9 / transactions and kills", int64(round), int64(3*o.Rounds))
		l, err := r.addLane(ctx)
		if err != nil {
			return err
		}
		if err := pause(ctx, time.Duration(500+r.rng.IntN(1500))*time.Millisecond); err != nil {
			return err
		}
		r.killed(l, atTime)
	}
	for _, f := range feeds[1:] {
		if _, err := f.stop(); err != nil {
			return err
		}
		for p, s := range f.acked { // one set of what was acknowledged
			if feeds[0].acked[p] == nil {
				feeds[0].acked[p] = &offsets{}
			}
			for at := range int64(len(s.words)) * 64 {
				if s.has(at) {
					feeds[0].acked[p].add(at)
				}
			}
		}
	}
	if _, err := r.addLane(ctx); err != nil {
		return err
	}
	if err := r.settle(ctx, feeds[0], ds); err != nil {
		return err
	}
	for _, f := range feeds {
		out.Figures["aborted_records"] += f.dropped
	}
	if out.Control < out.Figures["aborted_records"] || out.Figures["aborted_records"] == 0 {
		out.fail("%d 条被中止，而控制位点只有 %d / aborted records, control offsets", out.Figures["aborted_records"], out.Control)
	}
	out.Did = fmt.Sprintf("两个事务生产者，中止 %d 条；读取者 kill -9 × %d / two transactional producers, %d records aborted; reader killed × %d",
		out.Figures["aborted_records"], out.Kills, out.Figures["aborted_records"], out.Kills)
	return nil
}

// transact sends transactions of random length; one in three is aborted.
func (r *rig) transact(ctx context.Context, topic string, i int) (*feed, error) {
	ctx, f, err := newFeed(ctx, r.o.seeds(), topic, kgo.TransactionalID(fmt.Sprintf("%s-%d", topic, i)))
	if err != nil {
		return nil, err
	}
	r.onClose(f.abandon)
	rng, next := rand.New(rand.NewPCG(r.o.Seed, uint64(10+i))), mixed(10_000)
	f.done.Go(func() {
		for n := 0; ctx.Err() == nil; {
			if err := f.transaction(ctx, rng, &n, next); err != nil {
				f.mu.Lock()
				f.failed = fmt.Errorf("transaction: %w", err)
				f.mu.Unlock()
				return
			}
			if pause(ctx, time.Duration(rng.IntN(40))*time.Millisecond) != nil {
				return
			}
		}
	})
	return f, nil
}

// aborted counts the records of aborted transactions so far.
func (f *feed) aborted() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dropped
}

// transaction is one of them. What it sent counts as acknowledged only once it is
// committed.
func (f *feed) transaction(ctx context.Context, rng *rand.Rand, n *int, next func(*rand.Rand, int) *kgo.Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := f.client.BeginTransaction(); err != nil {
		return err
	}
	commit := rng.IntN(3) > 0
	var sent []*kgo.Record
	for range 1 + rng.IntN(200) {
		rec := next(rng, *n)
		if !commit {
			rec.Headers[0].Value = []byte("aborted") // should it come in, it is seen to be wrong
		}
		*n++
		sent = append(sent, rec)
	}
	if err := f.client.ProduceSync(ctx, sent...).FirstErr(); err != nil {
		return err
	}
	if err := f.client.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !commit {
		f.dropped += int64(len(sent))
		return nil
	}
	for _, rec := range sent {
		f.take(rec)
	}
	return nil
}
