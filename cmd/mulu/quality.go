package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"strings"

	"mulu/internal/httpapi/gen/dataset"
)

// worstShown is how many indicators below full marks a report lists.
const worstShown = 5

func newQuality() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{Use: "quality", Short: "质量：得分与指标 / quality: scores and indicators"}
	f.add(c)
	c.AddCommand(newQualityReport(&f), newQualityDepartments(&f), newQualityRun(&f), newQualityRows(&f), newQualityBecame(&f), newQualityVerify(), newQualityDraft(&f), newQualityJudge(&f))
	c.AddCommand(newQualityProfile(&f), newQualitySuggest(&f))
	return c
}

func newQualityReport(f *clientFlags) *cobra.Command {
	var code, period string
	var asJSON, steps bool
	c := &cobra.Command{
		Use:   "report",
		Short: "最近一次质量得分 / the latest scores",
		Long: `得分按 DB31/T 1523-2024：X = A / B，A 为合格数，B 为应判定数；存量与增量分开，列出最能提分的整改。
--period 换一个月看增量；--steps 列出每一步的公式和数字，照着算即得总分。
Scores after DB31/T 1523-2024: X = A / B, stock and increment apart, and what lifts them most.
--steps prints every formula with its numbers.`,
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
			scores, none, err := latestScores(c.Context(), cl, rows, period)
			if err != nil {
				return err
			}
			if asJSON {
				return printValue(c.OutOrStdout(), scores)
			}
			titles := map[string]string{}
			for _, d := range rows {
				titles[d.Code] = d.Title
			}
			for i, raw := range scores {
				var s dataset.Score
				if err := json.Unmarshal(raw, &s); err != nil {
					return fmt.Errorf("read score: %w", err)
				}
				if i > 0 {
					fmt.Fprintln(c.OutOrStdout())
				}
				printScore(c.OutOrStdout(), titles[s.Dataset], s)
				if err := printExplained(c.Context(), cl, c.OutOrStdout(), s.Dataset, period, steps); err != nil {
					return err
				}
			}
			for _, code := range none {
				fmt.Fprintf(c.OutOrStdout(), "%s：尚未评分，有新数据入库后自动评分 / not scored yet\n", code)
			}
			return nil
		},
	}
	c.Flags().StringVar(&code, "dataset", "", "数据集代码，默认全部 / dataset, default all")
	c.Flags().StringVar(&period, "period", "", "增量的月份，如 2026-10，默认本月 / month of the increment, default this one")
	c.Flags().BoolVar(&steps, "steps", false, "列出每一步的公式和数字 / every formula with its numbers")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON：得分的数组 / print JSON: an array of scores")
	return c
}

// datasetRows lists all datasets, or the one that is named.
func datasetRows(ctx context.Context, cl *client, code string) ([]dataset.DatasetRow, error) {
	var rows []dataset.DatasetRow
	if err := cl.get(ctx, "/v1/datasets", nil, &rows); err != nil {
		return nil, err
	}
	if code == "" {
		return rows, nil
	}
	var known []string
	for _, d := range rows {
		if d.Code == code {
			return []dataset.DatasetRow{d}, nil
		}
		known = append(known, d.Code)
	}
	return nil, fmt.Errorf("没有数据集 %q；现有：%s / no such dataset", code, strings.Join(known, "、"))
}

// latestScores reads each dataset's latest score as the API gives it, and names
// those that have none. It is never nil, so that JSON is always an array.
func latestScores(ctx context.Context, cl *client, rows []dataset.DatasetRow, period string) (scores []json.RawMessage, none []string, err error) {
	scores = []json.RawMessage{}
	for _, d := range rows {
		var raw []byte
		err := cl.get(ctx, "/v1/datasets/"+url.PathEscape(d.Code)+"/score", monthQuery(period), &raw)
		switch {
		case refused(err, http.StatusNotFound):
			none = append(none, d.Code)
		case err != nil:
			return nil, nil, err
		default:
			scores = append(scores, raw)
		}
	}
	return scores, none, nil
}

func printScore(out io.Writer, title string, s dataset.Score) {
	fmt.Fprintf(out, "%s %s  得分 %s  等级 %s\n", s.Dataset, clean(title), percent(s.Total), s.Grade)
	state := map[string]string{"anchored": "已上链 " + onChain(s.Index), "pending": "待上链", "refused": "链上拒绝", "unkept": "现算，未保存"}[s.State]
	fmt.Fprintf(out, "%s 条，截至 %s；规则第 %d 版，权重 %s；%s\n", count(s.Rows), moment(s.Through), s.Ruleset, s.Weights, orDash(state))
	width := 0
	for _, d := range s.Dimensions {
		width = max(width, uniseg.StringWidth(d.Title))
	}
	for _, d := range s.Dimensions {
		name := d.Title + strings.Repeat(" ", width-uniseg.StringWidth(d.Title))
		if !d.Applicable || d.X == nil {
			fmt.Fprintf(out, "  %s  不适用\n", name)
			continue
		}
		fmt.Fprintf(out, "  %s  %s %6s  权重 %s\n", name, bar(*d.X), percent(*d.X), weightOf(d))
	}
	printParts(out, s, width)
	printWorst(out, s)
}

// printWorst lists the indicators furthest from full marks.
func printWorst(out io.Writer, s dataset.Score) {
	var worst []dataset.Indicator
	for _, d := range s.Dimensions {
		for _, i := range d.Indicators {
			if i.Applicable && i.X != nil && *i.X < 1 {
				worst = append(worst, i)
			}
		}
	}
	if len(worst) == 0 {
		fmt.Fprintln(out, "  各指标均满分 / every indicator is full")
		return
	}
	slices.SortStableFunc(worst, func(a, b dataset.Indicator) int { return cmp.Compare(*a.X, *b.X) })
	t := newTable("  最低的指标", "~名称", ">A 合格", ">B 应判定", ">X")
	for _, i := range worst[:min(len(worst), worstShown)] {
		t.add("  "+i.Code, i.Title, count(i.A), count(i.B), percent(*i.X))
	}
	t.write(out)
}
