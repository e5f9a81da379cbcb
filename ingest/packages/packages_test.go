package packages

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/submit"
	"mulu/internal/broker/brokertest"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

var people = &mulu.Dataset{Code: "people", Title: "人口", Version: 2, Topic: "people", Format: mulu.FormatJSON, Key: []string{"id"}, Columns: []mulu.Column{{Name: "id", Type: mulu.String}}}

// side is one of two houses: a store and a broker of its own.
type side struct {
	t     *testing.T
	addr  string
	db    *store.DB
	desk  *submit.Desk
	key   ed25519.PrivateKey
	seal  *Seal
	shelf *Shelf
}

func newSide(t *testing.T, partitions int32) *side {
	t.Helper()
	s := &side{t: t, addr: brokertest.Start(t)}
	var err error
	s.db, err = store.Open(t.Context(), "sqlite:"+t.TempDir()+"/control.db")
	s.check(err)
	t.Cleanup(func() { s.db.Close() })
	_, err = ingest.NewJournal(t.Context(), s.db, time.Now)
	s.check(err)
	brokertest.Topic(t, s.addr, "people", partitions)
	s.desk = submit.NewDesk(s.db, []string{s.addr}, time.Now)
	_, s.key, err = ed25519.GenerateKey(nil)
	s.check(err)
	s.seal = &Seal{DB: s.db, Signer: s, Actor: "mulu", House: House{Origin: "a.test", Name: "甲"}, Now: time.Now}
	s.shelf = &Shelf{Desk: s.desk, Dir: t.TempDir(), Trusted: map[string]string{}, Dataset: func(_ context.Context, code mulu.DatasetCode) (*mulu.Dataset, error) {
		if code != people.Code {
			return nil, mulu.ErrNotFound
		}
		return people, nil
	}}
	return s
}

func (s *side) PublicKey(context.Context, string) (ed25519.PublicKey, error) {
	return s.key.Public().(ed25519.PublicKey), nil
}

func (s *side) SignText(_ context.Context, _, purpose string, text []byte) ([]byte, error) {
	return ed25519.Sign(s.key, slices.Concat([]byte(purpose+"\n"), text)), nil
}

func (s *side) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// produce writes rows of 7 keys, numbered over all, one of them with a note.
func (s *side) produce(from, to int) {
	s.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.addr), kgo.DefaultProduceTopic("people"), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	s.check(err)
	defer cl.Close()
	for i := from; i < to; i++ {
		r := &kgo.Record{Key: []byte(fmt.Sprint(i % 7)), Value: []byte(fmt.Sprintf(`{"id":"%d","n":%d}`, i%7, i))}
		if i == 5 {
			r.Headers = []kgo.RecordHeader{{Key: mulu.HeaderNote, Value: []byte(`{"delete":true}`)}}
		}
		s.check(cl.ProduceSync(s.t.Context(), r).FirstErr())
	}
}

// perKey reads the topic: the values of each key in their order.
func (s *side) perKey() (map[string][]string, int) {
	s.t.Helper()
	out, notes := map[string][]string{}, 0
	for _, k := range brokertest.Committed(s.t, s.addr, "people") {
		out[string(k.Key)] = append(out[string(k.Key)], string(k.Value))
		for _, h := range k.Headers {
			if h.Key == mulu.HeaderNote {
				notes++
			}
		}
	}
	return out, notes
}

// export writes and signs a package that follows on the last one.
func (s *side) export(anew bool) (dir string, m *Manifest) {
	s.t.Helper()
	dir = filepath.Join(s.t.TempDir(), "p")
	e := Export{Reader: ingest.NewRereader([]string{s.addr}), Dataset: "people", Topic: "people", Dir: dir, PartSize: 1, Now: time.Now()}
	last, err := s.seal.List(s.t.Context(), "people", 1)
	s.check(err)
	if len(last) > 0 && !anew {
		prev, err := Parse(last[0].Text)
		s.check(err)
		e.Since = map[int32]int64{}
		for _, r := range prev.Ranges {
			e.Since[r.Partition] = r.To
		}
	}
	draft, err := e.Write(s.t.Context())
	s.check(err)
	text, err := draft.Text()
	s.check(err)
	signed, err := s.seal.Sign(s.t.Context(), text, people, anew, "op")
	s.check(err)
	s.check(Finish(dir, signed.Text, signed.Sig))
	m, missing, err := Verify(dir)
	s.check(err)
	if len(missing) > 0 || m.Rows == 0 || len(m.Parts) < 2 {
		s.t.Fatalf("package %+v, missing %v", m, missing)
	}
	return dir, m
}

