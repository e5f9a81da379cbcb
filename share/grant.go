package share

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mulu"
	"mulu/internal/store"
	"mulu/ledger/contract"
	"mulu/plan"
)

// Terms are what a grant allows: the digest of their canonical JSON is what the
// chain agrees to. They never change once agreed; widening is a new request.
type Terms struct {
	Version         int64             `json:"version"`
	Scenario        mulu.ScenarioCode `json:"scenario"`
	ScenarioVersion int64             `json:"scenario_version"` // fixes the view
	ScenarioDigest  string            `json:"scenario_digest"`
	Requester       mulu.OrgCode      `json:"requester"`
	Receiver        mulu.Division     `json:"receiver"`
	Items           []Item            `json:"items"` // with the masks of every role, as they were when asked for
	Where           plan.Predicate    `json:"where"`
	Purpose         string            `json:"purpose"`
	LegalBasis      []string          `json:"legal_basis"`
	Assessment      string            `json:"assessment,omitempty"`
	Mode            string            `json:"mode"`
	Formats         []string          `json:"formats"`
	RowsPerDay      int64             `json:"rows_per_day"`
	MinScore        float64           `json:"min_score,omitempty"`
	RetainDays      int64             `json:"retain_days,omitempty"`
	Systems         []string          `json:"systems,omitempty"`
	From            int64             `json:"from"` // Unix microseconds, [From, To)
	To              int64             `json:"to"`
}

// Grant (场景授权) is the permission for one receiver, with the state the chain
// confirmed and what is on its way there.
type Grant struct {
	ID          mulu.GrantID
	Request     string
	Terms       Terms
	Digest      string
	State       contract.State // confirmed; None before the chain has the request
	Pending     string         // id of the one command on its way, "" for none
	PendingStep contract.Kind  // its step in the contract's table
	Stop        *Stop          // a stop that waits for the pending command, nil for none
	Refusal     string         // why the chain refused the last command, Chinese
	ChainIndex  int64          // position of the last accepted command, -1 before
	CreatedAt   time.Time
	ChangedAt   time.Time

	commands int64
}

// Stop is a suspension or an end asked for by a person. It holds from the moment
// it is written; its command follows when the one before it has settled.
type Stop struct {
	Step  contract.Kind `json:"step"` // GrantSuspend or GrantEnd
	Code  string        `json:"code"` // "overreach", "leak", "purpose_reached", "withdrawn", "expired" …
	Text  string        `json:"text"` // Chinese, stays off the chain
	Actor mulu.Actor    `json:"actor"`
}

// stopped says whether a suspension or end has been asked for and not settled.
func (g *Grant) stopped() bool {
	return g.Stop != nil || g.PendingStep == contract.GrantSuspend || g.PendingStep == contract.GrantEnd
}

var stateNames = map[contract.State]string{
	contract.None: "未上链", contract.Requested: "待答复", contract.Agreed: "已同意，待生效", contract.Refused: "不同意",
	contract.Active: "生效", contract.Suspended: "已暂停", contract.Terminated: "已终止",
}

var stepNames = map[contract.Kind]string{
	contract.GrantRequest: "申请待上链", contract.GrantAgree: "同意待上链", contract.GrantRefuse: "不同意待上链", contract.GrantActivate: "生效待上链",
	contract.GrantSuspend: "已暂停（待上链）", contract.GrantResume: "恢复待上链", contract.GrantEnd: "已终止（待上链）",
}

// Status says in Chinese where the grant stands, the pending step included.
func (g *Grant) Status() string {
	switch {
	case g.Stop != nil:
		return stepNames[g.Stop.Step]
	case g.Pending != "":
		return stepNames[g.PendingStep]
	case g.State == contract.None && g.Refusal != "":
		return "上链被拒"
	}
	return stateNames[g.State]
}

// GrantFilter narrows Grants; zero fields do not.
type GrantFilter struct {
	Requester mulu.OrgCode
	Scenario  mulu.ScenarioCode
	State     contract.State
	Limit     int // 0 is 500
}

