package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mulu"
	"mulu/library"
	"mulu/library/embedded"
)

// PeerName is the binary that Options.Peer defaults to, beside the bench's own.
const PeerName = "bench-peers"

// peerPatience is how long the peer may go without storing anything.
const peerPatience = 2 * time.Minute

// What the peer's work lacks beside ours, printed with its figure.
const peerLess = "同一主题、同样的 JSON 解码与插入设置；没有身份号码与信用代码的校验(Bloblang 写不出合理的形式)、出处列、问题数据、规则结果、清单、摘要与不丢不重的保证；插入经回环 HTTP / " +
	"same topic, JSON decoding and insert settings; no identifier checks, provenance, rejects, findings, manifests, digests or exactly-once; inserts over loopback HTTP"

// peerFigures lets Benthos v4.27.0 walk the topic into a twin of the table: the rules
// that its mapping language can express, inserted as JSONEachRow over a loopback port
// behind which is the same embedded engine. Its CPU is that of its process and of the
// engine in ours.
func peerFigures(ctx context.Context, o *Options, f *feed, lib *library.Library, engine *embedded.Engine, dir string, ours walk) ([]Figure, error) {
	if o.Peer == "" {
		return nil, nil
	}
	ds := dataset("bench_peer", topic, false)
	if err := lib.Apply(ctx, ds); err != nil {
		return nil, err
	}
	addr, stop, err := serveEngine(engine, o.Log)
	if err != nil {
		return nil, err
	}
	defer stop()
	config := filepath.Join(dir, "peer.yaml")
	if err := os.WriteFile(config, []byte(peerConfig(f.addr, addr, ds)), 0o600); err != nil {
		return nil, fmt.Errorf("write the peer's configuration: %w", err)
	}
	var want int64
	for i := range f.rows {
		if !faulty(i) || i%100 == 7 { // of the faults it sees the one of type
			want++
		}
	}
	o.Progress("Benthos v4.27.0", 0, want)
	watch, brokers := startWatch(), cpuOf(f.pid())
	cmd := exec.CommandContext(ctx, o.Peer, "-c", config)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	said := &tail{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the peer %s: %w", o.Peer, err)
	}
	stored, err := peerStored(ctx, o, lib, string(ds.Code), want)
	theirs := stage{watch.wall(), watch.cpu() + cpuOf(cmd.Process.Pid), cpuOf(f.pid()) - brokers}
	err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait() // it was told to end: how it did says nothing
	if err != nil {
		return nil, fmt.Errorf("peer stored %d of %d rows: %w: %s", stored, want, err, said.text())
	}
	return []Figure{
		figure("ingest.peer_benthos", perSecond(f.rows, ours.wall), "rows/s", "Benthos v4.27.0: "+peerLess, perSecond(f.rows, theirs.wall)),
		figure("ingest.peer_benthos_cpu", perMillion(ours.cpu, f.rows), "CPU-s/M rows", "Benthos v4.27.0, its process and the engine", perMillion(theirs.cpu, f.rows)),
	}, nil
}

// serveEngine answers ClickHouse's HTTP protocol on a free loopback port from the
// embedded engine.
func serveEngine(engine *embedded.Engine, log *slog.Logger) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("serve the engine: %w", err)
	}
	proxy := &httputil.ReverseProxy{Transport: engine.Transport(), Rewrite: func(*httputil.ProxyRequest) {}, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	srv := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(l) // until it is closed
	}()
	return l.Addr().String(), func() { srv.Close(); <-ended }, nil
}

// peerStored waits until the peer has stored as many rows as it must.
func peerStored(ctx context.Context, o *Options, lib *library.Library, table string, want int64) (n int64, err error) {
	for last := time.Now(); n < want; time.Sleep(20 * time.Millisecond) {
		now, err := library.RawRows(ctx, lib, "lib_bench", table)
		if err != nil {
			return n, err
		}
		if now > n {
			n, last = now, time.Now()
		}
		if time.Since(last) > peerPatience {
			return n, fmt.Errorf("nothing new for %s: %w", peerPatience, mulu.ErrBusy)
		}
		o.Progress("Benthos v4.27.0", n, want)
	}
	if n != want {
		return n, fmt.Errorf("more rows than expected: %w", mulu.ErrInvalid)
	}
	return n, nil
}

// peerConfig is its pipeline: ten of the twelve rules as bits of _flags, rows with text
// for a number left out, batches of as many rows as ours.
func peerConfig(kafka, engine string, ds *mulu.Dataset) string {
	names := make([]string, 0, len(ds.Columns)+1)
	for _, c := range ds.Columns {
		names = append(names, c.Name)
	}
	q := url.Values{"query": {"INSERT INTO lib_bench." + string(ds.Code) + " (" + strings.Join(append(names, mulu.ColFlags), ", ") + ") FORMAT JSONEachRow"}}
	for k, v := range map[string]string{"optimize_on_insert": "0", "max_insert_threads": "1", "min_insert_block_size_rows": "4000000", "min_insert_block_size_bytes": "0",
		"max_insert_block_size": "4000000", "date_time_input_format": "best_effort", "input_format_null_as_default": "0"} {
		q.Set(k, v)
	}
	return `http: {enabled: false}
logger: {level: WARN}
input:
  kafka_franz:
    seed_brokers: ["` + kafka + `"]
    topics: ["` + topic + `"]
    consumer_group: bench-peer
    start_from_oldest: true
    checkpoint_limit: 1000000
pipeline:
  threads: -1
  processors:
    - mapping: |
        root = if this.age.type() == "string" { deleted() }
    - mapping: |
        root = this
        root._flags = (if this.citizen_id == null { 1 } else { 0 }) +
          (if this.name == null { 8 } else { 0 }) +
          (if this.name != null && (this.name.length() < 6 || this.name.length() > 120) { 16 } else { 0 }) +
          (if this.mobile != null && !this.mobile.re_match("^1[3-9][0-9]{9}$") { 32 } else { 0 }) +
          (if !this.dept_code.re_match("^[A-Z]{3}-\\d{6}$") { 64 } else { 0 }) +
          (if !["VALID", "PENDING", "CANCELLED", "EXPIRED"].contains(this.status) { 128 } else { 0 }) +
          (if this.amount < 0 || this.amount > 900000 { 256 } else { 0 }) +
          (if this.age != null && (this.age < 0 || this.age > 120) { 512 } else { 0 }) +
          (if this.start_date < "1990-01-01" || this.start_date > "2026-01-01" { 1024 } else { 0 }) +
          (if this.updated_at < "2000-01-01" { 2048 } else { 0 })
output:
  http_client:
    url: ` + strconv.Quote("http://"+engine+"/?"+q.Encode()) + `
    verb: POST
    max_in_flight: ` + strconv.Itoa(partitions) + `
    timeout: 120s
    batching:
      count: ` + strconv.Itoa(batchRows) + `
      period: 1s
      processors:
        - archive: {format: lines}
`
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-2000):]
	return len(p), nil
}

func (t *tail) text() string { return strings.TrimSpace(string(t.b)) }
