package quality

import (
	"testing"

	"mulu"
	"mulu/quality/codes"
)

// A form shows each fault at its field, all of a rule's faults at once.
func TestFaultsNameTheirField(t *testing.T) {
	tables, err := codes.Load()
	if err != nil {
		t.Fatal(err)
	}
	ds := &mulu.Dataset{
		Code: "d", Columns: []mulu.Column{{Name: "n", Type: mulu.Int}, {Name: "s", Type: mulu.String}},
		Rules: []mulu.Rule{
			{ID: "a", Kind: "range", Columns: []string{"s"}, Params: map[string]string{"min": "x", "max": "y"}, When: "gone == 1", Mostly: 2},
			{ID: "b", Kind: "none"},
			{ID: "c", Kind: "range", Columns: []string{"n"}, Params: map[string]string{"min": "1"}},
		},
		SetRules: []mulu.SetRule{
			{ID: "d", Kind: "quantile", Columns: []string{"n", "s"}, Params: map[string]string{}},
			{ID: "e", Kind: "expression", Params: map[string]string{"expression": "gone"}},
		},
	}
	got := map[mulu.RuleID]map[string]bool{}
	for _, f := range CheckRules(tables)(ds) {
		if f.Message == "" {
			t.Errorf("%s %s: no message", f.Rule, f.Field)
		}
		if got[f.Rule] == nil {
			got[f.Rule] = map[string]bool{}
		}
		got[f.Rule][f.Field] = true
	}
	want := map[mulu.RuleID][]string{"a": {"columns", "params.min", "params.max", "when", "mostly"}, "b": {"kind"}, "d": {"columns", "params.p"}, "e": {"params.expression"}}
	for id, fields := range want {
		for _, field := range fields {
			if !got[id][field] {
				t.Errorf("rule %s: no fault at %s; has %v", id, field, got[id])
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("faults at %v", got)
	}
}
