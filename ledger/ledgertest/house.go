// Package ledgertest is the conformance suite of the directory chain: every
// implementation passes Run. It also builds a small house of signed commands for
// other tests.
package ledgertest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"testing"
	"time"

	"mulu"
	"mulu/ledger/contract"
)

// The organisations of the test house.
const (
	Bureau mulu.OrgCode = "11310107MBQ0000AB1"
	Center mulu.OrgCode = "12310107MBQ0000AB2"
	Civil  mulu.OrgCode = "11310107MBQ0000AB3"
	Street mulu.OrgCode = "11310107MBQ0000AB4"
)

// Start is the time of the house's first command.
var Start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// House makes signed commands of fixed actors. Every command is a second later
// than the one before, so the same calls give the same bytes.
type House struct {
	t      testing.TB
	at     time.Time
	Root   mulu.Actor
	Boss   mulu.Actor // approver of the bureau
	Second mulu.Actor // another approver of the bureau
	Robot  mulu.Actor // system of the centre
	Keeper mulu.Actor // steward of the centre
	Giver  mulu.Actor // officer of the providing department
	Asker  mulu.Actor // officer of the requesting street
}

// NewHouse makes the house's actors; their keys follow from their names.
func NewHouse(t testing.TB) *House {
	actor := func(id string, org mulu.OrgCode, role mulu.Role) mulu.Actor {
		return mulu.Actor{ID: id, Org: mulu.Org{Code: org}, Role: role}
	}
	return &House{
		t: t, at: Start,
		Root: actor(contract.RootActor, Bureau, mulu.RoleApprover), Boss: actor("boss", Bureau, mulu.RoleApprover),
		Second: actor("second", Bureau, mulu.RoleApprover), Robot: actor("robot", Center, mulu.RoleSystem),
		Keeper: actor("keeper", Center, mulu.RoleSteward), Giver: actor("giver", Civil, mulu.RoleOfficer), Asker: actor("asker", Street, mulu.RoleOfficer),
	}
}

// Key is the private key of an actor.
func Key(actor string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("mulu test key of " + actor))
	return ed25519.NewKeyFromSeed(seed[:])
}

// PublicKey is the chain's form of an actor's public key.
func PublicKey(actor string) string {
	return contract.KeyText(Key(actor).Public().(ed25519.PublicKey))
}

// Digest is a digest of some text.
func Digest(text string) string { return contract.Digest([]byte(text)) }

// Command signs a command of the body as the actor.
func (h *House) Command(a mulu.Actor, id string, b contract.Body) contract.Command {
	h.t.Helper()
	h.at = h.at.Add(time.Second)
	c, err := contract.New(id, a, h.at, b)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := c.Sign(Key(a.ID)); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// Register makes the command that registers an actor.
func (h *House) Register(by, a mulu.Actor) contract.Command {
	h.t.Helper()
	return h.Command(by, "register:"+a.ID, contract.ActorBody{Actor: a.ID, Org: a.Org.Code, Role: a.Role, Key: PublicKey(a.ID)})
}

// Found opens the chain and registers everybody: the boss by the root key, the
// others by the boss.
func (h *House) Found() []contract.Command {
	h.t.Helper()
	cs := []contract.Command{
		h.Command(h.Root, "init", contract.InitBody{Root: PublicKey(contract.RootActor), Bureau: Bureau, Center: Center}),
		h.Register(h.Root, h.Boss),
	}
	for _, a := range []mulu.Actor{h.Second, h.Robot, h.Keeper, h.Giver, h.Asker} {
		cs = append(cs, h.Register(h.Boss, a))
	}
	return cs
}

// Catalogue publishes one entry with duty, system and linked dataset "resident".
func (h *House) Catalogue() []contract.Command {
	h.t.Helper()
	return []contract.Command{
		h.Command(h.Giver, "duty", contract.DutyBody{Duty: "D-1", Org: Civil, Digest: Digest("duty")}),
		h.Command(h.Giver, "system", contract.SystemBody{System: "S-1", Org: Civil, Digest: Digest("system")}),
		h.Command(h.Giver, "propose", h.Proposal(1, contract.ShareConditional)),
		h.Command(h.Boss, "publish", contract.PublishBody{Catalog: "310107/3005/000001", Version: 1, Digest: Digest("entry")}),
		h.Command(h.Keeper, "link", contract.LinkBody{Dataset: "resident", Version: 1, Catalog: "310107/3005/000001", Schema: Digest("schema")}),
	}
}

// Proposal is a version of the house's entry.
func (h *House) Proposal(version int64, share string) contract.ProposeBody {
	b := contract.ProposeBody{Catalog: "310107/3005/000001", Version: version, Provider: Civil, Duty: "D-1", System: "S-1", Share: share, Level: "L3", Items: 12, Digest: Digest("entry")}
	if share == contract.ShareNone {
		b.Basis = "某某法第十条"
	}
	return b
}

// Grant runs a grant from its scenario to activation.
func (h *House) Grant() []contract.Command {
	h.t.Helper()
	return []contract.Command{
		h.Command(h.Asker, "file", contract.ScenarioBody{Scenario: "SC-2", Owner: Street, Digest: Digest("scenario")}),
		h.Command(h.Asker, "request", h.Request("G310107-2026-000001")),
		h.Command(h.Boss, "decide", contract.DecideBody{Grant: "G310107-2026-000001", Agree: true, Digest: Digest("grant")}),
		h.Command(h.Robot, "activate", contract.ActivateBody{Grant: "G310107-2026-000001", Digest: Digest("grant")}),
	}
}

// Request is the request of a grant of a year.
func (h *House) Request(id mulu.GrantID) contract.RequestBody {
	return contract.RequestBody{Grant: id, Scenario: "SC-2", Requester: Street, Datasets: []mulu.DatasetCode{"resident"},
		From: Start.UnixMicro(), To: Start.AddDate(1, 0, 0).UnixMicro(), Digest: Digest("request")}
}

// Anchor makes the robot's n-th receipt anchor over the digests' root.
func (h *House) Anchor(id string, root string, n int64) contract.Command {
	h.t.Helper()
	return h.Command(h.Robot, id, contract.ReceiptBody{Anchor: id, Receipts: n, Rows: n, From: Start.UnixMicro(), To: Start.UnixMicro() + n, Root: root})
}

// All is a whole life: founding, catalogue, grant.
func (h *House) All() []contract.Command {
	h.t.Helper()
	return append(append(h.Found(), h.Catalogue()...), h.Grant()...)
}
