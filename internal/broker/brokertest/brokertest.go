// Package brokertest gives a test a broker of its own, and what is committed on it.
package brokertest

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu/internal/broker"
)

// Start runs a broker until the test ends and gives its address.
func Start(t testing.TB) (addr string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	dir := t.TempDir()
	go func() { ended <- broker.Serve(ctx, broker.Config{Dir: dir, Ready: func(a string) { ready <- a }}) }()
	select {
	case addr = <-ready:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); <-ended })
	return addr
}

// Topic makes a topic.
func Topic(t testing.TB, addr, name string, partitions int32) {
	t.Helper()
	if err := broker.EnsureTopics(t.Context(), []string{addr}, []broker.TopicSpec{{Name: name, Partitions: partitions}}); err != nil {
		t.Fatal(err)
	}
}

// Committed reads what is committed on a topic, control records left out, each partition
// in its order.
func Committed(t testing.TB, addr, topic string) (out []*kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		fetches := cl.PollFetches(ctx)
		cancel()
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(k *kgo.Record) {
			if !k.Attrs.IsControl() {
				out = append(out, k)
			}
			if k.Offset+1 >= left[k.Partition] {
				delete(left, k.Partition)
			}
		})
	}
	return out
}
