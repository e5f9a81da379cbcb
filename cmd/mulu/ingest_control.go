package main

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mulu/internal/httpapi/gen/ingest"
)

// decide is a command that tells mulu what a person decided, with the reason.
func decide(f *clientFlags, use, short, as string, args int, path func(args []string, in map[string]any) (string, error), said string) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(args),
		RunE: func(c *cobra.Command, a []string) error {
			if strings.TrimSpace(reason) == "" {
				return usageError{fmt.Errorf("--reason 不能为空 / a reason is needed")}
			}
			in := map[string]any{"reason": reason}
			to, err := path(a, in)
			if err != nil {
				return usageError{err}
			}
			cl, err := f.dial(c.Context(), as)
			if err != nil {
				return err
			}
			if err := cl.post(c.Context(), to, in, nil); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), said+"\n", a[0])
			return nil
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "理由，记入审计 / reason, kept in the trail")
	_ = c.MarkFlagRequired("reason")
	return c
}

func newIngestPause(f *clientFlags) *cobra.Command {
	return decide(f, "pause 数据集", "暂停读取一个数据集 / stop reading a dataset for a while", "operator", 1, func(a []string, _ map[string]any) (string, error) {
		return "/v1/ingest/datasets/" + url.PathEscape(a[0]) + "/pause", nil
	}, "数据集 %s 已暂停；已读入的一批会做完，用 mulu ingest resume 继续")
}

func newIngestResume(f *clientFlags) *cobra.Command {
	return decide(f, "resume 数据集", "继续读取 / read on from where it stands", "operator", 1, func(a []string, _ map[string]any) (string, error) {
		return "/v1/ingest/datasets/" + url.PathEscape(a[0]) + "/resume", nil
	}, "数据集 %s 继续读取")
}

func newIngestAccept(f *clientFlags) *cobra.Command {
	return decide(f, "accept 主题", "确认主题是有意重建的，从新主题开头读起 / a topic was created again on purpose", "operator", 1, func(a []string, in map[string]any) (string, error) {
		in["topic"] = a[0]
		return "/v1/ingest/topics/accept", nil
	}, "主题 %s 从新的开头读起，一两秒内生效")
}

func newIngestSkip(f *clientFlags) *cobra.Command {
	return decide(f, "skip 主题 分区 位置", "放弃已被清除的位置，计入丢失，从给定位置接着读 / give up offsets that are gone", "operator", 3, func(a []string, in map[string]any) (string, error) {
		part, err1 := strconv.ParseInt(a[1], 10, 32)
		next, err2 := strconv.ParseInt(a[2], 10, 64)
		if err1 != nil || err2 != nil || part < 0 || next < 1 {
			return "", fmt.Errorf("分区和位置应为非负整数，给的是 %q 和 %q / want a partition and an offset", a[1], a[2])
		}
		in["topic"], in["partition"], in["next"] = a[0], part, next
		return "/v1/ingest/topics/skip", nil
	}, "主题 %s 从给定位置接着读，跳过的位置计入丢失")
}

