// Package librarytest is the conformance suite of package library: every engine
// that stands under it, embedded or over the network, passes Run.
package librarytest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"mulu"
	"mulu/library"
	"mulu/plan"
)

// Now is the time the library under test must be opened with.
func Now() time.Time { return time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC) }

// Run runs the suite. open gives a library on an engine that may be shared; its
// clock must be Now.
func Run(t *testing.T, open func(t *testing.T) *library.Library) {
	l := open(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *library.Library)
	}{
		{"every type comes back as it went in", testTypes},
		{"a newer row replaces, a deleted row is gone", testReplace},
		{"a batch in doubt is settled per table", testSettle},
		{"dropped rows are not stored", testCompaction},
		{"a topic made anew replaces the old one", testNewTopic},
		{"a later version widens, a changed one is refused", testEvolution},
		{"wrong batches are refused", testRefuse},
		{"masks show what the convention says", testMasks},
		{"conditions select exactly", testPredicates},
		{"values are never read as SQL", testInjection},
		{"lookups answer latest, exists and count", testLookups},
		{"exports are counted exactly", testExport},
		{"a summary is one row per group", testSummary},
		{"facts stored twice are there once", testFacts},
		{"a cancelled export ends", testCancel},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, l) })
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %#v\nwant %#v", what, got, want)
	}
}

