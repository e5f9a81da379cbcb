package ingest_test

import (
	"testing"

	"mulu"
	"mulu/ingest"
)

// TestBatchKnowsItsTopic: what a truncate or a snapshot may say depends on how many
// partitions its topic has, so every batch must know.
func TestBatchKnowsItsTopic(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 1, "one")
	b.topics(t, 3, "three")
	b.produce(t, "one", 0, 10)
	b.produce(t, "three", 0, 30)
	j, _ := openJournal(t)
	k := &sink{j: j}
	run(t, k, ingest.Options{Seeds: []string{b.addr}, Datasets: []*mulu.Dataset{small("one", "one"), small("three", "three")}})
	eventually(t, "all read", func() bool { return k.distinct() == 30 })
	eventually(t, "both topics read", func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		seen := map[string]bool{}
		for _, batch := range k.batches {
			seen[batch.Plan.Topic] = true
			if want := map[string]int{"one": 1, "three": 3}[batch.Plan.Topic]; batch.Partitions != want {
				t.Fatalf("batch %s says %d partitions, want %d", batch.Plan.BatchID, batch.Partitions, want)
			}
		}
		return len(seen) == 2
	})
}
