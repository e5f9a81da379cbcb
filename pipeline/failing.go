package pipeline

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"mulu"
	"mulu/library"
	"mulu/plan"
	"mulu/quality"
	"mulu/quality/desk"
	"mulu/quality/rows"
)

// HouseSigner signs with the house's own key; internal/auth does.
type HouseSigner interface {
	PublicKey(ctx context.Context, actor string) (ed25519.PublicKey, error)
	SignText(ctx context.Context, actor, purpose string, text []byte) ([]byte, error)
}

// FailingRows hands out the rows that break a rule: as pages, as signed archives, and
// what became of them since. Each walk is: find the rule → decide what the viewer sees →
// write the look down → let the engine mask → hand out.
type FailingRows struct {
	Library *library.Library
	Looks   *desk.Desk
	Orgs    func(ctx context.Context) ([]mulu.Org, error)
	Signer  HouseSigner
	Actor   string     // whose key signs: the house's own system
	House   rows.House // without key
	Key     []byte     // of row tokens and cursors, 32 bytes
	Dir     string     // spool
	PerFile int64      // rows of an exported file; 0 is rows.FileRows
	Now     func() time.Time
}

// FailingAsk is who wants which rows.
type FailingAsk struct {
	rows.Look
	Dataset    mulu.DatasetCode
	Rule       mulu.RuleID
	Where      plan.Predicate
	Department mulu.OrgCode // who answers for them; "" is all
	Division   string       // where they lie; "" is all
	Request    string       // id of the HTTP request
	// Of a page.
	Cursor, RefusedCursor string
	Limit                 int
}

// FailingPage is one page of both lists.
type FailingPage struct {
	Look    desk.Look
	Dataset *mulu.Dataset
	Rule    quality.Selection
	Sight   rows.Sight
	Rows    []library.FailingRow
	Next    string
	Refused []library.RefusedRow
	// RefusedNext is the cursor of the list of refused rows.
	RefusedNext string
	// Of a first page: who answers for how many, and how many rows the rule in force has
	// not judged.
	First                 bool
	Counts, RefusedCounts []library.FailingCount
	Unjudged              int64
}

// failing is an admitted ask.
type failing struct {
	ask   FailingAsk
	ds    *mulu.Dataset
	rule  quality.Selection
	sight rows.Sight
	plan  plan.Failing
	orgs  map[mulu.OrgCode]mulu.Org
}

// dataset is the version in force.
func (r *FailingRows) dataset(code mulu.DatasetCode) (*mulu.Dataset, error) {
	if ds := r.Library.Dataset(code); ds != nil {
		return ds, nil
	}
	return nil, fmt.Errorf("没有数据集 %s / no such dataset: %w", code, mulu.ErrNotFound)
}

// admit finds the rule and decides what the viewer sees. A denied ask leaves a look.
func (r *FailingRows) admit(ctx context.Context, ask FailingAsk, form string) (*failing, error) {
	ds, err := r.dataset(ask.Dataset)
	if err != nil {
		return nil, err
	}
	f := &failing{ask: ask, ds: ds, orgs: map[mulu.OrgCode]mulu.Org{}}
	if f.sight, err = rows.See(ds, ask.Look); err == nil {
		f.rule, err = quality.Select(ds, ask.Rule, r.Library.Dataset)
	}
	if err == nil {
		err = r.compile(ctx, f)
	}
	if errors.Is(err, mulu.ErrDenied) {
		l := r.look(f, form)
		l.Outcome, l.Shown, l.ClosedAt, l.Reason = desk.LookDenied, "", l.At, "无权查看，或按脱敏的数据项筛选"
		return nil, errors.Join(err, r.Looks.OpenLook(ctx, &l))
	}
	return f, err
}

