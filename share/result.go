package share

import (
	"errors"

	"mulu/internal/spool"
)

// refusal is a read that was admitted and yields nothing, in words for people.
type refusal string

func (r refusal) Error() string { return string(r) }

// errAborted marks that the client, not the house, ended a delivery.
var errAborted = errors.New("client went away")

// result is what a read yields, before it is delivered.
type result struct {
	*spool.Spool
	rows int64
}
