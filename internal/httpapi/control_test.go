package httpapi_test

import (
	"slices"
	"strings"
	"testing"

	"mulu"
	"mulu/ingest"
	"mulu/internal/httpapi"
	api "mulu/internal/httpapi/gen/ingest"
)

// What a person needs to know of a partition is what the source says of it.
func TestPartitionSaysVersionsAndRemedy(t *testing.T) {
	p := httpapi.PartitionOf(&ingest.Status{Stopped: true, Remedy: ingest.RemedySkip, SkipTo: 80, Version: 2, Since: 40, Next: &ingest.Effect{Version: 3, From: 90}})
	if p.State != api.FlowStateStopped || p.Remedy != api.FlowPartitionRemedySkip || p.SkipTo != 80 || p.Version != 2 || p.Since != 40 ||
		p.NextVersion == nil || *p.NextVersion != 3 || p.NextFrom == nil || *p.NextFrom != 90 {
		t.Errorf("partition %+v", p)
	}
	if p := httpapi.PartitionOf(&ingest.Status{Version: 2}); p.NextVersion != nil || p.NextFrom != nil || !p.Remedy.Valid() {
		t.Errorf("without a next version: %+v", p)
	}
}

func testControl(t *testing.T, h *house) {
	ctx := t.Context()
	h.good(h.call("operator", "POST", "/v1/ingest/datasets/resident/pause", map[string]string{"reason": "导出有误"}), nil)
	if p, err := h.journal.Pauses(ctx); err != nil || len(p) != 1 || p[0].Dataset != "resident" || p[0].By != "operator" {
		t.Errorf("pauses %+v, %v", p, err)
	}
	var flow api.Flow
	h.get("auditor", "/v1/flow", &flow)
	for _, d := range flow.Datasets {
		if paused := d.Code == "resident"; paused != (d.Pause != nil) || paused && (d.Pause.Reason != "导出有误" || d.Pause.By != "operator") {
			t.Errorf("the flow of %s says %+v", d.Code, d.Pause)
		}
	}
	problem(t, h.call("operator", "POST", "/v1/ingest/datasets/none/pause", map[string]string{"reason": "x"}), 404)
	h.good(h.call("steward", "POST", "/v1/ingest/datasets/resident/resume", map[string]string{"reason": "已更正"}), nil)
	problem(t, h.call("steward", "POST", "/v1/ingest/datasets/resident/resume", map[string]string{"reason": "again"}), 404)

	plan := mulu.Plan{BatchID: mulu.BatchID{TopicID: mulu.TopicID{9}, Topic: "mulu.resident", First: 5, Last: 60}, Dataset: "resident", Version: 1}
	check(t, h.journal.Hold(ctx, &ingest.Hold{Plan: plan, Records: 56, Failed: 50, Class: "type", Field: "age", Reason: "字段“age”的值“张三”不是整数", Offset: 6}))
	var holds []struct {
		TopicID  string `json:"topic_id"`
		Reason   string
		Failed   int64
		Decision string
	}
	h.get("steward", "/v1/ingest/holds", &holds)
	if len(holds) != 1 || holds[0].Failed != 50 || !strings.Contains(holds[0].Reason, "张三") {
		t.Fatalf("holds %+v", holds)
	}
	id := holds[0].TopicID
	h.get("operator", "/v1/ingest/holds", &holds)
	if len(holds) != 1 || holds[0].Reason != "" {
		t.Errorf("the operator sees values: %+v", holds)
	}
	release := func(more map[string]any) map[string]any {
		in := map[string]any{"topic_id": id, "partition": 0, "note": "厂商已说明"}
		for k, v := range more {
			in[k] = v
		}
		return in
	}
	problem(t, h.call("steward", "POST", "/v1/ingest/holds/release", release(map[string]any{"decision": "version"})), 400)
	problem(t, h.call("steward", "POST", "/v1/ingest/holds/release", release(map[string]any{"decision": "version", "version": 99})), 404)
	h.good(h.call("steward", "POST", "/v1/ingest/holds/release", release(map[string]any{"decision": "proceed"})), nil)
	problem(t, h.call("steward", "POST", "/v1/ingest/holds/release", release(map[string]any{"decision": "proceed"})), 404)
	h.get("auditor", "/v1/ingest/holds?all=true", &holds)
	if len(holds) != 1 || holds[0].Decision != "proceed" {
		t.Errorf("all holds %+v", holds)
	}

	for _, part := range []int32{1, 2} {
		p := plan
		p.Partition = part
		check(t, h.journal.Hold(ctx, &ingest.Hold{Plan: p, Records: 56, Failed: 50, Class: "type", Field: "age", Offset: 6}))
	}
	h.good(h.call("steward", "POST", "/v1/ingest/holds/release", map[string]any{"topic_id": id, "decision": "proceed", "note": "整个主题"}), nil)
	h.get("steward", "/v1/ingest/holds", &holds)
	if len(holds) != 0 {
		t.Errorf("held after all of the topic was released: %+v", holds)
	}

	check(t, h.journal.Notice(ctx, "resident", ingest.NoticeUnknownField, "nick", "没有登记字段“nick”"))
	var notices []struct {
		Kind, Subject string
		Seen          bool
	}
	h.get("steward", "/v1/ingest/notices?dataset=resident", &notices)
	if len(notices) != 4 || notices[0].Subject != "nick" || notices[0].Seen {
		t.Errorf("notices %+v", notices)
	}
	h.get("officer", "/v1/ingest/notices", &notices) // a street's: the dataset is a department's
	if len(notices) != 0 {
		t.Errorf("another organisation's officer sees %+v", notices)
	}
	key := map[string]string{"dataset": "resident", "kind": "unknown_field", "subject": "nick"}
	problem(t, h.call("officer", "POST", "/v1/ingest/notices/seen", key), 404)
	h.good(h.call("steward", "POST", "/v1/ingest/notices/seen", key), nil)
	h.get("auditor", "/v1/ingest/notices?dataset=resident", &notices)
	if !notices[0].Seen {
		t.Errorf("after it was seen: %+v", notices)
	}

	problem(t, h.call("operator", "POST", "/v1/ingest/topics/accept", map[string]string{"topic": "nobody's", "reason": "x"}), 400)
	problem(t, h.call("operator", "POST", "/v1/ingest/topics/skip", map[string]any{"topic": "nobody's", "partition": 0, "next": 9, "reason": "x"}), 400)
	check(t, h.journal.Plan(ctx, plan))
	h.good(h.call("operator", "POST", "/v1/ingest/topics/skip", map[string]any{"topic": "mulu.resident", "partition": 0, "next": 9, "reason": "已被清除"}), nil)
	h.good(h.call("operator", "POST", "/v1/ingest/topics/accept", map[string]string{"topic": "mulu.resident", "reason": "有意重建"}), nil)
	at, err := h.journal.Positions(ctx)
	check(t, err)
	if i := slices.IndexFunc(at, func(p ingest.Position) bool { return p.TopicID == plan.TopicID }); i < 0 || at[i].Lost != 4 || !at[i].Retired {
		t.Errorf("positions %+v", at)
	}
}
