package librarytest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"mulu"
	"mulu/library"
	"mulu/plan"
)

func testMasks(t *testing.T, l *library.Library) {
	ds := residents("masks")
	apply(t, l, ds)
	type want struct{ name, phone, address string }
	cases := []struct{ in, out want }{
		{want{"张三", "13812341234", "普陀区曹杨路500弄12号301室"}, want{"张*", "138****1234", "普陀区曹杨路***"}},
		{want{"张三丰", "021-52661234", "上海市普陀区中山北路3663号"}, want{"张**", "021-5266****", "上海市普陀区中山北路***"}},
		{want{"欧阳修", "+8613812341234", "普陀区长寿路街道澳门路168号"}, want{"欧阳*", "138****1234", "普陀区长寿路街道澳门路***"}},
		{want{"欧阳娜娜", "52661234", "普陀区真如镇12号"}, want{"欧阳**", "5266****", "普陀区***"}},
		{want{"阿依古丽·买买提", "not a phone", "兰溪小区3号楼近曹杨路"}, want{"阿**", "***********", "***"}},
		{want{"王", "", ""}, want{"*", "", ""}},
		{want{"", "110", "普陀区"}, want{"", "***", "普陀区***"}},
	}
	var rows []row
	var wants [][]any
	key := []byte("scenario key \x00\xff")
	for i, c := range cases {
		in, out := c.in, c.out
		id := fmt.Sprintf("31010719450102123%d", i)
		rows = append(rows, row{id: id, name: p(in.name), phone: p(in.phone), address: p(in.address), birth: p("1945-01-02"), alone: p(i%2 == 0), seq: p(int64(79 + i))})
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id))
		yes := map[bool]string{true: "是", false: "否"}[i%2 == 0]
		band := "75-79"
		if i > 0 {
			band = "80-84"
		}
		if i == 6 {
			band = "85-89"
		}
		wants = append(wants, []any{out.name, "310***********" + id[14:], out.phone, out.address, "1945-**-**", "80-84", band, yes, nil, hex.EncodeToString(mac.Sum(nil))})
	}
	store(t, l, batch(t, ds, 0, rows))
	pl := plan.Plan{View: plan.View{Base: "masks"}, OrderByKey: true, Items: []plan.Item{
		{Name: "name", Mask: plan.MaskName}, {Name: "id_no", Mask: plan.MaskID}, {Name: "phone", Mask: plan.MaskPhone}, {Name: "address", Mask: plan.MaskAddr},
		{Name: "birth", Mask: plan.MaskYear, As: "year"}, {Name: "birth", Mask: plan.MaskBand, As: "band"}, {Name: "seq", Mask: plan.MaskBand}, {Name: "alone", Mask: plan.MaskYesNo},
		{Name: "pension", Mask: plan.MaskHide}, {Name: "id_no", Mask: plan.MaskToken, As: "token"}}}
	equal(t, "masked rows", read(t, l, pl, library.ReadOptions{TokenKey: key}), wants)
	_, err := l.Read(t.Context(), pl, library.ReadOptions{})
	is(t, err, mulu.ErrInvalid, "key")

	store(t, l, batch(t, ds, 100, []row{{id: "short"}}))
	pl.Where = plan.Predicate{Field: "id_no", Op: plan.Eq, Value: "short"}
	equal(t, "null stays null", read(t, l, pl, library.ReadOptions{TokenKey: key})[0][:9], []any{nil, "*****", nil, nil, nil, nil, nil, nil, nil})
}

