package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"mulu"
)

func lone(t *testing.T) *house {
	t.Helper()
	h := &house{Deps: Deps{Log: slog.New(slog.DiscardHandler), Sample: func() bool { return false }, Metrics: prometheus.NewRegistry()}}
	var err error
	if h.meter, err = newMeter(h); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPanicEndsOneRequest(t *testing.T) {
	h := lone(t)
	s := httptest.NewServer(h.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic("secret state") })))
	defer s.Close()
	for range 2 {
		res, err := http.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 500 || strings.Contains(string(body), "secret") || !strings.Contains(string(body), "urn:mulu:problem:internal") {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	}
}

func TestBrokenResultBreaksTheConnection(t *testing.T) {
	h := lone(t)
	s := httptest.NewServer(h.around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("half a row")) //nolint:errcheck // of the test
		h.fail(w, r, errors.New("the spool is gone"))
	})))
	defer s.Close()
	res, err := http.Get(s.URL)
	if err != nil {
		return // broken before the headers left: as good
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("a result that was cut off looks whole")
	}
}

func TestErrorsHaveOneStatus(t *testing.T) {
	f := func(err error, status int, detail string) {
		t.Helper()
		p := problemOf(err, "x")
		if p.Status != status || p.Detail != detail || p.Mend == "" {
			t.Errorf("%v: %+v", err, p)
		}
	}
	f(fmt.Errorf("grant 7: %w", mulu.ErrNotFound), 404, "")
	f(fmt.Errorf("submit request: %w", fmt.Errorf("用途不能为空: %w", mulu.ErrInvalid)), 400, "用途不能为空")
	f(fmt.Errorf("decide: 申请没有待答复的授权: %w", mulu.ErrConflict), 409, "申请没有待答复的授权")
	f(fmt.Errorf("sign in: 账号已锁定至 2026-11-23 08:00:30，请稍后再试: %w", mulu.ErrBusy), 503, "账号已锁定至 2026-11-23 08:00:30，请稍后再试")
	f(fmt.Errorf("会话已过期: %w", errUnknown), 401, "会话已过期")
	f(&http.MaxBytesError{Limit: 1}, 413, "")
	f(fmt.Errorf("read: %w", context.DeadlineExceeded), 504, "")
	f(errors.New("dial tcp 10.0.0.7: 密码 refused"), 500, "")
}

func TestRecentAsksOnce(t *testing.T) {
	n := 0
	r := remember(exportTime, func(context.Context) (int, error) { n++; return n, nil })
	for range 3 {
		if v, err := r.get(t.Context()); v != 1 || err != nil {
			t.Errorf("%d %v", v, err)
		}
	}
	broken := remember(exportTime, func(context.Context) (int, error) { n++; return 0, errors.New("no") })
	for range 2 {
		if _, err := broken.get(t.Context()); err == nil {
			t.Error("an error was kept as an answer")
		}
	}
	if n != 3 {
		t.Errorf("asked %d times", n)
	}
}
