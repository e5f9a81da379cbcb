package torture

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"mulu"
)

// recreated deletes a topic and makes it again under its name. Its partitions must
// stop and say so, another dataset's must go on, and after a person's word the new
// topic is read from its beginning beside the rows of the old one.
func recreated(ctx context.Context, o Options, out *Outcome) error {
	r, err := newRig(ctx, o, out, 2)
	if err != nil {
		return err
	}
	defer r.close()
	ds, other := r.datasets[0], r.datasets[1]
	l, err := r.addLane(ctx)
	if err != nil {
		return err
	}
	beside, err := r.feed(ctx, other.Topic, mixed(5000))
	if err != nil {
		return err
	}
	old, err := r.firstLife(ctx, ds)
	if err != nil {
		return err
	}
	f, err := r.feed(ctx, ds.Topic, mixed(5000))
	if err != nil {
		return err
	}
	// A restart must not make it forget.
	if err := r.stopsAlone(ctx, l, ds, other); err != nil {
		return fmt.Errorf("while it was read: %w", err)
	}
	r.killed(l, atTime)
	if l, err = r.addLane(ctx); err != nil {
		return err
	}
	if err := r.stopsAlone(ctx, l, ds, other); err != nil {
		return fmt.Errorf("after a restart: %w", err)
	}
	// This is what `mulu ingest accept` writes; who reads must heed it by itself.
	if err := r.journal.Retire(ctx, ds.Topic, "torture", "主题按计划重建 / made again on purpose"); err != nil {
		return err
	}
	out.Did = "删除并重建主题；分区停下并报警，另一数据集照常；重启后仍停；经确认后继续 / topic deleted and made again: its partitions stopped with an alert, also after a restart, the other dataset went on; accepted by a person, it went on"
	if err := r.settle(ctx, beside, other); err != nil {
		return err
	}
	if _, err := f.stop(); err != nil {
		return err
	}
	if err := r.drained(ctx, ds.Topic); err != nil {
		return err
	}
	now, err := r.readTopic(ctx, ds.Topic)
	if err != nil {
		return err
	}
	if err := r.count(ctx, ds, f.acked, old, now); err != nil {
		return err
	}
	out.judge()
	return nil
}

// firstLife fills a topic, has it stored, and makes it again.
func (r *rig) firstLife(ctx context.Context, ds *mulu.Dataset) (*truth, error) {
	f, err := r.feed(ctx, ds.Topic, mixed(5000))
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	if _, err := f.stop(); err != nil {
		return nil, err
	}
	if err := r.drained(ctx, ds.Topic); err != nil {
		return nil, err
	}
	old, err := r.readTopic(ctx, ds.Topic)
	if err != nil {
		return nil, err
	}
	if resp, err := r.admin.DeleteTopics(ctx, ds.Topic); err != nil {
		return nil, fmt.Errorf("delete topic: %w", err)
	} else if err := resp.Error(); err != nil {
		return nil, fmt.Errorf("delete topic: %w", err)
	}
	return old, r.makeAgain(ctx, ds.Topic, old.id)
}

// makeAgain makes a topic that was deleted, and waits until the broker knows it by
// its new identity.
func (r *rig) makeAgain(ctx context.Context, topic string, old mulu.TopicID) error {
	err := until(ctx, 30*time.Second, "the old topic is gone", func() (bool, error) {
		resp, err := r.admin.CreateTopic(ctx, partitions, -1, nil, topic)
		if err == nil {
			err = resp.Err
		}
		if errors.Is(err, kerr.TopicAlreadyExists) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("make topic again: %w", err)
	}
	return until(ctx, 30*time.Second, "the topic has an identity of its own", func() (bool, error) {
		id, err := r.topicID(ctx, topic)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			return false, nil
		}
		return err == nil && id != old, err
	})
}

// stopsAlone waits until every partition of the dataset has stopped with a reason
// while the other dataset moves, and makes sure that nothing of the new topic is in.
func (r *rig) stopsAlone(ctx context.Context, l *lane, ds, other *mulu.Dataset) error {
	id, err := r.topicID(ctx, ds.Topic)
	if err != nil {
		return err
	}
	otherID, err := r.topicID(ctx, other.Topic)
	if err != nil {
		return err
	}
	before, err := r.sum(ctx, otherID)
	if err != nil {
		return err
	}
	err = until(ctx, time.Minute, "its partitions stop with a reason, the others go on", func() (bool, error) {
		st, _ := l.stands()
		stopped := 0
		for _, p := range st.Partitions {
			switch {
			case p.Topic == other.Topic && p.Stopped:
				return false, fmt.Errorf("partition %d of the other dataset stopped too: %s", p.Partition, p.Error)
			case p.Topic == ds.Topic && p.Stopped && p.Error != "":
				stopped++
			}
		}
		now, err := r.sum(ctx, otherID)
		return stopped == partitions && now > before, err
	})
	if err != nil {
		return err
	}
	n, err := r.sum(ctx, id)
	if err == nil && n > 0 {
		err = fmt.Errorf("%d offsets of the new topic were read without a person's word", n)
	}
	r.out.Figures["stops"] += partitions
	return err
}

// sum is how many offsets of a topic are stored.
func (r *rig) sum(ctx context.Context, id mulu.TopicID) (n int64, err error) {
	next, err := r.next(ctx, id)
	for _, o := range next {
		n += o
	}
	return n, err
}
