package contract_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"mulu"
	"mulu/ledger/contract"
	"mulu/ledger/ledgertest"
)

var update = flag.Bool("update", false, "write testdata anew")

// state is a chain's state in memory that remembers the last command's puts, and
// fails a contract that reads what it has just put (Fabric would not show it).
type state struct {
	t     testing.TB
	m     map[string]string
	puts  []string
	fresh map[string]string
}

func newState(t testing.TB) *state { return &state{t: t, m: map[string]string{}} }

func (s *state) Get(key string) ([]byte, error) {
	if _, ok := s.fresh[key]; ok {
		s.t.Errorf("the contract reads %s after it put it", key)
	}
	if v, ok := s.m[key]; ok {
		return []byte(v), nil
	}
	return nil, nil
}

func (s *state) Put(key string, v []byte) error {
	s.puts = append(s.puts, key)
	s.fresh[key] = string(v)
	return nil
}

func (s *state) apply(c contract.Command) (contract.Result, error) {
	s.puts, s.fresh = nil, map[string]string{}
	r, err := contract.Apply(s, contract.Tx{Time: c.At}, c)
	if err != nil && len(s.puts) > 0 {
		s.t.Errorf("%s was refused (%v) and put %v", c.ID, err, s.puts)
	}
	for k, v := range s.fresh {
		s.m[k] = v
	}
	s.fresh = nil
	return r, err
}

func (s *state) must(cs ...contract.Command) {
	s.t.Helper()
	for _, c := range cs {
		if _, err := s.apply(c); err != nil {
			s.t.Fatalf("%s: %v", c.ID, err)
		}
	}
}

// life is a whole life with its ends.
func life(h *ledgertest.House) []contract.Command {
	const g = "G310107-2026-000001"
	end := func(b contract.Body, a mulu.Actor, id string) contract.Command { return h.Command(a, id, b) }
	return append(h.All(),
		h.Command(h.Robot, "score", contract.QualityBody{Dataset: "resident", Ruleset: 1, Weights: "w1", Rows: 10, Total: 9321, Digest: ledgertest.Digest("score")}),
		h.Command(h.Robot, "batch", contract.BatchBody{Anchor: "resident/1", Dataset: "resident", Batches: 2, Rows: 10, From: 1, To: 2, Root: ledgertest.Digest("root")}),
		h.Anchor("receipts", ledgertest.Digest("root"), 3),
		end(contract.SuspendBody{Grant: g, Reason: "overreach"}, h.Keeper, "suspend"),
		end(contract.ResumeBody{Grant: g, Reason: "mended"}, h.Boss, "resume"),
		h.Command(h.Giver, "propose2", h.Proposal(2, contract.ShareNone)),
		end(contract.EndBody{Grant: g, Reason: "completed", Digest: ledgertest.Digest("why")}, h.Asker, "end"),
		h.Command(h.Boss, "publish2", contract.PublishBody{Catalog: "310107/3005/000001", Version: 2, Digest: ledgertest.Digest("entry")}),
		h.Command(h.Second, "retire", contract.RetireBody{Catalog: "310107/3005/000001", Reason: "duty-moved"}),
		h.Command(h.Giver, "system-out", contract.SystemBody{System: "S-1", Org: ledgertest.Civil, Digest: ledgertest.Digest("system"), Retired: true}),
		h.Command(h.Root, "revoke", contract.ActorBody{Actor: "asker", Org: ledgertest.Street, Role: mulu.RoleOfficer, Key: ledgertest.PublicKey("asker"), Revoked: true}),
	)
}

