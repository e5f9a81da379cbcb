//go:build linux && amd64

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/internal/store"
	"mulu/library"
	"mulu/library/embedded"
	"mulu/pipeline"
	"mulu/quality"
	"mulu/quality/codes"
)

// size is how many offsets the scripted source puts in a batch, end how many there
// are: the last batch is short.
const size, end = 40, 105

// errInjected is every fault of these tests.
var errInjected = errors.New("injected")

// engine starts the one engine of this process.
func engine(t *testing.T) http.RoundTripper {
	t.Helper()
	lib := os.Getenv(embedded.EnvLib)
	if lib == "" {
		lib = "../engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
	}
	e, err := embedded.Start(context.Background(), embedded.Options{Dir: t.TempDir(), Lib: lib})
	if err != nil {
		t.Fatalf("these tests need the engine: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return e.Transport()
}

// dataset is version v of a dataset; version 2 has a column more.
func dataset(code string, v uint32) *mulu.Dataset {
	d := &mulu.Dataset{Code: mulu.DatasetCode(code), Version: v, Library: "lib_walk", Topic: "t_" + code, Format: "json",
		Columns: []mulu.Column{{Name: "id", Type: mulu.String, Required: true}, {Name: "name", Type: mulu.String, Required: true}, {Name: "n", Type: mulu.Int}},
		Key:     []string{"id"}, History: true,
		Rules: []mulu.Rule{
			{ID: "name.filled", Kind: "not_null", Columns: []string{"name"}, Blocking: true, Indicator: "020100"},
			{ID: "n.range", Kind: "range", Columns: []string{"n"}, Params: map[string]string{"min": "0"}, Indicator: "030100"},
		}}
	if v > 1 {
		d.Columns = append(d.Columns, mulu.Column{Name: "later", Type: mulu.String})
	}
	return d
}

// keys is how many business keys the records share: later batches replace rows of
// earlier ones.
const keys = 30

// records are what stands in the topic: good rows, rows that can not be
// read, rows that break the blocking rule, rows that are flagged, and offsets that
// carry no record.
func records() (rs []mulu.Record, rejected int64) {
	for o := int64(0); o < end; o++ {
		v := fmt.Sprintf(`{"id":"k%02d","name":"名%d","n":%d}`, o%keys, o, o)
		switch {
		case o%17 == 3:
			continue
		case o%7 == 5:
			v, rejected = `{"id":`, rejected+1
		case o%11 == 6:
			v, rejected = fmt.Sprintf(`{"id":"k%02d","name":"","n":1}`, o%keys), rejected+1
		case o%13 == 0:
			v = fmt.Sprintf(`{"id":"k%02d","name":"名%d","n":-1}`, o%keys, o)
		}
		rs = append(rs, mulu.Record{Offset: o, Value: []byte(v), Time: time.Unix(1_700_000_000+o, 0)})
	}
	return rs, rejected
}

// script is a Source over records that keeps the promises of ingest.Partition.
type script struct {
	journal *ingest.Journal
	dataset *mulu.Dataset
	topic   mulu.TopicID
	records []mulu.Record
	next    int64
	open    *mulu.Plan
	current *ingest.Batch
	blind   bool         // never says InDoubt: the negative control
	commit  func() error // nil succeeds
}

// resume asks the journal, as a new owner and as an owner after a conflict does.
func (s *script) resume(t *testing.T) {
	t.Helper()
	next, open, err := s.journal.Resume(t.Context(), s.topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.next, s.open, s.current = max(next, 0), open, nil
	// A newer version takes effect after what is planned, as the real source sees to.
	from := mulu.Plan{BatchID: mulu.BatchID{TopicID: s.topic, Topic: s.dataset.Topic, First: s.next}, Dataset: s.dataset.Code, Version: s.dataset.Version}
	if open != nil {
		from.First = open.Last + 1
	}
	if _, err := s.journal.Schedule(t.Context(), from); err != nil {
		t.Fatal(err)
	}
}

func (s *script) Next(context.Context) (*ingest.Batch, error) {
	if s.current != nil {
		b := *s.current
		b.InDoubt = !s.blind
		return &b, nil
	}
	if s.next >= end && s.open == nil {
		return nil, io.EOF
	}
	plan := mulu.Plan{BatchID: mulu.BatchID{TopicID: s.topic, Topic: s.dataset.Topic, First: s.next, Last: min(s.next+size, end) - 1}, Dataset: s.dataset.Code, Version: s.dataset.Version}
	if s.open != nil {
		plan = *s.open
	}
	b := &ingest.Batch{Plan: plan, InDoubt: s.open != nil && !s.blind}
	for _, r := range s.records {
		if r.Offset >= plan.First && r.Offset <= plan.Last {
			b.Records = append(b.Records, r)
			b.Bytes += int64(len(r.Value))
		}
	}
	s.current = b
	out := *b
	return &out, nil
}

func (s *script) Commit(_ context.Context, id mulu.BatchID) error {
	if s.commit != nil {
		if err := s.commit(); err != nil {
			return err
		}
	}
	if s.current == nil || s.current.Plan.BatchID != id {
		return fmt.Errorf("commit of %s: %w", id, mulu.ErrConflict)
	}
	s.next, s.open, s.current = id.Last+1, nil, nil
	return nil
}

func (s *script) Review(context.Context, *ingest.Batch, *ingest.Decoded) error { return nil }

// wire stands between the library and the engine and breaks one insert.
type wire struct {
	http.RoundTripper
	mu    sync.Mutex
	match string // part of the statement
	mode  string // "not written", "written", "half"
	skip  int    // how many to let pass before
}

func (w *wire) arm(match, mode string, skip int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.match, w.mode, w.skip = match, mode, skip
}

func (w *wire) fires(sql string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.match == "" || !strings.HasPrefix(sql, "INSERT") || !strings.Contains(sql, w.match) {
		return ""
	}
	if w.skip--; w.skip >= 0 {
		return ""
	}
	w.match = ""
	return w.mode
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	switch w.fires(r.URL.Query().Get("query")) {
	case "not written":
		return nil, errInjected
	case "half":
		r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 900), broken{}))
	case "written":
		resp, err := w.RoundTripper.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
		return nil, errInjected
	}
	return w.RoundTripper.RoundTrip(r)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errInjected }

