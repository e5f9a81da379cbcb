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
	facts := make([]rejectFact, len(rejects))
	for i, r := range rejects {
		if r.Dataset == "" {
			code, err := l.datasetOfTopic(r.Batch.Topic)
			if err != nil {
				return fmt.Errorf("store %s: %w", rejectsTable.name, err)
			}
			r.Dataset = code
		}
		facts[i] = rejectFact{r, l.now().UTC()}
	}
	if small(rejects[0].Batch.First, rejects[0].Batch.Last) && len(rejects) < smallBatch/10 {
		return l.rejects.store(ctx, facts)
	}
	return l.insertRejects(ctx, facts)
}

// rejectFact is a reject and when it was handed in.
type rejectFact struct {
	mulu.Reject
	at time.Time
}

func (l *Library) insertRejects(ctx context.Context, facts []rejectFact) error {
	return l.insert(ctx, rejectsTable, len(facts), func(i int) []any {
		r := &facts[i]
		return []any{string(r.Dataset), r.Batch.Topic, r.Batch.TopicID.String(), uint32(r.Batch.Partition), uint64(r.Offset), uint16(r.Row), uint64(r.Batch.First), uint64(r.Batch.Last),
			r.Class, string(r.Rule), r.Field, r.Reason, string(r.Key), string(r.Value), instantOf(r.Time), r.at, flag(r.Rest)}
	})
}

func flag(on bool) uint8 {
	if on {
		return 1
	}
	return 0
}

// StoreFindings keeps what the row rules counted. Storing again leaves one of each.
func (l *Library) StoreFindings(ctx context.Context, findings []mulu.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	facts := make([]findingFact, len(findings))
	for i, f := range findings {
		if f.Sample == nil {
			f.Sample = []int64{}
		}
		facts[i] = findingFact{f, l.now().UTC()}
	}
	if small(findings[0].Batch.First, findings[0].Batch.Last) {
		return l.findings.store(ctx, facts)
	}
	return l.insertFindings(ctx, facts)
}

// findingFact is a finding and when it was handed in.
type findingFact struct {
	mulu.Finding
	at time.Time
}

func (l *Library) insertFindings(ctx context.Context, facts []findingFact) error {
	return l.insert(ctx, findingsTable, len(facts), func(i int) []any {
		f := &facts[i]
		return []any{string(f.Dataset), f.Batch.Topic, f.Batch.TopicID.String(), uint32(f.Batch.Partition), uint64(f.Batch.First), uint64(f.Batch.Last),
			f.Ruleset, string(f.Rule), f.Indicator, f.Evaluated, f.Failed, f.Sample, f.at}
	})
}

// StoreManifest says that all of a batch is stored: it must come after everything
// else of the batch. It returns when the manifest is durable; small batches that end
// at about the same time share an insert. A crash before it makes the batch be walked
// again. A manifest whose equation does not hold is mulu.ErrInvalid.
func (l *Library) StoreManifest(ctx context.Context, m mulu.Manifest) error {
	if !m.Balanced() {
		return fmt.Errorf("store %s: manifest %s: %d offsets are not %d good + %d rejected + %d control: %w", manifestTable.name, m.BatchID, m.Last-m.First+1, m.Good, m.Rejected, m.Control, mulu.ErrInvalid)
	}
	if small(m.First, m.Last) {
		return l.manifests.store(ctx, []mulu.Manifest{m})
	}
	return l.insertManifests(ctx, []mulu.Manifest{m})
}

func (l *Library) insertManifests(ctx context.Context, ms []mulu.Manifest) error {
	return l.insert(ctx, manifestTable, len(ms), func(i int) []any {
		m := &ms[i]
		return []any{string(m.Dataset), m.Version, m.Topic, m.TopicID.String(), uint32(m.Partition), uint64(m.First), uint64(m.Last),
			m.Good, m.Rejected, m.Rows, m.Control, m.Bytes, m.Digest, m.At.UTC(), instantOf(m.Oldest), instantOf(m.Newest)}
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
func (l *Library) insert(ctx context.Context, t houseTable, n int, row func(i int) []any) error {
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
		if err := b.Append(row(i)...); err != nil {
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
