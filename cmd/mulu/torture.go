package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mulu/internal/app"
	"mulu/internal/app/torture"
	"mulu/library/embedded"
)

func newTorture() *cobra.Command {
	var o torture.Options
	var asJSON bool
	scenarios := "kills"
	c := &cobra.Command{
		Use:   "torture",
		Short: "反复 kill -9 等各种折磨，再逐条清点 / kill, freeze, fill, poison, then count every record",
		Long:  "情景 / scenarios:\n" + scenarioList(),
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if o.Kills < 1 || o.Rounds < 1 {
				return usageError{fmt.Errorf("--kills 与 --rounds 至少为 1 / at least 1")}
			}
			if o.Scenarios, err = torture.Choose(scenarios); err != nil {
				return usageError{err}
			}
			return runTorture(c.Context(), c.OutOrStdout(), o, asJSON)
		},
	}
	c.Flags().StringVar(&scenarios, "scenario", scenarios, "情景：all，或以逗号分隔的名字 / all, or names with commas between")
	c.Flags().IntVar(&o.Kills, "kills", 50, "情景 kills 杀多少次 / how many kills, of the scenario kills")
	c.Flags().IntVar(&o.Rounds, "rounds", 2, "其他情景重复多少轮 / how often the other scenarios do what they do")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "随机种子 / seed")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	c.Flags().StringVar(&o.Strace, "strace", "", "strace 的路径：kills 多数情况下恰在数据块改名的一刻杀 / path of strace: most kills come at the rename of a part")
	c.Flags().StringVar(&o.BrokerKill, "broker-kill", "", "kill -9 外部 Kafka 一个节点的命令 / command that kills one node of the outside Kafka")
	c.Flags().StringVar(&o.BrokerStart, "broker-start", "", "重新启动该节点的命令 / command that starts it again")
	c.Flags().StringVar(&o.Store, "store", "", "多个持有者共用的控制库，postgres://…，默认 SQLite / control store of the lanes")
	addWorkerFlags(c, &o)
	c.AddCommand(newTortureWorker(), newTortureEngine(), newTortureLane())
	return c
}

func scenarioList() string {
	var b strings.Builder
	for _, s := range torture.Scenarios() {
		fmt.Fprintf(&b, "  %-12s %s\n", s.Name, s.Title)
	}
	return b.String()
}

func addWorkerFlags(c *cobra.Command, o *torture.Options) {
	c.Flags().StringVar(&o.Dir, "dir", "", "工作目录，默认临时目录 / working directory, default a temporary one")
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:18490", "被测程序的地址 / address of the mulu under torture")
	c.Flags().StringVar(&o.Kafka, "kafka", "127.0.0.1:19490", "试用 Kafka 的地址 / address of the trial broker")
	c.Flags().StringSliceVar(&o.Brokers, "brokers", nil, "用外部 Kafka，host:port,… / an outside Kafka instead")
	c.Flags().StringVar(&o.Lib, "lib", "", "libchdb.so 的路径 / path of libchdb.so")
}

func runTorture(ctx context.Context, out io.Writer, o torture.Options, asJSON bool) error {
	var err error
	if o.Exe, err = os.Executable(); err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "mulu-torture-"); err != nil {
			return fmt.Errorf("make working directory: %w", err)
		}
		defer func() {
			if err == nil {
				os.RemoveAll(o.Dir)
			} else {
				fmt.Fprintf(os.Stderr, "现场保留在 %s / kept for inspection\n", o.Dir)
			}
		}()
	}
	o.Log, o.Progress = slog.New(slog.DiscardHandler), newProgress(os.Stderr)
	var res *torture.Result
	if res, err = torture.Run(ctx, o); err != nil {
		return err
	}
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		err = enc.Encode(res)
	} else {
		printTorture(out, res)
	}
	if err == nil && !res.OK() {
		err = fmt.Errorf("承诺未守住：%d 个情景失败，见上 / the promise did not hold in %d scenarios", res.Failed, res.Failed)
	}
	return err
}

// printTorture is the report for people: a row per scenario, what was done to each,
// and a closing line.
func printTorture(out io.Writer, res *torture.Result) {
	t := newTable("情景 scenario", ">已确认 acked", ">丢失 lost", ">可见重复 visible dup.", ">存储层重复 raw dup.", ">就绪 ready p99 s", ">用时 s", "结论 verdict")
	for _, s := range res.Scenarios {
		if s.Verdict == torture.NotRun {
			t.add(s.Scenario, "–", "–", "–", "–", "–", "–", s.Verdict)
			continue
		}
		ready := "–" // nothing was waited for
		if s.ReadyP99 > 0 {
			ready = fmt.Sprintf("%.2f", s.ReadyP99)
		}
		t.add(s.Scenario, fmt.Sprint(s.Acked), fmt.Sprint(s.Lost), fmt.Sprint(s.VisibleDuplicates), fmt.Sprint(s.RawDuplicates),
			ready, fmt.Sprintf("%.0f", s.Seconds), s.Verdict)
	}
	t.write(out)
	fmt.Fprintln(out)
	for _, s := range res.Scenarios {
		if s.Did != "" {
			fmt.Fprintf(out, "%s：%s\n", s.Scenario, s.Did)
		}
		switch s.Verdict {
		case torture.NotRun:
			fmt.Fprintf(out, "not run: %s (%s)\n", s.Scenario, s.Why)
		case torture.Failed:
			fmt.Fprintf(out, "%s 失败 / failed: %s\n", s.Scenario, s.Why)
		}
	}
	fmt.Fprintf(out, "\n%d passed, %d failed, %d not run\n", res.Passed, res.Failed, res.NotRun)
}

// newTortureWorker is the process that is killed: a whole mulu without sample rows.
func newTortureWorker() *cobra.Command {
	var o torture.Options
	c := &cobra.Command{
		Use: "worker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			crash, err := torture.CrashAt(os.Getenv(torture.EnvCrash))
			if err != nil {
				return usageError{err}
			}
			a, err := app.Start(c.Context(), torture.Config(o), app.Options{
				Log: childLog(), Progress: func(string, int64, int64) {},
				Version: version, Declare: torture.Declarations(), Passed: crash,
			})
			if err != nil {
				return err
			}
			defer a.Close()
			return a.Wait(c.Context())
		},
	}
	addWorkerFlags(c, &o)
	return c
}

// newTortureEngine serves one engine to several lanes.
func newTortureEngine() *cobra.Command {
	var listen string
	opt := embedded.Options{Log: childLog()}
	c := &cobra.Command{
		Use: "engine", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return torture.ServeEngine(c.Context(), listen, opt)
		},
	}
	c.Flags().StringVar(&opt.Dir, "dir", "", "数据目录 / data directory")
	c.Flags().StringVar(&opt.Lib, "lib", "", "libchdb.so 的路径 / path of libchdb.so")
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "地址，仅限本机 / address, loopback only")
	return c
}

// newTortureLane is one owner of partitions: the way in alone.
func newTortureLane() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use: "lane", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			crash, err := torture.CrashAt(os.Getenv(torture.EnvCrash))
			if err != nil {
				return usageError{err}
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("read lane: %w", err)
			}
			var spec torture.LaneSpec
			if err := json.Unmarshal(b, &spec); err != nil {
				return fmt.Errorf("read lane: %w", err)
			}
			return torture.RunLane(c.Context(), spec, crash, childLog())
		},
	}
	c.Flags().StringVar(&path, "spec", "", "说明文件 / what to do")
	return c
}

// childLog goes to standard error, which the parent keeps in a file.
func childLog() *slog.Logger { return slog.New(slog.NewTextHandler(os.Stderr, nil)) }
