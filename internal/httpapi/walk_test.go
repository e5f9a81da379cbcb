package httpapi_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/internal/httpapi"
	"mulu/ledger/contract"
	"mulu/ledger/verify"
)

// TestDoor opens the house once: starting an engine for each case would be most of
// the time.
func TestDoor(t *testing.T) {
	h := openHouse(t)
	check(t, h.lib.StoreRejects(t.Context(), []mulu.Reject{{Batch: mulu.BatchID{Topic: "mulu.resident"}, Dataset: "resident", Offset: 7, Class: "decode", Reason: "字段“年龄”(age)的值“七”十”不是整数", Key: []byte("k"), Value: []byte("{broken")}}))
	saved, err := h.catalog.SaveScore(t.Context(), mulu.Score{Dataset: "resident", Ruleset: 1, Weights: "default-2026", Rows: 10, Through: time.Now(), Total: 0.93, Grade: "优", At: time.Now(),
		Digest: contract.Digest([]byte("score")), Dimensions: []mulu.Dimension{{Code: "010000", Title: "规范性", Weight: 1, X: 0.93, Applicable: true,
			Groups: []mulu.Group{{Code: "010100", Weight: 1}}, Indicators: []mulu.Indicator{{Code: "010101", Parent: "010100", Weight: 1, A: 93, B: 100, X: 0.93}, {Code: "010102", Parent: "010100"}}}}})
	if err != nil || !saved {
		t.Fatalf("save score: %v %v", saved, err)
	}
	h.store()
	t.Run("scores, departments, schemes", func(t *testing.T) { testScores(t, h) })
	t.Run("sign-in", func(t *testing.T) { testSignIn(t, h) })
	t.Run("a share from request to proof", func(t *testing.T) { testShare(t, h) })
	t.Run("statements", func(t *testing.T) { testStatements(t, h) })
	t.Run("a reject is mended, a batch withdrawn, its holder told", func(t *testing.T) { testMend(t, h) })
	t.Run("a profile", func(t *testing.T) { testProfile(t, h) })
	t.Run("rows that break a rule leak nothing", func(t *testing.T) { testRows(t, h) })
	t.Run("every route as everybody", func(t *testing.T) { testWalk(t, h) })
	t.Run("a file is handed in", func(t *testing.T) { testFiles(t, h) })
	t.Run("rejects are raw for the steward alone", func(t *testing.T) { testRejects(t, h) })
	t.Run("what is decided about the way in", func(t *testing.T) { testControl(t, h) })
	t.Run("what another site could send is refused", func(t *testing.T) { testForgery(t, h) })
	t.Run("every request has its deadlines", func(t *testing.T) { testDeadlines(t, h) })
	t.Run("the way in as it is seen", func(t *testing.T) { testFlow(t, h) })
	t.Run("ways", func(t *testing.T) { testWays(t, h) })
	t.Run("metrics", func(t *testing.T) { testMetrics(t, h) })
	t.Run("the schema registry", func(t *testing.T) { testRegistry(t, h) })
	t.Run("pages and problems", func(t *testing.T) { testPages(t, h) })
	if strings.Contains(h.log.String(), "level=ERROR") {
		t.Errorf("the house failed:\n%s", h.log.String())
	}
	for _, secret := range []string{password, "192.0.2.7", "where="} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the access log holds %q", secret)
		}
	}
}

func testSignIn(t *testing.T, h *house) {
	var s struct {
		Account, Role, Org string
		Sample             bool
	}
	h.get("officer", "/v1/session", &s)
	if s.Account != "officer" || s.Role != "officer" || s.Org != string(streetCode) || !s.Sample {
		t.Errorf("session %+v", s)
	}
	c := h.session("officer")
	if !c.HttpOnly || c.SameSite != 3 || c.Path != "/" {
		t.Errorf("cookie %+v", c)
	}
	w := h.call("", "POST", "/v1/session", map[string]string{"account": "officer", "password": "wrong password"})
	// A program without its key hears of the key, not of what protects browsers.
	plain := httptest.NewRequest("POST", "/v1/ingest/resident", strings.NewReader("[]"))
	plain.Header.Set("Content-Type", "application/json")
	keyless := httptest.NewRecorder()
	h.ServeHTTP(keyless, plain)
	if p := problem(t, keyless, 401); !strings.Contains(p.Detail, "密钥") {
		t.Errorf("problem %+v", p)
	}
	if p := problem(t, w, 401); p.Detail != "账号或口令不对" || p.Mend == "" || p.Instance != w.Header().Get("X-Request-Id") {
		t.Errorf("problem %+v", p)
	}
}

