package httpapi

import (
	"context"
	"encoding/json"
	"fmt"

	"mulu"
	"mulu/ingest/submit"
	api "mulu/internal/httpapi/gen/submission"
)

// submissionRoom serves what comes in by other ways than Kafka.
type submissionRoom struct{ *house }

// ofOwn gives a dataset that the caller may see, or mulu.ErrNotFound.
func (h submissionRoom) ofOwn(ctx context.Context, code mulu.DatasetCode) (*mulu.Dataset, error) {
	datasets, err := h.datasets.get(ctx)
	if err != nil {
		return nil, err
	}
	scope := passOf(ctx).scope
	for _, d := range datasets {
		if d.Code == code && (scope == "" || d.Owner == scope) {
			return d, nil
		}
	}
	return nil, fmt.Errorf("没有数据集 %q，或它不属于本单位: %w", code, mulu.ErrNotFound)
}

func (h submissionRoom) ListWays(ctx context.Context, _ api.ListWaysRequestObject) (api.ListWaysResponseObject, error) {
	ways, err := h.Submit.Ways(ctx, "")
	if err != nil {
		return nil, err
	}
	pauses, err := h.Journal.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	paused := map[mulu.DatasetCode]bool{}
	for _, p := range pauses {
		paused[p.Dataset] = true
	}
	out := api.ListWays200JSONResponse{}
	for _, w := range ways {
		d, err := h.ofOwn(ctx, w.Dataset)
		if err != nil {
			continue
		}
		way := api.Way{Dataset: string(w.Dataset), Title: d.Title, Owner: string(d.Owner), Kind: api.WayKind(w.Kind), Name: w.Name, Paused: paused[w.Dataset]}
		if err := h.fillWay(ctx, &way, &w.Way); err != nil {
			return nil, err
		}
		last, err := h.Submit.List(ctx, submit.Filter{Dataset: w.Dataset, Way: w.Kind, Name: nameIn(ways, w)}, 1)
		if err != nil {
			return nil, err
		}
		if len(last) > 0 {
			s, err := submissionOf(&last[0])
			if err != nil {
				return nil, err
			}
			way.Last = &s
		}
		out = append(out, way)
	}
	return out, nil
}

// nameIn is the name by which submissions of a way are found: none where it is the only
// one of its kind that people deliver by, since what came before it was declared has none.
func nameIn(ways []submit.Declared, w submit.Declared) string {
	n := 0
	for _, other := range ways {
		if other.Dataset == w.Dataset && other.Kind == w.Kind {
			n++
		}
	}
	if n == 1 && w.Kind != mulu.WayTable {
		return ""
	}
	return w.Name
}

func (h submissionRoom) ListSubmissions(ctx context.Context, r api.ListSubmissionsRequestObject) (api.ListSubmissionsResponseObject, error) {
	q := r.Params
	f := submit.Filter{Dataset: mulu.DatasetCode(value(q.Dataset)), Way: mulu.WayKind(value(q.Way)), Name: value(q.Name), State: string(value(q.State)), Before: value(q.Before)}
	f.Owned = passOf(ctx).scope != ""
	if f.Owned {
		datasets, err := h.datasets.get(ctx)
		if err != nil {
			return nil, err
		}
		for _, d := range datasets {
			if d.Owner == passOf(ctx).scope {
				f.Of = append(f.Of, d.Code)
			}
		}
	}
	limit, err := limitOf(q.Limit, 50, 500)
	if err != nil {
		return nil, err
	}
	list, err := h.Submit.List(ctx, f, limit)
	if err != nil {
		return nil, err
	}
	out := api.ListSubmissions200JSONResponse{}
	for i := range list {
		s, err := submissionOf(&list[i])
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (h submissionRoom) GetSubmission(ctx context.Context, r api.GetSubmissionRequestObject) (api.GetSubmissionResponseObject, error) {
	s, err := h.submission(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	out, err := submissionOf(&s)
	return api.GetSubmission200JSONResponse(out), err
}

// submission is one that the caller may see, or mulu.ErrNotFound.
func (h submissionRoom) submission(ctx context.Context, id string) (submit.Submission, error) {
	s, err := h.Submit.Get(ctx, id)
	if err == nil {
		_, err = h.ofOwn(ctx, s.Dataset)
	}
	return s, err
}

func submissionOf(s *submit.Submission) (api.Submission, error) {
	out := api.Submission{
		Id: s.ID, Dataset: string(s.Dataset), Way: api.SubmissionWay(s.Way), Name: s.Name, Source: s.Source, Digest: s.Digest, Period: s.Period, By: s.By,
		State: api.SubmissionState(s.State), Reason: s.Reason, Total: s.Total, Rows: s.Rows, Good: s.Good, Rejected: s.Rejected, OpenedAt: s.OpenedAt.UTC(),
		SentAt: timeOf(s.SentAt), LandedAt: timeOf(s.LandedAt),
	}
	if err := json.Unmarshal(s.Report, &out.Report); err != nil {
		return out, fmt.Errorf("read report of submission %s: %w", s.ID, err)
	}
	return out, nil
}
