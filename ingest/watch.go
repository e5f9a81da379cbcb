package ingest

import (
	"context"
	"fmt"
	"time"

	"mulu"
)

// watchEvery is how soon a decision that was made at any process is heeded here.
const watchEvery = time.Second

// clockSkew is how far the clocks of processes that share a journal may differ.
const clockSkew = time.Minute

// watch heeds what people decide: pauses, answers to holds, topics put right, and
// new dataset versions, which take effect at an offset that is written down first.
func (s *Source) watch(ctx context.Context) {
	heeded := map[string]time.Time{}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		err := s.heedPauses(ctx)
		if err == nil {
			err = s.heedPartitions(ctx)
		}
		if err == nil {
			err = s.heedReopened(ctx, heeded)
		}
		if err != nil && ctx.Err() == nil {
			s.o.Log.Warn("cannot ask the journal what people decided; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// assignedParts is a copy: nothing slow is done under the lock.
func (s *Source) assignedParts() []*Partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Partition, 0, len(s.parts))
	for _, p := range s.parts {
		out = append(out, p)
	}
	return out
}

func (s *Source) heedPauses(ctx context.Context) error {
	list, err := s.o.Journal.Pauses(ctx)
	if err != nil {
		return err
	}
	paused := map[mulu.DatasetCode]bool{}
	for _, p := range list {
		paused[p.Dataset] = true
	}
	for _, p := range s.assignedParts() {
		if d := s.dataset(p.key.topic); d != nil {
			p.halt(paused[d.Code])
		}
	}
	return nil
}

// halt pauses the partition or lets it go on.
func (p *Partition) halt(paused bool) {
	p.mu.Lock()
	changed := p.halted != paused
	p.halted = paused
	p.mu.Unlock()
	if changed {
		p.signal()
		p.s.balanceSoon()
	}
}

// heedPartitions asks after held partitions and schedules newer versions.
func (s *Source) heedPartitions(ctx context.Context) error {
	for _, p := range s.assignedParts() {
		d := s.dataset(p.key.topic)
		if d == nil {
			continue
		}
		p.mu.Lock()
		waits := p.begun && p.held != nil
		plan := p.upgrade(d)
		p.mu.Unlock()
		switch {
		case waits:
			if err := p.review(ctx); err != nil {
				return err
			}
		case plan != nil:
			effects, err := s.o.Journal.Schedule(ctx, *plan)
			if err != nil {
				return err
			}
			s.o.Log.Info("dataset version takes effect", "topic", p.key.topic, "partition", p.key.partition, "version", d.Version, "offset", plan.First)
			p.mu.Lock()
			p.effects = effects
			p.mu.Unlock()
			p.signal()
		}
	}
	return nil
}

// upgrade says where a newer version of the dataset should take effect: after all that
// the broker holds by now, which was sent under the older one. nil if none is newer.
// A batch that was cut meanwhile beyond that offset is refused by the journal and cut
// anew. p.mu is held.
func (p *Partition) upgrade(d *mulu.Dataset) *mulu.Plan {
	if !p.begun || len(p.effects) == 0 {
		return nil // the first plan brings the newest into force
	}
	for _, e := range p.effects {
		if e.Version >= d.Version {
			return nil
		}
	}
	first := max(p.end, p.seen, p.next)
	if p.open != nil {
		first = max(first, p.open.Last+1)
	}
	return &mulu.Plan{Dataset: d.Code, Version: d.Version,
		BatchID: mulu.BatchID{TopicID: p.topicID, Topic: p.key.topic, Partition: p.key.partition, First: first}}
}

// review asks whether a person has answered the hold.
func (p *Partition) review(ctx context.Context) error {
	p.mu.Lock()
	id := p.topicID
	p.mu.Unlock()
	st, err := p.s.o.Journal.standing(ctx, id, p.key.partition)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.effects, p.held, p.let = st.effects, st.held, st.let
	p.mu.Unlock()
	if st.held == nil {
		p.signal()
		p.s.balanceSoon()
	}
	return nil
}

// Review holds the partition, and returns ErrHeld, if too many records of a batch do
// not fit their version. That is kept in the journal until a person answers. The batch
// is let go: it was not planned, and is cut anew, perhaps otherwise, after the answer.
func (p *Partition) Review(ctx context.Context, b *Batch, d *Decoded) error {
	h := p.s.o.Review.judge(p.streak, b, d)
	if h == nil {
		return nil
	}
	if err := p.s.o.Journal.Hold(ctx, h); err != nil {
		return err
	}
	p.s.o.Log.Warn("partition held for review", "topic", p.key.topic, "partition", p.key.partition, "offset", h.Plan.First, "reason", h.summary()) // Reason may quote a value
	p.mu.Lock()
	p.held, p.current = h, nil
	p.mu.Unlock()
	clear(p.streak)
	p.s.balanceSoon()
	return ErrHeld
}

// heedReopened judges the stopped partitions of topics that were put right anew, by
// leaving the topic and joining it again. heeded has the decisions that were followed,
// by topic. Partitions are judged from the moment the client exists, before the first
// look here, and clocks of processes differ: a topic none of whose partitions is
// stopped is left alone, so that looking back costs nothing.
func (s *Source) heedReopened(ctx context.Context, heeded map[string]time.Time) error {
	topics, err := s.o.Journal.reopened(ctx, s.began.Add(-clockSkew))
	if err != nil {
		return err
	}
	for topic, at := range topics {
		if !at.After(heeded[topic]) {
			continue
		}
		heeded[topic] = at
		gone, stopped := map[string][]int32{}, false
		for _, p := range s.assignedParts() {
			if p.key.topic == topic {
				gone[topic] = append(gone[topic], p.key.partition)
				stopped = stopped || p.isStopped()
			}
		}
		if !stopped {
			continue
		}
		s.o.Log.Info("topic was put right; reading it anew", "topic", topic)
		s.drain(s.remove(gone), s.o.DrainWait)
		s.cl.PurgeTopicsFromConsuming(topic)
		s.cl.AddConsumeTopics(topic)
	}
	return nil
}

// noteStopped tells the owner of a dataset that a partition is not read any more.
func (s *Source) noteStopped(p *Partition, why error) {
	d := s.dataset(p.key.topic)
	if d == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.o.Journal.Notice(ctx, d.Code, NoticeStopped, fmt.Sprintf("%s/%d", p.key.topic, p.key.partition), why.Error()); err != nil {
		s.o.Log.Warn("keep notice", "error", err)
	}
}
