package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/registry"
	"mulu/ingest/wire"
	"mulu/internal/store"
)

// house is an embedded registry behind its interface, and a client of another maker.
type house struct {
	db   *store.DB
	desk *registry.Desk
	url  string
	cl   *sr.Client
	srv  *httptest.Server
}

func open(t *testing.T) *house {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+t.TempDir()+"/c.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := ingest.NewJournal(t.Context(), db, time.Now); err != nil {
		t.Fatal(err)
	}
	h := &house{db: db, desk: registry.NewDesk(db, time.Now)}
	caller := func(r *http.Request) (registry.Caller, error) {
		user, _, _ := r.BasicAuth()
		return registry.Caller{Actor: user, All: user == "ops", May: func(s string) bool { return registry.Owns("resident", s) }}, nil
	}
	h.srv = httptest.NewServer(http.StripPrefix("/registry", registry.Handler(h.desk, caller, slog.New(slog.DiscardHandler))))
	t.Cleanup(h.srv.Close)
	h.url = h.srv.URL + "/registry"
	h.cl = h.as(t, "ops")
	return h
}

func (h *house) as(t *testing.T, user string) *sr.Client {
	t.Helper()
	cl, err := sr.NewClient(sr.URLs(h.url), sr.BasicAuth(user, "key"))
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

func record(fields string) sr.Schema {
	return sr.Schema{Schema: `{"type":"record","name":"R","fields":[` + fields + `]}`, Type: sr.TypeAvro}
}

const (
	id   = `{"name":"id","type":"string"}`
	age  = `{"name":"age","type":["null","int"],"default":null}`
	must = `{"name":"must","type":"string"}`
)

func codeOf(err error) int {
	var no *sr.ResponseError
	if errors.As(err, &no) {
		return no.ErrorCode
	}
	return 0
}

// TestClient walks what a producer's serialiser and its operator do, with franz-go's
// client.
func TestClient(t *testing.T) {
	h, ctx := open(t), t.Context()
	first, err := h.cl.CreateSchema(ctx, "resident-value", record(id))
	if err != nil || first.ID != 1 || first.Version != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	blanks := record(id)
	blanks.Schema = strings.ReplaceAll(blanks.Schema, ",", " ,\n ")
	for _, subject := range []string{"resident-value", "other-value"} {
		again, err := h.cl.CreateSchema(ctx, subject, blanks)
		if err != nil || again.ID != 1 || again.Version != 1 {
			t.Errorf("the same schema in %s: %+v, %v", subject, again, err)
		}
	}
	second, err := h.cl.CreateSchema(ctx, "resident-value", record(id+","+age))
	if err != nil || second.ID != 2 || second.Version != 2 {
		t.Errorf("second: %+v, %v", second, err)
	}
	if _, err := h.cl.CreateSchema(ctx, "resident-value", record(id+","+must)); codeOf(err) != 409 || !strings.Contains(err.Error(), "must") {
		t.Errorf("an incompatible schema: %v", err)
	}
	if got, err := h.cl.SchemaByID(ctx, 2); err != nil || got.Schema != record(id+","+age).Schema {
		t.Errorf("by id: %+v, %v", got, err)
	}
	if got, err := h.cl.SchemaByVersion(ctx, "resident-value", -1); err != nil || got.ID != 2 {
		t.Errorf("latest: %+v, %v", got, err)
	}
	if got, err := h.cl.LookupSchema(ctx, "resident-value", blanks); err != nil || got.Version != 1 || got.ID != 1 {
		t.Errorf("look up: %+v, %v", got, err)
	}
	if got, err := h.cl.SubjectVersions(ctx, "resident-value"); err != nil || !slices.Equal(got, []int{1, 2}) {
		t.Errorf("versions %v, %v", got, err)
	}
	if got, err := h.cl.Subjects(ctx); err != nil || !slices.Equal(got, []string{"other-value", "resident-value"}) {
		t.Errorf("subjects %v, %v", got, err)
	}
	if got, err := h.cl.SubjectsByID(ctx, 1); err != nil || !slices.Equal(got, []string{"other-value", "resident-value"}) {
		t.Errorf("subjects of 1: %v, %v", got, err)
	}
	if got, err := h.cl.SchemaVersionsByID(ctx, 2); err != nil || len(got) != 1 || got[0].Version != 2 {
		t.Errorf("versions of 2: %v, %v", got, err)
	}
	if got, err := h.cl.SupportedTypes(ctx); err != nil || len(got) != 3 {
		t.Errorf("types %v, %v", got, err)
	}
	if got, err := h.cl.CheckCompatibility(ctx, "resident-value", -1, record(id+","+must)); err != nil || got.Is {
		t.Errorf("check: %+v, %v", got, err)
	}
	for want, ask := range map[int]func() error{
		40401: func() error { _, err := h.cl.SubjectVersions(ctx, "none"); return err },
		40402: func() error { _, err := h.cl.SchemaByVersion(ctx, "resident-value", 9); return err },
		40403: func() error { _, err := h.cl.SchemaByID(ctx, 99); return err },
		42201: func() error { _, err := h.cl.CreateSchema(ctx, "x", sr.Schema{Schema: "{"}); return err },
	} {
		if err := ask(); codeOf(err) != want {
			t.Errorf("want %d, got %v", want, err)
		}
	}
}

func TestLevels(t *testing.T) {
	h, ctx := open(t), t.Context()
	if got := h.cl.Compatibility(ctx); got[0].Err != nil || got[0].Level != sr.CompatBackward {
		t.Errorf("everybody's: %+v", got)
	}
	if got := h.cl.Compatibility(ctx, "s"); codeOf(got[0].Err) != 40408 {
		t.Errorf("of a subject without: %+v", got)
	}
	if _, err := h.cl.CreateSchema(ctx, "s", record(id)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		level  sr.CompatibilityLevel
		schema string
		ok     bool
	}{
		{sr.CompatForward, id + "," + must, true}, // an old reader leaves it out
		{sr.CompatForward, must, false},           // an old reader wants id
		{sr.CompatBackward, id + "," + must, false},
		{sr.CompatBackward, age, true}, // reads the old without id
		{sr.CompatFull, age, false},
		{sr.CompatFull, id + "," + age, true},
		{sr.CompatNone, `{"name":"id","type":"int"}`, true},
	} {
		if got := h.cl.SetCompatibility(ctx, sr.SetCompatibility{Level: c.level}, "s"); got[0].Err != nil {
			t.Fatal(got[0].Err)
		}
		got, err := h.cl.CheckCompatibility(ctx, "s", -1, record(c.schema))
		if err != nil || got.Is != c.ok {
			t.Errorf("%s of %s: %+v, %v; want %v", c.level, c.schema, got, err, c.ok)
		}
	}
	t.Run("transitive", func(t *testing.T) {
		set := func(l sr.CompatibilityLevel) {
			h.cl.SetCompatibility(ctx, sr.SetCompatibility{Level: l}, "t")
		}
		set(sr.CompatNone)
		for _, f := range []string{`{"name":"x","type":"string"}`, id} {
			if _, err := h.cl.CreateSchema(ctx, "t", record(f)); err != nil {
				t.Fatal(err)
			}
		}
		next := record(id + `,{"name":"x","type":["null","int"],"default":null}`) // the second has no x, the first another
		set(sr.CompatBackwardTransitive)
		if _, err := h.cl.CreateSchema(ctx, "t", next); codeOf(err) != 409 {
			t.Errorf("against all: %v", err)
		}
		set(sr.CompatBackward)
		if _, err := h.cl.CreateSchema(ctx, "t", next); err != nil {
			t.Errorf("against the last: %v", err)
		}
	})
}

func TestDelete(t *testing.T) {
	h, ctx := open(t), t.Context()
	for _, f := range []string{id, id + "," + age} {
		if _, err := h.cl.CreateSchema(ctx, "s", record(f)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.cl.DeleteSubject(ctx, "s", sr.HardDelete); codeOf(err) != 40405 {
		t.Errorf("for good at once: %v", err)
	}
	if err := h.cl.DeleteSchema(ctx, "s", 2, sr.SoftDelete); err != nil {
		t.Error(err)
	}
	if err := h.cl.DeleteSchema(ctx, "s", 2, sr.SoftDelete); codeOf(err) != 40406 {
		t.Errorf("twice: %v", err)
	}
	if got, _ := h.cl.SubjectVersions(ctx, "s"); !slices.Equal(got, []int{1}) {
		t.Errorf("versions %v", got)
	}
	if got, err := h.cl.CreateSchema(ctx, "s", record(id+","+age)); err != nil || got.ID != 2 || got.Version != 3 {
		t.Errorf("registered again: %+v, %v", got, err)
	}
	if err := h.cl.DeleteSchema(ctx, "s", 2, sr.HardDelete); err != nil {
		t.Error(err)
	}
	if got, err := h.cl.DeleteSubject(ctx, "s", sr.SoftDelete); err != nil || !slices.Equal(got, []int{1, 3}) {
		t.Errorf("deleted %v, %v", got, err)
	}
	if _, err := h.cl.SubjectVersions(ctx, "s"); codeOf(err) != 40401 {
		t.Errorf("versions of what is deleted: %v", err)
	}
	if got, err := h.cl.SubjectVersions(sr.WithParams(ctx, sr.ShowDeleted), "s"); err != nil || !slices.Equal(got, []int{1, 3}) {
		t.Errorf("with deleted: %v, %v", got, err)
	}
	if got, err := h.cl.DeleteSubject(ctx, "s", sr.HardDelete); err != nil || !slices.Equal(got, []int{1, 3}) {
		t.Errorf("for good: %v, %v", got, err)
	}
	// Records that were written with it are still on the broker.
	if _, err := h.cl.SchemaByID(ctx, 2); err != nil {
		t.Errorf("by id: %v", err)
	}
	if got, err := h.cl.CreateSchema(ctx, "s", record(id)); err != nil || got.ID != 1 || got.Version != 4 {
		t.Errorf("a number is not given again: %+v, %v", got, err)
	}
}

func TestReferences(t *testing.T) {
	h, ctx := open(t), t.Context()
	common := sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; package c; message Person { string name = 1; }`}
	if _, err := h.cl.CreateSchema(ctx, "resident:common.proto", common); err != nil {
		t.Fatal(err)
	}
	visit := sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; import "common.proto"; message Visit { c.Person who = 1; }`,
		References: []sr.SchemaReference{{Name: "common.proto", Subject: "resident:common.proto", Version: 1}}}
	got, err := h.cl.CreateSchema(ctx, "resident-value", visit)
	if err != nil || got.ID != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if back, err := h.cl.SchemaByID(ctx, 2); err != nil || len(back.References) != 1 || back.Type != sr.TypeProtobuf {
		t.Errorf("%+v, %v", back, err)
	}
	if by, err := h.cl.SchemaReferences(ctx, "resident:common.proto", 1); err != nil || len(by) != 1 || by[0].ID != 2 {
		t.Errorf("referenced by %+v, %v", by, err)
	}
	if _, err := h.cl.DeleteSubject(ctx, "resident:common.proto", sr.SoftDelete); codeOf(err) != 42206 {
		t.Errorf("what is referenced was deleted: %v", err)
	}
	visit.References[0].Version = 7
	if _, err := h.cl.CreateSchema(ctx, "resident-value", visit); codeOf(err) != 42201 {
		t.Errorf("a reference to nothing: %v", err)
	}
	// An outer registry's references are fetched with it, and then it may go away.
	book := h.book(t)
	form, err := book.Form(2)
	if err != nil {
		t.Fatal(err)
	}
	if js, d := form.Append(nil, []byte("\x00\x0a\x03\x0a\x01x")); d != nil || string(js) != `{"who":{"name":"x"}}` {
		t.Errorf("%s, %+v", js, d)
	}
}

func TestWho(t *testing.T) {
	h, ctx := open(t), t.Context()
	own := h.as(t, "department")
	for _, subject := range []string{"resident-value", "resident-key", "resident:common.proto"} {
		if _, err := own.CreateSchema(ctx, subject, record(id)); err != nil {
			t.Errorf("%s: %v", subject, err)
		}
	}
	for _, subject := range []string{"resident", "resident-x-value", "other-value", "residents-value"} {
		if _, err := own.CreateSchema(ctx, subject, record(id)); codeOf(err) != 40301 {
			t.Errorf("%s: %v", subject, err)
		}
	}
	if got := own.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone}); codeOf(got[0].Err) != 40301 {
		t.Errorf("everybody's level: %v", got[0].Err)
	}
	if _, err := own.LookupSchema(ctx, "resident-value", record(id)); err != nil {
		t.Error(err)
	}
}

