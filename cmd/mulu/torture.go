package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"mulu/internal/app"
	"mulu/internal/app/torture"
)

func newTorture() *cobra.Command {
	var o torture.Options
	var asJSON bool
	c := &cobra.Command{
		Use:   "torture",
		Short: "反复 kill -9，再逐条清点 / kill -9 again and again, then count every record",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.Kills < 1 {
				return usageError{fmt.Errorf("--kills 至少为 1 / at least 1")}
			}
			return runTorture(c.Context(), c.OutOrStdout(), o, asJSON)
		},
	}
	c.Flags().IntVar(&o.Kills, "kills", 50, "杀多少次 / how many kills")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "随机种子 / seed")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	c.Flags().StringVar(&o.Strace, "strace", "", "strace 的路径：多数情况下恰在数据块改名的一刻杀 / path of strace: most kills come at the rename of a part")
	addWorkerFlags(c, &o)
	c.AddCommand(newTortureWorker())
	return c
}

func addWorkerFlags(c *cobra.Command, o *torture.Options) {
	c.Flags().StringVar(&o.Dir, "dir", "", "工作目录，默认临时目录 / working directory, default a temporary one")
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:18490", "被测程序的地址 / address of the mulu under torture")
	c.Flags().StringVar(&o.Kafka, "kafka", "127.0.0.1:19490", "试用 Kafka 的地址 / address of the broker")
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
		fmt.Fprintf(out, "kill -9 %d 次：已确认 %d 条，丢失 %d，可见重复 %d，存储层重复 %d（读取时不可见）；再次就绪 p50 %.2f 秒，p99 %.2f 秒\n",
			res.Kills, res.Acked, res.Lost, res.VisibleDuplicates, res.RawDuplicates, res.ReadyP50, res.ReadyP99)
	}
	if err == nil && !res.OK() {
		err = fmt.Errorf("承诺未守住：见上 / the promise did not hold: lost %d, visible duplicates %d, unbalanced partitions %d, chain gaps %d", res.Lost, res.VisibleDuplicates, res.Unbalanced, res.ChainBroken)
	}
	return err
}

// newTortureWorker is the process that is killed: a whole mulu without sample rows.
func newTortureWorker() *cobra.Command {
	var o torture.Options
	c := &cobra.Command{
		Use: "worker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			crash, err := crashAt(os.Getenv(torture.EnvCrash))
			if err != nil {
				return usageError{err}
			}
			a, err := app.Start(c.Context(), torture.Config(o), app.Options{
				Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Progress: func(string, int64, int64) {},
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

// crashAt reads "stage:n" and returns what kills this process when stage has been
// passed n times; nil for "".
func crashAt(s string) (func(string), error) {
	if s == "" {
		return nil, nil
	}
	stage, times, _ := strings.Cut(s, ":")
	n, err := strconv.ParseInt(times, 10, 64)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("%s=%q: want stage:n", torture.EnvCrash, s)
	}
	var left atomic.Int64
	left.Store(n)
	return func(passed string) {
		if passed == stage && left.Add(-1) == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}, nil
}
