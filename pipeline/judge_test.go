//go:build linux && amd64

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/library"
	"mulu/pipeline"
	"mulu/plan"
	"mulu/quality"
	"mulu/quality/codes"
)

// past is a dataset whose rules change while its rows stay.
type past struct {
	t        *testing.T
	code     mulu.DatasetCode
	lib      *library.Library
	tables   *codes.Tables
	versions map[uint32]*pipeline.Version
	newest   uint32
	next     int64 // offset
	batches  []mulu.BatchID
	day      time.Time
	judge    *pipeline.Judge
}

// mostN is the rule of version v: n is at most so much. Versions 1 and 4 agree.
func mostN(v uint32) int64 { return []int64{0, 40, 70, 10, 40, 25, 55}[v] }

func newPast(t *testing.T, transport http.RoundTripper, code string) *past {
	t.Helper()
	tables, err := codes.Load()
	if err != nil {
		t.Fatal(err)
	}
	h := &past{t: t, code: mulu.DatasetCode(code), tables: tables, versions: map[uint32]*pipeline.Version{}, day: time.Date(2026, 5, 20, 8, 0, 0, 0, time.UTC)}
	if h.lib, err = library.Open(t.Context(), library.Options{Transport: transport}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.lib.Close() })
	h.judge = &pipeline.Judge{Library: h.lib, Version: h.version, Now: func() time.Time { return h.day }}
	h.apply()
	return h
}

func (h *past) version(_ mulu.DatasetCode, v uint32) (*pipeline.Version, error) {
	return h.versions[v], nil
}

// apply takes the next version over.
func (h *past) apply() {
	h.t.Helper()
	h.newest++
	ds := &mulu.Dataset{Code: h.code, Version: h.newest, Library: "lib_past", Topic: "t_" + string(h.code), Format: mulu.FormatJSON, Key: []string{"id"}, History: true,
		Columns: []mulu.Column{{Name: "id", Type: mulu.String, Required: true}, {Name: "n", Type: mulu.Int}, {Name: "due", Type: mulu.Date}, {Name: "unseen", Type: mulu.String}},
		Rules: []mulu.Rule{
			{ID: "n.range", Kind: "range", Columns: []string{"n"}, Params: map[string]string{"max": fmt.Sprint(mostN(h.newest))}, Indicator: "030100"},
			{ID: "due.range", Kind: "date_range", Columns: []string{"due"}, Params: map[string]string{"min": "today"}, Indicator: "030100"},
		}}
	v := &pipeline.Version{Dataset: ds}
	var err error
	if v.Decoder, err = ingest.NewDecoder(ds); err != nil {
		h.t.Fatal(err)
	}
	if v.Rules, err = quality.Compile(ds, h.tables); err != nil {
		h.t.Fatal(err)
	}
	h.versions[h.newest] = v
	if err := h.lib.Apply(h.t.Context(), ds); err != nil {
		h.t.Fatal(err)
	}
}

// put stores a batch that was planned for version v, key by key.
func (h *past) put(v uint32, rows ...string) {
	h.t.Helper()
	ctx := h.t.Context()
	id := mulu.BatchID{TopicID: mulu.TopicID{7}, Topic: "t_" + string(h.code), First: h.next, Last: h.next + int64(len(rows)) - 1}
	b := &ingest.Batch{Plan: mulu.Plan{BatchID: id, Dataset: h.code, Version: v}}
	for i, r := range rows {
		b.Records = append(b.Records, mulu.Record{Offset: h.next + int64(i), Value: []byte(r), Time: h.day})
	}
	h.next += int64(len(rows))
	version := h.versions[v]
	d, err := version.Decoder.Decode(b)
	if err != nil || len(d.Rejects) > 0 {
		h.t.Fatal(err, d.Rejects)
	}
	defer d.Release()
	c := version.Rules.Check(d.Record, d.Offsets, h.day)
	if err := h.lib.StoreData(ctx, library.Batch{Plan: b.Plan, Record: d.Record, Offsets: d.Offsets, Flags: c.Flags, Drop: c.Drop}); err != nil {
		h.t.Fatal(err)
	}
	m := mulu.Manifest{Plan: b.Plan, Good: int64(len(rows)), Rows: int64(len(rows)), At: h.day}
	if err := h.lib.StoreManifest(ctx, m); err != nil {
		h.t.Fatal(err)
	}
	h.batches = append(h.batches, id)
}

