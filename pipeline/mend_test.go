//go:build linux && amd64

package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mulu"
	"mulu/ingest"
	"mulu/library"
	"mulu/pipeline"
	"mulu/plan"
	"mulu/quality/codes"
)

// holders counts who is told of what.
type holders struct {
	told map[string]int
	err  error
}

func (h *holders) Notify(_ context.Context, w mulu.Withdrawal) (int64, error) {
	if h.err != nil {
		err := h.err
		h.err = nil
		return 0, err
	}
	h.told[w.ID]++
	return 2, nil
}

// repair corrects what a house has stored, and knows what must be seen afterwards.
type repair struct {
	*house
	mender     *pipeline.Mender
	withdrawer *pipeline.Withdrawer
	holders    *holders
	fits       map[int64]string // offset → key of every row that must be stored
	batch      map[int64]int64  // offset → first offset of its batch
	gone       map[int64]bool   // first offsets of withdrawn batches
}

func newRepair(h *house) *repair {
	d := &repair{house: h, holders: &holders{told: map[string]int{}}, fits: map[int64]string{}, batch: map[int64]int64{}, gone: map[int64]bool{}}
	d.open()
	return d
}

func (d *repair) open() {
	passed := func(stage string) {
		if d.passed != nil {
			d.passed(stage)
		}
	}
	d.mender = &pipeline.Mender{Library: d.lib, Journal: d.journal, Version: d.lane.Version, Now: time.Now, Passed: passed}
	d.withdrawer = &pipeline.Withdrawer{Library: d.lib, Journal: d.journal, Holders: d.holders, Now: time.Now, Passed: passed}
}

// restart is a new process that finishes what the last one left.
func (d *repair) restart() {
	d.t.Helper()
	d.passed = nil
	d.reopen()
	d.open()
	d.resume()
}

func (d *repair) resume() {
	d.t.Helper()
	if err := errors.Join(d.withdrawer.Resume(d.t.Context()), d.mender.Resume(d.t.Context())); err != nil {
		d.t.Fatal(err)
	}
}

// learn takes the stored records over as what must be seen.
func (d *repair) learn(records []mulu.Record, first func(int64) int64) {
	for _, r := range records {
		d.batch[r.Offset] = first(r.Offset)
		var v struct{ ID, Name string }
		if json.Unmarshal(r.Value, &v) == nil && v.Name != "" {
			d.fits[r.Offset] = v.ID
		}
	}
}

func (d *repair) id(offset int64) mulu.RowID {
	return mulu.RowID{TopicID: d.source.topic, Offset: offset}
}

func (d *repair) mend(rows ...pipeline.Mended) pipeline.Mending {
	return pipeline.Mending{Dataset: mulu.DatasetCode(d.code), Actor: "steward", Why: "核对后更正", Rows: rows}
}

func value(id, name string, n int64) []byte {
	return fmt.Appendf(nil, `{"id":%q,"name":%q,"n":%d}`, id, name, n)
}

// visible is what readers see: per key the offset its row came at.
func (d *repair) visible() map[string]int64 {
	d.t.Helper()
	rows, err := d.lib.Read(d.t.Context(), plan.Plan{View: plan.View{Base: mulu.DatasetCode(d.code)}, Items: []plan.Item{{Name: "id"}, {Name: "n"}}}, library.ReadOptions{})
	if err != nil {
		d.t.Fatal(err)
	}
	out := map[string]int64{}
	for _, r := range rows.Values {
		n, _ := r[1].(int64)
		out[r[0].(string)] = n
	}
	return out
}

// faults says what does not hold: rows seen, the tables, the rejects.
func (d *repair) mendFaults() (out []string) {
	d.t.Helper()
	want := map[string]int64{}
	stored := int64(0)
	for _, o := range slices.Sorted(maps.Keys(d.fits)) {
		stored++
		if !d.gone[d.batch[o]] {
			want[d.fits[o]] = o
		}
	}
	if got := d.visible(); !reflect.DeepEqual(got, want) {
		out = append(out, fmt.Sprintf("visible:\n got %v\nwant %v", got, want))
	}
	a, err := d.lib.Audit(d.t.Context(), mulu.DatasetCode(d.code))
	if err != nil {
		d.t.Fatal(err)
	}
	if a.HistoryPositions != stored || a.Both != 0 || a.Withdrawn != 0 || a.Visible != a.VisibleKeys {
		out = append(out, fmt.Sprintf("%d positions must be stored: %+v", stored, a))
	}
	list, _, err := d.lib.Rejects(d.t.Context(), library.RejectFilter{Dataset: mulu.DatasetCode(d.code)}, "", 500)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range list {
		state := library.RejectOpen
		if _, ok := d.fits[r.Offset]; ok {
			state = library.RejectClosed
		}
		if d.gone[r.Batch.First] {
			state = library.RejectWithdrawn
		}
		if r.State != state && !(r.State == library.RejectDraft && state == library.RejectOpen) {
			out = append(out, fmt.Sprintf("reject %d is %s, want %s", r.Offset, r.State, state))
		}
	}
	return out
}

