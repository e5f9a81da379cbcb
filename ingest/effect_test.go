package ingest_test

import (
	"testing"

	"mulu"
	"mulu/ingest"
)

// A version applied while nothing comes takes effect before the next record, on a
// partition whose first batch this process read too.
func TestVersionTakesEffectWhileNothingComes(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 1, "a")
	b.produce(t, "a", 0, 50)
	j, _ := openJournal(t)
	k := &sink{j: j}
	s, _ := run(t, k, ingest.Options{Seeds: []string{b.addr}, Datasets: []*mulu.Dataset{small("a", "a")}})
	eventually(t, "records of version 1", func() bool { st := s.Status(); return len(st) == 1 && st[0].Version == 1 && st[0].Position == 50 })
	newer := small("a", "a")
	newer.Version = 2
	if err := s.Add(newer); err != nil {
		t.Fatal(err)
	}
	eventually(t, "version 2 in force", func() bool { st := s.Status()[0]; return st.Version == 2 && st.Since == 50 })
	b.produce(t, "a", 50, 80)
	eventually(t, "records of version 2", func() bool { return k.distinct() == 80 })
	for _, got := range k.batches {
		if want := got.Plan.First >= 50; want != (got.Plan.Version == 2) {
			t.Errorf("batch %s is of version %d", got.Plan.BatchID, got.Plan.Version)
		}
	}
}
