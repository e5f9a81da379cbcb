package verify_test

import (
	"context"
	"strings"
	"testing"

	"mulu/ledger/ledgertest"
	"mulu/ledger/merkle"
	"mulu/ledger/tilelog"
	"mulu/ledger/verify"
)

// bundles makes real proofs: of an anchor with a subject, and of chain.init.
func bundles(t *testing.T) (anchor, init *verify.Bundle) {
	t.Helper()
	l, err := tilelog.Open(t.Context(), tilelog.Options{Dir: t.TempDir(), Origin: "mulu.example/test"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background()) //nolint:errcheck // the test is about proofs
	h := ledgertest.NewHouse(t)
	digests := []string{ledgertest.Digest("a"), ledgertest.Digest("b"), ledgertest.Digest("c")}
	cs := append(h.Found(), h.Anchor("receipts-1", merkle.RootText(digests), 3))
	if _, err := l.SubmitAll(t.Context(), cs); err != nil {
		t.Fatal(err)
	}
	if anchor, err = l.Proof(t.Context(), "receipts-1"); err != nil {
		t.Fatal(err)
	}
	if anchor.Subject, err = verify.NewSubject(digests, 1); err != nil {
		t.Fatal(err)
	}
	if init, err = l.Proof(t.Context(), "init"); err != nil {
		t.Fatal(err)
	}
	return anchor, init
}

func encode(t *testing.T, b *verify.Bundle) []byte {
	t.Helper()
	raw, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestEveryChangedByteFails(t *testing.T) {
	anchor, init := bundles(t)
	for name, b := range map[string]*verify.Bundle{"anchor with subject": anchor, "chain.init": init} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := encode(t, b)
			for _, key := range []string{"", b.Key} {
				if _, err := verify.Check(raw, key); err != nil {
					t.Fatal(err)
				}
			}
			step := 1
			if testing.Short() {
				step = 7 // the race detector is slow
			}
			for i := 0; i < len(raw); i += step {
				// One more hits the slack bits of base64, 0x20 the letter case.
				for k, other := range []byte{raw[i] + 1, raw[i] ^ 0x01, raw[i] ^ 0x20} {
					if b == anchor && k > 0 && k != 1+i%2 {
						continue // the longer bundle gets two of the three, for the time it takes
					}
					bad := append([]byte{}, raw...)
					bad[i] = other
					if _, err := verify.Check(bad, ""); err == nil {
						t.Fatalf("byte %d of %d changed from %q to %q passes: …%s…", i, len(raw), raw[i], bad[i], raw[max(0, i-40):min(len(raw), i+40)])
					}
				}
				if i%11 != 0 {
					continue
				}
				if _, err := verify.Check(append(append([]byte{}, raw[:i]...), raw[i+1:]...), ""); err == nil {
					t.Fatalf("byte %d left out passes", i)
				}
			}
			if _, err := verify.Check(append(raw, '\n'), ""); err == nil {
				t.Error("a final newline passes")
			}
		})
	}
}

func TestForgeriesFail(t *testing.T) {
	fails := func(name string, change func(b, other *verify.Bundle)) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			b, _ := bundles(t)
			other, _ := bundles(t) // another log, other key
			change(b, other)
			if _, err := verify.Check(encode(t, b), b.Key); err == nil {
				t.Error("passes")
			}
		})
	}
	fails("checkpoint of another log", func(b, other *verify.Bundle) { b.Checkpoint = other.Checkpoint })
	fails("no key chain", func(b, _ *verify.Bundle) { b.Keys = nil })
	fails("key chain without the actor", func(b, _ *verify.Bundle) { b.Keys = b.Keys[:len(b.Keys)-1] })
	fails("key chain without its beginning", func(b, _ *verify.Bundle) { b.Keys = b.Keys[1:] })
	fails("key chain in another order", func(b, _ *verify.Bundle) { b.Keys[1], b.Keys[2] = b.Keys[2], b.Keys[1] })
	fails("subject of another leaf", func(b, _ *verify.Bundle) { b.Subject.Leaf = 0 })
	fails("subject of a larger tree", func(b, _ *verify.Bundle) { b.Subject.Size = 4 })
	fails("subject with another digest", func(b, _ *verify.Bundle) { b.Subject.Digest = ledgertest.Digest("z") })
	fails("subject on a command that anchors nothing", func(b, _ *verify.Bundle) { b.Entry = b.Keys[2]; b.Keys = b.Keys[:2] })
	fails("two signatures", func(b, other *verify.Bundle) {
		b.Checkpoint += strings.SplitAfter(other.Checkpoint, "\n\n")[1]
	})
	t.Run("trusted key of another log", func(t *testing.T) {
		b, _ := bundles(t)
		other, _ := bundles(t)
		if _, err := verify.Check(encode(t, b), other.Key); err == nil {
			t.Error("passes")
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"v":1}`))
	f.Add([]byte(`{"checkpoint":"","entry":{"command":{},"index":0,"proof":[]},"key":"a+00000000+","v":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := verify.Check(raw, ""); err == nil {
			t.Errorf("accepted: %+v", r) // nobody has signed what the fuzzer makes
		}
	})
}
