package torture

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mulu/pipeline"
)

// What the scenarios find is tested by the scenario "control" against real parts;
// here is what they count with.

func TestOffsetsMissing(t *testing.T) {
	var sent, held offsets
	for _, o := range []int64{0, 63, 64, 5000} {
		sent.add(o)
		sent.add(o) // once is enough
	}
	held.add(64)
	held.add(7)
	if n := sent.missing(&held); sent.n != 4 || n != 3 {
		t.Errorf("of %d sent, %d are missing; want 4 and 3", sent.n, n)
	}
	if held.has(-1) || held.has(1<<40) {
		t.Error("an offset that was never added is held")
	}
}

func TestCurrent(t *testing.T) {
	old := &truth{records: map[position]sent{{0, 900}: {id: "a", n: 1}, {1, 5}: {id: "b", n: 2}}}
	now := &truth{records: map[position]sent{
		{0, 1}: {id: "a", n: 3}, {0, 2}: {id: "a", n: 4}, {0, 3}: {id: "a", n: 5, fate: "rule"},
	}}
	got := current([]*truth{old, now})
	if len(got) != 2 || got["a"] != 4 || got["b"] != 2 {
		t.Errorf("current = %v: want the last good record of a key, and a later topic before an earlier one", got)
	}
}

func TestChoose(t *testing.T) {
	if got, err := Choose("all"); err != nil || !slices.Equal(got, Names()) {
		t.Errorf("all = %v, %v", got, err)
	}
	if got, err := Choose("freeze,poison"); err != nil || len(got) != 2 {
		t.Errorf("two = %v, %v", got, err)
	}
	if _, err := Choose("freeze,frost"); err == nil || !strings.Contains(err.Error(), "frost") {
		t.Errorf("a scenario that is not there: %v", err)
	}
}

func TestCrashAtErrInvalid(t *testing.T) {
	for _, s := range []string{"data", "data:0", "data:x"} {
		if _, err := CrashAt(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
	if f, err := CrashAt(""); f != nil || err != nil {
		t.Errorf("nothing asked for: %v", err)
	}
	f, err := CrashAt(pipeline.Stored + ":2")
	if err != nil {
		t.Fatal(err)
	}
	f(pipeline.Planned) // another stage, and the first time: we are still here
	f(pipeline.Planned)
	f(pipeline.Stored)
}

// The control's faults must not be counted as the product's, and a failure must show.
func TestResultAdd(t *testing.T) {
	r := Result{KilledAt: map[string]int{}}
	r.add(&Outcome{Verdict: Passed, Acked: 10, Kills: 1, KilledAt: map[string]int{atTime: 1}}, false)
	r.add(&Outcome{Verdict: Passed, Lost: 5, Kills: 2}, true)
	if r.Lost != 0 || r.Acked != 10 || r.Kills != 3 || !r.OK() {
		t.Errorf("result = %+v", r)
	}
	for _, o := range []Outcome{{Lost: 1}, {VisibleDuplicates: 1}, {Wrong: 1}, {Alien: 1}, {Unbalanced: 1}, {ChainBroken: 1}} {
		o.Verdict = Passed
		if o.judge(); o.Verdict != Failed {
			t.Errorf("%+v passed", o)
		}
	}
	r.add(&Outcome{Verdict: Failed}, false)
	if r.OK() {
		t.Error("a failed scenario is OK")
	}
}

// The wire must hold back exactly what comes after the first half, of the statement
// it was armed for, once.
func TestWireHolds(t *testing.T) {
	got := make(chan int, 8)
	engine := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		first := make([]byte, half)
		if _, err := io.ReadFull(r.Body, first); err != nil {
			t.Error(err)
		}
		got <- half
		rest, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- len(rest)
	}))
	defer engine.Close()
	w, err := newWire(engine.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	stopped := make(chan struct{})
	held := w.arm("_history", func() { close(stopped) })
	send := func(table string) error {
		resp, err := http.Post(w.url()+"/?query=INSERT+INTO+"+table, "", bytes.NewReader(make([]byte, 3*half)))
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	var last error
	for range 50 { // the wire's server may still be starting
		if last = send("t0"); last == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if last != nil {
		t.Fatal(last)
	}
	if a, b := <-got, <-got; a != half || b != 2*half {
		t.Fatalf("another table's insert came as %d and %d bytes", a, b)
	}
	done := make(chan error, 1)
	go func() { done <- send("t0_history") }()
	<-held.hit
	<-stopped
	<-got
	select {
	case n := <-got:
		t.Fatalf("%d bytes came through a wire that holds", n)
	case <-time.After(100 * time.Millisecond):
	}
	if err := held.arrive(t.Context()); err != nil {
		t.Error(err)
	}
	if n := <-got; n != 2*half {
		t.Errorf("%d bytes came after the release, want %d", n, 2*half)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// brokenOff is a result that ends in the middle.
type brokenOff struct{ first bool }

func (b *brokenOff) Read(p []byte) (int, error) {
	if b.first {
		return 0, errors.New("engine died")
	}
	b.first = true
	return copy(p, "half"), nil
}

type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"X-Mark": {"1"}}, Body: io.NopCloser(&brokenOff{})}, nil
}

// A result that broke off must not look like a short one.
func TestPassOnBrokenBody(t *testing.T) {
	s := httptest.NewServer(passOn(broken{}))
	defer s.Close()
	resp, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil || resp.Header.Get("X-Mark") != "1" || string(b) != "half" {
		t.Errorf("read %q with header %q, %v; want the half and an error", b, resp.Header.Get("X-Mark"), err)
	}
}
