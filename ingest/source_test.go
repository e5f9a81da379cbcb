package ingest_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/ingest"
)

func once(t *testing.T, k *sink) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for v, n := range k.values {
		if n != 1 {
			t.Errorf("%s was done %d times", v, n)
		}
	}
}

func TestSource(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 2, "a")
	b.topics(t, 1, "late", "other")
	b.produce(t, "a", 0, 2500)
	j, db := openJournal(t)
	k := &sink{j: j}
	s, stop := run(t, k, ingest.Options{Seeds: []string{b.addr}, Instance: "i1", Datasets: []*mulu.Dataset{small("a", "a")}, BatchRows: 300})
	eventually(t, "all records", func() bool { return k.distinct() == 2500 })

	t.Run("batches end before multiples of BatchRows", func(t *testing.T) {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, b := range k.batches {
			if b.Plan.First/300 != b.Plan.Last/300 || b.Control() != 0 || b.InDoubt {
				t.Errorf("batch %s: control %d, in doubt %v", b.Plan.BatchID, b.Control(), b.InDoubt)
			}
		}
	})
	t.Run("status shows no lag", func(t *testing.T) {
		eventually(t, "lag 0", func() bool {
			st := s.Status()
			return len(st) == 2 && st[0].Lag+st[1].Lag == 0 && st[0].Position+st[1].Position == 2500 && st[0].Held == 0
		})
	})
	t.Run("the group knows the position", func(t *testing.T) {
		adm := kadm.NewClient(b.client(t))
		eventually(t, "commit", func() bool {
			lags, err := adm.Lag(t.Context(), "mulu")
			return err == nil && lags.Error() == nil && lags["mulu"].Lag.Total() == 0
		})
	})
	t.Run("a dataset added later is read, an undeclared topic is not", func(t *testing.T) {
		if err := s.Add(small("late", "late")); err != nil {
			t.Fatal(err)
		}
		b.produce(t, "other", 8000, 8010)
		b.produce(t, "late", 9000, 9010)
		eventually(t, "late records", func() bool { return k.distinct() == 2510 })
		if err := s.Add(small("thief", "a")); !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("Add of another dataset's topic: %v", err)
		}
	})
	t.Run("a broker restart is survived", func(t *testing.T) {
		b.stop()
		time.Sleep(300 * time.Millisecond)
		b.start(t)
		b.produce(t, "a", 2500, 3000)
		eventually(t, "records after the restart", func() bool { return k.distinct() == 3010 })
	})
	t.Run("a restart goes on from the journal", func(t *testing.T) {
		stop()
		b.produce(t, "a", 3000, 3200)
		run(t, k, ingest.Options{Seeds: []string{b.addr}, Instance: "i1", Datasets: []*mulu.Dataset{small("a", "a")}, BatchRows: 300})
		eventually(t, "new records", func() bool { return k.distinct() == 3210 })
		once(t, k)
		if n := countRows(t, db, `SELECT count(*) FROM ingest_plan WHERE done_at = 0`); n != 0 {
			t.Errorf("%d plans are still open", n)
		}
	})
}

func TestSourceRepeatsAFailedStep(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 1, "a")
	b.produce(t, "a", 0, 500)
	j, _ := openJournal(t)
	var failures atomic.Int64
	var first ingest.Batch
	k := &sink{j: j, fail: func(b *ingest.Batch) error {
		switch failures.Add(1) {
		case 1:
			first = *b
			return errors.New("library is down")
		case 2:
			if b.Plan != first.Plan || !b.InDoubt || len(b.Records) != len(first.Records) {
				t.Errorf("second time %+v with %d records, in doubt %v; first %+v", b.Plan, len(b.Records), b.InDoubt, first.Plan)
			}
		}
		return nil
	}}
	run(t, k, ingest.Options{Seeds: []string{b.addr}, Datasets: []*mulu.Dataset{small("a", "a")}})
	eventually(t, "all records", func() bool { return k.distinct() == 500 })
	once(t, k)
	if k.doubts != 1 {
		t.Errorf("%d batches done in doubt, want 1", k.doubts)
	}
}

