package share

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/internal/spool"
	"mulu/plan"
)

// Ask is one read: who asks, under which grant, in which format. Where holds extra
// values that narrow the grant (a single community, say), never conditions as text.
type Ask struct {
	Actor     mulu.Actor
	Grant     mulu.GrantID
	Format    string         // "" takes the grant's first
	Where     map[string]any // item → equal value
	RequestID string         // of the HTTP request, for the receipt
	// Begin, if set, is told what is coming before the first byte is written: the
	// place to set headers. Digest and rows are final by then.
	Begin func(Delivery)
}

// Delivery describes what was handed out.
type Delivery struct {
	Receipt      mulu.ReceiptID
	Grant        mulu.GrantID
	GrantVersion int64
	Scenario     mulu.ScenarioCode
	Receiver     mulu.Division
	Format       string
	Rows         int64
	Bytes        int64
	Digest       string // "sha256:…" of the bytes
	AsOf         time.Time
	Quality      []Quality // one per dataset read; never a reason to cut a share
	Notices      []string  // ids of the grant's notices that the holder has not seen
}

// Quality is the mark (质量标识) a delivery carries of one dataset.
type Quality struct {
	Dataset mulu.DatasetCode
	Known   bool // false: not scored yet
	Total   float64
	Grade   string
	Low     bool // below the grant's least score
}

// Serve walks one read: authorise → compile → open receipt → execute into a spool →
// charge → deliver → close receipt. No byte leaves before the receipt is durable
// and the whole result is known, and no engine slot is held while a client reads.
func (s *Service) Serve(ctx context.Context, ask Ask, w io.Writer) (Delivery, error) {
	a, err := s.authorise(ctx, ask)
	if err != nil {
		return Delivery{}, fmt.Errorf("serve grant %s: %w", clip(string(ask.Grant), 64), err)
	}
	p := compile(a, ask)
	// A crash from here on leaves an open receipt; Recover closes it as interrupted.
	r, err := s.open(ctx, ask, a, p)
	if err != nil {
		return Delivery{}, fmt.Errorf("serve grant %s: %w", a.grant.ID, err)
	}
	result, err := s.execute(ctx, a, p)
	if err != nil {
		return Delivery{}, s.giveUp(ctx, r, fmt.Errorf("execute grant %s: %w", a.grant.ID, err))
	}
	defer result.Close()
	// From here on the receipt says how much may have left at most.
	if err := s.charge(ctx, ask, r, result); err != nil {
		return Delivery{}, s.giveUp(ctx, r, fmt.Errorf("charge grant %s: %w", a.grant.ID, err))
	}
	d := describe(a, r)
	d.Notices = s.noticed(ctx, a.grant.ID)
	if err := deliver(ctx, ask, d, result, w); err != nil {
		return d, s.giveUp(ctx, r, err)
	}
	// A crash before this is durable: all was delivered, the receipt says interrupted
	// with the rows and the digest that left.
	if err := s.close(ctx, r, Delivered, ""); err != nil {
		return d, fmt.Errorf("serve grant %s: %w", a.grant.ID, err)
	}
	return d, nil
}

// authorise admits the read or leaves a receipt of the denial and returns it.
func (s *Service) authorise(ctx context.Context, ask Ask) (*admission, error) {
	a, err := s.inspect(ctx, s.DB.Read, ask)
	if err != nil {
		return nil, fmt.Errorf("authorise: %w", err)
	}
	if a.allowed() {
		return a, nil
	}
	id, err := s.refuse(ctx, ask, a)
	if err != nil {
		return nil, fmt.Errorf("record denial: %w", err)
	}
	return nil, &Denial{Receipt: id, Checks: a.checks}
}

// compile joins the grant and its scenario's view into a plan as of today. The
// grant's rows hold whatever the request says; a request only narrows.
func compile(a *admission, ask Ask) plan.Plan {
	t := &a.grant.Terms
	view := a.scenario.View
	view.Derived = slices.Clone(view.Derived)
	for i := range view.Derived {
		if view.Derived[i].AsOf == "today" || view.Derived[i].AsOf == "" {
			view.Derived[i].AsOf = a.now.In(clock.Shanghai).Format(time.DateOnly)
		}
	}
	p := plan.Plan{View: view, Where: plan.Predicate{All: []plan.Predicate{t.Where}}, Limit: a.left + 1, OrderByKey: true}
	for _, it := range t.Items {
		p.Items = append(p.Items, plan.Item{Name: it.Name, Mask: it.MaskFor(ask.Actor.Role)})
	}
	for _, field := range slices.Sorted(maps.Keys(ask.Where)) {
		c := plan.Predicate{Field: field, Op: plan.Eq, Value: ask.Where[field]}
		if d, ok := c.Value.(string); ok && field == a.scenario.Division && len(d) < 12 {
			c.Op = plan.Prefix
		}
		p.Where.All = append(p.Where.All, c)
	}
	return p
}

