package quality_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"mulu"
	"mulu/quality"
)

// setRow is a kind as docs/rules.md lists it.
func setRow(k quality.KindInfo) string {
	columns := "–"
	switch {
	case k.Most < 0:
	case k.Most == 0:
		columns = fmt.Sprintf("≥ %d", k.Least)
	case k.Least == k.Most:
		columns = fmt.Sprint(k.Least)
	default:
		columns = fmt.Sprintf("%d–%d", k.Least, k.Most)
	}
	var params []string
	for _, p := range k.Params {
		s := "`" + p.Name + "`"
		if p.Required {
			s += "*"
		}
		s += " " + p.Title
		if p.Choices != nil {
			s += "（" + strings.Join(p.Choices, "、") + "）"
		}
		if p.Default != "" {
			s += "，默认 " + p.Default
		}
		params = append(params, s)
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |", k.Name, columns, strings.Join(params, "；"), k.Says, k.Indicator)
}

// TestSetKindsDocumented keeps the tables of docs/rules.md those of the code. Run with
// MULU_WRITE_DOCS=1 it prints them.
func TestSetKindsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	theme := ""
	for _, k := range quality.SetKindInfos() {
		if os.Getenv("MULU_WRITE_DOCS") != "" {
			if k.Theme != theme {
				theme = k.Theme
				fmt.Printf("\n### %s\n\n| kind | 数据项 | 参数（* 必填） | 判断 | 常用指标 |\n|---|---|---|---|---|\n", theme)
			}
			fmt.Println(setRow(k))
			continue
		}
		if !strings.Contains(string(doc), setRow(k)+"\n") {
			t.Errorf("docs/rules.md lacks:\n%s", setRow(k))
		}
		if quality.IndicatorTitle(k.Indicator) == "" || k.Title == "" || k.Theme == "" {
			t.Errorf("%s: no indicator, title or theme: %+v", k.Name, k)
		}
		for _, p := range k.Params {
			if p.Title == "" || p.Type == "" || (p.Type == quality.ParamChoice) != (p.Choices != nil && p.Type == quality.ParamChoice) {
				t.Errorf("%s: parameter %+v", k.Name, p)
			}
		}
	}
}

// TestSetFaults: a wrong rule is told with what is wrong with it, all of it at once, and
// no wrong rule passes.
func TestSetFaults(t *testing.T) {
	ds := &mulu.Dataset{Code: "d", Version: 1, Key: []string{"id"}, Columns: []mulu.Column{{Name: "id", Type: mulu.String}, {Name: "n", Type: mulu.Int}, {Name: "day", Type: mulu.Date}, {Name: "on", Type: mulu.Bool}}}
	other := &mulu.Dataset{Code: "o", Version: 1, Key: []string{"id"}, Columns: []mulu.Column{{Name: "id", Type: mulu.String}, {Name: "n", Type: mulu.String}}}
	datasets := func(code mulu.DatasetCode) *mulu.Dataset {
		return map[mulu.DatasetCode]*mulu.Dataset{"d": ds, "o": other}[code]
	}
	refused := func(r mulu.SetRule, words ...string) {
		t.Helper()
		r.ID = "r"
		bad := *ds
		bad.SetRules = []mulu.SetRule{r}
		err := quality.CheckSet(&bad, datasets)
		if err == nil {
			t.Errorf("%+v passes", r)
			return
		}
		for _, w := range append(words, "规则 r") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%+v: %q does not say %q", r, err, w)
			}
		}
	}
	p := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i+1 < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	refused(mulu.SetRule{Kind: "odd"}, "odd", "unique")
	refused(mulu.SetRule{Kind: "unique"}, "至少需要 1 个")
	refused(mulu.SetRule{Kind: "unique", Columns: []string{"x", "y"}}, `"x"`, `"y"`)
	refused(mulu.SetRule{Kind: "row_count", Columns: []string{"n"}}, "不需要数据项")
	refused(mulu.SetRule{Kind: "row_count"}, "min 或 max")
	refused(mulu.SetRule{Kind: "row_count", Params: p("min", "5", "max", "1", "most", "2")}, `"most"`)
	refused(mulu.SetRule{Kind: "row_count", Params: p("min", "five")}, `min="five"`)
	refused(mulu.SetRule{Kind: "row_count", Params: p("min", "1"), When: "n >"}, "when")
	refused(mulu.SetRule{Kind: "mean", Columns: []string{"id"}, Params: p("min", "1")}, "string", `"id"`)
	refused(mulu.SetRule{Kind: "values_in_set", Columns: []string{"n"}, Params: p("values", "1,x")}, `"x"`)
	refused(mulu.SetRule{Kind: "drift", Columns: []string{"n"}, Params: p("edges", "1,2", "reference", "1,1")}, "应为 3 份")
	refused(mulu.SetRule{Kind: "drift", Columns: []string{"id"}, Params: p("method", "ks", "by", "day")}, "ks 只用于数值")
	refused(mulu.SetRule{Kind: "drift", Columns: []string{"n"}, Params: p("edges", "1,2", "by", "on")}, `by="on"`)
	refused(mulu.SetRule{Kind: "drift", Columns: []string{"n"}, Params: p("method", "guess")}, "psi")
	refused(mulu.SetRule{Kind: "references", Columns: []string{"n"}, Params: p("dataset", "o")}, "关联有误")
	refused(mulu.SetRule{Kind: "references", Columns: []string{"id"}, Params: p("dataset", "gone")}, `"gone"`)
	refused(mulu.SetRule{Kind: "equal_to", Columns: []string{"n"}, Params: p("dataset", "o", "on", "id")}, "int", "string")
	refused(mulu.SetRule{Kind: "cross", Params: p("dataset", "o", "on", "id", "expression", "o.gone == '1'")}, "o.gone")
	refused(mulu.SetRule{Kind: "compare", Columns: []string{"n"}, Params: p("dataset", "o", "measure", "sum")}, "sum", "o")
	refused(mulu.SetRule{Kind: "expression", Params: p("expression", "n == 'x'")}, "expression")
	refused(mulu.SetRule{Kind: "fresh", Params: p("within", "soon")}, `within="soon"`)
	refused(mulu.SetRule{Kind: "band", Params: p("measure", "mean")}, "需要一个数据项")
	refused(mulu.SetRule{Kind: "sql"}, `"sql"`)
	refused(mulu.SetRule{Kind: "quantile", Columns: []string{"n"}, Params: p("p", "2", "max", "1")}, "0 至 1")
	good := *ds
	good.SetRules = []mulu.SetRule{{ID: "a", Kind: "references", Columns: []string{"id"}, Params: p("dataset", "o")}, {ID: "b", Kind: "cross", Params: p("dataset", "o", "on", "id", "expression", "o.n != null")}}
	if err := quality.CheckSet(&good, datasets); err != nil {
		t.Error(err)
	}
	if got := quality.References(&good); len(got) != 1 || got[0] != "o" || quality.Scans(&good, datasets) != 2 {
		t.Errorf("references %v, scans %d", got, quality.Scans(&good, datasets))
	}
	if !quality.AdminOnly("sql") || quality.AdminOnly("cross") {
		t.Error("sql alone is for operators")
	}
}
