// Package broker is the trial broker: a Kafka-protocol server in one process with
// a data directory, for a machine without Kafka. It is franz-go's kfake, which its
// authors made for tests, behind the guards that make it bearable on loopback:
// frames are checked before it sees them (one packet with an unknown key would
// kill it), topics are created explicitly (an auto-created one is lost with its
// records on kill -9), every write is synced, the directory is locked, and what is
// kept is bounded (a restart reads the whole log into memory).
//
// It has no replication and ignores errors of fsync: for anything that must not be
// lost, point mulu at a Kafka cluster. Serve is what `mulu broker` runs; Supervise
// runs that as a child, so that the broker can not take the pipeline down.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"mulu"
)

// Config says where the broker listens and what it keeps.
type Config struct {
	Dir       string        // data directory, created if absent
	Port      int           // on 127.0.0.1; 0 takes a free one
	Retain    int64         // bytes kept over all topics, default 1 GiB; the oldest go first
	RetainFor time.Duration // records older than this go, default 7 days
	Sweep     time.Duration // how often retention is applied, default 30 s
	Log       *slog.Logger
	Ready     func(addr string) // called once when listening; may be nil
}

func (c *Config) defaults() {
	if c.Retain == 0 {
		c.Retain = 1 << 30
	}
	if c.RetainFor == 0 {
		c.RetainFor = 7 * 24 * time.Hour
	}
	if c.Sweep == 0 {
		c.Sweep = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Serve runs the broker until ctx ends, then saves its state and returns nil. It
// fails at once if the port is taken or another broker holds the directory. The
// caller turns SIGTERM into the end of ctx.
func Serve(ctx context.Context, c Config) error {
	c.defaults()
	if c.Dir == "" {
		return fmt.Errorf("start broker: no data directory: %w", mulu.ErrInvalid)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("start broker: %w", err)
	}
	lock, err := lockDir(ctx, c.Dir)
	if err != nil {
		return fmt.Errorf("start broker: %w", err)
	}
	defer lock.Close() // the kernel lets the lock go with the file, also on kill -9
	var listened error
	cluster, err := kfake.NewCluster(
		kfake.Ports(c.Port), // one port is one broker
		kfake.DataDir(filepath.Join(c.Dir, "log")),
		kfake.SyncWrites(),
		kfake.ClusterID("mulu-trial"),
		kfake.DefaultNumPartitions(4),
		kfake.BrokerConfigs(map[string]string{
			"log.retention.ms": strconv.FormatInt(c.RetainFor.Milliseconds(), 10),
			// Small segments: only whole ones are deleted, and a restart reads one at a time.
			"log.segment.bytes": strconv.FormatInt(max(1<<20, min(32<<20, c.Retain/16)), 10),
		}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := net.Listen(network, net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
			if err != nil {
				listened = err
				return nil, err
			}
			return guard(l, c.Log), nil
		}),
		kfake.WithLogger(logger{c.Log}),
	)
	switch {
	case errors.Is(listened, syscall.EADDRINUSE):
		return fmt.Errorf("start broker: 端口 %d 已被占用，请换一个端口或停止占用它的程序 / port 127.0.0.1:%d is taken: %w", c.Port, c.Port, listened)
	case err != nil:
		return fmt.Errorf("start broker: %w", err)
	}
	addr := cluster.ListenAddrs()[0]
	c.Log.Info("broker ready", "addr", addr, "dir", c.Dir, "pid", os.Getpid(), "retain_bytes", c.Retain)
	if c.Ready != nil {
		c.Ready(addr)
	}
	keep(ctx, cluster, addr, c)
	cluster.Close() // saves offsets, sessions and a snapshot; a kill instead costs a slower start
	c.Log.Info("broker stopped", "addr", addr)
	return nil
}

// lockWait is how long a predecessor that was just killed may take to vanish.
const lockWait = 2 * time.Second

// lockDir takes the directory for this process alone and writes its PID into the
// lock file.
func lockDir(ctx context.Context, dir string) (*os.File, error) {
	path := filepath.Join(dir, "broker.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	for end := time.Now().Add(lockWait); ; time.Sleep(50 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || ctx.Err() != nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		holder := make([]byte, 20)
		n, _ := f.ReadAt(holder, 0)
		f.Close()
		return nil, fmt.Errorf("数据目录 %s 正由进程 %s 使用 / data directory is held by PID %s: %w", dir, holder[:n], holder[:n], mulu.ErrConflict)
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid()))); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	return f, nil
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// logger passes kfake's lines on.
type logger struct{ log *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	}
	if l.log.Enabled(context.Background(), to) {
		l.log.Log(context.Background(), to, "kfake", "message", fmt.Sprintf(format, args...))
	}
}
