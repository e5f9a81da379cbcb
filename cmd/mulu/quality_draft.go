package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/quality"
)

const ruleDrafts = "/v1/quality/drafts"

func newQualityDraft(f *clientFlags) *cobra.Command {
	c := &cobra.Command{Use: "draft", Short: "规则草稿：查看、历史试跑、启用 / drafts of rules"}
	c.AddCommand(newDraftList(f), newDraftShow(f), newDraftBacktest(f), newDraftActivate(f))
	return c
}

func newDraftList(f *clientFlags) *cobra.Command {
	var dataset string
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "列出草稿 / list drafts", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			var list []quality.RuleDraftRow
			if err := cl.get(c.Context(), ruleDrafts, url.Values{"dataset": {dataset}}, &list); err != nil {
				return err
			}
			if asJSON {
				return printValue(c.OutOrStdout(), list)
			}
			t := newTable("编号", "数据集", "所改版本", "状态", "标题", "起草", "修改于")
			for _, d := range list {
				t.add(d.Id, d.Dataset, fmt.Sprint(d.Base), draftStates[string(d.State)], clean(d.Title), d.Author, d.Changed.Local().Format("2006-01-02 15:04"))
			}
			t.write(c.OutOrStdout())
			return nil
		},
	}
	c.Flags().StringVar(&dataset, "dataset", "", "数据集代码，默认全部 / dataset, default all")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

var (
	draftStates = map[string]string{"open": "草稿", "activating": "启用中", "active": "已启用"}
	ruleChanges = map[string]string{"added": "新增", "changed": "修改", "dropped": "删除", "same": "不变"}
)

