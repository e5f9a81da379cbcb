package torture

import (
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// brokerKills is kill -9 and restart of the broker, or of one node of an outside
// cluster, while a producer with acks=all goes on.
func brokerKills(ctx context.Context, o Options, out *Outcome) error {
	if len(o.Brokers) > 0 && (o.BrokerKill == "" || o.BrokerStart == "") {
		return notRun("外部 Kafka 需要 --broker-kill 与 --broker-start / an outside Kafka needs --broker-kill and --broker-start")
	}
	r, f, err := newFlow(ctx, o, out)
	if err != nil {
		return err
	}
	defer r.close()
	for round := range o.Rounds {
		o.Progress("kill -9 Kafka 节点 / killing a broker", int64(round), int64(o.Rounds))
		if err := pause(ctx, time.Duration(1500+r.rng.IntN(1500))*time.Millisecond); err != nil {
			return err
		}
		if err := r.killBroker(ctx); err != nil {
			return err
		}
		out.Figures["brokers_killed"]++
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	out.Did = fmt.Sprintf("kill -9 Kafka 节点 × %d，生产者 acks=all 不停 / broker killed × %d, acks=all producer going on", o.Rounds, o.Rounds)
	return r.settle(ctx, f, r.datasets[0])
}

// killBroker kills a broker and returns when it is back.
func (r *rig) killBroker(ctx context.Context) error {
	if r.broker == nil {
		if err := shell(ctx, r.o.BrokerKill); err != nil {
			return err
		}
		if err := pause(ctx, 3*time.Second); err != nil { // the others must do without it
			return err
		}
		return shell(ctx, r.o.BrokerStart)
	}
	pid, _, before, _ := r.broker.State()
	if pid == 0 {
		return fmt.Errorf("the broker is down before it was killed")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill broker %d: %w", pid, err)
	}
	return until(ctx, waitReady, "the broker comes back", func() (bool, error) {
		_, ready, restarts, _ := r.broker.State()
		return ready && restarts > before, nil
	})
}

func shell(ctx context.Context, command string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "sh", "-c", command).CombinedOutput(); err != nil {
		return fmt.Errorf("run %q: %w: %s", command, err, out)
	}
	return nil
}
