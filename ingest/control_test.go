package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/ingest"
)

func plan(topic byte, first, last int64, version uint32) mulu.Plan {
	return mulu.Plan{BatchID: mulu.BatchID{TopicID: mulu.TopicID{topic}, Topic: "t", First: first, Last: last}, Dataset: "d", Version: version}
}

func done(t *testing.T, j *ingest.Journal, p mulu.Plan) {
	t.Helper()
	if err := j.Plan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := j.Done(t.Context(), mulu.Manifest{Plan: p, Good: p.Last - p.First + 1, Digest: "sha256:x"}); err != nil {
		t.Fatal(err)
	}
}

func TestEffects(t *testing.T) {
	j, _ := openJournal(t)
	done(t, j, plan(1, 0, 9, 3)) // the first plan brings its version into force
	for range 2 {                // again, as after a crash: the first word stays
		effects, err := j.Schedule(t.Context(), plan(1, 20, 20, 4))
		if err != nil || len(effects) != 2 || effects[1] != (ingest.Effect{Version: 4, From: 20}) {
			t.Fatalf("effects %v, %v", effects, err)
		}
	}
	if effects, err := j.Schedule(t.Context(), plan(1, 50, 50, 4)); err != nil || effects[1].From != 20 {
		t.Errorf("a second schedule moved it: %v, %v", effects, err)
	}
	for _, p := range []mulu.Plan{plan(1, 10, 19, 4), plan(1, 10, 20, 3), plan(1, 10, 15, 2)} {
		if err := j.Plan(t.Context(), p); !errors.Is(err, mulu.ErrConflict) {
			t.Errorf("plan of version %d over %d-%d: %v, want a conflict", p.Version, p.First, p.Last, err)
		}
	}
	done(t, j, plan(1, 10, 19, 3))
	if err := j.Plan(t.Context(), plan(1, 20, 25, 3)); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("the old version beyond its end: %v", err)
	}
	done(t, j, plan(1, 20, 25, 4))
}

