package filecheck_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"golang.org/x/text/encoding/simplifiedchinese"

	"mulu/internal/app/filecheck"
)

// people is a small file with every kind of fault the rules below look for.
const people = "证件 号,name,age,grade,born,status,note\n" +
	"310107199001011234,张三,30,1.5,1990-01-01,在册,a\n" +
	"31010719900101123X,李四,31,2.25,1991-02-03,在册,\"多行\n文字\"\n" +
	"31010719900101123X,,130,,1992-13-01,注销,\"带\"\"引号\"\"\"\n" +
	"\n" +
	"123,王小五六,-1,3,,迁出,NA\n"

func write(t *testing.T, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func checked(t *testing.T, rules, data string) *filecheck.Report {
	t.Helper()
	r, err := filecheck.Check(t.Context(), filecheck.Request{Rules: rules, Data: data, Now: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// summary is a report in short: "id status failed/evaluated rows observed".
func summary(r *filecheck.Report) (out []string) {
	for _, x := range r.Rules {
		rows := "-"
		if x.FailedRows != nil {
			rows = fmt.Sprint(x.FailedRows.List())
		}
		out = append(out, fmt.Sprintf("%s %s %d/%d %s %v", x.ID, x.Status, x.Failed, x.Evaluated, rows, x.Observed))
	}
	for _, u := range r.Unmapped {
		out = append(out, "unmapped "+u.ID)
	}
	return out
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestSoda(t *testing.T) {
	rules := write(t, "checks.yml", `
configurations for people:
  valid values for status: [在册, 注销]
filter people [old]:
  where: age > 100
checks for people:
  - row_count between 1 and 10
  - missing_count(name) = 0
  - missing_percent(name) < 30 %
  - duplicate_count(证件 号) = 0
  - invalid_count(status) = 0
  - invalid_count(证件 号) = 0:
      name: 证件号格式
      valid regex: ^\d{17}[\dX]$
      filter: age > 0
  - invalid_count(age):
      valid min: 0
      valid max: 120
      warn: when > 1
      fail: when > 5
  - avg(age) > 40
  - max(age) <= 120
  - missing_count(note) = 0:
      missing values: [a]
  - failed rows:
      name: 没有未来的人
      fail condition: age < 0 or grade is null and age > 100
  - schema:
      fail:
        when required column missing: [name, age]
        when forbidden column present: [secret*]
  - schema:
      name: 列的类型
      warn:
        when wrong column type: {age: varchar}
  - values in (status) must exist in codes (code)
  - my_metric = 3:
      my_metric query: SELECT 1
  - freshness(born) < 1d
checks for people [old]:
  - row_count = 1
`)
	same(t, summary(checked(t, rules, write(t, "people.csv", people))),
		"row_count between 1 and 10 pass 0/4 - 4",
		"missing_count(name) = 0 fail 1/4 [2] 1",
		"missing_percent(name) < 30 % pass 1/4 [2] 25",
		"duplicate_count(证件 号) = 0 fail 2/4 [1 2] 1",
		"invalid_count(status) = 0 fail 1/4 [3] 1",
		"证件号格式 pass 0/3 [] 0",
		"invalid_count(age) warn 2/4 [2 3] 2",
		"avg(age) > 40 pass 0/4 - 47.5",
		"max(age) <= 120 fail 0/4 - 130",
		"missing_count(note) = 0 fail 1/4 [0] 1",
		"没有未来的人 fail 2/4 [2 3] 2",
		"schema pass 0/2 - [证件 号 name age grade born status note]",
		"列的类型 warn 1/1 - [证件 号 name age grade born status note]",
		"freshness(born) < 1d error 0/0 - <nil>",
		"row_count = 1 pass 0/1 - 1",
		"unmapped values in (status) must exist in codes (code)",
		"unmapped my_metric = 3",
	)
}

func TestODCS(t *testing.T) {
	rules := write(t, "contract.yaml", `
apiVersion: v3.0.2
kind: DataContract
schema:
  - name: people
    properties:
      - name: 证件 号
        logicalType: string
        required: true
        unique: true
        logicalTypeOptions: {minLength: 18, maxLength: 18}
      - name: age
        logicalType: integer
        logicalTypeOptions: {minimum: 0, exclusiveMaximum: 120}
        quality:
          - {type: text, description: 人工看}
          - {type: sql, query: "SELECT COUNT(*) FROM {object} WHERE {property} < 0", mustBe: 0}
          - {type: sql, query: "SELECT avg(age) FROM people", mustBe: 0}
      - name: born
        logicalType: date
      - name: status
        quality:
          - {name: 状态取值, type: library, rule: invalidValues, arguments: {validValues: [在册, 注销]}, mustBe: 0, severity: warning}
          - type: custom
            engine: greatExpectations
            implementation: |
              {"type": "expect_column_value_lengths_to_equal", "kwargs": {"value": 2}}
    quality:
      - {name: 行数, metric: rowCount, mustBeBetween: [1, 3]}
`)
	same(t, summary(checked(t, rules, write(t, "people.csv", people))),
		"证件 号.logicalType pass 0/4 [] <nil>",
		"证件 号.logicalTypeOptions.length fail 1/4 [3] <nil>",
		"证件 号.required pass 0/4 [] <nil>",
		"证件 号.unique fail 2/4 [1 2] <nil>",
		"age.logicalType pass 0/4 [] <nil>",
		"age.logicalTypeOptions.range fail 2/4 [2 3] <nil>",
		"age.quality[1] fail 1/4 [3] 1",
		"born.logicalType fail 1/3 [2] <nil>",
		"状态取值 warn 1/4 [3] 1",
		"status.quality[1] pass 0/4 [] <nil>",
		"行数 fail 0/4 - 4",
		"unmapped age.quality[0]",
		"unmapped age.quality[2]",
	)
}

// TestOwnRules: rules of mulu with declared columns, without, and with faults of their own.
func TestOwnRules(t *testing.T) {
	data := write(t, "people.csv", people)
	bare := write(t, "bare.yaml", `
rules:
  - {id: filled, kind: not_null, columns: [name], indicator: "020100"}
  - {id: adult, kind: range, columns: [age], params: {min: 0, max: 120}, blocking: true}
  - {id: form, kind: pattern, columns: [证件 号], params: {pattern: '^\d{17}[\dX]$'}, mostly: 0.7, blocking: true}
  - {id: fine, kind: range, columns: [grade], params: {max: "2.5"}}
  - {id: unknown, kind: no_such_kind, columns: [name]}
  - {id: nowhere, kind: not_null, columns: [other]}
set_rules:
  - {id: key, kind: unique, columns: [证件 号], blocking: true}
  - {id: in time, kind: fresh}
`)
	r := checked(t, bare, data)
	got := summary(r)
	for i, x := range r.Rules { // the words of errors are quality's
		if x.Message != "" {
			got[i] = x.ID + " " + string(x.Status)
		}
	}
	same(t, got,
		"filled warn 1/4 [2] <nil>",
		"adult fail 2/4 [2 3] <nil>",
		"form pass 1/4 [3] <nil>",
		"fine warn 1/3 [3] <nil>",
		"unknown error",
		"nowhere error",
		"key fail 1/4 [1 2] 3",
		"unmapped in time",
	)
	if r.Score == nil || r.OK {
		t.Errorf("score %v, ok %v", r.Score, r.OK)
	}
	declared := write(t, "declared.yaml", `
columns:
  - {name: 证件 号, type: string}
  - {name: age, type: int}
  - {name: born, type: date}
rules:
  - {id: born, kind: date_range, columns: [born], params: {min: "1990-06-01", max: today}}
`)
	r = checked(t, declared, data)
	same(t, summary(r), "born warn 1/2 [0] <nil>")
	if len(r.Unfit) != 1 || r.Unfit[0].Column != "born" || !slices.Equal(r.Unfit[0].Rows.List(), []int{2}) || r.OK {
		t.Errorf("unfit %+v", r.Unfit)
	}
}

// TestOwnSetRules: set rules by the names and counts of docs/rules.md, conditions read by
// the code that reads those of row rules.
func TestOwnSetRules(t *testing.T) {
	rules := write(t, "sets.yaml", `
rules:
  - {id: e, kind: expression, columns: [age], params: {expr: "age < 100 || status == '迁出'"}, when: "age > 0", blocking: true}
set_rules:
  - {id: u, kind: unique, columns: [证件 号], when: "age > 30"}
  - {id: n, kind: row_count, params: {min: 1, max: 2}, when: "status == '在册'"}
  - {id: ns, kind: null_share, columns: [name], params: {max: 0.1}}
  - {id: mean, kind: mean, columns: [age], params: {min: 0, max: 100}}
  - {id: max, kind: max, columns: [born], params: {max: 1990-12-31}, when: "age < 100"}
  - {id: vs, kind: values_in_set, columns: [status], params: {values: [在册, 注销]}}
  - {id: ve, kind: values_equal_set, columns: [status], params: {values: [在册, 注销, 迁出, 死亡]}}
  - {id: q, kind: quantile, columns: [age], params: {p: 0.5, max: 40}}
  - {id: x, kind: expression, params: {expression: "age >= 0"}}
  - {id: none, kind: mean, columns: [age], params: {min: 0}, when: "age > 500"}
  - {id: d, kind: drift, columns: [age]}
  - {id: p, kind: mean, columns: [age], params: {min: 0, magic: 1}}
`)
	same(t, summary(checked(t, rules, write(t, "people.csv", people))),
		"e fail 1/3 [2] <nil>",
		"u warn 1/2 [1 2] 1",
		"n pass 0/1 - 2",
		"ns warn 1/4 - 0.25",
		"mean pass 0/1 - 47.5",
		"max warn 1/1 - 1991-02-03",
		"vs warn 1/3 - 3",
		"ve warn 1/4 - 3",
		"q pass 0/1 - 30.5",
		"x warn 1/4 [3] <nil>",
		"none skipped 0/0 - <nil>",
		"unmapped d",
		"unmapped p",
	)
}

// TestFiles: the same rows say the same, however they are written.
func TestFiles(t *testing.T) {
	suite := write(t, "suite.json", `{"expectations": [
		{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "姓名"}, "id": "a"},
		{"type": "expect_column_values_to_be_between", "kwargs": {"column": "n", "min_value": 2}, "id": "b"},
		{"type": "expect_column_values_to_be_unique", "kwargs": {"column": "姓名"}, "id": "c"},
		{"type": "expect_column_value_lengths_to_equal", "kwargs": {"column": "姓名", "value": 2}, "id": "d"},
		{"type": "expect_table_row_count_to_equal", "kwargs": {"value": 3}, "id": "e"}]}`)
	want := []string{"a fail 1/3 [1] <nil>", "b fail 1/3 [0] <nil>", "c pass 0/2 [] <nil>", "d fail 1/2 [2] <nil>", "e pass 0/3 - 3"}
	csv := "姓名,n\n张三,1\n,2\n王小五,3\n"
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(csv)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"comma.csv": csv, "mark.csv": "\ufeff" + csv, "crlf.csv": strings.ReplaceAll(csv, "\n", "\r\n"), "no-last-break.csv": strings.TrimSuffix(csv, "\n"),
		"tab.txt": strings.ReplaceAll(csv, ",", "\t"), "semicolon.csv": strings.ReplaceAll(csv, ",", ";"), "gb18030.csv": gb, "excel.csv": "sep=,\n" + csv,
		"quoted.csv":   "\"姓名\",\"n\"\n\"张三\",\"1\"\n\"\",2\n王小五,\"3\"\n",
		"lines.jsonl":  `{"姓名":"张三","n":1}` + "\n" + `{"n":2,"姓名":null}` + "\n" + `{"姓名":"\u738b小五","n":3}` + "\n",
		"array.json":   `[{"姓名":"张三","n":1}, {"n":2}, {"姓名":"王小五","n":3}]`,
		"pretty.json":  "[\n  {\n    \"姓名\": \"张三\",\n    \"n\": 1\n  },\n  {\"姓名\": null, \"n\": 2},\n  {\"姓名\": \"王小五\", \"n\": 3}\n]\n",
		"columns.json": `{"姓名": ["张三", null, "王小五"], "n": [1, 2, 3]}`,
	} {
		t.Run(name, func(t *testing.T) { same(t, summary(checked(t, suite, write(t, name, text))), want...) })
	}
	t.Run("parquet", func(t *testing.T) { same(t, summary(checked(t, suite, parquetFile(t))), want...) })
}

func parquetFile(t *testing.T) string {
	schema := arrow.NewSchema([]arrow.Field{{Name: "other", Type: arrow.PrimitiveTypes.Int32}, {Name: "n", Type: arrow.PrimitiveTypes.Int16}, {Name: "姓名", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	b.Field(0).(*array.Int32Builder).AppendValues([]int32{9, 9, 9}, nil)
	b.Field(1).(*array.Int16Builder).AppendValues([]int16{1, 2, 3}, nil)
	b.Field(2).(*array.StringBuilder).AppendValues([]string{"张三", "", "王小五"}, []bool{true, false, true})
	rec := b.NewRecordBatch()
	defer rec.Release()
	p := filepath.Join(t.TempDir(), "rows.parquet")
	f, err := os.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Write(rec)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLateTypes: a value far into the file that is of a wider kind than all before.
func TestLateTypes(t *testing.T) {
	var csv, lines strings.Builder
	csv.WriteString("code,n\n")
	const rows = 400_000
	for i := range rows {
		n := fmt.Sprint(i)
		if i == rows-7 {
			n = "x"
		}
		fmt.Fprintf(&csv, "%06d,%s\n", i%100_000+100_000, n)
		if i == rows-3 {
			fmt.Fprintf(&lines, `{"n":%d,"late":"v"}`+"\n", i)
		} else {
			fmt.Fprintf(&lines, `{"n":%d}`+"\n", i)
		}
	}
	suite := write(t, "suite.json", `{"expectations": [
		{"type": "expect_column_values_to_match_regex", "kwargs": {"column": "n", "regex": "^\\d+$"}, "id": "digits"},
		{"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["code", "n"]}, "id": "unique"}]}`)
	same(t, summary(checked(t, suite, write(t, "late.csv", csv.String()))),
		fmt.Sprintf("digits fail 1/%d [%d] <nil>", rows, rows-7), fmt.Sprintf("unique pass 0/%d [] <nil>", rows))
	suite = write(t, "suite.json", `{"expectations": [{"type": "expect_column_values_to_be_null", "kwargs": {"column": "late"}, "id": "late"}]}`)
	same(t, summary(checked(t, suite, write(t, "late.jsonl", lines.String()))), fmt.Sprintf("late fail 1/%d [%d] <nil>", rows, rows-3))
}

// TestFaults: what can not be read is told by line and stops nothing.
func TestFaults(t *testing.T) {
	suite := write(t, "suite.json", `[{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "a"}}]`)
	r := checked(t, suite, write(t, "odd.csv", "a,b\n1,2\n\"x\ny\",2\n1,2,3\n4\n"))
	if len(r.Faults) != 1 || r.Faults[0].Line != 5 || r.Faults[0].Row != 2 || r.Rows != 4 || r.OK {
		t.Errorf("%+v, %d rows", r.Faults, r.Rows)
	}
	r = checked(t, suite, write(t, "odd.jsonl", "{\"a\":1}\n{\"a\":\nnonsense\n{\"a\":3}\n"))
	if r.FaultCount == 0 || r.Faults[0].Line != 2 || r.OK {
		t.Errorf("%+v, %d rows", r.Faults, r.Rows)
	}
	for name, bad := range map[string][2]string{
		"no rules":      {"", "a\n1\n"},
		"broken JSON":   {"{\"expectations\": [\n{\"type\": }\n]}", "a\n1\n"},
		"unknown rules": {"x: 1\n", "a\n1\n"},
		"no data":       {"[]", ""},
	} {
		if _, err := filecheck.Check(t.Context(), filecheck.Request{Rules: write(t, "r", bad[0]), Data: write(t, "d", bad[1])}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestReportForm: the JSON form is stable, scripts rely on it.
func TestReportForm(t *testing.T) {
	suite := write(t, "suite.json", `{"expectations": [
		{"expectation_type": "expect_column_values_to_be_in_set", "kwargs": {"column": "a", "value_set": [1], "mostly": 0.5}},
		{"expectation_type": "expect_column_mean_to_be_between", "kwargs": {"column": "a", "max_value": 1}},
		{"expectation_type": "expect_column_values_to_be_between", "kwargs": {"column": "missing", "max_value": 1}},
		{"expectation_type": "expect_column_values_to_be_magic", "kwargs": {"column": "a"}},
		{"expectation_type": "expect_column_values_to_not_be_null", "kwargs": {"column": "a", "row_condition": "b == \"y\" and a > 1", "condition_parser": "pandas"}}]}`)
	var out bytes.Buffer
	report := checked(t, suite, write(t, "rows.csv", "a,b\n1,x\n2,y\n"))
	if err := report.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	raw := out.Bytes()
	plain, err := json.Marshal(report)
	var one, other any
	if err = errors.Join(err, json.Unmarshal(plain, &one), json.Unmarshal(raw, &other)); err != nil || !reflect.DeepEqual(one, other) {
		t.Errorf("%v: %s is not %s", err, raw, plain)
	}
	var r struct {
		Rules []struct {
			ID, Kind, Status string
			Success          bool
			Evaluated        int
			Failed           int
			FailedRows       []int `json:"failed_rows"`
			Observed         any
		}
		Unmapped []struct{ ID, Reason string }
		Score    *struct{ Total float64 }
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Rules) != 4 || len(r.Unmapped) != 1 || r.Unmapped[0].Reason == "" || r.Score == nil {
		t.Fatalf("%s", raw)
	}
	a, mean, gone, when := r.Rules[0], r.Rules[1], r.Rules[2], r.Rules[3]
	if a.ID != "a.expect_column_values_to_be_in_set" || a.Kind != "enum" || a.Status != "pass" || !a.Success || a.Evaluated != 2 || a.Failed != 1 || !slices.Equal(a.FailedRows, []int{1}) {
		t.Errorf("%+v", a)
	}
	if mean.Status != "fail" || mean.Success || mean.FailedRows != nil || mean.Observed != 1.5 {
		t.Errorf("%+v", mean)
	}
	if gone.Status != "error" || gone.Success || when.Evaluated != 1 || when.Status != "pass" {
		t.Errorf("%+v %+v", gone, when)
	}
}