// house is one process's lane with the real journal and the real library; reopen
// makes it again, as a restart does.
type house struct {
	t       *testing.T
	code    string
	newest  uint32 // dataset version that new batches are planned for
	tables  *codes.Tables
	db      *store.DB
	wire    *wire
	lib     *library.Library
	journal *ingest.Journal
	source  *script
	lane    *pipeline.Lane
	seen    *ingest.Seen
	cancel  context.CancelFunc // of the step under way
	passed  func(stage string)
	wanted  int64 // rejects
}

// street makes houses that share the engine and nothing else.
type street struct {
	engine http.RoundTripper
	tables *codes.Tables
	houses atomic.Int32
}

func (s *street) house(t *testing.T) *house {
	t.Helper()
	n := s.houses.Add(1)
	h := &house{t: t, code: fmt.Sprintf("w%d", n), newest: 1, tables: s.tables, wire: &wire{RoundTripper: s.engine}, seen: ingest.NewSeen(time.Now)}
	var err error
	if h.db, err = store.Open(t.Context(), "sqlite:"+t.TempDir()+"/control.db"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.db.Close() })
	h.source = &script{topic: mulu.TopicID{byte(n)}}
	h.source.records, h.wanted = records()
	h.reopen()
	return h
}

func (h *house) reopen() {
	h.t.Helper()
	if h.lib != nil {
		h.lib.Close()
	}
	var err error
	if h.lib, err = library.Open(h.t.Context(), library.Options{Transport: h.wire}); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { h.lib.Close() })
	versions := map[uint32]*pipeline.Version{}
	for v := uint32(1); v <= h.newest; v++ {
		ds := dataset(h.code, v)
		if err := h.lib.Apply(h.t.Context(), ds); err != nil {
			h.t.Fatal(err)
		}
		p := &pipeline.Version{Dataset: ds}
		if p.Decoder, err = ingest.NewDecoder(ds); err != nil {
			h.t.Fatal(err)
		}
		if p.Rules, err = quality.Compile(ds, h.tables); err != nil {
			h.t.Fatal(err)
		}
		versions[v] = p
	}
	if h.journal, err = ingest.NewJournal(h.t.Context(), h.db, time.Now); err != nil {
		h.t.Fatal(err)
	}
	h.source.journal, h.source.dataset = h.journal, versions[h.newest].Dataset
	h.source.resume(h.t)
	h.lane = &pipeline.Lane{
		Source: h.source, Journal: h.journal, Library: h.lib, Now: time.Now, Seen: h.seen,
		Version: func(_ mulu.DatasetCode, v uint32) (*pipeline.Version, error) { return versions[v], nil },
		Passed: func(stage string) {
			if h.passed != nil {
				h.passed(stage)
			}
		},
	}
}

