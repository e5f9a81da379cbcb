package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mulu"
	api "mulu/internal/httpapi/gen/share"
	"mulu/ledger/contract"
	"mulu/share"
)

func (h shareRoom) ListGrants(ctx context.Context, _ api.ListGrantsRequestObject) (api.ListGrantsResponseObject, error) {
	p := passOf(ctx)
	list, err := h.Share.Grants(ctx, share.GrantFilter{Requester: p.scope})
	if err != nil {
		return nil, err
	}
	n, err := h.names(ctx)
	if err != nil {
		return nil, err
	}
	out := api.ListGrants200JSONResponse{}
	for i := range list {
		out = append(out, grantOf(p.actor, &list[i], n))
	}
	return out, nil
}

func grantOf(who mulu.Actor, g *share.Grant, n *names) api.Grant {
	t := &g.Terms
	out := api.Grant{
		Id: string(g.ID), Request: g.Request, Scenario: string(t.Scenario), ScenarioTitle: n.scenario(t.Scenario), Requester: string(t.Requester),
		RequesterName: orgName(n.orgs, t.Requester), Receiver: string(t.Receiver), ReceiverName: placeName(n.orgs, t.Receiver), Items: []api.ItemPick{},
		Formats: texts(t.Formats), RowsPerDay: t.RowsPerDay, State: string(effective(g)), Status: g.Status(), Pending: g.Pending, Refusal: g.Refusal,
		From: time.UnixMicro(t.From).UTC(), Until: time.UnixMicro(t.To).UTC(), Index: indexOf(g.ChainIndex), Digest: g.Digest, Reads: n.reads[g.ID],
	}
	for _, i := range t.Items {
		out.Items = append(out.Items, pick(i, i.Name))
	}
	state := effective(g)
	ended := state == contract.Terminated || state == contract.Refused || state == contract.None && g.Pending == ""
	authority := who.Role == approver
	out.MayRevoke = !ended && (authority || who.Role == officer && who.Org.Code == t.Requester)
	out.MaySuspend = authority && state == contract.Active
	out.MayResume = authority && state == contract.Suspended && g.Pending == "" && g.Stop == nil
	return out
}

// effective is the state a grant acts in: what stops it holds at once, whatever the
// chain has heard of it.
func effective(g *share.Grant) contract.State {
	step := g.PendingStep
	if g.Pending == "" {
		step = ""
	}
	if g.Stop != nil {
		step = g.Stop.Step
	}
	switch step {
	case contract.GrantSuspend:
		return contract.Suspended
	case contract.GrantEnd:
		return contract.Terminated
	}
	return g.State
}

func (h shareRoom) RevokeGrant(ctx context.Context, req api.RevokeGrantRequestObject) (api.RevokeGrantResponseObject, error) {
	g, err := h.act(ctx, req.Id, req.Body, h.Share.Terminate)
	return api.RevokeGrant200JSONResponse(g), err
}

func (h shareRoom) SuspendGrant(ctx context.Context, req api.SuspendGrantRequestObject) (api.SuspendGrantResponseObject, error) {
	g, err := h.act(ctx, req.Id, req.Body, h.Share.Suspend)
	return api.SuspendGrant200JSONResponse(g), err
}

func (h shareRoom) ResumeGrant(ctx context.Context, req api.ResumeGrantRequestObject) (api.ResumeGrantResponseObject, error) {
	g, err := h.act(ctx, req.Id, req.Body, h.Share.Resume)
	return api.ResumeGrant200JSONResponse(g), err
}

// act takes one step of a grant's life and shows the grant after it.
func (h shareRoom) act(ctx context.Context, id string, why *api.Reason, step func(context.Context, mulu.Actor, mulu.GrantID, string, string) error) (api.Grant, error) {
	p := passOf(ctx)
	if err := h.inScope(ctx, id); err != nil {
		return api.Grant{}, err
	}
	if strings.TrimSpace(why.Reason) == "" {
		return api.Grant{}, invalid("请说明理由")
	}
	code := value(why.Code)
	if code == "" {
		code = "other"
	}
	if err := step(ctx, p.actor, mulu.GrantID(id), code, why.Reason); err != nil {
		return api.Grant{}, err
	}
	h.Relay.Wake()
	g, err := h.Share.Grant(ctx, mulu.GrantID(id))
	if err != nil {
		return api.Grant{}, err
	}
	n, err := h.names(ctx)
	if err != nil {
		return api.Grant{}, err
	}
	return grantOf(p.actor, &g, n), nil
}

