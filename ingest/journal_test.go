package ingest_test

import (
	"errors"
	"testing"

	"mulu"
)

func planOf(first, last int64) mulu.Plan {
	return mulu.Plan{BatchID: mulu.BatchID{TopicID: mulu.TopicID{1}, Topic: "a", Partition: 3, First: first, Last: last}, Dataset: "a", Version: 2}
}

func manifestOf(first, last int64) mulu.Manifest {
	return mulu.Manifest{Plan: planOf(first, last), Good: last - first, Rejected: 1, Bytes: 10, Digest: "sha256:x"}
}

func TestJournal(t *testing.T) {
	j, db := openJournal(t)
	ctx := t.Context()
	conflict := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, mulu.ErrConflict) {
			t.Errorf("%s: %v, want a conflict", what, err)
		}
	}
	fine := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	stands := func(next int64, open *mulu.Plan) {
		t.Helper()
		gotNext, gotOpen, err := j.Resume(ctx, mulu.TopicID{1}, 3)
		if err != nil || gotNext != next || (gotOpen == nil) != (open == nil) || open != nil && *gotOpen != *open {
			t.Errorf("Resume: %d, %+v, %v; want %d, %+v", gotNext, gotOpen, err, next, open)
		}
	}
	stands(-1, nil)
	open := planOf(5, 9)
	fine("first plan", j.Plan(ctx, open))
	fine("the same plan again", j.Plan(ctx, open))
	stands(5, &open)
	conflict("another range from there", j.Plan(ctx, planOf(5, 8)))
	conflict("a range after the open one", j.Plan(ctx, planOf(10, 12)))
	other := open
	other.Version = 3
	conflict("the range under another version", j.Plan(ctx, other))
	conflict("closing what was not planned", j.Done(ctx, manifestOf(5, 8)))
	short := manifestOf(5, 9)
	short.Good--
	if err := j.Done(ctx, short); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("closing without balance: %v", err)
	}
	fine("close", j.Done(ctx, manifestOf(5, 9)))
	fine("close again", j.Done(ctx, manifestOf(5, 9)))
	stands(10, nil)
	conflict("a stale owner's plan of what is done", j.Plan(ctx, open))
	conflict("a gap", j.Plan(ctx, planOf(11, 12)))
	fine("next plan", j.Plan(ctx, planOf(10, 10)))
	fine("next close", j.Done(ctx, manifestOf(10, 10)))

	at, err := j.Positions(ctx)
	if err != nil || len(at) != 1 || at[0].Next != 11 || at[0].Batches != 2 || at[0].Good != 4 || at[0].Rejected != 2 || at[0].Bytes != 20 || at[0].TopicID != (mulu.TopicID{1}) {
		t.Errorf("positions %+v, %v", at, err)
	}
	if id, ok, err := j.KnownAs(ctx, "a"); err != nil || !ok || id != (mulu.TopicID{1}) {
		t.Errorf("KnownAs: %v %v %v", id, ok, err)
	}
	t.Run("one open plan per partition is held by the table itself", func(t *testing.T) {
		insert := `INSERT INTO ingest_plan (topic_id, part, first_offset, last_offset, topic, dataset, version, planned_at) VALUES ('x', 0, $1, $1, 'a', 'a', 1, 1)`
		if err := exec(t, db, insert, 1); err != nil {
			t.Fatal(err)
		}
		if err := exec(t, db, insert, 2); err == nil {
			t.Error("two open plans were accepted")
		}
	})
	t.Run("old plans are pruned", func(t *testing.T) {
		for at := int64(11); at < 1311; at++ {
			fine("plan", j.Plan(ctx, planOf(at, at)))
			fine("close", j.Done(ctx, manifestOf(at, at)))
		}
		if n := countRows(t, db, `SELECT count(*) FROM ingest_plan WHERE part = 3`); n > 1000+257 || n < 1000 {
			t.Errorf("%d plans are kept", n)
		}
	})
}
