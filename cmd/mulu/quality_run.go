package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/quality"
)

func newQualityRun(f *clientFlags) *cobra.Command {
	var code string
	var asJSON bool
	c := &cobra.Command{
		Use:   "run",
		Short: "立即运行规则并列出结果 / run the rules now and list the results",
		Long: `运行数据集的全部行规则和数据集规则：没有跨表规则的一个数据集只扫描一遍。结果保存，可在控制台查看。
Runs all row rules and set rules of a dataset, in one scan where no other dataset is looked at.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			rows, err := datasetRows(c.Context(), cl, code)
			if err != nil {
				return err
			}
			runs, titles := []json.RawMessage{}, map[string]string{}
			for _, d := range rows {
				var raw []byte
				if err := cl.post(c.Context(), "/v1/datasets/"+url.PathEscape(d.Code)+"/results", struct{}{}, &raw); err != nil {
					return err
				}
				runs, titles[d.Code] = append(runs, raw), d.Title
			}
			if asJSON {
				return printValue(c.OutOrStdout(), runs)
			}
			for i, raw := range runs {
				var r quality.RuleRun
				if err := json.Unmarshal(raw, &r); err != nil {
					return fmt.Errorf("read run: %w", err)
				}
				if i > 0 {
					fmt.Fprintln(c.OutOrStdout())
				}
				printRun(c.OutOrStdout(), titles[r.Dataset], r)
			}
			return nil
		},
	}
	c.Flags().StringVar(&code, "dataset", "", "数据集代码，默认全部 / dataset, default all")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON：运行结果的数组 / print JSON: an array of runs")
	return c
}

// ruleVerdicts are how a rule came out: its word, and the colour it has on a terminal.
var ruleVerdicts = map[quality.RuleResultStatus]struct{ word, tint string }{
	"pass": {"通过", "\x1b[32m"}, "warn": {"告警", "\x1b[33m"}, "fail": {"不通过", "\x1b[31m"}, "error": {"未能判定", "\x1b[35m"}, "skipped": {"未判", "\x1b[2m"},
}

func printRun(out io.Writer, title string, r quality.RuleRun) {
	tally := map[quality.RuleResultStatus]int{}
	for _, x := range r.Results {
		tally[x.Status]++
	}
	var parts []string
	for _, s := range []quality.RuleResultStatus{"pass", "warn", "fail", "error", "skipped"} {
		if tally[s] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", ruleVerdicts[s].word, tally[s]))
		}
	}
	fmt.Fprintf(out, "%s %s  规则第 %d 版  数据 %s  %s\n", r.Dataset, clean(title), r.Ruleset, r.Data, strings.Join(parts, "  "))
	color := terminalWidth(out) > 0
	t := newTable("  结果", "强弱", "规则", "~名称", "合格率", ">不合格", ">判定", "|说明")
	for _, x := range r.Results {
		strength, share := "弱", ""
		if x.Blocking {
			strength = "强"
		}
		if x.Evaluated > 0 {
			rate := float64(x.Evaluated-x.Failed) / float64(x.Evaluated)
			share = bar(rate) + " " + fmt.Sprintf("%6s", percent(rate))
		}
		said := x.Message
		if said == "" && x.Expected != "" && x.Observed != nil {
			said = fmt.Sprintf("%s（应 %s）", number(x.Observed), x.Expected)
		}
		t.add("  "+ruleVerdicts[x.Status].word, strength, x.Rule, x.Title, share, count(x.Failed), count(x.Evaluated), said)
		if color {
			t.tint(0, ruleVerdicts[x.Status].tint)
		}
	}
	t.write(out)
}

// number is what was measured, as it came in JSON.
func number(v any) string {
	if f, ok := v.(float64); ok {
		return strings.TrimSuffix(fmt.Sprintf("%.6g", f), ".0")
	}
	return fmt.Sprint(v)
}
