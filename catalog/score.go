package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"mulu"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

// ScoreView is a kept score with where its anchor stands.
type ScoreView struct {
	mulu.Score
	State   string // "pending", "anchored", "refused"
	Refusal string
	Index   int64  // position on the chain, -1 for none
	Command string // id of its quality.anchor command
}

// SaveScore keeps a score and puts its anchor on the way to the chain. A score
// whose digest equals the dataset's last one changes nothing and returns false.
//
// A crash before the commit leaves neither score nor command: the next scoring
// makes the same digest and saves it then.
func (c *Catalog) SaveScore(ctx context.Context, s mulu.Score) (bool, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return false, fmt.Errorf("save score of %s: %w", s.Dataset, err)
	}
	points := int64(math.Round(s.Total * 10_000))
	at := store.Micros(s.At)
	saved := false
	err = c.db.Tx(ctx, func(tx *sql.Tx) error {
		var last string
		err := tx.QueryRowContext(ctx, `SELECT digest FROM catalog_score WHERE dataset = $1 ORDER BY at DESC LIMIT 1`, string(s.Dataset)).Scan(&last)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if last == s.Digest {
			return nil
		}
		id := contract.CommandID(contract.QualityAnchor, string(s.Dataset), fmt.Sprint(at))
		anchor := contract.QualityBody{Dataset: s.Dataset, Ruleset: int64(s.Ruleset), Weights: s.Weights, Rows: s.Rows, Total: points, Digest: s.Digest}
		if err := c.put(ctx, tx, c.machine, id, anchor); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO catalog_score (dataset, at, total, grade, digest, body, command) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			string(s.Dataset), at, points, s.Grade, s.Digest, string(body), id)
		if store.IsUnique(err) {
			return fmt.Errorf("another score of the same moment: %w", mulu.ErrConflict)
		}
		saved = err == nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("save score of %s: %w", s.Dataset, err)
	}
	if saved {
		c.wake()
	}
	return saved, nil
}

const scoreColumns = `SELECT body, state, refusal, idx, command FROM catalog_score s `

func scanScore(r store.Row) (v ScoreView, err error) {
	var body string
	if err := r.Scan(&body, &v.State, &v.Refusal, &v.Index, &v.Command); err != nil {
		return v, err
	}
	return v, decodeJSON(body, &v.Score)
}

// LatestScores returns every dataset's newest score, by dataset.
func (c *Catalog) LatestScores(ctx context.Context) ([]ScoreView, error) {
	list, err := store.All(ctx, c.db.Read, scanScore, scoreColumns+`WHERE at = (SELECT MAX(at) FROM catalog_score x WHERE x.dataset = s.dataset) ORDER BY dataset`)
	if err != nil {
		return nil, fmt.Errorf("list scores: %w", err)
	}
	return list, nil
}

// LatestScore returns a dataset's newest score.
func (c *Catalog) LatestScore(ctx context.Context, code mulu.DatasetCode) (ScoreView, error) {
	list, err := c.Scores(ctx, code, 1)
	if err != nil {
		return ScoreView{}, err
	}
	if len(list) == 0 {
		return ScoreView{}, fmt.Errorf("find score of %s: %w", code, mulu.ErrNotFound)
	}
	return list[0], nil
}

// Scores returns a dataset's scores, newest first, at most limit.
func (c *Catalog) Scores(ctx context.Context, code mulu.DatasetCode, limit int) ([]ScoreView, error) {
	list, err := store.All(ctx, c.db.Read, scanScore, scoreColumns+`WHERE dataset = $1 ORDER BY at DESC LIMIT $2`, string(code), limit)
	if err != nil {
		return nil, fmt.Errorf("list scores of %s: %w", code, err)
	}
	return list, nil
}
