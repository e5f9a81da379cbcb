package httpapi_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/internal/httpapi/gen/submission"
)

// tableWays are how dataset resident is delivered.
var tableWays = []mulu.Way{
	{Kind: mulu.WayTable, Name: "main", Connection: "ga", Table: "rk.syrk", Mode: "increment", Column: "upd", Every: 24 * time.Hour, Hours: "22:00-06:00"},
	{Kind: mulu.WayFile, Name: "main"},
}

// A table's way says when it is pulled and why it was not; a person may ask for it.
func testWays(t *testing.T, h *house) {
	of := func(who string) map[string]submission.Way {
		t.Helper()
		var list []submission.Way
		h.get(who, "/v1/ways", &list)
		out := map[string]submission.Way{}
		for _, w := range list {
			out[w.Dataset+"/"+string(w.Kind)+"/"+w.Name] = w
		}
		return out
	}
	if w := of("operator")["resident/file/main"]; w.Source != "投递目录 resident" || w.Next != nil {
		t.Errorf("file: %+v", w)
	}
	check(t, h.tables.Fail(t.Context(), "resident", "main", time.Time{}, errors.New("连不上前置库")))
	w := of("operator")["resident/table/main"]
	if w.Source != "库表 ga:rk.syrk" || w.Schedule != "每日，22:00-06:00 之间" || w.Next == nil || w.Behind == nil || w.Failure == nil || *w.Failure != "连不上前置库" || w.Running {
		t.Errorf("table: %+v", w)
	}
	if len(of("officer")) != 0 {
		t.Error("the ways of another department are shown")
	}
	const path = "/v1/ways/resident/table/main/run"
	if got := h.call("operator", "POST", path, map[string]bool{"agree_deletions": true}); got.Code != 202 {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	s, err := h.tables.State(t.Context(), "resident", "main")
	if err != nil || s.Asked.IsZero() || !s.Agreed || s.AskedBy == "" {
		t.Errorf("%+v, %v", s, err)
	}
	if !of("operator")["resident/table/main"].Asked {
		t.Error("what was asked for is not shown")
	}
	for _, path := range []string{"/v1/ways/resident/table/none/run", "/v1/ways/none/table/main/run", "/v1/ways/resident/file/main/run"} {
		if got := h.call("operator", "POST", path, map[string]bool{}); got.Code != 404 && got.Code != 400 {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	if got := h.call("operator", "POST", "/v1/ways/resident/table/none/run", map[string]bool{}); !strings.Contains(got.Body.String(), "有：main") {
		t.Errorf("what can be pulled is not named: %s", got.Body)
	}
}
