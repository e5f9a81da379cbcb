package ingest

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"mulu"
)

// SeenStep and SeenPoints are how finely and how far back the past is kept: an hour.
const (
	SeenStep   = 10 * time.Second
	SeenPoints = 360
)

// recentMinutes is how far back the recent wait reaches.
const recentMinutes = 10

// recentSizes is how many batch sizes the median is taken over.
const recentSizes = 64

// Seen keeps what people and monitors ask about the way in: how much came, how long
// records waited from their producer until they could be queried, how the lag went.
// It is memory alone and bounded, about 60 kB for a dataset that has come. After a
// restart counts begin at zero, as Prometheus expects, and Recall fills the last
// hour from the manifests. It may be used by any number of goroutines.
type Seen struct {
	now    func() time.Time
	mu     sync.Mutex
	sets   map[mulu.DatasetCode]*seenSet
	stages map[string]*Spread // seconds, by stage of the walk
}

// NewSeen begins with nothing seen.
func NewSeen(now func() time.Time) *Seen {
	return &Seen{now: now, sets: map[mulu.DatasetCode]*seenSet{}, stages: map[string]*Spread{}}
}

// Walk is how one batch went in. Manifest.At is when its rows could be queried.
type Walk struct {
	Manifest mulu.Manifest
	Records  []mulu.Record            // their times alone are read
	Rejects  []mulu.Reject            // their classes alone are read
	Stages   map[string]time.Duration // how long each stage took
}

// seenSet is one dataset. Seen.mu guards it.
type seenSet struct {
	counts  Counts
	rejects map[string]int64
	all     waits
	waited  time.Duration // sum over all
	minutes [recentMinutes]struct {
		at int64 // Unix minute; what is too old does not count
		w  *waits
	}
	now    waits // of the newest point
	points [SeenPoints]Point
	at     int64 // number of the newest point, in SeenSteps since 1970; 0 before the first
	rows   *Spread
	bytes  *Spread
	sizes  []int64 // rows of the last batches, as a ring
	size   int     // where the next goes
	last   mulu.Manifest
}

// Counts are since the process began.
type Counts struct {
	Good, Rejected, Control int64 // as in the manifests
	Rows, Bytes, Batches    int64
	Ahead                   int64 // records whose producer's clock was ahead of ours: counted as no wait
	Undated                 int64 // records without a time: their wait is not known
}

// Point is one SeenStep of a dataset.
type Point struct {
	Records  int64 // good and rejected
	Rejected int64
	Lag      int64         // records, -1 if it was not looked at
	P50, P99 time.Duration // wait, -1 if nothing came
}

// Waits are quantiles of how long records waited, with nothing to tell if Records
// is 0.
type Waits struct {
	Records  int64
	P50, P99 time.Duration
}

// Spread counts values by size. Counts[i] is how many were at most Bounds[i] and
// more than the bound before; those above the last bound are in Total alone.
type Spread struct {
	Bounds []float64
	Counts []int64
	Total  int64
	Sum    float64
}

func newSpread(bounds []float64) *Spread {
	return &Spread{Bounds: bounds, Counts: make([]int64, len(bounds))}
}

func (s *Spread) add(v float64) {
	s.Total++
	s.Sum += v
	if i, _ := slices.BinarySearch(s.Bounds, v); i < len(s.Counts) {
		s.Counts[i]++
	}
}

func (s *Spread) clone() Spread {
	c := *s
	c.Counts = slices.Clone(s.Counts)
	return c
}

var (
	stageBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	rowBounds   = []float64{1, 10, 100, 1000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000}
	byteBounds  = []float64{1 << 10, 1 << 14, 1 << 17, 1 << 20, 4 << 20, 16 << 20, 32 << 20, 64 << 20, 256 << 20}
	// waitPowers bound the waits as powers of two of milliseconds, from 64 ms to 19
	// hours: there the cells of waits end, so the counts are exact.
	waitPowers = []int{6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 21, 23, 26}
)

