package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mulu/library"
	"mulu/plan"
)

// testProfile: a steward has a dataset looked over, sees what it is made of without a
// value of a person, and what rules that suggests; another organisation's officer sees
// none of it.
func testProfile(t *testing.T, h *house) {
	const path = "/v1/datasets/resident/profile"
	var answer struct {
		Run     *struct{ State, Error string }
		Profile *struct {
			Data    string
			Rows    int64
			Columns []struct {
				Name, Observed, Closed string
				Values                 int64
				Top                    []any
				Is                     *struct{ Kind string }
				Distinct               struct {
					Count int64
					Exact bool
				}
			}
			Keys []struct{ Columns []string }
		}
	}
	problem(t, h.call("steward", "GET", "/v1/datasets/resident/suggestions", nil), 404)
	w := h.call("steward", "POST", path, nil)
	if w.Code != 202 {
		t.Fatalf("start: %d %s", w.Code, w.Body)
	}
	h.profiles.Wait()
	h.get("steward", path, &answer)
	if answer.Run != nil || answer.Profile == nil || answer.Profile.Rows == 0 || len(answer.Profile.Columns) != 14 {
		t.Fatalf("profile: %s", h.call("steward", "GET", path, nil).Body)
	}
	data, err := h.lib.DataVersion(t.Context(), "resident")
	if check(t, err); data == "" || answer.Profile.Data != data {
		t.Errorf("the profile is of %q, the rows are %q", answer.Profile.Data, data)
	}
	raw := h.call("steward", "GET", path, nil).Body.String()
	stored, err := h.lib.Read(t.Context(), allResidents(), readAll)
	check(t, err)
	if len(stored.Values) == 0 || int64(len(stored.Values)) != answer.Profile.Rows {
		t.Fatalf("%d rows stored, %d profiled", len(stored.Values), answer.Profile.Rows)
	}
	for _, row := range stored.Values {
		for _, v := range row {
			if s, ok := v.(string); ok && len(s) > 3 && strings.Contains(raw, s) {
				t.Errorf("the profile holds %q", s)
			}
		}
	}
	for _, c := range answer.Profile.Columns {
		if c.Name == "id_no" && (c.Closed == "" || c.Top != nil || c.Is == nil || c.Is.Kind != "id_no" || !c.Distinct.Exact) {
			t.Errorf("identity number: %+v", c)
		}
	}
	var list struct {
		Items []struct {
			N                    int
			ID, Kind, Why, Title string
			Columns              []string
		}
	}
	h.get("steward", "/v1/datasets/resident/suggestions", &list)
	for _, s := range list.Items {
		if s.Why == "" || s.Title == "" || len(s.Columns) == 0 {
			t.Errorf("suggestion %+v does not explain itself", s)
		}
		if s.Kind == "gb11643" || s.Kind == "birth_matches_id" {
			t.Errorf("%s is declared already", s.Kind)
		}
	}
	if len(list.Items) == 0 {
		t.Fatal("nothing is suggested: what follows proves nothing")
	}
	var draft struct {
		ID    string
		Rev   int64
		Rules []struct{ ID, Kind string }
		Sets  []struct{ ID, Kind string } `json:"set_rules"`
	}
	before := len(h.lib.Dataset("resident").Rules) + len(h.lib.Dataset("resident").SetRules)
	adopt := fmt.Sprintf("/v1/datasets/resident/suggestions/%d/adopt", list.Items[0].N)
	h.good(h.call("steward", "POST", adopt, map[string]any{}), &draft)
	if draft.ID == "" || len(draft.Rules)+len(draft.Sets) != before+1 {
		t.Errorf("adopted: %+v, want one rule more than %d", draft, before)
	}
	h.good(h.call("steward", "POST", adopt, map[string]any{"draft": draft.ID}), &draft)
	if draft.Rev != 2 || len(draft.Rules)+len(draft.Sets) != before+2 {
		t.Errorf("adopted into the same draft: %+v", draft)
	}
	problem(t, h.call("steward", "POST", "/v1/datasets/resident/suggestions/9999/adopt", map[string]any{}), 404)
	problem(t, h.call("officer", "POST", adopt, map[string]any{}), 404)
	h.good(h.call("steward", "DELETE", fmt.Sprintf("/v1/quality/drafts/%s?rev=%d", draft.ID, draft.Rev), nil), nil)
	for _, other := range []string{path, "/v1/datasets/resident/suggestions"} {
		problem(t, h.call("officer", "GET", other, nil), 404)
	}
	var none json.RawMessage
	h.get("steward", "/v1/datasets/visit/profile", &none)
	if string(none) != `{"profile":null,"run":null}` {
		t.Errorf("a dataset without profile: %s", none)
	}
}

var readAll = library.ReadOptions{Limit: 10_000}

// allResidents reads every personal item of the residents in clear.
func allResidents() plan.Plan {
	p := plan.Plan{View: plan.View{Base: "resident"}}
	for _, name := range []string{"id_no", "name", "birth", "live_addr", "phone"} {
		p.Items = append(p.Items, plan.Item{Name: name})
	}
	return p
}
