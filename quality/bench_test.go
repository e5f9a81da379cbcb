package quality_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"

	"mulu"
	"mulu/quality"
	"mulu/quality/ident"
)

// BenchmarkRowRules12 is twelve row rules over a batch of columns, beside the same
// rules as struct tags (validator/v10) over the same rows. Both say how many rows
// they find at fault; the numbers must be equal.
func BenchmarkRowRules12(b *testing.B) {
	rows := benchRows(100_000)
	rec, offsets := record(rows)
	defer rec.Release()
	one := map[string]string{}
	rule := func(id, kind, column string, params map[string]string, blocking bool) mulu.Rule {
		return mulu.Rule{ID: mulu.RuleID(id), Kind: kind, Columns: []string{column}, Params: params, Blocking: blocking}
	}
	ds := &mulu.Dataset{Code: "bench", Columns: columns, Rules: []mulu.Rule{
		rule("1", "not_null", "id", one, true), rule("2", "gb11643", "id", one, true), rule("3", "fixed_length", "id", map[string]string{"length": "18"}, false),
		rule("4", "not_null", "name", one, false), rule("5", "length", "name", map[string]string{"min": "2", "max": "20"}, false),
		rule("6", "enum", "sex", map[string]string{"values": "0,1,2,9"}, false), rule("7", "range", "n", map[string]string{"min": "0", "max": "120"}, false),
		rule("8", "range", "amount", map[string]string{"min": "0", "max": "9000"}, false), rule("9", "date_range", "birth", map[string]string{"min": "1930-01-01", "max": "2026-01-01"}, false),
		rule("10", "not_null", "birth", one, false), rule("11", "not_null", "upd", one, false), rule("12", "date_range", "upd", map[string]string{"min": "2000-01-01"}, false),
	}}
	rules, err := quality.Compile(ds, tables(b))
	if err != nil {
		b.Fatal(err)
	}
	tags, structs := validator.New(), tagged(rows)
	region := map[string]bool{}
	table := tables(b)
	err = tags.RegisterValidation("gb11643", func(f validator.FieldLevel) bool {
		s := f.Field().String()
		if !ident.Citizen([]byte(s)) {
			return false
		}
		if _, seen := region[s[:6]]; !seen {
			region[s[:6]] = table.Region(s[:6], time.Time{})
		}
		return region[s[:6]]
	})
	if err != nil {
		b.Fatal(err)
	}
	ours, theirs := 0, 0
	for _, f := range rules.Check(rec, offsets, asOf).Flags {
		if f != 0 {
			ours++
		}
	}
	for i := range structs {
		if tags.Struct(&structs[i]) != nil {
			theirs++
		}
	}
	if ours != theirs || ours == 0 {
		b.Fatalf("rules find %d rows at fault, tags %d", ours, theirs)
	}
	report := func(b *testing.B) {
		b.ReportMetric(float64(len(rows))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	}
	b.Run("rules", func(b *testing.B) {
		for b.Loop() {
			rules.Check(rec, offsets, asOf)
		}
		report(b)
	})
	b.Run("validator_tags", func(b *testing.B) {
		for b.Loop() {
			for i := range structs {
				_ = tags.Struct(&structs[i]) // compared above
			}
		}
		report(b)
	})
}

// benchRows are n people who can not exist; some rows break some rule.
func benchRows(n int) []row {
	out := make([]row, n)
	for i := range out {
		birth := time.Date(1925, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i*7919%36_000)
		id := benchID(birth, i%1000, i%100 == 7)
		name, sex := "张小"+strconv.Itoa(i%977), []string{"1", "2", "0", "9", "3"}[min(i%41, 4)]
		age, cents, upd := int64(i%121), int64(i*37%905_000), time.Date(2020, 1, 1, 0, 0, i, 0, time.UTC)
		out[i] = row{id: &id, name: &name, sex: &sex, n: &age, amount: &cents, birth: &birth, upd: &upd}
		if i%30 == 4 {
			out[i].name = nil
		}
	}
	return out
}

func benchID(birth time.Time, sequence int, wrong bool) string {
	s := "310199" + birth.Format("20060102") + fmt.Sprintf("%03d", sequence)
	sum := 0
	for i, w := range [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(s[i]-'0') * w
	}
	if wrong {
		sum++
	}
	return s + string("10X98765432"[sum%11])
}

// taggedRow is a row with the same rules as tags; dates are Unix milliseconds.
type taggedRow struct {
	ID     *string `validate:"required,gb11643,len=18"`
	Name   *string `validate:"required,min=2,max=20"`
	Sex    *string `validate:"omitempty,oneof=0 1 2 9"`
	N      *int64  `validate:"omitempty,min=0,max=120"`
	Amount *int64  `validate:"omitempty,min=0,max=900000"`
	Birth  *int64  `validate:"required,min=-1262304000000,max=1767225600000"`
	Upd    *int64  `validate:"required,min=946656000000"`
}

func tagged(rows []row) []taggedRow {
	milli := func(t *time.Time) *int64 { v := t.UnixMilli(); return &v }
	out := make([]taggedRow, len(rows))
	for i, r := range rows {
		out[i] = taggedRow{r.id, r.name, r.sex, r.n, r.amount, milli(r.birth), milli(r.upd)}
	}
	return out
}
