package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"mulu"
	api "mulu/internal/httpapi/gen/quality"
	"mulu/library"
	"mulu/pipeline"
	"mulu/plan"
	"mulu/quality/desk"
	failingrows "mulu/quality/rows"
)

// ListFailingRows is a page of the rows that break a rule. What the viewer sees of them is
// quality/rows' to say, and the engine's to mask.
func (h qualityRoom) ListFailingRows(ctx context.Context, req api.ListFailingRowsRequestObject) (api.ListFailingRowsResponseObject, error) {
	q := req.Params
	limit, err := limitOf(q.Limit, 50, 200)
	if err != nil {
		return nil, err
	}
	ask := h.failingAsk(ctx, req.Code, req.Rule)
	ask.Limit, ask.Cursor, ask.RefusedCursor = limit, value(q.Cursor), value(q.RefusedCursor)
	ask.Department, ask.Division, ask.Reveal, ask.Purpose = mulu.OrgCode(value(q.Department)), value(q.Division), value(q.Reveal), value(q.Purpose)
	if q.Where != nil {
		if ask.Where, err = whereOf([]byte(*q.Where)); err != nil {
			return nil, err
		}
	}
	p, err := h.Failing.Page(ctx, ask)
	if err != nil {
		return nil, err
	}
	orgs, err := h.orgs.get(ctx)
	if err != nil {
		return nil, err
	}
	return api.ListFailingRows200JSONResponse(failingPageOf(p, orgs)), nil
}

func (h qualityRoom) failingAsk(ctx context.Context, code, rule string) pipeline.FailingAsk {
	return pipeline.FailingAsk{Look: failingrows.Look{Who: passOf(ctx).actor}, Dataset: mulu.DatasetCode(code), Rule: mulu.RuleID(rule), Request: traceOf(ctx).id}
}

// whereOf reads a condition. What is wrong with it is said without its values.
func whereOf(text []byte) (p plan.Predicate, err error) {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if d.Decode(&p) != nil || d.More() {
		return plan.Predicate{}, invalid(`筛选条件 where 应为 JSON，形如 {"f":"数据项","op":"eq","v":"值"}，可用 all、any、not 组合`)
	}
	return p, nil
}

func failingPageOf(p *pipeline.FailingPage, orgs map[mulu.OrgCode]mulu.Org) api.FailingPage {
	out := api.FailingPage{
		List: p.Look.ID, Dataset: string(p.Dataset.Code), DatasetTitle: p.Dataset.Title, Rule: string(p.Rule.ID), Title: p.Rule.Title, Kind: p.Rule.Kind, Set: p.Rule.Set, Blocking: p.Rule.Blocking,
		Ruleset: int(p.Dataset.Version), Shown: api.FailingPageShown(p.Sight.Shown), NoRows: p.Rule.NoRows, Columns: []api.FailingColumn{}, Rows: []api.FailingRow{}, Next: p.Next,
		Refused: []api.FailingRow{}, RefusedNext: p.RefusedNext, Units: []api.FailingUnit{},
	}
	for _, c := range columnsOf(p.Dataset) {
		out.Columns = append(out.Columns, api.FailingColumn{Name: c.Name, Title: c.Title, Type: c.Type, Level: c.Level, Key: c.Key, Mask: string(p.Sight.Mask(c.Name))})
	}
	row := func(r api.FailingRow, unit mulu.OrgCode, id mulu.RowID, breaks []mulu.RuleID) api.FailingRow {
		r.Unit, r.UnitName, r.TopicId, r.Partition, r.Offset, r.Row = string(unit), orgName(orgs, unit), id.TopicID.String(), id.Partition, id.Offset, id.Row
		r.Breaks = append([]string{}, texts(breaks)...)
		return r
	}
	for i := range p.Rows {
		r := &p.Rows[i]
		out.Rows = append(out.Rows, row(api.FailingRow{Token: r.Token, Group: r.Group, Values: r.Values, Topic: r.Topic, Batch: r.Batch, Ruleset: int(r.Ruleset), State: api.FailingRowStateStored}, r.Unit, r.ID, r.Breaks))
	}
	for i := range p.Refused {
		r := &p.Refused[i]
		out.Refused = append(out.Refused, row(api.FailingRow{Token: r.Token, Values: r.Values, Topic: r.Topic, Batch: r.Batch, State: api.FailingRowState(r.State)}, r.Unit, r.ID, []mulu.RuleID{p.Rule.ID}))
	}
	if p.First {
		countUnits(p, orgs, &out)
	}
	return out
}

