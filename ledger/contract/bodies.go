package contract

import (
	"bytes"
	"encoding/json"

	"mulu"
)

// Body is the typed content of a command. Every string in it is a code, a digest
// ("sha256:" or "sm3:" and 64 hex digits), a key or a citation: texts, names and
// personal values stay off the chain. Times are Unix microseconds UTC, scores are
// basis points (0–10000). Optional fields are left out when zero.
type Body interface {
	Kind() Kind // the command's kind
	// Step is the kind or the variant of it that Next takes.
	Step() Kind
	// On names the object the command is about.
	On() (Object, string)
	validate() error
}

// InitBody opens the chain, once. It is signed by the root key that it names; its
// actor is RootActor.
type InitBody struct {
	Root   string       `json:"root"`   // root public key, "ed25519:<hex>"
	Bureau mulu.OrgCode `json:"bureau"` // the authority (主管部门): its approvers decide
	Center mulu.OrgCode `json:"center"` // the data centre: its systems anchor
}

// RootActor is the actor of chain.init and of whatever else the root key signs.
const RootActor = "root"

// ActorBody registers an actor's key, replaces it, or revokes it (Revoked).
type ActorBody struct {
	Actor   string       `json:"actor"`
	Org     mulu.OrgCode `json:"org"`
	Role    mulu.Role    `json:"role"`
	Key     string       `json:"key"` // "ed25519:<hex>"
	Revoked bool         `json:"revoked,omitempty"`
}

// SystemBody registers, amends or retires an information system (信息系统).
type SystemBody struct {
	System  string       `json:"system"`
	Org     mulu.OrgCode `json:"org"`
	Digest  string       `json:"digest"` // of the whole declaration
	Retired bool         `json:"retired,omitempty"`
}

// DutyBody registers, amends or retires a duty (职责).
type DutyBody struct {
	Duty    string       `json:"duty"`
	Org     mulu.OrgCode `json:"org"`
	Digest  string       `json:"digest"`
	Retired bool         `json:"retired,omitempty"`
}

// Share types of an entry (共享属性).
const (
	ShareUnconditional = "unconditional" // 无条件共享
	ShareConditional   = "conditional"   // 有条件(授权)共享
	ShareNone          = "none"          // 不予共享: needs a basis
)

// ProposeBody proposes a version of a catalogue entry (目录条目).
type ProposeBody struct {
	Catalog  mulu.CatalogCode `json:"catalog"`
	Version  int64            `json:"version"` // the published version + 1
	Provider mulu.OrgCode     `json:"provider"`
	Duty     string           `json:"duty"`
	System   string           `json:"system"`
	Share    string           `json:"share"`           // ShareUnconditional …
	Basis    string           `json:"basis,omitempty"` // law and article, required with ShareNone
	Level    string           `json:"level"`           // "L1" … "L4"
	Items    int64            `json:"items"`           // number of data items
	Digest   string           `json:"digest"`          // of the whole entry's canonical JSON
}

// PublishBody publishes the proposed version.
type PublishBody struct {
	Catalog mulu.CatalogCode `json:"catalog"`
	Version int64            `json:"version"`
	Digest  string           `json:"digest"` // must equal the proposed one
}

// RetireBody retires an entry for good.
type RetireBody struct {
	Catalog mulu.CatalogCode `json:"catalog"`
	Reason  string           `json:"reason"` // a code, e.g. "duty-moved"
}

// LinkBody ties a dataset version to its published entry (资源挂接).
type LinkBody struct {
	Dataset mulu.DatasetCode `json:"dataset"`
	Version int64            `json:"version"`
	Catalog mulu.CatalogCode `json:"catalog"`
	Schema  string           `json:"schema"` // digest of columns, levels and rules
}

// BatchBody anchors a group of manifests: Root is the RFC 6962 Merkle root over
// their digests (package ledger/merkle).
type BatchBody struct {
	Anchor  string           `json:"anchor"` // id of the group
	Dataset mulu.DatasetCode `json:"dataset"`
	Batches int64            `json:"batches"` // leaves under Root
	Rows    int64            `json:"rows"`
	From    int64            `json:"from"` // oldest and newest manifest time
	To      int64            `json:"to"`
	Root    string           `json:"root"`
}

// QualityBody anchors one dataset's score.
type QualityBody struct {
	Dataset mulu.DatasetCode `json:"dataset"`
	Ruleset int64            `json:"ruleset"`
	Weights string           `json:"weights"` // version of the weight scheme
	Rows    int64            `json:"rows"`
	Total   int64            `json:"total"` // basis points
	Digest  string           `json:"digest"`
}

