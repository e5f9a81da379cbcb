package catalog

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gowebpki/jcs"

	"mulu"
	"mulu/internal/store"
	"mulu/ledger/contract"
	"mulu/ledger/merkle"
)

// manifestLeaf is what an anchor says of a batch. The time of storing is left out:
// a batch stored again after a crash has the same leaf.
type manifestLeaf struct {
	TopicID   string           `json:"topic_id"`
	Topic     string           `json:"topic"`
	Partition int32            `json:"partition"`
	First     int64            `json:"first"`
	Last      int64            `json:"last"`
	Dataset   mulu.DatasetCode `json:"dataset"`
	Version   uint32           `json:"version"`
	Good      int64            `json:"good"`
	Rejected  int64            `json:"rejected"`
	Control   int64            `json:"control"`
	Bytes     int64            `json:"bytes"`
	Digest    string           `json:"digest"`
}

// ManifestLeaf is the canonical JSON of a manifest and its digest, the leaf that
// an anchor's root is over.
func ManifestLeaf(m *mulu.Manifest) (body []byte, digest string, err error) {
	raw, err := json.Marshal(manifestLeaf{hex.EncodeToString(m.TopicID[:]), m.Topic, m.Partition, m.First, m.Last, m.Dataset, m.Version,
		m.Good, m.Rejected, m.Control, m.Bytes, m.Digest})
	if err == nil {
		body, err = jcs.Transform(raw)
	}
	if err != nil {
		return nil, "", fmt.Errorf("digest manifest %s: %w", m.BatchID, err)
	}
	return body, contract.Digest(body), nil
}

// retryRefused is how long a refused anchor rests before its batches are anchored
// again under a new one.
const retryRefused = 10 * time.Minute

// leafRow is a batch to be anchored.
type leafRow struct {
	topicID     string
	part        int64
	first       int64
	leaf, body  string
	good, at    int64
	anchoredNow bool // already has a row, under a refused anchor
}

// same says whether two rows are of one batch.
func (r leafRow) same(o leafRow) bool {
	return r.topicID == o.topicID && r.part == o.part && r.first == o.first
}

