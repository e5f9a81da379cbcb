package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/ledger"
)

func newLedger() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{Use: "ledger", Short: "目录链：状态、证明、待上链 / the directory chain"}
	f.add(c)
	c.AddCommand(newLedgerStatus(&f), newLedgerProof(&f), newLedgerPending(&f))
	return c
}

func newLedgerStatus(f *clientFlags) *cobra.Command {
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "链头与最近的记录 / the head and the latest entries",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 || limit > 500 {
				return usageError{fmt.Errorf("--limit 应在 1 到 500 之间 / want 1 to 500")}
			}
			cl, err := f.dial(c.Context(), "auditor")
			if err != nil {
				return err
			}
			var head, recent []byte
			if err := cl.get(c.Context(), "/v1/ledger/head", nil, &head); err != nil {
				return err
			}
			if err := cl.get(c.Context(), "/v1/ledger/recent", url.Values{"limit": {strconv.Itoa(limit)}}, &recent); err != nil {
				return err
			}
			if asJSON {
				return printValue(c.OutOrStdout(), map[string]json.RawMessage{"head": head, "recent": recent})
			}
			var h ledger.Head
			var page ledger.ChainPage
			if err := json.Unmarshal(head, &h); err != nil {
				return fmt.Errorf("read head: %w", err)
			}
			if err := json.Unmarshal(recent, &page); err != nil {
				return fmt.Errorf("read entries: %w", err)
			}
			printHead(c.OutOrStdout(), h, page)
			return nil
		},
	}
	c.Flags().IntVar(&limit, "limit", 10, "列出最近几条 / how many entries")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printHead(out io.Writer, h ledger.Head, page ledger.ChainPage) {
	t := newFields()
	for _, kv := range [][2]string{
		{"链名", h.Origin}, {"记录数", count(h.Size)}, {"根", h.Root}, {"时间", moment(h.At)}, {"核验公钥", h.Key}, {"待上链", strconv.Itoa(h.Pending)},
	} {
		t.add(kv[0], kv[1])
	}
	t.write(out)
	fmt.Fprintln(out)
	rows := newTable(">序号", "时间", "~单位", "~内容", "编号")
	for _, e := range page.Items {
		rows.add(strconv.FormatInt(e.Index, 10), moment(e.At), e.OrgName, e.Text, e.Id)
	}
	rows.write(out)
}

func newLedgerProof(f *clientFlags) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "proof 编号",
		Short: "取存证证明，可用 mulu-verify 离线核验 / a proof for mulu-verify",
		Long: `编号是上链指令、共享日志（RC…）或批次（主题标识/分区/首位置）的编号。
证明按原样写出；核验：mulu-verify 文件。`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "auditor")
			if err != nil {
				return err
			}
			var bundle []byte
			if err := cl.get(c.Context(), "/v1/ledger/proof", url.Values{"id": {args[0]}}, &bundle); err != nil {
				return err
			}
			if file == "" {
				_, err := c.OutOrStdout().Write(bundle)
				return err
			}
			if err := os.WriteFile(file, bundle, 0o600); err != nil {
				return fmt.Errorf("write proof: %w", err)
			}
			fmt.Fprintf(c.ErrOrStderr(), "证明已写入 %s（%s 字节）；核验：mulu-verify %s\n", file, count(int64(len(bundle))), file)
			return nil
		},
	}
	c.Flags().StringVar(&file, "out", "", "写入文件，默认标准输出 / file, default standard output")
	return c
}

func newLedgerPending(f *clientFlags) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "pending",
		Short: "等待上链与被链上拒绝的指令 / commands that wait or were refused",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/ledger/pending", nil, &raw); err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), raw)
			}
			var p ledger.Pending
			if err := json.Unmarshal(raw, &p); err != nil {
				return fmt.Errorf("read pending commands: %w", err)
			}
			printPending(c.OutOrStdout(), p)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printPending(out io.Writer, p ledger.Pending) {
	if len(p.Pending)+len(p.Refused) == 0 {
		fmt.Fprintln(out, "没有等待上链或被拒绝的指令 / nothing waits, nothing was refused")
		return
	}
	t := newTable("状态", "时间", "编号", ">尝试", "~内容", "~原因")
	for _, i := range p.Pending {
		t.add("等待", moment(i.At), i.Id, count(i.Attempts), i.Text, orDash(i.Error))
	}
	for _, i := range p.Refused {
		t.add("被拒绝", moment(i.At), i.Id, count(i.Attempts), i.Text, orDash(i.Message))
	}
	t.write(out)
}
