package httpapi_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"mulu"
	"mulu/internal/httpapi"
)

// TestRegistryPolicy says who may come in, written apart from the table.
func TestRegistryPolicy(t *testing.T) {
	all := []mulu.Role{mulu.RoleSteward, mulu.RoleOfficer, mulu.RoleApprover, mulu.RoleOperator, mulu.RoleAuditor, mulu.RoleSystem}
	writers := []mulu.Role{mulu.RoleOfficer, mulu.RoleOperator, mulu.RoleSystem}
	for method, want := range map[string][]mulu.Role{"GET": all, "POST": all, "PUT": writers, "DELETE": writers, "PATCH": nil} {
		rule := httpapi.RegistryPolicy(method)
		for _, r := range all {
			if rule.Admits(r) != slices.Contains(want, r) {
				t.Errorf("%s: %s is let in: %v", method, r, rule.Admits(r))
			}
		}
		if rule.Public || method != "GET" && want != nil && !slices.Equal(rule.Own, []mulu.Role{mulu.RoleOfficer, mulu.RoleSystem}) {
			t.Errorf("%s: %+v", method, rule)
		}
	}
}

// testRegistry walks the schema registry through the door: keys as password and as
// bearer, own subjects, and answers that its clients read.
func testRegistry(t *testing.T, h *house) {
	srv := httptest.NewServer(h)
	defer srv.Close()
	client := func(opts ...sr.ClientOpt) *sr.Client {
		return need[*sr.Client](t)(sr.NewClient(append(opts, sr.URLs(srv.URL+"/registry"))...))
	}
	code := func(err error) int {
		var no *sr.ResponseError
		if errors.As(err, &no) {
			return no.ErrorCode
		}
		return 0
	}
	datasets, err := h.catalog.Datasets(t.Context())
	check(t, err)
	topic := datasets[0].Topic
	owner, err := h.catalog.Org(t.Context(), datasets[0].Owner)
	check(t, err)
	key := need[string](t)(h.auth.CreateKey(t.Context(), mulu.Actor{ID: "owner-system", Name: "owner-system", Org: owner, Role: mulu.RoleSystem}, time.Time{}))
	schema := sr.Schema{Schema: `{"type":"record","name":"R","fields":[{"name":"id","type":"string"}]}`}
	system, bearer := client(sr.BasicAuth("anything", key)), client(sr.BearerToken(key))
	other := client(sr.BasicAuth("other-system", h.keys["other-system"]))
	if got, err := system.CreateSchema(t.Context(), topic+"-value", schema); err != nil || got.ID != 1 {
		t.Errorf("own subject: %+v, %v", got, err)
	}
	if _, err := other.CreateSchema(t.Context(), topic+"-value", schema); code(err) != 40301 {
		t.Errorf("another's subject: %v", err)
	}
	if got, err := other.LookupSchema(t.Context(), topic+"-value", schema); err != nil || got.ID != 1 {
		t.Errorf("another looks it up: %+v, %v", got, err)
	}
	if got, err := bearer.Subjects(t.Context()); err != nil || !slices.Equal(got, []string{topic + "-value"}) {
		t.Errorf("subjects %v, %v", got, err)
	}
	if got := system.SetCompatibility(t.Context(), sr.SetCompatibility{Level: sr.CompatFull}, topic+"-value"); got[0].Err != nil {
		t.Errorf("own level: %v", got[0].Err)
	}
	if got := system.SetCompatibility(t.Context(), sr.SetCompatibility{Level: sr.CompatNone}); code(got[0].Err) != 40301 {
		t.Errorf("everybody's level: %v", got[0].Err)
	}
	for name, cl := range map[string]*sr.Client{"nobody": client(), "a wrong key": client(sr.BasicAuth("system", "mulu_000000000000_nothing"))} {
		if _, err := cl.Subjects(t.Context()); code(err) != 401 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A key as a password opens nothing else, and a media type must be one of a client's.
	r := need[*http.Request](t)(http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/v1/session", nil))
	r.SetBasicAuth("system", h.keys["system"])
	resp := need[*http.Response](t)(http.DefaultClient.Do(r))
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("a password at another door: %d", resp.StatusCode)
	}
	r = need[*http.Request](t)(http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/registry/subjects/x/versions", strings.NewReader("{}")))
	r.SetBasicAuth("system", h.keys["system"])
	r.Header.Set("Content-Type", "text/plain")
	resp = need[*http.Response](t)(http.DefaultClient.Do(r))
	b, err := io.ReadAll(resp.Body)
	check(t, err)
	resp.Body.Close()
	if resp.StatusCode != 415 || !strings.Contains(string(b), `"error_code":415`) {
		t.Errorf("text: %d %s", resp.StatusCode, b)
	}
	if w := h.call("operator", "POST", "/registry/subjects/common.proto/versions", map[string]string{"schemaType": "PROTOBUF", "schema": `syntax = "proto3"; message M {}`}); w.Code != 200 {
		t.Errorf("an operator's: %d %s", w.Code, w.Body)
	}
	if w := h.call("auditor", "DELETE", "/registry/subjects/common.proto", nil); w.Code != 403 {
		t.Errorf("an auditor deletes: %d %s", w.Code, w.Body)
	}
	if w := h.call("auditor", "GET", "/registry/subjects/common.proto/versions/1", nil); w.Code != 200 {
		t.Errorf("an auditor reads: %d %s", w.Code, w.Body)
	}
}