// AnchorBatches puts every manifest it has not seen under a Merkle root, one root
// per dataset and call, and the roots on their way to the chain. It may be given
// the same manifests again: each is anchored once. It returns how many were new.
// A manifest that differs from what was anchored of its batch is left out and
// reported as mulu.ErrConflict; the others are anchored all the same.
//
// A crash before the commit leaves nothing anchored and the next call repeats it.
func (c *Catalog) AnchorBatches(ctx context.Context, manifests []mulu.Manifest) (int, error) {
	anchored := 0
	var conflicts error
	err := c.db.Tx(ctx, func(tx *sql.Tx) error {
		groups := map[mulu.DatasetCode][]leafRow{}
		var order []mulu.DatasetCode
		for i := range manifests {
			m := &manifests[i]
			row, fresh, err := newLeaf(ctx, tx, m)
			if errors.Is(err, mulu.ErrConflict) {
				conflicts = errors.Join(conflicts, err)
				continue
			}
			if err != nil {
				return err
			}
			if !fresh || slices.ContainsFunc(groups[m.Dataset], row.same) {
				continue
			}
			if groups[m.Dataset] == nil {
				order = append(order, m.Dataset)
			}
			groups[m.Dataset] = append(groups[m.Dataset], row)
			anchored++
		}
		again, err := c.refused(ctx, tx)
		if err != nil {
			return err
		}
		for _, d := range again {
			rows, err := c.takeBack(ctx, tx, d)
			if err != nil {
				return err
			}
			if groups[d] == nil {
				order = append(order, d)
			}
			groups[d] = append(groups[d], rows...)
		}
		for _, d := range order {
			if err := c.anchor(ctx, tx, d, groups[d]); err != nil {
				return fmt.Errorf("dataset %s: %w", d, err)
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("anchor batches: %w", err)
	}
	c.wake()
	if conflicts != nil {
		return anchored, fmt.Errorf("anchor batches: %w", conflicts)
	}
	return anchored, nil
}

// newLeaf says whether a manifest is new. One seen before with other content is a
// conflict: a stored batch never changes.
func newLeaf(ctx context.Context, tx *sql.Tx, m *mulu.Manifest) (leafRow, bool, error) {
	body, leaf, err := ManifestLeaf(m)
	if err != nil {
		return leafRow{}, false, err
	}
	r := leafRow{topicID: hex.EncodeToString(m.TopicID[:]), part: int64(m.Partition), first: m.First, leaf: leaf, body: string(body), good: m.Good, at: store.Micros(m.At)}
	var before string
	err = tx.QueryRowContext(ctx, `SELECT leaf FROM catalog_batch WHERE topic_id = $1 AND part = $2 AND first = $3`, r.topicID, r.part, r.first).Scan(&before)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return r, true, nil
	case err != nil:
		return r, false, fmt.Errorf("read batch %s: %w", m.BatchID, err)
	case before != leaf:
		return r, false, fmt.Errorf("batch %s was anchored with other content: %w", m.BatchID, mulu.ErrConflict)
	}
	return r, false, nil
}

// refused lists the datasets with an anchor that the chain refused a while ago.
func (c *Catalog) refused(ctx context.Context, tx *sql.Tx) ([]mulu.DatasetCode, error) {
	list, err := store.All(ctx, tx, func(r store.Row) (d mulu.DatasetCode, err error) { return d, r.Scan(&d) },
		`SELECT DISTINCT dataset FROM catalog_anchor WHERE state = 'refused' AND at < $1 ORDER BY dataset`, store.Micros(c.now().Add(-retryRefused)))
	if err != nil {
		return nil, fmt.Errorf("read refused anchors: %w", err)
	}
	return list, nil
}

// takeBack frees the batches under a dataset's refused anchors for a new one.
func (c *Catalog) takeBack(ctx context.Context, tx *sql.Tx, d mulu.DatasetCode) ([]leafRow, error) {
	rows, err := store.All(ctx, tx, func(r store.Row) (l leafRow, err error) {
		l.anchoredNow = true
		return l, r.Scan(&l.topicID, &l.part, &l.first, &l.leaf, &l.body, &l.good, &l.at)
	}, `SELECT b.topic_id, b.part, b.first, b.leaf, b.body, b.good, b.at FROM catalog_batch b JOIN catalog_anchor a ON a.id = b.anchor
		WHERE a.state = 'refused' AND a.dataset = $1 ORDER BY b.topic_id, b.part, b.first`, string(d))
	if err != nil {
		return nil, fmt.Errorf("read refused batches of %s: %w", d, err)
	}
	return rows, exec(ctx, tx, `UPDATE catalog_anchor SET state = 'replaced' WHERE state = 'refused' AND dataset = $1`, string(d))
}

// anchor puts one group under a root.
func (c *Catalog) anchor(ctx context.Context, tx *sql.Tx, d mulu.DatasetCode, group []leafRow) error {
	if len(group) == 0 {
		return nil
	}
	leaves := make([]string, len(group))
	from, to, good := group[0].at, group[0].at, int64(0)
	for i, r := range group {
		leaves[i] = r.leaf
		from, to, good = min(from, r.at), max(to, r.at), good+r.good
	}
	root := merkle.RootText(leaves)
	now := store.Micros(c.now())
	// The root names the group; the time tells a second anchor of the same group,
	// after a refusal, from the first.
	id := string(d) + ":" + strings.TrimPrefix(root, "sha256:")[:32] + ":" + fmt.Sprint(now)
	body := contract.BatchBody{Anchor: id, Dataset: d, Batches: int64(len(group)), Rows: good, From: from, To: to, Root: root}
	command := contract.CommandID(contract.BatchAnchor, id)
	if err := c.put(ctx, tx, c.machine, command, body); err != nil {
		return err
	}
	err := exec(ctx, tx, `INSERT INTO catalog_anchor (id, dataset, batches, root, at, command) VALUES ($1, $2, $3, $4, $5, $6)`,
		id, string(d), int64(len(group)), root, now, command)
	if err != nil {
		return err
	}
	for i, r := range group {
		if r.anchoredNow {
			err = exec(ctx, tx, `UPDATE catalog_batch SET anchor = $1, pos = $2 WHERE topic_id = $3 AND part = $4 AND first = $5`, id, i, r.topicID, r.part, r.first)
		} else {
			err = exec(ctx, tx, `INSERT INTO catalog_batch (topic_id, part, first, dataset, leaf, body, good, at, anchor, pos) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
				r.topicID, r.part, r.first, string(d), r.leaf, r.body, r.good, r.at, id, i)
		}
		if err != nil {
			return fmt.Errorf("write batch %d of partition %d: %w", r.first, r.part, err)
		}
	}
	return nil
}

// AnchoredThrough is the newest manifest time seen by AnchorBatches. Partitions
// finish out of order: read manifests from some minutes before it.
func (c *Catalog) AnchoredThrough(ctx context.Context) (time.Time, error) {
	var at int64
	if err := c.db.Read.QueryRowContext(ctx, `SELECT COALESCE(MAX(at), 0) FROM catalog_batch`).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("read anchored batches: %w", err)
	}
	return store.FromMicros(at), nil
}

// Anchored counts the batches that AnchorBatches has seen, to compare with the
// manifests there are.
func (c *Catalog) Anchored(ctx context.Context) (int64, error) {
	var n int64
	if err := c.db.Read.QueryRowContext(ctx, `SELECT COUNT(*) FROM catalog_batch`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count anchored batches: %w", err)
	}
	return n, nil
}

// BatchProof shows that a batch's manifest is under an anchored root: Path leads
// from Leaf, number Pos of Count, to Root, which the command Command put on the
// chain at Index.
type BatchProof struct {
	Manifest json.RawMessage `json:"manifest"` // canonical JSON that Leaf digests
	Leaf     string          `json:"leaf"`
	Pos      int64           `json:"pos"`
	Count    int64           `json:"count"`
	Path     []string        `json:"path"`
	Root     string          `json:"root"`
	Anchor   string          `json:"anchor"`
	Command  string          `json:"command"`
	State    string          `json:"state"` // "pending", "anchored", "refused"
	Index    int64           `json:"index"` // -1 until anchored
}

// BatchProof builds the proof of one batch, named by topic id, partition and first offset.
func (c *Catalog) BatchProof(ctx context.Context, id mulu.BatchID) (BatchProof, error) {
	var p BatchProof
	var body string
	fail := func(err error) (BatchProof, error) { return p, fmt.Errorf("prove batch %s: %w", id, err) }
	err := c.db.Read.QueryRowContext(ctx, `SELECT b.body, b.leaf, b.pos, a.id, a.root, a.batches, a.command, a.state, a.idx
		FROM catalog_batch b JOIN catalog_anchor a ON a.id = b.anchor WHERE b.topic_id = $1 AND b.part = $2 AND b.first = $3`,
		hex.EncodeToString(id.TopicID[:]), int64(id.Partition), id.First).
		Scan(&body, &p.Leaf, &p.Pos, &p.Anchor, &p.Root, &p.Count, &p.Command, &p.State, &p.Index)
	if errors.Is(err, sql.ErrNoRows) {
		return fail(mulu.ErrNotFound)
	}
	if err != nil {
		return fail(err)
	}
	p.Manifest = json.RawMessage(body)
	leaves, err := store.All(ctx, c.db.Read, func(r store.Row) (s string, err error) { return s, r.Scan(&s) },
		`SELECT leaf FROM catalog_batch WHERE anchor = $1 ORDER BY pos`, p.Anchor)
	if err != nil {
		return fail(err)
	}
	path, err := merkle.Path(merkle.Texts(leaves), int(p.Pos))
	if err != nil {
		return fail(err)
	}
	for _, h := range path {
		p.Path = append(p.Path, merkle.Text(h))
	}
	if got := merkle.RootText(leaves); got != p.Root {
		return fail(fmt.Errorf("leaves give root %s, the anchor has %s: %w", got, p.Root, mulu.ErrConflict))
	}
	return p, nil
}
