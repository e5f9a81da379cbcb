package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TopicSpec is a topic that must exist.
type TopicSpec struct {
	Name       string
	Partitions int32 // default 4; 1 for a small dataset
	Replicas   int16 // default the broker's own
	Configs    map[string]string
}

// EnsureTopics creates the topics that do not exist, on any Kafka-protocol broker;
// those that do are left as they are. A created topic is on disk when it returns.
// opts carry TLS and SASL.
func EnsureTopics(ctx context.Context, seeds []string, topics []TopicSpec, opts ...kgo.Opt) error {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(seeds...), kgo.ClientID("mulu-topics")}, opts...)...)
	if err != nil {
		return fmt.Errorf("ensure topics: %w", err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	have, err := adm.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("ensure topics: list: %w", err)
	}
	for _, t := range topics {
		if have.Has(t.Name) {
			continue
		}
		partitions, replicas := t.Partitions, t.Replicas
		if partitions == 0 {
			partitions = 4
		}
		if replicas == 0 {
			replicas = -1
		}
		configs := map[string]*string{}
		for k, v := range t.Configs {
			configs[k] = &v
		}
		resp, err := adm.CreateTopic(ctx, partitions, replicas, configs, t.Name)
		if err == nil {
			err = resp.Err
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) { // another process was quicker
			return fmt.Errorf("ensure topic %q: %w", t.Name, err)
		}
	}
	return nil
}

// Reach asks for the broker's metadata until it answers or ctx ends.
func Reach(ctx context.Context, seeds []string, opts ...kgo.Opt) error {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(seeds...), kgo.ClientID("mulu-reach")}, opts...)...)
	if err != nil {
		return fmt.Errorf("reach broker: %w", err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).ListBrokers(ctx); err != nil {
		return fmt.Errorf("reach broker %v: %w", seeds, err)
	}
	return nil
}
