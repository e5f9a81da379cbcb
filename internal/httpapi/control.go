package httpapi

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"mulu"
	"mulu/ingest"
	api "mulu/internal/httpapi/gen/ingest"
)

// known is a dataset that is applied, or mulu.ErrNotFound.
func (h ingestRoom) known(ctx context.Context, code string) (*mulu.Dataset, error) {
	datasets, err := h.datasets.get(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range datasets {
		if string(d.Code) == code {
			return d, nil
		}
	}
	return nil, fmt.Errorf("没有数据集 %q: %w", code, mulu.ErrNotFound)
}

// note puts what a person decided about the way in on the trail, with the reason,
// which must not be empty.
func (h ingestRoom) note(ctx context.Context, what, object, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return fmt.Errorf("请写明理由 / a reason is needed: %w", mulu.ErrInvalid)
	}
	p := passOf(ctx)
	return h.Auth.Note(ctx, what, p.actor.ID, p.from, object+": "+reason)
}

func (h ingestRoom) PauseDataset(ctx context.Context, r api.PauseDatasetRequestObject) (api.PauseDatasetResponseObject, error) {
	d, err := h.known(ctx, r.Code)
	if err != nil {
		return nil, err
	}
	if err := h.note(ctx, "ingest.pause", r.Code, r.Body.Reason); err != nil {
		return nil, err
	}
	return api.PauseDataset204Response{}, h.Journal.Pause(ctx, ingest.Pause{Dataset: d.Code, Reason: r.Body.Reason, By: passOf(ctx).actor.ID})
}

func (h ingestRoom) ResumeDataset(ctx context.Context, r api.ResumeDatasetRequestObject) (api.ResumeDatasetResponseObject, error) {
	d, err := h.known(ctx, r.Code)
	if err != nil {
		return nil, err
	}
	if err := h.note(ctx, "ingest.resume", r.Code, r.Body.Reason); err != nil {
		return nil, err
	}
	return api.ResumeDataset204Response{}, h.Journal.Unpause(ctx, d.Code)
}

func (h ingestRoom) ListHolds(ctx context.Context, r api.ListHoldsRequestObject) (api.ListHoldsResponseObject, error) {
	list, err := h.Journal.Holds(ctx, r.Params.All != nil && *r.Params.All)
	if err != nil {
		return nil, err
	}
	raw := seesRejects(passOf(ctx).actor.Role)
	out := api.ListHolds200JSONResponse{}
	for i := range list {
		v := &list[i]
		p := &v.Plan
		hold := api.Hold{
			Dataset: string(p.Dataset), Topic: p.Topic, TopicId: p.TopicID.String(), Partition: p.Partition, First: p.First, Last: p.Last, Version: int64(p.Version),
			Records: v.Records, Failed: v.Failed, Class: v.Class, Field: v.Field, Offset: v.Offset, At: v.At,
			Decision: api.HoldDecision(v.Decision), ToVersion: int64(v.Version), Note: v.Note, DecidedBy: v.DecidedBy, DecidedAt: timeOf(v.DecidedAt),
		}
		if raw {
			hold.Reason = v.Reason
		}
		out = append(out, hold)
	}
	return out, nil
}

func (h ingestRoom) ReleaseHold(ctx context.Context, r api.ReleaseHoldRequestObject) (api.ReleaseHoldResponseObject, error) {
	id, err := topicID(r.Body.TopicId)
	if err != nil {
		return nil, err
	}
	list, err := h.Journal.Holds(ctx, false)
	if err != nil {
		return nil, err
	}
	released := false
	for i := range list {
		p := &list[i].Plan
		if p.TopicID != id || r.Body.Partition != nil && p.Partition != *r.Body.Partition {
			continue
		}
		if err := h.release(ctx, r.Body, p); err != nil {
			return nil, err // those before are released: asking again does the rest
		}
		released = true
	}
	if !released {
		return nil, fmt.Errorf("分区没有待审 / no hold is open: %w", mulu.ErrNotFound)
	}
	return api.ReleaseHold204Response{}, nil
}

// release answers the hold of one partition.
func (h ingestRoom) release(ctx context.Context, r *api.Release, p *mulu.Plan) error {
	version, err := h.releaseVersion(ctx, r, p)
	if err != nil {
		return err
	}
	if err := h.note(ctx, "ingest.release", fmt.Sprintf("%s %s %d", p.BatchID, r.Decision, version), r.Note); err != nil {
		return err
	}
	return h.Journal.Release(ctx, p.TopicID, p.Partition, ingest.Decision(r.Decision), version, passOf(ctx).actor.ID, r.Note)
}

