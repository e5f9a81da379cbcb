//go:build linux && amd64

package pipeline_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/library"
	"mulu/plan"
	"mulu/quality/codes"
)

func feedDataset(code string, v uint32) *mulu.Dataset {
	d := dataset(code, v)
	d.Format = mulu.FormatDebezium
	return d
}

// tableModel is the source's table as a plain map, and the feed it gives.
type tableModel struct {
	rows     map[string]string // id → name
	events   []string          // values, "" for a tombstone
	rejected map[int]bool      // events that must be rejected
	lsn      int
}

func (m *tableModel) send(op, before, after string, lsn int) {
	m.events = append(m.events, fmt.Sprintf(`{"before":%s,"after":%s,"source":{"connector":"postgresql","snapshot":"%v","lsn":%d},"op":"%s","ts_ms":1}`, before, after, op == "r", lsn, op))
}

func object(id, name string) string { return fmt.Sprintf(`{"id":"%s","name":"%s","n":1}`, id, name) }

func (m *tableModel) upsert(op, id, name string, lsn int) {
	m.rows[id] = name
	m.send(op, "null", object(id, name), lsn)
}

// scripted makes a table's life: a snapshot, a change that was under way while it was
// read, then inserts, updates, deletes, moved keys, truncates and records that must
// not enter. At three places the feed is sent again from some way back, as Debezium
// does after a crash.
func scripted(seed uint64) *tableModel {
	rnd := rand.New(rand.NewPCG(seed, 1))
	m := &tableModel{rows: map[string]string{}, rejected: map[int]bool{}, lsn: 1000}
	for i := range 6 {
		m.upsert("r", fmt.Sprintf("k%02d", i), "快照", 1000)
	}
	m.upsert("r", "s00", "快照", 1000)
	m.upsert("r", "s01", "快照", 1000)
	m.upsert("u", "s01", "快照之前的变更", 900)
	truncate := func() {
		clear(m.rows)
		m.lsn += 8
		m.send("t", "null", "null", m.lsn)
	}
	again := func(back int) func() {
		return func() {
			from := len(m.events) - back
			for i := from; i < from+back; i++ {
				m.rejected[len(m.events)] = m.rejected[i]
				m.events = append(m.events, m.events[i])
			}
		}
	}
	planned := []struct {
		at int // not before so many events
		do func()
	}{
		{25, again(12)},
		{42, func() { m.upsert("u", "s00", "快照之前的变更", 950) }}, // in the batch after the snapshot's
		{50, truncate},
		{58, again(20)},
		{80, again(15)},
		{97, truncate},
	}
	if seed == 3 {
		planned = slices.Delete(planned, 5, 6)
		planned = slices.Delete(planned, 2, 3)
	}
	for len(m.events) < end {
		if len(planned) > 0 && len(m.events) >= planned[0].at {
			planned[0].do()
			planned = planned[1:]
			continue
		}
		m.lsn += 8
		id, name := fmt.Sprintf("k%02d", rnd.IntN(20)), fmt.Sprintf("名%d", len(m.events))
		switch n := rnd.IntN(20); {
		case n < 2:
			m.rejected[len(m.events)] = true
			m.send("c", "null", object(id, ""), m.lsn) // breaks the blocking rule
		case n < 3:
			m.rejected[len(m.events)] = true
			m.send("c", "null", fmt.Sprintf(`{"id":"%s","name":"x","n":"y"}`, id), m.lsn)
		case n < 7:
			delete(m.rows, id)
			m.send("d", fmt.Sprintf(`{"id":"%s","name":"","n":null}`, id), "null", m.lsn)
			m.events = append(m.events, "")
		case n < 9:
			to := fmt.Sprintf("m%d", m.lsn)
			delete(m.rows, id)
			m.rows[to] = name
			m.send("u", object(id, ""), object(to, name), m.lsn)
		default:
			m.upsert("u", id, name, m.lsn)
		}
	}
	if len(m.events) > end { // a tombstone, or what was sent again
		m.events = m.events[:end]
	}
	return m
}

func (m *tableModel) records() (rs []mulu.Record, rejected int64) {
	for i, e := range m.events {
		r := mulu.Record{Offset: int64(i), Key: []byte("{}"), Time: time.Unix(1_700_000_000, 0)}
		if e != "" {
			r.Value = []byte(e)
		}
		rs = append(rs, r)
		if m.rejected[i] {
			rejected++
		}
	}
	return rs, rejected
}

