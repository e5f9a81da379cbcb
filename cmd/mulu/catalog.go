package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/catalog"
)

func newCatalog() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{Use: "catalog", Short: "目录：检索与查看 / the directory: search and show"}
	f.add(c)
	c.AddCommand(newCatalogSearch(&f), newCatalogShow(&f))
	return c
}

func newCatalogSearch(f *clientFlags) *cobra.Command {
	var provider string
	var limit, offset int
	var asJSON bool
	c := &cobra.Command{
		Use:   "search [词…]",
		Short: "检索目录；不给词则列出全部 / search, or list all",
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, words []string) error {
			if limit < 1 || limit > 500 || offset < 0 {
				return usageError{fmt.Errorf("--limit 应在 1 到 500 之间，--offset 不小于 0 / want --limit 1 to 500 and --offset 0 or more")}
			}
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			q := url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}}
			if len(words) > 0 {
				q.Set("q", strings.Join(words, " "))
			}
			if provider != "" {
				q.Set("provider", provider)
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/catalog/entries", q, &raw); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), raw)
			}
			var page catalog.EntryPage
			if err := json.Unmarshal(raw, &page); err != nil {
				return fmt.Errorf("read entries: %w", err)
			}
			printEntries(c.OutOrStdout(), page)
			return nil
		},
	}
	c.Flags().StringVar(&provider, "provider", "", "提供单位的统一社会信用代码 / provider's organisation code")
	c.Flags().IntVar(&limit, "limit", 20, "最多几条，1–500 / at most")
	c.Flags().IntVar(&offset, "offset", 0, "跳过几条 / skip")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printEntries(out io.Writer, page catalog.EntryPage) {
	t := newTable("目录代码", "~名称", "提供单位", "共享类型", "更新周期", "级别", "状态", "~链上")
	for _, e := range page.Items {
		t.add(e.Code, e.Title, e.ProviderName, e.ShareType, e.UpdateCycle, level(e.Level), entryState(e.State), entryOnChain(e))
	}
	if t.empty() {
		fmt.Fprintln(out, "没有符合条件的目录条目 / nothing found")
		return
	}
	t.write(out)
	fmt.Fprintf(out, "\n共 %d 条，列出 %d 条\n", page.Total, len(page.Items))
}

func level(n int) string {
	if n == 0 {
		return "未定级"
	}
	return "L" + strconv.Itoa(n)
}

// entryState says in Chinese where an entry is in its life.
func entryState(state string) string {
	return wordFor(state, map[string]string{"": "待上链", "proposed": "待发布", "published": "已发布", "changing": "已发布，新版待发布", "retired": "已撤销"})
}

func entryOnChain(e catalog.Entry) string {
	if e.Refusal != "" {
		return "被拒绝：" + e.Refusal
	}
	return onChain(e.Index)
}

func newCatalogShow(f *clientFlags) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show 目录代码",
		Short: "一个目录条目及其数据项 / one entry and its items",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/catalog/entry", url.Values{"code": {args[0]}}, &raw); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), raw)
			}
			var d catalog.EntryDetail
			if err := json.Unmarshal(raw, &d); err != nil {
				return fmt.Errorf("read entry: %w", err)
			}
			printEntry(c.OutOrStdout(), d)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printEntry(out io.Writer, d catalog.EntryDetail) {
	e := d.Entry
	fmt.Fprintf(out, "%s  %s\n%s\n\n", e.Code, clean(e.Title), clean(e.Summary))
	t := newFields()
	for _, kv := range [][2]string{
		{"提供单位", e.ProviderName + " " + e.Provider}, {"职责", d.Duty}, {"信息系统", d.System},
		{"数据集", fmt.Sprintf("%s 第 %d 版", e.Dataset, e.Version)}, {"级别", level(e.Level)},
		{"共享类型", e.ShareType}, {"共享条件", d.ShareCondition}, {"不予共享依据", d.NoShareBasis},
		{"开放类型", d.OpenType}, {"更新周期", e.UpdateCycle}, {"状态", entryState(e.State)},
		{"链上", entryOnChain(e)}, {"最近变动", momentOr(e.UpdatedAt)}, {"摘要", e.Digest},
	} {
		if kv[1] != "" {
			t.add(kv[0], kv[1])
		}
	}
	t.write(out)
	fmt.Fprintln(out)
	items := newTable("数据项", "名称", "类型", "主键", "必填", "级别", "个人信息", "代码表")
	for _, i := range d.Items {
		items.add(i.Name, i.Title, i.Type, tick(i.Key), tick(i.Required), level(i.Level), orDash(i.Pi), orDash(i.Codes))
	}
	items.write(out)
}

func tick(yes bool) string {
	if yes {
		return "✓"
	}
	return ""
}
