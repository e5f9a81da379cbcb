package httpapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"mulu"
	"mulu/ingest/post"
	api "mulu/internal/httpapi/gen/intake"
)

// postBody is the longest body of a post as it comes; post.Options bounds it further.
const postBody = 1 << 30

var postTypes = []string{post.TypeJSON, post.TypeLines, post.TypeArrow}

// intakeRoom takes rows that are posted. It is no strict server: nobody but package post
// decodes the body.
type intakeRoom struct{ *house }

// IngestRows takes the rows of one post and answers when the broker has them.
func (h intakeRoom) IngestRows(w http.ResponseWriter, r *http.Request, dataset string, params api.IngestRowsParams) {
	ds, err := submissionRoom(h).ofOwn(r.Context(), mulu.DatasetCode(dataset))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	t, err := h.take(r, ds, value(params.IdempotencyKey))
	h.meter.posted(ds.Code, t, err)
	if err != nil {
		h.fail(w, r, postFault(err))
		return
	}
	out := api.Taken{Id: t.ID, Dataset: dataset, Rows: t.Rows, State: api.TakenState(t.State), Digest: t.Digest, Replayed: t.Replayed, Runs: []api.TakenRun{}}
	for _, run := range t.Runs {
		out.Runs = append(out.Runs, api.TakenRun{Partition: run.Partition, First: run.First, Last: run.Last})
	}
	status := http.StatusCreated
	if t.Replayed {
		status = http.StatusOK
	}
	w.Header().Set("Location", "/v1/submissions/"+t.ID)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(out) //nolint:errcheck // a client that went away asks again with its key
}

func (h intakeRoom) take(r *http.Request, ds *mulu.Dataset, key string) (post.Taken, error) {
	p := post.Post{Dataset: ds, By: passOf(r.Context()).actor.ID, Key: key, Length: r.ContentLength, Body: r.Body}
	if ds.Format != mulu.FormatJSON {
		return post.Taken{}, invalid("数据集 %s 的记录是 %s，不是 JSON，只能经 Kafka 报送", ds.Code, ds.Format)
	}
	if strings.ContainsFunc(key, func(c rune) bool { return c < 0x21 || c > 0x7e }) || len(key) > 200 {
		return post.Taken{}, invalid("Idempotency-Key 应为 1 至 200 个可见的 ASCII 字符")
	}
	var with map[string]string
	var err error
	if p.Type, with, err = mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil {
		return post.Taken{}, fmt.Errorf("请求内容须为 %s: %w", strings.Join(postTypes, "、"), errContentType)
	}
	ways, err := h.posted.get(r.Context())
	if err != nil {
		return post.Taken{}, err
	}
	p.Name = ways[ds.Code].Name
	switch p.Charset = strings.ToLower(cmp.Or(with["charset"], ways[ds.Code].Encoding)); p.Charset {
	case "", "utf-8", "utf8", "gb18030", "gbk":
	default:
		return post.Taken{}, invalid("charset %q 不收；可用 utf-8、gb18030、gbk", p.Charset)
	}
	switch coding := strings.ToLower(r.Header.Get("Content-Encoding")); coding {
	case "", "identity":
	case "gzip":
		p.Zipped = true
	default:
		return post.Taken{}, invalid("Content-Encoding %q 不收；可用 gzip", coding)
	}
	return h.Intake.Take(r.Context(), p)
}

// postFault puts package post's errors beside the door's own.
func postFault(err error) error {
	var long *post.TooLong
	switch {
	case errors.As(err, &long):
		return errors.Join(err, errTooLong)
	case errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, mulu.ErrInvalid):
		return invalid("请求没有传完整就断了，整个请求未收")
	case errors.Is(err, post.ErrFull):
		return errors.Join(err, errCrowded)
	}
	return err
}

func newPostMeter() (posts, rows *prometheus.CounterVec) {
	posts = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mulu_post_requests_total", Help: "Posts of rows, by what became of them."}, []string{"dataset", "outcome"})
	rows = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mulu_post_rows_total", Help: "Rows that were posted and taken."}, []string{"dataset"})
	return posts, rows
}

// posted counts one post: taken, replayed, refused (as it was), busy (the broker, or
// memory), or failed (the house).
func (m *meter) posted(code mulu.DatasetCode, t post.Taken, err error) {
	outcome := postOutcome(t, err)
	m.posts.WithLabelValues(string(code), outcome).Inc()
	if outcome == "taken" {
		m.rows.WithLabelValues(string(code)).Add(float64(t.Rows))
	}
}

func postOutcome(t post.Taken, err error) string {
	if err == nil && t.Replayed {
		return "replayed"
	}
	if err == nil {
		return "taken"
	}
	switch status := kindOf(postFault(err)).status; {
	case status == 429, status == 503, status == 504:
		return "busy"
	case status < 500:
		return "refused"
	}
	return "failed"
}
