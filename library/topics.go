package library

import (
	"context"
	"encoding/hex"
	"fmt"

	"mulu"
)

// A row's _version is epoch<<56 | position, the position being the offset or where a
// change stands in the log of its database. The epoch counts the identities a
// dataset's topic has had, from 0, so that the rows of a topic that was made anew
// (its offsets start at 0 again) replace the rows of the old one and not the other
// way round. With one identity, _version is the position. 56 bits hold a PostgreSQL
// LSN of 64 PiB of log, and a MySQL position of 2^24 files of 4 GiB.
const (
	epochShift = 56
	maxEpoch   = 1<<8 - 1
	// MaxPosition is the greatest position a row may carry.
	MaxPosition = 1<<epochShift - 1
)

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
	if next > maxEpoch {
		return 0, fmt.Errorf("topic of dataset %q was made anew %d times, at most %d can be told apart: %w", code, next, maxEpoch, mulu.ErrInvalid)
	}
	err := l.insert(ctx, topicsTable, 1, func(int) []any {
		return []any{string(code), t.String(), uint32(next)}
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
