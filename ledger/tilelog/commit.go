package tilelog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/transparency-dev/tessera"

	"mulu"
	"mulu/ledger"
	"mulu/ledger/contract"
)

// request is one command waiting for its answer.
type request struct {
	c    contract.Command
	p    *contract.Prepared // nil if the form was refused: ans says why
	ans  contract.Answer
	dup  int // position among the group's accepted; -1 if refused or accepted before
	done chan struct{}
}

// Submit gives one command to the chain and waits for its answer: a receipt, a
// *contract.Refusal, or another error, after which the outcome is unknown and the
// same command may be submitted again.
func (l *Log) Submit(ctx context.Context, c contract.Command) (ledger.Receipt, error) {
	answers, err := l.SubmitAll(ctx, []contract.Command{c})
	if err != nil {
		return ledger.Receipt{}, err
	}
	return answers[0].Receipt, answers[0].Err
}

// SubmitAll gives commands to the chain; they take effect in their order. Each
// has its own answer. An error of the call leaves every outcome unknown.
func (l *Log) SubmitAll(ctx context.Context, cs []contract.Command) ([]ledger.Answer, error) {
	// The channel is never closed: a sender that loses the race against Close
	// sees stopped.
	select {
	case <-l.stopping:
		return nil, l.stopError()
	default:
	}
	rs := make([]*request, len(cs))
	for i, c := range cs {
		rs[i] = &request{c: c, dup: -1, done: make(chan struct{})}
		if err := l.prepare(ctx, rs[i]); err != nil {
			return nil, err
		}
	}
	for from := 0; from < len(rs); from += groupSize {
		select {
		case l.in <- rs[from:min(from+groupSize, len(rs))]:
		case <-l.stopped:
			return nil, l.stopError()
		case <-ctx.Done():
			return nil, fmt.Errorf("submit: %w", ctx.Err())
		}
	}
	answers := make([]ledger.Answer, len(rs))
	for i, r := range rs {
		select {
		case <-r.done:
		case <-l.stopped:
			select { // it may have been answered just before the end
			case <-r.done:
			default:
				return nil, l.stopError()
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("submit: %w", ctx.Err())
		}
		answers[i] = r.ans
	}
	return answers, nil
}

// prepare does outside the committer what need not wait for the command's turn:
// form, bytes, and the signature against the key the actor has now.
func (l *Log) prepare(ctx context.Context, r *request) error {
	p, err := contract.Prepare(r.c)
	if refusal := contract.AsRefusal(err); refusal != nil {
		r.ans.Err = refusal
		return nil
	}
	if err != nil {
		return fmt.Errorf("submit command %s: %w", r.c.ID, err)
	}
	r.p = p
	b, err := l.kv.value(ctx, contract.Key(contract.Actors, r.c.Actor))
	if err != nil {
		return fmt.Errorf("submit command %s: %w", r.c.ID, err)
	}
	var a contract.ActorValue
	if b != nil && contract.Decode(b, &a) == nil {
		p.Verify(a.Key) // a bad signature is refused in the command's turn
	}
	return nil
}

func (l *Log) stopError() error {
	select {
	case <-l.stopped:
	default: // cause is not to be read yet
		return fmt.Errorf("submit: %w", ledger.ErrStopped)
	}
	if l.cause != nil {
		return fmt.Errorf("submit: %w: %w", ledger.ErrStopped, l.cause)
	}
	return fmt.Errorf("submit: %w", ledger.ErrStopped)
}

// Stopped is closed when the log takes no more commands: after Close, or after a
// failed write, when the only safe way on is to open it again.
func (l *Log) Stopped() <-chan struct{} { return l.stopped }

// commit is the committer: it alone adds to the log and writes the state.
func (l *Log) commit(ctx context.Context) {
	defer close(l.stopped)
	for {
		g, more := l.gather()
		if len(g) > 0 {
			if err := l.group(ctx, g); err != nil {
				// Part of the group may be in the log. Replay at the next Open
				// settles it; going on here could apply what is not logged.
				l.cause = err
				l.o.Log.ErrorContext(ctx, "ledger stopped; open it again", "err", err)
				return
			}
		}
		if !more {
			return
		}
	}
}

// gather waits for a first request and fills the group for groupAge. more is
// false when the log is closing and the queue is empty.
func (l *Log) gather() (g []*request, more bool) {
	select {
	case rs := <-l.in:
		g = append(g, rs...)
	case <-l.stopping:
		for {
			select {
			case rs := <-l.in:
				g = append(g, rs...)
			default:
				return g, false
			}
		}
	}
	t := time.NewTimer(groupAge)
	defer t.Stop()
	for len(g) < groupSize {
		select {
		case rs := <-l.in:
			g = append(g, rs...)
		case <-t.C:
			return g, true
		}
	}
	return g, true
}

// group decides on a group, logs what is accepted, commits, and answers. Every
// answer, a refusal too, waits for the commit: it may rest on a command before it
// in the same group.
func (l *Log) group(ctx context.Context, g []*request) error {
	o := newOverlay(ctx, l.kv)
	var accepted []entry
	position := map[string]int{} // command id → index in accepted
	latest := l.o.Now().Add(futureSlack).UnixMicro()
	for _, r := range g {
		if err := l.admit(ctx, o, r, latest, position, &accepted); err != nil {
			return err
		}
	}
	l.fail("admitted")
	if err := l.add(ctx, accepted); err != nil {
		return err
	}
	l.fail("logged")
	if len(accepted) > 0 {
		// A crash before this commit leaves entries that the state lacks: Open replays them.
		if err := l.kv.commit(ctx, o, accepted, l.next+uint64(len(accepted))); err != nil {
			return err
		}
		l.next += uint64(len(accepted))
	}
	// A crash here leaves callers without an answer; a retry finds the index.
	l.fail("committed")
	for _, r := range g {
		if r.dup >= 0 {
			r.ans.Receipt.Index = accepted[r.dup].idx
		}
		r.ans.Receipt.Result.Index = r.ans.Receipt.Index
		close(r.done)
	}
	return nil
}

// admit runs one command on the overlay and prepares its answer.
func (l *Log) admit(ctx context.Context, o *overlay, r *request, latest int64, position map[string]int, accepted *[]entry) error {
	if r.p == nil {
		return nil
	}
	result, isNew, err := o.try(r.p)
	if refusal := contract.AsRefusal(err); refusal != nil {
		r.ans.Err = refusal
		return nil
	}
	if err != nil {
		return fmt.Errorf("apply command %s: %w", r.c.ID, err)
	}
	r.ans.Receipt = contract.Receipt{ID: r.c.ID, Result: result, Again: !isNew}
	if !isNew {
		if first, ok := position[r.c.ID]; ok {
			r.dup = first
			return nil
		}
		idx, found, err := l.kv.index(ctx, r.c.ID)
		if err == nil && !found {
			err = fmt.Errorf("command %s was answered but has no index", r.c.ID)
		}
		r.ans.Receipt.Index = idx
		return err
	}
	if r.c.At > latest {
		r.ans = contract.Answer{Err: &contract.Refusal{Code: contract.Clock, Message: "命令时间晚于账本时钟", Detail: "the command comes from the future"}}
		return nil
	}
	o.keep()
	r.dup = len(*accepted)
	position[r.c.ID] = r.dup
	*accepted = append(*accepted, entry{idx: l.next + uint64(r.dup), c: r.c, raw: r.p.Raw, result: result}) //nolint:gosec // a group is small
	return nil
}

// add appends the accepted commands in order and waits until they are integrated
// and on disk. A crash in the middle leaves any prefix of them in the log.
func (l *Log) add(ctx context.Context, accepted []entry) error {
	futures := make([]tessera.IndexFuture, len(accepted))
	for i, e := range accepted {
		futures[i] = l.appender.Add(ctx, tessera.NewEntry(e.raw))
		if i == 0 {
			l.fail("adding")
		}
	}
	var failed error
	for i, f := range futures { // all are called: a future left alone is never waited for at shutdown
		at, err := f()
		switch {
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("add command %s to log: %w", accepted[i].c.ID, err))
		case at.Index != accepted[i].idx:
			failed = errors.Join(failed, fmt.Errorf("add command %s to log: index %d, want %d: somebody else writes: %w", accepted[i].c.ID, at.Index, accepted[i].idx, mulu.ErrConflict))
		}
	}
	return failed
}

func (l *Log) fail(step string) {
	if l.o.Failpoint != nil {
		l.o.Failpoint(step)
	}
}