func (s *street) feed(t *testing.T, m *tableModel) *house {
	t.Helper()
	h := s.empty(t)
	h.dataset = feedDataset
	h.source.records, h.wanted = m.records()
	h.reopen()
	return h
}

// current is what readers see of the house's dataset.
func (h *house) current() map[string]string {
	h.t.Helper()
	rows, err := h.lib.Read(h.t.Context(), plan.Plan{View: plan.View{Base: mulu.DatasetCode(h.code)}, Items: []plan.Item{{Name: "id", Mask: plan.Clear}, {Name: "name", Mask: plan.Clear}}}, library.ReadOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range rows.Values {
		if _, twice := out[r[0].(string)]; twice {
			h.t.Errorf("key %s is there twice", r[0])
		}
		out[r[0].(string)] = r[1].(string)
	}
	return out
}

// checkFeed compares every account of the dataset with the model.
func (h *house) checkFeed(m *tableModel) {
	h.t.Helper()
	if got := h.current(); !maps.Equal(got, m.rows) {
		h.t.Errorf("readers see\n%v\nthe table is\n%v", got, m.rows)
	}
	a, err := h.lib.Audit(h.t.Context(), mulu.DatasetCode(h.code))
	if err != nil {
		h.t.Fatal(err)
	}
	if a.Visible != int64(len(m.rows)) || a.Rejects != h.wanted || a.Both != 0 || a.History != a.HistoryPositions {
		h.t.Errorf("audit %+v, want %d visible, %d rejects", a, len(m.rows), h.wanted)
	}
	sum, err := h.lib.Summary(h.t.Context(), plan.Summary{Dataset: mulu.DatasetCode(h.code), Measures: []plan.Measure{{As: "n", Kind: plan.Rows}}})
	if err != nil || len(sum) != 1 || sum[0]["n"] != float64(len(m.rows)) {
		h.t.Errorf("summary %v, %v; want %d rows", sum, err, len(m.rows))
	}
	totals, err := h.lib.Totals(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, x := range totals {
		if x.Dataset == mulu.DatasetCode(h.code) && (!x.Balanced() || x.Good+x.Rejected != end || x.Rejected != h.wanted || x.Rows != a.History) {
			h.t.Errorf("equation %+v, want %d good and rejected, %d rejected, %d rows", x, end, h.wanted, a.History)
		}
	}
}

// TestFeed walks a feed of changes to the same rows that its table has, whatever fails
// on the way and however often it is sent again.
func TestFeed(t *testing.T) {
	tables, err := codes.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &street{engine: engine(t), tables: tables}
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("life %d ends in the table's rows", seed), func(t *testing.T) {
			m := scripted(seed)
			h := s.feed(t, m)
			h.finish(func(err error) { t.Fatal(err) })
			h.checkFeed(m)
		})
	}
	faults := faultsOf()
	for _, table := range []string{"mulu.positions", "mulu.floors"} {
		for _, mode := range []string{"not written", "written"} {
			faults = append(faults, fault{table, mode, func(h *house) { h.wire.arm(table, mode, 0) }})
		}
	}
	m := scripted(1)
	for _, f := range faults {
		for _, after := range []string{same, restart} {
			t.Run(f.stage+" failed, "+f.mode+", "+after, func(t *testing.T) {
				h := s.feed(t, m)
				f.arm(h)
				h.finishAfter(after)
				h.checkFeed(m)
			})
		}
	}
	t.Run("positions of another log are held", func(t *testing.T) {
		m := scripted(2)
		h := s.feed(t, m)
		for i := size; i < end; i++ { // the connector now reads MySQL
			h.source.records[i].Value = []byte(fmt.Sprintf(`{"before":null,"after":%s,"source":{"connector":"mysql","server_id":1,"file":"mysql-bin.000001","pos":%d},"op":"c"}`, object("k00", "别处"), i))
		}
		if err := h.step(); err != nil {
			t.Fatal(err)
		}
		before := h.current()
		for range 2 {
			if err := h.step(); !errors.Is(err, mulu.ErrConflict) || !strings.Contains(err.Error(), "lsn") {
				t.Errorf("step: %v, want a conflict that names the orders", err)
			}
		}
		h.reopen() // a restart knows as well
		if err := h.step(); !errors.Is(err, mulu.ErrConflict) {
			t.Errorf("step after a restart: %v, want a conflict", err)
		}
		if got := h.current(); !maps.Equal(got, before) {
			t.Errorf("held rows are seen: %v, were %v", got, before)
		}
	})
}
