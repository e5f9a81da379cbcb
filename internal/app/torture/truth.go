package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
)

// truth is what a topic holds, read back by a consumer of its own: committed records
// only. It is what the library must hold. A broker that was killed may hold more than
// it acknowledged, and it must never hold less.
type truth struct {
	id      mulu.TopicID
	ends    map[int32]int64 // first offset not read, markers included
	records map[position]sent
}

type position struct {
	partition int32
	offset    int64
}

// sent is one committed record.
type sent struct {
	key, value string
	fate       string
	id         string // of good ones
	n          int64
}

// readTopic reads a topic from its beginning to where it ends now. A transaction that
// was just committed may not be readable yet: it is waited for.
func (r *rig) readTopic(ctx context.Context, topic string) (*truth, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	id, err := r.topicID(ctx, topic)
	if err != nil {
		return nil, err
	}
	ends, err := r.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask the broker for end offsets: %w", err)
	}
	t := &truth{id: id, ends: map[int32]int64{}, records: map[position]sent{}}
	left, at := 0, map[int32]kgo.Offset{}
	ends.Each(func(e kadm.ListedOffset) {
		t.ends[e.Partition] = e.Offset
		if e.Offset > 0 {
			left++
			at[e.Partition] = kgo.NewOffset().At(0)
		}
	})
	if left == 0 {
		return t, nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.o.seeds()...), kgo.ClientID("torture-check"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: at}))
	if err != nil {
		return nil, fmt.Errorf("read topic back: %w", err)
	}
	defer cl.Close()
	finished := map[int32]bool{}
	for left > 0 {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read topic %s back: %w", topic, err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			end := t.ends[rec.Partition]
			if rec.Offset >= end-1 && !finished[rec.Partition] {
				finished[rec.Partition] = true
				left--
			}
			if rec.Offset < end && !rec.Attrs.IsControl() {
				t.records[position{rec.Partition, rec.Offset}] = sentOf(rec)
			}
		})
	}
	return t, nil
}

func sentOf(rec *kgo.Record) sent {
	s := sent{key: string(rec.Key), value: string(rec.Value)}
	for _, h := range rec.Headers {
		if h.Key == fate {
			s.fate = string(h.Value)
		}
	}
	if s.fate == "" {
		var row struct {
			ID string `json:"id"`
			N  int64  `json:"n"`
		}
		if err := json.Unmarshal(bytes.TrimPrefix(rec.Value, []byte("\ufeff")), &row); err != nil {
			s.fate = "unreadable" // no class is called that: the check will say so
		}
		s.id, s.n = row.ID, row.N
	}
	return s
}

// current is what readers must see: of every key the last good record. A key stays
// on its partition, and a later topic goes before an earlier one.
func current(truths []*truth) map[string]int64 {
	type last struct {
		epoch  int
		offset int64
		n      int64
	}
	seen := map[string]last{}
	for epoch, t := range truths {
		for p, s := range t.records {
			was, ok := seen[s.id]
			if s.fate == "" && (!ok || epoch > was.epoch || epoch == was.epoch && p.offset > was.offset) {
				seen[s.id] = last{epoch, p.offset, s.n}
			}
		}
	}
	out := make(map[string]int64, len(seen))
	for id, l := range seen {
		out[id] = l.n
	}
	return out
}