func testPredicates(t *testing.T, l *library.Library) {
	ds := residents("preds")
	apply(t, l, ds)
	store(t, l, batch(t, ds, 0, []row{
		{id: "a", name: p("甲"), seq: p(int64(1)), pension: p(int64(150)), birth: p("1946-03-01"), moved: p(int64(1767225600000)), alone: p(true)},
		{id: "b", name: p("乙"), seq: p(int64(2)), pension: p(int64(250)), birth: p("1946-03-02"), alone: p(false)},
		{id: "c"},
	}))
	field := func(f string, op plan.Op, v any) plan.Predicate { return plan.Predicate{Field: f, Op: op, Value: v} }
	ask := func(want string, w plan.Predicate) {
		t.Helper()
		pl := plan.Plan{View: plan.View{Base: "preds", Derived: []plan.Derived{{Name: "age", Kind: "age", From: "birth", AsOf: "today"}, {Name: "days", Kind: "days_since", From: "birth", AsOf: "1946-03-11"}}},
			Items: items("id_no"), Where: w, OrderByKey: true}
		got := ""
		for _, r := range read(t, l, pl, library.ReadOptions{}) {
			got += r[0].(string)
		}
		if got != want {
			t.Errorf("%+v selects %q, want %q", w, got, want)
		}
	}
	ask("abc", plan.Predicate{})
	ask("a", field("id_no", plan.Eq, "a"))
	ask("bc", field("id_no", plan.Ne, "a"))
	ask("ac", field("id_no", plan.In, []string{"a", "c", "x'y"}))
	ask("", field("id_no", plan.In, []string{}))
	ask("b", field("name", plan.Prefix, "乙"))
	ask("c", field("seq", plan.IsNull, nil))
	ask("b", field("seq", plan.Gt, int64(1)))
	ask("ab", field("seq", plan.Le, float64(2)))
	ask("b", field("pension", plan.Ge, "2.5"))
	ask("a", field("birth", plan.Lt, "1946-03-02"))
	ask("a", field("moved", plan.Eq, "2026-01-01T00:00:00Z"))
	ask("a", field("moved", plan.Ge, "2026-01-01"))
	ask("a", field("alone", plan.Eq, true))
	ask("a", field("age", plan.Ge, int64(80))) // 80 today; b turns 80 tomorrow
	ask("b", field("days", plan.Lt, int64(10)))
	ask("bc", plan.Predicate{Not: p(field("seq", plan.Eq, int64(1)))})
	ask("ab", plan.Predicate{Any: []plan.Predicate{field("id_no", plan.Eq, "a"), {All: []plan.Predicate{field("id_no", plan.Eq, "b"), field("alone", plan.Eq, false)}}}})
	ask("abc", plan.Predicate{All: []plan.Predicate{}})
	ask("", plan.Predicate{Any: []plan.Predicate{}})
	for _, w := range []plan.Predicate{field("nobody", plan.Eq, "a"), field("seq", plan.Eq, "1"), field("seq", plan.Prefix, "1"), field("alone", plan.Lt, true), field("birth", plan.Eq, "1946-02-30")} {
		_, err := l.Read(t.Context(), plan.Plan{View: plan.View{Base: "preds"}, Items: items("id_no"), Where: w}, library.ReadOptions{})
		is(t, err, mulu.ErrInvalid, w.Field)
	}
	_, err := l.Read(t.Context(), plan.Plan{View: plan.View{Base: "preds"}, Items: items("id_no", "wage")}, library.ReadOptions{})
	is(t, err, mulu.ErrInvalid, "wage")
	_, err = l.Read(t.Context(), plan.Plan{View: plan.View{Base: "nothing"}, Items: items("id_no")}, library.ReadOptions{})
	is(t, err, mulu.ErrInvalid, "nothing")
}

