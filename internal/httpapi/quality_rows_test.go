package httpapi_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"mulu"
	"mulu/quality"
	"mulu/quality/desk"
	"mulu/quality/rows"
)

// theLook is made by testRows for the walk.
var theLook string

// planted are values of L3 and above that stand in rows at fault, and nowhere else: what
// of them must not be seen under a mask.
type planted struct {
	what, value string
}

type failingRow struct {
	Token, Unit, State string
	Values             []any
	Breaks             []string
	Offset             int64
}

type failingPage struct {
	List, Next, Shown    string
	Rows, Refused        []failingRow
	Total, RefusedTotal  *int64
	RefusedNext, NoRows  string `json:"-"`
	Columns              []struct{ Name, Mask string }
	Units                []struct{ Unit string }
	NoRowsSaid           string `json:"no_rows"`
	RefusedTotalReported *int64 `json:"refused_total"`
}

// everything is all that a body holds, archives and workbooks in it unpacked.
func everything(t *testing.T, b []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return string(b)
	}
	var all strings.Builder
	for _, f := range z.File {
		r, err := f.Open()
		check(t, err)
		inner, err := io.ReadAll(r)
		check(t, err)
		all.WriteString(f.Name + "\n" + everything(t, inner) + "\n")
	}
	return all.String()
}

