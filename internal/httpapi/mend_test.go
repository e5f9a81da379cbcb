package httpapi_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/internal/sample"
	"mulu/library"
	"mulu/plan"
)

// topic is a Source of one batch.
type topic struct{ batch *ingest.Batch }

func (s topic) Next(context.Context) (*ingest.Batch, error) { return s.batch, nil }
func (topic) Commit(context.Context, mulu.BatchID) error    { return nil }

func (topic) Review(context.Context, *ingest.Batch, *ingest.Decoded) error { return nil }

// bring walks one batch of residents into the library.
func (h *house) bring(first int64, values ...string) {
	h.t.Helper()
	h.bringTo("resident", mulu.TopicID{7}, first, values...)
}

// further walks one more batch of residents into the library and gives its first offset.
func (h *house) further(values ...string) int64 {
	h.t.Helper()
	next, _, err := h.journal.Resume(h.t.Context(), mulu.TopicID{7}, 0)
	check(h.t, err)
	h.bring(next, values...)
	return next
}

// bringTo walks one batch into the library.
func (h *house) bringTo(code mulu.DatasetCode, topicID mulu.TopicID, first int64, values ...string) {
	h.t.Helper()
	ds := h.lib.Dataset(code)
	b := &ingest.Batch{Plan: mulu.Plan{Dataset: ds.Code, Version: ds.Version, BatchID: mulu.BatchID{TopicID: topicID, Topic: ds.Topic, First: first, Last: first + int64(len(values)) - 1}}}
	for i, v := range values {
		b.Records = append(b.Records, mulu.Record{Offset: first + int64(i), Value: []byte(v), Time: time.Now()})
	}
	lane := h.lane
	lane.Source = topic{b}
	check(h.t, lane.Step(h.t.Context()))
}

// person is a resident who can not be anybody: n is a number of one digit.
func person(t *testing.T, n int) string {
	t.Helper()
	for _, c := range "0123456789X" {
		if id := fmt.Sprintf("%s1950010100%d%c", sample.NoDivision, n, c); sample.ValidID(id) {
			return id
		}
	}
	t.Fatal("no check digit fits")
	return ""
}

func resident(id, name string) string {
	return fmt.Sprintf(`{"id_no":%q,"name":%q,"birth":"1950-01-01","div12":"310107005001","status":"正常","upd":"2026-01-01 08:00:00"}`, id, name)
}

// names are the residents that readers see, by number.
func (h *house) names() map[string]string {
	h.t.Helper()
	rows, err := h.lib.Read(h.t.Context(), plan.Plan{View: plan.View{Base: "resident"}, Items: []plan.Item{{Name: "id_no"}, {Name: "name"}}}, library.ReadOptions{})
	check(h.t, err)
	out := map[string]string{}
	for _, r := range rows.Values {
		out[r[0].(string)], _ = r[1].(string)
	}
	return out
}

type flowView struct {
	Datasets []struct {
		Code                                                  string
		Offsets, Good, Rejected, Replayed, Control, Withdrawn int64
		Balanced                                              bool
	}
}

type rejectView struct {
	TopicID              string `json:"topic_id"`
	Partition, Row       int32
	Offset               int64
	State, Reason, Value string
	Mend                 *struct {
		Closed                    bool
		Actor, Why, Value, Reason string
	}
}

type replayView struct {
	Replayed, Fit, Faulty, Declined int64
	Items                           []struct{ Outcome, Rule, Reason string }
	Next                            string
}

// theNotice is made by testMend for the walk.
var theNotice string

