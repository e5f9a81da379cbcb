package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestQualityCheck: exit codes, the table and the JSON form, without engine or server.
func TestQualityCheck(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	data := file("people.csv", "name,age\n张三,30\n,200\n")
	holds := file("holds.yaml", "rules:\n  - {id: age, kind: range, columns: [age], params: {min: 0, max: 300}, indicator: \"030100\"}\n")
	fails_ := file("fails.yaml", "rules:\n  - {id: name, kind: not_null, columns: [name], blocking: true}\n")
	soda := file("soda.yml", "checks for people:\n  - row_count > 0\n  - anomaly detection for row_count\n")
	env := []string{"MULU_ENGINE=/nowhere"}
	check := func(args ...string) []string { return append([]string{"quality", "check"}, args...) }

	out, errs, code := runMulu(t, env, check("--rules", holds, "--data", data)...)
	if code != 0 || !strings.Contains(out, "✓ 通过") || !strings.Contains(out, "DB31/T 1523") || errs != "" {
		t.Errorf("code %d: %s %s", code, out, errs)
	}
	out, errs, code = runMulu(t, env, check("--rules", fails_, "--data", data)...)
	if code != exitFailed || !strings.Contains(out, "✗ 不合格") || !strings.Contains(out, "行 1") || errs != "" {
		t.Errorf("code %d: %s %s", code, out, errs)
	}
	out, _, code = runMulu(t, env, check("--rules", soda, "--data", data)...)
	if code != exitFailed || !strings.Contains(out, "anomaly detection") {
		t.Errorf("what is not mapped must not pass: code %d: %s", code, out)
	}
	out, _, code = runMulu(t, env, check("--rules", fails_, "--data", data, "--json")...)
	var r struct {
		Rules []struct {
			ID         string
			FailedRows []int `json:"failed_rows"`
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitFailed || len(r.Rules) != 1 || r.Rules[0].ID != "name" || len(r.Rules[0].FailedRows) != 1 || r.Rules[0].FailedRows[0] != 1 {
		t.Errorf("code %d, %v: %s", code, err, out)
	}
	for name, args := range map[string][]string{
		"no flags":       check(),
		"no such rules":  check("--rules", filepath.Join(dir, "none"), "--data", data),
		"no such data":   check("--rules", holds, "--data", filepath.Join(dir, "none")),
		"no rules in it": check("--rules", data, "--data", data),
		"wrong date":     check("--rules", holds, "--data", data, "--as-of", "soon"),
	} {
		if out, errs, code := runMulu(t, env, args...); code != exitUsage || errs == "" || out != "" {
			t.Errorf("%s: code %d: %s %s", name, code, out, errs)
		}
	}
}
