package httpapi_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mulu"
	"mulu/internal/httpapi"
)

// documented lists "METHOD /path" of every operation of the API document, and
// which of them need nobody to be signed in.
func documented(t *testing.T) (routes []string, public map[string]bool) {
	t.Helper()
	b, err := os.ReadFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	public = map[string]bool{}
	for path, item := range doc.Paths {
		for method, node := range item {
			if !slices.Contains([]string{"get", "post", "put", "patch", "delete"}, method) {
				continue
			}
			var op struct {
				Security *[]map[string][]string
			}
			if err := node.Decode(&op); err != nil {
				t.Fatal(err)
			}
			route := strings.ToUpper(method) + " " + path
			routes = append(routes, route)
			public[route] = op.Security != nil && len(*op.Security) == 0
		}
	}
	slices.Sort(routes)
	if len(routes) < 20 {
		t.Fatalf("the document names %d routes: the test did not read it", len(routes))
	}
	return routes, public
}

func TestPolicyMatchesDocument(t *testing.T) {
	routes, public := documented(t)
	for _, route := range routes {
		rule, ok := httpapi.PolicyFor(route)
		if !ok {
			t.Errorf("%s is in the document and not in the policy", route)
			continue
		}
		if rule.Public != public[route] {
			t.Errorf("%s: public is %v in the policy and %v in the document", route, rule.Public, public[route])
		}
		if rule.Public == (len(rule.Roles) > 0) {
			t.Errorf("%s: a route is either public or names its roles, has %+v", route, rule)
		}
		for _, r := range rule.Own {
			if !slices.Contains([]mulu.Role{mulu.RoleOfficer, mulu.RoleSystem}, r) {
				t.Errorf("%s: %s is held to its own organisation", route, r)
			}
		}
	}
	for _, route := range httpapi.Routes() {
		if !slices.Contains(routes, route) {
			t.Errorf("%s is in the policy and not in the document", route)
		}
	}
}

// expected says who may call what, written apart from the table it checks.
// s steward, o officer, a approver, p operator, u auditor, y system; "*" anybody.
const expected = `
GET /v1/session                          s o a p u y
POST /v1/session                         *
DELETE /v1/session                       s o a p u y
GET /v1/flow                             s a p u
POST /v1/ingest/datasets/{code}/pause    s p
POST /v1/ingest/datasets/{code}/resume   s p
GET /v1/ingest/holds                     s p u
POST /v1/ingest/holds/release            s
POST /v1/ingest/topics/accept            p
POST /v1/ingest/topics/skip              p
GET /v1/ingest/notices                   s o p u
POST /v1/ingest/notices/seen             s o
GET /v1/flow/{code}                      s a p u
GET /v1/ingest/reconciliations           s o p u
POST /v1/ingest/reconciliations          s p
GET /v1/ingest/reconciliations/{id}      s o p u
GET /v1/ingest/reconciliations/{id}/file s o p u
GET /v1/ways                             s o p u
POST /v1/ways/{dataset}/{kind}/{name}/run s o p
GET /v1/submissions                      s o p u y
GET /v1/submissions/{id}                 s o p u y
POST /v1/ingest/{dataset}                o y
POST /v1/submissions/nil                 o y
POST /v1/submissions/packages            o p y
PUT /v1/submissions/{id}/parts/{name}    o p y
GET /v1/packages                         p u
POST /v1/packages                        p
POST /v1/submissions/files               s o y
GET /v1/submissions/{id}/preview         s o y
POST /v1/submissions/{id}/preview        s o y
POST /v1/submissions/{id}/send           s o y
POST /v1/submissions/{id}/discard        s o p y
GET /v1/submissions/{id}/marked          s o y
GET /v1/datasets/{code}/template         s o p u y
GET /v1/datasets                         s o a u
GET /v1/datasets/{code}                  s o a u
GET /v1/datasets/{code}/score            s o a u
GET /v1/datasets/{code}/scores           s o a u
GET /v1/datasets/{code}/results          s o a u
GET /v1/datasets/{code}/profile          s o u
POST /v1/datasets/{code}/profile         s o
GET /v1/datasets/{code}/suggestions      s o u
POST /v1/datasets/{code}/suggestions/{n}/adopt s o
GET /v1/datasets/{code}/score/explain    s o a u
GET /v1/quality/departments              s o a u
GET /v1/quality/departments/{org}        s o a u
GET /v1/quality/weights                  s o a u
GET /v1/datasets/{code}/rules/{rule}/rows s o
POST /v1/datasets/{code}/rules/{rule}/rows/export s o
GET /v1/quality/looks                    s o u
GET /v1/quality/looks/{id}/became        s o u
GET /v1/datasets/{code}/judge            s o a u
POST /v1/datasets/{code}/judge           s
GET /v1/quality/kinds                    s o a u
GET /v1/quality/drafts                   s o u
POST /v1/quality/drafts                  s o
GET /v1/quality/drafts/{id}              s o u
PUT /v1/quality/drafts/{id}              s o
DELETE /v1/quality/drafts/{id}           s o
POST /v1/quality/drafts/{id}/preview     s o
GET /v1/quality/drafts/{id}/backtest     s o u
POST /v1/quality/drafts/{id}/backtest    s o
POST /v1/quality/drafts/{id}/rebase      s o
POST /v1/quality/drafts/{id}/activate    s
POST /v1/datasets/{code}/results         s p
GET /v1/rejects                          s u
GET /v1/rejects/summary                  s u
POST /v1/rejects/replay                  s
GET /v1/datasets/{code}/batches          s a u
GET /v1/withdrawals                      s a u
POST /v1/withdrawals                     s
GET /v1/catalog/entries                  s o a u
GET /v1/catalog/entry                    s o a u
POST /v1/declarations                    p
GET /v1/orgs                             s o a u
GET /v1/ledger/head                      s a p u
GET /v1/ledger/recent                    s a u
GET /v1/ledger/proof                     s a u
GET /v1/ledger/pending                   s a u
GET /v1/share/scenarios                  o a u
GET /v1/share/requests                   o a u
POST /v1/share/requests                  o
POST /v1/share/requests/{id}/decision    a
GET /v1/share/grants                     o a u
POST /v1/share/grants/{id}/revoke        a o
POST /v1/share/grants/{id}/suspend       a
POST /v1/share/grants/{id}/resume        a
GET /v1/share/grants/{id}/rows           o y
GET /v1/share/grants/{id}/explain        o a u y
GET /v1/share/receipts                   o a u
GET /v1/share/notices                    o a u y
POST /v1/share/notices/{id}/seen         o y
GET /v1/system/status                    p u
GET /healthz                             *
GET /readyz                              *
GET /metrics                             p
`

