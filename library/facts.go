package library

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

func named(name string, v any) driver.NamedValue { return clickhouse.Named(name, v) }

// StoreRejects keeps rows that could not enter, whole. Storing the same rows again
// leaves one of each. The dataset of a reject without one is found by its topic.
func (l *Library) StoreRejects(ctx context.Context, rejects []mulu.Reject) error {
	if len(rejects) == 0 {
		return nil
	}
	at := l.now().UTC()
	return l.insert(ctx, rejectsTable, len(rejects), func(i int) ([]any, error) {
		r := &rejects[i]
		code := r.Dataset
		if code == "" {
			var err error
			if code, err = l.datasetOfTopic(r.Batch.Topic); err != nil {
				return nil, err
			}
		}
		return []any{string(code), r.Batch.Topic, r.Batch.TopicID.String(), uint32(r.Batch.Partition), uint64(r.Offset), uint16(r.Row), uint64(r.Batch.First), uint64(r.Batch.Last),
			r.Class, string(r.Rule), r.Field, r.Reason, string(r.Key), string(r.Value), at}, nil
	})
}

// StoreFindings keeps what the row rules counted. Storing again leaves one of each.
func (l *Library) StoreFindings(ctx context.Context, findings []mulu.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	at := l.now().UTC()
	return l.insert(ctx, findingsTable, len(findings), func(i int) ([]any, error) {
		f := &findings[i]
		sample := f.Sample
		if sample == nil {
			sample = []int64{}
		}
		return []any{string(f.Dataset), f.Batch.Topic, f.Batch.TopicID.String(), uint32(f.Batch.Partition), uint64(f.Batch.First), uint64(f.Batch.Last),
			f.Ruleset, string(f.Rule), f.Indicator, f.Evaluated, f.Failed, sample, at}, nil
	})
}

// StoreManifest says that all of a batch is stored: it must come after everything
// else of the batch. A crash before it makes the batch be walked again.
func (l *Library) StoreManifest(ctx context.Context, m mulu.Manifest) error {
	return l.StoreManifests(ctx, []mulu.Manifest{m})
}

// StoreManifests stores the manifests of several batches in one insert. A manifest
// whose equation does not hold is refused with all the others.
func (l *Library) StoreManifests(ctx context.Context, ms []mulu.Manifest) error {
	if len(ms) == 0 {
		return nil
	}
	return l.insert(ctx, manifestTable, len(ms), func(i int) ([]any, error) {
		m := &ms[i]
		if !m.Balanced() {
			return nil, fmt.Errorf("manifest %s: %d offsets are not %d good + %d rejected + %d control: %w", m.BatchID, m.Last-m.First+1, m.Good, m.Rejected, m.Control, mulu.ErrInvalid)
		}
		return []any{string(m.Dataset), m.Version, m.Topic, m.TopicID.String(), uint32(m.Partition), uint64(m.First), uint64(m.Last),
			m.Good, m.Rejected, m.Rows, m.Control, m.Bytes, m.Digest, m.At.UTC(), instantOf(m.Oldest), instantOf(m.Newest)}, nil
	})
}

// instantOf is a time as it is stored; none is 1970.
func instantOf(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return t.UTC()
}

// timeOf is a stored time as it was given.
func timeOf(t time.Time) time.Time {
	if t.Unix() == 0 {
		return time.Time{}
	}
	return t
}

// insert sends n rows to a house table as one block; a row has a value per column.
func (l *Library) insert(ctx context.Context, t houseTable, n int, row func(i int) ([]any, error)) error {
	cols, types := make([]string, len(t.columns)), make([]clickhouse.ColumnNameAndType, len(t.columns))
	for i, c := range t.columns {
		cols[i], types[i] = c.name, clickhouse.ColumnNameAndType{Name: c.name, Type: c.typ}
	}
	// Saying the types saves the client from asking for them before every insert.
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(oneBlock()), clickhouse.WithColumnNamesAndTypes(types))
	b, err := l.db.PrepareBatch(ctx, "INSERT INTO mulu."+t.name+" ("+idents(cols)+")")
	if err != nil {
		return fmt.Errorf("store %s: %w", t.name, err)
	}
	defer b.Close()
	for i := range n {
		v, err := row(i)
		if err != nil {
			return fmt.Errorf("store %s: %w", t.name, err)
		}
		if err := b.Append(v...); err != nil {
			return fmt.Errorf("store %s: encode row %d: %w", t.name, i, err)
		}
	}
	if err := b.Send(); err != nil {
		return fmt.Errorf("store %s: %w", t.name, err)
	}
	return nil
}

// datasetOfTopic names the applied dataset that reads from topic.
func (l *Library) datasetOfTopic(topic string) (mulu.DatasetCode, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for code, ds := range l.datasets {
		if ds.Topic == topic {
			return code, nil
		}
	}
	return "", fmt.Errorf("no applied dataset reads topic %q: %w", topic, mulu.ErrNotFound)
}
