package share

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mulu"
	"mulu/internal/store"
	"mulu/ledger/contract"
)

// move makes the one next command of a grant and marks it pending. The state stays
// what the chain confirmed. g shows the move afterwards.
func (s *Service) move(ctx context.Context, tx *sql.Tx, g *Grant, actor mulu.Actor, why string, body contract.Body) error {
	if g.Pending != "" {
		return busy("授权 %s 的上一操作（%s）尚待上链", g.ID, stepNames[g.PendingStep])
	}
	if _, err := contract.Next(contract.Grant, g.State, body.Step()); err != nil {
		return err
	}
	g.commands++
	g.Pending, g.PendingStep, g.Refusal, g.ChangedAt = contract.CommandID(body.Kind(), string(g.ID), strconv.FormatInt(g.commands, 10)), body.Step(), "", s.Now()
	if _, err := tx.ExecContext(ctx, `UPDATE share_grant SET pending = $1, pending_step = $2, commands = $3, refusal = '', changed_at = $4 WHERE id = $5`,
		g.Pending, g.PendingStep, g.commands, store.Micros(g.ChangedAt), g.ID); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO share_grant_log (grant_id, n, command, step, actor, at, reason) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		g.ID, g.commands, g.Pending, g.PendingStep, actor.ID, store.Micros(g.ChangedAt), why); err != nil {
		return err
	}
	return s.send(ctx, tx, g.Pending, actor, body)
}

// Decision is the authority's answer to a request (809号令 art 20¶3, 21).
type Decision struct {
	Agree  bool
	Reason string // Chinese; needed to refuse (art 21¶2 应当说明理由)
	Basis  string // law and article of a refusal, on the chain; "" cites art 21¶2, which demands the reason
}

const refusalBasis = "《政务数据共享条例》第二十一条第二款"

// Decide answers every grant of a request that waits for an answer. Only an
// approver of the bureau decides, and never a request of the bureau's own.
// Agreeing starts the 20 working days of delivery; activation follows by itself
// once the chain has the agreement.
func (s *Service) Decide(ctx context.Context, actor mulu.Actor, id string, d Decision) (Request, error) {
	var r Request
	err := s.DB.Tx(ctx, func(tx *sql.Tx) (err error) {
		if err := hold(ctx, tx, "", id); err != nil {
			return err
		}
		if r, err = request(ctx, tx, id); err != nil {
			return err
		}
		switch {
		case !isApprover(actor):
			return denied("只有主管部门审批人可以答复")
		case actor.Org.Code == r.Org:
			return denied("申请单位不能审批自己的申请")
		case !d.Agree && strings.TrimSpace(d.Reason) == "":
			return invalid("不同意共享须说明理由（%s）", refusalBasis)
		}
		n := 0
		for i := range r.Grants {
			g := &r.Grants[i]
			if g.State != contract.Requested || g.Pending != "" {
				continue
			}
			if err := s.answer(ctx, tx, actor, g, d); err != nil {
				return err
			}
			n++
		}
		if n == 0 {
			for i := range r.Grants {
				if r.Grants[i].Pending != "" {
					return busy("申请 %s 尚待上链，请稍候", id)
				}
			}
			return fmt.Errorf("申请 %s 没有待答复的授权: %w", id, mulu.ErrConflict)
		}
		return s.recordAnswer(ctx, tx, actor, &r, d)
	})
	if err != nil {
		return Request{}, fmt.Errorf("decide request %s: %w", id, err)
	}
	return r, nil
}

func (s *Service) answer(ctx context.Context, tx *sql.Tx, actor mulu.Actor, g *Grant, d Decision) error {
	body := contract.DecideBody{Grant: g.ID, Agree: d.Agree, Digest: g.Digest}
	if d.Agree {
		body.MinScore = basisPoints(g.Terms.MinScore)
	} else {
		body.Basis = d.Basis
		if body.Basis == "" {
			body.Basis = refusalBasis
		}
		var err error
		if body.Digest, err = textDigest(g.ID, d.Reason); err != nil {
			return err
		}
	}
	return s.move(ctx, tx, g, actor, d.Reason, body)
}