func oneLine(key, n int) string { return fmt.Sprintf(`{"id":"k%03d","n":%d}`, key, n) }

func someLines(from, to, add int) (out []string) {
	for k := from; k < to; k++ {
		out = append(out, oneLine(k, k+add))
	}
	return out
}

// counts are what everybody reads: rows, judged ones, those that break either rule.
func (h *past) counts() (rows, judged, first, second, any float64) {
	h.t.Helper()
	m, err := h.lib.Summary(h.t.Context(), plan.Summary{Dataset: h.code, Measures: []plan.Measure{{As: "rows", Kind: plan.Rows}, {As: "judged", Kind: plan.Rows, Judged: true},
		{As: "0", Kind: plan.Flag}, {As: "1", Kind: plan.Flag, Bit: 1}, {As: "any", Kind: plan.AnyFlag}}})
	if err != nil {
		h.t.Fatal(err)
	}
	f := func(k string) float64 { return m[0][k].(float64) }
	return f("rows"), f("judged"), f("0"), f("1"), f("any")
}

func (h *past) want(when string, rows, judged, first, second, any float64) {
	h.t.Helper()
	a, b, c, d, e := h.counts()
	if got, want := [5]float64{a, b, c, d, e}, [5]float64{rows, judged, first, second, any}; got != want {
		h.t.Errorf("%s: rows, judged, first rule, second rule, any are %v, want %v", when, got, want)
	}
}

func (h *past) due(want bool) {
	h.t.Helper()
	why, err := h.lib.JudgingDue(h.t.Context(), h.code)
	if err != nil || (why != "") != want {
		h.t.Errorf("due: %q %v, want %v", why, err, want)
	}
}

func (h *past) walk(whole bool) library.Judged {
	h.t.Helper()
	done, err := h.judge.History(h.t.Context(), h.code, whole)
	if err != nil {
		h.t.Fatal(err)
	}
	return done
}

