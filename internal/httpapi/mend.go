package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"mulu"
	"mulu/ingest"
	api "mulu/internal/httpapi/gen/dataset"
	"mulu/library"
	"mulu/pipeline"
)

// correctTime bounds a correction that goes on after whoever asked went away.
const correctTime = 2 * exportTime

// correcting is a context for what is finished once it is begun: the caller may leave.
func correcting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), correctTime)
}

func rejectOf(r *library.StoredReject, raw bool) api.Reject {
	out := api.Reject{
		Dataset: string(r.Dataset), Topic: r.Batch.Topic, TopicId: r.Batch.TopicID.String(), Partition: r.Batch.Partition, Offset: r.Offset, Row: r.Row, Class: r.Class,
		Rule: string(r.Rule), Field: r.Field, Reason: hideValue(r.Reason), Masked: !raw, At: r.At.UTC(), Time: timeOf(r.Time), State: api.RejectState(r.State),
	}
	if raw {
		out.Reason = r.Reason
		out.Key, out.Value = base64.StdEncoding.EncodeToString(r.Key), base64.StdEncoding.EncodeToString(r.Value)
	}
	if m := r.Mend; m != nil {
		out.Mend = &api.Mend{Closed: m.Closed, Edited: m.Edited, Version: int64(m.Version), Class: m.Class, Rule: string(m.Rule), Field: m.Field,
			Reason: hideValue(m.Reason), Actor: m.Actor, Why: m.Why, At: m.At.UTC()}
		if raw {
			out.Mend.Reason, out.Mend.Value = m.Reason, base64.StdEncoding.EncodeToString(m.Value)
		}
	}
	return out
}

// ReplayRejects brings mended rejects in, those that are named or a page of those
// that a filter selects.
func (h datasetRoom) ReplayRejects(ctx context.Context, req api.ReplayRejectsRequestObject) (api.ReplayRejectsResponseObject, error) {
	b := req.Body
	who := passOf(ctx)
	if strings.TrimSpace(b.Why) == "" {
		return nil, invalid("请说明如何处理（why）")
	}
	ask := pipeline.Mending{Dataset: mulu.DatasetCode(b.Dataset), Version: uint32(value(b.Version)), Actor: who.actor.ID, Why: b.Why, DryRun: value(b.DryRun)}
	next := ""
	var err error
	switch {
	case b.Items != nil && b.Filter != nil:
		return nil, invalid("items 与 filter 只能给出一个")
	case b.Items != nil:
		ask.Rows, err = mendedOf(*b.Items)
	case b.Filter != nil:
		ask.Rows, next, err = h.selected(ctx, b)
	default:
		return nil, invalid("请给出 items 或 filter")
	}
	if err != nil {
		return nil, err
	}
	work, cancel := correcting(ctx)
	defer cancel()
	list, err := h.Mender.Replay(work, ask)
	if err != nil {
		return nil, err
	}
	out := reportOf(list, next)
	if !ask.DryRun {
		detail := fmt.Sprintf("%s: %d replayed, %d faulty, %d declined", b.Dataset, out.Replayed, out.Faulty, out.Declined)
		if err := h.Auth.Note(work, "reject.replay", who.actor.ID, who.from, detail); err != nil {
			return nil, err
		}
	}
	return api.ReplayRejects200JSONResponse(out), nil
}

func mendedOf(items []api.ReplayItem) ([]pipeline.Mended, error) {
	if len(items) > pipeline.MaxMend {
		return nil, invalid("一次最多重放 %d 条", pipeline.MaxMend)
	}
	rows := make([]pipeline.Mended, len(items))
	for i, it := range items {
		b, err := hex.DecodeString(it.TopicId)
		if err != nil || len(b) != len(rows[i].Row.TopicID) {
			return nil, invalid("第 %d 条的主题标识 topic_id 应为 32 位十六进制", i+1)
		}
		copy(rows[i].Row.TopicID[:], b)
		rows[i].Row.Partition, rows[i].Row.Offset, rows[i].Row.Row = it.Partition, it.Offset, it.Row
		if it.Value == nil {
			continue
		}
		if rows[i].Value, err = base64.StdEncoding.DecodeString(*it.Value); err != nil {
			return nil, invalid("第 %d 条的 value 不是 base64", i+1)
		}
		rows[i].Edited = true
	}
	return rows, nil
}