// compile makes the plan: the engine sees it and nothing else.
func (r *FailingRows) compile(ctx context.Context, f *failing) error {
	orgs, err := r.Orgs(ctx)
	if err != nil {
		return err
	}
	for _, o := range orgs {
		f.orgs[o.Code] = o
	}
	where := plan.Predicate{All: []plan.Predicate{}}
	if !f.ask.Where.Empty() {
		where.All = append(where.All, f.ask.Where)
	}
	if f.ask.Division != "" {
		in, err := rows.InDivision(f.ds, f.ask.Division)
		if err != nil {
			return err
		}
		where.All = append(where.All, in)
	}
	if len(where.All) == 0 {
		where = plan.Predicate{}
	}
	view := plan.View{Base: f.ds.Code}
	base := func(name string) (plan.Field, error) {
		return view.Field(name, func(mulu.DatasetCode) *mulu.Dataset { return f.ds })
	}
	if err := where.Validate(base); err != nil {
		// Its text holds the values that were asked for.
		return fmt.Errorf("筛选条件有误：数据项须属于本数据集，比较和值须符合其类型 / a condition does not fit its column: %w", mulu.ErrInvalid)
	}
	if err := f.sight.Narrow(&where); err != nil {
		return err
	}
	unit := rows.UnitOf(f.ds, orgs)
	unit.Only = f.ask.Department
	f.plan = plan.Failing{View: f.rule.View, Rule: f.rule.ID, Fault: f.rule.Fault, Items: f.sight.Items, Where: where, Unit: unit}
	return nil
}

// look is the trace of an ask as it begins.
func (r *FailingRows) look(f *failing, form string) desk.Look {
	a := &f.ask
	l := desk.Look{At: r.Now().UTC(), Actor: a.Who.ID, Org: a.Who.Org.Code, Role: a.Who.Role, Dataset: a.Dataset, Rule: a.Rule, Ruleset: f.ds.Version, Form: form,
		Shown: f.sight.Shown, Reveal: a.Reveal, Purpose: strings.TrimSpace(a.Purpose), Request: a.Request, Outcome: desk.LookOpen}
	if len(l.Rule) > 80 {
		l.Rule = l.Rule[:80] // of a rule that is none
	}
	filter := map[string]any{}
	if !a.Where.Empty() {
		filter["where"] = r.discreet(f.ds, a.Where)
	}
	if a.Department != "" {
		filter["department"] = a.Department
	}
	if a.Division != "" {
		filter["division"] = a.Division
	}
	l.Filter, _ = json.Marshal(filter) //nolint:errchkjson // made of texts
	return l
}

// discreet is a condition in which values of items of L3 and above are keyed digests:
// equal ones can be told, none can be read.
func (r *FailingRows) discreet(ds *mulu.Dataset, p plan.Predicate) plan.Predicate {
	list := func(ps []plan.Predicate) (out []plan.Predicate) {
		for _, p := range ps {
			out = append(out, r.discreet(ds, p))
		}
		return out
	}
	p.All, p.Any = list(p.All), list(p.Any)
	if p.Not != nil {
		not := r.discreet(ds, *p.Not)
		p.Not = &not
	}
	c := ds.Column(p.Field)
	if p.Value != nil && (c < 0 || ds.Columns[c].Level == 0 || ds.Columns[c].Level > mulu.L2) {
		p.Value = r.keyed(p.Value)
	}
	return p
}

// Page walks one page of both lists. Its look is closed before it is handed out: a crash
// between the two leaves a look at rows that nobody got.
func (r *FailingRows) Page(ctx context.Context, ask FailingAsk) (*FailingPage, error) {
	f, err := r.admit(ctx, ask, "page")
	if err != nil {
		return nil, err
	}
	p := &FailingPage{Dataset: f.ds, Rule: f.rule, Sight: f.sight}
	p.First = ask.Cursor == "" && ask.RefusedCursor == ""
	if f.rule.NoRows == "" {
		if err := r.read(ctx, f, p); err != nil {
			return nil, err
		}
	}
	p.Look = r.look(f, "page")
	p.Look.Rows, p.Look.Refused = int64(len(p.Rows)), int64(len(p.Refused))
	p.Look.Outcome, p.Look.ClosedAt = desk.LookDelivered, p.Look.At
	if err := r.Looks.OpenLook(ctx, &p.Look); err != nil {
		return nil, err
	}
	return p, r.Library.KeepListed(ctx, p.Look.ID, listed(p))
}

