package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"mulu"
	"mulu/internal/outbox"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

// Handlers are the callbacks the relay needs for this room's commands.
func (c *Catalog) Handlers() map[string]outbox.Confirm {
	return map[string]outbox.Confirm{
		"system": c.Confirm, "duty": c.Confirm, "entry": c.Confirm, "dataset": c.Confirm, "batch": c.Confirm, "quality": c.Confirm,
	}
}

// Confirm records the chain's answer to a command of this room, inside the
// transaction that marks the command answered. Answers to commands that are no
// longer pending change nothing.
func (c *Catalog) Confirm(ctx context.Context, tx *sql.Tx, cmd contract.Command, res contract.Result) error {
	body, err := cmd.Check()
	if err != nil {
		return err
	}
	refusal := ""
	if !res.Accepted() {
		refusal = res.Refusal.Message
	}
	switch b := body.(type) {
	case contract.SystemBody:
		return c.confirmDeclared(ctx, tx, cmd, "system", b.System, b.Digest, res, refusal)
	case contract.DutyBody:
		return c.confirmDeclared(ctx, tx, cmd, "duty", b.Duty, b.Digest, res, refusal)
	case contract.ProposeBody:
		return c.confirmEntry(ctx, tx, cmd, b.Catalog, res, refusal)
	case contract.PublishBody:
		return c.confirmEntry(ctx, tx, cmd, b.Catalog, res, refusal)
	case contract.RetireBody:
		return c.confirmEntry(ctx, tx, cmd, b.Catalog, res, refusal)
	case contract.LinkBody:
		link, idx := "linked", int64(res.Index) //nolint:gosec // an index never reaches 2^63
		if refusal != "" {
			link, idx = "refused", -1
		}
		return exec(ctx, tx, `UPDATE catalog_dataset SET link = $1, idx = $2, refusal = $3 WHERE code = $4 AND version = $5 AND link = 'pending'`,
			link, idx, refusal, string(b.Dataset), b.Version)
	case contract.QualityBody:
		return c.confirmAnchor(ctx, tx, "catalog_score", cmd, res, refusal)
	case contract.BatchBody:
		return c.confirmAnchor(ctx, tx, "catalog_anchor", cmd, res, refusal)
	}
	return fmt.Errorf("confirm command %s: kind %s is not the catalogue's: %w", cmd.ID, cmd.Kind, mulu.ErrInvalid)
}

func exec(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}

func (c *Catalog) confirmDeclared(ctx context.Context, tx *sql.Tx, cmd contract.Command, object, id, digest string, res contract.Result, refusal string) error {
	if refusal != "" {
		return exec(ctx, tx, `UPDATE catalog_declared SET pending = '', refusal = $1 WHERE object = $2 AND id = $3 AND pending = $4`, refusal, object, id, cmd.ID)
	}
	return exec(ctx, tx, `UPDATE catalog_declared SET pending = '', refusal = '', state = $1, confirmed = $2, idx = $3 WHERE object = $4 AND id = $5 AND pending = $6`,
		string(res.State), digest, int64(res.Index), object, id, cmd.ID) //nolint:gosec // an index never reaches 2^63
}

// confirmEntry moves an entry to the state the chain gave it. A refused proposal is
// forgotten, so that applying again proposes again; a refused publication leaves
// the version waiting.
func (c *Catalog) confirmEntry(ctx context.Context, tx *sql.Tx, cmd contract.Command, code mulu.CatalogCode, res contract.Result, refusal string) error {
	row, err := readEntry(ctx, tx, code)
	if err != nil {
		return err
	}
	if row.pending != cmd.ID {
		return nil
	}
	if refusal != "" {
		waiting := row.waiting
		// A mended proposal that is refused takes the waiting version with it: SQL no
		// longer has the body the chain still holds, so it must be proposed again.
		if cmd.Kind == contract.EntryPropose {
			waiting = 0
		}
		return exec(ctx, tx, `UPDATE catalog_entry SET pending = '', pending_kind = '', refusal = $1, waiting_version = $2 WHERE code = $3`, refusal, waiting, string(code))
	}
	version, waiting := row.version, row.waiting
	if cmd.Kind == contract.EntryPublish {
		version, waiting = row.waiting, 0
		err := exec(ctx, tx, `UPDATE catalog_entry_version SET publisher = $1, published_at = $2 WHERE code = $3 AND version = $4`, cmd.Actor, cmd.At, string(code), version)
		if err != nil {
			return err
		}
		if err := exec(ctx, tx, `UPDATE catalog_entry SET published_at = $1 WHERE code = $2`, cmd.At, string(code)); err != nil {
			return err
		}
	}
	err = exec(ctx, tx, `UPDATE catalog_entry SET pending = '', pending_kind = '', refusal = '', state = $1, version = $2, waiting_version = $3, idx = $4, at = $5 WHERE code = $6`,
		string(res.State), version, waiting, int64(res.Index), store.Micros(c.now()), string(code)) //nolint:gosec // an index never reaches 2^63
	if err != nil || cmd.Kind != contract.EntryPublish {
		return err
	}
	// A crash cannot come between the publication's mark and this command: one transaction.
	_, err = c.linkLatest(ctx, tx, code)
	return err
}

// confirmAnchor settles a row of a table whose state goes from pending to anchored or refused.
func (c *Catalog) confirmAnchor(ctx context.Context, tx *sql.Tx, table string, cmd contract.Command, res contract.Result, refusal string) error {
	state, idx := "anchored", int64(res.Index) //nolint:gosec // an index never reaches 2^63
	if refusal != "" {
		state, idx = "refused", -1
	}
	return exec(ctx, tx, `UPDATE `+table+` SET state = $1, idx = $2, refusal = $3 WHERE command = $4 AND state = 'pending'`, state, idx, refusal, cmd.ID)
}

// decodeJSON reads a body column.
func decodeJSON(raw string, v any) error {
	if err := json.Unmarshal([]byte(raw), v); err != nil {
		return fmt.Errorf("decode stored body: %w", err)
	}
	return nil
}