// selected is one page of the open rejects that a filter selects.
func (h datasetRoom) selected(ctx context.Context, b *api.ReplayAsk) (rows []pipeline.Mended, next string, err error) {
	limit, err := limitOf(b.Limit, 500, pipeline.MaxMend)
	if err != nil {
		return nil, "", err
	}
	f := library.RejectFilter{Dataset: mulu.DatasetCode(b.Dataset), State: library.RejectOpen, Class: value(b.Filter.Class), Rule: mulu.RuleID(value(b.Filter.Rule)), Field: value(b.Filter.Field),
		Text: value(b.Filter.Text), From: value(b.Filter.From), To: value(b.Filter.To)}
	list, next, err := h.Library.Rejects(ctx, f, value(b.Cursor), limit)
	for i := range list {
		rows = append(rows, pipeline.Mended{Row: list[i].ID()})
	}
	return rows, next, err
}

func reportOf(list []pipeline.Mend, next string) api.ReplayReport {
	out := api.ReplayReport{Items: []api.ReplayOutcome{}, Next: next}
	for _, m := range list {
		switch m.Outcome {
		case pipeline.Replayed:
			out.Replayed++
		case pipeline.Fit:
			out.Fit++
		case pipeline.Faulty:
			out.Faulty++
		case pipeline.Declined:
			out.Declined++
		}
		out.Items = append(out.Items, api.ReplayOutcome{
			Row:     api.RowID{TopicId: m.Row.TopicID.String(), Partition: m.Row.Partition, Offset: m.Row.Offset, Row: m.Row.Row},
			Outcome: api.ReplayOutcomeOutcome(m.Outcome), Class: m.Class, Rule: string(m.Rule), Field: m.Field, Reason: m.Reason,
		})
	}
	return out
}

func (h datasetRoom) ListBatches(ctx context.Context, req api.ListBatchesRequestObject) (api.ListBatchesResponseObject, error) {
	limit, err := limitOf(req.Params.Limit, 50, 500)
	if err != nil {
		return nil, err
	}
	if _, err := h.Catalog.Dataset(ctx, mulu.DatasetCode(req.Code), 0); err != nil {
		return nil, err
	}
	list, next, err := h.Library.Batches(ctx, library.BatchFilter{Dataset: mulu.DatasetCode(req.Code), Partition: -1, First: -1}, value(req.Params.Cursor), limit)
	if err != nil {
		return nil, err
	}
	page := api.BatchPage{Items: []api.Batch{}, Next: next}
	for i := range list {
		b := &list[i]
		item := api.Batch{Id: b.BatchID.String(), Topic: b.Topic, TopicId: b.TopicID.String(), Partition: b.Partition, First: b.First, Last: b.Last, Version: int64(b.Version),
			Good: b.Good, Rejected: b.Rejected, Control: b.Control, Rows: b.Rows, Bytes: b.Bytes, At: b.At.UTC(), State: api.BatchStateDone,
			Withdrawal: b.WithdrawnID, Why: b.Why, WithdrawnAt: timeOf(b.WithdrawnAt)}
		if b.WithdrawnID != "" {
			item.State = api.BatchStateWithdrawn
		}
		page.Items = append(page.Items, item)
	}
	return api.ListBatches200JSONResponse(page), nil
}

func (h datasetRoom) ListWithdrawals(ctx context.Context, req api.ListWithdrawalsRequestObject) (api.ListWithdrawalsResponseObject, error) {
	limit, err := limitOf(req.Params.Limit, 50, 500)
	if err != nil {
		return nil, err
	}
	list, err := h.Withdrawer.Journal.Withdrawals(ctx, mulu.DatasetCode(value(req.Params.Dataset)), limit)
	if err != nil {
		return nil, err
	}
	out := api.ListWithdrawals200JSONResponse{}
	for i := range list {
		out = append(out, withdrawalOf(&list[i]))
	}
	return out, nil
}