func listed(p *FailingPage) (list []library.Listed) {
	for i := range p.Rows {
		list = append(list, library.Listed{Token: p.Rows[i].Token})
	}
	for i := range p.Refused {
		list = append(list, library.Listed{Refused: true, Token: p.Refused[i].Token})
	}
	return list
}

// read asks the engine. A cursor of one list alone goes on with that list.
func (r *FailingRows) read(ctx context.Context, f *failing, p *FailingPage) (err error) {
	first := p.First
	opt := library.FailingOptions{Key: r.Key, Limit: f.ask.Limit}
	if first || f.ask.Cursor != "" {
		opt.After = f.ask.Cursor
		if p.Rows, p.Next, err = r.Library.Failing(ctx, f.plan, opt); err != nil {
			return err
		}
	}
	if first {
		if p.Counts, p.Unjudged, err = r.Library.CountFailing(ctx, f.plan, r.Key); err != nil {
			return err
		}
	}
	if !f.rule.Blocking || f.rule.Set || !first && f.ask.RefusedCursor == "" {
		return nil
	}
	opt.After = f.ask.RefusedCursor
	if p.Refused, p.RefusedNext, err = r.Library.Refused(ctx, f.plan, opt); err != nil || !first {
		return err
	}
	p.RefusedCounts, err = r.Library.CountRefused(ctx, f.plan, r.Key)
	return err
}

// Became says what became of the rows of a look that handed rows out, under its rule as
// it is now.
func (r *FailingRows) Became(ctx context.Context, who mulu.Actor, id string) (desk.Look, library.Became, error) {
	l, err := r.Looks.Look(ctx, id)
	if err != nil {
		return l, library.Became{}, err
	}
	if who.Role == mulu.RoleOfficer && l.Org != who.Org.Code {
		return l, library.Became{}, fmt.Errorf("查看记录 %s 不属于本单位 / not of your organisation: %w", id, mulu.ErrDenied)
	}
	ds, err := r.dataset(l.Dataset)
	if err != nil {
		return l, library.Became{}, err
	}
	rule, err := quality.Select(ds, l.Rule, r.Library.Dataset)
	if err == nil && rule.NoRows != "" {
		err = fmt.Errorf("%s: %w", rule.NoRows, mulu.ErrInvalid)
	}
	if err != nil {
		return l, library.Became{}, err
	}
	f := plan.Failing{View: rule.View, Rule: rule.ID, Fault: rule.Fault, Items: []plan.Item{{Name: ds.Key[0], Mask: plan.MaskHide}}, Unit: plan.Unit{Else: ds.Owner}}
	b, err := r.Library.BecameOf(ctx, id, f, r.Key)
	return l, b, err
}

// RejectsSeen writes down that somebody is about to read problem rows in their original
// bytes, which no mask covers: to mend one, one has to see it.
func (r *FailingRows) RejectsSeen(ctx context.Context, who mulu.Actor, f library.RejectFilter, rows int, request string) error {
	filter := map[string]any{"state": f.State, "class": f.Class, "field": f.Field}
	if f.Text != "" {
		filter["text"] = r.keyed(f.Text)
	}
	if f.Offset != nil {
		filter["offset"] = *f.Offset
	}
	at := r.Now().UTC()
	l := desk.Look{At: at, Actor: who.ID, Org: who.Org.Code, Role: who.Role, Dataset: f.Dataset, Rule: f.Rule, Form: "rejects", Shown: "clear", Request: request, Outcome: desk.LookDelivered, Refused: int64(rows), ClosedAt: at}
	l.Filter, _ = json.Marshal(filter) //nolint:errchkjson // texts and numbers
	return r.Looks.OpenLook(ctx, &l)
}

// keyed is a digest by which equal values can be told and none can be read.
func (r *FailingRows) keyed(v any) string {
	mac := hmac.New(sha256.New, r.Key)
	fmt.Fprintf(mac, "filter %v", v)
	return "hmac:" + hex.EncodeToString(mac.Sum(nil)[:8])
}
