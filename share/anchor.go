package share

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"mulu"
	"mulu/internal/clock"
	"mulu/internal/store"
	"mulu/ledger/contract"
	"mulu/ledger/merkle"
)

// anchorSize is the most receipts under one root.
const anchorSize = 4096

// AnchorReceipts puts every closed receipt that is under no root yet under one, and
// queues the command for it. It returns how many; 0 is nothing to do. Call it every
// 10 s. Crash: root, positions and command are one transaction.
func (s *Service) AnchorReceipts(ctx context.Context) (int, error) {
	n := 0
	err := s.DB.Tx(ctx, func(tx *sql.Tx) (err error) {
		g, err := s.gather(ctx, tx)
		if err != nil || len(g.ids) == 0 {
			return err
		}
		n = len(g.ids)
		year := s.Now().In(clock.Shanghai).Year()
		no, err := next(ctx, tx, fmt.Sprintf("anchor-%d", year))
		if err != nil {
			return err
		}
		body := contract.ReceiptBody{Anchor: fmt.Sprintf("R%s-%d-%06d", s.Division, year, no), Receipts: int64(n), Rows: g.rows, From: g.from, To: g.to, Root: merkle.RootText(g.digests)}
		id := contract.CommandID(contract.ReceiptAnchor, body.Anchor)
		if _, err := tx.ExecContext(ctx, `INSERT INTO share_anchor (id, command, root, receipts, made_at) VALUES ($1, $2, $3, $4, $5)`,
			body.Anchor, id, body.Root, body.Receipts, store.Micros(s.Now())); err != nil {
			return err
		}
		for i, rid := range g.ids {
			res, err := tx.ExecContext(ctx, `UPDATE share_receipt SET anchor = $1, leaf_index = $2 WHERE id = $3 AND anchor = ''`, body.Anchor, i, rid)
			if err != nil {
				return err
			}
			if k, err := res.RowsAffected(); err != nil || k != 1 {
				return errors.Join(err, fmt.Errorf("receipt %s is being anchored by another process: %w", rid, mulu.ErrConflict))
			}
		}
		return s.send(ctx, tx, id, s.System, body)
	})
	if err != nil {
		return 0, fmt.Errorf("anchor receipts: %w", err)
	}
	return n, nil
}

type gathered struct {
	ids      []string
	digests  []string
	rows     int64
	from, to int64 // times of opening, oldest and newest
}

func (s *Service) gather(ctx context.Context, q querier) (g gathered, err error) {
	rows, err := q.QueryContext(ctx, `SELECT id, body, rows_out, opened_at FROM share_receipt WHERE anchor = '' AND outcome <> 'open' ORDER BY id LIMIT $1`, anchorSize)
	if err != nil {
		return g, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, body string
		var n, at int64
		if err := rows.Scan(&id, &body, &n, &at); err != nil {
			return g, err
		}
		if g.from == 0 || at < g.from {
			g.from = at
		}
		g.ids, g.digests, g.rows, g.to = append(g.ids, id), append(g.digests, contract.Digest([]byte(body))), g.rows+n, max(g.to, at)
	}
	return g, errors.Join(rows.Err(), rows.Close())
}

// confirmAnchor marks a root as on the chain. A refused one lets its receipts go:
// the next call puts them under a new root.
func confirmAnchor(ctx context.Context, tx *sql.Tx, c contract.Command, res contract.Result) error {
	var b contract.ReceiptBody
	if err := json.Unmarshal(c.Body, &b); err != nil {
		return err
	}
	if res.Accepted() {
		_, err := tx.ExecContext(ctx, `UPDATE share_anchor SET state = 'anchored', chain_index = $1 WHERE id = $2 AND command = $3`, int64(res.Index), b.Anchor, c.ID)
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE share_anchor SET refusal = $1 WHERE id = $2 AND command = $3`, res.Refusal.Message, b.Anchor, c.ID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE share_receipt SET anchor = '', leaf_index = -1 WHERE anchor = $1`, b.Anchor)
	return err
}

// ReceiptProof shows that one receipt is under a root on the chain. The leaf is the
// text of the digest of Receipt (package ledger/merkle).
type ReceiptProof struct {
	Command string   // id of the receipt.anchor command
	Receipt []byte   // canonical JSON
	Digest  string   // "sha256:…" of Receipt
	Root    string   // as anchored
	Index   uint64   // position among the leaves
	Size    uint64   // leaves under the root
	Path    []string // "sha256:…" hashes, leaf upwards
}

// ReceiptProof builds the proof of a receipt. mulu.ErrBusy says that the chain has
// not confirmed its root yet.
func (s *Service) ReceiptProof(ctx context.Context, id mulu.ReceiptID) (ReceiptProof, error) {
	p, err := s.receiptProof(ctx, id)
	if err != nil {
		return ReceiptProof{}, fmt.Errorf("prove receipt %s: %w", id, err)
	}
	return p, nil
}

func (s *Service) receiptProof(ctx context.Context, id mulu.ReceiptID) (p ReceiptProof, err error) {
	var body, anchor, state string
	var index int64
	err = s.DB.Read.QueryRowContext(ctx, `SELECT body, anchor, leaf_index FROM share_receipt WHERE id = $1`, id).Scan(&body, &anchor, &index)
	if errors.Is(err, sql.ErrNoRows) {
		return p, mulu.ErrNotFound
	} else if err != nil {
		return p, err
	}
	if anchor == "" {
		return p, busy("共享日志尚未上链存证")
	}
	if err := s.DB.Read.QueryRowContext(ctx, `SELECT command, root, state FROM share_anchor WHERE id = $1`, anchor).Scan(&p.Command, &p.Root, &state); err != nil {
		return p, err
	}
	if state != string(contract.Anchored) {
		return p, busy("共享日志的存证尚待上链")
	}
	digests, err := s.leaves(ctx, anchor)
	if err != nil {
		return p, err
	}
	path, err := merkle.Path(merkle.Texts(digests), int(index))
	if err != nil {
		return p, err
	}
	if got := merkle.RootText(digests); got != p.Root {
		return p, fmt.Errorf("root over the stored receipts is %s, anchored was %s: a receipt was changed: %w", got, p.Root, mulu.ErrConflict)
	}
	p.Receipt, p.Digest, p.Index, p.Size = []byte(body), digests[index], uint64(index), uint64(len(digests)) //nolint:gosec // Path checked the index
	for _, h := range path {
		p.Path = append(p.Path, merkle.Text(h))
	}
	return p, nil
}

// leaves are the digests of the receipts under an anchor, in leaf order.
func (s *Service) leaves(ctx context.Context, anchor string) ([]string, error) {
	rows, err := s.DB.Read.QueryContext(ctx, `SELECT body FROM share_receipt WHERE anchor = $1 ORDER BY leaf_index`, anchor)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		all = append(all, contract.Digest([]byte(body)))
	}
	return all, rows.Err()
}
