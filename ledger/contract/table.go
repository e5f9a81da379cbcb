package contract

// Kind names a command.
type Kind string

// The commands of the chain.
const (
	ChainInit     Kind = "chain.init"
	ActorRegister Kind = "actor.register"
	SystemPut     Kind = "system.put"
	DutyPut       Kind = "duty.put"
	EntryPropose  Kind = "entry.propose"
	EntryPublish  Kind = "entry.publish"
	EntryRetire   Kind = "entry.retire"
	DatasetLink   Kind = "dataset.link"
	BatchAnchor   Kind = "batch.anchor"
	QualityAnchor Kind = "quality.anchor"
	ScenarioFile  Kind = "scenario.file"
	GrantRequest  Kind = "grant.request"
	GrantDecide   Kind = "grant.decide"
	GrantActivate Kind = "grant.activate"
	GrantSuspend  Kind = "grant.suspend"
	GrantResume   Kind = "grant.resume"
	GrantEnd      Kind = "grant.terminate"
	ReceiptAnchor Kind = "receipt.anchor"
)

// Variants: kinds whose body decides between two ways through the table. Next
// takes them in place of the bare kind.
const (
	ActorRevoke  = ActorRegister + ":revoke"
	SystemRetire = SystemPut + ":retire"
	DutyRetire   = DutyPut + ":retire"
	GrantAgree   = GrantDecide + ":agree"
	GrantRefuse  = GrantDecide + ":refuse"
)

// Object is a sort of thing on the chain; "<object>/<id>" is its key.
type Object string

// The objects of the chain.
const (
	Chain    Object = "chain"
	Actors   Object = "actor"
	System   Object = "system"
	Duty     Object = "duty"
	Entry    Object = "entry"
	Dataset  Object = "dataset"
	Batch    Object = "batch"
	Quality  Object = "quality"
	Scenario Object = "scenario"
	Grant    Object = "grant"
	Receipts Object = "receipt"
)

// State is the state of an object. The empty state is "not on the chain".
type State string

// The states an object may be in.
const (
	None       State = ""
	Active     State = "active"
	Revoked    State = "revoked"
	Retired    State = "retired"
	Proposed   State = "proposed" // entry: first version waits for publication
	Published  State = "published"
	Changing   State = "changing" // entry: published, and a next version is proposed
	Linked     State = "linked"
	Anchored   State = "anchored"
	Filed      State = "filed"
	Requested  State = "requested"
	Agreed     State = "agreed"
	Refused    State = "refused"
	Suspended  State = "suspended"
	Terminated State = "terminated"
)

// Transition is one line of the table.
type Transition struct {
	Object Object
	From   State
	Kind   Kind // a kind, or a variant such as GrantAgree
	To     State
}

// table is the one transition table of the house: what it does not name is
// illegal, on both chains and in the rooms.
var table = [...]Transition{
	{Chain, None, ChainInit, Active},

	{Actors, None, ActorRegister, Active},
	{Actors, Active, ActorRegister, Active}, // new key or role
	{Actors, Active, ActorRevoke, Revoked},
	{Actors, Revoked, ActorRegister, Active},

	{System, None, SystemPut, Active},
	{System, Active, SystemPut, Active},
	{System, Active, SystemRetire, Retired},

	{Duty, None, DutyPut, Active},
	{Duty, Active, DutyPut, Active},
	{Duty, Active, DutyRetire, Retired},

	{Entry, None, EntryPropose, Proposed},
	{Entry, Proposed, EntryPropose, Proposed}, // mended after it was returned (退回补正)
	{Entry, Proposed, EntryPublish, Published},
	{Entry, Published, EntryPropose, Changing},
	{Entry, Changing, EntryPropose, Changing},
	{Entry, Changing, EntryPublish, Published},
	{Entry, Published, EntryRetire, Retired}, // a code is never used again

	{Dataset, None, DatasetLink, Linked},
	{Dataset, Linked, DatasetLink, Linked}, // a newer version

	{Batch, None, BatchAnchor, Anchored},

	{Quality, None, QualityAnchor, Anchored},
	{Quality, Anchored, QualityAnchor, Anchored}, // a newer score

	{Scenario, None, ScenarioFile, Filed},
	{Scenario, Filed, ScenarioFile, Filed},

	{Grant, None, GrantRequest, Requested},
	{Grant, Requested, GrantAgree, Agreed},
	{Grant, Requested, GrantRefuse, Refused},
	{Grant, Requested, GrantEnd, Terminated}, // withdrawn
	{Grant, Agreed, GrantActivate, Active},
	{Grant, Agreed, GrantEnd, Terminated},
	{Grant, Active, GrantSuspend, Suspended},
	{Grant, Suspended, GrantResume, Active},
	{Grant, Active, GrantEnd, Terminated},
	{Grant, Suspended, GrantEnd, Terminated},

	{Receipts, None, ReceiptAnchor, Anchored},
}

// Transitions returns a copy of the table, for pages and tests.
func Transitions() []Transition {
	t := table
	return t[:]
}

// Next gives the state an object moves to, or a *Refusal with code STATE. kind is
// a command's kind or, for the kinds that have them, a variant (GrantAgree …).
func Next(object Object, from State, kind Kind) (State, error) {
	for _, t := range table {
		if t.Object == object && t.From == from && t.Kind == kind {
			return t.To, nil
		}
	}
	shown := from
	if shown == None {
		shown = "不存在"
	}
	return None, refuse(Illegal, "当前状态("+string(shown)+")不允许该操作", "%s in state %q does not allow %s", object, from, kind)
}
