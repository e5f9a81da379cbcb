package httpapi

import (
	"context"
	"fmt"

	"mulu"
	"mulu/ingest"
	api "mulu/internal/httpapi/gen/ingest"
	"mulu/pipeline"
)

// differenceTitles says what differs.
var differenceTitles = map[string]string{
	ingest.SourceChanged: "源端内容与归集时不同", ingest.SourceShort: "源端短缺", ingest.BatchMissing: "缺清单", ingest.BatchOverlaps: "清单重叠",
	ingest.ManifestDiffers: "清单与数据不符", ingest.RejectMissing: "缺问题数据", ingest.RejectExtra: "多问题数据", ingest.RejectAltered: "问题数据被改",
	ingest.RowStale: "现势表与历史不一致", "row_missing": "缺行", "row_extra": "多行", "row_altered": "行内容不同",
}

func (h ingestRoom) ListStatements(ctx context.Context, req api.ListStatementsRequestObject) (api.ListStatementsResponseObject, error) {
	limit, err := limitOf(req.Params.Limit, 20, 200)
	if err != nil {
		return nil, err
	}
	scope := passOf(ctx).scope
	list, err := h.Desk.Statements.List(ctx, ingest.StatementFilter{
		Dataset: mulu.DatasetCode(value(req.Params.Dataset)), Owner: scope, Verdict: ingest.Verdict(value(req.Params.Verdict)), Before: value(req.Params.Cursor), Limit: limit + 1,
	})
	if err != nil {
		return nil, err
	}
	names, err := h.sumNames(ctx)
	if err != nil {
		return nil, err
	}
	page := api.StatementPage{Items: []api.StatementRow{}, Open: []api.OpenDifference{}}
	if len(list) > limit {
		list = list[:limit]
		page.Next = list[limit-1].ID
	}
	for i := range list {
		st := &list[i]
		page.Items = append(page.Items, api.StatementRow{Id: st.ID, Actor: st.Actor, Started: st.Started, Finished: st.Finished, Verdict: api.Verdict(st.Verdict), Rest: st.Rest, Datasets: sumsOf(st.Datasets, names)})
	}
	open, err := h.Desk.Statements.Open(ctx, scope)
	if err != nil {
		return nil, err
	}
	for _, o := range open {
		page.Open = append(page.Open, api.OpenDifference{Dataset: string(o.Dataset), Partition: o.Partition, First: o.First, Last: o.Last, Statement: o.Statement, Since: o.Since})
	}
	run, last := h.Desk.State()
	page.Last, page.Run = timeOf(last), runOf(run)
	return api.ListStatements200JSONResponse(page), nil
}

func runOf(r *pipeline.Running) *api.ReconcileRun {
	if r == nil {
		return nil
	}
	out := &api.ReconcileRun{Id: r.ID, Actor: r.Actor, Started: r.Started, Done: r.Done, Total: r.Total}
	if r.Err != nil {
		if out.Error = sentence(r.Err); out.Error == "" {
			out.Error = "对账中断，请运维人员查看服务日志"
		}
	}
	return out
}

func (h ingestRoom) Reconcile(ctx context.Context, req api.ReconcileRequestObject) (api.ReconcileResponseObject, error) {
	scope := ingest.Scope{All: value(req.Body.All), From: value(req.Body.From), To: value(req.Body.To)}
	switch {
	case (req.Body.From == nil) != (req.Body.To == nil):
		return nil, invalid("from 与 to 须同时给出")
	case scope.From > scope.To || scope.From < 0:
		return nil, invalid("from 应不大于 to，且不小于 0")
	case scope.All && req.Body.To != nil:
		return nil, invalid("all 与位点范围不能同时给出")
	case req.Body.To != nil && scope.To == 0:
		return nil, invalid("to 应大于 0")
	}
	if code := mulu.DatasetCode(value(req.Body.Dataset)); code != "" {
		if h.Library.Dataset(code) == nil {
			return nil, fmt.Errorf("没有数据集 %s: %w", code, mulu.ErrNotFound)
		}
		scope.Datasets = []mulu.DatasetCode{code}
	}
	actor := passOf(ctx).actor
	id, err := h.Desk.Start(actor.ID, scope)
	if err != nil {
		return nil, err
	}
	return api.Reconcile202JSONResponse{Id: id, Actor: actor.ID, Started: h.Now().UTC()}, nil
}

