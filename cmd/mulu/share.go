package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/share"
)

func newShare() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{Use: "share", Short: "共享：申请、审批、授权、取数 / ask, decide, grants, pull"}
	f.add(c)
	c.AddCommand(newShareScenarios(&f), newShareRequest(&f), newShareRequests(&f), newShareDecide(&f), newShareGrants(&f),
		newShareRevoke(&f), newShareExplain(&f), newSharePull(&f), newShareReceipts(&f), newShareNotices(&f))
	return c
}

// listing makes a command that prints one API list as a table or as JSON.
func listing[T any](f *clientFlags, as, use, short, path string, show func(io.Writer, T)) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.dial(c.Context(), as)
			if err != nil {
				return err
			}
			var raw []byte
			if err := cl.get(c.Context(), path, nil, &raw); err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, show)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

// printOr prints an answer as it came, or shows it.
func printOr[T any](out io.Writer, raw []byte, asJSON bool, show func(io.Writer, T)) error {
	if asJSON {
		return printJSON(out, raw)
	}
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	show(out, v)
	return nil
}

func newShareScenarios(f *clientFlags) *cobra.Command {
	return listing(f, "street", "scenarios", "可申请的应用场景 / scenarios", "/v1/share/scenarios", func(out io.Writer, list []share.Scenario) {
		for i, s := range list {
			if i > 0 {
				fmt.Fprintln(out)
			}
			fmt.Fprintf(out, "%s  %s（%s，链上 %s）\n用途：%s\n依据：%s\n", s.Code, clean(s.Title), clean(s.OwnerName), onChain(s.Index), clean(s.Purpose), clean(s.LegalBasis))
			t := newTable("  数据项", "名称", "级别", "敏感", "展示方式")
			for _, it := range s.Items {
				t.add("  "+it.Name, it.Title, level(it.Level), tick(it.Sensitive), orDash(strings.Join(it.Masks, "、")))
			}
			t.write(out)
		}
	})
}

func newShareRequests(f *clientFlags) *cobra.Command {
	return listing(f, "approver", "requests", "共享申请 / requests", "/v1/share/requests", func(out io.Writer, list []share.ShareRequest) {
		t := newTable("编号", "场景", "~申请单位", "提出时间", "办理期限", "状态", "~用途")
		for _, r := range list {
			due := "—"
			if r.Clock != nil {
				due = fmt.Sprintf("%s（余 %d 个工作日）", day(r.Clock.Due), r.Clock.Left)
				if r.Clock.Overdue {
					due = day(r.Clock.Due) + "（已逾期）"
				}
			}
			t.add(r.Id, r.Scenario, r.RequesterName, moment(r.At), due, r.Status, r.Purpose)
		}
		writeOr(out, t, "没有共享申请 / no requests")
	})
}

func newShareGrants(f *clientFlags) *cobra.Command {
	return listing(f, "approver", "grants", "场景授权 / grants", "/v1/share/grants", func(out io.Writer, list []share.Grant) {
		t := newTable("授权", "申请", "场景", "~申请单位", "~范围", ">取数", ">每日上限", "首日", "末日", "链上", "~状态")
		for _, g := range list {
			t.add(g.Id, g.Request, g.Scenario, g.RequesterName, g.Receiver+" "+g.ReceiverName, count(g.Reads), count(g.RowsPerDay),
				day(g.From), lastDay(g.Until), onChain(g.Index), g.Status)
		}
		writeOr(out, t, "没有授权 / no grants")
	})
}

func newShareReceipts(f *clientFlags) *cobra.Command {
	var grant, cursor string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "receipts",
		Short: "共享日志，新的在前 / receipts, newest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 || limit > 500 {
				return usageError{fmt.Errorf("--limit 应在 1 到 500 之间 / want 1 to 500")}
			}
			cl, err := f.dial(c.Context(), "approver")
			if err != nil {
				return err
			}
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, s := range map[string]string{"grant": grant, "cursor": cursor} {
				if s != "" {
					q.Set(name, s)
				}
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/share/receipts", q, &raw); err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, printReceipts)
		},
	}
	c.Flags().StringVar(&grant, "grant", "", "只看一个授权的 / of one grant")
	c.Flags().StringVar(&cursor, "cursor", "", "上一页给出的位置 / where the page before ended")
	c.Flags().IntVar(&limit, "limit", 20, "最多几条，1–500 / at most")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printReceipts(out io.Writer, page share.ReceiptPage) {
	t := newTable("编号", "时间", "授权", "~单位", "方式", "格式", ">条数", "存证", "状态", "~原因")
	for _, r := range page.Items {
		t.add(r.Id, moment(r.OpenedAt), r.Grant, r.OrgName, r.Mode, r.Format, count(r.Rows), onChain(r.Index), outcome(string(r.State)), orDash(r.Reason))
	}
	writeOr(out, t, "没有共享日志 / no receipts")
	if page.Next != "" {
		fmt.Fprintf(out, "\n下一页 / next: --cursor %s\n", clean(page.Next))
	}
}

