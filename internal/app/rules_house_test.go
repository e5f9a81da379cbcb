//go:build linux && amd64

package app_test

import (
	"context"
	"testing"

	"mulu/quality"
)

// TestRulesAreRunOnce: a running house runs the rules of what has changed and of nothing
// else, on demand it runs them now, and the same rows give the same digest, also after a
// restart.
func TestRulesAreRunOnce(t *testing.T) {
	c := house(t)
	c.Sample = "small"
	running := start(t, c, nil)
	if err := running.LoadSample(t.Context()); err != nil {
		t.Fatal(err)
	}
	changed := func() {
		t.Helper()
		if err := running.RunChanged(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	type answer struct {
		Digest, Data, At string
		Results          []struct{ Status, Rule string }
	}
	kept := func(d *desk) (a answer) {
		t.Helper()
		d.call("GET", "/v1/datasets/visit/results", nil, &a)
		return a
	}
	changed()
	d := openDesk(t, running)
	first := kept(d)
	if len(first.Results) == 0 || first.Data == "" {
		t.Fatalf("run %+v", first)
	}
	for _, r := range first.Results {
		if r.Status == string(quality.Errored) {
			t.Errorf("rule %s could not be judged", r.Rule)
		}
	}
	changed()
	if again := kept(d); again.At != first.At {
		t.Errorf("nothing has changed, and it was run again at %s", again.At)
	}
	var now answer
	d.call("POST", "/v1/datasets/visit/results", struct{}{}, &now)
	if now.Digest != first.Digest || now.Data != first.Data {
		t.Errorf("run now: %s of %s, before %s of %s", now.Digest, now.Data, first.Digest, first.Data)
	}
	running.Close()
	running = start(t, c, nil)
	if err := running.LoadSample(t.Context()); err != nil {
		t.Fatal(err)
	}
	run, err := running.RunRules(context.Background(), "visit")
	if err != nil || run.Digest != first.Digest {
		t.Errorf("after a restart %+v: %v, want %s", run, err, first.Digest)
	}
	d = openDesk(t, running)
	var batches struct{ Items []struct{ ID string } }
	d.call("GET", "/v1/datasets/visit/batches", nil, &batches)
	d.call("POST", "/v1/withdrawals", map[string]any{"dataset": "visit", "batch": batches.Items[0].ID, "reason": "误发"}, nil)
	changed()
	if after := kept(d); after.Data == first.Data || after.Digest == first.Digest {
		t.Errorf("after a withdrawal it is still %s of %s", after.Digest, after.Data)
	}
}