// ScenarioBody files a scenario (应用场景) or a newer version of it.
type ScenarioBody struct {
	Scenario mulu.ScenarioCode `json:"scenario"`
	Owner    mulu.OrgCode      `json:"owner"`
	Digest   string            `json:"digest"`
}

// RequestBody asks for a grant (授权) under a filed scenario.
type RequestBody struct {
	Grant     mulu.GrantID       `json:"grant"`
	Scenario  mulu.ScenarioCode  `json:"scenario"`
	Requester mulu.OrgCode       `json:"requester"`
	Datasets  []mulu.DatasetCode `json:"datasets"` // sorted, each linked to a published, shareable entry
	From      int64              `json:"from"`     // term, [From, To)
	To        int64              `json:"to"`
	MinScore  int64              `json:"min_score,omitempty"` // basis points every dataset must have at activation
	Digest    string             `json:"digest"`              // of the whole request
}

// DecideBody agrees to a request or refuses it.
type DecideBody struct {
	Grant    mulu.GrantID `json:"grant"`
	Agree    bool         `json:"agree"`
	Basis    string       `json:"basis,omitempty"`     // law and article, required to refuse
	MinScore int64        `json:"min_score,omitempty"` // may only raise the request's
	Digest   string       `json:"digest"`              // of the grant as agreed, or of the reasons
}

// ActivateBody puts an agreed grant into force.
type ActivateBody struct {
	Grant  mulu.GrantID `json:"grant"`
	Digest string       `json:"digest"` // must equal the agreed one
}

// SuspendBody, ResumeBody and EndBody stop a grant, take it up again, and end it
// (or withdraw the request). Reason is a code: "overreach", "leak", "expired" ….
type (
	SuspendBody struct {
		Grant  mulu.GrantID `json:"grant"`
		Reason string       `json:"reason"`
		Digest string       `json:"digest,omitempty"` // of the reasons in full
	}
	ResumeBody struct {
		Grant  mulu.GrantID `json:"grant"`
		Reason string       `json:"reason"`
		Digest string       `json:"digest,omitempty"`
	}
	EndBody struct {
		Grant  mulu.GrantID `json:"grant"`
		Reason string       `json:"reason"`
		Digest string       `json:"digest,omitempty"`
	}
)

// ReceiptBody anchors the receipts (共享日志) of one interval: Root is the
// RFC 6962 Merkle root over their digests.
type ReceiptBody struct {
	Anchor   string `json:"anchor"`
	Receipts int64  `json:"receipts"` // leaves under Root
	Rows     int64  `json:"rows"`
	From     int64  `json:"from"`
	To       int64  `json:"to"`
	Root     string `json:"root"`
}

func (InitBody) Kind() Kind     { return ChainInit }
func (ActorBody) Kind() Kind    { return ActorRegister }
func (SystemBody) Kind() Kind   { return SystemPut }
func (DutyBody) Kind() Kind     { return DutyPut }
func (ProposeBody) Kind() Kind  { return EntryPropose }
func (PublishBody) Kind() Kind  { return EntryPublish }
func (RetireBody) Kind() Kind   { return EntryRetire }
func (LinkBody) Kind() Kind     { return DatasetLink }
func (BatchBody) Kind() Kind    { return BatchAnchor }
func (QualityBody) Kind() Kind  { return QualityAnchor }
func (ScenarioBody) Kind() Kind { return ScenarioFile }
func (RequestBody) Kind() Kind  { return GrantRequest }
func (DecideBody) Kind() Kind   { return GrantDecide }
func (ActivateBody) Kind() Kind { return GrantActivate }
func (SuspendBody) Kind() Kind  { return GrantSuspend }
func (ResumeBody) Kind() Kind   { return GrantResume }
func (EndBody) Kind() Kind      { return GrantEnd }
func (ReceiptBody) Kind() Kind  { return ReceiptAnchor }

func variant(special bool, a, b Kind) Kind {
	if special {
		return a
	}
	return b
}

