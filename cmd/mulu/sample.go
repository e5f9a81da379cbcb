package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mulu/internal/clock"
	"mulu/internal/sample"
)

func newSample() *cobra.Command {
	c := &cobra.Command{
		Use:   "sample",
		Short: "合成的演示区 / the synthetic district",
	}
	c.AddCommand(newSampleGenerate())
	return c
}

func newSampleGenerate() *cobra.Command {
	var o sample.Options
	var out, asOf string
	c := &cobra.Command{
		Use:   "generate",
		Short: "生成演示数据及其真值标注 / write the synthetic district with its ground-truth labels",
		Long: `生成演示区的源记录，并为每处有意注入的问题写一条标注，用来衡量发现问题的准与全。同样的参数得到同样的字节。
Writes the district's source records and a label for every fault put in on purpose. Same options, same bytes.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.Scale <= 0 || o.Scale > 10 {
				return usageError{fmt.Errorf("--scale 应大于 0 且不超过 10 / above 0, at most 10")}
			}
			if out == "" {
				return usageError{fmt.Errorf("请用 --out 指定目录 / say where with --out")}
			}
			var err error
			if o.AsOf, err = time.ParseInLocation(time.DateOnly, asOf, clock.Shanghai); err != nil {
				return usageError{fmt.Errorf("--as-of 应为 YYYY-MM-DD / want YYYY-MM-DD: %w", err)}
			}
			begin := time.Now()
			stats, err := generate(out, o, newProgress(os.Stderr))
			if err != nil {
				return err
			}
			printStats(c.OutOrStdout(), out, stats, time.Since(begin))
			return nil
		},
	}
	c.Flags().Float64Var(&o.Scale, "scale", sample.Small, "规模，1 为全区 124 万人 / 1 is 1.24 million residents")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "随机种子 / seed")
	c.Flags().StringVar(&out, "out", "", "写到哪个目录 / directory to write to")
	c.Flags().StringVar(&asOf, "as-of", time.Now().Format(time.DateOnly), "数据截至哪一天 / the day the district is seen on")
	return c
}

// generate writes the files and shows how much is written meanwhile.
func generate(dir string, o sample.Options, progress func(stage string, done, total int64)) (sample.Stats, error) {
	type result struct {
		stats sample.Stats
		err   error
	}
	done := make(chan result, 1)
	go func() {
		s, err := sample.WriteFiles(dir, o)
		done <- result{s, err}
	}()
	const stage = "生成演示数据（兆字节）/ generating, MB"
	// About 350 MB a whole district; the bar only has to move.
	total := max(1, int64(o.Scale*350))
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case r := <-done:
			progress(stage, total, total)
			return r.stats, r.err
		case <-tick.C:
			progress(stage, min(written(dir), total-1), total)
		}
	}
}

// written is how many megabytes of source records are in dir.
func written(dir string) int64 {
	var size int64
	for _, pattern := range []string{"*.ndjson", "*.csv", "*.jsonl"} {
		names, _ := filepath.Glob(filepath.Join(dir, pattern)) // the patterns are right
		for _, n := range names {
			if fi, err := os.Stat(n); err == nil {
				size += fi.Size()
			}
		}
	}
	return size >> 20
}

func printStats(out io.Writer, dir string, s sample.Stats, took time.Duration) {
	fmt.Fprintf(out, "演示数据已写入 %s，用时 %.1f 秒 / written in %.1f s\n\n", dir, took.Seconds(), took.Seconds())
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "数据集 dataset\t行 rows\t问题种类 kind\t处 labels")
	for _, d := range sample.Datasets() {
		fmt.Fprintf(w, "%s\t%d\t\t\n", d, s.Rows[d])
		for _, k := range slices.Sorted(maps.Keys(s.Labels[d])) {
			fmt.Fprintf(w, "\t\t%s\t%d\n", k, s.Labels[d][k])
		}
	}
	w.Flush()
}