func newIngestHolds(f *clientFlags) *cobra.Command {
	var all, asJSON bool
	c := &cobra.Command{
		Use: "holds", Short: "待审的分区：记录不再符合版本 / partitions held for review", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/ingest/holds", url.Values{"all": {strconv.FormatBool(all)}}, &raw); err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, printHolds)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "也列出已处理的 / decided ones too")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}

func printHolds(out io.Writer, list []ingest.Hold) {
	t := newTable("数据集", "主题", ">分区", ">停在", ">版本", ">条数", ">不符", "类别", "字段", "~第一条的原因", "自", "处理")
	for _, h := range list {
		decision := map[ingest.HoldDecision]string{"": "等待", "proceed": "原样放行", "version": fmt.Sprintf("改用版本 %d", h.ToVersion)}[h.Decision]
		t.add(h.Dataset, h.Topic, strconv.Itoa(int(h.Partition)), count(h.First), strconv.FormatInt(h.Version, 10), count(h.Records), count(h.Failed),
			h.Class, orDash(h.Field), h.Reason, moment(h.At), decision)
	}
	if t.empty() {
		fmt.Fprintln(out, "没有待审的分区 / none")
		return
	}
	t.write(out)
	fmt.Fprintln(out, "\n处理 / answer: mulu ingest release 主题 分区|all --proceed | --version N  --note 说明")
}

func newIngestRelease(f *clientFlags) *cobra.Command {
	var proceed bool
	var version uint32
	var note string
	c := &cobra.Command{
		Use: "release 主题 分区|all", Short: "处理待审的分区 / answer a hold",
		Long: `--proceed 原样放行：读不了的记为问题数据；--version N 从停下的位置起改用已登记的新版本。
--proceed lets the records in, those at fault as problem rows; --version N reads on under a newer version.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, a []string) error {
			in := map[string]any{"decision": "proceed", "note": note}
			if a[1] != "all" {
				part, err := strconv.ParseInt(a[1], 10, 32)
				if err != nil {
					return usageError{fmt.Errorf("分区 %q 应为数字或 all / want a number or all", a[1])}
				}
				in["partition"] = part
			}
			if version > 0 {
				in["decision"], in["version"] = "version", version
			}
			if proceed == (version > 0) || strings.TrimSpace(note) == "" {
				return usageError{fmt.Errorf("请给出 --proceed 或 --version 之一，并用 --note 说明 / give --proceed or --version, and --note")}
			}
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			var holds []ingest.Hold
			if err := cl.get(c.Context(), "/v1/ingest/holds", nil, &holds); err != nil {
				return err
			}
			i := slices.IndexFunc(holds, func(h ingest.Hold) bool { return h.Topic == a[0] })
			if i < 0 {
				return fmt.Errorf("主题 %s 没有待审的分区，见 mulu ingest holds / no hold is open", a[0])
			}
			in["topic_id"] = holds[i].TopicId
			if err := cl.post(c.Context(), "/v1/ingest/holds/release", in, nil); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "主题 %s 分区 %s 接着读，一两秒内生效\n", a[0], a[1])
			return nil
		},
	}
	c.Flags().BoolVar(&proceed, "proceed", false, "原样放行 / let the records in as they are")
	c.Flags().Uint32Var(&version, "version", 0, "改用这个版本 / read on under this version")
	c.Flags().StringVar(&note, "note", "", "说明，记入审计 / note, kept in the trail")
	return c
}

func newIngestNotices(f *clientFlags) *cobra.Command {
	var asJSON bool
	var dataset string
	c := &cobra.Command{
		Use: "notices", Short: "给数据提供单位的告知：未登记字段、待审、停止读取 / what owners should know", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.dial(c.Context(), "steward")
			if err != nil {
				return err
			}
			q := url.Values{}
			if dataset != "" {
				q.Set("dataset", dataset)
			}
			var raw []byte
			if err := cl.get(c.Context(), "/v1/ingest/notices", q, &raw); err != nil {
				return err
			}
			return printOr(c.OutOrStdout(), raw, asJSON, func(out io.Writer, list []ingest.IngestNotice) {
				kinds := map[ingest.IngestNoticeKind]string{"unknown_field": "未登记字段", "held": "待审", "stopped": "停止读取"}
				t := newTable("数据集", "种类", "对象", "~内容", "最近", "已阅")
				for _, n := range list {
					t.add(n.Dataset, kinds[n.Kind], n.Subject, n.Detail, moment(n.LastAt), orDash(n.SeenBy))
				}
				if t.empty() {
					fmt.Fprintln(out, "没有告知 / none")
					return
				}
				t.write(out)
			})
		},
	}
	c.Flags().StringVar(&dataset, "dataset", "", "数据集代码 / dataset")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	return c
}
