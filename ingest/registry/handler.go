package registry

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"mulu/ingest/wire"
)

// ContentType is what answers are, and what requests may be.
const ContentType = "application/vnd.schemaregistry.v1+json"

// ContentTypes are the media types that clients send.
var ContentTypes = []string{ContentType, "application/vnd.schemaregistry+json", "application/json", "application/octet-stream"}

// Caller is who asks, as the door knows them.
type Caller struct {
	Actor string
	All   bool                      // may change any subject, and what holds for all
	May   func(subject string) bool // may change this one
}

// Handler serves the interface at its root. It asks nobody who they are: caller tells,
// after the door has let them in.
func Handler(d *Desk, caller func(*http.Request) (Caller, error), log *slog.Logger) http.Handler {
	h := &server{d: d, caller: caller, log: log}
	mux := http.NewServeMux()
	for pattern, f := range map[string]action{
		"GET /{$}":                                            h.hello,
		"GET /schemas/types":                                  h.types,
		"GET /schemas/ids/{id}":                               h.byID,
		"GET /schemas/ids/{id}/schema":                        h.textByID,
		"GET /schemas/ids/{id}/subjects":                      h.subjectsOf,
		"GET /schemas/ids/{id}/versions":                      h.usesOf,
		"GET /subjects":                                       h.subjects,
		"GET /subjects/{subject}/versions":                    h.versions,
		"GET /subjects/{subject}/versions/{v}":                h.version,
		"GET /subjects/{subject}/versions/{v}/schema":         h.text,
		"GET /subjects/{subject}/versions/{v}/referencedby":   h.referencedBy,
		"POST /subjects/{subject}":                            h.lookUp,
		"POST /subjects/{subject}/versions":                   h.register,
		"DELETE /subjects/{subject}":                          h.delete,
		"DELETE /subjects/{subject}/versions/{v}":             h.delete,
		"POST /compatibility/subjects/{subject}/versions":     h.compatible,
		"POST /compatibility/subjects/{subject}/versions/{v}": h.compatible,
		"GET /config":                                         h.level,
		"GET /config/{subject}":                               h.level,
		"PUT /config":                                         h.setLevel,
		"PUT /config/{subject}":                               h.setLevel,
		"DELETE /config/{subject}":                            h.dropLevel,
		"GET /mode":                                           h.mode,
		"GET /mode/{subject}":                                 h.mode,
		"GET /contexts":                                       h.contexts,
	} {
		mux.HandleFunc(pattern, h.serve(f))
	}
	mux.HandleFunc("/", h.serve(func(*http.Request) (any, error) {
		return nil, refuse(404, "HTTP 404 Not Found / 内嵌登记处没有这个接口，支持的接口见 docs/ingest/registry.md")
	}))
	return mux
}

type server struct {
	d      *Desk
	caller func(*http.Request) (Caller, error)
	log    *slog.Logger
}

// action answers one request with what is written as JSON.
type action func(r *http.Request) (any, error)

// raw is an answer that is JSON or a schema's text already.
type raw string

func (h *server) serve(f action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		w.Header().Set("Content-Type", ContentType)
		if s, ok := out.(raw); ok {
			io.WriteString(w, string(s)) //nolint:errcheck // a client that went away
			return
		}
		json.NewEncoder(w).Encode(out) //nolint:errcheck // a client that went away
	}
}

func (h *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var no *Refusal
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &no):
	case errors.As(err, &long):
		no = refuse(413, "请求内容过大 / request is too large")
	default:
		h.log.Error("schema registry", "path", r.URL.Path, "error", err)
		no = refuse(50001, "Error in the backend data store / 登记处出错，请查看服务日志")
	}
	WriteError(w, no.Status, no.Code, no.Message)
}

// WriteError answers in the form that clients of a registry read.
func WriteError(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error_code": code, "message": message}) //nolint:errcheck // a client that went away
}

// schemaBody is a schema as it is sent. AVRO is what is not said.
type schemaBody struct {
	Subject    string      `json:"subject,omitempty"`
	Version    int         `json:"version,omitempty"`
	ID         int64       `json:"id,omitempty"`
	Type       string      `json:"schemaType,omitempty"`
	References []Reference `json:"references,omitempty"`
	Schema     string      `json:"schema"`
	Deleted    bool        `json:"deleted,omitempty"`
}

func bodyOf(s Schema) schemaBody {
	b := schemaBody{Type: s.Type, References: s.Refs, Schema: s.Text}
	if b.Type == wire.Avro {
		b.Type = ""
	}
	return b
}

