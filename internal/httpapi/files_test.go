package httpapi_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
)

// testFiles hands files in. No broker is there: what is sent waits.
func testFiles(t *testing.T, h *house) {
	hand := func(name, content string, more ...string) (p struct {
		ID, Format, Refusal, Earlier string
		Rows, Good, Bad              int64
		Sendable                     bool
		Missing                      []string
		Columns                      []struct {
			Heading, Column, By string
			Samples             []string
		}
		Faults []struct {
			Row                              int
			Cell, Class, Field, Rule, Reason string
		}
	}) {
		t.Helper()
		q := url.Values{"dataset": {"resident"}, "name": {name}}
		for i := 0; i < len(more); i += 2 {
			q.Add(more[i], more[i+1])
		}
		h.good(h.call("steward", "POST", "/v1/submissions/files?"+q.Encode(), []byte(content)), &p)
		return p
	}
	const head = "公民身份号码,姓名,出生日期,居住地居委代码,人员状态,更新时间,备注\n"
	const good = "310199199001010018,张三,1990-01-01,310107005001,正常,2026-01-02 03:04:05,\n"

	p := hand("residents.csv", head+good+"310199199001010011,李四,1990-01-01,310107005001,正常,2026-01-02 03:04:05,x\n")
	if p.Format != "csv" || p.Rows != 2 || p.Good != 1 || p.Bad != 1 || len(p.Faults) != 1 || !p.Sendable || len(p.Columns) != 7 || p.Columns[0].Column != "id_no" || p.Columns[6].Column != "" {
		t.Fatalf("preview %+v", p)
	}
	f := p.Faults[len(p.Faults)-1]
	if f.Row != 3 || f.Cell != "A3" || f.Class != "rule" || f.Rule != "id_no.gb11643" || f.Reason == "" {
		t.Errorf("fault %+v", f)
	}
	if again := hand("residents.csv", head+good+"310199199001010011,李四,1990-01-01,310107005001,正常,2026-01-02 03:04:05,x\n"); again.ID != p.ID || !again.Sendable {
		t.Errorf("handed in again it is %+v", again)
	}
	var shown struct{ ID string }
	h.get("steward", "/v1/submissions/"+p.ID+"/preview", &shown)
	if shown.ID != p.ID {
		t.Errorf("shown %+v", shown)
	}
	if w := h.call("auditor", "GET", "/v1/submissions/"+p.ID, nil); w.Code != 200 || strings.Contains(w.Body.String(), "张三") {
		t.Errorf("an auditor sees a row: %d %s", w.Code, w.Body)
	}
	for _, who := range []string{"auditor", "operator", "officer"} {
		if w := h.call(who, "GET", "/v1/submissions/"+p.ID+"/preview", nil); w.Code != 403 && w.Code != 404 {
			t.Errorf("%s sees samples: %d", who, w.Code)
		}
	}
	problem(t, h.call("steward", "POST", "/v1/submissions/"+p.ID+"/send", map[string]any{"require_clean": true}), 400)
	if w := h.call("steward", "GET", "/v1/submissions/"+p.ID+"/marked", nil); w.Code != 200 || !bytes.HasPrefix(w.Body.Bytes(), []byte("PK")) {
		t.Errorf("marked: %d %v", w.Code, w.Header())
	}
	h.good(h.call("steward", "POST", "/v1/submissions/"+p.ID+"/send", map[string]any{}), nil)
	problem(t, h.call("steward", "POST", "/v1/submissions/"+p.ID+"/discard", nil), 409)
	if again := hand("residents.csv", head+good+"310199199001010011,李四,1990-01-01,310107005001,正常,2026-01-02 03:04:05,x\n"); again.Sendable || again.Earlier != p.ID || !strings.Contains(again.Refusal, p.ID) {
		t.Errorf("it is taken twice: %+v", again)
	}

	// Headings that are nobody's: mapped by hand, it can be sent.
	q := hand("other.csv", strings.Replace(head, "公民身份号码", "证件", 1)+good)
	if q.Sendable || q.Refusal == "" || len(q.Missing) != 1 || q.Missing[0] != "id_no" {
		t.Fatalf("without a key %+v", q)
	}
	problem(t, h.call("steward", "POST", "/v1/submissions/"+q.ID+"/send", map[string]any{}), 400)
	h.good(h.call("steward", "POST", "/v1/submissions/"+q.ID+"/preview", map[string]any{"map": map[string]string{"证件": "id_no"}}), &q)
	if !q.Sendable || q.Columns[0].By != "map" {
		t.Errorf("mapped by hand %+v", q)
	}
	problem(t, h.call("operator", "POST", "/v1/submissions/"+q.ID+"/discard", nil), 403) // who may discard a package alone
	h.good(h.call("steward", "POST", "/v1/submissions/"+q.ID+"/discard", nil), nil)
	if third := hand("other.csv", strings.Replace(head, "公民身份号码", "证件", 1)+good, "map", "证件=id_no"); third.ID == q.ID || !third.Sendable {
		t.Errorf("after it was discarded %+v", third)
	}
	if bad := hand("x.xlsx", "PK\x03\x04 no zip"); bad.Sendable || bad.Refusal == "" || bad.Rows != 0 {
		t.Errorf("an unreadable file %+v", bad)
	}
	problem(t, h.call("steward", "POST", "/v1/submissions/files?dataset=resident&name=a.csv", bytes.Repeat([]byte("x"), 1<<20+1)), 413)
	problem(t, h.call("steward", "POST", "/v1/submissions/files?dataset=nothing&name=a.csv", []byte("x")), 404)
	problem(t, h.call("steward", "POST", "/v1/submissions/files?dataset=resident&name=..", []byte("x")), 400)
	problem(t, h.call("steward", "POST", "/v1/submissions/files?dataset=resident&name=a.csv&map=x", []byte("x")), 400)
	problem(t, h.call("officer", "POST", "/v1/submissions/files?dataset=resident&name=a.csv", []byte("x")), 404)
	if w := h.call("officer", "GET", "/v1/datasets/resident/template", nil); w.Code != 200 || !bytes.HasPrefix(w.Body.Bytes(), []byte("PK")) {
		t.Errorf("template: %d", w.Code)
	}
}
