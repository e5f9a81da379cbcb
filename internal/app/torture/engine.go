package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"mulu/library/embedded"
)

// ServeEngine serves the embedded engine's HTTP protocol on a loopback address, so
// that several processes share one library. It is no part of the product: it has no
// users. It returns when ctx ends.
func ServeEngine(ctx context.Context, listen string, opt embedded.Options) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	defer l.Close()
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return fmt.Errorf("serve engine on %s: only loopback is allowed, it has no users", listen)
	}
	e, err := embedded.Start(ctx, opt)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: passOn(e.Transport()), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(opt.Log.Handler(), slog.LevelWarn)}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve engine: %w", err)
	}
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return e.Stop(end)
}

// passOn answers requests from a RoundTripper. A body that breaks off breaks off for
// the client too.
func passOn(rt http.RoundTripper) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := rt.RoundTrip(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		if _, err := io.Copy(flusher{w}, resp.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
}

// flusher sends every piece at once: the pieces of a result come when they are ready.
type flusher struct{ w http.ResponseWriter }

func (f flusher) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = http.NewResponseController(f.w).Flush()
	}
	return n, err
}
