package labelled

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
	"mulu/quality"
	"mulu/quality/codes"
)

// others gives the rows of another dataset as its declaration reads them, without those
// that it refuses.
type others func(code mulu.DatasetCode) (*mulu.Dataset, arrow.RecordBatch, error)

// across runs the rules of a dataset that look at another one: each row beside the row
// of the other with its key, and then as rules on the row that makes. The library does
// the same in a join of its own; here what is to be known is which rows are at fault.
func across(ds *mulu.Dataset, read *reading, tables *codes.Tables, asOf time.Time, find others) ([]pointing, error) {
	var out []pointing
	for _, r := range ds.SetRules {
		as := rowForms[r.Kind]
		if as == nil {
			continue
		}
		on := split(r.Params["on"])
		if r.Kind == "references" {
			on = r.Columns
		}
		wide, rec, err := beside(ds, read.rec, mulu.DatasetCode(r.Params["dataset"]), on, split(r.Params["to"]), find)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", r.ID, err)
		}
		wide.Rules = []mulu.Rule{as(r)}
		rules, err := quality.Compile(wide, tables)
		if err != nil {
			return nil, err
		}
		columns := slices.Clone(r.Columns)
		for _, c := range ds.Columns {
			if strings.Contains(r.Params["expression"], c.Name) {
				columns = append(columns, c.Name)
			}
		}
		p := pointing{rule: string(r.ID), columns: columns}
		for row, f := range rules.Check(rec, read.at, asOf).Flags {
			if f != 0 {
				p.groups = append(p.groups, []int64{read.at[row]})
			}
		}
		rec.Release()
		out = append(out, p)
	}
	return out, nil
}

func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// dotted finds the items of another dataset in an expression.
var dotted = regexp.MustCompile(`\b([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)\b([^(a-z0-9_]|$)`)

// rowForms are the kinds over two datasets as rules on a row that holds both.
var rowForms = map[string]func(r mulu.SetRule) mulu.Rule{
	"references": func(r mulu.SetRule) mulu.Rule {
		return mulu.Rule{ID: r.ID, Kind: "not_null", Columns: []string{there(r.Params["to"])}, When: "!isNull(" + r.Columns[0] + ")"}
	},
	"equal_to": func(r mulu.SetRule) mulu.Rule {
		item := r.Params["item"]
		if item == "" {
			item = r.Columns[0]
		}
		return mulu.Rule{ID: r.ID, Kind: "equal", Columns: []string{r.Columns[0], there(item)}}
	},
	"cross": func(r mulu.SetRule) mulu.Rule {
		text := dotted.ReplaceAllStringFunc(r.Params["expression"], func(m string) string {
			name, rest, _ := strings.Cut(m, ".")
			if name != r.Params["dataset"] {
				return m
			}
			return there(rest)
		})
		return mulu.Rule{ID: r.ID, Kind: "expression", Columns: []string{there(r.Params["to"])}, Params: map[string]string{"expr": text}}
	},
}

func there(column string) string { return "there_" + column }

// beside is a dataset and its rows with the columns of another after its own: of each
// row those of the other's last row with the same key, or nothing.
func beside(ds *mulu.Dataset, rec arrow.RecordBatch, code mulu.DatasetCode, on, to []string, find others) (*mulu.Dataset, arrow.RecordBatch, error) {
	other, rows, err := find(code)
	if err != nil {
		return nil, nil, err
	}
	last := map[string]int{}
	for i := range int(rows.NumRows()) {
		last[keyOf(other, rows, to, i)] = i
	}
	wide := *ds
	wide.Columns, wide.SetRules = slices.Clone(ds.Columns), nil
	var fields []arrow.Field
	var cols []arrow.Array
	for i := range ds.Columns {
		fields, cols = append(fields, rec.Schema().Field(i)), append(cols, rec.Column(i))
	}
	for i, c := range other.Columns {
		c.Name, c.Required = there(c.Name), false
		wide.Columns = append(wide.Columns, c)
		b := array.NewBuilder(memory.DefaultAllocator, rows.Column(i).DataType())
		for row := range int(rec.NumRows()) {
			at, ok := last[keyOf(ds, rec, on, row)]
			if !ok || rows.Column(i).IsNull(at) {
				b.AppendNull()
			} else if err := b.AppendValueFromString(rows.Column(i).ValueStr(at)); err != nil {
				b.Release()
				return nil, nil, err
			}
		}
		fields, cols = append(fields, arrow.Field{Name: c.Name, Type: rows.Column(i).DataType(), Nullable: true}), append(cols, b.NewArray())
		b.Release()
	}
	return &wide, array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, rec.NumRows()), nil
}

func keyOf(ds *mulu.Dataset, rec arrow.RecordBatch, columns []string, row int) string {
	var b strings.Builder
	for _, c := range columns {
		b.WriteString(rec.Column(ds.Column(c)).ValueStr(row))
		b.WriteByte(0)
	}
	return b.String()
}