// countUnits puts both lists' counts side by side.
func countUnits(p *pipeline.FailingPage, orgs map[mulu.OrgCode]mulu.Org, out *api.FailingPage) {
	var total, refused int64
	at := map[mulu.OrgCode]int{}
	unit := func(code mulu.OrgCode) *api.FailingUnit {
		i, ok := at[code]
		if !ok {
			i = len(out.Units)
			at[code] = i
			out.Units = append(out.Units, api.FailingUnit{Unit: string(code), UnitName: orgName(orgs, code)})
		}
		return &out.Units[i]
	}
	for _, n := range p.Counts {
		unit(n.Unit).Rows, total = n.Rows, total+n.Rows
	}
	for _, n := range p.RefusedCounts {
		unit(n.Unit).Refused, refused = n.Rows, refused+n.Rows
	}
	out.Total, out.RefusedTotal, out.Unjudged = &total, &refused, &p.Unjudged
}

// ExportFailingRows hands out a signed archive of all rows that break a rule.
func (h qualityRoom) ExportFailingRows(ctx context.Context, req api.ExportFailingRowsRequestObject) (api.ExportFailingRowsResponseObject, error) {
	ask := h.failingAsk(ctx, req.Code, req.Rule)
	if b := req.Body; b != nil {
		ask.Department, ask.Division, ask.Reveal, ask.Purpose = mulu.OrgCode(value(b.Department)), value(b.Division), value(b.Reveal), value(b.Purpose)
		if b.Where != nil {
			text, err := json.Marshal(*b.Where)
			if err == nil {
				ask.Where, err = whereOf(text)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	format := value(req.Params.Format)
	if format != "" && !format.Valid() {
		return nil, invalid("format 应为 csv 或 xlsx")
	}
	e, err := h.Failing.Export(ctx, ask, format == api.ExportFailingRowsParamsFormatXlsx)
	if err != nil {
		return nil, err
	}
	return archive{ctx, e}, nil
}

// archive is an export on its way out.
type archive struct {
	ctx context.Context
	e   *pipeline.FailingExport
}

func (a archive) VisitExportFailingRowsResponse(w http.ResponseWriter) error {
	defer a.e.Close()
	l, head := &a.e.Look, w.Header()
	head.Set("Content-Type", "application/zip")
	head.Set("Content-Length", strconv.FormatInt(a.e.Bytes, 10))
	head.Set("Content-Disposition", `attachment; filename="`+fileName(string(l.Dataset)+"-"+string(l.Rule))+`.zip"`)
	head.Set("X-Mulu-Look", l.ID)
	head.Set("X-Mulu-Rows", strconv.FormatInt(l.Rows+l.Refused, 10))
	head.Set("X-Mulu-Digest", a.e.Digest)
	return a.e.Deliver(a.ctx, w)
}

func (h qualityRoom) ListLooks(ctx context.Context, req api.ListLooksRequestObject) (api.ListLooksResponseObject, error) {
	q := req.Params
	limit, err := limitOf(q.Limit, 50, 500)
	if err != nil {
		return nil, err
	}
	list, err := h.Quality.Looks(ctx, desk.LookFilter{Dataset: mulu.DatasetCode(value(q.Dataset)), Rule: mulu.RuleID(value(q.Rule)), Actor: value(q.Actor), Org: passOf(ctx).scope, Before: value(q.Cursor)}, limit+1)
	if err != nil {
		return nil, err
	}
	orgs, err := h.orgs.get(ctx)
	if err != nil {
		return nil, err
	}
	out := api.LookPage{Items: []api.Look{}}
	if len(list) > limit {
		list = list[:limit]
		out.Next = list[limit-1].ID
	}
	for i := range list {
		l := &list[i]
		item := api.Look{Id: l.ID, At: l.At, Actor: l.Actor, Org: string(l.Org), OrgName: orgName(orgs, l.Org), Role: string(l.Role), Dataset: string(l.Dataset), Rule: string(l.Rule), Ruleset: int(l.Ruleset),
			Form: api.LookForm(l.Form), Shown: api.LookShown(l.Shown), Reveal: l.Reveal, Purpose: l.Purpose, Filter: map[string]any{}, Outcome: api.LookOutcome(l.Outcome), Reason: l.Reason,
			Rows: l.Rows, Refused: l.Refused, Bytes: l.Bytes, Digest: l.Digest, Data: l.Data, Request: l.Request, ClosedAt: timeOf(l.ClosedAt)}
		if l.Interrupted(h.Now()) {
			item.Outcome = api.LookOutcomeInterrupted
		}
		if err := json.Unmarshal(l.Filter, &item.Filter); err != nil {
			return nil, err
		}
		out.Items = append(out.Items, item)
	}
	return api.ListLooks200JSONResponse(out), nil
}

func (h qualityRoom) GetBecame(ctx context.Context, req api.GetBecameRequestObject) (api.GetBecameResponseObject, error) {
	l, b, err := h.Failing.Became(ctx, passOf(ctx).actor, req.Id)
	if err != nil {
		return nil, err
	}
	return api.GetBecame200JSONResponse(becameOf(&l, b)), nil
}

func becameOf(l *desk.Look, b library.Became) api.Became {
	return api.Became{List: l.ID, Dataset: string(l.Dataset), Rule: string(l.Rule), At: b.At, Rows: b.Rows, Failing: b.Failing, Mended: b.Mended, Gone: b.Gone}
}