// step is one Step with a context of its own.
func (h *house) step() error {
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	h.cancel = cancel
	return h.lane.Step(ctx)
}

// finish steps to the end of the topic. failed is told each failed step.
func (h *house) finish(failed func(error)) {
	h.t.Helper()
	for range 100 {
		err := h.step()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return
		case errors.Is(err, mulu.ErrConflict):
			h.source.resume(h.t)
		default:
			failed(err)
		}
	}
	h.t.Fatal("100 steps did not reach the end of the topic")
}

// faults counts from the rows themselves, the manifests and the journal what does
// not hold. It is empty if nothing is lost and nothing is there twice.
func (h *house) faults() (out []string) {
	h.t.Helper()
	want := func(what string, got, want int64) {
		if got != want {
			out = append(out, fmt.Sprintf("%s is %d, want %d", what, got, want))
		}
	}
	good := int64(len(h.source.records)) - h.wanted
	a, err := h.lib.Audit(h.t.Context(), mulu.DatasetCode(h.code))
	if err != nil {
		h.t.Fatal(err)
	}
	want("rows of the history", a.History, good)
	want("positions in the history", a.HistoryPositions, good)
	want("raw duplicates", a.Raw-a.RawPositions, 0)
	want("visible duplicates", a.Visible-a.VisibleKeys, 0)
	want("visible keys", a.VisibleKeys, keys)
	want("rejects", a.Rejects, h.wanted)
	want("rows both rejected and stored", a.Both, 0)

	totals, err := h.lib.Totals(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	totals = slices.DeleteFunc(totals, func(x library.Total) bool { return x.Dataset != mulu.DatasetCode(h.code) })
	want("partitions", int64(len(totals)), 1)
	for _, x := range totals {
		if !x.Balanced() || x.From != 0 {
			out = append(out, fmt.Sprintf("equation: %+v", x))
		}
		want("last offset of the manifests", x.Through, end-1)
		want("good of the manifests", x.Good, good)
		want("rejected of the manifests", x.Rejected, h.wanted)
		want("control of the manifests", x.Control, end-int64(len(h.source.records)))
		want("batches", x.Batches, (end+size-1)/size)
	}
	var evaluated int64
	for v := uint32(1); v <= h.newest; v++ {
		f, err := h.lib.FindingTotals(h.t.Context(), mulu.DatasetCode(h.code), v)
		if err != nil {
			h.t.Fatal(err)
		}
		evaluated += f["name.filled"].Evaluated
	}
	decoded := int64(0)
	for _, r := range h.source.records {
		if strings.HasSuffix(string(r.Value), "}") {
			decoded++
		}
	}
	want("rows the findings looked at", evaluated, decoded)

	seen, _ := h.seen.Account(mulu.DatasetCode(h.code), 1)
	want("batches seen", seen.Batches, (end+size-1)/size)
	want("good seen", seen.Good, good)
	want("records whose wait was seen", seen.All.Records, int64(len(h.source.records)))
	want("rejects seen", seen.Rejects["rule"]+seen.Rejects["decode"], h.wanted)

	next, open, err := h.journal.Resume(h.t.Context(), h.source.topic, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	want("position", next, end)
	if open != nil {
		out = append(out, fmt.Sprintf("plan %s is open", open.BatchID))
	}
	return out
}

func (h *house) check() {
	h.t.Helper()
	for _, f := range h.faults() {
		h.t.Error(f)
	}
}

// fault is one way a step can fail.
type fault struct {
	stage, mode string
	arm         func(h *house)
}

// faultsOf lists a failure before and after every durable line of Step. Inserts fail
// on the way to or from the engine, the journal by a context that ends.
func faultsOf() (list []fault) {
	// The second batch of three fails.
	insert := func(stage, table string, modes ...string) {
		for _, mode := range modes {
			list = append(list, fault{stage, mode, func(h *house) { h.wire.arm(strings.ReplaceAll(table, "CODE", h.code), mode, 1) }})
		}
	}
	cancelAfter := func(stage, mode, passed string) {
		list = append(list, fault{stage, mode, func(h *house) {
			left := 2
			h.passed = func(s string) {
				if s == passed {
					if left--; left == 0 {
						h.cancel()
					}
				}
			}
		}})
	}
	list = append(list, fault{pipeline.Planned, "not written", func(h *house) {
		old, calls := h.lane.Version, 0
		h.lane.Version = func(d mulu.DatasetCode, v uint32) (*pipeline.Version, error) {
			if calls++; calls == 2 {
				h.cancel()
			}
			return old(d, v)
		}
	}})
	cancelAfter(pipeline.Planned, "written", pipeline.Planned)
	insert(pipeline.Rejected, "mulu.rejects", "not written", "half", "written")
	insert(pipeline.Found, "mulu.findings", "not written", "written")
	insert("history", "`CODE_history`", "not written", "half", "written")
	insert(pipeline.Stored, "`CODE`", "not written", "half", "written")
	insert(pipeline.Manifest, "mulu.manifest", "not written", "written")
	cancelAfter(pipeline.Done, "not written", pipeline.Manifest)
	list = append(list, fault{pipeline.Done, "written", func(h *house) {
		calls := 0
		h.source.commit = func() error {
			if calls++; calls == 2 {
				return errInjected
			}
			return nil
		}
	}})
	return list
}

// What may follow a failed step. The restart finds a newer version of the dataset
// applied, and must finish the planned batch under the older one.
const same, restart = "the same lane goes on", "a restart with a newer version goes on"

func TestStep(t *testing.T) {
	tables, err := codes.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &street{engine: engine(t), tables: tables}
	t.Run("a walk without faults holds the equation", func(t *testing.T) {
		h := s.house(t)
		h.finish(func(err error) { t.Fatal(err) })
		h.check()
	})
	for _, f := range faultsOf() {
		for _, after := range []string{same, restart} {
			t.Run(f.stage+" failed, "+f.mode+", "+after, func(t *testing.T) {
				t.Parallel()
				h := s.house(t)
				f.arm(h)
				failures := 0
				h.finish(func(err error) {
					if failures++; !errors.Is(err, errInjected) && !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), errInjected.Error()) {
						t.Fatalf("not the injected fault: %v", err)
					}
					if after == restart {
						h.newest = 2
						h.reopen()
					}
				})
				if failures != 1 {
					t.Errorf("%d steps failed, want 1", failures)
				}
				h.check()
			})
		}
	}
	t.Run("the checker sees a batch that is stored twice", func(t *testing.T) {
		h := s.house(t)
		h.source.blind = true
		h.wire.arm("`"+h.code+"_history`", "written", 1)
		h.finish(func(error) {})
		if len(h.faults()) == 0 {
			t.Error("a batch was stored twice and the checker found nothing")
		}
	})
	t.Run("a stale owner stores nothing", func(t *testing.T) {
		h := s.house(t)
		stale := *h.source
		if _, err := stale.Next(t.Context()); err != nil { // it holds the first batch
			t.Fatal(err)
		}
		zombie := *h.lane
		zombie.Source = &stale
		h.finish(func(err error) { t.Fatal(err) })
		if err := zombie.Step(t.Context()); !errors.Is(err, mulu.ErrConflict) {
			t.Errorf("the stale owner's step: %v, want a conflict", err)
		}
		h.check()
	})
}
