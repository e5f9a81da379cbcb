package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mulu"
	api "mulu/internal/httpapi/gen/system"
)

// systemRoom says how the house is.
type systemRoom struct{ *house }

// probeTime is how long a part may take to say that it works.
const probeTime = 3 * time.Second

func (h systemRoom) Healthz(context.Context, api.HealthzRequestObject) (api.HealthzResponseObject, error) {
	return api.Healthz200TextResponse("ok\n"), nil
}

func (h systemRoom) Readyz(ctx context.Context, _ api.ReadyzRequestObject) (api.ReadyzResponseObject, error) {
	for _, c := range h.components(ctx) {
		if !c.Ok {
			return nil, fmt.Errorf("%s未就绪: %w", c.Name, mulu.ErrBusy)
		}
	}
	return api.Readyz200TextResponse("ready\n"), nil
}

func (h systemRoom) GetStatus(ctx context.Context, _ api.GetStatusRequestObject) (api.GetStatusResponseObject, error) {
	s := api.Status{Version: h.Version, StartedAt: h.started.UTC(), UptimeS: int64(h.Now().Sub(h.started).Seconds()), Sample: h.Sample(), Ready: true, Components: h.components(ctx)}
	for _, c := range s.Components {
		s.Ready = s.Ready && c.Ok
	}
	return api.GetStatus200JSONResponse(s), nil
}

// components asks every part at once.
func (h *house) components(ctx context.Context) []api.Component {
	parts := append([]Component{
		{Name: "主题库", Probe: func(ctx context.Context) (string, error) { return "", h.Library.Ping(ctx) }},
		{Name: "目录链", Probe: h.probeLedger},
		{Name: "归集", Probe: h.probeIngest},
	}, h.Components...)
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	out := make([]api.Component, len(parts))
	var wait sync.WaitGroup
	for i, p := range parts {
		wait.Go(func() {
			detail, err := p.Probe(ctx)
			out[i] = api.Component{Name: p.Name, Version: p.Version, Ok: err == nil, Detail: detail}
			if err != nil {
				out[i].Detail = sentence(err)
				if out[i].Detail == "" {
					out[i].Detail = "没有回应，请查看服务日志"
				}
				h.Log.Warn("part does not answer", "part", p.Name, "error", err)
			}
		})
	}
	wait.Wait()
	return out
}

func (h *house) probeLedger(ctx context.Context) (string, error) {
	select {
	case <-h.Ledger.Stopped():
		return "", fmt.Errorf("目录链已停止写入，请重新启动: %w", mulu.ErrBusy)
	default:
	}
	head, err := h.Ledger.Head(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d 条记录", head.Size), nil
}

// probeIngest never fails on a stopped partition: the others go on, and a person
// has to settle that one.
func (h *house) probeIngest(context.Context) (string, error) {
	if h.Source == nil {
		return "本进程不归集", nil
	}
	list, stopped := h.Source.Status(), 0
	for _, s := range list {
		if s.Stopped {
			stopped++
		}
	}
	if stopped > 0 {
		return fmt.Sprintf("%d 个分区，其中 %d 个已停止，等待处理", len(list), stopped), nil
	}
	return fmt.Sprintf("%d 个分区", len(list)), nil
}

func (h systemRoom) Metrics(context.Context, api.MetricsRequestObject) (api.MetricsResponseObject, error) {
	return figures(h), nil
}

type figures struct{ *house }

func (f figures) VisitMetricsResponse(w http.ResponseWriter) error {
	promhttp.HandlerFor(f.house.Deps.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, &http.Request{Method: http.MethodGet, Header: http.Header{}})
	return nil
}
