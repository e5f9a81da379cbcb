package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/packages"
	"mulu/internal/app"
	ingestapi "mulu/internal/httpapi/gen/ingest"
	"mulu/internal/httpapi/gen/submission"
)

func newPackage() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{Use: "package", Short: "离线包：在隔离的网络之间搬运数据集 / carry a dataset across separated networks"}
	f.add(c)
	c.AddCommand(newPackageExport(&f), newPackageVerify(), newPackageImport(&f), newPackageDiscard(&f))
	return c
}

func newPackageExport(f *clientFlags) *cobra.Command {
	var dataset, since, dir string
	var all bool
	var partMB int64
	c := &cobra.Command{
		Use:   "export",
		Short: "导出数据集主题中已提交的记录 / write a dataset's records into a package",
		Long: `从运行中的 mulu 所用的 Kafka 读出数据集主题中已提交的记录，写成若干分卷，清单由本端密钥签发。
缺省接在本端上一次为该数据集签发的包之后；--all 从最早的记录重新开始；--since 从某时刻或某位置重新开始。
Writes what is committed on the topic into parts, with a manifest signed by this house.`,
		Example: "  mulu package export --dataset visit --out /media/usb/visit-1\n  mulu package export --dataset visit --since 0:1200,1:900 --out DIR\n  mulu package export --dataset visit --since 2026-11-01T00:00:00+08:00 --out DIR",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if all && since != "" || partMB < 1 || partMB > 1024 {
				return usageError{errors.New("--all 与 --since 只能给一个，--part-mb 应在 1 到 1024 之间 / one of --all and --since, and 1 to 1024")}
			}
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			return exportPackage(c.Context(), c.OutOrStdout(), cl, f.data, exportAsk{mulu.DatasetCode(dataset), since, all, dir, partMB << 20})
		},
	}
	c.Flags().StringVar(&dataset, "dataset", "", "数据集代码 / dataset")
	c.Flags().StringVar(&since, "since", "", "从此时刻（RFC 3339）或位置（分区:位置,…）开始 / begin at a time or at offsets")
	c.Flags().BoolVar(&all, "all", false, "从最早的记录开始 / begin with the oldest record")
	c.Flags().StringVar(&dir, "out", "", "写入的目录，应为空 / directory, empty")
	c.Flags().Int64Var(&partMB, "part-mb", 64, "每个分卷最大约多少 MiB / size of a part")
	_ = c.MarkFlagRequired("dataset")
	_ = c.MarkFlagRequired("out")
	return c
}

type exportAsk struct {
	dataset  mulu.DatasetCode
	since    string
	all      bool
	dir      string
	partSize int64
}

func exportPackage(ctx context.Context, out io.Writer, cl *client, data string, ask exportAsk) error {
	var run app.RunFile
	if err := readJSON(filepath.Join(data, app.RunFileName), &run); err != nil {
		return fmt.Errorf("read run file: %w", err)
	}
	topic, err := topicOf(ctx, cl, ask.dataset)
	if err != nil {
		return err
	}
	var bar *progressbar.ProgressBar
	e := packages.Export{Reader: ingest.NewRereader(run.Kafka), Dataset: ask.dataset, Topic: topic, Dir: ask.dir, PartSize: ask.partSize, Now: time.Now(), Progress: func(done, total int64) {
		if bar == nil {
			bar = newBar("导出 / exporting", total, false)
		}
		bar.Set64(done) //nolint:errcheck // an ornament
	}}
	anew := ask.all || ask.since != ""
	switch {
	case ask.since != "":
		e.Since, err = sinceOf(ctx, run.Kafka, topic, ask.since)
	case !ask.all:
		e.Since, err = sinceLast(ctx, cl, ask.dataset)
	}
	if err != nil {
		return err
	}
	draft, err := e.Write(ctx)
	if bar != nil {
		bar.Clear() //nolint:errcheck // an ornament
	}
	if err != nil {
		return err
	}
	text, err := draft.Text()
	if err != nil {
		return err
	}
	var signed submission.PackageSigned
	if err := cl.post(ctx, "/v1/packages", submission.PackageManifest{Manifest: string(text), Anew: &anew}, &signed); err != nil {
		return err
	}
	if err := packages.Finish(ask.dir, []byte(signed.Manifest), []byte(signed.Signature)); err != nil {
		return err
	}
	m, _, err := packages.Verify(ask.dir)
	if err != nil {
		return err
	}
	printPackage(out, m)
	fmt.Fprintf(out, "已写入 %s / written\n", ask.dir)
	return nil
}