func TestSourceRebuildsAnOpenPlan(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 1, "a")
	b.produce(t, "a", 0, 500)
	j, _ := openJournal(t)
	topics, err := kadm.NewClient(b.client(t)).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What a process leaves that was killed after its plan; since then version 7 was
	// applied, which takes effect after what the broker holds.
	plan := mulu.Plan{BatchID: mulu.BatchID{TopicID: mulu.TopicID(topics["a"].ID), Topic: "a", First: 0, Last: 41}, Dataset: "a", Version: 1}
	if err := j.Plan(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	k := &sink{j: j}
	newer := small("a", "a")
	newer.Version = 7
	s, _ := run(t, k, ingest.Options{Seeds: []string{b.addr}, Datasets: []*mulu.Dataset{newer}, BatchRows: 10})
	eventually(t, "all records", func() bool { return k.distinct() == 500 })
	eventually(t, "version 7 is scheduled", func() bool { st := s.Status()[0]; return st.Version == 7 || st.Next != nil })
	b.produce(t, "a", 500, 600)
	eventually(t, "records of version 7", func() bool { return k.distinct() == 600 })
	once(t, k)
	for _, got := range k.batches {
		if want := uint32(1); got.Plan.First < 500 && got.Plan.Version != want || got.Plan.First >= 500 && got.Plan.Version != 7 {
			t.Errorf("batch %s is of version %d", got.Plan.BatchID, got.Plan.Version)
		}
	}
	if got := k.batches[0]; got.Plan != plan || !got.InDoubt || len(got.Records) != 42 {
		t.Errorf("first batch %+v in doubt %v, %d records; want %+v with 42", got.Plan, got.InDoubt, len(got.Records), plan)
	}
	if got := k.batches[1]; got.Plan.First != 42 || got.Plan.Last != 49 || got.Plan.Version != 1 {
		t.Errorf("second batch %+v", got.Plan)
	}
}

func TestSourceStepsAsideForAQuickerOwner(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 1, "a")
	b.produce(t, "a", 0, 100)
	j, _ := openJournal(t)
	var stolen atomic.Bool
	k := &sink{j: j}
	k.fail = func(got *ingest.Batch) error {
		if stolen.Swap(true) {
			return nil
		}
		// A former owner closes the same batch first.
		return j.Done(t.Context(), mulu.Manifest{Plan: got.Plan, Good: int64(len(got.Records)), Control: got.Control(), Digest: "sha256:other"})
	}
	run(t, k, ingest.Options{Seeds: []string{b.addr}, Datasets: []*mulu.Dataset{small("a", "a")}})
	eventually(t, "the batch is refused", stolen.Load)
	b.produce(t, "a", 100, 200)
	eventually(t, "records after it", func() bool { return k.distinct() >= 100 })
	time.Sleep(200 * time.Millisecond)
	if n := k.distinct(); n != 100 {
		t.Errorf("%d records done here, want the 100 the other owner did not", n)
	}
}

func TestSourceTransactions(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 1, "a")
	cl := b.client(t, kgo.DefaultProduceTopic("a"), kgo.TransactionalID("tx"))
	for i, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for n := range 10 {
			if err := cl.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprintf(`{"id":"%d-%d"}`, i, n))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cl.EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	j, _ := openJournal(t)
	k := &sink{j: j}
	s, _ := run(t, k, ingest.Options{Seeds: []string{b.addr}, Datasets: []*mulu.Dataset{small("a", "a")}, BatchRows: 7})
	// 40 records and 4 markers; the topic ends in an aborted transaction's marker.
	eventually(t, "position 44", func() bool {
		st := s.Status()
		return len(st) == 1 && st[0].Position == 44 && st[0].Lag == 0
	})
	once(t, k)
	if k.distinct() != 20 || k.control != 24 {
		t.Errorf("%d records and %d control offsets, want 20 and 24", k.distinct(), k.control)
	}
	for v := range k.values {
		if strings.HasPrefix(v, `{"id":"1-`) || strings.HasPrefix(v, `{"id":"3-`) {
			t.Errorf("aborted record %s was read", v)
		}
	}
}