func (s *Service) recordAnswer(ctx context.Context, tx *sql.Tx, actor mulu.Actor, r *Request, d Decision) error {
	r.Agreed, r.DecidedBy, r.DecidedAt, r.Reason, r.Basis = d.Agree, actor.ID, s.Now(), d.Reason, d.Basis
	var deliver []byte
	if d.Agree {
		dl, err := s.deadline("share.deliver", r.DecidedAt)
		if err != nil {
			return err
		}
		r.Deliver = &dl
		if deliver, err = json.Marshal(dl); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE share_request SET agreed = $1, decided_by = $2, decided_at = $3, reason = $4, basis = $5, deliver = $6 WHERE id = $7`,
		r.Agreed, r.DecidedBy, store.Micros(r.DecidedAt), r.Reason, r.Basis, string(deliver), r.ID)
	return err
}

// textDigest is the digest of a text that stays off the chain, bound to its grant.
func textDigest(id mulu.GrantID, text string) (string, error) {
	return contract.DigestJSON(map[string]string{"grant": string(id), "text": text})
}

func isApprover(a mulu.Actor) bool { return a.Role == mulu.RoleApprover && a.Org.Kind == "bureau" }

func isCenter(a mulu.Actor, roles ...mulu.Role) bool {
	for _, r := range roles {
		if a.Org.Kind == "center" && a.Role == r {
			return true
		}
	}
	return false
}

// Activate asks the chain again to put an agreed grant into force, after the chain
// refused (a score below the agreed one, say) and the cause was mended.
func (s *Service) Activate(ctx context.Context, actor mulu.Actor, id mulu.GrantID) error {
	return s.change(ctx, id, "activate", func(tx *sql.Tx, g *Grant) error {
		if !isApprover(actor) && !isCenter(actor, mulu.RoleSteward, mulu.RoleOperator, mulu.RoleSystem) {
			return denied("只有主管部门审批人或数据中心可以使授权生效")
		}
		return s.move(ctx, tx, g, actor, "", contract.ActivateBody{Grant: g.ID, Digest: g.Digest})
	})
}

// Suspend stops a grant at once (809号令 art 27¶2); the chain confirms after.
func (s *Service) Suspend(ctx context.Context, actor mulu.Actor, id mulu.GrantID, code, text string) error {
	return s.change(ctx, id, "suspend", func(tx *sql.Tx, g *Grant) error {
		if !isApprover(actor) && !isCenter(actor, mulu.RoleSteward, mulu.RoleOperator, mulu.RoleSystem) {
			return denied("只有主管部门审批人或数据中心可以暂停授权")
		}
		coming := g.State == contract.Agreed && g.Pending != "" || g.State == contract.Suspended && g.PendingStep == contract.GrantResume
		if g.State != contract.Active && !coming {
			return fmt.Errorf("授权 %s 当前为%s，不能暂停: %w", id, g.Status(), mulu.ErrConflict)
		}
		return s.halt(ctx, tx, g, Stop{Step: contract.GrantSuspend, Code: code, Text: text, Actor: actor})
	})
}

// Resume takes a suspended grant up again, once the chain confirms it.
func (s *Service) Resume(ctx context.Context, actor mulu.Actor, id mulu.GrantID, code, text string) error {
	return s.change(ctx, id, "resume", func(tx *sql.Tx, g *Grant) error {
		if !isApprover(actor) {
			return denied("只有主管部门审批人可以恢复授权")
		}
		if err := codeAndText(code, text); err != nil {
			return err
		}
		digest, err := textDigest(g.ID, text)
		if err != nil {
			return err
		}
		return s.move(ctx, tx, g, actor, text, contract.ResumeBody{Grant: g.ID, Reason: code, Digest: digest})
	})
}

// Terminate ends a grant at once: an approver revokes it, the requester withdraws
// or gives it back. It never waits for the chain and nothing takes it back.
func (s *Service) Terminate(ctx context.Context, actor mulu.Actor, id mulu.GrantID, code, text string) error {
	return s.change(ctx, id, "terminate", func(tx *sql.Tx, g *Grant) error {
		own := actor.Role == mulu.RoleOfficer && actor.Org.Code == g.Terms.Requester
		if !isApprover(actor) && !own && !isCenter(actor, mulu.RoleOperator, mulu.RoleSystem) {
			return denied("只有主管部门审批人、申请单位数据专员或数据中心可以终止授权")
		}
		if g.State == contract.Terminated || g.State == contract.Refused || g.State == contract.None && g.Pending == "" {
			return fmt.Errorf("授权 %s 当前为%s，不能终止: %w", id, g.Status(), mulu.ErrConflict)
		}
		return s.halt(ctx, tx, g, Stop{Step: contract.GrantEnd, Code: code, Text: text, Actor: actor})
	})
}

// Expire ends every grant whose term has run out, so that the entries it holds on
// the chain are free again. It returns how many. Serve refuses them either way.
func (s *Service) Expire(ctx context.Context) (int, error) {
	due, err := grants(ctx, s.DB.Read, `valid_to <= $1 AND pending = '' AND refusal = '' AND state IN ('requested', 'agreed', 'active', 'suspended') ORDER BY id LIMIT 100`, store.Micros(s.Now()))
	if err != nil {
		return 0, fmt.Errorf("find expired grants: %w", err)
	}
	for i := range due {
		err := s.Terminate(ctx, s.System, due[i].ID, "expired", "使用时限届满")
		if err != nil && !errors.Is(err, mulu.ErrConflict) {
			return i, err
		}
	}
	return len(due), nil
}

func (s *Service) change(ctx context.Context, id mulu.GrantID, verb string, f func(tx *sql.Tx, g *Grant) error) error {
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		if err := hold(ctx, tx, id, ""); err != nil {
			return err
		}
		g, err := grant(ctx, tx, id)
		if err != nil {
			return err
		}
		return f(tx, &g)
	})
	if err != nil {
		return fmt.Errorf("%s grant %s: %w", verb, id, err)
	}
	return nil
}

func codeAndText(code, text string) error {
	if code == "" || strings.TrimSpace(text) == "" {
		return invalid("须说明原因")
	}
	return nil
}

// halt stops g from now on. With another command on its way the stop is kept
// beside it and Confirm sends its command next: the chain sees one at a time, the
// reader is refused at once.
func (s *Service) halt(ctx context.Context, tx *sql.Tx, g *Grant, stop Stop) error {
	if err := codeAndText(stop.Code, stop.Text); err != nil {
		return err
	}
	if g.PendingStep == contract.GrantEnd || g.Stop != nil && g.Stop.Step == contract.GrantEnd || g.PendingStep == stop.Step || g.Stop != nil && g.Stop.Step == stop.Step {
		return fmt.Errorf("授权 %s %s: %w", g.ID, g.Status(), mulu.ErrConflict)
	}
	body, err := stop.body(g.ID)
	if err != nil {
		return err
	}
	if _, err := contract.New("check", stop.Actor, s.Now(), body); err != nil {
		return err // what can never be sent must not wait
	}
	_, legal := contract.Next(contract.Grant, g.State, stop.Step)
	if g.Pending == "" && legal == nil {
		return s.move(ctx, tx, g, stop.Actor, stop.Text, body)
	}
	b, err := json.Marshal(stop)
	if err != nil {
		return err
	}
	g.Stop = &stop
	_, err = tx.ExecContext(ctx, `UPDATE share_grant SET stop = $1, changed_at = $2 WHERE id = $3`, string(b), store.Micros(s.Now()), g.ID)
	return err
}

func (st *Stop) body(id mulu.GrantID) (contract.Body, error) {
	digest, err := textDigest(id, st.Text)
	if err != nil {
		return nil, err
	}
	if st.Step == contract.GrantSuspend {
		return contract.SuspendBody{Grant: id, Reason: st.Code, Digest: digest}, nil
	}
	return contract.EndBody{Grant: id, Reason: st.Code, Digest: digest}, nil
}
