package submit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"mulu"
)

// again is the desk of the next process: it shares nothing with the last but the store.
func (r *rig) again() {
	r.Desk = NewDesk(r.db, []string{r.addr}, time.Now)
}

// put puts one submission of n rows, and is cut off at the stage.
func (r *rig) put(t *testing.T, key string, n int, stage string) (got Receipt, err error) {
	t.Helper()
	defer func() {
		if p := recover(); p == errCut { //nolint:errorlint // the very value
			err = errCut
		} else if p != nil {
			panic(p)
		}
	}()
	r.passed = func(s string) {
		if s == stage {
			panic(errCut)
		}
	}
	return r.Line("people", "people").Put(t.Context(), Submission{Dataset: "people", Way: mulu.WayHTTP, Key: key, Digest: "sha256:" + key, Total: int64(n)}, rowsOf(key, n))
}

func rowsOf(key string, n int) (rows []Row) {
	for i := range n {
		k := fmt.Sprintf("%s-%04d", key, i)
		rows = append(rows, Row{Key: Key(k), Value: []byte(`{"id":"` + k + `"}`)})
	}
	return rows
}

// once fails for rows of the keys that are not there exactly once, and for others.
func (r *rig) once(t *testing.T, n int, keys ...string) {
	t.Helper()
	got := r.counts(t)
	for _, key := range keys {
		for _, row := range rowsOf(key, n) {
			if got[string(row.Value)] != 1 {
				t.Errorf("%s is there %d times", row.Value, got[string(row.Value)])
			}
		}
	}
	if len(got) != n*len(keys) {
		t.Errorf("%d distinct rows, want %d", len(got), n*len(keys))
	}
}

// A client that retries with its key has each row there once, wherever the process
// before was cut off, also if the broker died with it.
func TestLineCutAnywhere(t *testing.T) {
	r := newRig(t, 3)
	var keys []string
	for turn, stage := range []string{"planned", "uncommitted", "produced", "answered", "planned", "uncommitted", "produced"} {
		key := fmt.Sprintf("k%d", turn)
		keys = append(keys, key)
		if _, err := r.put(t, key, 20, stage); !errors.Is(err, errCut) {
			t.Fatalf("%s, cut at %s: %v", key, stage, err)
		}
		if turn > 3 {
			r.stop()
			r.start(t)
		}
		r.again()
		got, err := r.put(t, key, 20, "")
		if err != nil {
			t.Fatalf("%s again: %v", key, err)
		}
		if got.Fresh || got.State != Sent || got.Rows != 20 || noted(got.Runs) != 20 {
			t.Errorf("%s again: %+v", key, got)
		}
	}
	r.once(t, 20, keys...)
}

func noted(runs []Run) (n int64) {
	for _, r := range runs {
		n += r.Last - r.First + 1
	}
	return n
}

// What a process left open is settled without anybody posting again.
func TestTend(t *testing.T) {
	r := newRig(t, 2)
	if _, err := r.put(t, "k", 5, "uncommitted"); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	r.again()
	if err := r.Tend(t.Context(), func(code mulu.DatasetCode) (string, bool) { return "people", code == "people" }); err != nil {
		t.Fatal(err)
	}
	list, err := r.List(t.Context(), Filter{State: Sent}, 10)
	if err != nil || len(list) != 1 || list[0].Rows != 5 {
		t.Errorf("sent are %+v, %v", list, err)
	}
	r.once(t, 5, "k")
}

// Two processes of one store: the older line is fenced off and nothing is there twice.
func TestLineFence(t *testing.T) {
	r := newRig(t, 2)
	if _, err := r.put(t, "a", 3, ""); err != nil {
		t.Fatal(err)
	}
	old := r.Desk
	r.again()
	if _, err := r.put(t, "b", 3, ""); err != nil {
		t.Fatal(err)
	}
	r.Desk, old = old, r.Desk
	if got, err := r.put(t, "c", 3, ""); err != nil || got.Rows != 3 { // it takes over again, settling its own
		t.Errorf("the older line: %+v, %v", got, err)
	}
	r.Desk = old
	if _, err := r.put(t, "d", 3, ""); err != nil {
		t.Fatal(err)
	}
	r.once(t, 3, "a", "b", "c", "d")
}

// The broker goes away and comes back: who posted meanwhile is told so, and is there once.
func TestLineBrokerAway(t *testing.T) {
	r := newRig(t, 2)
	if _, err := r.put(t, "a", 3, ""); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r.patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	_, err := r.Line("people", "people").Put(ctx, Submission{Dataset: "people", Way: mulu.WayHTTP, Key: "b", Digest: "sha256:b"}, rowsOf("b", 3))
	cancel()
	if !errors.Is(err, mulu.ErrBusy) {
		t.Errorf("without a broker: %v, want busy", err)
	}
	r.start(t)
	r.patience = groupTime
	if _, err := r.put(t, "b", 3, ""); err != nil {
		t.Fatal(err)
	}
	r.once(t, 3, "a", "b")
}

// Many at once: each is there once, in few transactions, and a key that comes twice is
// one submission.
func TestLineTogether(t *testing.T) {
	r := newRig(t, 3)
	transactions := 0
	r.passed = func(s string) {
		if s == "planned" {
			transactions++
		}
	}
	const posts = 60
	var all sync.WaitGroup
	fresh := make([]bool, 2*posts)
	var keys []string
	for i := range posts {
		keys = append(keys, fmt.Sprintf("k%d", i))
	}
	for i := range 2 * posts {
		all.Go(func() {
			key := keys[i%posts]
			got, err := r.Line("people", "people").Put(t.Context(), Submission{Dataset: "people", Way: mulu.WayHTTP, Key: key, Digest: "sha256:" + key}, rowsOf(key, 4))
			if err != nil || got.Rows != 4 || noted(got.Runs) != 4 {
				t.Errorf("%s: %+v, %v", key, got, err)
			}
			fresh[i] = got.Fresh
		})
	}
	all.Wait()
	r.once(t, 4, keys...)
	for i := range posts {
		if fresh[i] == fresh[i+posts] {
			t.Errorf("%s was fresh %v and %v", keys[i], fresh[i], fresh[i+posts])
		}
	}
	if transactions > posts/2 {
		t.Errorf("%d transactions for %d posts", transactions, posts)
	}
	_, err := r.Line("people", "people").Put(t.Context(), Submission{Dataset: "people", Way: mulu.WayHTTP, Key: "k0", Digest: "sha256:other"}, rowsOf("x", 1))
	if !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("other content under a key: %v, want a conflict", err)
	}
}