// outcome says in Chinese how a read ended.
func outcome(state string) string {
	return wordFor(state, map[string]string{"open": "进行中", "delivered": "已提供", "denied": "无权", "refused": "拒绝", "failed": "失败", "aborted": "接收方中断", "interrupted": "中断"})
}

// writeOr prints a table, or what to say when it is empty.
func writeOr(out io.Writer, t *table, none string) {
	if t.empty() {
		fmt.Fprintln(out, none)
		return
	}
	t.write(out)
}

// ask is the command line of a request, in the words of the API.
type ask struct {
	Scenario   string              `json:"scenario"`
	Items      []map[string]string `json:"items"`
	Receivers  []string            `json:"receivers"`
	Purpose    string              `json:"purpose"`
	LegalBasis []string            `json:"legal_basis,omitempty"`
	From       string              `json:"from,omitempty"`
	Until      string              `json:"until"`
	Formats    []string            `json:"formats,omitempty"`
	RowsPerDay int64               `json:"rows_per_day,omitempty"`
	MinScore   float64             `json:"min_score,omitempty"`
	Assessment string              `json:"assessment,omitempty"`
}

// check finds what the command line itself gets wrong; the rest is the server's to say.
func (a *ask) check(items []string) error {
	for _, i := range items {
		if i = strings.TrimSpace(i); i != "" {
			a.Items = append(a.Items, map[string]string{"name": i})
		}
	}
	for name, missing := range map[string]bool{"--items": len(a.Items) == 0, "--receivers": len(a.Receivers) == 0, "--purpose": strings.TrimSpace(a.Purpose) == ""} {
		if missing {
			return usageError{fmt.Errorf("%s 不能为空 / must not be empty", name)}
		}
	}
	until, err := time.Parse(time.DateOnly, a.Until)
	if err != nil {
		return usageError{fmt.Errorf("--to %q 不是日期，应形如 2026-12-31 / not a date", a.Until)}
	}
	if a.From == "" {
		return nil
	}
	from, err := time.Parse(time.DateOnly, a.From)
	if err != nil {
		return usageError{fmt.Errorf("--from %q 不是日期，应形如 2026-12-31 / not a date", a.From)}
	}
	if until.Before(from) {
		return usageError{fmt.Errorf("--to 早于 --from / --to is before --from")}
	}
	return nil
}

func newShareRequest(f *clientFlags) *cobra.Command {
	var a ask
	var items []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "request",
		Short: "提出共享申请 / ask for data",
		Example: `  mulu share request --scenario SC-2 --items name,sex,risk_lv --receivers 310107005 \
    --purpose 独居老人走访与关爱 --to 2026-12-31`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.check(items); err != nil {
				return err
			}
			cl, err := f.dial(c.Context(), "street")
			if err != nil {
				return err
			}
			var raw []byte
			if err := cl.post(c.Context(), "/v1/share/requests", a, &raw); err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, printRequest)
		},
	}
	c.Flags().StringVar(&a.Scenario, "scenario", "", "场景代码 / scenario")
	c.Flags().StringSliceVar(&items, "items", nil, "数据项，逗号分隔 / items")
	c.Flags().StringSliceVar(&a.Receivers, "receivers", nil, "接收方区划代码（街镇 9 位、居村 12 位），逗号分隔 / divisions that receive")
	c.Flags().StringVar(&a.Purpose, "purpose", "", "用途 / purpose")
	c.Flags().StringArrayVar(&a.LegalBasis, "legal-basis", nil, "法律依据，可重复 / legal basis, repeatable")
	c.Flags().StringVar(&a.From, "from", "", "首日，默认今日 / first day, default today")
	c.Flags().StringVar(&a.Until, "to", "", "末日（含）/ last day")
	c.Flags().StringSliceVar(&a.Formats, "formats", nil, "格式 csv,json,ndjson，默认全部 / formats, default all")
	c.Flags().Int64Var(&a.RowsPerDay, "rows-per-day", 0, "每个接收方每日条数上限，0 取场景的 / rows a day, 0 is the scenario's")
	c.Flags().Float64Var(&a.MinScore, "min-score", 0, "约定最低得分 0–1 / least score agreed")
	c.Flags().StringVar(&a.Assessment, "assessment", "", "个人信息保护影响评估编号 / impact assessment")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	for _, name := range []string{"scenario", "items", "receivers", "purpose", "to"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}

