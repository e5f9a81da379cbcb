// Package contract holds the rules of the directory chain (目录链): its commands,
// the one transition table, and Apply, which turns an accepted command into writes.
// It is pure and deterministic: no clock, no randomness, no I/O, no map order, so
// the embedded log and Fabric run the same code and reach the same state, and
// rooms ask the same table (Next) before they write a pending command.
//
// No personal value is ever accepted (design invariant 6): bodies are typed,
// unknown fields are refused, and any string that looks like a citizen identity
// number or a mobile number refuses the whole command.
package contract

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gowebpki/jcs"

	"mulu"
)

// FormVersion is the version of the command form ("v" in its JSON).
const FormVersion = 1

// MaxCommandBytes bounds a canonical command: the embedded log takes entries of
// at most 65535 bytes.
const MaxCommandBytes = 60_000

// Command is one signed instruction to the chain. Its JSON form, canonicalised by
// RFC 8785, is what is signed (without sig) and what is logged (with sig).
type Command struct {
	V     int             `json:"v"`    // FormVersion
	ID    string          `json:"id"`   // deterministic, see CommandID; the chain answers an ID once
	Kind  Kind            `json:"kind"` // what is asked
	Actor string          `json:"actor"`
	Org   mulu.OrgCode    `json:"org"`
	Role  mulu.Role       `json:"role"`
	At    int64           `json:"at"` // Unix microseconds UTC, the actor's own time
	Body  json.RawMessage `json:"body"`
	Sig   []byte          `json:"sig,omitempty"` // Ed25519 over SigningBytes, base64 in JSON
}

// CommandID joins the kind and the parts that make a command the only one of its
// sort, e.g. CommandID(GrantSuspend, "G310107-2026-000042", "3") for the third
// suspension. The same cause must always give the same parts: retries depend on it.
func CommandID(kind Kind, parts ...string) string {
	return string(kind) + ":" + strings.Join(parts, ":")
}

// New makes an unsigned command of a typed body. It fails with a *Refusal (FORM)
// when the chain would refuse the form anyway.
func New(id string, actor mulu.Actor, at time.Time, body Body) (Command, error) {
	b, err := canonical(body)
	if err != nil {
		return Command{}, fmt.Errorf("make command %s: %w", id, err)
	}
	c := Command{V: FormVersion, ID: id, Kind: body.Kind(), Actor: actor.ID, Org: actor.Org.Code, Role: actor.Role, At: at.UnixMicro(), Body: b}
	if _, err := c.Check(); err != nil {
		return Command{}, fmt.Errorf("make command %s: %w", id, err)
	}
	return c, nil
}

// SigningBytes is the canonical JSON of the command without its signature.
func (c Command) SigningBytes() ([]byte, error) {
	c.Sig = nil
	return canonical(c)
}

// Canonical is the canonical JSON of the whole command: the chain's entry.
func (c Command) Canonical() ([]byte, error) { return canonical(c) }

// Sign puts the actor's signature on the command.
func (c *Command) Sign(key ed25519.PrivateKey) error {
	b, err := c.SigningBytes()
	if err != nil {
		return fmt.Errorf("sign command %s: %w", c.ID, err)
	}
	c.Sig = ed25519.Sign(key, b)
	return nil
}

// Verified says whether the signature is the given key's.
func (c Command) Verified(key ed25519.PublicKey) bool {
	b, err := c.SigningBytes()
	return err == nil && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, b, c.Sig)
}

// Time is the actor's time of the command, UTC.
func (c Command) Time() time.Time { return time.UnixMicro(c.At).UTC() }

// Parse reads a canonical command and refuses any other spelling of it, so that
// one command has exactly one sequence of bytes.
func Parse(b []byte) (Command, error) {
	var c Command
	if err := strict(b, &c); err != nil {
		return Command{}, refuse(Form, "命令格式不符", "command: %v", err)
	}
	again, err := c.Canonical()
	if err != nil {
		return Command{}, refuse(Form, "命令格式不符", "command: %v", err)
	}
	if !bytes.Equal(b, again) {
		return Command{}, refuse(Form, "命令不是规范 JSON(RFC 8785)", "command is not canonical JSON")
	}
	return c, nil
}

// Check validates the form of the command (not its signature, which needs the
// chain's state) and returns its typed body. Its errors are *Refusal.
func (c Command) Check() (Body, error) {
	if err := c.checkEnvelope(); err != nil {
		return nil, err
	}
	body, err := decode(c.Kind, c.Body)
	if err != nil {
		return nil, err
	}
	if err := body.validate(); err != nil {
		return nil, refuse(Form, "命令内容不符:"+err.Error(), "%s: %v", c.Kind, err)
	}
	if err := refusePersonal(c); err != nil {
		return nil, err
	}
	return body, nil
}

// Result is what an accepted command did to its object. Index and Refusal are
// filled by the ledger and the relay: a room's Confirm gets either an Index and
// the new state, or a Refusal and nothing else.
type Result struct {
	Object  Object `json:"object"`
	ID      string `json:"id"`      // id of the object, e.g. a grant id
	State   State  `json:"state"`   // state after the command
	Version int64  `json:"version"` // how often the object was written, from 1

	Index   uint64   `json:"-"` // position on the chain
	Refusal *Refusal `json:"-"` // why the chain said no; nil if it said yes
}

// Accepted says whether the chain took the command.
func (r Result) Accepted() bool { return r.Refusal == nil }

// Receipt is the ledger's answer to an accepted command.
type Receipt struct {
	ID     string // command id
	Index  uint64 // position on the chain, from 0
	Result Result
	Again  bool // the command had been accepted before; nothing was logged now
}

// Answer is what a ledger says to one command of several: a receipt, a *Refusal,
// or another error, after which the outcome is unknown and the same command may
// be submitted again.
type Answer struct {
	Receipt Receipt
	Err     error
}

// Digest returns "sha256:<hex>" of b.
func Digest(b []byte) string {
	h := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(h[:])
}

// DigestJSON returns the digest of v's canonical JSON.
func DigestJSON(v any) (string, error) {
	b, err := canonical(v)
	if err != nil {
		return "", err
	}
	return Digest(b), nil
}

// KeyText is the form a public key has on the chain: "ed25519:<hex>".
func KeyText(k ed25519.PublicKey) string { return "ed25519:" + hex.EncodeToString(k) }

// ParseKey is the inverse of KeyText.
func ParseKey(s string) (ed25519.PublicKey, error) {
	h, ok := strings.CutPrefix(s, "ed25519:")
	b, err := hex.DecodeString(h)
	if !ok || err != nil || len(b) != ed25519.PublicKeySize || h != strings.ToLower(h) {
		return nil, fmt.Errorf("parse public key: want ed25519: and 64 lower-case hex digits")
	}
	return b, nil
}

func canonical(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	if b, err = jcs.Transform(b); err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	return b, nil
}

func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("more than one JSON value")
	}
	return nil
}
