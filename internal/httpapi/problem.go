package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"mulu"
	"mulu/ingest/registry"
	"mulu/ledger"
	"mulu/share"
)

// Problem is an answer that says no, by RFC 9457, with a line on how to mend it.
type Problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"` // id of the request, for the log
	Mend     string `json:"mend"`
	// Of a denied read: its receipt and how each condition came out.
	Receipt string         `json:"receipt,omitempty"`
	Checks  []problemCheck `json:"checks,omitempty"`
}

type problemCheck struct {
	Code   string `json:"code"`
	Title  string `json:"title"`
	Passed bool   `json:"passed"`
	Detail string `json:"detail"`
}

// Errors of the door itself.
var (
	errUnknown     = errors.New("unauthenticated") // nobody is signed in, or not any more
	errTooLong     = errors.New("too long")
	errContentType = errors.New("content type")
	errCrowded     = errors.New("crowded")
)

// kind is one line of the table from errors to answers.
type kind struct {
	err    error
	status int
	name   string
	title  string
	mend   string
	silent bool // its text is the house's own and stays in the log
}

// kinds is read from the top: the first that errors.Is matches.
var kinds = []kind{
	{err: errUnknown, status: 401, name: "unauthenticated", title: "请先登录", mend: "请登录后重试；信息系统请检查接口密钥。"},
	{err: errTooLong, status: 413, name: "too-large", title: "请求内容过大", mend: "请减少一次提交的内容。"},
	{err: errCrowded, status: 429, name: "crowded", title: "同时提交的内容过多", mend: "请稍候重试，并减少同时提交的个数。"},
	{err: errContentType, status: 415, name: "media-type", title: "请求内容的类型不对", mend: "请按说明中列出的类型设置 Content-Type。"},
	{err: mulu.ErrDenied, status: 403, name: "denied", title: "无权进行此操作", mend: "请换用有此权限的账号，或联系主管部门。"},
	{err: mulu.ErrNotFound, status: 404, name: "not-found", title: "没有找到", mend: "请核对编号，或返回列表重新选择。"},
	{err: mulu.ErrInvalid, status: 400, name: "invalid", title: "请求内容有误", mend: "请按提示修改后重试。"},
	{err: mulu.ErrConflict, status: 409, name: "conflict", title: "状态已变化", mend: "请刷新后按最新状态再试。"},
	{err: mulu.ErrBusy, status: 503, name: "busy", title: "暂时不能办理", mend: "请稍候再试。"},
	{err: ledger.ErrStopped, status: 503, name: "ledger-stopped", title: "目录链已停止写入", mend: "请运维人员查看服务日志并重新启动。", silent: true},
	{err: context.DeadlineExceeded, status: 504, name: "timeout", title: "处理超时", mend: "请缩小范围后重试。", silent: true},
}

// internal is what is not in the table: a fault of the house.
var internal = kind{status: 500, name: "internal", title: "服务出错", mend: "请稍后重试；持续出现时请运维人员按请求编号查看服务日志。", silent: true}

func kindOf(err error) kind {
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		err = errTooLong
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k
		}
	}
	return internal
}

// problemOf puts an error into words for people.
func problemOf(err error, instance string) Problem {
	k := kindOf(err)
	p := Problem{Type: "urn:mulu:problem:" + k.name, Title: k.title, Status: k.status, Instance: instance, Mend: k.mend}
	if !k.silent {
		p.Detail = sentence(err)
	}
	var d *share.Denial
	if errors.As(err, &d) {
		p.Title, p.Detail, p.Receipt = "本次取数未获准", d.Reason(), string(d.Receipt)
		p.Mend = "请按未通过的条件处理：授权未生效、已停用或超出范围的，请联系主管部门。"
		for _, c := range d.Checks {
			p.Checks = append(p.Checks, problemCheck{c.Code, c.Title, c.Passed, c.Detail})
		}
	}
	return p
}

// sentence takes from a chain of wrapped errors the parts that were written for
// people, which are in Chinese; what is only for the log stays there.
func sentence(err error) string {
	var said []string
	for part := range strings.SplitSeq(err.Error(), ": ") {
		for line := range strings.SplitSeq(part, "\n") {
			if strings.ContainsFunc(line, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
				said = append(said, strings.TrimSuffix(line, "："))
			}
		}
	}
	return strings.Join(said, "：")
}

// fail answers with an error. Once bytes of a result are out, the only honest way
// to say that the rest is missing is to break the connection.
func (h *house) fail(w http.ResponseWriter, r *http.Request, err error) {
	t := traceOf(r.Context())
	t.err = err
	if t.began() {
		panic(http.ErrAbortHandler)
	}
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // nobody is there to read it
	}
	p := problemOf(err, t.id)
	if p.Status == 503 || p.Status == 429 {
		w.Header().Set("Retry-After", "2")
	}
	if p.Status == 401 {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mulu"`)
	}
	for _, name := range []string{"Content-Length", "Content-Disposition", "X-Mulu-Rows", "X-Mulu-Digest", "X-Mulu-Score", "X-Mulu-Grade", "X-Mulu-Low", "X-Mulu-Notice", "X-Mulu-Look"} {
		w.Header().Del(name) // of a result that had been announced
	}
	if ofRegistry(r) {
		registry.WriteError(w, p.Status, p.Status, p.Title+"："+p.Detail+" / "+p.Type)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p) //nolint:errcheck // a client that went away
}

// malformed answers a request whose parameters or body could not be read. The
// generated servers know only that.
func (h *house) malformed(w http.ResponseWriter, r *http.Request, err error) {
	var long *http.MaxBytesError
	if !errors.As(err, &long) {
		err = fmt.Errorf("参数或请求内容不符合接口说明（api/openapi.yaml）: %w: %w", mulu.ErrInvalid, err)
	}
	h.fail(w, r, err)
}

// invalid is an error about what was sent, in Chinese.
func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, mulu.ErrInvalid)...)
}