func TestPolicyAdmits(t *testing.T) {
	letters := map[string]mulu.Role{"s": mulu.RoleSteward, "o": mulu.RoleOfficer, "a": mulu.RoleApprover, "p": mulu.RoleOperator, "u": mulu.RoleAuditor, "y": mulu.RoleSystem}
	seen := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(expected)) {
		f := strings.Fields(line)
		route, who := f[0]+" "+f[1], f[2:]
		seen[route] = true
		rule, ok := httpapi.PolicyFor(route)
		if !ok {
			t.Errorf("%s is expected and not in the policy", route)
			continue
		}
		for letter, role := range letters {
			want := slices.Contains(who, letter) || slices.Contains(who, "*")
			if got := rule.Admits(role); got != want {
				t.Errorf("%s as %s: admitted is %v, want %v", route, role, got, want)
			}
		}
		if got, want := rule.Admits("visitor"), slices.Contains(who, "*"); got != want {
			t.Errorf("%s as an unknown role: admitted is %v, want %v", route, got, want)
		}
	}
	for _, route := range httpapi.Routes() {
		if !seen[route] {
			t.Errorf("%s has no line of expectation", route)
		}
	}
}

func TestPolicyScope(t *testing.T) {
	street := mulu.Org{Code: "11310107MBQ000518E", Kind: "street"}
	for _, route := range httpapi.Routes() {
		rule, _ := httpapi.PolicyFor(route)
		touches := strings.Contains(route, "/share/") && !strings.Contains(route, "/scenarios")
		for _, role := range []mulu.Role{mulu.RoleOfficer, mulu.RoleSystem} {
			if touches && rule.Admits(role) && rule.Scope(mulu.Actor{Org: street, Role: role}) != street.Code {
				t.Errorf("%s: %s is not held to its own organisation", route, role)
			}
		}
		for _, role := range []mulu.Role{mulu.RoleSteward, mulu.RoleApprover, mulu.RoleAuditor, mulu.RoleOperator} {
			if got := rule.Scope(mulu.Actor{Org: street, Role: role}); got != "" {
				t.Errorf("%s: %s is held to %s", route, role, got)
			}
		}
	}
}

func TestUnlistedRouteHasNoRule(t *testing.T) {
	if _, ok := httpapi.PolicyFor("GET /v1/datasets/resident"); ok {
		t.Error("a path is not a pattern: the rule must be asked for as the mux names it")
	}
}