func is(t *testing.T, err, want error, words ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func testTypes(t *testing.T, l *library.Library) {
	ds := residents("types")
	apply(t, l, ds)
	apply(t, l, ds)
	odd := "a\n\nb\t'\"\\`\x00终"
	rows := []row{
		{id: "1", name: &odd, seq: p(int64(-1 << 62)), pension: p(int64(-123456789012345678)), birth: p("1912-02-29"), moved: p(int64(1767225599999)), alone: p(true), extra: `{"x":1}`},
		{id: "2"},
		{id: "3", name: p(""), seq: p(int64(0)), pension: p(int64(5)), birth: p("2026-01-01"), moved: p(int64(0)), alone: p(false)},
	}
	store(t, l, batch(t, ds, 0, rows))
	got := read(t, l, plan.Plan{View: plan.View{Base: "types"}, Items: items("id_no", "name", "seq", "pension", "birth", "moved", "alone"), OrderByKey: true}, library.ReadOptions{})
	equal(t, "rows", got, [][]any{
		{"1", odd, int64(-1 << 62), "-1234567890123456.78", "1912-02-29", "2026-01-01T07:59:59.999+08:00", true},
		{"2", nil, nil, nil, nil, nil, nil},
		{"3", "", int64(0), "0.05", "2026-01-01", "1970-01-01T08:00:00.000+08:00", false},
	})
}

func testReplace(t *testing.T, l *library.Library) {
	ds := residents("replace")
	apply(t, l, ds)
	store(t, l, batch(t, ds, 0, []row{{id: "a", seq: p(int64(1))}, {id: "b", seq: p(int64(1))}, {id: "a", seq: p(int64(2))}}))
	b := batch(t, ds, 3, []row{{id: "b"}})
	b.Deleted = []uint64{1}
	store(t, l, b)
	all := plan.Plan{View: plan.View{Base: "replace"}, Items: items("id_no", "seq"), OrderByKey: true}
	equal(t, "rows", read(t, l, all, library.ReadOptions{}), [][]any{{"a", int64(2)}})
}

func testSettle(t *testing.T, l *library.Library) {
	ds := residents("settle")
	ds.History = false
	apply(t, l, ds)
	b := batch(t, ds, 0, numbered(100))
	store(t, l, b) // without history: as if the crash came between the tables
	ds.History = true
	apply(t, l, ds)
	b.InDoubt = true
	store(t, l, b)
	store(t, l, b)
	raw := func(table string) int64 {
		n, err := library.RawRows(t.Context(), l, ds.Library, table)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	equal(t, "current", raw("settle"), int64(100))
	equal(t, "history", raw("settle_history"), int64(100))
	next := batch(t, ds, 100, numbered(50))
	next.InDoubt = true
	store(t, l, next)
	equal(t, "history after the next batch", raw("settle_history"), int64(150))
}

func testCompaction(t *testing.T, l *library.Library) {
	ds := residents("compaction")
	apply(t, l, ds)
	const n = 1000
	b := batch(t, ds, 0, numbered(n+10))
	b.Record = b.Record.NewSlice(10, n+10) // an Arrow slice has an offset into its buffers
	b.Offsets, b.Flags = b.Offsets[10:], b.Flags[10:]
	b.Drop = make([]uint64, (n+63)/64)
	var want [][]any
	rows := numbered(n + 10)
	for i := range n {
		if i%7 == 3 || i > 900 && i < 990 {
			b.Drop[i/64] |= 1 << (i % 64)
			continue
		}
		r := rows[i+10]
		v := []any{r.id, nil, *r.seq, nil, nil}
		if r.name != nil {
			v[1] = *r.name
		}
		if r.alone != nil {
			v[3], v[4] = *r.alone, fmt.Sprintf("%d", *r.pension/100)
			if c := *r.pension % 100; c%10 != 0 {
				v[4] = fmt.Sprintf("%d.%02d", *r.pension/100, c)
			} else if c != 0 {
				v[4] = fmt.Sprintf("%d.%d", *r.pension/100, c/10)
			}
		}
		want = append(want, v)
	}
	store(t, l, b)
	got := read(t, l, plan.Plan{View: plan.View{Base: "compaction"}, Items: items("id_no", "name", "seq", "alone", "pension"), OrderByKey: true, Limit: 5000}, library.ReadOptions{})
	equal(t, "rows", got, want)
	all := batch(t, ds, 5000, numbered(64))
	all.Drop = []uint64{^uint64(0)}
	store(t, l, all)
	equal(t, "rows after a batch of rejects", count(t, l, "compaction"), float64(len(want)))
}

func testNewTopic(t *testing.T, l *library.Library) {
	ds := residents("anew")
	apply(t, l, ds)
	store(t, l, batch(t, ds, 500, []row{{id: "a", seq: p(int64(1))}}))
	b := batch(t, ds, 0, []row{{id: "a", seq: p(int64(2))}})
	b.Plan.TopicID, b.InDoubt = mulu.TopicID{2}, true
	store(t, l, b)
	got := read(t, l, plan.Plan{View: plan.View{Base: "anew"}, Items: items("seq")}, library.ReadOptions{})
	equal(t, "row of the new topic", got, [][]any{{int64(2)}})
}

func testEvolution(t *testing.T, l *library.Library) {
	ds := residents("evolve")
	wide := ds.Columns
	ds.Columns = append([]mulu.Column{}, wide[:8]...)
	apply(t, l, ds)
	next := residents("evolve")
	next.Version = 2
	apply(t, l, next)
	store(t, l, batch(t, next, 0, []row{{id: "a", address: p("曹杨路")}}))
	// Planned before the new version, walked again after it.
	old := batch(t, next, 1, []row{{id: "b", address: p("lost: version 1 does not have it")}})
	old.Plan.Version = 1
	cols := append(append([]arrow.Array{}, old.Record.Columns()[:8]...), old.Record.Column(9))
	fields := append(append([]arrow.Field{}, old.Record.Schema().Fields()[:8]...), old.Record.Schema().Field(9))
	old.Record = array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, 1)
	store(t, l, old)
	got := read(t, l, plan.Plan{View: plan.View{Base: "evolve"}, Items: items("id_no", "address"), OrderByKey: true}, library.ReadOptions{})
	equal(t, "new column", got, [][]any{{"a", "曹杨路"}, {"b", nil}})
	old.Plan.Version = 3
	is(t, l.StoreData(t.Context(), old), mulu.ErrConflict, "version 3")
	apply(t, l, ds) // an old version applied again is not what is read
	if v := l.Dataset("evolve").Version; v != 2 {
		t.Errorf("version %d is read", v)
	}

	bad := residents("evolve")
	bad.Columns[2].Type = mulu.String
	is(t, l.Apply(t.Context(), bad), mulu.ErrConflict, "seq", "Int64")
	bad = residents("evolve")
	bad.Key = []string{"id_no", "name"}
	bad.Columns[1].Required = true
	if err := l.Apply(t.Context(), bad); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("a changed key is accepted: %v", err)
	}
	bad = residents("evolve")
	bad.Columns[1].Name = "_offset"
	is(t, l.Apply(t.Context(), bad), mulu.ErrInvalid, "_offset")
	bad = residents("evolve")
	bad.Library = "default"
	is(t, l.Apply(t.Context(), bad), mulu.ErrInvalid, "default")
}

