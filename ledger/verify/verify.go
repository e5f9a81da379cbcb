package verify

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"mulu"
	"mulu/ledger/contract"
	"mulu/ledger/merkle"
)

// Report is what a good bundle proves.
type Report struct {
	Origin      string           `json:"origin"`
	Fingerprint string           `json:"fingerprint"` // of the verifier key, "sha256:…"
	Pinned      bool             `json:"pinned"`      // the key was given from outside, not taken from the bundle
	Size        uint64           `json:"size"`        // of the log at the checkpoint
	Root        string           `json:"root"`
	Index       uint64           `json:"index"`
	Command     contract.Command `json:"command"`
	ActorKey    string           `json:"actor_key"`
	Subject     string           `json:"subject,omitempty"` // digest of the thing proven under the anchor
}

// Time is when the actor says the command was made.
func (r *Report) Time() time.Time { return r.Command.Time() }

// Check verifies a bundle file. vkey is the log's verifier key as obtained from a
// trusted source; if empty, the bundle's own key is used and the report says so
// (Pinned false): such a check proves that the bundle agrees with itself and with
// that key, and no more. What it can not show: a revocation of the actor that the
// chain recorded between registration and entry was checked by the chain when it
// took the entry, not here.
func Check(raw []byte, vkey string) (*Report, error) {
	b, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	if vkey = strings.TrimSpace(vkey); vkey != "" && vkey != b.Key {
		return nil, fmt.Errorf("check key: the bundle names another log key than the trusted one")
	}
	v, err := verifier(b.Key)
	if err != nil {
		return nil, err
	}
	size, root, err := checkpoint(b.Checkpoint, v)
	if err != nil {
		return nil, err
	}
	r := &Report{Origin: v.Name(), Fingerprint: Fingerprint(b.Key), Pinned: vkey != "", Size: size, Root: merkle.Text(root), Index: b.Entry.Index, Command: b.Entry.Command}
	for i, e := range b.Keys {
		if err := included(e, size, root); err != nil {
			return nil, fmt.Errorf("check key chain, link %d: %w", i, err)
		}
	}
	if err := included(b.Entry, size, root); err != nil {
		return nil, fmt.Errorf("check entry: %w", err)
	}
	if r.ActorKey, err = signatures(b); err != nil {
		return nil, err
	}
	if b.Subject != nil {
		if err := subject(b.Subject, b.Entry.Command); err != nil {
			return nil, err
		}
		r.Subject = b.Subject.Digest
	}
	return r, nil
}

// Fingerprint names a verifier key for comparison over the telephone.
func Fingerprint(vkey string) string {
	h := sha256.Sum256([]byte(vkey))
	return "sha256:" + hex.EncodeToString(h[:])
}

// verifier reads a C2SP verifier key in its one exact spelling.
func verifier(vkey string) (note.Verifier, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("read log key: %w", err)
	}
	_, rest, _ := strings.Cut(vkey, "+") // NewVerifier has seen both signs; a name holds none
	_, data, _ := strings.Cut(rest, "+")
	b, err := base64.StdEncoding.Strict().DecodeString(data)
	if err != nil || vkey != fmt.Sprintf("%s+%08x+%s", v.Name(), v.KeyHash(), base64.StdEncoding.EncodeToString(b)) {
		return nil, fmt.Errorf("read log key: not in its exact form")
	}
	return v, nil
}

