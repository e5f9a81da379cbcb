package catalog_test

import (
	"slices"
	"testing"
	"time"

	"mulu"
	"mulu/catalog"
	"mulu/internal/clock"
	"mulu/ledger/contract"
)

func TestScoreHistory(t *testing.T) {
	h := open(t)
	h.found(t)
	ctx := t.Context()
	at := func(d, hour int) time.Time { return time.Date(2026, 11, d, hour, 0, 0, 0, clock.Shanghai) }
	for i, s := range []struct {
		dataset mulu.DatasetCode
		at      time.Time
		total   float64
	}{{"a", at(20, 23), 0.5}, {"a", at(21, 1), 0.6}, {"a", at(21, 22), 0.7}, {"b", at(21, 7), 0.8}, {"a", at(23, 0), 0.9}} {
		if _, err := h.SaveScore(ctx, mulu.Score{Dataset: s.dataset, Ruleset: 1, Weights: "w", Total: s.total, Grade: "良", At: s.at, Digest: contract.Digest([]byte{byte(i)})}); err != nil {
			t.Fatal(err)
		}
	}
	days, err := h.DayScores(ctx, "", at(21, 0), at(23, 0))
	want := []catalog.DayScore{{Dataset: "a", Day: "2026-11-21", Total: 0.7, Grade: "良"}, {Dataset: "b", Day: "2026-11-21", Total: 0.8, Grade: "良"}}
	if err != nil || !slices.Equal(days, want) {
		t.Errorf("days %+v %v", days, err)
	}
	if days, err := h.DayScores(ctx, "b", at(1, 0), at(30, 0)); err != nil || len(days) != 1 {
		t.Errorf("days of b %+v %v", days, err)
	}
	before, err := h.ScoresBefore(ctx, at(23, 0))
	if err != nil || len(before) != 2 || before[0].Total != 0.7 || before[1].Total != 0.8 {
		t.Errorf("before the 23rd %+v %v", before, err)
	}
	if before, err := h.ScoresBefore(ctx, at(20, 23)); err != nil || len(before) != 0 {
		t.Errorf("before the first %+v %v", before, err)
	}
}

func TestProbes(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	note := func(at time.Time, answered map[mulu.DatasetCode]bool) {
		t.Helper()
		if err := h.NoteProbes(ctx, answered, at); err != nil {
			t.Fatal(err)
		}
	}
	night := time.Date(2026, 10, 31, 16, 30, 0, 0, time.UTC) // already November in Shanghai
	note(night.Add(-time.Hour), map[mulu.DatasetCode]bool{"a": false})
	note(night, map[mulu.DatasetCode]bool{"a": true, "b": true})
	note(night.Add(time.Minute), map[mulu.DatasetCode]bool{"a": false, "b": true})
	note(night.AddDate(0, 0, 3), map[mulu.DatasetCode]bool{"a": true})
	november := mulu.Period{From: time.Date(2026, 11, 1, 0, 0, 0, 0, clock.Shanghai), To: time.Date(2026, 12, 1, 0, 0, 0, 0, clock.Shanghai)}
	got, err := h.ProbesIn(ctx, november)
	if err != nil || len(got) != 2 || got["a"] != (catalog.Probes{Asked: 3, Answered: 2}) || got["b"] != (catalog.Probes{Asked: 2, Answered: 2}) {
		t.Errorf("probes of November %+v %v", got, err)
	}
}