func files(t *testing.T, dir string) (text, sig []byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err == nil {
		sig, err = os.ReadFile(filepath.Join(dir, SignatureFile))
	}
	if err != nil {
		t.Fatal(err)
	}
	return text, sig
}

// arrive registers a package and brings its parts, backwards.
func (s *side) arrive(dir string, m *Manifest) (string, error) {
	s.t.Helper()
	text, sig := files(s.t, dir)
	state, err := s.shelf.Open(s.t.Context(), text, sig, "op", false)
	if err != nil {
		return "", err
	}
	for _, p := range slices.Backward(m.Parts) {
		b, err := os.ReadFile(filepath.Join(dir, p.Name))
		s.check(err)
		if _, err := s.shelf.Put(s.t.Context(), state.ID, p.Name, bytes.NewReader(b)); err != nil {
			return state.ID, err
		}
	}
	return state.ID, nil
}

var errCut = errors.New("cut")

func cut(f func() error) (err error) {
	defer func() {
		if p := recover(); p == errCut { //nolint:errorlint // the very value
			err = errCut
		} else if p != nil {
			panic(p)
		}
	}()
	return f()
}

// Two packages one after the other, the import cut off at every stage: every row of
// every key is there once and in its order, on whatever partitions.
func TestCarry(t *testing.T) {
	a, b := newSide(t, 3), newSide(t, 2)
	b.shelf.Trusted["甲"] = contract.KeyText(a.key.Public().(ed25519.PublicKey))
	b.check(b.desk.Declare(t.Context(), "people", []mulu.Way{{Kind: mulu.WayPackage, Name: "gate"}}))
	a.produce(0, 60)
	first, m1 := a.export(true)
	a.produce(60, 100)
	second, m2 := a.export(false)
	if m2.Previous == "" || m2.Previous != Digest(read(t, first, ManifestFile)) {
		t.Errorf("the second package follows on %q", m2.Previous)
	}
	if _, err := b.arrive(second, m2); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("the second package before the first: %v, want a conflict", err)
	}
	cuts := 0
	for _, stage := range []string{"kept", "opened", "part", "sent", ""} {
		b.shelf.Passed = func(s string) {
			if s == stage {
				panic(errCut)
			}
		}
		err := cut(func() error {
			if _, err := b.arrive(first, m1); err != nil {
				return err
			}
			if _, err := b.arrive(second, m2); err != nil {
				return err
			}
			return b.shelf.Run(t.Context())
		})
		if errors.Is(err, errCut) {
			cuts++
		} else if err != nil {
			t.Fatalf("cut at %s: %v", stage, err)
		}
		// The next process.
		old := b.shelf
		b.desk = submit.NewDesk(b.db, []string{b.addr}, time.Now)
		b.shelf = &Shelf{Desk: b.desk, Dir: old.Dir, Trusted: old.Trusted, Dataset: old.Dataset}
		b.check(b.shelf.Sweep(t.Context()))
	}
	if cuts != 4 {
		t.Errorf("%d cuts, want 4", cuts)
	}
	b.check(b.shelf.Run(t.Context()))
	want, _ := a.perKey()
	got, notes := b.perKey()
	if fmt.Sprint(got) != fmt.Sprint(want) || len(want) != 7 || notes != 1 {
		t.Errorf("the other side has %v with %d notes, want %v", got, notes, want)
	}
	list, err := b.desk.List(t.Context(), submit.Filter{Way: mulu.WayPackage}, 10)
	if err != nil || len(list) != 2 || list[0].State != submit.Sent || list[0].Rows != 40 || list[1].Rows != 60 || list[0].Name != "gate" {
		t.Errorf("submissions %+v, %v", list, err)
	}
	left, _ := filepath.Glob(filepath.Join(b.shelf.Dir, "*", "part-*")) //nolint:errcheck // the pattern is right
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	// The same once more is the same submission, and nothing is sent.
	if id, err := b.arrive(first, m1); err != nil || id != list[1].ID {
		t.Errorf("the first again: %s, %v", id, err)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is wrong, altered or foreign is refused by name and leaves nothing.
func TestRefused(t *testing.T) {
	a, b := newSide(t, 2), newSide(t, 2)
	a.produce(0, 30)
	dir, m := a.export(true)
	text, sig := files(t, dir)
	open := func(text, sig []byte, force bool) (State, error) {
		return b.shelf.Open(t.Context(), text, sig, "op", force)
	}
	refused := func(what string, err, want error, say string) {
		t.Helper()
		if !errors.Is(err, want) || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v, want %v that says %q", what, err, want, say)
		}
	}
	_, err := open(text, sig, true)
	refused("an unknown signer", err, mulu.ErrDenied, Fingerprint(m.House.Key))
	b.shelf.Trusted["甲"] = m.House.Key
	_, err = open(bytes.Replace(text, []byte("people-"), []byte("people+"), 1), sig, true)
	refused("an altered manifest", err, mulu.ErrInvalid, "改动")
	other := newSide(t, 2)
	_, err = open(text, SignatureText(other.key.Public().(ed25519.PublicKey), ed25519.Sign(other.key, Signed(text))), true)
	refused("another's signature", err, mulu.ErrInvalid, "签名")
	state, err := open(text, sig, false)
	if err != nil || len(state.Missing) != len(m.Parts) {
		t.Fatalf("%+v, %v", state, err)
	}
	put := func(name string, b2 []byte) error {
		_, err := b.shelf.Put(t.Context(), state.ID, name, bytes.NewReader(b2))
		return err
	}
	part := read(t, dir, m.Parts[0].Name)
	wrong := bytes.Clone(part)
	wrong[len(wrong)/2] ^= 1
	refused("an altered part", put(m.Parts[0].Name, wrong), mulu.ErrInvalid, m.Parts[0].Name)
	refused("half of a part", put(m.Parts[0].Name, part[:len(part)/2]), mulu.ErrInvalid, "传完整")
	refused("a part under another's name", put(m.Parts[1].Name, part), mulu.ErrInvalid, m.Parts[1].Name)
	refused("a part of another package", put("part-0099.zst", part), mulu.ErrNotFound, "part-0099.zst")
	refused("a path", put("../part-0001.zst", part), mulu.ErrNotFound, "..")
	if state, err = b.shelf.State(t.Context(), state.ID); err != nil || len(state.Missing) != len(m.Parts) {
		t.Errorf("after all that, missing are %v, %v", state.Missing, err)
	}
	b.check(b.shelf.Run(t.Context()))
	if got, _ := b.perKey(); len(got) > 0 {
		t.Errorf("of a package that is not whole there is %v", got)
	}
	os.WriteFile(filepath.Join(dir, m.Parts[0].Name), wrong, 0o600) //nolint:errcheck // Verify tells
	os.Remove(filepath.Join(dir, m.Parts[1].Name))                  //nolint:errcheck // ditto
	if _, missing, err := Verify(dir); err == nil || !strings.Contains(err.Error(), m.Parts[0].Name) || len(missing) != 1 {
		t.Errorf("verify: %v, missing %v", err, missing)
	}
}

