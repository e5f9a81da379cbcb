// Package verify checks proofs of the directory chain (存证证明) offline, with
// nothing but the bundle and the log's verifier key. It shares no code with the
// log that writes: formats are C2SP checkpoints and RFC 6962 trees, checked by
// golang.org/x/mod; the command's form comes from package contract.
package verify

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/gowebpki/jcs"

	"mulu/ledger/contract"
	"mulu/ledger/merkle"
)

// BundleVersion is the form of a bundle.
const BundleVersion = 1

// Bundle is one proof: that Entry stands in the log, that the log's operator
// signed for it, and that the actor named in it signed it. As a file it is
// canonical JSON (RFC 8785) without a final newline; no other bytes are accepted.
type Bundle struct {
	V          int    `json:"v"`
	Key        string `json:"key"`        // verifier key of the log (C2SP vkey): only as trustworthy as its source
	Checkpoint string `json:"checkpoint"` // signed note: origin, size, root
	Entry      Entry  `json:"entry"`
	// Keys leads from the root key to the actor's key: chain.init first, then the
	// actor.register of each who registered the next, last the actor of Entry.
	// Empty when Entry is chain.init itself.
	Keys    []Entry  `json:"keys,omitempty"`
	Subject *Subject `json:"subject,omitempty"`
}

// Entry is one command in the log with its inclusion proof under Checkpoint.
type Entry struct {
	Index   uint64           `json:"index"`
	Command contract.Command `json:"command"`
	Proof   [][]byte         `json:"proof"` // 32-byte hashes, leaf upwards
}

// Subject ties something outside the chain to the root that Entry anchors: a
// receipt, a manifest, or a score (whose digest is the anchored one itself).
type Subject struct {
	Digest string   `json:"digest"` // "sha256:…" of the thing; its text is the leaf
	Leaf   uint64   `json:"leaf"`   // position among the leaves
	Size   uint64   `json:"size"`   // number of leaves; must equal the anchored count
	Path   []string `json:"path"`   // "sha256:…" hashes, leaf upwards
}

// NewSubject makes the subject section for digests[i] under the root over digests.
func NewSubject(digests []string, i int) (*Subject, error) {
	path, err := merkle.Path(merkle.Texts(digests), i)
	if err != nil {
		return nil, fmt.Errorf("make subject: %w", err)
	}
	s := &Subject{Digest: digests[i], Leaf: uint64(i), Size: uint64(len(digests)), Path: []string{}} //nolint:gosec // i is not negative: Path checked it
	for _, h := range path {
		s.Path = append(s.Path, merkle.Text(h))
	}
	return s, nil
}

// Encode is the canonical file form.
func (b *Bundle) Encode() ([]byte, error) {
	raw, err := json.Marshal(b)
	if err == nil {
		raw, err = jcs.Transform(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	return raw, nil
}

// Parse reads a bundle and refuses any spelling but the canonical one: unknown,
// repeated or differently cased fields, spaces, other escapes, loose base64.
func Parse(raw []byte) (*Bundle, error) {
	var b Bundle
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return nil, fmt.Errorf("parse bundle: %w", err)
	}
	if b.V != BundleVersion {
		return nil, fmt.Errorf("parse bundle: version %d is unknown here", b.V)
	}
	again, err := b.Encode()
	if err != nil {
		return nil, fmt.Errorf("parse bundle: %w", err)
	}
	if !bytes.Equal(raw, again) {
		return nil, fmt.Errorf("parse bundle: not in canonical form")
	}
	return &b, nil
}