func testRefuse(t *testing.T, l *library.Library) {
	ds := residents("refuse")
	apply(t, l, ds)
	ctx := t.Context()
	b := batch(t, ds, 0, numbered(3))
	b.Offsets[2] = 99
	is(t, l.StoreData(ctx, b), mulu.ErrInvalid, "offset 99")
	b = batch(t, ds, 0, numbered(3))
	b.Flags = b.Flags[:2]
	is(t, l.StoreData(ctx, b), mulu.ErrInvalid)
	b = batch(t, ds, 0, numbered(3))
	b.Plan.Dataset = "nobody"
	is(t, l.StoreData(ctx, b), mulu.ErrNotFound, "nobody")
	if n := count(t, l, "refuse"); n != 0 {
		t.Errorf("%v rows of refused batches are stored", n)
	}
	is(t, l.StoreManifest(ctx, mulu.Manifest{Plan: b.Plan, Good: 1}), mulu.ErrInvalid, "control")
}

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
	equal(t, "summary", got, []map[string]any{{"rows": 4.0, "names": 3.0, "distinct": 1.0, "one": 2.0, "max": 7.0, "min": -8 * 3600e6, "r1": 2.0, "r63": 1.0, "any": 3.0}})
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

func testFacts(t *testing.T, l *library.Library) {
	ds := residents("facts")
	apply(t, l, ds)
	ctx := t.Context()
	id := mulu.BatchID{TopicID: mulu.TopicID{9}, Topic: ds.Topic, Partition: 3, First: 100, Last: 109}
	rejects := []mulu.Reject{
		{Batch: id, Offset: 101, Class: "decode", Reason: "不是 JSON", Key: []byte("k"), Value: []byte{0xff, 0, '\n', '\n', '{'}},
		{Batch: id, Offset: 105, Class: "rule", Rule: "id_no.gb11643", Field: "id_no", Reason: "校验位错误", Value: []byte(`{"id_no":"1"}`)},
		{Batch: id, Offset: 107, Class: "rule", Rule: "id_no.gb11643", Field: "id_no", Reason: "校验位错误", Value: []byte(`{"id_no":"2"}`)}}
	findings := []mulu.Finding{{Batch: id, Dataset: ds.Code, Ruleset: 1, Rule: "id_no.gb11643", Indicator: "030100", Evaluated: 9, Failed: 2, Sample: []int64{105, 107}}}
	m := mulu.Manifest{Plan: mulu.Plan{BatchID: id, Dataset: ds.Code, Version: 1}, Good: 6, Rejected: 3, Control: 1, Bytes: 1234, Digest: "sha256:ab", At: Now()}
	m2 := m
	m2.First, m2.Last, m2.Good, m2.Rejected, m2.Control, m2.At = 110, 111, 2, 0, 0, Now().Add(time.Second)
	for range 2 {
		for _, err := range []error{l.StoreRejects(ctx, rejects), l.StoreFindings(ctx, findings), l.StoreManifest(ctx, m), l.StoreManifests(ctx, []mulu.Manifest{m, m2})} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	page, next, err := l.Rejects(ctx, library.RejectFilter{Dataset: ds.Code}, "", 2)
	if err != nil || len(page) != 2 || next == "" {
		t.Fatalf("first page: %d rejects, next %q: %v", len(page), next, err)
	}
	rest, next, err := l.Rejects(ctx, library.RejectFilter{Dataset: ds.Code}, next, 2)
	if err != nil || len(rest) != 1 || next != "" {
		t.Fatalf("second page: %d rejects, next %q: %v", len(rest), next, err)
	}
	want := rejects[0]
	want.Dataset = ds.Code
	equal(t, "oldest reject", rest[0], library.StoredReject{Reject: want, At: Now()})
	one, err := l.Reject(ctx, ds.Code, id.TopicID, 3, 101)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "reject by position", one, rest[0])
	_, err = l.Reject(ctx, ds.Code, id.TopicID, 3, 102)
	is(t, err, mulu.ErrNotFound)
	classes, err := l.RejectClasses(ctx, library.RejectFilter{Dataset: ds.Code})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "classes", classes, []library.RejectClass{{Dataset: ds.Code, Class: "rule", Rule: "id_no.gb11643", Field: "id_no", Rows: 2, Last: Now()}, {Dataset: ds.Code, Class: "decode", Rows: 1, Last: Now()}})
	ft, err := l.FindingTotals(ctx, ds.Code, 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "finding totals", ft, map[mulu.RuleID]library.FindingTotal{"id_no.gb11643": {Indicator: "030100", Evaluated: 9, Failed: 2}})
	totals, err := l.Totals(ctx)
	if err != nil || len(totals) != 1 {
		t.Fatalf("%d totals: %v", len(totals), err)
	}
	equal(t, "total", totals[0], library.Total{Dataset: ds.Code, Topic: ds.Topic, TopicID: id.TopicID, Partition: 3, From: 100, Through: 111, Offsets: 12, Good: 8, Rejected: 3, Control: 1, Bytes: 2468, Batches: 2, Last: m2.At})
	if !totals[0].Balanced() {
		t.Error("the equation does not hold")
	}
	ms, cursor, err := l.Manifests(ctx, "", time.Time{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "first manifest", ms, []mulu.Manifest{m})
	ms, cursor, err = l.Manifests(ctx, cursor, time.Time{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "second manifest", ms, []mulu.Manifest{m2})
	if ms, again, err := l.Manifests(ctx, cursor, time.Time{}, 10); err != nil || len(ms) != 0 || again != cursor {
		t.Errorf("after the last: %d manifests, cursor %q: %v", len(ms), again, err)
	}
	if ms, _, err := l.Manifests(ctx, "", Now(), 10); err != nil || len(ms) != 1 {
		t.Errorf("until the first: %d manifests: %v", len(ms), err)
	}
	recent, err := l.RecentBatches(ctx, ds.Code, Now(), 10)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "recent", recent, []mulu.Manifest{m2, m})
	_, _, err = l.Manifests(ctx, "1.2.3", time.Time{}, 1)
	is(t, err, mulu.ErrInvalid)
}