func withdrawalOf(w *ingest.Withdrawal) api.Withdrawal {
	return api.Withdrawal{Id: w.ID, Dataset: string(w.Dataset), Batch: w.Batch.String(), Actor: w.Actor, Reason: w.Reason, Restore: w.Restore, Rows: w.Rows, Keys: w.Keys,
		Restored: w.Restored, Gone: w.Keys - w.Restored, Notices: w.Notices, At: w.At.UTC(), DoneAt: timeOf(w.Done)}
}

func (h datasetRoom) WithdrawBatch(ctx context.Context, req api.WithdrawBatchRequestObject) (api.WithdrawBatchResponseObject, error) {
	b := req.Body
	who := passOf(ctx)
	if strings.TrimSpace(b.Reason) == "" {
		return nil, invalid("请说明撤回理由，它会写入给取用单位的通知")
	}
	t, err := takingOf(b.Batch)
	if err != nil {
		return nil, err
	}
	t.Dataset, t.Actor, t.Reason, t.Restore, t.DryRun = mulu.DatasetCode(b.Dataset), who.actor.ID, b.Reason, b.Restore == nil || *b.Restore, value(b.DryRun)
	work, cancel := correcting(ctx)
	defer cancel()
	w, err := h.Withdrawer.Withdraw(work, t)
	if err != nil {
		return nil, err
	}
	if !t.DryRun {
		if err := h.Auth.Note(work, "batch.withdraw", who.actor.ID, who.from, w.ID+" "+b.Dataset+" "+w.Batch.String()); err != nil {
			return nil, err
		}
	}
	return api.WithdrawBatch200JSONResponse(withdrawalOf(&w)), nil
}

// takingOf reads topic/partition/first-last.
func takingOf(s string) (t pipeline.Taking, err error) {
	bad := invalid("批次编号 %q 应形如 主题/分区/首位置-末位置", s)
	topic, rest, ok1 := strings.Cut(s, "/")
	partition, span, ok2 := strings.Cut(rest, "/")
	first, last, ok3 := strings.Cut(span, "-")
	p, err1 := strconv.ParseInt(partition, 10, 32)
	a, err2 := strconv.ParseInt(first, 10, 64)
	b, err3 := strconv.ParseInt(last, 10, 64)
	if !ok1 || !ok2 || !ok3 || topic == "" || err1 != nil || err2 != nil || err3 != nil || p < 0 || a < 0 || b < a {
		return t, bad
	}
	return pipeline.Taking{Topic: topic, Partition: int32(p), First: a, Last: b}, nil
}

// correctionsOf sums what people corrected, by dataset.
func correctionsOf(list []library.Correction) map[mulu.DatasetCode]library.Correction {
	m := map[mulu.DatasetCode]library.Correction{}
	for _, c := range list {
		s := m[c.Dataset]
		s.Replayed += c.Replayed
		s.WithdrawnGood += c.WithdrawnGood
		s.WithdrawnRejected += c.WithdrawnRejected
		m[c.Dataset] = s
	}
	return m
}

// filterOf reads the filter of the list. Text is sought in the original bytes: only
// who may read them may ask for it.
func filterOf(q api.ListRejectsParams, raw bool) (library.RejectFilter, error) {
	f := library.RejectFilter{Dataset: mulu.DatasetCode(value(q.Dataset)), State: string(value(q.State)), Class: value(q.Class), Rule: mulu.RuleID(value(q.Rule)), Field: value(q.Field),
		Text: value(q.Text), From: value(q.From), To: value(q.To), Partition: q.Partition, Offset: q.Offset}
	if f.Text != "" && !raw {
		return f, fmt.Errorf("当前角色不能看原值，也就不能按文字查找: %w", mulu.ErrDenied)
	}
	switch f.State {
	case "", library.RejectOpen, library.RejectDraft, library.RejectClosed, library.RejectWithdrawn:
		return f, nil
	}
	return f, invalid("没有状态 %q", f.State)
}