func problem(t *testing.T, w *httptest.ResponseRecorder, status int) httpapi.Problem {
	t.Helper()
	var p httpapi.Problem
	if w.Code != status || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%d %s, want %d: %s", w.Code, w.Header().Get("Content-Type"), status, w.Body)
	}
	check(t, json.Unmarshal(w.Body.Bytes(), &p))
	if p.Status != status || p.Title == "" || !strings.HasPrefix(p.Type, "urn:mulu:problem:") {
		t.Errorf("problem %+v", p)
	}
	return p
}

type grantView struct {
	ID, State, Receiver string
	ReceiverName        string `json:"receiver_name"`
	MayRevoke           bool   `json:"may_revoke"`
	Reads               int64
}

// theGrant is made by testShare for the walk.
var theGrant, theRequest string

func testShare(t *testing.T, h *house) {
	apply := map[string]any{
		"scenario": "SC-2", "items": []map[string]string{{"name": "name"}, {"name": "phone"}}, "receivers": []string{"310107005001"},
		"purpose": "独居老人走访", "until": time.Now().AddDate(0, 6, 0).Format(time.DateOnly),
	}
	w := h.call("officer", "POST", "/v1/share/requests", apply)
	var r struct {
		ID, State string
		Items     []struct{ Name, Title, Mask string }
		Clock     *struct {
			Article string
			Left    int
		}
		Grants    []string
		MayDecide bool `json:"may_decide"`
	}
	h.good(w, &r)
	if w.Code != 201 || r.State != "requested" || r.Clock == nil || r.Clock.Left != 10 || len(r.Grants) != 1 || len(r.Items) != 2 || r.Items[0].Title != "姓名" {
		t.Fatalf("request: %s", w.Body)
	}
	h.flush()
	var list []struct {
		ID        string
		MayDecide bool `json:"may_decide"`
	}
	h.get("approver", "/v1/share/requests", &list)
	if len(list) != 1 || !list[0].MayDecide {
		t.Fatalf("approver sees %+v", list)
	}
	h.get("stranger", "/v1/share/requests", &list)
	if len(list) != 0 {
		t.Errorf("another street sees %+v", list)
	}
	problem(t, h.call("officer", "POST", "/v1/share/requests/"+r.ID+"/decision", map[string]any{"agree": true}), 403)
	h.good(h.call("approver", "POST", "/v1/share/requests/"+r.ID+"/decision", map[string]any{"agree": true, "reason": "同意"}), nil)
	h.flush()
	var grants []grantView
	h.get("officer", "/v1/share/grants", &grants)
	if len(grants) != 1 || grants[0].State != "active" || !grants[0].MayRevoke || !strings.Contains(grants[0].ReceiverName, "曹杨") {
		t.Fatalf("grants %+v", grants)
	}
	theGrant, theRequest = grants[0].ID, r.ID
	rows := h.call("system", "GET", "/v1/share/grants/"+theGrant+"/rows?format=csv", nil)
	head := rows.Header()
	if rows.Code != 200 || head.Get("X-Mulu-Rows") != "0" || !strings.HasPrefix(head.Get("X-Mulu-Digest"), "sha256:") || head.Get("X-Mulu-Receipt") == "" || !strings.HasPrefix(head.Get("Content-Type"), "text/csv") {
		t.Fatalf("rows: %d %v %s", rows.Code, head, rows.Body)
	}
	if lines, err := csv.NewReader(bytes.NewReader(rows.Body.Bytes())).ReadAll(); err != nil || len(lines) != 1 || len(lines[0]) != 2 {
		t.Errorf("csv %q %v", rows.Body, err)
	}
	denied := problem(t, h.call("other-system", "GET", "/v1/share/grants/"+theGrant+"/rows", nil), 403)
	if denied.Receipt == "" || len(denied.Checks) == 0 || denied.Detail == "" {
		t.Errorf("denial %+v", denied)
	}
	testProof(t, h, head.Get("X-Mulu-Receipt"))
}

