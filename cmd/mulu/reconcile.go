package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/ingest"
)

const reconciliations = "/v1/ingest/reconciliations"

// verdicts are what the API's words mean.
var verdicts = map[string]string{
	"even": "平", "in_flight": "在途", "purged": "源端已清除", "rebuilt": "源端已重建", "unread": "未核", "uneven": "不平",
}

func newReconcile(f *clientFlags) *cobra.Command {
	var asJSON bool
	var dataset, csvFile, span string
	var whole bool
	c := &cobra.Command{
		Use:   "reconcile",
		Short: "对账：源端与落地两边的条数与摘要 / compare source and library, both sides",
		Long: `不给 --all 时只核对上次之后的新数据和尚未平的部分。
不平或未核时退出码为 1。--csv 另存双边表。
Without --all, what is new since the last time and what did not agree then. Exits 1 when it does not balance.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ask, err := askOf(dataset, span, whole)
			if err != nil {
				return err
			}
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			var run ingest.ReconcileRun
			if err := cl.post(c.Context(), reconciliations, ask, &run); err != nil {
				return err
			}
			raw, answer, err := awaitStatement(c.Context(), cl, run.Id, c.ErrOrStderr())
			if err != nil {
				return err
			}
			if csvFile != "" {
				if err := saveStatement(c.Context(), cl, run.Id, csvFile); err != nil {
					return err
				}
			}
			if asJSON {
				if err := printJSON(c.OutOrStdout(), raw); err != nil {
					return err
				}
			} else {
				printStatement(c.OutOrStdout(), answer.Statement)
			}
			return balanced(answer.Statement)
		},
	}
	c.Flags().StringVar(&dataset, "dataset", "", "数据集代码，默认全部 / dataset, default all")
	c.Flags().BoolVar(&whole, "all", false, "从头核对 / from the first offset")
	c.Flags().StringVar(&span, "range", "", "只核对这些位点所在的批次，形如 100-200 / the batches of these offsets")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	c.Flags().StringVar(&csvFile, "csv", "", "双边表另存为文件 / save the two-sided table")
	return c
}

func askOf(dataset, span string, whole bool) (ingest.ReconcileAsk, error) {
	ask := ingest.ReconcileAsk{All: &whole}
	if dataset != "" {
		ask.Dataset = &dataset
	}
	if span == "" {
		return ask, nil
	}
	from, to, ok := strings.Cut(span, "-")
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	if !ok || err1 != nil || err2 != nil || last < first || whole {
		return ask, usageError{fmt.Errorf("--range %q 应形如 100-200，且不与 --all 同用 / want first-last, without --all", span)}
	}
	ask.From, ask.To = &first, &last
	return ask, nil
}

// awaitStatement shows the progress until the statement is there.
func awaitStatement(ctx context.Context, cl *client, id string, out io.Writer) (raw []byte, a ingest.StatementAnswer, err error) {
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("对账 / reconciling"),
		progressbar.OptionShowCount(), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetVisibility(terminalWidth(out) > 0))
	defer bar.Finish() //nolint:errcheck // it only draws
	for {
		raw, a = nil, ingest.StatementAnswer{}
		if err := cl.get(ctx, reconciliations+"/"+url.PathEscape(id), nil, &raw); refused(err, http.StatusNotFound) {
			return nil, a, fmt.Errorf("对账 %s 已中断（mulu 可能重新启动过），请重新执行 / the run was lost, run it again: %w", id, err)
		} else if err != nil {
			return nil, a, err
		}
		if err := json.Unmarshal(raw, &a); err != nil {
			return nil, a, fmt.Errorf("read statement: %w", err)
		}
		switch {
		case a.Statement != nil:
			return raw, a, nil
		case a.State == ingest.StatementAnswerStateFailed:
			return nil, a, fmt.Errorf("对账没有完成：%s / reconciliation failed", a.Run.Error)
		case a.Run != nil && a.Run.Total > 0:
			bar.ChangeMax64(a.Run.Total)
			bar.Set64(a.Run.Done) //nolint:errcheck // it only draws
		}
		select {
		case <-ctx.Done():
			return nil, a, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func saveStatement(ctx context.Context, cl *client, id, file string) error {
	format := "csv"
	if strings.HasSuffix(strings.ToLower(file), ".xlsx") {
		format = "xlsx"
	}
	var body []byte
	if err := cl.get(ctx, reconciliations+"/"+url.PathEscape(id)+"/file", url.Values{"format": {format}}, &body); err != nil {
		return err
	}
	if err := os.WriteFile(file, body, 0o600); err != nil {
		return fmt.Errorf("write statement: %w", err)
	}
	return nil
}

// balanced is an error unless both sides agree, as far as they could be compared.
func balanced(s *ingest.Statement) error {
	switch s.Verdict {
	case ingest.Uneven:
		return fmt.Errorf("对账单 %s 不平，请按差异位点查明 / source and library do not agree", s.Id)
	case ingest.Unread:
		return fmt.Errorf("对账单 %s 有未能从源端读取的部分 / a part of the source could not be read", s.Id)
	}
	return nil
}

func printStatement(out io.Writer, s *ingest.Statement) {
	fmt.Fprintf(out, "对账单 %s  %s  %s – %s\n", clean(s.Id), wordFor(string(s.Verdict), verdicts), moment(s.Started), moment(s.Finished))
	fmt.Fprintf(out, "摘要 %s\n\n", clean(s.Digest))
	lines := newTable("数据集", ">分区", ">起", ">止", "结论", ">源端记录", ">应入库", ">应拒收", ">应得行", ">落地记录", ">入库", ">问题数据", ">行", ">在途", "~说明")
	for _, l := range s.Lines {
		lines.add(l.Dataset, strconv.Itoa(int(l.Partition)), count(l.From), count(l.To), wordFor(string(l.Verdict), verdicts),
			count(l.Source.Records), count(l.Source.Good), count(l.Source.Rejected), count(l.Source.Rows),
			count(l.Landed.Records), count(l.Landed.Good), count(l.Landed.Rejected), count(l.Landed.Rows), count(l.Waiting), strings.Join(l.Notes, "；"))
	}
	if lines.empty() {
		fmt.Fprintln(out, "没有需要核对的新数据 / nothing new to compare")
		return
	}
	lines.write(out)
	printDifferences(out, s)
	if s.Rest {
		fmt.Fprintln(out, "\n读取量已到上限，余下的下一轮核对 / the rest is the next turn's")
	}
}

func printDifferences(out io.Writer, s *ingest.Statement) {
	t := newTable("数据集", ">分区", ">批次首位", ">末位", "差异", ">位点", "~说明")
	var more int64
	for _, l := range s.Lines {
		more += l.More
		for _, b := range l.Differing {
			more += b.More
			for _, d := range b.Differences {
				at, note := count(d.Offset), d.Note
				if d.Last != d.Offset {
					at += "–" + count(d.Last)
				}
				if d.Row > 0 {
					note += fmt.Sprintf(" 第 %d 行", d.Row)
				}
				if len(d.Fields) > 0 {
					note += " 字段 " + strings.Join(d.Fields, "、")
				}
				t.add(l.Dataset, strconv.Itoa(int(l.Partition)), count(b.First), count(b.Last), d.Title, at, orDash(strings.TrimSpace(note)))
			}
		}
	}
	if t.empty() {
		return
	}
	fmt.Fprintln(out)
	t.write(out)
	if more > 0 {
		fmt.Fprintf(out, "另有 %s 处未列出 / more are not listed\n", count(more))
	}
}

func newStatements(f *clientFlags) *cobra.Command {
	var asJSON bool
	var limit int
	q := struct{ dataset, verdict, cursor string }{}
	c := &cobra.Command{
		Use:   "statements [对账单编号]",
		Short: "对账单清单，或一张对账单 / statements, or one of them",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			path, v := reconciliations, url.Values{"limit": {strconv.Itoa(limit)}}
			for name, s := range map[string]string{"dataset": q.dataset, "verdict": q.verdict, "cursor": q.cursor} {
				if s != "" {
					v.Set(name, s)
				}
			}
			if len(args) == 1 {
				path, v = path+"/"+url.PathEscape(args[0]), nil
			}
			var raw []byte
			if err := cl.get(c.Context(), path, v, &raw); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), raw)
			}
			if len(args) == 1 {
				return printOne(c.OutOrStdout(), raw)
			}
			return printStatements(c.OutOrStdout(), raw)
		},
	}
	c.Flags().StringVar(&q.dataset, "dataset", "", "数据集代码 / dataset")
	c.Flags().StringVar(&q.verdict, "verdict", "", "结论 even|in_flight|purged|rebuilt|unread|uneven / verdict")
	c.Flags().StringVar(&q.cursor, "cursor", "", "上一页给出的位置 / where the page before ended")
	c.Flags().IntVar(&limit, "limit", 20, "最多几张 / at most")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printOne(out io.Writer, raw []byte) error {
	var a ingest.StatementAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("read statement: %w", err)
	}
	if a.Statement == nil {
		fmt.Fprintf(out, "对账 %s：已核对 %s / %s 个位点 %s\n", clean(a.Run.Id), count(a.Run.Done), count(a.Run.Total), clean(a.Run.Error))
		return nil
	}
	printStatement(out, a.Statement)
	return nil
}

func printStatements(out io.Writer, raw []byte) error {
	var page ingest.StatementPage
	if err := json.Unmarshal(raw, &page); err != nil {
		return fmt.Errorf("read statements: %w", err)
	}
	t := newTable("对账单", "完成", "结论", "发起", ">数据集", ">源端记录", ">落地记录", ">在途")
	for _, s := range page.Items {
		var source, landed, waiting int64
		for _, d := range s.Datasets {
			source, landed, waiting = source+d.Source.Records, landed+d.Landed.Records, waiting+d.Waiting
		}
		who := s.Actor
		if who == "" {
			who = "定时"
		}
		t.add(s.Id, moment(s.Finished), wordFor(string(s.Verdict), verdicts), who, strconv.Itoa(len(s.Datasets)), count(source), count(landed), count(waiting))
	}
	if t.empty() {
		fmt.Fprintln(out, "还没有对账单；可执行 mulu ingest reconcile / none yet")
	} else {
		t.write(out)
	}
	if len(page.Open) > 0 {
		fmt.Fprintf(out, "\n目前未平的范围 / open differences\n")
		open := newTable("数据集", ">分区", ">首位", ">末位", "自", "对账单")
		for _, o := range page.Open {
			open.add(o.Dataset, strconv.Itoa(int(o.Partition)), count(o.First), count(o.Last), moment(o.Since), o.Statement)
		}
		open.write(out)
	}
	if page.Next != "" {
		fmt.Fprintf(out, "\n下一页 / next: --cursor %s\n", clean(page.Next))
	}
	return nil
}