func (h ingestRoom) GetStatement(ctx context.Context, req api.GetStatementRequestObject) (api.GetStatementResponseObject, error) {
	scope := passOf(ctx).scope
	if run, _ := h.Desk.State(); run != nil && run.ID == req.Id && scope == "" {
		state := api.StatementAnswerStateRunning
		if run.Err != nil {
			state = api.StatementAnswerStateFailed
		}
		return api.GetStatement200JSONResponse{State: state, Run: runOf(run)}, nil
	}
	st, err := h.Desk.Statements.Get(ctx, req.Id, scope)
	if err != nil {
		return nil, err
	}
	names, err := h.sumNames(ctx)
	if err != nil {
		return nil, err
	}
	out := statementOf(st, names)
	out.Partial = scope != ""
	return api.GetStatement200JSONResponse{State: api.StatementAnswerStateDone, Statement: &out}, nil
}

// sumNames gives the titles of datasets and the names of organisations by code.
func (h ingestRoom) sumNames(ctx context.Context) (map[string]string, error) {
	datasets, err := h.datasets.get(ctx)
	if err != nil {
		return nil, err
	}
	orgs, err := h.orgs.get(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, ds := range datasets {
		names[string(ds.Code)] = ds.Title
	}
	for code := range orgs {
		names[string(code)] = orgName(orgs, code)
	}
	return names, nil
}

func statementOf(st *ingest.Statement, names map[string]string) api.Statement {
	out := api.Statement{Id: st.ID, Actor: st.Actor, All: st.Scope.All, Started: st.Started, Finished: st.Finished, Verdict: api.Verdict(st.Verdict), Rest: st.Rest, Digest: st.Digest,
		Datasets: sumsOf(st.Datasets, names), Owners: sumsOf(st.Owners, names), Lines: []api.StatementLine{}}
	for i := range st.Lines {
		l := &st.Lines[i]
		line := api.StatementLine{Dataset: string(l.Dataset), Title: l.Title, Owner: string(l.Owner), OwnerName: names[string(l.Owner)], Topic: l.Topic, TopicId: l.TopicID, Partition: l.Partition,
			From: l.From, To: l.To, Waiting: l.Waiting, Verdict: api.Verdict(l.Verdict), Batches: l.Batches, Source: sideOf(l.Source), Landed: sideOf(l.Landed), Notes: l.Notes,
			Differing: []api.StatementBatch{}, More: l.More}
		for _, b := range l.Differing {
			line.Differing = append(line.Differing, statementBatch(b))
		}
		out.Lines = append(out.Lines, line)
	}
	return out
}

func statementBatch(b ingest.BatchLine) api.StatementBatch {
	out := api.StatementBatch{First: b.First, Last: b.Last, Version: int64(b.Version), Verdict: api.Verdict(b.Verdict), Source: sideOf(b.Source), Landed: sideOf(b.Landed), Note: b.Note, Differences: []api.Difference{}, More: b.More}
	for _, d := range b.Differences {
		fields := d.Fields
		if fields == nil {
			fields = []string{}
		}
		out.Differences = append(out.Differences, api.Difference{Kind: d.Kind, Title: differenceTitles[d.Kind], Offset: d.Offset, Last: d.Last, Row: d.Row, Fields: fields, Note: d.Note})
	}
	return out
}

func sideOf(s ingest.Side) api.StatementSide {
	return api.StatementSide{Offsets: s.Offsets, Records: s.Records, Control: s.Control, Bytes: s.Bytes, Good: s.Good, Rejected: s.Rejected, Rows: s.Rows, Digest: s.Digest, Content: s.Content}
}

func sumsOf(list []ingest.Sum, names map[string]string) []api.StatementSum {
	out := []api.StatementSum{}
	for _, s := range list {
		out = append(out, api.StatementSum{Code: s.Code, Title: names[s.Code], Verdict: api.Verdict(s.Verdict), Lines: s.Lines, Batches: s.Batches, Waiting: s.Waiting, Source: sideOf(s.Source), Landed: sideOf(s.Landed)})
	}
	return out
}