// checkpoint opens a note of exactly three lines and exactly one signature.
func checkpoint(text string, v note.Verifier) (size uint64, root merkle.Hash, err error) {
	n, err := note.Open([]byte(text), note.VerifierList(v))
	if err != nil {
		return 0, root, fmt.Errorf("check checkpoint: %w", err)
	}
	if len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 {
		return 0, root, fmt.Errorf("check checkpoint: want exactly one signature")
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil || text != n.Text+"\n— "+v.Name()+" "+base64.StdEncoding.EncodeToString(sig)+"\n" {
		return 0, root, fmt.Errorf("check checkpoint: signature line is not in its exact form")
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != v.Name() {
		return 0, root, fmt.Errorf("check checkpoint: want origin, size and root")
	}
	size, err = strconv.ParseUint(lines[1], 10, 63)
	if err != nil {
		return 0, root, fmt.Errorf("check checkpoint: size: %w", err)
	}
	h, err := tlog.ParseHash(lines[2])
	if err != nil {
		return 0, root, fmt.Errorf("check checkpoint: root: %w", err)
	}
	return size, merkle.Hash(h), nil
}

// included checks that the entry's canonical bytes stand at its index.
func included(e Entry, size uint64, root merkle.Hash) error {
	if _, err := e.Command.Check(); err != nil {
		return err
	}
	raw, err := e.Command.Canonical()
	if err != nil {
		return err
	}
	if e.Index >= size {
		return fmt.Errorf("index %d is not under a checkpoint of size %d", e.Index, size)
	}
	proof := make(tlog.RecordProof, len(e.Proof))
	for i, h := range e.Proof {
		if len(h) != tlog.HashSize {
			return fmt.Errorf("proof hash %d has %d bytes", i, len(h))
		}
		copy(proof[i][:], h)
	}
	if err := tlog.CheckRecord(proof, int64(size), tlog.Hash(root), int64(e.Index), tlog.RecordHash(raw)); err != nil { //nolint:gosec // size was parsed in 63 bits
		return fmt.Errorf("entry %d is not in the log: %w", e.Index, err)
	}
	return nil
}

// signatures follows the key chain from the root key to the entry's actor and
// checks each signature with the key of the link before. It returns the actor's key.
func signatures(b *Bundle) (string, error) {
	links := append(append([]Entry{}, b.Keys...), b.Entry)
	body, err := links[0].Command.Check()
	if err != nil {
		return "", err
	}
	init, ok := body.(contract.InitBody)
	if !ok || links[0].Index != 0 || links[0].Command.Actor != contract.RootActor {
		return "", fmt.Errorf("check key chain: it does not begin with chain.init at index 0")
	}
	holder := contract.ActorBody{Actor: contract.RootActor, Org: init.Bureau, Key: init.Root}
	for i, e := range links {
		c := e.Command
		switch {
		case c.Actor != holder.Actor || c.Org != holder.Org || (holder.Actor != contract.RootActor && c.Role != holder.Role):
			return "", fmt.Errorf("check key chain, link %d: actor %s of %s is not the one just registered", i, c.Actor, c.Org)
		case i > 0 && e.Index <= links[i-1].Index:
			return "", fmt.Errorf("check key chain, link %d: it stands before its registration", i)
		}
		key, err := contract.ParseKey(holder.Key)
		if err != nil {
			return "", fmt.Errorf("check key chain, link %d: %w", i, err)
		}
		if !c.Verified(key) {
			return "", fmt.Errorf("check key chain, link %d: the signature is not actor %s's", i, c.Actor)
		}
		if i == 0 || i == len(links)-1 {
			continue
		}
		body, err := c.Check()
		if err != nil {
			return "", err
		}
		next, ok := body.(contract.ActorBody)
		if !ok || next.Revoked {
			return "", fmt.Errorf("check key chain, link %d: not a registration", i)
		}
		if holder.Actor != contract.RootActor && (holder.Role != mulu.RoleApprover || holder.Org != init.Bureau) {
			return "", fmt.Errorf("check key chain, link %d: %s may not register actors", i, holder.Actor)
		}
		holder = next
	}
	return holder.Key, nil
}

// subject checks the path from the subject's digest to what the command anchors.
func subject(s *Subject, c contract.Command) error {
	body, err := c.Check()
	if err != nil {
		return err
	}
	var anchored string
	var leaves int64
	switch b := body.(type) {
	case contract.BatchBody:
		anchored, leaves = b.Root, b.Batches
	case contract.ReceiptBody:
		anchored, leaves = b.Root, b.Receipts
	case contract.QualityBody:
		if s.Digest != b.Digest || s.Leaf != 0 || s.Size != 1 || len(s.Path) != 0 {
			return fmt.Errorf("check subject: not the anchored score")
		}
		return nil
	default:
		return fmt.Errorf("check subject: %s anchors nothing", c.Kind)
	}
	root, err := merkle.ParseText(anchored)
	if err != nil {
		return fmt.Errorf("check subject: anchored root: %w", err)
	}
	if leaves < 0 || uint64(leaves) != s.Size {
		return fmt.Errorf("check subject: %d leaves, the chain has %d", s.Size, leaves)
	}
	path := make([]merkle.Hash, len(s.Path))
	for i, p := range s.Path {
		if path[i], err = merkle.ParseText(p); err != nil {
			return fmt.Errorf("check subject: path: %w", err)
		}
	}
	if !merkle.Check(root, s.Size, s.Leaf, []byte(s.Digest), path) {
		return fmt.Errorf("check subject: not under the anchored root")
	}
	return nil
}