// topicOf asks the house for a dataset's topic.
func topicOf(ctx context.Context, cl *client, code mulu.DatasetCode) (string, error) {
	var flow ingestapi.Flow
	if err := cl.get(ctx, "/v1/flow", nil, &flow); err != nil {
		return "", err
	}
	for _, d := range flow.Datasets {
		if d.Code == string(code) {
			return d.Topic, nil
		}
	}
	return "", fmt.Errorf("没有数据集 %q / there is no such dataset", code)
}

// sinceLast is where the last package ended; nil if there was none.
func sinceLast(ctx context.Context, cl *client, code mulu.DatasetCode) (map[int32]int64, error) {
	var list []submission.PackageSigned
	if err := cl.get(ctx, "/v1/packages", url.Values{"dataset": {string(code)}}, &list); err != nil || len(list) == 0 {
		return nil, err
	}
	m, err := packages.Parse([]byte(list[0].Manifest))
	if err != nil {
		return nil, err
	}
	since := map[int32]int64{}
	for _, r := range m.Ranges {
		since[r.Partition] = r.To
	}
	return since, nil
}

// sinceOf reads "0:1200,1:900", or asks the broker what came since a time.
func sinceOf(ctx context.Context, seeds []string, topic, text string) (map[int32]int64, error) {
	since := map[int32]int64{}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		for pair := range strings.SplitSeq(text, ",") {
			p, o, ok := strings.Cut(pair, ":")
			partition, perr := strconv.ParseInt(p, 10, 32)
			offset, oerr := strconv.ParseInt(o, 10, 64)
			if !ok || perr != nil || oerr != nil || offset < 0 {
				return nil, usageError{fmt.Errorf("--since %q 应为 RFC 3339 时刻，或 分区:位置,… / want a time or partition:offset,…", text)}
			}
			since[int32(partition)] = offset
		}
		return since, nil
	}
	kc, err := kgo.NewClient(kgo.SeedBrokers(seeds...))
	if err != nil {
		return nil, fmt.Errorf("reach Kafka: %w", err)
	}
	defer kc.Close()
	list, err := kadm.NewClient(kc).ListOffsetsAfterMilli(ctx, at.UnixMilli(), topic)
	if err == nil {
		err = list.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for the offsets at %s: %w", text, err)
	}
	list.Each(func(o kadm.ListedOffset) { since[o.Partition] = o.Offset })
	return since, nil
}

func printPackage(out io.Writer, m *packages.Manifest) {
	t := newFields()
	t.add("离线包 package", m.Name)
	t.add("数据集 dataset", fmt.Sprintf("%s（%s）第 %d 版", m.Dataset, m.Title, m.Version))
	t.add("行数 rows", fmt.Sprintf("%s，%d 个分卷，共 %s 字节", count(m.Rows), len(m.Parts), count(m.Bytes)))
	t.add("签发 signed by", fmt.Sprintf("%s（%s），%s", m.House.Name, m.House.Origin, moment(m.Created)))
	t.add("公钥 key", m.House.Key)
	t.add("指纹 fingerprint", packages.Fingerprint(m.House.Key))
	t.add("前一个包 previous", cmp.Or(m.Previous, "无（重新开始）"))
	t.write(out)
	fmt.Fprintln(out)
	t = newTable(">分区", ">起始位置", ">截止位置（不含）")
	for _, r := range m.Ranges {
		t.add(strconv.Itoa(int(r.Partition)), count(r.From), count(r.To))
	}
	t.write(out)
}

func newPackageVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify DIR",
		Short: "核对离线包的清单、签名与分卷 / check a package",
		Long:  "核对清单是否被改动、签名是否属于清单所称的单位、在场的每个分卷是否完好。不需要运行中的 mulu。\nChecks manifest, signature and every part that is there. Needs no running mulu.",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			m, missing, err := packages.Verify(args[0])
			if m != nil {
				printPackage(c.OutOrStdout(), m)
			}
			if err != nil {
				return err
			}
			if len(missing) > 0 {
				return fmt.Errorf("缺 %d 个分卷：%s / parts are missing", len(missing), strings.Join(missing, "、"))
			}
			fmt.Fprintln(c.OutOrStdout(), "完好 / good")
			return nil
		},
	}
}