// testMend walks a reject from its edit to the table, and a wrong batch back out of
// it to those who read it.
func testMend(t *testing.T, h *house) {
	a, b, c := person(t, 1), person(t, 2), person(t, 3)
	h.bring(0, resident(a, "甲"), resident(b[:17]+"A", "乙"), `{"id_no":`)
	var page struct {
		Items []rejectView
		Total int64
	}
	h.get("steward", "/v1/rejects?dataset=resident&state=open&offset=1&partition=0", &page)
	if len(page.Items) != 1 || page.Total != 1 || page.Items[0].State != "open" {
		t.Fatalf("rejects %+v", page)
	}
	item := func(r rejectView, value string) map[string]any {
		m := map[string]any{"topic_id": r.TopicID, "partition": r.Partition, "offset": r.Offset, "row": r.Row}
		if value != "" {
			m["value"] = base64.StdEncoding.EncodeToString([]byte(value))
		}
		return m
	}
	replay := func(dry bool, r rejectView, value string) (out replayView) {
		t.Helper()
		h.good(h.call("steward", "POST", "/v1/rejects/replay", map[string]any{"dataset": "resident", "why": "与来源单位核对", "dry_run": dry, "items": []any{item(r, value)}}), &out)
		return out
	}
	if got := replay(true, page.Items[0], resident(b, "乙")); got.Fit != 1 || got.Replayed != 0 {
		t.Errorf("dry run: %+v", got)
	}
	if got := replay(false, page.Items[0], resident(b[:17]+"a", "乙")); got.Faulty != 1 || got.Items[0].Rule != "id_no.gb11643" {
		t.Errorf("still faulty: %+v", got)
	}
	h.get("steward", "/v1/rejects?dataset=resident&state=draft", &page)
	if len(page.Items) != 1 || page.Items[0].Mend == nil || page.Items[0].Mend.Closed || page.Items[0].Mend.Value == "" {
		t.Errorf("the draft: %+v", page)
	}
	h.get("auditor", "/v1/rejects?dataset=resident&state=draft", &page)
	if len(page.Items) != 1 || page.Items[0].Mend == nil || page.Items[0].Mend.Value != "" {
		t.Errorf("an auditor sees the draft's value: %+v", page)
	}
	problem(t, h.call("auditor", "GET", "/v1/rejects?text=1950", nil), 403)
	if got := replay(false, page.Items[0], resident(b, "乙")); got.Replayed != 1 {
		t.Fatalf("replay: %+v", got)
	}
	if got := replay(false, page.Items[0], resident(b, "丙")); got.Declined != 1 || !strings.Contains(got.Items[0].Reason, "steward") {
		t.Errorf("replayed twice: %+v", got)
	}
	if got := h.names(); len(got) != 2 || got[b] != "乙" {
		t.Errorf("readers see %v", got)
	}
	var flow flowView
	time.Sleep(1100 * time.Millisecond) // totals may be a second old
	h.get("steward", "/v1/flow", &flow)
	for _, f := range flow.Datasets {
		if f.Code == "resident" && (f.Good != 1 || f.Rejected != 2 || f.Replayed != 1 || f.Offsets != 3 || !f.Balanced) {
			t.Errorf("flow %+v", f)
		}
	}
	var many replayView
	h.good(h.call("steward", "POST", "/v1/rejects/replay", map[string]any{"dataset": "resident", "why": "再试", "filter": map[string]any{"class": "decode"}, "limit": 1}), &many)
	if many.Faulty != 1 || many.Replayed != 0 {
		t.Errorf("by filter: %+v", many)
	}

	h.bring(3, resident(a, "错"), resident(c, "错"))
	rows := h.call("system", "GET", "/v1/share/grants/"+theGrant+"/rows?format=csv", nil)
	if rows.Code != 200 || rows.Header().Get("X-Mulu-Notice") != "" {
		t.Fatalf("read: %d %v", rows.Code, rows.Header())
	}
	var batches struct {
		Items []struct{ ID, State, Withdrawal string }
	}
	h.get("steward", "/v1/datasets/resident/batches", &batches)
	if len(batches.Items) != 2 || batches.Items[0].State != "done" {
		t.Fatalf("batches %+v", batches)
	}
	var w struct {
		ID                            string
		Keys, Restored, Gone, Notices int64
		DoneAt                        *string `json:"done_at"`
	}
	ask := map[string]any{"dataset": "resident", "batch": batches.Items[0].ID, "reason": "来源单位误发", "dry_run": true}
	h.good(h.call("steward", "POST", "/v1/withdrawals", ask), &w)
	if w.Keys != 2 || w.Restored != 1 || w.Gone != 1 || h.names()[a] != "错" {
		t.Errorf("dry run: %+v", w)
	}
	ask["dry_run"] = false
	h.good(h.call("steward", "POST", "/v1/withdrawals", ask), &w)
	if w.Notices != 1 || w.DoneAt == nil {
		t.Errorf("withdrawal %+v", w)
	}
	if got := h.names(); len(got) != 2 || got[a] != "甲" {
		t.Errorf("after the withdrawal readers see %v", got)
	}
	problem(t, h.call("steward", "POST", "/v1/withdrawals", ask), 409)
	problem(t, h.call("steward", "POST", "/v1/withdrawals", map[string]any{"dataset": "resident", "batch": "x", "reason": "y"}), 400)
	h.get("auditor", "/v1/datasets/resident/batches", &batches)
	if batches.Items[0].State != "withdrawn" || batches.Items[0].Withdrawal != w.ID {
		t.Errorf("batches %+v", batches)
	}
	var list []struct{ ID string }
	h.get("approver", "/v1/withdrawals?dataset=resident", &list)
	if len(list) != 1 || list[0].ID != w.ID {
		t.Errorf("withdrawals %+v", list)
	}
	testNotice(t, h, w.ID)
}

func testNotice(t *testing.T, h *house, withdrawal string) {
	type view struct {
		ID, Withdrawal, Grant, Reason string
		Receipts                      []string
		MaySee                        bool `json:"may_see"`
	}
	var list []view
	h.get("stranger", "/v1/share/notices", &list)
	if len(list) != 0 {
		t.Errorf("another street is told: %+v", list)
	}
	h.get("officer", "/v1/share/notices?unseen=true", &list)
	if len(list) != 1 || list[0].Withdrawal != withdrawal || list[0].Grant != theGrant || len(list[0].Receipts) == 0 || !list[0].MaySee || list[0].Reason != "来源单位误发" {
		t.Fatalf("notices %+v", list)
	}
	theNotice = list[0].ID
	if got := h.call("system", "GET", "/v1/share/grants/"+theGrant+"/rows?format=csv", nil).Header().Get("X-Mulu-Notice"); got != theNotice {
		t.Errorf("the next read names %q, want %q", got, theNotice)
	}
	problem(t, h.call("other-system", "POST", "/v1/share/notices/"+theNotice+"/seen", nil), 403)
	h.good(h.call("system", "POST", "/v1/share/notices/"+theNotice+"/seen", nil), nil)
	if got := h.call("system", "GET", "/v1/share/grants/"+theGrant+"/rows?format=csv", nil).Header().Get("X-Mulu-Notice"); got != "" {
		t.Errorf("after it was seen the next read names %q", got)
	}
}