func (v *Version) body() schemaBody {
	b := bodyOf(v.Schema)
	b.Subject, b.Version, b.ID, b.Deleted = v.Subject, v.Version, v.ID, v.Deleted
	return b
}

func readSchema(r *http.Request) (Schema, error) {
	var b schemaBody
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		var long *http.MaxBytesError
		if errors.As(err, &long) {
			return Schema{}, err
		}
		return Schema{}, refuse(codeBadSchema, "Invalid schema request: %v / 请求应为含 schema 的 JSON", err)
	}
	if b.Type = strings.ToUpper(b.Type); b.Type == "" {
		b.Type = wire.Avro
	}
	if strings.TrimSpace(b.Schema) == "" {
		return Schema{}, refuse(codeBadSchema, "Empty schema / 模式为空")
	}
	return Schema{Type: b.Type, Text: b.Schema, Refs: b.References}, nil
}

// maxSubject is the longest subject, in bytes.
const maxSubject = 255

// mine gives the subject of a request that changes it.
func (h *server) mine(r *http.Request) (Caller, string, error) {
	subject := r.PathValue("subject")
	c, err := h.caller(r)
	if err != nil {
		return c, subject, err
	}
	if len(subject) > maxSubject {
		return c, subject, refuse(42208, "The specified subject is not valid / 模式名最长 %d 字节", maxSubject)
	}
	if !c.All && (subject == "" || c.May == nil || !c.May(subject)) {
		return c, subject, refuse(40301, "User is denied operation on '%s' / 无权登记或更改：只能登记本单位数据集主题的 <主题>-value、<主题>-key 与 <主题>:<名称>，其他请联系运维", subject)
	}
	return c, subject, nil
}

func flag(r *http.Request, name string) bool { return r.URL.Query().Get(name) == "true" }

func idOfPath(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err != nil {
		return 0, refuse(codeNoSchema, "Schema %s not found / 没有这个模式", r.PathValue("id"))
	}
	return id, nil
}

