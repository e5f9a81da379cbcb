package embedded

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func startIdle(tb testing.TB) *Engine {
	tb.Helper()
	lib := os.Getenv(EnvLib)
	if lib == "" {
		lib = "../../engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
	}
	e, err := Start(tb.Context(), Options{Dir: tb.TempDir(), Lib: lib})
	if err != nil {
		tb.Fatalf("these tests need the engine: %v", err)
	}
	tb.Cleanup(func() {
		if err := e.Stop(tb.Context()); err != nil && tb.Context().Err() == nil {
			tb.Error(err)
		}
	})
	return e
}

// ask runs one statement over the transport, as clickhouse-go would.
func ask(tb testing.TB, e *Engine, sql, body string, params ...string) string {
	tb.Helper()
	q := url.Values{"default_format": {"TSV"}}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	if body != "" {
		q.Set("query", sql)
		sql = body
	}
	r, err := http.NewRequestWithContext(tb.Context(), "POST", "http://engine/?"+q.Encode(), strings.NewReader(sql))
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := e.Transport().RoundTrip(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func (i *idle) size() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.list)
}

// A connection that is taken over must be as a new one: no parameter, no setting, no
// database, no half statement of what ran on it before.
func TestIdleConnectionIsClean(t *testing.T) {
	e := startIdle(t)
	ask(t, e, "CREATE DATABASE a ENGINE=Atomic", "")
	ask(t, e, "CREATE TABLE a.t (x UInt32) ENGINE=MergeTree ORDER BY x", "")
	if n := e.idle.size(); n != 0 {
		t.Errorf("%d connections that ran DDL are kept", n)
	}
	if got := ask(t, e, "SELECT {x:UInt32}, getSetting('max_threads')", "", "param_x", "7", "max_threads", "1"); got != "7\t1" {
		t.Fatalf("first statement: %q", got)
	}
	if n := e.idle.size(); n != 1 {
		t.Fatalf("%d connections idle, want 1", n)
	}
	if got := ask(t, e, "SELECT {x:UInt32}", "", "max_threads", "1"); !strings.Contains(got, "x") || !strings.Contains(got, "UNKNOWN_QUERY_PARAMETER") {
		t.Errorf("a parameter of the statement before is still there: %q", got)
	}
	if n := e.idle.size(); n != 0 {
		t.Errorf("%d connections that met an error are kept", n)
	}
	if got := ask(t, e, "SELECT getSetting('max_threads')", ""); got == "1" {
		t.Errorf("a setting of another statement is still there")
	}
	for range 3 {
		if got := ask(t, e, "INSERT INTO t FORMAT TSV", "1\n2\n", "database", "a"); got != "" {
			t.Fatalf("insert: %q", got)
		}
	}
	if got := ask(t, e, "INSERT INTO t FORMAT TSV", "1\nnot a number\n", "database", "a"); !strings.Contains(got, "Code:") {
		t.Fatalf("a bad insert: %q", got)
	}
	if got := ask(t, e, "SELECT count(), sum(x) FROM t", "", "database", "a"); got != "6\t9" {
		t.Errorf("rows: %q, want 6 and 9", got)
	}
	if got := ask(t, e, "SELECT count() FROM t", ""); !strings.Contains(got, "Code:") {
		t.Errorf("a database of another statement is still there: %q", got)
	}
	for i := range 3 * cap(e.slots) { // as many states as that are not kept
		ask(t, e, "SELECT 1", "", "max_rows_to_read", fmt.Sprint(1000+i))
	}
	if n := e.idle.size(); n != cap(e.slots) {
		t.Errorf("%d connections are idle, want %d", n, cap(e.slots))
	}
}

// A result that is closed half way leaves no connection behind for others.
func TestIdleNotAfterHalfARead(t *testing.T) {
	e := startIdle(t)
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://engine/?default_format=TSV", strings.NewReader("SELECT number FROM numbers(10000000)"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := e.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	io.CopyN(io.Discard, resp.Body, 100) //nolint:errcheck // some of it
	resp.Body.Close()
	if n := e.idle.size(); n != 0 {
		t.Errorf("%d connections are kept after half a read", n)
	}
}

// BenchmarkStatement is what the smallest statement costs on a connection that is
// taken over, and on one that is opened for it.
func BenchmarkStatement(b *testing.B) {
	e := startIdle(b)
	ask(b, e, "CREATE DATABASE a ENGINE=Atomic", "")
	ask(b, e, "CREATE TABLE a.t (x UInt32) ENGINE=Null", "")
	for _, what := range []struct{ name, sql, body string }{{"read", "SELECT 1", ""}, {"insert", "INSERT INTO a.t FORMAT TSV", "1\n"}} {
		for _, kept := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/kept=%v", what.name, kept), func(b *testing.B) {
				before := spent(b)
				for b.Loop() {
					if !kept {
						e.idle.drop()
					}
					ask(b, e, what.sql, what.body)
				}
				b.ReportMetric(float64((spent(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// drop closes what is idle.
func (i *idle) drop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.list {
		c.close()
	}
	i.list = nil
}

// spent is the processor time of this process, the engine's threads included.
func spent(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
