package httpapi

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// meter counts what the door does, by route of the document: never by path, which
// may name things.
type meter struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	posts    *prometheus.CounterVec
	rows     *prometheus.CounterVec
}

func newMeter(h *house) (*meter, error) {
	m := &meter{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mulu_http_requests_total", Help: "Requests answered, by route, method and status."}, []string{"route", "method", "status"}),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mulu_http_request_seconds", Help: "Time to answer, by route.", Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 300}}, []string{"route"}),
	}
	m.posts, m.rows = newPostMeter()
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.posts, m.rows, wayIn{h}, evenness{h}} {
		if err := h.Deps.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	for _, c := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		h.Deps.Metrics.Register(c) //nolint:errcheck // the caller's registry may have them already
	}
	return m, nil
}

func (m *meter) observe(route, method string, status int, took time.Duration) {
	if route == "" {
		route = "other"
	}
	switch method { // what a client may make up would make a series each
	case "GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS":
	default:
		method = "other"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}
