package catalog_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"mulu"
	"mulu/catalog"
	"mulu/deploy/sample"
	"mulu/internal/declare"
	"mulu/ledger/contract"
	"mulu/ledger/merkle"
)

const residents mulu.CatalogCode = "310107/3005/000001"

func apply(t *testing.T, h *house) catalog.Diff {
	t.Helper()
	d, err := h.Apply(t.Context(), steward, district(t))
	if err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	return d
}

func file(t *testing.T, name string) *fstest.MapFile {
	t.Helper()
	b, err := sample.FS.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b}
}

func entry(t *testing.T, h *house, code mulu.CatalogCode) catalog.EntryView {
	t.Helper()
	v, err := h.Entry(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestApply(t *testing.T) {
	h := open(t)
	h.found(t)
	dry, err := h.Diff(t.Context(), steward, district(t))
	if err != nil {
		t.Fatal(err)
	}
	if orgs, _ := h.Orgs(t.Context()); len(orgs) != 0 {
		t.Error("a dry run wrote organisations")
	}
	did := apply(t, h)
	if dry.Changed() != did.Changed() || did.Changed() != 36+8+8+1+8+8 {
		t.Errorf("dry run changes %d objects, Apply %d, want 69", dry.Changed(), did.Changed())
	}
	if again := apply(t, h); again.Changed() != 0 {
		t.Errorf("applying again changes %d objects: %+v", again.Changed(), again)
	}
	sets, err := h.Datasets(t.Context())
	if err != nil || len(sets) != 8 || sets[6].Code != "resident" || sets[6].Level() != mulu.L3 {
		t.Errorf("Datasets = %v, %v", sets, err)
	}
	for _, list := range []func() ([]catalog.Declared, error){
		func() ([]catalog.Declared, error) { return h.Systems(t.Context()) },
		func() ([]catalog.Declared, error) { return h.Duties(t.Context()) },
	} {
		ds, err := list()
		if err != nil || len(ds) != 8 {
			t.Fatalf("declared = %v, %v", ds, err)
		}
		for _, d := range ds {
			if d.State != contract.Active || d.Pending != "" || d.Index < 0 {
				t.Errorf("%s is %+v, want confirmed", d.ID, d)
			}
		}
	}
	if w, err := h.Weights(t.Context()); err != nil || len(w) != 1 || w[0].Version != "default-1" || w[0].Dimensions["030000"] != 0.25 {
		t.Errorf("Weights = %+v, %v", w, err)
	}
	base, err := h.Applied(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	one := fstest.MapFS{"resident.yaml": file(t, "resident.yaml"), "visit.yaml": file(t, "visit.yaml"), "sc2.yaml": file(t, "scenario-sc2.yaml")}
	if _, err := declare.Load(one, declare.Known{Base: base}); err != nil {
		t.Errorf("a directory that names applied objects: %v", err)
	}
	v := entry(t, h, residents)
	if v.State != contract.Proposed || v.WaitingVersion != 1 || v.Published != 0 || len(v.Items) != 14 || !v.PersonalInfo || v.ProviderName != "公安普陀分局" {
		t.Errorf("entry after Apply = %+v", v)
	}
}

func TestPublish(t *testing.T) {
	h := open(t)
	h.found(t)
	apply(t, h)
	ctx := t.Context()
	if err := h.Publish(ctx, steward, residents); !errors.Is(err, mulu.ErrDenied) {
		t.Errorf("a steward publishes: %v, want ErrDenied", err)
	}
	if err := h.Publish(ctx, boss, "310107/3005/000009"); !errors.Is(err, mulu.ErrNotFound) {
		t.Errorf("an absent entry is published: %v, want ErrNotFound", err)
	}
	if err := h.Publish(ctx, boss, residents); err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	v := entry(t, h, residents)
	if v.State != contract.Published || v.Published != 1 || v.WaitingVersion != 0 || v.Pending != "" || v.PublishedAt.IsZero() {
		t.Errorf("entry after Publish = %+v", v)
	}
	body, digest, err := h.EntryBody(ctx, residents, 1)
	if err != nil || contract.Digest(body) != digest || h.chain.entry(t, string(residents)).Digest != digest {
		t.Errorf("the chain's digest is not the entry's: %s, %v", digest, err)
	}
	h.flush(t) // the link was put by the publication's confirmation
	if l, err := h.LinkOf(ctx, "resident"); err != nil || l.State != "linked" || l.Index < 0 {
		t.Errorf("link = %+v, %v", l, err)
	}
	if err := h.Publish(ctx, boss, residents); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("published twice: %v, want ErrConflict", err)
	}
	if err := h.Retire(ctx, boss, residents, "duty-moved"); err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	if v := entry(t, h, residents); v.State != contract.Retired {
		t.Errorf("entry after Retire is %s", v.State)
	}
}

func TestNewVersion(t *testing.T) {
	h := open(t)
	h.found(t)
	apply(t, h)
	ctx := t.Context()
	if err := h.Publish(ctx, boss, residents); err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	h.flush(t)
	set := district(t)
	d := set.Dataset("resident")
	d.Columns = append(d.Columns, mulu.Column{Name: "note", Title: "备注", Type: mulu.String, Level: mulu.L3})
	if _, err := h.Apply(ctx, steward, set); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("an applied version was changed: %v, want ErrConflict", err)
	}
	d.Version = 2
	if _, err := h.Apply(ctx, steward, set); err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	v := entry(t, h, residents)
	if v.State != contract.Changing || v.Published != 1 || v.WaitingVersion != 2 || len(v.Items) != 14 {
		t.Errorf("entry = %+v, want version 1 shown while 2 waits", v)
	}
	if err := h.Publish(ctx, boss, residents); err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	h.flush(t)
	if v := entry(t, h, residents); v.Published != 2 || len(v.Items) != 15 {
		t.Errorf("entry = %+v, want version 2", v)
	}
	if l, err := h.LinkOf(ctx, "resident"); err != nil || l.Version != 2 || l.State != "linked" {
		t.Errorf("link = %+v, %v", l, err)
	}
	if vs, err := h.DatasetVersions(ctx, "resident"); err != nil || len(vs) != 2 {
		t.Errorf("versions = %d, %v", len(vs), err)
	}
	// Version 1 is history now: declaring it again neither fails nor takes anything back.
	if d, err := h.Apply(ctx, steward, district(t)); err != nil || d.Changed() != 0 {
		t.Errorf("applying the old set: %v, %v", d, err)
	}
}

// The chain knows no actor, so it refuses: the room shows why and proposes again.
func TestRefusal(t *testing.T) {
	h := open(t)
	apply(t, h)
	v := entry(t, h, residents)
	if v.State != contract.None || v.Refusal == "" || v.Pending != "" {
		t.Errorf("entry = %+v, want the refusal shown", v)
	}
	h.found(t)
	apply(t, h)
	if v := entry(t, h, residents); v.State != contract.Proposed || v.Refusal != "" {
		t.Errorf("entry = %+v, want it proposed", v)
	}
}

func TestPendingIsBusy(t *testing.T) {
	h := open(t)
	h.found(t)
	apply(t, h)
	h.chain.mu.Lock()
	h.chain.down = true
	h.chain.mu.Unlock()
	if err := h.Publish(t.Context(), boss, residents); err != nil {
		t.Fatal(err)
	}
	if err := h.Publish(t.Context(), boss, residents); !errors.Is(err, mulu.ErrBusy) {
		t.Errorf("a second command was put: %v, want ErrBusy", err)
	}
}

func TestEntriesSearch(t *testing.T) {
	h := open(t)
	h.found(t)
	apply(t, h)
	find := func(want int, q catalog.Query) {
		t.Helper()
		list, n, err := h.Entries(t.Context(), q)
		if err != nil || n != want || len(list) != want {
			t.Errorf("Entries(%+v) = %d of %d, %v; want %d", q, len(list), n, err, want)
		}
	}
	find(8, catalog.Query{})
	find(1, catalog.Query{Text: "独居 风险"})
	find(4, catalog.Query{Text: "公民身份号码"})
	find(0, catalog.Query{Text: "100%"})
	find(1, catalog.Query{Provider: "11310107MBQ0000599"})
	find(0, catalog.Query{State: contract.Published})
	find(8, catalog.Query{Waiting: true})
}

func TestScores(t *testing.T) {
	h := open(t)
	h.found(t)
	ctx := t.Context()
	s := mulu.Score{Dataset: "resident", Ruleset: 1, Weights: "default-1", Rows: 10, Total: 0.9231, Grade: "良",
		Digest: contract.Digest([]byte("one")), At: h.now}
	for i, want := range []bool{true, false} {
		if got, err := h.SaveScore(ctx, s); err != nil || got != want {
			t.Errorf("SaveScore %d = %v, %v; want %v", i, got, err, want)
		}
	}
	s.Digest, s.Total, s.At = contract.Digest([]byte("two")), 0.95, h.now.Add(time.Minute)
	if _, err := h.SaveScore(ctx, s); err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	v, err := h.LatestScore(ctx, "resident")
	if err != nil || v.Total != 0.95 || v.State != "anchored" || v.Index < 0 {
		t.Errorf("LatestScore = %+v, %v", v, err)
	}
	if list, err := h.Scores(ctx, "resident", 10); err != nil || len(list) != 2 || list[1].Total != 0.9231 {
		t.Errorf("Scores = %+v, %v", list, err)
	}
	if list, err := h.LatestScores(ctx); err != nil || len(list) != 1 {
		t.Errorf("LatestScores = %+v, %v", list, err)
	}
	if _, err := h.LatestScore(ctx, "visit"); !errors.Is(err, mulu.ErrNotFound) {
		t.Errorf("score of visit: %v, want ErrNotFound", err)
	}
}

func manifests(h *house, from, n int) []mulu.Manifest {
	var ms []mulu.Manifest
	for i := from; i < from+n; i++ {
		ms = append(ms, mulu.Manifest{
			Plan: mulu.Plan{Dataset: "resident", Version: 1, BatchID: mulu.BatchID{TopicID: mulu.TopicID{1}, Topic: "mulu.resident", First: int64(i * 10), Last: int64(i*10 + 9)}},
			Good: 9, Rejected: 1, Digest: contract.Digest([]byte(fmt.Sprint(i))), At: h.now.Add(time.Duration(i) * time.Second),
		})
	}
	return ms
}

func TestAnchorBatches(t *testing.T) {
	h := open(t)
	h.found(t)
	ctx := t.Context()
	anchor := func(want int, ms []mulu.Manifest) {
		t.Helper()
		if n, err := h.AnchorBatches(ctx, ms); err != nil || n != want {
			t.Errorf("AnchorBatches = %d, %v; want %d", n, err, want)
		}
		h.flush(t)
	}
	ms := manifests(h, 0, 8)
	anchor(5, ms[:5])
	again := manifests(h, 0, 8)
	for i := range again {
		again[i].At = again[i].At.Add(time.Hour) // stored again after a crash
	}
	anchor(3, again)
	anchor(0, ms)
	for i, m := range ms {
		p, err := h.BatchProof(ctx, m.BatchID)
		if err != nil {
			t.Fatal(err)
		}
		root, err := merkle.ParseText(p.Root)
		if err != nil {
			t.Fatal(err)
		}
		var path []merkle.Hash
		for _, s := range p.Path {
			x, err := merkle.ParseText(s)
			if err != nil {
				t.Fatal(err)
			}
			path = append(path, x)
		}
		if p.State != "anchored" || contract.Digest(p.Manifest) != p.Leaf || !merkle.Check(root, uint64(p.Count), uint64(p.Pos), []byte(p.Leaf), path) {
			t.Errorf("proof of batch %d does not hold: %+v", i, p)
		}
	}
	if at, err := h.AnchoredThrough(ctx); err != nil || !at.After(ms[7].At.Add(-time.Second)) {
		t.Errorf("AnchoredThrough = %v, %v", at, err)
	}
	more := manifests(h, 0, 9)
	more[0].Good = 10
	if n, err := h.AnchorBatches(ctx, more); !errors.Is(err, mulu.ErrConflict) || n != 1 {
		t.Errorf("a changed batch beside a new one: %d, %v; want 1 and ErrConflict", n, err)
	}
	if _, err := h.BatchProof(ctx, mulu.BatchID{First: 7}); !errors.Is(err, mulu.ErrNotFound) {
		t.Errorf("an unknown batch: %v, want ErrNotFound", err)
	}
}

func TestRefusedAnchorIsTriedAgain(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	ms := manifests(h, 0, 2)
	if _, err := h.AnchorBatches(ctx, ms); err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	if p, err := h.BatchProof(ctx, ms[0].BatchID); err != nil || p.State != "refused" {
		t.Fatalf("proof = %+v, %v; want refused by a chain without actors", p, err)
	}
	h.found(t)
	h.skip.Store(int64(time.Hour))
	if _, err := h.AnchorBatches(ctx, nil); err != nil {
		t.Fatal(err)
	}
	h.flush(t)
	if p, err := h.BatchProof(ctx, ms[1].BatchID); err != nil || p.State != "anchored" || p.Count != 2 {
		t.Errorf("proof = %+v, %v; want anchored", p, err)
	}
}