// testRows plants values and looks for them in every form, as everybody.
func testRows(t *testing.T, h *house) {
	stored, refused := person(t, 5), person(t, 6)
	formula := person(t, 7)
	record := func(id, name, phone, status, liveType string) string {
		b, err := json.Marshal(map[string]any{"id_no": id, "name": name, "sex": "8", "birth": "1951-07-09", "nation": "泄昆", "hj_div": "漏泄区划", "live_addr": "曹杨路泄漏弄77号", "addr_code": nil,
			"div12": "310107005001", "phone": phone, "live_type": liveType, "status": status, "upd": "2026-01-01 08:00:00"})
		check(t, err)
		return string(b)
	}
	h.further(record(stored, "欧阳泄漏", "021-5877001", "正常", "13877770002"), record(refused, "司徒泄密", "13877770003", "错误", "户籍"), record(formula, "=泄漏+1", "021-5877004", "正常", "户籍"))
	secrets := []planted{
		{"an id", stored}, {"an id's inside", stored[3:14]}, {"a refused id", refused}, {"a name", "欧阳泄漏"}, {"a given name", "泄漏"}, {"a refused name", "泄密"}, {"a phone", "021-5877001"},
		{"a refused phone", "13877770003"}, {"a phone that strayed into an item of L2", "13877770002"}, {"a birthday", "1951-07-09"}, {"a birthday's end", "51-07-09"}, {"a nation", "泄昆"}, {"a home division", "漏泄区划"},
		{"a house", "泄漏弄"}, {"a hexed id", fmt.Sprintf("%x", stored)},
	}
	clean := func(what, text string) {
		t.Helper()
		for _, s := range secrets {
			if strings.Contains(text, s.value) {
				t.Errorf("%s tells %s, %q: %.600s", what, s.what, s.value, text)
			}
		}
	}
	shows := func(what, text string, names ...string) {
		t.Helper()
		for _, n := range names {
			if !strings.Contains(text, n) {
				t.Errorf("%s does not show %q: %.600s", what, n, text)
			}
		}
	}
	at := func(rule, query string) string {
		return "/v1/datasets/resident/rules/" + rule + "/rows" + query
	}
	ds := h.lib.Dataset("resident")
	var rules []string
	for _, r := range ds.Rules {
		rules = append(rules, string(r.ID))
	}
	for _, r := range ds.SetRules {
		rules = append(rules, string(r.ID))
	}
	secretQuery := "?where=" + url.QueryEscape(`{"f":"phone","op":"eq","v":"13877770003"}`)
	const reveal = "?reveal=true&purpose=%E6%A0%B8%E5%AF%B9%E6%9B%B4%E6%AD%A3"

	t.Run("the steward sees masks, in every form of every rule", func(t *testing.T) {
		seen, denied := 0, 0
		for _, rule := range rules {
			w := h.call("steward", "GET", at(rule, ""), nil)
			clean("a page of "+rule, w.Body.String()+fmt.Sprint(w.Header()))
			var p failingPage
			h.good(w, &p)
			seen += len(p.Rows) + len(p.Refused)
			if p.Shown != "masked" {
				t.Errorf("%s is shown %s", rule, p.Shown)
			}
			for _, format := range []string{"csv", "xlsx"} {
				w := h.call("steward", "POST", at(rule, "/export?format=")+format, nil)
				if p.NoRowsSaid != "" {
					problem(t, w, 400)
					continue
				}
				clean(format+" of "+rule, everything(t, w.Body.Bytes())+fmt.Sprint(w.Header()))
			}
			w = h.call("steward", "GET", at(rule, secretQuery), nil)
			if problem(t, w, 403); strings.Contains(w.Body.String(), "5877") {
				t.Errorf("the refusal tells the value: %s", w.Body)
			}
			denied++
		}
		if seen < 20 || denied != len(rules) {
			t.Errorf("%d rows were looked at, %d oracles refused: the test proves nothing", seen, denied)
		}
		w := h.call("steward", "GET", at("live_type.enum", ""), nil)
		shows("a page", w.Body.String(), stored[:3]+"***********"+stored[14:], "欧阳**", "1951-**-**", "曹杨路***", `"***"`)
		w = h.call("steward", "GET", at("status.enum", ""), nil)
		shows("refused rows", w.Body.String(), refused[:3]+"***********"+refused[14:], "司徒**", "138****0003", "错误")
	})

	t.Run("errors tell no value", func(t *testing.T) {
		for _, q := range []string{
			"?where=" + url.QueryEscape(`{"f":"birth","op":"eq","v":"`+stored+`"}`), "?where=" + url.QueryEscape(`{"f":"upd","op":"lt","v":"13877770003"}`),
			"?where=" + url.QueryEscape(`{"f":"13877770003","op":"eq","v":"x"}`), "?where=13877770003", "?cursor=13877770003", "?refused_cursor=13877770003", "?division=13877770003", "?where=" + url.QueryEscape(`{"f":"div12","op":"like","v":"`+stored+`"}`),
		} {
			w := h.call("steward", "GET", at("status.enum", q), nil)
			if w.Code != 400 && w.Code != 403 {
				t.Errorf("%s: %d", q, w.Code)
			}
			clean("the error of "+q, strings.ReplaceAll(w.Body.String(), "数据项 13877770003", ""))
		}
	})

	t.Run("nobody else sees a row", func(t *testing.T) {
		for _, who := range []string{"officer", "stranger", "civil", "approver", "operator", "auditor", "system", "other-system", ""} {
			for _, rule := range []string{"live_type.enum", "status.enum", "id_no.unique"} {
				for _, q := range []string{"", reveal, secretQuery} {
					w := h.call(who, "GET", at(rule, q), nil)
					if w.Code != 403 && w.Code != 401 {
						t.Errorf("%s as %q: %d", rule, who, w.Code)
					}
					clean("a refusal to "+who, w.Body.String())
				}
				w := h.call(who, "POST", at(rule, "/export"), map[string]any{"reveal": true, "purpose": "核对更正"})
				if w.Code != 403 && w.Code != 401 {
					t.Errorf("export of %s as %q: %d", rule, who, w.Code)
				}
			}
		}
	})

	var list string
	t.Run("a reveal needs a purpose and leaves a look", func(t *testing.T) {
		problem(t, h.call("steward", "GET", at("live_type.enum", "?reveal=true"), nil), 400)
		problem(t, h.call("steward", "GET", at("live_type.enum", "?reveal=true&purpose=a"), nil), 400)
		w := h.call("steward", "GET", at("live_type.enum", reveal), nil)
		shows("a reveal", w.Body.String(), stored, "欧阳泄漏", "021-5877001", "13877770002", "泄漏弄")
		var p failingPage
		h.good(w, &p)
		l, err := h.looks.Look(t.Context(), p.List)
		if err != nil || !l.Reveal || l.Purpose != "核对更正" || l.Actor != "steward" || l.Rows != int64(len(p.Rows)) || l.Shown != rows.Clear || l.Outcome != desk.LookDelivered {
			t.Errorf("look %+v: %v", l, err)
		}
	})

	t.Run("the owner sees its own in clear, and may filter by it", func(t *testing.T) {
		w := h.call("police", "GET", at("live_type.enum", "?where="+url.QueryEscape(`{"all":[{"f":"phone","op":"eq","v":"021-5877001"}]}`)), nil)
		shows("the owner's page", w.Body.String(), stored, "欧阳泄漏", "021-5877001")
		w = h.call("police", "POST", at("phone.mobile", "/export?format=csv"), nil)
		text := everything(t, w.Body.Bytes())
		shows("the owner's CSV", text, "\ufeff", stored, "'=泄漏+1", "不合格行-公安普陀分局")
		testArchive(t, h, w, stored)
		list = w.Header().Get("X-Mulu-Look")
	})

	h.call("steward", "GET", "/v1/rejects?dataset=resident&text=13877770003", nil)
	t.Run("every look is there for the auditor, without a value", func(t *testing.T) {
		w := h.call("auditor", "GET", "/v1/quality/looks?limit=500", nil)
		clean("the looks", w.Body.String())
		var page struct {
			Items []struct {
				ID, Actor, Form, Outcome, Digest string
				Rows                             int64
				Filter                           map[string]any
			}
		}
		h.good(w, &page)
		count := map[string]int{}
		for _, l := range page.Items {
			count[l.Actor+" "+l.Form+" "+l.Outcome]++
			if text := fmt.Sprint(l.Filter); l.Actor == "police" && l.Form == "page" && !strings.Contains(text, "hmac:") {
				t.Errorf("filter of the owner %s", text)
			}
		}
		for _, want := range []string{"steward page delivered", "steward csv delivered", "steward xlsx delivered", "police csv delivered", "police page delivered", "steward rejects delivered", "steward page denied", "officer page denied", "stranger csv denied"} {
			if count[want] == 0 {
				t.Errorf("no look %q among %v", want, count)
			}
		}
		h.get("police", "/v1/quality/looks?limit=500", &page)
		for _, l := range page.Items {
			if l.Actor != "police" {
				t.Errorf("police sees a look of %s", l.Actor)
			}
		}
		events, err := h.auth.Trail(t.Context(), 10_000)
		check(t, err)
		clean("the trail", fmt.Sprint(events))
	})

	t.Run("results, findings and the log tell nothing", func(t *testing.T) {
		out, err := quality.Run(t.Context(), h.lib, quality.RunInput{Dataset: ds, Datasets: h.lib.Dataset, Now: time.Now()})
		if err != nil || len(out.Results) != len(rules) {
			t.Fatalf("a run gives %d results of %d rules: %v", len(out.Results), len(rules), err)
		}
		clean("what could not be judged", fmt.Sprint(out.Faults))
		check(t, h.looks.SaveRun(t.Context(), desk.Run{Dataset: "resident", Ruleset: ds.Version, Data: "sha256:state", Digest: "sha256:run", At: time.Now(), Results: out.Results}))
		for _, who := range []string{"steward", "police", "officer", "approver", "auditor", "operator"} {
			for _, path := range []string{"/v1/datasets", "/v1/datasets/resident", "/v1/datasets/resident/results", "/v1/datasets/resident/scores", "/v1/rejects/summary", "/v1/flow", "/v1/flow/resident", "/v1/datasets/resident/batches", "/metrics"} {
				clean(path+" as "+who, h.call(who, "GET", path, nil).Body.String())
			}
		}
		clean("rejects as the auditor", h.call("auditor", "GET", "/v1/rejects?dataset=resident", nil).Body.String())
		clean("the log", h.log.String())
		left, err := filepath.Glob(filepath.Join(h.failing.Dir, "*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left on disk: %v %v", left, err)
		}
	})

	t.Run("what is mended leaves the list by itself", func(t *testing.T) { testRecheck(t, h, list, stored, refused, record) })
	t.Run("rows go to who answers for them", func(t *testing.T) { testUnits(t, h) })
	theLook = list
	var p failingPage
	h.get("steward", at("phone.mobile", ""), &p)
	theLook = p.List
}