// TestHistory walks a dataset through what can become of its rows and its rules.
func TestHistory(t *testing.T) {
	transport := engine(t)
	t.Run("rules change", func(t *testing.T) {
		h := newPast(t, transport, "change")
		h.put(1, someLines(0, 100, 0)...) // 41…99 break version 1
		h.want("as it came", 100, 100, 59, 0, 59)
		h.due(false)
		h.apply() // at most 70
		h.want("under other rules", 100, 0, 0, 0, 0)
		h.due(true)
		done := h.walk(false)
		h.want("judged again", 100, 100, 29, 0, 29)
		h.due(false)
		if done.Rows != 100 || done.Differ != 30 { // 41…70 broke the old rule alone
			t.Errorf("judged %d rows, %d differ", done.Rows, done.Differ)
		}
		h.put(2, oneLine(80, 1), oneLine(5, 99)) // newer rows judge themselves
		h.want("replaced", 100, 100, 29, 0, 29)
		h.put(1, oneLine(81, 1), oneLine(6, 60)) // a partition where the version is not in force yet
		h.want("late rows of the old version", 100, 98, 28, 0, 28)
		h.due(true)
		if done := h.walk(false); done.Rows != 102 {
			t.Errorf("%d rows were judged in all, want 100 and 2", done.Rows)
		}
		h.want("late rows judged", 100, 100, 28, 0, 28)
		h.apply() // at most 10
		h.walk(false)
		h.want("third rules", 100, 100, 89, 0, 89)
		h.apply() // equal to version 1
		h.want("rules that were there before", 100, 98, 58, 0, 58)
		h.walk(false)
		h.want("judged under the first rules again", 100, 100, 59, 0, 59)
	})
	t.Run("days pass", func(t *testing.T) {
		h := newPast(t, transport, "days")
		h.put(1, `{"id":"a","due":"2026-05-19"}`, `{"id":"b","due":"2026-05-21"}`, `{"id":"c","due":"2026-06-30"}`)
		h.want("on the day", 3, 3, 0, 1, 1)
		if !h.versions[1].Rules.Ages() {
			t.Fatal("a rule that names today does not age")
		}
		h.day = h.day.AddDate(0, 0, 7)
		h.walk(true)
		h.want("a week later", 3, 3, 0, 2, 2)
		h.put(1, `{"id":"b","due":"2026-09-01"}`)
		h.want("replaced", 3, 3, 0, 1, 1)
		h.day = h.day.AddDate(0, 0, -6) // the clock was wrong: what no longer differs must not stay
		h.walk(true)
		h.want("a day later", 3, 3, 0, 1, 1)
	})
	t.Run("a batch is withdrawn", func(t *testing.T) {
		h := newPast(t, transport, "taken")
		h.put(1, someLines(0, 50, 0)...)
		h.put(1, someLines(0, 25, 60)...)
		h.apply()
		h.walk(false)
		h.want("before", 50, 50, 14, 0, 14) // 60…84 without 60…70
		w := mulu.Withdrawal{ID: "W", Dataset: h.code, Batch: h.batches[1], Restore: true, At: time.Now()}
		if err := errors.Join(h.lib.MarkWithdrawn(t.Context(), w), h.lib.TakeBack(t.Context(), w)); err != nil {
			t.Fatal(err)
		}
		rows, judged, _, _, any := h.counts()
		if rows != 50 || judged > 25 || any != 0 {
			t.Errorf("after the withdrawal %v rows, %v judged, %v at fault; rows that came back were never judged", rows, judged, any)
		}
		h.due(true)
		h.walk(false)
		h.want("after", 50, 50, 0, 0, 0)
		h.due(false)
	})
	t.Run("killed", func(t *testing.T) {
		for _, whole := range []bool{false, true} {
			h := newPast(t, transport, fmt.Sprintf("killed_%v", whole))
			h.put(1, someLines(0, 100, 0)...)
			h.apply()
			h.walk(false)
			h.apply()
			h.put(2, someLines(100, 120, 0)...)
			before := fmt.Sprint(h.counts())
			killed := &pipeline.Judge{Library: h.lib, Version: h.version, Now: h.judge.Now}
			ctx, cancel := context.WithCancel(t.Context())
			killed.Passed = func(stage string) {
				if stage == pipeline.JudgementsStored {
					cancel()
				}
			}
			if _, err := killed.History(ctx, h.code, whole); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if after := fmt.Sprint(h.counts()); after != before {
				t.Errorf("half a walk is seen: %s, before %s", after, before)
			}
			h.put(3, oneLine(0, 99)) // stored meanwhile
			h.walk(whole)
			h.want("after all", 120, 120, 110, 0, 110)
			n, err := library.RawRows(t.Context(), h.lib, "mulu", "judged")
			if err != nil || n == 0 || n > 500 {
				t.Errorf("%d judgements are kept: %v", n, err)
			}
		}
	})
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("at random ", seed), func(t *testing.T) { randomPast(t, transport, seed) })
	}
}

// randomPast does what comes and holds every row against the rules in force.
func randomPast(t *testing.T, transport http.RoundTripper, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 5))
	h := newPast(t, transport, fmt.Sprintf("random_%d", seed))
	stack := map[string][]int{} // per key: what each of its batches said, by batch
	mark := func(batch, key, n int) {
		k := fmt.Sprintf("k%03d", key)
		for len(stack[k]) <= batch {
			stack[k] = append(stack[k], -1)
		}
		stack[k][batch] = n
	}
	gone := map[int]bool{}
	now := func() map[string]int {
		out := map[string]int{}
		for k, said := range stack {
			for b, n := range said {
				if n >= 0 && !gone[b] {
					out[k] = n
				}
			}
		}
		return out
	}
	var trace []string
	for range 25 {
		switch op := r.IntN(10); {
		case op < 4 || len(h.batches) == 0:
			v := h.newest - uint32(r.IntN(int(min(h.newest, 2))))
			var rows []string
			for _, key := range r.Perm(30)[:1+r.IntN(10)] {
				n := r.IntN(80)
				mark(len(h.batches), key, n)
				rows = append(rows, oneLine(key, n))
			}
			h.put(v, rows...)
			trace = append(trace, fmt.Sprint("put ", v))
		case op == 4 && h.newest < 6:
			h.apply()
			trace = append(trace, "apply")
		case op == 5:
			b := r.IntN(len(h.batches))
			if gone[b] {
				continue
			}
			gone[b] = true
			w := mulu.Withdrawal{ID: fmt.Sprint("W", b), Dataset: h.code, Batch: h.batches[b], Restore: true, At: time.Now()}
			if err := errors.Join(h.lib.MarkWithdrawn(t.Context(), w), h.lib.TakeBack(t.Context(), w)); err != nil {
				t.Fatal(err)
			}
			trace = append(trace, fmt.Sprint("withdraw ", b))
		case op == 6:
			ctx, cancel := context.WithCancel(t.Context())
			j := *h.judge
			j.Passed = func(string) { cancel() }
			_, _ = j.History(ctx, h.code, r.IntN(2) == 0) // dies, or had just ended
			cancel()
			trace = append(trace, "killed walk")
		default:
			h.walk(r.IntN(2) == 0)
			trace = append(trace, "walk")
			h.due(false)
			if rows, judged, _, _, _ := h.counts(); rows != judged {
				t.Errorf("%v of %v rows are judged after %s", judged, rows, strings.Join(trace, ", "))
			}
		}
		h.compare(now(), strings.Join(trace, ", "))
		if t.Failed() {
			return
		}
	}
}

