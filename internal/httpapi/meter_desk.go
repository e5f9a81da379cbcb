package httpapi

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mulu"
)

// evenness tells what reconciliation found when it is asked.
type evenness struct{ *house }

var (
	unevenDesc = prometheus.NewDesc("mulu_reconcile_differences", "Ranges in which source and library did not agree when they were last compared.", []string{"dataset"}, nil)
	sinceDesc  = prometheus.NewDesc("mulu_reconcile_last_seconds", "Unix time at which this process last finished a reconciliation, 0 for never.", nil, nil)
	failedDesc = prometheus.NewDesc("mulu_reconcile_failed", "1 if the last reconciliation broke off.", nil, nil)
)

func (evenness) Describe(ch chan<- *prometheus.Desc) {
	ch <- unevenDesc
	ch <- sinceDesc
	ch <- failedDesc
}

func (e evenness) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	open, err := e.Desk.Statements.Open(ctx, "")
	if err != nil {
		ch <- prometheus.NewInvalidMetric(unevenDesc, err)
		return
	}
	counts := map[mulu.DatasetCode]int{}
	for _, o := range open {
		counts[o.Dataset]++
	}
	for code, n := range counts {
		ch <- prometheus.MustNewConstMetric(unevenDesc, prometheus.GaugeValue, float64(n), string(code))
	}
	run, last := e.Desk.State()
	var at, failed float64
	if !last.IsZero() {
		at = float64(last.Unix())
	}
	if run != nil && run.Err != nil {
		failed = 1
	}
	ch <- prometheus.MustNewConstMetric(sinceDesc, prometheus.GaugeValue, at)
	ch <- prometheus.MustNewConstMetric(failedDesc, prometheus.GaugeValue, failed)
}
