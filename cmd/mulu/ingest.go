package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/dataset"
)

func newIngest() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{Use: "ingest", Short: "归集：进度、问题数据、更正与对账 / the way in: progress, rejected rows, corrections, reconciliation"}
	f.add(c)
	c.AddCommand(newIngestStatus(&f), newIngestRejects(&f), newIngestReplay(&f), newIngestBatches(&f), newIngestWithdraw(&f), newIngestWithdrawals(&f),
		newIngestPause(&f), newIngestResume(&f), newIngestHolds(&f), newIngestRelease(&f), newIngestAccept(&f), newIngestSkip(&f), newIngestNotices(&f),
		newReconcile(&f), newStatements(&f), newIngestWays(&f), newIngestPull(&f), newIngestNil(&f), newIngestFile(&f), newIngestTemplate(&f), newIngestSubmissions(&f))
	return c
}

func newIngestRejects(f *clientFlags) *cobra.Command {
	var asJSON bool
	var limit int
	q := struct{ dataset, class, rule, field, state, text, cursor string }{}
	c := &cobra.Command{
		Use:   "rejects",
		Short: "问题数据清单 / rejected rows",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 || limit > 500 {
				return usageError{fmt.Errorf("--limit 应在 1 到 500 之间 / want 1 to 500")}
			}
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			v := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, s := range map[string]string{"dataset": q.dataset, "class": q.class, "rule": q.rule, "field": q.field, "state": q.state, "text": q.text, "cursor": q.cursor} {
				if s != "" {
					v.Set(name, s)
				}
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/rejects", v, &raw); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), raw)
			}
			var page dataset.RejectPage
			if err := json.Unmarshal(raw, &page); err != nil {
				return fmt.Errorf("read rejects: %w", err)
			}
			printRejects(c.OutOrStdout(), page)
			return nil
		},
	}
	c.Flags().StringVar(&q.dataset, "dataset", "", "数据集代码 / dataset")
	c.Flags().StringVar(&q.class, "class", "", "类别 / class")
	c.Flags().StringVar(&q.rule, "rule", "", "规则编号 / rule")
	c.Flags().StringVar(&q.field, "field", "", "数据项 / field")
	c.Flags().StringVar(&q.state, "state", "", "状态 open|draft|closed|withdrawn，缺省全部 / state, default all")
	c.Flags().StringVar(&q.text, "text", "", "原文、键或原因中的文字 / text in the original, key or reason")
	c.Flags().StringVar(&q.cursor, "cursor", "", "上一页给出的位置 / where the page before ended")
	c.Flags().IntVar(&limit, "limit", 20, "最多几条，1–500 / at most")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printRejects(out io.Writer, page dataset.RejectPage) {
	t := newTable("数据集", ">分区", ">位置", ">行", "状态", "类别", "规则", "数据项", "~原因", "~原值")
	for _, r := range page.Items {
		value := "（无权查看）"
		if !r.Masked {
			value = original(r.Value)
		}
		t.add(r.Dataset, strconv.Itoa(int(r.Partition)), count(r.Offset), strconv.Itoa(int(r.Row)), rejectStates[string(r.State)], r.Class, orDash(r.Rule), orDash(r.Field), r.Reason, value)
	}
	if t.empty() {
		fmt.Fprintln(out, "没有符合条件的问题数据 / none")
		return
	}
	t.write(out)
	fmt.Fprintf(out, "\n共 %s 条，列出 %d 条\n", count(page.Total), len(page.Items))
	if page.Next != "" {
		fmt.Fprintf(out, "下一页 / next: --cursor %s\n", clean(page.Next))
	}
}

// original shows raw bytes; what is no text is shown as their number.
func original(b64 string) string {
	b, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return b64
	}
	return cut(clean(string(b)), 120)
}
