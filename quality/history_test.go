package quality_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
	"mulu/quality"
)

// TestUses: rows of which only the columns in use are there are judged as whole ones.
func TestUses(t *testing.T) {
	rec, offsets := record(benchRows(2000))
	defer rec.Release()
	rule := func(kind, when string, params map[string]string, columns ...string) mulu.Rule {
		return mulu.Rule{ID: mulu.RuleID(fmt.Sprint(kind, when, params)), Kind: kind, Columns: columns, Params: params, When: when}
	}
	for _, c := range []struct {
		rule mulu.Rule
		want string
		ages bool
	}{
		{rule("not_null", "", nil, "name"), "[name]", false},
		{rule("not_null", "n > 20 && sex == '1'", nil, "name"), "[name sex n]", false},
		{rule("age", "", map[string]string{"max": "60", "at": "upd"}, "birth"), "[birth upd]", false},
		{rule("age", "", map[string]string{"max": "60"}, "birth"), "[birth]", true},
		{rule("date_range", "", map[string]string{"max": "today-30"}, "birth"), "[birth]", true},
		{rule("not_null", "birth < today()", nil, "name"), "[name birth]", true},
		{rule("gb11643", "", nil, "id"), "[id]", true},
	} {
		ds := &mulu.Dataset{Code: "t", Columns: columns, Rules: []mulu.Rule{c.rule}}
		rs, err := quality.Compile(ds, tables(t))
		if err != nil {
			t.Errorf("%s: %v", c.rule.ID, err)
			continue
		}
		uses := rs.Uses()
		if got := fmt.Sprint(uses); !containsAll(uses, c.want) || rs.Ages() != c.ages {
			t.Errorf("%s: uses %s, ages %v, want %s, %v", c.rule.ID, got, rs.Ages(), c.want, c.ages)
		}
		some := only(rec, uses)
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		want, got := rs.Check(rec, offsets, at), rs.Check(some, offsets, at)
		some.Release()
		if fmt.Sprint(want.Flags) != fmt.Sprint(got.Flags) {
			t.Errorf("%s: judged otherwise without the columns it does not use", c.rule.ID)
		}
	}
}

// containsAll says whether the columns of want, written as "[a b]", are all in use.
func containsAll(uses []string, want string) bool {
	for _, w := range strings.Fields(strings.Trim(want, "[]")) {
		if !slices.Contains(uses, w) {
			return false
		}
	}
	return true
}

// only is a record whose other columns are null.
func only(rec arrow.RecordBatch, names []string) arrow.RecordBatch {
	keep := map[string]bool{}
	for _, n := range names {
		keep[n] = true
	}
	cols := make([]arrow.Array, rec.NumCols())
	for i, f := range rec.Schema().Fields() {
		if cols[i] = rec.Column(i); !keep[f.Name] {
			cols[i] = array.MakeArrayOfNull(memory.DefaultAllocator, f.Type, int(rec.NumRows()))
		}
	}
	return array.NewRecordBatch(rec.Schema(), cols, rec.NumRows())
}
