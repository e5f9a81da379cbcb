package broker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/internal/broker"
)

// The test binary is also the broker child, and the parent that is killed.
func TestMain(m *testing.M) {
	dir, port := os.Getenv("TEST_BROKER_DIR"), os.Getenv("TEST_BROKER_PORT")
	n, _ := strconv.Atoi(port)
	switch os.Getenv("TEST_BROKER_ROLE") {
	case "child":
		ctx, stop := signal.NotifyContext(broker.Lifeline(context.Background()), syscall.SIGTERM)
		defer stop()
		err := broker.Serve(ctx, broker.Config{Dir: dir, Port: n, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case "parent":
		s, err := broker.Supervise(context.Background(), child(dir, port))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		pid, _, _, _ := s.State()
		fmt.Println(pid)
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

func child(dir, port string) broker.Child {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return broker.Child{
		Exe: exe, Addr: "127.0.0.1:" + port,
		Env: []string{"TEST_BROKER_ROLE=child", "TEST_BROKER_DIR=" + dir, "TEST_BROKER_PORT=" + port},
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// serve runs a broker in this process and returns its address.
func serve(t *testing.T, c broker.Config) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	addr, ended := make(chan string, 1), make(chan error, 1)
	c.Ready = func(a string) { addr <- a }
	go func() { ended <- broker.Serve(ctx, c) }()
	select {
	case a := <-addr:
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
		return a
	case err := <-ended:
		cancel()
		t.Fatalf("Serve: %v", err)
		return ""
	}
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func produce(t *testing.T, addr, topic string, from, to int) {
	t.Helper()
	cl := client(t, addr, kgo.DefaultProduceTopic(topic))
	for i := from; i < to; i++ {
		cl.Produce(t.Context(), kgo.StringRecord(fmt.Sprintf("record %06d", i)), func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("produce: %v", err)
			}
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, addr, topic string) (n int64) {
	t.Helper()
	adm := kadm.NewClient(client(t, addr))
	start, err := adm.ListStartOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	end, err := adm.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	end.Each(func(o kadm.ListedOffset) {
		s, _ := start.Lookup(topic, o.Partition)
		n += o.Offset - s.Offset
	})
	return n
}

func TestServe(t *testing.T) {
	dir := t.TempDir()
	addr := serve(t, broker.Config{Dir: dir})
	seeds := []string{addr}
	for range 2 { // the second time finds nothing to do
		if err := broker.EnsureTopics(t.Context(), seeds, []broker.TopicSpec{{Name: "a"}, {Name: "b", Partitions: 1}}); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("topics have the partitions asked for", func(t *testing.T) {
		topics, err := kadm.NewClient(client(t, addr)).ListTopics(t.Context())
		if err != nil || len(topics["a"].Partitions) != 4 || len(topics["b"].Partitions) != 1 {
			t.Errorf("topics %v, %v", topics, err)
		}
	})
	t.Run("an unknown topic is not created", func(t *testing.T) {
		cl := client(t, addr, kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(1))
		err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "surprise", Value: []byte("x")}).FirstErr()
		if !errors.Is(err, kerr.UnknownTopicOrPartition) {
			t.Errorf("produce: %v", err)
		}
	})
	t.Run("killer packets are harmless", func(t *testing.T) {
		for _, packet := range []string{
			"\x00\x00\x00\x0a\x7f\xff\x00\x00\x00\x00\x00\x01\x00\x00", // unknown key: kills a bare kfake
			"\xff\xff\xff\xff\x00\x03\x00\x00",                         // 4 GiB
			"\x7f\xff\xff\xff\x00\x03\x00\x00",
			"\x00\x00\x00\x0a\x00\x03\x7f\x00\x00\x00\x00\x01\x00\x00", // unknown version
			"\x00\x00\x00\x02\x00\x03\x00\x00",
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		} {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write([]byte(packet))
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("packet %q: connection stays open (%d, %v)", packet, n, err)
			}
			conn.Close()
		}
		if err := broker.Reach(t.Context(), seeds); err != nil {
			t.Errorf("after the packets: %v", err)
		}
	})
	t.Run("a second broker on the directory is refused by name", func(t *testing.T) {
		err := broker.Serve(t.Context(), broker.Config{Dir: dir})
		if !errors.Is(err, mulu.ErrConflict) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
			t.Errorf("Serve: %v, want a conflict that names PID %d", err, os.Getpid())
		}
	})
	t.Run("a taken port is named", func(t *testing.T) {
		_, port, _ := net.SplitHostPort(addr)
		n, _ := strconv.Atoi(port)
		err := broker.Serve(t.Context(), broker.Config{Dir: t.TempDir(), Port: n})
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "端口 "+port) {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Run("kcat reads what was written", func(t *testing.T) {
		kcat, err := exec.LookPath("kcat")
		if err != nil || os.Getenv("MULU_TEST_KCAT") == "" {
			t.Skip("set MULU_TEST_KCAT=1 with kcat in PATH")
		}
		produce(t, addr, "b", 0, 3)
		out, err := exec.Command(kcat, "-b", addr, "-C", "-t", "b", "-e", "-q").CombinedOutput()
		if err != nil || strings.Count(string(out), "record") != 3 {
			t.Errorf("kcat: %v\n%s", err, out)
		}
	})
}

func TestServeKeepsWithinItsBound(t *testing.T) {
	addr := serve(t, broker.Config{Dir: t.TempDir(), Retain: 200_000, Sweep: 50 * time.Millisecond})
	if err := broker.EnsureTopics(t.Context(), []string{addr}, []broker.TopicSpec{{Name: "a", Partitions: 1}}); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		produce(t, addr, "a", i*10_000, (i+1)*10_000)
	}
	const all = 100_000
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if n := count(t, addr, "a"); n < all/2 {
			return
		} else if time.Now().After(end) {
			t.Fatalf("%d of %d records are still kept", n, all)
		}
	}
}

func TestSupervise(t *testing.T) {
	dir, port := filepath.Join(t.TempDir(), "broker"), freePort(t)
	addr := "127.0.0.1:" + port
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := broker.Supervise(ctx, child(dir, port))
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.EnsureTopics(t.Context(), []string{addr}, []broker.TopicSpec{{Name: "a", Partitions: 2}}); err != nil {
		t.Fatal(err)
	}
	produce(t, addr, "a", 0, 5000)

	t.Run("topics and records survive kill -9 and the child comes back", func(t *testing.T) {
		pid, _, _, _ := s.State()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if now, ready, _, _ := s.State(); ready && now != pid {
				break
			} else if time.Now().After(end) {
				t.Fatal("the child did not come back")
			}
		}
		if n := count(t, addr, "a"); n != 5000 {
			t.Errorf("%d records after kill -9, want 5000", n)
		}
	})
	t.Run("it ends when asked", func(t *testing.T) {
		pid, _, _, _ := s.State()
		cancel()
		s.Wait()
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("child %d: %v, want it gone", pid, err)
		}
	})
	t.Run("a child that never starts is reported", func(t *testing.T) {
		serve(t, broker.Config{Dir: dir})
		_, err := broker.Supervise(t.Context(), child(dir, port))
		if err == nil || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
			t.Errorf("Supervise: %v, want the child's own reason", err)
		}
	})
}

func TestChildEndsWithItsParent(t *testing.T) {
	port := freePort(t)
	c := child(t.TempDir(), port)
	parent := exec.Command(c.Exe)
	parent.Env = append(append(os.Environ(), c.Env...), "TEST_BROKER_ROLE=parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	for end := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("child %d outlives its parent", pid)
		}
	}
}