// Batch takes note of a batch that is done. Call it once for each.
func (s *Seen) Batch(w Walk) {
	var fresh waits
	ahead, undated, waited := count(&fresh, w.Records, w.Manifest.At)
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.set(w.Manifest.Dataset)
	m := &w.Manifest
	c := &d.counts
	c.Good, c.Rejected, c.Control = c.Good+m.Good, c.Rejected+m.Rejected, c.Control+m.Control
	c.Rows, c.Bytes, c.Batches = c.Rows+m.Rows, c.Bytes+m.Bytes, c.Batches+1
	c.Ahead, c.Undated = c.Ahead+ahead, c.Undated+undated
	for i := range w.Rejects {
		d.rejects[w.Rejects[i].Class]++
	}
	d.all.merge(&fresh)
	d.waited += waited
	d.rows.add(float64(m.Rows))
	d.bytes.add(float64(m.Bytes))
	d.note(m, &fresh)
	for stage, took := range w.Stages {
		if s.stages[stage] == nil {
			s.stages[stage] = newSpread(stageBounds)
		}
		s.stages[stage].add(took.Seconds())
	}
}

// Recall fills in the past from manifests, oldest first, before anything is read. A
// manifest holds its oldest and newest record's time and not those between: they are
// taken to lie evenly, which is off by no more than the batch was long in coming.
// Counts since the process began stay as they are.
func (s *Seen) Recall(manifests []mulu.Manifest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range manifests {
		m := &manifests[i]
		var w waits
		if !m.Oldest.IsZero() {
			w.spread(max(m.At.Sub(m.Newest).Milliseconds(), 0), max(m.At.Sub(m.Oldest).Milliseconds(), 0), m.Good+m.Rejected)
		}
		s.set(m.Dataset).note(m, &w)
	}
}