func newPackageImport(f *clientFlags) *cobra.Command {
	var force bool
	var wait time.Duration
	c := &cobra.Command{
		Use:   "import DIR",
		Short: "收入离线包；已到的分卷先收，其余改日再来 / take a package; parts may come on different days",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			cl.http.Timeout = time.Hour // a part may be long, and the way slow
			return importPackage(c.Context(), c.OutOrStdout(), cl, args[0], force, wait)
		},
	}
	c.Flags().BoolVar(&force, "force", false, "有缺口或重叠、数据项不同也收 / even if it does not follow on")
	c.Flags().DurationVar(&wait, "wait", time.Minute, "齐了之后等待入库多久 / how long to wait until it has landed")
	return c
}

func importPackage(ctx context.Context, out io.Writer, cl *client, dir string, force bool, wait time.Duration) error {
	text, terr := os.ReadFile(filepath.Join(dir, packages.ManifestFile))
	sig, serr := os.ReadFile(filepath.Join(dir, packages.SignatureFile))
	if err := errors.Join(terr, serr); err != nil {
		return fmt.Errorf("目录 %s 不是离线包 / is no package: %w", dir, err)
	}
	var s submission.PackageState
	if err := cl.post(ctx, "/v1/submissions/packages", submission.PackageAsk{Manifest: string(text), Signature: string(sig), Force: &force}, &s); err != nil {
		return err
	}
	if s.Warning != nil {
		fmt.Fprintf(out, "请注意：%s\n", clean(*s.Warning))
	}
	var faults []error
	var absent []string
	for _, name := range s.Missing {
		switch err := sendPart(ctx, cl, dir, s.Id, name, &s); {
		case errors.Is(err, os.ErrNotExist):
			absent = append(absent, name)
		case err != nil:
			faults = append(faults, fmt.Errorf("分卷 %s：%w", name, err))
		default:
			fmt.Fprintf(out, "已收 %s / taken\n", name)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if len(absent) > 0 {
		fmt.Fprintf(out, "报送 %s 还缺 %d 个分卷：%s；取得后再执行一次 / parts are still missing\n", s.Id, len(absent), strings.Join(absent, "、"))
		return nil
	}
	return waitLanded(ctx, out, cl, s.Id, wait)
}

func newPackageDiscard(f *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "discard ID",
		Short: "放弃一个分卷不会再来的离线包 / give a package up whose parts never come",
		Long: `按报送编号放弃一个一行也没有发送的离线包，删去已到的分卷；同一数据集在它之后登记的包不再等它。
其中的行不会入库。Gives up a package of which nothing was sent: those of its dataset that
were registered after it wait no longer.`,
		Example: "  mulu package discard S20261127-4F7Q2K9D",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.dial(c.Context(), "operator")
			if err != nil {
				return err
			}
			if err := discard(c.Context(), cl, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "报送 %s 已放弃，没有收入任何一行 / discarded, nothing was taken\n", args[0])
			return nil
		},
	}
}

func sendPart(ctx context.Context, cl *client, dir, id, name string, s *submission.PackageState) error {
	f, err := os.Open(filepath.Join(dir, filepath.Base(name)))
	if err != nil {
		return err
	}
	defer f.Close()
	resp, err := cl.openAs(ctx, http.MethodPut, "/v1/submissions/"+url.PathEscape(id)+"/parts/"+url.PathEscape(name), "application/octet-stream", f)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(s)
}

// waitLanded waits until a package has landed, or says that it goes on.
func waitLanded(ctx context.Context, out io.Writer, cl *client, id string, wait time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	s, _, err := awaitLanding(limited, cl, id, func(*submission.Submission) bool { return true })
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		fmt.Fprintf(out, "报送 %s 的分卷已齐，继续发送和入库；进展见 mulu ingest submissions / it goes on\n", id)
		return nil
	case err != nil:
		return err
	case s.State == submission.SubmissionStateRefused:
		return fmt.Errorf("报送 %s 未接收：%s / refused", id, s.Reason)
	}
	fmt.Fprintf(out, "报送 %s 入库完成：%s 行，问题数据 %s 行 / landed\n", id, count(s.Good), count(s.Rejected))
	return nil
}
