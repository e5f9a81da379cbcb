package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/dataset"
)

// rejectStates puts the states of a reject into words.
var rejectStates = map[string]string{"open": "待处理", "draft": "草稿", "closed": "已销号", "withdrawn": "批次已撤回"}

// replayAsk is what the flags of replay say.
type replayAsk struct {
	dataset, why, value, class, rule, field string
	partition, row                          int32
	offset                                  int64
	version                                 int64
	all, dry, json                          bool
}

func (a *replayAsk) check() error {
	var faults []error
	bad := func(on bool, text string) {
		if on {
			faults = append(faults, errors.New(text))
		}
	}
	bad(a.dataset == "", "请用 --dataset 指定数据集 / name the dataset")
	bad(a.why == "" && !a.dry, "请用 --why 说明如何处理 / say why")
	bad(a.all == (a.offset >= 0), "请用 --offset 指定一条，或用 --all 处理全部待处理的，二者取一 / give --offset or --all")
	bad(a.all && a.value != "", "--value 只能与 --offset 同用 / --value goes with --offset")
	bad(!a.all && (a.class != "" || a.rule != "" || a.field != ""), "--class、--rule、--field 只能与 --all 同用 / filters go with --all")
	if len(faults) > 0 {
		return usageError{errors.Join(faults...)}
	}
	return nil
}

