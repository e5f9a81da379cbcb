package quality_test

import (
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"mulu"
	"mulu/quality"
	"mulu/quality/codes"
)

// TestCheckChanges: rows that delete are not judged, and all others exactly as if the
// deletions were not there.
func TestCheckChanges(t *testing.T) {
	ds := &mulu.Dataset{Code: "d", Version: 1, Key: []string{"id"}, Columns: []mulu.Column{{Name: "id", Type: mulu.String}, {Name: "name", Type: mulu.String}, {Name: "n", Type: mulu.Int}},
		Rules: []mulu.Rule{
			{ID: "n.range", Kind: "range", Columns: []string{"n"}, Params: map[string]string{"min": "0"}, Indicator: "030100"},
			{ID: "name.filled", Kind: "not_null", Columns: []string{"name"}, Blocking: true, Indicator: "020100"},
		}}
	tables, err := codes.Load()
	if err != nil {
		t.Fatal(err)
	}
	rules, err := quality.Compile(ds, tables)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		name    string
		n       int64
		deleted bool
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.BinaryTypes.String}, {Name: "name", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
	record := func(rows []row) arrow.RecordBatch {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		defer b.Release()
		for _, r := range rows {
			b.Field(0).(*array.StringBuilder).Append("k")
			if r.deleted || r.name == "" {
				b.Field(1).AppendNull()
			} else {
				b.Field(1).(*array.StringBuilder).Append(r.name)
			}
			b.Field(2).(*array.Int64Builder).Append(r.n)
		}
		return b.NewRecordBatch()
	}
	asOf := time.Unix(1_700_000_000, 0)
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) row {
			return row{rapid.SampledFrom([]string{"", "张", "无"}).Draw(t, "name"), rapid.Int64Range(-2, 2).Draw(t, "n"), rapid.Bool().Draw(t, "deleted")}
		}), 0, 150).Draw(t, "rows")
		var live []row
		var at []int
		var offsets, liveOffsets []int64
		deleted := make([]uint64, (len(all)+63)/64)
		for i, r := range all {
			offsets = append(offsets, int64(1000+i))
			if r.deleted {
				deleted[i>>6] |= 1 << (i & 63)
				continue
			}
			live, at, liveOffsets = append(live, r), append(at, i), append(liveOffsets, int64(1000+i))
		}
		got, err := rules.CheckChanges(record(all), offsets, deleted, asOf)
		if err != nil {
			t.Fatal(err)
		}
		want := rules.Check(record(live), liveOffsets, asOf)
		flags := make([]uint64, len(all))
		for i, row := range at {
			flags[row] = want.Flags[i]
		}
		if !slices.Equal(got.Flags, flags) || len(got.Rejected) != len(want.Rejected) || len(got.Drop)*64 < len(all) {
			t.Fatalf("flags %v, want %v; %d rejected, want %d", got.Flags, flags, len(got.Rejected), len(want.Rejected))
		}
		dropped := map[int]bool{}
		for i, f := range want.Rejected {
			dropped[at[f.Row]] = true
			if got.Rejected[i].Row != at[f.Row] || got.Rejected[i].Rule != f.Rule {
				t.Fatalf("reject %+v, want row %d of %+v", got.Rejected[i], at[f.Row], f)
			}
		}
		for i := range all {
			if got.Drop[i>>6]>>(i&63)&1 == 1 != dropped[i] {
				t.Fatalf("row %d: drop is not %v", i, dropped[i])
			}
		}
		gf, wf := got.Findings(mulu.Plan{}), want.Findings(mulu.Plan{})
		for i := range wf {
			if gf[i].Evaluated != wf[i].Evaluated || gf[i].Failed != wf[i].Failed || !slices.Equal(gf[i].Sample, wf[i].Sample) {
				t.Fatalf("finding %+v, want %+v", gf[i], wf[i])
			}
		}
	})
}
