package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"mulu/internal/sample"
	"mulu/quality/profile"
	"mulu/quality/suggest"
)

// printed runs a command line and gives what it printed.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errs)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("mulu %s: %v", strings.Join(args, " "), err)
	}
	return out.String()
}

// TestProfileOfAFile: a file of whatever encoding or form is looked over where it lies;
// what looks personal is never printed, what does not only if its owner asks.
func TestProfileOfAFile(t *testing.T) {
	dir := t.TempDir()
	csv, lines := "证件号码,姓名,等级,登记日期\n", ""
	for i := range 300 {
		born := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 97*i)
		id, name, grade, day := sample.IdentityOf(born, i%500), "王"+string([]rune("伟芳娜敏静丽强")[i%7])+string([]rune("一二三四五六")[i%6]), []string{"甲级", "乙级"}[i%2], "2024/03/0"+fmt.Sprint(1+i%9)
		if i == 7 {
			id = id[:17] + string("10X98765432"[(strings.IndexByte("10X98765432", id[17])+1)%11])
		}
		csv += strings.Join([]string{id, name, grade, day}, ",") + "\n"
		lines += fmt.Sprintf(`{"证件号码":%q,"姓名":%q,"等级":%q,"登记日期":%q}`+"\n", id, name, grade, day)
	}
	gbk, err := simplifiedchinese.GB18030.NewEncoder().String(csv)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"utf8.csv": csv, "gbk.csv": gbk, "rows.ndjson": lines + `{"证件号码":"cut off`}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		raw := printed(t, "quality", "profile", path, "--json")
		var p profile.Profile
		if err := json.Unmarshal([]byte(raw), &p); err != nil {
			t.Fatal(err)
		}
		c := p.Column("证件号码")
		if p.Rows != 300 || c == nil || c.Is == nil || c.Is.Kind != profile.IsCitizen || c.Is.Good != 299 || p.Column("登记日期").Layout != "YYYY/MM/DD" {
			t.Fatalf("%s: %s", name, raw)
		}
		for _, open := range []string{"甲级", "王伟", "3101991"} {
			if strings.Contains(raw, open) {
				t.Errorf("%s: the profile holds %q", name, open)
			}
		}
		shown := printed(t, "quality", "profile", path, "--values", "--json") + printed(t, "quality", "profile", path, "--values") + printed(t, "quality", "profile", path, "--values", "--column", "等级")
		if !strings.Contains(shown, "甲级") || strings.Contains(shown, "王伟") || strings.Contains(shown, "3101991") {
			t.Errorf("%s with --values:\n%s", name, shown)
		}
		var list []suggest.Suggestion
		if err := json.Unmarshal([]byte(printed(t, "quality", "suggest", path, "--json")), &list); err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 || list[0].Kind != "gb11643" || list[0].Failing != 1 || !list[0].Blocking {
			t.Errorf("%s: first suggestion %+v", name, list)
		}
	}
}
