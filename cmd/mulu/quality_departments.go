package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/quality"
)

func newQualityDepartments(f *clientFlags) *cobra.Command {
	var period, org string
	var asJSON bool
	c := &cobra.Command{
		Use:   "departments",
		Short: "各单位质量得分 / scores of departments",
		Long: `单位得分 = Σ(数据集得分×权重) ÷ Σ权重，公式随权重方案；逾期未更新另扣并单列。排名只在方案开启排名通报时显示。
A department's score is the weighted mean over its datasets; deductions are lines of their own. Ranks are shown only if the scheme says so.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			if org != "" {
				return departmentReport(c.Context(), cl, c.OutOrStdout(), org, period, asJSON)
			}
			return departmentList(c.Context(), cl, c.OutOrStdout(), period, asJSON)
		},
	}
	c.Flags().StringVar(&period, "period", "", "月份，如 2026-10，默认本月 / month, default this one")
	c.Flags().StringVar(&org, "org", "", "一个单位的统一社会信用代码，看其数据集和走势 / one organisation in detail")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func departmentList(ctx context.Context, cl *client, out io.Writer, period string, asJSON bool) error {
	var list quality.DepartmentScores
	if err := cl.get(ctx, "/v1/quality/departments", monthQuery(period), &list); err != nil {
		return err
	}
	if asJSON {
		return printValue(out, list)
	}
	ranked := false
	for _, d := range list.Departments {
		ranked = ranked || d.Rank != nil
	}
	heads := []string{"单位", "~名称", ">数据集", "", ">得分", "等级", ">比上期"}
	if ranked {
		heads = append(heads, ">名次")
	}
	t := newTable(heads...)
	for _, d := range list.Departments {
		row := []string{d.Org, d.Name, strconv.Itoa(d.Datasets), bar(d.Final), percent(d.Final), d.Grade, changeOf(d.Change)}
		if d.Rank != nil {
			row = append(row, strconv.Itoa(*d.Rank))
		}
		t.add(row...)
	}
	fmt.Fprintf(out, "%s  权重 %s\n%s\n\n", list.Period, list.Weights, clean(list.Formula))
	if t.empty() {
		fmt.Fprintln(out, "还没有单位的数据集评过分 / no department has a score yet")
		return nil
	}
	t.write(out)
	for _, d := range list.Departments {
		for _, x := range d.Deductions {
			fmt.Fprintf(out, "扣分：%s %s −%s\n", clean(d.Name), clean(x.Reason), percent(x.Points))
		}
	}
	return nil
}

// changeOf prints a difference in points, "—" without anything to differ from.
func changeOf(x *float64) string {
	switch {
	case x == nil:
		return "—"
	case *x > 0:
		return "+" + percent(*x)
	}
	return percent(*x)
}

func departmentReport(ctx context.Context, cl *client, out io.Writer, org, period string, asJSON bool) error {
	var r quality.DepartmentReport
	if err := cl.get(ctx, "/v1/quality/departments/"+url.PathEscape(org), monthQuery(period), &r); err != nil {
		return err
	}
	if asJSON {
		return printValue(out, r)
	}
	fmt.Fprintf(out, "%s  %s  得分 %s  等级 %s  比上期 %s\n%s\n", r.Period, clean(r.Score.Name), percent(r.Score.Final), r.Score.Grade, changeOf(r.Score.Change), clean(r.Score.Formula))
	for _, x := range r.Score.Deductions {
		fmt.Fprintf(out, "扣分：%s −%s\n", clean(x.Reason), percent(x.Points))
	}
	fmt.Fprintln(out)
	t := newTable("数据集", "~名称", "", ">得分", "等级", ">逾期", ">调用", ">权重", "|权重算式")
	for _, d := range r.Datasets {
		t.add(d.Code, d.Title, bar(d.Total), percent(d.Total), d.Grade, strconv.FormatInt(d.Overdue, 10), count(d.Reads), digits(d.Weight, 6), d.Formula)
	}
	t.write(out)
	if len(r.Score.Trend) > 1 {
		first, last := r.Score.Trend[0], r.Score.Trend[len(r.Score.Trend)-1]
		fmt.Fprintf(out, "\n每日走势 %d 天：%s → %s  %s\n", len(r.Score.Trend), percent(first.Total), percent(last.Total), course(r.Score.Trend))
	}
	return nil
}

// course draws daily points between their least and their greatest.
func course(list []quality.TrendPoint) string {
	low, high := list[0].Total, list[0].Total
	for _, p := range list {
		low, high = min(low, p.Total), max(high, p.Total)
	}
	const marks = "▁▂▃▄▅▆▇█"
	var out strings.Builder
	for _, p := range list {
		at := 0
		if high > low {
			at = int((p.Total - low) / (high - low) * 7)
		}
		out.WriteRune([]rune(marks)[at])
	}
	return out.String()
}