// slow ends the context once the first bytes have come.
type slow struct{ cancel context.CancelFunc }

func (s slow) Write(p []byte) (int, error) { s.cancel(); return len(p), nil }

func testCancel(t *testing.T, l *library.Library) {
	ds := residents("cancel")
	apply(t, l, ds)
	for i := range int64(4) {
		store(t, l, batch(t, ds, i*100_000, numbered(100_000)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := l.Export(ctx, plan.Plan{View: plan.View{Base: "cancel"}, Items: items("id_no", "name", "seq")}, library.NDJSON, library.ReadOptions{}, slow{cancel})
	is(t, err, context.Canceled)
	if n := count(t, l, "cancel"); n != 100_000 {
		t.Errorf("after a cancel %v rows are visible", n)
	}
}

// LargestBatch stores one batch of as many rows as are accepted into lib_largest.largest.
func LargestBatch(t *testing.T, l *library.Library) {
	t.Helper()
	ds := residents("largest")
	ds.History = false
	apply(t, l, ds)
	store(t, l, batch(t, ds, 0, numbered(library.MaxBatchRows)))
	over := batch(t, ds, library.MaxBatchRows, numbered(1))
	over.Record = batch(t, ds, 0, numbered(library.MaxBatchRows+1)).Record
	is(t, l.StoreData(t.Context(), over), mulu.ErrInvalid, "one block")
}
