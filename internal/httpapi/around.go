package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// trace is what is known of one request while it is served, for its log line. It
// carries no address, no query and no path: those may name people.
type trace struct {
	id    string
	route string // as in the document
	actor string
	err   error
	w     *counter
}

func (t *trace) began() bool { return t.w != nil && t.w.status != 0 }

type traceKey struct{}

func traceOf(ctx context.Context) *trace {
	if t, ok := ctx.Value(traceKey{}).(*trace); ok {
		return t
	}
	return &trace{}
}

// counter notes what was answered.
type counter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (c *counter) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	n, err := c.ResponseWriter.Write(b)
	c.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// around wraps every request: an id, SecureHeaders, a log line, and a
// panic that ends one request only.
func (h *house) around(next http.Handler) http.Handler {
	return SecureHeaders(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		c := &counter{ResponseWriter: w}
		t := &trace{id: requestID(), w: c}
		r = r.WithContext(context.WithValue(r.Context(), traceKey{}, t))
		setDeadlines(c, ordinaryTime)
		c.Header().Set("X-Request-Id", t.id)
		if h.Sample() {
			c.Header().Set("X-Mulu-Sample", "true")
		}
		defer func() {
			broken := recover()
			if broken != nil && broken != http.ErrAbortHandler { //nolint:errorlint // a value of panic
				t.err = errors.Join(t.err, fmt.Errorf("panic: %v", broken))
				h.Log.Error("handler panicked", "request", t.id, "route", t.route, "panic", broken, "stack", string(debug.Stack()))
				if !t.began() {
					h.fail(c, r, t.err)
					broken = nil
				} else {
					broken = http.ErrAbortHandler
				}
			}
			h.note(r, t, c, time.Since(began))
			if broken != nil {
				panic(http.ErrAbortHandler) // the server closes the connection
			}
		}()
		next.ServeHTTP(c, r)
	}))
}

// note writes the log line and counts the request.
func (h *house) note(r *http.Request, t *trace, c *counter, took time.Duration) {
	if c.status == 0 {
		c.status = http.StatusOK
		if t.err != nil {
			c.status = 499 // the client went away
		}
	}
	h.meter.observe(t.route, r.Method, c.status, took)
	level := slog.LevelDebug
	switch {
	case c.status >= 500 && c.status != 503:
		level = slog.LevelError
	case t.route != "" && r.Method != http.MethodGet, c.status == 401, c.status == 403:
		level = slog.LevelInfo
	}
	attrs := []slog.Attr{slog.String("request", t.id), slog.String("route", t.route), slog.String("method", r.Method),
		slog.Int("status", c.status), slog.Int64("bytes", c.bytes), slog.Duration("took", took), slog.String("actor", t.actor)}
	if t.err != nil && c.status >= 500 {
		attrs = append(attrs, slog.Any("error", t.err))
	}
	h.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

func requestID() string {
	var b [12]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return hex.EncodeToString(b[:])
}
