//go:build linux && amd64

package app_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"mulu/internal/app"
)

// scrape reads the metrics of a running house.
func scrape(t *testing.T, a *app.App) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %d %v", resp.StatusCode, err)
	}
	return string(b)
}

// series is the value of one series, -1 if there is none.
func series(t *testing.T, text, name string) float64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		return -1
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMetricsOfARunningHouse(t *testing.T) {
	c := house(t)
	first := start(t, c, district(t))
	began := time.Now()
	divisions(t, c, 30)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := first.Drained(ctx); err != nil {
		t.Fatal(err)
	}
	text := scrape(t, first)
	is := func(text, name string, want float64) {
		t.Helper()
		if got := series(t, text, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	is(text, `mulu_ingest_records_total{dataset="division",outcome="good"}`, 30)
	is(text, `mulu_ingest_lag_records{dataset="division",partition="0",topic="mulu.division"}`, 0)
	is(text, `mulu_ingest_position_offset{dataset="division",partition="0",topic="mulu.division"}`, 30)
	is(text, `mulu_ingest_end_offset{dataset="division",partition="0",topic="mulu.division"}`, 30)
	is(text, `mulu_ingest_partition_state{dataset="division",partition="0",state="stopped",topic="mulu.division"}`, 0)
	is(text, `mulu_ingest_partition_failing{dataset="division",partition="0",topic="mulu.division"}`, 0)
	is(text, `mulu_ingest_latency_seconds_count{dataset="division"}`, 30)
	is(text, `mulu_ingest_equation_holds{dataset="division"}`, 1)
	is(text, `mulu_ingest_broker_up`, 1)
	is(text, `mulu_ingest_held_bytes`, 0)
	is(text, `mulu_ingest_held_budget_bytes`, float64(c.Ingest.MemoryMB<<20))
	if n := series(t, text, `mulu_engine_parts{database="lib_space",table="division"}`); n < 1 {
		t.Errorf("%v parts of a table that holds rows", n)
	}
	if sum := series(t, text, `mulu_ingest_latency_seconds_sum{dataset="division"}`); sum <= 0 || sum > 30*time.Since(began).Seconds() {
		t.Errorf("30 records waited %v s together, and the test took %v", sum, time.Since(began))
	}
	batches := series(t, text, `mulu_ingest_batches_total{dataset="division"}`)
	for _, stage := range []string{"decode", "check", "planned", "rejects", "findings", "data", "manifest", "done"} {
		is(text, `mulu_ingest_stage_seconds_count{stage="`+stage+`"}`, batches)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "mulu_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	last := series(t, text, `mulu_ingest_last_batch_timestamp_seconds{dataset="division"}`)

	first.Close()
	again := scrape(t, start(t, c, nil))
	is(again, `mulu_ingest_last_batch_timestamp_seconds{dataset="division"}`, last)
	is(again, `mulu_ingest_equation_holds{dataset="division"}`, 1)
	is(again, `mulu_ingest_records_total{dataset="division",outcome="good"}`, 0) // counters begin anew, known from the first scrape on
	is(again, `mulu_ingest_latency_seconds_count{dataset="division"}`, 0)
}
