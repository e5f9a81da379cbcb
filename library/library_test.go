//go:build linux && amd64

package library_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"mulu/library"
	"mulu/library/embedded"
	"mulu/library/librarytest"
)

// engine starts the one engine of this process on a directory of its own.
func engine(t testing.TB, dir string) *embedded.Engine {
	t.Helper()
	lib := os.Getenv(embedded.EnvLib)
	if lib == "" {
		lib = "../engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
	}
	e, err := embedded.Start(context.Background(), embedded.Options{Dir: dir, Lib: lib})
	if err != nil {
		t.Fatalf("these tests need the engine: %v", err)
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

func TestEmbedded(t *testing.T) {
	e := engine(t, t.TempDir())
	librarytest.Run(t, func(t *testing.T) *library.Library {
		return open(t, library.Options{Transport: e.Transport(), Now: librarytest.Now})
	})
}

// TestServer puts real HTTP between the client and the engine.
func TestServer(t *testing.T) {
	e := engine(t, t.TempDir())
	s := httptest.NewServer(serve(e.Transport()))
	defer s.Close()
	librarytest.Run(t, func(t *testing.T) *library.Library {
		return open(t, library.Options{URL: s.URL, Now: librarytest.Now})
	})
}

func open(t testing.TB, opt library.Options) *library.Library {
	t.Helper()
	l, err := library.Open(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func serve(rt http.RoundTripper) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := rt.RoundTrip(r)
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				http.Error(w, err.Error(), http.StatusBadGateway)
			}
			return
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		// The client notices a cut by itself; there is nobody else to tell.
		_, _ = io.Copy(w, resp.Body)
	})
}

// TestOneBlock: the largest batch that is accepted must be one part, or a crash
// could leave half of it.
func TestOneBlock(t *testing.T) {
	e := engine(t, t.TempDir())
	l := open(t, library.Options{Transport: e.Transport()})
	librarytest.LargestBatch(t, l)
	c, err := clickhouse.Open(&clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{"embedded:1"}, TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return e.Transport(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var parts, rows uint64
	var level uint32
	if err := c.QueryRow(t.Context(), "SELECT count(), sum(rows), max(level) FROM system.parts WHERE database='lib_largest' AND table='largest' AND active").Scan(&parts, &rows, &level); err != nil {
		t.Fatal(err)
	}
	if parts != 1 || rows != library.MaxBatchRows || level != 0 {
		t.Errorf("%d parts with %d rows, merged %d times", parts, rows, level)
	}
}
