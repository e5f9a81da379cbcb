package tilelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"

	"mulu"
	"mulu/ledger"
	"mulu/ledger/contract"
	"mulu/ledger/merkle"
	"mulu/ledger/verify"
)

// headPoll is how often a waiting Proof looks for a newer checkpoint.
const headPoll = 20 * time.Millisecond

// Lookup finds an accepted command by its id; mulu.ErrNotFound if the chain has
// not taken it.
func (l *Log) Lookup(ctx context.Context, id string) (ledger.Receipt, error) {
	idx, found, err := l.kv.index(ctx, id)
	if err != nil {
		return ledger.Receipt{}, err
	}
	if !found {
		return ledger.Receipt{}, fmt.Errorf("look up command %s: %w", id, mulu.ErrNotFound)
	}
	b, err := l.kv.value(ctx, contract.CommandKey(id))
	if err != nil {
		return ledger.Receipt{}, err
	}
	r, err := contract.DecodeResult(b)
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("look up command %s: %w", id, err)
	}
	r.Index = idx
	return ledger.Receipt{ID: id, Index: idx, Result: r, Again: true}, nil
}

// Get returns the committed state value under a key (contract.Key), nil if absent.
func (l *Log) Get(ctx context.Context, key string) ([]byte, error) { return l.kv.value(ctx, key) }

// Recent lists the newest n accepted commands, newest first.
func (l *Log) Recent(ctx context.Context, n int) ([]ledger.Record, error) { return l.kv.recent(ctx, n) }

// Head reads the newest signed checkpoint. Before the first one: mulu.ErrBusy.
func (l *Log) Head(ctx context.Context) (ledger.Head, error) {
	cp, raw, _, err := client.FetchCheckpoint(ctx, l.reader.ReadCheckpoint, l.verifier, l.o.Origin)
	if errors.Is(err, os.ErrNotExist) {
		return ledger.Head{}, fmt.Errorf("read checkpoint: none yet: %w", mulu.ErrBusy)
	}
	if err != nil {
		return ledger.Head{}, fmt.Errorf("read checkpoint: %w", err)
	}
	info, err := os.Stat(filepath.Join(l.o.Dir, "log", layout.CheckpointPath))
	if err != nil {
		return ledger.Head{}, fmt.Errorf("read checkpoint: %w", err)
	}
	return ledger.Head{Origin: l.o.Origin, Key: l.key, Size: cp.Size, Root: merkle.Text(merkle.Hash(cp.Hash)), At: info.ModTime().UTC(), Checkpoint: string(raw)}, nil
}

// Proof makes the offline proof of an accepted command, waiting for a checkpoint
// that covers it.
func (l *Log) Proof(ctx context.Context, id string) (*ledger.Bundle, error) {
	idx, found, err := l.kv.index(ctx, id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("prove command %s: %w", id, mulu.ErrNotFound)
	}
	head, err := l.covering(ctx, idx)
	if err != nil {
		return nil, fmt.Errorf("prove command %s: %w", id, err)
	}
	b := &ledger.Bundle{V: verify.BundleVersion, Key: l.key, Checkpoint: head.Checkpoint}
	if b.Entry, err = l.prove(ctx, head, idx); err != nil {
		return nil, fmt.Errorf("prove command %s: %w", id, err)
	}
	if b.Keys, err = l.keyChain(ctx, head, b.Entry); err != nil {
		return nil, fmt.Errorf("prove command %s: %w", id, err)
	}
	return b, nil
}

// covering waits for a checkpoint larger than idx.
func (l *Log) covering(ctx context.Context, idx uint64) (ledger.Head, error) {
	for {
		h, err := l.Head(ctx)
		if err == nil && h.Size > idx {
			return h, nil
		}
		if err != nil && !errors.Is(err, mulu.ErrBusy) {
			return h, err
		}
		select {
		case <-time.After(headPoll):
		case <-ctx.Done():
			return h, fmt.Errorf("wait for a checkpoint: %w", ctx.Err())
		}
	}
}

// prove reads one entry and its inclusion proof under the head.
func (l *Log) prove(ctx context.Context, head ledger.Head, idx uint64) (verify.Entry, error) {
	bundle, err := client.GetEntryBundle(ctx, l.reader.ReadEntryBundle, idx/layout.EntryBundleWidth, head.Size)
	if err != nil {
		return verify.Entry{}, fmt.Errorf("read entry %d: %w", idx, err)
	}
	pos := int(idx % layout.EntryBundleWidth) //nolint:gosec // below 256
	if pos >= len(bundle.Entries) {
		return verify.Entry{}, fmt.Errorf("read entry %d: its bundle ends before it", idx)
	}
	c, err := contract.Parse(bytes.Clone(bundle.Entries[pos]))
	if err != nil {
		return verify.Entry{}, fmt.Errorf("read entry %d: %w", idx, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head == nil || l.head.Size != head.Size {
		// One builder per tree size: it keeps the tiles it has read.
		if l.proofs, err = client.NewProofBuilder(ctx, head.Size, l.reader.ReadTile); err != nil {
			return verify.Entry{}, fmt.Errorf("prove entry %d: %w", idx, err)
		}
		l.head = &head
	}
	hashes, err := l.proofs.InclusionProof(ctx, idx)
	if err != nil {
		return verify.Entry{}, fmt.Errorf("prove entry %d: %w", idx, err)
	}
	if hashes == nil {
		hashes = [][]byte{} // the only entry of a log of one
	}
	return verify.Entry{Index: idx, Command: c, Proof: hashes}, nil
}

// keyChain proves the registrations from the root key to the entry's actor.
func (l *Log) keyChain(ctx context.Context, head ledger.Head, e verify.Entry) ([]verify.Entry, error) {
	if e.Command.Kind == contract.ChainInit {
		return nil, nil
	}
	var up []verify.Entry
	for e.Command.Actor != contract.RootActor {
		idx, err := l.kv.registration(ctx, e.Command.Actor, e.Index)
		if err != nil {
			return nil, err
		}
		if e, err = l.prove(ctx, head, idx); err != nil {
			return nil, err
		}
		up = append(up, e)
	}
	first, err := l.prove(ctx, head, 0)
	if err != nil {
		return nil, err
	}
	keys := []verify.Entry{first}
	for i := len(up) - 1; i >= 0; i-- {
		keys = append(keys, up[i])
	}
	return keys, nil
}
