package broker

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// keep applies retention until ctx ends. kfake has no bound over all topics and
// its own ticker does not run for broker settings: so the bytes are shared out
// evenly over the partitions there are, as the broker's default per partition, and
// applied here. A partition with a limit of its own keeps that.
func keep(ctx context.Context, cluster *kfake.Cluster, addr string, c Config) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID("mulu-broker-retention"))
	if err != nil {
		c.Log.Error("broker keeps everything: no client for retention", "error", err)
		<-ctx.Done()
		return
	}
	defer cl.Close()
	tick := time.NewTicker(c.Sweep)
	defer tick.Stop()
	for share := int64(0); ; {
		if share, err = setShare(ctx, kadm.NewClient(cl), c.Retain, share); err != nil && ctx.Err() == nil {
			c.Log.Warn("set retention", "error", err)
		}
		if ctx.Err() == nil {
			cluster.ApplyRetention()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// setShare sets the default bytes of a partition to its part of all if that
// changed, and returns it.
func setShare(ctx context.Context, adm *kadm.Client, all, was int64) (int64, error) {
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return was, err
	}
	partitions := 0
	for _, t := range topics {
		partitions += len(t.Partitions)
	}
	share := all / int64(max(partitions, 1))
	if share == was {
		return was, nil
	}
	value := strconv.FormatInt(share, 10)
	resp, err := adm.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Name: "log.retention.bytes", Value: &value}})
	if err != nil {
		return was, err
	}
	for _, r := range resp {
		if r.Err != nil {
			return was, r.Err
		}
	}
	return share, nil
}
