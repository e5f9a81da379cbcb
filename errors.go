package mulu

import "errors"

// Sentinel errors. Wrap them with %w; internal/httpapi maps each to one status.
var (
	ErrNotFound = errors.New("not found")
	ErrDenied   = errors.New("denied")
	ErrInvalid  = errors.New("invalid")
	// ErrConflict says that somebody else got there first: a stale owner's plan,
	// an illegal transition, a version that has moved on.
	ErrConflict = errors.New("conflict")
	// ErrBusy says that the same call may succeed later.
	ErrBusy = errors.New("busy")
)
