package desk

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
	"mulu/quality/profile"
	"mulu/quality/suggest"
)

// Profiled is a dataset's newest profile and what it suggests.
type Profiled struct {
	Dataset     mulu.DatasetCode
	Ruleset     uint32
	Data        string // names the state of the rows
	Actor       string
	Profile     *profile.Profile
	Suggestions []suggest.Suggestion
	At          time.Time
}

// SaveProfile keeps a profile in place of the dataset's former one.
func (d *Desk) SaveProfile(ctx context.Context, p Profiled) error {
	body, err := json.Marshal(p.Profile)
	if err != nil {
		return fmt.Errorf("save profile of %s: %w", p.Dataset, err)
	}
	list, err := json.Marshal(p.Suggestions)
	if err != nil {
		return fmt.Errorf("save suggestions for %s: %w", p.Dataset, err)
	}
	err = d.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO quality_profile (dataset, at, ruleset, data_version, actor, profile, suggestions) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (dataset) DO UPDATE SET at = excluded.at, ruleset = excluded.ruleset, data_version = excluded.data_version, actor = excluded.actor, profile = excluded.profile, suggestions = excluded.suggestions`,
			string(p.Dataset), store.Micros(p.At), int64(p.Ruleset), p.Data, p.Actor, string(body), string(list))
		return err
	})
	if err != nil {
		return fmt.Errorf("save profile of %s: %w", p.Dataset, err)
	}
	return nil
}

// Profile is a dataset's newest profile, nil if there is none.
func (d *Desk) Profile(ctx context.Context, code mulu.DatasetCode) (*Profiled, error) {
	list, err := store.All(ctx, d.db.Read, scanProfile, `SELECT dataset, at, ruleset, data_version, actor, profile, suggestions FROM quality_profile WHERE dataset = $1`, string(code))
	if err != nil {
		return nil, fmt.Errorf("read profile of %s: %w", code, err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return &list[0], nil
}

func scanProfile(row store.Row) (p Profiled, err error) {
	var code, body, list string
	var at, ruleset int64
	if err := row.Scan(&code, &at, &ruleset, &p.Data, &p.Actor, &body, &list); err != nil {
		return p, err
	}
	p.Dataset, p.Ruleset, p.At = mulu.DatasetCode(code), uint32(ruleset), store.FromMicros(at)
	if err := json.Unmarshal([]byte(body), &p.Profile); err != nil {
		return p, err
	}
	return p, json.Unmarshal([]byte(list), &p.Suggestions)
}
