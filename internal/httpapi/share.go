package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mulu"
	"mulu/internal/clock"
	api "mulu/internal/httpapi/gen/share"
	"mulu/ledger/contract"
	"mulu/plan"
	"mulu/share"
)

// shareRoom is the sharing desk: scenarios, requests, grants, receipts.
type shareRoom struct{ *house }

// formats are those a receiver may ask for.
var formats = []string{"json", "ndjson", "csv"}

func (h shareRoom) ListScenarios(ctx context.Context, _ api.ListScenariosRequestObject) (api.ListScenariosResponseObject, error) {
	list, err := h.Share.Scenarios(ctx)
	if err != nil {
		return nil, err
	}
	orgs, err := h.orgs.get(ctx)
	if err != nil {
		return nil, err
	}
	out := api.ListScenarios200JSONResponse{}
	for i := range list {
		s := &list[i]
		v := api.Scenario{
			Code: string(s.Code), Title: s.Title, Purpose: s.Purpose, LegalBasis: strings.Join(s.LegalBasis, "；"), Owner: string(s.Owner), OwnerName: orgName(orgs, s.Owner),
			Base: string(s.View.Base), Datasets: texts(s.Datasets()), Items: []api.ScenarioItem{}, Modes: []string{"接口查询", "文件下载"}, Formats: formats,
			State: string(s.State), Version: s.Version, Pending: s.Pending, Refusal: s.Refusal, RowsPerDay: s.RowsPerDay, Unconditional: s.Unconditional,
		}
		if v.Index, err = h.chainIndex(ctx, contract.CommandID(contract.ScenarioFile, string(s.Code), strconv.FormatInt(s.Version, 10))); err != nil {
			return nil, err
		}
		for _, i := range s.Items {
			mask := string(i.MaskFor(system))
			v.Items = append(v.Items, api.ScenarioItem{Name: i.Name, Title: i.Title, Level: int(i.Level), Pi: i.PI, Sensitive: i.Sensitive(), Mask: mask, Masks: []string{mask}})
		}
		out = append(out, v)
	}
	return out, nil
}

func (h shareRoom) ListRequests(ctx context.Context, _ api.ListRequestsRequestObject) (api.ListRequestsResponseObject, error) {
	list, err := h.Share.Requests(ctx, share.RequestFilter{Org: passOf(ctx).scope})
	if err != nil {
		return nil, err
	}
	names, err := h.names(ctx)
	if err != nil {
		return nil, err
	}
	out := api.ListRequests200JSONResponse{}
	for i := range list {
		out = append(out, h.request(passOf(ctx).actor, &list[i], names))
	}
	return out, nil
}

func (h shareRoom) SubmitRequest(ctx context.Context, req api.SubmitRequestRequestObject) (api.SubmitRequestResponseObject, error) {
	actor := passOf(ctx).actor
	a, err := h.application(ctx, req.Body)
	if err != nil {
		return nil, err
	}
	r, err := h.Share.Submit(ctx, actor, a)
	if err != nil {
		return nil, err
	}
	h.Relay.Wake()
	names, err := h.names(ctx)
	if err != nil {
		return nil, err
	}
	return api.SubmitRequest201JSONResponse(h.request(actor, &r, names)), nil
}

