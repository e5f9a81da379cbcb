package contract

import (
	"errors"
	"fmt"

	"mulu"
)

// Code says why the chain refused. Codes are stable: rooms, pages and tests
// depend on them.
type Code string

// The codes of a refusal.
const (
	Form      Code = "FORM"      // the command or its body is malformed
	Personal  Code = "PERSONAL"  // a value looks like a personal identifier
	Signature Code = "SIGNATURE" // the signature is not the registered actor's
	Denied    Code = "DENIED"    // this actor, role or organisation may not do it
	NotFound  Code = "NOTFOUND"  // the object or one it names is not on the chain
	Exists    Code = "EXISTS"    // the command id was used for something else
	Illegal   Code = "STATE"     // the object's state does not allow it
	Mismatch  Code = "MISMATCH"  // version or digest differs from the one on the chain
	Score     Code = "SCORE"     // a named dataset's anchored score is below the required one
	Clock     Code = "CLOCK"     // time runs against the term, or the command comes from the future
)

// Refusal is the chain's no. It unwraps to one of mulu's sentinel errors.
type Refusal struct {
	Code    Code   `json:"code"`
	Message string `json:"message"` // Chinese, for people
	Detail  string `json:"detail"`  // English, for logs
}

func (r *Refusal) Error() string { return fmt.Sprintf("chain refused (%s): %s", r.Code, r.Detail) }

// Unwrap maps the code to the house's sentinel errors.
func (r *Refusal) Unwrap() error {
	switch r.Code {
	case Form, Personal, Clock:
		return mulu.ErrInvalid
	case Signature, Denied:
		return mulu.ErrDenied
	case NotFound:
		return mulu.ErrNotFound
	}
	return mulu.ErrConflict
}

// AsRefusal returns the refusal in err's chain, or nil.
func AsRefusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}

func refuse(code Code, message, detail string, args ...any) *Refusal {
	return &Refusal{Code: code, Message: message, Detail: fmt.Sprintf(detail, args...)}
}