func testInjection(t *testing.T, l *library.Library) {
	ds := residents("inject")
	apply(t, l, ds)
	for i, odd := range []string{`' OR 1=1 --`, `\`, `\'`, "tab\tnl\ncr\r", `a','b`, "{p0:String}", `"]['`, "名\\n", "%s%d", "\\N"} {
		store(t, l, batch(t, ds, int64(10*i), []row{{id: odd, name: p(odd)}, {id: "other" + odd}}))
		for _, w := range []plan.Predicate{{Field: "id_no", Op: plan.Eq, Value: odd}, {Field: "name", Op: plan.Eq, Value: odd}, {Field: "id_no", Op: plan.In, Value: []string{odd}}, {Field: "name", Op: plan.In, Value: []string{odd, "x"}}, {Field: "name", Op: plan.Prefix, Value: odd}} {
			got := read(t, l, plan.Plan{View: plan.View{Base: "inject"}, Items: items("id_no"), Where: w}, library.ReadOptions{})
			equal(t, fmt.Sprintf("%s %q", w.Op, odd), got, [][]any{{odd}})
		}
	}
}

func testLookups(t *testing.T, l *library.Library) {
	base, visit := residents("base"), residents("visit")
	visit.Key = []string{"id_no", "seq"}
	apply(t, l, base)
	apply(t, l, visit)
	store(t, l, batch(t, base, 0, []row{{id: "a", name: p("甲")}, {id: "b", name: p("乙")}, {id: "c"}}))
	vs := batch(t, visit, 0, []row{
		{id: "a", seq: p(int64(1)), moved: p(int64(1000)), alone: p(false), phone: p("old")},
		{id: "a", seq: p(int64(2)), moved: p(int64(2000)), alone: p(true), phone: p("new")},
		{id: "a", seq: p(int64(3)), alone: p(false), phone: p("undated")},
		{id: "b", seq: p(int64(1)), moved: p(int64(1))}, {id: "b", seq: p(int64(2))}})
	vs.Deleted = []uint64{1 << 4}
	store(t, l, vs)
	pl := plan.Plan{View: plan.View{Base: "base", Lookups: []plan.Lookup{
		{Name: "v", Dataset: "visit", Kind: plan.Latest, On: []string{"id_no"}, OrderBy: "moved"},
		{Name: "seen", Dataset: "visit", Kind: plan.Exists, On: []string{"id_no"}},
		{Name: "times", Dataset: "visit", Kind: plan.Count, On: []string{"id_no"}}}},
		Items: items("id_no", "name", "v.alone", "v.phone", "seen", "times"), OrderByKey: true}
	all := [][]any{{"a", "甲", true, "new", true, int64(3)}, {"b", "乙", nil, nil, true, int64(1)}, {"c", nil, nil, nil, false, int64(0)}}
	equal(t, "all", read(t, l, pl, library.ReadOptions{}), all)
	pl.Where = plan.Predicate{Field: "id_no", Op: plan.Eq, Value: "b"}
	equal(t, "one", read(t, l, pl, library.ReadOptions{}), all[1:2])
	pl.Where = plan.Predicate{All: []plan.Predicate{{Field: "id_no", Op: plan.In, Value: []string{"a", "c"}}, {Field: "times", Op: plan.Lt, Value: int64(2)}}}
	equal(t, "by count", read(t, l, pl, library.ReadOptions{}), all[2:])
	pl.Where = plan.Predicate{Field: "v.alone", Op: plan.Eq, Value: true}
	equal(t, "by latest", read(t, l, pl, library.ReadOptions{}), all[:1])
	pl.Items, pl.Where = items("v.alone"), plan.Predicate{Not: &plan.Predicate{Field: "seen", Op: plan.Eq, Value: true}}
	equal(t, "by absence", read(t, l, pl, library.ReadOptions{}), [][]any{{nil}})
}

func testExport(t *testing.T, l *library.Library) {
	ds := residents("export")
	apply(t, l, ds)
	const n = 70_000
	rows := numbered(n)
	for i := range rows {
		rows[i].address = p("line one\nline \"two\"\r\n\n, end __exception__\r\n")
	}
	store(t, l, batch(t, ds, 0, rows))
	export := func(f library.Format, limit int64) ([]byte, int64) {
		t.Helper()
		var buf bytes.Buffer
		got, err := l.Export(t.Context(), plan.Plan{View: plan.View{Base: "export"}, Items: items("id_no", "address", "pension"), OrderByKey: true, Limit: limit,
			Where: plan.Predicate{Field: "seq", Op: plan.Ge, Value: max(0, -limit)}}, f, library.ReadOptions{}, &buf)
		if err != nil {
			t.Fatal(f, err)
		}
		return buf.Bytes(), got
	}
	for _, limit := range []int64{1, 2, n} {
		b, got := export(library.JSON, limit)
		var objects []map[string]any
		if err := json.Unmarshal(b, &objects); err != nil || int64(len(objects)) != limit || got != limit {
			t.Errorf("json: %d objects, counted %d, want %d: %v", len(objects), got, limit, err)
		}
		b, got = export(library.NDJSON, limit)
		if lines := strings.Count(strings.TrimSpace(string(b)), "\n") + 1; int64(lines) != limit || got != limit {
			t.Errorf("ndjson: %d lines, counted %d, want %d", lines, got, limit)
		}
		b, got = export(library.CSV, limit)
		records, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
		if err != nil || int64(len(records)) != limit+1 || got != limit {
			t.Errorf("csv: %d records, counted %d, want %d: %v", len(records), got, limit, err)
		}
		b, got = export(library.Arrow, limit)
		if have := arrowRows(t, b); have != limit || got != limit {
			t.Errorf("arrow: %d rows, counted %d, want %d", have, got, limit)
		}
	}
	for _, f := range []library.Format{library.JSON, library.NDJSON, library.CSV, library.Arrow} {
		var buf bytes.Buffer
		got, err := l.Export(t.Context(), plan.Plan{View: plan.View{Base: "export"}, Items: items("id_no"), Where: plan.Predicate{Field: "id_no", Op: plan.Eq, Value: "none"}}, f, library.ReadOptions{}, &buf)
		if err != nil || got != 0 {
			t.Errorf("%s of nothing counts %d: %v", f, got, err)
		}
		if f == library.JSON && !json.Valid(buf.Bytes()) {
			t.Errorf("json of nothing is %q", buf.Bytes())
		}
	}
	_, err := l.Export(t.Context(), plan.Plan{View: plan.View{Base: "export"}, Items: items("id_no")}, "xml", library.ReadOptions{}, &bytes.Buffer{})
	is(t, err, mulu.ErrInvalid, "xml")
}

func arrowRows(t *testing.T, b []byte) (n int64) {
	t.Helper()
	r, err := ipc.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	for r.Next() {
		n += r.RecordBatch().NumRows()
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

func testSummary(t *testing.T, l *library.Library) {
	ds := residents("summary")
	apply(t, l, ds)
	b := batch(t, ds, 0, []row{
		{id: "a", name: p("x"), seq: p(int64(1)), birth: p("1970-01-02"), alone: p(true)}, {id: "b", name: p("x"), seq: p(int64(1)), birth: p("1970-01-01"), alone: p(true)},
		{id: "c", name: p("y"), alone: p(false)}, {id: "d", seq: p(int64(7))}})
	b.Flags = []uint64{1, 0, 1<<63 | 2, 2}
	store(t, l, b)
	got, err := l.Summary(t.Context(), plan.Summary{Dataset: "summary", Measures: []plan.Measure{{As: "rows", Kind: plan.Rows}, {As: "names", Kind: plan.NonNull, Columns: []string{"name"}},
		{As: "distinct", Kind: plan.Distinct, Columns: []string{"name", "seq"}}, {As: "one", Kind: plan.Distinct, Columns: []string{"name"}}, {As: "max", Kind: plan.Max, Columns: []string{"seq"}},
		{As: "min", Kind: plan.Min, Columns: []string{"birth"}}, {As: "r1", Kind: plan.Flag, Bit: 1}, {As: "r63", Kind: plan.Flag, Bit: 63}, {As: "any", Kind: plan.AnyFlag}}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "summary", got, []map[string]any{{"rows": 4.0, "names": 3.0, "distinct": 3.0, "one": 2.0, "max": 7.0, "min": -8 * 3600e6, "r1": 2.0, "r63": 1.0, "any": 3.0}})
	got, err = l.Summary(t.Context(), plan.Summary{Dataset: "summary", GroupBy: []string{"alone"}, Measures: []plan.Measure{{As: "n", Kind: plan.Rows}}, Where: plan.Predicate{Field: "id_no", Op: plan.Ne, Value: "d"}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "groups", got, []map[string]any{{"alone": true, "n": 2.0}, {"alone": false, "n": 1.0}})
	got, err = l.Summary(t.Context(), plan.Summary{Dataset: "summary", Measures: []plan.Measure{{As: "max", Kind: plan.Max, Columns: []string{"seq"}}}, Where: plan.Predicate{Field: "id_no", Op: plan.Eq, Value: "none"}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "maximum of nothing", got, []map[string]any{{"max": nil}})
	_, err = l.Summary(t.Context(), plan.Summary{Dataset: "summary", Measures: []plan.Measure{{As: "x", Kind: plan.NonNull, Columns: []string{"wage"}}}})
	is(t, err, mulu.ErrInvalid, "wage")
}