// application reads what was asked for. Days are Shanghai's, the last one included.
// How an item is shown is the scenario's to say: a mask that was sent must be that.
func (h shareRoom) application(ctx context.Context, b *api.SubmitRequestJSONRequestBody) (share.Application, error) {
	a := share.Application{
		Scenario: mulu.ScenarioCode(b.Scenario), Purpose: b.Purpose, LegalBasis: value(b.LegalBasis), Mode: share.ModePull, RowsPerDay: value(b.RowsPerDay),
		MinScore: value(b.MinScore), Assessment: value(b.Assessment), Systems: value(b.Systems), Formats: texts(value(b.Formats)),
	}
	if len(b.Items) > 200 || len(b.Receivers) > 500 {
		return a, invalid("一次最多申请 200 个数据项、500 个接收方")
	}
	if len(a.Formats) == 0 {
		a.Formats = formats
	}
	sc, err := h.Share.Scenario(ctx, a.Scenario)
	if errors.Is(err, mulu.ErrNotFound) {
		return a, invalid("应用场景 %s 未备案或尚待上链", a.Scenario)
	}
	if err != nil {
		return a, err
	}
	masks := map[string]string{}
	for _, i := range sc.Items {
		masks[i.Name] = string(i.MaskFor(system))
	}
	for _, i := range b.Items {
		if i.Mask != nil && *i.Mask != masks[i.Name] {
			return a, invalid("数据项 %s 的展示方式由场景固定，不能更改", i.Name)
		}
		a.Items = append(a.Items, i.Name)
	}
	for _, r := range b.Receivers {
		if len(r) != 9 && len(r) != 12 || strings.Trim(r, "0123456789") != "" {
			return a, invalid("接收方 %q 应为街镇 9 位或居村 12 位区划代码", r)
		}
		a.Receivers = append(a.Receivers, mulu.Division(r))
	}
	day := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, clock.Shanghai)
	}
	a.From, a.To = day(h.Now().In(clock.Shanghai)), day(b.Until.Time).AddDate(0, 0, 1)
	if b.From != nil {
		a.From = day(b.From.Time)
	}
	return a, nil
}

func (h shareRoom) DecideRequest(ctx context.Context, req api.DecideRequestRequestObject) (api.DecideRequestResponseObject, error) {
	actor := passOf(ctx).actor
	r, err := h.Share.Decide(ctx, actor, req.Id, share.Decision{Agree: req.Body.Agree, Reason: value(req.Body.Reason), Basis: value(req.Body.Basis)})
	if err != nil {
		return nil, err
	}
	h.Relay.Wake()
	names, err := h.names(ctx)
	if err != nil {
		return nil, err
	}
	return api.DecideRequest200JSONResponse(h.request(actor, &r, names)), nil
}

// names are what the share pages need to name things.
type names struct {
	orgs      map[mulu.OrgCode]mulu.Org
	scenarios map[mulu.ScenarioCode]share.StoredScenario
	reads     map[mulu.GrantID]int64
}

func (n *names) scenario(code mulu.ScenarioCode) string {
	if s, ok := n.scenarios[code]; ok {
		return s.Title
	}
	return string(code)
}

func (h shareRoom) names(ctx context.Context) (*names, error) {
	n := &names{}
	var err error
	if n.orgs, err = h.orgs.get(ctx); err != nil {
		return nil, err
	}
	list, err := h.Share.Scenarios(ctx)
	if err != nil {
		return nil, err
	}
	n.scenarios = index(list, func(s share.StoredScenario) mulu.ScenarioCode { return s.Code })
	n.reads, err = h.reads.get(ctx)
	return n, err
}

func (h shareRoom) request(who mulu.Actor, r *share.Request, n *names) api.ShareRequest {
	out := api.ShareRequest{
		Id: r.ID, Scenario: string(r.Scenario), ScenarioTitle: n.scenario(r.Scenario), Requester: string(r.Org), RequesterName: orgName(n.orgs, r.Org), Actor: r.Actor,
		Purpose: r.Purpose, LegalBasis: texts(r.LegalBasis), Items: []api.ItemPick{}, Receivers: texts(r.Receivers), Status: r.Status(), At: r.ReceivedAt.UTC(),
		From: r.From.UTC(), Until: r.To.UTC(), DecidedBy: r.DecidedBy, DecidedAt: timeOf(r.DecidedAt), Reason: r.Reason, Basis: r.Basis, Grants: []string{},
	}
	items := index(n.scenarios[r.Scenario].Items, func(i share.Item) string { return i.Name })
	waiting, moving := false, false
	last := int64(-1)
	for i := range r.Grants {
		g := &r.Grants[i]
		out.Grants = append(out.Grants, string(g.ID))
		last = max(last, g.ChainIndex)
		waiting = waiting || g.State == contract.Requested && g.Pending == "" && g.Stop == nil
		moving = moving || g.State == contract.Agreed
		if r.Agreed && out.Grant == "" {
			out.Grant = string(g.ID)
		}
		for _, it := range g.Terms.Items { // as they were when asked for
			items[it.Name] = it
		}
	}
	for _, name := range r.Items {
		out.Items = append(out.Items, pick(items[name], name))
	}
	out.Index = indexOf(last)
	switch {
	case r.DecidedBy == "":
		out.State, out.Clock = api.ShareRequestStateRequested, h.clock(&r.Reply)
	case r.Agreed:
		out.State = api.ShareRequestStateAgreed
		if moving && r.Deliver != nil {
			out.Clock = h.clock(r.Deliver)
		}
	default:
		out.State = api.ShareRequestStateRefused
	}
	out.MayDecide = waiting && who.Role == approver && who.Org.Code != r.Org
	return out
}