// releaseVersion is the version a hold is released with: it must have been applied.
func (h ingestRoom) releaseVersion(ctx context.Context, r *api.Release, p *mulu.Plan) (uint32, error) {
	if r.Decision != api.ReleaseDecisionVersion {
		return 0, nil
	}
	if r.Version == nil {
		return 0, fmt.Errorf("改用新版本时须给出 version / version is missing: %w", mulu.ErrInvalid)
	}
	version := uint32(*r.Version) //nolint:gosec // the document bounds it
	if _, err := h.Catalog.Dataset(ctx, p.Dataset, version); err != nil {
		return 0, fmt.Errorf("数据集 %s 没有版本 %d，请先用 mulu apply 登记: %w", p.Dataset, version, err)
	}
	return version, nil
}

func (h ingestRoom) AcceptTopic(ctx context.Context, r api.AcceptTopicRequestObject) (api.AcceptTopicResponseObject, error) {
	if _, ok, err := h.Journal.KnownAs(ctx, r.Body.Topic); err != nil {
		return nil, err
	} else if !ok {
		return nil, neverRead(r.Body.Topic)
	}
	if err := h.note(ctx, "ingest.accept", r.Body.Topic, r.Body.Reason); err != nil {
		return nil, err
	}
	return api.AcceptTopic204Response{}, h.Journal.Retire(ctx, r.Body.Topic, passOf(ctx).actor.ID, r.Body.Reason)
}

func (h ingestRoom) SkipOffsets(ctx context.Context, r api.SkipOffsetsRequestObject) (api.SkipOffsetsResponseObject, error) {
	id, ok, err := h.Journal.KnownAs(ctx, r.Body.Topic)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, neverRead(r.Body.Topic)
	}
	if err := h.note(ctx, "ingest.skip", fmt.Sprintf("%s/%d → %d", r.Body.Topic, r.Body.Partition, r.Body.Next), r.Body.Reason); err != nil {
		return nil, err
	}
	return api.SkipOffsets204Response{}, h.Journal.Skip(ctx, id, r.Body.Partition, r.Body.Next, passOf(ctx).actor.ID, r.Body.Reason)
}

func neverRead(topic string) error {
	return fmt.Errorf("主题 %q 没有读取过，请核对名称 / nothing was read of this topic: %w", topic, mulu.ErrInvalid)
}

func (h ingestRoom) ListIngestNotices(ctx context.Context, r api.ListIngestNoticesRequestObject) (api.ListIngestNoticesResponseObject, error) {
	code := mulu.DatasetCode("")
	if r.Params.Dataset != nil {
		code = mulu.DatasetCode(*r.Params.Dataset)
	}
	list, err := h.Journal.Notices(ctx, code)
	if err != nil {
		return nil, err
	}
	out := api.ListIngestNotices200JSONResponse{}
	for _, n := range list {
		d, err := h.own(ctx, n.Dataset)
		if err != nil {
			continue // not theirs to see, or no longer applied
		}
		out = append(out, api.IngestNotice{Dataset: string(n.Dataset), Title: d.Title, Kind: api.IngestNoticeKind(n.Kind), Subject: n.Subject,
			Detail: n.Detail, FirstAt: n.First, LastAt: n.Last, Seen: !n.Seen.IsZero(), SeenBy: n.SeenBy})
	}
	return out, nil
}

// own is the dataset if the caller may see its notices: an officer its own
// organisation's.
func (h ingestRoom) own(ctx context.Context, code mulu.DatasetCode) (*mulu.Dataset, error) {
	d, err := h.known(ctx, string(code))
	if err != nil {
		return nil, err
	}
	if scope := passOf(ctx).scope; scope != "" && d.Owner != scope {
		return nil, fmt.Errorf("数据集 %q 不属于本单位: %w", code, mulu.ErrNotFound)
	}
	return d, nil
}

func (h ingestRoom) SeeIngestNotice(ctx context.Context, r api.SeeIngestNoticeRequestObject) (api.SeeIngestNoticeResponseObject, error) {
	if r.Body.Dataset == "" || r.Body.Subject == "" {
		return nil, fmt.Errorf("请给出数据集和告知的对象 / name the dataset and the subject: %w", mulu.ErrInvalid)
	}
	d, err := h.own(ctx, mulu.DatasetCode(r.Body.Dataset))
	if err != nil {
		return nil, err
	}
	return api.SeeIngestNotice204Response{}, h.Journal.SeeNotice(ctx, d.Code, string(r.Body.Kind), r.Body.Subject, passOf(ctx).actor.ID)
}

// topicID reads the broker's identity of a topic, 32 hex digits.
func topicID(s string) (id mulu.TopicID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("主题标识 %q 应为 32 位十六进制: %w", s, mulu.ErrInvalid)
	}
	copy(id[:], b)
	return id, nil
}
