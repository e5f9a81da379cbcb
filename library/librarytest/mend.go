package librarytest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"mulu"
	"mulu/library"
	"mulu/plan"
)

// good fails the test if any of the errors is one.
func good(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// done is the manifest of a stored batch of which the given number was rejected.
func done(b library.Batch, rejected int64, at time.Time) mulu.Manifest {
	n := b.Plan.Last - b.Plan.First + 1
	return mulu.Manifest{Plan: b.Plan, Good: n - rejected, Rejected: rejected, Rows: n - rejected, Digest: "sha256:ab", At: at}
}

func testMends(t *testing.T, l *library.Library) {
	ds := residents("mends")
	apply(t, l, ds)
	ctx := t.Context()
	b := batch(t, ds, 100, numbered(10))
	var rejects []mulu.Reject
	for row := range int32(3) { // several of one record: the page must not lose any
		rejects = append(rejects, mulu.Reject{Batch: b.Plan.BatchID, Dataset: ds.Code, Offset: 104, Row: row, Class: "type", Field: "seq", Reason: "不是整数", Value: []byte(`{"seq":"x"}`), Time: Now().Add(-time.Hour)})
	}
	rejects = append(rejects, mulu.Reject{Batch: b.Plan.BatchID, Dataset: ds.Code, Offset: 107, Class: "decode", Reason: "不是 JSON", Value: []byte(`{`)})
	good(t, l.StoreRejects(ctx, rejects), l.StoreManifest(ctx, done(b, 2, Now())))
	var seen []mulu.RowID
	for cursor := ""; ; {
		page, next, err := l.Rejects(ctx, library.RejectFilter{Dataset: ds.Code}, cursor, 1)
		good(t, err)
		for _, r := range page {
			seen = append(seen, r.ID())
		}
		if cursor = next; next == "" {
			break
		}
	}
	equal(t, "rejects in pages of one", seen, []mulu.RowID{rejects[3].ID(), rejects[2].ID(), rejects[1].ID(), rejects[0].ID()})

	states := func(f library.RejectFilter) (out []string) {
		t.Helper()
		f.Dataset = ds.Code
		page, _, err := l.Rejects(ctx, f, "", 10)
		good(t, err)
		for _, r := range page {
			out = append(out, r.State)
		}
		return out
	}
	draft := library.Mend{Row: rejects[0].ID(), Dataset: ds.Code, Edited: true, Value: []byte(`{"seq":"y"}`), Version: 1, Class: "type", Field: "seq", Reason: "还不是整数", Actor: "steward", Why: "核对", At: Now()}
	closing := draft
	closing.Closed, closing.Value, closing.Class, closing.Field, closing.Reason, closing.At = true, []byte(`{"seq":1}`), "", "", "", Now().Add(time.Second)
	late := draft
	late.At = Now().Add(time.Hour) // somebody who had the old page open
	good(t, l.StoreMends(ctx, []library.Mend{draft}))
	equal(t, "after a draft", states(library.RejectFilter{}), []string{"open", "open", "open", "draft"})
	equal(t, "open ones hold drafts", states(library.RejectFilter{State: library.RejectOpen}), []string{"open", "open", "open", "draft"})
	good(t, l.StoreMends(ctx, []library.Mend{closing}), l.StoreMends(ctx, []library.Mend{closing}), l.StoreMends(ctx, []library.Mend{late}))
	equal(t, "after it is closed", states(library.RejectFilter{}), []string{"open", "open", "open", "closed"})
	equal(t, "closed ones", states(library.RejectFilter{State: library.RejectClosed}), []string{"closed"})
	equal(t, "by text", states(library.RejectFilter{Text: "JSON"}), []string{"open"})
	equal(t, "by time", states(library.RejectFilter{From: Now().Add(time.Second)}), []string(nil))
	at, err := l.RejectsAt(ctx, ds.Code, []mulu.RowID{rejects[0].ID()})
	good(t, err)
	if len(at) != 1 || at[0].Mend == nil {
		t.Fatalf("no mend: %+v", at)
	}
	equal(t, "what closed it", *at[0].Mend, closing)
	equal(t, "its original", string(at[0].Value), `{"seq":"x"}`)
	equal(t, "its time", at[0].Time, Now().Add(-time.Hour))

	correction := func() library.Correction {
		t.Helper()
		list, err := l.Corrections(ctx)
		good(t, err)
		for _, c := range list {
			if c.Dataset == ds.Code {
				return c
			}
		}
		return library.Correction{}
	}
	first := correction()
	equal(t, "a record with an open row is not replayed", first.Replayed, int64(0))
	second, third := closing, closing
	second.Row, third.Row = rejects[1].ID(), rejects[2].ID()
	good(t, l.StoreMends(ctx, []library.Mend{second, third}))
	equal(t, "a record all of whose rows are closed", correction().Replayed, int64(1))
	if correction().Mark == first.Mark {
		t.Error("a correction does not move the mark")
	}
	open, err := l.RejectClasses(ctx, library.RejectFilter{Dataset: ds.Code, State: library.RejectOpen})
	good(t, err)
	equal(t, "open classes", open, []library.RejectClass{{Dataset: ds.Code, Class: "decode", Rows: 1, Last: Now()}})
}

// replay is rows as they come back mended, each at its offset.
func replay(t *testing.T, ds *mulu.Dataset, batchFirst int64, offsets []int64, rows []row) library.Batch {
	t.Helper()
	b := batch(t, ds, 0, rows)
	b.Plan.First, b.Plan.Last, b.Offsets, b.Origin = offsets[0], offsets[len(offsets)-1], offsets, mulu.OriginReplay
	for range offsets {
		b.Firsts = append(b.Firsts, batchFirst)
	}
	return b
}

func testReplay(t *testing.T, l *library.Library) {
	ds := residents("replay")
	apply(t, l, ds)
	b := batch(t, ds, 0, []row{{id: "a", seq: p(int64(0))}, {id: "b", seq: p(int64(1))}, {id: "x"}, {id: "x"}, {id: "a", seq: p(int64(4))}})
	b.Drop = []uint64{0b01100}
	store(t, l, b)
	mended := replay(t, ds, 0, []int64{2, 3}, []row{{id: "a", seq: p(int64(2))}, {id: "b", seq: p(int64(3))}})
	good(t, l.StoreReplay(t.Context(), mended))
	all := plan.Plan{View: plan.View{Base: "replay"}, Items: items("id_no", "seq"), OrderByKey: true}
	equal(t, "an older row never overwrites a newer one", read(t, l, all, library.ReadOptions{}), [][]any{{"a", int64(4)}, {"b", int64(3)}})
	mended.InDoubt = true
	good(t, l.StoreReplay(t.Context(), mended))
	n, err := library.RawRows(t.Context(), l, ds.Library, "replay_history")
	good(t, err)
	equal(t, "history after a replay in doubt", n, int64(5))
	is(t, l.StoreReplay(t.Context(), b), mulu.ErrInvalid)

	// A replay in the range of a batch in doubt says nothing of the batch.
	next := batch(t, ds, 10, numbered(3))
	good(t, l.StoreReplay(t.Context(), replay(t, ds, 10, []int64{11}, []row{{id: "z"}})))
	next.InDoubt, next.Drop = true, []uint64{0b010}
	store(t, l, next)
	n, err = library.RawRows(t.Context(), l, ds.Library, "replay_history")
	good(t, err)
	equal(t, "history after the batch in doubt", n, int64(8))
}

func testWithdraw(t *testing.T, l *library.Library) {
	ds := residents("withdraw")
	apply(t, l, ds)
	ctx := t.Context()
	first := batch(t, ds, 0, []row{{id: "a", seq: p(int64(0))}, {id: "b", seq: p(int64(1))}, {id: "c", seq: p(int64(2))}})
	wrong := batch(t, ds, 3, []row{{id: "a", seq: p(int64(3))}, {id: "b", seq: p(int64(4))}, {id: "d", seq: p(int64(5))}, {id: "e"}})
	wrong.Deleted, wrong.Drop = []uint64{0b0010}, []uint64{0b1000} // b is deleted by it, e rejected
	last := batch(t, ds, 7, []row{{id: "c", seq: p(int64(7))}})
	for i, b := range []library.Batch{first, wrong, last} {
		store(t, l, b)
		good(t, l.StoreManifest(ctx, done(b, int64(i%2), Now().Add(time.Duration(i)*time.Second))))
	}
	reject := mulu.Reject{Batch: wrong.Plan.BatchID, Dataset: ds.Code, Offset: 6, Class: "rule", Rule: "r", Field: "name", Value: []byte("{}")}
	finding := mulu.Finding{Batch: wrong.Plan.BatchID, Dataset: ds.Code, Ruleset: 1, Rule: "r", Indicator: "030100", Evaluated: 4, Failed: 1}
	good(t, l.StoreRejects(ctx, []mulu.Reject{reject}), l.StoreFindings(ctx, []mulu.Finding{finding}))
	good(t, l.StoreReplay(ctx, replay(t, ds, 3, []int64{6}, []row{{id: "e", seq: p(int64(6))}})))

	all := plan.Plan{View: plan.View{Base: "withdraw"}, Items: items("id_no", "seq"), OrderByKey: true}
	equal(t, "before", read(t, l, all, library.ReadOptions{}), [][]any{{"a", int64(3)}, {"c", int64(7)}, {"d", int64(5)}, {"e", int64(6)}})
	effect, err := l.WithdrawEffect(ctx, ds.Code, wrong.Plan.BatchID, true)
	good(t, err)
	equal(t, "effect", effect, library.Effect{Rows: 4, Keys: 4, Restored: 2, Gone: 2}) // b, which it deletes, comes back

	w := mulu.Withdrawal{ID: "W-1", Dataset: ds.Code, Batch: wrong.Plan.BatchID, Reason: "发错了", Restore: true, At: Now()}
	for range 2 { // again changes nothing
		good(t, l.MarkWithdrawn(ctx, w), l.TakeBack(ctx, w))
		equal(t, "after", read(t, l, all, library.ReadOptions{}), [][]any{{"a", int64(0)}, {"b", int64(1)}, {"c", int64(7)}})
	}
	states, _, err := l.Rejects(ctx, library.RejectFilter{Dataset: ds.Code}, "", 9)
	good(t, err)
	equal(t, "state of its reject", states[0].State, library.RejectWithdrawn)
	findings, err := l.FindingTotals(ctx, ds.Code, 1)
	good(t, err)
	equal(t, "its findings", len(findings), 0)
	batches, _, err := l.Batches(ctx, library.BatchFilter{Dataset: ds.Code, Partition: -1, First: -1}, "", 9)
	good(t, err)
	var ids []string
	for _, b := range batches {
		ids = append(ids, b.WithdrawnID)
	}
	equal(t, "batches, newest first", ids, []string{"", "W-1", ""})
	found, err := l.FindBatch(ctx, ds.Code, ds.Topic, 0, 3, 6)
	good(t, err)
	equal(t, "why", found.Why, "发错了")
	_, err = l.FindBatch(ctx, ds.Code, ds.Topic, 0, 3, 5)
	is(t, err, mulu.ErrNotFound)
	audit, err := l.Audit(ctx, ds.Code)
	good(t, err)
	equal(t, "rows of withdrawn batches", audit.Withdrawn, int64(0))

	bare := residents("withdraw_bare")
	bare.History = false
	apply(t, l, bare)
	b := batch(t, bare, 0, numbered(3))
	store(t, l, b)
	w = mulu.Withdrawal{ID: "W-2", Dataset: bare.Code, Batch: b.Plan.BatchID, Restore: true, At: Now()}
	is(t, l.TakeBack(ctx, w), mulu.ErrConflict, "--no-restore")
	w.Restore = false
	good(t, l.MarkWithdrawn(ctx, w), l.TakeBack(ctx, w))
	equal(t, "rows without history", count(t, l, bare.Code), 0.0)
}

// testWithdrawUnderMerges reads all the while: every key has a row at any moment.
func testWithdrawUnderMerges(t *testing.T, l *library.Library) {
	ds := residents("merging")
	apply(t, l, ds)
	ctx := t.Context()
	const keys = 20_000
	offset := int64(0)
	put := func() library.Batch {
		b := batch(t, ds, offset, numbered(keys))
		store(t, l, b)
		good(t, l.StoreManifest(ctx, done(b, 0, Now().Add(time.Duration(offset)))))
		offset += keys
		return b
	}
	put()
	var batches []library.Batch
	for range 6 {
		batches = append(batches, put())
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	reads := 0
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if n := count(t, l, ds.Code); n != keys {
				t.Errorf("read %d: %v keys are visible, want %d", reads, n, keys)
				return
			}
			reads++
		}
	})
	for i := len(batches) - 1; i >= 0; i-- {
		w := mulu.Withdrawal{ID: "W", Dataset: ds.Code, Batch: batches[i].Plan.BatchID, Restore: true, At: Now()}
		good(t, l.MarkWithdrawn(ctx, w), l.TakeBack(ctx, w))
	}
	close(stop)
	wg.Wait()
	if reads < 3 {
		t.Errorf("only %d reads came in between", reads)
	}
}
