package share

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"mulu"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

// Confirm takes the chain's answer to one of this room's commands, inside the
// relay's transaction that marks the command done: either both happen or neither.
// An answer to a command that is not the pending one has been taken before and
// changes nothing. Commands of other rooms are ignored.
func (s *Service) Confirm(ctx context.Context, tx *sql.Tx, c contract.Command, res contract.Result) error {
	body, err := c.Check()
	if err != nil {
		return fmt.Errorf("confirm command %s: %w", c.ID, err)
	}
	object, id := body.On()
	switch object {
	case contract.Grant:
		err = s.confirmGrant(ctx, tx, mulu.GrantID(id), c, res)
	case contract.Scenario:
		err = confirmScenario(ctx, tx, c, res)
	case contract.Receipts:
		err = confirmAnchor(ctx, tx, c, res)
	}
	if err != nil {
		return fmt.Errorf("confirm command %s: %w", c.ID, err)
	}
	return nil
}

func (s *Service) confirmGrant(ctx context.Context, tx *sql.Tx, id mulu.GrantID, c contract.Command, res contract.Result) error {
	if err := hold(ctx, tx, id, ""); err != nil {
		return err
	}
	g, err := grant(ctx, tx, id)
	if errors.Is(err, mulu.ErrNotFound) {
		s.Log.WarnContext(ctx, "chain answered for a grant that is not here", "grant", id, "command", c.ID)
		return nil
	}
	if err != nil || g.Pending != c.ID {
		return err
	}
	step, outcome, detail := g.PendingStep, "confirmed", ""
	g.Pending, g.PendingStep = "", ""
	if res.Accepted() {
		g.State, g.ChainIndex = res.State, int64(res.Index)
	} else {
		// The chain decides: the state before the command holds, and the reason is shown.
		g.Refusal = res.Refusal.Message
		outcome, detail = "refused", res.Refusal.Message
		s.Log.WarnContext(ctx, "chain refused a command", "grant", id, "command", c.ID, "code", res.Refusal.Code, "detail", res.Refusal.Detail)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE share_grant SET state = $1, pending = '', pending_step = '', refusal = $2, chain_index = $3, changed_at = $4 WHERE id = $5`,
		g.State, g.Refusal, g.ChainIndex, store.Micros(s.Now()), id); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE share_grant_log SET outcome = $1, detail = $2 WHERE grant_id = $3 AND command = $4`, outcome, detail, id, c.ID); err != nil {
		return err
	}
	return s.follow(ctx, tx, &g, step, res)
}

// follow sends what waited for the command that has just settled: a stop first,
// else the activation of what has been agreed.
func (s *Service) follow(ctx context.Context, tx *sql.Tx, g *Grant, step contract.Kind, res contract.Result) error {
	if g.Stop != nil {
		if _, err := contract.Next(contract.Grant, g.State, g.Stop.Step); err == nil {
			body, err := g.Stop.body(g.ID)
			if err != nil {
				return err
			}
			stop := g.Stop
			if err := dropStop(ctx, tx, g); err != nil {
				return err
			}
			return s.move(ctx, tx, g, stop.Actor, stop.Text, body)
		}
		if g.State != contract.Agreed { // refused or ended meanwhile: nothing left to stop
			if err := dropStop(ctx, tx, g); err != nil {
				return err
			}
		}
	}
	if step == contract.GrantAgree && res.Accepted() {
		return s.move(ctx, tx, g, s.System, "", contract.ActivateBody{Grant: g.ID, Digest: g.Digest})
	}
	return nil
}

func dropStop(ctx context.Context, tx *sql.Tx, g *Grant) error {
	g.Stop = nil
	_, err := tx.ExecContext(ctx, `UPDATE share_grant SET stop = '' WHERE id = $1`, g.ID)
	return err
}

func confirmScenario(ctx context.Context, tx *sql.Tx, c contract.Command, res contract.Result) error {
	state, refusal := string(contract.Filed), ""
	if !res.Accepted() {
		state, refusal = "", res.Refusal.Message
	}
	_, err := tx.ExecContext(ctx, `UPDATE share_scenario SET state = $1, refusal = $2, pending = '' WHERE pending = $3`, state, refusal, c.ID)
	return err
}
