package bench

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"mulu"
)

// fileRows is how many rows of CSV are checked as a file.
const fileRows = 500_000

// fileSuite are twelve expectations of the rows, read by both sides as they stand here.
const fileSuite = `{"name": "bench", "expectations": [
 {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}},
 {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
 {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "citizen_id"}},
 {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "citizen_id", "regex": "^\\d{17}[\\dX]$"}},
 {"type": "expect_column_value_lengths_to_equal", "kwargs": {"column": "citizen_id", "value": 18}},
 {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "name"}},
 {"type": "expect_column_value_lengths_to_be_between", "kwargs": {"column": "name", "min_value": 2, "max_value": 3}},
 {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "dept_code", "regex": "^[A-M][A-Z]{2}-\\d{6}$"}},
 {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "status", "value_set": ["VALID", "PENDING", "CANCELLED"]}},
 {"type": "expect_column_values_to_be_between", "kwargs": {"column": "amount", "min_value": 0, "max_value": 800000}},
 {"type": "expect_column_values_to_be_between", "kwargs": {"column": "age", "min_value": 0, "max_value": 90}},
 {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "mobile"}}
]}`

// fileFigures runs mulu quality check on a CSV, beside Great Expectations on the same
// file and suite if make test-peers has left it next to the binary. Both are whole
// processes; a count that differs is an error and no figure.
func fileFigures(ctx context.Context, o *Options) ([]Figure, error) {
	dir, remove, err := tempDir(o)
	if err != nil {
		return nil, err
	}
	defer remove()
	data, suite := filepath.Join(dir, "bench.csv"), filepath.Join(dir, "suite.json")
	o.Progress("文件检查 / file check", 0, 0)
	if err := errors.Join(writeCSV(data), os.WriteFile(suite, []byte(fileSuite), 0o600)); err != nil {
		return nil, fmt.Errorf("write rows: %w", err)
	}
	best, ours := time.Duration(0), []int64(nil)
	for range 3 {
		counts, cpu, err := fileOurs(ctx, o.Exe, suite, data)
		if err != nil {
			return nil, err
		}
		if best == 0 || cpu < best {
			best, ours = cpu, counts
		}
	}
	python := filepath.Join(filepath.Dir(o.Exe), "peers", "gx", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return []Figure{figure("check.file", perSecond(fileRows, best), "rows/s per core", "Great Expectations：未测，先运行 make test-peers / not measured", 0)}, nil
	}
	o.Progress("Great Expectations", 0, 0)
	theirs, cpu, err := filePeer(ctx, python, suite, data)
	if err != nil {
		return nil, err
	}
	for i := range theirs {
		if theirs[i] != ours[i] {
			return nil, fmt.Errorf("rule %d: mulu counts %d, Great Expectations %d: the comparison is not of the same work: %w", i+1, ours[i], theirs[i], mulu.ErrInvalid)
		}
	}
	return []Figure{figure("check.file", perSecond(fileRows, best), "rows/s per core", "Great Expectations 1.24.1, same CSV and suite, whole processes", perSecond(fileRows, cpu))}, nil
}

// fileOurs runs the command and gives its counts and the CPU it took.
func fileOurs(ctx context.Context, exe, suite, data string) ([]int64, time.Duration, error) {
	cmd := exec.CommandContext(ctx, exe, "quality", "check", "--rules", suite, "--data", data, "--json")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1 says that rules did not hold
		return nil, 0, fmt.Errorf("mulu quality check: %w", err)
	}
	var r struct {
		Rules []struct {
			Failed int64 `json:"failed"`
		} `json:"rules"`
		Unmapped []any `json:"unmapped"`
	}
	if err := json.Unmarshal(out, &r); err != nil || len(r.Unmapped) > 0 {
		return nil, 0, fmt.Errorf("mulu quality check: unmapped %v: %w", r.Unmapped, errors.Join(err, mulu.ErrInvalid))
	}
	var counts []int64
	for _, x := range r.Rules {
		counts = append(counts, x.Failed)
	}
	return counts, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

func filePeer(ctx context.Context, python, suite, data string) ([]int64, time.Duration, error) {
	script := filepath.Join(filepath.Dir(python), "..", "..", "gx_.py")
	cmd := exec.CommandContext(ctx, python, "-W", "ignore", script, suite, data)
	out, err := cmd.Output()
	if err != nil {
		return nil, 0, fmt.Errorf("run Great Expectations: %w", err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var r struct {
		Counts []int64 `json:"counts"`
	}
	if err := json.Unmarshal(lines[len(lines)-1], &r); err != nil {
		return nil, 0, fmt.Errorf("read what Great Expectations says: %w", err)
	}
	return r.Counts, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// writeCSV writes the rows of the other figures, those that decode, as CSV.
func writeCSV(path string) (err error) {
	v, err := ready(dataset(code, topic, false))
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := csv.NewWriter(f)
	var names []string
	for _, c := range v.Dataset.Columns {
		names = append(names, c.Name)
	}
	if err := w.Write(names); err != nil {
		return err
	}
	written := int64(0)
	for from := int64(0); written < fileRows; from += batchRows {
		_, d, err := decoded(v, from, batchRows)
		if err != nil {
			return err
		}
		for i := range int(d.Record.NumRows()) {
			if written++; written > fileRows {
				break
			}
			if err := w.Write(cellsOf(d.Record, len(names), i)); err != nil {
				return err
			}
		}
		d.Release()
	}
	w.Flush()
	return w.Error()
}

func cellsOf(rec arrow.RecordBatch, n, row int) []string {
	out := make([]string, n)
	for c := range n {
		if a := rec.Column(c); !a.IsNull(row) {
			out[c] = a.ValueStr(row)
		}
	}
	return out
}
