package merkle_test

import (
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"mulu/ledger/merkle"
)

// Every root and path agrees with the Go checksum database's own implementation.
func TestAgreesWithTlog(t *testing.T) {
	var leaves [][]byte
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			out[i] = stored[x]
		}
		return out, nil
	})
	for n := 1; n <= 70; n++ {
		leaf := []byte(fmt.Sprintf("leaf %d", n))
		leaves = append(leaves, leaf)
		hs, err := tlog.StoredHashes(int64(n-1), leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hs...)
		want, err := tlog.TreeHash(int64(n), reader)
		if err != nil {
			t.Fatal(err)
		}
		root := merkle.Root(leaves)
		if tlog.Hash(root) != want {
			t.Fatalf("root of %d leaves differs", n)
		}
		for i := range leaves {
			path, err := merkle.Path(leaves, i)
			if err != nil {
				t.Fatal(err)
			}
			if !merkle.Check(root, uint64(n), uint64(i), leaves[i], path) {
				t.Fatalf("path of leaf %d of %d does not check", i, n)
			}
			if merkle.Check(root, uint64(n), uint64(i), []byte("other"), path) {
				t.Fatalf("another leaf checks at %d of %d", i, n)
			}
			if n > 1 && merkle.Check(root, uint64(n), uint64((i+1)%n), leaves[i], path) {
				t.Fatalf("leaf %d of %d checks at another place", i, n)
			}
		}
	}
}

func TestPathRefusesAbsentLeaf(t *testing.T) {
	if _, err := merkle.Path([][]byte{{1}}, 1); err == nil {
		t.Error("leaf 1 of 1 has a path")
	}
}