func newIngestReplay(f *clientFlags) *cobra.Command {
	var a replayAsk
	c := &cobra.Command{
		Use:   "replay",
		Short: "更正并重放问题数据 / mend and replay rejected rows",
		Long: `合格的以原来的位置入库并销号一次；不合格的仍为问题数据，更正的内容留作草稿。中断后由系统续完，不会重复。
A row that is fit enters at its old position and its reject is closed once; one that is not stays, the edit kept as a draft.

  mulu ingest rejects --dataset resident --state open
  mulu ingest replay --dataset resident --offset 1234 --value fixed.json --why "与来源单位核对"
  mulu ingest replay --dataset resident --all --rule id_no.gb11643 --why "规则已修订" --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.check(); err != nil {
				return err
			}
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			report, err := a.run(c.Context(), cl, c.InOrStdin(), c.ErrOrStderr())
			if err != nil {
				return err
			}
			if a.json {
				raw, err := json.Marshal(report)
				if err != nil {
					return err
				}
				return printJSON(c.OutOrStdout(), raw)
			}
			printReplay(c.OutOrStdout(), report)
			return nil
		},
	}
	c.Flags().StringVar(&a.dataset, "dataset", "", "数据集代码 / dataset")
	c.Flags().StringVar(&a.why, "why", "", "处理说明 / why")
	c.Flags().Int64Var(&a.offset, "offset", -1, "源位置 / offset of the record")
	c.Flags().Int32Var(&a.partition, "partition", -1, "分区，缺省各分区中唯一的那条 / partition")
	c.Flags().Int32Var(&a.row, "row", -1, "一条消息含多行时的行号 / row of the record")
	c.Flags().StringVar(&a.value, "value", "", "更正后的内容：文件，- 为标准输入 / the mended record: a file, or - for standard input")
	c.Flags().BoolVar(&a.all, "all", false, "全部待处理的 / all open ones")
	c.Flags().StringVar(&a.class, "class", "", "只限这一类别 / class")
	c.Flags().StringVar(&a.rule, "rule", "", "只限这条规则 / rule")
	c.Flags().StringVar(&a.field, "field", "", "只限这个数据项 / field")
	c.Flags().Int64Var(&a.version, "version", 0, "判定所用的数据集版本，缺省最新 / dataset version, default newest")
	c.Flags().BoolVar(&a.dry, "dry-run", false, "只说明会怎样 / only say what would happen")
	c.Flags().BoolVar(&a.json, "json", false, "打印 JSON / print JSON")
	return c
}

func (a *replayAsk) run(ctx context.Context, cl *client, in io.Reader, progress io.Writer) (dataset.ReplayReport, error) {
	ask := dataset.ReplayAsk{Dataset: a.dataset, Why: a.why, Version: &a.version, DryRun: &a.dry}
	if ask.Why == "" {
		ask.Why = "dry run"
	}
	if !a.all {
		item, err := a.item(ctx, cl, in)
		if err != nil {
			return dataset.ReplayReport{}, err
		}
		ask.Items = &[]dataset.ReplayItem{item}
		var report dataset.ReplayReport
		return report, cl.post(ctx, "/v1/rejects/replay", ask, &report)
	}
	ask.Filter = &dataset.RejectFilter{Class: &a.class, Rule: &a.rule, Field: &a.field}
	total := dataset.ReplayReport{Items: []dataset.ReplayOutcome{}}
	for cursor := ""; ; {
		ask.Cursor = &cursor
		var page dataset.ReplayReport
		if err := cl.post(ctx, "/v1/rejects/replay", ask, &page); err != nil {
			return total, err
		}
		total.Replayed, total.Fit, total.Faulty, total.Declined = total.Replayed+page.Replayed, total.Fit+page.Fit, total.Faulty+page.Faulty, total.Declined+page.Declined
		total.Items = append(total.Items, page.Items...)
		if cursor = page.Next; cursor == "" {
			return total, nil
		}
		fmt.Fprintf(progress, "已处理 %s 条 / so far\n", count(int64(len(total.Items))))
	}
}

// item finds the one reject that the flags name, and reads what it becomes.
func (a *replayAsk) item(ctx context.Context, cl *client, in io.Reader) (dataset.ReplayItem, error) {
	q := url.Values{"dataset": {a.dataset}, "offset": {strconv.FormatInt(a.offset, 10)}, "limit": {"200"}}
	if a.partition >= 0 {
		q.Set("partition", strconv.Itoa(int(a.partition)))
	}
	var page dataset.RejectPage
	if err := cl.get(ctx, "/v1/rejects", q, &page); err != nil {
		return dataset.ReplayItem{}, err
	}
	var found []dataset.Reject
	for _, r := range page.Items {
		if a.row < 0 || r.Row == a.row {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		return dataset.ReplayItem{}, fmt.Errorf("数据集 %s 在位置 %d 没有问题数据 / no reject there", a.dataset, a.offset)
	}
	if len(found) > 1 {
		return dataset.ReplayItem{}, usageError{fmt.Errorf("位置 %d 有 %d 条问题数据，请用 --partition 与 --row 指明 / several: say which", a.offset, len(found))}
	}
	item := dataset.ReplayItem{TopicId: found[0].TopicId, Partition: found[0].Partition, Offset: found[0].Offset, Row: found[0].Row}
	if a.value == "" {
		return item, nil
	}
	b, err := readValue(a.value, in)
	if err != nil {
		return item, err
	}
	item.Value = &b
	return item, nil
}

// readValue reads the mended record in base64. The line end that an editor adds is
// not part of it.
func readValue(name string, in io.Reader) (string, error) {
	var b []byte
	var err error
	if name == "-" {
		b, err = io.ReadAll(in)
	} else {
		b, err = os.ReadFile(name)
	}
	if err != nil {
		return "", fmt.Errorf("读取更正后的内容 / read the mended record: %w", err)
	}
	return base64.StdEncoding.EncodeToString([]byte(strings.TrimRight(string(b), "\r\n"))), nil
}

// shownOutcomes bounds how many lines a table of a large replay has.
const shownOutcomes = 50

func printReplay(out io.Writer, r dataset.ReplayReport) {
	words := map[string]string{"replayed": "✓ 已入库", "fit": "可以入库", "faulty": "✗ 仍不合格", "declined": "未处理"}
	t := newTable(">分区", ">位置", ">行", "结果", "类别", "规则", "数据项", "~原因")
	shown := 0
	for _, o := range r.Items {
		if o.Outcome == "replayed" && len(r.Items) > shownOutcomes || shown >= shownOutcomes {
			continue
		}
		shown++
		t.add(strconv.Itoa(int(o.Row.Partition)), count(o.Row.Offset), strconv.Itoa(int(o.Row.Row)), words[string(o.Outcome)], orDash(o.Class), orDash(o.Rule), orDash(o.Field), orDash(o.Reason))
	}
	if !t.empty() {
		t.write(out)
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "入库 %s，可入库 %s，仍不合格 %s，未处理 %s\n", count(r.Replayed), count(r.Fit), count(r.Faulty), count(r.Declined))
}

func newIngestBatches(f *clientFlags) *cobra.Command {
	var code, cursor string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "batches",
		Short: "一个数据集已完成的批次，新的在前 / completed batches, newest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if code == "" {
				return usageError{errors.New("请用 --dataset 指定数据集 / name the dataset")}
			}
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			if cursor != "" {
				q.Set("cursor", cursor)
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/datasets/"+url.PathEscape(code)+"/batches", q, &raw); err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, printBatches)
		},
	}
	c.Flags().StringVar(&code, "dataset", "", "数据集代码 / dataset")
	c.Flags().StringVar(&cursor, "cursor", "", "上一页给出的位置 / where the page before ended")
	c.Flags().IntVar(&limit, "limit", 20, "最多几个，1–500 / at most")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printBatches(out io.Writer, page dataset.BatchPage) {
	t := newTable("批次", "完成时间", ">版本", ">入库", ">问题数据", ">控制记录", ">行", "状态", "~撤回理由")
	for _, b := range page.Items {
		state := "完成"
		if b.State == dataset.BatchStateWithdrawn {
			state = "已撤回 " + b.Withdrawal
		}
		t.add(b.Id, moment(b.At), strconv.FormatInt(b.Version, 10), count(b.Good), count(b.Rejected), count(b.Control), count(b.Rows), state, orDash(b.Why))
	}
	writeOr(out, t, "没有批次 / no batches")
	if page.Next != "" {
		fmt.Fprintf(out, "下一页 / next: --cursor %s\n", clean(page.Next))
	}
}

func newIngestWithdraw(f *clientFlags) *cobra.Command {
	var code, reason string
	var batches []string
	var noRestore, dry, asJSON bool
	c := &cobra.Command{
		Use:   "withdraw",
		Short: "撤回错误批次，并告知取用过的单位 / take wrong batches back and tell their holders",
		Long: `所见数据回到这些批次未曾到来时的样子；历史中的行留作凭据。撤销撤回的办法是重新报送。
What is seen becomes what it would be had the batches not come; the history keeps their rows. Undo by sending them again.

  mulu ingest batches --dataset resident
  mulu ingest withdraw --dataset resident --batch mulu.resident/0/4096-8191 --reason "来源单位误发测试数据" --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if code == "" || len(batches) == 0 || reason == "" {
				return usageError{errors.New("请用 --dataset、--batch、--reason 指明数据集、批次与理由 / give dataset, batch and reason")}
			}
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			cl.http.Timeout = 0 // the engine may have much to rewrite
			restore := !noRestore
			done := []dataset.Withdrawal{}
			for _, b := range batches {
				var w dataset.Withdrawal
				if err := cl.post(c.Context(), "/v1/withdrawals", dataset.WithdrawalAsk{Dataset: code, Batch: b, Reason: reason, Restore: &restore, DryRun: &dry}, &w); err != nil {
					return fmt.Errorf("批次 %s / batch: %w", b, err)
				}
				done = append(done, w)
			}
			raw, err := json.Marshal(done)
			if err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, func(out io.Writer, list []dataset.Withdrawal) { showWithdrawals(out, list, dry) })
		},
	}
	c.Flags().StringVar(&code, "dataset", "", "数据集代码 / dataset")
	c.Flags().StringArrayVar(&batches, "batch", nil, "批次 主题/分区/首位置-末位置，可重复 / batch, repeatable")
	c.Flags().StringVar(&reason, "reason", "", "理由，会写入给取用单位的通知 / reason, told to the holders")
	c.Flags().BoolVar(&noRestore, "no-restore", false, "不恢复旧值，主键随批次消失 / do not bring earlier values back")
	c.Flags().BoolVar(&dry, "dry-run", false, "只说明会怎样 / only say what would happen")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func newIngestWithdrawals(f *clientFlags) *cobra.Command {
	return listing(f, "steward", "withdrawals", "已撤回的批次 / withdrawn batches", "/v1/withdrawals", printWithdrawals)
}

func printWithdrawals(out io.Writer, list []dataset.Withdrawal) { showWithdrawals(out, list, false) }

// showWithdrawals prints what was done, or with dry what would be.
func showWithdrawals(out io.Writer, list []dataset.Withdrawal, dry bool) {
	t := newTable("撤回编号", "数据集", "批次", "时间", "经办", ">行", ">主键", ">恢复", ">消失", ">通知", "状态", "~理由")
	for _, w := range list {
		state := "进行中"
		switch {
		case dry:
			state = "预计"
		case w.DoneAt != nil:
			state = "完成"
		}
		t.add(w.Id, w.Dataset, w.Batch, moment(w.At), w.Actor, count(w.Rows), count(w.Keys), count(w.Restored), count(w.Gone), count(w.Notices), state, w.Reason)
	}
	writeOr(out, t, "没有撤回过批次 / none")
}
