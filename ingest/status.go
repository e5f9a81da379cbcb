package ingest

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"mulu"
)

// Status is how one partition assigned to this process stands.
type Status struct {
	Dataset   mulu.DatasetCode
	Topic     string
	Partition int32
	Position  int64   // first offset not yet done, -1 before it is known
	End       int64   // the broker's end offset, as last heard
	Lag       int64   // End - Position
	Held      int64   // bytes held in memory
	Rate      float64 // records a second over the last 10 s
	Stopped   bool    // it will not be read until a person settles Error
	InReview  bool    // it waits for a person's review
	Paused    bool    // by a person, for the whole dataset
	Error     string  // why it stopped or is held, or why the last step failed; "" if all is well
	Remedy    Remedy  // what would put a stopped one right
	SkipTo    int64   // RemedySkip: the first offset that is still there, 0 if unknown
	Version   uint32  // dataset version in force at Position, 0 before the first batch
	Since     int64   // offset from which Version is in force
	Next      *Effect // the version that takes effect later, nil if none
}

// Status lists the partitions assigned to this process, by topic and number.
func (s *Source) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	out := make([]Status, 0, len(s.parts))
	for key, p := range s.parts {
		st := Status{Topic: key.topic, Partition: key.partition, Stopped: s.stopped[key] != nil}
		if st.Stopped {
			st.Error = s.stopped[key].Error()
			var h halt
			if errors.As(s.stopped[key], &h) {
				st.Remedy, st.SkipTo = h.remedy, h.next
			}
		}
		if d := s.dataset(key.topic); d != nil {
			st.Dataset = d.Code
		}
		p.mu.Lock()
		st.InReview, st.Paused = p.held != nil, p.halted
		st.versions(p.effects, p.next)
		st.Position, st.End, st.Held, st.Rate = p.next, max(p.end, p.seen), p.bytes, p.rows.rate(now)
		if !p.begun {
			st.Position = -1
		} else {
			st.Lag = st.End - st.Position
		}
		if st.Error == "" && p.held != nil {
			st.Error = p.held.summary() // whoever reads this need not see values
		}
		if st.Error == "" {
			st.Error = p.lastErr
		}
		p.mu.Unlock()
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out
}

// versions tells which version is in force at an offset and which comes next.
func (st *Status) versions(effects []Effect, at int64) {
	for i, e := range effects {
		if i > 0 && e.From > at {
			st.Next = &effects[i]
			return
		}
		st.Version, st.Since = e.Version, e.From
	}
}

// meter counts over the last ten whole seconds.
type meter struct {
	slots [11]int64
	at    int64 // Unix second of the newest slot
}

func (m *meter) move(now time.Time) int64 {
	sec := now.Unix()
	for n := 0; m.at < sec && n < len(m.slots); n++ {
		m.at++
		m.slots[m.at%int64(len(m.slots))] = 0
	}
	m.at = max(m.at, sec)
	return m.at
}

func (m *meter) add(now time.Time, n int64) {
	m.slots[m.move(now)%int64(len(m.slots))] += n
}

func (m *meter) rate(now time.Time) float64 {
	newest := m.move(now) % int64(len(m.slots))
	var sum int64
	for i, n := range m.slots {
		if int64(i) != newest {
			sum += n
		}
	}
	return float64(sum) / 10
}

// onCommit keeps the first error of an offset commit.
func onCommit(failed *error) func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) {
	return func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			*failed = err
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil && *failed == nil {
					*failed = err
				}
			}
		}
	}
}