// compare holds every row that counts as judged against the rule in force.
func (h *past) compare(rows map[string]int, trace string) {
	h.t.Helper()
	m, err := h.lib.Summary(h.t.Context(), plan.Summary{Dataset: h.code, GroupBy: []string{"id"}, Measures: []plan.Measure{{As: "rows", Kind: plan.Rows}, {As: "judged", Kind: plan.Rows, Judged: true}, {As: "0", Kind: plan.Flag}}})
	if err != nil {
		h.t.Fatal(err)
	}
	if len(m) != len(rows) {
		h.t.Errorf("%d keys are seen, want %d after %s", len(m), len(rows), trace)
	}
	for _, got := range m {
		n := rows[got["id"].(string)]
		bad := 0.0
		if int64(n) > mostN(h.newest) {
			bad = 1
		}
		if got["judged"].(float64) == 1 && got["0"].(float64) != bad || got["judged"].(float64) == 0 && got["0"].(float64) != 0 {
			h.t.Errorf("key %v with n=%d under version %d: judged %v, flag %v, want %v after %s", got["id"], n, h.newest, got["judged"], got["0"], bad, trace)
		}
	}
}

// TestHistoryDesk: what is due is judged without anybody asking, once.
func TestHistoryDesk(t *testing.T) {
	h := newPast(t, engine(t), "desk")
	h.day = time.Now()
	h.put(1, someLines(0, 20, 30)...)
	var told []mulu.DatasetCode
	d := &pipeline.HistoryDesk{Judge: *h.judge, Log: slog.New(slog.DiscardHandler), Judged: func(c mulu.DatasetCode) { told = append(told, c) },
		Datasets: func(context.Context) ([]*mulu.Dataset, error) {
			return []*mulu.Dataset{h.versions[h.newest].Dataset}, nil
		}}
	turn := func(when string, want int) {
		t.Helper()
		if err := d.Turn(t.Context()); err != nil || len(told) != want {
			t.Fatalf("%s: %d walks in all, want %d: %v", when, len(told), want, err)
		}
	}
	turn("nothing is due", 0)
	h.apply()
	if s, err := d.State(t.Context(), h.code); err != nil || s.State != pipeline.HistoryIdle || s.Why == "" || s.Last != nil {
		t.Fatalf("due: %+v %v", s, err)
	}
	turn("other rules", 1)
	turn("and again", 1)
	h.want("judged", 20, 20, 0, 0, 0)
	d.Ask(h.code)
	if s, err := d.State(t.Context(), h.code); err != nil || s.State != pipeline.HistoryWaiting || s.Last == nil || s.Last.Rows != 20 {
		t.Fatalf("asked: %+v %v", s, err)
	}
	turn("asked", 2)
	turn("and answered", 2)
	h.day = h.day.AddDate(0, 0, 1)
	turn("a day later, since a rule names today", 3)
	turn("once a day", 3)
	if s, err := d.State(t.Context(), h.code); err != nil || s.State != pipeline.HistoryIdle || s.Why != "" {
		t.Fatalf("done: %+v %v", s, err)
	}
}