// numberOf reads a version: a number from 1, "latest" or -1.
func numberOf(r *http.Request) (int, error) {
	s := r.PathValue("v")
	if s == "latest" {
		return Latest, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 1 && n != Latest {
		return 0, refuse(codeBadVersion, "The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\" / 版本号应为正整数或 latest", s)
	}
	return int(n), nil
}

func (h *server) hello(*http.Request) (any, error) { return struct{}{}, nil }

func (h *server) contexts(*http.Request) (any, error) { return []string{"."}, nil }

func (h *server) types(*http.Request) (any, error) {
	return []string{wire.JSONSchema, wire.Protobuf, wire.Avro}, nil
}

func (h *server) mode(*http.Request) (any, error) {
	return map[string]string{"mode": "READWRITE"}, nil
}

func (h *server) byID(r *http.Request) (any, error) {
	id, err := idOfPath(r)
	if err != nil {
		return nil, err
	}
	s, err := h.d.ByID(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return bodyOf(s), nil
}

func (h *server) textByID(r *http.Request) (any, error) {
	id, err := idOfPath(r)
	if err != nil {
		return nil, err
	}
	s, err := h.d.ByID(r.Context(), id)
	return raw(s.Text), err
}

func (h *server) usesOf(r *http.Request) (any, error) {
	id, err := idOfPath(r)
	if err != nil {
		return nil, err
	}
	list, err := h.d.Uses(r.Context(), id, flag(r, "deleted"))
	out := []map[string]any{}
	for _, v := range list {
		out = append(out, map[string]any{"subject": v.Subject, "version": v.Version})
	}
	return out, err
}

func (h *server) subjectsOf(r *http.Request) (any, error) {
	id, err := idOfPath(r)
	if err != nil {
		return nil, err
	}
	list, err := h.d.Uses(r.Context(), id, flag(r, "deleted"))
	out := []string{}
	for _, v := range list {
		if len(out) == 0 || out[len(out)-1] != v.Subject {
			out = append(out, v.Subject)
		}
	}
	return out, err
}

func (h *server) subjects(r *http.Request) (any, error) {
	list, err := h.d.Subjects(r.Context(), flag(r, "deleted"))
	prefix := strings.TrimPrefix(r.URL.Query().Get("subjectPrefix"), ":*:")
	out := []string{}
	for _, s := range list {
		if strings.HasPrefix(s, prefix) {
			out = append(out, s)
		}
	}
	return out, err
}

func (h *server) versions(r *http.Request) (any, error) {
	list, err := h.d.Versions(r.Context(), r.PathValue("subject"), flag(r, "deleted"))
	out := []int{}
	for _, v := range list {
		out = append(out, v.Version)
	}
	return out, err
}

func (h *server) one(r *http.Request) (Version, error) {
	n, err := numberOf(r)
	if err != nil {
		return Version{}, err
	}
	return h.d.Version(r.Context(), r.PathValue("subject"), n, flag(r, "deleted"))
}

func (h *server) version(r *http.Request) (any, error) {
	v, err := h.one(r)
	if err != nil {
		return nil, err
	}
	return v.body(), nil
}

func (h *server) text(r *http.Request) (any, error) {
	v, err := h.one(r)
	return raw(v.Text), err
}

func (h *server) referencedBy(r *http.Request) (any, error) {
	n, err := numberOf(r)
	if err != nil {
		return nil, err
	}
	list, err := h.d.ReferencedBy(r.Context(), r.PathValue("subject"), n)
	out := []int64{}
	for _, v := range list {
		if len(out) == 0 || out[len(out)-1] != v.ID {
			out = append(out, v.ID)
		}
	}
	return out, err
}

func (h *server) lookUp(r *http.Request) (any, error) {
	s, err := readSchema(r)
	if err != nil {
		return nil, err
	}
	v, err := h.d.Lookup(r.Context(), r.PathValue("subject"), s, flag(r, "deleted"))
	if err != nil {
		return nil, err
	}
	return v.body(), nil
}

func (h *server) register(r *http.Request) (any, error) {
	c, subject, err := h.mine(r)
	if err != nil {
		return nil, err
	}
	s, err := readSchema(r)
	if err != nil {
		return nil, err
	}
	v, err := h.d.Register(r.Context(), c.Actor, subject, s)
	if err != nil {
		return nil, err
	}
	return map[string]int64{"id": v.ID}, nil
}

func (h *server) delete(r *http.Request) (any, error) {
	_, subject, err := h.mine(r)
	if err != nil {
		return nil, err
	}
	number := 0
	if r.PathValue("v") != "" {
		if number, err = numberOf(r); err != nil {
			return nil, err
		}
	}
	list, err := h.d.Delete(r.Context(), subject, number, flag(r, "permanent"))
	if err != nil {
		return nil, err
	}
	if number != 0 {
		return list[0], nil
	}
	return list, nil
}

func (h *server) compatible(r *http.Request) (any, error) {
	number := 0
	var err error
	if r.PathValue("v") != "" {
		if number, err = numberOf(r); err != nil {
			return nil, err
		}
	}
	s, err := readSchema(r)
	if err != nil {
		return nil, err
	}
	faults, err := h.d.Check(r.Context(), r.PathValue("subject"), number, s)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"is_compatible": len(faults) == 0}
	if flag(r, "verbose") {
		out["messages"] = append([]string{}, faults...)
	}
	return out, nil
}

func (h *server) level(r *http.Request) (any, error) {
	l, err := h.d.Level(r.Context(), r.PathValue("subject"), !flag(r, "defaultToGlobal"))
	if err != nil {
		return nil, err
	}
	return map[string]Level{"compatibilityLevel": l}, nil
}

func (h *server) setLevel(r *http.Request) (any, error) {
	_, subject, err := h.mine(r)
	if err != nil {
		return nil, err
	}
	var b struct {
		Compatibility string `json:"compatibility"`
	}
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		return nil, refuse(codeBadLevel, "Invalid compatibility request / 请求应为含 compatibility 的 JSON")
	}
	l, err := ParseLevel(b.Compatibility)
	if err != nil {
		return nil, err
	}
	if err := h.d.SetLevel(r.Context(), subject, l); err != nil {
		return nil, err
	}
	return map[string]Level{"compatibility": l}, nil
}

func (h *server) dropLevel(r *http.Request) (any, error) {
	_, subject, err := h.mine(r)
	if err != nil {
		return nil, err
	}
	l, err := h.d.DropLevel(r.Context(), subject)
	if err != nil {
		return nil, err
	}
	return map[string]Level{"compatibilityLevel": l}, nil
}

// Owns says whether a subject belongs to a topic: what its keys and values are written
// with, and what those refer to.
func Owns(topic, subject string) bool {
	return subject == topic+"-value" || subject == topic+"-key" || strings.HasPrefix(subject, topic+":")
}
