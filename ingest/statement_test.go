package ingest_test

import (
	"errors"
	"testing"
	"time"

	"mulu"
	"mulu/ingest"
)

func statement(t *testing.T, at time.Time, lines ...ingest.Line) *ingest.Statement {
	t.Helper()
	st := ingest.NewStatement("", ingest.Scope{}, at)
	st.Lines = lines
	if err := st.Close(at.UTC()); err != nil {
		t.Fatal(err)
	}
	return st
}

func lineOf(from, to int64, uneven ...ingest.Range) ingest.Line {
	l := ingest.Line{Dataset: "d", Owner: "o", Topic: "t", TopicID: mulu.TopicID{7}.String(), From: from, To: to, Verdict: ingest.Even, Notes: []string{}, Differing: []ingest.BatchLine{},
		Source: ingest.Side{Records: to - from + 1}}
	for _, r := range uneven {
		l.Differ(ingest.BatchLine{First: r.First, Last: r.Last, Verdict: ingest.Uneven, Differences: []ingest.Difference{}})
	}
	return l
}

func TestStatements(t *testing.T) {
	j, _ := openJournal(t)
	s, now := j.Statements(), time.Now()
	compared := func(want int64) {
		t.Helper()
		if next, _, err := s.Compared(t.Context(), mulu.TopicID{7}, 0); err != nil || next != want {
			t.Errorf("compared up to %d, want %d, %v", next, want, err)
		}
	}
	save := func(at time.Time, lines ...ingest.Line) (*ingest.Statement, []ingest.OpenDifference) {
		t.Helper()
		st := statement(t, at, lines...)
		mended, err := s.Save(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		return st, mended
	}
	open := func(want ...ingest.Range) []ingest.OpenDifference {
		t.Helper()
		list, err := s.Open(t.Context(), "")
		if err != nil || len(list) != len(want) {
			t.Fatalf("open %+v, want %v, %v", list, want, err)
		}
		for i := range want {
			if list[i].First != want[i].First || list[i].Last != want[i].Last {
				t.Errorf("open %+v, want %v", list, want)
			}
		}
		return list
	}
	first, _ := save(now, lineOf(0, 99, ingest.Range{First: 10, Last: 19}, ingest.Range{First: 20, Last: 29}, ingest.Range{First: 50, Last: 59}))
	compared(100)
	if list := open(ingest.Range{First: 10, Last: 29}, ingest.Range{First: 50, Last: 59}); list[0].Statement != first.ID {
		t.Errorf("found by %s", list[0].Statement)
	}
	save(now.Add(time.Second), lineOf(150, 160)) // a range that was asked for leaves a gap
	compared(100)
	save(now.Add(2*time.Second), lineOf(100, 120))
	compared(121)
	_, mended := save(now.Add(3*time.Second), lineOf(10, 29, ingest.Range{First: 10, Last: 12}), lineOf(50, 59))
	if len(mended) != 1 || mended[0].First != 50 {
		t.Errorf("mended %+v", mended)
	}
	if list := open(ingest.Range{First: 10, Last: 12}); list[0].Statement != first.ID || !list[0].Since.Equal(first.Finished.Truncate(time.Microsecond)) {
		t.Errorf("the difference forgot who found it: %+v", list[0])
	}
	compared(121)
	// Nothing could be compared: nothing moves.
	unread := lineOf(121, 120)
	unread.Verdict = ingest.Unread
	save(now.Add(4*time.Second), unread)
	compared(121)
	if _, err := s.Save(t.Context(), statement(t, now, lineOf(0, 1))); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("the same id again: %v", err)
	}
	if err := s.Prune(t.Context(), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	list, err := s.List(t.Context(), ingest.StatementFilter{})
	if err != nil || len(list) != 1 || list[0].ID != first.ID {
		t.Errorf("after pruning all but what found an open difference: %+v %v", list, err)
	}
}

func TestStatementDigest(t *testing.T) {
	st := statement(t, time.Now(), lineOf(0, 9), lineOf(10, 19, ingest.Range{First: 12, Last: 13}))
	if st.Verdict != ingest.Uneven || !st.Intact() || len(st.Datasets) != 1 || st.Datasets[0].Source.Records != 20 || st.Datasets[0].Verdict != ingest.Uneven {
		t.Fatalf("%+v", st)
	}
	st.Lines[0].Landed.Rows++
	if st.Intact() {
		t.Error("a changed row count went unnoticed")
	}
	order := []ingest.Verdict{ingest.Even, ingest.InFlight, ingest.Purged, ingest.Rebuilt, ingest.Unread, ingest.Uneven}
	for i := range order {
		for k := range order {
			if got := ingest.Graver(order[i], order[k]); got != order[max(i, k)] {
				t.Errorf("graver of %s and %s is %s", order[i], order[k], got)
			}
		}
	}
	l := lineOf(0, 9999)
	for i := range int64(300) {
		l.Differ(ingest.BatchLine{First: 20 * i, Last: 20*i + 1, Verdict: ingest.Uneven})
	}
	if len(l.Differing) != 200 || l.More != 100 || len(l.Uneven) != 300 {
		t.Errorf("%d listed, %d more, %d ranges", len(l.Differing), l.More, len(l.Uneven))
	}
}
