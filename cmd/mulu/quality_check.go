package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulu/internal/app/filecheck"
	"mulu/internal/clock"
	"mulu/quality"
)

// errNotHeld ends quality check when a rule did not hold: the report has been printed and
// says all there is to say.
var errNotHeld = errors.New("not every rule held")

func newQualityCheck() *cobra.Command {
	var q filecheck.Request
	var asJSON bool
	var delimiter, asOf string
	c := &cobra.Command{
		Use:   "check",
		Short: "用规则检查本地文件，不需要服务 / check a local file by rules, no server",
		Long: `规则文件自动识别：mulu 的数据集声明或只有 rules 的 YAML、Great Expectations 套件、Soda 检查、ODCS 合同。
数据文件自动识别：CSV（分隔符、编码）、JSON、JSONL、Parquet。不能对应的规则列在 unmapped 中，不会当作通过。
退出码：0 全部成立；1 有规则不成立、出错或不能对应；2 命令或文件有误。
Rules: mulu's YAML, a Great Expectations suite, Soda checks or an ODCS contract. Data: CSV, JSON, JSONL, Parquet.`,
		Example: `  mulu quality check --rules resident.yaml --data resident.csv
  mulu quality check --rules suite.json --data data.parquet --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q.Now = time.Now()
			if asOf != "" {
				t, err := time.ParseInLocation(time.DateOnly, asOf, clock.Shanghai)
				if err != nil {
					return wrongUse(c, fmt.Errorf("--as-of 应形如 2026-11-28 / wrong date %q", asOf))
				}
				q.Now = t
			}
			switch {
			case delimiter == `\t` || delimiter == "tab":
				q.Options.Delimiter = '\t'
			case len(delimiter) > 1:
				return wrongUse(c, fmt.Errorf("--delimiter 应是一个字符 / one character"))
			case delimiter != "":
				q.Options.Delimiter = delimiter[0]
			}
			debug.SetGCPercent(400) // what is read is soon let go: memory stays at some batches
			r, err := filecheck.Check(c.Context(), q)
			if err != nil {
				return usageError{err}
			}
			out := bufio.NewWriter(c.OutOrStdout())
			if asJSON {
				err = r.WriteJSON(out)
			} else {
				printChecked(out, r, terminalWidth(c.OutOrStdout()))
			}
			if err := errors.Join(err, out.Flush()); err != nil {
				return fmt.Errorf("print report: %w", err)
			}
			if !r.OK {
				return errNotHeld
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&q.Rules, "rules", "", "规则文件 / file of rules")
	f.StringVar(&q.Data, "data", "", "数据文件 / file of data")
	f.StringVar(&q.Dataset, "dataset", "", "规则文件里有多个数据集时，用哪一个；默认与数据文件同名 / which dataset of the rules")
	f.BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	f.StringVar(&asOf, "as-of", "", "规则中的“今天”，默认当天 / the day that today means")
	f.StringVar(&q.Options.Encoding, "encoding", "", "文件编码，默认自动识别 / encoding of the data")
	f.StringVar(&delimiter, "delimiter", "", "CSV 分隔符，默认自动识别 / delimiter of the CSV")
	f.BoolVar(&q.Options.NoHeader, "no-header", false, "CSV 没有表头，列名为 0、1、2… / the CSV has no header")
	for _, name := range []string{"rules", "data"} {
		_ = c.MarkFlagRequired(name) // it exists
	}
	return c
}

// shownRows is how many failing rows a line of the table names.
const shownRows = 8

var statusWords = map[quality.Status]struct{ mark, word, tint string }{
	quality.Pass:    {"✓", "通过", "\x1b[32m"},
	quality.Warn:    {"!", "弱规则不合格", "\x1b[33m"},
	quality.Fail:    {"✗", "不合格", "\x1b[31m"},
	quality.Errored: {"×", "出错", "\x1b[35m"},
	quality.Skipped: {"–", "无可判断", "\x1b[2m"},
}

func printChecked(out io.Writer, r *filecheck.Report, width int) {
	t := newTable("结果", "~规则", "种类", ">应判定", ">不合格", "合格率", "|说明")
	colour := width > 0 && colourful()
	counts := map[quality.Status]int{}
	for _, x := range r.Rules {
		counts[x.Status]++
		w := statusWords[x.Status]
		rate := "—"
		if x.Evaluated > 0 {
			part := float64(x.Evaluated-x.Failed) / float64(x.Evaluated)
			rate = bar(part) + fmt.Sprintf(" %6.2f%%", part*100)
		}
		t.add(w.mark+" "+w.word, x.ID, x.Kind, count(x.Evaluated), count(x.Failed), rate, checkedNote(&x))
		if colour {
			t.tint(0, w.tint)
		}
	}
	t.writeWithin(out, width)
	printUnmapped(out, r)
	for _, u := range r.Unfit {
		fmt.Fprintf(out, "类型不符：%s 有 %s 个值不是 %s（行 %s）/ not of the declared type\n", clean(u.Column), count(u.Count), u.Type, firstRows(u.Rows))
	}
	for _, f := range r.Faults[:min(len(r.Faults), shownRows)] {
		fmt.Fprintf(out, "第 %d 行：%s\n", f.Line, f.What)
	}
	if n := r.FaultCount - shownRows; n > 0 {
		fmt.Fprintf(out, "…另有 %s 处 / and more\n", count(int64(n)))
	}
	fmt.Fprintf(out, "\n%s 行 × %d 列；%d 条规则：通过 %d，弱规则不合格 %d，不合格 %d，出错 %d，无可判断 %d；不能对应 %d\n", count(int64(r.Rows)), len(r.Columns), len(r.Rules),
		counts[quality.Pass], counts[quality.Warn], counts[quality.Fail], counts[quality.Errored], counts[quality.Skipped], len(r.Unmapped))
	if s := r.Score; s != nil {
		fmt.Fprintf(out, "得分 %s %s  等级 %s（DB31/T 1523-2024，权重 %s）/ score\n", bar(s.Total), percent(s.Total), s.Grade, s.Weights)
	}
}

func printUnmapped(out io.Writer, r *filecheck.Report) {
	if len(r.Unmapped) == 0 {
		return
	}
	fmt.Fprintln(out, "\n不能对应的规则，没有检查 / not mapped, not checked:")
	for _, u := range r.Unmapped {
		fmt.Fprintf(out, "  %s：%s\n", clean(u.ID), clean(u.Reason))
	}
}

// checkedNote says what was seen, and where it was not in order.
func checkedNote(x *filecheck.RuleReport) string {
	var parts []string
	if x.Message != "" {
		parts = append(parts, x.Message)
	}
	if x.Observed != nil && !slices.Contains([]string{"columns"}, x.Kind) {
		text := fmt.Sprint(x.Observed)
		if list, ok := x.Observed.([]any); ok {
			text = fmt.Sprintf("%d 个值", len(list))
		}
		parts = append(parts, "实测 "+text)
	}
	if x.Expected != "" && !x.Success {
		parts = append(parts, "应为 "+x.Expected)
	}
	if x.Failed > 0 && x.FailedRows != nil {
		parts = append(parts, "行 "+firstRows(x.FailedRows))
	}
	return strings.Join(parts, "；")
}

func firstRows(r *filecheck.Rows) string {
	var out []string
	n := 0
	r.Bits.Each(func(i int) {
		if n++; n <= shownRows {
			out = append(out, fmt.Sprint(i))
		}
	})
	s := strings.Join(out, "、")
	if n > shownRows {
		s += "…"
	}
	return s
}
