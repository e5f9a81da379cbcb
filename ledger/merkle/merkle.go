// Package merkle makes and checks RFC 6962 Merkle trees in memory: one root on the
// chain stands for many receipts, manifests or scores, and each of them can be
// shown to be under it. Leaf hash SHA-256(0x00 ‖ data), node hash
// SHA-256(0x01 ‖ left ‖ right). By the house's convention the data of a leaf is
// the text of a digest, e.g. "sha256:…".
package merkle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"
)

// Hash is a node of the tree.
type Hash = [sha256.Size]byte

// LeafHash hashes a leaf's data.
func LeafHash(data []byte) Hash {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(data)
	return Hash(h.Sum(nil))
}

func nodeHash(l, r Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], l[:])
	copy(b[1+len(l):], r[:])
	return sha256.Sum256(b[:])
}

// Root is the root over the leaves' data; of no leaves it is SHA-256 of nothing.
func Root(leaves [][]byte) Hash {
	if len(leaves) == 0 {
		return sha256.Sum256(nil)
	}
	return root(hashes(leaves))
}

// Path is the inclusion proof of leaf i, from the leaf's sibling upwards.
func Path(leaves [][]byte, i int) ([]Hash, error) {
	if i < 0 || i >= len(leaves) {
		return nil, fmt.Errorf("merkle path: leaf %d of %d", i, len(leaves))
	}
	return path(hashes(leaves), i), nil
}

// RootText is the root over digests, as commands carry it: "sha256:<hex>".
func RootText(digests []string) string { return Text(Root(Texts(digests))) }

// Texts turns digests into leaves.
func Texts(digests []string) [][]byte {
	leaves := make([][]byte, len(digests))
	for i, d := range digests {
		leaves[i] = []byte(d)
	}
	return leaves
}

// Text is the chain's form of a hash.
func Text(h Hash) string { return "sha256:" + hex.EncodeToString(h[:]) }

// ParseText is the inverse of Text; it takes no other spelling.
func ParseText(s string) (Hash, error) {
	digits, ok := strings.CutPrefix(s, "sha256:")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != sha256.Size || strings.ToLower(digits) != digits {
		return Hash{}, fmt.Errorf("parse hash: want sha256: and 64 lower-case hex digits")
	}
	return Hash(b), nil
}

// Check says whether leaf i of a tree of n leaves has the data, given its path
// (RFC 9162 §2.1.3.2).
func Check(root Hash, n, i uint64, data []byte, path []Hash) bool {
	if i >= n {
		return false
	}
	fn, sn, h := i, n-1, LeafHash(data)
	for _, p := range path {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			h = nodeHash(p, h)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			h = nodeHash(h, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && h == root
}

func hashes(leaves [][]byte) []Hash {
	hs := make([]Hash, len(leaves))
	for i, l := range leaves {
		hs[i] = LeafHash(l)
	}
	return hs
}

// split is the largest power of two below n, for n > 1.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

func root(hs []Hash) Hash {
	if len(hs) == 1 {
		return hs[0]
	}
	k := split(len(hs))
	return nodeHash(root(hs[:k]), root(hs[k:]))
}

func path(hs []Hash, i int) []Hash {
	if len(hs) == 1 {
		return nil
	}
	k := split(len(hs))
	if i < k {
		return append(path(hs[:k], i), root(hs[k:]))
	}
	return append(path(hs[k:], i-k), root(hs[:k]))
}
