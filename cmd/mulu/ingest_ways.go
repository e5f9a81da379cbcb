package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/submission"
)

func newIngestWays(f *clientFlags) *cobra.Command {
	var asJSON bool
	var dataset string
	c := &cobra.Command{
		Use: "ways", Short: "报送方式：何时取、最近一次、下一次、是否逾期 / how datasets are delivered", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/ways", nil, &raw); err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, func(out io.Writer, list []submission.Way) { printWays(out, list, dataset) })
		},
	}
	c.Flags().StringVar(&dataset, "dataset", "", "数据集代码 / dataset")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printWays(out io.Writer, list []submission.Way, dataset string) {
	t := newTable("数据集", "方式", "何时", "最近一次", "结果", ">行", ">问题", "下一次", "~来源")
	trouble := newTable("未成或逾期", "|情况")
	for _, w := range list {
		if dataset != "" && w.Dataset != dataset {
			continue
		}
		last, state, rows, rejected := "—", "—", "—", "—"
		if s := w.Last; s != nil {
			last, state, rows, rejected = minute(s.OpenedAt), submissionStates[string(s.State)], count(s.Rows), count(s.Rejected)
		}
		switch {
		case w.Running:
			state = "抽取中"
		case w.Paused:
			state = "暂停"
		}
		next := "—"
		if w.Next != nil {
			next = minute(*w.Next)
		}
		var about []string
		if w.Behind != nil && *w.Behind > 0 {
			about = append(about, "落后 "+span(time.Duration(*w.Behind)*time.Second))
		}
		if w.Failure != nil {
			about = append(about, *w.Failure)
		}
		kind := wordFor(string(w.Kind), wayWords) + " " + w.Name
		if len(about) > 0 {
			trouble.add(w.Dataset+" "+kind, strings.Join(about, "；"))
		}
		t.add(w.Dataset, kind, orDash(w.Schedule), last, state, rows, rejected, next, orDash(w.Source))
	}
	if t.empty() {
		fmt.Fprintln(out, "没有声明 Kafka 以外的报送方式 / none")
		return
	}
	t.write(out)
	if !trouble.empty() {
		fmt.Fprintln(out)
		trouble.write(out)
	}
}

// submissionStates are the states of a submission as people know them.
var submissionStates = map[string]string{"open": "发送中", "sent": "待入库", "landed": "入库完成", "refused": "未接收"}

func newIngestPull(f *clientFlags) *cobra.Command {
	var agree, noWait bool
	c := &cobra.Command{
		Use: "pull 数据集 [名称]", Example: "  mulu ingest pull resident\n  mulu ingest pull resident nightly --agree-deletions", Short: "现在就抽取一个库表（前置库）/ pull a table of an exchange database now",
		Long: `不等时刻、不论时段，现在就抽取；名称缺省为 main。--agree-deletions 同意全量比对删除超过上限的行。
Pulls now, whatever the schedule and the hours; the name is main by default.
--agree-deletions lets a comparison delete more rows than its limit.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, a []string) error {
			name := "main"
			if len(a) > 1 {
				name = a[1]
			}
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			path := "/v1/ways/" + url.PathEscape(a[0]) + "/table/" + url.PathEscape(name) + "/run"
			if err := cl.post(c.Context(), path, map[string]bool{"agree_deletions": agree}, nil); err != nil {
				return err
			}
			if noWait {
				fmt.Fprintf(c.OutOrStdout(), "数据集 %s 的库表 %s 将在数秒内抽取，进展见 mulu ingest ways\n", a[0], name)
				return nil
			}
			return waitPull(c.Context(), cl, c.OutOrStdout(), a[0], name)
		},
	}
	c.Flags().BoolVar(&agree, "agree-deletions", false, "同意删除超过上限的行 / agree to more deletions than the limit")
	c.Flags().BoolVar(&noWait, "no-wait", false, "不等完成 / do not wait for the end")
	return c
}

// waitPull waits until the pull is over and prints what became of it.
func waitPull(ctx context.Context, cl *client, out io.Writer, dataset, name string) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
		var list []submission.Way
		if err := cl.get(ctx, "/v1/ways", nil, &list); err != nil {
			return err
		}
		for _, w := range list {
			if w.Dataset != dataset || string(w.Kind) != "table" || w.Name != name || w.Asked || w.Running {
				continue
			}
			if w.Failure != nil {
				return fmt.Errorf("%s", strings.TrimSpace(*w.Failure))
			}
			if s := w.Last; s != nil {
				fmt.Fprintf(out, "报送 %s：%s，发送 %s 行\n", s.Id, submissionStates[string(s.State)], count(s.Rows))
			} else {
				fmt.Fprintln(out, "没有可取的 / nothing was there to be taken")
			}
			return nil
		}
	}
}
