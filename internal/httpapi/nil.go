package httpapi

import (
	"context"
	"time"

	"mulu"
	api "mulu/internal/httpapi/gen/submission"
)

// ReportNil takes a nil report. Rows that came in the same period are said in it: both
// stand.
func (h submissionRoom) ReportNil(ctx context.Context, r api.ReportNilRequestObject) (api.ReportNilResponseObject, error) {
	ds, err := h.ofOwn(ctx, mulu.DatasetCode(r.Body.Dataset))
	if err != nil {
		return nil, err
	}
	note := value(r.Body.Note)
	if len([]rune(note)) > 500 {
		return nil, invalid("说明最多 500 字")
	}
	totals, err := h.totals.get(ctx)
	if err != nil {
		return nil, err
	}
	var delivered time.Time
	for _, t := range totals {
		if t.Dataset == ds.Code && t.Last.After(delivered) {
			delivered = t.Last
		}
	}
	s, _, err := h.Submit.Nil(ctx, ds, value(r.Body.Period), note, passOf(ctx).actor.ID, delivered)
	if err != nil {
		return nil, err
	}
	out, err := submissionOf(&s)
	return api.ReportNil200JSONResponse(out), err
}
