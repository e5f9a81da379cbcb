package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulu/internal/app/labelled"
	"mulu/internal/clock"
	"mulu/quality/suggest"
)

func newQualitySuggest(f *clientFlags) *cobra.Command {
	l := lookFlags{clientFlags: f}
	var measure bool
	var o labelled.Options
	var asOf, draft string
	var adopt []int
	c := &cobra.Command{
		Use:   "suggest 数据集|文件",
		Short: "规则建议及其依据 / rules that the data speaks for",
		Long: `先探查，再提出规则：依据、把握、现在会查出的行、强弱和指标。已声明的不再提出。由人决定是否采用。
--measure 用带真值标注的演示区衡量：不看任何声明，只看源记录提出规则，给出每种问题的查准率和查全率，并与已声明的规则并列。
Profiles, then proposes rules: why, how sure, what each would find now. --measure holds the suggestions, made from the raw
records alone, against the ground truth of the synthetic district: precision and recall per kind of dirt.`,
		Args: func(c *cobra.Command, args []string) error {
			if measure {
				return cobra.NoArgs(c, args)
			}
			return cobra.ExactArgs(1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if measure {
				return runMeasure(c.Context(), c.OutOrStdout(), o, l.seed, asOf, l.asJSON)
			}
			if len(adopt) > 0 {
				return adoptSuggestions(c.Context(), c.OutOrStdout(), f, args[0], adopt, draft)
			}
			_, list, err := l.look(c.Context(), args[0], c.ErrOrStderr())
			if err != nil {
				return err
			}
			if l.asJSON {
				return printValue(c.OutOrStdout(), append([]suggest.Suggestion{}, list...))
			}
			printSuggestions(c.OutOrStdout(), list)
			return nil
		},
	}
	l.add(c)
	c.Flags().IntSliceVar(&adopt, "adopt", nil, "采用上次所列的这几条，加入规则草稿 / add these of the last list to a draft of rules")
	c.Flags().StringVar(&draft, "draft", "", "--adopt：加入这份草稿，默认新建 / of --adopt: this draft, default a new one")
	c.Flags().BoolVar(&measure, "measure", false, "用演示区的真值标注衡量 / measure on the labelled district")
	c.Flags().Float64Var(&o.Scale, "scale", 0.01, "--measure：演示区的规模 / of --measure: scale of the district")
	c.Flags().StringVar(&asOf, "as-of", time.Now().Format(time.DateOnly), "--measure：数据截至哪一天 / of --measure: the day")
	return c
}

// adoptSuggestions puts suggestions of the last profile into one draft.
func adoptSuggestions(ctx context.Context, out io.Writer, f *clientFlags, code string, list []int, draft string) error {
	cl, err := f.dial(ctx, "steward")
	if err != nil {
		return err
	}
	for _, n := range list {
		var d struct {
			ID    string
			Rules []any
			Sets  []any `json:"set_rules"`
		}
		if err := cl.post(ctx, fmt.Sprintf("/v1/datasets/%s/suggestions/%d/adopt", url.PathEscape(code), n), map[string]string{"draft": draft}, &d); err != nil {
			return err
		}
		draft = d.ID
		fmt.Fprintf(out, "第 %d 条已加入规则草稿 %s，共 %d 条规则 / added\n", n, d.ID, len(d.Rules)+len(d.Sets))
	}
	return nil
}

// sourceWords say what a suggestion rests on.
var sourceWords = map[suggest.Source]string{
	suggest.FromChecksum: "校验", suggest.FromCodes: "代码表", suggest.FromRelation: "数据项之间", suggest.FromReference: "数据集之间", suggest.FromKey: "唯一",
	suggest.FromDates: "日期", suggest.FromFilled: "填写率", suggest.FromShape: "格式", suggest.FromValues: "取值", suggest.FromStatistics: "统计",
}

func printSuggestions(out io.Writer, list []suggest.Suggestion) {
	if len(list) == 0 {
		fmt.Fprintln(out, "没有新的建议：数据能说明的规则都已声明 / nothing new to suggest")
		return
	}
	t := newTable(">#", "规则", "~名称", "强弱", "指标", "把握", ">会查出", "依据", "|说明")
	for _, s := range list {
		says := s.Why
		if p := params(s); p != "" {
			says += "；" + p
		}
		found := count(s.Failing)
		if !s.Exact && s.Failing > 0 {
			found = "≈" + found
		}
		t.add(fmt.Sprint(s.N), s.Kind, s.Title, map[bool]string{true: "强", false: "弱"}[s.Blocking], s.Indicator, bar(s.Confidence), found, wordFor(string(s.Source), map[string]string{string(s.Source): sourceWords[s.Source]}), says)
	}
	t.write(out)
}

// params writes a rule's parameters and condition.
func params(s suggest.Suggestion) string {
	var out []string
	for k, v := range s.Params {
		out = append(out, k+": "+v)
	}
	slices.Sort(out)
	if s.When != "" {
		out = append(out, "when: "+s.When)
	}
	return strings.Join(out, "，")
}

func runMeasure(ctx context.Context, out io.Writer, o labelled.Options, seed uint64, asOf string, asJSON bool) error {
	if o.Scale <= 0 || o.Scale > 0.2 {
		return usageError{fmt.Errorf("--scale 应大于 0 且不超过 0.2（全部记录在内存中）/ above 0, at most 0.2")}
	}
	var err error
	if o.AsOf, err = time.ParseInLocation(time.DateOnly, asOf, clock.Shanghai); err != nil {
		return usageError{fmt.Errorf("--as-of 应为 YYYY-MM-DD / want YYYY-MM-DD: %w", err)}
	}
	o.AsOf = o.AsOf.Add(12 * time.Hour)
	o.Seed, o.Progress = seed, newProgress(os.Stderr)
	r, err := labelled.Measure(ctx, o)
	if err != nil {
		return err
	}
	if asJSON {
		return printValue(out, r)
	}
	printMeasure(out, r)
	return nil
}

func printMeasure(out io.Writer, r *labelled.Report) {
	fmt.Fprintf(out, "种子 %d，规模 %g，截至 %s / seed, scale, as of\n", r.Seed, r.Scale, r.AsOf)
	for _, d := range r.Datasets {
		fmt.Fprintf(out, "\n%s：%s 行，其中 %s 行有问题\n", d.Dataset, count(d.Rows), count(d.Dirty))
		t := newTable("问题种类", ">处", ">建议查全", ">建议查准", ">声明查全", ">声明查准", "~由哪些建议查出")
		for _, k := range d.Kinds {
			t.add(k.Kind, count(k.Labels), percent(k.Suggested.Recall), precision(k.Suggested.Precision), percent(k.Declared.Recall), precision(k.Declared.Precision), orDash(strings.Join(k.Suggested.By, " ")))
		}
		t.add("合计", count(d.Suggested.Labels), percent(d.Suggested.Recall), percent(d.Suggested.Precision), percent(d.Declared.Recall), percent(d.Declared.Precision), "")
		t.write(out)
	}
}

func precision(p *float64) string {
	if p == nil {
		return "—"
	}
	return percent(*p)
}