func testProof(t *testing.T, h *house, receipt string) {
	t.Helper()
	problem(t, h.call("auditor", "GET", "/v1/ledger/proof?id="+receipt, nil), 503) // no root yet
	if _, err := h.share.AnchorReceipts(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.flush()
	var page struct {
		Items []struct {
			ID, State string
			Anchored  bool
			Index     *int64
		}
		Next string
	}
	h.get("auditor", "/v1/share/receipts?limit=1", &page)
	if len(page.Items) != 1 || page.Next == "" || !page.Items[0].Anchored || page.Items[0].Index == nil {
		t.Errorf("receipts %+v", page)
	}
	w := h.call("auditor", "GET", "/v1/ledger/proof?id="+receipt, nil)
	h.good(w, nil)
	report, err := verify.Check(w.Body.Bytes(), h.chain.Key())
	if err != nil || report.Subject == "" {
		t.Errorf("proof of a receipt: %+v %v", report, err)
	}
	var chain struct {
		Items []struct{ ID, Text string }
		Total int64
	}
	h.get("steward", "/v1/ledger/recent?limit=3&offset=1", &chain)
	if len(chain.Items) != 3 || chain.Total < 10 {
		t.Fatalf("recent %+v", chain)
	}
	w = h.call("steward", "GET", "/v1/ledger/proof?id="+chain.Items[0].ID, nil)
	h.good(w, nil)
	if _, err := verify.Check(w.Body.Bytes(), h.chain.Key()); err != nil {
		t.Errorf("proof of a command: %v", err)
	}
	problem(t, h.call("steward", "GET", "/v1/ledger/proof?id=nothing", nil), 404)
}

// concrete fills in a route's parameters with things that are there.
func concrete(route string) (method, path string) {
	method, path, _ = strings.Cut(route, " ")
	switch {
	case strings.Contains(path, "/grants/{id}"):
		path = strings.Replace(path, "{id}", theGrant, 1)
	case strings.Contains(path, "/notices/{id}"):
		path = strings.Replace(path, "{id}", theNotice, 1)
	case strings.Contains(path, "/requests/{id}"):
		path = strings.Replace(path, "{id}", theRequest, 1)
	case strings.Contains(path, "/submissions/{id}"):
		path = strings.Replace(path, "{id}", theSubmission, 1)
	case strings.Contains(path, "/drafts/{id}"):
		path = strings.Replace(path, "{id}", theDraft, 1)
	case strings.Contains(path, "/looks/{id}"):
		path = strings.Replace(path, "{id}", theLook, 1)
	case strings.Contains(path, "/reconciliations/{id}"):
		path = strings.Replace(path, "{id}", theStatement, 1)
	}
	name := "part-0001.zst"
	if strings.HasPrefix(path, "/v1/ways/") {
		name = "main"
	}
	path = strings.NewReplacer("{code}", "resident", "{rule}", "phone.mobile", "{dataset}", "resident", "{kind}", "table", "{name}", name, "{n}", "1", "{org}", "11310107MBQ0000599").Replace(path)
	switch path {
	case "/v1/catalog/entry":
		path += "?code=310107/3005/000001"
	case "/v1/ledger/proof":
		path += "?id=init"
	}
	return method, path
}

// testWalk asks for every route of the document as everybody. Bodies say nothing,
// so what is admitted is refused as 400 and changes nothing.
func testWalk(t *testing.T, h *house) {
	var draft struct{ ID string }
	h.good(h.call("steward", "POST", "/v1/quality/drafts", map[string]any{"dataset": "resident"}), &draft)
	theDraft = draft.ID
	routes, public := documented(t)
	letters := map[string]string{"steward": "s", "officer": "o", "stranger": "o", "approver": "a", "operator": "p", "auditor": "u", "system": "y", "other-system": "y"}
	foreign := []string{"revoke", "rows", "explain", "seen"} // of one organisation's grant
	for _, route := range routes {
		method, path := concrete(route)
		var body any
		if method == "POST" {
			body = map[string]any{"agree": false, "reason": " ", "scenario": "SC-2", "purpose": "", "items": []any{}, "receivers": []any{}, "until": "2020-01-01", "from": 5, "account": "x", "password": "y", "dataset": "resident"}
		}
		if route == "POST /v1/submissions/files" {
			body = []byte("no file")
		}
		for _, who := range []string{"", "bad key"} {
			w := h.call(who, method, path, body)
			if public[route] != (w.Code != 401) && route != "POST /v1/session" {
				t.Errorf("%s as %q: %d", route, who, w.Code)
			}
		}
		for who, letter := range letters {
			if route == "POST /v1/session" {
				continue // nobody is signed in there
			}
			if method == "DELETE" {
				delete(h.cookies, who) // it ends: another is opened for what follows
			}
			w := h.call(who, method, path, body)
			if method == "DELETE" {
				delete(h.cookies, who)
			}
			may := public[route] || strings.Contains(expectedFor(t, route), letter)
			last := path[strings.LastIndex(path, "/")+1:]
			if may && (strings.Contains(route, "/grants/{id}") || strings.Contains(route, "/notices/{id}")) && slices.Contains(foreign, last) && (who == "stranger" || who == "other-system") {
				may = false // its own organisation's alone
			}
			if (strings.Contains(route, "/submissions/{id}") || strings.Contains(route, "/ways/{dataset}") || strings.HasSuffix(route, "/profile") || strings.Contains(route, "/suggestions") || strings.HasPrefix(route, "POST /v1/ingest/{dataset}") || route == "POST /v1/submissions/nil") && may && strings.Contains("oy", letter) {
				if w.Code != 404 { // another department's dataset: not even that it is there
					t.Errorf("%s as %s: %d, want not found", route, who, w.Code)
				}
				continue
			}
			if (strings.Contains(route, "/rules/{rule}/rows") || strings.Contains(route, "/looks/{id}")) && letter == "o" {
				may = false // its own dataset's, its own organisation's alone
			}
			if strings.Contains(route, "/quality/drafts") && route != "GET /v1/quality/drafts" && letter == "o" {
				if w.Code != 404 && w.Code != 400 && may || w.Code != 403 && !may { // ditto; a body may be refused before
					t.Errorf("%s as %s: %d, want not found", route, who, w.Code)
				}
				continue
			}
			if strings.HasSuffix(route, "/submissions/{id}/discard") && letter == "p" {
				may = false // it is a file: an operator may discard packages alone
			}
			switch {
			case !may && w.Code != 403:
				t.Errorf("%s as %s: %d, want refused", route, who, w.Code)
			case may && (w.Code == 401 || w.Code == 403 || w.Code == 404 || w.Code >= 500):
				t.Errorf("%s as %s: %d %s, want admitted", route, who, w.Code, w.Body)
			case may && method == "GET" && w.Code != 200:
				t.Errorf("%s as %s: %d %s", route, who, w.Code, w.Body)
			}
		}
	}
	var grants []grantView
	h.get("officer", "/v1/share/grants", &grants)
	if len(grants) != 1 || grants[0].State != "active" {
		t.Errorf("the walk changed something: %+v", grants)
	}
}

func expectedFor(t *testing.T, route string) string {
	t.Helper()
	for line := range strings.Lines(expected) {
		f := strings.Fields(line)
		if len(f) > 2 && f[0]+" "+f[1] == route {
			return strings.Join(f[2:], " ")
		}
	}
	t.Errorf("%s has no line of expectation", route)
	return ""
}

func testRejects(t *testing.T, h *house) {
	var page struct {
		Items []struct {
			Key, Value, Reason string
			Masked             bool
		}
		Total int64
	}
	h.get("steward", "/v1/rejects?dataset=resident&offset=7", &page)
	if page.Total != 1 || len(page.Items) != 1 || page.Items[0].Value != "e2Jyb2tlbg==" || !strings.Contains(page.Items[0].Reason, "十") || page.Items[0].Masked {
		t.Errorf("steward sees %+v", page)
	}
	h.get("auditor", "/v1/rejects?dataset=resident&offset=7", &page)
	if len(page.Items) != 1 || page.Items[0].Value != "" || page.Items[0].Key != "" || page.Items[0].Reason != "字段“年龄”(age)的值“…”不是整数" || !page.Items[0].Masked {
		t.Errorf("auditor sees %+v", page)
	}
}

func testForgery(t *testing.T, h *house) {
	ask := func(change func(set func(k, v string)), want int) {
		t.Helper()
		r := httptest.NewRequest("POST", "http://mulu.test/v1/share/requests", strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Mulu", "console")
		r.AddCookie(h.session("officer"))
		change(r.Header.Set)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		problem(t, w, want)
	}
	ask(func(set func(k, v string)) {}, 400)
	ask(func(set func(k, v string)) { set("X-Mulu", "") }, 403)
	ask(func(set func(k, v string)) { set("Origin", "http://evil.test") }, 403)
	ask(func(set func(k, v string)) { set("Sec-Fetch-Site", "cross-site") }, 403)
	ask(func(set func(k, v string)) { set("Content-Type", "text/plain") }, 415)
	long := map[string]string{"account": strings.Repeat("a", 2<<20), "password": "x"}
	problem(t, h.call("", "POST", "/v1/session", long), 413)

	local := httptest.NewRequest("GET", "/metrics", nil)
	local.RemoteAddr = "127.0.0.1:5000"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, local)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `mulu_http_requests_total{method="GET",route="GET /v1/datasets/{code}",status="200"}`) {
		t.Errorf("metrics from this machine: %d", w.Code)
	}
	local.Header.Set("X-Forwarded-For", "192.0.2.9")
	w = httptest.NewRecorder()
	h.ServeHTTP(w, local)
	problem(t, w, 401)
}

