//go:build linux && amd64

package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mulu/ingest"
	"mulu/ingest/packages"
	"mulu/internal/app"
)

// put sends a part and gives the answer.
func (d *desk) put(path string, body []byte) (status int, answer string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), "PUT", d.base+path, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("X-Mulu", "test")
	r.Header.Set("Content-Type", "application/octet-stream")
	resp, err := d.http.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestPackage carries a dataset from one house to another: its good rows land there and
// its rejects are rejects there; a damaged part is refused and the next one lands.
func TestPackage(t *testing.T) {
	c := house(t)
	c.Sample = "small"
	from := start(t, c, nil)
	if err := from.LoadSample(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "package")
	m := exportVisits(t, from, dir)
	good, rejected := int64(0), int64(0)
	totals, err := from.Library().Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, total := range totals {
		if total.Dataset == "visit" {
			good, rejected = good+total.Good, rejected+total.Rejected
		}
	}
	from.Close()

	c = house(t)
	c.Sample = "small"
	c.Ingest.TrustedPackages = map[string]string{"甲区": m.House.Key}
	to := start(t, c, nil)
	if err := to.LoadSample(t.Context()); err != nil {
		t.Fatal(err)
	}
	operator := signedIn(t, to, "operator")
	text, sig := file(t, dir, packages.ManifestFile), file(t, dir, packages.SignatureFile)
	var state struct {
		ID      string
		Missing []string
	}
	register := func() {
		operator.call("POST", "/v1/submissions/packages", map[string]string{"manifest": string(text), "signature": string(sig)}, &state)
	}
	register()
	discarded := state.ID
	operator.call("POST", "/v1/submissions/"+discarded+"/discard", nil, nil)
	if register(); state.ID == discarded {
		t.Error("a package that was discarded can not be taken again")
	}
	if len(state.Missing) != len(m.Parts) || len(m.Parts) < 2 {
		t.Fatalf("missing %v of %d parts", state.Missing, len(m.Parts))
	}
	for i := len(m.Parts) - 1; i >= 0; i-- { // in another order than they are sent
		path := "/v1/submissions/" + state.ID + "/parts/" + m.Parts[i].Name
		part := file(t, dir, m.Parts[i].Name)
		damaged := bytes.Clone(part)
		damaged[len(damaged)/2] ^= 1
		if status, answer := operator.put(path, damaged); status != 400 || !strings.Contains(answer, m.Parts[i].Name) {
			t.Errorf("a damaged part: %d %s", status, answer)
		}
		if status, answer := operator.put(path, part); status != 200 {
			t.Fatalf("part %s: %d %s", m.Parts[i].Name, status, answer)
		}
	}
	s := operator.landed(state.ID)
	if s.Way != "package" || s.Rows != m.Rows || s.Good != good || s.Rejected != rejected || rejected == 0 {
		t.Errorf("landed as %+v, want %d good and %d rejected as in the house it is from", s, good, rejected)
	}
}

func file(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// exportVisits writes dataset visit into a package that the house signs.
func exportVisits(t *testing.T, a *app.App, dir string) *packages.Manifest {
	t.Helper()
	e := packages.Export{Reader: ingest.NewRereader(a.Seeds()), Dataset: "visit", Topic: app.TopicOf("visit"), Dir: dir, PartSize: 20_000, Now: time.Now()}
	draft, err := e.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(draft)
	if err != nil {
		t.Fatal(err)
	}
	var signed struct{ Manifest, Signature string }
	signedIn(t, a, "operator").call("POST", "/v1/packages", map[string]any{"manifest": string(text)}, &signed)
	if err := packages.Finish(dir, []byte(signed.Manifest), []byte(signed.Signature)); err != nil {
		t.Fatal(err)
	}
	m, missing, err := packages.Verify(dir)
	if err != nil || len(missing) > 0 {
		t.Fatalf("verify: missing %v, %v", missing, err)
	}
	return m
}
