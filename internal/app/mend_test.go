//go:build linux && amd64

package app_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"testing"

	"mulu/internal/app"
)

// desk is the steward of a running house.
type desk struct {
	t    *testing.T
	base string
	http *http.Client
}

func (d *desk) call(method, path string, in, out any) {
	d.t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.base+path, bytes.NewReader(b))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("X-Mulu", "test")
	r.Header.Set("Content-Type", "application/json")
	resp, err := d.http.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode < 300 && out != nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil || resp.StatusCode >= 300 {
		d.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, body, err)
	}
}

// accepted is indicator 030500 of a dataset's newest score: records accepted, of all.
func (d *desk) accepted(dataset string) (a, b int64) {
	d.t.Helper()
	var s struct {
		Dimensions []struct {
			Indicators []struct {
				Code string
				A, B int64
			}
		}
	}
	d.call("GET", "/v1/datasets/"+dataset+"/score", nil, &s)
	for _, dim := range s.Dimensions {
		for _, i := range dim.Indicators {
			if i.Code == "030500" {
				return i.A, i.B
			}
		}
	}
	d.t.Fatalf("no indicator 030500 in %+v", s)
	return 0, 0
}

func openDesk(t *testing.T, a *app.App) *desk {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, base: a.URL(), http: &http.Client{Jar: jar}}
	for _, s := range a.SignIns() {
		if s.Name == "steward" {
			d.call("POST", "/v1/session", map[string]string{"account": s.Account, "password": s.Password}, nil)
		}
	}
	return d
}

// TestScoreFollows: a replayed reject counts as accepted, a withdrawn batch not at
// all, at the next turn of the scoring worker and without a new batch.
func TestScoreFollows(t *testing.T) {
	c := house(t)
	c.Sample = "small"
	running := start(t, c, nil)
	if err := running.LoadSample(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := openDesk(t, running)
	good, all := d.accepted("address")

	var page struct {
		Items []struct {
			TopicID   string `json:"topic_id"`
			Partition int32
			Offset    int64
			Row       int32
			Value     string
		}
	}
	d.call("GET", "/v1/rejects?dataset=address&class=type&limit=1", nil, &page)
	r := page.Items[0]
	value, err := base64.StdEncoding.DecodeString(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	mended := regexp.MustCompile(`"约(\d+)平"`).ReplaceAll(value, []byte("$1"))
	var report struct{ Replayed int64 }
	d.call("POST", "/v1/rejects/replay", map[string]any{"dataset": "address", "why": "核对", "items": []any{map[string]any{
		"topic_id": r.TopicID, "partition": r.Partition, "offset": r.Offset, "row": r.Row, "value": base64.StdEncoding.EncodeToString(mended)}}}, &report)
	if report.Replayed != 1 {
		t.Fatalf("replay of %s: %+v", mended, report)
	}
	score := func() {
		t.Helper()
		if err := running.ScoreAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	score()
	if a, b := d.accepted("address"); a != good+1 || b != all {
		t.Errorf("after a replay %d of %d are accepted, want %d of %d", a, b, good+1, all)
	}

	var batches struct {
		Items []struct {
			ID             string
			Good, Rejected int64
		}
	}
	d.call("GET", "/v1/datasets/visit/batches", nil, &batches)
	wrong := batches.Items[0]
	good, all = d.accepted("visit")
	d.call("POST", "/v1/withdrawals", map[string]any{"dataset": "visit", "batch": wrong.ID, "reason": "误发"}, nil)
	score()
	if a, b := d.accepted("visit"); a != good-wrong.Good || b != all-wrong.Good-wrong.Rejected {
		t.Errorf("after a withdrawal of %+v %d of %d are accepted, before %d of %d", wrong, a, b, good, all)
	}

	// The next process counts the same, whatever it remembers.
	want := fmt.Sprint(d.accepted("visit"))
	running.Close()
	running = start(t, c, nil)
	if err := running.LoadSample(t.Context()); err != nil {
		t.Fatal(err)
	}
	d = openDesk(t, running)
	score()
	if got := fmt.Sprint(d.accepted("visit")); got != want {
		t.Errorf("after a restart %s are accepted, before %s", got, want)
	}
}