// inScope refuses another organisation's grant to whoever sees its own alone. A
// grant that is not there is refused alike: ids are no secret, but not to be tried.
func (h shareRoom) inScope(ctx context.Context, id string) error {
	g, err := h.Share.Grant(ctx, mulu.GrantID(id))
	scope := passOf(ctx).scope
	if scope != "" && (errors.Is(err, mulu.ErrNotFound) || err == nil && g.Terms.Requester != scope) {
		return fmt.Errorf("授权 %s 不属于本单位: %w", id, mulu.ErrDenied)
	}
	return err
}

func (h shareRoom) ExplainGrant(ctx context.Context, req api.ExplainGrantRequestObject) (api.ExplainGrantResponseObject, error) {
	if err := h.inScope(ctx, req.Id); err != nil {
		return nil, err
	}
	checks, err := h.Share.Explain(ctx, share.Ask{Actor: passOf(ctx).actor, Grant: mulu.GrantID(req.Id), Format: string(value(req.Params.Format))})
	if err != nil {
		return nil, err
	}
	out := api.ExplainGrant200JSONResponse{}
	for _, c := range checks {
		out = append(out, api.Check{Code: c.Code, Title: c.Title, Passed: c.Passed, Detail: c.Detail})
	}
	return out, nil
}

// ReadGrantRows hands out rows. Whether it may is share's to say, another
// organisation's grant included: a denied read leaves a receipt too.
func (h shareRoom) ReadGrantRows(ctx context.Context, req api.ReadGrantRowsRequestObject) (api.ReadGrantRowsResponseObject, error) {
	ask := share.Ask{Actor: passOf(ctx).actor, Grant: mulu.GrantID(req.Id), Format: string(value(req.Params.Format)), RequestID: traceOf(ctx).id}
	for _, cond := range value(req.Params.Where) {
		item, v, ok := strings.Cut(cond, "=")
		if !ok || item == "" {
			return nil, invalid("where 应形如 数据项=值")
		}
		if ask.Where == nil {
			ask.Where = map[string]any{}
		}
		ask.Where[item] = v
	}
	return rows{ctx: ctx, desk: h.Share, ask: ask}, nil
}

// rows is a result on its way out: nothing is written before share says what it is.
type rows struct {
	ctx  context.Context
	desk *share.Service
	ask  share.Ask
}

// contentTypes by format.
var contentTypes = map[string]string{
	"json":   "application/json; charset=utf-8",
	"ndjson": "application/x-ndjson; charset=utf-8",
	"csv":    "text/csv; charset=utf-8",
}

func (r rows) VisitReadGrantRowsResponse(w http.ResponseWriter) error {
	r.ask.Begin = func(d share.Delivery) { announce(w.Header(), d) }
	_, err := r.desk.Serve(r.ctx, r.ask, w)
	return err
}

// announce writes the headers of a delivery: its receipt, what it is, how good.
func announce(head http.Header, d share.Delivery) {
	kind, ok := contentTypes[d.Format]
	if !ok {
		kind = "application/octet-stream"
	}
	head.Set("Content-Type", kind)
	head.Set("Content-Length", strconv.FormatInt(d.Bytes, 10))
	head.Set("Content-Disposition", `attachment; filename="`+fileName(string(d.Grant))+"."+fileName(d.Format)+`"`)
	head.Set("X-Mulu-Receipt", string(d.Receipt))
	head.Set("X-Mulu-Rows", strconv.FormatInt(d.Rows, 10))
	head.Set("X-Mulu-Digest", d.Digest)
	if len(d.Notices) > 0 {
		head.Set("X-Mulu-Notice", strings.Join(d.Notices, ","))
	}
	score, grade, low := mark(d.Quality)
	head.Set("X-Mulu-Score", score)
	head.Set("X-Mulu-Grade", url.PathEscape(grade))
	head.Set("X-Mulu-Low", strings.Join(low, ","))
}

// mark is the quality mark (质量标识) of a delivery: the lowest score of what was read,
// none while any of it is not scored.
func mark(list []share.Quality) (score, grade string, low []string) {
	worst := -1
	for i, q := range list {
		if q.Low {
			low = append(low, string(q.Dataset))
		}
		if q.Known && (worst < 0 || q.Total < list[worst].Total) {
			worst = i
		}
	}
	for _, q := range list {
		if !q.Known {
			return "", "", low
		}
	}
	if worst < 0 {
		return "", "", low
	}
	return strconv.FormatFloat(list[worst].Total, 'f', 4, 64), list[worst].Grade, low
}