// clock says how a legal term runs.
func (h shareRoom) clock(d *clock.Deadline) *api.Clock {
	now := h.Now()
	return &api.Clock{Article: d.Article, Due: d.Due.UTC(), Left: h.Share.Calendar.WorkdaysBetween(now, d.Due), Overdue: d.Overdue(now), Weekends: d.Weekends}
}

func pick(i share.Item, name string) api.ItemPick {
	if i.Name == "" {
		return api.ItemPick{Name: name, Title: name, Mask: string(plan.MaskHide)}
	}
	return api.ItemPick{Name: i.Name, Title: i.Title, Level: int(i.Level), Mask: string(i.MaskFor(system))}
}

func (h shareRoom) ListReceipts(ctx context.Context, req api.ListReceiptsRequestObject) (api.ListReceiptsResponseObject, error) {
	limit, err := limitOf(req.Params.Limit, 50, 500)
	if err != nil {
		return nil, err
	}
	list, err := h.Share.Receipts(ctx, share.ReceiptFilter{
		Grant: mulu.GrantID(value(req.Params.Grant)), Org: passOf(ctx).scope, Before: mulu.ReceiptID(value(req.Params.Cursor)), Limit: limit + 1,
	})
	if err != nil {
		return nil, err
	}
	n, err := h.names(ctx)
	if err != nil {
		return nil, err
	}
	page := api.ReceiptPage{Items: []api.Receipt{}}
	if len(list) > limit {
		list = list[:limit]
		page.Next = string(list[limit-1].ID)
	}
	anchors := map[string]*int64{}
	for i := range list {
		r := &list[i]
		if _, ok := anchors[r.Anchor]; !ok && r.Anchor != "" {
			if anchors[r.Anchor], err = h.chainIndex(ctx, contract.CommandID(contract.ReceiptAnchor, r.Anchor)); err != nil {
				return nil, fmt.Errorf("find anchor %s: %w", r.Anchor, err)
			}
		}
		page.Items = append(page.Items, receiptOf(r, n, anchors[r.Anchor]))
	}
	return api.ListReceipts200JSONResponse(page), nil
}

// modes names how a read was asked for: a file is read whole, JSON by a program.
var modes = map[string]string{"json": "接口查询", "ndjson": "接口查询", "csv": "文件下载"}

func receiptOf(r *share.Receipt, n *names, at *int64) api.Receipt {
	return api.Receipt{
		Id: string(r.ID), Grant: string(r.Grant), Scenario: string(r.Scenario), ScenarioTitle: n.scenario(r.Scenario), Receiver: string(r.Receiver),
		ReceiverName: placeName(n.orgs, r.Receiver), Purpose: r.Purpose, Actor: r.Actor, Org: string(r.Org), OrgName: orgName(n.orgs, r.Org), Role: string(r.Role),
		Mode: modes[r.Format], Format: r.Format, Items: texts(r.Items), OpenedAt: time.UnixMicro(r.OpenedAt).UTC(), ClosedAt: microTime(r.ClosedAt),
		State: api.ReceiptState(r.Outcome), Reason: r.Reason, Rows: r.Rows, Bytes: r.Bytes, Digest: r.Digest, Anchored: at != nil, Index: at,
	}
}