// The golden file fixes what each command looks like and what it writes. A change
// here is a change of the chain's form: old logs must still replay.
func TestWriteSets(t *testing.T) {
	s := newState(t)
	var ar txtar.Archive
	ar.Comment = []byte("Commands of a whole life and what each puts. Written by go test -update.\n")
	for i, c := range life(ledgertest.NewHouse(t)) {
		s.must(c)
		raw, err := c.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		var puts strings.Builder
		for _, k := range s.puts {
			fmt.Fprintf(&puts, "%s = %s\n", k, s.m[k])
		}
		ar.Files = append(ar.Files,
			txtar.File{Name: fmt.Sprintf("%02d %s", i, c.ID), Data: append(raw, '\n')},
			txtar.File{Name: fmt.Sprintf("%02d puts", i), Data: []byte(puts.String())})
	}
	file, got := filepath.Join("testdata", "life.txtar"), txtar.Format(&ar)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("write sets differ from %s; if that is meant, run with -update", file)
	}
}

// Every step that the table does not name is refused, whoever asks.
func TestEveryOtherTransitionIsIllegal(t *testing.T) {
	states, kinds, objects := map[contract.State]bool{}, map[contract.Kind]bool{}, map[contract.Object]bool{}
	legal := map[string]contract.State{}
	for _, tr := range contract.Transitions() {
		states[tr.From], states[tr.To], kinds[tr.Kind], objects[tr.Object] = true, true, true, true
		at := fmt.Sprint(tr.Object, "|", tr.From, "|", tr.Kind)
		if _, twice := legal[at]; twice {
			t.Errorf("%s stands twice in the table", at)
		}
		legal[at] = tr.To
	}
	for o := range objects {
		for from := range states {
			for k := range kinds {
				to, err := contract.Next(o, from, k)
				want, ok := legal[fmt.Sprint(o, "|", from, "|", k)]
				if ok != (err == nil) || to != want {
					t.Errorf("%s in %q by %s: %q, %v", o, from, k, to, err)
				}
				if r := contract.AsRefusal(err); !ok && (r == nil || r.Code != contract.Illegal) {
					t.Errorf("%s in %q by %s: %v is not a STATE refusal", o, from, k, err)
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	const g = "G310107-2026-000001"
	const entry = mulu.CatalogCode("310107/3005/000001")
	digest := ledgertest.Digest
	// refuses applies before, then wants the last command refused with the code.
	refuses := func(name string, code contract.Code, make func(h *ledgertest.House) (before []contract.Command, c contract.Command)) {
		t.Run(name, func(t *testing.T) {
			s := newState(t)
			before, c := make(ledgertest.NewHouse(t))
			s.must(before...)
			_, err := s.apply(c)
			if r := contract.AsRefusal(err); r == nil || r.Code != code || r.Message == "" {
				t.Errorf("got %v, want %s", err, code)
			}
		})
	}
	type house = *ledgertest.House
	type commands = []contract.Command
	refuses("anything before chain.init", contract.NotFound, func(h house) (commands, contract.Command) { return nil, h.Register(h.Root, h.Boss) })
	refuses("chain.init a second time", contract.Illegal, func(h house) (commands, contract.Command) {
		return h.Found(), h.Command(h.Root, "again", contract.InitBody{Root: ledgertest.PublicKey(contract.RootActor), Bureau: ledgertest.Bureau, Center: ledgertest.Center})
	})
	refuses("chain.init by another than the root key", contract.Signature, func(h house) (commands, contract.Command) {
		return nil, h.Command(h.Root, "init", contract.InitBody{Root: ledgertest.PublicKey("boss"), Bureau: ledgertest.Bureau, Center: ledgertest.Center})
	})
	refuses("an unregistered actor", contract.Denied, func(h house) (commands, contract.Command) {
		return h.Found()[:2], h.Command(h.Giver, "duty", contract.DutyBody{Duty: "D-1", Org: ledgertest.Civil, Digest: digest("d")})
	})
	refuses("a registration by an officer", contract.Denied, func(h house) (commands, contract.Command) {
		return h.Found(), h.Command(h.Giver, "x", contract.ActorBody{Actor: "friend", Org: ledgertest.Civil, Role: mulu.RoleOfficer, Key: ledgertest.PublicKey("friend")})
	})
	refuses("an approver outside the bureau", contract.Denied, func(h house) (commands, contract.Command) {
		return h.Found(), h.Command(h.Boss, "x", contract.ActorBody{Actor: "friend", Org: ledgertest.Civil, Role: mulu.RoleApprover, Key: ledgertest.PublicKey("friend")})
	})
	refuses("an approver registering himself", contract.Denied, func(h house) (commands, contract.Command) {
		return h.Found(), h.Command(h.Boss, "x", contract.ActorBody{Actor: "boss", Org: ledgertest.Bureau, Role: mulu.RoleApprover, Key: ledgertest.PublicKey("x")})
	})
	refuses("a revoked actor", contract.Denied, func(h house) (commands, contract.Command) {
		revoke := h.Command(h.Root, "x", contract.ActorBody{Actor: "giver", Org: ledgertest.Civil, Role: mulu.RoleOfficer, Key: ledgertest.PublicKey("giver"), Revoked: true})
		all := append(h.Found(), revoke)
		return all, h.Command(h.Giver, "duty", contract.DutyBody{Duty: "D-1", Org: ledgertest.Civil, Digest: digest("d")})
	})
	refuses("another organisation than registered", contract.Denied, func(h house) (commands, contract.Command) {
		liar := h.Asker
		liar.Org.Code = ledgertest.Civil
		return h.Found(), h.Command(liar, "duty", contract.DutyBody{Duty: "D-1", Org: ledgertest.Civil, Digest: digest("d")})
	})
	refuses("a changed command under an old signature", contract.Signature, func(h house) (commands, contract.Command) {
		c := h.Command(h.Giver, "duty", contract.DutyBody{Duty: "D-1", Org: ledgertest.Civil, Digest: digest("d")})
		c.At++
		return h.Found(), c
	})
	refuses("publication by the proposer's side", contract.Denied, func(h house) (commands, contract.Command) {
		return append(h.Found(), h.Catalogue()[:3]...), h.Command(h.Giver, "p", contract.PublishBody{Catalog: entry, Version: 1, Digest: digest("entry")})
	})
	refuses("publication of another digest", contract.Mismatch, func(h house) (commands, contract.Command) {
		return append(h.Found(), h.Catalogue()[:3]...), h.Command(h.Boss, "p", contract.PublishBody{Catalog: entry, Version: 1, Digest: digest("other")})
	})
	refuses("publication without a duty", contract.NotFound, func(h house) (commands, contract.Command) {
		return append(h.Found(), h.Catalogue()[1:3]...), h.Command(h.Boss, "p", contract.PublishBody{Catalog: entry, Version: 1, Digest: digest("entry")})
	})
	refuses("publication on a retired system", contract.Illegal, func(h house) (commands, contract.Command) {
		out := h.Command(h.Giver, "out", contract.SystemBody{System: "S-1", Org: ledgertest.Civil, Digest: digest("s"), Retired: true})
		return append(append(h.Found(), h.Catalogue()[:3]...), out), h.Command(h.Boss, "p", contract.PublishBody{Catalog: entry, Version: 1, Digest: digest("entry")})
	})
	refuses("a version that jumps", contract.Mismatch, func(h house) (commands, contract.Command) {
		return append(h.Found(), h.Catalogue()...), h.Command(h.Giver, "p", h.Proposal(3, contract.ShareConditional))
	})
	refuses("retiring an entry in use", contract.Illegal, func(h house) (commands, contract.Command) {
		return h.All(), h.Command(h.Boss, "r", contract.RetireBody{Catalog: entry, Reason: "old"})
	})
	refuses("an anchor by a person", contract.Denied, func(h house) (commands, contract.Command) {
		return h.Found(), h.Command(h.Keeper, "a", contract.ReceiptBody{Anchor: "a", Receipts: 1, From: 1, To: 1, Root: digest("r")})
	})
	refuses("a request without a filed scenario", contract.NotFound, func(h house) (commands, contract.Command) {
		return append(h.Found(), h.Catalogue()...), h.Command(h.Asker, "q", h.Request(g))
	})
	refuses("a request for another organisation", contract.Denied, func(h house) (commands, contract.Command) {
		return append(append(h.Found(), h.Catalogue()...), h.Grant()[0]), h.Command(h.Giver, "q", h.Request(g))
	})
	refuses("a request for an unlinked dataset", contract.NotFound, func(h house) (commands, contract.Command) {
		return append(append(h.Found(), h.Catalogue()[:4]...), h.Grant()[0]), h.Command(h.Asker, "q", h.Request(g))
	})
	refuses("a decision by the data centre", contract.Denied, func(h house) (commands, contract.Command) {
		return append(append(h.Found(), h.Catalogue()...), h.Grant()[:2]...), h.Command(h.Keeper, "d", contract.DecideBody{Grant: g, Agree: true, Digest: digest("grant")})
	})
	refuses("activation before the decision", contract.Illegal, func(h house) (commands, contract.Command) {
		return append(append(h.Found(), h.Catalogue()...), h.Grant()[:2]...), h.Command(h.Robot, "a", contract.ActivateBody{Grant: g, Digest: digest("grant")})
	})
	refuses("activation of another text", contract.Mismatch, func(h house) (commands, contract.Command) {
		return append(append(h.Found(), h.Catalogue()...), h.Grant()[:3]...), h.Command(h.Robot, "a", contract.ActivateBody{Grant: g, Digest: digest("wider")})
	})
	refuses("activation below the required score", contract.Score, func(h house) (commands, contract.Command) {
		before := append(append(h.Found(), h.Catalogue()...), h.Grant()[:2]...)
		before = append(before,
			h.Command(h.Boss, "decide", contract.DecideBody{Grant: g, Agree: true, MinScore: 9000, Digest: digest("grant")}),
			h.Command(h.Robot, "score", contract.QualityBody{Dataset: "resident", Ruleset: 1, Weights: "w1", Total: 8999, Digest: digest("s")}))
		return before, h.Command(h.Robot, "a", contract.ActivateBody{Grant: g, Digest: digest("grant")})
	})
	refuses("resumption by the data centre", contract.Denied, func(h house) (commands, contract.Command) {
		return append(h.All(), h.Command(h.Robot, "s", contract.SuspendBody{Grant: g, Reason: "leak"})), h.Command(h.Robot, "r", contract.ResumeBody{Grant: g, Reason: "ok"})
	})
	refuses("suspension of an unknown grant", contract.NotFound, func(h house) (commands, contract.Command) {
		return h.Found(), h.Command(h.Boss, "s", contract.SuspendBody{Grant: g, Reason: "leak"})
	})
}

func TestFormIsRefused(t *testing.T) {
	h := ledgertest.NewHouse(t)
	good := h.Command(h.Giver, "duty", contract.DutyBody{Duty: "D-1", Org: ledgertest.Civil, Digest: ledgertest.Digest("d")})
	refuses := func(name string, code contract.Code, change func(c *contract.Command)) {
		t.Run(name, func(t *testing.T) {
			c := good
			change(&c)
			_, err := c.Check()
			if r := contract.AsRefusal(err); r == nil || r.Code != code {
				t.Errorf("got %v, want %s", err, code)
			}
		})
	}
	body := func(from, to string) func(c *contract.Command) {
		return func(c *contract.Command) {
			c.Body = []byte(strings.Replace(string(c.Body), from, to, 1))
			if string(c.Body) == string(good.Body) {
				t.Fatalf("%q is not in the body", from)
			}
		}
	}
	if _, err := good.Check(); err != nil {
		t.Fatal(err)
	}
	refuses("unknown field", contract.Form, body(`{`, `{"a":1,`))
	refuses("field in other case", contract.Form, body(`"duty"`, `"Duty"`))
	refuses("repeated field", contract.Form, body(`{`, `{"digest":"x",`))
	refuses("spelled-out zero", contract.Form, body(`}`, `,"retired":false}`))
	refuses("space", contract.Form, body(`{`, `{ `))
	refuses("digest of another length", contract.Form, body(`sha256:`, `sha256:0`))
	refuses("unknown kind", contract.Form, func(c *contract.Command) { c.Kind = "duty.burn" })
	refuses("no time", contract.Form, func(c *contract.Command) { c.At = 0 })
	refuses("identity number in the body", contract.Personal, body(`D-1`, `11010519491231002X`))
	refuses("identity number inside a longer value", contract.Personal, body(`D-1`, `D/11010519491231002X/1`))
	refuses("mobile number", contract.Personal, body(`D-1`, `t13912345678`))
	refuses("mobile number with dashes", contract.Personal, body(`D-1`, `139-1234-5678`))
	refuses("identity number as command id", contract.Personal, func(c *contract.Command) { c.ID = "duty:310107199001011234" })
	refuses("mobile number as actor", contract.Personal, func(c *contract.Command) { c.Actor = "13912345678" })
	t.Run("a citation may not hide a full-width number", func(t *testing.T) {
		b := h.Proposal(1, contract.ShareNone)
		b.Basis = "见 １３９１２３４５６７８"
		if _, err := contract.New("p", h.Giver, ledgertest.Start, b); contract.AsRefusal(err) == nil || contract.AsRefusal(err).Code != contract.Personal {
			t.Errorf("got %v", err)
		}
	})
	t.Run("digests never look personal", func(t *testing.T) {
		b := contract.DutyBody{Duty: "D-1", Org: ledgertest.Civil, Digest: "sm3:" + strings.Repeat("a13912345678b", 4) + "a13912345678"}
		if _, err := contract.New("p", h.Giver, ledgertest.Start, b); err != nil {
			t.Error(err)
		}
	})
}

func TestParseTakesOneSpellingOnly(t *testing.T) {
	h := ledgertest.NewHouse(t)
	c := h.Found()[1]
	raw, err := c.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := contract.Parse(raw); err != nil || got.ID != c.ID {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, bad := range []string{" " + string(raw), string(raw) + "\n", strings.Replace(string(raw), `"v":1`, `"v":1.0`, 1), strings.Replace(string(raw), "{", `{"x":1,`, 1)} {
		if _, err := contract.Parse([]byte(bad)); err == nil {
			t.Errorf("took %q", bad)
		}
	}
}

// Whatever order commands come in, replaying the accepted ones gives the same
// state, and repeating any accepted one changes nothing.
func TestReplayGivesTheSameState(t *testing.T) {
	all := life(ledgertest.NewHouse(t))
	founding := 7
	rapid.Check(t, func(r *rapid.T) {
		first, second := newState(t), newState(t)
		first.must(all[:founding]...)
		accepted := slices.Clone(all[:founding])
		order := rapid.SliceOfN(rapid.IntRange(0, len(all)-1), 1, 60).Draw(r, "order")
		for i := founding; i < len(all); i++ { // with the right order mixed in, deep states are reached
			if rapid.Bool().Draw(r, "forward") {
				order = append(order, i)
			}
		}
		taken := map[string]contract.Result{}
		for _, i := range order {
			res, err := first.apply(all[i])
			if err != nil {
				if contract.AsRefusal(err) == nil {
					r.Fatal(err)
				}
				continue
			}
			if before, again := taken[all[i].ID]; again {
				if res != before || len(first.puts) != 0 {
					r.Fatalf("%s again: %+v then %+v, puts %v", all[i].ID, before, res, first.puts)
				}
				continue
			}
			taken[all[i].ID] = res
			if len(first.puts) > 0 {
				accepted = append(accepted, all[i])
			}
		}
		second.must(accepted...)
		if fmt.Sprint(first.m) != fmt.Sprint(second.m) {
			r.Fatal("replay gives another state")
		}
	})
}