func TestHoldAndRelease(t *testing.T) {
	j, _ := openJournal(t)
	done(t, j, plan(1, 0, 9, 1))
	h := &ingest.Hold{Plan: plan(1, 10, 29, 1), Records: 20, Failed: 18, Class: "type", Field: "n", Reason: "字段“n”的值“张三”不是整数", Offset: 11}
	for range 2 {
		if err := j.Hold(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	holds, err := j.Holds(t.Context(), false)
	if err != nil || len(holds) != 1 || holds[0].Failed != 18 || holds[0].Plan != h.Plan {
		t.Fatalf("open holds %+v, %v", holds, err)
	}
	notices, err := j.Notices(t.Context(), "d")
	if err != nil || len(notices) != 1 || notices[0].Kind != ingest.NoticeHeld {
		t.Fatalf("notices %+v, %v", notices, err)
	}
	if strings.Contains(notices[0].Detail, "张三") {
		t.Errorf("the notice tells a value: %s", notices[0].Detail)
	}
	if err := j.Release(t.Context(), h.Plan.TopicID, 0, ingest.DecideVersion, 1, "s", ""); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("released with the version that is held: %v", err)
	}
	if err := j.Release(t.Context(), h.Plan.TopicID, 0, ingest.DecideVersion, 2, "s", "mended"); err != nil {
		t.Fatal(err)
	}
	if effects, err := j.Effects(t.Context(), h.Plan.TopicID, 0); err != nil || len(effects) != 2 || effects[1] != (ingest.Effect{Version: 2, From: 10}) {
		t.Errorf("effects %v, %v", effects, err)
	}
	if err := j.Release(t.Context(), h.Plan.TopicID, 0, ingest.DecideProceed, 0, "s", ""); !errors.Is(err, mulu.ErrNotFound) {
		t.Errorf("released twice: %v", err)
	}
	done(t, j, plan(1, 10, 29, 2))
	if all, err := j.Holds(t.Context(), true); err != nil || len(all) != 1 || all[0].Decision != ingest.DecideVersion || all[0].Note != "mended" {
		t.Errorf("all holds %+v, %v", all, err)
	}
}

func TestNoticeIsNewAgain(t *testing.T) {
	j, _ := openJournal(t)
	tell := func() {
		if err := j.Notice(t.Context(), "d", ingest.NoticeUnknownField, "nick", "x"); err != nil {
			t.Fatal(err)
		}
	}
	tell()
	if err := j.SeeNotice(t.Context(), "d", ingest.NoticeUnknownField, "nick", "owner"); err != nil {
		t.Fatal(err)
	}
	if n, _ := j.Notices(t.Context(), ""); len(n) != 1 || n[0].Seen.IsZero() {
		t.Errorf("after it was seen: %+v", n)
	}
	time.Sleep(time.Millisecond)
	tell()
	if n, _ := j.Notices(t.Context(), ""); len(n) != 1 || !n[0].Seen.IsZero() || n[0].SeenBy != "" {
		t.Errorf("after it came again: %+v", n)
	}
	if err := j.SeeNotice(t.Context(), "d", "other", "nick", "owner"); !errors.Is(err, mulu.ErrNotFound) {
		t.Errorf("a notice that is not there: %v", err)
	}
}

func TestSourcePause(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 1, "a", "b")
	j, _ := openJournal(t)
	k := &sink{j: j}
	s, _ := run(t, k, ingest.Options{Seeds: []string{b.addr}, Datasets: []*mulu.Dataset{small("a", "a"), small("b", "b")}})
	b.produce(t, "a", 0, 50)
	eventually(t, "first records", func() bool { return k.distinct() == 50 })
	if err := j.Pause(t.Context(), ingest.Pause{Dataset: "a", Reason: "wrong export", By: "op"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pause", func() bool {
		st := s.Status()
		return len(st) == 2 && st[0].State() == ingest.StatePaused && st[1].State() != ingest.StatePaused
	})
	b.produce(t, "a", 50, 100)
	b.produce(t, "b", 1000, 1010)
	eventually(t, "the other dataset", func() bool { return k.distinct() == 60 })
	time.Sleep(300 * time.Millisecond)
	if n := k.distinct(); n != 60 {
		t.Errorf("%d records, a paused dataset was read", n)
	}
	if err := j.Unpause(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := j.Unpause(t.Context(), "a"); !errors.Is(err, mulu.ErrNotFound) {
		t.Errorf("resumed twice: %v", err)
	}
	eventually(t, "the rest", func() bool { return k.distinct() == 110 })
	once(t, k)
}

// holder decodes for real and holds what does not fit; everything else is the sink's.
type holder struct {
	*sink
	decoders map[uint32]*ingest.Decoder
}

func (h *holder) step(ctx context.Context, p *ingest.Partition) error {
	b, err := p.Next(ctx)
	if err != nil {
		return err
	}
	d, err := h.decoders[b.Plan.Version].Decode(b)
	if err != nil {
		return err
	}
	defer d.Release()
	if err := p.Review(ctx, b, d); err != nil {
		return err
	}
	return h.sink.step(ctx, p) // Next gives the same batch again
}

func TestSourceHold(t *testing.T) {
	b := startBroker(t)
	b.topics(t, 1, "a", "b")
	j, _ := openJournal(t)
	old, renamed := small("a", "a"), small("a", "a")
	renamed.Version, renamed.Columns, renamed.Key = 2, []mulu.Column{{Name: "new_id", Type: mulu.String, Required: true}}, []string{"new_id"}
	h := &holder{sink: &sink{j: j}, decoders: map[uint32]*ingest.Decoder{}}
	for _, d := range []*mulu.Dataset{old, renamed} {
		dec, err := ingest.NewDecoder(d)
		if err != nil {
			t.Fatal(err)
		}
		h.decoders[d.Version] = dec
	}
	s, err := ingest.NewSource(ingest.Options{Seeds: []string{b.addr}, Journal: j, Datasets: []*mulu.Dataset{old, small("b", "b")}, Linger: 30 * time.Millisecond,
		Review: ingest.Review{Share: 0.5, Least: 5}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, h.step) }()
	t.Cleanup(func() { cancel(); <-ended; s.Close() })
	b.produce(t, "a", 0, 30)
	eventually(t, "records that fit", func() bool { return h.distinct() == 30 })
	send(t, b, "a", 50, `{"new_id":"x%d"}`)
	eventually(t, "the hold", func() bool { st := s.Status(); return st[0].State() == ingest.StateHeld })
	if why := s.Status()[0].Error; !strings.Contains(why, "条不符合版本 1") || strings.Contains(why, "new_id") {
		t.Errorf("a state that everybody sees says %q: want counts, not the record", why)
	}
	before := h.distinct() // records that were too few to tell are in
	b.produce(t, "b", 1000, 1010)
	eventually(t, "the other topic goes on", func() bool { return h.distinct() == before+10 })
	holds, err := j.Holds(t.Context(), false)
	if err != nil || len(holds) != 1 || holds[0].Class != ingest.ClassKey || holds[0].Field != "id" || holds[0].Plan.First < 30 || holds[0].Plan.First > 35 {
		t.Fatalf("holds %+v, %v", holds, err)
	}
	if err := s.Add(renamed); err != nil {
		t.Fatal(err)
	}
	if err := j.Release(t.Context(), holds[0].Plan.TopicID, 0, ingest.DecideVersion, 2, "steward", "the vendor renamed it"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was held, by the new version", func() bool { return h.distinct() == 90 })
	for _, b := range h.batches {
		if fits := b.Plan.First < holds[0].Plan.First; b.Plan.Topic == "a" && fits != (b.Plan.Version == 1) {
			t.Errorf("batch %s is of version %d", b.Plan.BatchID, b.Plan.Version)
		}
	}
	once(t, h.sink)

	send(t, b, "a", 20, `{"third_id":"y%d"}`)
	eventually(t, "the second hold", func() bool { return s.Status()[0].State() == ingest.StateHeld })
	if err := j.Release(t.Context(), holds[0].Plan.TopicID, 0, ingest.DecideProceed, 0, "steward", "take them as problem rows"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was let in", func() bool { return h.distinct() == 110 })
}

// send produces n records of one form.
func send(t *testing.T, b *testBroker, topic string, n int, form string) {
	t.Helper()
	cl := b.client(t)
	for i := range n {
		if err := cl.ProduceSync(t.Context(), record(topic, fmt.Sprintf(form, i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}
