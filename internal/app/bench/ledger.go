package bench

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"mulu"
	"mulu/ledger/contract"
	"mulu/ledger/tilelog"
)

const (
	chainEvents    = 20_000
	chainSenders   = 8
	chainGroup     = 64
	barEvents      = 2000
	barProof       = 1000 // ms
	chainOrigin    = "mulu.local/bench"
	chainBureau    = mulu.OrgCode("11310199MBQ0000AB1")
	chainCenter    = mulu.OrgCode("12310199MBQ0000AB2")
	chainMachineID = "machine"
)

// ledgerFigures sends signed anchors to an embedded chain, and waits for the
// offline proof of some of them while the others keep coming.
func ledgerFigures(ctx context.Context, o *Options) (figures []Figure, err error) {
	dir, remove, err := tempDir(o)
	if err != nil {
		return nil, err
	}
	defer remove()
	log, err := tilelog.Open(ctx, tilelog.Options{Dir: filepath.Join(dir, "chain"), Origin: chainOrigin, Log: o.Log})
	if err != nil {
		return nil, fmt.Errorf("open chain: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close(context.WithoutCancel(ctx))) }()
	cs, err := commands(o.Progress)
	if err != nil {
		return nil, err
	}
	if err := accepted(ctx, log, cs[:2]); err != nil {
		return nil, fmt.Errorf("found chain: %w", err)
	}
	cs = cs[2:]
	const stage = "上链 / sending events"
	o.Progress(stage, 0, int64(len(cs)))
	var mu sync.Mutex
	var waits []time.Duration
	var faults []error
	var senders, proofs sync.WaitGroup
	groups := make(chan []contract.Command)
	watch := startWatch()
	for range chainSenders {
		senders.Go(func() {
			for g := range groups {
				at := time.Now()
				err := accepted(ctx, log, g)
				mu.Lock()
				faults = append(faults, err)
				mu.Unlock()
				proofs.Go(func() {
					_, err := log.Proof(ctx, g[0].ID)
					mu.Lock()
					defer mu.Unlock()
					waits, faults = append(waits, time.Since(at)), append(faults, err)
				})
			}
		})
	}
	for g := range slices.Chunk(cs, chainGroup) {
		groups <- g
	}
	close(groups)
	senders.Wait()
	wall, used := watch.wall(), watch.cpu()
	proofs.Wait()
	o.Progress(stage, int64(len(cs)), int64(len(cs)))
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	slices.Sort(waits)
	n := int64(len(cs))
	return []Figure{
		figure("ledger.events", perSecond(n, wall), "events/s", "bar", barEvents),
		figure("ledger.cpu_ms_per_event", used.Seconds()*1e3/float64(n), "CPU-ms/event", "", 0),
		figure("ledger.time_to_proof_p99", float64(quantile(waits, 0.99).Microseconds())/1e3, "ms", "bar", barProof),
	}, nil
}

// accepted submits commands and returns the first answer that is not a receipt.
func accepted(ctx context.Context, log *tilelog.Log, cs []contract.Command) error {
	answers, err := log.SubmitAll(ctx, cs)
	if err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	for i, a := range answers {
		if a.Err != nil {
			return fmt.Errorf("submit %s: %w", cs[i].ID, a.Err)
		}
	}
	return nil
}

// commands are the two that found a chain and register its machine, then signed
// anchors of receipts. Signing is the rooms' work, done before the clock starts.
func commands(progress Progress) ([]contract.Command, error) {
	rootPub, rootKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	root := mulu.Actor{ID: contract.RootActor, Org: mulu.Org{Code: chainBureau}, Role: mulu.RoleApprover}
	machine := mulu.Actor{ID: chainMachineID, Org: mulu.Org{Code: chainCenter}, Role: mulu.RoleSystem}
	at := time.Now().Add(-time.Hour)
	out := make([]contract.Command, 0, chainEvents+2)
	add := func(who mulu.Actor, key ed25519.PrivateKey, id string, body contract.Body) {
		at = at.Add(time.Millisecond)
		c, e := contract.New(id, who, at, body)
		if e == nil {
			e = c.Sign(key)
		}
		err, out = errors.Join(err, e), append(out, c)
	}
	add(root, rootKey, "init", contract.InitBody{Root: contract.KeyText(rootPub), Bureau: chainBureau, Center: chainCenter})
	add(root, rootKey, "register", contract.ActorBody{Actor: machine.ID, Org: chainCenter, Role: machine.Role, Key: contract.KeyText(pub)})
	for i := range int64(chainEvents) {
		if i%1000 == 0 {
			progress("签名 / signing", i, chainEvents)
		}
		id := "anchor-" + strconv.FormatInt(i, 10)
		add(machine, key, id, contract.ReceiptBody{Anchor: id, Receipts: 1, Rows: 1, From: at.UnixMicro(), To: at.UnixMicro() + 1, Root: contract.Digest([]byte(id))})
	}
	progress("签名 / signing", chainEvents, chainEvents)
	return out, err
}
