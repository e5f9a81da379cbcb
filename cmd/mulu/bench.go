package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"

	"github.com/spf13/cobra"

	"mulu/internal/app/bench"
)

func newBench() *cobra.Command {
	var o bench.Options
	var asJSON, verbose bool
	var profile string
	c := &cobra.Command{
		Use:   "bench " + strings.Join(bench.Names(), "|"),
		Short: "测速：每个数字旁边都有同一次运行中的极限 / figures beside their limits in the same run",
		Long: `在本机上测量，数据在临时目录中生成，测完删除。每个数字旁边是它的极限：引擎或同类库对同样的行所能做到的，或为两核机器定下的门槛。
Measures on this machine with generated data in a temporary directory. Shared machines are noisy: compare CPU and ratios, not walls.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("测什么？/ which one: %s", strings.Join(bench.Names(), ", "))}
			}
			return nil
		},
		ValidArgs: bench.Names(),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if o.Exe, err = os.Executable(); err != nil {
				return fmt.Errorf("find own executable: %w", err)
			}
			if o.Peer == "" {
				if beside := filepath.Join(filepath.Dir(o.Exe), bench.PeerName); exists(beside) {
					o.Peer = beside
				}
			}
			o.Log, o.Progress = slog.New(slog.DiscardHandler), bench.Progress(newProgress(os.Stderr))
			if verbose {
				o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
			}
			return profiled(profile, func() error { return runBench(c.Context(), c.OutOrStdout(), args[0], o, asJSON) })
		},
	}
	c.Flags().Int64Var(&o.Rows, "rows", 1_000_000, "入库测试的行数，至少 / rows through the way in, at least")
	c.Flags().BoolVar(&asJSON, "json", false, "打印 JSON / print JSON")
	c.Flags().StringVar(&o.Dir, "dir", "", "临时目录所在处 / where the temporary directory is made")
	c.Flags().StringVar(&o.Lib, "lib", "", "libchdb.so 的路径 / path of libchdb.so")
	c.Flags().StringVar(&o.Peer, "peer", "", "make bench-peers 编译的 Benthos，默认用旁边的 bench-peers / Benthos as make bench-peers builds it; default is the one beside")
	c.Flags().StringVar(&profile, "cpuprofile", "", "把 CPU 剖面写入此文件(go tool pprof) / write a CPU profile of this process")
	c.Flags().BoolVar(&verbose, "verbose", false, "打印运行日志 / print the running log")
	return c
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// profiled runs f while the CPU profile of this process, engine threads included,
// goes to a file; "" profiles nothing.
func profiled(file string, f func() error) (err error) {
	if file == "" {
		return f()
	}
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := pprof.StartCPUProfile(out); err != nil {
		return fmt.Errorf("write profile: %w", err)
	}
	defer pprof.StopCPUProfile()
	return f()
}

func runBench(ctx context.Context, out io.Writer, what string, o bench.Options, asJSON bool) error {
	r, err := bench.Run(ctx, what, o)
	if err != nil {
		return err
	}
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	m := r.Machine
	fmt.Fprintf(out, "%d 核 cores，%s，%d MB，%s，%s，%s\n\n", m.Cores, m.CPU, m.RAM, m.OS, m.Go, m.Engine)
	for _, f := range r.Figures {
		fmt.Fprintf(out, "%-40s %14.4g %s\n", f.Name, f.Value, f.Unit)
		if f.Limit != nil {
			fmt.Fprintf(out, "%40s %14.4g %s；比值 ratio %.3g\n", "÷", f.Limit.Value, f.Limit.Name, f.Ratio)
		}
	}
	return nil
}
