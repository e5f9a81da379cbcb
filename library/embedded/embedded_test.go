//go:build linux && amd64

package embedded_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu/library/embedded"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

func library() string {
	if p := os.Getenv(embedded.EnvLib); p != "" {
		return p
	}
	return "../../engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
}

func start(t *testing.T, dir string) *embedded.Engine {
	t.Helper()
	e, err := embedded.Start(t.Context(), embedded.Options{Dir: dir, Lib: library()})
	if err != nil {
		t.Fatalf("these tests need the engine: %v", err)
	}
	t.Cleanup(func() { stop(t, e) })
	return e
}

func stop(t *testing.T, e *embedded.Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func dial(e *embedded.Engine, database string) (driver.Conn, error) {
	return clickhouse.Open(&clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{"embedded:1"}, Auth: clickhouse.Auth{Database: database}, MaxOpenConns: 32, MaxIdleConns: 32,
		DialTimeout: 20 * time.Second, TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return e.Transport(), nil }})
}

func open(t *testing.T, e *embedded.Engine) driver.Conn {
	t.Helper()
	boot, err := dial(e, "")
	if err != nil {
		t.Fatal(err)
	}
	defer boot.Close()
	if err := boot.Exec(t.Context(), "CREATE DATABASE IF NOT EXISTS app ENGINE=Atomic"); err != nil {
		t.Fatal(err)
	}
	c, err := dial(e, "app")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func code(err error) int32 {
	var ex *clickhouse.Exception
	if errors.As(err, &ex) {
		return ex.Code
	}
	return 0
}

func TestEngine(t *testing.T) {
	dir := t.TempDir()
	e := start(t, dir)
	c := open(t, e)
	ctx := t.Context()
	exec := func(t *testing.T, sql string) {
		t.Helper()
		if err := c.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("the greeting is answered with revision 0", func(t *testing.T) {
		v, err := c.ServerVersion()
		if err != nil || v.Revision != 0 || v.Version.Major != 26 || v.Version.Minor != 7 {
			t.Errorf("server version %+v: %v", v, err)
		}
	})
	t.Run("errors keep their code", func(t *testing.T) {
		for sql, want := range map[string]int32{
			"SELECT * FROM nothing": 60, "SELECT 1 +": 62, "bogus": 62, "SELECT 1; SELECT 2": 62, "SELECT nofunction(1)": 46,
			"SELECT 1 SETTINGS nosetting=1": 115, "SELECT throwIf(1)": 395, "SELECT * FROM `/etc/hostname`": 60,
			"INSERT INTO t FORMAT JSONEachRow {\"a\":1}": 48} {
			if err := c.Exec(ctx, sql); code(err) != want {
				t.Errorf("%s: code %d, want %d: %v", sql, code(err), want, err)
			}
		}
		if err := c.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"nosetting": 1})), "SELECT 1"); code(err) != 115 {
			t.Errorf("unknown setting: %v", err)
		}
		var dbErr int32 = 81
		if d, err := dial(e, "nowhere"); err == nil {
			if err := d.Exec(ctx, "SELECT 1"); code(err) != dbErr {
				t.Errorf("unknown database: %v", err)
			}
			d.Close()
		}
	})
	t.Run("binary data with blank lines goes in whole", func(t *testing.T) {
		exec(t, "CREATE TABLE blank (n UInt64, s String) ENGINE=MergeTree ORDER BY n")
		b, err := c.PrepareBatch(ctx, "INSERT INTO blank (n, s)")
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(20_000) {
			if err := b.Append(i*0x0a0a, "a\n\nb;\nSELECT 1\n\n"); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Send(); err != nil {
			t.Fatal(err)
		}
		var n uint64
		if err := c.QueryRow(ctx, "SELECT countIf(s = 'a\\n\\nb;\\nSELECT 1\\n\\n') FROM blank").Scan(&n); err != nil || n != 20_000 {
			t.Errorf("%d rows: %v", n, err)
		}
	})
	t.Run("an error after the first rows arrives with its code", func(t *testing.T) {
		rows, err := c.Query(ctx, "SELECT number, throwIf(number = 3000000) FROM numbers(10000000) SETTINGS max_block_size=65409")
		n := 0
		if err == nil {
			for rows.Next() {
				n++
			}
			err = rows.Err()
			rows.Close()
		}
		if code(err) != 395 || n == 0 {
			t.Errorf("after %d rows: %v", n, err)
		}
		r, err := c.QueryFormat(ctx, "CSVWithNames", "SELECT number, throwIf(number = 3000000) FROM numbers(10000000) SETTINGS max_block_size=65409")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if code(err) != 395 || len(b) == 0 || strings.Contains(string(b[len(b)-40:]), "exception") {
			t.Errorf("after %d bytes: %v", len(b), err)
		}
	})
	t.Run("every way of streaming gives one document", func(t *testing.T) {
		for _, f := range []string{"CSVWithNames", "JSONEachRow", "JSONCompactEachRow", "TabSeparatedWithNames", "JSON", "Values"} {
			const sql = "SELECT number AS n, toString(number) AS s FROM numbers(150000)"
			r, err := c.QueryFormat(ctx, f, sql)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			r.Close()
			if err != nil {
				t.Fatal(err)
			}
			// The engine's own buffered form of the same is the measure.
			var want string
			if err := c.QueryRow(ctx, "SELECT count() FROM numbers(1)").Scan(new(uint64)); err != nil {
				t.Fatal(err)
			}
			r, err = c.QueryFormat(ctx, f, "/* buffered */ "+sql)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			r.Close()
			if want = string(b); err != nil {
				t.Fatal(err)
			}
			if f == "JSON" { // carries the elapsed time
				got, want = got[:1000], want[:1000]
			}
			if string(got) != want {
				t.Errorf("%s: %d bytes streamed, %d buffered", f, len(got), len(want))
			}
		}
	})
	t.Run("a dead context ends the statement", func(t *testing.T) {
		for _, sql := range []string{"SELECT sum(sipHash64(number)) FROM numbers(100000000000)", "SELECT number FROM numbers(100000000000) WHERE sipHash64(number) = 1"} {
			short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			begin := time.Now()
			err := c.Exec(short, sql)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 5*time.Second {
				t.Errorf("after %s: %v", time.Since(begin), err)
			}
		}
		var n uint64
		for range 50 {
			if err := c.QueryRow(ctx, "SELECT count() FROM system.processes WHERE query LIKE '%sipHash64%' AND query NOT LIKE '%system.processes%'").Scan(&n); err != nil || n == 0 {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if n != 0 {
			t.Errorf("%d statements still run", n)
		}
	})
	t.Run("a context that dies at the start ends the statement too", func(t *testing.T) {
		for i := range 20 {
			short, cancel := context.WithTimeout(ctx, time.Duration(i)*200*time.Microsecond)
			err := c.Exec(short, "SELECT sum(sipHash64(number)) FROM numbers(100000000000)")
			cancel()
			if err == nil {
				t.Error("no error")
			}
		}
	})
	t.Run("parallel statements do not mix", func(t *testing.T) {
		var wg sync.WaitGroup
		for w := range uint64(16) {
			wg.Go(func() {
				for range 20 {
					var n uint64
					if err := c.QueryRow(ctx, "SELECT sum(number) FROM numbers({n:UInt64})", clickhouse.Named("n", 1000*w)).Scan(&n); err != nil || n != 1000*w*max(1000*w, 1)/2-500*w {
						t.Errorf("worker %d got %d: %v", w, n, err)
					}
				}
			})
		}
		wg.Wait()
	})
	t.Run("a nil dereference is recovered from", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		var e *http.Request
		_ = e.Method
	})
	t.Run("the standard input is the null device", func(t *testing.T) {
		if p, err := os.Readlink("/proc/self/fd/0"); err != nil || p != os.DevNull {
			t.Errorf("stdin is %q: %v", p, err)
		}
	})
	t.Run("a second engine is refused", func(t *testing.T) {
		if _, err := embedded.Start(ctx, embedded.Options{Dir: t.TempDir(), Lib: library()}); !errors.Is(err, embedded.ErrRunning) {
			t.Error(err)
		}
	})
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	e := start(t, dir)
	c := open(t, e)
	if err := c.Exec(t.Context(), "CREATE TABLE kept (n UInt64) ENGINE=MergeTree ORDER BY n"); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(t.Context(), "INSERT INTO kept VALUES (1), (2)"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	stop(t, e)
	if _, err := e.Transport().RoundTrip(&http.Request{Header: http.Header{}}); err == nil {
		t.Error("a stopped engine answers")
	}
	begin := time.Now()
	e = start(t, dir)
	took := time.Since(begin)
	if took > 1500*time.Millisecond {
		t.Errorf("a warm start takes %s", took)
	}
	t.Log("warm start", took)
	var n uint64
	if err := open(t, e).QueryRow(t.Context(), "SELECT sum(n) FROM kept").Scan(&n); err != nil || n != 3 {
		t.Errorf("sum %d: %v", n, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "engine.xml")); err != nil {
		t.Error(err)
	}
}

func TestStopEndsWhatRuns(t *testing.T) {
	e := start(t, t.TempDir())
	c := open(t, e)
	failed := make(chan error, 1)
	go func() {
		failed <- c.Exec(context.Background(), "SELECT sum(sipHash64(number)) FROM numbers(100000000000)")
	}()
	time.Sleep(300 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := e.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("stop takes %s", took)
	}
	if err := <-failed; err == nil {
		t.Error("the statement of a stopped engine succeeds")
	}
	stop(t, start(t, t.TempDir())) // another directory: nothing of the first is left
}
