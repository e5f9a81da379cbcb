package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"

	"github.com/spf13/cobra"

	"mulu/internal/broker"
)

// garbage is memory that is asked for and never touched, so that the collector lets as
// much again pile up before it runs. A broker keeps 15 MB alive and makes a new copy of
// every answer: it would collect after every 15 MB, a third of all its CPU time.
const garbage = 64 << 20

func newBroker() *cobra.Command {
	var dir, listen string
	var retainMB int64
	c := &cobra.Command{
		Use:   "broker",
		Short: "只启动内嵌试用 Kafka / the embedded trial broker alone",
		Long: `内嵌试用 Kafka：单进程、有容量上限、无副本、只监听本机。生产环境请用 broker.seeds 指向真正的 Kafka。
A trial broker: one process, bounded, no replicas, loopback only. Production points broker.seeds at Kafka.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			port, err := loopbackPort(listen)
			if err != nil {
				return usageError{err}
			}
			room := make([]byte, garbage)
			defer runtime.KeepAlive(room)
			return broker.Serve(broker.Lifeline(c.Context()), broker.Config{
				Dir: dir, Port: port, Retain: retainMB << 20,
				Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
				Ready: func(addr string) {
					fmt.Fprintf(c.OutOrStdout(), "试用 Kafka 已就绪 / trial broker listening on %s\n", addr)
				},
			})
		},
	}
	c.Flags().StringVar(&dir, "data", "mulu-data/broker", "数据目录 / data directory")
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:19092", "监听地址（仅限本机）/ address, loopback only")
	c.Flags().Int64Var(&retainMB, "retain-mb", 1024, "全部主题共保留多少 MB / megabytes kept over all topics")
	return c
}

// loopbackPort takes the port of an address on this machine.
func loopbackPort(addr string) (int, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, fmt.Errorf("地址 %q 不是 host:port / not host:port", addr)
	}
	if host != "127.0.0.1" && host != "localhost" {
		return 0, fmt.Errorf("试用 Kafka 只能监听 127.0.0.1，%q 不是 / the trial broker listens on 127.0.0.1 only", host)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return 0, fmt.Errorf("端口 %q 不对 / not a port", port)
	}
	return n, nil
}