// A package whose parts never come is given up: the one behind it goes, and what comes
// later leaves a gap.
func TestDiscard(t *testing.T) {
	a, b := newSide(t, 2), newSide(t, 2)
	a.produce(0, 20)
	first, m1 := a.export(true)
	a.produce(20, 30)
	second, m2 := a.export(false)
	a.produce(30, 40)
	third, m3 := a.export(false)
	b.shelf.Trusted["甲"] = m1.House.Key
	text, sig := files(t, first)
	lost, err := b.shelf.Open(t.Context(), text, sig, "op", false)
	b.check(err)
	_, err = b.shelf.Put(t.Context(), lost.ID, m1.Parts[0].Name, bytes.NewReader(read(t, first, m1.Parts[0].Name)))
	b.check(err)
	behind, err := b.arrive(second, m2)
	b.check(err)
	state := func(id string) string {
		t.Helper()
		s, err := b.desk.Get(t.Context(), id)
		b.check(err)
		return s.State
	}
	b.check(b.shelf.Run(t.Context()))
	if state(behind) != submit.Open {
		t.Error("the second is sent although parts of the first are missing")
	}
	// The process ends between the submission and its parts.
	b.shelf.Passed = func(s string) {
		if s == "refused" {
			panic(errCut)
		}
	}
	if err := cut(func() error { return b.shelf.Discard(t.Context(), lost.ID, "op") }); !errors.Is(err, errCut) {
		t.Fatalf("cut: %v", err)
	}
	b.shelf.Passed = nil
	b.check(b.shelf.Sweep(t.Context()))
	if left, _ := filepath.Glob(filepath.Join(b.shelf.dir(lost.Digest), "part-*")); len(left) > 0 { //nolint:errcheck // the pattern is right
		t.Errorf("left behind: %v", left)
	}
	b.check(b.shelf.Run(t.Context()))
	if state(lost.ID) != submit.Refused || state(behind) != submit.Sent {
		t.Errorf("the first is %s and the second %s", state(lost.ID), state(behind))
	}
	for _, id := range []string{lost.ID, behind} {
		if err := b.shelf.Discard(t.Context(), id, "op"); !errors.Is(err, mulu.ErrConflict) {
			t.Errorf("%s is discarded: %v", id, err)
		}
	}
	// The third follows on the second, which was taken. The first comes too late.
	if _, err := b.arrive(third, m3); err != nil {
		t.Errorf("the third: %v", err)
	}
	if _, err := b.shelf.Open(t.Context(), text, sig, "op", false); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("the first, late: %v", err)
	}
	again, err := b.shelf.Open(t.Context(), text, sig, "op", true)
	if err != nil || again.ID == lost.ID || again.Submission.State != submit.Open || again.Warning == "" || len(again.Missing) != len(m1.Parts) {
		t.Errorf("the first by force: %+v, %v", again, err)
	}
	if same, err := b.shelf.Open(t.Context(), text, sig, "op", false); err != nil || same.ID != again.ID {
		t.Errorf("the first once more: %+v, %v", same, err)
	}
}

