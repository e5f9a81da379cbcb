package ingest_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mulu"
	"mulu/ingest"
)

// at0 is the beginning of a minute.
var at0 = time.Unix(1_760_000_040, 0).UTC()

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

// came is a batch whose rows could be queried at a moment, of records that had
// waited so long.
func came(at time.Time, waits ...time.Duration) ingest.Walk {
	w := ingest.Walk{Manifest: mulu.Manifest{Plan: mulu.Plan{Dataset: "d"}, Good: int64(len(waits)), Rows: int64(len(waits)), At: at}}
	for i, d := range waits {
		w.Records = append(w.Records, mulu.Record{Offset: int64(i), Time: at.Add(-d)})
	}
	w.Manifest.Oldest, w.Manifest.Newest = ingest.Span(w.Records)
	return w
}

func account(t *testing.T, s *ingest.Seen, points int) ingest.Account {
	t.Helper()
	a, ok := s.Account("d", points)
	if !ok {
		t.Fatal("nothing was seen of the dataset")
	}
	return a
}

// near says whether got is within a sixteenth of want, or a millisecond.
func near(got, want time.Duration) bool {
	return (got - want).Abs() <= max(want/16, time.Millisecond)
}

func TestWaitQuantilesAreNearTheExactOnes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() int64{
		"a few milliseconds": func() int64 { return r.Int64N(16) },
		"around a second":    func() int64 { return 300 + r.Int64N(1500) },
		"a long tail":        func() int64 { return int64(50 * r.ExpFloat64() * r.ExpFloat64() * 400) },
		"one value":          func() int64 { return 777 },
		"days":               func() int64 { return r.Int64N(9 * 24 * 3600_000) },
	} {
		t.Run(name, func(t *testing.T) {
			c := &clock{at0}
			s := ingest.NewSeen(c.now)
			var exact []time.Duration
			for range 20 { // quantiles of the union, not of the batches
				var batch []time.Duration
				for range 1000 {
					batch = append(batch, time.Duration(draw())*time.Millisecond)
				}
				s.Batch(came(at0, batch...))
				exact = append(exact, batch...)
			}
			slices.Sort(exact)
			a := account(t, s, 1)
			for _, q := range []struct {
				got  time.Duration
				rank int
			}{{a.Recent.P50, 10_000}, {a.Recent.P99, 19_800}, {a.All.P50, 10_000}, {a.All.P99, 19_800}} {
				if want := exact[q.rank-1]; !near(q.got, want) {
					t.Errorf("rank %d of 20000: %v, exactly %v", q.rank, q.got, want)
				}
			}
			if a.Recent.Records != 20_000 || a.Wait.Total != 20_000 {
				t.Errorf("%d records recent, %d in all, want 20000", a.Recent.Records, a.Wait.Total)
			}
		})
	}
}

func TestWaitHistogramIsExact(t *testing.T) {
	s := ingest.NewSeen((&clock{at0}).now)
	var waits []time.Duration
	for ms := int64(0); ms < 200_000; ms += 37 {
		waits = append(waits, time.Duration(ms)*time.Millisecond)
	}
	waits = append(waits, 30*24*time.Hour)
	s.Batch(came(at0, waits...))
	h := account(t, s, 1).Wait
	var sum float64
	for _, w := range waits {
		sum += w.Seconds()
	}
	if (h.Sum-sum) > 1e-6 || (sum-h.Sum) > 1e-6 {
		t.Errorf("sum %v, want %v", h.Sum, sum)
	}
	var got int64
	for i, bound := range h.Bounds {
		got += h.Counts[i]
		var want int64
		for _, w := range waits {
			if w.Seconds() < bound {
				want++
			}
		}
		if got != want {
			t.Errorf("below %v s: %d, want %d", bound, got, want)
		}
	}
	if got != int64(len(waits))-1 {
		t.Errorf("%d records below the last bound, want all but the one of a month: %d", got, len(waits)-1)
	}
}

func TestSeenCounts(t *testing.T) {
	s := ingest.NewSeen((&clock{at0}).now)
	w := came(at0, time.Second, -time.Hour, 3*time.Second)
	w.Records = append(w.Records, mulu.Record{Time: time.UnixMilli(-1)}, mulu.Record{Time: time.UnixMilli(1 << 50)})
	w.Manifest.Good, w.Manifest.Rejected, w.Manifest.Control, w.Manifest.Bytes, w.Manifest.Rows = 3, 2, 4, 900, 7
	w.Rejects = []mulu.Reject{{Class: "rule"}, {Class: "decode"}, {Class: "rule"}}
	w.Stages = map[string]time.Duration{"data": 30 * time.Millisecond}
	s.Batch(w)
	s.Batch(came(at0, time.Second))
	a := account(t, s, 1)
	if want := (ingest.Counts{Good: 4, Rejected: 2, Control: 4, Rows: 8, Bytes: 900, Batches: 2, Ahead: 1, Undated: 2}); a.Counts != want {
		t.Errorf("counts %+v, want %+v", a.Counts, want)
	}
	if a.Rejects["rule"] != 2 || a.Rejects["decode"] != 1 || len(a.Rejects) != 2 {
		t.Errorf("rejects %v", a.Rejects)
	}
	if a.Recent.Records != 4 || !near(a.Recent.P50, time.Second) || !near(a.Recent.P99, 3*time.Second) {
		t.Errorf("waits %+v: one ahead of the clock is none, two are not known", a.Recent)
	}
	if a.SizeP50 != 1 || a.BatchRows.Total != 2 || a.BatchSize.Sum != 900 {
		t.Errorf("sizes %d %+v %+v", a.SizeP50, a.BatchRows, a.BatchSize)
	}
	data := s.Stages()["data"]
	if data.Total != 1 || data.Sum != .03 {
		t.Errorf("stage %+v", data)
	}
}

