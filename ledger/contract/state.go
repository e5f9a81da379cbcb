package contract

import (
	"encoding/json"
	"fmt"

	"mulu"
)

// Keys of the state: "<object>/<id>" for every object (the chain itself is
// "chain/root"), and "cmd/<command id>" for what was answered to a command.
// Values are the JSON of the structs below, in the order of their fields, and
// carry the version of their form as "v".

// Key is the state key of an object.
func Key(o Object, id string) string { return string(o) + "/" + id }

// CommandKey is the state key of what was answered to a command.
func CommandKey(id string) string { return "cmd/" + id }

// valueVersion is the form of the values below.
const valueVersion = 1

// Head begins every object's value.
type Head struct {
	V     int   `json:"v"`
	State State `json:"state"`
	N     int64 `json:"n"`  // writes so far
	At    int64 `json:"at"` // time of the last one
}

func (h *Head) head() *Head { return h }

type headed interface{ head() *Head }

// The values of the objects, as Decode returns them.
type (
	ChainValue struct {
		Head
		Root   string       `json:"root"`
		Bureau mulu.OrgCode `json:"bureau"`
		Center mulu.OrgCode `json:"center"`
	}
	ActorValue struct {
		Head
		Org        mulu.OrgCode `json:"org"`
		Role       mulu.Role    `json:"role"`
		Key        string       `json:"key"`
		Registered string       `json:"registered"` // command that made this value: the proof of the key
	}
	// SystemValue is the value of a system and of a duty.
	SystemValue struct {
		Head
		Org    mulu.OrgCode `json:"org"`
		Digest string       `json:"digest"`
	}
	EntryValue struct {
		Head
		Version   int64         `json:"version"` // published version, 0 before the first
		Provider  mulu.OrgCode  `json:"provider"`
		Duty      string        `json:"duty,omitempty"`
		System    string        `json:"system,omitempty"`
		Share     string        `json:"share,omitempty"`
		Level     string        `json:"level,omitempty"`
		Digest    string        `json:"digest,omitempty"`
		Publisher string        `json:"publisher,omitempty"`
		Grants    int64         `json:"grants"` // grants in force that use it: it can not be retired
		Waiting   *WaitingValue `json:"waiting,omitempty"`
	}
	// WaitingValue is a proposed version that waits for publication.
	WaitingValue struct {
		Proposer string      `json:"proposer"`
		Body     ProposeBody `json:"body"`
	}
	DatasetValue struct {
		Head
		Version int64            `json:"version"`
		Catalog mulu.CatalogCode `json:"catalog"`
		Schema  string           `json:"schema"`
	}
	BatchValue struct {
		Head
		Body BatchBody `json:"body"`
	}
	QualityValue struct {
		Head
		Body QualityBody `json:"body"`
	}
	ScenarioValue struct {
		Head
		Owner  mulu.OrgCode `json:"owner"`
		Digest string       `json:"digest"`
	}
	GrantValue struct {
		Head
		Request  RequestBody        `json:"request"`
		Decider  string             `json:"decider,omitempty"`
		MinScore int64              `json:"min_score,omitempty"`
		Digest   string             `json:"digest,omitempty"`  // as agreed
		Entries  []mulu.CatalogCode `json:"entries,omitempty"` // held since activation
		Reason   string             `json:"reason,omitempty"`  // of the last stop, resumption or end
	}
	ReceiptsValue struct {
		Head
		Body ReceiptBody `json:"body"`
	}
)

// commandValue is what the chain answered to a command.
type commandValue struct {
	V      int    `json:"v"`
	Digest string `json:"digest"` // of the canonical command
	Result Result `json:"result"`
}

// Decode reads a state value of any object into v. A value of an unknown form is
// an error: the chain was written by a newer contract.
func Decode(b []byte, v any) error {
	var form struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(b, &form); err != nil {
		return fmt.Errorf("decode state value: %w", err)
	}
	if form.V != valueVersion {
		return fmt.Errorf("decode state value: form %d is unknown here", form.V)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode state value: %w", err)
	}
	return nil
}

// DecodeResult reads the value under a CommandKey.
func DecodeResult(b []byte) (Result, error) {
	var v commandValue
	if err := Decode(b, &v); err != nil {
		return Result{}, err
	}
	return v.Result, nil
}

// load reads an object's value; an absent object gives the zero value, whose
// state is None.
func load[T any](s Store, o Object, id string) (T, error) {
	var v T
	b, err := s.Get(Key(o, id))
	if err != nil {
		return v, fmt.Errorf("get %s: %w", Key(o, id), err)
	}
	if b == nil {
		return v, nil
	}
	if err := Decode(b, &v); err != nil {
		return v, fmt.Errorf("%s: %w", Key(o, id), err)
	}
	return v, nil
}

func put(s Store, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	if err := s.Put(key, b); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}
