//go:build linux && amd64

package app_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu/internal/app"
)

// signedIn is somebody of the sample district.
func signedIn(t *testing.T, a *app.App, name string) *desk {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, base: a.URL(), http: &http.Client{Jar: jar}}
	for _, s := range a.SignIns() {
		if s.Name == name {
			d.call("POST", "/v1/session", map[string]string{"account": s.Account, "password": s.Password}, nil)
			return d
		}
	}
	t.Fatalf("nobody is called %s", name)
	return nil
}

type taken struct {
	ID, State, Digest string
	Rows              int64
	Replayed          bool
	Runs              []struct{ Partition, First, Last int64 }
	// Of a refusal.
	Title, Detail, Mend string
}

// post posts a body as it is.
func (d *desk) post(path, kind, key string, body []byte, header ...string) (status int, got taken) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), "POST", d.base+path, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("X-Mulu", "test")
	r.Header.Set("Content-Type", kind)
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := d.http.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(b, &got) != nil {
		d.t.Fatalf("POST %s: %d %s %v", path, resp.StatusCode, b, err)
	}
	if resp.StatusCode < 300 && resp.Header.Get("Location") != "/v1/submissions/"+got.ID {
		d.t.Errorf("Location is %q", resp.Header.Get("Location"))
	}
	return resp.StatusCode, got
}

type submission struct {
	ID, State, Way, Period, By string
	Rows, Good, Rejected       int64
	Report                     map[string]any
}

// landed waits until a submission has landed.
func (d *desk) landed(id string) (s submission) {
	d.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		if d.call("GET", "/v1/submissions/"+id, nil, &s); s.State == "landed" {
			return s
		}
		if time.Now().After(end) {
			d.t.Fatalf("submission %s has not landed: %+v", id, s)
		}
	}
}

// visit is a row of dataset visit whose identity number is right.
func visit(n int, risk string) string {
	id := fmt.Sprintf("3101071950%02d%02d%03d", n/28%12+1, n%28+1, n%1000)
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(id[i]-'0') * w
	}
	return fmt.Sprintf(`{"id_no":"%s%c","live_alone":true,"children_n":2,"health_lv":"1","visit":"2026-11-20","visitor":"王芳","findings":"正常","risk_lv":%s,"div12":"310107005001"}`, id, "10X98765432"[sum%11], risk)
}