// testArchive opens an archive as whoever received it would.
func testArchive(t *testing.T, h *house, w *httptest.ResponseRecorder, id string) {
	t.Helper()
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	path := filepath.Join(t.TempDir(), "rows.zip")
	check(t, os.WriteFile(path, w.Body.Bytes(), 0o600))
	m, err := rows.Verify(path)
	if err != nil || m.House.Key != h.key("mulu") || m.List != w.Header().Get("X-Mulu-Look") || m.Rows == 0 || m.Shown != rows.Clear || m.Viewer.Account != "police" {
		t.Fatalf("manifest %+v: %v", m, err)
	}
	z, err := zip.OpenReader(path)
	check(t, err)
	defer z.Close()
	var total int64
	for _, f := range m.Files {
		if f.Rows > 3 {
			t.Errorf("%s has %d rows, at most 3 were allowed", f.Name, f.Rows)
		}
		r, err := z.Open(f.Name)
		check(t, err)
		b, err := io.ReadAll(r)
		check(t, err)
		lines := strings.SplitN(string(b), "\r\n", f.Head+1)
		table, err := csv.NewReader(strings.NewReader(lines[f.Head])).ReadAll()
		if err != nil || int64(len(table))-1 != f.Rows || !slices.Contains(table[0], "公民身份号码（id_no）") || !slices.Contains(table[0], "行标识") {
			t.Errorf("%s: %d lines for %d rows, heads %q: %v", f.Name, len(table), f.Rows, table[0], err)
		}
		total += f.Rows
	}
	if total != m.Rows+m.Refused {
		t.Errorf("files hold %d rows, the manifest says %d", total, m.Rows+m.Refused)
	}
	w = h.call("police", "POST", "/v1/datasets/resident/rules/phone.mobile/rows/export?format=xlsx", nil)
	var inner bytes.Buffer
	outer, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
	check(t, err)
	r, err := outer.File[0].Open()
	check(t, err)
	_, err = inner.ReadFrom(r)
	check(t, err)
	x, err := excelize.OpenReader(&inner)
	check(t, err)
	defer x.Close()
	got, err := x.GetRows("不合格行")
	check(t, err)
	at := slices.IndexFunc(got, func(line []string) bool { return line[0] == id })
	if at < 1 {
		t.Fatalf("no row of %s in %v", id, got)
	}
	kind, err := x.GetCellType("不合格行", fmt.Sprintf("A%d", at+1))
	style, serr := x.GetCellStyle("不合格行", fmt.Sprintf("A%d", at+1))
	check(t, serr)
	s, serr := x.GetStyle(style)
	if err != nil || serr != nil || kind != excelize.CellTypeInlineString || s.NumFmt != 49 {
		t.Errorf("an id is a cell of type %v, style %+v: %v %v", kind, s, err, serr)
	}
}

