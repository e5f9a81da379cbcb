package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"mulu/internal/broker"
)

// Street systems often speak Kafka through segmentio/kafka-go: its writer and its
// group reader must find their way here (docs/adr/0001).
func TestKafkaGo(t *testing.T) {
	addr := serve(t, broker.Config{Dir: t.TempDir()})
	if err := broker.EnsureTopics(t.Context(), []string{addr}, []broker.TopicSpec{{Name: "interop", Partitions: 2}}); err != nil {
		t.Fatal(err)
	}
	w := &kafka.Writer{Addr: kafka.TCP(addr), Topic: "interop", Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, BatchTimeout: 10 * time.Millisecond}
	defer w.Close()
	const n = 50
	msgs := make([]kafka.Message, n)
	for i := range msgs {
		msgs[i] = kafka.Message{Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, `{"i":%d}`, i)}
	}
	if err := w.WriteMessages(t.Context(), msgs...); err != nil {
		t.Fatalf("write: %v", err)
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, GroupID: "street", Topic: "interop", MaxWait: 100 * time.Millisecond, StartOffset: kafka.FirstOffset})
	defer r.Close()
	seen := map[string]bool{}
	for len(seen) < n {
		m, err := r.ReadMessage(t.Context())
		if err != nil {
			t.Fatalf("read after %d: %v", len(seen), err)
		}
		if seen[string(m.Key)] {
			t.Errorf("%s came twice", m.Key)
		}
		seen[string(m.Key)] = true
	}
}
