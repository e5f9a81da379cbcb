package httpapi

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mulu"
	api "mulu/internal/httpapi/gen/submission"

	"mulu/ingest/table"
)

// fillWay says where a way takes its rows from and when.
func (h submissionRoom) fillWay(ctx context.Context, out *api.Way, w *mulu.Way) error {
	switch w.Kind {
	case mulu.WayFile:
		folder := w.Folder
		if folder == "" {
			folder = out.Dataset
		}
		out.Source, out.Schedule = "投递目录 "+folder, "随到随取"
	case mulu.WayHTTP:
		out.Source = "接口 POST /v1/ingest/" + out.Dataset
	case mulu.WayPackage:
		out.Source = "离线包"
	case mulu.WayTable:
		return h.fillTable(ctx, out, w)
	}
	return nil
}

func (h submissionRoom) fillTable(ctx context.Context, out *api.Way, w *mulu.Way) error {
	out.Source, out.Schedule = "库表 "+w.Connection+":"+w.Table, table.Say(w)
	if h.Tables == nil {
		return nil
	}
	s, err := h.Tables.State(ctx, mulu.DatasetCode(out.Dataset), w.Name)
	if err != nil {
		return err
	}
	next, behind, err := table.Due(w, &s, h.Now())
	if err != nil {
		return err
	}
	next = next.UTC()
	seconds := int64(behind / time.Second)
	out.Next, out.Behind, out.Running, out.Asked = &next, &seconds, s.Running, !s.Asked.IsZero()
	if s.Failure != "" {
		out.Failure = &s.Failure
	}
	return nil
}

func (h submissionRoom) RunWay(ctx context.Context, r api.RunWayRequestObject) (api.RunWayResponseObject, error) {
	d, err := h.ofOwn(ctx, mulu.DatasetCode(r.Dataset))
	if err != nil {
		return nil, err
	}
	ways, err := h.Submit.Ways(ctx, d.Code)
	if err != nil {
		return nil, err
	}
	var tables []string
	for _, w := range ways {
		if w.Kind != mulu.WayTable {
			continue
		}
		tables = append(tables, w.Name)
		if w.Name == r.Name && string(r.Kind) == string(w.Kind) {
			agree := r.Body != nil && value(r.Body.AgreeDeletions)
			return api.RunWay202Response{}, h.Tables.Ask(ctx, d.Code, w.Name, passOf(ctx).actor.ID, agree)
		}
	}
	if len(tables) == 0 {
		return nil, fmt.Errorf("数据集 %s 没有声明库表方式，无表可取；请先在其声明的 ways 中写明 kind: table: %w", d.Code, mulu.ErrNotFound)
	}
	return nil, fmt.Errorf("数据集 %s 没有 %s/%s；可以立即取数的库表方式有：%s: %w", d.Code, r.Kind, r.Name, strings.Join(tables, "、"), mulu.ErrNotFound)
}