// timed is a recorder that takes deadlines, as a connection does.
type timed struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (w *timed) SetReadDeadline(t time.Time) error  { w.read = t; return nil }
func (w *timed) SetWriteDeadline(t time.Time) error { w.write = t; return nil }

func testDeadlines(t *testing.T, h *house) {
	f := func(path string, least, most time.Duration) {
		t.Helper()
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+h.keys["system"])
		w := &timed{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(w, r)
		for _, d := range []time.Time{w.read, w.write} {
			if left := time.Until(d); w.Code != 200 || left < least || left > most {
				t.Errorf("%s: %d, deadline in %v", path, w.Code, left)
			}
		}
	}
	f("/", 30*time.Second, 2*time.Minute)
	f("/v1/session", 30*time.Second, 2*time.Minute)
	f("/v1/share/grants/"+theGrant+"/rows", 15*time.Minute, 16*time.Minute)
}

func testPages(t *testing.T, h *house) {
	w := h.call("", "GET", "/grants", nil)
	if w.Code != 200 || strings.Contains(w.Body.String(), "__CSP_NONCE__") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "'nonce-") {
		t.Errorf("page: %d %s", w.Code, w.Body)
	}
	problem(t, h.call("", "GET", "/v1/unknown", nil), 404)
	problem(t, h.call("steward", "PUT", "/v1/flow", nil), 404)
	problem(t, h.call("system", "HEAD", "/v1/share/grants/"+theGrant+"/rows", nil), 404)
	problem(t, h.call("steward", "GET", "/v1/rejects?limit=x", nil), 400)
	problem(t, h.call("steward", "GET", "/v1/datasets/none", nil), 404)
	problem(t, h.call("officer", "POST", "/v1/share/requests", []int{1}), 400)
	if w := h.call("steward", "GET", "/v1/flow", nil); w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Mulu-Sample") != "true" {
		t.Errorf("headers %v", w.Header())
	}
}