// testRecheck corrects one row at its source and replays the other.
func testRecheck(t *testing.T, h *house, list, stored, refused string, record func(id, name, phone, status, liveType string) string) {
	type became struct{ Rows, Failing, Mended, Gone int64 }
	ask := func(id string) (b became) {
		t.Helper()
		h.get("steward", "/v1/quality/looks/"+id+"/became", &b)
		return b
	}
	before := ask(list)
	if before.Rows == 0 || before.Failing != before.Rows {
		t.Errorf("before: %+v", before)
	}
	var old failingPage
	h.get("steward", "/v1/datasets/resident/rules/status.enum/rows", &old)
	if len(old.Refused) == 0 {
		t.Fatal("no refused row")
	}
	h.further(record(stored, "欧阳泄漏", "13877770009", "正常", "户籍"), record(refused, "司徒泄密", "13877770003", "正常", "户籍"))
	after := ask(list)
	if after != (became{Rows: before.Rows, Failing: before.Failing - 1, Mended: 1}) {
		t.Errorf("after: %+v, before %+v", after, before)
	}
	var now failingPage
	h.get("steward", "/v1/datasets/resident/rules/status.enum/rows", &now)
	if len(now.Refused) != len(old.Refused)-1 {
		t.Errorf("%d refused rows after the source sent one again, %d before", len(now.Refused), len(old.Refused))
	}
	if b := ask(old.List); b.Mended != 1 || b.Failing != b.Rows-1 {
		t.Errorf("of the refused ones: %+v", b)
	}

	other := person(t, 8)
	offset := h.further(record(other, "端木泄密", "13877770003", "错误", "户籍"))
	h.get("steward", "/v1/datasets/resident/rules/status.enum/rows", &old)
	var page struct{ Items []rejectView }
	h.get("steward", fmt.Sprintf("/v1/rejects?dataset=resident&state=open&offset=%d&partition=0", offset), &page)
	if len(page.Items) != 1 {
		t.Fatalf("rejects %+v", page)
	}
	r := page.Items[0]
	value := []byte(record(other, "端木泄密", "13877770003", "正常", "户籍"))
	h.good(h.call("steward", "POST", "/v1/rejects/replay", map[string]any{"dataset": "resident", "why": "与来源单位核对",
		"items": []any{map[string]any{"topic_id": r.TopicID, "partition": r.Partition, "offset": r.Offset, "row": r.Row, "value": value}}}), nil)
	h.get("steward", "/v1/datasets/resident/rules/status.enum/rows", &now)
	if len(now.Refused) != len(old.Refused)-1 {
		t.Errorf("%d refused rows after one was replayed, %d before", len(now.Refused), len(old.Refused))
	}
	if b := ask(old.List); b.Mended != 1 {
		t.Errorf("of the replayed one: %+v", b)
	}
}

