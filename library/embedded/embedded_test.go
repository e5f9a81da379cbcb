//go:build linux && amd64

package embedded_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu/library/embedded"
)

func start(t *testing.T) *embedded.Engine {
	t.Helper()
	if os.Getenv(embedded.EnvLib) == "" {
		if _, err := embedded.Locate("../../engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"); err != nil {
			t.Fatalf("these tests need the engine library: %v", err)
		}
		t.Setenv(embedded.EnvLib, "../../engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so")
	}
	e, err := embedded.Start(t.Context(), embedded.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return e
}

func open(t *testing.T, e *embedded.Engine) driver.Conn {
	t.Helper()
	c, err := clickhouse.Open(&clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{"embedded:1"},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return e.Transport(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestProbe(t *testing.T) {
	begin := time.Now()
	e := start(t)
	t.Log("start", time.Since(begin))
	c := open(t, e)
	ctx := t.Context()
	var n uint64
	if err := c.QueryRow(ctx, "SELECT count() FROM numbers(1000000)").Scan(&n); err != nil || n != 1000000 {
		t.Fatal(n, err)
	}
	for _, f := range []string{"JSONEachRow", "CSVWithNames", "ArrowStream"} {
		for _, rows := range []int{0, 3, 300000} {
			r, err := c.QueryFormat(ctx, f, fmt.Sprintf("SELECT number, toString(number) s FROM numbers(%d) SETTINGS output_format_json_array_of_rows=1", rows))
			if err != nil {
				t.Error(f, rows, err)
				continue
			}
			b, err := io.ReadAll(r)
			r.Close()
			h := 60
			t.Logf("%s %d: %d bytes err=%v %q ... %q", f, rows, len(b), err, b[:min(h, len(b))], b[max(0, len(b)-h):])
			if rows == 300000 {
				os.WriteFile("/tmp/probe_"+f, b, 0o644)
			}
		}
	}
}