func TestSeenForgets(t *testing.T) {
	c := &clock{at0}
	s := ingest.NewSeen(c.now)
	s.Batch(came(at0, time.Second, time.Second))
	c.t = at0.Add(20 * time.Second)
	s.Batch(came(c.t, time.Minute))
	s.Lag([]ingest.Status{{Dataset: "d", Position: 3, Lag: 5}, {Dataset: "d", Partition: 1, Position: 3, Lag: 2}, {Dataset: "d", Partition: 2, Position: -1, Lag: 99}})
	p := account(t, s, 4).Points
	if p[0].Records != 0 || p[1].Records != 2 || p[2].Records != 0 || p[3].Records != 1 {
		t.Errorf("points %+v", p)
	}
	if p[3].Lag != 7 || p[2].Lag != -1 || p[2].P99 != -1 || !near(p[1].P99, time.Second) || !near(p[3].P50, time.Minute) {
		t.Errorf("points %+v", p)
	}
	c.t = at0.Add(9 * time.Minute)
	if r := account(t, s, 1).Recent; r.Records != 3 {
		t.Errorf("%d records in ten minutes, want 3", r.Records)
	}
	c.t = at0.Add(10*time.Minute + time.Second)
	if a := account(t, s, 1); a.Recent.Records != 0 || a.All.Records != 3 {
		t.Errorf("after ten minutes %d recent and %d in all, want 0 and 3", a.Recent.Records, a.All.Records)
	}
	c.t = at0.Add(2 * time.Hour)
	for i, p := range account(t, s, ingest.SeenPoints).Points {
		if p != (ingest.Point{Lag: -1, P50: -1, P99: -1}) {
			t.Fatalf("point %d is %+v two hours later", i, p)
		}
	}
}

func TestRecallIsNearWhatWasSeen(t *testing.T) {
	c := &clock{at0}
	first := ingest.NewSeen(c.now)
	var manifests []mulu.Manifest
	for i := range 30 {
		at := at0.Add(time.Duration(i) * 10 * time.Second)
		var waits []time.Duration
		for k := range 500 { // an even stream, cut every second
			waits = append(waits, 200*time.Millisecond+time.Duration(k)*2*time.Millisecond)
		}
		w := came(at, waits...)
		first.Batch(w)
		manifests = append(manifests, w.Manifest)
		c.t = at
	}
	undated := mulu.Manifest{Plan: mulu.Plan{Dataset: "d"}, Good: 5, Rows: 5, At: c.t}
	again := ingest.NewSeen(c.now)
	again.Recall(append(manifests, undated))
	a, b := account(t, first, 30), account(t, again, 30)
	if !near(b.Recent.P50, a.Recent.P50) || !near(b.Recent.P99, a.Recent.P99) || b.Recent.Records != a.Recent.Records {
		t.Errorf("recalled %+v, seen %+v", b.Recent, a.Recent)
	}
	for i := range a.Points[:29] {
		if a.Points[i].Records != b.Points[i].Records || !near(b.Points[i].P99, a.Points[i].P99) {
			t.Errorf("point %d: recalled %+v, seen %+v", i, b.Points[i], a.Points[i])
		}
	}
	if b.Counts != (ingest.Counts{}) || b.All.Records != 0 || b.Wait.Total != 0 {
		t.Errorf("a restart counted what another process did: %+v", b.Counts)
	}
	if b.Last.At != c.t || b.SizeP50 != 500 {
		t.Errorf("last %v, size %d", b.Last.At, b.SizeP50)
	}
}

func TestState(t *testing.T) {
	f := func(want ingest.State, list ...ingest.Status) {
		t.Helper()
		if got := ingest.StateOf(list); got != want {
			t.Errorf("%+v is %s, want %s", list, got, want)
		}
	}
	f(ingest.StateIdle)
	f(ingest.StateIdle, ingest.Status{Position: 4})
	f(ingest.StateRunning, ingest.Status{}, ingest.Status{Lag: 1})
	f(ingest.StateRunning, ingest.Status{Error: "engine is down"})
	f(ingest.StateStopped, ingest.Status{Rate: 3}, ingest.Status{Stopped: true, Lag: 3})
}