func printRequest(out io.Writer, r share.ShareRequest) {
	t := newFields()
	for _, kv := range [][2]string{
		{"申请", r.Id}, {"场景", r.Scenario + " " + r.ScenarioTitle}, {"申请单位", r.RequesterName}, {"用途", r.Purpose},
		{"接收方", strings.Join(r.Receivers, "、")}, {"期限", day(r.From) + " 至 " + lastDay(r.Until)},
		{"状态", r.Status}, {"授权", strings.Join(r.Grants, "、")}, {"理由", r.Reason},
	} {
		if kv[1] != "" {
			t.add(kv[0], kv[1])
		}
	}
	if k := r.Clock; k != nil {
		t.add("办理期限", fmt.Sprintf("%s，余 %d 个工作日（%s）", day(k.Due), k.Left, k.Article))
	}
	t.write(out)
}

func newShareDecide(f *clientFlags) *cobra.Command {
	var agree, refuse, asJSON bool
	var reason, basis string
	c := &cobra.Command{
		Use:   "decide 申请编号",
		Short: "审批共享申请 / decide a request",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if agree == refuse {
				return usageError{fmt.Errorf("请给出 --agree 或 --refuse 之一 / give --agree or --refuse")}
			}
			if refuse && strings.TrimSpace(reason) == "" {
				return usageError{fmt.Errorf("不同意应当说明理由：请加 --reason / a refusal needs --reason")}
			}
			cl, err := f.dial(c.Context(), "approver")
			if err != nil {
				return err
			}
			in := map[string]any{"agree": agree}
			for name, s := range map[string]string{"reason": reason, "basis": basis} {
				if s != "" {
					in[name] = s
				}
			}
			var raw []byte
			if err := cl.post(c.Context(), "/v1/share/requests/"+url.PathEscape(args[0])+"/decision", in, &raw); err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, printRequest)
		},
	}
	c.Flags().BoolVar(&agree, "agree", false, "同意 / agree")
	c.Flags().BoolVar(&refuse, "refuse", false, "不同意 / refuse")
	c.Flags().StringVar(&reason, "reason", "", "理由 / reason")
	c.Flags().StringVar(&basis, "basis", "", "依据 / legal basis")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func newShareRevoke(f *clientFlags) *cobra.Command {
	var reason, code string
	var asJSON bool
	c := &cobra.Command{
		Use:   "revoke 授权编号",
		Short: "终止授权，立即生效 / end a grant at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" {
				return usageError{fmt.Errorf("--reason 不能为空 / a reason is needed")}
			}
			cl, err := f.dial(c.Context(), "approver")
			if err != nil {
				return err
			}
			in := map[string]string{"reason": reason}
			if code != "" {
				in["code"] = code
			}
			var raw []byte
			if err := cl.post(c.Context(), "/v1/share/grants/"+url.PathEscape(args[0])+"/revoke", in, &raw); err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, func(out io.Writer, g share.Grant) {
				fmt.Fprintf(out, "授权 %s：%s\n", g.Id, clean(g.Status))
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "理由 / reason")
	c.Flags().StringVar(&code, "code", "", "上链的原因代码，如 overreach、leak，默认 other / reason code on the chain")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	_ = c.MarkFlagRequired("reason")
	return c
}

func newShareExplain(f *clientFlags) *cobra.Command {
	var format string
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain 授权编号",
		Short: "为什么能取或不能取，逐条条件，不取数 / why a read is allowed or not",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := knownFormat(format); err != nil {
				return err
			}
			cl, err := f.dial(c.Context(), "system")
			if err != nil {
				return err
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/share/grants/"+url.PathEscape(args[0])+"/explain", url.Values{"format": {format}}, &raw); err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, printChecks)
		},
	}
	c.Flags().StringVar(&format, "format", "csv", "格式 csv|json|ndjson / format")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printChecks(out io.Writer, checks []share.Check) {
	failed := 0
	t := newTable("", "条件", "~说明")
	for _, k := range checks {
		if !k.Passed {
			failed++
		}
		t.add(mark(k.Passed), k.Title, k.Detail)
	}
	t.write(out)
	if failed == 0 {
		fmt.Fprintln(out, "\n可以取数 / a read would be allowed")
		return
	}
	fmt.Fprintln(out, "\n不能取数："+strconv.Itoa(failed)+" 条未满足 / a read would be refused")
}