// Grants lists grants, newest first.
func (s *Service) Grants(ctx context.Context, f GrantFilter) ([]Grant, error) {
	if f.Limit <= 0 {
		f.Limit = 500
	}
	all, err := grants(ctx, s.DB.Read, `($1 = '' OR requester = $1) AND ($2 = '' OR scenario = $2) AND ($3 = '' OR state = $3) ORDER BY id DESC LIMIT $4`,
		string(f.Requester), string(f.Scenario), string(f.State), f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	return all, nil
}

// Grant returns one grant.
func (s *Service) Grant(ctx context.Context, id mulu.GrantID) (Grant, error) {
	return grant(ctx, s.DB.Read, id)
}

// Step is one line of a grant's history.
type Step struct {
	Command string
	Step    contract.Kind
	Actor   string
	At      time.Time
	Reason  string
	Outcome string // "" on its way, "confirmed", "refused"
	Detail  string // the chain's refusal
}

// History lists every command made for a grant, oldest first.
func (s *Service) History(ctx context.Context, id mulu.GrantID) ([]Step, error) {
	rows, err := s.DB.Read.QueryContext(ctx, `SELECT command, step, actor, at, reason, outcome, detail FROM share_grant_log WHERE grant_id = $1 ORDER BY n`, id)
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", id, err)
	}
	defer rows.Close()
	var all []Step
	for rows.Next() {
		var st Step
		var at int64
		if err := rows.Scan(&st.Command, &st.Step, &st.Actor, &at, &st.Reason, &st.Outcome, &st.Detail); err != nil {
			return nil, fmt.Errorf("read history of %s: %w", id, err)
		}
		st.At = store.FromMicros(at)
		all = append(all, st)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read history of %s: %w", id, err)
	}
	return all, nil
}

func grant(ctx context.Context, q querier, id mulu.GrantID) (Grant, error) {
	all, err := grants(ctx, q, `id = $1`, id)
	if err == nil && len(all) == 0 {
		err = mulu.ErrNotFound
	}
	if err != nil {
		return Grant{}, fmt.Errorf("read grant %s: %w", id, err)
	}
	return all[0], nil
}

// hold keeps other writers away from a request's grants, or from one grant, until
// the transaction ends: what is then read is what will be changed. SQLite has one
// writer anyway; PostgreSQL locks the rows.
func hold(ctx context.Context, tx *sql.Tx, id mulu.GrantID, request string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE share_grant SET state = state WHERE id = $1 OR request = $2`, id, request); err != nil {
		return fmt.Errorf("hold grant %s%s: %w", id, request, err)
	}
	return nil
}

// grants reads grants; cond is one of this package's own constants.
func grants(ctx context.Context, q querier, cond string, args ...any) ([]Grant, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, request, terms, digest, state, pending, pending_step, stop, commands, refusal, chain_index, created_at, changed_at
		FROM share_grant WHERE `+cond, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Grant
	for rows.Next() {
		var g Grant
		var terms, stop string
		var created, changed int64
		if err := rows.Scan(&g.ID, &g.Request, &terms, &g.Digest, &g.State, &g.Pending, &g.PendingStep, &stop, &g.commands, &g.Refusal, &g.ChainIndex, &created, &changed); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(terms), &g.Terms); err != nil {
			return nil, fmt.Errorf("decode terms of %s: %w", g.ID, err)
		}
		if stop != "" {
			if err := json.Unmarshal([]byte(stop), &g.Stop); err != nil {
				return nil, fmt.Errorf("decode stop of %s: %w", g.ID, err)
			}
		}
		g.CreatedAt, g.ChangedAt = store.FromMicros(created), store.FromMicros(changed)
		all = append(all, g)
	}
	return all, errors.Join(rows.Err(), rows.Close())
}

func insertGrant(ctx context.Context, tx *sql.Tx, g *Grant) error {
	terms, err := json.Marshal(g.Terms)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO share_grant (id, request, scenario, requester, receiver, terms, digest, valid_from, valid_to, created_at, changed_at, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, '')`,
		g.ID, g.Request, g.Terms.Scenario, g.Terms.Requester, g.Terms.Receiver, string(terms), g.Digest, g.Terms.From, g.Terms.To, store.Micros(g.CreatedAt))
	return err
}
