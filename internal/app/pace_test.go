package app

import (
	"testing"
	"time"
)

func TestScorePace(t *testing.T) {
	p, at := scorePace{}, time.Unix(1_800_000_000, 0)
	for i, c := range []struct {
		offsets int64
		after   time.Duration
		want    bool
	}{
		{10_000, 0, true},                                           // never scored
		{10_050, 5 * time.Second, false},                            // half a hundredth more
		{10_100, 10 * time.Second, true},                            // a hundredth more
		{10_101, 15 * time.Second, false},                           // one more
		{10_101, 10*time.Second + scoreAtMost, true},                // old
		{10_101, 10*time.Second + scoreAtMost + time.Second, false}, // nothing new
	} {
		now := at.Add(c.after)
		if got := p.due("d", c.offsets, now); got != c.want {
			t.Errorf("%d: %d offsets after %s: due %v, want %v", i, c.offsets, c.after, got, c.want)
		}
		if c.want {
			p["d"] = scored{c.offsets, now}
		}
	}
}