// A package that begins anew, or leaves a gap, is taken only by force, and says so.
func TestChain(t *testing.T) {
	a, b := newSide(t, 2), newSide(t, 2)
	a.produce(0, 20)
	first, m1 := a.export(true)
	b.shelf.Trusted["甲"] = m1.House.Key
	if _, err := b.arrive(first, m1); err != nil {
		t.Fatal(err)
	}
	a.produce(20, 30)
	again, _ := a.export(true) // all of it once more
	text, sig := files(t, again)
	_, err := b.shelf.Open(t.Context(), text, sig, "op", false)
	if !errors.Is(err, mulu.ErrConflict) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("one that begins anew: %v", err)
	}
	state, err := b.shelf.Open(t.Context(), text, sig, "op", true)
	if err != nil || !strings.Contains(state.Warning, "重新开始") {
		t.Errorf("by force: %+v, %v", state, err)
	}
	prev := &Manifest{Name: "p", TopicID: "t", Ranges: []Range{{0, 0, 10}, {1, 0, 5}}}
	for _, c := range []struct {
		ranges []Range
		say    string
	}{{[]Range{{0, 10, 20}, {1, 5, 5}}, ""}, {[]Range{{0, 10, 20}, {1, 5, 9}, {2, 0, 4}}, ""}, {[]Range{{0, 12, 20}, {1, 5, 5}}, "缺口"}, {[]Range{{0, 10, 20}, {1, 4, 5}}, "重叠"}, {[]Range{{0, 10, 20}}, "没有"}} {
		err := (&Manifest{TopicID: "t", Ranges: c.ranges}).Follow(prev)
		if (err == nil) != (c.say == "") || err != nil && !strings.Contains(err.Error(), c.say) {
			t.Errorf("%v after %v: %v, want %q", c.ranges, prev.Ranges, err, c.say)
		}
	}
}
