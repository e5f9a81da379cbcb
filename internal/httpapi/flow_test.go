package httpapi_test

import (
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.yaml.in/yaml/v3"

	"mulu"
	"mulu/ingest"
	"mulu/internal/httpapi"
	api "mulu/internal/httpapi/gen/ingest"
)

// store lets two batches of one dataset come in a moment ago: 6 records that waited
// one second, 3 of them rejected, and 4 that waited four.
func (h *house) store() {
	h.t.Helper()
	at := time.Now().Add(-time.Second).Truncate(time.Millisecond)
	batch := func(first, good, rejected, control int64, wait time.Duration) {
		m := mulu.Manifest{
			Plan: mulu.Plan{BatchID: mulu.BatchID{TopicID: mulu.TopicID{6}, Topic: "mulu.address", First: first, Last: first + good + rejected + control - 1}, Dataset: "address", Version: 1},
			Good: good, Rejected: rejected, Control: control, Rows: good, Bytes: 100 * (good + rejected), Digest: "sha256:00", At: at,
		}
		w := ingest.Walk{Stages: map[string]time.Duration{"data": 20 * time.Millisecond}}
		for range good + rejected {
			w.Records = append(w.Records, mulu.Record{Time: at.Add(-wait)})
		}
		for range rejected {
			w.Rejects = append(w.Rejects, mulu.Reject{Class: "rule"})
		}
		m.Oldest, m.Newest = ingest.Span(w.Records)
		w.Manifest = m
		check(h.t, h.lib.StoreManifest(h.t.Context(), m))
		h.seen.Batch(w)
	}
	batch(0, 3, 3, 1, time.Second)
	batch(7, 4, 0, 0, 4*time.Second)
}

func testFlow(t *testing.T, h *house) {
	var flow api.Flow
	h.get("operator", "/v1/flow", &flow)
	i := slices.IndexFunc(flow.Datasets, func(d api.FlowDataset) bool { return d.Code == "address" })
	if i < 0 {
		t.Fatalf("flow %+v", flow)
	}
	d := flow.Datasets[i]
	if d.Good != 7 || d.Rejected != 3 || d.Control != 1 || d.Offsets != 11 || !d.Balanced {
		t.Errorf("equation %d = %d + %d + %d, %v", d.Offsets, d.Good, d.Rejected, d.Control, d.Balanced)
	}
	within := func(what string, ms *float64, want float64) {
		t.Helper()
		if ms == nil || *ms < want*15/16 || *ms > want*17/16 {
			t.Errorf("%s is %v, want %v ms", what, ms, want)
		}
	}
	within("p50", d.P50Ms, 1000)
	within("p99", d.P99Ms, 4000)
	within("p50 since the start", d.P50AllMs, 1000)
	if d.BatchRowsP50 != 3 || d.State != api.FlowStateIdle {
		t.Errorf("batch rows %d, state %s", d.BatchRowsP50, d.State)
	}
	if len(d.Rejects) != 0 {
		t.Errorf("rejects by class %+v: the library holds none", d.Rejects)
	}
	if j := slices.IndexFunc(flow.Datasets, func(d api.FlowDataset) bool { return d.Code == "resident" }); !slices.ContainsFunc(flow.Datasets[j].Rejects, func(r api.FlowRejects) bool { return r.Class == "decode" }) {
		t.Errorf("rejects by class %+v: the library holds one that can not be decoded", flow.Datasets[j].Rejects)
	}
	if len(d.LagSeries) != len(d.Series) || len(d.LatencySeries) != len(d.Series) || d.LagSeries[0] != nil {
		t.Errorf("series of %d, %d and %d points", len(d.Series), len(d.LagSeries), len(d.LatencySeries))
	}
	other := flow.Datasets[(i+1)%len(flow.Datasets)]
	if other.P50Ms != nil || other.P99AllMs != nil || other.Rejects == nil || len(other.LatencySeries) != len(d.Series) || other.BatchRowsLast != 0 {
		t.Errorf("a dataset that never came: %+v", other)
	}

	var detail api.FlowDetail
	h.get("steward", "/v1/flow/address", &detail)
	if len(detail.Batches) != 2 || len(detail.Rate) != ingest.SeenPoints || len(detail.Lag) != ingest.SeenPoints || detail.StepS != 10 {
		t.Fatalf("detail: %d batches, %d points", len(detail.Batches), len(detail.Rate))
	}
	var came, refused float64
	for i := range detail.Rate {
		came, refused = came+detail.Rate[i]*10, refused+detail.Rejected[i]*10
	}
	if came < 9.99 || came > 10.01 || refused < 2.99 || refused > 3.01 {
		t.Errorf("the hour has %v records, %v of them rejected, want 10 and 3", came, refused)
	}
	for _, b := range detail.Batches {
		if b.First == 7 {
			within("longest wait", b.WaitMs, 4000)
		}
	}
	problem(t, h.call("steward", "GET", "/v1/flow/none", nil), 404)
}