// Lag takes note of how far each dataset is behind. It is to be called every
// SeenStep.
func (s *Seen) Lag(list []Status) {
	lag := map[mulu.DatasetCode]int64{}
	for i := range list {
		if list[i].Dataset != "" && list[i].Position >= 0 {
			lag[list[i].Dataset] += max(list[i].Lag, 0)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for code, n := range lag {
		d := s.set(code)
		d.move(s.now())
		d.point().Lag = n
	}
}

// count puts the records' waits until at into w. Records ahead of our clock count as
// no wait at all; those without a time not at all. waited is the sum.
func count(w *waits, records []mulu.Record, at time.Time) (ahead, undated int64, waited time.Duration) {
	now := at.UnixMilli()
	var sum int64
	for i := range records {
		if !dated(records[i].Time) {
			undated++
			continue
		}
		ms := now - records[i].Time.UnixMilli()
		if ms < 0 {
			ahead++
			ms = 0
		}
		sum += ms
		w[waitCell(ms)]++
	}
	return ahead, undated, time.Duration(sum) * time.Millisecond
}

// dated says whether a record's time can be one: Kafka's "none" is -1, and a
// producer may write any number.
func dated(t time.Time) bool { ms := t.UnixMilli(); return ms > 0 && ms < 1<<42 }

// Span is the oldest and the newest time of the records, zero if none has one.
func Span(records []mulu.Record) (oldest, newest time.Time) {
	for i := range records {
		t := records[i].Time
		if !dated(t) {
			continue
		}
		if oldest.IsZero() || t.Before(oldest) {
			oldest = t
		}
		if t.After(newest) {
			newest = t
		}
	}
	return oldest, newest
}

func (s *Seen) set(code mulu.DatasetCode) *seenSet {
	d := s.sets[code]
	if d == nil {
		d = &seenSet{rejects: map[string]int64{}, rows: newSpread(rowBounds), bytes: newSpread(byteBounds)}
		s.sets[code] = d
	}
	return d
}

// note puts a batch where it stands in time.
func (d *seenSet) note(m *mulu.Manifest, w *waits) {
	d.move(m.At)
	d.now.merge(w)
	p := d.point()
	p.Records += m.Good + m.Rejected
	p.Rejected += m.Rejected
	if q, ok := d.now.quantile(.5); ok {
		p.P50 = q
		p.P99, _ = d.now.quantile(.99)
	}
	minute := m.At.Unix() / 60
	slot := &d.minutes[minute%recentMinutes]
	if slot.w == nil || slot.at != minute {
		slot.at, slot.w = minute, new(waits)
	}
	slot.w.merge(w)
	if len(d.sizes) < recentSizes {
		d.sizes = append(d.sizes, m.Rows)
	} else {
		d.sizes[d.size] = m.Rows
	}
	d.size = (d.size + 1) % recentSizes
	if m.At.After(d.last.At) {
		d.last = *m
	}
}

// move brings the newest point up to now. A batch that is a little late counts for
// the newest point.
func (d *seenSet) move(now time.Time) {
	to := now.UnixNano() / int64(SeenStep)
	for n := 0; d.at < to && n < SeenPoints; n++ {
		d.at = max(d.at+1, to-SeenPoints+1)
		*d.point() = Point{Lag: -1, P50: -1, P99: -1}
		d.now = waits{}
	}
}

func (d *seenSet) point() *Point { return &d.points[d.at%SeenPoints] }

// past gives the last n points up to now, oldest first.
func (d *seenSet) past(now time.Time, n int) []Point {
	d.move(now)
	out := make([]Point, n)
	for i := range out {
		out[i] = d.points[(d.at-int64(n-1-i))%SeenPoints]
	}
	return out
}

// recent are the waits of the last minutes.
func (d *seenSet) recent(now time.Time) Waits {
	var w waits
	oldest := now.Unix()/60 - recentMinutes + 1
	for i := range d.minutes {
		if m := &d.minutes[i]; m.w != nil && m.at >= oldest {
			w.merge(m.w)
		} else {
			m.w = nil
		}
	}
	return w.waits()
}

func (w *waits) waits() (q Waits) {
	q.Records = w.total()
	q.P50, _ = w.quantile(.5)
	q.P99, _ = w.quantile(.99)
	return q
}

// wait is how long records waited, as a spread in seconds.
func (d *seenSet) wait() Spread {
	s := Spread{Bounds: make([]float64, len(waitPowers)), Counts: make([]int64, len(waitPowers)), Total: d.all.total(), Sum: d.waited.Seconds()}
	var before int64
	for i, p := range waitPowers {
		n := d.all.below(p)
		s.Bounds[i], s.Counts[i] = float64(int64(1)<<p)/1000, n-before
		before = n
	}
	return s
}

// Account is what was seen of one dataset.
type Account struct {
	Dataset mulu.DatasetCode
	Counts
	Rejects   map[string]int64 // rejected rows by class, since the process began
	Recent    Waits            // over the last ten minutes
	All       Waits            // since the process began
	SizeP50   int64            // rows: the median of the last batches, 0 before the first
	Last      mulu.Manifest    // newest batch; At is zero before the first
	Points    []Point          // the newest, oldest first
	Wait      Spread           // seconds
	BatchRows Spread
	BatchSize Spread // bytes
}

// Accounts gives every dataset that something was seen of, by code, each with its
// newest points, at most SeenPoints.
func (s *Seen) Accounts(points int) []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Account, 0, len(s.sets))
	for code, d := range s.sets {
		out = append(out, d.account(code, s.now(), points))
	}
	slices.SortFunc(out, func(a, b Account) int { return cmp.Compare(a.Dataset, b.Dataset) })
	return out
}

// Account gives one dataset with its newest points; ok is false if nothing was seen
// of it.
func (s *Seen) Account(code mulu.DatasetCode, points int) (a Account, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.sets[code]
	if d == nil {
		return a, false
	}
	return d.account(code, s.now(), points), true
}

func (d *seenSet) account(code mulu.DatasetCode, now time.Time, points int) Account {
	a := Account{
		Dataset: code, Counts: d.counts, Rejects: maps.Clone(d.rejects), Recent: d.recent(now), All: d.all.waits(), Last: d.last,
		Points: d.past(now, min(points, SeenPoints)), Wait: d.wait(), BatchRows: d.rows.clone(), BatchSize: d.bytes.clone(),
	}
	if len(d.sizes) > 0 {
		sorted := slices.Sorted(slices.Values(d.sizes))
		a.SizeP50 = sorted[(len(sorted)-1)/2]
	}
	return a
}

// Stages gives how long the stages of the walk took, in seconds, over all datasets.
func (s *Seen) Stages() map[string]Spread {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]Spread, len(s.stages))
	for stage, spread := range s.stages {
		out[stage] = spread.clone()
	}
	return out
}