// testUnits brings visits of two streets, and of a division that no street has.
func testUnits(t *testing.T, h *house) {
	var values []string
	for i := range 8 {
		div := []string{"310107005001", "310107014001"}[i%2]
		values = append(values, fmt.Sprintf(`{"id_no":%q,"visit":"2026-01-0%d","live_alone":true,"health_lv":"9","findings":"泄漏的病情","visitor":"端木走访","risk_lv":1,"children_n":1,"div12":%q}`, person(t, 4), i+1, div))
	}
	h.bringTo("visit", mulu.TopicID{8}, 0, values...)
	path := "/v1/datasets/visit/rules/health_lv.enum/rows"
	w := h.call("civil", "POST", path+"/export", nil)
	file := filepath.Join(t.TempDir(), "visits.zip")
	check(t, os.WriteFile(file, w.Body.Bytes(), 0o600))
	m, err := rows.Verify(file)
	if err != nil || m.Rows != 8 || len(m.Files) != 4 {
		t.Fatalf("manifest %+v: %v", m, err)
	}
	units := map[string]int64{}
	for _, f := range m.Files {
		units[string(f.Unit)] += f.Rows
	}
	if len(units) != 2 || units[string(civilCode)] != 0 {
		t.Errorf("units %v", units)
	}
	var p failingPage
	h.get("steward", path+"?department="+string(m.Files[0].Unit), &p)
	if len(p.Rows) != 4 || len(p.Units) != 1 || strings.Contains(fmt.Sprint(p), "病情") {
		t.Errorf("of one unit: %+v", p)
	}
	h.get("steward", path+"?division=310107014", &p)
	if len(p.Rows) != 4 {
		t.Errorf("of one division: %d rows", len(p.Rows))
	}
	problem(t, h.call("steward", "GET", path+"?division=31010701", nil), 400)

	// Pages by key, over both lists' own cursors.
	seen, next := map[string]bool{}, ""
	for range 10 {
		h.get("steward", path+"?limit=3&cursor="+next, &p)
		for _, r := range p.Rows {
			if seen[r.Token] {
				t.Errorf("row %s twice", r.Token)
			}
			seen[r.Token] = true
		}
		if next = p.Next; next == "" {
			break
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d rows over all pages", len(seen))
	}
	var fresh failingPage
	h.get("steward", "/v1/datasets/visit/rules/visit.fresh/rows", &fresh)
	if fresh.NoRowsSaid == "" || len(fresh.Rows) != 0 {
		t.Errorf("fresh: %+v", fresh)
	}
	problem(t, h.call("steward", "GET", "/v1/datasets/visit/rules/nothing/rows", nil), 404)
}