// execute runs the plan into the spool.
func (s *Service) execute(ctx context.Context, a *admission, p plan.Plan) (*result, error) {
	sp, err := spool.New(s.Spool, s.MaxBytes)
	if err != nil {
		return nil, err
	}
	rows, err := s.Reader.Export(ctx, a.scenario.Code, p, a.format, sp)
	if sp.Full() {
		err = refusal(fmt.Sprintf("结果超过单次上限 %d 字节，请缩小范围", s.MaxBytes))
	}
	if err != nil {
		sp.Close()
		return nil, err
	}
	return &result{sp, rows}, nil
}

// charge takes the rows from today's quota and looks at the grant once more, in one
// transaction: what was revoked while the engine worked is not delivered. The plan
// asked for one row more than the quota had, so a result that would have been cut
// is refused here and never delivered in part.
func (s *Service) charge(ctx context.Context, ask Ask, r *Receipt, got *result) error {
	return s.DB.Tx(ctx, func(tx *sql.Tx) error {
		a, err := s.inspect(ctx, tx, ask)
		if err != nil {
			return err
		}
		if !a.allowed() {
			return &Denial{Receipt: r.ID, Checks: a.checks}
		}
		if got.rows > a.left {
			return refusal(fmt.Sprintf("结果超过今日剩余额度 %d 行，未提供任何数据", a.left))
		}
		// The bound stands in the statement too: two reads that looked at the same time
		// do not both fit.
		res, err := tx.ExecContext(ctx, `INSERT INTO share_quota (grant_id, day, rows_out) VALUES ($1, $2, $3)
			ON CONFLICT (grant_id, day) DO UPDATE SET rows_out = share_quota.rows_out + excluded.rows_out WHERE share_quota.rows_out + excluded.rows_out <= $4`,
			a.grant.ID, today(a.now), got.rows, a.grant.Terms.RowsPerDay)
		if err != nil {
			return fmt.Errorf("charge quota: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil {
			return fmt.Errorf("charge quota: %w", err)
		} else if n == 0 {
			return refusal("今日额度已被同时进行的取数用完，未提供任何数据")
		}
		r.Rows, r.Bytes, r.Digest = got.rows, got.Size(), got.Digest()
		return save(ctx, tx, r)
	})
}

func describe(a *admission, r *Receipt) Delivery {
	return Delivery{Receipt: r.ID, Grant: a.grant.ID, GrantVersion: a.grant.Terms.Version, Scenario: r.Scenario, Receiver: a.grant.Terms.Receiver,
		Format: r.Format, Rows: r.Rows, Bytes: r.Bytes, Digest: r.Digest, AsOf: a.now, Quality: r.quality}
}

func deliver(ctx context.Context, ask Ask, d Delivery, got *result, w io.Writer) error {
	if ask.Begin != nil {
		ask.Begin(d)
	}
	if err := got.Deliver(ctx, w); err != nil {
		return fmt.Errorf("deliver: %w", errors.Join(errAborted, err))
	}
	return nil
}

// quality asks for the scores of what is read. A score that can not be had is
// unknown: a running share is not cut by it (design invariant 11).
func (s *Service) quality(ctx context.Context, a *admission) []Quality {
	var all []Quality
	for _, ds := range a.scenario.Datasets() {
		q := Quality{Dataset: ds}
		if s.Scorer != nil {
			sc, ok, err := s.Scorer.Score(ctx, ds)
			if err != nil {
				s.Log.WarnContext(ctx, "quality of a shared dataset is unknown", "dataset", ds, "err", err)
			} else if ok {
				q = Quality{Dataset: ds, Known: true, Total: sc.Total, Grade: sc.Grade, Low: sc.Total < a.grant.Terms.MinScore}
			}
		}
		all = append(all, q)
	}
	return all
}