// scrape reads the metrics as a monitor on this machine does.
func (h *house) scrape() string {
	h.t.Helper()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.RemoteAddr = "127.0.0.1:5000"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	h.good(w, nil)
	return w.Body.String()
}

func testMetrics(t *testing.T, h *house) {
	text := h.scrape()
	for _, line := range []string{
		`mulu_ingest_records_total{dataset="address",outcome="good"} 7`,
		`mulu_ingest_records_total{dataset="address",outcome="rejected"} 3`,
		`mulu_ingest_records_total{dataset="address",outcome="control"} 1`,
		`mulu_ingest_rejects_total{class="rule",dataset="address"} 3`,
		`mulu_ingest_batches_total{dataset="address"} 2`,
		`mulu_ingest_batch_rows_bucket{dataset="address",le="10"} 2`,
		`mulu_ingest_batch_bytes_sum{dataset="address"} 1000`,
		`mulu_ingest_latency_seconds_bucket{dataset="address",le="0.512"} 0`,
		`mulu_ingest_latency_seconds_bucket{dataset="address",le="1.024"} 6`,
		`mulu_ingest_latency_seconds_bucket{dataset="address",le="4.096"} 10`,
		`mulu_ingest_latency_seconds_bucket{dataset="address",le="+Inf"} 10`,
		`mulu_ingest_latency_seconds_sum{dataset="address"} 22`,
		`mulu_ingest_stage_seconds_count{stage="data"} 2`,
		`mulu_ingest_equation_holds{dataset="address"} 1`,
		`mulu_ingest_broker_up 0`,
		`mulu_engine_parts{database="mulu",table="manifest"}`,
		`mulu_ingest_last_batch_timestamp_seconds{dataset="address"}`,
		`mulu_ingest_cycle_seconds{dataset="address"}`,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no %s in\n%s", line, grep(text, line[:strings.IndexAny(line, "{ ")]))
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	check(t, err)
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "mulu_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// grep gives the lines that begin so.
func grep(text, with string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, with) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestMetricsAreDocumented holds docs/metrics.md against what is described, both ways.
func TestMetricsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/metrics.md")
	check(t, err)
	described := map[string]bool{"mulu_http_requests_total": true, "mulu_http_request_seconds": true}
	descs := make(chan *prometheus.Desc, 100)
	httpapi.WayIn().Describe(descs)
	close(descs)
	for d := range descs {
		described[regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	if len(described) < 20 {
		t.Fatalf("only %d metrics are described", len(described))
	}
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile(`\bmulu_(ingest|engine|http)_\w+`).FindAllString(string(doc), -1) {
		name = strings.TrimSuffix(name, "_bucket")
		documented[name] = true
		if !described[name] {
			t.Errorf("docs/metrics.md speaks of %s, which there is not", name)
		}
	}
	for name := range described {
		if !documented[name] {
			t.Errorf("docs/metrics.md says nothing of %s", name)
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	_, block, _ := strings.Cut(string(doc), "```yaml\ngroups:")
	block, _, _ = strings.Cut("groups:"+block, "```")
	check(t, yaml.Unmarshal([]byte(block), &rules))
	if len(rules.Groups) != 1 || len(rules.Groups[0].Rules) < 5 {
		t.Fatalf("alert rules %+v", rules)
	}
	for _, r := range rules.Groups[0].Rules {
		if r.Alert == "" || r.Expr == "" || r.Annotations["summary"] == "" {
			t.Errorf("rule %+v", r)
		}
	}
}
