package httpapi

import (
	"context"

	"mulu"
	api "mulu/internal/httpapi/gen/share"
	"mulu/share"
)

func (h shareRoom) ListNotices(ctx context.Context, req api.ListNoticesRequestObject) (api.ListNoticesResponseObject, error) {
	limit, err := limitOf(req.Params.Limit, 100, 500)
	if err != nil {
		return nil, err
	}
	p := passOf(ctx)
	list, err := h.Share.Notices(ctx, share.NoticeFilter{Org: p.scope, Grant: mulu.GrantID(value(req.Params.Grant)), Unseen: value(req.Params.Unseen), Limit: limit})
	if err != nil {
		return nil, err
	}
	out := api.ListNotices200JSONResponse{}
	for i := range list {
		n, err := h.notice(ctx, &list[i])
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func (h shareRoom) SeeNotice(ctx context.Context, req api.SeeNoticeRequestObject) (api.SeeNoticeResponseObject, error) {
	n, err := h.Share.See(ctx, passOf(ctx).actor, req.Id)
	if err != nil {
		return nil, err
	}
	out, err := h.notice(ctx, &n)
	return api.SeeNotice200JSONResponse(out), err
}

func (h shareRoom) notice(ctx context.Context, n *share.Notice) (api.Notice, error) {
	orgs, err := h.orgs.get(ctx)
	if err != nil {
		return api.Notice{}, err
	}
	datasets, err := h.datasets.get(ctx)
	if err != nil {
		return api.Notice{}, err
	}
	title := string(n.Dataset)
	for _, ds := range datasets {
		if ds.Code == n.Dataset {
			title = ds.Title
		}
	}
	who := passOf(ctx).actor
	return api.Notice{
		Id: n.ID, Grant: string(n.Grant), Org: string(n.Org), OrgName: orgName(orgs, n.Org), Withdrawal: n.Withdrawal, Dataset: string(n.Dataset), DatasetTitle: title,
		Batch: n.Batch, Reason: n.Reason, Reads: n.Reads, Rows: n.Rows, Receipts: texts(n.Receipts), FirstReadAt: n.FirstRead.UTC(), LastReadAt: n.LastRead.UTC(),
		At: n.At.UTC(), SeenAt: timeOf(n.SeenAt), SeenBy: n.SeenBy,
		MaySee: n.SeenAt.IsZero() && n.Org == who.Org.Code && (who.Role == officer || who.Role == system),
	}, nil
}
