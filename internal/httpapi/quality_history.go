package httpapi

import (
	"context"

	"mulu"
	api "mulu/internal/httpapi/gen/quality"
)

func (h qualityRoom) GetHistoryState(ctx context.Context, req api.GetHistoryStateRequestObject) (api.GetHistoryStateResponseObject, error) {
	s, err := h.historyOf(ctx, mulu.DatasetCode(req.Code))
	return api.GetHistoryState200JSONResponse(s), err
}

func (h qualityRoom) JudgeHistory(ctx context.Context, req api.JudgeHistoryRequestObject) (api.JudgeHistoryResponseObject, error) {
	code := mulu.DatasetCode(req.Code)
	if _, err := h.historyOf(ctx, code); err != nil {
		return nil, err
	}
	if err := h.note(ctx, "history.judge", req.Code); err != nil {
		return nil, err
	}
	h.History.Ask(code)
	s, err := h.historyOf(ctx, code)
	return api.JudgeHistory202JSONResponse(s), err
}

func (h qualityRoom) historyOf(ctx context.Context, code mulu.DatasetCode) (api.HistoryState, error) {
	s, err := h.History.State(ctx, code)
	out := api.HistoryState{State: api.HistoryStateState(s.State), Why: s.Why, Rows: s.Rows, Total: max(s.Total, s.Rows), Error: s.Error, Since: timeOf(s.Since)}
	if l := s.Last; l != nil {
		out.Last = &api.HistoryJudged{Version: int(l.Version), AsOf: l.AsOf.UTC(), At: l.At.UTC(), Rows: l.Rows, Differ: l.Differ, Void: l.Void}
	}
	return out, err
}
