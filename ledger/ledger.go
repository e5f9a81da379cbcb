// Package ledger is the room of the directory chain (目录链): what the rest of the
// house asks of it, in words that fit the embedded log (tilelog) and Fabric alike.
// The rules are in package contract, proofs in package verify.
package ledger

import (
	"errors"
	"time"

	"mulu/ledger/contract"
	"mulu/ledger/verify"
)

type (
	// Receipt is the chain's answer to an accepted command.
	Receipt = contract.Receipt
	// Answer is the chain's answer to one of several commands.
	Answer = contract.Answer
	// Bundle is an offline proof of one command.
	Bundle = verify.Bundle
)

// ErrStopped says that the ledger can take no more commands until it is opened
// again; what it had answered stands.
var ErrStopped = errors.New("ledger stopped")

// Head is the newest signed state of the log.
type Head struct {
	Origin     string
	Key        string // verifier key
	Size       uint64
	Root       string    // "sha256:<hex>"
	At         time.Time // when the checkpoint was written
	Checkpoint string    // the signed note
}

// Record is one accepted command, for pages.
type Record struct {
	Index  uint64
	ID     string
	Kind   contract.Kind
	Object contract.Object
	Key    string // id of the object
	Actor  string
	At     time.Time // the actor's time
}
