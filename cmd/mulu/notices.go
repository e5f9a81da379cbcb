package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/share"
)

func newShareNotices(f *clientFlags) *cobra.Command {
	var seen string
	var unseen, asJSON bool
	c := &cobra.Command{
		Use:   "notices",
		Short: "撤回通知：取用过的数据被撤回 / notices of data taken back after it was read",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.dial(c.Context(), "street")
			if err != nil {
				return err
			}
			if seen != "" {
				var n share.Notice
				if err := cl.do(c.Context(), http.MethodPost, "/v1/share/notices/"+url.PathEscape(seen)+"/seen", nil, &n); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "已确认 %s（%s，%s）\n", clean(n.Id), clean(n.SeenBy), momentOr(n.SeenAt))
				return nil
			}
			q := url.Values{}
			if unseen {
				q.Set("unseen", "true")
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/share/notices", q, &raw); err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, printNotices)
		},
	}
	c.Flags().BoolVar(&unseen, "unseen", false, "只列尚未确认的 / only those not yet seen")
	c.Flags().StringVar(&seen, "seen", "", "确认已知悉这份通知 / mark this notice as seen")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printNotices(out io.Writer, list []share.Notice) {
	for i, n := range list {
		if i > 0 {
			fmt.Fprintln(out)
		}
		state := "未确认"
		if n.SeenAt != nil {
			state = fmt.Sprintf("%s 于 %s 确认", n.SeenBy, moment(*n.SeenAt))
		}
		fmt.Fprintf(out, "%s  %s  %s\n", clean(n.Id), moment(n.At), clean(state))
		fmt.Fprintf(out, "授权 %s（%s）  数据集 %s %s  批次 %s\n理由：%s\n", clean(n.Grant), clean(n.OrgName), clean(n.Dataset), clean(n.DatasetTitle), clean(n.Batch), clean(n.Reason))
		fmt.Fprintf(out, "其间取数 %s 次、%s 行（%s 至 %s）：%s\n", count(n.Reads), count(n.Rows), moment(n.FirstReadAt), moment(n.LastReadAt), clean(cut(strings.Join(n.Receipts, "、"), 200)))
	}
	if len(list) == 0 {
		fmt.Fprintln(out, "没有撤回通知 / no notices")
	}
}