func (b InitBody) Step() Kind     { return b.Kind() }
func (b ActorBody) Step() Kind    { return variant(b.Revoked, ActorRevoke, ActorRegister) }
func (b SystemBody) Step() Kind   { return variant(b.Retired, SystemRetire, SystemPut) }
func (b DutyBody) Step() Kind     { return variant(b.Retired, DutyRetire, DutyPut) }
func (b ProposeBody) Step() Kind  { return b.Kind() }
func (b PublishBody) Step() Kind  { return b.Kind() }
func (b RetireBody) Step() Kind   { return b.Kind() }
func (b LinkBody) Step() Kind     { return b.Kind() }
func (b BatchBody) Step() Kind    { return b.Kind() }
func (b QualityBody) Step() Kind  { return b.Kind() }
func (b ScenarioBody) Step() Kind { return b.Kind() }
func (b RequestBody) Step() Kind  { return b.Kind() }
func (b DecideBody) Step() Kind   { return variant(b.Agree, GrantAgree, GrantRefuse) }
func (b ActivateBody) Step() Kind { return b.Kind() }
func (b SuspendBody) Step() Kind  { return b.Kind() }
func (b ResumeBody) Step() Kind   { return b.Kind() }
func (b EndBody) Step() Kind      { return b.Kind() }
func (b ReceiptBody) Step() Kind  { return b.Kind() }

func (b InitBody) On() (Object, string)     { return Chain, "root" }
func (b ActorBody) On() (Object, string)    { return Actors, b.Actor }
func (b SystemBody) On() (Object, string)   { return System, b.System }
func (b DutyBody) On() (Object, string)     { return Duty, b.Duty }
func (b ProposeBody) On() (Object, string)  { return Entry, string(b.Catalog) }
func (b PublishBody) On() (Object, string)  { return Entry, string(b.Catalog) }
func (b RetireBody) On() (Object, string)   { return Entry, string(b.Catalog) }
func (b LinkBody) On() (Object, string)     { return Dataset, string(b.Dataset) }
func (b BatchBody) On() (Object, string)    { return Batch, b.Anchor }
func (b QualityBody) On() (Object, string)  { return Quality, string(b.Dataset) }
func (b ScenarioBody) On() (Object, string) { return Scenario, string(b.Scenario) }
func (b RequestBody) On() (Object, string)  { return Grant, string(b.Grant) }
func (b DecideBody) On() (Object, string)   { return Grant, string(b.Grant) }
func (b ActivateBody) On() (Object, string) { return Grant, string(b.Grant) }
func (b SuspendBody) On() (Object, string)  { return Grant, string(b.Grant) }
func (b ResumeBody) On() (Object, string)   { return Grant, string(b.Grant) }
func (b EndBody) On() (Object, string)      { return Grant, string(b.Grant) }
func (b ReceiptBody) On() (Object, string)  { return Receipts, b.Anchor }

// decode reads a body strictly: unknown fields, other spellings of a field,
// nulls, repeated fields and spelled-out zeroes are refused, because the typed
// body written again must give the same canonical bytes.
func decode(kind Kind, raw json.RawMessage) (Body, error) {
	switch kind {
	case ChainInit:
		return decodeAs[InitBody](kind, raw)
	case ActorRegister:
		return decodeAs[ActorBody](kind, raw)
	case SystemPut:
		return decodeAs[SystemBody](kind, raw)
	case DutyPut:
		return decodeAs[DutyBody](kind, raw)
	case EntryPropose:
		return decodeAs[ProposeBody](kind, raw)
	case EntryPublish:
		return decodeAs[PublishBody](kind, raw)
	case EntryRetire:
		return decodeAs[RetireBody](kind, raw)
	case DatasetLink:
		return decodeAs[LinkBody](kind, raw)
	case BatchAnchor:
		return decodeAs[BatchBody](kind, raw)
	case QualityAnchor:
		return decodeAs[QualityBody](kind, raw)
	case ScenarioFile:
		return decodeAs[ScenarioBody](kind, raw)
	case GrantRequest:
		return decodeAs[RequestBody](kind, raw)
	case GrantDecide:
		return decodeAs[DecideBody](kind, raw)
	case GrantActivate:
		return decodeAs[ActivateBody](kind, raw)
	case GrantSuspend:
		return decodeAs[SuspendBody](kind, raw)
	case GrantResume:
		return decodeAs[ResumeBody](kind, raw)
	case GrantEnd:
		return decodeAs[EndBody](kind, raw)
	case ReceiptAnchor:
		return decodeAs[ReceiptBody](kind, raw)
	}
	return nil, refuse(Form, "未知的命令种类", "unknown kind %q", kind)
}

func decodeAs[T Body](kind Kind, raw json.RawMessage) (Body, error) {
	var b T
	if err := strict(raw, &b); err != nil {
		return nil, refuse(Form, "命令内容不符", "%s body: %v", kind, err)
	}
	again, err := canonical(b)
	if err != nil {
		return nil, refuse(Form, "命令内容不符", "%s body: %v", kind, err)
	}
	if !bytes.Equal(again, raw) {
		return nil, refuse(Form, "命令内容不是规范形式", "%s body is not in its canonical form", kind)
	}
	return b, nil
}