// Many register at once, and some of them the same: ids are dense, and one schema has
// one id.
func TestTogether(t *testing.T) {
	h := open(t)
	var wg sync.WaitGroup
	ids := make([]int64, 40)
	for i := range ids {
		wg.Go(func() {
			v, err := h.desk.Register(t.Context(), "x", fmt.Sprintf("s%d-value", i%4), registry.Schema{Type: wire.Avro, Text: record(fmt.Sprintf(`{"name":"f%d","type":["null","int"],"default":null}`, i/2)).Schema})
			if err != nil {
				t.Error(err)
			}
			ids[i] = v.ID
		})
	}
	wg.Wait()
	for i := 0; i < len(ids); i += 2 {
		if ids[i] != ids[i+1] {
			t.Errorf("one schema has ids %d and %d", ids[i], ids[i+1])
		}
	}
	slices.Sort(ids)
	if got := slices.Compact(ids); len(got) != 20 || got[0] != 1 || got[19] != 20 {
		t.Errorf("ids %v", got)
	}
}

// book is one of an outer registry: this one, by its address, kept in a store of its own.
func (h *house) book(t *testing.T) *registry.Book {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+t.TempDir()+"/other.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := ingest.NewJournal(t.Context(), db, time.Now); err != nil {
		t.Fatal(err)
	}
	b, err := registry.NewBook(db, registry.Outer{URLs: []string{h.url}, User: "ops", Password: "key"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBook: what a registry does not know is told from one that does not answer.
func TestBook(t *testing.T) {
	h, ctx := open(t), t.Context()
	if _, err := h.cl.CreateSchema(ctx, "resident-value", record(id)); err != nil {
		t.Fatal(err)
	}
	here, err := registry.NewBook(h.db, registry.Outer{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	far := h.book(t)
	for name, b := range map[string]*registry.Book{"embedded": here, "outer": far} {
		if _, err := b.Form(1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := b.Form(9); !errors.Is(err, mulu.ErrNotFound) {
			t.Errorf("%s: unknown id: %v", name, err)
		}
	}
	if _, err := h.cl.CreateSchema(ctx, "resident-value", record(id+","+age)); err != nil {
		t.Fatal(err)
	}
	h.srv.Close()
	if _, err := far.Form(1); err != nil {
		t.Errorf("what was met before: %v", err)
	}
	if _, err := far.Form(2); !errors.Is(err, mulu.ErrBusy) || errors.Is(err, mulu.ErrNotFound) || !strings.Contains(err.Error(), "连不上模式登记处") {
		t.Errorf("a registry that is gone: %v", err)
	}
	// A 404 that no registry wrote, and one that refuses us, say nothing about the schema.
	for status, body := range map[int]string{404: "404 page not found", 401: `{"error_code":401,"message":"no"}`, 500: `{"error_code":50001,"message":"no"}`} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, body) //nolint:errcheck // a test's server
		}))
		b, err := registry.NewBook(h.db, registry.Outer{URLs: []string{srv.URL}, Token: "t"}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Form(1); !errors.Is(err, mulu.ErrBusy) || errors.Is(err, mulu.ErrNotFound) {
			t.Errorf("%d: %v", status, err)
		}
		srv.Close()
	}
}

func TestMissing(t *testing.T) {
	h := open(t)
	b, err := registry.NewBook(h.db, registry.Outer{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	topic := mulu.TopicID{1}
	for _, last := range []int64{9, 19, 5} { // read again, longer and shorter
		if err := b.Miss(topic, 0, 0, last, []uint32{7, 4_000_000_000}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.Missing(topic, 0, 15, 30)
	if err != nil || len(got) != 2 || !slices.Equal(got[4_000_000_000], [][2]int64{{0, 19}}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := b.Missing(topic, 0, 20, 30); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := b.Missing(topic, 1, 0, 30); err != nil || got != nil {
		t.Errorf("of another partition: %v, %v", got, err)
	}
}

// Raw answers, as clients of other makers read them.
func TestAnswers(t *testing.T) {
	h := open(t)
	do := func(method, path, body string) (int, string) {
		r, err := http.NewRequestWithContext(context.Background(), method, h.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("ops", "key")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.Header.Get("Content-Type") != registry.ContentType {
			t.Errorf("%s %s: %v, %s", method, path, err, resp.Header.Get("Content-Type"))
		}
		return resp.StatusCode, strings.TrimSpace(string(b))
	}
	text, _ := json.Marshal(map[string]string{"schema": record(id).Schema})
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/subjects", "", 200, `[]`},
		{"POST", "/subjects/resident-value/versions", string(text), 200, `{"id":1}`},
		{"POST", "/subjects/resident-value/versions?normalize=true", string(text), 200, `{"id":1}`},
		{"GET", "/schemas/ids/1", "", 200, `{"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"}]}"}`},
		{"GET", "/subjects/resident-value/versions/latest/schema", "", 200, record(id).Schema},
		{"GET", "/subjects/resident-value/versions/0", "", 422, `"error_code":42202`},
		{"GET", "/schemas/ids/2", "", 404, `"error_code":40403`},
		{"PUT", "/config/resident-value", `{"compatibility":"WIDE"}`, 422, `"error_code":42203`},
		{"PUT", "/config/resident-value", `{"compatibility":"full"}`, 200, `{"compatibility":"FULL"}`},
		{"GET", "/config/resident-value", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"DELETE", "/config/resident-value", "", 200, `{"compatibilityLevel":"FULL"}`},
		{"GET", "/config/resident-value", "", 404, `"error_code":40408`},
		{"GET", "/config/resident-value?defaultToGlobal=true", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"GET", "/mode", "", 200, `{"mode":"READWRITE"}`},
		{"POST", "/compatibility/subjects/resident-value/versions?verbose=true", string(text), 200, `{"is_compatible":true,"messages":[]}`},
		{"GET", "/nothing", "", 404, `"error_code":404`},
		{"POST", "/subjects/resident-value/versions", `{`, 422, `"error_code":42201`},
	} {
		status, got := do(c.method, c.path, c.body)
		if status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, got, c.status, c.want)
		}
	}
}
