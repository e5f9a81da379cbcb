package ingest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/ingest"
)

func TestReread(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 1, "a", "empty")
	b.produce(t, "a", 0, 20)
	cl := b.client(t, kgo.DefaultProduceTopic("a"), kgo.TransactionalID("tx"))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), kgo.StringRecord("never")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryAbort); err != nil { // offsets 20 and 21
		t.Fatal(err)
	}
	r := ingest.NewRereader([]string{b.addr})
	r.Impatient(3 * time.Second)
	extents, err := r.Extents(t.Context(), []string{"a", "empty", "absent"})
	if err != nil {
		t.Fatal(err)
	}
	e := extents["a"][0]
	if e.Start != 0 || e.End != 22 || e.TopicID == (mulu.TopicID{}) || len(extents) != 2 || extents["empty"][0].End != 0 {
		t.Fatalf("extents %+v", extents)
	}
	w, err := r.Open("a", 0, 3, e.End)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, c := range []struct{ first, last, from, n int64 }{{3, 4, 3, 2}, {7, 15, 7, 9}, {16, 21, 16, 4}} {
		records, err := w.Read(t.Context(), c.first, c.last)
		if err != nil || int64(len(records)) != c.n || records[0].Offset != c.from || records[c.n-1].Offset != c.from+c.n-1 {
			t.Errorf("%d–%d: %+v %v", c.first, c.last, records, err)
		}
	}
	t.Run("a broker that gives nothing is an error and not an empty range", func(t *testing.T) {
		w, err := r.Open("a", 0, 10, 100)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if records, err := w.Read(t.Context(), 10, 50); !errors.Is(err, mulu.ErrBusy) {
			t.Errorf("%d records, %v", len(records), err)
		}
	})
	t.Run("a broker that is away", func(t *testing.T) {
		if _, err := ingest.NewRereader([]string{"127.0.0.1:1"}, kgo.RetryTimeout(time.Second)).Extents(t.Context(), []string{"a"}); !errors.Is(err, mulu.ErrBusy) {
			t.Errorf("%v", err)
		}
	})
}
