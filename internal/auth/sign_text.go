package auth

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
)

// SignText puts an actor's signature on a text that is no command. What is signed is the
// purpose, a line of its own, and the text: a command begins with a brace, so that the
// one can never be taken for the other.
func (s *Service) SignText(ctx context.Context, actorID, purpose string, text []byte) ([]byte, error) {
	k, err := s.signer(ctx, actorID)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", purpose, err)
	}
	return ed25519.Sign(k.key, slices.Concat([]byte(purpose+"\n"), text)), nil
}
