package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
)

// startOffsets is asked by the client where to read newly assigned partitions. An
// error makes the client try the assignment again: that is right for a journal or
// broker that can not be reached, while a partition that must not be read is
// stopped and the others go on.
func (s *Source) startOffsets(ctx context.Context, asked map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	select {
	case <-s.wired:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	topics := make([]string, 0, len(asked))
	for topic := range asked {
		topics = append(topics, topic)
	}
	if len(topics) == 0 {
		return asked, nil
	}
	details, err := s.adm.ListTopics(ctx, topics...)
	if err == nil {
		err = details.Error()
	}
	var starts, ends kadm.ListedOffsets
	if err == nil {
		if starts, err = s.adm.ListStartOffsets(ctx, topics...); err == nil {
			ends, err = s.adm.ListEndOffsets(ctx, topics...)
		}
	}
	if err == nil {
		err = errors.Join(starts.Error(), ends.Error())
	}
	if err != nil {
		s.o.Log.Warn("cannot ask the broker where topics stand; trying again", "error", err)
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	for topic, parts := range asked {
		id := mulu.TopicID(details[topic].ID)
		for partition := range parts {
			start, _ := starts.Lookup(topic, partition)
			end, _ := ends.Lookup(topic, partition)
			s.count(tp{topic, partition}, len(details[topic].Partitions)) // before a batch can be cut
			at, err := s.place(ctx, tp{topic, partition}, id, start.Offset, end.Offset)
			if err != nil {
				s.o.Log.Warn("cannot ask the journal where a partition stands; trying again", "topic", topic, "partition", partition, "error", err)
				return nil, err
			}
			parts[partition] = kgo.NewOffset().At(at).WithEpoch(-1)
		}
	}
	return asked, nil
}

// count notes how many partitions the topic has.
func (s *Source) count(key tp, partitions int) {
	s.mu.Lock()
	p := s.parts[key]
	s.mu.Unlock()
	if p != nil {
		p.mu.Lock()
		p.of = partitions
		p.mu.Unlock()
	}
}

// place finds where one partition goes on, and readies or stops its reader.
func (s *Source) place(ctx context.Context, key tp, id mulu.TopicID, start, end int64) (int64, error) {
	s.mu.Lock()
	p := s.parts[key]
	delete(s.stopped, key) // judged anew: an operator may have settled it
	s.mu.Unlock()
	if p == nil { // revoked meanwhile
		return start, nil
	}
	st, err := s.o.Journal.standing(ctx, id, key.partition)
	if err != nil {
		return 0, err
	}
	next, open := st.next, st.open
	known, ok, err := s.o.Journal.KnownAs(ctx, key.topic)
	if err != nil {
		return 0, err
	}
	switch {
	case ok && known != id:
		s.fail(p, halt{fmt.Errorf("主题 %s 已被重建(原标识 %s，现为 %s)，已停止读取以免混淆；确认是有意重建后，从新主题的开头读起 / topic was created again", key.topic, known, id), RemedyAccept, 0})
		return end, nil
	case next > end:
		s.fail(p, fmt.Errorf("消息系统末尾位点 %d 小于已入库位点 %d，可能丢失了数据，已停止读取 / broker ends before the journal", end, next))
		return end, nil
	case open != nil && open.Last >= end:
		// What comes to stand at these offsets would be taken for what stood there.
		s.fail(p, fmt.Errorf("消息系统末尾位点 %d 小于已计划位点 %d，可能丢失了数据，已停止读取 / broker ends before the open plan", end, open.Last))
		return end, nil
	case next >= 0 && next < start:
		s.fail(p, halt{fmt.Errorf("位点 %d 至 %d 在读取之前已被消息系统清除，已停止读取；确认放弃后从 %d 接着读 / offsets were removed before they were read", next, start-1, start), RemedySkip, start})
		return end, nil
	}
	if next < 0 {
		next = start
	}
	st.next = next
	p.begin(st, end)
	// The client remembers pauses of an earlier assignment.
	s.cl.ResumeFetchPartitions(map[string][]int32{key.topic: {key.partition}})
	return next, nil
}

// explainFetch turns a fetch error that ends a partition into words.
func explainFetch(err error) error {
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		return halt{fmt.Errorf("读取位点已不在消息系统保留范围内(数据被清除或丢失)，已停止读取 / position outside the log: %w", err), RemedySkip, 0}
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		return halt{fmt.Errorf("主题在读取期间被删除或重建，已停止读取 / topic was deleted or created again: %w", err), RemedyAccept, 0}
	}
	return fmt.Errorf("无法继续读取 / fetch failed: %w", err)
}
