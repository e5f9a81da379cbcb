package library

import (
	"context"
	"encoding/hex"
	"fmt"

	"mulu"
)

// A row's _version is epoch<<48 | offset. The epoch counts the identities a
// dataset's topic has had, from 0, so that the rows of a topic that was made anew
// (its offsets start at 0 again) replace the rows of the old one and not the other
// way round. With one identity, _version is the offset.
const epochShift = 48

func (l *Library) loadTopics(ctx context.Context) error {
	rows, err := l.db.Query(ctx, "SELECT dataset, _topic_id, min(epoch) FROM mulu.topics GROUP BY dataset, _topic_id")
	if err != nil {
		return fmt.Errorf("read topics: %w", err)
	}
	defer rows.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for rows.Next() {
		var dataset, id string
		var epoch uint32
		if err := rows.Scan(&dataset, &id, &epoch); err != nil {
			return fmt.Errorf("read topics: %w", err)
		}
		t, err := parseTopicID(id)
		if err != nil {
			return fmt.Errorf("read topics: %w", err)
		}
		l.setEpoch(mulu.DatasetCode(dataset), t, uint64(epoch))
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read topics: %w", err)
	}
	return nil
}

// setEpoch is called with mu held.
func (l *Library) setEpoch(code mulu.DatasetCode, t mulu.TopicID, epoch uint64) {
	if l.topics[code] == nil {
		l.topics[code] = map[mulu.TopicID]uint64{}
	}
	l.topics[code][t] = epoch
}

// epoch gives the topic identity its number, and stores it before the first row
// that carries it. Two processes meeting a new identity at once read the same
// table and store the same number.
func (l *Library) epoch(ctx context.Context, code mulu.DatasetCode, t mulu.TopicID) (uint64, error) {
	l.mu.RLock()
	n, ok := l.topics[code][t]
	l.mu.RUnlock()
	if ok {
		return n, nil
	}
	l.epochs.Lock()
	defer l.epochs.Unlock()
	if err := l.loadTopics(ctx); err != nil {
		return 0, err
	}
	l.mu.RLock()
	n, ok = l.topics[code][t]
	next := uint64(len(l.topics[code]))
	l.mu.RUnlock()
	if ok {
		return n, nil
	}
	err := l.insert(ctx, topicsTable, 1, func(int) ([]any, error) {
		return []any{string(code), t.String(), uint32(next)}, nil
	})
	if err != nil {
		return 0, err
	}
	if next > 0 {
		l.log.Warn("topic of dataset was made anew; its rows replace the old ones", "dataset", code, "topic_id", t, "epoch", next)
	}
	l.mu.Lock()
	l.setEpoch(code, t, next)
	l.mu.Unlock()
	return next, nil
}

func parseTopicID(s string) (t mulu.TopicID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(t) {
		return t, fmt.Errorf("topic id %q: %w", s, mulu.ErrInvalid)
	}
	copy(t[:], b)
	return t, nil
}