// arrowVisits writes rows as an Arrow stream.
func arrowVisits(t *testing.T, rows []string) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id_no", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "live_alone", Type: arrow.FixedWidthTypes.Boolean}, {Name: "children_n", Type: arrow.PrimitiveTypes.Int32},
		{Name: "health_lv", Type: arrow.BinaryTypes.String}, {Name: "visit", Type: arrow.FixedWidthTypes.Date32}, {Name: "visitor", Type: arrow.BinaryTypes.String},
		{Name: "findings", Type: arrow.BinaryTypes.String}, {Name: "risk_lv", Type: arrow.PrimitiveTypes.Int64}, {Name: "div12", Type: arrow.BinaryTypes.String},
	}, nil)
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(schema))
	rb := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	for _, r := range rows {
		if err := rb.UnmarshalJSON([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(rb.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPosts: each form with a damaged twin, from the call to the library: good rows
// land, bad ones are rejects, counts agree; what is not well-formed leaves nothing.
func TestPosts(t *testing.T) {
	c := house(t)
	c.Sample = "small"
	running := start(t, c, nil)
	if err := running.LoadSample(t.Context()); err != nil {
		t.Fatal(err)
	}
	officer := signedIn(t, running, "officer")
	const path = "/v1/ingest/visit"
	const kindJSON, kindLines, kindArrow = "application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"
	n := 0
	rows := func(many int) (out []string) {
		for range many {
			n++
			out = append(out, visit(n, "1"))
		}
		return out
	}
	land := func(what string, status int, got taken, good, rejected int64) {
		t.Helper()
		if status != 201 || got.Rows != good+rejected || got.State != "sent" || len(got.Runs) == 0 {
			t.Fatalf("%s: %d %+v", what, status, got)
		}
		if s := officer.landed(got.ID); s.Good != good || s.Rejected != rejected || s.Way != "http" || s.By != "minzheng" {
			t.Errorf("%s landed as %+v, want %d good and %d rejected", what, s, good, rejected)
		}
	}
	bad := visit(900, `"high"`) // a type that is wrong
	keyless := `{"live_alone":true,"visit":"2026-11-20"}`
	wrongID := strings.Replace(visit(901, "1"), "310107195", "310107196", 1) // a checksum that fails

	body := "[" + strings.Join(rows(5), ",") + "]"
	status, got := officer.post(path, kindJSON, "json-1", []byte(body))
	land("JSON", status, got, 5, 0)
	if status, again := officer.post(path, kindJSON, "json-1", []byte(body)); status != 200 || !again.Replayed || again.ID != got.ID || fmt.Sprint(again.Runs) != fmt.Sprint(got.Runs) {
		t.Errorf("the same again: %d %+v", status, again)
	}
	if status, p := officer.post(path, kindJSON, "json-1", []byte("["+rows(1)[0]+"]")); status != 409 || !strings.Contains(p.Detail, got.ID) {
		t.Errorf("other content under the key: %d %+v", status, p)
	}
	status, got = officer.post(path, kindJSON, "json-2", []byte("["+strings.Join(append(rows(4), bad, keyless, wrongID, "17"), ",\n")+"]"))
	land("damaged JSON", status, got, 4, 4)
	status, got = officer.post(path, kindLines, "lines-1", []byte(strings.Join(rows(6), "\n")))
	land("NDJSON", status, got, 6, 0)
	status, got = officer.post(path, kindLines, "", []byte(strings.Join(append(rows(3), bad, `{"id_no":`), "\n")))
	land("damaged NDJSON", status, got, 3, 2)
	status, got = officer.post(path, kindArrow, "arrow-1", arrowVisits(t, rows(7)))
	land("Arrow", status, got, 7, 0)
	status, got = officer.post(path, kindArrow, "arrow-2", arrowVisits(t, append(rows(2), wrongID, `{"id_no":null`+visit(902, "1")[len(`{"id_no":"310107195001011234"`):])))
	land("damaged Arrow", status, got, 2, 2)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(rows(1)[0])) //nolint:errcheck // memory
	z.Close()
	status, got = officer.post(path, kindJSON, "", zipped.Bytes(), "Content-Encoding", "gzip")
	land("zipped", status, got, 1, 0)

	var before, after []submission
	officer.call("GET", "/v1/submissions?dataset=visit", nil, &before)
	for what, try := range map[string]struct {
		kind   string
		body   string
		status int
		say    string
	}{
		"half of a list":   {kindJSON, "[" + rows(1)[0] + ",\n" + rows(1)[0][:20], 400, "第 2 行"},
		"half of a stream": {kindArrow, string(arrowVisits(t, rows(1))[:100]), 400, "Arrow"},
		"no row":           {kindJSON, "[]", 400, "零报告"},
		"another type":     {"text/csv", "a,b", 415, "application/x-ndjson"},
		"too long a row":   {kindJSON, `[{"findings":"` + strings.Repeat("长", 400_000) + `"}]`, 400, "下标 0"},
	} {
		if status, p := officer.post(path, try.kind, "", []byte(try.body)); status != try.status || !strings.Contains(p.Detail, try.say) {
			t.Errorf("%s: %d %+v, want %d that says %q", what, status, p, try.status, try.say)
		}
	}
	if status, _ := officer.post("/v1/ingest/resident", kindJSON, "", []byte(body)); status != 404 {
		t.Errorf("another department's dataset: %d", status)
	}
	if officer.call("GET", "/v1/submissions?dataset=visit", nil, &after); len(after) != len(before) {
		t.Errorf("what was refused left %d submissions", len(after)-len(before))
	}
	nilReports(t, running, officer)
	resp, err := http.Get(running.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	metrics, err := io.ReadAll(resp.Body)
	for _, want := range []string{`mulu_post_requests_total{dataset="visit",outcome="taken"} 7`, `outcome="replayed"} 1`, `outcome="refused"} `, `mulu_post_rows_total{dataset="visit"} 36`} {
		if err != nil || !strings.Contains(string(metrics), want) {
			t.Errorf("metrics lack %s, %v", want, err)
		}
	}
}

// nilReports: a nil report is a landed submission without rows, once a period, and the
// next score counts it.
func nilReports(t *testing.T, running *app.App, officer *desk) {
	t.Helper()
	var first, again submission
	officer.call("POST", "/v1/submissions/nil", map[string]any{"dataset": "visit", "note": "本周无走访"}, &first)
	officer.call("POST", "/v1/submissions/nil", map[string]any{"dataset": "visit", "period": first.Period}, &again)
	if first.State != "landed" || first.Way != "nil" || !strings.Contains(first.Period, "-W") || again.ID != first.ID || first.Report["delivered"] == nil {
		t.Errorf("nil reports %+v, %+v", first, again)
	}
	if err := running.ScoreAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	var s struct {
		Dimensions []struct {
			Indicators []struct{ Code, Note string }
		}
	}
	openDesk(t, running).call("GET", "/v1/datasets/visit/score", nil, &s)
	if !strings.Contains(fmt.Sprint(s), "050200 零报告 "+first.Period) {
		t.Errorf("the score does not say that it was a nil report: %+v", s)
	}
}