func (d *repair) verify() {
	d.t.Helper()
	for _, f := range d.mendFaults() {
		d.t.Error(f)
	}
}

// stored is a house whose whole topic is in. n of each record is its offset.
func (s *street) stored(t *testing.T) *repair {
	t.Helper()
	h := s.house(t)
	for i, r := range h.source.records {
		h.source.records[i].Value = []byte(strings.Replace(strings.Replace(string(r.Value), `"n":-1`, fmt.Sprintf(`"n":%d`, r.Offset), 1), `"n":1}`, fmt.Sprintf(`"n":%d}`, r.Offset), 1))
	}
	h.finish(func(err error) { t.Fatal(err) })
	d := newRepair(h)
	d.learn(h.source.records, func(o int64) int64 { return o / size * size })
	return d
}

func outcomes(list []pipeline.Mend) (out []string) {
	slices.SortFunc(list, func(a, b pipeline.Mend) int { return int(a.Row.Offset - b.Row.Offset) })
	for _, m := range list {
		out = append(out, fmt.Sprintf("%d %s", m.Row.Offset, m.Outcome))
	}
	return out
}

func TestReplay(t *testing.T) {
	tables, err := codes.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &street{engine: engine(t), tables: tables}
	t.Run("an edited reject comes in at its place and is closed once", func(t *testing.T) {
		d := s.stored(t)
		d.verify()
		// 5 can not be read, 6 has no name; 5's key is replaced by 35 later, 102 is last.
		ask := d.mend(pipeline.Mended{Row: d.id(5), Edited: true, Value: value("k05", "改", 5)},
			pipeline.Mended{Row: d.id(6), Edited: true, Value: value("k06", "", 6)},
			pipeline.Mended{Row: d.id(12)},
			pipeline.Mended{Row: d.id(103), Edited: true, Value: value("k13", "改", 103)},
			pipeline.Mended{Row: d.id(104)}, pipeline.Mended{Row: d.id(1)})
		ask.DryRun = true
		got, err := d.mender.Replay(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"1 declined", "5 fit", "6 faulty", "12 faulty", "103 fit", "104 declined"}; !reflect.DeepEqual(outcomes(got), want) {
			t.Fatalf("dry run: %v, want %v", outcomes(got), want)
		}
		d.verify()
		ask.DryRun = false
		if got, err = d.mender.Replay(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
		if want := []string{"1 declined", "5 replayed", "6 faulty", "12 faulty", "103 replayed", "104 declined"}; !reflect.DeepEqual(outcomes(got), want) {
			t.Fatalf("%v, want %v", outcomes(got), want)
		}
		d.fits[5], d.fits[103] = "k05", "k13"
		d.verify()
		at, err := d.lib.RejectsAt(t.Context(), mulu.DatasetCode(d.code), []mulu.RowID{d.id(6), d.id(12)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range at {
			if r.Mend == nil || r.Mend.Reason == "" || (r.State == library.RejectDraft) != (r.Offset == 6) {
				t.Errorf("reject %d is %s, tried %+v", r.Offset, r.State, r.Mend)
			}
		}
		// Again: both are closed. The draft of 6 is taken when nothing else is given.
		if got, err = d.mender.Replay(t.Context(), d.mend(pipeline.Mended{Row: d.id(5)}, pipeline.Mended{Row: d.id(6)})); err != nil {
			t.Fatal(err)
		}
		if want := []string{"5 declined", "6 faulty"}; !reflect.DeepEqual(outcomes(got), want) {
			t.Errorf("again: %v, want %v", outcomes(got), want)
		}
		for _, m := range got {
			if m.Row.Offset == 5 && !strings.Contains(m.Reason, "steward") {
				t.Errorf("who closed it is not said: %q", m.Reason)
			}
			if m.Row.Offset == 6 && m.Rule != "name.filled" {
				t.Errorf("not the draft's fault: %+v", m)
			}
		}
		corrections, err := d.lib.Corrections(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(corrections, func(c library.Correction) bool { return c.Dataset == mulu.DatasetCode(d.code) })
		if i < 0 || corrections[i].Replayed != 2 {
			t.Errorf("corrections: %+v", corrections)
		}
	})
	t.Run("two people at one row: the second is told who was first", func(t *testing.T) {
		d := s.stored(t)
		r := ingest.Replay{Row: d.id(5), Dataset: mulu.DatasetCode(d.code), Last: 39, Version: 1, Actor: "王", At: time.Now()}
		if refused, err := d.journal.PlanReplays(t.Context(), []ingest.Replay{r}); err != nil || len(refused) > 0 {
			t.Fatal(refused, err)
		}
		got, err := d.mender.Replay(t.Context(), d.mend(pipeline.Mended{Row: d.id(5), Edited: true, Value: value("k05", "改", 5)}))
		if err != nil || len(got) != 1 || got[0].Outcome != pipeline.Declined || !strings.Contains(got[0].Reason, "王") {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = d.withdrawer.Withdraw(t.Context(), d.taking(0))
		if !errors.Is(err, mulu.ErrConflict) {
			t.Errorf("its batch is withdrawn under a replay: %v", err)
		}
	})
	t.Run("a batch that is not done is left alone", func(t *testing.T) {
		d := newRepair(s.house(t))
		d.wire.arm("`"+d.code+"`", "not written", 0)
		if err := d.step(); err == nil {
			t.Fatal("the step did not fail")
		}
		got, err := d.mender.Replay(t.Context(), d.mend(pipeline.Mended{Row: d.id(5), Edited: true, Value: value("k05", "改", 5)}))
		if err != nil || len(got) != 1 || got[0].Outcome != pipeline.Declined {
			t.Errorf("replay: %+v, %v", got, err)
		}
		if _, err := d.withdrawer.Withdraw(t.Context(), d.taking(0)); !errors.Is(err, mulu.ErrNotFound) {
			t.Errorf("withdraw: %v", err)
		}
		d.finish(func(err error) { t.Fatal(err) })
		d.check()
	})
	for _, f := range mendFaultsOf([]string{pipeline.ReplayPlanned, pipeline.ReplayStored, pipeline.ReplayClosed}, map[string]string{"history": "`CODE_history`", "current": "`CODE`", "close": "mulu.mends"}) {
		for _, after := range []string{same, restart} {
			t.Run("replay, "+f.stage+" failed, "+f.mode+", "+after, func(t *testing.T) {
				t.Parallel()
				d := s.stored(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				d.cancel = cancel
				f.arm(d.house)
				_, err := d.mender.Replay(ctx, d.mend(pipeline.Mended{Row: d.id(5), Edited: true, Value: value("k05", "改", 5)}, pipeline.Mended{Row: d.id(103), Edited: true, Value: value("k13", "改", 103)}))
				if err == nil {
					t.Fatal("nothing failed")
				}
				d.passed = nil
				if after == restart {
					d.newest = 2 // and a newer version is applied
					d.restart()
				} else {
					d.resume()
				}
				d.fits[5], d.fits[103] = "k05", "k13"
				d.verify()
				a, err := d.lib.Audit(t.Context(), mulu.DatasetCode(d.code))
				if err != nil {
					t.Fatal(err)
				}
				if a.History != a.HistoryPositions || a.Raw != a.RawPositions {
					t.Errorf("stored twice: %+v", a)
				}
			})
		}
	}
}

// mendFaultsOf lists a failure of every insert, before and after it is written, and
// a process that ends after each stage.
func mendFaultsOf(stages []string, inserts map[string]string) (list []fault) {
	for name, table := range inserts {
		for _, mode := range []string{"not written", "written"} {
			list = append(list, fault{name, mode, func(h *house) { h.wire.arm(strings.ReplaceAll(table, "CODE", h.code), mode, 0) }})
		}
	}
	for _, stage := range stages {
		list = append(list, fault{stage, "ended after", func(h *house) {
			h.passed = func(s string) {
				if s == stage {
					h.cancel()
				}
			}
		}})
	}
	return list
}

func (d *repair) taking(first int64) pipeline.Taking {
	return pipeline.Taking{Dataset: mulu.DatasetCode(d.code), Topic: d.source.dataset.Topic, First: first, Last: min(first+size, end) - 1, Actor: "steward", Reason: "来源单位发错了", Restore: true}
}

func TestWithdraw(t *testing.T) {
	tables, err := codes.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &street{engine: engine(t), tables: tables}
	t.Run("earlier values are seen again, holders are told once", func(t *testing.T) {
		d := s.stored(t)
		if _, err := d.mender.Replay(t.Context(), d.mend(pipeline.Mended{Row: d.id(47), Edited: true, Value: value("k99", "改", 47)})); err != nil {
			t.Fatal(err)
		}
		d.fits[47] = "k99" // a key of this batch alone, by a replay
		d.verify()
		before := len(d.visible())
		ask := d.taking(40)
		ask.DryRun = true
		would, err := d.withdrawer.Withdraw(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		d.verify()
		ask.DryRun = false
		did, err := d.withdrawer.Withdraw(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		d.gone[40] = true
		d.verify()
		if would.Rows != did.Rows || would.Keys != did.Keys || did.Restored == 0 || did.Keys-did.Restored != int64(before-len(d.visible())) || did.Keys == did.Restored || did.Notices != 2 || did.Done.IsZero() {
			t.Errorf("would %+v\ndid %+v", would, did)
		}
		if _, err := d.withdrawer.Withdraw(t.Context(), ask); !errors.Is(err, mulu.ErrConflict) {
			t.Errorf("withdrawn twice: %v", err)
		}
		got, err := d.mender.Replay(t.Context(), d.mend(pipeline.Mended{Row: d.id(54), Edited: true, Value: value("k24", "改", 54)}))
		if err != nil || got[0].Outcome != pipeline.Declined {
			t.Errorf("a reject of a withdrawn batch: %+v, %v", got, err)
		}
		d.restart()
		d.verify()
		if d.holders.told[did.ID] != 1 {
			t.Errorf("told %d times", d.holders.told[did.ID])
		}
	})
	t.Run("a batch on its way is not brought in by a withdrawal", func(t *testing.T) {
		d := s.stored(t)
		// A later batch whose history is stored and whose current table is not.
		h := d.house
		next := &feed{script: h.source, from: end}
		next.add(mulu.Record{Offset: end, Value: value("k01", "后", end), Time: time.Now()}, mulu.Record{Offset: end + 1, Value: value("k98", "后", end+1), Time: time.Now()})
		h.lane.Source = next
		h.wire.arm("`"+h.code+"`", "not written", 0)
		if err := h.step(); err == nil {
			t.Fatal("the step did not fail")
		}
		if _, err := d.withdrawer.Withdraw(t.Context(), d.taking(80)); err != nil {
			t.Fatal(err)
		}
		d.gone[80] = true
		if err := h.step(); err != nil {
			t.Fatal(err)
		}
		d.learn(next.records, func(int64) int64 { return end })
		d.verify()
	})
	stages := []string{pipeline.WithdrawPlanned, pipeline.WithdrawMarked, pipeline.WithdrawTaken, pipeline.WithdrawTold}
	list := mendFaultsOf(stages, map[string]string{"mark": "mulu.withdrawn", "bring back": "`CODE`"})
	list = append(list, fault{"notices", "not written", func(*house) {}})
	for _, f := range list {
		for _, after := range []string{same, restart} {
			t.Run("withdrawal, "+f.stage+" failed, "+f.mode+", "+after, func(t *testing.T) {
				t.Parallel()
				d := s.stored(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				d.cancel = cancel
				f.arm(d.house)
				if f.stage == "notices" {
					d.holders.err = errInjected
				}
				if _, err := d.withdrawer.Withdraw(ctx, d.taking(40)); err == nil {
					t.Fatal("nothing failed")
				}
				d.passed = nil
				if after == restart {
					d.newest = 2
					d.restart()
				} else {
					d.resume()
				}
				d.gone[40] = true
				d.verify()
				if open, err := d.journal.OpenWithdrawals(t.Context()); err != nil || len(open) > 0 {
					t.Errorf("%d are open: %v", len(open), err)
				}
				if d.holders.told[ingest.WithdrawalID(mulu.BatchID{TopicID: d.source.topic, First: 40})] == 0 {
					t.Error("the holders are not told")
				}
			})
		}
	}
}

// feed hands out batches as they are added.
type feed struct {
	*script
	from    int64 // where the next batch starts
	records []mulu.Record
}

func (f *feed) add(rs ...mulu.Record) { f.records = append(f.records, rs...) }

func (f *feed) Next(context.Context) (*ingest.Batch, error) {
	if f.from >= f.records[0].Offset+int64(len(f.records)) {
		return nil, io.EOF
	}
	rs := f.records[f.from-f.records[0].Offset:]
	b := &ingest.Batch{Records: rs, Plan: mulu.Plan{BatchID: mulu.BatchID{TopicID: f.topic, Topic: f.dataset.Topic, First: f.from, Last: f.from + int64(len(rs)) - 1}, Dataset: f.dataset.Code, Version: f.dataset.Version}}
	_, open, err := f.journal.Resume(context.Background(), f.topic, 0)
	b.InDoubt = open != nil
	return b, err
}

func (f *feed) Commit(_ context.Context, id mulu.BatchID) error {
	f.from = id.Last + 1
	return nil
}

func (*feed) Review(context.Context, *ingest.Batch, *ingest.Decoded) error { return nil }

// TestCorrections: whatever the order of batches, replays and withdrawals, and of
// faults between, readers see the newest row of each key that stands.
func TestCorrections(t *testing.T) {
	tables, err := codes.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &street{engine: engine(t), tables: tables}
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue { // each has real tables
		if err := f.Value.Set("12"); err != nil {
			t.Fatal(err)
		}
		defer f.Value.Set(f.DefValue) //nolint:errcheck // as it was
	}
	rapid.Check(t, func(rt *rapid.T) {
		d := newRepair(s.house(t))
		f := &feed{script: d.source}
		next := int64(0)
		var batches []int64
		last := map[int64]int64{}
		rejects := map[int64]bool{}
		key := func() string { return fmt.Sprintf("k%d", rapid.IntRange(0, 4).Draw(rt, "key")) }
		fail := func() {
			switch rapid.IntRange(0, 5).Draw(rt, "fault") {
			case 0:
				d.wire.arm("`"+d.code+"`", "not written", 0)
			case 1:
				d.wire.arm("`"+d.code+"_history`", "written", 0)
			case 2:
				d.wire.arm("INSERT INTO `lib_walk`.`"+d.code+"`", "written", 0)
			}
		}
		settle := func(err error) {
			d.wire.arm("", "", 0)
			if err != nil {
				if !strings.Contains(err.Error(), errInjected.Error()) {
					rt.Fatal(err)
				}
				d.resume()
			}
		}
		step := func() {
			n := rapid.IntRange(1, 6).Draw(rt, "records")
			first := next
			for range n {
				v := value(key(), "名", next)
				if rapid.IntRange(0, 3).Draw(rt, "bad") == 0 {
					v, rejects[next] = value(key(), "", next), true
				}
				r := mulu.Record{Offset: next, Value: v, Time: time.Unix(1_700_000_000+next*40_000, 0)}
				f.add(r)
				d.learn([]mulu.Record{r}, func(int64) int64 { return first })
				next++
			}
			d.lane.Source = f
			fail()
			err := d.step()
			d.wire.arm("", "", 0)
			if err != nil {
				if err = d.step(); err != nil {
					rt.Fatal(err)
				}
			}
			batches, last[first] = append(batches, first), next-1
		}
		step()
		for range rapid.IntRange(4, 12).Draw(rt, "actions") {
			switch rapid.IntRange(0, 2).Draw(rt, "action") {
			case 0:
				step()
			case 1:
				var rows []pipeline.Mended
				fits := map[int64]string{}
				for o := range next {
					if !rejects[o] || !rapid.Bool().Draw(rt, "mend") {
						continue
					}
					k, name := key(), rapid.SampledFrom([]string{"改", ""}).Draw(rt, "name")
					rows = append(rows, pipeline.Mended{Row: d.id(o), Edited: true, Value: value(k, name, o)})
					if name != "" && !d.gone[d.batch[o]] {
						fits[o] = k
						delete(rejects, o)
					}
				}
				fail()
				_, err := d.mender.Replay(t.Context(), d.mend(rows...))
				settle(err)
				if err != nil && len(fits) > 0 {
					// A fault before the plan leaves nothing; after it, all.
					for o := range fits {
						at, err := d.lib.RejectsAt(t.Context(), mulu.DatasetCode(d.code), []mulu.RowID{d.id(o)})
						if err != nil || at[0].State != library.RejectClosed {
							rt.Fatalf("a planned replay of %d is not finished: %v", o, err)
						}
					}
				}
				maps.Copy(d.fits, fits)
			case 2:
				first := batches[rapid.IntRange(0, len(batches)-1).Draw(rt, "batch")]
				ask := d.taking(first)
				ask.Last = last[first]
				fail()
				_, err := d.withdrawer.Withdraw(t.Context(), ask)
				if d.gone[first] {
					d.wire.arm("", "", 0)
					if !errors.Is(err, mulu.ErrConflict) {
						rt.Fatalf("withdrawn twice: %v", err)
					}
					continue
				}
				settle(err)
				d.gone[first] = true
			}
			if faults := d.mendFaults(); len(faults) > 0 {
				rt.Fatal(strings.Join(faults, "\n"))
			}
		}
	})
}