func newDraftShow(f *clientFlags) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "show DRAFT", Short: "一份草稿：错误、与现行规则的不同、试跑结果 / one draft", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			var d quality.RuleDraft
			if err := cl.get(c.Context(), ruleDrafts+"/"+url.PathEscape(args[0]), nil, &d); err != nil {
				return err
			}
			if asJSON {
				return printValue(c.OutOrStdout(), d)
			}
			printRuleDraft(c.OutOrStdout(), &d)
			var tried []quality.Backtest
			if err := cl.get(c.Context(), ruleDrafts+"/"+url.PathEscape(args[0])+"/backtest", nil, &tried); err != nil {
				return err
			}
			if len(tried) > 0 {
				printBacktest(c.OutOrStdout(), &tried[0])
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printRuleDraft(out io.Writer, d *quality.RuleDraft) {
	fmt.Fprintf(out, "%s  %s  %s  改版本 %d（生效 %d）  第 %d 次修改  %s\n", d.Id, d.Dataset, draftStates[string(d.State)], d.Base, d.Newest, d.Rev, clean(d.Title))
	if d.Base != d.Newest && d.State == "open" {
		fmt.Fprintln(out, "所改的版本已不是现在生效的，请先变基 / rebase first")
	}
	for _, x := range d.Faults {
		fmt.Fprintf(out, "错误 / fault  %s %s：%s\n", x.Rule, x.Field, clean(x.Message))
	}
	t := newTable("规则", "标题", "变动", "字段")
	for _, x := range d.Diff {
		t.add(x.Rule, clean(x.Title), ruleChanges[string(x.Change)], fmt.Sprint(x.Fields))
	}
	if !t.empty() {
		t.write(out)
	}
}

func printBacktest(out io.Writer, b *quality.Backtest) {
	if b.Result == nil {
		fmt.Fprintf(out, "历史试跑 %s：%s %d/%d %s\n", b.Id, b.State, b.Rows, b.Total, b.Error)
		return
	}
	r := b.Result
	fmt.Fprintf(out, "历史试跑 %s：%d 行，强规则会挡下 %d 行（其中新增 %d 行） / rows, rejected, newly rejected\n", b.Id, r.Rows, r.Rejected, r.NewRejected)
	t := newTable("规则", "变动", "判断", "不合格", "现行不合格", "新增", "不再", "仍")
	for _, x := range r.Rules {
		if x.Change == "same" && x.New == 0 && x.Mended == 0 {
			continue
		}
		t.add(x.Rule, ruleChanges[string(x.Change)], fmt.Sprint(x.Evaluated), fmt.Sprint(x.Failed), fmt.Sprint(x.FailedNow), fmt.Sprint(x.New), fmt.Sprint(x.Mended), fmt.Sprint(x.Same))
	}
	if !t.empty() {
		t.write(out)
	}
	printTriedSets(out, r.SetRules)
	printTriedScore(out, r.Score)
	fmt.Fprintln(out, r.Digest)
}

// printTriedSets lists the set rules that the draft changes or that come out otherwise.
func printTriedSets(out io.Writer, list []quality.BacktestSet) {
	word := func(r *quality.RuleResult) (verdict, count, observed string) {
		if r == nil {
			return "-", "-", "-"
		}
		if r.Observed != nil {
			observed = number(r.Observed)
		}
		return ruleVerdicts[r.Status].word, fmt.Sprintf("%d/%d", r.Failed, r.Evaluated), observed
	}
	t := newTable("数据集规则", "变动", "结果", "不合格", "度量", "现行结果", "现行不合格", "现行度量", "|说明")
	for i := range list {
		x := &list[i]
		if x.Change == "same" && x.Draft != nil && x.Draft.Status != "error" {
			continue
		}
		said, change := "", ruleChanges[string(x.Change)]
		if x.Draft != nil {
			said = x.Draft.Message
		}
		if x.Change == "changed" && x.Same {
			change += "，结果相同"
		}
		verdict, count, observed := word(x.Draft)
		verdictNow, countNow, observedNow := word(x.Now)
		t.add(x.Rule, change, verdict, count, observed, verdictNow, countNow, observedNow, clean(said))
	}
	if !t.empty() {
		t.write(out)
	}
}

// printTriedScore shows the total and each dimension now and under the draft, and what it
// can not foresee.
func printTriedScore(out io.Writer, s *quality.BacktestScore) {
	if s == nil {
		fmt.Fprintln(out, "得分变化：没有算出 / no score")
		return
	}
	fmt.Fprintf(out, "得分变化：现行 %.2f（%s） → 草稿 %.2f（%s），%+.2f / score now → under the draft\n", s.Now.Total*100, s.Now.Grade, s.Draft.Total*100, s.Draft.Grade, (s.Draft.Total-s.Now.Total)*100)
	points := func(x *float64) string {
		if x == nil {
			return "不适用"
		}
		return fmt.Sprintf("%.2f", *x*100)
	}
	t := newTable("维度", ">现行", ">草稿")
	for _, d := range s.Dimensions {
		t.add(d.Title, points(d.Now), points(d.Draft))
	}
	t.write(out)
	for _, c := range s.Draft.Caps {
		fmt.Fprintln(out, "草稿下："+clean(c))
	}
	for _, u := range s.Unforeseen {
		fmt.Fprintln(out, "未能预见："+clean(u))
	}
}

func newDraftBacktest(f *clientFlags) *cobra.Command {
	var ask quality.BacktestAsk
	var share float64
	var seed int64
	var asJSON bool
	c := &cobra.Command{
		Use: "backtest DRAFT", Short: "历史试跑，等到结束 / try it over history and wait", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			ask.Share, ask.Seed = &share, &seed
			path := ruleDrafts + "/" + url.PathEscape(args[0]) + "/backtest"
			var begun quality.Backtest
			if err := cl.post(c.Context(), path, ask, &begun); err != nil {
				return err
			}
			var b quality.Backtest
			err = await(c.Context(), c.ErrOrStderr(), "历史试跑 / backtest", func() (done, total int64, ended bool, err error) {
				var list []quality.Backtest
				if err := cl.get(c.Context(), path, nil, &list); err != nil {
					return 0, 0, false, err
				}
				for _, x := range list {
					if x.Id == begun.Id {
						b = x
					}
				}
				return b.Rows, b.Total, b.State != quality.BacktestStateRunning, nil
			})
			switch {
			case err != nil:
				return err
			case b.Result == nil:
				return fmt.Errorf("历史试跑没有完成：%s / the backtest failed", b.Error)
			case asJSON:
				return printValue(c.OutOrStdout(), b)
			}
			printBacktest(c.OutOrStdout(), &b)
			return nil
		},
	}
	c.Flags().Float64Var(&share, "share", 0, "抽样比例，默认全部 / share of the rows, default all")
	c.Flags().Int64Var(&seed, "seed", 0, "抽样种子 / which rows")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

// await asks until something has ended, and draws how far it is.
func await(ctx context.Context, out io.Writer, what string, ask func() (done, total int64, ended bool, err error)) error {
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetVisibility(terminalWidth(out) > 0))
	defer bar.Finish() //nolint:errcheck // it only draws
	for {
		done, total, ended, err := ask()
		if err != nil || ended {
			return err
		}
		if total > 0 {
			bar.ChangeMax64(total)
			bar.Set64(done) //nolint:errcheck // it only draws
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func newDraftActivate(f *clientFlags) *cobra.Command {
	var reason string
	var document bool
	c := &cobra.Command{
		Use: "activate DRAFT", Short: "启用草稿，成为数据集的下一版本 / put a draft in force", Args: cobra.ExactArgs(1),
		Long: `草稿的现有内容须先历史试跑。启用后打印新版本；--declaration 另打印数据集声明，请放回声明文件。
The draft must have been tried as it is. --declaration prints the dataset's declaration, to be put back into the files that declare it.`,
		RunE: func(c *cobra.Command, args []string) error {
			if reason == "" {
				return usageError{fmt.Errorf("请用 --reason 写明理由 / say why with --reason")}
			}
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			var d quality.RuleDraft
			path := ruleDrafts + "/" + url.PathEscape(args[0])
			if err := cl.get(c.Context(), path, nil, &d); err != nil {
				return err
			}
			var a quality.RuleActivation
			if err := cl.post(c.Context(), path+"/activate", quality.RuleActivationAsk{Rev: d.Rev, Reason: reason}, &a); refused(err, http.StatusConflict) {
				return fmt.Errorf("%w；用 mulu quality draft show 查看", err)
			} else if err != nil {
				return err
			}
			if document {
				fmt.Fprint(c.OutOrStdout(), a.Declaration)
				return nil
			}
			fmt.Fprintf(c.OutOrStdout(), "%s 版本 %d 已启用，历史随后重新判断 / in force, history is judged next\n", a.Draft.Dataset, a.Version)
			return nil
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "理由，必填 / why, required")
	c.Flags().BoolVar(&document, "declaration", false, "打印数据集声明 / print the declaration")
	return c
}

func newQualityJudge(f *clientFlags) *cobra.Command {
	var asJSON, look bool
	c := &cobra.Command{
		Use: "judge DATASET", Short: "把历史按现行规则重新判断 / judge history again", Args: cobra.ExactArgs(1),
		Long: `已入库的全部行按现行规则、以今天为准重新判断，等到结束。规则变更后会自动进行；--state 只看进度。
Every stored row is judged anew by the rules in force and today's date. It happens by itself after rules change.`,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			path := "/v1/datasets/" + url.PathEscape(args[0]) + "/judge"
			var s quality.HistoryState
			if !look {
				if err := cl.post(c.Context(), path, struct{}{}, &s); err != nil {
					return err
				}
			}
			err = await(c.Context(), c.ErrOrStderr(), "历史重判 / judging history", func() (done, total int64, ended bool, err error) {
				s = quality.HistoryState{}
				err = cl.get(c.Context(), path, nil, &s)
				return s.Rows, s.Total, look || s.State == quality.HistoryStateStateIdle || s.State == quality.HistoryStateStateFailed, err
			})
			switch {
			case err != nil:
				return err
			case asJSON:
				return printValue(c.OutOrStdout(), s)
			case s.State == quality.HistoryStateStateFailed:
				return fmt.Errorf("历史重判没有完成：%s / it failed", s.Error)
			}
			printHistory(c.OutOrStdout(), args[0], &s)
			return nil
		},
	}
	c.Flags().BoolVar(&look, "state", false, "只看进度 / only tell how far it is")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printHistory(out io.Writer, code string, s *quality.HistoryState) {
	if s.State != quality.HistoryStateStateIdle {
		fmt.Fprintf(out, "%s：%s %d/%d  %s\n", code, s.State, s.Rows, s.Total, s.Why)
	} else if s.Why != "" {
		fmt.Fprintf(out, "%s：待判：%s / due\n", code, s.Why)
	}
	if l := s.Last; l != nil {
		fmt.Fprintf(out, "%s：按版本 %d 的规则、以 %s 为今天，判断 %d 行，%d 行与入库时不同 / judged, differ\n", code, l.Version, l.AsOf.Local().Format(time.DateOnly), l.Rows, l.Differ)
	} else {
		fmt.Fprintf(out, "%s：历史未曾重新判断 / never judged again\n", code)
	}
}