func TestSourceStopsOnlyTheTopicThatWasCreatedAgain(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 1, "a", "b")
	b.produce(t, "a", 0, 50)
	j, _ := openJournal(t)
	k := &sink{j: j}
	o := ingest.Options{Seeds: []string{b.addr}, Datasets: []*mulu.Dataset{small("a", "a"), small("b", "b")}}
	_, stop := run(t, k, o)
	eventually(t, "records", func() bool { return k.distinct() == 50 })
	stop()
	if _, err := kadm.NewClient(b.client(t)).DeleteTopics(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	b.topics(t, 1, "a")
	b.produce(t, "a", 1000, 1100)
	b.produce(t, "b", 2000, 2010)
	s, _ := run(t, k, o)
	eventually(t, "the other topic", func() bool { return k.distinct() == 60 })
	eventually(t, "the alert", func() bool {
		st := s.Status()
		return len(st) == 2 && st[0].Stopped && strings.Contains(st[0].Error, "重建") && st[0].Remedy == ingest.RemedyAccept && !st[1].Stopped
	})
	if err := j.Retire(t.Context(), "a", "op", "rebuilt on purpose"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new topic after a person agreed", func() bool { return k.distinct() == 160 })
	once(t, k)
}

func TestSourceStopsWhenOffsetsAreGone(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 1, "a")
	b.produce(t, "a", 0, 50)
	j, _ := openJournal(t)
	k := &sink{j: j}
	o := ingest.Options{Seeds: []string{b.addr}, Datasets: []*mulu.Dataset{small("a", "a")}}
	_, stop := run(t, k, o)
	eventually(t, "records", func() bool { return k.distinct() == 50 })
	stop()
	b.produce(t, "a", 50, 100)
	gone := kadm.Offsets{}
	gone.Add(kadm.Offset{Topic: "a", Partition: 0, At: 80})
	if _, err := kadm.NewClient(b.client(t)).DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	s, _ := run(t, k, o)
	eventually(t, "the alert", func() bool {
		st := s.Status()
		return len(st) == 1 && st[0].Stopped && strings.Contains(st[0].Error, "50 至 79") && st[0].Remedy == ingest.RemedySkip && st[0].SkipTo == 80
	})
	at, err := j.Positions(t.Context())
	if err != nil || len(at) != 1 {
		t.Fatalf("positions %v, %v", at, err)
	}
	if err := j.Skip(t.Context(), at[0].TopicID, 0, 80, "op", "they are gone"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rest after a person agreed", func() bool { return k.distinct() == 70 })
	if at, _ = j.Positions(t.Context()); at[0].Lost != 30 || at[0].Next != 100 || at[0].Good != 70 {
		t.Errorf("position %+v", at[0])
	}
}

func TestSourceSharesPartitions(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 4, "a")
	j, db := openJournal(t)
	k := &sink{j: j}
	o := ingest.Options{Seeds: []string{b.addr}, Datasets: []*mulu.Dataset{small("a", "a")}, BatchRows: 50, Linger: 5 * time.Millisecond}
	one, _ := run(t, k, o)
	b.produce(t, "a", 0, 1000)
	eventually(t, "one member reads", func() bool { return k.distinct() == 1000 })
	two, stop := run(t, k, o)
	for i := range 10 { // while the group rebalances
		b.produce(t, "a", 1000+i*200, 1200+i*200)
	}
	eventually(t, "both members hold partitions", func() bool { return len(one.Status()) == 2 && len(two.Status()) == 2 })
	stop()
	b.produce(t, "a", 3000, 3500)
	eventually(t, "all records", func() bool { return k.distinct() == 3500 })
	once(t, k)
	if n := countRows(t, db, `SELECT sum(good + rejected + control) FROM ingest_position`); n != 3500 {
		t.Errorf("the journal counts %d offsets, want 3500", n)
	}
}

func TestSourceHoldsToItsByteBudget(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 4, "a")
	b.produce(t, "a", 0, 20_000)
	j, _ := openJournal(t)
	k := &sink{j: j}
	s, _ := run(t, k, ingest.Options{Seeds: []string{b.addr}, Datasets: []*mulu.Dataset{small("a", "a")}, BatchBytes: 1000, BufferBytes: 20_000})
	eventually(t, "all records in spite of pauses", func() bool { return k.distinct() == 20_000 })
	once(t, k)
	for _, st := range s.Status() {
		if st.Held != 0 {
			t.Errorf("%s/%d holds %d bytes at rest", st.Topic, st.Partition, st.Held)
		}
	}
}
