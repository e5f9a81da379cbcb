package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulu/ledger/ledgertest"
	"mulu/ledger/tilelog"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	l, err := tilelog.Open(t.Context(), tilelog.Options{Dir: filepath.Join(dir, "chain"), Origin: "mulu.example/test"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background()) //nolint:errcheck // the test is about the command
	if _, err := l.SubmitAll(t.Context(), ledgertest.NewHouse(t).All()); err != nil {
		t.Fatal(err)
	}
	b, err := l.Proof(t.Context(), "activate")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, bad := file("good.json", raw), file("bad.json", bytes.Replace(raw, []byte("robot"), []byte("rabot"), 1))
	empty := file("empty", nil)
	key := filepath.Join(dir, "chain", "log.key.pub")
	does := func(want int, says string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(args, &out, &errs); got != want || !strings.Contains(out.String()+errs.String(), says) {
			t.Errorf("%v: exit %d, want %d and %q:\n%s%s", args, got, want, says, out.String(), errs.String())
		}
	}
	does(0, "首次信任", good)
	does(0, "与给定公钥一致", "--key", key, good)
	does(0, `"pinned": true`, good, "--key", key, "--json")
	does(1, "验证不通过", bad)
	does(1, "验证不通过", "--key", empty, good)
	does(2, "没有核验", filepath.Join(dir, "absent"))
	does(2, "没有核验", "--key", filepath.Join(dir, "absent"), good)
	does(2, "用法")
	does(2, "用法", good, good)
	var out bytes.Buffer
	run([]string{"--json", bad}, &out, &out)
	var a answer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil || a.OK || a.Error == "" || a.Report != nil {
		t.Errorf("%+v, %v", a, err)
	}
}
